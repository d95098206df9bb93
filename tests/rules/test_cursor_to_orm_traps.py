"""Traps of raw cursors: each run on a real database before and after a default run, or seen to stay with its reason."""

from collections.abc import Callable
from typing import Any

import pytest
from ormlift.model import Planned, Settings, SiteReport, Source, Status
from ormlift.plan import plan_file
from ormlift.project.facts import read_facts
from ormlift.project.index import link
from ormlift.rules.examples.cursor_to_orm import PROJECT

from tests.rules.test_cursor_to_orm_runs import World, world

__all__ = ["world"]

HEAD = "import sqlite3\nfrom app.db import DB_PATH, db_session, open_db\n\n\n"


def plan(text: str, *, unsafe: bool = False, **others: str) -> tuple[str, tuple[SiteReport, ...]]:
    """The text after a run of every codemod, and its sites."""
    files = {**PROJECT, "app/jobs.py": HEAD + text, **{f"app/{n}.py": t for n, t in others.items()}}
    index = link(read_facts(Source(path, held)) for path, held in files.items())
    outcome = plan_file(Source("app/jobs.py", HEAD + text), index, Settings(unsafe=unsafe))
    after = outcome.after.text if isinstance(outcome, Planned) else HEAD + text
    return after, tuple(getattr(outcome, "sites", ()))


STAYS: dict[str, tuple[str, str]] = {
    "the cursor of a loop executes again in it": (
        """
def f():
    conn = open_db()
    cur = conn.cursor()
    cur.execute("SELECT id, title FROM jobs")
    for row in cur:
        cur.execute("UPDATE jobs SET title = ? WHERE id = ?", (row[1] + "!", row[0]))
    conn.commit()
    conn.close()
""",
        "unclear-cursor",
    ),
    "the cursor of a loop over its execute executes again in it": (
        """
def f():
    conn = open_db()
    cur = conn.cursor()
    for row in cur.execute("SELECT id, title FROM jobs"):
        cur.execute("UPDATE jobs SET title = ? WHERE id = ?", (row[1] + "!", row[0]))
    conn.commit()
    conn.close()
""",
        "unclear-cursor",
    ),
    "the cursor of an enumerated loop executes again in a function of it": (
        """
def f():
    conn = open_db()
    cur = conn.cursor()
    cur.execute("SELECT id, title FROM jobs")
    for n, row in enumerate(cur):
        if n:
            cur.execute("SELECT stage FROM jobs WHERE id = ?", (row[0],)).fetchone()
    conn.close()
""",
        "unclear-cursor",
    ),
    "a comprehension over a cursor that executes again in it": (
        """
def f():
    conn = open_db()
    cur = conn.cursor()
    cur.execute("SELECT id FROM jobs")
    found = [cur.execute("SELECT title FROM jobs WHERE id = ?", (row[0],)).fetchone() for row in cur]
    conn.close()
    return len(found)
""",
        "unclear-cursor",
    ),
    "what an execute returned is its cursor, which has executed again": (
        """
def f():
    conn = open_db()
    cur = conn.cursor()
    res = cur.execute("SELECT id FROM jobs")
    cur.execute("SELECT title FROM jobs")
    rows = res.fetchall()
    conn.close()
    return rows[0][0]
""",
        "unclear-cursor",
    ),
    "a generator over a cursor that executes again later": (
        """
def f():
    conn = open_db()
    cur = conn.cursor()
    cur.execute("SELECT id FROM jobs")
    ids = (row[0] for row in cur)
    cur.execute("UPDATE jobs SET stage = 1")
    found = list(ids)
    conn.commit()
    conn.close()
    return found
""",
        "unclear-cursor",
    ),
    "a value looked for in a row by name": (
        """
def f():
    conn = open_db()
    conn.row_factory = sqlite3.Row
    row = conn.execute("SELECT title FROM jobs WHERE id = 1").fetchone()
    conn.close()
    return "one" in row
""",
        "row-use",
    ),
    "rows fetched without saying how many": (
        """
def f():
    conn = open_db()
    cur = conn.cursor()
    cur.execute("SELECT id FROM jobs")
    rows = cur.fetchmany()
    conn.close()
    return len(rows)
""",
        "unclear-cursor",
    ),
    "a parameter that ORDER BY 1 writes again": (
        """
def f(stack):
    conn = open_db()
    rows = conn.execute("SELECT stage + ? FROM jobs ORDER BY 1", (stack.pop(),)).fetchall()
    conn.close()
    return [r[0] for r in rows]
""",
        "parameters-unknown",
    ),
    "locals called as the model and its module": (
        """
def f(ticket):
    Job = models = "job"
    conn = open_db()
    row = conn.execute("SELECT title FROM jobs WHERE ticket = ?", (ticket,)).fetchone()
    conn.close()
    return Job, row[0]
""",
        "name-taken",
    ),
    "a parameter of the enclosing function called select": (
        """
def f(select):
    def g():
        conn = open_db()
        row = conn.execute("SELECT title FROM jobs WHERE id = 1").fetchone()
        conn.close()
        return row[0]

    return select, g()
""",
        "name-taken",
    ),
    "a comprehension's variables called as the model and its module": (
        """
def f():
    conn = open_db()
    found = [conn.execute("SELECT title FROM jobs WHERE id = ?", (Job,)).fetchone()[0] for Job in [1] for models in "a"]
    conn.close()
    return found
""",
        "name-taken",
    ),
}


