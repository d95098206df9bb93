"""Finds the definition that a call runs in another file of the project, where it is certain.

Certain is what each name on the way is bound to once: by one import, one `def`, one class, or one `tasks = Tasks()`. A
name that anything sets as an attribute somewhere in the project may be another by then, and is not followed.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ormlift.project.index import ProjectIndex
from ormlift.project.names import is_test_path
from ormlift.syntax import FunctionNode, Module, dotted, import_targets, walk_scope

_HOPS = 6
_EXECUTED = re.compile(r"(?<![\w.])exec\(")
_SPACE = re.compile(
    r"\b(?:globals|vars)\(\)\s*(?:\[\s*(?:[\"'](?P<key>\w+)[\"']|[^\]\n]+)\s*\]\s*=(?!=)|\.\s*(?:update|setdefault|__setitem__)\()"
)
_PLAIN_BASES = frozenset({"object", "ABC", "abc.ABC", "Generic", "typing.Generic"})


@dataclass(frozen=True)
class Callee:
    """A function or method that a call runs."""

    function: FunctionNode
    module: Module
    bound: bool = False  # its first parameter is the object or the class, which the call does not give


@dataclass(frozen=True)
class Elsewhere:
    """Looks from one file into the others."""

    module: Module
    index: ProjectIndex

    def callee(self, call: ast.Call) -> Callee | None:
        """What a call runs; None where that is not certain."""
        names = tuple(dotted(call.func).split("."))
        if not names[0] or not self.index.texts.files or is_test_path(self.module.source.path):
            return None  # a test may have put another in its place
        found = self._seen_from(names, call)
        return found if found is not None and _decorated_harmlessly(found) else None

    def class_of(self, call: ast.Call) -> tuple[ast.ClassDef, Module] | None:
        """The class that a call makes an object of, and its module; None where that is not certain."""
        names = dotted(call.func).split(".")
        return self._class_at(names, call) if names[0] and self.index.texts.files else None

    def method_of(self, owner: ast.ClassDef, module: Module, name: str) -> Callee | None:
        """A method of a class's objects, its own or inherited; None where it is not certain."""
        found = self._method(owner, module, name, instance=True)
        return found if found is not None and _decorated_harmlessly(found) else None

    def _binder(self, module: Module, names: Sequence[str]) -> ast.AST | None:
        """The one node that binds the first name at the top of a module; None where another may do so."""
        if not names or names[0] in self.index.texts.replaced:
            return None
        return _only_binder(module, names[0])

    def _seen_from(self, names: Sequence[str], call: ast.Call) -> Callee | None:
        """What names mean at a call: its functions are asked first, innermost first, then the module."""
        root = names[0]
        if any(root in node.names for node in self.module.nodes(ast.Nonlocal)):
            return None
        for around in self.module.ancestors(call):
            if isinstance(around, ast.Lambda) and list(binders_of(ast.walk(around.args), root)):
                return None
            if isinstance(around, FunctionNode):
                nodes = [*walk_scope(around), *ast.walk(around.args)]
                binders = list(binders_of(nodes, root))
                if binders:
                    return self._from(binders, names, self.module, call)
        return self._in(self.module, names, _HOPS)

    def _from(self, binders: list[ast.AST], names: Sequence[str], module: Module, call: ast.Call) -> Callee | None:
        """What names mean whose first a function binds: an import of its own, or an object that it makes."""
        binder = binders[0] if len(binders) == 1 else None
        if isinstance(binder, ast.Import | ast.ImportFrom):
            return self._import(binder, names, module, _HOPS)
        made = _made_by(binder, module) if isinstance(binder, ast.Name) and len(names) == 2 else None
        if made is None or names[0] in made:
            return None
        owner = self._class_at(made, call)
        return self._method(*owner, names[1], instance=True) if owner is not None else None

    def _class_at(self, names: Sequence[str], call: ast.Call) -> tuple[ast.ClassDef, Module] | None:
        for around in self.module.ancestors(call):
            if isinstance(around, FunctionNode):
                binders = list(binders_of([*walk_scope(around), *ast.walk(around.args)], names[0]))
                if len(binders) == 1 and isinstance(binders[0], ast.Import | ast.ImportFrom):
                    place = self._place(binders[0], names, self.module)
                    return self._class(*place, _HOPS) if place is not None else None
                if binders:
                    return None
        return self._class(self.module, names, _HOPS)

    def _in(self, module: Module, names: Sequence[str], hops: int) -> Callee | None:
        """What names mean at the top of a module."""
        binder = self._binder(module, names) if hops else None
        match binder:
            case ast.Import() | ast.ImportFrom():
                return self._import(binder, names, module, hops)
            case ast.FunctionDef() | ast.AsyncFunctionDef() if len(names) == 1 and binder in module.tree.body:
                return Callee(binder, module)
            case ast.ClassDef() if len(names) == 2:
                return self._method(binder, module, names[1], instance=False)
            case ast.Name() if len(names) == 2:
                made = _made_by(binder, module)
                owner = self._class(module, made, hops - 1) if made is not None else None
                return self._method(*owner, names[1], instance=True) if owner is not None else None
            case _:
                return None

    def _import(
        self, binder: ast.Import | ast.ImportFrom, names: Sequence[str], module: Module, hops: int
    ) -> Callee | None:
        place = self._place(binder, names, module)
        return self._in(*place, hops - 1) if place is not None else None

    def _class(self, module: Module, names: Sequence[str], hops: int) -> tuple[ast.ClassDef, Module] | None:
        """The class that names mean at the top of a module, and its module."""
        binder = self._binder(module, names) if hops else None
        if isinstance(binder, ast.ClassDef):
            return (binder, module) if len(names) == 1 else None
        if isinstance(binder, ast.Import | ast.ImportFrom):
            place = self._place(binder, names, module)
            return self._class(*place, hops - 1) if place is not None else None
        return None

    def _method(
        self, owner: ast.ClassDef, module: Module, name: str, *, instance: bool, hops: int = _HOPS
    ) -> Callee | None:
        """A method of a class, or of the one class that it inherits from."""
        if owner.decorator_list or owner.keywords or not hops or owner not in module.tree.body:
            return None
        if name in self.index.texts.replaced:
            return None
        if list(binders_of(_members(owner), "__getattribute__")) or list(binders_of(_members(owner), "__new__")):
            return None
        binders = list(binders_of(_members(owner), name))
        if not binders:
            base = self._base(owner, module)
            return self._method(*base, name, instance=instance, hops=hops - 1) if base is not None else None
        function = binders[0]
        if len(binders) > 1 or not isinstance(function, FunctionNode) or function not in owner.body:
            return None
        kinds = {dotted(d) for d in function.decorator_list}
        if not instance and not kinds & {"staticmethod", "classmethod"}:
            return None
        return Callee(function, module, "staticmethod" not in kinds)

    def _base(self, owner: ast.ClassDef, module: Module) -> tuple[ast.ClassDef, Module] | None:
        bases = [b.value if isinstance(b, ast.Subscript) else b for b in owner.bases]
        bases = [b for b in bases if dotted(b) not in _PLAIN_BASES]
        names = dotted(bases[0]).split(".") if len(bases) == 1 else [""]
        return self._class(module, names, _HOPS) if names[0] else None

    def has_base(self, owner: ast.ClassDef) -> bool:
        """Whether a class inherits from another than `object` and the like."""
        bases = [b.value if isinstance(b, ast.Subscript) else b for b in owner.bases]
        return any(dotted(b) not in _PLAIN_BASES for b in bases)

    def base_of(self, owner: ast.ClassDef, module: Module) -> tuple[ast.ClassDef, Module] | None:
        """The one class that a class inherits from; None where that is not certain."""
        return self._base(owner, module)

    def _place(
        self, binder: ast.Import | ast.ImportFrom, names: Sequence[str], importer: Module
    ) -> tuple[Module, Sequence[str]] | None:
        """The file that an imported name leads to, and what is left of the name there."""
        target = ".".join([import_targets(binder)[names[0]], *names[1:]])
        dots = len(target) - len(target.lstrip("."))
        parts = target[dots:].split(".")
        for end in range(len(parts) - 1, -1 if dots else 0, -1):
            found = self.index.imports.named(importer.source.path, "." * dots + ".".join(parts[:end]))
            if found:
                module = self.index.texts.module(found[0]) if len(found) == 1 else None
                return (module, parts[end:]) if module is not None and module is not importer else None
        return None


