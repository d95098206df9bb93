"""Schema migrations, which must not use the project's models: those change, and the migration does not."""

from __future__ import annotations

import ast
import re

from ormlift.sql.life.refuse import Refused
from ormlift.sql.statement import Kind, Statement
from ormlift.sql.textual.find import Textual
from ormlift.syntax import FunctionNode

_ALTER = re.compile(r"\bALTER\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?(?:\w+\.)?[\"`]?(\w+)", re.IGNORECASE)
_TOOLS = ("alembic.op", "alembic.context", "flask_migrate", "migrate.changeset", "sqlalchemy_migrate", "yoyo")


def check_altered(site: Textual, statement: Statement) -> None:
    """Refuse where the file itself alters one of the statement's tables. Raises Refused."""
    text = site.module.source.text
    altered = {name.lower() for name in _ALTER.findall(text)} if "alter" in text.lower() else set()
    found = next((table for _, table in statement.tables if table.lower() in altered), "")
    if found and not (_is_apart(site) and _names_its_columns(statement)):
        message = f"line {site.line} names {found}, which this file alters: the models may be ahead of the table"
        raise Refused("migration", f"{message}; leave it raw")


def _is_apart(site: Textual) -> bool:
    """Whether the file is a part of the application, and another function of it alters tables."""
    module = site.module
    host = site.life.host
    scripted = "__main__" in module.source.text or re.search(
        r"migrat|alembic|upgrade", module.source.path, re.IGNORECASE
    )
    own = ast.get_source_segment(module.source.text, host) if isinstance(host, FunctionNode) else None
    return not scripted and own is not None and not re.search(r"\balter\s+table\b", own, re.IGNORECASE)


def _names_its_columns(statement: Statement) -> bool:
    """Whether only the columns that it names matter: others need not be in the table."""
    from sqlglot import exp

    stars = (star for star in statement.tree.find_all(exp.Star) if not isinstance(star.parent, exp.Anonymous))
    return statement.kind in (Kind.SELECT, Kind.DELETE) and not any(stars)


def check_migration(site: Textual) -> None:
    """Refuse in a migration script. Raises Refused."""
    imported = site.module.imports.values()
    parts = site.module.source.path.split("/")
    scripted = "versions" in parts[:-1] and {"alembic", "migrations", "migration", "migrate"} & set(parts)
    if scripted or any(target.startswith(_TOOLS) or target == "alembic" for target in imported):
        message = f"line {site.line} stands in a schema migration, which must not depend on the models of today"
        raise Refused("migration", f"{message}; leave it raw")
