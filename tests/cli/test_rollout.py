"""Phases, owners and the tables of a rollout, as the configuration says them; and the ratchet of a baseline."""

from dataclasses import replace

import pytest
from ormlift.model import Reason, Refused, SiteReport, Status, UserError
from ormlift_cli.baseline import compare, count, dump, load
from ormlift_cli.config import find_config
from ormlift_cli.owners import read_owners
from ormlift_cli.phasing import Phasing, may_coexist
from ormlift_cli.project import locate
from ormlift_cli.rollout import Commits, Gate, Phase
from ormlift_cli.run import Survey

ROLLOUT = """
[[phases]]
name = "web routes"
paths = ["web_app.py"]
codemods = ["toy"]
owners = ["@web"]
limit = 5
coexist = ["web_app.py"]

[[phases]]
name = "rest"

[commits]
message = "db: {file}"
sign-off = true
sign = "ABCD"
by = "owner"
branch = "migrate/{phase}"
timeout = 9

[gate]
test = "pytest -q"
test-every = 8
test-timeout = 60
import-check = true
python = ".venv/bin/python"
"""


def test_a_rollout_is_read(tmp_path):
    (tmp_path / "ormlift.toml").write_text(ROLLOUT)
    config = find_config(tmp_path, tmp_path)
    first, second = config.phases
    assert first == Phase("web routes", ("web_app.py",), ("toy",), ("@web",), 5, ("web_app.py",))
    assert second == Phase("rest", ())
    assert config.commits == Commits("db: {file}", True, "ABCD", "owner", "migrate/{phase}", 9)
    assert config.gate == Gate("pytest -q", 8, 60, True, ".venv/bin/python")
    assert (may_coexist(first)("web_app.py"), may_coexist(second)("web_app.py")) == (True, False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[commits]\nby = 'folder'", "commits.by: unknown value 'folder'; did you mean 'file'?"),
        ("[commits]\nmessage = '{fil}'", "commits.message: unknown field 'fil'; did you mean 'file'?"),
        ("[commits]\nmessage = '{file'", "commits.message: expected '}' before end of string; write {{ and }}"),
        ("[commits]\nmessage = '{file!r}'", "commits.message: write {file} with nothing behind the name"),
        ("[commits]\nbranch = '{run}'", "commits.branch: unknown field 'run'; known: phase"),
        ("[commits]\nsign = 3", "commits.sign: must be text in quotes, not a number"),
        ("[commits]\nsign-off = 'yes'", "commits.sign-off: must be true or false, not text"),
        ("[gate]\ntest-every = 0", "gate.test-every: must be a whole number from 1 up, not 0"),
        ("[gate]\ntests = 'x'", "gate: unknown key 'tests'; did you mean 'test'?"),
        ("gate = 1", "gate: must be a table, not a number"),
        (
            "[[phases]]\nname = 'a'\nlimit = true",
            "phases[1].limit: must be a whole number from 0 up, not true or false",
        ),
        ("[[phases]]\nname = ' a'", "phases[1].name: must be one line without space around it"),
    ],
)
def test_mistakes(tmp_path, text, message):
    (tmp_path / "ormlift.toml").write_text(text)
    with pytest.raises(UserError) as caught:
        find_config(tmp_path, tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / 'ormlift.toml'}: {message}")


CODEOWNERS = r"""
# whose is what
*                @all
*.js             @js
/build/          @build
docs/*           docs@example.org
apps/            @apps  # anywhere
/scripts/**/x.py @x @y
with\ space.py   @space
apps/github
"""


@pytest.mark.parametrize(
    ("path", "owners"),
    [
        ("a.py", ["@all"]),
        ("deep/er/a.js", ["@js"]),
        ("build/logs/a.py", ["@build"]),
        ("sub/build/a.py", ["@all"]),
        ("docs/a.py", ["docs@example.org"]),
        ("docs/deep/a.py", ["@all"]),
        ("deep/apps/x/a.py", ["@apps"]),
        ("apps", ["@all"]),
        ("scripts/a/b/x.py", ["@x", "@y"]),
        ("scripts/x.py", ["@x", "@y"]),
        ("deep/with space.py", ["@space"]),
        ("apps/github/a.py", []),
    ],
)
def test_owners(tmp_path, path, owners):
    (tmp_path / ".github").mkdir()
    (tmp_path / ".github/CODEOWNERS").write_text(CODEOWNERS)
    assert read_owners(tmp_path).of(path) == tuple(owners)


def test_owners_of_a_section(tmp_path):
    (tmp_path / "CODEOWNERS").write_text("[Data] @data\n*.sql\nmodels/ @models\n^[Web][2] @web\nroutes/\n")
    owners = read_owners(tmp_path)
    assert [owners.of(path) for path in ("a.sql", "models/a.py", "routes/b.py", "c.py")] == [
        ("@data",),
        ("@models",),
        ("@web",),
        (),
    ]


