"""Who catches the driver's errors by name, directly or from afar: told, or taught SQLAlchemy's."""

import sqlite3

import pytest
from sqlalchemy.exc import IntegrityError

from tests.rules.cursor_runs import World, world
from tests.rules.test_cursor_attacks_told import _HEAD, _f, _planned
from tests.rules.test_cursor_outside import _planned as _planned_beside

__all__ = ["world"]

_ADD = """def add(ticket):
    conn = open_db()
    conn.execute("INSERT INTO jobs (ticket, title, stage, rush, count) VALUES (?, 'n', 1, 0, 0)", (ticket,))
    conn.commit()
    conn.close()


"""
_IN_FILE = {
    "through a function between": (
        _ADD + "def put(ticket):\n    add(ticket)\n\n\n"
        "def f():\n    try:\n        put('T-1')\n    except sqlite3.Error:\n        return 'caught'\n"
    ),
    "suppressed by the caller": (
        "from contextlib import suppress\n\n\n" + _ADD + "def f():\n    with suppress(sqlite3.IntegrityError):\n"
        "        add('T-1')\n    return 'caught'\n"
    ),
    "a constant of errors": (
        "ERRORS = (sqlite3.IntegrityError, ValueError)\n\n\n"
        + _ADD
        + "def f():\n    try:\n        add('T-1')\n    except ERRORS:\n        return 'caught'\n"
    ),
    "asked for by its class": (
        _ADD
        + "def f():\n    try:\n        add('T-1')\n    except Exception as error:\n"
        + "        if isinstance(error, sqlite3.IntegrityError):\n            return 'caught'\n        raise\n"
    ),
    "handed to what catches": (
        "def tried(function, *given):\n    try:\n        return function(*given)\n"
        "    except sqlite3.IntegrityError:\n        return 'caught'\n\n\n"
        + _ADD
        + "def f():\n    return tried(add, 'T-1')\n"
    ),
    "decorated by what catches": (
        "def safe(function):\n    def inner(*given):\n        try:\n            return function(*given)\n"
        "        except sqlite3.Error:\n            return 'caught'\n    return inner\n\n\n@safe\n"
        + _ADD
        + "def f():\n    return add('T-1')\n"
    ),
    "a method": (
        "class Store:\n"
        + "".join(
            f"    {line}\n" if line else "\n"
            for line in _ADD.replace("(ticket)", "(self, ticket)").rstrip().split("\n")
        )
        + "\n    def put(self, ticket):\n        self.add(ticket)\n\n\n"
        "def f():\n    try:\n        Store().put('T-1')\n    except sqlite3.Error:\n        return 'caught'\n"
    ),
}
_FREE = {
    "another function": _ADD
    + "def f():\n    try:\n        int('x')\n    except (sqlite3.Error, ValueError):\n        return 'caught'\n",
    "all errors": _ADD + "def f():\n    try:\n        add('T-1')\n    except Exception:\n        return 'caught'\n",
}


@pytest.mark.parametrize("name", list(_IN_FILE))
def test_who_catches_the_drivers_errors_is_told(world: World, name: str) -> None:
    text = _IN_FILE[name]
    after, effects, _ = _planned(text)
    assert "driver-exception" in effects
    assert world.run(_HEAD + text, _f()).result == "caught"
    assert isinstance(world.run(after, _f()).error, IntegrityError)


@pytest.mark.parametrize("name", list(_FREE))
def test_who_catches_others_is_not(world: World, name: str) -> None:
    text = _FREE[name]
    after, effects, _ = _planned(text)
    assert "driver-exception" not in effects
    assert "session.execute(" in after
    assert world.run(_HEAD + text, _f()).result == world.run(after, _f()).result == "caught"


@pytest.mark.parametrize("guard", ["suppress(sqlite3.IntegrityError)", "suppress(ValueError, sqlite3.Error)"])
def test_a_suppress_around_learns_sqlalchemys(world: World, guard: str) -> None:
    head, execute, *rest = _ADD.partition("    conn.execute(")
    body = f"{head}    with {guard}:\n        {execute.strip()}{''.join(rest)}"
    text = f"from contextlib import suppress\n\n\n{body}def f():\n    add('T-1')\n    return 'ok'\n"
    after, effects, _ = _planned(text)
    assert "driver-exception" in effects
    old, new = world.run(_HEAD + text, _f()), world.run(after, _f())
    assert old.result == new.result == "ok"
    assert old.rows == new.rows


def test_a_constant_of_errors_around_the_statement_is_told() -> None:
    text = """ERRORS = (sqlite3.IntegrityError, ValueError)


def f():
    conn = open_db()
    try:
        conn.execute("DELETE FROM jobs")
    except ERRORS:
        pass
    conn.commit()
    conn.close()
"""
    assert "driver-exception" in _planned(text)[1]


_TRIES = "def f():\n    try:\n        {call}\n    except {errors}:\n        pass\n"
_BESIDE = {
    "raises": "from app.queries import add\n\n\ndef test():\n    with pytest.raises(sqlite3.Error):\n        add(1)\n",
    "assertRaises": "from app.queries import add\n\n\ndef test(self):\n    self.assertRaises(sqlite3.Error, add, 1)\n",
    "except": "from app.queries import add\n\n\n" + _TRIES.format(call="add(1)", errors="(ValueError, sqlite3.Error)"),
    "isinstance": (
        "from app.queries import add\n\n\ndef f():\n    try:\n        add(1)\n    except Exception as error:\n"
        "        return isinstance(error, sqlite3.Error)\n"
    ),
    "by way of another file": "from app.mid import put\n\n\n" + _TRIES.format(call="put(1)", errors="sqlite3.Error"),
}


@pytest.mark.parametrize("name", list(_BESIDE))
def test_who_catches_in_another_file_is_told(name: str) -> None:
    files = {
        "app/queries.py": "from app.db import open_db\n\n\n" + _ADD,
        "app/mid.py": "from app import queries\n\n\ndef put(ticket):\n    queries.add(ticket)\n",
    }
    assert "driver-exception" not in _planned_beside(files)[1]
    assert "driver-exception" in _planned_beside({**files, "app/other.py": "import sqlite3\n" + _BESIDE[name]})[1]


def test_a_decorator_of_another_file_that_catches_is_told() -> None:
    decorator = """import sqlite3


def safe(function):
    def inner(*given):
        try:
            return function(*given)
        except sqlite3.Error:
            return None
    return inner
"""
    text = "from app.db import open_db\nfrom app.safety import safe\n\n\n@safe\n" + _ADD
    assert "driver-exception" in _planned_beside({"app/queries.py": text, "app/safety.py": decorator})[1]


def test_the_drivers_error_is_what_came_before(world: World) -> None:
    error = world.run(_HEAD + _ADD, lambda space: space["add"]("T-1")).error
    assert isinstance(error, sqlite3.IntegrityError)
