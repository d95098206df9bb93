"""Kept cursors that several functions share: who executes, who reads; run on a real database before and after."""

from collections.abc import Callable
from typing import Any

import pytest
from ormlift.model import Planned, Settings, SiteReport, Source, Status
from ormlift.plan import plan_file
from ormlift.project.facts import read_facts
from ormlift.project.index import link
from ormlift.rules.cursor_to_orm import CODEMOD
from ormlift.rules.examples.cursor_kept import PROJECT

from tests.rules.cursor_runs import World, world

__all__ = ["world"]

_HEAD = "from app.db import open_db\n\n\n"
_STORE = """class Store:
    def __init__(self):
        self.conn = open_db()
        self.cur = self.conn.cursor()

"""
_FIND = """    def find(self, x):
        self.cur.execute("SELECT id, title FROM jobs WHERE stage = ?", (x,))

"""
_ADD = """    def add(self, t):
        self.cur.execute("INSERT INTO jobs (ticket, title, stage, rush, count) VALUES (?, 'x', 1, 0, 0)", (t,))
        self.conn.commit()

"""
_GLOBAL = """conn = open_db()
cur = conn.cursor()


def find(x):
    cur.execute("SELECT id, title FROM jobs WHERE stage = ?", (x,))


"""


def _planned(text: str) -> tuple[str, dict[int, SiteReport]]:
    """The text after, and the sites by line."""
    index = link(read_facts(Source(path, held)) for path, held in {**PROJECT, "app/jobs.py": text}.items())
    outcome = plan_file(Source("app/jobs.py", text), index, Settings(unsafe=True, codemods=(CODEMOD.id,)))
    after = outcome.after.text if isinstance(outcome, Planned) else text
    return after, {site.line: site for site in getattr(outcome, "sites", ())}


def _store(call: Callable[[Any], Any], name: str = "Store") -> Callable[[Any], Any]:
    return lambda space: call(space[name]())


# Each would give nothing, or None, if the function that executes had a session of its own.
STAYS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "fetched in another method": (
        _STORE + _FIND + "    def next(self):\n        return self.cur.fetchone()\n",
        _store(lambda o: (o.find(1), o.next())),
    ),
    "its id asked in another method": (
        _STORE + _ADD + "    def last(self):\n        return self.cur.lastrowid\n",
        _store(lambda o: (o.add("T-9"), o.last())),
    ),
    "its count asked in another method": (
        _STORE
        + '    def raise_all(self):\n        self.cur.execute("UPDATE jobs SET stage = 9")\n'
        + "    def count(self):\n        return self.cur.rowcount\n",
        _store(lambda o: (o.raise_all(), o.count())),
    ),
    "the first here, the rest in another method": (
        _STORE
        + _FIND.rstrip()
        + "\n        return self.cur.fetchone()[1]\n\n    def rest(self):\n        return list(self.cur)\n",
        _store(lambda o: (o.find(2), o.rest())),
    ),
    "another method executes on one way only": (
        _STORE
        + _FIND
        + "    def rest(self, again=False):\n        if again:\n"
        + '            self.cur.execute("SELECT id FROM jobs")\n        return self.cur.fetchone()\n',
        _store(lambda o: (o.find(2), o.rest())),
    ),
    "another method's execution may have failed": (
        _STORE
        + _FIND
        + "    def rest(self, table):\n        try:\n"
        + '            self.cur.execute("SELECT id FROM " + table)\n        except Exception:\n            pass\n'
        + "        return self.cur.fetchone()\n",
        _store(lambda o: (o.find(2), o.rest("jobs"))),
    ),
    "a generator": (
        _STORE + _FIND + "    def each(self):\n        for row in self.cur:\n            yield row[0]\n",
        _store(lambda o: (o.find(2), list(o.each()))),
    ),
    "a nested function": (
        _STORE
        + _FIND.rstrip()
        + "\n\n        def rest():\n            return self.cur.fetchall()\n\n        return rest\n",
        _store(lambda o: o.find(2)()),
    ),
    "a subclass": (
        _STORE + _FIND + "\nclass More(Store):\n    def rest(self):\n        return self.cur.fetchall()\n",
        _store(lambda o: (o.find(2), o.rest()), "More"),
    ),
    "a function that has the object": (
        _STORE + _FIND + "\ndef f():\n    store = Store()\n    store.find(2)\n    return store.cur.fetchall()\n",
        lambda space: space["f"](),
    ),
    "a method that hands it out": (
        _STORE + _FIND + "    def rows(self):\n        return self.cur\n",
        _store(lambda o: (o.find(2), o.rows().fetchall())),
    ),
    "a global cursor": (
        _GLOBAL + "def f():\n    find(2)\n    return cur.fetchall()\n",
        lambda space: space["f"](),
    ),
}


@pytest.mark.parametrize("name", list(STAYS))
def test_a_cursor_that_another_function_reads_stays(world: World, name: str) -> None:
    text, call = _HEAD + STAYS[name][0], STAYS[name][1]
    after, sites = _planned(text)
    line = next(n for n, said in enumerate(text.splitlines(), 1) if "cur.execute(" in said)
    reason = sites[line].reason
    assert reason is not None
    assert reason.code == "unclear-cursor"
    assert after == text
    ran = world.run(text, call)
    assert ran.error is None
    assert ran.result not in ((None, None), (None, []), [])


