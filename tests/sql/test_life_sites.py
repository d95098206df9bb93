"""Every `.cursor()` and every execute of a DB-API receiver ends in exactly one site, or is none at all."""

import pytest
from ormlift.model import Planned, Refusal, Rewrite, Settings, Source
from ormlift.plan import plan_file
from ormlift.project.facts import read_facts
from ormlift.project.index import link
from ormlift.rules.base import Context
from ormlift.rules.cursor_to_orm import find
from ormlift.rules.examples.cursor_to_orm import PROJECT
from ormlift.syntax import Module

_HEAD = """
import sqlite3
from contextlib import closing
from app.db import DB_PATH, open_db, db_session, session_scope
"""
_CASES: dict[str, tuple[str, list[str]]] = {
    "two lives in one function": (
        """
def f():
    a = open_db()
    a.execute('DELETE FROM jobs')
    a.commit()
    a.close()
    a = open_db()
    a.execute('DELETE FROM jobs')
    a.commit()
    a.close()
""",
        ["", ""],
    ),
    "a connection and its cursor are one site": (
        """
def f():
    conn = open_db()
    cur = conn.cursor()
    cur.execute('SELECT id FROM jobs')
    cur.fetchall()
""",
        [""],
    ),
    "a parameter and its cursor are one site": (
        """
def f(conn):
    cur = conn.cursor()
    cur.execute('SELECT id FROM jobs')
    return cur.fetchall()
""",
        ["connection-from-outside"],
    ),
    "an attribute": (
        """
class A:
    def f(self):
        return self.conn.execute('SELECT id FROM jobs').fetchall()
""",
        ["connection-from-outside"],
    ),
    "a connection without a name": (
        """
def f():
    return open_db().execute('SELECT id FROM jobs').fetchall()
""",
        [""],
    ),
    "with closing": (
        """
def f():
    with closing(sqlite3.connect(DB_PATH)) as conn:
        conn.execute('DELETE FROM jobs')
        conn.commit()
""",
        [""],
    ),
    "used behind its block": (
        """
def f():
    with sqlite3.connect(DB_PATH) as conn:
        conn.execute('DELETE FROM jobs')
    conn.close()
""",
        ["used-after-block"],
    ),
    "bound in one branch only": (
        """
def f(a):
    conn = None
    if a:
        conn = open_db()
    conn.execute('DELETE FROM jobs')
""",
        ["unclear-connection"],
    ),
    "bound in two branches": (
        """
def f(a):
    if a:
        conn = open_db()
    else:
        conn = sqlite3.connect('x')
    conn.execute('DELETE FROM jobs')
""",
        ["connection-escapes", "connection-escapes"],
    ),
    "kept by a nested function": (
        """
def f():
    conn = open_db()
    def g():
        conn.execute('DELETE FROM jobs')
    conn.execute('DELETE FROM jobs')
    return g
""",
        ["connection-escapes", "connection-from-outside"],
    ),
    "returned": (
        """
def f():
    conn = open_db()
    conn.execute('DELETE FROM jobs')
    return conn
""",
        ["connection-escapes"],
    ),
    "stored": (
        """
def f(self):
    conn = open_db()
    conn.execute('DELETE FROM jobs')
    self.conn = conn
""",
        ["connection-escapes"],
    ),
    "opened in a try of its own": (
        """
def f():
    try:
        conn = open_db()
    except sqlite3.Error:
        return None
    conn.execute('DELETE FROM jobs')
    conn.commit()
""",
        ["unclear-connection"],
    ),
    "deleted": (
        """
def f():
    conn = open_db()
    conn.execute('DELETE FROM jobs')
    conn.commit()
    del conn
""",
        ["unclear-connection"],
    ),
    "global": (
        """
def f():
    global conn
    conn = open_db()
    conn.execute('DELETE FROM jobs')
""",
        ["connection-escapes"],
    ),
    "closed in a condition": (
        """
def f():
    conn = open_db()
    conn.execute('DELETE FROM jobs')
    if not conn.close():
        print('closed')
""",
        ["unclear-connection"],
    ),
    "a cursor without a name": (
        """
def f():
    conn = open_db()
    conn.cursor().execute('DELETE FROM jobs')
    conn.commit()
    conn.close()
""",
        [""],
    ),
    "another database each time": (
        """
def f(paths):
    for path in paths:
        conn = sqlite3.connect(path)
        conn.execute('DELETE FROM jobs')
        conn.commit()
        conn.close()
""",
        ["several-databases"],
    ),
    "a model imported behind a script's lines": (
        """
conn = open_db()
conn.execute('DELETE FROM jobs')
conn.commit()
from app.models import Job
""",
        [""],
    ),
    "a text factory": (
        """
def f():
    conn = open_db()
    conn.text_factory = bytes
    conn.execute('DELETE FROM jobs')
""",
        ["connection-setting"],
    ),
    "asynchronous": (
        """
import aiosqlite
async def f():
    db = await aiosqlite.connect('x')
    cursor = await db.execute('SELECT id FROM jobs')
    return await cursor.fetchall()
""",
        ["no-scope"],
    ),
    "a driver that is none of the DB-API's": (
        """
import apsw
def f(cursor):
    return list(cursor.execute("SELECT id FROM jobs"))
""",
        ["driver-unknown"],
    ),
    "a question about the database": (
        """
def f():
    conn = open_db()
    return conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
""",
        ["administrative"],
    ),
    "executemany of a parameter": (
        """
def f(cur):
    cur.executemany('DELETE FROM jobs', [])
""",
        ["connection-from-outside"],
    ),
    "a with block that may begin inside a transaction": (
        """
def f():
    conn = open_db()
    conn.execute('SELECT id FROM jobs').fetchall()
    with conn:
        conn.execute('DELETE FROM jobs')
    conn.close()
""",
        ["with-connection"],
    ),
    "a with block inside of another": (
        """
def f():
    conn = open_db()
    with conn:
        with conn:
            conn.execute('DELETE FROM jobs')
    conn.close()
""",
        ["with-connection"],
    ),
    "a commit in a with block, and more behind it": (
        """
def f():
    conn = open_db()
    with conn:
        conn.execute('DELETE FROM jobs')
        conn.commit()
        conn.execute('DELETE FROM jobs')
    conn.close()
""",
        ["with-connection"],
    ),
    "a commit in a loop of a with block": (
        """
def f():
    conn = open_db()
    with conn:
        for number in (1, 2):
            conn.execute('DELETE FROM jobs')
            conn.commit()
    conn.close()
""",
        ["with-connection"],
    ),
    "a session that is no connection": (
        """
def f():
    s = db_session()
    return s.query(1)
""",
        [],
    ),
    "a scope's session": (
        """
def f():
    with session_scope() as s:
        s.execute('DELETE FROM jobs')
""",
        [],
    ),
    "opened and never used": (
        """
def f():
    conn = open_db()
    conn.close()
""",
        [],
    ),
    "another execute": (
        """
def f(pool):
    pool.execute('select')
    pool.execute(f, 'SELECT id FROM jobs')
    pool.submit('SELECT id FROM jobs')
    pool.fetch('updates set aside')
""",
        [],
    ),
    "a receiver of any name that is handed a statement": (
        """
QUERY = 'SELECT id FROM jobs'
def f(pool):
    pool.execute(QUERY)
class A:
    def f(self, table):
        self.db.executescript(f'CREATE TABLE {table} (id)')
        sql = 'SELECT id'
        sql += ' FROM jobs'
        return self.store.execute(sql)
""",
        ["connection-from-outside"] * 3,
    ),
    "one that hands out rows in one call": (
        """
async def f(pool):
    await pool.fetchrow('SELECT id FROM jobs')
async def g(database, name):
    return await database.fetch_all(query='x') or await database.fetch_val('SELECT id FROM jobs WHERE title = :t')
""",
        ["driver-unknown", "driver-unknown"],
    ),
    "functions of psycopg2 and procedures on a cursor from outside": (
        """
from psycopg2.extras import execute_values
import psycopg2.extras
def f(cur, rows):
    execute_values(cur, 'INSERT INTO jobs (id) VALUES %s', rows)
def g(handle, rows):
    psycopg2.extras.execute_batch(handle, SQL, rows)
def h(handle):
    handle.callproc('tidy', [1])
def i(handle):
    handle.copy_expert('COPY jobs TO STDOUT', 1)
""",
        ["connection-from-outside"] * 4,
    ),
    "none of them": (
        """
import cassandra
def f(cluster, session, client):
    cluster.execute('SELECT id FROM jobs')
    session.execute('SELECT id FROM jobs')
    client.fetch('SELECT id FROM jobs')
""",
        [],
    ),
    "the library's own, which text-to-orm speaks of": (
        """
from alembic import op
from app.db import engine
def f(my_session):
    op.execute('UPDATE jobs SET id = 1')
    my_session.execute('SELECT id FROM jobs')
    engine.execute('SELECT id FROM jobs')
""",
        [],
    ),
}


