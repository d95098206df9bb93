"""`ormlift verify`: the validation step after a migration. Exit code 1 where a promise is broken."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from ormlift.model import UserError

from ormlift_cli.git import open_repository
from ormlift_cli.history import History, read_history
from ormlift_cli.kept import test_module
from ormlift_cli.leaving import DONE, PENDING, leave
from ormlift_cli.options import (
    Codemods,
    ColorWhen,
    Exclude,
    Format,
    Jobs,
    OutputFormat,
    Paths,
    PhaseName,
    Quiet,
    Verbose,
    output_of,
    request_of,
)
from ormlift_cli.phasing import Phasing
from ormlift_cli.project import Project, locate
from ormlift_cli.promises import Verified
from ormlift_cli.promises import verify as ask
from ormlift_cli.render.console import Color
from ormlift_cli.render.verified import as_json, as_text
from ormlift_cli.report import Output
from ormlift_cli.run import Request, look


def verify(
    paths: Paths = None,
    codemod: Codemods = None,
    phase: PhaseName = "",
    exclude: Exclude = None,
    write_tests: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a pytest module that asserts the same, and stop.")
    ] = None,
    mappers: Annotated[
        bool, typer.Option("--mappers", help="Run your code: import its models, configure their mappers, and stop.")
    ] = False,
    python: Annotated[
        str, typer.Option(metavar="PATH", help="With --mappers: the interpreter; default: the project's .venv.")
    ] = "",
    timeout: Annotated[float, typer.Option(min=1, metavar="SECONDS", help="With --mappers: the time limit.")] = 60,
    output_format: OutputFormat = Format.TEXT,
    jobs: Jobs = 0,
    verbose: Verbose = 0,
    quiet: Quiet = False,
    color: ColorWhen = Color.AUTO,
) -> None:
    """Check that the phases keep what they promise; exit code 1 where one does not."""
    request = request_of(paths, codemod, phase, False, exclude, jobs)
    output = output_of(verbose, quiet, color, output_format)
    if write_tests is not None:
        leave(lambda: write(write_tests, request, output))
    if mappers:
        leave(lambda: configure(request, output, python, timeout))
    leave(lambda: run(request, output))


def configure(request: Request, output: Output, python: str, seconds: float) -> int:
    """Import the models in a process of its own, and configure their mappers."""
    from ormlift_cli.mappers import as_json as mappers_json
    from ormlift_cli.mappers import check_mappers, lines
    from ormlift_cli.run import index_of

    project = locate(request.paths)
    check = check_mappers(project, index_of(project, output.console), python, seconds)
    if output.json:
        output.console.out(mappers_json(check))
    else:
        for line in lines(check):
            output.console.out(line)
    return PENDING if check.failures else DONE


def run(request: Request, output: Output) -> int:
    """Check that the phases keep what they promise."""
    found = asked(request, output)
    if output.json:
        output.console.out(as_json(found))
    else:
        for line in as_text(found):
            output.console.out(line)
        for note in found.notes:
            output.console.say(note)
    return PENDING if found.broken else DONE


def asked(request: Request, output: Output) -> Verified:
    """Ask the promises of the project around the request's paths."""
    project = locate(request.paths)
    survey = look(project, request, output.console)
    repository = open_repository(project.root) if project.top else None
    known = repository is not None and repository.repo.head.is_valid()
    history = read_history(repository) if repository is not None and known else History()
    return ask(survey, history, Phasing(project), repository if known else None, request.phase)


def write(file: Path, request: Request, output: Output) -> int:
    """Write the pytest module."""
    project = locate(request.paths)
    if file.exists():
        raise UserError(f"{file}: is there already; remove it first, or name another file")
    try:
        file.write_text(test_module(_names(project, request), file.resolve(), project.root), encoding="utf-8")
    except OSError as error:
        raise UserError(f"{file}: could not be written: {error.strerror or error}") from None
    output.console.say(f"{file}: run it with pytest; it asks what `ormlift verify` asks")
    return DONE


def _names(project: Project, request: Request) -> list[str]:
    if request.phase:
        return [project.config.phase(request.phase).name]
    return [phase.name for phase in project.config.phases] or [""]
