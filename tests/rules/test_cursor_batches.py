"""psycopg2's execute_values and execute_batch, run before and after on a server; and those that stay."""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Iterator
from typing import Any

import pytest
from ormlift.model import Planned, Refused, Settings, Source
from ormlift.plan import plan_file
from ormlift.project.facts import read_facts
from ormlift.project.index import link
from ormlift.rules.cursor_to_orm import CODEMOD

from tests.rules.test_cursor_servers import _DB, _DRIVERS, _MODELS, Server

HEAD = """import psycopg2
import psycopg2.extras
from psycopg2.extras import execute_batch, execute_values

SQL = "INSERT INTO ormlift_parcels (id, code, stage, rush, owner) VALUES %s"
ONE = "INSERT INTO ormlift_parcels (id, code, stage, rush, owner) VALUES (%s, %s, %s, %s, %s)"
MOVE = "UPDATE ormlift_parcels SET stage = stage + %s WHERE code = %s"
PART = "INSERT INTO ormlift_parcels (id, code, stage, rush) VALUES %s"


def f(rows):
    conn = psycopg2.connect(**HOW)
    cur = conn.cursor()
"""
TAIL = "    conn.commit()\n    conn.close()\n"
FULL = [(8, "X", 3, True, None), (9, 'Y\'s "%s" %', 0, False, "Ada")]
ROWS: list[Any] = [
    FULL,
    [],
    tuple(FULL),
    [list(row) for row in FULL],
    [(1, "A", 1, False, None)],
    [(8, None, 1, True, "")],
]
DICTS: list[Any] = [[dict(zip(("id", "code", "stage", "rush", "owner"), row, strict=True)) for row in FULL], []]
PAIRS: list[Any] = [[("B", 7), ("none", 1), ("B", 8)], []]
UPSERT = "ON CONFLICT (code) DO UPDATE SET stage = EXCLUDED.stage, owner = 'a % b'"

CHANGES: dict[str, tuple[str, list[Any]]] = {
    "a list of rows": ("    execute_values(cur, SQL, rows)\n", ROWS),
    "by its module, with a page's size": ("    psycopg2.extras.execute_values(cur, SQL, rows, page_size=1)\n", ROWS),
    "under another name": (
        """    from psycopg2.extras import execute_values as many
    many(cur, sql=SQL, argslist=rows, template=None)
""",
        ROWS,
    ),
    "an iterator": ("    execute_values(cur, SQL, iter(rows), None, 1000, False)\n", ROWS),
    "rows that are made": (
        "    execute_values(cur, PART, [(r[0], r[1].lower(), r[2], r[3]) for r in rows])\n",
        [FULL, []],
    ),
    "rows that are put together": (
        """    made = []
    for row in rows:
        made.append((row[0], row[1], 4, False))
    execute_values(cur, PART, made)
""",
        ROWS,
    ),
    "a template": (
        "    execute_values(cur, PART, [(r[0], r[1]) for r in rows], template='(%s, upper(%s), 2 + 3, true)')\n",
        [FULL, []],
    ),
    "a template of names": (
        "    execute_values(cur, PART, rows, '(%(id)s, %(code)s, %(stage)s, %(rush)s)')\n",
        DICTS,
    ),
    "rows that are there": ('    execute_values(cur, SQL + " ON CONFLICT DO NOTHING", rows)\n', ROWS),
    "rows that are changed": (f'    execute_values(cur, SQL + """ {UPSERT.replace("%", "%%")}""", rows)\n', ROWS),
    "a batch": ("    execute_batch(cur, ONE, rows)\n", ROWS),
    "a batch of changes": (
        "    execute_batch(cur, MOVE, [(n, c) for c, n in rows], page_size=2)\n",
        PAIRS,
    ),
    "a batch of names": (
        "    execute_batch(cur, 'DELETE FROM ormlift_parcels WHERE id > %(id)s AND stage <> %(stage)s', rows)\n",
        DICTS,
    ),
    "a cursor that a block opens": (
        """    with conn.cursor() as other:
        execute_values(other, SQL, rows)
        other.execute('SELECT COUNT(*) FROM ormlift_parcels')
        print(other.fetchone()[0])
""",
        ROWS,
    ),
}
STAYS = {
    "fetches": "    found = execute_values(cur, SQL + ' RETURNING id', rows, fetch=True)\n    print(found)\n",
    "fetches as it says": "    execute_values(cur, SQL + ' RETURNING id', rows, fetch=bool(rows))\n",
    "columns that are not named": "    execute_values(cur, 'INSERT INTO ormlift_parcels VALUES %s', rows)\n",
    "an update of rows": """    execute_values(cur, '''UPDATE ormlift_parcels p SET stage = d.s
        FROM (VALUES %s) AS d (c, s) WHERE p.code = d.c''', rows)
""",
    "a count": "    execute_values(cur, SQL, rows)\n    print(cur.rowcount)\n",
    "rows of a returning": "    execute_values(cur, SQL + ' RETURNING id', rows)\n    print(cur.fetchall())\n",
    "a template that is put together": "    execute_values(cur, SQL, rows, template='(' + ', '.join(rows[0]) + ')')\n",
    "a size that is asked for": "    execute_values(cur, SQL, rows, page_size=len(rows))\n",
    "a function of another name": "    psycopg2.extras.register_hstore(cur, rows)\n    cur.execute('SELECT 1 FROM "
    "ormlift_parcels')\n    cur.fetchall()\n",
    "a batch of SELECTs": "    execute_batch(cur, 'SELECT id FROM ormlift_parcels WHERE code = %s', rows)\n",
    "more arguments": "    execute_values(cur, SQL, *rows)\n",
}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    url = os.environ.get("ORMLIFT_TEST_POSTGRESQL", "")
    if not url:
        pytest.skip("no server")
    made = Server(_DRIVERS["psycopg2"], url)
    db = types.ModuleType("app.db")
    exec(_DB.format(url=url), db.__dict__)
    for name, module in {"app": types.ModuleType("app"), "app.db": db, "app.models": made.models}.items():
        monkeypatch.setitem(sys.modules, name, module)
    yield made
    made.models.Base.metadata.drop_all(made.engine)
    db.engine.dispose()
    made.engine.dispose()


