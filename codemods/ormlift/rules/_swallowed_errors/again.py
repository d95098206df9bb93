"""Whether a session is used again behind a handler that took its error."""

from __future__ import annotations

import ast

from ormlift.project.columns import last
from ormlift.rules._swallowed_errors.work import Reader
from ormlift.syntax import FunctionNode, Module, dotted, walk_scope

_HEALS = frozenset({"rollback", "close", "remove", "aclose", "reset", "invalidate"})
_LOOPS = (ast.For, ast.AsyncFor, ast.While)


def used_again(
    module: Module, reader: Reader, function: FunctionNode, node: ast.Try, handler: ast.ExceptHandler, name: str
) -> int:
    """The line of the first use of the session that comes behind the handler's start; 0 for none that is sure."""
    if _heals(handler, name) or _heals_elsewhere(module, handler) or _in_savepoint(module, node):
        return 0
    inside = reader.acts(handler.body)
    if first := min((a.call.lineno for a in inside if a.receiver == name), default=0):
        return first
    if _leaves(handler.body):
        return 0
    behind = _behind(module, function, node)
    if behind is None:
        return 0
    for statement in behind:
        if _rebinds(statement, name):
            return 0
        if _heals(statement, name):
            return 0
        acts = [a for a in reader.acts([statement]) if a.receiver == name]
        if acts:
            return acts[0].call.lineno
        if isinstance(statement, ast.Return | ast.Raise):
            return 0
    return 0


def _behind(module: Module, function: FunctionNode, node: ast.Try) -> list[ast.stmt] | None:
    """The statements that run behind the try; those of the loop around it come round again. None: a finally heals."""
    found: list[ast.stmt] = [*node.finalbody]
    current: ast.AST = node
    while current is not function:
        parent = module.parents[current]
        if isinstance(current, ast.stmt):
            suite = module.suite(current)
            position = next(i for i, s in enumerate(suite) if s is current)
            found += suite[position + 1 :]
            if isinstance(parent, _LOOPS) and suite is parent.body:
                found += suite[: position + 1]
                return found
        if isinstance(parent, ast.Try) and current not in parent.finalbody:
            found += parent.finalbody
        current = parent
    return found


def _heals(node: ast.AST, name: str) -> bool:
    """Whether the session is rolled back, closed or handed to code that may do so."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Call):
            func = inner.func
            if isinstance(func, ast.Attribute) and func.attr in _HEALS and dotted(func.value).startswith(name):
                return True
            given = [*inner.args, *(k.value for k in inner.keywords)]
            if isinstance(node, ast.ExceptHandler) and any(dotted(a) == name for a in given):
                return True
            if isinstance(func, ast.Attribute) and "rollback" in func.attr:
                return True
    return False


def _heals_elsewhere(module: Module, handler: ast.ExceptHandler) -> bool:
    """Whether the handler calls a function of the file that rolls back or closes a session."""
    called = {last(dotted(n.func)) for n in ast.walk(handler) if isinstance(n, ast.Call)}
    functions = (d for d in module.definitions if isinstance(d, FunctionNode) and d.name in called)
    return any(isinstance(n, ast.Attribute) and n.attr in _HEALS for f in functions for n in ast.walk(f))


def _leaves(body: list[ast.stmt]) -> bool:
    return any(isinstance(n, ast.Return | ast.Raise | ast.Break) for s in body for n in (s, *walk_scope(s)))


def _rebinds(statement: ast.stmt, name: str) -> bool:
    nodes = [statement, *walk_scope(statement)]
    return any(isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Store) for n in nodes)


def _in_savepoint(module: Module, node: ast.Try) -> bool:
    """Whether `begin_nested()` stands inside the try or around it, which rolls back by itself."""
    around = [p for p in module.ancestors(node) if isinstance(p, ast.With | ast.AsyncWith)]
    inside = [n for s in node.body for n in ast.walk(s)]
    return any("begin" in ast.unparse(i.context_expr) for w in around for i in w.items) or any(
        isinstance(n, ast.Attribute) and n.attr in ("begin_nested", "begin") for n in inside
    )
