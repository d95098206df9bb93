"""Lives whose connection or cursor is handed to a helper that stays raw: run before and after, on each driver."""

import os
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ormlift.model import Planned, Settings, SiteReport, Source
from ormlift.plan import plan_file
from ormlift.project.facts import read_facts
from ormlift.project.index import link
from ormlift.rules.cursor_to_orm import CODEMOD
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from tests.rules.test_cursor_servers import _DB, _ROWS
from tests.rules.test_cursor_servers import _MODELS as _PARCELS

_MODELS = _PARCELS.replace("ormlift_parcels", "ormlift_lent")

_URLS = {
    "sqlite3": "sqlite",
    "psycopg2": "postgresql+psycopg2",
    "psycopg": "postgresql+psycopg",
    "pymysql": "mysql+pymysql",
    "mysql.connector": "mysql+mysqlconnector",
}
_ERRORS = {"pymysql": "pymysql.err", "mysql.connector": "mysql.connector.errors"}
_HELPERS = '''import time

import {driver}
import {errors}


def run(cursor, sql, params=()):
    cursor.execute(sql, params)
    return cursor.rowcount


def run_with_retry(db, cursor, sql_or_func, params=(), attempts=2, commit=False):
    """Set about it again where the database says so."""
    assert callable(sql_or_func) or isinstance(sql_or_func, (str, list))
    if not callable(sql_or_func):
        if isinstance(sql_or_func, str):
            sql_or_func = [sql_or_func]
        if isinstance(params, tuple):
            params = [params]
    count = 1
    while True:
        try:
            results = []
            if callable(sql_or_func):
                results.append(sql_or_func(db, cursor, *params))
            else:
                for sql, values in zip(sql_or_func, params):
                    cursor.execute(sql, values)
                    results.append(cursor.rowcount)
            if commit:
                db.commit()
            return results[0] if len(results) == 1 else results
        except {errors}.OperationalError:
            if count < attempts:
                db.rollback()
                count += 1
                continue
            raise


def save(conn, sql, params=()):
    cur = conn.cursor()
    try:
        cur.execute(sql, params)
        conn.commit()
    finally:
        cur.close()


def undo(conn):
    conn.rollback()


def end(conn):
    conn.commit()


def rows_of(cursor, sql, params=()):
    cursor.execute(sql, params)
    return [tuple(row) for row in cursor.fetchall()]


def try_it(conn, sql, params=()):
    cur = conn.cursor()
    try:
        cur.execute(sql, params)
    except {driver}.Error:
        conn.rollback()
        return False
    return True


def move_two(db, cursor, first, second):
    cursor.execute("UPDATE ormlift_lent SET stage = stage + 10 WHERE code = %s", (first,))
    cursor.execute("UPDATE ormlift_lent SET stage = stage + 20 WHERE code = %s", (second,))
    return "moved"


def many(cursor, sql, rows):
    cursor.executemany(sql, rows)


def in_block(conn, sql, params):
    with conn:
        conn.cursor().execute(sql, params)


def through(db, c, sql, params=()):
    return run_with_retry(db, c, sql, params)
'''


