"""Database of the print shop. Everything imports from here."""
import os
import sqlite3
from contextlib import contextmanager

from sqlalchemy import create_engine
from sqlalchemy.orm import scoped_session, sessionmaker

from store.models import Base

DB_PATH = os.environ.get('JOBS_DB') or os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'jobs.db')

engine = create_engine(f'sqlite:///{DB_PATH}')
SessionLocal = sessionmaker(autocommit=False, autoflush=False, bind=engine)
db_session = scoped_session(SessionLocal)


def init_db():
    Base.metadata.create_all(bind=engine)


def open_db():
    # the old way in, most of desk.py still comes through here
    return sqlite3.connect(DB_PATH)


@contextmanager
def session_scope():
    """One session: commits at the end, rolls back on an error, always closes."""
    session = SessionLocal()
    try:
        yield session
        session.commit()
    except Exception:
        session.rollback()
        raise
    finally:
        session.close()
