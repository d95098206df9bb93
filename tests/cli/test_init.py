"""`ormlift init` and `ormlift models` on real repositories: what they write, where, and the way back."""

import os
import pty
import sqlite3
import subprocess
import sys
import tomllib

import pytest

from tests.cli.world import World, environment

PYPROJECT = '[project]\nname = "shop"  # ours\n\n[tool.black]\nline-length = 88'
DB = '''"""The database."""
import os
import sqlite3

DB_PATH = os.environ.get("SHOP_DB", "shop.db")

SCHEMA = """
CREATE TABLE IF NOT EXISTS items (id INTEGER PRIMARY KEY, name TEXT NOT NULL, price DECIMAL(8, 2));
"""


def connect():
    conn = sqlite3.connect(DB_PATH)
    conn.row_factory = sqlite3.Row
    conn.execute("PRAGMA foreign_keys = ON")
    return conn


def create():
    conn = connect()
    conn.executescript(SCHEMA)
    conn.close()
'''
SHOP = """from db import connect


def price_of(name):
    conn = connect()
    try:
        row = conn.execute("SELECT price FROM items WHERE name = ?", (name,)).fetchone()
        return row["price"] if row else None
    finally:
        conn.close()


def add(name, price):
    conn = connect()
    conn.execute("INSERT INTO items (name, price) VALUES (?, ?)", (name, price))
    conn.commit()
    conn.close()
"""
USE = "import db, shop; db.create(); shop.add('a', 3); shop.add('b', 2.5); print([shop.price_of(n) for n in 'abc'])"
ALCHEMY = '''"""The database."""
from sqlalchemy import create_engine, Column, Integer
from sqlalchemy.orm import declarative_base, sessionmaker

engine = create_engine("postgresql://localhost/shop")
SessionLocal = sessionmaker(bind=engine)  # for all
Base = declarative_base()


class Item(Base):
    __tablename__ = "items"

    id = Column(Integer, primary_key=True)
'''


class Shop(World):
    def command(self, *arguments):
        return [sys.executable, "-m", "ormlift_cli", *map(str, arguments)]

    def told(self):
        return tomllib.loads(self.read("pyproject.toml").decode())["tool"]["ormlift"]

    def use(self):
        done = subprocess.run(
            [sys.executable, "-c", USE],
            cwd=self.root,
            env=environment(PYTHONWARNINGS=""),
            capture_output=True,
            text=True,
        )
        (self.root / "shop.db").unlink()
        return done.stdout or done.stderr


@pytest.fixture
def shop(tmp_path):
    shop = Shop(tmp_path / "shop")
    shop.put("pyproject.toml", PYPROJECT)
    shop.put("db.py", DB)
    shop.put("shop.py", SHOP)
    shop.put(".gitignore", "shop.db\n__pycache__\n")
    shop.commit("as it was")
    return shop


@pytest.fixture
def alchemy(tmp_path):
    shop = Shop(tmp_path / "alchemy")
    shop.put("store/__init__.py", "")
    shop.put("store/db.py", ALCHEMY)
    shop.commit()
    return shop


def test_the_table_is_added_and_the_rest_stays_byte_for_byte(shop):
    done = shop.run("init")
    assert done.returncode == 0, done.stderr
    assert shop.read("pyproject.toml").decode().startswith(PYPROJECT + "\n\n[tool.ormlift]\n")
    assert shop.told()["dialect"] == "sqlite"
    assert "session-scope" not in shop.told()
    assert "no scope: `ormlift init --write-scope` writes one into db.py" in done.stderr
    assert shop.subjects() == ["as it was"]
    assert shop.run("diff").returncode == 0, "the configuration is one that is read"


def test_a_table_that_is_there_is_never_overwritten(shop):
    mine = PYPROJECT + "\n\n[tool.ormlift]\nstyle = 'query'  # mine\n"
    shop.put("pyproject.toml", mine)
    done = shop.run("init")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "there is a [tool.ormlift] in it already; edit it, or write it anew with --force" in done.stderr
    assert shop.read("pyproject.toml").decode() == mine
    assert shop.run("init", "--force").returncode == 0
    assert shop.told()["style"] == "auto"
    assert shop.read("pyproject.toml").decode().startswith(PYPROJECT)


