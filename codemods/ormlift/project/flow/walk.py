"""The states a session can be in at each way out of a block: an abstract interpreter over statements.

A state is a set of points, one for each way the session can be: clean or changed (with the line that changed it),
loaded instances fresh or expired. Paths are joined by union, loops run to a fixpoint, and every point of a try's body
flows into its handlers.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from ormlift.project.flow.events import Act, Event, Raised, Reader
from ormlift.project.flow.guards import session_test
from ormlift.project.flow.knowledge import leaves
from ormlift.project.flow.values import Kind
from ormlift.syntax import dotted

BASE_EXCEPTIONS = frozenset({"SystemExit", "KeyboardInterrupt", "GeneratorExit", "CancelledError", "BaseException"})
CATCHES_ALL = frozenset({"Exception", "BaseException"})
DATABASE_ERRORS = frozenset({"SQLAlchemyError", "DBAPIError", "DatabaseError", "OperationalError", "InterfaceError"})


@dataclass(frozen=True, slots=True)
class Mark:
    """An uncommitted change."""

    line: int
    what: str
    sure: bool  # false: it may be one


@dataclass(frozen=True, slots=True)
class Point:
    """One way the session can be."""

    mark: Mark | None = None
    fresh: bool = False  # instances hold attributes that were loaded since the last commit or rollback
    handler: int = 0  # line of the handler that took an error while the change stood; 0: none
    ended: int = 0  # line of the last commit or rollback, negative where a function did it; 0: none
    hurt: bool = False  # an error leaves from here that may be a lost connection
    broken: int = 0  # line of the handler that took such an error, no rollback since; 0: none


State = frozenset[Point]
NOWHERE: State = frozenset()
CLEAN: State = frozenset({Point()})


@dataclass(frozen=True, slots=True)
class Exit:
    """One way out of the block that is no exception."""

    line: int
    state: State
    node: ast.stmt | None = None  # the return, break or continue; None: the end of the block


@dataclass
class Outs:
    """All ways out of some statements."""

    normal: State = NOWHERE
    returns: list[Exit] = field(default_factory=list)
    breaks: list[Exit] = field(default_factory=list)
    continues: list[Exit] = field(default_factory=list)
    raising: State = NOWHERE
    raised: frozenset[Raised] = frozenset()

    def leave(self, other: Outs) -> None:
        """Take over all of `other` but its normal way out."""
        self.returns += other.returns
        self.breaks += other.breaks
        self.continues += other.continues
        self.escape(other.raising, other.raised)

    def escape(self, state: State, raised: frozenset[Raised]) -> None:
        """Note exceptions that leave from `state`."""
        self.raising |= state
        self.raised |= raised


class Walker:
    """Runs statements on states."""

    def __init__(self, reader: Reader, dropped: Iterable[ast.stmt] = (), *, keeps_fresh: bool = False) -> None:
        """Statements of `dropped` are passed over; with `keeps_fresh` a commit expires nothing."""
        self._reader = reader
        self._dropped = {id(s) for s in dropped}
        self._keeps_fresh = keeps_fresh
        self.begun: set[int] = set()  # lines of `with session.begin():`, each of which commits at its end
        self.used_after_end: set[tuple[int, int]] = set()  # (line of a use, line of the commit or rollback before it)

    def block(self, statements: Sequence[ast.stmt], state: State) -> Outs:
        """Run a suite."""
        outs = Outs(normal=state)
        for statement in statements:
            if not outs.normal:
                break
            if id(statement) in self._dropped:
                continue
            step = self._statement(statement, outs.normal)
            outs.leave(step)
            outs.normal = step.normal
        return outs

    def _statement(self, node: ast.stmt, state: State) -> Outs:
        match node:
            case ast.If():
                return self._if(node, state)
            case ast.For() | ast.AsyncFor():
                return self._loop(node, node.iter, state, endless=False, target=node.target)
            case ast.While(test=test):
                endless = isinstance(test, ast.Constant) and bool(test.value)
                return self._loop(node, test, state, endless=endless)
            case ast.Try() | ast.TryStar():
                return self._try(node, state)
            case ast.With() | ast.AsyncWith():
                return self._with(node, state)
            case ast.Match():
                return self._match(node, state)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                return Outs(normal=state)
            case _:
                return self._simple(node, state)

    # Simple statements

    def _simple(self, node: ast.stmt, state: State) -> Outs:
        outs = self._expression(node, state)
        here = Exit(node.lineno, outs.normal, node)
        match node:
            case ast.Return():
                outs.returns.append(here)
            case ast.Break():
                outs.breaks.append(here)
            case ast.Continue():
                outs.continues.append(here)
            case ast.Raise():
                raised = self._reader.raised(node) or frozenset({Raised(node.lineno)})
                outs.escape(outs.normal, raised)
            case ast.Expr() if error := leaves(node):
                outs.escape(outs.normal, frozenset({Raised(node.lineno, error)}))
            case _:
                return outs
        outs.normal = NOWHERE
        return outs

    def _expression(self, node: ast.AST | None, state: State, of: ast.AST | None = None) -> Outs:
        """Evaluate, as a part `of` a compound statement: every state on the way may leave by an exception."""
        outs = Outs(normal=state)
        if node is None:
            return outs
        raised = self._reader.raised(node)
        if raised:
            outs.escape(_hurt(state, raised), raised)
        for event in [*self._reader.events(node), *(self._reader.implied(of) if of is not None else ())]:
            if event.act is Act.SETTLES:
                outs.raising |= _hurt(frozenset(self._step(p, event) for p in outs.normal), raised)
                outs.normal = self._settled(outs.normal, event)
                continue
            outs.normal = frozenset(self._step(point, event) for point in outs.normal)
            if raised and event.act not in (Act.COMMIT, Act.ROLLBACK):
                outs.raising |= _hurt(outs.normal, raised)
        return outs

    def _step(self, point: Point, event: Event) -> Point:
        if point.ended:
            self.used_after_end.add((event.line, abs(point.ended)))
        match event.act:
            case Act.COMMIT:
                return Point(fresh=point.fresh and self._keeps_fresh, ended=event.line)
            case Act.ROLLBACK:
                return Point(ended=event.line)
            case Act.LOAD:
                return replace(point, fresh=True, broken=0 if event.sends else point.broken)
            case Act.WRITE | Act.MAY_WRITE | Act.SETTLES:
                mark = Mark(event.line, event.what, event.act is Act.WRITE)
                stronger = point.mark is None or (mark.sure and not point.mark.sure)
                return replace(point, mark=mark, fresh=True) if stronger else point

    def _settled(self, state: State, event: Event) -> State:
        """Behind a function that writes and commits by itself: no commit of the block's own."""
        assert event.outcome is not None
        fresh = event.outcome.fresh or self._keeps_fresh
        ended = frozenset({Point(fresh=fresh, ended=-event.line)}) if state else NOWHERE
        return ended if event.outcome.always and event.sure else state | ended

    # Compound statements

    def _if(self, node: ast.If, state: State) -> Outs:
        outs = self._expression(node.test, state, node)
        known = session_test(node.test, self._reader.values.session)
        yes = self.block(node.body, NOWHERE if known is False else outs.normal)
        no = self.block(node.orelse, NOWHERE if known is True else outs.normal)
        outs.normal = yes.normal | no.normal
        outs.leave(yes)
        outs.leave(no)
        return outs

    def _loop(
        self,
        node: ast.For | ast.AsyncFor | ast.While,
        head: ast.expr,
        state: State,
        *,
        endless: bool,
        target: ast.expr | None = None,
    ) -> Outs:
        entry = state
        while True:
            test = self._expression(head, entry, node)
            bound = self._expression(target, test.normal)
            test.escape(bound.raising, bound.raised)
            inner = self.block(node.body, bound.normal)
            again = entry | inner.normal | _states(inner.continues)
            if again == entry:
                break
            entry = again
        outs = Outs(normal=NOWHERE if endless else test.normal)
        outs.escape(test.raising, test.raised)
        last = self.block(node.orelse, outs.normal)
        outs.normal = last.normal | _states(inner.breaks)
        outs.leave(last)
        outs.returns += inner.returns
        outs.escape(inner.raising, inner.raised)
        return outs

    def _with(self, node: ast.With | ast.AsyncWith, state: State) -> Outs:
        outs = Outs(normal=state)
        for item in node.items:
            step = self._expression(item.context_expr, outs.normal, item)
            outs.leave(step)
            bound = self._expression(item.optional_vars, step.normal)
            outs.leave(bound)
            outs.normal = bound.normal
        inner = self.block(node.body, outs.normal)
        if any(_suppresses(item.context_expr) for item in node.items):
            taken = _swallowed(inner.raising, node.lineno)
            outs.normal = inner.normal | _taken(taken, node.lineno if _suppresses_lost(node) else 0)
            inner.raising, inner.raised = NOWHERE, frozenset()
        else:
            outs.normal = inner.normal
        if any(self._begins(item.context_expr) for item in node.items):
            self.begun.add(node.lineno)
            outs.normal = self._committed(outs.normal, node.lineno)
            for exits in (inner.returns, inner.breaks, inner.continues):
                exits[:] = [replace(e, state=self._committed(e.state, node.lineno)) for e in exits]
            inner.raising = frozenset(Point(ended=p.ended) for p in inner.raising)
        outs.leave(inner)
        return outs

    def _committed(self, state: State, line: int) -> State:
        return frozenset(Point(fresh=p.fresh and self._keeps_fresh, ended=line) for p in state)

    def _begins(self, call: ast.expr) -> bool:
        """`with session.begin():` commits at its end."""
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "begin"):
            return False
        return bool(self._reader.values.kind(call.func.value) & Kind.SESSION)

    def _match(self, node: ast.Match, state: State) -> Outs:
        outs = self._expression(node.subject, state, node)
        start = outs.normal
        for case in node.cases:
            inner = self.block(case.body, start)
            outs.normal |= inner.normal
            outs.leave(inner)
        return outs

    # Try

    def _try(self, node: ast.Try | ast.TryStar, state: State) -> Outs:
        body = self.block(node.body, state)
        outs = Outs()
        outs.returns, outs.breaks, outs.continues = body.returns, body.breaks, body.continues
        passed, lost = body.raised, True
        for handler in node.handlers:
            if passed:
                self._handler(handler, body, outs, passed, lost=lost and catches_lost(handler.type))
            lost = lost and not catches_lost(handler.type)
            passed = frozenset(r for r in passed if not catches(handler.type, r.type))
        if passed:
            outs.escape(body.raising, passed)
        last = self.block(node.orelse, body.normal)
        outs.normal |= last.normal
        outs.leave(last)
        return self._finally(node.finalbody, outs) if node.finalbody else outs

    def _handler(
        self, handler: ast.ExceptHandler, body: Outs, outs: Outs, caught: frozenset[Raised], *, lost: bool
    ) -> None:
        state = _swallowed(body.raising, handler.lineno)
        inner = self.block(handler.body, _taken(state, handler.lineno if lost else 0))
        anew = frozenset(r for r in inner.raised if not _is_reraise(r, handler))
        if anew != inner.raised:
            anew |= caught  # `raise` passes on what was caught
        outs.normal |= inner.normal
        inner.raised = anew
        outs.leave(inner)

    def _finally(self, statements: Sequence[ast.stmt], before: Outs) -> Outs:
        """Run the finally on every way out."""
        outs = Outs()

        def through(state: State) -> State:
            step = self.block(statements, state)
            outs.leave(step)
            return step.normal

        def each(exits: list[Exit]) -> list[Exit]:
            passed = [replace(e, state=through(e.state)) for e in exits]
            return [e for e in passed if e.state]

        outs.normal = through(before.normal)
        returns, breaks, continues = each(before.returns), each(before.breaks), each(before.continues)
        raising = through(before.raising)
        outs.returns += returns
        outs.breaks += breaks
        outs.continues += continues
        if raising:
            outs.escape(raising, before.raised)
        return outs


