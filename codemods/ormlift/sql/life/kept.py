"""Connections and cursors that a module or an object keeps: `self.conn`, `self.cursor`, a global `db`.

They are opened in one place and used in others of the same file. Each function that uses one is a life of its own: what
it writes is committed in it, and the kept connection stays open beside it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeGuard

from ormlift.project.escape.choice import bound_in
from ormlift.project.facts import FileFacts
from ormlift.project.index import ProjectIndex
from ormlift.project.injectors import Injector
from ormlift.schema import SessionSource, SourceKind, Tri
from ormlift.sql.life.callees import Callees
from ormlift.sql.life.drivers import ASYNC_DRIVERS, direct_source
from ormlift.sql.life.flow import flow
from ormlift.sql.life.model import Host, How, Life, Receiver
from ormlift.sql.life.rowkind import given_rows
from ormlift.sql.life.setups import setups
from ormlift.sql.life.swallow import may_swallow
from ormlift.sql.life.uses import Collector
from ormlift.syntax import FunctionNode, Module, dotted, walk_scope

_Owner = ast.ClassDef | None
_Key = tuple[_Owner, str]


@dataclass
class Kept:
    """One connection that is kept."""

    call: ast.Call  # what opens it
    source: SessionSource
    cursors: dict[str, list[ast.expr]] = field(default_factory=dict)  # how its kept cursors are written, and made


def kept_lives(
    host: Host, module: Module, connections: dict[_Key, Kept], callees: Callees | None = None
) -> Iterator[Life]:
    """The lives in one function of connections that are kept outside of it."""
    if not isinstance(host, FunctionNode):
        return
    owner = module.enclosing_class(host)
    for (home, name), kept in connections.items():
        if home not in (None, owner) or _stores(host, {name, *kept.cursors}, module):
            continue
        uses = [(n, dotted(n) in kept.cursors) for n in _loads(host, {name, *kept.cursors})]
        if not uses:
            continue
        is_async = kept.source.driver in ASYNC_DRIVERS and isinstance(host, ast.AsyncFunctionDef)
        origin = module.statement(uses[0][0])
        names = frozenset({name, *kept.cursors})
        reached = flow(host.body, arguments=host.args, swallows=partial(may_swallow, module=module))
        life = Life(
            module, host, reached, origin, kept.call, How.KEPT, kept.source, name,
            is_async=is_async, kept=names, made=kept.cursors, callees=callees,
        )  # fmt: skip
        collector = Collector(life, None, None)
        for node, is_cursor in uses:
            collector.keep(node, is_cursor=is_cursor)
        collector.run()
        if life.uses:
            life.origin = module.statement(life.uses[0].node)
            yield life


def given_lives(host: Host, module: Module, index: ProjectIndex, callees: Callees | None = None) -> Iterator[Life]:
    """The life of a connection that a decorator of the project hands in, as parameters of the function."""
    if not isinstance(host, FunctionNode) or not host.decorator_list:
        return
    for decorator in host.decorator_list:
        found = _injector(decorator, module, index)
        if found is None:
            continue
        facts, injector = found
        names = _parameters(host, injector, module)
        connection = next((name for name, is_cursor in names.items() if not is_cursor), "")
        uses = [(n, names[n.id]) for n in walk_scope(host) if _is_load(n, names)]
        if not uses or _stores(host, set(names), module):
            return
        beside = [s for s in index.sources if s.path == facts.path and s.driver]
        driver = beside[0].driver if len({s.driver for s in beside}) == 1 else ""
        home = beside[0].module if beside else ""
        rows, factory = given_rows(injector.made)
        if not rows and {s.rows for s in beside} == {"mapping"}:
            rows, factory = beside[0].rows, beside[0].row_factory
        kind = SourceKind.CONNECTION
        source = SessionSource(
            injector.name, home, facts.path, injector.line, kind, driver=driver, autocommit=Tri.NO, rows=rows,
            row_factory=factory,
        )  # fmt: skip
        call = decorator if isinstance(decorator, ast.Call) else ast.copy_location(_called(decorator), decorator)
        reached = flow(host.body, arguments=host.args, swallows=partial(may_swallow, module=module))
        life = Life(module, host, reached, host.body[0], call, How.KEPT, source, connection or uses[0][0].id)
        life.given, life.kept, life.callees = True, frozenset(names), callees
        collector = Collector(life, None, None)
        for node, is_cursor in uses:
            collector.keep(node, is_cursor=is_cursor)
        collector.run()
        life.origin = module.statement(life.uses[0].node) if life.uses else life.origin
        yield life
        return


def _called(decorator: ast.expr) -> ast.Call:
    return ast.Call(func=decorator, args=[], keywords=[])


def _is_load(node: ast.AST, names: Mapping[str, bool]) -> TypeGuard[ast.Name]:
    return isinstance(node, ast.Name) and node.id in names and isinstance(node.ctx, ast.Load)


def _injector(decorator: ast.expr, module: Module, index: ProjectIndex) -> tuple[FileFacts, Injector] | None:
    """The project's decorator that a function is decorated with, by its name and its import."""
    said = dotted(decorator.func if isinstance(decorator, ast.Call) else decorator)
    root, _, rest = said.partition(".")
    target = module.imports.get(root, "")
    name = rest.rpartition(".")[2] or target.rpartition(".")[2] or said
    for facts in index.facts:
        for injector in facts.injectors:
            if injector.name == name and (target or facts.path == module.source.path):
                return facts, injector
    return None


