"""The tested step on a server: agreement is seen, a difference is shown, and the scratch schema is gone at the end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import pytest
import sqlalchemy as sa
from ormlift.model import Certificate, Reason, UserError, Verdict
from ormlift.sql.prove import Stage, prove
from ormlift.sql.read import read
from ormlift.sql.server import engine_for, trial
from ormlift.sql.statement import Argument, Fetch, Request, Statement, Written
from ormlift.sql.write import write
from ormlift_cli.scratch import PREFIX, trials

from .shop import MODELS, VARIABLES

PLAIN = (
    "SELECT id, name, vip, balance, joined FROM customers WHERE city = :p0 OR id > 1 ORDER BY id",
    "SELECT c.name, COUNT(o.id) FROM customers c LEFT JOIN orders o ON o.customer_id = c.id GROUP BY c.name",
    "SELECT id FROM orders WHERE note IS NOT NULL AND status LIKE '%a%'",
    "INSERT INTO products (sku, price) VALUES (:p0, 2.5)",
    "UPDATE products SET stock = stock + 1 WHERE active = TRUE",
    "DELETE FROM visits WHERE page = :p0",
)


@pytest.fixture(params=["postgresql", "mysql"])
def dialect(request: pytest.FixtureRequest) -> Iterator[str]:
    variable = VARIABLES[request.param]
    if variable not in os.environ:
        pytest.skip(f"{variable} names no server")
    before = _schemas(request.param)
    with trials(os.environ[variable]):
        assert len(_schemas(request.param)) == len(before) + 1
        yield request.param
    assert _schemas(request.param) == before


def _schemas(dialect: str) -> set[str]:
    engine = sa.create_engine(os.environ[VARIABLES[dialect]])
    with engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT schema_name FROM information_schema.schemata").scalars().all()
    engine.dispose()
    return {name for name in found if name.startswith(PREFIX + str(os.getpid()))}


def _made(sql: str, dialect: str, fetch: Fetch | None = None) -> tuple[Statement, Request, Written]:
    statement = read(sql, "named", dialect)
    assert isinstance(statement, Statement)
    fetch = fetch or (Fetch.ALL if statement.gives_rows else Fetch.ROWCOUNT)
    arguments = tuple(Argument(f"p{slot.index}") for slot in statement.slots)
    ask = Request(models=MODELS, arguments=arguments, fetch=fetch, variables=True)
    made = write(statement, ask)
    assert isinstance(made, Written), made
    return statement, ask, made


@pytest.mark.parametrize("sql", PLAIN)
def test_statements_agree_on_the_server(dialect: str, sql: str) -> None:
    statement, ask, made = _made(sql, dialect)
    certificate: Certificate = prove(statement, made, ask)
    assert certificate.verdict is Verdict.PROVEN
    assert any(f"equal on {dialect}, seeds 0 to 5" in step for step in certificate.steps), certificate


def test_a_wrong_statement_is_shown_different(dialect: str) -> None:
    statement, ask, made = _made("SELECT id FROM customers WHERE email IS NOT NULL", dialect)
    stage = Stage.build(statement, ask, made)
    assert not isinstance(stage, Reason)
    wrong = replace(stage, written=replace(stage.written, text=stage.written.text.replace("is_not(", "is_(")))
    engine = engine_for(dialect)
    assert engine is not None
    assert trial(stage, engine)[0] is Verdict.TESTED
    verdict, notes = trial(wrong, engine)
    assert verdict is Verdict.DIFFERENT
    assert "seed" in notes[0]
    assert notes[1].startswith("customers (id, name, email,")
    assert trial(wrong, engine) == (verdict, notes)  # the seed replays


def test_changed_tables_are_compared(dialect: str) -> None:
    statement, ask, made = _made("UPDATE products SET stock = 7", dialect)
    stage = Stage.build(statement, ask, made)
    assert not isinstance(stage, Reason)
    wrong = replace(stage, written=replace(stage.written, text=stage.written.text.replace("7", "8")))
    engine = engine_for(dialect)
    assert engine is not None
    verdict, notes = trial(wrong, engine)
    assert verdict is Verdict.DIFFERENT
    assert "the tables hold" in notes[0]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite:///x.db", "sqlite is not tried on a server"),
        ("nonsense", "not an SQLAlchemy URL"),
        ("postgresql+psycopg2://nobody@127.0.0.1:1/none", "--database-url:"),
    ],
)
def test_a_url_that_cannot_be_used_is_told_in_one_line(url: str, words: str) -> None:
    with pytest.raises(UserError, match=words), trials(url):
        pass
