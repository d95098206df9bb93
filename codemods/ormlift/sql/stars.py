"""The columns of `*`, where tables are joined by USING."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Tables = Sequence[tuple[str, Sequence[str]]]  # by alias, in order, their columns in lower case


def star_columns(tables: Tables, using: Mapping[str, Sequence[str]], dialect: str) -> list[tuple[str, str]]:
    """Alias and name of each column. `using`: the columns by which a table is joined to those before it.

    Of two columns of USING one is left, the left one; servers put it in front, SQLite leaves it where it is.
    """
    found: list[tuple[str, str]] = []
    for alias, names in tables:
        shared = using.get(alias, ())
        own = [(alias, name) for name in names if name not in shared]
        merged = [next((pair for pair in found if pair[1] == name), (alias, name)) for name in shared]
        if dialect == "sqlite" or not shared:
            found += own
            continue
        if dialect == "mysql":
            merged = [pair for pair in found if pair in merged]
        found = [*merged, *(pair for pair in found if pair not in merged), *own]
    return found
