"""Undo a rollback that could not end: the branch, the index and the files are as they were before it began.

The revert commits go from the branch, as `git revert --abort` does it; so only where nothing came after them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from ormlift.model import UserError

from ormlift_cli.committing import Committer
from ormlift_cli.files import put_back, write
from ormlift_cli.git import GitError, Repository
from ormlift_cli.history import read_history
from ormlift_cli.journal import Journal, Mark, digest


@dataclass(frozen=True)
class Begun:
    """A rollback that has begun and not ended."""

    run: str
    head: str  # where the branch stood before


def begin(journal: Journal, begun: Begun) -> None:
    """Note where the branch stands."""
    journal.note("rollback.json", asdict(begun))


def forget(journal: Journal) -> None:
    """The rollback has ended."""
    journal.drop("rollback.json")


def abort(repository: Repository, journal: Journal, committer: Committer) -> int:
    """Go back to where the branch stood; the number of revert commits that are gone. Raises UserError."""
    found = journal.noted("rollback.json")
    if not found:
        raise UserError("nothing to abort: no rollback was stopped here")
    begun = Begun(**found)
    if repository.head() == begun.head:
        forget(journal)
        return 0
    made = repository.run("rev-list", f"{begun.head}..HEAD").decode().split()
    ours = {made.commit for made in read_history(repository).made if made.run == begun.run}
    behind = repository.run("rev-list", f"HEAD..{begun.head}").strip()
    if behind or not made or set(made) - ours:
        forget(journal)
        what = "commits came after the rollback, or it is no longer on this branch"
        raise UserError(f"{what}; take it back with `ormlift rollback --run {begun.run}`")
    _go_back(repository, journal, committer, begun)
    forget(journal)
    return len(made)


def _go_back(repository: Repository, journal: Journal, committer: Committer, begun: Begun) -> None:
    output = repository.run("diff", "--name-only", "--no-renames", "-z", begun.head, "HEAD")
    paths = [name for name in output.decode("utf-8", "surrogateescape").split("\0") if name]
    blocked = repository.uncommitted(paths)
    if blocked:
        path, why = next(iter(blocked.items()))
        raise UserError(f"{path}: {why}")
    head = repository.head()
    blobs = repository.entries(begun.head, paths)
    contents = repository.contents(blob for _, blob in blobs.values())
    before = {path: (repository.top / path).read_bytes() for path in paths}
    after = {path: repository.on_disk(path, contents[blobs[path][1]]) for path in paths}
    try:
        journal.begin(head, [Mark(path, digest(after[path])) for path in paths], [before[path] for path in paths])
        for path in paths:
            write(repository.top, path, after[path])
        committer.move(paths, begun.head, head)
    except (OSError, GitError) as error:
        for path in paths:
            put_back(repository.top, path, before[path], journal.kept(path))
        journal.end()
        raise UserError(f"the rollback could not be undone, and all is as it was: {error}") from error
    journal.end()
