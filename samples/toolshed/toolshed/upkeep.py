"""Run by cron at night."""
from toolshed.db import connect


def note(who, what):
    conn = connect()
    conn.execute('INSERT INTO journal (who, what) VALUES (?, ?)', (who, what))
    conn.commit()
    conn.close()


def notes_of(who):
    conn = connect()
    try:
        return [row['what'] for row in conn.execute('SELECT what FROM journal WHERE who = ?', (who,))]
    finally:
        conn.close()


def forget_queue(before):
    """Who has waited since before a day waits no more."""
    conn = connect()
    try:
        with conn:
            cur = conn.execute('DELETE FROM queue WHERE asked < ?', (before,))
        return cur.rowcount
    finally:
        conn.close()


def wear_out(times):
    """Tools that went out often are worn; how many."""
    conn = connect()
    try:
        cur = conn.execute(
            '''UPDATE tools SET condition = 'worn'
               WHERE condition = 'good'
                 AND (SELECT COUNT(*) FROM loans WHERE loans.tool_id = tools.id) >= ?''',
            (times,),
        )
        conn.commit()
        return cur.rowcount
    finally:
        conn.close()


def remind(numbers):
    """Emails of these members."""
    conn = connect()
    marks = ', '.join('?' for _ in numbers)
    rows = conn.execute(f'SELECT email FROM members WHERE id IN ({marks}) ORDER BY email', list(numbers)).fetchall()
    conn.close()
    return [row['email'] for row in rows]


def compact():
    conn = connect()
    conn.execute('VACUUM')
    conn.close()
