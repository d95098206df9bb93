"""An import placed inside a function, as its first statement: at the top of the file it would close a circle."""

from __future__ import annotations

import ast

from ormlift.edit.errors import LayoutError
from ormlift.edit.lines import WIDTH, import_line, is_plain, with_name
from ormlift.model import ImportNeed
from ormlift.project.late import is_from
from ormlift.syntax import FunctionNode, Module, import_targets


def add_inside(lines: list[str], where: list[int | None], module: Module, need: ImportNeed, newline: str) -> None:
    """Add the import to the function that stood on line `need.inside`, behind its docstring and its first imports.

    `lines` and `where` (the lines that they stood for) are changed. Raises LayoutError where there is no place.
    """
    at = where.index(need.inside) + 1 if need.inside in where else 0
    function = next((f for f in module.definitions if isinstance(f, FunctionNode) and f.lineno == at), None)
    if function is None:
        message = f"the function on line {need.inside}, which is to import {need.module}, is gone"
        raise LayoutError(message)
    leading = _leading(function)
    if any((need.name or need.module.split(".")[0]) in import_targets(s) for s in leading):
        return
    if _extend(lines, leading, need, module):
        return
    first = function.body[0]
    end = leading[-1].end_lineno or 0 if leading else _header_end(function, lines)
    column = first.col_offset
    if first.lineno == function.lineno or lines[first.lineno - 1][:column].strip() or _shares(leading, lines):
        message = f"the body of {function.name} shares a line with what stands before it"
        raise LayoutError(message)
    added = f"from {need.module} import {need.name}" if need.name else f"import {need.module}"
    if not lines[end - 1].endswith(("\n", "\r")):
        lines[end - 1] += newline
    lines.insert(end, lines[first.lineno - 1][:column] + added + newline)
    where.insert(end, None)


def _extend(lines: list[str], leading: list[ast.stmt], need: ImportNeed, module: Module) -> bool:
    """Add the name to an import of the same module among the first ones."""
    for node in leading:
        if not isinstance(node, ast.ImportFrom) or not need.name or not is_from(node, need, module.source.path):
            continue
        line = lines[node.lineno - 1]
        body = line.rstrip("\r\n")
        if is_plain(node, body) and len(body) + len(need.name) + 2 <= WIDTH:
            new = import_line(node, with_name(node.names, need.name))
            lines[node.lineno - 1] = body[: node.col_offset] + new + line[len(body) :]
            return True
    return False


def _leading(function: FunctionNode) -> list[ast.stmt]:
    """The docstring and the imports that the body begins with."""
    found: list[ast.stmt] = []
    for statement in function.body:
        docstring = not found and ast.get_docstring(function, clean=False) is not None
        if not docstring and not isinstance(statement, ast.Import | ast.ImportFrom):
            break
        found.append(statement)
    return found


def _shares(leading: list[ast.stmt], lines: list[str]) -> bool:
    """Whether something stands behind the last of them on its line."""
    return bool(leading) and ";" in lines[(leading[-1].end_lineno or 0) - 1].partition("#")[0]


def _header_end(function: FunctionNode, lines: list[str]) -> int:
    """The last line of the `def`, above the comments and blank lines that may part it from its body."""
    first = function.body[0]
    decorators = first.decorator_list if isinstance(first, FunctionNode | ast.ClassDef) else []
    line = min([first.lineno, *(d.lineno for d in decorators)]) - 1
    while line > function.lineno and (not lines[line - 1].strip() or lines[line - 1].lstrip().startswith("#")):
        line -= 1
    return line
