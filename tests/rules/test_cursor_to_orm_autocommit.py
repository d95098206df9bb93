"""Trap 22: on a connection that commits each statement by itself, what was done before an error stays done."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import IntegrityError

from tests.rules.cursor_runs import ROWS, World, world
from tests.rules.test_cursor_to_orm_runs import _rewritten

__all__ = ["world"]

RAW = """\
import sqlite3
from app.db import DB_PATH


def step():
    conn = sqlite3.connect(DB_PATH, isolation_level=None)
    try:
        conn.execute("UPDATE jobs SET count = 99 WHERE id = 1")
        conn.execute("INSERT INTO jobs (id, ticket, title, stage, rush, count) VALUES (1, 'T-9', 'x', 1, 0, 0)")
    finally:
        conn.close()
"""
NAIVE = """\
from sqlalchemy import insert, update
from app.db import session_scope
from app.models import Job


def step():
    with session_scope() as session:
        session.execute(update(Job).where(Job.id == 1).values(count=99))
        session.execute(insert(Job).values(id=1, ticket="T-9", title="x", stage=1, rush=False, count=0))
"""


def test_the_naive_rewrite_loses_what_was_done_and_ours_does_not(world: World) -> None:
    ours, _ = _rewritten(RAW)
    old, naive, new = (world.run(text, lambda space: space["step"]()) for text in (RAW, NAIVE, ours))
    assert isinstance(old.error, sqlite3.IntegrityError)
    assert isinstance(naive.error, IntegrityError)
    assert isinstance(new.error, IntegrityError)
    assert old.rows[0][5] == 99
    assert naive.rows == ROWS
    assert new.rows == old.rows
