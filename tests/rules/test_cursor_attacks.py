"""Programs that cursor code really holds, or nearly: run before and after on a real database."""

from collections.abc import Callable
from typing import Any

import pytest
from ormlift.model import Planned, Settings, Source
from ormlift.plan import plan_file
from ormlift.project.facts import read_facts
from ormlift.project.index import link
from ormlift.rules.cursor_to_orm import CODEMOD
from ormlift.rules.examples.cursor_kept import PROJECT

from tests.rules.cursor_runs import World, world

__all__ = ["world"]

_HEAD = (
    "import json\nimport sqlite3\n\nimport aiosqlite\n\nfrom app.adb import DB_PATH\nfrom app.db import open_db\n\n\n"
)
_STORE = """class Store:
    def __init__(self):
        self.conn = open_db()
        self.cur = self.conn.cursor()

"""
_OPEN = "async def f(*a):\n    async with aiosqlite.connect(DB_PATH) as db:\n"


def _kept(body: str) -> str:
    return _STORE + body


def _f(*arguments: Any) -> Callable[[Any], Any]:
    return lambda space: space["f"](*arguments)


def _m(*arguments: Any) -> Callable[[Any], Any]:
    return lambda space: space["Store"]().f(*arguments)


_SAME: dict[str, tuple[str, list[Callable[[Any], Any]]]] = {
    "kept: a loop that writes": (
        _kept("""    def f(self):
        for r in self.cur.execute("SELECT id, count FROM jobs ORDER BY id").fetchall():
            self.conn.execute("UPDATE jobs SET count = ? WHERE id = ?", (r[1] + 1, r[0]))
        self.conn.commit()
        return self.cur.execute("SELECT SUM(count) FROM jobs").fetchone()[0]
"""),
        [_m()],
    ),
    "kept: a commit in a finally": (
        _kept("""    def f(self, title):
        try:
            self.cur.execute("UPDATE jobs SET title = ? WHERE id = 1", (title,))
        finally:
            self.conn.commit()
"""),
        [_m("x"), _m(None)],
    ),
    "kept: a rollback in a handler": (
        _kept("""    def f(self, title):
        try:
            self.cur.execute("UPDATE jobs SET stage = 8 WHERE id = 2")
            self.cur.execute("UPDATE jobs SET title = ? WHERE id = 1", (title,))
            self.conn.commit()
            return "done"
        except sqlite3.IntegrityError:
            self.conn.rollback()
            return "failed"
"""),
        [_m("x"), _m(None)],
    ),
    "kept: three fetches": (
        _kept("""    def f(self):
        self.cur.execute("SELECT title FROM jobs ORDER BY id")
        first = self.cur.fetchone()
        second = self.cur.fetchone()
        return first[0], second[0], len(self.cur.fetchall())
"""),
        [_m()],
    ),
    "kept: a with block of the connection": (
        _kept("""    def f(self, title):
        with self.conn:
            self.conn.execute("UPDATE jobs SET title = ? WHERE id = 1", (title,))
        return 1
"""),
        [_m("q"), _m(None)],
    ),
    "kept: a nested function": (
        _kept("""    def f(self):
        def one(ticket):
            self.cur.execute("SELECT id FROM jobs WHERE ticket = ?", (ticket,))
            return self.cur.fetchone()[0]
        return one("T-1") + one("T-2")
"""),
        [_m()],
    ),
    "kept: names as a tuple": (
        _kept("""    def f(self):
        self.cur.execute("SELECT id, title FROM jobs ORDER BY id")
        names = tuple(d[0] for d in self.cur.description)
        rows = self.cur.fetchall()
        return names, [dict(zip(names, row)) for row in rows], names.index("title")
"""),
        [_m()],
    ),
    "kept: JSON decoded out of a dict": (
        _kept("""    def f(self):
        cur = self.conn.cursor()
        cur.execute("SELECT id, marks FROM jobs ORDER BY id")
        names = [c[0] for c in cur.description]
        rows = [dict(zip(names, r)) for r in cur.fetchall()]
        for r in rows:
            r["marks"] = json.loads(r["marks"]) if r["marks"] else None
        return rows
"""),
        [_m()],
    ),
    "keys and dicts of a row by name": (
        """def f(ticket):
    conn = open_db()
    conn.row_factory = sqlite3.Row
    row = conn.execute("SELECT ticket, marks FROM jobs WHERE ticket = ?", (ticket,)).fetchone()
    conn.close()
    if row:
        found = dict(row)
        found["keys"] = row.keys()
        return json.dumps({"found": found, "in": "ticket" in row.keys(), "all": list(row)})
    return None
""",
        [_f("T-2"), _f("none")],
    ),
    "async: fetched in parts": (
        """async def f():
    db = await aiosqlite.connect(DB_PATH)
    cursor = await db.cursor()
    await cursor.execute("SELECT ticket, title FROM jobs ORDER BY id")
    rows = await cursor.fetchmany(2)
    one = (await cursor.fetchone())[1]
    rest = [title for title, in [(t,) for _, t in await cursor.fetchall()]]
    await cursor.close()
    await db.close()
    return [r[0] for r in rows], one, rest
""",
        [_f()],
    ),
    "async: a loop behind other statements": (
        _OPEN
        + """        cursor = await db.execute("SELECT ticket FROM jobs ORDER BY id")
        count = len(a) + 1
        found = []
        async for row in cursor:
            found.append((row[0], count))
        return found
""",
        [_f()],
    ),
    "async: a loop that ends early": (
        _OPEN
        + """        found = []
        async with db.execute("SELECT id, ticket FROM jobs ORDER BY id") as cursor:
            async for number, ticket in cursor:
                if number > a[0]:
                    break
                found.append(ticket)
        return found
""",
        [_f(2), _f(0)],
    ),
    "async: one value, asked at once": (
        _OPEN
        + """        cursor = await db.execute("SELECT COUNT(*) FROM jobs")
        count = (await cursor.fetchone())[0].bit_length()
        most = f"{(await (await db.execute('SELECT MAX(count) FROM jobs')).fetchone())[0]}"
        return count, most
""",
        [_f()],
    ),
    "async: many rows": (
        _OPEN
        + """        await db.executemany("UPDATE jobs SET title = ? WHERE id = ?", [(t, i) for t, i in a])
        await db.commit()
""",
        [_f(("a", 1), ("b", 2)), _f()],
    ),
    "async: a write that is lost": (
        _OPEN + """        await db.execute("UPDATE jobs SET title = 'q' WHERE id = 1")\n""",
        [_f()],
    ),
    "holes: two lists": (
        """def f(first, second):
    conn = open_db()
    m = ",".join("?" for _ in first)
    n = ",".join("?" for _ in second)
    sql = f"SELECT ticket FROM jobs WHERE id IN ({m}) OR stage IN ({n}) ORDER BY id"
    rows = conn.execute(sql, [*first, *second]).fetchall()
    conn.close()
    return [r[0] for r in rows]
""",
        [_f([1], [2]), _f([], [4]), _f([1], []), _f([None], ["2"])],
    ),
    "holes: a list that a column may not hold": (
        """def f(marks):
    conn = open_db()
    holders = ", ".join(["?"] * len(marks))
    rows = conn.execute("SELECT ticket FROM jobs WHERE customer NOT IN (" + holders + ") ORDER BY id", marks)
    return [r[0] for r in rows]
""",
        [_f(["Ada"]), _f([]), _f([None])],
    ),
    "holes: a flag's list": (
        """def f(flags):
    conn = open_db()
    holders = ", ".join(["?"] * len(flags))
    rows = conn.execute("SELECT ticket FROM jobs WHERE rush IN (" + holders + ") ORDER BY id", flags).fetchall()
    conn.close()
    return [r[0] for r in rows]
""",
        [_f([1]), _f([True, 0]), _f(["1"]), _f([5])],
    ),
    "holes: quoted values of other types": (
        """def f(stage, day, rush):
    conn = open_db()
    rows = conn.execute(
        f"SELECT ticket FROM jobs WHERE stage = '{stage}' OR passed_at > '{day}' OR rush = '{rush}' ORDER BY id"
    ).fetchall()
    conn.close()
    return [r[0] for r in rows]
""",
        [_f(2, "x", 7), _f("2", "2024-03-01", True), _f(None, None, None), _f(2.0, "", "1")],
    ),
    "holes: a percent sign and braces": (
        """def f(word):
    conn = open_db()
    rows = conn.execute("SELECT ticket FROM jobs WHERE title LIKE '%%%s%%' ORDER BY id" % word).fetchall()
    rows += conn.execute(f"SELECT ticket FROM jobs WHERE title = '{{{word}}}'").fetchall()
    conn.close()
    return [r[0] for r in rows]
""",
        [_f("o"), _f(""), _f(5)],
    ),
    "JSON that is passed on": (
        """def f():
    conn = open_db()
    row = conn.execute("SELECT marks FROM jobs WHERE id = 2").fetchone()
    conn.execute("UPDATE jobs SET marks = ? WHERE id = 1", (row[0],))
    for marks, number in conn.execute("SELECT marks, id FROM jobs ORDER BY id").fetchall():
        conn.execute("UPDATE jobs SET title = ? WHERE id = ?", (marks or "none", number))
    conn.commit()
    conn.close()
""",
        [_f()],
    ),
    "text in double quotes": (
        """def f(ticket):
    conn = open_db()
    row = conn.execute('SELECT title FROM jobs WHERE title = "two" AND ticket = ?', (ticket,)).fetchone()
    conn.execute('UPDATE jobs SET title = "ticket", ticket = "new" WHERE ticket IN ("T-3", "none")')
    conn.commit()
    conn.close()
    return row and row[0]
""",
        [_f("T-2"), _f("T-1")],
    ),
    "a name of a WITH in double quotes": (
        """def f():
    conn = open_db()
    sql = 'WITH t ("n") AS (SELECT id FROM jobs) SELECT jobs.title FROM jobs JOIN t ON "n" = jobs.id WHERE "n" = 1'
    row = conn.execute(sql).fetchone()
    conn.close()
    return row[0]
""",
        [_f()],
    ),
    "a use that never runs, behind the close": (
        """def f():
    conn = open_db()
    titles = [row[0] for row in conn.execute("SELECT title FROM jobs ORDER BY id").fetchall()]
    conn.close()
    more = conn.execute("SELECT id FROM jobs").fetchall() if False else []
    return titles, more
""",
        [_f()],
    ),
}


