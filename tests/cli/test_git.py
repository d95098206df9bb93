"""One commit for each file, and its way back: what of the user's repository is touched, and what is not."""

import json
import subprocess

import pytest

from tests.cli.world import World, environment

GOOD = "legacy(1)\n"
DONE = b"modern(1)\n"
ODD = [
    "with space.py",
    "-leading-dash.py",
    "glob[ab]*?.py",
    "glob*.py",
    "ünïcode/naïve 日本.py",
    ":(top)colon.py",
    "quote'\"s.py",
    "back\\slash.py",
    "tab\there.py",
    "new\nline.py",
]


@pytest.fixture
def two(world):
    world.put("a.py", GOOD + "never(1)\n")
    world.put("sub/b.py", "legacy(1)\nlegacy(2)\nrisky(3)\n")
    world.put("mine.txt", "one\n")
    world.commit("first")
    return world


def trailers(world, revision="HEAD"):
    shown = world.git("show", "--no-patch", "--format=%(trailers:only,unfold)", revision)
    return dict(line.split(": ", 1) for line in shown.splitlines() if line)


def test_one_commit_a_file_with_trailers(two):
    done = two.run("apply")
    assert done.returncode == 0
    assert two.subjects() == ["Migrate sub/b.py (toy)", "Migrate a.py (toy)", "first"]
    told = trailers(two)
    run = told.pop("Ormlift-Run")
    assert told == {
        "Ormlift-Codemod": "toy",
        "Ormlift-Sites": "2",
        "Ormlift-File": "sub/b.py",
        "Ormlift-Rewrote": "2 toy sub/b.py",
        "Ormlift-Refused": "1 needs-unsafe toy sub/b.py",
    }
    assert trailers(two, "HEAD~1")["Ormlift-Run"] == run
    assert run in done.stderr
    assert two.git("show", "--name-only", "--format=", "HEAD").split() == ["sub/b.py"]
    assert two.git("status", "--porcelain") == ""


def test_apply_then_rollback_leaves_every_byte(two):
    before = two.snapshot()
    assert two.run("apply", "--unsafe").returncode == 0
    assert two.read("sub/b.py") == b"modern(1)\nmodern(2)\nmodern(3)\n"
    done = two.run("rollback")
    assert done.returncode == 0
    assert two.snapshot() == before
    assert two.subjects()[:2] == ['Revert "Migrate a.py (toy)"', 'Revert "Migrate sub/b.py (toy)"']
    told = trailers(two)
    assert told["Ormlift-Reverts"] == two.git("rev-parse", "HEAD~3").strip()
    assert told["Ormlift-Rollback"] == trailers(two, "HEAD~3")["Ormlift-Run"]
    again = two.run("rollback")
    assert again.returncode == 0
    assert "is taken back already" in again.stderr
    assert len(two.subjects()) == 5


def test_a_second_apply_finds_nothing(two):
    two.run("apply")
    done = two.run("apply", "--check")
    assert done.returncode == 0
    assert len(two.subjects()) == 3


def test_the_index_and_other_changes_stay(two):
    two.put("mine.txt", "staged\n")
    two.put("fresh.txt", "staged too\n")
    two.git("add", "mine.txt", "fresh.txt")
    two.put("mine.txt", "and changed again\n")
    two.put("loose.txt", "untracked\n")
    status, staged = two.git("status", "--porcelain"), two.git("diff", "--cached")
    for command in ("apply", "rollback"):
        assert two.run(command).returncode == 0
        assert two.git("status", "--porcelain") == status
        assert two.git("diff", "--cached") == staged
        assert two.read("mine.txt") == b"and changed again\n"
    assert len(two.subjects()) == 5


def test_dry_run_and_check_write_nothing(two):
    before = two.snapshot()
    assert two.run("apply", "--dry-run").returncode == 0
    assert two.run("apply", "--check").returncode == 1
    assert two.run("diff", "--check").returncode == 1
    assert two.snapshot() == before
    assert two.subjects() == ["first"]


