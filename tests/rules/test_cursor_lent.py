"""Lives whose connection or cursor is handed on: what stays as it is, and what is told of those that do not."""

import pytest
from ormlift.model import Planned, Settings, SiteReport, Source
from ormlift.plan import plan_file
from ormlift.project.facts import read_facts
from ormlift.project.index import link
from ormlift.rules.cursor_to_orm import CODEMOD
from ormlift.rules.examples.cursor_to_orm import PROJECT

from tests.rules.cursor_runs import World, world

__all__ = ["world"]

_SELECT = 'cur.execute("SELECT stage FROM jobs WHERE id = ?", (n,))'
_HEAD = f"""import sqlite3
from app.db import DB_PATH


def f(n):
    conn = sqlite3.connect(DB_PATH)
    cur = conn.cursor()
    {_SELECT}
    row = cur.fetchone()
"""
_TAIL = """    conn.commit()
    conn.close()
    return row[0]
"""
_CALL = '    run(conn, cur, "UPDATE jobs SET stage = 9 WHERE id = ?", (n,))\n'
_RUN = """

def run(conn, cur, sql, params=()):
    cur.execute(sql, params)
"""


def _plan(text: str) -> list[tuple[str, tuple[str, ...]]]:
    """Of each site the reason, or else the effects; what stands behind the first function is of another file."""
    text, helpers = _parted(text)
    held = {**PROJECT, "app/helpers.py": helpers, "app/jobs.py": text}
    index = link(read_facts(Source(path, body)) for path, body in held.items())
    settings = Settings(unsafe=True, codemods=(CODEMOD.id,), dialect="sqlite")
    sites = plan_file(Source("app/jobs.py", text), index, settings).sites
    return [(s.reason.code if s.reason else "", tuple(sorted({e.code for e in s.effects}))) for s in sites]


def _parted(text: str) -> tuple[str, str]:
    """The first function, and its helpers in a file of their own."""
    first, _, helpers = text.partition(_TAIL.splitlines()[-1] + "\n")
    names = "run, run_it, keep, fetched, maybe_fetched, counted, all_of"
    return f"from app.helpers import {names}\n{first}    return row[0]\n" if helpers else text, helpers


def _first(text: str) -> tuple[str, tuple[str, ...]]:
    found = _plan(text)
    return next(f for f in found if f[0] != "connection-from-outside")


_KEEPS = {
    "stores the cursor": "    global last\n    last = cur\n    cur.execute(sql, params)\n",
    "returns the cursor": "    cur.execute(sql, params)\n    return cur\n",
    "returns what execute gives": "    return cur.execute(sql, params)\n",
    "puts it into a list": "    ALL.append(cur)\n    cur.execute(sql, params)\n",
    "closes the connection": "    cur.execute(sql, params)\n    conn.commit()\n    conn.close()\n",
    "closes the cursor": "    cur.execute(sql, params)\n    cur.close()\n",
    "reads it later": "    later(lambda: cur.execute(sql, params))\n",
    "reads it in a function of its own": "    def inner():\n        cur.execute(sql, params)\n    return inner\n",
    "gives a generator": "    cur.execute(sql, params)\n    return (row for row in cur)\n",
    "is a generator": "    cur.execute(sql, params)\n    yield cur.rowcount\n",
    "sets the connection up": "    conn.row_factory = None\n    cur.execute(sql, params)\n",
    "changes the mode": "    conn.isolation_level = None\n    cur.execute(sql, params)\n",
    "asks what it is": "    assert isinstance(conn, sqlite3.Connection)\n    cur.execute(sql, params)\n",
    "hands it to a library": "    pandas.read_sql(sql, conn)\n    cur.execute(sql, params)\n",
    "binds it anew": "    cur = conn.cursor()\n    cur.execute(sql, params)\n    return cur\n",
    "binds it in a handler": "    try:\n        cur.execute(sql, params)\n    except OSError as cur:\n        pass\n",
    "sees all names": "    cur.execute(sql, params)\n    log(locals())\n",
    "reads an attribute": "    cur.execute(sql, params)\n    return cur.connection\n",
    "cuts it into a text": '    print(f"{cur}")\n    cur.execute(sql, params)\n',
}


