"""Connections and cursors that functions are handed: run on a real database before and after."""

from collections.abc import Callable
from typing import Any

import pytest
from ormlift.model import Planned, Status, Unchanged

from tests.rules.cursor_runs import World, planned, world

__all__ = ["world"]

Call = Callable[[Any], Any]
_HEAD = """import sqlite3
from contextlib import closing

from app.db import DB_PATH


"""
_ADD = """def add(cur, ticket, stage=1):
    cur.execute(
        "INSERT INTO jobs (ticket, title, stage, rush, count) VALUES (?, 'x', ?, 0, 0)", (ticket, stage)
    )
    return cur.lastrowid


"""
_STAGE = """def stage_of(conn, n):
    row = conn.execute("SELECT stage FROM jobs WHERE id = ?", (n,)).fetchone()
    return row[0] if row else None


"""
_SAME: dict[str, tuple[str, list[Call]]] = {
    "a cursor by position": (
        _ADD
        + """def main(ticket):
    conn = sqlite3.connect(DB_PATH)
    cur = conn.cursor()
    new = add(cur, ticket)
    conn.commit()
    conn.close()
    return new
""",
        [lambda s: s["main"]("T-9"), lambda s: s["main"]("T-1")],
    ),
    "a connection by keyword, behind others": (
        """def move(ticket, *, conn):
    conn.execute("UPDATE jobs SET stage = stage + 1 WHERE ticket = ?", (ticket,))


def main(ticket):
    with closing(sqlite3.connect(DB_PATH)) as conn:
        move(ticket, conn=conn)
        conn.commit()
""",
        [lambda s: s["main"]("T-1")],
    ),
    "a function that commits": (
        """def move(conn, ticket):
    conn.execute("UPDATE jobs SET stage = stage + 1 WHERE ticket = ?", (ticket,))
    conn.commit()


def main(tickets):
    conn = sqlite3.connect(DB_PATH)
    for ticket in tickets:
        move(conn, ticket)
    conn.close()
""",
        [lambda s: s["main"](["T-1", "T-2", "none"])],
    ),
    "a function that takes back": (
        """def check(conn, n):
    if conn.execute("SELECT stage FROM jobs WHERE id = ?", (n,)).fetchone()[0] > 2:
        conn.rollback()
        return False
    return True


def main(n):
    conn = sqlite3.connect(DB_PATH)
    conn.execute("UPDATE jobs SET stage = stage + 1 WHERE id = ?", (n,))
    good = check(conn, n)
    conn.commit()
    conn.close()
    return good
""",
        [lambda s: [s["main"](1), s["main"](2)]],
    ),
    "a connection and its cursor at once": (
        """def move(conn, cur, n):
    cur.execute("UPDATE jobs SET stage = 8 WHERE id = ?", (n,))
    conn.commit()
    return cur.rowcount


def main(n):
    conn = sqlite3.connect(DB_PATH)
    cur = conn.cursor()
    moved = move(conn, cur, n)
    again = move(cur=cur, n=n + 1, conn=conn)
    conn.close()
    return moved, again
""",
        [lambda s: s["main"](1), lambda s: s["main"](40)],
    ),
    "handed on through three functions": (
        _STAGE
        + """def both(conn, one, other):
    return stage_of(conn, one), stage_of(conn, other)


def all_of(db, numbers):
    return [both(db, n, n + 1) for n in numbers]


def main():
    conn = sqlite3.connect(DB_PATH)
    found = all_of(conn, [1, 2, 9])
    conn.close()
    return found
""",
        [lambda s: s["main"]()],
    ),
    "several lives hand theirs to one function": (
        _ADD
        + _STAGE
        + """def one(ticket):
    conn = sqlite3.connect(DB_PATH)
    new = add(conn.cursor(), ticket)
    conn.commit()
    conn.close()
    return new


def other(ticket):
    db = sqlite3.connect(DB_PATH)
    c = db.cursor()
    first = add(c, ticket, 4)
    second = add(c, ticket + "b", stage=5)
    db.commit()
    found = stage_of(db, first), stage_of(db, second)
    db.close()
    return found
""",
        [lambda s: s["other"]("T-7")],
    ),
    "a recursion": (
        """def down(cur, n):
    cur.execute("SELECT stage FROM jobs WHERE id = ?", (n,))
    row = cur.fetchone()
    if row is None:
        return []
    return [row[0], *down(cur, n + 1)]


def main():
    conn = sqlite3.connect(DB_PATH)
    found = down(conn.cursor(), 1)
    conn.close()
    return found
""",
        [lambda s: s["main"]()],
    ),
    "a method": (
        """class Board:
    def __init__(self, step):
        self.step = step

    def _move(self, cur, n):
        cur.execute("UPDATE jobs SET stage = stage + ? WHERE id = ?", (self.step, n))
        return cur.rowcount

    def move_all(self, numbers):
        conn = sqlite3.connect(DB_PATH)
        cur = conn.cursor()
        moved = sum(self._move(cur, n) for n in numbers)
        conn.commit()
        conn.close()
        return moved
""",
        [lambda s: s["Board"](3).move_all([1, 2, 77])],
    ),
    "a static method of a class": (
        """class Board:
    @staticmethod
    def stage(conn, n):
        return conn.execute("SELECT stage FROM jobs WHERE id = ?", (n,)).fetchone()

    def stages(self):
        conn = sqlite3.connect(DB_PATH)
        found = Board.stage(conn, 1), self.stage(conn, 2)
        conn.close()
        return [tuple(row) for row in found]
""",
        [lambda s: s["Board"]().stages()],
    ),
    "a nested function": (
        """def main(numbers):
    conn = sqlite3.connect(DB_PATH)

    def stage(cur, n):
        cur.execute("SELECT stage FROM jobs WHERE id = ?", (n,))
        return cur.fetchone()[0]

    found = [stage(conn.cursor(), n) for n in numbers]
    conn.close()
    return found
""",
        [lambda s: s["main"]([1, 2]), lambda s: s["main"]([99])],
    ),
    "a caller that iterates another cursor": (
        """def count(conn, stage):
    return conn.execute("SELECT COUNT(*) FROM jobs WHERE stage = ?", (stage,)).fetchone()[0]


def main():
    conn = sqlite3.connect(DB_PATH)
    found = {}
    for n, stage in conn.execute("SELECT id, stage FROM jobs ORDER BY id"):
        found[n] = count(conn, stage)
    conn.close()
    return found
""",
        [lambda s: s["main"]()],
    ),
    "rows by name, as the opener sets them": (
        """def titles(conn, stage):
    rows = conn.execute("SELECT title, count FROM jobs WHERE stage = ? ORDER BY id", (stage,)).fetchall()
    return [(row["title"], row["count"]) for row in rows]


def main(stage):
    conn = sqlite3.connect(DB_PATH)
    conn.row_factory = sqlite3.Row
    found = titles(conn, stage)
    conn.close()
    return found
""",
        [lambda s: s["main"](2)],
    ),
    "an error in the function, caught by the caller": (
        _ADD
        + """def main(ticket):
    conn = sqlite3.connect(DB_PATH)
    cur = conn.cursor()
    try:
        add(cur, ticket)
        conn.commit()
    except sqlite3.IntegrityError:
        conn.rollback()
        return "there"
    finally:
        conn.close()
    return "new"
""",
        [lambda s: [s["main"]("T-1"), s["main"]("T-8")]],
    ),
    "an error behind writes, caught by nobody": (
        _ADD
        + """def main(tickets):
    conn = sqlite3.connect(DB_PATH)
    cur = conn.cursor()
    for ticket in tickets:
        add(cur, ticket)
    conn.commit()
    conn.close()
""",
        [lambda s: s["main"](["T-7", None])],
    ),
    "an error that the caller passes over": (
        _ADD
        + """def main(tickets):
    conn = sqlite3.connect(DB_PATH)
    cur = conn.cursor()
    bad = []
    for ticket in tickets:
        try:
            add(cur, ticket)
        except sqlite3.Error as error:
            bad.append((ticket, type(error).__name__))
    conn.commit()
    conn.close()
    return bad
""",
        [lambda s: s["main"](["T-7", "T-1", "T-8"])],
    ),
    "a handler in the function": (
        """def add(cur, ticket):
    try:
        cur.execute("INSERT INTO jobs (ticket, title, stage, rush, count) VALUES (?, 'x', 1, 0, 0)", (ticket,))
    except sqlite3.IntegrityError:
        return False
    return True


def main(tickets):
    with sqlite3.connect(DB_PATH) as conn:
        cur = conn.cursor()
        return [add(cur, ticket) for ticket in tickets]
""",
        [lambda s: s["main"](["T-7", "T-1", "T-8"])],
    ),
    "early returns": (
        """def move(conn, n):
    if n < 1:
        return "none"
    row = conn.execute("SELECT stage FROM jobs WHERE id = ?", (n,)).fetchone()
    if row is None:
        return "missing"
    conn.execute("UPDATE jobs SET stage = ? WHERE id = ?", (row[0] + 1, n))
    conn.commit()
    return row[0]


def main(numbers):
    conn = sqlite3.connect(DB_PATH)
    found = [move(conn, n) for n in numbers]
    conn.close()
    return found
""",
        [lambda s: s["main"]([0, 1, 99, 1])],
    ),
    "a function that opens its own cursor and closes it": (
        """def stages(conn):
    cur = conn.cursor()
    cur.execute("SELECT stage FROM jobs ORDER BY id")
    found = [row[0] for row in cur]
    cur.close()
    return found


def main():
    conn = sqlite3.connect(DB_PATH)
    found = stages(conn)
    conn.close()
    return found
""",
        [lambda s: s["main"]()],
    ),
    "in a script's main block": (
        _ADD
        + """def main():
    print(run())


def run():
    conn = sqlite3.connect(DB_PATH)
    try:
        return add(conn.cursor(), "T-7")
    finally:
        conn.commit()
        conn.close()


if __name__ == "__main__":
    main()
""",
        [lambda s: s["run"]()],
    ),
    "a kept connection": (
        """class Store:
    def __init__(self):
        self.conn = sqlite3.connect(DB_PATH)

    def _put(self, db, n, stage):
        db.execute("UPDATE jobs SET stage = ? WHERE id = ?", (stage, n))

    def put(self, n, stage):
        self._put(self.conn, n, stage)
        self.conn.commit()

    def stop(self):
        self.conn.close()


def main():
    store = Store()
    store.put(1, 6)
    store.put(2, 7)
    store.stop()
""",
        [lambda s: s["main"]()],
    ),
    "with blocks of the connection in the function": (
        """def move(conn, n):
    with conn:
        conn.execute("UPDATE jobs SET stage = 9 WHERE id = ?", (n,))
        if n == 3:
            raise ValueError(n)


def main(numbers):
    conn = sqlite3.connect(DB_PATH)
    for n in numbers:
        try:
            move(conn, n)
        except ValueError:
            pass
    conn.close()
""",
        [lambda s: s["main"]([1, 3, 4])],
    ),
    "in autocommit mode": (
        """def move(conn, n):
    conn.execute("UPDATE jobs SET stage = 9 WHERE id = ?", (n,))


def main(numbers):
    conn = sqlite3.connect(DB_PATH, isolation_level=None)
    for n in numbers:
        move(conn, n)
        if n == 2:
            raise ValueError(n)
    conn.close()
""",
        [lambda s: s["main"]([1, 2, 3])],
    ),
    "a function that is called with nothing of the connection besides": (
        """def count(cursor):
    cursor.execute("SELECT COUNT(*) FROM jobs")
    return cursor.fetchone()[0]


def main():
    conn = sqlite3.connect(DB_PATH)
    cursor = conn.cursor()
    before = count(cursor)
    cursor.execute("DELETE FROM jobs WHERE stage > 1")
    after = count(cursor)
    conn.commit()
    conn.close()
    return before, after
""",
        [lambda s: s["main"]()],
    ),
}


def _code(name: str) -> str:
    return _HEAD + _SAME[name][0]


@pytest.mark.parametrize("name", _SAME)
def test_before_and_after_do_the_same(world: World, name: str) -> None:
    text, calls = _code(name), _SAME[name][1]
    outcome = planned(text)
    assert isinstance(outcome, Planned), outcome
    assert [s.reason for s in outcome.sites if s.status is not Status.REWRITTEN] == []
    for call in calls:
        before, after = world.run(text, call), world.run(outcome.after.text, call)
        assert repr(after.result) == repr(before.result)
        assert type(after.error).__name__ == type(before.error).__name__
        assert after.rows == before.rows


@pytest.mark.parametrize("name", _SAME)
def test_a_second_run_finds_nothing(name: str) -> None:
    outcome = planned(_code(name))
    assert isinstance(outcome, Planned)
    assert isinstance(planned(outcome.after.text), Unchanged), outcome.after.text
