"""What the calls of a function execute whose SQL is built from lists: the statement of each way, and that of the code.

A list that is joined into the text is a *region*. In the code's statement a mark stands for its items; the writer puts
`*conditions` there. Each item is written by itself, where it is put into the list; and the statement of each way,
written whole and proven, must be the code's with the items of that way in the mark's place, to the letter.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from ormlift.project.index import ProjectIndex
from ormlift.sql.built.helpers import helpers_of
from ormlift.sql.built.names import built_from
from ormlift.sql.built.pieces import Manner, Piece, pieces_of, put_together
from ormlift.sql.built.regions import OF_VALUES, Is, Region, paired, text_regions
from ormlift.sql.built.values import KEY, Item, Keyed, Part
from ormlift.sql.built.walk import Walk
from ormlift.sql.life.literals import Parameters
from ormlift.sql.life.model import Life
from ormlift.sql.life.refuse import Refused
from ormlift.sql.statement import MARK
from ormlift.syntax import FunctionNode, Module

Variant = tuple[str, Parameters]
_SET = re.compile(r"(?i)\bSET\s+(?:[^;]*,\s*)?$")
_WHERE = re.compile(r"(?i)\bWHERE\b")
_COLUMNS = re.compile(r"(?i)\bINSERT\b[^(]*\(\s*(?:[^)]*,\s*)?$")
_VALUES = re.compile(r"(?i)\bVALUES\s*\((?:[^;]*,)?\s*$")


@dataclass(eq=False)
class Built:
    """One call whose text is built."""

    call: ast.Call
    module: Module
    ways: list[list[Piece]]
    regions: dict[str, Region]

    @property
    def stated(self) -> str:
        """The variable of the whole text, where it is one of several."""
        return next((r.name for r in self.regions.values() if r.what is Is.STATEMENT), "")

    @property
    def only_named(self) -> bool:
        """Whether nothing but names of columns is put into the text."""
        return all(region.what is Is.NAME for region in self.regions.values())

    def variants(self) -> list[Variant]:
        """The text and parameters of each way."""
        return [put_together(pieces, self.module, self.call.lineno) for pieces in self.ways]

    def own(self) -> Variant:
        """The statement of the code, with marks in it; of one of several, the longest."""
        if self.stated:
            return max(self.variants(), key=lambda variant: len(variant[0]))
        return put_together(self._marked(self._fullest(), None), self.module, self.call.lineno)

    def alone(self, item: Item) -> Variant:
        """The statement with one item in the place of its list, and marks for all others."""
        way = next(w for w in self.ways if any(piece.part.item is item for piece in w))
        return put_together(self._marked(way, item), self.module, self.call.lineno)

    def items(self) -> dict[ast.expr, tuple[Region, Item]]:
        """All items of all lists, by their expression."""
        pieces = (piece for way in self.ways for piece in way)
        found = ((self.regions[p.part.region], p.part.item) for p in pieces if p.part.item is not None)
        return {item.node: (region, item) for region, item in found if region.what not in (Is.VALUES, Is.NAME)}

    @property
    def names(self) -> dict[str, tuple[str, ...]]:
        """The marks that stand for columns, each with the names that it may stand for."""
        named = [region for region in self.regions.values() if region.what is Is.NAME]
        return {r.mark: tuple(dict.fromkeys(name_of(way, r) for way in self.ways)) for r in named}

    @property
    def open(self) -> dict[ast.expr, tuple[Region, Item]]:
        """The items that stand for keys that are not known."""
        return {node: found for node, found in self.items().items() if found[1].open}

    def with_keys(self, way: Sequence[Piece], keys: Mapping[ast.expr, Sequence[str]]) -> list[Piece]:
        """The pieces of a way with these keys in the place of those that are not known, by their items."""
        found: list[Piece] = []
        for opened, group in groupby(way, key=_opened):
            pieces = list(group)
            if opened is None:
                found += pieces
                continue
            for number, key in enumerate(keys[opened[1].node]):
                found += [Piece(Part(", ", region=opened[0], joint=True))] if number else []
                found += [_with_key(piece, key) for piece in pieces]
        return found

    def items_of(self, way: Sequence[Piece], region: Region) -> list[ast.expr]:
        """The items of a list on one way, in order."""
        nodes = (p.part.item.node for p in way if p.part.item is not None and p.part.region == region.name)
        return list(dict.fromkeys(nodes))

    def _fullest(self) -> list[Piece]:
        return max(self.ways, key=lambda way: len({p.part.region for p in way}))

    def _marked(self, way: Sequence[Piece], kept: Item | None) -> list[Piece]:
        found: list[Piece] = []
        inside = ""
        for piece in way:
            region = piece.part.region
            if not region:
                found.append(piece)
            elif region != inside:
                found += self._stand_in(way, self.regions[region], kept)
            inside = region
        return found

    def _stand_in(self, way: Sequence[Piece], region: Region, kept: Item | None) -> list[Piece]:
        if kept is None or all(p.part.item is not kept for p in way if p.part.region == region.name):
            if region.what is Is.VALUES:
                return [Piece(Part("0"))]
            if region.what is Is.NAME:
                return [Piece(Part(region.mark))]
            assigned = " = 0" if region.what is Is.ASSIGNMENTS else ""
            return [Piece(Part(f"{region.lead}{region.mark}{assigned}"))]
        alone = [p for p in way if p.part.item is kept and p.part.region == region.name]
        if region.what is not Is.CONDITIONS:
            return [Piece(Part(region.lead)), *alone]
        # an OR would fall apart
        return [Piece(Part(f"{region.lead}1 = 1 AND ")), *alone, Piece(Part(" AND 1 = 1"))]


def name_of(way: Sequence[Piece], region: Region) -> str:
    """The column's name that a variable holds on a way; empty where it is not in the text."""
    return next((p.part.text for p in way if p.part.region == region.name), "")


