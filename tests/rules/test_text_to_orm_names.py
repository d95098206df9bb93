"""Names of columns that the code puts into the SQL, and says all of: `getattr(Model, name)`, before and after."""

from __future__ import annotations

from pathlib import Path

import pytest
from ormlift.model import Planned, Refused, Settings, Source, Status, Verdict
from ormlift.plan import plan_file

from tests.rules.cursor_runs import whole_index
from tests.rules.text_world import PATH, PROJECT, World, effects, plan, rewritten, sites

HEAD = """\
from sqlalchemy import text

from app.db import SessionLocal, engine

KNOWN = ("title", "count", "id")
ORDERS = {"name": "title", "size": "count"}
GROWN = ["title"]
GROWN.append("id")


"""
GO = """

def go():
    found = []
    for name in ("title", "count", "id", "author_id", "name", "size", "x"):
        for n in (None, 1, 3):
            with SessionLocal() as session:
                try:
                    found.append(run(session, name, n))
                    found.append(session.execute(text("SELECT id, author_id, title, count FROM books")).fetchall())
                except (ValueError, KeyError) as error:
                    found.append(type(error).__name__)
                session.rollback()
    return found
"""
# name -> (`run(session, name, n)`, what is written for the column)
SAME: dict[str, tuple[str, str]] = {
    "a test that raises": (
        """\
def run(session, name, n):
    if name not in KNOWN:
        raise ValueError(name)
    return session.execute(text(f"SELECT id FROM books ORDER BY {name} DESC, id")).scalars().all()
""",
        "getattr(Book, name).desc()",
    ),
    "a test that returns, with another": (
        """\
def run(session, name, n):
    if n is None or name not in ("count", "author_id"):
        return None
    session.execute(text(f"UPDATE books SET {name} = :n, title = 'x' WHERE {name} < :n"), {"n": n})
""",
        "**{name: n}",
    ),
    "a test that sets another name": (
        """\
def run(session, name, n):
    if not name in {"title", "count"}:
        name = "id"
    sql = text("SELECT id FROM books WHERE {} IS NOT NULL ORDER BY {}, id LIMIT :n".format(name, name))
    return session.execute(sql, {"n": n or 2}).scalars().all()
""",
        "getattr(Book, name).is_not(None)",
    ),
    "a test around": (
        """\
def run(session, name, n):
    if n and name in KNOWN:
        return [r.id for r in session.execute(text("SELECT id FROM books WHERE %s <> 0 ORDER BY id" % name))]
    return []
""",
        "getattr(Book, name)",
    ),
    "a mapping": (
        """\
def run(session, name, n):
    column = ORDERS.get(name, "id")
    return session.execute(text(f"SELECT b.id FROM books b ORDER BY b.{column}, b.id")).scalars().all()
""",
        "getattr(Book, column)",
    ),
    "a mapping by its key": (
        """\
def run(session, name, n):
    column = ORDERS[name]
    return session.execute(text(f"SELECT COUNT(*) FROM books WHERE {column} IS NULL")).scalar()
""",
        "getattr(Book, column)",
    ),
    "branches": (
        """\
def run(session, name, n):
    column = "author_id"
    if n is None:
        column = "count"
        n = 3
    return session.execute(text(f"SELECT id FROM books WHERE {column} = :n ORDER BY id"), {"n": n}).scalars().all()
""",
        "getattr(Book, column)",
    ),
    "a loop over names": (
        """\
def run(session, name, n):
    for column in ["count", "author_id"]:
        session.execute(text(f"DELETE FROM books WHERE {column} = :n"), {"n": n})
""",
        "getattr(Book, column)",
    ),
    "a loop over the keys of a dict whose values change": (
        """\
def run(session, name, n):
    deltas = {"count": 0, "author_id": 0}
    deltas["count"] += n or 0
    for column, delta in deltas.items():
        if not delta:
            continue
        session.execute(text(f"UPDATE books SET {column} = COALESCE({column}, 0) + :d WHERE id = 1"), {"d": int(delta)})
""",
        "getattr(Book, column)",
    ),
    "a part of a name, which is always the same": (
        """\
def run(session, name, n):
    for kind in ("author", "author"):
        session.execute(text(f"UPDATE books SET {kind}_id = :n WHERE {kind}_id IS NOT NULL"), {"n": n})
""",
        "author_id=n",
    ),
    "a name that is put together before, always the same": (
        """\
def run(session, name, n):
    for kind in ("author",):
        column = f"{kind}_id"
        session.execute(text(f"UPDATE books SET {column} = :n"), {"n": n})
""",
        "author_id=n",
    ),
    "an inserted column": (
        """\
def run(session, name, n):
    if name not in ("id", "author_id") or n is None:
        return
    session.execute(text(f"INSERT INTO books ({name}, title, count) VALUES (:n, 'new', 4)"), {"n": n + 80})
""",
        "**{name: n + 80}",
    ),
    "a selected column": (
        """\
def run(session, name, n):
    if name not in ("id", "count"):
        name = "count"
    return [row.value for row in session.execute(text(f"SELECT {name} AS value FROM books ORDER BY id"))]
""",
        'getattr(Book, name).label("value")',
    ),
    "beside conditions in a list": (
        """\
def run(session, name, n):
    if name not in KNOWN:
        name = "id"
    filters = ["id > 0"]
    params = {}
    if n is not None:
        filters.append("count > :n")
        params["n"] = n
    where = " AND ".join(filters)
    sql = text(f"SELECT id FROM books WHERE {where} AND {name} IS NOT NULL ORDER BY {name} DESC, id")
    return session.execute(sql, params).scalars().all()
""",
        "getattr(Book, name).desc()",
    ),
    "a table twice": (
        """\
def run(session, name, n):
    column = "count"
    if n:
        column = "author_id"
    sql = text(f\'\'\'SELECT id FROM books WHERE NOT EXISTS
        (SELECT 1 FROM books b WHERE b.{column} = :n AND b.id = books.id) ORDER BY id\'\'\')
    return session.execute(sql, dict(n=n)).scalars().all()
""",
        "getattr(book_b, column)",
    ),
}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


