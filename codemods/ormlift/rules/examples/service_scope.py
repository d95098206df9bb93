"""Small service classes, and what becomes of them."""

from __future__ import annotations

from ormlift.model import ScopeChoice, Settings
from ormlift.rules.base import Example

CHOICE = ScopeChoice(
    "self._session_scope",
    in_class_with="db_manager",
    manager="session_manager.get_db_session",
    application="flask:current_app.session_manager",
)
SETTINGS = Settings(scopes=(CHOICE,))
DATABASE = """\
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker


class DatabaseManager:
    def __init__(self, url):
        self.factory = sessionmaker(bind=create_engine(url))

    def get_session(self):
        return self.factory()
"""
SESSIONS = """\
from contextlib import contextmanager


class SessionManager:
    def __init__(self, db_manager):
        self.db_manager = db_manager

    @contextmanager
    def get_db_session(self):
        session = self.db_manager.get_session()
        try:
            yield session
            session.commit()
        except Exception:
            session.rollback()
            raise
        finally:
            session.close()
"""
PROJECT = {"app/database.py": DATABASE, "app/sessions.py": SESSIONS}
CURATORS = '''\
from app.database import DatabaseManager


class Curators:
    """Who looks after the pictures."""

    def __init__(self, db_manager: DatabaseManager):
        self.db_manager = db_manager

    def count(self):
        session = self.db_manager.get_session()
        try:
            return session.execute("SELECT COUNT(*) FROM curators").scalar()
        finally:
            session.close()
'''
CURATORS_AFTER = '''\
from app.database import DatabaseManager
from contextlib import closing, contextmanager
from flask import current_app


class Curators:
    """Who looks after the pictures."""

    def __init__(self, db_manager: DatabaseManager, session_manager=None):
        self.db_manager = db_manager
        self.session_manager = session_manager

    @contextmanager
    def _session_scope(self):
        """One session: of the session manager that was given, or else the application's, else of db_manager."""
        manager = getattr(self, "session_manager", None)
        if manager is None:
            try:
                manager = getattr(current_app, "session_manager", None)
            except RuntimeError:  # outside of the application
                pass
        opened = closing(self.db_manager.get_session()) if manager is None else manager.get_db_session()
        with opened as session:
            yield session

    def count(self):
        session = self.db_manager.get_session()
        try:
            return session.execute("SELECT COUNT(*) FROM curators").scalar()
        finally:
            session.close()
'''

EXAMPLES: tuple[Example, ...] = (
    Example(
        title="a class gets its scope; session-scope hands the methods' sessions to it",
        before=CURATORS,
        after=CURATORS_AFTER,
        effects=("session-source",),
        project=PROJECT,
        settings=SETTINGS,
    ),
    Example(
        title="a class without a constructor",
        before=CURATORS.replace(
            "def __init__(self, db_manager: DatabaseManager)", "def open(self, db_manager: DatabaseManager)"
        ),
        reason="no-constructor",
        project=PROJECT,
        settings=SETTINGS,
    ),
    Example(
        title="a class that the configuration does not choose",
        before=CURATORS.replace("db_manager", "database"),
        project=PROJECT,
        settings=SETTINGS,
    ),
    Example(
        title="no such scope is configured",
        before=CURATORS,
        project=PROJECT,
    ),
)
