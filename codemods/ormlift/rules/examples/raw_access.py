"""Examples of `raw-access`: what each place is."""

from __future__ import annotations

from ormlift.rules.base import Example

_PROJECT = {
    "app/db.py": """\
import sqlite3

from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

engine = create_engine("sqlite:///app.db")
SessionLocal = sessionmaker(bind=engine)


def get_connection():
    return sqlite3.connect("app.db")
"""
}


def _is(title: str, reason: str, before: str) -> Example:
    return Example(title, before, reason=reason, project=_PROJECT)


EXAMPLES = (
    _is(
        "a connection of the driver",
        "dbapi",
        """\
from app.db import get_connection


def touch():
    conn = get_connection()
    conn.execute("UPDATE jobs SET seen = 1")
""",
    ),
    _is(
        "a session",
        "session",
        """\
from sqlalchemy import text

from app.db import SessionLocal


def touch():
    with SessionLocal() as db:
        db.execute(text("UPDATE jobs SET seen = 1"))
""",
    ),
    _is(
        "SQLAlchemy's connection",
        "connection",
        """\
from sqlalchemy import text

from app.db import engine


def touch():
    with engine.begin() as db:
        db.execute(text("UPDATE jobs SET seen = 1"))
""",
    ),
    _is(
        "nothing of a database",
        "no-database",
        """\
def run(agent):
    agent.execute("open the door")
""",
    ),
    _is(
        "a parameter of which nothing is known",
        "unknown-receiver",
        """\
def touch(thing):
    thing.execute("UPDATE jobs SET seen = 1")
""",
    ),
    _is(
        "the driver's connection, as an event of the pool hands it over",
        "dbapi",
        """\
from sqlalchemy import event

from app.db import engine


@event.listens_for(engine, "connect")
def set_up(raw, record):
    raw.execute("PRAGMA journal_mode=WAL")
""",
    ),
    _is(
        "SQLAlchemy's connection, as an event of a mapper hands it over",
        "connection",
        """\
def stamp(mapper, conn, target):
    conn.execute("UPDATE projects SET updated = 1 WHERE id = %s" % target.id)
""",
    ),
    _is(
        "an engine of another module, by its name",
        "connection",
        """\
from elsewhere import engine


def touch():
    engine.execute("UPDATE jobs SET seen = 1")
""",
    ),
    _is(
        "an engine of another kind",
        "no-database",
        """\
def run(engine):
    engine.execute("open the door")
""",
    ),
    Example(
        "a statement that is no text",
        """\
from sqlalchemy import select


def names(db, Job):
    return db.execute(select(Job.name))
""",
    ),
    Example(
        "a task that is handed on",
        """\
def run(pool, task):
    pool.execute(task)
""",
    ),
)
