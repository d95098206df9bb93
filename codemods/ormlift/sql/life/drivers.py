"""What is known of the DB-API drivers."""

from __future__ import annotations

import ast

from ormlift.schema import SessionSource, SourceKind, Tri
from ormlift.syntax import Module, dotted

CONNECT = {
    "sqlite3.connect": "sqlite3",
    "aiosqlite.connect": "aiosqlite",
    "psycopg2.connect": "psycopg2",
    "psycopg.connect": "psycopg",
    "pymysql.connect": "pymysql",
    "MySQLdb.connect": "MySQLdb",
    "mysql.connector.connect": "mysql.connector",
}
PARAMSTYLES = {
    "sqlite3": "qmark",
    "aiosqlite": "qmark",
    "psycopg2": "pyformat",
    "psycopg": "pyformat",
    "pymysql": "pyformat",
    "MySQLdb": "pyformat",
    "mysql.connector": "pyformat",
}
DIALECTS = {
    "sqlite3": "sqlite",
    "aiosqlite": "sqlite",
    "psycopg2": "postgresql",
    "psycopg": "postgresql",
    "pymysql": "mysql",
    "MySQLdb": "mysql",
    "mysql.connector": "mysql",
}
ASYNC_DRIVERS = frozenset({"aiosqlite"})
OTHERS = ("apsw", "asyncpg", "aiomysql", "aiopg", "databases")  # which are no DB-API drivers, or asynchronous
EXECUTE_RETURNS_CURSOR = frozenset({"sqlite3", "psycopg", ""})
EXECUTE_RETURNS_COUNT = frozenset({"pymysql", "MySQLdb"})  # what `execute(..)` gives is the row count
COMMITTING_BLOCK = frozenset({"sqlite3", "psycopg2"})  # `with conn:` commits or rolls back, and does not close
COMMITTING_CONNECT = COMMITTING_BLOCK | {"psycopg"}  # `with connect(..) as conn:` does; psycopg's closes it too


def paramstyle(driver: str, dialect: str) -> str:
    """How the driver writes placeholders."""
    if driver in PARAMSTYLES:
        return PARAMSTYLES[driver]
    return "qmark" if dialect == "sqlite" and not driver else "pyformat"


def other_driver(module: Module) -> str:
    """A driver that is not known here and that the file imports; empty where there is none."""
    return next((driver for driver in OTHERS if driver in module.imports.values()), "")


def direct_source(call: ast.Call, module: Module) -> SessionSource | None:
    """A driver's own `connect(..)`, or None."""
    name = dotted(call.func)
    head, _, rest = name.partition(".")
    target = _import_of(head, call, module)
    full = f"{target}.{rest}" if rest else target
    driver = CONNECT.get(full)
    if driver is None:
        return None
    keywords = {k.arg: k.value for k in call.keywords if k.arg}
    first = call.args[0] if call.args else keywords.get("database") or keywords.get("dsn")
    return SessionSource(
        name=name,
        module=module.source.path,
        path=module.source.path,
        line=call.lineno,
        kind=SourceKind.CONNECTION,
        driver=driver,
        database=module.text(first) if first is not None else "",
        autocommit=_autocommit(keywords),
        rows="mapping" if any("Dict" in ast.dump(v) for v in keywords.values()) else "tuple",
    )


def _import_of(name: str, node: ast.AST, module: Module) -> str:
    for around in module.ancestors(node):
        if isinstance(around, ast.FunctionDef | ast.AsyncFunctionDef):
            local = module.local_imports(around).get(name)
            if local:
                return local
    return module.imports.get(name, "")


def _autocommit(keywords: dict[str, ast.expr]) -> Tri:
    for key in ("isolation_level", "autocommit"):
        value = keywords.get(key)
        if isinstance(value, ast.Constant):
            return Tri.YES if value.value is (None if key == "isolation_level" else True) else Tri.NO
        if value is not None:
            return Tri.UNKNOWN
    return Tri.NO
