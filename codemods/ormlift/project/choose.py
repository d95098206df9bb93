"""Which scope a site is to use: the one configured for its path, else the fittest of the project."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ormlift.model import ImportNeed, ScopeChoice, Settings
from ormlift.project.index import ProjectIndex
from ormlift.schema import Scope


@dataclass(frozen=True, slots=True)
class ChosenScope:
    """A scope to open, as the file at hand can write it."""

    expression: str  # what is called without arguments: `session_scope`, `manager.get_db_session`
    need: ImportNeed | None  # the import that binds its first name; None: the file must bind it already
    scope: Scope | None = None  # its definition; None: the project does not hold it, or it could not be read


def choose_scope(settings: Settings, index: ProjectIndex, path: str, *, is_async: bool = False) -> ChosenScope | None:
    """The scope for sites of the file at `path`, or None where none is configured and none can be found."""
    for choice in settings.scopes:
        if not choice.where or any(matches(pattern, path) for pattern in choice.where):
            return _configured(choice, index)
    for scope in index.default_scopes():
        if scope.is_async is is_async:
            need = ImportNeed(scope.module, scope.name) if scope.path != path else None
            return ChosenScope(scope.name, need, scope)
    return None


def _configured(choice: ScopeChoice, index: ProjectIndex) -> ChosenScope:
    first = choice.expression.partition(".")[0]
    need = ImportNeed(choice.module, first) if choice.module else None
    return ChosenScope(choice.expression, need, index.scope_named(choice))


def matches(pattern: str, path: str) -> bool:
    """Whether a glob fits a path: `*` stays within a folder, `**` does not, a folder's name holds all below it."""
    parts = re.split(r"(\*\*/?|\*|\?)", pattern.rstrip("/"))
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    expression = "".join(meaning.get(part, re.escape(part)) for part in parts)
    return re.fullmatch(f"{expression}(?:/.*)?", path) is not None
