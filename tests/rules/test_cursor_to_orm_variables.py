"""Statements that need a variable above them (aliases, tables of WITH, upserts): whole functions, before and after."""

from __future__ import annotations

import textwrap

import pytest

from tests.rules.cursor_runs import World, world
from tests.rules.test_cursor_to_orm_runs import _rewritten

__all__ = ["world"]

HEAD = "from app.db import open_db\n\n\n"
FUNCTIONS = {
    "a self join, fetched on the next line": (
        """
        def pairs():
            conn = open_db()
            cur = conn.cursor()
            cur.execute("SELECT a.ticket, b.ticket FROM jobs a JOIN jobs b ON b.stage = a.stage AND b.id > a.id")
            rows = [tuple(row) for row in cur.fetchall()]
            conn.close()
            return rows
        """,
        ("pairs",),
        "job_b = aliased(Job)",
    ),
    "a table of WITH, returned at once": (
        """
        def deep(least):
            conn = open_db()
            try:
                cur = conn.cursor()
                cur.execute(
                    "WITH busy AS (SELECT stage, COUNT(*) AS n FROM jobs WHERE count >= ? GROUP BY stage)"
                    " SELECT MAX(n) FROM busy",
                    (least,),
                )
                return cur.fetchone()[0]
            finally:
                conn.close()
        """,
        ("deep", 1),
        'cte("busy")',
    ),
    "a query for a table, in a loop": (
        """
        def stages():
            conn = open_db()
            found = []
            cur = conn.cursor()
            cur.execute(
                "SELECT t.stage, t.n FROM (SELECT stage, COUNT(*) AS n FROM jobs GROUP BY stage) t ORDER BY t.stage"
            )
            for stage, n in cur.fetchall():
                found.append((stage, n))
            conn.close()
            return found
        """,
        ("stages",),
        "",
    ),
    "an upsert that reads what it would have inserted": (
        """
        def put(ticket, title):
            conn = open_db()
            conn.execute(
                "INSERT INTO jobs (ticket, title, stage, rush, count) VALUES (?, ?, 1, 0, 0)"
                " ON CONFLICT (ticket) DO UPDATE SET title = excluded.title, count = jobs.count + 1",
                (ticket, title),
            )
            conn.commit()
            conn.close()
        """,
        ("put", "T-1", "anew"),
        "stmt.excluded.title",
    ),
    "a variable whose name is taken": (
        """
        def doubled(stmt):
            conn = open_db()
            conn.execute(
                "INSERT INTO jobs (ticket, title, stage, rush, count) VALUES (?, 'x', 1, 0, 0)"
                " ON CONFLICT (ticket) DO UPDATE SET title = excluded.title",
                (stmt,),
            )
            conn.commit()
            conn.close()
            return stmt
        """,
        ("doubled", "T-2"),
        "stmt_.excluded.title",
    ),
    "a set operation in a list": (
        """
        def names():
            conn = open_db()
            rows = conn.execute(
                "SELECT ticket FROM jobs UNION SELECT customer FROM jobs WHERE customer IS NOT NULL ORDER BY 1"
            ).fetchall()
            conn.close()
            return [row[0] for row in rows]
        """,
        ("names",),
        "union(",
    ),
}


@pytest.mark.parametrize("title", FUNCTIONS)
def test_before_and_after_do_the_same(world: World, title: str) -> None:
    code, (name, *arguments), holds = FUNCTIONS[title]
    before = HEAD + textwrap.dedent(code).lstrip()
    after, effects = _rewritten(before)
    assert holds in after
    assert not effects
    old, new = (world.run(text, lambda space: space[name](*arguments)) for text in (before, after))
    assert old.error is None
    assert new.error is None
    assert repr(new.result) == repr(old.result)
    assert new.rows == old.rows


def test_a_loop_over_a_statement_that_needs_a_variable_stays() -> None:
    before = HEAD + textwrap.dedent(
        """
        def stages():
            conn = open_db()
            found = [t for (t,) in conn.execute("SELECT a.ticket FROM jobs a JOIN jobs b ON b.id = a.stage")]
            conn.close()
            return found
        """
    )
    with pytest.raises(AssertionError, match="variable above"):
        _rewritten(before)
