"""How commits are made: their messages, what makes one, and that many at once leave what one by one would."""

import os
import subprocess
import time

import pytest
from ormlift_cli.committing import Committer, Parcel
from ormlift_cli.git import open_repository
from ormlift_cli.rollout import Commits

from tests.cli.world import World, environment

FILES = ("app/web.py", "app/deep/x.py", "app/deep/y.py", "top.py", "tools/z.py")


@pytest.fixture
def town(world):
    make(world)
    return world


def make(world):
    for path in FILES:
        world.put(path, "legacy(1)\nnever(2)\nrisky(3)\n")
    world.put("CODEOWNERS", "* @all\napp/ @web @lead\ntools/\n")
    world.commit("first")


def configured(world, text):
    world.put("ormlift.toml", text)
    world.commit("configured")


def body(world, revision="HEAD"):
    return world.git("show", "--no-patch", "--format=%B", revision).rstrip("\n")


def changed(world, revision="HEAD"):
    return world.git("show", "--name-only", "--format=", revision).split()


@pytest.mark.parametrize("sign_off", [False, True])
@pytest.mark.parametrize("by", ["file", "directory", "owner"])
def test_many_at_once_leave_what_one_by_one_would(tmp_path, by, sign_off):
    """The hook says yes to everything, and makes git itself do it."""
    worlds = [World(tmp_path / "fast"), World(tmp_path / "slow")]
    told = []
    dates = {"GIT_AUTHOR_DATE": "2026-01-02T03:04:05 +0200", "GIT_COMMITTER_DATE": "2026-02-03T04:05:06 -0300"}
    arguments = ["--unsafe", "--commit-by", by, *(["--sign-off"] if sign_off else [])]
    for world in worlds:
        make(world)
        world.put("loose.txt", "untracked\n")
        world.put("CODEOWNERS", "* @all\napp/ @web @lead\ntools/\n# staged\n")
        world.git("add", "CODEOWNERS")
        world.put("CODEOWNERS", "# and changed again\n")
        if world is worlds[1]:
            world.hook("pre-commit", "exit 0")
        done = world.run("apply", *arguments, env=dates)
        assert done.returncode == 0, done.stderr
        run = done.stderr.partition("run ")[2][:20]
        log = world.git("log", "--format=%T %an %ae %ai %cn %ce %ci%n%B", "--min-parents=1", "main")
        told.append((world.snapshot(), log.replace(run, "RUN")))
        assert world.git("fsck", "--strict", "--no-dangling") == ""
        assert not world.git("for-each-ref", "refs/worktree")
        assert not list((world.root / ".git").rglob("*.lock"))
    assert told[0] == told[1]
    assert "commit: ormlift, " in worlds[0].git("reflog"), "the first was made at once"
    assert "commit: ormlift, " not in worlds[1].git("reflog")
    assert worlds[0].run("rollback").returncode == 0
    assert worlds[0].git("diff", "HEAD", worlds[0].git("rev-list", "--max-parents=0", "HEAD").strip(), "--stat") == ""


def test_a_hundred_and_more_files_go_in_batches(world):
    for number in range(120):
        world.put(f"part{number % 7}/m{number:03}.py", "legacy(1)\n")
    world.commit("first")
    before = world.snapshot()
    assert world.run("apply").returncode == 0
    assert len(world.subjects()) == 121
    assert all(len(changed(world, f"HEAD~{n}")) == 1 for n in (0, 1, 60, 119))
    assert world.git("status", "--porcelain") == ""
    assert len(world.git("reflog").splitlines()) == 4
    assert world.run("rollback").returncode == 0
    assert world.snapshot() == before


def test_one_commit_for_a_directory(town):
    assert town.run("apply", "--commit-by", "directory").returncode == 0
    assert town.subjects()[:4] == [
        "Migrate top.py (toy)",
        "Migrate tools/z.py (toy)",
        "Migrate app/web.py (toy)",
        "Migrate 2 files in app/deep (toy)",
    ]
    assert changed(town, "HEAD~3") == ["app/deep/x.py", "app/deep/y.py"]
    assert "Ormlift-Rewrote: 1 toy app/deep/x.py\n" in body(town, "HEAD~3")
    assert "Ormlift-Refused: 1 not-ever toy app/deep/y.py" in body(town, "HEAD~3")


