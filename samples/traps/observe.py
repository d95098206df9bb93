"""Makes each call of traps.CALLS on a fresh database, and prints what came of it: `[[call, result, what is stored], ..]`."""
import json
import os
import sqlite3
import tempfile

os.environ['JOBS_DB'] = os.path.join(tempfile.mkdtemp(prefix='traps-'), 'jobs.db')

import store  # noqa: E402
import traps  # noqa: E402
from store.models import Base  # noqa: E402

TABLES = {
    'jobs': 'id, ticket, title, customer, stage, sheets, rush, proof_marks, proof_passed_at, length(created_at)',
    'job_log': 'id, job_id, author, remark, length(logged_at)',
    'settings': '*',
}


def fill():
    store.engine.dispose()
    if os.path.exists(store.DB_PATH):
        os.remove(store.DB_PATH)
    Base.metadata.create_all(store.engine)
    connection = sqlite3.connect(store.DB_PATH)
    connection.executemany(
        'INSERT INTO jobs (ticket, title, customer, stage, sheets, rush, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)',
        [('T-1', 'Fly', 'Ada', 2, 501, 0, '2024-05-01 10:00:00'), ('T-2', 'P', None, 2, 20, 1, '2024-05-02 10:00:00'),
         ('T-3', 'C', 'Ada', 1, 0, 0, None), ('T-4', 'M', 'Bob', 4, 80, 1, '2024-05-03 10:00:00')])
    connection.executemany('INSERT INTO job_log (job_id, author, remark) VALUES (?, ?, ?)',
                           [(1, 'bob', 'r'), (3, 'bob', None)])
    connection.execute("INSERT INTO settings VALUES ('a', '1')")
    connection.commit()
    connection.close()


def stored():
    connection = sqlite3.connect(store.DB_PATH)
    found = {t: connection.execute(f'SELECT {c} FROM {t} ORDER BY 1').fetchall() for t, c in TABLES.items()}
    connection.close()
    return found


def observe(name, *arguments):
    fill()
    try:
        result = repr(getattr(traps, name)(*arguments))
    except Exception as e:
        result = f'raises {type(e).__name__}'
    return repr((name, *arguments)), result, repr(stored())


if __name__ == '__main__':
    print(json.dumps([observe(*call) for call in traps.CALLS]))
