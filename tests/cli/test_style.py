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


@pytest.mark.parametrize(
    ("pin", "config", "expected"),
    [
        ("", "", "Job.id // 2"),
        ("sqlalchemy==2.0.30\n", "", "Job.id // 2"),
        ("sqlalchemy==1.4.54\n", "", 'Job.id.op("/")(2)'),
        ("sqlalchemy==1.4.54\n", 'sqlalchemy = "2.0"\n', "Job.id // 2"),
        ("sqlalchemy>=2.0\n", 'sqlalchemy = "1.4"\n', 'Job.id.op("/")(2)'),
        ("sqlalchemy==1.3.20\n", 'session-scope = "models:session_scope"\n', 'session.query(Job.id.op("/")(2))'),
    ],
)
def test_a_statement_is_written_for_the_version_that_is_pinned(
    tmp_path: Path, pin: str, config: str, expected: str
) -> None:
    for name, text in {"models.py": MODELS, "raw.py": RAW.replace("SELECT id", "SELECT id / 2")}.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "requirements.txt").write_text(pin)
    (tmp_path / "ormlift.toml").write_text(config)
    request = Request(paths=(tmp_path,), codemods=("cursor-to-orm",), unsafe=True)
    result = survey(locate((tmp_path,)), request, Quiet())
    (planned,) = (outcome for outcome in result.outcomes if isinstance(outcome, Planned))
    assert expected in planned.after.text
