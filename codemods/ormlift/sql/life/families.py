"""Lives that go together: a connection that calls hand to functions of the file, which take it as a parameter.

Each such function has a life of its own, of what it is handed. It can take a session instead where every call of it is
seen and hands it one; so a family is rewritten whole, or not at all.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from ormlift.model import Reason
from ormlift.schema import SessionSource, SourceKind
from ormlift.sql.life.callees import Callees
from ormlift.sql.life.commits import autocommits
from ormlift.sql.life.drivers import ASYNC_DRIVERS
from ormlift.sql.life.endings import settle_ends
from ormlift.sql.life.flow import flow
from ormlift.sql.life.model import Does, Handing, How, Life, Use
from ormlift.sql.life.swallow import may_swallow
from ormlift.sql.life.uses import Collector, binds_by_with
from ormlift.syntax import FunctionNode, Module

_ROUNDS = 30  # more than functions hand a connection on, one to the next


@dataclass(eq=False)
class Family:
    """Lives that are rewritten together."""

    lives: list[Life]
    trouble: Reason | None = None  # why none of them can be


@dataclass
class _Spread:
    """Finds the lives of functions that are handed connections."""

    module: Module
    callees: Callees
    lives: list[Life]  # those that open, keep or are given a connection
    handed: dict[FunctionNode, Life] = field(default_factory=dict)

    def run(self) -> None:
        """Until no function is handed anything new."""
        for _ in range(_ROUNDS):
            wanted: dict[FunctionNode, dict[ast.arg, bool]] = {}
            first: dict[FunctionNode, Life] = {}
            for life, hands, _ in _handings([*self.lives, *self.handed.values()]):
                wanted.setdefault(hands.function, {}).setdefault(hands.parameter, hands.is_cursor)
                first.setdefault(hands.function, life)
            new = {f: p for f, p in wanted.items() if f not in self.handed or self.handed[f].parameters != p}
            if not new:
                return
            for function, parameters in new.items():
                self.handed[function] = self._life(function, parameters, first[function])

    def _life(self, function: FunctionNode, parameters: dict[ast.arg, bool], giver: Life) -> Life:
        listed = [n for n in ast.walk(function.args) if isinstance(n, ast.arg) and n in parameters]
        listed.sort(key=lambda a: (a.lineno, a.col_offset))
        reached = flow(function.body, arguments=function.args, swallows=partial(may_swallow, module=self.module))
        source = handed_source(giver)
        life = Life(
            self.module, function, reached, function.body[0], giver.call, How.HANDED, source, listed[0].arg,
            callees=self.callees, parameters={a: parameters[a] for a in listed},
            is_async=source.driver in ASYNC_DRIVERS and isinstance(function, ast.AsyncFunctionDef),
        )  # fmt: skip
        Collector(life, None, None).run()
        return life


def spread(lives: Sequence[Life], module: Module, callees: Callees) -> list[Life]:
    """The lives of the functions that these are handed to, found with their families; which these get too."""
    if not any(life.where(Does.HANDS) for life in lives):
        return []
    work = _Spread(module, callees, list(lives))
    work.run()
    found = list(work.handed.values())
    every = [life for life in [*lives, *found] if life.how is How.HANDED or life.where(Does.HANDS)]
    _settle_made(every, work.handed)
    for family in _families(every, work.handed):
        family.trouble = _trouble(family, work.handed, callees)
        for life in family.lives:
            life.family = family
    settle_ends(every, work.handed)
    return found


def _settle_made(lives: Sequence[Life], handed: Mapping[FunctionNode, Life]) -> None:
    """Tell each function what makes the cursors that it is handed."""
    made: dict[FunctionNode, dict[str, list[ast.expr]]] = {function: {} for function in handed}
    for _ in range(_ROUNDS):
        before = sum(len(nodes) for named in made.values() for nodes in named.values())
        for life, hands, use in _handings(lives):
            if hands.is_cursor:
                nodes = made[hands.function].setdefault(hands.parameter.arg, [])
                nodes += [n for n in _makers(life, hands, use) if n not in nodes]
        for function, life in handed.items():
            life.made = made[function]
        if before == sum(len(nodes) for named in made.values() for nodes in named.values()):
            return


def _makers(life: Life, hands: Handing, use: Use) -> list[ast.expr]:
    if isinstance(hands.given, ast.Call):
        return [hands.given]
    here = [u.node for u in life.where(Does.CURSOR, Does.CURSOR_BLOCK) if u.cursor == use.cursor]
    return [*here, *life.made.get(use.cursor, ())]


def _made_like(node: ast.expr) -> str:
    """How a cursor is made, whatever of."""
    calls = [n for n in ast.walk(node) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)]
    made = [n for n in calls if isinstance(n.func, ast.Attribute) and n.func.attr == "cursor"]
    return ", ".join(ast.unparse(given) for n in made for given in (*n.args, *n.keywords))


def handed_source(life: Life) -> SessionSource:
    """What a function gets that a life hands its connection to."""
    sets_rows = any("row_factory" in life.module.text(life.module.statement(u.node)) for u in life.where(Does.SETTING))
    source = replace(life.source, kind=SourceKind.CONNECTION, autocommit=autocommits(life))
    return replace(source, rows="mapping", row_factory="") if sets_rows else source


def _handings(lives: Iterable[Life]) -> Iterator[tuple[Life, Handing, Use]]:
    for life in lives:
        for use in life.where(Does.HANDS):
            if use.hands is not None:
                yield life, use.hands, use


def _families(lives: Sequence[Life], handed: dict[FunctionNode, Life]) -> list[Family]:
    """The lives that hand connections to each other, by way of any others."""
    of = {life: Family([life]) for life in lives}
    for life, hands, _ in _handings(lives):
        one, other = of[life], of[handed[hands.function]]
        if one is not other:
            one.lives += other.lives
            of.update(dict.fromkeys(other.lives, one))
    return list(dict.fromkeys(of.values()))


def _trouble(family: Family, handed: dict[FunctionNode, Life], callees: Callees) -> Reason | None:
    """What keeps a family from being rewritten, as far as it shows in who hands what to whom."""
    given = list(_handings(family.lives))
    for function, life in handed.items():
        if life in family.lives:
            mine = [(giver, hands, use) for giver, hands, use in given if hands.function is function]
            text = _function_trouble(function, life, mine, callees)
            if text:
                message = f"{life.name} is handed to {function.name}(), which {text}"
                return Reason("connection-escapes", f"{message}; keep it inside one function, or hand on a session")
    if pair := _overlapping(family.lives):
        one, other = pair
        message = f"{one.name} and {other.name} are of one function, and are handed to the same ones"
        return Reason("connection-escapes", f"{message}; use them in functions of their own")
    return None


def _overlapping(lives: Sequence[Life]) -> tuple[Life, Life] | None:
    """Two lives of one function that are not one behind the other: their names might mean each other's."""
    for n, one in enumerate(lives):
        for other in lives[:n]:
            (first, last), (begin, end) = _extent(one), _extent(other)
            if one.host is other.host and first <= end and begin <= last:
                return other, one
    return None


