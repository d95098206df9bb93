"""A small project whose modules listen for events, and its programs: planned, and run before and after by version."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from ormlift.model import Outcome, Settings, Source
from ormlift.plan import plan_file
from ormlift.project.facts import read_facts
from ormlift.project.graph import ImportGraph, import_lines
from ormlift.project.index import link
from ormlift.project.named import Named
from ormlift.project.texts import Texts
from ormlift.rules.cursor_to_orm import CODEMOD as CURSOR
from ormlift.rules.text_to_orm import CODEMOD

ROOT = Path(__file__).parents[2]
OLD = "ORMLIFT_TEST_SQLALCHEMY_1_4"
POSTGRESQL = "ORMLIFT_TEST_POSTGRESQL"
PATH = "app/work.py"
MODELS = """\
from sqlalchemy import Boolean, Column, DateTime, Float, ForeignKey, Integer, Numeric, String, Text
from sqlalchemy.orm import declarative_base

Base = declarative_base()


class User(Base):
    __tablename__ = "users"
    id = Column(Integer, primary_key=True)
    name = Column(String(40))
    posts = Column(Integer, nullable=False, default=0)
    admin = Column(Boolean)
    seen = Column(DateTime)


class Post(Base):
    __tablename__ = "posts"
    id = Column(Integer, primary_key=True)
    user_id = Column(Integer, ForeignKey("users.id"))
    parent_id = Column(Integer)
    title = Column(String(40))
    price = Column(Numeric(10, 2))
    rate = Column(Float)
    open = Column(Boolean)


class Total(Base):
    __tablename__ = "totals"
    id = Column(Integer, primary_key=True)
    what = Column(String(40))
    n = Column(Integer)
    told = Column(Text)
"""
DB = """\
from sqlalchemy import create_engine
from sqlalchemy.orm import close_all_sessions, sessionmaker

engine = create_engine("{url}"{options})
SessionLocal = sessionmaker(bind=engine)
"""
SEEDS = (
    "INSERT INTO users (id, name, posts, admin, seen) VALUES (1, 'Ada', 2, TRUE, '2024-01-02 03:04:05')",
    "INSERT INTO users (id, name, posts, admin, seen) VALUES (2, 'Bo', 0, FALSE, NULL), (3, NULL, 0, NULL, NULL)",
    "INSERT INTO posts (id, user_id, parent_id, title, open) VALUES (11, 1, NULL, 'o', TRUE), (12, 1, 11, 'a%', NULL)",
    "INSERT INTO totals (id, what, n, told) VALUES (1, 'posts', 2, 'x'), (2, 'users', 3, NULL), (3, '100%', NULL, '')",
)
HEAD = """\
from sqlalchemy import event, text

from app.db import SessionLocal, engine
from app.models import Post, Total, User


"""
GO = """

def go():
    session = SessionLocal()
    session.add(Post(id=21, user_id=1, parent_id=11, title="it's", price=1.5, rate=2.5, open=True))
    session.commit()
    session.add(User(id=9, name="Cy"))
    session.commit()
    post = session.get(Post, 21) if hasattr(session, "get") else session.query(Post).get(21)
    post.title = "new"
    session.commit()
    session.delete(post)
    session.commit()
    session.close()
    return seen
"""


def project(text: str, beside: Mapping[str, str], url: str = "sqlite:///work.db", options: str = "") -> dict[str, str]:
    """The files of the project; where a program has no `go()`, instances are written, changed and deleted."""
    db = DB.format(url=url, options=options)
    return {"app/__init__.py": "", "app/models.py": MODELS, "app/db.py": db, PATH: text, **beside}


def program(body: str) -> str:
    """A whole program."""
    return f"{HEAD}seen = []\n\n\n{body.strip()}\n{'' if 'def go()' in body else GO}"


def plan(
    text: str,
    beside: Mapping[str, str],
    version: str,
    dialect: str = "sqlite",
    path: str = PATH,
    *,
    cursors: bool = False,
) -> Outcome:
    """What both codemods of SQL make of a program on a version of SQLAlchemy."""
    files = project(text, beside)
    index = link(read_facts(Source(where, held)) for where, held in files.items())
    imports = ImportGraph({where: import_lines(held) for where, held in files.items()})
    index = replace(index, imports=imports, texts=Texts.of(files), named=Named.of(files))
    ids = (CURSOR.id, CODEMOD.id) if cursors else (CODEMOD.id,)
    settings = Settings(codemods=ids, unsafe=True, sqlalchemy=version, dialect=dialect)
    return plan_file(Source(path, files[path]), index, settings)


def runs(programs: Mapping[str, Mapping[str, str]], version: str, dialect: str) -> dict[str, list[str]]:
    """What each of some programs, as files beside the models, does on a version and a database."""
    url, options, paths = "sqlite:///work.db", "", [str(ROOT)]
    if dialect == "postgresql":
        url = os.environ[POSTGRESQL]
        options = f', connect_args={{"options": "-csearch_path={_schema(url)}"}}'
    if version == "1.4":
        paths.insert(0, os.environ[OLD])
    jobs = [{"files": project(files[PATH], files, url, options), "seeds": SEEDS} for files in programs.values()]
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("listener_runs.py"))],
        input=json.dumps(jobs),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(zip(programs, json.loads(done.stdout), strict=True))


def _schema(url: str) -> str:
    """A new schema, which the programs alone use; it is left empty."""
    import sqlalchemy as sa

    name = f"listen_{uuid.uuid4().hex[:12]}"
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {name}")
    engine.dispose()
    return name


def skipped(version: str, dialect: str) -> str:
    """Why a version or database cannot be run here; empty where it can."""
    if version == "1.4" and OLD not in os.environ:
        return f"{OLD} names no directory that `pip install --target .. 'sqlalchemy<2'` filled"
    return f"{POSTGRESQL} names no server" if dialect == "postgresql" and POSTGRESQL not in os.environ else ""


each_world = pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
