"""Values keep their Python type: what an expression selects, and what a parameter binds, is the driver's own."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
from ormlift.model import ImportNeed, Verdict
from ormlift.sql.prove import prove
from ormlift.sql.statement import Argument, Fetch, Kind, Written
from ormlift.sql.write import write
from sqlalchemy.exc import SQLAlchemyError

from .world import evaluate, parsed, raw, request, written

IMPORTS = tuple(ImportNeed("sqlalchemy", name) for name in ("select", "func", "case"))

# Values that SQLite lets stand in columns of another type, and some that show a conversion.
ODD = """
UPDATE jobs SET n = 'bob', score = 7, price = 12.6485 WHERE id = 2;
UPDATE jobs SET n = 2.5, score = 'x', price = 3 WHERE id = 3;
UPDATE jobs SET day = '2024-01-01 10:00', created_at = '2024' WHERE id = 6;
UPDATE jobs SET active = 2, n = 9007199254740993, m = 0 WHERE id = 7;
"""

SAFE = (
    "day || ' 10:00'", "active || 'x'", "created_at || name", "name || day", "'x' || day", "state || '!'",
    "data || ''", "active || active", "day || day", "n || active",
    "CASE WHEN id = 1 THEN active ELSE 7 END", "CASE WHEN n > 5 THEN n > 6 ELSE 3 END",
    "CASE WHEN id > 2 THEN price ELSE 1.005 END", "CASE WHEN id > 2 THEN 1.005 ELSE price END",
    "CASE WHEN id > 2 THEN day ELSE 'never' END", "CASE WHEN id > 2 THEN NULL ELSE active + 1 END",
    "CASE id WHEN 1 THEN state ELSE 'none' END", "CASE WHEN id > 2 THEN data ELSE 5 END",
    "CASE WHEN id > 3 THEN name WHEN id > 1 THEN day END", "CASE WHEN id > 2 THEN created_at ELSE day END",
    "(n > 5) + 1", "1 + (n > 5)", "(n > 5) * 3 - (m = 1)", "-(n > 5)", "-active", "-day", "active - 1", "2 - active",
    "active * active", "active / 2", "active % 2", "2 / active", "5 % active", "day + 1", "1 + day", "created_at - 1",
    "day - created_at", "1 - day", "2 * day", "n + active", "n - day", "n * (m > 2)", "state + 1", "data + 1",
    "active & 3", "1 & active", "n | active", "n & active", "day & 1", "(n > 3) & 1", "(n > 3) | (m > 3)",
    "price / 2", "price * 2", "price * 0.333", "price + 0.005", "0.005 + price", "2 * price", "price % 2", "-price * 2",
    "-(price * 0.333)", "2 / price", "price / n", "n / price", "n * price", "score * price", "price * score",
    "price - m", "price / price", "1.5 * n", "n / 2.0", "n * 1.5", "score / n", "score / 2", "score * 2", "n / 2",
    "n % 2", "name + 1", "name * 2", "n + 0.5",
    "n > 5", "name LIKE 'a%'", "name IS NULL", "n IN (1, 10)", "NOT n > 5", "n > 5 AND m > 1", "active = 1",
    "NOT active",
    "n BETWEEN 1 AND 5", "day = '2024-01-01'", "name = 'alpha' OR n", "active IS NOT NULL", "n = m", "name GLOB 'a*'",
    "SUM(active)", "SUM(n > 5)", "SUM(active = 1)", "SUM(n)", "AVG(active)", "AVG(price)", "TOTAL(price)",
    "SUM(price * 0.333)", "MAX(price * 0.333)", "MAX(active)", "MIN(active)", "MAX(active, 5)", "MAX(n, active)",
    "MAX(active, n)", "MIN(day, 'x')", "MAX('0', day)", "SUM(DISTINCT active)", "COUNT(DISTINCT active)", "SUM(day)",
    "SUM(state)", "SUM(CASE WHEN active THEN 1 ELSE 0 END)", "SUM(CASE WHEN n > 5 THEN active ELSE 2 END)",
    "MAX(n > 5)", "MAX(n)", "MAX(score)", "MIN(name)", "SUM(score)", "SUM(active) + 1", "SUM(active) * 1.0 / COUNT(*)",
    "COALESCE(active, 5)", "COALESCE(n, active)", "COALESCE(day, '-')", "COALESCE(day, created_at)", "COALESCE(n, 0.5)",
    "COALESCE(price, 0.005)", "COALESCE(0.005, price)", "COALESCE(n, price * 0.333)", "COALESCE(data, '{}')",
    "COALESCE(state, 'none')", "COALESCE(SUM(active), 0)", "COALESCE(NULL, active)", "COALESCE(name, day)",
    "COALESCE(MAX(day), '')", "COALESCE(SUM(n), 0)", "COALESCE(blob, 'x')", "COALESCE(name, 0)",
    "IFNULL(active, 5)", "IFNULL(day, '-')", "NULLIF(active, 1)", "NULLIF(day, '2024-01-01')", "abs(active)",
    "abs(price)",
    "round(price, 1)", "upper(day)", "lower(state)", "length(day)", "substr(created_at, 1, 10)", "trim(state)",
    "typeof(active)", "date(day)", "strftime('%Y', day)", "julianday(day)", "replace(day, '-', '/')", "hex(blob)",
    "CAST(active AS TEXT)", "CAST(day AS TEXT)", "CAST(price AS TEXT)", "CAST(price AS REAL)", "CAST(day AS INTEGER)",
    "CAST(price AS INTEGER)", "group_concat(active)", "group_concat(day, ',')", "iif(n > 5, active, 7)",
    "iif(n > 5, day, 'x')", "pow(price, 2)", "pow(active, 2)", "concat(day, 'x')", "printf('%s', active)",
    "TRUE", "FALSE", "1", "1.5", "'x'", "NULL", "-1", "1 = 1", "CURRENT_DATE || ''", "json_extract(data, '$.a')",
    "quote(active)", "likely(active)", "unlikely(day)", "instr(day, '-')",
)  # fmt: skip
SQLITE_HAS = {
    row[0] for row in sqlite3.connect(":memory:").execute("SELECT name FROM pragma_function_list")
}  # an older SQLite lacks pow() and concat()


@pytest.mark.parametrize("script", ["", ODD], ids=["plain", "odd"])
@pytest.mark.parametrize("expression", SAFE)
def test_selected_values_and_types(expression: str, script: str) -> None:
    name = expression.partition("(")[0].lower()
    if name in ("pow", "concat", "iif") and name not in SQLITE_HAS:
        pytest.skip(f"this SQLite has no {name}()")
    made = written(f"SELECT {expression} FROM jobs")
    if not isinstance(made, Written):
        assert made.code in ("sql-not-supported", "column-not-mapped"), made
        return
    old = raw(f"SELECT {expression} FROM jobs", (), Fetch.ALL, script)
    new = evaluate(made, {}, Fetch.ALL, script)
    if made.columns[0].changes_type:
        pytest.fail(f"{made.text} is said to change the type")
    assert repr([tuple(row) for row in new.result]) == repr(old.result), made.text


@pytest.mark.parametrize("expression", SAFE)
def test_the_certificate_sees_no_conversion(expression: str) -> None:
    statement = parsed(f"SELECT {expression} FROM jobs")
    ask = request(statement)
    made = write(statement, ask)
    if isinstance(made, Written):
        certificate = prove(statement, made, ask)
        assert certificate.verdict in (Verdict.PROVEN, Verdict.TESTED), certificate


KNOWN = ("MAX(created_at)", "MIN(day)", "SUM(price)", "COALESCE(price, 0)", "MAX(price)", "MAX(state)", "MIN(data)")


@pytest.mark.parametrize("expression", KNOWN)
def test_a_conversion_that_keeps_the_value_is_told(expression: str) -> None:
    statement = parsed(f"SELECT {expression} FROM jobs")
    made = write(statement, request(statement))
    assert isinstance(made, Written)
    assert made.columns[0].changes_type or expression == "MAX(state)"
    assert prove(statement, made, request(statement)).verdict is Verdict.PROVEN


CONVERTED = (
    ("SELECT day || '' FROM jobs", 'select(Job.day.concat(""))'),
    ("SELECT CASE WHEN id = 1 THEN active ELSE 7 END FROM jobs", "select(case((Job.id == 1, Job.active), else_=7))"),
    ("SELECT SUM(active) FROM jobs", "select(func.sum(Job.active))"),
    ("SELECT price * 0.333 FROM jobs", "select(Job.price * 0.333)"),
)


@pytest.mark.parametrize(("sql", "text"), CONVERTED)
def test_the_certificate_sees_a_conversion(sql: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The prover alone, on what an earlier writer wrote: it asks SQLAlchemy, not the writer's own tables."""
    from dataclasses import replace

    from ormlift.sql import write as writing

    statement = parsed(sql)
    ask = request(statement)
    good = write(statement, ask)
    assert isinstance(good, Written)
    column = replace(good.columns[0], changes_type=False, column=None)

    def naive(_statement: object, asked: Any) -> Written:
        names = {"Job": asked.names.get("app.models.Job", "Job")}
        said = text.replace("Job", names["Job"])
        return replace(good, text=f"session.execute({said}).all()", columns=(column,), imports=IMPORTS)

    monkeypatch.setattr(writing, "write", naive)
    certificate = prove(statement, naive(statement, ask), ask)
    assert certificate.verdict in (Verdict.DIFFERENT, Verdict.UNKNOWN), certificate
    assert any("converted" in step or "becomes" in step or " and " in step for step in certificate.steps)


