"""What a call hands out: sessions, connections, cursors, and what only looks like them."""

from __future__ import annotations

import ast
import pickle
from textwrap import dedent

import pytest
from ormlift.model import Source
from ormlift.project.facts import NEEDLES, read_facts, worth_parsing
from ormlift.schema import SourceKind, Tri

from tests.project.support import call_of, index_of, module_of

DB = """
from sqlalchemy import create_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker
DATABASE_URL = "sqlite:///app.db"
engine = create_engine(DATABASE_URL)
SessionLocal = sessionmaker(bind=engine, expire_on_commit=False)
db_session = scoped_session(SessionLocal)
_kept = None

def get_session():
    return SessionLocal()

def fresh():
    session = get_session()
    session.info["a"] = 1
    return session

def get_db():
    db = SessionLocal()
    try:
        yield db
    finally:
        db.close()

def kept_session():
    global _kept
    if _kept is None:
        _kept = SessionLocal()
    return _kept

class Manager:
    def __init__(self):
        self.SessionFactory = sessionmaker(bind=engine)
        self.main_session = SessionLocal()

    def open_session(self):
        return self.SessionFactory()

    @property
    def current_session(self):
        return self.main_session

    def session_or_none(self, x):
        if x:
            return None
        return self.open_session()

    def either_session(self, x):
        return self.open_session() if x else elsewhere(x)
"""

SESSION, SHARED = SourceKind.SESSION, SourceKind.SHARED_SESSION


@pytest.mark.parametrize(
    ("imports", "written", "kind"),
    [
        ("from app.db import SessionLocal", "SessionLocal()", SESSION),
        ("from app.db import SessionLocal as Local", "Local()", SESSION),
        ("from app import db", "db.SessionLocal()", SESSION),
        ("import app.db", "app.db.get_session()", SESSION),
        ("from .db import get_session", "get_session()", SESSION),
        ("from app.db import fresh", "fresh()", SESSION),
        ("from app.db import db_session", "db_session()", SHARED),
        ("from app.db import kept_session", "kept_session()", SHARED),
        ("from app.db import get_db", "get_db()", SourceKind.GENERATOR),
        ("from app.db import Manager", "Manager().open_session()", SESSION),
        ("from app.db import Manager", "Manager().session_or_none(1)", SESSION),
        ("from app.db import Manager", "Manager().either_session(1)", None),
        ("", "anything.open_session()", SESSION),
        ("", "anything[0].manager.SessionFactory()", SESSION),
        ("from sqlalchemy.orm import Session", "Session(engine)", SESSION),
        ("from sqlalchemy.orm import sessionmaker", "sessionmaker(bind=engine)()", SESSION),
        ("from sqlalchemy.ext.asyncio import AsyncSession", "AsyncSession(engine)", SourceKind.ASYNC_SESSION),
        ("from app.db import engine", "engine.connect()", SourceKind.ENGINE_CONNECTION),
        ("from app.db import engine", "engine.raw_connection()", SourceKind.CONNECTION),
        ("import sqlite3", "sqlite3.connect('a.db')", SourceKind.CONNECTION),
        ("import sqlite3", "sqlite3.connect('a.db').cursor()", SourceKind.CURSOR),
        ("from flask import current_app", "current_app.manager.open_session()", SESSION),
        ("import requests", "requests.Session()", None),
        ("import boto3", "boto3.open_session()", None),
        ("from tensorflow import get_session", "get_session()", None),
        ("from aiohttp import ClientSession as Session", "Session()", None),
        ("", "Session()", None),
        ("", "get_session()", None),
        ("import socket", "socket.socket().connect('a')", None),
        ("from app.db import Manager", "Manager().nothing()", None),
        ("from elsewhere import db", "db.get_session()", None),
    ],
)
def test_what_a_call_hands_out(imports, written, kind):
    index = index_of({"app/__init__.py": "", "app/db.py": DB})
    module = module_of(f"{imports}\ndef f():\n    x = {written}\n")
    source = index.source_of(call_of(module, written), module)
    assert (source.kind if source else None) == kind


def test_imports_inside_the_function_count():
    index = index_of({"app/db.py": DB})
    module = module_of(
        "def f():\n    from app.db import get_session\n    get_session()\n\ndef g():\n    get_session ()\n"
    )
    calls = [n for n in ast.walk(module.tree) if isinstance(n, ast.Call)]
    assert [bool(index.source_of(c, module)) for c in calls] == [True, False]


def test_a_factory_made_in_the_function():
    index = index_of({"app/db.py": DB})
    module = module_of(
        """
        from sqlalchemy.orm import sessionmaker
        def f(engine):
            Local = sessionmaker(bind=engine, expire_on_commit=False)
            session = Local()
        """
    )
    source = index.source_of(call_of(module, "Local()"), module)
    assert source is not None
    assert (source.kind, source.expire_on_commit) == (SESSION, Tri.NO)


def test_factories_and_engines():
    index = index_of({"app/db.py": DB})
    assert {(f.owner, f.name, f.scoped, f.expire_on_commit) for f in index.factories} == {
        ("", "SessionLocal", False, Tri.NO),
        ("", "db_session", True, Tri.NO),
        ("Manager", "SessionFactory", False, Tri.YES),
    }
    assert [(e.name, e.url, e.dialect, e.literal) for e in index.engines] == [
        ("engine", "sqlite:///app.db", "sqlite", True)
    ]


