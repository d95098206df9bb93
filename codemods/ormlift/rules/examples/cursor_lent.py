"""Examples of `cursor-to-orm`: connections and cursors that are handed to helpers."""

from __future__ import annotations

from ormlift.rules.base import Example
from ormlift.rules.examples.cursor_to_orm import PROJECT as _PROJECT

_HELPERS = """\
OPEN = []


def run(conn, cur, sql, params, commit=False):
    cur.execute(sql, params)
    if commit:
        conn.commit()


def keep(cur, sql, params):
    OPEN.append(cur)
    cur.execute(sql, params)
"""
PROJECT = {**_PROJECT, "app/helpers.py": _HELPERS}

EXAMPLES: tuple[Example, ...] = (
    Example(
        title="a helper that stays raw",
        before="""\
from app.db import open_db
from app.helpers import run


def finish(ticket):
    conn = open_db()
    cur = conn.cursor()
    cur.execute("SELECT stage FROM jobs WHERE ticket = ?", (ticket,))
    row = cur.fetchone()
    if row is not None:
        run(conn, cur, "UPDATE jobs SET stage = ? WHERE ticket = ?", (9, ticket), commit=True)
    conn.close()
    return row is not None
""",
        after="""\
from app.db import session_scope
from app.helpers import run
from app.models import Job
from sqlalchemy import select


def finish(ticket):
    with session_scope() as session:
        row = session.execute(select(Job.stage).where(Job.ticket == ticket)).first()
        if row is not None:
            conn = session.connection().connection.driver_connection
            run(conn, conn.cursor(), "UPDATE jobs SET stage = ? WHERE ticket = ?", (9, ticket), commit=True)
    return row is not None
""",
        effects=("raw-connection",),
        project=PROJECT,
    ),
    Example(
        title="a helper that keeps what it is handed",
        before="""\
from app.db import open_db
from app.helpers import keep


def finish(ticket):
    conn = open_db()
    cur = conn.cursor()
    cur.execute("SELECT stage FROM jobs WHERE ticket = ?", (ticket,))
    row = cur.fetchone()
    keep(cur, "UPDATE jobs SET stage = ? WHERE ticket = ?", (9, ticket))
    conn.commit()
    conn.close()
    return row
""",
        reason="connection-escapes",
        project=PROJECT,
    ),
    Example(
        title="rows of a helper that are read behind it",
        before="""\
from app.db import open_db
from app.helpers import run


def stage_of(ticket):
    conn = open_db()
    cur = conn.cursor()
    cur.execute("UPDATE jobs SET count = count + 1 WHERE ticket = ?", (ticket,))
    run(conn, cur, "SELECT stage FROM jobs WHERE ticket = ?", (ticket,))
    row = cur.fetchone()
    conn.commit()
    conn.close()
    return row[0]
""",
        reason="unclear-cursor",
        project=PROJECT,
    ),
)
