"""Columns that SQL names and models lack: which are found, which are not, and how they are added."""

import ast

import pytest
from ormlift.ddl.columns import add_columns
from ormlift.ddl.missing import find_missing
from ormlift.model import Source, UserError
from ormlift.project.facts import read_facts
from ormlift.project.index import link

CLASSIC = """\
from sqlalchemy import Column, Integer, String
from sqlalchemy.orm import declarative_base

Base = declarative_base()


class Job(Base):
    __tablename__ = "jobs"

    id = Column(Integer, primary_key=True)
    title = Column(String(80))  # what it is called

    def shout(self):
        return self.title.upper()


class Tag(Base):
    __tablename__ = "tags"
    id = Column(Integer, primary_key=True)
    name = Column(String(20))
"""
MAPPED = """\
from sqlalchemy import String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Job(Base):
    __tablename__ = "jobs"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str | None] = mapped_column(String(80))
"""
FLASK = """\
from flask_sqlalchemy import SQLAlchemy

db = SQLAlchemy()


class Job(db.Model):
    __tablename__ = "jobs"
    id = db.Column(db.Integer, primary_key=True)
    title = db.Column(
        db.String(80),
    )"""


def missing(*statements, models=CLASSIC, dialect="sqlite", schema=""):
    code = "".join(f"run({statement!r})\n" for statement in statements)
    sources = [Source("models.py", models), Source("work.py", code), Source("schema.sql", schema)]
    return find_missing(sources, link([read_facts(s) for s in sources[:2]]), dialect)


FOUND = {
    "selected": "SELECT id, colour FROM jobs WHERE title = ?",
    "in a condition": "SELECT id FROM jobs WHERE colour = ?",
    "qualified": "SELECT j.id, j.colour FROM jobs j JOIN tags t ON t.id = j.id",
    "inserted": "INSERT INTO jobs (title, colour) VALUES (?, ?)",
    "updated": "UPDATE jobs SET colour = %s WHERE id = %(id)s",
    "in the condition of an update": "UPDATE jobs SET title = 'x' WHERE colour = 1",
    "in the condition of a delete": "DELETE FROM jobs WHERE colour IS NULL",
    "in a subquery of its own": "SELECT name FROM tags WHERE id IN (SELECT jobs.colour FROM jobs)",
    "ordered by": "SELECT id FROM jobs ORDER BY colour",
}
NOT_FOUND = {
    "mapped": "SELECT id, TITLE FROM jobs",
    "of one of two tables": "SELECT colour FROM jobs JOIN tags ON tags.id = jobs.id",
    "an alias": "SELECT title AS colour FROM jobs ORDER BY colour",
    "another table's": "SELECT colour FROM stages",
    "of a query": "SELECT colour FROM (SELECT 1 AS colour)",
    "of a common table": "WITH colours AS (SELECT 1 AS colour) SELECT colour FROM colours",
    "the row's own number": "SELECT rowid FROM jobs",
    "a text in double quotes": 'SELECT id FROM jobs WHERE title = "colour"',
    "what was to be inserted": "INSERT INTO jobs (id, title) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE "
    "SET title = excluded.title",
    "no SQL": "SELECT the colour of your job",
    "no SQL either": "Replace jobs that (if they exist) have a colour",
    "an update of words": "update jobs, colour included",
    "perhaps the outer query's": "SELECT name FROM tags WHERE EXISTS (SELECT 1 FROM jobs WHERE colour = 1)",
}


@pytest.mark.parametrize("statement", FOUND.values(), ids=FOUND.keys())
def test_found(statement):
    (one,) = missing(statement)
    assert (one.model.name, one.column, one.type, one.sites) == ("Job", "colour", "Text", (("work.py", 1),))


@pytest.mark.parametrize("statement", NOT_FOUND.values(), ids=NOT_FOUND.keys())
def test_not_found(statement):
    assert missing(statement) == []


@pytest.mark.parametrize("path", ["alembic/versions/1_add.py", "app/migrations/old.py", "tests/work.py"])
def test_migrations_and_tests_speak_of_other_tables(path):
    sources = [Source("models.py", CLASSIC), Source(path, "run('SELECT colour FROM jobs')\n")]
    assert find_missing(sources, link([read_facts(source) for source in sources]), "sqlite") == []


def test_every_site_is_told_once_and_the_type_is_that_of_the_ddl():
    schema = "CREATE TABLE jobs (id INTEGER PRIMARY KEY); ALTER TABLE jobs ADD COLUMN colour VARCHAR(9);"
    (one,) = missing("SELECT colour FROM jobs", "SELECT colour, id FROM jobs", schema=schema)
    assert [line for _, line in one.sites] == [1, 2]
    assert (one.type, one.declared) == ("String(9)", True)


def test_a_model_that_is_not_read_in_full_lacks_nothing():
    assert missing("SELECT colour FROM jobs", models=CLASSIC.replace("Job(Base)", "Job(Base, unknown.Mixin)")) == []


ADDED = {
    "classic": (
        CLASSIC,
        "    title = Column(String(80))  # what it is called\n    colour = Column(Text)\n\n    def shout",
    ),
    "mapped": (MAPPED, "    colour: Mapped[str | None] = mapped_column(Text)\n"),
    "flask": (FLASK, "        db.String(80),\n    )\n    colour = db.Column(db.Text)\n"),
    "other newlines": (CLASSIC.replace("\n", "\r\n"), "\r\n    colour = Column(Text)\r\n"),
}


@pytest.mark.parametrize(("models", "expected"), ADDED.values(), ids=ADDED.keys())
def test_a_column_is_added_as_its_neighbours_are_written(models, expected):
    found = missing("SELECT colour FROM jobs", models=models)
    new = add_columns(Source("models.py", models), found).text
    assert expected in new
    ast.parse(new)
    assert missing("SELECT colour FROM jobs", models=new) == []
    assert "Text" in new.partition("class")[0] or "db.Text" in new


def test_names_that_python_does_not_take():
    found = missing('INSERT INTO jobs (class, metadata, shout, "odd name", id) VALUES (1, 2, 3, 4, 5)')
    new = add_columns(Source("models.py", CLASSIC), found).text
    for line in (
        'class_ = Column("class", Text)',
        'metadata_ = Column("metadata", Text)',
        'shout_ = Column("shout", Text)',
    ):
        assert f"    {line}\n" in new
    assert '    odd_name_ = Column("odd name", Text)\n' in new
    namespace = {}
    exec(new, namespace)
    names = [column.name for column in namespace["Job"].__table__.columns]
    assert sorted(names) == ["class", "id", "metadata", "odd name", "shout", "title"]
    assert all(column.nullable for column in namespace["Job"].__table__.columns if column.name != "id")


def test_a_table_is_changed_by_hand():
    models = (
        "from sqlalchemy import Column, Integer, MetaData, Table\n"
        "jobs = Table('jobs', MetaData(), Column('id', Integer, primary_key=True))\n"
    )
    found = missing("SELECT colour FROM jobs", models=models)
    with pytest.raises(UserError, match="by hand"):
        add_columns(Source("models.py", models), found)
