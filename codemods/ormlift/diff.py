"""The unified diff that `git apply` takes.

`cydifflib` has difflib's interface and its output at three times the speed; where it is not installed the standard
library's difflib does the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ormlift.model import Source

if TYPE_CHECKING:
    from difflib import SequenceMatcher

_NO_NEWLINE = "\\ No newline at end of file\n"


def matcher(before: Sequence[str], after: Sequence[str]) -> SequenceMatcher[str]:
    """A sequence matcher over lines, without the popularity heuristic (which loses repeated lines)."""
    try:
        import cydifflib as difflib
    except ImportError:
        import difflib
    found: SequenceMatcher[str] = difflib.SequenceMatcher(None, before, after, autojunk=False)
    return found


def unified(before: Source, after: Source, context: int = 3) -> str:
    """The diff of one file as text, empty where nothing changed. Encode it with the file's own encoding."""
    old, new = _git_lines(before), _git_lines(after)
    if old == new:
        return ""
    return "".join(_render(before.path, old, new, context))


def unified_bytes(before: Source, after: Source, context: int = 3) -> bytes:
    """The diff of one file in the file's own encoding: what to write to a pipe or a patch file."""
    return unified(before, after, context).encode(after.encoding, "surrogateescape")


def _git_lines(source: Source) -> list[str]:
    text = ("\ufeff" if source.bom else "") + source.text
    lines = text.split("\n")
    return [line + "\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def _render(path: str, old: list[str], new: list[str], context: int) -> Iterator[str]:
    yield f"--- {_quoted('a/' + path)}\n"
    yield f"+++ {_quoted('b/' + path)}\n"
    for group in matcher(old, new).get_grouped_opcodes(context):
        first, last = group[0], group[-1]
        yield f"@@ -{_range(first[1], last[2])} +{_range(first[3], last[4])} @@\n"
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                yield from _marked(" ", old[i1:i2])
            else:
                yield from _marked("-", old[i1:i2])
                yield from _marked("+", new[j1:j2])


def _marked(mark: str, lines: list[str]) -> Iterator[str]:
    for line in lines:
        yield mark + line if line.endswith("\n") else f"{mark}{line}\n{_NO_NEWLINE}"


def _range(start: int, stop: int) -> str:
    length = stop - start
    if length == 1:
        return str(start + 1)
    return f"{start if length == 0 else start + 1},{length}"


def _quoted(path: str) -> str:
    """The path as git writes it in a header: C-quoted where it must be, with a tab behind one that holds spaces."""
    if any(char in '"\\' or ord(char) < 32 or ord(char) > 126 for char in path):
        raw = path.encode("utf-8", "surrogateescape")
        return '"' + "".join(chr(b) if 32 <= b < 127 and b not in b'"\\' else f"\\{b:03o}" for b in raw) + '"'
    return path + "\t" if " " in path else path
