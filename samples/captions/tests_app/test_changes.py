"""What a migration with --unsafe changes, and says so. MIGRATED is `1` for the app migrated that way."""
import os

import pytest
from sqlalchemy.exc import IntegrityError, NoResultFound
from sqlalchemy.orm.exc import DetachedInstanceError

import web_app
from admin.services.curators import CuratorService
from database import db_manager
from session_managers import SessionStoreError

MIGRATED = bool(os.environ.get('MIGRATED'))


@pytest.fixture
def raising(client):
    """A client that raises what the page raised."""
    web_app.app.testing = True
    yield client
    web_app.app.testing = False


def test_preview_is_stored_by_a_scope_that_commits(client, database):
    client.post('/photos/3/preview', json={'caption': 'A cat'})
    stored = database.execute('SELECT caption, state FROM photos WHERE id = 3').fetchone()
    assert stored == (('A cat', 'approved') if MIGRATED else (None, 'new'))


def test_errors_of_the_database_are_wrapped(raising):
    with pytest.raises(SessionStoreError if MIGRATED else NoResultFound):
        raising.post('/photos/99/preview', json={})


def test_a_failed_rename_raises_the_error_of_the_scope():
    with pytest.raises(SessionStoreError if MIGRATED else IntegrityError):
        CuratorService(db_manager).rename('bob', 'ada')


def test_the_curator_that_outlives_its_session_is_expired(raising):
    if MIGRATED:
        with pytest.raises(DetachedInstanceError):
            raising.post('/login/ada')
    else:
        assert raising.post('/login/ada').get_json() == {'name': 'ada', 'role': 'head'}


def test_the_entries_that_outlive_their_session_are_expired(raising):
    if MIGRATED:
        with pytest.raises(DetachedInstanceError):
            raising.get('/admin/audit')
    else:
        assert raising.get('/admin/audit').get_json() == ['closed (gone)', 'opened']


def test_an_error_that_was_kept_in_the_log_leaves_the_service(raising, database):
    database.execute('DROP TABLE curators')
    if MIGRATED:
        with pytest.raises(SessionStoreError):
            raising.get('/admin/curators')
    else:
        assert raising.get('/admin/curators').get_json() == []
