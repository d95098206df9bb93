"""Calls of functions that run SQL, where what runs may be another: they stay, or it is told."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from ormlift.model import Outcome, Planned, Settings, Source, Status
from ormlift.plan import plan_file
from ormlift.project.outside import Outside, asked_by
from ormlift.rules.examples.cursor_kept import PROJECT

from tests.rules.cursor_runs import World, whole_index, world

__all__ = ["world"]

Call = Callable[[Any], Any]
_HEAD = "import sqlite3\nimport sys\n\nfrom app.db import DB_PATH, open_db\n\n\n"
_QUERY = """def query(sql, params=()):
    conn = open_db()
    found = conn.execute(sql, params).fetchall()
    conn.close()
    return found


def title(n):
    return query("SELECT title FROM jobs WHERE id = ?", (n,))


"""
_STORE = """class Store:
    def __init__(self):
        self.conn = sqlite3.connect(DB_PATH)

    def _fetch(self, sql, *args):
        cur = self.conn.cursor()
        cur.execute(sql, args)
        return cur.fetchall()

    def title(self, n):
        return self._fetch("SELECT title FROM jobs WHERE id = ?", n)


"""
_MIX = "class Loud:\n    def _fetch(self, sql, *args):\n        return args\n\n\n"


def _plan(text: str, others: dict[str, str] | None = None) -> Outcome:
    """What becomes of app/jobs.py, with all that other files put in the place of its names known."""
    files = {**PROJECT, **(others or {}), "app/jobs.py": text}
    index = whole_index(files)
    asked = asked_by([text], (s.database for s in index.sources), (s.name for s in index.sources))
    index = replace(index, outside=Outside.read(files.items(), asked))
    return plan_file(Source("app/jobs.py", text), index, Settings(codemods=("cursor-to-orm",), unsafe=True))


_STAYS: dict[str, tuple[str, Any]] = {
    "a name that globals() binds": (
        _QUERY + 'def f(n):\n    globals()["query"] = lambda sql, params: params\n    return title(n)\n',
        (1,),
    ),
    "names that globals() binds": (
        _QUERY + "def f(n, name='query'):\n    globals()[name] = lambda sql, params: params\n    return title(n)\n",
        (1,),
    ),
    "names that globals() is updated with": (
        _QUERY + "def f(n):\n    globals().update(query=lambda sql, params: params)\n    return title(n)\n",
        (1,),
    ),
    "a name that a text binds": (
        _QUERY + 'def f(n):\n    exec("query = lambda sql, params: params", globals())\n    return title(n)\n',
        (1,),
    ),
    "a method of another base": (
        _STORE + _MIX + "class Both(Loud, Store):\n    pass\n\n\ndef f(n):\n    return Both().title(n)\n",
        (1,),
    ),
    "a method of a base beside it, above a base of both": (
        _STORE
        + "class Left(Store):\n    def stage(self, n):\n        "
        + 'return self._fetch("SELECT stage FROM jobs WHERE id = ?", n)\n\n\n'
        + _MIX.replace("Loud", "Right(Store)")
        + "class Both(Left, Right):\n    pass\n\n\ndef f(n):\n    return Both().stage(n)\n",
        (1,),
    ),
    "a class of a function that has a method of its own": (
        _STORE
        + "def f(n):\n    class Loud(Store):\n        _fetch = lambda self, sql, *args: args\n\n"
        + "    return Loud().title(n)\n",
        (1,),
    ),
    "a method that is called on another object": (
        _STORE.replace("def title(self, n):\n", "def title(self, n, other):\n        self = other\n")
        + _MIX
        + "def f(n):\n    return Store().title(n, Loud())\n",
        (1,),
    ),
}


_VALUES = """def values(sql, params=(), more=0):
    conn = open_db()
    rows = conn.execute(sql, params).fetchall()
    conn.close()
    {ending}