class Base:
    """One database, and programs run on it."""

    def __init__(self, driver: str, url: str) -> None:
        self.driver, self.url = driver, url
        self.engine = create_engine(url)
        models = types.ModuleType("app.models")
        exec(_MODELS, models.__dict__)
        self.models = models
        self.dialect = self.engine.dialect.name

    def text(self, body: str) -> str:
        body = body.replace("%s", "?") if self.driver == "sqlite3" else body
        how = ", ".join(f"{key}=HOW[{key!r}]" for key in self.how())
        return body.replace("OPEN", f"{self.driver}.connect({how})").replace("DRIVER", self.driver)

    @property
    def helpers(self) -> str:
        errors = _ERRORS.get(self.driver, self.driver)
        return self.text(_HELPERS.replace("{driver}", self.driver).replace("{errors}", errors))

    def program(self, body: str, *, apart: bool) -> str:
        """A program whose helpers stand in a file of their own, or in its own."""
        head = f"import {self.driver}\n"
        named = "end, in_block, many, move_two, rows_of, run, run_with_retry, save, through, try_it, undo"
        head += f"from app.helpers import {named}\n\n\n" if apart else f"{self.helpers}\n\n"
        return head + self.text(body)

    def fresh(self) -> None:
        base = self.models.Base
        base.metadata.drop_all(self.engine)
        base.metadata.create_all(self.engine)
        with self.engine.begin() as connection:
            connection.execute(base.metadata.tables["ormlift_lent"].insert(), _ROWS)

    def how(self) -> dict[str, Any]:
        made = make_url(self.url)
        if self.dialect == "sqlite":
            return {"database": made.database, "timeout": 0}
        name = "dbname" if self.dialect == "postgresql" else "database"
        how = {"host": made.host, "port": made.port, "user": made.username, name: made.database}
        return how | ({"password": made.password} if made.password else {})

    def run(self, program: str, arguments: tuple[Any, ...]) -> tuple[Any, str, list[Any]]:
        """What `f` gives, what it raises, and the rows after it."""
        self.fresh()
        space: dict[str, Any] = {"__name__": "app.parcels", "HOW": self.how()}
        exec(compile(program, "app/parcels.py", "exec"), space)
        result, failed = None, ""
        try:
            result = space["f"](*arguments)
        except Exception as error:
            failed = next((k.__name__ for k in type(error).__mro__ if k.__name__ in _KINDS), type(error).__name__)
        with self.engine.connect() as connection:
            rows = [tuple(r) for r in connection.execute(text("SELECT * FROM ormlift_lent ORDER BY id"))]
        return result, failed, rows

    def site(self, program: str) -> SiteReport:
        """What becomes of the one life in the function."""
        outcome = self._planned(program)
        (site,) = [s for s in outcome.sites if s.line >= program[: program.index("\ndef f(")].count("\n")]
        return site

    def after(self, program: str) -> str:
        outcome = self._planned(program)
        assert isinstance(outcome, Planned), outcome
        return outcome.after.text

    def after_again(self, program: str) -> str:
        """The program after a second run."""
        outcome = self._planned(program)
        return outcome.after.text if isinstance(outcome, Planned) else program

    def _planned(self, program: str) -> Any:
        files = {"app/models.py": _MODELS, "app/db.py": _DB.format(url=self.url)}
        files |= {"app/helpers.py": self.helpers, "app/parcels.py": program}
        index = link(read_facts(Source(path, held)) for path, held in files.items())
        settings = Settings(unsafe=True, codemods=(CODEMOD.id,), dialect=self.dialect)
        return plan_file(Source("app/parcels.py", program), index, settings)


_KINDS = ("IntegrityError", "ProgrammingError", "OperationalError", "DataError")


@pytest.fixture(params=list(_URLS))
def base(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Base]:
    url = f"sqlite:///{tmp_path / 'app.db'}"
    scheme = _URLS[request.param]
    if scheme != "sqlite":
        given = os.environ.get(f"ORMLIFT_TEST_{scheme.partition('+')[0].upper()}", "")
        if not given:
            pytest.skip("no server")
        url = make_url(given).set(drivername=scheme).render_as_string(hide_password=False)
    made = Base(request.param, url)
    app, db, helpers = (types.ModuleType(name) for name in ("app", "app.db", "app.helpers"))
    exec(_DB.format(url=url), db.__dict__)
    exec(compile(made.helpers, "app/helpers.py", "exec"), helpers.__dict__)
    for module in (app, db, helpers, made.models):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    yield made
    made.models.Base.metadata.drop_all(made.engine)
    db.engine.dispose()
    made.engine.dispose()


