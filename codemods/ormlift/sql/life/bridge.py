"""Helpers that stay raw beside a session, on the session's own connection: all runs in one transaction, as it did.

The connection is asked for anew at each call, because a session that commits may go on with another one.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence

from ormlift.model import AddAbove, Effect, Op, ReplaceExpr, ReplaceStatement
from ormlift.project.helpers import Does as Act
from ormlift.project.index import ProjectIndex
from ormlift.schema import Tri
from ormlift.sql.life.commits import autocommits
from ormlift.sql.life.drivers import COMMITTING_BLOCK, DIALECTS, EXECUTE_RETURNS_COUNT
from ormlift.sql.life.executions import Execution
from ormlift.sql.life.lent import Lent
from ormlift.sql.life.model import Does, Life
from ormlift.sql.life.opener import opens_engine
from ormlift.sql.life.refuse import Refused
from ormlift.sql.life.text import within
from ormlift.sql.versions import older
from ormlift.syntax import Module

_SIMPLE = (ast.Expr, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Return)
_UNUSUAL = frozenset({"twophase", "autocommit"})  # options of a factory that make its connection another
_USUAL = {"sqlite": "sqlite3", "postgresql": "psycopg2", "mysql": "MySQLdb", "mariadb": "MySQLdb"}  # where none is said
_DRIVERS = {"pysqlite": "sqlite3", "mysqldb": "MySQLdb", "mysqlconnector": "mysql.connector"}
_LISTENS = frozenset({"connect", "first_connect", "do_connect", "checkout", "begin"})


def check_lent(life: Life, found: Sequence[Execution], index: ProjectIndex) -> None:
    """Whether the session's connection may take the raw one's place in each helper. Raises Refused."""
    for lent in life.lent.values():
        if reason := _stands_in_the_way(lent, life, index):
            message = f"line {lent.call.lineno} hands it to {lent.said}, {reason}"
            raise Refused("connection-escapes", f"{message}; keep it inside this function")
        if lent.remembers:
            message = f"{lent.said} on line {lent.call.lineno} needs what its connection remembers (see line"
            message += f" {lent.remembers}), and a session that commits goes on with another one"
            raise Refused("connection-state", f"{message}; leave it raw")
    if life.lent and not found:
        (first, *_) = life.lent.values()
        message = f"line {first.call.lineno} hands it to {first.said}, and nothing else is done with it here"
        raise Refused("connection-escapes", f"{message}; rewrite that function")


def _stands_in_the_way(lent: Lent, life: Life, index: ProjectIndex) -> str:
    """Why a helper can't be handed the session's connection; empty where it can."""
    driver = life.source.driver
    if not driver or autocommits(life) is Tri.YES:
        return "whose driver is not known" if not driver else "which commits each statement by itself"
    if Act.BLOCKS in lent.acts and driver not in COMMITTING_BLOCK:
        return "whose `with` closes it"
    if any(use.cursor for use in life.where(Does.SETTING)):
        return "which may need what is set on the cursor"
    if Act.COUNTS in lent.acts and driver not in EXECUTE_RETURNS_COUNT:
        return "which keeps what execute() gives"
    if any(said.name in _UNUSUAL or _UNUSUAL & {name for name, _ in said.options} for said in index.factories):
        return "and the sessions do not keep their transactions as one connection does"
    known = {_driver_of(engine.url) for engine in index.engines} - {""}
    if known and driver not in known:
        return f"which uses {driver}, and the engine uses another driver"
    listens = any(x.event in _LISTENS and "pool" not in x.target.lower() for f in index.facts for x in f.listeners)
    if listens and not opens_engine(life, index):
        return "and listeners set up the engine's connections"
    if Act.FETCHES in lent.acts and not _gives_plain_rows(life, index):
        return "which reads rows, and those of the engine's connection may come otherwise"
    return ""


def _driver_of(url: str) -> str:
    """The driver that an engine's URL names; empty where it can't be read, or is asynchronous."""
    head = url.strip("frbFRB'\"").partition("://")[0]
    dialect, named, said = head.partition("+")
    if dialect not in _USUAL or said in ("aiosqlite", "asyncpg", "aiomysql", "asyncmy"):
        return ""
    return _DRIVERS.get(said, said) if named else _USUAL[dialect]


def _gives_plain_rows(life: Life, index: ProjectIndex) -> bool:
    """Whether both connections give rows as the driver does by itself."""
    source = life.source
    if opens_engine(life, index):
        return True
    made = [use.node for use in life.where(Does.CURSOR, Does.CURSOR_BLOCK)]
    made += [node for lent in life.lent.values() for node in lent.given]
    plain = all(not (n.args or n.keywords) for node in made for n in ast.walk(node) if isinstance(n, ast.Call))
    raw = source.rows == "tuple" and source.row_factory in ("", "tuple") and not source.settings
    return plain and raw and not life.where(Does.SETTING) and not any(engine.creator for engine in index.engines)


# The new text


def bridge_ops(life: Life, session: str, version: str) -> Iterator[AddAbove | ReplaceExpr]:
    """Each helper is handed the session's connection, and cursors of that, as they are at the call."""
    attribute = "connection" if older(version, "1.4.24") else "driver_connection"
    source = f"{session}.connection().connection.{attribute}"
    named: dict[ast.stmt | None, str] = {}  # what stands above, or is in hand still
    for lent in sorted(life.lent.values(), key=lambda lent: lent.call.lineno):
        name = next((n.id for n, is_cursor in lent.given.items() if isinstance(n, ast.Name) and not is_cursor), "")
        if len(lent.given) > 1 and name and name != session and _is_plain(lent, life):
            statement = life.module.statement(lent.call)
            if named.get(_before(statement, life.module)) != name:
                yield AddAbove(life.module.span(statement), f"{name} = {source}")
            named[statement] = name
            news = {node: f"{name}.cursor()" for node, is_cursor in lent.given.items() if is_cursor}
        else:
            news = {node: f"{source}.cursor()" if is_cursor else source for node, is_cursor in lent.given.items()}
        yield from (ReplaceExpr(life.module.span(node), text) for node, text in news.items())