@pytest.mark.parametrize("name", list(_CASES))
def test_sites(name: str) -> None:
    text, expected = _CASES[name]
    text = _HEAD + text
    files = {**PROJECT, "app/jobs.py": text}
    index = link(read_facts(Source(path, held)) for path, held in files.items())
    sites = list(find(Module.parse(Source("app/jobs.py", text)), Context(index, Settings())))
    assert [s.reason.code if isinstance(s, Refusal) else "" for s in sites] == expected


def test_no_scope_and_no_factory() -> None:
    text = "import sqlite3\n\n\ndef f():\n    conn = sqlite3.connect('x')\n    conn.execute('DELETE FROM jobs')\n"
    files = {"app/models.py": PROJECT["app/models.py"], "app/jobs.py": text}
    index = link(read_facts(Source(path, held)) for path, held in files.items())
    (site,) = find(Module.parse(Source("app/jobs.py", text)), Context(index, Settings()))
    assert isinstance(site, Refusal)
    assert site.reason.code == "no-scope"


def test_every_refusal_names_a_way_out() -> None:
    for text, _ in _CASES.values():
        files = {**PROJECT, "app/jobs.py": _HEAD + text}
        index = link(read_facts(Source(path, held)) for path, held in files.items())
        for site in find(Module.parse(Source("app/jobs.py", _HEAD + text)), Context(index, Settings())):
            if isinstance(site, Refusal):
                assert ";" in site.reason.message


