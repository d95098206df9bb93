"""What `verify` found, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator

from ormlift_cli.promises import Broken, Promise, Verified, counts

_WORDS = {
    Promise.LEFT: "left that could be rewritten",
    Promise.REFUSED: "refused that was not before",
    Promise.CERTIFIED: "certificates that do not hold",
    Promise.COEXIST: "old beside new where the plan does not say so",
}


def as_text(found: Verified) -> Iterator[str]:
    """A line for each phase, and one for each broken promise."""
    for phase in found.phases:
        own = [broken for broken in found.broken if broken.phase == phase]
        told = counts(own)
        wrong = "; ".join(f"{told[promise]} {words}" for promise, words in _WORDS.items() if told[promise])
        kept = f"{found.rewritten[phase]} rewritten, {found.standing[phase]} left with their reasons"
        yield f"{phase}: {'BROKEN: ' + wrong if wrong else 'kept'} ({kept})"
        yield from (f"  {_line(broken)}" for broken in own)
    files = f"{found.replayed} file{'' if found.replayed == 1 else 's'}"
    yield f"certificates of {files} worked out anew; {len(found.broken)} broken promises"


def _line(broken: Broken) -> str:
    where = f"{broken.path}:{broken.line}" if broken.line else broken.path
    return f"{where}: {broken.codemod + ': ' if broken.codemod else ''}{broken.message}"


def as_json(found: Verified) -> str:
    """One object."""
    value = {
        "version": 1,
        "phases": [
            {"phase": phase, "rewritten": found.rewritten[phase], "standing": found.standing[phase]}
            for phase in found.phases
        ],
        "broken": [
            {
                "promise": str(one.promise),
                "phase": one.phase,
                "path": one.path,
                "line": one.line,
                "codemod": one.codemod,
                "message": one.message,
            }
            for one in found.broken
        ],
        "replayed": found.replayed,
        "notes": found.notes,
    }
    return json.dumps(value, indent=1)
