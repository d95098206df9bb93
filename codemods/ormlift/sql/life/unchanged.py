"""Whether a list or a dict stays as it was made: each mention of it does no more than read it."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from ormlift.syntax import Module, dotted

_CHANGES = frozenset(
    [
        "append", "extend", "insert", "remove", "pop", "clear", "add", "discard", "update", "sort", "reverse",
        "setdefault", "popitem", "difference_update", "intersection_update", "symmetric_difference_update",
        "__setitem__", "__delitem__",
    ]
)  # fmt: skip
_READS = frozenset(
    [
        "len", "sorted", "list", "tuple", "set", "frozenset", "sum", "min", "max", "enumerate", "zip", "range", "map",
        "filter", "str", "repr", "print", "any", "all", "bool", "isinstance", "join", "format", "dict", "debug",
        "info", "warning", "error", "writerow", "DataFrame", "DictWriter", "reversed", "iter",
    ]
)  # fmt: skip


def is_unchanged(mentions: Iterable[ast.expr], module: Module, *, may_end: bool = False) -> bool:
    """Whether all mentions only read. `may_end`: some may stand in what a `return` gives, behind which is nothing."""
    return all(_reads(node, module) or (may_end and _is_returned(node, module)) for node in mentions)


def _reads(node: ast.expr, module: Module) -> bool:
    parent = module.parents[node]
    match parent:
        case ast.For(iter=source) | ast.AsyncFor(iter=source) | ast.comprehension(iter=source):
            return source is node
        case ast.Subscript(value=value):
            return value is not node or isinstance(parent.ctx, ast.Load)
        case ast.Attribute(attr=attr):
            call = module.parents[parent]
            return isinstance(call, ast.Call) and call.func is parent and attr not in _CHANGES
        case ast.Call() | ast.keyword() | ast.Starred():
            return isinstance(parent, ast.Starred) or _is_read_by(parent, module)
        case ast.Compare() | ast.FormattedValue() | ast.BinOp() | ast.If() | ast.While() | ast.Expr():
            return True
        case ast.UnaryOp(op=ast.Not()):
            return True
        case _:
            return False


def _is_read_by(parent: ast.Call | ast.keyword, module: Module) -> bool:
    call = parent if isinstance(parent, ast.Call) else module.parents[parent]
    if not isinstance(call, ast.Call):
        return False
    name = call.func.attr if isinstance(call.func, ast.Attribute) else dotted(call.func)
    return name in _READS


def _is_returned(node: ast.expr, module: Module) -> bool:
    for around in module.ancestors(node):
        if not isinstance(around, ast.Tuple | ast.List | ast.Dict):
            return isinstance(around, ast.Return)
    return False
