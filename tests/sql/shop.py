"""A shop's tables on SQLite, PostgreSQL and MariaDB: a statement is executed there raw and as written, and compared.

Each run happens in a transaction that is rolled back, so that all start from the same rows.
"""

from __future__ import annotations

import contextlib
import datetime
import decimal
import os
import sqlite3
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from ormlift.schema import MappedClass
from ormlift.sql.statement import Fetch, Statement, Written
from sqlalchemy.orm import DeclarativeBase, Session, mapped_column
from sqlalchemy.pool import StaticPool

from .world import mapped


class Base(DeclarativeBase):
    pass


class Customer(Base):
    __tablename__ = "customers"
    id = mapped_column(sa.Integer, primary_key=True)
    name = mapped_column(sa.String(50), nullable=False)
    email = mapped_column(sa.String(80), unique=True)
    city = mapped_column(sa.String(30))
    vip = mapped_column(sa.Boolean, nullable=False, server_default=sa.false())
    joined = mapped_column(sa.Date)
    balance = mapped_column(sa.Numeric(10, 2))
    referrer_id = mapped_column(sa.ForeignKey("customers.id"))


class Product(Base):
    __tablename__ = "products"
    id = mapped_column(sa.Integer, primary_key=True)
    sku = mapped_column(sa.String(20), nullable=False, unique=True)
    title = mapped_column(sa.String(80))
    price = mapped_column(sa.Numeric(10, 2), nullable=False)
    weight = mapped_column(sa.Float)
    stock = mapped_column(sa.Integer, nullable=False, server_default="0")
    active = mapped_column(sa.Boolean)


class Order(Base):
    __tablename__ = "orders"
    id = mapped_column(sa.Integer, primary_key=True)
    customer_id = mapped_column(sa.ForeignKey("customers.id"))
    placed_at = mapped_column(sa.DateTime, nullable=False)
    state = mapped_column("status", sa.String(20))
    total = mapped_column(sa.Integer)
    note = mapped_column(sa.Text)


class Item(Base):
    __tablename__ = "order_items"
    order_id = mapped_column(sa.ForeignKey("orders.id"), primary_key=True)
    product_id = mapped_column(sa.ForeignKey("products.id"), primary_key=True)
    quantity = mapped_column(sa.Integer, nullable=False)
    price = mapped_column(sa.Numeric(10, 2))


visits = sa.Table(
    "visits",
    Base.metadata,
    sa.Column("customer_id", sa.Integer),
    sa.Column("page", sa.String(40)),
    sa.Column("seconds", sa.Integer),
)

ROWS: dict[str, list[tuple[Any, ...]]] = {
    "customers": [
        (1, "Ann", "ann@x.org", "Oslo", True, "2023-01-01", "10.50", None),
        (2, "Bob", None, "Rome", False, "2024-02-29", "0.00", 1),
        (3, "Čapek", "capek@x.org", None, True, None, None, 1),
        (4, "ann", "ann2@x.org", "Oslo", False, "2023-01-01", "10.50", 2),
        (5, "O'Brien 100%", None, "", False, "1999-12-31", "-3.25", None),
    ],
    "products": [
        (1, "A-1", "Anvil", "99.99", 45.5, 3, True),
        (2, "B-2", None, "0.50", None, 0, False),
        (3, "C_3", "Chain", "10.00", 2.25, 12, None),
        (4, "D-4", "anvil", "99.99", 45.5, -1, True),
    ],
    "orders": [
        (1, 1, "2024-01-01 10:00:00", "paid", 100, None),
        (2, 1, "2024-01-02 00:00:00", "open", None, "call first"),
        (3, 2, "2024-02-29 23:59:59", "paid", 7, ""),
        (4, None, "1999-12-31 23:59:59", None, 0, "100% off"),
        (5, 4, "2024-01-01 10:00:00", "paid", 100, "Ünïcode"),
    ],
    "order_items": [(1, 1, 1, "99.99"), (1, 2, 2, "0.50"), (3, 3, 1, None), (5, 1, 4, "89.99"), (5, 3, 1, "10.00")],
    "visits": [(1, "home", 5), (1, "home", 5), (2, None, 9), (None, "cart", None), (1, "cart", 30), (9, "home", 0)],
}
CLASSES: dict[str, Any] = {
    "Customer": Customer, "Product": Product, "Order": Order, "Item": Item, "visits": visits,
}  # fmt: skip
MODELS: dict[str, MappedClass] = {model.table: model for model in map(mapped, CLASSES.values())}
KEYED = ("customers", "products", "orders")


@dataclass(frozen=True)
class Ran:
    result: Any
    tables: dict[str, list[tuple[Any, ...]]]


