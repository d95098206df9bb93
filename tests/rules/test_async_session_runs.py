"""Programs of asyncio run on aiosqlite before and after `async-session`: what failed each time, and then works."""

import asyncio
import gc
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ormlift.rules.async_session import CODEMOD
from sqlalchemy.exc import SAWarning

from tests.rules.check_runs import MODELS, PATH, World, client_of, world_of

DB = """
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import NullPool

engine = create_async_engine("sqlite+aiosqlite:///DATABASE", poolclass=NullPool)
async_session = async_sessionmaker(engine, expire_on_commit=False)


@asynccontextmanager
async def session_scope():
    session = async_session()
    try:
        yield session
        await session.commit()
    except Exception:
        await session.rollback()
        raise
    finally:
        await session.close()


async def get_session() -> AsyncSession:
    return async_session()


async def get_db():
    async with async_session() as session:
        yield session
"""
HEAD = """
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import async_session, get_db, get_session, session_scope
from app.models import Job, Task


async def rows():
    async with async_session() as checking:
        return (await checking.execute(text("SELECT id, name FROM jobs ORDER BY id"))).all()
"""
# name, program, error of `work()` before (None: it does not raise), result of work() after, names in the table after
CASES = [
    (
        "a scope taken for the session",
        """
async def work():
    session = session_scope()
    result = await session.execute(select(Job.name).order_by(Job.id))
    return result.scalars().all()
""",
        "'_AsyncGeneratorContextManager' object has no attribute 'execute'",
        ["one", "two"],
        ["one", "two"],
    ),
    (
        "a scope that is awaited, and commits",
        """
async def work():
    session = await session_scope()
    job = await session.get(Job, 1)
    job.name = "new"
    return job.id
""",
        "can't be used in 'await' expression",
        1,
        ["new", "two"],
    ),
    (
        "a scope that is awaited in an async with",
        """
async def work():
    async with await session_scope() as session:
        return (await session.get(Job, 2)).name
""",
        "can't be used in 'await' expression",
        "two",
        ["one", "two"],
    ),
    (
        "a coroutine that is entered",
        """
async def work():
    async with get_session() as session:
        return (await session.get(Job, 2)).name
""",
        "does not support the asynchronous context manager protocol",
        "two",
        ["one", "two"],
    ),
    (
        "a coroutine taken for the session",
        """
async def work():
    session = get_session()
    return (await session.get(Job, 2)).name
""",
        "'coroutine' object has no attribute 'get'",
        "two",
        ["one", "two"],
    ),
    (
        "a generator that is entered",
        """
async def work():
    async with get_db() as session:
        return (await session.get(Job, 2)).name
""",
        "'async_generator' object does not support the asynchronous context manager protocol",
        "two",
        ["one", "two"],
    ),
    (
        "a generator taken for the session",
        """
async def work():
    session = get_db()
    job = await session.get(Job, 2)
    return job.name
""",
        "'async_generator' object has no attribute 'get'",
        "two",
        ["one", "two"],
    ),
    (
        "a plain with",
        """
async def work():
    with session_scope() as session:
        return (await session.get(Job, 2)).name
""",
        "does not support the context manager protocol",
        "two",
        ["one", "two"],
    ),
    (
        "a plain with on a session of a factory",
        """
async def work():
    with async_session() as session:
        return (await session.get(Job, 2)).name
""",
        "does not support the context manager protocol",
        "two",
        ["one", "two"],
    ),
    (
        "a commit that nothing awaits",
        """
async def work():
    async with async_session() as session:
        session.add(Job(name="three"))
        session.commit()
    return "stored"
""",
        None,
        "stored",
        ["one", "two", "three"],
    ),
    (
        "a result that is not awaited first",
        """
async def work():
    async with async_session() as session:
        return await session.execute(select(Job.name)).scalars().all()
""",
        "'coroutine' object has no attribute 'scalars'",
        ["one", "two"],
        ["one", "two"],
    ),
    (
        "a variable that holds a coroutine",
        """
async def work():
    async with async_session() as session:
        result = session.execute(select(Job.name).order_by(Job.id))
        return [name for (name,) in result.all()]
""",
        "'coroutine' object has no attribute 'all'",
        ["one", "two"],
        ["one", "two"],
    ),
    (
        "a result that is awaited",
        """
async def work():
    async with async_session() as session:
        result = await session.execute(select(Job.id).order_by(Job.id))
        return await result.scalar()
""",
        "can't be used in 'await' expression",
        1,
        ["one", "two"],
    ),
    (
        "add that is awaited",
        """
async def work():
    async with session_scope() as session:
        await session.add(Job(name="three"))
    return "added"
""",
        "can't be used in 'await' expression",
        "added",
        ["one", "two", "three"],
    ),
    (
        "queries on an AsyncSession",
        """
async def work():
    async with async_session() as session:
        first = session.query(Job).filter(Job.name != "none").order_by(Job.id.desc()).first()
        every = session.query(Job).filter_by(name="one").all()
        count = await session.query(Job).filter(Job.id > 0).count()
        pairs = session.query(Job.id, Job.name).order_by(Job.id).all()
        joined = session.query(Job).join(Task).order_by(Job.id).all()
        name = session.query(Job.name).filter(Job.id == 2).scalar()
        got = session.query(Job).get(1)
        none = session.query(Job).filter(Job.id == 99).one_or_none()
        names = [first.name, [j.name for j in every], count, [tuple(p) for p in pairs]]
        return [*names, [j.name for j in joined], name, got.name, none]
""",
        "'AsyncSession' object has no attribute 'query'",
        ["two", ["one"], 2, [(1, "one"), (2, "two")], ["one"], "two", "one", None],
        ["one", "two"],
    ),
    (
        "a subquery that is bound to a variable, over several lines",
        """
async def work():
    async with async_session() as session:
        dug = session.query(Task.job_id).filter(Task.title == "dig").scalar_subquery()
        counted = (
            session.query(Task.job_id, Task.title)
            .filter(
                Task.id > 0,
            )
            .subquery("counted")
        )
        first = await session.query(Job).filter(Job.id.in_(dug)).all()
        titles = await (
            session.query(counted.c.title)
            .order_by(counted.c.title)
            .all()
        )
        return [job.name for job in first], [title for title, in titles]
""",
        "'AsyncSession' object has no attribute 'query'",
        (["one"], ["dig", "fill"]),
        ["one", "two"],
    ),
    (
        "a session that nothing closes",
        """
async def work():
    session = await get_session()
    jobs = (await session.scalars(select(Job).order_by(Job.id))).all()
    return [job.name for job in jobs]
""",
        None,
        ["one", "two"],
        ["one", "two"],
    ),
    (
        "a session that is closed by hand",
        """
async def work():
    session = await get_session()
    try:
        session.add(Job(name="three"))
        await session.commit()
        return (await session.get(Job, 3)).name
    finally:
        await session.close()
""",
        None,
        "three",
        ["one", "two", "three"],
    ),
    (
        "a query of a mapping that loads a list by a join",
        """
from sqlalchemy import Column, ForeignKey, Integer
from sqlalchemy.orm import DeclarativeBase, relationship


class Own(DeclarativeBase):
    pass


class Crew(Own):
    __tablename__ = "jobs"

    id = Column(Integer, primary_key=True)
    duties = relationship("Duty", lazy="joined")


class Duty(Own):
    __tablename__ = "tasks"

    id = Column(Integer, primary_key=True)
    job_id = Column(Integer, ForeignKey("jobs.id"))


async def work():
    async with async_session() as session:
        crews = session.query(Crew).all()
        return [(c.id, len(c.duties)) for c in crews]
""",
        "'AsyncSession' object has no attribute 'query'",
        [(1, 2), (2, 0)],
        ["one", "two"],
    ),
]
# name, program, what `work()` gives, names in the table behind it: right as it stands
STAYS = [
    (
        "a generator that is stepped by hand",
        """
async def work():
    gen = get_db()
    session = await gen.__anext__()
    try:
        return await session.scalar(select(Job.name).order_by(Job.id))
    finally:
        await gen.aclose()
""",
        "one",
        ["one", "two"],
    ),
    (
        "a generator that anext() steps",
        """
async def work():
    gen = get_db()
    session = await anext(gen)
    try:
        return await session.scalar(select(Job.name).order_by(Job.id))
    finally:
        await gen.aclose()
""",
        "one",
        ["one", "two"],
    ),
    (
        "a generator that is sent to, and one in a loop",
        """
async def work():
    gen = get_db()
    session = await gen.asend(None)
    name = await session.scalar(select(Job.name).order_by(Job.id))
    await gen.aclose()
    other = get_db()
    async for session in other:
        return name, (await session.get(Job, 2)).name
""",
        ("one", "two"),
        ["one", "two"],
    ),
    (
        "a method of the session that a background task calls",
        """
from fastapi import BackgroundTasks


async def route(tasks):
    session = async_session()
    session.add(Job(name="new"))
    tasks.add_task(session.commit)


async def work():
    tasks = BackgroundTasks()
    await route(tasks)
    await tasks()
""",
        None,
        ["one", "two", "new"],
    ),
    (
        "a session that a background task closes",
        """
from fastapi import BackgroundTasks


async def later(session, job):
    job.name = "new"
    await session.commit()
    await session.close()


async def route(tasks):
    session = async_session()
    job = await session.get(Job, 1)
    tasks.add_task(later, session, job)


async def work():
    tasks = BackgroundTasks()
    await route(tasks)
    await tasks()
""",
        None,
        ["new", "two"],
    ),
    (
        "a coroutine on the session that the caller awaits",
        """
async def finish(session):
    await session.commit()
    await session.close()
    return "stored"


async def begin():
    session = async_session()
    session.add(Job(name="new"))
    return finish(session)


async def work():
    return await (await begin())
""",
        "stored",
        ["one", "two", "new"],
    ),
]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with world_of(tmp_path, CODEMOD, DB, HEAD) as made, warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # coroutines that nothing awaits are what is shown
        yield made


