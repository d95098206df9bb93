"""SELECT to `select(...)` or `session.query(...)`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ormlift.sql.expressions import Expressions, Value, quoted
from ormlift.sql.layout import COMPARE, Atom, Chain, Infix, Node, Pair, Prefix, call, method
from ormlift.sql.read import is_aggregate, output_column, own_nodes
from ormlift.sql.repeated import is_column, label_of, repeated
from ormlift.sql.scope import Refused, Scope, unsupported
from ormlift.sql.stars import star_columns
from ormlift.sql.tablefunctions import is_function
from ormlift.sql.unnested import functional, unnested

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlglot import exp

    from ormlift.sql.binding import Binder
    from ormlift.sql.scope import Entity, Names

# A `*` of more columns than these is written as the whole table.
SPELLED_OUT = 8
_REFUSED = {
    "laterals": "LATERAL", "windows": "WINDOW", "qualify": "QUALIFY",
    "into": "SELECT INTO", "hint": "A hint", "kind": "SELECT AS", "operation_modifiers": "A SELECT modifier",
    "connect": "CONNECT BY", "match": "MATCH", "cluster": "CLUSTER BY", "sort": "SORT BY", "distribute": "DISTRIBUTE",
    "prewhere": "PREWHERE", "sample": "TABLESAMPLE", "settings": "SETTINGS", "format": "FORMAT", "for_": "FOR",
}  # fmt: skip


@dataclass(frozen=True)
class Selected:
    """One item of the select list as written."""

    node: Node
    label: str  # what the raw row called it
    value: Value
    alias: str = ""
    tree: exp.Expr | None = None  # None for a column of `*`


@dataclass
class SelectParts:
    """A SELECT, part by part."""

    items: list[Selected] = field(default_factory=list)
    whole: list[str] = field(default_factory=list)  # classes selected as a whole table
    base: Node | None = None  # the first table's class, where it must be named
    joins: list[tuple[str, Node, list[Node]]] = field(default_factory=list)  # method, class, conditions
    where: list[Node] = field(default_factory=list)
    group: list[Node] = field(default_factory=list)
    having: list[Node] = field(default_factory=list)
    order: list[Node] = field(default_factory=list)
    limit: Node | None = None
    offset: Node | None = None
    lock: list[Node] | None = None
    order_apart: bool = False  # it is ordered by what is not selected
    distinct: bool = False
    distinct_on: list[Node] = field(default_factory=list)
    star: bool = False
    columns: list[Node] = field(default_factory=list)


class SelectWriter:
    """Reads a SELECT's tree into parts, and puts the parts together in either style."""

    def __init__(self, tree: exp.Query, scope: Scope, binder: Binder, names: Names, timestamps: str) -> None:
        from ormlift.sql.queries import Queries

        self.tree, self.scope, self.binder, self.names = tree, scope, binder, names
        self.queries = Queries(binder, names, timestamps)
        self.write = Expressions(scope, binder, names, timestamps)
        self.dialect = binder.statement.dialect
        self.labels: Sequence[str] = ()  # what the columns are to be called

    def parts(
        self, kept: frozenset[int] = frozenset(), labels: Sequence[str] = (), *, query: bool = False
    ) -> SelectParts:
        """All parts. Raises Refused where one cannot be written."""
        tree, parts = self.tree, self.sources()
        for name, said in _REFUSED.items():
            if tree.args.get(name):
                raise unsupported(said)
        self.labels = labels
        if self.dialect == "postgresql":
            self.write.repeated = repeated(tree, self.scope, labels)
        self._distinct(parts)
        self.listed(parts)
        for place in sorted(kept):
            self._keep(place, parts, query=query)
        self._relabel(parts, labels)
        self._base(parts)
        if where := tree.args.get("where"):
            if any(is_aggregate(node) for node in own_nodes(tree, _anonymous(), "where")):
                raise unsupported("An aggregate in WHERE")
            parts.where = self.write.filters(where.this)
        self._group(parts)
        self._order(parts)
        for name in ("limit", "offset"):
            setattr(parts, name, self.bound(name))
        parts.lock = self._lock()
        return parts

    def _lock(self) -> list[Node] | None:
        """The arguments of `.with_for_update(..)`; None where the rows are not locked."""
        locks = self.tree.args.get("locks") or []
        if not locks:
            return None
        (lock, *others) = locks
        wait = lock.args.get("wait")
        plain = not (others or lock.expressions or lock.args.get("key") or wait not in (None, True, False))
        if not plain or self.dialect == "sqlite" or self.scope.parent is not None:
            raise unsupported("FOR UPDATE of this kind")
        said = [("read", not lock.args.get("update")), ("nowait", wait is True), ("skip_locked", wait is False)]
        return [Pair(name, "=", Atom("True")) for name, on in said if on]

    def listed(self, parts: SelectParts) -> None:
        """The select list, or that of RETURNING."""
        for item in self.tree.expressions:
            self._item(item, parts)
        self._cast_names(parts)

    def sources(self) -> SelectParts:
        """The tables: WITH, FROM and the joins."""
        parts = SelectParts()
        if with_ := self.tree.args.get("with_"):
            self.queries.common(with_, self.scope)
        source = self.tree.args.get("from_")
        if source is None:
            return parts
        if source.this.args.get("joins"):
            raise unsupported("Joins in parentheses")
        joins = self.tree.args.get("joins") or []
        right = [join for join in joins if str(join.args.get("side") or "").upper() in ("RIGHT", "FULL")]
        if right and len(joins) > 1:
            raise unsupported("RIGHT or FULL JOIN beside other joins")
        self._source(source.this, outer=bool(right))
        self._order_of_rows(joins)
        plain = not any(join.args.get(part) for join in joins for part in ("on", "side", "using"))
        for join in joins:
            self._join(join, parts, plain=plain)
        called = any(is_function(join.this) for join in joins)  # it may need the tables before it
        if joins and plain and (called or self._would_correlate() or not self._linked()):
            parts.joins = [("join", e.node, [call(self.names.sa("true"))]) for e in self.scope.entities[1:]]
        return parts

    def _order_of_rows(self, joins: list[exp.Join]) -> None:
        """RIGHT JOIN is written as LEFT JOIN; and SQLite reads the tables of CROSS JOIN in the order they stand in."""
        from ormlift.sql.read import gives_one_row

        if self.tree.args.get("order") or gives_one_row(self.tree) or self.scope.parent is not None:
            return
        turned = any(str(join.args.get("side") or "").upper() == "RIGHT" for join in joins)
        statement = self.binder.statement
        if turned or (joins and self.dialect == "sqlite" and re.search(r"(?i)\bcross\s+join\b", statement.normal)):
            self.binder.found("row-order")

    def _source(self, table: exp.Expr, *, outer: bool) -> Entity:
        from sqlglot import exp

        if isinstance(table, exp.Unnest) and not outer:
            return unnested(table, self.scope, self.write, self.names)
        if is_function(table):
            return functional(table, self.scope, self.write, self.names, outer=outer)
        if not isinstance(table, exp.Subquery):
            return self.scope.add(table, outer=outer)
        if table.args.get("joins") or table.args.get("pivots"):
            raise unsupported("Joins in parentheses")
        entity = replace(self.queries.derived(table, self.scope), outer=outer)
        self.scope.entities.append(entity)
        return entity

    def _join(self, join: exp.Join, parts: SelectParts, *, plain: bool) -> None:
        kind, side, method_ = (str(join.args.get(name) or "").upper() for name in ("kind", "side", "method"))
        if method_ or kind not in ("", "INNER", "OUTER", "CROSS"):
            raise unsupported(f"{' '.join(filter(None, (method_, side, kind)))} JOIN")
        if join.args.get("on") is None and not join.args.get("using"):
            entity = self._source(join.this, outer=False)
            if not plain:
                parts.joins.append(("join", entity.node, [call(self.names.sa("true"))]))
            return
        entity = self._source(join.this, outer=side in ("LEFT", "FULL"))
        conditions = self._using(join, entity, side) if join.args.get("using") else None
        conditions = conditions or self.write.conjuncts(join.args["on"])
        if side == "RIGHT":
            parts.base = entity.node
            parts.joins.append(("outerjoin", self.scope.entities[0].node, conditions))
            return
        how = {"": "join", "FULL": "full"}.get(side, "outerjoin")
        parts.joins.append((how, entity.node, conditions))

    def _using(self, join: exp.Join, entity: Entity, side: str) -> list[Node]:
        """USING (a) is ON left.a = right.a, and of the two columns one."""
        from sqlglot import exp

        if side in ("RIGHT", "FULL"):
            raise unsupported(f"{side} JOIN with USING")
        conditions: list[Node] = []
        for name in join.args["using"]:
            left = next((e for e in self.scope.entities if e is not entity and e.model.column(name.name)), None)
            if left is None:
                raise Refused(
                    "column-not-mapped", f"The column `{name.name}` of USING is not mapped; mend the statement."
                )
            pair = [self.scope.column(exp.column(name.name, table=side.alias)).node for side in (left, entity)]
            conditions.append(Infix(pair[0], "==", pair[1], COMPARE))
            self.scope.using.setdefault(entity.alias, []).append(name.name.lower())
        return conditions

    def _would_correlate(self) -> bool:
        """Whether SQLAlchemy would leave a table of `FROM a, b` out, since a query around this one has it too."""
        from sqlglot import exp

        if self.scope.parent is None or isinstance(self.tree.parent, exp.CTE):
            return False
        around = {entity.said for scope in self.scope.parent.chain() for entity in scope.entities}
        return any(entity.said in around for entity in self.scope.entities)

    def _linked(self) -> bool:
        """Whether WHERE ties each table of `FROM a, b` to another: then SQLAlchemy finds them there, and all is said.

        Tables that nothing ties together it warns of; those are joined ON TRUE.
        """
        from sqlglot import exp

        ties: set[str] = set()
        for node in own_nodes(self.tree, exp.Binary, "where"):
            if isinstance(node, exp.Connector):
                continue
            columns = [column for column in node.find_all(exp.Column) if column.parent_select is self.tree]
            owners = {self.scope.column(column).entity.alias for column in columns}
            ties |= owners if len(owners) > 1 else set()
        return all(entity.alias in ties for entity in self.scope.entities[1:])

    def _distinct(self, parts: SelectParts) -> None:
        distinct = self.tree.args.get("distinct")
        parts.distinct = distinct is not None
        if distinct is not None and distinct.args.get("on"):
            if self.dialect != "postgresql":
                raise unsupported("DISTINCT ON")
            parts.distinct_on = [self.write.value(item).node for item in distinct.args["on"].expressions]

    def _item(self, item: exp.Expr, parts: SelectParts) -> None:
        from sqlglot import exp

        if isinstance(item, exp.Star) or (isinstance(item, exp.Column) and isinstance(item.this, exp.Star)):
            if isinstance(item, exp.Star) and any(item.args.get(name) for name in ("except_", "replace", "rename")):
                raise unsupported("`*` with exceptions")
            self._star(item, parts)
            return
        alias = item.alias if isinstance(item, exp.Alias) else ""
        tree = item.this if isinstance(item, exp.Alias) else item
        value = self.write.value(tree)
        label = alias or (
            tree.unnest().name
            if value.ref
            else tree.sql(self.binder.statement.dialect.replace("postgresql", "postgres"))
        )
        node = self.write.element(tree) if value.is_python else value.node
        if value.slot >= 0 and self.binder.statement.dialect == "sqlite":
            node = self.binder.literal(value.node, kind="unknown")  # a type of its own would convert it
        node, value = self._raw(node, value)
        if alias and not (value.ref and value.ref.column.attr == alias):
            node = method(_closed(node), "label", Atom(quoted(alias)))
        if isinstance(node, Prefix):
            self.names.since("2.0", "A negative without an alias, which cannot be found in a row before,")
        parts.items.append(Selected(node, label, value, alias, tree))
        parts.columns.append(node)

    def _raw(self, node: Node, value: Value) -> tuple[Node, Value]:
        """An expression whose type would make other values of the driver's, with a type that leaves them alone."""
        said, kind = "", ""
        if value.kind == "bool" and value.ref is None and self.dialect != "postgresql":
            said, kind = "Integer", "int"
        elif value.kind == "numeric" and value.computed and self.dialect == "sqlite":
            said, kind = "Float", "float"
        if not said:
            return node, value
        return call(self.names.sa("type_coerce"), node, Atom(self.names.sa(said))), replace(value, kind=kind)

    def _cast_names(self, parts: SelectParts) -> None:
        """A cast is known by its column's name; where another item is too, rows could not be read: name it."""
        from sqlglot import exp

        names = [column.name.lower() for item in self.tree.expressions for column in item.find_all(exp.Column)]
        for place, item in enumerate(parts.items):
            if item.alias or item.tree is None or type(item.tree.unnest()) is not exp.Cast:
                continue
            name = next((column.name for column in item.tree.find_all(exp.Column)), "")
            if names.count(name.lower()) > 1:
                node = method(item.node, "label", Atom(quoted(f"{name}_{place + 1}")))
                parts.items[place] = replace(item, node=node)
                parts.columns[parts.columns.index(item.node)] = node

    def _keep(self, place: int, parts: SelectParts, *, query: bool) -> None:
        """A column whose type is left out, so that its values come as the driver gives them.

        Without a label, `session.query(type_coerce(..))` gives it no name; nor does `select(..)` before 2.0.
        """
        if len(parts.columns) != len(parts.items):  # `*` of many columns
            parts.columns[:] = [item.node for item in parts.items]
        item = parts.items[place]
        node: Node = call(self.names.sa("type_coerce"), item.value.node, Atom(self.names.sa("String")))
        name = item.alias or (item.value.ref.column.attr if item.value.ref else "")
        nameless = query or self.names.older("2.0")
        if item.alias or (item.value.ref and (nameless or item.value.ref.column.attr != item.value.ref.column.name)):
            node = method(node, "label", Atom(quoted(name)))
        parts.items[place] = replace(item, node=node, value=replace(item.value, kind="str"), alias=name)
        parts.columns[place] = node

    def _relabel(self, parts: SelectParts, labels: Sequence[str]) -> None:
        """The items under the names that `WITH t (a, b)` gives them."""
        if not labels:
            return
        if len(parts.columns) != len(parts.items) or len(labels) != len(parts.items):
            raise unsupported("Names for the columns of `*`")
        for place, label in enumerate(labels):
            item = parts.items[place]
            if item.value.ref and not item.alias and item.value.ref.column.attr == item.value.ref.column.name == label:
                continue
            bare = self.write.value(item.tree).node if item.alias and item.tree is not None else item.node
            node = method(_closed(bare), "label", Atom(quoted(label)))
            parts.items[place] = replace(item, node=node, alias=label, label=label)
            parts.columns[place] = node

    def _star(self, item: exp.Expr, parts: SelectParts) -> None:
        from sqlglot import exp

        owner = item.table.lower() if isinstance(item, exp.Column) else ""
        entities = [entity for entity in self.scope.entities if not owner or entity.alias == owner]
        if not entities:
            raise Refused("sql-not-parsed", f"`{owner}.*` names no table of the statement; mend it.")
        parts.star = True
        for entity in entities:
            model = entity.model
            if entity.kinds is not None and not model.complete:
                raise unsupported("`*` of a query that leaves a column without a name, or gives two the same")
            if not model.columns:
                raise Refused(
                    "column-not-mapped", f"No column of `{model.name}` could be read, so `*` cannot be written."
                )
            if not model.complete:
                self.binder.found(
                    "star-columns", f"`{model.name}` could not be read in full; `*` gives its mapped columns."
                )
        if self.scope.using and not owner:
            tables = [(entity.alias, [column.name.lower() for column in entity.columns]) for entity in entities]
            self._starred(star_columns(tables, self.scope.using, self.dialect), parts)
            return
        for entity in entities:
            whole = len(entity.columns) > SPELLED_OUT
            self._starred([(entity.alias, column.name) for column in entity.columns], parts, whole=whole)
            if whole:
                parts.columns.append(Atom(entity.said if entity.model.is_table else f"{entity.said}.__table__"))

    def _starred(self, names: Sequence[tuple[str, str]], parts: SelectParts, *, whole: bool = False) -> None:
        from sqlglot import exp

        refs = [self.scope.column(exp.column(name, table=alias)) for alias, name in names]
        parts.items += [Selected(ref.node, ref.column.name, Value(ref.node, ref.kind, ref)) for ref in refs]
        parts.columns += [] if whole else [ref.node for ref in refs]

    def _base(self, parts: SelectParts) -> None:
        if not self.scope.entities or parts.base is not None:
            return
        first = self.scope.entities[0]
        lead = parts.items[0].value.ref
        selected = {item.value.ref.entity.alias for item in parts.items if item.value.ref}
        if lead is None or lead.entity is not first or (parts.joins and len(selected) > 1 and len(parts.joins) > 1):
            mentioned = any(self._leads_to(first, column) for column in own_nodes(self.tree, _column(), "expressions"))
            if parts.joins or not mentioned:
                parts.base = first.node

    def _leads_to(self, entity: Entity, column: exp.Column) -> bool:
        if type(column.this).__name__ == "Star":
            return column.table.lower() == entity.alias
        return self.scope.column(column).entity is entity

    def _group(self, parts: SelectParts) -> None:
        group = self.tree.args.get("group")
        if group is not None:
            if any(group.args.get(name) for name in ("grouping_sets", "cube", "rollup", "totals", "all")):
                raise unsupported("GROUP BY with ROLLUP, CUBE or GROUPING SETS")
            parts.group = [self._grouped(item) for item in group.expressions]
        having = self.tree.args.get("having")
        if having is not None:
            self.write.aliases = self._aliases()
            parts.having = self.write.conjuncts(having.this)
            self.write.aliases = {}

    def _aliases(self) -> dict[str, exp.Expr]:
        from sqlglot import exp

        found = {item.alias.lower(): item.this for item in self.tree.expressions if isinstance(item, exp.Alias)}
        for alias, tree in found.items():
            ref = self.scope.find(exp.column(alias))
            if ref is not None and not (isinstance(tree, exp.Column) and self.scope.find(tree) == ref):
                found[alias] = exp.column(alias)  # the column is meant, or it is not clear which: see `_clear`
        return found

    def _grouped(self, tree: exp.Expr) -> Node:
        item = self._output(tree)
        item = item if item is not None else self._repeated(tree)
        if item is not None and self.labels and is_column(label_of(item, self.tree, self.labels), self.scope):
            return self.write.value(item.unalias()).node  # the name that it is given is a column's
        return self._by_label(item) if item is not None else self.write.value(tree).node

    def _repeated(self, tree: exp.Expr) -> exp.Expr | None:
        """The item of the select list whose label is said for the expression."""
        return self.write.repeated.label(tree) if self.write.repeated is not None else None

    def _order(self, parts: SelectParts) -> None:
        order = self.tree.args.get("order")
        if order is None:
            return
        if order.this is not None or order.args.get("siblings"):
            raise unsupported("ORDER SIBLINGS BY")
        spreads = self.names.request.spreads
        for item in order.expressions:
            if isinstance(item.this, _column()) and item.this.name in spreads:
                parts.order += [Atom(text) for text in spreads[item.this.name]]
            else:
                parts.order.append(self._ordered(item, parts))

    def _ordered(self, item: exp.Ordered, parts: SelectParts) -> Node:
        output = self._output(item.this)
        output = output if output is not None else self._repeated(item.this)
        if item.args.get("with_fill"):
            raise unsupported("WITH FILL")
        if output is None:
            value = self.write.value(item.this)
            if value.is_python:
                raise unsupported("ORDER BY a value")
            node = value.node
            parts.order_apart |= node not in parts.columns
        else:
            node = self._by_label(output)
        bare = isinstance(node, Atom) and node.text.startswith('"')
        if item.args.get("desc"):
            node = call(self.names.sa("desc"), node) if bare else method(_closed(node), "desc")
        return self.write.nulls(item, node, bare=bare)

    def _output(self, tree: exp.Expr) -> exp.Expr | None:
        """The item of the select list that an ordinal or a bare name of ORDER BY or GROUP BY stands for."""
        from sqlglot import exp

        items = self.tree.expressions
        tree = tree.unnest()
        if isinstance(tree, exp.Literal) and not tree.is_string and tree.name.isdigit():
            number = int(tree.name)
            if any(isinstance(item.unalias(), exp.Star) or isinstance(item.unalias().this, exp.Star) for item in items):
                raise unsupported("ORDER BY a number, with `*`,")
            if not 1 <= number <= len(items):
                raise Refused("sql-not-parsed", f"There is no item {number} in the select list; mend the statement.")
            found: exp.Expr = items[number - 1]
            return found
        if isinstance(tree, exp.Column) and not tree.table:
            matches = [i for i in items if isinstance(i, exp.Alias) and i.alias.lower() == tree.name.lower()]
            if len(matches) > 1:
                raise unsupported("Two items of the same name")
            if matches:
                return self._clear(tree, matches[0])
            return output_column(tree, items) if self.dialect != "sqlite" else None
        return None

    def _clear(self, tree: exp.Column, item: exp.Expr) -> exp.Expr:
        """The item, unless the name is a column's too and the clause might mean that one."""
        from sqlglot import exp

        ref = self.scope.find(tree)
        same = isinstance(item.this, exp.Column) and self.scope.find(item.this) == ref
        if ref is not None and not same and not isinstance(tree.parent, exp.Ordered):
            raise unsupported(f"GROUP BY `{tree.name}`, which is a column's name and an alias,")
        return item

    def _by_label(self, item: exp.Expr) -> Node:
        from sqlglot import exp

        if isinstance(item, exp.Alias):
            value = self.write.value(item.this) if isinstance(item.this, exp.Column) else None
            if value is not None:
                return value.node
            return Atom(quoted(label_of(item, self.tree, self.labels)))
        return self.write.value(item).node

    def bound(self, name: str) -> Node | None:
        """What LIMIT or OFFSET is given."""
        part = self.tree.args.get(name)
        if part is None:
            return None
        if type(part).__name__ == "Fetch":
            raise unsupported("FETCH FIRST")
        value = self.write.value(part.args["expression"])
        if not value.is_python or value.python not in ("", "int"):
            raise unsupported(f"{name.upper()} with an expression")
        return value.node


