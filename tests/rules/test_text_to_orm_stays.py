"""Programs that `text-to-orm` must leave as they are, each for its reason."""

from __future__ import annotations

import pytest
from ormlift.model import Planned, Refused, Settings, Status, Unchanged
from ormlift.rules.text_to_orm import CODEMOD

from tests.rules.text_world import PATH, effects, plan, sites

HEAD = """\
from datetime import datetime

from sqlalchemy import bindparam, text

from app.db import SessionLocal, engine, shared


def go(wanted, given):
    with SessionLocal() as session:
"""
# name -> (the block, reason)
STAYS: dict[str, tuple[str, str]] = {
    "a ping": ('session.execute(text("SELECT 1"))', "administrative"),
    "a version": ('session.execute(text("SELECT sqlite_version()")).scalar()', "administrative"),
    "a pragma": ('session.execute(text("PRAGMA foreign_keys = ON"))', "administrative"),
    "a table made": ('session.execute(text("CREATE TABLE x (id INTEGER)"))', "administrative"),
    "a table altered": ('session.execute(text("ALTER TABLE books ADD COLUMN x INTEGER"))', "administrative"),
    "a vacuum": ('session.execute(text("VACUUM"))', "administrative"),
    "a setting": ('session.execute(text("SET search_path TO other"))', "administrative"),
    "an explanation": ('session.execute(text("EXPLAIN QUERY PLAN SELECT * FROM books"))', "administrative"),
    "the catalog of SQLite": ('session.execute(text("SELECT name FROM sqlite_master")).fetchall()', "administrative"),
    "the catalog of the standard": (
        'session.execute(text("SELECT table_name FROM information_schema.tables")).fetchall()',
        "administrative",
    ),
    "no model": ('session.execute(text("SELECT id FROM shelves")).fetchall()', "table-not-mapped"),
    "no column": ('session.execute(text("SELECT isbn FROM books")).fetchall()', "column-not-mapped"),
    "a table by name": ('session.execute(text(f"SELECT id FROM {wanted}")).fetchall()', "dynamic-sql"),
    "a string from outside": ("session.execute(text(wanted)).fetchall()", "dynamic-sql"),
    "a filter from outside": ('session.execute(text("SELECT id FROM books " + wanted)).fetchall()', "dynamic-sql"),
    "two statements": ('session.execute(text("DELETE FROM books; DELETE FROM authors"))', "several-statements"),
    "no SQL": ('session.execute(text("hello world"))', "sql-not-parsed"),
    "a parameter in a literal": (
        """session.execute(text("SELECT id FROM books WHERE title = 'a :b'"), {"b": 1})""",
        "sql-not-parsed",
    ),
    "a parameter in a comment": (
        """session.execute(text("SELECT id FROM books -- of :b"), {"b": 1})""",
        "sql-not-parsed",
    ),
    "a parameter in front of a cast": (
        'session.execute(text("SELECT id FROM books WHERE id = :a::int"), {"a": 1})',
        "sql-not-parsed",
    ),
    "a parameter is missing": (
        'session.execute(text("SELECT id FROM books WHERE id = :a AND count = :b"), {"a": 1}).all()',
        "arguments-mismatch",
    ),
    "many rows whose count is asked for": (
        'return session.execute(text("DELETE FROM books WHERE id = :i"), [{"i": 1}, {"i": 2}]).rowcount',
        "execute-many",
    ),
    "many rows kept": (
        'done = session.execute(text("DELETE FROM books WHERE id = :i"), [{"i": 1}, {"i": 2}])\n        return done',
        "execute-many",
    ),
    "many rows for an engine": (
        'engine.execute(text("DELETE FROM books WHERE id = :i"), [{"i": 1}, {"i": 2}])',
        "execute-many",
    ),
    "many rows of a SELECT": (
        'session.execute(text("SELECT id FROM books WHERE id = :i"), [{"i": 1}, {"i": 2}])',
        "execute-many",
    ),
    "one of many rows that nothing shows to be a dict": (
        'for row in given:\n            session.execute(text("DELETE FROM books WHERE id = :i"), row)',
        "parameters-unknown",
    ),
    "parameters from outside, which may be many rows": (
        'session.execute(text("DELETE FROM books WHERE id = :a"), given)',
        "parameters-unknown",
    ),
    "a part of a name in the text": (
        'session.execute(text(f"SELECT id FROM books_{wanted}")).fetchall()',
        "dynamic-sql",
    ),
    "an order in the text": (
        'session.execute(text(f"SELECT id FROM books ORDER BY {wanted}")).fetchall()',
        "dynamic-sql",
    ),
    "a value of no known type in the text": (
        'session.execute(text(f"SELECT id FROM books WHERE title = {wanted}")).fetchall()',
        "dynamic-sql",
    ),
    "a text beside a number": (
        'wanted = str(wanted)\n        session.execute(text(f"SELECT id FROM books WHERE count = {wanted}")).all()',
        "dynamic-sql",
    ),
    "values of no known type in a list": (
        'session.execute(text(f"SELECT id FROM books WHERE id IN ({wanted})")).fetchall()',
        "dynamic-sql",
    ),
    "words in a list, in no quotes": (
        """session.execute(text(f"SELECT id FROM books WHERE title IN ({','.join(str(w) for w in wanted)})")).all()""",
        "dynamic-sql",
    ),
    "words joined as they are": (
        """session.execute(text(f"SELECT id FROM books WHERE id IN ({','.join(wanted)})")).all()""",
        "dynamic-sql",
    ),
    "items that are calls": (
        """session.execute(text(f"SELECT id FROM books WHERE id IN ({','.join(str(w()) for w in wanted)})")).all()""",
        "dynamic-sql",
    ),
    "a condition of no known type": (
        'session.execute(text(f"SELECT id FROM books WHERE count = 1 AND {wanted}")).fetchall()',
        "dynamic-sql",
    ),
    "a number that an argument of a function may be": (
        'session.execute(text(f"SELECT id FROM books WHERE coalesce({wanted}, 1) = 1")).fetchall()',
        "dynamic-sql",
    ),
    "a list that may change before it runs": (
        """marks = ','.join(str(w) for w in wanted)
        wanted.pop()
        session.execute(text(f"SELECT id FROM books WHERE id IN ({marks})")).all()""",
        "parameters-unknown",
    ),
    "items that may change before they run": (
        """marks = ','.join(str(w.id) for w in wanted)
        given()
        session.execute(text(f"SELECT id FROM books WHERE id IN ({marks})")).all()""",
        "dynamic-sql",
    ),
    "parameters spread": (
        'session.execute(text("SELECT id FROM books WHERE id = :a"), {**given, "b": 1}).fetchall()',
        "parameters-unknown",
    ),
    "a call that is not asked for": (
        'session.execute(text("SELECT id FROM books WHERE id = :a"), {"a": 1, "b": wanted.pop()}).fetchall()',
        "parameters-unknown",
    ),
    "a name bound among the parameters": (
        'session.execute(text("SELECT id FROM books WHERE id = :a"), {"a": (n := len(wanted))}).fetchall()',
        "parameters-unknown",
    ),
    "a str for a list": (
        (
            'q = text("SELECT id FROM books WHERE title IN :a").bindparams(bindparam("a", expanding=True))\n'
            '        return session.execute(q, {"a": "zwei"}).fetchall()'
        ),
        "parameters-unknown",
    ),
    "the time twice": (
        'session.execute(text("SELECT id FROM authors WHERE joined = :a OR joined > :a"), {"a": datetime.now()}).all()',
        "parameters-unknown",
    ),
    "a call twice": (
        'session.execute(text("SELECT id FROM books WHERE id = :a OR count = :a"), {"a": wanted.pop()}).all()',
        "parameters-unknown",
    ),
    "columns of its own": (
        'session.execute(text("SELECT id FROM books").columns(bindparam("x"))).fetchall()',
        "text-options",
    ),
    "a typed parameter": (
        'session.execute(text("SELECT id FROM books WHERE id = :a").bindparams(bindparam("a", type_=int))).fetchall()',
        "text-options",
    ),
    "a row count of a SELECT": (
        'result = session.execute(text("SELECT id FROM books"))\n        return result.rowcount',
        "row-count",
    ),
    "bind arguments": (
        'session.execute(text("SELECT id FROM books"), bind_arguments={"bind": engine}).fetchall()',
        "execution-options",
    ),
    "two columns of a name": (
        (
            'rows = session.execute(text("SELECT a.id, b.id FROM authors a JOIN books b ON a.id = b.author_id"))\n'
            "        return [row.id for row in rows]"
        ),
        "row-use",
    ),
    "scalars that change their type": (
        'session.scalars(text("SELECT active FROM authors")).all()',
        "row-use",
    ),
    "a value bound before it changes": (
        (
            'n = 1\n        q = text("SELECT id FROM books WHERE id = :a").bindparams(a=n)\n        n = 2\n'
            "        return session.execute(q).fetchall(), n"
        ),
        "parameters-unknown",
    ),
    "one of two texts with parameters made later": (
        (
            'if wanted:\n            q = text("SELECT id FROM books WHERE id = :a")\n        else:\n'
            '            q = text("SELECT id FROM books WHERE count = :a")\n        a = len(given)\n        b = a + 1\n'
            '        return session.execute(q, {"a": b}).fetchall()'
        ),
        "parameters-unknown",
    ),
    "a text kept from an earlier round": (
        (
            "for n in (1, 2, 3):\n            if n == 1:\n"
            '                q = text("SELECT id FROM books WHERE id = :n")\n            elif n == 3:\n'
            '                q = text("SELECT id FROM books WHERE count = :n")\n'
            '            print(session.execute(q, {"n": n}).fetchall())'
        ),
        "text-options",
    ),
    "a value bound in an earlier round": (
        (
            "for n in (1, 2, 3):\n            if n == 1:\n"
            '                q = text("SELECT id FROM books WHERE id = :n").bindparams(n=n)\n'
            "            print(session.execute(q).fetchall())"
        ),
        "text-options",
    ),
    "inside an f-string": (
        "print(f\"{session.execute(text('SELECT title FROM books')).scalar()} of all\")",
        "unusual-layout",
    ),
    "select means something else": (
        'select = wanted\n        return session.execute(text("SELECT id FROM books")).fetchall(), select',
        "name-taken",
    ),
    "a name of two columns, of a row that next() gives": (
        'return next(session.execute(text("SELECT a.id, b.id FROM authors a JOIN books b ON a.id = b.author_id"))).id',
        "row-use",
    ),
    "a name above, and a parameter that is called behind another call": (
        (
            "return max(wanted(), session.execute(\n            "
            'text("WITH x AS (SELECT id FROM books WHERE id > :i) SELECT COUNT(*) FROM x"), {"i": wanted()}).scalar())'
        ),
        "sql-not-supported",
    ),
    "a name above, and a parameter that is bound in the statement": (
        (
            "return (wanted := 2) + session.execute(\n            "
            'text("WITH x AS (SELECT id FROM books WHERE id > :i) SELECT COUNT(*) FROM x"), {"i": wanted}).scalar()'
        ),
        "sql-not-supported",
    ),
    "a name above beside a text over several lines": (
        (
            'return """a\nb""" + str(\n'
            '            session.execute(text("WITH x AS (SELECT id FROM books) SELECT id FROM x")).all())'
        ),
        "sql-not-supported",
    ),
    "a comment inside": (
        'return len(session.execute(\n            text("SELECT id FROM books"),  # all\n        ).fetchall())',
        "unusual-layout",
    ),
}


