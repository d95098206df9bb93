"""The texts of a project's files, for a look into a function of another file: parsed only when a call asks for it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from ormlift.source import decode
from ormlift.syntax import Module

_SET = re.compile(rb"""\.(\w+)[ \t]*=(?!=)|\bsetattr\([^,\n]+,\s*["'](\w+)""")


def set_names(data: bytes) -> set[bytes]:
    """The names of all attributes that a file's text sets on anything, found by pattern: more, never fewer."""
    return {one or other for one, other in _SET.findall(data)}


@dataclass(frozen=True)
class Texts:
    """Plain data, so that worker processes can be handed it."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    replaced: frozenset[str] = frozenset()  # attributes that some file of the project sets: they may be another's

    def __getstate__(self) -> dict[str, object]:
        return {"files": self.files, "replaced": self.replaced}

    @classmethod
    def of(cls, files: Mapping[str, str]) -> Texts:
        """Those of a small project."""
        data = {path: text.encode() for path, text in files.items()}
        return cls(data, names_of(set_names(text) for text in data.values()))

    @cached_property
    def _parsed(self) -> dict[str, Module | None]:
        return {}

    @cached_property
    def own(self) -> dict[str, frozenset[str]]:
        """By path, the names that are a file's own: filled by the index."""
        return {}

    def module(self, path: str) -> Module | None:
        """The parsed file; None where its text is not held or can't be parsed."""
        if path not in self._parsed:
            self._parsed[path] = _parse(path, self.files[path]) if path in self.files else None
        return self._parsed[path]


def names_of(found: Iterable[set[bytes]]) -> frozenset[str]:
    """Names found in many texts, as one set."""
    return frozenset(name.decode(errors="replace") for names in found for name in names)


def _parse(path: str, data: bytes) -> Module | None:
    try:
        return Module.parse(decode(path, data))
    except (SyntaxError, ValueError):
        return None
