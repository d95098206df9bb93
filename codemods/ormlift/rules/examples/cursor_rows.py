"""Examples of `cursor-to-orm`: rows by name that leave the function."""

from __future__ import annotations

from ormlift.rules.base import Example
from ormlift.rules.examples.cursor_to_orm import PROJECT as _PROJECT

PROJECT = {**_PROJECT, "app/db.py": _PROJECT["app/db.py"].replace("engine =", 'DSN = "dbname=jobs"\nengine =', 1)}

EXAMPLES: tuple[Example, ...] = (
    Example(
        title="rows by name that leave the function",
        before="""\
import sqlite3

from app.db import DB_PATH


def jobs():
    conn = sqlite3.connect(DB_PATH)
    conn.row_factory = sqlite3.Row
    rows = conn.execute("SELECT ticket, stage FROM jobs ORDER BY id").fetchall()
    conn.close()
    return rows
""",
        after="""\

from app.db import session_scope
from app.models import Job
from sqlalchemy import select


def jobs():
    with session_scope() as session:
        rows = session.execute(select(Job.ticket, Job.stage).order_by(Job.id)).all()
    return [row._mapping for row in rows]
""",
        effects=("row-leaves",),
        project=PROJECT,
    ),
    Example(
        title="a row by name, or None, that leaves the function",
        before="""\
import sqlite3

from app.db import DB_PATH


def job(ticket):
    conn = sqlite3.connect(DB_PATH)
    conn.row_factory = sqlite3.Row
    row = conn.execute("SELECT ticket, marks FROM jobs WHERE ticket = ?", (ticket,)).fetchone()
    conn.close()
    return row
""",
        after="""\

from app.db import session_scope
from app.models import Job
from sqlalchemy import String, select, type_coerce


def job(ticket):
    with session_scope() as session:
        row = session.execute(
            select(Job.ticket, type_coerce(Job.marks, String)).where(Job.ticket == ticket)
        ).first()
    return row._mapping if row else None
""",
        effects=("row-leaves",),
        project=PROJECT,
    ),
    Example(
        title="rows by name that are handed on one by one",
        before="""\
import sqlite3

from app.db import DB_PATH


def tell(send):
    conn = sqlite3.connect(DB_PATH)
    conn.row_factory = sqlite3.Row
    for row in conn.execute("SELECT ticket, stage FROM jobs ORDER BY id"):
        send(row)
    conn.close()
""",
        after="""\

from app.db import session_scope
from app.models import Job
from sqlalchemy import select


def tell(send):
    with session_scope() as session:
        for row in session.execute(select(Job.ticket, Job.stage).order_by(Job.id)):
            send(row._mapping)
""",
        effects=("row-leaves",),
        project=PROJECT,
    ),
    Example(
        title="rows that were dicts",
        before="""\
import psycopg2
from psycopg2.extras import RealDictCursor

from app.db import DSN


def jobs(stage):
    conn = psycopg2.connect(DSN)
    cursor = conn.cursor(cursor_factory=RealDictCursor)
    cursor.execute("SELECT ticket, stage FROM jobs WHERE stage = %s ORDER BY id", (stage,))
    rows = cursor.fetchall()
    conn.close()
    return {"jobs": rows, "count": len(rows)}
""",
        after="""\
from sqlalchemy import select

from app.db import session_scope
from app.models import Job


def jobs(stage):
    with session_scope() as session:
        rows = session.execute(
            select(Job.ticket, Job.stage).where(Job.stage == stage).order_by(Job.id)
        ).all()
    return {"jobs": [dict(row._mapping) for row in rows], "count": len(rows)}
""",
        effects=("other-database",),
        project=PROJECT,
    ),
    Example(
        title="a row that was a dict, or None, returned at once",
        before="""\
import psycopg2
from psycopg2.extras import RealDictCursor

from app.db import DSN


def job(ticket):
    conn = psycopg2.connect(DSN)
    try:
        with conn.cursor(cursor_factory=RealDictCursor) as cursor:
            cursor.execute("SELECT ticket, stage FROM jobs WHERE ticket = %s", (ticket,))
            return cursor.fetchone()
    finally:
        conn.close()
""",
        after="""\
from sqlalchemy import select

from app.db import session_scope
from app.models import Job


def job(ticket):
    with session_scope() as session:
        row = session.execute(
            select(Job.ticket, Job.stage).where(Job.ticket == ticket)
        ).first()
        return dict(row._mapping) if row else None
""",
        effects=("other-database",),
        project=PROJECT,
    ),
    Example(
        title="a row that was a dict, behind a question",
        before="""\
import psycopg2
from psycopg2.extras import RealDictCursor

from app.db import DSN


def job(ticket):
    conn = psycopg2.connect(DSN)
    cursor = conn.cursor(cursor_factory=RealDictCursor)
    cursor.execute("SELECT ticket, stage FROM jobs WHERE ticket = %s", (ticket,))
    row = cursor.fetchone()
    conn.close()
    if row is None:
        raise KeyError(ticket)
    return row
""",
        after="""\
from sqlalchemy import select

from app.db import session_scope
from app.models import Job


def job(ticket):
    with session_scope() as session:
        row = session.execute(
            select(Job.ticket, Job.stage).where(Job.ticket == ticket)
        ).first()
    if row is None:
        raise KeyError(ticket)
    return dict(row._mapping)
""",
        effects=("other-database",),
        project=PROJECT,
    ),
    Example(
        title="a row by name that is written to",
        before="""\
import psycopg2
from psycopg2.extras import RealDictCursor

from app.db import DSN


def job(ticket):
    conn = psycopg2.connect(DSN)
    cursor = conn.cursor(cursor_factory=RealDictCursor)
    cursor.execute("SELECT ticket, stage FROM jobs WHERE ticket = %s", (ticket,))
    row = cursor.fetchone()
    conn.close()
    row["stage"] = 0
    return row
""",
        reason="row-leaves",
        project=PROJECT,
    ),
    Example(
        title="rows by name that others are put among",
        before="""\
import sqlite3

from app.db import DB_PATH


def jobs(others):
    conn = sqlite3.connect(DB_PATH)
    conn.row_factory = sqlite3.Row
    rows = conn.execute("SELECT ticket, stage FROM jobs").fetchall()
    conn.close()
    rows.append(others)
    return rows
""",
        reason="row-leaves",
        project=PROJECT,
    ),
    Example(
        title="rows by name that are compared",
        before="""\
import sqlite3

from app.db import DB_PATH


def same(other):
    conn = sqlite3.connect(DB_PATH)
    conn.row_factory = sqlite3.Row
    rows = conn.execute("SELECT ticket, stage FROM jobs").fetchall()
    conn.close()
    return rows == other
""",
        reason="row-leaves",
        project=PROJECT,
    ),
    Example(
        title="a row by name whose column is deleted",
        before="""\
import psycopg2
from psycopg2.extras import RealDictCursor

from app.db import DSN


def job(ticket):
    conn = psycopg2.connect(DSN)
    cursor = conn.cursor(cursor_factory=RealDictCursor)
    cursor.execute("SELECT ticket, stage FROM jobs WHERE ticket = %s", (ticket,))
    row = cursor.fetchone()
    conn.close()
    del row["stage"]
    return row
""",
        reason="row-leaves",
        project=PROJECT,
    ),
    Example(
        title="a row by name that is updated",
        before="""\
import psycopg2
from psycopg2.extras import RealDictCursor

from app.db import DSN


def job(ticket):
    conn = psycopg2.connect(DSN)
    cursor = conn.cursor(cursor_factory=RealDictCursor)
    cursor.execute("SELECT ticket, stage FROM jobs WHERE ticket = %s", (ticket,))
    row = cursor.fetchone()
    conn.close()
    row.update(stage=0)
    return row
""",
        reason="row-leaves",
        project=PROJECT,
    ),
    Example(
        title="a column by name that has none",
        before="""\
import sqlite3

from app.db import DB_PATH


def newest():
    conn = sqlite3.connect(DB_PATH)
    conn.row_factory = sqlite3.Row
    rows = conn.execute("SELECT stage, MAX(id) FROM jobs GROUP BY stage").fetchall()
    conn.close()
    return rows
""",
        reason="row-leaves",
        project=PROJECT,
    ),
)
