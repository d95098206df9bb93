"""What becomes of a session that a route hands on: to functions, and to service objects that keep it.

Told is only what is certain: each function on the way is found, none of them commits or keeps the session elsewhere,
and one of them writes.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from ormlift.project.dependents import LOOKS, Dependent, discards, writes
from ormlift.project.escape.elsewhere import Callee, Elsewhere
from ormlift.project.index import ProjectIndex
from ormlift.project.injected import injected
from ormlift.syntax import FunctionNode, Module, dotted, every_node

_DEPTH = 4  # functions that the session may go through
_ENDS = frozenset({"commit", "begin", "begin_nested"})


@dataclass(frozen=True)
class Deed:
    """What code does with a session that it is handed."""

    writes: str = ""  # where: `app/jobs.py:12`
    commits: bool = False
    unknown: bool = False  # some of it can't be followed

    def __or__(self, other: Deed) -> Deed:
        return Deed(self.writes or other.writes, self.commits or other.commits, self.unknown or other.unknown)

    @property
    def loses(self) -> bool:
        """Whether what it writes is lost where nobody else commits."""
        return bool(self.writes) and not self.commits and not self.unknown


UNKNOWN = Deed(unknown=True)


@dataclass(frozen=True)
class _Service:
    """A class whose objects keep a session."""

    owner: ast.ClassDef
    module: Module
    session: str  # `self.db`


@dataclass(frozen=True)
class Handed:
    """Follows the session of one dependency through the project."""

    index: ProjectIndex
    _seen: set[tuple[str, int, str]] = field(default_factory=set)

    def losing(self, path: str, dependent: Dependent) -> Iterator[tuple[str, Dependent, str]]:
        """The functions that lose what others write for them, each with where that is written."""
        module = self.index.texts.module(path)
        found = _function(module, dependent) if module is not None else None
        if module is None or found is None:
            return
        function, name = found
        if (made := _returned(function, name)) is not None:
            service = self._service(made, name, module)
            for other, user in self.index.dependents(path, dependent.name) if service is not None else ():
                if service is not None and (place := self._through(other, user, service)):
                    yield other, user, place
            return
        self._seen.clear()
        deed = self._deed(function, module, name, _DEPTH)
        if deed.loses:
            yield path, dependent, deed.writes

    def _through(self, path: str, dependent: Dependent, service: _Service) -> str:
        """Where a function that is handed a service lets it write; empty where that is not lost, or not known."""
        module = self.index.texts.module(path)
        found = _function(module, dependent) if module is not None else None
        if module is None or found is None or dependent.commits:
            return ""
        self._seen.clear()
        deed = self._by_service(found[0], module, found[1], service, _DEPTH)
        return deed.writes if deed.loses else ""

    # A function

    def _deed(
        self, function: FunctionNode, module: Module, session: str, depth: int, service: _Service | None = None
    ) -> Deed:
        key = (module.source.path, function.lineno, session)
        if key in self._seen:
            return Deed()
        self._seen.add(key)
        nodes = every_node(*function.body)
        calls = [n for n in nodes if isinstance(n, ast.Call)]
        if any(isinstance(c.func, ast.Attribute) and c.func.attr in _ENDS for c in calls):
            return Deed(commits=True)
        if any(discards(module, c, session) for c in calls):
            return Deed(commits=True)
        line = min((c.lineno for c in calls if writes(c, session)), default=0)
        deed = Deed(f"{module.source.path}:{line}" if line else "")
        for node in nodes:
            if isinstance(node, ast.Name | ast.Attribute) and dotted(node) == session:
                deed |= self._use(node, module, depth)
        return deed | self._own_methods(nodes, module, service, depth) if service is not None else deed

    def _use(self, node: ast.Name | ast.Attribute, module: Module, depth: int) -> Deed:
        parent = module.parents[node]
        call = module.parents[parent] if isinstance(parent, ast.keyword) else parent
        if not isinstance(node.ctx, ast.Load):
            return UNKNOWN
        if isinstance(call, ast.Call) and call.func is not node:
            return Deed() if dotted(call.func) in LOOKS else self._handed(call, node, module, depth)
        plain = isinstance(parent, ast.Attribute | ast.If | ast.UnaryOp | ast.Compare | ast.BoolOp)
        return Deed() if plain else UNKNOWN

    def _handed(self, call: ast.Call, node: ast.expr, module: Module, depth: int) -> Deed:
        """What a call does with the session that it is given."""
        elsewhere = Elsewhere(module, self.index)
        if not depth:
            return UNKNOWN
        if elsewhere.class_of(call) is not None:
            service = self._service(call, dotted(node), module)
            return self._kept(call, service, module, depth) if service is not None else UNKNOWN
        callee = elsewhere.callee(call)
        name = _parameter(callee, call, node) if callee is not None else ""
        return self._deed(callee.function, callee.module, name, depth - 1) if callee is not None and name else UNKNOWN

    # An object that keeps it

    def _service(self, call: ast.Call, session: str, module: Module) -> _Service | None:
        """The class that a call makes an object of, where its constructor only keeps the session."""
        elsewhere = Elsewhere(module, self.index)
        made = elsewhere.class_of(call)
        init = elsewhere.method_of(*made, "__init__") if made is not None else None
        given = next((a for a in (*call.args, *(k.value for k in call.keywords)) if dotted(a) == session), None)
        name = _parameter(init, call, given) if init is not None and given is not None else ""
        if made is None or init is None or not name:
            return None
        uses = [n for n in every_node(*init.function.body) if isinstance(n, ast.Name) and n.id == name]
        target = init.module.parents[uses[0]] if len(uses) == 1 else None
        match target:
            case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=attr)], value=ast.Name()):
                return _Service(*made, f"self.{attr}")
            case _:
                return None

    def _kept(self, call: ast.Call, service: _Service, module: Module, depth: int) -> Deed:
        """What is done with the object: by its variable, or on the spot."""
        parent, function = module.parents[call], module.enclosing_function(call)
        match parent:
            case ast.Assign(targets=[ast.Name(id=name)]) if function is not None:
                return self._by_service(function, module, name, service, depth)
            case ast.Attribute():
                return self._method(parent, module, service, depth)
            case _:
                return UNKNOWN

    def _by_service(self, function: FunctionNode, module: Module, name: str, service: _Service, depth: int) -> Deed:
        """What the methods do that a function calls on a service of that name."""
        deed = Deed()
        nodes = [n for n in every_node(*function.body) if isinstance(n, ast.Name) and n.id == name]
        if sum(1 for n in nodes if isinstance(n.ctx, ast.Store)) > 1:
            return UNKNOWN
        for node in nodes:
            if isinstance(node.ctx, ast.Load):
                deed |= self._method(module.parents[node], module, service, depth)
        return deed

    def _method(self, node: ast.AST, module: Module, service: _Service, depth: int) -> Deed:
        call = module.parents.get(node)
        if not (isinstance(node, ast.Attribute) and isinstance(call, ast.Call) and call.func is node):
            return UNKNOWN
        callee = Elsewhere(service.module, self.index).method_of(service.owner, service.module, node.attr)
        if callee is None or not depth:
            return UNKNOWN
        return self._deed(callee.function, callee.module, service.session, depth - 1, service)

    def _own_methods(self, nodes: list[ast.AST], module: Module, service: _Service, depth: int) -> Deed:
        """What the other methods do that a method calls; unknown where the object itself goes elsewhere."""
        deed = Deed()
        for node in nodes:
            if isinstance(node, ast.Name) and node.id == "self":
                parent = module.parents[node]
                if not isinstance(parent, ast.Attribute):
                    return UNKNOWN
                call = module.parents[parent]
                if isinstance(call, ast.Call) and call.func is parent:
                    deed |= self._method(parent, module, service, depth)
                elif any(isinstance(d, FunctionNode) and d.name == parent.attr for d in service.owner.body):
                    return UNKNOWN  # a property, or a method that others may call
        return deed


def _function(module: Module, dependent: Dependent) -> tuple[FunctionNode, str] | None:
    """The function, and the parameter that it is handed the session by."""
    for node in module.definitions:
        if isinstance(node, FunctionNode) and node.name == dependent.name and node.lineno == dependent.line:
            names = [name for name, given in injected(node) if dotted(given) == dependent.dependency]
            return (node, names[0]) if len(names) == 1 else None
    return None


def _returned(function: FunctionNode, name: str) -> ast.Call | None:
    """`return Service(db)`, where the function does no more."""
    body = [s for s in function.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    match body:
        case [ast.Return(value=ast.Call() as call)]:
            given = [*call.args, *(k.value for k in call.keywords)]
            return call if any(dotted(a) == name for a in given) else None
        case _:
            return None


def _parameter(callee: Callee, call: ast.Call, given: ast.expr) -> str:
    """The parameter that an argument of a call becomes; empty where that is not plain."""
    arguments = callee.function.args
    names = [a.arg for a in (*arguments.posonlyargs, *arguments.args)][1 if callee.bound else 0 :]
    for position, value in enumerate(call.args):
        if isinstance(value, ast.Starred):
            return ""
        if value is given:
            return names[position] if position < len(names) else ""
    known = {*names, *(a.arg for a in arguments.kwonlyargs)}
    return next((k.arg for k in call.keywords if k.value is given and k.arg in known), "") or ""
