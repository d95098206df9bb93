"""Tables as the database reads them: the project's DDL, run on an empty SQLite in memory, or put together by sqlglot.

Nothing of the project is opened. What the DDL of a server says is taken apart by sqlglot and made into SQLAlchemy's own
tables, since there is no server to run it.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ormlift.ddl.find import Ddl, Statement, Unread
from ormlift.ddl.types import Chosen, server_type, sqlite_type

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, ForeignKeyConstraint, MetaData, Table

_ORDER = {"create": 0, "add": 1, "index": 2}


@dataclass
class Tables:
    """The tables of a project, ready to be written as models."""

    metadata: MetaData
    homes: dict[str, str] = field(default_factory=dict)  # table -> `path:line` of what makes it; none from a database
    unread: list[Unread] = field(default_factory=list)
    remarks: dict[tuple[str, str], Chosen] = field(default_factory=dict)  # (table, column) -> what its type is
    wanted: set[str] = field(default_factory=set)  # the tables to write; others are there for their keys alone


def tables_of(ddl: Ddl, dialect: str, mapped: Collection[str] = ()) -> Tables:
    """The tables that the statements make, but for those in `mapped` (lower case), which have a model."""
    if dialect == "sqlite":
        tables = _run_on_sqlite(ddl)
    else:
        from ormlift.ddl.servers import put_together

        tables = put_together(ddl, dialect)
    return settled(tables, mapped)


def settled(tables: Tables, mapped: Collection[str]) -> Tables:
    """The same, with keys to tables that are not known taken out, and the tables to write picked."""
    from sqlalchemy import ForeignKeyConstraint

    names = {name.lower() for name in tables.metadata.tables}
    for table in tables.metadata.tables.values():
        for constraint in [c for c in table.constraints if isinstance(c, ForeignKeyConstraint)]:
            target = constraint.elements[0].target_fullname.rpartition(".")[0]
            columns = {e.target_fullname.rpartition(".")[2].lower() for e in constraint.elements}
            known = tables.metadata.tables.get(
                next((n for n in tables.metadata.tables if n.lower() == target.lower()), "")
            )
            if target.lower() not in names or known is None or not columns <= {c.name.lower() for c in known.columns}:
                _drop_key(table, constraint)
                where = tables.homes.get(table.name, "").rpartition(":")
                why = f"{table.name} has a foreign key to {target}, which is not known; the model is without it"
                told = Unread(where[0], int(where[2] or 0), why)
                tables.unread += [told] if told not in tables.unread else []
    tables.wanted = {name for name, t in tables.metadata.tables.items() if t.name.lower() not in mapped}
    return tables


def _drop_key(table: Table, constraint: ForeignKeyConstraint) -> None:
    table.constraints.discard(constraint)
    for column in table.columns:
        for key in [k for k in column.foreign_keys if k.constraint is constraint]:
            column.foreign_keys.discard(key)
            table.foreign_keys.discard(key)


def _run_on_sqlite(ddl: Ddl) -> Tables:
    from sqlalchemy import MetaData, create_engine
    from sqlalchemy.pool import StaticPool

    tables = Tables(MetaData(), unread=list(ddl.unread))
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in sorted((s for s in ddl.statements if s.kind in _ORDER), key=lambda s: _ORDER[s.kind]):
            _run(statement, connection, tables)
        engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
        for name in _names(connection):
            _reflect(name, engine, tables)
        _options(engine, tables)
    return tables


def _run(statement: Statement, connection: sqlite3.Connection, tables: Tables) -> None:
    known = {name.lower() for name in _names(connection)}
    if (statement.kind == "create") is (statement.table.lower() in known):
        return  # made already, or never made here
    sql = statement.sql
    if statement.schema:
        sql = re.sub(rf"[\"`\[]?{re.escape(statement.schema)}[\"`\]]?\s*\.\s*", "", sql, count=1)
    try:
        connection.execute(sql)
    except sqlite3.Error as error:
        if statement.kind == "create":
            why = f"SQLite does not take the CREATE TABLE of {statement.table}: {error}"
            tables.unread.append(Unread(statement.path, statement.line, why))
        return
    if statement.kind == "create":
        tables.homes[statement.table] = f"{statement.path}:{statement.line}"


def _names(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    )
    return sorted(name for (name,) in rows)


def _reflect(name: str, engine: Engine, tables: Tables) -> None:
    """Read one table back as SQLAlchemy sees it, and give its columns the types that their values have."""
    import warnings

    from sqlalchemy import Table

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of types that it does not know: they are looked up by their names here
        table = Table(name, tables.metadata, autoload_with=engine, resolve_fks=False)
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(f"PRAGMA table_info({_quoted(name)})").all()
    for row in rows:
        column = table.columns[row[1]]
        chosen = sqlite_type(row[2] or "")
        column.type = chosen.type
        column.nullable = not row[3] and not (row[5] and row[2].upper() == "INTEGER" and len(table.primary_key) == 1)
        tables.remarks[name, column.name] = chosen
    with engine.connect() as connection:
        _complete_keys(table, connection)


def _complete_keys(table: Table, connection: Connection) -> None:
    """Unique keys and the rules of foreign keys, of which reflection by the text of the DDL misses some."""
    from sqlalchemy import UniqueConstraint

    known = {frozenset(c.columns.keys()) for c in table.constraints if isinstance(c, UniqueConstraint)}
    for _, index, _, origin, *_ in connection.exec_driver_sql(f"PRAGMA index_list({_quoted(table.name)})").all():
        names = [row[2] for row in connection.exec_driver_sql(f"PRAGMA index_info({_quoted(index)})")]
        if origin == "u" and frozenset(names) not in known:
            table.append_constraint(UniqueConstraint(*names))
    for row in connection.exec_driver_sql(f"PRAGMA foreign_key_list({_quoted(table.name)})").all():
        for key in table.columns[row[3]].foreign_keys:
            constraint = key.constraint
            if constraint is not None and key.target_fullname.partition(".")[0] == row[2]:
                constraint.onupdate = row[5] if row[5] != "NO ACTION" else None
                constraint.ondelete = row[6] if row[6] != "NO ACTION" else None
                key.onupdate, key.ondelete = constraint.onupdate, constraint.ondelete


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _options(engine: Engine, tables: Tables) -> None:
    """What reflection does not tell: AUTOINCREMENT and WITHOUT ROWID, under which no part of the key may be NULL."""
    with engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'table'").all()
    for name, sql in rows:
        table = tables.metadata.tables.get(name)
        if table is None:
            continue
        if re.search(r"\bWITHOUT\s+ROWID\b(?=[^)]*$)", sql, re.I):
            table.dialect_kwargs["sqlite_with_rowid"] = False
            for column in table.primary_key:
                column.nullable = False
        if re.search(r"\bAUTOINCREMENT\b", sql, re.I):
            table.dialect_kwargs["sqlite_autoincrement"] = True


def reflected(engine: Engine, mapped: Collection[str] = (), schema: str | None = None) -> Tables:
    """The tables of a database that is there, with the types of their values."""
    from sqlalchemy import MetaData, Table, inspect

    tables = Tables(MetaData())
    dialect = "mysql" if engine.dialect.name == "mariadb" else engine.dialect.name
    for name in sorted(inspect(engine).get_table_names(schema)):
        if name in ("alembic_version", "migrate_version"):
            continue
        if dialect == "sqlite":
            _reflect(name, engine, tables)
            continue
        table = Table(name, tables.metadata, autoload_with=engine, resolve_fks=False, schema=schema)
        for column in table.columns:
            chosen = server_type(column.type, dialect, engine.dialect.driver)
            column.type = chosen.type
            tables.remarks[table.name, column.name] = chosen
    if dialect == "sqlite":
        _options(engine, tables)
    return settled(tables, mapped)
