"""`ormlift diff`: what would change, and nothing else."""

from __future__ import annotations

from ormlift_cli.leaving import code_of, leave
from ormlift_cli.options import (
    Check,
    Codemods,
    ColorWhen,
    Exclude,
    Format,
    Jobs,
    OutputFormat,
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
from ormlift_cli.report import Output, report_diff
from ormlift_cli.run import Request, look


def diff(
    paths: Paths = None,
    codemod: Codemods = None,
    phase: PhaseName = "",
    unsafe: Unsafe = False,
    exclude: Exclude = None,
    output_format: OutputFormat = Format.TEXT,
    check: Check = False,
    jobs: Jobs = 0,
    verbose: Verbose = 0,
    quiet: Quiet = False,
    color: ColorWhen = Color.AUTO,
) -> None:
    """Show what would change: a diff on stdout that `git apply` takes, the summary on stderr."""
    request = request_of(paths, codemod, phase, unsafe, exclude, jobs)
    output = output_of(verbose, quiet, color, output_format, check)
    leave(lambda: run(request, output))


def run(request: Request, output: Output) -> int:
    """Show what would change."""
    found = look(locate(request.paths), request, output.console)
    report_diff(found, output)
    return code_of(found.outcomes, found.mistakes, pending=output.check)
