"""How a cursor's rows can be read: by index, by name, or both."""

from __future__ import annotations

import ast
import re
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
    for node in made_by(life, execution):
        text = life.module.text(node)
        if any(word in text for word in _DICTS):
            return RowKind(by_name=True, by_place="psycopg2" in life.source.driver and "RealDict" not in text)
    for use in life.where(Does.SETTING):
        statement = life.module.statement(use.node)
        if isinstance(statement, ast.Assign) and "row_factory" in life.module.text(statement):
            return RowKind(by_name=True)
    if life.source.rows == "mapping":
        lists = life.source.driver == "psycopg2" and life.source.row_factory == "DictCursor"
        return RowKind(by_name=True, by_place=lists or life.source.driver in ("sqlite3", "aiosqlite"))
    return RowKind()


def given_rows(made: str) -> tuple[str, str]:
    """The rows and the row factory of cursors that are made by calls of which the text is known."""
    if any(word in made for word in _NAMED):
        return "", "named tuples"
    if any(word in made for word in _DICTS):
        return "mapping", "DictCursor" if re.search(r"\bDictCursor", made) else "dict"
    return "", ""


def made_by(life: Life, execution: Execution) -> list[ast.expr]:
    """What makes the cursor of an execution, as far as it is seen: here, or where it is kept."""
    names = ("", execution.use.cursor, execution.use.said)
    here = [use.node for use in life.where(Does.CURSOR, Does.CURSOR_BLOCK) if use.cursor in names]
    return [*here, *(node for name in names for node in life.made.get(name, ()))]


def is_named_tuple(life: Life) -> bool:
    """Whether a cursor gives named tuples, whose rows are read by attribute already."""
    here = [use.node for use in life.where(Does.CURSOR, Does.CURSOR_BLOCK)]
    kept = [node for nodes in life.made.values() for node in nodes]
    return any(word in life.module.text(node) for node in (*here, *kept) for word in _NAMED)
