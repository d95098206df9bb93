"""How one change of one file lands: written and committed, or the file is as it was.

`apply` and `rollback` both go through here, so what is said of kills, hooks and the user's index holds for both.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ormlift_cli.files import create, read, remove, write
from ormlift_cli.git import GitError, Repository
from ormlift_cli.journal import Journal, Step, digest


class LandingError(Exception):
    """The change did not land, and the file is as it was. Its text is one line."""


@dataclass(frozen=True)
class Change:
    """A file's content before and after, and the message of its commit."""

    path: str  # relative to the top of the work tree
    before: bytes | None  # None: there is no such file yet
    after: bytes | None  # None: the file goes
    message: str


def land(change: Change, repository: Repository, journal: Journal) -> str:
    """Write and commit one file; the id of the commit. Raises LandingError.

    An interrupt leaves the step in the journal for `Journal.recover`.
    """
    top = repository.top
    head = repository.head()
    _check_still(repository, change)
    journal.begin(Step(change.path, head, digest(change.after), change.before is None), change.before or b"")
    try:
        _put(top, change.path, change.before, change.after)
    except OSError as error:
        journal.end()
        raise LandingError(f"could not be written: {error.strerror or error}") from error
    try:
        if change.before is None:
            repository.intend(change.path)
        repository.commit(change.path, change.message, journal.committing)
    except (GitError, OSError) as error:
        if repository.head() == head:
            _take_back(repository, change)
            journal.end()
            raise LandingError(f"git commit failed, and the file is as it was: {error}") from error
    made = repository.head()
    _follow_hook(repository, change, made)
    journal.end()
    return made


def _put(top: Path, path: str, before: bytes | None, after: bytes | None) -> None:
    """Lead the file from one content to the other. Raises OSError."""
    if after is None:
        remove(top, path)
    elif before is None:
        create(top, path, after)
    else:
        write(top, path, after)


def _check_still(repository: Repository, change: Change) -> None:
    """The file must be what was planned on; it may have been saved in an editor since."""
    if change.before is None:
        if os.path.lexists(repository.top / change.path):
            raise LandingError("is there already; move it away, or name another file")
        return
    try:
        current = read(repository.top, change.path)
    except OSError as error:
        raise LandingError(f"cannot be read any more: {error.strerror or error}") from error
    if current != change.before:
        raise LandingError("was changed while ormlift worked; run it again")


def _take_back(repository: Repository, change: Change) -> None:
    try:
        _put(repository.top, change.path, change.after, change.before)
        if change.before is None:
            repository.forget(change.path)
    except (OSError, GitError) as error:
        why = getattr(error, "strerror", "") or error
        what = f"git commit failed, and the old content could not be written back ({why})"
        raise LandingError(f"{what}: `git checkout -- {change.path}` does it") from error


def _follow_hook(repository: Repository, change: Change, made: str) -> None:
    """A hook may have put its own version of the file into the commit, which leaves git's index behind."""
    if change.after is None:
        return
    try:
        if read(repository.top, change.path) != change.after:
            repository.index_follows(change.path, made)
    except (OSError, GitError):
        return
