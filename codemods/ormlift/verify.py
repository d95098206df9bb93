"""Whether a plan may be written: each edit is checked against the text it started from.

The checks read both texts anew; they trust nothing that the edit says but which line became which.
"""

from __future__ import annotations

import ast
import builtins
import io
import re
import symtable
import sys
import tokenize
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence

from ormlift.model import Source
from ormlift.source import encode, split_lines
from ormlift.syntax import Module

_COMMENT_OR_STRING = re.compile(
    r"#[^\r\n]*"
    r'|"""[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*"""|"[^"\\]*(?:\\.[^"\\]*)*"'
    r"|'''[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*'''|'[^'\\]*(?:\\.[^'\\]*)*'",
    re.DOTALL,
)
_NESTED_QUOTES = sys.version_info >= (3, 12)  # from then on an f-string may hold its own quotes and comments


class VerificationError(Exception):
    """The new text breaks a promise; its text says which."""


class LostCommentError(VerificationError):
    """The new text has no place for a comment of the old; the others may be made without that site."""

    def __init__(self, comment: str) -> None:
        """`comment` is the text that is gone, from its `#` on."""
        super().__init__(f"a comment was lost: {comment}")
        self.comment = comment


def verify_edit(
    before: Module, after: Source, origin: Sequence[int | None], site_lines: Iterable[tuple[int, int]]
) -> Module:
    """Check one edit and return the new text, parsed.

    `origin` gives for each new line the old line it stands for, `site_lines` the lines that may change.
    Raises VerificationError unless the new text parses, reads no name that has lost its binding, changes nothing
    outside `site_lines` but imports, and can be written in the file's encoding; LostCommentError for nothing but a
    comment that is not kept.
    """
    try:
        module = Module.parse(after)
    except SyntaxError as error:
        message = f"the new text does not parse (line {error.lineno}: {error.msg})"
        raise VerificationError(message) from error
    known = {node.id for node in before.nodes(ast.Name)}
    loose = undefined(after.text) & known
    loose -= undefined(before.source.text) if loose else set()
    if loose:
        message = f"{min(loose)} would be read and is bound nowhere any more"
        raise VerificationError(message)
    _check_outside(before, after, origin, site_lines)
    try:
        encode(after)
    except UnicodeEncodeError as error:
        message = f"the new text cannot be written as {after.encoding}"
        raise VerificationError(message) from error
    lost = lost_comments(before.source.text, after.text)
    if lost:
        raise LostCommentError(lost[0])
    return module


def undefined(text: str) -> set[str]:
    """The names that some scope of the text reads and that neither a scope around it nor Python binds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = symtable.symtable(text, "<file>", "exec")
    bound = {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported() or s.is_namespace()}
    bound |= set(dir(builtins)) | {"__file__", "__name__", "__doc__", "__path__", "__spec__", "__annotations__"}
    found: set[str] = set()
    stack = [table]
    while stack:
        scope = stack.pop()
        stack += scope.get_children()
        for symbol in scope.get_symbols():
            if symbol.is_declared_global() and symbol.is_assigned():
                bound.add(symbol.get_name())
            if symbol.is_referenced() and symbol.is_global():
                found.add(symbol.get_name())
            if scope is table and symbol.is_referenced() and not symbol.is_assigned():
                found.add(symbol.get_name())
    return found - bound


def lost_comments(before: str, after: str) -> list[str]:
    """The comments of a text that are gone; one at the end of a line that is itself a comment now is kept."""
    old, new = comments(before), comments(after)
    made = list((new - old).elements())
    lost = []
    for comment in (old - new).elements():
        holder = next((m for m in made if m.endswith(comment)), None)
        if holder is None:
            lost.append(comment)
        else:
            made.remove(holder)
    return lost


def comments(text: str) -> Counter[str]:
    """How often each comment stands in `text`, which can be parsed. Empty for text that cannot be tokenized."""
    if "#" not in text:
        return Counter()
    if not _NESTED_QUOTES:
        return Counter(m.group().rstrip() for m in _COMMENT_OR_STRING.finditer(text) if m.group().startswith("#"))
    try:
        tokens = tokenize.generate_tokens(io.StringIO(text).readline)
        return Counter(t.string.rstrip() for t in tokens if t.type == tokenize.COMMENT)
    except (tokenize.TokenError, SyntaxError):
        return Counter()


def _check_outside(
    before: Module, after: Source, origin: Sequence[int | None], site_lines: Iterable[tuple[int, int]]
) -> None:
    old, new = split_lines(before.source.text), split_lines(after.text)
    free = _import_lines(before)
    for first, last in site_lines:
        free |= set(range(_past_blank(old, first, -1), _past_blank(old, last, 1) + 1))
    kept = [(line, text) for line, text in zip(origin, new, strict=True) if line is not None and line not in free]
    expected = [(number, text) for number, text in enumerate(old, 1) if number not in free]
    if len(kept) != len(expected):
        missing = {n for n, _ in expected} ^ {n for n, _ in kept}
        message = f"line {min(missing)}, outside every site, would change"
        raise VerificationError(message)
    for (line, text), (number, old_text) in zip(kept, expected, strict=True):
        if line != number or text != old_text:
            message = f"line {number}, outside every site, would change"
            raise VerificationError(message)


def _past_blank(lines: list[str], number: int, step: int) -> int:
    """The last of the blank lines that touch line `number` in the direction of `step`: a removal may take them."""
    while 1 <= number + step <= len(lines) and not lines[number + step - 1].strip():
        number += step
    return number


def _import_lines(module: Module) -> set[int]:
    return {
        line
        for node in module.nodes(ast.Import, ast.ImportFrom)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
