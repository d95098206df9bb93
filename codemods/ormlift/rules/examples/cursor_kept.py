"""Examples of `cursor-to-orm`: connections that are kept, asynchronous ones, and what a description is read for."""

from __future__ import annotations

from ormlift.rules.base import Example
from ormlift.rules.examples.cursor_to_orm import PROJECT as _PROJECT

_ASYNC_DB = """\
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

DB_PATH = "jobs.db"
async_engine = create_async_engine(f"sqlite+aiosqlite:///{DB_PATH}")
async_session = async_sessionmaker(async_engine, expire_on_commit=False)
"""
PROJECT = {**_PROJECT, "app/adb.py": _ASYNC_DB}

EXAMPLES: tuple[Example, ...] = (
    Example(
        title="a connection kept on an object",
        before="""\
from app.db import open_db


class Store:
    def __init__(self):
        self.conn = open_db()

    def title_of(self, ticket):
        cursor = self.conn.cursor()
        cursor.execute("SELECT title FROM jobs WHERE ticket = ?", (ticket,))
        row = cursor.fetchone()
        return row[0] if row else None
""",
        after="""\
from app.db import open_db, session_scope
from app.models import Job
from sqlalchemy import select


class Store:
    def __init__(self):
        self.conn = open_db()

    def title_of(self, ticket):
        with session_scope() as session:
            row = session.execute(select(Job.title).where(Job.ticket == ticket)).first()
        return row.title if row else None
""",
        effects=("shared-connection",),
        project=PROJECT,
    ),
    Example(
        title="a write left for others to commit on a kept connection",
        before="""\
from app.db import open_db


class Store:
    def __init__(self):
        self.conn = open_db()

    def step(self, ticket, back):
        if back:
            self.conn.execute("UPDATE jobs SET stage = stage - 1 WHERE ticket = ?", (ticket,))
        else:
            self.conn.execute("UPDATE jobs SET stage = stage + 1 WHERE ticket = ?", (ticket,))
        return back
""",
        after="""\
from app.db import open_db, session_scope
from app.models import Job
from sqlalchemy import update


class Store:
    def __init__(self):
        self.conn = open_db()

    def step(self, ticket, back):
        with session_scope() as session:
            if back:
                session.execute(update(Job).where(Job.ticket == ticket).values(stage=Job.stage - 1))
            else:
                session.execute(update(Job).where(Job.ticket == ticket).values(stage=Job.stage + 1))
        return back
""",
        effects=(
            "commit-at-exit",
            "shared-connection",
        ),
        project=PROJECT,
    ),
    Example(
        title="a kept asynchronous connection, and dicts made with the description",
        before="""\
import aiosqlite

from app.adb import DB_PATH

db = None


async def start():
    global db
    db = await aiosqlite.connect(DB_PATH)


async def board(stage):
    cursor = await db.execute("SELECT id, title, marks FROM jobs WHERE stage = ? ORDER BY id", (stage,))
    rows = await cursor.fetchall()
    names = [column[0] for column in cursor.description]
    await cursor.close()
    return [dict(zip(names, row)) for row in rows]
""",
        after="""\
import aiosqlite
from sqlalchemy import String, select, type_coerce

from app.adb import DB_PATH, async_session
from app.models import Job

db = None


async def start():
    global db
    db = await aiosqlite.connect(DB_PATH)


async def board(stage):
    async with async_session() as session:
        rows = (await session.execute(
            select(Job.id, Job.title, type_coerce(Job.marks, String)).where(Job.stage == stage).order_by(Job.id)
        )).all()
    return [dict(row._mapping) for row in rows]
""",
        effects=("shared-connection",),
        project=PROJECT,
    ),
    Example(
        title="an asynchronous block, and a block for its cursor",
        before="""\
import aiosqlite

from app.adb import DB_PATH


async def title_of(ticket):
    async with aiosqlite.connect(DB_PATH) as db:
        async with db.execute("SELECT title FROM jobs WHERE ticket = ?", (ticket,)) as cursor:
            row = await cursor.fetchone()
    return row[0] if row else None
""",
        after="""\
from sqlalchemy import select

from app.adb import async_session
from app.models import Job


async def title_of(ticket):
    async with async_session() as session:
        row = (await session.execute(select(Job.title).where(Job.ticket == ticket))).first()
    return row.title if row else None
""",
        project=PROJECT,
    ),
    Example(
        title="an asynchronous loop over rows",
        before="""\
import aiosqlite

from app.adb import DB_PATH


async def lines():
    found = []
    async with aiosqlite.connect(DB_PATH) as db:
        async with db.execute("SELECT ticket, title FROM jobs ORDER BY id") as cursor:
            async for row in cursor:
                found.append(f"{row[0]}: {row[1]}")
    return found
""",
        after="""\
from sqlalchemy import select

from app.adb import async_session
from app.models import Job


async def lines():
    found = []
    async with async_session() as session:
        async for row in await session.stream(
            select(Job.ticket, Job.title).order_by(Job.id)
        ):
            found.append(f"{row.ticket}: {row.title}")
    return found
""",
        project=PROJECT,
    ),
    Example(
        title="asynchronous writes, their count and their new id",
        before="""\
import aiosqlite

from app.adb import DB_PATH


async def renew(ticket, title):
    db = await aiosqlite.connect(DB_PATH)
    try:
        gone = await db.execute("DELETE FROM jobs WHERE ticket = ?", (ticket,))
        cursor = await db.execute(
            "INSERT INTO jobs (ticket, title, stage, rush, count) VALUES (?, ?, 1, 0, 0)", (ticket, title)
        )
        await db.commit()
        return gone.rowcount, cursor.lastrowid
    finally:
        await db.close()
""",
        after="""\
from sqlalchemy import delete, insert

from app.adb import async_session
from app.models import Job


async def renew(ticket, title):
    async with async_session() as session:
        rowcount = (await session.execute(delete(Job).where(Job.ticket == ticket))).rowcount
        inserted_id = (await session.execute(
            insert(Job).values(ticket=ticket, title=title, stage=1, rush=0, count=0)
        )).lastrowid
        await session.commit()
        return rowcount, inserted_id
""",
        project=PROJECT,
    ),
    Example(
        title="rows fetched by one asynchronous call",
        before="""\
import aiosqlite

from app.adb import DB_PATH


async def total():
    async with aiosqlite.connect(DB_PATH) as db:
        rows = await db.execute_fetchall("SELECT ticket, count FROM jobs")
        return {ticket: count for ticket, count in rows}
""",
        after="""\
from sqlalchemy import select

from app.adb import async_session
from app.models import Job


async def total():
    async with async_session() as session:
        rows = (await session.execute(select(Job.ticket, Job.count))).all()
        return {ticket: count for ticket, count in rows}
""",
        project=PROJECT,
    ),
    Example(
        title="dicts made with the description",
        before="""\
from app.db import open_db


def jobs():
    conn = open_db()
    cursor = conn.cursor()
    cursor.execute("SELECT ticket, stage FROM jobs ORDER BY id")
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row)) for row in cursor.fetchall()]
""",
        after="""\
from app.db import session_scope
from app.models import Job
from sqlalchemy import select


def jobs():
    with session_scope() as session:
        result = session.execute(select(Job.ticket, Job.stage).order_by(Job.id))
        return [dict(row._mapping) for row in result.fetchall()]
""",
        project=PROJECT,
    ),
    Example(
        title="the names of the columns for a head line",
        before="""\
from app.db import open_db


def table():
    conn = open_db()
    cursor = conn.cursor()
    cursor.execute("SELECT ticket, stage AS step FROM jobs ORDER BY id")
    lines = [", ".join([d[0] for d in cursor.description])]
    for ticket, step in cursor.fetchall():
        lines.append(f"{ticket}, {step}")
    conn.close()
    return lines
""",
        after="""\
from app.db import session_scope
from app.models import Job
from sqlalchemy import select


def table():
    with session_scope() as session:
        result = session.execute(
            select(Job.ticket, Job.stage.label("step")).order_by(Job.id)
        )
        lines = [", ".join(["ticket", "step"])]
        for ticket, step in result.fetchall():
            lines.append(f"{ticket}, {step}")
    return lines
""",
        project=PROJECT,
    ),
    Example(
        title="a kept connection that is closed here",
        before="""\
from app.db import open_db


class Store:
    def __init__(self):
        self.conn = open_db()

    def end(self):
        self.conn.execute("DELETE FROM jobs WHERE stage = 0")
        self.conn.commit()
        self.conn.close()
""",
        reason="connection-escapes",
        project=PROJECT,
    ),
    Example(
        title="a kept connection that is handed on",
        before="""\
from app.db import open_db


class Store:
    def __init__(self):
        self.conn = open_db()

    def end(self, log):
        self.conn.execute("DELETE FROM jobs WHERE stage = 0")
        log.write(self.conn)
""",
        reason="connection-escapes",
        project=PROJECT,
    ),
    Example(
        title="more of the description than its names",
        before="""\
from app.db import open_db


def types():
    conn = open_db()
    cursor = conn.cursor()
    cursor.execute("SELECT ticket, stage FROM jobs")
    found = [(column[0], column[1]) for column in cursor.description]
    conn.close()
    return found
""",
        reason="description",
        project=PROJECT,
    ),
    Example(
        title="a cursor's block that fetches twice",
        before="""\
import aiosqlite

from app.adb import DB_PATH


async def two():
    async with aiosqlite.connect(DB_PATH) as db:
        async with db.execute("SELECT title FROM jobs ORDER BY id") as cursor:
            first = await cursor.fetchone()
            second = await cursor.fetchone()
    return first[0], second[0]
""",
        reason="unclear-cursor",
        project=PROJECT,
    ),
    Example(
        title="an asynchronous cursor handed on",
        before="""\
import aiosqlite

from app.adb import DB_PATH


async def two(log):
    async with aiosqlite.connect(DB_PATH) as db:
        cursor = await db.execute("SELECT title FROM jobs ORDER BY id")
        await log(cursor)
""",
        reason="connection-escapes",
        project=PROJECT,
    ),
    Example(
        title="a connection that the file does not open",
        before="""\
class Store:
    def __init__(self, conn):
        self.conn = conn

    def titles(self):
        return [row[0] for row in self.conn.execute("SELECT title FROM jobs")]
""",
        reason="connection-from-outside",
        project=PROJECT,
    ),
    Example(
        title="a dict of names and of what is no row",
        before="""\
from app.db import open_db


def head(values):
    conn = open_db()
    cursor = conn.cursor()
    cursor.execute("SELECT ticket, stage FROM jobs")
    names = [column[0] for column in cursor.description]
    conn.close()
    return dict(zip(names, values))
""",
        reason="description",
        project=PROJECT,
    ),
    Example(
        title="a kept connection that may be another's",
        before="""\
from app.db import open_db


class Store:
    def __init__(self):
        self.conn = open_db()

    def take(self, conn):
        self.conn = conn

    def titles(self):
        return [row[0] for row in self.conn.execute("SELECT title FROM jobs")]
""",
        reason="connection-from-outside",
        project=PROJECT,
    ),
    Example(
        title="the description of one of two statements",
        before="""\
from app.db import open_db


def either(all):
    conn = open_db()
    cursor = conn.cursor()
    if all:
        cursor.execute("SELECT ticket FROM jobs")
    else:
        cursor.execute("SELECT ticket, title FROM jobs")
    names = [column[0] for column in cursor.description]
    conn.close()
    return names
""",
        reason="description",
        project=PROJECT,
    ),
)
