"""Functions in FROM: `FROM UNNEST(:ids) AS t(id)`, a list of values for a table, and others that give rows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ormlift.schema import MappedClass, MappedColumn
from ormlift.sql.layout import Atom, Node, Pair, call, method
from ormlift.sql.operands import quoted
from ormlift.sql.scope import Entity, unsupported
from ormlift.sql.tablefunctions import columns_of, type_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlglot import exp

    from ormlift.sql.expressions import Expressions
    from ormlift.sql.scope import Names, Scope


def unnested(table: exp.Unnest, scope: Scope, write: Expressions, names: Names) -> Entity:
    """A variable: `t = func.unnest(ids).table_valued("id").render_derived("t")`. Raises Refused."""
    from sqlglot import exp

    alias, offset = table.args.get("alias"), table.args.get("offset")
    listed = [c.name.lower() for c in (alias.args.get("columns") or [] if alias is not None else [])]
    numbered = offset.name.lower() if isinstance(offset, exp.Identifier) else ""
    if write.dialect != "postgresql" or len(table.expressions) != len(listed) or not table.alias:
        raise unsupported("UNNEST without a name for each of its columns")
    if offset and not numbered:
        raise unsupported("WITH ORDINALITY without a name for the number")
    if any(other.alias == table.alias.lower() for other in scope.entities):
        raise unsupported("Two tables of one name")
    called = call(f"{names.sa('func')}.unnest", *(write.value(item).node for item in table.expressions))
    extra = [Pair("with_ordinality", "=", Atom(quoted(numbered)))] if numbered else []
    valued = method(called, "table_valued", *(Atom(quoted(column)) for column in listed), *extra)
    made = method(valued, "render_derived", Pair("name", "=", Atom(quoted(table.alias))))
    wish = table.alias if len(table.alias) > 1 else "unnested"
    return _entity(
        made, wish, table.alias.lower(), dict.fromkeys([*listed, *([numbered] if numbered else [])], ""), scope
    )


def functional(table: exp.Table, scope: Scope, write: Expressions, names: Names, *, outer: bool) -> Entity:
    """A variable: `day = func.generate_series(1, 9).table_valued("day").render_derived("day")`. Raises Refused."""
    columns, name = columns_of(table, write.dialect), str(table.this.this).lower()
    if not columns or not name.isidentifier():
        raise unsupported("A table that is a function")
    if any(other.alias == (table.alias or name).lower() for other in scope.entities):
        raise unsupported("Two tables of one name")
    called = call(f"{names.sa('func')}.{name}", *(write.value(item).node for item in table.this.expressions))
    types = {column: type_of(table, column, write.dialect) for column in _used(columns, table, write.dialect)}
    valued = method(called, "table_valued", *(_column(column, said, write, names) for column, said in types.items()))
    said = Atom(quoted(table.alias or name))
    made = (
        method(valued, "alias", said)
        if write.dialect == "sqlite"
        else method(valued, "render_derived", Pair("name", "=", said))
    )
    entity = _entity(made, table.alias if len(table.alias) > 1 else name, (table.alias or name).lower(), types, scope)
    scope.entities[-1] = replace(entity, outer=outer)
    return scope.entities[-1]


def _used(columns: tuple[str, ...], table: exp.Table, dialect: str) -> tuple[str, ...]:
    """The columns that the statement names; PostgreSQL is told of them all."""
    from sqlglot import exp

    root = table.root()
    named = {column.name.lower() for column in root.find_all(exp.Column)}
    if dialect == "postgresql" or any(isinstance(s.parent, exp.Select | exp.Column) for s in root.find_all(exp.Star)):
        return columns
    return tuple(column for column in columns if column in named) or columns[:1]


def _column(name: str, said: str, write: Expressions, names: Names) -> Node:
    """A column of the function; a document with its type, by which its keys are read."""
    if not said:
        return Atom(quoted(name))
    return call(names.sa("column"), Atom(quoted(name)), Atom(write.binder.document_type(said)))


def _entity(made: Node, wish: str, alias: str, types: Mapping[str, str], scope: Scope) -> Entity:
    scope.names.since("1.4", "A function in FROM")
    said = scope.names.let(wish, made, "A function in FROM")
    columns = tuple(MappedColumn(name, name, said) for name, said in types.items())
    model = MappedClass("", "", "", 0, said, columns=columns, is_table=True)
    entity = Entity(model, said, alias, kinds={name: "json" if said else "" for name, said in types.items()})
    scope.entities.append(entity)
    return entity