@pytest.mark.parametrize("name", STAYS)
def test_it_stays(name: str) -> None:
    block, reason = STAYS[name]
    outcome = plan(f"{HEAD}        {block}\n")
    assert isinstance(outcome, Refused), outcome
    (site,) = outcome.sites
    assert site.reason is not None
    assert (site.status, site.reason.code) == (Status.REFUSED, reason), site.reason
    assert reason in CODEMOD.reasons


def test_a_text_that_two_executions_share_in_branches_stays() -> None:
    block = (
        'if wanted:\n            q = text("SELECT id FROM books")\n        else:\n'
        '            q = text("SELECT id FROM authors")\n'
        "        return session.execute(q).fetchall(), session.execute(q).fetchall()\n"
    )
    found = sites(plan(f"{HEAD}        {block}"))
    assert [s.reason.code for s in found if s.reason] == ["text-options", "text-options"]


UNKNOWN = """\
from sqlalchemy import text


class Runner:
    def execute(self, statement):
        return str(statement)


runner = Runner()


def go(thing):
    thing.execute(text("SELECT id FROM books"))
    return runner.execute(text("SELECT id FROM books"))
"""


def test_an_unknown_receiver_stays() -> None:
    found = sites(plan(UNKNOWN))
    assert [s.reason.code for s in found if s.reason] == ["receiver-unknown", "receiver-unknown"]


