"""Objects of the project's classes that keep the session: what their constructor stores, and what their methods do."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ormlift.project.escape.elsewhere import Elsewhere, binders_of
from ormlift.project.flow.values import Kind, Values
from ormlift.syntax import FunctionNode, Module, dotted, walk_scope

_GENERATIONS = 4


@dataclass(frozen=True)
class Made:
    """An object whose class is certain."""

    owner: ast.ClassDef
    module: Module
    attributes: Mapping[str, Kind] = field(default_factory=dict)  # what they hold that is not plain
    objects: Mapping[str, Made] = field(default_factory=dict)  # attributes that hold such objects
    methods: frozenset[str] = frozenset()  # what its classes define: read without a call, they hold the object
    decorated: frozenset[str] = frozenset()  # those that may run when they are read

    def given(self, me: str) -> dict[str, Kind]:
        """The kinds of names in a method whose object is called `me`."""
        kinds = {**dict.fromkeys(self.methods, Kind.HOLDER), **self.attributes}
        return {me: Kind.HOLDER, **{f"{me}.{name}": kind for name, kind in kinds.items()}}


def methods_of(classes: list[tuple[ast.ClassDef, Module]]) -> tuple[frozenset[str], frozenset[str]]:
    """The names of all methods, and of those with a decorator."""
    functions = [node for owner, _ in classes for node in owner.body if isinstance(node, FunctionNode)]
    plain = ("staticmethod", "classmethod")
    decorated = {f.name for f in functions if any(dotted(d) not in plain for d in f.decorator_list)}
    return frozenset(f.name for f in functions), frozenset(decorated)


def runs_when_set(classes: list[tuple[ast.ClassDef, Module]]) -> frozenset[str]:
    """The names of a class that may run code when they are set: methods with a decorator, and what a call makes."""
    found: set[str] = set()
    for node in (statement for owner, _ in classes for statement in owner.body):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found.add(name)
            case ast.Assign(targets=targets, value=ast.Call()):
                found |= {t.id for t in targets if isinstance(t, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Call()):
                found.add(name)
            case _:
                pass
    return frozenset(found)


def lineage(made: tuple[ast.ClassDef, Module], elsewhere: Elsewhere) -> list[tuple[ast.ClassDef, Module]] | None:
    """A class and those that it inherits from; None where one of them is not certain, or answers for its attributes."""
    found = [made]
    while True:
        owner, module = found[-1]
        special = {name for node in owner.body for name in _defined(node) if name.startswith("__")} - {"__init__"}
        if owner.decorator_list or owner.keywords or special or len(found) > _GENERATIONS:
            return None  # a special method may run without being named
        if not elsewhere.has_base(owner):
            return found
        base = elsewhere.base_of(owner, module)
        if base is None:
            return None
        found.append(base)


def _defined(node: ast.stmt) -> Iterator[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            yield name
        case ast.Assign(targets=targets):
            yield from (t.id for t in targets if isinstance(t, ast.Name))
        case _:
            pass


def stored_on(me: str, function: FunctionNode, seen: Values) -> dict[str, tuple[Kind, ast.expr | None]] | None:
    """By attribute of the object, what a method stores there; None where that can't be told."""
    stored: dict[str, tuple[Kind, ast.expr | None]] = {}
    for node in walk_scope(function):
        if not isinstance(node, ast.Attribute) or isinstance(node.ctx, ast.Load) or dotted(node.value) != me:
            continue
        parent = seen_parent(function, node)
        match parent:
            case ast.Assign(targets=[target], value=value) if target is node:
                pass
            case ast.AnnAssign(value=ast.expr() as value) | ast.AugAssign(value=value):
                pass
            case ast.AnnAssign():
                continue
            case _:
                return None
        kind = seen.kind(value) | stored.get(node.attr, (Kind.PLAIN, None))[0]
        stored[node.attr] = (kind, value if node.attr not in stored else None)
    return stored


def seen_parent(function: FunctionNode, node: ast.AST) -> ast.AST | None:
    """The node of a function that holds another."""
    return next((outer for outer in ast.walk(function) if node in ast.iter_child_nodes(outer)), None)


def maker_of(name: str, at: ast.expr, module: Module) -> ast.Call | None:
    """The one call that makes what a variable of the function around `at` holds; None where that is not certain."""
    function = module.enclosing_function(at)
    if function is None:
        return None
    found = list(binders_of([*walk_scope(function), *ast.walk(function.args)], name))
    statement = module.parents.get(found[0]) if len(found) == 1 else None
    match statement:
        case ast.Assign(targets=[target], value=ast.Call() as made) if target is found[0]:
            return made
        case _:
            return None
