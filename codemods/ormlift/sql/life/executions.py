"""Each `execute(..)` of a life with what is fetched from it, and in which form the two are written."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial

from ormlift.sql.life.flow import Flow, Mark, flow
from ormlift.sql.life.model import Does, Ends, Life, Use
from ormlift.sql.life.refuse import Refused
from ormlift.sql.life.reuse import check_loops, cursor_groups
from ormlift.sql.life.swallow import may_swallow
from ormlift.syntax import FunctionNode, Module

FETCHES = (Does.FETCHONE, Does.FETCHALL, Does.FETCHMANY, Does.ITERATE)
ASKS = (Does.ROWCOUNT, Does.LASTROWID)
TRANSACTION = "#transaction"
OPEN = "#open"


class Form(StrEnum):
    """How an execution and its fetch are written."""

    ALONE = "alone"  # nothing is fetched: the call becomes the statement
    CHAIN = "chain"  # execute(..).fetchone(): one expression
    NEXT = "next"  # fetched by the very next statement: the execute goes, the fetch becomes the statement
    RESULT = "result"  # kept in a variable, which is fetched from


@dataclass(eq=False)
class Execution:
    """One `execute(..)`."""

    use: Use
    call: ast.Call
    fetches: list[Use] = field(default_factory=list)
    asks: list[Use] = field(default_factory=list)  # rowcount, lastrowid
    described: list[Use] = field(default_factory=list)  # description
    form: Form = Form.ALONE

    @property
    def line(self) -> int:
        """The line it stands on."""
        return self.call.lineno

    @property
    def node(self) -> ast.expr:
        """The whole expression: the call, and the await around it."""
        return self.use.node

    def take(self, use: Use) -> None:
        """Note what is read from it."""
        if use.does is Does.DESCRIPTION:
            self.described.append(use)
        else:
            (self.asks if use.does in ASKS else self.fetches).append(use)


def check_nested(found: Iterable[Execution], module: Module) -> None:
    """Refuse an execution among the parameters of another one. Raises Refused."""
    calls = {execution.call: execution for execution in found}
    for execution in calls.values():
        if any(around in calls for around in module.ancestors(execution.call)):
            message = f"line {execution.line} executes among the parameters of another statement"
            raise Refused("unclear-cursor", f"{message}; give it a statement of its own")


def marked_flow(
    life: Life,
    last: ast.stmt,
    settled: Iterable[ast.stmt] = (),
    reads: Collection[ast.expr] = (),
    asked: Iterable[ast.AST] = (),
) -> Flow:
    """The function walked once more, with what was last executed on each cursor, and what is uncommitted.

    The region ends with `last`; `settled` are tests around a commit or rollback, `if conn: conn.rollback()`, which lose
    their test. `reads` are executions known to be of SELECTs, which leave the transaction as it is. `asked` are further
    nodes to tell of what is uncommitted there.
    """
    by_node: dict[ast.AST, list[Mark]] = {}
    groups = cursor_groups(life)
    reads = {*reads, *(lent.call for lent in life.lent.values() if lent.reads)}
    for use in life.uses:
        marks = _marks(use, groups.get(use.cursor, use.cursor))
        by_node.setdefault(use.node, []).extend(m for m in marks if m.name != TRANSACTION or use.node not in reads)
    for statement in settled:
        by_node.setdefault(statement, []).append(Mark(TRANSACTION, defines=True))
    for node in (last, *asked):
        by_node.setdefault(node, []).append(Mark(TRANSACTION, defines=False))
    for node in ast.walk(life.host):
        if isinstance(node, ast.Return | ast.Break | ast.Continue):
            by_node.setdefault(node, []).append(Mark(TRANSACTION, defines=False))
    arguments = life.host.args if isinstance(life.host, FunctionNode) else None
    keeps = partial(may_swallow, module=life.module)
    handed = [a.arg for a, is_cursor in life.parameters.items() if is_cursor]
    held = {f"#{groups[name]}": life.host for name in (*life.kept, *handed) if name in groups}  # may have executed
    if life.parameters:
        held |= {TRANSACTION: life.host} | ({OPEN: life.host} if life.enters_open else {})
    return flow(life.host.body, lambda node: by_node.get(node, ()), arguments, keeps, held)


def _marks(use: Use, cursor: str) -> Iterator[Mark]:
    name = f"#{cursor}"
    if use.does is Does.EXECUTE:
        yield Mark(name, defines=True)
        yield Mark(TRANSACTION, defines=True)
        yield Mark(OPEN, defines=True)
    elif use.does is Does.LENT:
        yield from (Mark(n, defines=True) for n in (TRANSACTION, OPEN, *([name] if use.cursor else [])))
    elif use.does in (Does.CURSOR, Does.CURSOR_BLOCK, Does.MANY):
        yield Mark(name, defines=True)
    elif use.does in (*FETCHES, *ASKS, Does.DESCRIPTION):
        yield Mark(name, defines=False)
    elif use.does in (Does.COMMIT, Does.ROLLBACK):
        yield Mark(TRANSACTION, defines=True)
        yield Mark(OPEN, defines=True)
    elif use.does is Does.BLOCK:
        yield Mark(OPEN, defines=False)
    elif use.hands is not None:
        yield from _handed_marks(use.hands.ends, name if use.cursor else "")


def _handed_marks(ends: Ends, cursor: str) -> Iterator[Mark]:
    """What a call may do that is handed the connection, or a cursor, on which it may have executed."""
    yield Mark(OPEN, defines=False)
    yield Mark(OPEN, defines=True)
    if ends.writes or not ends.passes:
        yield Mark(TRANSACTION, defines=True)
    if cursor:
        yield Mark(cursor, defines=True)


def executions(life: Life, reached: Flow) -> list[Execution]:
    """All executions of a life, in source order, with their fetches. Raises Refused where they can't be told apart."""
    found = [Execution(use, use.call) for use in life.where(Does.EXECUTE) if isinstance(use.call, ast.Call)]
    by_node: dict[ast.AST, Execution] = {e.node: e for e in found}
    groups = cursor_groups(life)
    check_loops(life, groups)
    shared: list[list[Execution]] = []
    for use in life.where(*FETCHES, *ASKS, Does.DESCRIPTION):
        owners = _owners(use, by_node, reached, groups.get(use.cursor, use.cursor))
        for owner in owners:
            owner.take(use)
        if len(owners) > 1 and use.does is Does.DESCRIPTION:
            raise Refused("description", f"line {use.line} describes the rows of several statements; name the columns")
        if len(owners) > 1 and use.does in FETCHES:
            shared.append(owners)
    for execution in found:
        _check_sizes(execution)
        execution.form = _form(execution, life)
    for owners in shared:
        for owner in owners:
            owner.form = Form.RESULT
    return found


