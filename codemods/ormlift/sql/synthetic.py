"""Stand-ins for the project's classes, and a namespace in which our own generated text can be evaluated.

Nothing of the user's is imported or run: classes are mapped anew from what the model index knows of their columns.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ormlift.sql.columntypes import kind_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import MetaData
    from sqlalchemy.orm import registry

    from ormlift.schema import MappedClass, MappedColumn
    from ormlift.sql.statement import Written

SaType = Any  # an instance of a SQLAlchemy type
Mapped = Any  # a mapped class or a Table
Result = Any  # what an expression of ours evaluates to

# What SQLite calls a column of a kind; decides its affinity.
AFFINITIES = {
    "int": "INTEGER", "float": "FLOAT", "numeric": "NUMERIC(10, 2)", "str": "VARCHAR", "bool": "BOOLEAN",
    "datetime": "DATETIME", "date": "DATE", "time": "TIME", "interval": "DATETIME", "bytes": "BLOB", "json": "JSON",
    "uuid": "CHAR(32)", "enum": "VARCHAR", "unknown": "",
}  # fmt: skip


@dataclass
class Synthetic:
    """Mapped stand-ins for some models, each known by a name of its own."""

    models: Mapping[str, MappedClass]  # all of the project's, for foreign keys
    used: Sequence[MappedClass]
    names: dict[str, str] = field(default_factory=dict)  # "module.Class" -> the stand-in's name

    def __post_init__(self) -> None:
        self.names = {f"{model.module}.{model.name}": f"_M{number}" for number, model in enumerate(self.used)}

    @cached_property
    def classes(self) -> dict[str, Mapped]:
        """The stand-ins by name: mapped classes, or Tables where the model is one."""
        from sqlalchemy import MetaData
        from sqlalchemy.orm import registry

        metadata, mappers = MetaData(), registry()
        return {f"_M{number}": self._stand_in(model, metadata, mappers) for number, model in enumerate(self.used)}

    def _stand_in(self, model: MappedClass, metadata: MetaData, mappers: registry) -> Mapped:
        from sqlalchemy import Column, Table

        table = Table(
            model.table,
            metadata,
            *(
                Column(
                    column.name,
                    self.type_of(column),
                    key=column.attr if model.is_table else None,
                    primary_key=column.primary_key,
                    nullable=column.nullable and not column.primary_key,
                )
                for column in model.columns
            ),
            schema=model.schema or None,
        )
        if model.is_table:
            return table
        stand_in = type(model.name, (), {})
        keys = [column for column in table.columns if column.primary_key] or list(table.columns)
        mappers.map_imperatively(
            stand_in,
            table,
            primary_key=keys,
            properties={column.attr: table.columns[column.name] for column in model.columns},
        )
        return stand_in

    def type_of(self, column: MappedColumn) -> SaType:
        """A SQLAlchemy type that behaves as the column's; for a type that is not known, one that does nothing."""
        import sqlalchemy as sa
        from sqlalchemy.dialects.postgresql import JSONB
        from sqlalchemy.types import NullType

        kind = kind_of(column, self.models)
        if kind == "enum":
            members = literals_of(column.type_args)
            return sa.Enum(*members) if members else sa.String()
        if kind == "numeric":
            numeric: SaType = sa.Numeric
            return numeric(10, 2, asdecimal="asdecimal=False" not in column.type_args.replace(" ", ""))
        if column.type == "JSONB":
            return JSONB().with_variant(sa.JSON(), "sqlite", "mysql")
        makers: dict[str, Any] = {
            "int": sa.Integer, "float": sa.Float, "str": sa.String, "bool": sa.Boolean, "datetime": sa.DateTime,
            "date": sa.Date, "time": sa.Time, "interval": sa.Interval, "bytes": sa.LargeBinary, "json": sa.JSON,
            "uuid": sa.Uuid,
        }  # fmt: skip
        return makers.get(kind, NullType)()


def literals_of(arguments: str) -> list[str]:
    """The strings of an enumeration of strings; none for anything else."""
    try:
        node = ast.parse(f"f({arguments})", mode="eval").body
    except SyntaxError:
        return []
    assert isinstance(node, ast.Call)
    found = [item.value for item in node.args if isinstance(item, ast.Constant) and isinstance(item.value, str)]
    return found if len(found) == len(node.args) else []


def evaluate(written: Written, names: Mapping[str, Any]) -> Result:
    """The value of an expression that we wrote ourselves, with nothing in reach but what it imports and `names`."""
    import datetime

    import sqlalchemy
    from sqlalchemy import dialects, orm
    from sqlalchemy.dialects import mysql, postgresql, sqlite

    assert all((mysql, postgresql, sqlite))  # attributes of `dialects` once they are imported
    modules = {
        "sqlalchemy": sqlalchemy, "datetime": datetime, "sqlalchemy.orm": orm, "sqlalchemy.dialects": dialects,
    }  # fmt: skip
    space: dict[str, Any] = {"__builtins__": {}}
    needs = [need for need in written.imports if need.module in modules]
    space.update({need.name: getattr(modules[need.module], need.name) for need in needs})
    space.update(names)
    for statement in written.above:
        exec(compile(ast.parse(statement.strip()), "<written>", "exec"), space)
    return eval(compile(ast.parse(written.text.strip(), mode="eval"), "<written>", "eval"), space)
