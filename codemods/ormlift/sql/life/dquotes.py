"""Text in double quotes, which SQLite takes for the name of a column where there is one, and for text otherwise."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from ormlift.schema import MappedClass
from ormlift.sql.statement import Statement

if TYPE_CHECKING:
    from sqlglot import exp


def loose_names(statement: Statement) -> frozenset[str]:
    """Names in double quotes, without a table, that may be text."""
    return frozenset(column.name for column in _loose(statement))


def with_texts(statement: Statement, models: Mapping[str, MappedClass]) -> tuple[Statement, tuple[str, ...]]:
    """The statement with what names no mapped column as text, and those texts."""
    from sqlglot import exp

    aliases = {alias.alias.lower() for alias in statement.tree.find_all(exp.Alias)}
    known = [models[table.lower()] for _, table in statement.tables]
    names = {
        column.name
        for column in _loose(statement)
        if column.name.lower() not in aliases and not any(model.column(column.name) for model in known)
    }
    named = any(alias.args.get("columns") for alias in statement.tree.find_all(exp.TableAlias))  # `WITH t ("a") AS ..`
    if not names or named or not all(model.complete for model in known):
        return statement, ()

    def told(node: exp.Expr) -> exp.Expr:
        loose = isinstance(node, exp.Column) and not node.table and node.this.args.get("quoted")
        return exp.Literal.string(node.name) if loose and node.name in names else node

    tree, normal = statement.tree.copy().transform(told), statement.normal
    for name in names:
        normal = normal.replace(f'"{name}"', exp.Literal.string(name).sql("sqlite"))
    return replace(statement, tree=tree, normal=normal), tuple(sorted(names))


def _loose(statement: Statement) -> list[exp.Column]:
    from sqlglot import exp

    if statement.dialect != "sqlite" or '"' not in statement.sql:
        return []
    found = [c for c in statement.tree.find_all(exp.Column) if isinstance(c.this, exp.Identifier) and not c.table]
    names = set(re.findall(r'"([^"]*)"', statement.sql))
    return [c for c in found if c.this.args.get("quoted") and c.name in names and _is_compared(c)]


def _is_compared(column: exp.Column) -> bool:
    """Whether it is compared or written, and not what a query gives or is ordered by."""
    from sqlglot import exp

    held = (exp.Binary, exp.In, exp.Between, exp.Tuple, exp.Paren, exp.Values)
    return isinstance(column.parent, held)
