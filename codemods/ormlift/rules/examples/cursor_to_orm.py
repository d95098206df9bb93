"""Examples of `cursor-to-orm`: small files, and what becomes of each."""

from __future__ import annotations

from ormlift.rules.base import Example

_MODELS = """\
from datetime import datetime

from sqlalchemy import JSON, Boolean, DateTime, Integer, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Job(Base):
    __tablename__ = "jobs"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    ticket: Mapped[str] = mapped_column(String(20), unique=True, nullable=False)
    title: Mapped[str] = mapped_column(Text, nullable=False)
    stage: Mapped[int] = mapped_column(Integer, nullable=False)
    rush: Mapped[bool] = mapped_column(Boolean, nullable=False)
    count: Mapped[int] = mapped_column(Integer, nullable=False)
    marks: Mapped[dict | None] = mapped_column(JSON)
    passed_at: Mapped[datetime | None] = mapped_column(DateTime)
    customer: Mapped[str | None] = mapped_column(String(40))
"""
_DB = """\
import sqlite3
from contextlib import contextmanager

from sqlalchemy import create_engine
from sqlalchemy.orm import scoped_session, sessionmaker

DB_PATH = "jobs.db"
engine = create_engine(f"sqlite:///{DB_PATH}")
SessionLocal = sessionmaker(bind=engine)
db_session = scoped_session(SessionLocal)


def open_db():
    return sqlite3.connect(DB_PATH)


@contextmanager
def session_scope():
    session = SessionLocal()
    try:
        yield session
        session.commit()
    except Exception:
        session.rollback()
        raise
    finally:
        session.close()
"""
PROJECT = {"app/models.py": _MODELS, "app/db.py": _DB}

