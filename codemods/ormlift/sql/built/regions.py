"""What in a text is put together as the code goes: lists that are joined, and variables that hold a part of it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from ormlift.sql.built.evaluate import OF_VALUES as OF_VALUES
from ormlift.sql.built.pieces import Piece
from ormlift.sql.built.values import Part
from ormlift.sql.statement import MARK, NAMED

Ways = list[list[Piece]]
_LEAD = re.compile(r"(?i)\s*(WHERE|AND|ORDER\s+BY)\b\s*")
_ORDERED = re.compile(r"(?i)\bORDER\s+BY\s*$")
_NAME = re.compile(r"(?i)(?!(?:asc|desc|null|true|false|and|or|not)$)[a-z_]\w*")
_OPENS = re.compile(r"(?i)(?:\bORDER\s+BY|\bWHERE|\bAND|\bOR)\s*$")
_ENDS = re.compile(r"(?i)\s*(?:$|[;)]|(?:AND|OR|ORDER|GROUP|LIMIT|OFFSET)\b)")
_WHERE = re.compile(r"(?i)\bWHERE\b")


class Is(StrEnum):
    """What a region is in its statement."""

    CONDITIONS = "conditions"  # behind WHERE, joined by AND
    ASSIGNMENTS = "assignments"  # behind SET, joined by commas
    ORDER = "order"  # behind ORDER BY
    STATEMENT = "statement"  # all of it
    COLUMNS = "columns"  # of an INSERT
    VALUES = "values"  # of an INSERT, for those columns
    NAME = "name"  # a column's name


@dataclass(frozen=True)
class Region:
    """A list, or a dict, whose items stand in the text."""

    name: str
    what: Is
    mark: str
    keyed: bool = False  # a dict
    text: bool = False  # a text, of the pieces that it is put together of
    lead: str = ""  # of a text: the word that it begins with

    @property
    def named(self) -> bool:
        """Whether its items are names with values."""
        return self.what in (Is.ASSIGNMENTS, Is.COLUMNS)


def paired(ways: Ways, regions: dict[str, Region]) -> Ways:
    """Placeholders of an INSERT know the item that names their column."""
    columns = next((r.name for r in regions.values() if r.what is Is.COLUMNS), "")
    values = next((r.name for r in regions.values() if r.what is Is.VALUES), "")
    return [_paired(way, columns, values) for way in ways] if columns and values else ways


def _paired(way: list[Piece], columns: str, values: str) -> list[Piece]:
    said = list(dict.fromkeys(p.part.item for p in way if p.part.region == columns and p.part.item is not None))
    held = list(dict.fromkeys(p.part.item for p in way if p.part.region == values and p.part.item is not None))
    if len(said) != len(held):
        return way
    known = dict(zip(held, said, strict=True))
    return [
        replace(p, part=replace(p.part, item=known[p.part.item])) if p.part.region == values and p.part.item else p
        for p in way
    ]


def text_regions(ways: Ways) -> tuple[Ways, dict[str, Region]]:
    """Variables whose text differs by the way, as regions of the pieces that they are put together of."""
    found = {name: Region(name, Is.NAME, f"{MARK}{name}{NAMED}", text=True) for name in _naming(ways)}
    for region in found.values():
        ways = [_named(way, region) for way in ways]
    for name in _varying(ways):
        other = _region(name, ways)
        if other is not None:
            found[name] = other
            ways = [_turned(way, other) for way in ways]
    return ways, found


def _naming(ways: Ways) -> Iterator[str]:
    """Variables that hold the name of a column, another one on another way."""
    names = dict.fromkeys(p.part.held for way in ways for p in way if p.part.held)
    for name in names:
        parts = [p.part for way in ways for p in way if p.part.held == name]
        plain = all(_NAME.fullmatch(part.text) and not part.region for part in parts)
        fixed = any(part.fixed for part in parts)
        if plain and (fixed or (len({p.text for p in parts}) > 1 and not any(_is_whole(way, name) for way in ways))):
            yield name


def _is_whole(way: Sequence[Piece], name: str) -> bool:
    """Whether it stands where all of an ORDER BY or a condition stands."""
    before = _before(way, name)
    after = "".join(p.part.text for p in way)[len(before) :]
    said = next((p.part.text for p in way if p.part.held == name), "")
    return bool(_OPENS.search(before) and _ENDS.match(after[len(said) :]))


def _named(way: Sequence[Piece], region: Region) -> list[Piece]:
    return [replace(p, part=replace(p.part, region=region.name)) if p.part.held == region.name else p for p in way]


def _varying(ways: Ways) -> Iterator[str]:
    names = dict.fromkeys(p.part.held for way in ways for p in way if p.part.held)
    for name in names:
        parts = [[p.part for p in way if p.part.held == name] for way in ways]
        plain = all(part.chunk is not None and not part.region for way in parts for part in way)
        if plain and len({"".join(part.text for part in way) for way in parts}) > 1:
            yield name


def _region(name: str, ways: Ways) -> Region | None:
    """What a variable is in the text; None where it cannot be told."""
    if all(p.part.held == name for way in ways for p in way):
        single = all(len(_chunks(way, name)) == 1 for way in ways)
        return Region(name, Is.STATEMENT, f"{MARK}{name}", text=True) if single else None
    leads, befores = set(), set()
    for way in ways:
        said = "".join(p.part.text for p in way if p.part.held == name)
        before = _before(way, name)
        if said.strip():
            match = _LEAD.match(said)
            leads.add(" ".join(match.group(1).upper().split()) if match else "")
            befores.add(bool(_ORDERED.search(before)))
            wheres = bool(_WHERE.search(before))
    if len(leads) != 1 or len(befores) != 1:
        return None
    (lead,), (ordered,) = leads, befores
    if lead == "ORDER BY" or (ordered and not lead):
        return Region(name, Is.ORDER, f"{MARK}{name}", text=True, lead=f" {lead} " if lead else "")
    if lead == "WHERE" or (wheres and not ordered):
        return Region(name, Is.CONDITIONS, f"{MARK}{name}", text=True, lead=f" {lead} " if lead else "")
    return None


def _before(way: Sequence[Piece], name: str) -> str:
    text = ""
    for piece in way:
        if piece.part.held == name:
            break
        text += piece.part.text
    return text


def _chunks(way: Sequence[Piece], name: str) -> list[ast.expr]:
    nodes = (p.part.chunk.node for p in way if p.part.held == name and p.part.chunk is not None)
    return list(dict.fromkeys(nodes))


def _turned(way: Sequence[Piece], region: Region) -> list[Piece]:
    """The way with the pieces of a variable as items of its region; the words that lead them stand for themselves."""
    found: list[Piece] = []
    known: set[ast.expr] = set()
    for piece in way:
        part = piece.part
        if part.held != region.name or part.chunk is None:
            found.append(piece)
            continue
        text = part.text
        if not text.strip():
            continue
        lead = _LEAD.match(text) if region.what is not Is.STATEMENT and part.chunk.node not in known else None
        known.add(part.chunk.node)
        if lead is not None:
            found.append(Piece(Part(lead.group(), region=region.name, joint=True)))
            text = text[lead.end() :]
        found.append(replace(piece, part=replace(part, text=text, item=part.chunk, region=region.name)))
    return found
