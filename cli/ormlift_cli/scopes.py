"""Whether the scopes that the user configured are there: a name that cannot be imported would break every rewrite."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from ormlift.model import ScopeChoice, Settings, UserError

if TYPE_CHECKING:
    from ormlift.project.index import ProjectIndex


def check_scopes(
    settings: Settings, index: ProjectIndex, files: Sequence[str], text_of: Callable[[str], bytes]
) -> list[str]:
    """Notes on configured scopes. Raises UserError for one that the project's own files show to be missing."""
    notes = []
    for choice in settings.scopes:
        if not choice.module or index.scope_named(choice) is not None:
            continue
        name = choice.expression.split(".")[0]
        homes = _files_of(choice.module, files)
        if homes:
            if not any(_binds(text_of(path), name) for path in homes):
                raise UserError(f"scope '{_told(choice)}': {homes[0]} does not define '{name}'; {_known(index)}")
        elif _files_of(choice.module.split(".")[0], files) or _is_package(choice.module.split(".")[0], files):
            raise UserError(f"scope '{_told(choice)}': the project has no module '{choice.module}'; {_known(index)}")
        else:
            notes.append(f"scope '{_told(choice)}': '{choice.module}' is not in this project; taken as installed")
    return notes


def _told(choice: ScopeChoice) -> str:
    return f"{choice.module}:{choice.expression}"


def _known(index: ProjectIndex) -> str:
    names = sorted({f"{scope.module}:{scope.owner + '.' if scope.owner else ''}{scope.name}" for scope in index.scopes})
    if not names:
        return "no scope was found in the project"
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"scopes found: {', '.join(names[:5])}{more}"


def _files_of(module: str, files: Iterable[str]) -> list[str]:
    path = module.replace(".", "/")
    ends = (f"{path}.py", f"{path}/__init__.py")
    return [file for file in files if file in ends or file.endswith(tuple(f"/{end}" for end in ends))]


def _is_package(name: str, files: Iterable[str]) -> bool:
    """Whether a folder of that name stands at the root, or in a folder for sources."""
    return any(name in PurePosixPath(file).parts[:-1][:2] for file in files)


def _binds(data: bytes, name: str) -> bool:
    """Whether a module may bind `name` at its top level; true where that cannot be read."""
    try:
        tree = ast.parse(data)
    except (SyntaxError, ValueError, RecursionError):
        return True
    pending: list[ast.AST] = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            if node.name == name:
                return True
        elif isinstance(node, ast.alias):
            if node.name == "*" or (node.asname or node.name.split(".")[0]) == name:
                return True
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id == name:
            return True
        elif not isinstance(node, ast.Lambda):
            pending += ast.iter_child_nodes(node)
    return False
