"""SQL text to a parsed statement with numbered slots, or the reason why not."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, TypeVar

from ormlift.model import Reason
from ormlift.sql.dialects import unread
from ormlift.sql.placeholders import Piece, numbered, pieces
from ormlift.sql.statement import Kind, Slot, Statement
from ormlift.sql.tablefunctions import is_function

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlglot import exp

NodeT = TypeVar("NodeT", bound="exp.Expr")
ADMINISTRATIVE = frozenset(
    """alter analyze attach begin call checkpoint cluster comment commit copy create deallocate declare describe desc
    detach discard do drop end exec execute explain flush grant kill listen load lock merge notify optimize pragma
    prepare refresh reindex release rename repair reset revoke rollback savepoint set show start truncate unlisten
    unlock use vacuum""".split()  # noqa: SIM905 - a list of words reads better as words
)
AGGREGATES = frozenset(
    """count sum avg min max total group_concat string_agg array_agg json_agg jsonb_agg json_object_agg bool_and bool_or
    every stddev variance json_group_array json_group_object bit_and bit_or""".split()  # noqa: SIM905 - as above
)


def read(sql: str, paramstyle: str = "qmark", dialect: str = "sqlite") -> Statement | Reason:
    """Parse one statement. `paramstyle` is the driver's (`?` and `:name` are both understood for sqlite3's `qmark`).

    `format` and `pyformat` both understand `%s`, `%(name)s` and `%%`; pass `paramstyle=""` where the driver gets no
    parameters at all, so that `%` stands for itself. Returns a Reason with a code of `statement.REASONS` otherwise.
    """
    try:
        normal, keys = numbered(sql, paramstyle, dialect)
    except ValueError as error:
        return Reason("sql-not-parsed", f"The placeholders cannot be read: {error}. Write the statement by hand.")
    if any(piece.comment and sql_hint(normal, piece) for piece in pieces(normal, dialect)):
        return Reason("sql-not-supported", "A comment that the server reads (`/*+`, `/*!`) is not written yet.")
    word = first_word(normal, dialect)
    if word in ADMINISTRATIVE:
        return Reason("administrative", f"{word.upper()} has no ORM form; leave it raw, through a Connection.")
    if word == "replace" and dialect == "sqlite":
        normal = re.sub(r"\breplace\b", "INSERT OR REPLACE", normal, count=1, flags=re.IGNORECASE)
    elif word not in ("select", "insert", "update", "delete", "with"):
        return _other(word)
    trees = _parse(normal, dialect)
    if isinstance(trees, Reason):
        return trees
    if len(trees) != 1:
        return Reason("several-statements", f"The string holds {len(trees)} statements; execute them one by one.")
    return _statement(sql, normal, dialect, keys, trees[0])


def sql_hint(sql: str, piece: Piece) -> bool:
    """Whether a comment speaks to the server."""
    return sql.startswith(("/*+", "/*!"), piece.start)


def first_word(sql: str, dialect: str) -> str:
    """The statement's first word in lower case, behind comments and parentheses."""
    text = "".join(" " if piece.comment else sql[piece.start : piece.end] for piece in pieces(sql, dialect))
    match = re.match(r"[\s(;]*([A-Za-z]*)", text)
    return match.group(1).lower() if match else ""


def _other(word: str) -> Reason:
    if word in ("replace", "values", "table"):
        return Reason("sql-not-supported", f"{word.upper()} at the head of a statement is not written yet.")
    return Reason("sql-not-parsed", "The text is not an SQL statement; write it by hand.")


def _parse(normal: str, dialect: str) -> list[exp.Expr] | Reason:
    from sqlglot.errors import SqlglotError

    from ormlift.sql.dialects import parse

    try:
        return [tree for tree in parse(normal, dialect) if tree is not None]
    except (SqlglotError, RecursionError) as error:
        line = str(error).split("\n", 1)[0].split(". Line", 1)[0]
        line = re.sub(r"\x1b\[[0-9;]*m", "", line)
        return Reason("sql-not-parsed", f"The SQL could not be parsed as {dialect} ({line}); mend it or leave it raw.")


