"""`ormlift diff`: what would change, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from ormlift_cli.leaving import code_of, leave
from ormlift_cli.options import (
    Check,
    Codemods,
    ColorWhen,
    DatabaseUrl,
    DiffFormat,
    Exclude,
    Format,
    Jobs,
    Paths,
    PhaseName,
    Quiet,
    Unsafe,
    Verbose,
    output_of,
    request_of,
)
from ormlift_cli.project import locate
from ormlift_cli.render.console import Color
from ormlift_cli.report import Output, exchanged, report_diff
from ormlift_cli.run import Request, look

DiffOutput = Annotated[DiffFormat, typer.Option("--output-format", help="How to report.")]


def diff(
    paths: Paths = None,
    codemod: Codemods = None,
    phase: PhaseName = "",
    unsafe: Unsafe = False,
    exclude: Exclude = None,
    output_format: DiffOutput = DiffFormat.TEXT,
    check: Check = False,
    jobs: Jobs = 0,
    database_url: DatabaseUrl = "",
    verbose: Verbose = 0,
    quiet: Quiet = False,
    color: ColorWhen = Color.AUTO,
) -> None:
    """Show what would change: a diff on stdout that `git apply` takes, the summary on stderr."""
    request = replace(request_of(paths, codemod, phase, unsafe, exclude, jobs), database_url=database_url)
    output = output_of(verbose, quiet, color, Format.JSON if output_format is DiffFormat.JSON else Format.TEXT, check)
    leave(lambda: run(request, output, output_format))


def run(request: Request, output: Output, form: DiffFormat = DiffFormat.TEXT) -> int:
    """Show what would change."""
    found = look(locate(request.paths), request, output.console)
    if form in (DiffFormat.SARIF, DiffFormat.GITHUB):
        output.console.out(exchanged(found, form))
    else:
        report_diff(found, output)
    return code_of(found.outcomes, found.mistakes, pending=output.check)
