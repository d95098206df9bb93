"""`# ormlift: ignore[codemod-id] reason` on a site's first line: the user's word that it stays."""

from __future__ import annotations

import io
import re
import tokenize
from dataclasses import dataclass

_COMMENT = re.compile(r"#\s*ormlift:\s*ignore(?:\[(?P<ids>[^\]]*)\])?\s*(?P<why>.*)")


@dataclass(frozen=True, slots=True)
class Suppression:
    """One such comment."""

    line: int
    ids: frozenset[str]  # empty: every codemod
    why: str

    def covers(self, codemod: str, line: int) -> bool:
        """Whether a site of `codemod` that starts on `line` is to stay as it is."""
        return line == self.line and (not self.ids or codemod in self.ids)


def suppressions(text: str) -> tuple[Suppression, ...]:
    """All suppressions of a file, in order."""
    if "ormlift:" not in text:
        return ()
    found = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        match = _COMMENT.search(token.string) if token.type == tokenize.COMMENT else None
        if match:
            ids = frozenset(part.strip() for part in (match["ids"] or "").split(",") if part.strip())
            found.append(Suppression(token.start[0], ids, match["why"].strip()))
    return tuple(found)
