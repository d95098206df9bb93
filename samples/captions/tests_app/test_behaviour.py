"""What the archive relies on: the same before and after a migration."""
import pytest

from admin.services.curators import CuratorService
from admin.services.photos import PhotoService
from database import db_manager


def rows(database, sql):
    return database.execute(sql).fetchall()


def test_dashboard(client):
    assert client.get('/').get_json() == {'total': 3, 'waiting': 1}


def test_photo(client):
    assert client.get('/photos/1').get_json() == {
        'id': 1, 'path': 'a.jpg', 'caption': 'A bridge', 'state': 'approved'}
    missing = client.get('/photos/99')
    assert (missing.status_code, missing.get_json()) == (404, {'error': 'no such photo'})


def test_photo_answers_500_when_the_table_is_gone(client, database):
    database.execute('DROP TABLE photos')
    answer = client.get('/photos/1')
    assert (answer.status_code, answer.get_json()) == (500, {'error': 'failed'})


def test_approve(client, database):
    answer = client.post('/photos/2/caption', json={'caption': ' Zwei Männer '}, headers={'X-Curator': 'bob'})
    assert answer.get_json() == {'ok': True, 'state': 'approved'}
    assert rows(database, 'SELECT caption, state FROM photos WHERE id = 2') == [('Zwei Männer', 'approved')]
    assert rows(database, 'SELECT actor, action FROM audit WHERE id = 3') == [('bob', 'approved 2')]


def test_approve_says_what_is_missing(client, database):
    assert client.post('/photos/99/caption', json={'caption': 'x'}).status_code == 404
    assert client.post('/photos/2/caption', json={'caption': ' '}).status_code == 400
    assert rows(database, 'SELECT COUNT(*) FROM audit') == [(2,)]


def test_approve_takes_all_back_on_an_error(client, database):
    database.execute('DROP TABLE audit')
    assert client.post('/photos/2/caption', json={'caption': 'x'}).status_code == 500
    assert rows(database, 'SELECT caption, state FROM photos WHERE id = 2') == [(None, 'proposed')]


def test_a_bad_photo_is_skipped_and_the_others_kept(client, database):
    answer = client.post('/photos', json={'paths': ['d.jpg', 7, ' e.jpg ']})
    assert answer.get_json() == {'added': 2, 'skipped': [7]}
    assert rows(database, 'SELECT path, state FROM photos WHERE id > 3') == [('d.jpg', 'new'), ('e.jpg', 'new')]


def test_preview_shows_the_caption(client):
    answer = client.post('/photos/3/preview', json={'caption': 'A cat'})
    assert answer.get_json() == {'id': 3, 'path': 'c.jpg', 'caption': 'A cat', 'state': 'approved'}


def test_seen(client, database):
    assert client.post('/curators/ada/seen').status_code == 204
    assert client.post('/curators/nobody/seen').status_code == 204
    assert [name for name, seen in rows(database, 'SELECT name, last_seen FROM curators') if seen] == ['ada']


def test_seen_is_not_worth_a_failed_page(client, database):
    database.execute('DROP TABLE curators')
    assert client.post('/curators/ada/seen').status_code == 204


def test_login_refuses(client):
    assert client.post('/login/nobody').status_code == 403


def test_export_reads_while_it_is_sent(client):
    assert client.get('/export').text == '1;A bridge\n2;\n3;\n'


def test_gallery(client):
    assert [p['id'] for p in client.get('/gallery/').get_json()] == [1]
    assert client.get('/gallery/1/credit').get_json() == {'credit': 'Ada'}
    assert client.get('/gallery/3/credit').get_json() == {'credit': 'Unknown'}


def test_curator_names(client):
    assert client.get('/admin/curators').get_json() == ['ada', 'bob', 'zoë']
    assert client.get('/admin/curators?role=head').get_json() == ['ada']


def test_create_a_curator_once(client, database):
    assert client.post('/admin/curators', json={'name': 'eve'}).get_json() == {'ok': True, 'message': 'eve'}
    again = client.post('/admin/curators', json={'name': 'eve'})
    assert (again.status_code, again.get_json()) == (400, {'ok': False, 'message': 'eve exists'})
    assert rows(database, "SELECT role, active FROM curators WHERE name = 'eve'") == [('writer', 1)]


def test_remove_keeps_the_photos(client, database):
    assert client.delete('/admin/curators/ada').get_json() == {'ok': True}
    assert rows(database, 'SELECT curator_id FROM photos ORDER BY id') == [(None,), (2,), (None,)]
    gone = client.delete('/admin/curators/ada')
    assert (gone.status_code, gone.get_json()) == (404, {'error': 'no curator ada'})


def test_rename_is_noted(client, database, caplog):
    caplog.set_level('INFO')
    assert client.patch('/admin/curators/bob', json={'name': 'rob'}).get_json() == {'ok': True}
    assert rows(database, 'SELECT name FROM curators WHERE id = 2') == [('rob',)]
    assert rows(database, 'SELECT action FROM audit WHERE id = 3') == [('bob is now rob',)]
    assert client.patch('/admin/curators/bob', json={'name': 'x'}).status_code == 404
    assert caplog.messages.count('rename done') == 2


def test_stats(client):
    assert client.get('/admin/photos/stats').get_json() == {'new': 1, 'proposed': 1, 'approved': 1}


def test_assign(client, database):
    assign = {'curator': 'bob', 'photos': [1, 3, 99]}
    assert client.post('/admin/photos/assign', json=assign).get_json() == {'assigned': 2}
    assert rows(database, 'SELECT curator_id FROM photos ORDER BY id') == [(2,), (2,), (2,)]
    assert client.post('/admin/photos/assign', json={**assign, 'curator': 'x'}).get_json() == {'assigned': 0}


def test_unassigned():
    assert PhotoService(db_manager).unassigned() == ['c.jpg']


def test_batch(database):
    service = PhotoService(db_manager)
    service.begin_batch().delete(service.first_of('new'))
    service.end_batch()
    assert rows(database, 'SELECT COUNT(*) FROM photos') == [(2,)]


def test_a_failed_rename_leaves_nothing(database):
    with pytest.raises(Exception, match='UNIQUE'):
        CuratorService(db_manager).rename('bob', 'ada')
    assert rows(database, 'SELECT name FROM curators WHERE id = 2') == [('bob',)]
