"""Programs that `text-to-orm` rewrites for PostgreSQL and MariaDB, and for asynchronous sessions: before and after."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from ormlift.model import Planned, Settings, Source
from ormlift.plan import plan_file
from ormlift.project.facts import read_facts
from ormlift.project.index import link
from ormlift.rules.text_to_orm import CODEMOD

from tests.rules.text_world import shown

VARIABLES = {"postgresql": "ORMLIFT_TEST_POSTGRESQL", "mysql": "ORMLIFT_TEST_MYSQL"}
MODELS = """\
from sqlalchemy import JSON, Boolean, Column, DateTime, Integer, Numeric, String
from sqlalchemy.orm import declarative_base

Base = declarative_base()


class Item(Base):
    __tablename__ = "items"
    id = Column(Integer, primary_key=True)
    label = Column(String(40))
    open = Column(Boolean, nullable=False)
    made = Column(DateTime)
    price = Column(Numeric(10, 2))
    extra = Column("metadata", JSON)
"""
HEAD = "from sqlalchemy import text\n\nfrom app.models import Base\n\n\ndef go(session, conn):\n"
# The body of go(), and whether it has effects besides what may be pending on a session that is handed in.
SAME = {
    "rows": ('return session.execute(text("SELECT id, label, made, price FROM items ORDER BY id")).fetchall()', False),
    "a count by its name": (
        (
            'row = session.execute(text("SELECT COUNT(*) AS count, MAX(label) AS top FROM items")).first()\n'
            '    return row._mapping["count"], row.top'
        ),
        False,
    ),
    "not null": ('return conn.execute(text("SELECT id FROM items WHERE made IS NOT NULL ORDER BY id")).all()', False),
    "a percent sign": (
        (
            "return session.execute(text(\"SELECT id FROM items WHERE label LIKE 'a%' AND label <> :l ORDER BY id\"), "
            '{"l": "x%"}).all()'
        ),
        False,
    ),
    "a tuple for one parameter": (
        'return session.execute(text("SELECT id FROM items WHERE id IN :ids ORDER BY id"), {"ids": (1, 3)}).all()',
        True,
    ),
    "null parameters": (
        'name = None\n    return session.execute(text("SELECT id FROM items WHERE label = :n"), {"n": name}).all()',
        False,
    ),
    "case and coalesce": (
        (
            "q = text(\"SELECT CASE WHEN open THEN 1 ELSE 2 END s, COALESCE(label, 'x') l FROM items ORDER BY id\")\n"
            "    return [(r.s, r.l) for r in session.execute(q)]"
        ),
        False,
    ),
    "group": (
        'return conn.execute(text("SELECT open, COUNT(id) AS n FROM items GROUP BY open")).scalars().all() and 1',
        None,
    ),
    "update": (
        (
            'result = session.execute(text("UPDATE items SET price = price + :p WHERE label IS NOT NULL"), {"p": 2})\n'
            "    return result.rowcount"
        ),
        False,
    ),
    "delete on a connection": (
        'return conn.execute(text("DELETE FROM items WHERE id >= :i"), {"i": 3}).rowcount',
        False,
    ),
    "insert": (
        (
            'session.execute(text("INSERT INTO items (id, label, open) VALUES (:i, NULL, :o)"), {"i": 9, "o": True})\n'
            '    return session.execute(text("SELECT id, label FROM items WHERE id = 9")).one()'
        ),
        False,
    ),
    "a value in the text": (
        (
            "label = str(session is None)\n"
            "    return session.execute(text(f\"SELECT id FROM items WHERE label <> '{label}' ORDER BY id\")).all()"
        ),
        True,
    ),
}


@pytest.fixture(params=["postgresql", "mysql"])
def engine(request: pytest.FixtureRequest) -> Iterator[sa.Engine]:
    if VARIABLES[request.param] not in os.environ:
        pytest.skip(f"{VARIABLES[request.param]} names no server")
    url, name = sa.make_url(os.environ[VARIABLES[request.param]]), f"text_{uuid.uuid4().hex[:12]}"
    admin = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    kind = "SCHEMA" if request.param == "postgresql" else "DATABASE"
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE {kind} {name}")
    options: dict[str, Any] = {"connect_args": {"options": f"-csearch_path={name}"}} if kind == "SCHEMA" else {}
    own = sa.create_engine(url if kind == "SCHEMA" else url.set(database=name), **options)
    yield own
    own.dispose()
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP {kind} {name}{' CASCADE' if kind == 'SCHEMA' else ''}")
    admin.dispose()


def _planned(text: str, dialect: str) -> Planned:
    files = {"app/models.py": MODELS, "app/work.py": text}
    index = link(read_facts(Source(path, held)) for path, held in files.items())
    outcome = plan_file(
        Source("app/work.py", text), index, Settings(codemods=(CODEMOD.id,), unsafe=True, dialect=dialect)
    )
    assert isinstance(outcome, Planned), outcome
    return outcome


def _space(text: str) -> dict[str, Any]:
    models: dict[str, Any] = {"__name__": "app.models"}
    exec(MODELS, models)
    space: dict[str, Any] = {"Item": models["Item"], "Base": models["Base"]}
    exec("\n".join(line for line in text.split("\n") if not line.startswith("from app.")), space)
    return space


def _ran(text: str, engine: sa.Engine) -> tuple[str, list[Any]]:
    space = _space(text)
    space["Base"].metadata.create_all(engine)
    insert = "INSERT INTO items VALUES (1,'ab',TRUE,'2024-01-02 03:04:05',1.50,'[1]'),(2,NULL,FALSE,NULL,NULL,NULL)"
    with engine.begin() as connection:
        connection.exec_driver_sql(f"{insert},(3,'ä',TRUE,'1999-12-31 23:59:59',0,'{{}}')")
    with sa.orm.Session(engine) as session, engine.connect() as conn:
        value = shown(space["go"](session, conn))
        session.commit()
        conn.commit()
    with engine.begin() as connection:
        rows = [
            tuple(map(str, r)) for r in connection.exec_driver_sql("SELECT id, label, price FROM items ORDER BY id")
        ]
    space["Base"].metadata.drop_all(engine)
    return value, sorted(rows)


def test_a_function_in_a_subquery_is_a_column(engine: sa.Engine) -> None:
    if engine.dialect.name != "postgresql":
        pytest.skip("only PostgreSQL calls the column by the function")
    query = "SELECT t.open, t.count FROM (SELECT open, COUNT(id) FROM items GROUP BY open) AS t ORDER BY t.count"
    text = f'{HEAD}    rows = session.execute(text("{query}")).fetchall()\n    return [tuple(row) for row in rows]\n'
    outcome = _planned(text, "postgresql")
    assert _ran(text, engine) == _ran(outcome.after.text, engine)


@pytest.mark.parametrize("name", SAME)
def test_the_same_on_servers(name: str, engine: sa.Engine) -> None:
    body, told = SAME[name]
    text = f"{HEAD}    {body}\n"
    outcome = _planned(text, engine.dialect.name)
    codes = {e.code for s in outcome.sites for e in s.effects} - {"autoflush"}
    assert told is None or bool(codes) is told, codes
    assert _ran(text, engine) == _ran(outcome.after.text, engine)


ASYNC = """\
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Base


