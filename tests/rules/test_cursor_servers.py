"""Cursor code of each driver, run before and after on SQLite and on servers (`.ci/databases` starts them)."""

import json
import os
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ormlift.model import Outcome, Planned, Settings, Source
from ormlift.plan import plan_file
from ormlift.project.facts import read_facts
from ormlift.project.index import link
from ormlift.rules.cursor_to_orm import CODEMOD
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from tests.rules.cursor_runs import whole_index

_MODELS = """
from sqlalchemy import JSON, Boolean, DateTime, Integer, Numeric, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Parcel(Base):
    __tablename__ = "ormlift_parcels"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    code: Mapped[str] = mapped_column(String(20), nullable=False, unique=True)
    stage: Mapped[int] = mapped_column(Integer, nullable=False)
    rush: Mapped[bool] = mapped_column(Boolean, nullable=False)
    owner: Mapped[str | None] = mapped_column(String(40))
"""
_DB = """
from contextlib import contextmanager

from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

engine = create_engine("{url}")
SessionLocal = sessionmaker(bind=engine)


@contextmanager
def session_scope():
    session = SessionLocal()
    try:
        yield session
        session.commit()
    except Exception:
        session.rollback()
        raise
    finally:
        session.close()
"""
_ROWS = [
    {"id": 1, "code": "A", "stage": 1, "rush": False, "owner": None},
    {"id": 2, "code": "B", "stage": 2, "rush": True, "owner": "Ada"},
    {"id": 3, "code": "ß", "stage": 2, "rush": False, "owner": ""},
]
_RAW = "engine.raw_connection()"
_SERVER = "from app.db import engine\n\n\n"


@dataclass(frozen=True)
class Driver:
    """How code says one driver."""

    dialect: str
    head: str
    opened: str
    dicts: str = ""  # a cursor whose rows are dicts; empty: there is none
    lets_go: bool = False  # a connection that is out of reach is closed at once


_DRIVERS = {
    "psycopg2": Driver(
        "postgresql",
        "import psycopg2\nfrom psycopg2.extras import RealDictCursor\n\n\n",
        "psycopg2.connect(**HOW)",
        "conn.cursor(cursor_factory=RealDictCursor)",
        lets_go=True,
    ),
    "psycopg": Driver(
        "postgresql",
        "import psycopg\nfrom psycopg.rows import dict_row\n\n\n",
        "psycopg.connect(**HOW)",
        "conn.cursor(row_factory=dict_row)",
    ),
    "pymysql": Driver(
        "mysql",
        "import pymysql\nfrom pymysql.cursors import DictCursor\n\n\n",
        "pymysql.connect(**HOW)",
        "conn.cursor(DictCursor)",
        lets_go=True,
    ),
    "mysql.connector": Driver(
        "mysql",
        "import mysql.connector\n\n\n",
        "mysql.connector.connect(**HOW)",
        "conn.cursor(dictionary=True)",
    ),
    "raw_connection on sqlite": Driver("sqlite", _SERVER, _RAW),
    "raw_connection on postgresql": Driver("postgresql", _SERVER, _RAW),
    "raw_connection on mysql": Driver("mysql", _SERVER, _RAW),
}


class Server:
    """One server, with a table of rows that is made anew for each run."""

    def __init__(self, driver: Driver, url: str) -> None:
        self.driver = driver
        self.engine = create_engine(url)
        models = types.ModuleType("app.models")
        exec(_MODELS, models.__dict__)
        self.models = models
        self.url = url

    def text(self, body: str) -> str:
        if self.driver.dialect == "sqlite" and " % " not in body:
            body = body.replace("%s", "?")
        return self.driver.head + body.replace("OPEN", self.driver.opened).replace("DICTS", self.driver.dicts)

    def fresh(self) -> None:
        base = self.models.Base
        base.metadata.drop_all(self.engine)
        base.metadata.create_all(self.engine)
        with self.engine.begin() as connection:
            connection.execute(base.metadata.tables["ormlift_parcels"].insert(), _ROWS)

    def run(self, program: str, call: Callable[[Any], Any]) -> tuple[Any, bool, list[Any]]:
        """What a call gives, whether it raises what breaks a constraint, and the rows after it."""
        self.fresh()
        made = make_url(self.url)
        name = "dbname" if self.driver.dialect == "postgresql" else "database"
        how = {"host": made.host, "port": made.port, "user": made.username, name: made.database}
        how |= {"password": made.password} if made.password else {}
        space: dict[str, Any] = {"__name__": "app.parcels", "HOW": how}
        exec(compile(program, "app/parcels.py", "exec"), space)
        result, failed = None, False
        try:
            result = call(space)
        except Exception as error:
            assert any("IntegrityError" in kind.__name__ for kind in type(error).__mro__)
            failed = True
        with self.engine.connect() as connection:
            rows = [tuple(r) for r in connection.execute(text("SELECT * FROM ormlift_parcels ORDER BY id"))]
        return result, failed, rows


