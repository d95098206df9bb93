"""The row count of a SELECT, and rows fetched behind a commit: all are read at once into a list, and fetched from it.

A driver that has all rows at once counts them; one that reads them as they come says -1, or how many it has read.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from ormlift.model import Effect
from ormlift.sql.life.executions import Execution, Form, is_alone
from ormlift.sql.life.model import Does, Life, Use
from ormlift.sql.life.refuse import Refused
from ormlift.sql.life.rowkind import made_by
from ormlift.sql.statement import Kind, Statement
from ormlift.syntax import FunctionNode, Module

FIRST_NAMES = ("row", "first", "found_row", "row_")
COUNTED_NAMES = ("rows", "found", "matches", "rows_")
_COUNTING = frozenset(["pymysql", "MySQLdb", "psycopg2", "psycopg"])
_PLAIN = frozenset(["DictCursor", "RealDictCursor", "Cursor", "cursor", "dict_row", "tuple_row", "True"])
_OPTIONS = frozenset(["buffered", "dictionary", "cursor_factory", "row_factory", "cursor"])


def is_counted(execution: Execution, statement: Statement) -> bool:
    """Whether nothing but the number of its rows is asked of a SELECT, besides its rows."""
    asked = {use.does for use in execution.asks}
    return statement.kind is Kind.SELECT and asked == {Does.ROWCOUNT}


def is_over_commit(execution: Execution, life: Life) -> bool:
    """Whether rows that the driver has all at once are fetched behind a commit, which closes a session's result."""
    if execution.form is not Form.RESULT or execution.asks or commit_between(execution, life) is None:
        return False
    sized = any(fetch.does is Does.FETCHMANY or fetch.receiver is None for fetch in execution.fetches)
    return not sized and is_alone(execution, life.module) and _counts(execution, life)


def commit_between(execution: Execution, life: Life) -> tuple[Use, Use] | None:
    """A commit between an execute and its fetch, and the fetch."""
    handed = [use for use in life.where(Does.HANDS) if use.hands is not None and use.hands.ends.commits]
    for use in execution.fetches:
        for other in [*life.where(Does.COMMIT, Does.ROLLBACK), *handed]:
            between = execution.line < other.line <= (use.node.end_lineno or use.line)
            if between or _goes_on(use, other, life):
                return other, use
    return None


def _goes_on(use: Use, other: Use, life: Life) -> bool:
    """Whether a commit stands in a loop that goes on fetching."""
    loops = {a for a in life.module.ancestors(use.node) if isinstance(a, ast.For | ast.AsyncFor | ast.While)}
    return any(a in loops for a in life.module.ancestors(other.node))


def is_first(execution: Execution, module: Module) -> bool:
    """Whether nothing is asked but one row, so that no list is needed."""
    rows = any(fetch.does is not Does.FETCHONE for fetch in execution.fetches)
    return not execution.asks and not rows and _is_one(execution, module)


def rows_key(execution: Execution, module: Module) -> str:
    """What the rows of a cursor's executions are known by."""
    return f"{'row' if is_first(execution, module) else 'rows'}:{execution.use.cursor}"


def check_counted(execution: Execution, life: Life) -> None:
    """Refuse where the driver does not count the rows of a SELECT, or the rows can't be a list. Raises Refused."""
    line = execution.asks[0].line
    if not _counts(execution, life):
        message = f"line {line} asks for the row count of a SELECT, which this cursor does not know before all is read"
        raise Refused("row-count", f"{message}; count the rows")
    if any(fetch.does is Does.FETCHMANY for fetch in execution.fetches) or execution.described:
        message = f"line {line} asks for the row count of a SELECT whose rows are read piece by piece, or described"
        raise Refused("row-count", f"{message}; fetch all rows, and count them")
    chained = any(use.receiver is None and use.node is not execution.node for use in execution.asks)
    if not is_alone(execution, life.module) or chained or execution.use.cursor == "":
        message = f"the execute on line {execution.line} is part of a larger expression"
        raise Refused("unclear-cursor", f"{message}; give it a statement of its own")


