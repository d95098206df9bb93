"""What is taken back, chosen by run, phase, codemod, file and date; and the way back from there."""

import pytest

from tests.cli.world import World

CONFIG = """
[[phases]]
name = "web"
paths = ["web.py"]

[[phases]]
name = "jobs"
paths = ["jobs/**"]
"""
FILES = ("web.py", "jobs/a.py", "jobs/b.py")


@pytest.fixture
def town(world):
    world.put("ormlift.toml", CONFIG)
    for path in FILES:
        world.put(path, "legacy(1)\n\n\n\n\n\nend = 1\n")
    world.commit("first")
    return world


def migrated(world):
    return [path for path in FILES if b"modern" in world.read(path)]


def run_of(world, revision="HEAD"):
    return world.git("show", "--no-patch", "--format=%(trailers:key=Ormlift-Run,valueonly)", revision).strip()


def test_by_phase(town):
    before = town.snapshot()
    town.run("apply", "--phase", "web")
    town.run("apply", "--phase", "jobs")
    assert town.run("rollback", "--phase", "web").returncode == 0
    assert migrated(town) == ["jobs/a.py", "jobs/b.py"]
    done = town.run("rollback", "--phase", "webb")
    assert (done.returncode, done.stderr) == (2, "ormlift: unknown phase 'webb'; did you mean 'web'?\n")
    assert town.run("rollback", "--phase", "jobs").returncode == 0
    assert town.snapshot() == before
    assert "no commit of ormlift fits" in town.run("rollback", "--phase", "jobs").stderr


def test_by_codemod(town):
    before = town.snapshot()
    town.run("apply", "web.py")
    assert "no commit of ormlift fits" in town.run("rollback", "--codemod", "other").stderr
    assert town.run("rollback", "--codemod", "toy").returncode == 0
    assert town.snapshot() == before


def test_a_commit_of_more_codemods_is_not_taken_back_for_one(town):
    town.run("apply", "web.py")
    message = town.git("show", "--no-patch", "--format=%B").replace("Codemod: toy", "Codemod: other, toy")
    town.git("commit", "--quiet", "--amend", "--message", message)
    done = town.run("rollback", "--codemod", "toy")
    assert done.returncode == 2
    assert "holds sites of other codemods too; add --codemod other, or take it back by --file or --run" in done.stderr
    assert migrated(town) == ["web.py"]
    assert town.run("rollback", "--codemod", "toy", "--codemod", "other").returncode == 0
    assert migrated(town) == []


def test_since_a_date(town):
    early = {"GIT_COMMITTER_DATE": "2026-01-02T12:00:00"}
    town.run("apply", "web.py", env=early)
    town.run("apply", "jobs", env={"GIT_COMMITTER_DATE": "2026-01-04T12:00:00"})
    assert town.run("rollback", "--since", "2026-01-03").returncode == 0
    assert migrated(town) == ["web.py"]
    assert "nothing to take back" in town.run("rollback", "--since", "2026-01-02T12:00:01").stderr
    assert town.run("rollback", "--since", "2026-01-02").returncode == 0
    assert migrated(town) == []
    done = town.run("rollback", "--since", "yesterday")
    assert done.returncode == 2
    assert "--since: 'yesterday' is no date; write it as 2026-03-14" in done.stderr


def test_a_dry_run_writes_nothing_and_shows_the_diff(town):
    town.run("apply")
    before, head = town.snapshot(), town.git("rev-parse", "HEAD")
    done = town.run("rollback", "--dry-run", "--phase", "jobs")
    assert done.returncode == 0
    assert "jobs/b.py: would take back" in done.stderr
    assert "2 commits would be taken back" in done.stderr
    assert "--- a/jobs/b.py\n+++ b/jobs/b.py\n@@ -1,4 +1,4 @@\n-modern(1)\n+legacy(1)\n" in done.stdout
    assert (town.snapshot(), town.git("rev-parse", "HEAD")) == (before, head)
    town.put("check.diff", done.stdout)
    town.git("apply", "check.diff")
    assert migrated(town) == ["web.py"]


def test_a_rollback_is_taken_back(town):
    town.run("apply")
    applied, first = town.snapshot(), run_of(town)
    town.run("rollback", "--phase", "jobs")
    done = town.run("rollback", "--run", run_of(town))
    assert done.returncode == 0
    assert town.snapshot() == applied
    assert town.subjects()[:2] == ['Reapply "Migrate jobs/b.py (toy)"', 'Reapply "Migrate jobs/a.py (toy)"']
    assert town.run("rollback", "--run", first).returncode == 0, "and what it had taken back can be taken back again"
    assert migrated(town) == []
    assert "is taken back already" in town.run("rollback").stderr


def test_the_newest_run_is_not_a_rollback(town):
    town.run("apply", "web.py")
    town.run("apply", "jobs")
    town.run("rollback")
    assert migrated(town) == ["web.py"]
    done = town.run("rollback")
    assert "is taken back already (an older one: `ormlift rollback --run" in done.stderr
    assert migrated(town) == ["web.py"]


