"""What functions do whose connection a decorator hands in, on a real database, before and after."""

from collections.abc import Callable
from typing import Any

import pytest
from ormlift.rules.examples.cursor_given import EXAMPLES, PROJECT

from tests.rules.cursor_runs import World, world

__all__ = ["world"]


def _texts(title: str) -> tuple[str, str]:
    (example,) = [e for e in EXAMPLES if e.title == title]
    assert example.after is not None
    return example.before, example.after


_SAME: list[tuple[str, Callable[[Any], Any]]] = [
    ("a cursor that a decorator hands in", lambda s: [s["title_of"](t) for t in ("T-1", "none")]),
    ("a write on a connection that a decorator hands in", lambda s: [s["move"]("T-1", 7), s["move"]("none", stage=1)]),
    ("a connection handed in behind self", lambda s: s["Board"]().stage_of("T-2")),
]


@pytest.mark.parametrize(("title", "call"), _SAME, ids=lambda v: v if isinstance(v, str) else "")
def test_before_and_after_do_the_same(world: World, title: str, call: Callable[[Any], Any]) -> None:
    (world.root / "app/give.py").write_text(PROJECT["app/give.py"])
    before, after = (world.run(text, call) for text in _texts(title))
    assert before.error is None
    assert after.error is None
    assert repr(after.result) == repr(before.result)
    assert after.rows == before.rows