def _parameters(host: FunctionNode, injector: Injector, module: Module) -> dict[str, bool]:
    """The parameters that are handed in, and whether each is a cursor."""
    listed = [a.arg for a in (*host.args.posonlyargs, *host.args.args)]
    skip = 1 if module.enclosing_class(host) is not None and listed[:1] == ["self"] else 0
    every = {*listed, *(a.arg for a in host.args.kwonlyargs)}
    found: dict[str, bool] = {}
    for key, is_cursor in injector.passes:
        if isinstance(key, str) and key in every:
            found[key] = is_cursor
        elif isinstance(key, int) and 0 <= key + skip < len(listed):
            found[listed[key + skip]] = is_cursor
    return found


def _loads(host: FunctionNode, names: set[str]) -> list[Receiver]:
    """Where the host reads one of `names`, outermost first in the text; nested functions speak for themselves."""
    bound = {n.arg for n in ast.walk(host.args) if isinstance(n, ast.arg)}
    found = []
    for node in walk_scope(host):
        if not isinstance(node, ast.Name | ast.Attribute) or not isinstance(node.ctx, ast.Load):
            continue
        if dotted(node) in names and not (isinstance(node, ast.Name) and node.id in bound):
            found.append(node)
    return sorted(found, key=lambda n: (n.lineno, n.col_offset))


def _stores(host: FunctionNode, names: set[str], module: Module) -> bool:
    """Whether the host binds one of them itself, or a local of the same name, or a function around it does."""
    outer = [a for a in module.ancestors(host) if isinstance(a, FunctionNode)]
    if any(names & bound_in(function) for function in outer):
        return True
    return any(
        isinstance(n, ast.Name | ast.Attribute) and not isinstance(n.ctx, ast.Load) and dotted(n) in names
        for n in walk_scope(host)
    )


def kept_connections(module: Module, index: ProjectIndex) -> dict[_Key, Kept]:
    """What the file keeps, by owner and how it is written."""
    values: dict[_Key, list[ast.expr]] = {}
    for node in module.parents:
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            key = _key(node.targets[0], module)
            if key is not None:
                values.setdefault(key, []).append(node.value)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            key = _key(node.target, module)
            if key is not None:
                values.setdefault(key, []).append(node.value)
    found: dict[_Key, Kept] = {}
    for key, given in values.items():
        opened = [_opened(v, module, index) for v in given if not _is_none(v)]
        sources = [o for o in opened if o is not None]
        if sources and len(sources) == len(opened) and len({o[1].driver for o in sources}) == 1:
            if _is_set_by_others(key, module) or _differ({o[1].database for o in sources}):
                continue
            call, source = sources[0]
            found[key] = Kept(call, _as_set(key, replace(source, shared=True), module))
    for key, given in values.items():
        owners = {_cursor_of(v, key, found, module) for v in given if not _is_none(v)}
        if len(owners) == 1 and (owner := owners.pop()) is not None:
            found[owner].cursors[key[1]] = [v for v in given if not _is_none(v)]
    for (home, name), kept in found.items():
        work = setups(kept.call, home, {name, *kept.cursors}, module)
        kept.source = replace(kept.source, work=(*kept.source.work, *work))
    return {key: kept for key, kept in found.items() if kept.source.kind is SourceKind.CONNECTION}


