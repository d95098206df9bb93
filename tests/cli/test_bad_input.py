"""Bad input: one clear line each, the right exit code, and everything else is still done."""

import os
import shlex
import subprocess

import pytest
from ormlift_cli.files import Found, Listing, discover, write

from tests.cli.world import TOY, environment

GOOD = "legacy(1)\n"
DONE = b"modern(1)\n"


def lines(done):
    """What was said, without the summary."""
    return [line for line in done.stderr.splitlines() if not line.startswith(("toy ", "Next: ", "run "))][:-1]


def check_one_line(done, code, line):
    assert done.returncode == code, done.stderr
    assert lines(done) == [line]
    assert "Traceback" not in done.stderr


@pytest.fixture
def good(world):
    world.put("good.py", GOOD)
    world.commit()
    return world


def check_good_is_done(world):
    assert world.read("good.py") == DONE
    assert world.subjects()[0] == "Migrate good.py (toy)"


def test_syntax_error(good):
    good.put("bad.py", "legacy(1)\ndef f(:\n")
    good.commit()
    done = good.run("apply")
    line = "bad.py: failed: cannot be parsed: line 2: invalid syntax; mend it, or exclude the file"
    check_one_line(done, 3, line)
    check_good_is_done(good)


def test_a_syntax_error_without_a_needle_is_not_even_parsed(good):
    good.put("bad.py", "def f(:\n")
    good.commit()
    assert good.run("apply").returncode == 0


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            b"legacy(1)\n\nlegacy('\xff')\n",
            "byte 0xff at offset 19 is not utf-8; save it in the encoding that it declares",
        ),
        (b"legacy('\xff')\n", "invalid or missing encoding declaration; save it as UTF-8, or declare its encoding"),
        (b"# coding: klingon\nlegacy(1)\n", "unknown encoding: klingon; save it as UTF-8, or declare its encoding"),
    ],
)
def test_not_decodable(good, text, why):
    good.put("bad.py", text)
    good.commit()
    check_one_line(good.run("apply"), 3, f"bad.py: failed: cannot be decoded: {why}")
    check_good_is_done(good)


def test_declared_encoding_is_kept(world):
    world.put("old.py", "# coding: latin-1\nlegacy('é')\r\n".encode("latin-1"))
    world.commit()
    assert world.run("apply").returncode == 0
    assert world.read("old.py") == "# coding: latin-1\nmodern('é')\r\n".encode("latin-1")


def test_directory_without_read_permission(bare_world):
    bare_world.put("good.py", GOOD)
    bare_world.put("shut/x.py", GOOD)
    (bare_world.root / "shut").chmod(0)
    if os.access(bare_world.root / "shut", os.R_OK):
        (bare_world.root / "shut").chmod(0o755)
        pytest.skip("this user may read everything")
    done = bare_world.run("apply", "--no-commit")
    (bare_world.root / "shut").chmod(0o755)
    check_one_line(done, 3, "shut: failed: cannot be read: Permission denied")
    assert bare_world.read("good.py") == DONE