def test_one_commit_for_an_owner(town):
    configured(town, "[commits]\nby = 'owner'\nmessage = '{owner}: {count} in {file}'\n")
    assert town.run("apply").returncode == 0
    told = ["@all: 1 in top.py", "nobody: 1 in tools/z.py", "@web @lead: 3 in 3 files of @web @lead"]
    assert town.subjects()[:3] == told


def test_a_file_of_a_larger_commit_is_taken_back_alone(town):
    before = town.snapshot()
    town.run("apply", "--commit-by", "owner")
    assert town.run("rollback", "--file", "app/deep/x.py").returncode == 0
    assert changed(town) == ["app/deep/x.py"]
    assert "This reverts a part of commit" in body(town)
    assert town.run("rollback", "--file", "app/deep/x.py").stderr.startswith("nothing to take back: ")
    assert town.run("rollback").returncode == 0
    assert town.snapshot() == before


def test_the_message_follows_the_template(town):
    configured(
        town,
        "[[phases]]\nname = 'web'\npaths = ['app/web.py']\n[commits]\n"
        "message = '''\nchore(db): {file} in {directory}, {phase}   \n\n\n\n"
        "{count} site of {codemods} ({effects}) for {owner}\n{sites}\n\nRefs: DB-12\n'''\n",
    )
    assert town.run("apply", "--unsafe", "app/web.py").returncode == 0
    run = town.git("show", "--no-patch", "--format=%(trailers:key=Ormlift-Run,valueonly)", "HEAD").strip()
    assert body(town) == (
        "chore(db): app/web.py in app, web\n\n2 site of toy (louder) for @web @lead\n"
        "- toy: line 1 of app/web.py\n- toy: line 3 of app/web.py; effects: louder\n\nRefs: DB-12\n\n"
        f"Ormlift-Run: {run}\nOrmlift-Phase: web\nOrmlift-Codemod: toy\nOrmlift-Sites: 2\nOrmlift-Unsafe: yes\n"
        "Ormlift-File: app/web.py\nOrmlift-Rewrote: 2 toy app/web.py\nOrmlift-Refused: 1 not-ever toy app/web.py"
    )


def test_signing_off(town):
    assert town.run("apply", "top.py", "--sign-off").returncode == 0
    assert town.git("show", "--no-patch", "--format=%(trailers:key=Signed-off-by,valueonly)").strip() == (
        "Tester <tester@example.org>"
    )
    assert "Ormlift-Run" in town.git("show", "--no-patch", "--format=%(trailers:only)")


@pytest.mark.parametrize("how", ["option", "configuration"])
def test_signing(town, how):
    program = town.put(
        ".git/sign",
        "#!/bin/sh\ncat >/dev/null\necho \"$@\" > .git/asked\necho SIG\nprintf '\\n[GNUPG:] SIG_CREATED \\n' >&2\n",
    )
    program.chmod(0o755)
    town.git("config", "gpg.program", str(program))
    if how == "configuration":
        configured(town, "[commits]\nsign = 'KEY1'\n")
    assert town.run("apply", "top.py", *(["--sign"] if how == "option" else [])).returncode == 0
    assert "gpgsig SIG" in town.git("cat-file", "commit", "HEAD")
    assert ("KEY1" in (town.root / ".git/asked").read_text()) == (how == "configuration")


def test_a_branch_for_a_phase(town):
    configured(
        town,
        "[[phases]]\nname = 'web routes!'\npaths = ['app/**']\n[[phases]]\nname = 'rest'\n"
        "[commits]\nbranch = 'migrate/{phase}'\n",
    )
    town.put("CODEOWNERS", "# not committed\n")
    assert town.run("apply", "--phase", "web routes!").returncode == 0
    assert town.git("branch", "--show-current").strip() == "migrate/web-routes"
    assert len(town.git("log", "--format=%s", "main..").splitlines()) == 3
    assert town.run("apply", "--phase", "rest", "--branch", "other/{phase}").returncode == 0
    assert town.git("branch", "--show-current").strip() == "other/rest"
    assert len(town.git("log", "--format=%s", "migrate/web-routes..").splitlines()) == 2
    assert town.git("status", "--porcelain").strip() == "M CODEOWNERS"
    town.git("switch", "--quiet", "main")
    assert town.run("apply", "--phase", "rest").returncode == 0
    assert town.git("branch", "--show-current").strip() == "migrate/rest", "begun where HEAD stood"