@pytest.mark.parametrize("name", list(_KEEPS))
def test_a_helper_that_does_more_keeps_it_raw(name: str) -> None:
    text = _HEAD + _CALL + _TAIL + f"\n\ndef run(conn, cur, sql, params=()):\n{_KEEPS[name]}"
    assert _first(text)[0] == "connection-escapes"


_FORMS = {
    "decorated": _RUN.replace("\ndef", "\n@timed\ndef"),
    "asynchronous": _RUN.replace("\ndef", "\nasync def"),
    "defined twice": _RUN + _RUN,
    "bound anew": _RUN + "\n\nrun = timed(run)\n",
    "bound by a function": _RUN + "\n\ndef g():\n    global run\n    run = print\n",
    "of a library": "\n\nfrom library import run\n",
    "not there": "",
    "a class": "\n\nclass run:\n    def __init__(self, conn, cur, sql, params=()):\n        cur.execute(sql, params)\n",
}


@pytest.mark.parametrize("name", list(_FORMS))
def test_what_is_no_plain_function_keeps_it_raw(name: str) -> None:
    assert _first(_HEAD + _CALL + _TAIL + _FORMS[name])[0] == "connection-escapes"


_CALLS = {
    "a row as the parameters": "    run(conn, cur, 'DELETE FROM jobs WHERE id = ?', row)\n",
    "a row in a list": "    rows = [row]\n    run(conn, cur, 'DELETE FROM jobs WHERE id = ?', rows[0])\n",
    "a row put into a list": "    rows = []\n    rows.append(row)\n    run(conn, cur, 'DELETE FROM jobs', rows)\n",
    "a function that reads what is executed here": "    rows = fetched(cur)\n",
    "a function that reads what may be executed here": "    rows = maybe_fetched(cur, n)\n",
    "a function that counts what is executed here": "    count = counted(cur)\n",
    "a function that goes through what is executed here": "    rows = all_of(cur)\n",
    "starred": '    run(*[conn, cur], "DELETE FROM jobs")\n    run(conn, *[cur, "DELETE FROM jobs"])\n',
    "a method": '    self.run(conn, cur, "DELETE FROM jobs")\n',
    "by a mapping": '    run(conn, cur, **{"sql": "DELETE FROM jobs"})\n',
    "a local function": '    run = print\n    run(conn, cur, "DELETE FROM jobs")\n',
    "in a lambda": '    later(lambda: run(conn, cur, "DELETE FROM jobs"))\n',
    "a function that is not known": "    run_it(conn, cur, n)\n",
    "a function that is not plain": "    run_it(conn, cur, self.move)\n",
    "a function that keeps it": "    run_it(conn, cur, keep)\n",
    "in a tuple": '    run((conn, cur), cur, "DELETE FROM jobs")\n',
}


@pytest.mark.parametrize("name", list(_CALLS))
def test_calls_that_are_not_followed_keep_it_raw(name: str) -> None:
    more = "\n\ndef run_it(conn, cur, sql):\n    cur.execute(sql)\n    sql(cur)\n"
    more += "\n\ndef fetched(cur):\n    return cur.fetchall()\n"
    more += "\n\ndef maybe_fetched(cur, n):\n    if n:\n        cur.execute('')\n    return cur.fetchall()\n"
    more += "\n\ndef counted(cur):\n    print(cur.rowcount)\n    cur.execute('')\n"
    more += "\n\ndef all_of(cur):\n    found = [row for row in cur]\n    cur.execute('')\n    return found\n"
    more += "\n\ndef keep(cur):\n    cur.execute('')\n    return cur\n"
    code = "row-leaves" if name.startswith("a row") else "connection-escapes"
    assert _first(_HEAD + _CALLS[name] + _TAIL + _RUN + more)[0] == code


_READS = {
    "a row": ("unclear-cursor", "    row = cur.fetchone()\n"),
    "the count": ("unclear-cursor", "    print(cur.rowcount)\n"),
    "the id": ("unclear-cursor", "    print(cur.lastrowid)\n"),
    "a row, maybe": ("unclear-cursor", f"    if n:\n        {_SELECT}\n    row = cur.fetchone()\n"),
}


@pytest.mark.parametrize("name", list(_READS))
def test_what_a_helper_executed_and_its_caller_reads_stays(name: str) -> None:
    code, read = _READS[name]
    assert _first(_HEAD + _CALL + read + _TAIL + _RUN)[0] == code


