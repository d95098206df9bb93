"""How far a rollout is: what is left of each phase by the code as it stands, and what runs did by the history.

No state is kept: the sites that are left are found anew, and those that were rewritten stand in the commits' trailers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from ormlift.model import Applicability, SiteReport, Status

from ormlift_cli.history import History, Made, plain
from ormlift_cli.phasing import Phasing
from ormlift_cli.run import Survey
from ormlift_cli.tally import sites_of

NO_PHASE = "(no phase)"
KINDS = ("ready", "unsafe", "by hand", "refused", "suppressed", "failed")


@dataclass
class Row:
    """One phase."""

    phase: str
    rewritten: int = 0
    left: Counter[str] = field(default_factory=Counter)  # by kind
    files: set[str] = field(default_factory=set)  # that hold what is left

    @property
    def sites(self) -> int:
        """All that were there: rewritten or left."""
        return self.rewritten + self.left.total()

    @property
    def done(self) -> int:
        """In percent: what is rewritten or suppressed of all sites."""
        return 100 * (self.rewritten + self.left["suppressed"]) // self.sites if self.sites else 100


@dataclass
class Step:
    """One run, and what it left."""

    run: str
    time: int
    back: bool  # it took others back
    paths: dict[str, set[str]] = field(default_factory=dict)  # phase -> files
    moved: Counter[str] = field(default_factory=Counter)  # phase -> sites rewritten, or taken back
    left: dict[str, int] = field(default_factory=dict)  # phase -> sites left when it had ended
    dead: Counter[str] = field(default_factory=Counter)  # phase -> of its sites, those taken back since

    @property
    def files(self) -> int:
        """How many files it changed."""
        return len(set[str]().union(*self.paths.values()))

    @property
    def undone(self) -> int:
        """How many of its sites were taken back since."""
        return self.dead.total()

    def of(self, phase: str) -> Step:
        """What it did in one phase."""
        moved, dead = (Counter({n: c for n, c in own.items() if n == phase}) for own in (self.moved, self.dead))
        left = {name: count for name, count in self.left.items() if name == phase}
        return replace(self, moved=moved, dead=dead, left=left, paths={phase: self.paths.get(phase, set())})


@dataclass
class Burndown:
    """The phases in their order, and the runs, oldest first."""

    rows: list[Row] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    shallow: bool = False


def burn_down(found: Survey, history: History, phasing: Phasing) -> Burndown:
    """Count."""
    prefix = found.project.prefix
    names = [phase.name for phase in phasing.phases]
    rows = {name: Row(name) for name in names}
    for outcome in found.outcomes:
        for site in sites_of(outcome):
            row = rows.setdefault(phasing.phase_of(outcome.path, site.codemod) or NO_PHASE, Row(NO_PHASE))
            row.left[kind_of(site)] += 1
            row.files.add(outcome.path)
    counted = Rewrites(history, phasing, prefix, found.settings.codemods)
    live = {(entry.commit, entry.path) for entry in history.entries}
    for made in history.made:
        if not made.undoes:
            for phase, path, _, count in counted.of(made):
                if (made.commit, path) in live:
                    rows.setdefault(phase, Row(phase)).rewritten += count
    known = [name for name in names if name in rows]
    order = [*known, *(name for name in rows if name not in {*known, NO_PHASE}), NO_PHASE]
    result = Burndown([rows[name] for name in order if name in rows], shallow=history.shallow)
    result.steps = list(_steps(history, counted, live))
    _fill_left(result)
    return result


def kind_of(site: SiteReport) -> str:
    """What a site that is left waits for."""
    if site.status is Status.REWRITTEN:
        return "ready"
    if site.status is not Status.REFUSED:
        return str(site.status)
    if site.reason and site.reason.code == "needs-unsafe":
        return "unsafe"
    return "by hand" if site.applicability is Applicability.MANUAL else "refused"


class Rewrites:
    """What commits rewrote, by phase."""

    def __init__(self, history: History, phasing: Phasing, prefix: str, codemods: Iterable[str]) -> None:
        self.by_commit = {made.commit: made for made in history.made}
        self.by_run = {(made.run, _paths(made)): made for made in history.made}
        self.phasing, self.prefix, self.codemods = phasing, prefix, set(codemods)

    def of(self, made: Made) -> Iterator[tuple[str, str, str, int]]:
        """Phase, path, codemod and sites; of a rollback: what it took back."""
        paths = {plain(delta.path): delta.path for delta in made.files}
        source, _ = self._source(made)
        for count, codemod, name in source.rewrote:
            path = paths.get(name)
            if path is not None and path.startswith(self.prefix) and codemod in self.codemods:
                yield self._phase(source, path, codemod), path, codemod, count

    def takes_back(self, made: Made) -> bool:
        """Whether a commit takes rewrites back; a rollback that is taken back brings them again."""
        return self._source(made)[1] % 2 == 1

    def _source(self, made: Made) -> tuple[Made, int]:
        """The commit that rewrote what this one takes back or brings again, and how many reverts lie between."""
        depth = 0
        while made.reverts:  # after a rebase it has another id, and its run and its files still the same
            before = self.by_commit.get(made.reverts) or self.by_run.get((made.undoes, _paths(made)))
            if before is None or depth > len(self.by_commit):
                break
            made, depth = before, depth + 1
        return made, depth

    def _phase(self, made: Made, path: str, codemod: str) -> str:
        if len(made.phases) == 1:
            return made.phases[0]
        return self.phasing.phase_of(path.removeprefix(self.prefix), codemod) or NO_PHASE


def _steps(history: History, counted: Rewrites, live: set[tuple[str, str]]) -> Iterator[Step]:
    runs: dict[str, Step] = {}
    for made in reversed(history.made):
        step = runs.setdefault(made.run, Step(made.run, made.time, counted.takes_back(made)))
        for phase, path, _, count in counted.of(made):
            step.paths.setdefault(phase, set()).add(path)
            step.moved[phase] += count
            step.dead[phase] += 0 if (made.commit, path) in live else count
    yield from (step for step in runs.values() if step.moved)


def _paths(made: Made) -> frozenset[str]:
    return frozenset(delta.path for delta in made.files)


def _fill_left(result: Burndown) -> None:
    """From what is left now, back through the runs."""
    left = {row.phase: row.left.total() for row in result.rows}
    for step in reversed(result.steps):
        step.left = {phase: left.get(phase, 0) for phase in step.moved}
        for phase, count in step.moved.items():
            left[phase] = left.get(phase, 0) + (-count if step.back else count)
