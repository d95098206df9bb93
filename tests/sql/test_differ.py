"""Forms that surely mean something else, and those of which it cannot be told, where no server is at hand."""

from dataclasses import replace
from typing import Any

import pytest
from ormlift.model import Verdict
from ormlift.sql import write as writing
from ormlift.sql.canonical import Canonical
from ormlift.sql.dialects import parse
from ormlift.sql.differ import surely_different
from ormlift.sql.prove import prove
from ormlift.sql.read import read
from ormlift.sql.statement import Request, Statement, Written
from ormlift.sql.write import write

from tests.sql.world import MODELS

_BINDS = {"p0": ("slot", 0), "p1": ("slot", 1)}


def _form(sql: str, dialect: str) -> object:
    tree = parse(sql, dialect)[0]
    assert tree is not None
    return Canonical(dialect, MODELS, dict(_BINDS), one_row=False, compiled=False).statement(tree)


_OTHER = [
    ("SELECT id FROM jobs WHERE n = 1", "SELECT id FROM jobs WHERE n = 2"),
    ("SELECT id FROM jobs WHERE n < 1", "SELECT id FROM jobs WHERE n <= 1"),
    ("SELECT id FROM jobs WHERE n = 1", "SELECT id FROM jobs WHERE id = 1"),
    ("SELECT id, name FROM jobs", "SELECT id, n FROM jobs"),
    ("SELECT id FROM jobs WHERE name = 'a'", "SELECT id FROM jobs WHERE name = 'b'"),
    ("SELECT id FROM jobs WHERE n = :p0 AND id = :p1", "SELECT id FROM jobs WHERE n = :p0 AND id = :p0"),
    ("UPDATE jobs SET n = :p0 WHERE id = :p1", "UPDATE jobs SET n = :p1 WHERE id = :p1"),
    ("DELETE FROM jobs WHERE n > 1", "DELETE FROM jobs WHERE n <> 1"),
    ("SELECT id FROM jobs ORDER BY name", "SELECT id FROM jobs ORDER BY n"),
    ("SELECT id FROM jobs LIMIT 1", "SELECT id FROM jobs LIMIT 2"),
]
_UNTOLD = [
    ("SELECT id FROM jobs WHERE n = 1", "SELECT id FROM jobs WHERE n = 1"),
    ("SELECT id FROM jobs WHERE n = 1", "SELECT id FROM jobs WHERE n = 1.0"),
    ("SELECT id FROM jobs WHERE n = :p0 AND id = :p1", "SELECT id FROM jobs WHERE id = :p1 AND n = :p0"),
    ("SELECT id FROM jobs WHERE n > 1", "SELECT id FROM jobs WHERE NOT n IN (1)"),
    ("SELECT id FROM jobs WHERE name = '{a,b}'", "SELECT id FROM jobs WHERE name = 'a,b'"),
    ("SELECT first_thing(name) FROM jobs", "SELECT other_thing(name) FROM jobs"),
    ("SELECT id FROM jobs WHERE n = 1", "SELECT id FROM jobs WHERE n = 1 AND id = 2"),
]


@pytest.mark.parametrize("dialect", ["postgresql", "mysql"])
@pytest.mark.parametrize(("old", "new"), _OTHER)
def test_other_values_in_the_same_places_are_different(old: str, new: str, dialect: str) -> None:
    assert surely_different(_form(old, dialect), _form(new, dialect))


@pytest.mark.parametrize("dialect", ["postgresql", "mysql"])
@pytest.mark.parametrize(("old", "new"), _UNTOLD)
def test_what_may_be_the_same_is_not_told(old: str, new: str, dialect: str) -> None:
    assert surely_different(_form(old, dialect), _form(new, dialect)) == ""


@pytest.mark.parametrize("dialect", ["postgresql", "mysql"])
def test_the_certificate_says_so_without_a_server(dialect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The prover alone, on what a writer that errs would write."""
    statement = read("SELECT id FROM jobs WHERE n = 1", "pyformat", dialect)
    assert isinstance(statement, Statement)
    ask = Request(MODELS)
    good = write(statement, ask)
    assert isinstance(good, Written)
    assert prove(statement, good, ask).verdict is Verdict.PROVEN

    def errs(_statement: object, asked: Any) -> Written:
        made = write(statement, asked)
        assert isinstance(made, Written)
        return replace(made, text=made.text.replace("== 1", "== 2"))

    bad = errs(statement, ask)
    monkeypatch.setattr(writing, "write", errs)
    certificate = prove(statement, bad, ask)
    assert certificate.verdict is Verdict.DIFFERENT
    assert any("other values" in step for step in certificate.steps)
