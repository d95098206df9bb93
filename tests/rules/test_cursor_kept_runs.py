"""What the examples of kept and asynchronous connections do on a real database, before and after."""

from collections.abc import Callable
from typing import Any

import pytest
from ormlift.rules.examples.cursor_kept import EXAMPLES

from tests.rules.cursor_runs import ROWS, World, world

__all__ = ["world"]


def _texts(title: str) -> tuple[str, str]:
    (example,) = [e for e in EXAMPLES if e.title == title]
    assert example.after is not None
    return example.before, example.after


async def _kept(space: Any, call: Callable[[Any], Any]) -> Any:
    """Call with the kept connection open, as the application would."""
    await space["start"]()
    try:
        return await call(space)
    finally:
        await space["db"].close()


_SAME: list[tuple[str, Callable[[Any], Any]]] = [
    ("a connection kept on an object", lambda s: [s["Store"]().title_of(t) for t in ("T-1", "T-4", "none")]),
    (
        "a kept asynchronous connection, and dicts made with the description",
        lambda s: _kept(s, lambda t: t["board"](2)),
    ),
    ("an asynchronous block, and a block for its cursor", lambda s: s["title_of"]("T-3")),
    ("an asynchronous loop over rows", lambda s: s["lines"]()),
    ("asynchronous writes, their count and their new id", lambda s: s["renew"]("T-4", "four")),
    ("rows fetched by one asynchronous call", lambda s: s["total"]()),
    ("dicts made with the description", lambda s: s["jobs"]()),
    ("the names of the columns for a head line", lambda s: s["table"]()),
]


@pytest.mark.parametrize(("title", "call"), _SAME, ids=lambda v: v if isinstance(v, str) else "")
def test_before_and_after_do_the_same(world: World, title: str, call: Callable[[Any], Any]) -> None:
    before, after = (world.run(text, call) for text in _texts(title))
    assert before.error is None
    assert after.error is None
    assert before.result
    assert repr(after.result) == repr(before.result)  # values and types
    assert after.rows == before.rows


def test_an_asynchronous_row_that_is_not_there(world: World) -> None:
    before, after = (
        world.run(text, lambda s: s["title_of"]("none"))
        for text in _texts("an asynchronous block, and a block for its cursor")
    )
    assert before.error is after.error is None
    assert before.result is after.result is None


def test_effect_commit_at_exit_is_what_happens(world: World) -> None:
    """The raw write was lost, since nobody commits on the kept connection before it is gone."""
    before, after = (
        world.run(text, lambda s: s["Store"]().step("T-1", back=False))
        for text in _texts("a write left for others to commit on a kept connection")
    )
    assert before.result == after.result
    assert before.rows == ROWS
    assert after.rows[0][3] == ROWS[0][3] + 1


def test_effect_shared_connection_is_what_happens(world: World) -> None:
    """What is uncommitted on the kept connection is not seen by a session."""

    def call(space: Any) -> Any:
        store = space["Store"]()
        store.conn.execute("UPDATE jobs SET title = 'changed' WHERE ticket = 'T-1'")
        title = store.title_of("T-1")
        store.conn.rollback()
        store.conn.close()
        return title

    before, after = (world.run(text, call) for text in _texts("a connection kept on an object"))
    assert before.result == "changed"
    assert after.result == "one"
