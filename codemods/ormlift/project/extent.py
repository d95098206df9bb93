"""The statements that a block must hold so that everything that uses a variable stands inside it."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ormlift.model import Reason
from ormlift.syntax import FunctionNode, Module, walk_scope


@dataclass(frozen=True)
class Extent:
    """The siblings behind an assignment, up to the last that uses the variable or what was made with it."""

    body: tuple[ast.stmt, ...]

    @property
    def end_line(self) -> int:
        """The last line."""
        return max(s.end_lineno or s.lineno for s in self.body)


def extent_of(module: Module, assign: ast.stmt, name: str) -> Extent | Reason:
    """The extent of `name` behind its one assignment, or what keeps it from being one block."""
    function = module.enclosing_function(assign) or module.tree
    suite = module.suite(assign)
    rest = suite[next(i for i, s in enumerate(suite) if s is assign) + 1 :]
    problem = _stray(module, function, assign, name, rest)
    if problem is not None:
        return problem
    last = max((i for i, s in enumerate(rest) if _mentions(s, {name})), default=-1)
    if last < 0:
        return Reason("never-used", f"nothing uses {name}; remove the line")
    last = _with_what_it_made(rest, last, name)
    return Extent(tuple(rest[: last + 1]))


def _stray(
    module: Module, function: FunctionNode | ast.Module, assign: ast.stmt, name: str, rest: list[ast.stmt]
) -> Reason | None:
    """A mention of the variable that a block behind the assignment would not hold."""
    inside = {id(n) for s in rest for n in ast.walk(s)}
    for node in ast.walk(function):
        if isinstance(node, ast.Global | ast.Nonlocal) and name in node.names:
            return Reason("used-elsewhere", f"line {node.lineno} shares {name} with others; use a variable of its own")
        if not (isinstance(node, ast.Name) and node.id == name) or module.statement(node) is assign:
            continue
        if isinstance(node.ctx, ast.Store):
            if _empties(module, node) and id(node) not in inside:
                continue
            return Reason("bound-again", f"line {node.lineno} binds {name} as well; use another name there")
        if id(node) not in inside:
            text = f"line {node.lineno} uses {name} outside of the statements that follow line {assign.lineno}"
            return Reason("used-elsewhere", f"{text}; move it behind them")
    for node in [n for s in rest for n in (s, *walk_scope(s))]:
        if isinstance(node, FunctionNode | ast.Lambda) and _mentions(node, {name}):
            text = f"a nested function on line {node.lineno} uses {name} and may run after the block"
            return Reason("captured", f"{text}; pass it as an argument")
    return None


def _empties(module: Module, node: ast.Name) -> bool:
    parent = module.parents[node]
    value = parent.value if isinstance(parent, ast.Assign | ast.AnnAssign) else None
    return isinstance(value, ast.Constant) and value.value is None


def _mentions(node: ast.AST, names: set[str]) -> bool:
    return any(isinstance(n, ast.Name) and n.id in names for n in ast.walk(node))


def _with_what_it_made(rest: list[ast.stmt], last: int, name: str) -> int:
    """The index of the last statement that uses what was made with the variable: results, instances."""
    made = {name}
    while True:
        before = last
        for statement in rest[: last + 1]:
            made |= _bound_from(statement, made)
        last = max(i for i, s in enumerate(rest) if i <= last or _mentions(s, made))
        if last == before:
            return last


def _bound_from(statement: ast.stmt, made: set[str]) -> set[str]:
    """The names that a statement binds from what was made."""
    found: set[str] = set()
    for node in (statement, *walk_scope(statement)):
        match node:
            case ast.Assign(targets=targets, value=value) if _mentions(value, made):
                found |= {n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=bound), value=ast.expr() as value) if _mentions(value, made):
                found.add(bound)
            case ast.For(target=target, iter=value) | ast.AsyncFor(target=target, iter=value):
                if _mentions(value, made):
                    found |= {n.id for n in ast.walk(target) if isinstance(n, ast.Name)}
            case _:
                pass
    return found
