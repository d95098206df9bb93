"""A small project with a database, and programs that execute text on it: planned, run before and after, compared."""

from __future__ import annotations

import datetime
import importlib
import sqlite3
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ormlift.model import Outcome, Planned, Refused, Settings, SiteReport, Source, Unchanged
from ormlift.plan import plan_file
from ormlift.project.facts import read_facts
from ormlift.project.index import link
from ormlift.rules.text_to_orm import CODEMOD

PATH = "app/work.py"
MODELS = """\
import datetime

from sqlalchemy import JSON, Boolean, Column, DateTime, ForeignKey, Integer, String
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "authors"
    id = Column(Integer, primary_key=True)
    name = Column(String(40))
    active = Column(Boolean, nullable=False)
    joined = Column(DateTime)
    extra = Column("metadata", JSON)
    score = Column(Integer, default=7)
    touched = Column(Integer, onupdate=99)


class Book(Base):
    __tablename__ = "books"
    id = Column(Integer, primary_key=True)
    author_id = Column(Integer, ForeignKey("authors.id"))
    title = Column(String(40), nullable=False)
    count = Column(Integer, nullable=False)
"""
DB = """\
from contextlib import contextmanager

from sqlalchemy import create_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

engine = create_engine("sqlite:///work.db")
SessionLocal = sessionmaker(bind=engine)
shared = scoped_session(SessionLocal)


def get_db():
    db = SessionLocal()
    try:
        yield db
    finally:
        db.close()


@contextmanager
def scope():
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
PROJECT = {"app/models.py": MODELS, "app/db.py": DB}
SCHEMA = """
CREATE TABLE authors (id INTEGER PRIMARY KEY, name VARCHAR(40), active BOOLEAN NOT NULL, joined DATETIME, metadata JSON,
                      score INTEGER, touched INTEGER);
CREATE TABLE books (id INTEGER PRIMARY KEY, author_id INTEGER, title VARCHAR(40) NOT NULL, count INTEGER NOT NULL);
INSERT INTO authors VALUES (1, 'Ada', 1, '2024-01-02 03:04:05.000006', '{"a": 1}', 3, 0);
INSERT INTO authors VALUES (2, 'Bo', 0, '2023-12-31 23:59:59.999999', '[1, 2]', NULL, 0);
INSERT INTO authors VALUES (3, NULL, 1, NULL, NULL, 3, NULL);
INSERT INTO books VALUES (1, 1, 'größe', 3), (2, 1, 'zwei', 0), (3, 2, 'drei', 5), (4, NULL, 'zwei', -1);
"""


@dataclass
class Ran:
    """What a program did: its value with types, or its error, and the tables it leaves."""

    value: str
    error: str
    tables: tuple[list[tuple[Any, ...]], ...]


def plan(text: str, settings: Settings | None = None, path: str = PATH) -> Outcome:
    """The plan of this codemod alone, effects or not."""
    chosen = settings or Settings(codemods=(CODEMOD.id,), unsafe=True)
    files = {**PROJECT, path: text}
    return plan_file(Source(path, text), link(read_facts(Source(p, t)) for p, t in files.items()), chosen)


def sites(outcome: Outcome) -> tuple[SiteReport, ...]:
    """What became of the sites."""
    assert isinstance(outcome, Planned | Refused), outcome
    return outcome.sites


def effects(found: Iterable[SiteReport]) -> set[str]:
    """The codes of all effects."""
    return {effect.code for site in found for effect in site.effects}


def rewritten(text: str) -> tuple[str, tuple[SiteReport, ...]]:
    """The new text and its sites; planned twice, the second time with nothing left to do."""
    outcome = plan(text)
    assert isinstance(outcome, Planned), outcome
    again = plan(outcome.after.text)
    assert isinstance(again, Unchanged | Refused), again
    return outcome.after.text, outcome.sites


class World:
    """A directory with the project of the programs and a database with rows."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        monkeypatch.chdir(root)
        monkeypatch.syspath_prepend(str(root))
        for path, text in {**PROJECT, "app/__init__.py": ""}.items():
            (root / path).parent.mkdir(exist_ok=True)
            (root / path).write_text(text)

    def run(self, text: str) -> Ran:
        """Load the program on fresh rows, and call its `go()`."""
        (self.root / "work.db").unlink(missing_ok=True)
        with sqlite3.connect("work.db") as connection:
            connection.executescript(SCHEMA)
        connection.close()
        for name in [n for n in sys.modules if n == "app" or n.startswith("app.")]:
            del sys.modules[name]
        importlib.invalidate_caches()
        space: dict[str, Any] = {"__name__": "app.work"}
        value, error = "", ""
        try:
            exec(compile(text, PATH, "exec"), space)
            value = shown(space["go"]())
        except Exception as caught:
            error = type(caught).__name__
        db = sys.modules.get("app.db")
        if db is not None:
            db.shared.remove()
            db.engine.dispose()
        return Ran(value, error, self._tables())

    def _tables(self) -> tuple[list[tuple[Any, ...]], ...]:
        connection = sqlite3.connect("work.db")
        found = tuple(connection.execute(f"SELECT * FROM {t} ORDER BY id").fetchall() for t in ("authors", "books"))
        connection.close()
        return found


def shown(value: object) -> str:
    """A value with the types inside it; any Row is a tuple, any mapping a dict."""
    if isinstance(value, dict) or (hasattr(value, "_asdict") is False and hasattr(value, "items")):
        return "{" + ", ".join(f"{k!r}: {shown(v)}" for k, v in value.items()) + "}"  # type: ignore[attr-defined]
    if isinstance(value, tuple) or hasattr(value, "_asdict"):
        return "(" + ", ".join(shown(v) for v in value) + ")"  # type: ignore[attr-defined]
    if isinstance(value, list):
        return "[" + ", ".join(shown(v) for v in value) + "]"
    return f"{value!r}" if isinstance(value, datetime.datetime) else f"{type(value).__name__} {value!r}"