@pytest.mark.parametrize("name", list(STAYS))
def test_stays_also_with_unsafe(name: str) -> None:
    text, reason = STAYS[name]
    after, sites = plan(text, unsafe=True)
    assert after == HEAD + text
    assert {site.reason.code for site in sites if site.reason} == {reason}
    assert len({(site.codemod, site.line) for site in sites}) == len(sites)


TOLD: dict[str, tuple[str, str]] = {
    "a row bound to a global": (
        """
LAST = None


def f():
    global LAST
    conn = open_db()
    LAST = conn.execute("SELECT title FROM jobs").fetchone()
    conn.close()
""",
        "row-leaves",
    ),
    "a row bound to a variable of the enclosing function": (
        """
def f():
    last = None

    def g():
        nonlocal last
        conn = open_db()
        last = conn.execute("SELECT title FROM jobs").fetchone()
        conn.close()

    g()
    return last
""",
        "row-leaves",
    ),
    "a date bound to a global": (
        """
LAST = None


def f():
    global LAST
    conn = open_db()
    LAST = conn.execute("SELECT passed_at FROM jobs").fetchone()[0]
    conn.close()
""",
        "result-type",
    ),
    "a date unpacked to an attribute": (
        """
def f(kept):
    conn = open_db()
    for kept.ticket, kept.at in conn.execute("SELECT ticket, passed_at FROM jobs").fetchall():
        print(kept)
    conn.close()
""",
        "result-type",
    ),
    "a date unpacked to a starred variable": (
        """
def f():
    conn = open_db()
    ticket, *rest = conn.execute("SELECT ticket, passed_at FROM jobs").fetchone()
    conn.close()
    return rest
""",
        "result-type",
    ),
    "a SELECT behind a write that nothing commits": (
        """
def f():
    conn = open_db()
    conn.execute("UPDATE jobs SET stage = 77 WHERE id = 1")
    found = conn.execute("SELECT COUNT(*) FROM jobs WHERE stage = 77").fetchone()[0]
    conn.close()
    return found
""",
        "commit-at-exit",
    ),
    "a commit, a write and a SELECT in a loop": (
        """
def f():
    conn = open_db()
    for n in range(2):
        conn.commit()
        conn.execute("UPDATE jobs SET stage = ? WHERE id = 1", (n,))
        conn.execute("SELECT stage FROM jobs").fetchone()
    conn.close()
""",
        "commit-at-exit",
    ),
    "parameters that are taken from one place": (
        """
def f(it):
    conn = open_db()
    conn.execute("UPDATE jobs SET stage = ? WHERE id = ?", (next(it), next(it)))
    conn.commit()
    conn.close()
""",
        "evaluation-order",
    ),
    "a loop that inserts what it reads": (
        """
def f():
    conn = open_db()
    for (ident,) in conn.execute("SELECT id FROM jobs"):
        conn.execute("DELETE FROM jobs WHERE id = ?", (ident + 1,))
    conn.commit()
    conn.close()
""",
        "reads-ahead",
    ),
    "a handler that gives the error's text away": (
        """
def f():
    conn = open_db()
    try:
        return conn.execute("SELECT title FROM jobs").fetchone()[0]
    except Exception as e:
        print(e)
        return f"{type(e).__name__}: {e}"
    finally:
        conn.close()
""",
        "driver-exception",
    ),
    "a write of its own that fails and is caught": (
        """
def f(other):
    conn = sqlite3.connect(DB_PATH, isolation_level=None)
    try:
        conn.execute("INSERT INTO jobs (id, ticket, title, stage, rush, count) VALUES (1, 'a', 'b', 1, 1, 1)")
    except Exception:
        pass
    other()
    conn.execute("SELECT stage FROM jobs").fetchone()
    conn.close()
""",
        "autocommit",
    ),
    "a connection that others use": (
        """
_conn = None


def shared():
    global _conn
    if _conn is None:
        _conn = open_db()
    return _conn


def f(ticket):
    conn = shared()
    row = conn.execute("SELECT title FROM jobs WHERE ticket = ?", (ticket,)).fetchone()
    return row[0]
""",
        "shared-connection",
    ),
}


