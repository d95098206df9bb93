"""Handlers around the decoding of JSON that do not stand around the fetch, where the decoding happens now."""

from __future__ import annotations

import ast
import builtins
import json
from collections.abc import Collection, Iterator

from ormlift.syntax import FunctionNode, Module, dotted


def handler_left(decoder: ast.expr, fetches: Collection[ast.AST], module: Module) -> int:
    """The line of a handler of what `json.loads` raises, around it and not around all fetches; 0: there is none."""
    inner: ast.AST = decoder
    for around in module.ancestors(decoder):
        if isinstance(around, FunctionNode | ast.Lambda):
            return 0
        line = next(_catching(around, inner, module), 0)
        if line and not all(_is_inside(fetch, around, module) for fetch in fetches):
            return line
        inner = around
    return 0


def _catching(around: ast.AST, inner: ast.AST, module: Module) -> Iterator[int]:
    """The lines of what catches around the body that `inner` is a statement of."""
    match around:
        case ast.Try(body=body, handlers=handlers) | ast.TryStar(body=body, handlers=handlers) if inner in body:
            yield from (h.lineno for h in handlers if _catches(h.type, module))
        case ast.With(items=items, body=body) | ast.AsyncWith(items=items, body=body) if inner in body:
            calls = [i.context_expr for i in items if isinstance(i.context_expr, ast.Call)]
            guards = [c for c in calls if dotted(c.func).rpartition(".")[2] == "suppress"]
            yield from (c.lineno for c in guards if any(_catches(a, module) for a in c.args))


def _is_inside(fetch: ast.AST, around: ast.AST, module: Module) -> bool:
    """Whether a fetch stands in the body that is guarded."""
    statements = {fetch, *module.ancestors(fetch)}
    return any(s in statements for s in getattr(around, "body", ()))


def _catches(kind: ast.expr | None, module: Module) -> bool:
    """Whether a handler may catch a JSONDecodeError; what is not known to be another error may be that."""
    if kind is None:
        return True
    if isinstance(kind, ast.Tuple | ast.List):
        return any(_catches(k, module) for k in kind.elts)
    name = dotted(kind)
    target = module.imports.get(name.partition(".")[0], "")
    known = None if target else getattr(builtins, name, None)
    if isinstance(known, type):
        return issubclass(json.JSONDecodeError, known)
    if name.rpartition(".")[2] == "JSONDecodeError" or target.rpartition(".")[2] == "JSONDecodeError":
        return True
    if target:
        return name.rpartition(".")[2].isupper()  # a constant that holds several
    return not any(c.name == name for c in module.nodes(ast.ClassDef))
