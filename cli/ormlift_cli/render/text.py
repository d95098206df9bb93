"""What became of the sites, in a few honest lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from ormlift.model import Failed, Outcome, SiteReport, Status

from ormlift_cli.render.console import Console
from ormlift_cli.tally import Tally, mismatches, sites_of, tally

_BUG = "this is a bug of ormlift; please report it"


def site_line(path: str, site: SiteReport) -> str:
    """One site in one line: `path:line: codemod: status: message`."""
    return f"{path}:{site.line}: {site.codemod}: {status_word(site)}: {site_message(site)}"


def status_word(site: SiteReport) -> str:
    """The status, with what it waits for."""
    if site.status is Status.REFUSED and site.reason and site.reason.code == "needs-unsafe":
        return "unsafe"
    if site.status is Status.REFUSED and site.reason and site.reason.code == "manual-only":
        return "manual"
    return str(site.status)


def site_message(site: SiteReport) -> str:
    """What is wrong, where a check found it; why what stays does; and the effects of what a rewrite would change."""
    fault = f"{site.fault.code}: {site.fault.message}; " if site.fault else ""
    return fault + _why(site)


def _why(site: SiteReport) -> str:
    effects = "; ".join(f"{effect.code} (line {effect.line}): {effect.message}" for effect in site.effects)
    if site.reason is not None:
        waits = site.reason.code in ("needs-unsafe", "manual-only")
        return effects if waits and effects else f"{site.reason.code}: {site.reason.message}"
    if effects:
        return effects
    verdicts = dict.fromkeys(str(certificate.verdict) for certificate in site.certificates)
    return ", ".join(verdicts) or "no effect"


def tell_files(outcomes: Iterable[Outcome], console: Console) -> None:
    """Failures always, every site with -v, notes of files that were looked at."""
    for outcome in outcomes:
        if console.verbose:
            for site in sites_of(outcome):
                console.say(site_line(outcome.path, site))
        if isinstance(outcome, Failed):
            ours = f"; {_BUG}" if outcome.ours else ""
            console.warn(console.paint(f"{outcome.path}: failed: {outcome.message}{ours}", "red"))
        for note in getattr(outcome, "notes", ()):
            console.say(f"{outcome.path}: {note}")


def tell_account(outcomes: list[Outcome], read: int, console: Console) -> None:
    """The counts by codemod, and in all."""
    for mismatch in mismatches(outcomes):
        console.warn(console.paint(f"the account does not add up: {mismatch}; {_BUG}", "red"))
    counts = tally(outcomes)
    width = max(map(len, counts), default=0)
    for codemod, own in counts.items():
        console.say(f"{console.paint(codemod.ljust(width), 'bold')}  {', '.join(_parts(own))}")
    files = len({outcome.path for outcome in outcomes if sites_of(outcome)})
    total = sum(own.sites for own in counts.values())
    failed = sum(isinstance(outcome, Failed) for outcome in outcomes)
    tail = f", {_count(failed, 'file')} failed" if failed else ""
    console.say(f"{_count(total, 'site')} in {_count(files, 'file')}, {_count(read, 'file')} looked at{tail}")


def _parts(own: Tally) -> Iterator[str]:
    yield f"{own.rewritten} rewritten"
    if own.waiting:
        yield f"{own.waiting} waiting for --unsafe"
    if own.manual:
        yield f"{own.manual} to be changed by hand"
    if own.refused:
        shown = own.refused.most_common(4)
        reasons = [f"{count} {code}" for code, count in shown]
        rest = own.refused.total() - sum(count for _, count in shown)
        if rest:
            reasons.append(f"{rest} other")
        yield f"{own.refused.total()} refused ({', '.join(reasons)})"
    if own.suppressed:
        yield f"{own.suppressed} suppressed"
    if own.failed:
        yield f"{own.failed} failed"


def tell_next(outcomes: list[Outcome], command: str, console: Console) -> None:
    """What to run next."""
    counts = tally(outcomes).values()
    steps = []
    if command == "diff" and any(own.rewritten for own in counts):
        steps.append("`ormlift apply` writes and commits it")
    if command == "apply" and any(own.rewritten for own in counts):
        steps.append("`ormlift rollback` takes it back")
    if any(own.waiting for own in counts):
        steps.append("-v shows the effects that --unsafe accepts")
    refused = sum((own.refused for own in counts), Counter[str]())
    for code, _ in refused.most_common(1):
        steps.append(f"`ormlift explain {code}` tells the way out")
    if steps and not console.verbose:
        console.say(console.paint("Next: " + "; ".join(steps), "dim"))


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
