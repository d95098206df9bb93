"""Models that are written from DDL: values come back as the driver gave them, and the schema means the same."""

import os
import sqlite3
import subprocess
import sys
import types
from contextlib import closing

import pytest
from ormlift.ddl.find import find_ddl
from ormlift.ddl.tables import reflected, tables_of
from ormlift.ddl.write import Base, write_models
from ormlift.model import Source
from ormlift.project.facts import read_facts
from ormlift.project.index import link

LIBRARY = """\
CREATE TABLE IF NOT EXISTS members (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    email VARCHAR(80) UNIQUE,
    joined TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    born DATE,
    active BOOLEAN NOT NULL DEFAULT 1,
    owed DECIMAL(10, 2) DEFAULT 0,
    weight REAL,
    extra JSON,
    photo BLOB,
    anything
);
-- a comment; with a semicolon
CREATE TABLE books (
    id INTEGER PRIMARY KEY,
    isbn TEXT,
    state TEXT CHECK (state IN ('in', 'out')),
    flag INTEGER CHECK (flag IN (0, 1)),
    UNIQUE (isbn, state)
);
CREATE TABLE loans (
    book INTEGER NOT NULL REFERENCES books(id),
    member INTEGER NOT NULL REFERENCES members(id) ON DELETE CASCADE,
    "class" TEXT,
    metadata TEXT,
    "odd name" TEXT DEFAULT 'a''b; c',
    PRIMARY KEY (book, member)
) WITHOUT ROWID;
CREATE TABLE "order" (code TEXT PRIMARY KEY, registry TEXT, text TEXT DEFAULT 'x');
CREATE TABLE log (at TEXT, what TEXT);
CREATE UNIQUE INDEX one_isbn ON books (isbn);
ALTER TABLE books ADD COLUMN added DATETIME;
"""


def models_of(*sources, dialect="sqlite", mapped=(), base=None):
    tables = tables_of(find_ddl(sources), dialect, mapped)
    return write_models(tables, dialect, base), tables


def module_of(text):
    module = types.ModuleType("written_models")
    exec(compile(text, "written_models.py", "exec"), module.__dict__)
    return module


@pytest.fixture(scope="module")
def library():
    text, tables = models_of(Source("schema.sql", LIBRARY))
    assert not tables.unread
    return text, module_of(text)


ROW = (
    7, "Zoë", None, "2024-02-30 25:61:00", "not a date", 5, 3, 2.5, '{"a": 1}', b"\0\xff", "text in it",
)  # fmt: skip
ODD = (8, "x", "e", None, 20240101, "yes", "12.50", 1, "[broken", None, 4.5)


@pytest.mark.parametrize("row", [ROW, ODD], ids=["usual", "odd"])
def test_values_come_back_as_the_driver_gave_them(library, tmp_path, row):
    from sqlalchemy import create_engine, insert, select
    from sqlalchemy.orm import Session

    member = library[1].Member
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        connection.executescript(LIBRARY)
        connection.execute(f"INSERT INTO members VALUES ({', '.join('?' * len(row))})", row)
        connection.commit()
        raw = connection.execute("SELECT * FROM members").fetchall()
    engine = create_engine(f"sqlite:///{tmp_path / 'a.db'}")
    with Session(engine) as session:
        mapped = [tuple(found) for found in session.execute(select(*member.__table__.columns))]
    assert mapped == raw
    assert [[type(v) for v in r] for r in mapped] == [[type(v) for v in r] for r in raw]
    if row is ROW:
        names = [column.key for column in member.__mapper__.column_attrs]
        with Session(engine) as session:
            session.execute(insert(member).values(**dict(zip(names[1:], row[1:], strict=True))))
            session.commit()
            again = [tuple(found) for found in session.execute(select(*member.__table__.columns))]
        assert again[1][1:] == raw[0][1:]
    engine.dispose()


