"""Findings for other programs: SARIF 2.1.0 for code scanning, and workflow commands for GitHub Actions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from urllib.parse import quote

from ormlift import __version__
from ormlift.model import Failed, Outcome, Severity, SiteReport, Status
from ormlift.rules import ALL

from ormlift_cli.render.text import site_message
from ormlift_cli.tally import sites_of

_LEVELS = {Severity.CRITICAL: "error", Severity.HIGH: "error", Severity.MEDIUM: "warning", Severity.LOW: "note"}
_COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}
_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def sarif(outcomes: Sequence[Outcome], prefix: str) -> str:
    """A SARIF log of one run. Paths are relative to the repository's top."""
    rules = [
        {
            "id": codemod.id,
            "shortDescription": {"text": codemod.title},
            "fullDescription": {"text": codemod.explanation.strip()},
            "help": {"text": f"ormlift explain {codemod.id}"},
        }
        for codemod in ALL
    ]
    places = {codemod.id: place for place, codemod in enumerate(ALL)}
    failed = [o for o in outcomes if isinstance(o, Failed)]
    run = {
        "tool": {"driver": {"name": "ormlift", "version": __version__, "rules": rules}},
        "columnKind": "unicodeCodePoints",
        "results": [
            _result(prefix + outcome.path, site, places[site.codemod])
            for outcome in outcomes
            for site in sites_of(outcome)
        ],
        "invocations": [
            {
                "executionSuccessful": not failed,
                "toolExecutionNotifications": [
                    {"level": "error", "message": {"text": f"{prefix}{o.path}: {o.message}"}} for o in failed
                ],
            }
        ],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=1)


def _result(path: str, site: SiteReport, place: int) -> dict[str, object]:
    result: dict[str, object] = {
        "ruleId": site.codemod,
        "ruleIndex": place,
        "level": level_of(site),
        "message": {"text": site_message(site)},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(path)},
                    "region": {"startLine": site.line, "endLine": max(site.line, site.end_line)},
                }
            }
        ],
        "properties": {"status": str(site.status), **({"fault": site.fault.code} if site.fault else {})},
    }
    if site.status is Status.SUPPRESSED:
        why = site.reason.message if site.reason else ""
        result["suppressions"] = [{"kind": "inSource", "justification": why}]
    return result


def level_of(site: SiteReport) -> str:
    """How loud a site is: a fault by its severity; what is only to be migrated is a note."""
    return _LEVELS[site.fault.severity] if site.fault is not None else "note"


def github(outcomes: Sequence[Outcome], prefix: str) -> Iterator[str]:
    """Workflow commands, one a line: they show at their lines in a pull request."""
    for outcome in outcomes:
        path = _property(prefix + outcome.path)
        if isinstance(outcome, Failed):
            yield f"::error file={path},title=ormlift::{_data(outcome.message)}"
        for site in sites_of(outcome):
            if site.status is Status.SUPPRESSED:
                continue
            where = f"file={path},line={site.line},endLine={max(site.line, site.end_line)}"
            title = _property(f"ormlift {site.codemod}")
            yield f"::{_COMMANDS[level_of(site)]} {where},title={title}::{_data(site_message(site))}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
