"""Examples of `dependency-lifecycle`: how generators and teardowns end a session, and what each becomes."""

from __future__ import annotations

from ormlift.rules.base import Example

_HEAD = """\
from contextlib import contextmanager

from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

SessionLocal = sessionmaker(bind=create_engine("sqlite://"))


"""
_LOSES = """\
from fastapi import APIRouter, Depends
from sqlalchemy.orm import Session

from app.jobs import get_db
from app.models import Job

router = APIRouter()


@router.post("/jobs", status_code=201)
def create(name: str, db: Session = Depends(get_db)):
    db.add(Job(name=name))
    return {"name": name}
"""
_COMMITS = _LOSES.replace("    return", "    db.commit()\n    return")
_STORES = _LOSES.replace(
    "router = APIRouter()\n", "router = APIRouter()\n\n\ndef store(db, job):\n    db.add(job)\n"
).replace("    db.add(Job(name=name))\n", "    store(db, Job(name=name))\n")
_HANDS_ON = _LOSES.replace("    db.add(Job(name=name))\n", "    store(db, Job(name=name))\n")


def _changed(
    title: str, before: str, after: str, fault: str, *effects: str, routes: str = "", head: str = _HEAD
) -> Example:
    project = {"app/routes.py": routes} if routes else {}
    return Example(title, head + before, head + after, effects=effects, fault=fault, project=project)


def _right(title: str, text: str, routes: str = "") -> Example:
    return Example(title, _HEAD + text, project={"app/routes.py": routes} if routes else {})


_CLOSES = """\
def get_db():
    db = SessionLocal()
    try:
        yield db
    finally:
        db.close()
"""
EXAMPLES: tuple[Example, ...] = (
    _changed(
        "a dependency that nobody commits",
        _CLOSES,
        """\
def get_db():
    db = SessionLocal()
    try:
        yield db
        db.commit()
    except Exception:
        db.rollback()
        raise
    finally:
        db.close()
""",
        "never-committed",
        "after-response",
        "now-commits",
        routes=_LOSES,
    ),
    _changed(
        "routes hand the session to a function that writes, and nobody commits",
        _CLOSES,
        """\
def get_db():
    db = SessionLocal()
    try:
        yield db
        db.commit()
    except Exception:
        db.rollback()
        raise
    finally:
        db.close()
""",
        "never-committed",
        "after-response",
        "now-commits",
        routes=_STORES,
    ),
    _changed(
        "the same with comments, which stay where they are",
        """\
def get_db():
    with SessionLocal() as db:
        # for the time of a request
        yield db
""",
        """\
def get_db():
    with SessionLocal() as db:
        # for the time of a request
        try:
            yield db
            db.commit()
        except Exception:
            db.rollback()
            raise
""",
        "never-committed",
        "after-response",
        "now-commits",
        routes=_LOSES,
    ),
    _changed(
        "a yield in no try",
        """\
def get_db():
    db = SessionLocal()
    yield db
    db.close()
""",
        """\
def get_db():
    db = SessionLocal()
    try:
        yield db
    finally:
        db.close()
""",
        "yield-outside-try",
    ),
    _changed(
        "a commit that an error skips, and the close with it",
        """\
@contextmanager
def session_scope():
    session = SessionLocal()
    yield session
    session.commit()
    session.close()
""",
        """\
@contextmanager
def session_scope():
    session = SessionLocal()
    try:
        yield session
        session.commit()
    finally:
        session.close()
""",
        "yield-outside-try",
    ),
    _changed(
        "a session that nothing closes",
        """\
def get_db():
    db = SessionLocal()
    yield db
""",
        """\
def get_db():
    db = SessionLocal()
    try:
        yield db
    finally:
        db.close()
""",
        "never-closed",
        "now-closed",
    ),
    _changed(
        "a commit in the finally",
        """\
@contextmanager
def session_scope():
    session = SessionLocal()
    try:
        yield session
    finally:
        session.commit()
        session.close()
""",
        """\
@contextmanager
def session_scope():
    session = SessionLocal()
    try:
        yield session
        session.commit()
    finally:
        session.close()
""",
        "commit-on-error",
        "no-commit-on-error",
    ),
    _changed(
        "a handler that does not raise again",
        """\
@contextmanager
def session_scope():
    session = SessionLocal()
    try:
        yield session
        session.commit()
    except Exception:
        session.rollback()
    finally:
        session.close()
""",
        """\
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
""",
        "swallows-error",
        "now-raises",
    ),
    _changed(
        "a commit behind the close",
        """\
def store(job):
    session = SessionLocal()
    session.add(job)
    session.close()
    session.commit()
""",
        """\
def store(job):
    session = SessionLocal()
    session.add(job)
    session.commit()
    session.close()
""",
        "commit-after-close",
        "now-commits",
    ),
    _changed(
        "a flush behind the commit",
        """\
def store(job):
    with SessionLocal() as session:
        session.add(job)
        session.commit()
        session.flush()  # to be sure
""",
        """\
def store(job):
    with SessionLocal() as session:
        session.add(job)
        session.commit()
        # to be sure
""",
        "flush-after-commit",
    ),
    _changed(
        "a teardown that commits whatever happened",
        """\
@app.teardown_appcontext
def close_session(error=None):
    db.commit()
    db.remove()
""",
        """\
@app.teardown_appcontext
def close_session(error=None):
    if error is None:
        db.commit()
    db.remove()
""",
        "commit-on-error",
        "no-commit-on-error",
        head="""\
from flask import Flask
from sqlalchemy import create_engine
from sqlalchemy.orm import scoped_session, sessionmaker

app = Flask(__name__)
db = scoped_session(sessionmaker(bind=create_engine("sqlite://")))


""",
    ),
    _changed(
        "a context manager that FastAPI is to inject",
        """\
@contextmanager
def session_scope():
    with SessionLocal() as session:
        yield session


def count(db=Depends(session_scope)):
    return db.query(Job).count()
""",
        """\
@contextmanager
def session_scope():
    with SessionLocal() as session:
        yield session


def count(db=Depends(session_scope.__wrapped__)):
    return db.query(Job).count()
""",
        "scope-as-dependency",
        "now-runs",
        head=_HEAD.replace("from sqlalchemy import", "from fastapi import Depends\nfrom sqlalchemy import", 1),
    ),
    Example(
        "more than commit and close behind the yield",
        _HEAD
        + """\
def get_db():
    db = SessionLocal()
    yield db
    if db.dirty:
        db.commit()
    db.close()
""",
        reason="unusual-shape",
        fault="yield-outside-try",
    ),
    Example(
        "a commit behind a finally that closes",
        _HEAD
        + """\
def store(job):
    session = SessionLocal()
    try:
        session.add(job)
    finally:
        session.close()
    session.commit()
""",
        reason="unusual-shape",
        fault="commit-after-close",
    ),
    _right("a dependency whose routes commit", _CLOSES, _COMMITS),
    _right("a dependency whose routes hand the session on to code that may commit", _CLOSES, _HANDS_ON),
    _right("a dependency that is injected nowhere", _CLOSES),
    _right(
        "commit, rollback, close",
        """\
def get_db():
    db = SessionLocal()
    try:
        yield db
        db.commit()
    except Exception:
        db.rollback()
        raise
    finally:
        db.close()


@contextmanager
def reading():
    with SessionLocal() as session:
        yield session
""",
        _LOSES,
    ),
    _right(
        "a session that is used again behind its close",
        """\
def move(job, other):
    session = SessionLocal()
    session.add(job)
    session.commit()
    session.close()
    session.add(other)
    session.commit()
    session.close()
""",
    ),
)
