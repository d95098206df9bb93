"""The classes above and below one, in its own file and in those whose text is held: as imports lead to them.

Where no import says which class a base is (a star import, a name that a package hands on), its bare name counts.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from ormlift.project.index import ProjectIndex
from ormlift.syntax import Module, dotted

_Known = tuple[ast.ClassDef, Module]


def kin_of(owner: ast.ClassDef, module: Module, index: ProjectIndex) -> Iterator[ast.ClassDef]:
    """The definitions of all classes above and below `owner`, a class of `module`."""

    def above(known: _Known) -> Iterator[_Known]:
        for base in _bases(known[0]):
            words = f"class {_meaning(base, known[1]).rpartition('.')[2]}"
            yield from (found for found in _classes(words, module, index) if _may_be(base, known[1], found, index))

    def below(known: _Known) -> Iterator[_Known]:
        for found in _classes(known[0].name, module, index):
            if any(_may_be(base, found[1], known, index) for base in _bases(found[0])):
                yield found

    for step in (above, below):
        yield from _reached((owner, module), step)


def _reached(owner: _Known, step: Callable[[_Known], Iterator[_Known]]) -> list[ast.ClassDef]:
    found = [owner]
    for known in found:  # which grows
        found += [c for c in step(known) if all(c[0] is not other for other, _ in found)]
    return [known for known, _ in found[1:]]


def _classes(words: str, module: Module, index: ProjectIndex) -> Iterator[_Known]:
    """The classes of all files that hold some words."""
    yield from ((node, module) for node in module.nodes(ast.ClassDef))
    for path, data in index.texts.files.items():
        if path != module.source.path and words.encode() in data:
            held = index.texts.module(path)
            yield from ((node, held) for node in held.nodes(ast.ClassDef)) if held is not None else ()


def _bases(node: ast.ClassDef) -> set[str]:
    plain = (base.value if isinstance(base, ast.Subscript) else base for base in node.bases)
    return {dotted(base) for base in plain} - {""}


def _meaning(base: str, module: Module) -> str:
    """The dotted path that a base is imported by; as it is written, where it is not."""
    head, _, rest = base.partition(".")
    target = module.imports.get(head, head)
    return f"{target}.{rest}" if rest else target


def _may_be(base: str, module: Module, known: _Known, index: ProjectIndex) -> bool:
    """Whether a base, as it is written in a file, may be a class of that file or another."""
    owner, home = known
    meaning = _meaning(base, module)
    if meaning.rpartition(".")[2] != owner.name:
        return False
    path = module.source.path
    if base.partition(".")[0] in module.imports and index.imports.files:
        places = [file for file, _ in index.imports.held_in(path, meaning)]
        return home.source.path in places or any(not _defines(file, owner.name, index) for file in places)
    if any(node.name == owner.name for node in module.nodes(ast.ClassDef)):
        return module.source.path == home.source.path
    return True


def _defines(path: str, name: str, index: ProjectIndex) -> bool:
    """Whether a file has a class of that name itself, so that it is no other one that the file hands on."""
    held = index.texts.module(path)
    return held is not None and any(node.name == name for node in held.nodes(ast.ClassDef))
