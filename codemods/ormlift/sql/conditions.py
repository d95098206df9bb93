"""SQL conditions to SQLAlchemy conditions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ormlift.sql.binding import OWN_NONE, SlotAtom, Use
from ormlift.sql.documents import Documents
from ormlift.sql.forms import PREDICATES
from ormlift.sql.layout import COMPARE, Atom, Infix, Items, Node, Pair, Prefix, call, method
from ormlift.sql.operands import (
    Value,
    construct,
    flag_of,
    flattened,
    is_true,
    literal_value,
    operand,
    slot_of,
    source_of,
)
from ormlift.sql.scope import unsupported

if TYPE_CHECKING:
    from sqlglot import exp

    from ormlift.sql.queries import Queries


class Conditions(Documents):
    """Writes the conditions of one statement."""

    @property
    def comparisons(self) -> dict[type[exp.Expr], str]:
        """The operators of comparison as Python says them."""
        from sqlglot import exp

        return {exp.EQ: "==", exp.NEQ: "!=", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}

    def conjuncts(self, tree: exp.Expr) -> list[Node]:
        """The parts of a WHERE, HAVING or ON condition that all must hold."""
        from sqlglot import exp

        return [self.condition(part, positive=True) for part in flattened(tree, exp.And)]

    def filters(self, tree: exp.Expr) -> list[Node]:
        """The parts of a WHERE; `1 = 1`, which others are only appended to, goes."""
        from sqlglot import exp

        parts = [part for part in flattened(tree, exp.And) if not is_true(part)]
        spreads = self.names.request.spreads
        found: list[Node] = []
        for part in parts:
            if isinstance(part, exp.Column) and part.name in spreads:
                found += [Atom(text) for text in spreads[part.name]]
            else:
                found.append(self.condition(part, positive=True))
        return found

    def condition(self, tree: exp.Expr, *, positive: bool) -> Node:
        """A condition; `positive`: here unknown counts as false, and stays so up to the top."""
        from sqlglot import exp

        tree = tree.unnest()
        if isinstance(tree, exp.And | exp.Or):
            name = "and_" if isinstance(tree, exp.And) else "or_"
            parts = [self.condition(part, positive=positive) for part in flattened(tree, type(tree))]
            return call(self.names.sa(name), *parts)
        if isinstance(tree, exp.Not):
            return self._not(tree.this.unnest())
        if type(tree) in self.comparisons:
            return self._comparison(tree, positive)
        if isinstance(tree, exp.Is):
            return self._is(tree, negated=False)
        if isinstance(tree, exp.NullSafeEQ | exp.NullSafeNEQ):
            return self._null_safe(tree)
        if isinstance(tree, exp.In):
            return self._in(tree, "in_")
        if isinstance(tree, exp.Between):
            return self._between(tree)
        if isinstance(tree, exp.Like | exp.ILike | exp.Escape):
            return self._like(tree, negated=False)
        if isinstance(tree, exp.Exists):
            return self._queries().exists(tree, self.scope)
        if isinstance(tree, exp.Glob):
            return self._operator(tree, "GLOB")
        if isinstance(tree, exp.Boolean):
            return call(self.names.sa("true" if tree.this else "false"))
        if isinstance(tree, exp.Column):
            return self._bare(tree)
        if isinstance(tree, exp.Anonymous | exp.Case | exp.Add | exp.Sub | exp.Literal | exp.Cast | exp.Query):
            return self._truth(tree)
        return self.special(tree)

    def _truth(self, tree: exp.Expr) -> Node:
        from sqlglot import exp

        if isinstance(tree, exp.Literal) and not tree.is_string:
            return Infix(self.binder.literal(Atom(tree.name)), "!=", Atom("0"), COMPARE)
        value = self.value(tree)
        if value.kind == "bool":
            raise unsupported("A Boolean expression for a condition")
        return value.node

    def _bare(self, tree: exp.Column) -> Node:
        value = self.value(tree)
        if value.kind in ("bool", "int", "unknown"):
            return value.node
        raise unsupported("A column that is no number for a condition")

    def _not(self, tree: exp.Expr) -> Node:
        from sqlglot import exp

        if isinstance(tree, exp.Not) and type(tree.this.unnest()).__name__ in PREDICATES:
            return self.condition(tree.this, positive=False)
        if isinstance(tree, exp.Is):
            return self._is(tree, negated=True)
        if isinstance(tree, exp.In):
            return self._in(tree, "not_in")
        if isinstance(tree, exp.Like | exp.ILike | exp.Escape):
            return self._like(tree, negated=True)
        if any(tree.find_all(exp.Any, exp.All)):  # before 2.0 the negation of `= ANY` is written `!= ANY`
            self.names.since("2.0", "NOT around ANY or ALL")
        inner = self.condition(tree, positive=False)
        return call(self.names.sa("not_"), inner) if isinstance(inner, Infix) else Prefix("~", inner)

    def _comparison(self, tree: exp.Expr, positive: bool) -> Node:
        from sqlglot import exp

        op = self.comparisons[type(tree)]
        left, right = tree.this, tree.args["expression"]
        if isinstance(right, exp.Any | exp.All) and isinstance(right.this.unnest(), exp.Placeholder):
            return self._any(left, op, right)
        if isinstance(right, exp.Any | exp.All) and isinstance(right.this.unnest(), exp.Query):
            return self._any_of_query(left, op, right)
        if isinstance(right, exp.Any | exp.All) and self._is_value(left):
            return self._member(left, op, right)
        for side in (left, right):
            if isinstance(side.unnest(), exp.Tuple | exp.All | exp.Any):
                raise unsupported(f"A comparison with {construct(side.unnest()).lower()}")
        if self._is_value(left) and not self._is_value(right):
            left, right, op = right, left, _mirrored(op)
        first = self.value(left)
        if first.is_python:
            first = Value(self.binder.literal(first.node), python=None)
        flag = flag_of(right)
        if flag is not None and op == "==" and positive and first.kind == "bool" and self.dialect != "mysql":
            return method(first.node, "is_", Atom(str(flag)))
        use = Use.EQUAL if op == "==" and positive else Use.COMPARE
        return Infix(operand(first.node), op, self.against(right, first, use), COMPARE)

    def _any(self, left: exp.Expr, op: str, right: exp.Expr) -> Node:
        """`a = ANY(%s)`: the driver makes an array of the list, here as there."""
        if self.dialect != "postgresql":
            raise unsupported(construct(right))
        name = "any_" if type(right).__name__ == "Any" else "all_"
        passed = self.binder.slot(slot_of(right.this.unnest()), None, "", Use.PLAIN)
        listed = call(self.names.sa(name), call(self.names.sa("literal"), passed))
        return Infix(operand(self.element(left)), op, listed, COMPARE)

    def _any_of_query(self, left: exp.Expr, op: str, right: exp.Expr) -> Node:
        """`a > ALL (SELECT ..)`."""
        name = "any_" if type(right).__name__ == "Any" else "all_"
        node, _ = self._queries().scalar(right.this.unnest(), self.scope)
        return Infix(operand(self.element(left)), op, call(self.names.sa(name), node), COMPARE)

    def _is_value(self, tree: exp.Expr) -> bool:
        from sqlglot import exp

        tree = tree.unnest()
        if isinstance(tree, exp.Neg):
            return self._is_value(tree.this)
        return isinstance(tree, exp.Placeholder | exp.Literal | exp.Null | exp.Boolean)

    def against(self, tree: exp.Expr, other: Value, use: Use) -> Node:
        """An operand as it is written against another: values are bound as the raw driver bound them."""
        from sqlglot import exp

        tree = tree.unnest()
        if other.kind == "json" and other.ref is None and use is not Use.WRITE:
            raise unsupported("A comparison with a JSON value")
        if isinstance(tree, exp.Placeholder):
            return self.binder.slot(slot_of(tree), other.ref, other.kind, use)
        if isinstance(tree, exp.Null):
            return self._null_against(other, use)
        if isinstance(tree, exp.Boolean):
            return (
                call(self.names.sa("true" if tree.this else "false")) if use is not Use.WRITE else Atom(str(tree.this))
            )
        value = self._number(tree) or self.value(tree)
        if value.is_python:
            return self.binder.constant(source_of(value.node), value.python or "", other.ref, other.kind, use)
        return value.node

    def _number(self, tree: exp.Expr) -> Value | None:
        """A literal beside what takes it: Python's own."""
        from sqlglot import exp

        if self.inline:
            return None
        if isinstance(tree, exp.Neg) and isinstance(tree.this, exp.Literal) and not tree.this.is_string:
            inner = literal_value(tree.this)
            return replace(inner, node=Prefix("-", inner.node))
        return literal_value(tree) if isinstance(tree, exp.Literal) else None

    def _null_against(self, other: Value, use: Use) -> Node:
        if use is not Use.WRITE:
            return self.binder.literal(Atom("None"), kind=other.kind)
        told = other.kind in (*OWN_NONE, "") or (other.ref is not None and other.ref.column.primary_key)
        return call(self.names.sa("null")) if told else Atom("None")

    def _is(self, tree: exp.Is, *, negated: bool) -> Node:
        from sqlglot import exp

        right = tree.args["expression"].unnest()
        name = "is_not" if negated else "is_"
        if isinstance(right, exp.Null):
            return method(self.element(tree.this), name, Atom("None"))
        if isinstance(right, exp.Boolean):
            return method(self.element(tree.this), name, Atom(str(right.this)))
        raise unsupported("IS with something else than NULL, TRUE or FALSE")

    def _null_safe(self, tree: exp.Expr) -> Node:
        from sqlglot import exp

        first = self.value(tree.this)
        name = "is_not_distinct_from" if isinstance(tree, exp.NullSafeEQ) else "is_distinct_from"
        return method(self._sql(first), name, self.against(tree.args["expression"], first, Use.PLAIN))

    def _in(self, tree: exp.In, name: str) -> Node:
        from sqlglot import exp

        if tree.args.get("unnest") or tree.args.get("field"):
            raise unsupported("IN with what is no list")
        if tree.args.get("query"):
            return self._in_query(tree, name)
        first = self.value(tree.this)
        if len(tree.expressions) == 1 and isinstance(tree.expressions[0], exp.Placeholder):
            slot = slot_of(tree.expressions[0])
            if self.binder.arguments[slot].many:
                return method(self._sql(first), name, self._listed(slot, first))
        types = {self._python_type(item) for item in tree.expressions}
        use = Use.MEMBER if len(tree.expressions) == 1 or (len(types) == 1 and types != {""}) else Use.AMONG
        members = [self.against(item, first, use) for item in tree.expressions]
        return method(self._sql(first), name, Items("", "[", tuple(members), "]"))

    def _listed(self, slot: int, first: Value) -> Node:
        """The list that a placeholder stands for; each item by itself where the column's type would convert it."""
        text = self.binder.arguments[slot].text
        if self.dialect != "sqlite":
            self.binder.found("empty-list")
        node = self.binder.slot(slot, first.ref, first.kind, Use.MEMBER)
        if type(node) is SlotAtom:
            return node
        return SlotAtom(f"[{self.names.sa('literal')}(item) for item in {text}]", slot=slot)

    def _in_query(self, tree: exp.In, name: str) -> Node:
        from sqlglot import exp

        built = self._queries().built(tree.args["query"], self.scope)
        sides = tree.this.expressions if isinstance(tree.this, exp.Tuple) else [tree.this]
        if len(sides) != len(built.items):
            raise unsupported("IN with a subquery of other columns")
        nodes = [self.element(side) for side in sides]
        first = nodes[0] if len(nodes) == 1 else call(self.names.sa("tuple_"), *nodes)
        return method(first, name, built.node)

    def _queries(self) -> Queries:
        from ormlift.sql.queries import Queries

        return Queries(self.binder, self.names, self.timestamps)

    def _python_type(self, tree: exp.Expr) -> str:
        """The Python type of a value as it is bound, empty where it is not known."""
        from sqlglot import exp

        tree = tree.unnest()
        if isinstance(tree, exp.Placeholder):
            return self.binder.type_of(slot_of(tree))
        if isinstance(tree, exp.Neg):
            return self._python_type(tree.this)
        return literal_value(tree).python or "" if isinstance(tree, exp.Literal) else "element"

    def _between(self, tree: exp.Between) -> Node:
        if tree.args.get("symmetric"):
            raise unsupported("BETWEEN SYMMETRIC")
        first = self.value(tree.this)
        low, high = (self.against(tree.args[side], first, Use.PLAIN) for side in ("low", "high"))
        return method(self._sql(first), "between", low, high)

    def _like(self, tree: exp.Expr, *, negated: bool) -> Node:
        from sqlglot import exp

        extra: list[Node] = []
        if isinstance(tree, exp.Escape):
            escape = tree.args["expression"]
            if not isinstance(escape, exp.Literal):
                raise unsupported("ESCAPE with something else than a literal")
            extra.append(Pair("escape", "=", Atom(repr(escape.name))))
            tree = tree.this.unnest()
        if tree.args.get("negate"):
            negated = not negated
        if not isinstance(tree, exp.Like | exp.ILike):
            raise unsupported(construct(tree))
        name = "like" if isinstance(tree, exp.Like) else "ilike"
        name = f"not_{name}" if negated else name
        first = self.value(tree.this)
        pattern = tree.args["expression"]
        if isinstance(pattern.unnest(), exp.All | exp.Any):
            raise unsupported("LIKE ANY")
        subject = self._sql(first)
        if first.is_python:
            subject = call(self.names.sa("literal"), first.node, Atom(self.names.sa("String")))
        elif first.kind not in ("", "str", "enum", "unknown"):  # text operators are for text; the SQL stays the same
            subject = call(self.names.sa("type_coerce"), subject, Atom(self.names.sa("String")))
        text = Value(first.node, "str" if first.kind == "str" else "")
        return method(subject, name, self.against(pattern, text, Use.COMPARE), *extra)

    def _operator(self, tree: exp.Expr, symbol: str) -> Node:
        first = self.value(tree.this)
        return self._spelled(self._sql(first), symbol, self.against(tree.args["expression"], first, Use.PLAIN)).node


def _mirrored(op: str) -> str:
    return {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(op, op)
