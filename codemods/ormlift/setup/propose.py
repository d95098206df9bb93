"""What a project's configuration could say, read from its model index; each line with what it was read from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ormlift.project.index import ProjectIndex
from ormlift.project.names import is_test_path
from ormlift.schema import Engine, Scope, SessionFactory, SessionSource, Tri
from ormlift.setup.dialect import CONNECTIONS, likely_dialect
from ormlift.setup.toml import Draft, Entry, Section

_FEW = 6  # files of models that are named one by one; more are named by their folders


@dataclass(frozen=True)
class Step:
    """A proposed phase."""

    name: str
    paths: Sequence[str]
    codemods: Sequence[str]
    why: str


@dataclass(frozen=True)
class Proposal:
    """What was found in a project."""

    dialect: str
    dialect_why: str
    style_why: str
    scopes: Sequence[Scope] = ()  # fit to be used where none is configured, best first
    other_scopes: Sequence[Scope] = ()  # of classes, or in need of arguments
    factories: Sequence[SessionFactory] = ()
    models: Sequence[str] = ()  # paths
    mapped: int = 0  # how many classes and tables
    connections: Sequence[tuple[str, str]] = ()  # `module:name` to the engine's own database, and why
    openers: Sequence[SessionSource] = ()  # what else opens a connection
    tests: Sequence[str] = ()  # globs
    steps: Sequence[Step] = field(default=())


def propose(index: ProjectIndex, files: Iterable[str], steps: Sequence[Step] = ()) -> Proposal:
    """What can be told of a project from its index and the names of its files."""
    engines = [engine for engine in index.engines if not is_test_path(engine.path)]
    openers = [s for s in index.sources if s.kind in CONNECTIONS and not is_test_path(s.path)]
    sure = {id(o): why for o in openers if (why := _same_database(o, engines))}
    models = [model for model in index.models if not is_test_path(model.path)]
    fit = [scope for scope in index.default_scopes() if not scope.is_async] or list(index.default_scopes())
    others = [s for s in index.scopes if s not in fit and s.yields == "session" and not is_test_path(s.path)]
    dialect, why = likely_dialect(index)
    asks = {"query": "most of this project asks by session.query(..)", "select": "most of it asks by select(..)"}
    return Proposal(
        dialect,
        why,
        asks.get(index.style, ""),
        fit,
        others,
        [f for f in index.factories if not is_test_path(f.path)],
        _folders(sorted({model.path for model in models})),
        len(models),
        [(reference(o), sure[id(o)]) for o in openers if id(o) in sure and not o.owner],
        [o for o in openers if id(o) not in sure],
        sorted(
            {f"{path.split('/')[0]}/**" for path in files if "/" in path and is_test_path(f"{path.split('/')[0]}/x")}
        ),
        steps,
    )


def reference(found: Scope | SessionSource | SessionFactory) -> str:
    """`module:name`, as the configuration writes it."""
    return f"{found.module}:{found.owner + '.' if found.owner else ''}{found.name}"


def does(scope: Scope) -> str:
    """What a scope does at its end, in a few words."""
    acts = [(scope.commits, "commits"), (scope.rolls_back, "rolls back"), (scope.closes, "closes")]
    words = [word for value, word in acts if value is Tri.YES]
    words += [f"may {word.removesuffix('s')}" for value, word in acts if value is Tri.UNKNOWN]
    words += [f"turns errors into {scope.wraps}"] if scope.wraps else []
    words += ["shares its session"] if scope.shared is Tri.YES else []
    words += ["async"] if scope.is_async else []
    return ", ".join(words) or "only hands out"


def draft(proposal: Proposal, scope: str = "") -> Draft:
    """The configuration that says it; `scope` is one that is not in the index yet."""
    entries: list[Entry] = []
    if scope or proposal.scopes:
        first = proposal.scopes[0] if proposal.scopes and not scope else None
        others = [s for s in (*proposal.scopes[1:], *proposal.other_scopes) if first is not None]
        told = [f"also found: {reference(s)} ({does(s)})" for s in others[:8]]
        entries.append(
            Entry("session-scope", scope or reference(proposal.scopes[0]), does(first) if first else "", told)
        )
    entries.append(Entry("dialect", proposal.dialect, proposal.dialect_why))
    entries.append(Entry("style", "auto", proposal.style_why))
    if proposal.models:
        entries.append(Entry("models", proposal.models))
    maybe = [o for o in proposal.openers if not o.owner and o.name]
    told = [f'"{reference(o)}" connects too{_to(o)}: add it if that is the engine\'s own database' for o in maybe[:8]]
    if proposal.connections or told:
        entries.append(Entry("connections", [name for name, _ in proposal.connections], "", told))
    if proposal.tests:
        entries.append(Entry("exclude", proposal.tests))
    sections = [
        Section(
            "phases",
            [Entry("name", s.name), Entry("paths", s.paths), *([Entry("codemods", s.codemods)] if s.codemods else [])],
            s.why,
        )
        for s in proposal.steps
    ]
    return Draft(entries, sections)


def _to(opener: SessionSource) -> str:
    return f" to {opener.database}" if opener.database and "\n" not in opener.database else ""


def _same_database(opener: SessionSource, engines: Sequence[Engine]) -> str:
    """Why a connection is known to reach the engine's own database; empty where it is not."""
    for engine in engines:
        if engine.creator == f"{opener.path}:{opener.name}":
            return f"{engine.name} opens its connections by it"
        if engine.path == opener.path and opener.database:
            inside = f"{{{opener.database}}}" in engine.url or engine.url == opener.database
            path = engine.url.partition(":///")[2].removeprefix("./") if engine.literal else ""
            if inside or (path and repr(path) == opener.database.replace('"', "'")):
                return f"{engine.name} is made of {opener.database} too"
    return ""


def _folders(paths: Sequence[str]) -> list[str]:
    """The paths, or the folders that hold them where they are many."""
    if len(paths) <= _FEW:
        return list(paths)
    folders = sorted({path.rpartition("/")[0] or path for path in paths})
    return [f for f in folders if not any(f.startswith(f"{other}/") for other in folders)]
