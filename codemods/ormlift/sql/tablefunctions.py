"""Functions that stand for tables in FROM: the columns that they give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeGuard

if TYPE_CHECKING:
    from sqlglot import exp

_EACH = ("key", "value")
# What PostgreSQL calls the columns; "": as the alias.
POSTGRESQL: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("generate_series", "regexp_split_to_table", "string_to_table", "generate_subscripts"), ("",)),
    **dict.fromkeys(("jsonb_object_keys", "json_object_keys"), ("",)),
    **dict.fromkeys(("jsonb_array_elements", "json_array_elements"), ("value",)),
    **dict.fromkeys(("jsonb_array_elements_text", "json_array_elements_text"), ("value",)),
    **dict.fromkeys(("jsonb_each", "json_each", "jsonb_each_text", "json_each_text"), _EACH),
}
SQLITE: Mapping[str, tuple[str, ...]] = dict.fromkeys(
    ("json_each", "json_tree"), ("key", "value", "type", "atom", "id", "parent", "fullkey", "path")
)


def is_function(table: object) -> TypeGuard[exp.Table]:
    """Whether what stands in FROM is a function's call."""
    from sqlglot import exp

    return isinstance(table, exp.Table) and isinstance(table.this, exp.Anonymous)


def columns_of(table: exp.Table, dialect: str) -> tuple[str, ...]:
    """The columns that a function in FROM gives; none where they are not known."""
    from sqlglot import exp

    alias = table.args.get("alias")
    named = (alias.args.get("columns") or []) if alias is not None else []
    if named:
        plain = all(isinstance(column, exp.Identifier) for column in named)
        return tuple(column.name.lower() for column in named) if plain and dialect == "postgresql" else ()
    return SQLITE.get(str(table.this.this).lower(), ()) if dialect == "sqlite" else ()


def type_of(table: exp.Table, column: str, dialect: str) -> str:
    """JSON or JSONB, where the function gives documents."""
    name = str(table.this.this).lower()
    given = POSTGRESQL.get(name, ())
    documents = dialect == "postgresql" and given[-1:] == ("value",) and not name.endswith("_text")
    columns = columns_of(table, dialect)
    return name.partition("_")[0].upper() if documents and len(columns) == len(given) and column == columns[-1] else ""


def with_columns(tree: exp.Expr) -> exp.Expr:
    """PostgreSQL's functions in FROM see the tables before them, LATERAL or not; their columns get names."""
    from sqlglot import exp

    bare = {column.name.lower() for column in tree.find_all(exp.Column) if not column.table}
    return tree.transform(lambda node: _with_columns(node, bare))


def _with_columns(node: exp.Expr, bare: set[str]) -> exp.Expr:
    from sqlglot import exp

    if isinstance(node, exp.Lateral) and isinstance(node.this, exp.Anonymous) and not node.args.get("ordinality"):
        node = exp.Table(this=node.this.copy(), alias=node.args.get("alias"))
    if not is_function(node) or not node.alias:
        return node
    given, alias = POSTGRESQL.get(str(node.this.this).lower(), ()), node.args["alias"].copy()
    if given and not alias.args.get("columns"):
        own = node.alias.lower()
        names = [own] if given == ("value",) and own in bare else [name or own for name in given]
        alias.set("columns", [exp.to_identifier(name) for name in names])
        return exp.Table(this=node.this.copy(), alias=alias)
    return node
