import sqlite3
from contextlib import closing

import pytest

from toolshed import db


@pytest.fixture(autouse=True)
def database(tmp_path, monkeypatch):
    """A database of its own for each test, in a file."""
    monkeypatch.setattr(db, 'DB_PATH', str(tmp_path / 'toolshed.db'))
    db.create_tables()
    return tmp_path / 'toolshed.db'


@pytest.fixture
def rows(database):
    """Look into the database without the app."""

    def ask(sql, *parameters):
        with closing(sqlite3.connect(database)) as conn:
            return conn.execute(sql, parameters).fetchall()

    return ask


@pytest.fixture
def shed():
    """Three members and five tools."""
    from toolshed import members, tools

    people = {
        'ann': members.join('Ann', 'Ann@example.org', 'Elm Street 1', '2023-02-03'),
        'bob': members.join('Bob', 'bob@example.org', None, '2023-12-31'),
        'eve': members.join('Ève 100%', 'eve@example.org', 'Oak Lane 7', '2024-01-01'),
    }
    tools.add('drill-1', 'drill', '2020-05-05', 89.9)
    tools.add('drill-2', 'drill', price=120)
    tools.add_many([('saw-1', 'saw'), ('saw-2', 'saw'), ('ladder', 'ladder')])
    return people