@contextmanager
def _leaking() -> Iterator[None]:
    """What a program leaves open is collected here, and SQLAlchemy warns of it here, not in another test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)
        yield
        gc.collect()


@pytest.mark.parametrize(("name", "program", "error", "result", "names"), CASES, ids=[c[0] for c in CASES])
def test_failed_before_and_works_after(
    world: World, name: str, program: str, error: str | None, result: object, names: list[str]
) -> None:
    before, after = world.before(program), world.after(program)
    with _leaking():
        if error is not None:
            with pytest.raises((AttributeError, TypeError), match=error.replace("(", r"\(")):
                asyncio.run(before.work())
        else:
            assert asyncio.run(before.work()) == result
    world.fill()
    assert asyncio.run(after.work()) == result
    assert [row[1] for row in asyncio.run(after.rows())] == names


@pytest.mark.parametrize(("name", "program", "result", "names"), STAYS, ids=[c[0] for c in STAYS])
def test_what_is_right_stays(world: World, name: str, program: str, result: object, names: list[str]) -> None:
    assert world.planned(program) is None
    assert world.faults(program) == []
    before = world.before(program)
    assert asyncio.run(before.work()) == result
    assert [row[1] for row in asyncio.run(before.rows())] == names


def test_lines_stay_lines(world: World) -> None:
    text = world.planned("""
