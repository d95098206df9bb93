"""Which calls reach a function of the same file that may write to a database."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from ormlift.syntax import FunctionNode, Module, dotted

_WRITES = frozenset(["execute", "executemany", "executescript", "commit", "flush", "add", "add_all", "merge", "delete"])


def writing_calls(body: Sequence[ast.stmt], module: Module) -> Iterator[ast.Call]:
    """The calls in some statements of functions and methods of the file that may write."""
    functions = [f for f in module.definitions if isinstance(f, FunctionNode)]
    for call in (n for s in body for n in ast.walk(s) if isinstance(n, ast.Call)):
        if _writes(call, functions, frozenset()):
            yield call


def _writes(call: ast.Call, functions: Sequence[FunctionNode], seen: frozenset[str]) -> bool:
    owner, _, name = dotted(call.func).rpartition(".")
    if not name or name in seen or owner not in ("", "self", "cls"):
        return False
    inner = [n for f in functions if f.name == name for n in ast.walk(f) if isinstance(n, ast.Call)]
    return any(_is_write(n) or _writes(n, functions, seen | {name}) for n in inner)


def executes_write(node: ast.AST, host: ast.AST) -> bool:
    """Whether a call in a function executes what may write: no SELECT that is written out there."""
    match node:
        case ast.Call(func=ast.Attribute(attr="execute" | "executemany"), args=[ast.Name(id=name), *_]):
            given = [n.value for n in ast.walk(host) if isinstance(n, ast.Assign) and _names(n, name)]
            return not given or not all(_is_select(value) for value in given)
        case ast.Call(func=ast.Attribute(attr="execute" | "executemany" | "executescript"), args=[first, *_]):
            return not _is_select(first)
        case _:
            return False


def _names(statement: ast.Assign, name: str) -> bool:
    return any(isinstance(n, ast.Name) and n.id == name for t in statement.targets for n in ast.walk(t))


def _is_select(node: ast.expr) -> bool:
    """Whether a text begins with SELECT."""
    match node:
        case ast.Constant(value=str(text)):
            return text.lstrip().lower().startswith("select")
        case ast.JoinedStr(values=[first, *_]) | ast.BinOp(left=first, op=ast.Add() | ast.Mod()):
            return _is_select(first)
        case ast.Call(func=ast.Attribute(value=first, attr="format" | "strip")):
            return _is_select(first)
        case _:
            return False


def _is_write(call: ast.Call) -> bool:
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in _WRITES:
        return False
    first = call.args[0] if call.args else None
    if isinstance(first, ast.Call) and first.args:  # text("..")
        first = first.args[0]
    reads = isinstance(first, ast.Constant) and str(first.value).lstrip().lower().startswith("select")
    return not reads and not (call.func.attr == "add" and isinstance(first, ast.Constant))
