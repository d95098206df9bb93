"""Functions of other files are looked into from the command line, also through a package and in worker processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from ormlift.model import Planned, Refused
from ormlift.rules.examples.cursor_to_orm import PROJECT as CURSORS
from ormlift.rules.examples.service_scope import DATABASE, SESSIONS
from ormlift_cli.project import locate
from ormlift_cli.run import Request, survey

from tests.cli.test_style import MODELS, Quiet
from tests.cli.world import environment

JOBS = """
from app.models import Session
from app.tools import counted


def total():
    session = Session()
    try:
        return counted(session)
    finally:
        session.close()
"""
COUNTED = "from app.models import Job\n\n\ndef counted(session):\n    return session.query(Job).count()\n"
PATCHES = "import app.tools.counts\n\napp.tools.counts.counted = print\n"


@pytest.mark.parametrize("effects", [[], ["may-commit-uncommitted"]], ids=["certain", "set elsewhere"])
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_function_of_another_file_is_looked_into(
    tmp_path: Path, jobs: int, effects: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ormlift_cli.run._PLAN_IN_POOL_FROM", 0)
    commits = MODELS.replace("yield session\n", "yield session\n        session.commit()\n")
    texts = {
        "app/__init__.py": "",
        "app/models.py": commits,
        "app/tools/__init__.py": "from .counts import counted\n",
        "app/tools/counts.py": COUNTED,
        "app/jobs.py": JOBS,
        "app/more.py": JOBS,
        "app/patches.py": PATCHES if effects else "",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    request = Request(paths=(tmp_path,), codemods=("session-scope",), unsafe=True, jobs=jobs)
    outcomes = {o.path: o for o in survey(locate((tmp_path,)), request, Quiet()).outcomes}
    for path in ("app/jobs.py", "app/more.py"):
        outcome = outcomes[path]
        assert isinstance(outcome, Planned)
        assert [effect.code for site in outcome.sites for effect in site.effects] == effects


SERVICE = """
from app.database import DatabaseManager


class Curators:
    def __init__(self, db_manager: DatabaseManager):
        self.db_manager = db_manager

    def ping(self):
        session = self.db_manager.get_session()
        try:
            return session.connection().closed
        finally:
            session.close()
"""
BELOW = """
from app.curators import Curators


class Chief(Curators):
    def __init__(self, db_manager):
        super().__init__(db_manager)
        self.session_manager = "mine"
"""
CONFIG = """
[[scopes]]
scope = "self._session_scope"
in-class-with = "db_manager"
manager = "session_manager.get_db_session"
"""


@pytest.mark.parametrize("base", ["Curators", "object"])
def test_a_class_below_in_a_file_that_is_not_asked_for_is_seen(tmp_path: Path, base: str) -> None:
    texts = {
        "ormlift.toml": CONFIG,
        "app/__init__.py": "",
        "app/database.py": DATABASE,
        "app/sessions.py": SESSIONS,
        "app/curators.py": SERVICE,
        "app/chief.py": BELOW.replace("(Curators)", f"({base})"),
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    asked = (tmp_path / "app/curators.py",)
    request = Request(paths=asked, codemods=("service-scope",), unsafe=True, jobs=1)
    (outcome,) = survey(locate(asked), request, Quiet()).outcomes
    assert isinstance(outcome, Planned) is (base == "object")


HANDED = """import sqlite3

from app.db import DB_PATH


def NAME(conn, n):
    conn.execute("UPDATE jobs SET stage = 9 WHERE id = ?", (n,))


def main(n):
    conn = sqlite3.connect(DB_PATH)
    NAME(conn, n)
    conn.commit()
    conn.close()
"""


@pytest.mark.parametrize("jobs", [1, 2])
def test_who_calls_what_is_handed_a_connection_is_seen(
    tmp_path: Path, jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ormlift_cli.run._PLAN_IN_POOL_FROM", 0)
    texts = {
        **CURSORS,
        "app/__init__.py": "",
        "app/alone.py": HANDED.replace("NAME", "move"),
        "app/tested.py": HANDED.replace("NAME", "shift"),
        "tests/test_it.py": "import app.tested\n\n\ndef test_it(conn):\n    app.tested.shift(conn, 1)\n",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    request = Request(paths=(tmp_path,), codemods=("cursor-to-orm",), unsafe=True, jobs=jobs)
    outcomes = {o.path: o for o in survey(locate((tmp_path,)), request, Quiet()).outcomes}
    assert isinstance(outcomes["app/alone.py"], Planned)
    assert isinstance(outcomes["app/tested.py"], Refused)


def test_certificates_of_what_is_handed_hold_where_others_call_it_later(tmp_path: Path) -> None:
    """Whoever names the function now has the new one."""
    files = {**CURSORS, "app/__init__.py": "", "app/alone.py": HANDED.replace("NAME", "move")}
    later = "from app.alone import move\n\n\ndef g(session):\n    move(session, 3)\n"
    _commit(tmp_path, files)
    assert _run(tmp_path, "apply", "--codemod", "cursor-to-orm").returncode == 0
    assert "def move(session, n):" in (tmp_path / "app/alone.py").read_text()
    _commit(tmp_path, {"app/later.py": later})
    done = _run(tmp_path, "verify", "--codemod", "cursor-to-orm")
    assert "certificates of 1 file worked out anew; 0 broken promises\n" in done.stdout


def _commit(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    for words in (["init", "-q"], ["add", "-A"], [*who, "commit", "-q", "-m", "more"]):
        subprocess.run(["git", *words], cwd=root, check=True, env=environment())


def _run(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from ormlift_cli.app import main; main()", *words, "--jobs", "1"]
    who = {"GIT_AUTHOR_NAME": "A", "GIT_COMMITTER_NAME": "A", "EMAIL": "a@example.org"}
    return subprocess.run(command, cwd=root, env=environment(**who), capture_output=True, text=True)
