"""Every example of `mapper-health`; each is imported, and its mappers really configured, before and after."""

import subprocess
import sys
from pathlib import Path

import pytest
from ormlift.model import Planned
from ormlift.rules.base import Example
from ormlift.rules.mapper_health import CODEMOD

from tests.rules.checks import PATH, check_example, plan

RAISES = {
    "unknown-class": "failed to locate a name",
    "back-populates-missing": "has no property",
    "back-populates-mismatch": "which does not reference mapper",
    "backref-exists": "property of that name exists",
    "no-foreign-key": "NoForeignKeysError",
    "ambiguous-foreign-keys": "AmbiguousForeignKeysError",
    "same-direction": "both of the same direction",
    "unknown-table": "NoReferencedTableError",
    "unknown-column": "NoReferencedColumnError",
}
CONFIGURE = """
import pathlib, importlib
from sqlalchemy import create_engine
from sqlalchemy.orm import configure_mappers
for path in sorted(pathlib.Path("app").glob("*.py")):
    importlib.import_module(f"app.{path.stem}")
configure_mappers()
from app.base import Base
Base.metadata.create_all(create_engine("sqlite://"))
"""
LIBRARIES = {
    "things/__init__.py": "",
    "things/models.py": "from app.base import Base\nfrom sqlalchemy import Column, ForeignKey, Integer\n\n\n"
    'class Thing(Base):\n    __tablename__ = "things"\n    id = Column(Integer, primary_key=True)\n'
    '    job_id = Column(Integer, ForeignKey("jobs.id"))\n',
    "accounts/__init__.py": "",
    "accounts/models.py": "from sqlalchemy.orm import declared_attr, relationship\n\n\nclass Account:\n"
    "    @declared_attr\n    def tasks(cls):\n        return relationship('Job', back_populates='user')\n",
}
NOT_RUN = {"a class that is made at run time", "a table that is reflected", "two classes of one name"}


def configure(example: Example, text: str, folder: Path) -> str:
    """What configuring the mappers of the project says; empty where it succeeds."""
    for path, held in {**LIBRARIES, **example.project, PATH: text}.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(held, encoding="utf-8")
    done = subprocess.run([sys.executable, "-c", CONFIGURE], cwd=folder, capture_output=True, text=True, timeout=60)
    return done.stderr if done.returncode else ""


@pytest.mark.parametrize("example", CODEMOD.examples, ids=lambda e: e.title)
def test_example(example: Example) -> None:
    check_example(CODEMOD, example)


@pytest.mark.parametrize("example", [e for e in CODEMOD.examples if e.title not in NOT_RUN], ids=lambda e: e.title)
def test_the_mappers_fail_before_and_not_after(example: Example, tmp_path: Path) -> None:
    before = configure(example, example.before, tmp_path / "before")
    if not example.fault:
        assert before == ""
        return
    assert RAISES[example.fault] in before, before
    if example.after is not None:
        assert configure(example, example.after, tmp_path / "after") == ""


def test_two_classes_of_one_name(tmp_path: Path) -> None:
    """It fails as soon as a relationship names them."""
    example = next(e for e in CODEMOD.examples if e.fault == "two-classes")
    assert configure(example, example.before, tmp_path / "unnamed") == ""
    asks = (
        "from sqlalchemy import Column, ForeignKey, Integer\nfrom sqlalchemy.orm import relationship\n\n"
        'from app.base import Base\n\n\nclass Task(Base):\n    __tablename__ = "tasks"\n'
        "    id = Column(Integer, primary_key=True)\n"
        '    job_id = Column(Integer, ForeignKey("jobs.id"))\n    job = relationship("Job")\n'
    )
    named = Example("named", example.before, project={**example.project, "app/tasks.py": asks})
    assert "Multiple classes found for path" in configure(named, example.before, tmp_path / "named")


def test_what_uses_the_attribute_is_named() -> None:
    """Also in other files, by attribute, loader or keyword; a comment is no use."""
    example = CODEMOD.examples[0]
    reports = (
        "from app.jobs import Job\n\n\ndef names(job, session):\n    # job.schools\n    made = Job(schools=[])\n"
        "    return [s.name for s in job.schools], joinedload(Job.schools), getattr(job, 'schools')\n"
    )
    used = Example(example.title, example.before, project={**example.project, "app/reports.py": reports})
    outcome = plan(CODEMOD, used, example.before)
    assert isinstance(outcome, Planned)
    (effect,) = outcome.sites[0].effects
    assert "app/reports.py:6, app/reports.py:7" in effect.message
    assert "app/reports.py:5" not in effect.message


def test_a_model_module_that_nothing_imports() -> None:
    """Told where another model needs it; not where modules are imported by a computed name."""
    both = next(e for e in CODEMOD.examples if e.title == "both sides name one another")
    package = {**both.project, "app/__init__.py": "from app.user import User\n"}
    alone = Example("alone", both.before, reason="needs-decision", fault="never-imported", project=package)
    check_example(CODEMOD, alone)
    dynamic = {**package, "app/load.py": "import importlib\n\nimportlib.import_module(f'app.{input()}')\n"}
    check_example(CODEMOD, Example("dynamic", both.before, project=dynamic))