def assemble(parts: SelectParts, writer: SelectWriter, head: Node, *, query: bool) -> Chain:
    """The parts behind `select(...)` or `session.query(...)`."""
    chain = head if isinstance(head, Chain) else Chain(head, ())
    if parts.base is not None:
        chain = method(chain, "select_from", parts.base)
    for name, target, conditions in parts.joins:
        on = conditions[0] if len(conditions) == 1 else call(writer.names.sa("and_"), *conditions)
        full = [Pair("full", "=", Atom("True"))] if name == "full" else []
        chain = method(chain, "outerjoin" if full else name, target, on, *full)
    if parts.where:
        chain = method(chain, "filter" if query else "where", *parts.where)
    if parts.distinct:  # behind select_from(), which Query takes only before any criterion
        chain = method(chain, "distinct", *parts.distinct_on)
    for name, nodes in (("group_by", parts.group), ("having", parts.having), ("order_by", parts.order)):
        if nodes and name == "having" and len(nodes) > 1:
            nodes = [call(writer.names.sa("and_"), *nodes)]
        if nodes:
            chain = method(chain, name, *nodes)
    for name, node in (("limit", parts.limit), ("offset", parts.offset)):
        if node is not None:
            chain = method(chain, name, node)
    return chain if parts.lock is None else method(chain, "with_for_update", *parts.lock)


def _closed(node: Node) -> Node:
    return node


def _anonymous() -> type[exp.Anonymous]:
    from sqlglot import exp

    return exp.Anonymous


def _column() -> type[exp.Column]:
    from sqlglot import exp

    return exp.Column
