"""Kept cursors that one function executes on, and another one reads from.

Each function has results of its own after the rewrite, so that the other would find nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from ormlift.project.escape.choice import bound_in
from ormlift.sql.life.executions import Execution
from ormlift.sql.life.model import How, Life
from ormlift.sql.life.refuse import Refused
from ormlift.syntax import FunctionNode, Module, dotted

_READS = frozenset(["fetchone", "fetchall", "fetchmany", "rowcount", "lastrowid", "description", "__next__"])
_RUNS = frozenset(["execute", "executemany"])
_TAKES_ALL = frozenset(["list", "tuple", "set", "enumerate", "sorted", "map", "filter", "zip", "dict", "next", "iter"])
_ENDS = ast.Return | ast.Raise | ast.Continue | ast.Break
_ROWS = ("select", "with", "values", "show", "pragma", "explain", "describe")


def check_elsewhere(life: Life, found: Sequence[Execution]) -> None:
    """Refuse an execution on a kept cursor whose rows, count or id another function reads. Raises Refused."""
    for cursor in life.made if life.how is How.KEPT else ():
        runs = [e for e in found if e.use.said == cursor]
        for node in _mentions(cursor, life) if runs else ():
            _check_mention(node, cursor, runs, life.module)


def _check_mention(node: ast.expr, cursor: str, runs: Sequence[Execution], module: Module) -> None:
    if _reads(node, module):
        if _executed_before(node, module):
            return
        message = f"line {node.lineno} reads from {cursor} in another function than line {runs[0].line} executes in"
        raise Refused("unclear-cursor", f"{message}; execute and fetch in one function")
    unread = next((run for run in runs if not run.fetches and _gives_rows(run)), None)
    if unread is not None and _hands_on(node, module):
        message = f"nothing here reads what line {unread.line} executes, and line {node.lineno} hands {cursor} on"
        raise Refused("unclear-cursor", f"{message}; execute and fetch in one function")


def _mentions(cursor: str, life: Life) -> Iterator[ast.expr]:
    """Where other functions of the file name the cursor: of this object, of another one of its class, or the global."""
    module, owner = life.module, life.module.enclosing_class(life.host)
    _, _, attribute = cursor.rpartition(".")
    for node in module.parents:
        if not isinstance(node, ast.Attribute | ast.Name) or not isinstance(node.ctx, ast.Load):
            continue
        if (node.id if isinstance(node, ast.Name) else node.attr) != attribute:
            continue
        if isinstance(node, ast.Name) is ("." in cursor) or module.enclosing_function(node) is life.host:
            continue
        mine = not _is_local(node, module) if isinstance(node, ast.Name) else _is_of(node, owner, module)
        if mine:
            yield node


def _is_local(node: ast.Name, module: Module) -> bool:
    """Whether a function around the name binds it for itself."""
    around = [a for a in module.ancestors(node) if isinstance(a, FunctionNode)]
    return any(node.id in bound_in(function) for function in around)


def _is_of(node: ast.Attribute, owner: ast.ClassDef | None, module: Module) -> bool:
    """Whether an attribute may be of the class that keeps the cursor: not where it is of `self` of an unrelated one."""
    inner = module.enclosing_class(node)
    if dotted(node.value) != "self" or inner is owner or inner is None or owner is None:
        return True
    return any(dotted(base).rpartition(".")[2] not in ("object", "") for base in inner.bases)


def _reads(node: ast.expr, module: Module) -> bool:
    match module.parents[node]:
        case ast.Attribute(attr=attr):
            return attr in _READS
        case ast.For(iter=source) | ast.AsyncFor(iter=source) | ast.comprehension(iter=source):
            return source is node
        case ast.Call(func=ast.Name(id=function), args=args):
            return function in _TAKES_ALL and node in args
        case ast.YieldFrom():
            return True
        case _:
            return False


def _hands_on(node: ast.expr, module: Module) -> bool:
    """Whether the cursor itself is returned, passed or bound to another name."""
    match module.parents[node]:
        case ast.Call(func=func):
            return func is not node and "close" not in dotted(func).lower()
        case ast.Return() | ast.Yield() | ast.Assign() | ast.AnnAssign() | ast.keyword() | ast.Tuple() | ast.withitem():
            return True
        case _:
            return False


def _gives_rows(run: Execution) -> bool:
    """Whether a statement may give rows, by its first word."""
    first = run.call.args[0] if run.call.args else None
    if not isinstance(first, ast.Constant) or not isinstance(first.value, str):
        return True
    text = first.value.strip().lower()
    return text.startswith(_ROWS) or " returning " in text


def _executed_before(node: ast.expr, module: Module) -> bool:
    """Whether the function that reads has surely executed on the same cursor before."""
    said = dotted(node)
    statement = module.statement(node)
    calls = (n for n in ast.walk(statement) if isinstance(n, ast.expr) and _runs(n, said))
    if any(_start(call) < _start(node) for call in calls):
        return True
    around: ast.AST = statement
    while isinstance(around, ast.stmt) and not isinstance(around, FunctionNode | ast.ClassDef):
        suite = module.suite(around)
        if any(_executes(s, said) for s in suite[: suite.index(around)]):
            return True
        around = next(a for a in module.ancestors(around) if isinstance(a, ast.stmt | ast.Module))
    return False


def _start(node: ast.expr) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _runs(node: ast.AST, said: str) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=receiver, attr=attr)):
            return attr in _RUNS and dotted(receiver) == said
        case _:
            return False


def _executes(statement: ast.stmt, said: str) -> bool:
    """Whether a statement has executed on the cursor, once the one behind it begins."""
    match statement:
        case ast.If(body=body, orelse=orelse):
            return all(_settles(suite, said) for suite in (body, orelse))
        case ast.Try(body=body, handlers=handlers, finalbody=final):
            every = _settles(body, said) and all(_settles(h.body, said) for h in handlers)
            return every or any(_executes(s, said) for s in final)
        case ast.With(body=body) | ast.AsyncWith(body=body):
            return any(_executes(s, said) for s in body)
        case ast.For() | ast.AsyncFor() | ast.While() | ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return False
        case _:
            return any(_runs(n, said) for n in ast.walk(statement))


def _settles(suite: Sequence[ast.stmt], said: str) -> bool:
    return bool(suite) and (isinstance(suite[-1], _ENDS) or any(_executes(s, said) for s in suite))
