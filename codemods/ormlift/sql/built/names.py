"""The variables that a text or its parameters are built from."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ormlift.sql.life.pure import acts
from ormlift.syntax import FunctionNode, dotted, walk_scope

_LOOPS = (ast.For, ast.AsyncFor)
_METHODS = frozenset(["join", "format", "keys", "values", "items", "copy", "strip"])
_MAKERS = frozenset(["text", "tuple", "list", "dict", "len", "map"])
CHANGES = frozenset(["append", "extend", "update", "insert", "pop", "remove", "clear", "setdefault", "sort", "reverse"])


def built_from(nodes: list[ast.expr], host: FunctionNode) -> frozenset[str]:
    """The names that the expressions hang on as texts, lists and dicts; not those of single values."""
    known: set[str] = set()
    wanted = {name for node in nodes for name in holders(node)}
    around = [s for s in walk_scope(host) if isinstance(s, _LOOPS) and not set(nodes).isdisjoint(ast.walk(s))]
    changes = [(name, value) for s in walk_scope(host) if s not in around for name, value in changed(s)]
    loops = [s for s in walk_scope(host) if isinstance(s, ast.For) and s not in around]
    changes += [(name, loop.iter) for loop in loops for name in _filled(loop)]
    building = {name for name, value in changes if _is_building(value)}
    wanted |= {inner for node in nodes for inner in _handed(node) if inner in building}
    while wanted - known:
        known |= wanted
        values = [value for name, value in changes if name in known and value is not None]
        wanted |= {inner for value in values for inner in holders(value)}
        wanted |= {inner for value in values for inner in _handed(value) if inner in building}
    return frozenset(known)


def _filled(loop: ast.For) -> Iterator[str]:
    """The variables that a loop over a dict changes."""
    if dict_of(loop.iter) is not None or dict_of(loop) is not None:
        yield from (name for inner in walk_scope(loop) for name, _ in changed(inner))


def _is_building(value: ast.expr | None) -> bool:
    """Whether an expression makes a list, a dict or a text."""
    made = (ast.List, ast.Tuple, ast.Dict, ast.ListComp, ast.DictComp, ast.JoinedStr)
    if isinstance(value, ast.Constant):
        return isinstance(value.value, str)
    return isinstance(value, made) or (isinstance(value, ast.Call) and bool(list(holders(value))))


def _handed(value: ast.expr) -> Iterator[str]:
    """The variables that are handed to functions."""
    for call in (n for n in ast.walk(value) if isinstance(n, ast.Call)):
        passed = (*call.args, *(k.value for k in call.keywords))
        yield from (node.id for node in passed if isinstance(node, ast.Name))


def dict_of(node: ast.AST) -> ast.Name | None:
    """The variable that is used as a dict: `data.items()`, `**data`, `for key in data: .. data[key]`."""
    match node:
        case (
            ast.For(target=ast.Name(id=key), iter=ast.Name() as name)
            | ast.For(target=ast.Name(id=key), iter=ast.Call(func=ast.Name(id="sorted"), args=[ast.Name() as name]))
        ):
            return name if any(_is_read(n, name.id, key) for n in ast.walk(node)) else None
        case ast.Call(func=ast.Attribute(value=ast.Name() as name, attr="keys" | "values" | "items"), args=[]):
            return name
        case ast.Dict(keys=keys, values=values):
            spread = (v for k, v in zip(keys, values, strict=True) if k is None)
            return next((v for v in spread if isinstance(v, ast.Name)), None)
        case _:
            return None


def _is_read(node: ast.AST, name: str, key: str) -> bool:
    match node:
        case ast.Subscript(value=ast.Name(id=said), slice=ast.Name(id=by), ctx=ast.Load()):
            return (said, by) == (name, key)
        case _:
            return False


def changed(node: ast.AST) -> Iterator[tuple[str, ast.expr | None]]:
    """The variables that a statement binds or changes, each with the value it takes in."""
    match node:
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                yield from _bound(target, value)
        case (
            ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            | ast.AugAssign(target=ast.Name(id=name), value=value)
        ):
            yield name, value
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attr), args=args, keywords=keywords) if (
            attr in CHANGES
        ):
            for value in (*args, *(k.value for k in keywords)):
                yield name, value if attr != "append" or not isinstance(value, ast.Name) else None
            if not args and not keywords:
                yield name, None
        case ast.For(target=target, iter=source) | ast.AsyncFor(target=target, iter=source):
            yield from ((n.id, source) for n in ast.walk(target) if isinstance(n, ast.Name))
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            yield name, None
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            yield from ((a.asname or a.name.partition(".")[0], None) for a in aliases)
        case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
            yield name, None
        case ast.ExceptHandler(name=str(name)):
            yield name, None
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name, None
        case _:
            return


def _bound(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr | None]]:
    match target:
        case ast.Name(id=name):
            yield name, value
        case ast.Subscript(value=ast.Name(id=name)):
            yield name, None
        case ast.Tuple(elts=elts) if isinstance(value, ast.Tuple) and len(elts) == len(value.elts):
            for one, part in zip(elts, value.elts, strict=True):
                yield from _bound(one, part)
        case ast.Tuple(elts=elts) if isinstance(value, ast.Call) and all(isinstance(e, ast.Name) for e in elts):
            yield from ((e.id, value) for e in elts if isinstance(e, ast.Name))
        case _:
            yield from ((n.id, None) for n in ast.walk(target) if isinstance(n, ast.Name))


def holders(node: ast.expr) -> Iterator[str]:  # noqa: C901
    """The names in an expression that stand for texts, lists or dicts."""
    match node:
        case ast.Name(id=name):
            yield name
        case ast.JoinedStr(values=values):
            for value in values:
                if isinstance(value, ast.FormattedValue):
                    yield from holders(value.value)
        case ast.BinOp(left=left, op=ast.Mod(), right=ast.Tuple(elts=elts)):
            yield from (name for part in (left, *elts) for name in holders(part))
        case ast.BinOp(left=left, right=right):
            yield from (*holders(left), *holders(right))
        case ast.BoolOp(values=values):
            for value in values:
                yield from holders(value)
        case ast.IfExp(body=body, orelse=orelse):
            yield from (*holders(body), *holders(orelse))
        case ast.List(elts=elts) | ast.Tuple(elts=elts):
            for element in elts:
                yield from () if isinstance(element, ast.Name) else holders(element)
        case ast.Starred(value=value):
            yield from holders(value)
        case ast.Dict(keys=keys, values=values):
            yield from (name for k, v in zip(keys, values, strict=True) if k is None for name in holders(v))
        case ast.ListComp(elt=elt, generators=loops) | ast.GeneratorExp(elt=elt, generators=loops):
            own = {n.id for loop in loops for n in ast.walk(loop.target) if isinstance(n, ast.Name)}
            yield from (name for name in holders(elt) if name not in own)
            for loop in loops:
                yield from holders(loop.iter)
        case ast.Call(func=func, args=args, keywords=keywords):
            makes_dict = isinstance(func, ast.Name) and func.id == "dict"  # of single values, by name
            yield from _of_call(func, [*args, *(k.value for k in keywords if not makes_dict or k.arg is None)])
        case _:
            return


def _of_call(func: ast.expr, passed: list[ast.expr]) -> Iterator[str]:
    if isinstance(func, ast.Attribute) and func.attr in _METHODS:
        yield from holders(func.value)
    elif not (isinstance(func, ast.Name | ast.Attribute) and _last(func) in _MAKERS):
        return
    for value in passed:
        yield from holders(value)


def _last(func: ast.Name | ast.Attribute) -> str:
    return func.id if isinstance(func, ast.Name) else func.attr


def does(node: ast.AST, names: frozenset[str]) -> bool:
    """Whether a node by itself may change an attribute or item of anything but what the text is built from."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attr)) if name in names and attr in CHANGES:
            return False
        case ast.Call(func=func):
            return acts(ast.Call(func, [], [])) and dotted(func).rpartition(".")[2] != "text"
        case ast.Attribute(ctx=ctx):
            return not isinstance(ctx, ast.Load)
        case ast.Subscript(ctx=ctx, value=value):
            return not (isinstance(ctx, ast.Load) or (isinstance(value, ast.Name) and value.id in names))
        case _:
            return isinstance(node, ast.Await | ast.Yield | ast.YieldFrom)
