"""What the configuration says of a rollout: its phases, how commits are made, and what each file must pass.

[[tool.ormlift.phases]]         [tool.ormlift.commits]           [tool.ormlift.gate]
name = "web routes"             message = "db: {file}"           test = "pytest -q"
paths = ["web_app.py"]          by = "directory"                 test-every = 10
limit = 5                       branch = "migrate/{phase}"       import-check = true
"""

from __future__ import annotations

import string
from dataclasses import dataclass

from ormlift_cli import values
from ormlift_cli.names import unknown
from ormlift_cli.values import Table

PHASE_KEYS = ("name", "paths", "codemods", "owners", "limit", "coexist")
COMMIT_KEYS = ("message", "sign-off", "sign", "by", "branch", "timeout")
GATE_KEYS = ("test", "test-every", "test-timeout", "import-check", "python")
COMMIT_BY = ("file", "directory", "owner")
MESSAGE = "Migrate {file} ({codemods})\n\n{sites}"
MESSAGE_FIELDS = ("file", "codemods", "sites", "count", "phase", "run", "directory", "owner", "effects")


@dataclass(frozen=True)
class Phase:
    """A named step of the rollout."""

    name: str
    paths: tuple[str, ...]  # globs; empty: the whole project
    codemods: tuple[str, ...] = ()  # ids; empty: all
    owners: tuple[str, ...] = ()  # as CODEOWNERS names them: only files that one of them owns; empty: all
    limit: int = 0  # files that one run may change; 0: no limit
    coexist: tuple[str, ...] = ()  # globs of the files in which old sites may stay beside rewritten ones


@dataclass(frozen=True)
class Commits:
    """How commits are made."""

    message: str = MESSAGE
    sign_off: bool = False
    sign: str = ""  # "yes", or the key; empty: as git is configured
    by: str = "file"
    branch: str = ""  # the branch to commit on, with {phase}; empty: the one that is checked out
    timeout: int = 600  # seconds that one `git commit` may take with its hooks


@dataclass(frozen=True)
class Gate:
    """What a changed file must pass before it is committed, besides parsing and compiling."""

    test: str = ""  # a shell command
    test_every: int = 1  # files that are tested together
    test_timeout: int = 0  # seconds; 0: none
    import_check: bool = False
    python: str = ""  # the project's own Python; empty: found


def read_phases(table: Table) -> tuple[Phase, ...]:
    """The phases in their order."""
    phases = tuple(values.each(table, "phases", _phase))
    names = [phase.name for phase in phases]
    for name in names:
        if names.count(name) > 1:
            raise values.WrongError(f"phases: two phases are named '{name}'")
    return phases


def _phase(table: Table, where: str) -> Phase:
    values.check_keys(table, PHASE_KEYS, where)
    name = values.text(table.get("name"), f"{where}.name")
    if "\n" in name or name != name.strip():
        raise values.WrongError(f"{where}.name: must be one line without space around it")
    paths, codemods, owners = (values.texts(table, key, where) for key in ("paths", "codemods", "owners"))
    limit = values.whole(table, "limit", 0, 0, where)
    return Phase(name, paths, codemods, owners, limit, values.texts(table, "coexist", where))


def read_commits(value: object) -> Commits:
    """How commits are made."""
    table = values.table(value, "commits")
    values.check_keys(table, COMMIT_KEYS, "commits")
    sign = table.get("sign", False)
    if not isinstance(sign, bool):
        sign = values.text(sign, "commits.sign")
    return Commits(
        _template(table, "message", MESSAGE, MESSAGE_FIELDS),
        values.switch(table, "sign-off", "commits"),
        sign if isinstance(sign, str) else "yes" if sign else "",
        values.choice(table, "by", COMMIT_BY, "commits"),
        _template(table, "branch", "", ("phase",)),
        values.whole(table, "timeout", 600, 1, "commits"),
    )


def read_gate(value: object) -> Gate:
    """What a changed file must pass."""
    table = values.table(value, "gate")
    values.check_keys(table, GATE_KEYS, "gate")
    return Gate(
        values.text(table["test"], "gate.test") if "test" in table else "",
        values.whole(table, "test-every", 1, 1, "gate"),
        values.whole(table, "test-timeout", 0, 0, "gate"),
        values.switch(table, "import-check", "gate"),
        values.text(table["python"], "gate.python") if "python" in table else "",
    )


def _template(table: Table, key: str, default: str, known: tuple[str, ...]) -> str:
    """Text with fields in braces, all of them known."""
    text = values.text(table[key], f"commits.{key}") if key in table else default
    try:
        fields = [(name, spec, change) for _, name, spec, change in string.Formatter().parse(text) if name is not None]
    except ValueError as error:
        raise values.WrongError(f"commits.{key}: {error}; write {{{{ and }}}} for braces") from None
    for name, spec, change in fields:
        if name not in known:
            raise values.WrongError(f"commits.{key}: {unknown('field', name, known)}")
        if spec or change:
            raise values.WrongError(f"commits.{key}: write {{{name}}} with nothing behind the name")
    return text
