"""From plans to files: each planned file is written, and committed on its own unless the user wants no commits."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from ormlift.model import Planned, SiteReport, Source, Status
from ormlift.source import encode

from ormlift_cli.files import read, write
from ormlift_cli.git import Repository, check_ready, open_repository
from ormlift_cli.journal import Journal, RunNote
from ormlift_cli.landing import Change, LandingError, land
from ormlift_cli.project import Project


class End(StrEnum):
    """What became of a planned file."""

    COMMITTED = "committed"
    WRITTEN = "written"
    BLOCKED = "blocked"  # by the state of the user's file: nothing was tried
    FAILED = "failed"  # tried, and taken back


@dataclass(frozen=True)
class Landed:
    """What became of one planned file, and why."""

    path: str  # relative to the root
    end: End
    message: str = ""  # one line, where it was blocked or failed
    commit: str = ""


@dataclass
class Applied:
    """What one run of `apply` did."""

    run: str = ""  # empty without commits
    landed: dict[str, Landed] = field(default_factory=dict)  # by path
    notes: list[str] = field(default_factory=list)


Tell = Callable[[Landed], None]


def prepare(project: Project) -> Repository:
    """The repository to commit in. Raises UserError before anything is written."""
    repository = open_repository(project.root)
    check_ready(repository)
    return repository


def write_all(plans: list[Planned], project: Project, tell: Tell) -> Applied:
    """Write without commits."""
    applied = Applied()
    for plan in plans:
        landed = _write(plan, project)
        applied.landed[plan.path] = landed
        tell(landed)
    return applied


def _write(plan: Planned, project: Project) -> Landed:
    try:
        if read(project.root, plan.path) != encode(plan.before):
            return Landed(plan.path, End.BLOCKED, "was changed while ormlift worked; run it again")
        write(project.root, plan.path, encode(plan.after))
    except OSError as error:
        return Landed(plan.path, End.FAILED, f"could not be written: {error.strerror or error}")
    except UnicodeEncodeError as error:
        return Landed(plan.path, End.FAILED, f"could not be written: {error}")
    return Landed(plan.path, End.WRITTEN)


def commit_all(
    plans: list[Planned], project: Project, repository: Repository, journal: Journal, request: str, tell: Tell
) -> Applied:
    """Write and commit each file. The journal is held and recovered."""
    note = journal.open_run(RunNote(new_run(), request, repository.branch()))
    applied = Applied(note.run)
    blocked = repository.uncommitted([project.prefix + plan.path for plan in plans])
    for plan in plans:
        path = project.prefix + plan.path
        if path in blocked:
            landed = Landed(plan.path, End.BLOCKED, blocked[path])
        else:
            landed = _commit(plan, path, note.run, repository, journal)
        applied.landed[plan.path] = landed
        tell(landed)
    journal.close_run()
    return applied


def _commit(plan: Planned, path: str, run: str, repository: Repository, journal: Journal) -> Landed:
    try:
        change = Change(path, encode(plan.before), encode(plan.after), message(plan, path, run))
        return Landed(plan.path, End.COMMITTED, commit=land(change, repository, journal))
    except (LandingError, UnicodeEncodeError) as error:
        return Landed(plan.path, End.FAILED, str(error))


def message(plan: Planned, path: str, run: str) -> str:
    """The commit's message: what was rewritten where, with the trailers that `rollback` reads."""
    done = [site for site in plan.sites if site.status is Status.REWRITTEN]
    codemods = sorted({site.codemod for site in done})
    title = f"Migrate {plain(path)} ({', '.join(codemods)})"
    body = [_line(site, plan.before) for site in done]
    trailers = [
        f"Ormlift-Run: {run}",
        f"Ormlift-Codemod: {', '.join(codemods)}",
        f"Ormlift-Sites: {len(done)}",
        f"Ormlift-File: {plain(path)}",
    ]
    return "\n".join([title, "", *body, "", *trailers, ""])


def _line(site: SiteReport, before: Source) -> str:
    effects = ", ".join(dict.fromkeys(effect.code for effect in site.effects))
    lines = f"line {site.line}" if site.line == site.end_line else f"lines {site.line}-{site.end_line}"
    return f"- {site.codemod}: {lines} of {before.path}" + (f"; effects: {effects}" if effects else "")


def plain(path: str) -> str:
    """A path as one line of text."""
    return path if path.isprintable() else ascii(path)


def new_run() -> str:
    """The id of a run: its time, and four digits against runs of the same second."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
