"""What of the database a try does, and what its handlers catch."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ormlift.project.columns import last
from ormlift.project.held import Held
from ormlift.project.index import ProjectIndex
from ormlift.project.scopes import DATABASE_ERRORS, EVERYTHING, handled
from ormlift.schema import SourceKind
from ormlift.syntax import FunctionNode, Module, dotted, walk_scope

_NARROW = frozenset({"IntegrityError", "DataError", "InvalidRequestError", "TimeoutError", "DisconnectionError"})
BROAD = (EVERYTHING | DATABASE_ERRORS) - _NARROW
SENDS = frozenset({"commit", "flush"})
_READS = frozenset({"query", "execute", "scalar", "scalars", "get", "get_one", "refresh", "exec", "stream"})
_WRITES = frozenset({"add", "add_all", "delete", "merge", "bulk_save_objects", "bulk_insert_mappings"})
_RAW = frozenset({"execute", "executemany", "commit", "fetchone", "fetchall", "fetchval", "fetch", "fetchrow"})
_KINDS = frozenset({SourceKind.CURSOR, SourceKind.CONNECTION, SourceKind.ENGINE_CONNECTION})


@dataclass(frozen=True)
class Act:
    """One call that reaches the database."""

    call: ast.Call
    receiver: str  # dotted: the session, cursor or connection
    method: str

    @property
    def writes(self) -> bool:
        """Whether it stores something."""
        return self.method in SENDS


@dataclass(frozen=True)
class Reader:
    """Finds the calls of one file that reach the database."""

    module: Module
    index: ProjectIndex
    held: Held

    def acts(self, statements: Iterable[ast.stmt]) -> list[Act]:
        """Those in some statements, nested functions left out."""
        nodes = [n for s in statements for n in (s, *walk_scope(s))]
        return [act for n in nodes if isinstance(n, ast.Call) and (act := self._act(n)) is not None]

    def reaching(self, node: ast.Try) -> list[Act]:
        """Those in the body of a try whose error comes to its handlers: not those that a try inside it catches."""
        return [act for act in self.acts(node.body) if not self._caught_inside(act.call, node)]

    def _caught_inside(self, call: ast.Call, node: ast.Try) -> bool:
        inner: ast.AST = call
        for parent in self.module.ancestors(call):
            if parent is node:
                return False
            if isinstance(parent, ast.Try) and any(inner is s for s in parent.body):
                taken = [h for h in parent.handlers if handled(h) & EVERYTHING]
                if any(not any(isinstance(n, ast.Raise) for n in ast.walk(h)) for h in taken):
                    return True
            inner = parent
        return False

    def _act(self, call: ast.Call) -> Act | None:
        func = call.func
        if not isinstance(func, ast.Attribute):
            return None
        receiver = dotted(func.value)
        if func.attr in _READS | _WRITES | SENDS and receiver and self.held.session(func.value) is not None:
            return Act(call, receiver, func.attr)
        if func.attr in _RAW and receiver:
            raw = self.index.held_by(func.value, self.module)
            if raw is not None and raw.kind in _KINDS:
                return Act(call, receiver, func.attr)
        return self._on_model(call, func)

    def _on_model(self, call: ast.Call, func: ast.Attribute) -> Act | None:
        """`Job.query.filter(..)`, as Flask-SQLAlchemy has it."""
        parts = dotted(func.value).split(".")
        if len(parts) >= 2 and parts[-1] == "query" and parts[-2][:1].isupper():
            known = any(m.name == parts[-2] for m in self.index.models)
            return Act(call, dotted(func.value), "query") if known else None
        return None


def catches(handler: ast.ExceptHandler, names: frozenset[str] | set[str]) -> bool:
    """Whether a handler catches one of these."""
    return bool(handled(handler) & names)


def tries(module: Module) -> Iterator[tuple[FunctionNode, ast.Try]]:
    """Every try of a function of the file, in source order."""
    found = [n for n in module.parents if isinstance(n, ast.Try)]
    for node in sorted(found, key=lambda n: (n.lineno, n.col_offset)):
        function = module.enclosing_function(node)
        if function is not None:
            yield function, node


def bare_name(function: FunctionNode) -> str:
    """The function's name without leading underscores."""
    return last(function.name).lstrip("_").lower()
