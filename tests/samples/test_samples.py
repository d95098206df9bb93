"""Each sample: its golden dry run, its behaviour before and after, and the way back."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.samples.sample import GOLDEN, NAMES, SAMPLES, behave, copy, golden, ormlift, report, tree

GIT = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def root(name: str, tmp_path: Path) -> Path:
    return copy(name, tmp_path / name)


def git(root: Path, *arguments: str) -> str:
    return subprocess.run([*GIT, *arguments], cwd=root, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(root: Path) -> Path:
    git(root, "init", "--quiet")
    git(root, "config", "user.name", "t")
    git(root, "config", "user.email", "t@example.org")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "as it was")
    return root


def test_dry_run_is_the_golden_one(name: str, root: Path) -> None:
    """`python -m tests.samples.regenerate` writes the golden files anew."""
    found = golden(root)
    for file in GOLDEN:
        assert found[file] == (SAMPLES / name / file).read_text(encoding="utf-8"), file


def test_golden_run_has_all_that_a_sample_is_for(name: str, root: Path) -> None:
    counts = Counter(s["status"] for f in report(root, "--unsafe")["files"] for s in f["sites"])
    assert counts["rewritten"] > 5
    assert counts["refused"] > 1
    assert counts["failed"] == 0


def test_every_code_of_the_report_is_explained(root: Path) -> None:
    from ormlift.rules import ALL
    from ormlift_cli.render.explain import codes

    sites = [s for f in report(root)["files"] for s in f["sites"]]
    used = {s["reason"]["code"] for s in sites if s.get("reason")} | {e["code"] for s in sites for e in s["effects"]}
    assert used
    assert used <= set(codes(ALL))


def test_dry_run_writes_nothing(root: Path) -> None:
    before = tree(root)
    ormlift(root, "diff")
    ormlift(root, "diff", "--unsafe", "--output-format", "json")
    assert tree(root) == before


def test_git_applies_the_dry_run(repository: Path) -> None:
    patch = ormlift(repository, "diff", "--unsafe").stdout
    subprocess.run([*GIT, "apply", "-"], cwd=repository, check=True, input=patch, encoding="utf-8")
    by_git = tree(repository)
    git(repository, "checkout", "--quiet", ".")
    ormlift(repository, "apply", "--unsafe", "--no-commit")
    assert by_git == tree(repository)


def test_json_and_text_show_the_same_diff(root: Path) -> None:
    files = report(root, "--unsafe")["files"]
    assert "".join(f.get("diff") or "" for f in files) == ormlift(root, "diff", "--unsafe").stdout


def test_app_behaves_before(root: Path) -> None:
    done = behave(root)
    assert done.returncode == 0, done.stdout


def test_app_behaves_the_same_after_the_safe_rewrites(root: Path) -> None:
    ormlift(root, "apply", "--no-commit")
    done = behave(root, "tests_app/test_behaviour.py")
    assert done.returncode == 0, done.stdout


def test_app_changes_only_what_the_effects_name(root: Path) -> None:
    ormlift(root, "apply", "--no-commit", "--unsafe")
    done = behave(root, migrated=True)
    assert done.returncode == 0, done.stdout


def test_second_run_finds_nothing_more(root: Path) -> None:
    ormlift(root, "apply", "--no-commit", "--unsafe")
    assert ormlift(root, "diff", "--unsafe").stdout == ""


def test_rollback_leads_back_to_the_start(repository: Path) -> None:
    before = tree(repository)
    ormlift(repository, "apply", "--unsafe")
    assert tree(repository) != before
    migrated = len(git(repository, "log", "--format=%h").split()) - 1
    assert migrated == len([f for f in git(repository, "diff", "--name-only", f"HEAD~{migrated}").split() if f])
    ormlift(repository, "rollback")
    assert tree(repository) == before
    assert git(repository, "status", "--porcelain") == ""
    assert len(git(repository, "log", "--format=%h").split()) == 1 + 2 * migrated
