"""Functions that are handed a connection and can't take a session instead: none of the lives is changed."""

from collections.abc import Mapping

import pytest
from ormlift.model import Planned

from tests.rules.cursor_runs import planned

_HEAD = """import sqlite3
from contextlib import closing

from app.db import DB_PATH


"""
_MOVE = """def move(conn, n):
    conn.execute("UPDATE jobs SET stage = 9 WHERE id = ?", (n,))


"""
_MAIN = """def main(n):
    conn = sqlite3.connect(DB_PATH)
    move(conn, n)
    conn.commit()
    conn.close()
"""
_STAYS: dict[str, tuple[str, str]] = {
    "passed as a value": (_MOVE + _MAIN + "\n\nCALLS = [move]\n", "is used on line"),
    "called by a variable": (_MOVE + _MAIN + "\n\nalias = move\nalias(None, 1)\n", "is used on line"),
    "handed to a retry": (
        _MOVE
        + "def twice(call, *args):\n    call(*args)\n    call(*args)\n\n\n"
        + _MAIN
        + "    with closing(sqlite3.connect(DB_PATH)) as other:\n        twice(move, other, n)\n",
        "is used on line",
    ),
    "listed in __all__": ('__all__ = ["main", "move"]\n\n\n' + _MOVE + _MAIN, "is named in a text"),
    "reached by getattr": (
        _MOVE + _MAIN + "\n\ndef any_of(module, name='move'):\n    return getattr(module, name)\n",
        "is named in a text",
    ),
    "reached by globals": (_MOVE + _MAIN + "\n\ndef any_of(name):\n    return globals()[name]\n", "globals"),
    "decorated": ("def cached(f):\n    return f\n\n\n@cached\n" + _MOVE + _MAIN, "is decorated with cached"),
    "a generator": (
        """def stages(conn):
    for row in conn.execute("SELECT stage FROM jobs"):
        yield row[0]


def main():
    conn = sqlite3.connect(DB_PATH)
    found = list(stages(conn))
    conn.close()
    return found
""",
        "is a generator",
    ),
    "called with something else": (_MOVE + _MAIN + "\n\ndef other(x):\n    move(x.conn, 1)\n", "with something else"),
    "called with what is unpacked": (_MOVE + _MAIN + "\n\ndef other(args):\n    move(*args)\n", "unpacked"),
    "called with two connections": (
        """def copy(one, other):
    row = one.execute("SELECT stage FROM jobs WHERE id = 1").fetchone()
    other.execute("UPDATE jobs SET stage = ? WHERE id = 2", (row[0],))


def main():
    source = sqlite3.connect(DB_PATH)
    target = sqlite3.connect("other.db")
    copy(source, target)
    target.commit()
    target.close()
    source.close()
""",
        "is handed two connections",
    ),
    "a cursor here and a connection there": (
        _MOVE
        + _MAIN
        + """

def other(n):
    with closing(sqlite3.connect(DB_PATH)) as conn:
        cur = conn.cursor()
        move(cur, n)
        conn.commit()
""",
        "connections and cursors in one parameter",
    ),
    "closes what it is handed": (
        """def move(conn, n):
    conn.execute("UPDATE jobs SET stage = 9 WHERE id = ?", (n,))
    conn.commit()
    conn.close()


def main(n):
    conn = sqlite3.connect(DB_PATH)
    move(conn, n)
""",
        "closes conn, which is a parameter",
    ),
    "sets the rows on what it is handed": (
        """def stages(conn):
    conn.row_factory = sqlite3.Row
    return [row["stage"] for row in conn.execute("SELECT stage FROM jobs")]


def main():
    conn = sqlite3.connect(DB_PATH)
    found = stages(conn)
    conn.close()
    return found
""",
        "sets something on conn, which is a parameter",
    ),
    "its rows are read by the caller": (
        """def ask(cur, n):
    cur.execute("SELECT stage FROM jobs WHERE id = ?", (n,))


def main(n):
    conn = sqlite3.connect(DB_PATH)
    cur = conn.cursor()
    ask(cur, n)
    row = cur.fetchone()
    conn.close()
    return row[0]
""",
        "was not surely executed in this function",
    ),
    "it reads what the caller executed": (
        """def read(cur):
    return [row[0] for row in cur.fetchall()]


def main():
    conn = sqlite3.connect(DB_PATH)
    cur = conn.cursor()
    cur.execute("SELECT stage FROM jobs")
    found = read(cur)
    conn.close()
    return found
""",
        "was not surely executed in this function",
    ),
    "the id is read by the caller": (
        """def add(cur, ticket):
    cur.execute("INSERT INTO jobs (ticket, title, stage, rush, count) VALUES (?, 'x', 1, 0, 0)", (ticket,))


def main(ticket):
    conn = sqlite3.connect(DB_PATH)
    cur = conn.cursor()
    add(cur, ticket)
    new = cur.lastrowid
    conn.commit()
    conn.close()
    return new
""",
        "was not surely executed in this function",
    ),
    "called while the caller iterates the same cursor": (
        """def move(cur, n):
    cur.execute("UPDATE jobs SET stage = 9 WHERE id = ?", (n,))


def main():
    conn = sqlite3.connect(DB_PATH)
    cur = conn.cursor()
    for row in cur.execute("SELECT id FROM jobs"):
        move(cur, row[0])
    conn.commit()
    conn.close()
""",
        "still reads from",
    ),
    "gives back the cursor": (
        """def ask(conn, n):
    return conn.execute("SELECT stage FROM jobs WHERE id = ?", (n,))


def main(n):
    conn = sqlite3.connect(DB_PATH)
    row = ask(conn, n).fetchone()
    conn.close()
    return row[0]
""",
        "in a way that a session cannot take over",
    ),
    "keeps what it is handed": (
        """class Board:
    def take(self, conn):
        self.conn = conn
        self.conn.execute("DELETE FROM jobs")


def main():
    conn = sqlite3.connect(DB_PATH)
    board = Board()
    board.take(conn)
    conn.commit()
    conn.close()
""",
        "self.conn is not opened in this function",
    ),
    "overridden below": (
        """class Board:
    def _move(self, conn, n):
        conn.execute("UPDATE jobs SET stage = 9 WHERE id = ?", (n,))

    def main(self, n):
        conn = sqlite3.connect(DB_PATH)
        self._move(conn, n)
        conn.commit()
        conn.close()


class Quiet(Board):
    def _move(self, conn, n):
        pass
""",
        "is defined again in the class Quiet",
    ),
    "a class with a base of another file": (
        """from app.base import Base


class Board(Base):
    def _move(self, conn, n):
        conn.execute("UPDATE jobs SET stage = 9 WHERE id = ?", (n,))

    def main(self, n):
        conn = sqlite3.connect(DB_PATH)
        self._move(conn, n)
        conn.commit()
        conn.close()
""",
        "bases that are not seen here",
    ),
    "a method of an unknown object": (
        """class Board:
    def move(self, conn, n):
        conn.execute("UPDATE jobs SET stage = 9 WHERE id = ?", (n,))

    def main(self, n):
        conn = sqlite3.connect(DB_PATH)
        self.move(conn, n)
        conn.commit()
        conn.close()


def other(board, conn):
    board.move(conn, 1)
""",
        "otherwise than by a call that is surely of it",
    ),
    "run in a thread": (
        "import threading\n\n\n"
        + _MOVE
        + _MAIN.replace("move(conn, n)", "threading.Thread(target=move, args=(conn, n)).run()"),
        "not opened in this function",
    ),
    "in a lambda": (
        _MOVE + _MAIN.replace("move(conn, n)", "do = lambda: move(conn, n)\n    do()"),
        "not opened in this function",
    ),
    "defined twice": (_MOVE + _MOVE + _MAIN, "not opened in this function"),
    "among the parameters of a statement": (
        """def stage(conn, n):
    return conn.execute("SELECT stage FROM jobs WHERE id = ?", (n,)).fetchone()[0]


def main(n):
    conn = sqlite3.connect(DB_PATH)
    conn.execute("UPDATE jobs SET stage = ? WHERE id = 2", (stage(conn, n),))
    conn.commit()
    conn.close()
""",
        "among the parameters of a statement",
    ),
    "a default connection": (
        """def move(n, conn=None):
    conn = conn or sqlite3.connect(DB_PATH)
    conn.execute("UPDATE jobs SET stage = 9 WHERE id = ?", (n,))
    conn.commit()


def main(n):
    conn = sqlite3.connect(DB_PATH)
    move(n, conn)
    move(n)
    conn.close()
""",
        "make two functions of it",
    ),
    "commits in a with block of the connection": (
        """def move(conn, n):
    conn.execute("UPDATE jobs SET stage = 9 WHERE id = ?", (n,))
    conn.commit()


def main(n):
    conn = sqlite3.connect(DB_PATH)
    with conn:
        move(conn, n)
        move(conn, n + 1)
    conn.close()
""",
        "and it commits itself",
    ),
    "the rows are set behind a call": (
        """def move(conn, n):
    return conn.execute("SELECT stage FROM jobs WHERE id = ?", (n,)).fetchone()[0]


def main(n):
    conn = sqlite3.connect(DB_PATH)
    move(conn, n)
    conn.row_factory = sqlite3.Row
    row = conn.execute("SELECT stage FROM jobs WHERE id = ?", (n,)).fetchone()
    conn.close()
    return row["stage"]
""",
        "sets something on it",
    ),
    "rows by name and by place": (
        """def stage(conn, n):
    return conn.execute("SELECT stage FROM jobs WHERE id = ?", (n,)).fetchone()[0]


def main(n):
    conn = sqlite3.connect(DB_PATH)
    found = stage(conn, n)
    conn.close()
    return found


def other(n):
    conn = sqlite3.connect(DB_PATH)
    conn.row_factory = sqlite3.Row
    found = stage(conn, n)
    conn.close()
    return found
""",
        "differ in their driver, their rows or when they commit",
    ),
    "a method that Python calls": (
        """class Board:
    def __call__(self, conn, n):
        conn.execute("UPDATE jobs SET stage = 9 WHERE id = ?", (n,))

    def main(self, n):
        conn = sqlite3.connect(DB_PATH)
        self.__call__(conn, n)
        conn.commit()
        conn.close()
""",
        "may be called by a framework",
    ),
    "two connections of one function, one after the other": (
        _MOVE
        + """def main(n):
    one = sqlite3.connect(DB_PATH)
    other = sqlite3.connect(DB_PATH)
    move(one, n)
    one.commit()
    move(other, n + 1)
    other.commit()
    one.close()
    other.close()
""",
        "are of one function, and are handed to the same ones",
    ),
}
_PLAIN = _HEAD + _MOVE + _MAIN
_USED: dict[str, tuple[str, Mapping[str, str]]] = {
    "imported": ("is used in app/other.py too", {"app/other.py": "from app.jobs import move\n"}),
    "imported in a function": (
        "is used in app/other.py too",
        {"app/other.py": "def f(c):\n    from app.jobs import move\n\n    move(c, 1)\n"},
    ),
    "called through the module": (
        "is used in app/other.py too",
        {"app/other.py": "from app import jobs\n\njobs.move(1, 2)\n"},
    ),
    "called by a test": (
        "is used in tests/test_jobs.py too",
        {"tests/test_jobs.py": "import app.jobs as jobs\n\n\ndef test_it(conn):\n    jobs.move(conn, 1)\n"},
    ),
    "patched": (
        "is used in tests/test_jobs.py too",
        {
            "tests/test_jobs.py": (
                'from unittest.mock import patch\n\n\n@patch("app.jobs.move")\ndef test_it(m):\n    pass\n'
            )
        },
    ),
    "imported with a star": ("imports all of this one", {"app/other.py": "from app.jobs import *\n"}),
    "imported by way of another": (
        "is used in app/other.py too",
        {"app/more.py": "from app import jobs\n", "app/other.py": "from app.more import jobs\n\njobs.move(1, 2)\n"},
    ),
}


