"""Examples of `async-session`: each way to get an async session wrong, and what it becomes."""

from __future__ import annotations

from collections.abc import Mapping

from ormlift.rules.base import Example

_DB = """\
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

engine = create_async_engine("sqlite+aiosqlite://")
async_session = async_sessionmaker(engine, expire_on_commit=False)


@asynccontextmanager
async def session_scope():
    session = async_session()
    try:
        yield session
        await session.commit()
    finally:
        await session.close()


async def get_session() -> AsyncSession:
    return async_session()


async def get_db():
    async with async_session() as session:
        yield session
"""
_MODELS = """\
from sqlalchemy import Column, Integer, String
from sqlalchemy.orm import declarative_base

Base = declarative_base()


class Job(Base):
    __tablename__ = "jobs"

    id = Column(Integer, primary_key=True)
    name = Column(String(50))
"""
PROJECT: Mapping[str, str] = {"app/db.py": _DB, "app/models.py": _MODELS}
_HEAD = "from sqlalchemy import select\n\nfrom app.db import NAMES\nfrom app.models import Job\n\n\n"


def _file(names: str, text: str) -> str:
    return _HEAD.replace("NAMES", names) + text


def _changed(
    title: str, names: str, before: str, after: str, fault: str, effects: tuple[str, ...] = ("now-runs",)
) -> Example:
    return Example(title, _file(names, before), _file(names, after), effects=effects, fault=fault, project=PROJECT)


def _refused(title: str, names: str, before: str, reason: str, fault: str) -> Example:
    return Example(title, _file(names, before), reason=reason, fault=fault, project=PROJECT)


def _right(title: str, names: str, before: str) -> Example:
    return Example(title, _file(names, before), project=PROJECT)


