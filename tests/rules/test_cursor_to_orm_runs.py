"""What the examples of `cursor-to-orm` do on a real database, before and after."""

import json
import sqlite3
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from ormlift.model import Planned, Settings, Source
from ormlift.plan import plan_file
from ormlift.project.facts import read_facts
from ormlift.project.index import link
from ormlift.rules.cursor_to_orm import CODEMOD
from ormlift.rules.examples.cursor_to_orm import EXAMPLES, PROJECT

from tests.rules.cursor_runs import ROWS, World, world

__all__ = ["world"]


def _texts(title: str) -> tuple[str, str]:
    (example,) = [e for e in EXAMPLES if e.title == title]
    assert example.after is not None
    return example.before, example.after


def _rewritten(before: str, style: str = "auto") -> tuple[str, set[str]]:
    files = {**PROJECT, "app/jobs.py": before}
    index = link(read_facts(Source(path, text)) for path, text in files.items())
    outcome = plan_file(
        Source("app/jobs.py", before), index, Settings(unsafe=True, codemods=(CODEMOD.id,), style=style)
    )
    assert isinstance(outcome, Planned), outcome
    return outcome.after.text, {e.code for s in outcome.sites for e in s.effects}


_SAME: list[tuple[str, Callable[[Any], Any]]] = [
    ("a row fetched and read by index", lambda s: [s["title_of"](t) for t in ("T-1", "T-3", "T-4", "none")]),
    ("a try whose finally closes, and a write that commits", lambda s: s["move"]("T-2", 9)),
    ("rows in a loop and in a comprehension", lambda s: s["board"]()),
    ("a count, and a column whose name every row has taken", lambda s: s["counts"]()),
    ("rows read by name", lambda s: s["stages"]()),
    ("a handler of the driver's errors", lambda s: [s["take_in"]("T-9", "nine"), s["take_in"]("T-9", "again")]),
    ("each statement commits itself", lambda s: s["step"]("T-2")),
    ("a result fetched from more than once", lambda s: s["first_two"]()),
    ("a value whose type changes, where only the text will do", lambda s: s["day_of"]("T-2")),
    ("a connection to a database that may be another", lambda s: s["tickets"]("jobs.db")),
]


@pytest.mark.parametrize(("title", "call"), _SAME, ids=lambda v: v if isinstance(v, str) else "")
def test_before_and_after_do_the_same(world: World, title: str, call: Callable[[Any], Any]) -> None:
    before, after = (world.run(text, call) for text in _texts(title))
    assert before.error is None
    assert after.error is None
    assert after.result == before.result
    assert repr(after.result) == repr(before.result)  # values and types
    assert after.rows == before.rows


@pytest.mark.parametrize(("title", "call"), _SAME, ids=lambda v: v if isinstance(v, str) else "")
def test_the_style_of_queries_does_the_same(world: World, title: str, call: Callable[[Any], Any]) -> None:
    text, _ = _texts(title)
    before, after = world.run(text, call), world.run(_rewritten(text, "query")[0], call)
    assert after.error is None
    assert repr(after.result) == repr(before.result)
    assert after.rows == before.rows


def test_cursor_on_session_fails_before_and_works_after(world: World) -> None:
    def call(space: Any) -> Any:
        return space["save_marks"]("T-2", {"y": [1, "ü"]})

    before, after = (world.run(text, call) for text in _texts("a Session taken for a connection"))
    assert isinstance(before.error, AttributeError)
    assert before.rows == ROWS
    assert after.error is None
    assert after.result == {"y": [1, "ü"]}
    assert json.loads(after.rows[1][6]) == {"y": [1, "ü"]}
    assert after.rows[1][7][:4] >= "2024"
    assert after.rows[0] == ROWS[0]


def test_effect_commit_at_exit_is_what_happens(world: World) -> None:
    before, after = (
        world.run(text, lambda s: s["would_drop"](2))
        for text in _texts("a write that is never committed, under a scope that commits")
    )
    assert before.result == after.result == 2
    assert len(before.rows) == 4
    assert len(after.rows) == 2


def test_effect_result_type_is_what_happens(world: World) -> None:
    before, after = (
        world.run(text, lambda s: s["passed"]("T-2")) for text in _texts("a value whose type changes, where it matters")
    )
    assert before.result == "2024-05-01 10:00:00.000000"
    assert after.result == datetime(2024, 5, 1, 10)


