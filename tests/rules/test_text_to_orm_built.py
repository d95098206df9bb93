"""SQL that is built from lists of conditions and assignments, before and after `text-to-orm`: every way is run."""

from __future__ import annotations

from pathlib import Path

import pytest
from ormlift.model import Refused, Status, Verdict

from tests.rules.test_text_to_orm_steps import GO, HEAD
from tests.rules.text_world import World, effects, plan, rewritten, sites

LISTS = "def run(session, a, b, c):\n    filters = []\n    params = {}\n"
A = '    if a is not None:\n        filters.append("author_id = :a")\n        params["a"] = a\n'
B = '    if b:\n        filters.append("title LIKE :b")\n        params["b"] = f"%{b}%"\n'
# name -> `run(session, a, b, c)`
SAME: dict[str, str] = {
    "a count and a page": LISTS
    + A
    + B
    + """\
    where = " AND ".join(filters) if filters else "1=1"
    count = text(f"SELECT COUNT(*) FROM books WHERE {where}")
    total = session.execute(count, params).scalar() or 0
    skip = 1
    page = text(f"SELECT id, title FROM books WHERE {where} ORDER BY id LIMIT :size OFFSET :skip")
    rows = session.execute(page, {**params, "size": 2, "skip": skip}).fetchall()
    return total, rows
""",
    "a text that is made where it executes": LISTS
    + B
    + """\
    clause = f"WHERE {' AND '.join(filters)}" if filters else ""
    return session.execute(text(f"SELECT id FROM books {clause} ORDER BY id"), params).scalars().all()
""",
    "one parameter in several conditions": LISTS
    + """\
    if b:
        filters.append("(title = :b OR title LIKE :b)")
        filters.append("title <> :not_b")
        params.update(b=b, not_b="none")
    if c is not None:
        filters.append("count >= :c")
        params["c"] = c
    sql = "SELECT id FROM books"
    if filters:
        sql += " WHERE " + " AND ".join(filters)
    sql += " ORDER BY id DESC"
    return [row.id for row in session.execute(text(sql), params)]
""",
    "a join": """\
def run(session, a, b, c):
    filters = ["b.count > :least"]
    params = {"least": -5}
    if a:
        filters.append("a.id = :a")
        params["a"] = a
    if c is None:
        filters.append("a.name IS NOT NULL")
    sql = text("SELECT b.id, a.name FROM books b JOIN authors a ON a.id = b.author_id WHERE {} ORDER BY b.id".format(
        " AND ".join(filters)))
    return session.execute(sql, params).fetchall()
""",
    "assignments": """\
def run(session, a, b, c):
    changes = []
    params = {"id": 2}
    if b is not None:
        changes.append("title = :title")
        params["title"] = b
    if c is not None:
        changes.append("count = count + :more")
        params["more"] = c
    if changes:
        result = session.execute(text(f"UPDATE books SET {', '.join(changes)} WHERE id = :id"), params)
        return result.rowcount
    return None
""",
    "a dict of assignments": """\
def run(session, a, b, c):
    data = {"count": 8}
    if b:
        data["title"] = b
    set_clause = ", ".join(f"{name} = :{name}" for name in data)
    session.execute(text(f"UPDATE books SET {set_clause} WHERE id = :id"), {**data, "id": 2})
    return data, "count" in data, session.execute(text("SELECT title, count FROM books ORDER BY id")).fetchall()
""",
    "texts by period": """\
def run(session, a, b, c):
    params = dict(a=a)
    sql = text("SELECT id, title FROM books WHERE author_id = :a ORDER BY id")
    if c:
        sql = text("SELECT id, title FROM books WHERE author_id = :a AND count <= :c ORDER BY id DESC")
        params["c"] = c
    found = [(row.id, row.title) for row in session.execute(sql, params)]
    sql = text("SELECT COUNT(*) FROM books WHERE author_id = :a")
    if c:
        sql = text("SELECT COUNT(*) FROM books WHERE author_id = :a AND count <= :c")
    return found, [row[0] for row in session.execute(sql, params)]
""",
    "a text of conditions and an order": """\
def run(session, a, b, c):
    where = ""
    params = {}
    if a is not None:
        where += " AND author_id = :a"
        params["a"] = a
    if b:
        where += " AND title = :b"
        params["b"] = b
    order = "title, id" if c else "id DESC"
    sql = f"SELECT id FROM books WHERE count > -5 {where} ORDER BY {order}"
    return session.execute(text(sql), params).scalars().all()
""",
    "a clause and its parameter by what an object says, twice": """\
def run(session, a, b, c):
    thing = Thing(a)
    clause = "AND author_id IS NULL"
    if thing.value is not None:
        clause = "AND author_id = :only"
    sql = """
    '''"""
        SELECT books.id FROM books LEFT JOIN authors ON authors.id = books.author_id
        WHERE count > :n
        {}
        ORDER BY books.id
    """.format(clause)
    params = {"n": -5}
    if thing.value is not None:
        params["only"] = thing.value
    return [row.id for row in session.execute(text(sql), params)]
''',
    "a condition of one part of a UNION": """\
def run(session, a, b, c):
    only = "AND a.active = 1" if b else ""
    sql = text(\'\'\'
        SELECT a.id FROM authors a, books b WHERE b.author_id = a.id %s AND b.count > 0
        UNION
        SELECT authors.id FROM authors WHERE authors.name IS NULL
    \'\'\' % only)
    return sorted(row.id for row in session.execute(sql))
""",
    "conditions of a subquery": """\
def run(session, a, b, c):
    params = {}
    active = ""
    if a is not None:
        active = " AND author_id = :a"
        params["a"] = a
    inner = "SELECT author_id FROM books WHERE title <> 'x'%s AND count < 9" % (active)
    found = session.execute(text("SELECT name FROM authors WHERE id IN (%s) ORDER BY id" % (inner,)), params)
    return [row.name for row in found]
""",
    "names that a loop goes through": """\
def run(session, a, b, c):
    data = {"title": b, "count": c}
    changes, params = [], {"book": 2}
    for name in ("title", "count"):
        if data[name] is not None:
            changes.append(f"{name} = :{name}")
            params[name] = data[name]
    if a:
        changes.append("author_id = :a")
        params["a"] = a
    if not changes:
        return None
    return session.execute(text(f"UPDATE books SET {', '.join(changes)} WHERE id = :book"), params).rowcount
""",
    "columns that a loop goes through": """\
def run(session, a, b, c):
    data = {"title": b or "none", "count": 2, "id": 70}
    if a:
        data["author_id"] = a
    columns, marks, params = [], [], {}
    for key, value in data.items():
        if key not in ("title", "count", "author_id"):
            continue
        params[key] = value
        columns.append(key)
        marks.append(f":{key}")
    if not columns:
        return None
    session.execute(text(f"INSERT INTO books ({', '.join(columns)}) VALUES ({', '.join(marks)})"), params)
    return data
""",
    "a delete": LISTS
    + A
    + """\
    filters.append("count > 0")
    n = session.execute(text("DELETE FROM books WHERE " + " AND ".join(filters)), params).rowcount
    return n, session.execute(text("SELECT id FROM books ORDER BY id")).scalars().all()
""",
}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