def plan(program: str) -> Planned | Refused:
    files = {"app/models.py": _MODELS, "app/db.py": _DB.format(url="postgresql:///x"), "app/parcels.py": program}
    index = link(read_facts(Source(path, held)) for path, held in files.items())
    settings = Settings(unsafe=True, codemods=(CODEMOD.id,), dialect="postgresql")
    outcome = plan_file(Source("app/parcels.py", program), index, settings)
    assert isinstance(outcome, Planned | Refused), outcome
    return outcome


@pytest.mark.parametrize("name", CHANGES)
def test_before_and_after_do_the_same(name: str, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    body, given = CHANGES[name]
    before = HEAD + body + TAIL
    outcome = plan(before)
    assert isinstance(outcome, Planned), outcome.sites
    after = outcome.after.text
    assert "cur" not in after.replace("current", "")
    assert "rows-one-by-one" in [e.code for site in outcome.sites for e in site.effects]
    for rows in given:
        old = server.run(before, lambda s, r=rows: s["f"](r))
        said = capsys.readouterr().out
        assert server.run(after, lambda s, r=rows: s["f"](r)) == old
        assert capsys.readouterr().out == said


@pytest.mark.parametrize("name", STAYS)
def test_it_stays(name: str) -> None:
    outcome = plan(HEAD + STAYS[name] + TAIL)
    assert isinstance(outcome, Refused)
    (site,) = outcome.sites
    assert site.reason is not None
    assert site.reason.code in ("execute-many", "connection-escapes")


def test_two_rows_of_one_key_are_written_one_after_the_other(server: Server) -> None:
    """As the effect tells: PostgreSQL refuses them in one statement."""
    before = HEAD + f'    execute_values(cur, SQL + """ {UPSERT.replace("%", "%%")}""", rows)\n' + TAIL
    outcome = plan(before)
    assert isinstance(outcome, Planned)
    twice = [(8, "X", 1, True, None), (9, "X", 2, True, None)]
    with pytest.raises(AssertionError):
        server.run(before, lambda s: s["f"](twice))
    *_, rows = server.run(outcome.after.text, lambda s: s["f"](twice))
    assert [row[2] for row in rows if row[1] == "X"] == [2]
