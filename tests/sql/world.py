"""A real database and its real models: every statement of the suite is executed here, raw and as written."""

from __future__ import annotations

import datetime
import decimal
import enum
import re
import sqlite3
from dataclasses import dataclass
from functools import cache
from typing import Any

import sqlalchemy as sa
from ormlift.schema import MappedClass, MappedColumn
from ormlift.sql.read import read
from ormlift.sql.statement import Argument, Fetch, Request, Statement, Written
from ormlift.sql.write import write
from sqlalchemy.orm import DeclarativeBase, Session, mapped_column
from sqlalchemy.pool import StaticPool


class Base(DeclarativeBase):
    pass


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Job(Base):
    __tablename__ = "jobs"
    id = mapped_column(sa.Integer, primary_key=True)
    name = mapped_column(sa.String(50))
    cls = mapped_column("class", sa.String)
    n = mapped_column(sa.Integer)
    m = mapped_column(sa.Integer, nullable=False, server_default="5")
    score = mapped_column(sa.Float)
    price = mapped_column(sa.Numeric(10, 2))
    active = mapped_column(sa.Boolean)
    created_at = mapped_column(sa.DateTime, server_default="2020-02-02 02:02:02")
    day = mapped_column(sa.Date)
    data = mapped_column(sa.JSON)
    state = mapped_column(sa.Enum("new", "done", "failed"))
    blob = mapped_column(sa.LargeBinary)
    owner_id = mapped_column(sa.ForeignKey("users.id"))


class User(Base):
    __tablename__ = "users"
    id = mapped_column(sa.Integer, primary_key=True)
    email = mapped_column(sa.String, nullable=False, unique=True)
    nick = mapped_column(sa.String)
    active = mapped_column(sa.Boolean, nullable=False, server_default="1")


class Event(Base):
    __tablename__ = "events"
    id = mapped_column(sa.Integer, primary_key=True)
    kind = mapped_column(sa.String, default="plain")
    touched = mapped_column(sa.Integer, default=0, onupdate=99)
    order_ = mapped_column("order", sa.Integer)
    lambda_ = mapped_column("lambda", sa.Integer)
    spaced = mapped_column("two words", sa.String)
    colour = mapped_column(sa.Enum(Colour))
    user_id = mapped_column(sa.Integer)


tags = sa.Table(
    "tags",
    Base.metadata,
    sa.Column("job_id", sa.Integer),
    sa.Column("tag", sa.String),
    sa.Column("class", sa.Integer),
)

ROWS: dict[str, list[tuple[Any, ...]]] = {
    "users": [
        (1, "ann@x.org", "Ann", 1),
        (2, "bob@x.org", None, 0),
        (3, "Čapek@x.org", "ann", 1),
    ],
    "jobs": [
        (1, "alpha", "a", 10, 1, 1.5, 10.25, 1, "2024-01-01 10:00:00", "2024-01-01", '{"a": 1}', "new", b"\x00", 1),
        (2, "beta", "b", None, 2, None, None, 0, "2024-01-02 00:00:00", "2024-02-29", None, "done", None, 1),
        (3, None, None, 3, 3, 2.0, 5, None, None, None, "[]", None, b"abc", None),
        (4, "alpha", "a", 10, 4, 1.5, 10.25, 1, "2024-01-01 10:00:00", "2024-01-01", '{"a": 1}', "new", b"\x00", 2),
        (5, "Alpha", "A", -7, 5, -0.5, 0, 0, "1999-12-31 23:59:59", "1999-12-31", '"x"', "failed", b"", 99),
        (6, "O'Brien 100%", "é_b", 0, 6, 1e9, 99.99, 1, "2024-03-01 12:30:00.000000", None, "null", "done", None, 3),
        (7, "", "", 7, 7, 0.1, 0.5, None, None, "2024-05-05", None, "new", None, None),
    ],
    "events": [
        (1, "plain", 0, 3, 1, "x y", "RED", 1),
        (2, None, None, 1, None, None, None, 2),
        (3, "plain", 5, 3, 1, "x y", "BLUE", 1),
    ],
    "tags": [(1, "hot", 1), (1, "hot", 1), (2, None, 2), (None, "cold", None)],
}


def mapped(cls: Any) -> MappedClass:
    """What the model index would read of a class."""
    table = cls if isinstance(cls, sa.Table) else cls.__table__
    attrs = {c.name: c.key for c in table.columns}
    if cls is not table:
        attrs = {prop.columns[0].name: prop.key for prop in sa.inspect(cls).column_attrs}
    name = table.name if cls is table else cls.__name__
    columns = tuple(_column(column, attrs[column.name]) for column in table.columns)
    return MappedClass(name, "app.models", "app/models.py", 1, table.name, columns=columns, is_table=cls is table)