def check_apart(counted: Execution, others: Iterable[Execution]) -> None:
    """Refuse where a count or a fetch may be of another statement too. Raises Refused."""
    mine = {*counted.asks, *counted.fetches}
    for other in others:
        if other is not counted and mine & {*other.asks, *other.fetches}:
            message = f"line {counted.asks[0].line} may count the rows of different statements"
            raise Refused("row-count", f"{message}; count the rows of each by itself")


def _counts(execution: Execution, life: Life) -> bool:
    """Whether the cursor has all rows when it has executed."""
    made = [n for node in made_by(life, execution) for n in ast.walk(node) if isinstance(n, ast.Call)]
    calls = [n for n in made if isinstance(n.func, ast.Attribute) and n.func.attr == "cursor"]
    if any(not _is_plain(call) for call in calls) or life.source.row_factory not in ("", "tuple", "dict", "DictCursor"):
        return False
    opened = {k.arg: ast.unparse(k.value) for k in life.call.keywords if k.arg}
    if any(word in text for text in opened.values() for word in ("SSCursor", "SSDictCursor")):
        return False
    if life.source.driver == "mysql.connector":
        buffers = [k for call in (life.call, *calls) for k in call.keywords if k.arg == "buffered"]
        return any(isinstance(k.value, ast.Constant) and k.value.value is True for k in buffers)
    return life.source.driver in _COUNTING


def _is_plain(call: ast.Call) -> bool:
    """Whether a `cursor(..)` is none of the server's, which have a name or a class of their own."""
    given = [*call.args, *(k.value for k in call.keywords)]
    named = all(k.arg in _OPTIONS for k in call.keywords)
    return named and all(ast.unparse(g).rpartition(".")[2] in _PLAIN for g in given)


def counted_texts(execution: Execution, name: str, module: Module) -> dict[ast.expr, str]:
    """What becomes of the counts and the fetches, now that `name` is the list of the rows."""
    if is_first(execution, module):
        return {use.node: name for use in execution.fetches}
    asked = [use.node for use in execution.asks if use.node is not execution.node]
    texts = {node: name if _is_asked(node, module) else f"len({name})" for node in asked}
    if not _is_one(execution, module):
        steps = f"{name}_left"
        left = {Does.FETCHONE: f"next({steps}, None)", Does.FETCHALL: f"list({steps})", Does.ITERATE: steps}
        return texts | {use.node: left[use.does] for use in execution.fetches}
    for use in execution.fetches:
        first = f"{name}[0]" if _is_sure(use.node, execution, module) else f"next(iter({name}), None)"
        # what is fetched may be changed before it is counted
        whole = f"list({name})" if any(ask.line > use.line for ask in execution.asks) else name
        texts[use.node] = {Does.FETCHONE: first, Does.FETCHALL: whole}.get(use.does, name)
    return texts


def counted_lines(execution: Execution, name: str, module: Module) -> list[str]:
    """What stands below the statement: the count that it gave, and the rows left where they are fetched one by one."""
    statement = module.statement(execution.node)
    counted = any(use.node is execution.node for use in execution.asks) and isinstance(statement, ast.Assign)
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    count = ["".join(f"{module.text(t)} = " for t in targets) + f"len({name})"] if counted else []
    return count + ([] if _is_one(execution, module) else [f"{name}_left = iter({name})"])


def left_name(execution: Execution, name: str, module: Module) -> str:
    """The name that needs to be free besides; empty where there is none."""
    return "" if _is_one(execution, module) else f"{name}_left"


def _is_one(execution: Execution, module: Module) -> bool:
    """Whether at most one fetch runs for each execution, so that it begins with the first row."""
    suites = [_branches(use, module) for use in execution.fetches]
    apart = all(_exclude(one, other) for n, one in enumerate(suites) for other in suites[:n])
    loops = set(_loops(execution.call, module))
    return apart and all(set(_loops(use.node, module)) <= loops for use in execution.fetches)


