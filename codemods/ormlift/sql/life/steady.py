"""Whether a list is the same where its placeholders are counted and where it is passed."""

from __future__ import annotations

import ast

from ormlift.sql.life.model import Life
from ormlift.sql.life.once import gives_once
from ormlift.sql.life.pure import acts
from ormlift.sql.life.quiet import is_quiet
from ormlift.sql.life.refuse import Refused
from ormlift.syntax import Module, dotted

_CHANGES = frozenset(
    ["append", "extend", "insert", "remove", "pop", "clear", "add", "discard", "update", "sort", "reverse"]
)
_READS = frozenset(
    [
        "len", "sorted", "list", "tuple", "set", "frozenset", "sum", "min", "max", "enumerate", "zip", "range", "map",
        "filter", "str", "repr", "print", "any", "all", "bool", "isinstance", "join", "format", "dict", "execute",
        "debug", "info", "warning", "error", "exception", "log", "extend", "executemany", "cursor", "commit",
    ]
)  # fmt: skip


def check_steady(counted: ast.expr, passed: ast.expr, life: Life) -> None:
    """Refuse where the list may have another length when it is passed, in an expression. Raises Refused."""
    module, said = life.module, life.module.text(counted)
    if gives_once(counted, life):
        message = f"{said} may be an iterator, of which nothing is left once its placeholders are counted"
        raise Refused("parameters-unknown", f"{message} on line {counted.lineno}; make it a list before")
    if not acts(counted) and is_quiet(counted, passed, module):
        return
    start, end = _end(counted), _last_line(counted, passed, life)
    if _is_shared(counted, life):
        raise _changed(said, start[0], start[0])
    around = {passed, *module.ancestors(passed)}
    for node in ast.walk(life.host):
        if not isinstance(node, ast.expr) or node in around or not start < (node.lineno, node.col_offset) <= end:
            continue
        same = isinstance(node, ast.Name | ast.Attribute | ast.Subscript) and module.text(node) == said
        if (same and _may_change(node, life)) or (not isinstance(counted, ast.Name) and _may_do(node)):
            raise _changed(said, node.lineno, start[0])


def _changed(said: str, line: int, counted: int) -> Refused:
    message = f"{said} may change on line {line}, where its placeholders are counted on line {counted}"
    return Refused("parameters-unknown", f"{message}; count them last, of a list of the function's own")


def _is_shared(counted: ast.expr, life: Life) -> bool:
    """Whether others may change the list: a function inside, another name for it, what is done at each mention."""
    if acts(counted):
        return True
    names = {n.id for n in ast.walk(counted) if isinstance(n, ast.Name)}
    if any(life.flow.captured.get(name) for name in names):
        return True
    if not isinstance(counted, ast.Name):
        return False
    if not life.flow.definitions.get(counted.id) and counted.id in _changed_names(life.module):
        return True
    return any(
        isinstance(n, ast.Assign) and isinstance(n.value, ast.Name) and n.value.id == counted.id
        for n in ast.walk(life.host)
    )


def _changed_names(module: Module) -> set[str]:
    """Names that a function of the file changes the value of."""
    calls = (c.func for c in module.calls if isinstance(c.func, ast.Attribute) and c.func.attr in _CHANGES)
    return {func.value.id for func in calls if isinstance(func.value, ast.Name)}


def _may_do(node: ast.expr) -> bool:
    """Whether a call between may change an attribute or an item."""
    if not isinstance(node, ast.Call) or _last(node.func) in _READS:
        return False
    own = isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name) and node.func.attr in _CHANGES
    return not own and acts(node)  # a list of the function's own is another


def _end(node: ast.expr) -> tuple[int, int]:
    return node.end_lineno or node.lineno, node.end_col_offset or node.col_offset


def _last_line(counted: ast.expr, passed: ast.expr, life: Life) -> tuple[int, int]:
    """The end of what passes it; of a loop that it stands in without the counting."""
    around = set(life.module.ancestors(counted))
    loops = [a for a in life.module.ancestors(passed) if isinstance(a, ast.For | ast.AsyncFor | ast.While)]
    ends = [(loop.end_lineno or loop.lineno, 1_000) for loop in loops if loop not in around]
    return max([_end(passed), *ends])


def _may_change(node: ast.expr, life: Life) -> bool:
    """Whether a use of the list may change it: it is bound anew, or what changes lists is done to it or may be."""
    if not isinstance(getattr(node, "ctx", None), ast.Load):
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
