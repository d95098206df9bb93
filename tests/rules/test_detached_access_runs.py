"""Programs run on a real database before and after `detached-access`: DetachedInstanceError, and then the values."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from ormlift.rules.detached_access import CODEMOD
from sqlalchemy.orm.exc import DetachedInstanceError

from tests.rules.check_runs import World, client_of, world_of

DB = """
from contextlib import contextmanager

from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker
from sqlalchemy.pool import NullPool

engine = create_engine("sqlite:///DATABASE", poolclass=NullPool)
SessionLocal = sessionmaker(bind=engine)
KeepingLocal = sessionmaker(bind=engine, expire_on_commit=False)


@contextmanager
def session_scope():
    session = SessionLocal()
    try:
        yield session
        session.commit()
    except Exception:
        session.rollback()
        raise
    finally:
        session.close()


@contextmanager
def keeping_scope():
    session = KeepingLocal()
    try:
        yield session
        session.commit()
    except Exception:
        session.rollback()
        raise
    finally:
        session.close()
"""
HEAD = """
from sqlalchemy import select

from app.db import KeepingLocal, SessionLocal, keeping_scope, session_scope
from app.models import Job, Task
"""
LAZY = {
    "a list behind the block": """
def work():
    with SessionLocal() as session:
        job = session.query(Job).filter(Job.name == "one").first()
    return [task.title for task in job.tasks]
""",
    "behind a close by hand": """
def work():
    session = SessionLocal()
    job = session.get(Job, 1)
    session.close()
    return [task.title for task in job.tasks]
""",
    "in a select, under a scope that keeps": """
def work():
    with keeping_scope() as session:
        job = session.execute(select(Job).where(Job.id == 1)).scalars().one()
    return [task.title for task in job.tasks]
""",
    "of each of a list": """
def work():
    with SessionLocal() as session:
        jobs = session.query(Job).order_by(Job.id).all()
    return [task.title for job in jobs for task in job.tasks]
""",
    "by the caller": """
def load(name):
    session = SessionLocal()
    try:
        return session.query(Job).filter(Job.name == name).first()
    finally:
        session.close()


def work():
    job = load("one")
    return [task.title for task in job.tasks]
""",
    "by another method": """
class Desk:
    def open(self):
        with SessionLocal() as session:
            self.job = session.query(Job).filter(Job.name == "one").first()

    def titles(self):
        return [task.title for task in self.job.tasks]


def work():
    desk = Desk()
    desk.open()
    return desk.titles()
""",
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with world_of(tmp_path, CODEMOD, DB, HEAD) as made:
        yield made


@pytest.mark.parametrize("name", LAZY)
def test_a_relationship_behind_the_close(world: World, name: str) -> None:
    with pytest.raises(DetachedInstanceError, match="lazy load operation of attribute 'tasks'"):
        world.before(LAZY[name]).work()
    assert world.planned(LAZY[name], unsafe=False) is None
    assert world.after(LAZY[name]).work() == ["dig", "fill"]


def test_the_other_side_is_joined(world: World) -> None:
    program = """
def work():
    with SessionLocal() as session:
        task = session.query(Task).filter(Task.id == 2).first()
    return task.job.name
"""
    with pytest.raises(DetachedInstanceError):
        world.before(program).work()
    assert "joinedload(Task.job)" in (world.planned(program) or "")
    assert world.after(program).work() == "one"


EXPIRED = {
    "by the scope": """
def work():
    with session_scope() as session:
        job = session.get(Job, 1)
        job.name = "new"
    return job.name
""",
    "by a commit of the block": """
def work():
    session = SessionLocal()
    job = session.get(Job, 1)
    job.name = "new"
    session.commit()
    session.close()
    return job.name
""",
    "and read by the caller": """
def rename():
    with session_scope() as session:
        job = session.get(Job, 1)
        job.name = "new"
        return job


def work():
    job = rename()
    return job.name
""",
}


@pytest.mark.parametrize("name", EXPIRED)
def test_what_a_commit_expired_is_told_and_stays(world: World, name: str) -> None:
    with pytest.raises(DetachedInstanceError, match="attribute refresh operation"):
        world.before(EXPIRED[name]).work()
    assert world.planned(EXPIRED[name]) is None
    assert world.faults(EXPIRED[name]) == ["expired-after-close"]


RIGHT = {
    "a factory that keeps": EXPIRED["by the scope"].replace("session_scope", "keeping_scope"),
    "columns behind a plain close": """
def work():
    with SessionLocal() as session:
        job = session.get(Job, 1)
    return job.name
