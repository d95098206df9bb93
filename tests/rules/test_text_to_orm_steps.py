"""SQL put together step by step, before and after `text-to-orm`: every way through the branches is run and compared."""

from __future__ import annotations

from pathlib import Path

import pytest
from ormlift.model import Planned, Refused, Status, Verdict

from tests.rules.text_world import World, effects, plan, rewritten, sites

HEAD = """\
from itertools import product

from sqlalchemy import text

from app.db import SessionLocal, engine


class Thing:
    def __init__(self, value):
        self.value = value


"""
# name -> (`run(session, a, b, c)`, the ways through its branches); a, b and c are None, a value that hits, one that not
SAME: dict[str, tuple[str, int]] = {
    "conditions, an order and a limit": (
        """
def run(session, a, b, c):
    sql = "SELECT id, title FROM books WHERE 1 = 1"
    params = {}
    if a is not None:
        sql += " AND author_id = :a"
        params["a"] = a
    if b:
        params["b"] = b
        sql += " AND title = :b"
    sql += " ORDER BY title DESC, id"
    if c is not None:
        sql += " LIMIT :c"
        params["c"] = abs(c)
    return session.execute(text(sql), params).fetchall()
""",
        8,
    ),
    "an if with elif and else": (
        """
def run(session, a, b, c):
    sql = "SELECT title, COUNT(*) AS n FROM books WHERE count > :least"
    params = {"least": -5}
    if a:
        sql += " AND author_id = :a"
        params["a"] = a
    elif b:
        sql += " AND title = :b"
        params["b"] = b
    else:
        sql += " AND author_id IS NULL"
    sql += " GROUP BY title ORDER BY title"
    return [(row.title, row.n) for row in session.execute(text(sql), params)]
""",
        3,
    ),
    "a None that is compared": (
        """
def run(session, a, b, c):
    sql = "SELECT id FROM authors WHERE active = 1"
    params = dict()
    if b != "zwei":
        sql += " AND score = :a"
        params["a"] = a
    if c != 3:
        sql += " AND (name = :b OR touched IS NULL)"
        params["b"] = b
    return session.execute(text(sql), params).all()
""",
        4,
    ),
    "ifs in an if": (
        """
def run(session, a, b, c):
    q = "SELECT id FROM books WHERE id > 0"
    given = {}
    if a is not None:
        q += " AND author_id = :a"
        given["a"] = a
        if b:
            q += " AND title <> :b"
            given["b"] = b
    q += " ORDER BY id"
    return session.execute(text(q), given).scalars().all()
""",
        3,
    ),
    "the text grown by a sum": (
        """
def run(session, a, b, c):
    q = "SELECT COUNT(*) FROM books"
    if a:
        q = q + " WHERE author_id = :a"
    return session.execute(text(q), {"a": a}).scalar()
""",
        2,
    ),
    "no parameters": (
        """
def run(session, a, b, c):
    q: str = "SELECT id FROM books WHERE count > 0"
    if a:
        q += " AND author_id IS NOT NULL"
    if b:
        q += " AND title LIKE '%e%'"
    q += " ORDER BY id"
    return session.execute(text(q)).fetchall()
""",
        4,
    ),
    "parameters of the base that come in later": (
        """
def run(session, a, b, c):
    params = {"n": a, "skip": 1}
    q = "SELECT id FROM books"
    if a:
        q += " WHERE id <= :n"
    q += " ORDER BY id LIMIT 3 OFFSET :skip"
    return session.execute(text(q), params).fetchall()
""",
        2,
    ),
    "an update": (
        """
def run(session, a, b, c):
    query = \"\"\"
        UPDATE books SET count = count + :more, title = :title
        WHERE id > :id
    \"\"\"
    thing = Thing(b)
    params = {"more": 10, "title": "new", "id": 1}

    # only some
    if a:
        query += " AND author_id = :a"
        params["a"] = a
    elif thing.value and c:
        query += " AND title = :b AND count = :c"
        params["b"] = thing.value  # of the thing
        params["c"] = c
    result = session.execute(text(query), params)
    session.commit()
    return result.rowcount
""",
        3,
    ),
    "a delete": (
        """
def run(session, a, b, c):
    sql = "DELETE FROM books WHERE 1=1"
    params = {}
    if a is not None:
        sql += " AND author_id = :a"
        params["a"] = a
    if b is not None:
        sql += " AND title = :b"
        params["b"] = b
    n = session.execute(text(sql), params).rowcount
    session.commit()
    return n
""",
        4,
    ),
    "a join": (
        """
def run(session, a, b, c):
    sql = "SELECT b.id, a.name FROM books b LEFT JOIN authors a ON a.id = b.author_id WHERE 1=1"
    params = {}
    if a:
        sql += " AND a.id = :a"
        params["a"] = a
    if b:
        sql += " AND b.title = :b"
        params["b"] = b
    sql += " ORDER BY b.id"
    return [tuple(row) for row in session.execute(text(sql), params).fetchall()]
""",
        4,
    ),
    "executed in a block below": (
        """
def run(session, a, b, c):
    sql = "SELECT id FROM books WHERE 1=1"
    params = {}
    if a:
        sql += " AND author_id = :a"
        params["a"] = str(a).strip()
    sql += " ORDER BY id"
    try:
        found = []
        for _ in range(2):
            found += session.execute(text(sql), params).fetchall()
        return found
    except ValueError:
        return []
""",
        2,
    ),
    "in a loop, anew each time": (
        """
def run(session, a, b, c):
    found = []
    for title in ("zwei", "drei", None):
        sql = "SELECT id FROM books WHERE 1=1"
        params = {}
        if title:
            sql += " AND title = :title"
            params["title"] = title
        if a:
            sql += " AND author_id = :a"
            params["a"] = a
        sql += " ORDER BY id"
        found.append(session.execute(text(sql), params).fetchall())
    return found
""",
        4,
    ),
}
GO = """

def go():
    found = []
    for a, b, c in product((None, 0, 1, 2), (None, "", "zwei", "none"), (None, 0, 3)):
        with SessionLocal() as session:
            found.append(run(session, a, b, c))
            session.rollback()
    return found
"""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


