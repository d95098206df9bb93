"""What the migration changes, and says so. MIGRATED is empty for the app as it was, `1` for the migrated one."""
import json
import os

import desk
import maintenance

MIGRATED = bool(os.environ.get('MIGRATED'))
BROKEN = {'ok': False, 'error': "'Session' object has no attribute 'cursor'"}


def test_proof_is_shown(client):
    answer = client.get('/jobs/T-1/proof')
    if MIGRATED:
        assert answer.get_json() == {'ok': True, 'title': 'Flyer', 'stage': 2, 'marks': []}
        assert client.get('/jobs/T-77/proof').status_code == 404
    else:
        assert (answer.status_code, answer.get_json()) == (500, BROKEN)


def test_proof_with_faults_goes_to_preflight(client, database):
    marks = [{'kind': 'bleed'}, {'kind': 'note'}]
    answer = client.post('/jobs/T-1/proof', json={'marks': marks, 'user': 'ada'})
    stored = database.execute(
        "SELECT stage, proof_marks, proof_passed_by, length(proof_passed_at) FROM jobs WHERE ticket = 'T-1'").fetchone()
    if MIGRATED:
        assert answer.get_json() == {'ok': True, 'review': True, 'faults': 1}
        assert stored == (3, json.dumps(marks), 'ada', 19)
        assert client.get('/jobs/T-1/proof').get_json()['marks'] == marks
    else:
        assert (answer.status_code, answer.get_json()) == (500, BROKEN)
        assert stored == (2, None, None, None)


def test_proof_without_faults_goes_to_press_and_names_the_next(client, database):
    answer = client.post('/jobs/T-1/proof', json={'marks': [], 'then': 'next'})
    stages = database.execute('SELECT stage FROM jobs ORDER BY id').fetchall()
    if MIGRATED:
        assert answer.get_json() == {'ok': True, 'review': False, 'next': 'T-2'}
        assert stages == [(4,), (2,), (1,), (4,)]
        last = client.post('/jobs/T-2/proof', json={'then': 'next'})
        assert last.get_json() == {'ok': True, 'review': False}
    else:
        assert (answer.status_code, answer.get_json()) == (500, BROKEN)
        assert stages == [(2,), (2,), (1,), (4,)]


def test_label_printer_prints_the_flag_as_a_bool():
    assert desk.rush_jobs() == (['T-2:True', 'T-4:True'] if MIGRATED else ['T-2:1', 'T-4:1'])


def test_day_of_the_log_is_cut_from_text(client):
    assert client.get('/jobs/T-1/log').get_json() == {'log': [
        {'author': 'bob', 'remark': None, 'day': '2024-05-02'},
        {'author': 'ada', 'remark': 'call first', 'day': '2024-05-01'},
    ]}


def test_a_try_out_is_committed_by_a_scope_that_commits(database):
    assert maintenance.would_purge('bob') == 2
    assert database.execute('SELECT COUNT(*) FROM job_log').fetchone() == ((1,) if MIGRATED else (3,))
