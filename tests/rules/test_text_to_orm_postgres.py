"""SQL of PostgreSQL's own, JSON, arrays, UNNEST, locks: run as text() and as rewritten, by two drivers."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from ormlift.model import Planned, Refused, Settings, Source, Verdict
from ormlift.plan import plan_file
from ormlift.project.facts import read_facts
from ormlift.project.index import link
from ormlift.rules.text_to_orm import CODEMOD
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from tests.rules.text_world import shown

VARIABLE = "ORMLIFT_TEST_POSTGRESQL"
MODELS = """\
from sqlalchemy import ARRAY, JSON, Column, DateTime, Integer, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import declarative_base

Base = declarative_base()


class Item(Base):
    __tablename__ = "items"
    id = Column(Integer, primary_key=True)
    label = Column(String(40))
    made = Column(DateTime)
    extra = Column("metadata", JSON)
    data = Column(JSONB)
    tags = Column(ARRAY(Integer))
"""
ROWS = """
INSERT INTO items VALUES
 (1, 'ab', '2024-01-02 03:04:05', '{"a": "x", "n": 7}', '{"a": "x", "b": {"c": "deep"}, "n": "12", "l": [1, 2]}',
  '{1,2}'),
 (2, NULL, NULL, NULL, NULL, NULL),
 (3, 'Abc', '1999-12-31 23:59:59', '{"a": null}', '{"a": null, "n": "3"}', '{}'),
 (4, 'ab', '2030-01-01 00:00:00', '[]', '[1]', '{2,2,3}')
