"""Sessions that are opened the wrong way: a scope or a generator taken for the session, `with` for `async with`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from ormlift.model import (
    AddParameter,
    DropFinally,
    DropWithItem,
    Effect,
    Fault,
    ImportNeed,
    Op,
    Reason,
    ReplaceExpr,
    ReplaceStatement,
    Rewrite,
    Settings,
    Severity,
    Site,
    Wrap,
)
from ormlift.project.choose import choose_scope, surroundings
from ormlift.project.escape.choice import Named, name_scope, unfit
from ormlift.project.escape.closing import error_of_close
from ormlift.project.escape.local import LocalLook
from ormlift.project.escape.shapes import Matcher, Shape
from ormlift.project.escape.uses import Uses
from ormlift.project.extent import extent_of
from ormlift.project.flow import Knowledge
from ormlift.project.flow.knowledge import is_quiet
from ormlift.project.index import ProjectIndex
from ormlift.project.injected import depends_on, is_route
from ormlift.rules._async_session.words import ID, USED, coroutine_around, refused, repaired
from ormlift.schema import SourceKind
from ormlift.syntax import FunctionNode, Module, dotted, walk_scope

_STEPS = frozenset({"__anext__", "__aiter__", "__aenter__", "__aexit__", "asend", "athrow"})
_LATER = frozenset({"add_task", "create_task", "ensure_future", "submit", "start_soon", "run_in_executor", "gather"})
_LATER |= {"call_later", "call_soon", "call_soon_threadsafe", "add_done_callback", "push_async_callback", "callback"}


class Given(StrEnum):
    """What a call that leads to an AsyncSession gives."""

    SCOPE = "_AsyncGeneratorContextManager"  # of an @asynccontextmanager
    COROUTINE = "coroutine"  # of an `async def` that returns a session
    GENERATOR = "async_generator"  # of a FastAPI dependency
    SESSION = "AsyncSession"  # of a factory


@dataclass(frozen=True)
class Entered:
    """Judges each opening of one file."""

    module: Module
    index: ProjectIndex
    settings: Settings
    knowledge: Knowledge

    def sites(self) -> Iterator[Site]:
        """All that are wrong."""
        for call in self.module.calls:
            if (injected := depends_on(call)) is not None:
                yield from self._injected(call, injected)
            given = self._given(call)
            if given is not None:
                site = self._judge(call, given)
                if site is not None:
                    yield site

    def _given(self, call: ast.Call) -> Given | None:
        scope = self.index.scope_of(call, self.module)
        if scope is not None:
            plain = scope.is_async and scope.yields == "session" and not scope.name[:1].isupper()
            return Given.SCOPE if plain else None
        source = self.index.source_of(call, self.module)
        if source is None:
            return None
        if source.kind is SourceKind.GENERATOR:
            return Given.GENERATOR if source.is_async else None
        if source.kind is not SourceKind.ASYNC_SESSION:
            return None
        return Given.COROUTINE if source.is_async else Given.SESSION

    def _judge(self, call: ast.Call, given: Given) -> Site | None:
        parent = self.module.parents[call]
        awaited = parent if isinstance(parent, ast.Await) else None
        node: ast.expr = awaited or call
        around = self.module.parents[node]
        if isinstance(around, ast.withitem):
            return self._with_item(call, node, around, given)
        right = (given is Given.COROUTINE) is (awaited is not None)
        match around:
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                if right and given in (Given.COROUTINE, Given.SESSION):
                    return self._by_hand(around, name, call, given)
                return self._taken(around, name, call, given, awaited=awaited is not None)
            case ast.Attribute(attr=attr) if attr in USED and not (right and given in (Given.COROUTINE, Given.SESSION)):
                reason = Reason(
                    "unnamed", f"it is used on the spot; open it by `async with {self._opened(call, given)} as s`"
                )
                return refused(node.lineno, _end(around), reason, self._wrong(call, given, awaited=awaited is not None))
            case _:
                return None

    # What is wrong

    def _wrong(self, call: ast.Call, given: Given, *, awaited: bool) -> Fault:
        words = f"{dotted(call.func) or ast.unparse(call.func)}()"
        if awaited:
            text = f"object {given} can't be used in 'await' expression"
            return Fault("awaited-scope", Severity.CRITICAL, f"{words} can't be awaited: TypeError, {text}")
        what = {
            Given.SCOPE: f"{words} gives a context manager, not the session",
            Given.COROUTINE: f"{words} gives a coroutine, not the session",
            Given.GENERATOR: f"{words} gives a generator, not the session",
            Given.SESSION: "",
        }[given]
        text = f"{what}: AttributeError, '{given}' object has no attribute 'execute'"
        return Fault("scope-as-session", Severity.CRITICAL, text)

    @staticmethod
    def _opened(call: ast.Call, given: Given, text: str = "") -> str:
        """What `async with` must be given."""
        text = text or ast.unparse(call)
        match given:
            case Given.COROUTINE:
                return f"await {text}"
            case Given.GENERATOR:
                function = ast.unparse(call.func)
                return f"asynccontextmanager({function}){text[len(function) :]}"
            case _:
                return text

    def _needs(self, given: Given) -> tuple[ImportNeed, ...]:
        return (ImportNeed("contextlib", "asynccontextmanager"),) if given is Given.GENERATOR else ()

    # In FastAPI's hands

    def _injected(self, call: ast.Call, given: ast.expr) -> Iterator[Site]:
        """A scope that FastAPI is told to call: it injects generators, and no context managers."""
        scope = self.index.scope_at(given, self.module) if dotted(given) else None
        if scope is None or not scope.is_async or scope.yields != "session":
            return
        words = dotted(given)
        text = (
            f"{words} is an @asynccontextmanager, which FastAPI does not enter: '{Given.SCOPE}' object has no "
            "attribute 'execute' in the route, or is not an async iterator in newer versions"
        )
        fault = Fault("scope-as-dependency", Severity.CRITICAL, text)
        op = ReplaceExpr(self.module.span(given), f"{self.module.text(given)}.__wrapped__")
        yield repaired(call.lineno, _end(call), (op,), fault, "failed in each request")

    def _into_parameter(self, place: ast.stmt, gone: Op, name: str, call: ast.Call, fault: Fault) -> Rewrite | None:
        """In a route the generator of a dependency belongs into its parameters; None where this is no route."""
        function = self.module.enclosing_function(place)
        fastapi = any(target.partition(".")[0] == "fastapi" for target in self.module.imports.values())
        if function is None or not (fastapi and is_route(function)) or call.args or call.keywords:
            return None
        needs = (ImportNeed("sqlalchemy.ext.asyncio", "AsyncSession"), ImportNeed("fastapi", "Depends"))
        parameter = f"{name}: AsyncSession = Depends({ast.unparse(call.func)})"
        ops = (AddParameter(self.module.span(function), parameter), gone)
        now = Effect("now-injected", function.lineno, f"FastAPI hands {name} in, and ends it when the response is made")
        end = place.end_lineno or place.lineno
        return repaired(function.lineno, end, ops, fault, "led to an error", imports=needs, effects=(now,))

    # In a with

    def _with_item(self, call: ast.Call, node: ast.expr, item: ast.withitem, given: Given) -> Site | None:
        statement = self.module.parents[item]
        assert isinstance(statement, ast.With | ast.AsyncWith)
        awaited = node is not call
        right = {Given.COROUTINE: awaited, Given.GENERATOR: False}.get(given, not awaited)
        if isinstance(statement, ast.With):
            return self._sync_with(call, node, item, statement, given)
        if right:
            return None
        if awaited:
            fault = self._wrong(call, given, awaited=True)
        else:
            words = f"{dotted(call.func)}() gives {_an(given)}"
            text = f"'{given}' object does not support the asynchronous context manager protocol"
            fault = Fault(
                "not-a-scope", Severity.CRITICAL, f"{words}, which `async with` can't enter: TypeError, {text}"
            )
        if given is Given.GENERATOR and isinstance(item.optional_vars, ast.Name):
            gone = DropWithItem(self.module.span(node))
            route = self._into_parameter(statement, gone, item.optional_vars.id, call, fault)
            if route is not None:
                return route
        new = self._opened(call, given, self.module.written(call))
        op = ReplaceExpr(self.module.span(node), new)
        return repaired(statement.lineno, _end(node), (op,), fault, "raised TypeError", imports=self._needs(given))

    def _sync_with(
        self, call: ast.Call, node: ast.expr, item: ast.withitem, statement: ast.With, given: Given
    ) -> Site | None:
        if given is Given.COROUTINE and node is call and self._runs_it(call):
            return None
        words = f"{dotted(call.func)}() gives {_an(given)}"
        text = f"'{given}' object does not support the context manager protocol"
        fault = Fault("sync-with", Severity.CRITICAL, f"{words}, which `with` can't enter: TypeError, {text}")
        line, end = statement.lineno, _end(statement)
        if why := coroutine_around(self.module, statement):
            reason = Reason("not-in-coroutine", f"{why}; make it async, or use a scope that is not")
            return refused(line, statement.lineno, reason, fault)
        if statement.items[-1] is not item:
            reason = Reason("several-items", "another item of the same `with` follows; give each a `with` of its own")
            return refused(line, statement.lineno, reason, fault)
        span = self.module.span
        name = f" as {ast.unparse(item.optional_vars)}" if item.optional_vars is not None else ""
        header = f"async with {self._opened(call, given, self.module.written(call))}{name}"
        ops: tuple[Op, ...] = (
            DropWithItem(span(node)),
            Wrap(span(statement.body[0]), span(statement.body[-1]), header),
        )
        return repaired(line, end, ops, fault, "raised TypeError", imports=self._needs(given))

    def _runs_it(self, call: ast.Call) -> bool:
        return dotted(call.func).rpartition(".")[2] in ("run", "run_until_complete")

    # Taken for the session

    def _taken(
        self, assign: ast.Assign | ast.AnnAssign, name: str, call: ast.Call, given: Given, *, awaited: bool
    ) -> Site | None:
        if not awaited and not self._used_as_session(assign, name):
            return None
        fault = self._wrong(call, given, awaited=awaited)
        if given is Given.GENERATOR and self._bound_once(assign, name):
            route = self._into_parameter(assign, ReplaceStatement(self.module.span(assign)), name, call, fault)
            if route is not None:
                return route
        extent = extent_of(self.module, assign, name)
        if isinstance(extent, Reason):
            return refused(assign.lineno, _end(assign), extent, fault)
        if why := coroutine_around(self.module, assign):
            return refused(assign.lineno, _end(assign), Reason("not-in-coroutine", f"{why}; make it async"), fault)
        header = f"async with {self._opened(call, given, self.module.written(call))} as {name}"
        span = self.module.span
        ops = (ReplaceStatement(span(assign)), Wrap(span(extent.body[0]), span(extent.body[-1]), header))
        raised = "raised TypeError" if awaited else "led to AttributeError"
        return repaired(assign.lineno, extent.end_line, ops, fault, raised, imports=self._needs(given))

    def _bound_once(self, assign: ast.stmt, name: str) -> bool:
        function = self.module.enclosing_function(assign)
        nodes = ast.walk(function) if function is not None else ()
        return sum(1 for n in nodes if isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Store)) == 1

    def _used_as_session(self, assign: ast.stmt, name: str) -> bool:
        """Whether the variable is used as a session, and never as what it is: entered, awaited or iterated."""
        function = self.module.enclosing_function(assign)
        uses = [
            n
            for n in (walk_scope(function) if function is not None else walk_scope(self.module.tree))
            if isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load)
        ]
        parents = [self.module.parents[n] for n in uses]
        if any(isinstance(p, ast.withitem | ast.Await | ast.AsyncFor | ast.For) for p in parents):
            return False
        if any(_steps(p) for p in parents):
            return False
        return any(isinstance(p, ast.Attribute) and p.attr in USED for p in parents)

    # Opened and closed by hand

    def _by_hand(self, assign: ast.Assign | ast.AnnAssign, name: str, call: ast.Call, given: Given) -> Site | None:
        function = self.module.enclosing_function(assign)
        source = self.index.source_of(call, self.module)
        shared = source is None or source.shared  # who keeps it decides when it ends
        if function is None or shared or self._hands_out(function, name):
            return None
        if self._entered(function, name):
            return None
        closes = [n for n in ast.walk(function) if isinstance(n, ast.Call) and self._closes(n, name)]
        words = f"{dotted(call.func)}()"
        if closes:
            text = f"the session of {words} is closed by hand on line {closes[0].lineno}; `async with` closes it always"
            return self._closed(assign, name, call, given, function, Fault("closed-by-hand", Severity.LOW, text))
        text = (
            f"nothing closes the session of {words}: its connection does not go back to the pool until it is collected"
        )
        fault = Fault("never-closed", Severity.HIGH, text)
        extent = extent_of(self.module, assign, name)
        if isinstance(extent, Reason):
            return refused(assign.lineno, _end(assign), extent, fault)
        now = Effect("now-closed", extent.end_line, f"the session is closed behind line {extent.end_line}, and was not")
        header = f"async with {self._opened(call, given, self.module.written(call))} as {name}"
        span = self.module.span
        ops = (ReplaceStatement(span(assign)), Wrap(span(extent.body[0]), span(extent.body[-1]), header))
        return Rewrite(ID, assign.lineno, extent.end_line, ops, effects=(now,), fault=fault)

    def _closed(
        self,
        assign: ast.Assign | ast.AnnAssign,
        name: str,
        call: ast.Call,
        given: Given,
        function: FunctionNode,
        fault: Fault,
    ) -> Site:
        """A life that is closed by hand and has one of the known shapes; a scope, where there is one, goes first."""
        if self._has_scope(assign, function):
            reason = Reason("scope-is-better", "`session-scope` hands it to the project's scope; see its site here")
            return refused(assign.lineno, _end(assign), reason, fault)
        shape = self._shape(assign, name, function)
        if isinstance(shape, Reason):
            reason = Reason("not-one-block", f"{shape.message}, so `async with` can't hold it")
            return refused(assign.lineno, _end(assign), reason, fault)
        span = self.module.span
        header = f"async with {self._opened(call, given, self.module.written(call))} as {name}"
        ops: list[Op] = [ReplaceStatement(span(s)) for s in shape.removed]
        ops.append(Wrap(span(shape.body[0]), span(shape.body[-1]), header))
        if shape.opened is not None:
            ops.append(DropFinally(span(shape.opened)))
        line, text = error_of_close(shape.closes)
        raises = (Effect("close-may-raise", line, text),) if line else ()
        effects = (*self._handlers_behind(shape), *raises)
        return Rewrite(ID, shape.first.lineno, shape.end_line, tuple(ops), effects=effects, fault=fault)

    def _has_scope(self, assign: ast.stmt, function: FunctionNode) -> bool:
        """Whether `session-scope` runs too, and has a scope that can hold the session."""
        codemods, path = self.settings.codemods, self.module.source.path
        if codemods and "session-scope" not in codemods:
            return False
        at = surroundings(self.module, assign)
        chosen = choose_scope(self.settings, self.index, path, is_async=True, at=at)
        named = name_scope(self.module, function, assign.lineno, chosen) if chosen is not None else None
        return isinstance(named, Named) and unfit(named, function, is_async=True) is None

    def _handlers_behind(self, shape: Shape) -> Iterator[Effect]:
        """Where the block stands inside the try, its handlers run behind the close, no more before it."""
        around = self.module.parents.get(shape.body[0])
        if shape.kind != "inside" or not isinstance(around, ast.Try):
            return
        for handler in around.handlers:
            calls = [n for s in handler.body for n in ast.walk(s) if isinstance(n, ast.Call)]
            if not all(is_quiet(call.func) for call in calls):
                text = f"the handler on line {handler.lineno} ran before the session was closed, and now runs behind it"
                yield Effect("handler-after-close", handler.lineno, text)

    def _shape(self, assign: ast.stmt, name: str, function: FunctionNode) -> Shape | Reason:
        look = LocalLook(self.module, self.knowledge, self.index)
        shape = Matcher(self.module, name, assign, look.is_closer, self.knowledge).match()
        if isinstance(shape, Reason):
            return shape
        return Uses(self.module, function, name, assign, look.is_closer).rebound(shape) or shape

    def _hands_out(self, function: FunctionNode, name: str) -> bool:
        """Whether the function gives the session to others, who close it."""
        for node in ast.walk(function):
            if isinstance(node, ast.Yield | ast.YieldFrom):
                return True
            if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load):
                parent = self.module.parents[node]
                if isinstance(parent, ast.Return | ast.Assign | ast.Tuple | ast.List | ast.Dict):
                    return True
                call = self.module.parents[parent] if isinstance(parent, ast.keyword) else parent
                taker = dotted(call.func).rpartition(".")[2] if isinstance(call, ast.Call) else ""
                if taker[:1].isupper() or "close" in taker.lower() or self._runs_later(node):
                    return True
                if taker and self._is_returned(call):
                    return True
        return False

    def _runs_later(self, node: ast.Name) -> bool:
        """Whether the session, or a method of it, goes to what runs it when the function is done."""
        for parent in self.module.ancestors(node):
            if isinstance(parent, ast.stmt):
                return False
            if isinstance(parent, ast.Call) and dotted(parent.func).rpartition(".")[2] in _LATER:
                return True
        return False

    def _is_returned(self, call: ast.AST) -> bool:
        """Whether the function gives away what a call makes, such as a coroutine that its caller awaits."""
        for parent in self.module.ancestors(call):
            if isinstance(parent, ast.Await | ast.stmt):
                return isinstance(parent, ast.Return)
        return False

    def _entered(self, function: FunctionNode, name: str) -> bool:
        """Whether `async with name:` closes it."""
        nodes = (n for n in ast.walk(function) if isinstance(n, ast.Name) and n.id == name)
        return any(isinstance(self.module.parents[n], ast.withitem) for n in nodes)

    @staticmethod
    def _closes(node: ast.AST, name: str) -> bool:
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=base), attr="close" | "aclose")):
                return base == name
            case _:
                return False


def _steps(node: ast.AST) -> bool:
    """Whether this takes a generator or a context manager for what it is: `anext(gen)`, `gen.__anext__`."""
    match node:
        case ast.Attribute(attr=attr):
            return attr in _STEPS
        case ast.Call(func=ast.Name(id=name)):
            return name in ("anext", "aiter")
        case _:
            return False


def _an(given: Given) -> str:
    return f"{'a' if given is Given.COROUTINE else 'an'} {given}"


def _end(node: ast.expr | ast.stmt) -> int:
    return node.end_lineno or node.lineno
