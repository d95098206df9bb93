"""What a statement is executed on: a session, a connection or an engine of SQLAlchemy."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from enum import StrEnum

from ormlift.project.index import ProjectIndex
from ormlift.schema import SessionSource, SourceKind
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
    source = index.receiver_of(node, module)
    if source is not None and source.kind is not SourceKind.UNKNOWN:
        on = _KINDS.get(source.kind)
        return Receiver(on, source, waits or source.kind is SourceKind.ASYNC_SESSION) if on is not None else None
    named = _by_name(node)
    if source is not None or named is None or not (takes_text or _is_sure(node, module, index)):
        return None
    return Receiver(named, None, waits)


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
