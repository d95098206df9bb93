"""Rows that are read later than they are asked for: a generator over a cursor, a `map` or `zip` kept in a name."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ormlift.schema import Tri
from ormlift.sql.life.model import Does, How, Life, Use
from ormlift.sql.life.refuse import Refused
from ormlift.syntax import Module, dotted

_LAZY = frozenset(["map", "filter", "zip", "enumerate", "iter"])
_LEAVES = (ast.Return, ast.Raise, ast.Continue, ast.Break)
_CLOSING_WITHS = frozenset(["aiosqlite", "psycopg"])  # whose `with` closes the connection
_Place = tuple[ast.expr, bool]  # where rows are read, and whether that is behind the function's end


def check_lazy(life: Life) -> None:
    """Raises Refused where rows may be read behind the connection's close, which raised and no longer would."""
    for use in life.where(Does.ITERATE):
        for node, leaves in _reads(use.node, life):
            line = _closed_before(node, life, leaves=leaves)
            if line:
                message = f"line {use.line} makes what reads rows later, behind the close on line {line}, which raises"
                raise Refused("unclear-connection", f"{message}; read the rows into a list there, or close last")
            if leaves and life.how is How.HANDED:
                message = f"line {use.line} gives back what reads rows later, when {life.name} may be closed"
                raise Refused("unclear-connection", f"{message}; read the rows into a list there")


def _reads(node: ast.expr, life: Life, depth: int = 8) -> Iterator[_Place]:
    """Where the rows that an iteration over `node` gives are read, if that is not at once."""
    made = _made(node, life.module)
    if made is None or not depth:
        return
    parent = life.module.parents[made]
    match parent:
        case ast.Return():
            yield made, True
        case ast.Assign(targets=[ast.Name() as name]) | ast.NamedExpr(target=ast.Name() as name):
            for (load, said), definitions in life.flow.reaching.items():
                if said == name.id and name in definitions and isinstance(load, ast.Name):
                    later = list(_reads(load, life, depth - 1))
                    yield from later or [(load, isinstance(life.module.parents[load], ast.Return))]
        case _:
            yield from _reads(made, life, depth - 1)


def _made(node: ast.expr, module: Module) -> ast.expr | None:
    """The generator or lazy call that goes through `node` only when it is itself gone through."""
    parent = module.parents[node]
    match parent:
        case ast.comprehension(iter=source) if source is node:
            whole = module.parents[parent]
            return whole if isinstance(whole, ast.GeneratorExp) else None
        case ast.Call() if dotted(parent.func) in _LAZY and node in parent.args:
            return parent
        case _:
            return None


def _closed_before(node: ast.expr, life: Life, *, leaves: bool) -> int:
    """The line of a close that comes before what is read at `node`; 0 where none does."""
    around = set(life.module.ancestors(node))
    for close in life.where(Does.CLOSE):
        if close.said == life.name and _is_behind(close, around, life.module, leaves=leaves):
            return close.line
    if _with_closes(life) and (leaves or life.origin not in around):
        return life.line
    return 0


def _is_behind(close: Use, around: set[ast.AST], module: Module, *, leaves: bool) -> bool:
    """Whether one of the nodes is a statement that a close may come before."""
    inner: ast.stmt = module.statement(close.node)
    while True:
        suite = module.suite(inner)
        later = suite[suite.index(inner) + 1 :]
        if around.intersection(later):
            return True
        outer = module.parents[inner]
        if isinstance(outer, ast.ExceptHandler):
            outer = module.parents[outer]
        if leaves and isinstance(outer, ast.Try) and suite is outer.finalbody and outer in around:
            return True
        if isinstance(suite[-1], _LEAVES) or not isinstance(outer, ast.If | ast.Try | ast.With | ast.AsyncWith):
            return False
        inner = outer


def _with_closes(life: Life) -> bool:
    """Whether the connection's own `with` closes it at its end."""
    if life.how is How.CLOSING:
        return True
    if life.how not in (How.WITH, How.WITH_PAIR):
        return False
    if life.manager is not None:
        return life.manager.closes is Tri.YES
    return life.source.driver in _CLOSING_WITHS