class Server:
    """One database with the shop's tables, reached by its driver and by SQLAlchemy."""

    def __init__(self, dialect: str, engine: sa.Engine, style: str) -> None:
        self.dialect, self.engine, self.style = dialect, engine, style
        Base.metadata.create_all(engine)
        with contextlib.closing(engine.raw_connection()) as connection:
            cursor = connection.cursor()
            for table, rows in ROWS.items():
                places = ", ".join([style] * len(rows[0]))
                cursor.executemany(f"INSERT INTO {table} VALUES ({places})", rows)
            connection.commit()

    @property
    def errors(self) -> type[Exception]:
        """What the driver raises where the server takes no statement."""
        found: type[Exception] = self.engine.dialect.loaded_dbapi.Error
        return found

    def raw(self, sql: str, params: Any, fetch: Fetch) -> Ran:
        """The statement on the driver, fetched as the code would."""
        self._restart(sql)
        with contextlib.closing(self.engine.raw_connection()) as connection:
            cursor = connection.cursor()
            try:
                cursor.execute(sql, params)
                return Ran(_fetched(cursor, fetch), _contents(cursor))
            finally:
                connection.rollback()

    def written(self, written: Written, names: dict[str, Any], fetch: Fetch) -> Ran:
        """The written text on the real models."""
        self._restart(written.text)
        with Session(self.engine) as session:
            try:
                space = _space(written, {"session": session, **names})
                result = eval(written.text, space)
                result = (
                    list(result) if fetch in (Fetch.ALL, Fetch.ITERATE) else None if fetch is Fetch.NONE else result
                )
                session.flush()
                raw = session.connection().connection
                return Ran(result, _contents(raw.cursor()))
            finally:
                session.rollback()

    def _restart(self, text: str) -> None:
        """New keys start anew; what is rolled back does not give them back."""
        if self.dialect == "sqlite" or not any(word in text for word in ("INSERT", "insert(", "stmt")):
            return
        with self.engine.begin() as connection:
            for table in KEYED:
                start = "RESTART WITH 100" if self.dialect == "postgresql" else "AUTO_INCREMENT = 100"
                named = f"SEQUENCE {table}_id_seq" if self.dialect == "postgresql" else f"TABLE {table}"
                connection.exec_driver_sql(f"ALTER {named} {start}")


def _fetched(cursor: Any, fetch: Fetch) -> Any:
    if fetch is Fetch.ALL:
        return [tuple(row) for row in cursor.fetchall()]
    if fetch is Fetch.FIRST:
        row = cursor.fetchone()
        return tuple(row) if row is not None else None
    return cursor.rowcount if fetch is Fetch.ROWCOUNT else cursor.lastrowid if fetch is Fetch.LASTROWID else None


def _space(written: Written, names: dict[str, Any]) -> dict[str, Any]:
    space = dict(names)
    for need in written.imports:
        if need.module == "app.models":
            space[need.name] = CLASSES[need.name]
        else:
            exec(f"from {need.module} import {need.name}", space)
    for statement in written.above:
        exec(statement, space)
    return space


def _contents(cursor: Any) -> dict[str, list[tuple[Any, ...]]]:
    found = {}
    for table in ROWS:
        cursor.execute(f"SELECT * FROM {table}")
        found[table] = sorted((tuple(row) for row in cursor.fetchall()), key=repr)
    return found


@contextlib.contextmanager
def server(dialect: str) -> Iterator[Server]:
    """A server's shop, in a schema of its own that is dropped at the end."""
    if dialect == "sqlite":
        connection = sqlite3.connect(":memory:", check_same_thread=False)
        engine = sa.create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
        yield Server(dialect, engine, "?")
        engine.dispose()
        connection.close()
        return
    url = sa.make_url(os.environ[VARIABLES[dialect]])
    name = f"shop_{uuid.uuid4().hex[:12]}"
    admin = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    kind = "SCHEMA" if dialect == "postgresql" else "DATABASE"
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE {kind} {name}")
    own = (
        sa.create_engine(url, connect_args={"options": f"-csearch_path={name}"})
        if dialect == "postgresql"
        else sa.create_engine(url.set(database=name))
    )
    try:
        yield Server(dialect, own, "%s")
    finally:
        own.dispose()
        with admin.connect() as connection:
            connection.exec_driver_sql(f"DROP {kind} {name}{' CASCADE' if dialect == 'postgresql' else ''}")
        admin.dispose()


VARIABLES = {"postgresql": "ORMLIFT_TEST_POSTGRESQL", "mysql": "ORMLIFT_TEST_MYSQL"}


def agree(old: Ran, new: Ran, made: Written, statement: Statement, fetch: Fetch) -> None:
    """Values, types, row counts and the tables afterwards; a type may differ only where the written columns say so."""
    assert new.tables == old.tables
    if not statement.gives_rows:
        assert new.result == old.result
        return
    olds = old.result if fetch is Fetch.ALL else [old.result] if old.result is not None else []
    news = new.result if fetch is Fetch.ALL else [new.result] if new.result is not None else []
    assert len(olds) == len(news)
    if not statement.tree.args.get("order"):
        olds, news = sorted(olds, key=_by_value), sorted(news, key=_by_value)
    for before, after in zip(olds, news, strict=True):
        assert len(before) == len(after) == len(made.columns)
        for value, new_value, column in zip(before, after, made.columns, strict=True):
            same_value(value, new_value, column)
            if column.attr:
                assert getattr(after, column.attr) == new_value


def _by_value(row: Any) -> list[tuple[bool, str]]:
    return [(value is None, f"{float(value):020.4f}" if _is_number(value) else str(value)[:19]) for value in row]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | decimal.Decimal)


def same_value(value: Any, new: Any, column: Any) -> None:
    if not column.changes_type or value is None:
        assert (new, type(new)) == (value, type(value)), column
        return
    assert type(new).__name__ == column.new_type, column
    if column.raw_type and column.column is not None:
        assert type(value).__name__ in (column.raw_type, "int"), (value, column)
    makers: dict[str, Any] = {
        "bool": bool,
        "Decimal": lambda v: decimal.Decimal(str(v)),
        "float": float,
        "datetime": datetime.datetime.fromisoformat,
        "date": datetime.date.fromisoformat,
    }
    assert makers[column.new_type](value) == new, column
