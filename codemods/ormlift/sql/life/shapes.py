"""Parameters whose shape cannot be seen: what a wrong one raises is another error now, and other handlers catch it.

The driver, or SQLAlchemy's text(), looked at the parameters when the statement ran, and raised an error of its own;
the written code reads them item by item before. That matters where a handler names the one kind of error.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ormlift.model import Effect
from ormlift.sql.life.drivers import DIALECTS
from ormlift.sql.life.literals import value_facts
from ormlift.sql.life.model import Life
from ormlift.sql.life.refuse import Refused
from ormlift.sql.life.statements import Prepared
from ormlift.syntax import FunctionNode, dotted

_NO_LISTS = ("str", "bytes", "dict", "int", "float", "None", "bool")
_ROOTS = (*DIALECTS, "sqlalchemy")


def check_lists(prepared: Prepared, life: Life) -> None:
    """Refuse what is passed for a list of values and is none: a str, whose characters they were. Raises Refused."""
    for key in prepared.parameters.many:
        node = prepared.parameters.nodes.get(key)
        known = value_facts(node, life).type if node is not None else ""
        if node is not None and known in _NO_LISTS:
            message = f"line {prepared.execution.line} passes {life.module.text(node)}, of type {known}, for a list"
            raise Refused("parameters-unknown", f"{message} of values; pass a list")


def shape_effects(prepared: Prepared, life: Life) -> Iterator[Effect]:
    """An effect where a parameter of another shape raises what a handler around no longer catches."""
    handler = _handler(prepared.execution.call, life)
    if handler is None:
        return
    given, line = prepared.parameters, prepared.execution.line
    behind = f"which the handler on line {handler.lineno} does not name"
    if given.unseen:
        message = f"where {given.unseen} lacks an item, KeyError, IndexError or TypeError is raised now, {behind}"
        yield Effect("parameter-count", line, message)
    for text in _counts(prepared, life):
        yield Effect("parameter-count", line, f"where {text} is no number, ValueError is raised now, {behind}")
    for key in sorted(given.many, key=str):
        node = given.nodes.get(key)
        if node is not None and value_facts(node, life).type not in ("list", "tuple", "set"):
            message = f"where {life.module.text(node)} is no list, ArgumentError or TypeError is raised now, {behind}"
            yield Effect("parameter-count", line, message)


def _counts(prepared: Prepared, life: Life) -> Iterator[str]:
    """The parameters of LIMIT and OFFSET that may be no numbers."""
    from sqlglot import exp

    keys = [slot.key for slot in prepared.statement.slots]
    for part in prepared.statement.tree.find_all(exp.Limit, exp.Offset):
        for placeholder in part.find_all(exp.Placeholder):
            key = keys[int(str(placeholder.this)[1:])]
            node = prepared.parameters.nodes.get(key)
            if node is not None and value_facts(node, life).type != "int":
                yield life.module.text(node)


def _handler(call: ast.AST, life: Life) -> ast.ExceptHandler | None:
    """The handler around that names an error of the driver's or of SQLAlchemy's, in the same function."""
    inner = call
    for around in life.module.ancestors(call):
        if isinstance(around, ast.Try) and inner in around.body:
            for handler in around.handlers:
                if any(_is_theirs(name, life) for name in _names(handler)):
                    return handler
        if around is life.host:
            return None
        inner = around
    return None


def _names(handler: ast.ExceptHandler) -> list[str]:
    types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return [dotted(node) for node in types if node is not None]


def _is_theirs(name: str, life: Life) -> bool:
    head, _, rest = name.partition(".")
    around = [f for f in (life.host, *life.module.ancestors(life.host)) if isinstance(f, FunctionNode)]
    local = (life.module.local_imports(function).get(head) for function in around)
    target = next(filter(None, local), "") or life.module.imports.get(head, "")
    full = f"{target}.{rest}" if rest else target
    return any(full.startswith(f"{root}.") for root in _ROOTS)
