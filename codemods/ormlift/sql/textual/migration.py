"""Schema migrations, which must not use the project's models: those change, and the migration does not."""

from __future__ import annotations

from ormlift.sql.life.refuse import Refused
from ormlift.sql.textual.find import Textual

_TOOLS = ("alembic.op", "alembic.context", "flask_migrate", "migrate.changeset", "sqlalchemy_migrate", "yoyo")


def check_migration(site: Textual) -> None:
    """Refuse in a migration script. Raises Refused."""
    imported = site.module.imports.values()
    parts = site.module.source.path.split("/")
    scripted = "versions" in parts[:-1] and {"alembic", "migrations", "migration", "migrate"} & set(parts)
    if scripted or any(target.startswith(_TOOLS) or target == "alembic" for target in imported):
        message = f"line {site.line} stands in a schema migration, which must not depend on the models of today"
        raise Refused("migration", f"{message}; leave it raw")
