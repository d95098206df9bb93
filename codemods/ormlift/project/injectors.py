"""Decorators that open a connection and hand it, or a cursor of it, to the function that they decorate."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ormlift.project.sessions import Definitions
from ormlift.syntax import FunctionNode, dotted, every_node

_OPENS = re.compile(r"conn|database|db", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Injector:
    """One decorator, and what it passes."""

    name: str
    line: int
    passes: tuple[tuple[str | int, bool], ...]  # a keyword or a position, and whether it is a cursor
    made: str = ""  # the calls that make the connections and cursors, as source text


def read_injectors(definitions: Definitions) -> Iterator[Injector]:
    """The decorators of a file that hand in connections."""
    for definition in definitions.functions:
        taken = {a.arg for a in definition.node.args.args} if not definition.owner else set()
        for inner in every_node(definition.node) if taken else ():
            if isinstance(inner, FunctionNode) and inner is not definition.node:
                passes = tuple(_passes(inner, taken))
                if passes:
                    yield Injector(definition.node.name, definition.node.lineno, passes, _made(inner))
                    break


def _passes(wrapper: FunctionNode, taken: set[str]) -> Iterator[tuple[str | int, bool]]:
    opened, cursors = _bound(wrapper)
    for node in every_node(wrapper):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id not in taken:
            continue
        given: list[tuple[str | int, ast.expr]] = [(k.arg, k.value) for k in node.keywords if k.arg]
        own = 1 if node.args and dotted(node.args[0]) == "self" else 0  # counted behind self, as methods are called
        given += [
            (n - own, a) for n, a in enumerate(node.args) if not any(isinstance(b, ast.Starred) for b in node.args[:n])
        ]
        for key, value in given:
            if isinstance(value, ast.Name) and value.id in (*opened, *cursors):
                yield key, value.id in cursors


def _made(wrapper: FunctionNode) -> str:
    names = set().union(*_bound(wrapper))
    return "\n".join(ast.unparse(call) for name, call in _calls(wrapper).items() if name in names)


def _bound(wrapper: FunctionNode) -> tuple[set[str], set[str]]:
    """The names that a wrapper binds to connections and to their cursors."""
    names = {name: dotted(call.func) for name, call in _calls(wrapper).items()}
    opened = {name for name, said in names.items() if _OPENS.search(said.rpartition(".")[2])}
    return opened, {name for name, said in names.items() if said in {f"{o}.cursor" for o in opened}}


def _calls(wrapper: FunctionNode) -> dict[str, ast.Call]:
    """The names that a wrapper binds to what calls give."""
    calls: dict[str, ast.Call] = {}
    for node in every_node(wrapper):
        match node:
            case (
                ast.withitem(context_expr=ast.Call() as call, optional_vars=ast.Name(id=name))
                | ast.Assign(targets=[ast.Name(id=name)], value=ast.Call() as call)
            ):
                calls[name] = call
            case _:
                pass
    return calls