def test_a_migration_stays() -> None:
    text = (
        "from alembic import op\nfrom sqlalchemy import text\n\n\ndef upgrade():\n    conn = op.get_bind()\n"
        '    conn.execute(text("UPDATE books SET count = 0"))\n'
    )
    (site,) = sites(plan(text))
    assert site.reason is not None
    assert site.reason.code == "migration"


def test_a_file_that_alters_the_table_stays() -> None:
    text = (
        f'{HEAD}        session.execute(text("ALTER TABLE books ADD COLUMN count INTEGER"))\n'
        '        session.execute(text("UPDATE books SET count = 0 WHERE count IS NULL"))\n'
        '        session.execute(text("DELETE FROM authors WHERE id = 7"))\n'
    )
    found = sites(plan(text))
    assert [s.reason.code if s.reason else "" for s in found] == ["administrative", "migration", ""]


APART = """\
from sqlalchemy import text

from app.db import SessionLocal


def mend():
    with SessionLocal() as session:
        session.execute(text("ALTER TABLE books ADD COLUMN count INTEGER"))


def go():
    with SessionLocal() as session:
        session.execute(text("DELETE FROM books WHERE id = 7"))
        session.execute(text("UPDATE books SET title = 'x' WHERE id = 7"))
        session.execute(text("SELECT * FROM books")).all()
        return session.execute(text("SELECT title, COUNT(*) AS n FROM books GROUP BY title")).all()
"""


