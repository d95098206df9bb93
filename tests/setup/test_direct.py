"""Databases that are opened by the driver itself: which one the application means, and when nobody can say."""

import pytest
from ormlift.model import Source
from ormlift.project.facts import read_facts
from ormlift.project.index import link
from ormlift.setup.direct import find_database
from ormlift.setup.session import write_engine

CONFIG = 'PATH = "a.db"\n'
USE = """\
import sqlite3
from config import PATH


def use():
    return sqlite3.connect(PATH).execute("SELECT 1").fetchall()
"""
MANAGER = """\
import sqlite3
from contextlib import contextmanager

PATH = "a.db"


@contextmanager
def db():
    connection = sqlite3.connect(PATH)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA foreign_keys = ON")
    try:
        yield connection
        connection.commit()
    finally:
        connection.close()
"""


def found(**files):
    return find_database([Source(f"{name}.py", text) for name, text in files.items()])


@pytest.mark.parametrize(
    ("files", "path", "text", "calls"),
    [
        ({"config": CONFIG, "use": USE}, "use.py", "PATH", 1),
        ({"use": USE.replace("from config import PATH", CONFIG)}, "use.py", "PATH", 1),
        ({"one": USE, "two": USE.replace("from config import PATH", CONFIG)}, "two.py", "PATH", 2),
        ({"use": USE.replace("PATH)", "'a.db')")}, "use.py", '"a.db"', 1),
        (
            {"use": USE.replace("import sqlite3", "import sqlite3 as s").replace("sqlite3.c", "s.c")},
            "use.py",
            "PATH",
            1,
        ),
    ],
)
def test_one_database(files, path, text, calls):
    database, others = found(**files)
    assert (database.path, database.text, database.calls, others) == (path, text, calls, [])


def test_a_stray_one_is_told_and_left_aside():
    database, others = found(use=USE, more=USE + USE.partition("\n\n\n")[2].replace("PATH", "other"))
    assert (database.text, others) == ("PATH", ["sqlite3.connect(other)"])


@pytest.mark.parametrize(
    "files",
    [
        {"use": USE.replace("PATH)", "PATH + '.db')")},
        {"use": USE.replace("PATH)", "':memory:')")},
        {"use": USE.replace("PATH)", "'file:a.db?mode=ro', uri=True)")},
        {"use": USE.replace("def use():", "def use(PATH):")},
        {"use": USE.replace("\n\n\ndef", "\nPATH = PATH + '.db'\n\n\ndef")},
        {"use": USE, "other": USE.replace("PATH)", "'b.db')")},
        {"test_use": USE},
        {"use": USE.replace("PATH)", "PATH, 30)")},
        {"use": USE.replace("PATH)", "PATH, isolation_level=None)")},
        {"use": USE.replace("import sqlite3", "from elsewhere import sqlite3")},
        {"use": "def broken(:\n    sqlite3.connect(PATH)\n"},
    ],
)
def test_no_one_database(files):
    assert found(**files)[0] is None


def test_what_changes_no_answer_is_kept():
    database, _ = found(shop=MANAGER.replace("(PATH)", "(PATH, timeout=30)"))
    assert (
        "conn = sqlite3.connect(PATH, timeout=30)\n" in write_engine(Source("shop.py", MANAGER), database).source.text
    )
    database, _ = found(use=USE.replace("(PATH)", "(PATH, timeout=30)"))
    written = write_engine(Source("use.py", USE), database).source
    assert "creator=lambda: sqlite3.connect(PATH, timeout=30)" in written.text
    assert link([read_facts(written)]).engines[0].opens == "PATH"


def test_what_a_context_manager_sets_is_set_by_the_engine_too():
    database, _ = found(shop=MANAGER)
    assert (database.manager, len(database.setup)) == ("db", 2)
    text = write_engine(Source("shop.py", MANAGER), database).source.text
    assert "def open_connection():\n" in text
    (engine,) = link([read_facts(Source("shop.py", text))]).engines
    assert (engine.creator, engine.opens) == ("shop.py:open_connection", "")


@pytest.mark.parametrize(
    "text",
    [
        MANAGER.replace("    try:", "    log.info('open')\n    try:"),
        MANAGER.replace("    connection.execute(", "    if strict:\n        connection.execute("),
        MANAGER.replace("yield connection", "yield connection.cursor()"),
        MANAGER + MANAGER.partition("\n\n\n")[2].replace("def db", "def other"),
    ],
)
def test_what_is_more_than_settings_is_not_copied(text):
    database, _ = found(shop=text)
    assert database.setup == ()
    written = write_engine(Source("shop.py", text), database).source
    (engine,) = link([read_facts(written)]).engines
    assert (engine.creator, engine.opens) == ("", "PATH")