def test_no_pyproject_means_a_file_of_its_own(alchemy):
    done = alchemy.run("init")
    assert done.returncode == 0, done.stderr
    told = tomllib.loads(alchemy.read("ormlift.toml").decode())
    assert told["dialect"] == "postgresql"
    assert told["models"] == ["store/db.py"]
    assert alchemy.run("init").returncode == 2


@pytest.mark.parametrize("before", ["tool = {black = {x = 1}}\n", "[tool]\nx = 1\n[tool\n", b"\xff\xfe"])
def test_a_pyproject_that_can_not_be_written_is_told_before_anything_is_done(shop, before):
    shop.put("pyproject.toml", before)
    shop.commit()
    state = shop.snapshot()
    done = shop.run("init", "--write-scope")
    assert done.returncode == 2
    assert "pyproject.toml" in done.stderr.splitlines()[-1]
    assert shop.snapshot() == state


def test_a_scope_is_written_beside_the_factory_in_a_commit_of_its_own(alchemy):
    alchemy.put("staged.py", "x = 1\n")
    alchemy.git("add", "staged.py")
    before = alchemy.read("store/db.py").decode()
    done = alchemy.run("init", "--write-scope")
    assert done.returncode == 0, done.stderr
    assert alchemy.subjects()[0] == "Add session_scope to store/db.py"
    assert alchemy.git("show", "--name-only", "--format=", "HEAD").split() == ["store/db.py"]
    assert alchemy.git("diff", "--cached", "--name-only").split() == ["staged.py"], "the user's index is as it was"
    after = alchemy.read("store/db.py").decode()
    assert "SessionLocal = sessionmaker(bind=engine)  # for all\n\n\n@contextmanager\ndef session_scope():\n" in after
    assert after.endswith(before.partition("# for all\n")[2])
    assert tomllib.loads(alchemy.read("ormlift.toml").decode())["session-scope"] == "store.db:session_scope"
    assert alchemy.run("rollback").returncode == 0
    assert alchemy.read("store/db.py").decode() == before


def test_a_file_with_changes_of_the_users_own_gets_no_scope(alchemy):
    mine = ALCHEMY + "# mine\n"
    alchemy.put("store/db.py", mine)
    done = alchemy.run("init", "--write-scope")
    assert done.returncode == 2
    assert "store/db.py: has uncommitted changes" in done.stderr
    assert alchemy.read("store/db.py").decode() == mine


def test_a_project_that_has_a_scope_gets_no_second(alchemy):
    alchemy.run("init", "--write-scope")
    (alchemy.root / "ormlift.toml").unlink()
    commits = alchemy.subjects()
    assert alchemy.run("init", "--write-scope").returncode == 0
    assert alchemy.subjects() == commits


def test_nothing_but_sqlite3_is_migrated_whole_and_taken_back(shop):
    before, behaved = shop.snapshot(), shop.use()
    assert behaved == "[3, 2.5, None]\n"
    for command in (
        ["init", "--write-scope"],
        ["models", "--output", "models.py"],
        ["apply"],
    ):
        done = shop.run(*command)
        assert done.returncode == 0, done.stderr
    assert shop.subjects() == [
        "Migrate shop.py (cursor-to-orm)",
        "Add models of 1 table to models.py",
        "Add session_scope to db.py",
        "as it was",
    ]
    assert "select(Item.price)" in shop.read("shop.py").decode()
    assert "connect" not in shop.read("shop.py").decode()
    assert shop.told()["connections"] == ["db:connect"]
    assert shop.use() == behaved
    for run in [line.split()[-1] for line in shop.git("log", "--format=%B").splitlines() if "Ormlift-Run" in line]:
        done = shop.run("rollback", "--run", run)
        assert done.returncode == 0, done.stderr
    shop.put("pyproject.toml", PYPROJECT)
    assert shop.snapshot() == before


DIRECT = SHOP.replace("from db import connect", "import sqlite3\n\nimport db\nfrom db import DB_PATH")
DIRECT = DIRECT.replace("connect()", "sqlite3.connect(DB_PATH)").replace('row["price"]', "row[0]")
MANAGED = """import sqlite3
from contextlib import contextmanager

import db
from db import DB_PATH


@contextmanager
def opened():
    conn = sqlite3.connect(DB_PATH)
    conn.row_factory = sqlite3.Row
    conn.execute("PRAGMA foreign_keys = ON")
    try:
        yield conn
        conn.commit()
    finally:
        conn.close()


def price_of(name):
    with opened() as conn:
        row = conn.execute("SELECT price FROM items WHERE name = ?", (name,)).fetchone()
    return row["price"] if row else None


def add(name, price):
    with opened() as conn:
        conn.execute("INSERT INTO items (name, price) VALUES (?, ?)", (name, price))
"""


