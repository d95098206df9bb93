"""The relationships that are read one behind another: `task.job.user`, `for j in user.jobs: j.tasks`."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from ormlift.schema import MappedClass
from ormlift.syntax import Module, every_node

LAZY = ("", "select", "True", "lazy")
Path = tuple[tuple[MappedClass, str], ...]  # the class and the relationship of each step


def paths_from(
    module: Module,
    node: ast.Attribute,
    model: MappedClass,
    find: Callable[[str], MappedClass | None],
    seen: frozenset[int] = frozenset(),
) -> list[Path]:
    """The paths that begin with the read of a relationship, the longest of each way; no read is gone through twice."""
    step = (model, node.attr)
    target = find(next((r.target for r in model.relationships if r.attr == node.attr), ""))
    if target is None:
        return [(step,)]
    lazy = {r.attr for r in target.relationships if r.lazy in LAZY}
    seen |= {id(node)}
    reads = [r for r in _reads_of(module, node) if r.attr in lazy and id(r) not in seen]
    tails = {tail: None for r in reads for tail in paths_from(module, r, target, find, seen)}
    return [(step, *tail) for tail in tails] or [(step,)]


def longest(paths: list[Path]) -> list[Path]:
    """The paths that are not the beginning of another, each once."""
    said = {names(p): p for p in paths}
    return [p for n, p in sorted(said.items()) if not any(o != n and o[: len(n)] == n for o in said)]


def names(path: Path) -> tuple[str, ...]:
    """The relationships of a path."""
    return tuple(attr for _, attr in path)


def _reads_of(module: Module, node: ast.expr) -> Iterator[ast.Attribute]:
    """The attributes that are read of what an expression gives, or of its elements."""
    parent = module.parents[node]
    match parent:
        case ast.Attribute(ctx=ast.Load()):
            yield parent
        case ast.Subscript(value=value) if value is node:
            yield from _reads_of(module, parent)
        case ast.For(target=ast.Name(id=name)) | ast.comprehension(target=ast.Name(id=name)) if parent.iter is node:
            around = module.parents[parent] if isinstance(parent, ast.comprehension) else parent
            yield from _of_name(around, name)
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.NamedExpr(target=ast.Name(id=name)):
            function = module.enclosing_function(node)
            yield from _of_name(function, name) if function is not None else ()
        case _:
            pass


def _of_name(around: ast.AST, name: str) -> Iterator[ast.Attribute]:
    for inner in every_node(around):
        if isinstance(inner, ast.Attribute) and isinstance(inner.value, ast.Name) and inner.value.id == name:
            yield inner
