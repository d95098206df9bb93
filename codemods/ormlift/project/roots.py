"""What a new import at the top of a file may do to those who run or import it: is its package in reach, who gets it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from ormlift.model import Effect, ImportNeed
from ormlift.project.graph import ImportGraph
from ormlift.syntax import Module

_MAIN = '__name__ == "__main__"'


def import_effects(module: Module, needs: Iterable[ImportNeed], line: int, imports: ImportGraph) -> Iterator[Effect]:
    """The effects of names of the project that a file imports newly at its top."""
    new = [need for need in needs if not need.module.startswith(".") and imports.holds(need.module)]
    path = module.source.path
    for top in sorted({need.module.partition(".")[0] for need in new}):
        if not _is_reached(module, top, imports):
            message = f"{top} is imported here, and nothing shows that {path} is run where that can be found"
            yield Effect("import-root", line, f"{message}: started by its own path it may not be")
    if new and imports.takes_all(path) and "__all__" not in module.names:
        names = ", ".join(sorted({need.name or need.module.partition(".")[0] for need in new}))
        yield Effect(
            "star-import", line, f"{names}: another file imports everything of this one, and gets the name too"
        )


def _is_reached(module: Module, top: str, imports: ImportGraph) -> bool:
    """Whether a file surely can import a package of the project, so far as its text and its place tell."""
    path = module.source.path
    if not imports.files or path in imports.asked_for or _imports_it(module, top):
        return True
    folder = path.rpartition("/")[0]
    beside = f"{folder}/{top}" if folder else top
    if any(other == f"{beside}.py" or other.startswith(f"{beside}/") for other in imports.files):
        return True
    text = module.source.text.replace("'", '"')
    return top in folder.split("/") and _MAIN not in text


def _imports_it(module: Module, top: str) -> bool:
    """Whether a file imports of a package already, at its top and under no `if` or `try`."""
    for statement in module.tree.body:
        match statement:
            case ast.Import(names=names):
                found = any(alias.name.partition(".")[0] == top for alias in names)
            case ast.ImportFrom(module=name, level=level):
                found = bool(level) or (name or "").partition(".")[0] == top
            case _:
                found = False
        if found:
            return True
    return False
