"""Every example of `async-session`: found, told and changed as it says."""

import pytest
from ormlift.model import Planned, ScopeChoice, Settings, Source
from ormlift.plan import plan_file
from ormlift.project.facts import read_facts
from ormlift.project.index import link
from ormlift.rules.async_session import CODEMOD
from ormlift.rules.base import Example

from tests.rules.checks import check_example


@pytest.mark.parametrize("example", CODEMOD.examples, ids=lambda e: e.title)
def test_example(example: Example) -> None:
    check_example(CODEMOD, example)


SYNC = """\
from contextlib import contextmanager

from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

SessionLocal = sessionmaker(create_engine("sqlite://"))


@contextmanager
def session_scope():
    with SessionLocal() as session:
        yield session
"""
ASYNC = """\
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

AsyncLocal = async_sessionmaker(create_async_engine("sqlite+aiosqlite://"))


@asynccontextmanager
async def async_scope():
    async with AsyncLocal() as session:
        yield session
"""
BY_HAND = """\
from app.adb import AsyncLocal
from sqlalchemy import text


async def count():
    session = AsyncLocal()
    try:
        return (await session.execute(text("SELECT 1"))).scalar()
    finally:
        await session.close()
"""
OWN, TAKES = "async with AsyncLocal() as session:", "async with async_scope() as session:"


@pytest.mark.parametrize(
    ("scope", "header"),
    [
        (ScopeChoice("session_scope", "app.db"), OWN),  # no async session fits it
        (ScopeChoice("unread_scope", "lib.db"), OWN),  # whether it is async is not known
        (ScopeChoice("async_scope", "app.adb"), TAKES),
        (ScopeChoice("async_scope"), OWN),  # the file does not bind it
        (None, TAKES),
    ],
    ids=["not async", "not read", "async", "not bound", "found"],
)
def test_a_session_closed_by_hand_goes_to_a_scope_that_takes_it(scope: ScopeChoice | None, header: str) -> None:
    """Where `session-scope` refuses the configured scope for it, the session is entered itself."""
    files = {"app/db.py": SYNC, "app/adb.py": ASYNC, "app/jobs.py": BY_HAND}
    index = link(read_facts(Source(path, held)) for path, held in files.items())
    settings = Settings(scopes=(scope,) if scope else (), codemods=(CODEMOD.id, "session-scope"))
    outcome = plan_file(Source("app/jobs.py", BY_HAND), index, settings)
    assert isinstance(outcome, Planned)
    assert header in outcome.after.text
    assert "close()" not in outcome.after.text
    told = {site.codemod: site.reason.code for site in outcome.sites if site.reason and site.codemod == CODEMOD.id}
    assert told == ({CODEMOD.id: "covered"} if header is TAKES else {})
