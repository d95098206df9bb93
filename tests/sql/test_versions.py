"""What is written for an older SQLAlchemy does the same, wherever it is written otherwise; what it lacks is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from ormlift.model import Reason, Verdict
from ormlift.sql.prove import prove
from ormlift.sql.read import read
from ormlift.sql.statement import Argument, Fetch, Request, Statement, Written
from ormlift.sql.write import write

from .shop import MODELS, Server, agree, server
from .shop_statements import SHOP, Case

OLDER = ("1.3", "1.4", "2.0")


@pytest.fixture(scope="module")
def shop() -> Iterator[Server]:
    with server("sqlite") as found:
        yield found


def _read(sql: str, dialect: str = "sqlite") -> Statement:
    statement = read(sql, "qmark", dialect)
    assert isinstance(statement, Statement), statement
    return statement


def _request(statement: Statement, version: str, style: str, fetch: Fetch) -> Request:
    arguments = tuple(Argument(f"p{slot.index}") for slot in statement.slots)
    return Request(
        models=MODELS,
        arguments=arguments,
        style=style,
        fetch=fetch,
        variables=True,
        sqlalchemy=version,
        line_length=300,
    )


def _written(sql: str, version: str, style: str = "select", fetch: Fetch = Fetch.ALL) -> Written | Reason:
    statement = _read(sql)
    fetch = fetch if statement.gives_rows else Fetch.ROWCOUNT
    return write(statement, _request(statement, version, style, fetch))


def _otherwise() -> list[tuple[str, str, Case]]:
    """The statements that are written otherwise for an older version."""
    found = []
    for case in (case for case in SHOP if "s" in case.on):
        for style in ("select", "query"):
            newest = _written(case.sql, "", style)
            for version in OLDER:
                made = _written(case.sql, version, style)
                if isinstance(made, Written) and isinstance(newest, Written) and made.text != newest.text:
                    found.append((version, style, case))
    return found


OTHERWISE = _otherwise()


@pytest.mark.parametrize(("version", "style", "case"), OTHERWISE, ids=lambda part: getattr(part, "sql", part))
def test_agrees(shop: Server, version: str, style: str, case: Case) -> None:
    statement = _read(case.sql)
    fetch = Fetch.ALL if statement.gives_rows else Fetch.ROWCOUNT
    ask = _request(statement, version, style, fetch)
    made = write(statement, ask)
    assert isinstance(made, Written)
    names = {f"p{slot.index}": case.params[slot.key] for slot in statement.slots}
    agree(shop.raw(case.sql, case.params, fetch), shop.written(made, names, fetch), made, statement, fetch)
    assert prove(statement, made, ask).verdict in (Verdict.PROVEN, Verdict.TESTED)


def test_some_are_written_otherwise() -> None:
    assert {version for version, _, _ in OTHERWISE} == {"1.3", "1.4"}
    assert {style for _, style, _ in OTHERWISE} == {"select", "query"}


@pytest.mark.parametrize(
    ("sql", "style", "version", "text"),
    [
        ("SELECT stock / 2 FROM products", "select", "2.0", "session.execute(select(Product.stock // 2)).all()"),
        ("SELECT stock / 2 FROM products", "select", "1.4", 'session.execute(select(Product.stock.op("/")(2))).all()'),
        (
            "SELECT id FROM orders WHERE status NOT IN ('a')",
            "query",
            "1.3",
            'session.query(Order.id).filter(Order.state.notin_(["a"])).all()',
        ),
        (
            "INSERT INTO orders (total, status) VALUES (?, LOWER(?))",
            "select",
            "1.4",
            "session.execute(insert(Order).values({Order.total: p0, Order.state: func.lower(p1)})).rowcount",
        ),
        (
            "DELETE FROM orders WHERE id = 1",
            "query",
            "1.3",
            "session.query(Order).filter(Order.id == 1).delete(synchronize_session=False)",
        ),
    ],
)
def test_the_text(sql: str, style: str, version: str, text: str) -> None:
    made = _written(sql, version, style)
    assert isinstance(made, Written), made
    assert made.text == text


def test_a_column_that_is_kept_has_its_name_on_1_4() -> None:
    statement = _read("SELECT joined, id FROM customers")
    for version, text in (
        ("1.4", 'type_coerce(Customer.joined, String).label("joined")'),
        ("2.0", "String), Customer.id"),
    ):
        ask = _request(statement, version, "select", Fetch.ALL)
        made = write(statement, replace(ask, kept=frozenset({0})))
        assert isinstance(made, Written)
        assert text in made.text


def test_scalars_of_a_session_are_newer_than_1_4(shop: Server) -> None:
    made = _written("SELECT name FROM customers ORDER BY id", "1.4", fetch=Fetch.SCALARS)
    assert isinstance(made, Written)
    assert made.text == "session.execute(select(Customer.name).order_by(Customer.id)).scalars().all()"
    old = shop.raw("SELECT name FROM customers ORDER BY id", (), Fetch.ALL).result
    assert shop.written(made, {}, Fetch.SCALARS).result == [row[0] for row in old]


@pytest.mark.parametrize(
    ("sql", "style", "version"),
    [
        ("INSERT INTO customers (name) VALUES ('a') RETURNING id", "select", "1.4"),
        ("DELETE FROM orders WHERE id = 1 RETURNING id", "query", "1.4"),
        ("UPDATE orders SET note = c.name FROM customers c WHERE c.id = orders.customer_id", "select", "1.4"),
        ("SELECT id FROM customers", "select", "1.3"),
        ("SELECT id FROM customers WHERE id IN (SELECT customer_id FROM orders)", "query", "1.3"),
        ("SELECT CASE WHEN id = 1 THEN 'a' END FROM customers", "query", "1.3"),
        ("SELECT id FROM customers UNION SELECT id FROM orders", "query", "1.3"),
        ("INSERT INTO customers (name) VALUES ('a')", "query", "1.3"),
        ("SELECT page FROM visits GROUP BY page HAVING EXISTS (SELECT 1 FROM orders)", "query", "1.3"),
    ],
)
def test_what_the_version_lacks_is_refused(sql: str, style: str, version: str) -> None:
    refused = _written(sql, version, style)
    assert isinstance(refused, Reason), refused
    assert refused.code == "sqlalchemy-version"
    assert version in refused.message
    assert isinstance(_written(sql, "2.0", style), Written)


def test_not_around_any_is_refused_on_1_4() -> None:
    statement = _read("SELECT id FROM customers WHERE NOT id = ANY(?)", "postgresql")
    refused = write(statement, _request(statement, "1.4", "select", Fetch.ALL))
    assert isinstance(refused, Reason)
    assert refused.code == "sqlalchemy-version"
