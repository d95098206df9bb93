"""Statements that the written one needs above it: aliases, subqueries and tables of WITH get names of their own."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from ormlift.sql.life.bound import is_shared
from ormlift.sql.life.pure import acts, looks
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
    return all(n.lineno == n.end_lineno for n in texts) and _is_still(site, target)


def _is_still(site: Textual, target: ast.expr) -> bool:
    """Whether the parameters are the same above: nothing before them in the statement may change one."""
    around, start = set(site.module.ancestors(target)), (target.lineno, target.col_offset)
    parts = [n for n in ast.walk(site.module.statement(target)) if isinstance(n, ast.expr) and n not in around]
    before = [n for n in parts if (n.end_lineno or 0, n.end_col_offset or 0) <= start and acts(n)]
    call, clause = site.call, site.clause
    put = [n.value for argument in call.args[:1] for n in ast.walk(argument) if isinstance(n, ast.FormattedValue)]
    given = [*call.args[1:], *(k.value for k in call.keywords), *clause.bound.values(), *put]
    if not before or not given:
        return True
    names = {n.id for value in given for n in ast.walk(value) if isinstance(n, ast.Name)}
    bound = {
        n.id for part in before for n in ast.walk(part) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }
    still = not any(looks(value) for value in given) and not names & bound
    return still and not any(is_shared(name, site.life.host) for name in names)


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
