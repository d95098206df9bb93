"""`python -m bench [PATH]`: ormlift beside libcst's own codemod runner, and its commits beside git's.

Without a PATH a tree is generated. A PATH is only read; its own `[tool.ormlift]` holds. Commits are measured in a copy.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.commits import ORMLIFT, measure, write_modules
from bench.generate import write_tree
from bench.measure import Cost, run

_ROOT = Path(__file__).parents[1]
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
            if not options.path:
                write_modules(tree, options.commit_files)
            _commits(tree, Path(scratch), options.jobs)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("path", nargs="?", type=Path, help="a tree to measure on; default: a generated one")
    parser.add_argument("--files", type=int, default=400, help="modules to generate (default: 400)")
    parser.add_argument("--seed", type=int, default=1, help="of the generated tree")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes for either tool")
    parser.add_argument("--repeat", type=int, default=1, help="runs of each; the fastest counts")
    parser.add_argument("--commit-files", type=int, default=500, help="modules more to commit (default: 500)")
    parser.add_argument("--no-commits", dest="commits", action="store_false", help="leave out the commits")
    return parser.parse_args(arguments)


def _dry_runs(tree: Path, jobs: int, repeat: int) -> None:
    environment = {"PYTHONPATH": str(_ROOT)}
    ours = [*ORMLIFT, "diff", *_CHOICE, "--jobs", str(jobs), "--quiet"]
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
    """`ormlift apply` beside a loop of bare `git commit`."""
    cost = measure(tree, scratch, _CHOICE, jobs)
    if not cost.files:
        _say("\nnothing to commit")
        return
    rows = (
        ("ormlift apply", cost.applied),
        ("ormlift apply --no-commit", cost.planned),
        ("the commits alone", cost.applied - cost.planned),
        ("git commit, a file each", cost.bare),
    )
    _say(f"\n{f'{cost.files} commits':34}{'seconds':>9}{'a second':>10}")
    for title, seconds in rows:
        rate = f"{cost.files / seconds:.1f}" if seconds > 0 else "-"  # a busy machine can turn the difference around
        _say(f"{title:34}{seconds:9.2f}{rate:>10}")
    same = "the same" if cost.same else "NOT the same"
    _say(f"all of ormlift apply: {cost.applied / cost.bare:.2f} times git commit; trees, index and files are {same}")


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
