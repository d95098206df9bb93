"""What `text-to-orm` makes of programs, and what those do on a real database, before and after."""

from __future__ import annotations

from pathlib import Path

import pytest
from ormlift.model import Applicability, Status, Verdict

from tests.rules.text_world import World, effects, rewritten

HEAD = """\
from sqlalchemy import bindparam, text

from app.db import SessionLocal, engine, get_db, scope, shared


def go():
"""
# name -> (the body of go(), effects)
SAME: dict[str, tuple[str, set[str]]] = {
    "fetchone": (
        """
    with SessionLocal() as session:
        return session.execute(text("SELECT id, name FROM authors WHERE id = :id"), {"id": 2}).fetchone()
""",
        set(),
    ),
    "the model is imported behind the text": (
        """
    with SessionLocal() as session:
        first = session.execute(text("SELECT COUNT(*) FROM books")).scalar()
        from app.models import Book

        return first, Book.__tablename__
""",
        set(),
    ),
    "something else is called as the model": (
        """
    Author = "Ada"
    with SessionLocal() as session:
        return session.execute(text("SELECT id FROM authors WHERE name = :n"), {"n": Author}).all()
""",
        set(),
    ),
    "all columns of a join with USING": (
        """
    with SessionLocal() as session:
        rows = session.execute(
            text("SELECT * FROM books JOIN (SELECT name, id AS author_id FROM authors) a USING (author_id) ORDER BY id")
        )
        return [tuple(row) for row in rows]
""",
        set(),
    ),
    "next() gives a row, and the statement needs a name above": (
        """
    with SessionLocal() as session:
        found = next(
            session.execute(
                text("WITH few AS (SELECT id FROM books WHERE count = :c) SELECT id FROM few ORDER BY id DESC"),
                {"c": 0},
            )
        )
        row = next(session.execute(text("SELECT id, author_id AS writer FROM books ORDER BY id")), None)
        return found.id, row.writer
""",
        set(),
    ),
    "elements of a document": (
        """
    with SessionLocal() as session:
        sql = "SELECT a.id, j.value FROM authors a, json_each(a.metadata) AS j ORDER BY a.id, j.key"
        rows = session.execute(text(sql))
        few = session.execute(
            text("SELECT a.id FROM authors a WHERE a.id IN (SELECT value FROM json_each(:ids))"), {"ids": "[1, 3]"}
        ).all()
        lacks = session.execute(
            text(
                "SELECT a.id, COUNT(j.key) AS n FROM authors a LEFT JOIN json_each(a.metadata) j GROUP BY "
                "a.id ORDER BY 1"
            )
        ).all()
        return [tuple(row) for row in rows], few, lacks
""",
        set(),
    ),
    "no row is None": (
        """
    with SessionLocal() as session:
        return session.execute(text("SELECT id FROM authors WHERE id = :id"), {"id": 77}).fetchone()
""",
        set(),
    ),
    "fetchall in order": (
        """
    with SessionLocal() as session:
        return session.execute(text("SELECT title, count FROM books ORDER BY count DESC, id")).fetchall()
""",
        set(),
    ),
    "None matches nothing": (
        """
    name = None
    with SessionLocal() as session:
        return session.execute(text("SELECT id FROM authors WHERE name = :name"), {"name": name}).all()
""",
        set(),
    ),
    "scalar of a count": (
        """
    with SessionLocal() as session:
        return session.execute(text("SELECT COUNT(*) FROM books WHERE title = :t"), dict(t="zwei")).scalar()
""",
        set(),
    ),
    "a call, and what it cannot change": (
        """
    numbers, low = [3, 2, 1], 1
    with SessionLocal() as session:
        session.execute(text("UPDATE books SET count = :c WHERE id = :i"), {"c": numbers.pop(), "i": low})
        session.commit()
""",
        set(),
    ),
    "an unknown dict, and a handler of all errors": (
        """
    given = dict(zip(("i", "n"), (1, 0)))
    with SessionLocal() as session:
        try:
            return session.execute(text("SELECT id FROM books WHERE id = :i AND count > :n"), given).all()
        except Exception:
            return "no"
""",
        set(),
    ),
    "many rows, written out": (
        """
    with scope() as session:
        session.execute(
            text("INSERT INTO books (id, title, count) VALUES (:i, :t, 0)"),
            [{"i": 7, "t": "a"}, {"i": 8, "t": "b", "x": 1}],
        )
""",
        set(),
    ),
    "many rows, put together": (
        """
    rows = []
    for number in (1, 2, 3):
        rows.append({"i": number, "t": None if number == 2 else "x" * number})
    with scope() as session:
        if rows:
            session.execute(text("UPDATE books SET title = COALESCE(:t, title), count = :i WHERE id = :i"), rows)
    return len(rows)
""",
        set(),
    ),
    "many rows of a comprehension on a connection": (
        """
    with engine.begin() as conn:
        found = conn.execute(text("SELECT id, title FROM books ORDER BY id")).all()
        if found:
            conn.execute(text("UPDATE books SET title = :t WHERE id = :i"), [{"i": b.id, "t": b.title} for b in found])
""",
        {"parameter-count"},
    ),
    "many rows of what is still read": (
        """
    with engine.begin() as conn:
        found = conn.execute(text("SELECT id, count FROM books ORDER BY id"))
        conn.execute(text("UPDATE books SET count = :c WHERE id > :i"), [{"i": b.id, "c": b.count} for b in found])
""",
        {"parameter-count"},
    ),
    "a dict of a list that is written out": (
        """
    books = [{"i": 1, "t": "a"}, {"i": 2, "t": "b"}]
    with scope() as session:
        for book in books:
            session.execute(text("UPDATE books SET title = :t WHERE id = :i"), book)
""",
        set(),
    ),
    "a dict that is read by its keys": (
        """
    def put(session, book):
        book["t"] = book["t"].upper()
        session.execute(text("UPDATE books SET title = :t WHERE id = :i"), book)
    with scope() as session:
        put(session, {"i": 1, "t": "a"})
""",
        {"autoflush"},
    ),
    "a default of None, and a type without it": (
        """
    def asked(session, name: str = None, score: "int | None" = None):
        sql = text("SELECT id FROM authors WHERE name = :n OR score = :s")
        return session.execute(sql, {"n": name, "s": score}).all()
    with SessionLocal() as session:
        return asked(session), asked(session, "Ada"), asked(session, score=3)
""",
        {"autoflush"},
    ),
    "an optional type": (
        """
    from typing import Optional
    def asked(session, name: Optional[str], other: str | None):
        sql = text("SELECT id FROM authors WHERE name = :n OR name <> :o")
        return session.execute(sql, {"n": name, "o": other}).all()
    with SessionLocal() as session:
        return asked(session, None, None), asked(session, "Ada", None), asked(session, None, "Ada")
""",
        {"autoflush"},
    ),
    "one of two texts with options, and a dict that grows": (
        """
    found = []
    with SessionLocal() as session:
        for low in (None, 1):
            params = dict(t="zwei")
            sql = text("SELECT id FROM books WHERE title = :t ORDER BY id").execution_options(note=1)
            if low:
                sql = text("SELECT id FROM books WHERE title = :t AND id > :low ORDER BY id").execution_options(note=1)
                params["low"] = low
            found.append([row.id for row in session.execute(sql, params)])
    return found
""",
        set(),
    ),
    "scalar of no row": (
        """
    with SessionLocal() as session:
        return session.execute(text("SELECT id FROM books WHERE id = 99")).scalar()
""",
        set(),
    ),
    "scalar of the session": (
        """
    with SessionLocal() as session:
        return session.scalar(text("SELECT MAX(count) FROM books"))
""",
        set(),
    ),
    "scalars of the session": (
        """
    with SessionLocal() as session:
        return session.scalars(text("SELECT title FROM books ORDER BY id")).all()
""",
        set(),
    ),
    "scalar with options": (
        """
    with SessionLocal() as session:
        q = text("SELECT title FROM books WHERE id = :i")
        return session.scalar(q, {"i": 1}, execution_options={"note": 1}), session.scalars(
            text("SELECT id FROM books WHERE id > :i ORDER BY id"), {"i": 2}, execution_options={"note": 1}
        ).all()
""",
        set(),
    ),
    "scalars of the result": (
        """
    with SessionLocal() as session:
        return session.execute(text("SELECT title FROM books ORDER BY id")).scalars().all()
""",
        set(),
    ),
    "scalar_one raises on two": (
        """
    with SessionLocal() as session:
        return session.execute(text("SELECT id FROM books WHERE title = 'zwei'")).scalar_one()
""",
        set(),
    ),
    "mappings": (
        """
    with SessionLocal() as session:
        return [dict(m) for m in session.execute(text("SELECT id, title AS t FROM books ORDER BY id")).mappings()]
""",
        set(),
    ),
    "mapping of one row": (
        """
    with SessionLocal() as session:
        row = session.execute(text("SELECT id, title FROM books WHERE id = :id"), {"id": 1}).mappings().first()
        return dict(row), row["title"], row.get("id")
""",
        set(),
    ),
    "a result kept in a name": (
        """
    with SessionLocal() as session:
        result = session.execute(text("SELECT id, title FROM books ORDER BY id"))
        first = result.fetchone()
        return first.title, first[0], [row.title for row in result.fetchall()], list(result.keys())
""",
        set(),
    ),
    "a loop over the result": (
        """
    found = []
    with SessionLocal() as session:
        for row in session.execute(text("SELECT id, title FROM books ORDER BY id")):
            found.append((row.id, row.title, row._mapping["title"], row._asdict()))
    return found
""",
        set(),
    ),
    "unpacking": (
        """
    with SessionLocal() as session:
        return [t for i, t in session.execute(text("SELECT id, title FROM books WHERE id > 2 ORDER BY id"))]
""",
        set(),
    ),
    "a renamed column keeps its name": (
        """
    with SessionLocal() as session:
        row = session.execute(text("SELECT id, metadata IS NULL AS none FROM authors WHERE id = 3")).first()
        return row.none, row._mapping["none"]
""",
        set(),
    ),
    "a renamed column read by name": (
        """
    with SessionLocal() as session:
        return sum(1 for r in session.execute(text("SELECT id, metadata FROM authors")) if r.metadata is None)
""",
        {"result-type"},
    ),
    "a text in a variable": (
        """
    sql = text("SELECT title FROM books WHERE id = :id")
    with SessionLocal() as session:
        return session.execute(sql, {"id": 3}).scalar()
""",
        set(),
    ),
    "a string in a variable": (
        """
    sql = "SELECT title FROM books "
    sql_where = "WHERE id = :id"
    with SessionLocal() as session:
        return session.execute(text(sql + sql_where), {"id": 3}).scalar()
""",
        set(),
    ),
    "bindparams": (
        """
    stmt = text("SELECT title FROM books WHERE id = :id AND count >= :low").bindparams(id=3, low=1)
    with SessionLocal() as session:
        return session.execute(stmt).scalar()
""",
        set(),
    ),
    "parameters of the call go before those bound": (
        """
    with SessionLocal() as session:
        return session.execute(text("SELECT title FROM books WHERE id = :id").bindparams(id=3), {"id": 1}).scalar()
""",
        set(),
    ),
    "a parameter used twice": (
        """
    with SessionLocal() as session:
        q = text("SELECT id FROM books WHERE title = :t OR title || 'x' = :t ORDER BY id")
        return session.execute(q, {"t": "zwei"}).fetchall()
""",
        set(),
    ),
    "parameters that the SQL does not ask for": (
        """
    with SessionLocal() as session:
        return session.execute(text("SELECT id FROM books WHERE id = :id"), {"id": 1, "other": 2}).fetchall()
""",
        set(),
    ),
    "a dict built step by step": (
        """
    values = {"low": 0}
    values["high"] = 4
    with SessionLocal() as session:
        q = text("SELECT id FROM books WHERE count >= :low AND count <= :high ORDER BY id")
        return session.execute(q, values).fetchall()
""",
        set(),
    ),
    "an escaped colon and a colon in a literal": (
        """
    with SessionLocal() as session:
        q = text("SELECT id FROM books WHERE title != '12:30' AND title != 'a\\\\:b' ORDER BY id")
        return session.execute(q).fetchall()
""",
        set(),
    ),
    "one of two texts": (
        """
    found = []
    for low in (None, 1):
        if low is None:
            q = text("SELECT id, title FROM books ORDER BY id")
        else:
            q = text("SELECT id, title FROM books WHERE count >= :low ORDER BY id")
        with SessionLocal() as session:
            found.append([tuple(r) for r in session.execute(q, {"low": low})])
    return found
""",
        set(),
    ),
    "a parameter that expands": (
        """
    found = []
    for ids in ([3, 1], []):
        q = text("SELECT id FROM books WHERE id IN :ids ORDER BY id").bindparams(bindparam("ids", expanding=True))
        with SessionLocal() as session:
            found.append(session.execute(q, {"ids": ids}).scalars().all())
    return found
""",
        set(),
    ),
    "parameters in a variable of no known type": (
        """
    def find(session, given):
        return session.execute(text("SELECT id FROM books WHERE id = :id"), given).scalar()

    with SessionLocal() as session:
        return find(session, {"id": 3})
""",
        {"autoflush"},
    ),
    "an option of the text": (
        """
    with SessionLocal() as session:
        q = text("SELECT id FROM books ORDER BY id").execution_options(note=1)
        return session.execute(q).fetchall()
""",
        set(),
    ),
    "options beside the parameters": (
        """
    with SessionLocal() as session:
        q = text("SELECT id FROM books WHERE id > :id ORDER BY id")
        return session.execute(q, {"id": 2}, execution_options={"note": 1}).fetchall()
""",
        set(),
    ),
    "a boolean tested": (
        """
    with SessionLocal() as session:
        row = session.execute(text("SELECT active FROM authors WHERE id = 2")).fetchone()
        return "yes" if row[0] else "no"
""",
        set(),
    ),
    "json.loads goes": (
        """
    import json
    with SessionLocal() as session:
        row = session.execute(text("SELECT metadata FROM authors WHERE id = 1")).fetchone()
        return json.loads(row[0])["a"] if row else None
""",
        set(),
    ),
    "json.loads of an attribute": (
        """
    import json
    with SessionLocal() as session:
        rows = session.execute(text("SELECT id, metadata FROM authors WHERE metadata IS NOT NULL ORDER BY id"))
        return [json.loads(r.metadata) if r.metadata else None for r in rows]
""",
        {"result-type"},
    ),
    "a date that must stay text": (
        """
    with SessionLocal() as session:
        row = session.execute(text("SELECT id, joined FROM authors WHERE id = 1")).fetchone()
        return row.joined[:10], row.joined.split(" ")[0]
""",
        set(),
    ),
    "an update and its row count": (
        """
    with SessionLocal() as session:
        result = session.execute(text("UPDATE books SET count = count + :n WHERE title = :t"), {"n": 2, "t": "zwei"})
        session.commit()
        return result.rowcount
""",
        set(),
    ),
    "a delete": (
        """
    with scope() as session:
        session.execute(text("DELETE FROM books WHERE count < :low"), {"low": 0})
""",
        set(),
    ),
    "an insert": (
        """
    with scope() as session:
        session.execute(
            text("INSERT INTO books (author_id, title, count) VALUES (:a, :t, :n)"), {"a": 2, "t": "vier", "n": 4}
        )
""",
        set(),
    ),
    "lastrowid of an insert": (
        """
    with scope() as session:
        result = session.execute(text("INSERT INTO books (title, count) VALUES ('neu', 0)"))
        return result.lastrowid
""",
        set(),
    ),
    "an error keeps its type": (
        """
    with scope() as session:
        session.execute(text("INSERT INTO books (id, title, count) VALUES (1, 'again', 0)"))
""",
        set(),
    ),
    "a connection": (
        """
    with engine.connect() as conn:
        rows = conn.execute(text("SELECT id, title FROM books WHERE id < :id ORDER BY id"), {"id": 3}).fetchall()
        return [r.title for r in rows]
""",
        set(),
    ),
    "a connection that begins": (
        """
    with engine.begin() as conn:
        result = conn.execute(text("UPDATE books SET title = :t WHERE id = 2"), {"t": "two"})
        return result.rowcount
""",
        set(),
    ),
    "a connection's row count of a select stays": (
        """
    with engine.connect() as conn:
        result = conn.execute(text("SELECT id FROM books"))
        return result.rowcount
""",
        set(),
    ),
    "a join": (
        """
    with SessionLocal() as session:
        q = text(
            "SELECT a.name AS author, b.title FROM books b LEFT JOIN authors a ON a.id = b.author_id ORDER BY b.id"
        )
        return [(r.author, r.title) for r in session.execute(q)]
""",
        set(),
    ),
    "a group": (
        """
    with SessionLocal() as session:
        q = text("SELECT title, COUNT(*) AS n FROM books GROUP BY title HAVING COUNT(*) > 1")
        return [dict(r._mapping) for r in session.execute(q).fetchall()]
""",
        set(),
    ),
    "star": (
        """
    with SessionLocal() as session:
        return [tuple(r) for r in session.execute(text("SELECT * FROM books ORDER BY id"))]
""",
        set(),
    ),
    "in a comment above": (
        """
    with SessionLocal() as session:
        # the newest
        row = session.execute(
            text("SELECT id FROM books ORDER BY id DESC LIMIT 1")  # of all
        ).fetchone()
        return row[0]
""",
        set(),
    ),
    "many rows of a nested function": (
        """
    def count(session):
        return session.execute(text("SELECT COUNT(*) FROM books")).scalar()

    with SessionLocal() as session:
        return count(session)
""",
        {"autoflush"},
    ),
    "a scoped session": (
        """
    return shared.execute(text("SELECT title FROM books WHERE id = 1")).scalar()
""",
        {"autoflush"},
    ),
    "the instances of a session stay stale": (
        """
    from app.models import Book
    with SessionLocal() as session:
        book = session.get(Book, 1)
        session.execute(text("UPDATE books SET count = 40 WHERE id = 1"))
        return book.count
""",
        set(),
    ),
    "the instances of a session stay after a delete": (
        """
    from app.models import Book
    with SessionLocal() as session:
        book = session.get(Book, 1)
        session.execute(text("DELETE FROM books WHERE id = 1"))
        return session.get(Book, 1) is book
""",
        set(),
    ),
    "two on one line": (
        """
    with SessionLocal() as session:
        a, b = session.execute(text("SELECT COUNT(*) FROM books")).scalar(), session.scalar(text("SELECT 1 FROM books"))
        return a, b
""",
        set(),
    ),
    "in a lambda and a comprehension": (
        """
    with SessionLocal() as session:
        title = lambda i: session.execute(text("SELECT title FROM books WHERE id = :i"), {"i": i}).scalar()
        return [title(i) for i in (1, 2, 99)], [
            session.execute(text("SELECT count FROM books WHERE id = :i"), {"i": i}).scalar() for i in range(3)
        ]
""",
        {"autoflush"},
    ),
    "a walrus": (
        """
    with SessionLocal() as session:
        if (row := session.execute(text("SELECT id, title FROM books WHERE id = 2")).fetchone()) is not None:
            return row.title
""",
        set(),
    ),
    "rows one by one": (
        """
    found = []
    with SessionLocal() as session:
        result = session.execute(text("SELECT id, title FROM books ORDER BY id"))
        while row := result.fetchone():
            found.append(row.title)
        return found, result.fetchone()
""",
        set(),
    ),
    "some rows": (
        """
    with SessionLocal() as session:
        result = session.execute(text("SELECT id FROM books ORDER BY id"))
        return result.fetchmany(2), result.fetchmany(5), result.fetchmany(1)
""",
        set(),
    ),
    "a column called count": (
        """
    with SessionLocal() as session:
        row = session.execute(text("SELECT count, COUNT(*) AS t FROM books WHERE id = 1")).first()
        return row._mapping["count"], row._mapping["t"], row[0]
""",
        set(),
    ),
    "zip with the keys": (
        """
    with SessionLocal() as session:
        result = session.execute(text("SELECT id, title AS name FROM books ORDER BY id"))
        keys = result.keys()
        return [dict(zip(keys, row)) for row in result.fetchall()]
""",
        set(),
    ),
    "sorted by an attribute": (
        """
    with SessionLocal() as session:
        rows = session.execute(text("SELECT title, SUM(count) AS total FROM books GROUP BY title")).fetchall()
        return sorted(rows, key=lambda r: (r.total, r.title)), max(rows, key=lambda r: r.total).title
""",
        set(),
    ),
    "a text that a class holds": (
        """
    class Reader:
        QUERY = text("SELECT title FROM books WHERE id = :id")

        def read(self, session, id):
            return session.execute(self.QUERY, {"id": id}).scalar()

    with SessionLocal() as session:
        return Reader().read(session, 2)
""",
        {"autoflush"},
    ),
    "a null written": (
        """
    with scope() as session:
        session.execute(text("UPDATE authors SET name = :n, touched = 5 WHERE id = :i"), {"n": None, "i": 1})
""",
        set(),
    ),
    "json written": (
        """
    import json
    with scope() as session:
        session.execute(
            text("UPDATE authors SET metadata = :m, touched = 5 WHERE id = 1"), {"m": json.dumps({"b": [1]})}
        )
""",
        set(),
    ),
    "integer division and concatenation": (
        """
    with SessionLocal() as session:
        q = text("SELECT id / 2 AS half, title || '!' AS loud FROM books ORDER BY id")
        return [(r.half, r.loud) for r in session.execute(q)]
""",
        set(),
    ),
    "a limit that is no number of rows": (
        """
    with SessionLocal() as session:
        return session.execute(text("SELECT id FROM books ORDER BY id LIMIT :n OFFSET :o"), {"n": -1, "o": 1}).all()
""",
        set(),
    ),
    "NOT IN with a null": (
        """
    with SessionLocal() as session:
        q = text("SELECT id FROM books WHERE author_id NOT IN (:a, :b) ORDER BY id")
        return session.execute(q, {"a": 1, "b": None}).all(), session.execute(q, {"a": 1, "b": 7}).all()
""",
        set(),
    ),
    "LIKE without case": (
        """
    with SessionLocal() as session:
        return session.execute(text("SELECT id FROM books WHERE title LIKE :t ORDER BY id"), {"t": "%EI"}).all()
""",
        set(),
    ),
    "a table joined with itself": (
        """
    with SessionLocal() as session:
        sql = text("SELECT a.id, b.id AS other FROM books a JOIN books b ON a.title = b.title AND a.id < b.id")
        rows = session.execute(sql).fetchall()
        return [(r.id, r.other) for r in rows]
""",
        set(),
    ),
    "WITH": (
        """
    with SessionLocal() as session:
        q = text(
            "WITH big AS (SELECT author_id, SUM(count) AS n FROM books GROUP BY author_id) "
            "SELECT a.name, big.n FROM big JOIN authors a ON a.id = big.author_id WHERE big.n > :low ORDER BY big.n"
        )
        rows = session.execute(q, {"low": 0}).all()
        return rows, [r.n for r in rows]
""",
        set(),
    ),
    "subqueries": (
        """
    with SessionLocal() as session:
        q = text(
            "SELECT id FROM books WHERE author_id IN (SELECT id FROM authors WHERE active = 1) "
            "OR NOT EXISTS (SELECT 1 FROM authors WHERE authors.id = books.author_id) ORDER BY id"
        )
        return session.execute(q).scalars().all()
""",
        set(),
    ),
    "RETURNING": (
        """
    with scope() as session:
        new = text("INSERT INTO books (title, count) VALUES (:t, 1) RETURNING id")
        first = session.execute(new, {"t": "x"}).scalar()
        row = session.execute(
            text("UPDATE books SET count = 8 WHERE title = :t RETURNING id, count AS n"), {"t": "x"}
        ).fetchone()
        return first, row.n, row[0]
""",
        set(),
    ),
    "an upsert": (
        """
    with scope() as session:
        session.execute(
            text(
                "INSERT INTO books (id, title, count) VALUES (:i, :t, 9) "
                "ON CONFLICT (id) DO UPDATE SET count = excluded.count"
            ),
            {"i": 1, "t": "z"},
        )
        session.execute(text("INSERT OR IGNORE INTO books (id, title, count) VALUES (2, 'no', 1)"))
""",
        set(),
    ),
    "flushed before": (
        """
    from app.models import Book
    with SessionLocal() as session:
        session.add(Book(id=9, title="neun", count=9))
        session.flush()
        return session.execute(text("SELECT COUNT(*) FROM books")).scalar()
""",
        set(),
    ),
}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


