"""What a call of a function of the project leaves that builds lists and texts: its body, evaluated for its caller.

Nothing of the function's file is ever written into the caller's: what it puts into a list is `foreign`, and stands in
the statement, or refuses; a value that it puts among parameters must be what its caller passes, or a constant.
"""

from __future__ import annotations

import ast
from dataclasses import replace

from ormlift.sql.built.evaluate import Evaluator, empty_or_not
from ormlift.sql.built.helpers import NONE, Helper, suite_of
from ormlift.sql.built.setting import Setter
from ormlift.sql.built.values import Called, Item, Items, Keyed, Part, State, Text, Value, Words
from ormlift.sql.life.literals import constant_value
from ormlift.sql.life.pure import acts


class _GaveUpError(Exception):
    """The body does something that is not followed."""


class _ReturnedError(Exception):
    """The body returns."""

    def __init__(self, value: ast.expr | None) -> None:
        super().__init__()
        self.value = value


def called(helper: Helper, call: ast.Call, place: ast.stmt, caller: Evaluator) -> Called | None:
    """What the call leaves on the way that its caller is on; None where that is not followed."""
    try:
        return _Body(helper, call, place, caller).run()
    except _GaveUpError:
        return None


class _Body:
    def __init__(self, helper: Helper, call: ast.Call, place: ast.stmt, caller: Evaluator) -> None:
        self.helper, self.call, self.place, self.caller = helper, call, place, caller
        self.state: State = {}
        self.owners: dict[str, str] = {}  # by name in the body, the caller's variable whose list or dict it is
        self.single: dict[str, ast.expr] = {}  # parameters that are single values, each with what the caller passes
        self.changed: dict[str, Value | None] = {}
        self.evaluate = _Inner(self)
        self.setter = Setter(self.state, self.evaluate, self._give_up, chunks=False)

    def run(self) -> Called:
        for name, node in self.helper.arguments.items():
            self._pass(name, node)
        value: ast.expr | None = None
        try:
            self._suite(suite_of(self.helper.function))
        except _ReturnedError as end:
            value = end.value
        several = value.elts if isinstance(value, ast.Tuple) else [value] if value is not None else []
        returned = tuple(self.evaluate.value(node, self.place) for node in several)
        if any(value is None for value in returned):
            raise _GaveUpError
        shared = tuple(self.owners.get(n.id, "") if isinstance(n, ast.Name) else "" for n in several)
        return Called(returned, shared, self.changed)

    def _pass(self, name: str, node: ast.expr) -> None:
        if name in self.helper.defaults:
            if not isinstance(node, ast.Constant):
                raise _GaveUpError
            self.single[name] = node
            self.state[name] = Words((Part(node.value),)) if isinstance(node.value, str) else None
            return
        if acts(node):
            raise _GaveUpError
        value = self.caller.value(node, self.place)
        self.state[name] = _marked(value, node) if isinstance(value, Items) else value
        if value is None:
            self.single[name] = node
        elif isinstance(node, ast.Name) and isinstance(value, Items | Keyed):
            if node.id in self.owners.values():
                raise _GaveUpError  # two names for one list
            self.owners[name] = node.id

    def _give_up(self, _: ast.stmt) -> None:
        raise _GaveUpError

    # Statements

    def _suite(self, statements: list[ast.stmt]) -> None:
        for statement in statements:
            self._statement(statement)

    def _statement(self, statement: ast.stmt) -> None:
        match statement:
            case ast.Return(value=value):
                raise _ReturnedError(value)
            case ast.If(test=test, body=body, orelse=orelse):
                self._suite(body if self.decide(test) else orelse)
            case ast.Pass():
                return
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr()):
                self.setter.execute(statement, {name})
                self._bound(name)
            case ast.AugAssign(target=ast.Name(id=name)):
                self.setter.execute(statement, {name})
                self._changed(name)
            case (
                ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name))))
                | ast.Assign(targets=[ast.Subscript(value=ast.Name(id=name))])
            ):
                self.setter.execute(statement, {name})
                self._changed(name)
            case _:
                raise _GaveUpError

    def _bound(self, name: str) -> None:
        self.owners.pop(name, None)
        self.single.pop(name, None)
        if self.state[name] is None:
            raise _GaveUpError

    def _changed(self, name: str) -> None:
        if self.state[name] is None:
            raise _GaveUpError
        if name in self.owners:
            self.changed[self.owners[name]] = self.state[name]

    # Tests

    def decide(self, test: ast.expr) -> bool:
        """How a test comes out."""
        known = self._known(test)
        if known is not None:
            return known
        if acts(test):
            raise _GaveUpError
        return self.caller.ask(f"{id(test)} of the call on line {self.call.lineno}:{self.call.col_offset}")

    def _known(self, test: ast.expr) -> bool | None:
        match test:
            case ast.Name(id=name) if isinstance(self.single.get(name), ast.Constant):
                return bool(self._constant(name))
            case ast.Name(id=name):
                return empty_or_not(self.state.get(name))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                inner = self._known(operand)
                return None if inner is None else not inner
            case ast.Compare(
                left=ast.Name(id=name), ops=[ast.Is() | ast.IsNot() as op], comparators=[ast.Constant(value=None)]
            ) if isinstance(self.single.get(name), ast.Constant) or self.state.get(name) is not None:
                is_none = self.state.get(name) is None and self._constant(name) is None
                return is_none is isinstance(op, ast.Is)
            case _:
                return None

    def _constant(self, name: str) -> object:
        node = self.single[name]
        assert isinstance(node, ast.Constant)
        return node.value


