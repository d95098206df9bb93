"""Functions of the project that build lists and texts for their callers: which they are, and how they are called."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ormlift.project.escape.elsewhere import Callee, Elsewhere
from ormlift.project.index import ProjectIndex
from ormlift.sql.built.names import CHANGES
from ormlift.syntax import FunctionNode, Module, dotted, walk_scope

ANCHOR = "an expression of another function"
_MOST = 40  # statements
_STATEMENTS = (
    ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr, ast.If, ast.Return, ast.Pass
)  # fmt: skip
_BUILDS = frozenset(["join", "format", "keys", "values", "items", "copy", "strip", *CHANGES])
_MAKES = frozenset(["list", "tuple", "dict", "len", "bool", "isinstance"])


@dataclass(frozen=True, eq=False)
class Helper:
    """A function that does nothing but to build."""

    function: ast.FunctionDef
    module: Module
    arguments: dict[str, ast.expr]  # by parameter, what this call passes, or the default
    defaults: frozenset[str]  # parameters that the call leaves to their defaults

    def changes(self) -> Iterator[tuple[str, str]]:
        """The caller's variables whose lists and dicts it may change, each with the parameter."""
        changed = set(_changed(self.function))
        for name, node in self.arguments.items():
            if isinstance(node, ast.Name) and name in changed and name not in self.defaults:
                yield node.id, name


@dataclass
class Helpers:
    """Finds them, from one function."""

    look: Callable[[ast.Call], Callee | None]
    patched: Callable[[str], bool]
    inlined: set[ast.stmt] = field(default_factory=set)  # calls that become what the function does there
    anchors: dict[tuple[ast.Call, ast.expr], ast.Constant] = field(default_factory=dict)  # what stands for an
    # expression of a function, in the file of the call
    places: dict[ast.expr, ast.stmt] = field(default_factory=dict)  # the statement of each of those
    _known: dict[ast.Call, Helper | None] = field(default_factory=dict)

    def of(self, call: ast.Call) -> Helper | None:
        """The function that a call runs, if it does nothing but to build."""
        if call not in self._known:
            self._known[call] = self._find(call)
        return self._known[call]

    def given(self, node: ast.AST) -> Iterator[str]:
        """The variables that a call hands on whose lists and dicts are changed there."""
        helper = self.of(node) if isinstance(node, ast.Call) and _is_plain(node) else None
        if helper is not None:
            yield from (name for name, _ in helper.changes())

    def anchor(self, call: ast.Call, node: ast.expr, place: ast.stmt) -> ast.Constant:
        """What stands for an expression of the function, at the call."""
        if (call, node) not in self.anchors:
            anchor = ast.copy_location(ast.Constant(ANCHOR), call)
            self.anchors[call, node], self.places[anchor] = anchor, place
        return self.anchors[call, node]

    def _find(self, call: ast.Call) -> Helper | None:
        if not dotted(call.func) or not _is_plain(call):
            return None
        found = self.look(call)
        if found is None or found.bound or not isinstance(found.function, ast.FunctionDef):
            return None
        function = found.function
        if function.decorator_list or self.patched(function.name) or not _only_builds(function):
            return None
        arguments = _arguments(call, function)
        if arguments is None:
            return None
        passed, defaults = arguments
        return Helper(function, found.module, {**defaults, **passed}, frozenset(defaults) - set(passed))


NONE = Helpers(lambda _: None, lambda _: True)


def helpers_of(module: Module, index: ProjectIndex) -> Helpers:
    """Those that a file can call."""
    look = Elsewhere(module, index)
    return Helpers(look.callee, lambda name: name in index.imports.patches or "*" in index.imports.patches)


def _is_plain(call: ast.Call) -> bool:
    return not any(isinstance(a, ast.Starred) for a in call.args) and all(k.arg for k in call.keywords)


def _only_builds(function: ast.FunctionDef) -> bool:
    """Whether the body has only statements and calls that build."""
    nodes = list(walk_scope(function))
    statements = [n for n in nodes if isinstance(n, ast.stmt)]
    if len(statements) > _MOST or not all(isinstance(s, _STATEMENTS) for s in statements):
        return False
    if any(isinstance(n, ast.Await | ast.Yield | ast.YieldFrom | ast.NamedExpr | ast.Lambda) for n in nodes):
        return False
    return all(_builds(n) for n in nodes if isinstance(n, ast.Call))


def _builds(call: ast.Call) -> bool:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr in _BUILDS
    return isinstance(call.func, ast.Name) and call.func.id in _MAKES


def _changed(function: ast.FunctionDef) -> Iterator[str]:
    """The names whose lists and dicts the body changes in place."""
    for node in walk_scope(function):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attr)) if attr in CHANGES:
                yield name
            case ast.AugAssign(target=ast.Name(id=name)):
                yield name
            case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
                yield name


def _arguments(call: ast.Call, function: ast.FunctionDef) -> tuple[dict[str, ast.expr], dict[str, ast.expr]] | None:
    """By parameter, what a call passes, and the defaults; None where that does not fit."""
    said = function.args
    if said.vararg or said.kwarg:
        return None
    positional = [a.arg for a in (*said.posonlyargs, *said.args)]
    names = [*positional, *(a.arg for a in said.kwonlyargs)]
    passed = dict(zip(positional, call.args, strict=False))
    named = {k.arg: k.value for k in call.keywords if k.arg}
    defaults = dict(zip(positional[len(positional) - len(said.defaults) :], said.defaults, strict=True))
    defaults |= {a.arg: d for a, d in zip(said.kwonlyargs, said.kw_defaults, strict=True) if d is not None}
    if len(call.args) > len(positional) or set(named) & set(passed) or not set(named) <= set(names):
        return None
    passed |= named
    if set(names) - set(passed) - set(defaults):
        return None
    return passed, defaults


def suite_of(function: FunctionNode) -> list[ast.stmt]:
    """The body without its docstring."""
    first, *rest = function.body
    is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return rest if is_text else function.body