@pytest.fixture(params=list(_DRIVERS))
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    driver = _DRIVERS[request.param]
    url = f"sqlite:///{tmp_path / 'app.db'}"
    if driver.dialect != "sqlite":
        url = os.environ.get(f"ORMLIFT_TEST_{driver.dialect.upper()}", "")
    if not url:
        pytest.skip("no server")
    made = Server(driver, url)
    app, db = types.ModuleType("app"), types.ModuleType("app.db")
    exec(_DB.format(url=url), db.__dict__)
    for name, module in {"app": app, "app.db": db, "app.models": made.models}.items():
        monkeypatch.setitem(sys.modules, name, module)
    yield made
    made.models.Base.metadata.drop_all(made.engine)
    db.engine.dispose()
    made.engine.dispose()


_ONE = """def f(code):
    conn = OPEN
    cur = DICTS
    cur.execute("SELECT id, code, stage FROM ormlift_parcels WHERE code = %s", (code,))
    return cur.fetchone()
"""
_ALL = """def f(stages):
    conn = OPEN
    try:
        with DICTS as cur:
            marks = ", ".join(["%s"] * len(stages))
            cur.execute(f"SELECT code, owner, rush FROM ormlift_parcels WHERE stage IN ({marks}) ORDER BY id", stages)
            rows = cur.fetchall()
            return {"rows": rows or [], "codes": [row["code"] for row in rows]}
    finally:
        conn.close()
"""
_WRITE = """def f(code, stage):
    conn = OPEN
    cur = conn.cursor()
    cur.execute("UPDATE ormlift_parcels SET stage = stage + %s WHERE code = %s", (stage, code))
    moved = cur.rowcount
    conn.commit()
    conn.close()
    return moved
"""
_LIKE = """def f(word):
    conn = OPEN
    cur = conn.cursor()
    cur.execute("SELECT code FROM ormlift_parcels WHERE owner LIKE '%%%s%%' ORDER BY id" % word)
    found = [row[0] for row in cur.fetchall()]
    conn.close()
    return found
"""
_MANY = """def f(pairs):
    conn = OPEN
    try:
        cur = conn.cursor()
        cur.executemany("INSERT INTO ormlift_parcels (id, code, stage, rush) VALUES (%s, %s, 0, false)", pairs)
        conn.commit()
    finally:
        conn.close()
"""
_NAMES = """def f():
    conn = OPEN
    cur = conn.cursor()
    cur.execute("SELECT code, COUNT(*) AS many FROM ormlift_parcels GROUP BY code ORDER BY code")
    names = [column[0] for column in cur.description]
    found = [dict(zip(names, row)) for row in cur.fetchall()]
    conn.close()
    return found
"""
_TUPLES = """def f(stage):
    conn = OPEN
    try:
        cur = conn.cursor()
        cur.execute("SELECT id, code, owner FROM ormlift_parcels WHERE stage = %s ORDER BY id", (stage,))
        first = cur.fetchone()
        return [(number, code, owner) for number, code, owner in cur], first and first[1]
    finally:
        conn.close()
"""
_UNDO = """def f(code):
    conn = OPEN
    cur = conn.cursor()
    try:
        cur.execute("INSERT INTO ormlift_parcels (id, code, stage, rush) VALUES (7, %s, 1, false)", (code,))
        cur.execute("DELETE FROM ormlift_parcels WHERE id = 1")
        conn.commit()
    except Exception:
        conn.rollback()
        raise
    finally:
        cur.close()
        conn.close()
"""
_HANDED = """def row_of(cur, code):
    cur.execute("SELECT id, code, stage FROM ormlift_parcels WHERE code = %s", (code,))
    row = cur.fetchone()
    return row["stage"] if row else None


def put(conn, number, code):
    with conn.cursor() as cur:
        cur.execute("INSERT INTO ormlift_parcels (id, code, stage, rush) VALUES (%s, %s, 1, false)", (number, code))
    conn.commit()


def f(code):
    conn = OPEN
    try:
        before = row_of(DICTS, code)
        put(conn, 7, code)
        cur = DICTS
        return before, row_of(cur, code), row_of(cur=cur, code="A")
    except Exception:
        conn.rollback()
        raise
    finally:
        conn.close()
"""
_HANDED_BLOCK = """def moved(conn, cur, code, stage):
    cur.execute("UPDATE ormlift_parcels SET stage = %s WHERE code = %s", (stage, code))
    count = cur.rowcount
    conn.commit()
    return count


def codes(cur, stage):
    cur.execute("SELECT code FROM ormlift_parcels WHERE stage = %s ORDER BY id", (stage,))
    return [code for (code,) in cur.fetchall()]


def f(stage):
    conn = OPEN
    cur = conn.cursor()
    found = [moved(conn, cur, code, stage + 1) for code in codes(cur, stage)], codes(cur, stage + 1)
    cur.close()
    conn.close()
    return found
"""
_CALLS: dict[str, tuple[str, list[tuple[Any, ...]]]] = {
    "a row that is a dict": (_ONE, [("A",), ("none",), ("ß",)]),
    "rows that are dicts, by a list": (_ALL, [([1, 2],), ([7],), ((2,),)]),
    "an update that counts": (_WRITE, [("A", 3), ("none", 1)]),
    "a word in the text": (_LIKE, [("d",), ("",), ("A",)]),
    "many rows": (_MANY, [([(8, "X"), (9, "Y")],), ([],), ([(8, "A")],)]),
    "a row and those after it": (_TUPLES, [(2,), (7,)]),
    "two changes, or none": (_UNDO, [("X",), ("A",)]),
    "dicts made with the description": (_NAMES, [()]),
    "functions that are handed cursors of dicts": (_HANDED, [("X",), ("A",), ("none",)]),
    "functions that are handed a connection and its cursor": (_HANDED_BLOCK, [(2,), (9,)]),
}