async def work():
    async with async_session() as session:
        jobs = (
            session.query(Job)
            .filter(
                Job.id > 0,
                Job.name != "none",
            )
            .order_by(Job.id)
            .all()
        )
        return jobs
""")
    assert text is not None
    assert (
        '\n            .filter(\n                Job.id > 0,\n                Job.name != "none",\n            )\n'
        in text
    )
    assert "\n            .order_by(Job.id))).scalars().all()\n        )\n" in text


def test_a_query_inside_another_stays_with_it(world: World) -> None:
    program = """
async def work():
    async with async_session() as session:
        return session.query(session.query(Job).filter(Job.id == 1).exists()).scalar()
"""
    assert world.planned(program) is None
    assert world.faults(program) == ["query-on-async", "query-on-async"]
    with pytest.raises(AttributeError, match="query"):
        asyncio.run(world.before(program).work())


def test_a_commit_that_nothing_awaits_stored_nothing(world: World) -> None:
    program = next(c[1] for c in CASES if c[0] == "a commit that nothing awaits")
    before = world.before(program)
    asyncio.run(before.work())
    assert [row[1] for row in asyncio.run(before.rows())] == ["one", "two"]


def test_a_session_closed_by_hand_is_safe(world: World) -> None:
    program = next(c[1] for c in CASES if c[0] == "a session that is closed by hand")
    assert world.planned(program, unsafe=False) is not None
    for name, other, *_ in CASES:
        if name != "a session that is closed by hand":
            assert world.planned(other, unsafe=False) is None, name


ROUTES = """
from fastapi import Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import get_db, session_scope
from app.models import Job

