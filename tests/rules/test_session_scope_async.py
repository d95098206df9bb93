"""Async sessions under async scopes, and under their own `async with`: run on aiosqlite before and after."""

import asyncio
import gc
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import pytest
from ormlift.model import Planned, ScopeChoice, Settings, Source
from ormlift.plan import plan_file
from ormlift.project.facts import read_facts
from ormlift.project.index import link
from ormlift.rules.session_scope import CODEMOD

DB = """\
from contextlib import asynccontextmanager

from sqlalchemy import Column, Integer, String, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import declarative_base
from sqlalchemy.pool import NullPool

engine = create_async_engine("sqlite+aiosqlite:///DATABASE", poolclass=NullPool)
Sessions = async_sessionmaker(engine)
Base = declarative_base()


class Job(Base):
    __tablename__ = "jobs"

    id = Column(Integer, primary_key=True)
    name = Column(String(50), unique=True)


async def get_session() -> AsyncSession:
    return Sessions()


@asynccontextmanager
async def commits():
    session = Sessions()
    try:
        yield session
        await session.commit()
    except Exception:
        await session.rollback()
        raise
    finally:
        await session.close()
"""


@dataclass(frozen=True)
class Case:
    title: str
    body: str
    writes: str
    effects: tuple[str, ...] = ()
    settings: Settings = field(default_factory=Settings)
    differs: str = ""


FAITHFUL = Settings(scope_choice="faithful")
CASES = (
    Case(
        "a factory's session, committed last",
        """
        async def work(name="more"):
            s = Sessions()
            try:
                s.add(Job(name=name))
                await s.commit()
            finally:
                await s.close()
        """,
        "async with commits() as s:\n        s.add(Job(name=name))\n",
    ),
    Case(
        "a coroutine's session, with a handler",
        """
        async def work(name="first"):
            s = await get_session()
            try:
                s.add(Job(name=name))
                await s.commit()
            except Exception:
                await s.rollback()
                return (await s.execute(select(func.count()).select_from(Job))).scalar()
            finally:
                await s.close()
        """,
        "async with commits() as s:",
    ),
    Case(
        "a guard before the try",
        """
        async def work():
            s = None
            try:
                s = Sessions()
                return (await s.execute(select(Job.name))).scalars().all()
            finally:
                if s is not None:
                    await s.close()
        """,
        "async with commits() as s:",
    ),
    Case(
        "a change that is discarded, where the choice is faithful",
        """
        async def work():
            s = await get_session()
            try:
                s.add(Job(name="never"))
                await s.flush()
                return (await s.execute(select(func.count()).select_from(Job))).scalar()
            finally:
                await s.close()
        """,
        "async with await get_session() as s:",
        settings=FAITHFUL,
    ),
    Case(
        "an async generator, where the choice is faithful",
        """
        async def names():
            s = Sessions()
            try:
                for job in (await s.execute(select(Job).order_by(Job.id))).scalars():
                    yield job.name
            finally:
                await s.close()


        async def work():
            return [name async for name in names()]
        """,
        "async with Sessions() as s:",
        settings=FAITHFUL,
    ),
    Case(
        "a change that was discarded and is committed",
        """
        async def work():
            s = Sessions()
            try:
                s.add(Job(name="more"))
                await s.flush()
            finally:
                await s.close()
        """,
        "async with commits() as s:",
        ("commits-uncommitted",),
        differs="rows",
    ),
    Case(
        "an instance that outlives the block",
        """
        async def find():
            s = Sessions()
            try:
                return await s.get(Job, 1)
            finally:
                await s.close()


        async def work():
            return (await find()).name
        """,
        "async with commits() as s:",
        ("expires-instances",),
        differs="work()",
    ),
    Case(
        "a session that nothing closes",
        """
        async def work():
            s = Sessions()
            return (await s.execute(select(Job.name))).scalars().all()
        """,
        "async with commits() as s:",
        ("now-closed",),
    ),
)


def _run(files: dict[str, str], database: Path) -> dict[str, object]:
    modules = {name: ModuleType(name) for name in ("app", "app.db", "app.jobs")}
    held = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    seen: dict[str, object] = {}

    async def program() -> None:
        db = modules["app.db"]
        async with db.engine.begin() as connection:
            await connection.run_sync(db.Base.metadata.create_all)
        async with db.Sessions() as session:
            session.add_all(db.Job(id=i, name=n) for i, n in ((1, "first"), (2, "second")))
            await session.commit()
        try:
            seen["work()"] = repr(await modules["app.jobs"].work())
        except Exception as error:
            seen["work()"] = type(error).__name__
        async with db.Sessions() as session:
            seen["rows"] = (await session.execute(db.select(db.Job.id, db.Job.name).order_by(db.Job.id))).all()

    try:
        for name in ("app.db", "app.jobs"):
            text = files[name.replace(".", "/") + ".py"].replace("DATABASE", str(database))
            exec(compile(text, name, "exec"), modules[name].__dict__)
        asyncio.run(program())
    finally:
        for name, module in held.items():
            sys.modules.pop(name)
            if module is not None:
                sys.modules[name] = module
    return seen


@pytest.fixture
def collected() -> Iterator[None]:
    """What a program leaves open is collected in its own test, and warned of there, not in another."""
    yield
    gc.collect()


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.title)
@pytest.mark.filterwarnings("ignore")  # the program itself leaves sessions to be collected
@pytest.mark.usefixtures("collected")
def test_runs_as_before_but_for_the_effects(case: Case, tmp_path: Path) -> None:
    head = "from sqlalchemy import func, select\n\nfrom app.db import Job, Sessions, commits, get_session\n\n\n"
    before = {"app/__init__.py": "", "app/db.py": DB, "app/jobs.py": head + textwrap.dedent(case.body).strip() + "\n"}
    index = link(read_facts(Source(path, text)) for path, text in before.items())
    settings = Settings(
        scopes=(ScopeChoice("commits", "app.db"),),
        scope_choice=case.settings.scope_choice,
        codemods=(CODEMOD.id,),
        unsafe=True,
    )
    outcome = plan_file(Source("app/jobs.py", before["app/jobs.py"]), index, settings)
    assert isinstance(outcome, Planned)
    assert tuple(effect.code for site in outcome.sites for effect in site.effects) == case.effects
    assert case.writes in outcome.after.text
    one = _run(before, tmp_path / "before.db")
    other = _run({**before, "app/jobs.py": outcome.after.text}, tmp_path / "after.db")
    if case.differs:
        assert one[case.differs] != other[case.differs]
    else:
        assert one == other