@pytest.mark.parametrize("name", SAME)
def test_every_way_is_the_same_before_and_after(name: str, world: World) -> None:
    text = HEAD + SAME[name] + GO
    after, found = rewritten(text)
    assert {site.status for site in found} == {Status.REWRITTEN}
    assert effects(found) <= {"autoflush"}
    assert {c.verdict for site in found for c in site.certificates} == {Verdict.PROVEN}
    assert "text(" not in after
    assert "params" not in after
    before, now = world.run(text), world.run(after)
    assert before.error == ""
    assert before == now


def test_executions_that_share_a_list_are_one_site() -> None:
    after, found = rewritten(HEAD + SAME["a count and a page"])
    assert len(found) == 1
    assert (
        """\
    filters = []
    if a is not None:
        filters.append(Book.author_id == literal(a))
    if b:
        filters.append(Book.title.like(f"%{b}%"))
    total = session.scalar(select(func.count()).select_from(Book).where(*filters)) or 0
    skip = 1
    rows = session.execute(
        select(Book.id, Book.title).where(*filters).order_by(Book.id).limit(2).offset(skip)
    ).all()
"""
        in after
    )


HELD = LISTS.replace("[]", '["id > 0"]') + A
RUN = '    return session.execute(text("SELECT id FROM books WHERE " + " AND ".join(filters)), params).fetchall()\n'
STAYS: dict[str, str] = {
    "no condition on some way": LISTS + A + RUN,
    "a condition from outside": HELD + "    filters.append(b)\n" + RUN,
    "an OR without parentheses": HELD.replace("= :a", "= :a OR count = 0") + RUN,
    "conditions in a loop that are made of a value": HELD
    + '    for n in b:\n        filters.append("id <> :n")\n        params["n"] = n\n'
    + RUN,
    "a name of a loop that is another parameter": """\
def run(session, a, b, c):
    changes, params = ["count = 3"], {"title": 2}
    for name in ("title", "author_id"):
        if name in a:
            changes.append(f"{name} = :{name}")
            params[name] = a[name]
    session.execute(text(f"UPDATE books SET {', '.join(changes)} WHERE title = :title"), params)
""",
    "a parameter that each round of a loop sets": """\
def run(session, a, b, c):
    changes, params = ["count = 3"], {}
    for name in ("title", "author_id"):
        changes.append(f"{name} = :value")
        params["value"] = a[name]
    session.execute(text(f"UPDATE books SET {', '.join(changes)} WHERE id = 1"), params)
""",
    "the parameters are returned": HELD + RUN.replace("()\n", "(), params\n"),
    "the list is handed on": HELD + "    more(filters)\n" + RUN,
    "a parameter that is not set on some way": HELD.replace('        params["a"] = a\n', "") + RUN,
    "a parameter of two values": HELD + '    if b:\n        params["a"] = b\n' + RUN,
    "a call that nothing asks for": HELD + '    params["other"] = b.pop()\n' + RUN,
    "options of the text": HELD + RUN.replace("), params", ").bindparams(a=1), params"),
    "a clause by what a call may change": """\
def run(session, a, b, c):
    thing = Thing(a)
    clause = ""
    if thing.value is not None:
        clause = "AND author_id = :only"
    sql = "SELECT id FROM books WHERE count > 0 {}".format(clause)
    params = {}
    touch(thing)
    if thing.value is not None:
        params["only"] = thing.value
    return session.execute(text(sql), params).scalars().all()
""",
    "a clause by a property that does something": """\
class Counted:
    seen = 0

    @property
    def value(self):
        Counted.seen += 1
        return Counted.seen % 3 == 1


def run(session, a, b, c):
    thing = Counted()
    clause = ""
    params = {}
    if thing.value:
        clause = "AND author_id = :only"
    if thing.value:
        params["only"] = a
    sql = "SELECT id FROM books WHERE count > 0 {}".format(clause)
    return session.execute(text(sql), params).scalars().all()
""",
    "a parameter that a call may change": """\
def run(session, a, b, c):
    thing = Thing(a)
    clause = ""
    params = {}
    if a is not None:
        clause = "AND author_id = :only"
    touch(thing)
    if a is not None:
        params["only"] = thing.value
    sql = "SELECT id FROM books WHERE count > 0 {}".format(clause)
    return session.execute(text(sql), params).scalars().all()
""",
    "a percent sign that is no hole": """\
def run(session, a, b, c):
    only = "AND count = 1" if b else ""
    return session.execute(text("SELECT id FROM books WHERE title LIKE 'z%%' %s AND id %% 2 = %d" % (only, 1))).all()
""",
    "another execution that cannot be read": HELD
    + '    session.execute(text("SELECT id FROM books WHERE " + b + " AND ".join(filters)), params)\n'
    + RUN,
    "a parameter that changes": HELD + "    a = c\n    params['a'] = a\n" + RUN,
}


