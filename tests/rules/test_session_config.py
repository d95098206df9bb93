"""Every example of `session-config`; and that what is told really happens."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from ormlift.rules.base import Example
from ormlift.rules.session_config import CODEMOD
from sqlalchemy import create_engine, text
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import sessionmaker
from sqlalchemy.pool import StaticPool

from tests.rules.checks import check_example


@pytest.mark.parametrize("example", CODEMOD.examples, ids=lambda e: e.title)
def test_example(example: Example) -> None:
    check_example(CODEMOD, example)


def test_autocommit_mode_raises() -> None:
    with pytest.raises(ArgumentError):
        sessionmaker(create_engine("sqlite://"), autocommit=True)()


def test_static_pool_shares_a_transaction_among_threads(tmp_path: Path) -> None:
    """What one thread has not committed is committed by another; without the pool it is not."""
    kept = {}
    for pool in (StaticPool, None):
        options = {"poolclass": pool, "connect_args": {"check_same_thread": False}} if pool else {}
        path = tmp_path / f"{pool is None}.db"
        engine = create_engine(f"sqlite:///{path}", **options)
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE t (x INTEGER)"))
        unfinished = engine.connect()
        unfinished.execute(text("INSERT INTO t VALUES (1)"))

        def commit(engine=engine) -> None:
            with engine.connect() as other:
                other.execute(text("SELECT 1"))
                other.commit()

        thread = threading.Thread(target=commit)
        thread.start()
        thread.join()
        unfinished.rollback()
        unfinished.close()
        with create_engine(f"sqlite:///{path}").connect() as reader:
            kept[pool] = reader.execute(text("SELECT count(*) FROM t")).scalar_one()
    assert kept == {StaticPool: 1, None: 0}


PROGRAM = """
import asyncio, sys
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Job(Base):
    __tablename__ = "jobs"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]

async def main():
    engine = create_async_engine("sqlite+aiosqlite://")
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with async_sessionmaker(engine, **eval(sys.argv[1]))() as session:
        job = Job(name="read")
        session.add(job)
        await session.commit()
        print(job.name)

asyncio.run(main())
"""


def test_async_instances_expire() -> None:
    """In processes of their own: the first leaves a coroutine behind that nobody awaits."""
    pytest.importorskip("greenlet")
    pytest.importorskip("aiosqlite")
    runs = {
        options: subprocess.run([sys.executable, "-c", PROGRAM, options], capture_output=True, text=True, timeout=60)
        for options in ("{}", "{'expire_on_commit': False}")
    }
    assert "MissingGreenlet" in runs["{}"].stderr
    assert runs["{'expire_on_commit': False}"].stdout == "read\n"


STORE = """
import sys
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker

class Base(DeclarativeBase):
    pass

class Job(Base):
    __tablename__ = "jobs"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]

engine = create_engine("sqlite://")
Base.metadata.create_all(engine)
SessionLocal = sessionmaker(engine, **eval(sys.argv[1]))

def store(name):
    with SessionLocal() as session:
        job = Job(name=name)
        session.add(job)
        session.commit()
        return job

print(store("read").name)
"""


def test_what_is_returned_behind_a_commit_has_expired() -> None:
    runs = {
        options: subprocess.run([sys.executable, "-c", STORE, options], capture_output=True, text=True, timeout=60)
        for options in ("{}", "{'expire_on_commit': False}")
    }
    assert "DetachedInstanceError" in runs["{}"].stderr
    assert runs["{'expire_on_commit': False}"].stdout == "read\n"
