"""Queries inside a statement: subqueries, EXISTS, derived tables, the tables of WITH, and set operations."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ormlift.schema import MappedClass, MappedColumn
from ormlift.sql.expressions import CONVERTING, quoted
from ormlift.sql.layout import Atom, Node, Pair, call, method
from ormlift.sql.read import own_nodes
from ormlift.sql.scope import Entity, Refused, Scope, unsupported
from ormlift.sql.selects import Selected, SelectWriter, assemble

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlglot import exp

    from ormlift.sql.binding import Binder
    from ormlift.sql.scope import Names

_OPERATIONS = {
    ("Union", True): "union", ("Union", False): "union_all", ("Intersect", True): "intersect",
    ("Intersect", False): "intersect_all", ("Except", True): "except_", ("Except", False): "except_all",
}  # fmt: skip


@dataclass(frozen=True)
class Built:
    """A query as written."""

    node: Node  # `select(...)..` or `union(...)..`
    items: tuple[Selected, ...]


@dataclass(frozen=True)
class Queries:
    """Writes the queries of one statement."""

    binder: Binder
    names: Names
    timestamps: str

    def built(self, tree: exp.Expr, parent: Scope | None, labels: Sequence[str] = ()) -> Built:
        """A query in `select` style. `labels`: what its columns are to be called, in order."""
        from sqlglot import exp

        while isinstance(tree, exp.Paren) or (isinstance(tree, exp.Subquery) and _is_plain(tree)):
            tree = tree.this
        if isinstance(tree, exp.SetOperation):
            return self._combined(tree, parent, labels)
        if not isinstance(tree, exp.Select):
            raise unsupported(f"{type(tree).__name__.upper()} for a query")
        scope = Scope(self.names.request, self.names, tree, parent)
        writer = SelectWriter(tree, scope, self.binder, self.names, self.timestamps)
        parts = writer.parts(labels=labels)
        chain = assemble(parts, writer, call(self.names.sa("select"), *parts.columns), query=False)
        return Built(chain if chain.links else chain.base, tuple(parts.items))

    def scalar(self, tree: exp.Expr, scope: Scope) -> tuple[Node, Selected]:
        """A subquery for a value."""
        built = self.built(tree, scope)
        if len(built.items) != 1:
            raise unsupported("A subquery of several columns for a value")
        return method(built.node, "scalar_subquery"), built.items[0]

    def exists(self, tree: exp.Expr, scope: Scope) -> Node:
        """EXISTS: `exists().where(..)` for a plain query of one table, `select(..).exists()` for any other."""
        from sqlglot import exp

        query = tree.this.unnest()
        if isinstance(query, exp.Select) and _only_where(query):
            inner = Scope(self.names.request, self.names, query, scope)
            writer = SelectWriter(query, inner, self.binder, self.names, self.timestamps)
            writer.sources()
            where = query.args.get("where")
            found: Node = call(self.names.sa("exists"))
            columns = own_nodes(query, exp.Column)
            if not any(inner.column(column).entity in inner.entities for column in columns if where is not None):
                found = method(found, "select_from", inner.entities[0].node)
            return method(found, "where", *writer.write.conjuncts(where.this)) if where is not None else found
        return method(self.built(query, scope).node, "exists")

    def derived(self, tree: exp.Subquery, scope: Scope) -> Entity:
        """A query for a table: a variable where the statement names its columns, else written where it stands."""
        names = [column.name for column in _columns_of(tree)]
        built = self.built(tree.this, scope.parent, names)
        node = method(built.node, "subquery")
        alias = tree.alias.lower()
        if not self._is_named(tree, built, scope):
            return Entity(_model("", built.items), "", alias, kinds=_kinds(built.items), source=node)
        said = self.names.let(alias if len(alias) > 1 else "subquery", node, "A query for a table")
        return Entity(_model(said, built.items), said, alias, kinds=_kinds(built.items))

    def _is_named(self, tree: exp.Subquery, built: Built, scope: Scope) -> bool:
        from sqlglot import exp

        outer = scope.tree
        assert outer is not None
        inside = {id(node) for node in tree.walk()}
        known = {_label(item).lower() for item in built.items}
        for column in outer.find_all(exp.Column):
            owner = column.table.lower()
            if id(column) not in inside and (owner == tree.alias.lower() if owner else column.name.lower() in known):
                return True
        return any(isinstance(item, exp.Star) for item in outer.args.get("expressions") or [])

    def common(self, with_: exp.With, scope: Scope) -> None:
        """The tables of WITH become variables, and known in the scope."""
        from sqlglot import exp

        for cte in with_.expressions:
            name = cte.alias.lower()
            labels = [column.name for column in _columns_of(cte)]
            itself = [table for table in cte.this.find_all(exp.Table) if table.name.lower() == name and not table.db]
            if with_.args.get("recursive") and itself:
                self._recursive(cte, scope, labels)
                continue
            built = self.built(cte.this, scope, labels)
            said = self.names.let(name, method(built.node, "cte", Atom(quoted(cte.alias))), "WITH")
            scope.ctes[name] = Entity(_model(said, built.items), said, name, kinds=_kinds(built.items))

    def _recursive(self, cte: exp.CTE, scope: Scope, labels: list[str]) -> None:
        from sqlglot import exp

        union, name = cte.this, cte.alias.lower()
        if not isinstance(union, exp.Union) or isinstance(union.this, exp.Union):
            raise unsupported("WITH RECURSIVE of more than two queries")
        if any(union.args.get(part) for part in ("order", "limit", "offset", "with_")):
            raise unsupported("ORDER BY or LIMIT in WITH RECURSIVE")
        first = self.built(union.this, scope, labels)
        start = method(first.node, "cte", Atom(quoted(cte.alias)), Pair("recursive", "=", Atom("True")))
        said = self.names.let(name, start, "WITH RECURSIVE")
        scope.ctes[name] = Entity(_model(said, first.items), said, name, kinds=_kinds(first.items))
        step = self.built(union.args["expression"], scope)
        self._same_types([first, step])
        combine = "union" if union.args.get("distinct") else "union_all"
        self.names.variables.append((said, method(Atom(said), combine, step.node)))

    def _combined(self, tree: exp.SetOperation, parent: Scope | None, labels: Sequence[str]) -> Built:
        name = _OPERATIONS[(type(tree).__name__, bool(tree.args.get("distinct")))]
        if any(tree.args.get(part) for part in ("by_name", "side", "kind", "on")):
            raise unsupported("A set operation by name")
        holder = Scope(self.names.request, self.names, tree, parent)
        if tree.args.get("with_"):
            self.common(tree.args["with_"], holder)
        members = [
            self.built(member, holder, labels if not place else ())
            for place, member in enumerate(_flat(tree, self.binder.statement.dialect))
        ]
        if len({len(member.items) for member in members}) > 1:
            raise Refused("sql-not-parsed", "The queries of the set operation differ in columns; mend the statement.")
        self._same_types(members)
        items = tuple(_nullable(item) for item in members[0].items)
        node: Node = call(self.names.sa(name), *(member.node for member in members))
        return Built(self._ordered(tree, node, items, parent), items)

    def _same_types(self, members: list[Built]) -> None:
        """SQLAlchemy takes the types of the first query for all."""
        for items in zip(*(member.items for member in members), strict=False):
            kinds = {item.value.kind for item in items if not item.value.null}
            if len(kinds) > 1 and items[0].value.kind in (*CONVERTING, "numeric"):
                raise unsupported("A set operation over columns of different types")

    def _ordered(self, tree: exp.SetOperation, node: Node, items: tuple[Selected, ...], parent: Scope | None) -> Node:
        from sqlglot import exp

        writer = SelectWriter(
            tree, Scope(self.names.request, self.names, tree, parent), self.binder, self.names, "func"
        )
        order, labels = [], [_label(item).lower() for item in items]
        for item in tree.args["order"].expressions if tree.args.get("order") else []:
            key = item.this.unnest()
            if isinstance(key, exp.Literal) and not key.is_string and 0 < int(key.name) <= len(items):
                place = int(key.name) - 1
            elif isinstance(key, exp.Column) and not key.table and labels.count(key.name.lower()) == 1:
                place = labels.index(key.name.lower())
            else:
                raise unsupported("ORDER BY an expression behind a set operation")
            said = _label(items[place])
            by: Node = Atom(quoted(said)) if said else call(self.names.sa("text"), Atom(f'"{place + 1}"'))
            if item.args.get("desc"):
                by = call(self.names.sa("desc"), by)
            order.append(writer.write.nulls(item, by, bare=True))
        if order:
            node = method(node, "order_by", *order)
        for part in ("limit", "offset"):
            bound = writer.bound(part)
            node = method(node, part, bound) if bound is not None else node
        return node


def _flat(tree: exp.SetOperation, dialect: str) -> list[exp.Expr]:
    from sqlglot import exp

    left, right = tree.this, tree.args["expression"]
    if isinstance(left, exp.SetOperation):
        same = type(left) is type(tree) and left.args.get("distinct") == tree.args.get("distinct")
        if (
            same
            and not isinstance(tree, exp.Except)
            and not any(left.args.get(p) for p in ("order", "limit", "offset"))
        ):
            return [*_flat(left, dialect), *_bare([right], dialect)]
    return _bare([left, right], dialect)


def _bare(members: list[exp.Expr], dialect: str) -> list[exp.Expr]:
    """Queries of a set operation. SQLite takes no brackets around them, and MySQL none around a set operation."""
    from sqlglot import exp

    for member in members:
        inner = member.this if isinstance(member, exp.Subquery) else member
        if not isinstance(inner, exp.Select) and not (isinstance(inner, exp.SetOperation) and dialect == "postgresql"):
            raise unsupported("Several set operations in one statement")
        parts = ("with_",) if dialect != "sqlite" else ("order", "limit", "offset", "with_")
        if any(inner.args.get(part) for part in parts):
            raise unsupported("ORDER BY or LIMIT in a query of a set operation")
    return members


def _nullable(item: Selected) -> Selected:
    """An item to which other queries add values of their own."""
    ref = item.value.ref
    if ref is None:
        return item
    ref = replace(ref, column=replace(ref.column, nullable=True, primary_key=False))
    return replace(item, value=replace(item.value, ref=ref))


def _is_plain(tree: exp.Subquery) -> bool:
    return not any(value for key, value in tree.args.items() if key != "this")


def _only_where(query: exp.Select) -> bool:
    """One table, a WHERE at most; what is selected means nothing to EXISTS."""
    from sqlglot import exp

    source = query.args.get("from_")
    if source is None or not isinstance(source.this, exp.Table):
        return False
    limit = query.args.get("limit")
    if limit is not None and not (
        isinstance(limit.args.get("expression"), exp.Literal) and limit.expression.name > "0"
    ):
        return False
    plain = ("expressions", "from_", "where", "kind", "limit", "distinct", "order")
    if any(value for key, value in query.args.items() if key not in plain):
        return False
    return not own_nodes(query, exp.Anonymous, "expressions")


def _columns_of(tree: exp.Expr) -> list[exp.Expr]:
    alias = tree.args.get("alias")
    return list(alias.args.get("columns") or []) if alias is not None else []


def _label(item: Selected) -> str:
    """What a query around it calls the item; empty where it has no name of its own."""
    if item.alias:
        return item.alias
    return item.value.ref.column.name if item.value.ref else ""


def _model(said: str, items: Sequence[Selected]) -> MappedClass:
    """A query as if it were a table."""
    counts = Counter(_label(item).lower() for item in items)
    columns = []
    for item in items:
        label, ref = _label(item), item.value.ref
        if not label or counts[label.lower()] > 1:
            continue
        attr = ref.column.attr if ref and item.alias in ("", ref.column.attr) else label
        if ref:
            columns.append(replace(ref.column, attr=attr, name=label, primary_key=False, nullable=True, default=False))
        else:
            columns.append(MappedColumn(attr, label, ""))
    return MappedClass("", "", "", 0, said, columns=tuple(columns), complete=len(columns) == len(items), is_table=True)


def _kinds(items: Sequence[Selected]) -> dict[str, str]:
    return {_label(item): item.value.kind for item in items}
