"""What other files do to the constants and connections that a file keeps: `queries.SQL = ..`, `store.conn.commit()`.

Found by pattern in the text of all files, for the few names that the files to be planned keep: SQL in a constant of a
module or class, a connection in a global or an attribute, the path of a database. May find more than there is.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from ormlift.project.patched import ANY, UNKNOWN, bound_by_imports, patches

_CONSTANT = re.compile(
    r"^(?P<indent> {1,4}|\t|)(?P<name>\w+)[ \t]*(?::[^=\n]+)?=[ \t]*(?:[\w.]*\([ \t\n]*)*[rRbBuUfF]{0,2}[\"']",
    re.MULTILINE,
)
_KEPT = re.compile(
    r"^[ \t]*(?:self\.|cls\.)?(?P<name>\w+)[ \t]*(?::[^=\n]+)?=[ \t]*(?:await )?"
    r"[\w.]*(?:conn|cursor|db|database|sqlite|open)\w*\(",
    re.MULTILINE | re.IGNORECASE,
)
_OPENED = re.compile(r"\bconnect\([^\n]*")
_WORD = re.compile(r"(?<![\w.\"'])[A-Za-z_]\w*(?:\.\w+)*")
_SETTABLE = re.compile(r"\.(\w+)[ \t]*(?::[^=\n]+)?=(?!=)|[\"'](?:[\w.]*\.)?(\w+)[\"'][ \t]*[],]")
_INSIDE = re.compile(r"^[ \t]+(?:(?:self|cls)\.)?(?P<name>\w+)[ \t]*(?::[^=\n]+)?=(?!=)", re.MULTILINE)
_SPACE = re.compile(r"\b(?:globals|vars|locals)\(\)(?:\[[ \t]*[\"'](?P<name>\w+)[\"'][ \t]*\][ \t]*=(?!=)|\.update\()")
_ITSELF = re.compile(r"\bsys\.modules\[__name__\](?:\.(?P<name>\w+)[ \t]*=(?!=)|[ \t]*,[ \t]*[\"'](?P<given>\w+)[\"'])")
_MADE = re.compile(
    r"\btype\(\s*[\"']\w+[\"']\s*,\s*\((?P<bases>[^)]*)\)\s*,\s*(?:\{(?P<items>[^}]*)\}|dict\((?P<words>[^)]*)\))"
)
_METHOD = re.compile(r"^[ \t]+(?:async )?def (?P<name>\w+)\(", re.MULTILINE)
_HEADER = re.compile(r"^[ \t]*class (?P<name>\w+)\((?P<bases>[^)]*)\)", re.MULTILINE)
_OUTER = re.compile(r"^(?:class \w+[ \t]*(?:\((?P<bases>[^)]*)\))?|def |async def )", re.MULTILINE)
_BEFORE = re.compile(r"[\w.]*[\w)\]]$")


class Way(Enum):
    """How another file reaches a name."""

    SETS = "sets"  # gives it another value: `queries.SQL = ..`, a patch
    BELOW = "below"  # a class of its own, with bases, binds the attribute
    USES = "uses"  # reads it, and does something to what it holds


@dataclass(frozen=True, slots=True)
class Mention:
    """One place in a file that has to do with a name that another one keeps."""

    path: str
    line: int
    name: str  # `patched.ANY`: any name of the holder
    way: Way
    holder: str = UNKNOWN  # what has the name: a dotted path, as imports lead to it
    bases: tuple[str, ...] = ()  # of the class around; of `type(..)`
    tail: str = ""  # of a use: what follows the name in its line
    made: str = ""  # the class that the file makes the holder of


@dataclass(frozen=True)
class Asked:
    """The names to look for."""

    constants: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()
    openers: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.constants or self.kept or self.openers)


@dataclass(frozen=True)
class Outside:
    """What was found, by name. Plain data."""

    mentions: Mapping[str, tuple[Mention, ...]] = field(default_factory=dict)
    bases: Mapping[str, frozenset[str]] = field(default_factory=dict)  # of all classes, by their bare names

    def descends(self, name: str, above: str) -> bool:
        """Whether a class of that bare name is, or may come from, another one."""
        seen: set[str] = set()
        stack = [name]
        while stack:
            current = stack.pop()
            if current == above:
                return True
            if current not in seen:
                seen.add(current)
                stack += self.bases.get(current, ())
        return False

    def of(self, name: str) -> Iterator[Mention]:
        """Those of a name, and those that may be of any."""
        yield from self.mentions.get(name, ())
        yield from self.mentions.get(ANY, ())

    @classmethod
    def read(cls, texts: Iterable[tuple[str, str]], asked: Asked) -> Outside:
        """Look for names in all texts, given with their paths."""
        found: dict[str, list[Mention]] = {}
        bases: dict[str, set[str]] = {}
        for path, text in texts if asked else ():
            for mention in mentions(path, text, asked):
                found.setdefault(mention.name, []).append(mention)
            for match in _HEADER.finditer(text):
                bases.setdefault(match["name"], set()).update(_listed(match["bases"]))
        listed = {name: tuple(places) for name, places in found.items()}
        return cls(listed, {name: frozenset(above) for name, above in bases.items() if above})


def asked_by(texts: Iterable[str], databases: Iterable[str] = (), openers: Iterable[str] = ()) -> Asked:
    """What some files keep that others may reach; how databases are found, as it is written, and who opens them."""
    constants = {word.rpartition(".")[2] for database in databases for word in _WORD.findall(database)}
    kept: set[str] = set()
    for text in texts:
        blocks = _Blocks(text)
        constants |= {m["name"] for m in _CONSTANT.finditer(text) if not m["indent"] or blocks.in_class(m.start())}
        kept |= {m["name"] for m in _KEPT.finditer(text)}
        for opened in _OPENED.findall(text):
            constants |= {word.rpartition(".")[2] for word in _WORD.findall(opened)}
    return Asked(frozenset(constants), frozenset(kept), frozenset(name for name in openers if "." not in name))


def mentions(path: str, text: str, asked: Asked) -> Iterator[Mention]:
    """All that one file has to do with the names."""
    names = asked.constants | asked.kept | asked.openers
    settable = {one or other for one, other in _SETTABLE.findall(text)} & names
    blocks = _Blocks(text)
    yield from _sets(path, text, frozenset(settable))
    yield from _below(path, text, names, blocks)
    for match in _METHOD.finditer(text) if asked.openers and "class " in text else ():
        if match["name"] in asked.openers and (bases := blocks.bases(match.start())):
            yield Mention(path, _line(text, match.end()), match["name"], Way.BELOW, bases=bases)
    yield from _uses(path, text, asked.kept, blocks)


class _Blocks:
    """The classes and functions at the margin of a text."""

    def __init__(self, text: str) -> None:
        self._found = [(m.start(), m["bases"], m[0].startswith("class")) for m in _OUTER.finditer(text)]

    def _around(self, position: int) -> tuple[int, str | None, bool]:
        index = bisect_right(self._found, position, key=lambda block: block[0]) - 1
        return self._found[index] if index >= 0 else (0, None, False)

    def in_class(self, position: int) -> bool:
        """Whether a place may be in a class."""
        return self._around(position)[2]

    def bases(self, position: int) -> tuple[str, ...]:
        """The bases of the class around a place; none where it is in none."""
        return _listed(self._around(position)[1] or "")


def _sets(path: str, text: str, names: frozenset[str]) -> Iterator[Mention]:
    """What is given another value by its owner: a module, a class, an object."""
    for patch in patches(text, is_test=True) if names or "__dict__" in text or "vars(" in text else ():
        if patch.name in names or patch.name == ANY:
            yield Mention(path, patch.line, patch.name, Way.SETS, patch.holder, made=patch.made)
    for match in _ITSELF.finditer(text) if "sys.modules" in text else ():
        yield Mention(path, _line(text, match.start()), match["name"] or match["given"], Way.SETS, "")
    for match in _SPACE.finditer(text) if "()[" in text or "().update" in text else ():
        if "locals" not in match[0]:
            yield Mention(path, _line(text, match.start()), match["name"] or ANY, Way.SETS, "")


def _below(path: str, text: str, names: frozenset[str], blocks: _Blocks) -> Iterator[Mention]:
    """What classes with bases bind, in their body or on their objects, or `type(..)`."""
    for match in _INSIDE.finditer(text) if "class " in text else ():
        if match["name"] in names and (bases := blocks.bases(match.start())):
            yield Mention(path, _line(text, match.end()), match["name"], Way.BELOW, bases=bases)
    for match in _MADE.finditer(text) if "type(" in text else ():
        inside = match["items"] or match["words"] or ""
        for name in re.findall(r"(\w+)[\"']?\s*[:=]", inside):
            if name in names:
                yield Mention(path, _line(text, match.start()), name, Way.BELOW, bases=_listed(match["bases"]))


def _uses(path: str, text: str, names: frozenset[str], blocks: _Blocks) -> Iterator[Mention]:
    """`store.conn.commit()`, or `conn.commit()` of what is imported."""
    if not names or not any(name in text for name in names):
        return
    imports = bound_by_imports(text)
    listed = "|".join(sorted(map(re.escape, names)))
    for match in re.finditer(rf"\.(?P<name>{listed})\b(?!\()(?P<tail>[^\n]{{0,80}})", text):
        start = match.start()
        found = _BEFORE.search(text[text.rfind("\n", 0, start) + 1 : start])
        held = found[0] if found is not None else ""
        root, _, rest = held.partition(".")
        bases = blocks.bases(start) if root in ("self", "cls") else ()
        if root not in ("self", "cls") or (bases and not rest):
            holder = imports[root] + held.removeprefix(root) if root in imports else UNKNOWN
            yield Mention(path, _line(text, start), match["name"], Way.USES, holder, bases, match["tail"])
    for said, target in imports.items():
        holder, _, name = target.rpartition(".")
        if name in names:
            for match in re.finditer(rf"(?<![\w.\"']){re.escape(said)}\b(?!\()(?P<tail>[^\n]{{0,80}})", text):
                before = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
                if "import" not in before:
                    line = _line(text, match.start())
                    yield Mention(path, line, name, Way.USES, holder, tail=match["tail"])


def _listed(bases: str) -> tuple[str, ...]:
    names = (part.split("[")[0].strip().rpartition(".")[2] for part in bases.split(","))
    return tuple(name for name in names if name and "=" not in name and name not in ("object", "ABC"))


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
