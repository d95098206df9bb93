"""SQL expressions to SQLAlchemy expressions."""

from __future__ import annotations

import keyword
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ormlift.sql.binding import OWN_NONE, Binder, SlotAtom, Use
from ormlift.sql.layout import (
    ATOM,
    COMPARE,
    PRODUCT,
    SUM,
    Atom,
    Chain,
    Infix,
    Items,
    Node,
    Pair,
    Prefix,
    call,
    method,
)
from ormlift.sql.scope import ColumnRef, Names, Refused, Scope, unsupported

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlglot import exp

NUMBERS = ("int", "float", "numeric")
# How tightly SQLAlchemy takes its own operators to bind.
PRECEDENCE = {"/": 8, "%": 8, "*": 8, "+": 7, "-": 7, "&": 6, "|": 6}
# Functions whose type SQLAlchemy takes from their first argument, and those it knows; of others it knows none.
FROM_ARGUMENT = ("coalesce", "max", "min", "sum", "pow")
KNOWN_KINDS = {"count": "int", "char_length": "int", "now": "datetime"}
# Kinds whose type turns what the database gives into something else; a value of another kind would not survive it.
CONVERTING = ("bool", "datetime", "date", "time", "interval", "json", "uuid", "enum", "unknown")
# Names that `func` spells in a way of its own.
UNITS = ("timestampdiff", "timestampadd")  # take a bare word for a unit
SPELLED_OTHERWISE = (*UNITS, "aggregate_strings", "next_value", "grouping_sets", "cube", "rollup", "cast", "random")


@dataclass(frozen=True)
class Value:
    """A written expression and what is known of it."""

    node: Node
    kind: str = ""  # see `columntypes.KINDS`; empty where SQLAlchemy knows no type either
    ref: ColumnRef | None = None  # where it is a plain column
    python: str | None = None  # the Python type of a literal of the SQL, "" of a parameter; None: an SQL element
    slot: int = -1
    null: bool = False  # the literal NULL
    computed: bool = False  # its values need not be such as a column of its type holds

    @property
    def is_python(self) -> bool:
        """Whether its text is a Python value, no SQL element."""
        return self.python is not None