@pytest.mark.parametrize("code", [DIRECT, MANAGED], ids=["in each function", "by a context manager"])
def test_a_database_that_is_opened_without_a_function_for_it(shop, code):
    shop.put("shop.py", code)
    shop.put(
        "db.py",
        DB.replace("def connect():", "def create():\n    conn = sqlite3.connect(DB_PATH)\n").partition("    conn = sq")[
            0
        ]
        + "    conn = sqlite3.connect(DB_PATH)\n    conn.executescript(SCHEMA)\n    conn.close()\n",
    )
    shop.commit()
    behaved = shop.use()
    assert behaved == "[3, 2.5, None]\n"
    for command in (["init", "--write-scope"], ["models", "--output", "models.py"], ["apply"]):
        done = shop.run(*command)
        assert done.returncode == 0, done.stderr
    text = shop.read("shop.py").decode()
    assert text.count("with session_scope() as session:") == 2
    assert shop.use() == behaved


def test_models_are_printed_where_no_file_is_named(shop):
    done = shop.run("models")
    assert done.returncode == 0, done.stderr
    assert "class Item(Base):" in done.stdout
    compile(done.stdout, "models.py", "exec")
    assert shop.git("status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("target", "says"),
    [("shop.py", "is there already"), ("../models.py", "outside of the root"), ("models.txt", "must be a Python file")],
)
def test_where_models_can_not_go(shop, target, says):
    state = shop.snapshot()
    done = shop.run("models", "--output", target)
    assert (done.returncode, says in done.stderr) == (2, True)
    assert shop.snapshot() == state


def test_a_hook_that_says_no_leaves_no_file(shop):
    shop.hook("pre-commit", "echo not today; exit 1")
    state = shop.snapshot()
    done = shop.run("models", "--output", "store/models.py")
    assert done.returncode == 2
    assert "not today" in done.stderr
    assert shop.snapshot() == state


def test_a_file_that_git_ignores_is_told(shop):
    done = shop.run("models", "--output", "__pycache__/models.py")
    assert done.returncode == 2
    assert "ignored" in done.stderr
    assert not (shop.root / "__pycache__/models.py").exists()


def test_a_models_file_that_was_changed_is_not_rolled_back(shop):
    shop.run("models", "--output", "models.py")
    shop.put("models.py", shop.read("models.py") + b"# mine\n")
    shop.commit()
    done = shop.run("rollback")
    assert done.returncode == 3
    assert "was changed since" in done.stderr
    assert shop.read("models.py").endswith(b"# mine\n")


def test_a_database_is_read_instead(shop):
    with sqlite3.connect(shop.root / "other.db") as connection:
        connection.execute("CREATE TABLE parts (id INTEGER PRIMARY KEY)")
    connection.close()
    done = shop.run("models", "--database-url", f"sqlite:///{shop.root / 'other.db'}")
    assert "class Part(Base):" in done.stdout
    assert "Item" not in done.stdout
    done = shop.run("models", "--database-url", "nonsense")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)


def test_missing_columns_are_listed_and_added_where_it_is_asked_for(alchemy):
    alchemy.put("work.py", "run('SELECT colour FROM items')\n")
    alchemy.commit()
    state = alchemy.snapshot()
    done = alchemy.run("models", "--missing-columns")
    assert done.returncode == 0, done.stderr
    assert "items.colour: missing in Item of store/db.py:10; Text" in done.stdout
    assert "named in work.py:1" in done.stdout
    assert alchemy.snapshot() == state
    done = alchemy.run("models", "--missing-columns", "--add")
    assert "make sure that the database has them" in done.stderr
    assert "    colour = Column(Text)\n" in alchemy.read("store/db.py").decode()
    assert alchemy.subjects()[0] == "Add colour to the models of store/db.py"
    assert "no column is missing" in alchemy.run("models", "--missing-columns").stderr
    assert alchemy.run("rollback").returncode == 0
    assert alchemy.snapshot() == state