def test_a_loop_that_a_helper_ends_stays() -> None:
    loop = _HEAD.replace("    row = cur.fetchone()\n", "    row = [1]\n    for one in cur:\n    ") + _CALL
    assert _first(loop + _TAIL + _RUN)[0] == "unclear-cursor"


_MEMORY = ["SELECT LAST_INSERT_ROWID()", "SELECT changes()", "PRAGMA foreign_keys = ON", "CREATE TEMP TABLE x (a)"]


@pytest.mark.parametrize("sql", _MEMORY)
def test_what_the_connection_remembers_stays(sql: str) -> None:
    assert _first(_HEAD + f'    run(conn, cur, "{sql}")\n' + _TAIL + _RUN)[0] == "connection-state"
    assert _first(_HEAD + f'    sql = "{sql}"\n    run(conn, cur, sql)\n' + _TAIL + _RUN)[0] == "connection-state"
    inside = _RUN + f'    cur.execute("{sql}")\n'
    assert _first(_HEAD + _CALL + _TAIL + inside)[0] == "connection-state"


_WAYS = {
    "commits each statement": ("sqlite3.connect(DB_PATH)", "sqlite3.connect(DB_PATH, isolation_level=None)"),
    "a kept connection": ("conn = sqlite3.connect(DB_PATH)", "global conn\n    conn = sqlite3.connect(DB_PATH)"),
    "of an unknown driver": ("sqlite3.connect", "get_connection"),
}


@pytest.mark.parametrize("name", list(_WAYS))
def test_connections_of_another_kind_stay(name: str) -> None:
    text = (_HEAD + _CALL + _TAIL + _RUN).replace(*_WAYS[name])
    assert _plan(text)[0][0] in ("connection-escapes", "connection-from-outside")
    assert all(reason for reason, _ in _plan(text))


_FETCH = "\n\ndef run(conn, cur, sql, params=()):\n    cur.execute(sql, params)\n    return cur.fetchall()\n"
_ROWS = {
    "a row factory": ("cur = conn.cursor()", "conn.row_factory = sqlite3.Row\n    cur = conn.cursor()"),
    "types that are told": ("connect(DB_PATH)", "connect(DB_PATH, detect_types=1)"),
    "options that are not seen": ("connect(DB_PATH)", "connect(DB_PATH, **OPTIONS)"),
}


@pytest.mark.parametrize("name", list(_ROWS))
def test_rows_that_may_come_otherwise_stay(name: str) -> None:
    text = (_HEAD + _CALL + _TAIL).replace("return row[0]", "return row[0] if row else 0")
    assert _first(text + _FETCH)[0] == ""
    assert _first(text.replace(*_ROWS[name]) + _FETCH)[0] in ("connection-escapes", "connection-setting")


_ENGINES = {
    "a listener": '\n\n@event.listens_for(engine, "connect")\ndef up(c, r):\n    pass\n',
    "another driver": '\n\nengine = create_engine("sqlite+pysqlcipher:///x")\n',
    "sessions of two phases": "\n\nMaker = sessionmaker(bind=engine, twophase=True)\n",
}


@pytest.mark.parametrize("name", list(_ENGINES))
def test_engines_of_another_kind_stay(name: str) -> None:
    text = _HEAD + _CALL + _TAIL + _RUN
    assert _first(text)[0] == ""
    db = PROJECT["app/db.py"] + _ENGINES[name]
    db = db.replace('"sqlite:///', '"sqlite+pysqlcipher:///') if name == "another driver" else db
    held = {**PROJECT, "app/db.py": db, "app/jobs.py": text}
    index = link(read_facts(Source(path, body)) for path, body in held.items())
    settings = Settings(unsafe=True, codemods=(CODEMOD.id,), dialect="sqlite")
    (site, *_) = plan_file(Source("app/jobs.py", text), index, settings).sites
    assert site.reason is not None
    assert site.reason.code == "connection-escapes"


def test_two_connections_in_one_call_stay() -> None:
    text = """import sqlite3
from app.db import DB_PATH


def f(n):
    one = sqlite3.connect(DB_PATH)
    two = sqlite3.connect(DB_PATH)
    one.execute("DELETE FROM jobs WHERE id = ?", (n,))
    copy(one, two)
    two.execute("DELETE FROM jobs WHERE id = ?", (n,))
    one.commit()
    two.commit()


def copy(conn, db):
    db.execute("DELETE FROM jobs")
    conn.execute("DELETE FROM jobs")
"""
    assert [reason for reason, _ in _plan(text)][:2] == ["connection-escapes", "connection-escapes"]


