"""SQL on what SQLAlchemy's events hand in, and bare strings on connections and engines, run before and after.

Bare strings run on SQLAlchemy 1.4 only: its programs are run there, those with a text() on the newest.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from functools import cache

import pytest
from ormlift.model import Outcome, Planned, Refused, Status

from tests.rules.listener_world import PATH, each_world, plan, program, runs, skipped

# name -> the program: without a `go()`, a post and a user are inserted, the post is changed and deleted
SAME = {
    "a number of the instance": """
@event.listens_for(Post, "after_insert")
def f(mapper, connection, target):
    connection.execute("UPDATE users SET posts = posts + 1 WHERE id = %s" % target.user_id)
    for r in connection.execute("SELECT name, posts FROM users WHERE id = %s" % target.user_id):
        seen.append((r.name, r[1], r["posts"], dict(r), list(r.keys())))
""",
    "several events": """
@event.listens_for(Post, "after_insert")
@event.listens_for(Post, "after_update", propagate=True)
def f(mapper, conn, target):
    conn.execute("UPDATE totals SET n = n + 1, told = '%s' WHERE what = 'posts'" % target.id)
""",
    "a helper, which only listeners call": """
def total(conn, post_id, user_id):
    n = conn.scalar("SELECT COUNT(*) FROM posts WHERE user_id = %s AND id <> %s" % (user_id, post_id))
    seen.append(n)
    return n


@event.listens_for(Post, "after_insert")
def f(mapper, conn, target):
    n = total(conn, target.id, target.user_id)
    conn.execute("INSERT INTO totals (id, what, n, told) VALUES (%s, 'x', 5, 'new')" % target.id)
""",
    "a helper that is called by names": """
@event.listens_for(Post, "after_insert")
def f(mapper, conn, target):
    helper(target=target, connection=conn)


def helper(connection, target, extra=None):
    connection.execute("UPDATE totals SET n = %s WHERE what = '%s'" % (target.id, "posts"))
""",
    "a helper that calls itself": """
@event.listens_for(Post, "after_insert")
def f(mapper, conn, target):
    helper(conn, target.id, 2)


def helper(c, number, left):
    c.execute("UPDATE totals SET n = n + 1 WHERE id = 1 AND n < %s" % number)
    if left:
        helper(c, number, left - 1)
""",
    "listen()": """
def f(mapper, c, post):
    c.execute("DELETE FROM totals WHERE id = 1")


event.listen(Post, "after_delete", f)
""",
    "a method of a class, for each of some events": """
class Listens:
    @staticmethod
    def f(mapper, connection, target):
        connection.execute("UPDATE totals SET n = n + %d, told = '%s'" % (target.id, "a"))

    @classmethod
    def register(cls):
        for name in ("after_insert", "after_update"):
            event.listen(User, name, cls.f)


Listens.register()
""",
    "by names": """
@event.listens_for(Post, "after_insert", named=True)
def f(target, connection, **others):
    connection.execute("UPDATE totals SET n = 7 WHERE id = 1")
    seen.append(connection.execute("SELECT n FROM totals WHERE id = 1").scalar())
""",
    "the session of a flush": """
@event.listens_for(SessionLocal, "before_flush")
def f(s, ctx, instances):
    s.add(Total(id=50 + len(seen), what="pending"))
    seen.append(s.execute("SELECT COUNT(*) AS n FROM totals").fetchone()["n"])
    s.execute("UPDATE totals SET n = 8 WHERE id = :i", {"i": 1})
""",
    "the connection that a session begins on": """
@event.listens_for(SessionLocal, "after_begin")
def f(session, transaction, connection):
    connection.execute("UPDATE totals SET n = n + 1 WHERE id = 1")
""",
    "a table that is made": """
@event.listens_for(Total.__table__, "after_create")
def seed(target, connection, **kw):
    connection.execute("INSERT INTO totals (id, what, n) VALUES (90, 'seed', 1)")
""",
    "numbers of all kinds": """
@event.listens_for(Post, "after_insert")
def f(mapper, conn, target):
    conn.execute(
        "UPDATE posts SET price = price + %s, rate = %s, open = %s WHERE id = 11"
        % (target.price, target.rate, target.open)
    )
    conn.execute("UPDATE posts SET price = %s WHERE id = 12" % target.price)
