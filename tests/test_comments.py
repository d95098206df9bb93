"""Comments at odd places: they keep the site that has no place for them, and no other of the file."""

import pytest
from ormlift.model import Planned, ScopeChoice, Settings, Source, Status
from ormlift.plan import plan_file
from ormlift.project.facts import read_facts
from ormlift.project.index import link
from ormlift.verify import comments

_PROJECT = {
    "app/db.py": """import sqlite3
from contextlib import contextmanager

from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import async_sessionmaker
from sqlalchemy.orm import sessionmaker

SessionLocal = sessionmaker(bind=create_engine("sqlite:///jobs.db"))
AsyncLocal = async_sessionmaker()


def open_db():
    return sqlite3.connect("jobs.db")


@contextmanager
def session_scope():
    with SessionLocal() as session:
        yield session
""",
    "app/models.py": """from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Job(Base):
    __tablename__ = "jobs"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
""",
}
_HEAD = """import sqlite3
from contextlib import closing

from app.db import AsyncLocal, SessionLocal, open_db
from app.models import Job
from sqlalchemy import select


"""
_PLAIN = {
    "cursor-to-orm": """


def plain():
    conn = open_db()
    rows = conn.execute("SELECT name FROM jobs").fetchall()  # all
    conn.close()
    return [row[0] for row in rows]
""",
    "session-scope": """


def plain():
    session = SessionLocal()  # new
    try:
        return session.query(Job).count()
    finally:
        session.close()
""",
    "async-session": """


async def plain():
    session = AsyncLocal()  # new
    try:
        return (await session.execute(select(Job.id))).scalar()
    finally:
        await session.close()
""",
}
_ROW = """def f():
    conn = open_db()
    conn.row_factory = sqlite3.Row
    row = conn.execute("SELECT id, name FROM jobs").fetchone()
    conn.close()
    return %s
"""
_WITH = """def f():
    with %s:
        return %s
"""
_FETCHED = 'conn.execute("SELECT id FROM jobs").fetchall()'
_COUNTED = "session.query(Job).count()"
_ODD = {
    "the index of a row in a list": (
        "cursor-to-orm",
        """def f():
    conn = open_db()
    rows = conn.execute("SELECT id FROM jobs").fetchall()
    conn.close()
    return [r[  # the id
        0] for r in rows]
""",
    ),
    "the index of a row": ("cursor-to-orm", _ROW % "row[0  # the id\n        ]"),
    "the name of a column": ("cursor-to-orm", _ROW % 'row["name"  # the name\n        ]'),
    "the call of a connection": ("cursor-to-orm", _WITH % ("closing(open_db(  # in\n    )) as conn", _FETCHED)),
    "the call around it": (
        "cursor-to-orm",
        _WITH % ("closing(  # in\n        open_db()  # db\n    ) as conn", _FETCHED),
    ),
    "the call of a session": ("session-scope", _WITH % ("SessionLocal(  # in\n    ) as session", _COUNTED)),
    "an argument of it": (
        "session-scope",
        _WITH % ("SessionLocal(\n        expire_on_commit=False,  # keep\n    ) as session", _COUNTED),
    ),
    "the parentheses of a with": (
        "async-session",
        """async def f():
    with (
        AsyncLocal() as session,  # open
    ):
        return (await session.execute(select(Job.id))).scalars().all()
""",
    ),
}


@pytest.mark.parametrize("name", list(_ODD))
def test_a_comment_keeps_its_own_site_only(name: str) -> None:
    codemod, odd = _ODD[name]
    text = _HEAD + odd + _PLAIN[codemod]
    index = link(read_facts(Source(path, held)) for path, held in {**_PROJECT, "app/jobs.py": text}.items())
    settings = Settings(unsafe=True, codemods=(codemod,), scopes=(ScopeChoice("session_scope", "app.db"),))
    outcome = plan_file(Source("app/jobs.py", text), index, settings)
    assert isinstance(outcome, Planned), outcome
    assert not comments(text) - comments(outcome.after.text)
    assert [site.status for site in outcome.sites] == [Status.REFUSED, Status.REWRITTEN]
    reason = outcome.sites[0].reason
    assert reason is not None
    assert reason.code == "unusual-layout"
    assert odd in outcome.after.text
