"""Statements that stay SQL beside others that become the ORM's: run before and after, or seen to keep a life raw."""

import sqlite3
from collections.abc import Callable
from typing import Any

import pytest
from ormlift.model import Planned, Settings, Source, Verdict
from ormlift.plan import plan_file
from ormlift.project.facts import read_facts
from ormlift.project.index import link
from ormlift.rules.cursor_to_orm import CODEMOD
from ormlift.rules.examples.cursor_kept import PROJECT

from tests.rules.cursor_runs import World, world
from tests.rules.test_cursor_servers import _DB, _MODELS, Server, server

__all__ = ["server", "world"]

_HEAD = "import sqlite3\n\nfrom app.db import open_db\n\n\n"
_NOTES = '    conn.execute("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, body TEXT, at TEXT)")\n'
_MAPPED = '    titles = [row[0] for row in conn.execute("SELECT title FROM jobs ORDER BY id").fetchall()]\n'
_END = "    conn.commit()\n    conn.close()\n"


def _function(body: str, returned: str = "titles", *, named: bool = False) -> str:
    rows = "    conn.row_factory = sqlite3.Row\n" if named else ""
    return f"def f(*args):\n    conn = open_db()\n{rows}{_MAPPED}{body}{_END}    return {returned}\n"


_SAME: dict[str, tuple[str, list[tuple[Any, ...]]]] = {
    "a query of the catalog": (
        _function(
            """    cur = conn.cursor()
    cur.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name = ?", args)
    there = cur.fetchone()
    if there:
        conn.execute("UPDATE jobs SET stage = 9 WHERE id = 1")
""".replace(", args)", ", (args[0],))"),
            "titles, there and there[0]",
        ),
        [("jobs",), ("none",), (None,)],
    ),
    "the columns of a table": (
        _function(
            """    cur = conn.cursor()
    cur.execute("PRAGMA table_info(jobs)")
    columns = [c[1] for c in cur.fetchall()]
    types = {row[1]: (row[2], row[3], row[-1]) for row in conn.execute("PRAGMA table_info(jobs)")}
""",
            "columns, types",
        ),
        [()],
    ),
    "columns by name": (
        _function(
            """    found = [(c["name"], c["type"], c["pk"]) for c in conn.execute("PRAGMA table_info(jobs)").fetchall()]
""",
            "found",
            named=True,
        ),
        [()],
    ),
    "a table that is not mapped": (
        _function(
            _NOTES
            + """    cur = conn.cursor()
    cur.execute("INSERT INTO notes (body, at) VALUES (?, strftime('%H:%M', '2024-01-01 10:20:30'))", (args[0],))
    made = cur.lastrowid
    cur.execute("UPDATE notes SET body = body || ? WHERE body LIKE '1%' OR id = ?", ("!", made))
    changed = cur.rowcount
    row = conn.execute("SELECT id, body, at FROM notes WHERE id = ?", (made,)).fetchone()
    conn.execute("UPDATE jobs SET title = ? WHERE id = 1", (row[1],))
    for each in conn.execute("SELECT * FROM notes"):
        titles.append(each[2])
    conn.execute("DROP TABLE notes")
""",
            "titles, made, changed, row[0], row[-1], len(row)",
        ),
        [("x",), ("1 % of 2",), ("größer",)],
    ),
    "rows of a table that is not mapped as dicts": (
        _function(
            _NOTES
            + """    conn.execute("INSERT INTO notes (body) VALUES (:body)", {"body": args[0]})
    rows = [dict(row) for row in conn.execute("SELECT * FROM notes").fetchall()]
    bodies = [row["body"] for row in conn.execute("SELECT body, at AS moment FROM notes")]
    conn.execute("DROP TABLE notes")
""",
            "rows, bodies",
            named=True,
        ),
        [("x",), (None,)],
    ),
    "values of rows that are passed on": (
        _function(
            _NOTES
            + """    for number, marks, at in conn.execute("SELECT id, marks, passed_at FROM jobs").fetchall():
        conn.execute("INSERT INTO notes (id, body, at) VALUES (?, ?, ?)", (number, marks, at))
    row = conn.execute("SELECT rush, passed_at FROM jobs WHERE id = 2").fetchone()
    at = row[1]
    conn.execute("UPDATE notes SET body = ?, at = ? WHERE id = 1", (f"{row[0]}", at))
    found = [tuple(r) for r in conn.execute("SELECT * FROM notes ORDER BY id")]
    conn.execute("DROP TABLE notes")
""",
            "found",
        ),
        [()],
    ),
    "a column that is not mapped": (
        _function(
            """    conn.execute("UPDATE jobs SET extra = ? WHERE stage = ?", args)
    row = conn.execute("SELECT COUNT(*), MAX(extra) FROM jobs WHERE extra IS NOT NULL").fetchone()
""".replace(", args)", ", (args[0], args[1]))"),
            "tuple(row)",
        ),
        [("x", 2), ("x", 99)],
    ),
    "a change that is taken back": (
        """def f(title):
    conn = open_db()
    conn.execute("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, body TEXT NOT NULL)")
    conn.commit()
    try:
        conn.execute("UPDATE jobs SET title = 'new' WHERE id = 1")
        conn.execute("INSERT INTO notes (body) VALUES (?)", (title,))
        conn.commit()
        return "done"
    except sqlite3.IntegrityError:
        conn.rollback()
        return "failed"
    finally:
        conn.close()
""",
        [("x",), (None,)],
    ),
}