""",
    "what is put in quotes": """
@event.listens_for(Post, "after_insert")
def f(mapper, conn, target):
    conn.execute("UPDATE totals SET told = 'about %s' WHERE what = 'posts'" % target.id)
    conn.execute("UPDATE totals SET told = '%s' WHERE what = 'users'" % target.parent_id)
""",
    "quotes that the code doubles": """
@event.listens_for(Post, "after_insert")
def f(mapper, conn, target):
    conn.execute("UPDATE totals SET told = '%s' WHERE id = 1" % target.title.replace("'", "''"))
    conn.execute("UPDATE totals SET told = 'of ' || '{0}' WHERE id = 2".format(target.title.replace("'", "''")))
""",
    "numbers of rows": """
@event.listens_for(Post, "after_insert")
def f(mapper, conn, target):
    rows = conn.execute("SELECT id, title FROM posts WHERE user_id = %s ORDER BY id" % target.user_id).fetchall()
    for row in rows:
        conn.execute("UPDATE posts SET title = 'n%s' WHERE id = %s" % (row.id, row.id))
    first = conn.execute("SELECT id, name FROM users ORDER BY id").fetchone()
    conn.execute(f"UPDATE totals SET n = {first['id']} WHERE id = {first.id}")
    seen.append([tuple(r) for r in rows])
    seen.append([r["title"] for r in rows])
    seen.append([dict(r.items()) for r in rows])
""",
    "a doubled %": """
@event.listens_for(Post, "after_insert")
def f(mapper, conn, target):
    seen.append([r[0] for r in conn.execute("SELECT id FROM totals WHERE what = '100%%' ORDER BY id")])
    seen.append([r[0] for r in conn.execute("SELECT id FROM totals WHERE what LIKE '1%%' ORDER BY id")])
""",
    "a doubled % beside a value": """
@event.listens_for(Post, "after_insert")
def f(mapper, conn, target):
    found = conn.execute(f"SELECT id FROM posts WHERE title LIKE 'a%%' AND user_id = {target.user_id}")
    seen.append([r[0] for r in found])
    found = conn.execute("SELECT id FROM posts WHERE title LIKE 'a%%%%' AND user_id = %s" % target.user_id)
    seen.append([r[0] for r in found])
""",
    "a colon": """
@event.listens_for(Post, "after_insert")
def f(mapper, conn, target):
    conn.execute("UPDATE totals SET told = 'at 10:30 :x' WHERE id = 1")
""",
    "a value that a call gives": """
def key():
    seen.append("called")
    return "k"


@event.listens_for(Post, "after_insert")
def f(mapper, conn, target):
    sql = "UPDATE totals SET told = '%s', n = %s WHERE id = 1" % (key(), target.id)
    conn.execute(sql)
""",
    "an engine": """
def go():
    engine.execute("UPDATE totals SET n = 9 WHERE id = 1")
    r = engine.execute("SELECT id, n FROM totals ORDER BY id").fetchall()
    count = engine.scalar("SELECT COUNT(*) FROM totals")
    return [tuple(x) for x in r], r[0]["n"], r[0].n, "n" in r[0].keys(), count
""",
    "what commits by itself": """
def go():
    engine.execute("INSERT INTO totals (id, what, n) VALUES (8, 'a', 1)")
    with engine.connect() as conn:
        conn.execute("DELETE FROM totals WHERE id = 2")
        conn.execute("SELECT id FROM posts")
""",
    "what a transaction takes back": """
def go():
    conn = engine.connect()
    transaction = conn.begin()
    conn.execute("DELETE FROM totals WHERE id = 2")
    transaction.rollback()
    conn.execute("DELETE FROM totals WHERE id = 3")
    conn.close()
""",
    "rows of a session, as 1.4 has them": """
def go():
    session = SessionLocal()
    row = session.execute("SELECT id, name FROM users WHERE id = 1").fetchone()
    rows = session.execute(text("SELECT id, name FROM users ORDER BY id"))
    return row["name"], row.name, [r["name"] for r in rows], row.keys(), dict(row)
""",
    "rows of a connection, as 1.4 has them": """
