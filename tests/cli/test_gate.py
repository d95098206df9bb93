"""The gate: a file that fails it is as it was, byte for byte, and what was said of it is told; the others go on."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ormlift_cli.gate import _broken
from ormlift_cli.landing import Change

from tests.cli.world import environment

NAMES = "abcdefgh"
# Fails with every file of `bad.txt` that is migrated, and names it.
TESTS = "for name in $(cat bad.txt); do grep -q modern $name && { echo FAILED $name; exit 1; }; done; echo fine"


@pytest.fixture
def eight(world):
    """Eight files, two of which the project's tests are not going to like."""
    for number, name in enumerate(NAMES):
        world.put(f"{name}.py", f"legacy({number})\n").chmod(0o755 if number % 2 else 0o644)
    world.put("bad.txt", "c.py\nf.py\n")
    world.commit("first")
    return world


def applied(world, *arguments, **more):
    done = world.run("apply", "--output-format", "json", *arguments, **more)
    return done.returncode, {file["path"]: file for file in json.loads(done.stdout)["files"]}, json.loads(done.stdout)


@pytest.mark.parametrize("every", [1, 3, 8, 50])
def test_what_the_tests_fail_with_is_taken_back(eight, every):
    before = eight.snapshot()
    code, files, told = applied(eight, "--test", TESTS, "--test-every", every)
    assert code == 3
    after = eight.snapshot()
    for name in NAMES:
        path = f"{name}.py"
        if name in "cf":
            assert after[0][path] == before[0][path]
            assert (files[path]["outcome"], files[path]["landed"]) == ("failed", "failed")
            assert files[path]["gate"] == {"step": "test", "output": f"FAILED {path}\n"}
            assert files[path]["message"] == f"the gate took it back: the tests fail with it: FAILED {path}"
        else:
            assert after[0][path][0] == before[0][path][0].replace(b"legacy", b"modern")
            assert files[path]["landed"] == "committed"
    assert after[2] == ""
    assert len(eight.subjects()) == 7
    assert told["tests"] <= 11


@pytest.mark.parametrize(
    ("after", "fault"),
    [
        ("# x = 1  # one\n", ""),
        ("y = 1  # one\n", ""),
        ("x = 1\n", "a comment was lost: # one"),
        ("x = 1  # two\n", "a comment was lost: # one"),
    ],
)
def test_a_comment_that_ends_a_comment_is_kept(after, fault):
    assert _broken(Change("a.py", b"x = 1  # one\n", after.encode())) == fault


def test_halving_asks_less_than_one_by_one(world):
    for number in range(32):
        world.put(f"m{number:02}.py", "legacy(1)\n")
    world.put("bad.txt", "m21.py\n")
    world.commit("first")
    _, files, told = applied(world, "--test", TESTS, "--test-every", 32)
    assert [path for path, file in files.items() if file["landed"] == "failed"] == ["m21.py"]
    assert told["tests"] <= 2 + 2 * 5 + 1  # before, all of them, and two at each halving


def test_the_text_tells_what_the_tests_said(eight):
    done = eight.run("apply", "--test", TESTS, "--test-every", "4")
    assert "c.py: failed: the gate took it back: the tests fail with it: FAILED c.py" in done.stderr
    assert "c.py: the end of what `test` said:\n    FAILED c.py\n" in done.stderr
    assert "toy  6 rewritten, 2 failed" in done.stderr


def test_files_that_fail_only_together(world):
    for name in "abcd":
        world.put(f"{name}.py", "legacy(1)\n")
    world.commit("first")
    tests = "! { grep -q modern b.py && grep -q modern d.py; }"
    code, files, _ = applied(world, "--test", tests, "--test-every", "4")
    assert code == 3
    assert [path for path, file in files.items() if file["landed"] == "failed"] == ["d.py"]
    assert subprocess.run(tests, shell=True, cwd=world.root, check=False).returncode == 0


def test_tests_that_fail_before_stop_the_run(eight):
    before = eight.snapshot()
    done = eight.run("apply", "--test", "echo one; echo two; echo broken; exit 3")
    assert done.returncode == 2
    why = "the tests fail before anything is changed, so they cannot tell: one | two | broken"
    assert done.stderr == f"ormlift: {why}\n"
    assert eight.snapshot() == before
    assert eight.subjects() == ["first"]


def test_tests_that_do_not_end(eight):
    eight.put("ormlift.toml", "[gate]\ntest-timeout = 2\n")
    code, files, _ = applied(eight, "a.py", "--test", "grep -q modern a.py && sleep 60; true")
    assert code == 3
    assert "it did not end within 2 seconds" in files["a.py"]["message"]
    assert eight.read("a.py") == b"legacy(0)\n"


def test_tests_that_are_not_stable(eight):
    flaky = "grep -q modern a.py || exit 0; [ -e .git/once ] || { touch .git/once; exit 1; }"
    done = eight.run("apply", "--test", flaky, "--test-every", "8")
    assert done.returncode == 0
    assert "the tests failed once with 8 files and then passed: they are not stable" in done.stderr
    assert len(eight.subjects()) == 9


