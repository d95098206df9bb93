"""`cursor.description`: the names of the columns, which the statement tells, and dicts made of them.

`dict(zip(names, row))` becomes `dict(row._mapping)`; a list of the names is written out where it is used otherwise, and
the dict stays as it is where the list may be changed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ormlift.sql.life.executions import Execution
from ormlift.sql.life.model import Life
from ormlift.sql.life.refuse import Refused
from ormlift.sql.life.unchanged import is_unchanged
from ormlift.syntax import Module, dotted

_ZIPS = frozenset(["zip", "itertools.zip_longest", "zip_longest"])


@dataclass(eq=False)
class Names:
    """One expression that makes the list of the names, and what is done with it."""

    execution: Execution
    node: ast.expr  # the whole of it
    statements: tuple[ast.stmt, ...] = ()  # what only leads to it: `desc = cursor.description`, `names = [..]`
    dicts: Mapping[ast.expr, ast.Call] = field(default_factory=dict)  # a row: the `dict(zip(names, row))` around it
    others: bool = False  # the names are used otherwise too
    changed: bool = False  # and may be changed there: what zips them stays as it is

    @property
    def is_tuple(self) -> bool:
        """Whether the names are made a tuple."""
        return isinstance(self.node, ast.Call) and dotted(self.node.func) == "tuple"


def described(life: Life, found: Iterable[Execution]) -> list[Names]:
    """What is done with each description. Raises Refused where it is more than its names."""
    return [names for execution in found for use in execution.described for names in _names(use.node, execution, life)]


def _names(description: ast.expr, execution: Execution, life: Life) -> Iterator[Names]:
    for node, leads in _reached(description, life):
        made = _names_made(node, life.module)
        if made is None:
            message = f"line {description.lineno} reads more of cursor.description than the columns' names"
            raise Refused("description", f"{message}; name the columns instead")
        dicts: dict[ast.expr, ast.Call] = {}
        others: list[ast.expr] = []
        statements = leads
        for use, more in _reached(made, life):
            statements = tuple(dict.fromkeys((*statements, *more)))
            pair = _dict_of(use, life.module)
            if pair is None:
                others.append(use)
            else:
                dicts[pair[0]] = pair[1]
        mentions = [use for use in others if use is not made]
        changed = bool(dicts) and not is_unchanged(mentions, life.module, may_end=True)
        yield Names(execution, made, statements, dicts, bool(others), changed)


def _reached(node: ast.expr, life: Life) -> Iterator[tuple[ast.expr, tuple[ast.stmt, ...]]]:
    """Where the value of an expression is used: there, or by way of a name that is bound to nothing else."""
    parent = life.module.parents[node]
    match parent:
        case ast.Assign(targets=[ast.Name() as name]):
            loads = [(n, d) for (n, key), d in life.flow.reaching.items() if key == name.id and name in d]
            if any(d != {name} for _, d in loads) or life.flow.captured.get(name.id) or not loads:
                yield node, ()
                return
            for load, _ in loads:
                if isinstance(load, ast.Name):
                    yield load, (parent,)
        case _:
            yield node, ()


def _names_made(node: ast.expr, module: Module) -> ast.expr | None:
    """The expression around a description that takes the name of each of its columns."""
    parent = module.parents[node]
    match parent:
        case ast.comprehension(target=ast.Name(id=target), iter=source, ifs=[]) if source is node:
            whole = module.parents[parent]
            single = isinstance(whole, ast.ListComp | ast.GeneratorExp) and len(whole.generators) == 1
            if not isinstance(whole, ast.ListComp | ast.GeneratorExp) or not single or not _takes(whole.elt, target):
                return None
            return whole if isinstance(whole, ast.ListComp) else _listed(whole, module)
        case ast.Call(func=ast.Name(id="map"), args=[ast.Lambda(args=ast.arguments(args=[arg]), body=body), source]):
            return _listed(parent, module) if source is node and _takes(body, arg.arg) else None
        case _:
            return None


def _listed(node: ast.expr, module: Module) -> ast.expr | None:
    """The `list(..)` or `tuple(..)` around something lazy; or itself where it is zipped at once."""
    parent = module.parents[node]
    match parent:
        case ast.Call(func=ast.Name(id="list" | "tuple"), args=[inner]) if inner is node:
            return parent
        case ast.Call() if dotted(parent.func) in _ZIPS:
            return node
        case _:
            return None


def _takes(node: ast.expr, target: str) -> bool:
    """`column[0]`, `column.name`."""
    match node:
        case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=0)):
            return name == target
        case ast.Attribute(value=ast.Name(id=name), attr="name"):
            return name == target
        case _:
            return False


def _dict_of(node: ast.expr, module: Module) -> tuple[ast.expr, ast.Call] | None:
    """The row and the whole of `dict(zip(node, row))`."""
    parent = module.parents[node]
    if not isinstance(parent, ast.Call) or dotted(parent.func) not in _ZIPS or parent.keywords:
        return None
    outer = module.parents[parent]
    whole = isinstance(outer, ast.Call) and dotted(outer.func) == "dict" and len(outer.args) == 1 and not outer.keywords
    if len(parent.args) != 2 or parent.args[0] is not node or not whole or isinstance(parent.args[1], ast.Starred):
        return None
    assert isinstance(outer, ast.Call)
    return parent.args[1], outer
