"""A fetch that reads the rows of one of two statements, as branches have it: run before and after, or left."""

from __future__ import annotations

import pytest
from ormlift.model import Planned, Refused, Settings, Source
from ormlift.plan import plan_file
from ormlift.project.facts import read_facts
from ormlift.project.index import link
from ormlift.rules.examples.cursor_kept import PROJECT

from tests.rules.cursor_runs import World, world

__all__ = ["world"]

HEAD = """import sqlite3
from app.db import open_db


def go(a):
    conn = open_db()
    cur = conn.cursor()
"""
TWO = """
    if a:
        cur.execute("{}")
    else:
        cur.execute("{}")
"""
BY_NUMBER = TWO.format("SELECT title, id FROM jobs ORDER BY id", "SELECT title, stage FROM jobs ORDER BY id DESC")
NAMED = "    conn.row_factory = sqlite3.Row\n    cur = conn.cursor()\n"

ROWS = "    rows = cur.fetchall()\n    conn.close()\n"
CHANGES = {
    "an index of each": BY_NUMBER + ROWS + "    return [(r[0], r[1]) for r in rows]\n",
    "unpacked": BY_NUMBER + "    found = {t: n for t, n in cur.fetchall()}\n    conn.close()\n    return found\n",
    "one row": BY_NUMBER + "    row = cur.fetchone()\n    conn.close()\n    return row[1] if row else None\n",
    "a loop": BY_NUMBER
    + "    out = []\n    for row in cur:\n        out.append(row[1] + 1)\n    conn.close()\n    return out\n",
    "a list of tuples": BY_NUMBER
    + "    rows = [tuple(r) for r in cur.fetchall()]\n    conn.close()\n    return rows\n",
    "three ways": """
    if a == 1:
        cur.execute("SELECT title, id FROM jobs WHERE id < ? ORDER BY id", (3,))
    elif a:
        cur.execute("SELECT title, COUNT(*) FROM jobs GROUP BY title ORDER BY title")
    else:
        cur.execute("SELECT ticket, stage FROM jobs WHERE stage = ? ORDER BY id", (a,))
    rows = cur.fetchmany(2)
    conn.close()
    return [r[1] for r in rows], len(rows)
""",
    "other columns, one of which keeps its text": TWO.format(
        "SELECT title, passed_at FROM jobs ORDER BY id", "SELECT ticket, passed_at FROM jobs ORDER BY id"
    )
    + ROWS
    + "    return [(r[0], r[1] and r[1][:10]) for r in rows]\n",
    "the same names of other columns": NAMED
    + TWO.format("SELECT title AS x FROM jobs ORDER BY id", "SELECT ticket AS x FROM jobs ORDER BY id")
    + ROWS
    + '    return [r["x"] for r in rows]\n',
    "a condition more": TWO.format("SELECT title FROM jobs WHERE id = 1", "SELECT title FROM jobs")
    + ROWS
    + "    return [r[0] for r in rows]\n",
}
STAYS = {
    "more columns in one": TWO.format("SELECT title, id FROM jobs", "SELECT title FROM jobs")
    + ROWS
    + "    return [r[0] for r in rows]\n",
    "other names, read by name": NAMED
    + TWO.format("SELECT title, id FROM jobs", "SELECT title, stage FROM jobs")
    + ROWS
    + '    return [r["title"] for r in rows]\n',
    "a type that changes in one": TWO.format("SELECT title, passed_at FROM jobs", "SELECT title, ticket FROM jobs")
    + ROWS
    + "    return [r[1] for r in rows]\n",
    "a write in one": TWO.format("SELECT title, id FROM jobs", "DELETE FROM jobs")
    + ROWS
    + "    return [r[1] for r in rows]\n",
    "the names of the columns": BY_NUMBER
    + "    names = [d[0] for d in cur.description]\n"
    + ROWS
    + "    return names, rows\n",
    "one that may not have run": """
    if a:
        cur.execute("SELECT title FROM jobs")
    rows = cur.fetchall()
    conn.close()
    return rows
""",
}

ADD = """cur.execute("INSERT INTO jobs (ticket, title, stage, rush, count) VALUES ('T-9', 'x', 1, 0, 0)")"""
END = "    conn.commit()\n    conn.close()\n"
PASSED = {
    "the last id": f"""
    {ADD}
    cur.execute("UPDATE jobs SET stage = ? WHERE id = ?", (a, cur.lastrowid))
""",
    "the last id, twice and later": f"""
    {ADD}
    other = conn.cursor()
    for n in range(2):
        number = cur.lastrowid - n
        other.execute("UPDATE jobs SET title = ?, count = ? WHERE id = ?", (f"n{{cur.lastrowid}}", n, number))
""",
    "the last id for many": f"""
    {ADD}
    cur.executemany("UPDATE jobs SET count = ? WHERE stage = ?", [(cur.lastrowid, s) for s in (1, a)])
""",
    "a row count": """
    cur.execute("UPDATE jobs SET stage = 8 WHERE id > ?", (a,))
    cur.execute("UPDATE jobs SET count = ? WHERE id = 1", (cur.rowcount,))
""",
    "a cell of the same cursor": """
    cur.execute("SELECT MAX(stage) FROM jobs")
    cur.execute("UPDATE jobs SET count = ? WHERE id = ?", (cur.fetchone()[0], a))
""",
    "a cell of another cursor": """
    other = conn.cursor()
    other.execute("SELECT stage, id FROM jobs ORDER BY id")
    cur.execute("UPDATE jobs SET count = ? WHERE id = ?", (a, other.fetchone()[1] + 1))
    cur.execute("UPDATE jobs SET stage = ? WHERE id = ?", (other.fetchone()[0] + 5, a))
""",
}


@pytest.mark.parametrize("name", PASSED)
def test_what_is_passed_of_an_earlier_statement(name: str, world: World) -> None:
    before = HEAD + PASSED[name] + END
    outcome = plan(before)
    assert isinstance(outcome, Planned), outcome.sites
    for a in (1, 2, 9):
        old, new = (world.run(text, lambda s, a=a: s["go"](a)) for text in (before, outcome.after.text))
        assert (old.error, new.error) == (None, None)
        assert new.rows == old.rows


def plan(text: str) -> Planned | Refused:
    files = {**PROJECT, "app/jobs.py": text}
    index = link(read_facts(Source(path, held)) for path, held in files.items())
    outcome = plan_file(Source("app/jobs.py", text), index, Settings(unsafe=True, codemods=("cursor-to-orm",)))
    assert isinstance(outcome, Planned | Refused), outcome
    return outcome


@pytest.mark.parametrize("name", CHANGES)
def test_the_same_before_and_after(name: str, world: World) -> None:
    before = HEAD + CHANGES[name]
    outcome = plan(before)
    assert isinstance(outcome, Planned), outcome.sites
    after = outcome.after.text
    assert '.execute("' not in after
    for a in (0, 1, 2):
        old, new = (world.run(text, lambda s, a=a: s["go"](a)) for text in (before, after))
        assert old.error is None
        assert repr(new.result) == repr(old.result), new.error
        assert new.rows == old.rows
    assert isinstance(plan(after) if "open_db" in after else None, Refused | None)


@pytest.mark.parametrize("name", STAYS)
def test_it_stays(name: str) -> None:
    outcome = plan(HEAD + STAYS[name])
    assert isinstance(outcome, Refused)
    (site,) = outcome.sites
    assert site.reason is not None
    assert site.reason.code in ("unclear-cursor", "description", "sql-not-supported")
