"""What is run on receivers whose connection does not begin in the function, or that no codemod rewrites.

By what the receiver is called; by the method, where only a driver has one of that name; or by the text that it is
handed, where that is a statement of SQL.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from ormlift.project.index import ProjectIndex
from ormlift.schema import SourceKind
from ormlift.sql.life.drivers import direct_source
from ormlift.sql.life.lent import is_bridge
from ormlift.sql.life.model import Does, Host, Life, Use
from ormlift.sql.spoken import speaks_sql
from ormlift.sql.textual.receiver import receiver_of, takes_string
from ormlift.syntax import FunctionNode, Module, dotted, walk_scope

CONNECTIONS = (SourceKind.CONNECTION, SourceKind.CONNECTION_AND_CURSOR, SourceKind.CURSOR)
RUNS = frozenset(["cursor", "execute", "executemany", "executescript", "execute_fetchall"])
# What is handed a statement as its first argument by no other libraries than those of databases.
_TOLD = frozenset([*RUNS - {"cursor"}, "execute_insert", "copy_expert", "mogrify"])
_ASYNCPG = frozenset(["fetch", "fetchrow", "fetchval"])
_DATABASES = frozenset(["fetch_all", "fetch_one", "fetch_val", "iterate"])
_PSYCOPG2 = frozenset(["execute_values", "execute_batch"])  # functions of psycopg2.extras, which are handed the cursor
_OTHERS = frozenset(["cassandra", "dse", "neo4j", "pyspark", "snowflake", "duckdb", "clickhouse_driver"])
_NAMES = sorted((RUNS - {"cursor", "execute"}) | _TOLD - {"execute"} | _ASYNCPG | _DATABASES | {"callproc"})
NEEDLES = (*(f".{name}(".encode() for name in _NAMES), *(f"{name}(".encode() for name in sorted(_PSYCOPG2)))
_RECEIVERS = frozenset(
    [
        "c",
        "cur",
        "curs",
        "cursor",
        "conn",
        "connection",
        "con",
        "cnx",
        "db_cursor",
        "dbconn",
        "db_conn",
        "db_connection",
    ]
)


@dataclass(frozen=True, eq=False)
class Stray:
    """A DB-API receiver whose connection does not begin in this function."""

    line: int
    end_line: int
    receiver: str  # its source text
    asynchronous: bool = False
    kept: bool = False  # the file opens and keeps it, and here no more is done than to make its cursor
    driver: str = ""  # one that is no DB-API driver, as a method's name tells
    either: bool = False  # a parameter that the function binds itself as well, where none is given


def may_run(call: ast.Call) -> bool:
    """Whether a call may be one that runs SQL, by its name."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr in RUNS | _TOLD | _ASYNCPG | _DATABASES | _PSYCOPG2 | {"callproc"}
    return isinstance(call.func, ast.Name) and call.func.id in _PSYCOPG2


def strays_of(
    host: Host,
    module: Module,
    index: ProjectIndex,
    lives: list[Life],
    connections: set[tuple[Host | None, str]],
    kept: set[str],
) -> Iterator[Stray]:
    """What is run in `host` on receivers that no life holds, one stray for each receiver."""
    claimed = {n for life in lives for use in life.uses for n in (use.node, use.call, *_cursor_calls(use))}
    claimed |= {node for life in lives for lent in life.lent.values() for node in lent.given}
    spans: dict[str, list[ast.Call]] = {}
    aliases = _cursor_names(host, module)
    parameters = (
        {n.arg for n in ast.walk(host.args) if isinstance(n, ast.arg)} if isinstance(host, FunctionNode) else ()
    )
    for node in walk_scope(host):
        if not isinstance(node, ast.Call) or node in claimed or not may_run(node) or is_bridge(node, host, module):
            continue
        receiver = _told(node, module, index)
        if receiver is None and isinstance(node.func, ast.Attribute):
            name = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
            named = bool({(host, name), (None, name)} & connections) and name not in parameters
            ours = named and node.func.attr in RUNS and not _is_alchemy(node)
            receiver = node.func.value if ours or _is_dbapi(node, node.func, module, index) else None
        if receiver is not None and receiver not in claimed:
            root = _root(receiver, module)
            spans.setdefault(aliases.get(root, root), []).append(node)
    for said, calls in spans.items():
        waits = any(isinstance(module.parents.get(c), ast.Await | ast.AsyncWith | ast.withitem) for c in calls)
        asynchronous = waits and isinstance(host, ast.AsyncFunctionDef)
        last = max(c.end_lineno or c.lineno for c in calls)
        only = all(isinstance(c.func, ast.Attribute) and c.func.attr == "cursor" for c in calls)
        driver = next(filter(None, map(_driver_of, calls)), "")
        either = said in parameters and any(_stores(n, said) for n in walk_scope(host))
        yield Stray(min(c.lineno for c in calls), last, said, asynchronous, only and said in kept, driver, either)


