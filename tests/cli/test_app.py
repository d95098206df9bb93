"""The command line as people and programs meet it: start-up, output, exit codes, worker processes."""

import json
import subprocess
import sys

import pytest
from ormlift.model import Applicability, Failed, Planned, Reason, Refused, SiteReport, Source, Status
from ormlift_cli.files import discover
from ormlift_cli.pool import Spread, Workers
from ormlift_cli.tally import mismatches, tally

from tests.cli.world import environment

HEAVY = ("libcst", "sqlglot", "sqlalchemy", "git", "rich", "pathspec", "concurrent", "multiprocessing")


def modules_after(*arguments):
    script = (
        "import sys\nfrom ormlift_cli.app import main\n"
        "try:\n    main()\nexcept SystemExit as e:\n    assert not e.code\nfinally:\n"
        "    print('\\n'.join(sys.modules), file=sys.stderr)\n"
    )
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)
    return done.stdout, set(done.stderr.split())


def test_version_imports_nothing_heavy():
    out, modules = modules_after("--version")
    assert out == "ormlift 0.1.0\n"
    assert not modules.intersection(HEAVY)
    assert not [name for name in modules if name.startswith("ormlift.rules")]


@pytest.mark.parametrize("arguments", [["--help"], ["diff", "--help"], ["codemods"]])
def test_help_and_lists_import_nothing_heavy(arguments):
    _, modules = modules_after(*arguments)
    assert not modules.intersection(HEAVY)


def test_the_module_runs_too():
    command = [sys.executable, "-m", "ormlift_cli", "--version"]
    assert subprocess.run(command, env=environment(), capture_output=True, text=True, check=True).stdout


@pytest.fixture
def project(world):
    world.put("a.py", "legacy(1)\nrisky(2)\nnever(3)\nlegacy(4)  # ormlift: ignore[toy] it must stay\n")
    world.put("plain.py", "x = 1\n")
    world.put("only.py", "never(1)\n")
    world.put("bad.py", "legacy(\n")
    world.commit()
    return world


def test_text_summary(project):
    done = project.run("diff")
    assert done.returncode == 3
    assert done.stdout.startswith("--- a/a.py\n+++ b/a.py\n@@ ")
    assert done.stderr.splitlines() == [
        "bad.py: failed: cannot be parsed: line 1: '(' was never closed; mend it, or exclude the file",
        "toy  1 rewritten, 1 waiting for --unsafe, 2 refused (2 not-ever), 1 suppressed",
        "5 sites in 2 files, 4 files looked at, 1 file failed",
        (
            "Next: `ormlift apply` writes and commits it; -v shows the effects that --unsafe accepts; "
            "`ormlift explain not-ever` tells the way out"
        ),
    ]


def test_each_site_in_one_line(project):
    said = project.run("diff", "-v").stderr.splitlines()
    assert said[:5] == [
        "a.py:1: toy: rewritten: no effect",
        "a.py:2: toy: unsafe: louder (line 2): modern() logs",
        "a.py:3: toy: refused: not-ever: never() must stay; call something else",
        "a.py:4: toy: suppressed: ignored: it must stay",
        "bad.py: failed: cannot be parsed: line 1: '(' was never closed; mend it, or exclude the file",
    ]


def test_quiet_says_only_what_failed(project):
    done = project.run("diff", "-q")
    assert done.stderr.splitlines() == [
        "bad.py: failed: cannot be parsed: line 1: '(' was never closed; mend it, or exclude the file"
    ]


def test_json(project):
    done = project.run("diff", "--output-format", "json")
    told = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (3, "")
    assert list(told)[:4] == ["version", "root", "summary", "files"]
    assert (told["version"], told["root"]) == (1, str(project.root))
    assert told["summary"]["sites"] == 5 == told["summary"]["codemods"]["toy"]["sites"]
    assert told["summary"]["files"] == {"read": 4, "planned": 1, "refused": 1, "failed": 1}
    first = told["files"][0]
    assert (first["path"], first["outcome"]) == ("a.py", "planned")
    assert first["diff"].startswith("--- a/a.py\n")
    assert [site["status"] for site in first["sites"]] == ["rewritten", "refused", "refused", "suppressed"]
    assert first["sites"][1] == {
        "codemod": "toy",
        "line": 2,
        "end_line": 2,
        "status": "refused",
        "applicability": "unsafe",
        "effects": [{"code": "louder", "line": 2, "message": "modern() logs"}],
        "reason": {"code": "needs-unsafe", "message": "1 effect; applied with --unsafe"},
        "fault": None,
        "certificate": None,
        "certificates": [],
    }
    assert told["files"][1]["outcome"] == "failed"
    assert "cannot be parsed" in told["files"][1]["message"]


@pytest.mark.parametrize(
    ("text", "arguments", "code"),
    [
        ("legacy(1)\n", [], 0),
        ("legacy(1)\n", ["--check"], 1),
        ("risky(1)\n", ["--check"], 0),
        ("risky(1)\n", ["--check", "--unsafe"], 1),
        ("never(1)\n", ["--check"], 0),
        ("x = 1\n", ["--check"], 0),
        ("legacy(1)\n", ["--check", "nowhere.py"], 2),
        ("legacy(\n", ["--check"], 3),
    ],
)
def test_exit_codes(world, text, arguments, code):
    world.put("a.py", text)
    world.commit()
    assert world.run("diff", *arguments).returncode == code


