"""Calls between a write on a shared connection and its commit: run on a real database before and after."""

from collections.abc import Callable
from typing import Any

import pytest
from ormlift.model import Planned, Settings, SiteReport, Source
from ormlift.plan import plan_file
from ormlift.project.facts import read_facts
from ormlift.project.index import link
from ormlift.rules.cursor_to_orm import CODEMOD
from ormlift.rules.examples.cursor_kept import PROJECT

from tests.rules.cursor_runs import World, world

__all__ = ["world"]

_INSERT = "\"INSERT INTO jobs (ticket, title, stage, rush, count) VALUES (?, 'x', 1, 0, 0)\", (line,)"
_UPDATE = '"UPDATE jobs SET stage = 9 WHERE id = ?", (n,)'
_GLOBAL = f"""import sqlite3

conn = sqlite3.connect("jobs.db", timeout=0)


def note(line):
    conn.execute({_INSERT})
    conn.commit()


def stage_of(n):
    sql = "SELECT stage FROM jobs WHERE id = ?"
    return conn.execute(sql, (n,)).fetchone()[0]


def save():
    conn.commit()


def name_of(n):
    return f"T-{{n}}"


def f(n):
    conn.execute({_UPDATE})
"""
_SHARED = f"""import sqlite3

_conn = None


def shared():
    global _conn
    if _conn is None:
        _conn = sqlite3.connect("jobs.db", timeout=0)
    return _conn


def note(line):
    conn = shared()
    conn.execute({_INSERT})
    conn.commit()


def f(n):
    conn = shared()
    conn.execute({_UPDATE})
"""
_MANAGED = f"""import sqlite3
from contextlib import contextmanager

_conn = sqlite3.connect("jobs.db", timeout=0)


@contextmanager
def managed():
    yield _conn
    _conn.commit()


def note(line):
    with managed() as conn:
        conn.execute({_INSERT})


def f(n):
    with managed() as conn:
        conn.execute({_UPDATE})
"""
_STORE = f"""import sqlite3


class Store:
    def __init__(self):
        self.conn = sqlite3.connect("jobs.db", timeout=0)

    def _add(self, line):
        self.conn.execute({_INSERT})

    def note(self, line):
        self._add(line)

    def f(self, n):
        self.conn.execute({_UPDATE})
"""


def _planned(text: str) -> tuple[str, list[SiteReport]]:
    index = link(read_facts(Source(path, held)) for path, held in {**PROJECT, "app/jobs.py": text}.items())
    outcome = plan_file(Source("app/jobs.py", text), index, Settings(unsafe=True, codemods=(CODEMOD.id,)))
    after = outcome.after.text if isinstance(outcome, Planned) else text
    return after, list(getattr(outcome, "sites", ()))


def _told(text: str, after: str, line: int, sites: list[SiteReport]) -> set[str]:
    """The codes of the effects of the site at a line."""
    assert after != text
    return {e.code for site in sites if site.line == line for e in site.effects}


def _f(space: Any) -> Any:
    return (space["Store"]() if "Store" in space else type("", (), {"f": staticmethod(space["f"])})).f(1)


@pytest.mark.parametrize(
    "text",
    [
        _GLOBAL + '    note("T-9")\n    conn.commit()\n',
        _GLOBAL + '    if n:\n        note("T-9")\n    conn.commit()\n    return n\n',
        _SHARED + '    note("T-9")\n    conn.commit()\n',
        _GLOBAL.replace('    conn.execute("UPD', '    with conn:\n        conn.execute("UPD') + '        note("T-9")\n',
        _MANAGED + '        note("T-9")\n',
        _STORE + '        self.note("T-9")\n        self.conn.commit()\n',
    ],
    ids=["global", "on one way", "handed out", "in a with of it", "by a manager", "by another method"],
)
def test_a_write_amid_anothers_stays_on_both_sides(world: World, text: str) -> None:
    after, sites = _planned(text)
    refused = {site.line for site in sites if site.reason and site.reason.code == "shared-transaction"}
    assert len(refused) == 2
    assert [after.count(word) for word in ("INSERT", "UPDATE")] == [1, 1]
    before, now = world.run(text, _f), world.run(after, _f)
    assert before.error is now.error is None
    assert before.rows == now.rows
    assert len(now.rows) == 5


_SEEN: list[tuple[str, str, Callable[[Any], Any]]] = [
    ("a callee reads", "    seen = stage_of(n)\n    conn.commit()\n    return seen\n", _f),
    (
        "a callee commits",
        '    save()\n    conn.execute("UPDATE jobs SET count = 9 WHERE id = ?", (n // 0,))\n    conn.commit()\n',
        _f,
    ),
]


@pytest.mark.parametrize(("name", "then", "call"), _SEEN, ids=[s[0] for s in _SEEN])
def test_what_a_callee_does_not_see_or_commit_is_told(
    world: World, name: str, then: str, call: Callable[[Any], Any]
) -> None:
    text = _GLOBAL + then
    after, sites = _planned(text)
    line = next(n for n, said in enumerate(text.splitlines(), 1) if "UPDATE" in said)
    assert "shared-transaction" in _told(text, after, line, sites), name
    before, now = world.run(text, call), world.run(after, call)
    assert (before.result, before.rows) != (now.result, now.rows)


@pytest.mark.parametrize(
    "then",
    [
        '    conn.commit()\n    note("T-9")\n',
        "    n = name_of(n)\n    conn.commit()\n    return n\n",
        '    conn.commit()\n    n = stage_of(n)\n    conn.execute("UPDATE jobs SET count = 9")\n    conn.commit()\n',
    ],
    ids=["behind the commit", "of no connection", "between two transactions"],
)
def test_other_calls_are_not_told(world: World, then: str) -> None:
    text = _GLOBAL + then
    after, sites = _planned(text)
    assert "shared-transaction" not in {e.code for site in sites for e in site.effects}
    assert all(site.reason is None for site in sites)
    before, now = world.run(text, _f), world.run(after, _f)
    assert before.error is now.error is None
    assert (before.result, before.rows) == (now.result, now.rows)
