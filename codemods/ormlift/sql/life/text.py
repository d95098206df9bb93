"""Source text with edits inside it, and where text will stand."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterable, Mapping

from ormlift.model import Op, ReplaceExpr, ReplaceStatement, Span
from ormlift.syntax import Module

_TELLING = 300  # a file of so many lines, none above 79 columns, keeps to 79


def edited_text(node: ast.expr | ast.stmt, edits: Mapping[Span, str], module: Module) -> str:
    """The source text of `node` with those edits that stand inside it."""
    span = module.span(node)
    if span in edits:
        return edits[span]
    inside = sorted((s for s in edits if within(s, span)), reverse=True)
    if not inside:
        return module.text(node)
    lines = module.lines[span.line - 1 : span.end_line]
    lines[-1] = lines[-1][: span.end_col]
    for edit in inside:
        first, last = edit.line - span.line, edit.end_line - span.line
        tail = lines[last][edit.end_col :]
        lines[first : last + 1] = [lines[first][: edit.col] + edits[edit] + tail]
    lines[0] = lines[0][span.col :]
    return "\n".join(lines)


def one_line(text: str) -> str:
    """An expression's text on one line, where no comment and no string goes over the line's end."""
    if "\n" not in text:
        return text
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(f"({text}\n)").readline))
    except (tokenize.TokenError, SyntaxError):
        return text
    if any(t.type == tokenize.COMMENT or (t.start[0] != t.end[0] and t.string.strip()) for t in tokens):
        return text
    joined = ""
    for line in (part.strip() for part in text.split("\n")):
        tight = not joined or joined[-1] in "([{" or line[:1] in (")", "]", "}")
        joined += line if tight else f" {line}"
    return joined


def within(inner: Span, outer: Span) -> bool:
    """Whether one span lies in another and is not the same."""
    begins = (outer.line, outer.col) <= (inner.line, inner.col)
    ends = (inner.end_line, inner.end_col) <= (outer.end_line, outer.end_col)
    return begins and ends and inner != outer


def outermost(ops: Iterable[Op]) -> tuple[Op, ...]:
    """The ops without the replacements of expressions inside what another op replaces."""
    listed = list(dict.fromkeys(ops))
    spans = [op.span for op in listed if isinstance(op, ReplaceExpr | ReplaceStatement)]
    return tuple(op for op in listed if not (isinstance(op, ReplaceExpr) and any(_covers(s, op.span) for s in spans)))


def _covers(outer: Span, inner: Span) -> bool:
    return within(inner, outer)


def has_comment(node: ast.expr | ast.stmt, module: Module) -> bool:
    """Whether a comment stands inside `node`."""
    text = module.text(node)
    if "#" not in text:
        return False
    try:
        return any(t.type == tokenize.COMMENT for t in tokenize.generate_tokens(io.StringIO(f"({text}\n)").readline))
    except (tokenize.TokenError, SyntaxError):
        return True


def line_length(module: Module) -> int:
    """The length that the file's lines keep to, of those that are common."""
    longest = max((len(line) for line in module.lines), default=0)
    limits = (79, 88, 100, 120) if len(module.lines) > _TELLING else (88, 100, 120)
    return next((limit for limit in limits if longest <= limit), 120)
