"""Examples of `swallowed-errors`: what a handler keeps, and what is told well enough."""

from __future__ import annotations

from collections.abc import Mapping

from ormlift.rules.base import Example

PROJECT: Mapping[str, str] = {
    "app/db.py": """\
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

SessionLocal = sessionmaker(bind=create_engine("sqlite://"))
""",
    "app/models.py": """\
from sqlalchemy import Column, Integer, String
from sqlalchemy.orm import declarative_base

Base = declarative_base()


class Job(Base):
    __tablename__ = "jobs"

    id = Column(Integer, primary_key=True)
    name = Column(String(50))
""",
}
_HEAD = """\
import logging

from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from app.models import Job

log = logging.getLogger(__name__)


"""


def _changed(title: str, before: str, after: str, fault: str, *effects: str) -> Example:
    return Example(title, _HEAD + before, _HEAD + after, effects=effects, fault=fault, project=PROJECT)


def _refused(title: str, text: str, reason: str, fault: str) -> Example:
    return Example(title, _HEAD + text, reason=reason, fault=fault, project=PROJECT)


def _right(title: str, text: str) -> Example:
    return Example(title, _HEAD + text, project=PROJECT)


EXAMPLES: tuple[Example, ...] = (
    _changed(
        "a session without a type, known by what the function does with it",
        """\
def rename(session, name):
    try:
        job = session.query(Job).filter(Job.name == name).first()
        job.name = "done"
        session.commit()
    except Exception:
        return
""",
        """\
def rename(session, name):
    try:
        job = session.query(Job).filter(Job.name == name).first()
        job.name = "done"
        session.commit()
    except Exception:
        raise
""",
        "swallowed-error",
        "now-raises",
    ),
    _changed(
        "the work is in a helper that is handed the session",
        """\
def look_up(db: Session, name):
    return db.query(Job).filter(Job.name == name).first()


def find(db: Session, name):
    try:
        return look_up(db, name)
    except Exception:
        return None
""",
        """\
def look_up(db: Session, name):
    return db.query(Job).filter(Job.name == name).first()


def find(db: Session, name):
    try:
        return look_up(db, name)
    except Exception:
        raise
""",
        "swallowed-error",
        "now-raises",
    ),
    _right(
        "a job that a scheduler runs",
        """\
def tick(db: Session):
    try:
        db.query(Job).delete()
        db.commit()
    except Exception:
        log.exception("not cleaned")


def start(scheduler):
    scheduler.add_job(tick, "interval", minutes=1)
""",
    ),
    _right(
        "what a thread runs",
        """\
def count(db: Session, pool):
    def keep():
        try:
            db.add(Job(name="counted"))
            db.commit()
        except Exception:
            log.exception("not kept")

    pool.submit(keep)
    return db.query(Job).count()
""",
    ),
    _changed(
        "a job that not even logs",
        """\
def tick(db: Session):
    try:
        db.query(Job).delete()
        db.commit()
    except Exception:
        pass


def start(scheduler):
    scheduler.add_job(tick, "interval", minutes=1)
""",
        """\
def tick(db: Session):
    try:
        db.query(Job).delete()
        db.commit()
    except Exception:
        raise


def start(scheduler):
    scheduler.add_job(tick, "interval", minutes=1)
""",
        "swallowed-error",
        "now-raises",
    ),
    _right(
        "a comment says that it may fail",
        """\
def touch(db: Session, job):
    try:
        job.name = "seen"
        db.commit()
    except Exception:
        db.rollback()  # don't fail the request for it
""",
    ),
    _right(
        "what documents the function says that it may fail",
        """\
def touch(db: Session, job):
    \"\"\"Best effort: the name is for humans.\"\"\"
    try:
        job.name = "seen"
        db.commit()
    except Exception as error:
        log.warning("not stored: %s", error)
""",
    ),
    _right(
        "no session: the name alone says nothing",
        """\
def keep(session, job):
    try:
        session.add(job)
    except Exception:
        return
""",
    ),
    _right(
        "the helper keeps its own errors",
        """\
def look_up(db: Session, name):
    try:
        return db.query(Job).filter(Job.name == name).one()
    except Exception as error:
        raise LookupError(name) from error


def count(db: Session):
    try:
        return db.query(Job).count()
    except Exception:
        return -1


def shown(db: Session):
    try:
        return count(db)
    except Exception:
        return None
""",
    ),
    _changed(
        "None for no such row, and for no database",
        """\
def find(db: Session, name):
    try:
        return db.query(Job).filter(Job.name == name).first()
    except Exception as error:
        log.error("find failed: %s", error)
        return None  # nothing there
""",
        """\
def find(db: Session, name):
    try:
        return db.query(Job).filter(Job.name == name).first()
    except Exception as error:
        log.error("find failed: %s", error)
        raise  # nothing there
""",
        "swallowed-error",
        "now-raises",
    ),
    _changed(
        "an empty list for no rows, and for no database",
        """\
def every(db: Session):
    try:
        return db.query(Job).all()
    except SQLAlchemyError:
        log.exception("listing failed")
    return []
""",
        """\
def every(db: Session):
    try:
        return db.query(Job).all()
    except SQLAlchemyError:
        log.exception("listing failed")
        raise
    return []
""",
        "swallowed-error",
        "now-raises",
    ),
    _changed(
        "work that was not done, and ends as if it was",
        """\
def rename(db: Session, job, name):
    try:
        job.name = name
        db.commit()
    except Exception:
        db.rollback()
""",
        """\
def rename(db: Session, job, name):
    try:
        job.name = name
        db.commit()
    except Exception:
        db.rollback()
        raise
""",
        "swallowed-error",
        "now-raises",
    ),
    _changed(
        "an answer that is no, and an error that is no too",
        """\
def is_known(db: Session, name):
    try:
        return db.query(Job).filter(Job.name == name).count() > 0
    except:
        return False
""",
        """\
def is_known(db: Session, name):
    try:
        return db.query(Job).filter(Job.name == name).count() > 0
    except:
        raise
""",
        "swallowed-error",
        "now-raises",
    ),
    _changed(
        "a session that is used again without rollback",
        """\
def store(db: Session, jobs):
    failed = 0
    for job in jobs:
        db.add(job)
        try:
            db.commit()
        except IntegrityError:
            failed += 1
    return failed
""",
        """\
def store(db: Session, jobs):
    failed = 0
    for job in jobs:
        db.add(job)
        try:
            db.commit()
        except IntegrityError:
            db.rollback()
            failed += 1
    return failed
""",
        "no-rollback",
        "goes-on",
    ),
    _changed(
        "a handler that uses the session itself",
        """\
def finish(db: Session, job, send):
    try:
        send(job)
        job.name = "sent"
        db.commit()
    except Exception as error:
        job.name = str(error)
        db.commit()
""",
        """\
def finish(db: Session, job, send):
    try:
        send(job)
        job.name = "sent"
        db.commit()
    except Exception as error:
        db.rollback()
        job.name = str(error)
        db.commit()
""",
        "no-rollback",
        "discards-pending",
        "goes-on",
    ),
    _refused(
        "a handler that ends in a block",
        """\
def rename(db: Session, job, name):
    try:
        job.name = name
        db.commit()
    except Exception:
        try:
            db.rollback()
        except Exception:
            pass
""",
        "unusual-handler",
        "swallowed-error",
    ),
    _refused(
        "a bare except that does more",
        """\
def load(db: Session, page):
    try:
        page.jobs = db.query(Job).all()
    except:
        page.show("no jobs")
""",
        "name-the-error",
        "bare-except",
    ),
    _right(
        "a handler that raises, answers with the error, or shows it",
        """\
def one(db: Session, name):
    try:
        return db.query(Job).filter(Job.name == name).first()
    except SQLAlchemyError as error:
        log.error("failed")
        raise LookupError(name) from error


def two(db: Session):
    try:
        return {"jobs": db.query(Job).count()}
    except Exception as error:
        return {"error": str(error)}


def three(db: Session, page):
    try:
        return db.query(Job).first()
    except Exception as error:
        page.show(error)
        return None


def four(db: Session, job):
    try:
        db.add(job)
        db.commit()
        return True
    except Exception:
        db.rollback()
        log.exception("not stored")
        return False
""",
    ),
    _right(
        "one narrow error, one item of several, cleaning up, a health check",
        """\
def add(db: Session, job):
    try:
        db.add(job)
        db.commit()
    except IntegrityError:
        db.rollback()


def each(db: Session, names):
    for name in names:
        try:
            db.query(Job).filter(Job.name == name).delete()
        except Exception:
            log.exception("not deleted: %s", name)


def close_all(db: Session):
    try:
        db.query(Job).delete()
    except Exception:
        pass


def is_healthy(db: Session):
    try:
        return db.query(Job).count() >= 0
    except Exception:
        return False


def check_connection(db: Session):
    try:
        db.execute("SELECT 1")
        return True
    except Exception:
        return False
""",
    ),
    _right(
        "rolled back before the session is used again, or in a savepoint",
        """\
def store(db: Session, job):
    try:
        db.add(job)
        db.commit()
    except IntegrityError:
        db.rollback()
        db.query(Job).count()


def savepoint(db: Session, job):
    try:
        with db.begin_nested():
            db.add(job)
            db.flush()
    except IntegrityError:
        log.info("known already")
    return db.query(Job).count()
""",
    ),
)
