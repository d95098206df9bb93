"""The tables of one statement and the mapped classes behind them: where a column's name leads."""

from __future__ import annotations

import builtins
import keyword
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ormlift.model import ImportNeed, Reason
from ormlift.sql.columntypes import kind_of
from ormlift.sql.layout import Atom, Node, call, method
from ormlift.sql.statement import MARK, NAMED
from ormlift.sql.versions import lacks, older, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlglot import exp

    from ormlift.schema import MappedClass, MappedColumn
    from ormlift.sql.statement import Request


_NAMED = re.compile(rf"(\w*?){MARK}(\w+?){NAMED}(\w*)")


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
    variables: list[tuple[str, Node]] = field(default_factory=list)  # what stands above: name, value
    entities: list[Entity] = field(default_factory=list)  # all tables of the statement

    def let(self, wish: str, node: Node, construct: str) -> str:
        """A variable for what the statement names twice, such as an alias. Raises Refused where none may be written."""
        if not self.request.variables:
            raise unsupported(construct)
        name = self.free(wish)
        self.variables.append((name, node))
        return name

    def free(self, wish: str) -> str:
        """The name, or one like it, that means nothing yet where the statement stands."""
        base = re.sub(r"\W", "_", wish).strip("_").lower() or "query"
        base = f"q_{base}" if base[0].isdigit() else base
        passed = {word for argument in self.request.arguments for word in re.findall(r"\w+", argument.text)}
        known = {need.name for need in self.imports} | {said.partition(".")[0] for said in self.request.names.values()}
        taken = {
            *self.request.taken,
            *passed,
            *known,
            *dict(self.variables),
            *_SAID,
            *dir(builtins),
            self.request.session,
        }
        tries = (base, f"{base}_", *(f"{base}_{number}" for number in range(2, 100)))
        return next(name for name in tries if name not in taken and not keyword.iskeyword(name))

    def say(self, module: str, name: str) -> str:
        """The expression for `module.name`; an import is noted where the file has none."""
        known = self.request.names.get(f"{module}.{name}")
        if known:
            return known
        self.imports.add(ImportNeed(module, name))
        return name

    def since(self, version: str, construct: str) -> None:
        """Raises Refused where the project's SQLAlchemy is older than what has the construct."""
        if self.older(version):
            raise Refused(*refusal(self.request.sqlalchemy, construct, version))

    def older(self, than: str) -> bool:
        """Whether the project's SQLAlchemy is older."""
        return older(self.request.sqlalchemy, than)

    def sa(self, name: str) -> str:
        """The expression for a name of `sqlalchemy`. Raises Refused where the project's version has it not."""
        if lacks(self.request.sqlalchemy, name):
            self.since("1.4" if self.older("1.4") else "2.0", f"`{name}(..)`")
        return self.say("sqlalchemy", name)


@dataclass(frozen=True)
class Entity:
    """One table of the statement."""

    model: MappedClass
    said: str  # Python expression of the class or Table
    alias: str  # what the SQL calls it, lower-case
    outer: bool = False  # the outer side of an outer join: every column may be NULL
    kinds: Mapping[str, str] | None = None  # of a query for a table: the kinds of its columns, by name
    source: Node | None = None  # what is joined or selected from, where it is no name
    new: bool = False  # the row that a conflict kept from being inserted: `stmt.excluded`

    @property
    def columns(self) -> list[MappedColumn]:
        """The columns that `*` gives: without those that stand for a name of the code."""
        return [column for column in self.model.columns if NAMED not in column.name]

    @property
    def node(self) -> Node:
        """What stands for it in FROM."""
        return self.source or Atom(self.said)