def go():
    with engine.connect() as conn:
        result = conn.execute("SELECT id, name FROM users WHERE id < 3 ORDER BY id")
        found = [{k: v for k, v in r.items()} for r in result]
        r = conn.execute(text("SELECT id, name FROM users ORDER BY id")).fetchone()
        return found, result.keys(), r["name"], "name" in r, "Ada" in r, dict(r), r.has_key("id"), len(r), tuple(r)
""",
    "counts": """
def go():
    with engine.connect() as conn:
        result = conn.execute("UPDATE totals SET n = 1")
        found = conn.execute("SELECT id FROM totals ORDER BY id")
        return result.rowcount, found.returns_rows, [x for x, in found]
""",
    "a parameter that all calls give a connection": """
def work(x, number):
    return x.execute("SELECT COUNT(*) FROM posts WHERE user_id = %s" % number).scalar()


def go():
    with engine.connect() as x:
        return work(x, 1), work(x, 2)
""",
    "the text of a list in quotes": """
@event.listens_for(Post, "after_insert")
def f(mapper, conn, target):
    results = conn.execute("SELECT id FROM posts WHERE user_id = %s ORDER BY id" % target.user_id)
    ids = ", ".join(str(r.id) for r in results)
    sql = "UPDATE totals SET told = '{%s}' WHERE id = 1" % ids
    conn.execute(sql)
    seen.append(sql)
    conn.execute("UPDATE totals SET n = 12 WHERE id IN (%s)" % ", ".join(str(r) for r in [1, 2]))
""",
    "dates in quotes": """
import datetime


@event.listens_for(User, "before_insert")
def f(mapper, conn, target):
    target.seen = datetime.datetime(2024, 5, 6)
    conn.execute("UPDATE totals SET told = '%s' WHERE id = 2" % target.seen)
""",
    "numbers that are true or false": """
@event.listens_for(Post, "after_insert")
def f(mapper, conn, target):
    conn.execute("UPDATE users SET admin = %s WHERE id = 2" % target.open)
    seen.append([tuple(r) for r in conn.execute("SELECT id FROM users WHERE admin = %s ORDER BY id" % target.open)])
""",
    "a function inside": """
@event.listens_for(Post, "after_insert")
def f(mapper, conn, target):
    def up(what):
        conn.execute("UPDATE totals SET n = n + 1 WHERE what = '%s'" % what)

    up("posts")
    up("users")
""",
    "rows taken apart": """
@event.listens_for(Post, "after_insert")
def f(mapper, conn, target):
    (row,) = conn.execute("SELECT id FROM posts WHERE id = 11")
    seen.append(row["id"])
    for number, title in conn.execute("SELECT id, title FROM posts ORDER BY id"):
        seen.append((number, title))
    seen.append(conn.execute("SELECT id, title FROM posts ORDER BY id").first().title)
""",
    "what the engine and its cursors tell": """
@event.listens_for(engine, "before_cursor_execute")
def f(conn, cursor, statement, parameters, context, many):
    if "posts" in statement and not seen:
        seen.append(1)
        conn.execute("UPDATE totals SET n = 4 WHERE id = 1")
""",
    "values by their names": """
TEMPLATE = "UPDATE totals SET n = {number}, told = '{0}' WHERE id = 2"


@event.listens_for(Post, "after_insert")
def f(mapper, conn, target):
    conn.execute("UPDATE totals SET n = %(n)d, told = '%(t)s' WHERE id = 1" % {"t": "it", "n": target.id})
    conn.execute(TEMPLATE.format("x", number=target.id))
    sql = "UPDATE totals SET n = %s WHERE id = {}"
    conn.execute(sql.format(3) % target.id)
""",
    "what the code escapes for others than SQL": """
import html
from urllib.parse import quote


@event.listens_for(Post, "after_insert")
def f(mapper, conn, target):
    conn.execute("UPDATE totals SET told = '%s' WHERE id = 1" % html.escape(target.title))
    conn.execute("UPDATE totals SET told = '%s' WHERE id = 2" % target.title[:2].replace("t", ""))
    conn.execute("UPDATE totals SET told = '%s' WHERE id = 3" % quote(target.title).replace("%", "_"))
""",
    "a method that only its class calls": """
class Totals:
    def _touch(self, c, target):
        c.execute("UPDATE totals SET n = 5 WHERE id = %s" % target.user_id)

    def heard(self, mapper, connection, target):
        self._touch(connection, target)


