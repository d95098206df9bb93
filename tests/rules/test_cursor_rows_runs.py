"""What rows by name are where they arrive, on a real database, before and after."""

from collections.abc import Callable
from typing import Any

import pytest
from ormlift.rules.examples.cursor_rows import EXAMPLES

from tests.rules.cursor_runs import World, world

__all__ = ["world"]


def _texts(title: str) -> tuple[str, str]:
    (example,) = [e for e in EXAMPLES if e.title == title]
    assert example.after is not None
    return example.before, example.after


def _sent(space: Any) -> list[Any]:
    found: list[Any] = []
    space["tell"](found.append)
    return found


_ROWS = "rows by name that leave the function"
_SAME: list[tuple[str, Callable[[Any], Any]]] = [
    (_ROWS, lambda s: [dict(row) for row in s["jobs"]()]),
    (_ROWS, lambda s: [(row["ticket"], row["stage"], list(row.keys()), len(row)) for row in s["jobs"]()]),
    ("a row by name, or None, that leaves the function", lambda s: [dict(s["job"](t) or {}) for t in ("T-2", "T-9")]),
    ("rows by name that are handed on one by one", lambda s: [row["stage"] for row in _sent(s)]),
]


@pytest.mark.parametrize(("title", "call"), _SAME, ids=lambda v: v if isinstance(v, str) else "")
def test_before_and_after_do_the_same(world: World, title: str, call: Callable[[Any], Any]) -> None:
    before, after = (world.run(text, call) for text in _texts(title))
    assert before.error is None
    assert after.error is None
    assert before.result
    assert repr(after.result) == repr(before.result)  # values and types
    assert after.rows == before.rows


def test_effect_row_leaves_is_what_happens(world: World) -> None:
    before, after = (world.run(text, lambda s: s["jobs"]()[0][0]) for text in _texts(_ROWS))
    assert before.result == "T-1"
    assert isinstance(after.error, KeyError)
