"""Take back what runs did: one revert commit for each of their commits, newest first.

Which commits belong to a run is read from their trailers, so it works in any clone. Where later commits changed the
same file, their changes are kept by a three-way merge; a file in which the merge conflicts is left as it is. All of it
is worked out before the first byte is written.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ormlift.model import UserError

from ormlift_cli.committing import FAST
from ormlift_cli.files import read
from ormlift_cli.git import Repository, literal
from ormlift_cli.history import Entry, History, Made, plain
from ormlift_cli.landing import Change, Lander, Load, StopError
from ormlift_cli.names import unknown

_LABELS = ("as it is now", "as ormlift wrote it", "as it was before")


@dataclass(frozen=True)
class Choice:
    """What to take back: all that fits each of these; where none is given, the newest run."""

    run: str = ""
    phase: str = ""
    codemods: tuple[str, ...] = ()
    path: str = ""  # relative to the top of the work tree
    since: int = 0  # seconds since the epoch


@dataclass(frozen=True)
class Conflict:
    """Why one file of a commit cannot be taken back."""

    entry: Entry
    why: str
    later: tuple[str, ...] = ()  # the commits that changed the file since, one line each
    lines: tuple[str, ...] = ()  # where the merge conflicts


@dataclass(frozen=True)
class Unit:
    """What takes one commit back, or the part of it that was chosen."""

    made: Made
    changes: tuple[Change, ...]


@dataclass
class Plan:
    """What a rollback is going to do."""

    units: list[Unit] = field(default_factory=list)  # newest first
    blocked: dict[str, str] = field(default_factory=dict)  # path -> why the user's file stands in the way
    conflicts: list[Conflict] = field(default_factory=list)
    left: list[Entry] = field(default_factory=list)  # what is not going to be taken back
    notes: list[str] = field(default_factory=list)


@dataclass
class RolledBack:
    """What a rollback did."""

    plan: Plan
    done: list[Unit] = field(default_factory=list)
    stopped: str = ""  # why it stopped, where it did


def choose(history: History, choice: Choice) -> list[Entry]:
    """The files of commits to take back, newest first.

    Raises UserError where no run of that name is, or a commit that ormlift cannot take back.
    """
    if not history.made:
        shallow = " (the clone is shallow: fetch more of its history)" if history.shallow else ""
        raise UserError(f"nothing to take back: no commit of this branch was made by ormlift{shallow}")
    if choice.run and choice.run not in history.runs:
        raise unknown("run", choice.run, history.runs)
    if choice == Choice():
        newest = next((run for run in history.runs if not history.is_rollback(run)), history.runs[0])
        choice = Choice(run=newest)
    for made in history.mixed.values():
        if _fits(made, choice) and choice.path in ("", *(delta.path for delta in made.files)):
            what = (
                f"commit {made.commit[:12]} of run {made.run} changes more files than its own (squashed, or by a hook)"
            )
            raise UserError(f"{what}; take it back with `git revert {made.commit[:12]}`")
    found = [e for e in history.entries if _fits(e.made, choice) and choice.path in ("", e.path)]
    for entry in found:
        others = set(entry.made.codemods) - set(choice.codemods)
        if choice.codemods and others:
            named = " ".join(f"--codemod {name}" for name in sorted(others))
            what = f"commit {entry.commit[:12]} ({plain(entry.path)}) holds sites of other codemods too"
            raise UserError(f"{what}; add {named}, or take it back by --file or --run")
    return found


def _fits(made: Made, choice: Choice) -> bool:
    named = made.run == choice.run if choice.run else not made.undoes  # a rollback is taken back only by its name
    return (
        named
        and (not choice.phase or choice.phase in made.phases)
        and (not choice.codemods or bool(set(choice.codemods) & set(made.codemods)))
        and made.time >= choice.since
    )


def plan_rollback(entries: Sequence[Entry], repository: Repository) -> Plan:
    """Work out what takes the entries back, without writing anything."""
    paths = sorted({entry.path for entry in entries})
    plan = Plan(blocked=repository.uncommitted(paths))
    blobs = repository.entries("HEAD", paths)
    now = {path: blob for path, (_, blob) in blobs.items()}
    wanted = {blob for entry in entries for blob in (entry.delta.old, entry.delta.new) if blob.strip("0")}
    files = _Files(repository, repository.contents([*now.values(), *wanted]), now)
    commits: dict[str, list[Entry]] = {}
    for entry in entries:
        commits.setdefault(entry.commit, []).append(entry)
    for own in commits.values():
        changes = [change for entry in own if (change := files.without(entry, plan)) is not None]
        if changes:
            plan.units.append(Unit(own[0].made, tuple(changes)))
    return plan


@dataclass
class _Files:
    """The files as they become, one revert after another."""

    repository: Repository
    contents: dict[str, bytes]
    now: dict[str, str]  # path -> blob at HEAD
    current: dict[str, bytes] = field(default_factory=dict)  # as git stores it
    disk: dict[str, bytes] = field(default_factory=dict)
    stuck: set[str] = field(default_factory=set)  # files in which something newer could not be taken back

    def without(self, entry: Entry, plan: Plan) -> Change | None:
        """The change that takes one entry back; None where there is none, and the plan says why."""
        path = entry.path
        if path in plan.blocked or path in self.stuck:
            plan.left.append(entry)
            return None
        whole = bool(entry.delta.old.strip("0")) and bool(entry.delta.new.strip("0"))
        conflict = self._merge(entry) if whole else self._made_or_gone(entry, plan)
        if isinstance(conflict, Conflict):
            self.stuck.add(path)
            plan.conflicts.append(conflict)
            plan.left.append(entry)
            return None
        if not isinstance(conflict, bytes):
            return conflict
        if conflict == self.current[path]:
            plan.notes.append(f"{plain(path)}: holds nothing of commit {entry.commit[:12]} any more")
            return None
        before, was = self.disk[path], self.current[path]
        after = conflict if before == was else self.repository.on_disk(path, conflict)
        self.current[path], self.disk[path] = conflict, after
        return Change(path, before, after)

    def _made_or_gone(self, entry: Entry, plan: Plan) -> Change | Conflict | None:
        """For a commit that made or removed the file."""
        path, made = entry.path, bool(entry.delta.new.strip("0"))
        here = path in self.now
        if made != here:
            plan.notes.append(f"{plain(path)}: holds nothing of commit {entry.commit[:12]} any more")
            return None
        if not made:
            return Change(path, None, self.repository.on_disk(path, self.contents[entry.delta.old]))
        if self.contents[self.now[path]] != self.contents[entry.delta.new]:
            why = f"was changed since commit {entry.commit[:12]} made it; remove it by hand, if it is to go"
            return Conflict(entry, why)
        del self.now[path]
        return Change(path, read(self.repository.top, path), None)

    def _merge(self, entry: Entry) -> bytes | Conflict:
        """The file without what the commit did to it."""
        path, delta = entry.path, entry.delta
        if path not in self.now:
            return Conflict(entry, f"was deleted or moved since commit {entry.commit[:12]}; take it back there by hand")
        if delta.old not in self.contents or delta.new not in self.contents or not delta.mode.startswith("100"):
            return Conflict(entry, f"was not a file before commit {entry.commit[:12]}; revert it by hand")
        try:
            self.disk.setdefault(path, read(self.repository.top, path))
        except OSError as error:
            return Conflict(entry, f"cannot be read: {error.strerror or error}")
        now = self.current.setdefault(path, self.contents[self.now[path]])
        old, own = self.contents[delta.old], self.contents[delta.new]
        if now == own:
            return old
        merged, lines = _merged(now, own, old)
        if merged is not None:
            return merged
        why = f"later commits changed the lines that commit {entry.commit[:12]} wrote; nothing of it was taken back"
        log = self.repository.run("log", "--format=%h %an: %s", f"{entry.commit}..HEAD", "--", literal(path))
        later = tuple(log.decode(errors="replace").splitlines()[:5])
        return Conflict(entry, f"{why}: do it with `git revert {entry.commit[:12]}`", later, lines)


def _merged(now: bytes, own: bytes, old: bytes) -> tuple[bytes | None, tuple[str, ...]]:
    """`now` without what led from `own` to `old`; None on conflict, and the first lines that conflict."""
    with tempfile.TemporaryDirectory(prefix="ormlift-") as folder:
        names = [str(Path(folder, name)) for name in ("now", "own", "old")]
        for name, data in zip(names, (now, own, old), strict=True):
            Path(name).write_bytes(data)
        labels = [part for label in _LABELS for part in ("-L", label)]
        command = ["git", "merge-file", "--stdout", "--diff3", *labels, *names]
        done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode == 0:
        return done.stdout, ()
    lines = done.stdout.decode(errors="replace").splitlines()
    start = next((n for n, line in enumerate(lines) if line.startswith("<<<<<<< ")), 0)
    end = next((n for n, line in enumerate(lines) if line.startswith(">>>>>>> ")), len(lines))
    return None, tuple(lines[start : min(end + 1, start + 24)])


def roll_back(plan: Plan, run: str, lander: Lander, tell: Callable[[Unit], None]) -> RolledBack:
    """Do what was planned. The journal is held and recovered."""
    result = RolledBack(plan)
    for batch in _batches(plan.units, FAST if lander.committer.fast else 1):
        loads = [Load(unit.changes, partial(_message, unit.made, run)) for unit in batch]
        try:
            landed = lander.land(loads)
        except StopError as error:
            result.stopped = str(error)
            return result
        for unit in batch:
            faults = [c.path for c in unit.changes if c.path in landed.faults]
            if faults:
                result.stopped = f"{plain(faults[0])}: {landed.faults[faults[0]].message}"
            else:
                result.done.append(unit)
                tell(unit)
        if result.stopped:
            return result
    return result


def _batches(units: Sequence[Unit], size: int) -> list[list[Unit]]:
    """Batches in which no file comes twice."""
    found: list[list[Unit]] = []
    seen: set[str] = set()
    for unit in units:
        paths = {change.path for change in unit.changes}
        if not found or len(found[-1]) >= size or seen & paths:
            found.append([])
            seen = set()
        found[-1].append(unit)
        seen |= paths
    return found


def _message(made: Made, run: str, paths: Sequence[str]) -> str:
    again = made.title.startswith('Revert "') and made.title.endswith('"')
    title = f'Reapply "{made.title[8:-1]}"' if again else f'Revert "{made.title}"'
    part = "" if len(paths) == len(made.files) else "a part of "
    files = "".join(f"Ormlift-File: {plain(path)}\n" for path in paths)
    return (
        f"{title}\n\nThis reverts {part}commit {made.commit}.\n\n"
        f"Ormlift-Run: {run}\nOrmlift-Reverts: {made.commit}\nOrmlift-Rollback: {made.run}\n{files}"
    )
