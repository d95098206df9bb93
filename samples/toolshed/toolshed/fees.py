"""What is owed."""
from toolshed.db import connect


def owed(member_id):
    """In cents."""
    conn = connect()
    try:
        row = conn.execute(
            'SELECT COALESCE(SUM(cents), 0) AS total FROM fees WHERE member_id = ? AND paid IS NULL', (member_id,)
        ).fetchone()
        return row['total']
    finally:
        conn.close()


def charge(member_id, cents, reason):
    conn = connect()
    try:
        conn.execute('INSERT INTO fees (member_id, cents, reason) VALUES (?, ?, ?)', (member_id, cents, reason))
        conn.commit()
    finally:
        conn.close()


def pay(member_id, at):
    """How many fees were paid."""
    conn = connect()
    try:
        cur = conn.cursor()
        cur.execute('UPDATE fees SET paid = ? WHERE member_id = ? AND paid IS NULL', (at, member_id))
        paid = cur.rowcount
        conn.commit()
        return paid
    finally:
        conn.close()


def receipt(member_id):
    """Lines for the printer."""
    conn = connect()
    rows = conn.execute(
        'SELECT reason, cents, paid FROM fees WHERE member_id = ? ORDER BY id', (member_id,)
    ).fetchall()
    conn.close()
    lines = []
    for reason, cents, paid in rows:
        lines.append('%-10s %6.2f  %s' % (reason, cents / 100, paid[:10] if paid else 'open'))
    return lines


def debtors(least):
    """[(name, cents)], who owes most first."""
    conn = connect()
    try:
        cur = conn.execute(
            '''SELECT m.name, SUM(f.cents) AS total
               FROM fees f JOIN members m ON m.id = f.member_id
               WHERE f.paid IS NULL
               GROUP BY m.id, m.name
               HAVING SUM(f.cents) >= ?
               ORDER BY total DESC, m.name''',
            (least,),
        )
        return [(row['name'], row['total']) for row in cur.fetchall()]
    finally:
        conn.close()


def forgive(before):
    """Old fees that nobody will pay; how many."""
    conn = connect()
    try:
        cur = conn.execute(
            '''DELETE FROM fees
               WHERE paid IS NULL AND loan_id IN (SELECT id FROM loans WHERE returned < ?)''',
            (before,),
        )
        conn.commit()
        return cur.rowcount
    finally:
        conn.close()