"""
HEAD = "import json\n\nfrom sqlalchemy import text\n\nfrom app.models import Base\n\n\ndef go(session):\n    "


def _all(sql: str, parameters: str = "") -> str:
    return f'return session.execute(text("""{sql}"""){parameters and f", {parameters}"}).all()'


def _run(sql: str) -> str:
    return f'session.execute(text("""{sql}"""))'


SAME = {
    "a key's text": _all("SELECT id, data->>'a' AS a, metadata->>'a' AS b FROM items ORDER BY id"),
    "a key's value": _all("SELECT id, data->'a' AS a, metadata->'n' AS n, data->'l' AS l FROM items ORDER BY id"),
    "a key's text compared": _all("SELECT id FROM items WHERE data->>'a' = :a AND metadata->>'a' = 'x'", '{"a": "x"}'),
    "a key's text that is None": _all(
        "SELECT id FROM items WHERE (data->>'a') IS NULL AND metadata->>'a' IS NULL ORDER BY id"
    ),
    "a key's text as a number": _all(
        "SELECT id FROM items WHERE (data->>'n')::int > :n ORDER BY data->>'n'", '{"n": 2}'
    ),
    "keys and elements": _all(
        "SELECT data->'b'->>'c' AS c, data->'l'->1 AS l, data->'l'->>0 AS z FROM items ORDER BY id"
    ),
    "a path": _all("SELECT data#>>'{b,c}' AS a, data#>'{b}' AS b, metadata#>>'{a}' AS c FROM items ORDER BY id"),
    "a key inside functions": _all(
        "SELECT COALESCE(data->>'a', 'none') AS a, COALESCE(data->'a', '[]') AS b, COALESCE(metadata, '{}') AS c, "
        "jsonb_typeof(data->'l') AS d FROM items ORDER BY id"
    ),
    "grouped by a key": _all("SELECT data->>'a' AS a, COUNT(*) AS n FROM items GROUP BY a ORDER BY n, a"),
    "like a key's text": _all("SELECT id FROM items WHERE data->>'a' LIKE '%x' OR metadata->>'a' IN ('x', 'y')"),
    "contained": _all("SELECT id FROM items WHERE data @> :d", """{"d": '{"a": "x"}'}"""),
    "contained and cast": _all("SELECT id FROM items WHERE data @> CAST(:d AS JSONB)", '{"d": json.dumps({"n": "3"})}'),
    "has a key": _all("SELECT id FROM items WHERE data ? 'n' ORDER BY id"),
    "any of an array": _all("SELECT id FROM items WHERE :t = ANY(tags) ORDER BY id", '{"t": 2}'),
    "any of a cast array": _all("SELECT id FROM items WHERE :t = ANY(tags::int[]) ORDER BY id", '{"t": 2}'),
    "all of an array": _all("SELECT id FROM items WHERE 1 < ALL(tags) ORDER BY id"),
    "None in an array": _all("SELECT id FROM items WHERE :t = ANY(tags)", '{"t": None}'),
    "a list of values": _all(
        "SELECT i.id, t.name FROM UNNEST(:names) AS t(name) JOIN items i ON i.label = t.name ORDER BY i.id",
        '{"names": ["ab", "ab", "zz"]}',
    ),
    "a list of values that lacks rows": _all(
        "SELECT u.name FROM UNNEST(:names) AS u(name) LEFT JOIN items i ON i.label = u.name WHERE i.id IS NULL",
        '{"names": ["ab", "zz", None]}',
    ),
    "two lists of values": _all(
        "SELECT i.id FROM UNNEST(:ids, :names) AS t(id, name) JOIN items i ON i.id = t.id AND i.label = t.name",
        '{"ids": [1, 3, 4, 2], "names": ["ab", "zz", "ab"]}',
    ),
    "a list of values with numbers": _all(
        "SELECT i.id, t.n FROM UNNEST(:ids) WITH ORDINALITY AS t(id, n) JOIN items i ON i.id = t.id ORDER BY t.n",
        '{"ids": [4, 1, 9]}',
    ),
    "changed by a list of values": (
        'session.execute(text("UPDATE items AS i SET label = t.name FROM UNNEST(:ids, :names) AS t(item, name) "\n'
        '        "WHERE i.id = t.item"), {"ids": [1, 3], "names": ["x", None]})'
    ),
    "deleted by a list of values": (
        'session.execute(text("DELETE FROM items USING UNNEST(:ids) AS t(item) WHERE items.id = t.item"), '
        '{"ids": [1, 3]})'
    ),
    "a series for a table": _all(
        "SELECT d, COUNT(i.id) AS n FROM generate_series(1, 5) AS d LEFT JOIN items i ON i.id = d GROUP BY d ORDER BY d"
    ),
    "a series of days": _all(
        "SELECT d::date AS day, COUNT(i.id) AS n FROM generate_series('2024-01-01'::timestamp, "
        "'2024-01-03'::timestamp, "
        "'1 day'::interval) AS d LEFT JOIN items i ON i.made::date = d::date GROUP BY d ORDER BY d"
    ),
    "elements of a document": _all(
        "SELECT i.id, e.value, t FROM items i, jsonb_array_elements(i.data->'l') e, "
        "jsonb_array_elements_text(i.data->'l') "
        "AS t ORDER BY i.id, e.value, t"
    ),
    "a key of an element": _all(
        "SELECT e->>'x' AS x, e FROM items i, jsonb_array_elements(i.data->'l') AS e ORDER BY 2"
    ),
    "keys of a document": _all(
        "SELECT i.id, k FROM items i CROSS JOIN LATERAL jsonb_object_keys(i.data) AS k WHERE i.id "
        "IN (1, 3) ORDER BY 1, k"
    ),
    "keys and values": _all(
        "SELECT i.id, e.key, e.value FROM items i JOIN LATERAL jsonb_each(i.data) AS e ON true WHERE i.id IN (1, 3) "
        "ORDER BY i.id, e.key"
    ),
    "elements, or none": _all(
        "SELECT i.id, e.v FROM items i LEFT JOIN LATERAL jsonb_array_elements_text(i.data->'l') AS "
        "e(v) ON true WHERE i.id "
        "< 3 ORDER BY i.id, e.v"
    ),
    "an element that is looked for": _all(
        "SELECT COUNT(*) AS n FROM items i WHERE EXISTS (SELECT 1 FROM "
        "jsonb_array_elements_text(i.data->'l') AS t WHERE "
        "t = :v)",
        '{"v": "1"}',
    ),
    "changed by a series": _run(
        "UPDATE items SET label = s.n::text FROM generate_series(1, 3) AS s(n) WHERE items.id = s.n"
    ),
    "grouped by a function with a value": _all(
        "SELECT COALESCE(label, 'none') AS tier, COUNT(*) AS n FROM items GROUP BY COALESCE(label, 'none') ORDER BY n"
    ),
    "grouped and ordered by a CASE": _all(
        "SELECT CASE WHEN id < :n THEN 'low' ELSE 'high' END AS k, COUNT(*) AS n FROM items GROUP BY CASE WHEN id < :n "
        "THEN 'low' ELSE 'high' END ORDER BY CASE WHEN id < :n THEN 'low' ELSE 'high' END DESC",
        '{"n": 3}',
    ),
    "grouped by what has a column's name": _all(
        "SELECT COALESCE(label, 'x') AS made, COUNT(*) AS n FROM items GROUP BY coalesce(items.label, 'x') ORDER BY n"
    ),
    "grouped by what is not selected": _all(
        "SELECT COUNT(*) AS n FROM items GROUP BY COALESCE(label, 'it''s 100%') ORDER BY n"
    ),
    "grouped by a part of a date, and asked for": _all(
        "SELECT date_trunc('year', made) AS y, COUNT(*) AS n FROM items GROUP BY date_trunc('year', made) "
        "HAVING date_trunc('year', made) IS NOT NULL ORDER BY date_trunc('year', made) DESC"
    ),
    "grouped by what is used again": _all(
        "SELECT UPPER(COALESCE(label, 'x')) AS u, COALESCE(label, 'x') AS v, COUNT(*) AS n FROM items GROUP BY v "
        "ORDER BY v"
    ),
    "grouped by a number's place": _all(
        "SELECT UPPER(label || '.') AS u, COUNT(*) AS n FROM items WHERE label IS NOT NULL GROUP BY 1 ORDER BY 1"
    ),
    "grouped by conditions": _all(
        "SELECT id BETWEEN 1 AND 2 AS a, label > 'a' AS b, COUNT(*) AS n FROM items GROUP BY id BETWEEN 1 AND 2, "
        "label > 'a' ORDER BY n, a, b"
    ),
    "grouped by a sum, without a name": _all(
        "SELECT id / 2 AS h, -(id % 2) - 1 AS m, COUNT(*) AS n FROM items GROUP BY id / 2, -(id % 2) - 1 ORDER BY 1, 2"
    ),
    "grouped by an alias that WITH names otherwise": _all(
        "WITH t (a, b) AS (SELECT COALESCE(label, 'y') AS tier, COUNT(*) FROM items GROUP BY COALESCE(label, 'y')) "
        "SELECT a, b FROM t ORDER BY b, a"
    ),
    "grouped by what WITH calls as a column": _all(
        "WITH t (label, made) AS (SELECT COALESCE(label, 'y') AS tier, COUNT(*) FROM items GROUP BY tier) "
        "SELECT label, made FROM t ORDER BY made, label"
    ),
    "a window over what is grouped by": _all(
        "SELECT COALESCE(label, 'y') AS t, COUNT(*) OVER (PARTITION BY COALESCE(label, 'y')) AS n FROM items "
        "GROUP BY COALESCE(label, 'y'), id ORDER BY t, n"
    ),
    "distinct and ordered": _all("SELECT DISTINCT COALESCE(label, 'x') AS t FROM items ORDER BY COALESCE(label, 'x')"),
    "any of a query": _all(
        "SELECT id FROM items WHERE id = ANY(SELECT id FROM items WHERE label = 'ab') AND 3 <> ALL (SELECT id FROM "
        "items WHERE label = :l) ORDER BY id",
        '{"l": "ab"}',
    ),
    "a row of columns, any of a query": _all(
        "SELECT id FROM items WHERE (id, label) = ANY (SELECT id, label FROM items WHERE id < 3) ORDER BY id"
    ),
    "none of a query that holds NULL": _all("SELECT id FROM items WHERE id <> ALL(SELECT NULLIF(id, 2) FROM items)"),
    "more than some of a query": _all(
        "SELECT id FROM items WHERE id > SOME (SELECT id FROM items WHERE label = 'ab') AND id <= ALL (SELECT MAX(id) "
        "FROM items) ORDER BY id"
    ),
    "a part of a text, in words": _all(
        "SELECT SUBSTRING(label FROM 2) AS a, SUBSTRING(label FROM 1 FOR :n) AS b, substring(label FOR 1) AS c, "
        "SUBSTRING(label FROM '[a-z]+') AS d, SUBSTRING(label, 2, 1) AS e FROM items ORDER BY id",
        '{"n": 2}',
    ),
    "a number in a text": _all(
        "SELECT COALESCE(MAX(CAST(SUBSTRING(label FROM 4) AS INTEGER)), 0) + 1 AS n FROM items WHERE id = 2"
    ),
    "a cast in a query for a table": _all("SELECT x.made FROM (SELECT made::date, id FROM items) x ORDER BY x.id"),
    "an expression": _all("SELECT id FROM items WHERE label ~ :p ORDER BY id", '{"p": "^a"}'),
    "an expression in any case": _all("SELECT id FROM items WHERE label ~* '^a' AND label !~ 'c$' ORDER BY id"),
    "no expression in any case": _all("SELECT id FROM items WHERE label !~* '^abc' ORDER BY id"),
    "words found": _all(
        "SELECT id FROM items WHERE to_tsvector('english', label) @@ plainto_tsquery('english', :q) AND id > 1",
        '{"q": "AB"}',
    ),
    "words not found": _all("SELECT id FROM items WHERE NOT to_tsvector(label) @@ to_tsquery('ab') ORDER BY id"),
    "a lock": _all("SELECT id FROM items WHERE id < :n ORDER BY id FOR UPDATE SKIP LOCKED", '{"n": 3}'),
    "a lock to read": _all("SELECT id FROM items WHERE id = 1 FOR SHARE NOWAIT"),
    "an interval that is bound": _all(
        "SELECT id FROM items WHERE made < NOW() AT TIME ZONE 'utc' - :span ::INTERVAL ORDER BY id",
        '{"span": "2 week"}',
    ),
    "an interval that is cast": _all(
        "SELECT id FROM items WHERE made >= NOW() - CAST(:span AS INTERVAL) ORDER BY id", '{"span": "1 day"}'
    ),
    "ordered by a name of the select list that both tables have": _all(
        "SELECT a.id, b.label FROM items a JOIN items b ON a.id > b.id ORDER BY id DESC, label"
    ),
    "an interval times a number": _all(
        "SELECT id FROM items WHERE made < NOW() - INTERVAL '1 day' * :days ORDER BY id", '{"days": 3}'
    ),
    "a number times an interval": _all(
        "SELECT id FROM items WHERE made >= NOW() - (:hours * interval '1 hour') / 2 ORDER BY id", '{"hours": 1}'
    ),
    "an interval by its words": (
        """span = "3 month"
    return session.execute(text(f"SELECT id FROM items WHERE made < NOW() - INTERVAL '{span}' ORDER BY id")).all()"""
    ),
    "an interval of some days": (
        """days = 2
    sql = f"SELECT id FROM items WHERE made < NOW() - INTERVAL '{days} days' ORDER BY id"
    return session.execute(text(sql)).all()"""
    ),
    "a list of numbers and words in the text": (
        """numbers, words = [1, 2, 4], ["ab", "Abc"]
    sql = "SELECT id FROM items WHERE id IN (%s) AND label IN (%s) ORDER BY id" % (
        ",".join(map(str, numbers)), ",".join("'%s'" % word for word in words)
    )
    return session.execute(text(sql)).all()"""
    ),
    "a number in the text, of no known type": (
        """found = []
    for number in (1, 4):
        found += session.execute(text(f"SELECT label FROM items WHERE id = {number}")).all()
    return found"""
    ),
    "a changed table of WITH": (
        'session.execute(text("""WITH twice AS (SELECT label, COUNT(*) AS n FROM items GROUP BY label) UPDATE items '
        'SET label = :l FROM twice WHERE twice.label = items.label AND twice.n > 1"""), {"l": "many"})'
    ),
    "deleted by a table of WITH": (
        'session.execute(text("WITH old AS (SELECT id FROM items WHERE made IS NULL) DELETE FROM items WHERE id IN '
        '(SELECT id FROM old)"))'
    ),
    "a document as text": (
        'payload = json.dumps({"k": [1, None]}, separators=(",", ":"))\n    '
        'session.execute(text("INSERT INTO items (id, data, metadata) VALUES (9, :d, :d)"), {"d": payload})'
    ),
    "a document that is cast": (
        'value = {"k": "ü"}\n    session.execute(text("UPDATE items SET data = CAST(:d AS JSONB), metadata = '
        'CAST(:e AS JSON) WHERE id = 1"), {"d": json.dumps(value), "e": json.dumps(value)})'
    ),
    "a document in the SQL": _run(
        """INSERT INTO items (id, data, metadata) VALUES (9, '{"a": true, "b": [1, 2.5, null]}', '{"z": {}}')"""
    ),
    "a document in the SQL that Python writes otherwise": _run(
        """UPDATE items SET data = '{"b" : 1,"a" : 1.50}', metadata = '[1 ,2]' WHERE id = 2"""
    ),
    "text that is None for a document": (
        'session.execute(text("UPDATE items SET data = CAST(:d AS JSONB) WHERE id = 1"), {"d": None})'
    ),
}


