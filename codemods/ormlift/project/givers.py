"""Which names can hand out a session or a connection at all.

Nearly every call of a file is none of these: telling so by its name alone spares the evaluation, and a file that holds
no such name need not be parsed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable

from ormlift.project.columns import last
from ormlift.project.known import CONNECTION_TYPES, DRIVERS
from ormlift.syntax import Module, import_targets

SESSION_CLASSES = frozenset({"Session", "AsyncSession", "SQLAlchemy"})
FACTORY_CLASSES = frozenset(
    {"sessionmaker", "async_sessionmaker", "scoped_session", "async_scoped_session", "create_session"}
)
ENGINES = frozenset({"create_engine", "create_async_engine"})
METHODS = frozenset(
    {"connect", "begin", "session_factory", "raw_connection", "cursor", "connection", "session", "next", "anext"}
)
KNOWN = SESSION_CLASSES | FACTORY_CLASSES | ENGINES | METHODS | {last(n) for n in (*DRIVERS, *CONNECTION_TYPES)}


def names_to_ask(module: Module, givers: frozenset[str]) -> frozenset[str]:
    """The names whose call in this file may hand out anything.

    Beside `givers` these are the file's own functions and classes, what its imports rename, and every variable, since
    it may hold one of them.
    """
    found: set[str] = set(givers)
    found |= {n.id for n in module.nodes(ast.Name) if n.ctx.__class__ is ast.Store}
    found |= {n.attr for n in module.nodes(ast.Attribute) if n.ctx.__class__ is ast.Store}
    found |= {n.arg for n in module.nodes(ast.arg)}
    found |= {n.name for n in module.definitions}
    for node in module.nodes(ast.Import, ast.ImportFrom):
        found.update(n for n, target in import_targets(node).items() if last(target) in givers)
    return frozenset(found)


def may_give(call: ast.Call, names: frozenset[str]) -> bool:
    """Whether a call can hand out anything, going by the name that it calls."""
    match call.func:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name in names
    return True


def mentions(names: Iterable[str]) -> re.Pattern[str]:
    """A pattern that finds any of the names, as whole words.

    The library's own classes count only where they are called, renamed or stand as a value: in annotations, imports and
    prose they are everywhere, and make no session there.
    """
    own, library = ("|".join(_longest_first(group)) for group in (set(names) - SESSION_CLASSES, SESSION_CLASSES))
    called = rf"(?<!def )(?<!class )\b(?:{library})\s*(?:\(|as\b)"
    value = rf"(?:[=(]\s*|\b(?:or|else|return)\s+|lambda:\s*)(?:\w+\.)*(?:{library})\b(?!\s+[a-z])"
    return re.compile(rf"\b(?:{own})\b|{called}|{value}" if own else rf"{called}|{value}")


def _longest_first(names: Iterable[str]) -> list[str]:
    return sorted(map(re.escape, names), key=len, reverse=True)
