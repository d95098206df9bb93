"""`python -m bench [PATH]`: ormlift beside libcst's own codemod runner, and its commits beside git's.

Without a PATH a tree is generated. A PATH is only read; its own `[tool.ormlift]` holds. Commits are measured in a copy.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.generate import write_tree
from bench.measure import Cost, run

_ROOT = Path(__file__).parents[1]
_GIT = ["git", "-c", "user.name=bench", "-c", "user.email=bench@example.org", "-c", "commit.gpgsign=false"]
_ORMLIFT = [sys.executable, "-m", "ormlift_cli"]
_CHOICE = ["--codemod", "session-scope", "--unsafe"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print a table."""
    options = _options(arguments)
    with tempfile.TemporaryDirectory(prefix="ormlift-bench-") as scratch:
        tree = options.path.resolve() if options.path else Path(scratch) / "tree"
        if not options.path:
            write_tree(tree, options.files, options.seed)
        _say(f"{platform.python_implementation()} {platform.python_version()}, {os.cpu_count()} cores, {_size(tree)}")
        _dry_runs(tree, options.jobs, options.repeat)
        if options.commits:
            _commits(tree, Path(scratch), options.jobs)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("path", nargs="?", type=Path, help="a tree to measure on; default: a generated one")
    parser.add_argument("--files", type=int, default=400, help="modules to generate (default: 400)")
    parser.add_argument("--seed", type=int, default=1, help="of the generated tree")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes for either tool")
    parser.add_argument("--repeat", type=int, default=1, help="runs of each; the fastest counts")
    parser.add_argument("--no-commits", dest="commits", action="store_false", help="leave out the commits")
    return parser.parse_args(arguments)


def _dry_runs(tree: Path, jobs: int, repeat: int) -> None:
    environment = {"PYTHONPATH": str(_ROOT)}
    ours = [*_ORMLIFT, "diff", *_CHOICE, "--jobs", str(jobs), "--quiet"]
    theirs = [sys.executable, "-m", "libcst.tool", "codemod", "--external", "bench.plain.SessionScopeCommand"]
    theirs += [str(tree), "--no-format", "--unified-diff=3", f"--jobs={jobs}", "--hide-progress"]
    _say(f"\n{'dry run, ' + str(jobs) + ' jobs':34}{'seconds':>9}{'largest':>10}{'together':>10}{'hunks':>7}")
    fast = _row("ormlift diff (session-scope)", ours, tree, environment, repeat)
    slow = _row("libcst.tool codemod (plain)", theirs, tree, environment, repeat)
    _say(f"ormlift is {slow.seconds / fast.seconds:.1f} times as fast")


def _row(title: str, command: list[str], cwd: Path, environment: dict[str, str], repeat: int) -> Cost:
    cost = min((run(command, cwd, environment) for _ in range(repeat)), key=lambda c: c.seconds)
    finished = "Finished codemodding" in cost.errors  # libcst ends with 1 where some files do not parse
    if cost.returncode not in (0, 3) and not finished:
        sys.exit(f"{title} ended with {cost.returncode}:\n{cost.errors[-2000:]}")
    together = _mib(cost.together) if cost.together else "-"
    hunks = sum(line.startswith("@@") for line in cost.output.splitlines())
    _say(f"{title:34}{cost.seconds:9.2f}{_mib(cost.largest):>10}{together:>10}{hunks:7}")
    return cost


def _commits(tree: Path, scratch: Path, jobs: int) -> None:
    """Time `ormlift apply`, and a loop of bare `git commit` that makes the same commits."""
    ours, bare = scratch / "ours", scratch / "bare"
    for copy in (ours, bare):
        _repository(tree, copy)
    options = [*_CHOICE, "--jobs", str(jobs), "--quiet"]
    applied = run([*_ORMLIFT, "apply", *options], ours)
    planned = run([*_ORMLIFT, "apply", "--no-commit", *options], bare)
    if {applied.returncode, planned.returncode} - {0, 3}:
        sys.exit(f"ormlift apply failed:\n{applied.errors[-2000:]}{planned.errors[-2000:]}")
    changed = subprocess.check_output([*_GIT, "diff", "--name-only", "-z"], cwd=bare, text=True).split("\0")[:-1]
    script = 'while read -r file; do git add -- "$file" && git commit -q -m migrate -- "$file"; done'
    loop = ["sh", "-c", f"git config user.name b; git config user.email b@example.org; {script} < ../changed"]
    if not changed:
        _say("\nnothing to commit")
        return
    (scratch / "changed").write_text("".join(f"{name}\n" for name in changed), encoding="utf-8")
    by_git = run(loop, bare)
    rows = (
        ("ormlift apply", applied.seconds),
        ("ormlift apply --no-commit", planned.seconds),
        ("the commits alone", applied.seconds - planned.seconds),
        ("git add, git commit", by_git.seconds),
    )
    _say(f"\n{f'{len(changed)} commits':34}{'seconds':>9}{'a second':>10}")
    for title, seconds in rows:
        rate = f"{len(changed) / seconds:.1f}" if seconds > 0 else "-"  # a busy machine can turn the difference around
        _say(f"{title:34}{seconds:9.2f}{rate:>10}")


def _repository(tree: Path, copy: Path) -> None:
    shutil.copytree(tree, copy, ignore=shutil.ignore_patterns(".git"), symlinks=True)
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--no-verify", "--message", "start"]):
        subprocess.run([*_GIT, *command], cwd=copy, check=True)


def _size(tree: Path) -> str:
    files = [p for p in tree.rglob("*.py") if p.is_file()]
    lines = sum(p.read_bytes().count(b"\n") for p in files)
    return f"{len(files)} files with {lines} lines"


def _mib(size: int) -> str:
    return f"{size / 2**20:.0f} MiB"


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a table on stdout is what this is for


if __name__ == "__main__":
    main()
