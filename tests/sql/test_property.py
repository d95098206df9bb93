"""Generated statements over a small schema: raw and written agree, and what is called proven does so too."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ormlift.model import Verdict
from ormlift.sql.prove import prove
from ormlift.sql.statement import Fetch, Kind, Written
from ormlift.sql.write import write

from .test_statements import same
from .world import evaluate, parsed, raw, request

NUMBERS = ("id", "n", "m")
TEXTS = ("name", "class")
OPERATORS = ("=", "<>", "!=", "<", "<=", ">", ">=")


@st.composite
def number(draw: st.DrawFn, depth: int = 2) -> str:
    if depth and draw(st.booleans()):
        left, right = draw(number(depth - 1)), draw(number(depth - 1))
        shape = draw(st.sampled_from(("{} + {}", "{} - {}", "{} * {}", "({} / {})", "({} % {})", "coalesce({}, {})")))
        return shape.format(f"({left})" if " " in left else left, f"({right})" if " " in right else right)
    return draw(st.sampled_from((*NUMBERS, "1", "2", "-3", "0", "length(name)", "?")))


@st.composite
def words(draw: st.DrawFn) -> str:
    return draw(st.sampled_from((*TEXTS, "'alpha'", "''", "'é_b'", "lower(name)", "name || class", "name || '%'", "?")))


@st.composite
def condition(draw: st.DrawFn, depth: int = 2) -> str:
    if depth and draw(st.booleans()):
        left, right = draw(condition(depth - 1)), draw(condition(depth - 1))
        return draw(st.sampled_from(("({} AND {})", "({} OR {})", "NOT ({1})"))).format(left, right)
    kind = draw(st.sampled_from(("number", "text", "null", "in", "between", "like", "flag", "is")))
    a, b, c = draw(number(1)), draw(number(1)), draw(number(0))
    column = draw(st.sampled_from((*NUMBERS, *TEXTS, "active")))
    negated = draw(st.sampled_from(("", "NOT ")))
    flag = draw(st.sampled_from(("= 1", "<> 0", "IS 1", "IS NOT TRUE", "= TRUE", "<> TRUE", "IS NOT 0")))
    return {
        "number": f"{a} {draw(st.sampled_from(OPERATORS))} {b}",
        "text": f"{draw(words())} {draw(st.sampled_from(OPERATORS))} {draw(words())}",
        "null": f"{column} IS {negated}NULL",
        "in": f"{c} {negated}IN ({b}, 10, {draw(st.sampled_from(('NULL', '7')))})",
        "between": f"{c} {negated}BETWEEN {a} AND {b}",
        "like": f"{draw(words())} {negated}LIKE {draw(words())}",
        "flag": f"active {flag}",
        "is": f"{column} IS {negated}?",
    }[kind]


@st.composite
def select(draw: st.DrawFn) -> str:
    items = draw(st.lists(st.one_of(number(), words(), st.just("active"), condition(0)), min_size=1, max_size=3))
    listed = [f"{item} AS c{place}" if draw(st.booleans()) else item for place, item in enumerate(items)]
    distinct = draw(st.sampled_from(("", "DISTINCT ")))
    order = draw(st.sampled_from(("", " ORDER BY id", " ORDER BY name DESC, id", " ORDER BY n NULLS LAST, id DESC")))
    limit = draw(st.sampled_from(("", " LIMIT 3", " LIMIT 2 OFFSET 1", " LIMIT ?"))) if order else ""
    return f"SELECT {distinct}{', '.join(listed)} FROM jobs WHERE {draw(condition())}{order}{limit}"


@st.composite
def grouped(draw: st.DrawFn) -> str:
    key = draw(st.sampled_from(("name", "class", "active", "lower(name)", "n / 2")))
    value = draw(st.sampled_from(("COUNT(*)", "SUM(n)", "MAX(id)", "COUNT(DISTINCT n)", "AVG(m)", "MIN(name)")))
    having = draw(st.sampled_from(("", " HAVING COUNT(*) > 1", f" HAVING {value} IS NOT NULL", " HAVING v > ?")))
    return f"SELECT {key}, {value} AS v FROM jobs WHERE {draw(condition(1))} GROUP BY {key}{having}"


@st.composite
def change(draw: st.DrawFn) -> str:
    where = f" WHERE {draw(condition())}"
    if draw(st.booleans()):
        return f"DELETE FROM jobs{where}"
    return f"UPDATE jobs SET n = {draw(number())}, name = {draw(words())}{where}"


VALUES = st.sampled_from((None, 0, 1, 2, 10, -7, "alpha", "", "%a%", "é_b"))


@settings(max_examples=120, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(st.one_of(select(), grouped(), change()), st.lists(VALUES, min_size=40, max_size=40), st.booleans())
def test_generated_statements_agree(sql: str, values: list[Any], query: bool) -> None:
    check(sql, values, "query" if query else "select")


def check(sql: str, values: list[Any], style: str) -> None:
    statement = parsed(sql)
    given_values = tuple(values[slot.index] for slot in statement.slots)
    if " LIMIT ?" in sql:
        given_values = (*given_values[:-1], abs(given_values[-1]) if isinstance(given_values[-1], int) else 1)
    fetch = Fetch.ALL if statement.kind is Kind.SELECT else Fetch.ROWCOUNT
    ask = request(statement, style=style, fetch=fetch)
    made = write(statement, ask)
    assert isinstance(made, Written), made
    names = {f"p{place}": value for place, value in enumerate(given_values)}
    same(raw(sql, given_values, fetch), evaluate(made, names, fetch), made, statement, fetch)
    assert prove(statement, made, ask).verdict in (Verdict.PROVEN, Verdict.TESTED)
