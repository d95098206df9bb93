"""What a parameter of a function is, going by all that calls it: events of SQLAlchemy, and calls of the project."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from ormlift.project.escape.choice import bound_in
from ormlift.project.index import ProjectIndex
from ormlift.project.names import is_test_path
from ormlift.sql.textual.listeners import Heard, hands, heard_by, is_listening, place_of
from ormlift.syntax import FunctionNode, Module, walk_scope


@dataclass(frozen=True)
class Parameter:
    """A parameter as a name in its function reads it."""

    function: FunctionNode
    arg: ast.arg


@dataclass(frozen=True)
class Given:
    """One value that a parameter is given: by an event, under the name it has there, or by a call."""

    module: Module
    heard: Heard | None = None
    name: str = ""
    node: ast.expr | None = None


def parameter_of(node: ast.Name, module: Module) -> Parameter | None:
    """The parameter that a name is, where its function binds it to nothing else."""
    for around in module.ancestors(node):
        if isinstance(around, ast.Lambda) and any(a.arg == node.id for a in _args(around)):
            return None
        if isinstance(around, FunctionNode):
            found = next((a for a in _args(around) if a.arg == node.id), None)
            if found is not None:
                return None if _is_bound_anew(node.id, around) else Parameter(around, found)
            if node.id in bound_in(around):
                return None
    return None


def _args(function: FunctionNode | ast.Lambda) -> list[ast.arg]:
    return [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]


def _is_bound_anew(name: str, function: FunctionNode) -> bool:
    nodes = (n for n in walk_scope(function) if not isinstance(n, ast.arg))
    stored = any(isinstance(n, ast.Name) and n.id == name and not isinstance(n.ctx, ast.Load) for n in nodes)
    declared = (n for n in ast.walk(function) if isinstance(n, ast.Nonlocal))
    return stored or any(name in n.names for n in declared)


def given_to(parameter: Parameter, module: Module, index: ProjectIndex) -> list[Given] | None:
    """All that a parameter is given; None where it cannot be told, or where nothing gives it anything."""
    function, arg = parameter.function, parameter.arg
    heard = heard_by(function, module)
    if heard is None:
        return None
    found = [Given(module, h, hands(function, arg, h, module)) for h in heard]
    called = list(_given_by_calls(parameter, module, index))
    if any(given is None for given in called):
        return None
    return [*found, *(given for given in called if given is not None)] or None


def _given_by_calls(parameter: Parameter, module: Module, index: ProjectIndex) -> Iterator[Given | None]:
    """What calls give it, in this file and in those that import the function; None for a use that is no call."""
    function = parameter.function
    place = place_of(function, parameter.arg, module)
    yield from _given_in(module, function.name, parameter.arg.arg, place, module.enclosing_class(function))
    if module.enclosing_function(function) is not None:
        return
    mentions = index.named.elsewhere(function.name, module.source.path)
    if module.enclosing_class(function) is not None:
        if mentions is None or any(not is_test_path(m.path) for m in mentions):
            yield None  # a method that other files name, or may
        return
    yield from (None for m in mentions or () if m.loose and not is_test_path(m.path))  # `module.function(..)`
    for path in index.imports.takers(module.source.path, function.name):
        other = index.texts.module(path) if not is_test_path(path) else module
        if other is None:
            yield None  # a file that is not held in memory calls it, with what is not known
        elif other is not module:
            yield from _given_elsewhere(other, parameter, place)


def _given_elsewhere(module: Module, parameter: Parameter, place: int) -> Iterator[Given | None]:
    """What calls of a file that imports the function give."""
    name = parameter.function.name
    local = (t for f in module.definitions if isinstance(f, FunctionNode) for t in module.local_imports(f).items())
    names = {a for a, target in (*module.imports.items(), *local) if target.rpartition(".")[2] == name}
    if any(alias.name == "*" for node in module.nodes(ast.ImportFrom) for alias in node.names):
        names.add(name)
    for alias in sorted(names):
        yield from _given_in(module, alias, parameter.arg.arg, place, None)


def _given_in(
    module: Module, function: str, arg: str, place: int, owner: ast.ClassDef | None
) -> Iterator[Given | None]:
    for node in _mentions(module, function, owner):
        call = module.parents.get(node)
        if isinstance(call, ast.Call) and call.func is node:
            value = _passed(call, arg, place)
            yield Given(module, node=value) if value is not None else None
        elif not (isinstance(call, ast.Call) and is_listening(call, "listen", module) and call.args[2:3] == [node]):
            yield None


def _mentions(module: Module, name: str, owner: ast.ClassDef | None) -> Iterator[ast.expr]:
    """Where a function is named, or a method by its object or class."""
    if owner is not None:
        for attribute in module.nodes(ast.Attribute):
            if attribute.attr == name:
                yield attribute
        return
    for node in module.nodes(ast.Name):
        if node.id == name and isinstance(node.ctx, ast.Load) and not _is_local(node, module):
            yield node


def _is_local(node: ast.Name, module: Module) -> bool:
    """Whether a function around binds the name to something that it does not import."""
    around = [f for f in module.ancestors(node) if isinstance(f, FunctionNode)]
    return any(node.id in bound_in(f) and node.id not in module.local_imports(f) for f in around)


def _passed(call: ast.Call, arg: str, place: int) -> ast.expr | None:
    """What a call passes for a parameter."""
    named = [k.value for k in call.keywords if k.arg == arg]
    if named:
        return named[0]
    if any(isinstance(a, ast.Starred) for a in call.args) or not 0 <= place < len(call.args):
        return None
    return call.args[place]