def _before(statement: ast.stmt, module: Module) -> ast.stmt | None:
    suite = module.suite(statement)
    place = suite.index(statement)
    return suite[place - 1] if place else None


def _is_plain(lent: Lent, life: Life) -> bool:
    """Whether the connection can be asked for above the call's statement."""
    statement = life.module.statement(lent.call)
    ends = [life.module.statement(use.node) for use in life.where(Does.COMMIT, Does.ROLLBACK, Does.EXECUTE)]
    alone = not life.module.lines[statement.lineno - 1][: life.module.span(statement).col].strip()
    return isinstance(statement, _SIMPLE) and statement not in ends and alone


def check_whole(life: Life, ops: Iterable[Op]) -> None:
    """Refuse where the statement of such a call is written anew, and the call with it. Raises Refused."""
    whole = [op.span for op in ops if isinstance(op, ReplaceStatement)]
    for call in life.lent:
        if any(within(life.module.span(call), span) for span in whole):
            message = f"line {call.lineno} hands the connection on and does more with it; give each its own statement"
            raise Refused("connection-escapes", message)


# Effects


def bridge_effects(life: Life) -> Iterator[Effect]:
    """What helpers that stay raw meet on the session's connection."""
    for lent in life.lent.values():
        line, dialect = lent.call.lineno, DIALECTS.get(life.source.driver, "")
        message = f"{lent.said} stays raw, on the session's own connection: with the engine's settings, and errors"
        yield Effect("raw-connection", line, f"{message} as the driver raises them")
        if dialect == "mysql" and lent.acts & {Act.ASKS, Act.COUNTS}:
            message = f"{lent.said} reads a row count, which is that of rows that matched on the engine's connection"
            yield Effect("rows-matched", line, message)
        if dialect == "postgresql" and Act.FETCHES in lent.acts:
            message = f"{lent.said} reads rows, in which a UUID comes as one on the engine's connection"
            yield Effect("result-type", line, message)
        yield from _read_ahead(lent, life, dialect)


def _read_ahead(lent: Lent, life: Life, dialect: str) -> Iterator[Effect]:
    """A helper that may write while the life still reads rows, which a session has all at once."""
    around = set(life.module.ancestors(lent.call))
    for use in life.where(Does.ITERATE, Does.FETCHONE, Does.FETCHMANY) if dialect == "sqlite" else ():
        loops = {a for a in life.module.ancestors(use.node) if isinstance(a, ast.For | ast.AsyncFor | ast.While)}
        if loops & around and not lent.reads:
            message = f"{lent.said} may write while line {use.line} reads on: all its rows are read before"
            yield Effect("reads-ahead", lent.call.lineno, message)
            return
