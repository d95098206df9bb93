"""Cursor code whose rewrite must be exact, or name what it changes: run before and after on a real database."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from ormlift.model import Planned, Settings, Source
from ormlift.plan import plan_file
from ormlift.project.facts import read_facts
from ormlift.project.index import link
from ormlift.rules.cursor_to_orm import CODEMOD
from ormlift.rules.examples.cursor_kept import PROJECT

from tests.rules.cursor_runs import World, world

__all__ = ["world"]

_HEAD = "import sqlite3\nfrom decimal import Decimal\n\nfrom app.db import open_db\n\n\n"


def _f(*arguments: Any) -> Callable[[Any], Any]:
    return lambda space: space["f"](*arguments)


def _planned(body: str, style: str = "select") -> tuple[str, set[str], list[str]]:
    """The text after, the codes of its effects, and the reasons of what stays."""
    text = _HEAD + body
    index = link(read_facts(Source(path, held)) for path, held in {**PROJECT, "app/jobs.py": text}.items())
    settings = Settings(unsafe=True, codemods=(CODEMOD.id,), style=style)
    outcome = plan_file(Source("app/jobs.py", text), index, settings)
    sites = getattr(outcome, "sites", ())
    effects = {e.code for s in sites for e in s.effects}
    reasons = [s.reason.code for s in sites if s.reason]
    if not isinstance(outcome, Planned):
        return text, effects, reasons
    assert not isinstance(plan_file(outcome.after, index, settings), Planned)
    return outcome.after.text, effects, reasons


_MANY = """def f(ids):
    conn = open_db()
    try:
        conn.executemany("UPDATE jobs SET count = 9 WHERE id = ?", {rows})
        conn.commit()
        return "done"
    except (TypeError, ValueError) as error:
        {handler}
        return str(error)
    finally:
        conn.close()
"""
_APPENDED = """def f(items):
    rows = []
    for title, number in items:
        rows.append((title, number))
    if not rows:
        return 0
    conn = open_db()
    conn.executemany("UPDATE jobs SET title = ? WHERE id = ?", rows)
    conn.commit()
    conn.close()
    return len(rows)
"""
_SAME: dict[str, tuple[str, list[Callable[[Any], Any]]]] = {
    "a list that raises midway, and a handler that commits": (
        _MANY.format(rows="[(int(i),) for i in ids]", handler="conn.commit()"),
        [_f([1, "x", 2]), _f(["1", 2]), _f([])],
    ),
    "a list that raises midway, and a handler that takes back": (
        _MANY.format(rows="[(int(i),) for i in ids]", handler="conn.rollback()"),
        [_f([1, "x", 2]), _f(["1", 2])],
    ),
    "a list that cannot be unpacked midway": (
        _MANY.format(rows="[(i,) for i, _ in ids]", handler="conn.commit()"),
        [_f([(1, 2), (2,)]), _f([(1, 2), (2, 3)])],
    ),
    "a generator is executed as far as it comes": (
        _MANY.format(rows="((int(i),) for i in ids)", handler="conn.commit()"),
        [_f([1, "x", 2]), _f(["1", 2])],
    ),
    "a commit in a finally": (
        """def f(ids):
    conn = open_db()
    try:
        conn.executemany("DELETE FROM jobs WHERE id = ?", [(int(i),) for i in ids])
    finally:
        conn.commit()
        conn.close()
""",
        [_f([1, "x"]), _f([2])],
    ),
    "nothing catches what a list raises": (
        """def f(ids):
    conn = open_db()
    conn.executemany("DELETE FROM jobs WHERE id = ?", [(int(i),) for i in ids])
    conn.commit()
    conn.close()
""",
        [_f([1, "x"]), _f([2])],
    ),
    "a close on a path that ends": (
        """def f(number: int):
    conn = open_db()
    cur = conn.execute("SELECT title FROM jobs WHERE id = ?", (number,))
    row = cur.fetchone()
    if row is None:
        conn.close()
        return None
    count = conn.execute("SELECT COUNT(*) FROM jobs").fetchone()[0]
    conn.close()
    return row[0], count
""",
        [_f(1), _f(99)],
    ),
    "a loop that calls what only reads": (
        """def name(value):
    return value.title()