async def go(session: AsyncSession):
    await session.commit()
    sql = text("SELECT id, label FROM items WHERE id > :low ORDER BY id")
    result = await session.execute(sql, {"low": 0})
    rows = [(row.id, row.label) for row in result]
    first = (await session.execute(text("SELECT label FROM items WHERE id = :i"), {"i": 1})).fetchone()
    many = await session.scalar(text("SELECT COUNT(*) FROM items"))
    done = await session.execute(text("UPDATE items SET label = 'new' WHERE id = 1"))
    labels = (await session.scalars(text("SELECT label FROM items ORDER BY id"))).all()
    return rows, first.label, many, done.rowcount, labels
"""


def test_the_same_awaited() -> None:
    outcome = _planned(ASYNC, "sqlite")
    assert all(not site.effects for site in outcome.sites), outcome.sites
    assert "text(" not in outcome.after.text

    async def ran(text: str) -> str:
        from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

        space = _space(text)
        engine = create_async_engine("sqlite+aiosqlite://", poolclass=sa.StaticPool)
        async with engine.begin() as connection:
            await connection.run_sync(space["Base"].metadata.create_all)
            await connection.exec_driver_sql("INSERT INTO items (id, label, open) VALUES (1, 'a', 1), (2, NULL, 0)")
        async with AsyncSession(engine) as session:
            value = shown(await space["go"](session))
        await engine.dispose()
        return value

    assert asyncio.run(ran(ASYNC)) == asyncio.run(ran(outcome.after.text))
