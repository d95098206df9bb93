"""INSERT, UPDATE and DELETE to `insert(Model)`, `update(Model)` and `delete(Model)`."""

from __future__ import annotations

import keyword
from typing import TYPE_CHECKING

from ormlift.sql.binding import Use
from ormlift.sql.expressions import Expressions, Value, quoted
from ormlift.sql.layout import Atom, Items, Node, Pair, call, method
from ormlift.sql.scope import ColumnRef, Refused, Scope, unsupported

if TYPE_CHECKING:
    from sqlglot import exp

    from ormlift.sql.binding import Binder
    from ormlift.sql.scope import Entity, Names
    from ormlift.sql.statement import Request


class ChangeWriter:
    """Writes one statement that changes a table."""

    def __init__(self, tree: exp.Expr, scope: Scope, binder: Binder, names: Names, request: Request) -> None:
        self.tree, self.scope, self.binder, self.names, self.request = tree, scope, binder, names, request
        self.write = Expressions(scope, binder, names, request.timestamps)
        self.dialect = binder.statement.dialect

    def insert(self) -> Node:
        """`insert(Model).values(...)`."""
        from sqlglot import exp

        tree = self.tree
        self._refuse(
            ("alternative", "INSERT OR …"), ("conflict", "ON CONFLICT"), ("returning", "RETURNING"),
            ("ignore", "INSERT IGNORE"), ("with_", "WITH"), ("default", "DEFAULT VALUES"),
            ("overwrite", "INSERT OVERWRITE"), ("where", "WHERE in INSERT"),
        )  # fmt: skip
        values = tree.args.get("expression")
        if not isinstance(values, exp.Values):
            raise unsupported("INSERT from a SELECT" if isinstance(values, exp.Query) else "This form of INSERT")
        if not isinstance(tree.this, exp.Schema):
            raise unsupported("INSERT without the names of the columns")
        if len(values.expressions) != 1 or values.args.get("alias"):
            raise unsupported("INSERT of several rows")
        entity = self.scope.add(tree.this.this)
        row = values.expressions[0]
        items = row.expressions if isinstance(row, exp.Tuple) else [row]
        refs = [self.scope.column(exp.column(name.name)) for name in tree.this.expressions]
        if len(refs) != len(items):
            raise Refused(
                "sql-not-parsed", f"{len(refs)} columns are named and {len(items)} values given; mend the SQL."
            )
        self._inserted(entity, refs)
        written = [(ref, self._written(ref, item)) for ref, item in zip(refs, items, strict=True)]
        return method(call(self.names.sa("insert"), Atom(entity.said)), "values", *self._pairs(written))

    def _inserted(self, entity: Entity, refs: list[ColumnRef]) -> None:
        self._once(refs)
        named = {ref.column.name.lower() for ref in refs}
        for column in entity.model.columns:
            if column.default and column.name.lower() not in named:
                self.binder.found(
                    "python-default",
                    f"`{entity.model.name}.{column.attr}` is not in the INSERT; its Python-side default fires now.",
                )

    def update(self, *, query: bool) -> Node:
        """`update(Model).where(...).values(...)`, or `session.query(Model).filter(...).update({...})`."""
        tree = self.tree
        self._refuse(
            ("from_", "UPDATE … FROM"), ("order", "UPDATE … ORDER BY"), ("limit", "UPDATE … LIMIT"),
            ("returning", "RETURNING"), ("with_", "WITH"), ("alternative", "UPDATE OR …"),
        )  # fmt: skip
        if tree.this.args.get("joins"):
            raise unsupported("UPDATE with a join")
        entity = self.scope.add(tree.this)
        where = self._where()
        written = []
        for item in tree.expressions:
            if type(item).__name__ != "EQ" or type(item.this).__name__ != "Column":
                raise unsupported("UPDATE of a row of columns")
            ref = self.scope.column(item.this)
            written.append((ref, self._written(ref, item.args["expression"])))
        refs = [ref for ref, _ in written]
        self._updated(entity, refs)
        if query and not entity.model.is_table:
            base = self._query(entity, where)
            mapping = Items("", "{", tuple(Pair(ref.text, ": ", node) for ref, node in written), "}")
            return method(base, "update", mapping, Pair("synchronize_session", "=", Atom("False")))
        chain: Node = call(self.names.sa("update"), Atom(entity.said))
        chain = method(chain, "where", *where) if where else chain
        chain = method(chain, "values", *self._pairs(written))
        return self._unsynchronised(chain, entity)

    def _updated(self, entity: Entity, refs: list[ColumnRef]) -> None:
        self._once(refs)
        named = {ref.column.name.lower() for ref in refs}
        for column in entity.model.columns:
            if column.onupdate and column.name.lower() not in named:
                self.binder.found(
                    "onupdate", f"`{entity.model.name}.{column.attr}` is not in the UPDATE; its `onupdate=` fires now."
                )
        if self.dialect != "mysql" or len(refs) < 2:
            return
        for item in self.tree.expressions:
            others = named - {item.this.name.lower()}
            for column in item.args["expression"].find_all(type(item.this)):
                if column.name.lower() in others:
                    raise unsupported("SET with an expression over another column that is set too, on MySQL,")

    def delete(self, *, query: bool) -> Node:
        """`delete(Model).where(...)`, or `session.query(Model).filter(...).delete()`."""
        self._refuse(
            ("using", "DELETE … USING"), ("order", "DELETE … ORDER BY"), ("limit", "DELETE … LIMIT"),
            ("returning", "RETURNING"), ("tables", "DELETE of several tables"), ("with_", "WITH"),
        )  # fmt: skip
        if self.tree.this.args.get("joins"):
            raise unsupported("DELETE with a join")
        entity = self.scope.add(self.tree.this)
        where = self._where()
        if query and not entity.model.is_table:
            return method(self._query(entity, where), "delete", Pair("synchronize_session", "=", Atom("False")))
        chain: Node = call(self.names.sa("delete"), Atom(entity.said))
        chain = method(chain, "where", *where) if where else chain
        return self._unsynchronised(chain, entity)

    def _query(self, entity: Entity, where: list[Node]) -> Node:
        chain = method(Atom(self.request.session), "query", Atom(entity.said))
        return method(chain, "filter", *where) if where else chain

    def _where(self) -> list[Node]:
        where = self.tree.args.get("where")
        return self.write.conjuncts(where.this) if where else []

    def _unsynchronised(self, chain: Node, entity: Entity) -> Node:
        """Without synchronising where the criteria cannot be evaluated in Python: that would SELECT first."""
        wanted = self.request.synchronize
        if entity.model.is_table or wanted == "core" or (wanted == "evaluable" and _evaluable(self.tree)):
            return chain
        return method(chain, "execution_options", Pair("synchronize_session", "=", Atom("False")))

    def _written(self, ref: ColumnRef, tree: exp.Expr) -> Node:
        from sqlglot import exp

        if isinstance(tree, exp.Var) or (isinstance(tree, exp.Column) and tree.name.lower() == "default"):
            raise unsupported("DEFAULT as a value")
        return self.write.against(tree, Value(ref.node, ref.kind, ref), Use.WRITE)

    def _pairs(self, written: list[tuple[ColumnRef, Node]]) -> list[Node]:
        """Keyword arguments, or one dict where a name is none that Python takes as a keyword."""
        names = [ref.column.attr for ref, _ in written]
        if all(name.isidentifier() and not keyword.iskeyword(name) and name != "self" for name in names):
            return [Pair(ref.column.attr, "=", node) for ref, node in written]
        keys = [ref.text if not ref.entity.model.is_table else quoted(ref.column.attr) for ref, _ in written]
        return [Items("", "{", tuple(Pair(key, ": ", node) for key, (_, node) in zip(keys, written, strict=True)), "}")]

    def _once(self, refs: list[ColumnRef]) -> None:
        if len({ref.column.name for ref in refs}) != len(refs):
            raise Refused("sql-not-supported", "A column is written twice; mend the statement.")

    def _refuse(self, *constructs: tuple[str, str]) -> None:
        for name, said in constructs:
            if self.tree.args.get(name):
                raise unsupported(said)


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
