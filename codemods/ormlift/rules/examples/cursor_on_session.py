"""Examples of `cursor-on-session`: what is told, and what is not."""

from __future__ import annotations

from ormlift.rules.base import Example

_DB = """\
import sqlite3

from sqlalchemy import create_engine
from sqlalchemy.orm import scoped_session, sessionmaker

engine = create_engine("sqlite:///app.db")
SessionLocal = sessionmaker(bind=engine)
db_session = scoped_session(SessionLocal)


def get_connection():
    return sqlite3.connect("app.db")
"""
_PROJECT = {"app/db.py": _DB}


def _found(title: str, before: str, reason: str = "from-outside") -> Example:
    return Example(title, before, reason=reason, fault="cursor-on-session", project=_PROJECT)


EXAMPLES = (
    _found(
        "a session opened in the function",
        """\
from app.db import db_session


def approve(job_id):
    conn = db_session()
    cursor = conn.cursor()
    cursor.execute("UPDATE jobs SET stage = 3 WHERE id = ?", (job_id,))
    conn.commit()
""",
        "through-cursor-to-orm",
    ),
    _found(
        "a parameter that is annotated as a session",
        """\
from sqlalchemy.orm import Session


def count(db: Session):
    cursor = db.cursor()
    return cursor.execute("SELECT count(*) FROM jobs").fetchone()[0]
""",
    ),
    _found(
        "the scoped session itself",
        """\
from app.db import db_session


def names():
    return db_session.cursor().execute("SELECT name FROM jobs").fetchall()
""",
    ),
    _found(
        "SQLAlchemy's own connection",
        """\
from app.db import engine


def names():
    with engine.connect() as connection:
        return connection.cursor().execute("SELECT name FROM jobs").fetchall()
""",
    ),
    Example(
        "a connection of the driver",
        """\
from app.db import get_connection


def names():
    conn = get_connection()
    return conn.cursor().execute("SELECT name FROM jobs").fetchall()
""",
        project=_PROJECT,
    ),
    Example(
        "the driver's connection beneath the engine",
        """\
from app.db import engine


def names():
    return engine.raw_connection().cursor().execute("SELECT name FROM jobs").fetchall()
""",
        project=_PROJECT,
    ),
    Example(
        "a parameter of which nothing is known",
        """\
def names(conn):
    return conn.cursor().execute("SELECT name FROM jobs").fetchall()
""",
        project=_PROJECT,
    ),
    Example(
        "a session on one path only",
        """\
from app.db import db_session, get_connection


def names(raw):
    conn = get_connection() if raw else db_session()
    return conn.cursor().execute("SELECT name FROM jobs").fetchall()
""",
        project=_PROJECT,
    ),
)
