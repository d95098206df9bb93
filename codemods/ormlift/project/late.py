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
from ormlift.project.escape.choice import bound_in
from ormlift.project.known import DRIVERS
from ormlift.syntax import FunctionNode, Module, dotted, import_targets

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


def is_bound(module: Module, need: ImportNeed) -> bool:
    """Whether the file has the name when it runs, by an import at its top."""
    if not need.name:
        return need.module.split(".")[0] in module.imports.keys() - module.typing_imports
    names = {name for name, target in module.imports.items() if target == f"{need.module}.{need.name}"}
    return bool(names - module.typing_imports)


def home_inside(module: Module, need: ImportNeed, first: int, last: int) -> FunctionNode | None:
    """The function that can import for itself what lines `first` to `last`, all of them its own, need.

    None where they are of none, where the name means something else in it, and where the file calls it while it is
    imported: then the circle is there as well.
    """
    holders = [f for f in module.definitions if isinstance(f, FunctionNode) and f.lineno < first]
    holders = [f for f in holders if last <= (f.end_lineno or f.lineno)]
    if not holders:
        return None
    function = max(holders, key=lambda f: f.lineno)
    name = need.name or need.module.split(".")[0]
    taken = name in bound_in(function) and name not in module.local_imports(function)
    shared = any(isinstance(n, ast.Global | ast.Nonlocal) and name in n.names for n in ast.walk(function))
    called = {f.name for f in holders} & _called_at_import(module)
    return None if taken or shared or called else function


def _called_at_import(module: Module) -> set[str]:
    """The names that the file calls, or decorates with, when it is imported."""
    found: set[str] = set()
    stack: list[ast.AST] = list(module.tree.body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.If) and "__main__" in ast.unparse(node.test):
            stack += node.orelse
            continue
        if isinstance(node, ast.Call):
            found.add(dotted(node.func).rpartition(".")[2])
        if isinstance(node, FunctionNode | ast.ClassDef):
            found |= {dotted(d).rpartition(".")[2] for d in node.decorator_list}
        later = [*node.body] if isinstance(node, FunctionNode) else [node.body] if isinstance(node, ast.Lambda) else []
        stack += [n for n in ast.iter_child_nodes(node) if n not in later]
    return found


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
