"""Imports that the new text needs, and imports that nothing uses any more.

Both are edits of whole lines in the block of imports at the top of the file; nothing else is touched.
"""

from __future__ import annotations

import ast
import math
import sys
from collections.abc import Sequence

from ormlift.edit.errors import LayoutError
from ormlift.model import ImportNeed, Source
from ormlift.syntax import Module, dotted, import_targets

_WIDTH = 120  # a from-import is extended up to this many columns, as long as most projects allow


def edit_imports(
    lines: list[str],
    origin: Sequence[int | None],
    needs: Sequence[ImportNeed],
    unused: Sequence[str],
    newline: str,
) -> tuple[str, tuple[int | None, ...]]:
    """Add what is needed, then remove what is unused. Returns the text and its line origins. Raises LayoutError.

    In this order, so that an import that is replaced gives its place to the new one.
    """
    where = list(origin)
    for need in needs:
        _add(lines, where, need, newline)
    for name in unused:
        _remove(lines, where, name)
        while _remove_local(lines, where, name):
            pass
    return "".join(lines), tuple(where)


def _parse(lines: list[str]) -> Module:
    try:
        return Module.parse(Source("", "".join(lines)))
    except SyntaxError as error:
        message = f"the new text does not parse: {error.msg}"
        raise LayoutError(message) from error


def _remove(lines: list[str], where: list[int | None], name: str) -> None:
    """Take `name` out of the import that binds it, if nothing in the file uses it and the import is a plain line."""
    module = _parse(lines)
    if _is_used(module.tree, name):
        return
    bindings = [n for n in ast.walk(module.tree) if isinstance(n, ast.stmt) and name in import_targets(n)]
    if len(bindings) != 1 or bindings[0] not in module.tree.body:
        return
    _take_out(lines, where, bindings[0], name)


def _remove_local(lines: list[str], where: list[int | None], name: str) -> bool:
    """The same for one import inside a function that was edited, if nothing in the function uses the name any more."""
    module = _parse(lines)
    for node in module.nodes(ast.Import, ast.ImportFrom):
        function = module.enclosing_function(node)
        if function is None or name not in import_targets(node):
            continue
        edited = None in where[function.lineno - 1 : function.end_lineno]
        used = any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(function))
        assert isinstance(node, ast.stmt)
        if edited and not used and len(module.suite(node)) > 1 and _take_out(lines, where, node, name):
            return True
    return False


def _take_out(lines: list[str], where: list[int | None], node: ast.stmt, name: str) -> bool:
    """Take `name` out of an import, the line with it if it was all; false where the import is no plain line."""
    assert isinstance(node, ast.Import | ast.ImportFrom)
    line = lines[node.lineno - 1]
    if node.lineno != node.end_lineno or "#" in line or ";" in line or "\\" in line or line[: node.col_offset].strip():
        return False
    rest = [alias for alias in node.names if (alias.asname or alias.name.split(".")[0]) != name]
    if rest:
        ending = line[len(line.rstrip("\r\n")) :]
        lines[node.lineno - 1] = line[: node.col_offset] + _import_line(node, rest) + ending
    else:
        del lines[node.lineno - 1], where[node.lineno - 1]
    return True


def _is_used(tree: ast.Module, name: str) -> bool:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == name:
            return True
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and name in node.value.split():
            return True  # in __all__, or in an annotation that is a string
        if isinstance(node, ast.Global | ast.Nonlocal) and name in node.names:
            return True
    return False


def _import_line(node: ast.Import | ast.ImportFrom, names: Sequence[ast.alias]) -> str:
    listed = ", ".join(f"{a.name} as {a.asname}" if a.asname else a.name for a in names)
    if isinstance(node, ast.Import):
        return f"import {listed}"
    return f"from {'.' * node.level}{node.module or ''} import {listed}"


def _add(lines: list[str], where: list[int | None], need: ImportNeed, newline: str) -> None:
    module = _parse(lines)
    if _is_bound(module, need):
        return
    if need.name and _extend(lines, module.tree, need):
        return
    text = f"from {need.module} import {need.name}" if need.name else f"import {need.module}"
    at = _place(module.tree, need)
    if at and lines and not lines[at - 1].endswith(("\n", "\r")):
        lines[at - 1] += newline
    lines.insert(at, text + newline)
    where.insert(at, None)


def _is_bound(module: Module, need: ImportNeed) -> bool:
    name = need.name or need.module.split(".")[0]
    bound = module.imports.get(name)
    taken = bound is not None and need.name and bound != f"{need.module}.{need.name}"
    if taken or name in _defined(module.tree):
        message = f"the name {name} is bound to something else in this file"
        raise LayoutError(message)
    return bound is not None and name not in _typing_only(module.tree)


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


def _typing_only(tree: ast.Module) -> set[str]:
    """The names that only an `if TYPE_CHECKING:` imports: when the program runs they are not bound."""
    inside: set[str] = set()
    outside: set[str] = set()
    for node in tree.body:
        guarded = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        statements = [node, *(s for s in ast.walk(node) if isinstance(s, ast.stmt))]
        for name in (n for s in statements for n in import_targets(s)):
            (inside if guarded else outside).add(name)
    return inside - outside


def _extend(lines: list[str], tree: ast.Module, need: ImportNeed) -> bool:
    """Add the name to a one-line from-import of the same module, where it fits; sorted where the names there are."""
    for node in tree.body:
        if not isinstance(node, ast.ImportFrom) or node.level or node.module != need.module:
            continue
        if node.lineno >= _first_use(tree, need):
            break
        line = lines[node.lineno - 1]
        body = line.rstrip("\r\n")
        plain = node.lineno == node.end_lineno and not set("#;\\(*") & set(body)
        if plain and len(body) + len(need.name) + 2 <= _WIDTH:
            lines[node.lineno - 1] = _import_line(node, _with_name(node.names, need.name)) + line[len(body) :]
            return True
    return False


def _with_name(names: Sequence[ast.alias], name: str) -> list[ast.alias]:
    """The names of an import and one more."""
    for order in (str, str.lower):
        if len(names) > 1 and [order(a.name) for a in names] == sorted(order(a.name) for a in names):
            return sorted([*names, ast.alias(name)], key=lambda a: order(a.name))
    return [*names, ast.alias(name)]


def _place(tree: ast.Module, need: ImportNeed) -> int:
    """How many lines stand above the new import: behind the nearest import of the same package, or its group's last."""
    limit = _first_use(tree, need)
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


def _first_use(tree: ast.Module, need: ImportNeed) -> float:
    """The line of the first statement that uses the name when the module is run; infinity where only functions do."""
    name = need.name or need.module.split(".")[0]
    for statement in tree.body:
        later = isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.Import | ast.ImportFrom)
        if not later and any(isinstance(n, ast.Name) and n.id == name for n in ast.walk(statement)):
            return statement.lineno
    return math.inf


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
