"""Imports around a site: those that wait until a function runs, and those that it may have needed last.

A function imports what it needs itself where the module can't be imported at the top: it closes a circle, its path is
set first, or a handler answers for its absence.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection
from dataclasses import replace
from pathlib import PurePosixPath

from ormlift.model import ImportNeed
from ormlift.project.known import DRIVERS
from ormlift.syntax import FunctionNode, Module, import_targets

_LIBRARIES = sys.stdlib_module_names | {name.partition(".")[0] for name in DRIVERS} | {"sqlalchemy", "sqlmodel"}
ImportNode = ast.Import | ast.ImportFrom


def waiting(module: Module, need: ImportNeed, line: int, gone: Collection[str]) -> ImportNeed | None:
    """`need` with the place beside the function's own import that it replaces; as it is, where nothing waits.

    `line` is the first of the site, `gone` are names that it uses no more. None where the function's import runs only
    behind `line`.
    """
    functions = {f for f in module.definitions if isinstance(f, FunctionNode) and _holds(f, line)}
    imports: list[ImportNode] = [*module.nodes(ast.Import), *module.nodes(ast.ImportFrom)]
    if not functions or any(_at_top(module, n) and is_from(n, need, module.source.path) for n in imports):
        return need
    inside = [n for n in imports if module.enclosing_function(n) in functions]
    asked = [n for n in inside if set(gone) & set(import_targets(n)) or is_from(n, need, module.source.path)]
    ready = [n for n in asked if n.lineno < line and any(_holds(s, line) for s in module.suite(n))]
    if not ready:
        return need if not any(set(gone) & set(import_targets(n)) for n in asked) else None
    return replace(need, beside=max(n.lineno for n in ready))


def library_names(module: Module, line: int, end_line: int) -> set[str]:
    """The names on some lines that an import of a library binds: it does nothing else, and can go with its last use."""
    said = {n.id for n in module.nodes(ast.Name) if line <= n.lineno <= end_line}
    found: set[str] = set()
    for node in (*module.nodes(ast.Import), *module.nodes(ast.ImportFrom)):
        found |= {
            name
            for name, target in import_targets(node).items()
            if name in said and target.partition(".")[0] in _LIBRARIES - {"__future__"}
        }
    return found


def is_from(node: ImportNode, need: ImportNeed, path: str) -> bool:
    """Whether an import in the file at `path` is one of the module that is needed."""
    if isinstance(node, ast.Import):
        return any(alias.name == need.module for alias in node.names)
    if not node.level:
        return node.module == need.module
    folder = PurePosixPath(path).parent.parts
    home = ".".join((*folder[: len(folder) - node.level + 1], *filter(None, [node.module])))
    return f".{home}".endswith(f".{need.module}")


def _at_top(module: Module, node: ImportNode) -> bool:
    return module.enclosing_function(node) is None and not any(
        isinstance(around, ast.If) and "TYPE_CHECKING" in ast.unparse(around.test) for around in module.ancestors(node)
    )


def _holds(node: ast.stmt, line: int) -> bool:
    return node.lineno <= line <= (node.end_lineno or node.lineno)
