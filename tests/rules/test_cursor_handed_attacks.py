"""Programs whose functions are handed connections: what differs after the rewrite is told, what would break stays."""

from collections.abc import Callable
from typing import Any

import pytest
from ormlift.model import Planned, Refused, Status, Unchanged

from tests.rules.cursor_runs import Ran, World, planned, world

__all__ = ["world"]

Call = Callable[[Any], Any]
_HEAD = """import json
import sqlite3
from contextlib import closing

from app.db import DB_PATH


"""
_SAME: dict[str, tuple[str, Call]] = {
    "top level script": (
        """def stage(cur, n):
    cur.execute("SELECT stage FROM jobs WHERE id = ?", (n,))
    return cur.fetchone()[0]


conn = sqlite3.connect(DB_PATH)
cur = conn.cursor()
FOUND = [stage(cur, n) for n in (1, 2)]
cur.execute("UPDATE jobs SET stage = 7 WHERE id = 1")
conn.commit()
conn.close()
""",
        lambda s: s["FOUND"],
    ),
    "for loop with committing callee": (
        """def move(conn, n):
    conn.execute("UPDATE jobs SET count = 9 WHERE id = ?", (n,))
    conn.commit()


def main():
    conn = sqlite3.connect(DB_PATH)
    seen = []
    for (n,) in conn.execute("SELECT id FROM jobs ORDER BY id"):
        move(conn, n)
        seen.append(n)
    conn.close()
    return seen
""",
        lambda s: s["main"](),
    ),
    "for loop, cursor kept, committing callee": (
        """def move(conn, n):
    conn.execute("UPDATE jobs SET count = 9 WHERE id = ?", (n,))
    conn.commit()


def main():
    conn = sqlite3.connect(DB_PATH)
    cur = conn.cursor()
    cur.execute("SELECT id FROM jobs ORDER BY id")
    seen = []
    for row in cur:
        move(conn, row[0])
        seen.append(row[0])
    conn.close()
    return seen
""",
        lambda s: s["main"](),
    ),
    "save helper": (
        """def save(conn):
    conn.commit()


def undo(conn):
    conn.rollback()


def main(good):
    conn = sqlite3.connect(DB_PATH)
    conn.execute("UPDATE jobs SET count = 9 WHERE id = 1")
    if good:
        save(conn)
    else:
        undo(conn)
    conn.close()
""",
        lambda s: (s["main"](True), s["main"](False)),
    ),
    "try finally in helper": (
        """def move(conn, n):
    cur = conn.cursor()
    try:
        cur.execute("UPDATE jobs SET count = ? WHERE id = 1", (n,))
    finally:
        cur.close()
    return n


def main():
    conn = sqlite3.connect(DB_PATH)
    try:
        found = move(conn, 3)
        conn.commit()
        return found
    except Exception:
        conn.rollback()
        raise
    finally:
        conn.close()
""",
        lambda s: s["main"](),
    ),
    "helper raises own error": (
        """def need(cur, n):
    cur.execute("SELECT stage FROM jobs WHERE id = ?", (n,))
    row = cur.fetchone()
    if not row:
        raise LookupError(n)
    return row[0]


def main(n):
    conn = sqlite3.connect(DB_PATH)
    cur = conn.cursor()
    try:
        cur.execute("UPDATE jobs SET count = 5 WHERE id = 1")
        stage = need(cur, n)
        conn.commit()
    except LookupError:
        conn.rollback()
        stage = None
    finally:
        conn.close()
    return stage
""",
        lambda s: (s["main"](2), s["main"](50)),
    ),
    "rows returned and indexed": (
        """def rows(conn):
    return conn.execute("SELECT id, title FROM jobs ORDER BY id").fetchall()


def main():
    conn = sqlite3.connect(DB_PATH)
    found = [(n, t) for n, t in rows(conn)]
    first = rows(conn)[0]
    conn.close()
    return found, first[1], len(first), first == (1, "one")
""",
        lambda s: s["main"](),
    ),
    "named rows returned": (
        """def row(conn, n):
    return conn.execute("SELECT id, title FROM jobs WHERE id = ?", (n,)).fetchone()


def main():
    conn = sqlite3.connect(DB_PATH)
    conn.row_factory = sqlite3.Row
    found = row(conn, 1)["title"]
    conn.close()
    return found
""",
        lambda s: s["main"](),
    ),
    "dicts returned": (
        """def row(conn, n):
    found = conn.execute("SELECT id, title FROM jobs WHERE id = ?", (n,)).fetchone()
    return dict(found) if found else None


def main():
    conn = sqlite3.connect(DB_PATH)
    conn.row_factory = sqlite3.Row
    found = row(conn, 1), row(conn, 70)
    conn.close()
    return found
""",
        lambda s: s["main"](),
    ),
    "mutual recursion": (
        """def even(cur, n):
    cur.execute("UPDATE jobs SET count = count + 1 WHERE id = ?", (n,))
    return n if n == 0 else odd(cur, n - 1)


def odd(cur, n):
    cur.execute("UPDATE jobs SET stage = stage + 1 WHERE id = ?", (n,))
    return even(cur, n - 1)


def main():
    conn = sqlite3.connect(DB_PATH)
    found = even(conn.cursor(), 4)
    conn.commit()
    conn.close()
    return found
""",
        lambda s: s["main"](),
    ),
    "with cursor closing": (
        """def count(cur):
    cur.execute("SELECT COUNT(*) FROM jobs")
    return cur.fetchone()[0]


def main():
    with closing(sqlite3.connect(DB_PATH)) as conn:
        with closing(conn.cursor()) as cur:
            return count(cur)
""",
        lambda s: s["main"](),
    ),
    "session is a name already": (
        """def count(cur, session):
    cur.execute("SELECT COUNT(*) FROM jobs WHERE stage = ?", (session,))
    return cur.fetchone()[0]


def main(session):
    conn = sqlite3.connect(DB_PATH)
    found = count(conn.cursor(), session=session)
    conn.close()
    return found
""",
        lambda s: s["main"](2),
    ),
    "kwargs with session": (
        """def count(cur, **more):
    cur.execute("SELECT COUNT(*) FROM jobs WHERE stage = ?", (more["session"],))
    return cur.fetchone()[0]


def main(stage):
    conn = sqlite3.connect(DB_PATH)
    found = count(conn.cursor(), session=stage)
    conn.close()
    return found
""",
        lambda s: s["main"](2),
    ),
    "param is called session": (
        """def count(session):
    return session.execute("SELECT COUNT(*) FROM jobs").fetchone()[0]


def main():
    conn = sqlite3.connect(DB_PATH)
    found = count(conn)
    conn.close()
    return found
""",
        lambda s: s["main"](),
    ),
    "inner variable result": (
        """def titles(conn):
    result = []
    for row in conn.execute("SELECT title FROM jobs ORDER BY id"):
        result.append(row[0])
    return result


def main():
    conn = sqlite3.connect(DB_PATH)
    found = titles(conn)
    conn.close()
    return found
""",
        lambda s: s["main"](),
    ),
    "fetchmany in helper": (
        """def batch(conn, size):
    cur = conn.cursor()
    cur.execute("SELECT id FROM jobs ORDER BY id")
    found = []
    while True:
        rows = cur.fetchmany(size)
        if not rows:
            return found
        found.append([r[0] for r in rows])


def main():
    conn = sqlite3.connect(DB_PATH)
    found = batch(conn, 3)
    conn.close()
    return found
""",
        lambda s: s["main"](),
    ),
    "executemany in helper": (
        """def put(cur, tickets):
    cur.executemany(
        "INSERT INTO jobs (ticket, title, stage, rush, count) VALUES (?, ?, 1, 0, 0)", [(t, "x") for t in tickets]
    )
    return len(tickets)


def main(tickets):
    conn = sqlite3.connect(DB_PATH)
    cur = conn.cursor()
    found = put(cur, tickets)
    conn.commit()
    conn.close()
    return found
""",
        lambda s: s["main"](["a", "b"]),
    ),
    "default in the middle": (
        """def put(ticket, conn, stage=3, *, title="t"):
    conn.execute("INSERT INTO jobs (ticket, title, stage, rush, count) VALUES (?, ?, ?, 0, 0)", (ticket, title, stage))


def main():
    conn = sqlite3.connect(DB_PATH)
    put("a", conn)
    put("b", conn, 4)
    put(conn=conn, ticket="c", title="q")
    conn.commit()
    conn.close()
""",
        lambda s: s["main"](),
    ),
    "both, cursor first, multi line": (
        """def put(
    cur,  # the cursor
    conn,
    ticket,
):
    cur.execute("INSERT INTO jobs (ticket, title, stage, rush, count) VALUES (?, 'x', 1, 0, 0)", (ticket,))
    conn.commit()


def main():
    conn = sqlite3.connect(DB_PATH)
    cur = conn.cursor()
    put(
        cur,
        conn,
        "a",
    )
    put(cur, conn=conn, ticket="b")
    conn.close()
""",
        lambda s: s["main"](),
    ),
    "both as the last": (
        """def put(ticket, conn, cur):
    cur.execute("INSERT INTO jobs (ticket, title, stage, rush, count) VALUES (?, 'x', 1, 0, 0)", (ticket,))
    conn.commit()


def main():
    conn = sqlite3.connect(DB_PATH)
    cur = conn.cursor()
    put("a", conn, cur)
    put("b", conn, cur=cur)
    conn.close()
""",
        lambda s: s["main"](),
    ),
    "with conn around helper": (
        """def put(conn, ticket):
    conn.execute("INSERT INTO jobs (ticket, title, stage, rush, count) VALUES (?, 'x', 1, 0, 0)", (ticket,))


def main(tickets):
    conn = sqlite3.connect(DB_PATH)
    try:
        with conn:
            for t in tickets:
                put(conn, t)
    finally:
        conn.close()
""",
        lambda s: s["main"](["a", "T-1"]),
    ),
    "with connect as conn": (
        """def put(conn, ticket):
    conn.execute("INSERT INTO jobs (ticket, title, stage, rush, count) VALUES (?, 'x', 1, 0, 0)", (ticket,))


def main(tickets):
    with sqlite3.connect(DB_PATH) as conn:
        for t in tickets:
            put(conn, t)
""",
        lambda s: s["main"](["a", "T-1"]),
    ),
    "open_db helper": (
        """from app.db import open_db


def put(conn, ticket):
    conn.execute("INSERT INTO jobs (ticket, title, stage, rush, count) VALUES (?, 'x', 1, 0, 0)", (ticket,))


def main(tickets):
    conn = open_db()
    for t in tickets:
        put(conn, t)
    conn.commit()
    conn.close()
""",
        lambda s: s["main"](["a", "b"]),
    ),
    "two lives sequential in one function": (
        """def put(conn, ticket):
    conn.execute("INSERT INTO jobs (ticket, title, stage, rush, count) VALUES (?, 'x', 1, 0, 0)", (ticket,))
    conn.commit()


def main():
    conn = sqlite3.connect(DB_PATH)
    put(conn, "a")
    conn.close()
    print("between")
    conn = sqlite3.connect(DB_PATH)
    put(conn, "b")
    conn.close()
""",
        lambda s: s["main"](),
    ),
    "unused parameter": (
        """def noop(conn, x):
    return x


def main():
    conn = sqlite3.connect(DB_PATH)
    conn.execute("DELETE FROM jobs WHERE id = 1")
    found = noop(conn, 3)
    conn.commit()
    conn.close()
    return found
""",
        lambda s: s["main"](),
    ),
    "put_one named like a closer": (
        """def put_one(cur):
    cur.execute("INSERT INTO jobs (ticket, title, stage, rush, count) VALUES ('q', 'x', 1, 0, 0)")


def main():
    conn = sqlite3.connect(DB_PATH)
    cur = conn.cursor()
    put_one(cur)
    conn.commit()
    conn.close()
""",
        lambda s: s["main"](),
    ),
    "object's method": (
        """class Repo:
    def add_one(self, cur, ticket):
        cur.execute("INSERT INTO jobs (ticket, title, stage, rush, count) VALUES (?, 'x', 1, 0, 0)", (ticket,))


def main():
    repo = Repo()
    conn = sqlite3.connect(DB_PATH)
    repo.add_one(conn.cursor(), "q")
    Repo().add_one(conn.cursor(), "r")
    conn.commit()
    conn.close()
""",
        lambda s: s["main"](),
    ),
    "class method": (
        """class Repo:
    table = "jobs"

    @classmethod
    def size(cls, cur):
        cur.execute("SELECT COUNT(*) FROM jobs")
        return cur.fetchone()[0], cls.table

    @classmethod
    def main(cls):
        conn = sqlite3.connect(DB_PATH)
        found = cls.size(conn.cursor()), Repo.size(conn.cursor())
        conn.close()
        return found
""",
        lambda s: s["Repo"].main(),
    ),
    "inherited method": (
        """class Base:
    def _size(self, cur):
        cur.execute("SELECT COUNT(*) FROM jobs")
        return cur.fetchone()[0]


class Repo(Base):
    def main(self):
        conn = sqlite3.connect(DB_PATH)
        found = self._size(conn.cursor())
        conn.close()
        return found
""",
        lambda s: s["Repo"]().main(),
    ),
    "conn maybe none": (
        """def stage(conn, n):
    return conn.execute("SELECT stage FROM jobs WHERE id = ?", (n,)).fetchone()[0]


def main():
    conn = None
    try:
        conn = sqlite3.connect(DB_PATH)
        return stage(conn, 1)
    except sqlite3.Error as error:
        return str(error)
    finally:
        if conn:
            conn.close()
""",
        lambda s: s["main"](),
    ),
    "interleaved two helpers, one cursor": (
        """def a(cur):
    cur.execute("SELECT id FROM jobs ORDER BY id")
    return cur.fetchone()[0]


def b(cur):
    cur.execute("SELECT stage FROM jobs ORDER BY id DESC")
    return cur.fetchone()[0]


def main():
    conn = sqlite3.connect(DB_PATH)
    cur = conn.cursor()
    cur.execute("SELECT title FROM jobs ORDER BY id")
    title = cur.fetchone()[0]
    found = title, a(cur), b(cur), a(cur)
    conn.close()
    return found
""",
        lambda s: s["main"](),
    ),
    "unreachable other sites between": (
        """def stage(conn, n):
    return conn.execute("SELECT stage FROM jobs WHERE id = ?", (n,)).fetchone()[0]


def alone(n):
    conn = sqlite3.connect(DB_PATH)
    found = conn.execute("SELECT title FROM jobs WHERE id = ?", (n,)).fetchone()[0]
    conn.close()
    return found


def main():
    conn = sqlite3.connect(DB_PATH)
    found = stage(conn, 1)
    conn.close()
    return found, alone(2)
""",
        lambda s: s["main"](),
    ),
    "two families interleaved": (
        """def a(conn, n):
    return conn.execute("SELECT stage FROM jobs WHERE id = ?", (n,)).fetchone()[0]


def b(conn, n):
    return conn.execute("SELECT title FROM jobs WHERE id = ?", (n,)).fetchone()[0]


def main_a():
    conn = sqlite3.connect(DB_PATH)
    found = a(conn, 1)
    conn.close()
    return found


def main_b():
    conn = sqlite3.connect(DB_PATH)
    found = b(conn, 1)
    conn.close()
    return found
""",
        lambda s: (s["main_a"](), s["main_b"]()),
    ),
    "a function that runs nothing but what stays SQL": (
        """def prepare(cur):
    cur.execute("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, line TEXT)")
    cur.execute("INSERT INTO notes (line) VALUES (?)", ("a",))


def main(n):
    conn = sqlite3.connect(DB_PATH)
    cur = conn.cursor()
    prepare(cur)
    cur.execute("UPDATE jobs SET stage = 9 WHERE id = ?", (n,))
    conn.commit()
    cur.execute("SELECT line FROM notes")
    found = [row[0] for row in cur.fetchall()]
    conn.close()
    return found
""",
        lambda s: s["main"](1),
    ),
    "a pair of a connection and a cursor": (
        """def connect():
    conn = sqlite3.connect(DB_PATH)
    return conn, conn.cursor()


def move(conn, cur, n):
    cur.execute("UPDATE jobs SET stage = 9 WHERE id = ?", (n,))
    if not cur.rowcount:
        conn.rollback()
        return False
    conn.commit()
    return True


def main(numbers):
    conn, cur = connect()
    found = [move(conn, cur, n) for n in numbers]
    conn.close()
    return found
""",
        lambda s: s["main"]([1, 77]),
    ),
    "a context manager that hands out a cursor": (
        """from contextlib import contextmanager


@contextmanager
def cursor():
    conn = sqlite3.connect(DB_PATH)
    try:
        yield conn.cursor()
        conn.commit()
    except Exception:
        conn.rollback()
        raise
    finally:
        conn.close()


def move(cur, n):
    cur.execute("UPDATE jobs SET stage = 9 WHERE id = ?", (n,))
    if n == 3:
        raise ValueError(n)


def main(numbers):
    done = []
    for n in numbers:
        try:
            with cursor() as cur:
                move(cur, n)
                done.append(n)
        except ValueError:
            pass
    return done
""",
        lambda s: s["main"]([1, 3, 4]),
    ),
    "a kept cursor that methods hand to a function": (
        """def count(cur, stage):
    cur.execute("SELECT COUNT(*) FROM jobs WHERE stage = ?", (stage,))
    return cur.fetchone()[0]


class Board:
    def __init__(self):
        self.conn = sqlite3.connect(DB_PATH)
        self.cur = self.conn.cursor()

    def counts(self):
        return [count(self.cur, stage) for stage in (1, 2, 3)]

    def move(self, n):
        before = count(self.cur, 9)
        self.cur.execute("UPDATE jobs SET stage = 9 WHERE id = ?", (n,))
        self.conn.commit()
        return before, count(self.cur, 9)


def main():
    board = Board()
    found = board.counts(), board.move(1), board.move(2)
    board.conn.close()
    return found
""",
        lambda s: s["main"](),
    ),
    "an asynchronous connection": (
        """import aiosqlite


async def stage_of(db: aiosqlite.Connection, n):
    async with db.execute("SELECT stage FROM jobs WHERE id = ?", (n,)) as cursor:
        row = await cursor.fetchone()
    return row[0] if row else None


async def move(db, n):
    await db.execute("UPDATE jobs SET stage = stage + 1 WHERE id = ?", (n,))
    return await stage_of(db, n)


async def main(n):
    async with aiosqlite.connect(DB_PATH) as db:
        found = await move(db, n)
        await db.commit()
    return found
""",
        lambda s: s["main"](1),
    ),
    "mangled method": (
        """class Board:
    def __stage(self, cur, n):
        cur.execute("SELECT stage FROM jobs WHERE id = ?", (n,))
        return cur.fetchone()[0]

    def main(self):
        conn = sqlite3.connect(DB_PATH)
        found = self.__stage(conn.cursor(), 1)
        conn.close()
        return found
""",
        lambda s: s["Board"]().main(),
    ),
    "one line": (
        """def stage(conn, n): return conn.execute("SELECT stage FROM jobs WHERE id = ?", (n,)).fetchone()[0]


def main():
    conn = sqlite3.connect(DB_PATH)
    found = stage(conn, 1)
    conn.close()
    return found
""",
        lambda s: s["main"](),
    ),
    "nested handings in one call": (
        """def stage(conn, n):
    return conn.execute("SELECT stage FROM jobs WHERE id = ?", (n,)).fetchone()[0]


def put(conn, a, b):
    conn.execute("UPDATE jobs SET stage = ? WHERE id = ?", (a, b))
    return a


def main():
    conn = sqlite3.connect(DB_PATH)
    found = put(conn, stage(conn, put(conn, 7, 2) - 6), 3)
    conn.commit()
    conn.close()
    return found
""",
        lambda s: s["main"](),
    ),
    "conditions": (
        """def has(conn, n):
    return conn.execute("SELECT 1 FROM jobs WHERE id = ?", (n,)).fetchone() is not None


def drop(conn, n):
    conn.execute("DELETE FROM jobs WHERE id = ?", (n,))
    return True


def main(n):
    conn = sqlite3.connect(DB_PATH)
    gone = has(conn, n) and drop(conn, n)
    other = "yes" if has(conn, n + 1) else "no"
    while has(conn, 4):
        drop(conn, 4)
    conn.commit()
    conn.close()
    return gone, other
""",
        lambda s: (s["main"](1), s["main"](1)),
    ),
    "stays sql loop with committing callee": (
        """def prepare(conn):
    conn.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, line TEXT)")
    for n in range(30):
        conn.execute("INSERT INTO notes (line) VALUES (?)", (str(n),))
    conn.commit()


def move(conn, n):
    conn.execute("UPDATE jobs SET count = count + 1 WHERE id = 1")
    conn.commit()


def main():
    conn = sqlite3.connect(DB_PATH)
    prepare(conn)
    seen = 0
    for (n,) in conn.execute("SELECT id FROM notes ORDER BY id"):
        move(conn, n)
        seen += n
    conn.close()
    return seen
""",
        lambda s: s["main"](),
    ),
    "stays sql loop with direct commit": (
        """def main():
    conn = sqlite3.connect(DB_PATH)
    conn.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, line TEXT)")
    for n in range(30):
        conn.execute("INSERT INTO notes (line) VALUES (?)", (str(n),))
    conn.commit()
    seen = 0
    for (n,) in conn.execute("SELECT id FROM notes ORDER BY id"):
        conn.execute("UPDATE jobs SET count = count + 1 WHERE id = 1")
        conn.commit()
        seen += n
    conn.close()
    return seen
""",
        lambda s: s["main"](),
    ),
    "many rows, committing callee": (
        """def fill(conn):
    for n in range(30):
        conn.execute("INSERT INTO jobs (ticket, title, stage, rush, count) VALUES (?, 'x', 1, 0, 0)", (f"n{n}",))
    conn.commit()


def move(conn, n):
    conn.execute("UPDATE jobs SET count = count + 1 WHERE id = ?", (n,))
    conn.commit()


def main():
    conn = sqlite3.connect(DB_PATH)
    fill(conn)
    cur = conn.cursor()
    cur.execute("SELECT id FROM jobs ORDER BY id")
    seen = 0
    for row in cur:
        move(conn, row[0])
        seen += row[0]
    conn.close()
    return seen
""",
        lambda s: s["main"](),
    ),
    "rollback in handler of callee": (
        """def put(conn, ticket):
    try:
        conn.execute("INSERT INTO jobs (ticket, title, stage, rush, count) VALUES (?, 'x', 1, 0, 0)", (ticket,))
        conn.commit()
    except sqlite3.IntegrityError as error:
        conn.rollback()
        return str(type(error).__name__)
    return None


def main():
    conn = sqlite3.connect(DB_PATH)
    found = [put(conn, t) for t in ("a", "a", "T-1", "b")]
    conn.close()
    return found
""",
        lambda s: s["main"](),
    ),
    "counts over helpers": (
        """def many(cur):
    cur.execute("UPDATE jobs SET count = 1 WHERE stage = 2")
    return cur.rowcount


def main():
    conn = sqlite3.connect(DB_PATH)
    cur = conn.cursor()
    cur.execute("UPDATE jobs SET count = 2")
    first = cur.rowcount
    second = many(cur)
    conn.commit()
    conn.close()
    return first, second
""",
        lambda s: s["main"](),
    ),
    "handed in a finally": (
        """def note(conn, line):
    conn.execute("INSERT INTO jobs (ticket, title, stage, rush, count) VALUES (?, 'x', 1, 0, 0)", (line,))
    conn.commit()


def main(n):
    conn = sqlite3.connect(DB_PATH)
    try:
        conn.execute("UPDATE jobs SET stage = 10 / ? WHERE id = 1", (n,))
        if n == 0:
            raise ValueError(n)
    finally:
        note(conn, f"done {n}")
        conn.close()
""",
        lambda s: s["main"](0),
    ),
    "handed in a handler": (
        """def note(conn, line):
    conn.execute("INSERT INTO jobs (ticket, title, stage, rush, count) VALUES (?, 'x', 1, 0, 0)", (line,))
    conn.commit()


def main(ticket):
    conn = sqlite3.connect(DB_PATH)
    try:
        conn.execute("INSERT INTO jobs (ticket, title, stage, rush, count) VALUES (?, 'x', 1, 0, 0)", (ticket,))
        conn.commit()
    except sqlite3.IntegrityError:
        conn.rollback()
        note(conn, f"again {ticket}")
    conn.close()
""",
        lambda s: [s["main"]("T-1"), s["main"]("z")],
    ),
    "with conn, error out of helper": (
        """def put(conn, ticket):
    conn.execute("INSERT INTO jobs (ticket, title, stage, rush, count) VALUES (?, 'x', 1, 0, 0)", (ticket,))


def main(tickets):
    conn = sqlite3.connect(DB_PATH)
    bad = []
    for t in tickets:
        try:
            with conn:
                put(conn, t)
        except sqlite3.IntegrityError:
            bad.append(t)
    conn.close()
    return bad
""",
        lambda s: s["main"](["a", "T-1", "b"]),
    ),
    "row factory by the opener's helper function": (
        """def connect():
    conn = sqlite3.connect(DB_PATH)
    conn.row_factory = sqlite3.Row
    return conn


def title(conn, n):
    row = conn.execute("SELECT title, stage FROM jobs WHERE id = ?", (n,)).fetchone()
    return row["title"] + str(row[1])


def main():
    conn = connect()
    found = title(conn, 1)
    conn.close()
    return found
""",
        lambda s: s["main"](),
    ),
    "default arg of the helper is evaluated once": (
        """def title(conn, n, *, seen=[]):
    seen.append(n)
    return conn.execute("SELECT title FROM jobs WHERE id = ?", (n,)).fetchone()[0], len(seen)


def main():
    conn = sqlite3.connect(DB_PATH)
    found = title(conn, 1), title(conn, 2)
    conn.close()
    return found
""",
        lambda s: s["main"](),
    ),
    "opened in a loop": (
        """def title(conn, n):
    return conn.execute("SELECT title FROM jobs WHERE id = ?", (n,)).fetchone()[0]


def main():
    found = []
    for n in (1, 2):
        conn = sqlite3.connect(DB_PATH)
        found.append(title(conn, n))
        conn.close()
    return found
""",
        lambda s: s["main"](),
    ),
    "optional annotation": (
        """from typing import Optional


def title(n: int, conn: Optional[sqlite3.Connection] = None) -> str:
    return conn.execute("SELECT title FROM jobs WHERE id = ?", (n,)).fetchone()[0]


def main():
    conn = sqlite3.connect(DB_PATH)
    found = title(1, conn)
    conn.close()
    return found
""",
        lambda s: s["main"](),
    ),
    "description in helper": (
        """def dicts(cur, stage):
    cur.execute("SELECT id, title FROM jobs WHERE stage = ? ORDER BY id", (stage,))
    names = [c[0] for c in cur.description]
    return [dict(zip(names, row)) for row in cur.fetchall()]


def main():
    conn = sqlite3.connect(DB_PATH)
    found = dicts(conn.cursor(), 2)
    conn.close()
    return found
""",
        lambda s: s["main"](),
    ),
    "one of the functions stays raw": (
        """def stage(conn, n):
    row = conn.execute("SELECT stage FROM jobs WHERE id = ?", (n,)).fetchone()
    return row[0]


def count(conn, table):
    return conn.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]


def main(n):
    conn = sqlite3.connect(DB_PATH)
    found = stage(conn, n), count(conn, "jobs")
    conn.execute("DELETE FROM jobs WHERE id = ?", (n,))
    found += (count(conn, table="jobs"),)
    conn.commit()
    conn.close()
    return found
""",
        lambda s: s["main"](1),
    ),
    "a function that stays raw is called by another one": (
        """def count(conn, table):
    return conn.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]


def both(conn, n):
    row = conn.execute("SELECT stage FROM jobs WHERE id = ?", (n,)).fetchone()
    return row[0], count(conn, "jobs")


def main(n):
    conn = sqlite3.connect(DB_PATH)
    conn.execute("UPDATE jobs SET stage = 4 WHERE id = ?", (n,))
    found = both(conn, n)
    conn.commit()
    conn.close()
    return found
""",
        lambda s: s["main"](1),
    ),
}
_TOLD: dict[str, tuple[str, Call, str]] = {
    "never commits": (
        """def move(conn, n):
    conn.execute("UPDATE jobs SET count = 9 WHERE id = ?", (n,))


def main():
    conn = sqlite3.connect(DB_PATH)
    move(conn, 1)
    conn.close()
""",
        lambda s: s["main"](),
        "commit-at-exit",
    ),
    "commit in helper only if": (
        """def save(conn, really):
    if really:
        conn.commit()


def main(really):
    conn = sqlite3.connect(DB_PATH)
    conn.execute("UPDATE jobs SET count = 9 WHERE id = 1")
    save(conn, really)
    conn.close()
""",
        lambda s: s["main"](False),
        "commit-at-exit",
    ),
    "row returned as json": (
        """def row(conn, n):
    return conn.execute("SELECT id, title FROM jobs WHERE id = ?", (n,)).fetchone()


def main():
    conn = sqlite3.connect(DB_PATH)
    found = json.dumps(row(conn, 1))
    conn.close()
    return found
""",
        lambda s: s["main"](),
        "row-leaves",
    ),
    "dates": (
        """def when(conn, n):
    return conn.execute("SELECT passed_at FROM jobs WHERE id = ?", (n,)).fetchone()[0]


def main():
    conn = sqlite3.connect(DB_PATH)
    found = when(conn, 2)
    conn.close()
    return found[:10]
""",
        lambda s: s["main"](),
        "result-type",
    ),
    "bool of a row": (
        """def rush(conn, n):
    return conn.execute("SELECT rush FROM jobs WHERE id = ?", (n,)).fetchone()[0]


def main():
    conn = sqlite3.connect(DB_PATH)
    found = str(rush(conn, 2))
    conn.close()
    return found
""",
        lambda s: s["main"](),
        "result-type",
    ),
    "iterating own cursor, calling helper with conn that reads same table": (
        """def mark(conn, n):
    conn.execute("INSERT INTO jobs (ticket, title, stage, rush, count) VALUES (?, 'x', 1, 0, 0)", (f"n{n}",))


def main():
    conn = sqlite3.connect(DB_PATH)
    seen = []
    for (n,) in conn.execute("SELECT id FROM jobs"):
        seen.append(n)
        if n < 8:
            mark(conn, n)
    conn.commit()
    conn.close()
    return seen
""",
        lambda s: s["main"](),
        "reads-ahead",
    ),
    "callers catch driver errors two levels up": (
        """def put(conn, ticket):
    conn.execute("INSERT INTO jobs (ticket, title, stage, rush, count) VALUES (?, 'x', 1, 0, 0)", (ticket,))


def put_all(conn, tickets):
    for t in tickets:
        put(conn, t)


def main(tickets):
    conn = sqlite3.connect(DB_PATH)
    try:
        put_all(conn, tickets)
        conn.commit()
    except sqlite3.Error:
        return "bad"
    finally:
        conn.close()
    return "good"


def outer(tickets):
    try:
        return main(tickets)
    except sqlite3.OperationalError:
        return "worse"
""",
        lambda s: (s["main"](["a", "T-1"]), s["outer"](["a", "b"])),
        "commit-at-exit",
    ),
    "the opener's function catches outside": (
        """def put(conn, ticket):
    conn.execute("INSERT INTO jobs (ticket, title, stage, rush, count) VALUES (?, 'x', 1, 0, 0)", (ticket,))


def main(ticket):
    conn = sqlite3.connect(DB_PATH)
    put(conn, ticket)
    conn.commit()
    conn.close()


def outer(ticket):
    try:
        main(ticket)
    except sqlite3.IntegrityError:
        return "there"
    return "new"
""",
        lambda s: (s["outer"]("a"), s["outer"]("T-1")),
        "driver-exception",
    ),
}
_STAYS: dict[str, str] = {
    "last id in helper": """def last(conn):
    return conn.execute("SELECT last_insert_rowid()").fetchone()[0]


def main():
    conn = sqlite3.connect(DB_PATH)
    conn.execute("INSERT INTO jobs (ticket, title, stage, rush, count) VALUES ('n', 'x', 1, 0, 0)")
    new = last(conn)
    conn.commit()
    conn.close()
    return new
""",
    "last id over helper": """def log(conn):
    conn.execute("INSERT INTO jobs (ticket, title, stage, rush, count) VALUES ('log', 'x', 1, 0, 0)")


def main():
    conn = sqlite3.connect(DB_PATH)
    conn.execute("INSERT INTO jobs (ticket, title, stage, rush, count) VALUES ('n', 'x', 1, 0, 0)")
    log(conn)
    new = conn.execute("SELECT last_insert_rowid()").fetchone()[0]
    conn.commit()
    conn.close()
    return new
""",
    "a closer that commits": """def close_all(conn):
    conn.commit()
    conn.close()


def main():
    conn = sqlite3.connect(DB_PATH)
    conn.execute("DELETE FROM jobs WHERE id = 1")
    close_all(conn)
""",
    "generator expr kept": """def stage(conn, n):
    return conn.execute("SELECT stage FROM jobs WHERE id = ?", (n,)).fetchone()[0]


def main():
    conn = sqlite3.connect(DB_PATH)
    found = (stage(conn, n) for n in (1, 2))
    conn.close()
    return list(found)
""",
    "map of helper": """def main():
    conn = sqlite3.connect(DB_PATH)

    def stage(n):
        return conn.execute("SELECT stage FROM jobs WHERE id = ?", (n,)).fetchone()[0]

    found = list(map(stage, [1, 2]))
    conn.close()
    return found
""",
    "used after close": """def stage(conn, n):
    return conn.execute("SELECT stage FROM jobs WHERE id = ?", (n,)).fetchone()[0]


def main():
    conn = sqlite3.connect(DB_PATH)
    one = stage(conn, 1)
    conn.close()
    return one, stage(conn, 2)
""",
    "all of it stays SQL": """def prepare(cur):
    cur.execute("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, line TEXT)")


def main():
    conn = sqlite3.connect(DB_PATH)
    prepare(conn.cursor())
    conn.commit()
    conn.close()
""",
    "asynchronous, and not awaited at once": """import asyncio

import aiosqlite


async def stage_of(db, n):
    async with db.execute("SELECT stage FROM jobs WHERE id = ?", (n,)) as cursor:
        return (await cursor.fetchone())[0]


async def main():
    async with aiosqlite.connect(DB_PATH) as db:
        return await asyncio.gather(stage_of(db, 1), stage_of(db, 2))
""",
    "lazy rows returned, read behind close": """def titles(conn):
    return (row[0] for row in conn.execute("SELECT title FROM jobs ORDER BY id"))


def main():
    conn = sqlite3.connect(DB_PATH)
    found = titles(conn)
    conn.close()
    return list(found)
""",
    "lazy rows returned, read over a commit": """def titles(conn):
    return (row[0] for row in conn.execute("SELECT title FROM jobs ORDER BY id"))


def main():
    conn = sqlite3.connect(DB_PATH)
    found = []
    for title in titles(conn):
        found.append(title)
        conn.execute("UPDATE jobs SET count = count + 1 WHERE title = ?", (title,))
        conn.commit()
    conn.close()
    return found
""",
    "count read behind a helper": """def many(cur):
    cur.execute("UPDATE jobs SET count = 1 WHERE stage = 2")


def main():
    conn = sqlite3.connect(DB_PATH)
    cur = conn.cursor()
    cur.execute("UPDATE jobs SET count = 2")
    many(cur)
    first = cur.rowcount
    conn.commit()
    conn.close()
    return first
""",
    "helper that may not execute, count read behind": """def maybe(cur, really):
    if really:
        cur.execute("UPDATE jobs SET count = 1 WHERE stage = 2")


def main(really):
    conn = sqlite3.connect(DB_PATH)
    cur = conn.cursor()
    cur.execute("UPDATE jobs SET count = 2")
    maybe(cur, really)
    first = cur.rowcount
    conn.commit()
    conn.close()
    return first
""",
    "text_factory": """def title(conn, n):
    return conn.execute("SELECT title FROM jobs WHERE id = ?", (n,)).fetchone()[0]


def main():
    conn = sqlite3.connect(DB_PATH)
    conn.text_factory = bytes
    found = title(conn, 1)
    conn.close()
    return found
""",
    "locals formatted": """def title(conn, n):
    row = conn.execute("SELECT title FROM jobs WHERE id = ?", (n,)).fetchone()
    return "{n}".format(**locals())


def main():
    conn = sqlite3.connect(DB_PATH)
    found = title(conn, 1)
    conn.close()
    return found
""",
    "doctest": """def title(conn, n):
    \"\"\"Ask.

    >>> title(sqlite3.connect("jobs.db"), 1)
    'one'
    \"\"\"
    return conn.execute("SELECT title FROM jobs WHERE id = ?", (n,)).fetchone()[0]


def main():
    conn = sqlite3.connect(DB_PATH)
    found = title(conn, 1)
    conn.close()
    return found
""",
    "isinstance of the connection": """def title(conn, n):
    assert isinstance(conn, sqlite3.Connection)
    return conn.execute("SELECT title FROM jobs WHERE id = ?", (n,)).fetchone()[0]


def main():
    conn = sqlite3.connect(DB_PATH)
    found = title(conn, 1)
    conn.close()
    return found
""",
    "kept in a dict by the helper": """SEEN = {}


def title(conn, n):
    SEEN[n] = conn
    return conn.execute("SELECT title FROM jobs WHERE id = ?", (n,)).fetchone()[0]


def main():
    conn = sqlite3.connect(DB_PATH)
    found = title(conn, 1)
    conn.close()
    return found
""",
}


