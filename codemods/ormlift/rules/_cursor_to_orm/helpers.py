"""Which function a call runs, whether that executes one of its parameters, and what the call passes."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from ormlift.project.escape.elsewhere import Callee, Elsewhere, binders_of
from ormlift.project.index import ProjectIndex
from ormlift.syntax import FunctionNode, Module, dotted, walk_scope

_EXECUTES = frozenset(["execute", "executemany", "execute_fetchall"])
_VERBS = "select|insert|update|delete|with|replace"
_VERB = re.compile(rf"\s*(?:--[^\n]*\n\s*)*(?:{_VERBS})\b", re.IGNORECASE)
_TEXT = re.compile(rf"[\"'](?:\s|\\n|--[^\n]*\n)*(?:{_VERBS})\s", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Helped:
    """A call that hands SQL to a function of the project which executes it."""

    call: ast.Call
    function: FunctionNode
    module: Module  # of the function
    receiver: str  # what its first parameter is, where the call does not pass it: `self`; empty for a function
    sql: str  # the parameter that is executed

    @property
    def where(self) -> str:
        """The function's place, for the reader."""
        return f"{self.module.source.path}:{self.function.lineno}"


def helped_calls(module: Module, index: ProjectIndex) -> Iterator[Helped]:
    """The calls of a file that hand SQL text to a function of the project which executes it."""
    if not holds_sql(module.source.text):
        return
    look, named = Elsewhere(module, index), _sql_names(module)
    for call in module.calls:
        if not dotted(call.func) or not any(_is_sql(node, named) for node in _given(call)):
            continue
        found = _callee(call, module, look, index)
        if found is None or found.function in module.ancestors(call):
            continue
        sql = _executed(found.function)
        if sql:
            receiver = dotted(call.func).rpartition(".")[0] if found.bound else ""
            yield Helped(call, found.function, found.module, receiver, sql)


def holds_sql(text: str) -> bool:
    """Whether a file's text may hold a statement in quotes."""
    return _TEXT.search(text) is not None


def _given(call: ast.Call) -> Iterator[ast.expr]:
    yield from call.args
    yield from (k.value for k in call.keywords)


def _sql_names(module: Module) -> set[str]:
    """The variables that are bound to SQL somewhere in the file."""
    assigned = ((s.targets[0], s.value) for s in module.nodes(ast.Assign))
    return {target.id for target, value in assigned if isinstance(target, ast.Name) and _is_sql(value, ())}


def _is_sql(node: ast.expr, named: Collection[str]) -> bool:
    match node:
        case ast.Name(id=name):
            return name in named
        case ast.Constant(value=str() as text) | ast.JoinedStr(values=[ast.Constant(value=str() as text), *_]):
            return _VERB.match(text) is not None
        case ast.BinOp(left=left, op=ast.Add() | ast.Mod()):
            return _is_sql(left, named)
        case ast.Call(func=ast.Attribute(value=value, attr="format")):
            return _is_sql(value, named)
        case _:
            return False


def _callee(call: ast.Call, module: Module, look: Elsewhere, index: ProjectIndex) -> Callee | None:
    name = dotted(call.func)
    head, _, method = name.partition(".")
    if head not in ("self", "cls"):
        return look.callee(call)
    owner = module.enclosing_class(call)
    if owner is None or "." in method or method in index.overridden.get(owner.name, ()):
        return None
    if _binds_below(owner, method, module) or not _is_first_parameter(head, call, module):
        return None
    return look.method_of(owner, module, method)


def _binds_below(owner: ast.ClassDef, method: str, module: Module) -> bool:
    """Whether a class of the file that inherits from another one, also in a function, binds a method anew."""
    below, grown = {owner.name}, True
    classes = [c for c in module.nodes(ast.ClassDef) if c is not owner]
    while grown:
        more = {c.name for c in classes if {dotted(b).rpartition(".")[2] for b in c.bases} & below} - below
        below, grown = below | more, bool(more)
    return any(list(binders_of(walk_scope(c), method)) for c in classes if c.name in below)


def _is_first_parameter(name: str, call: ast.Call, module: Module) -> bool:
    """Whether a name at a call is what the method around it is called on."""
    for around in module.ancestors(call):
        if isinstance(around, ast.Lambda) and list(binders_of(ast.walk(around.args), name)):
            return False
        if isinstance(around, FunctionNode):
            stored = set(binders_of([*walk_scope(around), *ast.walk(around.args)], name))
            if stored:
                parameters = [*around.args.posonlyargs, *around.args.args]
                return stored == set(parameters[:1]) and isinstance(module.parents[around], ast.ClassDef)
    return False


def _executed(function: FunctionNode) -> str:
    """The one parameter that a function executes, on a connection that it is not handed."""
    names = {a.arg for a in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)}
    found: set[str] = set()
    for node in walk_scope(function):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr in (*_EXECUTES, "cursor") and dotted(node.func.value) in names:
            return ""
        if node.func.attr in _EXECUTES and node.args and dotted(node.args[0]) in names:
            found.add(dotted(node.args[0]))
    return found.pop() if len(found) == 1 else ""


def passed(helped: Helped) -> dict[str, ast.expr] | None:
    """By parameter what a call passes; `*args` as a tuple. None where that can't be told."""
    call, said = helped.call, helped.function.args
    if said.kwarg or any(isinstance(a, ast.Starred) for a in call.args) or not all(k.arg for k in call.keywords):
        return None
    names = [a.arg for a in (*said.posonlyargs, *said.args)]
    names = names[1:] if helped.receiver else names
    named = {k.arg: k.value for k in call.keywords if k.arg}
    given = dict(zip(names, call.args, strict=False))
    rest = call.args[len(names) :]
    known = {*names, *(a.arg for a in said.kwonlyargs)}
    if (rest and said.vararg is None) or set(named) & set(given) or not set(named) <= known:
        return None
    if said.vararg is not None:
        given[said.vararg.arg] = ast.Tuple(elts=list(rest), ctx=ast.Load())
    return {**given, **named}


def defaults(function: FunctionNode) -> dict[str, ast.expr]:
    """The defaults of a function's parameters."""
    said = function.args
    names = [a.arg for a in (*said.posonlyargs, *said.args)]
    found = dict(zip(names[len(names) - len(said.defaults) :], said.defaults, strict=True))
    return found | {a.arg: d for a, d in zip(said.kwonlyargs, said.kw_defaults, strict=True) if d is not None}