class Expressions:
    """Writes the expressions of one statement."""

    def __init__(self, scope: Scope, binder: Binder, names: Names, timestamps: str) -> None:
        from sqlglot import exp

        self.scope, self.binder, self.names, self.timestamps = scope, binder, names, timestamps
        self.dialect = binder.statement.dialect
        self.aliases: Mapping[str, exp.Expr] = {}  # what a bare name in HAVING or GROUP BY may stand for
        self.comparisons: dict[type[exp.Expr], str] = {
            exp.EQ: "==", exp.NEQ: "!=", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=",
        }  # fmt: skip
        self.values: dict[type[exp.Expr], Callable[[Any], Value]] = {
            exp.Column: self._column, exp.Literal: _literal, exp.Neg: self._negative, exp.Placeholder: self._parameter,
            exp.Null: self._null, exp.Boolean: self._boolean, exp.Add: self._arithmetic, exp.Sub: self._arithmetic,
            exp.Mul: self._arithmetic, exp.Div: self._arithmetic, exp.Mod: self._arithmetic,
            exp.DPipe: self._concatenation, exp.Case: self._case, exp.Cast: self._cast, exp.Anonymous: self._function,
            exp.CurrentTimestamp: self._now, exp.CurrentDate: self._now, exp.CurrentTime: self._now,
            exp.Extract: self._extract, exp.BitwiseAnd: self._bitwise, exp.BitwiseOr: self._bitwise,
        }  # fmt: skip

    # Conditions

    def conjuncts(self, tree: exp.Expr) -> list[Node]:
        """The parts of a WHERE, HAVING or ON condition that all must hold."""
        from sqlglot import exp

        return [self.condition(part, positive=True) for part in _flattened(tree, exp.And)]

    def condition(self, tree: exp.Expr, *, positive: bool) -> Node:
        """A condition; `positive`: here unknown counts as false, and stays so up to the top."""
        from sqlglot import exp

        tree = tree.unnest()
        if isinstance(tree, exp.And | exp.Or):
            name = "and_" if isinstance(tree, exp.And) else "or_"
            parts = [self.condition(part, positive=positive) for part in _flattened(tree, type(tree))]
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
        if isinstance(tree, exp.Glob):
            return self._operator(tree, "GLOB")
        if isinstance(tree, exp.Boolean):
            return call(self.names.sa("true" if tree.this else "false"))
        if isinstance(tree, exp.Column):
            return self._bare(tree)
        if isinstance(tree, exp.Anonymous | exp.Case | exp.Add | exp.Sub | exp.Literal | exp.Cast):
            return self._truth(tree)
        raise unsupported(_named(tree))

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

        if isinstance(tree, exp.Is):
            return self._is(tree, negated=True)
        if isinstance(tree, exp.In):
            return self._in(tree, "not_in")
        if isinstance(tree, exp.Like | exp.ILike | exp.Escape):
            return self._like(tree, negated=True)
        inner = self.condition(tree, positive=False)
        return call(self.names.sa("not_"), inner) if isinstance(inner, Infix) else Prefix("~", inner)

    def _comparison(self, tree: exp.Expr, positive: bool) -> Node:
        from sqlglot import exp

        op = self.comparisons[type(tree)]
        left, right = tree.this, tree.args["expression"]
        for side in (left, right):
            if isinstance(side.unnest(), exp.Tuple | exp.Subquery | exp.All | exp.Any):
                raise unsupported(f"A comparison with {_named(side.unnest()).lower()}")
        if self._is_value(left) and not self._is_value(right):
            left, right, op = right, left, _mirrored(op)
        first = self.value(left)
        if first.is_python:
            first = Value(self.binder.literal(first.node), python=None)
        flag = _flag(right)
        if flag is not None and op == "==" and positive and first.kind == "bool" and self.dialect != "mysql":
            return method(first.node, "is_", Atom(str(flag)))
        use = Use.EQUAL if op == "==" and positive else Use.COMPARE
        return Infix(_operand(first.node), op, self.against(right, first, use), COMPARE)

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
        if isinstance(tree, exp.Placeholder):
            return self.binder.slot(_slot(tree), other.ref, other.kind, use)
        if isinstance(tree, exp.Null):
            return self._null_against(other, use)
        if isinstance(tree, exp.Boolean):
            return (
                call(self.names.sa("true" if tree.this else "false")) if use is not Use.WRITE else Atom(str(tree.this))
            )
        value = self.value(tree)
        if value.is_python:
            return self.binder.constant(_source(value.node), value.python or "", other.ref, other.kind, use)
        return value.node

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

        if tree.args.get("query") or tree.args.get("unnest") or tree.args.get("field"):
            raise unsupported("IN with a subquery")
        first = self.value(tree.this)
        if len(tree.expressions) == 1 and isinstance(tree.expressions[0], exp.Placeholder):
            slot = _slot(tree.expressions[0])
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

    def _python_type(self, tree: exp.Expr) -> str:
        """The Python type of a value as it is bound, empty where it is not known."""
        from sqlglot import exp

        tree = tree.unnest()
        if isinstance(tree, exp.Placeholder):
            return self.binder.type_of(_slot(tree))
        if isinstance(tree, exp.Neg):
            return self._python_type(tree.this)
        return _literal(tree).python or "" if isinstance(tree, exp.Literal) else "element"

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
            raise unsupported(_named(tree))
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

    # Values

    def element(self, tree: exp.Expr) -> Node:
        """An expression as an SQL element: a Python value is wrapped."""
        return self._sql(self.value(tree))

    def _sql(self, value: Value) -> Node:
        if not value.is_python or value.null:
            return value.node
        return self.binder.literal(value.node)

    def value(self, tree: exp.Expr) -> Value:
        """Any expression."""
        from sqlglot import exp

        tree = tree.unnest()
        if type(tree) in self.values:
            return self.values[type(tree)](tree)
        if isinstance(tree, exp.If) and self.dialect == "mysql":
            return self._if(tree)
        if isinstance(tree, exp.Connector | exp.Not | exp.Predicate | exp.Like | exp.Escape | exp.Between):
            bare = tree.this.unnest() if isinstance(tree, exp.Not) else tree
            kind = "" if isinstance(bare, exp.Between) else "bool"  # SQLAlchemy gives BETWEEN no type
            return Value(self.condition(tree, positive=False), kind)
        raise unsupported(_named(tree))

    def _parameter(self, tree: exp.Placeholder) -> Value:
        return Value(self.binder.slot(_slot(tree), None, "", Use.PLAIN), python="", slot=_slot(tree))

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
        if left.null or right.null:
            raise unsupported("Arithmetic with NULL")
        left = self._leading(self._unconverted(left), right)
        kind = _number_kind(left.kind, right.kind)
        if not kind or (symbol == "/" and self.dialect != "mysql" and kind != "int"):
            return self._spelled(self._sql(left), symbol, right.node, kind or left.kind)
        first = self._sql(left) if right.is_python else left.node
        second = right.node
        if symbol == "/":
            symbol = "/" if self.dialect == "mysql" else "//"
            kind = "numeric" if self.dialect == "mysql" else kind
        level = SUM if symbol in "+-" else PRODUCT
        return Value(Infix(first, symbol, second, level), kind, computed=True)

    def _unconverted(self, value: Value) -> Value:
        """The value without what its type makes of results, for an expression that would take that type over."""
        if value.kind not in CONVERTING:
            return value
        said, kind = ("Integer", "int") if value.kind == "bool" else ("String", "str")
        return Value(call(self.names.sa("type_coerce"), value.node, Atom(self.names.sa(said))), kind)

    def _leading(self, value: Value, *others: Value) -> Value:
        """The value, where an expression takes its type; a parameter's own would depend on what is passed."""
        if value.slot < 0 or self.dialect != "sqlite" or self.binder.type_of(value.slot) in ("int", "str"):
            return value
        said = "Integer" if any(other.kind in NUMBERS for other in others) else "String"
        return Value(call(self.names.sa("literal"), value.node, Atom(self.names.sa(said))))

    def _spelled(self, first: Node, symbol: str, second: Node, kind: str = "") -> Value:
        """`first.op("/")(second)`: the operator as it stands, for what SQLAlchemy would spell otherwise.

        SQLAlchemy takes such an operator to bind loosely and leaves its operands bare; where an operand has an operator
        of its own, the precedence must be told.
        """
        arguments: list[Node] = [Atom(f'"{symbol}"')]
        if not (_single(first) and _single(second)):
            if symbol not in PRECEDENCE:
                raise unsupported(f"{symbol} between expressions")
            arguments.append(Pair("precedence", "=", Atom(str(PRECEDENCE[symbol]))))
        head = method(first, "op", *arguments)
        called = Items(_source(head.links[-1]), "(", (second,), ")")
        return Value(Chain(head.base, (*head.links[:-1], called), head.split), kind, computed=True)

    def _operator(self, tree: exp.Expr, symbol: str) -> Node:
        first = self.value(tree.this)
        return self._spelled(self._sql(first), symbol, self.against(tree.args["expression"], first, Use.PLAIN)).node

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
                test = Infix(_operand(self._sql(first)), "==", self.against(when.this, first, Use.EQUAL), COMPARE)
            result = next(rest)
            whens.append(Items("", "(", (test, Atom("None") if result.null else result.node), ")"))
        items: list[Node] = list(whens)
        last = next(rest, None)
        if last is not None and not last.null:
            items.append(Pair("else_", "=", last.node))
        kind = _common_kind(kinds)
        return Value(call(self.names.sa("case"), *items), kind, computed=_mixed(results))

    def _cast(self, tree: exp.Cast) -> Value:
        from ormlift.sql.casts import sqlalchemy_type

        if type(tree).__name__ != "Cast":
            raise unsupported(_named(tree))
        name, arguments, kind = sqlalchemy_type(tree.args["to"], self.dialect)
        said = self.names.sa(name) + arguments
        return Value(call(self.names.sa("cast"), self.value(tree.this).node, Atom(said)), kind)

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
        values = [self._argument(item, name) for item in tree.expressions]
        kind = KNOWN_KINDS.get(name, "")
        computed, mixed = _mixed(values), len({value.kind for value in values if not value.null}) > 1
        if name in FROM_ARGUMENT and values:
            if mixed or name in ("sum", "pow"):
                values = [self._unconverted(values[0]), *values[1:]]
            values = [self._leading(values[0], *values[1:]), *values[1:]]
            kind = _common_kind([value.kind for value in values if not value.null])
            computed = computed or name == "pow"
        elif name in ("lower", "upper"):
            kind = "str" if [value.kind for value in values] == ["str"] else ""
        nodes = (Atom("None") if value.null else value.node for value in values)
        return Value(call(said, *nodes), kind, computed=computed)

    def _argument(self, tree: exp.Expr, name: str) -> Value:
        from sqlglot import exp

        if isinstance(tree, exp.Distinct):
            if len(tree.expressions) != 1:
                raise unsupported(f"{name.upper()}(DISTINCT …) of several expressions")
            inner = self.value(tree.expressions[0])
            return Value(method(self._sql(inner), "distinct"), inner.kind)
        if isinstance(tree, exp.Star | exp.Order | exp.Limit | exp.Lambda | exp.Kwarg | exp.Interval):
            raise unsupported(f"{_named(tree)} inside {name.upper()}()")
        return self.value(tree)

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


