"""sqlglot's dialects, taught to keep every function as it was written.

sqlglot renames the functions it knows (`strftime` becomes TimeToStr, `ifnull` COALESCE). Here a function stays an
`exp.Anonymous` with its own name, so that what is written and what is proven speak of the same function.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlglot import exp
    from sqlglot.dialects.dialect import Dialect

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
    namespace = {"FUNCTIONS": {}, "FUNCTION_PARSERS": spelled}
    parser = type("Parser", (base.Parser,), namespace)
    plain: type[Dialect] = type(f"Ormlift{base.__name__}", (base,), {"Parser": parser})
    return plain()


def parse(sql: str, name: str) -> list[exp.Expr | None]:
    """The statements of `sql`. Raises sqlglot.errors.SqlglotError where it cannot be parsed."""
    return [_spelled_out(tree) for tree in dialect(name).parse(sql)]


def _spelled_out(tree: exp.Expr | None) -> exp.Expr | None:
    """`IS NOT NULL` as NOT and IS in every dialect: PostgreSQL's parser marks the IS instead."""
    from sqlglot import exp

    for node in list(tree.find_all(exp.Is)) if tree is not None else ():
        if node.args.get("negate"):
            node.set("negate", None)
            outer = exp.Not()
            tree = outer if node is tree else tree
            node.replace(outer)
            outer.set("this", node)
    return tree