_READS = """    def titles(self, x):
        self.cur.execute("SELECT id, title FROM jobs WHERE stage = ? ORDER BY id", (x,))
        return [row[1] for row in self.cur.fetchall()]

"""
SAME: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "each reads what it executes": (
        _STORE + _READS + _ADD.rstrip() + "\n        return self.cur.lastrowid\n",
        _store(lambda o: (o.titles(2), o.add("T-9"))),
    ),
    "another method executes on each way": (
        _STORE
        + _READS
        + "    def one(self, back, table='jobs'):\n        if back:\n"
        + '            self.cur.execute(f"SELECT id FROM {table} ORDER BY id DESC")\n        else:\n'
        + '            self.cur.execute(f"SELECT id FROM {table} ORDER BY id")\n        return self.cur.fetchone()\n',
        _store(lambda o: (o.titles(2), o.one(True), o.one(False))),
    ),
    "another method leaves where its execution fails": (
        _STORE
        + _READS
        + "    def one(self, table):\n        try:\n"
        + '            self.cur.execute("SELECT id FROM " + table)\n        except Exception as error:\n'
        + "            return str(error)\n        return self.cur.fetchone()\n",
        _store(lambda o: (o.titles(2), o.one("jobs"), o.one("none"))),
    ),
    "it is handed out, and what is executed is read": (
        _STORE + _READS + "    def cursor(self):\n        return self.cur\n",
        _store(lambda o: (o.titles(2), o.cursor().execute("SELECT 1").fetchone())),
    ),
    "it is closed elsewhere": (
        _STORE + _READS + "    def close(self):\n        self.cur.close()\n        self.conn.close()\n",
        _store(lambda o: (o.titles(2), o.close())),
    ),
    "another class has a cursor of its own": (
        _STORE
        + _READS
        + "\nclass Other:\n    def __init__(self, cur):\n        self.cur = cur\n\n"
        + "    def rest(self):\n        return self.cur.fetchall()\n",
        lambda space: (space["Store"]().titles(2), space["Other"](None)),
    ),
    "a function has a local of the name": (
        _GLOBAL.replace("(x,))\n", "(x,))\n    return [row[1] for row in cur.fetchall()]\n")
        + "def f(cur):\n    return cur.fetchall()\n",
        lambda space: space["find"](2),
    ),
}


@pytest.mark.parametrize("name", list(SAME))
def test_a_cursor_that_each_function_reads_by_itself(world: World, name: str) -> None:
    text, call = _HEAD + SAME[name][0], SAME[name][1]
    after, sites = _planned(text)
    line = next(n for n, said in enumerate(text.splitlines(), 1) if "cur.execute(" in said)
    assert sites[line].status is Status.REWRITTEN
    before, now = world.run(text, call), world.run(after, call)
    assert before.error is now.error is None
    shown = [repr(r.result).split(" object at")[0] for r in (before, now)]
    assert shown[0] == shown[1]
    assert before.rows == now.rows


_OWN = """class Store:
    def __init__(self):
        self.conn = open_db()

    def titles(self, n):
        return self.conn.execute("SELECT title FROM jobs WHERE id = ?", (n,)).fetchall()


def f(n):
    store = Store()
    {line}
    return store.titles(n)
"""
_MODULE = """conn = open_db()


def titles(n):
    return conn.execute("SELECT title FROM jobs WHERE id = ?", (n,)).fetchall()


def f(n):
    global conn
    conn = {opened}
    return titles(n)
"""
_FILLED = "conn.execute('CREATE TABLE jobs (id, title)')\n    conn.execute(\"INSERT INTO jobs VALUES (1, 'other')\")"
_ANEW: dict[str, tuple[str, list[Any]]] = {
    "bound anew from outside": (
        _OWN.format(line=f'store.conn = conn = sqlite3.connect(":memory:")\n    {_FILLED}'),
        [("other",)],
    ),
    "rows set from outside": (_OWN.format(line="store.conn.row_factory = lambda cursor, row: row[0]"), ["one"]),
    "another database for the global": (
        _MODULE.format(opened=f'sqlite3.connect(":memory:")\n    {_FILLED}'),
        [("other",)],
    ),
}


@pytest.mark.parametrize("name", list(_ANEW))
def test_a_connection_that_the_file_binds_or_sets_up_anew_stays(world: World, name: str) -> None:
    body, result = _ANEW[name]
    text = _HEAD + "import sqlite3\n\n\n" + body
    after, _ = _planned(text)
    assert "session" not in after
    assert world.run(text, lambda space: space["f"](1)).result == result


@pytest.mark.parametrize(
    "body",
    [
        _OWN.format(line="store.other = 1"),
        _OWN.format(line="print(store.conn.row_factory)"),
        _MODULE.format(opened="open_db()"),
    ],
)
def test_a_connection_that_the_file_opens_alike_is_rewritten(world: World, body: str) -> None:
    text = _HEAD + body
    after, _ = _planned(text)
    assert "with session_scope()" in after
    before, ran = (world.run(t, lambda space: space["f"](1)) for t in (text, after))
    assert before.result == ran.result == [("one",)]
