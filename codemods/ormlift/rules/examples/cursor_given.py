"""Examples of `cursor-to-orm`: connections that a decorator of the project hands in."""

from __future__ import annotations

from ormlift.rules.base import Example
from ormlift.rules.examples.cursor_to_orm import PROJECT as _PROJECT

_GIVE = """\
import functools
import sqlite3

from app.db import DB_PATH


def with_connection(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        conn = sqlite3.connect(DB_PATH)
        try:
            cursor = conn.cursor()
            return function(*args, conn=conn, cursor=cursor, **kwargs)
        finally:
            conn.close()

    return wrapper


def connected(method):
    def wrapper(self, *args):
        conn = sqlite3.connect(DB_PATH)
        try:
            return method(self, conn, *args)
        finally:
            conn.close()

    return wrapper
"""
PROJECT = {**_PROJECT, "app/give.py": _GIVE}

EXAMPLES: tuple[Example, ...] = (
    Example(
        title="a cursor that a decorator hands in",
        before="""\
from app.give import with_connection


@with_connection
def title_of(ticket, conn, cursor):
    cursor.execute("SELECT title FROM jobs WHERE ticket = ?", (ticket,))
    row = cursor.fetchone()
    return row[0] if row else None
""",
        after="""\
from app.give import with_connection
from app.db import session_scope
from app.models import Job
from sqlalchemy import select


@with_connection
def title_of(ticket, conn, cursor):
    with session_scope() as session:
        row = session.execute(select(Job.title).where(Job.ticket == ticket)).first()
    return row.title if row else None
""",
        effects=(
            "connection-given",
            "other-database",
        ),
        project=PROJECT,
    ),
    Example(
        title="a write on a connection that a decorator hands in",
        before="""\
from app.give import with_connection


@with_connection
def move(ticket, stage, conn=None, cursor=None):
    # how many there were
    cursor.execute("UPDATE jobs SET stage = ? WHERE ticket = ?", (stage, ticket))
    conn.commit()
    return cursor.rowcount
""",
        after="""\
from app.give import with_connection
from app.db import session_scope
from app.models import Job
from sqlalchemy import update


@with_connection
def move(ticket, stage, conn=None, cursor=None):
    # how many there were
    with session_scope() as session:
        rowcount = session.execute(
            update(Job).where(Job.ticket == ticket).values(stage=stage)
        ).rowcount
        session.commit()
        return rowcount
""",
        effects=(
            "connection-given",
            "other-database",
        ),
        project=PROJECT,
    ),
    Example(
        title="a connection handed in behind self",
        before="""\
from app.give import connected


class Board:
    @connected
    def stage_of(self, conn, ticket):
        return conn.execute("SELECT stage FROM jobs WHERE ticket = ?", (ticket,)).fetchone()[0]
""",
        after="""\
from app.give import connected
from app.db import session_scope
from app.models import Job
from sqlalchemy import select


class Board:
    @connected
    def stage_of(self, conn, ticket):
        with session_scope() as session:
            return session.execute(select(Job.stage).where(Job.ticket == ticket)).first()[0]
""",
        effects=(
            "connection-given",
            "other-database",
        ),
        project=PROJECT,
    ),
    Example(
        title="a connection that is handed in and on",
        before="""\
from app.give import with_connection


@with_connection
def move(ticket, conn, cursor):
    cursor.execute("UPDATE jobs SET stage = 0 WHERE ticket = ?", (ticket,))
    print(conn)
""",
        reason="connection-escapes",
        project=PROJECT,
    ),
    Example(
        title="a connection that is handed in and closed",
        before="""\
from app.give import with_connection


@with_connection
def move(ticket, conn, cursor):
    cursor.execute("UPDATE jobs SET stage = 0 WHERE ticket = ?", (ticket,))
    conn.commit()
    conn.close()
""",
        reason="connection-escapes",
        project=PROJECT,
    ),
    Example(
        title="a cursor that another decorator hands in",
        before="""\
from elsewhere import with_cursor


@with_cursor
def titles(cursor):
    cursor.execute("SELECT title FROM jobs")
    return [row[0] for row in cursor.fetchall()]
""",
        reason="connection-from-outside",
        project=PROJECT,
    ),
)
