"""Names that hold one of a few texts, as the code shows: what a loop goes through, or what a test lets pass."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from math import prod

from ormlift.sql.life.bound import is_always_bound, is_bound, is_shared, leaves
from ormlift.sql.life.literals import constant_value, is_enclosed, only_value
from ormlift.sql.life.model import Life
from ormlift.syntax import dotted, module_level

Texts = tuple[str, ...]
_MOST = 64
_DEPTH = 6
_READS = frozenset(["items", "keys", "values", "get", "copy", "index", "count"])
_TAKES = frozenset(
    ["len", "list", "tuple", "set", "sorted", "enumerate", "frozenset", "dict", "join", "print", "str", "zip", "any"]
)


def choices(node: ast.expr, life: Life, depth: int = _DEPTH) -> Texts | None:
    """All texts that a name may hold where it is read; None where they cannot be told."""
    if not isinstance(node, ast.Name) or is_shared(node.id, life.host) or node.id in life.flow.captured:
        return None
    found: list[str] = []
    if not life.flow.of(node) and node.id not in life.flow.definitions:
        return _of_comprehension(node, life)
    if not _is_bound(node, life):
        return None
    for definition in life.flow.of(node):
        given = _of_definition(definition, life, depth)
        given = given if given is not None else _passed(definition, node, life)
        if given is None:
            return None
        found += given
    return tuple(dict.fromkeys(found)) or None


def _is_bound(node: ast.Name, life: Life) -> bool:
    """Whether a name surely holds something where it is read."""
    definitions = life.flow.of(node)
    if any(isinstance(life.module.parents.get(d), ast.comprehension) for d in definitions):
        return len(definitions) == 1
    if any(isinstance(d, ast.arg) or is_bound(d, node, life.module) for d in definitions):
        return True
    return is_always_bound(node.id, node, life.host, life.module)


def _of_definition(definition: ast.AST, life: Life, depth: int) -> Texts | None:
    """The texts that one definition of a name gives it."""
    parent = life.module.parents.get(definition)
    if isinstance(parent, ast.For | ast.comprehension) and parent.target is definition:
        return _listed(parent.iter, life)
    if isinstance(parent, ast.Tuple) and isinstance(definition, ast.Name):
        return _of_rows(parent, parent.elts.index(definition), life)
    if isinstance(definition, ast.arg):
        return _annotated(definition.annotation)
    value = only_value(frozenset({definition}), life.module)
    return texts_of(value, life, depth) if value is not None else None


def _of_rows(target: ast.Tuple, place: int, life: Life) -> Texts | None:
    """The texts of one of the names of a loop: `for key, value in data.items()`, `for name, size in ((..), (..))`."""
    loop = life.module.parents.get(target)
    if not isinstance(loop, ast.For) or loop.target is not target:
        return None
    match loop.iter:
        case ast.Call(func=ast.Attribute(value=of, attr="items"), args=[], keywords=[]):
            held = _held(of, life)
            return _texts(held.keys) if place == 0 and isinstance(held, ast.Dict) else None
    rows = _held(loop.iter, life)
    if not isinstance(rows, ast.List | ast.Tuple):
        return None
    pairs = [row.elts if isinstance(row, ast.Tuple) else [] for row in rows.elts]
    return _texts(pair[place] if place < len(pair) else None for pair in pairs)


def _of_comprehension(node: ast.Name, life: Life) -> Texts | None:
    """The texts that a comprehension around goes through."""
    kinds = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
    loops = [loop for a in life.module.ancestors(node) if isinstance(a, kinds) for loop in a.generators]
    bound = [loop for loop in loops for n in ast.walk(loop.target) if isinstance(n, ast.Name) and n.id == node.id]
    whole = len(bound) == 1 and isinstance(bound[0].target, ast.Name)
    return _listed(bound[0].iter, life) if whole else None


def _annotated(node: ast.expr | None) -> Texts | None:
    """`Literal["a", "b"]`."""
    if not isinstance(node, ast.Subscript) or dotted(node.value).rpartition(".")[2] != "Literal":
        return None
    return _texts(node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice])


def texts_of(node: ast.expr, life: Life, depth: int = _DEPTH) -> Texts | None:
    """All texts that an expression may give; None where they cannot be told."""
    if depth == 0:
        return None
    match node:
        case ast.Constant(value=str(value)):
            return (value,)
        case ast.Name():
            return choices(node, life, depth - 1)
        case ast.IfExp(body=body, orelse=orelse):
            return _both(texts_of(body, life, depth - 1), texts_of(orelse, life, depth - 1))
        case ast.JoinedStr(values=values):
            return _together([_part(value, life, depth - 1) for value in values])
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _together([texts_of(left, life, depth - 1), texts_of(right, life, depth - 1)])
        case ast.Subscript(value=held):
            return _values(held, life)
        case ast.Call(func=ast.Attribute(value=held, attr="get"), args=[_, other], keywords=[]):
            return _both(_values(held, life), texts_of(other, life, depth - 1))
        case _:
            return None


def _part(node: ast.expr, life: Life, depth: int) -> Texts | None:
    if not isinstance(node, ast.FormattedValue):
        return texts_of(node, life, depth)
    plain = node.conversion == -1 and node.format_spec is None
    return texts_of(node.value, life, depth) if plain else None


def _together(parts: Sequence[Texts | None]) -> Texts | None:
    known = [part for part in parts if part is not None]
    if len(known) < len(parts) or prod(len(part) for part in known) > _MOST:
        return None
    return tuple("".join(pieces) for pieces in product(*known))


def _both(one: Texts | None, other: Texts | None) -> Texts | None:
    return None if one is None or other is None else (*one, *other)


# What a list, a tuple, a set or a dict of the code holds


def _listed(node: ast.expr, life: Life) -> Texts | None:
    match _held(node, life):
        case ast.List(elts=elts) | ast.Tuple(elts=elts) | ast.Set(elts=elts):
            return _texts(elts)
        case ast.Dict(keys=keys):
            return _texts(keys)
        case ast.Call(func=ast.Name(id="frozenset" | "set" | "tuple" | "list" | "sorted"), args=[inner], keywords=[]):
            return _listed(inner, life)
        case ast.Call(func=ast.Attribute(value=inner, attr="keys"), args=[]):
            return _listed(inner, life) if isinstance(_held(inner, life), ast.Dict) else None
        case _:
            return None


def _values(node: ast.expr, life: Life) -> Texts | None:
    held = _held(node, life)
    return _texts(held.values) if isinstance(held, ast.Dict) and None not in held.keys else None


def _texts(nodes: Iterable[ast.expr | None]) -> Texts | None:
    found = [node.value if isinstance(node, ast.Constant) else None for node in nodes]
    texts = tuple(text for text in found if isinstance(text, str))
    return texts if len(texts) == len(found) > 0 else None


def _held(node: ast.expr, life: Life) -> ast.expr | None:
    """The expression itself, or what a name is bound to that nothing changes."""
    if not isinstance(node, ast.Name):
        return node
    if life.flow.of(node):
        value, scope = only_value(life.flow.of(node), life.module), life.host
    elif node.id in life.flow.definitions or is_enclosed(node.id, life):
        return None
    else:
        life.constants["", node.id] = None
        value, scope = constant_value(node.id, list(module_level(life.module.tree)), life.module), life.module.tree
    return value if value is not None and _is_only_read(node.id, scope, life) else None


def _is_only_read(name: str, scope: ast.AST, life: Life) -> bool:
    """Whether no mention of a variable may change what it holds; `x[k] += 1` adds no key."""
    if scope is life.host and life.flow.captured.get(name):
        return False
    return all(_reads(n, life.module.parents) for n in ast.walk(scope) if isinstance(n, ast.Name) and n.id == name)


def _reads(node: ast.Name, parents: Mapping[ast.AST, ast.AST]) -> bool:
    parent = parents[node]
    match parent:
        case ast.Assign(value=value) | ast.AnnAssign(value=value):
            return value is not node  # another name for it
        case ast.Subscript(value=value, ctx=ctx):
            return value is not node or isinstance(ctx, ast.Load) or isinstance(parents[parent], ast.AugAssign)
        case ast.Attribute(attr=attr):
            return attr in _READS
        case ast.Call(func=func):
            return (func.attr if isinstance(func, ast.Attribute) else dotted(func)) in _TAKES
        case _:
            plain = (ast.Compare, ast.For, ast.comprehension, ast.FormattedValue, ast.If, ast.IfExp, ast.UnaryOp)
            return isinstance(parent, plain)


# What a test lets pass


def _passed(definition: ast.AST, node: ast.Name, life: Life) -> Texts | None:
    """The texts that a name has where it is read, given that an `if` before, or one around, looked for it in a list."""
    for tested, collection in _tests(node, life):
        if tested.id == node.id and definition in life.flow.of(tested):
            found = _listed(collection, life)
            if found is not None:
                return found
    return None


def _tests(node: ast.Name, life: Life) -> Iterator[tuple[ast.Name, ast.expr]]:
    statement: ast.AST = life.module.statement(node)
    while isinstance(statement, ast.stmt) and statement is not life.host:
        suite = life.module.suite(statement)
        for before in suite[: suite.index(statement)]:
            if isinstance(before, ast.If) and (leaves(before.body) or _rebinds(before, node.id)) and not before.orelse:
                yield from _compared(before.test, ast.NotIn, ast.Or)
        parent = life.module.parents[statement]
        if isinstance(parent, ast.If) and statement in parent.body:
            yield from _compared(parent.test, ast.In, ast.And)
        statement = parent


def _compared(
    test: ast.expr, operator: type[ast.cmpop], joint: type[ast.boolop]
) -> Iterator[tuple[ast.Name, ast.expr]]:
    match test:
        case ast.Compare(left=ast.Name() as name, ops=[op], comparators=[collection]) if isinstance(op, operator):
            yield name, collection
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            yield from _compared(inner, ast.In if operator is ast.NotIn else ast.NotIn, _other(joint))
        case ast.BoolOp(op=op, values=values) if isinstance(op, joint):
            for value in values:
                yield from _compared(value, operator, joint)


def _other(joint: type[ast.boolop]) -> type[ast.boolop]:
    return ast.And if joint is ast.Or else ast.Or


def _rebinds(statement: ast.If, name: str) -> bool:
    """`if name not in (..): name = "first"`: what does not pass is another definition."""
    match statement.body[-1]:
        case ast.Assign(targets=[ast.Name(id=said)]):
            return said == name
        case _:
            return False
