"""Writes tables as declarative models, by sqlacodegen: in the style of SQLAlchemy 2.0, or of what is older, as pinned.

Its own readings are turned off where they would change what raw SQL saw: a CHECK that lists values makes no Enum and
no Boolean, a key that is a foreign key makes no subclass, and there are no relationships, which would write to the
database by themselves. A table without a primary key can't be a class, and stays a `Table`.
"""

from __future__ import annotations

import io
import tokenize
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from ormlift.ddl.tables import Tables
from ormlift.model import UserError
from ormlift.sql.versions import older

if TYPE_CHECKING:
    from sqlalchemy import Engine

_WIDTH = 120


@dataclass(frozen=True, slots=True)
class Base:
    """The project's own declarative base, to which new models belong."""

    module: str
    name: str


def write_models(tables: Tables, dialect: str, base: Base | None = None, title: str = "", sqlalchemy: str = "") -> str:
    """The text of a module with a model for each wanted table; empty where there is none.

    `sqlalchemy` is the version that it must run on; empty: the newest. Raises UserError where sqlacodegen is missing.
    """
    if not tables.wanted:
        return ""
    try:
        from ormlift.ddl.generator import Generator
        from ormlift.ddl.older import OlderGenerator
    except ImportError:
        raise UserError("sqlacodegen, which writes the models, is not installed; `pip install sqlacodegen`") from None

    own = (base.module, base.name) if base else None
    if older(sqlalchemy, "2.0"):
        text = OlderGenerator(tables, _engine(dialect), own, sqlalchemy).generate()
    else:
        text = Generator(tables, _engine(dialect), own).generate()
    head = f'"""{title}"""\n\n' if title else ""
    return head + _tidy(text)


def _tidy(text: str) -> str:
    """The text as most formatters leave it: double quotes, two blank lines around classes, no line too long."""
    lines = [line.rstrip() for line in _double_quoted(text.strip()).splitlines()]
    out: list[str] = []
    for line in lines:
        if line.startswith("class ") and out and out[-1] == "" and out[-2:] != ["", ""]:
            out.append("")
        out += _wrapped_import(line) if line.startswith("from ") and len(line) > _WIDTH else [line]
    return "\n".join(out) + "\n"


def _wrapped_import(line: str) -> list[str]:
    head, _, names = line.partition(" import ")
    return [f"{head} import (", *(f"    {name}," for name in names.split(", ")), ")"]


def _double_quoted(text: str) -> str:
    """Texts in single quotes are put in double ones, where that needs no backslash."""
    lines = text.splitlines(keepends=True)
    tokens = [t for t in tokenize.generate_tokens(io.StringIO(text).readline) if t.type == tokenize.STRING]
    for token in reversed(tokens):
        if token.string[0] == "'" and not set('"\\\n') & set(token.string):
            (row, start), (_, end) = token.start, token.end
            line = lines[row - 1]
            lines[row - 1] = f'{line[:start]}"{token.string[1:-1]}"{line[end:]}'
    return "".join(lines)


def _engine(dialect: str) -> Engine:
    from sqlalchemy import create_mock_engine

    name = {"mysql": "mysql+pymysql"}.get(dialect, dialect)
    return cast("Engine", create_mock_engine(f"{name}://", lambda *_: None))
