"""Certificates, worked out anew: each migrated file is planned again from what it was, with the models as they are now.

If that leads to what was committed, the evidence holds for the code as it stands. A file that was changed by hand since
is told of: its certificates speak of the lines that ormlift wrote.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from ormlift.model import Failed, Outcome, Planned, SiteReport, Status
from ormlift.project.index import ProjectIndex
from ormlift.source import decode

from ormlift_cli.git import Repository
from ormlift_cli.history import Entry, plain
from ormlift_cli.run import Survey, plan_of
from ormlift_cli.tally import sites_of


@dataclass
class Replay:
    """What came of it."""

    files: int = 0
    broken: list[tuple[str, str, str]] = field(default_factory=list)  # path, codemod, why
    notes: list[str] = field(default_factory=list)


def replay(found: Survey, entries: Sequence[Entry], repository: Repository) -> Replay:
    """Plan each entry's file again, and compare."""
    result = Replay()
    prefix = found.project.prefix
    wanted = [e for e in entries if e.path.startswith(prefix) and not e.made.undoes and e.made.rewrote and _whole(e)]
    contents = repository.contents(blob for e in wanted for blob in (e.delta.old, e.delta.new))
    newest: set[str] = set()
    index = _index(found, [contents[e.delta.old] for e in wanted if e.path.removeprefix(prefix) in found.looked])
    for entry in wanted:
        path = entry.path.removeprefix(prefix)
        recorded = Counter({c: n for n, c, p in entry.made.rewrote if p == plain(entry.path) and c})
        if path not in found.looked or not recorded or not set(recorded) & set(found.settings.codemods):
            continue
        result.files += 1
        before, after = contents[entry.delta.old], contents[entry.delta.new]
        settings = replace(found.settings, codemods=tuple(recorded), unsafe=entry.made.unsafe)
        outcome = plan_of((index, settings), (path, before))
        result.broken += _differences(path, recorded, outcome)
        if path not in newest and isinstance(outcome, Planned):
            result.notes += _otherwise(path, outcome, after, entry)
            result.notes += _by_hand(path, outcome, after, repository, entry)
        newest.add(path)
    return result


def _index(found: Survey, texts: Sequence[bytes]) -> ProjectIndex:
    """The index, in which nobody else names the functions of the files as they were: who does now has the new ones."""
    from ormlift.project.named import search

    read = [text.decode(errors="replace") for text in texts]
    return replace(found.index, named=search({}, read, read))


def _whole(entry: Entry) -> bool:
    return bool(entry.delta.old.strip("0")) and bool(entry.delta.new.strip("0"))


def _differences(path: str, recorded: Counter[str], outcome: Outcome) -> Iterator[tuple[str, str, str]]:
    """Sites that were rewritten and would not be any more."""
    if isinstance(outcome, Failed):
        yield path, "", f"its certificates cannot be worked out any more: {outcome.message}"
        return
    sites = sites_of(outcome)
    again = Counter(site.codemod for site in sites if site.status is Status.REWRITTEN)
    for codemod, count in (recorded - again).items():
        left = [site for site in sites if site.codemod == codemod and site.status is Status.REFUSED and site.reason]
        why = "; ".join(dict.fromkeys(_why(site) for site in left)) or "its sites are found no more"
        noun = "certificate does" if count == 1 else f"{count} certificates do"
        yield path, codemod, f"{'its ' if count == 1 else ''}{noun} not hold for the code as it stands: {why}"


def _why(site: SiteReport) -> str:
    return f"{site.reason.code}: {site.reason.message}" if site.reason else ""


def _otherwise(path: str, outcome: Planned, committed: bytes, entry: Entry) -> list[str]:
    """Whether ormlift would write the file otherwise today."""
    try:
        same = decode(path, committed).text.splitlines() == outcome.after.text.splitlines()
    except (SyntaxError, ValueError):
        same = False
    what = "is not what ormlift would write today (a hook may have changed it, or the configuration did)"
    return [] if same else [f"{path}: commit {entry.commit[:12]} {what}; what was certified anew is that"]


def _by_hand(path: str, outcome: Planned, committed: bytes, repository: Repository, entry: Entry) -> list[str]:
    """What of the rewritten sites was changed since."""
    try:
        now = decode(path, (repository.top / entry.path).read_bytes()).text.splitlines()
        then = decode(path, committed).text.splitlines()
    except (OSError, SyntaxError, ValueError):
        return [f"{path}: was moved or removed since; its certificates speak of what it was"]
    if now == then:
        return []
    was = outcome.before.text.splitlines()
    changed = _touched(then, now)
    sites = [site for site in outcome.sites if site.status is Status.REWRITTEN]
    mapped = _mapping(was, then)
    lines = [site.line for site in sites if changed & set(range(mapped[site.line], mapped[site.end_line] + 1))]
    if not lines:
        return []
    what = f"{len(lines)} rewritten {'site was' if len(lines) == 1 else 'sites were'} changed by hand since"
    return [f"{path}: {what}; what is certified is what ormlift wrote in {entry.commit[:12]}"]


def _touched(then: Sequence[str], now: Sequence[str]) -> set[int]:
    """The lines of `then` that are not in `now`, or beside which something new stands."""
    touched: set[int] = set()
    for kind, first, last, _, _ in difflib.SequenceMatcher(None, then, now, autojunk=False).get_opcodes():
        if kind != "equal":
            touched |= set(range(first + 1, last + 1))
    return touched


def _mapping(was: Sequence[str], then: Sequence[str]) -> dict[int, int]:
    """For each line of `was`, the line of `then` at which its stretch stands."""
    mapped: dict[int, int] = {}
    for kind, first, last, begin, end in difflib.SequenceMatcher(None, was, then, autojunk=False).get_opcodes():
        for number in range(first, last):
            mapped[number + 1] = begin + (number - first if kind == "equal" else min(number - first, end - begin)) + 1
    return mapped
