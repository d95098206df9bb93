"""Scopes that `init` writes: read back by the index, and run on a real database."""

import asyncio
import sqlite3
import sys
import types
from contextlib import closing
from dataclasses import replace

import pytest
from ormlift.model import Source
from ormlift.project.facts import read_facts
from ormlift.project.index import link
from ormlift.schema import Tri
from ormlift.setup.session import SetupError, needs_arguments, why_not, write_scope, write_session

SYNC = """\
# the database
from sqlalchemy import create_engine
from sqlalchemy.orm import scoped_session, sessionmaker

engine = create_engine("sqlite:///{path}")
SessionLocal = sessionmaker(bind=engine)  # for all


def later():
    return SessionLocal
"""
ASYNC = """\
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

engine = create_async_engine("sqlite+aiosqlite:///{path}")
Maker = async_sessionmaker(engine)"""
SHARED = SYNC.replace("sessionmaker(bind=engine)  # for all", "scoped_session(sessionmaker(bind=engine))")
LATE = """\
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

Maker = None


def start():
    global Maker
    Maker = sessionmaker(bind=create_engine("sqlite:///{path}"))
"""
OPENER = """\
import sqlite3


def connect(timeout=5):
    connection = sqlite3.connect("{path}", timeout=timeout)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA foreign_keys = ON")
    return connection
"""


def written(text):
    source = Source("app/db.py", text)
    index = link([read_facts(source)])
    if index.factories:
        return write_scope(source, index.factories[0])
    (opener,) = index.sources
    return write_session(source, opener)


def module_of(text, name="written_db"):
    module = types.ModuleType(name)
    exec(compile(text, f"{name}.py", "exec"), module.__dict__)
    return module


@pytest.fixture
def path(tmp_path):
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        connection.executescript(
            "CREATE TABLE a (x INTEGER); CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p);"
        )
    return tmp_path / "a.db"


def stored(path):
    with closing(sqlite3.connect(path)) as connection:
        return [x for (x,) in connection.execute("SELECT x FROM a ORDER BY x")]


@pytest.mark.parametrize("text", [SYNC, SHARED, LATE, OPENER], ids=["plain", "shared", "late", "opener"])
def test_a_scope_commits_rolls_back_and_closes(path, text):
    from sqlalchemy import text as sql

    found = written(text.replace("{path}", str(path)))
    module = module_of(found.source.text)
    if hasattr(module, "start"):
        module.start()
    scope = getattr(module, found.scope)
    with scope() as one, scope() as two:
        assert one is not two, "each block has a session of its own"
    with scope() as session:
        session.execute(sql("INSERT INTO a VALUES (1)"))
    with pytest.raises(LookupError), scope() as session:
        session.execute(sql("INSERT INTO a VALUES (2)"))
        raise LookupError
    assert stored(path) == [1]
    assert not session.in_transaction(), "it is closed"
    session.get_bind().dispose()


def test_the_engine_opens_its_connections_as_the_code_does(path):
    from sqlalchemy import text as sql
    from sqlalchemy.exc import IntegrityError

    module = module_of(written(OPENER.replace("{path}", str(path))).source.text)
    with pytest.raises(IntegrityError), module.session_scope() as session:
        session.execute(sql("INSERT INTO c VALUES (7)"))
    with module.session_scope() as session:
        row = session.execute(sql("SELECT 1 AS x, 'a' AS y")).first()
    assert (tuple(row), row.x, row.y) == ((1, "a"), 1, "a")


def test_an_async_scope_for_an_async_factory(path):
    from sqlalchemy import text as sql

    found = written(ASYNC.replace("{path}", str(path)))
    module = module_of(found.source.text)

    async def work():
        async with module.session_scope() as session:
            await session.execute(sql("INSERT INTO a VALUES (1)"))
        with pytest.raises(LookupError):
            async with module.session_scope() as session:
                await session.execute(sql("INSERT INTO a VALUES (2)"))
                raise LookupError
        await module.engine.dispose()

    asyncio.run(work())
    assert stored(path) == [1]


@pytest.mark.parametrize("text", [SYNC, ASYNC, SHARED, OPENER], ids=["plain", "async", "shared", "opener"])
def test_the_index_reads_what_was_written(text):
    found = written(text)
    (scope,) = link([read_facts(found.source)]).scopes
    assert (scope.name, scope.commits, scope.rolls_back, scope.closes) == (found.scope, Tri.YES, Tri.YES, Tri.YES)
    assert (scope.swallows, scope.shared, scope.wraps) == (Tri.NO, Tri.NO, "")
    assert scope.is_async is (text is ASYNC)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("text", [SYNC, ASYNC, SHARED, LATE, OPENER])
def test_all_else_stays_as_it_was(text, newline):
    text = text.replace("\n", newline)
    new = written(text).source.text
    kept = [line for line in new.split(newline) if line in text.split(newline)]
    lines = [line for line in text.split(newline) if "import" not in line]
    assert [line for line in kept if line.strip() and "import" not in line][: len(lines)]
    for line in lines:
        assert line in new
    assert "\n" not in new.replace(newline, "")
    assert f"{newline}{newline}{newline}{newline}" not in new


def test_a_name_that_is_taken_is_not_used():
    text = SYNC + "\n\nsession_scope = None\n"
    assert written(text).scope == "orm_session_scope"
    with pytest.raises(SetupError, match="by hand"):
        written(text + "orm_session_scope = unit_of_work = 1\n")
    with pytest.raises(SetupError, match="contextmanager"):
        written(SYNC + "\n\ndef contextmanager():\n    pass\n")


CAN_NOT = {
    "one connection for all": OPENER.replace("    connection = ", "    global connection\n    connection = "),
    "rows of its own": OPENER.replace("sqlite3.Row", "make_dict"),
    "a driver without an engine": OPENER.replace("sqlite3", "apsw").replace("apsw.connect", "apsw.Connection"),
}


@pytest.mark.parametrize("text", CAN_NOT.values(), ids=CAN_NOT.keys())
def test_openers_that_no_engine_can_use(text):
    for opener in link([read_facts(Source("app/db.py", text))]).sources:
        assert why_not(opener)


def test_an_opener_that_needs_arguments():
    source = Source("app/db.py", OPENER)
    (opener,) = link([read_facts(source)]).sources
    assert not needs_arguments(source, opener)
    assert needs_arguments(replace(source, text=OPENER.replace("timeout=5", "timeout")), opener)


def test_a_factory_of_a_class_is_written_by_hand():
    text = "class Db:\n    def __init__(self):\n        self.Maker = sessionmaker()\n"
    text = f"from sqlalchemy.orm import sessionmaker\n\n\n{text}"
    with pytest.raises(SetupError, match=r"Db\.Maker is made in a class"):
        written(text)


def test_modules_made_here_are_not_left_behind():
    assert "written_db" not in sys.modules