def _states(exits: Iterable[Exit]) -> State:
    return frozenset(point for exit_ in exits for point in exit_.state)


def _swallowed(state: State, line: int) -> State:
    return frozenset(replace(p, handler=line) if p.mark is not None else p for p in state)


def _suppresses_lost(node: ast.With | ast.AsyncWith) -> bool:
    calls = [item.context_expr for item in node.items if isinstance(item.context_expr, ast.Call)]
    return any(catches_lost(arg) for call in calls for arg in call.args if _suppresses(call))


def _taken(state: State, line: int) -> State:
    """The points behind what takes an error on a line; 0: it takes none of a lost connection."""
    return frozenset(replace(p, hurt=False, broken=line if line and p.hurt else p.broken) for p in state)


def _hurt(state: State, raised: frozenset[Raised]) -> State:
    """The points that an error leaves from: the connection may be lost."""
    return frozenset(replace(p, hurt=True) for p in state) if any(r.sends for r in raised) else state


def _suppresses(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] == "suppress"


def _is_reraise(raised: Raised, handler: ast.ExceptHandler) -> bool:
    """Whether this is a `raise` or `raise error` of the handler's own exception."""
    for node in ast.walk(handler):
        if isinstance(node, ast.Raise) and node.lineno == raised.line:
            return node.exc is None or (isinstance(node.exc, ast.Name) and node.exc.id == handler.name)
    return False


def catches(caught: ast.expr | None, name: str) -> bool:
    """Whether a handler's type is known to catch an exception of this name (empty: any)."""
    names = handler_names(caught)
    return not names or bool(names & CATCHES_ALL) or (name != "" and name in names)


def catches_lost(caught: ast.expr | None) -> bool:
    """Whether a handler may catch the error of a lost connection."""
    names = handler_names(caught)
    return not names or bool(names & (CATCHES_ALL | DATABASE_ERRORS))


def handler_names(caught: ast.expr | None) -> frozenset[str]:
    """The last parts of the names that a handler catches; empty for a bare except."""
    if caught is None:
        return frozenset()
    parts: Iterable[ast.expr] = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return frozenset(dotted(part).rpartition(".")[2] for part in parts)
