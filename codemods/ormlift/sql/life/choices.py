"""Names that hold one of a few texts, as the code shows: what a loop goes through, or what a test lets pass."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from ormlift.sql.life.bound import is_shared, leaves
from ormlift.sql.life.literals import constant_value, is_enclosed, only_value
from ormlift.sql.life.model import Life
from ormlift.syntax import dotted, module_level

Texts = tuple[str, ...]
_CHANGES = frozenset(
    ["append", "extend", "insert", "remove", "pop", "clear", "add", "discard", "update", "setdefault", "popitem"]
)


def choices(node: ast.expr, life: Life) -> Texts | None:
    """All texts that a name may hold where it is read; None where they cannot be told."""
    if not isinstance(node, ast.Name) or is_shared(node.id, life.host) or node.id in life.flow.captured:
        return None
    found: list[str] = []
    if not life.flow.of(node) and node.id not in life.flow.definitions:
        return _of_comprehension(node, life)
    for definition in life.flow.of(node):
        given = _of_definition(definition, life)
        given = given if given is not None else _passed(definition, node, life)
        if given is None:
            return None
        found += given
    return tuple(dict.fromkeys(found)) or None


def _of_definition(definition: ast.AST, life: Life) -> Texts | None:
    """The texts that one definition of a name gives it."""
    parent = life.module.parents.get(definition)
    if isinstance(parent, ast.For | ast.comprehension) and parent.target is definition:
        return _listed(parent.iter, life)
    if isinstance(definition, ast.arg):
        return _annotated(definition.annotation)
    value = only_value(frozenset({definition}), life.module)
    return _given(value, life) if value is not None else None


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


def _given(node: ast.expr, life: Life) -> Texts | None:
    match node:
        case ast.Constant(value=str(value)):
            return (value,)
        case ast.IfExp(body=body, orelse=orelse):
            return _both(_given(body, life), _given(orelse, life))
        case ast.Subscript(value=held):
            return _values(held, life)
        case ast.Call(func=ast.Attribute(value=held, attr="get"), args=[_, other], keywords=[]):
            return _both(_values(held, life), _given(other, life))
        case _:
            return None


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
        value = only_value(life.flow.of(node), life.module)
    elif node.id in life.flow.definitions or is_enclosed(node.id, life):
        return None
    else:
        life.constants["", node.id] = None
        value = constant_value(node.id, list(module_level(life.module.tree)), life.module)
    return value if value is not None and not _is_changed(node.id, life) else None


def _is_changed(name: str, life: Life) -> bool:
    """Whether the file puts something into what the name holds, or hands it on."""
    for node in ast.walk(life.module.tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=said), attr=attr)) if said == name and attr in _CHANGES:
                return True
            case ast.Subscript(value=ast.Name(id=said), ctx=ast.Store() | ast.Del()) if said == name:
                return True
            case ast.AugAssign(target=ast.Name(id=said)) if said == name:
                return True
    return False


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
