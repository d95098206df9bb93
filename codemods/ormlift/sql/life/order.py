"""What happens in another order, or more than once: parameters that are calls, loops that write what they read."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator

from ormlift.model import Effect
from ormlift.project.index import ProjectIndex
from ormlift.sql.life.executions import Execution, Form
from ormlift.sql.life.model import Does, Life, Use
from ormlift.sql.life.pure import acts, does_more, looks, repeatable
from ormlift.sql.life.reached import writing_calls
from ormlift.sql.life.refuse import Refused
from ormlift.sql.life.statements import Prepared
from ormlift.sql.statement import Fetch, Kind
from ormlift.syntax import Module, dotted, walk_scope


def order_effects(prepared: Prepared, module: Module, index: ProjectIndex) -> Iterator[Effect]:
    """Parameters are evaluated in the order of the new text; that matters where one does what another may see."""
    assert prepared.written is not None
    nodes = prepared.parameters.nodes
    keys = [slot.key for slot in prepared.statement.slots]
    new = [key for key in (keys[slot] for slot in dict.fromkeys(prepared.written.occurrences)) if key in nodes]
    old = [key for key in nodes if key in new]
    changing = {name for model in index.models for name in model.mutating_properties}
    acting = {key for key in old if acts(nodes[key]) or does_more(nodes[key], module, changing)}
    seeing = {key for key in old if key in acting or looks(nodes[key])}
    turned = (
        (a, b)
        for n, a in enumerate(old)
        for b in old[n + 1 :]
        if {a, b} <= seeing and {a, b} & acting and new.index(a) > new.index(b)
    )
    if pair := next(turned, None):
        first, second = (module.text(nodes[key]).splitlines()[0] for key in pair)
        message = f"{first} was evaluated before {second}, and is after it now; give them variables if that matters"
        yield Effect("evaluation-order", prepared.execution.line, message)


def check_repeated(prepared: Prepared) -> None:
    """A parameter that does something, or varies, must not be written twice. Raises Refused."""
    assert prepared.written is not None
    for slot, times in Counter(prepared.written.occurrences).items():
        node = prepared.parameters.nodes.get(prepared.statement.slots[slot].key)
        if times > 1 and node is not None and not repeatable(node):
            message = f"a parameter on line {prepared.execution.line} is a call and would be written {times} times"
            raise Refused("parameters-unknown", f"{message}; give it a variable")


def ahead_effects(prepared: Iterable[Prepared], life: Life) -> Iterator[Effect]:
    """What writes to a table while its rows are read: a raw cursor met it, a session has all rows before."""
    listed = list(prepared)
    for reader in listed:
        read = {use.does for use in reader.execution.fetches}
        lazy = reader.fetch is Fetch.ITERATE or reader.execution.form is Form.RESULT or Does.ITERATE in read
        for use in reader.execution.fetches if lazy and reader.statement.kind is Kind.SELECT else ():
            around = life.module.ancestors(use.node)
            loops: set[ast.AST] = {a for a in around if isinstance(a, ast.For | ast.AsyncFor | ast.While)}
            step = reader.statement.dialect == "sqlite"  # the other drivers have all rows at once
            for writer in listed:
                same = set(writer.statement.tables) & set(reader.statement.tables)
                inside = use.does is not Does.FETCHALL and loops & set(life.module.ancestors(writer.execution.call))
                between = step and reader.execution.line < writer.execution.line < use.line
                if writer.statement.kind is not Kind.SELECT and same and (inside or between):
                    reads = "the loop of" if inside else "the cursor read on"
                    message = f"writes to the table that {reads} line {use.line} reads: all its rows are read before"
                    yield Effect("reads-ahead", writer.execution.line, message)
            yield from (_called(c, use.line) for c in _handed_inside(use, loops, life))
            if step and not _takes_all(use, life.module):
                yield from _yielding(reader.execution, use, loops, life)
            if step and use.does is Does.ITERATE:
                yield from (
                    _called(call, use.line) for loop in loops for call in writing_calls(_body(loop), life.module)
                )


def _takes_all(use: Use, module: Module) -> bool:
    """Whether a use reads all rows at once: fetchall(), `list(cur)`, `[.. for row in cur]`."""
    match module.parents[use.node]:
        case ast.Call(func=ast.Name(id="list" | "tuple" | "set" | "frozenset" | "dict" | "sorted")):
            return True
        case ast.comprehension() as part:
            return not isinstance(module.parents[part], ast.GeneratorExp)
        case _:
            return use.does is Does.FETCHALL


def _yielding(execution: Execution, use: Use, loops: set[ast.AST], life: Life) -> Iterator[Effect]:
    """A generator hands over amid a cursor's rows: what its caller writes then is met, or finds the database locked."""
    for node in walk_scope(life.host):
        if isinstance(node, ast.Yield | ast.YieldFrom):
            inside = loops & set(life.module.ancestors(node))
            if inside or execution.line < node.lineno < use.line:
                message = f"yields before line {use.line} has read all rows, and a session has them: what the caller"
                yield Effect(
                    "reads-ahead", node.lineno, f"{message} writes meanwhile found the database locked, or was met"
                )
                return


def _body(loop: ast.AST) -> list[ast.stmt]:
    return loop.body if isinstance(loop, ast.For | ast.AsyncFor | ast.While) else []


def _handed_inside(use: Use, loops: set[ast.AST], life: Life) -> Iterator[ast.Call]:
    """The calls in a loop that are handed the connection, and may write on it."""
    for other in life.where(Does.HANDS) if use.does is not Does.FETCHALL else ():
        writes = other.hands is not None and other.hands.ends.changes
        if writes and other.hands is not None and loops.intersection(life.module.ancestors(other.node)):
            yield other.hands.call


def _called(call: ast.Call, line: int) -> Effect:
    message = f"{dotted(call.func)}() may write while the loop of line {line} reads: all its rows are read before"
    return Effect("reads-ahead", call.lineno, message)


def caught_writes(life: Life, writes: Iterable[Execution]) -> Iterator[Effect]:
    """In autocommit mode a write that fails leaves nothing open; a session's transaction stays."""
    for write in writes:
        inner: ast.AST = write.call
        for around in life.module.ancestors(write.call):
            if isinstance(around, ast.Try) and inner in around.body and not all(_ends(h) for h in around.handlers):
                message = "if this write fails and the error is caught, the session's transaction stays open; roll back"
                yield Effect("autocommit", write.line, message)
                break
            if around is life.host:
                break
            inner = around


def _ends(handler: ast.ExceptHandler) -> bool:
    return bool(handler.body) and isinstance(handler.body[-1], ast.Raise)
