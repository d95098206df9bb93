"""The options that mean the same in every command."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ormlift_cli.render.console import Color, Console
from ormlift_cli.report import Output
from ormlift_cli.run import Request


class Format(StrEnum):
    """How to report."""

    TEXT = "text"
    JSON = "json"


class DiffFormat(StrEnum):
    """How to report what would change."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"
    GITHUB = "github"


class AuditFormat(StrEnum):
    """How to report an audit."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    SARIF = "sarif"
    GITHUB = "github"


Paths = Annotated[list[Path] | None, typer.Argument(help="Files and directories; default: the whole project.")]
Codemods = Annotated[list[str] | None, typer.Option("--codemod", metavar="ID", help="Only this codemod (repeatable).")]
PhaseName = Annotated[str, typer.Option("--phase", metavar="NAME", help="Only the paths and codemods of this phase.")]
Unsafe = Annotated[bool, typer.Option("--unsafe", help="Also rewrites that have effects.")]
Exclude = Annotated[list[str] | None, typer.Option(metavar="GLOB", help="Leave these files as they are (repeatable).")]
OutputFormat = Annotated[Format, typer.Option(help="How to report.")]
Check = Annotated[bool, typer.Option("--check", help="Write nothing; exit code 1 if there is something to rewrite.")]
Jobs = Annotated[int, typer.Option(min=0, metavar="N", help="Worker processes; 0: one for each core.")]
DatabaseUrl = Annotated[
    str,
    typer.Option(
        metavar="URL",
        help="Try statements on this PostgreSQL or MySQL server too, in a scratch schema dropped at the end.",
    ),
]
Verbose = Annotated[int, typer.Option("-v", "--verbose", count=True, help="Each site in one line; -vv: tracebacks.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Only results and failures.")]
ColorWhen = Annotated[Color, typer.Option(help="Color in the output.")]


def request_of(
    paths: list[Path] | None, codemod: list[str] | None, phase: str, unsafe: bool, exclude: list[str] | None, jobs: int
) -> Request:
    """What was asked for."""
    return Request(tuple(paths or ()), tuple(codemod or ()), phase, unsafe, tuple(exclude or ()), jobs)


def output_of(
    verbose: int = 0, quiet: bool = False, color: Color = Color.AUTO, form: Format = Format.TEXT, check: bool = False
) -> Output:
    """How to report it."""
    return Output(Console(verbose, quiet, color), form is Format.JSON, check)