event.listen(Post, "after_insert", Totals().heard)


@event.listens_for(Post, "after_insert")
def f(mapper, conn, target):
    Totals()._touch(conn, target)
""",
    "an annotated connection": """
from sqlalchemy.engine import Connection


def count(c: Connection, number: int):
    return c.execute("SELECT id FROM posts WHERE user_id = %d ORDER BY id" % number).fetchall()


def go():
    with engine.connect() as conn:
        return [tuple(r) for r in count(conn, 1)]
""",
}
# Of PostgreSQL's driver alone
POSTGRESQL = {
    "a typed literal": """
def stamp():
    return "2024-05-06T07:08:09.000010"


@event.listens_for(Post, "after_insert")
def f(mapper, conn, target):

    conn.execute("INSERT INTO totals (id, what, n, told) VALUES (%s, 'w', 0, TIMESTAMP '%s')" % (target.id, stamp()))
    conn.execute("UPDATE users SET seen = TIMESTAMP '%s' WHERE id = %s" % (stamp(), target.user_id))
    conn.execute("UPDATE users SET seen = '%s' WHERE id = 2" % stamp())
    seen.append([tuple(r) for r in conn.execute("SELECT id FROM users WHERE seen >= '%s' ORDER BY id" % stamp())])
""",
    "parameters of all kinds": """
@event.listens_for(Post, "after_insert")
def f(mapper, conn, target):
    conn.execute("UPDATE totals SET told = %(t)s WHERE id = %(i)s", t=target.title, i=1)
    conn.execute("UPDATE totals SET told = %(t)s WHERE id = %(i)s", {"t": target.title, "i": 2})
    conn.execute("UPDATE totals SET told = %s WHERE id = %s", (target.title, 3))
    conn.execute("UPDATE totals SET n = n + 1 WHERE what LIKE 'p%%' AND id = %s", (1,))
    conn.execute("UPDATE totals SET n = n + 1 WHERE id = %s", target.user_id)
    conn.execute("UPDATE totals SET n = n + %s WHERE id = %s", 5, target.user_id)
""",
}
# name -> the program, what is refused of it; nothing of it is rewritten
STAYS: dict[str, tuple[str, set[str]]] = {
    "a connection of the driver": (
        """
@event.listens_for(engine, "connect")
def f(conn, record):
    conn.execute("UPDATE totals SET n = 3 WHERE id = 1")
""",
        {"connection-from-outside"},
    ),
    "a pool's connection": (
        """
@event.listens_for(engine, "checkout")
def f(connection, record, proxy):
    connection.execute("DELETE FROM totals")
""",
        {"connection-from-outside"},
    ),
    "an event that is not known": (
        """
@event.listens_for(Post, "after_something")
def f(mapper, connection, target):
    connection.execute("DELETE FROM totals")
""",
        {"connection-from-outside"},
    ),
    "another parameter than the connection": (
        """
@event.listens_for(Post, "after_insert")
def f(conn, connection, target):
    conn.execute("DELETE FROM totals")
""",
        {"connection-from-outside"},
    ),
    "events that hand in different things": (
        """
@event.listens_for(Post, "after_insert")
@event.listens_for(engine, "connect")
def f(record, conn, target=None):
    conn.execute("DELETE FROM totals")
""",
        {"connection-from-outside"},
    ),
    "events of another library": (
        """
class Bus:
    def listens_for(self, what, name):
        return lambda f: f


bus = Bus()


@bus.listens_for(Post, "after_insert")
def f(mapper, connection, target):
    connection.execute("DELETE FROM totals")
""",
        {"connection-from-outside"},
    ),
    "a decorator that may change the arguments": (
        """
def swapped(f):
    return lambda a, b, c: f(b, a, c)


@event.listens_for(Post, "after_insert")
@swapped
def f(mapper, conn, target):
    conn.execute("DELETE FROM totals")
""",
        {"connection-from-outside"},
    ),
    "a parameter that is bound anew": (
        """
@event.listens_for(Post, "after_insert")
def f(mapper, conn, target):
    conn = conn.connection.driver_connection
    conn.execute("DELETE FROM totals")
""",
        {"connection-from-outside"},
    ),
    "a helper that is given another connection too": (
        """
import sqlite3


