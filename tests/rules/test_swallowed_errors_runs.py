"""Programs run on a real database before and after `swallowed-errors`: who learns of an error, and who goes on."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from ormlift.rules.swallowed_errors import CODEMOD
from sqlalchemy.exc import OperationalError, PendingRollbackError

from tests.rules.check_runs import World, world_of

DB = """
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import sessionmaker
from sqlalchemy.pool import NullPool

engine = create_engine("sqlite:///DATABASE", poolclass=NullPool)
SessionLocal = sessionmaker(bind=engine)
async_session = async_sessionmaker(create_async_engine("sqlite+aiosqlite:///DATABASE", poolclass=NullPool))
"""
HEAD = """
import logging

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from app.db import SessionLocal, async_session
from app.models import Job

log = logging.getLogger("jobs")
log.addHandler(logging.NullHandler())
log.propagate = False


def work():
    with SessionLocal() as session:
        return use(session)
"""
FIND = """
def use(db: Session):
    try:
        return db.query(Job).filter(Job.name == "none").first()
    except Exception as error:
        log.error("failed: %s", error)
        return None
"""
LIST = """
def use(db: Session):
    try:
        return db.query(Job).filter(Job.id > 10).all()
    except Exception:
        log.exception("failed")
    return []
"""
STORE = """
def use(db: Session):
    try:
        db.add(Job(name="new"))
        db.commit()
    except Exception:
        db.rollback()
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with world_of(tmp_path, CODEMOD, DB, HEAD) as made:
        yield made


@pytest.mark.parametrize(("program", "nothing"), [(FIND, None), (LIST, []), (STORE, None)])
def test_no_row_and_no_database_are_told_apart(world: World, program: str, nothing: object) -> None:
    before, after = world.before(program), world.after(program)
    assert before.work() == after.work() == nothing if program is not STORE else before.work() is None
    world.database.write_bytes(b"")  # no tables: what a query of a broken database meets
    assert before.work() == nothing
    with pytest.raises(OperationalError):
        after.work()


def test_raise_is_never_safe(world: World) -> None:
    for program in (FIND, LIST, STORE):
        assert world.planned(program, unsafe=False) is None


LOOP = """
def use(db: Session):
    failed = []
    for name in ("three", "one", "four"):
        db.add(Job(name=name))
        try:
            db.commit()
        except IntegrityError:
            failed.append(name)
    return failed
"""
HANDLER = """
def use(db: Session):
    job = db.get(Job, 2)
    try:
        job.name = "one"
        db.flush()
        db.commit()
    except Exception as error:
        job.name = type(error).__name__
        db.commit()
    return job.name
"""


@pytest.mark.parametrize(
    ("program", "result", "names"),
    [
        (LOOP, ["one"], ["one", "two", "three", "four"]),
        (HANDLER, "IntegrityError", ["one", "IntegrityError"]),
    ],
)
def test_a_session_is_used_again(world: World, program: str, result: object, names: list[str]) -> None:
    with pytest.raises(PendingRollbackError):
        world.before(program).work()
    world.fill()
    assert world.after(program).work() == result
    assert [row[1] for row in world.rows()] == names


def test_what_was_pending_is_discarded(world: World) -> None:
    """What the effect `discards-pending` says: an error that is not the commit's."""
    program = """
def use(db: Session):
    try:
        db.add(Job(name="new"))
        int("no number")
        db.commit()
    except Exception:
        log.exception("failed")
    return db.query(Job).count()
"""
    assert world.before(program).work() == 3
    text = world.planned(program)
    assert text is not None
    assert "db.rollback()" in text
    assert world.after(program).work() == 2


ASYNC = """
async def use_async(db: AsyncSession):
    db.add(Job(name="one"))
    try:
        await db.commit()
    except IntegrityError:
        log.info("known already")
    return await db.scalar(text("SELECT count(*) FROM jobs"))


async def start():
    async with async_session() as session:
        return await use_async(session)
"""


def test_an_async_session(world: World) -> None:
    with pytest.raises(PendingRollbackError):
        asyncio.run(world.before(ASYNC).start())
    world.fill()
    assert asyncio.run(world.after(ASYNC).start()) == 2


def test_a_rollback_in_a_function_of_the_file_counts(world: World) -> None:
    program = """
def use(db: Session):
    def undo():
        db.rollback()

    try:
        db.add(Job(name="one"))
        db.commit()
    except IntegrityError:
        undo()
    return db.query(Job).count()


def work():
    with SessionLocal() as db:
        return use(db)
"""
    assert world.faults(program) == []
    assert world.before(program).work() == 2
