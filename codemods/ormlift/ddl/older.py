"""Models as SQLAlchemy before 2.0 has them: `Base = declarative_base()` and `name = Column(..)`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlacodegen.generators import Base
from sqlacodegen.models import ColumnAttribute
from sqlacodegen.utils import render_callable
from sqlalchemy import Column, Double, Float, Uuid
from sqlalchemy.dialects.postgresql import UUID

from ormlift.ddl.generator import Generator
from ormlift.sql.versions import older

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlacodegen.models import Model
    from sqlalchemy import Engine, Table

    from ormlift.ddl.tables import Tables

_DOUBLE = 53  # the precision from which a FLOAT is a double


class OlderGenerator(Generator):
    """Writes the wanted tables for an older version."""

    def __init__(self, tables: Tables, bind: Engine, base: tuple[str, str] | None, version: str) -> None:
        super().__init__(tables, bind, base)
        self._version = version

    def generate_base(self) -> None:
        """The base that a function makes, or the import of the one that there is."""
        super().generate_base()
        if self._own is None:
            home = "sqlalchemy.ext.declarative" if older(self._version, "1.4") else "sqlalchemy.orm"
            name = self.base_class_name
            self.base = Base([], [f"{name} = declarative_base()"], f"{name}.metadata")
            self.add_literal_import(home, "declarative_base")

    def collect_imports(self, models: Iterable[Model]) -> None:
        """Those of the types, without what only 2.0 has."""
        super().collect_imports(models)
        rest = self.imports.pop("sqlalchemy.orm", set()) - {"Mapped", "mapped_column"}
        self.imports |= {"sqlalchemy.orm": rest} if rest else {}

    def fix_column_types(self, table: Table) -> None:
        """What came with 2.0 is said by what was there before."""
        super().fix_column_types(table)
        for column in table.columns:
            if isinstance(column.type, Double):
                column.type = Float(_DOUBLE)
            elif isinstance(column.type, Uuid):
                column.type = UUID(as_uuid=True) if column.type.as_uuid else UUID(as_uuid=False)

    def add_import(self, obj: object) -> None:
        """PostgreSQL's UUID by its own name: `sqlalchemy` has it from 2.0 on."""
        if isinstance(obj, Uuid):
            self.add_literal_import("sqlalchemy.dialects.postgresql", "UUID")
        else:
            super().add_import(obj)

    def render_column_callable(self, is_table: bool, *args: object, **kwargs: object) -> str:  # noqa: ARG002
        """`Column(..)` in classes too."""
        self.add_import(Column)
        return render_callable("Column", *args, kwargs=kwargs)

    def render_column_attribute(self, column_attr: ColumnAttribute) -> str:
        """`name = Column(..)`, with a remark where the database calls the type something else."""
        column = column_attr.column
        text = f"{column_attr.name} = {self.render_column(column, column_attr.name != column.name)}"
        chosen = self._tables.remarks.get((column.table.name, column.name))
        return f"{text}  # {chosen.remark}" if chosen is not None and chosen.remark else text
