"""A bare string put in a text(), where it cannot become a statement on models."""

from __future__ import annotations

import ast

from ormlift.model import ImportNeed, ReplaceExpr, Rewrite, Settings
from ormlift.sql.life.names import check_imports, said_names
from ormlift.sql.life.refuse import Refused
from ormlift.sql.life.text import has_comment
from ormlift.sql.textual.colons import has_colons
from ormlift.sql.textual.find import Textual
from ormlift.sql.textual.receiver import On
from ormlift.sql.textual.rewrite import missing_text
from ormlift.sql.versions import older


def wrap_in_text(site: Textual, codemod: str, settings: Settings) -> Rewrite | None:
    """`execute("SELECT 1")` to `execute(text("SELECT 1"))`; None where text() might read the string otherwise."""
    node, sql = site.clause.node, site.clause.sql
    if not site.call.args or site.call.args[0] is not node or site.receiver is None or has_comment(node, site.module):
        return None
    session = site.receiver.on is On.SESSION
    passed = len(site.call.args) > 1 or bool(site.call.keywords)
    if site.receiver.on is On.ENGINE or (passed and not session):
        return None
    if not session and (sql is None or has_colons(sql.value) or "%" in sql.value):
        return None
    holes = sql is not None and any(mark in sql.value for mark in site.life.holes)
    if not session and holes and older(settings.sqlalchemy, "2.0"):
        return None  # it runs today, and a colon in a value would be a parameter
    if session and passed and not _by_name(site):
        return None
    said = said_names(site.life, ()).get("sqlalchemy.text")
    imports = () if said else (ImportNeed("sqlalchemy", "text"),)
    try:
        check_imports(imports, site.life)
    except Refused:
        return None
    text = f"{said or 'text'}({site.module.text(node)})"
    span = site.module.span(node)
    return Rewrite(
        codemod,
        site.line,
        max(site.call.end_lineno or site.line, span.end_line),
        (ReplaceExpr(span, text),),
        imports,
        effects=tuple(missing_text(site, settings)),
    )


def _by_name(site: Textual) -> bool:
    """Whether the parameters are a dict, as text() wants them."""
    given = [*site.call.args[1:], *(k.value for k in site.call.keywords if k.arg in ("params", "parameters"))]
    return len(given) == 1 and isinstance(given[0], ast.Dict)
