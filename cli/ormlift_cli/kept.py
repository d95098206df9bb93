"""A pytest module that a team keeps: it asserts in each test run what `ormlift verify` says."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

_MODULE = '''"""What the migration to the ORM promised, asked of the code as it stands.

Written by `ormlift verify --write-tests`. Each test is one promise of one phase of the rollout; its failure names the
lines. The phases stand in the configuration of ormlift, so this file need not follow them but for their names.
"""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = (Path(__file__).parent / {root!r}).resolve()
PHASES = {phases}


@cache
def verified(phase):
    command = [sys.executable, "-m", "ormlift_cli", "verify", "--output-format", "json"]
    command += ["--phase", phase] if phase else []
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)["broken"]


def broken(phase, promise):
    found = [one for one in verified(phase) if one["promise"] == promise]
    return ["{{path}}:{{line}}: {{codemod}}: {{message}}".format(**one) for one in found]


@pytest.mark.parametrize("phase", PHASES)
def test_nothing_is_left_that_could_be_rewritten(phase):
    assert broken(phase, "nothing-left") == []


@pytest.mark.parametrize("phase", PHASES)
def test_what_is_refused_was_refused_before(phase):
    assert broken(phase, "refusals-stand") == []


@pytest.mark.parametrize("phase", PHASES)
def test_the_certificates_hold(phase):
    assert broken(phase, "certificates-hold") == []


@pytest.mark.parametrize("phase", PHASES)
def test_old_and_new_stand_side_by_side_only_where_it_is_planned(phase):
    assert broken(phase, "coexistence-planned") == []
'''


def test_module(phases: Sequence[str], file: Path, root: Path) -> str:
    """The text of the module, for a file at that place."""
    way = Path(os.path.relpath(root, file.parent)).as_posix()
    listed = "\n".join(["[", *(f"    {phase!r}," for phase in phases), "]"])
    return _MODULE.format(root=way, phases=listed)
