"""Functions that hold what raw cursors do and a naive rewrite loses. `CALLS` says how each is called."""
import sqlite3

from store import DB_PATH, open_db


def cursor_reused_in_its_own_loop():
    conn = open_db()
    cur = conn.cursor()
    cur.execute("SELECT id, ticket FROM jobs")
    for row in cur:
        cur.execute("UPDATE jobs SET title = ? WHERE id = ?", (row[1], row[0]))
    conn.commit()
    conn.close()


def cursor_reused_between_fetches():
    conn = open_db()
    cur = conn.cursor()
    cur.execute("SELECT id, ticket FROM jobs")
    while True:
        row = cur.fetchone()
        if row is None:
            break
        cur.execute("UPDATE jobs SET title = ? WHERE id = ?", (row[1], row[0]))
    conn.commit()
    conn.close()


def lastrowid_and_rollback(ticket, title):
    conn = open_db()
    cur = conn.cursor()
    try:
        cur.execute("INSERT INTO jobs (ticket, title) VALUES (?, ?)", (ticket, title))
        new = cur.lastrowid
        conn.commit()
        return new
    except Exception as e:
        conn.rollback()
        return None
    finally:
        cur.close()
        conn.close()


def arithmetic(ticket):
    conn = open_db()
    cur = conn.cursor()
    cur.execute("SELECT sheets / 2, sheets * 1.5, sheets + 0.5, -sheets / 2, sheets % 2 FROM jobs WHERE ticket = ?", (ticket,))
    row = cur.fetchone()
    conn.close()
    return row[0], row[1], row[2], row[3], row[4]


def text_into_a_date(ticket, when):
    conn = open_db()
    conn.execute("UPDATE jobs SET proof_passed_at = ? WHERE ticket = ?", (when, ticket))
    conn.commit()
    conn.close()


def limit_and_offset(limit, offset):
    conn = open_db()
    cur = conn.cursor()
    cur.execute("SELECT ticket FROM jobs ORDER BY created_at DESC, id LIMIT ? OFFSET ?", (limit, offset))
    rows = cur.fetchall()
    conn.close()
    return [r[0] for r in rows]


def null_parameter(a, b):
    conn = open_db()
    cur = conn.cursor()
    cur.execute("SELECT ticket FROM jobs WHERE (customer = ? OR customer IS NULL) AND stage IN (1, 2) AND sheets BETWEEN ? AND ?", (a, b, 10))
    rows = cur.fetchall()
    conn.close()
    if not rows:
        return []
    return [r[0] for r in rows]


class Store:
    def __init__(self):
        self.conn = open_db()

    def get(self, key):
        cur = self.conn.cursor()
        cur.execute("SELECT value FROM settings WHERE key = ?", (key,))
        row = cur.fetchone()
        return row[0] if row else None

    def put(self, key, value):
        cur = self.conn.cursor()
        cur.execute("UPDATE settings SET value = ? WHERE key = ?", (value, key))

    def save(self):
        self.conn.commit()


def store_use():
    s = Store()
    s.put('a', '2')
    x = s.get('a')
    s.save()
    return x


def early_return_without_commit(flag):
    conn = open_db()
    conn.execute("UPDATE jobs SET stage = 9 WHERE ticket = 'T-1'")
    if not flag:
        return 'no'
    conn.commit()
    conn.close()
    return 'yes'


def swallowed_without_commit():
    conn = open_db()
    try:
        conn.execute("UPDATE jobs SET stage = 9 WHERE ticket = 'T-1'")
        raise KeyError('x')
    except KeyError:
        pass
    conn.close()


def commit_in_finally():
    conn = open_db()
    try:
        conn.execute("UPDATE jobs SET stage = 9 WHERE ticket = 'T-1'")
        raise KeyError('x')
    finally:
        conn.commit()
        conn.close()


