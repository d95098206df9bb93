"""How a cursor's rows can be read: by index, by name, or both."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ormlift.sql.life.executions import Execution
from ormlift.sql.life.model import Does, Life

_DICTS = ("RealDict", "DictCursor", "dictionary=True", "dict_row")
_NAMED = ("NamedTuple", "namedtuple_row", "named_tuple=True")


@dataclass(frozen=True, slots=True)
class RowKind:
    """What the driver's rows were."""

    by_name: bool = False
    by_place: bool = True


def row_kind(life: Life, execution: Execution) -> RowKind:
    """The kind of an execution's rows, as the connection's or the cursor's factory says."""
    for use in life.where(Does.CURSOR, Does.CURSOR_BLOCK):
        text = life.module.text(use.node)
        if use.cursor in ("", execution.use.cursor) and any(word in text for word in _DICTS):
            return RowKind(by_name=True, by_place="psycopg2" in life.source.driver and "RealDict" not in text)
    for use in life.where(Does.SETTING):
        statement = life.module.statement(use.node)
        if isinstance(statement, ast.Assign) and "row_factory" in life.module.text(statement):
            return RowKind(by_name=True)
    if life.source.rows == "mapping":
        return RowKind(by_name=True, by_place=life.source.driver in ("sqlite3", "aiosqlite"))
    return RowKind()


def is_named_tuple(life: Life) -> bool:
    """Whether a cursor gives named tuples, whose rows are read by attribute already."""
    cursors = life.where(Does.CURSOR, Does.CURSOR_BLOCK)
    return any(word in life.module.text(use.node) for use in cursors for word in _NAMED)
