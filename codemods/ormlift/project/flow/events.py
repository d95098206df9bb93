"""What a statement does to a session: writes, commits, rolls back, loads; and whether it may raise."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum

from ormlift.project.flow.callbacks import callbacks, called_method, only_gets
from ormlift.project.flow.implied import implied, reads_by_name
from ormlift.project.flow.knowledge import (
    ATTRIBUTE_SETTERS,
    BUILDING,
    CONTAINER_CHANGERS,
    CONTAINER_READERS,
    DIRTY_METHODS,
    PLAIN_METHODS,
    READ_METHODS,
    RUN_METHODS,
    SENDING,
    UNSENT,
    Knowledge,
    is_quiet,
)
from ormlift.project.flow.sqltext import literal_start, reads_only
from ormlift.project.flow.values import ENTITY, LIVE, Kind, Outcome, Values, element, sounds_plain
from ormlift.syntax import child_nodes, dotted

_IN_PLACE = frozenset({"setitem", "delitem", "iadd", "ior", "iconcat", "iand", "isub"})


class Act(Enum):
    """What happens to the session."""

    WRITE = "write"  # a change that needs a commit
    MAY_WRITE = "may-write"  # perhaps such a change: the session or an instance goes where we can't look
    COMMIT = "commit"
    ROLLBACK = "rollback"
    SETTLES = "settles"  # a function writes, and commits or rolls back by itself before it returns
    LOAD = "load"  # instances are loaded, or refreshed by reading an attribute


@dataclass(frozen=True, slots=True)
class Event:
    """One act, and the line and words that show it."""

    act: Act
    line: int
    what: str = ""
    sure: bool = True  # it is evaluated on every way
    outcome: Outcome | None = None  # of what settles by itself
    sends: bool = False  # surely a statement, which a session refuses behind an error of the connection


@dataclass(frozen=True, slots=True)
class Raised:
    """An exception that may leave a statement."""

    line: int
    type: str = ""  # the type's name where the code raises it itself; empty: whatever a call raises
    database: bool = False  # it may come from the database
    sends: bool = False  # from a statement that is surely sent, such as the load of what was not loaded yet


@dataclass(frozen=True)
class Reader:
    """Reads events off expressions and simple statements."""

    values: Values
    knowledge: Knowledge
    idle: frozenset[int] = frozenset()  # ids of calls whose coroutine nothing awaits

    def events(self, node: ast.AST) -> list[Event]:
        """The acts of one expression or simple statement, in the order of evaluation."""
        found = list(self._visit(node, sure=True))
        if self.knowledge.changed_on_load:
            loads = [event.line for event in found if event.act is Act.LOAD]
            found += [
                Event(Act.MAY_WRITE, line, "loads instances, which change as they are loaded") for line in loads[:1]
            ]
        return found

    def implied(self, node: ast.AST) -> Iterator[Event]:
        """The act of a method of an instance that a node runs without naming it."""
        if (found := implied(node, self.values)) is not None:
            methods, of = found
            words = f"runs {min(methods)} of {_short(of)}, which changes the instance"
            yield Event(Act.MAY_WRITE, of.lineno, words)

    def _visit(self, node: ast.AST, *, sure: bool) -> Iterator[Event]:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            return
        for child, child_sure in self._children(node, sure):
            yield from self._visit(child, sure=child_sure)
        for event in self._own(node):
            # What may not be evaluated at all must not count as having cleaned the session.
            if sure or event.act not in (Act.COMMIT, Act.ROLLBACK):
                yield event if sure else replace(event, sure=False)

    @staticmethod
    def _children(node: ast.AST, sure: bool) -> Iterator[tuple[ast.AST, bool]]:
        match node:
            case ast.BoolOp(values=[first, *rest]):
                yield first, sure
                yield from ((value, False) for value in rest)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                yield test, sure
                yield body, False
                yield orelse, False
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                yield from ((child, False) for child in child_nodes(node))
            case ast.Assign(targets=targets, value=value):
                yield value, sure
                yield from ((target, sure) for target in targets)
            case _:
                yield from ((child, sure) for child in child_nodes(node))

    def _own(self, node: ast.AST) -> Iterator[Event]:
        yield from self.implied(node)
        match node:
            case ast.Call():
                yield from self._call(node)
            case ast.Attribute(value=base, ctx=ctx) if self.values.kind(base) & ENTITY:
                if isinstance(ctx, ast.Load):
                    yield Event(Act.LOAD, node.lineno)
                    if node.attr in self.knowledge.writing:
                        yield Event(Act.WRITE, node.lineno, f"reads {_short(node)}, a property that writes")
                else:
                    yield Event(Act.WRITE, node.lineno, f"sets {_short(node)}")
            case ast.Attribute(value=base, ctx=ast.Load()) if self.values.kind(base) & Kind.HOLDER:
                if self.values.look.runs_when_read(node, self.values):
                    yield Event(
                        Act.MAY_WRITE, node.lineno, f"reads {_short(node)}, a property of what holds the session"
                    )
            case ast.Subscript(value=base, ctx=ast.Store() | ast.Del()) if self.values.kind(base) & ENTITY:
                if not self.values.kind(base) & (Kind.FULL | Kind.BOX):
                    yield Event(Act.WRITE, node.lineno, f"sets {_short(node)}")
            case ast.Subscript(value=base, ctx=ast.Store() | ast.Del()) if self._is_part(base):
                yield Event(Act.WRITE, node.lineno, f"sets {_short(node)}")
            case _:
                pass

    # Calls

    def _call(self, call: ast.Call) -> Iterator[Event]:
        if isinstance(call.func, ast.Attribute):
            kind = self.values.kind(call.func.value)
            if kind & Kind.SESSION:
                yield from self._session_call(call, call.func.attr)
                return
            if kind & (Kind.QUERY | Kind.COLUMNS | Kind.DML):
                yield from self._query_call(call, call.func.attr)
                return
            if kind & (ENTITY | Kind.BOX | Kind.HOLDER):
                yield from self._method_call(call, call.func.attr, kind)
                return
            if kind & Kind.VARS and isinstance(call.func.value, ast.Name) and not self._is_reading(call.func.attr):
                words = f"calls {_short(call.func)}() of an object that an instance is set on"
                yield Event(Act.MAY_WRITE, call.lineno, words)
                return
            if self._is_part(call.func.value) and call.func.attr in CONTAINER_CHANGERS:
                yield Event(Act.WRITE, call.lineno, f"calls {_short(call.func)}(), which may change the instance")
                return
        yield from self._function_call(call)

    def _is_part(self, node: ast.expr) -> bool:
        """Whether this is an attribute of an instance, such as a JSON column whose changes are tracked."""
        if self.values.kind(node) & Kind.PART:
            return True
        return isinstance(node, ast.Attribute) and bool(self.values.kind(node.value) & Kind.INSTANCE)

    def _session_call(self, call: ast.Call, method: str) -> Iterator[Event]:
        words = f"calls {_short(call.func)}()"
        if method in ("commit", "rollback"):
            if id(call) in self.idle:
                return
            yield Event(Act.COMMIT if method == "commit" else Act.ROLLBACK, call.lineno)
        elif method in DIRTY_METHODS:
            yield Event(Act.WRITE, call.lineno, words)
        elif method in RUN_METHODS and call.args:
            yield Event(Act.LOAD, call.lineno, sends=True)
            yield from self._run(call, words)
        elif method in READ_METHODS:
            yield Event(Act.LOAD, call.lineno)
        else:
            yield Event(Act.MAY_WRITE, call.lineno, words)

    def _run(self, call: ast.Call, words: str) -> Iterator[Event]:
        statement = call.args[0]
        kind = self.values.kind(statement)
        if kind & Kind.DML:
            yield Event(Act.WRITE, call.lineno, f"{words} with a statement that writes, or that can't be read")
        elif not kind & (Kind.QUERY | Kind.COLUMNS) and not reads_only(literal_start(statement)):
            yield Event(Act.MAY_WRITE, call.lineno, f"{words} with a statement that can't be read here")

    def _may_write(self, call: ast.Call) -> bool:
        return any(self.values.kind(a) & Kind.DML or isinstance(a, ast.Name) for a in call.args)

    def _query_call(self, call: ast.Call, method: str) -> Iterator[Event]:
        if method in ("update", "delete"):
            yield Event(Act.WRITE, call.lineno, f"calls {method}() on a query")
        elif method in ("from_statement", "prefix_with", "suffix_with") and self._may_write(call):
            yield Event(Act.WRITE, call.lineno, f"calls {method}() with a statement that writes, or that can't be read")
        else:
            yield Event(Act.LOAD, call.lineno, sends=method in SENDING)

    def _method_call(self, call: ast.Call, method: str, kind: Kind) -> Iterator[Event]:
        assert isinstance(call.func, ast.Attribute)
        if kind & Kind.HOLDER and self.values.look.is_harmless(call, self.values):
            yield Event(Act.LOAD, call.lineno)
        elif kind & Kind.HOLDER:
            yield self._told(call, f"calls {_short(call.func)}(), which holds the session")
        elif method in ATTRIBUTE_SETTERS and kind & Kind.INSTANCE:
            yield Event(Act.WRITE, call.lineno, f"calls {_short(call.func)}()")
        elif self._changes(method, kind):
            yield Event(Act.WRITE, call.lineno, f"calls {_short(call.func)}(), which changes the instance")
        elif method == "sort":
            yield from self._callbacks(call)
        elif self._hands_on(call, Kind.SESSION | Kind.HOLDER):
            yield Event(Act.MAY_WRITE, call.lineno, f"passes the session to {_short(call.func)}()")
        elif kind & Kind.INSTANCE and method not in CONTAINER_CHANGERS and not self._is_reading(method):
            yield Event(Act.MAY_WRITE, call.lineno, f"calls {_short(call.func)}(), which may change the instance")

    def _changes(self, method: str, kind: Kind) -> bool:
        """Whether a method is known to change the instance; of the block's own container, filling it does not."""
        if method in CONTAINER_CHANGERS:
            return bool(kind & Kind.INSTANCE) and not kind & (Kind.FULL | Kind.BOX)
        return method in self.knowledge.mutating

    def _is_reading(self, method: str) -> bool:
        """Whether a method, not known to change an instance, is known or taken not to."""
        if method in CONTAINER_READERS or method in PLAIN_METHODS or method in self.knowledge.methods:
            return True
        return bool(self.knowledge.models) and sounds_plain(method)

    def _function_call(self, call: ast.Call) -> Iterator[Event]:
        name = dotted(call.func)
        if name in ("exec", "eval"):
            yield Event(Act.MAY_WRITE, call.lineno, f"calls {name}()")
            return
        if self._hands_on(call, Kind.SESSION | Kind.HOLDER):
            yield Event(Act.LOAD, call.lineno)
        if name in ("setattr", "delattr") and call.args and self.values.kind(call.args[0]) & ENTITY:
            yield Event(Act.WRITE, call.lineno, f"sets an attribute of {_short(call.args[0])}")
            return
        if self._in_place(call, name):
            yield Event(Act.WRITE, call.lineno, f"changes {_short(call.args[0])} by {name}()")
            return
        if name == "next" and self._hands_on(call, Kind.QUERY | Kind.COLUMNS):
            yield Event(Act.LOAD, call.lineno)
        handed = self._hands_on(call, Kind.SESSION | Kind.HOLDER)
        trusted = self.knowledge.is_harmless if handed is None else self.knowledge.is_harmless_with_session
        if trusted(call.func):
            yield from self._callbacks(call)
            if self.knowledge.writing and (of := reads_by_name(call, self.values)) is not None:
                read = f"which may read {min(self.knowledge.writing)}, a property that writes"
                yield Event(Act.MAY_WRITE, call.lineno, f"passes {_short(of)} to {_short(call.func)}(), {read}")
            return
        if self.values.kind(call.func) & Kind.CLOSURE:
            yield Event(Act.MAY_WRITE, call.lineno, f"calls {name}(), a nested function that sees instances")
            return
        if self.values.kind(call.func) & (ENTITY | Kind.SESSION | Kind.HOLDER | Kind.RUNS):
            yield Event(Act.MAY_WRITE, call.lineno, f"calls {_short(call.func)}(), a method that can't be told")
            return
        handed = self._hands_on(call, LIVE | Kind.SESSION | Kind.HOLDER | Kind.RUNS | Kind.PART)
        if handed is None:
            return
        if self.values.look.is_harmless(call, self.values):
            yield Event(Act.LOAD, call.lineno)
        else:
            yield self._told(call, f"passes {_short(handed)} to {_short(call.func)}()")

    def _told(self, call: ast.Call, what: str) -> Event:
        """The event of a function that may write: it may settle that by itself."""
        outcome = self.values.look.outcome(call, self.values)
        return Event(Act.MAY_WRITE if outcome is None else Act.SETTLES, call.lineno, what, outcome=outcome)

    def _in_place(self, call: ast.Call, name: str) -> bool:
        """Whether this is `operator.setitem(job.data, ..)` or the like."""
        if not name.startswith("operator.") or name.rpartition(".")[2] not in _IN_PLACE or not call.args:
            return False
        return self._is_part(call.args[0]) or bool(self.values.kind(call.args[0]) & (Kind.INSTANCE | Kind.VARS))

    def _callbacks(self, call: ast.Call) -> Iterator[Event]:
        """What the functions do that a builtin runs on instances."""
        for callback, sources in callbacks(call):
            given = any(element(self.values.kind(source)) & ENTITY for source in sources)
            if isinstance(callback, ast.Lambda):
                yield from self._visit(callback.body, sure=False)
            elif (given or self.values.kind(callback)) and not self._leaves_alone(callback, sources, call):
                yield Event(Act.MAY_WRITE, call.lineno, f"runs {_short(callback)}() on instances")

    def _leaves_alone(self, callback: ast.expr, sources: list[ast.expr], call: ast.Call) -> bool:
        """Whether a callback is known to change no instance."""
        kind = self.values.kind(callback)
        if only_gets(callback) or (self.knowledge.is_harmless(callback) and not kind):
            return True
        method = called_method(callback)
        if isinstance(callback, ast.Attribute) and dotted(callback.value).rpartition(".")[2] in self.knowledge.models:
            method = callback.attr
        if method:
            return method not in self.knowledge.mutating and self._is_reading(method)
        if kind or not dotted(callback):
            return False
        given: list[ast.expr] = [ast.Subscript(source, ast.Constant(0), ast.Load()) for source in sources]
        made = ast.copy_location(ast.Call(callback, given, []), call)
        return self.values.look.is_harmless(made, self.values, call)

    def _hands_on(self, call: ast.Call, kinds: Kind) -> ast.expr | None:
        """The first argument that may be one of `kinds`."""
        values = [*call.args, *(k.value for k in call.keywords)]
        return next((value for value in values if self.values.kind(value) & kinds), None)

    # Exceptions

    def raised(self, node: ast.AST) -> frozenset[Raised]:
        """What may be raised by an expression or simple statement."""
        return frozenset(self._raised(node))

    def _raised(self, node: ast.AST) -> Iterator[Raised]:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            return
        if isinstance(node, ast.Raise):
            if node.exc is not None:
                error = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
                yield Raised(node.lineno, dotted(error).rpartition(".")[2])
            return
        for child in child_nodes(node):
            yield from self._raised(child)
        match node:
            case ast.Call(func=func) if dotted(func) in ("exit", "quit", "sys.exit", "os._exit"):
                pass
            case ast.Call(func=func) if dotted(func).rpartition(".")[2] == "abort":
                yield Raised(node.lineno, "HTTPException")
            case ast.Call(func=func) if not is_quiet(func):
                yield Raised(node.lineno, database=self._touches(node), sends=self._sends(node))
            case ast.Attribute(value=base, ctx=ast.Load()) if self.values.kind(base) & ENTITY:
                yield Raised(node.lineno, database=True, sends=node.attr not in self.knowledge.columns)
            case ast.Subscript(ctx=ast.Load()) | ast.Assert() | ast.Await() | ast.Yield():
                yield Raised(node.lineno)
            case ast.Import() | ast.ImportFrom():
                yield Raised(node.lineno)
            case _:
                pass

    def _sends(self, call: ast.Call) -> bool:
        """Whether a call may send a statement: a method of a session or query, or given what is not run yet."""
        wanted = Kind.SESSION | Kind.QUERY | Kind.COLUMNS | Kind.DML | Kind.HOLDER | Kind.CLOSURE
        base = call.func.value if isinstance(call.func, ast.Attribute) else call.func
        if self.values.kind(base) & Kind.SESSION and isinstance(call.func, ast.Attribute):
            return call.func.attr not in UNSENT
        if self.values.kind(base) & (Kind.QUERY | Kind.COLUMNS) and isinstance(call.func, ast.Attribute):
            return call.func.attr not in BUILDING
        if self.values.kind(base) & ENTITY and isinstance(call.func, ast.Attribute):
            return call.func.attr in self.knowledge.methods
        return self._hands_on(call, wanted) is not None

    def _touches(self, call: ast.Call) -> bool:
        wanted = ENTITY | Kind.SESSION | Kind.QUERY | Kind.COLUMNS | Kind.HOLDER | Kind.CLOSURE
        base = call.func.value if isinstance(call.func, ast.Attribute) else call.func
        return bool(self.values.kind(base) & wanted) or self._hands_on(call, wanted) is not None


def _short(node: ast.expr) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 40 else text[:37] + "..."
