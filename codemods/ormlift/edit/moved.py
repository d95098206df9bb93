"""Lines of statements behind another indentation, moved as libcst moves them.

It takes the indentation of a line for its block's where the line begins with that; what it does not take for that it
leaves as it is: lines in strings, behind a backslash, or further to the left than their block.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ormlift.syntax import every_node, suites

_UNUSUAL = re.compile(r'"""|\'\'\'|\\\r?\n|\\\r|\f')
_CLAUSE = re.compile(r"[ \t]*(?:else|finally)[ \t]*:")
_NESTED_TEXT = sys.version_info >= (3, 12)  # from then on an expression in an f-string may span lines


@dataclass(frozen=True, slots=True)
class Run:
    """Statements that stand one after the other, from the first one's start to the last one's end."""

    statements: tuple[ast.stmt, ...]
    first: int  # the file's line
    indent: str
    lines: tuple[str, ...]  # the first one without its indentation, the last one without what follows


@dataclass(slots=True)
class _Begun:
    """A line of the file on which something begins that stands in a block."""

    indent: str
    end: int  # where a simple statement ends; 0 for what holds a suite


def moved(run: Run, indent: str) -> Sequence[str] | None:
    """The lines of a run as they stand behind `indent`, the first one without it; None where that can't be told."""
    if indent == run.indent or len(run.lines) == 1:
        return run.lines
    if _UNUSUAL.search("".join(run.lines)) or (_NESTED_TEXT and any(map(_has_nested_text, run.statements))):
        return None
    begun = _begun(run)
    if begun is None or not _all_follow(run, begun):
        return None
    rest = run.lines[1:]
    return [run.lines[0], *(indent + x[len(run.indent) :] if x.strip("\r\n") else x for x in rest)]


def _begun(run: Run) -> dict[int, _Begun] | None:
    """By line, what begins on it: statements, handlers, cases, decorators, `else` and `finally`."""
    begun: dict[int, _Begun] = {}
    for node in _parts(run.statements):
        text = run.lines[node.lineno - run.first]
        space = run.indent if node.lineno == run.first else text[: len(text) - len(text.lstrip())]
        if node.lineno not in begun and isinstance(node, ast.stmt) and node.col_offset != len(space):
            return None  # behind the end of another statement, or behind `else:`
        known = begun.setdefault(node.lineno, _Begun(space, node.lineno))
        simple = isinstance(node, ast.stmt) and not any(suites(node))
        known.end = max(known.end, node.end_lineno or 0) if simple and known.end else 0
    for number, text in enumerate(run.lines, run.first):
        if number not in begun and _CLAUSE.match(text):
            begun[number] = _Begun(text[: len(text) - len(text.lstrip())], 0)
    return begun


def _parts(statements: Iterable[ast.stmt]) -> Iterator[ast.stmt | ast.expr | ast.ExceptHandler | ast.pattern]:
    """Statements and those in them, with what else begins a line of a block."""
    for statement in statements:
        yield statement
        yield from getattr(statement, "decorator_list", ())
        yield from getattr(statement, "handlers", ())
        yield from (case.pattern for case in getattr(statement, "cases", ()))
        for suite in suites(statement):
            yield from _parts(suite)


def _all_follow(run: Run, begun: Mapping[int, _Begun]) -> bool:
    """Whether every line begins with the indentation of the block that libcst reads it in."""
    last, gap = begun[min(begun)], list[str]()
    for number, text in enumerate(run.lines[1:], run.first + 1):
        line = text.rstrip("\r\n")
        if number in begun:
            if not begun[number].indent.startswith(run.indent) or not _gap_follows(gap, last, begun[number]):
                return False
            last, gap = begun[number], []
        elif line and last.end < number and line.lstrip()[:1] in ("", "#"):
            gap.append(line)
        elif line and not line.startswith(last.indent):
            return False
    return not gap


def _gap_follows(gap: Sequence[str], before: _Begun, behind: _Begun) -> bool:
    """The same of comments and spaces between two lines: each block takes those that begin with its indentation."""
    if not all(line.startswith(behind.indent) for line in gap):
        return False
    if all(line.startswith(before.indent) for line in gap):
        return True
    depths = [len(line) - len(line.lstrip()) for line in gap]
    return bool(before.end) and depths == sorted(depths, reverse=True)


def _has_nested_text(statement: ast.stmt) -> bool:
    return any(isinstance(n, ast.FormattedValue) and n.lineno != n.end_lineno for n in every_node(statement))
