"""`[tool.ormlift]`, found, read and checked. Every mistake in it is one line that names the file and the key."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from ormlift.model import ScopeChoice, Settings, UserError

from ormlift_cli.names import unknown

T = TypeVar("T")
Table = Mapping[str, object]

DIALECTS = ("sqlite", "postgresql", "mysql")
STYLES = ("auto", "query", "select")
TIMESTAMPS = ("func", "utcnow", "now-utc")
KEYS = (
    "session-scope",
    "dialect",
    "style",
    "timestamps",
    "models",
    "connections",
    "exclude",
    "scopes",
    "phases",
)
SCOPE_KEYS = ("scope", "import", "where", "decorated-by", "in-class-with")
PHASE_KEYS = ("name", "paths", "codemods")


@dataclass(frozen=True)
class Phase:
    """A named step of the rollout."""

    name: str
    paths: tuple[str, ...]  # globs; empty: the whole project
    codemods: tuple[str, ...] = ()  # ids; empty: all


@dataclass(frozen=True)
class Config:
    """What the user configured."""

    path: Path | None = None  # the file it was read from; None: there is none, and the defaults hold
    settings: Settings = field(default_factory=Settings)
    exclude: tuple[str, ...] = ()  # globs of what is not migrated
    phases: tuple[Phase, ...] = ()

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
        return _parse(_table(table, "[tool.ormlift]"), path)
    except _WrongError as wrong:
        raise UserError(f"{path}: {wrong}") from None


class _WrongError(Exception):
    """What is wrong with a value; the file's name is put before it."""


def _parse(table: Table, path: Path) -> Config:
    _check_keys(table, KEYS, "")
    scopes = tuple(_each(table, "scopes", _scope))
    if "session-scope" in table:
        scopes += (_reference(_text(table["session-scope"], "session-scope"), "session-scope"),)
    settings = Settings(
        scopes=scopes,
        dialect=_choice(table, "dialect", DIALECTS),
        style=_choice(table, "style", STYLES),
        timestamps=_choice(table, "timestamps", TIMESTAMPS),
        models=_texts(table, "models"),
        connections=_texts(table, "connections"),
    )
    for name in settings.connections:
        _reference(name, "connections")
    phases = tuple(_each(table, "phases", _phase))
    names = [phase.name for phase in phases]
    for name in names:
        if names.count(name) > 1:
            raise _WrongError(f"phases: two phases are named '{name}'")
    return Config(path, settings, _texts(table, "exclude"), phases)


def _scope(table: Table, where: str) -> ScopeChoice:
    _check_keys(table, SCOPE_KEYS, where)
    scope = _text(table.get("scope"), f"{where}.scope")
    choice = _scope_reference(table, scope, where)
    attribute = (
        _dotted(_text(table["in-class-with"], f"{where}.in-class-with"), f"{where}.in-class-with")
        if "in-class-with" in table
        else ""
    )
    return replace(
        choice,
        where=_texts(table, "where", where),
        decorated_by=_text_or_texts(table, "decorated-by", where),
        in_class_with=attribute.removeprefix("self."),
    )


def _scope_reference(table: Table, scope: str, where: str) -> ScopeChoice:
    """What to call, and the module that its first name is imported from."""
    if ":" in scope:
        if "import" in table:
            raise _WrongError(f"{where}: 'scope' names its module already; leave out 'import'")
        return _reference(scope, f"{where}.scope")
    if "import" not in table:
        return ScopeChoice(_dotted(scope, f"{where}.scope"))
    origin = _reference(_text(table["import"], f"{where}.import"), f"{where}.import")
    first = scope.split(".")[0]
    if origin.expression != first:
        raise _WrongError(f"{where}.import: must end in ':{first}', the first name of scope '{scope}'")
    return ScopeChoice(_dotted(scope, f"{where}.scope"), origin.module)


def _phase(table: Table, where: str) -> Phase:
    _check_keys(table, PHASE_KEYS, where)
    return Phase(
        _text(table.get("name"), f"{where}.name"), _texts(table, "paths", where), _texts(table, "codemods", where)
    )


def _reference(text: str, key: str) -> ScopeChoice:
    """`module:name` or `module:object.name`, taken apart."""
    module, colon, name = text.partition(":")
    if not colon or not module or not name:
        raise _WrongError(f"{key}: must be 'module:name' (as in 'app.db:session_scope'), not '{text}'")
    return ScopeChoice(_dotted(name, key), _dotted(module, key))


def _dotted(text: str, key: str) -> str:
    if not all(part.isidentifier() for part in text.split(".")):
        raise _WrongError(f"{key}: '{text}' is not a dotted name")
    return text


def _check_keys(table: Table, known: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in known:
            raise _WrongError(f"{where + ': ' if where else ''}{unknown('key', key, known)}")


def _table(value: object, key: str) -> Table:
    if not isinstance(value, dict):
        raise _WrongError(f"{key}: must be a table, not {_kind(value)}")
    return value


def _text(value: object, key: str) -> str:
    if value is None:
        raise _WrongError(f"{key}: is missing")
    if not isinstance(value, str) or not value:
        raise _WrongError(f"{key}: must be text in quotes, not {_kind(value)}")
    return value


def _texts(table: Table, key: str, where: str = "") -> tuple[str, ...]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        name = f"{where}.{key}" if where else key
        raise _WrongError(f"{name}: must be a list of texts in quotes, not {_kind(value)}")
    return tuple(value)


def _text_or_texts(table: Table, key: str, where: str) -> tuple[str, ...]:
    """One text, or a list of them."""
    return _texts({key: [value]} if isinstance(value := table.get(key, []), str) else table, key, where)


def _choice(table: Table, key: str, known: tuple[str, ...]) -> str:
    value = _text(table.get(key, known[0]), key)
    if value not in known:
        raise _WrongError(f"{key}: {unknown('value', value, known)}")
    return value


def _each(table: Table, key: str, read: Callable[[Table, str], T]) -> list[T]:
    value = table.get(key, [])
    if not isinstance(value, list):
        raise _WrongError(f"{key}: must be written [[tool.ormlift.{key}]], as a list of tables")
    return [read(_table(item, f"{key}[{n}]"), f"{key}[{n}]") for n, item in enumerate(value, 1)]


def _kind(value: object) -> str:
    names = {str: "text", bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "a table"}
    if value == "":
        return "empty text"
    if isinstance(value, list) and value:
        return "a list that holds something else"
    return names.get(type(value), type(value).__name__)
