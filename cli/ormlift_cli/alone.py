"""One change that is no codemod's: a scope, a models file, a column. It lands as `apply` lands its files.

So it is a commit of its own, of that file alone, with the trailers by which `rollback` finds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from ormlift.model import UserError

from ormlift_cli.apply import new_run, prepare
from ormlift_cli.committing import Committer
from ormlift_cli.files import create, read, write
from ormlift_cli.history import plain
from ormlift_cli.journal import Journal
from ormlift_cli.landing import Change, Lander, Load, StopError
from ormlift_cli.project import Project
from ormlift_cli.render.console import Console


@dataclass(frozen=True)
class Step:
    """What becomes of one file, and what to say of it."""

    path: str  # relative to the root
    before: bytes | None  # None: it is made
    after: bytes
    title: str  # the first line of the commit
    body: str
    command: str  # init | models


def land_steps(steps: list[Step], project: Project, console: Console, *, commit: bool) -> str:
    """Write each file, and commit it on its own unless the user wants no commits; the id of the run.

    Raises UserError where a file stands in the way; what landed before it stays.
    """
    if not commit:
        for step in steps:
            _write(step, project)
        return ""
    repository = prepare(project)
    journal, run = Journal(repository), new_run()
    lander = Lander(repository, journal, Committer(repository, project.config.commits, journal.committing))
    with journal.held():
        for note in journal.recover():
            console.say(note)
        paths = {step.path: project.prefix + step.path for step in steps}
        blocked = repository.uncommitted([paths[step.path] for step in steps if step.before is not None])
        for step in steps:
            path = paths[step.path]
            if path in blocked:
                raise UserError(f"{step.path}: {blocked[path]}")
            load = Load((Change(path, step.before, step.after),), partial(_message, step, run))
            try:
                faults = lander.land([load]).faults
            except StopError as error:
                raise UserError(f"{step.path}: {error}") from error
            if faults:
                raise UserError(f"{step.path}: {faults[path].message}")
    return run


def _write(step: Step, project: Project) -> None:
    try:
        if step.before is None:
            create(project.root, step.path, step.after)
        elif read(project.root, step.path) != step.before:
            raise UserError(f"{step.path}: was changed while ormlift worked; run it again")
        else:
            write(project.root, step.path, step.after)
    except FileExistsError:
        raise UserError(f"{step.path}: is there already; move it away, or name another file") from None
    except OSError as error:
        raise UserError(f"{step.path}: could not be written: {error.strerror or error}") from error


def _message(step: Step, run: str, paths: Sequence[str]) -> str:
    trailers = [f"Ormlift-Run: {run}", f"Ormlift-Codemod: {step.command}", f"Ormlift-File: {plain(paths[0])}"]
    return "\n".join([step.title, "", *([step.body, ""] if step.body else []), *trailers, ""])
