"""The names that a call asks for on its way: whoever gives one of them another value changes what the call does.

`manager.get_session()` asks for `manager` in its file, for `get_session` of that object or its class, and for what the
body of `get_session` names. An early import is not asked again: behind `from app.db import get_session` it is the name
in this file that counts, not the one in `app/db.py`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ormlift.project.escape.choice import bound_in
from ormlift.project.flow.knowledge import QUIET_ROOTS
from ormlift.project.index import ProjectIndex
from ormlift.schema import Scope, SessionSource
from ormlift.syntax import FunctionNode, Module, dotted, every_node, walk_scope

_DEPTH = 4
_Object = tuple[str, str]  # an object of a module, as file and name
_NOBODY: _Object = ("", "")


@dataclass(frozen=True, slots=True)
class Hook:
    """A name that is asked for."""

    path: str  # the file in which it is a name; empty: of an object that could not be told
    name: str  # with the object or class before it, where it is an attribute
    tail: str = ""  # what is then asked of it: `manager` of `manager.get_session()` has `get_session`


@dataclass(frozen=True)
class Hooks:
    """Collects the hooks of one call, in `found`."""

    index: ProjectIndex
    found: set[Hook] = field(default_factory=set)
    _seen: set[tuple[str, int, _Object]] = field(default_factory=set)
    _variables: set[tuple[int, str]] = field(default_factory=set)

    def add_call(self, call: ast.expr, module: Module) -> None:
        """Those of the names in a call, not of what these lead to."""
        function = module.enclosing_function(call)
        for name in _names([call]):
            self._name(name, module, function, _NOBODY)

    def add_name(self, name: str, module: Module, function: FunctionNode | None) -> None:
        """Those of a dotted name that is called."""
        self._name(name, module, function, _NOBODY)

    def add_definition(self, made: SessionSource | Scope, of: _Object = _NOBODY) -> None:
        """Those of the function behind a call, which is a method of the object `of`: read once for all its calls."""
        known, key = self.index.definition_hooks, (made.path, made.line, made.owner, made.name, of)
        if key not in known:
            hooks = Hooks(self.index)
            hooks._define(made, of, _DEPTH)
            known[key] = frozenset(hooks.found)
        self.found.update(known[key])

    def _define(self, made: SessionSource | Scope, of: _Object, depth: int) -> None:
        if made.owner:
            self._attribute(of, made.path, made.owner, made.name, "")
        module, key = self.index.texts.module(made.path), (made.path, made.line, of)
        if module is None or not depth or key in self._seen:
            return
        self._seen.add(key)
        for function in module.definitions:
            first = min([function.lineno, *(d.lineno for d in function.decorator_list)])
            if isinstance(function, FunctionNode) and first <= made.line <= function.lineno:
                self._body(function, module, of, depth)

    def receiver(
        self, name: str, module: Module, function: FunctionNode | None, wanted: Mapping[str, str] | None = None
    ) -> _Object:
        """The object of a module that a method is called on by a dotted name; no names where it can't be told.

        `wanted` are imports that the file is to get.
        """
        holder = name.rpartition(".")[0]
        root = holder.partition(".")[0]
        local = {**(wanted or {}), **(module.local_imports(function) if function is not None else {})}
        bound = bound_in(function) if function is not None else set()
        if not holder or root in ("self", "cls") or (root in bound and root not in local):
            return _NOBODY
        place = self.index.place(module.source.path, holder, {**module.imports, **local})
        return (place.path, place.name) if place.path and place.name else _NOBODY

    def _body(self, function: FunctionNode, module: Module, of: _Object, depth: int) -> None:
        owner = module.enclosing_class(function)
        for name in _names(function.body):
            root, _, rest = name.partition(".")
            if root in QUIET_ROOTS:
                continue
            if root in ("self", "cls") and owner is not None:
                method, _, tail = rest.partition(".")
                self._attribute(of, module.source.path, owner.name, method, tail)
                for inner in owner.body:
                    if isinstance(inner, FunctionNode) and inner.name == method and depth:
                        self._body(inner, module, of, depth - 1)
            else:
                self._name(name, module, function, of)
        for call in every_node(*function.body):
            if not isinstance(call, ast.Call):
                continue
            made = self.index.source_of(call, module) or self.index.scope_of(call, module)
            if made is not None and made.line:
                self._define(made, self.receiver(dotted(call.func), module, function), depth - 1)

    def _attribute(self, of: _Object, path: str, owner: str, name: str, tail: str) -> None:
        if of[1]:
            self.found.add(Hook(of[0], f"{of[1]}.{name}", tail))
        self.found.update((Hook(path, f"{owner}.{name}", tail), Hook("", name, tail)))

    def _name(self, name: str, module: Module, function: FunctionNode | None, of: _Object) -> None:
        root, _, rest = name.partition(".")
        path = module.source.path
        local = module.local_imports(function) if function is not None else {}
        if root in ("self", "cls"):
            owner = module.enclosing_class(function) if function is not None else None
            head, _, tail = rest.partition(".")
            self._attribute(of, path, owner.name if owner is not None else "", head, tail)
            self._parts(tail)
        elif root in local or function is None or root not in bound_in(function):
            target = local.get(root) or module.imports.get(root, "")
            if root not in local:
                self.found.add(Hook(path, root, rest))
            self._imported(target, rest, module, late=root in local)
            place = self.index.place(path, name, {**module.imports, **local})
            if rest and place.path and "." in place.name:
                self.found.add(Hook(place.path, place.name))
                self._parts(rest)
        else:
            self._parts(rest)
            if (id(function), root) in self._variables:
                return
            self._variables.add((id(function), root))
            for value in _values_of(root, function):
                for inner in _names([value]):
                    self._name(inner, module, function, of)

    def _imported(self, target: str, rest: str, module: Module, *, late: bool) -> None:
        """What is asked of a module when the call runs: all of an import inside the function, or `db` of `db.name`."""
        if not target:
            return
        graph, path = self.index.imports, module.source.path
        if not late and not any(not name for _, name in graph.held_in(path, target)):
            return
        for file, said in graph.held_in(path, f"{target}.{rest}" if rest else target):
            head, _, tail = said.partition(".")
            if head:
                self.found.add(Hook(file, head, tail))

    def _parts(self, rest: str) -> None:
        """What is asked of objects that can't be told."""
        parts = rest.split(".") if rest else []
        self.found.update(Hook("", part, ".".join(parts[i + 1 :])) for i, part in enumerate(parts))


def _names(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """The longest dotted names in some pieces of code."""
    held: set[int] = set()
    for node in (inner for outer in nodes for inner in (outer, *walk_scope(outer))):
        if isinstance(node, ast.Attribute | ast.Name) and id(node) not in held and dotted(node):
            held.update(id(inner) for inner in every_node(node))
            yield dotted(node)


def _values_of(name: str, function: FunctionNode) -> Iterator[ast.expr]:
    """What a function's variable is given."""
    for node in walk_scope(function):
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(t, ast.Name) and t.id == name for t in targets):
                yield node.value
