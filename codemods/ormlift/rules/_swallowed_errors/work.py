"""What of the database a try does, and what its handlers catch."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

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
_NAMES = frozenset({"db", "session", "db_session", "sess", "database_session"})  # of parameters without a type
_KINDS = frozenset({SourceKind.CURSOR, SourceKind.CONNECTION, SourceKind.ENGINE_CONNECTION})


@dataclass(frozen=True)
class Act:
    """One call that reaches the database."""

    call: ast.Call
    receiver: str  # dotted: the session, cursor or connection
    method: str
    helper: str = ""  # the function of the file that is handed the session, and does it

    @property
    def writes(self) -> bool:
        """Whether it stores something."""
        return self.method in SENDS

    @property
    def words(self) -> str:
        """What is called, and where."""
        called = f"{self.receiver}.{self.method}()" if not self.helper else f"{self.helper}({self.receiver})"
        return f"{called} on line {self.call.lineno}"


@dataclass(frozen=True)
class Reader:
    """Finds the calls of one file that reach the database."""

    module: Module
    index: ProjectIndex
    held: Held
    _memo: dict[tuple[FunctionNode | None, str], bool] = field(default_factory=dict)

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
            return self._by_helper(call, func) if isinstance(func, ast.Name) else None
        receiver = dotted(func.value)
        if func.attr in _READS | _WRITES | SENDS and receiver and self.is_session(func.value):
            return Act(call, receiver, func.attr)
        if func.attr in _RAW and receiver:
            raw = self.index.held_by(func.value, self.module)
            if raw is not None and raw.kind in _KINDS:
                return Act(call, receiver, func.attr)
        return self._on_model(call, func)

    def is_session(self, node: ast.expr) -> bool:
        """Whether an expression is a session, by where it comes from or by what its function does with it."""
        return self.held.session(node) is not None or (isinstance(node, ast.Name) and self._is_used_as_one(node))

    def _is_used_as_one(self, name: ast.Name) -> bool:
        """Whether a parameter without a type has a session's name, and is asked for a mapped class, or stores."""
        function = self.module.enclosing_function(name)
        if function is None or name.id not in _NAMES:
            return False
        key = (function, name.id)
        if key not in self._memo:
            given = function.args
            bare = {a.arg for a in (*given.posonlyargs, *given.args, *given.kwonlyargs) if a.annotation is None}
            self._memo[key] = name.id in bare and self._looks_like_one(function, name.id)
        return self._memo[key]

    def _looks_like_one(self, function: FunctionNode, name: str) -> bool:
        calls = [n for n in walk_scope(function) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)]
        own = [(c.func.attr, c) for c in calls if isinstance(c.func, ast.Attribute) and dotted(c.func.value) == name]
        methods = {method for method, _ in own}
        if methods & _WRITES and methods & SENDS:
            return True
        asked = {last(dotted(c.args[0])) for method, c in own if method in ("query", "get") and c.args}
        return any(m.name in asked for m in self.index.models)

    def _by_helper(self, call: ast.Call, func: ast.Name) -> Act | None:
        """A call of a function of the file that takes a session, and lets its errors out."""
        given = next((a for a in call.args if isinstance(a, ast.Name) and self.held.session(a) is not None), None)
        if given is None:
            return None
        found = [d for d in self.module.definitions if isinstance(d, FunctionNode) and d.name == func.id]
        if len(found) != 1 or found[0] is self.module.enclosing_function(call):
            return None
        nodes = [n for n in walk_scope(found[0]) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)]
        acts = [a for n in nodes if (a := self._act(n)) is not None and not self._is_caught(n, found[0])]
        if not acts:
            return None
        method = next((a.method for a in acts if a.writes), acts[0].method)
        return Act(call, given.id, method, func.id)

    def _is_caught(self, call: ast.Call, function: FunctionNode) -> bool:
        """Whether a handler of the function takes every error of a call, and lets none out."""
        tries = (p for p in self.module.ancestors(call) if isinstance(p, ast.Try))
        return any(self._caught_inside(call, t) or _keeps_all(t) for t in tries if self._is_inside(t, function))

    def _is_inside(self, node: ast.AST, function: FunctionNode) -> bool:
        return any(p is function for p in self.module.ancestors(node))

    def _on_model(self, call: ast.Call, func: ast.Attribute) -> Act | None:
        """`Job.query.filter(..)`, as Flask-SQLAlchemy has it."""
        parts = dotted(func.value).split(".")
        if len(parts) >= 2 and parts[-1] == "query" and parts[-2][:1].isupper():
            known = any(m.name == parts[-2] for m in self.index.models)
            return Act(call, dotted(func.value), "query") if known else None
        return None


def _keeps_all(node: ast.Try) -> bool:
    taken = [h for h in node.handlers if handled(h) & EVERYTHING]
    return any(not any(isinstance(n, ast.Raise) for n in ast.walk(h)) for h in taken)


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