EXAMPLES: tuple[Example, ...] = (
    _changed(
        "a scope taken for the session",
        "session_scope",
        """\
async def names():
    session = session_scope()
    result = await session.execute(select(Job.name))
    return result.scalars().all()
""",
        """\
async def names():
    async with session_scope() as session:
        result = await session.execute(select(Job.name))
        return result.scalars().all()
""",
        "scope-as-session",
    ),
    _changed(
        "a scope that is awaited",
        "session_scope",
        """\
async def rename(job_id, name):
    session = await session_scope()
    job = await session.get(Job, job_id)
    job.name = name
    print("renamed")
""",
        """\
async def rename(job_id, name):
    async with session_scope() as session:
        job = await session.get(Job, job_id)
        job.name = name
    print("renamed")
""",
        "awaited-scope",
    ),
    _changed(
        "a coroutine that is entered",
        "get_session",
        """\
async def names():
    async with get_session() as session:
        return (await session.scalars(select(Job.name))).all()
""",
        """\
async def names():
    async with await get_session() as session:
        return (await session.scalars(select(Job.name))).all()
""",
        "not-a-scope",
    ),
    Example(
        "a generator dependency that is entered by hand",
        """\
from sqlalchemy import select

from app.db import get_db
from app.models import Job


async def names():
    async with get_db() as session:
        return (await session.scalars(select(Job.name))).all()
""",
        """\
from sqlalchemy import select

from app.db import get_db
from app.models import Job
from contextlib import asynccontextmanager


async def names():
    async with asynccontextmanager(get_db)() as session:
        return (await session.scalars(select(Job.name))).all()
""",
        effects=("now-runs",),
        fault="not-a-scope",
        project=PROJECT,
    ),
    Example(
        "a generator dependency that a route calls",
        """\
from fastapi import APIRouter

from app.db import get_db
from app.models import Job

router = APIRouter()


@router.get("/jobs/{job_id}")
async def show(job_id: int):
    db = get_db()
    job = await db.get(Job, job_id)
    return {"name": job.name}
""",
        """\
from fastapi import APIRouter, Depends
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import get_db
from app.models import Job

router = APIRouter()


@router.get("/jobs/{job_id}")
async def show(job_id: int, db: AsyncSession = Depends(get_db)):
    job = await db.get(Job, job_id)
    return {"name": job.name}
""",
        effects=("now-injected", "now-runs"),
        fault="scope-as-session",
        project=PROJECT,
    ),
    Example(
        "a scope that FastAPI is to inject",
        """\
from fastapi import APIRouter, Depends
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import session_scope
from app.models import Job

router = APIRouter()


@router.get("/jobs/{job_id}")
async def show(job_id: int, db: AsyncSession = Depends(session_scope)):
    job = await db.get(Job, job_id)
    return {"name": job.name}
""",
        """\
from fastapi import APIRouter, Depends
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import session_scope
from app.models import Job

router = APIRouter()


@router.get("/jobs/{job_id}")
async def show(job_id: int, db: AsyncSession = Depends(session_scope.__wrapped__)):
    job = await db.get(Job, job_id)
    return {"name": job.name}
""",
        effects=("now-runs",),
        fault="scope-as-dependency",
        project=PROJECT,
    ),
    _changed(
        "a plain with",
        "session_scope",
        """\
async def names():
    # all of them
    with session_scope() as session:
        result = await session.execute(select(Job.name))
    return result
""",
        """\
async def names():
    # all of them
    async with session_scope() as session:
        result = await session.execute(select(Job.name))
    return result
""",
        "sync-with",
    ),
    _changed(
        "a session that nothing closes",
        "get_session",
        """\
async def names():
    session = await get_session()
    jobs = (await session.scalars(select(Job))).all()
    found = [job.name for job in jobs]
    return found
""",
        """\
async def names():
    async with await get_session() as session:
        jobs = (await session.scalars(select(Job))).all()
        found = [job.name for job in jobs]
        return found
""",
        "never-closed",
        ("now-closed",),
    ),
    _changed(
        "a session that is closed by hand",
        "get_session",
        """\
async def names():
    session = await get_session()
    try:
        return (await session.scalars(select(Job.name))).all()
    finally:
        await session.close()
""",
        """\
async def names():
    async with await get_session() as session:
        return (await session.scalars(select(Job.name))).all()
""",
        "closed-by-hand",
        (),
    ),
    _changed(
        "a commit that nothing awaits",
        "session_scope",
        """\
async def add(name):
    async with session_scope() as session:
        session.add(Job(name=name))
        session.commit()
""",
        """\
async def add(name):
    async with session_scope() as session:
        session.add(Job(name=name))
        await session.commit()
""",
        "missing-await",
    ),
    _changed(
        "a result that is asked before it is there",
        "session_scope",
        """\
async def names():
    async with session_scope() as session:
        return await session.execute(select(Job.name)).scalars().all()
""",
        """\
async def names():
    async with session_scope() as session:
        return (await session.execute(select(Job.name))).scalars().all()
""",
        "missing-await",
    ),
    _changed(
        "a result that is awaited",
        "session_scope",
        """\
async def count():
    async with session_scope() as session:
        result = await session.execute(select(Job.id))
        return await result.scalar()
""",
        """\
async def count():
    async with session_scope() as session:
        result = await session.execute(select(Job.id))
        return result.scalar()
""",
        "not-awaitable",
    ),
    _changed(
        "a query on an AsyncSession",
        "session_scope",
        """\
async def find(name):
    async with session_scope() as session:
        return session.query(Job).filter(Job.name == name).order_by(Job.id).first()
""",
        """\
async def find(name):
    async with session_scope() as session:
        return (await session.execute(select(Job).filter(Job.name == name).order_by(Job.id).limit(1))).scalars().first()
""",
        "query-on-async",
    ),
    _refused(
        "a session used where nothing can be awaited",
        "session_scope",
        """\
def names():
    with session_scope() as session:
        return session.execute(select(Job.name))
""",
        "not-in-coroutine",
        "sync-with",
    ),
    _refused(
        "a scope that is used without a name",
        "session_scope",
        """\
async def names():
    return await session_scope().execute(select(Job.name))
""",
        "unnamed",
        "scope-as-session",
    ),
    _refused(
        "uses of the session outside of the statements that follow",
        "session_scope",
        """\
async def names(quick):
    if quick:
        session = session_scope()
    return await session.execute(select(Job.name))
""",
        "used-elsewhere",
        "scope-as-session",
    ),
    _right(
        "each opened as its definition asks",
        "async_session, get_session, session_scope",
        """\
async def names():
    async with session_scope() as session:
        await session.execute(select(Job.name))
    async with await get_session() as session:
        await session.execute(select(Job.name))
    async with async_session() as session, session.begin():
        await session.execute(select(Job.name))
    scope = session_scope()
    async with scope as session:
        return (await session.execute(select(Job.name))).scalars().all()
""",
    ),
    _right(
        "a coroutine that is awaited later, and a result that is a stream",
        "session_scope",
        """\
import asyncio


async def names():
    async with session_scope() as session:
        later = session.execute(select(Job.name))
        result = await asyncio.wait_for(later, 5)
        await asyncio.gather(session.flush())
        stream = await session.stream(select(Job.name))
        return await stream.scalars().all()
""",
    ),
    _right(
        "a session that is handed on, and closed where it ends",
        "get_session",
        """\
class Store:
    async def open(self):
        session = await get_session()
        return session

    async def close(self, session):
        await session.close()
""",
    ),
)
