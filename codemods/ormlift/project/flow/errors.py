"""Exceptions that leave a block: what a scope makes of them, and who would notice."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from ormlift.model import Effect
from ormlift.project.flow.block import Block
from ormlift.project.flow.events import Raised
from ormlift.project.flow.knowledge import is_quiet
from ormlift.project.flow.walk import BASE_EXCEPTIONS, CATCHES_ALL, DATABASE_ERRORS, Outs, catches, handler_names
from ormlift.schema import Scope, Tri


def error_effects(block: Block, scope: Scope | None, words: str, outs: Outs) -> Iterator[Effect]:
    """What becomes of the exceptions that may leave the block."""
    if scope is None:
        return
    leaving = frozenset(r for r in outs.raised if r.type not in BASE_EXCEPTIONS)
    if leaving and scope.swallows is not Tri.NO:
        swallows = "swallows" if scope.swallows is Tri.YES else "may swallow"
        text = f"{words} {swallows} errors: what line {_first(leaving).line} raises would not reach the caller"
        yield Effect("swallows-errors", _first(leaving).line, text)
    wrapped = leaving if scope.wraps_all else frozenset(r for r in leaving if r.database)
    if wrapped and scope.wraps:
        yield from _wraps(block, scope, words, wrapped)


def _wraps(block: Block, scope: Scope, words: str, leaving: frozenset[Raised]) -> Iterator[Effect]:
    """Who catches what leaves the block, from the inside out, until it is caught for good."""
    for outer in block.enclosing_tries():
        for handler in outer.handlers:
            names = handler_names(handler.type)
            if not names or names & CATCHES_ALL:
                if _looks_at_error(handler):
                    text = f"line {handler.lineno} uses the error it catches, now {scope.wraps} from {words}"
                    yield Effect("wraps-errors", handler.lineno, text)
                return
            if concerned := [r for r in leaving if not r.type or catches(handler.type, r.type)]:
                text = (
                    f"line {handler.lineno} catches {', '.join(sorted(names))}, but what line {_first(concerned).line} "
                    f"raises now comes from {words} as {scope.wraps}"
                )
                yield Effect("wraps-errors", handler.lineno, text)
                return
    named = sorted((r for r in leaving if r.type), key=lambda r: r.line)
    if named:
        text = f"line {named[0].line} raises {named[0].type}, which callers now get from {words} as {scope.wraps}"
        yield Effect("wraps-errors", named[0].line, text)
    else:
        text = f"an error of the block (line {_first(leaving).line}) now reaches callers from {words} as {scope.wraps}"
        yield Effect("wraps-errors", _first(leaving).line, text)


def catches_database(handler: ast.ExceptHandler) -> bool:
    """Whether a handler keeps an error of the database to itself: catches it, and does not just raise it again."""
    names = handler_names(handler.type)
    last = handler.body[-1]
    again = isinstance(last, ast.Raise) and last.exc is None
    return not again and (not names or bool(names & (CATCHES_ALL | DATABASE_ERRORS)))


def _looks_at_error(handler: ast.ExceptHandler) -> bool:
    """Whether a handler does more with the error than write it to a log: reads it, or raises again."""
    logged = {
        inner
        for node in ast.walk(handler)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and is_quiet(node.func)
        for inner in ast.walk(node)
    }
    for statement in handler.body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Raise) and (node.exc is None or node.cause is not None):
                return True
            if isinstance(node, ast.Name) and node.id == handler.name and node not in logged:
                return True
            if isinstance(node, ast.Attribute) and node.attr == "exc_info" and node not in logged:
                return True
    return False


def _first(raised: Iterable[Raised]) -> Raised:
    return min(raised, key=lambda r: r.line)
