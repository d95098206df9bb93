"""What other files put in the place of what a file keeps: run before and after, with those files around."""

import importlib
from dataclasses import replace
from typing import Any

import pytest
from ormlift.model import Planned, Settings, Source
from ormlift.plan import plan_file
from ormlift.project.facts import read_facts
from ormlift.project.graph import ImportGraph, import_lines
from ormlift.project.index import link
from ormlift.project.outside import Outside, asked_by
from ormlift.rules import cursor_to_orm, text_to_orm
from ormlift.rules.examples.cursor_kept import PROJECT

from tests.rules.cursor_runs import Ran, World, world

__all__ = ["world"]

_MODULE = """from app.db import open_db

SQL = "SELECT id FROM jobs WHERE stage = 2 ORDER BY id"


def f():
    conn = open_db()
    rows = conn.execute(SQL).fetchall()
    conn.close()
    return [r[0] for r in rows]


def switch(sql):
    globals()["{name}"] = sql
"""
_CLASS = """from app.db import open_db


class Store:
    SQL = "SELECT id FROM jobs WHERE stage = 2 ORDER BY id"

    def f(self):
        conn = open_db()
        rows = conn.execute(self.SQL).fetchall()
        conn.close()
        return [r[0] for r in rows]
"""
_TEXT = """from app.db import session_scope
from sqlalchemy import text

SQL = text("SELECT id FROM jobs WHERE stage = 2 ORDER BY id")


def f():
    with session_scope() as session:
        return [r[0] for r in session.execute(SQL).fetchall()]
"""
_KEPT = """from app.db import open_db


class Store:
    def __init__(self):
        self.conn = open_db()

    def f(self):
        return [r[0] for r in self.conn.execute("SELECT title FROM jobs ORDER BY id")]


store = Store()
"""
_GLOBAL = """from app.db import open_db

conn = open_db()


def f():
    return [r[0] for r in conn.execute("SELECT title FROM jobs ORDER BY id")]
"""
_ONE = "SELECT id FROM jobs WHERE stage = 1"
_MAIN = """{imports}


def main():
    before = {call}
    {change}
    return before, {call}
"""


def _main(imports: str, change: str, call: str = "queries.f()") -> str:
    return _MAIN.format(imports=imports, change=change, call=call)


