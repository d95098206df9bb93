"""Cursors that execute again: which variables hold one cursor, and whether a loop still reads what is thrown away.

A DB-API cursor has one result. `for row in cur: cur.execute(..)` ends its own loop; a session's results are apart, so
that the loop would go on.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ormlift.sql.life.model import Does, Life, Use
from ormlift.sql.life.refuse import Refused
from ormlift.syntax import dotted

_LAZY = frozenset(["enumerate", "zip", "map", "filter", "iter"])


def cursor_groups(life: Life) -> dict[str, str]:
    """For each cursor variable the one that stands for all which may hold the same cursor: `res = cur.execute(..)`."""
    groups = {name: name for name in life.cursors}
    for use in life.where(Does.EXECUTE):
        if use.said in groups and use.cursor in groups:
            one, other = groups[use.said], groups[use.cursor]
            groups = {name: one if group == other else group for name, group in groups.items()}
    return groups


def check_loops(life: Life, groups: dict[str, str]) -> None:
    """Refuse where a cursor executes again while a loop still reads its rows. Raises Refused."""
    for use in life.where(Does.ITERATE):
        again = next(_again(use, life, groups), None)
        if again is not None:
            message = f"line {again.line} executes on the cursor that line {use.line} still reads from, which ends that"
            raise Refused("unclear-cursor", f"{message}; fetch all rows first, or use two cursors")


def _again(use: Use, life: Life, groups: dict[str, str]) -> Iterator[Use]:
    group = _group(use, groups)
    around, own = _readers(use.node, life)
    for other in life.where(Does.EXECUTE, Does.MANY, Does.HANDS, Does.LENT) if group else ():
        if _group(other, groups) != group:
            continue
        inside = [other.node, *life.module.ancestors(other.node)]
        if own not in inside and (around in inside or (around is life.host and other.line >= use.line)):
            yield other


def _group(use: Use, groups: dict[str, str]) -> str:
    """The cursor that a use is of; empty for one of its own, as each `conn.execute(..)` makes."""
    node = use.node
    while use.receiver is None and dotted(node) not in groups:  # `for row in cur.execute(..)`
        match node:
            case ast.Call(func=inner) | ast.Attribute(value=inner) | ast.Await(value=inner):
                node = inner
            case _:
                return ""
    return groups.get(dotted(use.receiver or node), "")


def _readers(node: ast.expr, life: Life) -> tuple[ast.AST, ast.AST]:
    """The loop, comprehension or call that reads what is iterated over, and the part of it that comes before."""
    inner: ast.AST = node
    for around in life.module.ancestors(node):
        match around:
            case ast.For(iter=source) | ast.AsyncFor(iter=source) if source is inner:
                return around, source
            case ast.comprehension() | ast.GeneratorExp():
                pass
            case ast.ListComp() | ast.SetComp() | ast.DictComp():
                return around, node
            case ast.Call(func=ast.Name(id=name)) if name in _LAZY:
                pass
            case ast.Call():
                return around, node
            case _:
                return life.host, node
        inner = around
    return life.host, node
