"""A database with rows in it, and cursor code run on it before and after."""

import asyncio
import importlib
import inspect
import sqlite3
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from ormlift.model import Outcome, Settings, Source
from ormlift.plan import plan_file
from ormlift.project.facts import read_facts
from ormlift.project.graph import ImportGraph, import_lines
from ormlift.project.index import ProjectIndex, link
from ormlift.project.named import Named
from ormlift.project.texts import Texts
from ormlift.rules.examples.cursor_kept import PROJECT

ROWS = [
    (1, "T-1", "one", 1, 0, 3, None, None, None),
    (2, "T-2", "two", 2, 1, 5, '{"x": 1}', "2024-05-01 10:00:00.000000", "Ada"),
    (3, "T-3", "größer", 2, 0, 0, "{}", "2024-02-29 23:59:59.000000", ""),
    (4, "T-4", "", 4, 1, 7, "null", None, None),
]


@dataclass
class Ran:
    """What a call did."""

    result: Any
    error: BaseException | None
    rows: list[tuple[Any, ...]]


async def _awaited(result: Coroutine[Any, Any, Any]) -> Any:
    """Await, and leave no connection behind in the loop's threads."""
    try:
        return await result
    finally:
        await importlib.import_module("app.adb").async_engine.dispose()


class World:
    """A directory with the project of the examples and a database with rows."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.monkeypatch = monkeypatch
        monkeypatch.chdir(root)
        monkeypatch.syspath_prepend(str(root))
        for path, text in {**PROJECT, "app/__init__.py": ""}.items():
            (root / path).parent.mkdir(exist_ok=True)
            (root / path).write_text(text)

    def _fresh(self) -> None:
        (self.root / "jobs.db").unlink(missing_ok=True)
        for name in [n for n in sys.modules if n == "app" or n.startswith("app.")]:
            del sys.modules[name]
        importlib.invalidate_caches()
        models = importlib.import_module("app.models")
        engine = importlib.import_module("app.db").engine
        models.Base.metadata.create_all(engine)
        with sqlite3.connect("jobs.db") as connection:
            connection.executemany("INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", ROWS)
        connection.close()

    def run(self, text: str, call: Callable[[Any], Any]) -> Ran:
        """Load `text` as app.jobs on fresh data, and call."""
        self._fresh()
        space: dict[str, Any] = {"__name__": "app.jobs"}
        exec(compile(text, "app/jobs.py", "exec"), space)
        result, error = None, None
        try:
            result = call(space)
            if inspect.iscoroutine(result):
                result = asyncio.run(_awaited(result))
        except Exception as caught:
            error = caught
        sys.modules["app.db"].db_session.remove()
        sys.modules["app.db"].engine.dispose()
        connection = sqlite3.connect("jobs.db")
        rows = connection.execute("SELECT * FROM jobs ORDER BY id").fetchall()
        connection.close()
        return Ran(result, error, rows)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    before = {n: m for n, m in sys.modules.items() if n == "app" or n.startswith("app.")}
    yield World(tmp_path, monkeypatch)
    for name in [n for n in sys.modules if n == "app" or n.startswith("app.")]:
        del sys.modules[name]
    sys.modules.update(before)


def whole_index(files: Mapping[str, str]) -> ProjectIndex:
    """What is known of a project all of whose files are seen."""
    known = link(read_facts(Source(path, text)) for path, text in files.items())
    graph = ImportGraph({path: import_lines(text, path) for path, text in files.items()})
    return replace(known, imports=graph, named=Named.of(files), texts=Texts.of(files))


def planned(text: str, others: Mapping[str, str] | None = None) -> Outcome:
    """What becomes of app/jobs.py in the project of the examples, beside other files."""
    files = {**PROJECT, **(others or {}), "app/jobs.py": text}
    settings = Settings(codemods=("cursor-to-orm",), unsafe=True)
    return plan_file(Source("app/jobs.py", text), whole_index(files), settings)
