"""Examples of `cursor-to-orm`: SQL that is handed to a function of the project which executes it."""

from __future__ import annotations

from ormlift.rules.base import Example
from ormlift.rules.examples.cursor_to_orm import PROJECT as _PROJECT

_SQL = """\
from app.db import open_db


def query(sql, params=(), one=False):
    conn = open_db()
    try:
        cur = conn.cursor()
        cur.execute(sql, params)
        rows = cur.fetchall()
    finally:
        conn.close()
    if one:
        return rows[0] if rows else None
    return rows


def logged(sql, params=()):
    conn = open_db()
    try:
        return conn.execute(sql, params).fetchall()
    except Exception as error:
        print(error)
        return []
    finally:
        conn.close()
"""
_PROJECT_WITH_SQL = {**_PROJECT, "app/sql.py": _SQL}
EXAMPLES: tuple[Example, ...] = (
    Example(
        title="SQL handed to a function that executes it",
        before="""\
from app.sql import query


def title_of(ticket):
    row = query("SELECT title FROM jobs WHERE ticket = ?", (ticket,), one=True)
    return row[0] if row else None


def tickets(stage):
    return [row[0] for row in query("SELECT ticket FROM jobs WHERE stage = ?", (stage,))]
""",
        after="""\
from app.db import session_scope
from app.models import Job
from sqlalchemy import select


def title_of(ticket):
    with session_scope() as session:
        rows = session.execute(select(Job.title).where(Job.ticket == ticket)).all()
    row = rows[0] if rows else None
    return row.title if row else None


def tickets(stage):
    with session_scope() as session:
        rows = session.execute(select(Job.ticket).where(Job.stage == stage)).all()
    return [row.ticket for row in rows]
""",
        project=_PROJECT_WITH_SQL,
    ),
    Example(
        title="a connection used where it is opened",
        before="""\
from app.db import open_db


def titles(stage):
    return [r[0] for r in open_db().execute("SELECT title FROM jobs WHERE stage = ?", (stage,)).fetchall()]
""",
        after="""\
from app.db import session_scope
from app.models import Job
from sqlalchemy import select


def titles(stage):
    with session_scope() as session:
        return [r.title for r in session.execute(select(Job.title).where(Job.stage == stage)).all()]
""",
        project=_PROJECT,
    ),
    Example(
        title="SQL handed to a function that handles errors",
        before="""\
from app.sql import logged


def titles():
    return logged("SELECT title FROM jobs ORDER BY id")
""",
        reason="sql-helper",
        project=_PROJECT_WITH_SQL,
    ),
)
