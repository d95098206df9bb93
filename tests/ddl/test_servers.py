"""Models of tables on real servers: what the DDL says and what the server says agree, and values are the driver's."""

import os
import types

import pytest
from ormlift.ddl.find import find_ddl
from ormlift.ddl.tables import reflected, tables_of
from ormlift.ddl.write import write_models
from ormlift.model import Source

DDL = {
    "postgresql": """
CREATE TYPE model_kind AS ENUM ('a', 'it''s b');
CREATE TABLE model_makers (
    id SERIAL PRIMARY KEY, name VARCHAR(20) NOT NULL UNIQUE, code UUID, at TIMESTAMPTZ DEFAULT now(), local TIMESTAMP,
    day DATE, hour TIME, price NUMERIC(10, 2), ratio DOUBLE PRECISION, data JSONB, plain JSON, tags TEXT[], raw BYTEA,
    active BOOLEAN NOT NULL DEFAULT true,
    small SMALLINT, big BIGINT, kind model_kind DEFAULT 'a'
);
CREATE TABLE model_makes (
    maker INTEGER REFERENCES model_makers (id) ON DELETE CASCADE, n INTEGER, PRIMARY KEY (maker, n)
);
""",
    "mysql": """
CREATE TABLE model_makers (
    id INT NOT NULL AUTO_INCREMENT, name VARCHAR(20) NOT NULL UNIQUE, at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    local DATETIME, day DATE, price DECIMAL(10, 2), ratio DOUBLE, data JSON, raw BLOB,
    active TINYINT(1) NOT NULL DEFAULT 1, kind ENUM('a', 'bb'), small SMALLINT, big BIGINT UNSIGNED,
    words LONGTEXT, PRIMARY KEY (id)
) ENGINE=InnoDB;
CREATE TABLE model_makes (
    maker INT, n INT, PRIMARY KEY (maker, n), CONSTRAINT of_maker FOREIGN KEY (maker) REFERENCES model_makers (id)
) ENGINE=InnoDB;
""",
}
INSERT = {
    "postgresql": """INSERT INTO model_makers
        (name, code, local, day, hour, price, ratio, data, plain, tags, raw, small, big, kind)
        VALUES ('Ann', '6b1b36cb-9a7e-4a6b-8a3b-1f0d6d7a1d10', '2024-02-29 12:00:00.5', '2024-02-29', '12:30', 12.50,
        0.1, '{"a": [1]}', '[1, null]', '{x,y}', '\\x00ff', 1, 9007199254740993, 'it''s b'),
        ('Bob', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)""",
    "mysql": """INSERT INTO model_makers (name, local, day, price, ratio, data, raw, kind, small, big, words)
        VALUES ('Ann', '2024-02-29 12:00:00', '2024-02-29', 12.50, 0.1, '{"a": [1]}', x'00ff', 'bb', 1,
        9007199254740993, 'long'), ('Bob', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)""",
}


@pytest.fixture(params=sorted(DDL))
def server(request):
    from sqlalchemy import create_engine

    url = os.environ.get(f"ORMLIFT_TEST_{request.param.upper()}", "")
    if not url:
        pytest.skip(f"no {request.param} server is named")
    engine = create_engine(url)

    def clear():
        with engine.begin() as connection:
            for table in ("model_makes", "model_makers"):
                connection.exec_driver_sql(f"DROP TABLE IF EXISTS {table}")
            if request.param == "postgresql":
                connection.exec_driver_sql("DROP TYPE IF EXISTS model_kind")

    clear()
    with engine.begin() as connection:
        for statement in (*DDL[request.param].split(";\n"), INSERT[request.param]):
            if statement.strip():
                connection.exec_driver_sql(statement)
    yield request.param, engine
    clear()
    engine.dispose()


def module_of(text):
    module = types.ModuleType("server_models")
    exec(compile(text, "server_models.py", "exec"), module.__dict__)
    return module


def both(dialect, engine):
    """The models by the DDL in the code, and by the server's own word."""
    by_text = tables_of(find_ddl([Source("schema.sql", DDL[dialect])]), dialect)
    by_server = reflected(engine)
    by_server.wanted &= {"model_makers", "model_makes"}
    return [module_of(write_models(tables, dialect)) for tables in (by_text, by_server)]


def older(dialect):
    """The models by the DDL in the code, for SQLAlchemy 1.4."""
    text = write_models(tables_of(find_ddl([Source("schema.sql", DDL[dialect])]), dialect), dialect, sqlalchemy="1.4")
    assert "Mapped" not in text
    assert "mapped_column" not in text
    return module_of(text)


def test_values_are_the_drivers(server):
    from sqlalchemy import select
    from sqlalchemy.orm import Session

    dialect, engine = server
    raw = connect(dialect, engine.url)
    cursor = raw.cursor()
    cursor.execute("SELECT * FROM model_makers ORDER BY id")
    expected = [plain(row) for row in cursor.fetchall()]
    raw.close()
    for module in (*both(dialect, engine), older(dialect)):
        columns = module.ModelMaker.__table__.columns
        with Session(engine) as session:
            found = [plain(row) for row in session.execute(select(*columns).order_by(columns["id"]))]
        assert found == expected
        assert [[type(v) for v in row] for row in found] == [[type(v) for v in row] for row in expected]


def connect(dialect, url):
    """As a program without SQLAlchemy does."""
    if dialect == "mysql":
        import pymysql

        return pymysql.connect(host=url.host, port=url.port, user=url.username, database=url.database)
    import psycopg2

    return psycopg2.connect(host=url.host, port=url.port, user=url.username, dbname=url.database)


def plain(row):
    """psycopg2 hands bytes out as a memoryview, for which no comparison holds."""
    return tuple(bytes(value) if isinstance(value, memoryview) else value for value in row)


def test_the_two_ways_agree(server):
    dialect, engine = server
    described = []
    for module in both(dialect, engine):
        tables = [module.ModelMaker.__table__, module.ModelMake.__table__]
        described.append(
            [
                (c.table.name, c.name, type(c.type).__name__, c.nullable, c.primary_key)
                for t in tables
                for c in t.columns
            ]
            + [(k.parent.name, k.target_fullname, k.ondelete) for t in tables for k in t.foreign_keys]
        )
    assert described[0] == described[1]


def test_what_is_written_through_them_arrives(server):
    from sqlalchemy import insert, select
    from sqlalchemy.orm import Session

    dialect, engine = server
    module = (*both(dialect, engine), older(dialect))[0]
    maker = module.ModelMaker
    with Session(engine) as session:
        session.execute(insert(maker).values(name="Cid"))
        session.commit()
        row = session.execute(select(maker.active, maker.at, maker.price).where(maker.name == "Cid")).one()
    assert row.active == 1
    assert row.at is not None, "the server's default"
    assert row.price is None
