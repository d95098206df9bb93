"""A piece of a file that is written otherwise in a copy, rewritten there as a connection's life, and put back."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

from ormlift.edit import LayoutError, apply, op_lines
from ormlift.model import Op, Rewrite, Settings, Source, Span, Wrap
from ormlift.project.index import ProjectIndex
from ormlift.rules._cursor_to_orm.fold import NotPlain
from ormlift.sql.life.find import find_lives
from ormlift.sql.life.model import Life
from ormlift.sql.life.rewrite import rewrite_life
from ormlift.syntax import Module

__all__ = ["LINE", "LayoutError", "Piece", "rewritten"]

_BEGIN, _END = "ormlift: the piece begins", "ormlift: the piece ends"
LINE = re.compile(r"\bline (\d+)\b")


class Piece(Protocol):
    """Statements of one suite, and what stands for them in the copy."""

    @property
    def first(self) -> ast.stmt:
        """The first of them."""

    @property
    def last(self) -> ast.stmt:
        """The last of them."""

    @property
    def header(self) -> int:
        """How many lines behind the piece are the head of a statement that stays."""

    @property
    def added(self) -> dict[str, str]:
        """Names that the copy needs beside, each with its import; none may be left. Raises NotPlain."""

    def lines(self, indent: str) -> tuple[list[str], list[str]]:
        """The lines of the piece in the copy, and those of a statement that stays behind it. Raises NotPlain."""

    def put(self, text: str) -> tuple[Op, ...]:
        """The edits that put the piece's new text in its place."""


def rewritten(piece: Piece, module: Module, codemod: str, index: ProjectIndex, settings: Settings) -> Rewrite:
    """The rewrite of a piece. Raises NotPlain, LayoutError, and what a life raises."""
    return _Copied(piece, module, codemod, index, settings).run()


def copied_life(piece: Piece, module: Module, index: ProjectIndex) -> Life:
    """The life that a piece is in its copy. Raises NotPlain."""
    return _Copied(piece, module, "", index, Settings()).life()


@dataclass
class _Copied:
    piece: Piece
    module: Module
    codemod: str
    index: ProjectIndex
    settings: Settings

    def run(self) -> Rewrite:
        made = rewrite_life(self.life(), self.codemod, self.index, self.settings)
        text, names = self._region(made)
        if names & set(self.piece.added):
            message = f"it needs {', '.join(sorted(names & set(self.piece.added)))} of its own file"
            raise NotPlain(message)
        ops = (*self.piece.put(text), *(self._moved(op) for op in made.ops if not self._is_inside(op)))
        effects = {replace(e, line=self._was(e.line), message=self._told(e.message)) for e in made.effects}
        lines = [line for op in ops for line in op_lines(op)]
        return replace(
            made, ops=ops, line=min(lines), end_line=max(lines),
            effects=tuple(sorted(effects, key=lambda e: (e.line, e.code, e.message))),
        )  # fmt: skip

    # The copy

    @cached_property
    def _indent(self) -> str:
        first, last = self.module.span(self.piece.first), self.module.span(self.piece.last)
        before = self.module.lines[first.line - 1][: first.col]
        behind = self.module.lines[last.end_line - 1][last.end_col :].strip()
        if before.strip() or (behind and not behind.startswith("#")):
            message = "the statement shares its line"
            raise NotPlain(message)
        return before

    @cached_property
    def _copy(self) -> Module:
        """The file with the piece, as it stands there, between two marks."""
        lines, indent = self.module.lines, self._indent
        first, last = self.piece.first.lineno, self.module.span(self.piece.last).end_line
        inside, behind = self.piece.lines(indent)
        new = [f'{indent}"{_BEGIN}"', *inside, f'{indent}"{_END}"']
        self._lines = (first, first + len(new) - 1)
        new += behind
        self._shift = len(new) - (last - first + 1)
        whole = [*lines[: first - 1], *new, *lines[last:], *self.piece.added.values(), ""]
        try:
            return Module.parse(Source(self.module.source.path, "\n".join(whole)))
        except SyntaxError as error:
            message = "its body can't stand here"
            raise NotPlain(message) from error

    def life(self) -> Life:
        """The life between the marks. Raises NotPlain."""
        lives, strays = find_lives(self._copy, self.index)
        found = [life for life in lives if any(self._is_between(use.line) for use in life.uses)]
        strayed = any(self._is_between(stray.line) for stray in strays)
        if len(found) != 1 or found[0].family is not None or strayed:
            message = "the connection that it uses is not opened there"
            raise NotPlain(message)
        return found[0]

    def _is_between(self, line: int) -> bool:
        return self._lines[0] < line < self._lines[1]

    def _region(self, made: Rewrite) -> tuple[str, set[str]]:
        """What stands between the marks after the edit, written at column 0, and the names in it."""
        edited = Module.parse(Source(self._copy.source.path, apply(self._copy, [made]).text))
        marks = {n.value.value: n for n in edited.nodes(ast.Expr) if isinstance(n.value, ast.Constant)}
        begin, end = marks.get(_BEGIN), marks.get(_END)
        if begin is None or end is None or edited.suite(begin) is not edited.suite(end):
            raise _spread()
        suite = edited.suite(begin)
        inside = suite[suite.index(begin) + 1 : suite.index(end)]
        if begin.col_offset != len(self._indent) or not inside:
            raise _spread()
        names = {n.id for s in inside for n in ast.walk(s) if isinstance(n, ast.Name)}
        return "\n".join(edited.written(s) for s in inside), names

    # Back to the file's own lines

    def _is_inside(self, op: Op) -> bool:
        first, last = op_lines(op)
        is_head = self._lines[1] < first <= self._lines[1] + self.piece.header
        if is_head or self._is_between(first) != self._is_between(last):
            raise _spread()
        return self._is_between(first)

    def _was(self, line: int) -> int:
        if line <= self._lines[0]:
            return line
        return self.piece.first.lineno if line <= self._lines[1] else line - self._shift

    def _told(self, message: str) -> str:
        return LINE.sub(lambda found: f"line {self._was(int(found[1]))}", message)

    def _at(self, span: Span) -> Span:
        moved = -self._shift if span.line > self._lines[1] else 0
        return replace(span, line=span.line + moved, end_line=span.end_line + moved)

    def _moved(self, op: Op) -> Op:
        if isinstance(op, Wrap):
            return replace(op, first=self._at(op.first), last=self._at(op.last))
        return replace(op, span=self._at(op.span))


def _spread() -> NotPlain:
    return NotPlain("its connection is used outside of it")