def test_a_connection_that_is_only_handed_on_stays() -> None:
    text = _HEAD.replace(f"    {_SELECT}\n    row = cur.fetchone()\n", "    row = [0]\n") + _CALL + _TAIL + _RUN
    assert _first(text)[0] == "connection-escapes"


def test_a_helper_behind_the_close_stays() -> None:
    assert _first(_HEAD + "    conn.close()\n" + _CALL + _TAIL + _RUN)[0] == "unclear-connection"


_COMMITS = """

def run(conn, cur, sql, params=(), commit=False):
    cur.execute(sql, params)
    if commit:
        conn.commit()
"""
_BLOCK = "\n\ndef run(conn, cur, sql, params=()):\n    with conn:\n        cur.execute(sql, params)\n"
_LEFT = {"raw-connection", "commit-at-exit"}
_TOLD = {
    "a helper that may leave a write": (_CALL, _RUN, _LEFT),
    "a helper that commits": (_CALL.replace("(n,)", "(n,), commit=True"), _COMMITS, {"raw-connection"}),
    "a helper that commits by a block": (_CALL, _BLOCK, {"raw-connection"}),
    "a helper that leaves its block": (_CALL, _BLOCK + "    cur.execute(sql, params)\n", _LEFT),
    "a helper that is told not to": (
        _CALL.replace("(n,)", "(n,), commit=0"),
        _COMMITS,
        {"raw-connection", "commit-at-exit"},
    ),
    "a helper that reads": (
        _CALL.replace("UPDATE jobs SET stage = 9", "SELECT id FROM jobs"),
        _FETCH,
        {"raw-connection"},
    ),
}


@pytest.mark.parametrize("name", list(_TOLD))
def test_what_is_told(name: str) -> None:
    call, helper, codes = _TOLD[name]
    reason, effects = _first(_HEAD + call + _TAIL.replace("    conn.commit()\n", "") + helper)
    assert not reason
    assert set(effects) - {"other-database"} == codes


def test_rows_read_while_a_helper_writes_are_told() -> None:
    loop = """    row = [0]
    for one in conn.execute("SELECT id FROM jobs"):
        run(conn, cur, "UPDATE jobs SET stage = stage + 1 WHERE id = ?", (one[0],))
"""
    reason, effects = _first(_HEAD.replace(f"    {_SELECT}\n    row = cur.fetchone()\n", loop) + _TAIL + _RUN)
    assert not reason
    assert "reads-ahead" in effects


def test_below_1_4_24_the_connection_has_its_old_name() -> None:
    text = _HEAD + _CALL + _TAIL + _RUN
    index = link(read_facts(Source(path, body)) for path, body in {**PROJECT, "app/jobs.py": text}.items())
    for version, name in {"1.4.20": "connection", "2.0": "driver_connection"}.items():
        settings = Settings(unsafe=True, codemods=(CODEMOD.id,), dialect="sqlite", sqlalchemy=version)
        outcome = plan_file(Source("app/jobs.py", text), index, settings)
        assert isinstance(outcome, Planned)
        assert f"conn = session.connection().connection.{name}\n" in outcome.after.text


_FACTORY = """from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

engine = create_engine("postgresql+DRIVER://localhost/app")
SessionLocal = sessionmaker(bind=engine)
"""
_UNCOMMITTED = """import DRIVER
from app.helpers import run


def f(n):
    with DRIVER.connect(OPTIONS) as conn:
        cur = conn.cursor()
        cur.execute("SELECT stage FROM jobs WHERE id = %s", (n,))
        row = cur.fetchone()
        WRITE
    return row[0]
"""
_WRITES = {
    "lent": 'run(conn, cur, "UPDATE jobs SET stage = 9 WHERE id = %s", (n,))',
    "its own": 'cur.execute("UPDATE jobs SET stage = 9 WHERE id = %s", (n,))',
}


