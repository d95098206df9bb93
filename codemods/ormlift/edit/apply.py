"""Rewrites to new text: cut the enclosing functions out, change their trees, put them back by lines."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from ormlift.edit.errors import LayoutError
from ormlift.edit.imports import edit_imports
from ormlift.model import (
    AddAbove,
    AddBehind,
    AddParameter,
    CommentOut,
    DropArgument,
    DropFinally,
    DropHandlers,
    DropWithItem,
    Op,
    ReplaceExpr,
    ReplaceStatement,
    Rewrite,
    Span,
    Wrap,
)
from ormlift.source import newline_of, split_lines
from ormlift.syntax import FunctionNode, Module

__all__ = ["Edited", "LayoutError", "apply", "op_lines"]


@dataclass(frozen=True, slots=True)
class Edited:
    """New text, and where each of its lines comes from."""

    text: str
    origin: tuple[int | None, ...]  # for each new line, the old line (1-based) it stands for; None: new


@dataclass(frozen=True, slots=True)
class _Chunk:
    first: int
    last: int
    ops: tuple[Op, ...]


def apply(module: Module, rewrites: Sequence[Rewrite]) -> Edited:
    """Apply `rewrites`, whose lines must not overlap, to the module.

    Raises LayoutError where an op finds no place, as with statements that share a line by `;`.
    """
    _check_apart([op for rewrite in rewrites for op in rewrite.ops])
    lines = split_lines(module.source.text)
    newline = newline_of(module.source.text)
    out: list[str] = []
    origin: list[int | None] = []
    done = 0
    for chunk in _chunks(module, rewrites):
        out += lines[done : chunk.first - 1]
        origin += range(done + 1, chunk.first)
        old = lines[chunk.first - 1 : chunk.last]
        new = _edited_chunk(old, chunk, newline, _function_of(module, chunk))
        out += new
        origin += (None if i is None else i + chunk.first for i in _line_map(old, new))
        done = chunk.last
    out += lines[done:]
    origin += range(done + 1, len(lines) + 1)
    needs = sorted({need for rewrite in rewrites for need in rewrite.imports})
    unused = sorted({name for rewrite in rewrites for name in rewrite.unused})
    return Edited(*edit_imports(out, origin, needs, unused, newline, module.source.path))


def _check_apart(ops: Sequence[Op]) -> None:
    """Raise LayoutError where the text of one op would swallow the edit of another inside it."""
    texts = [op for op in ops if isinstance(op, ReplaceExpr | ReplaceStatement) and op.text]
    for outer in texts:
        for inner in texts:
            if outer is not inner and _within(inner.span, outer.span) and inner != outer:
                message = "two edits of one expression collide"
                raise LayoutError(message)


def _within(inner: Span, outer: Span) -> bool:
    starts = (outer.line, outer.col) <= (inner.line, inner.col)
    return starts and (inner.end_line, inner.end_col) <= (outer.end_line, outer.end_col)


def _function_of(module: Module, chunk: _Chunk) -> FunctionNode | None:
    """The function that a piece is, if it is one."""
    functions: list[FunctionNode] = [*module.nodes(ast.FunctionDef), *module.nodes(ast.AsyncFunctionDef)]
    return next((f for f in functions if (f.lineno, f.end_lineno) == (chunk.first, chunk.last)), None)


def _edited_chunk(old: list[str], chunk: _Chunk, newline: str, function: FunctionNode | None) -> list[str]:
    body = [*old[:-1], old[-1].rstrip("\r\n") + newline]
    new = split_lines(_edited_text(body, chunk, newline, function))
    ending = old[-1][len(old[-1].rstrip("\r\n")) :]
    while old[-1].strip() and len(new) > 1 and not new[-1].strip():
        del new[-1]  # blank lines that stood above a last statement that is gone
    return [*new[:-1], new[-1].rstrip("\r\n") + ending]


def _edited_text(body: list[str], chunk: _Chunk, newline: str, function: FunctionNode | None) -> str:
    """The text after its ops; folded for the edit, if that can be."""
    from ormlift.edit.fold import fold
    from ormlift.edit.tree import edit_chunk

    folded = fold(body, chunk.first, function, chunk.ops) if function is not None else None
    if folded is not None:
        with suppress(LayoutError):  # whole, it gets the same error, or is judged better
            text = folded.unfold(edit_chunk(folded.text, chunk.first, chunk.ops, newline))
            if text is not None:
                return text
    return edit_chunk("".join(body), chunk.first, chunk.ops, newline)


def _chunks(module: Module, rewrites: Iterable[Rewrite]) -> list[_Chunk]:
    """The pieces of text to edit, in order, with their ops; pieces that meet are one."""
    pieces: list[_Chunk] = []
    for rewrite in rewrites:
        lines = [line for op in rewrite.ops for line in op_lines(op)]
        if lines:
            first, end = _piece(module, min(lines), max(lines))
            if any(isinstance(op, AddBehind) for op in rewrite.ops):
                end = _with_comments(module, first, end)
            pieces.append(_Chunk(first, end, rewrite.ops))
    merged: list[_Chunk] = []
    for piece in sorted(pieces, key=lambda p: (p.first, -p.last)):
        if merged and piece.first <= merged[-1].last:
            last = merged[-1]
            merged[-1] = _Chunk(last.first, max(last.last, piece.last), last.ops + piece.ops)
        else:
            merged.append(piece)
    return merged


def _with_comments(module: Module, first: int, last: int) -> int:
    """The last line of a piece with the comments at the end of its body, which `ast` does not count to it."""
    lines = module.lines
    column = len(lines[first - 1]) - len(lines[first - 1].lstrip())
    for number in range(last + 1, len(lines) + 1):
        text = lines[number - 1].lstrip()
        if text and not (text.startswith("#") and len(lines[number - 1]) - len(text) > column):
            break
        last = number if text else last
    return last


def op_lines(op: Op) -> tuple[int, int]:
    """The first line and the last that an op touches."""
    match op:
        case Wrap(first, last, _):
            return first.line, last.end_line
        case (
            ReplaceExpr(span, _)
            | ReplaceStatement(span, _)
            | DropFinally(span)
            | DropHandlers(span)
            | DropWithItem(span)
            | DropArgument(span)
            | CommentOut(span, _)
            | AddBehind(span, _)
            | AddAbove(span, _)
        ):
            return span.line, span.end_line
        case AddParameter(span, _):
            return span.line, span.line


def _piece(module: Module, first: int, last: int) -> tuple[int, int]:
    """The lines of the outermost function that holds lines first..last, or of the top-level statements that do."""
    suite: Sequence[ast.stmt] = module.tree.body
    while True:
        holders = [s for s in suite if s.lineno <= last and first <= (s.end_lineno or s.lineno)]
        if not holders:
            message = f"no statement stands at line {first}"
            raise LayoutError(message)
        inner = holders[0]
        if len(holders) == 1 and isinstance(inner, ast.ClassDef) and inner.lineno < first:
            suite = inner.body
            continue
        if len(holders) == 1 and isinstance(inner, FunctionNode):
            return inner.lineno, inner.end_lineno or inner.lineno
        if suite is module.tree.body:
            return inner.lineno, holders[-1].end_lineno or inner.lineno
        return _class_piece(module, holders)


def _class_piece(module: Module, holders: Sequence[ast.stmt]) -> tuple[int, int]:
    """Statements of a class body: they are edited with the whole top-level statement around them."""
    top = next(s for s in module.tree.body if s.lineno <= holders[0].lineno <= (s.end_lineno or s.lineno))
    return top.lineno, top.end_lineno or top.lineno


def _line_map(old: list[str], new: list[str]) -> list[int | None]:
    """For each new line the index of the old line that it stands for.

    Equal lines at the start and at the end stand for each other; those between are compared without indentation.
    """
    from ormlift.diff import matcher

    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    mapping: list[int | None] = [None] * len(new)
    mapping[:head] = range(head)
    mapping[len(new) - tail :] = range(len(old) - tail, len(old))
    middle_old = [line.strip() for line in old[head : len(old) - tail]]
    middle_new = [line.strip() for line in new[head : len(new) - tail]]
    for i, j, size in matcher(middle_old, middle_new).get_matching_blocks():
        mapping[head + j : head + j + size] = range(head + i, head + i + size)
    return mapping
