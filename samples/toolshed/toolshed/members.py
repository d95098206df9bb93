"""Who may borrow."""
import sqlite3
from contextlib import closing

from toolshed.db import connect


class AlreadyMember(Exception):
    pass


def join(name, email, street, today):
    """The new member's number."""
    conn = connect()
    try:
        cur = conn.cursor()
        cur.execute(
            'INSERT INTO members (name, email, street, joined) VALUES (?, ?, ?, ?)',
            (name, email.lower(), street, today),
        )
        conn.commit()
        return cur.lastrowid
    except sqlite3.IntegrityError:
        raise AlreadyMember(email)
    finally:
        conn.close()


def find(member_id):
    """The member as a dict; None for a stranger."""
    conn = connect()
    try:
        row = conn.execute(
            'SELECT id, name, email, street, joined, active FROM members WHERE id = ?', (member_id,)
        ).fetchone()
        return dict(row) if row else None
    finally:
        conn.close()


def by_email(email):
    with closing(connect()) as conn:
        row = conn.execute('SELECT id FROM members WHERE email = ?', (email.lower(),)).fetchone()
        if row is None:
            return None
        return row[0]


def search(text):
    """Names and streets that hold the text, as the desk shows them."""
    conn = connect()
    pattern = '%' + text + '%'
    rows = conn.execute(
        '''SELECT name, street, active
           FROM members
           WHERE name LIKE ? OR street LIKE ?
           ORDER BY name''',
        (pattern, pattern),
    ).fetchall()
    conn.close()
    return ['%s, %s%s' % (r['name'], r['street'] or '?', '' if r['active'] == 1 else ' (gone)') for r in rows]


def leave(member_id):
    """True if somebody left."""
    conn = connect()
    try:
        cur = conn.execute('UPDATE members SET active = 0 WHERE id = ? AND active = 1', (member_id,))
        conn.commit()
        return cur.rowcount == 1
    finally:
        conn.close()


def move(member_id, street):
    conn = connect()
    conn.execute('UPDATE members SET street = ? WHERE id = ?', (street, member_id))
    conn.commit()
    conn.close()


def count_active():
    conn = connect()
    try:
        return conn.execute('SELECT COUNT(*) FROM members WHERE active = 1').fetchone()[0]
    finally:
        conn.close()


def joined_in(year):
    """(name, date) of those who joined in a year, oldest first."""
    conn = connect()
    try:
        cur = conn.cursor()
        cur.execute(
            'SELECT name, joined FROM members WHERE joined BETWEEN ? AND ? ORDER BY joined, id',
            ('%d-01-01' % year, '%d-12-31' % year),
        )
        return [(name, joined) for name, joined in cur.fetchall()]
    finally:
        conn.close()


# What people can do: drills are lent to everybody, chainsaws are not

def can(member_id, kind):
    conn = connect()
    try:
        row = conn.execute('SELECT level FROM skills WHERE member_id = ? AND kind = ?', (member_id, kind)).fetchone()
        return row['level'] if row else 0
    finally:
        conn.close()


def teach(member_id, kind, level):
    conn = connect()
    conn.execute(
        'INSERT OR REPLACE INTO skills (member_id, kind, level) VALUES (?, ?, ?)', (member_id, kind, level)
    )
    conn.commit()
    conn.close()


def teachers(kind):
    """Whom to ask."""
    conn = connect()
    try:
        rows = conn.execute(
            '''SELECT m.name, s.level
               FROM skills s JOIN members m ON m.id = s.member_id
               WHERE s.kind = ? AND s.level >= 2 AND m.active = 1
               ORDER BY s.level DESC, m.name''',
            (kind,),
        )
        return [f"{row['name']} ({row['level']})" for row in rows]
    finally:
        conn.close()
