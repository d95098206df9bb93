"""A session that others may use too, where its own call becomes the scope: what closes it now and did not before."""

from __future__ import annotations

import ast

from ormlift.model import Effect
from ormlift.project.escape.closing import is_idle
from ormlift.project.escape.shapes import Shape
from ormlift.project.escape.sites import Found
from ormlift.schema import SourceKind


def closed_by_errors(found: Found, shape: Shape) -> list[Effect]:
    """The effect of closing it where an error passed by its close; none where a finally closed it already.

    A session of one's own is out of reach then, but this one is open, with its changes, to whoever shares it.
    """
    if not found.source.shared and found.kind is not SourceKind.SHARED_SESSION:
        return []
    unguarded = next((s for s in _outside_finally(shape) if not is_idle(s)), None)
    if unguarded is None:
        return []
    text = f"an error on line {unguarded.lineno} or behind it left {found.name} open, for others who share it"
    return [Effect("shared-session", unguarded.lineno, f"{text}; now it is closed")]


def _outside_finally(shape: Shape) -> tuple[ast.stmt, ...]:
    """The statements of the block after which an error may pass by the close."""
    match shape.kind:
        case "straight" | "paths":
            return shape.body
        case "after":
            return shape.body[:-1]
    return ()
