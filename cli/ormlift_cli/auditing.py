"""What an audit says: the state of the code, counted and put in order, ready to be told as text, Markdown or JSON."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ormlift.model import Outcome, Severity, SiteReport, Source, Unchanged

from ormlift_cli.files import read
from ormlift_cli.phases import ProposedPhase, kind_of, propose
from ormlift_cli.tally import sites_of

if TYPE_CHECKING:
    from ormlift.project.index import ProjectIndex
    from ormlift.schema import Scope

    from ormlift_cli.run import Survey

SEVERITIES = tuple(Severity)
_SQL = re.compile(
    r"\s*(?:SELECT\b.*\bFROM\b|INSERT\s+(?:OR\s+\w+\s+|IGNORE\s+)?INTO\b|UPDATE\s+\S+\s+SET\b|DELETE\s+FROM\b|"
    r"REPLACE\s+INTO\b|WITH\b.*\bAS\s*\(|CREATE\s+TABLE\b)",
    re.I | re.S,
)
_PRIORITY = {"high": 0, "medium": 1, "low": 2}


@dataclass(frozen=True)
class FunctionRow:
    """A function that holds sites."""

    name: str  # with its class; empty: the module itself
    line: int
    sites: int
    codemods: tuple[str, ...]
    lines: tuple[int, ...]


@dataclass(frozen=True)
class FileRow:
    """A file that holds sites."""

    path: str
    priority: str
    counts: dict[str, int]  # by codemod
    functions: tuple[FunctionRow, ...]

    @property
    def sites(self) -> int:
        """All of them."""
        return sum(self.counts.values())


@dataclass(frozen=True)
class TableRow:
    """A table that SQL names and no model has."""

    name: str
    statements: int
    first: str  # `path:line` of one of them


@dataclass
class Audit:
    """All of it."""

    codemods: list[str]
    files: list[FileRow]
    faults: list[tuple[str, SiteReport]]  # path and site, the worst first
    refusals: list[tuple[str, str, int]]  # codemod, reason, count
    tables: list[TableRow]
    scopes: list[tuple[str, str, str]]  # name, place, what it does
    factories: list[tuple[str, str, str]]
    phases: list[ProposedPhase]
    inventory: dict[str, Counter[str]] = field(default_factory=dict)  # codemod -> what its places are

    @property
    def folders(self) -> list[tuple[str, Counter[str]]]:
        """The counts by directory."""
        found: dict[str, Counter[str]] = {}
        for row in self.files:
            found.setdefault(row.path.rpartition("/")[0] or ".", Counter()).update(row.counts)
        return sorted(found.items(), key=lambda pair: (-pair[1].total(), pair[0]))


def audit(found: Survey, sources: Sequence[Source]) -> Audit:
    """Put the findings of a survey in order."""
    from ormlift.rules import ALL

    listing = {c.id for c in ALL if c.inventory}
    own = [_without(outcome, listing) for outcome in found.outcomes]
    pairs = [(o.path, s) for o in own for s in sites_of(o)]
    inventory: dict[str, Counter[str]] = {}
    for outcome in found.outcomes:
        for site in sites_of(outcome):
            if site.codemod in listing and site.reason is not None:
                inventory.setdefault(site.codemod, Counter())[site.reason.code] += 1
    reasons = Counter((s.codemod, s.reason.code) for _, s in pairs if s.reason and s.status.value == "refused")
    ranked = [(SEVERITIES.index(s.fault.severity), path, s.line, s) for path, s in pairs if s.fault is not None]
    faults = [(path, s) for _, path, _, s in sorted(ranked, key=lambda row: row[:3])]
    counts = Counter(s.codemod for _, s in pairs)
    return Audit(
        [codemod for codemod, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))],
        _files(found, own),
        faults,
        [(codemod, reason, count) for (codemod, reason), count in reasons.most_common()],
        unmapped_tables(sources, found.index, found.settings.dialect),
        [_scope_row(scope) for scope in found.index.scopes if scope.yields == "session"],
        [_factory_row(f) for f in found.index.factories],
        propose(own),
        inventory,
    )


def _without(outcome: Outcome, listing: set[str]) -> Outcome:
    """An outcome without what only lists."""
    if isinstance(outcome, Unchanged) or not any(s.codemod in listing for s in outcome.sites):
        return outcome
    return replace(outcome, sites=tuple(s for s in outcome.sites if s.codemod not in listing))


def _files(found: Survey, outcomes: Sequence[Outcome]) -> list[FileRow]:
    rows = []
    for outcome in outcomes:
        sites = sites_of(outcome)
        if sites:
            counts = dict(Counter(site.codemod for site in sites).most_common())
            functions = tuple(_functions(_text(found, outcome.path), sites))
            critical = any(s.fault is not None and s.fault.severity is Severity.CRITICAL for s in sites)
            priority = "high" if critical else kind_of(outcome.path)[1]
            rows.append(FileRow(outcome.path, priority, counts, functions))
    return sorted(rows, key=lambda row: (_PRIORITY[row.priority], -row.sites, row.path))


def _text(found: Survey, path: str) -> str:
    from ormlift.source import decode

    try:
        return decode(path, read(found.project.root, path)).text
    except (OSError, SyntaxError, ValueError):
        return ""


def _functions(text: str, sites: Sequence[SiteReport]) -> Iterator[FunctionRow]:
    """The functions of a file that hold sites, those with most of them first."""
    spans = list(_spans(text))
    held: dict[tuple[str, int], list[SiteReport]] = {}
    for site in sites:
        around = [s for s in spans if s[1] <= site.line <= s[2]]
        name, line, _ = max(around, key=lambda s: s[1], default=("", 1, 0))
        held.setdefault((name, line), []).append(site)
    for (name, line), inside in sorted(held.items(), key=lambda pair: (-len(pair[1]), pair[0][1])):
        codemods = tuple(dict.fromkeys(s.codemod for s in inside))
        yield FunctionRow(name, line, len(inside), codemods, tuple(sorted({s.line for s in inside})))


def _spans(text: str) -> Iterator[tuple[str, int, int]]:
    """The functions of a file, also those inside others: name, first line, last line."""
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return
    stack: list[tuple[str, ast.stmt]] = [("", s) for s in tree.body]
    while stack:
        owner, node = stack.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{owner}{node.name}", node.lineno, node.end_lineno or node.lineno
            stack += [(f"{owner}{node.name}.", s) for s in node.body]
        elif isinstance(node, ast.ClassDef):
            stack += [(f"{owner}{node.name}.", s) for s in node.body]
        else:
            stack += [(owner, s) for s in ast.iter_child_nodes(node) if isinstance(s, ast.stmt)]


def unmapped_tables(sources: Sequence[Source], index: ProjectIndex, dialect: str) -> list[TableRow]:
    """The tables that statements in the code name and no model has, most used first."""
    from ormlift.project.names import is_test_path

    mapped = {model.table.lower() for model in index.models}
    places: dict[str, list[str]] = {}
    for source in sources:
        if source.path.endswith(".py") and not is_test_path(source.path):
            for line, table in _tables_in(source, dialect):
                if table.lower() not in mapped:
                    places.setdefault(table, []).append(f"{source.path}:{line}")
    rows = [TableRow(name, len(found), found[0]) for name, found in places.items()]
    return sorted(rows, key=lambda row: (-row.statements, row.name))


def _tables_in(source: Source, dialect: str) -> Iterator[tuple[int, str]]:
    from ormlift.ddl.find import HOLE, texts_of
    from ormlift.sql.dialects import parse
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    for line, text in texts_of(source):
        if not _SQL.match(text) or HOLE in text:
            continue
        try:
            trees = [tree for tree in parse(re.sub(r"%\(\w+\)s|%s", "?", text), dialect) if tree is not None]
        except (SqlglotError, RecursionError):
            continue
        for tree in trees:
            hidden = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
            names = {t.name for t in tree.find_all(exp.Table) if t.name and isinstance(t.this, exp.Identifier)}
            systems = ("sqlite_", "pg_", "information_schema")
            yield from (
                (line, name) for name in sorted(names) if name.lower() not in hidden and not name.startswith(systems)
            )


def _scope_row(scope: Scope) -> tuple[str, str, str]:
    from ormlift.schema import Tri

    does = [
        word
        for word, answer in (
            ("commits", scope.commits),
            ("rolls back on errors", scope.rolls_back),
            ("closes", scope.closes),
            ("shares its session", scope.shared),
            ("keeps errors to itself", scope.swallows),
        )
        if answer is Tri.YES
    ]
    does += [f"wraps errors in {scope.wraps}"] if scope.wraps else []
    does += ["asynchronous"] if scope.is_async else []
    does += ["needs arguments"] if scope.takes_arguments else []
    name = f"{scope.owner}.{scope.name}" if scope.owner else scope.name
    return name, f"{scope.path}:{scope.line}", ", ".join(does) or "what it does could not be read"


def _factory_row(factory: object) -> tuple[str, str, str]:
    from ormlift.schema import SessionFactory, Tri

    assert isinstance(factory, SessionFactory)
    kind = "scoped session" if factory.scoped else "session factory"
    words = [f"async {kind}" if factory.is_async else kind]
    words += ["instances expire at commit"] if factory.expire_on_commit is Tri.YES else []
    name = f"{factory.owner}.{factory.name}" if factory.owner else factory.name
    return name, f"{factory.path}:{factory.line}", ", ".join(words)
