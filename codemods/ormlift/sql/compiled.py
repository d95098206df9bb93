"""What a written expression compiles to: its statement is caught on the way to the database."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from ormlift.sql.synthetic import Synthetic, evaluate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ormlift.sql.statement import Written

_NUMERIC = 1700  # PostgreSQL's code for a decimal
Element = Any  # an executable of SQLAlchemy's
Dialect = Any  # one of SQLAlchemy's
SaType = Any  # a type of SQLAlchemy's


class Caught(Exception):  # noqa: N818 - carries a statement out of a call
    """Raised by the recording session in place of executing."""

    def __init__(self, statement: Element) -> None:
        super().__init__("caught")
        self.statement = statement


@dataclass(frozen=True)
class Compiled:
    """SQL and the values bound in it."""

    sql: str  # with `:name` for each bind
    binds: Mapping[str, Any]


def caught(written: Written, synthetic: Synthetic, values: Mapping[str, Any]) -> Element:
    """The SQLAlchemy statement that the text hands to the session. `values`: the slots' stand-ins by name."""
    from sqlalchemy.orm import Query, Session

    def catch(_session: object, statement: Element, *_args: object, **_kwargs: object) -> None:
        raise Caught(statement)

    recording = type("Recording", (Session,), {"execute": catch, "scalar": catch, "scalars": catch})
    try:
        result = evaluate(written, {**synthetic.classes, **values, "session": recording()})
    except Caught as error:
        return error.statement
    return result.statement if isinstance(result, Query) else result


def compile_for(statement: Element, dialect: str) -> Compiled:
    """Compile a statement for a dialect, with named binds."""
    compiled = statement.compile(  # without parameters of its own, as it is executed
        dialect=_dialect(dialect), column_keys=[], compile_kwargs={"render_postcompile": True}
    )
    names = {name: f"b{number}" for number, name in enumerate(compiled.params)}  # a name may be a reserved word
    sql = re.sub(r"(?<![:\w]):(\w+)", lambda match: f":{names.get(match[1], match[1])}", compiled.string)
    return Compiled(sql, {names[name]: value for name, value in compiled.params.items()})


def result_columns_of(statement: Element) -> list[Element]:
    """The columns of the rows that come back, of a query or of RETURNING."""
    return list(statement.selected_columns if hasattr(statement, "selected_columns") else statement.exported_columns)


def is_float(element: Element) -> bool:
    """Whether an expression gives floats by itself: a column of such, a cast, or a function of them alone."""
    from sqlalchemy import Cast, ColumnClause, Float, Label
    from sqlalchemy.sql.functions import FunctionElement

    if isinstance(element, Label):
        return is_float(element.element)
    if isinstance(element, FunctionElement):
        parts = list(element.clauses)
        return bool(parts) and all(is_float(part) for part in parts)
    return isinstance(element, Cast | ColumnClause) and isinstance(element.type, Float)


def converts(kind: SaType, dialect: str) -> bool:
    """Whether a type turns what the driver gives into something else."""
    from sqlalchemy import ARRAY, Float, Numeric
    from sqlalchemy.exc import InvalidRequestError

    if isinstance(kind, ARRAY) and not kind.as_tuple:  # a list of what its items are
        return converts(kind.item_type, dialect)
    target = _dialect(dialect)
    code = _NUMERIC if dialect == "postgresql" and isinstance(kind, Float | Numeric) else None  # what the server says
    try:
        return kind.dialect_impl(target).result_processor(target, code) is not None
    except InvalidRequestError:  # a type that wants to know what the server said; it converts by that
        return False


@cache
def _dialect(name: str) -> Dialect:
    from sqlalchemy.dialects.mysql.pymysql import MySQLDialect_pymysql
    from sqlalchemy.dialects.postgresql.psycopg2 import PGDialect_psycopg2
    from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

    makers: dict[str, Any] = {
        "sqlite": SQLiteDialect_pysqlite,
        "postgresql": PGDialect_psycopg2,
        "mysql": MySQLDialect_pymysql,
    }
    return makers[name](paramstyle="named")
