"""Generators over a cursor read its rows later: before the close, which is the same, or behind it, which raised."""

import sqlite3

import pytest

from tests.rules.cursor_runs import World, world
from tests.rules.test_cursor_attacks_told import _HEAD, _f, _planned

__all__ = ["world"]

_TEXT = """def f(*given):
    conn = open_db()
    cur = conn.execute("SELECT id, title FROM jobs ORDER BY id")
{body}
"""
_MADE = "g = (r[1] for r in cur)\n"
_BEHIND = {
    "a generator": f"{_MADE}conn.close()\nreturn list(g)",
    "a generator, looped over": f"{_MADE}conn.close()\nreturn [x for x in g]",
    "a map": "g = map(len, cur)\nconn.close()\nreturn list(g)",
    "a filter of a generator": f"{_MADE}h = filter(None, g)\nconn.close()\nreturn list(h)",
    "closed in a finally": f"try:\n    {_MADE}finally:\n    conn.close()\nreturn list(g)",
    "closed under an if": f"{_MADE}if cur:\n    conn.close()\nreturn list(g)",
    "returned, closed in a finally": "try:\n    return (r[1] for r in cur)\nfinally:\n    conn.close()",
}
_BEFORE = {
    "a generator": f"{_MADE}out = list(g)\nconn.close()\nreturn out",
    "a filter of a generator": f"{_MADE}h = filter(None, g)\nout = [x for x in h]\nconn.close()\nreturn out",
    "closed in a finally": f"try:\n    {_MADE}    return list(g)\nfinally:\n    conn.close()",
    "closed on a way that ends": f"{_MADE}if given:\n    conn.close()\n    return 0\nreturn list(g)",
    "joined at once": 'out = ",".join(r[1] for r in cur)\nconn.close()\nreturn out',
    "of rows that are fetched": "rows = cur.fetchall()\ng = (r[1] for r in rows)\nconn.close()\nreturn list(g)",
}


def _text(body: str) -> str:
    return _TEXT.format(body="\n".join(f"    {line}" for line in body.splitlines()))


@pytest.mark.parametrize("name", list(_BEHIND))
def test_rows_read_behind_the_close_stay(world: World, name: str) -> None:
    text = _text(_BEHIND[name])
    after, _, reasons = _planned(text)
    assert (after, reasons) == (_HEAD + text, ["unclear-connection"])
    assert isinstance(world.run(_HEAD + text, lambda space: list(space["f"]())).error, sqlite3.ProgrammingError)


@pytest.mark.parametrize("name", list(_BEFORE))
def test_rows_read_before_the_close_are_the_same(world: World, name: str) -> None:
    text = _text(_BEFORE[name])
    after, effects, reasons = _planned(text)
    assert (effects, reasons) == (set(), [])
    assert "session.execute(" in after
    for call in (_f(), _f(1)):
        old, new = world.run(_HEAD + text, call), world.run(after, call)
        assert (old.error, new.error, new.result) == (None, None, old.result)


_YIELDS = """def rows():
    conn = open_db()
    cur = conn.execute("SELECT id, count FROM jobs ORDER BY id")
{body}
    conn.close()


def f():
    out = []
    for number, count in rows():
        other = sqlite3.connect("jobs.db", timeout=0)
        try:
            other.execute("UPDATE jobs SET count = 77 WHERE id = ?", (number + 1,))
            other.commit()
            out.append((number, count))
        except sqlite3.OperationalError:
            out.append("locked")
        finally:
            other.close()
    return out
"""
_AMID = {
    "in a loop": "for row in cur:\n    yield row[0], row[1]",
    "in a loop over fetchone": "row = cur.fetchone()\nwhile row:\n    yield row[0], row[1]\n    row = cur.fetchone()",
    "between two fetches": "one = cur.fetchone()\nyield one[0], one[1]\ntwo = cur.fetchone()\nyield two[0], two[1]",
}
_BEHIND_ALL = {
    "all fetched": "for row in cur.fetchall():\n    yield row[0], row[1]",
    "a list": "for row in list(cur):\n    yield row[0], row[1]",
    "behind the loop": "out = []\nfor row in cur:\n    out.append((row[0], row[1]))\nyield from out",
}


def _lines(body: str) -> str:
    return _YIELDS.format(body="\n".join(f"    {line}" for line in body.splitlines()))


@pytest.mark.parametrize("name", list(_AMID))
def test_a_yield_amid_the_rows_is_told(world: World, name: str) -> None:
    text = _lines(_AMID[name])
    after, effects, _ = _planned(text)
    assert "reads-ahead" in effects
    head, _, rest = after.partition("def f():")  # its own connection stays as it is here
    old, new = world.run(_HEAD + text, _f()), world.run(head + "def f():" + text.partition("def f():")[2], _f())
    assert rest
    assert "locked" in old.result
    assert "locked" not in new.result


@pytest.mark.parametrize("name", list(_BEHIND_ALL))
def test_a_yield_behind_all_rows_is_the_same(world: World, name: str) -> None:
    text = _lines(_BEHIND_ALL[name])
    after, effects, _ = _planned(text)
    assert "reads-ahead" not in effects
    assert "session.execute(" in after
    old, new = world.run(_HEAD + text, _f()), world.run(after, _f())
    assert (old.error, new.error, new.result) == (None, None, old.result)
