"""Whether a variable is surely bound where it is read: what is bound on some ways only raises on the others."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from ormlift.sql.life.swallow import may_swallow
from ormlift.syntax import FunctionNode, Module, dotted

_EXITS = frozenset(["sys.exit", "exit", "quit", "os._exit", "os.abort", "abort"])


def is_bound(definition: ast.AST, use: ast.AST, module: Module) -> bool:
    """Whether the statement of a definition runs on every way to a use behind it in the same function."""
    around = {use, *module.ancestors(use)}
    statement: ast.AST = module.statement(definition)
    if statement in around and isinstance(statement, ast.For | ast.AsyncFor | ast.With | ast.AsyncWith):
        return True  # its head binds it, and its body reads it
    while isinstance(statement, ast.stmt):
        suite = module.suite(statement)
        if any(later in around for later in suite[suite.index(statement) + 1 :]):
            return True
        parent = module.parents[statement]
        if not _runs(statement, parent, module):
            return False
        statement = parent
    return False


def is_always_bound(name: str, use: ast.AST, host: ast.AST, module: Module) -> bool:
    """Whether a statement before a use, in a suite around it, binds the name whatever way is taken."""
    statement: ast.AST = module.statement(use)
    while isinstance(statement, ast.stmt) and statement is not host:
        suite = module.suite(statement)
        if any(_always(before, name) for before in suite[: suite.index(statement)]):
            return True
        statement = module.parents[statement]
        while not isinstance(statement, ast.stmt | ast.Module):
            statement = module.parents[statement]
    return False


def _always(statement: ast.stmt, name: str) -> bool:
    """Whether a statement surely binds a name: an assignment, or an if whose branches all do."""
    if isinstance(statement, ast.Assign):
        return any(isinstance(t, ast.Name) and t.id == name for t in statement.targets)
    if isinstance(statement, ast.With | ast.AsyncWith):
        return any(_always(s, name) for s in statement.body)
    if not isinstance(statement, ast.If):
        return False
    branches = (statement.body, statement.orelse)
    return all(leaves(branch) or any(_always(s, name) for s in branch) for branch in branches)


def _runs(statement: ast.stmt, block: ast.AST, module: Module) -> bool:
    """Whether what comes behind a block has been through a statement of it."""
    match block:
        case ast.With() | ast.AsyncWith():
            return not may_swallow(block, module)
        case ast.If(body=body, orelse=orelse):
            return leaves(orelse if statement in body else body)
        case ast.Try(handlers=handlers, finalbody=final):
            return statement in final or all(leaves(handler.body) for handler in handlers)
        case _:
            return False


def leaves(suite: Sequence[ast.stmt]) -> bool:
    """Whether a suite ends by leaving: nothing behind it in its block runs."""
    match suite[-1:]:
        case [ast.Return() | ast.Raise() | ast.Continue() | ast.Break()]:
            return True
        case [ast.If(body=body, orelse=orelse)]:
            return leaves(body) and leaves(orelse)
        case [ast.With(body=body) | ast.AsyncWith(body=body)]:
            return leaves(body)
        case [ast.Expr(value=ast.Call(func=func))]:
            return dotted(func) in _EXITS
        case _:
            return False


def is_shared(name: str, host: ast.AST) -> bool:
    """Whether a function inside may bind a name of this one, or this one that of another."""
    inner = (n for n in ast.walk(host) if isinstance(n, ast.Global | ast.Nonlocal))
    return isinstance(host, FunctionNode) and any(name in node.names for node in inner)
