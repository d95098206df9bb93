"""The ways to open one session's block: the scope chosen for the site, other scopes of the project, the call itself.

A session is a context manager that only closes, so that `with SessionLocal() as s` is what `s = SessionLocal()` with a
`finally: s.close()` was: it changes nothing, and it is there where no scope is.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ormlift.model import ImportNeed, Settings
from ormlift.project.choose import ChosenScope, configured
from ormlift.project.escape.choice import Named
from ormlift.project.escape.shapes import Shape
from ormlift.project.escape.sites import Found
from ormlift.project.index import ProjectIndex
from ormlift.schema import Scope, SourceKind, Tri
from ormlift.syntax import Module

_MOST = 6  # how many other scopes are tried for one site


def other_scopes(
    settings: Settings, index: ProjectIndex, path: str, first: ChosenScope | None, found: Found, shape: Shape
) -> Iterator[ChosenScope]:
    """The scopes, beside the one chosen first, that a site could be handed to.

    Of those that are not configured, only the ones of the session's own factory. For a block that never commits those
    come first that do not either.
    """
    is_async = found.kind is SourceKind.ASYNC_SESSION
    known = {first.expression} if first is not None else set()
    choices = [configured(choice, index) for choice in settings.scopes]
    made_alike = [scope for scope in index.default_scopes() if scope.factory and scope.factory == found.source.factory]
    for scope in made_alike:
        need = ImportNeed(scope.module, scope.name) if scope.path != path else None
        choices.append(ChosenScope(scope.name, need, scope))
    fits = [c for c in choices if c.scope is not None and c.scope.is_async is is_async]
    commits = Tri.YES if _commits(shape, found.name) else Tri.NO
    fits.sort(
        key=lambda c: c.scope is None or (c.scope.factory != found.source.factory, c.scope.commits is not commits)
    )
    for choice in fits[:_MOST]:
        if choice.expression not in known:
            known.add(choice.expression)
            yield choice


def _commits(shape: Shape, name: str) -> bool:
    """Whether a block calls `name.commit()` somewhere."""
    nodes = (n for s in shape.body for n in ast.walk(s))
    return any(
        isinstance(n, ast.Attribute) and n.attr == "commit" and isinstance(n.value, ast.Name) and n.value.id == name
        for n in nodes
    )


def by_itself(module: Module, found: Found, shape: Shape) -> Named | None:
    """The call that hands out the session as its own scope; None where it is not known to be one."""
    source = found.source
    custom = {name for name, _ in source.options} & {"class_", "?"}
    if custom or (found.dependency and source.is_async):
        return None
    if not _same_there(found, shape):
        return None
    scope = Scope(
        source.name,
        source.module,
        source.path,
        source.line,
        is_async=found.kind is SourceKind.ASYNC_SESSION,
        commits=Tri.NO,
        rolls_back=Tri.NO,
        closes=Tri.YES,
        swallows=Tri.NO,
        shared=Tri.NO,
        expire_on_commit=source.expire_on_commit,
        bind=source.bind,
        factory=source.factory,
        options=source.options,
        refuses=source.refuses,
        work=source.work,
    )
    return Named(_text(module, found), scope, own=True)


def _text(module: Module, found: Found) -> str:
    node: ast.expr = found.call
    if found.awaited:
        outer = module.parents[found.call]
        assert isinstance(outer, ast.Await)
        node = outer
    return module.text(node) if node.lineno == node.end_lineno else ast.unparse(node)


def _same_there(found: Found, shape: Shape) -> bool:
    """Whether the call means the same where the block begins: nothing in between binds a name that it uses."""
    between = [
        node
        for statement in shape.body
        if statement.lineno <= found.statement.lineno
        for node in ast.walk(statement)
        if not isinstance(node, ast.Try) and getattr(node, "lineno", found.statement.lineno) < found.statement.lineno
    ]
    bound = {n.id for n in between if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
    bound |= {
        (a.asname or a.name).partition(".")[0]
        for n in between
        if isinstance(n, ast.Import | ast.ImportFrom)
        for a in n.names
    }
    names = {n.id for n in ast.walk(found.call) if isinstance(n, ast.Name)}
    computed = any(isinstance(n, ast.Call) for a in found.call.args for n in ast.walk(a)) and not found.dependency
    return not (names & bound) and not (between and (computed or found.source.work))
