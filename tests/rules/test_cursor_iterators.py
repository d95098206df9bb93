"""Placeholders counted from what can be read only once: the count takes all of it, and nothing is left to pass."""

import sqlite3

import pytest

from tests.rules.cursor_runs import World, world
from tests.rules.test_cursor_attacks_told import _HEAD, _f, _planned

__all__ = ["world"]

_TEXT = """import csv
import io
import itertools
from collections.abc import Iterator


def numbers():
    yield 1
    yield 2


def plain():
    return [1, 2]


class Kept:
    def __init__(self, once):
        self.ids = iter((1, 2)) if once else (1, 2)


def f(given=None):
{made}
    conn = open_db()
    try:
        marks = ",".join("?" for _ in ids)
        rows = conn.execute(f"SELECT id FROM jobs WHERE id IN ({{marks}}) ORDER BY id", {passed}).fetchall()
        return [r[0] for r in rows]
    finally:
        conn.close()
"""
_ONCE = {
    "a generator": "ids = (n for n in (1, 2))",
    "a map": 'ids = map(int, "12")',
    "a filter": "ids = filter(None, [1, 0, 2])",
    "a zip": "ids = zip([1, 2])",
    "an iter": "ids = iter([1, 2])",
    "reversed": "ids = reversed([2, 1])",
    "a generator function": "ids = numbers()",
    "itertools": "ids = itertools.chain([1], [2])",
    "a reader of csv": 'ids = csv.reader(["1", "2"])',
    "lines of a file": 'ids = io.StringIO("1\\n2\\n")',
    "one of two": "ids = given or numbers()",
    "chosen by a branch": "ids = [3]\n    if not given:\n        ids = numbers()",
    "another name for it": "made = numbers()\n    ids = made",
    "said so": "ids: Iterator[int] = numbers()",
}
_AGAIN = {
    "a list": "ids = [1, 2]",
    "a range": "ids = range(1, 3)",
    "keys of a dict": 'ids = {1: "a", 2: "b"}.keys()',
    "a sorted iterator": "ids = sorted(numbers())",
    "a function that returns a list": "ids = plain()",
    "a list of a generator": "ids = list(numbers())",
    "a parameter": "ids = given or [1, 2]",
}
_CALLED = """def f(ids):
    conn = open_db()
    marks = ",".join("?" for _ in ids)
    rows = conn.execute(f"SELECT id FROM jobs WHERE id IN ({{marks}}) ORDER BY id", list(ids)).fetchall()
    conn.close()
    return [r[0] for r in rows]


def g():
    return f({given})
"""


@pytest.mark.parametrize("passed", ["list(ids)", "[*ids]"])
@pytest.mark.parametrize("name", list(_ONCE))
def test_what_is_read_once_stays(world: World, name: str, passed: str) -> None:
    text = _TEXT.format(made=f"    {_ONCE[name]}", passed=passed)
    after, _, reasons = _planned(text)
    assert after == _HEAD + text
    assert set(reasons) <= {"parameters-unknown", "sql-not-parsed"}
    assert isinstance(world.run(_HEAD + text, _f()).error, sqlite3.ProgrammingError)


@pytest.mark.parametrize("name", list(_AGAIN))
def test_what_is_read_again_is_the_same(world: World, name: str) -> None:
    text = _TEXT.format(made=f"    {_AGAIN[name]}", passed="list(ids)")
    after, effects, reasons = _planned(text)
    assert (effects, reasons) == (set(), [])
    old, new = world.run(_HEAD + text, _f()), world.run(after, _f())
    assert old.result == new.result == [1, 2]


@pytest.mark.parametrize("given", ["map(int, '12')", "ids=(n for n in (1, 2))"])
def test_what_a_caller_of_the_file_gives_once_stays(given: str) -> None:
    text = _CALLED.format(given=given)
    assert _planned(text) == (_HEAD + text, set(), ["parameters-unknown"])
    assert _planned(_CALLED.format(given="[1, 2]"))[2] == []