def _after(text: str) -> str:
    files = {**PROJECT, "app/jobs.py": text}
    index = link(read_facts(Source(path, held)) for path, held in files.items())
    outcome = plan_file(Source("app/jobs.py", text), index, Settings(unsafe=True, codemods=(CODEMOD.id,)))
    assert isinstance(outcome, Planned), outcome
    again = plan_file(outcome.after, index, Settings(unsafe=True, codemods=(CODEMOD.id,)))
    assert not isinstance(again, Planned)
    return outcome.after.text


@pytest.mark.parametrize("name", list(_SAME))
def test_before_and_after_do_the_same(world: World, name: str) -> None:
    body, calls = _SAME[name]
    before, after = _HEAD + body, _after(_HEAD + body)
    for call in calls:
        old, new = world.run(before, call), world.run(after, call)
        assert repr(new.result) == repr(old.result)
        assert type(new.error).__name__ == type(old.error).__name__
        assert new.rows == old.rows


_CONSTANT = """Q = "SELECT id FROM jobs"


def f():
    conn = open_db()
    rows = conn.execute(Q).fetchall()
    conn.close()
    return [row[0] for row in rows]
"""
_STAYS = {
    "a query for what is in double quotes": (
        """def f():
    conn = open_db()
    rows = conn.execute('SELECT "nothing" FROM jobs ORDER BY id').fetchall()
    conn.close()
    return len(rows)
""",
        "column-not-mapped",
    ),
    "a name in other quotes": (
        """def f():
    conn = open_db()
    row = conn.execute("SELECT id FROM jobs WHERE title = [two]").fetchone()
    conn.close()
    return row[0]
""",
        "column-not-mapped",
    ),
    "a use behind the close": (
        """def f(again):
    conn = open_db()
    conn.close()
    return conn.execute("SELECT id FROM jobs").fetchall() if again else []
""",
        "unclear-connection",
    ),
    "an async loop that commits": (
        _OPEN
        + """        async with db.execute("SELECT id FROM jobs ORDER BY id") as cur:
            async for row in cur:
                await db.execute("UPDATE jobs SET count = count + 1 WHERE id = ?", (row[0],))
                await db.commit()
""",
        "commit-before-fetch",
    ),
    "an async loop, and a fetch before it": (
        _OPEN
        + """        cursor = await db.execute("SELECT ticket FROM jobs ORDER BY id")
        first = await cursor.fetchone()
        return first[0], [row[0] async for row in cursor]
""",
        "unclear-cursor",
    ),
    "a call that is awaited later": (
        _OPEN + """        cursor = db.execute("SELECT COUNT(*) FROM jobs")\n        return await cursor\n""",
        "connection-escapes",
    ),
    "placeholders counted before a list is cut": (
        """def f(ids):
    conn = open_db()
    marks = ",".join("?" for _ in ids)
    ids.pop()
    rows = conn.execute(f"SELECT id FROM jobs WHERE id IN ({marks})", ids).fetchall()
    conn.close()
    return [row[0] for row in rows]
""",
        "parameters-unknown",
    ),
    "placeholders counted before a list is handed on": (
        """def f(ids):
    conn = open_db()
    marks = ",".join("?" for _ in ids)
    more(ids)
    rows = conn.execute(f"SELECT id FROM jobs WHERE id IN ({marks})", ids).fetchall()
    conn.close()
    return [row[0] for row in rows]
""",
        "parameters-unknown",
    ),
    "placeholders counted before the name is bound anew": (
        """def f(ids):
    conn = open_db()
    marks = ",".join("?" for _ in ids)
    ids = set(ids)
    rows = conn.execute(f"SELECT id FROM jobs WHERE id IN ({marks})", tuple(ids)).fetchall()
    conn.close()
    return [row[0] for row in rows]
""",
        "parameters-unknown",
    ),
    "an attribute that a subclass binds too": (
        """class First:
    Q = "SELECT id FROM jobs WHERE stage = ?"

    def f(self, x):
        conn = open_db()
        rows = conn.execute(self.Q, (x,)).fetchall()
        conn.close()
        return [row[0] for row in rows]


class Second(First):
    Q = "SELECT id FROM jobs WHERE stage <> ?"
""",
        "dynamic-sql",
    ),
    "an attribute that setattr may bind": (
        """class First:
    Q = "SELECT id FROM jobs WHERE stage = ?"

    def f(self, x):
        conn = open_db()
        rows = conn.execute(self.Q, (x,)).fetchall()
        conn.close()
        return [row[0] for row in rows]

    def g(self, name, value):
        setattr(self, name, value)
""",
        "dynamic-sql",
    ),
    "a text that is bound on one way": (
        """def f(x):
    conn = open_db()
    if x:
        sql = "SELECT id FROM jobs"
    try:
        rows = conn.execute(sql).fetchall()
    except UnboundLocalError:
        return "unbound"
    finally:
        conn.close()
    return [row[0] for row in rows]
""",
        "dynamic-sql",
    ),
    "a text that is bound in a loop": (
        """def f(xs):
    conn = open_db()
    for x in xs:
        sql = "SELECT id FROM jobs"
    rows = conn.execute(sql).fetchall()
    conn.close()
    return [row[0] for row in rows]
""",
        "dynamic-sql",
    ),
    "a text that is bound where an error is caught": (
        """def f(x):
    conn = open_db()
    try:
        n = int(x)
        sql = "SELECT id FROM jobs"
    except ValueError:
        n = 0
    rows = conn.execute(sql).fetchall()
    conn.close()
    return n, [row[0] for row in rows]
""",
        "dynamic-sql",
    ),
    "a text that a with binds": (
        """def f(x):
    conn = open_db()
    sql = "SELECT id FROM jobs WHERE stage = 1"
    with x as sql:
        pass
    rows = conn.execute(sql).fetchall()
    conn.close()
    return [row[0] for row in rows]
""",
        "dynamic-sql",
    ),
    "a text that a match binds": (
        """def f(x):
    conn = open_db()
    sql = "SELECT id FROM jobs WHERE stage = 1"
    match x:
        case [sql]:
            pass
    rows = conn.execute(sql).fetchall()
    conn.close()
    return [row[0] for row in rows]
""",
        "dynamic-sql",
    ),
    "a text that a handler binds": (
        """def f(x):
    conn = open_db()
    sql = "SELECT id FROM jobs WHERE stage = 1"
    try:
        x()
    except ValueError as sql:
        pass
    rows = conn.execute(sql).fetchall()
    conn.close()
    return [row[0] for row in rows]
""",
        "dynamic-sql",
    ),
    "a text that a test binds": (
        """def f(x):
    conn = open_db()
    sql = "SELECT id FROM jobs WHERE stage = 1"
    if x and (sql := x):
        pass
    rows = conn.execute(sql).fetchall()
    conn.close()
    return [row[0] for row in rows]
""",
        "dynamic-sql",
    ),
    "a text that another function binds": (
        """def f(x):
    conn = open_db()
    sql = "SELECT id FROM jobs WHERE stage = 1"

    def g():
        nonlocal sql
        sql = x

    g()
    rows = conn.execute(sql).fetchall()
    conn.close()
    return [row[0] for row in rows]
""",
        "dynamic-sql",
    ),
    "a constant that a loop binds too": (
        _CONSTANT + "for Q in [x]:\n    pass\n",
        "dynamic-sql",
    ),
    "a constant that a with binds too": (
        _CONSTANT + "with x as Q:\n    pass\n",
        "dynamic-sql",
    ),
    "a constant that an import binds too": (
        _CONSTANT + "import os as Q\n",
        "dynamic-sql",
    ),
    "a constant that a handler binds too": (
        _CONSTANT + "try:\n    pass\nexcept ValueError as Q:\n    pass\n",
        "dynamic-sql",
    ),
    "a constant that a function binds too": (
        _CONSTANT + "def Q():\n    pass\n",
        "dynamic-sql",
    ),
    "a constant that is bound on one way": (
        _CONSTANT.replace('Q = "SELECT id FROM jobs"', 'if x:\n    Q = "SELECT id FROM jobs"'),
        "dynamic-sql",
    ),
    "a text that is bound where errors are kept back": (
        """class Quiet:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return True


def f(x):
    conn = open_db()
    sql = "SELECT id FROM jobs WHERE stage = 1"
    with Quiet():
        n = int(x)
        sql = "SELECT id FROM jobs WHERE stage = 2"
    rows = conn.execute(sql).fetchall()
    conn.close()
    return n, [row[0] for row in rows]
""",
        "dynamic-sql",
    ),
    "a text that is bound where errors are suppressed": (
        """def f(x):
    conn = open_db()
    with contextlib.suppress(ValueError):
        n = int(x)
        sql = "SELECT id FROM jobs WHERE stage = 2"
    rows = conn.execute(sql).fetchall()
    conn.close()
    return n, [row[0] for row in rows]
""",
        "dynamic-sql",
    ),
    "a list that another name changes": (
        """def f(ids):
    conn = open_db()
    other = ids
    marks = ",".join("?" * len(ids))
    other.append(3)
    rows = conn.execute(f"SELECT id FROM jobs WHERE id IN ({marks})", ids).fetchall()
    conn.close()
    return [row[0] for row in rows]
""",
        "parameters-unknown",
    ),
    "a list that a nested function changes": (
        """def f(ids):
    conn = open_db()

    def grow():
        ids.append(3)

    marks = ",".join("?" * len(ids))
    grow()
    rows = conn.execute(f"SELECT id FROM jobs WHERE id IN ({marks})", ids).fetchall()
    conn.close()
    return [row[0] for row in rows]
""",
        "parameters-unknown",
    ),
    "a list of the module that a function changes": (
        """IDS = [1]


def grow():
    IDS.append(3)


def f():
    conn = open_db()
    marks = ",".join("?" * len(IDS))
    grow()
    rows = conn.execute(f"SELECT id FROM jobs WHERE id IN ({marks})", IDS).fetchall()
    conn.close()
    return [row[0] for row in rows]
""",
        "parameters-unknown",
    ),
    "a list of an object that a method changes": (
        """def f(self):
    conn = open_db()
    marks = ",".join("?" * len(self.ids))
    self.more()
    rows = conn.execute(f"SELECT id FROM jobs WHERE id IN ({marks})", self.ids).fetchall()
    conn.close()
    return [row[0] for row in rows]
""",
        "parameters-unknown",
    ),
    "a list that two calls give": (
        """def f(ids):
    conn = open_db()
    marks = ",".join("?" * len(ids()))
    rows = conn.execute(f"SELECT id FROM jobs WHERE id IN ({marks})", ids()).fetchall()
    conn.close()
    return [row[0] for row in rows]
""",
        "parameters-unknown",
    ),
    "a part of a text under NOT": (
        """def f(x):
    conn = open_db()
    where = "stage = 1" if x else "stage = 2"
    rows = conn.execute(f"SELECT id FROM jobs WHERE NOT ({where})").fetchall()
    conn.close()
    return [row[0] for row in rows]
""",
        "dynamic-sql",
    ),
    "lists in another order than their placeholders": (
        """def f(a, b):
    conn = open_db()
    m, n = 0, 1
    sql = f"DELETE FROM jobs WHERE id IN ({','.join('?' * len(a))}) OR stage IN ({','.join('?' * len(b))})"
    conn.execute(sql, [*b, *a])
    conn.commit()
    conn.close()
""",
        "parameters-unknown",
    ),
}