@dataclass(frozen=True)
class ColumnRef:
    """A column of one of the statement's tables."""

    entity: Entity
    column: MappedColumn
    kind: str  # see `columntypes.KINDS`

    @property
    def said(self) -> str:
        """The variable that holds its name, where the code knows it only when it runs."""
        match = _NAMED.fullmatch(self.column.attr)
        if match is None:
            return ""
        before, name, after = match.groups()
        return f'f"{before}{{{name}}}{after}"' if before or after else name

    @property
    def text(self) -> str:
        """The Python expression that reaches it."""
        if self.said:
            owner = self.entity.said
            of_table = self.entity.new or self.entity.model.is_table
            columns = owner if self.entity.new else f"{owner}.c"
            return f"{columns}[{self.said}]" if of_table else f"getattr({owner}, {self.said})"
        if self.entity.new:
            name = self.column.name
            plain = name.isidentifier() and not keyword.iskeyword(name)
            return f"{self.entity.said}.{name}" if plain else f"{self.entity.said}[{name!r}]"
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
    """The tables that the columns of a statement, or of a query inside it, may come from."""

    request: Request
    names: Names
    tree: exp.Expr | None = None  # the query that it is the scope of
    parent: Scope | None = None
    entities: list[Entity] = field(default_factory=list)
    ctes: dict[str, Entity] = field(default_factory=dict)
    using: dict[str, list[str]] = field(default_factory=dict)  # by alias, the columns of its USING

    def add(self, table: exp.Expr, *, outer: bool = False) -> Entity:
        """Bring in a table of the FROM clause. Raises Refused where it has no model or cannot be named."""
        alias = (table.alias or table.name).lower()
        if any(other.alias == alias for other in self.entities):
            raise Refused("sql-not-parsed", f"Two tables are called `{alias}`; mend the statement.")
        entity = replace(self._common(table, alias) or self._mapped(table, alias), outer=outer)
        self.names.entities.append(entity)
        self.entities.append(entity)
        return entity

    def _mapped(self, table: exp.Expr, alias: str) -> Entity:
        model = self.model(table)
        said = self.names.say(model.module, model.name)
        if not self._meets(model):
            return Entity(model, said, alias)
        wish = alias if len(alias) > 3 and alias != table.name.lower() else f"{_snake(model.name)}_{alias}"
        source = method(Atom(said), "alias") if model.is_table else call(self.names.say(_ORM, "aliased"), Atom(said))
        return Entity(model, self.names.let(wish, source, f"A join of `{table.name}` with itself"), alias)

    def _common(self, table: exp.Expr, alias: str) -> Entity | None:
        """The table expression of WITH that a name of FROM stands for."""
        if table.args.get("db"):
            return None
        found = next((s.ctes[table.name.lower()] for s in self.chain() if table.name.lower() in s.ctes), None)
        if found is None:
            return None
        used = any(entity.said == found.said for scope in self.chain() for entity in scope.entities)
        if used or alias != table.name.lower():
            said = self.names.let(alias, method(Atom(found.said), "alias"), "A table of WITH under another name")
            return replace(found, said=said, alias=alias)
        return replace(found, alias=alias)

    def _meets(self, model: MappedClass) -> bool:
        """Whether the table is in the statement already, in a way that takes an alias to tell the two apart."""
        if any(other.model == model for other in self.entities):
            return True
        around = [entity for scope in self.chain() if scope is not self for entity in scope.entities]
        return any(other.model == model for other in around) and self.correlated

    @property
    def correlated(self) -> bool:
        """Whether the query names a table that only a query around it has."""
        from sqlglot import exp

        if self.tree is None or self.parent is None:
            return False
        own = {(t.alias or t.name).lower() for t in self.tree.find_all(exp.Table, exp.Subquery)}
        named = {c.text("table").lower() for c in self.tree.find_all(exp.Column)}
        return bool(named - own - {""})

    def chain(self) -> Iterator[Scope]:
        """This scope and those around it, innermost first."""
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent

    def model(self, table: exp.Expr) -> MappedClass:
        """The mapped class of a table. Raises Refused where there is none."""
        from sqlglot import exp

        if not isinstance(table, exp.Table) or not isinstance(table.this, exp.Identifier):
            raise unsupported("A table that is a function")
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
            candidates = self._candidates(node)
            owners = " and ".join(f"`{entity.model.name or entity.alias}`" for entity in candidates) or "no table"
            raise Refused(
                "column-not-mapped",
                f"The column `{node.name}` is not mapped by {owners}; add it to the model (`ormlift models "
                "--missing-columns --add` does) or mend the statement.",
            )
        return ref

    def find(self, node: exp.Column) -> ColumnRef | None:
        """Where a column's name leads, also in the queries around this one; None where the models lack it."""
        hits = [
            ColumnRef(entity, column, self._kind(entity, column))
            for entity in self._candidates(node)
            if (column := entity.model.column(node.name)) is not None
        ]
        if len(hits) > 1 and any(node.name.lower() in names for names in self.using.values()):
            return hits[0]
        if len(hits) > 1:
            raise Refused("sql-not-parsed", f"The column `{node.name}` is ambiguous; name its table.")
        if hits or self.parent is None:
            return hits[0] if hits else None
        return self.parent.find(node)

    def _kind(self, entity: Entity, column: MappedColumn) -> str:
        if entity.kinds is not None:
            return entity.kinds[column.name]
        return kind_of(column, self.request.models)

    def _candidates(self, node: exp.Column) -> list[Entity]:
        table = node.table.lower()
        return [entity for entity in self.entities if (table or not entity.new) and table in ("", entity.alias)]


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


_ORM = "sqlalchemy.orm"
# Names that the text may use, which a variable must not hide.
_SAID = frozenset(
    """select insert update delete func and_ or_ not_ case cast literal exists null true false union union_all intersect
    except_ text desc extract aliased tuple_ type_coerce bindparam sqlite postgresql mysql session""".split()  # noqa: SIM905 - a list of words reads better as words
)
