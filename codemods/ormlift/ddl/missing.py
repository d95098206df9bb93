"""Columns that SQL in the code names and the mapped class lacks: the table has moved on, and the model has not.

A statement is taken into account where it can be read as a whole. A column without a table's name in front counts only
where the statement has one table, so that it is known whose it is. Migrations are left out: they speak of tables as
they were at some time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ormlift.ddl.find import HOLE, find_ddl, texts_of
from ormlift.ddl.tables import tables_of
from ormlift.model import Source
from ormlift.project.index import ProjectIndex
from ormlift.project.names import is_test_path
from ormlift.schema import MappedClass

if TYPE_CHECKING:
    from sqlglot import exp

_SQL = re.compile(
    r"\s*(?:SELECT\b|WITH\b|(?:INSERT|REPLACE)\s+(?:OR\s+\w+\s+)?INTO\b|UPDATE\s+\S+.*?\bSET\b|DELETE\s+FROM\b)",
    re.I | re.S,
)
_OF_ANOTHER_TIME = {"alembic", "migrations", "migration", "versions"}  # folders whose SQL speaks of tables as they were
_PYFORMAT = re.compile(r"%\(\w+\)s|%s")
_SYSTEM = {"rowid", "oid", "_rowid_", "ctid", "xmin", "excluded", "rank"}


@dataclass(frozen=True, slots=True)
class Missing:
    """A column that a model lacks."""

    model: MappedClass
    column: str
    type: str  # the SQLAlchemy type to give it: `Text`, `String(80)`
    sites: tuple[tuple[str, int], ...]  # path and line of the statements that name it
    declared: bool = (
        False  # its type is that of the DDL in the code; false: nothing tells, and Text leaves values alone
    )


def find_missing(sources: Sequence[Source], index: ProjectIndex, dialect: str) -> list[Missing]:
    """What the models lack, by model and column."""
    found: dict[tuple[str, str, str], list[tuple[str, int]]] = {}
    models: dict[tuple[str, str], MappedClass] = {}
    for source in sources:
        folders = source.path.split("/")[:-1]
        if is_test_path(source.path) or _OF_ANOTHER_TIME & set(folders) or not source.path.endswith(".py"):
            continue
        for line, text in texts_of(source):
            for model, column in _named(text, index, dialect) if _SQL.match(text) and HOLE not in text else ():
                models[model.path, model.name] = model
                places = found.setdefault((model.path, model.name, column), [])
                places += [(source.path, line)] if (source.path, line) not in places else []
    declared = _declared(sources, dialect) if found else {}
    return [
        Missing(
            models[path, name],
            column,
            declared.get((models[path, name].table.lower(), column.lower()), "Text"),
            tuple(places),
            (models[path, name].table.lower(), column.lower()) in declared,
        )
        for (path, name, column), places in sorted(found.items())
    ]


def _named(text: str, index: ProjectIndex, dialect: str) -> Iterator[tuple[MappedClass, str]]:
    """The columns of a statement that their models lack."""
    from sqlglot.errors import SqlglotError

    from ormlift.sql.dialects import parse

    try:
        trees = [tree for tree in parse(_PYFORMAT.sub("?", text), dialect) if tree is not None]
    except SqlglotError:
        return
    for tree in trees:
        for table, column in _columns(tree):
            model = index.model_for_table(table.name, table.db)
            if model is None or not model.complete or model.column(column) is not None:
                continue
            if column.lower() not in _SYSTEM:
                yield model, column


def _columns(tree: exp.Expr) -> Iterator[tuple[exp.Table, str]]:
    """Each column that a statement names, with the table that it must be of."""
    from sqlglot import exp
    from sqlglot.optimizer.scope import traverse_scope

    if isinstance(tree, exp.Insert | exp.Update | exp.Delete):
        target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
        if not isinstance(target, exp.Table):
            return
        if isinstance(tree.this, exp.Schema):
            yield from ((target, column.name) for column in tree.this.expressions)
        own = [c for c in tree.find_all(exp.Column) if c.find_ancestor(exp.Query) is None]
        names = {"", target.name.lower(), target.alias.lower()}
        plain = not tree.args.get("from_") and not tree.args.get("using") and not isinstance(tree, exp.Insert)
        yield from ((target, c.name) for c in own if plain and c.table.lower() in names and not _quoted(c))
    for query in [tree] if isinstance(tree, exp.Query) else list(tree.find_all(exp.Query)):
        if query is tree or query.find_ancestor(exp.Query) is None:
            for scope in traverse_scope(query):
                aliases = {alias.lower() for alias in getattr(scope.expression, "named_selects", ())}
                yield from _in_scope(scope.sources, scope.columns, aliases)


def _in_scope(
    sources: Mapping[str, object], columns: Iterable[exp.Column], aliases: set[str]
) -> Iterator[tuple[exp.Table, str]]:
    from sqlglot import exp

    by_name = {name.lower(): source for name, source in sources.items()}
    only = next(iter(by_name.values())) if len(by_name) == 1 else None
    for column in columns:
        source = by_name.get(column.table.lower()) if column.table else only
        as_alias = not column.table and column.name.lower() in aliases and column.find_ancestor(exp.Order, exp.Group)
        inner = column.find_ancestor(exp.Query)
        outside = not column.table and inner is not None and inner.parent_select is not None  # may be the outer query's
        if isinstance(source, exp.Table) and not (as_alias or outside or _quoted(column)):
            yield source, column.name


def _quoted(column: exp.Column) -> bool:
    """Whether a name stands in quotes: SQLite takes `"text"` as a text where no column has that name."""
    return bool(column.this.args.get("quoted"))


def _declared(sources: Sequence[Source], dialect: str) -> dict[tuple[str, str], str]:
    """The types that the code's own DDL gives to columns, by table and name in lower case."""
    metadata = tables_of(find_ddl(sources), dialect).metadata
    return {
        (table.name.lower(), column.name.lower()): spelled
        for table in metadata.tables.values()
        for column in table.columns
        if (spelled := _spelled(repr(column.type)))
    }


def _spelled(type_: str) -> str:
    """`String(length=80)` as people write it; empty for a type that is more than a name and a length."""
    match = re.fullmatch(r"(\w+)\((?:length=)?(\d*)\)", type_)
    return f"{match[1]}({match[2]})" if match and match[2] else match[1] if match else ""
