"""Placeholders in SQL text: found outside literals, comments and quoted names, and numbered.

The text is cut into pieces first: code, and what is quoted or commented. How a piece ends depends on the dialect
(backslashes in MySQL's strings, dollar quotes and nested comments in PostgreSQL).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One placeholder as it stands in the text."""

    start: int  # offset of its first character
    end: int  # offset just behind its last
    key: int | str  # position among the positional ones, zero-based number of a numbered one, or name


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of SQL text."""

    start: int
    end: int
    quoted: bool  # a literal, a quoted name or a comment
    comment: bool = False


_STRING = r"'(?:[^']|'')*'"
_ESCAPED = r"'(?:[^'\\]|\\.|'')*'"
_NAME = r'"(?:[^"]|"")*"'
_LINE_COMMENT = r"--[^\n]*"
_BLOCK_COMMENT = r"/\*(?:[^*]|\*(?!/))*\*/"
_QUOTED = {
    "sqlite": rf"{_STRING}|{_NAME}|`(?:[^`]|``)*`|\[[^\]]*\]|{_LINE_COMMENT}|{_BLOCK_COMMENT}",
    "postgresql": rf"[eE]{_ESCAPED}|{_STRING}|{_NAME}|(\$\w*\$).*?\1|{_LINE_COMMENT}|{_BLOCK_COMMENT}",
    "mysql": rf'{_ESCAPED}|"(?:[^"\\]|\\.|"")*"|`(?:[^`]|``)*`|--(?=\s|$)[^\n]*|#[^\n]*|{_BLOCK_COMMENT}',
}
_COLON = r"(?<![:\w]):(?P<name>[A-Za-z_]\w*)"
_STYLES = {
    "qmark": rf"\?(?P<number>\d+)?|{_COLON}|(?<!\w)[@$](?P<at>[A-Za-z_]\w*)",
    "numeric": rf"(?<![:\w]):(?P<number>\d+)|\?(?P<qnumber>\d+)|{_COLON}",
    "named": rf"{_COLON}|(?<![:\w]):(?P<number>\d+)",
    "format": r"%(?:(?P<percent>%)|\((?P<name>[^)]+)\)s|(?P<plain>s)|(?P<bad>.|$))",
}
_STYLES["pyformat"] = _STYLES["format"]


def pieces(sql: str, dialect: str) -> Iterator[Piece]:
    """Cut `sql` into code and quoted pieces. Raises ValueError where a quote or comment does not end."""
    at = 0
    for match in re.finditer(_QUOTED[dialect], sql, re.DOTALL):
        if match.start() > at:
            yield _code(sql, at, match.start())
        comment = match.group().startswith(("--", "/*")) or (dialect == "mysql" and match.group().startswith("#"))
        yield Piece(match.start(), match.end(), quoted=True, comment=comment)
        at = match.end()
    if at < len(sql):
        yield _code(sql, at, len(sql))


def on_one_line(sql: str, dialect: str) -> str:
    """The statement with single spaces outside what is quoted, and without comments."""
    found = ""
    for piece in pieces(sql, dialect):
        text = sql[piece.start : piece.end]
        if piece.comment or not piece.quoted:
            text = " " if piece.comment else re.sub(r"\s+", " ", text)
            text = text.lstrip() if found[-1:] in ("", " ") else text
        found += text
    return found.rstrip()


def _code(sql: str, start: int, end: int) -> Piece:
    text = sql[start:end]
    if "'" in text or '"' in text or "`" in text or "/*" in text:
        msg = "a quote or comment does not end"
        raise ValueError(msg)
    return Piece(start, end, quoted=False)


def placeholders(sql: str, paramstyle: str, dialect: str = "sqlite") -> list[Placeholder]:
    """The placeholders of `sql` in order of appearance. Raises ValueError where they cannot be told."""
    if not paramstyle:
        return []
    pattern = re.compile(_STYLES[paramstyle], re.DOTALL)
    percent = paramstyle in ("format", "pyformat")
    found: list[Placeholder] = []
    for piece in pieces(sql, dialect):
        if piece.quoted and not percent:
            continue
        for match in pattern.finditer(sql, piece.start, piece.end):
            key = _key(match, len(found), percent)
            if key is None:
                continue
            if piece.quoted:
                msg = "a placeholder stands inside quotes or a comment"
                raise ValueError(msg)
            found.append(Placeholder(match.start(), match.end(), key))
    if len({type(p.key) for p in found}) > 1:
        msg = "named and positional placeholders are mixed"
        raise ValueError(msg)
    return found


def _key(match: re.Match[str], position: int, percent: bool) -> int | str | None:
    groups = match.groupdict()
    if percent:
        if groups["bad"] is not None:
            msg = "a single % must be doubled where the driver replaces %s"
            raise ValueError(msg)
        return None if groups["percent"] else groups["name"] or position
    number = groups.get("number") or groups.get("qnumber")
    if number:
        return int(number) - 1
    return groups.get("name") or groups.get("at") or position


def numbered(sql: str, paramstyle: str, dialect: str) -> tuple[str, list[int | str]]:
    """The text with each placeholder as `:p<slot>` and `%%` as `%`; and each slot's key in order of first appearance.

    Raises ValueError where the placeholders cannot be told.
    """
    keys: list[int | str] = []
    parts: list[str] = []
    at = 0
    percent = paramstyle in ("format", "pyformat")
    for found in placeholders(sql, paramstyle, dialect):
        if found.key not in keys:
            keys.append(found.key)
        parts += [_unescaped(sql[at : found.start], percent), f":p{keys.index(found.key)}"]
        at = found.end
    parts.append(_unescaped(sql[at:], percent))
    return "".join(parts), keys


def _unescaped(text: str, percent: bool) -> str:
    return text.replace("%%", "%") if percent else text


_TOLD = {
    "sqlite": re.compile(r"\s*(?:INSERT|UPDATE)\s+OR\s+(?:IGNORE|REPLACE|ABORT|FAIL|ROLLBACK)\b", re.IGNORECASE),
    "mysql": re.compile(r"\s*INSERT\s+IGNORE\b", re.IGNORECASE),
    "postgresql": re.compile(r"\s*SELECT\s+DISTINCT\s+ON\s*\(", re.IGNORECASE),
}


def told_dialect(sql: str) -> str:
    """The dialect that alone has how a statement begins; empty where several have it."""
    return next((dialect for dialect, head in _TOLD.items() if head.match(sql)), "")
