"""Expressions that may hand out a session or a connection, in the little of them that linking needs.

A file is read alone, so `SessionLocal()` cannot yet be told from any other call. It is kept as a `Handle`: a small tree
of names, attributes and calls, with the function's local variables already put in place.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from ormlift.project.bodies import flat
from ormlift.syntax import FunctionNode, dotted

YIELDING = {"Iterator", "Generator", "AsyncIterator", "AsyncGenerator", "ContextManager", "AsyncContextManager"}
DEPTH = 10  # how far local variables are followed: enough for real code, and an end to cycles


@dataclass(frozen=True, slots=True)
class Handle:
    """One expression. Which fields are set depends on `op`."""

    op: str  # name | attr | call | tuple | any | enter | param | set | stored
    name: str = ""  # name: the dotted name; attr: the attribute; param: the annotation
    base: Handle | None = None  # attr: of what; call: what is called; enter: what `with` enters; set, stored: the value
    first: Handle | None = None  # call: its first argument, positional or `bind=`
    database: str = ""  # call: the source text of what says which database, as `connect()` takes it
    options: tuple[tuple[str, str], ...] = ()  # call: its keywords; set: the attributes assigned; both as source text
    items: tuple[Handle, ...] = ()  # tuple: the elements; any: the values that it may have

    @property
    def root(self) -> str:
        """The dotted name at the bottom of it, or the empty string."""
        node: Handle | None = self
        while node is not None and node.op not in ("name", "tuple", "any", "param"):
            node = node.base
        return node.name if node is not None and node.op == "name" else ""


@dataclass
class Locals:
    """What a function's own variables hold."""

    values: dict[str, list[tuple[str, ast.expr]]] = field(default_factory=dict)  # (how: "is" or "enter", expression)
    settings: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    shared: set[str] = field(default_factory=set)  # names that outlive the call: globals; dotted names always do

    def binds(self, name: str) -> bool:
        """Whether the function itself binds a name."""
        return name in self.values or name in self.params


def read_locals(function: FunctionNode | None, statements: list[ast.stmt] | None = None) -> Locals:
    """The local variables of a function, its parameters, and the attributes it sets on them.

    `statements` are those of its body, flat, where they are known already.
    """
    found = Locals()
    if function is None:
        return found
    arguments = function.args
    for arg in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        if arg.arg not in ("self", "cls"):
            found.params[arg.arg] = annotation_name(arg.annotation)
    for node in flat(function.body) if statements is None else statements:
        if isinstance(node, ast.Global):
            found.shared.update(node.names)
        for target, how, value in bindings(node):
            _bind(found, target, how, value)
    return found


def _bind(found: Locals, target: ast.expr, how: str, value: ast.expr) -> None:
    name = dotted(target)
    if name and not (isinstance(value, ast.Constant) and value.value is None):
        found.values.setdefault(name, []).append((how, value))
    if isinstance(target, ast.Attribute) and (owner := dotted(target.value)):
        found.settings.setdefault(owner, []).append((target.attr, ast.unparse(value)))


def bindings(node: ast.stmt) -> Iterator[tuple[ast.expr, str, ast.expr]]:
    """The (target, how, value) that a statement binds; a tuple is taken apart where both sides are one."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield from _unpacked(target, node.value)
    elif isinstance(node, ast.AnnAssign):
        if node.value is not None:
            yield node.target, "is", node.value
    elif isinstance(node, ast.With | ast.AsyncWith):
        for item in node.items:
            if item.optional_vars is not None:
                yield item.optional_vars, "enter", item.context_expr
    elif isinstance(node, ast.If | ast.While):
        test = node.test.left if isinstance(node.test, ast.Compare) else node.test
        if isinstance(test, ast.NamedExpr):
            yield test.target, "is", test.value


def _unpacked(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, str, ast.expr]]:
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
        for left, right in zip(target.elts, value.elts, strict=True):
            yield left, "is", right
    else:
        yield target, "is", value


def annotation_name(node: ast.expr | None) -> str:
    """The name that an annotation names, without Optional, quotes and `| None`; empty where there is no single one."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        try:
            node = ast.parse(node.value, mode="eval").body
        except SyntaxError:
            return ""
    if isinstance(node, ast.Subscript) and dotted(node.value).rpartition(".")[2] == "Optional":
        return annotation_name(node.slice)
    if isinstance(node, ast.Subscript) and dotted(node.value).rpartition(".")[2] == "Annotated":
        return annotation_name(node.slice.elts[0]) if isinstance(node.slice, ast.Tuple) else ""
    if isinstance(node, ast.Subscript) and dotted(node.value).rpartition(".")[2] in YIELDING:
        return annotation_name(node.slice.elts[0] if isinstance(node.slice, ast.Tuple) else node.slice)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        sides = [s for s in (node.left, node.right) if not (isinstance(s, ast.Constant) and s.value is None)]
        return annotation_name(sides[0]) if len(sides) == 1 else ""
    return dotted(node) if node is not None else ""


