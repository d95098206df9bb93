"""What a statement is executed on: a session, a connection or an engine of SQLAlchemy."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from enum import StrEnum

from ormlift.project.index import ProjectIndex
from ormlift.schema import SessionSource, SourceKind
from ormlift.sql.spoken import speaks_sql
from ormlift.sql.textual.handed import Given, Parameter, given_to, parameter_of
from ormlift.sql.textual.listeners import FLUSHING
from ormlift.syntax import Module, dotted


class On(StrEnum):
    """The kinds of receivers."""

    SESSION = "session"
    CONNECTION = "connection"
    ENGINE = "engine"


_KINDS = {
    SourceKind.SESSION: On.SESSION,
    SourceKind.SHARED_SESSION: On.SESSION,
    SourceKind.ASYNC_SESSION: On.SESSION,
    SourceKind.ENGINE_CONNECTION: On.CONNECTION,
    SourceKind.ENGINE: On.ENGINE,
}
_EVENTS = {"connection": On.CONNECTION, "session": On.SESSION}  # by what SQLAlchemy calls what its events hand in
_DEPTH = 4  # how many functions a value is followed through
# What people call them; told with text() as its argument, which nothing else takes.
_NAMES = {"session": On.SESSION, "sess": On.SESSION, "conn": On.CONNECTION, "engine": On.ENGINE}
_SHORT = {"db": On.SESSION, "s": On.SESSION, "database": On.SESSION, "con": On.CONNECTION, "bind": On.CONNECTION}


@dataclass(frozen=True)
class Receiver:
    """One receiver."""

    on: On
    source: SessionSource | None = None  # what handed it out, where that is known
    asynchronous: bool = False


def receiver_of(call: ast.Call, module: Module, index: ProjectIndex, *, takes_text: bool) -> Receiver | None:
    """What `call` executes on, or None where it cannot be told.

    By evidence first; by its name only where it is handed a text(), which no other object takes, or where it is called
    a session or an engine in a project of SQLAlchemy's.
    """
    assert isinstance(call.func, ast.Attribute)
    node = call.func.value
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "execution_options":
        node = node.func.value  # the same, or the engine with options
    waits = isinstance(module.parents.get(call), ast.Await)
    if (handed := _of_session(node)) is not None:
        return Receiver(handed, None, waits)
    source = index.receiver_of(node, module)
    if source is not None and source.kind is not SourceKind.UNKNOWN:
        on = _KINDS.get(source.kind)
        return Receiver(on, source, waits or source.kind is SourceKind.ASYNC_SESSION) if on is not None else None
    if source is not None:
        return None
    handed = handed_in(node, module, index)
    if handed is not None:
        return Receiver(handed, None, waits)
    named = _by_name(node)
    if named is None or not (takes_text or _is_sure(node, module, index)):
        return None
    return Receiver(named, None, waits)


def takes_string(call: ast.Call, module: Module, index: ProjectIndex) -> bool:
    """Whether SQL is executed on what is surely a session, a connection or an engine of SQLAlchemy."""
    assert isinstance(call.func, ast.Attribute)
    if not call.args or not speaks_sql(call.args[0], module):
        return False
    source = index.receiver_of(call.func.value, module)
    return source.kind in _KINDS if source is not None else handed_in(call.func.value, module, index) is not None


def handed_in(
    node: ast.expr, module: Module, index: ProjectIndex, seen: frozenset[Parameter] = frozenset()
) -> On | None:
    """What a parameter is, where all that calls its function hands in the same: SQLAlchemy's events, the project."""
    parameter = parameter_of(node, module) if isinstance(node, ast.Name) else None
    if parameter is None or len(seen) > _DEPTH:
        return None
    given = given_to(parameter, module, index) or ()
    known = seen | {parameter}
    found = {_given(one, index, known) for one in given if not _is_itself(one, known)}
    return found.pop() if len(found) == 1 else None


def is_flushing(node: ast.expr, module: Module, index: ProjectIndex) -> bool:
    """Whether a session is that of a flush, which events amid it hand in: it flushes no further."""
    parameter = parameter_of(node, module) if isinstance(node, ast.Name) else None
    given = given_to(parameter, module, index) if parameter is not None else None
    return bool(given) and all(one.heard is not None and one.heard.event in FLUSHING for one in given or ())


def _is_itself(given: Given, seen: frozenset[Parameter]) -> bool:
    """Whether a function that calls itself hands on what it was handed."""
    return isinstance(given.node, ast.Name) and parameter_of(given.node, given.module) in seen


def _given(given: Given, index: ProjectIndex, seen: frozenset[Parameter]) -> On | None:
    if given.node is None:
        return _EVENTS.get(given.name)
    source = index.receiver_of(given.node, given.module)
    if source is not None:
        return _KINDS.get(source.kind)
    return handed_in(given.node, given.module, index, seen)


def _of_session(node: ast.expr) -> On | None:
    """What a session hands out: its engine, or the connection that it is on; Alembic's `op` gives a connection."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return None
    owner = dotted(node.func.value).rpartition(".")[2].lower()
    if node.func.attr == "get_bind" and ("session" in owner or owner == "op"):
        return On.CONNECTION if owner == "op" else On.ENGINE
    return On.CONNECTION if node.func.attr == "connection" and "session" in owner else None


def _is_sure(node: ast.expr, module: Module, index: ProjectIndex) -> bool:
    """Whether a name alone says enough for a bare string: others have sessions too."""
    name = dotted(node).rpartition(".")[2].lower()
    heads = {target.partition(".")[0] for target in module.imports.values()}
    others = {"cassandra", "dse", "snowflake", "pyhive", "neo4j", "databricks", "impala", "trino"}
    told = "sqlalchemy" in heads or bool(index.factories) or bool(index.engines)
    return told and not heads & others and ("session" in name or name in ("engine", "db_engine"))


def _by_name(node: ast.expr) -> On | None:
    if isinstance(node, ast.Call):
        node = node.func
    name = dotted(node).rpartition(".")[2].strip("_").lower()
    if name in _SHORT:
        return _SHORT[name]
    return next((on for word, on in _NAMES.items() if word in name), None)
