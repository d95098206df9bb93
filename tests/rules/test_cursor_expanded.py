"""Calls of functions that run the SQL they are given: run on a real database before and after."""

from collections.abc import Callable
from typing import Any

import pytest
from ormlift.model import Planned, Status

from tests.rules.cursor_runs import World, planned, world

__all__ = ["world"]

Call = Callable[[Any], Any]
_HEAD = """import sqlite3

from app.db import DB_PATH, open_db


"""
_QUERY = """def query(sql, params=(), one=False):
    conn = open_db()
    cur = conn.cursor()
    cur.execute(sql, params)
    found = cur.fetchall()
    conn.close()
    if one:
        return found[0] if found else None
    return found


"""
_RUN = '''def run(sql, params=None, commit=True):
    """Run one statement, and give the new id."""
    conn = open_db()
    try:
        cur = conn.cursor()
        cur.execute(sql, params or ())
        if commit:
            conn.commit()
        return cur.lastrowid
    except Exception:
        conn.rollback()
        raise
    finally:
        conn.close()


'''
_INSERT = '"INSERT INTO jobs (ticket, title, stage, rush, count) VALUES (?, ?, 1, 0, 0)"'
_STORE = """class Store:
    def __init__(self):
        self.conn = open_db()

    def _fetch(self, sql, *args):
        cur = self.conn.cursor()
        cur.execute(sql, args)
        return cur.fetchall()

    def execute(self, sql, params=()):
        with sqlite3.connect(DB_PATH) as conn:
            return conn.execute(sql, params).rowcount

    @staticmethod
    def count(sql, params):
        conn = open_db()
        value = conn.execute(sql, params).fetchone()[0]
        conn.close()
        return value

"""
_DICTS = """def dicts(sql, params=()):
    conn = open_db()
    conn.row_factory = sqlite3.Row
    rows = [dict(row) for row in conn.execute(sql, params)]
    conn.close()
    return rows


"""
_MANY = """def many(sql, rows):
    conn = open_db()
    conn.executemany(sql, rows)
    conn.commit()
    conn.close()


"""
_SAME: dict[str, tuple[str, list[Call]]] = {
    "returned at once": (
        _QUERY
        + """def of_stage(stage):
    return query("SELECT ticket, title FROM jobs WHERE stage = ? ORDER BY id", (stage,))
""",
        [lambda s: [tuple(r) for r in s["of_stage"](2)], lambda s: s["of_stage"](None)],
    ),
    "one row, which an argument asks for": (
        _QUERY
        + """def job(n):
    row = query("SELECT id, title FROM jobs WHERE id = ?", (n,), one=True)
    if row is None:
        return {}
    return {"id": row[0], "title": row[1]}
""",
        [lambda s: s["job"](1), lambda s: s["job"](99)],
    ),
    "SQL and parameters in variables": (
        _QUERY
        + """def job(n):
    sql = "SELECT id, title FROM jobs WHERE id = ?"
    args = (n,)
    found = query(sql, args)
    return [(i, t) for i, t in found]
""",
        [lambda s: s["job"](1), lambda s: s["job"](99)],
    ),
    "a variable of the helper's that means something else here": (
        _QUERY
        + """def names(cur, found):
    rows = query("SELECT title FROM jobs WHERE stage = ? AND id > ? ORDER BY id", (cur, found))
    return [r[0] for r in rows], cur, found
""",
        [lambda s: s["names"](1, 0)],
    ),
    "the rows of a loop": (
        _QUERY
        + """def lines():
    out = []
    # each in turn
    for row in query("SELECT id, title FROM jobs ORDER BY id"):
        # written so
        out.append(f"{row[0]}: {row[1]}")
    return out
""",
        [lambda s: s["lines"]()],
    ),
    "in a comprehension, a subscript, a test": (
        _QUERY
        + """def titles():
    return [r[1] for r in query("SELECT id, title FROM jobs ORDER BY id")]


def first():
    title = query("SELECT title FROM jobs ORDER BY id")[0][0]
    return title


def any_rush():
    if query("SELECT 1 FROM jobs WHERE rush = 1"):
        return "yes"
    return "no"
""",
        [lambda s: s["titles"](), lambda s: s["first"](), lambda s: s["any_rush"]()],
    ),
    "a write with its new id, and one that nobody asks": (
        _RUN
        + f"""def add(ticket, title):
    new = run({_INSERT}, (ticket, title))
    return new


def stop():
    run("UPDATE jobs SET stage = 0 WHERE rush = 1")


def drop(n):
    run("DELETE FROM jobs WHERE id = ?", [n])
    return "dropped"
""",
        [lambda s: s["add"]("T-9", "nine"), lambda s: s["add"]("T-1", "again"), lambda s: s["stop"](),
         lambda s: s["drop"](2)],
    ),
    "caught around the call": (
        _RUN
        + f"""def add(ticket):
    try:
        run({_INSERT}, (ticket, "x"))
    except Exception as error:
        return type(error).__name__
    return "added"
""",
        [lambda s: s["add"]("T-9"), lambda s: s["add"]("T-1")],
    ),
    "methods of the same object": (
        _STORE
        + """    def titles(self, stage):
        return [r[0] for r in self._fetch("SELECT title FROM jobs WHERE stage = ? ORDER BY id", stage)]

    def move(self, ticket):
        moved = self.execute("UPDATE jobs SET stage = stage + 1 WHERE ticket = ?", (ticket,))
        return moved

    def how_many(self, stage):
        return self.count("SELECT COUNT(*) FROM jobs WHERE stage = ?", (stage,))
""",
        [lambda s: s["Store"]().titles(2), lambda s: s["Store"]().move("T-1"), lambda s: s["Store"]().how_many(2)],
    ),
    "dicts": (
        _DICTS
        + """def jobs(stage):
    return {"jobs": dicts("SELECT id, title FROM jobs WHERE stage = ? ORDER BY id", (stage,))}


def plain(stage):
    found = dicts("SELECT id, title FROM jobs WHERE stage = ? ORDER BY id", (stage,))
    return found
""",
        [lambda s: s["plain"](2), lambda s: s["jobs"](1)],
    ),
    "an attribute, an item, an annotated name": (
        _QUERY
        + """class Board:
    def load(self, kept):
        self.rows = query("SELECT id, title FROM jobs ORDER BY id")
        kept["first"] = query("SELECT title FROM jobs WHERE id = 1", one=True)
        count: int = query("SELECT COUNT(*) FROM jobs")[0][0]
        return [r[1] for r in self.rows], kept["first"][0], count
""",
        [lambda s: s["Board"]().load({})],
    ),
    "a choice that the arguments make": (
        """def ask(sql, params=None, fetch="all"):
    conn = open_db()
    if params is None:
        params = ()
    cur = conn.execute(sql, params)
    if fetch == "all":
        got = cur.fetchall()
    elif fetch == "one":
        got = cur.fetchone()
    else:
        conn.commit()
        got = cur.rowcount
    conn.close()
    return got


def titles():
    return [r[0] for r in ask("SELECT title FROM jobs ORDER BY id")]


def title(n):
    row = ask("SELECT title FROM jobs WHERE id = ?", (n,), fetch="one")
    return row[0] if row else "-"


def move(n):
    return ask("UPDATE jobs SET stage = stage + 1 WHERE id > ?", (n,), "none")
""",
        [lambda s: s["titles"](), lambda s: s["title"](2), lambda s: s["title"](99), lambda s: s["move"](1)],
    ),
    "many rows": (
        _MANY
        + f"""def load(pairs):
    many({_INSERT}, [(ticket, title) for ticket, title in pairs])
""",
        [lambda s: s["load"]([("T-8", "a"), ("T-9", "b")]), lambda s: s["load"]([])],
    ),
    "by keyword": (
        _QUERY
        + """def job(n):
    row = query(sql="SELECT title FROM jobs WHERE id = :n", params={"n": n}, one=True)
    return row and row[0]
""",
        [lambda s: s["job"](1), lambda s: s["job"](99)],
    ),
}  # fmt: skip
CASES = [(text, call) for text, calls in _SAME.values() for call in calls]
NAMES = [name for name, (_, calls) in _SAME.items() for _ in calls]


