"""Which major version of a library a project runs on, as its requirement files say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

FILES = re.compile(
    r"(?:^|/)(?:[\w.-]*requirements[\w./-]*\.(?:txt|in)|pyproject\.toml|setup\.(?:py|cfg)|Pipfile|poetry\.lock)$"
)
LIBRARIES = ("pydantic", "sqlalchemy", "fastapi")
_PINNED = re.compile(
    r"^[\s\"'\[,{]*(?P<name>[A-Za-z][\w.-]*)(?:\[[^\]]*\])?[\"']?\s*(?:=\s*(?:\{[^}]*version\s*=\s*)?)?[\"']?\s*"
    r"(?P<how>==|~=|>=|\^|===|>)?\s*v?(?P<major>\d+)\.",
    re.M,
)
_LOCKED = re.compile(r'name = "(?P<name>[\w.-]+)"\nversion = "(?P<major>\d+)\.')


def majors(texts: Iterable[str]) -> Mapping[str, int]:
    """The major version of each library that all files agree on; what is bound from below counts as the least."""
    found: dict[str, set[int]] = {}
    for text in texts:
        for pattern in (_PINNED, _LOCKED):
            for match in pattern.finditer(text):
                name = match["name"].lower()
                if name in LIBRARIES:
                    found.setdefault(name, set()).add(int(match["major"]))
    return {name: next(iter(versions)) for name, versions in found.items() if len(versions) == 1}
