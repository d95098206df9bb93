"""A Session taken for a raw connection: `.cursor()` on it raises AttributeError.

    conn = db_session()                 # a scoped_session: calling it hands out a Session
    cursor = conn.cursor()              # AttributeError: 'Session' object has no attribute 'cursor'

A Session, a scoped_session and SQLAlchemy's own Connection run statements by `execute`; none of them has a `cursor()`.
The line fails each time it is reached, and tests that put a stub in place of the session do not show it. What the
receiver is follows from the project: the factory that its function calls, or the annotation of a parameter.

The code is rewritten by `cursor-to-orm`, which takes the session's whole life in one function: its cursors, statements
and rows. Where the session comes from outside of the function there is no such life, and the statement is changed by
hand: `session.execute(text("..."), {...})`, or a query on the model.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ormlift.model import Fault, Reason, Refusal, Severity, Site
from ormlift.rules.base import Codemod, Context
from ormlift.rules.examples.cursor_on_session import EXAMPLES
from ormlift.schema import SessionSource, SourceKind
from ormlift.sql.life.find import find_lives
from ormlift.syntax import Module

ID = "cursor-on-session"
CLASSES = {
    SourceKind.SESSION: "Session",
    SourceKind.SHARED_SESSION: "Session",
    SourceKind.ASYNC_SESSION: "AsyncSession",
    SourceKind.ENGINE_CONNECTION: "Connection",
}


def find(module: Module, context: Context) -> Iterator[Site]:
    """Every `.cursor()` of something that has none."""
    calls = [(call, held) for call in _cursor_calls(module) if (held := _held(call, module, context)) is not None]
    lives = _lives(module, context) if calls else {}
    for call, held in calls:
        line, last = call.lineno, call.end_lineno or call.lineno
        yield Refusal(ID, line, last, _reason(call, held, lives), _fault(call, held, module))


def _cursor_calls(module: Module) -> Iterator[ast.Call]:
    return (c for c in module.calls if isinstance(c.func, ast.Attribute) and c.func.attr == "cursor")


def _held(call: ast.Call, module: Module, context: Context) -> SessionSource | None:
    assert isinstance(call.func, ast.Attribute)
    held = context.index.held_by(call.func.value, module)
    return held if held is not None and held.kind in CLASSES and not held.is_async else None


def _lives(module: Module, context: Context) -> dict[ast.AST, int]:
    """For each use of a connection that `cursor-to-orm` speaks of, the line where its site begins."""
    lives, _ = find_lives(module, context.index)
    return {node: life.line for life in lives for use in life.uses for node in ast.walk(use.node)}


def _fault(call: ast.Call, held: SessionSource, module: Module) -> Fault:
    assert isinstance(call.func, ast.Attribute)
    receiver, name = module.text(call.func.value).split("\n")[0], CLASSES[held.kind]
    origin = f" (from {held.path}:{held.line})" if held.line and held.path != module.source.path else ""
    message = f"{receiver} is a SQLAlchemy {name}{origin}: '{name}' object has no attribute 'cursor'"
    return Fault("cursor-on-session", Severity.CRITICAL, f"{message} is raised each time this line runs")


def _reason(call: ast.Call, held: SessionSource, lives: dict[ast.AST, int]) -> Reason:
    if call in lives:
        message = f"the cursor-to-orm site that begins on line {lives[call]} holds this cursor and its statements"
        return Reason("through-cursor-to-orm", f"{message}; run --codemod cursor-to-orm")
    what = "connection" if held.kind is SourceKind.ENGINE_CONNECTION else "session"
    message = f"the {what} does not begin in this function, so its statements are not followed"
    return Reason("from-outside", f"{message}; run them by execute(text(..)), or query the model")


CODEMOD = Codemod(
    id=ID,
    title="Finds `.cursor()` on what is a Session, which raises AttributeError",
    explanation=__doc__ or "",
    needles=((b".cursor(",),),
    reasons={
        "through-cursor-to-orm": (
            "The cursor belongs to a session that `cursor-to-orm` takes as a whole: it rewrites it, or says what "
            "stands in the way. Run that codemod; its rewrite needs --unsafe, since the code begins to work."
        ),
        "from-outside": (
            "The session is a parameter, an attribute or a global. Change the statement by hand: "
            '`session.execute(text("..."), {...})`, or a query on the model.'
        ),
    },
    effects={},
    faults={
        "cursor-on-session": (
            "A Session or a SQLAlchemy Connection has no `cursor()`: the line raises AttributeError each time it runs, "
            "and what stands behind it is never reached."
        )
    },
    find=find,
    examples=EXAMPLES,
    rewrites=False,
)
