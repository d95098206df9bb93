"""Rows of a RETURNING that nobody reads: SQLite lets no transaction commit while its cursor holds them back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from ormlift.model import Effect
from ormlift.schema import MappedClass
from ormlift.sql.life.model import Does, Life
from ormlift.sql.life.statements import Prepared
from ormlift.sql.statement import Kind, Statement

_TO_THE_END = (Does.FETCHALL, Does.ITERATE)


def unread_effects(prepared: Prepared, life: Life) -> Iterator[Effect]:
    """The effect of a commit that failed on rows left in a cursor, and does not fail on a session."""
    statement, execution = prepared.statement, prepared.execution
    if statement.kind is Kind.SELECT or statement.dialect != "sqlite" or not _gives_rows(prepared):
        return
    if not execution.use.cursor or any(f.does in _TO_THE_END for f in execution.fetches):
        return  # without a name the cursor is gone at once, and its rows with it
    if execution.fetches and _gives_one_at_most(statement, _changed(prepared)):
        return
    if not life.where(Does.COMMIT, Does.BLOCK):
        return
    rows = "all of its rows" if execution.fetches else "its rows"
    message = f"nothing reads {rows}, and where one was left in {execution.use.cursor}, SQLite let nobody commit"
    yield Effect("returning-unread", execution.line, f"{message} (OperationalError); a session does")


def _gives_rows(prepared: Prepared) -> bool:
    if prepared.stays is not None:
        return re.search(r"\bRETURNING\b", prepared.statement.sql, re.IGNORECASE) is not None
    return prepared.statement.gives_rows


def _changed(prepared: Prepared) -> Iterator[MappedClass]:
    """The models of the tables that the statement names; `Prepared.models` holds those they refer to as well."""
    names = (name.lower() for _, name in prepared.statement.tables)
    yield from (prepared.models[name] for name in names if name in prepared.models)


def _gives_one_at_most(statement: Statement, models: Iterable[MappedClass]) -> bool:
    """Whether RETURNING gives no more than one row: one that is inserted, or one that a unique key names."""
    from sqlglot import exp

    tree = statement.tree
    if statement.kind is Kind.INSERT:
        values = tree.args.get("expression")
        return isinstance(values, exp.Values) and len(values.expressions) == 1
    where = tree.args.get("where")
    conditions = list(where.this.flatten()) if where is not None and isinstance(where.this, exp.And) else []
    conditions = conditions or ([where.this] if where is not None else [])
    named = {c.this.name.lower() for c in conditions if isinstance(c, exp.EQ) and isinstance(c.this, exp.Column)}
    known = list(dict.fromkeys(models))
    return len(known) == 1 and _holds_key(known[0], named)


def _holds_key(model: MappedClass, named: set[str]) -> bool:
    keys = [(c.name,) for c in model.columns if c.unique] + list(model.unique_keys)
    keys += [tuple(c.name for c in model.primary_key)] if model.primary_key else []
    return any(named >= {name.lower() for name in key} for key in keys)