def test_no_commit_only_writes(two):
    assert two.run("apply", "--no-commit").returncode == 0
    assert two.read("a.py") == DONE + b"never(1)\n"
    assert two.git("status", "--porcelain").splitlines() == [" M a.py", " M sub/b.py"]
    assert two.subjects() == ["first"]


def test_the_diff_is_what_git_apply_takes(world):
    for path in ODD:
        world.put(path, GOOD)
    world.put("crlf.py", b"x = 1\r\nlegacy(1)\r\n")
    world.put("open end.py", b"\xef\xbb\xbflegacy('\xc3\xa9')")
    world.put("latin.py", "# coding: latin-1\nlegacy('é')\n".encode("latin-1"))
    world.commit()
    shown = subprocess.run(world.command("diff"), cwd=world.root, env=environment(), capture_output=True, check=True)
    subprocess.run(["git", "apply", "--check", "-"], cwd=world.root, input=shown.stdout, check=True)
    subprocess.run(["git", "apply", "-"], cwd=world.root, input=shown.stdout, check=True)
    by_git = world.snapshot()
    world.git("checkout", "--quiet", ".")
    assert world.run("apply", "--no-commit").returncode == 0
    assert world.snapshot() == by_git


def test_the_diff_below_the_top_is_what_git_apply_takes(world):
    world.put("service/pyproject.toml", "[tool.ormlift]\n")
    world.put("service/a.py", GOOD)
    world.put("other/a.py", GOOD)
    world.commit()
    shown = world.run("diff", cwd=world.root / "service")
    assert "+++ b/service/a.py" in shown.stdout
    assert "other" not in shown.stdout
    subprocess.run(["git", "apply", "-"], cwd=world.root, input=shown.stdout, text=True, check=True)
    assert world.read("service/a.py") == DONE
    world.git("checkout", "--quiet", ".")
    assert world.run("apply", cwd=world.root / "service").returncode == 0
    assert world.subjects()[0] == "Migrate service/a.py (toy)"
    assert world.run("rollback", cwd=world.root / "service").returncode == 0
    assert world.read("service/a.py") == GOOD.encode()


def test_odd_paths(world):
    for path in ODD:
        world.put(path, GOOD)
    world.put("globa.py", GOOD)
    world.commit()
    before = world.snapshot()
    done = world.run("apply")
    assert done.returncode == 0, done.stderr
    assert all(world.read(path) == DONE for path in ODD)
    assert len(world.subjects()) == len(ODD) + 2
    assert world.git("status", "--porcelain") == ""
    for commit in world.git("rev-list", "HEAD~1").split()[:-1]:
        names = world.git("diff-tree", "--no-commit-id", "--name-only", "-r", "-z", commit)
        assert names.count("\0") == 1
    done = world.run("rollback", "--file", "glob*.py")
    assert done.returncode == 0, done.stderr
    assert (world.read("glob*.py"), world.read("globa.py")) == (GOOD.encode(), DONE)
    assert world.run("rollback").returncode == 0
    assert world.snapshot() == before


def test_a_hook_that_refuses(two):
    two.hook(
        "pre-commit",
        'git diff --cached --name-only | grep -q a.py && { echo no; echo "lint: bad a.py"; exit 1; }; exit 0',
    )
    two.put("mine.txt", "staged\n")
    two.git("add", "mine.txt")
    index = two.read(".git/index")
    two.git("config", "core.hooksPath", ".git/hooks")
    done = two.run("apply", "a.py")
    assert done.returncode == 3
    why = "git commit failed, and the file is as it was: no | lint: bad a.py"
    assert f"a.py: failed: {why}" in done.stderr.splitlines()
    assert two.read("a.py") == (GOOD + "never(1)\n").encode()
    assert two.read(".git/index") == index
    done = two.run("apply")
    assert done.returncode == 3
    assert two.subjects() == ["Migrate sub/b.py (toy)", "first"]
    assert "toy  2 rewritten, 1 waiting for --unsafe, 1 refused (1 not-ever), 1 failed" in done.stderr


