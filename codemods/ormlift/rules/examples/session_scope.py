"""Examples of `session-scope`: small files, and what becomes of each."""

from __future__ import annotations

from collections.abc import Mapping

from ormlift.model import ScopeChoice, Settings
from ormlift.rules.base import Example

_FACTORY = """\
from contextlib import contextmanager

from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

engine = create_engine("sqlite://")
SessionLocal = sessionmaker(bind=engine)


def get_session():
    return SessionLocal()
"""
_COMMITS = """

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
"""
_WRAPS = """

class DatabaseTrouble(Exception):
    pass


@contextmanager
def wrapping_scope():
    session = SessionLocal()
    try:
        yield session
        session.commit()
    except Exception as error:
        session.rollback()
        raise DatabaseTrouble(str(error)) from error
    finally:
        session.close()
"""
_READS = """

@contextmanager
def read_scope():
    session = SessionLocal()
    try:
        yield session
    finally:
        session.close()
"""
_MODELS = """\
from sqlalchemy import Boolean, Column, Integer, String
from sqlalchemy.orm import declarative_base

Base = declarative_base()


class Job(Base):
    __tablename__ = "jobs"

    id = Column(Integer, primary_key=True)
    name = Column(String(50))
    done = Column(Boolean, default=False)
"""
PROJECT: Mapping[str, str] = {"app/db.py": _FACTORY + _COMMITS + _WRAPS + _READS, "app/models.py": _MODELS}
DROPS = Settings(scopes=(ScopeChoice("session_scope", "app.db"),), redundant_rollback="drop")
FAITHFUL = Settings(scopes=(ScopeChoice("session_scope", "app.db"),), scope_choice="faithful")
COMMITS = Settings(scopes=(ScopeChoice("session_scope", "app.db"),))
WRAPS = Settings(scopes=(ScopeChoice("wrapping_scope", "app.db"),))
READS = Settings(scopes=(ScopeChoice("read_scope", "app.db"),))