def _check_sizes(execution: Execution) -> None:
    for fetch in execution.fetches:
        sized = isinstance(fetch.call, ast.Call) and (fetch.call.args or fetch.call.keywords)
        if fetch.does is Does.FETCHMANY and not sized:
            message = f"line {fetch.line} fetches as many rows as the cursor's arraysize says; say how many"
            raise Refused("unclear-cursor", message)


def _owners(use: Use, by_node: dict[ast.AST, Execution], reached: Flow, cursor: str) -> list[Execution]:
    direct = _direct(use)
    if direct is not None and direct in by_node:
        return [by_node[direct]]
    definitions = reached.of(use.node, f"#{cursor}")
    owners = [by_node[d] for d in definitions if d in by_node]
    if not owners or len(owners) != len(definitions):
        message = f"what line {use.line} reads was not surely executed in this function; execute it on the same path"
        raise Refused("unclear-cursor", message)
    for owner in owners:
        if use.cursor not in (owner.use.cursor, owner.use.said):
            message = f"line {use.line} reads from a cursor that has executed again on line {owner.line}; use two"
            raise Refused("unclear-cursor", message)
    return sorted(owners, key=lambda e: e.line)


def _direct(use: Use) -> ast.AST | None:
    """The execute that a fetch hangs on: `execute(..).fetchone()`, `for row in execute(..)`."""
    node = use.node
    if use.receiver is not None:
        return None
    counted = use.does is Does.ROWCOUNT and isinstance(node, ast.Call)  # of a driver whose execute gives the count
    if use.does is Does.ITERATE or counted or _is_both(use.call):
        return node
    attribute = use.call.func if isinstance(use.call, ast.Call) else node
    return attribute.value if isinstance(attribute, ast.Attribute) else None