def _opened(piece: Piece) -> tuple[str, Item] | None:
    item = piece.part.item
    return (piece.part.region, item) if item is not None and item.open else None


def _with_key(piece: Piece, key: str) -> Piece:
    items = tuple(replace(item, said=value_of(item, key)) if item.open else item for item in piece.items)
    named = tuple(key if k == KEY else k for k in piece.keys)
    return Piece(replace(piece.part, text=piece.part.text.replace(KEY, key)), items, named)


def value_of(item: Item, key: str) -> str:
    """How the value of a key that is not known is read."""
    return f'{item.open}["{key}"]'


@dataclass
class Group:
    """The calls of one function that are built from the same variables."""

    life: Life
    walk: Walk
    built: list[Built] = field(default_factory=list)

    @property
    def regions(self) -> dict[str, Region]:
        """All lists, by their variables."""
        return {name: region for built in self.built for name, region in built.regions.items()}


BUILT = ("dynamic-sql", "parameters-unknown", "arguments-mismatch")  # reasons that another reading may overcome


def walked(calls: dict[ast.Call, tuple[ast.expr, ast.expr | None]], life: Life, index: ProjectIndex) -> Walk | None:
    """All ways to the calls, with what each executes; None where a text or its parameters are not built here."""
    if not isinstance(life.host, FunctionNode):
        return None
    nodes = [node for pair in calls.values() for node in pair if node is not None]
    helpers, names = helpers_of(life.module, index), built_from(nodes, life.host)
    walk = Walk(life, names, calls, helpers)
    try:
        walk.run()
        helpers.inlined |= walk.to_inline()
        if helpers.inlined:
            walk = Walk(life, names, calls, helpers)
            walk.run()
    except Refused:
        return None
    return walk if all(call in walk.found for call in calls) else None


def group_of(walk: Walk, style: str, dialect: str) -> Group:
    """The calls with their lists. Raises Refused."""
    module = walk.life.module
    group = Group(walk.life, walk)
    manner = Manner(style, dialect, module)
    for call in walk.calls:
        ways = [pieces_of(seen, manner, call.lineno) for seen in walk.found[call]]
        _check_rounds(ways, call)
        held = [seen.held for seen in walk.found[call]]
        regions = _regions(ways, walk, call)
        _check_held(Built(call, module, ways, regions), held)
        ways, texts = text_regions(paired(ways, regions))
        _check_held(Built(call, module, ways, texts), held)
        group.built.append(Built(call, module, ways, regions | texts))
    _check_same(group)
    _check_roles(group)
    if walk.partial:
        _check_filled(group)
    return group


def _regions(ways: Sequence[Sequence[Piece]], walk: Walk, call: ast.Call) -> dict[str, Region]:
    found: dict[str, Region] = {}
    for way in ways:
        before = ""
        for number, piece in enumerate(way):
            name = piece.part.region
            if name and (number == 0 or way[number - 1].part.region != name):
                what = _what(before, name, way, call)
                region = Region(name, what, f"{MARK}{name}", keyed=_is_keyed(name, walk, way))
                once = what in (Is.ASSIGNMENTS, Is.COLUMNS)
                if found.setdefault(name, region).what is not what or (once and _comes_again(name, way)):
                    raise _unclear(call)
            before += piece.part.text
    return found


