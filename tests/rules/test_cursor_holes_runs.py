"""What SQL text with holes does on a real database, before and after."""

from collections.abc import Callable
from typing import Any

import pytest
from ormlift.model import Planned
from ormlift.rules.examples.cursor_holes import EXAMPLES

from tests.rules.cursor_runs import ROWS, World, planned, world

__all__ = ["world"]


def _texts(title: str) -> tuple[str, str]:
    (example,) = [e for e in EXAMPLES if e.title == title]
    assert example.after is not None
    return example.before, example.after


_LIST = "a list of placeholders as long as a list"
_SAME: list[tuple[str, Callable[[Any], Any]]] = [
    (_LIST, lambda s: [s["titles"](ids) for ids in ([1], [2, 3], (4, 1), ["1", 2], [None, 1], [99], [])]),
    ("a parameter before the list", lambda s: [s["move"](7, [1, 2]), s["move"](8, []), s["move"](9, (3,))]),
    (
        "a list of dates, which the column's type would convert",
        lambda s: [s["passed"](days) for days in (["2024-05-01 10:00:00.000000"], ["x", None], [])],
    ),
    ("a value put into the text", lambda s: [s["named"](t) for t in ("one", "größer", "", 5, None, "x%")]),
    ("values formatted into the text", lambda s: [s["like"](w, n) for w, n in (("o", 9), ("", 4), ("ö", 1))]),
    (
        "a list of values put into the text",
        lambda s: [s["some"](ids) for ids in ([1], [2, 3], (4, 1), {99}, [], ["2"])],
    ),
    (
        "numbers put into the text, of which nothing tells that they are",
        lambda s: [
            s["rows_of"](n, [{"id": i} for i in ids]) for n, ids in ((2, [2, 3]), ("1", [1]), (1.0, ()), (7, [1]))
        ],
    ),
    ("parameters that nothing is known of", lambda s: [s["rename"](("new", 2)), s["rename"](["x", "3"])]),
]


@pytest.mark.parametrize(("title", "call"), _SAME, ids=lambda v: v if isinstance(v, str) else "")
def test_before_and_after_do_the_same(world: World, title: str, call: Callable[[Any], Any]) -> None:
    before, after = (world.run(text, call) for text in _texts(title))
    assert before.error is None
    assert after.error is None
    assert repr(after.result) == repr(before.result)  # values and types
    assert after.rows == before.rows


def test_effect_interpolated_is_what_happens(world: World) -> None:
    """What closed the string and added a condition is a plain value now."""
    attack = "x' OR '1' = '1"
    before, after = (world.run(text, lambda s: s["named"](attack)) for text in _texts("a value put into the text"))
    assert len(before.result) == len(ROWS)
    assert after.result == []


def test_a_quote_in_a_value_failed_and_finds_now(world: World) -> None:
    def call(space: Any) -> Any:
        space["open_db"] = space.get("open_db")
        return space["named"]("o'clock")

    before, after = (world.run(text, call) for text in _texts("a value put into the text"))
    assert before.error is not None
    assert after.result == []


def test_a_name_in_the_place_of_a_number_was_one_and_is_none_now(world: World) -> None:
    title = "numbers put into the text, of which nothing tells that they are"
    before, after = (world.run(text, lambda s: s["rows_of"]("stage", [{"id": 1}])) for text in _texts(title))
    assert before.result == ["T-1"]
    assert after.result == []


def test_a_float_is_cut_as_the_text_cut_it(world: World) -> None:
    text = """\
from app.db import open_db


def at(stage, whole: int):
    conn = open_db()
    rows = conn.execute("SELECT id FROM jobs WHERE stage = %d AND id <> %d ORDER BY id" % (stage, whole)).fetchall()
    conn.close()
    return [r[0] for r in rows]
"""
    outcome = planned(text)
    assert isinstance(outcome, Planned), outcome
    assert "Job.stage == int(stage), Job.id != whole" in outcome.after.text
    before, after = (
        world.run(t, lambda s: [s["at"](n, 4) for n in (1.7, 2, True)]) for t in (text, outcome.after.text)
    )
    assert before.error is after.error is None
    assert any(before.result)
    assert after.result == before.result


def test_one_value_that_is_cut_in_one_place_only() -> None:
    text = """\
from app.db import open_db


def at(n):
    conn = open_db()
    rows = conn.execute("SELECT id FROM jobs WHERE stage = %(n)d AND ticket <> '%(n)s'" % {"n": n}).fetchall()
    conn.close()
    return [r[0] for r in rows]
"""
    outcome = planned(text)
    assert isinstance(outcome, Planned), outcome
    assert "Job.stage == int(n), Job.ticket != str(n)" in outcome.after.text
