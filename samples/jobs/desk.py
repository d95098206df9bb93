# -*- coding: utf-8 -*-
"""The front desk: intake, log and counts. Grew over six years, three hands, one database."""
import sqlite3

from store import DB_PATH, open_db


def take_in(ticket, title, sheets):
    """New job, stage 1."""
    conn = open_db()
    try:
        cursor = conn.cursor()
        cursor.execute("INSERT INTO jobs (ticket, title, sheets) VALUES (?, ?, ?)",
                       (ticket, title, sheets))
        conn.commit()
    finally:
        conn.close()


def take_in_once(ticket, title):
    """Like take_in, for the e-mail robot, which likes to send everything twice."""
    conn = open_db()
    try:
        conn.execute("INSERT INTO jobs (ticket, title) VALUES (?, ?)", (ticket, title))
        conn.commit()
        return True
    except sqlite3.IntegrityError:
        conn.rollback()
        return False
    finally:
        conn.close()


def retitle(ticket, title):
    with sqlite3.connect(DB_PATH) as conn:
        conn.execute('UPDATE jobs SET title = ? WHERE ticket = ?', (title, ticket))   # commits by itself


def drop(ticket):
    conn = sqlite3.connect(DB_PATH)
    cur = conn.cursor()
    # log first, there is no ON DELETE CASCADE on this table
    cur.execute("DELETE FROM job_log WHERE job_id IN (SELECT id FROM jobs WHERE ticket = ?)", (ticket,))
    cur.execute("DELETE FROM jobs WHERE ticket = ?", (ticket,))
    conn.commit()
    conn.close()


def jobs_in_stage(stage):
    """[{ticket, title, sheets}], oldest first"""
    conn = sqlite3.connect(DB_PATH)
    try:
        cursor = conn.cursor()
        cursor.execute(
            "SELECT ticket, title, sheets "
            "FROM jobs "
            "WHERE stage = ? "          # 1 intake, 2 proof, ...
            "ORDER BY id",
            (stage,),
        )
        found = []
        for row in cursor:
            found.append({'ticket': row[0], 'title': row[1], 'sheets': row[2]})
        return found
    finally:
        conn.close()


def counts():
    conn = open_db(); cur = conn.cursor()
    cur.execute("SELECT COUNT(*) FROM jobs")
    total = cur.fetchone()[0]
    cur.execute("SELECT COUNT(*) FROM jobs WHERE stage = ?", (4,))
    on_press = cur.fetchone()[0]
    conn.close()
    return {'total': total, 'on_press': on_press}


def customer_of(ticket):
    """None for a stranger, and for a job that does not exist"""
    conn = open_db()
    try:
        cur = conn.cursor()
        cur.execute("SELECT customer FROM jobs WHERE ticket = ?", [ticket])
        row = cur.fetchone()
        return row[0] if row else None
    finally:
        conn.close()


def tickets_of(customer):
    # NB: customer may be None here (walk-ins) and then nobody must be found
    conn = open_db()
    try:
        cur = conn.cursor()
        cur.execute("SELECT ticket FROM jobs WHERE customer = ? ORDER BY ticket", (customer,))
        return [r[0] for r in cur.fetchall()]
    finally:
        conn.close()


def rush_jobs():
    """Tickets with their flag as the label printer wants it, 'T-1:1'"""
    conn = open_db()
    try:
        cur = conn.cursor()
        cur.execute("SELECT ticket, rush FROM jobs WHERE rush = 1 ORDER BY ticket")
        return ['%s:%s' % (ticket, rush) for ticket, rush in cur.fetchall()]
    finally:
        conn.close()


def remark(ticket, author, text):
    """Log a remark. False if there is no such job."""
    conn = open_db()
    try:
        cursor = conn.cursor()
        cursor.execute("SELECT id FROM jobs WHERE ticket = :ticket", {'ticket': ticket})
        job = cursor.fetchone()
        if job is None:
            return False
        cursor.execute(
            "INSERT INTO job_log (job_id, author, remark) VALUES (:job, :author, :remark)",
            {'job': job[0], 'author': author, 'remark': text})
        conn.commit()
        return True
    finally:
        conn.close()


def log_of(ticket):
    """Author, remark and day of every entry, newest first."""
    conn = open_db()
    try:
        cursor = conn.cursor()
        cursor.execute("""
            SELECT l.author, l.remark, l.logged_at
            FROM job_log l
            JOIN jobs j ON j.id = l.job_id
            WHERE j.ticket = ?
            ORDER BY l.id DESC
        """, (ticket,))
        # logged_at is text: '2024-05-01 10:00:00'
        return [{'author': r[0], 'remark': r[1], 'day': r[2][:10]} for r in cursor.fetchall()]
    finally:
        conn.close()


def search(args):
    sql = "SELECT ticket FROM jobs WHERE 1=1"
    params = []
    for field in ('customer', 'title', 'stage'):
        if args.get(field):
            sql += f" AND {field} = ?"
            params.append(args[field])
    conn = open_db()
    try:
        cursor = conn.cursor()
        cursor.execute(sql + " ORDER BY ticket", params)
        return [r[0] for r in cursor.fetchall()]
    finally:
        conn.close()
