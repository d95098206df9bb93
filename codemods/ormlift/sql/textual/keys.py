"""What the columns of a result are called: by the raw SQL, and by the statement written for it.

`select(Model.attr)` calls a column as the attribute, the raw SQL as the column or its alias; an expression without an
alias is called by the database. Where rows are read by name, the written columns get the raw names as labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ormlift.model import Effect
from ormlift.sql.life.refuse import Refused
from ormlift.sql.rows.follow import Fact
from ormlift.sql.statement import ResultColumn, Statement
from ormlift.sql.textual.rows import Named

if TYPE_CHECKING:
    from sqlglot import exp


def lowered_aliases(statement: Statement) -> Statement:
    """PostgreSQL calls columns in lower case, unless the alias is quoted, and a function's column as the function."""
    from sqlglot import exp

    if statement.dialect != "postgresql" or not isinstance(statement.tree, exp.Select):
        return statement
    tree = statement.tree.copy()
    for item in tree.expressions:
        alias = item.args.get("alias") if isinstance(item, exp.Alias) else None
        if isinstance(alias, exp.Identifier) and not alias.quoted:
            alias.set("this", alias.name.lower())
    for query in tree.find_all(exp.Select):
        if query is not tree and isinstance(query.parent, exp.CTE | exp.Subquery) and query.parent.alias:
            query.set("expressions", _named_functions(query.expressions))
    return replace(statement, tree=tree)


def _named_functions(items: Sequence[exp.Expr]) -> list[exp.Expr]:
    """The columns of a query in FROM or WITH, where the query around it reads them by name."""
    from sqlglot import exp

    names = [_called(item) for item in items]
    unnamed = exp.Anonymous | exp.Cast
    return [
        exp.alias_(item.copy(), name) if isinstance(item, unnamed) and name and names.count(name) == 1 else item
        for item, name in zip(items, names, strict=True)
    ]


def _called(item: exp.Expr) -> str:
    """PostgreSQL calls a function's column as the function, and a cast as what is cast."""
    from sqlglot import exp

    if isinstance(item, exp.Cast):
        return _called(item.this.unnest())
    return item.name.lower() if isinstance(item, exp.Anonymous) else item.alias_or_name.lower()


def raw_keys(statement: Statement, columns: Sequence[ResultColumn]) -> list[str]:
    """What the raw rows call each column; empty where only the database knows."""
    from sqlglot import exp

    items = statement.tree.expressions if isinstance(statement.tree, exp.Select) else []
    if len(items) != len(columns) or any(item.find(exp.Star) for item in items if not _counts(item)):
        return [column.column.name if column.column is not None else "" for column in columns]
    return [_key(item, column, statement.dialect) for item, column in zip(items, columns, strict=True)]


def _counts(item: exp.Expr) -> bool:
    from sqlglot import exp

    return not isinstance(item.unalias(), exp.Star | exp.Column)


def _key(item: exp.Expr, column: ResultColumn, dialect: str) -> str:
    from sqlglot import exp

    if isinstance(item, exp.Alias):
        return item.alias
    if column.column is not None:
        return column.column.name
    tree = item.unnest()
    if dialect == "postgresql":
        return tree.name.lower() if isinstance(tree, exp.Anonymous) else "case" if isinstance(tree, exp.Case) else ""
    return ""


def with_keys(statement: Statement, columns: Sequence[ResultColumn]) -> tuple[ResultColumn, ...]:
    """The columns, with the names that the raw rows had as labels, and those of the written ones as attributes."""
    from sqlglot import exp

    items = statement.tree.expressions if isinstance(statement.tree, exp.Select) else []
    aliases = [item.alias if isinstance(item, exp.Alias) else "" for item in items]
    aliases = aliases if len(aliases) == len(columns) else [""] * len(columns)
    keys = raw_keys(statement, columns)
    return tuple(
        replace(column, label=key, attr=alias or column.attr)
        for column, key, alias in zip(columns, keys, aliases, strict=True)
    )


def unnamed(fact: Fact, named: Iterable[Named]) -> bool:
    """Whether a name is read that the written columns do not have but could be given. Raises Refused."""
    columns, uses = fact.columns, list(named)
    labels = [column.label for column in columns]
    for use in uses:
        if use.key and labels.count(use.key) > 1:
            message = f"line {use.line} reads {use.key}, which several columns are called; give them aliases"
            raise Refused("row-use", message)
    double = sorted({label for label in labels if label and labels.count(label) > 1})
    if double and any(not use.key for use in uses):
        line = next(use.line for use in uses if not use.key)
        message = f"rows go by their names on line {line}, and several columns are called {double[0]}"
        raise Refused("row-use", f"{message}; give them aliases")
    wanted = {use.key for use in uses}
    return any(c.label and c.label != c.attr and ("" in wanted or c.label in wanted) for c in columns)


def labelled(statement: Statement, columns: Sequence[ResultColumn]) -> Statement:
    """The statement with an alias for each column that would be called otherwise. Raises Refused where it can't be."""
    from sqlglot import exp

    tree = statement.tree.copy()
    items = list(tree.expressions)
    if len(items) != len(columns):
        tables = {t.name.lower() for t in tree.find_all(exp.Table)}
        if len(items) != 1 or len(tables) != 1 or not all(c.column is not None for c in columns):
            message = "`*` gives columns whose names in the model differ, and rows are read by name; name the columns"
            raise Refused("row-use", message)
        items = [exp.column(c.column.name) for c in columns if c.column is not None]
    tree.set(
        "expressions",
        [
            exp.alias_(item.copy(), column.label, quoted=False)
            if column.label and column.label != column.attr and not isinstance(item, exp.Alias)
            else item
            for item, column in zip(items, columns, strict=True)
        ],
    )
    return replace(statement, tree=tree)


def key_effects(fact: Fact, named: Iterable[Named]) -> list[Effect]:
    """Columns whose raw name only the database knows, where rows are read by name or go out of sight."""
    odd = [place for place, column in enumerate(fact.columns, 1) if not column.label]
    if not odd:
        return []
    message = f"column {odd[0]} has no alias: what it is called is the database's to say before, SQLAlchemy's after"
    return [Effect("column-name", use.line, message) for use in named if not use.key]
