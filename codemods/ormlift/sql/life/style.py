"""Which of SQLAlchemy's two styles a file is written in, and what its version has no form for."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from ormlift.model import Op, Settings
from ormlift.project.index import ProjectIndex
from ormlift.sql.life.refuse import Refused
from ormlift.sql.versions import older, refusal
from ormlift.syntax import Module


def style_of(module: Module, index: ProjectIndex, settings: Settings) -> str:
    """The configured style; for `auto` what the file uses more, then what the project does, then `select`."""
    if settings.style in ("query", "select"):
        return settings.style
    if older(settings.sqlalchemy, "1.4"):
        return "query"
    queries = selects = 0
    for node in module.nodes(ast.Call):
        if isinstance(node.func, ast.Attribute) and node.func.attr == "query":
            queries += 1
        elif isinstance(node.func, ast.Name) and node.func.id == "select":
            selects += 1
    if queries == selects:
        return index.style or "select"
    return "query" if queries > selects else "select"


def check_mappings(ops: Iterable[Op], settings: Settings) -> None:
    """Rows below 1.4 are plain named tuples. Raises Refused where one is read as a mapping."""
    if older(settings.sqlalchemy, "1.4") and any("mapping" in repr(op) for op in ops):
        raise Refused(*refusal(settings.sqlalchemy, "A row read by its names", "1.4"))
