"""What `row[key]` reads where the key is no constant: a column by its name, by its place, or what is not seen.

A sqlite3.Row takes a place as well as a name, takes names in any case, and raises IndexError for others. A mapping
takes the names as the statement writes them alone, and raises KeyError.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, StrEnum

from ormlift.project.escape.choice import bound_in
from ormlift.sql.life.literals import constant_value, only_value
from ormlift.sql.life.unchanged import is_unchanged
from ormlift.sql.rows.follow import Fact, Follower, Is
from ormlift.syntax import FunctionNode, Module, dotted

_DEPTH = 6
_SAME = frozenset(["sorted", "list", "tuple", "set", "frozenset", "reversed", "iter"])


class Key(StrEnum):
    """What the keys of a row are."""

    NAMES = "names"  # each is a column's name, as the statement writes it
    PLACES = "places"  # each is a number
    OTHERS = "others"  # some are known, and name no column
    UNKNOWN = "unknown"


class _Any(Enum):
    PLACE = "a number"
    NAME = "a name of the row"


_Value = str | int | _Any
_Values = frozenset[_Value]


@dataclass(frozen=True)
class Keys:
    """Tells keys, as far as one function and the constants of its module show them."""

    follower: Follower

    @property
    def _module(self) -> Module:
        return self.follower.module

    def of(self, read: ast.Subscript, fact: Fact) -> Key:
        """What the key of one subscript of a row is."""
        values = self._values(read.slice, fact) or self._guarded(read, fact)
        if values is None:
            return Key.UNKNOWN
        if all(v is _Any.PLACE or isinstance(v, int) for v in values):
            return Key.PLACES
        return Key.NAMES if all(_is_name(v, fact) for v in values) else Key.OTHERS

    def _values(self, node: ast.expr, fact: Fact, depth: int = _DEPTH) -> _Values | None:
        """All that an expression may be; None where that is not seen."""
        match node:
            case ast.Constant(value=bool()):
                return None
            case ast.Constant(value=str() | int() as value):
                return frozenset([value])
            case ast.IfExp(body=body, orelse=orelse):
                return _united(self._values(n, fact, depth - 1) for n in (body, orelse))
            case ast.Call(func=ast.Name(id="len" | "int")) | ast.UnaryOp(op=ast.USub()):
                return frozenset([_Any.PLACE])
            case ast.BinOp(op=ast.Sub()):
                return frozenset([_Any.PLACE])
            case ast.Name() if depth:
                return self._named(node, fact, depth - 1)
            case _:
                return None

    def _named(self, node: ast.Name, fact: Fact, depth: int) -> _Values | None:
        found = self.follower.flow.of(node)
        if found:
            return _united(self._defined(d, fact, depth) for d in found)
        constant = self._constant(node)
        return self._values(constant, fact, 0) if constant is not None else None

    def _defined(self, definition: ast.AST, fact: Fact, depth: int) -> _Values | None:
        """What one definition of a name gives it."""
        parent = self._module.parents.get(definition)
        match parent:
            case ast.arguments() if isinstance(definition, ast.arg):
                is_number = definition.annotation is not None and dotted(definition.annotation) == "int"
                return frozenset([_Any.PLACE]) if is_number else None
            case ast.For(target=target, iter=source) | ast.comprehension(target=target, iter=source):
                return self._elements(source, fact, depth) if target is definition else None
            case ast.Tuple(elts=elts):
                loop = self._module.parents[parent]
                if isinstance(loop, ast.For | ast.comprehension) and loop.target is parent:
                    return self._parts(loop.iter, [e is definition for e in elts].index(True), fact, depth)
                return None
            case ast.Assign(targets=[target], value=value) | ast.NamedExpr(target=target, value=value):
                return self._values(value, fact, depth) if target is definition else None
            case _:
                return None

    def _elements(self, node: ast.expr, fact: Fact, depth: int) -> _Values | None:
        """What a loop over an expression gives."""
        match node:
            case ast.Tuple(elts=elts) | ast.List(elts=elts) | ast.Set(elts=elts):
                return _united(self._values(e, fact, depth) for e in elts)
            case ast.Dict(keys=keys):
                return _united(self._values(k, fact, depth) if k is not None else None for k in keys)
            case ast.Call(func=ast.Name(id="range")):
                return frozenset([_Any.PLACE])
            case ast.Call(func=ast.Name(id=name), args=[inner]) if name in _SAME:
                return self._elements(inner, fact, depth)
            case ast.Call(func=ast.Attribute(value=held, attr="keys"), args=[]):
                return frozenset([_Any.NAME]) if self._is_alike(held, fact) else self._elements(held, fact, depth)
            case ast.Name() if depth and (value := self._container(node)) is not None:
                return self._elements(value, fact, depth - 1)
            case _:
                return None

    def _parts(self, node: ast.expr, place: int, fact: Fact, depth: int) -> _Values | None:
        """What a loop over an expression gives to one of the names that it binds together."""
        match node:
            case ast.Call(func=ast.Name(id="enumerate"), args=[inner, *_]):
                return self._elements(inner, fact, depth) if place else frozenset([_Any.PLACE])
            case ast.Call(func=ast.Name(id="zip"), args=args) if place < len(args):
                return self._elements(args[place], fact, depth)
            case ast.Call(func=ast.Attribute(value=held, attr="items"), args=[]):
                value = self._container(held) if isinstance(held, ast.Name) else held
                listed = (value.keys, value.values)[place % 2] if isinstance(value, ast.Dict) else None
                return _united(self._values(e, fact, depth) if e else None for e in listed) if listed else None
            case ast.Tuple(elts=elts) | ast.List(elts=elts):
                return _united(self._values(e, fact, depth) if e else None for e in _column(elts, place))
            case ast.Name() if depth and (value := self._container(node)) is not None:
                return self._parts(value, place, fact, depth - 1)
            case _:
                return None

    def _container(self, node: ast.Name) -> ast.expr | None:
        """The list, tuple or dict that a name holds for good."""
        flow = self.follower.flow
        found = flow.of(node)
        value = only_value(found, self._module) if found else self._constant(node)
        captured = set(flow.captured.get(node.id, ()))
        if value is None or isinstance(value, ast.Tuple):
            return value
        loads = [n for n in self._module.parents if isinstance(n, ast.Name) and n.id == node.id]
        mine = [n for n in loads if isinstance(n.ctx, ast.Load) and (not found or flow.of(n) & found or n in captured)]
        return value if is_unchanged(mine, self._module) else None

    def _constant(self, node: ast.Name) -> ast.expr | None:
        """What the module binds a name to, once."""
        flow = self.follower.flow
        hidden = node.id in flow.definitions or node in flow.captured.get(node.id, ())
        hidden = hidden or any(node.id in _names_of(a) for a in self._module.ancestors(node))
        return None if hidden else constant_value(node.id, self._module.tree.body, self._module)

    def _is_alike(self, node: ast.expr, fact: Fact) -> bool:
        """Whether an expression is surely a row of the same columns."""
        other = self.follower.visited.get(node)
        return other is not None and other == fact and other.kind is Is.ROW and self.follower.is_sure(node)

    def _guarded(self, read: ast.Subscript, fact: Fact) -> _Values | None:
        """What a test around says of the key: `row[k] if k in row.keys() else None`."""
        key = read.slice
        if not isinstance(key, ast.Name):
            return None
        for test in self._tests(read):
            match test:
                case ast.Compare(left=ast.Name(id=said) as left, ops=[ast.In()], comparators=[held]) if said == key.id:
                    found = self.follower.flow.of(key)
                    if found and found == self.follower.flow.of(left):
                        return self._elements(held, fact, _DEPTH)
        return None

    def _tests(self, node: ast.AST) -> Iterator[ast.expr]:
        """What surely holds where a node stands, as far as the ifs around it say."""
        inner = node
        for around in self._module.ancestors(node):
            if isinstance(around, ast.If | ast.IfExp):
                body = around.body if isinstance(around.body, list) else [around.body]
                yield from _conjuncts(around.test) if inner in body else ()
            elif isinstance(around, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
                yield from (t for g in around.generators if g is not inner for test in g.ifs for t in _conjuncts(test))
            elif isinstance(around, FunctionNode):
                return
            inner = around


def _names_of(around: ast.AST) -> set[str]:
    """The names that a function or lambda binds."""
    if isinstance(around, ast.Lambda):
        return {n.arg for n in ast.walk(around.args) if isinstance(n, ast.arg)}
    return set(bound_in(around)) if isinstance(around, FunctionNode) else set()


def _conjuncts(test: ast.expr) -> list[ast.expr]:
    return test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else [test]


def _column(elements: list[ast.expr], place: int) -> Iterator[ast.expr | None]:
    """One element of each of several tuples."""
    for element in elements:
        parts = element.elts if isinstance(element, ast.Tuple | ast.List) else []
        starred = any(isinstance(p, ast.Starred) for p in parts)
        yield parts[place] if place < len(parts) and not starred else None


def _united(several: Iterable[_Values | None]) -> _Values | None:
    found: set[_Value] = set()
    for values in several:
        if values is None:
            return None
        found |= values
    return frozenset(found)


def _is_name(value: _Value, fact: Fact) -> bool:
    """Whether a value is the name of one column, as it is written."""
    same = [c.label for c in fact.columns if isinstance(value, str) and c.label.lower() == value.lower()]
    return value is _Any.NAME or same == [value]
