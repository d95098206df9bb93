"""What of a helper's body, or of what a call passes it, would come out otherwise where the call stands."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence

from ormlift.rules._cursor_to_orm.fold import NotPlain
from ormlift.syntax import FunctionNode, Module, dotted

_FRAMES = frozenset(["stack", "currentframe", "_getframe", "print_stack", "format_stack", "extract_stack"])
_SPACES = frozenset(["locals", "vars", "dir", "eval", "exec"])
_DRIVERS = frozenset(["execute", "executemany", "cursor", "commit", "rollback", "close", "connect"])
_QUIET = frozenset(["commit", "close"])


def check_evaluation(body: Sequence[ast.stmt], given: Mapping[str, ast.expr]) -> None:
    """Raise NotPlain where what is passed may raise, and the body may not evaluate it, or only behind what is seen."""
    for name in (name for name, node in given.items() if may_raise(node)):
        if not any(name in always for always in _before_acts(body)):
            message = f"what it is given as {name} may raise an error, and is not evaluated first"
            raise NotPlain(message)


def may_raise(node: ast.expr) -> bool:
    """Whether an expression is more than names, attributes and literals of such."""
    plain = (
        ast.Name, ast.Constant, ast.Attribute, ast.Tuple, ast.List, ast.Dict, ast.Set,
    )  # fmt: skip
    match node:
        case ast.Lambda():
            return False
        case ast.UnaryOp(operand=operand):
            return may_raise(operand)
    inner = [n for n in ast.iter_child_nodes(node) if isinstance(n, ast.expr)]
    return not isinstance(node, plain) or any(map(may_raise, inner))


def _before_acts(body: Sequence[ast.stmt]) -> Iterator[set[str]]:
    """The names that the body evaluates whatever happens, up to the first statement that others may see."""
    for statement in body:
        yield set(_surely(statement))
        if isinstance(statement, ast.With | ast.Try):
            yield from _before_acts(statement.body)
            return
        if not _is_of_driver(statement):
            return


def _is_of_driver(statement: ast.stmt) -> bool:
    """Whether a statement gives a name a value, or is a call on the connection or cursor."""
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr=attr))):
            return attr in _DRIVERS
        case ast.Assign() | ast.AnnAssign():
            return True
    return False


def _surely(node: ast.AST) -> Iterator[str]:
    """The names that a node loads whenever it is evaluated."""
    match node:
        case ast.Name(id=name, ctx=ast.Load()):
            yield name
        case ast.IfExp(test=first) | ast.If(test=first) | ast.For(iter=first) | ast.BoolOp(values=[first, *_]):
            yield from _surely(first)
        case ast.ListComp(generators=[first, *_]) | ast.SetComp(generators=[first, *_]):
            yield from _surely(first.iter)
        case ast.DictComp(generators=[first, *_]) | ast.GeneratorExp(generators=[first, *_]):
            yield from _surely(first.iter)
        case ast.With(items=items):
            for item in items:
                yield from _surely(item.context_expr)
        case ast.Lambda() | ast.Try() | ast.While():
            return
        case _:
            for child in ast.iter_child_nodes(node):
                yield from _surely(child)


def check_place(body: Sequence[ast.stmt], around: ast.AST) -> None:
    """Raise NotPlain where the body, or the function that the call stands in, asks where it stands."""
    for node in (n for s in body for n in ast.walk(s)):
        is_own = isinstance(node, ast.Name) and node.id.startswith("__") and not node.id.startswith("__ormlift")
        if is_own or (isinstance(node, ast.Attribute) and node.attr in _FRAMES):
            message = "it asks where it stands"
            raise NotPlain(message)
    for call in (n for n in ast.walk(around) if isinstance(n, ast.Call)):
        if isinstance(around, FunctionNode) and dotted(call.func) in _SPACES and not call.args:
            message = f"line {call.lineno} sees all names of the function around the call"
            raise NotPlain(message)


def is_seen_early(name: str, body: Sequence[ast.stmt], call: ast.Call, module: Module, target: str) -> bool:
    """Whether an error behind the assignment of the body's variable would show that it is the call's target."""
    around = list(module.ancestors(call))
    host = next((n for n in around if isinstance(n, FunctionNode)), None)
    inside = around[: around.index(host)] if host is not None else around
    shared = any(target in n.names for n in module.nodes(ast.Global)) or any(
        target in n.names for n in module.nodes(ast.Nonlocal)
    )
    caught = any(isinstance(n, ast.Try | ast.With | ast.AsyncWith) for n in inside)
    return (caught or shared) and not _is_last(name, body)


def _is_last(name: str, body: Sequence[ast.stmt]) -> bool:
    """Whether nothing but the end of the connection follows where a variable gets its value."""
    for number, statement in enumerate(body):
        stores = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
        if name not in stores:
            continue
        rest = body[number + 1 :]
        if isinstance(statement, ast.With | ast.Try):
            return _is_last(name, statement.body) and all(map(_is_quiet, rest))
        return isinstance(statement, ast.Assign | ast.AnnAssign) and all(map(_is_quiet, rest))
    return True


def _is_quiet(statement: ast.stmt) -> bool:
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr=attr))):
            return attr in _QUIET
        case ast.Return(value=ast.Name()):
            return True
    return False
