"""Who catches a driver's errors by name: `except`, `suppress(..)`, `pytest.raises(..)`, and around what."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ormlift.syntax import FunctionNode, Module, dotted

DRIVER_MODULES = frozenset({"sqlite3", "psycopg2", "psycopg", "pymysql", "MySQLdb", "mysql", "aiosqlite", "asyncpg"})
MAY_CATCH = re.compile(r"except\b[^\n:]*(?:Error|Warning|Exception|[A-Z_]{3})|\b(?:suppress|raises|assertRaises\w*)\(")
_GUARDS = frozenset(["suppress", "raises", "assertRaises", "assertRaisesRegex"])
_USUAL = frozenset(
    [
        "get", "pop", "add", "update", "keys", "items", "values", "close", "execute", "append", "insert", "remove",
        "copy", "commit", "read", "write", "open", "run", "save", "delete", "find", "count", "index", "clear", "join",
    ]
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Caught:
    """One place that names a driver's errors, and what it guards."""

    node: ast.AST
    line: int
    guarded: tuple[ast.AST, ...]

    @property
    def called(self) -> frozenset[str]:
        """The bare names of what it calls, and of what a guard is handed to call."""
        inside = [n for g in self.guarded for n in ast.walk(g)]
        handed = [g for g in self.guarded if isinstance(g, ast.Name | ast.Attribute)]
        called = [n.func for n in inside if isinstance(n, ast.Call)]
        return frozenset(map(_bare, (*called, *handed))) - {""}


def _bare(node: ast.expr) -> str:
    """`put` of `Store().put`."""
    return node.attr if isinstance(node, ast.Attribute) else dotted(node)


def caught(module: Module) -> Iterator[Caught]:
    """All places of a file that name a driver's errors."""
    if not MAY_CATCH.search(module.source.text):
        return
    for node in module.nodes(ast.Try):
        for handler in node.handlers:
            named = handler.type is not None and names_driver(handler.type, module)
            if named or _asks(handler, module):
                yield Caught(handler, handler.lineno, tuple(node.body))
                break
    for call in module.calls:
        if dotted(call.func).rpartition(".")[2] in _GUARDS and any(names_driver(a, module) for a in call.args):
            item = module.parents[call]
            around = module.parents[item] if isinstance(item, ast.withitem) else None
            held = around.body if isinstance(around, ast.With | ast.AsyncWith) else call.args[1:]
            yield Caught(call, call.lineno, tuple(held))


def _asks(handler: ast.ExceptHandler, module: Module) -> bool:
    """Whether a handler asks if what it caught is a driver's: `isinstance(error, sqlite3.IntegrityError)`."""
    inside = (n for s in handler.body for n in ast.walk(s))
    calls = (n for n in inside if isinstance(n, ast.Call) and dotted(n.func) == "isinstance" and len(n.args) == 2)
    return any(names_driver(call.args[1], module) for call in calls)


def names_driver(expression: ast.expr, module: Module, depth: int = 2) -> bool:
    """Whether an expression names an error of a driver, or a constant of the file does that it names."""
    for node in expression.elts if isinstance(expression, ast.Tuple | ast.List) else [expression]:
        head = dotted(node).partition(".")[0]
        if module.imports.get(head, "").partition(".")[0] in DRIVER_MODULES:
            return True
        if (
            isinstance(node, ast.Name)
            and depth
            and any(names_driver(v, module, depth - 1) for v in _values(node, module))
        ):
            return True
    return False


def _values(name: ast.Name, module: Module) -> Iterator[ast.expr]:
    for statement in module.tree.body:
        if isinstance(statement, ast.Assign) and any(dotted(t) == name.id for t in statement.targets):
            yield statement.value


def reaching(function: FunctionNode, module: Module) -> frozenset[str]:
    """The names of the functions of the file that may lead to one, itself included."""
    found = {function.name: module.enclosing_class(function) is not None}
    functions: list[FunctionNode] = [*module.nodes(ast.FunctionDef), *module.nodes(ast.AsyncFunctionDef)]
    while True:
        new = {
            f.name: module.enclosing_class(f) is not None
            for f in functions
            if f is not function
            and f.name not in found
            and any(mentions(n, found) for s in f.body for n in ast.walk(s))
        }
        if not new:
            return frozenset(found)
        found |= new


def mentions(node: ast.AST, names: dict[str, bool] | Iterable[str]) -> bool:
    """Whether a node names one of some functions; with each, whether it is a method."""
    known = names if isinstance(names, dict) else dict.fromkeys(names, False)
    match node:
        case ast.Name(id=name):
            return known.get(name) is False
        case ast.Attribute(value=value, attr=name):
            return known.get(name) is True and (name not in _USUAL or dotted(value) in ("self", "cls"))
        case _:
            return False
