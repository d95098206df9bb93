"""A program of nothing but `sqlite3` is migrated whole: init, models, diff, apply, its own tests, and the way back."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.samples.sample import SAMPLES, behave, copy, ormlift, report, tree
from tests.samples.test_samples import git

APP = SAMPLES / "toolshed" / "toolshed"


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes], str]:
    """A migrated copy, its files as they were, and the dry run that was applied."""
    root = copy("toolshed", tmp_path_factory.mktemp("samples") / "toolshed")
    git(root, "init", "--quiet")
    git(root, "config", "user.name", "t")
    git(root, "config", "user.email", "t@example.org")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "as it was")
    before = tree(root)
    ormlift(root, "init", "--write-scope")
    ormlift(root, "models", "--output", "toolshed/models.py")
    diff = ormlift(root, "diff").stdout
    ormlift(root, "apply")
    return root, before, diff


def test_the_sample_is_what_it_says() -> None:
    texts = {path: path.read_text(encoding="utf-8") for path in APP.glob("*.py")}
    assert not [path for path, text in texts.items() if "sqlalchemy" in text.lower()]
    calls = [n for text in texts.values() for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call)]
    executed = [c for c in calls if isinstance(c.func, ast.Attribute) and c.func.attr.startswith("execute")]
    assert len(executed) >= 40
    assert sum(len(text.splitlines()) for text in texts.values()) > 600


def test_it_behaves_before() -> None:
    done = behave(SAMPLES / "toolshed")
    assert done.returncode == 0, done.stdout


def test_it_behaves_the_same_after(migrated: tuple[Path, dict[str, bytes], str]) -> None:
    done = behave(migrated[0])
    assert done.returncode == 0, done.stdout


def test_most_of_it_is_rewritten_and_the_rest_says_why(migrated: tuple[Path, dict[str, bytes], str]) -> None:
    root, _, diff = migrated
    rewritten = sum(
        int(count) for count in re.findall(r"Ormlift-Sites: (\d+)", git(root, "log", "--format=%B", "--grep=^Migrate"))
    )
    assert rewritten >= 37
    left = [site for file in report(root)["files"] for site in file["sites"]]
    assert all(site["reason"]["message"] for site in left)
    assert {site["status"] for site in left} == {"refused"}
    assert diff.count("+    with session_scope() as session:") >= 37


def test_every_file_is_a_commit_of_its_own(migrated: tuple[Path, dict[str, bytes], str]) -> None:
    root = migrated[0]
    subjects = git(root, "log", "--format=%s").splitlines()
    assert subjects[-3:] == [
        "Add models of 7 tables to toolshed/models.py",
        "Add session_scope to toolshed/db.py",
        "as it was",
    ]
    assert all(
        len(git(root, "show", "--format=", "--name-only", f"HEAD~{n}").split()) == 1 for n in range(len(subjects) - 1)
    )


def test_the_configuration_says_what_was_found(migrated: tuple[Path, dict[str, bytes], str]) -> None:
    text = (migrated[0] / "pyproject.toml").read_text(encoding="utf-8")
    assert text.startswith(migrated[1]["pyproject.toml"].decode())
    told = tomllib.loads(text)["tool"]["ormlift"]
    assert (told["session-scope"], told["connections"]) == ("toolshed.db:session_scope", ["toolshed.db:connect"])
    assert told["dialect"] == "sqlite"
    assert told["phases"]


def test_it_behaves_the_same_after_what_waits_for_unsafe(
    migrated: tuple[Path, dict[str, bytes], str], tmp_path: Path
) -> None:
    root = tmp_path / "toolshed"
    subprocess.run(["git", "clone", "--quiet", str(migrated[0]), str(root)], check=True)
    (root / "pyproject.toml").write_bytes((migrated[0] / "pyproject.toml").read_bytes())
    ormlift(root, "apply", "--unsafe", "--no-commit")
    done = behave(root)
    assert done.returncode == 0, done.stdout


def test_it_leads_back_to_the_start(migrated: tuple[Path, dict[str, bytes], str], tmp_path: Path) -> None:
    root = tmp_path / "toolshed"
    subprocess.run(["git", "clone", "--quiet", str(migrated[0]), str(root)], check=True)
    git(root, "config", "user.name", "t")
    git(root, "config", "user.email", "t@example.org")
    runs = re.findall(r"Ormlift-Run: (\S+)", git(root, "log", "--format=%B"))
    for run in dict.fromkeys(runs):
        ormlift(root, "rollback", "--run", run)
    assert tree(root) == migrated[1]
