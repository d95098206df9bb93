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
