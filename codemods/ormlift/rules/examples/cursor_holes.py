"""Examples of `cursor-to-orm`: SQL text with holes for values and for lists of placeholders."""

from __future__ import annotations

from ormlift.rules.base import Example
from ormlift.rules.examples.cursor_to_orm import PROJECT

EXAMPLES: tuple[Example, ...] = (
    Example(
        title="a list of placeholders as long as a list",
        before="""\
from app.db import open_db


def titles(ids):
    conn = open_db()
    marks = ",".join("?" for _ in ids)
    rows = conn.execute(f"SELECT ticket, title FROM jobs WHERE id IN ({marks}) ORDER BY id", ids).fetchall()
    conn.close()
    return [row[1] for row in rows]
""",
        after="""\
from app.db import session_scope
from app.models import Job
from sqlalchemy import select


def titles(ids):
    with session_scope() as session:
        rows = session.execute(select(Job.ticket, Job.title).where(Job.id.in_(ids)).order_by(Job.id)).all()
    return [row.title for row in rows]
""",
        project=PROJECT,
    ),
    Example(
        title="a parameter before the list",
        before="""\
from app.db import open_db


def move(stage, ids):
    conn = open_db()
    cursor = conn.cursor()
    sql = "UPDATE jobs SET stage = ? WHERE id IN (%s)" % ", ".join(["?"] * len(ids))
    cursor.execute(sql, [stage, *ids])
    conn.commit()
    moved = cursor.rowcount
    conn.close()
    return moved
""",
        after="""\
from app.db import session_scope
from app.models import Job
from sqlalchemy import update


def move(stage, ids):
    with session_scope() as session:
        rowcount = session.execute(
            update(Job)
            .where(Job.id.in_(ids))
            .values(stage=stage)
            .execution_options(synchronize_session=False)
        ).rowcount
        session.commit()
        moved = rowcount
    return moved
""",
        project=PROJECT,
    ),
    Example(
        title="a list of dates, which the column's type would convert",
        before="""\
from app.db import open_db


def passed(days):
    conn = open_db()
    marks = ",".join("?" * len(days))
    rows = conn.execute("SELECT ticket FROM jobs WHERE passed_at NOT IN (" + marks + ")", tuple(days)).fetchall()
    conn.close()
    return [row[0] for row in rows]
""",
        after="""\
from app.db import session_scope
from app.models import Job
from sqlalchemy import literal, select


def passed(days):
    with session_scope() as session:
        rows = session.execute(select(Job.ticket).where(Job.passed_at.not_in([literal(item) for item in days]))).all()
    return [row.ticket for row in rows]
""",
        effects=("timestamp-format",),
        project=PROJECT,
    ),
    Example(
        title="a value put into the text",
        before="""\
from app.db import open_db


def named(title):
    conn = open_db()
    rows = conn.execute(f"SELECT ticket FROM jobs WHERE title = '{title}' ORDER BY id").fetchall()
    conn.close()
    return [row[0] for row in rows]
""",
        after="""\
from app.db import session_scope
from app.models import Job
from sqlalchemy import select


def named(title):
    with session_scope() as session:
        rows = session.execute(
            select(Job.ticket).where(Job.title == str(title)).order_by(Job.id)
        ).all()
    return [row.ticket for row in rows]
""",
        effects=("interpolated",),
        project=PROJECT,
    ),
    Example(
        title="values formatted into the text",
        before="""\
from app.db import open_db


def like(word: str, count: int):
    conn = open_db()
    sql = "SELECT ticket FROM jobs WHERE title LIKE '%{}%' AND count < {} LIMIT {}".format(word, count, 2)
    rows = conn.execute(sql).fetchall()
    conn.close()
    return [row[0] for row in rows]
""",
        after="""\
from app.db import session_scope
from app.models import Job
from sqlalchemy import select


def like(word: str, count: int):
    with session_scope() as session:
        rows = session.execute(select(Job.ticket).where(Job.title.like(f"%{word}%"), Job.count < count).limit(2)).all()
    return [row.ticket for row in rows]
""",
        effects=("interpolated",),
        project=PROJECT,
    ),
    Example(
        title="parameters that nothing is known of",
        before="""\
from app.db import open_db


def rename(values):
    conn = open_db()
    conn.execute("UPDATE jobs SET title = ? WHERE id = ?", values)
    conn.commit()
    conn.close()
""",
        after="""\
from app.db import session_scope
from app.models import Job
from sqlalchemy import update


def rename(values):
    with session_scope() as session:
        session.execute(update(Job).where(Job.id == values[1]).values(title=values[0]))
        session.commit()
""",
        effects=("parameter-count",),
        project=PROJECT,
    ),
    Example(
        title="a column's name put into the text",
        before="""\
from app.db import open_db


def by(column, value):
    conn = open_db()
    rows = conn.execute(f"SELECT ticket FROM jobs WHERE {column} = ?", (value,)).fetchall()
    conn.close()
    return [row[0] for row in rows]
""",
        reason="dynamic-sql",
        project=PROJECT,
    ),
    Example(
        title="an order put into the text",
        before="""\
from app.db import open_db


def ordered(order):
    conn = open_db()
    rows = conn.execute(f"SELECT ticket FROM jobs ORDER BY {order}").fetchall()
    conn.close()
    return [row[0] for row in rows]
""",
        reason="dynamic-sql",
        project=PROJECT,
    ),
    Example(
        title="a list of values put into the text",
        before="""\
from app.db import open_db


def some(ids):
    conn = open_db()
    listed = ",".join(str(i) for i in ids)
    rows = conn.execute(f"SELECT ticket FROM jobs WHERE id IN ({listed}) ORDER BY id").fetchall()
    conn.close()
    return [row[0] for row in rows]
""",
        after="""\
from app.db import session_scope
from app.models import Job
from sqlalchemy import select


def some(ids):
    with session_scope() as session:
        rows = session.execute(select(Job.ticket).where(Job.id.in_(ids)).order_by(Job.id)).all()
    return [row.ticket for row in rows]
""",
        effects=("interpolated",),
        project=PROJECT,
    ),
    Example(
        title="numbers put into the text, of which nothing tells that they are",
        before="""\
from app.db import open_db


def rows_of(stage, jobs):
    conn = open_db()
    sql = "SELECT ticket FROM jobs WHERE stage = %s AND id IN (%s) ORDER BY id" % (
        stage, ", ".join(["{}".format(job["id"]) for job in jobs])
    )
    rows = conn.execute(sql).fetchall()
    conn.close()
    return [row[0] for row in rows]
""",
        after="""\
from app.db import session_scope
from app.models import Job
from sqlalchemy import select


def rows_of(stage, jobs):
    with session_scope() as session:
        rows = session.execute(
            select(Job.ticket)
            .where(Job.stage == stage, Job.id.in_([job["id"] for job in jobs]))
            .order_by(Job.id)
        ).all()
    return [row.ticket for row in rows]
""",
        effects=("interpolated",),
        project=PROJECT,
    ),
    Example(
        title="a list of names put into the text, in no quotes",
        before="""\
from app.db import open_db


def some(words):
    conn = open_db()
    listed = ",".join(str(word) for word in words)
    rows = conn.execute(f"SELECT ticket FROM jobs WHERE title IN ({listed})").fetchall()
    conn.close()
    return [row[0] for row in rows]
""",
        reason="dynamic-sql",
        project=PROJECT,
    ),
    Example(
        title="a list put into the text that may be any text",
        before="""\
from app.db import open_db


def some(ids):
    conn = open_db()
    rows = conn.execute(f"SELECT ticket FROM jobs WHERE id IN ({ids})").fetchall()
    conn.close()
    return [row[0] for row in rows]
""",
        reason="dynamic-sql",
        project=PROJECT,
    ),
    Example(
        title="a number put into the text, where a caller passes SQL",
        before="""\
from app.db import open_db


def some(stage):
    conn = open_db()
    rows = conn.execute(f"SELECT ticket FROM jobs WHERE stage = {stage}").fetchall()
    conn.close()
    return [row[0] for row in rows]


def latest():
    return some("(SELECT max(stage) FROM jobs)")
""",
        reason="dynamic-sql",
        project=PROJECT,
    ),
    Example(
        title="a condition put into the text",
        before="""\
from app.db import open_db


def some(condition):
    conn = open_db()
    rows = conn.execute("SELECT ticket FROM jobs WHERE " + condition).fetchall()
    conn.close()
    return [row[0] for row in rows]
""",
        reason="dynamic-sql",
        project=PROJECT,
    ),
    Example(
        title="a list that is counted by another",
        before="""\
from app.db import open_db


def some(ids, others):
    conn = open_db()
    marks = ",".join("?" for _ in ids)
    rows = conn.execute(f"SELECT ticket FROM jobs WHERE id IN ({marks})", others).fetchall()
    conn.close()
    return [row[0] for row in rows]
""",
        reason="parameters-unknown",
        project=PROJECT,
    ),
    Example(
        title="calls put into the text and passed",
        before="""\
from app.db import open_db


def some(values):
    conn = open_db()
    rows = conn.execute(
        f"SELECT ticket FROM jobs WHERE title = '{values.pop()}' AND stage = ?", (values.pop(),)
    ).fetchall()
    conn.close()
    return [row[0] for row in rows]
""",
        reason="dynamic-sql",
        project=PROJECT,
    ),
    Example(
        title="a value that may have changed since",
        before="""\
from app.db import open_db


def some(title):
    conn = open_db()
    sql = f"SELECT ticket FROM jobs WHERE title = '{title}'"
    title = title.upper()
    rows = conn.execute(sql).fetchall()
    conn.close()
    return title, [row[0] for row in rows]
""",
        reason="dynamic-sql",
        project=PROJECT,
    ),
    Example(
        title="conditions in a list, for a count and a page",
        before="""\
from app.db import open_db


def page(stage, customer, size):
    conditions = []
    params = []
    if stage is not None:
        conditions.append("stage = ?")
        params.append(stage)
    if customer:
        conditions.append("title LIKE ?")
        params.append(f"{customer}%")
    where = " AND ".join(conditions) if conditions else "1=1"
    conn = open_db()
    total = conn.execute(f"SELECT COUNT(*) FROM jobs WHERE {where}", params).fetchone()[0]
    rows = conn.execute(f"SELECT id FROM jobs WHERE {where} ORDER BY id LIMIT ?", params + [size]).fetchall()
    conn.close()
    return total, [row[0] for row in rows]
""",
        after="""\
from app.db import session_scope
from app.models import Job
from sqlalchemy import func, select


def page(stage, customer, size):
    conditions = []
    if stage is not None:
        conditions.append(Job.stage == stage)
    if customer:
        conditions.append(Job.title.like(f"{customer}%"))
    with session_scope() as session:
        total = session.scalar(select(func.count()).select_from(Job).where(*conditions))
        rows = session.execute(select(Job.id).where(*conditions).order_by(Job.id).limit(size)).all()
    return total, [row.id for row in rows]
""",
        project=PROJECT,
    ),
)
