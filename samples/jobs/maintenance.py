"""Night shift: called by cron, or by hand when the shop is closed."""
import csv
import sqlite3

from store import DB_PATH, open_db


def columns_of(table):
    conn = sqlite3.connect(DB_PATH)
    cursor = conn.cursor()
    cursor.execute("PRAGMA table_info(%s)" % table)
    names = [row[1] for row in cursor.fetchall()]
    conn.close()
    return names


def add_index():
    conn = sqlite3.connect(DB_PATH)
    cursor = conn.cursor()
    cursor.execute("CREATE INDEX IF NOT EXISTS ix_jobs_stage ON jobs (stage)")
    cursor.execute("PRAGMA optimize")
    conn.commit()
    conn.close()


def import_tickets(path):
    """CSV from the web shop: ticket,title,sheets. Returns how many lines came in."""
    conn = open_db()
    try:
        cursor = conn.cursor()
        with open(path, newline='') as lines:
            cursor.executemany(
                "INSERT INTO jobs (ticket, title, sheets) VALUES (?, ?, ?)",
                ((line['ticket'], line['title'], int(line['sheets'])) for line in csv.DictReader(lines)))
        conn.commit()
        return cursor.rowcount
    finally:
        conn.close()


def put_setting(key, value):
    conn = open_db()
    cursor = conn.cursor()
    cursor.execute("INSERT OR REPLACE INTO settings (key, value) VALUES (?, ?)", (key, value))
    conn.commit()
    conn.close()


def get_setting(key, default=None):
    conn = open_db()
    cursor = conn.cursor()
    cursor.execute("SELECT value FROM settings WHERE key = ?", (key,))
    row = cursor.fetchone()
    conn.close()
    if row is None:
        return default
    return row[0]


def purge_log(days):
    """Drop old remarks; the count goes into the mail to the boss."""
    conn = open_db()
    cursor = conn.cursor()
    cursor.execute("DELETE FROM job_log WHERE logged_at < datetime('now', ?)", ('-%d days' % days,))
    gone = cursor.rowcount
    conn.commit()
    conn.close()
    return gone


def would_purge(author):
    """How many remarks of somebody there are to lose. Tries it out and does NOT commit."""
    conn = open_db()
    cursor = conn.cursor()
    cursor.execute("DELETE FROM job_log WHERE author = ?", (author,))
    gone = cursor.rowcount
    conn.close()
    return gone


def reset_stage(stage, tickets):
    """Back to `stage`; called with a handful of tickets."""
    conn = open_db()
    cursor = conn.cursor()
    marks = ','.join('?' * len(tickets))
    cursor.execute(f"UPDATE jobs SET stage = ? WHERE ticket IN ({marks})", [stage, *tickets])
    conn.commit()
    conn.close()
