"""What the project's context manager that hands out the raw connection does at its end, and the scope does not."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ormlift.model import Effect
from ormlift.schema import Tri
from ormlift.sql.life.executions import Execution
from ormlift.sql.life.model import Does, Life
from ormlift.sql.life.region import Region
from ormlift.syntax import dotted


def error_effects(life: Life) -> Iterator[Effect]:
    """The manager keeps errors of its block back, or turns them into its own."""
    manager, name = life.manager, f"{dotted(life.call.func)}()"
    if manager is None:
        return
    if manager.wraps:
        message = f"{name} turns errors of the block into {manager.wraps}; now callers see SQLAlchemy's, or as they are"
        yield Effect("driver-exception", life.line, message)
    if manager.swallows is not Tri.NO:
        how = "keeps" if manager.swallows is Tri.YES else "may keep"
        message = f"{name} {how} errors of the block to itself; now they reach its callers"
        yield Effect("manager-swallows-errors", life.line, message)


def failure_effects(life: Life, region: Region, writes: list[Execution], *, scope: Tri) -> Iterator[Effect]:
    """One of the manager and the scope commits also what a block wrote that ends with an error."""
    if life.manager is None:
        return
    taken_back = life.manager.rolls_back is Tri.YES  # before a commit in the `finally` around it
    raw = Tri.NO if taken_back else life.manager.commits_on_failure
    if raw is scope:
        return
    name = f"{dotted(life.call.func)}()"
    for write in writes:
        if _may_fail_behind(write, life, region):
            message = f"{_says(raw, name)} what line {write.line} writes where its block ends with an error"
            yield Effect("commit-on-error", write.line, f"{message}, and the scope {_says_too(scope)}")


def _says(raw: Tri, name: str) -> str:
    return {Tri.YES: f"{name} commits", Tri.NO: f"{name} takes back"}.get(raw, f"{name} may commit")


def _says_too(scope: Tri) -> str:
    return {Tri.YES: "commits it", Tri.NO: "takes it back"}.get(scope, "may do otherwise")


def _may_fail_behind(write: Execution, life: Life, region: Region) -> bool:
    """Whether something in the block may raise once the write is made, or one of its rows is."""
    statement = life.module.statement(write.node)
    loops = (a for a in life.module.ancestors(statement) if isinstance(a, ast.For | ast.AsyncFor | ast.While))
    if write.use.does is Does.MANY or not _is_whole(statement, write) or any(region.holds(a) for a in loops):
        return True
    end = statement.end_lineno or statement.lineno
    return any(s.lineno > end and not _is_harmless(s, life) for s in ast.walk(region.last) if isinstance(s, ast.stmt))


def _is_whole(statement: ast.stmt, write: Execution) -> bool:
    """Whether a statement does no more than the write, and ask for its count or id."""
    value = getattr(statement, "value", None)
    value = value.value if isinstance(value, ast.Attribute) else value
    return value in (write.node, write.call)


def _is_harmless(statement: ast.stmt, life: Life) -> bool:
    """Whether a statement cannot raise: a return of what is there, a close."""
    match statement:
        case ast.Pass() | ast.Return(value=None | ast.Name() | ast.Constant() | ast.Attribute()):
            return True
        case ast.Expr(value=value) | ast.Assign(value=value):
            return any(use.node is value and use.does in _QUIET for use in life.uses)
        case _:
            return False


_QUIET = (Does.CLOSE, Does.ROWCOUNT, Does.LASTROWID)
