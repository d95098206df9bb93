"""Imports that the new text needs, and imports that nothing uses any more.

Both are edits of whole lines in the block of imports at the top of the file; nothing else is touched.
"""

from __future__ import annotations

import ast
import math
import sys
from collections.abc import Sequence

from ormlift.edit.errors import LayoutError
from ormlift.edit.inside import add_inside
from ormlift.edit.lines import WIDTH, import_line, is_plain, with_name
from ormlift.model import ImportNeed, Source
from ormlift.project.late import is_from
from ormlift.syntax import Module, dotted, import_targets


def edit_imports(
    lines: list[str],
    origin: Sequence[int | None],
    needs: Sequence[ImportNeed],
    unused: Sequence[str],
    newline: str,
    path: str,
) -> tuple[str, tuple[int | None, ...]]:
    """Add what is needed, then remove what is unused. Returns the text and its line origins. Raises LayoutError.

    In this order, so that an import that is replaced gives its place to the new one.
    """
    text = _Text(lines, list(origin), path)
    for need in needs:
        _add(text, need, newline)
    for name in unused:
        _remove(text, name)
        while _remove_local(text, name):
            pass
    return "".join(text.lines), tuple(text.where)


class _Text:
    """Lines and where they come from; parsed anew only where they have changed."""

    def __init__(self, lines: list[str], where: list[int | None], path: str) -> None:
        self.lines = lines
        self.path = path
        self.where = where
        self._parsed: Module | None = None

    @property
    def module(self) -> Module:
        """The lines, parsed. Raises LayoutError."""
        if self._parsed is None:
            try:
                self._parsed = Module.parse(Source(self.path, "".join(self.lines)))
            except SyntaxError as error:
                message = f"the new text does not parse: {error.msg}"
                raise LayoutError(message) from error
        return self._parsed

    def changed(self) -> None:
        """The lines are others now."""
        self._parsed = None


def _imports(module: Module) -> list[ast.Import | ast.ImportFrom]:
    return [*module.nodes(ast.Import), *module.nodes(ast.ImportFrom)]


def _remove(text: _Text, name: str) -> None:
    """Take `name` out of the import that binds it, if nothing in the file uses it and the import is a plain line."""
    module = text.module
    if _is_used(module, name):
        return
    bindings = [n for n in _imports(module) if name in import_targets(n)]
    if len(bindings) != 1 or bindings[0] not in module.tree.body:
        return
    _take_out(text, bindings[0], name)


def _remove_local(text: _Text, name: str) -> bool:
    """The same for one import inside a function that was edited, if nothing in the function uses the name any more."""
    module = text.module
    for node in _imports(module):
        function = module.enclosing_function(node)
        if function is None or name not in import_targets(node):
            continue
        edited = None in text.where[function.lineno - 1 : function.end_lineno]
        used = any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(function))
        if edited and not used and len(module.suite(node)) > 1 and _take_out(text, node, name):
            return True
    return False


def _take_out(text: _Text, node: ast.Import | ast.ImportFrom, name: str) -> bool:
    """Take `name` out of an import, the line with it if it was all; false where the import is no plain line."""
    lines = text.lines
    line = lines[node.lineno - 1]
    if node.lineno != node.end_lineno or "#" in line or ";" in line or "\\" in line or line[: node.col_offset].strip():
        return False
    rest = [alias for alias in node.names if (alias.asname or alias.name.split(".")[0]) != name]
    if rest:
        ending = line[len(line.rstrip("\r\n")) :]
        lines[node.lineno - 1] = line[: node.col_offset] + import_line(node, rest) + ending
    else:
        del lines[node.lineno - 1], text.where[node.lineno - 1]
    text.changed()
    return True


def _is_used(module: Module, name: str) -> bool:
    if any(node.id == name for node in module.nodes(ast.Name)):
        return True
    texts = (node.value for node in module.nodes(ast.Constant) if isinstance(node.value, str))
    if any(name in text and name in text.split() for text in texts):
        return True  # in __all__, or in an annotation that is a string
    declared: list[ast.Global | ast.Nonlocal] = [*module.nodes(ast.Global), *module.nodes(ast.Nonlocal)]
    return any(name in node.names for node in declared)


def _add(text: _Text, need: ImportNeed, newline: str) -> None:
    module, lines = text.module, text.lines
    if need.inside:
        add_inside(lines, text.where, module, need, newline)
        text.changed()
        return
    if _is_bound(module, need):
        return
    text.changed()
    if need.beside:
        _add_beside(text, module, need, newline)
        return
    if need.name and _extend(lines, module, need):
        return
    line = f"from {need.module} import {need.name}" if need.name else f"import {need.module}"
    at = _place(module, need)
    if at and lines and not lines[at - 1].endswith(("\n", "\r")):
        lines[at - 1] += newline
    lines.insert(at, line + newline)
    text.where.insert(at, None)