@pytest.mark.parametrize("name", SAME)
def test_every_way_is_the_same_before_and_after(name: str, world: World) -> None:
    body, ways = SAME[name]
    text = HEAD + body.lstrip("\n") + GO
    after, found = rewritten(text)
    (site,) = found
    assert site.status is Status.REWRITTEN
    assert effects(found) <= {"autoflush"}
    assert [c.verdict for c in site.certificates] == [Verdict.PROVEN] * ways
    assert "text(" not in after
    assert "params[" not in after
    before, now = world.run(text), world.run(after)
    assert before.error == ""
    assert before == now


LOGGED = """
def run(session, a, b, c):
    params = {"least": -5, "top": 3}
    sql = "SELECT id FROM books WHERE count > :least"
    if a is not None:
        sql += " AND author_id = :a"
        params["a"] = a
        shown.append(1)
        print(f"so far {params}")
    sql += " ORDER BY id LIMIT :top"
    logging.debug(f"executing {sql} with {params}")
    try:
        return session.execute(text(sql), params).fetchall()
    except ValueError:
        logging.exception("%s failed", sql)
        raise
"""


def test_what_is_logged_of_the_text_is_told(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    text = HEAD.replace("class Thing", "import logging\n\nshown = []\n\n\nclass Thing", 1) + LOGGED.lstrip("\n") + GO
    after, (site,) = rewritten(text)
    assert [e.message.split(" logs ")[1] for e in site.effects if e.code == "logged-sql"] == [
        "sql, as SQLAlchemy writes it now"
    ] * 2
    assert "params[" in after
    before = world.run(text)
    printed = capsys.readouterr().out
    assert world.run(after) == before
    assert capsys.readouterr().out == printed  # the parameters are what they were
    assert not before.error


def test_parameters_that_are_not_logged_go() -> None:
    text = HEAD + LOGGED.replace(" with {params}", "").replace('print(f"so far {params}")', "pass") + GO
    after, _ = rewritten(text)
    assert "params" not in after


def test_it_reads_as_one_would_write_it() -> None:
    body, _ = SAME["conditions, an order and a limit"]
    after, _ = rewritten(HEAD + body.lstrip("\n"))
    assert (
        """\
    sql = select(Book.id, Book.title)
    if a is not None:
        sql = sql.where(Book.author_id == literal(a))
    if b:
        sql = sql.where(Book.title == b)
    sql = sql.order_by(Book.title.desc(), Book.id)
    if c is not None:
        sql = sql.limit(abs(c))
    return session.execute(sql).fetchall()
"""
        in after
    )


def test_a_comment_is_kept() -> None:
    after, _ = rewritten(HEAD + SAME["an update"][0].lstrip("\n"))
    assert "# only some" in after
    assert "# of the thing" in after


# name -> (the block behind `def go(session, a, b):`, reason)
BASE = 'sql = "SELECT id FROM books WHERE 1=1"\n    params = {}\n    '
A = 'sql += " AND author_id = :a"\n        params["a"] = a\n    '
END = "return session.execute(text(sql), params).fetchall()"
STAYS: dict[str, tuple[str, str]] = {
    "an OR": (
        f'{BASE.replace("1=1", "id > 1")}if a:\n        sql += " OR count = :a"\n        params["a"] = a\n    {END}',
        "dynamic-sql",
    ),
    "an AND behind an OR": (
        f'sql = "SELECT id FROM books WHERE id = 1 OR id = 2"\n    params = {{}}\n    if a:\n        {A}{END}',
        "dynamic-sql",
    ),
    "a loop": (f'{BASE}for n in a:\n        sql += " AND id <> 1"\n    {END}', "dynamic-sql"),
    "a parameter set elsewhere": (
        f'{BASE}if a:\n        sql += " AND author_id = :a"\n    params["a"] = a\n    {END}',
        "dynamic-sql",
    ),
    "a parameter set before the branch": (
        f'{BASE}params["a"] = a\n    if a:\n        sql += " AND author_id = :a"\n    {END}',
        "dynamic-sql",
    ),
    "something between the text and its parameter": (
        f'{BASE}if a:\n        sql += " AND author_id = :a"\n        a = a + 1\n        params["a"] = a\n    {END}',
        "dynamic-sql",
    ),
    "the text is measured": (f"{BASE}if a:\n        {A}print(len(sql))\n    {END}", "dynamic-sql"),
    "the text is logged as it is written": (f'{BASE}if a:\n        {A}print(f"{{sql!r}}")\n    {END}', "dynamic-sql"),
    "the text is logged with more": (f"{BASE}if a:\n        {A}print(sql + params)\n    {END}", "dynamic-sql"),
    "the text is logged before there is a statement": (
        f"{BASE.replace('params', 'print(sql)' + chr(10) + '    params', 1)}if a:\n        {A}{END}",
        "dynamic-sql",
    ),
    "the parameters are logged, and hold what a call gives": (
        f'{BASE}if a:\n        sql += " AND count = :a"\n        params["a"] = next(a)\n    print(params)\n    {END}',
        "dynamic-sql",
    ),
    "the text is returned": (f"{BASE}if a:\n        {A}{END}, sql", "dynamic-sql"),
    "the parameters are handed on": (f"{BASE}if a:\n        {A}sorted(params)\n    {END}", "dynamic-sql"),
    "the parameters are asked": (
        f'{BASE}if a:\n        {A}if "a" in params:\n        sql += " ORDER BY id"\n    {END}',
        "dynamic-sql",
    ),
    "a value in the text": (f"{BASE}if a:\n        sql += f\" AND title = '{{a}}'\"\n    {END}", "dynamic-sql"),
    "a condition from outside": (f"{BASE}if a:\n        sql += b\n    {END}", "dynamic-sql"),
    "a column of SET": (
        (
            'sql = "UPDATE books SET count = 1"\n    params = {}\n    if a:\n        sql += ", title = :a"\n'
            '        params["a"] = a\n    return session.execute(text(sql), params)'
        ),
        "dynamic-sql",
    ),
    "a SET that is ended later": (
        (
            'sql = "UPDATE books SET count = 1, title ="\n    if a:\n        sql += "\'x\'"\n    else:\n'
            "        sql += \"'y'\"\n    return session.execute(text(sql))"
        ),
        "dynamic-sql",
    ),
    "one more key of ORDER BY": (
        f'{BASE}sql += " ORDER BY title"\n    if a:\n        sql += ", id"\n    {END}',
        "dynamic-sql",
    ),
    "a condition behind HAVING": (
        f'{BASE}sql += " GROUP BY id HAVING COUNT(*) > 0"\n    if a:\n        sql += " AND COUNT(*) < 5"\n    {END}',
        "dynamic-sql",
    ),
    "an AND without WHERE on one way": (
        (
            'sql = "SELECT id FROM books"\n    if a:\n        sql += " WHERE id > 1"\n    if b:\n'
            '        sql += " AND id < 4"\n    return session.execute(text(sql)).fetchall()'
        ),
        "dynamic-sql",
    ),
    "a parameter set twice": (
        f'{BASE}if a:\n        {A}if b:\n        sql += " AND count = :a"\n        params["a"] = b\n    {END}',
        "dynamic-sql",
    ),
    "two calls": (
        (
            f'{BASE}if a:\n        sql += " AND count = :b AND id = :a"\n        params["a"] = a.pop()\n'
            f'        params["b"] = b.pop()\n    {END}'
        ),
        "dynamic-sql",
    ),
    "the dict comes from outside": (
        f"params = b\n    {BASE.replace('params = {}', 'pass')}if a:\n        {A}{END}",
        "dynamic-sql",
    ),
    "a try": (f"{BASE}try:\n        {A.rstrip()}\n    except ValueError:\n        pass\n    {END}", "dynamic-sql"),
    "a nested function": (
        f"{BASE}def more():\n        return sql\n    if a:\n        {A}{END}, more()",
        "dynamic-sql",
    ),
    "two beginnings": (
        (
            'if b:\n        sql = "SELECT id FROM books WHERE 1=1"\n    else:\n'
            '        sql = "SELECT id FROM books WHERE id > 1"\n'
            f"    params = {{}}\n    if a:\n        {A}{END}"
        ),
        "dynamic-sql",
    ),
    "a parameter that changes before its step": (
        (
            'params = {"a": a}\n    a = b\n    sql = "SELECT id FROM books WHERE 1=1"\n    if a:\n'
            f'        sql += " AND id = :a"\n    {END}'
        ),
        "dynamic-sql",
    ),
    "the parameters made at the end": (
        (
            'sql = "SELECT id FROM books WHERE 1=1"\n    if a:\n        sql += " AND id = :a"\n    a = 3\n'
            '    return session.execute(text(sql), {"a": a}).fetchall()'
        ),
        "dynamic-sql",
    ),
    "seven branches": (
        BASE + "".join(f"if a == {n}:\n        sql += ' AND id <> {n}'\n    " for n in range(7)) + END,
        "dynamic-sql",
    ),
    "an if of one line": (
        (
            'sql = "SELECT id FROM books WHERE 1=1"\n    if a: sql += " AND id = 1"\n    '
            "return session.execute(text(sql)).fetchall()"
        ),
        "unusual-layout",
    ),
    "no model": (
        f'{BASE.replace("books", "shelves")}if a:\n        sql += " AND id = 1"\n    {END}',
        "table-not-mapped",
    ),
    "the name of what is imported": (
        (
            'update = "UPDATE books SET count = 1 WHERE 1=1"\n    if a:\n        update += " AND id = 1"\n'
            "    return session.execute(text(update)).rowcount"
        ),
        "name-taken",
    ),
    "a comment inside": (
        (
            f'{BASE}if a:\n        sql += (\n            " AND id = 1"  # the first\n            " AND count = 1"\n'
            f"        )\n    {END}"
        ),
        "unusual-layout",
    ),
    "options beside the parameters": (
        f"{BASE}if a:\n        {A}return session.execute(text(sql), params, bind_arguments={{}}).fetchall()",
        "dynamic-sql",
    ),
}


@pytest.mark.parametrize("name", STAYS)
def test_it_stays(name: str) -> None:
    block, reason = STAYS[name]
    outcome = plan(f"from sqlalchemy import text\n\n\ndef go(session, a, b):\n    {block}\n")
    assert isinstance(outcome, Refused), outcome.after.text if isinstance(outcome, Planned) else outcome
    (site,) = outcome.sites
    assert site.reason is not None
    assert site.reason.code == reason, site.reason


def test_two_executions_of_a_text_stay() -> None:
    block = f"{BASE}if a:\n        {A}session.execute(text(sql), params)\n    {END}"
    found = sites(plan(f"from sqlalchemy import text\n\n\ndef go(session, a, b):\n    {block}\n"))
    assert [site.reason.code for site in found if site.reason] == ["dynamic-sql", "dynamic-sql"]