def test_the_phase_of_a_site(world):
    world.put("CODEOWNERS", "service/admin/ @admin\n")
    world.put(
        "service/ormlift.toml",
        "[[phases]]\nname = 'web'\npaths = ['web.py', 'routes/**']\n"
        "[[phases]]\nname = 'owned'\nowners = ['@admin', '@other']\n"
        "[[phases]]\nname = 'cursors'\ncodemods = ['cursor-to-orm']\n",
    )
    phasing = Phasing(locate([world.root / "service"]))
    found = [
        phasing.phase_of(path, codemod)
        for path in ("web.py", "routes/deep/a.py", "deep/web.py", "admin/a.py")
        for codemod in ("session-scope", "cursor-to-orm")
    ]
    assert found == ["web", "web", "web", "web", "", "cursors", "owned", "owned"]


def test_a_phase_by_owners(world):
    world.put("ormlift.toml", "[[phases]]\nname = 'mine'\nowners = ['@me']\n")
    for path in ("mine/a.py", "other/a.py"):
        world.put(path, "legacy(1)\n")
    done = world.run("diff", "--phase", "mine")
    assert done.returncode == 2
    assert done.stderr == "ormlift: phase 'mine' goes by owners, and there is no CODEOWNERS file\n"
    world.put("CODEOWNERS", "mine/ @me\n")
    shown = world.run("diff", "--phase", "mine").stdout
    assert "b/mine/a.py" in shown
    assert "other" not in shown


def refused(path, *lines, status=Status.REFUSED):
    return Refused(path, tuple(SiteReport("toy", n, n, status, reason=Reason("r", "why")) for n in lines))


def surveyed(outcomes, looked, files=()):
    project = locate([])
    settings = replace(project.config.settings, codemods=("toy",))
    looked = frozenset(looked)
    return Survey(project, settings, None, list(outcomes), looked=looked, files=looked | frozenset(files))


def test_the_baseline_is_a_ratchet(tmp_path):
    baseline = tmp_path / "base.json"
    baseline.write_text(dump(count([refused("a.py", 1, 2), refused("b.py", 3), refused("old/c.py", 1)])))
    allowed = load(baseline)
    same = surveyed([refused("a.py", 5, 9), refused("b.py", 1), refused("new/c.py", 4)], ["a.py", "b.py", "new/c.py"])
    assert compare(allowed, same).holds
    assert not compare(allowed, same).spare, "a file that was moved takes its allowance along"
    worse = surveyed([refused("a.py", 1), refused("b.py", 3, 8)], ["a.py", "b.py"], ["old/c.py"])
    told = compare(allowed, worse)
    assert [(e.path, e.allowed, e.found, e.lines) for e in told.excess] == [("b.py", 1, 2, (3, 8))]
    assert told.spare == {("a.py", "toy"): 1}, "what was not looked at is not told to be spare"
    gone = surveyed([], ["a.py"])
    assert compare(allowed, gone).spare == {("a.py", "toy"): 2, ("b.py", "toy"): 1, ("old/c.py", "toy"): 1}


def test_a_suppressed_site_is_not_counted(tmp_path):
    assert not count([refused("a.py", 1, status=Status.SUPPRESSED)])


@pytest.mark.parametrize("text", ["", "[]", '{"version": 2}', '{"version": 1}', '{"version": 1, "files": {"a": 3}}'])
def test_a_baseline_that_is_none(tmp_path, text):
    (tmp_path / "base.json").write_text(text)
    with pytest.raises(UserError, match="write it again with --write-baseline"):
        load(tmp_path / "base.json")
    with pytest.raises(UserError, match="no such baseline; write one with --write-baseline"):
        load(tmp_path / "other.json")


def test_audit_writes_and_checks_a_baseline(world):
    world.put("a.py", "legacy(1)\nnever(2)\n")
    world.put("b.py", "legacy(1)\n")
    world.commit("first")
    done = world.run("audit", "--check")
    assert done.returncode == 2
    assert "no such baseline; write one with --write-baseline" in done.stderr
    assert world.run("audit", "--write-baseline").returncode == 0
    assert (world.root / ".ormlift-baseline.json").read_text() == (
        '{\n "files": {\n  "a.py": {\n   "toy": 2\n  },\n  "b.py": {\n   "toy": 1\n  }\n },\n "version": 1\n}\n'
    )
    done = world.run("audit", "--check")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "no new sites\n")
    world.put("a.py", "legacy(1)\n\nnever(2)\nnever(3)\n")
    world.put("b.py", "x = 1\n")
    done = world.run("audit", "--check")
    assert (done.returncode, done.stdout) == (1, "a.py: toy: 3 sites where the baseline has 2 (lines 1, 3, 4)\n")
    assert "1 sites fewer than the baseline has, in 1 files: tighten it with" in done.stderr
    assert world.run("audit", "--check", "b.py").returncode == 0
    assert world.run("audit", "--write-baseline", "b.py").returncode == 0
    assert "b.py" not in (world.root / ".ormlift-baseline.json").read_text()
    assert '"a.py"' in (world.root / ".ormlift-baseline.json").read_text(), "what was not looked at is kept"
    world.put("bad.py", "legacy(\n")
    world.put("a.py", "x = 1\n")
    assert world.run("audit", "--check").returncode == 3
