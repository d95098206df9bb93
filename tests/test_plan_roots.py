"""New imports at the top of a file: whether its package is in reach there, and who else gets the names."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from ormlift.model import Planned, Settings, Source
from ormlift.plan import plan_file
from ormlift.project.facts import read_facts
from ormlift.project.graph import ImportGraph, import_lines
from ormlift.project.index import link
from ormlift.project.named import Named
from ormlift.project.texts import Texts
from ormlift.rules.examples.cursor_kept import PROJECT

ALONE = """import sqlite3


def count():
    conn = sqlite3.connect("jobs.db")
    found = conn.execute("SELECT COUNT(*) FROM jobs").fetchone()[0]
    conn.close()
    return found


{}
"""
RUNS = 'if __name__ == "__main__":\n    print(count())'


def effects(path: str, text: str, others: dict[str, str] | None = None) -> tuple[set[str], str]:
    """The effects of what becomes of a file, and its text afterwards."""
    files = {**PROJECT, "app/__init__.py": "", **(others or {}), path: text}
    known = link(read_facts(Source(where, held)) for where, held in files.items())
    graph = ImportGraph({where: import_lines(held, where) for where, held in files.items()})
    index = replace(known, imports=graph, named=Named.of(files), texts=Texts.of(files))
    settings = Settings(unsafe=True, codemods=("cursor-to-orm",), scopes=())
    outcome = plan_file(Source(path, text), index, settings)
    assert isinstance(outcome, Planned), outcome
    return {e.code for site in outcome.sites for e in site.effects}, outcome.after.text


def test_a_script_of_a_folder_of_its_own_is_told(tmp_path: Path) -> None:
    """It ran, and raises ModuleNotFoundError after the change."""
    text = ALONE.format(RUNS)
    codes, after = effects("scripts/alone.py", text)
    assert "import-root" in codes
    for path, held in {**PROJECT, "app/__init__.py": "", "scripts/alone.py": text}.items():
        (tmp_path / path).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / path).write_text(held)
    made = "import sqlite3; sqlite3.connect('jobs.db').execute('CREATE TABLE jobs (id)')"
    subprocess.run([sys.executable, "-c", made], cwd=tmp_path, check=True)
    ran = []
    for written in (text, after):
        (tmp_path / "scripts/alone.py").write_text(written)
        ran.append(subprocess.run([sys.executable, "scripts/alone.py"], cwd=tmp_path, capture_output=True, text=True))
    assert (ran[0].returncode, ran[0].stdout) == (0, "0\n")
    assert "ModuleNotFoundError" in ran[1].stderr


GUARDED = "import sys\n\ntry:\n    from app.db import engine\nexcept ImportError:\n    sys.exit(1)\n"
TOLD = {
    "a script inside the package": ("app/tool.py", ALONE.format(RUNS), {}),
    "a package whose import is guarded": ("scripts/alone.py", GUARDED + ALONE.format(RUNS), {}),
    "a module at the root of another folder": ("tools/jobs/alone.py", ALONE.format(""), {}),
}
NOT_TOLD = {
    "a module of the package": ("app/jobs.py", ALONE.format(""), {}),
    "a script beside the package": ("manage.py", ALONE.format(RUNS), {}),
    "a script that imports the package": ("scripts/alone.py", "from app.db import engine\n" + ALONE.format(RUNS), {}),
    "a script of the package that another file imports": (
        "app/tool.py", ALONE.format(RUNS), {"app/main.py": "from app.tool import count\n"},
    ),
    "a module with relative imports": ("app/part/jobs.py", "from . import other\n" + ALONE.format(RUNS), {}),
}  # fmt: skip


@pytest.mark.parametrize("name", TOLD)
def test_told(name: str) -> None:
    assert "import-root" in effects(*TOLD[name])[0]


@pytest.mark.parametrize("name", NOT_TOLD)
def test_not_told(name: str) -> None:
    assert "import-root" not in effects(*NOT_TOLD[name])[0]


def test_names_that_a_star_hands_on() -> None:
    """`Job` of another module, imported before the star, is the model afterwards."""
    text = "from app.db import open_db\n\n\n" + ALONE.format("").replace('sqlite3.connect("jobs.db")', "open_db()")
    user = "from app.shapes import Job\nfrom app.helpers import *\n"
    assert "star-import" in effects("app/helpers.py", text, {"app/uses.py": user, "app/shapes.py": "class Job: ..."})[0]
    listed = '__all__ = ["count"]\n' + text
    assert "star-import" not in effects("app/helpers.py", listed, {"app/uses.py": user})[0]
    assert "star-import" not in effects("app/helpers.py", text, {"app/uses.py": "from app.helpers import count\n"})[0]
