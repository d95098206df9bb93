"""`ormlift verify --mappers`: runs the user's code, in a process of its own, to see whether its mappers work.

The modules that hold mapped classes are imported, all mappers are configured, and a SELECT is compiled for each mapped
class. No database is asked, so that this says what tests with a stub in place of the session do not.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ormlift.model import UserError

from ormlift_cli.project import Project

if TYPE_CHECKING:
    from ormlift.project.index import ProjectIndex

PROGRAM = """
import importlib, json, sys

asked, answer = json.loads(sys.argv[1]), sys.argv[2]
found = {"modules": 0, "classes": 0, "failures": []}
sys.path[:0] = asked["roots"]


def fails(kind, name, error):
    text = " ".join(str(error).split())
    found["failures"].append({"kind": kind, "name": name, "error": f"{type(error).__name__}: {text}"})


def save():
    with open(answer, "w", encoding="utf-8") as file:
        json.dump(found, file)


try:
    from sqlalchemy import select
    from sqlalchemy.orm import configure_mappers
    from sqlalchemy.orm.mapper import _all_registries
except ImportError as error:
    fails("sqlalchemy", sys.executable, error)
    save()
    raise SystemExit
for name in asked["modules"]:
    try:
        importlib.import_module(name)
        found["modules"] += 1
    except BaseException as error:
        fails("import", name, error)
    save()
try:
    configure_mappers()
except Exception as error:
    fails("mappers", "configure_mappers()", error)
mappers = [mapper for registry in _all_registries() for mapper in registry.mappers]
for mapper in sorted(mappers, key=lambda m: (m.class_.__module__, m.class_.__qualname__)):
    name = f"{mapper.class_.__module__}.{mapper.class_.__qualname__}"
    found["classes"] += 1
    try:
        str(select(mapper.class_).compile())
    except Exception as error:
        if not any(f["kind"] == "mappers" for f in found["failures"]):
            fails("select", name, error)
save()
"""


@dataclass(frozen=True)
class MapperCheck:
    """What came of it."""

    python: str
    modules: int  # imported
    asked: int  # to be imported
    classes: int
    failures: tuple[tuple[str, str, str], ...]  # kind (import | mappers | select | time), what, the error


def check_mappers(project: Project, index: ProjectIndex, python: str, seconds: float) -> MapperCheck:
    """Import the models and configure their mappers. Raises UserError where that cannot even begin."""
    modules, roots = modules_of(index)
    if not modules:
        raise UserError("no module with mapped classes was found; name their folders under `models`")
    chosen = python or _python(project.root)
    asked = {"modules": modules, "roots": [str(project.root / root) for root in roots]}
    with tempfile.TemporaryDirectory(prefix="ormlift-") as folder:
        answer = Path(folder) / "answer.json"
        late = _run([chosen, "-c", PROGRAM, json.dumps(asked), str(answer)], project.root, seconds)
        try:
            found = json.loads(answer.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            found = {"modules": 0, "classes": 0, "failures": []}
            if not late:
                found["failures"].append(
                    {"kind": "import", "name": chosen, "error": "the process ended without an answer"}
                )
    failures = [(f["kind"], f["name"], f["error"]) for f in found["failures"]]
    missing = next((error for kind, _, error in failures if kind == "sqlalchemy"), "")
    if missing:
        raise UserError(f"{chosen} has no SQLAlchemy ({missing}); name the project's own with --python PATH")
    if late:
        failures.append(("time", f"{seconds:g} s", "the modules were still being imported; raise --timeout"))
    return MapperCheck(chosen, found["modules"], len(modules), found["classes"], tuple(failures))


def modules_of(index: ProjectIndex) -> tuple[list[str], list[str]]:
    """The dotted names of the modules that hold mapped classes, and the folders that they are imported from."""
    from ormlift.project.names import is_test_path

    modules: dict[str, None] = {}
    roots: dict[str, None] = {"": None}
    for model in index.models:
        if is_test_path(model.path) or {"migrations", "alembic", "versions"} & set(model.path.split("/")):
            continue
        if all(part.isidentifier() for part in model.module.split(".")):
            modules[model.module] = None
            depth = len(model.module.split(".")) + model.path.endswith("/__init__.py")
            roots["/".join(PurePosixPath(model.path).parts[:-depth])] = None
    return list(modules), sorted(roots, key=len, reverse=True)


def _python(root: Path) -> str:
    """The interpreter of the project's virtual environment, or of the active one, or ours."""
    places = [root / ".venv", root / "venv", Path(os.environ.get("VIRTUAL_ENV") or "\0")]
    for place in places:
        for name in ("bin/python", "Scripts/python.exe"):
            if "\0" not in str(place) and (place / name).exists():
                return str(place / name)
    return sys.executable


def _run(command: list[str], folder: Path, seconds: float) -> bool:
    """Run to the end, or to the end of the time; whether it was the latter. Nothing of it stays behind."""
    try:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise UserError(f"{command[0]}: cannot be run: {error.strerror or error}") from None
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return True
    finally:
        _kill(process)
    return False


def _kill(process: subprocess.Popen[bytes]) -> None:
    """The process and those that it started."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    elif process.poll() is None:
        process.kill()
    process.wait()


def lines(check: MapperCheck) -> Iterable[str]:
    """The account, for people."""
    words = {"import": "cannot be imported", "mappers": "fails", "select": "has no SELECT", "time": "were not enough"}
    for kind, name, error in check.failures:
        yield f"{name}: {words[kind]}: {error}"
    state = "all mappers are configured" if not check.failures else f"{len(check.failures)} failures"
    yield f"{check.modules} of {check.asked} modules imported, {check.classes} mapped classes: {state} ({check.python})"


def as_json(check: MapperCheck) -> str:
    """The account, for programs."""
    return json.dumps(
        {
            "version": 1,
            "mappers": {
                "python": check.python,
                "modules": check.modules,
                "asked": check.asked,
                "classes": check.classes,
                "failures": [{"kind": k, "name": n, "error": e} for k, n, e in check.failures],
            },
        },
        indent=1,
    )