_HANDLERS = {
    "sqlite3.Error": "(sqlite3.Error, SQLAlchemyError)",
    "(sqlite3.IntegrityError, ValueError)": "(sqlite3.IntegrityError, ValueError, IntegrityError)",
    "sqlite3.Warning": "(sqlite3.Warning, DBAPIError)",
    "Exception": "Exception",
    "ValueError": "ValueError",
}


@pytest.mark.parametrize("caught", list(_HANDLERS))
def test_handlers_of_the_driver_learn_the_new_errors(caught: str) -> None:
    text = (
        f"{_HEAD}\ndef f():\n    conn = open_db()\n    try:\n        conn.execute('DELETE FROM jobs')\n"
        f"        conn.commit()\n    except {caught} as error:\n        print(error)\n    conn.close()\n"
    )
    files = {**PROJECT, "app/jobs.py": text}
    index = link(read_facts(Source(path, held)) for path, held in files.items())
    outcome = plan_file(Source("app/jobs.py", text), index, Settings(unsafe=True, codemods=("cursor-to-orm",)))
    assert isinstance(outcome, Planned)
    assert f"except {_HANDLERS[caught]} as error:" in outcome.after.text
    (site,) = outcome.sites
    told = any(effect.code == "driver-exception" for effect in site.effects)
    assert told == (caught != _HANDLERS[caught])


@pytest.mark.parametrize(("passed", "reason"), [("(ticket)", ""), ("ticket", "parameters-unknown")])
def test_pymysql_takes_a_lone_value(passed: str, reason: str) -> None:
    text = (
        "import pymysql\n\n\ndef f(ticket):\n    conn = pymysql.connect(host='h')\n    cur = conn.cursor()\n"
        f"    cur.execute('SELECT id FROM jobs WHERE ticket = %s', {passed})\n    return cur.fetchone()[0]\n"
    )
    files = {**PROJECT, "app/jobs.py": text}
    index = link(read_facts(Source(path, held)) for path, held in files.items())
    (site,) = find(Module.parse(Source("app/jobs.py", text)), Context(index, Settings()))
    assert (site.reason.code if isinstance(site, Refusal) else "") == reason


