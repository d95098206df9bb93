"""Total accounting: every site is counted once, and the counts add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from ormlift.model import Applicability, Failed, Outcome, Planned, Reason, Refused, SiteReport, Status, Unchanged


@dataclass
class Tally:
    """The counts of one codemod, or of all."""

    rewritten: int = 0
    waiting: int = 0  # planned, and applied only with --unsafe
    manual: int = 0  # planned, and never applied
    refused: Counter[str] = field(default_factory=Counter)  # by reason code
    suppressed: int = 0
    failed: int = 0

    @property
    def sites(self) -> int:
        """All of them."""
        left = self.refused.total() + self.suppressed + self.failed
        return self.rewritten + self.waiting + self.manual + left

    def add(self, site: SiteReport) -> None:
        """Count one site."""
        if site.status is Status.REWRITTEN:
            self.rewritten += 1
        elif site.status is Status.SUPPRESSED:
            self.suppressed += 1
        elif site.status is Status.FAILED:
            self.failed += 1
        elif site.applicability is Applicability.MANUAL:
            self.manual += 1
        elif site.applicability is Applicability.UNSAFE and site.reason is not None and _waits(site):
            self.waiting += 1
        else:
            self.refused[site.reason.code if site.reason else "no-reason"] += 1


def _waits(site: SiteReport) -> bool:
    return site.reason is not None and site.reason.code == "needs-unsafe"


def tally(outcomes: Iterable[Outcome]) -> dict[str, Tally]:
    """The counts by codemod, in the order of their names."""
    counts: dict[str, Tally] = {}
    for outcome in outcomes:
        for site in sites_of(outcome):
            counts.setdefault(site.codemod, Tally()).add(site)
    return dict(sorted(counts.items()))


def sites_of(outcome: Outcome) -> tuple[SiteReport, ...]:
    """The sites of a file."""
    return () if isinstance(outcome, Unchanged) else outcome.sites


def mismatches(outcomes: Iterable[Outcome]) -> list[str]:
    """Where the account does not add up: each is a bug of ormlift."""
    found: list[str] = []
    total = 0
    outcomes = list(outcomes)
    for outcome in outcomes:
        sites = sites_of(outcome)
        total += len(sites)
        rewritten = sum(site.status is Status.REWRITTEN for site in sites)
        if isinstance(outcome, Planned) and (not rewritten or outcome.before == outcome.after):
            found.append(f"{outcome.path}: is planned, and nothing in it is rewritten")
        if isinstance(outcome, (Refused, Failed)) and rewritten:
            found.append(f"{outcome.path}: is left as it is, and {rewritten} of its sites are counted as rewritten")
        found += [
            f"{outcome.path}:{site.line}: {site.codemod}: is {site.status} without a reason"
            for site in sites
            if site.status is not Status.REWRITTEN and site.reason is None
        ]
    counted = sum(counts.sites for counts in tally(outcomes).values())
    if counted != total:
        found.append(f"{total} sites were found and {counted} are accounted for")
    paths = Counter(outcome.path for outcome in outcomes)
    found += [f"{path}: has {count} outcomes" for path, count in paths.items() if count > 1]
    return found


def failed_with(outcome: Planned, message: str, code: str) -> Failed:
    """The outcome of a planned file that could not be written: what was to be rewritten has failed."""
    reason = Reason(code, message)
    sites = tuple(
        replace(site, status=Status.FAILED, reason=reason) if site.status is Status.REWRITTEN else site
        for site in outcome.sites
    )
    return Failed(outcome.path, message, sites)


def postponed_with(outcome: Planned, message: str) -> Refused:
    """The outcome of a planned file that is left for the next run."""
    reason = Reason("over-limit", message)
    sites = tuple(
        replace(site, status=Status.REFUSED, reason=reason) if site.status is Status.REWRITTEN else site
        for site in outcome.sites
    )
    return Refused(outcome.path, sites, outcome.notes)


def failures(outcomes: Iterable[Outcome]) -> list[Failed]:
    """The files that could not be handled."""
    return [outcome for outcome in outcomes if isinstance(outcome, Failed)]
