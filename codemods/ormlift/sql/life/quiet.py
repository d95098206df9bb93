"""Whether nothing is done between two places of a function but to make texts, and to log."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ormlift.sql.life.pure import acts
from ormlift.syntax import Module, dotted, import_targets

_LOGS = frozenset(["debug", "info", "warning", "error"])
_LOGGERS = frozenset(["logging", "logger", "log", "LOG", "LOGGER", "_logger", "_log"])


def is_quiet(node: ast.expr, last: ast.AST, module: Module) -> bool:
    """Whether an expression has the same value where it stands and at a later place: nothing between may change it."""
    between = _between(module.statement(node), module.statement(last), module)
    names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    return between is not None and all(_does_nothing(statement, names) for statement in between)


def _between(first: ast.stmt, last: ast.stmt, module: Module) -> list[ast.stmt] | None:
    """The statements between; None where the last may run without the first before it."""
    found: list[ast.stmt] = []
    if first is last:
        return found
    own = module.suite(first)
    while True:
        suite = module.suite(last)
        if suite is own:
            start, end = own.index(first), own.index(last)
            return [*own[start + 1 : end], *found] if start < end else None
        around = module.parents[last]
        if not isinstance(around, ast.Try) or suite is not around.body:
            return None
        found = [*suite[: suite.index(last)], *found]
        last = around


def _does_nothing(statement: ast.stmt, names: set[str]) -> bool:
    """Whether a statement does nothing, and binds none of some names."""
    match statement:
        case ast.If(test=test, body=body, orelse=orelse):
            return not acts(test) and all(_does_nothing(s, names) for s in (*body, *orelse))
        case ast.Expr(value=ast.Call() as call) if _logs(call):
            return not any(acts(a) for a in (*call.args, *(k.value for k in call.keywords)))
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return name not in names and all(not acts(node) for node in _parts(value))
        case ast.Expr(value=value):
            return all(not acts(node) for node in _parts(value))
        case ast.Import() | ast.ImportFrom():
            return not names & set(import_targets(statement))
        case _:
            return False


def _parts(value: ast.expr) -> Iterator[ast.expr]:
    """An expression; of `text(..)`, what it is made of."""
    if isinstance(value, ast.Call) and dotted(value.func).rpartition(".")[2] == "text":
        yield from (*value.args, *(k.value for k in value.keywords))
    else:
        yield value


def _logs(call: ast.Call) -> bool:
    name, _, method = dotted(call.func).rpartition(".")
    return method in _LOGS and name.rpartition(".")[2] in _LOGGERS
