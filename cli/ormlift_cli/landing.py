"""How changes land: written, tried and committed a batch at a time, or the files are as they were.

`apply` and `rollback` both go through here, so what is said of kills, hooks and the user's index holds for both. The
journal knows a batch from before its first byte is written until its last commit is made.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ormlift_cli.committing import Committer, Parcel
from ormlift_cli.files import create, put_back, read, remove, write
from ormlift_cli.git import GitError, Repository
from ormlift_cli.journal import Journal, Mark, digest

_FULL = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is used up", errno.EFBIG: "the disk is full"}
_FULL_SAID = ("No space left on device", "Disk quota exceeded", "File too large", "Out of diskspace")


class StopError(Exception):
    """Nothing more can land in this run, and all that did not is as it was. Its text is one line."""


@dataclass(frozen=True)
class Change:
    """A file's content before and after."""

    path: str  # relative to the top of the work tree
    before: bytes | None  # None: there is no such file yet
    after: bytes | None  # None: the file goes


@dataclass(frozen=True)
class Load:
    """The changes of one commit, and what its message is, given the paths that are left of them."""

    changes: tuple[Change, ...]
    message: Callable[[Sequence[str]], str]


@dataclass(frozen=True)
class Fault:
    """Why a change did not land; the file is as it was."""

    message: str  # one line
    step: str = ""  # of the gate: compile, verify, import, test
    output: str = ""  # what the step's command said


@dataclass
class Landed:
    """What became of a batch."""

    commits: dict[str, str] = field(default_factory=dict)  # path -> the commit that it landed in
    faults: dict[str, Fault] = field(default_factory=dict)


class Bench(Protocol):
    """Where the gate puts changes in, and takes them out again."""

    def put_in(self, changes: Sequence[Change]) -> dict[str, Fault]:
        """Write the new contents; what could not be written stays as it was."""

    def take_out(self, changes: Sequence[Change]) -> None:
        """Write the old contents back."""


Try = Callable[[Sequence[Change], Bench], dict[str, Fault]]


def write_and_see(changes: Sequence[Change], bench: Bench) -> dict[str, Fault]:
    """The gate that asks for nothing but that the files can be written."""
    return bench.put_in(changes)


