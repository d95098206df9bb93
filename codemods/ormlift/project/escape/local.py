"""A look, one level deep, into functions of the same file that a session or an instance is handed to."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from ormlift.project.escape.choice import binds
from ormlift.project.escape.closing import is_close
from ormlift.project.flow.events import Act, Reader
from ormlift.project.flow.knowledge import Knowledge
from ormlift.project.flow.values import ENTITY, Kind, Values, parameters
from ormlift.project.index import ProjectIndex
from ormlift.syntax import FunctionNode, Module, dotted, module_level, walk_scope

_ENDS = frozenset({"close", "begin", "invalidate", "reset", "remove", "expunge_all"})
_ENDING = frozenset({"close", "finish", "dispose", "release", "cleanup", "teardown", "shutdown", "end", "done"})
_KEPT = ENTITY | Kind.SESSION | Kind.HOLDER


@dataclass(frozen=True)
class LocalLook:
    """Answers from what stands in the file."""

    module: Module
    knowledge: Knowledge
    index: ProjectIndex | None = None

    def is_harmless(self, call: ast.Call, values: Values) -> bool:
        """Whether the called function is seen to change nothing of what it is handed, and to keep none of it."""
        inner = self._inner(call, values)
        return inner is not None and self._leaves_alone(*inner)

    def returned(self, call: ast.Call, values: Values) -> Kind | None:
        """What the called function gives back; None where it could not be read."""
        inner = self._inner(call, values)
        if inner is None:
            return None
        function, seen = inner
        kind = Kind.PLAIN
        for node in walk_scope(function):
            if isinstance(node, ast.Yield | ast.YieldFrom):
                return None
            if isinstance(node, ast.Return) and node.value is not None:
                kind |= seen.kind(node.value)
        return kind & ~Kind.SESSION | (Kind.HOLDER if kind & Kind.SESSION else Kind.PLAIN)

    def _inner(self, call: ast.Call, values: Values) -> tuple[FunctionNode, Values] | None:
        """The called function, and what its names hold; None where that can't be told."""
        function = self._definition(call)
        if function is None:
            return None
        given: dict[str, Kind] = {}
        for name, kind in self._handed(call, function, values):
            if name is None:
                return None
            given[name] = given.get(name, Kind.PLAIN) | kind
        sessions = [name for name, kind in given.items() if kind & Kind.SESSION]
        if not given or len(sessions) > 1:
            return None
        return function, Values(function.body, "".join(sessions), self.knowledge, None, given)

    def is_closer(self, call: ast.Call) -> bool:
        """Whether the called function only closes the one session that it is handed."""
        function = self._definition(call)
        if function is None:
            return self.index is not None and self.index.is_closer(call, self.module)
        names = [n for n in parameters(function) if n not in ("self", "cls")]
        body = function.body[1:] if ast.get_docstring(function) is not None else function.body
        return len(names) == 1 and len(body) == 1 and is_close(body[0], names[0], lambda _: False)

    def may_close(self, call: ast.Call) -> bool:
        """Whether the called function may close what it is handed: it is seen to, or is called so."""
        function = self._definition(call)
        if function is not None:
            nodes = list(walk_scope(function))
            return any(isinstance(n, ast.Attribute) and n.attr in ("close", "aclose", "remove") for n in nodes)
        if self.index is not None and self.index.may_close(call, self.module):
            return True
        return bool(_ENDING & set(dotted(call.func).rpartition(".")[2].lower().split("_")))

    def _definition(self, call: ast.Call) -> FunctionNode | None:
        """The function that is called: one of the module, or a method of the class around the call by `self.`."""
        match call.func:
            case ast.Name(id=name):
                bound: list[ast.AST] = [s for s in module_level(self.module.tree) if name in binds(s)]
                bound += [n for n in self.module.nodes(ast.Global) if name in n.names]
            case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name):
                around = self.module.enclosing_class(call)
                bound = [s for s in (around.body if around is not None else []) if name in binds(s)]
                if around is None or self._overridden(around, name):
                    return None
                bound += [n for n in self.module.nodes(ast.Attribute) if _sets_attribute(n, name)]
            case _:
                return None
        found = bound[0] if len(bound) == 1 else None
        if not isinstance(found, FunctionNode):
            return None
        return found if all(dotted(d) in ("staticmethod", "classmethod") for d in found.decorator_list) else None

    def _overridden(self, around: ast.ClassDef, name: str) -> bool:
        """Whether a class that may inherit from this one has a method of its own by that name."""
        if name in self.knowledge.overridden.get(around.name, ()):
            return True
        others = [n for n in self.module.nodes(ast.ClassDef) if n is not around and n.bases]
        return any(name in binds(statement) for other in others for statement in other.body)

    @staticmethod
    def _handed(call: ast.Call, function: FunctionNode, values: Values) -> Iterator[tuple[str | None, Kind]]:
        """Parameters that get the session or an instance; None for one that can't be told."""
        names = [a.arg for a in [*function.args.posonlyargs, *function.args.args]]
        if isinstance(call.func, ast.Attribute) and names[:1] in (["self"], ["cls"]):
            names = names[1:]
        for position, value in enumerate(call.args):
            if kind := values.kind(value):
                plain = not isinstance(value, ast.Starred) and position < len(names)
                yield (names[position] if plain else None), kind
        for keyword in call.keywords:
            if kind := values.kind(keyword.value):
                yield keyword.arg, kind

    def _leaves_alone(self, function: FunctionNode, values: Values) -> bool:
        reader = Reader(values, self.knowledge)
        for statement in function.body:
            if any(event.act is not Act.LOAD for event in reader.events(statement)):
                return False
            for node in ast.walk(statement):
                if isinstance(node, ast.Attribute) and node.attr in _ENDS and values.kind(node.value) & Kind.SESSION:
                    return False
                if isinstance(node, ast.Yield | ast.YieldFrom | ast.Global | ast.Nonlocal | ast.Lambda | FunctionNode):
                    return False
                if isinstance(node, ast.Assign) and values.kind(node.value) & _KEPT and _is_kept(node):
                    return False
        return True


def _is_kept(node: ast.Assign) -> bool:
    return any(isinstance(t, ast.Attribute) for t in node.targets)


def _sets_attribute(node: ast.Attribute, name: str) -> bool:
    """Whether the file sets an attribute of that name: a method may then be another."""
    return node.attr == name and isinstance(node.ctx, ast.Store)