def _extent(life: Life) -> tuple[int, int]:
    lines = [life.origin.lineno, *(use.node.end_lineno or use.line for use in life.uses)]
    if life.how is How.HANDED or binds_by_with(life):
        lines.append(getattr(life.host if life.parameters else life.origin, "end_lineno", None) or 0)
    return min(lines), max(lines)


def _function_trouble(
    function: FunctionNode, life: Life, given: list[tuple[Life, Handing, Use]], callees: Callees
) -> str:
    if text := callees.trouble(function):
        return text
    seen = {(hands.call, hands.parameter): giver for giver, hands, _ in given}
    for call in callees.calls(function):
        givers = [seen.get((call, parameter)) for parameter in life.parameters]
        if None in givers:
            return f"is called on line {call.lineno} with something else"
        if len(set(givers)) > 1:
            return f"is handed two connections on line {call.lineno}"
    if any(life.parameters[hands.parameter] is not hands.is_cursor for _, hands, _ in given):
        return "is handed connections and cursors in one parameter"
    if len({_made_like(node) for nodes in life.made.values() for node in nodes}) > 1:
        return "is handed cursors of several kinds"
    if len({_kind(giver) for giver, _, _ in given}) > 1:
        return "is handed connections that differ in their driver, their rows or when they commit"
    late = [u for giver, hands, _ in given for u in giver.where(Does.SETTING) if u.line > hands.call.lineno]
    if late:
        return f"is handed a connection before line {late[0].line} sets something on it"
    return ""


def _kind(life: Life) -> tuple[object, ...]:
    source = handed_source(life)
    options = tuple(sorted(ast.unparse(k) for k in life.call.keywords if "cursor" in (k.arg or "")))
    return source.driver, source.rows, source.row_factory, source.autocommit, options
