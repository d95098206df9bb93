"""Functions, window functions and what SQL spells with words, through `func` and its like."""

from __future__ import annotations

import keyword
from typing import TYPE_CHECKING

from ormlift.sql.layout import Atom, Items, Node, Pair, call, method
from ormlift.sql.operands import (
    FROM_ARGUMENT,
    KNOWN_KINDS,
    SPELLED_OTHERWISE,
    UNITS,
    Operands,
    Value,
    common_kind,
    construct,
    mixed,
    quoted,
)
from ormlift.sql.scope import unsupported

if TYPE_CHECKING:
    from sqlglot import exp


class Functions(Operands):
    """Writes the calls of one statement."""

    def _if(self, tree: exp.If) -> Value:
        test = self.condition(tree.this, positive=True)
        parts = [self.value(tree.args[side]).node for side in ("true", "false") if tree.args.get(side) is not None]
        return Value(call(f"{self.names.sa('func')}.if_", test, *parts), "")

    def _function(self, tree: exp.Anonymous) -> Value:
        from sqlglot import exp

        name = str(tree.this).lower()
        if not name.isidentifier() or name in SPELLED_OTHERWISE or not isinstance(tree.this, str):
            raise unsupported(f"The function {name}()")
        said = f"{self.names.sa('func')}.{name}{'_' if keyword.iskeyword(name) else ''}"
        if name == "count" and len(tree.expressions) == 1 and isinstance(tree.expressions[0], exp.Star):
            return Value(call(said), "int")
        if name in UNITS and len(tree.expressions) == 3:
            unit = call(self.names.sa("text"), Atom(quoted(tree.expressions[0].name.upper())))
            return Value(call(said, unit, *(self.value(item).node for item in tree.expressions[1:])), "")
        values = self._documents(tree, [self._argument(item, name) for item in tree.expressions])
        kind = KNOWN_KINDS.get(name, "")
        computed, differ = mixed(values), len({value.kind for value in values if not value.null}) > 1
        if name in FROM_ARGUMENT and values:
            if differ or name in ("sum", "pow"):
                values = [self._unconverted(values[0]), *values[1:]]
            values = [self._leading(values[0], *values[1:]), *values[1:]]
            kind = common_kind([value.kind for value in values if not value.null])
            computed = computed or name == "pow"
        elif name in ("lower", "upper"):
            kind = "str" if [value.kind for value in values] == ["str"] else ""
        nodes = (Atom("None") if value.null else value.node for value in values)
        return Value(call(said, *nodes), kind, computed=computed)

    def _documents(self, tree: exp.Anonymous, values: list[Value]) -> list[Value]:
        """JSON beside text, as in COALESCE(data, '{}'): the text is JSON, which a driver that names types must know."""
        from sqlglot import exp

        if self.dialect != "postgresql" or str(tree.this).lower() != "coalesce" or values[0].kind != "json":
            return values
        columns = (self.scope.find(column) for column in tree.expressions[0].find_all(exp.Column))
        types = {ref.column.type for ref in columns if ref is not None}
        if not types <= {"JSON", "JSONB"}:
            raise unsupported("JSON of a type that is not known, beside text,")
        said = "JSONB" if "JSONB" in types else "JSON"
        return [
            Value(self.binder.document(value.node, said), "json") if value.python in ("str", "") else value
            for value in values
        ]

    def _argument(self, tree: exp.Expr, name: str) -> Value:
        from sqlglot import exp

        if isinstance(tree, exp.Distinct):
            if len(tree.expressions) != 1:
                raise unsupported(f"{name.upper()}(DISTINCT …) of several expressions")
            inner = self.value(tree.expressions[0])
            return Value(method(self._sql(inner), "distinct"), inner.kind)
        if isinstance(tree, exp.Order) and name in ("json_agg", "jsonb_agg", "array_agg"):
            return self._ordered_argument(tree, name)
        if isinstance(tree, exp.Star | exp.Order | exp.Limit | exp.Lambda | exp.Kwarg):
            raise unsupported(f"{construct(tree)} inside {name.upper()}()")
        return self.value(tree)

    def _ordered_argument(self, tree: exp.Order, name: str) -> Value:
        """`aggregate_order_by(x, y)`: what PostgreSQL aggregates in an order."""
        inner = self._argument(tree.this, name)
        if self.dialect != "postgresql" or inner.is_python:
            raise unsupported(f"ORDER BY inside {name.upper()}()")
        said = f"{self.names.say('sqlalchemy.dialects', 'postgresql')}.aggregate_order_by"
        return Value(call(said, inner.node, *(self.ordered(key) for key in tree.expressions)), inner.kind)

    def _now(self, tree: exp.Expr) -> Value:
        from sqlglot import exp

        if tree.this is not None:
            raise unsupported("CURRENT_TIMESTAMP with a precision")
        func = self.names.sa("func")
        if isinstance(tree, exp.CurrentDate):
            return Value(call(f"{func}.current_date"), "date")
        if isinstance(tree, exp.CurrentTime):
            return Value(call(f"{func}.current_time"), "time")
        if self.timestamps == "func":
            return Value(call(f"{func}.current_timestamp"), "datetime")
        if self.dialect == "sqlite":
            self.binder.found("timestamp-format")
        clock = self.names.say("datetime", "datetime")
        if self.timestamps == "utcnow":
            return Value(call(f"{clock}.utcnow"), "datetime", python="datetime")
        zone = self.names.say("datetime", "timezone")
        return Value(call(f"{clock}.now", Atom(f"{zone}.utc")), "datetime", python="datetime")

    def _extract(self, tree: exp.Extract) -> Value:
        field = str(tree.this.name).lower()
        return Value(call(self.names.sa("extract"), Atom(f'"{field}"'), self.element(tree.args["expression"])), "int")

    def _window(self, tree: exp.Window) -> Value:
        """`func.row_number().over(partition_by=.., order_by=..)`."""
        if tree.args.get("alias") or tree.args.get("first") is False or type(tree.this).__name__ in ("IgnoreNulls",):
            raise unsupported("A window by name")
        inner = self.value(tree.this)
        pairs: list[Node] = []
        if partition := tree.args.get("partition_by"):
            pairs.append(Pair("partition_by", "=", _lone([self.value(item).node for item in partition])))
        if order := tree.args.get("order"):
            pairs.append(Pair("order_by", "=", _lone([self.ordered(item) for item in order.expressions])))
        if spec := tree.args.get("spec"):
            pairs.append(_frame(spec))
        return Value(method(inner.node, "over", *pairs), inner.kind, computed=inner.computed)

    def ordered(self, item: exp.Ordered) -> Node:
        """A key of ORDER BY inside a window."""
        value = self.value(item.this)
        if value.is_python:
            raise unsupported("ORDER BY a value")
        node = method(value.node, "desc") if item.args.get("desc") else value.node
        return self.nulls(item, node)

    def nulls(self, item: exp.Ordered, node: Node, *, bare: bool = False) -> Node:
        """A key of ORDER BY with where its NULLs come, where that is not the dialect's own way; `bare`: only a name."""
        first = bool(item.args.get("nulls_first"))
        usual = bool(item.args.get("desc")) if self.dialect == "postgresql" else not item.args.get("desc")
        if first == usual:
            return node
        if self.dialect == "mysql":
            raise unsupported("NULLS FIRST on MySQL")
        name = "nulls_first" if first else "nulls_last"
        return call(self.names.sa(name), node) if bare else method(node, name)

    def _filter(self, tree: exp.Filter) -> Value:
        """`func.count().filter(..)`."""
        from sqlglot import exp

        if not isinstance(tree.this, exp.Anonymous):
            raise unsupported("FILTER")
        inner = self.value(tree.this)
        test = self.condition(tree.args["expression"].this, positive=True)
        return Value(method(inner.node, "filter", test), inner.kind, computed=inner.computed)

    def _interval(self, tree: exp.Interval) -> Value:
        """`text("INTERVAL '5 minutes'")`: the server's own words."""
        from sqlglot import exp

        amount, unit = tree.this, str(tree.args["unit"].name if tree.args.get("unit") is not None else "")
        text = self.names.sa("text")
        if isinstance(amount, exp.Literal):
            said = (
                f"'{amount.name} {unit}'".replace(" '", "'")
                if self.dialect == "postgresql"
                else f"{amount.name} {unit}"
            )
            return Value(call(text, Atom(quoted(f"INTERVAL {said}"))), "interval")
        if isinstance(amount, exp.Placeholder) and self.dialect == "mysql":
            passed = self._sql_parameter(amount)
            bound = method(
                call(text, Atom(quoted(f"INTERVAL :amount {unit}"))), "bindparams", Pair("amount", "=", passed)
            )
            return Value(bound, "interval")
        raise unsupported("INTERVAL of an expression")

    def _zone(self, tree: exp.AtTimeZone) -> Value:
        from sqlglot import exp

        zone = tree.args["zone"]
        if self.dialect != "postgresql" or not isinstance(zone, exp.Literal):
            raise unsupported("AT TIME ZONE")
        inner = self.value(tree.this)
        said = self._inlined(zone).node if self.inline else Atom(quoted(zone.name))
        return self._spelled(self._sql(inner), "AT TIME ZONE", said, "datetime")

    def _sql_parameter(self, tree: exp.Placeholder) -> Node:
        return self.value(tree).node


def _lone(nodes: list[Node]) -> Node:
    return nodes[0] if len(nodes) == 1 else Items("", "[", tuple(nodes), "]")


def _frame(spec: exp.WindowSpec) -> Node:
    """`rows=(-1, 0)`: None is unbounded, 0 the current row."""
    kind = str(spec.args.get("kind") or "").lower()
    if kind not in ("rows", "range") or spec.args.get("exclude"):
        raise unsupported("This frame of a window")
    ends = [_end(spec.args.get(side), str(spec.args.get(f"{side}_side") or "")) for side in ("start", "end")]
    return Pair("rows" if kind == "rows" else "range_", "=", Items("", "(", tuple(ends), ")"))


def _end(bound: object, side: str) -> Node:
    if bound is None or str(bound).upper() == "CURRENT ROW":
        return Atom("0")
    if str(bound).upper() == "UNBOUNDED":
        return Atom("None")
    name = getattr(bound, "name", "")
    if not name.isdigit():
        raise unsupported("This frame of a window")
    return Atom(f"-{name}" if side.upper() == "PRECEDING" else name)
