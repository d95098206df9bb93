"""Examples of `text-to-orm`: small files, and what becomes of each."""

from __future__ import annotations

from ormlift.rules.base import Example
from ormlift.rules.examples.cursor_to_orm import PROJECT

EXAMPLES = (
    Example(
        title="a row fetched by a named parameter",
        before="""\
from sqlalchemy import text

from app.db import SessionLocal


def title_of(ticket: str) -> str | None:
    with SessionLocal() as session:
        row = session.execute(text("SELECT title FROM jobs WHERE ticket = :ticket"), {"ticket": ticket}).fetchone()
        return row[0] if row else None
""",
        after="""\
from sqlalchemy import select

from app.db import SessionLocal
from app.models import Job


def title_of(ticket: str) -> str | None:
    with SessionLocal() as session:
        row = session.execute(select(Job.title).where(Job.ticket == ticket)).first()
        return row[0] if row else None
""",
        project=PROJECT,
    ),
    Example(
        title="a text in a variable, executed on a connection",
        before="""\
from sqlalchemy import text

from app.db import engine


def finish(ticket: str) -> int:
    sql = text("UPDATE jobs SET stage = :stage WHERE ticket = :ticket")
    with engine.begin() as conn:
        result = conn.execute(sql, dict(stage=4, ticket=ticket))
        return result.rowcount
""",
        after="""\
from sqlalchemy import update

from app.db import engine
from app.models import Job


def finish(ticket: str) -> int:
    with engine.begin() as conn:
        result = conn.execute(update(Job).where(Job.ticket == ticket).values(stage=4))
        return result.rowcount
""",
        project=PROJECT,
    ),
    Example(
        title="a listener, on the connection that the flush writes on",
        before="""\
from sqlalchemy import event, text

from app.models import Job


@event.listens_for(Job, "after_insert")
def overtake(mapper, connection, target):
    stage_later(connection, target.id)


def stage_later(connection, job_id):
    connection.execute(text("UPDATE jobs SET stage = stage + 1 WHERE id = %s AND customer IS NULL" % job_id))
""",
        after="""\
from sqlalchemy import event, update

from app.models import Job


@event.listens_for(Job, "after_insert")
def overtake(mapper, connection, target):
    stage_later(connection, target.id)


def stage_later(connection, job_id):
    connection.execute(update(Job).where(Job.id == job_id, Job.customer.is_(None)).values(stage=Job.stage + 1))
""",
        effects=("interpolated",),
        project=PROJECT,
    ),
    Example(
        title="one of two texts, awaited",
        before="""\
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


async def titles(session: AsyncSession, customer: str | None) -> list[str]:
    await session.flush()
    if customer is None:
        sql = text("SELECT title FROM jobs ORDER BY id")
    else:
        sql = text("SELECT title FROM jobs WHERE customer = :customer ORDER BY id")
    result = await session.execute(sql, {"customer": customer})
    return [row.title for row in result]
""",
        after="""\
from sqlalchemy import literal, select
from sqlalchemy.ext.asyncio import AsyncSession
from app.models import Job


async def titles(session: AsyncSession, customer: str | None) -> list[str]:
    await session.flush()
    if customer is None:
        sql = select(Job.title).order_by(Job.id)
    else:
        sql = (
            select(Job.title)
            .where(Job.customer == literal(customer))
            .order_by(Job.id)
        )
    result = await session.execute(sql)
    return [row.title for row in result]
""",
        project=PROJECT,
    ),
    Example(
        title="a text that is put together step by step",
        before="""\
from sqlalchemy import text

from app.db import SessionLocal


def titles(stage: int | None, limit: int) -> list[str]:
    sql = "SELECT title FROM jobs WHERE 1=1"
    params = {}
    if stage is not None:
        sql += " AND stage = :stage"
        params["stage"] = stage
    sql += " ORDER BY id LIMIT :limit"
    params["limit"] = limit
    with SessionLocal() as session:
        return [row.title for row in session.execute(text(sql), params)]
""",
        after="""\
from sqlalchemy import select

from app.db import SessionLocal
from app.models import Job


def titles(stage: int | None, limit: int) -> list[str]:
    sql = select(Job.title)
    if stage is not None:
        sql = sql.where(Job.stage == stage)
    sql = sql.order_by(Job.id).limit(limit)
    with SessionLocal() as session:
        return [row.title for row in session.execute(sql)]
""",
        project=PROJECT,
    ),
    Example(
        title="a bare string that is no statement on models",
        before="""\
from app.db import SessionLocal


def is_alive() -> bool:
    with SessionLocal() as session:
        return session.execute("SELECT 1").scalar() == 1
""",
        after="""\
from app.db import SessionLocal
from sqlalchemy import text


def is_alive() -> bool:
    with SessionLocal() as session:
        return session.execute(text("SELECT 1")).scalar() == 1
""",
        effects=("text-missing",),
        project=PROJECT,
    ),
    Example(
        title="a text of the instance without quotes, which may be any SQL",
        before="""\
from sqlalchemy import event, text

from app.models import Job


@event.listens_for(Job, "after_delete")
def forget(mapper, connection, target):
    connection.execute(text("DELETE FROM jobs WHERE stage = 9 AND %s" % target.customer))
""",
        reason="dynamic-sql",
        project=PROJECT,
    ),
    Example(
        title="a table named at run time",
        before="""\
from sqlalchemy import text

from app.db import SessionLocal


def count(table: str) -> int:
    with SessionLocal() as session:
        return session.execute(text(f"SELECT COUNT(*) FROM {table}")).scalar()
""",
        reason="dynamic-sql",
        project=PROJECT,
    ),
    Example(
        title="conditions from a loop",
        before="""\
from sqlalchemy import text

from app.db import SessionLocal


def matching(words: list[str]) -> list[str]:
    sql = "SELECT title FROM jobs WHERE 1=1"
    params = {}
    for number, word in enumerate(words):
        sql += f" AND title LIKE :word{number}"
        params[f"word{number}"] = word
    with SessionLocal() as session:
        return [row.title for row in session.execute(text(sql), params)]
""",
        reason="dynamic-sql",
        project=PROJECT,
    ),
    Example(
        title="a question about the database itself",
        before="""\
from sqlalchemy import text

from app.db import engine


def version() -> str:
    with engine.connect() as conn:
        return conn.execute(text("SELECT sqlite_version()")).scalar()
""",
        reason="administrative",
        project=PROJECT,
    ),
    Example(
        title="a schema migration",
        before="""\
from alembic import op
from sqlalchemy import text


def upgrade() -> None:
    conn = op.get_bind()
    conn.execute(text("UPDATE jobs SET stage = 1 WHERE stage IS NULL"))
""",
        reason="migration",
        project=PROJECT,
    ),
    Example(
        title="an object that may be anything",
        before="""\
from sqlalchemy import text


def count(target) -> int:
    return target.execute(text("SELECT COUNT(*) FROM jobs")).scalar()
""",
        reason="receiver-unknown",
        project=PROJECT,
    ),
    Example(
        title="assignments in a list",
        before="""\
from sqlalchemy import text

from app.db import SessionLocal


def change(job_id: int, title: str | None, stage: int | None) -> bool:
    changes = []
    params = {"id": job_id}
    if title is not None:
        changes.append("title = :title")
        params["title"] = title
    if stage is not None:
        changes.append("stage = :stage")
        params["stage"] = stage
    if not changes:
        return False
    with SessionLocal() as session:
        session.execute(text(f"UPDATE jobs SET {', '.join(changes)} WHERE id = :id"), params)
        session.commit()
    return True
""",
        after="""\
from sqlalchemy import update

from app.db import SessionLocal
from app.models import Job


def change(job_id: int, title: str | None, stage: int | None) -> bool:
    changes = {}
    if title is not None:
        changes["title"] = title
    if stage is not None:
        changes["stage"] = stage
    if not changes:
        return False
    with SessionLocal() as session:
        session.execute(update(Job).where(Job.id == job_id).values(**changes))
        session.commit()
    return True
""",
        project=PROJECT,
    ),
    Example(
        title="conditions in a list that may be empty",
        before="""\
from sqlalchemy import text

from app.db import SessionLocal


def drop(stage: int | None) -> None:
    conditions = []
    params = {}
    if stage is not None:
        conditions.append("stage = :stage")
        params["stage"] = stage
    with SessionLocal() as session:
        session.execute(text("DELETE FROM jobs WHERE " + " AND ".join(conditions)), params)
        session.commit()
""",
        reason="dynamic-sql",
        project=PROJECT,
    ),
)
