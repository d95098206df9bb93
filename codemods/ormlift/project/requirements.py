"""Which version of a library a project runs on, as its requirement files say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

FILES = re.compile(
    r"(?:^|/)(?:[\w.-]*requirements[\w./-]*\.(?:txt|in)|pyproject\.toml|setup\.(?:py|cfg)|Pipfile|(?:poetry|uv|pdm)\.lock)$"
)
LIBRARIES = ("pydantic", "sqlalchemy", "fastapi")
_PINNED = re.compile(
    r"^[\s\"'\[,{]*(?P<name>[A-Za-z][\w.-]*)(?:\[[^\]]*\])?[\"']?\s*(?:=\s*(?:\{[^}]*version\s*=\s*)?)?[\"']?\s*"
    r"(?P<how>==|~=|>=|\^|===|>)?\s*v?(?P<major>\d+)\.",
    re.M,
)
_BOUND = re.compile(r"(?P<how>===?|~=|>=|<=|!=|[<>^~])\s*v?(?P<major>\d+)(?:\.(?P<minor>\d+))?")
_BARE = re.compile(r"\s*=\s*(?:\{[^}\n]*version\s*=\s*)?[\"']v?(\d+)\.(\d+)")
_EXTRAS = re.compile(r"extras\s*=\s*\[[^\]\n]*\]")
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


_LEAST_UNBOUND = (1, 4)  # `>=1.3` alone installs the newest; what runs on 1.4 runs there too


def pinned(texts: Iterable[str], library: str) -> str:
    """The version that the files name, else the oldest that they allow, as `1.4`; empty where none says."""
    found = [known for text in texts for known in _versions_of(text, library)]
    named = [version for exact, version in found if exact]
    allowed = named or [version for _, version in found]
    return "{}.{}".format(*min(allowed)) if allowed else ""


def _versions_of(text: str, library: str) -> Iterator[tuple[bool, tuple[int, int]]]:
    """Whether a version is the very one, and the version."""
    asked = re.compile(
        rf"^(?!\s*#)[^#\n]*?(?<![\w.-]){library}(?![\w.-])(?:\[[^\]\n]*\])?[\"']?(?P<said>[^#\n]*)", re.M | re.I
    )
    for match in asked.finditer(text):
        bare = _BARE.match(match["said"])
        if bare:
            yield True, (int(bare[1]), int(bare[2]))
        said = re.split(r"[;#]|[\"'],\s*[\"']|[\"']\s*\]", _EXTRAS.sub("", match["said"]))[0]
        bounds = [(how, (int(major), int(minor or 0))) for how, major, minor in _BOUND.findall(said)]
        below = [version for how, version in bounds if how == "<"]
        exact = [version for how, version in bounds if how in ("==", "===")]
        about = [version for how, version in bounds if how in ("~=", "^", "~")]
        least = [version for how, version in bounds if how in (">=", ">")]
        if exact or about:
            yield bool(exact), min(exact or about)
        elif least:
            yield False, least[0] if below and min(below) <= _LEAST_UNBOUND else max(least[0], _LEAST_UNBOUND)
        elif below:
            yield False, (1, 3) if min(below) <= _LEAST_UNBOUND else _LEAST_UNBOUND
    for match in re.finditer(rf'name = "{library}"\nversion = "(\d+)\.(\d+)', text, re.I):
        yield True, (int(match[1]), int(match[2]))