def _add_beside(text: _Text, module: Module, need: ImportNeed, newline: str) -> None:
    """Add the name to the import in a function that is named by its line, or behind it."""
    at = text.where.index(need.beside) + 1 if need.beside in text.where else 0
    node = next((n for n in _imports(module) if n.lineno == at), None)
    name = need.name or need.module.split(".")[0]
    if node is None:
        message = f"the import on line {need.beside} is gone"
        raise LayoutError(message)
    if any(name in import_targets(s) for s in module.suite(node)):
        return
    line = text.lines[at - 1]
    indent, alike = line[: node.col_offset], is_from(node, need, module.source.path)
    if alike and isinstance(node, ast.ImportFrom) and is_plain(node, line) and need.name:
        ending = line[len(line.rstrip("\r\n")) :]
        text.lines[at - 1] = indent + import_line(node, with_name(node.names, need.name)) + ending
        return
    home = "." * node.level + (node.module or "") if alike and isinstance(node, ast.ImportFrom) else need.module
    added = f"from {home} import {need.name}" if need.name else f"import {need.module}"
    end = node.end_lineno or node.lineno
    text.lines.insert(end, indent + added + newline)
    text.where.insert(end, None)


def _is_bound(module: Module, need: ImportNeed) -> bool:
    name = need.name or need.module.split(".")[0]
    bound = module.imports.get(name)
    taken = bound is not None and need.name and bound != f"{need.module}.{need.name}"
    if taken or name in _defined(module.tree):
        message = f"the name {name} is bound to something else in this file"
        raise LayoutError(message)
    return bound is not None and name not in module.typing_imports


def _defined(tree: ast.Module) -> set[str]:
    """The names that the file defines itself at module level, by def, class or a plain assignment."""
    names: set[str] = set()
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.Assign(targets=targets):
                names.update(target.id for target in targets if isinstance(target, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                names.add(name)
    return names


def _top(module: Module, node: ast.AST) -> ast.stmt:
    """The top-level statement that holds a node."""
    *_, top, _ = (node, *module.ancestors(node))
    assert isinstance(top, ast.stmt)
    return top


def _extend(lines: list[str], module: Module, need: ImportNeed) -> bool:
    """Add the name to a one-line from-import of the same module, where it fits; sorted where the names there are."""
    for node in module.tree.body:
        if not isinstance(node, ast.ImportFrom) or not is_from(node, need, module.source.path):
            continue
        if node.lineno >= _first_use(module, need):
            break
        line = lines[node.lineno - 1]
        body = line.rstrip("\r\n")
        if is_plain(node, body) and len(body) + len(need.name) + 2 <= WIDTH:
            lines[node.lineno - 1] = import_line(node, with_name(node.names, need.name)) + line[len(body) :]
            return True
    return False


def _place(module: Module, need: ImportNeed) -> int:
    """How many lines stand above the new import: behind the nearest import of the same package, or its group's last."""
    tree, limit = module.tree, _first_use(module, need)
    block = [n for n in _import_block(tree) if n.lineno < limit]
    package = need.module.split(".")[0]
    near = [n for n in block if package in {t.split(".")[0] for t in import_targets(n).values()}]
    behind = near or (_before_own_code(block) if package == "sqlalchemy" else []) or block
    if behind:
        line = behind[-1].end_lineno or behind[-1].lineno
        return line if near or package == "sqlalchemy" else max(line, _path_set(tree, limit))
    first = tree.body[0] if tree.body else None
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return first.end_lineno or first.lineno
    return first.lineno - 1 if first else 0


def _path_set(tree: ast.Module, limit: float) -> int:
    """The last line before `limit` on which the file changes where modules are found; 0 where it does not."""
    lines = [0]
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or node.lineno >= limit:
            break
        if any(isinstance(n, ast.Attribute) and dotted(n) == "sys.path" for n in ast.walk(node)):
            lines.append(node.end_lineno or node.lineno)
    return lines[-1]


def _first_use(module: Module, need: ImportNeed) -> float:
    """The line of the first statement that uses the name when the module is run; infinity where only functions do."""
    name = need.name or need.module.split(".")[0]
    later = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Import, ast.ImportFrom)
    tops = (_top(module, node) for node in module.nodes(ast.Name) if node.id == name)
    return min((top.lineno for top in tops if not isinstance(top, later)), default=math.inf)


def _before_own_code(block: Sequence[ast.stmt]) -> list[ast.stmt]:
    """The imports above the last group, if blank lines part them into groups of which some is behind the library's."""
    starts = [i for i in range(1, len(block)) if block[i].lineno > (block[i - 1].end_lineno or 0) + 1]
    for start in starts:
        earlier = {t.split(".")[0] for n in block[:start] for t in import_targets(n).values()}
        if earlier - sys.stdlib_module_names:  # a group of third parties stands above
            return list(block[:start])
    return []


def _import_block(tree: ast.Module) -> list[ast.stmt]:
    """The top-level imports before the first def or class; later ones may stand behind code that needs them."""
    block: list[ast.stmt] = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            break
        if isinstance(node, ast.Import | ast.ImportFrom):
            block.append(node)
    return block
