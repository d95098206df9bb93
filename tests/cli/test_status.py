"""How far a rollout is, and whether it keeps its promises: told by the code and the history alone."""

import json
import subprocess
import sys

import pytest

from tests.cli.world import World, environment

CONFIG = """
[[phases]]
name = "web"
paths = ["web/**"]

[[phases]]
name = "jobs"
paths = ["jobs/**"]
"""
FILES = {
    "web/a.py": "legacy(1)\nlegacy(2)\nnever(3)\n",
    "web/b.py": "legacy(1)\nrisky(2)\n",
    "jobs/c.py": "legacy(1)\nlegacy(2)\nlegacy(3)\n",
    "other.py": "legacy(1)\nnever(2)  # ormlift: ignore[toy] as agreed\n",
}


@pytest.fixture
def town(world):
    world.put("ormlift.toml", CONFIG)
    for path, text in FILES.items():
        world.put(path, text)
    world.commit("first")
    return world


def told(world, *arguments):
    done = world.run("status", "--output-format", "json", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def by_phase(found):
    return {row["phase"]: (row["sites"], row["rewritten"], row["left"]["total"]) for row in found["phases"]}


def test_nothing_is_done_yet(town):
    found = told(town)
    assert by_phase(found) == {"web": (5, 0, 5), "jobs": (3, 0, 3), "(no phase)": (2, 0, 2)}
    assert found["runs"] == []
    assert found["phases"][0]["left"] == {
        "total": 5,
        "ready": 3,
        "unsafe": 1,
        "by_hand": 0,
        "refused": 1,
        "suppressed": 0,
        "failed": 0,
    }


def test_the_counts_are_those_of_the_code_and_of_git(town):
    town.run("apply", "--phase", "web")
    town.run("apply", "--phase", "jobs", "--commit-by", "directory")
    found = told(town)
    assert by_phase(found) == {"web": (5, 3, 2), "jobs": (3, 3, 0), "(no phase)": (2, 0, 2)}
    modern = sum(town.read(path).count(b"modern(") for path in FILES)
    assert modern == sum(row["rewritten"] for row in found["phases"])
    assert [(run["did"], run["files"], run["sites"], run["left"]) for run in found["runs"]] == [
        ("apply", 2, {"web": 3}, {"web": 2}),
        ("apply", 1, {"jobs": 3}, {"jobs": 0}),
    ]
    town.run("rollback", "--phase", "web")
    found = told(town)
    assert by_phase(found)["web"] == (5, 0, 5)
    assert by_phase(found)["jobs"] == (3, 3, 0)
    assert [(run["did"], run["sites"], run["left"], run["undone_since"]) for run in found["runs"]] == [
        ("apply", {"web": 3}, {"web": 2}, 3),
        ("apply", {"jobs": 3}, {"jobs": 0}, 0),
        ("rollback", {"web": 3}, {"web": 5}, 0),
    ]


def test_a_rollback_that_is_taken_back_counts_again(town):
    town.run("apply")
    town.run("rollback", "--phase", "web")
    back = told(town)["runs"][-1]["run"]
    assert town.run("rollback", "--run", back).returncode == 0
    found = told(town)
    assert by_phase(found) == {"web": (5, 3, 2), "jobs": (3, 3, 0), "(no phase)": (2, 1, 1)}
    assert [(run["did"], run["sites"], run["left"], run["undone_since"]) for run in found["runs"]] == [
        ("apply", {"web": 3, "jobs": 3, "(no phase)": 1}, {"web": 2, "jobs": 0, "(no phase)": 1}, 0),
        ("rollback", {"web": 3}, {"web": 5}, 3),
        ("apply", {"web": 3}, {"web": 2}, 0),
    ]
    assert [run["sites"] for run in told(town, "--phase", "jobs")["runs"]] == [{"jobs": 3}]


def test_it_is_the_same_in_a_clone_and_after_a_rebase(town, tmp_path):
    town.run("apply", "--phase", "web")
    town.run("rollback", "--file", "web/a.py")
    before = told(town)
    town.git("clone", "--quiet", ".", str(tmp_path / "clone"))
    assert told(World(tmp_path / "clone")) == before
    town.git("branch", "aside", "HEAD~3")
    town.git("switch", "--quiet", "aside")
    town.put("notes.txt", "1\n")
    town.commit("aside")
    town.git("rebase", "--quiet", "aside", "main")
    assert by_phase(told(town)) == by_phase(before)
    assert [run["left"] for run in told(town)["runs"]] == [run["left"] for run in before["runs"]]


def test_commits_without_a_phase_are_sorted_by_the_configuration(town):
    town.run("apply")
    assert by_phase(told(town)) == {"web": (5, 3, 2), "jobs": (3, 3, 0), "(no phase)": (2, 1, 1)}
    assert list(by_phase(told(town, "--phase", "jobs"))) == ["jobs"]


def test_text_and_markdown(town):
    town.run("apply", "--phase", "web")
    lines = town.run("status").stdout.splitlines()
    head = "phase sites rewritten ready unsafe by hand refused suppressed failed files left done"
    assert lines[0].split() == head.split()
    assert lines[1].split() == ["web", "5", "3", "0", "1", "0", "1", "0", "0", "2", "60%"]
    assert lines[4].split() == ["all", "10", "3", "4", "1", "0", "1", "1", "0", "4", "40%"]
    assert "rewrote 3 sites in 2 files" in lines[-1]
    table = town.run("status", "--output-format", "markdown").stdout.splitlines()
    assert table[0].startswith("| phase | sites | rewritten |")
    assert table[1] == "| --- |" + " ---: |" * 10
    assert table[2] == "| web | 5 | 3 | 0 | 1 | 0 | 1 | 0 | 0 | 2 | 60% |"


def test_without_a_repository(bare_world):
    bare_world.put("a.py", "legacy(1)\n")
    assert by_phase(told(bare_world)) == {"(no phase)": (1, 0, 1)}


# verify


def asked(world, *arguments):
    done = world.run("verify", "--output-format", "json", *arguments)
    assert done.returncode in (0, 1), done.stderr
    found = json.loads(done.stdout)
    assert done.returncode == bool(found["broken"])
    return [(one["promise"], one["phase"], one["path"], one["line"]) for one in found["broken"]], found


def test_what_is_left_is_named(town):
    broken, _ = asked(town)
    assert broken == [
        ("nothing-left", "jobs", "jobs/c.py", 1),
        ("nothing-left", "jobs", "jobs/c.py", 2),
        ("nothing-left", "jobs", "jobs/c.py", 3),
        ("nothing-left", "web", "web/a.py", 1),
        ("nothing-left", "web", "web/a.py", 2),
        ("nothing-left", "web", "web/b.py", 1),
        ("nothing-left", "web", "web/b.py", 2),
    ]
    text = town.run("verify", "--phase", "web").stdout
    assert "web: BROKEN: 4 left that could be rewritten (0 rewritten, 1 left with their reasons)\n" in text
    assert "  web/b.py:2: toy: can be rewritten with effects (louder): apply it with --unsafe, or suppress" in text


def test_a_phase_that_is_done_keeps_its_promises(town):
    town.run("apply", "--phase", "jobs")
    assert asked(town, "--phase", "jobs")[0] == []
    done = town.run("verify", "--phase", "jobs")
    assert done.returncode == 0
    assert done.stdout == (
        "jobs: kept (3 rewritten, 0 left with their reasons)\n"
        "certificates of 1 file worked out anew; 0 broken promises\n"
    )


def test_old_beside_new_must_be_planned(town):
    town.run("apply", "--phase", "web", "--unsafe")
    broken, found = asked(town, "--phase", "web")
    assert broken == [("coexistence-planned", "web", "web/a.py", 3)]
    assert "1 old beside 2 rewritten (lines 3)" in found["broken"][0]["message"]
    town.put("ormlift.toml", CONFIG.replace('"web/**"]', '"web/**"]\ncoexist = ["web/a.py"]'))
    assert asked(town, "--phase", "web")[0] == []


def test_new_legacy_code_in_a_migrated_file(town):
    town.run("apply", "--phase", "jobs")
    town.put("jobs/c.py", town.read("jobs/c.py") + b"never(4)\nlegacy(5)\n")
    broken, found = asked(town, "--phase", "jobs")
    assert broken == [
        ("coexistence-planned", "jobs", "jobs/c.py", 4),
        ("nothing-left", "jobs", "jobs/c.py", 5),
        ("refusals-stand", "jobs", "jobs/c.py", 4),
    ]
    assert "1 more site is refused (not-ever) than when the file was migrated; lines 4" in found["broken"][2]["message"]


def test_a_certificate_that_holds_no_more(town):
    """What was rewritten would be refused today: the world around it has changed."""
    town.put("jobs/d.py", "shifting(1)\n")
    town.put("jobs/rule.py", "ALLOWED = 1\n")
    town.commit("more")
    town.run("apply", "--phase", "jobs")
    assert town.read("jobs/d.py") == b"modern(1)\n"
    assert asked(town, "--phase", "jobs")[0] == []
    town.put("jobs/rule.py", "import jobs.d\n")
    broken, found = asked(town, "--phase", "jobs")
    assert broken == [("certificates-hold", "jobs", "jobs/d.py", 0)]
    assert found["broken"][0]["message"] == (
        "its certificate does not hold for the code as it stands: taken: another file imports this one"
    )


def test_what_was_changed_by_hand_is_told(town):
    town.run("apply", "--phase", "jobs")
    town.put("jobs/c.py", "# a comment above\nmodern(1)\nmodern(2, 2)\nmodern(3)\n")
    broken, found = asked(town, "--phase", "jobs")
    assert broken == []
    assert found["notes"][0].startswith("jobs/c.py: 1 rewritten site was changed by hand since; what is certified is")


def test_what_would_be_written_otherwise_is_told(town):
    """A hook that mends the file: what ormlift vouches for is not what was committed."""
    town.hook("pre-commit", "echo '# by hook' >> jobs/c.py; git add jobs/c.py")
    town.run("apply", "--phase", "jobs")
    broken, found = asked(town, "--phase", "jobs")
    assert broken == []
    assert len(found["notes"]) == 1
    assert "is not what ormlift would write today (a hook may have changed it" in found["notes"][0]


def test_without_phases_there_is_one_for_all(world):
    world.put("a.py", "legacy(1)\nnever(2)\n")
    world.commit("first")
    world.run("apply")
    done = world.run("verify")
    first = done.stdout.splitlines()[0]
    assert (done.returncode, first) == (0, "(no phase): kept (1 rewritten, 1 left with their reasons)")


def test_a_file_that_cannot_be_read_is_no_kept_promise(town):
    town.run("apply", "--phase", "jobs")
    town.put("jobs/bad.py", "legacy(\n")
    assert asked(town, "--phase", "jobs")[0] == [("nothing-left", "jobs", "jobs/bad.py", 0)]


def test_the_written_tests_assert_the_same(town):
    assert town.run("verify", "--write-tests", "tests/test_rollout.py").returncode == 2, "there is no such folder"
    (town.root / "tests").mkdir()
    assert town.run("verify", "--write-tests", "tests/test_rollout.py").returncode == 0
    # The module asks the command of the machine; here that is ormlift with the codemod of these tests.
    toy = f"import runpy\nrunpy.run_path({town.command()[1]!r}, run_name='__main__')\n"
    package = town.put("tests/ormlift_cli/__main__.py", toy)
    town.put("tests/ormlift_cli/__init__.py", f"__path__.append({str(ormlift_home())!r})\n")
    again = town.run("verify", "--write-tests", "tests/test_rollout.py")
    assert again.returncode == 2
    assert "is there already" in again.stderr
    town.run("apply", "--phase", "jobs")
    assert outcomes(town, package.parent.parent) == {"web": 1, "jobs": 0}
    town.run("apply", "--unsafe", "--phase", "web")
    town.put("ormlift.toml", CONFIG.replace('"web/**"]', '"web/**"]\ncoexist = ["web/a.py"]'))
    assert outcomes(town, package.parent.parent) == {"web": 0, "jobs": 0}


def ormlift_home():
    import ormlift_cli

    return ormlift_cli.__path__[0]


def outcomes(world, folder):
    """How many tests of each phase fail."""
    options = ["-q", "-p", "no:cacheprovider", "--tb=line", "-rf"]
    command = [sys.executable, "-m", "pytest", *options, "tests/test_rollout.py"]
    done = subprocess.run(
        command, cwd=world.root, env=environment(PYTHONPATH=str(folder)), capture_output=True, text=True, check=False
    )
    assert " passed" in done.stdout, done.stdout
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    return {phase: sum(f"[{phase}]" in line for line in failed) for phase in ("web", "jobs")}