def test_directory_that_cannot_be_read(bare_world, monkeypatch):
    """The same for root, whom no permission stops: the system call itself fails."""
    bare_world.put("good.py", GOOD)
    bare_world.put("shut/x.py", GOOD)
    scandir = os.scandir

    def refusing(path):
        if str(path).endswith("shut"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    found = discover(bare_world.root, None)
    assert found.files == ["good.py"]
    assert [(failed.path, failed.message) for failed in found.failures] == [
        ("shut", "cannot be read: Permission denied")
    ]


def test_symlinks_are_not_followed(good, tmp_path):
    (tmp_path / "outside").mkdir()
    outside = tmp_path / "outside/x.py"
    outside.write_text(GOOD)
    (good.root / "link.py").symlink_to(outside)
    (good.root / "linked").symlink_to(tmp_path / "outside")
    (good.root / "inner.py").symlink_to(good.root / "good.py")
    good.commit()
    done = good.run("apply")
    assert done.returncode == 0
    assert lines(done) == [
        "link.py: a symlink to outside of the root; not followed",
        "linked: a symlink to outside of the root; not followed",
    ]
    assert outside.read_text() == GOOD
    assert (good.root / "inner.py").is_symlink()
    check_good_is_done(good)


def test_nothing_is_written_through_a_symlink(tmp_path):
    (tmp_path / "root").mkdir()
    (tmp_path / "x.py").write_text(GOOD)
    (tmp_path / "root/x.py").symlink_to(tmp_path / "x.py")
    (tmp_path / "root/sub").symlink_to(tmp_path)
    for path in ("x.py", "sub/x.py"):
        with pytest.raises(OSError, match="symlink"):
            write(tmp_path / "root", path, DONE)
    assert (tmp_path / "x.py").read_text() == GOOD


def test_empty_project(world):
    world.git("commit", "--quiet", "--allow-empty", "--message", "first")
    for command in ("diff", "apply", "diff --check"):
        done = world.run(*command.split())
        assert (done.returncode, done.stdout) == (0, "")
        assert done.stderr == "0 sites in 0 files, 0 files looked at\n"


def test_no_git(bare_world):
    bare_world.put("good.py", GOOD)
    done = bare_world.run("apply")
    assert done.returncode == 2
    root = bare_world.root
    assert done.stderr == f"ormlift: {root} is not in a git repository; use --no-commit to write without commits\n"
    assert bare_world.read("good.py") == GOOD.encode()
    assert bare_world.run("apply", "--no-commit").returncode == 0
    assert bare_world.read("good.py") == DONE


def test_git_is_not_installed(good, tmp_path):
    empty = tmp_path / "bin"
    empty.mkdir()
    done = good.run("apply", env={"PATH": str(empty)})
    assert done.returncode == 2
    assert done.stderr == "ormlift: git is not installed; use --no-commit to write without commits\n"
    done = good.run("diff", env={"PATH": str(empty)})
    check_one_line(done, 0, "git is not installed; files that it ignores are read as well")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda w: w.put("bad.py", GOOD + "x = 1\n"), "has uncommitted changes; commit or stash them first"),
        (
            lambda w: (w.put("bad.py", GOOD + "x = 1\n"), w.git("add", "bad.py")),
            "has uncommitted changes; commit or stash them first",
        ),
        (
            lambda w: w.git("rm", "--quiet", "--cached", "bad.py"),
            "has uncommitted changes; commit or stash them first",
        ),
        (
            lambda w: w.git("update-index", "--skip-worktree", "bad.py"),
            "is marked assume-unchanged or skip-worktree in git; unmark it first",
        ),
        (
            lambda w: w.git("update-index", "--assume-unchanged", "bad.py"),
            "is marked assume-unchanged or skip-worktree in git; unmark it first",
        ),
    ],
    ids=["unstaged", "staged", "removed from the index", "skip-worktree", "assume-unchanged"],
)
def test_dirty_file(good, spoil, why):
    good.put("bad.py", GOOD)
    good.commit()
    spoil(good)
    content, status, entries = good.read("bad.py"), good.git("status", "-s"), good.git("ls-files", "-v", "bad.py")
    check_one_line(good.run("apply"), 2, f"bad.py: failed: {why}")
    assert (good.read("bad.py"), good.git("status", "-s")) == (content, status)
    assert good.git("ls-files", "-v", "bad.py") == entries
    check_good_is_done(good)


@pytest.mark.parametrize("path", ["new.py", "new/deep/new.py"])
def test_untracked_file(good, path):
    good.put(path, GOOD)
    line = f"{path}: failed: is not tracked by git; add and commit it first, or use --no-commit"
    check_one_line(good.run("apply"), 2, line)
    assert good.read(path) == GOOD.encode()
    check_good_is_done(good)


def test_ignored_file_that_is_named(good):
    good.put(".gitignore", "gen/\n")
    good.put("gen/x.py", GOOD)
    good.commit()
    assert good.run("diff", "--check").stdout.count("+++") == 1
    done = good.run("apply", "gen/x.py", "good.py")
    check_one_line(done, 2, "gen/x.py: failed: is not tracked by git; add and commit it first, or use --no-commit")
    check_good_is_done(good)


