"""The new way to get at a session. Not everything has moved over yet."""
import logging
from contextlib import contextmanager

from flask import g
from sqlalchemy.exc import SQLAlchemyError

from database import db_manager

logger = logging.getLogger(__name__)


class SessionStoreError(Exception):
    """The database did not do what it should."""


class UnifiedSessionManager:
    def __init__(self, manager):
        self.manager = manager

    @contextmanager
    def get_db_session(self):
        """A session of its own: committed at the end, rolled back on errors, closed in any case."""
        session = self.manager.get_session()
        try:
            yield session
            session.commit()
        except SQLAlchemyError as e:
            session.rollback()
            logger.error('database error: %s', e)
            raise SessionStoreError(f'database error: {e}') from e
        except Exception:
            session.rollback()
            raise
        finally:
            session.close()


class RequestSessions:
    """One session for the whole request; `end_request` closes it."""

    def __init__(self, manager):
        self.manager = manager

    def current(self):
        if 'db_session' not in g:
            g.db_session = self.manager.get_session()
        return g.db_session

    @contextmanager
    def session_scope(self):
        session = self.current()
        try:
            yield session
            session.commit()
        except Exception:
            session.rollback()
            raise

    def end_request(self, error=None):
        session = g.pop('db_session', None)
        if session is not None:
            session.close()


unified_session_manager = UnifiedSessionManager(db_manager)
request_sessions = RequestSessions(db_manager)
