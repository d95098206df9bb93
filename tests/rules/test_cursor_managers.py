"""Context managers of the project that hand out a raw cursor: what they do at their end, before and after."""

from collections.abc import Callable
from typing import Any

import pytest
from ormlift.model import Planned, Settings, Source
from ormlift.plan import plan_file
from ormlift.project.facts import read_facts
from ormlift.project.index import link
from ormlift.rules.cursor_to_orm import CODEMOD
from ormlift.rules.examples.cursor_kept import PROJECT

from tests.rules.cursor_runs import Ran, World, world

__all__ = ["world"]

_HEAD = "import sqlite3\nfrom contextlib import contextmanager\n\nfrom app.db import open_db\n\n\n"


def _planned(text: str, **others: str) -> tuple[str, set[str], set[str]]:
    """The text after, the codes of the effects but for the database's, and the reasons of the last function's site."""
    files = {**PROJECT, **{f"app/{n}.py": t for n, t in others.items()}, "app/jobs.py": text}
    index = link(read_facts(Source(path, held)) for path, held in files.items())
    outcome = plan_file(Source("app/jobs.py", text), index, Settings(unsafe=True, codemods=(CODEMOD.id,)))
    sites = getattr(outcome, "sites", ())
    effects = {e.code for s in sites for e in s.effects} - {"other-database"}
    reasons = {s.reason.code for s in sites[-1:] if s.reason}
    return outcome.after.text if isinstance(outcome, Planned) else text, effects, reasons


def _both(world: World, text: str, after: str, call: Callable[[Any], Any]) -> tuple[Ran, Ran]:
    return world.run(text, call), world.run(after, call)


_YIELDS_AT_ONCE = """@contextmanager
def cursor():
    conn = open_db()
    try:
        yield conn.cursor()
{end}
    finally:
        {final}conn.close()
"""
_COMMITS = _YIELDS_AT_ONCE.format(end="        conn.commit()", final="")
_ELSE = _YIELDS_AT_ONCE.format(
    end="    except Exception:\n        conn.rollback()\n        raise\n    else:\n        conn.commit()", final=""
)
_NEVER = _YIELDS_AT_ONCE.format(end="", final="")
_ALWAYS = _YIELDS_AT_ONCE.format(end="", final="conn.commit()\n        ")
_BACK_FIRST = _YIELDS_AT_ONCE.format(
    end="    except Exception:\n        conn.rollback()\n        raise", final="conn.commit()\n        "
)
_KEEPS = _YIELDS_AT_ONCE.format(end="        conn.commit()\n    except Exception:\n        conn.rollback()", final="")
_NAMED = """@contextmanager
def cursor():
    conn = open_db()
    cur = conn.cursor()
    try:
        yield cur
        conn.commit()
    finally:
        cur.close()
        conn.close()
"""
_CLASS = """class cursor:
    def __enter__(self):
        self.conn = open_db()
        return self.conn.cursor()

    def __exit__(self, kind, error, trace):
        if kind is None:
            self.conn.commit()
        self.conn.close()
"""
_CLASS_INIT = """class cursor:
    def __init__(self):
        self.conn = open_db()
        self.cur = self.conn.cursor()

    def __enter__(self):
        return self.cur

    def __exit__(self, kind, error, trace):
        if kind:
            self.conn.rollback()
        else:
            self.conn.commit()
        self.conn.close()
"""
_CLASS_KEEPS = """class cursor:
    def __enter__(self):
        self.conn = open_db()
        return self.conn.cursor()

    def __exit__(self, kind, error, trace):
        self.conn.commit()
        self.conn.close()
        return kind is ZeroDivisionError
"""
_WITHIN = """@contextmanager
def cursor():
    conn = open_db()
    with conn:
        yield conn.cursor()
    conn.close()
"""
_F = """

def f(n):
    with cursor() as cur:
        cur.execute("UPDATE jobs SET stage = 9 WHERE id = 1")
        {then}
    return n
"""
_DIVIDES = _F.format(then="n = 10 // n")
_ENDS = _F.format(then="return cur.rowcount")


@pytest.mark.parametrize("use", [_DIVIDES, _ENDS], ids=["goes on", "ends"])
@pytest.mark.parametrize(
    "manager", [_COMMITS, _ELSE, _NAMED, _CLASS, _CLASS_INIT, _BACK_FIRST],
    ids=["commits", "else", "named", "class", "class with init", "rolls back first"],
)  # fmt: skip
def test_a_manager_that_commits_as_the_scope_does_has_no_effect(world: World, manager: str, use: str) -> None:
    text = _HEAD + manager + use
    after, effects, reasons = _planned(text)
    assert (effects, reasons) == (set(), set())
    assert "with session_scope() as session:" in after
    for n in (5, 0):
        before, now = _both(world, text, after, lambda s, n=n: s["f"](n))
        assert (before.result, type(before.error), before.rows) == (now.result, type(now.error), now.rows)


@pytest.mark.parametrize(
    ("manager", "use", "effects"),
    [
        (_NEVER, _ENDS, {"commit-at-exit"}),
        (_ALWAYS, _DIVIDES, {"commit-on-error"}),
        (_KEEPS, _DIVIDES, {"manager-swallows-errors"}),
        (_CLASS_KEEPS, _DIVIDES, {"manager-swallows-errors", "commit-on-error"}),
    ],
    ids=["never commits", "commits on errors", "keeps errors", "keeps errors and commits"],
)
def test_what_a_manager_does_otherwise_is_told_and_happens(
    world: World, manager: str, use: str, effects: set[str]
) -> None:
    text = _HEAD + manager + use
    after, told, reasons = _planned(text)
    assert (told, reasons) == (effects, set())
    before, now = _both(world, text, after, lambda s: s["f"](0))
    assert (before.rows != now.rows) is bool(effects & {"commit-on-error", "commit-at-exit"})
    assert (before.error is None and now.error is not None) is ("manager-swallows-errors" in effects)


def test_a_commit_on_errors_that_can_find_none_is_not_told(world: World) -> None:
    text = _HEAD + _ALWAYS + _ENDS
    after, told, _ = _planned(text)
    assert told == set()
    before, now = _both(world, text, after, lambda s: s["f"](0))
    assert before.rows == now.rows


def test_a_with_of_the_connection_commits(world: World) -> None:
    text = _HEAD + _WITHIN + _ENDS
    after, told, _ = _planned(text)
    assert "commit-at-exit" not in told
    before, now = _both(world, text, after, lambda s: s["f"](1))
    assert before.rows == now.rows


_ONLY_CLOSES = """from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker
import sqlite3

DB_PATH = "jobs.db"
engine = create_engine(f"sqlite:///{DB_PATH}")
SessionLocal = sessionmaker(bind=engine)


def open_db():
    return sqlite3.connect(DB_PATH)
"""
_MAYBE = _YIELDS_AT_ONCE.format(end="        if FLAGS:\n            conn.commit()", final="")


@pytest.mark.parametrize("manager", [_COMMITS, f"FLAGS = []\n\n\n{_MAYBE}"], ids=["commits", "may commit"])
def test_a_write_that_the_session_would_lose_is_refused(manager: str) -> None:
    text = _HEAD + manager + _ENDS
    after, _, reasons = _planned(text, db=_ONLY_CLOSES)
    assert (after, reasons) == (text, {"commit-at-exit"})


def test_a_manager_that_may_commit_is_told() -> None:
    _, told, reasons = _planned(_HEAD + f"FLAGS = []\n\n\n{_MAYBE}" + _ENDS)
    assert (told, reasons) == ({"commit-at-exit"}, set())
