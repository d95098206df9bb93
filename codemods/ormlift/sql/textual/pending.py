"""What a session holds when it executes: changes not flushed yet, and instances loaded before.

A statement on models flushes what is pending first; up to SQLAlchemy 2.0 a text() did not. Nothing differs where the
session was opened in the function and nothing was changed on it since, or where it does not flush by itself.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ormlift.model import Effect
from ormlift.project.index import ProjectIndex
from ormlift.project.names import is_test_path
from ormlift.schema import SourceKind, Tri
from ormlift.sql.life.literals import only_value
from ormlift.sql.textual.find import Textual
from ormlift.sql.textual.receiver import On, is_flushing
from ormlift.syntax import FunctionNode, dotted, walk_scope

_CHANGES = frozenset(["add", "add_all", "merge", "delete"])
_LOOKS = frozenset(
    ["bool", "print", "type", "id", "hasattr", "isinstance", "repr", "str", "len", "debug", "info", "warning", "error"]
)
_SETTLES = frozenset(["flush", "commit", "rollback", "close", "expunge_all"])


def flush_effects(site: Textual, index: ProjectIndex) -> Iterator[Effect]:
    """An effect where what is pending on the session would be flushed before the statement from now on."""
    if site.receiver is None or site.receiver.on is not On.SESSION or _never_flushes(site, index):
        return
    if is_flushing(site.node, site.module, index):
        return
    said = site.module.text(site.node)
    after = "SQLAlchemy 2.0 and older did not flush it before a text(), and does before a statement on models"
    change = _last_change(site)
    if change is not None:
        message = f"what line {change.lineno} may change on {said} is pending on line {site.line}: {after}"
        yield Effect("autoflush", change.lineno, message)
    elif not opened_here(site, index) and not _settled(0, site):
        yield Effect("autoflush", site.line, f"{said} comes from outside; if a caller left a change pending, {after}")


def holds_nothing(site: Textual, index: ProjectIndex) -> bool:
    """Whether no instance can be in the session: it was opened here, and nothing else was done with it before."""
    if not opened_here(site, index):
        return False
    runs = ("execute", "commit", "rollback", "flush", "close")
    for node in _before(site):
        if isinstance(node, ast.Name) and node.id == _root(site) and isinstance(node.ctx, ast.Load):
            parent = site.module.parents[node]
            call = site.module.parents.get(parent)
            known = isinstance(parent, ast.Attribute) and isinstance(call, ast.Call) and call.func is parent
            if not known or not isinstance(parent, ast.Attribute) or parent.attr not in runs:
                return False
            if parent.attr == "execute" and isinstance(call, ast.Call) and not _is_text(call, site):
                return False
    return True


def opened_here(site: Textual, index: ProjectIndex) -> bool:
    """Whether the session was opened by this function, or for it, and nobody else has it."""
    if not isinstance(site.node, ast.Name):
        return False
    definitions = site.life.flow.of(site.node)
    return bool(definitions) and all(_opens(d, site, index) for d in definitions)


def _opens(definition: ast.AST, site: Textual, index: ProjectIndex) -> bool:
    module = site.module
    if isinstance(definition, ast.arg):
        return _is_injected(definition, site)
    item = module.parents.get(definition)
    value = item.context_expr if isinstance(item, ast.withitem) else only_value(frozenset({definition}), module)
    value = value.value if isinstance(value, ast.Await) else value
    if not isinstance(value, ast.Call):
        return False
    scope = index.scope_of(value, module) if isinstance(item, ast.withitem) else None
    if scope is not None:
        return scope.shared is Tri.NO
    source = index.source_of(value, module)
    kinds = (SourceKind.SESSION, SourceKind.ASYNC_SESSION)
    return source is not None and source.kind in kinds and not source.shared


def _is_injected(arg: ast.arg, site: Textual) -> bool:
    """`db: Session = Depends(get_db)`: a session of the request, which nothing has used yet."""
    host = site.life.host
    if not isinstance(host, FunctionNode):
        return False
    listed = [*host.args.posonlyargs, *host.args.args]
    defaults = dict(zip(listed[::-1], host.args.defaults[::-1], strict=False))
    defaults |= {a: d for a, d in zip(host.args.kwonlyargs, host.args.kw_defaults, strict=True) if d is not None}
    default = defaults.get(arg)
    decorated = any(isinstance(d, ast.Call) and isinstance(d.func, ast.Attribute) for d in host.decorator_list)
    return decorated and isinstance(default, ast.Call) and dotted(default.func).rpartition(".")[2] == "Depends"


def _never_flushes(site: Textual, index: ProjectIndex) -> bool:
    """Whether the session's factory says `autoflush=False`, or all factories of the project do."""
    source = site.receiver.source if site.receiver is not None else None
    if source is not None and ("autoflush", "False") in source.options:
        return True
    known = source is not None and source.factory
    waits = site.receiver is not None and site.receiver.asynchronous
    factories = [f for f in index.factories if not is_test_path(f.path) and f.is_async is waits]
    return not known and bool(factories) and all(f.autoflush is Tri.NO for f in factories)