@pytest.mark.parametrize(
    ("text", "path", "left"),
    [
        (APART, PATH, ["administrative", "", "migration", "migration", ""]),
        (APART, "app/migrations/mend_books.py", ["administrative", *["migration"] * 4]),
        (f'{APART}\n\nif __name__ == "__main__":\n    go()\n', PATH, ["administrative", *["migration"] * 4]),
    ],
)
def test_another_function_alters_the_table(text: str, path: str, left: list[str]) -> None:
    """What names its columns needs no others; a script may run when the models have changed."""
    found = sites(plan(text, path=path))
    assert [s.reason.code if s.reason else "" for s in found] == left


def test_a_script_by_itself_is_told_of_the_import() -> None:
    text = (
        "from sqlalchemy import create_engine, text\n\nengine = create_engine('sqlite:///x.db')\n\n\ndef go():\n"
        "    with engine.connect() as conn:\n        conn.execute(text('DELETE FROM books'))\n"
    )
    (site,) = sites(plan(text, path="scripts/clean.py"))
    assert [e.code for e in site.effects] == ["model-import"]


NONE_OF_OURS = {
    "a cursor": (
        "import sqlite3\n\n\ndef go():\n    conn = sqlite3.connect('x')\n    conn.execute('SELECT id FROM books')\n"
    ),
    "a statement on models": (
        "from sqlalchemy import select\nfrom app.db import SessionLocal\nfrom app.models import Book\n\n\ndef go():\n"
        "    with SessionLocal() as session:\n        return session.execute(select(Book.id)).all()\n"
    ),
    "a text of something else": (
        'from app.ui import text\n\n\ndef go(screen):\n    screen.execute(text("SELECT id FROM books"))\n'
    ),
    "text is a parameter": (
        "from sqlalchemy import text\nfrom app.db import SessionLocal\n\n\ndef go(text):\n"
        "    with SessionLocal() as session:\n        return session.execute(text('SELECT id FROM books')).all()\n"
    ),
    "a pool of workers": 'def go(pool):\n    pool.execute("SELECT id FROM books")\n',
    "a text in a filter": (
        "from sqlalchemy import text\nfrom app.db import SessionLocal\nfrom app.models import Book\n\n\ndef go():\n"
        '    with SessionLocal() as session:\n        return session.query(Book).filter(text("id > 1")).all()\n'
    ),
}


@pytest.mark.parametrize("name", NONE_OF_OURS)
def test_no_site(name: str) -> None:
    assert isinstance(plan(NONE_OF_OURS[name]), Unchanged)


def test_an_ignored_site_is_suppressed() -> None:
    text = f'{HEAD}        session.execute(text("SELECT id FROM books"))  # ormlift: ignore[text-to-orm] slow\n'
    (site,) = sites(plan(text))
    assert site.status is Status.SUPPRESSED


