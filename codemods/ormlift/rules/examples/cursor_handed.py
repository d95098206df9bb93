"""Examples of `cursor-to-orm`: connections and cursors that functions of the file are handed."""

from __future__ import annotations

from ormlift.rules.base import Example
from ormlift.rules.examples.cursor_to_orm import PROJECT

EXAMPLES: tuple[Example, ...] = (
    Example(
        title="a cursor and a connection that are handed to functions",
        before="""\
import sqlite3
from app.db import DB_PATH


def add(cur: sqlite3.Cursor, ticket):
    cur.execute("INSERT INTO jobs (ticket, title, stage, rush, count) VALUES (?, ?, 1, 0, 0)", (ticket, "new"))
    return cur.lastrowid


def stage_of(number, conn):
    row = conn.execute("SELECT stage FROM jobs WHERE id = ?", (number,)).fetchone()
    return row[0]


def main(ticket):
    conn = sqlite3.connect(DB_PATH)
    try:
        cur = conn.cursor()
        number = add(cur, ticket)
        stage = stage_of(number, conn=conn)
        conn.commit()
        return stage
    finally:
        conn.close()
""",
        after="""\
from app.db import session_scope
from app.models import Job
from sqlalchemy import insert, select
from sqlalchemy.orm import Session


def add(session: Session, ticket):
    return session.execute(insert(Job).values(ticket=ticket, title="new", stage=1, rush=0, count=0)).lastrowid


def stage_of(number, session):
    row = session.execute(select(Job.stage).where(Job.id == number)).first()
    return row.stage


def main(ticket):
    with session_scope() as session:
        number = add(session, ticket)
        stage = stage_of(number, session=session)
        session.commit()
        return stage
""",
        project=PROJECT,
    ),
    Example(
        title="a function that is handed a connection, and used otherwise than by calls that are seen",
        before="""\
import sqlite3
from app.db import DB_PATH


def move(conn, number):
    conn.execute("UPDATE jobs SET stage = 9 WHERE id = ?", (number,))


STEPS = [move]


def main(number):
    conn = sqlite3.connect(DB_PATH)
    move(conn, number)
    conn.commit()
    conn.close()
""",
        reason="connection-escapes",
        project=PROJECT,
    ),
)