def _comes_again(name: str, way: Sequence[Piece]) -> bool:
    """Whether each round of a loop adds the same."""
    items = [p.part.item for p in way if p.part.region == name and p.part.item is not None]
    return any(item.loop and not item.open for item in items)


def _is_keyed(name: str, walk: Walk, way: Sequence[Piece]) -> bool:
    """Whether it is a dict, which is passed as it is."""
    name = name.removesuffix(OF_VALUES)
    items = [p.part.item for p in way if p.part.item is not None and p.part.region.removesuffix(OF_VALUES) == name]
    if any(item.open == name for item in items):
        return True
    return any(isinstance(value, Keyed) for s, value in walk.held.items() if name in walk.touched[s])


def _what(before: str, name: str, way: Sequence[Piece], call: ast.Call) -> Is:
    joints = {p.part.text.strip().upper() for p in way if p.part.joint and p.part.region == name}
    if joints <= {","} and _COLUMNS.search(before):
        return Is.COLUMNS
    if joints <= {","} and _VALUES.search(before) and name.endswith(OF_VALUES):
        return Is.VALUES
    if joints <= {","} and _SET.search(before) and not _WHERE.search(before):
        return Is.ASSIGNMENTS
    if joints <= {"AND"} and _WHERE.search(before):
        return Is.CONDITIONS
    raise _unclear(call)


def _check_rounds(ways: Sequence[Sequence[Piece]], call: ast.Call) -> None:
    """What a loop adds stands together with its parameters, and more rounds than one may add it. Raises Refused."""
    for way in ways:
        known: dict[str, str] = {}
        for piece in way:
            item = piece.part.item
            if item is None or not item.loop:
                continue
            apart = bool(piece.items) and known.setdefault(item.loop, piece.part.region) != piece.part.region
            if apart or not piece.part.region:
                message = f"a loop adds to the SQL of line {call.lineno} at more than one place"
                raise Refused("dynamic-sql", f"{message}; write each statement as one literal")


def _unclear(call: ast.Call) -> Refused:
    message = f"a list that is joined into the SQL of line {call.lineno} is none of conditions (AND) or assignments"
    return Refused("dynamic-sql", f"{message}; write each statement as one literal")


def _check_held(built: Built, held: Sequence[dict[tuple[str, bool], tuple[ast.expr, ...]]]) -> None:
    """A list holds the same when it is joined and when the call executes. Raises Refused."""
    for way, lists in zip(built.ways, held, strict=True):
        for name, region in built.regions.items():
            now = lists.get((name.removesuffix(OF_VALUES), region.text)) if region.what is not Is.NAME else None
            items = [p.part.item for p in way if p.part.region == name and p.part.item is not None]
            other = lists.get((name.removesuffix(OF_VALUES), not region.text))  # the text, of a list; it goes
            unknown = now is None and other is None and not all(item.open for item in items)
            if unknown or (now is not None and list(now) != built.items_of(way, region)):
                message = f"{name} has changed by line {built.call.lineno}, since it was joined into the SQL"
                raise Refused("dynamic-sql", f"{message}; join it last")


def _check_roles(group: Group) -> None:
    """A variable is the same in all statements. Raises Refused."""
    known: dict[str, tuple[Is, bool, bool]] = {}
    for built in group.built:
        for name, region in built.regions.items():
            role = region.what, region.text, region.keyed
            if known.setdefault(name, role) != role:
                message = f"{name} is put into the SQL of line {built.call.lineno} otherwise than into that of another"
                raise Refused("dynamic-sql", f"{message}; use two variables")


def _check_filled(group: Group) -> None:
    """Where not all ways were walked, a list may be empty, or never is. Raises Refused."""
    for built in group.built:
        for name, region in built.regions.items():
            ways = [set(built.items_of(way, region)) for way in built.ways]
            if all(ways) and not set.intersection(*ways) and name.removesuffix(OF_VALUES) not in group.walk.guards:
                message = f"{name} may be empty on line {built.call.lineno}, on one of more ways than can be looked at"
                raise Refused("dynamic-sql", f"{message}; leave the function first where it is")


def _check_same(group: Group) -> None:
    """An item has the same parameters on every way. Raises Refused."""
    known: dict[ast.expr, list[ast.expr]] = {}
    for built in group.built:
        for way in built.ways:
            taken: dict[ast.expr, list[ast.expr]] = {}
            for piece in way:
                if piece.part.item is not None:
                    taken.setdefault(piece.part.item.node, []).extend(item.node for item in piece.items)
            for node, items in taken.items():
                if known.setdefault(node, items) != items:
                    line = node.lineno
                    raise Refused("dynamic-sql", f"what line {line} adds to the SQL takes other parameters on some way")
