"""The house keeps its own rules: the import contract, and the words and examples of every codemod."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from ormlift.rules import ALL
from ormlift.rules.base import Codemod, Example

ROOT = Path(__file__).parents[1]
RULES = ROOT / "codemods" / "ormlift" / "rules"
SHARED = {"__init__", "base", "common"}  # what stands in rules/ and is no codemod
# A code is born as the first argument of one of these.
CALLS = {"Effect": "effects", "Reason": "reasons", "Fault": "faults"}

each_codemod = pytest.mark.parametrize("codemod", ALL, ids=lambda c: c.id)
each_example = pytest.mark.parametrize(
    ("codemod", "example"),
    [pytest.param(c, e, id=f"{c.id}: {e.title}") for c in ALL for e in c.examples],
)


def codemod_file(codemod: Codemod) -> Path:
    return RULES / f"{codemod.id.replace('-', '_')}.py"


def own_modules(codemod: Codemod) -> list[Path]:
    """The codemod's file and, where it has grown, those of the private package that stands beside it."""
    package = RULES / f"_{codemod.id.replace('-', '_')}"
    return [codemod_file(codemod), *sorted(package.glob("*.py"))]


def codes(paths: list[Path], call: str) -> set[str]:
    """The literal codes that are given to `call` (`Reason("code", ..)`, `Effect(code="code", ..)`)."""
    found: set[str] = set()
    for node in (n for path in paths for n in ast.walk(ast.parse(path.read_text(encoding="utf-8")))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == call:
            named = [k.value for k in node.keywords if k.arg == "code"]
            given = [*node.args[:1], *named]
            found |= {g.value for g in given if isinstance(g, ast.Constant) and isinstance(g.value, str)}
    return found


# The imports


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", program, "--no-cache"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True)


def test_imports_keep_the_contract() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_contract_is_one_that_can_be_broken(tmp_path: Path) -> None:
    """The layers upside down: the same check must say so."""
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    layers = next(c["layers"] for c in setup["contracts"] if c["type"] == "layers")
    upside_down = "\n".join(f"    {layer}" for layer in reversed(layers))
    (tmp_path / ".importlinter").write_text(
        "[importlinter]\nroot_packages =\n    ormlift\n    ormlift_cli\n"
        f"[importlinter:contract:1]\nname = upside down\ntype = layers\nlayers =\n{upside_down}\n",
        encoding="utf-8",
    )
    done = lint_imports(tmp_path)
    assert done.returncode == 1
    assert "upside down BROKEN" in done.stdout


def test_codemods_never_import_each_other() -> None:
    names = {c.id.replace("-", "_") for c in ALL}
    for codemod in ALL:
        others = names - {codemod.id.replace("-", "_")}
        for path in own_modules(codemod):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom):
                    parts = set((node.module or "").split(".")) | {a.name for a in node.names}
                    assert not parts & others, f"{path.name} line {node.lineno}"


# The registry


def test_there_are_codemods() -> None:
    assert ALL


def test_ids_are_unique() -> None:
    assert [i for i, n in Counter(c.id for c in ALL).items() if n > 1] == []


def test_every_file_in_rules_is_a_codemod_that_is_registered() -> None:
    files = {p.stem for p in RULES.glob("*.py") if not p.stem.startswith("_")} - SHARED
    assert files == {c.id.replace("-", "_") for c in ALL}


@each_codemod
def test_file_name_is_the_id(codemod: Codemod) -> None:
    assert codemod.id == codemod.id.lower().replace("_", "-").strip("-")
    assert codemod_file(codemod).is_file()


# The words


@each_codemod
def test_title_is_one_line(codemod: Codemod) -> None:
    assert 10 <= len(codemod.title) <= 100
    assert "\n" not in codemod.title
    assert not codemod.title.endswith(".")
    assert "|" not in codemod.title  # it stands in a Markdown table


@each_codemod
def test_explanation_explains(codemod: Codemod) -> None:
    assert len(codemod.explanation.split()) >= 40
    assert codemod.explanation.strip().endswith((".", "`", ")"))


@each_codemod
def test_reasons_and_effects_have_sentences(codemod: Codemod) -> None:
    assert codemod.reasons
    for code, words in {**codemod.reasons, **codemod.effects, **codemod.faults}.items():
        assert code == code.lower().replace("_", "-").strip("-"), code
        assert " " not in code, code
        assert len(words.split()) >= 5, code


