"""A fresh database for each test. The app reads its path at import, so that it is set first."""
import os
import sqlite3
import tempfile

import pytest

os.environ['JOBS_DB'] = os.path.join(tempfile.mkdtemp(prefix='print-jobs-'), 'jobs.db')

import store  # noqa: E402
import web_app  # noqa: E402
from store.models import Base  # noqa: E402


@pytest.fixture(autouse=True)
def database():
    """Reads and writes the file past the app: what it says is what is really stored."""
    Base.metadata.create_all(bind=store.engine)
    connection = sqlite3.connect(store.DB_PATH, isolation_level=None)
    connection.executemany(
        'INSERT INTO jobs (ticket, title, customer, stage, sheets, rush, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)',
        [
            ('T-1', 'Flyer', 'Ada', 2, 500, 0, '2024-05-01 10:00:00'),
            ('T-2', 'Poster Größe A1', None, 2, 20, 1, '2024-05-02 10:00:00'),
            ('T-3', 'Card', 'Ada', 1, 0, 0, None),
            ('T-4', 'Menu', 'Bob', 4, 80, 1, '2024-05-03 10:00:00'),
        ])
    connection.executemany(
        'INSERT INTO job_log (job_id, author, remark, logged_at) VALUES (?, ?, ?, ?)',
        [(1, 'ada', 'call first', '2024-05-01 11:00:00'), (1, 'bob', None, '2024-05-02 12:30:00'),
         (4, 'bob', 'done', '2024-05-03 09:00:00')])
    yield connection
    connection.close()
    store.db_session.remove()
    Base.metadata.drop_all(bind=store.engine)


@pytest.fixture
def client():
    web_app.app.testing = True
    return web_app.app.test_client()
