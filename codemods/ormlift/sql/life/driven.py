"""What a helper that stays raw passes to the driver: values that must come as the driver gave them, and no rows."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ormlift.sql.life.model import Life
from ormlift.syntax import dotted, walk_scope

_FILLS = frozenset(["append", "extend", "insert", "add", "update", "setdefault"])


def driven(life: Life) -> frozenset[ast.AST]:
    """The nodes of what helpers are handed beside the connection, but for what other calls make something of."""
    found: set[ast.AST] = set()
    for lent in life.lent.values():
        work = [*lent.call.args, *(k.value for k in lent.call.keywords)]
        while work:
            inside = set(_inside(work.pop())) - found
            found |= inside
            names = [n for n in inside if isinstance(n, ast.Name) and n not in lent.given]
            work += [value for name in names for value in _held(name, life)]
    return frozenset(found)


def _inside(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    if not isinstance(node, ast.Call):
        for child in ast.iter_child_nodes(node):
            yield from _inside(child)


def _held(name: ast.Name, life: Life) -> Iterator[ast.expr]:
    """What a variable is given, and what is put into it."""
    for bound in life.flow.of(name):
        statement = life.module.parents.get(bound)
        if isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign) and statement.value is not None:
            yield statement.value
    for node in walk_scope(life.host):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _FILLS:
            yield from node.args if dotted(node.func.value) == name.id else ()
