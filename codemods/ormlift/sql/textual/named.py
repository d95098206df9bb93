"""Names of columns, and other words, that are put into the text from a few texts that the code shows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product
from math import prod

from ormlift.sql.life.choices import choices
from ormlift.sql.life.literals import Text, is_stable
from ormlift.sql.life.quiet import is_quiet
from ormlift.sql.textual.find import Textual
from ormlift.sql.textual.unified import Way

_WORD = re.compile(r"[\w.]+|[<>=!]+")
MOST = 64  # ways, each of which has a certificate of its own


@dataclass(frozen=True)
class Named:
    """The texts that a site executes, one for each choice of words."""

    ways: list[Way]  # the words, by the names that hold them
    texts: list[Text]


def named_of(site: Textual) -> Named | None:
    """None where no words are put in, or one of them may be anything."""
    sql, life = site.clause.sql, site.life
    if sql is None or site.clause.ways:
        return None
    marks: dict[str, str] = {}
    held: dict[str, tuple[str, ...]] = {}
    for mark, hole in life.holes.items():
        if mark not in sql.value or hole.many:
            continue
        found = choices(hole.node, life)
        still = is_quiet(hole.node, site.call, site.module) or is_stable(hole.node, life, site.call)
        if found is not None and still and all(_WORD.fullmatch(word) for word in found):
            marks[mark] = site.module.text(hole.node)
            held[marks[mark]] = found
    if not marks or not 0 < prod(len(found) for found in held.values()) <= MOST:
        return None
    ways: list[Way] = [dict(zip(held, words, strict=True)) for words in product(*held.values())]
    return Named(ways, [Text(_filled(sql.value, marks, way), sql.variables) for way in ways])


def _filled(text: str, marks: dict[str, str], way: Way) -> str:
    for mark, name in marks.items():
        text = text.replace(mark, way[name])
    return text
