"""Openers that hand out one kept connection, since a decorator keeps what they return."""

import pytest

from tests.rules.cursor_runs import World, world
from tests.rules.test_cursor_attacks_told import _HEAD, _f, _planned

__all__ = ["world"]

_TEXT = """import functools
from functools import cache, lru_cache, wraps


def logged(function):
    @wraps(function)
    def inner(*args):
        return function(*args)
    return inner


{decorator}def db():
    return open_db()


def g():
    conn = db()
    return [row[0] for row in conn.execute("SELECT title FROM jobs ORDER BY id")]


def f():
    conn = db()
    {change}
    return g()
"""


@pytest.mark.parametrize("decorator", ["@cache\n", "@lru_cache\n", "@lru_cache(maxsize=1)\n", "@functools.lru_cache\n"])
def test_a_cached_connection_is_told_to_be_shared(world: World, decorator: str) -> None:
    text = _TEXT.format(decorator=decorator, change="conn.execute(\"UPDATE jobs SET title = 'x'\")")
    after, effects, _ = _planned(text)
    assert "shared-connection" in effects
    before = world.run(_HEAD + text, _f())
    assert before.result == ["x"] * 4
    assert "session.execute(" in after


@pytest.mark.parametrize("decorator", ["", "@logged\n"])
def test_a_new_one_each_time_is_not(decorator: str) -> None:
    text = _TEXT.format(decorator=decorator, change="conn.close()")
    assert "shared-connection" not in _planned(text)[1]
