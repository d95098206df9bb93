"""SIGKILL at any moment: no file is half written, the next apply goes on, rollback still works.

`ORMLIFT_KILLS` sets how many kills each timed test makes (a process each; 8 if not set).
"""

import itertools
import os
import random
import signal
import subprocess
import time

import pytest

from tests.cli.world import World, environment

KILLS = int(os.environ.get("ORMLIFT_KILLS", "8"))
FILES = [f"app/part{n % 3}/mod{n:02}.py" for n in range(12)]


@pytest.fixture
def town(tmp_path):
    return make_town(tmp_path / "town")


def make_town(root, way="at once"):
    """Twelve files to migrate, and a user in the middle of other work."""
    world = World(root)
    if way == "by git":
        world.hook("post-commit", "exit 0")
    for n, path in enumerate(FILES):
        bulk = f"# {'ü' * 4_000 * n}\n"  # so that writing takes its time
        world.put(path, f"import os\n\n\ndef f():\n    legacy({n})\n    legacy(f)  # ü\n\n\n{bulk}")
    for name in ("staged.txt", "unstaged.txt", "both.txt"):
        world.put(name, "one\n")
    world.commit("first")
    world.put("staged.txt", "two\n")
    world.put("both.txt", "two\n")
    world.put("fresh.txt", "new\n")
    world.git("add", "staged.txt", "both.txt", "fresh.txt")
    world.put("both.txt", "three\n")
    world.put("unstaged.txt", "two\n")
    world.put("untracked.txt", "loose\n")
    return world


def migrated(world, before):
    return {path: before[0][path][0].replace(b"legacy", b"modern") for path in FILES}


def check_after_kill(world, before, after):
    """What must hold at any moment."""
    files, _, _ = world.snapshot()
    for path in FILES:
        content, mode = files[path]
        assert content in (before[0][path][0], after[path]), f"{path} is half written"
        assert mode == before[0][path][1]
    for path in ("staged.txt", "unstaged.txt", "both.txt", "fresh.txt", "untracked.txt"):
        assert files[path] == before[0][path]
    fsck = subprocess.run(
        ["git", "fsck", "--no-dangling"], cwd=world.root, env=environment(), capture_output=True, text=True, check=False
    )
    assert fsck.returncode == 0, fsck.stderr
    others = [line for line in world.git("ls-files", "-s").splitlines() if not line.endswith(".py")]
    assert others == [line for line in before[1].splitlines() if not line.endswith(".py")]


def check_applied(world, before, after):
    files, _, status = world.snapshot()
    assert {path: files[path][0] for path in FILES} == after
    assert set(files) == set(before[0]), "something was left behind"
    assert status == before[2]
    subjects = world.subjects()
    assert sorted(subjects[:-1]) == sorted(f"Migrate {path} (toy)" for path in FILES)
    runs = set(world.git("log", "--format=%(trailers:key=Ormlift-Run,valueonly)").split())
    assert len(runs) == 1, "a killed run that goes on keeps its id"


def check_rolled_back(world, before):
    assert world.snapshot() == before
    first = world.git("rev-list", "--max-parents=0", "HEAD").strip()
    assert world.git("rev-parse", "HEAD^{tree}") == world.git("rev-parse", f"{first}^{{tree}}")
    reverts = [subject for subject in world.subjects() if subject.startswith("Revert ")]
    assert sorted(reverts) == sorted(f'Revert "Migrate {path} (toy)"' for path in FILES)
    assert len(world.subjects()) == 1 + 2 * len(FILES)
    assert not list((world.root / ".git").glob("**/*.lock"))


def start(world, command):
    return subprocess.Popen(
        world.command(command, "--jobs", "1") if command == "apply" else world.command(command),
        cwd=world.root,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=hear_interrupts,
    )


