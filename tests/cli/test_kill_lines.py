"""SIGKILL between any two lines of what writes and commits: the moments that a clock would hardly hit.

A forked child runs the command and ends itself at the n-th line. `ORMLIFT_KILLS` sets how many lines are tried for each
command (60 if not set), spread over all of them.
"""

import os
import signal
import subprocess
import sys

import git  # what a forked child finds imported it need not import again
import libcst
import ormlift.edit.tree
import ormlift.plan
import ormlift.rules
import pytest
from ormlift_cli import apply, files, journal, landing, pool, rollback, scopes
from ormlift_cli import git as ormlift_git
from ormlift_cli.commands.apply import How
from ormlift_cli.commands.apply import run as run_apply
from ormlift_cli.commands.rollback import Wanted, take_back
from ormlift_cli.render.console import Console
from ormlift_cli.report import Output
from ormlift_cli.run import Request

from tests.cli.toy import TOY
from tests.cli.world import World, environment

WARM = (git, libcst, ormlift.edit.tree, pool, scopes)
KILLS = int(os.environ.get("ORMLIFT_KILLS", "60"))
FILES = ("a.py", "sub/b.py")
TRACED = {module.__file__ for module in (apply, files, ormlift_git, journal, landing, rollback)}

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def child(world, command, kill_at=-1):
    """Run a command in a forked child; its exit code (-9: killed), and the number of lines if `kill_at` is not -1."""
    receive, send = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(receive)
        code = 99
        try:
            code = run_here(world, command, kill_at, send)
        finally:
            os._exit(code)
    os.close(send)
    with os.fdopen(receive, "rb") as pipe:
        lines = pipe.read()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), int(lines or 0)


def run_here(world, command, kill_at, send):
    ormlift.plan.ALL = ormlift.rules.ALL = (TOY,)
    os.environ.clear()
    os.environ.update(environment())
    os.chdir(world.root)
    count = 0

    def each_line(frame, event, argument):
        nonlocal count
        if frame.f_code.co_filename not in TRACED:
            return None
        if event == "line":
            count += 1
            if count == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
        return each_line

    if kill_at >= 0:
        sys.settrace(each_line)
    output = Output(Console(quiet=True))
    ways = {
        "apply": lambda: run_apply(Request(jobs=1), output, How()),
        "rollback": lambda: take_back(Wanted(), output),
    }
    code = ways[command]()
    sys.settrace(None)
    os.write(send, str(count).encode())
    return code


def make(root):
    world = World(root)
    for path in FILES:
        world.put(path, "legacy(1)\n")
    world.put("mine.txt", "one\n")
    world.commit("first")
    world.put("mine.txt", "two\n")
    world.git("add", "mine.txt")
    world.put("mine.txt", "three\n")
    return world


@pytest.mark.parametrize("command", ["apply", "rollback"])
def test_killed_at_a_line(tmp_path, command):
    world = make(tmp_path / "town")
    start = world.snapshot()
    first = world.git("rev-parse", "HEAD").strip()
    if command == "rollback":
        assert child(world, "apply")[0] == 0
    ready = world.git("rev-parse", "HEAD").strip()
    before = world.snapshot()
    code, lines = child(world, command, kill_at=0)
    assert code == 0
    after = world.snapshot()
    assert lines > 100
    for line in range(1, lines + 1, max(1, lines // KILLS)):
        world.git("update-ref", "refs/heads/main", ready)
        for path in FILES:
            world.git("restore", "--source", ready, "--staged", "--worktree", path)
        assert world.snapshot() == before
        assert child(world, command, kill_at=line)[0] == -signal.SIGKILL
        now, _, _ = world.snapshot()
        for path in FILES:
            assert now[path] in (before[0][path], after[0][path]), f"line {line}: {path} is half written"
        code, _ = child(world, command)
        assert code == 0, f"line {line}: the next {command} does not go on"
        assert world.snapshot() == after, f"line {line}"
        assert world.git("rev-list", "--count", f"{ready}..HEAD").strip() == str(len(FILES)), f"line {line}"
        check = subprocess.run(["git", "fsck"], cwd=world.root, env=environment(), capture_output=True, check=False)
        assert check.returncode == 0, check.stderr
        if command == "apply":
            assert child(world, "rollback")[0] == 0, f"line {line}"
        assert world.snapshot() == start, f"line {line}"
        assert world.git("diff", first, "HEAD", "--stat") == ""