def test_effect_row_leaves_is_what_happens(world: World) -> None:
    before, after = (world.run(text, lambda s: s["all_jobs"]()) for text in _texts("rows handed on"))
    assert before.result == after.result
    assert json.dumps(before.result[0]) == '[1, "T-1"]'
    with pytest.raises(TypeError):
        json.dumps(after.result[0])
    assert type(after.result[0]) is not tuple


_HEAD = "import json\nimport sqlite3\nfrom app.db import DB_PATH, open_db\n\n\n"
_CASES: dict[str, tuple[str, Callable[[Any], Any], set[str]]] = {
    "None matches nothing": (
        """
def f(mark):
    conn = open_db()
    cur = conn.cursor()
    cur.execute("SELECT id FROM jobs WHERE customer = ?", (mark,))
    rows = cur.fetchall()
    conn.close()
    return [r[0] for r in rows]
""",
        lambda s: [s["f"](None), s["f"]("Ada"), s["f"]("")],
        set(),
    ),
    "loop with fetchone until None": (
        """
def f():
    conn = open_db()
    cur = conn.cursor()
    cur.execute("SELECT ticket, stage FROM jobs ORDER BY id")
    found = []
    while True:
        row = cur.fetchone()
        if row is None:
            break
        found.append(row[0] + str(row[1]))
    conn.close()
    return found
""",
        lambda s: s["f"](),
        set(),
    ),
    "fetchmany in pieces": (
        """
def f():
    conn = open_db()
    cur = conn.cursor()
    cur.execute("SELECT id FROM jobs ORDER BY id")
    first = [a for (a,) in cur.fetchmany(3)]
    rest = [a for (a,) in cur.fetchmany(3)]
    conn.close()
    return first, rest
""",
        lambda s: s["f"](),
        set(),
    ),
    "lastrowid": (
        """
def f():
    conn = open_db()
    cur = conn.cursor()
    cur.execute("INSERT INTO jobs (ticket, title, stage, rush, count) VALUES ('T-7', 'x', 1, 1, 2)")
    conn.commit()
    new = cur.lastrowid
    conn.close()
    return new
""",
        lambda s: s["f"](),
        set(),
    ),
    "rowcount of an update": (
        """
def f(stage: int):
    conn = open_db()
    cur = conn.cursor()
    cur.execute("UPDATE jobs SET title = title || '!' WHERE stage = ?", (stage,))
    if cur.rowcount:
        conn.commit()
    changed = cur.rowcount
    conn.close()
    return changed
""",
        lambda s: [s["f"](2), s["f"](77)],
        {"commit-at-exit"},
    ),
    "a write in a with block commits, an error takes it back": (
        """
def f(ticket: str, fail: bool):
    with sqlite3.connect(DB_PATH) as conn:
        conn.execute("UPDATE jobs SET stage = 8 WHERE ticket = ?", (ticket,))
        if fail:
            raise ValueError(ticket)
    return "done"


def g():
    out = [f("T-1", False)]
    try:
        f("T-2", True)
    except ValueError as e:
        out.append(str(e))
    return out
""",
        lambda s: s["g"](),
        set(),
    ),
    "with conn: commits in the middle": (
        """
def f(ticket: str):
    conn = open_db()
    with conn:
        conn.execute("UPDATE jobs SET stage = 8 WHERE ticket = ?", (ticket,))
    n = conn.execute("SELECT stage FROM jobs WHERE ticket = ?", (ticket,)).fetchone()[0]
    conn.close()
    return n
""",
        lambda s: s["f"]("T-1"),
        set(),
    ),
    "with conn: twice, and a commit as the last of it": (
        """
def f(ticket: str):
    conn = open_db()
    with conn:
        conn.execute("UPDATE jobs SET stage = 8 WHERE ticket = ?", (ticket,))
        conn.commit()
    try:
        with conn:
            conn.execute("UPDATE jobs SET stage = 9 WHERE ticket = ?", (ticket,))
            raise ValueError(ticket)
    except ValueError:
        pass
    n = conn.execute("SELECT stage FROM jobs WHERE ticket = ?", (ticket,)).fetchone()[0]
    conn.close()
    return n
""",
        lambda s: s["f"]("T-1"),
        set(),
    ),
    "rows used in another statement's parameters": (
        """
def f():
    conn = open_db()
    conn.row_factory = sqlite3.Row
    found = []
    for row in conn.execute("SELECT id, stage FROM jobs ORDER BY id").fetchall():
        other = conn.execute("SELECT title FROM jobs WHERE id = ?", (row["id"],)).fetchone()
        found.append((row["stage"], other["title"]))
    conn.close()
    return found
""",
        lambda s: s["f"](),
        set(),
    ),
    "a loop that writes and commits while it reads": (
        """
def f():
    conn = open_db()
    read = conn.cursor()
    write = conn.cursor()
    for (ident,) in read.execute("SELECT id FROM jobs WHERE stage = 2 ORDER BY id").fetchall():
        write.execute("UPDATE jobs SET stage = 5 WHERE id = ?", (ident,))
        conn.commit()
    conn.close()
""",
        lambda s: s["f"](),
        set(),
    ),
    "parameters by name, and SQL in a variable": (
        """
def f(ticket: str):
    sql = (
        "SELECT title FROM jobs "
        "WHERE ticket = :t"
    )
    params = {"t": ticket}
    conn = open_db()
    row = conn.execute(sql, params).fetchone()
    conn.close()
    return row[0] if row is not None else "?"
""",
        lambda s: [s["f"]("T-3"), s["f"]("x")],
        set(),
    ),
    "early return before the close": (
        """
def f(ticket: str):
    conn = open_db()
    cur = conn.cursor()
    cur.execute("SELECT id FROM jobs WHERE ticket = ?", (ticket,))
    row = cur.fetchone()
    if not row:
        conn.close()
        return None
    cur.execute("DELETE FROM jobs WHERE id = ?", (row[0],))
    conn.commit()
    conn.close()
    return row[0]
""",
        lambda s: [s["f"]("T-3"), s["f"]("x")],
        set(),
    ),
    "conn = None, and a finally that asks": (
        """
def f(ticket: str):
    conn = None
    try:
        conn = open_db()
        conn.execute("UPDATE jobs SET title = 'z' WHERE ticket = ?", (ticket,))
        if ticket == "T-2":
            raise KeyError(ticket)
        conn.commit()
        return True
    except KeyError:
        if conn:
            conn.rollback()
        return False
    finally:
        if conn:
            conn.close()
""",
        lambda s: [s["f"]("T-1"), s["f"]("T-2")],
        set(),
    ),
}


