"""`ormlift audit --write-baseline` and `--check`: a build fails on new legacy code, and on nothing that was there."""

from __future__ import annotations

import json
from pathlib import Path

from ormlift.model import UserError

from ormlift_cli.baseline import NAME, Ratchet, compare, count, dump, load
from ormlift_cli.leaving import DONE, FAILED, PENDING
from ormlift_cli.project import locate
from ormlift_cli.report import Output
from ormlift_cli.run import Request, Survey, look
from ormlift_cli.tally import failures


def write(request: Request, file: Path | None, output: Output) -> int:
    """Record the counts of all that was asked for; what was not looked at keeps those that it has."""
    found = look(locate(request.paths), request, output.console)
    place = file or found.project.root / NAME
    counts = count(found.outcomes)
    if place.exists():
        known = found.settings.codemods
        kept = load(place)
        counts.update({k: n for k, n in kept.items() if k[0] in found.files and not _looked_at(k, found, known)})
    try:
        place.write_text(dump(counts), encoding="utf-8")
    except OSError as error:
        raise UserError(f"{place}: could not be written: {error.strerror or error}") from None
    output.console.say(f"{place}: {counts.total()} sites in {len({path for path, _ in counts})} files; commit it")
    return _unread(found, output, DONE)


def _looked_at(key: tuple[str, str], found: Survey, codemods: tuple[str, ...]) -> bool:
    return key[0] in found.looked and key[1] in codemods


def check(request: Request, file: Path | None, output: Output) -> int:
    """Fail on new sites only, and say where the baseline can be tightened."""
    project = locate(request.paths)
    baseline = load(file or project.root / NAME)
    found = look(project, request, output.console)
    told = compare(baseline, found)
    if output.json:
        output.console.out(_as_json(told))
    else:
        _tell(told, output)
    return _unread(found, output, DONE if told.holds else PENDING)


def _unread(found: Survey, output: Output, code: int) -> int:
    """A file that cannot be read may hold anything."""
    failed = failures(found.outcomes)
    for outcome in failed:
        output.console.warn(output.console.paint(f"{outcome.path}: failed: {outcome.message}", "red"))
    return FAILED if failed and code == DONE else code


def _tell(told: Ratchet, output: Output) -> None:
    for excess in told.excess:
        lines = ", ".join(map(str, excess.lines))
        counts = f"{excess.found} sites where the baseline has {excess.allowed}"
        output.console.out(f"{excess.path}: {excess.codemod}: {counts} (lines {lines})")
    if told.spare:
        files = len({path for path, _ in told.spare})
        spare = f"{sum(told.spare.values())} sites fewer than the baseline has, in {files} files"
        output.console.say(f"{spare}: tighten it with `ormlift audit --write-baseline`")
    new = sum(excess.found - excess.allowed for excess in told.excess)
    output.console.say(f"{new} new sites" if new else "no new sites")


def _as_json(told: Ratchet) -> str:
    excess = [
        {"path": e.path, "codemod": e.codemod, "allowed": e.allowed, "found": e.found, "lines": e.lines}
        for e in told.excess
    ]
    spare = [{"path": path, "codemod": codemod, "spare": n} for (path, codemod), n in told.spare.items()]
    return json.dumps({"version": 1, "new": excess, "spare": spare}, indent=1)
