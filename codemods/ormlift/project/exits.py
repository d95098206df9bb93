"""Links the scopes of all files: what a context manager does at exit, helpers and inner scopes followed."""

from __future__ import annotations

from dataclasses import replace

from ormlift.project.facts import FileFacts
from ormlift.project.handles import Handle
from ormlift.project.known import SESSIONS
from ormlift.project.scopes import ExitFacts, agreed, either
from ormlift.project.sessions import FunctionFacts
from ormlift.project.values import Value, Values, Where, refusing
from ormlift.schema import Scope, SessionSource, SourceKind, Tri

YIELDED = {
    SourceKind.CONNECTION: "connection",
    SourceKind.CURSOR: "cursor",
    SourceKind.CONNECTION_AND_CURSOR: "connection-and-cursor",
    SourceKind.ENGINE_CONNECTION: "engine-connection",
}
_ONLY_CLOSE = frozenset({"pymysql", "MySQLdb", "mysql.connector", "aiosqlite"})  # `with conn:` does not commit
INNER = 3  # how many scopes deep a scope is read


def scopes_of(facts: FileFacts, values: Values) -> list[Scope]:
    """The scopes of a file that hand out a session or a connection."""
    found = [function_scope(facts.path, f, values) for f in facts.functions if f.is_scope]
    found += [_class_scope(facts, owner, exit_facts, values) for owner, exit_facts in facts.exits]
    return [s for s in found if s is not None]


def function_scope(path: str, function: FunctionFacts, values: Values, depth: int = INNER) -> Scope | None:
    """The scope that a `@contextmanager` function is, or None where it hands out no session or connection."""
    where = Where(path, function.owner, function.imports)
    value = values.yielded(path, function)
    if value is None or value.what != "handed" or value.handed is None or function.exit is None:
        return None
    scope = Scope(
        function.name,
        values.names.module(path),
        path,
        function.line,
        function.owner,
        is_async="asynccontextmanager" in function.decorators,
        takes_arguments=function.required > 0,
    )
    shared = value.stored or value.handed.shared
    scope = replace(scope, refuses=refusing(function, path), work=_before(function, path))
    scope = replace(scope, handed=value.handed if value.handed.driver else None)
    return _linked(scope, function.exit, value.handed, where, values, shared=shared, depth=depth)


def _before(function: FunctionFacts, path: str) -> tuple[tuple[str, int, str], ...]:
    """What a scope does before its block, beside making the session."""
    assert function.exit is not None
    return tuple((path, line, text) for line, text in function.work if line < function.exit.yield_line)


def _class_scope(facts: FileFacts, owner: str, exit_facts: ExitFacts, values: Values) -> Scope | None:
    own = {f.name: f for f in facts.functions if f.owner == owner}
    enter = own.get("__enter__") or own.get("__aenter__")
    line = next((c.line for c in facts.classes if c.name == owner), 0)
    if enter is None:
        return None
    where = Where(facts.path, owner, enter.imports)
    value = values.evaluate(enter.returns, where)
    if value is None or value.what != "handed" or value.handed is None:
        return None
    scope = Scope(
        owner,
        values.names.module(facts.path),
        facts.path,
        line,
        is_async=enter.name == "__aenter__",
        takes_arguments="__init__" in own and own["__init__"].required > 0,
    )
    work = tuple((facts.path, line, text) for line, text in enter.work)
    scope = replace(scope, refuses=refusing(enter, facts.path), work=work)
    return _linked(scope, exit_facts, value.handed, where, values, shared=value.handed.shared, depth=INNER)


