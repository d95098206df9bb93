"""Which mapped class a table of raw SQL is, where several classes map it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ormlift.model import Settings
from ormlift.project.choose import matches
from ormlift.project.index import ProjectIndex
from ormlift.project.names import is_test_path
from ormlift.schema import MappedClass

# What every database keeps about itself.
_CATALOGS = ("information_schema", "pg_catalog", "performance_schema", "mysql", "sys")
_CATALOG_TABLES = ("sqlite_", "pg_", "pragma_")
_HOMES = ("models", "model", "orm", "entities", "schema", "tables", "db", "database")


@dataclass(frozen=True, slots=True)
class Mapped:
    """The class, or the words that say why there is none."""

    model: MappedClass | None
    problem: str = ""
    chosen: str = ""  # where one of several was taken by its place: the words that say so


@dataclass(frozen=True, slots=True)
class Asked:
    """What a statement and its file tell of the class that is meant."""

    columns: frozenset[str] = frozenset()  # that the statement names, where it is of one table
    loose: frozenset[str] = frozenset()  # those of them that may be text
    imported: frozenset[str] = frozenset()  # what the file imports, as dotted names


def mapped(table: str, schema: str, index: ProjectIndex, settings: Settings, asked: Asked) -> Mapped:
    """The mapped class of a table: the only one, the only one where `models` says, or the only one among models.

    Of several among models, the only one that has all columns which the statement names; of several that have, one that
    maps all columns as the others do, first of all the one that the file imports.
    """
    model = index.model_for_table(table, schema)
    if model is not None:
        return Mapped(model)
    same = [m for m in index.models if m.table.lower() == table.lower() and not is_test_path(m.path)]
    fits = [m for m in same if not schema or m.schema.lower() in ("", schema.lower())]
    if not fits:
        return Mapped(None, _missing(schema, table, same))
    listed = [m for m in fits if any(matches(pattern, m.path) for pattern in settings.models)]
    if len(listed) == 1:
        return Mapped(listed[0])
    homely = [m for m in fits if _is_home(m.path)]
    if len(homely) == 1:
        return Mapped(homely[0], chosen=f"{_listed(fits)} map {table}, and the one of {homely[0].path} was taken")
    columns = [n for n in asked.columns if n not in asked.loose or any(m.column(n) for m in fits)]
    whole = [m for m in homely or fits if columns and all(m.column(name) for name in columns)]
    if len(whole) == 1:
        why = "which alone has the columns"
        return Mapped(whole[0], chosen=f"{_listed(fits)} map {table}, and the one of {whole[0].path} was taken, {why}")
    if whole and all(_same(m, whole[0]) for m in whole):
        taken = next((m for m in whole if f"{m.module}.{m.name}" in asked.imported), whole[0])
        why = "which maps the table as the others do"
        return Mapped(taken, chosen=f"{_listed(fits)} map {table}, and the one of {taken.path} was taken, {why}")
    return Mapped(None, f"names the table {table}, which {_listed(fits)} map; say under `models` which file is right")


def is_catalog(schema: str, table: str) -> bool:
    """Whether a table is the database's own, that tells of the database."""
    return schema.lower() in _CATALOGS or (not schema and table.lower().startswith(_CATALOG_TABLES))


def _missing(schema: str, table: str, same: list[MappedClass]) -> str:
    if same:
        where = f"the schema {same[0].schema}" if same[0].schema else "no schema"
        return f"names {schema}.{table}, and {same[0].name} is mapped in {where}; make them agree"
    return f"names the table {table}, which has no mapped class; `ormlift models` writes one"


def _is_home(path: str) -> bool:
    return any(part.removesuffix(".py") in _HOMES for part in path.split("/"))


def _listed(models: list[MappedClass]) -> str:
    return " and ".join(f"{m.name} of {m.path}" for m in models)


def _same(one: MappedClass, other: MappedClass) -> bool:
    """Whether two classes map a table alike, so that it does not matter which of them is taken."""
    columns = [sorted((replace(c, line=0) for c in m.columns), key=lambda c: c.name) for m in (one, other)]
    plain = not (one.hooks or other.hooks or one.inherits_mapped or other.inherits_mapped)
    plain = plain and not any(c.default or c.onupdate for c in one.columns)  # of which the values are not known
    return columns[0] == columns[1] and plain and one.complete and other.complete and one.schema == other.schema
