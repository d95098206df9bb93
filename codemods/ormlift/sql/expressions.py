"""SQL expressions to SQLAlchemy expressions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ormlift.sql.binding import Binder, Use
from ormlift.sql.conditions import Conditions
from ormlift.sql.functions import Functions
from ormlift.sql.layout import COMPARE, PRODUCT, SUM, Atom, Infix, Items, Node, Pair, Prefix, call, method
from ormlift.sql.operands import (
    CONVERTING,
    NUMBERS,
    Value,
    common_kind,
    construct,
    literal_value,
    mixed,
    number_kind,
    operand,
    quoted,
    slot_of,
)
from ormlift.sql.scope import Names, Refused, Scope, unsupported

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlglot import exp


class Expressions(Conditions, Functions):
    """Writes the expressions of one statement."""

    def __init__(self, scope: Scope, binder: Binder, names: Names, timestamps: str) -> None:
        from sqlglot import exp

        super().__init__(scope, binder, names, timestamps)
        self.values: dict[type[exp.Expr], Callable[[Any], Value]] = {
            exp.Column: self._column, exp.Literal: self._literal, exp.Neg: self._negative,
            exp.Placeholder: self._parameter, exp.Null: self._null, exp.Boolean: self._boolean,
            exp.Add: self._arithmetic, exp.Sub: self._arithmetic, exp.Mul: self._arithmetic,
            exp.Div: self._arithmetic, exp.Mod: self._arithmetic, exp.DPipe: self._concatenation,
            exp.Case: self._case, exp.Cast: self._cast, exp.Anonymous: self._function,
            exp.CurrentTimestamp: self._now, exp.CurrentDate: self._now, exp.CurrentTime: self._now,
            exp.Extract: self._extract, exp.BitwiseAnd: self._bitwise, exp.BitwiseOr: self._bitwise,
            exp.Window: self._window, exp.Filter: self._filter, exp.Select: self._subquery,
            exp.Union: self._subquery, exp.Intersect: self._subquery, exp.Except: self._subquery,
            **dict.fromkeys(
                (exp.JSONExtract, exp.JSONExtractScalar, exp.JSONBExtract, exp.JSONBExtractScalar), self._path
            ),
            exp.Interval: self._interval, exp.AtTimeZone: self._zone,
        }  # fmt: skip

    def value(self, tree: exp.Expr) -> Value:
        """Any expression."""
        from sqlglot import exp

        tree = tree.unnest()
        if not self.inline and self.repeated is not None and self.repeated.is_inlined(tree):
            self.inline = True
            try:
                return self.value(tree)
            finally:
                self.inline = False
        if type(tree) in self.values:
            return self.values[type(tree)](tree)
        if isinstance(tree, exp.If) and self.dialect == "mysql":
            return self._if(tree)
        if isinstance(tree, exp.Connector | exp.Not | exp.Predicate | exp.Like | exp.Escape | exp.Between | exp.Exists):
            bare = tree.this.unnest() if isinstance(tree, exp.Not) else tree
            kind = "" if isinstance(bare, exp.Between) else "bool"  # SQLAlchemy gives BETWEEN no type
            return Value(self.condition(tree, positive=False), kind)
        raise unsupported(construct(tree))

    def _subquery(self, tree: exp.Query) -> Value:
        from ormlift.sql.queries import Queries

        node, item = Queries(self.binder, self.names, self.timestamps).scalar(tree, self.scope)
        return Value(node, item.value.kind, computed=item.value.computed)

    def _parameter(self, tree: exp.Placeholder) -> Value:
        return Value(self.binder.slot(slot_of(tree), None, "", Use.PLAIN), python="", slot=slot_of(tree))

    def _literal(self, tree: exp.Literal) -> Value:
        """A literal; a decimal on a server as it stands: bound, it would be a float, and the result one too."""
        if self.inline:
            return self._inlined(tree)
        value = literal_value(tree)
        if value.python != "float" or self.dialect == "sqlite":
            return value
        return Value(call(self.names.sa("literal_column"), Atom(quoted(tree.name))), "numeric")

    def _null(self, _tree: exp.Null) -> Value:
        return Value(call(self.names.sa("null")), python="None", null=True)

    def _boolean(self, tree: exp.Boolean) -> Value:
        return Value(call(self.names.sa("true" if tree.this else "false")), "bool")

    def _column(self, tree: exp.Column) -> Value:
        ref = self.scope.find(tree)
        alias = self.aliases.get(tree.name.lower()) if not tree.table else None
        if ref is None and alias is not None:
            return self.value(alias)
        ref = ref or self.scope.column(tree)
        return Value(ref.node, ref.kind, ref)

    def _negative(self, tree: exp.Neg) -> Value:
        inner = self.value(tree.this)
        if inner.is_python and inner.slot < 0 and not inner.null:
            return Value(Prefix("-", inner.node), inner.kind, python=inner.python)
        if inner.slot >= 0:
            return Value(Prefix("-", call(self.names.sa("literal"), inner.node, Atom(self.names.sa("Integer")))))
        inner = self._unconverted(inner)
        if inner.kind not in (*NUMBERS, ""):
            raise unsupported("The negative of what is no number")
        return Value(Prefix("-", self._sql(inner)), inner.kind, computed=inner.computed)

    def _arithmetic(self, tree: exp.Expr) -> Value:
        from sqlglot import exp

        symbol = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/", exp.Mod: "%"}[type(tree)]  # type: ignore[index]
        left, right = self.value(tree.this), self.value(tree.args["expression"])
        if symbol in "*/" and "interval" in (left.kind, right.kind):
            return self._multiplied(left, symbol, right)
        if right.kind == "interval":
            return self._shifted(left, symbol, right)
        if left.null or right.null:
            raise unsupported("Arithmetic with NULL")
        left = self._leading(self._unconverted(left), right)
        kind = number_kind(left.kind, right.kind)
        if not kind or (symbol == "/" and self.dialect != "mysql" and kind != "int"):
            return self._spelled(self._sql(left), symbol, right.node, kind or left.kind)
        first = self._sql(left) if right.is_python else left.node
        second = right.node
        if symbol == "/" and self.dialect != "mysql" and self.names.older("2.0"):  # has no `//`
            return self._spelled(self._sql(left), symbol, second, kind)
        if symbol == "/":
            symbol = "/" if self.dialect == "mysql" else "//"
            kind = "numeric" if self.dialect == "mysql" else kind
        level = SUM if symbol in "+-" else PRODUCT
        return Value(Infix(first, symbol, second, level), kind, computed=True)

    def _multiplied(self, left: Value, symbol: str, right: Value) -> Value:
        """An interval and a number."""
        if left.kind == right.kind or left.null or right.null or (symbol == "/" and right.kind == "interval"):
            raise unsupported("Arithmetic with an interval")
        first = self._sql(left) if left.is_python or right.is_python else left.node
        return self._spelled(first, symbol, right.node, "interval")

    def _shifted(self, left: Value, symbol: str, right: Value) -> Value:
        """A point in time and an interval."""
        if left.is_python:
            raise unsupported("An interval added to a value")
        kind = "datetime" if left.kind in ("datetime", "date") and self.dialect == "postgresql" else left.kind
        return Value(Infix(left.node, symbol, right.node, SUM), kind, computed=True)

    def _bitwise(self, tree: exp.Expr) -> Value:
        return self._spelled(
            self._sql(self._leading(self._unconverted(self.value(tree.this)), Value(Atom("0"), "int"))),
            "&" if type(tree).__name__ == "BitwiseAnd" else "|",
            self.value(tree.args["expression"]).node,
        )

    def _concatenation(self, tree: exp.DPipe) -> Value:
        left, right = self._unconverted(self.value(tree.this)), self.value(tree.args["expression"])
        left = self._leading(left)
        first, second = self._sql(left), right.node
        if left.kind == right.kind == "str":
            return Value(Infix(first, "+", second, SUM), "str")
        return Value(method(first, "concat", second), "str" if left.kind == "str" else "")

    def _case(self, tree: exp.Case) -> Value:
        subject, whens = tree.this, []
        results = [self.value(when.args["true"]) for when in tree.args["ifs"]]
        results += [self.value(tree.args["default"])] if tree.args.get("default") is not None else []
        kinds = [result.kind for result in results if not result.null]
        if len(set(kinds)) > 1:
            results = [self._unconverted(result) for result in results]
            kinds = [result.kind for result in results if not result.null]
        results = [self._leading(result, *results) for result in results]
        rest = iter(results)
        for when in tree.args["ifs"]:
            if subject is None:
                test = self.condition(when.this, positive=True)
            else:
                first = self.value(subject)
                test = Infix(operand(self._sql(first)), "==", self.against(when.this, first, Use.EQUAL), COMPARE)
            result = next(rest)
            whens.append(Items("", "(", (test, Atom("None") if result.null else result.node), ")"))
        items: list[Node] = list(whens)
        last = next(rest, None)
        if last is not None and not last.null:
            items.append(Pair("else_", "=", last.node))
        kind = common_kind(kinds)
        return Value(call(self.names.sa("case"), *items), kind, computed=mixed(results))

    def _cast(self, tree: exp.Cast) -> Value:
        from ormlift.sql.casts import sqlalchemy_type

        if type(tree).__name__ != "Cast":
            raise unsupported(construct(tree))
        to = tree.args["to"]
        if self.dialect == "postgresql" and to.sql().upper() in ("JSON", "JSONB"):
            return self._document(tree)
        is_array = self.dialect == "postgresql" and to.sql().upper().startswith("ARRAY<") and len(to.expressions) == 1
        name, arguments, kind = sqlalchemy_type(to.expressions[0] if is_array else to, self.dialect)
        said = self.names.sa(name) + arguments
        if is_array:
            said, kind = f"{self.names.sa('ARRAY')}({said})", "unknown"
        inner = self.value(tree.this)
        typed = inner.is_python and kind in CONVERTING  # a type of its own would convert what is bound
        node = self._sql(inner) if typed else inner.node
        return Value(call(self.names.sa("cast"), node, Atom(said)), kind)


__all__ = ["CONVERTING", "Expressions", "Refused", "Value", "quoted"]