def test_a_hook_that_mends_the_file(two):
    two.hook("pre-commit", "echo '# by hook' >> a.py; git add a.py")
    assert two.run("apply", "a.py").returncode == 0
    assert two.git("show", "HEAD:a.py").endswith("# by hook\n")
    assert two.git("status", "--porcelain") == ""
    two.hook("pre-commit", "exit 0")
    assert two.run("rollback").returncode == 0
    assert two.read("a.py") == (GOOD + "never(1)\n").encode()


def test_a_hook_that_mends_and_refuses(two):
    two.hook("pre-commit", "echo '# by hook' >> a.py; echo mended; exit 1")
    assert two.run("apply", "a.py").returncode == 3
    assert two.read("a.py") == (GOOD + "never(1)\n").encode()
    assert two.git("status", "--porcelain") == ""


def test_a_signature_that_fails(two):
    two.git("config", "commit.gpgSign", "true")
    two.git("config", "gpg.program", "/bin/false")
    done = two.run("apply")
    assert done.returncode == 3
    assert "git commit failed, and the file is as it was" in done.stderr
    assert (two.subjects(), two.git("status", "--porcelain")) == (["first"], "")


def test_signing_is_asked_for(two, tmp_path):
    two.git("config", "commit.gpgSign", "true")
    two.git(
        "config",
        "gpg.program",
        str(two.put(".git/sign", "#!/bin/sh\ncat >/dev/null\necho SIG\nprintf '\\n[GNUPG:] SIG_CREATED \\n' >&2\n")),
    )
    (two.root / ".git/sign").chmod(0o755)
    assert two.run("apply", "a.py").returncode == 0
    assert "gpgsig SIG" in two.git("cat-file", "commit", "HEAD")


@pytest.mark.parametrize(
    ("settings", "code"), [({}, 2), ({"user.name": "T", "user.email": "t@example.org"}, 0)], ids=["nobody", "somebody"]
)
def test_nobody_to_commit_as(two, settings, code):
    two.git("config", "--remove-section", "user")
    two.git("config", "user.useConfigOnly", "true")
    for key, value in settings.items():
        two.git("config", key, value)
    before = two.snapshot()
    done = two.run("apply")
    assert done.returncode == code
    if code:
        assert done.stderr == "ormlift: git has no user.name and user.email; set both with `git config`\n"
        assert two.snapshot() == before


def unborn(root):
    world = World(root)
    world.put("a.py", GOOD)
    world.git("add", "a.py")
    return world, "the repository has no commit yet; make the first commit, or use --no-commit"


def merging(root):
    world = World(root)
    world.put("a.py", GOOD)
    world.commit()
    world.git("checkout", "--quiet", "-b", "other")
    world.put("c.txt", "1\n")
    world.commit()
    world.git("checkout", "--quiet", "main")
    world.put("c.txt", "2\n")
    world.commit()
    world.git("merge", "other", check=False)
    return world, "a merge is in progress; finish it (or `git merge --abort`) first"


def rebasing(root):
    world, _ = merging(root)
    world.git("merge", "--abort")
    world.git("rebase", "other", check=False)
    return world, "a rebase is in progress; finish it (or `git rebase --abort`) first"


def picking(root):
    world, _ = merging(root)
    world.git("merge", "--abort")
    world.git("cherry-pick", "other", check=False)
    return world, "a cherry-pick is in progress; finish it (or `git cherry-pick --abort`) first"


def stashed(root):
    world = World(root)
    world.put("a.py", GOOD)
    world.put("c.txt", "1\n")
    world.commit()
    world.put("c.txt", "2\n")
    world.git("stash")
    world.put("c.txt", "3\n")
    world.commit()
    world.git("stash", "pop", check=False)
    return world, "the index holds unmerged files; resolve them first"


@pytest.mark.parametrize("make", [unborn, merging, rebasing, picking, stashed])
@pytest.mark.parametrize("command", ["apply", "rollback"])
def test_states_in_which_nothing_is_committed(tmp_path, make, command):
    world, why = make(tmp_path / "project")
    before = world.snapshot()
    done = world.run(command)
    assert (done.returncode, done.stderr) == (2, f"ormlift: {why}\n")
    assert world.snapshot() == before