def _single(node: Node) -> bool:
    """An operand without an operator of its own: a column, a value, a function's call."""
    if isinstance(node, Items) and node.head.rpartition(".")[2] == "type_coerce":
        return _single(node.items[0])
    return isinstance(node, Atom | Items)


def _flattened(tree: exp.Expr, kind: type[exp.Expr]) -> list[exp.Expr]:
    tree = tree.unnest()
    if not isinstance(tree, kind):
        return [tree]
    return [*_flattened(tree.this, kind), *_flattened(tree.args["expression"], kind)]


def _literal(tree: exp.Literal) -> Value:
    if tree.is_string:
        return Value(Atom(quoted(tree.name)), "str", python="str")
    text = tree.name
    if text.isdigit():
        return Value(Atom(str(int(text))), "int", python="int")
    try:
        return Value(Atom(repr(float(text))), "float", python="float")
    except ValueError:
        raise unsupported(f"The number {text}") from None


def quoted(text: str) -> str:
    """A Python string literal, in double quotes where that needs no escapes."""
    single = repr(text)
    if single.startswith("'") and '"' not in single:
        return f'"{single[1:-1]}"'
    return single


def _slot(tree: exp.Placeholder) -> int:
    return int(str(tree.this)[1:])


def _flag(tree: exp.Expr) -> bool | None:
    from sqlglot import exp

    tree = tree.unnest()
    if isinstance(tree, exp.Boolean):
        return bool(tree.this)
    if isinstance(tree, exp.Literal) and not tree.is_string and tree.name in ("0", "1"):
        return tree.name == "1"
    return None