def test_the_schema_means_the_same(library, tmp_path):
    """What `create_all` makes of the models and what the DDL makes differ in the names of types alone."""
    from sqlalchemy import create_engine

    def described(connection):
        names = [n for (n,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        for name in [n for n in names if not n.startswith("sqlite_")]:
            columns = connection.execute(f'PRAGMA table_info("{name}")').fetchall()
            keys = connection.execute(f'PRAGMA foreign_key_list("{name}")').fetchall()
            indexes = connection.execute(f'PRAGMA index_list("{name}")').fetchall()
            inside = sorted(
                (unique, [r[2] for r in connection.execute(f'PRAGMA index_info("{index}")')])
                for _, index, unique, *_ in indexes
            )
            (sql,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).fetchone()
            marks = [word in sql.upper() for word in ("AUTOINCREMENT", "WITHOUT ROWID", "CHECK")]
            yield name, [(c[1], c[4], c[5]) for c in columns], sorted(k[2:8] for k in keys), inside, marks

    engine = create_engine(f"sqlite:///{tmp_path / 'models.db'}")
    library[1].Base.metadata.create_all(engine)
    engine.dispose()
    with (
        closing(sqlite3.connect(tmp_path / "models.db")) as models,
        closing(sqlite3.connect(":memory:")) as ddl,
    ):
        ddl.executescript(LIBRARY)
        assert list(described(models)) == list(described(ddl))


def test_server_defaults_stay_on_the_server(library, tmp_path):
    from sqlalchemy import create_engine, insert, select
    from sqlalchemy.orm import Session

    member, loan = library[1].Member, library[1].Loan
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        connection.executescript(LIBRARY)
    engine = create_engine(f"sqlite:///{tmp_path / 'a.db'}")
    with Session(engine) as session:
        session.execute(insert(member).values(name="n"))
        session.execute(insert(loan).values(book=1, member=1))
        (row,) = session.execute(select(member.active, member.owed, member.joined)).all()
        assert row[:2] == (1, 0)
        assert len(row.joined) == len("2024-01-01 00:00:00")
        assert session.execute(select(loan.odd_name)).all() == [("a'b; c",)]
    engine.dispose()


def test_the_style_is_that_of_the_version(tmp_path):
    text = write_models(tables_of(find_ddl([Source("schema.sql", LIBRARY)]), "sqlite"), "sqlite", sqlalchemy="1.4")
    assert "from sqlalchemy.orm import declarative_base\n\nBase = declarative_base()\n" in text
    assert "    email = Column(String(80), unique=True)\n" in text
    assert '    joined = Column(Text, server_default=text("CURRENT_TIMESTAMP"))  # TIMESTAMP: text\n' in text
    assert "Mapped" not in text
    assert "DeclarativeBase" not in text
    index = link([read_facts(Source("models.py", text))])
    assert sorted(model.table for model in index.models) == ["books", "loans", "log", "members", "order"]
    base = write_models(
        tables_of(find_ddl([Source("schema.sql", LIBRARY)]), "sqlite"),
        "sqlite",
        Base("app.db", "Model"),
        sqlalchemy="1.4",
    )
    assert "from app.db import Model\n" in base
    assert "declarative_base" not in base
    oldest = write_models(tables_of(find_ddl([Source("s.sql", LIBRARY)]), "sqlite"), "sqlite", sqlalchemy="1.3")
    assert "from sqlalchemy.ext.declarative import declarative_base\n" in oldest


def test_what_is_written_for_1_4_runs_on_1_4(tmp_path):
    if "ORMLIFT_TEST_SQLALCHEMY_1_4" not in os.environ:
        pytest.skip(
            "ORMLIFT_TEST_SQLALCHEMY_1_4 names no directory that `pip install --target .. 'sqlalchemy<2'` filled"
        )
    text = write_models(tables_of(find_ddl([Source("schema.sql", LIBRARY)]), "sqlite"), "sqlite", sqlalchemy="1.4")
    (tmp_path / "models.py").write_text(text)
    (tmp_path / "run.py").write_text(
        "import sqlalchemy, models\nassert sqlalchemy.__version__.startswith('1.4.')\n"
        "engine = sqlalchemy.create_engine('sqlite://')\nmodels.Base.metadata.create_all(engine)\n"
        "with engine.connect() as c:\n    c.execute(sqlalchemy.insert(models.Member).values(name='n'))\n"
        "    print(c.execute(sqlalchemy.select(models.Member.active, models.Member.owed)).all())\n"
    )
    paths = {"PYTHONPATH": f"{os.environ['ORMLIFT_TEST_SQLALCHEMY_1_4']}{os.pathsep}{tmp_path}"}
    command = [sys.executable, "-W", "ignore", str(tmp_path / "run.py")]
    done = subprocess.run(command, env={**os.environ, **paths}, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[(1, 0.0)]\n", "")


ENUMS = """
CREATE TYPE public.mood AS ENUM ('sad', 'it''s; ok');
CREATE TABLE people (id SERIAL PRIMARY KEY, state Mood NOT NULL DEFAULT 'sad', other public.mood);
CREATE TABLE crowds (id SERIAL PRIMARY KEY, moods mood[]);
CREATE TABLE pets (id SERIAL PRIMARY KEY, state temper);
"""


def test_types_of_labels_are_enumerations():
    text, tables = models_of(Source("schema.sql", ENUMS), dialect="postgresql")
    assert text.count('Enum("sad", "it\'s; ok", name="mood")') == 2
    assert [unread.why.rpartition(": ")[2] for unread in tables.unread] == ["the type ARRAY<mood>", "the type temper"]
    assert set(tables.wanted) == {"people"}


def test_columns_keep_the_order_of_the_table(library):
    assert [c.name for c in library[1].Member.__table__.columns][:4] == ["id", "name", "email", "joined"]


def test_a_table_without_a_key_is_a_table_and_says_why(library):
    assert library[1].t_log.name == "log"
    assert "# log has no primary key" in library[0]


def test_nothing_is_done_in_python(library):
    for mapper in library[1].Base.registry.mappers:
        assert not mapper.relationships
        assert not mapper.single
        for column in mapper.columns:
            assert column.default is None
            assert column.onupdate is None


def test_the_index_reads_them_in_full(library):
    index = link([read_facts(Source("models.py", library[0]))])
    found = {model.table: model for model in index.models}
    assert sorted(found) == ["books", "loans", "log", "members", "order"]
    assert all(model.complete for model in found.values())
    member = found["members"]
    assert (member.column("joined").type, member.column("joined").server_default) == ("Text", True)
    assert (member.column("active").type, member.column("active").nullable) == ("Integer", False)
    assert member.column("email").unique
    assert ("isbn", "state") in found["books"].unique_keys
    assert [c.name for c in found["loans"].primary_key] == ["book", "member"]
    assert (found["order"].column("registry").attr, found["loans"].column("odd name").attr) == ("registry_", "odd_name")


PYTHON = '''
"""CREATE TABLE of_the_docstring (id INTEGER)"""
TABLE = "things"
SCHEMA = "CREATE TABLE parts (id INTEGER PRIMARY KEY, " "name TEXT);"


def make(conn, name):
    conn.execute(f"CREATE TABLE {TABLE} (id INTEGER PRIMARY KEY)")
    conn.execute(f"CREATE TABLE {name} (id INTEGER PRIMARY KEY)")
    conn.execute("CREATE TABLE %s (id INTEGER PRIMARY KEY)" % name)
    conn.execute("CREATE TEMP TABLE passing (id INTEGER PRIMARY KEY)")
    conn.execute("CREATE TABLE copied AS SELECT 1")
    conn.execute("CREATE TABLE " + TABLE + "_old (id INTEGER PRIMARY KEY, at TEXT)")
    conn.executescript("""
        ALTER TABLE parts ADD COLUMN price DECIMAL;
        CREATE TABLE parts_new (id INTEGER PRIMARY KEY);
        ALTER TABLE parts_new RENAME TO parts;
    """)
'''


def test_python_texts_are_read_and_what_is_put_in_at_run_time_is_told():
    text, tables = models_of(Source("app/db.py", PYTHON), Source("tests/db.py", "x = 'CREATE TABLE parts (a INTEGER)'"))
    assert sorted(tables.wanted) == ["parts", "things", "things_old"]
    assert "price: Mapped[float | None]" in text
    assert tables.homes["parts"] == "app/db.py:4"
    assert [(u.line, "run time" in u.why) for u in tables.unread] == [(9, True), (10, True), (12, False)]


def test_tables_with_a_model_are_left_out_and_their_base_is_used(tmp_path, monkeypatch):
    text, _ = models_of(Source("s.sql", LIBRARY), mapped={"members", "order"}, base=Base("shop_models", "Base"))
    assert "class Member" not in text
    assert "from shop_models import Base\n" in text
    home = module_of(
        "from sqlalchemy import Column, Integer\nfrom sqlalchemy.orm import declarative_base\n"
        "Base = declarative_base()\n\n\nclass Member(Base):\n    __tablename__ = 'members'\n"
        "    id = Column(Integer, primary_key=True)\n"
    )
    monkeypatch.setitem(sys.modules, "shop_models", home)
    written = module_of(text)
    (key,) = written.Loan.__table__.columns["member"].foreign_keys
    assert key.column is home.Member.__table__.columns["id"]


def test_a_key_to_a_table_that_nobody_makes_is_told_and_dropped():
    text, tables = models_of(Source("s.sql", "CREATE TABLE a (id INTEGER PRIMARY KEY, b INTEGER REFERENCES b(id));"))
    assert "ForeignKey" not in text
    assert [u.why for u in tables.unread] == ["a has a foreign key to b, which is not known; the model is without it"]


POSTGRESQL = """
create table Makers (id serial primary key, name varchar(20) not null, u uuid, at timestamptz default now());
create table makes (
    id bigint primary key, maker_id int references makers(id) on delete cascade, data jsonb, price numeric(10, 2),
    tags text[], constraint positive check (id > 0), unique (maker_id, price)
);
alter table makes add column extra text;
create table odd (id int primary key, mood mood_type);
"""


def test_ddl_of_postgresql_is_put_together():
    text, tables = models_of(Source("s.sql", POSTGRESQL), dialect="postgresql")
    makes = module_of(text).Make.__table__
    from sqlalchemy.dialects import postgresql

    types = [c.type.compile(postgresql.dialect()) for c in makes.columns]
    assert types == ["BIGINT", "INTEGER", "JSONB", "NUMERIC(10, 2)", "TEXT[]", "TEXT"]
    (key,) = makes.columns["maker_id"].foreign_keys
    assert (key.target_fullname, key.ondelete) == ("makers.id", "CASCADE")
    assert [u.why.split(" is not ")[0] for u in tables.unread] == ["the CREATE TABLE of odd"]


MYSQL = """
CREATE TABLE `users` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `name` varchar(20) NOT NULL DEFAULT '',
  `flag` tinyint(1) DEFAULT 0,
  `kind` enum('a','bb') DEFAULT NULL,
  `seen` timestamp NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  PRIMARY KEY (`id`),
  UNIQUE KEY `one_name` (`name`),
  KEY `by_flag` (`flag`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8;
"""


def test_ddl_of_mysql_is_put_together():
    text, tables = models_of(Source("s.sql", MYSQL), dialect="mysql")
    assert not tables.unread
    users = module_of(text).User.__table__
    assert [type(c.type).__name__ for c in users.columns] == ["Integer", "String", "SmallInteger", "String", "DateTime"]
    assert "# ENUM: text" in text


def test_a_database_is_read(tmp_path):
    from sqlalchemy import create_engine

    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        connection.executescript(LIBRARY)
    engine = create_engine(f"sqlite:///{tmp_path / 'a.db'}")
    text = write_models(reflected(engine), "sqlite")
    engine.dispose()
    assert text == models_of(Source("schema.sql", LIBRARY))[0]
