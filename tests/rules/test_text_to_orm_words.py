"""Words that are put into SQL text, of a few that the code shows: what is made of them, and what that does when run."""

from __future__ import annotations

from pathlib import Path

import pytest
from ormlift.model import Planned, Status, Verdict

from tests.rules.text_world import World, effects, plan, rewritten, sites

HEAD = """\
from typing import Literal

from sqlalchemy import text

from app.db import SessionLocal, engine

FIELDS = ("title", "count")
COLUMNS = {"t": "title", "c": "count"}
OPEN = ["title"]
OPEN.append("count")


"""
GO = """

def go():
    with SessionLocal() as session:
        return [run(session, *given) for given in GIVEN]
"""
# name -> (`run(session, ..)`, what it is given, what the new text holds)
SAME: dict[str, tuple[str, str, str]] = {
    "columns that a loop goes through": (
        """\
def run(session):
    found = {}
    for field in ["title", "count", "author_id"]:
        result = session.execute(text(f"SELECT COUNT(*) FROM books WHERE {field} IS NULL;"))
        found[field] = result.scalar()
    return found
""",
        "[()]",
        "getattr(Book, field).is_(None)",
    ),
    "columns of a constant, and a value beside": (
        """\
def run(session, n):
    out = []
    for field in FIELDS:
        sql = f"SELECT {field}, COUNT(*) AS n FROM books WHERE count > :n GROUP BY {field} ORDER BY n DESC, {field}"
        out += [tuple(row) for row in session.execute(text(sql), {"n": n})]
    return out
""",
        "[(0,), (-2,)]",
        "select(getattr(Book, field), func.count()",
    ),
    "columns of a comprehension": (
        """\
def run(session):
    return {c: session.execute(text("SELECT MAX(" + c + ") FROM books")).scalar() for c in ("id", "title", "count")}
""",
        "[()]",
        "func.max(getattr(Book, c))",
    ),
    "an order that a test lets pass": (
        """\
def run(session, sort, direction="ASC"):
    if sort not in ("id", "title", "count"):
        sort = "id"
    if direction not in ("ASC", "DESC"):
        return None
    sql = f"SELECT id, title FROM books ORDER BY {sort} {direction}, id LIMIT 3"
    return [tuple(row) for row in session.execute(text(sql))]
""",
        '[(s, d) for s in ("id", "title", "count", "x; y") for d in ("ASC", "DESC", "desc")]',
        'getattr(Book, sort) if direction == "ASC" else getattr(Book, sort).desc()',
    ),
    "an order by a dict": (
        """\
def run(session, key):
    column = COLUMNS.get(key, "id")
    return [row.id for row in session.execute(text("SELECT id FROM books ORDER BY {} DESC, id".format(column)))]
""",
        '[("t",), ("c",), ("x",)]',
        "getattr(Book, column).desc()",
    ),
    "an order in a branch": (
        """\
def run(session, sort=None):
    if sort and sort in {"title", "count"}:
        return [row.id for row in session.execute(text("SELECT id FROM books ORDER BY %s, id" % sort))]
    return []
""",
        '[(), ("title",), ("zz",)]',
        "order_by(getattr(Book, sort), Book.id)",
    ),
    "a parameter that says its words": (
        """\
def run(session, sort: Literal["title", "count"] = "title"):
    return [row.id for row in session.execute(text(f"SELECT id FROM books ORDER BY {sort}, id"))]
""",
        '[(), ("count",)]',
        "order_by(getattr(Book, sort), Book.id)",
    ),
    "a test of two parts": (
        """\
def run(session, sort=None):
    if not sort or sort not in FIELDS:
        sort = "id"
    return [row.id for row in session.execute(text(f"SELECT id FROM books ORDER BY {sort} DESC"))]
""",
        '[(), ("title",), ("zz",)]',
        "order_by(getattr(Book, sort).desc())",
    ),
    "columns that are set": (
        """\
def run(session, n):
    for field in ("author_id", "count"):
        session.execute(text(f"UPDATE books SET {field} = {field} + :n WHERE id = 2"), {"n": n})
    session.commit()
""",
        "[(5,)]",
        ".values({field: getattr(Book, field)",
    ),
    "a column that is set beside another": (
        """\
def run(session, n):
    for field in ("author_id", "count"):
        session.execute(text(f"UPDATE books SET {field} = :n, title = 'x' WHERE id = 2"), {"n": n})
    session.commit()
""",
        "[(5,)]",
        '**{field: n}, title="x"',
    ),
    "a part of a column's name, and an alias": (
        """\
def run(session):
    out = []
    for part in ("join", "touch"):
        sql = f"SELECT COUNT({part}ed) AS {part}_n FROM authors"
        out.append(tuple(session.execute(text(sql)).first()))
    return out
""",
        "[()]",
        """func.count(getattr(Author, f"{part}ed")).label(f"{part}_n")""",
    ),
    "one of two tables": (
        """\
def run(session):
    return [session.execute(text(f"SELECT COUNT(*) FROM {table}")).scalar() for table in ("authors", "books")]
""",
        "[()]",
        'select_from(Author if table == "authors" else Book)',
    ),
    "one of two comparisons": (
        """\
def run(session, later):
    op = ">" if later else "<"
    return [row.id for row in session.execute(text(f"SELECT id FROM books WHERE count {op} 1 ORDER BY id"))]
""",
        "[(True,), (False,)]",
        'Book.count > 1 if op == ">" else Book.count < 1',
    ),
    "what a column is called in the SQL": (
        """\
def run(session):
    return [session.execute(text(f"SELECT COUNT({c}) FROM authors")).scalar() for c in ("metadata", "score")]
""",
        "[()]",
        'Author.extra if c == "metadata" else Author.score',
    ),
    "words in quotes are values": (
        """\
def run(session):
    out = []
    for word in ("zwei", "drei"):
        sql = f"SELECT id, '{word}' AS word FROM books WHERE title = '{word}' OR title LIKE '%{word}%'"
        out += [tuple(row) for row in session.execute(text(sql))]
    return out
""",
        "[()]",
        'or_(Book.title == word, Book.title.like(f"%{word}%"))',
    ),
    "one word": (
        """\
def run(session):
    return [session.execute(text(f"SELECT COUNT(*) FROM {table}")).scalar() for table in ["books"]]
""",
        "[()]",
        "select_from(Book)",
    ),
    "on a connection": (
        """\
def run(session):
    with engine.connect() as conn:
        return [conn.execute(text(f"SELECT MIN({c}) FROM books")).scalar() for c in FIELDS]
""",
        "[()]",
        "func.min(getattr(Book, c))",
    ),
}
STAYS: dict[str, str] = {
    "a column that is not mapped": """\
def run(session):
    return [session.execute(text(f"SELECT MAX({c}) FROM books")).scalar() for c in ("title", "price")]
""",
    "a list that is changed": """\
def run(session):
    return [session.execute(text(f"SELECT MAX({c}) FROM books")).scalar() for c in OPEN]
""",
    "a test that lets all pass": """\
def run(session, sort):
    if sort not in FIELDS:
        print("odd")
    return session.execute(text(f"SELECT id FROM books ORDER BY {sort}")).all()
""",
    "a part of a text": """\
def run(session, sort):
    if sort not in "title":
        raise ValueError(sort)
    return session.execute(text(f"SELECT id FROM books ORDER BY {sort}")).all()
""",
    "a test of another name": """\
def run(session, sort, other):
    if other not in FIELDS:
        raise ValueError(sort)
    return session.execute(text(f"SELECT id FROM books ORDER BY {sort}")).all()
""",
    "bound anew behind the test": """\
def run(session, sort, other):
    if sort not in FIELDS:
        raise ValueError(sort)
    sort = other or sort
    return session.execute(text(f"SELECT id FROM books ORDER BY {sort}")).all()
""",
    "a test in another branch": """\
def run(session, sort, strict):
    if strict:
        if sort not in FIELDS:
            raise ValueError(sort)
    return session.execute(text(f"SELECT id FROM books ORDER BY {sort}")).all()
""",
    "a test that one of two must pass": """\
def run(session, sort, strict):
    if strict and sort not in FIELDS:
        raise ValueError(sort)
    return session.execute(text(f"SELECT id FROM books ORDER BY {sort}")).all()
""",
    "another word when it executes": """\
def run(session):
    for field in FIELDS:
        sql = f"SELECT id FROM books ORDER BY {field}"
        field = "id"
        session.execute(text(sql))
""",
    "columns of several tables": """\
def run(session):
    sql = "SELECT {} FROM authors a JOIN books b ON b.author_id = a.id"
    return [session.execute(text(sql.format(c))).all() for c in ("a.name", "b.title")]
""",
    "tables that are named twice": """\
def run(session):
    return [session.execute(text(f"SELECT 1 FROM {t} WHERE {t}.id = 1")).all() for t in ("authors", "books")]
""",
    "a function of its own": """\
def run(session, getattr):
    return [session.execute(text(f"SELECT MAX({c}) FROM books")).scalar() for c in FIELDS]
""",
}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


