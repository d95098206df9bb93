"""From plans to files: what is planned is written, tried and committed, or only written where the user wants that."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from ormlift.model import Planned, UserError
from ormlift.source import encode

from ormlift_cli.committing import FAST, SLOW, Committer
from ormlift_cli.compose import Composer, batches
from ormlift_cli.files import read, write
from ormlift_cli.gate import Gatekeeper
from ormlift_cli.git import GitError, Repository, check_ready, open_repository
from ormlift_cli.journal import Journal, RunNote
from ormlift_cli.landing import Change, Fault, Lander, Load, StopError, full, put
from ormlift_cli.project import Project


class End(StrEnum):
    """What became of a planned file."""

    COMMITTED = "committed"
    WRITTEN = "written"
    BLOCKED = "blocked"  # by the state of the user's file: nothing was tried
    FAILED = "failed"  # tried, and taken back; or not reached any more
    POSTPONED = "postponed"  # to the next run: the limit was reached


@dataclass(frozen=True)
class Landed:
    """What became of one planned file, and why."""

    path: str  # relative to the root
    end: End
    message: str = ""  # one line, where it did not land
    commit: str = ""
    step: str = ""  # of the gate, where it failed there
    output: str = ""  # what that step's command said


@dataclass
class Applied:
    """What one run of `apply` did."""

    run: str = ""  # empty without commits
    landed: dict[str, Landed] = field(default_factory=dict)  # by path
    notes: list[str] = field(default_factory=list)
    stopped: str = ""  # why the run stopped before its end, where it did
    tests: int = 0  # how often the project's tests were run


Tell = Callable[[Landed], None]


@dataclass(frozen=True)
class Job:
    """What one run works with."""

    project: Project
    gate: Gatekeeper
    tell: Tell
    limit: int = 0  # files that may land; 0: all


def prepare(project: Project) -> Repository:
    """The repository to commit in. Raises UserError before anything is written."""
    repository = open_repository(project.root)
    check_ready(repository)
    return repository


def write_all(plans: Sequence[Planned], job: Job) -> Applied:
    """Write without commits."""
    return _Run(job, Applied()).go(plans, lambda plan: plan.path, lambda batch: _written(batch, job))


def _written(plans: Sequence[Planned], job: Job) -> list[Landed]:
    changes, faults = _changes(plans, "")
    bench = _Bench(job.project)
    live = [change for change in changes if bench.is_still(change)]
    try:
        faults |= job.gate.check(live, bench)
    except BaseException:
        bench.take_out(live)
        raise
    same = {change.path for change in live} | set(faults)
    found = []
    for plan in plans:
        fault = faults.get(plan.path)
        if plan.path not in same:
            found.append(Landed(plan.path, End.BLOCKED, "was changed while ormlift worked; run it again"))
        elif fault:
            found.append(Landed(plan.path, End.FAILED, fault.message, step=fault.step, output=fault.output))
        else:
            found.append(Landed(plan.path, End.WRITTEN))
    return found


def commit_all(
    plans: Sequence[Planned], job: Job, composer: Composer, lander: Lander, repository: Repository
) -> Applied:
    """Write and commit. The journal is held and recovered, and the run is open."""
    applied = Applied(composer.run)
    prefix = job.project.prefix
    blocked = repository.uncommitted([prefix + plan.path for plan in plans])
    for plan in plans:
        if prefix + plan.path in blocked:
            landed = Landed(plan.path, End.BLOCKED, blocked[prefix + plan.path])
            applied.landed[plan.path] = landed
            job.tell(landed)
    free = [plan for plan in plans if plan.path not in applied.landed]
    size = job.gate.batch or (FAST if lander.committer.fast else SLOW)
    return _Run(job, applied, size).go(free, composer.key, lambda batch: _landed(batch, job, composer, lander))


def _landed(plans: Sequence[Planned], job: Job, composer: Composer, lander: Lander) -> list[Landed]:
    prefix = job.project.prefix
    changes, faults = _changes(plans, prefix)
    own = {prefix + plan.path: plan for plan in plans}
    groups: dict[str, list[Change]] = {}
    for change in changes:
        groups.setdefault(composer.key(own[change.path]), []).append(change)
    loads = [Load(tuple(group), lambda paths: composer.message([own[p] for p in paths])) for group in groups.values()]
    done = lander.land(loads, job.gate.check)
    faults |= done.faults
    found = []
    for path, plan in own.items():
        if path in done.commits:
            found.append(Landed(plan.path, End.COMMITTED, commit=done.commits[path]))
        else:
            fault = faults[path]
            found.append(Landed(plan.path, End.FAILED, fault.message, step=fault.step, output=fault.output))
    return found


def _changes(plans: Sequence[Planned], prefix: str) -> tuple[list[Change], dict[str, Fault]]:
    changes, faults = [], {}
    for plan in plans:
        try:
            changes.append(Change(prefix + plan.path, encode(plan.before), encode(plan.after)))
        except UnicodeEncodeError as error:
            faults[prefix + plan.path] = Fault(f"could not be written: {error}")
    return changes, faults


@dataclass
class _Run:
    """A run, batch after batch."""

    job: Job
    applied: Applied
    size: int = SLOW

    def go(
        self, plans: Sequence[Planned], key: Callable[[Planned], str], land: Callable[[Sequence[Planned]], list[Landed]]
    ) -> Applied:
        """Land all, until the limit is reached or nothing more can land."""
        left = list(plans)
        landed = 0
        while left and not (self.job.limit and landed >= self.job.limit):
            allowed = left[: self.job.limit - landed] if self.job.limit else left
            batch = batches(allowed, {plan.path: key(plan) for plan in allowed}, self.job.gate.batch or self.size)[0]
            try:
                found = land(batch)
            except StopError as error:
                self.applied.stopped = str(error)
                break
            own = {plan.path for plan in batch}
            left = [plan for plan in left if plan.path not in own]
            landed += sum(one.end in (End.COMMITTED, End.WRITTEN) for one in found)
            self._note(found)
        why = f"was not reached: {self.applied.stopped}" if self.applied.stopped else "is left for the next run"
        end = End.FAILED if self.applied.stopped else End.POSTPONED
        self._note([Landed(plan.path, end, why) for plan in left])
        self.applied.notes += self.job.gate.notes
        self.applied.tests = self.job.gate.tests
        return self.applied

    def _note(self, found: Sequence[Landed]) -> None:
        for landed in found:
            self.applied.landed[landed.path] = landed
            self.job.tell(landed)


@dataclass(frozen=True)
class _Bench:
    """Files without a journal."""

    project: Project

    def is_still(self, change: Change) -> bool:
        """Whether a file is what was planned on."""
        try:
            return read(self.project.root, change.path) == change.before
        except OSError:
            return True  # writing it tells why not

    def put_in(self, changes: Sequence[Change]) -> dict[str, Fault]:
        faults = {}
        for change in changes:
            try:
                put(self.project.root, change)
            except OSError as error:
                if full(error):
                    self.take_out(changes)
                    raise StopError(full(error)) from error
                faults[change.path] = Fault(f"could not be written: {error.strerror or error}")
        return faults

    def take_out(self, changes: Sequence[Change]) -> None:
        for change in changes:
            try:
                if read(self.project.root, change.path) != change.before:
                    write(self.project.root, change.path, change.before or b"")
            except OSError as error:
                what = f"the old content could not be written back: {error.strerror or error}"
                raise StopError(f"{change.path}: {what}") from error


def switch_branch(repository: Repository, name: str) -> None:
    """Go to a branch, or begin it where HEAD stands. Raises UserError."""
    try:
        repository.run("check-ref-format", "--branch", name)
    except GitError:
        raise UserError(f"--branch: '{name}' is not a name that git takes for a branch") from None
    if repository.branch() == f"refs/heads/{name}":
        return
    known = bool(repository.run("for-each-ref", f"refs/heads/{name}"))
    try:
        repository.run("switch", "--quiet", *([] if known else ["--create"]), name)
    except GitError as error:
        raise UserError(f"--branch: git cannot go to '{name}': {error}") from None


def branch_name(template: str, phase: str) -> str:
    """The branch for a phase."""
    return template.format_map({"phase": re.sub(r"[^\w./-]+", "-", phase).strip("-./")})


def new_run() -> str:
    """The id of a run: its time, and four digits against runs of the same second."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"


def open_run(journal: Journal, request: dict[str, object], repository: Repository) -> str:
    """The id of the run that begins, or that goes on where the same was interrupted."""
    return journal.open_run(RunNote(new_run(), request, repository.branch())).run


def committer_of(repository: Repository, journal: Journal, composer: Composer) -> Committer:
    """What makes the commits of a run."""
    return Committer(repository, composer.choice, journal.committing)
