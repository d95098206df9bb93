"""Cursor code of psycopg2 and PyMySQL, run before and after on servers (`.ci/databases` starts them)."""

import json
import os
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ormlift.model import Planned, Settings, Source
from ormlift.plan import plan_file
from ormlift.project.facts import read_facts
from ormlift.project.index import link
from ormlift.rules.cursor_to_orm import CODEMOD
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

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
_OPEN = {
    "postgresql": ("import psycopg2\nfrom psycopg2.extras import RealDictCursor\n\n\n", "psycopg2.connect(**HOW)"),
    "mysql": ("import pymysql\nfrom pymysql.cursors import DictCursor\n\n\n", "pymysql.connect(**HOW)"),
}
_DICTS = {"postgresql": "conn.cursor(cursor_factory=RealDictCursor)", "mysql": "conn.cursor(DictCursor)"}


class Server:
    """One server, with a table of rows that is made anew for each run."""

    def __init__(self, dialect: str, url: str) -> None:
        self.dialect = dialect
        self.engine = create_engine(url)
        models = types.ModuleType("app.models")
        exec(_MODELS, models.__dict__)
        self.models = models
        self.url = url

    def text(self, body: str) -> str:
        head, opened = _OPEN[self.dialect]
        return head + body.replace("OPEN", opened).replace("DICTS", _DICTS[self.dialect])

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
        names = {"postgresql": "dbname", "mysql": "database"}
        how = {"host": made.host, "port": made.port, "user": made.username, names[self.dialect]: made.database}
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


@pytest.fixture(params=["postgresql", "mysql"])
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    url = os.environ.get(f"ORMLIFT_TEST_{request.param.upper()}", "")
    if not url:
        pytest.skip("no server")
    made = Server(request.param, url)
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
    cur = conn.cursor()
    cur.executemany("INSERT INTO ormlift_parcels (id, code, stage, rush) VALUES (%s, %s, 0, false)", pairs)
    conn.commit()
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
_CALLS: dict[str, tuple[str, list[tuple[Any, ...]]]] = {
    "a row that is a dict": (_ONE, [("A",), ("none",), ("ß",)]),
    "rows that are dicts, by a list": (_ALL, [([1, 2],), ([7],), ((2,),)]),
    "an update that counts": (_WRITE, [("A", 3), ("none", 1)]),
    "a word in the text": (_LIKE, [("d",), ("",), ("A",)]),
    "many rows": (_MANY, [([(8, "X"), (9, "Y")],), ([],), ([(8, "A")],)]),
    "dicts made with the description": (_NAMES, [()]),
}


def _after(program: str, url: str) -> str:
    files = {"app/models.py": _MODELS, "app/db.py": _DB.format(url=url), "app/parcels.py": program}
    index = link(read_facts(Source(path, held)) for path, held in files.items())
    outcome = plan_file(Source("app/parcels.py", program), index, Settings(unsafe=True, codemods=(CODEMOD.id,)))
    assert isinstance(outcome, Planned), outcome
    return outcome.after.text


@pytest.mark.parametrize("name", list(_CALLS))
def test_before_and_after_do_the_same(server: Server, name: str) -> None:
    body, calls = _CALLS[name]
    before = server.text(body)
    after = _after(before, server.url)
    for arguments in calls:
        assert server.run(after, lambda s, a=arguments: s["f"](*a)) == server.run(
            before, lambda s, a=arguments: s["f"](*a)
        )


def test_rows_that_were_dicts_are(server: Server) -> None:
    after = _after(server.text(_ALL), server.url)
    server.fresh()
    result, failed, _ = server.run(after, lambda s: json.dumps(s["f"]([1])["rows"][0]))
    assert not failed
    assert result.startswith('{"code": "A", "owner": null')