"""
_ASKS = 'values("SELECT id FROM jobs WHERE id >= ? ORDER BY id", (n,)'
_EARLY = """def ids(sql, params=()):
    found = []
    conn = open_db()
    for row in conn.execute(sql, params):
        found.append(6 // (row[0] - 2))
    conn.close()
    return found


"""
_LATE: dict[str, tuple[str, Any]] = {
    "what it is given may raise, and nothing evaluates it": (
        _VALUES.format(ending="return rows") + f"def f(n, d={{}}):\n    return {_ASKS}, d['x'])\n",
        KeyError,
    ),
    "what it is given may raise, and is not always evaluated": (
        _VALUES.format(ending="return rows[0][0] if rows else more")
        + f"def f(n, d={{}}):\n    return {_ASKS}, d['x'])\n",
        KeyError,
    ),
    "what it is given may raise, and is evaluated for each row": (
        _VALUES.format(ending="return [r[0] + more for r in rows]")
        + f"def f(n, d={{}}):\n    return {_ASKS.replace('(n,)', '(n + 98,)')}, d['x'])\n",
        KeyError,
    ),
    "what it is given may raise, and something is seen before": (
        _VALUES.replace("    conn =", "    SEEN.append(1)\n    conn =", 1).format(ending="return rows")
        + f"SEEN = []\n\n\ndef f(n, d={{}}):\n    try:\n        {_ASKS.replace('n,', 'd[n],')})\n"
        + "    except KeyError:\n        return SEEN\n",
        [],
    ),
    "all names of the function are read": (
        _VALUES.format(ending="return rows") + f"def f(n):\n    found = {_ASKS})\n    return sorted(locals())\n",
        ["found", "n"],
    ),
    "it asks where it stands": (
        _VALUES.format(ending="return inspect.stack()[0].function, len(rows)").replace(
            "def", "import inspect\n\n\ndef", 1
        )
        + f"def f(n):\n    return {_ASKS})\n",
        ("values", 4),
    ),
    "a name of Python's own is hidden here": (
        _VALUES.format(ending="return len(rows)") + f"def f(n, len=None):\n    return {_ASKS})\n",
        4,
    ),
}
_STAYS |= _LATE


@pytest.mark.parametrize(("text", "result"), _STAYS.values(), ids=_STAYS)
def test_what_may_be_another_stays(world: World, text: str, result: Any) -> None:
    outcome = _plan(_HEAD + text)
    assert not any(s.status is Status.REWRITTEN for s in getattr(outcome, "sites", ())), outcome
    assert not isinstance(outcome, Planned)
    ran = world.run(_HEAD + text, lambda s: s["f"](1))
    assert (type(ran.error) if ran.error is not None else ran.result) == result


_SAME: dict[str, str] = {
    "another name that globals() binds": _QUERY
    + 'def f(n):\n    globals()["other"] = globals()["query"]\n    return title(n)\n',
    "a base beside it that has none": _STORE
    + "class Plain:\n    def quiet(self):\n        return 1\n\n\nclass Both(Plain, Store):\n    pass\n\n\n"
    + "def f(n):\n    return Both().title(n)\n",
    "a base behind it": _STORE
    + _MIX
    + "class Both(Store, Loud):\n    pass\n\n\ndef f(n):\n    return Both().title(n)\n",
    "a function in the method": _STORE.replace(
        "        return self._fetch(",
        "        return self._at(n)\n\n    def _at(self, n):\n        def inner():\n            return self._fetch(",
    ).replace("n)\n\n\n", "n)\n\n        return inner()\n\n\n")
    + "def f(n):\n    return Store().title(n)\n",
}


@pytest.mark.parametrize("text", _SAME.values(), ids=_SAME)
def test_what_is_none_other_is_rewritten(world: World, text: str) -> None:
    outcome = _plan(_HEAD + text)
    assert isinstance(outcome, Planned), outcome
    before, after = (world.run(t, lambda s: s["f"](1)) for t in (_HEAD + text, outcome.after.text))
    assert before.error is after.error is None
    assert before.result == after.result == [("one",)]


_FIRST = """def ids(sql, params=()):
    conn = open_db()
    row = conn.execute(sql, params).fetchone()
    conn.close()
    len(row)
    return row


"""
_FOUND = 'out = ids("SELECT id FROM jobs WHERE id >= ? ORDER BY id", (n,))'
_TRIES = """def f(n):
    out = "old"
    try:
        {found}
    except (ZeroDivisionError, TypeError):
        pass
    return out
"""
_CAUGHT: dict[str, str] = {
    "a list that is filled": _EARLY + _TRIES.format(found=_FOUND),
    "a global": _EARLY
    + f'out = "old"\n\n\ndef g(n):\n    global out\n    {_FOUND}\n\n\n'
    + _TRIES.format(found="g(n)").replace('    out = "old"\n', ""),
    "a row that is checked": _FIRST + _TRIES.format(found=_FOUND),
    "rows that are only closed": _VALUES.format(ending="return rows") + _TRIES.format(found=f"out = {_ASKS})"),
}


@pytest.mark.parametrize("n", [1, 3, 99])
@pytest.mark.parametrize("text", _CAUGHT.values(), ids=_CAUGHT)
def test_a_target_has_its_value_of_before_where_the_call_raises(world: World, text: str, n: int) -> None:
    outcome = _plan(_HEAD + text)
    assert isinstance(outcome, Planned), outcome
    before, after = (world.run(t, lambda s: s["f"](n)) for t in (_HEAD + text, outcome.after.text))
    assert before.error is after.error is None
    assert before.result == after.result


_OWN = "from app.db import open_db\n\n\n{hidden}" + _VALUES.format(ending="return list(rows)")


@pytest.mark.parametrize(
    ("there", "here", "stays"),
    [("", "", False), ("def list(x):\n    return 5\n\n\n", "", True), ("", "list = len\n\n\n", True)],
)
def test_names_of_pythons_own_mean_what_they_mean_in_the_helpers_file(
    world: World, there: str, here: str, stays: bool
) -> None:
    other = _OWN.format(hidden=there)
    text = f"from app.sql import values\n\n\n{here}def f(n):\n    return {_ASKS})\n"
    (world.root / "app/sql.py").write_text(other)
    outcome = _plan(text, {"app/sql.py": other})
    assert isinstance(outcome, Planned) is not stays, outcome
    after_text = outcome.after.text if isinstance(outcome, Planned) else text
    before, after = (world.run(t, lambda s: s["f"](1)) for t in (text, after_text))
    assert before.error is after.error is None
    assert before.result == after.result


def test_a_helper_that_says_its_files_name_stays() -> None:
    other = "from app.db import open_db\n\n\n" + _VALUES.format(ending="return __name__, rows")
    text = f"from app.sql import values\n\n\ndef f(n):\n    return {_ASKS})\n"
    assert not isinstance(_plan(text, {"app/sql.py": other}), Planned)


_OTHER = "from app.db import open_db\n\n\n" + _QUERY.partition("def title")[0]
_TEST = "from app import sql\n\n\ndef test_it(monkeypatch):\n    monkeypatch.setattr(sql, 'open_db', lambda: None)\n"


@pytest.mark.parametrize(
    ("switch", "others", "is_told"),
    [
        ("sql.open_db = sqlite3.Connection", {}, True),
        ("pass", {"tests/test_jobs.py": _TEST}, True),
        ("pass", {"tests/test_jobs.py": _TEST.replace("open_db", "other")}, False),
    ],
)
def test_an_opener_that_others_replace_in_the_helpers_file_is_told(
    switch: str, others: dict[str, str], is_told: bool
) -> None:
    text = "import sqlite3\n\nfrom app import sql\n\n\n" + _QUERY[_QUERY.index("def title") :].replace(
        "query", "sql.query"
    )
    outcome = _plan(text + f"def switch():\n    {switch}\n", {"app/sql.py": _OTHER, **others})
    assert isinstance(outcome, Planned)
    assert ("patched-name" in {e.code for s in outcome.sites for e in s.effects}) is is_told


_HANDED = """class Store:
    def add(self, cur, ticket):
        cur.execute("INSERT INTO jobs (ticket, title, stage, rush, count) VALUES (?, 'x', 1, 0, 0)", (ticket,))
        return cur.lastrowid

    def put(self, ticket):
        conn = sqlite3.connect(DB_PATH)
        cur = conn.cursor()
        new = self.add(cur, ticket)
        conn.commit()
        conn.close()
        return new


class Quiet:
    def add(self, cur, ticket):
        cur.execute("DELETE FROM jobs")
        return 0


"""


def test_a_cursor_that_a_method_of_another_base_may_be_handed_stays(world: World) -> None:
    text = _HEAD + _HANDED + "class Both(Quiet, Store):\n    pass\n"
    outcome = _plan(text)
    assert {s.status for s in getattr(outcome, "sites", ())} == {Status.REFUSED}
    assert world.run(text, lambda s: s["Both"]().put("T-9")).rows == []
