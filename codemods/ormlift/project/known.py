"""What SQLAlchemy and the DB-API drivers hand out: the names outside of the project that are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ormlift.project.columns import last
from ormlift.project.handles import Handle
from ormlift.schema import SessionFactory, SessionSource, SourceKind, Tri

DRIVERS = {
    "sqlite3.connect": "sqlite3",
    "sqlite3.dbapi2.connect": "sqlite3",
    "aiosqlite.connect": "aiosqlite",
    "apsw.Connection": "apsw",
    "psycopg2.connect": "psycopg2",
    "psycopg.connect": "psycopg",
    "psycopg.Connection.connect": "psycopg",
    "psycopg.AsyncConnection.connect": "psycopg",
    "asyncpg.connect": "asyncpg",
    "pymysql.connect": "pymysql",
    "pymysql.Connect": "pymysql",
    "MySQLdb.connect": "MySQLdb",
    "mysql.connector.connect": "mysql.connector",
    "pyodbc.connect": "pyodbc",
    "cx_Oracle.connect": "cx_Oracle",
    "duckdb.connect": "duckdb",
}
# What keeps connections, and what opens them; `getconn()` or `get_connection()` hands one out.
POOLS = {
    "psycopg2.pool.SimpleConnectionPool": "psycopg2.connect",
    "psycopg2.pool.ThreadedConnectionPool": "psycopg2.connect",
    "mysql.connector.pooling.MySQLConnectionPool": "mysql.connector.connect",
}
CONNECTION_TYPES = {
    "sqlite3.Connection": "sqlite3",
    "aiosqlite.Connection": "aiosqlite",
    "psycopg2.extensions.connection": "psycopg2",
    "psycopg.Connection": "psycopg",
    "asyncpg.Connection": "asyncpg",
    "pymysql.connections.Connection": "pymysql",
    "pymysql.Connection": "pymysql",
}
SESSIONS = {SourceKind.SESSION, SourceKind.SHARED_SESSION, SourceKind.ASYNC_SESSION}
SETTINGS = ("row_factory", "cursor_factory", "cursorclass", "isolation_level", "autocommit")
DEFAULTS = {
    "autoflush": ("True",),
    "expire_on_commit": ("True",),
    "autocommit": ("False",),
    "future": ("True",),
    "class_": ("Session", "AsyncSession"),
    "info": ("None",),
    "twophase": ("False",),
}
DICT_CURSORS = ("DictCursor", "RealDictCursor", "dict_row", "DictConnection")


def is_session_class(name: str) -> bool:
    """Whether a dotted name outside of the project is one of SQLAlchemy's session classes."""
    return name.startswith(("sqlalchemy", "sqlmodel")) and last(name) in ("Session", "AsyncSession", "scoped_session")


def _flag(options: Mapping[str, str], name: str, default: Tri) -> Tri:
    given = options.get(name)
    if given is None:
        return Tri.UNKNOWN if "**" in options and default is not Tri.NO else default
    return {"True": Tri.YES, "False": Tri.NO}.get(given, Tri.UNKNOWN)


def make_factory(kind: str, options: Mapping[str, str]) -> SessionFactory:
    """The factory that a call with these options makes; it has no name yet."""
    return SessionFactory(
        "",
        "",
        "",
        0,
        _flag(options, "expire_on_commit", Tri.YES),
        _flag(options, "autoflush", Tri.YES),
        is_async=kind.startswith("async") or "Async" in options.get("class_", ""),
        options=_options(options),
    )


def _options(given: Mapping[str, str], before: Mapping[str, str] | None = None) -> tuple[tuple[str, str], ...]:
    """Options by name, the later over the earlier, without what says which engine and without what is the default."""
    found = {**(before or {}), **given}
    return tuple(
        sorted((k, v) for k, v in found.items() if k not in ("bind", "binds") and v not in DEFAULTS.get(k, ()))
    )


def session_of(factory: SessionFactory, options: Mapping[str, str]) -> SessionSource:
    """The session that a factory makes when called with these options."""
    kind = SourceKind.SHARED_SESSION if factory.scoped else SourceKind.SESSION
    return SessionSource(
        factory.name,
        factory.module,
        factory.path,
        factory.line,
        SourceKind.ASYNC_SESSION if factory.is_async else kind,
        factory.owner,
        expire_on_commit=_flag(options, "expire_on_commit", factory.expire_on_commit),
        shared=factory.scoped,
        bind="?" if "bind" in options else factory.bind,
        factory=f"{factory.path}:{factory.owner}.{factory.name}" if factory.name else "",
        options=_options(options, dict(factory.options)),
    )


def make_connection(name: str, call: Handle, path: str) -> SessionSource:
    """The connection that a driver's connect function opens."""
    driver = DRIVERS[name]
    made = SessionSource(
        name,
        "",
        path,
        0,
        SourceKind.CONNECTION,
        is_async=driver in ("aiosqlite", "asyncpg") or "AsyncConnection" in name,
        driver=driver,
        database=call.database,
        autocommit=Tri.YES if driver in ("asyncpg", "apsw") else Tri.NO,
        row_factory="tuple",
        rows="tuple",
    )
    if any(k == "**" for k, _ in call.options):
        made = replace(made, autocommit=Tri.UNKNOWN if made.autocommit is Tri.NO else made.autocommit, rows="")
    return with_settings(made, [(k, v) for k, v in call.options if k in SETTINGS])


def with_settings(made: SessionSource, settings: list[tuple[str, str]]) -> SessionSource:
    """The connection with attributes or options set on it."""
    for name, text in settings:
        if name in ("isolation_level", "autocommit"):
            yes = "None" if name == "isolation_level" else "True"
            literal = text in ("None", "True", "False") or text[:1] in "'\""
            made = replace(made, autocommit=Tri.YES if text == yes else Tri.NO if literal else Tri.UNKNOWN)
        elif name in SETTINGS:
            factory, rows = _rows(text)
            made = replace(made, row_factory=factory, rows=rows)
        else:
            made = replace(made, settings=(*made.settings, (name, text)))
    return made


def _rows(text: str) -> tuple[str, str]:
    """What a row factory or cursor class makes of a row, and whether it is read by name."""
    if last(text) in DICT_CURSORS:
        return "DictCursor" if last(text) == "DictCursor" else "dict", "mapping"
    if last(text) == "Row":
        return "sqlite3.Row", "mapping"
    if last(text) in ("None", "tuple_row", "Cursor", "cursor"):
        return "tuple", "tuple"
    return text, ""
