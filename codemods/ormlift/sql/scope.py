"""The tables of one statement and the mapped classes behind them: where a column's name leads."""

from __future__ import annotations

import keyword
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ormlift.model import ImportNeed, Reason
from ormlift.sql.columntypes import kind_of
from ormlift.sql.layout import Atom

if TYPE_CHECKING:
    from sqlglot import exp

    from ormlift.schema import MappedClass, MappedColumn
    from ormlift.sql.statement import Request


class Refused(Exception):  # noqa: N818 - a way out of deep recursion, caught in `write`
    """The statement cannot be written; carries the reason."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.reason = Reason(code, message)


def unsupported(construct: str) -> Refused:
    """The refusal of a construct that is not written yet."""
    return Refused("sql-not-supported", f"{construct} is not written yet; leave the statement or rewrite it by hand.")


@dataclass
class Names:
    """How dotted targets are said in the file, and which imports that needs."""

    request: Request
    imports: set[ImportNeed] = field(default_factory=set)

    def say(self, module: str, name: str) -> str:
        """The expression for `module.name`; an import is noted where the file has none."""
        known = self.request.names.get(f"{module}.{name}")
        if known:
            return known
        self.imports.add(ImportNeed(module, name))
        return name

    def sa(self, name: str) -> str:
        """The expression for a name of `sqlalchemy`."""
        return self.say("sqlalchemy", name)


@dataclass(frozen=True)
class Entity:
    """One table of the statement."""

    model: MappedClass
    said: str  # Python expression of the class or Table
    alias: str  # what the SQL calls it, lower-case
    outer: bool = False  # the outer side of an outer join: every column may be NULL


@dataclass(frozen=True)
class ColumnRef:
    """A column of one of the statement's tables."""

    entity: Entity
    column: MappedColumn
    kind: str  # see `columntypes.KINDS`

    @property
    def text(self) -> str:
        """The Python expression that reaches it."""
        if not self.entity.model.is_table:
            return f"{self.entity.said}.{self.column.attr}"
        attr = self.column.attr
        if attr.isidentifier() and not keyword.iskeyword(attr):
            return f"{self.entity.said}.c.{attr}"
        return f"{self.entity.said}.c[{attr!r}]"

    @property
    def node(self) -> Atom:
        """The same as a tree."""
        return Atom(self.text)

    @property
    def nullable(self) -> bool:
        """Whether it may be NULL here."""
        return self.entity.outer or (self.column.nullable and not self.column.primary_key)


@dataclass
class Scope:
    """The tables that a statement's columns may come from."""

    request: Request
    names: Names
    entities: list[Entity] = field(default_factory=list)

    def add(self, table: exp.Table, *, outer: bool = False) -> Entity:
        """Bring in a table of the FROM clause. Raises Refused where it has no model or cannot be named."""
        model = self.model(table)
        alias = (table.alias or table.name).lower()
        if any(other.model == model for other in self.entities):
            raise unsupported(f"A join of `{table.name}` with itself")
        if any(other.alias == alias for other in self.entities):
            raise Refused("sql-not-parsed", f"Two tables are called `{alias}`; mend the statement.")
        entity = Entity(model, self.names.say(model.module, model.name), alias, outer)
        self.entities.append(entity)
        return entity

    def model(self, table: exp.Table) -> MappedClass:
        """The mapped class of a table. Raises Refused where there is none."""
        from sqlglot import exp

        if type(table) is not exp.Table or not isinstance(table.this, exp.Identifier):
            raise unsupported("A table that is a query or a function")
        if table.args.get("joins") or table.args.get("pivots") or table.args.get("sample"):
            raise unsupported("Joins in parentheses")
        qualified = f"{table.db}.{table.name}".lower()
        model = self.request.models.get(qualified if table.db else table.name.lower())
        if model is None and table.db.lower() in ("main", "public"):
            model = self.request.models.get(table.name.lower())
            model = None if model is not None and model.schema else model
        if model is None:
            said = f"{table.db}.{table.name}" if table.db else table.name
            raise Refused("table-not-mapped", f"The table `{said}` has no mapped class; `ormlift models` writes one.")
        return model

    def column(self, node: exp.Column) -> ColumnRef:
        """Where a column's name leads. Raises Refused where the models lack it."""
        ref = self.find(node)
        if ref is None:
            owners = " and ".join(f"`{entity.model.name}`" for entity in self._candidates(node)) or "no table"
            raise Refused(
                "column-not-mapped",
                f"The column `{node.name}` is not mapped by {owners}; add it to the model (`ormlift models "
                "--missing-columns --add` does) or mend the statement.",
            )
        return ref

    def find(self, node: exp.Column) -> ColumnRef | None:
        """Where a column's name leads, or None where the models lack it."""
        hits = [
            ColumnRef(entity, column, kind_of(column, self.request.models))
            for entity in self._candidates(node)
            if (column := entity.model.column(node.name)) is not None
        ]
        if len(hits) > 1:
            raise Refused("sql-not-parsed", f"The column `{node.name}` is ambiguous; name its table.")
        return hits[0] if hits else None

    def _candidates(self, node: exp.Column) -> list[Entity]:
        table = node.table.lower()
        return [entity for entity in self.entities if not table or table == entity.alias]
