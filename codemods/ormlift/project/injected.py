"""What FastAPI hands to functions: parameters filled by `Depends(<what>)`, and the routes that it calls."""

from __future__ import annotations

import ast

from ormlift.syntax import FunctionNode, dotted


def injected(function: FunctionNode) -> list[tuple[str, ast.expr]]:
    """The parameters that FastAPI fills by `Depends(<what>)`: as a default, or inside `Annotated`."""
    arguments = function.args
    plain = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(plain) - len(arguments.defaults)) + list(arguments.defaults)
    pairs = [*zip(plain, defaults, strict=True), *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    found = []
    for argument, default in pairs:
        given = next(
            (what for node in (default, *_annotations(argument.annotation)) if (what := depends_on(node)) is not None),
            None,
        )
        if given is not None:
            found.append((argument.arg, given))
    return found


def _annotations(node: ast.expr | None) -> list[ast.expr]:
    """What `Annotated[<type>, ...]` says beside the type."""
    match node:
        case ast.Subscript(value=value, slice=ast.Tuple(elts=[_, *said])):
            return said if dotted(value).rpartition(".")[2] == "Annotated" else []
        case _:
            return []


def depends_on(node: ast.expr | None) -> ast.expr | None:
    """What `Depends(<what>)` is given; None for any other node."""
    match node:
        case ast.Call(func=func, args=[given, *_]) if dotted(func).rpartition(".")[2] in ("Depends", "Security"):
            return given
        case _:
            return None


_VERBS = frozenset({"get", "post", "put", "patch", "delete", "head", "options", "api_route", "websocket"})


def is_route(function: FunctionNode) -> bool:
    """Whether FastAPI calls a function: by its decorator, or because it takes what is injected."""
    calls = [d.func for d in function.decorator_list if isinstance(d, ast.Call)]
    return bool(injected(function)) or any(isinstance(f, ast.Attribute) and f.attr in _VERBS for f in calls)
