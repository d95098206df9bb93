"""What goes wrong in the middle of a run: the repository stays whole, one line says what happened, and it goes on."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.cli.world import World, environment

FILES = [f"part{n % 3}/m{n}.py" for n in range(9)]
HOOKED = pytest.mark.parametrize("hooked", [False, True], ids=["at once", "by git"])


@pytest.fixture
def town(world):
    make(world)
    return world


def make(world):
    for number, path in enumerate(FILES):
        world.put(path, f"legacy({number})\n# {'x' * 3000}\n")
    world.commit("first")


def whole(world):
    """Every file is committed as it stands, and git finds nothing wrong."""
    assert world.git("status", "--porcelain") == ""
    assert world.git("fsck", "--no-dangling") == ""
    assert not list((world.root / ".git").rglob("*.lock"))


def migrated(world):
    return [path for path in FILES if world.read(path).startswith(b"modern")]


# --resume


@HOOKED
def test_an_interrupted_run_goes_on(town, hooked):
    """With all that it was asked for, whatever it is asked for now."""
    town.put("ormlift.toml", "[[phases]]\nname = 'some'\npaths = ['part0/**', 'part1/**']\n")
    town.commit("phases")
    stop = "n=$(cat .git/n 2>/dev/null || echo 0); echo $((n+1)) > .git/n; [ $n -ne 4 ] || kill -9 $PPID"
    if hooked:
        town.hook("post-commit", "exit 0")
    done = town.run("apply", "--phase", "some", "--sign-off", "--test", stop)
    assert done.returncode == -signal.SIGKILL
    half = len(town.subjects()) - 2
    assert 0 < half < 6
    done = town.run("apply", "--resume")
    assert done.returncode == 0, done.stderr
    whole(town)
    assert migrated(town) == [path for path in FILES if not path.startswith("part2")]
    assert len(town.git("log", "--format=%(trailers:key=Signed-off-by,valueonly)").split()) == 6 * 2
    assert len(set(town.git("log", "--format=%(trailers:key=Ormlift-Run,valueonly)").split())) == 1
    done = town.run("apply", "--resume")
    assert (done.returncode, done.stderr) == (2, "ormlift: nothing to resume: no run was interrupted here\n")


def test_resuming_on_another_branch(town):
    town.run("apply", "--test", "[ ! -e .git/on ] || kill -9 $PPID; touch .git/on")
    town.git("switch", "--quiet", "--create", "other")
    done = town.run("apply", "--resume")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        2,
        "ormlift: the run was interrupted on main; check that out first",
    )
    assert town.run("apply", "--resume", "--no-commit").returncode == 2
    whole(town)


# A full disk


@pytest.fixture
def small(tmp_path):
    """A repository on a disk of its own that is nearly full."""
    mount = tmp_path / "disk"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=0755", "tmpfs", str(mount)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        world = World(mount / "project")
        make(world)
        yield world
    finally:
        subprocess.run(["umount", "--lazy", str(mount)], check=True)


def fill(world, left):
    """Leave so many bytes of the disk free."""
    free = os.statvfs(world.root)
    size = free.f_bavail * free.f_frsize - left
    (world.root / ".git/filler").write_bytes(b"x" * max(0, size))


@HOOKED
@pytest.mark.parametrize("left", [0, 12288, 40960, 98304])
def test_a_full_disk(small, left, hooked):
    if hooked:
        small.hook("post-commit", "exit 0")
    before = small.snapshot()
    fill(small, left)
    done = small.run("apply", "--jobs", "1")
    said = done.stderr
    (small.root / ".git/filler").unlink()
    small.git("status")
    for path in FILES:
        assert small.read(path) in (before[0][path][0], before[0][path][0].replace(b"legacy", b"modern"))
    commits = len(small.subjects()) - 1
    if done.returncode:
        assert done.returncode in (2, 3), said
        assert "Traceback" not in said
        assert "disk is full" in said or "No space left on device" in said
    assert len(migrated(small)) == commits
    assert small.run("apply").returncode == 0
    whole(small)
    assert migrated(small) == FILES
    assert small.run("rollback").returncode == 0
    assert small.snapshot() == before


@HOOKED
def test_a_full_disk_in_a_rollback(small, hooked):
    before = small.snapshot()
    small.run("apply")
    if hooked:
        small.hook("post-commit", "exit 0")
    fill(small, 20480)
    done = small.run("rollback")
    (small.root / ".git/filler").unlink()
    if done.returncode:
        assert "disk is full" in done.stderr or "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr
    assert small.run("rollback").returncode == 0
    whole(small)
    assert small.snapshot() == before


# Files, hooks, and commits that do not end


def test_a_read_only_file(town):
    (town.root / FILES[2]).chmod(0o444)
    done = town.run("apply")
    assert done.returncode == 3
    assert f"{FILES[2]}: failed: could not be written: is write-protected" in done.stderr.splitlines()
    assert migrated(town) == [path for path in FILES if path != FILES[2]]
    whole(town)


def test_a_hook_that_fails_for_one_file(town):
    town.hook("pre-commit", "git diff --cached --name-only | grep -q m4 && { echo 'm4: no'; exit 1; }; exit 0")
    done = town.run("apply", "--test", "true", "--test-every", "5")
    assert done.returncode == 3
    assert f"{FILES[4]}: failed: git commit failed, and the file is as it was: m4: no" in done.stderr
    assert migrated(town) == [path for path in FILES if path != FILES[4]]
    whole(town)


def test_a_hook_sees_no_other_change(town):
    """Also where more files were tried together."""
    town.hook("pre-commit", "git status --porcelain >> .git/seen")
    assert town.run("apply", "--test", "true", "--test-every", "5").returncode == 0
    assert sorted((town.root / ".git/seen").read_text().splitlines()) == sorted(f"M  {path}" for path in FILES)


def test_a_commit_that_does_not_end(town):
    town.put("ormlift.toml", "[commits]\ntimeout = 1\n")
    town.commit("timeout")
    town.hook("pre-commit", "git diff --cached --name-only | grep -q m1 && { echo $$ > .git/pid; sleep 300; }; exit 0")
    done = town.run("apply", "part1/m1.py", "part2")
    assert done.returncode == 3
    why = "git commit failed, and the file is as it was: it did not end within 1 seconds; see what your hooks wait for"
    assert f"part1/m1.py: failed: {why}" in done.stderr.splitlines()
    assert migrated(town) == ["part2/m2.py", "part2/m5.py", "part2/m8.py"]
    whole(town)
    assert not alive((town.root / ".git/pid").read_text().strip()), "what the hook waited in is ended too"


def alive(pid):
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def test_the_branch_moves_while_ormlift_works(town):
    """Somebody commits between the writing and the commits of a batch."""
    move = "git commit --quiet --allow-empty -m theirs"
    done = town.run("apply", "--test", f"grep -q modern {FILES[0]} && {{ {move}; }}; true", "--test-every", "9")
    assert done.returncode == 3
    assert "stopped: the branch was moved while ormlift worked; run it again" in done.stderr
    assert town.subjects() == ["theirs", "first"]
    whole(town)
    assert town.run("apply").returncode == 0
    assert migrated(town) == FILES


def test_a_locked_index(town):
    """Another git that does not let go of the index is told of, and nothing is changed."""
    town.put(".git/index.lock", "")
    before = town.snapshot()
    done = town.run("apply", "part0/m0.py")
    assert done.returncode == 3
    assert "git commit failed, and the file is as it was" in done.stderr
    assert "index.lock" in done.stderr
    (town.root / ".git/index.lock").unlink()
    assert town.snapshot() == before
    assert town.run("apply").returncode == 0
    whole(town)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@HOOKED
def test_signals_in_a_rollback(town, number, code, hooked):
    town.run("apply")
    before = town.git("rev-parse", "HEAD").strip()
    town.hook("reference-transaction" if not hooked else "pre-commit", "touch .git/began; sleep 0.3")
    process = subprocess.Popen(
        town.command("rollback"),
        cwd=town.root,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not (town.root / ".git/began").exists():
        time.sleep(0.005)
    os.killpg(process.pid, number)
    _, said = process.communicate()
    assert process.returncode == code, said
    assert "of 9 commits are taken back; the same command goes on" in said
    whole(town)
    (town.root / ".git/hooks" / ("reference-transaction" if not hooked else "pre-commit")).unlink()
    assert town.run("rollback", "--abort").returncode in (0, 2), "2: nothing had been done yet"
    assert town.git("rev-parse", "HEAD").strip() == before
    whole(town)
