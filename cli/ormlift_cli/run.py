"""The pipeline, the one place where pure meets I/O: paths -> bytes -> index -> plans.

Every file is read once. What is parsed is only what holds a needle: for the model index in the whole project, since
models and scopes live elsewhere than their uses; for the codemods in the files that were asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ormlift.model import Failed, Outcome, Settings, UserError

from ormlift_cli.files import read
from ormlift_cli.globs import matcher
from ormlift_cli.names import unknown
from ormlift_cli.project import Project, Selection, select

if TYPE_CHECKING:
    from ormlift.project.facts import FileFacts
    from ormlift.project.graph import ImportLine
    from ormlift.project.index import ProjectIndex
    from ormlift.project.mentions import Mentions
    from ormlift.project.named import Named
    from ormlift.project.outside import Outside
    from ormlift.project.texts import Texts
    from ormlift.rules.base import Codemod

    from ormlift_cli.pool import Workers

_INDEX_IN_POOL_FROM = 6_000_000  # bytes from which workers are worth their start: an index takes 0.1 s a megabyte
_PLAN_IN_POOL_FROM = 1_000_000
_START_EARLY_FROM = 2 * _INDEX_IN_POOL_FROM  # bytes of all files
_IMPORTS_FOLLOWED = 2  # from a planned file, so far a function that it calls may stand
_IGNORE_COMMENT = b"ormlift:"  # an unused one is reported, so its file is parsed
_SELECT = re.compile(rb"(?<![\w.])select\(")
_RUNS_SQL = re.compile(rb"\.cursor\(|sqlite|psycopg|pymysql|MySQLdb|mysql\.connector")
_Item = tuple[str, bytes]
_Scanned = tuple[str, bytes, bool]  # and whether facts may be taken from it


@dataclass(frozen=True)
class Request:
    """What the user asked for on the command line."""

    paths: tuple[Path, ...] = ()
    codemods: tuple[str, ...] = ()
    phase: str = ""
    unsafe: bool = False
    exclude: tuple[str, ...] = ()
    jobs: int = 0  # 0: one for each core
    skip: tuple[tuple[str, str, int], ...] = ()  # sites to leave out: path, codemod, first line
    inventory: bool = False  # also the codemods that only list
    database_url: str = ""  # of a server on which statements are tried, in a scratch schema


class Terminal(Protocol):
    """Where progress is shown."""

    def progress(self) -> AbstractContextManager[Progress]:
        """A bar that goes when its block ends."""


class Progress(Protocol):
    """Told how far a stage is."""

    def stage(self, name: str, total: int) -> Callable[[int], None]:
        """A stage of `total` steps begins; the answer is called with each number of steps done."""


@dataclass
class Survey:
    """What ormlift says of the project: nothing is written yet."""

    project: Project
    settings: Settings
    index: ProjectIndex
    outcomes: list[Outcome] = field(default_factory=list)  # in path order; what holds no needle is left out
    read: int = 0  # files that were asked for and looked at
    looked: frozenset[str] = frozenset()  # those files
    files: frozenset[str] = frozenset()  # all files of the project
    notes: list[str] = field(default_factory=list)
    mistakes: list[str] = field(default_factory=list)  # of the user; all else was done


def look(project: Project, request: Request, terminal: Terminal) -> Survey:
    """Plan everything that was asked for, and show how far it is. Raises UserError."""
    from ormlift_cli.pool import collected_by_hand
    from ormlift_cli.scratch import trials

    with terminal.progress() as progress, trials(request.database_url), collected_by_hand():
        return survey(project, request, progress)


def survey(project: Project, request: Request, progress: Progress) -> Survey:
    """Plan everything that was asked for. Raises UserError."""
    from ormlift_cli.pool import Workers, cores

    with Workers(request.jobs or cores()) as workers:
        return _survey(project, request, progress, workers)


def _survey(project: Project, request: Request, progress: Progress, workers: Workers) -> Survey:
    from ormlift.project.requirements import majors, pinned
    from ormlift.rules import ALL
    from ormlift.setup.dialect import with_dialect

    from ormlift_cli.scopes import check_scopes

    settings, codemods = _narrowed(request, project, ALL)
    selection = select(project, request.paths)
    _drop(selection, (*project.config.exclude, *request.exclude), _in_phase(request, project))
    if workers.jobs > 1 and _size(project.root, selection.found.files) >= _START_EARLY_FROM:
        workers.start(prepare)
    files = _read(project, selection, codemods, progress)
    index = _index(files, workers, progress)
    if any(c.id == "dto-drift" for c in codemods):
        index = replace(index, versions=majors(requirements(project)))
    settings = with_dialect(settings, index)
    if not settings.sqlalchemy:
        settings = replace(settings, sqlalchemy=pinned(requirements(project), "sqlalchemy"))
    if any(c.looks_elsewhere for c in codemods):
        index = replace(index, texts=_texts(project, files, index, settings))
    if any(c.id in ("cursor-to-orm", "text-to-orm") for c in codemods):
        index = replace(index, named=_named(files))
    if any(c.looks_outside for c in codemods):
        index = replace(index, outside=_outside(files, index))
    if any(c.id == "mapper-health" for c in codemods):
        index = replace(index, mentions=_mentions(project, selection.found.files, index))
    result = Survey(project, settings, index, read=len(selection.selected))
    result.looked, result.files = frozenset(selection.selected), frozenset(selection.found.files)
    result.mistakes += selection.mistakes
    result.notes += selection.found.notes
    result.notes += check_scopes(settings, index, selection.found.files, lambda path: read(project.root, path))
    jobs = 1 if request.database_url else workers.jobs  # one server
    planned = _plan(files.to_plan, (index, settings), jobs, workers, progress)
    result.outcomes = sorted([*planned, *files.failures, *selection.found.failures], key=lambda outcome: outcome.path)
    return result


def index_of(project: Project, terminal: Terminal) -> ProjectIndex:
    """What is known of the whole project; nothing is planned."""
    from ormlift_cli.pool import Workers, cores

    with terminal.progress() as progress, Workers(cores()) as workers:
        return _index(_read(project, select(project, ()), [], progress), workers, progress)


def _narrowed(request: Request, project: Project, known: Sequence[Codemod]) -> tuple[Settings, list[Codemod]]:
    """The settings and codemods of this run."""
    ids = [codemod.id for codemod in known]
    usual = [codemod.id for codemod in known if request.inventory or not codemod.inventory]
    wanted = set(request.codemods or usual)
    named = list(request.codemods)
    if request.phase:
        phase = project.config.phase(request.phase)
        named += phase.codemods
        wanted = wanted & set(phase.codemods) if request.codemods and phase.codemods else set(phase.codemods) or wanted
    for name in named:
        if name not in ids:
            raise unknown("codemod", name, ids)
    codemods = [codemod for codemod in known if codemod.id in wanted]
    chosen = tuple(codemod.id for codemod in codemods)
    return replace(project.config.settings, codemods=chosen, unsafe=request.unsafe, skip=request.skip), codemods


def _in_phase(request: Request, project: Project) -> Callable[[str], bool] | None:
    """Whether a file is of the phase that was asked for; None: all are."""
    if not request.phase:
        return None
    from ormlift_cli.phasing import Phasing

    phasing, phase = Phasing(project), project.config.phase(request.phase)
    if phase.owners and not phasing.owners.found:
        raise UserError(f"phase '{phase.name}' goes by owners, and there is no CODEOWNERS file")
    return lambda path: phasing.covers(phase, path)


def _drop(selection: Selection, excluded: Sequence[str], wanted: Callable[[str], bool] | None) -> None:
    """Leave out of the selection what is excluded, and what is not of the phase."""
    if excluded:
        matches = matcher(excluded)
        selection.selected = [path for path in selection.selected if not matches(path)]
        selection.found.failures = [failed for failed in selection.found.failures if not matches(failed.path)]
    if wanted is not None:
        selection.selected = [path for path in selection.selected if wanted(path)]


@dataclass
class _Read:
    """What was read, each file once."""

    for_index: list[_Scanned] = field(default_factory=list)  # every file
    to_plan: list[_Item] = field(default_factory=list)  # asked for, and may hold a site
    queries: int = 0  # calls of `session.query(`
    selects: int = 0  # calls of `select(`
    set_names: set[bytes] = field(default_factory=set)  # attributes that any file sets
    failures: list[Failed] = field(default_factory=list)  # asked for, and cannot be read

    @property
    def style(self) -> str:
        """How the project asks more often; empty where it does neither."""
        if self.queries == self.selects:
            return ""
        return "query" if self.queries > self.selects else "select"


def _read(project: Project, selection: Selection, codemods: Sequence[Codemod], progress: Progress) -> _Read:
    from ormlift.project.facts import NEEDLES
    from ormlift.project.names import is_test_path
    from ormlift.project.texts import set_names

    tick = progress.stage("reading", len(selection.found.files))
    selected = set(selection.selected) if codemods else set()
    needles = [needle for codemod in codemods for needle in codemod.needles]
    looks_elsewhere = any(codemod.looks_elsewhere for codemod in codemods)
    result = _Read()
    for path in selection.found.files:
        tick(1)
        try:
            data = read(project.root, path)
        except OSError as error:
            if path in selected:
                result.failures.append(Failed(path, f"cannot be read: {error.strerror or error}"))
            continue
        if looks_elsewhere and not is_test_path(path):
            result.set_names |= set_names(data)
        if b"sqlalchemy" in data:
            result.queries += data.count(b".query(")
            result.selects += len(_SELECT.findall(data))
        result.for_index.append((path, data, any(needle in data for needle in NEEDLES)))
        if path in selected and (_IGNORE_COMMENT in data or _wanted(data, needles)):
            result.to_plan.append((path, data))
    return result


def requirements(project: Project) -> list[str]:
    """The requirement files at the root, and those one folder below."""
    from ormlift.project.requirements import FILES

    texts = []
    for pattern in ("*", "*/*"):
        for path in sorted(project.root.glob(pattern)):
            name = path.relative_to(project.root).as_posix()
            if FILES.search(name) and not name.startswith(".") and path.is_file() and not path.is_symlink():
                with suppress(OSError):
                    texts.append(read(project.root, name).decode(errors="replace"))
    return texts


def _texts(project: Project, files: _Read, index: ProjectIndex, settings: Settings) -> Texts:
    """The texts that calls of the planned files may lead into: what these import, what that imports, and scopes.

    Also those that name an attribute which `service-scope` may give a class: it may be a class above or below.
    """
    from ormlift.project.texts import Texts

    held = {path: data for path, data, _ in files.for_index}
    known: dict[str, bytes] = {}
    reached = index.imports.reached_from((path for path, _ in files.to_plan), _IMPORTS_FOLLOWED)
    managers = {f"self.{c.manager.partition('.')[0]}".encode() for c in settings.scopes if c.manager}
    kin = (path for path, data in held.items() if any(name in data for name in managers))
    for path in sorted({*reached, *(scope.path for scope in index.scopes), *kin}):
        with suppress(OSError):
            known[path] = held[path] if path in held else read(project.root, path)
    return Texts(known, frozenset(name.decode(errors="replace") for name in files.set_names))


def _named(files: _Read) -> Named:
    """Which files name the functions of the planned ones that may be handed connections, or columns' names."""
    from ormlift.project.named import search

    planned = (data.decode(errors="replace") for _, data in files.to_plan if _RUNS_SQL.search(data))
    executing = (data.decode(errors="replace") for _, data in files.to_plan)
    return search({path: data for path, data, _ in files.for_index}, planned, executing)


