"""Schema migrations, which must not use the project's models: those change, and the migration does not."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ormlift.sql.life.refuse import Refused
from ormlift.sql.textual.find import Textual

_ALTER = re.compile(r"\bALTER\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?(?:\w+\.)?[\"`]?(\w+)", re.IGNORECASE)
_TOOLS = ("alembic.op", "alembic.context", "flask_migrate", "migrate.changeset", "sqlalchemy_migrate", "yoyo")


def check_altered(site: Textual, tables: Iterable[str]) -> None:
    """Refuse where the file itself alters one of the statement's tables. Raises Refused."""
    text = site.module.source.text
    altered = {name.lower() for name in _ALTER.findall(text)} if "alter" in text.lower() else set()
    found = next((table for table in tables if table.lower() in altered), "")
    if found:
        message = f"line {site.line} names {found}, which this file alters: the models may be ahead of the table"
        raise Refused("migration", f"{message}; leave it raw")


def check_migration(site: Textual) -> None:
    """Refuse in a migration script. Raises Refused."""
    imported = site.module.imports.values()
    parts = site.module.source.path.split("/")
    scripted = "versions" in parts[:-1] and {"alembic", "migrations", "migration", "migrate"} & set(parts)
    if scripted or any(target.startswith(_TOOLS) or target == "alembic" for target in imported):
        message = f"line {site.line} stands in a schema migration, which must not depend on the models of today"
        raise Refused("migration", f"{message}; leave it raw")
