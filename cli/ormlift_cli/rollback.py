"""Take back what runs did: one revert commit for each of their commits, newest first.

Which commits belong to a run is read from their trailers, so it works in any clone. Where later commits changed the
same file, their changes are kept by a three-way merge; where the merge conflicts, nothing of that revert is done.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ormlift.model import UserError

from ormlift_cli.files import read
from ormlift_cli.git import GitError, Repository
from ormlift_cli.journal import Journal
from ormlift_cli.landing import Change, LandingError, land
from ormlift_cli.names import unknown

_TRAILER = re.compile(r"^(Ormlift-[A-Za-z]+): (.*)$", re.MULTILINE)
_REVERTS = re.compile(r"^(?:Ormlift-Reverts: |This reverts commit )([0-9a-f]{40,64})", re.MULTILINE)


@dataclass(frozen=True)
class Entry:
    """A commit that ormlift made, and that is not taken back."""

    commit: str
    parent: str
    run: str
    path: str  # relative to the top of the work tree
    title: str


@dataclass
class History:
    """What the branch's history says of runs."""

    entries: list[Entry] = field(default_factory=list)  # newest first
    runs: list[str] = field(default_factory=list)  # every run, newest first, also those wholly taken back
    mixed: dict[str, str] = field(default_factory=dict)  # commit -> run, where it changes more than one file


@dataclass
class RolledBack:
    """What one rollback did."""

    runs: list[str] = field(default_factory=list)
    reverted: list[Entry] = field(default_factory=list)
    blocked: dict[str, str] = field(default_factory=dict)  # path -> why the user's file stands in the way
    stopped: str = ""  # why it stopped, where it did
    left: list[Entry] = field(default_factory=list)  # what was not taken back
    notes: list[str] = field(default_factory=list)


def read_history(repository: Repository) -> History:
    """All that is known of runs on the current branch."""
    history = History()
    undone: set[str] = set()  # newest first: a revert is met before what it reverts
    for commit, message, parents in repository.history():
        live = commit not in undone
        if live:
            undone.update(_REVERTS.findall(message))
        run = dict(_TRAILER.findall(message)).get("Ormlift-Run", "")
        if run:
            history.runs.append(run)
        if run and live and len(parents) == 1:
            paths = repository.changed_in(commit)
            if len(paths) == 1:
                title = message.splitlines()[0]
                history.entries.append(Entry(commit, parents[0], run, paths[0], title))
            else:
                history.mixed[commit] = run
    history.runs = list(dict.fromkeys(history.runs))
    return history


def choose(history: History, run: str, path: str | None) -> list[Entry]:
    """The commits to take back: of a run, of a file, of both; of the newest run where neither is named.

    Raises UserError where no run of that name is, or no commit that ormlift could take back.
    """
    if not history.runs:
        raise UserError("nothing to take back: no commit of this branch was made by ormlift")
    if run and run not in history.runs:
        raise unknown("run", run, history.runs)
    wanted = run or (history.runs[0] if path is None else "")
    for commit, own in history.mixed.items():
        if wanted == own:
            what = f"commit {commit[:12]} of run {own} changes more files than its own (squashed, or by a hook)"
            raise UserError(f"{what}; take it back with `git revert {commit[:12]}`")
    return [e for e in history.entries if wanted in ("", e.run) and path in (None, e.path)]


def roll_back(
    entries: Sequence[Entry], repository: Repository, journal: Journal, tell: Callable[[Entry], None]
) -> RolledBack:
    """Revert the commits in the order given. The journal is held and recovered."""
    result = RolledBack(list(dict.fromkeys(entry.run for entry in entries)))
    result.blocked = repository.uncommitted(sorted({entry.path for entry in entries}))
    todo = [entry for entry in entries if entry.path not in result.blocked]
    result.left = [entry for entry in entries if entry.path in result.blocked]
    journal.close_run()  # an apply that was interrupted is not to be gone on with
    for position, entry in enumerate(todo):
        try:
            change = _revert(entry, repository)
            if change is None:
                result.notes.append(f"{entry.path}: holds nothing of commit {entry.commit[:12]} any more")
                continue
            land(change, repository, journal)
        except (LandingError, GitError) as error:
            result.stopped = f"{entry.path}: {error}"
            result.left += todo[position:]
            break
        result.reverted.append(entry)
        tell(entry)
    return result


def _revert(entry: Entry, repository: Repository) -> Change | None:
    """The change that takes one commit back; None where nothing of it is left.

    Raises LandingError where later commits stand in the way.
    """
    old, own = repository.blob(entry.parent, entry.path), repository.blob(entry.commit, entry.path)
    now = repository.blob("HEAD", entry.path)
    if old is None and own is not None:
        return _unmade(entry, repository, now, own)
    if old is None or own is None:
        raise LandingError(f"was not a file before commit {entry.commit[:12]}; revert it by hand")
    if now is None:
        raise LandingError(f"was deleted or moved since commit {entry.commit[:12]}; take it back there by hand")
    new = old if now == own else _merged(now, own, old)
    if new is None:
        what = f"later commits changed the lines that commit {entry.commit[:12]} wrote"
        raise LandingError(f"{what}; nothing of it was taken back: do it with `git revert {entry.commit[:12]}`")
    if new == now:
        return None
    try:
        before = read(repository.top, entry.path)
    except OSError as error:
        raise LandingError(f"cannot be read: {error.strerror or error}") from error
    after = new if before == now else repository.on_disk(entry.path, new)
    return Change(entry.path, before, after, _message(entry))


def _unmade(entry: Entry, repository: Repository, now: bytes | None, own: bytes) -> Change | None:
    """The change that takes away a file that the commit made; None where it is gone already."""
    if now is None:
        return None
    if now != own:
        raise LandingError(f"was changed since commit {entry.commit[:12]} made it; remove it by hand, if it is to go")
    try:
        return Change(entry.path, read(repository.top, entry.path), None, _message(entry))
    except OSError as error:
        raise LandingError(f"cannot be read: {error.strerror or error}") from error


def _merged(now: bytes, own: bytes, old: bytes) -> bytes | None:
    """`now` without what led from `old` to `own`; None on conflict."""
    with tempfile.TemporaryDirectory(prefix="ormlift-") as folder:
        names = []
        for name, data in (("now", now), ("own", own), ("old", old)):
            names.append(Path(folder, name))
            names[-1].write_bytes(data)
        done = subprocess.run(["git", "merge-file", "--stdout", *names], capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None


def _message(entry: Entry) -> str:
    return (
        f'Revert "{entry.title}"\n\nThis reverts commit {entry.commit}.\n\n'
        f"Ormlift-Reverts: {entry.commit}\nOrmlift-Rollback: {entry.run}\n"
    )
