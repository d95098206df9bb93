"""What of a block goes because the scope does it: its last commit, and on demand a rollback before raising again."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from ormlift.project.escape.choice import Named
from ormlift.project.flow.knowledge import Knowledge
from ormlift.project.flow.values import KEPT, Kind, Values
from ormlift.schema import Tri


def last_commit(
    body: Sequence[ast.stmt], opened: Sequence[ast.stmt], name: str, named: Named, knowledge: Knowledge
) -> ast.stmt | None:
    """The commit that ends the block, and that the scope does at its exit; None where there is none.

    `opened` are the tries that are to be opened into the block. Behind the commit may stand a return of what is
    plain: where an instance is read there, its attributes would be those from before the commit.
    """
    if named.own or named.scope is None or named.scope.commits is not Tri.YES:
        return None
    suite = list(body)
    while isinstance(last := suite[-1], ast.Try) and any(last is s for s in opened):
        suite = [*suite[:-1], *last.body]
    returned = suite[-1] if isinstance(suite[-1], ast.Return) else None
    commit = suite[-2] if returned is not None and len(suite) > 1 else suite[-1]
    if len(suite) < 2 + (returned is not None) or not _is_call(commit, name, "commit"):
        return None
    if returned is not None and returned.value is not None:
        values = Values(body, name, knowledge)
        if not _is_plain(returned.value, values):
            return None
    return commit


def _is_plain(node: ast.expr, values: Values) -> bool:
    """Whether evaluating an expression reads nothing of the session, and can't raise: then the commit may be behind it.

    An error there would come before the scope's commit, and undo what the block's own commit had made lasting.
    """
    match node:
        case ast.Constant():
            return True
        case ast.Name():
            return not values.kind(node) & (KEPT | Kind.SESSION | Kind.HOLDER | Kind.QUERY)
        case ast.Tuple(elts=elts) | ast.List(elts=elts):
            return all(_is_plain(e, values) for e in elts)
        case ast.Dict(keys=keys, values=held):
            return all(isinstance(k, ast.Constant) for k in keys) and all(_is_plain(v, values) for v in held)
        case _:
            return False


def redundant_handlers(statement: ast.stmt, opened: ast.stmt | None, name: str, named: Named) -> int | None:
    """How many of a try's handlers stay, where those behind only do what the scope does; None where all do.

    A handler may go if nothing behind it could catch what it caught, and nothing of the try runs after it.
    """
    scope = named.scope
    if named.own or scope is None or scope.rolls_back is not Tri.YES or scope.commits_on_failure is not Tri.NO:
        return None
    if not isinstance(statement, ast.Try) or statement.orelse or (statement.finalbody and statement is not opened):
        return None
    kept = len(statement.handlers)
    while kept and _only_raises(statement.handlers[kept - 1], name):
        kept -= 1
    gone = statement.handlers[kept:]
    return kept if any(_is_call(h.body[0], name, "rollback") for h in gone) else None


def _only_raises(handler: ast.ExceptHandler, name: str) -> bool:
    """Whether a handler does no more than roll back and raise again."""
    *before, last = handler.body
    match last:
        case ast.Raise(exc=None):
            pass
        case ast.Raise(exc=ast.Name(id=raised), cause=None) if raised == handler.name:
            pass
        case _:
            return False
    return not before or (len(before) == 1 and _is_call(before[0], name, "rollback"))


def _is_call(node: ast.stmt, name: str, method: str) -> bool:
    """Whether a statement is `name.method()` and no more."""
    value = node.value if isinstance(node, ast.Expr) else None
    value = value.value if isinstance(value, ast.Await) else value
    match value:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=base), attr=attr), args=[], keywords=[]):
            return base == name and attr == method
        case _:
            return False
