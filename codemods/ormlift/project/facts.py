"""The facts of one file: read alone, without the others, so that workers can read files side by side."""

from __future__ import annotations

from dataclasses import dataclass

from ormlift.model import Source

NEEDLES: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What one file says about models, sessions and scopes, before the files are linked."""

    path: str


def read_facts(source: Source) -> FileFacts:
    """Read one file. A file that does not parse has no facts."""
    raise NotImplementedError
