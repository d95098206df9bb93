"""Which of SQLAlchemy's two styles a file is written in."""

from __future__ import annotations

import ast

from ormlift.model import Settings
from ormlift.project.index import ProjectIndex
from ormlift.syntax import Module


def style_of(module: Module, index: ProjectIndex, settings: Settings) -> str:
    """The configured style; for `auto` what the file uses more, then what the project does, then `select`."""
    if settings.style in ("query", "select"):
        return settings.style
    queries = selects = 0
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute) and node.func.attr == "query":
                queries += 1
            elif isinstance(node.func, ast.Name) and node.func.id == "select":
                selects += 1
    if queries == selects:
        return index.style or "select"
    return "query" if queries > selects else "select"
