"""The tested step: the raw and the written statement, both run on a seeded in-memory SQLite database.

The raw side runs on the `sqlite3` driver, as the code did; the written side through a Session on synthetic classes.
Values, order where ordered, row counts and the tables' contents afterwards are compared.
"""

from __future__ import annotations

import datetime
import decimal
import json
import math
import re
import sqlite3
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from ormlift.model import Verdict
from ormlift.sql import seeds
from ormlift.sql.statement import Fetch
from ormlift.sql.synthetic import AFFINITIES, evaluate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ormlift.schema import MappedClass
    from ormlift.sql.prove import Stage
    from ormlift.sql.seeds import Datum


# What gives another value each time, or by the fraction of a second.
_RANDOM = r"random|julianday|%f|%j|uuid"

Result = Any  # rows, one row, one value or a row count


@dataclass(frozen=True)
class Ran:
    """What came of one side."""

    rows: Any
    tables: tuple[tuple[Any, ...], ...]
    error: str = ""


def trial(stage: Stage, rounds: int = seeds.ROUNDS) -> tuple[Verdict, tuple[str, ...]]:
    """Run both sides on seeds 0, 1, 2 …; the verdict, and the seeds or the counterexample."""
    failed = ""
    compared = 0
    for seed in range(rounds):
        try:
            contents, values = draw(stage, seed)
            old, problem = _attempt(stage, contents, values)
        except Exception as error:
            return Verdict.UNKNOWN, (f"could not be run: {type(error).__name__}: {error}".split("\n", 1)[0],)
        if old.error:
            failed = old.error
            continue
        if problem and re.search(_RANDOM, stage.statement.normal, re.IGNORECASE):
            return Verdict.UNKNOWN, ("the statement gives another result each time it runs",)
        if problem:
            return Verdict.DIFFERENT, (f"seed {seed}, parameters {values!r}: {problem}", *shown_rows(stage, contents))
        compared += 1
    if not compared:
        return Verdict.UNKNOWN, (f"the raw statement fails on every seed: {failed}",)
    return Verdict.TESTED, (f"equal on seeds 0 to {rounds - 1} ({compared} compared)",)


def _attempt(stage: Stage, contents: list[list[tuple[Any, ...]]], values: list[Any]) -> tuple[Ran, str]:
    """Run both sides; once more where they differ, in case the clock ticked between them."""
    for _ in range(2):
        old, new = run_raw(stage, contents, values), run_written(stage, contents, values)
        problem = "" if old.error else compare(stage, old, new)
        if not problem:
            break
    return old, problem


def draw(stage: Stage, seed: int) -> tuple[list[list[tuple[Any, ...]]], list[Any]]:
    """The tables' contents and the parameters of a seed."""
    random = Random(seed)
    models = stage.request.models
    values = parameters(stage, random)
    known = [*literals(stage), *(value for value in values if value is not None)]
    return [seeds.rows(model, models, known, random) for model in stage.synthetic.used], values


def shown_rows(stage: Stage, contents: list[list[tuple[Any, ...]]]) -> tuple[str, ...]:
    """The tables that a counterexample was found on, one line each."""
    pairs = zip(stage.synthetic.used, contents, strict=True)
    return tuple(f"{model.table} ({', '.join(c.name for c in model.columns)}): {rows!r}" for model, rows in pairs)


def parameters(stage: Stage, random: Random) -> list[Any]:
    """A value for each slot."""
    values = []
    for number, argument in enumerate(stage.arguments):
        bind = next((b for b in stage.written.binds if b.slot == number and b.column is not None), None)
        values.append(seeds.parameter(argument, bind, stage.request.models, number, random))
    return values


def literals(stage: Stage) -> list[Any]:
    """The values that the statement speaks of, and others close to them."""
    from sqlglot import exp

    found: list[Any] = []
    for node in stage.statement.tree.find_all(exp.Literal):
        if node.is_string:
            found += [node.name, node.name.strip("%"), f"{node.name.strip('%')}x"]
        elif node.name.isdigit() and len(node.name) < 12:
            found += [int(node.name), int(node.name) + 1]
    return found


def database(
    used: list[MappedClass], models: Mapping[str, MappedClass], contents: list[list[tuple[Any, ...]]]
) -> sqlite3.Connection:
    """An in-memory database with the models' tables and the given rows."""
    from ormlift.sql.columntypes import kind_of

    connection = sqlite3.connect(":memory:", check_same_thread=False)
    for schema in {model.schema for model in used if model.schema}:
        connection.execute(f"ATTACH ':memory:' AS {_quoted(schema)}")
    for model, rows in zip(used, contents, strict=True):
        keys = [column.name for column in model.columns if column.primary_key]
        columns = [
            f"{_quoted(c.name)} {AFFINITIES[kind_of(c, models)]}{' PRIMARY KEY' if keys == [c.name] else ''}"
            for c in model.columns
        ]
        connection.execute(f"CREATE TABLE {_table(model)} ({', '.join(columns)})")
        places = ", ".join("?" for _ in model.columns)
        connection.executemany(f"INSERT INTO {_table(model)} VALUES ({places})", rows)
    connection.commit()
    return connection