PARAMETERS = (None, True, False, 0, 1, 2, -7, 2.5, 1.0, "bob", "1", "", "2024-01-01", b"x", b"", 2**62, 2**70)
WITH_PARAMETER = (
    "SELECT id FROM jobs WHERE id = ?", "SELECT id FROM jobs WHERE n <> ?", "SELECT id FROM jobs WHERE score > ?",
    "SELECT id FROM jobs WHERE price = ?", "SELECT id FROM jobs WHERE name < ?", "SELECT id FROM jobs WHERE data = ?",
    "SELECT id FROM jobs WHERE data <> ?", "SELECT id FROM jobs WHERE state = ?", "SELECT id FROM jobs WHERE blob = ?",
    "SELECT id FROM jobs WHERE active = ?", "SELECT id FROM jobs WHERE active <> ?",
    "SELECT id FROM jobs WHERE day = ?",
    "SELECT id FROM jobs WHERE active IS ?", "SELECT id FROM jobs WHERE price IS NOT ?",
    "SELECT id FROM jobs WHERE id IN (?, 2)", "SELECT id FROM jobs WHERE id IN (2, ?)",
    "SELECT id FROM jobs WHERE id IN (?)",
    "SELECT id FROM jobs WHERE name IN ('alpha', ?, 3)", "SELECT id FROM jobs WHERE n NOT IN (?, 2.5, 'bob')",
    "SELECT id FROM jobs WHERE active IN (?, 1)", "SELECT id FROM jobs WHERE day IN (?, '2024-01-01')",
    "SELECT id FROM jobs WHERE price IN (?, 5)", "SELECT id FROM jobs WHERE data IN (?, '[]')",
    "SELECT id FROM jobs WHERE n BETWEEN ? AND 9", "SELECT id FROM jobs WHERE price BETWEEN 1 AND ?",
    "SELECT id FROM jobs WHERE day BETWEEN ? AND '2025'", "SELECT id FROM jobs WHERE active BETWEEN ? AND 1",
    "SELECT id FROM jobs WHERE name LIKE ?", "SELECT id FROM jobs WHERE n LIKE ?",
    "SELECT id FROM jobs WHERE day LIKE ?",
    "SELECT id FROM jobs WHERE n + ? > 3", "SELECT id FROM jobs WHERE price * ? > 3",
    "SELECT id FROM jobs WHERE score / ? > 1",
    "SELECT id FROM jobs WHERE active + ? = 1", "SELECT id FROM jobs WHERE name || ? = 'alpha1'",
    "SELECT id FROM jobs WHERE COALESCE(n, ?) = 10", "SELECT id FROM jobs WHERE COALESCE(active, ?) = 1",
    "SELECT id FROM jobs WHERE COALESCE(?, name) = 'alpha'", "SELECT id FROM jobs WHERE max(n, ?) = 10",
    "SELECT id FROM jobs WHERE (n > ?) = 1", "SELECT id FROM jobs WHERE CASE WHEN n > 3 THEN ? ELSE active END = 1",
    "SELECT id FROM jobs WHERE abs(n) = ?", "SELECT id FROM jobs WHERE date(created_at) = ?",
    "SELECT ? FROM jobs", "SELECT n + ? FROM jobs", "SELECT ? + n FROM jobs", "SELECT n = ? FROM jobs",
    "SELECT price * ? FROM jobs", "SELECT score / ? FROM jobs", "SELECT active + ? FROM jobs",
    "SELECT day || ? FROM jobs",
    "SELECT ? || day FROM jobs", "SELECT name || ? FROM jobs", "SELECT COALESCE(n, ?) FROM jobs", "SELECT -? FROM jobs",
    "SELECT COALESCE(active, ?) FROM jobs", "SELECT COALESCE(price, ?) FROM jobs", "SELECT COALESCE(?, day) FROM jobs",
    "SELECT COALESCE(?, n) FROM jobs", "SELECT max(?, n) FROM jobs", "SELECT max(active, ?) FROM jobs",
    "SELECT CASE WHEN id = 1 THEN ? ELSE n END FROM jobs", "SELECT CASE WHEN id = 1 THEN n ELSE ? END FROM jobs",
    "SELECT CASE WHEN id = 1 THEN day ELSE ? END FROM jobs", "SELECT CASE ? WHEN 1 THEN 'a' ELSE 'b' END FROM jobs",
    "SELECT CASE id WHEN ? THEN 'a' ELSE 'b' END FROM jobs", "SELECT CASE WHEN id > 2 THEN ? ELSE 'x' END FROM jobs",
    "SELECT SUM(n = ?), SUM(?), MAX(?) FROM jobs", "SELECT IFNULL(n, ?), NULLIF(n, ?) FROM jobs",
    "SELECT CAST(? AS TEXT) FROM jobs", "SELECT CAST(? AS INTEGER) FROM jobs", "SELECT lower(?), typeof(?) FROM jobs",
    "SELECT SUM(n) FROM jobs HAVING SUM(n) > ?",
    "SELECT name, COUNT(*) c FROM jobs GROUP BY name HAVING c > ? ORDER BY 1",
    "SELECT ? AS x, id FROM jobs ORDER BY x, id",
    "UPDATE jobs SET n = ?", "UPDATE jobs SET score = ?", "UPDATE jobs SET price = ?", "UPDATE jobs SET active = ?",
    "UPDATE jobs SET name = ?", "UPDATE jobs SET day = ?", "UPDATE jobs SET created_at = ?", "UPDATE jobs SET data = ?",
    "UPDATE jobs SET state = ?", "UPDATE jobs SET blob = ?", "UPDATE jobs SET n = n + ?",
    "UPDATE jobs SET price = price + ?",
    "UPDATE jobs SET score = COALESCE(score, ?)", "UPDATE jobs SET price = ? * 2", "UPDATE jobs SET active = NOT ?",
    "UPDATE jobs SET price = CASE WHEN id > 2 THEN ? ELSE price END", "UPDATE jobs SET n = 1 WHERE active = ?",
    "UPDATE jobs SET active = COALESCE(?, active)", "UPDATE jobs SET day = COALESCE(?, day)",
    "INSERT INTO jobs (score, price, active) VALUES (?, ?, ?)", "INSERT INTO jobs (n, name, state) VALUES (?, ?, ?)",
    "INSERT INTO jobs (day, created_at, data, blob) VALUES (?, ?, ?, ?)",
    "DELETE FROM jobs WHERE price = ? OR active = ?",
)  # fmt: skip


