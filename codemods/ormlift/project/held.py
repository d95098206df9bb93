"""Which expressions of a file are sessions: variables, parameters, attributes, and what FastAPI hands in."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from ormlift.project.index import ProjectIndex
from ormlift.project.injected import injected
from ormlift.schema import SessionSource, SourceKind
from ormlift.syntax import Module, dotted

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