def rows_as_tuples(ticket):
    conn = open_db()
    cur = conn.cursor()
    cur.execute("SELECT stage, sheets FROM jobs WHERE ticket = ?", (ticket,))
    rows = cur.fetchall()
    conn.close()
    return sum(r[0] * r[1] for r in rows), rows[0] if rows else None, len(rows[0]), rows == [(2, 501)]


def falsy_row(tickets):
    conn = open_db()
    out = {}
    for t in tickets:
        cur = conn.execute("SELECT title FROM jobs WHERE ticket = ?", (t,))
        r = cur.fetchone()
        out[t] = r and r[0]
    conn.close()
    return out


def rowcount_of_update(title):
    conn = open_db()
    cur = conn.cursor()
    cur.execute("UPDATE jobs SET title = ?, customer = NULL, sheets = sheets * 2 WHERE stage = ? AND customer IS NOT NULL", (title, 2))
    n = cur.rowcount
    conn.commit()
    conn.close()
    return n


def string_functions(title):
    conn = open_db()
    cur = conn.cursor()
    cur.execute("SELECT UPPER(title), LENGTH(title), COALESCE(customer, '-'), substr(title, 1, 2), title || '!' FROM jobs WHERE LOWER(title) LIKE ? ORDER BY title COLLATE NOCASE", (title,))
    rows = cur.fetchall()
    conn.close()
    return [list(r) for r in rows]


def aggregates():
    conn = open_db()
    cur = conn.cursor()
    cur.execute("SELECT stage, SUM(sheets), AVG(sheets), MIN(title) FROM jobs GROUP BY stage ORDER BY stage")
    rows = cur.fetchall()
    conn.close()
    return [{'s': r[0], 'sum': r[1], 'avg': r[2], 'min': r[3]} for r in rows]


def not_equal(pw):
    conn = open_db()
    cur = conn.cursor()
    cur.execute("SELECT ticket FROM jobs WHERE customer != ? OR NOT (stage = 2)", (pw,))
    rows = cur.fetchall()
    conn.close()
    return [r[0] for r in rows]


def distinct_and_dates(a):
    conn = open_db()
    cur = conn.cursor()
    cur.execute("SELECT DISTINCT customer FROM jobs WHERE rush = ? AND created_at >= '2024-05-02 10:00:00'", (a,))
    rows = cur.fetchall()
    conn.close()
    return [r[0] for r in rows]


def date_by_text(a):
    conn = open_db()
    cur = conn.cursor()
    cur.execute("SELECT ticket FROM jobs WHERE created_at = ?", (a,))
    rows = cur.fetchall()
    conn.close()
    return [r[0] for r in rows]


def case():
    conn = open_db()
    cur = conn.cursor()
    cur.execute("SELECT CASE WHEN stage > 2 THEN 'late' ELSE 'early' END AS phase, COUNT(DISTINCT customer) FROM jobs GROUP BY phase ORDER BY phase")
    rows = cur.fetchall()
    conn.close()
    return [(r[0], r[1]) for r in rows]


def last_insert_rowid(x):
    conn = open_db()
    cur = conn.cursor()
    cur.execute("INSERT INTO job_log (job_id, author, remark) VALUES (?, ?, ?)", (x, 'me', None))
    cur.execute("UPDATE jobs SET rush = ? WHERE id = ?", (1, x))
    cur.execute("SELECT remark FROM job_log WHERE rowid = last_insert_rowid()")
    r = cur.fetchone()
    conn.commit()
    conn.close()
    return r


def lastrowid_of_the_second(x):
    conn = open_db()
    cur = conn.cursor()
    cur.execute("INSERT INTO job_log (job_id, author) VALUES (?, 'm')", (x,))
    cur.execute("INSERT INTO job_log (job_id, author) VALUES (?, 'm')", (99,))
    last = cur.lastrowid
    conn.commit()
    conn.close()
    return last


