"""Placeholders in SQL text: found outside literals, comments and quoted names, and numbered."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One placeholder as it stands in the text."""

    start: int  # offset of its first character
    end: int  # offset just behind its last
    key: int | str  # position among the positional ones, zero-based number of a numeric one, or name


def placeholders(sql: str, paramstyle: str, dialect: str = "sqlite") -> list[Placeholder]:
    """The placeholders of `sql` in order of appearance. Raises ValueError where they cannot be told."""
    raise NotImplementedError