def read_handle(node: ast.expr, known: Locals, depth: int = DEPTH) -> Handle | None:
    """The handle of an expression, or None where it is of no such shape."""
    if depth == 0:
        return None
    match node:
        case ast.Await(value=value) | ast.NamedExpr(value=value):
            return read_handle(value, known, depth)
        case ast.Tuple(elts=elements):
            items = [read_handle(e, known, depth - 1) for e in elements]
            return Handle("tuple", items=tuple(i or Handle("any") for i in items))
        case ast.IfExp(body=body, orelse=orelse):
            return _any([body, orelse], known, depth)
        case ast.BoolOp(op=ast.Or(), values=values):
            return _any(values, known, depth)
        case ast.Call():
            return _call(node, known, depth)
        case ast.Name() | ast.Attribute():
            return _name(node, known, depth)
    return None


def _any(nodes: list[ast.expr], known: Locals, depth: int) -> Handle | None:
    return alternatives([read_handle(n, known, depth - 1) for n in nodes if not isinstance(n, ast.Constant)])


def alternatives(handles: list[Handle | None]) -> Handle | None:
    """One handle for several possible values; None if one of them cannot be read."""
    unique = list(dict.fromkeys(handles))
    present = [h for h in unique if h is not None]
    if not present or len(present) < len(unique):
        return None
    return present[0] if len(present) == 1 else Handle("any", items=tuple(present))


def _call(node: ast.Call, known: Locals, depth: int) -> Handle | None:
    base = read_handle(node.func, known, depth - 1)
    if base is None:
        return None
    bind = node.args[0] if node.args else next((k.value for k in node.keywords if k.arg == "bind"), None)
    return Handle(
        "call",
        base=base,
        first=read_handle(bind, known, depth - 1) if bind is not None else None,
        database=_database(node),
        options=tuple((k.arg or "**", ast.unparse(k.value)) for k in node.keywords),
    )


def _database(node: ast.Call) -> str:
    if node.args:
        return ast.unparse(node.args[0])
    for keyword in node.keywords:
        if keyword.arg in ("database", "dbname", "db", "dsn", "conninfo"):
            return ast.unparse(keyword.value)
    return ", ".join(ast.unparse(k) for k in node.keywords)


def _name(node: ast.Name | ast.Attribute, known: Locals, depth: int) -> Handle | None:
    name = dotted(node)
    if name in known.values:
        return _with_settings(_variable(name, known, depth), known.settings.get(name, []))
    if name in known.params:
        return Handle("param", known.params[name])
    if isinstance(node, ast.Name):
        return Handle("name", node.id)
    base = read_handle(node.value, known, depth - 1)
    if base is None:
        return Handle("attr", node.attr, Handle("any"))
    if base.op == "name":
        return Handle("name", f"{base.name}.{node.attr}")
    return Handle("attr", node.attr, base)


def _variable(name: str, known: Locals, depth: int) -> Handle | None:
    rest = without(known, name)
    found: list[Handle | None] = []
    for how, value in known.values[name]:
        handle = read_handle(value, rest, depth - 1)
        found.append(Handle("enter", base=handle) if handle is not None and how == "enter" else handle)
    handle = alternatives(found)
    outlives = "." in name or name in known.shared
    return Handle("stored", name, handle) if handle is not None and outlives else handle


def without(known: Locals, name: str) -> Locals:
    """The same variables, but for one: a name on the right of its own assignment means what it held before."""
    return Locals({k: v for k, v in known.values.items() if k != name}, known.settings, known.params, known.shared)


def _with_settings(handle: Handle | None, settings: list[tuple[str, str]]) -> Handle | None:
    if handle is None or not settings:
        return handle
    return Handle("set", base=handle, options=tuple(settings))
