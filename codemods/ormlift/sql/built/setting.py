"""What a statement leaves in the variables that it binds or changes."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from ormlift.sql.built.evaluate import Evaluator
from ormlift.sql.built.names import CHANGES
from ormlift.sql.built.values import Item, Items, Keyed, State, Value, Words


@dataclass
class Setter:
    """Changes the state of one way, a statement at a time."""

    state: State
    evaluate: Evaluator
    lost: Callable[[ast.stmt], None]  # raises Refused
    chunks: bool = True  # a text knows the expression that it comes from
    helped: dict[ast.stmt, bool] = field(default_factory=dict)  # calls of functions that build, and whether lists have
    # the same items by themselves as before

    def execute(self, statement: ast.stmt, names: Iterable[str]) -> None:
        """Execute a statement that binds or changes these variables."""
        bound, call = _targets(statement), call_of(statement)
        given = set() if call is None else set(self.evaluate.helpers.given(call))
        self.state.update(dict.fromkeys(set(names) - given - set(bound)))  # bound beside it, as by `:=`
        if call is not None and self.evaluate.is_helper(call):
            self._call(call, statement, bound, set(names))
        elif len(bound) == 1:
            self._set_one(bound[0], statement)
        else:
            self._set_several(bound, statement)

    def _call(self, call: ast.Call, statement: ast.stmt, bound: Sequence[str], names: set[str]) -> None:
        """Run a function of the project."""
        found = self.evaluate.called(call, statement)
        before = dict(self.state)
        self.state.update(dict.fromkeys(names) if found is None else found.changed)
        if found is None:
            return
        if bound and any(owner and [owner] != list(bound[n : n + 1]) for n, owner in enumerate(found.shared)):
            self.lost(statement)  # two names for one list
        fits = len(found.returned) == len(bound)
        for n, name in enumerate(bound):
            self.state[name] = self._chunked(found.returned[n], call, statement) if fits else None
        same = all(own_nodes(self.state.get(name)) == own_nodes(before.get(name)) for name in names)
        self.helped[statement] = same and self.helped.get(statement, True)

    def _set_several(self, bound: Sequence[str], statement: ast.stmt) -> None:
        value = statement.value if isinstance(statement, ast.Assign) else None
        elements = value.elts if isinstance(value, ast.Tuple) else []
        plain = len(elements) == len(bound) and not any(isinstance(e, ast.Name | ast.Starred) for e in elements)
        values = [self._chunked(self.evaluate.value(e, statement), e, statement) if plain else None for e in elements]
        self.state.update(zip(bound, values if plain else [None] * len(bound), strict=True))

    def _set_one(self, name: str, statement: ast.stmt) -> None:
        held: Value | None = None
        match statement:
            case ast.Assign(targets=[ast.Name()], value=ast.BinOp(ast.Name(id=left), ast.Add(), right=value)) if (
                name == left
            ):
                held = self._added(name, value, statement, new=True)
            case ast.Assign(targets=[ast.Name()], value=value) | ast.AnnAssign(value=ast.expr() as value):
                if isinstance(value, ast.Name) and isinstance(self.state.get(value.id), Items | Keyed):
                    self.lost(statement)  # two names for one list
                held = self._chunked(self.evaluate.value(value, statement), value, statement)
            case ast.AugAssign(op=ast.Add(), value=value):
                held = self._added(name, value, statement)
            case ast.Assign(targets=[ast.Subscript(slice=slice_)], value=value):
                held = self._set(name, [(slice_, value)], statement)
            case ast.Expr(value=ast.Call(func=ast.Attribute(attr=attr), args=args, keywords=keywords)):
                held = self._called(name, attr, args, keywords, statement)
        self.state[name] = held

    def _chunked(self, held: Value | None, value: ast.expr, place: ast.stmt) -> Value | None:
        """A text knows the expression that it comes from."""
        if not isinstance(held, Words) or isinstance(value, ast.Name) or not self.chunks:
            return held
        chunk = Item(self.evaluate.chosen(value), place)
        return Words(tuple(part if part.chunk else replace(part, chunk=chunk) for part in held.parts))

    def _added(self, name: str, value: ast.expr, place: ast.stmt, *, new: bool = False) -> Items | Words | None:
        """What `+=` leaves; `x = x + [..]` makes a new list, of known items only."""
        match self.state.get(name):
            case Words(parts=parts):
                text = self.evaluate.text(value)
                added = self._chunked(Words(text), value, place) if text is not None else None
                return Words((*parts, *added.parts)) if isinstance(added, Words) else None
            case Items(items=items):
                more = self.evaluate.items(value, place) if new else self.evaluate.several(value, place)
                return Items((*items, *more)) if more is not None else None
            case _:
                return None

    def _set(self, name: str, pairs: Iterable[tuple[ast.expr, ast.expr]], place: ast.stmt) -> Keyed | None:
        held = self.state.get(name)
        if not isinstance(held, Keyed):
            return None
        found = dict(held.items)
        for key, value in pairs:
            if self.evaluate.is_round_key(key):
                item = self.evaluate.item(value, place)
                found[f"**{item.loop}"] = item
                continue
            if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
                return None
            found[key.value] = self.evaluate.item(value, place, key.value)
        return Keyed(found)

    def _called(
        self, name: str, attr: str, args: list[ast.expr], keywords: list[ast.keyword], place: ast.stmt
    ) -> Items | Keyed | None:
        match self.state.get(name), attr, args:
            case Items(items=items), "append", [value]:
                return Items((*items, self.evaluate.item(value, place)))
            case Items(items=items), "extend", [value]:
                return Items((*items, *self.evaluate.several(value, place)))
            case Keyed(items=keyed), "update", []:
                known = [(k.arg, k.value) for k in keywords]
                if any(key is None for key, _ in known):
                    return None
                return Keyed({**keyed, **{k: self.evaluate.item(v, place, k) for k, v in known if k}})
            case Keyed(items=keyed), "update", [value]:
                more = self.evaluate.keyed(value, place) if not keywords else None
                return Keyed({**keyed, **more.items}) if more is not None else None
            case _:
                return None


def own_nodes(value: Value | None) -> list[ast.expr] | None:
    """What is in a list but for what stands in the statement itself."""
    return [item.node for item in value.items if not item.foreign] if isinstance(value, Items) else None


def _targets(statement: ast.stmt) -> tuple[str, ...]:
    """The variables that a statement binds or changes in a way that can be followed."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.Assign(targets=[ast.Subscript(value=ast.Name(id=name))]):
            return (name,)
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr()) | ast.AugAssign(target=ast.Name(id=name)):
            return (name,)
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attr))) if attr in CHANGES:
            return (name,)
        case ast.Assign(targets=[ast.Tuple(elts=elts)]) if all(isinstance(e, ast.Name) for e in elts):
            return tuple(e.id for e in elts if isinstance(e, ast.Name))
        case _:
            return ()


def call_of(statement: ast.stmt) -> ast.Call | None:
    """The call whose value is bound, or dropped."""
    match statement:
        case ast.Assign(targets=[ast.Name() | ast.Tuple()], value=ast.Call() as call):
            return call
        case ast.AnnAssign(target=ast.Name(), value=ast.Call() as call) | ast.Expr(value=ast.Call() as call):
            return call
        case _:
            return None
