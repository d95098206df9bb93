"""Examples of `cursor-to-orm`: `executemany`."""

from __future__ import annotations

from ormlift.rules.base import Example
from ormlift.rules.examples.cursor_to_orm import PROJECT

EXAMPLES: tuple[Example, ...] = (
    Example(
        title="many rows at once",
        before="""\
from app.db import open_db


def take_in(rows):
    conn = open_db()
    cursor = conn.cursor()
    cursor.executemany("INSERT INTO jobs (ticket, title, stage, rush, count) VALUES (?, ?, 1, 0, 0)", rows)
    conn.commit()
    conn.close()
""",
        after="""\
from app.db import session_scope
from app.models import Job
from sqlalchemy import insert


def take_in(rows):
    with session_scope() as session:
        for row in rows:
            session.execute(insert(Job).values(ticket=row[0], title=row[1], stage=1, rush=0, count=0))
        session.commit()
""",
        effects=("parameter-count",),
        project=PROJECT,
    ),
    Example(
        title="many rows out of a comprehension",
        before="""\
from app.db import open_db


def move(jobs):
    conn = open_db()
    conn.executemany("UPDATE jobs SET stage = ? WHERE ticket = ?", [(j["stage"], j["ticket"].upper()) for j in jobs])
    conn.commit()
    conn.close()
""",
        after="""\
from app.db import session_scope
from app.models import Job
from sqlalchemy import update


def move(jobs):
    with session_scope() as session:
        for j in jobs:
            session.execute(update(Job).where(Job.ticket == j["ticket"].upper()).values(stage=j["stage"]))
        session.commit()
""",
        project=PROJECT,
    ),
    Example(
        title="many rows by name",
        before="""\
from app.db import open_db


def move(jobs):
    conn = open_db()
    conn.executemany("UPDATE jobs SET stage = :stage WHERE ticket = :ticket", jobs)
    conn.commit()
    conn.close()
""",
        after="""\
from app.db import session_scope
from app.models import Job
from sqlalchemy import update


def move(jobs):
    with session_scope() as session:
        for row in jobs:
            session.execute(
                update(Job)
                .where(Job.ticket == row["ticket"])
                .values(stage=row["stage"])
            )
        session.commit()
""",
        project=PROJECT,
    ),
    Example(
        title="a count of many rows",
        before="""\
from app.db import open_db


def drop(tickets):
    conn = open_db()
    cursor = conn.cursor()
    cursor.executemany("DELETE FROM jobs WHERE ticket = ?", [(t,) for t in tickets])
    conn.commit()
    count = cursor.rowcount
    conn.close()
    return count
""",
        reason="execute-many",
        project=PROJECT,
    ),
    Example(
        title="many rows that commit one by one",
        before="""\
from app.db import open_db


def drop(tickets):
    conn = open_db()
    conn.isolation_level = None
    conn.executemany("DELETE FROM jobs WHERE ticket = ?", [(t,) for t in tickets])
    conn.close()
""",
        reason="execute-many",
        project=PROJECT,
    ),
    Example(
        title="many rows of a SELECT",
        before="""\
from app.db import open_db


def find(tickets):
    conn = open_db()
    cursor = conn.cursor()
    cursor.executemany("SELECT id FROM jobs WHERE ticket = ?", [(t,) for t in tickets])
    conn.close()
""",
        reason="execute-many",
        project=PROJECT,
    ),
    Example(
        title="a script of many statements",
        before="""\
from app.db import open_db


def reset():
    conn = open_db()
    conn.executescript("DELETE FROM jobs; UPDATE jobs SET stage = 0;")
    conn.close()
""",
        reason="execute-many",
        project=PROJECT,
    ),
)
