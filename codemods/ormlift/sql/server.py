"""The tested step on a server: both statements run in a scratch schema of the user's own PostgreSQL or MySQL.

Whoever acts hands over an engine that is bound to the schema (`serving`); here its tables are made, filled and read.
Every run is rolled back, so that both statements find the same rows.
"""

from __future__ import annotations

import contextlib
import datetime
import decimal
from collections.abc import Iterator
from random import Random
from typing import TYPE_CHECKING, Any

from ormlift.model import Verdict
from ormlift.sql.columntypes import kind_of
from ormlift.sql.placeholders import pieces
from ormlift.sql.statement import Fetch, Kind
from ormlift.sql.synthetic import evaluate
from ormlift.sql.trial import shown_rows

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from ormlift.schema import MappedClass, MappedColumn
    from ormlift.sql.prove import Stage

ROUNDS = 6
_WORDS = ("a", "%a%", "", "abc")
_TYPES = {
    "postgresql": {
        "int": "INTEGER", "float": "DOUBLE PRECISION", "numeric": "NUMERIC(10, 2)", "str": "VARCHAR", "bool": "BOOLEAN",
        "datetime": "TIMESTAMP", "date": "DATE", "time": "TIME", "interval": "INTERVAL", "bytes": "BYTEA",
        "json": "JSONB", "uuid": "UUID", "enum": "VARCHAR", "unknown": "VARCHAR",
    },
    "mysql": {
        "int": "INTEGER", "float": "DOUBLE", "numeric": "DECIMAL(10, 2)", "str": "VARCHAR(190)", "bool": "BOOLEAN",
        "datetime": "DATETIME(6)", "date": "DATE", "time": "TIME", "interval": "DATETIME(6)", "bytes": "BLOB",
        "json": "JSON", "uuid": "CHAR(32)", "enum": "VARCHAR(190)", "unknown": "VARCHAR(190)",
    },
}  # fmt: skip
_engines: dict[str, Engine] = {}
Result = Any  # rows, one row, one value or a row count


@contextlib.contextmanager
def serving(dialect: str, engine: Engine) -> Iterator[None]:
    """Statements of a dialect are tried on an engine, which is bound to a schema that holds nothing else."""
    _engines[dialect] = engine
    try:
        yield
    finally:
        del _engines[dialect]


def engine_for(dialect: str) -> Engine | None:
    """The engine that statements of a dialect are tried on, where there is one."""
    return _engines.get(dialect)


def trial(stage: Stage, engine: Engine) -> tuple[Verdict, tuple[str, ...]]:
    """Run both sides on seeds 0, 1, 2 …; the verdict, and the seeds or the counterexample."""
    failed, compared = "", 0
    try:
        with engine.connect() as connection:
            _create(stage, connection)
        for seed in range(ROUNDS):
            contents, values = _draw(stage, seed)
            with engine.begin() as connection:
                _fill(stage, connection, contents)
            old = _raw(stage, engine, values)
            if isinstance(old, str):
                failed = old
                continue
            problem = _difference(stage, old, _written(stage, engine, values))
            if problem:
                shown = shown_rows(stage, contents)
                where = f"on {engine.dialect.name}, seed {seed}, parameters {values!r}"
                return Verdict.DIFFERENT, (f"{where}: {problem}", *shown)
            compared += 1
    except Exception as error:
        return Verdict.UNKNOWN, (f"could not be run on {engine.dialect.name}: {_said(error)}",)
    if not compared:
        return Verdict.UNKNOWN, (f"the raw statement fails on every seed on {engine.dialect.name}: {failed}",)
    return Verdict.TESTED, (f"equal on {engine.dialect.name}, seeds 0 to {ROUNDS - 1} ({compared} compared)",)