_QUERIES = "from app import queries"
_STORE = "from app.queries import Store\n\nstore = Store()"
_REFUSED = {
    "an attribute of the module": (_MODULE, _main(_QUERIES, f'queries.SQL = "{_ONE}"')),
    "of the module by another name": (_MODULE, _main("import app.queries as queries", f'queries.SQL = "{_ONE}"')),
    "setattr": (_MODULE, _main(_QUERIES, f'setattr(queries, "SQL", "{_ONE}")')),
    "sys.modules": (_MODULE, _main(f"import sys\n{_QUERIES}", f'sys.modules["app.queries"].SQL = "{_ONE}"')),
    "vars": (_MODULE, _main(_QUERIES, f'vars(queries)["SQL"] = "{_ONE}"')),
    "globals of the file itself": (_MODULE.format(name="SQL"), _main(_QUERIES, f'queries.switch("{_ONE}")')),
    "a text()": (_TEXT, _main(_QUERIES, f'queries.SQL = queries.text("{_ONE}")')),
    "an attribute of the class": (_CLASS, _main(_STORE, f'Store.SQL = "{_ONE}"', "store.f()")),
    "an attribute of the object": (_CLASS, _main(_STORE, f'store.SQL = "{_ONE}"', "store.f()")),
    "a class below": (
        _CLASS,
        _main(f'{_STORE}\n\n\nclass Below(Store):\n    SQL = "{_ONE}"', "pass", "Below().f()"),
    ),
    "a class further below": (
        _CLASS,
        _main(
            f'{_STORE}\n\n\nclass Between(Store):\n    pass\n\n\nclass Below(Between):\n    SQL = "{_ONE}"',
            "pass",
            "Below().f()",
        ),
    ),
    "an object of a class below": (
        _CLASS,
        _main(
            f'{_STORE}\n\n\nclass Below(Store):\n    def __init__(self):\n        self.SQL = "{_ONE}"',
            "pass",
            "Below().f()",
        ),
    ),
    "type()": (_CLASS, _main(_STORE, f'Below = type("Below", (Store,), {{"SQL": "{_ONE}"}})', "store.f()")),
    "rows that come otherwise": (
        _KEPT,
        _main(_QUERIES, "queries.store.conn.row_factory = lambda _, row: [row[0][::-1]]", "queries.store.f()"),
    ),
    "text that comes as bytes": (
        _KEPT,
        _main("from app.queries import store", "store.conn.text_factory = bytes", "store.f()"),
    ),
    "another connection": (
        _KEPT,
        _main(f"from app.db import open_db\n{_QUERIES}", "queries.store.conn = open_db()", "queries.store.f()"),
    ),
    "rows of a global that come otherwise": (
        _GLOBAL,
        _main(f"from app.queries import conn\n{_QUERIES}", "conn.text_factory = bytes"),
    ),
}
_FIELD = _CLASS.replace("    SQL =", "    SQL: str =")
_MADE = "from app.queries import Store"
_OWN = {
    "a field of a dataclass": (
        "from dataclasses import dataclass\n" + _FIELD.replace("class Store", "@dataclass\nclass Store"),
        f'Store("{_ONE}").f()',
    ),
    "a field of a tuple": (
        "from typing import NamedTuple\n" + _FIELD.replace("class Store", "class Store(NamedTuple)"),
        f'Store(SQL="{_ONE}").f()',
    ),
    "all attributes are set": (
        _CLASS.replace(
            "    def f", "    def __init__(self, **given):\n        self.__dict__.update(given)\n\n    def f"
        ),
        f'Store(SQL="{_ONE}").f()',
    ),
    "an attribute of any name is set": (
        _CLASS.replace(
            "    def f", '    def __init__(self, **given):\n        vars(self)["SQL"] = given["sql"]\n\n    def f'
        ),
        f'Store(sql="{_ONE}").f()',
    ),
}
_REWRITTEN = {
    "a class variable of a dataclass": (
        "from dataclasses import dataclass\nfrom typing import ClassVar\n"
        + _CLASS.replace("    SQL =", "    SQL: ClassVar[str] =").replace("class Store", "@dataclass\nclass Store"),
        _main(_MADE, "pass", "Store().f()"),
    ),
    "an annotated constant": (_FIELD, _main(_MADE, "pass", "Store().f()")),
    "the constant is only read": (_MODULE, _main(_QUERIES, "print(queries.SQL)")),
    "another module's": (_MODULE, _main(f"from app import db\n{_QUERIES}", 'db.SQL = "x"')),
    "another class's": (_CLASS, _main(f'{_STORE}\n\n\nclass Other(dict):\n    SQL = "x"', "pass", "store.f()")),
    "another class's object": (
        _CLASS,
        _main(f"{_STORE}\n\n\nclass Other:\n    pass", 'Other.SQL = "x"', "store.f()"),
    ),
    "a local variable": (_MODULE, _main(_QUERIES, 'SQL = "x"')),
}
_IN_A_TEST = """from unittest.mock import patch

from app import queries


def other():
    raise KeyError(1)


def test():
    with patch("app.queries.{name}", {other}):
        return queries.f()
"""
_IN_MAIN = """{imports}


def test():
    {change}
    return {call}
"""
_USED = ("from app.queries import store", "store.f()")
_TOLD = {
    "a test patches the constant": (
        "patched-name",
        _MODULE,
        "tests/test_queries.py",
        _IN_A_TEST.format(name="SQL", other=f'"{_ONE}"'),
    ),
    "a test patches what opens": (
        "patched-name",
        _MODULE,
        "tests/test_queries.py",
        _IN_A_TEST.format(name="open_db", other="other"),
    ),
    "the path of the database": (
        "patched-name",
        _MODULE,
        "app/main.py",
        _IN_MAIN.format(imports="from app import db, queries", change='db.DB_PATH = ":memory:"', call="queries.f()"),
    ),
    "the kept connection is used": (
        "shared-connection",
        _KEPT,
        "app/main.py",
        _IN_MAIN.format(imports=_USED[0], change="store.conn.execute(\"UPDATE jobs SET title = 'x'\")", call=_USED[1]),
    ),
    "the kept connection is set up": (
        "connection-setup",
        _KEPT,
        "app/main.py",
        _IN_MAIN.format(
            imports=_USED[0], change='store.conn.execute("PRAGMA reverse_unordered_selects = 1")', call=_USED[1]
        ),
    ),
}


def _planned(files: dict[str, str]) -> tuple[str, set[str], list[str], list[str]]:
    """The text of `app/queries.py` after; codes of effects, reasons, and all messages."""
    every = {**PROJECT, **files}
    imports = ImportGraph({path: import_lines(text, path) for path, text in every.items()})
    known = link(read_facts(Source(path, text)) for path, text in every.items())
    databases, openers = [s.database for s in known.sources], [s.name for s in known.sources]
    outside = Outside.read(every.items(), asked_by([files["app/queries.py"]], databases, openers))
    index = replace(known, imports=imports, outside=outside)
    settings = Settings(
        unsafe=True,
        codemods=(cursor_to_orm.CODEMOD.id, text_to_orm.CODEMOD.id),
        style="select",
        connections=("app.db:open_db",),
    )
    outcome = plan_file(Source("app/queries.py", files["app/queries.py"]), index, settings)
    sites = getattr(outcome, "sites", ())
    after = outcome.after.text if isinstance(outcome, Planned) else files["app/queries.py"]
    effects = [e for s in sites for e in s.effects]
    reasons = [s.reason for s in sites if s.reason]
    messages = [m.message for m in (*effects, *reasons)]
    return after, {e.code for e in effects}, [r.code for r in reasons], messages


