"""Find the lives of DB-API connections in a file, and every use in them.

Each `.cursor()`, and each `.execute(..)` of a DB-API receiver, ends in exactly one `Life` or one `Stray`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from ormlift.project.index import ProjectIndex
from ormlift.schema import Scope, SessionSource, SourceKind
from ormlift.sql.life.callees import Callees
from ormlift.sql.life.drivers import ASYNC_DRIVERS, direct_source, other_driver
from ormlift.sql.life.families import spread
from ormlift.sql.life.flow import Flow, flow
from ormlift.sql.life.kept import given_lives, kept_connections, kept_lives
from ormlift.sql.life.lent import settle_lent
from ormlift.sql.life.model import Does, Host, How, Life
from ormlift.sql.life.nested import is_of_shared, nested_calls
from ormlift.sql.life.strays import CONNECTIONS, Stray, may_run, strays_of
from ormlift.sql.life.swallow import may_swallow
from ormlift.sql.life.uses import Collector
from ormlift.syntax import FunctionNode, Module, dotted, walk_scope

SESSIONS = (SourceKind.SESSION, SourceKind.SHARED_SESSION)


def find_lives(module: Module, index: ProjectIndex) -> tuple[list[Life], list[Stray]]:
    """All lives of the file, in source order, and what belongs to none of them."""
    hosts = _hosts(module)
    if not hosts:
        return [], []
    callees = Callees(module, index) if not other_driver(module) else None
    kept = kept_connections(module, index)
    lives: list[Life] = []
    for host in [*hosts, *_handing(hosts, module)]:
        lives += _lives_of(host, module, index, callees)
        lives += [life for life in kept_lives(host, module, kept, callees) if _is_site(life)]
        lives += [life for life in given_lives(host, module, index, callees) if _is_site(life)]
    settle_lent(lives, module, index)
    handed = spread(lives, module, callees) if callees is not None else []
    lives = [life for life in (*lives, *handed) if _is_told(life)]
    _tell_nested(lives, module)
    strays: list[Stray] = []
    connections, names = _connection_names(module, index), {name for _, name in kept}
    for host in hosts:
        strays += strays_of(host, module, index, [life for life in lives if life.host is host], connections, names)
    return sorted(lives, key=lambda life: life.line), sorted(strays, key=lambda s: s.line)


def _handing(hosts: list[Host], module: Module) -> list[Host]:
    """The functions that call those in which something is run, also by way of others, and run nothing themselves."""
    known = {host.name for host in hosts if isinstance(host, FunctionNode)}
    found: dict[Host, None] = {}
    calls = [(c, dotted(c.func).rpartition(".")[2], module.enclosing_function(c) or module.tree) for c in module.calls]
    while True:
        new = [
            h for c, name, h in calls if name in known and (c.args or c.keywords) and h not in found and h not in hosts
        ]
        if not new:
            return list(found)
        found |= dict.fromkeys(new)
        known |= {host.name for host in new if isinstance(host, FunctionNode)}


def _is_told(life: Life) -> bool:
    """Whether a life is a site: what only hands a connection on is one where all can be rewritten."""
    return runs(life) or (life.family is not None and life.family.trouble is None)


def _tell_nested(lives: list[Life], module: Module) -> None:
    """Each life knows of the calls between a write and its commit that concern it."""
    for nested in nested_calls(lives, module):
        nested.caller.nested.append(nested)
        for life in lives:
            if life.host in nested.reached and life is not nested.caller and _is_same(life, nested.caller):
                life.nested.append(nested)


def _is_same(one: Life, other: Life) -> bool:
    """Whether two lives may be of one shared connection."""
    return one.source.path == other.source.path and is_of_shared(one)


def _hosts(module: Module) -> list[Host]:
    """The functions, and the module itself, in which something is run directly."""
    hosts: dict[Host, None] = {}
    for node in module.parents:
        if isinstance(node, ast.Call) and may_run(node):
            hosts[module.enclosing_function(node) or module.tree] = None
    return list(hosts)


def _lives_of(host: Host, module: Module, index: ProjectIndex, callees: Callees | None) -> Iterator[Life]:
    arguments = host.args if isinstance(host, FunctionNode) else None
    reached: Flow | None = None
    claimed: set[ast.AST] = set()
    for node in walk_scope(host):
        if not isinstance(node, ast.Call) or node in claimed:
            continue
        bound = _binding(node, module)
        if bound is None:
            continue
        origin, how, name, cursor = bound
        source, manager = _source(node, how, module, index)
        if source is None or source.kind not in (*SESSIONS, *CONNECTIONS) or _is_of_another(node):
            continue
        reached = reached or flow(host.body, arguments=arguments, swallows=partial(may_swallow, module=module))
        if (how in (How.PAIR, How.WITH_PAIR)) != (source.kind is SourceKind.CONNECTION_AND_CURSOR):
            continue
        is_async = source.driver in ASYNC_DRIVERS and isinstance(host, ast.AsyncFunctionDef)
        life = Life(
            module, host, reached, origin, node, how, source, name.id, manager, is_async=is_async, callees=callees
        )
        Collector(life, name, cursor).run()
        if _is_site(life):
            claimed |= {node for use in life.uses for node in (use.node, use.call)}
            yield life


def _is_of_another(call: ast.Call) -> bool:
    """A cursor of a connection that is kept elsewhere: `self.conn.cursor()`, or of a global; it begins there."""
    func = call.func
    return isinstance(func, ast.Attribute) and func.attr == "cursor" and not isinstance(func.value, ast.Call)


def _source(call: ast.Call, how: How, module: Module, index: ProjectIndex) -> tuple[SessionSource | None, Scope | None]:
    """What a call hands out; in a `with`, also what a context manager of the project hands out, and that manager."""
    scope = index.scope_of(call, module) if how in (How.WITH, How.WITH_PAIR) else None
    kinds = {kind.value: kind for kind in CONNECTIONS}
    if scope is not None and scope.yields in kinds:
        beside = [s for s in index.sources if s.path == scope.path and s.driver]
        driver = beside[0].driver if len({s.driver for s in beside}) == 1 else ""
        if scope.is_async and driver not in ASYNC_DRIVERS:
            return None, None
        kind = kinds[scope.yields]
        if scope.handed is not None:
            source = replace(scope.handed, kind=kind, owner=scope.owner)
            return replace(source, name=scope.name, module=scope.module, path=scope.path, line=scope.line), scope
        source = SessionSource(scope.name, scope.module, scope.path, scope.line, kind, scope.owner, driver=driver)
        return source, scope
    return index.source_of(call, module) or direct_source(call, module), None


def _is_site(life: Life) -> bool:
    """A session is one only where it is taken for a connection."""
    if life.source.kind in SESSIONS:
        return any(u.does.value in ("cursor", "cursor-block") for u in life.uses)
    return runs(life) or bool(life.where(Does.HANDS))


def runs(life: Life) -> bool:
    """Whether something is executed in a life, or a cursor made."""
    if life.source.kind in SESSIONS:
        return True
    cursors = life.cursors - {parameter.arg for parameter in life.parameters}
    if any(u.does.value in _RUNNING for u in life.uses):
        return True
    return bool(cursors) and bool(not life.where(Does.HANDS) or life.where(Does.CURSOR, Does.CURSOR_BLOCK))


_RUNNING = frozenset(["cursor", "cursor-block", "execute", "executemany"])
Bound = tuple[ast.stmt, How, ast.Name, ast.Name | None]


def _binding(call: ast.Call, module: Module) -> Bound | None:
    """How a call's value is bound to a name, if it is."""
    parent = module.parents.get(call)
    if isinstance(parent, ast.Await):
        parent = module.parents.get(parent)
    match parent:
        case ast.Assign(targets=[ast.Name() as name]) | ast.AnnAssign(target=ast.Name() as name):
            return parent, How.ASSIGN, name, None
        case ast.Assign(targets=[ast.Tuple(elts=[ast.Name() as name, ast.Name() as cursor])]):
            return parent, How.PAIR, name, cursor
        case ast.withitem(optional_vars=ast.Name() as name):
            return _with_of(parent, module), How.WITH, name, None
        case ast.withitem(optional_vars=ast.Tuple(elts=[ast.Name() as name, ast.Name() as cursor])):
            return _with_of(parent, module), How.WITH_PAIR, name, cursor
        case ast.Call(func=func, args=[_], keywords=[]) if dotted(func) in ("closing", "contextlib.closing"):
            item = module.parents.get(parent)
            if isinstance(item, ast.withitem) and isinstance(item.optional_vars, ast.Name):
                return _with_of(item, module), How.CLOSING, item.optional_vars, None
        case _:
            pass
    return None


def _with_of(item: ast.withitem, module: Module) -> ast.stmt:
    statement = module.parents[item]
    assert isinstance(statement, ast.With | ast.AsyncWith)
    return statement


def _connection_names(module: Module, index: ProjectIndex) -> set[tuple[Host | None, str]]:
    """Variables that are bound to a connection, awaited or not: of a function, or (with None) of the module."""
    receivers = {n.value.id for n in module.parents if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name)}
    names: set[tuple[Host | None, str]] = set()
    for node in module.parents:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name, value = node.targets[0].id, node.value
            value = value.value if isinstance(value, ast.Await) else value
            if isinstance(value, ast.Call) and name in receivers:
                source = direct_source(value, module) or index.source_of(value, module)
                if source is not None and source.kind in CONNECTIONS:
                    function = module.enclosing_function(node)
                    names.add((None if function is None or _is_global(name, function) else function, name))
    return names


def _is_global(name: str, function: ast.AST) -> bool:
    return any(isinstance(n, ast.Global) and name in n.names for n in walk_scope(function))
