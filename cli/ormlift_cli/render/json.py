"""The report as one JSON object. Fields are added, never renamed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from ormlift.model import Certificate, Failed, Fault, Outcome, Planned, Refused, SiteReport, Unchanged

from ormlift_cli.apply import Applied
from ormlift_cli.tally import Tally, mismatches, sites_of, tally

VERSION = 1


def report(
    root: str,
    outcomes: Sequence[Outcome],
    read: int,
    notes: Sequence[str],
    diffs: Mapping[str, str],
    applied: Applied | None = None,
) -> str:
    """The object, as text."""
    value: dict[str, object] = {
        "version": VERSION,
        "root": root,
        "summary": summary(outcomes, read),
        "files": [_file(outcome, diffs, applied) for outcome in outcomes if not isinstance(outcome, Unchanged)],
        "notes": [*notes, *mismatches(outcomes)],
    }
    if applied is not None:
        value["run"] = applied.run or None
        value["stopped"] = applied.stopped or None
        value["tests"] = applied.tests
    return json.dumps(value, indent=1)


def summary(outcomes: Sequence[Outcome], read: int) -> dict[str, object]:
    """The counts, in all and by codemod."""
    counts = tally(outcomes)
    kinds = {Planned: "planned", Refused: "refused", Failed: "failed"}
    files = {name: sum(isinstance(outcome, kind) for outcome in outcomes) for kind, name in kinds.items()}
    return {
        "files": {"read": read, **files},
        "sites": sum(own.sites for own in counts.values()),
        "codemods": {codemod: _counts(own) for codemod, own in counts.items()},
    }


def _counts(own: Tally) -> dict[str, object]:
    return {
        "sites": own.sites,
        "rewritten": own.rewritten,
        "unsafe": own.waiting,
        "manual": own.manual,
        "refused": dict(own.refused.most_common()),
        "suppressed": own.suppressed,
        "failed": own.failed,
    }


def _file(outcome: Outcome, diffs: Mapping[str, str], applied: Applied | None) -> dict[str, object]:
    value: dict[str, object] = {
        "path": outcome.path,
        "outcome": type(outcome).__name__.lower(),
        "sites": [_site(site) for site in sites_of(outcome)],
        "diff": diffs.get(outcome.path, ""),
        "notes": list(getattr(outcome, "notes", ())),
    }
    if isinstance(outcome, Failed):
        value["message"] = outcome.message
        value["ours"] = outcome.ours
    landed = applied.landed.get(outcome.path) if applied else None
    if landed is not None:
        value["landed"] = str(landed.end)
        value["commit"] = landed.commit or None
        value["gate"] = {"step": landed.step, "output": landed.output} if landed.step else None
    return value


def _site(site: SiteReport) -> dict[str, object]:
    return {
        "codemod": site.codemod,
        "line": site.line,
        "end_line": site.end_line,
        "status": str(site.status),
        "applicability": str(site.applicability) if site.applicability else None,
        "effects": [{"code": e.code, "line": e.line, "message": e.message} for e in site.effects],
        "reason": {"code": site.reason.code, "message": site.reason.message} if site.reason else None,
        "fault": _fault(site.fault) if site.fault else None,
        "certificate": _certificate(site.certificates[0]) if site.certificates else None,
        "certificates": [_certificate(certificate) for certificate in site.certificates],
    }


def _fault(fault: Fault) -> dict[str, object]:
    return {"code": fault.code, "severity": str(fault.severity), "message": fault.message}


def _certificate(certificate: Certificate) -> dict[str, object]:
    return {
        "verdict": str(certificate.verdict),
        "before": certificate.before,
        "after": certificate.after,
        "steps": list(certificate.steps),
    }
