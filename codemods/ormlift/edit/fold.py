"""Statements that no op touches, kept out of libcst's sight: it takes most of an edit's time, and they need none of it.

A run of them stands in the text as one string of as many lines, so that all positions stay; where libcst has set it
behind another indentation, its lines follow as libcst would move them. Where that can't be told, nothing is folded.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ormlift.edit.moved import Run, moved
from ormlift.model import (
    AddAbove,
    CommentOut,
    DropArgument,
    DropFinally,
    DropHandlers,
    DropWithItem,
    Op,
    ReplaceExpr,
    ReplaceStatement,
    Span,
    Wrap,
)
from ormlift.syntax import FunctionNode, suites

_KNOWN = (
    AddAbove,
    CommentOut,
    DropArgument,
    DropFinally,
    DropHandlers,
    DropWithItem,
    ReplaceExpr,
    ReplaceStatement,
    Wrap,
)
_SIGN = "_folded_"
_PLACE = re.compile(rf'"""{_SIGN}(\d+)_[\r\n]*"""')
_Key = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Folded:
    """A piece of text with its runs folded."""

    text: str
    runs: tuple[Run, ...]

    def unfold(self, code: str) -> str | None:
        """The text that an edit has made of it, with the runs in their places; None where one of them can't be put."""
        out: list[str] = []
        done, number = 0, -1
        for number, match in enumerate(_PLACE.finditer(code)):
            indent = code[_line_start(code, match.start()) : match.start()]
            known = int(match[1]) == number < len(self.runs) and not indent.strip(" \t")
            lines = moved(self.runs[number], indent) if known else None
            if lines is None:
                return None
            out += [code[done : match.start()], *lines]
            done = match.end()
        complete = number == len(self.runs) - 1 and code.count(_SIGN) == len(self.runs)
        return "".join([*out, code[done:]]) if complete else None


def _line_start(text: str, position: int) -> int:
    return max(text.rfind("\n", 0, position), text.rfind("\r", 0, position)) + 1


def fold(lines: Sequence[str], first: int, function: FunctionNode, ops: Sequence[Op]) -> Folded | None:
    """Fold what no op touches in the lines of a function, the first of which is line `first` of the file."""
    if not all(isinstance(op, _KNOWN) for op in ops) or any(_SIGN in line for line in lines):
        return None
    runs = tuple(_Folder(lines, first, ops).runs(function.body))
    out = list(lines)
    for number, run in enumerate(runs):
        start, end = run.first - first, run.first - first + len(run.lines) - 1
        rest = lines[end][len(run.lines[-1]) + (len(run.indent) if start == end else 0) :]
        breaks = "".join(line[len(line.rstrip("\r\n")) :] for line in run.lines[:-1])
        out[start : end + 1] = [f'{run.indent}"""{_SIGN}{number}_{breaks}"""{rest}', *[""] * (end - start)]
    return Folded("".join(out), runs) if runs else None


class _Folder:
    """Finds the runs of one function."""

    def __init__(self, lines: Sequence[str], first: int, ops: Sequence[Op]) -> None:
        self.lines = lines
        self.first = first
        wraps = [op for op in ops if isinstance(op, Wrap)]
        self.starts = {_place(op.first) for op in wraps}
        self.ends = {_place(op.last) for op in wraps}
        self.touched = {_place(op.span) for op in ops if not isinstance(op, Wrap)}
        self.opaque = {_place(op.span) for op in ops if isinstance(op, ReplaceStatement | CommentOut)}
        self.finals = {_place(op.span) for op in ops if isinstance(op, DropFinally)}
        self.kept = {_place(op.span): op.kept for op in ops if isinstance(op, DropHandlers)}

    def runs(self, suite: Sequence[ast.stmt]) -> Iterator[Run]:
        """The runs of a suite and of the suites in it, in source order."""
        run: list[ast.stmt] = []
        for statement in suite:
            key = (statement.lineno, statement.col_offset)
            if run and (key in self.starts or key in self.ends or not self._fits(statement)):
                yield from self._cut(run)
                run = []
            if not self._fits(statement):
                yield from self._inside(statement)
                continue
            run.append(statement)
            if key in self.ends:
                yield from self._cut(run)
                run = []
        yield from self._cut(run)

    def _cut(self, run: list[ast.stmt]) -> Iterator[Run]:
        """A run, without statements at its end that comments of their own blocks follow."""
        end = len(run)
        while end and self._has_tail(run[end - 1]):
            end -= 1
        if end:
            yield self._run(run[:end])
        for statement in run[end:]:
            yield from self._inside(statement)

    def _run(self, statements: list[ast.stmt]) -> Run:
        first, last = _first_line(statements[0]), _last_line(statements[-1])
        lines = list(self.lines[first - self.first : last - self.first + 1])
        indent = lines[0][: len(lines[0]) - len(lines[0].lstrip())]
        end = statements[-1].end_col_offset or 0
        lines[-1] = lines[-1].encode()[:end].decode() if not lines[-1].isascii() else lines[-1][:end]
        lines[0] = lines[0][len(indent) :]
        return Run(tuple(statements), first, indent, tuple(lines))

    def _inside(self, statement: ast.stmt) -> Iterator[Run]:
        """The runs in the suites of a statement that is not folded itself."""
        key = (statement.lineno, statement.col_offset)
        if key in self.opaque:
            return
        if isinstance(statement, ast.Try | ast.TryStar) and (key in self.finals or key in self.kept):
            handlers = statement.handlers[: self.kept.get(key)]
            parts = [statement.body, *(h.body for h in handlers), statement.orelse]
            parts += [] if key in self.finals else [statement.finalbody]
        else:
            parts = list(suites(statement))
        for part in parts:
            yield from self.runs(part)

    def _fits(self, statement: ast.stmt) -> bool:
        """Whether no op touches a statement, or anything in it, and it begins its line."""
        first, last, key = _first_line(statement), _last_line(statement), (statement.lineno, statement.col_offset)
        if any(first <= line <= last for line, _ in self.touched):
            return False
        if any(first <= start[0] <= last and start != key for start in self.starts):
            return False
        if first < statement.lineno and (key in self.starts or key in self.ends):
            return False  # a wrap begins at the `def`, not at its decorators
        line = self.lines[first - self.first]
        column = statement.col_offset
        return not line[:column].strip(" \t") and line[column : column + 1] not in ("", " ", "\t")

    def _has_tail(self, statement: ast.stmt) -> bool:
        """Whether comments or spaces behind a compound statement may belong to a block in it."""
        if not any(suites(statement)):
            return False
        for line in self.lines[_last_line(statement) - self.first + 1 :]:
            text = line.lstrip()
            if text and not text.startswith("#"):
                break
            if len(line.rstrip("\r\n")) - len(text.rstrip("\r\n")) > statement.col_offset:
                return True
        return False


def _place(span: Span) -> _Key:
    return span.line, span.col


def _first_line(statement: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(d.lineno for d in decorators)])


def _last_line(statement: ast.stmt) -> int:
    return statement.end_lineno or statement.lineno