def test_bare_repository(tmp_path):
    world = World(tmp_path / "project", git=False)
    world.git("init", "--quiet", "--bare")
    done = world.run("apply")
    assert done.returncode == 2
    assert done.stderr == f"ormlift: {world.root} is a bare repository; run ormlift in a work tree\n"


def test_detached_head(two):
    two.git("checkout", "--quiet", "--detach")
    before = two.snapshot()
    assert two.run("apply").returncode == 0
    assert two.git("rev-parse", "main") != two.git("rev-parse", "HEAD")
    assert two.run("rollback").returncode == 0
    assert two.snapshot() == before


def test_linked_work_tree(two, tmp_path):
    two.git("worktree", "add", "--quiet", "-b", "side", str(tmp_path / "side"))
    side = World.__new__(World)
    side.root = tmp_path / "side"
    assert side.run("apply").returncode == 0
    assert side.read("a.py") == DONE + b"never(1)\n"
    assert two.read("a.py") == GOOD.encode() + b"never(1)\n"
    assert (len(side.subjects()), len(two.subjects())) == (3, 1)
    assert side.run("rollback").returncode == 0
    assert side.git("status", "--porcelain") == ""


def test_from_a_subdirectory(two):
    assert two.run("apply", "b.py", cwd=two.root / "sub").returncode == 0
    assert two.subjects() == ["Migrate sub/b.py (toy)", "first"]
    assert two.run("rollback", "--file", "b.py", cwd=two.root / "sub").returncode == 0
    assert two.git("diff", "HEAD~2", "--stat") == ""


@pytest.mark.parametrize("convert", ["true", "input", "false"])
@pytest.mark.parametrize("stored", [b"x = 1\nlegacy(1)\n", b"x = 1\r\nlegacy(1)\r\n"], ids=["LF", "CRLF"])
def test_newline_conversion_makes_no_false_changes(world, convert, stored):
    world.put("a.py", stored)
    world.commit()
    world.git("config", "core.autocrlf", convert)
    (world.root / "a.py").unlink()
    world.git("checkout", "--quiet", "a.py")
    before = world.snapshot()
    assert before[2] == ""
    assert world.run("apply").returncode == 0
    assert world.read("a.py") == before[0]["a.py"][0].replace(b"legacy", b"modern")
    assert world.git("diff", "--numstat", "HEAD~1").split()[:2] == ["1", "1"]
    assert world.git("status", "--porcelain") == ""
    assert world.run("rollback").returncode == 0
    assert world.snapshot() == before


def test_the_file_mode_stays(world):
    world.put("a.py", GOOD).chmod(0o755)
    world.commit()
    before = world.snapshot()
    world.run("apply")
    assert world.root.joinpath("a.py").stat().st_mode & 0o777 == 0o755
    assert "old mode" not in world.git("diff", "HEAD~1")
    world.run("rollback")
    assert world.snapshot() == before


def test_rollback_of_a_run_and_of_a_file(two):
    two.run("apply", "a.py")
    two.run("apply", "sub/b.py")
    first = trailers(two, "HEAD~1")["Ormlift-Run"]
    done = two.run("rollback", "--run", first[:-1])
    assert done.returncode == 2
    assert done.stderr.startswith(f"ormlift: unknown run '{first[:-1]}'; did you mean '")
    assert two.run("rollback", "--run", first).returncode == 0
    assert two.read("a.py") == GOOD.encode() + b"never(1)\n"
    assert two.read("sub/b.py").startswith(DONE)
    assert two.run("rollback", "--file", "sub/b.py").returncode == 0
    assert two.git("diff", "HEAD~4", "--stat") == ""
    done = two.run("rollback", "--file", "a.py")
    assert (done.returncode, len(two.subjects())) == (0, 5)
    assert "no commit of ormlift changes a.py, or all are taken back" in done.stderr


