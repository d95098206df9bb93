"""Writes on a shared connection that others run before theirs are committed: run before and after."""

import pytest
from ormlift.model import Planned, Status

from tests.rules.cursor_runs import World, planned, world

__all__ = ["world"]

_HEAD = """import sqlite3

from app.db import DB_PATH

_conn = None


def get_db():
    global _conn
    if _conn is None:
        _conn = sqlite3.connect(DB_PATH)
    return _conn


def run(sql, args=()):
    db = get_db()
    db.execute(sql, args)
    db.commit()


"""
_STAGE, _COUNT = (f'"UPDATE jobs SET {c} = 9 WHERE id = ?", (n,)' for c in ("stage", "count"))
_LOGS = {
    "named": f"def log(n):\n    conn = get_db()\n    conn.execute({_COUNT})\n    conn.commit()\n\n\n",
    "unnamed": f"def log(n):\n    get_db().execute({_COUNT})\n    get_db().commit()\n\n\n",
    "by a helper": f"def log(n):\n    run({_COUNT})\n\n\n",
    "the helper itself": "",
}
_NAMED = "def f(n):\n    conn = get_db()\n    conn.execute({stage})\n{commit}    {log}\n    conn.commit()\n"
_UNNAMED = "def f(n):\n    get_db().execute({stage})\n{commit}    {log}\n    get_db().commit()\n"
_CALLERS = {"named": (_NAMED, "conn"), "unnamed": (_UNNAMED, "get_db()")}


def _text(caller: str, log: str, *, commits: bool) -> str:
    body, conn = _CALLERS[caller]
    call = "log(n)" if _LOGS[log] else f"run({_COUNT})"
    commit = f"    {conn}.commit()\n" if commits else ""
    return _HEAD + _LOGS[log] + body.format(stage=_STAGE, log=call, commit=commit)


@pytest.mark.parametrize("log", _LOGS)
@pytest.mark.parametrize("caller", _CALLERS)
def test_what_is_run_before_the_commit_stays(world: World, caller: str, log: str) -> None:
    text = _text(caller, log, commits=False)
    outcome = planned(text)
    assert not isinstance(outcome, Planned), outcome.after.text
    assert not any(s.status is Status.REWRITTEN for s in outcome.sites)
    ran = world.run(text, lambda space: space["f"](1))
    assert ran.error is None
    assert ran.rows[0][3:6] == (9, 0, 9)


@pytest.mark.parametrize("log", _LOGS)
@pytest.mark.parametrize("caller", _CALLERS)
def test_what_is_run_behind_the_commit_is_rewritten(world: World, caller: str, log: str) -> None:
    text = _text(caller, log, commits=True)
    outcome = planned(text)
    assert isinstance(outcome, Planned)
    assert "session_scope()" in outcome.after.text
    before, after = (world.run(t, lambda space: space["f"](1)) for t in (text, outcome.after.text))
    assert before.error is after.error is None
    assert before.rows == after.rows


@pytest.mark.parametrize("commits", [False, True])
@pytest.mark.parametrize("caller", _CALLERS)
def test_a_helper_of_another_file(world: World, caller: str, commits: bool) -> None:
    other = _HEAD
    text = _text(caller, "the helper itself", commits=commits).replace(_HEAD, "from app.kept import get_db, run\n\n\n")
    (world.root / "app/kept.py").write_text(other)
    outcome = planned(text, {"app/kept.py": other})
    assert isinstance(outcome, Planned) is commits, outcome
    after = outcome.after.text if isinstance(outcome, Planned) else text
    before, ran = (world.run(t, lambda space: space["f"](1)) for t in (text, after))
    assert before.error is ran.error is None
    assert before.rows == ran.rows
