"""`ormlift audit`: the state of the code, and what is wrong with it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from ormlift_cli import ratchet
from ormlift_cli.baseline import NAME
from ormlift_cli.leaving import code_of, leave
from ormlift_cli.options import (
    AuditFormat,
    Codemods,
    ColorWhen,
    Exclude,
    Format,
    Jobs,
    Paths,
    PhaseName,
    Quiet,
    Verbose,
    output_of,
    request_of,
)
from ormlift_cli.project import locate
from ormlift_cli.render.console import Color
from ormlift_cli.report import Output, exchanged, report_of
from ormlift_cli.run import Request, look

Markdown = Annotated[bool, typer.Option("--markdown", help="The same as --output-format markdown.")]
Form = Annotated[AuditFormat, typer.Option("--output-format", help="How to report.")]
WriteBaseline = Annotated[
    bool, typer.Option("--write-baseline", help="Record how many sites each file holds, for --check.")
]
CheckBaseline = Annotated[
    bool, typer.Option("--check", help="Exit code 1 where a file holds more sites than the baseline allows.")
]
BaselineFile = Annotated[Path | None, typer.Option(metavar="FILE", help=f"The baseline; default: {NAME}.")]


def audit(
    paths: Paths = None,
    codemod: Codemods = None,
    phase: PhaseName = "",
    exclude: Exclude = None,
    output_format: Form = AuditFormat.TEXT,
    markdown: Markdown = False,
    write_baseline: WriteBaseline = False,
    check: CheckBaseline = False,
    baseline: BaselineFile = None,
    jobs: Jobs = 0,
    verbose: Verbose = 0,
    quiet: Quiet = False,
    color: ColorWhen = Color.AUTO,
) -> None:
    """Take stock: sites by directory, file and function, faults, refusals, unmapped tables, scopes, phases."""
    request = request_of(paths, codemod, phase, False, exclude, jobs)
    if write_baseline or check:
        given = output_of(verbose, quiet, color, Format.JSON if output_format is AuditFormat.JSON else Format.TEXT)
        leave(lambda: (ratchet.write if write_baseline else ratchet.check)(request, baseline, given))
    request = replace(request, inventory=True)
    form = AuditFormat.MARKDOWN if markdown else output_format
    leave(lambda: run(request, output_of(verbose, quiet, color), form))


def run(request: Request, output: Output, form: AuditFormat) -> int:
    """Survey, and tell."""
    project = locate(request.paths)
    found = look(project, request, output.console)
    if form in (AuditFormat.SARIF, AuditFormat.GITHUB):
        output.console.out(exchanged(found, form))
        return code_of(found.outcomes, found.mistakes)
    from ormlift_cli.auditing import audit as take_stock
    from ormlift_cli.render import audit as words
    from ormlift_cli.texts import sources

    taken = take_stock(found, sources(project))
    if form is AuditFormat.JSON:
        output.console.out(json.dumps({**json.loads(report_of(found)), "audit": words.as_json(taken)}, indent=1))
    elif form is AuditFormat.MARKDOWN:
        output.console.out(words.markdown(taken, found.read).rstrip("\n"))
    else:
        import shutil
        import sys

        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        output.console.out(words.text(taken, found.read, color=output.console.colored(sys.stdout), width=width))
    for mistake in found.mistakes:
        output.console.warn(output.console.paint(mistake, "red"))
    for note in found.notes:
        output.console.say(note)
    return code_of(found.outcomes, found.mistakes)
