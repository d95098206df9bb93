"""What is left of a function beside its statements: variables that nothing reads go, comments keep their order."""

import pytest

from tests.rules.cursor_runs import World, world
from tests.rules.test_cursor_attacks_told import _HEAD, _f, _planned

__all__ = ["world"]

_LIST = """def f(ids):
    conn = open_db()
    marks = ",".join("?" * len(ids))
    args = {made}
    rows = conn.execute(f"SELECT title FROM jobs WHERE id IN ({{marks}})", args).fetchall()
{behind}    conn.close()
    return [r[0] for r in rows]
"""


@pytest.mark.parametrize("made", ["tuple(ids)", "list(ids)", "[*ids]"])
def test_a_copy_of_the_list_goes(world: World, made: str) -> None:
    text = _LIST.format(made=made, behind="")
    after, effects, reasons = _planned(text)
    assert (effects, reasons) == (set(), [])
    assert "args" not in after
    assert "marks" not in after
    for ids in ([1, 2], (3,), []):
        assert world.run(_HEAD + text, _f(ids)).result == world.run(after, _f(ids)).result


def test_a_copy_that_is_read_stays(world: World) -> None:
    text = _LIST.format(made="tuple(ids)", behind="    ids.append(len(args))\n")
    after, _, reasons = _planned(text)
    old, new = ([1, 2], [1, 2])
    world.run(_HEAD + text, _f(old))
    if not reasons:
        assert "args = tuple(ids)" in after
        world.run(after, _f(new))
        assert new == old


def test_comments_of_the_fetch_stand_above_it() -> None:
    text = """def f():
    conn = open_db()
    cur = conn.cursor()
    # ask
    cur.execute("SELECT title FROM jobs WHERE id = 1")
    # read
    row = cur.fetchone()
    # close
    conn.close()
    return row[0]
"""
    after, _, _ = _planned(text)
    said = [line.strip() for line in after.splitlines()]
    assert said[said.index("# ask") + 1] == "# read"
    assert said[said.index("# read") + 1].startswith("row = ")