def _column(column: sa.Column[Any], attr: str) -> MappedColumn:
    keys = list(column.foreign_keys)
    kind = "" if isinstance(column.type, sa.types.NullType) or keys else type(column.type).__name__
    members = column.type.enums if isinstance(column.type, sa.Enum) and column.type.enum_class is None else []
    return MappedColumn(
        attr=attr,
        name=column.name,
        type=kind,
        type_args=", ".join(repr(member) for member in members),
        nullable=bool(column.nullable),
        primary_key=column.primary_key,
        default=column.default is not None,
        server_default=column.server_default is not None,
        onupdate=column.onupdate is not None,
        foreign_key=keys[0].target_fullname if keys else "",
    )


CLASSES: dict[str, Any] = {"Job": Job, "User": User, "Event": Event, "tags": tags}
MODELS = {model.table: model for model in map(mapped, CLASSES.values())}


def connect(script: str = "") -> sqlite3.Connection:
    """A fresh database with the rows, changed by a script."""
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    connection.deserialize(_image())
    connection.executescript(script)
    connection.commit()
    return connection


@cache
def _image() -> bytes:
    connection = sqlite3.connect(":memory:")
    engine = _engine(connection)
    Base.metadata.create_all(engine)
    for table, rows in ROWS.items():
        connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)
    connection.commit()
    image = connection.serialize()
    connection.close()
    return image


def _engine(connection: sqlite3.Connection) -> sa.Engine:
    return sa.create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)


def contents(connection: sqlite3.Connection) -> dict[str, list[Any]]:
    """All tables, for comparison."""
    return {table: list(connection.execute(f"SELECT * FROM {table} ORDER BY rowid")) for table in ROWS}


@dataclass(frozen=True)
class Ran:
    result: Any
    tables: dict[str, list[Any]]


def raw(sql: str, params: Any, fetch: Fetch, script: str = "") -> Ran:
    """The statement on the driver, fetched as the code would."""
    connection = connect(script)
    try:
        cursor = connection.execute(sql, params)
        result: Any = None
        if fetch in (Fetch.ALL, Fetch.ITERATE):
            result = cursor.fetchall()
        elif fetch is Fetch.FIRST:
            result = cursor.fetchone()
        elif fetch is Fetch.SCALAR:
            row = cursor.fetchone()
            result = row[0] if row else None
        elif fetch is Fetch.SCALARS:
            result = [row[0] for row in cursor]
        elif fetch is Fetch.ROWCOUNT:
            result = cursor.rowcount
        elif fetch is Fetch.LASTROWID:
            result = cursor.lastrowid
        return Ran(result, contents(connection))
    finally:
        connection.close()


def evaluate(written: Written, names: dict[str, Any], fetch: Fetch, script: str = "") -> Ran:
    """The written text on the real models."""
    connection = connect(script)
    engine = _engine(connection)
    try:
        with Session(engine) as session:
            space: dict[str, Any] = {"session": session, **names}
            for need in written.imports:
                if need.module == "app.models":
                    space[need.name] = CLASSES[need.name]
                else:
                    exec(f"from {need.module} import {need.name}", space)
            for statement in written.above:
                exec(statement, space)
            result = eval(written.text, space)
            if fetch in (Fetch.ALL, Fetch.ITERATE):
                result = list(result)
            if fetch is Fetch.NONE:
                result = None
            session.commit()
            return Ran(result, contents(connection))
    finally:
        engine.dispose()
        connection.close()


def said(ran: Ran) -> str:
    """What a written text gave, in words that any version of SQLAlchemy has for it."""
    rows = ran.result if isinstance(ran.result, list) else [ran.result]
    shown = [(tuple(row), tuple(row._fields)) if hasattr(row, "_fields") else row for row in rows]
    said = f"{type(ran.result) is list} {shown!r} {ran.tables!r}"
    return re.sub(r"%\(\d+ ", "%(", said)  # names that SQLAlchemy makes of addresses


def parsed(sql: str, paramstyle: str = "qmark", dialect: str = "sqlite") -> Statement:
    statement = read(sql, paramstyle, dialect)
    assert isinstance(statement, Statement), statement
    return statement


def request(statement: Statement, **options: Any) -> Request:
    """A request whose arguments are variables p0, p1 … of which nothing is known."""
    arguments = tuple(Argument(f"p{slot.index}") for slot in statement.slots)
    return Request(**{"models": MODELS, "arguments": arguments, "variables": True, **options})


def written(sql: str, paramstyle: str = "qmark", dialect: str = "sqlite", **options: Any) -> Any:
    """Read and write at once: Written or Reason."""
    statement = read(sql, paramstyle, dialect)
    return write(statement, request(statement, **options)) if isinstance(statement, Statement) else statement


def converted(value: Any, new_type: str) -> Any:
    """A raw SQLite value as a mapped column gives it."""
    import json

    if value is None:
        return None
    makers: dict[str, Any] = {
        "bool": bool,
        "datetime": datetime.datetime.fromisoformat,
        "date": datetime.date.fromisoformat,
        "Decimal": lambda v: decimal.Decimal(str(v)),
        "dict": json.loads,
        "Enum": lambda v: Colour[v],
    }
    return makers[new_type](value)