def test_later_edits_are_kept_through_a_chain(town):
    """Two runs changed the file, and people in between and after."""
    town.run("apply", "web.py")
    town.put("web.py", town.read("web.py").replace(b"end = 1", b"legacy(2)\nend = 2"))
    town.commit("people")
    town.run("apply", "web.py")
    town.put("web.py", town.read("web.py") + b"\n\nafter = 3\n")
    town.commit("people again")
    assert town.run("rollback", "--file", "web.py").returncode == 0
    assert town.read("web.py") == b"legacy(1)\n\n\n\n\n\nlegacy(2)\nend = 2\n\n\nafter = 3\n"
    assert len([subject for subject in town.subjects() if subject.startswith("Revert")]) == 2


def conflict(town):
    """A rollback that takes back two files, and cannot take back the third."""
    town.run("apply")
    town.put("jobs/a.py", "modern(1, timeout=5)\n\n\n\n\n\nend = 1\n")
    town.git("commit", "--quiet", "--all", "--message", "Set a timeout")
    before = town.snapshot(), town.git("rev-parse", "HEAD")
    return before, town.run("rollback")


def test_a_conflict_is_told_and_the_rest_is_done(town):
    _, done = conflict(town)
    assert done.returncode == 3
    lines = done.stderr.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("jobs/a.py: not taken back: later commits"))
    assert lines[start + 1].endswith(" Tester: Set a timeout")
    assert lines[start + 2 : start + 9] == [
        "    <<<<<<< as it is now",
        "    modern(1, timeout=5)",
        "    ||||||| as ormlift wrote it",
        "    modern(1)",
        "    =======",
        "    legacy(1)",
        "    >>>>>>> as it was before",
    ]
    assert lines[-2].endswith(" taken back, 1 left: jobs/a.py")
    assert lines[-1] == "Next: `ormlift rollback --abort` undoes this"
    assert migrated(town) == ["jobs/a.py"]
    assert town.git("status", "--porcelain") == ""


def test_abort_goes_back_to_where_it_began(town):
    before, _ = conflict(town)
    town.put("mine.txt", "1\n")
    town.git("add", "mine.txt")
    done = town.run("rollback", "--abort")
    assert (done.returncode, done.stderr) == (0, "the rollback is undone: 2 revert commits are gone from the branch\n")
    assert town.git("status", "--porcelain") == "A  mine.txt\n"
    town.git("rm", "--quiet", "--force", "mine.txt")
    assert (town.snapshot(), town.git("rev-parse", "HEAD")) == before
    done = town.run("rollback", "--abort")
    assert (done.returncode, done.stderr) == (2, "ormlift: nothing to abort: no rollback was stopped here\n")


def test_abort_leaves_what_came_after(town):
    conflict(town)
    run = run_of(town)
    town.put("later.txt", "1\n")
    town.commit("later")
    head = town.git("rev-parse", "HEAD")
    done = town.run("rollback", "--abort")
    assert done.returncode == 2
    assert f"take it back with `ormlift rollback --run {run}`" in done.stderr
    assert town.git("rev-parse", "HEAD") == head
    assert town.run("rollback", "--run", run).returncode == 0
    assert migrated(town) == list(FILES)


def test_abort_leaves_a_file_with_changes(town):
    conflict(town)
    town.put("web.py", "mine = 1\n")
    done = town.run("rollback", "--abort")
    assert (done.returncode, done.stderr) == (
        2,
        "ormlift: web.py: has uncommitted changes; commit or stash them first\n",
    )
    town.git("checkout", "--quiet", "web.py")
    assert town.run("rollback", "--abort").returncode == 0
    assert migrated(town) == list(FILES)


def test_nothing_to_abort_after_a_whole_rollback(town):
    town.run("apply")
    town.run("rollback")
    assert town.run("rollback", "--abort").returncode == 2
    assert migrated(town) == []


def test_by_phase_in_a_clone_with_no_configuration(town, tmp_path):
    town.run("apply", "--phase", "web")
    town.run("apply", "--phase", "jobs")
    town.git("rm", "--quiet", "ormlift.toml")
    town.commit("done with it")
    town.git("clone", "--quiet", ".", str(tmp_path / "clone"))
    clone = World(tmp_path / "clone")
    assert clone.run("rollback", "--phase", "jobs").returncode == 0
    assert migrated(clone) == ["web.py"]


def test_a_large_rollback_asks_git_little(world):
    """A hundred files take back in a few calls of git, not in some for each."""
    for number in range(100):
        world.put(f"m{number:03}.py", "legacy(1)\n")
    world.commit("first")
    before = world.snapshot()
    world.run("apply")
    trace = world.root.parent / "trace"
    done = world.run("rollback", env={"GIT_TRACE": str(trace)})
    assert done.returncode == 0
    assert world.snapshot() == before
    started = [line for line in trace.read_text().splitlines() if "trace: built-in: git " in line]
    assert len(started) < 60
