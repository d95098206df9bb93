"""The ways through a function, as far as they matter to a text that is built in it, and what is executed on each."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from ormlift.sql.built.evaluate import Evaluator, empty_or_not
from ormlift.sql.built.gathered import gathered
from ormlift.sql.built.helpers import Helpers
from ormlift.sql.built.names import changed, dict_of, does
from ormlift.sql.built.rounds import keys_of_dict, may_repeat, rounds_of
from ormlift.sql.built.setting import Setter
from ormlift.sql.built.values import KEY, Item, Items, Keyed, Part, Several, State, Text, Value, Words
from ormlift.sql.life.model import Life
from ormlift.sql.life.pure import acts, does_more, looks
from ormlift.sql.life.refuse import Refused
from ormlift.sql.life.swallow import may_swallow
from ormlift.sql.life.unchanged import is_unchanged
from ormlift.syntax import walk_scope

MOST = 64
_ADVICE = "write each statement as one literal, or build a select() step by step"
_LOOPS = ast.For | ast.AsyncFor | ast.While


@dataclass(frozen=True)
class Seen:
    """What one call executes on one way."""

    text: Text
    given: tuple[Item, ...] | dict[str, Item]
    held: dict[tuple[str, bool], tuple[ast.expr, ...]] = field(default_factory=dict)  # by variable, and whether it is a
    # text: what is in it when it executes


class _EndError(Exception):
    """The way leaves the function, or the loop."""

    def __init__(self, *, leaves: bool = True) -> None:
        super().__init__()
        self.leaves = leaves  # the function


@dataclass
class Walk:
    """All ways, each walked by itself."""

    life: Life
    names: frozenset[str]  # the variables that the texts are built from
    calls: dict[ast.Call, tuple[ast.expr, ast.expr | None]]  # with the expressions of the text and the parameters
    helpers: Helpers
    found: dict[ast.Call, list[Seen]] = field(default_factory=dict)
    touched: dict[ast.stmt, set[str]] = field(default_factory=dict)  # statements that build, and what they change
    held: dict[ast.stmt, Value | Several | None] = field(default_factory=dict)  # what each leaves in its variables
    sources: set[str] = field(default_factory=set)  # what loops that stay read
    helped: dict[ast.stmt, bool] = field(default_factory=dict)  # calls of functions that build; true: lists may stay
    opens: dict[str, Item] = field(default_factory=dict)  # dicts whose keys are not known
    partial: bool = False  # there are too many ways: not all of them were walked
    guards: set[str] = field(default_factory=set)  # variables that some way has been left for, by what is in them
    mutated: set[str] = field(
        default_factory=set
    )  # names of the function of which parts are set, or methods change them
    _changes: dict[ast.AST, frozenset[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Find the dicts whose keys may not be known, and what is changed."""
        for node in ast.walk(self.life.host):
            if isinstance(node, ast.Call | ast.Assign):
                self.mutated |= {name for name, _ in changed(node) if not _is_plain(node)}
            name = dict_of(node)
            if name is not None and name.id in self.names:
                place, keys = self.life.module.statement(name), keys_of_dict(name.id, self.life.host, self.life)
                self.opens.setdefault(name.id, Item(name, place, many=True, open=name.id, keys=keys))

    def run(self) -> None:
        """Walk them. Raises Refused where what is built cannot be followed."""
        pending: list[dict[str, bool]] = [{}]
        walked = 0
        while pending:
            walked += 1
            if walked > MOST:
                self._cover()
                return
            way = _Way(self, pending.pop())
            way.run()
            fixed = list(way.forced)
            for number, key in enumerate(way.asked):
                if key not in fixed:
                    pending.append({**way.forced, **dict.fromkeys(way.asked[:number], False), key: True})

    def to_inline(self) -> set[ast.stmt]:
        """The calls of functions that add to the SQL on some of the ways only."""
        found: set[ast.stmt] = set()
        for seen in self.found.values():
            added = [{part.foreign for part in one.text if part.foreign in self.helpers.places} for one in seen]
            some = {node for nodes in added for node in nodes if not all(node in others for others in added)}
            found |= {self.helpers.places[node] for node in some}
        return found

    def _cover(self) -> None:
        """Too many ways: none of the branches, all of them, each alone, and all but one."""
        self.found.clear()
        self.partial = True
        keys: dict[str, None] = {}
        for answer in (False, True):
            way = _Way(self, {}, answer)
            way.run()
            keys |= dict.fromkeys(way.asked)
        for key in keys:
            for answer in (False, True):
                _Way(self, {key: not answer}, answer).run()

    def changes(self, node: ast.AST) -> frozenset[str]:
        """The variables of the text that a statement binds or changes."""
        if node not in self._changes:
            found = {name for inner in (node, *walk_scope(node)) for name, _ in changed(inner)}
            found |= {name for inner in (node, *walk_scope(node)) for name in self.helpers.given(inner)}
            self._changes[node] = frozenset(found & self.names)
        return self._changes[node]

    @property
    def builders(self) -> frozenset[str]:
        """The variables that hold texts, lists or dicts that are known."""
        return frozenset(n for s, names in self.touched.items() if self.held.get(s) is not None for n in names)

    def see(self, call: ast.Call, seen: Seen) -> None:
        """Note what is executed."""
        known = self.found.setdefault(call, [])
        if all(not _same(seen, other) for other in known):
            known.append(seen)


