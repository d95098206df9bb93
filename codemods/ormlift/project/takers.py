"""Who takes what a generator yields by hand, and may let the generator go: `db = next(get_db())`.

A generator that nobody holds is closed at once: what stands behind its yield is not run, and its `finally` is. So it
matters, where a `finally` is written or emptied, whether anybody leaves a generator before its end.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ormlift.project.columns import last
from ormlift.syntax import FunctionNode, Module, dotted, every_node, walk_scope

ANY = "*"  # a generator that came from elsewhere: it may be any
NEEDLES = (b"next(", b"next__", b"send(None", b"enter__(", b"for session in ", b"for db in ", b"for s in ")
_ANYWHERE = re.compile(r"__a?next__|\.a?send\(None\)|__a?enter__\(")
_WORDS = (  # each at the start of a word; patterns that begin with a fixed text are searched ten times faster
    re.compile(r"next\("),
    re.compile(r"anext\("),
    re.compile(r"for \w+ in [\w.]+\(\)"),
    re.compile(r"try:\s+(?:async )?with [\w.]+\([^\n]*\) as "),
)
_NEXT = frozenset({"next", "anext"})
_METHODS = frozenset({"__next__", "__anext__", "__enter__", "__aenter__"})
_SENDS = frozenset({"send", "asend"})
_LEAVES = (ast.Break, ast.Return)


def may_take(text: str) -> bool:
    """Whether a file may leave a generator before its end, going by its text."""
    if any(word in text for word in ("next__", "send(None)", "enter__(")) and _ANYWHERE.search(text):
        return True
    found = (match for pattern in _WORDS for match in pattern.finditer(text))
    return any(not re.match(r"\w", text[m.start() - 1 : m.start()]) for m in found)


def read_takers(module: Module) -> Iterator[tuple[str, int]]:
    """The names of what is called for such a generator, and the lines; `ANY` where it can't be told."""
    for call in module.calls:
        given = _given(call)
        if given is not None:
            yield from ((name, call.lineno) for name in _names(module, given))
    loops: list[ast.For | ast.AsyncFor] = [*module.nodes(ast.For), *module.nodes(ast.AsyncFor)]
    for loop in loops:
        left = any(isinstance(n, _LEAVES) for s in loop.body for n in (s, *walk_scope(s)))
        if left and isinstance(loop.iter, ast.Call):
            yield from ((name, loop.lineno) for name in _names(module, loop.iter))
    blocks: list[ast.With | ast.AsyncWith] = [*module.nodes(ast.With), *module.nodes(ast.AsyncWith)]
    for node in blocks:
        if _read_by_a_handler(module, node):
            for item in node.items:
                if isinstance(item.context_expr, ast.Call):
                    yield from ((name, node.lineno) for name in _names(module, item.context_expr))


def _given(call: ast.Call) -> ast.expr | None:
    """The generator that a call takes the next value of."""
    match call:
        case ast.Call(func=ast.Name(id=name), args=[given, *_]) if name in _NEXT:
            return given
        case ast.Call(func=ast.Attribute(value=given, attr=attr)) if attr in _METHODS:
            return given
        case ast.Call(func=ast.Attribute(value=given, attr=attr), args=[ast.Constant(value=None)]) if attr in _SENDS:
            return given
        case _:
            return None


def _names(module: Module, given: ast.expr) -> set[str]:
    """What is called for a generator: itself, or what the variable was bound to that holds it."""
    given = given.value if isinstance(given, ast.Await) else given
    if isinstance(given, ast.Call):
        return _called(module, given)
    if isinstance(given, ast.Name | ast.Attribute):
        values = [v for v in _bound(module, dotted(given)) if isinstance(v, ast.Call)]
        return {name for value in values for name in _called(module, value)} or {ANY}
    return set()


def _called(module: Module, call: ast.Call) -> set[str]:
    function = module.enclosing_function(call)
    if isinstance(call.func, ast.Name) and function is not None:
        arguments = function.args
        taken = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        if any(a.arg == call.func.id for a in taken):
            return {ANY}
    names: set[str] = set()
    for node in every_node(call):
        if isinstance(node, ast.Name | ast.Attribute) and (said := dotted(node)):
            names |= {last(said), last(module.imports.get(said, said))}
            if isinstance(node, ast.Name) and function is not None:
                names.add(last(module.local_imports(function).get(said, said)))
    return names


def _bound(module: Module, name: str) -> Iterator[ast.expr]:
    for assign in module.nodes(ast.Assign):
        if any(dotted(t) == name for t in assign.targets):
            yield assign.value.value if isinstance(assign.value, ast.Await) else assign.value
    named: list[ast.AnnAssign | ast.NamedExpr] = [*module.nodes(ast.AnnAssign), *module.nodes(ast.NamedExpr)]
    for node in named:
        if node.value is not None and dotted(node.target) == name:
            yield node.value


def _read_by_a_handler(module: Module, node: ast.With | ast.AsyncWith) -> bool:
    """Whether a handler around the with reads what the block bound: after the error that left it."""
    bound = {n.id for n in every_node(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    inner: ast.AST = node
    for parent in module.ancestors(node):
        if isinstance(parent, FunctionNode):
            return False
        if isinstance(parent, ast.Try) and any(inner is s for s in parent.body):
            read = [n for h in parent.handlers for n in every_node(h) if isinstance(n, ast.Name)]
            if any(n.id in bound and isinstance(n.ctx, ast.Load) for n in read):
                return True
        inner = parent
    return False