app = FastAPI()


@app.get("/injected/{job_id}")
async def injected(job_id: int, db: AsyncSession = Depends(session_scope)):
    job = await db.get(Job, job_id)
    return {"name": job.name}


@app.get("/called/{job_id}")
async def called(job_id: int):
    db = get_db()
    job = await db.get(Job, job_id)
    return {"name": job.name}


@app.get("/entered/{job_id}")
async def entered(
    job_id: int,
):
    async with get_db() as db:
        job = await db.get(Job, job_id)
    return {"name": job.name}
"""


@pytest.mark.parametrize("path", ["/injected/2", "/called/2", "/entered/2"])
def test_routes_answer(world: World, path: str) -> None:
    before = client_of(world.before(ROUTES, head=False).app)
    with pytest.raises((AttributeError, TypeError)):
        before.get(path)
    after = client_of(world.after(ROUTES, head=False).app)
    assert after.get(path).json() == {"name": "two"}


LEFT = {
    "a generator that is stepped by hand": """
async def work():
    made = get_db()
    session = await made.__anext__()
    try:
        return (await session.get(Job, 2)).name
    finally:
        await made.aclose()
""",
    "a generator that is stepped by anext": """
async def work():
    made = get_db()
    session = await anext(made)
    try:
        return (await session.get(Job, 2)).name
    finally:
        await made.aclose()
""",
    "a session that a task uses later": """
class Tasks:
    def add_task(self, run):
        self.run = run


async def work():
    tasks = Tasks()
    session = async_session()
    session.add(Job(name="later"))
    tasks.add_task(session.commit)
    await tasks.run()
    return "two"
""",
    "an opening whose error no handler saw": """
async def failing():
    raise OSError("not ready")
    return async_session()


async def other():
    session = await failing()
    try:
        return await session.scalar(select(1))
    except Exception:
        return "handled"
    finally:
        await session.close()
        await rows()


async def work():
    try:
        return await other()
    except OSError:
        return "two"
""",
}


@pytest.mark.parametrize("name", LEFT)
def test_what_no_edit_can_mend_is_left(world: World, name: str) -> None:
    assert world.planned(LEFT[name]) is None
    assert asyncio.run(world.before(LEFT[name]).work()) == "two"


def test_rows_of_a_list_that_is_joined_are_made_unique(world: World) -> None:
    program = """
async def work():
    async with async_session() as session:
        return [job.name for job in session.query(Job).order_by(Job.id).all()]
"""
    models = {"app/models.py": MODELS.replace('relationship("Task", ', 'relationship("Task", lazy="joined", ')}
    text = world.planned(program, others=models)
    assert text is not None
    module = world.load({**world.files(program), **models, PATH: text})
    assert asyncio.run(module.work()) == ["one", "two"]