def _marked(held: Items, node: ast.expr) -> Items:
    """The items of a list that is passed know whose they are: a variable's, or nobody's."""
    if isinstance(node, ast.Name):
        return Items(tuple(i if i.foreign or i.home else replace(i, home=node.id) for i in held.items))
    return Items(tuple(i if i.home else replace(i, foreign=True) for i in held.items))


def _said(node: ast.expr, text: Text | None) -> str:
    """A constant as it is written. Raises where it is none."""
    if isinstance(node, ast.Constant) and not isinstance(node.value, str):
        return repr(node.value)
    if text is None:
        raise _GaveUpError
    plain = all(part.item is None and part.many is None and not part.region for part in text)
    said = repr("".join(part.text for part in text)) if plain else ""
    return said if '"' in said or "\\" in said else said.replace("'", '"')


class _Inner(Evaluator):
    """Evaluates in the body; what it says of code is the caller's."""

    def __init__(self, body: _Body) -> None:
        caller = body.caller
        life = replace(caller.life, module=body.helper.module)
        super().__init__(life, body.state, body.decide, {}, caller.used, NONE, caller.ask)
        self.body, self.holds = body, False

    def item(self, node: ast.expr, place: ast.stmt, key: str = "") -> Item:  # noqa: ARG002
        """One item: what the caller passes, or a constant."""
        body, text = self.body, self.text(node)
        foreign = body.place not in body.caller.helpers.inlined
        name = node.id if isinstance(node, ast.Name) else ""
        passed = body.single.get(name)
        if passed is not None and name not in body.helper.defaults:
            return Item(passed, body.place, text, key=key, foreign=foreign)
        anchor = body.caller.helpers.anchor(body.call, node, body.place)
        return Item(anchor, body.place, text, key=key, said=_said(passed or node, text), foreign=foreign)

    def several(self, node: ast.expr, place: ast.stmt) -> tuple[Item, ...]:
        """Items that are known."""
        known = self.items(node, place)
        if known is None:
            raise _GaveUpError
        return known

    def _constant(self, node: ast.expr) -> Text | None:
        if not isinstance(node, ast.Name) or node.id in self.state:
            return None
        module = self.body.helper.module
        value = constant_value(node.id, module.tree.body, module)
        known = value.value if isinstance(value, ast.Constant) else None
        return (Part(known),) if isinstance(known, str) else None
