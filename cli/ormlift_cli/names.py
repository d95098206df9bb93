"""Names that a user may mistype, and the nearest one that exists."""

from __future__ import annotations

from collections.abc import Iterable

from ormlift.model import UserError


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that looks most like `name`, or empty where none is near."""
    import difflib

    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return close[0] if close else ""


def unknown(kind: str, name: str, known: Iterable[str]) -> UserError:
    """The error for a name that does not exist: `unknown codemod 'sesion-scope'; did you mean 'session-scope'?`."""
    known = sorted(known)
    guess = nearest(name, known)
    hint = f"did you mean '{guess}'?" if guess else f"known: {', '.join(known)}" if known else "there are none"
    return UserError(f"unknown {kind} '{name}'; {hint}")
