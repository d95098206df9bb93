"""What a phase promises once it is done, asked of the code as it stands.

Nothing that could be rewritten is left; what was refused still is, for its reason and no more often; the certificates
hold with the models as they are now; old and new stand side by side only where the plan says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from ormlift.model import Failed, Outcome, SiteReport, Status

from ormlift_cli.burndown import NO_PHASE, Rewrites, kind_of
from ormlift_cli.certify import Replay, replay
from ormlift_cli.git import Repository
from ormlift_cli.history import History, plain
from ormlift_cli.phasing import Phasing, may_coexist
from ormlift_cli.run import Survey
from ormlift_cli.tally import sites_of


class Promise(StrEnum):
    """The promises of a phase."""

    LEFT = "nothing-left"
    REFUSED = "refusals-stand"
    CERTIFIED = "certificates-hold"
    COEXIST = "coexistence-planned"


@dataclass(frozen=True)
class Broken:
    """A promise that the code does not keep."""

    promise: Promise
    phase: str
    path: str  # relative to the root
    line: int  # 0: of the whole file
    codemod: str
    message: str


@dataclass
class Verified:
    """What was asked, and what came of it."""

    phases: tuple[str, ...] = ()
    broken: list[Broken] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    rewritten: Counter[str] = field(default_factory=Counter)  # phase -> sites
    standing: Counter[str] = field(default_factory=Counter)  # phase -> sites refused or suppressed, as they should be
    replayed: int = 0  # files whose certificates were worked out anew


def verify(found: Survey, history: History, phasing: Phasing, repository: Repository | None, phase: str) -> Verified:
    """Ask all promises of the phases; of one, where it is named."""
    asked = _Asked(found, history, phasing, phase)
    result = Verified(asked.names)
    for outcome in found.outcomes:
        result.broken += asked.left(outcome)
        result.broken += asked.refused(outcome)
        result.broken += asked.side_by_side(outcome)
        for site in sites_of(outcome):
            if kind_of(site) in ("refused", "suppressed", "by hand"):
                result.standing[asked.phase_of(outcome.path, site.codemod)] += 1
    for (name, _, _), count in asked.rewrote.items():
        result.rewritten[name] += count
    if repository is not None:
        told = replay(found, [e for e in history.entries if asked.is_asked(e.made)], repository)
        result.replayed, result.notes = told.files, told.notes
        result.broken += asked.uncertified(told)
    result.broken.sort(key=lambda broken: (broken.phase, broken.promise, broken.path, broken.line))
    return result


class _Asked:
    """The survey and the history, as the promises need them."""

    def __init__(self, found: Survey, history: History, phasing: Phasing, phase: str) -> None:
        self.found, self.phasing, self.phase, self.prefix = found, phasing, phase, found.project.prefix
        self.names = (phase,) if phase else tuple(p.name for p in phasing.phases) or (NO_PHASE,)
        self.coexist = {p.name: may_coexist(p) for p in phasing.phases}
        counted = Rewrites(history, phasing, self.prefix, found.settings.codemods)
        live = {(entry.commit, entry.path) for entry in history.entries}
        self.rewrote: Counter[tuple[str, str, str]] = Counter()  # (phase, path, codemod)
        self.refusals: dict[tuple[str, str], Counter[str]] = {}  # (path, codemod) -> reasons, when it was last applied
        for made in reversed(history.made):
            paths = {plain(delta.path): delta.path for delta in made.files}
            for name, path, codemod, count in counted.of(made):
                if not made.undoes and (made.commit, path) in live:
                    self.rewrote[name, path.removeprefix(self.prefix), codemod] += count
                    self.refusals[path.removeprefix(self.prefix), codemod] = Counter()
            for count, reason, codemod, name in made.refused:
                path = paths.get(name, "")
                if (made.commit, path) in live:
                    self.refusals.setdefault((path.removeprefix(self.prefix), codemod), Counter())[reason] = count

    def phase_of(self, path: str, codemod: str) -> str:
        """The phase that a site is asked for in."""
        return self.phase or self.phasing.phase_of(path, codemod) or NO_PHASE

    def is_asked(self, made: object) -> bool:
        """Whether a commit is of the phase that is asked for."""
        phases = getattr(made, "phases", ())
        return not self.phase or not phases or self.phase in phases

    def _sites(self, outcome: Outcome) -> Iterator[tuple[str, SiteReport]]:
        for site in sites_of(outcome):
            name = self.phase_of(outcome.path, site.codemod)
            if name in self.names:
                yield name, site

    def left(self, outcome: Outcome) -> Iterator[Broken]:
        """What can be rewritten and is not."""
        if isinstance(outcome, Failed):
            phases = (p.name for p in self.phasing.phases if self.phasing.covers(p, outcome.path))
            own = self.phase or next(phases, NO_PHASE)
            if own in self.names:
                yield Broken(Promise.LEFT, own, outcome.path, 0, "", f"could not be asked: {outcome.message}")
            return
        for name, site in self._sites(outcome):
            kind = kind_of(site)
            if kind == "ready":
                why = "can be rewritten: `ormlift apply` does it"
            elif kind == "unsafe":
                effects = ", ".join(dict.fromkeys(effect.code for effect in site.effects)) or "no certificate"
                why = f"can be rewritten with effects ({effects}): apply it with --unsafe, or suppress it with a reason"
            else:
                continue
            yield Broken(Promise.LEFT, name, outcome.path, site.line, site.codemod, why)

    def refused(self, outcome: Outcome) -> Iterator[Broken]:
        """What is refused, and was not when the file was migrated."""
        for codemod in {site.codemod for _, site in self._sites(outcome)}:
            known = self.refusals.get((outcome.path, codemod))
            if known is None:
                continue  # nothing of it was migrated: there is nothing to hold it to but that it has a reason
            own = [s for _, s in self._sites(outcome) if s.codemod == codemod and kind_of(s) in ("refused", "by hand")]
            now = Counter(site.reason.code for site in own if site.reason)
            for reason, count in sorted((now - known).items()):
                lines = ", ".join(str(s.line) for s in own if s.reason and s.reason.code == reason)
                name = self.phase_of(outcome.path, codemod)
                more = f"{count} more {'site is' if count == 1 else 'sites are'} refused ({reason})"
                why = f"{more} than when the file was migrated; lines {lines}"
                yield Broken(Promise.REFUSED, name, outcome.path, own[0].line, codemod, why)

    def side_by_side(self, outcome: Outcome) -> Iterator[Broken]:
        """Old sites in a file that holds rewritten ones, where the plan does not say so."""
        if not self.phasing.phases:
            return
        old: dict[tuple[str, str], list[int]] = {}
        for name, site in self._sites(outcome):
            covered = site.reason is not None and site.reason.code == "covered"
            if site.status is not Status.SUPPRESSED and not covered:
                old.setdefault((name, site.codemod), []).append(site.line)
        for (name, codemod), lines in old.items():
            new = self.rewrote[name, outcome.path, codemod]
            planned = name in self.coexist and self.coexist[name](outcome.path)
            if new and not planned:
                what = f"{len(lines)} old beside {new} rewritten (lines {', '.join(map(str, lines[:8]))})"
                why = f"{what}; finish the file, suppress them with a reason, or name it in the phase's `coexist`"
                yield Broken(Promise.COEXIST, name, outcome.path, lines[0], codemod, why)

    def uncertified(self, told: Replay) -> Iterator[Broken]:
        """What would not be rewritten so any more."""
        for path, codemod, why in told.broken:
            name = self.phase_of(path, codemod)
            if name in self.names:
                yield Broken(Promise.CERTIFIED, name, path, 0, codemod, why)


def counts(broken: Iterable[Broken]) -> Counter[str]:
    """How many of each promise."""
    return Counter(str(one.promise) for one in broken)
