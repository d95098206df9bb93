"""The diff, as git reads it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ormlift.diff import unified, unified_bytes
from ormlift.model import Source
from ormlift.source import encode


def git_apply(folder: Path, before: Source, after: Source) -> bytes:
    path = folder / before.path
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(before))
    subprocess.run(
        ["git", "apply", "--whitespace=nowarn", "-"], cwd=folder, input=unified_bytes(before, after), check=True
    )
    return path.read_bytes()


@pytest.mark.parametrize("path", ["a.py", "dir/with space.py", "ü/naïve.py", 'quo"te.py', "tab\there.py"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("end", ["", "\n"])
def test_git_applies_it(tmp_path: Path, path: str, newline: str, end: str) -> None:
    old = newline.join(["a", "b", "c", "d", "e", "f", "g"]) + end
    new = newline.join(["a", "B", "c", "d", "e", "f", "G", "h"])
    before, after = Source(path, old, bom=True), Source(path, new, bom=True)
    assert git_apply(tmp_path, before, after) == encode(after)


@given(st.text("ab\n\r", max_size=30), st.text("ab\n\r", max_size=30))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_git_applies_any_text(tmp_path: Path, old: str, new: str) -> None:
    before, after = Source("x.py", old), Source("x.py", new)
    if old == new:
        assert unified(before, after) == ""
    elif old and new:  # to or from nothing is a creation or deletion for git; a rewrite never leaves an empty file
        assert git_apply(tmp_path, before, after) == encode(after)


def test_other_encodings_reach_git_as_they_are(tmp_path: Path) -> None:
    before = Source("l.py", "# coding: latin-1\nx = 'é'\ny = 1\n", "iso-8859-1")
    after = Source("l.py", "# coding: latin-1\nx = 'é'\ny = 2\n", "iso-8859-1")
    assert git_apply(tmp_path, before, after) == encode(after)
