"""Statements that the written one needs above it: aliases, subqueries and tables of WITH get names of their own."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from ormlift.sql.life.text import has_comment
from ormlift.sql.textual.find import Textual

_SIMPLE = (ast.Expr, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Return)


def can_stand_above(site: Textual, target: ast.expr) -> bool:
    """Whether a statement may be written above: the site's is a simple one, all of whose other parts are on one line.

    In a lambda or a comprehension the site runs at another time, or many times.
    """
    module = site.module
    statement = module.statement(target)
    late = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.BoolOp, ast.IfExp)
    inner = [a for a in module.ancestors(target) if isinstance(a, late) and a.lineno >= statement.lineno]
    if site.clause.ways or inner or not isinstance(statement, _SIMPLE) or has_comment(statement, module):
        return False
    whole, part = module.span(statement), module.span(target)
    return whole.line == part.line and whole.end_line == part.end_line


def with_above(above: Iterable[str], text: str, site: Textual, target: ast.expr) -> str:
    """The site's statement with the new expression in it, and what it needs above."""
    module = site.module
    whole, part = module.span(module.statement(target)), module.span(target)
    before = module.lines[whole.line - 1][whole.col : part.col]
    behind = module.lines[part.end_line - 1][part.end_col : whole.end_col]
    return "\n".join([*above, f"{before}{text}{behind}"])