def any_value_into_a_boolean(x, flag='yes'):
    conn = open_db()
    cur = conn.cursor()
    cur.execute("UPDATE jobs SET rush = ? WHERE ticket = ?", (flag, x))
    conn.commit()
    conn.close()


def autocommit(x):
    conn = open_db()
    conn.isolation_level = None
    conn.execute("UPDATE jobs SET stage = 9 WHERE ticket = ?", (x,))
    conn.close()


def row_formatted(ticket):
    conn = open_db()
    cur = conn.cursor()
    cur.execute("SELECT ticket, title FROM jobs WHERE ticket = ?", (ticket,))
    row = cur.fetchone()
    conn.close()
    return fmt(row)


def label_that_a_tuple_has():
    conn = open_db()
    cur = conn.cursor()
    cur.execute("SELECT stage, COUNT(*) AS count FROM jobs GROUP BY stage ORDER BY stage")
    rows = cur.fetchall()
    conn.close()
    return [(r[0], r[1]) for r in rows]


def two_columns_of_one_name():
    conn = open_db()
    cur = conn.cursor()
    cur.execute("SELECT l.id, j.id FROM job_log l JOIN jobs j ON j.id = l.job_id ORDER BY l.id")
    rows = cur.fetchall()
    conn.close()
    return [(r[0], r[1]) for r in rows]


def argument_named_session(session, ticket):
    conn = open_db()
    cur = conn.cursor()
    cur.execute("SELECT title FROM jobs WHERE ticket = ?", (ticket,))
    row = cur.fetchone()
    conn.close()
    return (session, row[0])


def local_named_as_the_model(ticket):
    Job = 'job'
    conn = open_db()
    cur = conn.cursor()
    cur.execute("SELECT title FROM jobs WHERE ticket = ?", (ticket,))
    row = cur.fetchone()
    conn.close()
    return (Job, row[0])


def rows_sorted_and_appended():
    conn = open_db()
    cur = conn.cursor()
    cur.execute("SELECT ticket, sheets FROM jobs")
    rows = cur.fetchall()
    conn.close()
    rows.sort(key=lambda r: r[1])
    rows.append(('x', 1))
    return [r[0] for r in rows]


def rows_compared_with_tuples():
    conn = open_db()
    cur = conn.cursor()
    cur.execute("SELECT ticket FROM jobs ORDER BY id")
    rows = cur.fetchall()
    conn.close()
    return ('T-1',) in rows, rows.index(('T-2',)), set(rows) == {('T-1',), ('T-2',), ('T-3',), ('T-4',)}, dict(zip([1], rows))[1] == ('T-1',)


def two_executes_one_fetch(ticket, extra=None):
    conn = open_db()
    cur = conn.cursor()
    if extra:
        cur.execute("SELECT title FROM jobs WHERE ticket = ? AND stage = ?", (ticket, extra))
    else:
        cur.execute("SELECT title FROM jobs WHERE ticket = ?", (ticket,))
    row = cur.fetchone()
    conn.close()
    return row[0] if row else None


def row_of_two_selects(ticket, extra=None):
    conn = open_db()
    cur = conn.cursor()
    cur.execute("SELECT title, stage FROM jobs WHERE ticket = ?", (ticket,))
    row = cur.fetchone()
    if row is None:
        cur.execute("SELECT customer, sheets FROM jobs WHERE stage = 4")
        row = cur.fetchone()
    conn.close()
    return row[0], row[1]


def formatted_sql(ticket):
    conn = open_db()
    cur = conn.cursor()
    cur.execute("SELECT title FROM jobs WHERE ticket = '%s'" % ticket)
    row = cur.fetchone()
    conn.close()
    return row[0]


def colon_and_comment_in_sql(ticket):
    conn = open_db()
    cur = conn.cursor()
    cur.execute("SELECT title FROM jobs WHERE title LIKE '%:a%' OR title = 'P' ORDER BY id -- newest ?\n")
    row = cur.fetchone()
    conn.close()
    return row[0]