def test_effects_need_unsafe() -> None:
    text = f'{HEAD}        return session.execute(text("SELECT active FROM authors")).fetchall()\n'
    (site,) = sites(plan(text, Settings(codemods=(CODEMOD.id,))))
    assert site.reason is not None
    assert site.reason.code == "needs-unsafe"


TWO = """\
from sqlalchemy import create_engine, text
from sqlalchemy.orm import sessionmaker

main = create_engine("postgresql://localhost/x")
local = create_engine("sqlite:///x.db")
SessionLocal = sessionmaker(bind=main)


def go(name: str):
    with SessionLocal() as session:
        session.execute(text("{sql}"), {{"j": name.strip(), "n": name}})
"""


@pytest.mark.parametrize(
    ("sql", "holds", "told"),
    [
        ("INSERT OR IGNORE INTO authors (active, joined, name) VALUES (0, :j, :n)", "joined=literal(", set()),
        ("INSERT INTO authors (active, joined, name) VALUES (FALSE, :j, :n)", "joined=name.strip()", {"bind-type"}),
        ("INSERT INTO authors (active, name, touched) VALUES (FALSE, :n, length(:j))", "name=name", set()),
    ],
)
def test_a_statement_in_the_words_of_one_of_two_dialects(sql: str, holds: str, told: set[str]) -> None:
    outcome = plan(TWO.format(sql=sql), Settings(codemods=(CODEMOD.id,), unsafe=True, dialect="postgresql"))
    assert isinstance(outcome, Planned), outcome
    assert holds in outcome.after.text
    assert effects(outcome.sites) - {"python-default"} == told


BARE = """\
from app.db import engine
from app.models import Author


def go(number: int, name, title: str):
    {body}
"""


@pytest.mark.parametrize(
    ("body", "after"),
    [
        (
            "engine.execute('delete from books where id = %s' % number)",
            "engine.execute(delete(Book).where(Book.id == number))",
        ),
        (
            "sql = \"UPDATE books SET title = '{}' WHERE id = {}\".format(title, number)\n    engine.execute(sql)",
            "engine.execute(update(Book).where(Book.id == number).values(title=title))",
        ),
        (
            'engine.execution_options(stream_results=True).execute("SELECT id FROM books WHERE count > 3").fetchall()',
            "engine.execution_options(stream_results=True).execute(select(Book.id).where(Book.count > 3))",
        ),
        ("engine.execute(f\"DELETE FROM books WHERE title = 'a%' AND id = {number}\")", ""),
        ("engine.execute(f'DELETE FROM books WHERE count = ? AND id = {number}', (1,))", ""),
        ("engine.execute('DELETE FROM books WHERE title = %s' % name)", ""),
    ],
)
def test_bare_strings_for_a_driver_of_1_4(body: str, after: str) -> None:
    settings = Settings(codemods=(CODEMOD.id,), unsafe=True, sqlalchemy="1.4", dialect="postgresql")
    outcome = plan(BARE.format(body=body), settings)
    assert "text-missing" not in effects(outcome.sites if isinstance(outcome, Planned) else ())
    if not after:
        assert [s.reason.code for s in sites(outcome) if s.reason] == ["dynamic-sql"]
        return
    assert isinstance(outcome, Planned), outcome
    assert after in " ".join(outcome.after.text.split()).replace("( ", "(").replace(" )", ")")
    assert "sql =" not in outcome.after.text


def test_query_of_1_4_adds_what_distinct_is_ordered_by() -> None:
    text = (
        "from sqlalchemy import text\n\nfrom app.db import SessionLocal\nfrom app.models import Book\n\n\ndef go():\n"
        "    with SessionLocal() as session:\n        session.query(Book.id).all()\n"
        '        return session.execute(text("SELECT DISTINCT title FROM books ORDER BY {by} DESC")).all()\n'
    )
    for version, by, query in (("1.4", "id", False), ("1.4", "title", True), ("2.0", "id", True)):
        settings = Settings(codemods=(CODEMOD.id,), unsafe=True, style="query", sqlalchemy=version)
        outcome = plan(text.format(by=by), settings)
        assert isinstance(outcome, Planned), outcome
        assert ("session.query(Book.title)" in outcome.after.text) is query
    outcome = plan(text.format(by="id"), Settings(codemods=(CODEMOD.id,), unsafe=True, style="query", sqlalchemy="1.3"))
    assert [s.reason.code for s in sites(outcome) if s.reason] == ["sqlalchemy-version"]
