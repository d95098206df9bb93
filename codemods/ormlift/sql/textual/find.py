"""Find every execution of text on a session, a connection or an engine: one site each."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from ormlift.project.index import ProjectIndex
from ormlift.schema import SessionSource, SourceKind
from ormlift.sql.life.flow import Flow, flow
from ormlift.sql.life.model import Host, How, Life
from ormlift.sql.life.swallow import may_swallow
from ormlift.sql.spoken import speaks_sql
from ormlift.sql.textual.clause import Clause, clause_of
from ormlift.sql.textual.receiver import Receiver, receiver_of
from ormlift.syntax import FunctionNode, Module, dotted

RUNS = frozenset(["execute", "scalar", "scalars"])


@dataclass(eq=False)
class Textual:
    """One execution of text."""

    life: Life  # the function around it, as the readers of SQL and parameters want it
    call: ast.Call
    method: str  # execute | scalar | scalars
    clause: Clause
    receiver: Receiver | None  # None: it cannot be told what it is

    @property
    def module(self) -> Module:
        """The file."""
        return self.life.module

    @property
    def node(self) -> ast.expr:
        """The receiver's expression."""
        assert isinstance(self.call.func, ast.Attribute)
        return self.call.func.value

    @property
    def line(self) -> int:
        """The site's first line."""
        return self.call.lineno

    @property
    def value(self) -> ast.expr:
        """The expression that gives the result: the call, or what awaits it."""
        parent = self.module.parents.get(self.call)
        return parent if isinstance(parent, ast.Await) else self.call


def find_textual(module: Module, index: ProjectIndex) -> Iterator[Textual]:
    """All sites of the file, in source order."""
    flows: dict[Host, Flow] = {}
    for call in module.calls:
        if not isinstance(call.func, ast.Attribute) or call.func.attr not in RUNS or not _statement(call):
            continue
        host = module.enclosing_function(call) or module.tree
        if host not in flows:
            arguments = host.args if isinstance(host, FunctionNode) else None
            flows[host] = flow(host.body, arguments=arguments, swallows=partial(may_swallow, module=module))
        life = _life(call, host, flows[host], module)
        clause = clause_of(_statement(call)[0], life)
        if clause is None:
            continue
        alone = call.func.attr != "execute" and speaks_sql(_statement(call)[0], module)  # a driver has no scalar()
        receiver = receiver_of(call, module, index, takes_text=alone or not clause.bare)
        if receiver is None and clause.bare and not _is_operation(call.func.value, module):
            continue
        yield Textual(life, call, call.func.attr, clause, receiver)


def _is_operation(node: ast.expr, module: Module) -> bool:
    """Whether a receiver is Alembic's `op`."""
    return module.imports.get(dotted(node)) == "alembic.op"


def _statement(call: ast.Call) -> list[ast.expr]:
    """What is executed: the first argument, or the one that is named so."""
    named = [k.value for k in call.keywords if k.arg in ("statement", "clause", "object_")]
    return [*call.args[:1], *named][:1]


def life_of(call: ast.Call, module: Module) -> Life:
    """The function around a call, as the readers of SQL and parameters want it."""
    host = module.enclosing_function(call) or module.tree
    arguments = host.args if isinstance(host, FunctionNode) else None
    reached = flow(host.body, arguments=arguments, swallows=partial(may_swallow, module=module))
    return _life(call, host, reached, module)


def _life(call: ast.Call, host: Host, reached: Flow, module: Module) -> Life:
    source = SessionSource("", "", module.source.path, call.lineno, SourceKind.SESSION)
    return Life(module, host, reached, module.statement(call), call, How.ASSIGN, source, "")
