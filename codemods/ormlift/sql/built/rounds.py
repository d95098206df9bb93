"""Loops that stay and fill lists: what the keys are that they go through, as far as the code says.

A loop is walked once: what a round adds stands for what all add. Tests around narrow the keys: `if key in NAMES`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from ormlift.sql.built.names import dict_of
from ormlift.sql.life.literals import constant_value, only_value
from ormlift.sql.life.model import Life
from ormlift.sql.life.unchanged import is_unchanged
from ormlift.syntax import walk_scope

_SAME = frozenset(["sorted", "list", "tuple", "set", "frozenset", "reversed"])
_DEPTH = 4


@dataclass
class Rounds:
    """One loop, on one way."""

    loop: ast.For | ast.DictComp
    key: str  # the variable of the key; empty where none is a text
    source: str  # the dict whose keys it goes through, as it is called; empty for a list of literals
    keys: tuple[str, ...] | None  # None: not known
    life: Life

    @property
    def targets(self) -> frozenset[str]:
        """The variables that each round binds."""
        target = self.loop.target if isinstance(self.loop, ast.For) else self.loop.generators[0].target
        return frozenset(n.id for n in ast.walk(target) if isinstance(n, ast.Name))

    @property
    def token(self) -> str:
        """What stands for the loop."""
        return f"{self.key}@{self.loop.lineno}"

    def narrow(self, test: ast.expr, *, holds: bool) -> None:
        """Take from a test that comes out so what it says of the key."""
        match test:
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                self.narrow(operand, holds=not holds)
            case ast.BoolOp(op=op, values=values) if isinstance(op, ast.And) is holds:
                for value in values:
                    self.narrow(value, holds=holds)
            case ast.Compare(left=ast.Name(id=name), ops=[op], comparators=[among]) if name == self.key:
                said = _among(op, among, holds=holds, life=self.life)
                if said is not None:
                    self.keys = said if self.keys is None else tuple(k for k in self.keys if k in said)


def _among(op: ast.cmpop, among: ast.expr, *, holds: bool, life: Life) -> tuple[str, ...] | None:
    """The texts that a comparison leaves."""
    if isinstance(op, ast.In if holds else ast.NotIn):
        return texts_of(among, life)
    if isinstance(op, ast.Eq if holds else ast.NotEq) and isinstance(among, ast.Constant):
        return (among.value,) if isinstance(among.value, str) else None
    return None


def rounds_of(loop: ast.stmt, life: Life) -> Rounds | None:
    """What a loop goes through; None where its rounds cannot stand for each other."""
    if not isinstance(loop, ast.For) or loop.orelse:
        return None
    source = _unwrapped(loop.iter)
    match loop.target, source:
        case ast.Name(id=key), _ if (texts := texts_of(source, life)) is not None:
            return Rounds(loop, key, "", texts, life)
        case ast.Tuple(elts=[ast.Name(id=key), ast.Name()]), _ if (texts := _firsts(source, life)) is not None:
            return Rounds(loop, key, "", texts, life)
        case (
            ast.Tuple(elts=[ast.Name(id=key), ast.Name()]),
            ast.Call(func=ast.Attribute(value=ast.Name(id=of), attr="items"), args=[], keywords=[]),
        ):
            return Rounds(loop, key, of, None, life)
        case ast.Name(id=key), ast.Call(func=ast.Attribute(value=ast.Name(id=of), attr="keys"), args=[], keywords=[]):
            return Rounds(loop, key, of, None, life)
        case ast.Name(id=key), ast.Name(id=of) if dict_of(loop) is not None:
            return Rounds(loop, key, of, None, life)
        case _:
            return Rounds(loop, "", "", (), life)


def keys_of_dict(name: str, host: ast.AST, life: Life) -> tuple[str, ...] | None:
    """The keys that a dict may have which a comprehension makes, and that are set behind it; None: not known."""
    found = life.flow.definitions.get(name, set())
    value = only_value(frozenset(found), life.module)
    nodes = [n for n in ast.walk(host) if isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load)]
    sets = [n for n in nodes if _is_set(n, life)]
    if not isinstance(value, ast.DictComp) or name in life.flow.captured:
        return None
    if not is_unchanged((n for n in nodes if n not in sets), life.module):
        return None
    keys = _of_comprehension(value, life)
    more = [life.module.parents[n] for n in sets]
    added = [n.slice.value for n in more if isinstance(n, ast.Subscript) and isinstance(n.slice, ast.Constant)]
    plain = keys is not None and len(added) == len(more) and all(isinstance(key, str) for key in added)
    return tuple(dict.fromkeys((*(keys or ()), *map(str, added)))) if plain else None


def _is_set(node: ast.Name, life: Life) -> bool:
    parent = life.module.parents[node]
    return isinstance(parent, ast.Subscript) and parent.value is node and isinstance(parent.ctx, ast.Store)


def _of_comprehension(node: ast.DictComp, life: Life) -> tuple[str, ...] | None:
    """The keys of `{k: v for k, v in data.items() if k in NAMES}`."""
    if len(node.generators) != 1 or not isinstance(node.key, ast.Name):
        return None
    (loop,) = node.generators
    first = loop.target.elts[0] if isinstance(loop.target, ast.Tuple) else loop.target
    if not isinstance(first, ast.Name) or first.id != node.key.id:
        return None
    known = texts_of(loop.iter, life) if isinstance(loop.target, ast.Name) else _firsts(loop.iter, life)
    rounds = Rounds(node, first.id, "", known, life)
    for test in loop.ifs:
        rounds.narrow(test, holds=True)
    return rounds.keys


def _unwrapped(node: ast.expr) -> ast.expr:
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _SAME and node.args:
        node = node.args[0]
    return node


def texts_of(node: ast.expr, life: Life, depth: int = _DEPTH) -> tuple[str, ...] | None:
    """The texts in a list, tuple, set or dict that stays as it is written; None where that is not known."""
    node = _unwrapped(node)
    match node:
        case ast.Tuple(elts=elts) | ast.List(elts=elts) | ast.Set(elts=elts):
            return _constants(elts)
        case ast.Dict(keys=keys):
            return _constants(keys)
        case ast.Call(func=ast.Attribute(value=held, attr="keys"), args=[], keywords=[]):
            return texts_of(held, life, depth)
        case ast.Name() if depth and (value := _container(node, life)) is not None:
            return texts_of(value, life, depth - 1)
        case _:
            return None


def _firsts(node: ast.expr, life: Life, depth: int = _DEPTH) -> tuple[str, ...] | None:
    """The first of each pair in a list of them, or the keys of a dict that is written out."""
    match node:
        case ast.Tuple(elts=elts) | ast.List(elts=elts):
            pairs = [e.elts for e in elts if isinstance(e, ast.Tuple | ast.List) and len(e.elts) == 2]
            return _constants([pair[0] for pair in pairs]) if len(pairs) == len(elts) else None
        case ast.Call(func=ast.Attribute(value=ast.Dict(keys=keys), attr="items"), args=[], keywords=[]):
            return _constants(keys)
        case ast.Call(func=ast.Attribute(value=ast.Name() as name, attr="items"), args=[], keywords=[]) if depth:
            value = _container(name, life)
            return _constants(value.keys) if isinstance(value, ast.Dict) else None
        case ast.Name() if depth and (value := _container(node, life)) is not None:
            return _firsts(value, life, depth - 1)
        case _:
            return None


def _constants(nodes: list[ast.expr] | list[ast.expr | None]) -> tuple[str, ...] | None:
    """The texts that nodes are, each another one."""
    found = [n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    return tuple(found) if len(found) == len(nodes) == len(set(found)) else None


def _container(node: ast.Name, life: Life) -> ast.expr | None:
    """The list, tuple or dict that a name holds for good."""
    module, flow = life.module, life.flow
    found = flow.of(node)
    if not found and (node.id in flow.definitions or node in flow.captured.get(node.id, ())):
        return None
    value = only_value(found, module) if found else constant_value(node.id, module.tree.body, module)
    if value is None or isinstance(value, ast.Tuple):
        return value
    captured = set(flow.captured.get(node.id, ()))
    loads = [n for n in module.parents if isinstance(n, ast.Name) and n.id == node.id and isinstance(n.ctx, ast.Load)]
    mine = [n for n in loads if not found or flow.of(n) & found or n in captured]
    return value if is_unchanged(mine, module) else None


def may_repeat(rounds: Rounds, lists: frozenset[str]) -> bool:
    """Whether no round sees what another has put into the lists, nor makes them or its variables anew."""
    assert isinstance(rounds.loop, ast.For)
    inside = {n for s in rounds.loop.body for n in (s, *walk_scope(s)) if isinstance(n, ast.Name)}
    bound = any(n.id in rounds.targets and not isinstance(n.ctx, ast.Load) for n in inside if n.id == rounds.key)
    fills = set(_fills(rounds.loop, rounds.key))
    return not bound and all(n in fills for n in inside if n.id in lists)


def _fills(loop: ast.For, by: str) -> Iterator[ast.Name]:
    """The names of lists where they are appended to, and of dicts where the loop's key is set."""
    for node in walk_scope(loop):
        match node:
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name() as name, attr="append" | "extend"))):
                yield name
            case ast.AugAssign(target=ast.Name() as name, op=ast.Add()):
                yield name
            case ast.Assign(targets=[ast.Subscript(value=ast.Name() as name, slice=ast.Name(id=key))]) if key == by:
                yield name
