"""What an expression stands in: the one question that following a value asks, over and over."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from enum import StrEnum

from ormlift.syntax import Module, dotted, walk_scope


class Stands(StrEnum):
    """How the value of an expression is used by what is directly around it."""

    BOUND = "bound"  # to names: x = value, (x := value), x: T = value
    UNPACKED = "unpacked"  # a, b = value
    LOOPED = "looped"  # for x in value, also in a comprehension
    INDEXED = "indexed"  # value[0]
    LABELLED = "labelled"  # value["name"]
    SLICED = "sliced"  # value[1:]
    SUBSCRIPTED = "subscripted"  # value[x]
    TESTED = "tested"  # if value, not value, value is None
    COMPARED = "compared"  # value == other
    CALLED = "called"  # f(value): a function known by name, the value its only positional argument
    METHOD = "method"  # value.name(..)
    ATTRIBUTE = "attribute"  # value.name
    PASSED = "passed"  # through: the value of the expression around it is this value (or another's)
    BARRED = "barred"  # `value and other`: only what counts as false goes through
    SPREAD = "spread"  # **value
    STARRED = "starred"  # *value
    CONTAINED = "contained"  # "name" in value
    FORMATTED = "formatted"  # f"{value}", print(value)
    DISCARDED = "discarded"
    LEAVES = "leaves"  # returned, yielded, stored, passed on
    OPERATED = "operated"  # value + other, "%s" % value


@dataclass(frozen=True)
class Context:
    """One answer."""

    stands: Stands
    around: ast.AST  # the node around it
    targets: tuple[ast.expr, ...] = ()  # BOUND, LOOPED: the targets; UNPACKED: the elements
    key: int | str = ""  # INDEXED, LABELLED: the constant; CALLED, METHOD, ATTRIBUTE: the name


_SHOWS = frozenset(
    [
        "print",
        "str",
        "repr",
        "format",
        "logger.debug",
        "logger.info",
        "logger.warning",
        "logger.error",
        "logging.info",
        "logging.debug",
        "logging.warning",
        "logging.error",
        "log.info",
        "log.debug",
    ]
)


def context(node: ast.expr, module: Module) -> Context:
    """What `node` stands in."""
    parent = module.parents[node]
    match parent:
        case ast.Expr():
            return Context(Stands.DISCARDED, parent)
        case ast.Assign(targets=targets):
            return _assigned(parent, targets, module)
        case ast.AnnAssign(target=target) | ast.NamedExpr(target=target):
            return _assigned(parent, [target], module)
        case (
            ast.For(target=target, iter=source)
            | ast.AsyncFor(target=target, iter=source)
            | ast.comprehension(target=target, iter=source)
        ) if source is node:
            return Context(Stands.LOOPED, parent, (target,))
        case ast.Subscript(value=value) if value is node and isinstance(parent.ctx, ast.Load):
            return _subscript(parent)
        case ast.Call():
            return _argument(node, parent)
        case ast.keyword(arg=None):
            return Context(Stands.SPREAD, module.parents[parent])
        case ast.Dict(keys=keys, values=values) if any(
            k is None and v is node for k, v in zip(keys, values, strict=True)
        ):
            return Context(Stands.SPREAD, parent)
        case ast.Starred():
            return Context(Stands.STARRED, parent)
        case ast.Attribute(attr=attr):
            call = module.parents[parent]
            if isinstance(call, ast.Call) and call.func is parent:
                return Context(Stands.METHOD, call, key=attr)
            return Context(Stands.ATTRIBUTE, parent, key=attr)
        case ast.FormattedValue():
            return Context(Stands.FORMATTED, parent)
        case ast.BinOp():
            return Context(Stands.OPERATED, parent)
        case _:
            return _truth(node, parent, module)


def _truth(node: ast.expr, parent: ast.AST, module: Module) -> Context:
    match parent:
        case ast.If(test=test) | ast.While(test=test) | ast.Assert(test=test) if test is node:
            return Context(Stands.TESTED, parent)
        case ast.comprehension() | ast.UnaryOp(op=ast.Not()):
            return Context(Stands.TESTED, parent)
        case ast.IfExp(test=test):
            return Context(Stands.TESTED if test is node else Stands.PASSED, parent)
        case ast.BoolOp():
            around = context(parent, module)
            if around.stands is Stands.TESTED:
                return around
            tested = isinstance(parent.op, ast.And) and parent.values[-1] is not node
            return Context(Stands.BARRED if tested else Stands.PASSED, parent)
        case ast.Compare():
            return _compared(node, parent)
        case _:
            return Context(Stands.LEAVES, parent)


def is_local(target: ast.expr, module: Module) -> bool:
    """Whether what is bound to `target` stays in the function: a name that is neither global nor nonlocal."""
    if not isinstance(target, ast.Name):
        return False
    function = module.enclosing_function(target)
    inside = walk_scope(function) if function is not None else ()
    return not any(isinstance(n, ast.Global | ast.Nonlocal) and target.id in n.names for n in inside)


def _assigned(parent: ast.AST, targets: list[ast.expr], module: Module) -> Context:
    if all(is_local(t, module) for t in targets):
        stands = Stands.BOUND
        return Context(stands, parent, tuple(targets))
    if len(targets) == 1 and isinstance(targets[0], ast.Tuple | ast.List):
        return Context(Stands.UNPACKED, parent, tuple(targets[0].elts))
    return Context(Stands.LEAVES, parent)


def _subscript(parent: ast.Subscript) -> Context:
    match parent.slice:
        case ast.Constant(value=bool()):
            return Context(Stands.SUBSCRIPTED, parent)
        case ast.Constant(value=int(index)):
            return Context(Stands.INDEXED, parent, key=index)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(index))):
            return Context(Stands.INDEXED, parent, key=-index)
        case ast.Constant(value=str(label)):
            return Context(Stands.LABELLED, parent, key=label)
        case ast.Slice():
            return Context(Stands.SLICED, parent)
        case _:
            return Context(Stands.SUBSCRIPTED, parent)


def _argument(node: ast.expr, call: ast.Call) -> Context:
    name = dotted(call.func)
    if node not in call.args:
        return Context(Stands.LEAVES, call)
    if name in _SHOWS:
        return Context(Stands.FORMATTED, call, key=name)
    if call.args[0] is node and name:
        return Context(Stands.CALLED, call, key=name)
    return Context(Stands.LEAVES, call)


def _compared(node: ast.expr, parent: ast.Compare) -> Context:
    others = [e for e in (parent.left, *parent.comparators) if e is not node]
    if all(isinstance(o, ast.Constant) and o.value is None for o in others):
        return Context(Stands.TESTED, parent)
    if isinstance(parent.ops[0], ast.In | ast.NotIn) and parent.comparators[0] is node:
        return Context(Stands.CONTAINED, parent)
    return Context(Stands.COMPARED, parent)