def _members(owner: ast.ClassDef) -> list[ast.AST]:
    return list(walk_scope(owner))


def _only_binder(module: Module, name: str) -> ast.AST | None:
    """The one node that binds a name at the top of a module; None where there is none, or another may do so."""
    if f"global {name}" in module.source.text or "import *" in module.source.text:
        return None
    if "global " in module.source.text and any(name in n.names for n in module.nodes(ast.Global)):
        return None
    if _may_bind_by_text(module.source.text, name):
        return None
    found = list(binders_of(walk_scope(module.tree), name))
    return found[0] if len(found) == 1 else None


def _may_bind_by_text(text: str, name: str) -> bool:
    """Whether a module may bind a name by its text: `globals()[key] = ..`, `exec(..)`."""
    if _EXECUTED.search(text) if "exec(" in text else False:
        return True
    found = _SPACE.finditer(text) if "globals()" in text or "vars()" in text else ()
    return any(match["key"] in (None, name) for match in found)


def binders_of(nodes: Iterable[ast.AST], name: str) -> Iterator[ast.AST]:
    """The nodes among these that bind or delete a name."""
    return (node for node in nodes if name in names_bound(node))


def names_bound(node: ast.AST) -> Iterable[str | None]:
    """The names that a node binds or deletes."""
    match node:
        case ast.Name(id=bound, ctx=ast.Store() | ast.Del()) | ast.arg(arg=bound):
            return (bound,)
        case ast.FunctionDef(name=bound) | ast.AsyncFunctionDef(name=bound) | ast.ClassDef(name=bound):
            return (bound,)
        case ast.ExceptHandler(name=named) | ast.MatchAs(name=named) | ast.MatchStar(name=named):
            return (named,)
        case ast.MatchMapping(rest=named):
            return (named,)
        case ast.Import() | ast.ImportFrom():
            return import_targets(node)
        case _:
            return ()


def _made_by(binder: ast.Name, module: Module) -> Sequence[str] | None:
    """The dotted name of the class in `name = Class(..)`, where the binder is that name; None for anything else."""
    statement = module.parents.get(binder)
    match statement:
        case ast.Assign(targets=[target], value=ast.Call(func=func)) if target is binder and dotted(func):
            return dotted(func).split(".")
        case _:
            return None


def _decorated_harmlessly(callee: Callee) -> bool:
    return all(dotted(d) in ("staticmethod", "classmethod") for d in callee.function.decorator_list)
