"""Whether a value is an iterator: read once, it gives nothing more."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ormlift.sql.life.model import Life
from ormlift.syntax import FunctionNode, Module, dotted, walk_scope

_BUILTINS = frozenset(["map", "filter", "zip", "iter", "reversed", "enumerate"])
_ANYWHERE = frozenset(["open", "StringIO", "BytesIO", "iterdir", "rglob", "iterrows", "itertuples", "iter_rows"])
_OF_MODULES: dict[str, frozenset[str]] = {
    "itertools": frozenset(),  # all of them
    "csv": frozenset(["reader", "DictReader"]),
    "re": frozenset(["finditer"]),
    "os": frozenset(["scandir", "walk"]),
    "glob": frozenset(["iglob"]),
}
_SAID = frozenset(["Iterator", "Generator", "AsyncIterator", "AsyncGenerator"])
_DEPTH = 4


def gives_once(node: ast.expr, life: Life, depth: int = _DEPTH) -> bool:
    """Whether what an expression gives may be an iterator, as far as the file tells."""
    match node:
        case ast.GeneratorExp():
            return True
        case ast.Call():
            return _makes_iterator(node, life.module)
        case ast.IfExp(body=body, orelse=orelse):
            return any(gives_once(n, life, depth) for n in (body, orelse))
        case ast.BoolOp(values=values):
            return any(gives_once(n, life, depth) for n in values)
        case ast.NamedExpr(value=value):
            return gives_once(value, life, depth)
        case ast.Name() if depth:
            return any(_of_definition(d, life, depth - 1) for d in life.flow.of(node))
        case ast.Attribute() if depth:
            return any(gives_once(value, life, 0) for value in _kept_values(node, life.module))
        case _:
            return False


def _makes_iterator(call: ast.Call, module: Module) -> bool:
    owner, _, last = dotted(call.func).rpartition(".")
    last = last or (call.func.attr if isinstance(call.func, ast.Attribute) else "")
    if last in _ANYWHERE or (last in _BUILTINS and isinstance(call.func, ast.Name)):
        return True
    head = (owner or last).partition(".")[0]
    home = module.imports.get(head, "").partition(".")[0]
    if home in _OF_MODULES:
        return last in _OF_MODULES[home] or home == "itertools"
    return any(_yields(f) for f in module.nodes(ast.FunctionDef) if f.name == last and owner in ("", "self", "cls"))


def _yields(function: FunctionNode) -> bool:
    decorated = any("contextmanager" in dotted(d) for d in function.decorator_list)
    return not decorated and any(isinstance(n, ast.Yield | ast.YieldFrom) for n in walk_scope(function))


def _of_definition(definition: ast.AST, life: Life, depth: int) -> bool:
    """Whether what a name is bound to may be an iterator: a value, or a parameter as its callers fill it."""
    if isinstance(definition, ast.arg):
        return _is_said(definition.annotation) or any(gives_once(value, life, 0) for value in _given(definition, life))
    parent = life.module.parents.get(definition)
    match parent:
        case ast.Assign(targets=[target], value=value) if target is definition:
            return gives_once(value, life, depth)
        case ast.AnnAssign(target=target, annotation=annotation, value=value) if target is definition:
            return _is_said(annotation) or (value is not None and gives_once(value, life, depth))
        case ast.NamedExpr(value=value):
            return gives_once(value, life, depth)
        case _:
            return False


def _is_said(annotation: ast.expr | None) -> bool:
    base = annotation.value if isinstance(annotation, ast.Subscript) else annotation
    return base is not None and dotted(base).rpartition(".")[2] in _SAID


def _given(parameter: ast.arg, life: Life) -> Iterator[ast.expr]:
    """What the calls in the file give a parameter of the function."""
    host = life.host
    if not isinstance(host, FunctionNode):
        return
    listed = [*host.args.posonlyargs, *host.args.args]
    place = listed.index(parameter) if parameter in listed else None
    is_method = life.module.enclosing_class(host) is not None and not any(
        dotted(d) == "staticmethod" for d in host.decorator_list
    )
    for call in life.module.calls:
        if dotted(call.func).rpartition(".")[2] == host.name:
            yield from (k.value for k in call.keywords if k.arg == parameter.arg)
            if place is not None and 0 <= place - is_method < len(call.args):
                yield call.args[place - is_method]


def _kept_values(node: ast.Attribute, module: Module) -> Iterator[ast.expr]:
    """What the file binds an attribute of that name to."""
    for other in module.nodes(ast.Assign):
        if any(isinstance(t, ast.Attribute) and t.attr == node.attr for t in other.targets):
            yield other.value
