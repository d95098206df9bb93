"""Numbers for the yearly meeting."""
import csv
import io
import json

from toolshed.db import connect


def favourites(limit):
    """[(label, how often)]"""
    conn = connect()
    try:
        cur = conn.cursor()
        cur.execute(
            '''SELECT t.label, COUNT(l.id) AS times
               FROM tools t LEFT JOIN loans l ON l.tool_id = t.id
               GROUP BY t.id, t.label
               ORDER BY times DESC, t.label
               LIMIT ?''',
            (limit,),
        )
        return [tuple(row) for row in cur.fetchall()]
    finally:
        conn.close()


def by_month(year):
    """{'01': loans, ..} of months in which something was lent"""
    conn = connect()
    rows = conn.execute(
        '''SELECT strftime('%m', lent) AS month, COUNT(*) AS number
           FROM loans WHERE lent LIKE ? GROUP BY month ORDER BY month''',
        ('%d-%%' % year,),
    ).fetchall()
    conn.close()
    return {row['month']: row['number'] for row in rows}


def idle():
    """Tools that were never lent."""
    conn = connect()
    try:
        rows = conn.execute(
            'SELECT label FROM tools WHERE id NOT IN (SELECT tool_id FROM loans) ORDER BY label'
        ).fetchall()
        return [row[0] for row in rows]
    finally:
        conn.close()


def longest():
    """(label, days) of the longest loan that came back; None where none did."""
    conn = connect()
    try:
        row = conn.execute(
            '''SELECT t.label, CAST(julianday(l.returned) - julianday(l.lent) AS INTEGER) AS days
               FROM loans l JOIN tools t ON t.id = l.tool_id
               WHERE l.returned IS NOT NULL
               ORDER BY days DESC, l.id LIMIT 1'''
        ).fetchone()
        return (row['label'], row['days']) if row else None
    finally:
        conn.close()


def members_csv():
    out = io.StringIO()
    writer = csv.writer(out, lineterminator='\n')
    writer.writerow(['number', 'name', 'joined', 'active'])
    conn = connect()
    try:
        for row in conn.execute('SELECT id, name, joined, active FROM members ORDER BY id'):
            writer.writerow([row['id'], row['name'], row['joined'], row['active']])
    finally:
        conn.close()
    return out.getvalue()


def tools_json():
    conn = connect()
    rows = conn.execute('SELECT label, kind, bought, price FROM tools ORDER BY label').fetchall()
    conn.close()
    return json.dumps([dict(row) for row in rows])


def summary():
    conn = connect()
    try:
        members = conn.execute('SELECT COUNT(*) FROM members').fetchone()[0]
        lent = conn.execute('SELECT COUNT(*), COUNT(returned) FROM loans').fetchone()
        return f'{members} members, {lent[0]} loans, {lent[0] - lent[1]} out'
    finally:
        conn.close()
