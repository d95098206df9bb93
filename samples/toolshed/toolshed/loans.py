"""Lending and taking back."""
from datetime import date, timedelta

from toolshed.db import connect

DAYS = 14
CENTS_A_DAY = 50


class NotPossible(Exception):
    pass


def lend(tool_id, member_id, today):
    """The loan's number. `today` is text, as everywhere."""
    conn = connect()
    try:
        cur = conn.cursor()
        cur.execute('SELECT active FROM members WHERE id = ?', (member_id,))
        member = cur.fetchone()
        if member is None or not member['active']:
            raise NotPossible('no member')
        cur.execute('SELECT id FROM loans WHERE tool_id = ? AND returned IS NULL', (tool_id,))
        if cur.fetchone():
            raise NotPossible('is out')
        due = (date.fromisoformat(today) + timedelta(days=DAYS)).isoformat()
        cur.execute(
            'INSERT INTO loans (tool_id, member_id, lent, due) VALUES (?, ?, ?, ?)', (tool_id, member_id, today, due)
        )
        number = cur.lastrowid
        cur.execute('DELETE FROM queue WHERE tool_id = ? AND member_id = ?', (tool_id, member_id))
        conn.commit()
        return number
    finally:
        conn.close()


def take_back(loan_id, today):
    """The fee in cents; it is written down where there is one."""
    conn = connect()
    try:
        loan = conn.execute('SELECT member_id, due FROM loans WHERE id = ? AND returned IS NULL', (loan_id,)).fetchone()
        if loan is None:
            raise NotPossible('is not out')
        conn.execute('UPDATE loans SET returned = ? WHERE id = ?', (today, loan_id))
        late = (date.fromisoformat(today) - date.fromisoformat(loan['due'])).days
        cents = max(0, late) * CENTS_A_DAY
        if cents:
            conn.execute(
                "INSERT INTO fees (member_id, loan_id, cents, reason) VALUES (?, ?, ?, 'late')",
                (loan['member_id'], loan_id, cents),
            )
        conn.commit()
        return cents
    finally:
        conn.close()


def extend(loan_id, days):
    """Nobody may wait for the tool. True if it was possible."""
    conn = connect()
    try:
        cur = conn.execute(
            '''UPDATE loans SET due = date(due, ?)
               WHERE id = ? AND returned IS NULL
                 AND NOT EXISTS (SELECT 1 FROM queue WHERE queue.tool_id = loans.tool_id)''',
            ('+%d days' % days, loan_id),
        )
        conn.commit()
        return cur.rowcount > 0
    finally:
        conn.close()


def due_of(loan_id):
    conn = connect()
    row = conn.execute('SELECT due FROM loans WHERE id = ?', (loan_id,)).fetchone()
    conn.close()
    return row[0]


def out(member_id):
    """[(label, due)] of what a member has at home."""
    conn = connect()
    try:
        return [
            (row['label'], row['due'])
            for row in conn.execute(
                '''SELECT tools.label, loans.due
                   FROM loans INNER JOIN tools ON tools.id = loans.tool_id
                   WHERE loans.member_id = ? AND loans.returned IS NULL
                   ORDER BY loans.due, tools.label''',
                (member_id,),
            )
        ]
    finally:
        conn.close()


def overdue(today):
    """Whom to write to: {email: [label, ..]}"""
    letters = {}
    conn = connect()
    try:
        cur = conn.cursor()
        cur.execute(
            '''SELECT m.email, t.label
               FROM loans l
               JOIN members m ON m.id = l.member_id
               JOIN tools t ON t.id = l.tool_id
               WHERE l.returned IS NULL AND l.due < ?
               ORDER BY m.email, t.label''',
            (today,),
        )
        for email, label in cur.fetchall():
            letters.setdefault(email, []).append(label)
    finally:
        conn.close()
    return letters


# The queue

def ask_for(tool_id, member_id):
    """False where the member waits already."""
    conn = connect()
    try:
        cur = conn.execute('INSERT OR IGNORE INTO queue (tool_id, member_id) VALUES (?, ?)', (tool_id, member_id))
        conn.commit()
        return cur.rowcount == 1
    finally:
        conn.close()


def next_in_queue(tool_id):
    conn = connect()
    try:
        row = conn.execute(
            '''SELECT members.name FROM queue
               JOIN members ON members.id = queue.member_id
               WHERE queue.tool_id = ?
               ORDER BY queue.asked, queue.id LIMIT 1''',
            (tool_id,),
        ).fetchone()
        return row['name'] if row else None
    finally:
        conn.close()