_SET = '"UPDATE ormlift_lent SET stage = %s WHERE code = %s"'
_INSERT = '"INSERT INTO ormlift_lent (id, code, stage, rush) VALUES (%s, %s, 1, false)"'
_STAGE = '"SELECT stage FROM ormlift_lent WHERE code = %s", (code,)'
_HEAD = """def f(code):
    conn = OPEN
    cur = conn.cursor()
"""
_SAME: dict[str, str] = {
    "a write by a helper that commits": _HEAD
    + f"""    cur.execute({_STAGE})
    row = cur.fetchone()
    run_with_retry(conn, cur, {_SET}, (9, code), commit=True)
    conn.close()
    return row and row[0]
""",
    "a write by a helper, committed here": _HEAD
    + f"""    run_with_retry(conn, cur, {_SET}, (9, code))
    conn.commit()
    cur.execute({_STAGE})
    row = cur.fetchone()
    conn.close()
    return row and row[0]
""",
    "a write that is read before it is committed": _HEAD
    + f"""    run(cur, {_SET}, (9, code))
    cur.execute({_STAGE})
    row = cur.fetchone()
    conn.rollback()
    cur.execute({_STAGE})
    again = cur.fetchone()
    conn.close()
    return row and row[0], again and again[0]
""",
    "a helper that sees what is written here": _HEAD
    + f"""    cur.execute({_SET}, (9, code))
    count = run(cur, "UPDATE ormlift_lent SET stage = stage + 1 WHERE stage = 9")
    conn.commit()
    conn.close()
    return count
""",
    "a helper that commits what is written here": _HEAD
    + f"""    cur.execute({_SET}, (9, code))
    end(conn)
    cur.execute({_SET}, (7, "B"))
    conn.rollback()
    conn.close()
""",
    "a helper that takes back what is written here": _HEAD
    + f"""    cur.execute({_SET}, (9, code))
    undo(conn)
    cur.execute({_SET}, (7, "B"))
    conn.commit()
    conn.close()
""",
    "a helper with a cursor of its own": _HEAD
    + f"""    cur.execute({_STAGE})
    row = cur.fetchone()
    save(conn, {_INSERT}, (7, "X"))
    cur.execute("SELECT COUNT(*) FROM ormlift_lent")
    many = cur.fetchone()[0]
    conn.close()
    return row and row[0], many
""",
    "a helper that fails": _HEAD
    + f"""    cur.execute({_SET}, (9, code))
    try:
        run(cur, {_INSERT}, (1, "X"))
        conn.commit()
    except DRIVER.IntegrityError:
        conn.rollback()
        cur.execute({_SET}, (5, code))
        conn.commit()
    conn.close()
""",
    "a helper that fails, and nothing is caught": _HEAD
    + f"""    try:
        cur.execute({_SET}, (9, code))
        run(cur, {_INSERT}, (1, "X"))
        conn.commit()
    finally:
        conn.close()
""",
    "a helper that fails behind a commit": _HEAD
    + f"""    try:
        cur.execute({_SET}, (9, code))
        conn.commit()
        cur.execute({_SET}, (8, code))
        run(cur, {_INSERT}, (1, "X"))
        conn.commit()
    finally:
        conn.close()
""",
    "a helper that catches its error": _HEAD
    + f"""    done = try_it(conn, {_INSERT}, (1, "X"))
    cur.execute({_SET}, (9, code))
    conn.commit()
    conn.close()
    return done
""",
    "a statement that fails behind a helper": _HEAD
    + f"""    try:
        run(cur, {_SET}, (9, code))
        cur.execute({_INSERT}, (1, "X"))
        conn.commit()
    except DRIVER.IntegrityError:
        conn.rollback()
        return "taken back"
    finally:
        conn.close()
""",
    "one try for both, and either fails": _HEAD
    + f"""    try:
        cur.execute({_INSERT}, (7 if code == "A" else 1, "X"))
        run(cur, {_INSERT}, (1, "Y"))
        conn.commit()
    except DRIVER.IntegrityError:
        conn.rollback()
        return "taken back"
    finally:
        conn.close()
""",
    "many commits, each with a call": _HEAD
    + f"""    for n, name in enumerate(["A", "B", code]):
        run_with_retry(conn, cur, {_SET}, (n + 20, name), commit=n != 1)
        cur.execute("SELECT stage FROM ormlift_lent WHERE code = %s", (name,))
        row = cur.fetchone()
        if row is None:
            conn.rollback()
        else:
            conn.commit()
    conn.close()
""",
    "lists of statements": _HEAD
    + f"""    sql = [{_SET}]
    params = [(9, code)]
    for name in ("B", "none"):
        sql.append({_SET})
        params.append((6, name))
    counts = run_with_retry(conn, cur, sql, params, commit=True)
    cur.execute({_STAGE})
    row = cur.fetchone()
    conn.close()
    return counts, row and row[0]
""",
    "a function that the helper calls": _HEAD
    + f"""    told = run_with_retry(conn, cur, move_two, (code, "B"), commit=True)
    cur.execute({_STAGE})
    row = cur.fetchone()
    conn.close()
    return told, row and row[0]
""",
    "a helper of a helper": _HEAD
    + f"""    through(conn, cur, {_SET}, (9, code))
    cur.execute({_STAGE})
    row = cur.fetchone()
    conn.commit()
    conn.close()
    return row and row[0]
""",
    "by keyword": _HEAD
    + f"""    run_with_retry(cursor=cur, db=conn, sql_or_func={_SET}, params=(9, code), commit=True)
    cur.execute({_STAGE})
    row = cur.fetchone()
    conn.close()
    return row and row[0]
""",
    "in a condition": _HEAD
    + f"""    if run_with_retry(conn, cur, {_SET}, (9, code)) and code == "A":
        conn.commit()
    else:
        conn.rollback()
    cur.execute({_STAGE})
    row = cur.fetchone()
    conn.close()
    return row and row[0]
""",
    "in a loop's condition": _HEAD
    + f"""    left = 3
    while left and run_with_retry(conn, cur, "UPDATE ormlift_lent SET stage = stage + 1 WHERE code = %s", (code,)):
        conn.commit()
        left -= 1
    cur.execute({_STAGE})
    row = cur.fetchone()
    conn.close()
    return left, row and row[0]
""",
    "a row's value handed on": _HEAD
    + f"""    cur.execute({_STAGE})
    row = cur.fetchone()
    if row is not None:
        run(cur, {_SET}, (row[0] + 1, code))
        conn.commit()
    conn.close()
""",
    "rows that are read before the loop": _HEAD
    + f"""    cur.execute("SELECT code, stage FROM ormlift_lent ORDER BY id")
    for name, stage in cur.fetchall():
        run_with_retry(conn, cur, {_SET}, (stage + 1, name), commit=True)
    conn.close()
""",
    "two cursors": _HEAD
    + f"""    other = conn.cursor()
    cur.execute("SELECT code, stage FROM ormlift_lent WHERE stage < %s ORDER BY id", (8,))
    rows = cur.fetchall()
    for row in rows:
        run(other, {_SET}, (row[1] + 30, row[0]))
    conn.commit()
    cur.execute({_STAGE})
    row = cur.fetchone()
    conn.close()
    return row and row[0]
""",
    "rows that a helper reads": _HEAD
    + f"""    cur.execute({_SET}, (9, code))
    found = rows_of(cur, "SELECT code, stage, owner FROM ormlift_lent ORDER BY id")
    conn.rollback()
    conn.close()
    return found
""",
    "nothing committed at the end of a function that reads": _HEAD
    + f"""    run(cur, {_SET}, (9, code))
    conn.commit()
    cur.execute({_STAGE})
    row = cur.fetchone()
    cur.close()
    conn.close()
    return row and row[0]
""",
    "in a comprehension, an assert and a text": _HEAD
    + f"""    cur.execute({_STAGE})
    row = cur.fetchone()
    counts = [run_with_retry(conn, cur, {_SET}, (n, code)) for n in (7, 8)]
    assert run(cur, {_SET}, (3, "B")) == 1
    text = f"{{run(cur, {_SET.replace('"', "'")}, (4, 'B'))}}"
    conn.commit()
    conn.close()
    return counts, text, row and row[0]
""",
    "behind another condition": _HEAD
    + f"""    cur.execute({_STAGE})
    row = cur.fetchone()
    if code == "B":
        pass
    elif run_with_retry(conn, cur, {_SET}, (40, code)) == 1:
        conn.commit()
    conn.close()
    return row and row[0]
""",
    "rows of a helper that are written": _HEAD
    + f"""    for name, stage in rows_of(cur, "SELECT code, stage FROM ormlift_lent ORDER BY id"):
        cur.execute({_SET}, (stage + 1, name))
    conn.commit()
    conn.close()
""",
    "a cursor that is made there": _HEAD
    + f"""    cur.execute({_STAGE})
    row = cur.fetchone()
    run(conn.cursor(), {_SET}, (9, code))
    conn.commit()
    conn.close()
    return row and row[0]
""",
    "in a finally": _HEAD
    + f"""    try:
        cur.execute({_SET}, (9, code))
        int("x")
    except ValueError:
        conn.rollback()
    finally:
        run_with_retry(conn, cur, {_SET}, (5, code), commit=True)
        conn.close()
""",
    "commits and rollbacks by turns": _HEAD
    + f"""    out = []
    for n in range(4):
        cur.execute({_SET}, (n, code))
        out.append(run(cur, "UPDATE ormlift_lent SET stage = stage + 100 WHERE code = %s", (code,)))
        if n % 2:
            conn.commit()
        else:
            conn.rollback()
        cur.execute({_STAGE})
        row = cur.fetchone()
        out.append(row and row[0])
    conn.close()
    return out
""",
    "two calls in one statement": _HEAD
    + f"""    cur.execute({_STAGE})
    row = cur.fetchone()
    n = run_with_retry(conn, cur, {_SET}, (9, code)) + run_with_retry(conn, cur, {_SET}, (9, "B"), commit=True)
    conn.close()
    return n, row and row[0]
""",
    "one call behind the other": _HEAD
    + f"""    cur.execute({_STAGE})
    row = cur.fetchone()
    run_with_retry(conn, cur, {_SET}, (9, code), commit=True)
    run_with_retry(conn, cur, {_SET}, (9, "B"), commit=True)
    conn.commit()
    run_with_retry(conn, cur, {_SET}, (10, "B"), commit=True)
    conn.close()
    return row and row[0]
""",
    "behind a colon": _HEAD
    + f"""    cur.execute({_STAGE})
    row = cur.fetchone()
    if row: run_with_retry(conn, cur, {_SET}, (9, code), commit=True)
    conn.close()
    return row and row[0]
""",
    "values of rows, one by one": _HEAD
    + """    cur.execute("SELECT stage, code FROM ormlift_lent ORDER BY id")
    params = []
    for row in cur.fetchall():
        params.append((row[0] + 5, row[1]))
    many(cur, "UPDATE ormlift_lent SET stage = %s WHERE code = %s", params)
    conn.commit()
    conn.close()
""",
    "a row taken apart": _HEAD
    + """    cur.execute("SELECT stage, code FROM ormlift_lent WHERE code = %s", (code,))
    row = cur.fetchone()
    if row:
        run(cur, "UPDATE ormlift_lent SET stage = %s + 5 WHERE code = %s AND stage < %s", (*row, 99))
        run(cur, "UPDATE ormlift_lent SET stage = stage + %s WHERE code = %s", list(row))
    conn.commit()
    conn.close()
""",
    "commits while rows are read": _HEAD
    + f"""    cur.execute("SELECT code, stage FROM ormlift_lent ORDER BY id")
    rows = cur.fetchall()
    cur.execute({_SET}, (4, "B"))
    for name, stage in rows:
        save(conn, {_SET}, (stage + 30, name))
    conn.close()
""",
    "an early return": _HEAD
    + f"""    cur.execute({_STAGE})
    row = cur.fetchone()
    if row is None:
        conn.close()
        return None
    run_with_retry(conn, cur, {_SET}, (9, code), commit=True)
    conn.close()
    return row[0]
""",
    "a comment between the arguments": _HEAD
    + f"""    cur.execute({_STAGE})
    row = cur.fetchone()
    # again and again
    run_with_retry(
        conn,  # the connection
        cur,
        {_SET},
        (9, code),
        commit=True,
    )  # done
    conn.close()
    return row and row[0]
""",
    "a decorator hands it in": f"""def opened_connection():
    return OPEN


def with_connection(function):
    def wrapper(*args):
        conn = opened_connection()
        try:
            cur = conn.cursor()
            return function(*args, conn=conn, cur=cur)
        finally:
            conn.close()

    return wrapper


@with_connection
def f(code, conn=None, cur=None):
    cur.execute({_STAGE})
    row = cur.fetchone()
    run_with_retry(conn, cur, {_SET}, (9, code), commit=True)
    return row and row[0]
""",
}