def _run(world: World, files: dict[str, str], module: str, function: str) -> Ran:
    for path, text in files.items():
        (world.root / path).parent.mkdir(exist_ok=True)
        (world.root / path).write_text(text)

    def call(_: Any) -> Any:
        importlib.invalidate_caches()
        return getattr(importlib.import_module(module), function)()

    return world.run("", call)


@pytest.mark.parametrize("name", list(_REFUSED))
def test_what_the_program_puts_there_stays(world: World, name: str) -> None:
    text, main = _REFUSED[name]
    files = {"app/queries.py": text, "app/main.py": main}
    after, _, reasons, messages = _planned(files)
    assert after == text
    assert reasons
    assert any(" of app/" in message for message in messages)
    assert _run(world, files, "app.main", "main").error is None


@pytest.mark.parametrize("name", list(_OWN))
def test_what_each_object_may_have_of_its_own_stays(world: World, name: str) -> None:
    text, call = _OWN[name]
    files = {"app/queries.py": text, "app/main.py": _main(_MADE, "pass", call)}
    after, _, reasons, _ = _planned(files)
    assert (after, reasons) == (text, ["dynamic-sql"])
    assert _run(world, files, "app.main", "main").result == ([1], [1])


def test_a_star_behind_the_constant_may_bind_it_anew() -> None:
    star = "from app.db import *\n"
    assert _planned({"app/queries.py": _MODULE.replace("\n\ndef f", f"\n{star}\n\ndef f")})[2] == ["dynamic-sql"]
    assert _planned({"app/queries.py": star + _MODULE})[2] == []


_OPENS = """import sqlite3


class Store:
    def connect(self):
        return sqlite3.connect("jobs.db")

    def f(self):
        conn = self.connect()
        rows = conn.execute("SELECT id FROM jobs ORDER BY id").fetchall()
        conn.close()
        return [r[0] for r in rows]
"""


def test_a_class_below_that_opens_otherwise_is_told() -> None:
    below = "from app.queries import Store\n\n\nclass Below({base}):\n    def connect(self):\n        return None\n"
    for base, told in (("Store", True), ("dict", False)):
        effects = _planned({"app/queries.py": _OPENS, "app/main.py": below.format(base=base)})[1]
        assert ("patched-name" in effects) is told


def test_what_opens_is_told_where_the_program_replaces_it() -> None:
    main = _IN_MAIN.format(imports="from app import queries", change="queries.open_db = print", call="queries.f()")
    assert "patched-name" in _planned({"app/queries.py": _MODULE, "app/main.py": main})[1]


@pytest.mark.parametrize("name", list(_REWRITTEN))
def test_what_is_not_touched_is_the_same(world: World, name: str) -> None:
    text, main = _REWRITTEN[name]
    files = {"app/queries.py": text, "app/main.py": main}
    after, effects, reasons, _ = _planned(files)
    assert (effects, reasons) == (set(), [])
    old = _run(world, files, "app.main", "main")
    new = _run(world, {**files, "app/queries.py": after}, "app.main", "main")
    assert old.error is None
    assert new.result == old.result


@pytest.mark.parametrize("name", list(_TOLD))
def test_what_is_told_differs(world: World, name: str) -> None:
    effect, text, path, other = _TOLD[name]
    files = {"app/queries.py": text, path: other, "tests/__init__.py": ""}
    after, effects, reasons, messages = _planned(files)
    assert effect in effects
    assert reasons == []
    assert any(f"of {path}" in message for message in messages)
    module = path.removesuffix(".py").replace("/", ".")
    old = _run(world, files, "app.main", "test") if path.startswith("app/") else None
    new = _run(world, {**files, "app/queries.py": after}, module, "test") if old else None
    if old is not None and new is not None and effect != "connection-setup":
        assert (new.result, str(new.error)) != (old.result, str(old.error))


def test_an_engine_that_opens_by_the_same_function_asks_for_the_same_path() -> None:
    main = _IN_MAIN.format(imports="from app import db, queries", change='db.DB_PATH = "other.db"', call="queries.f()")
    made = PROJECT["app/db.py"].replace(
        'create_engine(f"sqlite:///{DB_PATH}")', 'create_engine("sqlite://", creator=open_db)'
    )
    opener = "def open_db():\n    return sqlite3.connect(DB_PATH)\n\n\n"
    above = made.replace(opener, "").replace("engine = ", f"{opener}engine = ")
    assert _planned({"app/queries.py": _MODULE, "app/main.py": main})[1] == {"patched-name"}
    assert _planned({"app/db.py": above, "app/queries.py": _MODULE, "app/main.py": main})[1] == set()