def _outcome(program: str, server: Server) -> Outcome:
    files = {"app/models.py": _MODELS, "app/db.py": _DB.format(url=server.url), "app/parcels.py": program}
    settings = Settings(unsafe=True, codemods=(CODEMOD.id,), dialect=server.driver.dialect)
    return plan_file(Source("app/parcels.py", program), whole_index(files), settings)


def _after(program: str, server: Server, *, opens: bool = False) -> str:
    outcome = _outcome(program, server)
    assert isinstance(outcome, Planned), outcome
    assert opens or server.driver.opened not in outcome.after.text
    return outcome.after.text


@pytest.mark.parametrize("name", list(_CALLS))
def test_before_and_after_do_the_same(server: Server, name: str) -> None:
    body, calls = _CALLS[name]
    if "DICTS" in body and not server.driver.dicts:
        pytest.skip("the driver has no such cursor")
    if body is _ONE and not server.driver.lets_go:
        pytest.skip("a connection that nothing closes holds the table")
    before = server.text(body)
    after = _after(before, server)
    for arguments in calls:
        assert server.run(after, lambda s, a=arguments: s["f"](*a)) == server.run(
            before, lambda s, a=arguments: s["f"](*a)
        )


def test_rows_that_were_dicts_are(server: Server) -> None:
    if not server.driver.dicts:
        pytest.skip("the driver has no such cursor")
    after = _after(server.text(_ALL), server)
    server.fresh()
    result, failed, _ = server.run(after, lambda s: json.dumps(s["f"]([1])["rows"][0]))
    assert not failed
    assert result.startswith('{"code": "A", "owner": null')


_KEPT = """class Store:
    def __init__(self):
        self.conn = OPEN
        self.cur = self.DICTS

    def of(self, stage):
        self.cur.execute("SELECT code, owner FROM ormlift_parcels WHERE stage = %s ORDER BY id", (stage,))
        return self.cur.fetchall()
"""


def test_dicts_of_a_kept_cursor_are_dicts(server: Server) -> None:
    if not server.driver.dicts:
        pytest.skip("the driver has no such cursor")
    before = server.text(_KEPT)
    after = _after(before, server, opens=True)

    def called(space: Any) -> Any:
        store = space["Store"]()
        try:
            return list(store.of(2))
        finally:
            store.conn.close()

    assert server.run(after, called) == server.run(before, called)


