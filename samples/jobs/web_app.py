"""The approval screens. Run with: flask --app web_app run"""
import json
import logging

from flask import Flask, jsonify, request

import desk
from store import db_session, init_db, open_db

app = Flask(__name__)
logger = logging.getLogger(__name__)

PROOF, PREFLIGHT, PRESS = 2, 3, 4


def find_faults(marks):
    """What keeps a job off the press."""
    return [mark for mark in marks if mark.get('kind') in ('bleed', 'fonts')]


# ---------------------------------------------------------------------
# intake
# ---------------------------------------------------------------------

@app.route('/jobs', methods=['GET'])
def list_jobs():
    return jsonify({'jobs': desk.jobs_in_stage(request.args.get('stage', 1, type=int))})


@app.route('/jobs', methods=['POST'])
def take_in():
    data = request.get_json() or {}
    if not data.get('ticket'):
        return jsonify({'ok': False, 'error': 'ticket missing'}), 400
    desk.take_in(data['ticket'], data.get('title', 'untitled'), data.get('sheets', 0))
    return jsonify({'ok': True, 'ticket': data['ticket']}), 201


@app.route('/jobs/<ticket>', methods=['DELETE'])
def drop_job(ticket):
    desk.drop(ticket)
    return jsonify({'ok': True})


@app.route('/search')
def search():
    return jsonify({'jobs': desk.search(request.args)})


@app.route('/counts')
def counts():
    return jsonify(desk.counts())


@app.route('/jobs/<ticket>/log', methods=['GET', 'POST'])
def job_log(ticket):
    if request.method == 'POST':
        data = request.get_json() or {}
        if not desk.remark(ticket, data.get('author', 'desk'), data.get('remark')):
            return jsonify({'ok': False, 'error': 'no such job'}), 404
    return jsonify({'log': desk.log_of(ticket)})


# ---------------------------------------------------------------------
# proof (stage 2)
# ---------------------------------------------------------------------

@app.route('/jobs/<ticket>/proof', methods=['GET'])
def show_proof(ticket):
    """The marks of a proof, for the overlay."""
    try:
        conn = db_session()
        cursor = conn.cursor()

        cursor.execute("SELECT title, stage, proof_marks FROM jobs WHERE ticket = ?", (ticket,))
        row = cursor.fetchone()

        if not row:
            return jsonify({'ok': False, 'error': f'Job {ticket} not found'}), 404

        # marks are NULL until the first pass
        marks = json.loads(row[2]) if row[2] else []
        return jsonify({'ok': True, 'title': row[0], 'stage': row[1], 'marks': marks})

    except Exception as e:
        logger.error('proof of %s: %s', ticket, e)
        return jsonify({'ok': False, 'error': str(e)}), 500


@app.route('/jobs/<ticket>/proof', methods=['POST'])
def pass_proof(ticket):
    """Pass the proof and send the job on.

    With faults it goes to preflight review (3), without straight to press (4).
    """
    try:
        data = request.get_json() or {}
        marks = data.get('marks', [])
        user = data.get('user', 'anonymous')

        # Keep the marks first, so that they are there even if the check below dies
        conn = db_session()
        cursor = conn.cursor()

        cursor.execute("""
            UPDATE jobs
            SET proof_marks = ?,
                proof_passed_at = CURRENT_TIMESTAMP,
                proof_passed_by = ?
            WHERE ticket = ?
        """, (json.dumps(marks), user, ticket))

        conn.commit()

        logger.info('proof of %s passed by %s', ticket, user)
        faults = find_faults(marks)

        if faults:
            # -> preflight
            cursor.execute("""
                UPDATE jobs
                SET stage = 3
                WHERE ticket = ?
            """, (ticket,))
            conn.commit()

            return jsonify({'ok': True, 'review': True, 'faults': len(faults)})

        cursor.execute('UPDATE jobs SET stage = ?, preflight = NULL WHERE ticket = ?', (PRESS, ticket))
        conn.commit()

        answer = {'ok': True, 'review': False}

        if data.get('then') == 'next':
            # next one on the pile, oldest first
            cursor.execute("""
                SELECT ticket
                FROM jobs
                WHERE stage = 2
                  AND ticket != ?
                ORDER BY id ASC
                LIMIT 1
            """, (ticket,))

            next_row = cursor.fetchone()

            if next_row:
                answer['next'] = next_row[0]

        return jsonify(answer)

    except Exception as e:
        logger.error('proof of %s: %s', ticket, e)
        return jsonify({'ok': False, 'error': str(e)}), 500


@app.route('/jobs/<ticket>/stage', methods=['PUT'])
def move(ticket):
    stage = (request.get_json() or {}).get('stage')
    if stage not in (1, PROOF, PREFLIGHT, PRESS):
        return jsonify({'ok': False, 'error': 'no such stage'}), 400
    conn = open_db()
    try:
        cur = conn.cursor()
        cur.execute("UPDATE jobs SET stage = ? WHERE ticket = ?", (stage, ticket))
        conn.commit()
    finally:
        conn.close()
    return jsonify({'ok': True, 'stage': stage})


@app.route('/board')
def board():
    """Tickets and sheets in a column per stage, for the screen over the press."""
    conn = open_db()
    cursor = conn.cursor()
    columns = {}
    cursor.execute('''SELECT stage, ticket, sheets FROM jobs
                      WHERE stage > 1 ORDER BY stage, id''')
    for row in cursor.fetchall():
        columns.setdefault(str(row[0]), []).append('%s (%d)' % (row[1], row[2]))
    conn.close()
    return jsonify(columns)


if __name__ == '__main__':
    init_db()
    app.run(port=5001)