_SETTINGS = frozenset(["row_factory", "text_factory", "isolation_level", "autocommit"])


def _is_set_by_others(key: _Key, module: Module) -> bool:
    """Whether code of the file binds an object's connection anew, or sets it up, from outside: `store.conn = ..`."""
    name = key[1].rpartition(".")[2]
    for node in module.nodes(ast.Attribute) if key[0] is not None else ():
        held = node.value if node.attr in _SETTINGS else node
        if isinstance(node.ctx, ast.Load) or not isinstance(held, ast.Attribute) or held.attr != name:
            continue
        if dotted(held) != key[1]:
            return True
    return False


def _differ(databases: set[str]) -> bool:
    """Whether what is opened is another database at another time, as far as their texts tell."""
    return len(databases) > 1 and any(said[:1] in ("'", '"') for said in databases)


def _key(target: ast.expr, module: Module) -> _Key | None:
    """The owner and the name of something kept: an attribute of self, a name of the module."""
    match target:
        case ast.Attribute(value=ast.Name(id="self")):
            return module.enclosing_class(target), dotted(target)
        case ast.Name(id=name):
            function = module.enclosing_function(target)
            if function is None:
                return (None, name) if module.enclosing_class(target) is None else None
            if not any(name in n.names for n in module.nodes(ast.Global)):
                return None
            is_global = any(isinstance(n, ast.Global) and name in n.names for n in walk_scope(function))
            return (None, name) if is_global else None
        case _:
            return None


def _opened(value: ast.expr, module: Module, index: ProjectIndex) -> tuple[ast.Call, SessionSource] | None:
    """The call that opens what is kept, also by way of a local name."""
    value = value.value if isinstance(value, ast.Await) else value
    if isinstance(value, ast.Name):
        local = _local_value(value, module)
        return _opened(local, module, index) if local is not None else None
    if not isinstance(value, ast.Call):
        return None
    source = index.source_of(value, module) or direct_source(value, module)
    return (value, source) if source is not None and source.kind is SourceKind.CONNECTION else None


def _local_value(name: ast.Name, module: Module) -> ast.expr | None:
    """What the one assignment to a local name gives it; never another name, so that this comes to an end."""
    function = module.enclosing_function(name)
    stores = [
        n for n in walk_scope(function or module.tree)
        if isinstance(n, ast.Name) and n.id == name.id and isinstance(n.ctx, ast.Store)
    ]  # fmt: skip
    if len(stores) != 1:
        return None
    parent = module.parents[stores[0]]
    value = parent.value if isinstance(parent, ast.Assign) and parent.targets == stores else None
    return None if isinstance(value, ast.Name) else value


def _cursor_of(value: ast.expr, key: _Key, found: dict[_Key, Kept], module: Module) -> _Key | None:
    """The kept connection that a value is a cursor of."""
    match value:
        case ast.Call(
            func=ast.Attribute(value=ast.Name() | ast.Attribute() as connection, attr="cursor"),
            args=[] | [ast.Name() | ast.Attribute()],
        ):
            for other, kept in found.items():
                local = _local_value(connection, module) if isinstance(connection, ast.Name) else None
                mine = local is not None and kept.call in ast.walk(local)
                if other[0] in (None, key[0]) and (dotted(connection) == other[1] or mine):
                    return other
            return None
        case _:
            return None


def _as_set(key: _Key, source: SessionSource, module: Module) -> SessionSource:
    """The source, with what the file sets on the connection once it is open."""
    for node in module.parents:
        if not isinstance(node, ast.Attribute) or isinstance(node.ctx, ast.Load):
            continue
        same = dotted(node.value) == key[1] and (key[0] is None or module.enclosing_class(node) is key[0])
        statement = module.parents[node]
        if not same or not isinstance(statement, ast.Assign):
            continue
        text = module.text(statement.value)
        if node.attr == "row_factory" and text.endswith(".Row"):
            source = replace(source, rows="mapping", row_factory="")
        elif (node.attr, text) in (("autocommit", "True"), ("isolation_level", "None")):
            source = replace(source, autocommit=Tri.YES)
        else:
            source = replace(source, settings=(*source.settings, (node.attr, text)))
    return source


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None
