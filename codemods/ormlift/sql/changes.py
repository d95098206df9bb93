"""UPDATE and DELETE to `update(Model)` and `delete(Model)`."""

from __future__ import annotations

import keyword
from typing import TYPE_CHECKING

from ormlift.sql.arguments import dumped
from ormlift.sql.binding import Use
from ormlift.sql.expressions import Expressions, Value, quoted
from ormlift.sql.layout import Atom, Items, Node, Pair, call, method
from ormlift.sql.operands import slot_of
from ormlift.sql.read import own_nodes
from ormlift.sql.scope import ColumnRef, Refused, Scope, unsupported
from ormlift.sql.tablefunctions import is_function
from ormlift.sql.unnested import functional, unnested

if TYPE_CHECKING:
    from sqlglot import exp

    from ormlift.sql.binding import Binder
    from ormlift.sql.scope import Entity, Names
    from ormlift.sql.selects import SelectParts
    from ormlift.sql.statement import Request


class Changes:
    """What the writers of statements that change a table share."""

    def __init__(self, tree: exp.Expr, scope: Scope, binder: Binder, names: Names, request: Request) -> None:
        self.tree, self.scope, self.binder, self.names, self.request = tree, scope, binder, names, request
        self.write = Expressions(scope, binder, names, request.timestamps)
        self.dialect = binder.statement.dialect
        self.returned: SelectParts | None = None

    def _common(self) -> None:
        """The tables of WITH."""
        from ormlift.sql.queries import Queries

        if with_ := self.tree.args.get("with_"):
            if self.dialect == "mysql":
                raise unsupported("WITH before a change, on MySQL,")
            self.names.since("1.4", "WITH before a change")
            Queries(self.binder, self.names, self.request.timestamps).common(with_, self.scope)

    def _others(self, tables: list[exp.Expr]) -> None:
        """Other tables that the criteria speak of; SQLAlchemy finds them there."""
        from sqlglot import exp

        if tables and self.dialect == "mysql":
            raise unsupported("A change of one table by another, on MySQL,")
        for table in tables:
            if table.args.get("joins"):
                raise unsupported("A change by joined tables")
            if isinstance(table, exp.Unnest):
                entity = unnested(table, self.scope, self.write, self.names)
            elif is_function(table):
                entity = functional(table, self.scope, self.write, self.names, outer=False)
            else:
                entity = self.scope.add(table)
            columns = own_nodes(self.tree, exp.Column, "where")
            if not any(self.scope.column(column).entity is entity for column in columns):
                raise unsupported("A change by a table that WHERE does not name")

    def _returning(self, node: Node) -> Node:
        """RETURNING, column by column."""
        from sqlglot import exp

        from ormlift.sql.selects import SelectParts, SelectWriter

        returning = self.tree.args.get("returning")
        if returning is None:
            return node
        query = exp.select(*(item.copy() for item in returning.expressions))
        if self.dialect != "postgresql":
            self.names.since("2.0", f"RETURNING on {self.dialect}")
        writer = SelectWriter(query, self.scope, self.binder, self.names, self.request.timestamps)
        self.returned = SelectParts()
        writer.listed(self.returned)
        return method(node, "returning", *self.returned.columns)

    def _check_order(self, refs: list[ColumnRef], items: list[exp.Expr]) -> None:
        """MySQL sets one column after the other, and SQLAlchemy in an order of its own."""
        named = {ref.column.name.lower() for ref in refs}
        for item in items if self.dialect == "mysql" and len(refs) > 1 else []:
            others = named - {item.this.name.lower()}
            for column in item.args["expression"].find_all(type(item.this)):
                if column.name.lower() in others and column.table.lower() != "excluded":
                    raise unsupported("SET with an expression over another column that is set too, on MySQL,")

    def _query(self, entity: Entity, where: list[Node]) -> Node:
        chain = method(Atom(self.request.session), "query", Atom(entity.said))
        return method(chain, "filter", *where) if where else chain

    def _where(self) -> list[Node]:
        where = self.tree.args.get("where")
        return self.write.filters(where.this) if where else []

    def _unsynchronised(self, chain: Node, entity: Entity) -> Node:
        """Without synchronising where the criteria cannot be evaluated in Python: that would SELECT first."""
        plain = not self.tree.args.get("from_") and not self.tree.args.get("using")
        wanted = self.request.synchronize
        evaluable = wanted == "evaluable" and plain and _evaluable(self.tree)
        if entity.model.is_table or wanted == "core" or evaluable:
            return chain
        return method(chain, "execution_options", Pair("synchronize_session", "=", Atom("False")))

    def _written(self, ref: ColumnRef, tree: exp.Expr) -> Node:
        from sqlglot import exp

        if isinstance(tree, exp.Var) or (isinstance(tree, exp.Column) and tree.name.lower() == "default"):
            raise unsupported("DEFAULT as a value")
        return self.write.against(self._uncast(ref, tree), Value(ref.node, ref.kind, ref), Use.WRITE)

    def _uncast(self, ref: ColumnRef, tree: exp.Expr) -> exp.Expr:
        """`CAST(:x AS JSONB)` of `json.dumps(x)`, written to a column of that type: the type does both."""
        from sqlglot import exp

        inner = tree.this.unnest() if isinstance(tree, exp.Cast) else None
        if not isinstance(inner, exp.Placeholder) or tree.args["to"].sql().upper() != ref.column.type.upper():
            return tree
        return inner if ref.kind == "json" and dumped(self.binder.arguments[slot_of(inner)].text) else tree

    def _pairs(self, written: list[tuple[ColumnRef, Node]], *, by_name: bool = False) -> list[Node]:
        """Keyword arguments, or one dict where a name is none that Python takes as a keyword."""
        names = [ref.column.name if by_name else ref.column.attr for ref, _ in written]
        if all(name.isidentifier() and not keyword.iskeyword(name) and name != "self" for name in names):
            return [_pair(name, ref, node) for name, (ref, node) in zip(names, written, strict=True)]
        return [self._mapping(written)]

    def _mapping(self, written: list[tuple[ColumnRef, Node]]) -> Node:
        """A dict of columns and values; by the column's name where that is how the class calls it."""
        plain = all(ref.column.attr == ref.column.name for ref, _ in written) or written[0][0].entity.model.is_table
        keys = [ref.said or quoted(ref.column.attr) if plain else ref.text for ref, _ in written]
        return Items("", "{", tuple(Pair(key, ": ", node) for key, (_, node) in zip(keys, written, strict=True)), "}")

    def _once(self, refs: list[ColumnRef]) -> None:
        if len({ref.column.name for ref in refs}) != len(refs):
            raise Refused("sql-not-supported", "A column is written twice; mend the statement.")

    def _refuse(self, *constructs: tuple[str, str]) -> None:
        for name, said in constructs:
            if self.tree.args.get(name):
                raise unsupported(said)


