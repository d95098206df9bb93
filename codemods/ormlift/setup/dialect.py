"""Which dialect the raw SQL of a project is likely written for, where nobody says it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from ormlift.model import Settings
from ormlift.project.index import DIALECTS as DIALECT_NAMES
from ormlift.project.index import ProjectIndex
from ormlift.project.names import is_test_path
from ormlift.schema import SourceKind
from ormlift.sql.life.drivers import DIALECTS

CONNECTIONS = (SourceKind.CONNECTION, SourceKind.CONNECTION_AND_CURSOR)


def with_dialect(settings: Settings, index: ProjectIndex) -> Settings:
    """The settings, with the likely dialect where none is configured."""
    return settings if settings.dialect else replace(settings, dialect=likely_dialect(index)[0])


def likely_dialect(index: ProjectIndex) -> tuple[str, str]:
    """The dialect that most of a project speaks of, and what shows it: engines first, then drivers, then imports."""
    engines = [engine for engine in index.engines if not is_test_path(engine.path)]
    openers = [s for s in index.sources if s.kind in CONNECTIONS and not is_test_path(s.path)]
    found: Counter[str] = Counter()
    shown: dict[str, str] = {}
    for engine in engines:
        if engine.dialect:
            found[engine.dialect] += 100  # an engine's URL says more than a driver that is used somewhere
            shown.setdefault(engine.dialect, f"the engine {engine.name} of {engine.path}")
    for opener in openers:
        if dialect := DIALECTS.get(opener.driver, ""):
            found[dialect] += 1
            shown.setdefault(dialect, f"{opener.driver} in {opener.path}")
    for facts in index.facts if not found else ():
        for module in () if is_test_path(facts.path) else (*facts.imported, *(target for _, target in facts.imports)):
            if dialect := _of_module(module):
                found[dialect] += 1
                shown.setdefault(dialect, f"{facts.path} imports {module}")
    if not found:
        return "sqlite", "no engine's URL could be read: say here what the raw SQL is written for"
    ((dialect, _),) = found.most_common(1)
    others = ", ".join(sorted(set(found) - {dialect}))
    return dialect, shown[dialect] + (f"; {others} is used too" if others else "")


def _of_module(module: str) -> str:
    """The dialect that an imported module is made for; empty for any other."""
    if module.startswith("sqlalchemy.dialects."):
        return DIALECT_NAMES.get(module.split(".")[2], "")
    return "postgresql" if module.partition(".")[0] == "asyncpg" else DIALECTS.get(module.partition(".")[0], "")