def _mirrored(op: str) -> str:
    return {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(op, op)


def _operand(node: Node) -> Node:
    """A comparison for an operand gets parentheses of its own: Python would chain `a == b == c`."""
    return node if node.level > COMPARE else Atom(f"({_source(node)})", ATOM)


def _source(node: Node) -> str:
    from ormlift.sql.layout import flat

    return flat(node)


def _number_kind(left: str, right: str) -> str:
    if left not in NUMBERS or right not in NUMBERS:
        return ""
    return max(left, right, key=NUMBERS.index)


def _mixed(values: Sequence[Value]) -> bool:
    """Whether one of several values need not be such as the type of another holds: 1.005 for two decimal places."""
    kinds = {value.kind for value in values if not value.null}
    return any(value.computed for value in values) or not (len(kinds) < 2 or kinds <= {"int", "numeric"})


def _common_kind(kinds: Sequence[str]) -> str:
    """The kind that SQLAlchemy may take several values for; empty where none of them converts."""
    if len(set(kinds)) < 2:
        return kinds[0] if kinds else ""
    return "numeric" if "numeric" in kinds else ""


def _named(tree: exp.Expr) -> str:
    """A construct's name as SQL says it."""
    from sqlglot import exp

    names: dict[type[exp.Expr], str] = {
        exp.Subquery: "A subquery", exp.Select: "A subquery", exp.Exists: "EXISTS", exp.Window: "A window function",
        exp.Filter: "FILTER", exp.Interval: "INTERVAL", exp.Tuple: "A row of values", exp.Star: "`*`",
        exp.JSONExtract: "A JSON path", exp.JSONExtractScalar: "A JSON path", exp.Collate: "COLLATE",
        exp.Array: "An array", exp.Bracket: "An array's element", exp.RegexpLike: "A regular expression",
        exp.AtTimeZone: "AT TIME ZONE", exp.Order: "ORDER BY", exp.Any: "ANY", exp.All: "ALL",
    }  # fmt: skip
    return names.get(type(tree), type(tree).__name__)


__all__ = ["Expressions", "Refused", "Value"]