@pytest.fixture(params=["psycopg2", "psycopg"])
def engine(request: pytest.FixtureRequest) -> Iterator[sa.Engine]:
    if VARIABLE not in os.environ:
        pytest.skip(f"{VARIABLE} names no server")
    pytest.importorskip(request.param)
    url, name = sa.make_url(os.environ[VARIABLE]), f"text_{uuid.uuid4().hex[:12]}"
    url = url.set(drivername=f"postgresql+{request.param}")
    admin = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {name}")
    own = sa.create_engine(url, connect_args={"options": f"-csearch_path={name}"})
    yield own
    own.dispose()
    with admin.connect() as connection:
        connection.exec_driver_sql(f"DROP SCHEMA {name} CASCADE")
    admin.dispose()


def _planned(text: str, others: dict[str, str] | None = None) -> Planned | Any:
    files = {"app/models.py": MODELS, "app/work.py": text, **(others or {})}
    index = link(read_facts(Source(path, held)) for path, held in files.items())
    return plan_file(
        Source("app/work.py", text), index, Settings(codemods=(CODEMOD.id,), unsafe=True, dialect="postgresql")
    )


def _ran(text: str, engine: sa.Engine) -> tuple[str, list[str]]:
    models: dict[str, Any] = {"__name__": "app.models"}
    exec(MODELS, models)
    space: dict[str, Any] = {"Item": models["Item"], "Base": models["Base"]}
    exec("\n".join(line for line in text.split("\n") if not line.startswith("from app.")), space)
    models["Base"].metadata.create_all(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql(ROWS)
    with sa.orm.Session(engine) as session:
        try:
            value = shown(space["go"](session))
            session.commit()
        except sa.exc.DBAPIError as error:
            value = type(error.orig).__name__
    with engine.begin() as connection:
        rows = [str(tuple(r)) for r in connection.exec_driver_sql("SELECT *, data::text, metadata::text FROM items")]
    models["Base"].metadata.drop_all(engine)
    return value, sorted(rows)


@pytest.mark.parametrize("name", SAME)
def test_the_same_before_and_after(name: str, engine: sa.Engine) -> None:
    text = f"{HEAD}{SAME[name]}\n"
    outcome = _planned(text)
    assert isinstance(outcome, Planned), outcome
    (site,) = outcome.sites
    assert {c.verdict for c in site.certificates} == {Verdict.PROVEN}, site.certificates
    assert {e.code for e in site.effects} <= {"autoflush", "interpolated", "empty-list"}
    raw, now = _ran(text, engine), _ran(outcome.after.text, engine)
    assert now == raw or (engine.driver == "psycopg" and raw[0] in _UNTYPED)


# What psycopg 3 could not tell the type of, and raised for, while the model tells it.
_UNTYPED = ("IndeterminateDatatype", "AmbiguousParameter", "UndefinedFunction", "DatatypeMismatch", "SyntaxError")


ASYNC = """\
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Base


async def go(session: AsyncSession):
    rows = await session.execute(
        text("SELECT id FROM items WHERE made > '2000-01-01' AND made::date <> '2030-01-01' AND id <> '7' ORDER BY id")
    )
    await session.execute(text("UPDATE items SET made = '2024-05-06 07:08:09' WHERE id = '2' AND label IS NULL"))
    named = await session.execute(text("SELECT label FROM items WHERE label = 'ab' AND id IN ('1', '3')"))
    return [tuple(row) for row in rows], [tuple(row) for row in named]
"""


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_text_for_dates_where_the_driver_tells_types(driver: str, engine: sa.Engine) -> None:
    """asyncpg and psycopg name the type of what they bind, and text is no date: it stays in the SQL."""
    pytest.importorskip(driver)
    outcome = _planned(ASYNC)
    assert isinstance(outcome, Planned), outcome
    assert {c.verdict for site in outcome.sites for c in site.certificates} == {Verdict.PROVEN}
    assert "literal_column(\"'2000-01-01'\")" in outcome.after.text
    assert 'Item.label == "ab"' in outcome.after.text
    ran = [asyncio.run(_awaited(text, engine, driver)) for text in (ASYNC, outcome.after.text)]
    assert ran[0] == ran[1]
    assert ran[0][0] == "([(int 1)], [(str 'ab')])"


def test_text_for_dates_where_an_engine_names_psycopg(engine: sa.Engine) -> None:
    files = {
        "app/db.py": 'from sqlalchemy import create_engine\n\nengine = create_engine("postgresql+psycopg:///shop")\n'
    }
    sql = "SELECT id FROM items WHERE made > '2000-01-01' AND id < '4'"
    text = f"{HEAD}{_all(sql)}\n"
    outcome = _planned(text, files)
    assert isinstance(outcome, Planned), outcome
    assert outcome.after.text.count("literal_column(") == 2
    assert _ran(outcome.after.text, engine) == _ran(text, engine)


async def _awaited(text: str, engine: sa.Engine, driver: str) -> tuple[str, list[str]]:
    models: dict[str, Any] = {"__name__": "app.models"}
    exec(MODELS, models)
    space: dict[str, Any] = {"Item": models["Item"], "Base": models["Base"]}
    exec("\n".join(line for line in text.split("\n") if not line.startswith("from app.")), space)
    models["Base"].metadata.create_all(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql(ROWS)
        schema = connection.exec_driver_sql("SELECT current_schema()").scalar_one()
    settings = (
        {"server_settings": {"search_path": schema}} if driver == "asyncpg" else {"options": f"-csearch_path={schema}"}
    )
    own = create_async_engine(engine.url.set(drivername=f"postgresql+{driver}"), connect_args=settings)
    async with AsyncSession(own) as session:
        value = shown(await space["go"](session))
        await session.commit()
    await own.dispose()
    with engine.begin() as connection:
        rows = [str(tuple(r)) for r in connection.exec_driver_sql("SELECT id, label, made FROM items ORDER BY id")]
    models["Base"].metadata.drop_all(engine)
    return value, rows


STAYS = {
    "a path of other than words": ("SELECT data#>>'{a b,c}' AS a FROM items", "sql-not-supported"),
    "a key that is bound": ("SELECT data->>:id AS a FROM items", "sql-not-supported"),
    "a JSON value compared": ("SELECT id FROM items WHERE data->'a' = :id", "sql-not-supported"),
    "a key of what is no JSON": ("SELECT label->>'a' AS a FROM items", "sql-not-supported"),
    "contained in JSON": ("SELECT id FROM items WHERE metadata @> :id", "sql-not-supported"),
    "an array contained": ("SELECT id FROM items WHERE tags @> ARRAY[1]", "sql-not-supported"),
    "an expression for a number": ("SELECT id FROM items WHERE id ~ :id", "sql-not-supported"),
    "a key to group by": ("SELECT COUNT(*) AS n FROM items GROUP BY data->>'a'", "sql-not-supported"),
    "a list of values with numbers that have no name": (
        "SELECT t.x FROM UNNEST(:id) WITH ORDINALITY AS t(x) JOIN items i ON i.id = t.x",
        "sql-not-supported",
    ),
    "a list of values without a name": ("SELECT t FROM UNNEST(:id) AS t JOIN items i ON i.id = t", "sql-not-supported"),
    "a function that nothing is known of": ("SELECT t.a FROM items i, own_rows(i.id) AS t", "sql-not-supported"),
    "typed columns of a function": (
        "SELECT x.a FROM jsonb_to_recordset('[]') AS x(a int) JOIN items i ON i.id = x.a",
        "sql-not-supported",
    ),
    "a key to group by that is used again": (
        "SELECT data->>'a' AS a, upper(data->>'a') AS b FROM items GROUP BY data->>'a'",
        "sql-not-supported",
    ),
    "a parameter to group by that is used again": (
        "SELECT COALESCE(label, :id) AS a, upper(COALESCE(label, :id)) AS b FROM items GROUP BY COALESCE(label, :id)",
        "sql-not-supported",
    ),
    "words found by text": ("SELECT id FROM items WHERE label @@ :id", "sql-not-supported"),
    "a lock of one table": ("SELECT id FROM items FOR UPDATE OF items", "sql-not-supported"),
    "a cast in a lambda": ("SELECT jsonb_typeof(data->'a'::text) AS a FROM items", "sql-not-supported"),
}


@pytest.mark.parametrize("name", STAYS)
def test_it_stays(name: str) -> None:
    sql, reason = STAYS[name]
    outcome = _planned(f'{HEAD}return session.execute(text("""{sql}"""), {{"id": 1}}).all()\n')
    assert isinstance(outcome, Refused), outcome
    assert [site.reason.code for site in outcome.sites if site.reason] == [reason]
