"""The samples as tests use them: a scratch copy, ormlift run on it, and the app's own tests run in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

SAMPLES = Path(__file__).parents[2] / "samples"
NAMES = ("jobs", "captions")
GOLDEN = ("expected.diff", "expected-unsafe.diff", "expected.json")


def copy(name: str, target: Path) -> Path:
    """Copy a sample, without its golden files, to `target`, and give that back."""
    leave = shutil.ignore_patterns(*GOLDEN, "__pycache__", ".pytest_cache", "*.db")
    return shutil.copytree(SAMPLES / name, target, ignore=leave)


def ormlift(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in `root` as a user does. Raises CalledProcessError where it does not end with 0."""
    command = [sys.executable, "-m", "ormlift_cli", *arguments]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8", "COLUMNS": "120"}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, encoding="utf-8")
    if done.returncode:
        sys.stderr.write(done.stdout + done.stderr)
        done.check_returncode()
    return done


def report(root: Path, *arguments: str) -> dict[str, Any]:
    """The JSON report of a dry run in `root`."""
    told: dict[str, Any] = json.loads(ormlift(root, "diff", "--output-format", "json", *arguments).stdout)
    return told


def golden(root: Path) -> dict[str, str]:
    """What the golden files of the sample copied to `root` should hold: file name -> text."""
    told = report(root)
    told["root"] = "."
    for file in told["files"]:
        file.pop("diff", None)  # it stands in expected.diff, where a reader can read it
        for site in file["sites"]:
            site.pop("certificate", None)  # SQL is laid out anew by each SQLAlchemy; a verdict is not
            site["certificates"] = [certificate["verdict"] for certificate in site.get("certificates", ())]
    return {
        "expected.diff": ormlift(root, "diff").stdout,
        "expected-unsafe.diff": ormlift(root, "diff", "--unsafe").stdout,
        "expected.json": json.dumps(told, indent=1, ensure_ascii=False) + "\n",
    }


def behave(root: Path, *arguments: str, migrated: bool = False) -> subprocess.CompletedProcess[str]:
    """Run the app's own tests in `root`."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    environment |= {"MIGRATED": "1" if migrated else "", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rf", *arguments]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)


def tree(root: Path) -> dict[str, bytes]:
    """Every file under `root` outside `.git`: path -> bytes."""
    files = (p for p in root.rglob("*") if p.is_file() and ".git" not in p.relative_to(root).parts)
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in files}