def _without_scope(text: str, driver: str) -> SiteReport:
    text = text.replace("DRIVER", driver)
    held = {**PROJECT, "app/db.py": _FACTORY.replace("DRIVER", driver), "app/helpers.py": _RUN, "app/jobs.py": text}
    index = link(read_facts(Source(path, body)) for path, body in held.items())
    settings = Settings(unsafe=True, codemods=(CODEMOD.id,), dialect="postgresql")
    (site,) = plan_file(Source("app/jobs.py", text), index, settings).sites
    return site


@pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
@pytest.mark.parametrize("name", list(_WRITES))
def test_what_a_block_commits_stays_where_no_scope_does(driver: str, name: str) -> None:
    text = _UNCOMMITTED.replace("WRITE", _WRITES[name]).replace("OPTIONS", "'dbname=app'")
    site = _without_scope(text, driver)
    assert site.reason is not None
    assert site.reason.code == "commit-at-exit"


@pytest.mark.parametrize("name", list(_WRITES))
def test_what_may_be_committed_at_once_is_told_where_no_scope_does(name: str) -> None:
    text = _UNCOMMITTED.replace("WRITE", _WRITES[name]).replace("OPTIONS", "**HOW")
    text = text.replace("with DRIVER.connect(**HOW) as conn:", "if n:\n        conn = DRIVER.connect(**HOW)")
    site = _without_scope(text, "psycopg2")
    assert site.reason is None
    assert "autocommit" in {effect.code for effect in site.effects}


_TYPED = """import sqlite3
from app.db import DB_PATH
from app.helpers import run


def f(n):
    conn = sqlite3.connect(DB_PATH)
    cur = conn.cursor()
    cur.execute("SELECT COLUMN, id FROM jobs WHERE id = ?", (n,))
    row = cur.fetchone()
    GIVEN
    run(conn, cur, "UPDATE jobs SET COLUMN = ? WHERE id <> ?", PASSED)
    conn.commit()
    conn.close()
    return None
"""
_WAYS_OF_VALUES = {
    "at once": ("pass", "(row[0], n)"),
    "by a name": ("value = row[0]", "(value, n)"),
    "in a tuple": ("passed = (row[0], n)", "passed"),
    "put into a list": ("passed = []\n    passed.append(row[0])\n    passed.append(n)", "passed"),
    "taken apart": ("value, _ = row", "(value, n)"),
    "or another": ("value = row[0] if n != 4 else None", "(value or None, n)"),
}


@pytest.mark.parametrize("column", ["marks", "passed_at", "rush", "customer"])
@pytest.mark.parametrize("name", list(_WAYS_OF_VALUES))
def test_values_come_to_the_driver_as_it_gave_them(world: World, name: str, column: str) -> None:
    given, passed = _WAYS_OF_VALUES[name]
    (world.root / "app/helpers.py").write_text(_RUN)
    before = _TYPED.replace("COLUMN", column).replace("GIVEN", given).replace("PASSED", passed)
    held = {**PROJECT, "app/helpers.py": _RUN, "app/jobs.py": before}
    index = link(read_facts(Source(path, body)) for path, body in held.items())
    settings = Settings(unsafe=True, codemods=(CODEMOD.id,), dialect="sqlite")
    outcome = plan_file(Source("app/jobs.py", before), index, settings)
    assert isinstance(outcome, Planned)
    for n in (1, 2, 3, 4):
        old, new = (world.run(text, lambda s, n=n: s["f"](n)) for text in (before, outcome.after.text))
        assert type(new.error) is type(old.error) or "IntegrityError" in repr(old.error)
        assert new.rows == old.rows


