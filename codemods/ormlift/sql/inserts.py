"""INSERT to `insert(Model).values(..)`, `.from_select(..)`, and the dialects' own for what happens on a conflict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ormlift.sql.changes import Changes
from ormlift.sql.layout import Atom, Items, Node, Pair, call, method
from ormlift.sql.operands import quoted
from ormlift.sql.scope import Entity, Refused, unsupported

if TYPE_CHECKING:
    from sqlglot import exp

    from ormlift.sql.scope import ColumnRef


class InsertWriter(Changes):
    """Writes one INSERT."""

    def insert(self) -> Node:
        """The statement, without what executes it."""
        from sqlglot import exp

        tree = self.tree
        self._refuse(("with_", "WITH"), ("overwrite", "INSERT OVERWRITE"), ("where", "WHERE in INSERT"))
        values = tree.args.get("expression")
        if tree.args.get("default") and not isinstance(tree.this, exp.Schema):
            entity = self.scope.add(tree.this)
            self._inserted(entity, [])
            return self._ending(self._head(entity), entity)
        if not isinstance(tree.this, exp.Schema):
            raise unsupported("INSERT without the names of the columns")
        entity = self.scope.add(tree.this.this)
        named = tree.this.expressions
        place = next((n for n, name in enumerate(named) if name.name in self.request.spreads), None)
        if place is not None:
            return self._ending(self._spread(entity, place), entity)
        refs = [self.scope.column(exp.column(name.name)) for name in named]
        self._inserted(entity, refs)
        if isinstance(values, exp.Query):
            return self._ending(self._from_query(self._head(entity), values, refs), entity)
        if not isinstance(values, exp.Values) or values.args.get("alias"):
            raise unsupported("This form of INSERT")
        rows = [self._row(row, refs) for row in values.expressions]
        if len(rows) == 1:
            return self._ending(method(self._head(entity), "values", *self._one(rows[0])), entity)
        listed = Items("", "[", tuple(self._mapping(row) for row in rows), "]")
        return self._ending(method(self._head(entity), "values", listed), entity)

    def _spread(self, entity: Entity, place: int) -> Node:
        """The columns of a dict, beside those that the statement names."""
        from sqlglot import exp

        names, values = list(self.tree.this.expressions), self.tree.args.get("expression")
        if not isinstance(values, exp.Values) or len(values.expressions) != 1:
            raise unsupported("This form of INSERT")
        row = values.expressions[0]
        items = list(row.expressions) if isinstance(row, exp.Tuple) else [row.unnest()]
        if len(items) != len(names):
            raise unsupported("Columns of a dict beside others than their values")
        spread = [Atom(text) for text in self.request.spreads[names.pop(place).name]]
        items.pop(place)
        refs = [self.scope.column(exp.column(name.name)) for name in names]
        pairs = self._pairs([(ref, self._written(ref, item)) for ref, item in zip(refs, items, strict=True)])
        return method(self._head(entity), "values", *pairs[:place], *spread, *pairs[place:])

    def _one(self, row: list[tuple[ColumnRef, Node]]) -> list[Node]:
        """One row; before 2.0 a keyword is the column's name, not the class's."""
        renamed = any(ref.column.attr != ref.column.name for ref, _ in row)
        return [self._mapping(row)] if renamed and self.names.older("2.0") else self._pairs(row)

    def _head(self, entity: Entity) -> Node:
        """`insert(Model)`; the dialect's own where there is a conflict to tell of."""
        tree = self.tree
        if tree.args.get("conflict"):
            return call(f"{self.names.say('sqlalchemy.dialects', self.dialect)}.insert", Atom(entity.said))
        head: Node = call(self.names.sa("insert"), Atom(entity.said))
        alternative = str(tree.args.get("alternative") or "").upper()
        if alternative:
            return method(head, "prefix_with", Atom(quoted(f"OR {alternative}")))
        return method(head, "prefix_with", Atom('"IGNORE"')) if tree.args.get("ignore") else head

    def _row(self, row: exp.Expr, refs: list[ColumnRef]) -> list[tuple[ColumnRef, Node]]:
        return [(ref, self._written(ref, item)) for ref, item in _paired(refs, row)]

    def _from_query(self, head: Node, query: exp.Query, refs: list[ColumnRef]) -> Node:
        """`.from_select([..], select(..))`; without the Python-side defaults, which raw SQL did not have."""
        from ormlift.sql.queries import Queries

        built = Queries(self.binder, self.names, self.request.timestamps).built(query, None)
        if len(built.items) != len(refs):
            message = f"{len(refs)} columns are named and {len(built.items)} selected; mend the SQL."
            raise Refused("sql-not-parsed", message)
        columns = Items("", "[", tuple(ref.node for ref in refs), "]")
        extra = []
        if any(column.default for column in refs[0].entity.model.columns):
            extra = [Pair("include_defaults", "=", Atom("False"))]
        return method(head, "from_select", columns, built.node, *extra)

    def _inserted(self, entity: Entity, refs: list[ColumnRef]) -> None:
        from sqlglot import exp

        self._once(refs)
        named = {ref.column.name.lower() for ref in refs}
        for column in entity.model.columns if not isinstance(self.tree.args.get("expression"), exp.Query) else ():
            if column.default and column.name.lower() not in named:
                self.binder.found(
                    "python-default",
                    f"`{entity.model.name}.{column.attr}` is not in the INSERT; its Python-side default fires now.",
                )

    def _ending(self, node: Node, entity: Entity) -> Node:
        conflict = self.tree.args.get("conflict")
        if conflict is not None:
            node = self._conflict(conflict, node, entity)
        return self._returning(node)

    def _conflict(self, conflict: exp.OnConflict, node: Node, entity: Entity) -> Node:
        """ON CONFLICT and ON DUPLICATE KEY UPDATE; what would have been inserted is `stmt.excluded`."""
        if conflict.args.get("constraint"):
            raise unsupported("ON CONFLICT ON CONSTRAINT")
        if self.tree.args.get("alternative") or self.tree.args.get("ignore"):
            raise unsupported("INSERT OR … with ON CONFLICT")
        keys = [self.scope.column(item.this) for item in conflict.args.get("conflict_keys") or []]
        elements = [Pair("index_elements", "=", Items("", "[", tuple(key.node for key in keys), "]"))] if keys else []
        if conflict.args.get("action") is not None and "NOTHING" in str(conflict.args["action"]).upper():
            return method(node, "on_conflict_do_nothing", *elements)
        conflict = _told_apart(conflict)
        duplicate = bool(conflict.args.get("duplicate"))
        if _names_new(conflict):
            new = "inserted" if duplicate else "excluded"
            said = self.names.let("stmt", node, "ON CONFLICT DO UPDATE with `excluded`")
            self.scope.entities.append(Entity(entity.model, f"{said}.{new}", "excluded", new=True))
            node = Atom(said)
        pairs = []
        for item in conflict.expressions:
            if type(item).__name__ != "EQ" or type(item.this).__name__ != "Column":
                raise unsupported("ON CONFLICT that sets a row of columns")
            ref = self.scope.column(item.this)
            pairs.append((ref, self._written(ref, item.args["expression"])))
        if duplicate:
            self._check_order([ref for ref, _ in pairs], conflict.expressions)
            return method(node, "on_duplicate_key_update", *self._pairs(pairs, by_name=True))
        where = conflict.args.get("where")
        tests = self.write.conjuncts(where.this) if where is not None else []
        test = tests[0] if len(tests) == 1 else call(self.names.sa("and_"), *tests) if tests else None
        extra = [Pair("where", "=", test)] if test is not None else []
        return method(node, "on_conflict_do_update", *elements, Pair("set_", "=", self._by_name(pairs)), *extra)

    def _by_name(self, pairs: list[tuple[ColumnRef, Node]]) -> Node:
        return Items("", "{", tuple(Pair(quoted(ref.column.name), ": ", node) for ref, node in pairs), "}")


def _paired(refs: list[ColumnRef], row: exp.Expr) -> list[tuple[ColumnRef, exp.Expr]]:
    from sqlglot import exp

    items = row.expressions if isinstance(row, exp.Tuple) else [row.unnest()]
    if len(items) != len(refs):
        message = f"{len(refs)} columns are named and {len(items)} values given; mend the SQL."
        raise Refused("sql-not-parsed", message)
    return list(zip(refs, items, strict=True))


def _told_apart(conflict: exp.OnConflict) -> exp.OnConflict:
    """MySQL's VALUES(a) as `excluded.a`."""
    from sqlglot import exp

    def told(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Anonymous) and node.name.lower() == "values" and len(node.expressions) == 1:
            return exp.column(node.expressions[0].name, table="excluded")
        return node

    found = conflict.copy().transform(told)
    assert isinstance(found, exp.OnConflict)
    return found


def _names_new(conflict: exp.OnConflict) -> bool:
    from sqlglot import exp

    return any(column.table.lower() == "excluded" for column in conflict.find_all(exp.Column))
