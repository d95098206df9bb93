"""What `executemany` does on a real database, before and after."""

from collections.abc import Callable
from typing import Any

import pytest
from ormlift.rules.examples.cursor_many import EXAMPLES

from tests.rules.cursor_runs import ROWS, World, world

__all__ = ["world"]


def _texts(title: str) -> tuple[str, str]:
    (example,) = [e for e in EXAMPLES if e.title == title]
    assert example.after is not None
    return example.before, example.after


_MANY, _LISTED, _NAMED = "many rows at once", "many rows out of a comprehension", "many rows by name"
_SAME: list[tuple[str, Callable[[Any], Any]]] = [
    (_MANY, lambda s: s["take_in"]([("T-8", "eight"), ["T-9", "nine"]])),
    (_MANY, lambda s: s["take_in"]((f"T-{n}", str(n)) for n in range(20, 25))),
    (_MANY, lambda s: s["take_in"]([])),
    (_LISTED, lambda s: s["move"]([{"stage": 9, "ticket": "t-1"}, {"stage": 8, "ticket": "none"}])),
    (_LISTED, lambda s: s["move"]([])),
    (_NAMED, lambda s: s["move"]([{"stage": 9, "ticket": "T-1"}, {"stage": 8, "ticket": "T-2", "more": 1}])),
]


@pytest.mark.parametrize(("title", "call"), _SAME)
def test_before_and_after_do_the_same(world: World, title: str, call: Callable[[Any], Any]) -> None:
    before, after = (world.run(text, call) for text in _texts(title))
    assert before.error is None
    assert after.error is None
    assert after.result == before.result
    assert after.rows == before.rows


def test_one_of_many_that_fails_takes_all_back(world: World) -> None:
    before, after = (
        world.run(text, lambda s: s["take_in"]([("T-8", "eight"), ("T-1", "there")])) for text in _texts(_MANY)
    )
    assert type(before.error).__name__ == type(after.error).__name__ == "IntegrityError"
    assert before.rows == after.rows == ROWS