@pytest.mark.parametrize("name", SAME)
def test_the_same_before_and_after(name: str, world: World) -> None:
    body, expected = SAME[name]
    text = HEAD + body.lstrip("\n")
    after, sites = rewritten(text)
    assert all(site.status is Status.REWRITTEN for site in sites), sites
    assert effects(sites) == expected
    if not expected:
        assert all(site.applicability is Applicability.SAFE for site in sites), sites
    verdicts = {c.verdict for site in sites for c in site.certificates}
    assert verdicts <= {Verdict.PROVEN, Verdict.TESTED}
    assert "execute(text" not in after
    assert world.run(text) == world.run(after)


# What changes, and is told: name -> (the body of go(), effects, whether it is seen here)
TOLD: dict[str, tuple[str, set[str], bool]] = {
    "a date leaves as datetime": (
        """
    with SessionLocal() as session:
        return session.execute(text("SELECT joined FROM authors WHERE id = 1")).fetchone()
""",
        {"result-type"},
        True,
    ),
    "a boolean leaves as bool": (
        """
    with SessionLocal() as session:
        return [dict(r._mapping) for r in session.execute(text("SELECT id, active FROM authors"))]
""",
        {"result-type"},
        True,
    ),
    "scalars of a boolean": (
        """
    with SessionLocal() as session:
        return session.execute(text("SELECT active FROM authors ORDER BY id")).scalars().all()
""",
        {"result-type"},
        True,
    ),
    "JSON leaves as a dict": (
        """
    with SessionLocal() as session:
        return session.execute(text("SELECT metadata FROM authors WHERE id = 1")).scalar()
""",
        {"result-type"},
        True,
    ),
    "a default fires": (
        """
    with scope() as session:
        session.execute(text("INSERT INTO authors (id, name, active) VALUES (9, 'Cy', 1)"))
""",
        {"python-default"},
        True,
    ),
    "onupdate fires": (
        """
    with scope() as session:
        session.execute(text("UPDATE authors SET name = :n WHERE id = 1"), {"n": "Eve"})
""",
        {"onupdate"},
        True,
    ),
    "a bare string runs": (
        """
    with SessionLocal() as session:
        return session.execute("SELECT title FROM books WHERE id = :id", {"id": 1}).scalar()
""",
        {"text-missing"},
        True,
    ),
    "a bare string on a connection runs": (
        """
    with engine.connect() as conn:
        return conn.execute("SELECT title FROM books WHERE id = ?", (1,)).scalar()
""",
        {"text-missing"},
        True,
    ),
    "lists and numbers in the text": (
        """
    found = []
    with SessionLocal() as session:
        for ids in ([1], [2, 3], (4,), {1: "a"}, [], ["1", 3]):
            marks = ",".join(str(i) for i in ids)
            sql = text(f"SELECT id FROM books WHERE id IN ({marks}) ORDER BY id")
            found.append([row.id for row in session.execute(sql)])
        words = ["zwei", "drei"]
        listed = ", ".join(f"'{word}'" for word in words)
        found.append(session.execute(text("SELECT id FROM books WHERE title IN ({})".format(listed))).fetchall())
        for row in session.execute(text("SELECT id, count FROM books ORDER BY id")).fetchall():
            session.execute(text(f"INSERT INTO books (id, title, count) VALUES ({row.id + 10}, 'x', {row.count})"))
        session.commit()
    return found
""",
        {"interpolated"},
        False,
    ),
    "a value in the text": (
        """
    found = []
    with SessionLocal() as session:
        for title in ("zwei", "it's", "x' OR 'a' = 'a"):
            try:
                found.append(len(session.execute(text(f"SELECT id FROM books WHERE title = '{title}'")).all()))
            except Exception as error:
                found.append(-1)
    return found
""",
        {"interpolated"},
        True,
    ),
    "a number in the text": (
        """
    low: int = len("abc")
    with SessionLocal() as session:
        q = "SELECT id FROM books WHERE count >= %d AND title != '%s' ORDER BY id LIMIT {}".format(5)
        return session.execute(text("SELECT id FROM books WHERE count >= %d ORDER BY id" % low)).fetchall()
""",
        {"interpolated"},
        False,
    ),
    "a float, of which %d writes the whole number": (
        """
    found = []
    with SessionLocal() as session:
        for low in (3.9, -0.5, 5):
            q = "SELECT id FROM books WHERE count = %d AND title <> 'x%d'" % (low, low)
            found.append(session.execute(text(q)).fetchall())
    return found
""",
        {"interpolated"},
        False,
    ),
    "an expression has no alias": (
        """
    with SessionLocal() as session:
        return [dict(r._mapping) for r in session.execute(text("SELECT title, count + 1 FROM books"))]
""",
        {"column-name"},
        True,
    ),
    "what was added is pending": (
        """
    from app.models import Book
    with SessionLocal() as session:
        session.add(Book(id=9, title="neun", count=9))
        return session.execute(text("SELECT COUNT(*) FROM books")).scalar()
""",
        {"autoflush"},
        False,
    ),
    "what was changed is pending": (
        """
    from app.models import Book
    with SessionLocal() as session:
        book = session.get(Book, 1)
        book.count = 12
        return session.execute(text("SELECT count FROM books WHERE id = 1")).scalar()
""",
        {"autoflush"},
        False,
    ),
    "a write between two fetches": (
        """
    with SessionLocal() as session:
        found = session.execute(text("SELECT id, count FROM books ORDER BY id"))
        first = found.fetchone()
        session.execute(text("UPDATE books SET count = 99"))
        return first.count, [r.count for r in found.fetchall()]
""",
        {"reads-ahead"},
        True,
    ),
    "parameters that lack one, and a handler that names the error": (
        """
    from sqlalchemy.exc import SQLAlchemyError
    def asked(session, given):
        try:
            return session.execute(text("SELECT id FROM books WHERE id = :i AND count > :n"), given).all()
        except SQLAlchemyError:
            return "no"
        except LookupError:
            return "none"
    with SessionLocal() as session:
        return asked(session, {"i": 1})
""",
        {"parameter-count", "autoflush"},
        True,
    ),
    "a call, and what it changes": (
        """
    numbers = [3, 2, 1]
    with SessionLocal() as session:
        q = text("UPDATE books SET count = :c WHERE id = :i")
        session.execute(q, {"c": numbers.pop(), "i": numbers[-1]})
        session.commit()
""",
        {"evaluation-order"},
        True,
    ),
    "many rows of which there may be none": (
        """
    rows = [{"i": 1}][1:]
    def gone(session, rows: list):
        try:
            session.execute(text("DELETE FROM books WHERE id = :i"), rows)
            return "done"
        except Exception as error:
            return type(error).__name__
    with SessionLocal() as session:
        return gone(session, rows)
""",
        {"parameter-count", "autoflush"},
        True,
    ),
    "a loop deletes what it reads": (
        """
    found = []
    with SessionLocal() as session:
        for row in session.execute(text("SELECT id FROM books ORDER BY id")):
            found.append(row.id)
            session.execute(text("DELETE FROM books WHERE id > 1"))
    return len(found) > 0
""",
        {"reads-ahead"},
        False,
    ),
}


