"""`FROM UNNEST(:ids) AS t(id)`: a list of values for a table, on PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ormlift.schema import MappedClass, MappedColumn
from ormlift.sql.layout import Atom, Pair, call, method
from ormlift.sql.operands import quoted
from ormlift.sql.scope import Entity, unsupported

if TYPE_CHECKING:
    from sqlglot import exp

    from ormlift.sql.expressions import Expressions
    from ormlift.sql.scope import Names, Scope


def unnested(table: exp.Unnest, scope: Scope, write: Expressions, names: Names) -> Entity:
    """A variable: `t = func.unnest(ids).table_valued("id").render_derived("t")`. Raises Refused."""
    alias = table.args.get("alias")
    columns = alias.args.get("columns") or [] if alias is not None else []
    plain = len(table.expressions) == len(columns) == 1 and not table.args.get("offset")
    if write.dialect != "postgresql" or not plain or not table.alias:
        raise unsupported("UNNEST of other than one list, with a name for its column,")
    if any(other.alias == table.alias.lower() for other in scope.entities):
        raise unsupported("Two tables of one name")
    names.since("1.4", "UNNEST in FROM")
    column = columns[0].name.lower()
    listed = call(f"{names.sa('func')}.unnest", write.value(table.expressions[0]).node)
    valued = method(listed, "table_valued", Atom(quoted(column)))
    made = method(valued, "render_derived", Pair("name", "=", Atom(quoted(table.alias))))
    said = names.let(table.alias if len(table.alias) > 1 else "unnested", made, "UNNEST in FROM")
    model = MappedClass("", "", "", 0, said, columns=(MappedColumn(column, column, ""),), is_table=True)
    entity = Entity(model, said, table.alias.lower(), kinds={column: ""})
    scope.entities.append(entity)
    return entity
