"""A fresh database for each test. The app reads its URL at import, so that it is set first."""
import os
import sqlite3
import tempfile

import pytest

PATH = os.path.join(tempfile.mkdtemp(prefix='captions-'), 'captions.db')
os.environ['CAPTIONS_DB'] = f'sqlite:///{PATH}'

import web_app  # noqa: E402
from database import db_manager  # noqa: E402
from models import Base  # noqa: E402


@pytest.fixture(autouse=True)
def database():
    """Reads and writes the file past the app: what it says is what is really stored."""
    db_manager.create_tables()
    connection = sqlite3.connect(PATH, isolation_level=None)
    connection.executemany('INSERT INTO curators (name, email, active, role) VALUES (?, ?, ?, ?)', [
        ('ada', 'ada@example.org', 1, 'head'), ('bob', None, 1, 'writer'), ('zoë', None, 0, 'writer')])
    connection.executemany('INSERT INTO photos (path, caption, state, curator_id) VALUES (?, ?, ?, ?)', [
        ('a.jpg', 'A bridge', 'approved', 1), ('b.jpg', None, 'proposed', 2), ('c.jpg', None, 'new', None)])
    connection.executemany('INSERT INTO audit (actor, action) VALUES (?, ?)', [
        ('ada', 'opened'), ('carl', 'closed')])
    yield connection
    connection.close()
    Base.metadata.drop_all(db_manager.engine)
    assert db_manager.engine.pool.checkedout() == 0  # every session was closed


@pytest.fixture
def client():
    web_app.app.testing = False
    return web_app.app.test_client()
