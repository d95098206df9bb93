"""Each trap of samples/traps behaves the same, in values, types and database, after what a default run rewrites."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.samples.sample import SAMPLES, copy, ormlift

Observed = dict[str, tuple[str, str]]


def observe(root: Path) -> Observed:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "observe.py"], cwd=root, check=True, capture_output=True, text=True
    )
    return {call: (result, stored) for call, result, stored in json.loads(done.stdout)}


@pytest.fixture(scope="module")
def observed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Observed, Observed, str]:
    """What was observed before and after, and the diff."""
    root = copy("jobs", tmp_path_factory.mktemp("traps") / "app")
    for path in (SAMPLES / "traps").glob("*.py"):
        shutil.copy(path, root)
    before = observe(root)
    diff = ormlift(root, "diff", "traps.py").stdout
    ormlift(root, "apply", "--no-commit", "traps.py")
    return before, observe(root), diff


def test_many_traps_are_rewritten(observed: tuple[Observed, Observed, str]) -> None:
    assert observed[2].count("+    with session_scope() as session:") > 15


def test_every_trap_behaves_the_same(observed: tuple[Observed, Observed, str]) -> None:
    before, after, _ = observed
    assert before.keys() == after.keys()
    different = {call: (before[call], after[call]) for call in before if before[call] != after[call]}
    assert not different