def test_rollback_keeps_later_changes(two):
    two.put("a.py", GOOD + "\n" * 5 + "end = 1\n")
    two.commit()
    two.run("apply")
    two.put("a.py", two.read("a.py").decode() + "later = 2\n")
    two.commit("later")
    assert two.run("rollback").returncode == 0
    assert two.read("a.py") == (GOOD + "\n" * 5 + "end = 1\nlater = 2\n").encode()


def test_rollback_leaves_a_file_that_conflicts(two):
    two.run("apply")
    two.put("a.py", "modern(1, 2)\nnever(1)\n")
    two.commit("later")
    head, before = two.git("rev-parse", "HEAD"), two.snapshot()
    done = two.run("rollback", "--file", "a.py")
    assert done.returncode == 3
    assert "a.py: not taken back: later commits changed the lines that commit" in done.stderr
    assert "nothing of it was taken back: do it with `git revert" in done.stderr
    assert " Tester: later\n" in done.stderr, "the commit in the way is named"
    assert "    <<<<<<< as it is now\n    modern(1, 2)\n" in done.stderr
    assert (two.git("rev-parse", "HEAD"), two.snapshot()) == (head, before)
    done = two.run("rollback")
    assert done.returncode == 3
    assert "1 commit of run" in done.stderr
    assert "1 left: a.py" in done.stderr
    assert two.read("sub/b.py") == b"legacy(1)\nlegacy(2)\nrisky(3)\n"
    assert two.git("status", "--porcelain") == ""


def test_rollback_of_a_file_that_moved(two):
    two.run("apply", "a.py")
    two.git("mv", "a.py", "moved.py")
    two.commit("move")
    done = two.run("rollback")
    assert done.returncode == 3
    assert "a.py: not taken back: was deleted or moved since commit" in done.stderr
    assert len(two.subjects()) == 3


def test_rollback_leaves_dirty_files(two):
    two.run("apply")
    two.put("a.py", "mine = 1\n")
    done = two.run("rollback")
    assert done.returncode == 2
    assert "a.py: not taken back: has uncommitted changes; commit or stash them first" in done.stderr
    assert two.read("a.py") == b"mine = 1\n"
    assert two.read("sub/b.py") == b"legacy(1)\nlegacy(2)\nrisky(3)\n"
    two.git("checkout", "--quiet", "a.py")
    assert two.run("rollback").returncode == 0
    assert len(two.subjects()) == 5


def test_rollback_skips_what_the_user_reverted(two):
    two.run("apply")
    two.git("revert", "--no-edit", "HEAD~1")
    assert two.run("rollback").returncode == 0
    assert two.subjects()[:2] == ['Revert "Migrate sub/b.py (toy)"', 'Revert "Migrate a.py (toy)"']
    assert two.git("diff", "HEAD~4", "--stat") == ""


def test_a_revert_that_was_reverted_does_not_count(two):
    two.run("apply", "a.py")
    two.run("rollback")
    two.git("revert", "--no-edit", "HEAD")
    assert two.read("a.py").startswith(DONE)
    assert two.run("rollback").returncode == 0
    assert two.read("a.py").startswith(b"legacy")


def test_a_squashed_run_is_not_guessed_at(two):
    two.run("apply")
    message = two.git("log", "-1", "--format=%B")
    two.git("reset", "--quiet", "--soft", "HEAD~2")
    two.git("commit", "--quiet", "--message", message)
    done = two.run("rollback")
    assert done.returncode == 2
    assert "changes more files than its own (squashed, or by a hook); take it back with `git revert" in done.stderr


def test_rollback_in_a_clone(two, tmp_path):
    two.run("apply")
    two.git("clone", "--quiet", ".", str(tmp_path / "clone"))
    clone = World(tmp_path / "clone")
    assert clone.run("rollback").returncode == 0
    assert clone.git("diff", "HEAD~4", "--stat") == ""


def test_json_of_apply_names_the_commits(two):
    told = json.loads(two.run("apply", "--output-format", "json").stdout)
    commits = two.git("rev-list", "HEAD").split()
    assert [file["commit"] for file in told["files"]] == [commits[1], commits[0]]
    assert {file["landed"] for file in told["files"]} == {"committed"}
    assert told["run"] == trailers(two)["Ormlift-Run"]