@pytest.mark.parametrize("style", ["select", "query"])
@pytest.mark.parametrize("name", list(_CASES))
def test_rewritten_code_does_what_the_raw_code_did(world: World, name: str, style: str) -> None:
    text, call, expected = _CASES[name]
    text = _HEAD + text
    after, effects = _rewritten(text, style)
    assert effects == expected
    assert ".cursor(" not in after
    assert "session" in after
    raw, new = world.run(text, call), world.run(after, call)
    assert raw.error is None
    assert new.error is None
    assert repr(new.result) == repr(raw.result)
    assert new.rows == raw.rows


def test_an_error_inside_takes_the_write_back(world: World) -> None:
    text = _HEAD + (
        'def f():\n    conn = open_db()\n    conn.execute("UPDATE jobs SET stage = 6")\n'
        "    conn.execute(\"INSERT INTO jobs (id, ticket, title, stage, rush, count) VALUES (1, 'a', 'b', 1, 1, 1)\")\n"
        "    conn.commit()\n    conn.close()\n"
    )
    after, _ = _rewritten(text)
    raw, new = world.run(text, lambda s: s["f"]()), world.run(after, lambda s: s["f"]())
    assert isinstance(raw.error, sqlite3.IntegrityError)
    assert type(new.error).__name__ == "IntegrityError"
    assert new.rows == raw.rows == ROWS


def test_a_datetime_column_is_a_datetime_after(world: World) -> None:
    text = _HEAD + (
        'def f():\n    conn = open_db()\n    row = conn.execute("SELECT passed_at FROM jobs WHERE id = 2").fetchone()\n'
        "    conn.close()\n    return row[0]\n"
    )
    after, effects = _rewritten(text)
    assert effects == {"result-type"}
    assert world.run(after, lambda s: s["f"]()).result == datetime(2024, 5, 1, 10)