@pytest.mark.parametrize(("text", "call"), CASES, ids=NAMES)
def test_before_and_after_do_the_same(world: World, text: str, call: Call) -> None:
    outcome = planned(_HEAD + text)
    assert isinstance(outcome, Planned)
    after_text = outcome.after.text
    before, after = world.run(_HEAD + text, call), world.run(after_text, call)
    assert repr(after.result) == repr(before.result)
    kinds = {type(e).__name__ for e in (before.error, after.error)}
    assert len(kinds) == 1, (before.error, after.error)
    assert after.rows == before.rows
    assert "session.execute(" in after_text
    again = planned(after_text)
    assert not any(s.status is Status.REWRITTEN for s in getattr(again, "sites", ()))


_KEPT = """_conn = None


def get_db():
    global _conn
    if _conn is None:
        _conn = sqlite3.connect(DB_PATH)
    return _conn


"""
_UNNAMED: dict[str, tuple[str, list[Call]]] = {
    "a query at once": (
        """def titles(stage):
    return [r[0] for r in open_db().execute("SELECT title FROM jobs WHERE stage = ? ORDER BY id", (stage,)).fetchall()]


def count():
    return open_db().execute("SELECT COUNT(*) FROM jobs").fetchone()[0]
""",
        [lambda s: s["titles"](2), lambda s: s["count"]()],
    ),
    "a kept connection that is asked for at each use": (
        _KEPT
        + f"""def add(ticket):
    if get_db().execute("SELECT 1 FROM jobs WHERE ticket = ?", (ticket,)).fetchone() is not None:
        return None
    get_db().execute({_INSERT}, (ticket, "new"))
    get_db().commit()
    return ticket
""",
        [lambda s: s["add"]("T-9"), lambda s: s["add"]("T-1")],
    ),
    "a helper that uses it so": (
        _KEPT
        + """def query(sql, args=(), one=False):
    cur = get_db().execute(sql, args)
    found = cur.fetchall()
    cur.close()
    return (found[0] if found else None) if one else found


def title(n):
    row = query("SELECT title FROM jobs WHERE id = ?", (n,), one=True)
    return row[0] if row else None
""",
        [lambda s: s["title"](1), lambda s: s["title"](99)],
    ),
}


