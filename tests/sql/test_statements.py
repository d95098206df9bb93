"""Each statement is executed on the driver and as written, in both styles and for each way to fetch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ormlift.model import Verdict
from ormlift.sql.prove import prove
from ormlift.sql.read import read
from ormlift.sql.statement import Argument, Fetch, Kind, Statement, Written
from ormlift.sql.write import write

from .statements import CASES, Case
from .world import Ran, converted, evaluate, parsed, raw, request

SELECTS = (Fetch.ALL, Fetch.FIRST, Fetch.ITERATE, Fetch.SCALAR, Fetch.SCALARS)
CHANGES = (Fetch.ROWCOUNT, Fetch.NONE)


def fetches(statement: Statement) -> tuple[Fetch, ...]:
    if statement.gives_rows:
        return SELECTS if statement.kind is Kind.SELECT else (Fetch.ALL, Fetch.FIRST)
    return (*CHANGES, Fetch.LASTROWID) if statement.kind is Kind.INSERT else CHANGES


def named(case: Case, statement: Statement) -> dict[str, Any]:
    return {f"p{slot.index}": case.params[slot.key] for slot in statement.slots}


@pytest.mark.parametrize("style", ["select", "query"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.sql)
def test_same_results(case: Case, style: str) -> None:
    statement = parsed(case.sql)
    for fetch in fetches(statement):
        ask = request(statement, style=style, fetch=fetch)
        made = write(statement, ask)
        assert isinstance(made, Written), made
        same(raw(case.sql, case.params, fetch), evaluate(made, named(case, statement), fetch), made, statement, fetch)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.sql)
def test_same_results_with_literal_arguments(case: Case) -> None:
    """What is known of an argument (its type, that it is not None) changes the text, never the results."""
    statement = parsed(case.sql)
    arguments = tuple(Argument(repr(case.params[slot.key])) for slot in statement.slots)
    fetch = fetches(statement)[0]
    made = write(statement, request(statement, arguments=arguments, fetch=fetch))
    assert isinstance(made, Written), made
    same(raw(case.sql, case.params, fetch), evaluate(made, {}, fetch), made, statement, fetch)
    assert "timestamp-format" not in {effect.code for effect in made.effects}


@pytest.mark.parametrize("style", ["select", "query"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.sql)
def test_certificate_and_effects(case: Case, style: str) -> None:
    statement = parsed(case.sql)
    for fetch in fetches(statement)[:2]:
        ask = request(statement, style=style, fetch=fetch)
        made = write(statement, ask)
        assert isinstance(made, Written)
        certificate = prove(statement, made, ask)
        assert certificate.verdict is Verdict(case.verdict), certificate
        assert {effect.code for effect in made.effects} == set(case.effects)
        if style == "select":
            assert case.text in replace(made, text=" ".join(made.text.split())).text.replace("( ", "(").replace(
                " )", ")"
            )


def same(old: Ran, new: Ran, made: Written, statement: Statement, fetch: Fetch) -> None:
    assert new.tables == old.tables
    if not statement.gives_rows:
        assert new.result == old.result
        return
    if fetch in (Fetch.SCALAR, Fetch.SCALARS):
        olds = [(value,) for value in ([old.result] if fetch is Fetch.SCALAR else old.result)]
        news = [(value,) for value in ([new.result] if fetch is Fetch.SCALAR else new.result)]
        columns: tuple[Any, ...] = made.columns[:1]
    else:
        olds = old.result if fetch is not Fetch.FIRST else [old.result] if old.result else []
        news = new.result if fetch is not Fetch.FIRST else [new.result] if new.result else []
        columns = made.columns
        for row in news:
            assert len(row) == len(columns)
            for place, column in enumerate(columns):
                if column.attr:
                    assert getattr(row, column.attr) == row[place]
    assert len(olds) == len(news)
    for before, after in zip(olds, news, strict=True):
        for raw_value, value, column in zip(before, after, columns, strict=True):
            compare(raw_value, value, column)


def compare(raw_value: Any, value: Any, column: Any) -> None:
    if not column.changes_type:
        assert (value, type(value)) == (raw_value, type(raw_value)), column
        return
    assert value == converted(raw_value, column.new_type), column
    if value is not None and column.new_type not in ("dict", "Enum"):
        assert type(value).__name__ == column.new_type


def test_the_suite_is_large_enough() -> None:
    assert len({case.sql for case in CASES} | {repr(case.params) + case.sql for case in CASES}) >= 120
    assert all(isinstance(read(case.sql), Statement) for case in CASES)