@pytest.mark.parametrize(
    ("branch", "why"),
    [
        ("a..b", "--branch: 'a..b' is not a name that git takes for a branch"),
        ("x/{phase}", "--branch: {phase} stands for the phase; name it with --phase"),
        ("other", "--branch: git cannot go to 'other': "),
    ],
)
def test_a_branch_that_cannot_be(town, branch, why):
    town.git("branch", "other")
    town.put("top.py", "legacy(5)\n")
    town.commit("on main")
    town.put("top.py", "legacy(6)\n")
    before = town.snapshot()
    done = town.run("apply", "--branch", branch)
    assert done.returncode == 2
    assert done.stderr.startswith(f"ormlift: {why}")
    assert town.snapshot() == before


def test_commit_by_something_else(town):
    done = town.run("apply", "--commit-by", "folder")
    assert done.returncode == 2
    assert "'folder' is none of file, directory, owner" in done.stderr


def test_a_limit_of_files(town):
    configured(town, "[[phases]]\nname = 'all'\nlimit = 2\n")
    done = town.run("apply", "--phase", "all")
    assert done.returncode == 0
    assert "toy  2 rewritten, 5 waiting for --unsafe, 8 refused (5 not-ever, 3 over-limit)" in done.stderr
    assert len(town.git("log", "--format=%s", "HEAD~2..").splitlines()) == 2
    done = town.run("apply", "--phase", "all", "--limit", "0")
    assert "3 rewritten" in done.stderr
    assert "over-limit" not in done.stderr


def test_what_the_gate_takes_back_does_not_use_up_the_limit(town):
    done = town.run("apply", "--limit", "2", "--test", "! grep -q modern app/deep/x.py")
    assert done.returncode == 3
    assert len(town.subjects()) == 3
    assert "1 failed" in done.stderr


# Where the repository is an unusual one


def test_a_linked_work_tree(town, tmp_path):
    town.git("worktree", "add", "--quiet", "-b", "side", str(tmp_path / "side"))
    side = World.__new__(World)
    side.root = tmp_path / "side"
    before = side.snapshot()
    assert side.run("apply", "--commit-by", "directory").returncode == 0
    assert "commit: ormlift, " in side.git("reflog")
    assert (len(side.subjects()), len(town.subjects())) == (5, 1)
    assert town.git("status", "--porcelain") == ""
    assert side.run("rollback").returncode == 0
    assert side.snapshot() == before


def test_a_project_below_the_top(world):
    world.put("service/pyproject.toml", "[[tool.ormlift.phases]]\nname = 'web'\npaths = ['web.py']\n")
    world.put("CODEOWNERS", "/service/web.py @web\n")
    for path in ("service/web.py", "service/job.py", "other/web.py"):
        world.put(path, "legacy(1)\n")
    world.commit("first")
    before = world.snapshot()
    inside = world.root / "service"
    test = "test -e pyproject.toml && ! grep -q modern job.py"
    done = world.run("apply", "--test", test, "--commit-by", "owner", cwd=inside)
    assert done.returncode == 3
    assert changed(world) == ["service/web.py"]
    assert "Ormlift-Phase: web\n" in body(world)
    assert "Ormlift-Rewrote: 1 toy service/web.py" in body(world)
    assert world.run("rollback", "--phase", "web", cwd=inside).returncode == 0
    assert world.snapshot() == before


def test_a_shallow_clone(town, tmp_path):
    town.run("apply", "top.py")
    town.git("clone", "--quiet", "--depth", "1", f"file://{town.root}", str(tmp_path / "clone"))
    clone = World(tmp_path / "clone")
    before = clone.snapshot()
    assert clone.run("apply").returncode == 0
    assert len(clone.subjects()) == 5
    assert clone.run("rollback").returncode == 0
    assert clone.snapshot() == before
    done = clone.run("rollback", "--file", "top.py")
    assert done.returncode == 0, "what lies behind the end of the clone cannot be taken back"
    assert "no commit of ormlift changes top.py, or all are taken back" in done.stderr
    town.git("reset", "--quiet", "--hard", "HEAD~1")
    town.git("clone", "--quiet", "--depth", "1", f"file://{town.root}", str(tmp_path / "fresh"))
    fresh = World(tmp_path / "fresh")
    done = fresh.run("rollback")
    assert done.returncode == 2
    assert "(the clone is shallow: fetch more of its history)" in done.stderr