_DATABASES = {
    "sqlite3.connect(DB_PATH)": False,  # the name in the engine's URL
    "open_db()": False,  # which connects to it
    "sqlite3.connect('jobs.db')": True,  # the same file perhaps, but not said by the same name
    "sqlite3.connect(other)": True,
}


@pytest.mark.parametrize("call", list(_DATABASES))
def test_another_database_is_told(call: str) -> None:
    text = f"{_HEAD}\ndef f(other):\n    conn = {call}\n    conn.execute('DELETE FROM jobs')\n    conn.commit()\n"
    files = {**PROJECT, "app/jobs.py": text}
    index = link(read_facts(Source(path, held)) for path, held in files.items())
    (site,) = find(Module.parse(Source("app/jobs.py", text)), Context(index, Settings()))
    assert isinstance(site, Rewrite)
    assert ("other-database" in {e.code for e in site.effects}) == _DATABASES[call]
    configured = Settings(connections=("app.db:open_db", "sqlite3:connect"))
    (site,) = find(Module.parse(Source("app/jobs.py", text)), Context(index, configured))
    assert isinstance(site, Rewrite)
    assert not site.effects


def test_a_caller_that_catches_the_drivers_errors_is_told() -> None:
    text = (
        f"{_HEAD}\ndef drop():\n    conn = open_db()\n    conn.execute('DELETE FROM jobs')\n    conn.commit()\n\n\n"
        "def main():\n    try:\n        drop()\n    except sqlite3.Error:\n        return 1\n"
    )
    files = {**PROJECT, "app/jobs.py": text}
    index = link(read_facts(Source(path, held)) for path, held in files.items())
    (site,) = find(Module.parse(Source("app/jobs.py", text)), Context(index, Settings()))
    assert isinstance(site, Rewrite)
    assert [(e.code, e.line) for e in site.effects] == [
        ("driver-exception", text.split("\n").index("    except sqlite3.Error:") + 1)
    ]


def test_a_cursor_without_a_name_goes_with_its_execute() -> None:
    text = f"{_HEAD}{_CASES['a cursor without a name'][0]}"
    files = {**PROJECT, "app/jobs.py": text}
    index = link(read_facts(Source(path, held)) for path, held in files.items())
    outcome = plan_file(Source("app/jobs.py", text), index, Settings(unsafe=True, codemods=("cursor-to-orm",)))
    assert isinstance(outcome, Planned)
    assert "session.execute(delete(Job))" in outcome.after.text
    assert "cursor()" not in outcome.after.text


_TWIN = PROJECT["app/models.py"]
_TWINS = {
    "scripts/once.py": (Settings(), "", ["model-chosen"]),  # the one in app/models.py is taken
    "app/orm/tables.py": (Settings(), "table-not-mapped", []),
    "app/orm/more.py": (Settings(models=("app/models.py",)), "", []),
}


@pytest.mark.parametrize("path", list(_TWINS))
def test_a_table_that_two_classes_map(path: str) -> None:
    settings, reason, effects = _TWINS[path]
    text = f"{_HEAD}\ndef f():\n    conn = open_db()\n    conn.execute('DELETE FROM jobs')\n    conn.commit()\n"
    files = {**PROJECT, path: _TWIN, "app/jobs.py": text}
    index = link(read_facts(Source(where, held)) for where, held in files.items())
    (site,) = find(Module.parse(Source("app/jobs.py", text)), Context(index, settings))
    assert (site.reason.code if isinstance(site, Refusal) else "") == reason
    assert [e.code for e in site.effects] == effects if isinstance(site, Rewrite) else not effects


def test_a_scripts_new_imports_stand_before_its_lines() -> None:
    text = (
        "import sqlite3\n\nconn = sqlite3.connect('x')\nconn.execute('DELETE FROM jobs')\n"
        "conn.commit()\n\nimport app.db\n"
    )
    files = {**PROJECT, "script.py": text}
    index = link(read_facts(Source(path, held)) for path, held in files.items())
    outcome = plan_file(Source("script.py", text), index, Settings(unsafe=True, codemods=("cursor-to-orm",)))
    assert isinstance(outcome, Planned)
    lines = outcome.after.text.split("\n")
    assert lines.index("from app.db import session_scope") < lines.index("with session_scope() as session:")