@each_codemod
def test_every_code_in_its_code_stands_in_its_table(codemod: Codemod) -> None:
    for call, table in CALLS.items():
        missing = codes(own_modules(codemod), call) - set(getattr(codemod, table))
        assert not missing, f"{call} codes without words in `{table}`: {sorted(missing)}"


@each_codemod
def test_every_code_in_its_table_is_used(codemod: Codemod) -> None:
    """Words for what never happens mislead."""
    unused = (set(codemod.reasons) | set(codemod.effects) | set(codemod.faults)) - strings_of_the_product()
    assert not unused, sorted(unused)


@cache
def strings_of_the_product() -> frozenset[str]:
    """Every text literal in `ormlift`, but for the keys of tables, which use nothing."""
    found: set[str] = set()
    for path in RULES.parent.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        keys = {k for n in ast.walk(tree) if isinstance(n, ast.Dict) for k in n.keys}
        literals = {n for n in ast.walk(tree) if isinstance(n, ast.Constant)} - keys
        found |= {n.value for n in literals if isinstance(n.value, str)}
    return frozenset(found)


# The examples


@each_codemod
def test_has_examples_of_both_kinds(codemod: Codemod) -> None:
    changed = [e for e in codemod.examples if e.after is not None]
    found = [e for e in codemod.examples if e.after is None and e.reason]
    stays = [e for e in codemod.examples if e.after is None and not e.reason]
    assert bool(changed) is codemod.rewrites
    assert changed or found
    assert stays or found
    assert stays or codemod.rewrites, "a check shows what it does not speak of"
    assert len(codemod.examples) == len({e.title for e in codemod.examples}), "two examples share a title"


@each_codemod
def test_examples_name_only_codes_of_the_tables(codemod: Codemod) -> None:
    for example in codemod.examples:
        assert set(example.effects) <= set(codemod.effects), example.title
        if example.reason:
            assert example.reason in codemod.reasons, example.title
        if example.fault:
            assert example.fault in codemod.faults, example.title


@each_example
def test_example_is_well_formed(codemod: Codemod, example: Example) -> None:
    assert example.title.strip()
    assert "\n" not in example.title
    ast.parse(example.before)
    for path, text in example.project.items():
        assert path.endswith(".py")
        ast.parse(text)
    if example.after is None:
        assert not example.effects
        return
    ast.parse(example.after)
    assert example.after != example.before
    assert not example.reason


@each_example
def test_example_would_pass_the_prefilter(codemod: Codemod, example: Example) -> None:
    """Needles that miss an example would leave real files unread."""
    if example.after is None and not example.reason:
        return
    text = example.before.encode()
    assert any(all(needle in text for needle in needles) for needles in codemod.needles)


# The README


def codemod_table() -> str:
    """The README's table of codemods, as it must be."""
    rows = [f"| `{c.id}` | {c.title} |" for c in ALL]
    return "\n".join(["| codemod | what it does |", "|---|---|", *rows])


def test_readme_lists_the_codemods_as_they_are() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    between = text.split("<!-- codemods -->\n")[1].split("\n<!-- /codemods -->")[0]
    assert between == codemod_table()


def test_readme_shows_hunks_that_are_really_written() -> None:
    blocks = (ROOT / "README.md").read_text(encoding="utf-8").split("```diff\n")[1:]
    golden = [path.read_text(encoding="utf-8") for path in (ROOT / "samples").glob("*/expected*.diff")]
    assert blocks
    for block in blocks:
        assert any(block.split("```")[0] in text for text in golden), block


def test_readme_starts_with_the_two_commands() -> None:
    head = (ROOT / "README.md").read_text(encoding="utf-8")[:1500]
    assert "./demo" in head
    assert "./test" in head
    for script in ("demo", "test", ".ci/run"):
        assert (ROOT / script).stat().st_mode & 0o111, script


def test_readme_names_only_commands_that_exist() -> None:
    from ormlift_cli.app import COMMANDS

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = (line.strip().removeprefix("$ ") for line in text.splitlines())
    words = [line.split() for line in lines if line.startswith("ormlift ")]
    named = {w[1] for w in words if not w[1].startswith("-")}
    assert named <= set(COMMANDS)
    assert {"diff", "apply", "rollback"} <= named