def test_no_stale_bytecode_deceives_the_tests(world):
    """The old and the new text have the same size, and all of it happens within a second or two."""
    for name in "abcd":
        world.put(f"{name}.py", "from shim import *\nlegacy(1)\n")
    world.put("shim.py", "def legacy(n):\n    pass\n\n\ndef modern(n):\n    import __main__\n    __main__.new += 1\n")
    world.put("check.py", "new = 0\nimport a, b, c, d\nassert new < 3\n")
    world.commit("first")
    code, files, _ = applied(world, "--test", f"{sys.executable} check.py", "--test-every", "4", "--exclude", "shim.py")
    assert code == 3
    assert [path for path, file in files.items() if file["landed"] == "committed"] == ["a.py", "b.py"]
    assert not (world.root / "__pycache__").exists()


def test_without_commits(eight):
    before = eight.snapshot()
    code, _, _ = applied(eight, "--no-commit", "--test", TESTS, "--test-every", "8")
    assert code == 3
    assert eight.git("status", "--porcelain").split() == [part for n in "abdegh" for part in ("M", f"{n}.py")]
    assert eight.snapshot()[0]["c.py"] == before[0]["c.py"]
    assert eight.subjects() == ["first"]


@pytest.mark.parametrize("where", ["own", "project"])
def test_what_does_not_compile(world, where):
    world.put("a.py", "legacy(1)\n")
    world.put("b.py", "astray(1)\n")
    world.put("c.py", "legacy(1)\n")
    world.put(".gitignore", ".venv\n")
    world.commit("first")
    if where == "project":  # found there, and asked in a process of its own
        (world.root / ".venv/bin").mkdir(parents=True)
        (world.root / ".venv/bin/python").symlink_to(sys.executable)
    code, files, _ = applied(world)
    assert code == 3
    assert files["b.py"]["gate"]["step"] == "compile"
    assert files["b.py"]["message"] == ("the gate took it back: it does not compile: line 1: 'yield' outside function")
    assert world.read("b.py") == b"astray(1)\n"
    assert world.subjects() == ["Migrate c.py (toy)", "Migrate a.py (toy)", "first"]


def test_a_python_that_cannot_be_run(eight):
    eight.put("ormlift.toml", "[gate]\npython = 'bin/python'\n")
    done = eight.run("apply")
    assert (done.returncode, done.stderr) == (
        2,
        f"ormlift: gate.python: {eight.root}/bin/python is not a program\n",
    )


def test_what_cannot_be_imported_any_more(world):
    world.put("app/__init__.py", "")
    world.put("app/shim.py", "def modern(n):\n    pass\n\n\nlegacy = modern  # ormlift: ignore[toy] the old name\n")
    world.put("app/good.py", "from app.shim import legacy, modern\nlegacy(1)\n")
    world.put("app/bad.py", "from .shim import legacy\nlegacy(1)\n")
    world.put("app/never.py", "import not_there\nlegacy(1)\n")
    world.put("odd-name.py", "from app.shim import legacy, modern\nlegacy(1)\n")
    world.commit("first")
    code, files, told = applied(world, "--import-check")
    assert code == 3
    assert {path: file["landed"] for path, file in files.items() if "landed" in file} == {
        "app/good.py": "committed",
        "app/bad.py": "failed",
        "app/never.py": "committed",
        "odd-name.py": "committed",
    }
    assert files["app/bad.py"]["gate"]["step"] == "import"
    assert "NameError: name 'modern' is not defined" in files["app/bad.py"]["message"]
    assert world.read("app/bad.py") == b"from .shim import legacy\nlegacy(1)\n"
    assert world.git("status", "--porcelain") == ""
    assert [n for n in told["notes"] if n.startswith("app/never.py: cannot be imported, changed or not: ")]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_while_the_tests_run(eight, number, code):
    before = eight.snapshot()
    tests = "grep -q modern a.py && [ ! -e .git/child ] && { sleep 300 & echo $! > .git/child; wait; }; true"
    process = subprocess.Popen(
        eight.command("apply", "--jobs", "1", "--test", tests, "--test-every", "4"),
        cwd=eight.root,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not (eight.root / ".git/child").exists():
        time.sleep(0.01)
    time.sleep(0.1)
    child = int((eight.root / ".git/child").read_text())
    process.send_signal(number)
    _, said = process.communicate()
    assert process.returncode == code
    assert said == "ormlift: interrupted: 0 of 8 files are done; `ormlift apply --resume` goes on\n"
    assert eight.snapshot() == before
    assert not alive(child)
    done = eight.run("apply", "--resume")
    assert done.returncode == 0
    assert "the tests were run 3 times" in done.stderr, "what was asked for is known"
    assert len(eight.subjects()) == 9


def alive(pid):
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
