"""What expressions are made of: a written value and what is known of it, and how one stands as an operand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ormlift.sql.layout import ATOM, COMPARE, Atom, Chain, Items, Node, Pair, call, method
from ormlift.sql.scope import unsupported

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlglot import exp

    from ormlift.sql.binding import Binder
    from ormlift.sql.repeated import Repeated
    from ormlift.sql.scope import ColumnRef, Names, Scope

NUMBERS = ("int", "float", "numeric")
# How tightly SQLAlchemy takes its own operators to bind.
PRECEDENCE = {"AT TIME ZONE": 10, "/": 8, "%": 8, "*": 8, "+": 7, "-": 7, "&": 6, "|": 6}
# Functions whose type SQLAlchemy takes from their first argument, and those it knows; of others it knows none.
FROM_ARGUMENT = ("coalesce", "max", "min", "sum", "pow")
KNOWN_KINDS = {"count": "int", "char_length": "int", "now": "datetime"}
# Kinds whose type turns what the database gives into something else; a value of another kind would not survive it.
CONVERTING = ("bool", "datetime", "date", "time", "interval", "json", "uuid", "enum", "unknown")
# Names that `func` spells in a way of its own.
UNITS = ("timestampdiff", "timestampadd")  # take a bare word for a unit
SPELLED_OTHERWISE = ("aggregate_strings", "next_value", "grouping_sets", "cube", "rollup", "cast")


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


class Operands:
    """What the writers of conditions, functions and other expressions share."""

    def __init__(self, scope: Scope, binder: Binder, names: Names, timestamps: str) -> None:
        self.scope, self.binder, self.names, self.timestamps = scope, binder, names, timestamps
        self.dialect = binder.statement.dialect
        self.aliases: Mapping[str, exp.Expr] = {}  # what a bare name in HAVING or GROUP BY may stand for
        self.repeated: Repeated | None = None  # what the query says twice
        self.inline = False  # literals stand in the SQL as they did

    def value(self, tree: exp.Expr) -> Value:
        """Any expression."""
        raise NotImplementedError

    def condition(self, tree: exp.Expr, *, positive: bool) -> Node:
        """A condition; `positive`: here unknown counts as false, and stays so up to the top."""
        raise NotImplementedError

    def element(self, tree: exp.Expr) -> Node:
        """An expression as an SQL element: a Python value is wrapped."""
        return self._sql(self.value(tree))

    def _inlined(self, tree: exp.Literal) -> Value:
        """A literal that stands in the SQL: `literal_column("'x'")`."""
        if tree.is_string:
            return Value(self.binder.inline(tree.name))
        whole = literal_value(tree).kind == "int"
        typed = [Atom(self.names.sa("Integer"))] if whole else []
        return Value(
            call(self.names.sa("literal_column"), Atom(quoted(tree.name)), *typed), "int" if whole else "numeric"
        )

    def _sql(self, value: Value) -> Node:
        if not value.is_python or value.null:
            return value.node
        return self.binder.literal(value.node)

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
        if not (single(first) and single(second)):
            if symbol not in PRECEDENCE:
                raise unsupported(f"{symbol} between expressions")
            arguments.append(Pair("precedence", "=", Atom(str(PRECEDENCE[symbol]))))
        head = method(first, "op", *arguments)
        called = Items(source_of(head.links[-1]), "(", (second,), ")")
        return Value(Chain(head.base, (*head.links[:-1], called), head.split), kind, computed=True)


def single(node: Node) -> bool:
    """An operand without an operator of its own: a column, a value, a function's call."""
    if isinstance(node, Items) and node.head.rpartition(".")[2] == "type_coerce":
        return single(node.items[0])
    return isinstance(node, Atom | Items)


def flattened(tree: exp.Expr, kind: type[exp.Expr]) -> list[exp.Expr]:
    """The operands of nested ANDs or ORs, in order."""
    tree = tree.unnest()
    if not isinstance(tree, kind):
        return [tree]
    return [*flattened(tree.this, kind), *flattened(tree.args["expression"], kind)]


def is_true(tree: exp.Expr) -> bool:
    """`1 = 1`."""
    from sqlglot import exp

    if not isinstance(tree, exp.EQ):
        return False
    sides = [side.unnest() for side in (tree.this, tree.args["expression"])]
    return all(isinstance(side, exp.Literal) and not side.is_string and side.name == "1" for side in sides)


def literal_value(tree: exp.Literal) -> Value:
    """A literal of the SQL as Python says it."""
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


def slot_of(tree: exp.Placeholder) -> int:
    """The number of a placeholder's slot."""
    return int(str(tree.this)[1:])


def flag_of(tree: exp.Expr) -> bool | None:
    """What TRUE, FALSE, 1 or 0 says; None for anything else."""
    from sqlglot import exp

    tree = tree.unnest()
    if isinstance(tree, exp.Boolean):
        return bool(tree.this)
    if isinstance(tree, exp.Literal) and not tree.is_string and tree.name in ("0", "1"):
        return tree.name == "1"
    return None


def operand(node: Node) -> Node:
    """A comparison for an operand gets parentheses of its own: Python would chain `a == b == c`."""
    return node if node.level > COMPARE else Atom(f"({source_of(node)})", ATOM)


def source_of(node: Node) -> str:
    """The text of a node on one line."""
    from ormlift.sql.layout import flat

    return flat(node)


def number_kind(left: str, right: str) -> str:
    """The kind of an arithmetic of two numbers; empty where one is none."""
    if left not in NUMBERS or right not in NUMBERS:
        return ""
    return max(left, right, key=NUMBERS.index)


def mixed(values: Sequence[Value]) -> bool:
    """Whether one of several values need not be such as the type of another holds: 1.005 for two decimal places."""
    kinds = {value.kind for value in values if not value.null}
    return any(value.computed for value in values) or not (len(kinds) < 2 or kinds <= {"int", "numeric"})


def common_kind(kinds: Sequence[str]) -> str:
    """The kind that SQLAlchemy may take several values for; empty where none of them converts."""
    if len(set(kinds)) < 2:
        return kinds[0] if kinds else ""
    return "numeric" if "numeric" in kinds else ""


def construct(tree: exp.Expr) -> str:
    """A construct's name as SQL says it."""
    from sqlglot import exp

    names: dict[type[exp.Expr], str] = {
        exp.Select: "A subquery", exp.Unary: "A unary plus",
        exp.Tuple: "A row of values", exp.Star: "`*`",
        exp.JSONExtract: "A JSON path", exp.JSONExtractScalar: "A JSON path", exp.Collate: "COLLATE",
        exp.Array: "An array", exp.Bracket: "An array's element", exp.RegexpLike: "A regular expression",
        exp.Order: "ORDER BY", exp.Any: "ANY", exp.All: "ALL",
    }  # fmt: skip
    return names.get(type(tree), type(tree).__name__)
