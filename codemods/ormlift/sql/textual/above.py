"""Statements that the written one needs above it: aliases, subqueries and tables of WITH get names of their own."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from ormlift.sql.life.text import edited_text, has_comment
from ormlift.sql.textual.find import Textual

_HERE = "\0"
_SIMPLE = (ast.Expr, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Return)


def can_stand_above(site: Textual, target: ast.expr) -> bool:
    """Whether a statement may be written above: the site's is a simple one, with no text over several lines beside it.

    In a lambda or a comprehension the site runs at another time, or many times.
    """
    module = site.module
    statement = module.statement(target)
    late = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.BoolOp, ast.IfExp)
    inner = [a for a in module.ancestors(target) if isinstance(a, late) and a.lineno >= statement.lineno]
    if site.clause.ways or inner or not isinstance(statement, _SIMPLE) or has_comment(statement, module):
        return False
    inside = set(ast.walk(target))
    texts = (n for n in ast.walk(statement) if isinstance(n, ast.Constant | ast.JoinedStr) and n not in inside)
    return all(n.lineno == n.end_lineno for n in texts)


def with_above(above: Iterable[str], text: str, site: Textual, target: ast.expr) -> str:
    """The site's statement with the new expression in it, and what it needs above."""
    module = site.module
    statement = module.statement(target)
    around = edited_text(statement, {module.span(target): _HERE}, module)
    return "\n".join([*above, _shifted(around, module.span(statement).col).replace(_HERE, text)])


def _shifted(text: str, margin: int) -> str:
    """Source text, its later lines as if the statement began at column 0: the edit indents them again."""
    first, *rest = text.split("\n")
    return "\n".join([first, *(line[margin:] if not line[:margin].strip() else line.lstrip() for line in rest)])