@pytest.mark.parametrize("name", _STAYS)
def test_stays(name: str) -> None:
    body, reason = _STAYS[name]
    outcome = planned(_HEAD + body)
    assert not isinstance(outcome, Planned), outcome.after.text
    messages = [s.reason.message for s in getattr(outcome, "sites", ()) if s.reason is not None]
    assert any(reason in message for message in messages), outcome


@pytest.mark.parametrize("name", _USED)
def test_used_in_another_file_stays(name: str) -> None:
    reason, others = _USED[name]
    outcome = planned(_PLAIN, others)
    assert not isinstance(outcome, Planned), outcome.after.text
    messages = [s.reason.message for s in getattr(outcome, "sites", ()) if s.reason is not None]
    assert any(reason in message for message in messages), outcome


def test_used_here_alone_changes() -> None:
    assert isinstance(planned(_PLAIN), Planned)


@pytest.mark.parametrize(
    "other",
    [
        "def move(conn, n):\n    conn.execute('DELETE')\n",
        "from app.db import DB_PATH\n\n\ndef main():\n    move = 1\n    return move\n",
        "from app.jobs import main\n\nmain(1)\n",
    ],
)
def test_another_of_the_same_name_elsewhere_is_no_use(other: str) -> None:
    assert isinstance(planned(_PLAIN, {"app/other.py": other}), Planned)