@pytest.mark.parametrize("apart", [True, False], ids=["in a file of its own", "in the same file"])
@pytest.mark.parametrize("name", list(_SAME))
def test_before_and_after_do_the_same(base: Base, name: str, *, apart: bool) -> None:
    if not apart and base.driver not in ("sqlite3", "pymysql"):
        pytest.skip("two drivers will do")
    before = base.program(_SAME[name], apart=apart)
    after = base.after(before)
    assert "connection()" in after
    assert base.after_again(after) == after
    assert "session.execute" in after or "session.query" in after
    for arguments in (("A",), ("none",)):
        old, new = base.run(before, arguments), base.run(after, arguments)
        assert new == old


_BLOCKS = {
    "a helper that opens a block while something is open": _HEAD
    + f"""    cur.execute({_SET}, (9, "B"))
    in_block(conn, {_SET}, (9, code))
    cur.execute({_SET}, (7, "B"))
    conn.rollback()
    conn.close()
""",
    "a helper that opens a block and fails": _HEAD
    + f"""    cur.execute({_SET}, (9, "B"))
    try:
        in_block(conn, {_INSERT}, (1, code))
    except DRIVER.IntegrityError:
        cur.execute({_SET}, (7, "A"))
        conn.commit()
    conn.close()
""",
    "a helper that commits in a block": _HEAD
    + f"""    with conn:
        cur.execute({_SET}, (9, code))
        end(conn)
        cur.execute({_SET}, (7, "B"))
    conn.close()
""",
    "a helper that fails in a block": _HEAD
    + f"""    try:
        with conn:
            cur.execute({_SET}, (9, code))
            run(cur, {_INSERT}, (1, "X"))
    except DRIVER.IntegrityError:
        return "taken back"
    finally:
        conn.close()
""",
}