def test_a_name_that_two_classes_give_different_meanings_is_unknown():
    other = "import requests\nclass Api:\n    def open_session(self):\n        return requests.Session()\n"
    index = index_of({"app/db.py": DB, "app/api.py": other + "# sessionmaker\n"})
    module = module_of("def f(x):\n    x.open_session()\n")
    assert index.source_of(call_of(module, "x.open_session()"), module) is None


def test_a_parameter_with_a_class_is_followed_to_it():
    other = "import requests\nclass Api:\n    def open_session(self):\n        return requests.Session()\n"
    index = index_of({"app/db.py": DB, "app/api.py": other + "# sessionmaker\n"})
    module = module_of("from app.db import Manager\ndef f(x: Manager):\n    x.open_session()\n")
    source = index.source_of(call_of(module, "x.open_session()"), module)
    assert source is not None
    assert source.kind is SESSION


def test_a_parameter_with_a_class_of_another_library_is_left_alone():
    index = index_of({"app/db.py": DB})
    module = module_of("from httpx import Client\ndef f(x: Client):\n    x.open_session()\n")
    assert index.source_of(call_of(module, "x.open_session()"), module) is None


def test_a_package_that_hands_names_on():
    index = index_of({"src/shop/db/session.py": DB, "src/shop/use.py": "import shop.db\n# sessionmaker\n"})
    assert {s.module for s in index.sources} == {"shop.db.session"}
    module = module_of("from shop.db import get_session\nget_session()\n", "src/shop/use.py")
    source = index.source_of(call_of(module, "get_session()"), module)
    assert source is not None
    assert source.path == "src/shop/db/session.py"


CONNECTIONS = """
import sqlite3
import psycopg2
from psycopg2.extras import RealDictCursor
PATH = "app.db"

def plain():
    return sqlite3.connect(PATH)

def by_name():
    conn = sqlite3.connect(database=PATH, timeout=5)
    conn.row_factory = sqlite3.Row
    return conn

def autocommitting():
    return sqlite3.connect(PATH, isolation_level=None)

def dicts():
    conn = psycopg2.connect(dbname="x", cursor_factory=RealDictCursor)
    conn.autocommit = True
    return conn

def pair():
    conn = plain()
    cursor = conn.cursor()
    return conn, cursor

def open_kwargs(options):
    return sqlite3.connect(PATH, **options)

class Store:
    def connect(self):
        self.conn = sqlite3.connect(PATH)
        return self.conn
"""


def test_connections():
    index = index_of({"app/store.py": CONNECTIONS})
    found = {s.name: (s.kind, s.driver, s.database, s.rows, s.autocommit, s.shared) for s in index.sources}
    connection = SourceKind.CONNECTION
    assert found == {
        "plain": (connection, "sqlite3", "PATH", "tuple", Tri.NO, False),
        "by_name": (connection, "sqlite3", "PATH", "mapping", Tri.NO, False),
        "autocommitting": (connection, "sqlite3", "PATH", "tuple", Tri.YES, False),
        "dicts": (connection, "psycopg2", "'x'", "mapping", Tri.YES, False),
        "pair": (SourceKind.CONNECTION_AND_CURSOR, "sqlite3", "PATH", "tuple", Tri.NO, False),
        "open_kwargs": (connection, "sqlite3", "PATH", "", Tri.UNKNOWN, False),
        "connect": (connection, "sqlite3", "PATH", "tuple", Tri.NO, True),
    }


def test_the_file_as_it_stands_now_counts():
    index = index_of({"app/db.py": DB})
    changed = module_of(DB.replace("return SessionLocal()", "return None") + "\nget_session()\n", "app/db.py")
    last = changed.tree.body[-1]
    assert isinstance(last, ast.Expr)
    assert isinstance(last.value, ast.Call)
    assert index.source_of(last.value, changed) is None


def test_the_index_can_be_handed_to_another_process():
    index = index_of({"app/db.py": DB})
    module = module_of("from app.db import get_session\nget_session()\n")
    before = index.source_of(call_of(module, "get_session()"), module)
    again = pickle.loads(pickle.dumps(index))
    assert again == index
    assert before is not None
    assert again.source_of(call_of(module, "get_session()"), module) == before


@pytest.mark.parametrize("text", [DB, CONNECTIONS], ids=["sessions", "connections"])
def test_needles_let_through_what_is_worth_parsing(text):
    assert worth_parsing(text)
    assert any(n in text.encode() for n in NEEDLES)


@pytest.mark.parametrize(
    "text",
    [
        "import os\n\ndef main():\n    return os.getcwd()\n",
        "def delete_session(key):\n    return store.pop(key)\n",
        "def f():\n    conn.cursor().execute('SELECT 1')\n",
    ],
)
def test_other_files_are_not_parsed(text):
    assert not worth_parsing(text)


def test_a_file_that_does_not_parse_has_no_facts():
    facts = read_facts(Source("bad.py", dedent(DB) + "\ndef (:\n"))
    assert (facts.functions, facts.bindings, facts.classes) == ((), (), ())