def _is_plain(node: ast.AST) -> bool:
    return isinstance(node, ast.Assign) and all(not isinstance(target, ast.Subscript) for target in node.targets)


def _same(one: Seen, other: Seen) -> bool:
    def told(seen: Seen) -> list[object]:
        given = seen.given.values() if isinstance(seen.given, dict) else seen.given
        return [*((p.text, p.item and p.item.node) for p in seen.text), *((g.node, g.key) for g in given)]

    return told(one) == told(other)


class _Way:
    """One way, by the answers that its tests are given."""

    def __init__(self, walk: Walk, forced: dict[str, bool], otherwise: bool = False) -> None:
        self.walk, self.forced, self.otherwise = walk, forced, otherwise
        self.state: State = {}
        self.asked: list[str] = []
        self.done = 0  # the line of what was done last
        self.used: set[str] = set()
        self.evaluate = Evaluator(walk.life, self.state, self.decide, walk.opens, self.used, walk.helpers, self.ask)
        self.setter = Setter(self.state, self.evaluate, self._lost, helped=walk.helped)

    def run(self) -> None:
        try:
            self.suite(self.walk.life.host.body)
        except _EndError:
            return

    # Tests

    def decide(self, test: ast.expr) -> bool:
        """How a test comes out: as the state says, else as this way is told."""
        known = self._known(test)
        if known is not None:
            return known
        match test:
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return not self.decide(operand)
            case ast.Compare(left=left, ops=[ast.IsNot()], comparators=[right]):
                return not self.decide(ast.copy_location(ast.Compare(left, [ast.Is()], [right]), test))
        return self.ask(self._key(test))

    def ask(self, key: str) -> bool:
        """How a test comes out that is called so."""
        if key in self.forced:
            return self.forced[key]
        if key not in self.asked:
            self.asked.append(key)
        return self.otherwise

    def _known(self, test: ast.expr) -> bool | None:
        match test:
            case ast.Name(id=name) if name in self.walk.names:
                return empty_or_not(self.state.get(name))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                inner = self._known(operand)
                return None if inner is None else not inner
            case ast.Call(func=ast.Name(id="len" | "bool"), args=[ast.Name() as inner], keywords=[]):
                return self._known(inner)
            case ast.Compare(left=left, ops=[ast.Gt() | ast.NotEq()], comparators=[ast.Constant(value=0)]):
                return self._known(left) if isinstance(left, ast.Call) else None
            case ast.Compare(left=left, ops=[ast.Eq()], comparators=[ast.Constant(value=0)]):
                inner = self._known(left) if isinstance(left, ast.Call) else None
                return None if inner is None else not inner
            case _:
                return None

    def _key(self, test: ast.expr) -> str:
        """The same for tests that come out the same: of names that are bound once, and nothing done.

        What they read off them is the same while nothing is done.
        """
        definitions = self.walk.life.flow.definitions
        names = [n.id for n in ast.walk(test) if isinstance(n, ast.Name)]
        stable = all(len(definitions.get(name, ())) < 2 and name not in self.walk.mutated for name in names)
        if not stable or acts(test) or does_more(test, self.walk.life.module):
            return f"{id(test)} {test.lineno}"
        return f"{self.done if looks(test) else 0} {ast.dump(test)}"

    # Statements

    def suite(self, statements: Sequence[ast.stmt]) -> None:
        for statement in statements:
            self._statement(statement)

    def _statement(self, statement: ast.stmt) -> None:
        match statement:
            case ast.If():
                self._if(statement)
            case ast.With() | ast.AsyncWith():
                self._see(*(item.context_expr for item in statement.items))
                self._unknown(*statement.items)
                swallows = may_swallow(statement, self.walk.life.module)
                if swallows and self._changes(statement) and not self._holds_all(statement):
                    self._lost(statement)
                self.suite(statement.body)
            case ast.Try():
                self._try(statement)
            case ast.For() | ast.AsyncFor() | ast.While():
                self._loop(statement)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                self.state[name] = None
            case ast.Match() if self._matters(statement):
                self._lost(statement)
            case _:
                self._see(statement)
                self._build(statement)
                if isinstance(statement, ast.Return | ast.Raise | ast.Break | ast.Continue):
                    raise _EndError(leaves=isinstance(statement, ast.Return | ast.Raise))

    def _note(self, *nodes: ast.AST) -> None:
        """Note what is done, behind which an attribute or item may be another."""
        for inner in (n for node in nodes for n in (node, *walk_scope(node))):
            if does(inner, self.walk.names):
                self.done = getattr(inner, "lineno", self.done)

    def _if(self, statement: ast.If) -> None:
        self._see(statement.test)
        self._unknown(statement.test)
        if not self._matters(statement):
            self._note(statement)
            known = self._known(statement.test)
            if known is None and self.evaluate.rounds is not None and _leaves(statement.body):
                self.evaluate.rounds.narrow(statement.test, holds=False)
            if known is None or not _leaves(statement.body if known else statement.orelse):
                return
            self.walk.guards |= {n.id for n in ast.walk(statement.test) if isinstance(n, ast.Name)}
            raise _EndError(leaves=_returns(statement.body if known else statement.orelse))
        holds = self.decide(statement.test)
        if self.evaluate.rounds is not None:
            self.evaluate.rounds.narrow(statement.test, holds=holds)
        self.suite(statement.body if holds else statement.orelse)

    def _try(self, statement: ast.Try) -> None:
        self._note(statement)
        left = _leaves if self.evaluate.rounds is None else _returns  # behind a round, what is built is still used
        falls = any(not left(handler.body) for handler in statement.handlers)
        if falls and self._changes(statement) and not self._holds_all(statement):
            self._lost(statement)
        if any(self._matters(handler) for handler in statement.handlers):
            before = dict(self.state)
            inner = any(self._matters(s) for s in statement.body)
            if inner or any(self._changes(h) for h in statement.handlers):
                self._lost(statement)
            for handler in statement.handlers:
                try:
                    self.suite(handler.body)
                except _EndError:
                    continue
            self.state.clear()
            self.state.update(before)
        ended: _EndError | None = None
        try:
            self.suite(statement.body)
            self.suite(statement.orelse)
        except _EndError as end:
            ended = end
        self.suite(statement.finalbody)
        if ended is not None:
            raise ended

    def _holds_all(self, statement: ast.stmt) -> bool:
        inside = set(ast.walk(statement))
        return all(call in inside for call in self.walk.calls)

    def _loop(self, statement: ast.For | ast.AsyncFor | ast.While) -> None:
        self._note(statement)
        head = statement.test if isinstance(statement, ast.While) else statement.iter
        self._see(head)
        self._unknown(head)
        if self._matters(statement) and not self._gather(statement) and not self._repeat(statement):
            unknown = dict.fromkeys(self._changes(statement))  # may be of an earlier round, and behind it of none
            self.state.update(unknown)
            with suppress(_EndError):
                self.suite(statement.body)
            self.state.update(unknown)
        self.suite(statement.orelse)

    def _gather(self, statement: ast.stmt) -> bool:
        """Whether a loop does nothing but to take the items of a dict over into lists; then they are filled."""
        names = self._changes(statement)
        plain = self.evaluate.rounds is None and not any(c in self.walk.calls for c in walk_scope(statement))
        lists = gathered(statement, self.evaluate) if plain else None
        if lists is None:
            return False
        self.state.update(dict.fromkeys(names))
        self.state.update(lists)
        self.walk.touched.setdefault(statement, set()).update(lists)
        self.walk.held[statement] = Several(dict(lists))
        return True

    def _repeat(self, statement: ast.stmt) -> bool:
        """Whether a loop fills lists in a way that one round shows; then they hold what a round adds."""
        rounds = rounds_of(statement, self.walk.life)
        lists = self._changes(statement) - (rounds.targets if rounds is not None else set())
        executes = any(inner in self.walk.calls for inner in walk_scope(statement))
        if rounds is None or executes or self.evaluate.rounds is not None or not may_repeat(rounds, lists):
            return False
        self.walk.sources |= {n.id for n in ast.walk(rounds.loop) if isinstance(n, ast.Name)} - lists
        if not self.ask(f"rounds of the loop on line {statement.lineno}"):
            return True
        before = dict(self.state)
        if rounds.keys is None:
            rounds.keys = self._keys(rounds.source)
        self.state[rounds.key] = Words((Part(KEY),))
        self.evaluate.rounds = rounds
        try:
            self.suite(statement.body if isinstance(statement, ast.For) else [])
        except _EndError as end:
            if end.leaves:
                raise
        self.evaluate.rounds = None
        self.state.update({name: self._repeated(before.get(name), self.state.get(name)) for name in lists})
        self.state.update(dict.fromkeys(rounds.targets))
        return True

    def _keys(self, name: str) -> tuple[str, ...] | None:
        """The keys that a dict has by now; None where they are not known, or something else may have changed it."""
        held, life = self.state.get(name), self.walk.life
        if not isinstance(held, Keyed) or any(item.open for item in held.items.values()):
            return None
        inside = {n for s in self.walk.touched for n in ast.walk(s)}
        loads = [n for n in ast.walk(life.host) if isinstance(n, ast.Name) and n.id == name and n not in inside]
        plain = is_unchanged((n for n in loads if isinstance(n.ctx, ast.Load)), life.module, may_end=True)
        return tuple(held.items) if plain and name not in life.flow.captured else None

    @staticmethod
    def _repeated(before: Value | None, now: Value | None) -> Value | None:
        """A list that has grown, or a dict of parameters by the loop's keys; None for what is neither."""
        if isinstance(before, Keyed) and isinstance(now, Keyed):
            more = [key for key, item in now.items.items() if before.items.get(key) is not item]
            return now if all(key.startswith("**") for key in more) else None
        return now if isinstance(before, Items) and isinstance(now, Items) else None

    def _unknown(self, *nodes: ast.AST) -> None:
        """What is bound in the head of a block is not known."""
        for name in {name for node in nodes for name in self._changes(node)}:
            self.state[name] = None

    def _lost(self, statement: ast.stmt) -> None:
        message = f"what is built cannot be followed through the statement on line {statement.lineno}"
        raise Refused("dynamic-sql", f"{message}; {_ADVICE}")

    def _changes(self, node: ast.AST) -> frozenset[str]:
        return self.walk.changes(node)

    def _matters(self, node: ast.AST) -> bool:
        """Whether a statement builds, or executes what is built."""
        return bool(self._changes(node)) or any(inner in self.walk.calls for inner in walk_scope(node))

    def _see(self, *nodes: ast.AST) -> None:
        """Note the calls in a statement or expression, and what it does."""
        self._note(*nodes)
        for inner in (n for node in nodes for n in (node, *walk_scope(node))):
            if isinstance(inner, ast.Call) and inner in self.walk.calls:
                self._execute(inner)

    def _execute(self, call: ast.Call) -> None:
        node, parameters = self.walk.calls[call]
        text = self.evaluate.text(node)
        if text is None:
            raise Refused("dynamic-sql", f"the SQL on line {call.lineno} is put together at run time; {_ADVICE}")
        given = self._given(parameters, self.walk.life.module.statement(call))
        if given is None:
            message = f"the parameters on line {call.lineno} are not written one by one"
            raise Refused("parameters-unknown", f"{message}; write them as a tuple or a dict")
        held = {_holder(name, value): _nodes(value) for name, value in self.state.items() if value is not None}
        self.walk.see(call, Seen(text, given, held))

    def _given(self, node: ast.expr | None, place: ast.stmt) -> tuple[Item, ...] | dict[str, Item] | None:
        if node is None or (isinstance(node, ast.Constant) and node.value is None):
            return ()
        keyed = self.evaluate.spread(node, place)
        return keyed.items if keyed is not None else self.evaluate.items(node, place)

    # What builds

    def _build(self, statement: ast.stmt) -> None:
        names = self._changes(statement)
        if not names:
            return
        if names & self.used:  # a dict that has been taken over into the text
            self._lost(statement)
        self.walk.touched.setdefault(statement, set()).update(names)
        self.setter.execute(statement, names)
        left = {name: self.state.get(name) for name in names}
        known = {name: value for name, value in left.items() if value is not None}
        if len(names) == 1:
            self.walk.held[statement] = self.state.get(next(iter(names)))
        elif len(known) == len(left):
            self.walk.held[statement] = Several(known)


def _holder(name: str, value: Value) -> tuple[str, bool]:
    return name, isinstance(value, Words)


def _nodes(value: Value) -> tuple[ast.expr, ...]:
    if isinstance(value, Words):
        said = (part for part in value.parts if part.chunk is not None and part.text.strip())
        return tuple(dict.fromkeys(part.chunk.node for part in said if part.chunk is not None))
    items = [i for i in value.items if not i.foreign] if isinstance(value, Items) else value.items.values()
    return tuple(item.node for item in items)


def _leaves(statements: Sequence[ast.stmt]) -> bool:
    return bool(statements) and isinstance(statements[-1], ast.Return | ast.Raise | ast.Continue | ast.Break)


def _returns(statements: Sequence[ast.stmt]) -> bool:
    return bool(statements) and isinstance(statements[-1], ast.Return | ast.Raise)
