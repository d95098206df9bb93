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
from contextlib import contextmanager

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


BACKREF = """
from sqlalchemy import Column, ForeignKey, Integer, String
from sqlalchemy.orm import backref, declarative_base, relationship

Other = declarative_base()


class Desk(Other):
    __tablename__ = "jobs"

    id = Column(Integer, primary_key=True)
    name = Column(String(50))


class Slip(Other):
    __tablename__ = "tasks"

    id = Column(Integer, primary_key=True)
    title = Column(String(50))
    job_id = Column(Integer, ForeignKey("jobs.id"))
    desk = relationship("Desk", backref=backref("slips"LAZY))


def work():
    with SessionLocal() as session:
        desk = session.query(Desk).filter(Desk.name == "one").first()
    return [slip.title for slip in desk.slips]
"""


def test_a_backref_is_a_relationship_too(world: World) -> None:
    program = BACKREF.replace("LAZY", "")
    with pytest.raises(DetachedInstanceError, match="lazy load operation of attribute 'slips'"):
        world.before(program).work()
    assert "selectinload(Desk.slips)" in (world.planned(program) or "")
    assert world.after(program).work() == ["dig", "fill"]


def test_a_deferred_column_is_loaded_with_its_row(world: World) -> None:
    program = """
def work():
    with SessionLocal() as session:
        job = session.query(Job).filter(Job.id == 1).first()
    return job.notes
"""
    with pytest.raises(DetachedInstanceError, match="deferred load operation of attribute 'notes'"):
        world.before(program).work()
    assert ".options(undefer(Job.notes))" in (world.planned(program) or "")
    assert world.after(program).work() == "first"


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
    "made, stored and read": """
def work():
    session = SessionLocal()
    try:
        job = Job(name="new")
        session.add(job)
        session.commit()
    finally:
        session.close()
    return job.id
""",
    "made, stored, and read by the caller": """
def store(name):
    with SessionLocal() as session:
        job = Job(name=name)
        session.add(job)
        session.commit()
        return job


def work():
    job = store("new")
    return job.id
""",
    "found or made": """
def work():
    with session_scope() as session:
        job = session.query(Job).filter(Job.name == "new").first()
        if job is None:
            job = Job(name="new")
            session.add(job)
    return job.name
""",
    "by the end of begin()": """
def work():
    with SessionLocal() as session:
        with session.begin():
            job = session.get(Job, 1)
            job.name = "new"
    return job.name
""",
    "on one of two ways": """
class Desk:
    def __init__(self, manager=None):
        self.manager = manager

    def jobs(self):
        if self.manager is None:
            with session_scope() as session:
                return session.query(Job).all()
        with SessionLocal() as session:
            return session.query(Job).all()


def work():
    desk = Desk()
    jobs = desk.jobs()
    return [job.name for job in jobs]
""",
    "by an object that only its name tells of": """
class ScopeManager:
    @contextmanager
    def scope(self):
        session = SessionLocal()
        try:
            yield session
            session.commit()
        finally:
            session.close()


class Desk:
    def __init__(self, **parts):
        self.scope_manager = parts["manager"]

    def first(self):
        with self.scope_manager.scope() as session:
            return session.query(Job).first()


def work():
    desk = Desk(manager=ScopeManager())
    job = desk.first()
    return job.name
""",
    "by a template": """
def page():
    from flask import render_template_string
    with session_scope() as session:
        job = session.get(Job, 1)
    return render_template_string("{{ job.name }}", job=job)


def work():
    from flask import Flask
    with Flask("app").app_context():
        return page()
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
    "a query behind the commit loads it anew": """
def work():
    with SessionLocal() as session:
        job = session.get(Job, 1)
        job.name = "new"
        session.commit()
        every = session.query(Job).all()
    return [job.name, len(every)]
""",
    "a statement of a variable may load it anew": """
def work():
    with SessionLocal() as session:
        statement = select(Job)
        job = session.get(Job, 1)
        session.commit()
        every = session.scalars(statement).all()
    return [job.name, len(every)]
""",
    "made and kept": """
def work():
    with keeping_scope() as session:
        job = Job(name="new")
        session.add(job)
    return job.name
""",
    "no mapped class": """
class Plan:
    name = "plan"


def work():
    with session_scope() as session:
        job = session.get(Job, 1)
        plan = Plan()
        job.name = plan.name
    return plan.name
""",
    "a deferred column that the query names": """
def work():
    from sqlalchemy.orm import undefer
    with SessionLocal() as session:
        job = session.query(Job).options(undefer(Job.notes)).first()
    return job.notes
""",
    "another query has loaded the relationship": """
def work():
    from sqlalchemy.orm import selectinload
    with SessionLocal() as session:
        job = session.get(Job, 1)
        every = session.query(Job).options(selectinload(Job.tasks)).all()
    return [len(job.tasks), len(every)]
""",
    "a backref that is joined": BACKREF.replace("LAZY", ', lazy="joined"'),
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
