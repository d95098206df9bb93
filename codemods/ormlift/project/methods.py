"""Reads whether a method of a class changes its instance, as far as its own body tells."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass

from ormlift.syntax import FunctionNode, dotted, every_node


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_CHANGERS = _words(
    "append extend insert remove pop clear add discard update setdefault popitem sort reverse appendleft"
)
_LOOKS = _words(
    "str repr isinstance issubclass hasattr getattr type id format vars dir inspect super int bool hash print len "
    "sa_inspect class_mapper object_mapper callable asdict log debug info warning error exception"
)
_PROPERTIES = frozenset({"property", "hybrid_property", "cached_property", "hybrid_method"})


@dataclass(frozen=True, slots=True)
class Method:
    """One method, and what it does to the object it is called on."""

    name: str
    changes: bool = False  # sets something below self, or hands self on to who may
    calls: tuple[str, ...] = ()  # other methods of self that it calls, and attributes of self that it reads
    is_property: bool = False
    reads: tuple[str, ...] = ()  # the attributes of self that it names
    whole: bool = False  # it uses self otherwise than by an attribute: returns it, passes it on


def read_method(node: FunctionNode, decorators: frozenset[str]) -> Method:
    """What one method does."""
    is_property = bool(decorators & _PROPERTIES)
    arguments = [*node.args.posonlyargs, *node.args.args]
    if not arguments or decorators & {"staticmethod", "classmethod"}:
        return Method(node.name, is_property=is_property)
    me = arguments[0].arg
    body = every_node(*node.body)
    nodes = [*body, *every_node(node.args, *node.decorator_list)]
    attributes = [n for n in nodes if isinstance(n, ast.Attribute)]
    used = {n.attr for n in attributes if isinstance(n.value, ast.Call) or dotted(n.value) == "super"}
    through = [n.attr for n in attributes if isinstance(n.value, ast.Name) and n.value.id == me]
    named = sum(1 for n in nodes if isinstance(n, ast.Name) and n.id == me)
    calls = tuple(sorted(used.union(through)))
    changes = any(_changes(n, me) for n in body)
    return Method(node.name, changes, calls, is_property, tuple(sorted(set(through))), named > len(through))


def _changes(node: ast.AST, me: str) -> bool:
    match node:
        case ast.Attribute(value=base, ctx=ast.Store() | ast.Del()):
            return bool(_root(base))
        case ast.Subscript(value=base, ctx=ast.Store() | ast.Del()):
            return _root(base) == me
        case ast.Assign(value=ast.Name(id=name)) | ast.NamedExpr(value=ast.Name(id=name)):
            return name == me
        case ast.Call(func=ast.Attribute(value=base, attr=attr)) if attr in _CHANGERS and _root(base) == me:
            return True
        case ast.Call(func=func, args=args, keywords=keywords):
            handed = any(isinstance(a, ast.Name) and a.id == me for a in (*args, *(k.value for k in keywords)))
            return handed and dotted(func).rpartition(".")[2] not in _LOOKS
        case _:
            return False


def _root(node: ast.expr) -> str:
    """The name at the bottom of a chain of attributes, items and calls; empty where it is another expression."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def mutating(methods: Iterable[Method]) -> frozenset[str]:
    """The names of those that change the object, by themselves or through another of them."""
    grouped: dict[str, list[Method]] = {}
    for method in methods:
        grouped.setdefault(method.name, []).append(method)
    found = {name for name, group in grouped.items() if any(m.changes for m in group)}
    while True:
        more = {name for name, group in grouped.items() if any(found & set(m.calls) for m in group)}
        if more <= found:
            return frozenset(found)
        found |= more
