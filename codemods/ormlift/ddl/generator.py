"""sqlacodegen, held to what raw SQL saw. Imported only where models are written: it is heavy."""

from __future__ import annotations

import contextlib
from textwrap import indent
from typing import TYPE_CHECKING

from sqlacodegen.generators import DeclarativeGenerator, TablesGenerator
from sqlacodegen.models import ColumnAttribute, Model, ModelClass
from sqlalchemy.exc import CompileError

from ormlift.ddl.tables import Tables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Column, Engine, Table

_OPTIONS = ["nobidi", "nojoined", "use_inflect", "include_dialect_options"]
_WITHOUT_KEY = "# {name} has no primary key, so that it can't be a class; it is used as a Table.\n"


class Generator(DeclarativeGenerator):
    """Writes the wanted tables; `base` is the module and name of the project's own declarative base, if it has one."""

    def __init__(self, tables: Tables, bind: Engine, base: tuple[str, str] | None) -> None:
        super().__init__(tables.metadata, bind, _OPTIONS, base_class_name=base[1] if base else "Base")
        self._tables = tables
        self._own = base

    def generate_base(self) -> None:
        """The base class, or the import of the one that there is."""
        super().generate_base()
        if self._own is not None:
            self.base.literal_imports.clear()
            self.base.declarations.clear()
            self.add_literal_import(*self._own)

    def fix_column_types(self, table: Table) -> None:
        """They are chosen already; only SQLAlchemy's general names are taken for those of one database."""
        for column in table.columns:
            with contextlib.suppress(CompileError):
                column.type = self.get_adapted_type(column.type)

    def generate_models(self) -> list[Model]:
        """A class for each table with a primary key, a Table for each other."""
        wanted = [table for table in self.metadata.sorted_tables if table.key in self._tables.wanted]
        models = [ModelClass(table) if table.primary_key else Model(table) for table in wanted]
        for model in models:
            if isinstance(model, ModelClass):
                model.columns += [ColumnAttribute(model, column) for column in model.table.c]
        if self._own is None and not any(isinstance(model, ModelClass) for model in models):
            TablesGenerator.generate_base(self)
        self.collect_imports(models)
        names = {name for names in self.imports.values() for name in names} | {"registry"}
        for model in models:
            self.generate_model_name(model, names)
            names.add(model.name)
        return models

    def render_models(self, models: Sequence[Model]) -> str:
        """The classes and tables, in an order in which keys lead backwards."""
        return "\n\n\n".join(
            self.render_class(model)
            if isinstance(model, ModelClass)
            else f"{_WITHOUT_KEY.format(name=model.table.name)}{model.name} = {self.render_table(model.table)}"
            for model in models
        )

    def render_class(self, model: ModelClass) -> str:
        """Columns in the order of the table, which is what `SELECT *` answers in."""
        columns = "\n".join(self.render_column_attribute(attribute) for attribute in model.columns)
        head, body = (indent(part, self.indentation) for part in (self.render_class_variables(model), columns))
        return f"{self.render_class_declaration(model)}\n{head}\n\n{body}"

    def render_column_python_type(self, column: Column[object]) -> str:
        """`str | None` instead of `Optional[str]`, and `Any` for a column of no type."""
        chosen = self._tables.remarks.get((column.table.name, column.name))
        if chosen is not None and chosen.anything:
            self.add_literal_import("typing", "Any")
            return "Any"
        optional, column.nullable = column.nullable, False
        try:
            name = super().render_column_python_type(column)
        finally:
            column.nullable = optional
        return f"{name} | None" if optional else name

    def render_column_attribute(self, column_attr: ColumnAttribute) -> str:
        """With a remark where the database calls the type something else."""
        text = super().render_column_attribute(column_attr)
        chosen = self._tables.remarks.get((column_attr.column.table.name, column_attr.column.name))
        return f"{text}  # {chosen.remark}" if chosen is not None and chosen.remark else text
