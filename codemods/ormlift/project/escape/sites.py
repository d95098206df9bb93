"""The places of a file where a session is handed out, and the form each has."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from ormlift.project.index import ProjectIndex
from ormlift.schema import SessionSource, SourceKind
from ormlift.syntax import FunctionNode, Module, dotted, walk_scope

_CLOSING = ("closing", "aclosing")
SESSIONS = frozenset({SourceKind.SESSION, SourceKind.SHARED_SESSION, SourceKind.ASYNC_SESSION})


class Form(Enum):
    """What becomes of a session that a call hands out."""

    NAMED = "named"  # `name = <call>`
    STORED = "stored"  # kept on an object or in a container
    CHOSEN = "chosen"  # `name = name or <call>`: it may be another's
    UNUSUAL = "unusual"  # several targets, `:=`
    UNNAMED = "unnamed"  # used at once, or passed on
    OPENED = "opened"  # `with <call> as name`: it closes by itself


@dataclass(frozen=True)
class Found:
    """One call that hands out a session, and the statement it stands in."""

    call: ast.Call  # what hands out the session; around a generator dependency its `next()`
    source: SessionSource
    statement: ast.stmt
    form: Form
    name: str = ""  # the variable, for a named one
    awaited: bool = False
    dependency: bool = False  # `next(get_db())`: taken by hand from a generator

    @property
    def root(self) -> str:
        """The first name of the call's function, which an import may have bound for it."""
        inner = self.call.args[0] if self.dependency else self.call
        return dotted(inner.func).partition(".")[0] if isinstance(inner, ast.Call) else ""

    @property
    def kind(self) -> SourceKind:
        """The kind, where a session taken from a generator dependency is one that the caller must close."""
        if self.dependency:
            return SourceKind.ASYNC_SESSION if self.source.is_async else SourceKind.SESSION
        if self.source.shared and self.source.kind is SourceKind.SESSION:
            return SourceKind.SHARED_SESSION
        return self.source.kind


def find_sessions(module: Module, index: ProjectIndex) -> Iterator[Found]:
    """All of them, in source order. Those that are returned, yielded or opened by `with` are no sites.

    Nor are those that are taken for a connection: `conn = db_session(); conn.cursor()` is `cursor-to-orm`'s.
    """
    for call in module.calls:
        source = index.source_of(call, module)
        if source is None:
            continue
        if source.kind is SourceKind.GENERATOR:
            outer = module.parents.get(call)
            if isinstance(outer, ast.Call) and dotted(outer.func) in ("next", "anext"):
                found = _found(module, outer, source, dependency=True)
            else:
                found = None
        else:
            found = _found(module, call, source) if source.kind in SESSIONS else None
        if found is not None and not _taken_for_connection(module, found):
            yield found


def opened_sessions(module: Module, index: ProjectIndex) -> Iterator[tuple[Found, ast.With | ast.AsyncWith]]:
    """Sessions that a `with` of their own opens and closes: `with SessionLocal() as s`, `with closing(..) as s`."""
    for call in module.calls:
        node: ast.AST = call
        parent = module.parents[call]
        awaited = isinstance(parent, ast.Await)
        if awaited or (isinstance(parent, ast.Call) and dotted(parent.func).rpartition(".")[2] in _CLOSING):
            node, parent = parent, module.parents[parent]
        around = module.parents.get(parent)
        if not (isinstance(parent, ast.withitem) and isinstance(around, ast.With | ast.AsyncWith)):
            continue
        named = parent.optional_vars
        begins = isinstance(call.func, ast.Attribute) and call.func.attr == "begin"
        if not isinstance(named, ast.Name) or len(around.items) != 1 or begins or parent.context_expr is not node:
            continue
        source = index.source_of(call, module)
        if source is None or source.kind not in (SourceKind.SESSION, SourceKind.ASYNC_SESSION) or source.shared:
            continue
        if isinstance(around, ast.AsyncWith) is (source.kind is SourceKind.ASYNC_SESSION):
            yield Found(call, source, around, Form.OPENED, named.id, awaited), around


def _taken_for_connection(module: Module, found: Found) -> bool:
    """Whether `.cursor()` is called on the variable while it holds this session."""
    if found.form is not Form.NAMED or found.kind is SourceKind.ASYNC_SESSION:
        return False
    around = owner(module, found.statement)
    if isinstance(around, ast.ClassDef):
        return False
    names = [n for n in walk_scope(around) if isinstance(n, ast.Name) and n.id == found.name]
    bound = [n.lineno for n in names if isinstance(n.ctx, ast.Store)]
    for name in names:
        attribute = module.parents[name]
        if isinstance(attribute, ast.Attribute) and attribute.attr == "cursor":
            before = max((line for line in bound if line <= name.lineno), default=0)
            if before == found.statement.lineno and isinstance(module.parents[attribute], ast.Call):
                return True
    return False


def _found(module: Module, call: ast.Call, source: SessionSource, *, dependency: bool = False) -> Found | None:
    node: ast.expr = call
    parent = module.parents[call]
    awaited = isinstance(parent, ast.Await)
    if awaited:
        assert isinstance(parent, ast.Await)
        node, parent = parent, module.parents[parent]
    form = _form(module, node, parent)
    if form is None:
        return None
    name = ""
    match parent:
        case ast.Assign(targets=[ast.Name(id=bound)]) | ast.AnnAssign(target=ast.Name(id=bound)):
            name = bound
        case _:
            pass
    return Found(call, source, module.statement(call), form, name, awaited, dependency)


def _form(module: Module, node: ast.expr, parent: ast.AST) -> Form | None:
    """The form, or None where the call is no site."""
    match parent:
        case ast.Assign(targets=[ast.Name()]) | ast.AnnAssign(target=ast.Name()):
            return Form.NAMED
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]) | ast.AnnAssign():
            return Form.STORED
        case ast.Assign() | ast.NamedExpr():
            return Form.UNUSUAL
        case ast.Return() | ast.Yield() | ast.YieldFrom() | ast.withitem() | ast.Lambda():
            return None
        case ast.BoolOp() | ast.IfExp():
            outer = module.statement(node)
            return None if isinstance(outer, ast.Return) else Form.CHOSEN
        case ast.Call(func=func) if dotted(func).rpartition(".")[2] in (*_CLOSING, "enter_context", "Depends"):
            return None
        case ast.Attribute(attr="begin") if _opened(module, parent):
            return None
        case _:
            return Form.UNNAMED


def _opened(module: Module, node: ast.AST) -> bool:
    call = module.parents.get(node)
    return call is not None and isinstance(module.parents.get(call), ast.withitem)


def owner(module: Module, statement: ast.stmt) -> FunctionNode | ast.Module | ast.ClassDef:
    """Whose variables a statement binds: a function, a class body, or the module."""
    for parent in module.ancestors(statement):
        if isinstance(parent, FunctionNode | ast.ClassDef | ast.Module):
            return parent
    return module.tree
