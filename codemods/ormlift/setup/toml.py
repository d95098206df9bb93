"""Writes a `[tool.ormlift]` table into a TOML file, and keeps all else in it byte for byte.

TOML has no writer in the standard library that keeps comments, so the table is put in as text, and what came of it is
read back: the rest must mean what it meant before.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field

from ormlift.source import newline_of

Value = str | Sequence[str]
_WIDTH = 120
_HEADER = re.compile(r"\s*\[\[?\s*(?P<name>[^\[\]#]+?)\s*\]\]?\s*(?:#.*)?$")


class TomlError(Exception):
    """The file is written in a way that no table can be put into. Its text is one line."""


@dataclass(frozen=True)
class Entry:
    """One key, its value, and what is remarked on it."""

    key: str
    value: Value
    remark: str = ""  # behind it
    below: Sequence[str] = ()  # comment lines under it


@dataclass(frozen=True)
class Section:
    """One table of an array, such as a phase."""

    name: str  # scopes | phases
    entries: Sequence[Entry]
    remark: str = ""  # the comment above it


@dataclass(frozen=True)
class Draft:
    """The configuration to be written."""

    entries: Sequence[Entry] = ()
    sections: Sequence[Section] = field(default=())


def render(draft: Draft, table: str) -> str:
    """The draft as TOML, under the table of that name; empty: at the top of a file of its own."""
    lines = [f"[{table}]"] if table else []
    for entry in draft.entries:
        lines += _entry(entry)
    for section in draft.sections:
        name = f"{table}.{section.name}" if table else section.name
        lines += ["", *([f"# {section.remark}"] if section.remark else []), f"[[{name}]]"]
        lines += [line for entry in section.entries for line in _entry(entry)]
    return "\n".join(lines).strip("\n") + "\n"


def _entry(entry: Entry) -> list[str]:
    value = _quoted(entry.value)
    line = f"{entry.key} = {value}"
    remark = f"  # {entry.remark}" if entry.remark else ""
    if len(line) > _WIDTH and not isinstance(entry.value, str):
        head = [f"{entry.key} = [{remark}", *(f"    {_quoted(item)}," for item in entry.value), "]"]
    else:
        head = [line + remark]
    return [*head, *(f"# {text}" for text in entry.below)]


def _quoted(value: Value) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return f"[{', '.join(_quoted(item) for item in value)}]"


def put(text: str, draft: Draft, table: str = "tool.ormlift") -> str:
    """The file's text with the table, in the place of the one that it may hold. Raises TomlError."""
    newline = newline_of(text) if text else "\n"
    written = render(draft, table).replace("\n", newline)
    head, tail = _without(text, table)
    if head and not head.endswith(("\n", "\r")):
        head += newline
    if head.strip() and not head.endswith(newline * 2):
        head += newline
    result = head + written + (newline + tail if tail else "")
    _check(text, result, table)
    return result


def _without(text: str, table: str) -> tuple[str, str]:
    """The text before and behind the table; all of it before, where it holds none."""
    lines = text.splitlines(keepends=True)
    owned = [i for i, line in enumerate(lines) if _is_ours(line, table)]
    if not owned:
        return text, ""
    others = [i for i, line in enumerate(lines) if i > owned[-1] and _HEADER.match(line) and not _is_ours(line, table)]
    end = others[0] if others else len(lines)
    while end > owned[-1] + 1 and others and lines[end - 1].lstrip().startswith("#"):
        end -= 1  # the comment above the next table is the next table's
    return "".join(lines[: owned[0]]), "".join(lines[end:])


def _is_ours(line: str, table: str) -> bool:
    match = _HEADER.match(line)
    name = [part.strip().strip("\"'") for part in match["name"].split(".")] if match else []
    wanted = table.split(".")
    return name[: len(wanted)] == wanted


def _check(before: str, after: str, table: str) -> None:
    """Raise TomlError unless the rest of the file means what it meant."""
    try:
        old, new = tomllib.loads(before), tomllib.loads(after)
    except tomllib.TOMLDecodeError as error:
        message = f"[{table}] cannot be put into it ({error}); add it by hand"
        raise TomlError(message) from error
    if _rest(old, table.split(".")) != _rest(new, table.split(".")):
        message = f"[{table}] is written in a way that cannot be replaced; mend it by hand"
        raise TomlError(message)


def _rest(tree: dict[str, object], path: list[str]) -> dict[str, object]:
    """The tree without what stands at the path, and without tables that are left empty on the way."""
    head, *tail = path
    inner = tree.get(head)
    kept = _rest(inner, tail) if tail and isinstance(inner, dict) else {}
    return {k: v for k, v in tree.items() if k != head} | ({head: kept} if kept else {})
