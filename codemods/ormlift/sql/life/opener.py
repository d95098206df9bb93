"""What the function that opens the raw connection does besides, which a session does not do."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ormlift.model import Effect
from ormlift.project.index import ProjectIndex
from ormlift.project.names import is_test_path
from ormlift.schema import Scope, SessionSource, Tri
from ormlift.sql.life.drivers import direct_source
from ormlift.sql.life.manager import error_effects
from ormlift.sql.life.model import Life
from ormlift.sql.life.refuse import Refused
from ormlift.syntax import dotted

# What changes speed, patience or the file's mode for good, but no answer.
_QUIET = re.compile(
    r"PRAGMA\s+(journal_mode|synchronous|cache_size|temp_store|mmap_size|busy_timeout|journal_size_limit)\b", re.I
)
_TOUCHES = re.compile(r"\bsession\.|\(session\b|\.execute\(|PRAGMA|\.(?:cursor|commit)\(")
_READ = re.compile(r"session\.(row_factory|isolation_level|autocommit)\b")
_SETUPS = frozenset(["connect", "first_connect", "do_connect", "checkout"])


def opens_engine(life: Life, index: ProjectIndex) -> bool:
    """Whether the engine opens its connections by this very function, or as it does, so that they are the same."""
    source = life.source
    if source.owner or life.call.args or life.call.keywords or source.row_factory not in ("", "tuple", "sqlite3.Row"):
        return False
    creators = {engine.creator for engine in index.engines if engine.creator}
    if life.manager is None:
        return f"{source.path}:{source.name}" in creators
    if life.manager.wraps or life.manager.swallows is not Tri.NO or life.manager.owner:
        return False
    makers = [made for made in index.sources if f"{made.path}:{made.name}" in creators]
    return any(_opens_alike(made, source, life.manager) for made in makers)


def _opens_alike(made: SessionSource, source: SessionSource, manager: Scope) -> bool:
    """Whether a function opens and sets up a connection as a context manager does."""
    same = (made.path, made.driver, made.database) == (source.path, source.driver, source.database)
    alike = (made.autocommit, made.settings) == (source.autocommit, source.settings)
    work = [{text for _, _, text in held} for held in (made.work, (*source.work, *manager.work))]
    return bool(made.database) and same and alike and work[0] == work[1]


def opener_effects(life: Life, index: ProjectIndex) -> Iterator[Effect]:
    """Effects of leaving the opener out. Raises Refused where it makes values come otherwise."""
    source, name = life.source, f"{dotted(life.call.func)}()"
    own = [f"{k.arg}={ast.unparse(k.value)}" for k in life.call.keywords if k.arg in ("detect_types", "factory")]
    own += [f"{setting} = {text}" for setting, text in source.settings if setting != "timeout"]
    if source.row_factory not in ("", "tuple") and not source.rows:
        own.append(f"row_factory = {source.row_factory}")
    if own:
        message = f"{name} sets `{own[0]}` on the connection, so that values come otherwise than from an engine"
        raise Refused("connection-setting", f"{message}; say it on the engine, and take it out there")
    work = (*source.work, *(life.manager.work if life.manager is not None else ()))
    for path, _, text in work:
        if _TOUCHES.search(text) and not _QUIET.search(text) and not _READ.match(text):
            message = f"{name} also does `{text}` (in {path}), which goes; let the engine do the same, if it matters"
            yield Effect("connection-setup", life.line, message)
    yield from error_effects(life)
    yield from listener_effects(life, index)


def listener_effects(life: Life, index: ProjectIndex) -> Iterator[Effect]:
    """The engine's connections may be set up by listeners, which raw ones never met."""
    for facts in index.facts:
        for listener in facts.listeners if not is_test_path(facts.path) else ():
            if listener.event in _SETUPS and "pool" not in listener.target.lower():
                message = f"a listener on `{listener.event}` sets up the engine's connections ({facts.path})"
                yield Effect("connection-setup", life.line, f"{message}, and raw ones were not")


def chooses_database(life: Life) -> bool:
    """Whether an opener is told by the call, or by its own text, to open something else than its usual database."""
    database = life.source.database
    direct = direct_source(life.call, life.module) is not None
    given = not direct and bool(life.call.args or life.call.keywords)
    try:
        constants = [n.value for n in ast.walk(ast.parse(database or "''", mode="eval")) if isinstance(n, ast.Constant)]
    except SyntaxError:
        constants = []
    special = any(isinstance(c, str) and (":memory:" in c or "mode=" in c) for c in constants)
    return given or special
