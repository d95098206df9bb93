"""Proposed phases of a rollout: which files to migrate first, by what they are and how many sites they hold.

What users meet comes first, since faults cost most there; then what it calls; then what runs by itself; scripts and
tests last. Nothing here decides: the proposal is written to be edited.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ormlift.model import Failed, Outcome, Severity, SiteReport
from ormlift.project.names import is_test_path

from ormlift_cli.rollout import Phase
from ormlift_cli.tally import sites_of


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_KINDS: tuple[tuple[str, str, frozenset[str]], ...] = (
    (
        "web routes",
        "high",
        _words(
            "routes route routers router views view api apis endpoints endpoint handlers controllers web webapp web_app"
            " blueprints app main server wsgi asgi pages"
        ),
    ),
    ("services", "medium", _words("services service core managers manager usecases domain business")),
    (
        "data access",
        "medium",
        _words("db database databases models repositories repository dao crud store storage persistence"),
    ),
    ("workers", "medium", _words("workers worker tasks task jobs celery scheduler schedulers queue cron")),
    ("scripts", "low", _words("scripts script tools tool bin cli migrations maintenance examples debug utilities")),
)
_ONLY_FILES = _words("app main web core")  # as a folder such a name says nothing of what is in it
REST, TESTS = "the rest", "tests"
_SPLIT_ABOVE = 80  # sites from which a phase is parted by directory


@dataclass(frozen=True)
class ProposedPhase:
    """A phase as it could stand in the configuration, and why."""

    phase: Phase
    priority: str  # high | medium | low
    files: tuple[str, ...]
    sites: int
    faults: int  # of severity critical and high
    why: str


def propose(outcomes: Iterable[Outcome]) -> list[ProposedPhase]:
    """The phases in the order to go, each site's file in exactly one of them."""
    held = {o.path: sites_of(o) for o in outcomes if sites_of(o) and not isinstance(o, Failed)}
    groups: dict[tuple[str, str], list[str]] = {}
    for path in sorted(held):
        groups.setdefault(kind_of(path), []).append(path)
    order = {name: place for place, (name, _, _) in enumerate((*_KINDS, (REST, "", ()), (TESTS, "", ())))}
    found = []
    for (name, priority), files in sorted(groups.items(), key=lambda group: order[group[0][0]]):
        for part, inside in _parts(name, files, held):
            found.append(_proposed(part, priority, inside, held))
    return found


def kind_of(path: str) -> tuple[str, str]:
    """What a file is, going by the names of its folders and its own; and the priority of that."""
    if is_test_path(path):
        return TESTS, "low"
    *folders, file = path.lower().removesuffix(".py").split("/")
    for word in (*reversed(folders), file):
        for name, priority, known in _KINDS:
            fits = word in known or any(word.endswith(f"_{k}") for k in known if len(k) > 3)
            if fits and (word is file or not folders or word not in _ONLY_FILES):
                return name, priority
    return REST, "low"


def _parts(name: str, files: list[str], held: dict[str, tuple[SiteReport, ...]]) -> Iterator[tuple[str, list[str]]]:
    """One phase, or one for each directory where it would be too large to review."""
    if name == TESTS or sum(len(held[path]) for path in files) <= _SPLIT_ABOVE:
        yield name, files
        return
    folders: dict[str, list[str]] = {}
    for path in files:
        folders.setdefault(path.rpartition("/")[0], []).append(path)
    if len(folders) == 1 or len(folders) > len(files) // 2:
        yield name, files
        return
    most = Counter({folder: sum(len(held[path]) for path in inside) for folder, inside in folders.items()})
    for folder, _ in most.most_common():
        yield f"{name}: {folder or 'top'}", folders[folder]


def _proposed(name: str, priority: str, files: Sequence[str], held: dict[str, tuple[SiteReport, ...]]) -> ProposedPhase:
    sites = [site for path in files for site in held[path]]
    serious = sum(s.fault is not None and s.fault.severity in (Severity.CRITICAL, Severity.HIGH) for s in sites)
    codemods = tuple(dict.fromkeys(s.codemod for s in sorted(sites, key=lambda s: s.codemod)))
    phase = Phase(name, _globs(files, held), codemods)
    count = f"{len(sites)} site{'' if len(sites) == 1 else 's'} in {len(files)} file{'' if len(files) == 1 else 's'}"
    why = count + (f", {serious} of them critical or high" if serious else "")
    return ProposedPhase(phase, priority, tuple(files), len(sites), serious, why)


def _globs(files: Sequence[str], held: dict[str, tuple[SiteReport, ...]]) -> tuple[str, ...]:
    """The files as globs: `folder/**` where every file with sites below it belongs to the phase."""
    mine = set(files)
    globs: dict[str, None] = {}
    for path in files:
        parts = path.split("/")
        whole = next(
            (
                folder
                for end in range(1, len(parts))
                if (folder := "/".join(parts[:end]))
                and all(other in mine for other in held if other.startswith(f"{folder}/"))
                and sum(other.startswith(f"{folder}/") for other in mine) > 1
            ),
            None,
        )
        globs[f"{whole}/**" if whole else path] = None
    return tuple(globs)
