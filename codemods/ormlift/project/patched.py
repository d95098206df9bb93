"""What tests put something else in the place of: `patch("app.jobs.get_session")`, `jobs.get_session = Mock()`.

Found by pattern, since a project has as many tests as other files. May find more than there is, hardly fewer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

UNKNOWN = "?"  # a holder that can't be told
_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(?P<module>[.\w]+)[ \t]+import[ \t]*(?P<names>\([^)]*\)|[^\n;]+)"
    r"|import[ \t]+(?P<plain>[^\n;(]+))",
    re.MULTILINE,
)
_NAMED = re.compile(
    r"\b(?:patch|setattr|delattr)\(\s*(?:target\s*=\s*)?(?P<form>[rRbBuUfF]*)(?P<quote>[\"'])"
    r"(?P<target>[^\"'\n]+)(?P=quote)"
)
_HELD = re.compile(
    r"\b(?:setattr|delattr|object)\(\s*(?:target\s*=\s*)?(?P<held>[^,\"'\n]{1,90}?|sys\.modules\[[^\]\n]+\])\s*,\s*"
    r"(?:attribute\s*=\s*)?[\"'](?P<name>\w+)[\"']"
)
_MULTIPLE = re.compile(r"\bmultiple\(\s*(?:[\"'](?P<target>[\w.]+)[\"']|(?P<held>[\w.]+))\s*,(?P<rest>[^)]*)")
_COMPUTED = re.compile(r"\bpatch\(\s*[A-Za-z_][\w.]*\s*[,)+%]")
_TEXT = re.compile(r"(?P<form>[fF]?)[\"'](?P<target>[^\"'\n]*\.\w+)[\"']")
_ASSIGNED = re.compile(r"^[ \t]*(?P<held>[A-Za-z_][\w.]*)\.(?P<name>\w+)[ \t]*(?::[^=\n]+)?=(?!=)", re.MULTILINE)
_FAKE = re.compile(
    r"(?P<name>[\w.]+)[ \t]*=[ \t]*(?:\w+\.)*(?:\w*Mock|create_autospec|SimpleNamespace|type)\("
    r"|\bas[ \t]+(?P<given>\w+)[ \t]*:"
)
_SOUNDS_FAKE = re.compile(r"(?:^|_)(?:mock|fake|stub|dummy)|(?:mock|fake|stub)(?:$|_)", re.IGNORECASE)
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:\.\w+)+")


@dataclass(frozen=True, slots=True)
class Patch:
    """One name that is given another value."""

    holder: str  # what has the name: a dotted path, as imports lead to it; UNKNOWN where that can't be told
    name: str
    line: int


def patches(text: str, *, is_test: bool) -> Iterator[Patch]:
    """The patches of a file; attributes that are simply assigned count in tests alone."""
    mocks = "patch" in text
    if not mocks and not is_test:
        return
    bound = _bound(text)
    if mocks:
        yield from _by_call(text, bound)
    if is_test:
        yield from _by_assignment(text, bound)


def _by_call(text: str, bound: Mapping[str, str]) -> Iterator[Patch]:
    for match in _NAMED.finditer(text):
        yield from _of_text(match["target"], match["form"], _line(text, match.start()))
    for match in _HELD.finditer(text):
        yield Patch(_meant(match["held"], bound), match["name"], _line(text, match.start()))
    for match in _MULTIPLE.finditer(text):
        holder = match["target"] or _meant(match["held"], bound)
        for name in re.findall(r"(\w+)\s*=", match["rest"]):
            yield Patch(holder, name, _line(text, match.start()))
    if computed := _COMPUTED.search(text):
        for match in _TEXT.finditer(text):
            yield from _of_text(match["target"], match["form"], _line(text, computed.start()))


def _of_text(target: str, form: str, line: int) -> Iterator[Patch]:
    """The target that a string names; what an f-string or a concatenation leaves open is unknown."""
    holder, _, name = target.rpartition(".")
    if not name.isidentifier():
        return
    known = "f" not in form.lower() and _DOTTED.fullmatch(target)
    yield Patch(holder if known else UNKNOWN, name, line)


def _by_assignment(text: str, bound: Mapping[str, str]) -> Iterator[Patch]:
    fakes: set[str] | None = None
    for match in _ASSIGNED.finditer(text):
        held = match["held"]
        if held in ("self", "cls"):
            continue
        holder = _meant(held, bound)
        if holder == UNKNOWN:
            if fakes is None:
                fakes = {m["name"] or m["given"] for m in _FAKE.finditer(text)}
            if held in fakes or any(_SOUNDS_FAKE.search(part) for part in held.split(".")):
                continue
        yield Patch(holder, match["name"], _line(text, match.start("held")))


def _meant(held: str, bound: Mapping[str, str]) -> str:
    """What an expression before the dot means, by the file's imports."""
    root, dot, rest = held.partition(".")
    known = bound.get(root)
    return f"{known}{dot}{rest}" if known and re.fullmatch(r"[\w.]+", held) else UNKNOWN


def _bound(text: str) -> dict[str, str]:
    """By the names that a file's imports bind, what they lead to."""
    bound: dict[str, str] = {}
    for match in _IMPORT.finditer(text):
        module = match["module"] or ""
        for name, alias in _listed(match["names"] or match["plain"]):
            if not module:
                bound[alias or name.partition(".")[0]] = name if alias else name.partition(".")[0]
            else:
                bound[alias or name] = f"{module}{'' if module.endswith('.') else '.'}{name}"
    return bound


def _listed(names: str) -> Iterator[tuple[str, str]]:
    for part in re.sub(r"#[^\n]*", "", names).replace("\\", " ").strip("()\n ").split(","):
        words = part.split()
        if words:
            yield words[0], words[2] if len(words) == 3 else ""


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