@pytest.mark.parametrize("name", list(TOLD))
def test_is_told(name: str) -> None:
    text, effect = TOLD[name]
    after, sites = plan(text, unsafe=True)
    assert after != HEAD + text
    assert effect in {e.code for site in sites for e in site.effects}
    assert plan(text)[0] == HEAD + text


SAME: dict[str, tuple[str, list[tuple[Any, ...]]]] = {
    "a row fetched in a try of its own": (
        """
def f(ident):
    conn = open_db()
    cur = conn.cursor()
    cur.execute("SELECT title, id FROM jobs WHERE id = ?", (ident,))
    try:
        return cur.fetchone()[0]
    except TypeError:
        return "miss"
    finally:
        conn.close()
""",
        [(1,), (77,)],
    ),
    "a row fetched in another block, by name": (
        """
def f(ident):
    conn = open_db()
    conn.row_factory = sqlite3.Row
    cur = conn.cursor()
    cur.execute("SELECT title, id FROM jobs WHERE id = ?", (ident,))
    if ident:
        found = cur.fetchone()["title"]
    conn.close()
    return found
""",
        [(1,), (2,)],
    ),
    "a row or a tuple": (
        """
def f(ident):
    conn = open_db()
    first = (conn.execute("SELECT id, title FROM jobs WHERE id = ?", (ident,)).fetchone() or (0, "none"))[1]
    row = conn.execute("SELECT id, title FROM jobs WHERE id = ?", (ident,)).fetchone() or (0, "none")
    other = conn.execute("SELECT id, title FROM jobs WHERE id = ?", (ident,)).fetchone() if ident else (1, 2)
    pair = other if other else ("a", "b")
    conn.close()
    return first, row[1], other and other[1], pair[1]
""",
        [(1,), (77,), (0,)],
    ),
    "a parameter that is selected": (
        """
def f(value):
    conn = open_db()
    row = conn.execute("SELECT ?, id FROM jobs", (value,)).fetchone()
    conn.close()
    return row[0]
""",
        [(True,), (3,), (None,), ("x",)],
    ),
    "dates and JSON used as the text they were": (
        """
import json


def f(ident):
    conn = open_db()
    row = conn.execute("SELECT passed_at, marks, title FROM jobs WHERE id = ?", (ident,)).fetchone()
    conn.close()
    return row[0][:10], row[0].replace("-", ""), "at " + row[0], json.loads(row[1] or "{}"), row[2].split()
""",
        [(2,), (3,)],
    ),
    "no row, and a handler that knows": (
        """
def f(ident):
    conn = open_db()
    row = conn.execute("SELECT title FROM jobs WHERE id = ?", (ident,)).fetchone()
    conn.close()
    try:
        return row[0]
    except TypeError:
        return "miss"
""",
        [(1,), (77,)],
    ),
    "any value into a boolean": (
        """
def f(flag):
    conn = open_db()
    conn.execute("UPDATE jobs SET rush = ? WHERE id = 1", (flag,))
    conn.commit()
    row = conn.execute("SELECT id FROM jobs WHERE rush = ? ORDER BY id", (flag,)).fetchone()
    conn.close()
    return row[0] if row else None
""",
        [("yes",), (2,), (True,), (0,), ("",), (1.5,)],
    ),
    "a number that is no flag": (
        """
def f():
    conn = open_db()
    conn.execute("UPDATE jobs SET rush = 2 WHERE id = 1")
    conn.commit()
    found = conn.execute("SELECT COUNT(*) FROM jobs WHERE rush = 2").fetchone()[0]
    conn.close()
    return found
""",
        [()],
    ),
    "JSON compared with what may be None": (
        """
def f(mark):
    conn = open_db()
    rows = conn.execute("SELECT id FROM jobs WHERE marks = ?", (mark,)).fetchall()
    more = conn.execute("SELECT id FROM jobs WHERE marks IN (?, ?)", (mark, "{}")).fetchall()
    other = conn.execute("SELECT id FROM jobs WHERE marks <> ?", (mark,)).fetchall()
    conn.close()
    return [r[0] for r in rows], [r[0] for r in more], [r[0] for r in other]
""",
        [(None,), ("null",), ('{"x": 1}',), (3,)],
    ),
    "a handler that logs the error and raises it": (
        """
def f():
    conn = open_db()
    try:
        return conn.execute("SELECT title FROM jobs").fetchone()[0]
    except Exception as e:
        print(f"no: {e}")
        raise RuntimeError("no") from e
    finally:
        conn.close()
""",
        [()],
    ),
    "a loop over all rows of a cursor that executes again": (
        """
def f():
    conn = open_db()
    cur = conn.cursor()
    cur.execute("SELECT id, title FROM jobs")
    for row in cur.fetchall():
        cur.execute("UPDATE jobs SET title = ? WHERE id = ?", (row[1] + "!", row[0]))
    conn.commit()
    conn.close()
""",
        [()],
    ),
}


