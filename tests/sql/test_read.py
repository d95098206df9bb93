"""Placeholders and refusals of reading."""

from __future__ import annotations

import pytest
from ormlift.model import Reason
from ormlift.sql.dialects import parse
from ormlift.sql.placeholders import placeholders
from ormlift.sql.read import read
from ormlift.sql.statement import REASONS, Fetch, Kind, Statement

from .world import parsed


@pytest.mark.parametrize(
    ("sql", "style", "dialect", "keys"),
    [
        ("SELECT a FROM t WHERE a = ? AND b = ?", "qmark", "sqlite", [0, 1]),
        ("SELECT '?' FROM t WHERE \"?\" = ? -- ?", "qmark", "sqlite", [0]),
        ("SELECT `?`, [?] FROM t /* ? */ WHERE a = ?", "qmark", "sqlite", [0]),
        ("SELECT a FROM t WHERE a = 'it''s ?' AND b = ?", "qmark", "sqlite", [0]),
        ("SELECT a FROM t WHERE a = ?2 AND b = ?1", "qmark", "sqlite", [1, 0]),
        ("SELECT a FROM t WHERE a = :x AND b = @y AND c = $z", "qmark", "sqlite", ["x", "y", "z"]),
        ("SELECT a FROM t WHERE a = :x AND b = :x", "named", "sqlite", ["x", "x"]),
        ("SELECT a FROM t WHERE a = :1 AND b = :2", "numeric", "sqlite", [0, 1]),
        ("SELECT a::text FROM t WHERE a = :x AND b = '12:30'", "named", "postgresql", ["x"]),
        ("SELECT a FROM t WHERE a = %s AND b LIKE '100%%'", "format", "postgresql", [0]),
        ("SELECT a FROM t WHERE a = %(x)s AND b = %(y)s", "pyformat", "postgresql", ["x", "y"]),
        ("SELECT a FROM t WHERE a ? 'k' AND b = %s", "format", "postgresql", [0]),
        ("SELECT $$ %%s $$ FROM t WHERE a = %s", "format", "postgresql", [0]),
        ("SELECT a FROM t WHERE a = 'x\\'?' AND b = ?", "qmark", "mysql", [0]),
        ('SELECT "a?" FROM t # ?\nWHERE b = ?', "qmark", "mysql", [0]),
        ("SELECT a FROM t WHERE a LIKE '5%'", "", "postgresql", []),
    ],
)
def test_placeholders(sql: str, style: str, dialect: str, keys: list[object]) -> None:
    assert [found.key for found in placeholders(sql, style, dialect)] == keys
    assert isinstance(read(sql, style, dialect), Statement)


def test_a_named_parameter_that_occurs_twice_is_one_slot() -> None:
    statement = parsed("UPDATE t SET a = :x, b = :y WHERE c = :x", "named")
    assert [(slot.key, slot.uses) for slot in statement.slots] == [("x", 2), ("y", 1)]
    assert statement.normal == "UPDATE t SET a = :p0, b = :p1 WHERE c = :p0"


def test_doubled_percent_is_one_only_where_the_driver_replaces() -> None:
    assert parsed("SELECT a FROM t WHERE a LIKE 'x%%' AND b = %s", "format", "postgresql").normal.count("%") == 1
    assert parsed("SELECT a FROM t WHERE a LIKE 'x%%'", "", "postgresql").normal.count("%") == 2


@pytest.mark.parametrize(
    ("sql", "style", "code"),
    [
        ("PRAGMA table_info(jobs)", "qmark", "administrative"),
        ("CREATE TABLE t (a INTEGER)", "qmark", "administrative"),
        ("  -- new\n DROP TABLE t", "qmark", "administrative"),
        ("VACUUM", "qmark", "administrative"),
        ("BEGIN IMMEDIATE", "qmark", "administrative"),
        ("SET search_path TO x", "format", "administrative"),
        ("ALTER TABLE t ADD COLUMN b", "qmark", "administrative"),
        ("EXPLAIN QUERY PLAN SELECT 1", "qmark", "administrative"),
        ("DELETE FROM t; DELETE FROM u", "qmark", "several-statements"),
        ("SELECT FROM WHERE", "qmark", "sql-not-parsed"),
        ("SELECT 'open FROM t", "qmark", "sql-not-parsed"),
        ("SELECT a FROM t WHERE b = ? AND c = :d", "qmark", "sql-not-parsed"),
        ("SELECT a FROM t WHERE b LIKE '%s'", "format", "sql-not-parsed"),
        ("SELECT a FROM t WHERE b LIKE 'x%' AND c = %s", "format", "sql-not-parsed"),
        ("", "qmark", "sql-not-parsed"),
        ("hello there", "qmark", "sql-not-parsed"),
    ],
)
def test_refusals(sql: str, style: str, code: str) -> None:
    reason = read(sql, style)
    assert isinstance(reason, Reason)
    assert reason.code == code
    assert reason.code in REASONS
    assert reason.message.endswith(".")


@pytest.mark.parametrize(
    ("sql", "one"),
    [
        ("SELECT COUNT(*) FROM t", True),
        ("SELECT MAX(a) + 1 FROM t WHERE b = 1", True),
        ("SELECT a FROM t", False),
        ("SELECT MAX(a, b) FROM t", False),
        ("SELECT COUNT(*) FROM t GROUP BY a", False),
        ("SELECT COUNT(*) FROM t HAVING COUNT(*) > 1", False),
        ("SELECT COUNT(*) FROM t LIMIT 0", False),
    ],
)
def test_gives_one_row(sql: str, one: bool) -> None:
    assert parsed(sql).gives_one_row is one


def test_tables_and_kind() -> None:
    statement = parsed("SELECT j.a FROM main.jobs j JOIN users u ON u.id = j.u")
    assert statement.kind is Kind.SELECT
    assert statement.tables == (("main", "jobs"), ("", "users"))
    assert Fetch("first") is Fetch.FIRST


@pytest.mark.parametrize(
    "sql", ["SELECT /*+ MAX_EXECUTION_TIME(9) */ id FROM jobs", "SELECT /*! STRAIGHT_JOIN */ 1 FROM t"]
)
def test_a_comment_that_the_server_reads_is_no_comment(sql: str) -> None:
    found = read(sql, "format", "mysql")
    assert isinstance(found, Reason)
    assert found.code == "sql-not-supported"
    assert not isinstance(read(sql.replace("/*!", "/* ").replace("/*+", "/* "), "format", "mysql"), Reason)


def test_a_text_that_cannot_be_read_in_full_is_no_noise(caplog: pytest.LogCaptureFixture) -> None:
    parse("VACUUM FULL jobs", "postgresql")
    assert not caplog.records