def _outside(files: _Read, index: ProjectIndex) -> Outside:
    """What all files do to the constants and connections that the planned ones keep."""
    from ormlift.project.outside import Outside, asked_by

    planned = (data.decode(errors="replace") for _, data in files.to_plan)
    asked = asked_by(planned, (s.database for s in index.sources), (s.name for s in index.sources))
    return Outside.read(((path, data.decode(errors="replace")) for path, data, _ in files.for_index), asked)


def _mentions(project: Project, files: Iterable[str], index: ProjectIndex) -> Mentions | None:
    """What all files say of the names that a broken mapper asks for; nothing is read where none looks broken."""
    from ormlift.project.mentions import Search

    asked = index.health.asked()
    if not asked:
        return None
    search = Search(asked, index.imports)
    for path in files:
        with suppress(OSError):
            search.look(path, read(project.root, path).decode(errors="replace"))
    return search.found()


def _wanted(data: bytes, needles: Iterable[tuple[bytes, ...]]) -> bool:
    return any(all(part in data for part in needle) for needle in needles)


def _index(files: _Read, workers: Workers, progress: Progress) -> ProjectIndex:
    """The index of all files that were read."""
    from ormlift.project.graph import ImportGraph
    from ormlift.project.index import link

    from ormlift_cli.pool import Spread

    items = files.for_index
    tick = progress.stage("indexing", len(items))
    worthwhile = sum(len(data) for _, data, worth in items if worth) >= _INDEX_IN_POOL_FROM
    jobs = workers.jobs if worthwhile else 1
    found = Spread(scan_of, lost_scan, None).run(items, jobs, tick, workers, lambda item: item[2] * len(item[1]))
    known = link(facts for facts, _ in found if facts is not None)
    imports = {path: lines for (path, _, _), (_, lines) in zip(items, found, strict=True)}
    return replace(known, imports=ImportGraph(imports), style=files.style)