def run_raw(stage: Stage, contents: list[list[tuple[Any, ...]]], values: list[Any]) -> Ran:
    """The SQL as it stood, on the driver."""
    used = list(stage.synthetic.used)
    connection = database(used, stage.request.models, contents)
    given = {f"p{n}": _driven(value, n in stage.unwrapped) for n, value in enumerate(values)}
    try:
        cursor = connection.execute(stage.statement.normal, given)
        fetch = stage.request.fetch
        result: Any = cursor.fetchall()
        if not stage.statement.gives_rows:
            result = {Fetch.ROWCOUNT: cursor.rowcount, Fetch.LASTROWID: cursor.lastrowid}.get(fetch)
        elif fetch in (Fetch.FIRST, Fetch.SCALAR):
            first = result[0] if result else None
            result = first if fetch is Fetch.FIRST else first[0] if first else None
        elif fetch is Fetch.SCALARS:
            result = [row[0] for row in result]
        return Ran(result, _dump(connection, used))
    except (sqlite3.Error, OverflowError) as error:
        return Ran(None, (), f"{type(error).__name__}: {error}")
    finally:
        connection.close()


def _driven(value: Datum, unwrapped: bool) -> Datum:
    """A parameter as the driver got it: serialised where the code did that, dates as its adapters write them."""
    if unwrapped:
        return json.dumps(value)
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ")
    return value.isoformat() if isinstance(value, datetime.date) else value


def run_written(stage: Stage, contents: list[list[tuple[Any, ...]]], values: list[Any]) -> Ran:
    """The written text, through a Session."""
    from sqlalchemy import create_engine
    from sqlalchemy.orm import Session
    from sqlalchemy.pool import StaticPool

    used = list(stage.synthetic.used)
    connection = database(used, stage.request.models, contents)
    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
    try:
        with Session(engine) as session:
            lists = [argument.many for argument in stage.arguments]
            given = {f"_p{n}": [value] if lists[n] else value for n, value in enumerate(values)}
            try:
                result = evaluate(stage.written, {**stage.synthetic.classes, **given, "session": session})
                fetch = stage.request.fetch
                if fetch in (Fetch.ALL, Fetch.ITERATE):
                    result = [tuple(row) for row in result]
                elif fetch is Fetch.FIRST:
                    result = tuple(result) if result is not None else None
                elif fetch is Fetch.NONE:
                    result = None
                session.commit()
            except Exception as error:
                return Ran(None, (), f"{type(error).__name__}: {error}".split("\n", 1)[0])
            return Ran(result, _dump(connection, used))
    finally:
        engine.dispose()
        connection.close()


def compare(stage: Stage, old: Ran, new: Ran) -> str:
    """In what the two sides differ; empty where they agree."""
    if new.error:
        return f"the written statement raises {new.error}"
    if repr(old.tables) != repr(new.tables):
        return f"the tables hold {old.tables!r} and {new.tables!r}"
    if not stage.statement.gives_rows:
        return "" if old.rows == new.rows else f"{old.rows!r} and {new.rows!r}"
    if stage.request.fetch is Fetch.NONE:
        return ""
    expected, actual = _converted(stage, old.rows), new.rows
    if stage.request.fetch in (Fetch.ALL, Fetch.ITERATE, Fetch.SCALARS) and not stage.statement.tree.args.get("order"):
        expected, actual = sorted(expected, key=repr), sorted(actual, key=repr)
    if repr(expected) != repr(actual):
        return f"{old.rows!r} and {new.rows!r}"
    return _lost(stage, old.rows)


def _lost(stage: Stage, result: Result) -> str:
    """What the type of an expression makes of a value that it does not fit: 2 becomes True, 1.005 becomes 1.01."""
    fetch, columns = stage.request.fetch, stage.written.columns
    several = fetch in (Fetch.ALL, Fetch.ITERATE, Fetch.SCALARS)
    rows = result if several else [] if result is None else [result]
    if fetch in (Fetch.SCALAR, Fetch.SCALARS):
        rows = [(value,) for value in rows]
    for row in rows:
        for value, column, process in zip(row, columns, _processors(stage), strict=False):
            if column.column is None and column.changes_type and value is not None and process:
                made = process(value)
                if not _same_value(value, made):
                    return f"{value!r} becomes {made!r}"
    return ""


def _same_value(old: Datum, new: Datum) -> bool:
    if isinstance(new, bool):
        return old in (0, 1)
    if isinstance(new, datetime.date | datetime.time):
        try:
            return type(new).fromisoformat(old) == new
        except (TypeError, ValueError):
            return False
    return math.isclose(float(new), old, rel_tol=1e-9) if isinstance(new, decimal.Decimal) else True


def _converted(stage: Stage, result: Result) -> Result:
    """Raw values as the result columns' types convert them, where the writer says so."""
    processors = [
        process if column.changes_type or column.column is not None else None
        for process, column in zip(_processors(stage), stage.written.columns, strict=True)
    ]

    def row(values: tuple[Any, ...]) -> tuple[Any, ...]:
        pairs = zip(values, processors, strict=True)
        return tuple(process(value) if process else value for value, process in pairs)

    fetch = stage.request.fetch
    if fetch in (Fetch.ALL, Fetch.ITERATE):
        return [row(values) for values in result]
    if fetch is Fetch.FIRST:
        return row(result) if result is not None else None
    first = processors[0]
    if fetch is Fetch.SCALARS:
        return [first(value) if first else value for value in result]
    return first(result) if first else result


def _processors(stage: Stage) -> list[Any]:
    from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

    from ormlift.sql.compiled import caught, result_columns_of

    dialect = SQLiteDialect_pysqlite()
    statement = caught(stage.written, stage.synthetic, stage.values({}))
    columns = result_columns_of(statement)
    return [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns]


def _dump(connection: sqlite3.Connection, used: list[MappedClass]) -> tuple[tuple[Any, ...], ...]:
    return tuple(tuple(connection.execute(f"SELECT * FROM {_table(model)} ORDER BY rowid")) for model in used)


def _table(model: MappedClass) -> str:
    return f"{_quoted(model.schema)}.{_quoted(model.table)}" if model.schema else _quoted(model.table)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