def helper(conn):
    conn.execute("DELETE FROM totals")


@event.listens_for(Post, "after_insert")
def f(mapper, conn, target):
    helper(conn)


def other():
    helper(sqlite3.connect("work.db"))
""",
        {"connection-from-outside"},
    ),
    "a helper that is handed on": (
        """
def helper(conn):
    conn.execute("DELETE FROM totals")


@event.listens_for(Post, "after_insert")
def f(mapper, conn, target):
    helper(conn)
    for call in (helper,):
        call(seen)
""",
        {"connection-from-outside"},
    ),
    "a table by its name": (
        """
@event.listens_for(Post, "after_insert")
def f(mapper, conn, target):
    conn.execute("UPDATE %s SET title = 'z' WHERE id = %s" % (target.__tablename__, target.id))
""",
        {"dynamic-sql"},
    ),
    "a text of the instance without quotes": (
        """
@event.listens_for(Post, "after_insert")
def f(mapper, conn, target):
    conn.execute("UPDATE totals SET n = 5 WHERE id = %s" % target.title)
""",
        {"dynamic-sql"},
    ),
    "a value that only one caller has as a number": (
        """
def helper(conn, number):
    conn.execute("UPDATE totals SET n = 5 WHERE id = %s" % number)


@event.listens_for(Post, "after_insert")
def f(mapper, conn, target):
    helper(conn, target.id)
    helper(conn, "1 OR 1 = 1")
""",
        {"dynamic-sql"},
    ),
    "a text that is used for more, and calls something": (
        """
def key():
    return str(len(seen))


@event.listens_for(Post, "after_insert")
def f(mapper, conn, target):
    sql = "UPDATE totals SET told = '%s' WHERE id = 1" % key()
    conn.execute(sql)
    seen.append(sql)
""",
        {"dynamic-sql"},
    ),
    "a value that is escaped": (
        """
@event.listens_for(Post, "after_insert")
def f(mapper, conn, target):
    title = target.title.replace("%", "%%")
    conn.execute("UPDATE totals SET told = '%s' WHERE id = 1" % title)
    conn.execute("UPDATE totals SET told = '%s' WHERE id = 2" % conn.connection.escape_string(target.title))
""",
        {"dynamic-sql"},
    ),
    "a method that others may call": (
        """
class Totals:
    def touch(self, conn, target):
        conn.execute("UPDATE totals SET n = 5 WHERE id = %s" % target.id)


@event.listens_for(Post, "after_insert")
def f(mapper, conn, target):
    Totals().touch(conn, target)


def other(given):
    given.touch(seen, None)
""",
        {"connection-from-outside"},
    ),
    "a value that may be many": (
        """
def go(given):
    with engine.connect() as conn:
        conn.execute("SELECT id FROM totals WHERE id = ?", given)
        conn.execute("SELECT id FROM totals WHERE id = ?", [given])
        conn.execute("SELECT id FROM totals WHERE id = ?", *given)
""",
        {"parameters-unknown"},
    ),
}


def planned(bodies: Mapping[str, str], version: str, dialect: str) -> dict[str, Outcome]:
    return {name: plan(program(body), {}, version, dialect) for name, body in bodies.items()}


@cache
def _old_runs(dialect: str) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """What the programs do on 1.4, before and after."""
    bodies = {**SAME, **(POSTGRESQL if dialect == "postgresql" else {})}
    made = planned(bodies, "1.4", dialect)
    after = {name: {PATH: outcome.after.text} for name, outcome in made.items() if isinstance(outcome, Planned)}
    before = {name: {PATH: program(body)} for name, body in bodies.items()}
    return runs(before, "1.4", dialect), runs(after, "1.4", dialect)


@pytest.mark.parametrize(
    ("name", "dialect"), [*itertools.product(SAME, ("sqlite", "postgresql")), *((n, "postgresql") for n in POSTGRESQL)]
)
def test_bare_strings_of_1_4_become_statements_that_do_the_same(name: str, dialect: str) -> None:
    outcome = plan(program({**SAME, **POSTGRESQL}[name]), {}, "1.4", dialect)
    assert isinstance(outcome, Planned), outcome
    assert all(site.status is Status.REWRITTEN for site in outcome.sites), outcome.sites
    assert {effect.code for site in outcome.sites for effect in site.effects} <= TOLD.get(name, set()) | {
        "interpolated"
    }
    if reason := skipped("1.4", dialect):
        pytest.skip(reason)
    before, after = _old_runs(dialect)
    assert "Error" not in before[name][0]
    assert before[name] == after[name]


TOLD = {
    "numbers of all kinds": {"bind-type"},
    "numbers that are true or false": {"bind-type"},
    "the text of a list in quotes": {"empty-list"},
    "a typed literal": {"bind-type"},
}
WORK = """
from app.db import SessionLocal, engine
from app.models import Post, Total, User


