"""Examples of `detached-access`: what is read when the session is gone, and what was loaded in time."""

from __future__ import annotations

from ormlift.rules.base import Example

_DB = """\
from contextlib import contextmanager

from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

engine = create_engine("sqlite://")
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
    finally:
        session.close()
"""
_MODELS = """\
from sqlalchemy import Column, ForeignKey, Integer, String
from sqlalchemy.orm import declarative_base, relationship

Base = declarative_base()


class Job(Base):
    __tablename__ = "jobs"

    id = Column(Integer, primary_key=True)
    name = Column(String(50))
    tasks = relationship("Task", back_populates="job")
    notes = relationship("Note", lazy="selectin")


class Task(Base):
    __tablename__ = "tasks"

    id = Column(Integer, primary_key=True)
    title = Column(String(50))
    job_id = Column(Integer, ForeignKey("jobs.id"))
    job = relationship("Job", back_populates="tasks")


class Note(Base):
    __tablename__ = "notes"

    id = Column(Integer, primary_key=True)
    job_id = Column(Integer, ForeignKey("jobs.id"))
"""
_PROJECT = {"app/db.py": _DB, "app/models.py": _MODELS}
_GIVER = """\
from app.db import SessionLocal
from app.models import Job


def find_job(name):
    with SessionLocal() as session:
        return session.query(Job).filter(Job.name == name).first()
"""


def _file(text: str, orm: str = "") -> str:
    first = f"from sqlalchemy.orm import {orm}\n" if orm else ""
    head = "from app.db import SessionLocal, keeping_scope, session_scope\nfrom app.models import Job, Task\n"
    return f"from sqlalchemy import select\n{first}\n{head}\n\n{text}"


def _changed(title: str, before: str, after: str, loader: str) -> Example:
    effects = ("loads-more", "now-runs")
    fault = "lazy-after-close"
    return Example(title, _file(before), _file(after, loader), effects=effects, fault=fault, project=_PROJECT)


def _refused(title: str, text: str, reason: str, fault: str, more: dict[str, str] | None = None) -> Example:
    return Example(title, text, reason=reason, fault=fault, project={**_PROJECT, **(more or {})})


def _right(title: str, text: str) -> Example:
    return Example(title, _file(text), project=_PROJECT)


EXAMPLES: tuple[Example, ...] = (
    _changed(
        "a list of others that is read after the session",
        """\
def titles(name):
    with SessionLocal() as session:
        job = session.query(Job).filter(Job.name == name).first()
    return [task.title for task in job.tasks]
""",
        """\
def titles(name):
    with SessionLocal() as session:
        job = session.query(Job).options(selectinload(Job.tasks)).filter(Job.name == name).first()
    return [task.title for task in job.tasks]
""",
        "selectinload",
    ),
    _changed(
        "the one that a foreign key names, read after a close by hand",
        """\
def owner(task_id):
    session = SessionLocal()
    try:
        task = session.execute(select(Task).where(Task.id == task_id)).scalars().first()
    finally:
        session.close()
    return task.job.name
""",
        """\
def owner(task_id):
    session = SessionLocal()
    try:
        task = session.execute(select(Task).options(joinedload(Task.job)).where(Task.id == task_id)).scalars().first()
    finally:
        session.close()
    return task.job.name
""",
        "joinedload",
    ),
    _changed(
        "by the caller of a function that returns it",
        """\
def load(job_id):
    with SessionLocal() as session:
        return session.get(Job, job_id)


def count(job_id):
    job = load(job_id)
    return len(job.tasks)
""",
        """\
def load(job_id):
    with SessionLocal() as session:
        return session.get(Job, job_id, options=[selectinload(Job.tasks)])


def count(job_id):
    job = load(job_id)
    return len(job.tasks)
""",
        "selectinload",
    ),
    _changed(
        "of each element of a list",
        """\
def counts():
    with SessionLocal() as session:
        jobs = session.query(Job).all()
    return {job.name: len(job.tasks) for job in jobs}
""",
        """\
def counts():
    with SessionLocal() as session:
        jobs = session.query(Job).options(selectinload(Job.tasks)).all()
    return {job.name: len(job.tasks) for job in jobs}
""",
        "selectinload",
    ),
    _refused(
        "what the scope's commit has expired",
        _file("""\
def rename(job_id, name):
    with session_scope() as session:
        job = session.get(Job, job_id)
        job.name = name
    return job.id
"""),
        "take-values-out",
        "expired-after-close",
    ),
    _refused(
        "what was made and stored",
        _file("""\
def store(name):
    with SessionLocal() as session:
        job = Job(name=name)
        session.add(job)
        session.commit()
    return job.id
"""),
        "take-values-out",
        "expired-after-close",
    ),
    _refused(
        "what a template is handed",
        _file("""\
def page(job_id, render_template):
    with session_scope() as session:
        job = session.get(Job, job_id)
    return render_template("job.html", job=job)
"""),
        "take-values-out",
        "expired-after-close",
    ),
    _refused(
        "by a caller in another file than the query",
        "from app.store import find_job\n\n\ndef count(name):\n    job = find_job(name)\n    return len(job.tasks)\n",
        "query-elsewhere",
        "lazy-after-close",
        {"app/store.py": _GIVER},
    ),
    _refused(
        "in a route that is handed the instance of a session before",
        """\
from fastapi import APIRouter, Depends

from app.models import Job
from app.store import find_job

router = APIRouter()


@router.get("/tasks")
def tasks(job: Job = Depends(find_job)):
    return [task.title for task in job.tasks]
""",
        "query-elsewhere",
        "lazy-after-close",
        {"app/store.py": _GIVER},
    ),
    _right(
        "columns of an instance that was not expired",
        """\
def name_of(job_id):
    with SessionLocal() as session:
        job = session.get(Job, job_id)
    return job.name


def name_kept(job_id):
    with keeping_scope() as session:
        job = session.get(Job, job_id)
    return job.name
""",
    ),
    _right(
        "what was loaded in time: by options, by the mapping, by reading it",
        """\
def by_options(name):
    with SessionLocal() as session:
        job = session.query(Job).options(joinedload(Job.tasks)).first()
    return job.tasks


def by_mapping(job_id):
    with SessionLocal() as session:
        job = session.get(Job, job_id)
    return job.notes


def by_reading(job_id):
    with SessionLocal() as session:
        job = session.get(Job, job_id)
        count = len(job.tasks)
    return count, job.tasks
""",
    ),
    _right(
        "an instance that goes to other code, or into another session",
        """\
def to_other_code(job_id, serialize):
    with SessionLocal() as session:
        job = session.get(Job, job_id)
        serialize(job)
    return job.tasks


def load(job_id):
    with SessionLocal() as session:
        return session.get(Job, job_id)


def into_another(job_id):
    job = load(job_id)
    with SessionLocal() as session:
        session.add(job)
        return len(job.tasks)
""",
    ),
    _right(
        "values that were taken out, and an instance that the commit loads anew",
        """\
def rename(job_id, name):
    with session_scope() as session:
        job = session.get(Job, job_id)
        job.name = name
        found = job.id
    return found


def refreshed(job_id, name):
    with SessionLocal() as session:
        job = session.get(Job, job_id)
        job.name = name
        session.commit()
        session.refresh(job)
    return job.name


def loaded_anew(job_id, name):
    with SessionLocal() as session:
        job = session.get(Job, job_id)
        job.name = name
        session.commit()
        jobs = session.query(Job).all()
    return job.name, len(jobs)
""",
    ),
)
