"""What a file would import in a circle, each function imports for itself: planned, and run before and after."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest
from ormlift.model import Outcome, Planned, Refused, ScopeChoice, Settings, SiteReport, Source
from ormlift.plan import plan_file
from ormlift.project.facts import read_facts
from ormlift.project.graph import ImportGraph, import_lines
from ormlift.project.index import link

STORE = """
import sqlite3

from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

import jobs

SessionLocal = sessionmaker(create_engine("sqlite:///jobs.db"))
KINDS = jobs.kinds()


class Base(DeclarativeBase):
    pass


class Job(Base):
    __tablename__ = "jobs"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]


def fill():
    conn = sqlite3.connect("jobs.db")
    conn.execute("CREATE TABLE jobs (id INTEGER PRIMARY KEY, title TEXT NOT NULL)")
    conn.execute("INSERT INTO jobs VALUES (1, 'one'), (2, 'two')")
    conn.commit()
    conn.close()
"""
HEAD = """
import sqlite3
from functools import lru_cache


def kinds():
    return ["a"]

"""
READS = """
    conn = sqlite3.connect("jobs.db")
    title = conn.execute("SELECT title FROM jobs WHERE id = ?", (number,)).fetchone()[0]
    conn.close()
    return title
"""


def plan(jobs: str, store: str = STORE) -> Outcome:
    files = {"jobs.py": jobs, "store.py": store}
    known = link(read_facts(Source(path, text)) for path, text in files.items())
    graph = ImportGraph({path: import_lines(text, path) for path, text in files.items()})
    settings = Settings(unsafe=True, codemods=("cursor-to-orm",), scopes=(ScopeChoice("SessionLocal", "store"),))
    return plan_file(Source("jobs.py", jobs), replace(known, imports=graph), settings)


def run(root: Path, files: Mapping[str, str], code: str) -> str:
    """What a program prints that imports `jobs` or `store` first."""
    (root / "jobs.db").unlink(missing_ok=True)
    for name, text in files.items():
        (root / name).write_text(text)
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def sites(outcome: Outcome) -> tuple[SiteReport, ...]:
    assert isinstance(outcome, Planned | Refused), outcome
    return outcome.sites


PLACES = {
    "plain": "def title(number):" + READS,
    "docstring": 'def title(number):\n    """The title\n\n    of a job."""\n' + READS,
    "comment": "def title(  # of a job\n    number,\n):\n    # it opens its own\n" + READS,
    "own import": "def title(number):\n    import json\n    json.dumps(number)" + READS,
    "decorated": "@lru_cache\ndef title(number):" + READS,
    "method": "class Titles:\n    @staticmethod\n    def get(number):" + READS.replace("\n    ", "\n        ")
    + "\n\ntitle = Titles.get\n",
    "nested": "def title(number):\n    def inner():" + READS.replace("\n    ", "\n        ") + "\n    return inner()\n",
    "class first": "def title(number):\n    class Title(str):\n        pass\n" + READS.replace("title", "found", 1)
    .replace("return title", "return str(Title(found))"),
    "called in main": "def title(number):" + READS + '\n\nif __name__ == "__main__":\n    title(1)\n',
    "typing only": "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    from store import Job, SessionLocal\n"
    "\n\ndef title(number):" + READS,
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("first", ["jobs", "store"])
def test_the_function_imports_for_itself(place: str, first: str, tmp_path: Path) -> None:
    before = HEAD + PLACES[place]
    outcome = plan(before)
    assert isinstance(outcome, Planned), outcome
    (site,) = outcome.sites
    assert "late-import" in [e.code for e in site.effects]
    after = outcome.after.text
    assert after.count("store import Job, SessionLocal\n") == 1 + before.count("TYPE_CHECKING:")
    code = f"import {first}\nimport store\nstore.fill()\nimport jobs\nprint(jobs.title(2))"
    files = {"store.py": STORE, "jobs.py": before}
    assert run(tmp_path, files, code) == run(tmp_path, {**files, "jobs.py": after}, code) == "two\n"
    again = plan(after)
    assert not isinstance(again, Planned)


STAYS = {
    "at the top": "number = 1" + READS.replace("\n    ", "\n").replace("return title\n", ""),
    "called at import": "def title(number):" + READS + "\n\nFIRST = title\nif FIRST:\n    title(1)\n",
    "decorates at import": "def title(number):" + READS + "\n\n@title\ndef other():\n    pass\n",
    "a local name": "def title(number):\n    SessionLocal = len\n" + READS + "    SessionLocal([])\n",
    "a parameter": "def title(number, SessionLocal=None):" + READS,
    "no line of its own": "def title(number): conn = sqlite3.connect('jobs.db'); "
    "conn.execute('DELETE FROM jobs WHERE id = ?', (number,)); conn.commit(); conn.close()\n",
}


@pytest.mark.parametrize("place", STAYS)
def test_stays(place: str) -> None:
    outcome = plan(HEAD + STAYS[place])
    (site,) = sites(outcome)
    assert site.reason is not None
    assert site.reason.code in ("import-cycle", "name-taken", "unusual-layout")


def test_two_functions_and_two_sites_of_one() -> None:
    both = READS.replace("return title", "again = 1") + READS
    outcome = plan(HEAD + "def title(number):" + both + "\n\ndef other(number):" + READS)
    assert isinstance(outcome, Planned)
    assert outcome.after.text.count("from store import Job, SessionLocal\n") == 2
    assert "\nfrom store" not in outcome.after.text


def test_without_a_circle_it_is_imported_at_the_top() -> None:
    alone = STORE.replace("import jobs\n", "").replace("KINDS = jobs.kinds()\n", "")
    outcome = plan(HEAD + PLACES["typing only"], alone)
    assert isinstance(outcome, Planned)
    assert dedent(outcome.after.text).count("\nfrom store import") == 1
    assert "late-import" not in [e.code for site in outcome.sites for e in site.effects]
