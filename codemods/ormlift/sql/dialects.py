"""sqlglot's dialects, taught to keep every function as it was written.

sqlglot renames the functions it knows (`strftime` becomes TimeToStr, `ifnull` COALESCE). Here a function stays an
`exp.Anonymous` with its own name, so that what is written and what is proven speak of the same function.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from ormlift.sql.tablefunctions import with_columns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlglot import exp
    from sqlglot.dialects.dialect import Dialect
    from sqlglot.parser import Parser

# What SQL spells with words between its arguments; all else is a name and a list of arguments.
_SPELLED = ("CAST", "EXTRACT")


@cache
def dialect(name: str) -> Dialect:
    """The parsing dialect for `sqlite`, `postgresql` or `mysql`."""
    from sqlglot.dialects.mysql import MySQL
    from sqlglot.dialects.postgres import Postgres
    from sqlglot.dialects.sqlite import SQLite

    base: Any = {"sqlite": SQLite, "postgresql": Postgres, "mysql": MySQL}[name]
    spelled = {key: value for key, value in base.Parser.FUNCTION_PARSERS.items() if key in _SPELLED}
    unary = {token: _plus if token.name == "PLUS" else read for token, read in base.Parser.UNARY_PARSERS.items()}
    if name != "sqlite":
        spelled["SUBSTRING"] = _substring
    namespace = {"FUNCTIONS": {}, "FUNCTION_PARSERS": spelled, "UNARY_PARSERS": unary, "_warn_unsupported": _silent}
    parser = type("Parser", (base.Parser,), namespace)
    plain: type[Dialect] = type(f"Ormlift{base.__name__}", (base,), {"Parser": parser})
    return plain()


def _silent(_parser: Parser) -> None:
    """sqlglot logs what it can only keep as text; here such a statement is told, or was a text that was tried."""


def _plus(parser: Parser) -> exp.Expr:
    """sqlglot drops a unary plus: `+column` has no affinity on SQLite, and `ORDER BY +1` is no place."""
    from sqlglot import exp

    return parser.expression(exp.Unary(this=parser._parse_unary()))  # noqa: SLF001 - as sqlglot's own entries do


def _substring(parser: Parser) -> exp.Expr:
    """`SUBSTRING(a FROM 2 FOR 3)` is `SUBSTRING(a, 2, 3)`."""
    from sqlglot import exp

    found = parser._parse_csv(parser._parse_disjunction)  # noqa: SLF001 - as sqlglot's own entries do
    for word in ("FROM", "FOR") if len(found) == 1 else ():
        if parser._match_text_seq(word):  # noqa: SLF001
            found += [exp.Literal.number(1)] if word == "FOR" and len(found) == 1 else []
            found += [part for part in (parser._parse_disjunction(),) if part is not None]  # noqa: SLF001
    return exp.Anonymous(this="SUBSTRING", expressions=found)


def parse(sql: str, name: str) -> list[exp.Expr | None]:
    """The statements of `sql`. Raises sqlglot.errors.SqlglotError where it cannot be parsed."""
    trees = [_plainly(tree) if tree is not None else None for tree in dialect(name).parse(sql)]
    if name == "postgresql":
        for tree in trees:
            if tree is not None:
                _cast_spans(tree)
        trees = [tree.transform(_quantified).transform(_arrow) if tree is not None else None for tree in trees]
        trees = [with_columns(tree) if tree is not None else None for tree in trees]
    return [tree.transform(_membership).transform(_unnamed) if tree is not None else None for tree in trees]


def _unnamed(node: exp.Expr) -> exp.Expr:
    """`SUM(a) OVER w .. WINDOW w AS (..)` says the window where it is used."""
    from sqlglot import exp

    if not isinstance(node, exp.Select) or not node.args.get("windows"):
        return node
    named: dict[str, exp.Expr] = {}
    for window in node.args["windows"]:
        named[window.this.name.lower()] = _spelled_out(window, named)
    for used in [n for n in node.find_all(exp.Window) if n.find_ancestor(exp.Select) is node and n.args.get("over")]:
        used.replace(_spelled_out(used, named))
    node.set("windows", None)
    return node


def _spelled_out(window: exp.Expr, named: Mapping[str, exp.Expr]) -> exp.Expr:
    """A window with what another one of a name says."""
    base = named.get(window.alias.lower()) if window.args.get("alias") is not None else None
    if base is None:
        return window.copy()
    found = window.copy()
    found.set("alias", None)
    for part in ("partition_by", "order", "spec"):
        if base.args.get(part) and not found.args.get(part):
            held = base.args[part]
            found.set(part, [item.copy() for item in held] if isinstance(held, list) else held.copy())
    return found


def _membership(node: exp.Expr) -> exp.Expr:
    """`a = ANY (SELECT ..)` is IN, and `a <> ALL (SELECT ..)` NOT IN."""
    from sqlglot import exp

    kind = exp.Any if isinstance(node, exp.EQ) else exp.All if isinstance(node, exp.NEQ) else None
    right = node.args.get("expression")
    if kind is None or not isinstance(right, kind) or not isinstance(right.this.unnest(), exp.Query):
        return node
    found = exp.In(this=node.this.copy(), query=exp.Subquery(this=right.this.unnest().copy()))
    return found if kind is exp.Any else exp.Not(this=found)


def _cast_spans(tree: exp.Expr) -> None:
    """`INTERVAL :span` and the factor `INTERVAL '1 day'` are casts of a text, as PostgreSQL says itself."""
    from sqlglot import exp

    for node in list(tree.find_all(exp.Interval)):
        amount, unit = node.this, node.args.get("unit")
        span: exp.Expr | None = None
        if isinstance(amount, exp.Placeholder) and unit is None:
            span = amount.copy()
        elif isinstance(node.parent, exp.Mul | exp.Div) and isinstance(amount, exp.Literal):
            span = exp.Literal.string(f"{amount.name} {unit.name if unit is not None else ''}".strip().lower())
        if span is not None:
            node.replace(exp.Cast(this=span, to=exp.DataType.build("INTERVAL", dialect="postgres")))


def _quantified(node: exp.Expr) -> exp.Expr:
    """`a < ALL(list)`, which is no function."""
    from sqlglot import exp

    kinds = {"all": exp.All, "any": exp.Any, "some": exp.Any}
    named = isinstance(node, exp.Anonymous) and len(node.expressions) == 1 and isinstance(node.this, str)
    kind = kinds.get(str(node.this).lower()) if named else None
    return kind(this=node.expressions[0].copy()) if kind is not None else node


def _arrow(node: exp.Expr) -> exp.Expr:
    """sqlglot takes `f(a -> 'b')` for a lambda; on PostgreSQL it is a path."""
    from sqlglot import exp

    if (
        not isinstance(node, exp.Lambda)
        or len(node.expressions) != 1
        or not isinstance(node.expressions[0], exp.Identifier)
    ):
        return node
    body: exp.Expr = exp.Paren(this=node.this.copy())
    leaf = body.this
    while isinstance(leaf, exp.JSONExtract | exp.JSONExtractScalar):
        leaf = leaf.this
    if not isinstance(leaf, exp.Literal):
        return node
    steps = [
        exp.JSONPathRoot(),
        exp.JSONPathKey(this=leaf.name) if leaf.is_string else exp.JSONPathSubscript(this=int(leaf.name)),
    ]
    leaf.replace(
        exp.JSONExtract(this=exp.Column(this=node.expressions[0].copy()), expression=exp.JSONPath(expressions=steps))
    )
    inner: exp.Expr = body.this
    return inner


def _plainly(tree: exp.Expr) -> exp.Expr:
    """Some dialects keep the NOT of IS NOT in a flag of IS; here it always stands around."""
    from sqlglot import exp

    for node in list(tree.find_all(exp.Is)):
        if node.args.get("negate"):
            node.set("negate", None)
            outer = exp.Not(this=node.copy())
            if node is tree:
                return outer
            node.replace(outer)
    return tree


def unread(tree: exp.Expr) -> str:
    """A part of an expression that neither the writer nor the canonical form knows of; empty where there is none."""
    for node in tree.walk():
        known = _READ.get(type(node).__name__)
        for part, value in node.args.items():
            if known is not None and value not in (None, False, []) and part not in known:
                return f"{type(node).__name__.upper()} with `{part}`"
    return ""


_BINARY = ("this", "expression")
# The parts of an expression that are read; one that the parser comes to fill besides must not be lost in silence.
_READ: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("EQ", "NEQ", "LT", "LTE", "GT", "GTE", "Is", "And", "Or", "Add", "Sub", "Mul", "Mod"), _BINARY),
    **dict.fromkeys(("NullSafeEQ", "NullSafeNEQ", "Glob", "Escape", "BitwiseAnd", "BitwiseOr"), _BINARY),
    **dict.fromkeys(("Not", "Neg", "Paren", "Where", "Having", "From", "Exists", "Placeholder"), ("this",)),
    "Like": (*_BINARY, "negate"), "ILike": (*_BINARY, "negate"), "Div": (*_BINARY, "typed", "safe"),
    "In": ("this", "expressions", "query", "field", "unnest"), "Between": ("this", "low", "high", "symmetric"),
    "Case": ("this", "ifs", "default"), "If": ("this", "true", "false"), "Anonymous": ("this", "expressions"),
    "Column": ("this", "table", "db", "catalog"), "Alias": ("this", "alias"), "Tuple": ("expressions",),
    "Filter": _BINARY, "Interval": ("this", "unit"), "AtTimeZone": ("this", "zone"),
    "Ordered": ("this", "desc", "nulls_first", "with_fill"), "Order": ("this", "expressions", "siblings"),
    "Join": ("this", "on", "using", "side", "kind", "method"), "CTE": ("this", "alias"),
    "With": ("expressions", "recursive"), "Literal": ("this", "is_string"),
    "Table": ("this", "db", "alias", "joins", "pivots", "sample"), "Limit": ("expression",), "Offset": ("expression",),
    "Distinct": ("expressions", "on"), "Returning": ("expressions",), "Cast": ("this", "to"), "Extract": _BINARY,
    "Window": ("this", "partition_by", "order", "spec", "alias", "over", "first"),
    "WindowSpec": ("kind", "start", "start_side", "end", "end_side", "exclude"),
    "OnConflict": ("duplicate", "expressions", "action", "conflict_keys", "where", "constraint"),
    "Insert": (*_BINARY, "alternative", "ignore", "conflict", "returning", "default", "with_", "overwrite", "where"),
    "Update": ("this", "expressions", "from_", "where", "returning", "order", "limit", "with_", "alternative"),
    "Delete": ("this", "using", "where", "returning", "order", "limit", "tables", "with_"),
}  # fmt: skip
