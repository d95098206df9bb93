"""Columns whose names SQL reserves: without quotes the statement raises, so it stays; in quotes it is rewritten."""

import sqlite3

import pytest
from ormlift.model import Planned, Refused

from tests.rules.cursor_runs import planned

MODEL = """\
from sqlalchemy import Column, Integer

from app.models import Base


class Step(Base):
    __tablename__ = "steps"
    id = Column(Integer, primary_key=True)
    order = Column(Integer)
    key = Column(Integer)
"""
SCHEMA = 'CREATE TABLE steps (id INTEGER PRIMARY KEY, "order" INTEGER, key INTEGER)'
PROGRAM = """\
from app.db import open_db


def put(number, place):
    conn = open_db()
    conn.execute({sql!r}, (number, place))
    conn.commit()
    conn.close()
"""
RAISES = [
    "UPDATE steps SET order = ? WHERE id = ?",
    "UPDATE steps SET key = ?, ORDER = 2 WHERE id = ?",
    "INSERT INTO steps (id, order) VALUES (?, ?)",
    "DELETE FROM steps WHERE order = ? AND id = ?",
]
RUNS = [
    'UPDATE steps SET "order" = ? WHERE id = ?',
    "UPDATE steps SET key = ?, `order` = 2 WHERE id = ?",
    'INSERT INTO steps (id, "order") VALUES (?, ?)',
    "INSERT INTO steps (id, key) VALUES (?, ?)",
]


def _runs(sql: str) -> bool:
    connection = sqlite3.connect(":memory:")
    connection.execute(SCHEMA)
    try:
        connection.execute(sql, (1, 2))
    except sqlite3.OperationalError:
        return False
    finally:
        connection.close()
    return True


@pytest.mark.parametrize("sql", RAISES)
def test_without_quotes_it_raises_and_stays(sql: str) -> None:
    assert not _runs(sql)
    outcome = planned(PROGRAM.format(sql=sql), {"app/steps.py": MODEL})
    assert isinstance(outcome, Refused), outcome
    assert [site.reason.code for site in outcome.sites if site.reason] == ["sql-not-supported"]


@pytest.mark.parametrize("sql", RUNS)
def test_in_quotes_it_runs_and_is_rewritten(sql: str) -> None:
    assert _runs(sql)
    assert isinstance(planned(PROGRAM.format(sql=sql), {"app/steps.py": MODEL}), Planned)


@pytest.mark.parametrize(("quote", "kind"), [("", Refused), ('"', Planned)])
def test_a_key_that_a_loop_goes_through(quote: str, kind: type) -> None:
    text = f"""\
from app.db import open_db


def put(place, data):
    sets, values = [], []
    for k in ("key", "order"):
        if k in data:
            sets.append(f'{quote}{{k}}{quote} = ?')
            values.append(data[k])
    if not sets:
        return
    values.append(place)
    conn = open_db()
    conn.execute(f"UPDATE steps SET {{', '.join(sets)}} WHERE id = ?", values)
    conn.commit()
    conn.close()
"""
    assert isinstance(planned(text, {"app/steps.py": MODEL}), kind)
