"""Rows of a RETURNING that are left in a cursor keep SQLite from committing; a session commits."""

import sqlite3

import pytest

from tests.rules.cursor_runs import World, world
from tests.rules.test_cursor_attacks_told import _HEAD, _f, _planned

__all__ = ["world"]

_TEXT = """def f():
    conn = open_db()
    cur = conn.cursor()
{body}
    conn.close()
"""
_MARK = '"UPDATE jobs SET count = 9 WHERE {where} RETURNING id"'
_INSERT = """\"INSERT INTO jobs (ticket, title, stage, rush, count) VALUES {rows} RETURNING id\""""
_ONE, _TWO = "('N-1', 'n', 1, 0, 0)", "('N-1', 'n', 1, 0, 0), ('N-2', 'n', 1, 0, 0)"
_UNREAD = {
    "nothing is fetched": f"cur.execute({_MARK.format(where='stage = 2')})\nconn.commit()",
    "nothing is fetched of one row": f"cur.execute({_MARK.format(where='id = 2')})\nconn.commit()",
    "one of two is fetched": f"row = cur.execute({_MARK.format(where='stage = 2')}).fetchone()\nconn.commit()",
    "a block": f"with conn:\n    cur.execute({_MARK.format(where='stage = 2')})",
    "an insert": f"cur.execute({_INSERT.format(rows=_ONE)})\nconn.commit()",
    "one of two that are inserted": f"row = cur.execute({_INSERT.format(rows=_TWO)}).fetchone()\nconn.commit()",
    "a delete": 'cur.execute("DELETE FROM jobs WHERE stage = 2 RETURNING id")\nconn.commit()',
}
_READ = {
    "all are fetched": f"rows = cur.execute({_MARK.format(where='stage = 2')}).fetchall()\nconn.commit()",
    "all are looped over": f"for row in cur.execute({_MARK.format(where='stage = 2')}):\n    pass\nconn.commit()",
    "the only one": f"row = cur.execute({_MARK.format(where='id = 2')}).fetchone()\nconn.commit()",
    "the only one by a unique key": (
        f"row = cur.execute({_MARK.format(where='''ticket = 'T-2' ''')}).fetchone()\nconn.commit()"
    ),
    "the only one of several conditions": (
        f"row = cur.execute({_MARK.format(where='id = 2 AND stage = 2')}).fetchone()\nconn.commit()"
    ),
    "the one that is inserted": f"row = cur.execute({_INSERT.format(rows=_ONE)}).fetchone()\nconn.commit()",
    "a cursor without a name": f"conn.execute({_MARK.format(where='stage = 2')})\nconn.commit()",
    "no RETURNING": 'cur.execute("UPDATE jobs SET count = 9")\nconn.commit()',
}


def _text(body: str) -> str:
    return _TEXT.format(body="\n".join(f"    {line}" for line in body.splitlines()))


@pytest.mark.parametrize("name", list(_UNREAD))
def test_what_kept_the_commit_back_is_told(world: World, name: str) -> None:
    text = _text(_UNREAD[name])
    after, effects, reasons = _planned(text)
    assert (effects, reasons) == ({"returning-unread"}, [])
    old, new = world.run(_HEAD + text, _f()), world.run(after, _f())
    assert isinstance(old.error, sqlite3.OperationalError)
    assert new.error is None
    assert new.rows != old.rows


@pytest.mark.parametrize("name", list(_READ))
def test_what_commits_is_the_same(world: World, name: str) -> None:
    text = _text(_READ[name])
    after, effects, reasons = _planned(text)
    assert (effects, reasons) == (set(), [])
    old, new = world.run(_HEAD + text, _f()), world.run(after, _f())
    assert (old.error, new.error) == (None, None)
    assert new.rows == old.rows


def test_one_that_stays_sql_is_told_as_well() -> None:
    body = """conn.execute("UPDATE jobs SET count = 9 WHERE id = 1")
cur.execute("INSERT INTO notes (body) VALUES ('a') RETURNING id")
conn.commit()"""
    assert {"returning-unread", "stays-sql"} == _planned(_text(body))[1]