def _create(stage: Stage, connection: Connection) -> None:
    quote = connection.dialect.identifier_preparer.quote_identifier
    for model in stage.synthetic.used:
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {quote(model.table)}")
        keys = [column.name for column in model.columns if column.primary_key]
        lines = [f"{quote(c.name)} {_type(c, stage, alone=keys == [c.name])}" for c in model.columns]
        uniques = [(c.name,) for c in model.columns if c.unique] + list(model.unique_keys)
        lines += [f"UNIQUE ({', '.join(map(quote, names))})" for names in dict.fromkeys(uniques)]
        lines += [f"PRIMARY KEY ({', '.join(map(quote, keys))})"] if keys else []
        connection.exec_driver_sql(f"CREATE TABLE {quote(model.table)} ({', '.join(lines)})".replace("%", "%%"))
    connection.commit()


def _type(column: MappedColumn, stage: Stage, *, alone: bool) -> str:
    kind = kind_of(column, stage.request.models)
    if alone and kind == "int":
        return "SERIAL" if stage.statement.dialect == "postgresql" else "INTEGER AUTO_INCREMENT"
    return _TYPES[stage.statement.dialect][kind]


def _draw(stage: Stage, seed: int) -> tuple[list[list[tuple[Any, ...]]], list[Any]]:
    """The tables' contents and the parameters of a seed: what the server's types take."""
    from ormlift.sql.trial import literals, parameters

    random, models = Random(seed), stage.request.models
    values = [_fitting(value) for value in parameters(stage, random)]
    met = {bind.slot for bind in stage.written.binds if bind.column is not None}
    for number, argument in enumerate(stage.arguments):
        if seed % 2 and number not in met and not argument.type and values[number] is not None:
            values[number] = random.choice(_WORDS)  # a number first, a text next: the server minds
    known = [*literals(stage), *(value for value in values if value is not None)]
    return [_rows(model, stage, known, random) for model in stage.synthetic.used if models], values


def _rows(model: MappedClass, stage: Stage, known: list[Any], random: Random) -> list[tuple[Any, ...]]:
    from ormlift.sql import seeds

    kinds = [kind_of(column, stage.request.models) for column in model.columns]
    found = seeds.rows(model, stage.request.models, known, random, odd=False)
    return [tuple(_stored(value, kind) for value, kind in zip(row, kinds, strict=True)) for row in found]


def _fitting(value: Result) -> Result:
    return value % 2**31 if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**31 else value


def _stored(value: Result, kind: str) -> Result:
    return bool(value) if kind == "bool" and value is not None else _fitting(value)


def _fill(stage: Stage, connection: Connection, contents: list[list[tuple[Any, ...]]]) -> None:
    quote = connection.dialect.identifier_preparer.quote_identifier
    for model, rows in zip(stage.synthetic.used, contents, strict=True):
        table = quote(model.table)
        connection.exec_driver_sql(f"DELETE FROM {table}")
        places = ", ".join(["%s"] * len(model.columns))
        ignore, ending = ("IGNORE ", "") if stage.statement.dialect == "mysql" else ("", " ON CONFLICT DO NOTHING")
        for row in rows:
            connection.exec_driver_sql(f"INSERT {ignore}INTO {table} VALUES ({places}){ending}", row)


def _restart(stage: Stage, connection: Any) -> None:  # noqa: ANN401 - a driver's connection
    """New keys start anew: what is rolled back does not give them back."""
    if stage.statement.kind is not Kind.INSERT:
        return
    model = stage.synthetic.used[0]
    keys = model.primary_key
    if len(keys) != 1 or kind_of(keys[0], stage.request.models) != "int":
        return
    cursor = connection.cursor()
    if stage.statement.dialect == "postgresql":
        cursor.execute("SELECT setval(pg_get_serial_sequence(%s, %s), 1000)", (f'"{model.table}"', keys[0].name))
    else:
        cursor.execute(f"ALTER TABLE `{model.table}` AUTO_INCREMENT = 1000")
    connection.commit()


def _raw(stage: Stage, engine: Engine, values: list[Any]) -> tuple[Result, Result] | str:
    """The rows or row count, and the tables afterwards; the error's words where the statement fails."""
    connection = engine.raw_connection()
    try:
        _restart(stage, connection)
        cursor = connection.cursor()
        try:
            cursor.execute(_driver_sql(stage), {f"p{n}": value for n, value in enumerate(values)})
        except Exception as error:
            return _said(error)
        result: Result = None
        if stage.statement.gives_rows:
            result = [tuple(row) for row in cursor.fetchall()]
        elif stage.request.fetch is Fetch.ROWCOUNT:
            result = cursor.rowcount
        return result, _dump(stage, cursor)
    finally:
        connection.rollback()
        connection.close()