def touch(mapper, conn, target):
    conn.execute("UPDATE users SET posts = posts + 1, name = '%s' WHERE id = %s" % ("a", target.user_id))


def count(conn, number):
    conn.execute("UPDATE totals SET n = 77 WHERE id = %s" % number)


def go():
    import app.listens

    session = SessionLocal()
    session.add(Post(id=21, user_id=1))
    session.commit()
"""
LISTENS = """
from sqlalchemy import event

from app.models import Post
from app.work import touch, count as counted


@event.listens_for(Post, "after_insert")
def f(mapper, conn, target):
    touch(mapper, conn, target)

    def inner():
        from app.work import count

        count(conn, 2)

    counted(conn, 1)
    inner()
"""


@each_world
def test_what_listeners_of_another_file_hand_on(dialect: str) -> None:
    beside = {"app/listens.py": LISTENS}
    outcome = plan(WORK, beside, "1.4", dialect)
    assert isinstance(outcome, Planned), outcome
    assert [site.status for site in outcome.sites] == [Status.REWRITTEN] * 2
    if reason := skipped("1.4", dialect):
        pytest.skip(reason)
    ran = runs({"before": {PATH: WORK, **beside}, "after": {PATH: outcome.after.text, **beside}}, "1.4", dialect)
    assert "Error" not in ran["before"][0]
    assert ran["before"] == ran["after"]


@pytest.mark.parametrize(
    "other",
    [
        "from app.work import count\n\nfor call in (count,):\n    call(1, 2)\n",
        "import sqlite3\n\nfrom app.work import count\n\n\ndef run():\n    count(sqlite3.connect('x'), 1)\n",
        "import sqlite3\n\nfrom app.work import *\n\n\ndef run():\n    count(sqlite3.connect('x'), 1)\n",
        "from app import work\n\n\ndef run(given):\n    work.count(given, 1)\n",
    ],
)
def test_what_another_file_may_hand_on(other: str) -> None:
    outcome = plan(WORK, {"app/listens.py": LISTENS, "app/other.py": other}, "1.4")
    assert isinstance(outcome, Planned), outcome
    assert [site.status for site in outcome.sites] == [Status.REWRITTEN], outcome.sites
    assert "update(User)" in outcome.after.text
    assert "update(Total)" not in outcome.after.text


@pytest.mark.parametrize("name", STAYS)
def test_what_is_left(name: str) -> None:
    body, reasons = STAYS[name]
    outcome = plan(program(body), {}, "1.4", cursors=True)
    assert isinstance(outcome, Refused), outcome
    assert {site.reason.code for site in outcome.sites if site.reason} == reasons


# The parameters of a bare string as 1.4 takes them -> what becomes of it
PASSED = {
    "a value": ("conn.execute(SQL, 1)", ""),
    "a known number": ("conn.execute(SQL, number)", ""),
    "a tuple": ("conn.execute(SQL, (1,))", ""),
    "a list": ("conn.execute(SQL, [number])", ""),
    "a tuple in a variable": ("values = (number,)\n        found = conn.execute(SQL, values)", ""),
    "a list in a variable": ("values = [number]\n        found = conn.execute(SQL, values)", "parameters-unknown"),
    "an unknown value": ("conn.execute(SQL, given)", "parameters-unknown"),
    "rows": ("conn.execute(SQL, [(1,)])", "parameters-unknown"),
}


@each_world
@pytest.mark.parametrize("name", PASSED)
def test_parameters_of_bare_strings(name: str, dialect: str) -> None:
    text, reason = PASSED[name]
    sql = '"SELECT id, n FROM totals WHERE id = {}"'.format("?" if dialect == "sqlite" else "%s")
    body = f"""
