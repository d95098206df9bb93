"""Lists of names of cursor.description that the code changes, or only reads, beside the dicts made with them."""

import pytest

from tests.rules.cursor_runs import World, world
from tests.rules.test_cursor_attacks_told import _HEAD, _f, _planned

__all__ = ["world"]

_TEXT = """{above}def f(*given):
    conn = open_db()
    cur = conn.execute("SELECT id, title FROM jobs ORDER BY id")
    names = [d[0] for d in cur.description]
    {before}
    out = []
    for row in cur.fetchall():
        out.append(dict(zip(names, row)))
        {inside}
    conn.close()
    {end}
"""


def _text(above: str = "", before: str = "", inside: str = "", end: str = "return out") -> str:
    before, inside = (text or "given" for text in (before, inside))
    return _TEXT.format(above=f"{above}\n\n\n" if above else "", before=before, inside=inside, end=end)


_FIX = 'def fix(names):\n    names[0] = "key"'
_CHANGED = {
    "an item is set": _text(before='names[0] = "key"'),
    "an item goes": _text(before="del names[0]"),
    "turned round": _text(before="names.reverse()"),
    "by a function": _text(_FIX, before="fix(names)"),
    "by another name": _text(before='n = names; n[0] = "key"'),
    "by a name of one of two": _text(before='n = names if not given else []; n[0] = "key"'),
    "from inside another list": _text(before='box = [names]; box[0][0] = "key"'),
    "in a tuple": _text(before='n, _ = names, given; n[0] = "key"'),
    "by a method that is kept": _text(before='add = names.insert; add(0, "key")'),
    "behind the dict, in the loop": _text(inside='names[0] = "key"'),
    "by name, of rows by name": _text(before='names[0] = "key"').replace(
        "    cur = ", "    conn.row_factory = sqlite3.Row\n    cur = "
    ),
}
_READ = {
    "returned": _text(end='return {"columns": names, "rows": out}'),
    "returned among others": _text(end="return names, [out], len(names)"),
    "read": _text(before="given = len(names), names[0], ','.join(names), 'id' in names, names.index('id')"),
    "gone through": _text(before="given = [n.upper() for n in names], sorted(names), [*names], names + ['x']"),
    "not at all": _text(),
}


@pytest.mark.parametrize("name", list(_CHANGED))
def test_names_that_change_are_zipped_as_before(world: World, name: str) -> None:
    text = _CHANGED[name]
    after, effects, reasons = _planned(text)
    assert (effects, reasons) == (set(), [])
    assert "dict(zip(names, row))" in after
    old, new = world.run(_HEAD + text, _f()), world.run(after, _f())
    assert old.error is None
    assert old.result[-1] != {"id": 4, "title": ""}
    assert new.result == old.result


@pytest.mark.parametrize("name", list(_READ))
def test_names_that_are_read_leave_the_dict_to_the_row(world: World, name: str) -> None:
    text = _READ[name]
    after, effects, reasons = _planned(text)
    assert (effects, reasons) == (set(), [])
    assert "dict(row._mapping)" in after
    old, new = world.run(_HEAD + text, _f()), world.run(after, _f())
    assert (old.error, new.result) == (None, old.result)