@pytest.mark.parametrize("name", STAYS)
def test_it_stays(name: str) -> None:
    outcome = plan(HEAD + STAYS[name])
    assert isinstance(outcome, Refused), outcome
    codes = {site.reason.code for site in sites(outcome) if site.reason is not None}
    assert codes <= {"dynamic-sql", "parameters-unknown", "arguments-mismatch", "text-options"}


OPEN: dict[str, str] = {
    "an update": """\
def run(session, a, b, c):
    data = given(a, b, c)
    changes = ", ".join(f"{name} = :{name}" for name in data)
    sql = text(f"UPDATE books SET {changes} WHERE id = :book")
    return session.execute(sql, {**data, "book": 2}).rowcount
""",
    "an update with a column of its own": """\
def run(session, a, b, c):
    data = given(a, b, c)
    changes = ", ".join([f"{name} = :{name}" for name in data.keys()])
    sql = text(f"UPDATE books SET {changes}, author_id = 2 WHERE id = :book")
    return session.execute(sql, dict(data, book=3)).rowcount
""",
    "an insert": """\
def run(session, a, b, c):
    data = given(a, b, c)
    columns = ", ".join(data)
    values = ", ".join(f":{name}" for name in data.keys())
    session.execute(text(f"INSERT INTO books (author_id, {columns}) VALUES (1, {values})"), data)
""",
}
GIVEN = """

def given(a, b, c):
    data = {"title": b or "none", "count": 0 if c is None else c}
    return data | ({"id": 70 + a} if a else {})


def go():
    found = []
    for a, b, c in product((None, 1, 2), (None, "zwei"), (None, 3)):
        with SessionLocal() as session:
            found.append(run(session, a, b, c))
            found.append(session.execute(text("SELECT id, author_id, title, count FROM books ORDER BY id")).fetchall())
            session.rollback()
    return found
"""