def test_submodules(town, tmp_path):
    part = World(tmp_path / "part")
    part.put("inner.py", "legacy(1)\n")
    part.commit("first")
    allowed = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "protocol.file.allow", "GIT_CONFIG_VALUE_0": "always"}
    add = ["git", "submodule", "--quiet", "add", str(part.root), "libs/part"]
    subprocess.run(add, cwd=town.root, env=environment(**allowed), check=True, capture_output=True)
    town.commit("a submodule")
    before = town.snapshot()
    assert town.run("apply").returncode == 0
    assert town.read("libs/part/inner.py") == b"legacy(1)\n", "it is another repository's file"
    assert town.git("status", "--porcelain") == ""
    assert town.run("rollback").returncode == 0
    assert town.snapshot() == before
    inner = World.__new__(World)
    inner.root = town.root / "libs/part"
    inner.git("config", "user.name", "Tester")
    inner.git("config", "user.email", "tester@example.org")
    assert inner.run("apply").returncode == 0, "and in there it is its own"
    assert inner.subjects()[0] == "Migrate inner.py (toy)"
    assert town.git("status", "--porcelain").strip() == "M libs/part"


def test_a_detached_head(town):
    town.git("checkout", "--quiet", "--detach")
    before = town.snapshot()
    assert town.run("apply").returncode == 0
    assert len(town.subjects()) == 6
    assert len(town.git("log", "--format=%s", "main").splitlines()) == 1
    assert town.run("rollback").returncode == 0
    assert town.snapshot() == before


@pytest.mark.parametrize("command", ["apply", "rollback"])
def test_an_empty_name(town, command):
    town.run("apply", "top.py")
    town.git("config", "user.name", "")
    before = town.snapshot()
    done = town.run(command)
    assert done.returncode == 2
    assert done.stderr == "ormlift: git has no user.name and user.email; set both with `git config`\n"
    assert town.snapshot() == before


@pytest.mark.parametrize("attributes", ["*.py text eol=crlf\n", "*.py filter=up\n", "*.py ident\n"])
def test_attributes_of_files(town, attributes):
    town.git("config", "filter.up.clean", "tr a-z A-Z")
    town.git("config", "filter.up.smudge", "tr A-Z a-z")
    town.put(".gitattributes", attributes)
    town.git("add", "--renormalize", ".")
    town.commit("attributes")
    for path in FILES:
        (town.root / path).unlink()
    town.git("checkout", "--quiet", ".")
    before = town.snapshot()
    assert before[2] == ""
    assert town.run("apply").returncode == 0
    assert town.git("status", "--porcelain") == ""
    stored = town.git("show", "HEAD:top.py")
    assert stored.startswith("MODERN(1)" if "filter" in attributes else "modern(1)\nnever")
    assert town.run("rollback").returncode == 0
    assert town.snapshot() == before


def test_a_file_that_looks_as_it_was_is_looked_into(world, monkeypatch):
    """Same size, second and inode: git compares the bytes where its index is not younger, and so must its copy be."""
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    target = world.put("a.py", "legacy(1)\n")
    world.commit("first")
    _change_unnoticed(world, target)
    time.sleep(1.1)
    repository = open_repository(world.root)
    committer = Committer(repository, Commits(), lambda pid: None)
    assert committer.fast
    committer.many([Parcel(("a.py",), "modern\n")], repository.head())
    assert world.git("show", "HEAD:a.py") == "modern(1)\n"
    assert world.git("status", "--porcelain") == ""


def _change_unnoticed(world, target):
    """Change a file within the second in which it was added, so that its times and size are the same."""
    for _ in range(50):
        target.write_bytes(b"legacy(1)\n")
        world.git("add", "a.py")
        added = target.stat()
        target.write_bytes(b"modern(1)\n")
        os.utime(target, ns=(added.st_atime_ns, added.st_mtime_ns))
        if int(target.stat().st_ctime) == int(added.st_ctime):
            return
    pytest.fail("the clock is too fast")
