"""Who owns a file, as CODEOWNERS says: the last line that matches it names its owners."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PLACES = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS")
_WORD = re.compile(r"(?:\\.|[^\s\\])+")
_SECTION = re.compile(r"\^?\[[^\]]*\](?:\[\d+\])?\s*(.*)")


@dataclass(frozen=True)
class Owners:
    """The lines of a CODEOWNERS file; none where there is no such file."""

    found: str = ""  # where it stands, relative to the top
    lines: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = ()

    def of(self, path: str) -> tuple[str, ...]:
        """The owners of a path that is relative to the top of the work tree."""
        for pattern, owners in reversed(self.lines):
            if pattern.fullmatch(path):
                return owners
        return ()


def read_owners(top: Path) -> Owners:
    """The first CODEOWNERS that stands where one is looked for."""
    for place in PLACES:
        try:
            text = (top / place).read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        return Owners(place, tuple(_lines(text)))
    return Owners()


def _lines(text: str) -> Iterator[tuple[re.Pattern[str], tuple[str, ...]]]:
    inherited: tuple[str, ...] = ()
    for line in text.splitlines():
        bare = re.sub(r"(^|\s)#.*", "", line).strip()
        section = _SECTION.fullmatch(bare)
        if section:
            inherited = tuple(section[1].split())
        elif bare:
            pattern, *owners = _WORD.findall(bare)
            yield re.compile(_regex(pattern)), tuple(owners) or inherited


def _regex(pattern: str) -> str:
    """A pattern of CODEOWNERS as a regular expression of whole paths."""
    body = pattern.strip("/") if pattern != "/" else "**"
    anchored = pattern.startswith("/") or "/" in body
    parts = re.findall(r"\*\*/|\*\*|\*|\?|\\.|[^*?\\]+", body)
    signs = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    core = "".join(signs.get(part) or re.escape(part.removeprefix("\\")) for part in parts)
    below = "/.+" if pattern.endswith("/") and body != "**" else "" if pattern.endswith("/*") else "(?:/.+)?"
    return ("" if anchored else "(?:.*/)?") + core + below