@pytest.mark.parametrize("name", list(SAME))
def test_is_safe_and_does_the_same(world: World, name: str) -> None:
    text, calls = SAME[name]
    after, sites = plan(text)
    assert {site.status for site in sites} == {Status.REWRITTEN}, sites
    assert not [e for site in sites for e in site.effects]
    for arguments in calls:
        call: Callable[[Any], Any] = lambda space, a=arguments: space["f"](*a)  # noqa: E731
        raw, new = world.run(HEAD + text, call), world.run(after, call)
        assert (raw.error is None) == (new.error is None), (raw.error, new.error)
        assert repr(new.result) == repr(raw.result)
        assert new.rows == raw.rows


EXPRESSIONS = (
    "SELECT passed_at || '' FROM jobs",
    "SELECT rush || 'x' FROM jobs",
    "SELECT CASE WHEN id = 1 THEN rush ELSE 7 END FROM jobs",
    "SELECT (stage > 2) + 1 FROM jobs",
    "SELECT SUM(rush), SUM(stage > 1) FROM jobs",
    "SELECT COALESCE(rush, 5), COALESCE(passed_at, '-') FROM jobs",
    "SELECT CASE WHEN stage > 1 THEN stage > 2 ELSE 3 END FROM jobs",
    "SELECT upper(passed_at), rush & 1 FROM jobs",
)


@pytest.mark.parametrize("sql", EXPRESSIONS)
def test_a_value_is_not_converted_by_a_part_of_it(world: World, sql: str) -> None:
    text = f'''
def f():
    conn = open_db()
    rows = conn.execute("{sql}").fetchall()
    conn.close()
    return [tuple(row) for row in rows]
'''
    after, sites = plan(text)
    assert not [e for site in sites for e in site.effects]
    assert "session_scope" in after
    raw, new = world.run(HEAD + text, lambda s: s["f"]()), world.run(after, lambda s: s["f"]())
    assert raw.error is None
    assert repr(new.result) == repr(raw.result)


def test_rows_with_something_else_among_them_are_read_by_index(world: World) -> None:
    text = """
def f():
    conn = open_db()
    rows = conn.execute("SELECT id, title FROM jobs").fetchall()
    conn.close()
    rows.append((9, "x"))
    rows.insert(0, (8, "y"))
    return [r[1] for r in rows]
"""
    after, _ = plan(text, unsafe=True)
    raw, new = world.run(HEAD + text, lambda s: s["f"]()), world.run(after, lambda s: s["f"]())
    assert raw.error is None
    assert new.result == raw.result


def test_a_session_taken_for_a_connection_is_one_site() -> None:
    text = """
def f(ticket):
    conn = db_session()
    cursor = conn.cursor()
    cursor.execute("SELECT title FROM jobs WHERE ticket = ?", (ticket,))
    row = cursor.fetchone()
    conn.close()
    return row[0]
"""
    for unsafe in (False, True):
        changing = [s for s in plan(text, unsafe=unsafe)[1] if s.codemod in ("cursor-to-orm", "session-scope")]
        assert [s.codemod for s in changing] == ["cursor-to-orm"]


