"""What a scope may raise as it opens, in front of handlers that caught it when the session was opened among them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ormlift.model import Effect
from ormlift.project.escape.choice import Named
from ormlift.project.escape.shapes import Shape
from ormlift.project.flow.errors import catches_database
from ormlift.project.flow.knowledge import QUIET_ROOTS
from ormlift.schema import Scope


def at_entry(shape: Shape, named: Named) -> Iterator[Effect]:
    """The errors of opening that come from the `with` line from now on, in front of the handlers of the block."""
    handlers = [h for s in shape.body if isinstance(s, ast.Try | ast.TryStar) for h in s.handlers]
    if named.scope is None or shape.kind == "inside" or not handlers:
        return
    caught = next((h.lineno for h in handlers if catches_database(h)), 0)
    if named.scope.queries_at_entry and caught:
        text = "runs a statement before the block: where the database can't be reached, its error"
        yield _effect(named, caught, text)
    elif shape.kind == "around" and (reason := _may_raise(named.scope)):
        yield _effect(named, handlers[0].lineno, f"may raise as it opens the session ({reason}): that error")


def _effect(named: Named, line: int, text: str) -> Effect:
    text = f"{named.call} {text} now comes in front of the handler on line {line}, which caught it"
    return Effect("errors-at-entry", line, text)


def _may_raise(scope: Scope) -> str:
    """Where a scope raises before its block, or does what may raise; making a session from a factory does not."""
    if scope.refuses:
        path, _, line = scope.refuses.rpartition(":")
        return f"line {line} of {path}"
    work = ((path, line) for path, line, text in scope.work if "(" in text and text.split(".")[0] not in QUIET_ROOTS)
    return next((f"line {line} of {path}" for path, line in work), "")
