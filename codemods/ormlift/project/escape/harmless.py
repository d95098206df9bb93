"""Whether a function leaves alone what it is handed: changes no session and no instance, and keeps none of them."""

from __future__ import annotations

import ast
from collections import Counter

from ormlift.project.escape.choice import bound_in
from ormlift.project.flow.events import Act, Reader
from ormlift.project.flow.knowledge import CONTAINERS, QUIET_ROOTS
from ormlift.project.flow.values import ENTITY, LIVE, Kind, Outcome, Values
from ormlift.project.flow.walk import CLEAN, Walker
from ormlift.syntax import FunctionNode, dotted, every_node

_ENDS = frozenset({"close", "begin", "invalidate", "reset", "remove", "expunge_all"})
_READ = frozenset({"bind", "is_active", "no_autoflush", "new", "dirty", "deleted"})  # attributes, not called
_KEPT = ENTITY | Kind.SESSION | Kind.HOLDER
_TAKES = frozenset(["append", "add", "extend", "insert", "update", "setdefault", "appendleft", "put", "set"])
_NESTED = (
    ast.Yield,
    ast.YieldFrom,
    ast.Global,
    ast.Nonlocal,
    ast.Lambda,
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
)


def leaves_alone(function: FunctionNode, values: Values, own: frozenset[str] = frozenset()) -> bool:
    """Judge a function, given what its names hold; what it puts into `own` is judged by whoever asks."""
    reader = Reader(values, values.knowledge)
    if any(event.act is not Act.LOAD for statement in function.body for event in reader.events(statement)):
        return False
    return _lets_go(function, values, own)


def outcome(function: FunctionNode, values: Values) -> Outcome | None:
    """How the session is left by a function that may write; None where a change may stay uncommitted, or it is kept."""
    outs = Walker(Reader(values, values.knowledge, _idle(function))).block(function.body, CLEAN)
    points = [*outs.normal, *(point for way in outs.returns for point in way.state)]
    if any(p.mark is not None or p.broken or p.hurt for p in points) or not _lets_go(function, values, frozenset()):
        return None
    return Outcome(always=bool(points) and all(p.ended for p in points), fresh=any(p.fresh for p in points))


def _idle(function: FunctionNode) -> frozenset[int]:
    """The calls of a coroutine that nothing awaits: of an async session, they do nothing."""
    if not isinstance(function, ast.AsyncFunctionDef):
        return frozenset()
    nodes = every_node(*function.body)
    awaited = {id(inner) for node in nodes if isinstance(node, ast.Await) for inner in every_node(node.value)}
    return frozenset(id(node) for node in nodes if isinstance(node, ast.Call) and id(node) not in awaited)


def _lets_go(function: FunctionNode, values: Values, own: frozenset[str]) -> bool:
    """Whether a function neither ends the session, nor keeps or hands out of sight what it is handed."""
    nodes = every_node(*function.body)
    if any(isinstance(node, _NESTED) for node in nodes):
        return False
    given = bound_in(function)
    local = _made_here(nodes)
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    return not any(
        _ends(node, values, called) or _keeps(node, values, local, own) or _runs_given(node, values, given)
        for node in nodes
    )


def _made_here(nodes: list[ast.AST]) -> set[str]:
    """The names that hold nothing but containers which the function makes: what goes into them goes with it."""
    bound = Counter(n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
    made: Counter[str] = Counter()
    for node in nodes:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                made[name] += _is_made(value)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                made[name] += _is_made(value)
            case _:
                pass
    return {name for name, times in made.items() if times == bound[name]}


def _is_made(value: ast.expr) -> bool:
    called = isinstance(value, ast.Call) and dotted(value.func) in CONTAINERS and dotted(value.func) != "iter"
    return called or isinstance(value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp)


def _ends(node: ast.AST, values: Values, called: set[int]) -> bool:
    """Whether this ends the session, sets it up anew, or takes one of its methods to be called out of sight."""
    if isinstance(node, ast.withitem):
        return bool(values.kind(node.context_expr) & Kind.SESSION)
    if not isinstance(node, ast.Attribute) or not values.kind(node.value) & Kind.SESSION:
        return False
    return node.attr in _ENDS or not isinstance(node.ctx, ast.Load) or not (id(node) in called or node.attr in _READ)


def _keeps(node: ast.AST, values: Values, local: set[str], own: frozenset[str]) -> bool:
    """Whether this puts the session or an instance where others find it."""
    match node:
        case ast.Assign(targets=targets, value=value) if values.kind(value) & (_KEPT | LIVE):
            return any(_reaches_out(t, local, own) for target in targets for t in ast.walk(target))
        case ast.AnnAssign(target=target, value=ast.expr() as value) | ast.AugAssign(target=target, value=value):
            return bool(values.kind(value) & (_KEPT | LIVE)) and any(
                _reaches_out(t, local, own) for t in ast.walk(target)
            )
        case ast.For(target=target) | ast.AsyncFor(target=target) | ast.comprehension(target=target):
            return any(_reaches_out(t, local, own) for t in ast.walk(target))
        case ast.Call(func=ast.Attribute(attr=attr) as func) if attr in _TAKES and not _is_session(func, values):
            values_given = [*node.args, *(k.value for k in node.keywords)]
            return any(values.kind(v) & (_KEPT | LIVE) for v in values_given) and _root(func) not in local
        case _:
            return False


def _is_session(func: ast.Attribute, values: Values) -> bool:
    return bool(values.kind(func.value) & Kind.SESSION)


def _reaches_out(target: ast.AST, local: set[str], own: frozenset[str]) -> bool:
    """Whether a target is part of what the function did not make itself, and no attribute of `own`."""
    if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id in own:
        return False
    stored = isinstance(target, ast.Attribute | ast.Subscript) and isinstance(target.ctx, ast.Store)
    return isinstance(target, ast.Attribute | ast.Subscript) and stored and _root(target) not in local


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _runs_given(node: ast.AST, values: Values, given: frozenset[str]) -> bool:
    """Whether this hands the session or an instance to what the function itself binds, whatever it is called."""
    if not isinstance(node, ast.Call):
        return False
    root = dotted(node.func).partition(".")[0]
    if root not in given or root in QUIET_ROOTS or values.names.get(root, Kind.PLAIN) or root in ("self", "cls"):
        return False
    return any(values.kind(v) & (_KEPT | LIVE) for v in [*node.args, *(k.value for k in node.keywords)])
