"""Whether evaluating an expression does anything, and whether it may be evaluated twice."""

from __future__ import annotations

import ast

from ormlift.syntax import dotted

_PURE = frozenset(
    [
        "str",
        "int",
        "float",
        "bool",
        "len",
        "round",
        "abs",
        "min",
        "max",
        "sum",
        "sorted",
        "list",
        "tuple",
        "dict",
        "set",
        "repr",
        "bytes",
        "json.dumps",
        "dumps",
        "datetime.now",
        "datetime.utcnow",
        "datetime.datetime.now",
        "datetime.datetime.utcnow",
        "date.today",
        "time.time",
        "Decimal",
        "hash",
        "uuid.uuid4",
        "uuid4",
        "timedelta",
        "datetime.timedelta",
        "getattr",
        "isinstance",
    ]
)
_PURE_METHODS = frozenset(
    [
        "get",
        "isoformat",
        "strftime",
        "strip",
        "lstrip",
        "rstrip",
        "lower",
        "upper",
        "title",
        "format",
        "join",
        "replace",
        "encode",
        "decode",
        "hexdigest",
        "total_seconds",
        "timestamp",
        "split",
        "startswith",
        "endswith",
        "items",
        "keys",
        "values",
        "copy",
        "date",
        "time",
    ]
)
_VARIES = ("now", "utcnow", "today", "time", "uuid4", "next", "random", "randint", "urandom", "token_hex")


def repeatable(node: ast.expr) -> bool:
    """Whether an expression may be evaluated twice: it does nothing, and gives the same each time."""
    calls = [n for n in ast.walk(node) if isinstance(n, ast.Call)]
    return not acts(node) and not any(dotted(c.func).rpartition(".")[2] in _VARIES for c in calls)


def acts(node: ast.expr) -> bool:
    """Whether evaluating an expression may do something, as far as its text tells."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Await | ast.NamedExpr | ast.Yield | ast.YieldFrom):
            return True
        if isinstance(inner, ast.Call) and dotted(inner.func) not in _PURE:
            method = inner.func.attr if isinstance(inner.func, ast.Attribute) else ""
            if method not in _PURE_METHODS:
                return True
    return False
