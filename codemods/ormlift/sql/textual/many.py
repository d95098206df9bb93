"""Parameters of many rows: `execute(text(..), rows)` becomes a loop over them; and what shows that a name holds one."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ormlift.model import Effect
from ormlift.sql.life.literals import only_value, value_facts
from ormlift.sql.life.refuse import Refused
from ormlift.sql.life.statements import Prepared
from ormlift.sql.statement import Kind
from ormlift.sql.textual.find import Textual
from ormlift.sql.textual.receiver import On

_OF_DICTS = frozenset(["get", "keys", "items", "setdefault", "update"])


def is_rows(node: ast.expr, site: Textual) -> bool:
    """Whether parameters are a list, of which each item is a row."""
    if isinstance(node, ast.Name):
        return node.id not in site.life.flow.captured and value_facts(node, site.life).type == "list"
    return isinstance(node, ast.List | ast.ListComp)


def check_rows(site: Textual, kind: Kind) -> None:
    """Refuse rows of parameters where a loop over them would not do the same. Raises Refused."""
    alone = isinstance(site.module.parents.get(site.value), ast.Expr)
    if kind is Kind.SELECT or not alone or len(site.call.args) != 2 or site.call.keywords or site.clause.ways:
        message = f"line {site.line} passes a list of parameters, and more is done with it than to execute it"
        raise Refused("execute-many", f"{message}; execute one by one")
    if site.receiver is not None and site.receiver.on is On.ENGINE:
        message = f"line {site.line} passes a list of parameters to an engine, which commits each execution by itself"
        raise Refused("execute-many", f"{message}; use a connection")


def many_effects(prepared: Prepared, site: Textual) -> Iterator[Effect]:
    """An effect where there may be no rows, which text() raised for."""
    if not prepared.head or _is_guarded(site):
        return
    said = site.module.text(site.call.args[1]).splitlines()[0]
    message = f"where {said} is empty, text() raised for a missing parameter; nothing is executed now"
    yield Effect("parameter-count", site.line, message)


def _is_guarded(site: Textual) -> bool:
    """Whether the rows are known to be some: written out, or tested by an `if` around."""
    rows = site.call.args[1]
    if isinstance(rows, ast.List):
        return bool(rows.elts)
    said = ast.dump(rows) if isinstance(rows, ast.Name) else ""
    inner: ast.AST = site.call
    for around in site.module.ancestors(site.call):
        if isinstance(around, ast.If) and inner in around.body and said == ast.dump(around.test):
            return True
        inner = around
    return False


def reads_keys(node: ast.Name, site: Textual) -> bool:
    """Whether the code treats what a name holds as a dict: `row["key"]`, `row.items()`, which no list has."""
    flow = site.life.flow
    same = {n for (n, key), found in flow.reaching.items() if key == node.id and found & flow.of(node)}
    return any(_is_dict_use(n, site) for n in same)


def _is_dict_use(node: ast.AST, site: Textual) -> bool:
    parent = site.module.parents.get(node)
    match parent:
        case ast.Subscript(value=value, slice=ast.Constant(value=str())):
            return value is node
        case ast.Attribute(value=value, attr=attr):
            return value is node and attr in _OF_DICTS
        case _:
            return False


def is_row_of_dicts(node: ast.Name, site: Textual) -> bool:
    """Whether a name is bound by a loop over a list of dicts that is written out."""
    definitions = site.life.flow.of(node)
    loop = site.module.parents.get(next(iter(definitions))) if len(definitions) == 1 else None
    if not isinstance(loop, ast.For) or loop.target not in definitions:
        return False
    rows = loop.iter
    if isinstance(rows, ast.Name):
        rows = only_value(site.life.flow.of(rows), site.module) or rows
    return (
        isinstance(rows, ast.List | ast.Tuple) and bool(rows.elts) and all(isinstance(e, ast.Dict) for e in rows.elts)
    )
