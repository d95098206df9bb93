"""`SELECT LAST_INSERT_ID()`: the id that the INSERT before it made, which the INSERT's own result tells.

What a connection remembers between statements is lost to a session that commits in between: it gives its connection
back, and may go on with another one.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ormlift.schema import Tri
from ormlift.sql.life.commits import autocommits
from ormlift.sql.life.executions import Form
from ormlift.sql.life.flow import Mark, flow
from ormlift.sql.life.model import Does, How, Life, Use
from ormlift.sql.life.refuse import Refused
from ormlift.sql.life.statements import Prepared
from ormlift.sql.statement import Kind
from ormlift.syntax import FunctionNode

_LAST_ID = re.compile(r"\s*SELECT\s+(?:LAST_INSERT_ID|last_insert_rowid)\s*\(\s*\)(?:\s+AS\s+\w+)?\s*;?\s*", re.I)
_REMEMBERED = frozenset(
    [
        "LAST_INSERT_ID", "LAST_INSERT_ROWID", "CHANGES", "TOTAL_CHANGES", "ROW_COUNT", "FOUND_ROWS", "CONNECTION_ID",
        "LASTVAL", "CURRVAL", "PG_BACKEND_PID", "GET_LOCK", "RELEASE_LOCK", "PG_ADVISORY_LOCK",
        "PG_ADVISORY_UNLOCK", "PG_TRY_ADVISORY_LOCK", "SET_CONFIG", "CURRENT_SETTING",
    ]
)  # fmt: skip
_INSERTED = "#inserted"


@dataclass(frozen=True, eq=False)
class LastId:
    """One question for the last id, which goes."""

    asked: Prepared
    insert: Prepared
    gone: tuple[ast.stmt, ...]  # statements of which nothing is left
    values: tuple[ast.expr, ...]  # what becomes the id
    row: ast.expr | None = None  # what becomes a tuple of the id, where the row is kept


def last_ids(prepared: Sequence[Prepared], life: Life) -> list[LastId]:
    """The questions that an INSERT of the life answers. Raises Refused where a commit would lose the answer."""
    asked = [p for p in prepared if _LAST_ID.fullmatch(p.statement.sql)]
    found = [last for p in asked if (last := _last_id(p, prepared, life)) is not None]
    settled = {last.asked for last in found}
    for other in prepared:
        if other not in settled and (name := _remembered(other)) and _may_change(life):
            message = f"line {other.execution.line} asks for what the connection remembers ({name}), and a session that"
            raise Refused("connection-state", f"{message} commits goes on with another one; take the id of the INSERT")
    return found


def _remembered(prepared: Prepared) -> str:
    from sqlglot import exp

    for node in prepared.statement.tree.find_all(exp.Func):
        name = node.name if isinstance(node, exp.Anonymous) else node.sql_name()
        if name.upper() in _REMEMBERED:
            return name
    return ""


def _may_change(life: Life) -> bool:
    """Whether the session's connection may be another in one statement than in the next."""
    return (
        life.how in (How.KEPT, How.HANDED)
        or any(use.hands.ends.commits for use in life.where(Does.HANDS) if use.hands is not None)
        or bool(life.where(Does.COMMIT, Does.ROLLBACK, Does.BLOCK))
        or (autocommits(life) is not Tri.NO)
    )


def _last_id(asked: Prepared, prepared: Sequence[Prepared], life: Life) -> LastId | None:
    insert = _insert_before(asked, prepared, life)
    if insert is None or not _makes_id(insert) or (life.how is How.KEPT and not _is_next(insert, asked, life)):
        return None
    execution = asked.execution
    if len(execution.fetches) != 1 or execution.fetches[0].does is not Does.FETCHONE or execution.asks:
        return None
    (fetch,) = execution.fetches
    statement = life.module.statement(execution.call)
    gone = () if execution.form is Form.CHAIN else (statement,)
    outer = life.module.parents[fetch.node]
    if isinstance(outer, ast.expr) and _is_cell(outer, fetch.node):
        return LastId(asked, insert, gone, (outer,))
    match outer:
        case ast.Assign(targets=[ast.Name() as name]):
            cells = _cells(name, life)
            if cells and all(_is_near(cell, fetch, life) for cell in cells):
                return LastId(asked, insert, (*gone, outer), tuple(cells))
            tuples = _gives_tuples(life) or (cells and not any(_is_cell(c, c.value, str) for c in cells))
            return LastId(asked, insert, gone, (), fetch.node) if tuples else None
        case _:
            return None


