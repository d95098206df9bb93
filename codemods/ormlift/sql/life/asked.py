"""What a cursor is asked after a statement: how many rows it met, and which id it gave."""

from __future__ import annotations

from collections.abc import Iterator

from ormlift.model import Effect
from ormlift.sql.life.model import Does
from ormlift.sql.life.statements import Prepared
from ormlift.sql.statement import Kind


def asked_effects(prepared: Prepared) -> Iterator[Effect]:
    """Effects where the answer may be another one now."""
    for use in prepared.execution.asks:
        if use.does is Does.ROWCOUNT and _counts_changed(prepared):
            message = "rowcount was the number of rows that changed, and is the number of rows that matched"
            yield Effect("rows-matched", use.line, message)
        if use.does is Does.LASTROWID and _may_insert_none(prepared):
            message = "where no row is inserted, lastrowid is that of an earlier insert on whichever connection it is"
            yield Effect("last-id", use.line, message)


def _counts_changed(prepared: Prepared) -> bool:
    """MySQL's drivers count the rows that were changed; SQLAlchemy makes them count those that were found."""
    statement = prepared.statement
    upsert = statement.kind is Kind.INSERT and bool(statement.tree.args.get("conflict"))
    return statement.dialect == "mysql" and (statement.kind is Kind.UPDATE or upsert)


def _may_insert_none(prepared: Prepared) -> bool:
    """On SQLite, an INSERT that may leave out its only row: the id is then the connection's last."""
    from sqlglot import exp

    statement = prepared.statement
    tree = statement.tree
    if statement.kind is not Kind.INSERT or statement.dialect != "sqlite":
        return False
    ignores = str(tree.args.get("alternative") or "").upper() == "IGNORE" or tree.args.get("ignore")
    return bool(ignores or tree.args.get("conflict") or isinstance(tree.args.get("expression"), exp.Query))