def _is_both(node: ast.expr) -> bool:
    """aiosqlite's call that executes and fetches."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "execute_fetchall"


def _form(execution: Execution, life: Life) -> Form:
    if not execution.fetches:
        return Form.ALONE
    module = life.module
    (first, *more) = execution.fetches
    if not more and _direct(first) is execution.node:
        return Form.CHAIN
    if isinstance(module.parents[execution.node], ast.withitem):
        return _in_block_form(execution, life)
    if not is_alone(execution, module):
        message = f"the execute on line {execution.line} is part of a larger expression; give it a statement of its own"
        raise Refused("unclear-cursor", message)
    if not more and not execution.asks and is_next(execution, first, life):
        return Form.NEXT
    return Form.RESULT


def is_alone(execution: Execution, module: Module) -> bool:
    """Whether the execute is a statement of its own, or all that a name is bound to."""
    statement = module.statement(execution.call)
    return isinstance(statement, ast.Expr | ast.Assign) and statement.value is execution.node


def _in_block_form(execution: Execution, life: Life) -> Form:
    """`async with db.execute(..) as cursor:` with one fetch, in the first statement of the block."""
    block = life.module.statement(execution.call)
    fetch = execution.fetches[0]
    follower = life.module.statement(fetch.node)
    first = isinstance(block, ast.With | ast.AsyncWith) and block.body[0] is follower and len(block.items) == 1
    if not first or len(execution.fetches) > 1 or execution.asks or not _is_evaluated_once(fetch.node, follower, life):
        message = f"the block of line {execution.line} fetches otherwise than once, in its first statement"
        raise Refused("unclear-cursor", f"{message}; execute and fetch without a block")
    return Form.NEXT


def is_next(execution: Execution, fetch: Use, life: Life) -> bool:
    """Whether the fetch is what the next statement begins with, so that nothing happens in between.

    Not where it stands among the parameters of another execution, which is written anew itself.
    """
    module = life.module
    others = {use.node for use in life.where(Does.EXECUTE)} - {execution.node}
    if others & set(module.ancestors(fetch.node)):
        return False
    statement = module.statement(execution.call)
    follower = module.statement(fetch.node)
    suite = module.suite(statement)
    place = suite.index(statement) + 1
    while place < len(suite) and suite[place] is not follower:
        if not _is_inert(suite[place]):
            return False
        place += 1
    return place < len(suite) and _is_evaluated_once(fetch.node, follower, life) and fetch.does is not Does.FETCHMANY


def _is_inert(statement: ast.stmt) -> bool:
    """Whether a statement can stand between an execute and its fetch without any doubt."""
    if not isinstance(statement, ast.Assign) or not all(isinstance(t, ast.Name) for t in statement.targets):
        return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return all(
        isinstance(n, ast.Constant | ast.List | ast.Dict | ast.Tuple | ast.expr_context)
        for n in ast.walk(statement.value)
    )


def _is_evaluated_once(node: ast.expr, statement: ast.stmt, life: Life) -> bool:
    """Whether the statement evaluates `node` exactly once, before any statement inside it."""
    inner: ast.AST = node
    for around in life.module.ancestors(node):
        if isinstance(around, ast.Lambda | ast.IfExp | ast.BoolOp) and inner is not _first_part(around):
            return False
        if isinstance(around, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) and not (
            isinstance(inner, ast.comprehension) and around.generators[0] is inner
        ):
            return False
        if isinstance(around, ast.comprehension) and around.iter is not inner:
            return False
        if around is statement:
            return not isinstance(statement, ast.While) and _is_head(inner, statement)
        inner = around
    return False


def _first_part(node: ast.AST) -> ast.AST | None:
    if isinstance(node, ast.IfExp):
        return node.test
    return node.values[0] if isinstance(node, ast.BoolOp) else None


def _is_head(node: ast.AST, statement: ast.stmt) -> bool:
    match statement:
        case ast.For(iter=head) | ast.AsyncFor(iter=head) | ast.If(test=head):
            return node is head
        case ast.Try() | ast.With() | ast.AsyncWith() | ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return False
        case _:
            return True
