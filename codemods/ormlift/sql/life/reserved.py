"""Names of columns that SQL reserves: without quotes every database raises, where the statement on models would run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ormlift.schema import MappedClass
from ormlift.sql.life.refuse import Refused
from ormlift.sql.statement import Statement

_RESERVED = frozenset(  # by SQLite, PostgreSQL and MySQL alike
    [
        "and",
        "as",
        "case",
        "check",
        "collate",
        "create",
        "distinct",
        "else",
        "foreign",
        "from",
        "group",
        "having",
        "in",
        "into",
        "limit",
        "not",
        "null",
        "on",
        "or",
        "order",
        "primary",
        "references",
        "select",
        "table",
        "then",
        "to",
        "union",
        "unique",
        "using",
        "when",
        "where",
    ]
)


def check_reserved(statement: Statement, models: Iterable[MappedClass], line: int) -> None:
    """Refuse a column whose name is reserved and stands in no quotes. Raises Refused."""
    columns = {column.name.lower() for model in models for column in model.columns} & _RESERVED
    for name in _bare_names(statement) if columns else ():
        if name.lower() in columns:
            message = f"line {line} names the column {name}, which SQL reserves, without quotes: the database raises"
            raise Refused("sql-not-supported", f"{message}; put it in quotes")


def _bare_names(statement: Statement) -> Iterator[str]:
    """The names of columns that stand by themselves, in no quotes."""
    from sqlglot import exp

    named: list[exp.Expr] = [c.this for c in statement.tree.find_all(exp.Column) if not c.table]
    for schema in statement.tree.find_all(exp.Schema):
        named += schema.expressions
    yield from (i.name for i in named if isinstance(i, exp.Identifier) and not i.args.get("quoted"))
