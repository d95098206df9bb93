"""`[tool.ormlift]`, found, read and checked. Every mistake in it is one line that names the file and the key."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from ormlift.model import ScopeChoice, Settings, UserError

from ormlift_cli import values
from ormlift_cli.names import unknown
from ormlift_cli.rollout import Commits, Gate, Phase, read_commits, read_gate, read_phases
from ormlift_cli.values import Table

DIALECTS = ("auto", "sqlite", "postgresql", "mysql")
STYLES = ("auto", "query", "select")
VERSIONS = ("auto", "1.4", "2.0", "2.1")
SCOPE_CHOICES = ("configured", "faithful")
ROLLBACKS = ("keep", "drop")
TIMESTAMPS = ("func", "utcnow", "now-utc")
KEYS = (
    "session-scope",
    "scope-choice",
    "redundant-rollback",
    "dialect",
    "style",
    "timestamps",
    "sqlalchemy",
    "models",
    "connections",
    "exclude",
    "scopes",
    "phases",
    "commits",
    "gate",
)
STATED = ("commits", "rolls-back", "closes", "swallows", "shared", "expires", "async")  # what a scope does: true, false
SCOPE_KEYS = (
    "scope",
    "import",
    "where",
    "decorated-by",
    "in-class-with",
    "manager",
    "application",
    *STATED,
    "wraps",
    "factory",
)


@dataclass(frozen=True)
class Config:
    """What the user configured."""

    path: Path | None = None  # the file it was read from; None: there is none, and the defaults hold
    settings: Settings = field(default_factory=lambda: Settings(dialect=""))
    exclude: tuple[str, ...] = ()  # globs of what is not migrated
    phases: tuple[Phase, ...] = ()
    commits: Commits = field(default_factory=Commits)
    gate: Gate = field(default_factory=Gate)

    def phase(self, name: str) -> Phase:
        """The phase of that name. Raises UserError where there is none."""
        for phase in self.phases:
            if phase.name == name:
                return phase
        raise unknown("phase", name, [phase.name for phase in self.phases])


def find_config(start: Path, top: Path | None) -> Config:
    """The nearest configuration from `start` upwards, at the most to `top`; the defaults where there is none."""
    for folder in (start, *start.parents):
        for name in ("pyproject.toml", "ormlift.toml"):
            config = _read(folder / name)
            if config is not None:
                return config
        if folder == top:
            break
    return Config()


def _read(path: Path) -> Config | None:
    try:
        table: object = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid TOML: {error}") from error
    if path.name == "pyproject.toml":
        tool = table.get("tool", {}) if isinstance(table, dict) else {}
        if not isinstance(tool, dict) or "ormlift" not in tool:
            return None
        table = tool["ormlift"]
    return parse(table, path)


def parse(table: object, path: Path) -> Config:
    """Check a `[tool.ormlift]` table. Raises UserError."""
    try:
        return _parse(values.table(table, "[tool.ormlift]"), path)
    except values.WrongError as wrong:
        raise UserError(f"{path}: {wrong}") from None


def _parse(table: Table, path: Path) -> Config:
    values.check_keys(table, KEYS, "")
    scopes = tuple(values.each(table, "scopes", _scope))
    if "session-scope" in table:
        scopes += (_reference(values.text(table["session-scope"], "session-scope"), "session-scope"),)
    settings = Settings(
        scopes=scopes,
        scope_choice=values.choice(table, "scope-choice", SCOPE_CHOICES),
        redundant_rollback=values.choice(table, "redundant-rollback", ROLLBACKS),
        dialect=values.choice(table, "dialect", DIALECTS).removeprefix("auto"),
        style=values.choice(table, "style", STYLES),
        timestamps=values.choice(table, "timestamps", TIMESTAMPS),
        sqlalchemy=values.choice(table, "sqlalchemy", VERSIONS).removeprefix("auto"),
        models=values.texts(table, "models"),
        connections=values.texts(table, "connections"),
    )
    for name in settings.connections:
        _reference(name, "connections")
    return Config(
        path,
        settings,
        values.texts(table, "exclude"),
        read_phases(table),
        read_commits(table.get("commits", {})),
        read_gate(table.get("gate", {})),
    )


def _scope(table: Table, where: str) -> ScopeChoice:
    values.check_keys(table, SCOPE_KEYS, where)
    scope = values.text(table.get("scope"), f"{where}.scope")
    choice = _scope_reference(table, scope, where)
    manager, application = _service(table, where, choice.expression)
    attribute = (
        _dotted(values.text(table["in-class-with"], f"{where}.in-class-with"), f"{where}.in-class-with")
        if "in-class-with" in table
        else ""
    )
    return replace(
        choice,
        where=values.texts(table, "where", where),
        decorated_by=values.text_or_texts(table, "decorated-by", where),
        in_class_with=attribute.removeprefix("self."),
        stated=tuple(_stated(table, where)),
        manager=manager,
        application=application,
    )


def _service(table: Table, where: str, scope: str) -> tuple[str, str]:
    """The session manager of service classes, and where the application keeps it."""
    given = {k: values.text(table[k], f"{where}.{k}") for k in ("manager", "application") if k in table}
    if not given:
        return "", ""
    if not scope.startswith("self.") or scope.count(".") > 1 or "in-class-with" not in table:
        raise values.WrongError(f"{where}: 'manager' goes with scope = 'self.name' and 'in-class-with'")
    manager = _dotted(values.text(given.get("manager"), f"{where}.manager"), f"{where}.manager")
    if manager.count(".") != 1:
        raise values.WrongError(f"{where}.manager: must be 'parameter.scope' (as in 'session_manager.get_db_session')")
    if "application" in given:
        found = _reference(given["application"], f"{where}.application")
        if found.expression.count(".") != 1:
            raise values.WrongError(f"{where}.application: must be 'module:object.attribute'")
    return manager, given.get("application", "")


def _stated(table: Table, where: str) -> Iterator[tuple[str, str]]:
    """What the user says that a scope does."""
    for key in STATED:
        if key in table:
            yield key, "yes" if values.switch(table, key, where) else "no"
    if "wraps" in table:
        yield "wraps", _dotted(values.text(table["wraps"], f"{where}.wraps"), f"{where}.wraps")
    if "factory" in table:
        origin = _reference(values.text(table["factory"], f"{where}.factory"), f"{where}.factory")
        yield "factory", f"{origin.module}:{origin.expression}"


def _scope_reference(table: Table, scope: str, where: str) -> ScopeChoice:
    """What to call, and the module that its first name is imported from."""
    if ":" in scope:
        if "import" in table:
            raise values.WrongError(f"{where}: 'scope' names its module already; leave out 'import'")
        return _reference(scope, f"{where}.scope")
    if "import" not in table:
        return ScopeChoice(_dotted(scope, f"{where}.scope"))
    origin = _reference(values.text(table["import"], f"{where}.import"), f"{where}.import")
    first = scope.split(".")[0]
    if origin.expression != first:
        raise values.WrongError(f"{where}.import: must end in ':{first}', the first name of scope '{scope}'")
    return ScopeChoice(_dotted(scope, f"{where}.scope"), origin.module)


def _reference(text: str, key: str) -> ScopeChoice:
    """`module:name` or `module:object.name`, taken apart."""
    module, colon, name = text.partition(":")
    if not colon or not module or not name:
        raise values.WrongError(f"{key}: must be 'module:name' (as in 'app.db:session_scope'), not '{text}'")
    return ScopeChoice(_dotted(name, key), _dotted(module, key))


def _dotted(text: str, key: str) -> str:
    if not all(part.isidentifier() for part in text.split(".")):
        raise values.WrongError(f"{key}: '{text}' is not a dotted name")
    return text