def _last_change(site: Textual) -> ast.expr | None:
    """The last thing done before that may leave a change pending, unless it was flushed since."""
    changes = [node for node in _before(site) if isinstance(node, ast.expr) and _changes(node, site)]
    last = max(changes, key=lambda n: (n.lineno, n.col_offset), default=None)
    return None if last is None or (last.lineno <= site.line and _settled(last.lineno, site)) else last


def _changes(node: ast.expr, site: Textual) -> bool:
    receiver = site.module.text(site.node)
    match node:
        case ast.Call(func=ast.Attribute(value=owner, attr=attr)) if attr in _CHANGES:
            return site.module.text(owner) == receiver
        case ast.Call(args=args, keywords=keywords):
            given = [*args, *(k.value for k in keywords)]
            return any(site.module.text(a) == receiver for a in given) and not _only_looks(dotted(node.func))
        case ast.Attribute(value=ast.Name(id=name), ctx=ast.Store()):
            return name not in ("self", "cls")
        case _:
            return False


def _only_looks(name: str) -> bool:
    """Whether a function that is handed the session surely changes nothing on it."""
    last = name.rpartition(".")[2]
    return last in _LOOKS or last.startswith("assert")


def _settled(line: int, site: Textual) -> bool:
    """Whether the session is flushed on every way from a line to the site."""
    statement: ast.AST = site.module.statement(site.call)
    receiver = site.module.text(site.node)
    while statement is not site.life.host and isinstance(statement, ast.stmt):
        suite = site.module.suite(statement)
        for before in suite[: suite.index(statement)]:
            call = before.value if isinstance(before, ast.Expr) else None
            call = call.value if isinstance(call, ast.Await) else call
            named = isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in _SETTLES
            if named and before.lineno > line and dotted(call.func).rpartition(".")[0] == receiver:  # type: ignore[union-attr]
                return True
        parent = site.module.parents[statement]
        statement = site.module.statement(parent) if not isinstance(parent, ast.Module) else parent
    return False


def _before(site: Textual) -> Iterator[ast.AST]:
    """What may run before the site: what stands above it, and what stands in a loop with it."""
    loops = [a for a in site.module.ancestors(site.call) if isinstance(a, ast.For | ast.AsyncFor | ast.While)]
    outer = loops[-1] if loops else None
    inside = set(ast.walk(site.module.statement(site.call)))
    for node in walk_scope(site.life.host):
        line = getattr(node, "lineno", None)
        if line is None or node in inside:
            continue
        if line < site.line or (outer is not None and outer.lineno <= line <= (outer.end_lineno or line)):
            yield node


def _root(site: Textual) -> str:
    return site.node.id if isinstance(site.node, ast.Name) else ""


def _is_text(call: ast.Call, site: Textual) -> bool:
    from ormlift.sql.textual.clause import clause_of

    return bool(call.args) and clause_of(call.args[0], site.life) is not None
