"""Generated statements over the shop agree, raw and as written, on SQLite and on the servers that there are."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ormlift.model import Reason, Verdict
from ormlift.sql.prove import prove
from ormlift.sql.read import read
from ormlift.sql.statement import Argument, Fetch, Request, Statement
from ormlift.sql.write import write

from .generated import STATEMENTS, Made
from .shop import MODELS, VARIABLES, Server, agree, server


@pytest.fixture(scope="module", params=["sqlite", "postgresql", "mysql"])
def shop(request: pytest.FixtureRequest) -> Iterator[Server]:
    variable = VARIABLES.get(request.param)
    if variable and variable not in os.environ:
        pytest.skip(f"{variable} names no server")
    with server(request.param) as found:
        yield found


@settings(max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(STATEMENTS, st.sampled_from(("select", "query")))
def test_generated_statements_agree(shop: Server, made: Made, style: str) -> None:
    check(shop, made, style)


def check(shop: Server, generated: Made, style: str) -> bool:
    """Whether the statement could be compared: the server took it, and so did the writer."""
    sql, values = generated
    sql = sql if shop.style == "?" else sql.replace("%", "%%").replace("?", "%s")
    statement = read(sql, "qmark" if shop.style == "?" else "format", shop.dialect)
    assert isinstance(statement, Statement), statement
    fetch = Fetch.ALL if statement.gives_rows else Fetch.ROWCOUNT
    arguments = tuple(Argument(f"p{slot.index}") for slot in statement.slots)
    ask = Request(models=MODELS, arguments=arguments, style=style, fetch=fetch, variables=True)
    written = write(statement, ask)
    if isinstance(written, Reason):
        return False
    try:
        old = shop.raw(sql, values, fetch)
    except shop.errors:
        return False  # what the raw statement does not do, the written one need not
    names = {f"p{slot.index}": values[slot.key] for slot in statement.slots if isinstance(slot.key, int)}
    agree(old, shop.written(written, names, fetch), written, statement, fetch)
    assert prove(statement, written, ask).verdict is not Verdict.DIFFERENT
    return True
