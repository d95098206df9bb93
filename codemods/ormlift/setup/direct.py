"""Where a project opens its database by the driver itself, in each function anew, and never twice in another way.

Then there is no function that an engine could open its connections by. But where all of them name the same constant of
a module, the engine can do as they do: `creator=lambda: sqlite3.connect(DB_PATH)`.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ormlift.model import Source
from ormlift.project.names import is_test_path
from ormlift.syntax import FunctionNode, Module, module_level

_SPECIAL = (":memory:", "mode=", "file:")


@dataclass(frozen=True, slots=True)
class Database:
    """What connections are opened to: a name of a module, or a literal path."""

    path: str  # the file in which the engine can stand
    line: int  # the top-level statement behind which it can
    text: str  # `DB_PATH`, or `"app.db"`
    calls: int  # how many calls name it
    opener: str = "sqlite3"  # how that file names the driver's module


def find_database(sources: Sequence[Source]) -> tuple[Database | None, list[str]]:
    """The one database that the application opens by `sqlite3.connect(..)`, and the texts of others."""
    modules = [m for m in map(_parsed, sources) if m is not None]
    homes: dict[tuple[str, str], tuple[Module, str]] = {}
    counts: Counter[str] = Counter()
    for module in modules:
        for call, driver in _connects(module):
            text = _named(call, module)
            counts[text or module.text(call)] += 1
            if text:
                homes.setdefault((text, module.source.path), (module, driver))
    if not counts:
        return None, []
    text, calls = counts.most_common(1)[0]
    others = [other for other in counts if other != text]
    fits = [(path, *home) for (name, path), home in homes.items() if name == text]
    fits.sort(key=lambda fit: (not _assigns(fit[1], text), fit[0]))
    if not fits or calls < 2 * max((counts[other] for other in others), default=0):
        return None, list(counts)
    path, module, driver = fits[0]
    return Database(path, _place(module, text), text, calls, driver), others


def _parsed(source: Source) -> Module | None:
    if not source.path.endswith(".py") or is_test_path(source.path) or ".connect(" not in source.text:
        return None
    try:
        return Module.parse(source)
    except SyntaxError:
        return None


def _connects(module: Module) -> Iterable[tuple[ast.Call, str]]:
    """The calls of the driver's own connect, and the name of its module in this file."""
    for call in module.calls:
        match call.func:
            case ast.Attribute(value=ast.Name(id=name), attr="connect") if module.imports.get(name) == "sqlite3":
                yield call, name


def _named(call: ast.Call, module: Module) -> str:
    """What a call opens, as any module could say it: a name of the module, or a literal path; empty for all else."""
    match call.args:
        case [ast.Constant(value=str(value))] if value and not any(mark in value for mark in _SPECIAL):
            return f'"{value}"'
        case [ast.Name(id=name)] if name.isupper() and _place(module, name):
            function = module.enclosing_function(call)
            return name if function is None or name not in _arguments(function) else ""
    return ""


def _arguments(function: FunctionNode) -> set[str]:
    return {a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg)}


def _binds(statement: ast.stmt, name: str) -> bool:
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return any((a.asname or a.name) == name for a in statement.names)
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)


def _assigns(module: Module, name: str) -> bool:
    """Whether the file is where the name comes from."""
    return any(not isinstance(s, ast.Import | ast.ImportFrom) and _binds(s, name) for s in module.tree.body)


def _place(module: Module, text: str) -> int:
    """The line of the statement behind which the name has its value; 0 where it is bound otherwise, or twice."""
    if text.startswith('"'):
        imports = [s for s in module.tree.body if isinstance(s, ast.Import | ast.ImportFrom)]
        return imports[-1].lineno if imports else 0
    binding = [s for s in module_level(module.tree) if _binds(s, text)]
    return binding[0].lineno if len(binding) == 1 and binding[0] in module.tree.body else 0
