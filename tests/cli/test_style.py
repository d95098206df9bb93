"""`style = "auto"`: a file without a habit of its own is written as the project is."""

from __future__ import annotations

from pathlib import Path

import pytest
from ormlift.model import Planned
from ormlift_cli.project import locate
from ormlift_cli.run import Request, survey

MODELS = """
from contextlib import contextmanager
from sqlalchemy import Column, Integer, create_engine
from sqlalchemy.orm import declarative_base, sessionmaker

Base = declarative_base()
DB = "app.db"
Session = sessionmaker(bind=create_engine("sqlite:///app.db"))


class Job(Base):
    __tablename__ = "jobs"
    id = Column(Integer, primary_key=True)


@contextmanager
def session_scope():
    session = Session()
    try:
        yield session
    finally:
        session.close()
"""
RAW = """
import sqlite3


def first():
    conn = sqlite3.connect("app.db")
    row = conn.execute("SELECT id FROM jobs").fetchone()
    conn.close()
    return bool(row)
"""
HABITS = {
    "query": "import sqlalchemy\n\n\ndef f(session):\n    return session.query(1)\n",
    "select": "from sqlalchemy import select\n\n\ndef f(session):\n    return session.scalar(select(1))\n",
}


class Quiet:
    def stage(self, name: str, total: int):
        return lambda done: None


@pytest.mark.parametrize("habit", HABITS)
def test_a_file_is_written_as_its_project_is(tmp_path: Path, habit: str) -> None:
    for name, text in {"models": MODELS, "raw": RAW, "habit": HABITS[habit]}.items():
        (tmp_path / f"{name}.py").write_text(text)
    request = Request(paths=(tmp_path,), codemods=("cursor-to-orm",), unsafe=True)
    result = survey(locate((tmp_path,)), request, Quiet())
    (planned,) = (outcome for outcome in result.outcomes if isinstance(outcome, Planned))
    written = {"query": "session.query(Job.id)", "select": "select(Job.id)"}[habit]
    assert written in planned.after.text
