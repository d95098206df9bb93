"""Runs small programs on a SQLite database before and after a check's rewrites: what the tests of checks share."""

import sqlite3
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from ormlift.model import Planned, Settings, Source
from ormlift.plan import plan_file
from ormlift.project.facts import read_facts
from ormlift.project.graph import ImportGraph, import_lines
from ormlift.project.index import ProjectIndex, link
from ormlift.project.texts import Texts
from ormlift.rules.base import Codemod

MODELS = """
from sqlalchemy import Column, ForeignKey, Integer, String
from sqlalchemy.orm import declarative_base, deferred, relationship

Base = declarative_base()


class Job(Base):
    __tablename__ = "jobs"

    id = Column(Integer, primary_key=True)
    name = Column(String(50), unique=True)
    notes = deferred(Column(String(200)))
    tasks = relationship("Task", back_populates="job", order_by="Task.id")


class Task(Base):
    __tablename__ = "tasks"

    id = Column(Integer, primary_key=True)
    title = Column(String(50))
    job_id = Column(Integer, ForeignKey("jobs.id"))
    job = relationship("Job", back_populates="tasks")
"""
TABLES = """
DROP TABLE IF EXISTS jobs;
DROP TABLE IF EXISTS tasks;
CREATE TABLE jobs (id INTEGER PRIMARY KEY, name VARCHAR(50) UNIQUE, notes VARCHAR(200));
CREATE TABLE tasks (id INTEGER PRIMARY KEY, title VARCHAR(50), job_id INTEGER);
INSERT INTO jobs VALUES (1, 'one', 'first'), (2, 'two', NULL);
INSERT INTO tasks VALUES (1, 'dig', 1), (2, 'fill', 1);
"""
PATH = "app/work.py"


@dataclass
class World:
    """A project in a folder of its own, with its database."""

    folder: Path
    codemod: Codemod
    db: str
    head: str

    def fill(self) -> None:
        """The tables as they were."""
        with sqlite3.connect(self.database) as connection:
            connection.executescript(TABLES)
        connection.close()

    def rows(self, table: str = "jobs") -> list[Any]:
        """What stands in a table, read past SQLAlchemy."""
        connection = sqlite3.connect(self.database)
        try:
            return connection.execute(f"SELECT * FROM {table} ORDER BY id").fetchall()
        finally:
            connection.close()

    @property
    def database(self) -> Path:
        """Where the database stands."""
        return self.folder / "data.db"

    def files(self, program: str, *, head: bool = True) -> dict[str, str]:
        """The project with one program in it."""
        db = self.db.replace("DATABASE", str(self.database))
        text = f"{self.head}\n\n{program.strip()}\n" if head else program
        return {"app/db.py": db.lstrip(), "app/models.py": MODELS.lstrip(), PATH: text.lstrip()}

    def planned(
        self, program: str, *, unsafe: bool = True, head: bool = True, path: str = PATH, others: Any = None
    ) -> str | None:
        """The new text of one file of the project; None where nothing is to be applied."""
        files = {**self.files(program, head=head), **(others or {})}
        index = _index(files)
        outcome = plan_file(Source(path, files[path]), index, Settings(codemods=(self.codemod.id,), unsafe=unsafe))
        if not isinstance(outcome, Planned):
            return None
        again = _index({**files, path: outcome.after.text})
        settings = Settings(codemods=(self.codemod.id,), unsafe=unsafe)
        assert not isinstance(plan_file(outcome.after, again, settings), Planned)
        return outcome.after.text

    def faults(self, program: str) -> list[str]:
        """The codes of the faults that are found."""
        files = self.files(program)
        index = _index(files)
        outcome = plan_file(Source(PATH, files[PATH]), index, Settings(codemods=(self.codemod.id,)))
        return [site.fault.code for site in getattr(outcome, "sites", ()) if site.fault is not None]

    def before(self, program: str, *, head: bool = True) -> ModuleType:
        """The program as it is, imported."""
        return self.load(self.files(program, head=head))

    def after(self, program: str, *, head: bool = True, path: str = PATH) -> ModuleType:
        """The program with one file as it becomes, imported."""
        text = self.planned(program, head=head, path=path)
        assert text is not None, "nothing was planned"
        return self.load({**self.files(program, head=head), path: text})

    def load(self, files: dict[str, str]) -> ModuleType:
        """The program of these files, imported."""
        for name in [n for n in sys.modules if n == "app" or n.startswith("app.")]:
            del sys.modules[name]
        package = ModuleType("app")
        package.__path__ = []
        sys.modules["app"] = package
        for path, text in files.items():
            module = ModuleType(path.removesuffix(".py").replace("/", "."))
            module.__file__ = path
            sys.modules[module.__name__] = module
            exec(compile(text, path, "exec"), module.__dict__)
        return sys.modules[PATH.removesuffix(".py").replace("/", ".")]


def _index(files: dict[str, str]) -> ProjectIndex:
    known = link(read_facts(Source(p, t)) for p, t in files.items())
    imports = ImportGraph({path: import_lines(text) for path, text in files.items()})
    return replace(known, imports=imports, texts=Texts.of(files))


@contextmanager
def world_of(folder: Path, codemod: Codemod, db: str, head: str) -> Iterator[World]:
    """A world; the modules that it imports are forgotten behind it."""
    made = World(folder, codemod, db, head)
    made.fill()
    try:
        yield made
    finally:
        for name in [n for n in sys.modules if n == "app" or n.startswith("app.")]:
            del sys.modules[name]


def client_of(app: Any) -> Any:
    """FastAPI's test client, which warns of the HTTP library that it is used with."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from fastapi.testclient import TestClient

    return TestClient(app)
