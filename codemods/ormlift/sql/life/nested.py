"""Calls between a write on a shared connection and its commit, of functions that use the same connection.

On one connection they were of one transaction. Sessions have one each: a function that writes waits for the caller's,
which can't end before the call does.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ormlift.model import Effect
from ormlift.schema import Tri
from ormlift.sql.life.commits import autocommits, handed_writes
from ormlift.sql.life.executions import TRANSACTION, marked_flow
from ormlift.sql.life.model import Does, How, Life
from ormlift.sql.life.reached import executes_write
from ormlift.sql.life.refuse import Refused
from ormlift.sql.life.region import Region, region_of
from ormlift.syntax import FunctionNode, Module, dotted

_RUNS = ("execute", "executemany", "executescript", "execute_fetchall", "execute_insert")
_ENDS = ("commit", "rollback")


@dataclass(frozen=True, eq=False)
class Nested:
    """One call of a function that uses the connection, while something is written and not committed on it."""

    caller: Life
    call: ast.Call
    write: int  # the line of the write
    reached: frozenset[FunctionNode]  # the functions that it runs
    writes: bool  # whether one of them writes

    @property
    def said(self) -> str:
        """The call, as a message names it."""
        return f"line {self.call.lineno} calls {dotted(self.call.func)}()"


def nested_calls(lives: Sequence[Life], module: Module) -> list[Nested]:
    """All of a file's."""
    shared = [life for life in lives if _is_shared(life)]
    functions = _Functions(module) if shared else None
    return [nested for life in shared for nested in _of(life, functions)] if functions is not None else []


def is_of_shared(life: Life) -> bool:
    """Whether the connection is one that other functions use too."""
    handed = life.source.shared or (life.manager is not None and life.manager.shared is Tri.YES)
    return not life.given and (life.how is How.KEPT or handed)


def _is_shared(life: Life) -> bool:
    return is_of_shared(life) and autocommits(life) is not Tri.YES and isinstance(life.host, FunctionNode)


def _of(life: Life, functions: _Functions) -> Iterator[Nested]:
    runs = life.where(Does.EXECUTE)
    writes = {use.node: use for use in runs if executes_write(use.call, life.host)}
    writes |= {e.node: e.use for e in handed_writes(life)}
    found = dict(_candidates(life, functions)) if writes else {}
    if not found:
        return
    last = life.module.statement(life.uses[-1].node)
    state = marked_flow(life, last, reads={u.node for u in runs} - set(writes), asked=found)
    for call, reached in found.items():
        pending = [writes[n].line for n in state.of(call, TRANSACTION) if n in writes]
        if pending:
            yield Nested(life, call, min(pending), reached, _writes(reached))


def _candidates(life: Life, functions: _Functions) -> Iterator[tuple[ast.Call, frozenset[FunctionNode]]]:
    """The calls of functions that execute, commit or roll back on the connection."""
    names, own = _names(life), {use.call for use in life.uses if use.does not in (Does.HANDS, Does.LENT)}
    for call in (n for n in ast.walk(life.host) if isinstance(n, ast.Call) and n not in own):
        reached = functions.reached(call)
        if any(_mentions(function, names) for function in reached) and _calls(reached) & {*_RUNS, *_ENDS}:
            yield call, reached


def _names(life: Life) -> frozenset[str]:
    """How functions of the file come by the connection."""
    return life.kept or frozenset({dotted(life.call.func)})


def _mentions(function: FunctionNode, names: frozenset[str]) -> bool:
    own = {a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg)}
    return any(isinstance(n, ast.Name | ast.Attribute) and dotted(n) in names - own for n in ast.walk(function))


def _calls(functions: frozenset[FunctionNode]) -> set[str]:
    """What methods functions call of anything."""
    funcs = (n.func for f in functions for n in ast.walk(f) if isinstance(n, ast.Call))
    return {func.attr for func in funcs if isinstance(func, ast.Attribute)}


def _writes(functions: frozenset[FunctionNode]) -> bool:
    return any(executes_write(n, f) for f in functions for n in ast.walk(f))


class _Functions:
    """The functions of a file, by what calls them."""

    def __init__(self, module: Module) -> None:
        self.named: dict[tuple[str, bool], list[FunctionNode]] = {}
        for definition in module.definitions:
            if isinstance(definition, FunctionNode):
                is_method = isinstance(module.parents[definition], ast.ClassDef)
                self.named.setdefault((definition.name, is_method), []).append(definition)
        classes = {d.name for d in module.definitions if isinstance(d, ast.ClassDef)}
        made = [(s.value, s.targets) for s in module.tree.body if isinstance(s, ast.Assign)]
        calls = [(v, targets) for v, targets in made if isinstance(v, ast.Call)]
        objects = {dotted(t) for call, targets in calls if dotted(call.func) in classes for t in targets}
        self.objects = objects | {"self", "cls"}

    def called(self, call: ast.Call) -> list[FunctionNode]:
        """The function that a name calls; the methods that `self.name`, or that of a global object, may call."""
        owner, _, name = dotted(call.func).rpartition(".")
        return self.named.get((name, bool(owner)), []) if not owner or owner in self.objects else []

    def reached(self, call: ast.Call) -> frozenset[FunctionNode]:
        """What a call runs, and all that is called there."""
        found: set[FunctionNode] = set()
        work = self.called(call)
        while work:
            new = [function for function in work if function not in found]
            found.update(new)
            work = [
                f for function in new for n in ast.walk(function) if isinstance(n, ast.Call) for f in self.called(n)
            ]
        return frozenset(found)


def nested_effects(life: Life, region: Region) -> Iterator[Effect]:
    """Calls out of a life, or of it, that others' uncommitted writes meet. Raises Refused where one waits for ever."""
    for nested in life.nested:
        if nested.caller is life and region.holds(nested.call):
            yield _outward(nested, life)
        elif nested.caller is not life and nested.writes:
            yield _inward(nested, life)


def _outward(nested: Nested, life: Life) -> Effect:
    if nested.writes:
        message = f"{nested.said}, which writes on {life.name} too, before what line {nested.write} writes is committed"
        raise Refused("shared-transaction", f"{message}: two sessions would wait for each other; commit before it")
    ends = _calls(nested.reached) & set(_ENDS)
    does = f"whose {' or '.join(sorted(ends))} no longer reaches" if ends else "which no longer sees"
    message = f"{nested.said}, {does} what line {nested.write} writes on {life.name}, before that is committed"
    return Effect("shared-transaction", nested.call.lineno, message)


def _inward(nested: Nested, life: Life) -> Effect:
    first, last = _lines(nested.caller)
    message = f"{nested.said} before what line {nested.write} writes on {life.name} is committed"
    if first <= nested.call.lineno <= last:
        raise Refused("shared-transaction", f"{message}: two sessions would wait for each other; commit before it")
    return Effect(
        "shared-transaction", life.line, f"{message}; a session waits for it here, unless that is migrated too"
    )


def _lines(life: Life) -> tuple[int, int]:
    """The lines of a life's session; all of its function where it stays raw."""
    try:
        return region_of(life).lines
    except Refused:
        return life.line, getattr(life.host, "end_lineno", None) or life.line