def _loops(node: ast.AST, module: Module) -> Iterator[ast.AST]:
    """What may run a node several times; what a loop or comprehension reads is evaluated once."""
    inner = node
    for around in module.ancestors(node):
        if isinstance(around, FunctionNode | ast.Lambda):
            return
        match around:
            case ast.While():
                yield around
            case ast.For(iter=source) | ast.AsyncFor(iter=source) if source is not inner:
                yield around
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                first = around.generators[0]
                if inner is not first or not any(n is node for n in ast.walk(first.iter)):
                    yield around
            case _:
                pass
        inner = around


def _branches(use: Use, module: Module) -> dict[ast.AST, bool]:
    """The `if`s around a use, and whether it stands where they hold."""
    found: dict[ast.AST, bool] = {}
    inner: ast.AST = use.node
    for around in module.ancestors(use.node):
        if isinstance(around, ast.If) and inner is not around.test:
            found[around] = inner in around.body
        inner = around
    return found


def _exclude(one: dict[ast.AST, bool], other: dict[ast.AST, bool]) -> bool:
    return any(around in other and other[around] is not holds for around, holds in one.items())


def _is_asked(node: ast.expr, module: Module) -> bool:
    """Whether no more is asked than whether there are rows."""
    match module.parents[node]:
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
            return test is node
        case ast.UnaryOp(op=ast.Not()):
            return True
        case _:
            return False


def _is_sure(node: ast.expr, execution: Execution, module: Module) -> bool:
    """Whether a fetch stands where the count has been asked for, and there are rows."""
    counts = {use.node for use in execution.asks}
    inner: ast.AST = node
    for around in module.ancestors(node):
        if isinstance(around, ast.If) and inner in around.body and _says_some(around.test, counts):
            return True
        if isinstance(inner, ast.stmt) and not isinstance(around, ast.ClassDef):
            suite = module.suite(inner)
            if any(_leaves_without(s, counts) for s in suite[: suite.index(inner)]):
                return True
        if isinstance(around, FunctionNode):
            return False
        inner = around
    return False


def _says_some(test: ast.expr, counts: set[ast.expr]) -> bool:
    """`cur.rowcount`, `cur.rowcount > 0`, `cur.rowcount == 1`, and others beside it."""
    match test:
        case ast.BoolOp(op=ast.And(), values=values):
            return any(_says_some(v, counts) for v in values)
        case ast.Compare(left=left, ops=[op], comparators=[ast.Constant(value=int(number))]) if left in counts:
            least = number + 1 if isinstance(op, ast.Gt) else number
            return isinstance(op, ast.Gt | ast.GtE | ast.Eq) and least > 0
        case _:
            return test in counts


def _leaves_without(statement: ast.stmt, counts: set[ast.expr]) -> bool:
    """`if not cur.rowcount: return`, `if cur.rowcount == 0: raise ..`."""
    if not isinstance(statement, ast.If) or statement.orelse:
        return False
    if not isinstance(statement.body[-1], ast.Return | ast.Raise | ast.Continue | ast.Break):
        return False
    match statement.test:
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return operand in counts
        case ast.Compare(left=left, ops=[op], comparators=[ast.Constant(value=int(number))]) if left in counts:
            most = number if isinstance(op, ast.Lt) else number + 1
            return isinstance(op, ast.Eq | ast.Lt | ast.LtE) and most == 1
        case _:
            return False


def counted_effects(execution: Execution, life: Life) -> Iterator[Effect]:
    """What is not seen of the connection's cursors is taken to be as the driver has them."""
    if execution.asks and (life.source.rows == "" or any(k.arg is None for k in life.call.keywords)):
        message = "the row count of a SELECT is taken to be known at once, as it is of the driver's own cursors"
        yield Effect("row-count", execution.asks[0].line, message)
