"""The bench measures what it says; no test here depends on a time."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from bench.commits import measure, write_modules
from bench.generate import write_tree
from bench.measure import run


def contents(root: Path) -> dict[str, str]:
    return {p.relative_to(root).as_posix(): p.read_text(encoding="utf-8") for p in root.rglob("*") if p.is_file()}


def test_generated_tree_is_the_same_each_time(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_tree(tmp_path / name, 10, seed)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert contents(tmp_path / "a") != contents(tmp_path / "c")


def test_generated_tree_parses_and_holds_sessions(tmp_path: Path) -> None:
    write_tree(tmp_path, 50)
    texts = [text for path, text in contents(tmp_path).items() if path.endswith(".py")]
    for text in texts:
        ast.parse(text)
    assert sum("db_manager.get_session()" in text for text in texts) == 6


def test_plain_codemod_rewrites_the_plain_pattern(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        "def f():\n    s = db.get_session()\n    try:\n        return s.get(A, 1)\n    finally:\n        s.close()\n"
    )
    tool = [sys.executable, "-m", "libcst.tool", "codemod", "-x", "bench.plain.SessionScopeCommand", str(tmp_path)]
    subprocess.run([*tool, "--no-format", "--jobs=1"], check=True, capture_output=True, cwd=Path(__file__).parents[1])
    assert (tmp_path / "a.py").read_text() == ("def f():\n    with session_scope() as s:\n        return s.get(A, 1)\n")


def test_measure_sees_output_exit_code_and_memory(tmp_path: Path) -> None:
    program = "import sys; held = b'x' * 80_000_000; print('out'); print('err', file=sys.stderr); sys.exit(3)"
    cost = run([sys.executable, "-c", program], tmp_path)
    assert (cost.output, cost.errors, cost.returncode) == ("out\n", "err\n", 3)
    assert cost.largest > 80_000_000


def test_commits_are_measured_beside_git(tmp_path: Path) -> None:
    write_tree(tmp_path / "tree", 0)
    write_modules(tmp_path / "tree", 7)
    cost = measure(tmp_path / "tree", tmp_path, ["--codemod", "session-scope", "--unsafe"], 1)
    assert (cost.files, cost.same) == (7, True)
    assert min(cost.applied, cost.planned, cost.bare) > 0