@pytest.mark.parametrize("name", list(_BLOCKS))
def test_blocks_before_and_after_do_the_same(base: Base, name: str) -> None:
    before = base.program(_BLOCKS[name], apart=True)
    if base.driver not in ("sqlite3", "psycopg2"):
        reason = base.site(before).reason
        assert reason is not None
        assert reason.code in ("connection-escapes", "with-connection")
        return
    after = base.after(before)
    assert "driver_connection" in after
    for arguments in (("A",), ("none",)):
        old, new = base.run(before, arguments), base.run(after, arguments)
        assert new == old


_DEFERRED = """def f(code):
    conn = OPEN
    cur = conn.cursor()
    cur.execute("SELECT stage FROM ormlift_lent WHERE code = %s", (code,))
    row = cur.fetchone()
    try:
        run(cur, "INSERT INTO ormlift_later (parcel) VALUES (77)")
        conn.commit()
    except DRIVER.IntegrityError:
        conn.rollback()
        return "taken back"
    finally:
        conn.close()
    return row
"""
_LATER = """CREATE TABLE ormlift_later (
    parcel INTEGER REFERENCES ormlift_lent (id) DEFERRABLE INITIALLY DEFERRED
)"""


def test_errors_of_the_commit_behind_a_helper_are_caught(base: Base) -> None:
    if base.dialect != "postgresql":
        pytest.skip("checks at once")
    before = base.program(_DEFERRED, apart=True)
    after = base.after(before)
    found = []
    for program in (before, after):
        base.fresh()
        with base.engine.begin() as connection:
            connection.execute(text(_LATER))
        try:
            space: dict[str, Any] = {"__name__": "app.parcels", "HOW": base.how()}
            exec(compile(program, "app/parcels.py", "exec"), space)
            found.append(space["f"]("A"))
        finally:
            with base.engine.begin() as connection:
                connection.execute(text("DROP TABLE ormlift_later"))
    assert found == ["taken back", "taken back"]
