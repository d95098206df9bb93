"""The cost of commits: `ormlift apply` beside as many bare `git commit` calls of one file each, on the same files."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.measure import run

GIT = ["git", "-c", "user.name=bench", "-c", "user.email=bench@example.org", "-c", "commit.gpgsign=false"]
ORMLIFT = [sys.executable, "-m", "ormlift_cli"]
_MODULE = '''"""Generated."""
from core.db import db_manager
from core.models import Item


def count(state):
    session = db_manager.get_session()
    try:
        return session.query(Item).filter_by(state=state).count() + {number}
    finally:
        session.close()
'''


@dataclass(frozen=True)
class Commits:
    """What was measured, in seconds."""

    files: int
    applied: float  # all of `ormlift apply`
    planned: float  # all of `ormlift apply --no-commit`: the same without its commits
    bare: float  # `git commit` of one file each
    same: bool  # the trees, the index and the files came out the same


def write_modules(root: Path, count: int) -> None:
    """A site in each of `count` modules."""
    for number in range(count):
        package = root / f"site_{number // 40:03}"
        package.mkdir(parents=True, exist_ok=True)
        (package / f"module_{number:05}.py").write_text(_MODULE.format(number=number), encoding="utf-8")


def measure(tree: Path, scratch: Path, choice: Sequence[str], jobs: int) -> Commits:
    """Commit the same changes twice, each in a copy of the tree."""
    ours, bare = scratch / "ours", scratch / "bare"
    for copy in (ours, bare):
        _repository(tree, copy)
    options = [*choice, "--jobs", str(jobs), "--quiet"]
    applied = run([*ORMLIFT, "apply", *options], ours)
    planned = run([*ORMLIFT, "apply", "--no-commit", *options], bare)
    if {applied.returncode, planned.returncode} - {0, 3}:
        sys.exit(f"ormlift apply failed:\n{applied.errors[-2000:]}{planned.errors[-2000:]}")
    changed = subprocess.check_output([*GIT, "diff", "--name-only", "-z"], cwd=bare, text=True).split("\0")[:-1]
    (scratch / "changed").write_text("".join(f"{name}\n" for name in changed), encoding="utf-8")
    loop = 'while read -r file; do git commit -q -m migrate -- "$file"; done < ../changed'
    by_git = run(["sh", "-c", loop], bare)
    return Commits(len(changed), applied.seconds, planned.seconds, by_git.seconds, _state(ours) == _state(bare))


def _repository(tree: Path, copy: Path) -> None:
    shutil.copytree(tree, copy, ignore=shutil.ignore_patterns(".git"), symlinks=True)
    for command in (
        ["init", "--quiet"],
        ["config", "user.name", "bench"],
        ["config", "user.email", "bench@example.org"],
        ["add", "--all"],
        ["commit", "--quiet", "--no-verify", "--message", "start"],
    ):
        subprocess.run([*GIT, *command], cwd=copy, check=True)


def _state(copy: Path) -> list[str]:
    """The tree, the index, the number of commits, and what git says of the files."""
    commands = (
        ["rev-parse", "HEAD^{tree}"],
        ["ls-files", "-s"],
        ["rev-list", "--count", "HEAD"],
        ["status", "--short"],
    )
    return [subprocess.check_output([*GIT, *command], cwd=copy, text=True) for command in commands]