class Lander:
    """Lands batches in one repository. The journal is held and recovered."""

    def __init__(self, repository: Repository, journal: Journal, committer: Committer) -> None:
        self.repository, self.journal, self.committer = repository, journal, committer

    def land(self, loads: Sequence[Load], tried: Try = write_and_see) -> Landed:
        """Write, try and commit; no path comes twice. Raises StopError where no more can land.

        An interrupt leaves the batch in the journal for `Journal.recover`.
        """
        landed, live = Landed(), []
        for change in (change for load in loads for change in load.changes):
            fault = self._moved_on(change)
            if fault:
                landed.faults[change.path] = fault
            else:
                live.append(change)
        if live:
            head = self._begin(live)
            bench = _Bench(self.repository, self.journal)
            try:
                landed.faults |= tried(live, bench)
                self._commit(loads, landed, head, bench)
            except StopError:
                bench.take_out([c for c in live if c.path not in landed.commits])
                self.journal.end()
                raise
            self.journal.end()
        return landed

    def _moved_on(self, change: Change) -> Fault | None:
        """The file must be what was planned on; it may have been saved in an editor since."""
        if change.before is None:
            there = os.path.lexists(self.repository.top / change.path)
            return Fault("is there already; move it away, or name another file") if there else None
        try:
            if read(self.repository.top, change.path) == change.before:
                return None
        except OSError as error:
            return Fault(f"cannot be read any more: {error.strerror or error}")
        return Fault("was changed while ormlift worked; run it again")

    def _begin(self, live: Sequence[Change]) -> str:
        head = self.repository.head()
        try:
            self.journal.begin(
                head, [Mark(c.path, digest(c.after), c.before is None) for c in live], [c.before for c in live]
            )
        except OSError as error:
            raise StopError(full(error) or f"the journal cannot be written: {error.strerror or error}") from error
        return head

    def _commit(self, loads: Sequence[Load], landed: Landed, head: str, bench: Bench) -> None:
        kept = [Load(tuple(c for c in load.changes if c.path not in landed.faults), load.message) for load in loads]
        kept = [load for load in kept if load.changes]
        parcels = [Parcel(paths := tuple(c.path for c in load.changes), load.message(paths)) for load in kept]
        whole = all(None not in (c.before, c.after) for load in kept for c in load.changes)
        if kept and whole and self.committer.fast:
            try:
                for parcel, made in zip(parcels, self.committer.many(parcels, head), strict=True):
                    landed.commits |= dict.fromkeys(parcel.paths, made)
                return
            except (GitError, OSError):
                if self.repository.head() != head:
                    raise StopError("the branch was moved while ormlift worked; run it again") from None
        if len(kept) > 1:  # a hook is to see no other change than the one that it is asked about
            bench.take_out([change for load in kept for change in load.changes])
        for load, parcel in zip(kept, parcels, strict=True):
            landed.faults |= self._one(load, parcel, landed, bench, again=len(kept) > 1)

    def _one(self, load: Load, parcel: Parcel, landed: Landed, bench: Bench, *, again: bool) -> dict[str, Fault]:
        """One commit by git itself."""
        head = self.repository.head()
        faults = bench.put_in(load.changes) if again else {}
        if faults:
            bench.take_out([c for c in load.changes if c.path not in faults])
            return dict.fromkeys(parcel.paths, next(iter(faults.values())))
        try:
            for change in load.changes:
                if change.before is None:
                    self.repository.intend(change.path)
            self.committer.one(parcel)
        except (GitError, OSError) as error:
            if self.repository.head() == head:
                bench.take_out(load.changes)
                if any(words in str(error) for words in _FULL_SAID):
                    raise StopError(f"the disk is full: {error}") from error
                return dict.fromkeys(parcel.paths, Fault(f"git commit failed, and the file is as it was: {error}"))
        made = self.repository.head()
        landed.commits |= dict.fromkeys(parcel.paths, made)
        for change in load.changes:
            self._follow_hook(change, made)
        return {}

    def _follow_hook(self, change: Change, made: str) -> None:
        """A hook may have put its own version of the file into the commit, which leaves git's index behind."""
        if change.after is None:
            return
        try:
            if read(self.repository.top, change.path) != change.after:
                self.repository.index_follows(change.path, made)
        except (OSError, GitError):
            return


@dataclass(frozen=True)
class _Bench:
    repository: Repository
    journal: Journal

    def put_in(self, changes: Sequence[Change]) -> dict[str, Fault]:
        faults = {}
        for change in changes:
            try:
                put(self.repository.top, change)
            except OSError as error:
                if full(error):
                    raise StopError(full(error)) from error
                faults[change.path] = Fault(f"could not be written: {error.strerror or error}")
        return faults

    def take_out(self, changes: Sequence[Change]) -> None:
        for change in changes:
            try:
                self._take_out(change)
            except (OSError, GitError) as error:
                why = getattr(error, "strerror", "") or error
                what = f"{change.path}: the old content could not be written back ({why})"
                raise StopError(f"{what}: `git checkout -- {change.path}` does it") from error

    def _take_out(self, change: Change) -> None:
        top = self.repository.top
        if change.before is None:
            if os.path.lexists(top / change.path):
                remove(top, change.path)
            self.repository.forget(change.path)
        elif not os.path.lexists(top / change.path):
            create(top, change.path, change.before)
        elif read(top, change.path) != change.before:
            put_back(top, change.path, change.before, self.journal.kept(change.path))


def put(root: Path, change: Change) -> None:
    """Lead a file from one content to the other. Raises OSError, and then it is as it was."""
    if change.after is None:
        remove(root, change.path)
    elif change.before is None:
        create(root, change.path, change.after)
    else:
        write(root, change.path, change.after)


def full(error: OSError) -> str:
    """What to say where a disk is full; empty where it is not that."""
    return _FULL.get(error.errno or 0, "")