def _plan(
    items: list[_Item], shared: tuple[ProjectIndex, Settings], jobs: int, workers: Workers, progress: Progress
) -> list[Outcome]:
    from ormlift_cli.pool import Spread

    tick = progress.stage("planning", len(items))
    jobs = jobs if sum(len(data) for _, data in items) >= _PLAN_IN_POOL_FROM else 1
    return Spread(plan_of, lost_plan, shared).run(items, jobs, tick, workers, lambda item: len(item[1]))


def _size(root: Path, paths: Iterable[str]) -> int:
    """How many bytes some files have."""
    total = 0
    for path in paths:
        with suppress(OSError):
            total += (root / path).lstat().st_size
    return total


def prepare() -> None:
    """What a worker can load before there is anything to do."""
    import ormlift.edit.tree
    import ormlift.plan  # noqa: F401


def scan_of(_: None, item: _Scanned) -> tuple[FileFacts | None, tuple[ImportLine, ...]]:
    """The facts of one file, None where it has none or cannot be decoded; and its imports."""
    from ormlift.project.facts import read_facts
    from ormlift.source import decode

    path, data, worth = item
    facts = None
    with suppress(SyntaxError, ValueError):
        facts = read_facts(decode(path, data)) if worth else None
    return facts, lost_scan(item)[1]


def lost_scan(item: _Scanned) -> tuple[FileFacts | None, tuple[ImportLine, ...]]:
    """What is known of a file whose worker died: its imports, which are found by pattern."""
    from ormlift.project.graph import import_lines

    return None, import_lines(item[1].decode(errors="replace"), item[0])


def plan_of(shared: tuple[ProjectIndex, Settings], item: _Item) -> Outcome:
    """The outcome of one file. Never raises for what the file holds."""
    from ormlift.plan import plan_file
    from ormlift.source import decode

    try:
        source = decode(*item)
    except UnicodeDecodeError as error:
        what = f"byte 0x{error.object[error.start]:02x} at offset {error.start} is not {error.encoding}"
        return Failed(item[0], f"cannot be decoded: {what}; save it in the encoding that it declares")
    except (SyntaxError, ValueError) as error:
        what = str(getattr(error, "msg", "") or error)
        return Failed(item[0], f"cannot be decoded: {what}; save it as UTF-8, or declare its encoding")
    return plan_file(source, *shared)


def lost_plan(item: _Item) -> Outcome:
    """The outcome of a file that killed its worker process."""
    return Failed(item[0], "the process that planned it died; exclude the file", ours=True)
