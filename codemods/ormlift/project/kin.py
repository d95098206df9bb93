"""The classes above and below one, by their bare names: in its own file and in those whose text is held."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from ormlift.project.texts import Texts
from ormlift.syntax import Module, dotted


def kin_of(owner: ast.ClassDef, module: Module, texts: Texts) -> Iterator[ast.ClassDef]:
    """The definitions of all classes above and below `owner`, a class of `module`."""

    def above(known: ast.ClassDef) -> Iterator[ast.ClassDef]:
        for base in _bases(known):
            yield from (c for c in _classes(f"class {base}", module, texts) if c.name == base)

    def below(known: ast.ClassDef) -> Iterator[ast.ClassDef]:
        yield from (c for c in _classes(known.name, module, texts) if known.name in _bases(c))

    for step in (above, below):
        yield from _reached(owner, step)


def _reached(owner: ast.ClassDef, step: Callable[[ast.ClassDef], Iterator[ast.ClassDef]]) -> list[ast.ClassDef]:
    found = [owner]
    for known in found:  # which grows
        found += [c for c in step(known) if c not in found]
    return found[1:]


def _classes(words: str, module: Module, texts: Texts) -> Iterator[ast.ClassDef]:
    """The classes of all files that hold some words."""
    yield from module.nodes(ast.ClassDef)
    for path, data in texts.files.items():
        if path != module.source.path and words.encode() in data:
            held = texts.module(path)
            yield from held.nodes(ast.ClassDef) if held is not None else ()


def _bases(node: ast.ClassDef) -> set[str]:
    plain = (base.value if isinstance(base, ast.Subscript) else base for base in node.bases)
    return {dotted(base).rpartition(".")[2] for base in plain} - {""}
