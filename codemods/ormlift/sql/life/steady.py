"""Whether a list is the same where its placeholders are counted and where it is passed."""

from __future__ import annotations

import ast

from ormlift.sql.life.model import Life
from ormlift.sql.life.refuse import Refused
from ormlift.syntax import dotted

_CHANGES = frozenset(
    ["append", "extend", "insert", "remove", "pop", "clear", "add", "discard", "update", "sort", "reverse"]
)
_READS = frozenset(
    [
        "len", "sorted", "list", "tuple", "set", "frozenset", "sum", "min", "max", "enumerate", "zip", "range", "map",
        "filter", "str", "repr", "print", "any", "all", "bool", "isinstance", "join", "format", "dict", "execute",
        "debug", "info", "warning", "error", "exception", "log", "extend", "executemany",
    ]
)  # fmt: skip


def check_steady(counted: ast.expr, call: ast.Call, life: Life) -> None:
    """Refuse where the list may have another length when it is passed. Raises Refused."""
    module, said = life.module, life.module.text(counted)
    start, end = _end(counted), _last_line(counted, call, life)
    for node in ast.walk(life.host):
        if not isinstance(node, ast.expr) or not start < (node.lineno, node.col_offset) <= end:
            continue
        if isinstance(node, ast.Name | ast.Attribute) and module.text(node) == said and _may_change(node, life):
            message = f"{said} may change on line {node.lineno}, after its placeholders are counted on line {start[0]}"
            raise Refused("parameters-unknown", f"{message}; count them last")


def _end(node: ast.expr) -> tuple[int, int]:
    return node.end_lineno or node.lineno, node.end_col_offset or node.col_offset


def _last_line(counted: ast.expr, call: ast.Call, life: Life) -> tuple[int, int]:
    """The end of the call; of a loop that it stands in without the counting."""
    around = set(life.module.ancestors(counted))
    loops = [a for a in life.module.ancestors(call) if isinstance(a, ast.For | ast.AsyncFor | ast.While)]
    ends = [(loop.end_lineno or loop.lineno, 1_000) for loop in loops if loop not in around]
    return max([_end(call), *ends])


def _may_change(node: ast.Name | ast.Attribute, life: Life) -> bool:
    """Whether a use of the list may change it: it is bound anew, or what changes lists is done to it or may be."""
    if not isinstance(node.ctx, ast.Load):
        return True
    parent = life.module.parents[node]
    outer = life.module.parents.get(parent)
    if isinstance(parent, ast.Attribute):
        return parent.attr in _CHANGES and isinstance(outer, ast.Call)
    if isinstance(parent, ast.Subscript):
        return parent.value is node and not isinstance(parent.ctx, ast.Load)
    holder = outer if isinstance(parent, ast.Starred | ast.keyword) else parent
    if isinstance(holder, ast.Call):
        return _last(holder.func) not in _READS
    return isinstance(parent, ast.Assign | ast.AnnAssign | ast.NamedExpr | ast.AugAssign | ast.Return | ast.Yield)


def _last(func: ast.expr) -> str:
    return func.attr if isinstance(func, ast.Attribute) else dotted(func)
