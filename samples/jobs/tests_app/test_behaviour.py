"""What the shop relies on: the same before and after a migration."""
import desk
import maintenance


def rows(database, sql, *params):
    return database.execute(sql, params).fetchall()


def test_jobs_of_a_stage_come_oldest_first(client):
    assert client.get('/jobs?stage=2').get_json() == {'jobs': [
        {'ticket': 'T-1', 'title': 'Flyer', 'sheets': 500},
        {'ticket': 'T-2', 'title': 'Poster Größe A1', 'sheets': 20},
    ]}
    assert client.get('/jobs?stage=3').get_json() == {'jobs': []}


def test_intake_stores_a_job_with_the_defaults_of_the_database(client, database):
    answer = client.post('/jobs', json={'ticket': 'T-9', 'title': 'Book', 'sheets': 7})
    assert answer.status_code == 201
    stored, = rows(database, 'SELECT title, customer, stage, sheets, rush, created_at, typeof(created_at) '
                             "FROM jobs WHERE ticket = 'T-9'")
    assert stored[:5] == ('Book', None, 1, 7, 0)
    assert len(stored[5]) == len('2024-05-01 10:00:00') and stored[6] == 'text'


def test_intake_needs_a_ticket(client, database):
    assert client.post('/jobs', json={'title': 'Book'}).status_code == 400
    assert rows(database, 'SELECT COUNT(*) FROM jobs') == [(4,)]


def test_drop_takes_the_log_along_and_nothing_else(client, database):
    assert client.delete('/jobs/T-1').get_json() == {'ok': True}
    assert rows(database, 'SELECT ticket FROM jobs ORDER BY id') == [('T-2',), ('T-3',), ('T-4',)]
    assert rows(database, 'SELECT job_id, remark FROM job_log') == [(4, 'done')]
    assert client.delete('/jobs/T-77').get_json() == {'ok': True}


def test_search(client):
    assert client.get('/search?customer=Ada').get_json() == {'jobs': ['T-1', 'T-3']}
    assert client.get('/search?customer=Ada&stage=1').get_json() == {'jobs': ['T-3']}
    assert client.get('/search').get_json() == {'jobs': ['T-1', 'T-2', 'T-3', 'T-4']}


def test_counts(client):
    assert client.get('/counts').get_json() == {'total': 4, 'on_press': 1}


def test_customer_of():
    assert desk.customer_of('T-1') == 'Ada'
    assert desk.customer_of('T-2') is None
    assert desk.customer_of('T-77') is None


def test_nobody_is_found_for_a_walk_in():
    assert desk.tickets_of('Ada') == ['T-1', 'T-3']
    assert desk.tickets_of(None) == []


def test_remark_is_logged_with_the_time_of_the_database(database):
    assert desk.remark('T-3', 'eve', 'größer') is True
    (author, remark, logged), = rows(database, 'SELECT author, remark, logged_at FROM job_log WHERE job_id = 3')
    assert (author, remark) == ('eve', 'größer')
    assert len(logged) == len('2024-05-01 10:00:00')


def test_remark_needs_a_job(client):
    assert client.post('/jobs/T-77/log', json={'remark': 'x'}).status_code == 404


def test_the_robot_sends_everything_twice(database):
    assert desk.take_in_once('M-1', 'Mail') is True
    assert desk.take_in_once('M-1', 'Mail again') is False
    assert rows(database, "SELECT title FROM jobs WHERE ticket = 'M-1'") == [('Mail',)]


def test_retitle(database):
    desk.retitle('T-1', 'Flyer, folded')
    assert rows(database, "SELECT title FROM jobs WHERE ticket = 'T-1'") == [('Flyer, folded',)]


def test_move(client, database):
    assert client.put('/jobs/T-3/stage', json={'stage': 3}).get_json() == {'ok': True, 'stage': 3}
    assert rows(database, "SELECT stage FROM jobs WHERE ticket = 'T-3'") == [(3,)]
    assert client.put('/jobs/T-3/stage', json={'stage': 9}).status_code == 400


def test_board(client):
    assert client.get('/board').get_json() == {'2': ['T-1 (500)', 'T-2 (20)'], '4': ['T-4 (80)']}


def test_settings_are_replaced(database):
    assert maintenance.get_setting('paper', 'A4') == 'A4'
    maintenance.put_setting('paper', 'A3')
    maintenance.put_setting('paper', 'A2')
    assert maintenance.get_setting('paper', 'A4') == 'A2'
    assert rows(database, 'SELECT * FROM settings') == [('paper', 'A2')]


def test_import_counts_its_lines(tmp_path, database):
    (tmp_path / 'in.csv').write_text('ticket,title,sheets\nW-1,Mug,1\nW-2,Cap,2\n')
    assert maintenance.import_tickets(tmp_path / 'in.csv') == 2
    assert rows(database, "SELECT sheets FROM jobs WHERE ticket LIKE 'W-%' ORDER BY ticket") == [(1,), (2,)]


def test_purge_counts_what_is_gone(database):
    assert maintenance.purge_log(1) == 3
    assert rows(database, 'SELECT COUNT(*) FROM job_log') == [(0,)]


def test_reset_stage(database):
    maintenance.reset_stage(1, ['T-2', 'T-4'])
    assert rows(database, 'SELECT stage FROM jobs ORDER BY id') == [(2,), (1,), (1,), (1,)]


def test_columns_and_index(database):
    assert maintenance.columns_of('settings') == ['key', 'value']
    maintenance.add_index()
    assert ('ix_jobs_stage',) in rows(database, "SELECT name FROM sqlite_master WHERE type = 'index'")