@pytest.mark.parametrize("name", list(_STAYS))
def test_stays(name: str) -> None:
    body, reason = _STAYS[name]
    files = {**PROJECT, "app/jobs.py": _HEAD + body}
    index = link(read_facts(Source(path, held)) for path, held in files.items())
    source = Source("app/jobs.py", _HEAD + body)
    outcome = plan_file(source, index, Settings(unsafe=True, codemods=(CODEMOD.id,)))
    assert not isinstance(outcome, Planned)
    assert [s.reason.code for s in getattr(outcome, "sites", ()) if s.reason] == [reason]


def test_a_row_that_another_function_binds_is_read_by_its_place() -> None:
    body = """def f(x):
    conn = open_db()
    row = conn.execute("SELECT id, title FROM jobs").fetchone()

    def g():
        nonlocal row
        row = x

    g()
    conn.close()
    return row[1]
"""
    files = {**PROJECT, "app/jobs.py": _HEAD + body}
    index = link(read_facts(Source(path, held)) for path, held in files.items())
    source = Source("app/jobs.py", _HEAD + body)
    outcome = plan_file(source, index, Settings(unsafe=True, codemods=(CODEMOD.id,)))
    assert isinstance(outcome, Planned)
    assert "return row[1]" in outcome.after.text


_GLOBAL = """X = 1


def change():
    global X
    X = 2


def f():
    conn = open_db()
    params = [X]
    change()
    rows = conn.execute("SELECT id FROM jobs WHERE stage = ?", params).fetchall()
    conn.close()
    return [row[0] for row in rows]
"""
_NESTED = """def f(x):
    conn = open_db()
    params = [x]

    def change():
        params[0] = 2

    change()
    rows = conn.execute("SELECT id FROM jobs WHERE stage = ?", params).fetchall()
    conn.close()
    return [row[0] for row in rows]
"""


@pytest.mark.parametrize("body", [_GLOBAL, _NESTED], ids=["a global", "a nested function"])
def test_parameters_that_change_are_read_where_they_are_passed(body: str) -> None:
    files = {**PROJECT, "app/jobs.py": _HEAD + body}
    index = link(read_facts(Source(path, held)) for path, held in files.items())
    source = Source("app/jobs.py", _HEAD + body)
    outcome = plan_file(source, index, Settings(unsafe=True, codemods=(CODEMOD.id,)))
    assert isinstance(outcome, Planned)
    assert "Job.stage == params[0]" in outcome.after.text
