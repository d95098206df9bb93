"""Instances that a block puts where others find them: attributes, and containers that are not the block's own."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ormlift.project.flow.block import Block
from ormlift.project.flow.shared import Shared
from ormlift.project.flow.values import ENTITY, KEPT, Kind, Values, element, parameters
from ormlift.syntax import FunctionNode, dotted, walk_scope

_TAKES = frozenset({"append", "add", "extend", "insert", "update", "put", "setdefault", "set"})
_TAKES |= {"appendleft", "extendleft", "put_nowait", "push", "__setitem__", "__iadd__", "__ior__"}
_TAKES_ALL = frozenset({"extend", "extendleft", "update", "__iadd__", "__ior__"})
_BY_FUNCTION = frozenset({"operator", "list", "dict", "set", "deque", "object", "heapq"})


def stored(block: Block, values: Values) -> Iterator[tuple[int, str]]:
    """Assignments of instances to what lives on: attributes, and containers that are not the function's own."""
    shared = Shared(list(walk_scope(block.function)), values)
    given = set(parameters(block.function)) if isinstance(block.function, FunctionNode) else set()
    for statement in block.body:
        for node in ast.walk(statement):
            for line, target, kind in _assigned(node, values):
                if kind & KEPT and shared.outlives(target):
                    yield line, ast.unparse(target)
            if isinstance(node, ast.Call) and (what := _by_call(node, values, shared, given)):
                yield node.lineno, what


def _by_call(call: ast.Call, values: Values, shared: Shared, given: set[str]) -> str:
    """What a call stores an instance in, as messages name it; empty where it stores none."""
    if (
        isinstance(call.func, ast.Attribute)
        and call.func.attr in _TAKES
        and dotted(call.func.value) not in _BY_FUNCTION
    ):
        taken = KEPT | Kind.QUERY if call.func.attr in _TAKES_ALL else KEPT
        full = any(values.kind(a) & taken for a in (*call.args, *(k.value for k in call.keywords)))
        return ast.unparse(call.func.value) if full and shared.outlives(call.func) else ""
    taker = _given_first(call, values, shared) or _mapped(call, values, shared)
    if taker is not None:
        return ast.unparse(taker)
    over = isinstance(call.func, ast.Name) and _handed_over(call, values, given)
    return f"what {ast.unparse(call.func)}() makes of it" if over else ""


def _assigned(node: ast.AST, values: Values) -> Iterator[tuple[int, ast.expr, Kind]]:
    """The attributes, subscripts and grown names that a node assigns to, and what."""
    match node:
        case ast.Assign(targets=targets, value=value):
            pairs = [(t, values.kind(value)) for t in targets]
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            pairs = [(target, values.kind(value))]
        case ast.AugAssign(target=target, value=value):
            yield node.lineno, target, _filling(values.kind(value))
            return
        case (
            ast.For(target=target, iter=source)
            | ast.AsyncFor(target=target, iter=source)
            | ast.comprehension(target=target, iter=source)
        ):
            pairs = [(target, element(values.kind(source)))]
        case ast.withitem(context_expr=value, optional_vars=ast.expr() as target):
            pairs = [(target, values.kind(value))]
        case _:
            return
    for target, kind in pairs:
        yield from _places(target, kind)


def _places(target: ast.expr, kind: Kind) -> Iterator[tuple[int, ast.expr, Kind]]:
    match target:
        case ast.Attribute():
            yield target.lineno, target, kind
        case ast.Subscript(slice=index):
            yield target.lineno, target, _filling(kind) if isinstance(index, ast.Slice) else kind
        case ast.Tuple(elts=elts) | ast.List(elts=elts):
            for inner in elts:
                yield from _places(inner, element(kind))
        case ast.Starred(value=inner):
            yield from _places(inner, _filling(kind))
        case _:
            pass


def _filling(kind: Kind) -> Kind:
    """Of what a list takes the elements of: a query is run then."""
    return kind | (Kind.FULL if kind & Kind.QUERY else Kind.PLAIN)


def _given_first(call: ast.Call, values: Values, shared: Shared) -> ast.expr | None:
    """What takes instances in `operator.setitem(found, 1, job)`, `list.append(found, job)`."""
    if dotted(call.func).rpartition(".")[0] not in _BY_FUNCTION or len(call.args) < 2:
        return None
    first, *given = call.args
    if values.kind(first) & ENTITY or not any(values.kind(a) & (KEPT | Kind.QUERY) for a in given):
        return None
    return first if shared.outlives(first, itself=True) else None


def _mapped(call: ast.Call, values: Values, shared: Shared) -> ast.expr | None:
    """What takes instances in `map(out.append, jobs)`."""
    takes = [a for a in call.args if isinstance(a, ast.Attribute) and a.attr in _TAKES and shared.outlives(a)]
    return takes[0].value if takes and any(values.kind(a) & (KEPT | Kind.QUERY) for a in call.args) else None


def _handed_over(call: ast.Call, values: Values, given: set[str]) -> bool:
    """`setattr(x, "job", job)`, or a parameter that is called with an instance."""
    assert isinstance(call.func, ast.Name)
    if call.func.id == "setattr" and len(call.args) == 3:
        return bool(values.kind(call.args[2]) & KEPT) and not values.kind(call.args[0]) & ENTITY
    if call.func.id not in given:
        return False
    appends = (a for a in call.args if isinstance(a, ast.Attribute) and a.attr in _TAKES)
    return any(values.kind(a) & KEPT for a in call.args) or any(True for _ in appends)
