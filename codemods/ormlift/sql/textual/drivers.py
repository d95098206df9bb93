"""What the driver gives of a text()'s values when SQLAlchemy stands between: it sets up some drivers itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ormlift.sql.statement import ResultColumn


def alchemy_columns(columns: Iterable[ResultColumn], dialect: str, *, asynchronous: bool) -> tuple[ResultColumn, ...]:
    """The columns, with the raw type that a text() gives rather than the bare driver."""
    return tuple(
        _column(column, asynchronous=asynchronous) if dialect == "postgresql" else column for column in columns
    )


def _column(column: ResultColumn, *, asynchronous: bool) -> ResultColumn:
    if column.new_type == "UUID" and column.raw_type == "str":  # psycopg2 is told to make UUIDs
        return replace(column, raw_type="UUID", changes_type=False)
    if column.new_type == "dict" and asynchronous:  # asyncpg is told to leave JSON as text
        return replace(column, raw_type="str", changes_type=True)
    if column.new_type == "bytes" and asynchronous:
        return replace(column, raw_type="bytes", changes_type=False)
    return column