@pytest.mark.parametrize("name", OPEN)
def test_a_dict_of_unknown_keys_is_passed_as_it_is(name: str, world: World) -> None:
    text = HEAD + OPEN[name] + GIVEN
    after, found = rewritten(text)
    assert "**data" in after
    (site,) = [s for s in found if "open-keys" in effects([s])]
    assert {c.verdict for c in site.certificates} == {Verdict.PROVEN}
    before, now = world.run(text), world.run(after)
    assert before.error == ""
    assert before == now


@pytest.mark.parametrize("given", ['{"titles": "x"}', "{}", '{"title": "x", "book": 3, "id = 1, title": "y"}'])
def test_a_key_that_the_model_lacks_raises_before_and_after(given: str, world: World) -> None:
    text = HEAD + OPEN["an update"] + GIVEN.replace("    data = {", f"    return {given}\n    data = {{")
    after, _ = rewritten(text)
    before, now = world.run(text), world.run(after)
    assert before.error
    assert now.error


OPEN_STAYS: dict[str, str] = {
    "a renamed column": OPEN["an update"].replace("books", "authors"),
    "the dict takes the condition in": OPEN["an update"]
    .replace("    sql", '    data["book"] = 2\n    sql')
    .replace('{**data, "book": 2}', "data"),
    "the dict is handed on between": OPEN["an update"].replace("    sql", "    more(data)\n    sql"),
    "another dict is passed": OPEN["an update"].replace("**data", "**c"),
    "a list of names": OPEN["an insert"].replace("data = given(a, b, c)", "data = b").replace(".keys()", ""),
    "the dict is bound anew after it was copied": OPEN["an update"]
    .replace("    changes", '    given = {**data, "book": 2}\n    data = c\n    changes')
    .replace('{**data, "book": 2})', "given)"),
    "a nested function": OPEN["an update"].replace("    changes", "    def f():\n        data.clear()\n    changes"),
}


@pytest.mark.parametrize("name", OPEN_STAYS)
def test_a_dict_of_unknown_keys_stays(name: str) -> None:
    outcome = plan(HEAD + OPEN_STAYS[name])
    assert isinstance(outcome, Refused), outcome
