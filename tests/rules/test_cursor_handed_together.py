"""Sites that go together are made together, or none of them, whatever keeps one of them back."""

from dataclasses import replace

import pytest
from ormlift.model import Planned, Refused, Settings, Source, Status
from ormlift.plan import plan_file

from tests.rules.cursor_runs import PROJECT, whole_index

_TEXT = """import sqlite3

from app.db import DB_PATH, open_db


def stage(conn, n):
    row = conn.execute("SELECT stage FROM jobs WHERE id = ?", (n,)).fetchone()
    return row[0]


def step(conn, n):
    conn.execute("UPDATE jobs SET stage = stage + 1 WHERE id = ?", (n,))
    return stage(conn, n)


def main(n):
    conn = sqlite3.connect(DB_PATH)
    found = step(conn, n)
    conn.commit()
    conn.close()
    return found


def alone(n):
    conn = open_db()
    row = conn.execute("SELECT title FROM jobs WHERE id = ?", (n,)).fetchone()
    conn.close()
    return row[0]
"""
_SETTINGS = Settings(codemods=("cursor-to-orm",), unsafe=True)
_LINES = {"stage": 6, "step": 11, "main": 17}


def _planned(text: str, settings: Settings = _SETTINGS) -> Planned | Refused:
    outcome = plan_file(Source("app/jobs.py", text), whole_index({**PROJECT, "app/jobs.py": text}), settings)
    assert isinstance(outcome, Planned | Refused)
    return outcome


def test_each_is_a_site_of_its_own() -> None:
    outcome = _planned(_TEXT)
    assert [(s.line, s.status) for s in outcome.sites[:3]] == [(n, Status.REWRITTEN) for n in _LINES.values()]
    assert [len(s.certificates) for s in outcome.sites] == [1, 1, 0, 1]


@pytest.mark.parametrize("name", _LINES)
def test_one_that_is_skipped_keeps_the_others(name: str) -> None:
    outcome = _planned(_TEXT, replace(_SETTINGS, skip=(("app/jobs.py", "cursor-to-orm", _LINES[name]),)))
    _only_the_other_changed(outcome, "skipped")


@pytest.mark.parametrize("name", _LINES)
def test_one_that_is_ignored_keeps_the_others(name: str) -> None:
    lines = _TEXT.split("\n")
    lines[_LINES[name] - 1] += "  # ormlift: ignore[cursor-to-orm] not yet"
    outcome = _planned("\n".join(lines))
    _only_the_other_changed(outcome, "ignored")
    assert [s.line for s in outcome.sites if s.status is Status.SUPPRESSED] == [_LINES[name]]


def test_one_with_effects_keeps_the_others_where_they_are_not_asked_for() -> None:
    text = _TEXT.replace("    conn.commit()\n", "")
    outcome = _planned(text, replace(_SETTINGS, unsafe=False))
    _only_the_other_changed(outcome, "needs-unsafe")
    assert "stays: 1 effect; applied with --unsafe" in str(outcome.sites[0].reason)


def test_one_whose_layout_stands_in_the_way_keeps_the_others() -> None:
    text = _TEXT.replace("    conn.close()\n    return found", "    conn.close(); print()\n    return found")
    _only_the_other_changed(_planned(text), "unusual-layout")


def _only_the_other_changed(outcome: Planned | Refused, code: str) -> None:
    assert isinstance(outcome, Planned)
    last = outcome.after.text
    assert "def stage(conn, n):" in last
    assert "def step(conn, n):" in last
    assert "= sqlite3.connect(DB_PATH)" in last
    assert "open_db()" not in last
    *mine, other = outcome.sites
    assert other.status is Status.REWRITTEN
    assert {s.reason.code for s in mine if s.reason is not None} == {code}
    assert len([s for s in mine if s.reason is not None]) == len(_LINES)
