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
    names.since("1.4", "UNNEST in FROM")
    called = call(f"{names.sa('func')}.unnest", *(write.value(item).node for item in table.expressions))
    extra = [Pair("with_ordinality", "=", Atom(quoted(numbered)))] if numbered else []
    valued = method(called, "table_valued", *(Atom(quoted(column)) for column in listed), *extra)
    made = method(valued, "render_derived", Pair("name", "=", Atom(quoted(table.alias))))
    said = names.let(table.alias if len(table.alias) > 1 else "unnested", made, "UNNEST in FROM")
    columns = [*listed, *([numbered] if numbered else [])]
    model = MappedClass("", "", "", 0, said, columns=tuple(MappedColumn(c, c, "") for c in columns), is_table=True)
    entity = Entity(model, said, table.alias.lower(), kinds=dict.fromkeys(columns, ""))
    scope.entities.append(entity)
    return entity