""",
    "loaded anew behind the commit": """
def work():
    with SessionLocal() as session:
        job = session.get(Job, 1)
        job.name = "new"
        session.commit()
        name = job.name
    return [job.name, name]
""",
    "loaded by reading": """
def work():
    with SessionLocal() as session:
        job = session.get(Job, 1)
        count = len(job.tasks)
    return count, len(job.tasks)
""",
    "expunged before the commit": """
def work():
    with session_scope() as session:
        job = session.get(Job, 1)
        session.expunge(job)
    return job.name
""",
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_works_is_not_told(world: World, name: str) -> None:
    assert world.before(RIGHT[name]).work()
    assert world.faults(RIGHT[name]) == []


ROUTES = """
from fastapi import Depends, FastAPI

from app.db import SessionLocal
from app.models import Job

app = FastAPI()


def current_job(name: str):
    with SessionLocal() as session:
        return session.query(Job).filter(Job.name == name).first()


@app.get("/titles")
def titles(job: Job = Depends(current_job)):
    return [task.title for task in job.tasks]
"""


def test_a_route_is_handed_an_instance_of_a_session_before(world: World) -> None:
    with pytest.raises(DetachedInstanceError):
        client_of(world.before(ROUTES, head=False).app).get("/titles?name=one")
    after = client_of(world.after(ROUTES, head=False).app)
    assert after.get("/titles?name=one").json() == ["dig", "fill"]


DEEPER = {
    "one behind another": (
        "task = session.query(Task).filter(Task.id == 1).first()",
        "[other.title for other in task.job.tasks]",
        "joinedload(Task.job).selectinload(Job.tasks)",
    ),
    "lists in lists": (
        "jobs = session.query(Job).order_by(Job.id).all()",
        "[task.job.name for job in jobs for task in job.tasks]",
        "selectinload(Job.tasks).joinedload(Task.job)",
    ),
    "by a variable, behind a lock": (
        "task = session.execute(select(Task).where(Task.id == 1).with_for_update()).scalars().first()",
        "(job := task.job) and [other.title for other in job.tasks]",
        "selectinload(Task.job).selectinload(Job.tasks)",
    ),
    "a lock of get()": (
        "task = session.get(Task, 1, with_for_update=True)",
        "task.job.name",
        "options=[selectinload(Task.job)]",
    ),
    "a statement as text": (
        "task = session.query(Task).from_statement(text('SELECT * FROM tasks')).first()",
        "task.job.name",
        "selectinload(Task.job)",
    ),
    "a query that groups": (
        "task = session.query(Task).join(Job).group_by(Task.id).first()",
        "task.job.name",
        "selectinload(Task.job)",
    ),
}


@pytest.mark.parametrize("name", DEEPER)
def test_all_that_is_read_is_loaded(world: World, name: str) -> None:
    query, read, written = DEEPER[name]
    imports = "from sqlalchemy import text\n\n\n"
    program = f"{imports}def work():\n    with SessionLocal() as session:\n        {query}\n    return {read}\n"
    with pytest.raises(DetachedInstanceError):
        world.before(program).work()
    assert written in (world.planned(program) or "")
    assert world.after(program).work()


def test_a_class_without_a_name_here_is_told(world: World) -> None:
    program = """
from app.db import SessionLocal
from app.models import Task


def work():
    with SessionLocal() as session:
        task = session.get(Task, 1)
    return [other.title for other in task.job.tasks]
"""
    assert world.planned(program, head=False) is None


AGAIN = {
    "set behind the close": """
def work():
    with SessionLocal() as session:
        task = session.get(Task, 1)
    task.job = Job(name="new")
    return task.job.name
""",
    "put into a session again": """
def work():
    with SessionLocal() as session:
        task = session.get(Task, 1)
    with SessionLocal() as session:
        session.add(task)
        return task.job.name
""",
    "put into the same session again": """
def work():
    session = SessionLocal()
    task = session.get(Task, 1)
    session.close()
    session.add(task)
    name = task.job.name
    session.close()
    return name
""",
    "asked for what is loaded": """
def work():
    from sqlalchemy import inspect
    with SessionLocal() as session:
        task = session.get(Task, 1)
    if "job" in inspect(task).unloaded:
        return "not loaded"
    return task.job.name
""",
}


@pytest.mark.parametrize("name", AGAIN)
def test_what_needs_no_load_is_not_told(world: World, name: str) -> None:
    assert world.before(AGAIN[name]).work()
    assert world.faults(AGAIN[name]) == []
