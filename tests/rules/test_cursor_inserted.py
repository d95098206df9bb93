"""aiosqlite's execute_insert, run before and after, or left."""

from __future__ import annotations

import pytest
from ormlift.model import Planned, Refused, Settings, Source
from ormlift.plan import plan_file
from ormlift.project.facts import read_facts
from ormlift.project.index import link
from ormlift.rules.examples.cursor_kept import PROJECT

from tests.rules.cursor_runs import World, world

__all__ = ["world"]

HEAD = """import aiosqlite
from app.adb import DB_PATH

SQL = "INSERT INTO jobs (ticket, title, stage, rush, count) VALUES (?, ?, 1, 0, 0)"


async def go(ticket, title):
    async with aiosqlite.connect(DB_PATH) as db:
"""
CHANGES = {
    "a row of the id": """
        row = await db.execute_insert(SQL, (ticket, title))
        await db.commit()
        return row[0]
""",
    "read twice": """
        row = await db.execute_insert(SQL, (ticket, title))
        await db.commit()
        if row[0] > 4:
            return [row[0], "new"]
        return []
""",
    "at once": """
        number = (await db.execute_insert(SQL, (ticket, title)))[0]
        await db.commit()
        return number
""",
    "not read": """
        await db.execute_insert(SQL, parameters=(ticket, title))
        await db.commit()
        return 1
""",
    "kept and not read": """
        row = await db.execute_insert(SQL, (ticket, title))
        await db.commit()
        return ticket
""",
    "two": """
        row = await db.execute_insert(SQL, (ticket, title))
        other = await db.execute_insert(SQL, (ticket + "x", title))
        await db.commit()
        return row[0], other[0]
""",
    "one name for two": """
        row = await db.execute_insert(SQL, (ticket, title))
        first = row[0]
        row = await db.execute_insert(SQL, (ticket + "x", title))
        await db.commit()
        return first, row[0]
""",
    "in a loop": """
        made = []
        for n in range(3):
            row = await db.execute_insert(SQL, (f"{ticket}{n}", title))
            made.append(row[0])
        await db.commit()
        return made
""",
}
CHANGES["passed on"] = """
        row = await db.execute_insert(SQL, (ticket, title))
        cursor = await db.execute("SELECT title FROM jobs WHERE id = ?", (row[0],))
        found = await cursor.fetchone()
        await db.commit()
        return found[0], row[0]
"""
STAYS = {
    "the row leaves": """
        row = await db.execute_insert(SQL, (ticket, title))
        await db.commit()
        return row
""",
    "unpacked": """
        (number,) = await db.execute_insert(SQL, (ticket, title))
        await db.commit()
        return number
""",
    "another index": """
        row = await db.execute_insert(SQL, (ticket, title))
        await db.commit()
        return row[-1]
""",
    "one of two": """
        row = (7,)
        if title:
            row = await db.execute_insert(SQL, (ticket, title))
        await db.commit()
        return row[0]
""",
    "tested": """
        row = await db.execute_insert(SQL, (ticket, title))
        await db.commit()
        return row[0] if row else None
""",
    "not awaited": """
        made = db.execute_insert(SQL, (ticket, title))
        row = await made
        await db.commit()
        return row[0]
""",
    "in a function inside": """
        row = await db.execute_insert(SQL, (ticket, title))
        await db.commit()
        return (lambda: row[0])()
""",
}


def plan(text: str) -> Planned | Refused:
    files = {**PROJECT, "app/jobs.py": text}
    index = link(read_facts(Source(path, held)) for path, held in files.items())
    outcome = plan_file(Source("app/jobs.py", text), index, Settings(unsafe=True, codemods=("cursor-to-orm",)))
    assert isinstance(outcome, Planned | Refused), outcome
    return outcome


@pytest.mark.parametrize("name", CHANGES)
def test_the_same_before_and_after(name: str, world: World) -> None:
    before = HEAD + CHANGES[name]
    outcome = plan(before)
    assert isinstance(outcome, Planned), outcome.sites
    after = outcome.after.text
    assert "execute_insert" not in after
    for ticket, title in (("T-9", "new"), ("T-1", "there already"), ("T-8", "ß")):
        old, new = (world.run(text, lambda s, a=ticket, b=title: s["go"](a, b)) for text in (before, after))
        assert type(new.error).__name__ == type(old.error).__name__
        assert old.error is not None or repr(new.result) == repr(old.result)
        assert new.rows == old.rows


@pytest.mark.parametrize("name", STAYS)
def test_it_stays(name: str) -> None:
    outcome = plan(HEAD + STAYS[name])
    assert isinstance(outcome, Refused)
    (site,) = outcome.sites
    assert site.reason is not None
    assert site.reason.code in ("connection-escapes", "connection-from-outside", "asynchronous")


def test_an_insert_of_none_is_told() -> None:
    outcome = plan(HEAD.replace("INSERT", "INSERT OR IGNORE") + CHANGES["a row of the id"])
    assert isinstance(outcome, Planned)
    assert "last-id" in [e.code for site in outcome.sites for e in site.effects]
