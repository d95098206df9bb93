"""The texts that an expression may give where the code says them all: those of a loop, a mapping, a test before it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from itertools import product

from ormlift.sql.life.literals import constant_value, is_enclosed, only_value
from ormlift.sql.life.model import Life
from ormlift.syntax import dotted, module_level

_MOST = 24
_DEPTH = 6
_READS = frozenset(["items", "keys", "values", "get", "copy", "index", "count"])
_TAKES = frozenset(["len", "list", "tuple", "set", "sorted", "enumerate", "frozenset", "dict", "join", "print", "str"])
Words = tuple[str, ...]


def words_of(node: ast.expr, life: Life, depth: int = _DEPTH) -> Words | None:
    """All texts that `node` may give; None where they cannot be told."""
    if depth == 0:
        return None
    match node:
        case ast.Constant(value=str(value)):
            return (value,)
        case ast.Name():
            return _of_name(node, life, depth - 1)
        case ast.IfExp(body=body, orelse=orelse):
            return _united([words_of(body, life, depth - 1), words_of(orelse, life, depth - 1)])
        case ast.JoinedStr(values=values):
            return _joined([_part(value, life, depth) for value in values])
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _joined([words_of(left, life, depth - 1), words_of(right, life, depth - 1)])
        case ast.Subscript(value=ast.Name() as of, ctx=ast.Load()):
            return _mapped(of, life)
        case ast.Call(func=ast.Attribute(value=ast.Name() as of, attr="get"), args=[_, default], keywords=[]):
            return _united([_mapped(of, life), words_of(default, life, depth - 1)])
        case _:
            return None


def _part(value: ast.expr, life: Life, depth: int) -> Words | None:
    if not isinstance(value, ast.FormattedValue):
        return words_of(value, life, depth - 1)
    plain = value.conversion == -1 and value.format_spec is None
    return words_of(value.value, life, depth - 1) if plain else None


def _united(found: Iterable[Words | None]) -> Words | None:
    known: list[str] = []
    for words in found:
        if words is None:
            return None
        known += words
    return tuple(dict.fromkeys(known)) if 0 < len(known) <= _MOST else None


def _joined(parts: Sequence[Words | None]) -> Words | None:
    known = [part for part in parts if part is not None]
    if len(known) != len(parts):
        return None
    return _united([tuple("".join(pieces) for pieces in product(*known))])


# Names


def _of_name(name: ast.Name, life: Life, depth: int) -> Words | None:
    definitions = life.flow.of(name)
    if not definitions or name.id in life.flow.captured:
        return None
    return _united(_bound(definition, name, life, depth) for definition in definitions)


def _bound(definition: ast.AST, name: ast.Name, life: Life, depth: int) -> Words | None:
    """What one definition gives, or a test lets through."""
    value = only_value(frozenset({definition}), life.module)
    words = words_of(value, life, depth) if value is not None else _looped(definition, life)
    return words if words is not None else _tested(definition, name, life)


def _looped(definition: ast.AST, life: Life) -> Words | None:
    """What a loop over literals binds."""
    target, place = definition, 0
    parent = life.module.parents.get(definition)
    if isinstance(parent, ast.Tuple) and isinstance(definition, ast.expr):
        target, place, parent = parent, parent.elts.index(definition), life.module.parents.get(parent)
    if not isinstance(parent, ast.For) or parent.target is not target:
        return None
    if target is definition:
        return _keys(parent.iter, life)
    match parent.iter:
        case ast.Call(func=ast.Attribute(value=of, attr="items"), args=[], keywords=[]):
            return _keys(of, life) if place == 0 else None
        case _:
            rows = _literal(parent.iter, life)
            return _column(rows, place) if isinstance(rows, ast.Tuple | ast.List) else None


def _column(rows: ast.Tuple | ast.List, place: int) -> Words | None:
    cells = [row.elts[place] if isinstance(row, ast.Tuple) and place < len(row.elts) else row for row in rows.elts]
    return _united(_constant(cell) for cell in cells)


def _constant(node: ast.expr | None) -> Words | None:
    return (node.value,) if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


# Literals of several texts


def _keys(node: ast.expr, life: Life) -> Words | None:
    """The items of a list or tuple, the keys of a dict."""
    match node:
        case ast.Call(func=ast.Attribute(value=inner, attr="keys"), args=[], keywords=[]):
            return _keys(inner, life)
        case ast.Call(func=ast.Name(id="list" | "tuple" | "set" | "sorted" | "frozenset"), args=[inner], keywords=[]):
            return _keys(inner, life)
    match _literal(node, life):
        case ast.List(elts=elts) | ast.Tuple(elts=elts) | ast.Set(elts=elts):
            return _united(_constant(element) for element in elts)
        case ast.Dict(keys=keys):
            return _united(_constant(key) for key in keys)
        case ast.Call(func=ast.Name(id="set" | "frozenset" | "tuple"), args=[inner], keywords=[]):
            return _keys(inner, life)
        case _:
            return None


def _mapped(name: ast.Name, life: Life) -> Words | None:
    """The values of a dict."""
    literal = _literal(name, life)
    return _united(_constant(value) for value in literal.values) if isinstance(literal, ast.Dict) else None


def _literal(node: ast.expr, life: Life) -> ast.expr | None:
    """The display itself, or what a variable holds that nothing changes."""
    if not isinstance(node, ast.Name):
        return node
    definitions = life.flow.of(node)
    if definitions:
        value = only_value(definitions, life.module)
        scope: ast.AST = life.host
    elif node.id in life.flow.definitions or is_enclosed(node.id, life):
        return None
    else:
        value, scope = constant_value(node.id, list(module_level(life.module.tree)), life.module), life.module.tree
    captured = definitions and node.id in life.flow.captured
    return value if value is not None and not captured and _is_only_read(node.id, scope, life) else None


def _is_only_read(name: str, scope: ast.AST, life: Life) -> bool:
    """Whether no mention of a variable may change what it holds; `x[k] += 1` adds no key."""
    loads = (n for n in ast.walk(scope) if isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load))
    return all(_reads(node, life.module.parents) for node in loads)


def _reads(node: ast.Name, parents: dict[ast.AST, ast.AST]) -> bool:
    parent = parents[node]
    match parent:
        case ast.Subscript(value=value, ctx=ctx):
            changed = not isinstance(ctx, ast.Load) and not isinstance(parents[parent], ast.AugAssign)
            return value is node and not changed
        case ast.Attribute(attr=attr):
            return attr in _READS
        case ast.Call(func=func):
            return dotted(func).rpartition(".")[2] in _TAKES or _is_join(func)
        case _:
            return isinstance(parent, ast.Compare | ast.For | ast.comprehension | ast.FormattedValue | ast.If)


def _is_join(func: ast.expr) -> bool:
    return isinstance(func, ast.Attribute) and func.attr == "join"


# Tests before it


def _tested(definition: ast.AST, name: ast.Name, life: Life) -> Words | None:
    """What an `if name not in (..): raise` before the use, or an `if name in (..)` around it, lets through."""
    module = life.module
    statement: ast.AST = module.statement(name)
    while statement is not life.host and isinstance(statement, ast.stmt):
        suite, around = module.suite(statement), module.parents[statement]
        for before in reversed(suite[: suite.index(statement)]):
            words = _let_through(before, definition, name, life)
            if words is not None:
                return words
        if isinstance(around, ast.If) and suite is around.body:
            words = _let_in(around.test, definition, name, life)
            if words is not None:
                return words
        statement = around
        while not isinstance(statement, ast.stmt | ast.Module):
            statement = module.parents[statement]
    return None


def _let_through(statement: ast.stmt, definition: ast.AST, name: ast.Name, life: Life) -> Words | None:
    if not isinstance(statement, ast.If) or statement.orelse or not statement.body:
        return None
    last = statement.body[-1]
    rebinds = any(
        isinstance(n, ast.Name) and n.id == name.id and not isinstance(n.ctx, ast.Load) for n in ast.walk(last)
    )
    if not isinstance(last, ast.Raise | ast.Return | ast.Continue | ast.Break) and not (
        rebinds and isinstance(last, ast.Assign)
    ):
        return None
    test = statement.test
    tests = test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or) else [test]
    found = (_among(test, ast.NotIn, definition, name, life) for test in tests)
    return next((words for words in found if words is not None), None)


def _let_in(test: ast.expr, definition: ast.AST, name: ast.Name, life: Life) -> Words | None:
    tests = test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else [test]
    found = (_among(inner, ast.In, definition, name, life) for inner in tests)
    return next((words for words in found if words is not None), None)


def _among(test: ast.expr, kind: type[ast.cmpop], definition: ast.AST, name: ast.Name, life: Life) -> Words | None:
    """The items of `name in (..)`, of the same definition."""
    match test:
        case ast.Compare(left=ast.Name(id=said) as left, ops=[op], comparators=[listed]) if said == name.id:
            return _keys(listed, life) if isinstance(op, kind) and definition in life.flow.of(left) else None
        case ast.UnaryOp(op=ast.Not(), operand=operand) if kind is ast.NotIn:
            return _among(operand, ast.In, definition, name, life)
        case _:
            return None
