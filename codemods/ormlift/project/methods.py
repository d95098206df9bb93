"""Reads whether a method of a class changes its instance, as far as its own body tells."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

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
_READS = _words(
    "list tuple set dict sorted sum min max any all enumerate zip map filter reversed join dumps loads append"
)
_ON_LOAD = frozenset({"reconstructor", "on_load"})
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
    sets: tuple[str, ...] = ()  # the attributes of self that it sets
    asks: tuple[str, ...] = ()  # methods that it calls of what it reaches through self: `finish` of `self.job.finish()`
    hands: tuple[str, ...] = ()  # attributes of self of which it passes on what they hold
    on_load: bool = False  # it runs whenever an instance is loaded


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
    reached = _reached(body, me)
    return Method(
        node.name,
        any(_changes(n, me, reached) for n in body),
        tuple(sorted(used.union(through))),
        is_property,
        tuple(sorted(set(through))),
        named > len(through),
        tuple(sorted({n.attr for n in attributes if _is_set(n) and dotted(n.value) == me})),
        tuple(sorted(set(_asks(body, me, reached)))),
        tuple(sorted(set(_hands(body, me, reached)))),
        bool(decorators & _ON_LOAD),
    )


def _reached(body: list[ast.AST], me: str) -> dict[str, str]:
    """The variables that hold what is reached through self, with the attribute that leads there."""
    reached: dict[str, str] = {}
    while True:
        before = len(reached)
        for node in body:
            match node:
                case ast.For(target=target, iter=value) | ast.AsyncFor(target=target, iter=value):
                    pass
                case ast.comprehension(target=target, iter=value) | ast.NamedExpr(target=target, value=value):
                    pass
                case ast.Assign(targets=[target], value=value):
                    pass
                case _:
                    continue
            if (way := _way(value, me, reached)) is not None:
                names = (n for n in every_node(target) if isinstance(n, ast.Name))
                reached.update({n.id: way for n in names if n.id not in reached})
        if len(reached) == before:
            return reached


def _way(node: ast.expr, me: str, reached: Mapping[str, str]) -> str | None:
    """The attribute of self by which an expression is reached; None for anything else."""
    last = ""
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return next((way for e in node.elts if (way := _way(e, me, reached)) is not None), None)
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
            node = node.args[0]  # such as enumerate(self.tasks)
            continue
        last = node.attr if isinstance(node, ast.Attribute) else last
        node = node.func if isinstance(node, ast.Call) else node.value
    if not isinstance(node, ast.Name):
        return None
    return last or None if node.id == me else reached.get(node.id)


def _asks(body: list[ast.AST], me: str, reached: Mapping[str, str]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            base = node.func.value
            if not isinstance(base, ast.Call) and _way(base, me, reached) is not None:
                yield node.func.attr


def _hands(body: list[ast.AST], me: str, reached: Mapping[str, str]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.Call) and dotted(node.func) and not _is_look(node.func):
            for given in (*node.args, *(k.value for k in node.keywords)):
                if isinstance(given, ast.Name | ast.Attribute) and (way := _way(given, me, reached)) is not None:
                    yield way


def _is_look(func: ast.expr) -> bool:
    """Whether a function that is handed a part of self is taken to read it only, for what it is called."""
    last = dotted(func).rpartition(".")[2]
    return last in _LOOKS or last in _READS or last.startswith(("to_", "format", "serialize", "_serialize", "_format"))


def _is_set(node: ast.Attribute) -> bool:
    return isinstance(node.ctx, ast.Store | ast.Del)


def _changes(node: ast.AST, me: str, reached: Mapping[str, str]) -> bool:
    match node:
        case ast.Attribute(value=base, ctx=ast.Store() | ast.Del()):
            return bool(_root(base)) and dotted(base) != me
        case ast.Subscript(value=base, ctx=ast.Store() | ast.Del()):
            return _root(base) == me
        case ast.Assign(value=ast.Name(id=name)) | ast.NamedExpr(value=ast.Name(id=name)):
            return name == me
        case ast.Call(func=ast.Attribute(value=base, attr=attr)) if attr in _CHANGERS and _root(base) in {me, *reached}:
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


def mutating(
    methods: Iterable[Method],
    columns: Collection[str] = (),
    related: Collection[str] = (),
    others: Collection[str] = (),
) -> frozenset[str]:
    """The names of those that change the object or one that it is related to, by themselves or through another of them.

    `columns` are the attributes that the database knows, where all of these are known; `related` those that hold other
    instances; `others` the methods of any class that change their object.
    """
    grouped: dict[str, list[Method]] = {}
    for method in methods:
        grouped.setdefault(method.name, []).append(method)
    found = {name for name, group in grouped.items() if any(_is_change(m, columns, related, others) for m in group)}
    while True:
        more = {name for name, group in grouped.items() if any(found & set(m.calls) for m in group)}
        if more <= found:
            return frozenset(found)
        found |= more


def changes_others(methods: Iterable[Method], related: Collection[str], others: Collection[str]) -> bool:
    """Whether what runs when an instance is loaded may change another; what it sets on its own is taken as loaded."""
    methods = [replace(m, sets=()) for m in methods]
    changing = mutating(methods, (), related, others)
    return any(m.on_load and m.name in changing for m in methods)


def _is_change(method: Method, columns: Collection[str], related: Collection[str], others: Collection[str]) -> bool:
    """Whether a method changes something by itself; of its own state, what is private and no column does not count."""
    sets = [name for name in method.sets if not columns or name in columns or not name.startswith("_")]
    return bool(method.changes or sets or set(method.asks) & set(others) or set(method.hands) & set(related))
