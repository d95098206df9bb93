"""Which expressions of a file are sessions: variables, parameters, attributes, and what FastAPI hands in."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from ormlift.project.index import ProjectIndex
from ormlift.schema import SessionSource, SourceKind
from ormlift.syntax import FunctionNode, Module, dotted

KINDS = frozenset({SourceKind.SESSION, SourceKind.SHARED_SESSION, SourceKind.ASYNC_SESSION, SourceKind.UNKNOWN})


@dataclass(frozen=True)
class Held:
    """Answers for one file, and remembers what it has answered."""

    module: Module
    index: ProjectIndex
    _memo: dict[tuple[ast.AST | None, str], SessionSource | None] = field(default_factory=dict)

    def session(self, node: ast.expr) -> SessionSource | None:
        """The session that an expression is, or None. Sessions that a call hands out at once are not asked for."""
        name = dotted(node)
        if not name:
            return None
        key = (self.module.enclosing_function(node), name)
        if key not in self._memo:
            self._memo[key] = self._read(node)
        return self._memo[key]

    def is_async(self, node: ast.expr) -> bool:
        """Whether an expression is known to be an AsyncSession."""
        found = self.session(node)
        return found is not None and found.kind is SourceKind.ASYNC_SESSION

    def _read(self, node: ast.expr) -> SessionSource | None:
        found = self.index.held_by(node, self.module)
        if found is not None:
            return found if found.kind in KINDS else None
        dependency = self.dependency(node)
        given = self.index.yielded_by(dependency, self.module) if dependency is not None else None
        return given if given is not None and given.kind in KINDS else None

    def dependency(self, node: ast.expr) -> ast.expr | None:
        """What a parameter is injected from by `Depends(<it>)`, or None."""
        function = self.module.enclosing_function(node)
        while isinstance(node, ast.Name) and function is not None:
            for name, given in injected(function):
                if name == node.id:
                    return given
            function = self.module.enclosing_function(function)
        return None


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