_IMPORTED = """import sqlite3
from app.db import DB_PATH
IMPORT


def f(n):
    INSIDE
    conn = sqlite3.connect(DB_PATH)
    cur = conn.cursor()
    cur.execute("SELECT stage FROM jobs WHERE id = ?", (n,))
    row = cur.fetchone()
    NAME(conn, cur, "UPDATE jobs SET stage = 9 WHERE id = ?", (n,))
    conn.commit()
    conn.close()
    return row[0]
"""
_NAMES = {
    "by its name": ("from app.helpers import run", "pass", "run", True),
    "by another name": ("from app.helpers import run as go", "pass", "go", True),
    "by its module": ("import app.helpers", "pass", "app.helpers.run", True),
    "by a name of its module": ("from app import helpers as h", "pass", "h.run", True),
    "from beside": ("from .helpers import run", "pass", "run", True),
    "with all": ("from app.helpers import *", "pass", "run", True),
    "in the function": ("", "from app.helpers import run", "run", True),
    "bound anew": ("from app.helpers import run\n\nrun = timed(run)", "pass", "run", False),
    "defined again": ("from app.helpers import run\n\n\ndef run(*args):\n    pass", "pass", "run", False),
    "one of two": ("try:\n    from app.helpers import run\nexcept ImportError:\n    run = None", "pass", "run", False),
    "one of two in the function": (
        "",
        "if n:\n        from app.helpers import run\n    else:\n        from app.others import run",
        "run",
        False,
    ),
    "a global that is set": (
        "from app.helpers import run\n\n\ndef g():\n    global run\n    run = print",
        "pass",
        "run",
        False,
    ),
    "a name of the function": ("from app.helpers import run", "run = timed(run)", "run", False),
    "of another module": ("from app.nowhere import run", "pass", "run", False),
    "of an object": ("from app.helpers import Box", "pass", "Box().run", False),
    "of a class": ("from app.helpers import Box", "pass", "Box.run", False),
    "by way of another": ("from app.helpers import through", "pass", "through", True),
    "by way of one that is bound anew": ("from app.helpers import astray", "pass", "astray", False),
}
_HELPERS = (
    _RUN
    + """

class Box:
    def run(self, conn, cur, sql, params=()):
        cur.execute(sql, params)


def through(conn, cur, sql, params=()):
    run(conn, cur, sql, params)


def astray(conn, cur, sql, params=()):
    cur.execute("")
    walk(conn, cur, sql, params)


def walk(conn, cur, sql, params=()):
    cur.execute(sql, params)


walk = timed(walk)
"""
)


@pytest.mark.parametrize("name", list(_NAMES))
def test_a_helper_is_found_by_its_name(name: str) -> None:
    imported, inside, called, found = _NAMES[name]
    text = _IMPORTED.replace("IMPORT", imported).replace("INSIDE", inside).replace("NAME", called)
    held = {**PROJECT, "app/__init__.py": "", "app/helpers.py": _HELPERS, "app/jobs.py": text}
    index = link(read_facts(Source(path, body)) for path, body in held.items())
    settings = Settings(unsafe=True, codemods=(CODEMOD.id,), dialect="sqlite")
    outcome = plan_file(Source("app/jobs.py", text), index, settings)
    assert isinstance(outcome, Planned) is found, outcome
    assert not found or "driver_connection" in outcome.after.text  # type: ignore[union-attr]


_SHARED = """import sqlite3
from app.helpers import run

_conn = None


def shared():
    global _conn
    if _conn is None:
        _conn = sqlite3.connect("jobs.db", timeout=0)
    return _conn


def note(line):
    conn = shared()
    conn.execute("INSERT INTO jobs (ticket, title, stage, rush, count) VALUES (?, 'x', 1, 0, 0)", (line,))
    conn.commit()


def f(n):
    conn = shared()
    cur = conn.cursor()
    cur.execute("SELECT stage FROM jobs WHERE id = ?", (n,))
    row = cur.fetchone()
    run(conn, cur, "UPDATE jobs SET stage = 9 WHERE id = ?", (n,))
    COMMIT
    note("T-9")
    conn.commit()
    return row[0]
"""


@pytest.mark.parametrize("commits", [True, False], ids=["behind a commit", "before one"])
def test_a_helper_that_writes_amid_anothers_transaction_stays(world: World, *, commits: bool) -> None:
    (world.root / "app/helpers.py").write_text(_RUN)
    text = _SHARED.replace("COMMIT", "conn.commit()" if commits else "pass")
    held = {**PROJECT, "app/helpers.py": _RUN, "app/jobs.py": text}
    index = link(read_facts(Source(path, body)) for path, body in held.items())
    settings = Settings(unsafe=True, codemods=(CODEMOD.id,), dialect="sqlite")
    outcome = plan_file(Source("app/jobs.py", text), index, settings)
    after = outcome.after.text if isinstance(outcome, Planned) else text
    codes = [site.reason.code for site in getattr(outcome, "sites", ()) if site.reason is not None]
    assert ("shared-transaction" in codes) is not commits
    old, new = (world.run(program, lambda s: s["f"](1)) for program in (text, after))
    assert (old.error, new.error) == (None, None)
    assert (new.result, new.rows) == (old.result, old.rows)