def test_path_that_does_not_exist(good):
    check_one_line(good.run("apply", "nowhere.py", "good.py"), 2, "nowhere.py: no such file or directory")
    check_good_is_done(good)
    done = good.run("diff", "nowhere.py")
    assert (done.returncode, done.stderr) == (2, "ormlift: nowhere.py: no such file or directory\n")


def test_path_outside_of_the_root(good, tmp_path):
    outside = tmp_path / "outside.py"
    outside.write_text(GOOD)
    done = good.run("apply", "good.py", outside)
    check_one_line(done, 2, f"{outside}: lies outside of the root {good.root}; run ormlift there")
    assert outside.read_text() == GOOD
    check_good_is_done(good)


def test_fifo(bare_world):
    bare_world.put("good.py", GOOD)
    os.mkfifo(bare_world.root / "x.py")
    done = bare_world.run("apply", "--no-commit", timeout=20)
    check_one_line(done, 0, "x.py: not a regular file; skipped")
    assert bare_world.read("good.py") == DONE


def test_fifo_in_a_repository_and_named(good):
    os.mkfifo(good.root / "x.py")
    check_one_line(good.run("apply", "x.py", "good.py", timeout=20), 0, "x.py: not a regular file; skipped")
    check_good_is_done(good)


def test_file_gone_between_discovery_and_reading(good):
    """git lists it, and the walk has seen it: reading is what fails."""
    from ormlift.rules import base
    from ormlift_cli.project import Selection, locate
    from ormlift_cli.run import _read

    codemod = base.Codemod("x", "", "", ((b"legacy",),), {}, {}, lambda module, context: iter(()))
    selection = Selection(Found(["good.py", "gone.py"]), ["good.py", "gone.py"])
    files = _read(locate([good.root]), selection, [codemod], Silent())
    assert [path for path, _ in files.to_plan] == ["good.py"]
    assert [(f.path, f.message) for f in files.failures] == [("gone.py", "cannot be read: No such file or directory")]


class Silent:
    def stage(self, name, total):
        return lambda steps: None


def test_a_bug_of_a_codemod_is_ours_and_the_rest_is_done(good):
    good.put("bad.py", "crash(1)\n")
    good.commit()
    line = "bad.py: failed: RuntimeError: the toy codemod has a bug; this is a bug of ormlift; please report it"
    check_one_line(good.run("apply"), 3, line)
    check_good_is_done(good)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["diff", "--codemod", "toi"], "ormlift: unknown codemod 'toi'; did you mean 'toy'?"),
        (["diff", "--phase", "web"], "ormlift: unknown phase 'web'; there are none"),
        (["explain", "not-evr"], "ormlift: unknown codemod, reason or effect 'not-evr'; did you mean 'not-ever'?"),
        (["rollback"], "ormlift: nothing to take back: no commit of this branch was made by ormlift"),
    ],
)
def test_names_that_do_not_exist(good, arguments, line):
    done = good.run(*arguments)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", line + "\n")


def test_wrong_usage_exits_with_2(good):
    assert good.run("diff", "--no-such-option").returncode == 2
    assert good.run("no-such-command").returncode == 2


def test_a_reader_that_goes_away_is_no_error(world):
    for n in range(400):
        world.put(f"m{n}.py", "legacy(1)\n" * 20)
    world.commit()
    first = f"{shlex.quote(world.command()[0])} {shlex.quote(str(TOY))} diff --jobs 1 | head -n 1"
    done = subprocess.run(first, shell=True, cwd=world.root, env=environment(), capture_output=True, text=True)
    assert done.stdout == "--- a/m0.py\n"
    assert done.stderr in ("", *[f"toy  {20 * 400} rewritten\n"]), done.stderr


def test_listing_knows_folders():
    listing = Listing.of(iter(["a/b/c.py", "d.py"]))
    assert listing.folders == {"a", "a/b"}
