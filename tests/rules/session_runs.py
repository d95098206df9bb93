"""Runs a program on a real database before and after `session-scope`: what the tests of safe and unsafe share."""

import sys
import textwrap
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType

from ormlift.model import Planned, ScopeChoice, Settings, Source
from ormlift.plan import plan_file
from ormlift.project.facts import read_facts
from ormlift.project.graph import ImportGraph, import_lines
from ormlift.project.index import link
from ormlift.project.texts import Texts
from ormlift.rules.session_scope import CODEMOD
from sqlalchemy import event

DB = """\
from contextlib import contextmanager

from sqlalchemy import create_engine, event, text
from sqlalchemy.orm import Session, scoped_session, sessionmaker

engine = create_engine("sqlite:///DATABASE")
SessionLocal = sessionmaker(bind=engine)
KeepingLocal = sessionmaker(bind=engine, expire_on_commit=False)
ArchiveLocal = sessionmaker(bind=create_engine("sqlite:///DATABASE.archive"))
opened = []


class Trouble(Exception):
    pass


def get_session():
    return SessionLocal()


def get_keeping():
    return KeepingLocal()


@contextmanager
def commits():
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
def keeps():
    session = KeepingLocal()
    try:
        yield session
        session.commit()
    except Exception:
        session.rollback()
        raise
    finally:
        session.close()


@contextmanager
def reads():
    session = SessionLocal()
    try:
        yield session
    finally:
        session.close()


@contextmanager
def wraps():
    session = SessionLocal()
    try:
        yield session
        session.commit()
    except Exception as error:
        session.rollback()
        raise Trouble(str(error)) from error
    finally:
        session.close()


@contextmanager
def swallows():
    session = SessionLocal()
    try:
        yield session
        session.commit()
    except Exception:
        session.rollback()
    finally:
        session.close()


@contextmanager
def asks():
    session = SessionLocal()
    try:
        session.execute(text("SELECT 1 FROM licences"))
        yield session
        session.commit()
    except Exception:
        session.rollback()
        raise
    finally:
        session.close()


registry = scoped_session(SessionLocal)


@contextmanager
def shares():
    session = registry()
    try:
        yield session
        session.commit()
    except Exception:
        session.rollback()
        raise
"""
MODELS = """\
from sqlalchemy import Boolean, Column, ForeignKey, Integer, String
from sqlalchemy.orm import declarative_base, relationship

Base = declarative_base()


class Job(Base):
    __tablename__ = "jobs"

    id = Column(Integer, primary_key=True)
    name = Column(String(50), unique=True)
    done = Column(Boolean, default=False)
    tasks = relationship("Task", back_populates="job")

    def finish(self):
        self.done = True


class Task(Base):
    __tablename__ = "tasks"

    id = Column(Integer, primary_key=True)
    title = Column(String(50))
    job_id = Column(Integer, ForeignKey("jobs.id"))
    job = relationship("Job", back_populates="tasks")
"""
HEAD = """\
import logging

from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError

from app.db import ArchiveLocal, get_keeping, get_session
from app.models import Job, Task

log = logging.getLogger("jobs")
log.addHandler(logging.NullHandler())
log.propagate = False


def touch(job):
    job.done = True


def show(job):
    return job.name.upper()


"""


@dataclass(frozen=True)
class Case:
    title: str
    body: str  # defines `work`
    scope: str
    effects: tuple[str, ...] = ()  # none: safe, and equal
    calls: tuple[str, ...] = ("work()",)
    differs: str = ""  # the call whose outcome, or `rows`, differs where there is an effect
    rest: str = ""  # what more the module holds
    db: str = ""  # what more the module of sessions holds
    models: str = ""  # what more the models hold
    other: str = ""  # what more another module holds
    tests: str = ""  # a module of tests, which `app.jobs` may ask to `check()`
    settings: Settings = field(default_factory=Settings)  # all but the scope


OTHER = """\
from app.models import Job


def change(session):
    session.add(Job(name="elsewhere"))


class Jobs:
    def __init__(self, session):
        self.session = session

    def add(self, name):
        self.session.add(Job(name=name))
"""


def files_of(case: Case) -> dict[str, str]:
    head = HEAD.replace("get_session\n", f"get_session, {case.scope.partition('.')[0]}\n") if case.scope else HEAD
    jobs = head + case.rest + "\n\n" + textwrap.dedent(case.body).strip() + "\n"
    return {
        "app/__init__.py": "",
        "app/db.py": DB + textwrap.dedent(case.db),
        "app/models.py": MODELS + textwrap.dedent(case.models),
        "app/other.py": OTHER + "\n\n" + case.other,
        "app/testing.py": case.tests,
        "app/jobs.py": jobs,
    }


def plan_of(case: Case, path: str = "app/jobs.py") -> tuple[dict[str, str], Planned]:
    files = files_of(case)
    known = link(read_facts(Source(path, text)) for path, text in files.items())
    imports = ImportGraph({path: import_lines(text, path) for path, text in files.items()})
    index = replace(known, imports=imports, texts=Texts.of(files))
    scopes = (ScopeChoice(case.scope, "app.db"),) if case.scope else ()
    settings = replace(case.settings, scopes=scopes, codemods=(CODEMOD.id,), unsafe=True)
    outcome = plan_file(Source(path, files["app/jobs.py"]), index, settings)
    assert isinstance(outcome, Planned), outcome
    return {**files, "app/jobs.py": outcome.after.text}, outcome


def run_of(files: dict[str, str], calls: tuple[str, ...], database: Path) -> dict[str, object]:
    """What each call returns or raises, and the rows that are in the database in the end."""
    parts = ("app", "app.db", "app.models", "app.other", "app.jobs", "app.testing")
    modules = {name: ModuleType(name) for name in parts}
    held = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    seen: dict[str, object] = {}
    try:
        for name in parts[1:]:
            text = files[name.replace(".", "/") + ".py"].replace("DATABASE", str(database))
            exec(compile(text, name, "exec"), modules[name].__dict__)
            setattr(modules["app"], name.partition(".")[2], modules[name])
        opened = modules["app.db"].opened
        event.listen(modules["app.db"].SessionLocal, "after_begin", lambda session, *_: opened.append(session))
        engine, models = modules["app.db"].engine, modules["app.models"]
        models.Base.metadata.create_all(engine)
        with modules["app.db"].SessionLocal() as session:
            session.add_all(models.Job(id=i, name=n) for i, n in ((1, "first"), (2, "second"), (3, "third")))
            session.add(models.Task(id=1, title="start", job_id=1))
            session.commit()
        for call in calls:
            try:
                seen[call] = repr(eval(call, modules["app.jobs"].__dict__))
            except Exception as error:
                seen[call] = type(error).__name__
        modules["app.db"].registry.remove()
        with engine.connect() as connection:
            jobs = connection.exec_driver_sql("SELECT id, name, done FROM jobs ORDER BY id").fetchall()
            tasks = connection.exec_driver_sql("SELECT title, job_id FROM tasks ORDER BY id").fetchall()
            seen["rows"] = [*jobs, *tasks]
        seen["open"] = [s for s in opened if s.in_transaction()]
        engine.dispose()
    finally:
        for name, module in held.items():
            sys.modules.pop(name)
            if module is not None:
                sys.modules[name] = module
    return seen