def _statement(sql: str, normal: str, dialect: str, keys: list[int | str], tree: exp.Expr) -> Statement | Reason:
    from sqlglot import exp

    if lost := unread(tree):
        return Reason("sql-not-supported", f"{lost} is not written yet; leave the statement or rewrite it by hand.")
    kinds: dict[type[exp.Expr], Kind] = {
        exp.Select: Kind.SELECT,
        exp.Union: Kind.SELECT,
        exp.Intersect: Kind.SELECT,
        exp.Except: Kind.SELECT,
        exp.Insert: Kind.INSERT,
        exp.Update: Kind.UPDATE,
        exp.Delete: Kind.DELETE,
    }
    kind = kinds.get(type(tree))
    if kind is None:
        return Reason("sql-not-supported", f"{type(tree).__name__.upper()} of queries is not written yet.")
    uses = Counter(str(node.this) for node in tree.find_all(exp.Placeholder))
    if {f"p{index}" for index in range(len(keys))} != set(uses):
        return Reason("sql-not-parsed", "The placeholders cannot be told from the SQL around them; write it by hand.")
    slots = tuple(Slot(index, key, uses[f"p{index}"]) for index, key in enumerate(keys))
    common = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    named = [
        table for table in _in_order(tree) if isinstance(table, exp.Table) and table.name and not is_function(table)
    ]
    tables = dict.fromkeys((t.db, t.name) for t in named if t.db or t.name.lower() not in common)
    return Statement(sql, normal, kind, dialect, slots, tuple(tables), tree)


def _in_order(tree: exp.Expr) -> list[exp.Expr]:
    return list(tree.dfs())


def gives_one_row(tree: exp.Expr) -> bool:
    """True where exactly one row comes back whatever the data."""
    from sqlglot import exp

    if not isinstance(tree, exp.Select):
        return False
    if any(tree.args.get(part) for part in ("group", "having", "limit", "offset", "distinct")):
        return False
    if tree.args.get("from_") is None and not tree.args.get("where"):
        return True
    return any(is_aggregate(node) for node in own_nodes(tree, exp.Anonymous, "expressions"))


def own_nodes(tree: exp.Expr, kind: type[NodeT], *parts: str) -> list[NodeT]:
    """The nodes of a kind that a query holds, in some of its parts or in all, without those of queries inside it."""
    from sqlglot import exp

    found: list[NodeT] = []
    queue = (
        [node for part in parts for node in _listed(tree.args.get(part))] if parts else list(tree.iter_expressions())
    )
    while queue:
        node = queue.pop(0)
        if isinstance(node, kind):
            found.append(node)
        if not isinstance(node, exp.Query):
            queue.extend(node.iter_expressions())
    return found


def _listed(part: object) -> list[exp.Expr]:
    from sqlglot import exp

    if isinstance(part, list):
        return [node for node in part if isinstance(node, exp.Expr)]
    return [part] if isinstance(part, exp.Expr) else []


def is_aggregate(node: exp.Expr) -> bool:
    """True for a call of an aggregate function that is not a window function's."""
    from sqlglot import exp

    if not isinstance(node, exp.Anonymous) or node.name.lower() not in AGGREGATES:
        return False
    if isinstance(node.parent, exp.Window) or (
        isinstance(node.parent, exp.Filter) and isinstance(node.parent.parent, exp.Window)
    ):
        return False
    return not (node.name.lower() in ("min", "max") and len(node.expressions) > 1)


def output_column(name: exp.Expr, items: Sequence[exp.Expr]) -> exp.Expr | None:
    """The column of the select list that a bare name of ORDER BY means on a server, whatever other tables have."""
    from sqlglot import exp

    if not isinstance(name.parent, exp.Ordered):
        return None
    found = [item for item in items if isinstance(item, exp.Column) and item.name.lower() == name.name.lower()]
    return found[0] if len(found) == 1 else None