EXAMPLES = (
    Example(
        "a read with a finally",
        before="""\
from app.db import get_session
from app.models import Job


def count_open():
    session = get_session()
    try:
        # only what is left
        return session.query(Job).filter_by(done=False).count()
    finally:
        session.close()
""",
        after="""\
from app.db import session_scope
from app.models import Job


def count_open():
    with session_scope() as session:
        # only what is left
        return session.query(Job).filter_by(done=False).count()
""",
        project=PROJECT,
        settings=COMMITS,
    ),
    Example(
        "handlers, else and returns keep their order: the try goes inside whole",
        before="""\
import logging

from app.db import get_session, session_scope
from app.models import Job


def finish(job_id):
    session = get_session()
    name = None
    try:
        job = session.get(Job, job_id)
        if job is None:
            return False
        job.done = True
        session.commit()
    except Exception:
        session.rollback()
        logging.exception("job %s", job_id)
        return False
    else:
        name = "done"
    finally:
        # give it back
        session.close()
    return name
""",
        after="""\
import logging

from app.db import session_scope
from app.models import Job


def finish(job_id):
    with session_scope() as session:
        name = None
        try:
            job = session.get(Job, job_id)
            if job is None:
                return False
            job.done = True
            session.commit()
        except Exception:
            session.rollback()
            logging.exception("job %s", job_id)
            return False
        else:
            name = "done"
        # give it back
    return name
""",
        project=PROJECT,
        settings=COMMITS,
    ),
    Example(
        "the assignment stands in the try, behind a guard",
        before="""\
import logging

from app.db import session_scope, get_session
from app.models import Job


def names():
    db = None
    try:
        db = get_session()
        return [job.name for job in db.query(Job)]
    except Exception:
        logging.exception("no names")
        return []
    finally:
        if db is not None:
            db.close()
""",
        after="""\
import logging

from app.db import session_scope
from app.models import Job


def names():
    try:
        with session_scope() as db:
            return [job.name for job in db.query(Job)]
    except Exception:
        logging.exception("no names")
        return []
""",
        project=PROJECT,
        settings=COMMITS,
        effects=("close-may-raise",),
    ),
    Example(
        "no try at all",
        before="""\
from app.db import get_session, session_scope
from app.models import Job


def add(name):
    session = get_session()
    session.add(Job(name=name))
    session.commit()
    session.close()
    return name
""",
        after="""\
from app.db import session_scope
from app.models import Job


def add(name):
    with session_scope() as session:
        session.add(Job(name=name))
    return name
""",
        project=PROJECT,
        settings=COMMITS,
    ),
    Example(
        "the rest of a finally stays",
        before="""\
from app.db import get_session, session_scope
from app.models import Job


def total(timer):
    session = get_session()
    try:
        return session.query(Job).count()
    finally:
        timer.stop()
        session.close()
""",
        after="""\
from app.db import session_scope
from app.models import Job


def total(timer):
    with session_scope() as session:
        try:
            return session.query(Job).count()
        finally:
            timer.stop()
""",
        project=PROJECT,
        settings=COMMITS,
    ),
    Example(
        "closed before each return, and in the handler",
        before="""\
from app.db import get_session, session_scope
from app.models import Job


def finish(job_id):
    session = get_session()
    try:
        job = session.get(Job, job_id)
        if job is None:
            session.close()
            return False
        job.done = True
        session.commit()
        session.close()
        return True
    except Exception:
        session.rollback()
        session.close()
        raise
""",
        after="""\
from app.db import session_scope
from app.models import Job


def finish(job_id):
    with session_scope() as session:
        try:
            job = session.get(Job, job_id)
            if job is None:
                return False
            job.done = True
            session.commit()
            return True
        except Exception:
            session.rollback()
            raise
""",
        project=PROJECT,
        settings=COMMITS,
    ),
    Example(
        "a change that was never committed",
        before="""\
from app.db import get_session, session_scope
from app.models import Job


def preview(job_id):
    session = get_session()
    try:
        job = session.get(Job, job_id)
        job.done = True
        return job.name
    finally:
        session.close()
""",
        after="""\
from app.db import session_scope
from app.models import Job


def preview(job_id):
    with session_scope() as session:
        job = session.get(Job, job_id)
        job.done = True
        return job.name
""",
        effects=("commits-uncommitted",),
        project=PROJECT,
        settings=COMMITS,
    ),
    Example(
        "an instance that outlives a scope that commits",
        before="""\
from app.db import get_session, session_scope
from app.models import Job


def find(job_id):
    session = get_session()
    try:
        return session.get(Job, job_id)
    finally:
        session.close()
""",
        after="""\
from app.db import session_scope
from app.models import Job


def find(job_id):
    with session_scope() as session:
        return session.get(Job, job_id)
""",
        effects=("expires-instances",),
        project=PROJECT,
        settings=COMMITS,
    ),
    Example(
        "the same under a scope that only closes",
        before="""\
from app.db import get_session, read_scope
from app.models import Job


def find(job_id):
    session = get_session()
    try:
        return session.get(Job, job_id)
    finally:
        session.close()
""",
        after="""\
from app.db import read_scope
from app.models import Job


def find(job_id):
    with read_scope() as session:
        return session.get(Job, job_id)
""",
        project=PROJECT,
        settings=READS,
    ),
    Example(
        "a scope that wraps errors",
        before="""\
from app.db import get_session, wrapping_scope
from app.models import Job


def rename(job_id, name):
    session = get_session()
    try:
        job = session.get(Job, job_id)
        if job is None:
            raise KeyError(job_id)
        job.name = name
        session.commit()
    finally:
        session.close()
""",
        after="""\
from app.db import wrapping_scope
from app.models import Job


def rename(job_id, name):
    with wrapping_scope() as session:
        job = session.get(Job, job_id)
        if job is None:
            raise KeyError(job_id)
        job.name = name
""",
        effects=("wraps-errors",),
        project=PROJECT,
        settings=WRAPS,
    ),
    Example(
        "an error that is swallowed without rollback",
        before="""\
import logging

from app.db import get_session, session_scope
from app.models import Job


def add(name):
    session = get_session()
    try:
        session.add(Job(name=name))
        session.commit()
    except Exception:
        logging.exception("not added")
    finally:
        session.close()
""",
        after="""\
import logging

from app.db import session_scope
from app.models import Job


def add(name):
    with session_scope() as session:
        try:
            session.add(Job(name=name))
            session.commit()
        except Exception:
            logging.exception("not added")
""",
        effects=("swallowed-error-then-commit",),
        project=PROJECT,
        settings=COMMITS,
    ),
    Example(
        "never closed",
        before="""\
from app.db import get_session, session_scope
from app.models import Job


def total():
    session = get_session()
    return session.query(Job).count()
""",
        after="""\
from app.db import session_scope
from app.models import Job


def total():
    with session_scope() as session:
        return session.query(Job).count()
""",
        effects=("now-closed",),
        project=PROJECT,
        settings=COMMITS,
    ),
    Example(
        "a handler that only rolls back, which is dropped where that is asked for",
        before="""\
from app.db import get_session, session_scope
from app.models import Job


def rename(name):
    session = get_session()
    try:
        session.get(Job, 1).name = name
        session.commit()
    except Exception:
        # nothing is kept
        session.rollback()
        raise
    finally:
        session.close()
""",
        after="""\
from app.db import session_scope
from app.models import Job


def rename(name):
    with session_scope() as session:
        session.get(Job, 1).name = name
        # nothing is kept
""",
        project=PROJECT,
        settings=DROPS,
    ),
    Example(
        "a handler that does more stays, those behind it go",
        before="""\
from app.db import get_session, session_scope
from app.models import Job


def rename(name):
    session = get_session()
    try:
        session.get(Job, 1).name = name
        session.commit()
    except ValueError:
        session.rollback()
        raise RuntimeError(name)
    except Exception:
        session.rollback()
        raise
    finally:
        session.close()
""",
        after="""\
from app.db import session_scope
from app.models import Job


def rename(name):
    with session_scope() as session:
        try:
            session.get(Job, 1).name = name
            session.commit()
        except ValueError:
            session.rollback()
            raise RuntimeError(name)
""",
        project=PROJECT,
        settings=DROPS,
    ),
    Example(
        "the scope would commit a change that was discarded, so that the faithful choice is the session itself",
        before="""\
from app.db import SessionLocal, session_scope
from app.models import Job


def preview(name):
    session = SessionLocal(autoflush=False)
    try:
        job = session.get(Job, 1)
        job.name = name
        return job.name, session.query(Job).count()
    finally:
        session.close()
""",
        after="""\
from app.db import SessionLocal, session_scope
from app.models import Job


def preview(name):
    with SessionLocal(autoflush=False) as session:
        job = session.get(Job, 1)
        job.name = name
        return job.name, session.query(Job).count()
""",
        project=PROJECT,
        settings=FAITHFUL,
    ),
    Example(
        "never closed, and used no more",
        before="""\
from app.db import get_session, session_scope


def total():
    session = get_session()
    return 0
""",
        reason="never-closed",
        project=PROJECT,
        settings=COMMITS,
    ),
    Example(
        "used after its close",
        before="""\
from app.db import get_session, session_scope
from app.models import Job


def total():
    session = get_session()
    try:
        jobs = session.query(Job).all()
    finally:
        session.close()
    return len(jobs) + session.query(Job).count()
""",
        reason="used-after-close",
        project=PROJECT,
        settings=COMMITS,
    ),
    Example(
        "a session that may be the caller's",
        before="""\
from app.db import get_session, session_scope
from app.models import Job


def total(session=None):
    session = session or get_session()
    try:
        return session.query(Job).count()
    finally:
        session.close()
""",
        reason="may-be-given",
        project=PROJECT,
        settings=COMMITS,
    ),
    Example(
        "kept on an object",
        before="""\
from app.db import get_session


class Jobs:
    def __init__(self):
        self.session = get_session()
""",
        reason="stored",
        project=PROJECT,
        settings=COMMITS,
    ),
    Example(
        "a function that hands out a session is no site",
        before="""\
from app.db import SessionLocal


def new_session():
    return SessionLocal()
""",
        project=PROJECT,
        settings=COMMITS,
    ),
)