def _driver_sql(stage: Stage) -> str:
    """The statement as the driver takes it: `%(p0)s` for `:p0`, and `%%` for `%`."""
    import re

    sql, found = stage.statement.normal, ""
    for piece in pieces(sql, stage.statement.dialect):
        text = sql[piece.start : piece.end].replace("%", "%%")
        found += text if piece.quoted else re.sub(r"(?<![:\w]):(p\d+)\b", r"%(\1)s", text)
    return found


def _written(stage: Stage, engine: Engine, values: list[Any]) -> tuple[Result, Result] | str:
    from sqlalchemy.orm import Session

    lists = [argument.many for argument in stage.arguments]
    given = {f"_p{n}": [value] if lists[n] else value for n, value in enumerate(values)}
    with Session(engine) as session:
        _restart(stage, session.connection().connection)
        try:
            result = evaluate(stage.written, {**stage.synthetic.classes, **given, "session": session})
            if stage.statement.gives_rows:
                result = _as_rows(result, stage.request.fetch)
            elif stage.request.fetch is not Fetch.ROWCOUNT:
                result = None
            session.flush()
            return result, _dump(stage, session.connection().connection.cursor())
        except Exception as error:
            return _said(error)
        finally:
            session.rollback()


def _as_rows(result: Result, fetch: Fetch) -> list[tuple[Any, ...]]:
    if fetch in (Fetch.ALL, Fetch.ITERATE):
        return [tuple(row) for row in result]
    if fetch is Fetch.SCALARS:
        return [(value,) for value in result]
    if fetch is Fetch.NONE:
        return []
    return [] if result is None else [tuple(result) if fetch is Fetch.FIRST else (result,)]


def _dump(stage: Stage, cursor: Any) -> list[list[tuple[Any, ...]]]:  # noqa: ANN401 - a driver's cursor
    quote = '"' if stage.statement.dialect == "postgresql" else "`"
    found = []
    for model in stage.synthetic.used:
        cursor.execute(f"SELECT * FROM {quote}{model.table}{quote}")
        found.append(sorted((tuple(row) for row in cursor.fetchall()), key=repr))
    return found


def _difference(stage: Stage, old: tuple[Result, Result], new: tuple[Result, Result] | str) -> str:
    if isinstance(new, str):
        return f"the written statement raises {new}"
    if repr(old[1]) != repr(new[1]):
        return f"the tables hold {old[1]!r} and {new[1]!r}"
    if not stage.statement.gives_rows:
        return "" if old[0] == new[0] else f"{old[0]!r} and {new[0]!r}"
    fetch, before, after = stage.request.fetch, old[0], new[0]
    if fetch is Fetch.NONE:
        return ""
    one = fetch in (Fetch.FIRST, Fetch.SCALAR)
    ordered = bool(stage.statement.tree.args.get("order"))
    if one and not ordered and len(before) > 1:
        return ""  # which row comes first is not said
    before = before[:1] if one else before
    if fetch is Fetch.SCALAR and not before and after == [(None,)]:
        return ""
    if fetch in (Fetch.SCALAR, Fetch.SCALARS):
        before = [row[:1] for row in before]
    left, right = ([tuple(map(_plain, row)) for row in rows] for rows in (before, after))
    if not ordered:
        left, right = sorted(left, key=repr), sorted(right, key=repr)
    return "" if left == right else f"{before!r} and {after!r}"


def _plain(value: Result) -> Result:
    """A value without what a mapped column's type makes of it, which the written columns tell of."""
    if isinstance(value, bool | decimal.Decimal):
        return float(value)
    if isinstance(value, int | float):
        return round(float(value), 9)
    if isinstance(value, memoryview):
        return bytes(value)
    if isinstance(value, datetime.timedelta | datetime.time):
        return str(value).removeprefix("0")
    return value


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".split("\n", 1)[0]