def test_a_later_row_that_is_a_dict_is_not_fetched_twice(server: Server) -> None:
    if not server.driver.dicts:
        pytest.skip("the driver has no such cursor")
    body = _ONE.replace("    return", "    first = cur.fetchone()\n    print(first['id'])\n    return")
    settings = Settings(unsafe=True, codemods=(CODEMOD.id,), dialect=server.driver.dialect)
    program = server.text(body)
    files = {"app/models.py": _MODELS, "app/db.py": _DB.format(url=server.url), "app/parcels.py": program}
    index = link(read_facts(Source(path, held)) for path, held in files.items())
    (site,) = plan_file(Source("app/parcels.py", program), index, settings).sites
    assert site.reason is not None
    assert site.reason.code == "row-leaves"


_PAIR = """def opened():
    conn = OPEN
    cur = DICTS
    return conn, cur


def f(stage):
    conn, cur = opened()
    try:
        cur.execute("SELECT code, owner FROM ormlift_parcels WHERE stage = %s ORDER BY id", (stage,))
        return list(cur.fetchall())
    finally:
        conn.close()
"""
_GIVEN = """def with_connection(function):
    def wrapper(*args):
        conn = OPEN
        try:
            cur = DICTS
            return function(*args, cur=cur)
        finally:
            conn.close()

    return wrapper


@with_connection
def f(stage, cur=None):
    cur.execute("SELECT code, owner FROM ormlift_parcels WHERE stage = %s ORDER BY id", (stage,))
    rows = cur.fetchall()
    return [row for row in rows]
"""


@pytest.mark.parametrize("body", [_PAIR, _GIVEN], ids=["a pair", "a decorator"])
def test_dicts_of_a_cursor_that_is_made_elsewhere_are_dicts(server: Server, body: str) -> None:
    if not server.driver.dicts:
        pytest.skip("the driver has no such cursor")
    before = server.text(body)
    after = _after(before, server, opens=True)
    assert "session.execute" in after
    (new, _, rows), (old, _, same) = (server.run(text, lambda s: s["f"](2)) for text in (after, before))
    assert new == old
    assert all(isinstance(row, dict) for row in new)
    assert rows == same


_IN = """def f(stages, codes):
    conn = OPEN
    cur = conn.cursor()
    cur.execute("SELECT id, code FROM ormlift_parcels WHERE stage IN %s ORDER BY id", (tuple(stages),))
    found = cur.fetchall()
    cur.execute(
        "UPDATE ormlift_parcels SET stage = %(to)s WHERE code NOT IN %(codes)s", {"to": 9, "codes": tuple(codes)}
    )
    count = cur.rowcount
    conn.commit()
    conn.close()
    return [tuple(row) for row in found], count
"""


def test_a_tuple_for_one_placeholder(server: Server) -> None:
    """psycopg2 and PyMySQL write it out; of the others the text stays as it is."""
    before = server.text(_IN)
    writes_out = server.driver.head.split()[1] in ("psycopg2", "pymysql")
    outcome = _outcome(before, server)
    if not writes_out:
        assert not isinstance(outcome, Planned) or "in_(" not in outcome.after.text
        return
    after = _after(before, server)
    assert "Parcel.stage.in_(tuple(stages))" in after
    for arguments in (([1, 2], ["A"]), ([7], ["none"]), ((2, None), ["A", "B"]), ([2], ["A", None])):
        results = [server.run(text, lambda s, a=arguments: s["f"](*a)) for text in (before, after)]
        assert results[0] == results[1], arguments


_ASKED = """def f(stage):
    found = None
    try:
        conn = OPEN
        if conn.is_connected():
            cur = conn.cursor()
            cur.execute("SELECT id, code FROM ormlift_parcels WHERE stage = %s ORDER BY id", (stage,))
            found = [row[1] for row in cur.fetchall()]
            cur.execute("UPDATE ormlift_parcels SET stage = stage + 1 WHERE stage = %s", (stage,))
            conn.commit()
    finally:
        if conn.is_connected():
            cur.close()
            conn.close()
    return found
"""


@pytest.mark.parametrize("server", ["mysql.connector"], indirect=True)
def test_a_connection_that_is_asked_whether_it_is_open(server: Server) -> None:
    before = server.text(_ASKED)
    after = _after(before, server)
    assert "if session.is_active:" in after
    for stage in (2, 7):
        results = [server.run(text, lambda s, n=stage: s["f"](n)) for text in (before, after)]
        assert results[0] == results[1]