READER = """
from app.opener import get_conn


def add(ticket):
    conn = get_conn()
    conn.execute("UPDATE jobs SET title = 'x' WHERE ticket = ?", (ticket,))
    conn.commit()
    conn.close()
"""
OPENER = """
import sqlite3
from app.db import DB_PATH


def get_conn(path=DB_PATH):
    conn = sqlite3.connect(path)
    {}
    return conn
"""
CONFIGURED = Settings(codemods=("cursor-to-orm",), connections=("app.opener:get_conn",))


def opened_by(line: str, text: str = READER, **others: str) -> tuple[SiteReport, ...]:
    files = {**PROJECT, "app/opener.py": OPENER.format(line), "app/jobs.py": text}
    files |= {f"app/{name}.py": held for name, held in others.items()}
    index = link(read_facts(Source(path, held)) for path, held in files.items())
    outcome = plan_file(Source("app/jobs.py", text), index, CONFIGURED)
    return tuple(getattr(outcome, "sites", ()))


@pytest.mark.parametrize("line", ["pass", "conn.execute('PRAGMA journal_mode=WAL')", "conn.row_factory = sqlite3.Row"])
def test_a_plain_opener_is_safe(line: str) -> None:
    (site,) = opened_by(line)
    assert site.status is Status.REWRITTEN
    assert not site.effects


@pytest.mark.parametrize(
    ("line", "text", "expected"),
    [
        ("conn.text_factory = bytes", READER, "connection-setting"),
        ("conn.row_factory = lambda cursor, row: row[0]", READER, "connection-setting"),
        ("conn.execute('PRAGMA foreign_keys = ON')", READER, "connection-setup"),
        ("conn.create_function('upper', 1, str.lower)", READER, "connection-setup"),
        ("pass", READER.replace("get_conn()", "get_conn('other.db')"), "other-database"),
    ],
)
def test_an_opener_that_does_more_is_told(line: str, text: str, expected: str) -> None:
    (site,) = opened_by(line, text)
    assert site.status is Status.REFUSED
    assert site.reason is not None
    assert expected in {site.reason.code, *(e.code for e in site.effects)}


OPENS_ANOTHER = "\n\ndef other():\n    return get_conn({})\n"


@pytest.mark.parametrize(
    ("call", "other", "told"),
    [
        ("get_conn('old.db')", None, False),
        ("get_conn(path='old.db')", "path='old.db'", False),
        ("get_conn(path='old.db')", "'old.db'", False),
        ("get_conn('old.db')", "which()", False),
        ("get_conn('old.db')", "", True),
        ("get_conn(path='old.db')", "'new.db'", True),
        ("get_conn(which())", "'new.db'", True),
    ],
)
def test_an_opener_that_is_told_what_to_open_is_shown_as_written(call: str, other: str | None, told: bool) -> None:
    text = READER.replace("get_conn()", call) + (OPENS_ANOTHER.format(other) if other is not None else "")
    (site,) = opened_by("pass", text)
    (message,) = (e.message for e in site.effects if e.code == "other-database")
    assert message.startswith(f"{call} connects")
    assert ("other calls of it in this file open another one" in message) is told


def test_a_listener_on_the_engine_is_told() -> None:
    listener = "from sqlalchemy import event\nfrom app.db import engine\n\n\n@event.listens_for(engine, 'connect')\n"
    listener += "def on(connection, record):\n    connection.execute('PRAGMA foreign_keys = ON')\n"
    (site,) = opened_by("pass", events=listener)
    assert {e.code for e in site.effects} == {"connection-setup"}


def test_a_caller_in_another_file_that_catches_the_drivers_errors_is_told() -> None:
    caller = "import sqlite3\nfrom app import jobs\n\n\ndef g():\n    try:\n        jobs.add('T-1')\n"
    (site,) = opened_by("pass", caller=caller + "    except sqlite3.IntegrityError:\n        return 'dup'\n")
    assert {e.code for e in site.effects} == {"driver-exception"}
    (site,) = opened_by("pass", caller=caller + "    except ValueError:\n        return 'dup'\n")
    assert not site.effects
