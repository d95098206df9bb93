"""Which variables of a function may hold what others hold too, so that what is put there outlives the function."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ormlift.project.flow.knowledge import BUILTINS, CONTAINERS
from ormlift.project.flow.values import Kind, Values, sounds_plain
from ormlift.syntax import dotted

_FRESH = frozenset({"copy", "split", "to_dict", "get_json", "json", "dict", "model_dump"})


@dataclass(frozen=True, slots=True)
class _Hold:
    """How far a value is known to others."""

    itself: bool = False  # it may be another's
    parts: bool = False  # what it holds may be

    def __or__(self, other: _Hold) -> _Hold:
        return _Hold(self.itself or other.itself, self.parts or other.parts)

    @property
    def part(self) -> _Hold:
        """Of a part of it."""
        return _Hold(self.parts, self.parts)


_OWN = _Hold()
_OTHERS = _Hold(itself=True, parts=True)
_MADE = _Hold(parts=True)  # an object of a class, whose attributes may be those of the class


class Shared:
    """Of the variables of one function."""

    def __init__(self, nodes: Sequence[ast.AST], values: Values) -> None:
        """`nodes` are those of the function."""
        self._values = values
        grown = {id(n.target) for n in nodes if isinstance(n, ast.AugAssign)}
        stores = [n for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
        self._known: dict[str, _Hold] = {n.id: _OWN for n in stores if id(n) not in grown}
        while True:
            before = dict(self._known)
            for node in nodes:
                self._bind(node)
            if self._known == before:
                break

    def outlives(self, target: ast.expr, *, itself: bool = False) -> bool:
        """Whether what is put by `target` is found by others: an attribute, an item, a method that takes it.

        With `itself`, the target is what takes it.
        """
        base, steps = target, 0
        while isinstance(base, ast.Attribute | ast.Subscript | ast.Call):
            steps += not isinstance(base, ast.Call)
            base = base.func if isinstance(base, ast.Call) else base.value
        if not isinstance(base, ast.Name):
            return True
        if base.id == self._values.session:
            return False
        hold = self._known.get(base.id, _OTHERS)
        return hold.itself or (hold.parts and steps > (0 if itself else 1))

    def _bind(self, node: ast.AST) -> None:
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self._to(target, self._of(value), value)
            case ast.AnnAssign(target=target, value=ast.expr() as value) | ast.NamedExpr(target=target, value=value):
                self._to(target, self._of(value), value)
            case ast.For(target=target, iter=value) | ast.AsyncFor(target=target, iter=value):
                self._to(target, self._of(value).part, None)
            case ast.comprehension(target=target, iter=value):
                self._to(target, self._of(value).part, None)
            case ast.withitem(context_expr=value, optional_vars=ast.expr() as target):
                self._to(target, _OTHERS if self._of(value).parts else self._of(value), None)
            case _:
                pass

    def _to(self, target: ast.expr, hold: _Hold, value: ast.expr | None) -> None:
        match target:
            case ast.Name(id=name) if name in self._known:
                self._known[name] |= hold
            case ast.Tuple(elts=elts) | ast.List(elts=elts):
                parts = value.elts if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(elts) else []
                for place, inner in enumerate(elts):
                    self._to(inner, self._of(parts[place]) if parts else hold.part, None)
            case ast.Subscript(value=ast.Name(id=name)) | ast.Attribute(value=ast.Name(id=name)):
                if name in self._known and (hold.itself or hold.parts):
                    self._known[name] |= _MADE
            case _:
                pass

    def _of(self, value: ast.expr) -> _Hold:
        if self._values.kind(value) & ~(Kind.BOX | Kind.FULL):
            return _OWN  # of the session: told by itself
        match value:
            case ast.Name(id=name):
                own = name == self._values.session or (name in BUILTINS and name not in self._known)
                return _OWN if own else self._known.get(name, _OTHERS)
            case ast.Attribute(value=base, attr=attr):
                return _OWN if sounds_plain(attr) else self._of(base).part
            case ast.Subscript(value=base):
                return self._of(base).part
            case ast.BoolOp(values=parts):
                return self._union(parts)
            case ast.IfExp(body=body, orelse=orelse):
                return self._of(body) | self._of(orelse)
            case ast.Await(value=inner) | ast.NamedExpr(value=inner) | ast.Starred(value=inner):
                return self._of(inner)
            case ast.Call():
                return self._called(value)
            case _:
                return self._held(value)

    def _held(self, value: ast.expr) -> _Hold:
        match value:
            case ast.List(elts=elts) | ast.Tuple(elts=elts) | ast.Set(elts=elts):
                return self._box(elts)
            case ast.Dict(values=elts):
                return self._box(elts)
            case ast.ListComp(elt=elt) | ast.SetComp(elt=elt) | ast.GeneratorExp(elt=elt) | ast.DictComp(value=elt):
                return self._box([elt])
            case _:
                return _OWN

    def _box(self, parts: Iterable[ast.expr]) -> _Hold:
        hold = self._union(parts)
        return _Hold(parts=hold.itself or hold.parts)

    def _union(self, parts: Iterable[ast.expr]) -> _Hold:
        hold = _OWN
        for part in parts:
            hold |= self._of(part)
        return hold

    def _called(self, call: ast.Call) -> _Hold:
        """What a call gives: an object of a class, a container of what it is given, or what may be another's."""
        name = dotted(call.func)
        last = call.func.attr if isinstance(call.func, ast.Attribute) else name
        given = self._box([*call.args, *(k.value for k in call.keywords)])
        if last in CONTAINERS or last in _FRESH or sounds_plain(last):
            return given
        if last[:1].isupper():
            return _MADE
        if isinstance(call.func, ast.Attribute) and name.partition(".")[0] in self._known:
            return self._of(call.func.value).part
        if self._values.knowledge.is_harmless(call.func) and last not in ("getattr", "setdefault"):
            return given
        return _OTHERS