EXAMPLES = (
    Example(
        title="a row fetched and read by index",
        before="""\
from app.db import open_db


def title_of(ticket: str) -> str | None:
    conn = open_db()
    cursor = conn.cursor()
    # ticket is unique
    cursor.execute("SELECT id, title FROM jobs WHERE ticket = ?", (ticket,))
    row = cursor.fetchone()
    conn.close()
    return row[1] if row else None
""",
        after="""\
from app.db import session_scope
from app.models import Job
from sqlalchemy import select


def title_of(ticket: str) -> str | None:
    with session_scope() as session:
        # ticket is unique
        row = session.execute(
            select(Job.id, Job.title).where(Job.ticket == ticket)
        ).first()
    return row.title if row else None
""",
        project=PROJECT,
    ),
    Example(
        title="a try whose finally closes, and a write that commits",
        before="""\
from app.db import open_db


def move(ticket: str, stage: int) -> None:
    conn = open_db()
    try:
        cur = conn.cursor()
        cur.execute("UPDATE jobs SET stage = ? WHERE ticket = ?", (stage, ticket))
        conn.commit()
    finally:
        conn.close()
""",
        after="""\
from app.db import session_scope
from app.models import Job
from sqlalchemy import update


def move(ticket: str, stage: int) -> None:
    with session_scope() as session:
        session.execute(update(Job).where(Job.ticket == ticket).values(stage=stage))
        session.commit()
""",
        project=PROJECT,
    ),
    Example(
        title="rows in a loop and in a comprehension",
        before="""\
from app.db import open_db


def board() -> tuple[dict, list]:
    conn = open_db()
    stages = {}
    for ticket, stage in conn.execute("SELECT ticket, stage FROM jobs WHERE stage > 1 ORDER BY id"):
        stages[ticket] = stage
    titles = [row[0] for row in conn.execute("SELECT title FROM jobs ORDER BY id").fetchall()]
    conn.close()
    return stages, titles
""",
        after="""\
from app.db import session_scope
from app.models import Job
from sqlalchemy import select


def board() -> tuple[dict, list]:
    with session_scope() as session:
        stages = {}
        for ticket, stage in session.execute(
            select(Job.ticket, Job.stage).where(Job.stage > 1).order_by(Job.id)
        ):
            stages[ticket] = stage
        titles = [row.title for row in session.execute(select(Job.title).order_by(Job.id)).all()]
    return stages, titles
""",
        project=PROJECT,
    ),
    Example(
        title="a count, and a column whose name every row has taken",
        before="""\
from app.db import open_db


def counts() -> tuple[int, int]:
    conn = open_db()
    cursor = conn.cursor()
    cursor.execute("SELECT COUNT(*) FROM jobs")
    total = cursor.fetchone()[0]
    cursor.execute("SELECT count, stage FROM jobs ORDER BY id LIMIT 1")
    row = cursor.fetchone()
    conn.close()
    return total, row[0] + row[1]
""",
        after="""\
from app.db import session_scope
from app.models import Job
from sqlalchemy import func, select


def counts() -> tuple[int, int]:
    with session_scope() as session:
        total = session.scalar(select(func.count()).select_from(Job))
        row = session.execute(
            select(Job.count, Job.stage).order_by(Job.id).limit(1)
        ).first()
    return total, row[0] + row.stage
""",
        project=PROJECT,
    ),
    Example(
        title="a Session taken for a connection",
        before="""\
import json

from app.db import db_session
from app.models import Job


def save_marks(ticket: str, marks: dict) -> dict | None:
    conn = db_session()
    cursor = conn.cursor()
    cursor.execute(
        "UPDATE jobs SET marks = ?, passed_at = CURRENT_TIMESTAMP WHERE ticket = ?",
        (json.dumps(marks), ticket),
    )
    conn.commit()
    cursor.execute("SELECT id, marks FROM jobs WHERE ticket = ?", (ticket,))
    row = cursor.fetchone()
    return json.loads(row[1]) if row[1] else None
""",
        after="""\

from app.db import db_session
from app.models import Job
from sqlalchemy import func, select, update


def save_marks(ticket: str, marks: dict) -> dict | None:
    with db_session() as session:
        session.execute(
            update(Job)
            .where(Job.ticket == ticket)
            .values(marks=marks, passed_at=func.current_timestamp())
        )
        session.commit()
        row = session.execute(
            select(Job.id, Job.marks).where(Job.ticket == ticket)
        ).first()
    return row.marks if row.marks else None
""",
        effects=(
            "cursor-on-session",
            "shared-session",
        ),
        project=PROJECT,
    ),
    Example(
        title="rows read by name",
        before="""\
import sqlite3

from app.db import DB_PATH


def stages() -> list[dict]:
    conn = sqlite3.connect(DB_PATH)
    conn.row_factory = sqlite3.Row
    rows = conn.execute("SELECT ticket, stage FROM jobs ORDER BY id").fetchall()
    found = [dict(row) for row in rows]
    first = rows[0]["ticket"]
    conn.close()
    return [{"first": first}, *found]
""",
        after="""\

from app.db import session_scope
from app.models import Job
from sqlalchemy import select


def stages() -> list[dict]:
    with session_scope() as session:
        rows = session.execute(select(Job.ticket, Job.stage).order_by(Job.id)).all()
        found = [dict(row._mapping) for row in rows]
        first = rows[0].ticket
    return [{"first": first}, *found]
""",
        project=PROJECT,
    ),
    Example(
        title="a handler of the driver's errors",
        before="""\
import sqlite3

from app.db import open_db


def take_in(ticket: str, title: str) -> bool:
    conn = open_db()
    try:
        conn.execute("INSERT INTO jobs (ticket, title, stage, rush, count) VALUES (?, ?, 1, 0, 0)", (ticket, title))
        conn.commit()
        return True
    except sqlite3.IntegrityError:
        conn.rollback()
        return False
    finally:
        conn.close()
""",
        after="""\
import sqlite3

from app.db import session_scope
from app.models import Job
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError


def take_in(ticket: str, title: str) -> bool:
    with session_scope() as session:
        try:
            session.execute(insert(Job).values(ticket=ticket, title=title, stage=1, rush=0, count=0))
            session.commit()
            return True
        except (sqlite3.IntegrityError, IntegrityError):
            session.rollback()
            return False
""",
        effects=("driver-exception",),
        project=PROJECT,
    ),
    Example(
        title="a write that is never committed, under a scope that commits",
        before="""\
from app.db import open_db


def would_drop(stage: int) -> int:
    conn = open_db()
    cursor = conn.cursor()
    cursor.execute("DELETE FROM jobs WHERE stage = ?", (stage,))
    gone = cursor.rowcount
    conn.close()
    return gone
""",
        after="""\
from app.db import session_scope
from app.models import Job
from sqlalchemy import delete


def would_drop(stage: int) -> int:
    with session_scope() as session:
        gone = session.execute(delete(Job).where(Job.stage == stage)).rowcount
    return gone
""",
        effects=("commit-at-exit",),
        project=PROJECT,
    ),
    Example(
        title="a value whose type changes, where only the text will do",
        before="""\
from app.db import open_db


def day_of(ticket: str) -> str:
    conn = open_db()
    row = conn.execute("SELECT passed_at FROM jobs WHERE ticket = ?", (ticket,)).fetchone()
    conn.close()
    return row[0][:10]
""",
        after="""\
from app.db import session_scope
from app.models import Job
from sqlalchemy import String, select, type_coerce


def day_of(ticket: str) -> str:
    with session_scope() as session:
        row = session.execute(
            select(type_coerce(Job.passed_at, String)).where(Job.ticket == ticket)
        ).first()
    return row.passed_at[:10]
""",
        project=PROJECT,
    ),
    Example(
        title="a value whose type changes, where it matters",
        before="""\
from app.db import open_db


def passed(ticket: str):
    conn = open_db()
    row = conn.execute("SELECT passed_at FROM jobs WHERE ticket = ?", (ticket,)).fetchone()
    conn.close()
    return row[0]
""",
        after="""\
from app.db import session_scope
from app.models import Job
from sqlalchemy import select


def passed(ticket: str):
    with session_scope() as session:
        row = session.execute(select(Job.passed_at).where(Job.ticket == ticket)).first()
    return row.passed_at
""",
        effects=("result-type",),
        project=PROJECT,
    ),
    Example(
        title="a cursor that executes again in its own loop",
        before="""\
from app.db import open_db


def shout():
    conn = open_db()
    cursor = conn.cursor()
    cursor.execute("SELECT id, title FROM jobs")
    for row in cursor:
        cursor.execute("UPDATE jobs SET title = ? WHERE id = ?", (row[1] + "!", row[0]))
    conn.commit()
    conn.close()
""",
        reason="unclear-cursor",
        project=PROJECT,
    ),
    Example(
        title="a connection to a database that may be another",
        before="""\
import sqlite3


def tickets(path):
    with sqlite3.connect(path) as conn:
        return [row[0] for row in conn.execute("SELECT ticket FROM jobs ORDER BY id")]
""",
        after="""\
from app.db import session_scope
from app.models import Job
from sqlalchemy import select


def tickets(path):
    with session_scope() as session:
        return [row.ticket for row in session.execute(select(Job.ticket).order_by(Job.id))]
""",
        effects=("other-database",),
        project=PROJECT,
    ),
    Example(
        title="each statement commits itself",
        before="""\
import sqlite3

from app.db import DB_PATH


def step(ticket: str) -> None:
    conn = sqlite3.connect(DB_PATH, isolation_level=None)
    conn.execute("UPDATE jobs SET stage = stage + 1 WHERE ticket = ?", (ticket,))
    conn.execute("UPDATE jobs SET rush = 0 WHERE ticket = ?", (ticket,))
    conn.close()
""",
        after="""\

from app.db import session_scope
from app.models import Job
from sqlalchemy import update


def step(ticket: str) -> None:
    with session_scope() as session:
        session.execute(
            update(Job).where(Job.ticket == ticket).values(stage=Job.stage + 1)
        )
        session.commit()
        session.execute(update(Job).where(Job.ticket == ticket).values(rush=0))
        session.commit()
""",
        project=PROJECT,
    ),
    Example(
        title="a result fetched from more than once",
        before="""\
from app.db import open_db


def first_two() -> list[str]:
    conn = open_db()
    cursor = conn.cursor()
    cursor.execute("SELECT ticket FROM jobs ORDER BY id")
    first = cursor.fetchone()
    second = cursor.fetchone()
    conn.close()
    return [first[0], second[0]]
""",
        after="""\
from app.db import session_scope
from app.models import Job
from sqlalchemy import select


def first_two() -> list[str]:
    with session_scope() as session:
        result = session.execute(select(Job.ticket).order_by(Job.id))
        first = result.fetchone()
        second = result.fetchone()
    return [first.ticket, second.ticket]
""",
        project=PROJECT,
    ),
    Example(
        title="rows handed on",
        before="""\
from app.db import open_db


def all_jobs() -> list:
    conn = open_db()
    cursor = conn.cursor()
    cursor.execute("SELECT id, ticket FROM jobs ORDER BY id")
    return cursor.fetchall()
""",
        after="""\
from app.db import session_scope
from app.models import Job
from sqlalchemy import select


def all_jobs() -> list:
    with session_scope() as session:
        return session.execute(select(Job.id, Job.ticket).order_by(Job.id)).all()
""",
        effects=("row-leaves",),
        project=PROJECT,
    ),
    Example(
        title="the connection is a parameter",
        before="""\
def title_of(conn, ticket):
    cursor = conn.cursor()
    cursor.execute("SELECT title FROM jobs WHERE ticket = ?", (ticket,))
    return cursor.fetchone()[0]
""",
        reason="connection-from-outside",
        project=PROJECT,
    ),
    Example(
        title="the connection is handed on",
        before="""\
from app.db import open_db


def title_of(ticket):
    conn = open_db()
    row = conn.execute("SELECT title FROM jobs WHERE ticket = ?", (ticket,)).fetchone()
    audit(conn, ticket)
    return row[0]
""",
        reason="connection-escapes",
        project=PROJECT,
    ),
    Example(
        title="SQL that is put together step by step",
        before="""\
from app.db import open_db


def search(stage, limit):
    conn = open_db()
    sql = "SELECT ticket FROM jobs WHERE 1=1"
    params = []
    if stage is not None:
        sql += " AND stage = ?"
        params.append(stage)
    sql += " ORDER BY id LIMIT ?"
    params.append(limit)
    rows = conn.execute(sql, params).fetchall()
    conn.close()
    return [row[0] for row in rows]
""",
        after="""\
from app.db import session_scope
from app.models import Job
from sqlalchemy import select


def search(stage, limit):
    with session_scope() as session:
        sql = select(Job.ticket)
        if stage is not None:
            sql = sql.where(Job.stage == stage)
        sql = sql.order_by(Job.id).limit(limit)
        rows = session.execute(sql).all()
    return [row.ticket for row in rows]
""",
        project=PROJECT,
    ),
    Example(
        title="the SQL is put together",
        before="""\
from app.db import open_db


def search(words):
    conn = open_db()
    sql = "SELECT ticket FROM jobs WHERE 1 = 1"
    for word in words:
        sql += f" AND title LIKE '%{word}%'"
    rows = conn.execute(sql).fetchall()
    conn.close()
    return [row[0] for row in rows]
""",
        reason="dynamic-sql",
        project=PROJECT,
    ),
    Example(
        title="one statement of several is refused",
        before="""\
from app.db import open_db


def tidy():
    conn = open_db()
    conn.execute("DELETE FROM jobs WHERE stage = 9")
    conn.execute("VACUUM")
    conn.commit()
    conn.close()
""",
        reason="administrative",
        project=PROJECT,
    ),
    Example(
        title="the parameters are not known",
        before="""\
from app.db import open_db


def move(values):
    conn = open_db()
    conn.execute("UPDATE jobs SET stage = ? WHERE ticket = ?", values())
    conn.commit()
    conn.close()
""",
        reason="parameters-unknown",
        project=PROJECT,
    ),
    Example(
        title="a table without a model",
        before="""\
from app.db import open_db


def log(text):
    conn = open_db()
    conn.execute("INSERT INTO remarks (text) VALUES (?)", (text,))
    conn.commit()
    conn.close()
""",
        reason="table-not-mapped",
        project=PROJECT,
    ),
    Example(
        title="a column that the model lacks",
        before="""\
from app.db import open_db


def colours():
    conn = open_db()
    rows = conn.execute("SELECT colour FROM jobs").fetchall()
    conn.close()
    return [row[0] for row in rows]
""",
        reason="column-not-mapped",
        project=PROJECT,
    ),
    Example(
        title="a fetch that may read another statement",
        before="""\
from app.db import open_db


def pick(rush):
    conn = open_db()
    cursor = conn.cursor()
    if rush:
        cursor.execute("SELECT ticket, stage FROM jobs WHERE rush = 1")
    rows = cursor.fetchall()
    conn.close()
    return [row[0] for row in rows]
""",
        reason="unclear-cursor",
        project=PROJECT,
    ),
    Example(
        title="fetched after a commit",
        before="""\
from app.db import open_db


def bump():
    conn = open_db()
    cursor = conn.cursor()
    cursor.execute("SELECT ticket FROM jobs WHERE stage = 1")
    conn.commit()
    rows = cursor.fetchall()
    return [row[0] for row in rows]
""",
        reason="commit-before-fetch",
        project=PROJECT,
    ),
    Example(
        title="a name that means something else here",
        before="""\
from app.db import open_db


def title_of(Job, models):
    conn = open_db()
    row = conn.execute("SELECT title FROM jobs WHERE ticket = ?", (Job,)).fetchone()
    conn.close()
    return row[0]
""",
        reason="name-taken",
        project=PROJECT,
    ),
    Example(
        title="a row formatted as a tuple",
        before="""\
from app.db import open_db


def label(ticket):
    conn = open_db()
    row = conn.execute("SELECT ticket, stage FROM jobs WHERE ticket = ?", (ticket,)).fetchone()
    conn.close()
    return "%s/%s" % row
""",
        reason="row-use",
        project=PROJECT,
    ),
    Example(
        title="the row count of a SELECT",
        before="""\
from app.db import open_db


def is_known(ticket):
    conn = open_db()
    cursor = conn.cursor()
    cursor.execute("SELECT id FROM jobs WHERE ticket = ?", (ticket,))
    known = cursor.rowcount > 0
    conn.close()
    return known
""",
        reason="row-count",
        project=PROJECT,
    ),
    Example(
        title="a session's own execute is no site",
        before="""\
from sqlalchemy import text

from app.db import session_scope


def count():
    with session_scope() as session:
        return session.execute(text("SELECT COUNT(*) FROM jobs")).scalar()
""",
        project=PROJECT,
    ),
    Example(
        title="an executor is no cursor",
        before="""\
def run(pool, tasks):
    return [pool.execute(task) for task in tasks]
""",
        project=PROJECT,
    ),
)