TWO = (
    ALCHEMY
    + """

other = create_engine("sqlite:///other.db")
OtherSession = sessionmaker(bind=other)
"""
)


def test_of_several_databases_the_user_says_which(alchemy):
    alchemy.put("store/db.py", TWO)
    alchemy.commit()
    state = alchemy.snapshot()
    done = alchemy.run("init", "--write-scope")
    assert "several session factories (store.db:SessionLocal, store.db:OtherSession)" in done.stderr
    (alchemy.root / "ormlift.toml").unlink()
    assert alchemy.snapshot() == state
    done = alchemy.run("init", "--beside", "store.db:OtherSesion")
    assert (done.returncode, "did you mean 'store.db:OtherSession'?" in done.stderr) == (2, True)
    assert alchemy.run("init", "--beside", "store.db:OtherSession").returncode == 0
    assert "    session = OtherSession()\n" in alchemy.read("store/db.py").decode()


def test_factories_of_scripts_are_no_choice(alchemy):
    alchemy.put("scripts/seed.py", ALCHEMY.replace("SessionLocal", "Seeds").partition("Base =")[0])
    alchemy.commit()
    assert alchemy.run("init", "--write-scope").returncode == 0
    assert alchemy.subjects()[0] == "Add session_scope to store/db.py"


@pytest.mark.parametrize(
    ("line", "dialect"),
    [
        ("from sqlalchemy.dialects.postgresql import JSONB", "postgresql"),
        ("import pymysql", "mysql"),
        ("from sqlalchemy.dialects import registry", "sqlite"),
    ],
)
def test_the_dialect_is_told_by_what_is_imported_where_no_url_tells_it(alchemy, line, dialect):
    alchemy.put("store/db.py", f"{line}\n" + ALCHEMY.replace('"postgresql://localhost/shop"', "os.environ['URL']"))
    alchemy.run("init")
    assert tomllib.loads(alchemy.read("ormlift.toml").decode())["dialect"] == dialect


@pytest.mark.parametrize(
    ("answers", "scope", "config"), [("yy", True, True), ("ny", False, True), ("nn", False, False)]
)
def test_on_a_terminal_it_asks(alchemy, answers, scope, config):
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        alchemy.command("init"), cwd=alchemy.root, env=environment(), stdin=follower, stdout=follower, stderr=follower
    )
    os.close(follower)
    os.write(leader, "".join(f"{answer}\n" for answer in answers).encode())
    told = b""
    try:
        while piece := os.read(leader, 4096):
            told += piece
    except OSError:
        pass  # the end of a terminal
    os.close(leader)
    assert process.wait() == 0, told
    assert b"Write a session_scope into store/db.py?" in told
    assert (alchemy.subjects()[0] == "Add session_scope to store/db.py") is scope
    assert (alchemy.root / "ormlift.toml").exists() is config


def test_what_a_killed_run_had_made_is_cleared_up_by_the_next(shop):
    """The state that a kill leaves between the file's making and its commit."""
    from ormlift_cli.git import open_repository
    from ormlift_cli.journal import Journal, Mark, digest

    state = shop.snapshot()
    repository = open_repository(shop.root)
    (repository.git_dir / "ormlift").mkdir()
    Journal(repository).begin(repository.head(), [Mark("models.py", digest(b"x = 1\n"), created=True)], [None])
    shop.put("models.py", "x = 1\n")
    repository.intend("models.py")
    done = shop.run("models", "--output", "other.py")
    assert "models.py: an interrupted run had made it without a commit; removed" in done.stderr
    assert not (shop.root / "models.py").exists()
    assert shop.run("rollback").returncode == 0
    assert shop.snapshot() == state


def test_what_a_killed_rollback_had_removed_is_put_back(shop):
    from ormlift_cli.git import open_repository
    from ormlift_cli.journal import Journal, Mark

    repository = open_repository(shop.root)
    (repository.git_dir / "ormlift").mkdir()
    before = shop.read("shop.py")
    Journal(repository).begin(repository.head(), [Mark("shop.py", "")], [before])
    (shop.root / "shop.py").unlink()
    assert shop.run("models", "--output", "models.py").returncode == 0
    assert shop.read("shop.py") == before
    assert shop.git("status", "--porcelain") == ""