@pytest.mark.parametrize("name", SAME)
def test_every_name_is_the_same_before_and_after(name: str, world: World) -> None:
    body, written = SAME[name]
    text = HEAD + body + GO
    after, found = rewritten(text)
    assert {site.status for site in found} == {Status.REWRITTEN}
    assert effects(found) <= {"autoflush"}
    assert {c.verdict for site in found for c in site.certificates} == {Verdict.PROVEN}
    assert "text(" not in after
    assert written in after
    before, now = world.run(text), world.run(after)
    assert before.error == ""
    assert before == now


RUN = '    return session.execute(text(f"SELECT id FROM books ORDER BY {name}, id")).scalars().all()\n'
STAYS: dict[str, str] = {
    "any name": "def run(session, name):\n" + RUN,
    "a default that is more than a name": 'def run(session, name="id DESC"):\n' + RUN,
    "a default, and a call with what may be more": 'def run(session, name="id"):\n' + RUN + "\n\nrun(1, GROWN[0])\n",
    "a default, and a call with more": 'def run(session, name="id"):\n' + RUN + '\n\nrun(1, name="id DESC")\n',
    "a default, and a call with a mapping": 'def run(session, name="id"):\n' + RUN + "\n\nrun(1, **ORDERS)\n",
    "a default, and a call with a list": 'def run(session, name="id"):\n' + RUN + "\n\nrun(*KNOWN)\n",
    "a default that is changed": 'def run(session, n, name="id"):\n    name += n\n' + RUN,
    "a default that is no column": 'def run(session, name="isbn"):\n' + RUN,
    "a test and another": "def run(session, name, n):\n    if n and name not in KNOWN:\n        raise ValueError\n"
    + RUN,
    "a test of another name": "def run(session, name, n):\n    if n not in KNOWN:\n        raise ValueError\n" + RUN,
    "a test of what it was": (
        "def run(session, name, n):\n    if name not in KNOWN:\n        raise ValueError\n    name = n\n" + RUN
    ),
    "a test that goes on": "def run(session, name, n):\n    if name not in KNOWN:\n        print(name)\n" + RUN,
    "a test that is swallowed": (
        "def run(session, name, n):\n    try:\n        if name not in KNOWN:\n            raise ValueError\n"
        "    except ValueError:\n        pass\n" + RUN
    ),
    "a test in the else": "def run(session, name, n):\n    if name in KNOWN:\n        pass\n    else:\n    " + RUN,
    "names that grow": "def run(session, name):\n    if name not in GROWN:\n        raise ValueError\n" + RUN,
    "names of a text": 'def run(session, name):\n    if name not in "title count":\n        raise ValueError\n' + RUN,
    "names that are handed on": (
        "def run(session, name, n):\n    known = ['id', 'count']\n    n(known)\n"
        "    if name not in known:\n        return\n" + RUN
    ),
    "names by another name": (
        "def run(session, name, n):\n    known = ['id', 'count']\n    other = known\n    other.append(n)\n"
        "    if name not in known:\n        return\n" + RUN
    ),
    "a mapping that is handed on": (
        "def run(session, n):\n    known = {'a': 'id', 'b': 'count'}\n    n(known)\n    name = known.get(n, 'id')\n"
        + RUN
    ),
    "a dict that gets more": (
        "def run(session, n):\n    known = {'id': 1}\n    known[n] = 2\n    for name in known:\n    " + RUN
    ),
    "no default": "def run(session, n):\n    name = ORDERS.get(n)\n" + RUN,
    "a table": (
        "def run(session, n):\n    for name in ('books', 'authors'):\n"
        '        session.execute(text(f"DELETE FROM {name} WHERE id = :n"), {"n": n})\n'
    ),
    "an alias of a table": (
        "def run(session, n):\n    for name in ('a', 'b'):\n"
        '        session.execute(text(f"SELECT {name}.id FROM books a JOIN books b ON a.id = b.count")).all()\n'
    ),
    "a name that changes before it runs": (
        "def run(session, n):\n    for name in ('title', 'count'):\n"
        '        sql = f"SELECT id FROM books ORDER BY {name}"\n'
        "        name = n\n        session.execute(text(sql)).all()\n"
    ),
    "a function inside": (
        "def run(session, n):\n    for name in ('title', 'count'):\n        def inner():\n        "
        + RUN
        + "        inner()\n"
    ),
}


