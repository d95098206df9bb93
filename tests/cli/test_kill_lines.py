"""SIGKILL between any two lines of what writes and commits: the moments that a clock would hardly hit.

A forked child runs the command and ends itself at the n-th line. `ORMLIFT_KILLS` sets how many lines are tried for each
command (50 if not set), spread over all of them.
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
from ormlift.model import UserError
from ormlift_cli import abort, apply, committing, files, gate, history, journal, landing, pool, rollback, scopes, trial
from ormlift_cli import git as ormlift_git
from ormlift_cli.commands.apply import How
from ormlift_cli.commands.apply import run as run_apply
from ormlift_cli.commands.rollback import Wanted, take_back, undo
from ormlift_cli.render.console import Console
from ormlift_cli.report import Output
from ormlift_cli.run import Request

from tests.cli.toy import TOY
from tests.cli.world import World, environment

WARM = (git, libcst, ormlift.edit.tree, pool, scopes)
KILLS = int(os.environ.get("ORMLIFT_KILLS", "50"))
FILES = ("a.py", "sub/b.py")
ACTING = (abort, apply, committing, files, gate, history, journal, landing, ormlift_git, rollback, trial)
TRACED = {module.__file__ for module in ACTING}

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
    tested = How(gate={"test": "true", "test_every": 2})
    ways = {
        "apply": lambda: run_apply(Request(jobs=1), output, How()),
        "tested apply": lambda: run_apply(Request(jobs=1), output, tested),
        "rollback": lambda: take_back(Wanted(), output),
        "abort": lambda: undo(output),
    }
    try:
        code = ways[command]()
    except UserError:
        code = 2
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


@pytest.mark.parametrize(
    ("command", "way"),
    [("apply", "at once"), ("apply", "by git"), ("apply", "tested"), ("rollback", "at once"), ("rollback", "by git")],
)
def test_killed_at_a_line(tmp_path, command, way):
    """Many commits at once, a commit at a time as hooks want it, and with the project's tests in between."""
    world = make(tmp_path / "town")
    start = world.snapshot()
    first = world.git("rev-parse", "HEAD").strip()
    if way == "by git":
        world.hook("post-commit", "exit 0")
    name = "tested apply" if way == "tested" else command
    if command == "rollback":
        assert child(world, "apply")[0] == 0
    ready = world.git("rev-parse", "HEAD").strip()
    before = world.snapshot()
    code, lines = child(world, name, kill_at=0)
    assert code == 0
    after = world.snapshot()
    assert lines > 100
    for line in range(1, lines + 1, max(1, lines // KILLS)):
        set_back(world, ready)
        assert world.snapshot() == before
        assert child(world, name, kill_at=line)[0] == -signal.SIGKILL
        check_half(world, before, after, line)
        code, _ = child(world, name)
        assert code == 0, f"line {line}: the next {command} does not go on"
        assert world.snapshot() == after, f"line {line}"
        assert world.git("rev-list", "--count", f"{ready}..HEAD").strip() == str(len(FILES)), f"line {line}"
        check_clean(world)
        if command == "apply":
            assert child(world, "rollback")[0] == 0, f"line {line}"
        assert world.snapshot() == start, f"line {line}"
        assert world.git("diff", first, "HEAD", "--stat") == ""


def test_killed_while_a_rollback_is_undone(tmp_path):
    world = make(tmp_path / "town")
    assert child(world, "apply")[0] == 0
    world.put(FILES[1], "modern(2)\n")
    world.git("commit", "--quiet", "--message", "in the way", "--", FILES[1])
    after, wanted = world.snapshot(), world.git("rev-parse", "HEAD").strip()
    assert child(world, "rollback")[0] == 3
    before, ready = world.snapshot(), world.git("rev-parse", "HEAD").strip()
    note = world.root / ".git/ormlift/rollback.json"
    kept = note.read_text()
    code, lines = child(world, "abort", kill_at=0)
    assert (code, world.snapshot(), world.git("rev-parse", "HEAD").strip()) == (0, after, wanted)
    for line in range(1, lines + 1, max(1, lines // (KILLS // 2))):
        set_back(world, ready)
        note.write_text(kept)
        assert world.snapshot() == before
        assert child(world, "abort", kill_at=line)[0] == -signal.SIGKILL
        check_half(world, before, after, line)
        code, _ = child(world, "abort")
        assert code in (0, 2), f"line {line}"  # 2: there is nothing left to undo
        assert world.snapshot() == after, f"line {line}"
        assert world.git("rev-parse", "HEAD").strip() == wanted, f"line {line}"
        check_clean(world)


def set_back(world, commit):
    world.git("update-ref", "HEAD", commit)
    for path in FILES:
        world.git("restore", "--source", commit, "--staged", "--worktree", path)


def check_half(world, before, after, line):
    now, _, _ = world.snapshot()
    for path in FILES:
        assert now[path] in (before[0][path], after[0][path]), f"line {line}: {path} is half written"


def check_clean(world):
    check = subprocess.run(["git", "fsck"], cwd=world.root, env=environment(), capture_output=True, check=False)
    assert check.returncode == 0, check.stderr
    left = [path.name for path in (world.root / ".git/ormlift").iterdir()]
    assert set(left) <= {"lock", "rollback.json"}, left
    assert not list((world.root / ".git").rglob("*.lock"))
