"""Columns whose names the code knows only when it runs: the models know a column for the mark that stands for one."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from ormlift.schema import MappedClass, MappedColumn
from ormlift.sql.built.regions import Is
from ormlift.sql.life.bound import is_shared
from ormlift.sql.life.literals import is_stable
from ormlift.sql.life.quiet import is_quiet
from ormlift.sql.life.refuse import Refused

if TYPE_CHECKING:
    from ormlift.sql.built.built import Group

Names = Mapping[str, tuple[str, ...]]  # by mark: the names that it may stand for


def named_models(models: Mapping[str, MappedClass], names: Names, sql: str) -> dict[str, MappedClass]:
    """The models with a column more for each name with a mark in the text, where they have all it may stand for."""
    if not names:
        return dict(models)
    marked = {said: (mark, names[mark]) for mark in names for said in re.findall(rf"\w*{mark}\w*", sql)}
    found: dict[str, MappedClass] = {}
    for table, model in models.items():
        columns = tuple(_loosened(column, model, names) for column in model.columns)
        loose = replace(model, columns=columns)
        found[table] = replace(loose, columns=(*columns, *_columns(loose, marked)))
    return found


def _loosened(column: MappedColumn, model: MappedClass, names: Names) -> MappedColumn:
    """A column that may be NULL where another one that may stand in its place may be: both are written alike."""
    others = [model.column(name) for said in names.values() if column.name in said for name in said]
    nullable = any(other is not None and other.nullable and not other.primary_key for other in others)
    return replace(column, nullable=True) if nullable and not column.primary_key else column


def _columns(model: MappedClass, marked: Mapping[str, tuple[str, tuple[str, ...]]]) -> Iterator[MappedColumn]:
    for said, (mark, words) in marked.items():
        whole = [said.replace(mark, word) for word in words]
        columns = [model.column(name) for name in whole]
        known = [c for c, name in zip(columns, whole, strict=True) if c is not None and c.attr == c.name == name]
        if known and len(known) == len(columns):
            yield replace(known[0], attr=said, name=said, primary_key=False)


def told_models(models: Mapping[str, MappedClass], told: Mapping[str, str]) -> dict[str, MappedClass]:
    """The models with the names of one way for the marks."""

    def tell(attr: str) -> str:
        for mark, name in told.items():
            attr = attr.replace(mark, name)
        return attr

    return {t: replace(m, columns=tuple(replace(c, attr=tell(c.attr)) for c in m.columns)) for t, m in models.items()}


def check_named(group: Group) -> None:
    """A name is the same where it is put into the text and where it is executed. Raises Refused."""
    life = group.life
    inside = {n for s in group.walk.touched for n in ast.walk(s)}
    for built in group.built:
        own = inside | set(ast.walk(built.call))
        for region in (r for r in built.regions.values() if r.what is Is.NAME):
            loads = [n for n in own if isinstance(n, ast.Name) and n.id == region.name and isinstance(n.ctx, ast.Load)]
            still = all(is_quiet(n, built.call, life.module) or is_stable(n, life, built.call) for n in loads)
            if not loads or not still or region.name in life.flow.captured or is_shared(region.name, life.host):
                message = f"{region.name} may be another when line {built.call.lineno} runs"
                raise Refused("dynamic-sql", f"{message}; put the SQL together right before")