def _stores(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store)


def shown_line(life: Life, index: ProjectIndex) -> int:
    """The first line that is a site where the life of what a function is handed is none; 0 where there is no such."""
    names = {parameter.arg for parameter in life.parameters}
    found = strays_of(life.host, life.module, index, [], set(), set())
    return min((stray.line for stray in found if stray.receiver in names), default=0)


def _told(call: ast.Call, module: Module, index: ProjectIndex) -> ast.expr | None:
    """The receiver, where what is called and the text that it is handed tell that SQL is run; SQLAlchemy's aside."""
    if dotted(call.func).rpartition(".")[2] in _PSYCOPG2 and len(call.args) >= 2:
        return call.args[0]
    if not isinstance(call.func, ast.Attribute) or not _is_told(call.func, module) or not call.args:
        return None
    node = call.func.value
    if call.func.attr != "callproc" and not speaks_sql(call.args[0], module):
        return None
    return None if _is_of_alchemy(call, node, module, index) else node


def _is_told(func: ast.Attribute, module: Module) -> bool:
    if func.attr in _TOLD | _ASYNCPG | _DATABASES:
        return not _OTHERS & {target.partition(".")[0] for target in module.imports.values()}
    return func.attr == "callproc"


def _is_of_alchemy(call: ast.Call, node: ast.expr, module: Module, index: ProjectIndex) -> bool:
    """Whether a receiver is SQLAlchemy's, or Alembic's: then it is no site of ours."""
    source = index.receiver_of(node, module)
    known = source is not None and source.kind not in (*CONNECTIONS, SourceKind.UNKNOWN)
    root = module.imports.get(dotted(node).partition(".")[0], "")
    named = "session" in dotted(node).lower() or root.startswith("alembic")
    return known or named or receiver_of(call, module, index, takes_text=False) is not None


def _driver_of(call: ast.Call) -> str:
    """The driver that has a method of the name, where it is no DB-API driver."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    return "asyncpg" if name in _ASYNCPG else "databases" if name in _DATABASES else ""


def _cursor_calls(use: Use) -> Iterator[ast.AST]:
    """The `conn.cursor()` inside `closing(..)`, or among the arguments of a call that is handed it."""
    if use.hands is not None:
        yield use.hands.given
    if use.does is Does.CURSOR_BLOCK:
        yield from (n for n in ast.walk(use.node) if isinstance(n, ast.Call))


def _cursor_names(host: Host, module: Module) -> dict[str, str]:
    """Variables that hold a cursor, with the connection that it is of."""
    found: dict[str, str] = {}
    for node in walk_scope(host):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "cursor":
            match module.parents.get(node):
                case ast.Assign(targets=[ast.Name(id=name)]) | ast.withitem(optional_vars=ast.Name(id=name)):
                    found[name] = _root(node.func.value, module)
                case _:
                    pass
    return found


def _root(node: ast.expr, module: Module) -> str:
    """The receiver as the reader names it; the cursors of one connection count as that connection."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "cursor":
        node = node.func.value
    return module.text(node).split("\n")[0]


def _is_dbapi(call: ast.Call, func: ast.Attribute, module: Module, index: ProjectIndex) -> bool:
    """Whether this runs on a DB-API cursor or connection, as far as the call itself tells."""
    receiver = func.value
    if func.attr == "cursor":
        return len(call.args) + len(call.keywords) <= 2 and not isinstance(receiver, ast.Constant)
    if func.attr not in RUNS or func.attr == "executescript":
        return False
    if isinstance(receiver, ast.Call):
        source = index.source_of(receiver, module) or direct_source(receiver, module)
        if source is not None:
            return source.kind in CONNECTIONS
        return isinstance(receiver.func, ast.Attribute) and receiver.func.attr == "cursor"
    last = dotted(receiver).rpartition(".")[2].lstrip("_").lower()
    return last in _RECEIVERS and not _is_alchemy(call) and not takes_string(call, module, index)


def _is_alchemy(call: ast.Call) -> bool:
    """Whether what is executed is SQLAlchemy's own: text(..), select(..) and the like; then it is no site of ours."""
    if not call.args:
        return not isinstance(call.func, ast.Attribute) or call.func.attr != "cursor"
    node: ast.expr = call.args[0]
    while isinstance(node, ast.Call):
        name = dotted(node.func).rpartition(".")[2]
        if name in ("text", "select", "insert", "update", "delete"):
            return True
        if not isinstance(node.func, ast.Attribute):
            return False
        node = node.func.value
    return False
