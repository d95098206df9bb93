"""Rows and parameters to try a statement on: NULLs, duplicates, boundary values, unicode, hits and misses.

All is drawn from a seeded generator, so that a seed names a trial and a failure replays.
"""

from __future__ import annotations

import ast
import datetime
from typing import TYPE_CHECKING, Any

from ormlift.sql.columntypes import kind_of
from ormlift.sql.synthetic import literals_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from random import Random

    from ormlift.schema import MappedClass, MappedColumn
    from ormlift.sql.statement import Argument, Bind

Datum = Any  # a value as the driver takes it

POOLS: Mapping[str, Sequence[Any]] = {
    "int": (0, 1, 2, 2, 3, -1, 7, 100, 2**31, -(2**31)),
    "float": (0.0, 1.0, 2.5, -1.5, 2.5, 1e9, 0.1),
    "numeric": (0, 1, 2.5, 10.25, -3.5, 99.99),
    "str": ("", "a", "A", "ab", "abc", "é", "Ünïcode \N{SNOWMAN}", "O'Brien", "100%", "a_b", "x", "1", "active", " a "),
    "bool": (0, 1, 1),
    "datetime": ("2024-01-01 00:00:00", "2024-02-29 12:30:00", "1999-12-31 23:59:59", "2024-01-01 00:00:00.000000"),
    "date": ("2024-01-01", "2024-02-29", "1999-12-31"),
    "time": ("00:00:00", "12:30:00", "23:59:59.000000"),
    "interval": ("1970-01-01 00:00:10.000000", "1970-01-02 00:00:00.000000"),
    "bytes": (b"", b"\x00\xff", b"abc"),
    "json": ("{}", "[]", '{"a": 1}', '"x"', "1"),
    "uuid": ("0" * 32, "12345678123456781234567812345678"),
    "enum": ("a", "b", "active"),
    "unknown": ("", "a", 1, 2.5),
}
# What SQLite lets stand in a column of a kind beside what belongs there; shows where a type converts.
_ODD: Mapping[str, Sequence[Any]] = {
    "int": ("bob", 2.5, "", b"x"),
    "float": (7, "bob", b"x"),
    "str": (b"x", b""),
    "bytes": ("bob", 1),
}
# What code may pass where nothing is known of the type; what the driver does not take is no trial.
_ANY = (True, False, 2, "bob", 2.5, b"x", "2024-01-01", 2**53 + 1)
_PYTHON: Mapping[str, Sequence[Any]] = {
    "str": POOLS["str"],
    "int": POOLS["int"],
    "float": POOLS["float"],
    "bool": (True, False),
    "bytes": POOLS["bytes"],
    "None": (None,),
    # With microseconds: without, the two sides store them in two formats, which is an effect of its own.
    "datetime": (datetime.datetime(2024, 1, 1, 0, 0, 0, 5), datetime.datetime(1999, 12, 31, 23, 59, 59, 999999)),
    "date": (datetime.date(2024, 1, 1), datetime.date(2024, 2, 29)),
}
ROUNDS = 12
ODDITY = 0.1  # how often a value is of a type that does not belong there


def rows(
    model: MappedClass, models: Mapping[str, MappedClass], literals: Sequence[Any], random: Random, *, odd: bool = True
) -> list[tuple[Any, ...]]:
    """Rows for a model's table, in its columns' order; sometimes none. `literals`: values the statement speaks of.

    `odd`: also values of a type that does not belong there, which SQLite lets stand.
    """
    count = random.choice((0, 1, 5, 12))
    found: list[tuple[Any, ...]] = []
    for number in range(count):
        row = [value(column, models, literals, random, odd=odd) for column in model.columns]
        for place, column in enumerate(model.columns):
            if column.primary_key:
                row[place] = number + 1 if kind_of(column, models) in ("int", "float", "numeric") else f"{number}"
        found.append(tuple(row))
        if number and random.random() < 0.3 and not any(column.primary_key for column in model.columns):
            found.append(tuple(row))
    return found


def value(
    column: MappedColumn,
    models: Mapping[str, MappedClass],
    literals: Sequence[Any],
    random: Random,
    *,
    odd: bool = True,
) -> Datum:
    """One value for a column."""
    if column.nullable and not column.primary_key and random.random() < 0.25:
        return None
    kind = kind_of(column, models)
    if kind == "enum" and (members := literals_of(column.type_args)):
        return random.choice(members)
    fitting = [item for item in literals if isinstance(item, _python_of(kind))]
    if fitting and random.random() < 0.4:
        return random.choice(fitting)
    misfits = _ODD.get(kind, ()) if odd and not column.primary_key and random.random() < ODDITY else ()
    return random.choice(misfits or POOLS[kind])


def parameter(
    argument: Argument, bind: Bind | None, models: Mapping[str, MappedClass], number: int, random: Random
) -> Datum:
    """A value for a slot: of the type the code shows, else one that fits the column it meets; None where it may be."""
    if argument.may_be_none and random.random() < 0.15:
        return None
    constant = constant_of(argument)
    if constant is not None:
        return constant
    kind = kind_of(bind.column, models) if bind is not None and bind.column is not None else ""
    if argument.type in _PYTHON and kind != "bool":
        return random.choice(_PYTHON[argument.type])
    if not argument.type and random.random() < ODDITY:
        return random.choice(_ANY)
    if bind is not None and bind.column is not None:
        members = literals_of(bind.column.type_args) if kind == "enum" and bind.writes else []
        return random.choice(members or POOLS[kind])
    return random.choice((0, 1, 2, 3, number))


def constant_of(argument: Argument) -> Datum:
    """The value of an argument that is a literal, None for any other."""
    try:
        found = ast.literal_eval(argument.text.strip())
    except (ValueError, SyntaxError):
        return None
    return found if isinstance(found, str | int | float | bytes) else None


def _python_of(kind: str) -> tuple[type, ...]:
    return {"int": (int,), "float": (int, float), "numeric": (int, float), "str": (str,), "bool": ()}.get(kind, ())
