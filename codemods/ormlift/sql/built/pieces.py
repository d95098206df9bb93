"""The text of an execution in pieces, each with the parameters that its placeholders take."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ormlift.sql.built.helpers import ANCHOR
from ormlift.sql.built.values import KEY, Item, Part
from ormlift.sql.built.walk import Seen
from ormlift.sql.life.holes import item_list
from ormlift.sql.life.literals import Parameters
from ormlift.sql.life.pure import acts
from ormlift.sql.life.refuse import Refused
from ormlift.sql.placeholders import placeholders
from ormlift.syntax import Module


@dataclass(frozen=True)
class Piece:
    """A stretch of text with the parameters that it takes, in order; by name where it names them."""

    part: Part
    items: tuple[Item, ...] = ()
    keys: tuple[int | str, ...] = ()


@dataclass(frozen=True)
class Manner:
    """How placeholders are written."""

    style: str
    dialect: str
    module: Module

    @property
    def holder(self) -> str:
        """A placeholder."""
        return "%s" if self.style in ("format", "pyformat") else "?"


def pieces_of(seen: Seen, manner: Manner, line: int) -> list[Piece]:
    """The pieces of what a call executes. Raises Refused where the parameters do not fit."""
    parts = [replace(p, text=manner.holder) if p.many is not None else p for p in seen.text]
    found = _placeholders("".join(p.text for p in parts), manner, line)
    given = seen.given
    pieces: list[Piece] = []
    start, at = 0, 0
    for part in parts:
        end = start + len(part.text)
        keys = [key for place, key in found if start <= place < end]
        start = end
        if isinstance(given, dict):
            opened = part.item.open if part.item is not None else ""
            items = [given[key] for key in keys if isinstance(key, str) and key in given]
            items += [given[f"**{opened}"] for key in keys if key == KEY and f"**{opened}" in given]
        else:
            items = list(given[at : at + len(keys)])
            at += len(keys)
        if len(items) != len(keys) or not all(_fits(part, item) for item in items):
            raise _unfit(line, len(found), len(given))
        if part.many is not None and item_list(part.many, manner.module) != item_list(items[0].node, manner.module):
            raise _unfit(line, len(found), len(given))
        pieces.append(Piece(part, tuple(items), tuple(keys)))
    if not isinstance(given, dict) and at != len(given):
        raise _unfit(line, len(found), len(given))
    asked = {key for _, key in found}
    if isinstance(given, dict) and any(acts(item.node) for key, item in given.items() if key not in asked):
        message = f"line {line} is passed a call that its SQL does not ask for on some way"
        raise Refused("parameters-unknown", f"{message}; give it a statement of its own")
    return pieces


def _fits(part: Part, item: Item) -> bool:
    """Whether a parameter is of the kind that its placeholder stands for."""
    opened = part.item.open if part.item is not None else ""
    loop = part.item.loop if part.item is not None else ""
    if loop or item.loop:
        return loop == item.loop and not item.open
    if opened or item.open:
        return opened == item.open
    return item.many is (part.many is not None)


def _placeholders(text: str, manner: Manner, line: int) -> list[tuple[int, int | str]]:
    try:
        return [(p.start, p.key) for p in placeholders(text, manner.style, manner.dialect)]
    except ValueError as error:
        raise Refused("sql-not-parsed", f"line {line}: the placeholders cannot be told: {error}") from None


def _unfit(line: int, asked: int, given: int) -> Refused:
    message = f"on some way line {line} passes {given} parameters for {asked} placeholders, or others than were counted"
    return Refused("dynamic-sql", f"{message}; write each statement as one literal")


def put_together(pieces: Sequence[Piece], module: Module, line: int) -> tuple[str, Parameters]:
    """The text of pieces, and their parameters. Raises Refused where a name stands for two."""
    nodes: dict[int | str, ast.expr] = {}
    said: dict[int | str, str] = {}
    many: set[int | str] = set()
    for piece in pieces:
        for item, key in zip(piece.items, piece.keys, strict=True):
            place = key if isinstance(key, str) else len(nodes) + len(said)
            if item.said:
                said[place] = item.said
                continue
            if isinstance(item.node, ast.Constant) and item.node.value == ANCHOR:
                raise Refused("dynamic-sql", f"a parameter of line {line} is made in another function; pass it")
            if nodes.setdefault(place, item.node) is not item.node:
                message = f"the parameter {place} of line {line} is set once more; give it another name"
                raise Refused("dynamic-sql", message)
            many |= {place} if item.many else set()
    texts = {key: item_list(n, module) if key in many else module.text(n) for key, n in nodes.items()}
    texts |= said
    sql = "".join(piece.part.text for piece in pieces)
    passed = bool(texts)
    return sql, Parameters(texts, nodes, passed=passed, many=frozenset(many))