@pytest.mark.parametrize("name", SAME)
def test_the_same_before_and_after(name: str, world: World) -> None:
    function, given, held = SAME[name]
    text = f"{HEAD}{function}{GO}".replace("GIVEN", given)
    after, found = rewritten(text)
    assert {c.verdict for site in found for c in site.certificates} == {Verdict.PROVEN}
    assert effects(found) <= {"autoflush"}
    assert held in after
    raw, now = world.run(text), world.run(after)
    assert not raw.error
    assert now == raw


def test_each_word_has_a_certificate() -> None:
    function, given, _ = SAME["an order that a test lets pass"]
    _, (site,) = rewritten(f"{HEAD}{function}{GO}".replace("GIVEN", given))
    assert len(site.certificates) == 6


def test_effects_are_those_of_any_word() -> None:
    body = 'return [session.execute(text(f"SELECT {c} FROM authors")).scalar() for c in ("score", "joined")]'
    outcome = plan(f"{HEAD}def run(session):\n    {body}\n")
    assert isinstance(outcome, Planned)
    assert "result-type" in effects(outcome.sites)


@pytest.mark.parametrize("name", STAYS)
def test_it_stays(name: str) -> None:
    found = sites(plan(f"{HEAD}{STAYS[name]}"))
    assert {site.status for site in found} == {Status.REFUSED}
    assert {site.reason.code for site in found if site.reason} <= {"dynamic-sql", "column-not-mapped", "name-taken"}
