"""Each statement over the shop is executed raw and as written, on SQLite and on the servers that there are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from ormlift.model import Verdict
from ormlift.sql.prove import prove
from ormlift.sql.read import read
from ormlift.sql.statement import Argument, Fetch, Request, Statement, Written
from ormlift.sql.write import write

from .shop import MODELS, VARIABLES, Server, agree, server
from .shop_statements import SHOP, Case

DIALECTS = {"s": "sqlite", "p": "postgresql", "m": "mysql"}


@pytest.fixture(scope="module", params=list(DIALECTS.values()))
def shop(request: pytest.FixtureRequest) -> Iterator[Server]:
    variable = VARIABLES.get(request.param)
    if variable and variable not in os.environ:
        pytest.skip(f"{variable} names no server")
    with server(request.param) as found:
        yield found


@pytest.mark.filterwarnings("ignore:Passing expression to ``distinct``:DeprecationWarning")
@pytest.mark.parametrize("case", SHOP, ids=lambda case: case.sql)
def test_agrees(shop: Server, case: Case) -> None:
    if not any(DIALECTS[letter] == shop.dialect for letter in case.on):
        pytest.skip("another dialect's statement")
    sql = case.sql if shop.style == "?" else case.sql.replace("%", "%%").replace("?", "%s")
    statement = read(sql, "qmark" if shop.style == "?" else "format", shop.dialect)
    assert isinstance(statement, Statement), statement
    fetch = Fetch.ALL if statement.gives_rows else Fetch.ROWCOUNT
    old = shop.raw(sql, case.params, fetch)
    for style in ("select", "query"):
        ask = _request(statement, style, fetch)
        made = write(statement, ask)
        assert isinstance(made, Written), made
        new = shop.written(made, _named(statement, case), fetch)
        agree(old, new, made, statement, fetch)
        certificate = prove(statement, made, ask)
        wanted = (Verdict.TESTED, Verdict.UNKNOWN) if shop.dialect[0] in case.not_proven else (Verdict.PROVEN,)
        assert certificate.verdict in wanted, certificate


def _request(statement: Statement, style: str, fetch: Fetch) -> Request:
    arguments = tuple(Argument(f"p{slot.index}") for slot in statement.slots)
    return Request(models=MODELS, arguments=arguments, style=style, fetch=fetch, variables=True)


def _named(statement: Statement, case: Case) -> dict[str, Any]:
    return {f"p{slot.index}": case.params[slot.key] for slot in statement.slots}


def test_the_suite_is_large_enough() -> None:
    assert sum(len(case.on) for case in SHOP) >= 450
