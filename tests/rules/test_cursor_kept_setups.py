"""What a file sets on a connection that it keeps is told where the connection is used."""

from typing import Any

import pytest

from tests.rules.cursor_runs import World, world
from tests.rules.test_cursor_attacks_told import _HEAD, _planned

__all__ = ["world"]

_STORE = """{above}class Store:
    def __init__(self):
        {opened}
        {done}

{more}    def f(self):
        return [r[0] for r in self.conn.execute("SELECT id FROM jobs WHERE title LIKE 'T%' OR lower(title) = 'x'")]
"""
_GLOBAL = """conn = open_db()
conn.execute("PRAGMA case_sensitive_like = ON")


{more}class Store:
    def f(self):
        return [r[0] for r in conn.execute("SELECT id FROM jobs WHERE title LIKE 'T%'")]
"""
_LIKE = '"PRAGMA case_sensitive_like = ON"'
_KEEPS = "self.conn = open_db()"


def _store(done: str, *, above: str = "", more: str = "", opened: str = _KEEPS) -> str:
    above, more = f"{above}\n\n\n" if above else "", f"{more}\n\n" if more else ""
    return _STORE.format(above=above, more=more, opened=opened, done=done)


_SETS = {
    "a pragma": _store(f"self.conn.execute({_LIKE})"),
    "a pragma called": _store('self.conn.execute("PRAGMA case_sensitive_like(1)")'),
    "a pragma of a cursor": _store(f"self.conn.cursor().execute({_LIKE})"),
    "a pragma of a kept cursor": _store(f"self.cur = self.conn.cursor()\n        self.cur.execute({_LIKE})"),
    "a script of pragmas": _store('self.conn.executescript("PRAGMA journal_mode; PRAGMA case_sensitive_like = 1")'),
    "before it is kept": _store("self.conn = conn", opened=f"conn = open_db()\n        conn.execute({_LIKE})"),
    "in another method": _store("self.g()", more=f"    def g(self):\n        self.conn.execute({_LIKE})"),
    "by a cursor of another method": _store(
        "self.g()", more=f"    def g(self):\n        cur = self.conn.cursor()\n        cur.execute({_LIKE})"
    ),
    "by a function": _store("g(self.conn)", above=f"def g(db):\n    db.execute({_LIKE})"),
    "a function of SQL": _store('self.conn.create_function("lower", 1, lambda text: "x")'),
    "on a global": _GLOBAL.format(more=""),
}
_SETS_NOT = {
    "what changes no answer": _store('self.conn.execute("PRAGMA journal_mode = DELETE")'),
    "what asks": _store('self.conn.execute("PRAGMA table_info(jobs)").fetchall()'),
    "a table": _store('self.conn.execute("CREATE TABLE IF NOT EXISTS more (a)")'),
    "another connection": _store(
        "self.g()",
        more=f'    def g(self):\n        conn = sqlite3.connect("other.db")\n        conn.execute({_LIKE})\n'
        "        conn.close()",
    ),
    "a local of the same name": _GLOBAL.replace(f"conn.execute({_LIKE})\n", "").format(
        more=f'def g():\n    conn = sqlite3.connect("other.db")\n    conn.execute({_LIKE})\n    conn.close()\n\n\n'
    ),
}


def _call(space: Any) -> Any:
    return space["Store"]().f()


@pytest.mark.parametrize("name", list(_SETS))
def test_what_is_set_is_told(world: World, name: str) -> None:
    after, effects, _ = _planned(_SETS[name])
    assert effects == {"connection-setup", "shared-connection"}
    assert world.run(after, _call).result != world.run(_HEAD + _SETS[name], _call).result


@pytest.mark.parametrize("name", list(_SETS_NOT))
def test_what_sets_nothing_is_not_told(world: World, name: str) -> None:
    after, effects, _ = _planned(_SETS_NOT[name])
    assert effects == {"shared-connection"}
    assert world.run(after, _call).result == world.run(_HEAD + _SETS_NOT[name], _call).result == [2]
