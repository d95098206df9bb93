"""What the text of all files says of a few names: asked only where a mapper looks broken.

A class that no mapped class is named like may still be made at run time, or come from a library; a table may be
reflected. Such a mention anywhere in the project is enough to say nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ormlift.project.graph import ImportGraph, import_lines

ANY = "*"  # of tables: the project reflects them, so that any may exist
_DYNAMIC = re.compile(r"import_module\(|__import__\(|pkgutil|iter_modules|walk_packages|find_modules|glob\(")
_REFLECTS = re.compile(r"\.reflect\(|automap_base|autoload_with|autoload=True|reflect=True")
_LOADERS = "association_proxy|validates|getattr|hasattr|setattr|joinedload|selectinload|subqueryload|contains_eager"


@dataclass(frozen=True)
class Asked:
    """The names to look for."""

    classes: frozenset[str] = frozenset()
    tables: frozenset[str] = frozenset()
    attributes: frozenset[str] = frozenset()
    dynamic: bool = False  # whether modules are imported by a computed name

    def __bool__(self) -> bool:
        return bool(self.classes or self.tables or self.attributes or self.dynamic)


@dataclass(frozen=True)
class Mentions:
    """What was found of them."""

    classes: frozenset[str] = frozenset()  # made, or imported from a library
    tables: frozenset[str] = frozenset()
    uses: tuple[tuple[str, str], ...] = ()  # attribute and `path:line` where it is read or named
    dynamic: bool = False

    def uses_of(self, attribute: str) -> tuple[str, ...]:
        """Where an attribute is used, as `path:line`."""
        return tuple(place for name, place in self.uses if name == attribute)


@dataclass
class Search:
    """Looks for the names in one text after another."""

    asked: Asked
    graph: ImportGraph
    classes: set[str] = field(default_factory=set)
    tables: set[str] = field(default_factory=set)
    uses: list[tuple[str, str]] = field(default_factory=list)
    dynamic: bool = False

    def __post_init__(self) -> None:
        classes, tables, attributes = (
            "|".join(sorted(map(re.escape, names)))
            for names in (self.asked.classes, self.asked.tables, self.asked.attributes)
        )
        self._made = re.compile(
            rf"class ({classes})\b|^[ \t]*({classes})[ \t]*=[^=]|type\(\s*[\"']({classes})[\"']", re.M
        )
        self._named = re.compile(rf"(?:__tablename__\s*(?::\s*\w+\s*)?=|Table\()\s*[\"']({tables})[\"']")
        quoted = rf"(?:{_LOADERS})\([^)\n]*[\"']({attributes})[\"']"
        self._used = re.compile(rf"\.({attributes})\b|{quoted}|^[^#\n]*\w\([^()\n]*\b({attributes})=")

    def look(self, path: str, text: str) -> None:
        """Look into one file."""
        if self.asked.classes:
            self.classes.update(filter(None, (g for m in self._made.finditer(text) for g in m.groups())))
            self.classes.update(self._imported(text))
        if self.asked.tables:
            self.tables.update(self._named.findall(text))
            if _REFLECTS.search(text):
                self.tables.add(ANY)
        if self.asked.attributes:
            self.uses += self._uses(path, text)
        self.dynamic = self.dynamic or (self.asked.dynamic and _DYNAMIC.search(text) is not None)

    def found(self) -> Mentions:
        """What was found so far."""
        return Mentions(frozenset(self.classes), frozenset(self.tables), tuple(self.uses), self.dynamic)

    def _imported(self, text: str) -> Iterator[str]:
        """The names that are imported from outside of the project: a library may map them."""
        if not any(name in text for name in self.asked.classes):
            return
        for line in import_lines(text):
            for name in self.asked.classes.intersection(line.names):
                if not line.module.startswith(".") and not self.graph.holds(line.module):
                    yield name

    def _uses(self, path: str, text: str) -> Iterator[tuple[str, str]]:
        if not any(name in text for name in self.asked.attributes):
            return
        for number, line in enumerate(text.splitlines(), 1):
            for match in self._used.finditer(line) if not line.lstrip().startswith("#") else ():
                yield next(filter(None, match.groups())), f"{path}:{number}"
