"""What SQLAlchemy 1.x commits by itself, where no transaction was begun: texts by how they begin, statements always."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ormlift.model import Effect, Settings
from ormlift.sql.life.statements import Prepared
from ormlift.sql.statement import Kind
from ormlift.sql.textual.find import Textual
from ormlift.sql.textual.receiver import On
from ormlift.sql.versions import older

_COMMITTED = {
    "sqlite": r"\s*(?:UPDATE|INSERT|DELETE)",
    "postgresql": r"\s*(?:UPDATE|INSERT|DELETE)",
    "mysql": r"\s*(?:UPDATE|INSERT|DELETE|REPLACE)",
}


def autocommit_effects(site: Textual, prepared: Prepared, settings: Settings) -> Iterator[Effect]:
    """An effect where the text was not committed by itself, since it does not begin with what it does."""
    statement = prepared.statement
    if statement.kind is Kind.SELECT or not older(settings.sqlalchemy, "2.0"):
        return
    if site.receiver is None or site.receiver.on is On.SESSION:
        return
    if not re.match(_COMMITTED[statement.dialect], statement.sql, re.IGNORECASE):
        said = site.module.text(site.node)
        message = f"where no transaction is open on {said}, SQLAlchemy 1.x commits the statement; it did not the text"
        yield Effect("autocommit", site.line, message)