def _gives_tuples(life: Life) -> bool:
    here = [use.node for use in life.where(Does.CURSOR, Does.CURSOR_BLOCK)]
    cursors = [*here, *(node for nodes in life.made.values() for node in nodes)]
    plain = all(not n.args and not n.keywords for c in cursors for n in ast.walk(c) if isinstance(n, ast.Call))
    return plain and life.source.rows == "tuple"


def _insert_before(asked: Prepared, prepared: Sequence[Prepared], life: Life) -> Prepared | None:
    """The one INSERT that was surely the last change before."""
    changes: dict[ast.AST, Prepared] = {p.execution.node: p for p in prepared if p.statement.kind is not Kind.SELECT}
    unknown = {use.node for use in life.where(Does.MANY, Does.HANDS, Does.LENT)}

    def marks(node: ast.AST) -> Iterator[Mark]:
        if node in changes or node in unknown:
            yield Mark(_INSERTED, defines=True)
        elif node is asked.execution.node:
            yield Mark(_INSERTED, defines=False)

    arguments = life.host.args if isinstance(life.host, FunctionNode) else None
    definitions = flow(life.host.body, marks, arguments).of(asked.execution.node, _INSERTED)
    owners = [changes[d] for d in definitions if d in changes]
    sure = len(definitions) == 1 and _always(owners, asked, life)
    return owners[0] if sure and owners[0].statement.kind is Kind.INSERT and not owners[0].head else None


def _always(owners: Sequence[Prepared], asked: Prepared, life: Life) -> bool:
    """Whether the change comes before in the same suite, or one around, so that it has surely run."""
    module = life.module
    return len(owners) == 1 and any(
        module.suite(s) is module.suite(module.statement(owners[0].execution.call))
        for s in (module.statement(asked.execution.call), *module.ancestors(asked.execution.call))
        if isinstance(s, ast.stmt) and s is not life.host and not isinstance(s, FunctionNode)
    )


def _makes_id(insert: Prepared) -> bool:
    """Whether the INSERT is of one row, whose id the database gives."""
    from sqlglot import exp

    tree = insert.statement.tree
    values = tree.args.get("expression")
    if not isinstance(values, exp.Values) or len(values.expressions) != 1 or not isinstance(tree.this, exp.Schema):
        return False
    if any(tree.args.get(key) for key in ("conflict", "alternative", "ignore", "returning")):
        return False
    if insert.statement.dialect != "mysql":
        return True
    (model, *others) = dict.fromkeys(insert.models[t.lower()] for _, t in insert.statement.tables)
    named = {column.name.lower() for column in tree.this.expressions}
    keys = model.primary_key
    return not others and len(keys) == 1 and "Int" in keys[0].type and keys[0].name.lower() not in named


def _is_next(insert: Prepared, asked: Prepared, life: Life) -> bool:
    """Whether nothing but commits stands between the two."""
    module = life.module
    first, last = module.statement(insert.execution.call), module.statement(asked.execution.call)
    suite = module.suite(first)
    if last not in suite or first is last:
        return False
    commits = {module.statement(use.node) for use in life.where(Does.COMMIT)}
    return all(s in commits for s in suite[suite.index(first) + 1 : suite.index(last)])


def _cells(name: ast.Name, life: Life) -> list[ast.Subscript]:
    """`row[0]` for each read of the row; nothing where one is otherwise."""
    loads = [(n, d) for (n, key), d in life.flow.reaching.items() if key == name.id and name in d]
    cells: list[ast.Subscript] = []
    for load, definitions in loads:
        cell = life.module.parents[load]
        if definitions != {name} or not isinstance(load, ast.Name) or not isinstance(cell, ast.Subscript):
            return []
        if not _is_cell(cell, load):
            return []
        cells.append(cell)
    return cells if not life.flow.captured.get(name.id) else []


def _is_near(cell: ast.Subscript, fetch: Use, life: Life) -> bool:
    """Whether no other statement comes between a fetch and a read of its row."""
    suite = life.module.suite(life.module.statement(fetch.node))
    between = any(fetch.line < use.line < cell.lineno for use in life.uses)
    return life.module.statement(cell) in suite and not between


def _is_cell(node: ast.expr, row: ast.expr, kind: type = object) -> bool:
    """`row[0]`, `row["id"]`."""
    match node:
        case ast.Subscript(value=value, slice=ast.Constant(value=key)):
            return value is row and isinstance(key, kind) and (isinstance(key, str) or key == 0)
        case _:
            return False
