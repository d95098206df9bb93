"""The project's texts that may hold SQL: its Python files and its .sql files."""

from __future__ import annotations

import os
from collections.abc import Iterator

from ormlift.model import Source
from ormlift.source import decode

from ormlift_cli.files import NEVER_OURS, SELDOM_OURS, read
from ormlift_cli.project import Project, git_listing, select

_NEEDLES = (b"create", b"alter", b"select", b"insert", b"update", b"delete", b"replace", b".connect(")


def sources(project: Project) -> list[Source]:
    """Every file that may hold a statement, decoded; one that cannot be is left out."""
    found = []
    for path in sorted({*select(project, ()).found.files, *_sql_files(project)}):
        try:
            data = read(project.root, path)
            lowered = data.lower()
            if not any(needle in lowered for needle in _NEEDLES):
                continue
            text = decode(path, data) if path.endswith(".py") else Source(path, data.decode("utf-8-sig"))
        except (OSError, SyntaxError, UnicodeDecodeError):
            continue
        found.append(text)
    return found


def _sql_files(project: Project) -> Iterator[str]:
    listing, _ = git_listing(project)
    if listing is not None:
        yield from (path for path in listing.files if path.lower().endswith(".sql"))
        return
    for folder, folders, files in os.walk(project.root):
        folders[:] = [f for f in folders if not f.startswith(".") and f not in NEVER_OURS | SELDOM_OURS]
        inside = os.path.relpath(folder, project.root).replace(os.sep, "/")
        names = [name for name in files if name.lower().endswith(".sql")]
        yield from (name if inside == "." else f"{inside}/{name}" for name in names)