@pytest.mark.parametrize("name", TOLD)
def test_what_changes_is_told(name: str, world: World) -> None:
    body, expected, seen = TOLD[name]
    text = HEAD + body.lstrip("\n")
    after, sites = rewritten(text)
    assert effects(sites) == expected
    assert any(site.applicability is Applicability.UNSAFE for site in sites)
    before, now = world.run(text), world.run(after)
    assert now.error == ""
    assert (before != now) is seen


WRAPPED = {
    "a ping": (
        '    with SessionLocal() as session:\n        return session.execute("SELECT 1").scalar()\n',
        'text("SELECT 1")',
    ),
    "a pragma": (
        '    with SessionLocal() as session:\n        return session.execute("PRAGMA user_version").scalar()\n',
        'text("PRAGMA user_version")',
    ),
    "on a connection": (
        '    with engine.connect() as conn:\n        return conn.execute("SELECT 1 + 1").scalar()\n',
        'text("SELECT 1 + 1")',
    ),
    "a string with parameters": (
        '    with SessionLocal() as session:\n        return session.execute("SELECT :a", {"a": 5}).scalar()\n',
        'text("SELECT :a")',
    ),
    "a table without a model": (
        '    with SessionLocal() as session:\n        return session.execute("SELECT name FROM sqlite_master").all()\n',
        'text("SELECT name FROM sqlite_master")',
    ),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_a_bare_string_is_put_in_a_text(name: str, world: World) -> None:
    body, expected = WRAPPED[name]
    text = HEAD.replace("from sqlalchemy import text\n\n", "") + body
    after, sites = rewritten(text)
    assert expected in after
    assert effects(sites) == {"text-missing"}
    assert world.run(text).error in ("ArgumentError", "ObjectNotExecutableError")
    assert world.run(after).error == ""
