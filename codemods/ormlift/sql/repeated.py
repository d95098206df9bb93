"""Expressions that a query must say the same way twice, on PostgreSQL: `SELECT COALESCE(a, 'x') .. GROUP BY` the same.

A bound value is a parameter of its own each time, and two parameters are not the same to the server. So the expression
is named by its label the second time, or its values stand in the SQL as they did: `literal_column("'x'")`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ormlift.sql.read import own_nodes
from ormlift.sql.scope import unsupported

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlglot import exp

    from ormlift.sql.scope import Scope

_PARTS = ("expressions", "distinct", "group", "having", "order")


@dataclass
class Repeated:
    """The expressions with values in them that one query groups by, or orders what is distinct by."""

    scope: Scope
    labels: dict[str, exp.Expr] = field(default_factory=dict)  # what is named by a label: the item of the select list
    inlined: frozenset[str] = frozenset()  # what is written with its values in the SQL

    def key(self, tree: exp.Expr) -> str:
        """The same for expressions that the server takes for the same."""
        from sqlglot import exp

        copy = exp.Paren(this=tree.unnest().copy())
        for column in list(copy.find_all(exp.Column)):
            ref = self.scope.find(column)
            if ref is not None:
                column.replace(exp.column(ref.column.name, table=ref.entity.alias))
        for called in copy.find_all(exp.Anonymous):
            called.set("this", str(called.this).upper())
        return copy.sql("postgres")

    def is_inlined(self, tree: exp.Expr) -> bool:
        """Whether the expression is written with its values in the SQL."""
        return bool(self.inlined) and self.key(tree) in self.inlined

    def label(self, tree: exp.Expr) -> exp.Expr | None:
        """The item of the select list whose label names the expression."""
        return self.labels.get(self.key(tree)) if self.labels else None


def repeated(tree: exp.Expr, scope: Scope, labels: Sequence[str] = ()) -> Repeated:
    """Decide for each expression of a SELECT. Raises Refused where neither way is open.

    `labels`: what its columns are called, as `WITH t (a, b)` says it.
    """
    found = Repeated(scope)
    for wanted in _wanted(tree):
        if not holds_values(wanted):
            continue
        key = found.key(wanted)
        places = [n for part in _PARTS for n in own_nodes(tree, type(wanted), part) if found.key(n) == key]
        item = next((i for i in map(_item_of, places) if i is not None and _is_free(i, tree, scope, labels)), None)
        if item is not None and all(_may_be_label(place, tree) for place in places):
            found.labels[key] = item
        else:
            _check_inlined(wanted, places, tree)
            found.inlined |= {key}
    return found


def holds_values(tree: exp.Expr) -> bool:
    """Whether some part of an expression is bound as a parameter."""
    from sqlglot import exp

    kinds = (exp.Literal, exp.Placeholder, exp.JSONPath)
    return any(n.find_ancestor(exp.DataType, exp.Interval) is None for n in tree.find_all(*kinds))


def _wanted(tree: exp.Expr) -> Iterator[exp.Expr]:
    from sqlglot import exp

    group, distinct, order = (tree.args.get(part) for part in ("group", "distinct", "order"))
    ordered = [item.this for item in order.expressions] if order is not None and distinct is not None else []
    on = distinct.args.get("on").expressions if distinct is not None and distinct.args.get("on") else []
    for item in [*(group.expressions if group is not None else []), *ordered, *on]:
        bare = item.unnest()
        if isinstance(bare, exp.Literal):
            place = int(bare.name) - 1 if bare.name.isdigit() else -1
            if 0 <= place < len(tree.expressions):
                yield tree.expressions[place].unalias().unnest()
            continue
        named = isinstance(bare, exp.Column) and not bare.table
        same = [
            i for i in tree.expressions if named and isinstance(i, exp.Alias) and i.alias.lower() == bare.name.lower()
        ]
        yield same[0].this.unnest() if len(same) == 1 else bare


def _item_of(node: exp.Expr) -> exp.Alias | None:
    """The item with a label that an expression is."""
    from sqlglot import exp

    while isinstance(node.parent, exp.Paren):
        node = node.parent
    return node.parent if isinstance(node.parent, exp.Alias) else None


def label_of(item: exp.Expr, tree: exp.Expr, labels: Sequence[str]) -> str:
    """What an item of the select list is called in the end."""
    place = next((n for n, other in enumerate(tree.expressions) if other is item), -1)
    label: str = labels[place] if 0 <= place < len(labels) else item.alias
    return label


def is_column(name: str, scope: Scope) -> bool:
    """Whether a name is a column's too, which GROUP BY takes it for."""
    known = {column.name.lower() for s in scope.chain() for entity in s.entities for column in entity.model.columns}
    return name.lower() in known


def _is_free(item: exp.Expr, tree: exp.Expr, scope: Scope, labels: Sequence[str]) -> bool:
    """Whether an item's label names nothing else."""
    name = label_of(item, tree, labels).lower()
    others = (label_of(other, tree, labels) or other.alias_or_name for other in tree.expressions)
    once = sum(other.lower() == name for other in others) == 1
    return any(item is other for other in tree.expressions) and once and not is_column(name, scope)


def _may_be_label(node: exp.Expr, tree: exp.Expr) -> bool:
    from sqlglot import exp

    while isinstance(node.parent, exp.Paren):
        node = node.parent
    holder = node.parent.parent if isinstance(node.parent, exp.Ordered) else node.parent
    own = holder is not None and any(holder is tree.args.get(part) for part in ("group", "order"))
    return own or isinstance(holder, exp.Alias)


def _check_inlined(wanted: exp.Expr, places: list[exp.Expr], tree: exp.Expr) -> None:
    from sqlglot import exp

    if any(wanted.find_all(exp.Placeholder, exp.JSONPath, exp.Query)):
        raise unsupported("GROUP BY an expression with a value in it, on PostgreSQL,")
    having = tree.args.get("having")
    inside = {id(n) for n in having.walk()} if having is not None else set()
    if isinstance(wanted, exp.Predicate | exp.Connector) and any(id(place) in inside for place in places):
        raise unsupported("HAVING a condition that is grouped by, on PostgreSQL,")