@pytest.mark.parametrize("sql", WITH_PARAMETER)
def test_a_parameter_is_bound_as_it_was(sql: str) -> None:
    statement = parsed(sql)
    fetch = Fetch.ALL if statement.kind is Kind.SELECT else Fetch.ROWCOUNT
    made = write(statement, request(statement, fetch=fetch))
    if not isinstance(made, Written) or "bind-type" in {effect.code for effect in made.effects}:
        assert isinstance(made, Written) or made.code == "sql-not-supported"
        return
    for value in PARAMETERS:
        given = tuple(value for _ in statement.slots)
        names = {f"p{place}": value for place, value in enumerate(given)}
        check(made, sql, given, names, fetch)
        known = write(statement, request(statement, arguments=tuple(Argument(repr(v)) for v in given), fetch=fetch))
        if isinstance(known, Written) and "bind-type" not in {effect.code for effect in known.effects}:
            check(known, sql, given, {}, fetch)


def check(made: Written, sql: str, given: tuple[Any, ...], names: dict[str, Any], fetch: Fetch) -> None:
    try:
        old = raw(sql, given, fetch, ODD)
    except (sqlite3.Error, OverflowError) as error:
        with pytest.raises((SQLAlchemyError, type(error))):
            evaluate(made, names, fetch, ODD)
        return
    new = evaluate(made, names, fetch, ODD)
    assert repr(new.tables) == repr(old.tables), (made.text, given)
    if fetch is Fetch.ALL and not any(column.changes_type for column in made.columns):
        assert repr([tuple(row) for row in new.result]) == repr(old.result), (made.text, given)
    elif fetch is Fetch.ALL:
        assert any(column.column for column in made.columns), made.text


