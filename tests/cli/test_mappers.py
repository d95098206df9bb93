"""`ormlift verify --mappers`: what fails is named, what works is said, and nothing outlives the time limit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.world import World, environment

MODELS = """\
from sqlalchemy import Column, ForeignKey, Integer
from sqlalchemy.orm import declarative_base, relationship

Base = declarative_base()


class Job(Base):
    __tablename__ = "jobs"

    id = Column(Integer, primary_key=True)
    user_id = Column(Integer, ForeignKey("users.id"))
    user = relationship("User")


class User(Base):
    __tablename__ = "users"

    id = Column(Integer, primary_key=True)
"""


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path / "project")
    made.put("backend/app/__init__.py", "")
    made.put("backend/app/models.py", MODELS)
    made.put("backend/app/main.py", "from app.models import Job\n")
    return made


def verify(world: World, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ormlift_cli", "verify", "--mappers", *more]
    return subprocess.run(command, cwd=world.root, env=environment(), capture_output=True, text=True, timeout=120)


def test_mappers_that_work(world: World) -> None:
    done = verify(world)
    assert done.returncode == 0, done.stderr
    assert "1 of 1 modules imported" in done.stdout
    assert "2 mapped classes: all mappers are configured" in done.stdout


def test_a_broken_relationship_is_named(world: World) -> None:
    world.put("backend/app/models.py", MODELS.replace('relationship("User")', 'relationship("School")'))
    done = verify(world, "--output-format", "json")
    assert done.returncode == 1
    (failure,) = json.loads(done.stdout)["mappers"]["failures"]
    assert failure["kind"] == "mappers"
    assert "'School' failed to locate a name" in failure["error"]


def test_a_module_that_cannot_be_imported_does_not_hide_the_others(world: World) -> None:
    world.put(
        "backend/app/more.py",
        "import nothing_of_the_kind\nfrom sqlalchemy import Column, Integer\nfrom app.models import Base\n\n\n"
        'class More(Base):\n    __tablename__ = "more"\n\n    id = Column(Integer, primary_key=True)\n',
    )
    done = verify(world)
    assert done.returncode == 1
    assert "app.more: cannot be imported: ModuleNotFoundError: No module named 'nothing_of_the_kind'" in done.stdout
    assert "1 of 2 modules imported" in done.stdout


def test_what_the_modules_print_does_not_disturb(world: World) -> None:
    world.put("backend/app/models.py", f"print('hello')\n{MODELS}")
    done = verify(world, "--output-format", "json")
    assert json.loads(done.stdout)["mappers"]["classes"] == 2


def test_the_time_limit_ends_it_and_what_it_started(world: World, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    sleeper = "import subprocess, time\np = subprocess.Popen(['sleep', '600'])\n"
    sleeper += f"open({str(pid)!r}, 'w').write(str(p.pid))\n"
    world.put("backend/app/models.py", f"{MODELS}\n{sleeper}time.sleep(600)\n")
    done = verify(world, "--timeout", "4")
    assert done.returncode == 1
    assert "raise --timeout" in done.stdout
    state = Path(f"/proc/{pid.read_text()}/stat")
    assert not state.exists() or state.read_text().split(")")[1].split()[0] == "Z"


def test_an_interpreter_that_is_none(world: World) -> None:
    done = verify(world, "--python", "/nowhere/python")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "/nowhere/python: cannot be run" in done.stderr


def test_a_project_without_models(tmp_path: Path) -> None:
    empty = World(tmp_path / "empty")
    empty.put("a.py", "x = 1\n")
    done = verify(empty)
    assert done.returncode == 2
    assert "no module with mapped classes" in done.stderr