@pytest.mark.parametrize("name", STAYS)
def test_it_stays(name: str) -> None:
    outcome = plan(HEAD + STAYS[name])
    assert isinstance(outcome, Refused), outcome
    assert {site.reason.code for site in sites(outcome) if site.reason is not None} == {"dynamic-sql"}


OPEN = """\
def ordered(session, low, order="title"):
    sql = text("SELECT * FROM books WHERE count > :low ORDER BY {} DESC, id".format(order))
    return [row.id for row in session.execute(sql, dict(low=low))]


def run(session, name, n):
    return [ordered(session, n or 0), ordered(session, 1, "count"), ordered(session, low=2, order="id")]
"""


def test_a_parameter_with_a_default_is_a_name_as_far_as_the_file_shows(world: World) -> None:
    text = HEAD + OPEN + GO
    after, found = rewritten(text)
    assert "getattr(Book, order).desc()" in after
    assert effects(found) == {"autoflush", "open-name"}
    (site,) = [s for s in found if "open-name" in effects([s])]
    assert [c.verdict for c in site.certificates] == [Verdict.PROVEN] * 3
    before, now = world.run(text), world.run(after)
    assert before.error == ""
    assert before == now


LIKEWISE = {
    "nothing else": "",
    "another module's function": "from app.other import ordered\n\nordered(1, 2, '1')\n",
    "the default": "from app.work import ordered\n\n\ndef f(session):\n    return ordered(session, 1)\n",
    "a name of the file's own": "from app import work\n\n\ndef f(s):\n    return work.ordered(s, low=1, order='id')\n",
}
OTHERWISE = {
    "a column's place": "from app.work import ordered\n\n\ndef f(session):\n    return ordered(session, 1, '1')\n",
    "a direction": "from app import work\n\n\ndef f(s):\n    return work.ordered(s, low=1, order='id ASC')\n",
    "what is not known": "from app.work import ordered\n\n\ndef f(s, o):\n    return ordered(s, 1, order=o)\n",
    "by another name": "from app.work import ordered as o\n\n\ndef f(session):\n    return o(session, 1, 'id')\n",
    "handed on": "from app.work import ordered\n\nHOW = ordered\n",
    "all of it": "from app.work import *\n",
}


def beside(other: str) -> Planned | Refused:
    """What becomes of the file in a project of which all files are seen."""
    files = {**PROJECT, PATH: HEAD + OPEN + GO, "app/caller.py": other, "app/other.py": "def ordered(a, b, c): ...\n"}
    outcome = plan_file(Source(PATH, files[PATH]), whole_index(files), Settings(codemods=("text-to-orm",), unsafe=True))
    assert isinstance(outcome, Planned | Refused)
    return outcome


@pytest.mark.parametrize("name", LIKEWISE)
def test_calls_of_other_files_that_pass_the_same_names(name: str) -> None:
    assert "open-name" in effects(sites(beside(LIKEWISE[name])))


@pytest.mark.parametrize("name", OTHERWISE)
def test_calls_of_other_files_that_may_pass_another_text(name: str) -> None:
    (reason,) = (site.reason for site in sites(beside(OTHERWISE[name])) if site.reason is not None)
    assert reason.code == "dynamic-sql"
    assert "app/caller.py" in reason.message or name == "all of it"


def test_effect_open_name_is_what_happens(world: World) -> None:
    """What the file does not show was SQL, and is no attribute."""
    after, _ = rewritten(HEAD + OPEN + GO)
    before, now = (
        world.run(text.replace("append(run(session, name, n))", "append(ordered(session, 1, 'id ASC, title'))"))
        for text in (HEAD + OPEN + GO, after)
    )
    assert before.error == ""
    assert now.error == "AttributeError"