@pytest.mark.parametrize(
    ("text", "call"),
    [(text, call) for text, calls in _UNNAMED.values() for call in calls],
    ids=[name for name, (_, calls) in _UNNAMED.items() for _ in calls],
)
def test_connections_without_a_name(world: World, text: str, call: Call) -> None:
    test_before_and_after_do_the_same(world, text, call)


_UNNAMED_STAYS: dict[str, str] = {
    "a loop that opens another each time": """def job(n):
    turns = 0
    while open_db().execute("SELECT 1 FROM jobs WHERE id = ?", (n + turns,)).fetchone():
        turns += 1
    return turns
""",
    "a comprehension that opens another each time": """def job(n):
    return [open_db().execute("SELECT title FROM jobs WHERE id = ?", (i,)).fetchone() for i in range(n)]
""",
    "a connection asked for by what may change between": """_conn = None


def get_db(path):
    global _conn
    if _conn is None:
        _conn = sqlite3.connect(path)
    return _conn


def job(n):
    path = DB_PATH
    one = get_db(path).execute("SELECT title FROM jobs WHERE id = ?", (n,)).fetchone()
    path = None
    two = get_db(path).execute("SELECT stage FROM jobs WHERE id = ?", (n,)).fetchone()
    return one, two
""",
    "two connections, of which one writes": f"""def job(n):
    open_db().execute({_INSERT}, (f"T-{{n}}9", "x"))
    open_db().commit()
""",
    "a name for it as well": _KEPT
    + """def job(n):
    db = get_db()
    get_db().row_factory = sqlite3.Row
    row = get_db().execute("SELECT title FROM jobs WHERE id = ?", (n,)).fetchone()
    db.row_factory = None
    return row["title"]
""",
    "rows that are read one by one": _KEPT
    + """def job(n):
    out = []
    # in turn
    for row in get_db().execute("SELECT title FROM jobs WHERE id >= ?", (n,)):
        # a remark
        out.append(row[0])
    return out
""",
}


@pytest.mark.parametrize("text", _UNNAMED_STAYS.values(), ids=_UNNAMED_STAYS)
def test_connections_without_a_name_that_stay(world: World, text: str) -> None:
    test_stays_as_it_is(world, text)


def test_a_write_that_nobody_commits_is_told() -> None:
    """It was lost with its connection; the scope commits it."""
    text = f"{_HEAD}def add(ticket):\n    open_db().execute({_INSERT}, (ticket, 'x'))\n"
    outcome = planned(text)
    effects = [e.code for s in getattr(outcome, "sites", ()) for e in s.effects]
    assert "commit-at-exit" in effects


OTHER = "import sqlite3\n\nfrom app.db import open_db\n\n\n" + _QUERY + _RUN


@pytest.mark.parametrize(
    ("head", "query"),
    [
        ("from app.sql import query\n", "query"),
        ("from app import sql\n", "sql.query"),
        ("import app.sql as access\n", "access.query"),
        ("from app.sql import query as ask\n", "ask"),
    ],
)
def test_a_helper_of_another_file(world: World, head: str, query: str) -> None:
    text = f"""{head}

def job(n):
    row = {query}("SELECT id, title FROM jobs WHERE id = ?", (n,), one=True)
    return row[1] if row else None
"""
    (world.root / "app/sql.py").write_text(OTHER)
    outcome = planned(text, {"app/sql.py": OTHER})
    assert isinstance(outcome, Planned)
    assert "app.sql" not in outcome.after.text
    assert "open_db" not in outcome.after.text
    for n in (1, 99):
        before, after = (world.run(t, lambda s, n=n: s["job"](n)) for t in (text, outcome.after.text))
        assert before.result == after.result
        assert before.error is after.error is None


