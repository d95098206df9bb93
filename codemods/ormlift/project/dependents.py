"""Who is handed a session by FastAPI's `Depends`, and whether it commits: read in one file, asked for in another."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ormlift.project.injected import injected
from ormlift.syntax import FunctionNode, Module, dotted, every_node

NEEDLE = "Depends("
_WRITES = frozenset({"add", "add_all", "delete", "merge", "bulk_save_objects", "bulk_insert_mappings"})
_RUNS = frozenset({"execute", "scalar", "scalars"})
_CHANGES = re.compile(r"\s*(insert|update|delete|replace)\b", re.I)
LOOKS = frozenset({"isinstance", "type", "id", "repr", "str", "print", "bool", "hasattr"})


@dataclass(frozen=True, slots=True)
class Dependent:
    """One function, and the parameter that FastAPI fills."""

    name: str
    line: int
    dependency: str  # dotted, as written
    target: str  # what an import binds its first name to; empty: it is of this file
    writes: int = 0  # the first line that adds to the session, deletes from it, or runs DML; 0: none
    commits: bool = False  # somewhere in it something commits, or it rolls back on purpose
    hands_on: bool = False  # the session goes to code that is not looked into
    yields: bool = False  # it is a dependency itself, with code that runs behind the route


def read_dependents(module: Module) -> Iterator[Dependent]:
    """All of a file."""
    for node in module.parents:
        if isinstance(node, FunctionNode):
            for parameter, given in injected(node):
                if name := dotted(given):
                    yield _dependent(module, node, parameter, name)


def _dependent(module: Module, function: FunctionNode, parameter: str, dependency: str) -> Dependent:
    head = dotted(ast.parse(dependency, mode="eval").body).partition(".")[0]
    body = every_node(*function.body)
    calls = [n for n in body if isinstance(n, ast.Call)]
    names = [n for n in body if isinstance(n, ast.Name) and n.id == parameter]
    lines = [c.lineno for c in calls if writes(c, parameter)]
    return Dependent(
        function.name,
        function.lineno,
        dependency,
        module.imports.get(head, ""),
        min(lines, default=0),
        any(isinstance(c.func, ast.Attribute) and c.func.attr in ("commit", "begin") for c in calls)
        or any(discards(module, c, parameter) for c in calls),
        any(_leaves(module, n) for n in names),
        any(isinstance(n, ast.Yield) for n in body),
    )


def discards(module: Module, call: ast.Call, session: str) -> bool:
    """Whether this is a rollback that no error led to: what was written is not to be stored."""
    if dotted(call.func) != f"{session}.rollback":
        return False
    return not any(isinstance(p, ast.ExceptHandler) for p in module.ancestors(call))


def writes(call: ast.Call, session: str) -> bool:
    """Whether a call adds to a session, deletes from it, or runs DML in it."""
    func = call.func
    if not isinstance(func, ast.Attribute):
        return False
    receiver = func.value
    if func.attr in _WRITES:
        return dotted(receiver) == session
    if func.attr in _RUNS and dotted(receiver) == session and call.args:
        return _is_dml(call.args[0])
    return func.attr in ("delete", "update") and _is_query(receiver, session)


def _is_dml(node: ast.expr) -> bool:
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        node = node.func.value
    if isinstance(node, ast.Call) and dotted(node.func) in ("insert", "update", "delete"):
        return True
    text = node.args[0] if isinstance(node, ast.Call) and dotted(node.func) == "text" and node.args else None
    return isinstance(text, ast.Constant) and isinstance(text.value, str) and _CHANGES.match(text.value) is not None


def _is_query(node: ast.expr, session: str) -> bool:
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr == "query":
            return dotted(node.func.value) == session
        node = node.func.value
    return False


def _leaves(module: Module, name: ast.Name) -> bool:
    """Whether the session is handed to other code, kept or returned."""
    parent = module.parents[name]
    call = module.parents[parent] if isinstance(parent, ast.keyword) else parent
    if isinstance(call, ast.Call) and call.func is not name:
        return dotted(call.func) not in LOOKS
    return not isinstance(parent, ast.Attribute | ast.If | ast.UnaryOp | ast.Compare | ast.BoolOp)
