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
    {
        "connect",
        "begin",
        "session_factory",
        "raw_connection",
        "cursor",
        "connection",
        "session",
        "next",
        "anext",
        "getconn",
        "get_connection",
    }
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


class Naming:
    """Finds any of some names in a text, as whole words: by words, which is ten times as fast as one pattern.

    The library's own classes count only where they are called, renamed or stand as a value: in annotations, imports and
    prose they are everywhere, and make no session there.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.own = sorted(set(names) - SESSION_CLASSES)

    def is_in(self, text: str) -> bool:
        """Whether the text names one."""
        if any(_stands_in(name, text) for name in self.own):
            return True
        return any(_is_called(text, *m.span()) or _is_value(text, *m.span()) for m in _LIBRARY.finditer(text))


_LIBRARY = re.compile("|".join(sorted(SESSION_CLASSES, key=len, reverse=True)))
_CALLED = re.compile(r"\s*(?:\(|as\b)")
_ENDS = re.compile(r"\b(?!\s+[a-z])")
_DOTS = re.compile(r"(?:\w+\.)*")


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"


def _stands_in(name: str, text: str) -> bool:
    start = text.find(name)
    while start >= 0:
        end = start + len(name)
        if not (_is_word(text[start - 1 : start]) or _is_word(text[end : end + 1])):
            return True
        start = text.find(name, start + 1)
    return False


def _is_called(text: str, start: int, end: int) -> bool:
    """Whether a name is called, or renamed, and not defined."""
    if _is_word(text[start - 1 : start]) or not _CALLED.match(text, end):
        return False
    return not text.endswith(("def ", "class "), 0, start)


def _is_value(text: str, start: int, end: int) -> bool:
    """Whether a name, with its module or without, is assigned, handed over or given back."""
    if not _ENDS.match(text, end):
        return False
    first = start
    while first and (_is_word(text[first - 1]) or text[first - 1] == "."):
        first -= 1
    before = first
    while before and text[before - 1].isspace():
        before -= 1
    if not _DOTS.fullmatch(text, first, start) or not before:
        return False
    if text[before - 1] in "=(" or text.endswith("lambda:", 0, before):
        return True
    words = (word for word in ("or", "else", "return") if text.endswith(word, 0, before))
    return before < first and any(not _is_word(text[before - len(w) - 1 : before - len(w)]) for w in words)