def _pair(name: str, ref: ColumnRef, node: Node) -> Node:
    """A keyword argument; of a name that the code knows only when it runs, out of a dict."""
    return Items("**", "{", (Pair(ref.said, ": ", node),), "}") if ref.said else Pair(name, "=", node)


class ChangeWriter(Changes):
    """Writes one UPDATE or DELETE."""

    def update(self, *, query: bool) -> Node:
        """`update(Model).where(...).values(...)`, or `session.query(Model).filter(...).update({...})`."""
        tree = self.tree
        self._refuse(
            ("order", "UPDATE … ORDER BY"), ("limit", "UPDATE … LIMIT"), ("alternative", "UPDATE OR …")
        )  # fmt: skip
        self._common()
        if tree.this.args.get("joins"):
            raise unsupported("UPDATE with a join")
        if not tree.expressions:
            raise Refused("sql-not-parsed", "Nothing stands behind SET; mend the statement.")
        entity = self.scope.add(tree.this)
        if tree.args.get("from_") and self.dialect == "sqlite":
            self.names.since("2.0", "UPDATE .. FROM on sqlite")
        self._others([tree.args["from_"].this] if tree.args.get("from_") else [])
        where = self._where()
        written: list[tuple[ColumnRef, Node]] = []
        spread: list[Node] = []
        place = 0
        for item in tree.expressions:
            if type(item).__name__ != "EQ" or type(item.this).__name__ != "Column":
                raise unsupported("UPDATE of a row of columns")
            if item.this.name in self.request.spreads:
                spread += [Atom(text) for text in self.request.spreads[item.this.name]]
                place = len(written)
                continue
            ref = self._set(item.this, entity)
            written.append((ref, self._written(ref, item.args["expression"])))
        refs = [ref for ref, _ in written]
        self._updated(entity, refs)
        if query and not spread and not entity.model.is_table and not self.tree.args.get("returning"):
            base = self._query(entity, where)
            mapping = Items("", "{", tuple(Pair(ref.text, ": ", node) for ref, node in written), "}")
            return method(base, "update", mapping, Pair("synchronize_session", "=", Atom("False")))
        chain: Node = call(self.names.sa("update"), Atom(entity.said))
        chain = method(chain, "where", *where) if where else chain
        pairs = self._pairs(written)
        chain = method(chain, "values", *pairs[:place], *spread, *pairs[place:])
        return self._unsynchronised(self._returning(chain), entity)

    def _set(self, column: exp.Column, entity: Entity) -> ColumnRef:
        """What SET names is the table's own, whatever other tables have."""
        from sqlglot import exp

        owner = column.table.lower()
        return self.scope.column(column if owner else exp.column(column.name, table=entity.alias))

    def _updated(self, entity: Entity, refs: list[ColumnRef]) -> None:
        self._once(refs)
        named = {ref.column.name.lower() for ref in refs}
        for column in entity.model.columns:
            if column.onupdate and column.name.lower() not in named:
                self.binder.found(
                    "onupdate", f"`{entity.model.name}.{column.attr}` is not in the UPDATE; its `onupdate=` fires now."
                )
        self._check_order(refs, self.tree.expressions)

    def delete(self, *, query: bool) -> Node:
        """`delete(Model).where(...)`, or `session.query(Model).filter(...).delete()`."""
        self._refuse(
            ("order", "DELETE … ORDER BY"), ("limit", "DELETE … LIMIT"),
            ("tables", "DELETE of several tables"),
        )  # fmt: skip
        self._common()
        if self.tree.this.args.get("joins"):
            raise unsupported("DELETE with a join")
        entity = self.scope.add(self.tree.this)
        self._others(self.tree.args.get("using") or [])
        where = self._where()
        if query and not entity.model.is_table and not self.tree.args.get("returning"):
            return method(self._query(entity, where), "delete", Pair("synchronize_session", "=", Atom("False")))
        chain: Node = call(self.names.sa("delete"), Atom(entity.said))
        chain = method(chain, "where", *where) if where else chain
        return self._unsynchronised(self._returning(chain), entity)


def _evaluable(tree: exp.Expr) -> bool:
    from sqlglot import exp

    where = tree.args.get("where")
    if where is None:
        return True
    plain = (
        exp.Where, exp.And, exp.Or, exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.Is, exp.Null, exp.Column,
        exp.Identifier, exp.Placeholder, exp.Literal, exp.Not, exp.Paren, exp.Boolean, exp.Neg,
    )  # fmt: skip
    return all(isinstance(node, plain) for node in where.walk())