# What opens the connection for all, or can't be rewritten, stays a raw site of its own.
_LEFT = (
    "one of the functions stays raw",
    "a pair of a connection and a cursor",
    "a context manager that hands out a cursor",
    "a kept cursor that methods hand to a function",
)


def _both(world: World, body: str, call: Call, left: int = 0) -> tuple[Ran, Ran, Planned]:
    outcome = planned(_HEAD + body)
    assert isinstance(outcome, Planned), outcome
    assert len([s.reason for s in outcome.sites if s.status is not Status.REWRITTEN]) == left
    return world.run(_HEAD + body, call), world.run(outcome.after.text, call), outcome


@pytest.mark.parametrize("name", _SAME)
def test_before_and_after_do_the_same(world: World, name: str) -> None:
    left = 2 if name == "a function that stays raw is called by another one" else int(name in _LEFT)
    before, after, outcome = _both(world, *_SAME[name], left)
    assert repr(after.result) == repr(before.result)
    assert type(after.error).__name__ == type(before.error).__name__
    assert after.rows == before.rows
    assert isinstance(planned(outcome.after.text), Refused if left else Unchanged)


@pytest.mark.parametrize("name", _TOLD)
def test_what_differs_is_told(world: World, name: str) -> None:
    body, call, effect = _TOLD[name]
    before, after, outcome = _both(world, body, call)
    differs = (repr(after.result), after.rows, repr(after.error)) != (
        repr(before.result),
        before.rows,
        repr(before.error),
    )
    assert differs
    assert effect in {e.code for s in outcome.sites for e in s.effects}


@pytest.mark.parametrize("name", _STAYS)
def test_what_would_break_stays(name: str) -> None:
    assert not isinstance(planned(_HEAD + _STAYS[name]), Planned)