def test_color_only_where_asked_for(project):
    assert "\033[" not in project.run("diff").stdout
    assert "\033[31m-legacy(1)\033[0m\n" in project.run("diff", "--color", "always").stdout


def test_explain(project):
    assert project.run("explain", "toy").stdout.startswith("toy: legacy() becomes modern()\n")
    assert project.run("explain", "louder").stdout.startswith("louder: an effect of toy\n")
    assert project.run("explain", "needs-unsafe").stdout.startswith("needs-unsafe: a reason of every codemod\n")
    assert project.run("explain", "a.py:2").stdout.splitlines() == [
        "a.py:2: toy: unsafe",
        "  reason needs-unsafe: 1 effect; applied with --unsafe",
        "  effect louder, line 2: modern() logs",
    ]
    assert project.run("explain", "plain.py:1").stdout == "plain.py:1: no codemod speaks of this line\n"


def test_codemods(project):
    assert project.run("codemods").stdout == "toy  legacy() becomes modern()\n"


def test_workers_plan_the_same(world):
    for n in range(30):
        world.put(f"m{n:02}.py", f"legacy({n})\nrisky(1)\nnever(2)\n# {'x' * 60_000}\n")
    world.put("bad.py", "crash(1)\n")
    world.commit()
    alone = world.run("diff", "--jobs", "1")
    spread = world.run("diff", "--jobs", "2")
    assert (spread.returncode, spread.stdout, spread.stderr) == (alone.returncode, alone.stdout, alone.stderr)
    assert alone.stdout.count("+modern") == 30


def square(shared, item):
    if item == shared:
        import os

        os.abort()
    return item * item


def lost(item):
    return -item


def test_an_item_that_kills_its_worker_is_lost_alone():
    ticks = []
    results = Spread(square, lost, 13).run(list(range(20)), 2, ticks.append)
    assert results == [-13 if n == 13 else n * n for n in range(20)]
    assert sum(ticks) >= 20


def shifted(shared, item):
    return shared + item


def prepared():
    """What a worker does first."""


def test_workers_serve_stage_after_stage_and_are_replaced_where_one_dies():
    items = list(range(40))
    with Workers(2) as workers:
        workers.start(prepared)
        assert Spread(shifted, lost, 5).run(items, 2, print, workers, weigh=lambda n: n) == [n + 5 for n in items]
        assert Spread(square, lost, 13).run(items, 2, print, workers)[12:15] == [144, -13, 196]
        assert Spread(shifted, lost, 7).run(items, 2, print, workers, weigh=lambda n: -n) == [n + 7 for n in items]


def test_what_is_walked(bare_world):
    for path in ("a.py", "pkg/b.py", "pkg/c.txt", ".hidden/x.py", "node_modules/x.py", "pkg/__pycache__/x.py",
                 "build/x.py", ".venv/x.py", "odd/pyvenv.cfg", "odd/lib/x.py", "x.egg-info/x.py"):  # fmt: skip
        bare_world.put(path, "")
    assert discover(bare_world.root, None).files == ["a.py", "pkg/b.py"]


def test_what_git_ignores_is_not_walked(world):
    world.put(".gitignore", "gen/\n*_pb2.py\n")
    for path in ("a.py", "gen/x.py", "x_pb2.py", "build/ours.py", "loose.py"):
        world.put(path, "legacy(1)\n")
    world.git("add", ".gitignore", "a.py", "build")
    diff = world.run("diff").stdout
    named = [line[6:] for line in diff.splitlines() if line.startswith("+++ b/")]
    assert named == ["a.py", "build/ours.py", "loose.py"]


# Accounting


def site(status, reason="x", applicability=None):
    told = None if status is Status.REWRITTEN else Reason(reason, "why")
    return SiteReport("toy", 1, 1, status, applicability, reason=told)


def test_every_site_is_counted_once():
    source, after = Source("a.py", "1"), Source("a.py", "2")
    sites = (
        site(Status.REWRITTEN, applicability=Applicability.SAFE),
        site(Status.REFUSED, "needs-unsafe", Applicability.UNSAFE),
        site(Status.REFUSED, "manual-only", Applicability.MANUAL),
        site(Status.REFUSED, "unusual-layout", Applicability.UNSAFE),
        site(Status.REFUSED, "no-scope"),
        site(Status.SUPPRESSED, "ignored"),
    )
    outcomes = [Planned("a.py", source, after, sites), Failed("b.py", "m", (site(Status.FAILED),))]
    assert mismatches(outcomes) == []
    counts = tally(outcomes)["toy"]
    assert (counts.rewritten, counts.waiting, counts.manual, counts.suppressed, counts.failed) == (1, 1, 1, 1, 1)
    assert counts.refused == {"unusual-layout": 1, "no-scope": 1}
    assert counts.sites == 7


def test_an_account_that_does_not_add_up_is_told():
    source = Source("a.py", "1")
    silent = SiteReport("toy", 3, 3, Status.REFUSED)
    assert mismatches([Planned("a.py", source, source, (site(Status.REWRITTEN),))])
    assert mismatches([Planned("a.py", source, Source("a.py", "2"), (site(Status.REFUSED),))])
    assert mismatches([Refused("a.py", (site(Status.REWRITTEN),))])
    assert mismatches([Refused("a.py", (silent,))]) == ["a.py:3: toy: is refused without a reason"]
    assert mismatches([Refused("a.py", (site(Status.REFUSED),)), Refused("a.py", ())]) == ["a.py: has 2 outcomes"]