def two_fetches(ticket):
    conn = open_db()
    cur = conn.cursor()
    cur.execute("SELECT title FROM jobs WHERE ticket = ?", (ticket,))
    first = cur.fetchone()
    second = cur.fetchone()
    conn.close()
    return first[0], second


def fetchone_then_fetchall():
    conn = open_db()
    cur = conn.cursor()
    cur.execute("SELECT ticket FROM jobs ORDER BY id")
    first = cur.fetchone()
    rest = cur.fetchall()
    two = len(rest)
    conn.close()
    return first[0], [r[0] for r in rest], two


def fetchmany_then_another():
    conn = open_db()
    cur = conn.cursor()
    cur.execute("SELECT ticket FROM jobs ORDER BY id")
    some = cur.fetchmany(2)
    cur.execute("SELECT stage FROM jobs ORDER BY id")
    more = cur.fetchall()
    conn.close()
    return [r[0] for r in some], [r[0] for r in more]


def nested_loops_of_two_cursors():
    conn = open_db()
    c1 = conn.cursor()
    c2 = conn.cursor()
    out = []
    for r in c1.execute("SELECT id, ticket FROM jobs ORDER BY id"):
        c2.execute("SELECT remark FROM job_log WHERE job_id = ?", (r[0],))
        for q in c2:
            out.append((r[1], q[0]))
    conn.close()
    return out


def rollback_in_a_loop(n):
    conn = open_db()
    for i in range(n):
        cur = conn.cursor()
        cur.execute("INSERT INTO job_log (job_id, author) VALUES (?, ?)", (i, 'z'))
        if i == 1:
            conn.rollback()
        if i == 2:
            conn.commit()
    conn.close()


def read_write_read(ticket):
    conn = open_db()
    cur = conn.cursor()
    x = cur.execute("SELECT stage FROM jobs WHERE ticket = ?", (ticket,)).fetchone()
    x = x[0] if x else 0
    cur.execute("UPDATE jobs SET stage = ? WHERE ticket = ?", (x + 1, ticket))
    conn.commit()
    cur.execute("SELECT stage FROM jobs WHERE ticket = ?", (ticket,))
    y = cur.fetchone()[0]
    conn.close()
    return x, y


def driver_error_caught(ticket):
    conn = open_db()
    try:
        cur = conn.cursor()
        cur.execute("SELECT title FROM jobs WHERE ticket = ?", (ticket,))
        row = cur.fetchone()
    except sqlite3.Error as e:
        return str(e)
    finally:
        conn.close()
    if row:
        (title,) = row
        return title
    return row


def row_as_text(ticket):
    conn = open_db()
    cur = conn.cursor()
    cur.execute("SELECT title, customer FROM jobs WHERE ticket = ?", (ticket,))
    row = cur.fetchone()
    conn.close()
    return f"{row}", str(row), isinstance(row, tuple), type(row).__name__


def starred_rows(ticket):
    conn = open_db()
    cur = conn.cursor()
    cur.execute("SELECT ticket, sheets FROM jobs WHERE sheets > ? ORDER BY sheets DESC", (ticket,))
    best, *others = cur.fetchall()
    conn.close()
    return best[0], len(others)


def parameter_of_any_type(status):
    conn = open_db()
    cur = conn.cursor()
    cur.execute("SELECT ticket FROM jobs WHERE stage = ? ORDER BY id", (status,))
    rows = cur.fetchall()
    conn.close()
    return [r[0] for r in rows]


def uncommitted_read_and_rollback(t):
    conn = open_db()
    cur = conn.cursor()
    cur.execute("UPDATE jobs SET title = ? WHERE ticket = ?", (t, 'T-1'))
    cur.execute("SELECT title FROM jobs WHERE ticket = 'T-1'")
    r = cur.fetchone()[0]
    conn.rollback()
    conn.close()
    return r


