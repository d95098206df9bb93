"""Rows of sqlite3.Row that are read by a key that is no constant: run before and after on a real database."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.rules.cursor_runs import World, world
from tests.rules.test_cursor_attacks_told import _HEAD, _f, _planned

__all__ = ["world"]

_TEXT = """{above}def f(*given):
    conn = open_db()
    conn.row_factory = sqlite3.Row
    rows = conn.execute("SELECT id, title FROM jobs ORDER BY id").fetchall()
    conn.close()
    row = rows[0]
    key = given[0] if given else None
{body}
"""
_Case = tuple[str, str, list[Callable[[Any], Any]]]


def _text(above: str, body: str) -> str:
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return _TEXT.format(above=f"{above}\n\n\n" if above else "", body=lines)


_SAME: dict[str, _Case] = {
    "names as they are written": ("", 'return [[r[c] for c in ("id", "title")] for r in rows]', [_f()]),
    "a constant's names": (
        'COLS = ["id", "title"]',
        "out = []\nfor c in COLS:\n    out.append(row[c])\nreturn out",
        [_f()],
    ),
    "pairs of a constant": ('COLS = (("Id", "id"), ("T", "title"))', "return [(t, row[k]) for t, k in COLS]", [_f()]),
    "keys of a dict": ("", 'return {v: row[k] for k, v in {"id": 1, "title": 2}.items()}', [_f()]),
    "places of a range": ("", "return [[r[i] for i in range(len(r))] for r in rows]", [_f()]),
    "places, counted": ("", 'return [(n, row[i]) for i, n in enumerate(["a", "b"])], row[len(row) - 1]', [_f()]),
    "its own keys": ("", "return [{k: r[k] for k in r.keys()} for r in rows]", [_f()]),
    "the keys of the first": ("", "keys = rows[0].keys()\nreturn [[r[k] for k in keys] for r in rows]", [_f()]),
    "one of its own keys": ("", "return row[key] if key in row.keys() else 0", [_f("id"), _f("ID"), _f(1)]),
    "one of those allowed": (
        "", 'if key in ("id", "title"):\n    return row[key]\nreturn 0', [_f("id"), _f("ID"), _f(1)]
    ),
    "one or the other": ("", 'name = "id" if given else "title"\nreturn row[name]', [_f(), _f(1)]),
}  # fmt: skip
_TOLD: dict[str, _Case] = {
    "a place": ("", "return row[key]", [_f(1)]),
    "another case": ("", "return row[key]", [_f("TITLE")]),
    "no column": ("", "return row[key]", [_f("x")]),
    "no column, caught": ("", "try:\n    return row[key]\nexcept IndexError:\n    return 0", [_f("x")]),
    "a name put together": ("", 'return row[f"{key}le"]', [_f("TIT")]),
    "a list that grows": (
        'COLS = ["id"]\n\n\ndef more():\n    COLS.append("TITLE")', "more()\nreturn [row[c] for c in COLS]", [_f()]
    ),
    "a list with another name": (
        "", 'cols = ["id"]\nmine = cols\nmine.append("TITLE")\nreturn [row[c] for c in cols]', [_f()]
    ),
    "a list that others fill": (
        'def fill(names):\n    names.append("TITLE")',
        'cols = ["id"]\nfill(cols)\nreturn [row[c] for c in cols]',
        [_f()],
    ),
    "a parameter named like a constant": ('k = "id"', 'return (lambda k: row[k])("TITLE"), row[k]', [_f()]),
    "a test of another name": ("", 'other = "id"\nreturn row[key] if other in row.keys() else 0', [_f("ID")]),
    "the other branch": ("", "return 0 if key in row.keys() else row[key]", [_f("ID")]),
}  # fmt: skip
_STAYS = {
    "a name in another case": 'return [row[c] for c in ("id", "TITLE")]',
    "a name of no column": 'return [row[c] for c in ("id", "count")]',
    "a name or a place": 'return [row[c] for c in ("id", 1)]',
}


_NONE = """def f(wanted):
    conn = open_db()
    conn.row_factory = sqlite3.Row
    row = conn.execute("SELECT id, title FROM jobs WHERE id = ?", (wanted,)).fetchone()
    conn.close()
    try:
        {line}
    except {error}:
        return "none"
"""


@pytest.mark.parametrize("name", list(_SAME))
def test_known_keys_are_safe(world: World, name: str) -> None:
    above, body, calls = _SAME[name]
    text = _text(above, body)
    after, effects, reasons = _planned(text)
    assert (effects, reasons) == (set(), [])
    for call in calls:
        old, new = world.run(_HEAD + text, call), world.run(after, call)
        assert repr(new.result) == repr(old.result)
        assert (old.error, new.error) == (None, None)


@pytest.mark.parametrize("name", list(_TOLD))
def test_unknown_keys_are_told(world: World, name: str) -> None:
    above, body, calls = _TOLD[name]
    text = _text(above, body)
    after, effects, reasons = _planned(text)
    assert (effects, reasons) == ({"row-key"}, [])
    for call in calls:
        old, new = world.run(_HEAD + text, call), world.run(after, call)
        assert (repr(new.result), type(new.error)) != (repr(old.result), type(old.error))


@pytest.mark.parametrize("name", list(_STAYS))
def test_keys_that_are_no_names_stay(name: str) -> None:
    text = _text("", _STAYS[name])
    after, _, reasons = _planned(text)
    assert (after, reasons) == (_HEAD + text, ["row-use"])


@pytest.mark.parametrize("line", ['return [row[c] for c in ("id", "title")]', "return dict(row)"])
def test_a_row_that_may_be_none_stays_where_a_handler_catches_that(line: str) -> None:
    text = _NONE.format(line=line, error="TypeError")
    after, _, reasons = _planned(text)
    assert (after, reasons) == (_HEAD + text, ["row-use"])


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ('return [row[c] for c in ("id", "title")]', "KeyError"),
        ("return dict(row) if row else 0", "TypeError"),
        ('return row["title"]', "TypeError"),
    ],
)
def test_a_row_that_may_be_none_elsewhere(world: World, line: str, error: str) -> None:
    text = _NONE.format(line=line, error=error)
    after, effects, reasons = _planned(text)
    assert (effects, reasons) == (set(), [])
    for call in [_f(1), _f(99)] if error == "TypeError" else [_f(1)]:
        assert world.run(after, call).result == world.run(_HEAD + text, call).result is not None
