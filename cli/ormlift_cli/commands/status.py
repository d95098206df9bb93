"""`ormlift status`: how far the rollout is, by phase and by run."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from ormlift_cli.burndown import burn_down
from ormlift_cli.git import open_repository
from ormlift_cli.history import History, read_history
from ormlift_cli.leaving import DONE, leave
from ormlift_cli.options import Codemods, ColorWhen, Exclude, Jobs, Paths, PhaseName, Quiet, output_of, request_of
from ormlift_cli.phasing import Phasing
from ormlift_cli.project import Project, locate
from ormlift_cli.render.console import Color, Console
from ormlift_cli.render.status import as_json, as_markdown, as_text
from ormlift_cli.run import Request, look


class Format(StrEnum):
    """How to report."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


def status(
    paths: Paths = None,
    codemod: Codemods = None,
    phase: PhaseName = "",
    exclude: Exclude = None,
    output_format: Annotated[Format, typer.Option(help="How to report.")] = Format.TEXT,
    jobs: Jobs = 0,
    quiet: Quiet = False,
    color: ColorWhen = Color.AUTO,
) -> None:
    """Show how far the rollout is: what is left of each phase, and what each run did."""
    request = request_of(paths, codemod, phase, False, exclude, jobs)
    leave(lambda: run(request, output_format, output_of(0, quiet, color).console))


def run(request: Request, form: Format, console: Console) -> int:
    """Show how far the rollout is."""
    project = locate(request.paths)
    found = burn_down(look(project, request, console), _history(project), Phasing(project))
    if request.phase:
        found.rows = [row for row in found.rows if row.phase == request.phase]
        found.steps = [own for step in found.steps if (own := step.of(request.phase)).moved]
    lines = [as_json(found)] if form is Format.JSON else (as_text if form is Format.TEXT else as_markdown)(found)
    for line in lines:
        console.out(line)
    return DONE


def _history(project: Project) -> History:
    """What runs did; nothing where there is no repository, or no commit in it."""
    if project.top is None:
        return History()
    repository = open_repository(project.root)
    return read_history(repository) if repository.repo.head.is_valid() else History()