LITERALS = (
    ("UPDATE jobs SET active = ?, price = ?, score = ?", ("1", "5", "-7"), "values(active=1, price=5, score=-7)"),
    ("INSERT INTO jobs (active, price) VALUES (?, ?)", ("0", "2.5"), "values(active=0, price=2.5)"),
    ("UPDATE jobs SET active = ?, price = ?", ("2", str(2**60)), f"values(active=literal(2), price=literal({2**60}))"),
    ("UPDATE jobs SET score = ?, price = ?", ("len(x)", "len(x)"), "values(score=len(x), price=literal(len(x)))"),
    ("SELECT id FROM jobs WHERE id IN (?, ?)", ("1", "int(x)"), "Job.id.in_([1, int(x)])"),
    ("SELECT id FROM jobs WHERE name IN (?, ?)", ("'a'", "f'{x}'"), "Job.name.in_(['a', f'{x}'])"),
    ("SELECT id FROM jobs WHERE id IN (?, ?)", ("x", "y"), "Job.id.in_([literal(x), literal(y)])"),
    ("SELECT id FROM jobs WHERE id IN (?)", ("x",), "Job.id.in_([x])"),
    ("SELECT id FROM jobs WHERE id = ?", ("x",), "Job.id == x"),
)


@pytest.mark.parametrize(("sql", "arguments", "text"), LITERALS)
def test_what_the_code_shows_of_a_value_is_used(sql: str, arguments: tuple[str, ...], text: str) -> None:
    statement = parsed(sql)
    ask = request(statement, arguments=tuple(map(Argument, arguments)), fetch=Fetch.NONE)
    made = write(statement, ask)
    assert isinstance(made, Written)
    assert text in made.text
    assert prove(statement, made, ask).verdict is Verdict.PROVEN


def test_a_certificate_quotes_statements_on_one_line() -> None:
    statement = parsed("\n  SELECT id, -- the key\n    'a   b'\n  FROM jobs /* all */ WHERE id = ?\n")
    ask = request(statement)
    made = write(statement, ask)
    assert isinstance(made, Written)
    certificate = prove(statement, made, ask)
    assert certificate.before == "SELECT id, 'a   b' FROM jobs WHERE id = :p0"
    assert "\n" not in certificate.after
