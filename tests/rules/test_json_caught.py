"""JSON that is decoded where a handler waits for a broken text: the fetch decodes it now. Run before and after."""

import sqlite3
from typing import Any

import pytest
from ormlift.model import Applicability, Planned, Settings, Source
from ormlift.plan import plan_file
from ormlift.project.facts import read_facts
from ormlift.project.index import link

from tests.rules.cursor_runs import PROJECT, World, world

__all__ = ["world"]

HEAD = {
    "cursor-to-orm": """\
import contextlib
import json
from app.db import open_db


def f():
    found = []
    conn = open_db()
    rows = conn.execute("SELECT id, marks FROM jobs WHERE marks IS NOT NULL ORDER BY id").fetchall()
    conn.close()
""",
    "text-to-orm": """\
import contextlib
import json
from sqlalchemy import text
from app.db import session_scope


def f():
    found = []
    with session_scope() as session:
        rows = session.execute(text("SELECT id, marks FROM jobs WHERE marks IS NOT NULL ORDER BY id")).fetchall()
""",
}
LEFT = {
    "a loop that goes on": """\
    for row in rows:
        try:
            found.append(json.loads(row[1]))
        except ValueError:
            found.append("broken")
    return found
""",
    "a bare handler": """\
    for row in rows:
        try:
            found.append(json.loads(row[1]))
        except:
            continue
    return found
""",
    "a context that suppresses": """\
    for row in rows:
        with contextlib.suppress(json.JSONDecodeError):
            found.append(json.loads(row[1]))
    return found
""",
}
OTHER = {
    "no handler": "    for row in rows:\n        found.append(json.loads(row[1]))\n    return found\n",
    "a handler of something else": """\
    for row in rows:
        try:
            found.append(json.loads(row[1]))
        except OSError:
            found.append("broken")
    return found
""",
    "decoded in the handler": """\
    for row in rows:
        try:
            found.append(int("x"))
        except ValueError:
            found.append(json.loads(row[1]))
    return found
""",
}


def _break(space: dict[str, Any]) -> Any:
    with sqlite3.connect("jobs.db") as connection:
        connection.execute("UPDATE jobs SET marks = '{broken' WHERE id = 3")
    connection.close()
    return space["f"]()


def _rewritten(text: str, codemod: str, *, nullable: bool = True) -> tuple[str, set[str], bool]:
    files = {**PROJECT, "app/jobs.py": text}
    if not nullable:
        old = "marks: Mapped[dict | None] = mapped_column(JSON)"
        assert old in files["app/models.py"]
        new = "marks: Mapped[dict] = mapped_column(JSON, nullable=False)"
        files["app/models.py"] = files["app/models.py"].replace(old, new)
    index = link(read_facts(Source(path, held)) for path, held in files.items())
    outcome = plan_file(Source("app/jobs.py", text), index, Settings(unsafe=True, codemods=(codemod,)))
    assert isinstance(outcome, Planned), outcome
    safe = all(site.applicability is Applicability.SAFE for site in outcome.sites)
    return outcome.after.text, {e.code for s in outcome.sites for e in s.effects}, safe


@pytest.mark.parametrize("codemod", HEAD)
@pytest.mark.parametrize("name", LEFT)
def test_a_handler_that_the_decoding_leaves_is_told(world: World, codemod: str, name: str) -> None:
    text = HEAD[codemod] + LEFT[name]
    after, effects, _ = _rewritten(text, codemod)
    assert "decoded-earlier" in effects
    before, now = world.run(text, lambda s: s["f"]()), world.run(after, lambda s: s["f"]())
    assert now.error is None
    assert now.result == before.result
    before, now = world.run(text, _break), world.run(after, _break)
    assert before.error is None
    assert isinstance(now.error, ValueError)


@pytest.mark.parametrize("codemod", HEAD)
@pytest.mark.parametrize("name", LEFT)
def test_it_is_unsafe_where_the_column_takes_no_null(codemod: str, name: str) -> None:
    _, effects, safe = _rewritten(HEAD[codemod] + LEFT[name], codemod, nullable=False)
    assert effects == {"decoded-earlier"}
    assert not safe


@pytest.mark.parametrize("codemod", HEAD)
@pytest.mark.parametrize("name", OTHER)
def test_what_raises_as_before_is_not_told(world: World, codemod: str, name: str) -> None:
    text = HEAD[codemod] + OTHER[name]
    after, effects, safe = _rewritten(text, codemod, nullable=False)
    assert safe
    assert not effects
    before, now = world.run(text, lambda s: s["f"]()), world.run(after, lambda s: s["f"]())
    assert now.error is None
    assert now.result == before.result
    before, now = world.run(text, _break), world.run(after, _break)
    assert type(now.error) is type(before.error)
    assert isinstance(now.error, ValueError)


def test_a_fetch_beside_the_decoding_keeps_its_handler(world: World) -> None:
    text = """\
import json
from app.db import open_db


def f():
    conn = open_db()
    try:
        row = conn.execute("SELECT id, marks FROM jobs WHERE id = 3").fetchone()
        return json.loads(row[1])
    except ValueError:
        return "broken"
    finally:
        conn.close()
"""
    after, effects, safe = _rewritten(text, "cursor-to-orm", nullable=False)
    assert safe
    assert not effects
    before, now = world.run(text, _break), world.run(after, _break)
    assert now.error is None
    assert now.result == before.result == "broken"