def hear_interrupts():
    """A shell starts its background jobs deaf to SIGINT, and deafness is inherited."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def finish(world, command):
    """Run to the end; the seconds from when it takes its lock to its end."""
    lock = world.root / ".git/ormlift/lock"
    lock.unlink(missing_ok=True)
    process = start(world, command)
    wait_for(lock, process)
    begun = time.monotonic()
    output, _ = process.communicate()
    assert process.returncode == 0, output.decode()
    return time.monotonic() - begun


def wait_for(lock, process):
    while not lock.exists() and process.poll() is None:
        time.sleep(0.001)


def kill_at(world, command, delay):
    """Kill a run and its git at a moment after it takes its lock; true if it was still at work."""
    lock = world.root / ".git/ormlift/lock"
    lock.unlink(missing_ok=True)
    process = start(world, command)
    wait_for(lock, process)
    time.sleep(delay)
    alive = process.poll() is None
    if alive:
        os.killpg(process.pid, signal.SIGKILL)
    output, _ = process.communicate()
    assert alive or process.returncode == 0, output.decode()
    return alive


@pytest.mark.parametrize("way", ["at once", "by git"])
def test_kills_spread_over_apply_and_rollback(tmp_path, way):
    town = make_town(tmp_path / "measured", way)
    span = {"apply": finish(town, "apply"), "rollback": finish(town, "rollback")}
    moments = random.Random(7)
    kills = {"apply": 0, "rollback": 0}
    for number in itertools.count():
        if sum(kills.values()) >= KILLS and min(kills.values()) >= KILLS // 3:
            break
        town = make_town(tmp_path / f"town{number}", way)
        before = town.snapshot()
        after = migrated(town, before)
        for command in ("apply", "rollback"):
            while kill_at(town, command, moments.uniform(0.1, 1.02) * span[command]):
                kills[command] += 1
                check_after_kill(town, before, after)
            if command == "apply":
                finish(town, "apply")  # a run that is killed after its last commit has nothing left to do
                check_applied(town, before, after)
        finish(town, "rollback")
        check_rolled_back(town, before)


IN_GIT = {
    "pre-commit": "",
    "prepare-commit-msg": "",
    "commit-msg": "",
    "post-commit": "",
    "post-index-change": "",
    "reference-transaction": '[ "$1" = prepared ] || exit 0',
    "reference-transaction ": '[ "$1" = committed ] || exit 0',
}


@pytest.mark.parametrize("command", ["apply", "rollback"])
@pytest.mark.parametrize("place", IN_GIT)
def test_killed_inside_git(town, place, command):
    """The hook ends git and ormlift at a known place of the commit, with git's locks held."""
    before = town.snapshot()
    after = migrated(town, before)
    if command == "rollback":
        finish(town, "apply")
    count = "n=$(cat .git/count 2>/dev/null || echo 0); echo $((n+1)) > .git/count; [ $n -eq 4 ] || exit 0"
    town.hook(place.strip(), f"{IN_GIT[place]}\n{count}\nkill -9 0")
    process = start(town, command)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    check_after_kill(town, before, after)
    finish(town, command)
    if command == "apply":
        check_applied(town, before, after)
        finish(town, "rollback")
    check_rolled_back(town, before)


def test_a_git_that_outlives_ormlift_is_waited_for(town):
    before = town.snapshot()
    town.hook("pre-commit", "[ -e .git/slept ] || { touch .git/slept; sleep 2; }")
    process = start(town, "apply")
    while not (town.root / ".git/slept").exists():
        time.sleep(0.005)
    process.kill()  # ormlift alone: its git goes on
    process.stdout.close()
    process.wait()
    finish(town, "apply")
    check_applied(town, before, migrated(town, before))


def test_a_lock_of_somebody_else_is_left(town):
    before = town.snapshot()
    town.hook("pre-commit", "kill -9 0")
    start(town, "apply").communicate()
    town.hook("pre-commit", "exit 0")
    lock = town.root / ".git/index.lock"
    os.utime(lock, (time.time() + 3600, time.time() + 3600))
    done = town.run("apply")
    assert done.returncode == 2
    assert "index.lock exists" in done.stderr
    assert lock.exists()
    lock.unlink()
    finish(town, "apply")
    check_applied(town, before, migrated(town, before))


def test_a_file_changed_after_the_kill_is_left(town):
    town.hook("pre-commit", "kill -9 0")
    start(town, "apply").communicate()
    town.hook("pre-commit", "exit 0")
    town.put(FILES[0], "mine = 1\n")
    done = town.run("apply")
    assert done.returncode == 0  # what stands there now holds no site
    assert f"{FILES[0]}: was changed after a run was interrupted; left as it is" in done.stderr
    assert town.read(FILES[0]) == b"mine = 1\n"
    assert len(town.subjects()) == len(FILES)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_apply_says_what_is_done_and_goes_on(town, number, code):
    before = town.snapshot()
    town.hook("pre-commit", "n=$(cat .git/count 2>/dev/null || echo 0); echo $((n+1)) > .git/count; sleep 0.1")
    process = start(town, "apply")
    while not (town.root / ".git/count").exists() or (town.root / ".git/count").read_text().strip() not in "34":
        time.sleep(0.005)
    os.killpg(process.pid, number)
    output = process.communicate()[0].decode()
    assert process.returncode == code
    assert "Traceback" not in output
    assert "of 12 files are done; `ormlift apply --resume` goes on" in output
    _, _, status = town.snapshot()
    assert status == before[2]
    assert not list((town.root / ".git").glob("*.lock"))
    finish(town, "apply")
    check_applied(town, before, migrated(town, before))


def test_another_ormlift_at_work_is_refused(town):
    town.hook("pre-commit", "touch .git/began; sleep 1")
    process = start(town, "apply")
    while not (town.root / ".git/began").exists():
        time.sleep(0.005)
    done = town.run("apply")
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert done.returncode == 2
    assert done.stderr == "ormlift: another ormlift works in this repository; wait for it to end\n"