def f():
    conn = open_db()
    out = []
    for row in conn.execute("SELECT id, title FROM jobs ORDER BY id"):
        out.append(name(row[1]))
    conn.execute("UPDATE jobs SET count = 99")
    conn.commit()
    conn.close()
    return out
""",
        [_f()],
    ),
    "text of columns whose types would convert it": (
        """def f():
    conn = open_db()
    rows = conn.execute("SELECT id, passed_at, marks FROM jobs WHERE passed_at IS NOT NULL ORDER BY id").fetchall()
    row = conn.execute("SELECT marks FROM jobs WHERE id = 2").fetchone()
    conn.close()
    return [(r[1].split(" ")[0], r[2][:1]) for r in rows], len(row[0])
""",
        [_f()],
    ),
    "rows that are put together one by one": (_APPENDED, [_f([("a", 1), ("b", 2)]), _f([])]),
}


@pytest.mark.parametrize("style", ["select", "query"])
@pytest.mark.parametrize("name", list(_SAME))
def test_stays_safe_and_does_the_same(world: World, name: str, style: str) -> None:
    body, calls = _SAME[name]
    after, effects, reasons = _planned(body, style)
    assert (effects, reasons) == (set(), [])
    for call in calls:
        old, new = world.run(_HEAD + body, call), world.run(after, call)
        assert repr(new.result) == repr(old.result)
        assert type(new.error).__name__ == type(old.error).__name__
        assert new.rows == old.rows


_TOLD: dict[str, tuple[str, str, Callable[[Any], Any]]] = {
    "rows that are too long": (
        """def f(rows):
    conn = open_db()
    conn.executemany("UPDATE jobs SET title = ? WHERE id = ?", rows)
    conn.commit()
    conn.close()
""",
        "parameter-count",
        _f([("x", 1, 2)]),
    ),
    "a decimal": (
        """def f(count: Decimal):
    conn = open_db()
    row = conn.execute("SELECT id FROM jobs WHERE count = ?", (count,)).fetchone()
    conn.close()
    return row[0]
""",
        "bind-type",
        _f(Decimal(5)),
    ),
    "a write between two fetches": (
        """def f():
    conn = open_db()
    cur = conn.execute("SELECT id, count FROM jobs ORDER BY id")
    first = cur.fetchone()
    conn.execute("UPDATE jobs SET count = 99")
    rest = cur.fetchall()
    conn.commit()
    conn.close()
    return first[1], [r[1] for r in rest]
""",
        "reads-ahead",
        _f(),
    ),
    "a loop that calls what writes": (
        """def mark(number):
    conn = sqlite3.connect("jobs.db", timeout=0)
    try:
        conn.execute("UPDATE jobs SET count = 77 WHERE id = ?", (number,))
        conn.commit()
    finally:
        conn.close()


def f():
    conn = open_db()
    out = []
    for row in conn.execute("SELECT id, count FROM jobs ORDER BY id"):
        try:
            mark(row[0])
            out.append(row[1])
        except Exception as error:
            out.append(str(error))
            break
    conn.close()
    return out
""",
        "reads-ahead",
        _f(),
    ),
    "a loop that commits what it changes": (
        """def f():
    conn = open_db()
    seen = []
    for row in conn.execute("SELECT id, count FROM jobs WHERE id > 0 ORDER BY id"):
        conn.execute("UPDATE jobs SET count = 99 WHERE id = ?", (row[0] + 2,))
        conn.commit()
        seen.append(row[1])
    conn.close()
    return seen
""",
        "reads-ahead",
        _f(),
    ),
    "the id of an insert that adds nothing": (
        """def f():
    conn = open_db()
    conn.execute("INSERT INTO jobs (ticket, title, stage, rush, count) VALUES ('T-8', 'x', 1, 0, 0)")
    conn.commit()
    conn.close()
    conn = open_db()
    cur = conn.execute(
        "INSERT OR IGNORE INTO jobs (id, ticket, title, stage, rush, count) VALUES (1, 'T-1', 'x', 1, 0, 0)"
    )
    found = cur.lastrowid
    conn.commit()
    conn.close()
    return found
""",
        "last-id",
        _f(),
    ),
    "parameters that lack one, and a handler of the driver's errors": (
        """def f(given):
    conn = open_db()
    try:
        return [r[0] for r in conn.execute("SELECT id FROM jobs WHERE id = :id AND count > :low", given)]
    except sqlite3.Error:
        return "no"
    finally:
        conn.close()