_ONE = """def job(n):
    row = query("SELECT title FROM jobs WHERE id = ?", (n,))
    return row
"""
_OPENED = """    conn = open_db()
    found = conn.execute(sql, params).fetchall()
    conn.close()
"""
STAYS: dict[str, str] = {
    "it handles errors": (
        """def query(sql, params=()):
    conn = open_db()
    try:
        return conn.execute(sql, params).fetchall()
    except sqlite3.Error as error:
        print(error)
        return []
    finally:
        conn.close()


"""
        + _ONE
    ),
    "it says what it runs": (
        """def query(sql, params=()):
    print(sql)
    conn = open_db()
    found = conn.execute(sql, params).fetchall()
    conn.close()
    return found


"""
        + _ONE
    ),
    "it returns early": (
        """def query(sql, params=()):
    conn = open_db()
    found = conn.execute(sql, params).fetchall()
    conn.close()
    for row in found:
        return row
    return None


"""
        + _ONE
    ),
    "it is decorated": (
        """def twice(f):
    return lambda *a: (f(*a), f(*a))[1]


@twice
def query(sql, params=()):
    conn = open_db()
    found = conn.execute(sql, params).fetchall()
    conn.close()
    return found


"""
        + _ONE
    ),
    "it gives rows one by one": """def query(sql, params=()):
    conn = open_db()
    yield from conn.execute(sql, params)
    conn.close()


def job(n):
    return list(query("SELECT title FROM jobs WHERE id = ?", (n,)))
""",
    "it gives the cursor": """def query(sql, params=()):
    conn = open_db()
    return conn.execute(sql, params)


def job(n):
    cur = query("SELECT title FROM jobs WHERE id = ?", (n,))
    return cur.fetchall()
""",
    "what it is given acts": (
        _QUERY
        + """CALLS = []


def key(n):
    CALLS.append(n)
    return n


def job(n):
    row = query("SELECT title FROM jobs WHERE id = ?", (key(n),))
    return row
"""
    ),
    "the call is not evaluated first": (
        _QUERY
        + """def job(n):
    return len(str(n)), query("SELECT title FROM jobs WHERE id = ?", (n,))
"""
    ),
    "the call may not be evaluated": (
        _QUERY
        + """def job(n):
    return n and query("SELECT title FROM jobs WHERE id = ?", (n,))
"""
    ),
    "a default is made anew each time": """def stage():
    return 1


def query(sql, params=(stage(),)):
    conn = open_db()
    found = conn.execute(sql, params).fetchall()
    conn.close()
    return found


def job(n):
    return query("SELECT title FROM jobs WHERE stage = ?")
""",
    "a name of its own is hidden around": _QUERY
    + """def around(open_db):
    def job(n):
        rows = query("SELECT title FROM jobs WHERE id = ?", (n,))
        return rows

    return job


job = around(None)
""",
    "a name of its own is hidden here": (
        _QUERY
        + """def job(open_db):
    return query("SELECT title FROM jobs WHERE id = ?", (open_db,))
"""
    ),
    "it may be another": (
        _QUERY
        + """if DB_PATH:
    def query(sql, params):
        return [params]


"""
        + _ONE
    ),
    "subclasses have their own": (
        _STORE
        + """    def move(self):
        return self.execute("UPDATE jobs SET stage = 3")


class Quiet(Store):
    def execute(self, sql, params=()):
        return -1


def job(n):
    return Quiet().move()
"""
    ),
}


@pytest.mark.parametrize("text", STAYS.values(), ids=STAYS)
def test_stays_as_it_is(world: World, text: str) -> None:
    outcome = planned(_HEAD + text)
    sites = getattr(outcome, "sites", ())
    assert sites
    assert not any(s.status is Status.REWRITTEN for s in sites), outcome
    assert world.run(_HEAD + text, lambda s: s["job"](1)).error is None  # it is a program


def test_a_helper_that_tests_replace_stays() -> None:
    text = _HEAD + _QUERY + _ONE
    test = 'from unittest.mock import patch\n\n\n@patch("app.jobs.query")\n'
    test += "def test_it(query):\n    query.return_value = []\n"
    outcome = planned(text, {"tests/test_jobs.py": test})
    assert not any(s.status is Status.REWRITTEN for s in getattr(outcome, "sites", ()))


def test_line_numbers_are_the_files_own() -> None:
    text = (
        _HEAD
        + _QUERY
        + """def of_stage(stage):
    found = query(
        "SELECT id, title FROM jobs WHERE stage = ?",
        (stage,),
    )
    other = stage
    return found, other
"""
    )
    outcome = planned(text)
    assert isinstance(outcome, Planned)
    (site,) = [s for s in outcome.sites if s.status is Status.REWRITTEN]
    lines = text.split("\n")
    assert "query(" in lines[site.line - 1]
    assert {"return found, other" in lines[e.line - 1] for e in site.effects if e.code == "row-leaves"} == {True}
