"""Functions of other files are looked into from the command line, also through a package and in worker processes."""

from __future__ import annotations

from pathlib import Path

import pytest
from ormlift.model import Planned
from ormlift_cli.project import locate
from ormlift_cli.run import Request, survey

from tests.cli.test_style import MODELS, Quiet

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
