"""Which scope a site is to use: the one configured for where it stands, else the fittest of the project.

Where a site stands is its path, and what is around it: the decorators of its functions, the attributes of its class.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from ormlift.model import ImportNeed, ScopeChoice, Settings
from ormlift.project.index import ProjectIndex
from ormlift.project.known import session_of
from ormlift.project.names import is_test_path
from ormlift.schema import Scope, Tri
from ormlift.syntax import FunctionNode, Module, dotted, every_node


@dataclass(frozen=True, slots=True)
class ChosenScope:
    """A scope to open, as the file at hand can write it."""

    expression: str  # what is called without arguments: `session_scope`, `manager.get_db_session`
    need: ImportNeed | None  # the import that binds its first name; None: the file must bind it already
    scope: Scope | None = None  # its definition; None: the project does not hold it, or it could not be read


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What stands around a site, as far as a scope may be chosen by it."""

    decorators: tuple[str, ...] = ()  # dotted names: `app.route`, `login_required`
    owner: ast.ClassDef | None = None  # the class around it

    def sets(self, attribute: str) -> bool:
        """Whether the class around it sets that attribute on itself. Read only where it is asked for."""
        return self.owner is not None and attribute in attributes_of(self.owner)


def surroundings(module: Module, node: ast.AST) -> Surroundings:
    """What stands around a node; the node itself may be the function."""
    chain = [node, *module.ancestors(node)]
    functions = [n for n in chain if isinstance(n, FunctionNode)]
    owner = next((n for n in chain if isinstance(n, ast.ClassDef)), None)
    names = [dotted(d.func if isinstance(d, ast.Call) else d) for f in functions for d in f.decorator_list]
    return Surroundings(tuple(names), owner)


def attributes_of(owner: ast.ClassDef) -> frozenset[str]:
    """The attributes that a class sets, on itself or by `self.name = ..` in a method."""
    found: set[str] = set()
    for node in every_node(*(s for s in owner.body if isinstance(s, FunctionNode))):
        match node:
            case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                found.add(name)
            case _:
                pass
    for statement in owner.body:
        targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
        found |= {target.id for target in targets if isinstance(target, ast.Name)}
    return frozenset(found)


def choose_scope(
    settings: Settings,
    index: ProjectIndex,
    path: str,
    *,
    is_async: bool = False,
    at: Surroundings | None = None,
) -> ChosenScope | None:
    """The scope for a site of the file at `path`, or None where none is configured and none can be found."""
    for choice in settings.scopes:
        if fits(choice, path, at or Surroundings()):
            return configured(choice, index)
    for scope in index.default_scopes():
        if scope.is_async is is_async:
            need = ImportNeed(scope.module, scope.name) if scope.path != path else None
            return ChosenScope(scope.name, need, scope)
    return None


def fits(choice: ScopeChoice, path: str, at: Surroundings) -> bool:
    """Whether a configured scope is meant for what stands there: all that it asks for holds."""
    if choice.where and not any(matches(pattern, path) for pattern in choice.where):
        return False
    if choice.decorated_by and not any(fnmatchcase(n, glob) for n in at.decorators for glob in choice.decorated_by):
        return False
    return not choice.in_class_with or at.sets(choice.in_class_with)


def configured(choice: ScopeChoice, index: ProjectIndex) -> ChosenScope:
    """A scope of the configuration: what is read of its definition, under what the user states of it."""
    first = choice.expression.partition(".")[0]
    need = ImportNeed(choice.module, first) if choice.module else None
    scope = index.scope_named(choice) if not choice.manager else _of_manager(choice, index)
    if choice.stated:
        name = choice.expression.rpartition(".")[2]
        scope = _stated(scope or Scope(name, choice.module, "", 0), dict(choice.stated), index)
    return ChosenScope(choice.expression, need, scope)


def _of_manager(choice: ScopeChoice, index: ProjectIndex) -> Scope | None:
    """What a service's own scope does: what its session manager's does, or only close, where there is no manager."""
    name = choice.manager.rpartition(".")[2]
    known = [s for s in index.scopes if s.name == name and s.owner and not is_test_path(s.path)]
    if len(known) != 1:
        return None
    (scope,) = known
    return replace(scope, commits=Tri.UNKNOWN if scope.commits is Tri.YES else scope.commits, takes_arguments=False)


def _stated(scope: Scope, stated: dict[str, str], index: ProjectIndex) -> Scope:
    """A scope with what is stated of it in place of what was read; stating anything takes it for read."""
    module, _, name = stated.get("factory", "").partition(":")
    factory = index.factory_named(module, name) if name else None
    if factory is not None:
        made = session_of(factory, {})
        expires, origin = made.expire_on_commit, made.factory
        scope = replace(scope, expire_on_commit=expires, bind=made.bind, factory=origin, options=made.options)

    def said(key: str, read: Tri) -> Tri:
        return Tri(stated[key]) if key in stated else read

    return replace(
        scope,
        commits=said("commits", scope.commits),
        rolls_back=said("rolls-back", scope.rolls_back),
        closes=said("closes", scope.closes),
        swallows=said("swallows", scope.swallows),
        shared=said("shared", scope.shared),
        expire_on_commit=said("expires", scope.expire_on_commit),
        wraps=stated.get("wraps", scope.wraps),
        wraps_all=scope.wraps_all or "wraps" in stated,
        is_async=said("async", Tri.YES if scope.is_async else Tri.NO) is Tri.YES,
        commits_on_failure=Tri.NO if "rolls-back" in stated else scope.commits_on_failure,
        unread="",
    )


def matches(pattern: str, path: str) -> bool:
    """Whether a glob fits a path: `*` stays within a folder, `**` does not, a folder's name holds all below it."""
    parts = re.split(r"(\*\*/?|\*|\?)", pattern.rstrip("/"))
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    expression = "".join(meaning.get(part, re.escape(part)) for part in parts)
    return re.fullmatch(f"{expression}(?:/.*)?", path) is not None