def _outcome(text: str, codemods: tuple[str, ...] = (CODEMOD.id,)) -> Any:
    files = {**PROJECT, "app/jobs.py": text}
    index = link(read_facts(Source(path, held)) for path, held in files.items())
    return plan_file(Source("app/jobs.py", text), index, Settings(unsafe=True, codemods=codemods))


def _call(arguments: tuple[Any, ...]) -> Callable[[Any], Any]:
    def called(space: Any) -> Any:
        with sqlite3.connect("jobs.db") as connection:
            connection.execute("ALTER TABLE jobs ADD COLUMN extra TEXT")  # which the model does not know
        connection.close()
        return space["f"](*arguments)

    return called


@pytest.mark.parametrize("name", list(_SAME))
def test_before_and_after_do_the_same(world: World, name: str) -> None:
    body, calls = _SAME[name]
    outcome = _outcome(_HEAD + body)
    assert isinstance(outcome, Planned), outcome
    assert "open_db()" not in outcome.after.text
    (site,) = outcome.sites
    assert "stays-sql" in {effect.code for effect in site.effects}
    assert all(certificate.verdict in (Verdict.PROVEN, Verdict.TESTED) for certificate in site.certificates)
    for arguments in calls:
        old, new = (world.run(text, _call(arguments)) for text in (_HEAD + body, outcome.after.text))
        assert repr(new.result) == repr(old.result)
        assert type(new.error) is type(old.error)
        assert new.rows == old.rows