def text_factory(t):
    conn = open_db()
    conn.text_factory = bytes
    cur = conn.cursor()
    cur.execute("SELECT title FROM jobs WHERE ticket = 'T-1'")
    r = cur.fetchone()[0]
    conn.close()
    return r


def pragma_first(t):
    conn = open_db()
    conn.execute("PRAGMA foreign_keys = ON")
    conn.execute("DELETE FROM jobs WHERE ticket = ?", (t,))
    conn.commit()
    conn.close()


def total_changes():
    conn = open_db()
    n = conn.total_changes
    conn.execute("DELETE FROM jobs")
    conn.commit()
    n = conn.total_changes - n
    conn.close()
    return n


def row_in_a_global(t):
    global LAST
    conn = open_db()
    LAST = conn.execute("SELECT title FROM jobs WHERE ticket = ?", (t,)).fetchone()
    conn.close()
    return LAST[0]


CALLS = [
    ('cursor_reused_in_its_own_loop',), ('cursor_reused_between_fetches',),
    ('lastrowid_and_rollback', 'N', 't'), ('lastrowid_and_rollback', 'T-1', 't'), ('arithmetic', 'T-1'),
    ('text_into_a_date', 'T-1', '2024-01-01 00:00:00'), ('text_into_a_date', 'T-1', None),
    ('limit_and_offset', 2, 1), ('limit_and_offset', -1, 0), ('limit_and_offset', '2', 0), ('limit_and_offset', 2, -1),
    ('null_parameter', 'Ada', 0), ('null_parameter', None, 0), ('null_parameter', 'Ada', None), ('store_use',),
    ('early_return_without_commit', True), ('early_return_without_commit', False), ('swallowed_without_commit',),
    ('commit_in_finally',), ('rows_as_tuples', 'T-1'), ('rows_as_tuples', 'x'), ('falsy_row', ['T-1', 'x']),
    ('rowcount_of_update', 'n'), ('string_functions', '%l%'), ('aggregates',), ('not_equal', 'Ada'), ('not_equal', None),
    ('distinct_and_dates', 1), ('distinct_and_dates', True), ('date_by_text', '2024-05-01 10:00:00'), ('case',),
    ('last_insert_rowid', 1), ('lastrowid_of_the_second', 1), ('any_value_into_a_boolean', 'T-1'),
    ('any_value_into_a_boolean', 'T-1', 2), ('autocommit', 'T-1'), ('row_formatted', 'T-1'),
    ('label_that_a_tuple_has',), ('two_columns_of_one_name',), ('argument_named_session', 1, 'T-1'),
    ('local_named_as_the_model', 'T-1'), ('rows_sorted_and_appended',), ('rows_compared_with_tuples',),
    ('two_executes_one_fetch', 'T-1'), ('two_executes_one_fetch', 'T-1', 2), ('two_executes_one_fetch', b'T-1'),
    ('row_of_two_selects', 'T-1'), ('row_of_two_selects', 'x'), ('formatted_sql', 'T-1'),
    ('colon_and_comment_in_sql', 'x'), ('two_fetches', 'T-1'), ('fetchone_then_fetchall',), ('fetchmany_then_another',),
    ('nested_loops_of_two_cursors',), ('rollback_in_a_loop', 5), ('read_write_read', 'T-1'), ('read_write_read', 'q'),
    ('driver_error_caught', 'T-1'), ('driver_error_caught', 'q'), ('row_as_text', 'T-1'), ('starred_rows', 1),
    ('parameter_of_any_type', 2), ('parameter_of_any_type', '2'), ('parameter_of_any_type', 2.0),
    ('parameter_of_any_type', 'abc'), ('parameter_of_any_type', True), ('parameter_of_any_type', None),
    ('uncommitted_read_and_rollback', 'zz'), ('text_factory', 1), ('pragma_first', 'T-1'), ('total_changes',),
    ('row_in_a_global', 'T-1'),
]
