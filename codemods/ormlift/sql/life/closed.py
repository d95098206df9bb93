"""Uses of a connection or cursor behind its close: the driver raises there, and a session would not."""

from __future__ import annotations

import ast

from ormlift.sql.life.model import Does, Life, Use
from ormlift.sql.life.refuse import Refused

_RAISES = (
    Does.EXECUTE,
    Does.FETCHONE,
    Does.FETCHALL,
    Does.FETCHMANY,
    Does.ITERATE,
    Does.COMMIT,
    Does.ROLLBACK,
    Does.CURSOR,
    Does.HANDS,
    Does.LENT,
)


def check_closed(life: Life) -> None:
    """Raises Refused where something is surely done with a connection that was closed before it."""
    for close in life.where(Does.CLOSE):
        if close.said != life.name:
            continue
        for use in life.where(*_RAISES):
            if _behind(use, close, life):
                message = f"line {use.line} uses {life.name} or a cursor of it after line {close.line} closed it"
                raise Refused("unclear-connection", f"{message}, which raises; close it last")


def _behind(use: Use, close: Use, life: Life) -> bool:
    """Whether a use stands in a later statement of the suite that the close stands in."""
    module = life.module
    if _never_runs(use, life):
        return False
    statement = module.statement(close.node)
    suite = module.suite(statement)
    later = suite[suite.index(statement) + 1 :]
    return any(around in later for around in module.ancestors(use.node))


def _never_runs(use: Use, life: Life) -> bool:
    """Whether a use stands where `if False` leads."""
    inner: ast.AST = use.node
    for around in life.module.ancestors(use.node):
        if isinstance(around, ast.If | ast.IfExp) and isinstance(around.test, ast.Constant) and not around.test.value:
            body = around.body if isinstance(around.body, list) else [around.body]
            if inner in body:
                return True
        inner = around
    return False