_STAYS = {
    "nothing but the catalog": (
        """def f():
    conn = open_db()
    rows = conn.execute("SELECT name FROM sqlite_master").fetchall()
    conn.close()
    return rows
""",
        "administrative",
    ),
    "nothing on a table that is mapped": (
        """def f():
    conn = open_db()
    conn.execute("CREATE TABLE IF NOT EXISTS notes (id INTEGER)")
    conn.execute("INSERT INTO notes VALUES (1)")
    conn.commit()
    conn.close()
""",
        "administrative",
    ),
    "a table that is altered here": (
        _function('    conn.execute("ALTER TABLE jobs ADD COLUMN more TEXT")\n'),
        "administrative",
    ),
    "a table that is made here": (
        _function('    conn.execute("CREATE TABLE IF NOT EXISTS jobs (id INTEGER PRIMARY KEY, title TEXT)")\n'),
        "administrative",
    ),
    "a PRAGMA that changes the connection": (
        _function('    conn.execute("PRAGMA foreign_keys = ON")\n'),
        "administrative",
    ),
    "a table of the connection": (
        _function('    conn.execute("CREATE TEMP TABLE t (id INTEGER)")\n'),
        "administrative",
    ),
    "another database": (_function("    conn.execute(\"ATTACH 'b.db' AS b\")\n"), "administrative"),
    "what text() would take for a parameter": (
        _function("    conn.execute(\"UPDATE notes SET body = 'at :x'\")\n"),
        "table-not-mapped",
    ),
    "what looks like a placeholder of ours": (
        _function("    conn.execute(\"UPDATE notes SET body = ':p0' WHERE id = ?\", (1,))\n"),
        "table-not-mapped",
    ),
    "many rows of a table that is not mapped": (
        _function('    conn.executemany("INSERT INTO notes (body) VALUES (?)", [("a",), ("b",)])\n'),
        "table-not-mapped",
    ),
    "a name that is put in": (
        _function('    conn.execute(f"SELECT * FROM {args[0]}").fetchall()\n'),
        "dynamic-sql",
    ),
    "an unknown row by name": (
        _function('    titles += [row["body"] for row in conn.execute("SELECT * FROM notes")]\n', named=True),
        "row-use",
    ),
}


@pytest.mark.parametrize("name", list(_STAYS))
def test_stays(name: str) -> None:
    body, reason = _STAYS[name]
    outcome = _outcome(_HEAD + body)
    assert not isinstance(outcome, Planned)
    assert [s.reason.code for s in outcome.sites] == [reason]


_STANDING = """

def g(session):
    return session.execute(text("SELECT body FROM notes")).all()
"""


@pytest.mark.parametrize("standing", ["", _STANDING], ids=["none", "one that stood before"])
def test_what_stays_is_no_site_of_its_own(standing: str) -> None:
    """A text that a rewrite writes is told by its effect, and counts no second time; one that stood there does."""
    body = _function('    conn.execute("INSERT INTO notes (body) VALUES (?)", ("x",))\n')
    before = _HEAD.replace("\n\n\n", "\nfrom sqlalchemy import text\n\n\n") + body + standing
    outcome = _outcome(before, (CODEMOD.id, "text-to-orm"))
    assert isinstance(outcome, Planned)
    told = [(site.codemod, site.status.value) for site in outcome.sites]
    assert told == [(CODEMOD.id, "rewritten"), *([("text-to-orm", "refused")] if standing else [])]


_ASKED = """def f(table, stage):
    conn = OPEN
    try:
        cur = conn.cursor()
        cur.execute("SELECT COUNT(*) FROM information_schema.tables WHERE table_name = %s", (table,))
        there = cur.fetchone()[0]
        cur.execute("UPDATE ormlift_parcels SET stage = stage + 1 WHERE stage = %s", (stage,))
        conn.commit()
        cur.execute("SELECT table_name, '100%%' FROM information_schema.tables WHERE table_name = %s", (table,))
        return bool(there), [tuple(row) for row in cur.fetchall()][:1]
    finally:
        conn.close()
"""


def test_a_servers_catalog_is_asked_the_same(server: Server) -> None:
    if server.driver.dialect == "sqlite":
        pytest.skip("no such catalog")
    plain = server.driver.opened.startswith("mysql.connector")  # which leaves %% as it is
    before = server.text(_ASKED.replace("%%", "") if plain else _ASKED)
    files = {"app/models.py": _MODELS, "app/db.py": _DB.format(url=server.url), "app/parcels.py": before}
    index = link(read_facts(Source(path, held)) for path, held in files.items())
    settings = Settings(unsafe=True, codemods=(CODEMOD.id,), dialect=server.driver.dialect)
    outcome = plan_file(Source("app/parcels.py", before), index, settings)
    assert isinstance(outcome, Planned), outcome
    for table in ("ormlift_parcels", "none", "x' OR '1"):
        results = [server.run(t, lambda s, a=table: s["f"](a, 2)) for t in (outcome.after.text, before)]
        assert repr(results[0]) == repr(results[1])
