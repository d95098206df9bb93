"""Statements that close a session and do nothing else."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator

from ormlift.project.flow.guards import session_test
from ormlift.project.flow.knowledge import QUIET_NAMES, is_log
from ormlift.syntax import dotted, in_rows

_CLOCKS = frozenset({"time", "datetime", "traceback", "os", "sys", "threading"})
Closers = Callable[[ast.Call], bool]  # whether a call's function is known to only close the session it is handed


def is_close(node: ast.stmt, name: str, closers: Closers) -> bool:
    """Whether the statement closes `name`, perhaps under a guard, and does nothing else."""
    match node:
        case ast.Expr(value=ast.Await(value=ast.Call() as call)) | ast.Expr(value=ast.Call() as call):
            return is_close_call(call, name) or (_hands(call, name) and closers(call))
        case ast.If(test=test, body=body, orelse=[]):
            return session_test(test, name) is True and _only_closes(body, name, closers)
        case ast.Try(body=body, orelse=[], finalbody=[]):
            return _only_closes(body, name, closers) and all(_only_logs(h.body) for h in node.handlers)
        case _:
            return False


def _only_closes(body: list[ast.stmt], name: str, closers: Closers) -> bool:
    closes = [s for s in body if is_close(s, name, closers)]
    return len(closes) == 1 and all(s in closes or _only_logs([s]) or _empties(s, name) for s in body)


def _empties(node: ast.stmt, name: str) -> bool:
    match node:
        case ast.Assign(targets=[ast.Name(id=bound)], value=ast.Constant(value=None)):
            return bound == name
        case _:
            return False


def _only_logs(body: list[ast.stmt]) -> bool:
    return all(is_idle(statement) for statement in body)


def is_idle(node: ast.stmt) -> bool:
    """Whether a statement does no more than write to a log."""
    match node:
        case ast.Pass():
            return True
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.Expr(value=ast.Call(func=func) as call):
            return is_log(func) and not _asks(call)
        case _:
            return False


def _asks(call: ast.Call) -> bool:
    """Whether the arguments call what may look at the session or its pool: `engine.pool.status()`."""
    given = [*call.args, *(k.value for k in call.keywords)]
    calls = [n for a in given for n in ast.walk(a) if isinstance(n, ast.Call)]
    names = [dotted(c.func) for c in calls]
    return any(name not in QUIET_NAMES and name.partition(".")[0] not in _CLOCKS for name in names)


def error_of_close(closes: Iterable[ast.stmt]) -> tuple[int, str]:
    """The line of a handler that takes an error of the close itself, and words of it; 0 where none does."""
    nodes = [n for s in closes for n in ast.walk(s)]
    line = min((h.lineno for n in nodes if isinstance(n, ast.Try) for h in n.handlers), default=0)
    return line, f"the handler on line {line} took an error of the close, which now leaves the block"


def is_close_call(node: ast.AST, name: str) -> bool:
    """Whether this is `name.close()`."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=base), attr="close" | "aclose"), args=[]):
            return base == name
        case _:
            return False


def _hands(call: ast.Call, name: str) -> bool:
    """Whether the session is the call's only argument."""
    match call:
        case ast.Call(args=[ast.Name(id=only)], keywords=[]):
            return only == name
        case ast.Call(args=[], keywords=[ast.keyword(value=ast.Name(id=only))]):
            return only == name
        case _:
            return False


def closing_calls(node: ast.AST, name: str, closers: Closers) -> Iterator[ast.Call]:
    """Every call in `node` that closes `name`."""
    for child in in_rows(node):
        if isinstance(child, ast.Call) and (is_close_call(child, name) or (_hands(child, name) and closers(child))):
            yield child
