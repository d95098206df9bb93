"""What can be borrowed."""
from toolshed.db import connect

CONDITIONS = ('good', 'worn', 'broken')


def add(label, kind, bought=None, price=None):
    conn = connect()
    try:
        conn.execute(
            'INSERT INTO tools (label, kind, bought, price) VALUES (?, ?, ?, ?)', (label, kind, bought, price)
        )
        conn.commit()
    finally:
        conn.close()


def add_many(rows):
    """Each row is (label, kind)."""
    conn = connect()
    conn.executemany('INSERT INTO tools (label, kind) VALUES (?, ?)', rows)
    conn.commit()
    conn.close()


def number_of(label):
    conn = connect()
    row = conn.execute('SELECT id FROM tools WHERE label = ?', (label,)).fetchone()
    conn.close()
    return row['id'] if row else None


def describe(label):
    """One line for the desk."""
    conn = connect()
    try:
        row = conn.execute('SELECT kind, price, condition, notes FROM tools WHERE label = ?', (label,)).fetchone()
    finally:
        conn.close()
    if row is None:
        return 'no such tool'
    kind, price, condition, notes = row
    parts = [kind, condition]
    if price is not None:
        parts.append('%.2f' % price)
    if notes:
        parts.append(notes)
    return ', '.join(parts)


def kinds():
    """{kind: how many that are not broken}"""
    conn = connect()
    try:
        cur = conn.cursor()
        cur.execute("SELECT kind, COUNT(*) FROM tools WHERE condition <> 'broken' GROUP BY kind ORDER BY kind")
        return {kind: number for kind, number in cur}
    finally:
        conn.close()


def free(kind):
    """Labels of tools on the shelf, the best first."""
    conn = connect()
    try:
        rows = conn.execute(
            '''SELECT t.label
               FROM tools t LEFT JOIN loans l ON l.tool_id = t.id AND l.returned IS NULL
               WHERE t.kind = ? AND t.condition <> 'broken' AND l.id IS NULL
               ORDER BY CASE t.condition WHEN 'good' THEN 0 ELSE 1 END, t.label''',
            (kind,),
        ).fetchall()
        return [row['label'] for row in rows]
    finally:
        conn.close()


def set_condition(label, condition, note=None):
    if condition not in CONDITIONS:
        raise ValueError(condition)
    conn = connect()
    try:
        conn.execute(
            'UPDATE tools SET condition = ?, notes = COALESCE(?, notes) WHERE label = ?', (condition, note, label)
        )
        conn.commit()
    finally:
        conn.close()


def worth():
    """What all tools cost together, as far as it is known."""
    conn = connect()
    total = conn.execute('SELECT SUM(price) FROM tools').fetchone()[0]
    conn.close()
    return round(total or 0, 2)


def scrap(label):
    """Throw a broken tool away; how many went."""
    conn = connect()
    try:
        cur = conn.execute("DELETE FROM tools WHERE label = ? AND condition = 'broken'", (label,))
        conn.commit()
        return cur.rowcount
    finally:
        conn.close()


def listing(order):
    """All labels; the order comes from the desk's own list of columns."""
    if order not in ('label', 'kind', 'bought'):
        raise ValueError(order)
    conn = connect()
    rows = conn.execute('SELECT label FROM tools ORDER BY ' + order).fetchall()
    conn.close()
    return [row['label'] for row in rows]