""",
        "parameter-count",
        _f({"id": 1}),
    ),
    "a limit of text, and a handler of the driver's errors": (
        """def f(most):
    conn = open_db()
    try:
        return [r[0] for r in conn.execute("SELECT id FROM jobs ORDER BY id LIMIT ?", (most,))]
    except sqlite3.Error:
        return "no"
    finally:
        conn.close()
""",
        "parameter-count",
        _f("many"),
    ),
    "a property that counts": (
        """class Counter:
    seen = 0

    @property
    def next(self):
        self.seen += 1
        return self.seen


def f():
    counter = Counter()
    conn = open_db()
    conn.execute("UPDATE jobs SET count = ? WHERE id = ?", (counter.next, counter.seen))
    conn.commit()
    conn.close()
""",
        "evaluation-order",
        _f(),
    ),
    "a call, and what it changes": (
        """def f():
    numbers = [3, 2, 1]
    conn = open_db()
    conn.execute("UPDATE jobs SET count = ? WHERE id = ?", (numbers.pop(), numbers[-1]))
    conn.commit()
    conn.close()
""",
        "evaluation-order",
        _f(),
    ),
    "rows that something else may have put together": (
        _APPENDED.replace("rows.append((title, number))", "rows.append([title, number])\n        rows[-1].append(1)"),
        "parameter-count",
        _f([("x", 1)]),
    ),
}


@pytest.mark.parametrize("name", list(_TOLD))
def test_what_changes_is_told(world: World, name: str) -> None:
    body, code, call = _TOLD[name]
    after, effects, reasons = _planned(body)
    assert code in effects
    assert reasons == []
    old, new = world.run(_HEAD + body, call), world.run(after, call)
    assert (repr(old.result), type(old.error), old.rows) != (repr(new.result), type(new.error), new.rows)


_STAYS = {
    "a unary plus": (
        """def f(count):
    conn = open_db()
    rows = conn.execute("SELECT id FROM jobs WHERE +count > ? ORDER BY id", (count,)).fetchall()
    conn.close()
    return [r[0] for r in rows]
""",
        "sql-not-supported",
    ),
    "one of two texts with parameters made later": (
        """def f(wanted, given):
    conn = open_db()
    if wanted:
        q = "SELECT id FROM jobs WHERE id = ?"
    else:
        q = "SELECT id FROM jobs WHERE count = ?"
    number = len(given)
    rows = conn.execute(q, (number,)).fetchall()
    conn.close()
    return [r[0] for r in rows]
""",
        "parameters-unknown",
    ),
    "a name bound among the parameters": (
        """def f(wanted):
    conn = open_db()
    row = conn.execute("SELECT id FROM jobs WHERE id = ?", ((number := len(wanted)),)).fetchone()
    conn.close()
    return row[0], number
""",
        "parameters-unknown",
    ),
    "an execute among the parameters of another": (
        """def f():
    conn = open_db()
    row = conn.execute(
        "SELECT id FROM jobs WHERE count = ?", (conn.execute("SELECT MAX(count) FROM jobs").fetchone()[0],)
    ).fetchone()
    conn.close()
    return row[0]
""",
        "unclear-cursor",
    ),
    "a str for a list": (
        """def f(tickets: str):
    conn = open_db()
    marks = ",".join("?" * len(tickets))
    rows = conn.execute(f"SELECT id FROM jobs WHERE ticket IN ({marks})", tickets).fetchall()
    conn.close()
    return [r[0] for r in rows]
""",
        "parameters-unknown",
    ),
    "a fetch behind the close": (
        """def f():
    conn = open_db()
    cur = conn.execute("SELECT id FROM jobs ORDER BY id")
    conn.close()
    return [r[0] for r in cur.fetchall()]
""",
        "unclear-connection",
    ),
    "an order by what is no place": (
        """def f():
    conn = open_db()
    rows = conn.execute("SELECT id FROM jobs ORDER BY +1").fetchall()
    conn.close()
    return [r[0] for r in rows]
""",
        "sql-not-supported",
    ),
}


@pytest.mark.parametrize("name", list(_STAYS))
def test_stays(name: str) -> None:
    body, reason = _STAYS[name]
    after, _, reasons = _planned(body)
    assert after == _HEAD + body
    assert reasons == [reason]