def _linked(
    scope: Scope,
    exit_facts: ExitFacts,
    handed: SessionSource,
    where: Where,
    values: Values,
    *,
    shared: bool,
    depth: int,
) -> Scope:
    session = handed.kind in SESSIONS or handed.kind is SourceKind.UNKNOWN
    scope = replace(
        scope,
        commits=exit_facts.commits,
        commit_line=exit_facts.commit_line,
        commits_on_failure=exit_facts.commits_on_failure,
        rolls_back=exit_facts.rolls_back,
        closes=exit_facts.closes,
        wraps=exit_facts.wraps,
        wraps_line=exit_facts.wraps_line,
        wraps_all=exit_facts.wraps_all,
        swallows=exit_facts.swallows,
        shared=Tri.YES if shared else Tri.UNKNOWN if handed.kind is SourceKind.UNKNOWN else Tri.NO,
        expire_on_commit=handed.expire_on_commit,
        bind=handed.bind,
        factory=handed.factory,
        options=handed.options,
        refuses=scope.refuses or handed.refuses,
        work=(*handed.work, *scope.work),
        expires=exit_facts.expires,
        begins=exit_facts.begins,
        unread=exit_facts.unread,
        queries_at_entry=exit_facts.queries_at_entry,
        yields="session" if session else YIELDED.get(handed.kind, handed.kind.value),
    )
    scope = _with_helpers(scope, exit_facts, where, values)
    if exit_facts.begins or (exit_facts.entered_subject and not session and handed.driver not in _ONLY_CLOSE):
        scope = replace(scope, commits=Tri.YES, rolls_back=Tri.YES)
    if exit_facts.entered_subject and session:
        scope = replace(scope, closes=Tri.YES)
    for handle in exit_facts.entered:
        scope = _inside(scope, handle, values.evaluate(handle, where), values, depth)
    return scope


def _with_helpers(scope: Scope, exit_facts: ExitFacts, where: Where, values: Values) -> Scope:
    """The scope with what the functions do that it hands its session to."""
    done: dict[tuple[str, str], bool] = {}
    for when, name, position in exit_facts.helpers:
        value = values.evaluate(Handle("name", name), where)
        for at, action in value.function.does if value is not None and value.function is not None else ():
            if at == position:
                done[when, action] = True

    def on(action: str, *whens: str) -> Tri:
        return Tri.YES if any((w, action) in done for w in ("always", *whens)) else Tri.NO

    both = agreed([on("close", "success"), on("close", "failure")])
    return replace(
        scope,
        commits=either(scope.commits, on("commit", "success")),
        rolls_back=either(scope.rolls_back, on("rollback", "failure")),
        closes=either(scope.closes, both),
        expires=either(scope.expires, on("rollback", "success")),
    )


def _inside(scope: Scope, handle: Handle, value: Value | None, values: Values, depth: int) -> Scope:
    """The scope with what a `with` around its yield does."""
    if value is None or depth == 0:
        return scope
    if value.what == "scope" and value.function is not None:
        inner = function_scope(value.path, value.function, values, depth - 1)
        return _joined(scope, inner) if inner is not None else scope
    if value.handed is None or value.handed.kind not in SESSIONS:
        return scope
    begins = handle.base is not None and handle.base.op in ("attr", "name") and handle.base.name.endswith("begin")
    if begins:
        scope = replace(scope, commits=Tri.YES, rolls_back=Tri.YES, begins=True)
    return scope if handle.op == "stored" else replace(scope, closes=Tri.YES)


def _joined(scope: Scope, inner: Scope) -> Scope:
    return replace(
        scope,
        commits=either(scope.commits, inner.commits),
        commit_line=scope.commit_line or inner.commit_line,
        commits_on_failure=either(scope.commits_on_failure, inner.commits_on_failure),
        rolls_back=either(scope.rolls_back, inner.rolls_back),
        closes=either(scope.closes, inner.closes),
        wraps=scope.wraps or inner.wraps,
        wraps_line=scope.wraps_line or inner.wraps_line,
        wraps_all=scope.wraps_all or inner.wraps_all,
        swallows=either(scope.swallows, inner.swallows),
        shared=either(scope.shared, inner.shared),
        expires=either(scope.expires, inner.expires),
        begins=scope.begins or inner.begins,
        unread=scope.unread or inner.unread,
        queries_at_entry=scope.queries_at_entry or inner.queries_at_entry,
        refuses=scope.refuses or inner.refuses,
        work=(*scope.work, *inner.work),
    )