def go(number: int = 2, given=2):
    with engine.connect() as conn:
        found = {text.replace("SQL", sql).removeprefix("found = ")}
        return [tuple(row) for row in found]
""".replace("found = values", "values")
    outcome = plan(program(body), {}, "1.4", dialect)
    assert isinstance(outcome, Refused if reason else Planned), outcome
    assert {site.reason.code for site in outcome.sites if site.reason} == ({reason} if reason else set())
    if isinstance(outcome, Planned) and not skipped("1.4", dialect):
        both = {"before": {PATH: program(body)}, "after": {PATH: outcome.after.text}}
        ran = runs(both, "1.4", dialect)
        assert "Error" not in ran["before"][0]
        assert ran["before"] == ran["after"]


# What 1.4 does not commit by itself as a text, and does as a statement
NOT_COMMITTED = {
    "a comment first": 'conn.execute("/* x */ DELETE FROM totals WHERE id = 2")',
    "a comment first in a text": 'conn.execute(text("-- gone\\nDELETE FROM totals WHERE id = 2"))',
    "REPLACE": "conn.execute(\"REPLACE INTO totals (id, what, n) VALUES (2, 'r', 1)\")",
}


@pytest.mark.parametrize("name", NOT_COMMITTED)
def test_what_commits_by_itself_from_now_on_is_told(name: str) -> None:
    body = f"def go():\n    with engine.connect() as conn:\n        {NOT_COMMITTED[name]}\n"
    outcome = plan(program(body), {}, "1.4")
    assert isinstance(outcome, Planned), outcome
    assert {effect.code for site in outcome.sites for effect in site.effects} == {"autocommit"}
    newest = plan(program(body), {}, "2.0")
    assert isinstance(newest, Planned), newest
    assert "autocommit" not in {effect.code for site in newest.sites for effect in site.effects}
    if not skipped("1.4", "sqlite"):
        ran = runs({"before": {PATH: program(body)}, "after": {PATH: outcome.after.text}}, "1.4", "sqlite")
        assert ran["before"] != ran["after"]


@pytest.mark.parametrize("read", ['r["price"]', "r.price", "r[0]", 'dict(r)["price"]', "[r[k] for k in r.keys()]"])
def test_a_value_of_another_type_is_told_however_a_row_of_1_4_is_read(read: str) -> None:
    body = f"""
def go():
    with engine.begin() as conn:
        conn.execute("UPDATE posts SET price = 2.5 WHERE id = 11")
        return [{read} for r in conn.execute("SELECT price FROM posts WHERE id = 11")]
"""
    outcome = plan(program(body), {}, "1.4")
    assert isinstance(outcome, Planned), outcome
    assert {effect.code for site in outcome.sites for effect in site.effects} == {"result-type"}
    if not skipped("1.4", "sqlite"):
        ran = runs({"before": {PATH: program(body)}, "after": {PATH: outcome.after.text}}, "1.4", "sqlite")
        assert "float 2.5" in ran["before"][0]
        assert "Decimal" in ran["after"][0]


def test_a_version_that_has_no_such_statements_is_told() -> None:
    body = SAME["a number of the instance"]
    outcome = plan(program(body), {}, "1.3")
    assert isinstance(outcome, Refused), outcome
    assert {site.reason.code for site in outcome.sites if site.reason} == {"sqlalchemy-version"}


def test_the_session_of_a_commit_flushes_and_that_of_a_flush_does_not() -> None:
    body = """
@event.listens_for(SessionLocal, "before_commit")
@event.listens_for(SessionLocal, "{}")
def f(session):
    session.execute(text("UPDATE totals SET n = 8 WHERE id = 1"))
"""
    for name, told in (("before_commit", {"autoflush"}), ("after_flush", {"autoflush"})):
        outcome = plan(program(body.format(name)), {}, "1.4")
        assert isinstance(outcome, Planned), outcome
        assert {effect.code for site in outcome.sites for effect in site.effects} == told
    alone = body.replace('@event.listens_for(SessionLocal, "before_commit")\n', "").format("after_flush")
    outcome = plan(program(alone.replace("f(session)", "f(session, context)")), {}, "1.4")
    assert isinstance(outcome, Planned), outcome
    assert not outcome.sites[0].effects
