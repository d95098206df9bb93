"""`IN %s` and `IN :ids`: one placeholder for a whole tuple, which psycopg2 and MySQL's drivers write out."""

from __future__ import annotations

import re

from ormlift.sql.placeholders import placeholders

DRIVERS = frozenset({"psycopg2", "pymysql", "MySQLdb"})
_IN = re.compile(r"\bIN\s*$", re.IGNORECASE)


def with_brackets(sql: str, style: str, dialect: str) -> tuple[str, frozenset[int | str]]:
    """The SQL with brackets around each placeholder that stands for a tuple, and the keys of these."""
    try:
        found = [p for p in placeholders(sql, style, dialect) if _IN.search(sql, 0, p.start)]
    except ValueError:
        return sql, frozenset()
    for place in reversed(found):
        sql = f"{sql[: place.start]}({sql[place.start : place.end]}){sql[place.end :]}"
    return sql, frozenset(place.key for place in found)
