"""Examples of `cursor-to-orm`: statements that stay SQL, or go, beside those that become the ORM's."""

from __future__ import annotations

from ormlift.rules.base import Example
from ormlift.rules.examples.cursor_to_orm import PROJECT

EXAMPLES: tuple[Example, ...] = (
    Example(
        title="a table that is not mapped, beside one that is",
        before="""\
from app.db import open_db


def retitle(ticket, title):
    conn = open_db()
    cursor = conn.cursor()
    cursor.execute("INSERT INTO notes (ticket) VALUES (?)", (ticket,))
    cursor.execute("UPDATE jobs SET title = ? WHERE ticket = ?", (title, ticket))
    conn.commit()
    conn.close()
""",
        after="""\
from app.db import session_scope
from app.models import Job
from sqlalchemy import text, update


def retitle(ticket, title):
    with session_scope() as session:
        session.execute(
            text("INSERT INTO notes (ticket) VALUES (:ticket)"), {"ticket": ticket}
        )
        session.execute(update(Job).where(Job.ticket == ticket).values(title=title))
        session.commit()
""",
        effects=("stays-sql",),
        project=PROJECT,
    ),
    Example(
        title="the id of an INSERT, asked for by a SELECT",
        before="""\
from app.db import open_db


def copy(ticket, title):
    conn = open_db()
    cursor = conn.cursor()
    cursor.execute("INSERT INTO jobs (ticket, title, stage, rush, count) VALUES (?, ?, 0, 0, 0)", (ticket, title))
    conn.commit()
    cursor.execute("SELECT last_insert_rowid()")
    number = cursor.fetchone()[0]
    conn.close()
    return number
""",
        after="""\
from app.db import session_scope
from app.models import Job
from sqlalchemy import insert


def copy(ticket, title):
    with session_scope() as session:
        inserted_id = session.execute(
            insert(Job).values(ticket=ticket, title=title, stage=0, rush=0, count=0)
        ).lastrowid
        session.commit()
        number = inserted_id
    return number
""",
        project=PROJECT,
    ),
    Example(
        title="a table that is altered, and used",
        before="""\
from app.db import open_db


def migrate():
    conn = open_db()
    conn.execute("ALTER TABLE jobs ADD COLUMN note TEXT")
    conn.execute("UPDATE jobs SET title = 'none' WHERE title = ''")
    conn.commit()
    conn.close()
""",
        reason="administrative",
        project=PROJECT,
    ),
    Example(
        title="what the connection remembers of another statement",
        before="""\
from app.db import open_db


def purge():
    conn = open_db()
    conn.execute("DELETE FROM jobs WHERE stage = 9")
    conn.commit()
    gone = conn.execute("SELECT changes()").fetchone()[0]
    conn.close()
    return gone
""",
        reason="connection-state",
        project=PROJECT,
    ),
    Example(
        title="a PRAGMA that changes the connection",
        before="""\
from app.db import open_db


def reset():
    conn = open_db()
    conn.execute("PRAGMA foreign_keys = OFF")
    conn.execute("UPDATE jobs SET stage = 0")
    conn.commit()
    conn.close()
""",
        reason="administrative",
        project=PROJECT,
    ),
)
