"""Which files name the functions that are handed connections, or texts: whoever else calls one hands it another.

Found by pattern, for the functions of the files that are planned; more is found than there is, never less.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

_RECEIVER = re.compile(r"\b(\w+)\.(?:cursor|execute|executemany|commit|rollback|fetchone|fetchall)\(")
_WORD = re.compile(rb"[A-Za-z_]\w*")
_LOOSE = re.compile(rb"(?<!\bself)(?<!\bcls)\.\s*([A-Za-z_]\w*)|[\"':]([A-Za-z_]\w*)[\"']")
_DEF = re.compile(r"\bdef[ \t]+(\w+)[ \t]*\(([^)]*)")
_TEXT_DEFAULT = re.compile(r"=\s*[\"']|\(")  # or one behind a bracket, where the pattern of a def ends
_USUAL = frozenset(["conn", "connection", "con", "cnx", "cur", "curs", "cursor", "c", "db", "dbconn", "db_conn"])


@dataclass(frozen=True, slots=True)
class Mention:
    """One file that names a function."""

    path: str
    loose: bool  # as an attribute of something else than `self`, or as a text


@dataclass(frozen=True)
class Named:
    """Plain data, so that worker processes can be handed it."""

    functions: Mapping[str, tuple[Mention, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, files: Mapping[str, str]) -> Named:
        """Those of a small project."""
        texts = files.values()
        return search({path: text.encode() for path, text in files.items()}, texts, texts)

    def elsewhere(self, name: str, path: str) -> tuple[Mention, ...] | None:
        """The mentions in other files than `path`; None where the name was not looked for."""
        found = self.functions.get(name)
        return None if found is None else tuple(m for m in found if m.path != path)


def search(files: Mapping[str, bytes], planned: Iterable[str], executing: Iterable[str] = ()) -> Named:
    """Look in all files for the functions of the planned texts, and for those with text by default of `executing`."""
    names = {name.encode() for text in planned for name in candidates(text)}
    names |= {name.encode() for text in executing for name in with_texts(text)}
    found: dict[bytes, list[Mention]] = {name: [] for name in names}
    for path, data in files.items() if names else ():
        held = names.intersection(_WORD.findall(data))
        loose = {one or other for one, other in _LOOSE.findall(data)} if held else set()
        for name in held:
            found[name].append(Mention(path, name in loose))
    return Named({name.decode(): tuple(mentions) for name, mentions in found.items()})


def candidates(text: str) -> Iterator[str]:
    """The functions of a text that may take a connection or a cursor, by the names of their parameters."""
    receivers = {*_RECEIVER.findall(text), *_USUAL}
    for name, parameters in _DEF.findall(text):
        if receivers & set(re.findall(r"\w+", parameters)):
            yield name


def with_texts(text: str) -> Iterator[str]:
    """The functions of a text that may have a text as a default, which may be a column's name in SQL."""
    if ".execute(" in text:
        yield from (name for name, parameters in _DEF.findall(text) if _TEXT_DEFAULT.search(parameters))
