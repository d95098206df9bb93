"""The command line: options in, exit code out."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer
from ormlift import __version__
from ormlift.model import UserError

from ormlift_cli.render.console import Color, Console

app = typer.Typer(
    name="ormlift",
    help="Moves a Python codebase from raw DB-API SQL and hand-managed sessions to the SQLAlchemy ORM.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


class Format(StrEnum):
    """How to report."""

    TEXT = "text"
    JSON = "json"


Paths = Annotated[list[Path] | None, typer.Argument(help="Files and directories; default: the whole project.")]
Codemods = Annotated[list[str] | None, typer.Option("--codemod", metavar="ID", help="Only this codemod (repeatable).")]
PhaseName = Annotated[str, typer.Option("--phase", metavar="NAME", help="Only the paths and codemods of this phase.")]
Unsafe = Annotated[bool, typer.Option("--unsafe", help="Also rewrites that have effects.")]
Exclude = Annotated[list[str] | None, typer.Option(metavar="GLOB", help="Leave these files as they are (repeatable).")]
OutputFormat = Annotated[Format, typer.Option(help="How to report.")]
Check = Annotated[bool, typer.Option("--check", help="Write nothing; exit code 1 if there is something to rewrite.")]
Jobs = Annotated[int, typer.Option(min=0, metavar="N", help="Worker processes; 0: one for each core.")]
Verbose = Annotated[int, typer.Option("-v", "--verbose", count=True, help="Each site in one line; -vv: tracebacks.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Only results and failures.")]
ColorWhen = Annotated[Color, typer.Option(help="Color in the output.")]


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.", is_eager=True)] = False,
) -> None:
    if version:
        _print_version()
        raise typer.Exit
    if context.invoked_subcommand is None:
        raise typer.Exit(2)


def _print_version() -> None:
    print(f"ormlift {__version__}")  # noqa: T201


@app.command()
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
    from ormlift_cli import commands
    from ormlift_cli.report import Output
    from ormlift_cli.run import Request

    request = Request(tuple(paths or ()), tuple(codemod or ()), phase, unsafe, tuple(exclude or ()), jobs)
    output = Output(Console(verbose, quiet, color), output_format is Format.JSON, check)
    _exit(lambda: commands.diff(request, output))


@app.command()
def apply(
    paths: Paths = None,
    codemod: Codemods = None,
    phase: PhaseName = "",
    unsafe: Unsafe = False,
    exclude: Exclude = None,
    no_commit: Annotated[bool, typer.Option("--no-commit", help="Write the files, and make no commits.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="The same as `ormlift diff`.")] = False,
    output_format: OutputFormat = Format.TEXT,
    check: Check = False,
    jobs: Jobs = 0,
    verbose: Verbose = 0,
    quiet: Quiet = False,
    color: ColorWhen = Color.AUTO,
) -> None:
    """Write the changes, one commit for each file."""
    from ormlift_cli import commands
    from ormlift_cli.report import Output
    from ormlift_cli.run import Request

    request = Request(tuple(paths or ()), tuple(codemod or ()), phase, unsafe, tuple(exclude or ()), jobs)
    output = Output(Console(verbose, quiet, color), output_format is Format.JSON, check)
    if dry_run or check:
        _exit(lambda: commands.diff(request, output))
    _exit(lambda: commands.apply(request, output, commit=not no_commit))


@app.command()
def rollback(
    run: Annotated[str, typer.Option("--run", metavar="ID", help="The run to take back; default: the newest.")] = "",
    file: Annotated[Path | None, typer.Option("--file", metavar="PATH", help="Only the commits of this file.")] = None,
    verbose: Verbose = 0,
    quiet: Quiet = False,
    color: ColorWhen = Color.AUTO,
) -> None:
    """Take back a run or a file, by one revert commit for each of its commits."""
    from ormlift_cli import commands
    from ormlift_cli.report import Output

    _exit(lambda: commands.rollback(run, file, Output(Console(verbose, quiet, color))))


@app.command()
def codemods(color: ColorWhen = Color.AUTO) -> None:
    """List the codemods."""
    from ormlift_cli import commands
    from ormlift_cli.report import Output

    _exit(lambda: commands.list_codemods(Output(Console(color=color))))


@app.command()
def explain(
    subject: Annotated[str, typer.Argument(metavar="ID|REASON|FILE:LINE", help="What to explain.")],
    color: ColorWhen = Color.AUTO,
) -> None:
    """Tell what a codemod, a reason, an effect or a site means."""
    from ormlift_cli import commands
    from ormlift_cli.report import Output

    _exit(lambda: commands.explain(subject, Output(Console(color=color))))


def _exit(command: Callable[[], int]) -> NoReturn:
    """Run a command, and leave with its exit code. A traceback is shown only with -vv."""
    try:
        code = command()
        sys.stdout.flush()
    except UserError as error:
        code = _failed(f"ormlift: {error}", 2)
    except KeyboardInterrupt as error:
        done = error.args[0] if error.args else "nothing was written"
        code = _failed(f"ormlift: interrupted: {done}", 143 if isinstance(error, _TerminatedError) else 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left in the buffer goes nowhere
        code = 141
    except Exception as error:  # noqa: BLE001, RUF100 - the last resort: people get a line, not a traceback
        line = next(iter(str(error).splitlines()), "")
        hint = "this is a bug of ormlift; run again with -vv and report what it shows"
        code = _failed(f"ormlift: {type(error).__name__}: {line}; {hint}", 70)
    raise typer.Exit(code)


def _failed(line: str, code: int) -> int:
    if any(argument.startswith("-vv") for argument in sys.argv):
        import traceback

        traceback.print_exc()
    print(line, file=sys.stderr)  # noqa: T201
    return code


class _TerminatedError(KeyboardInterrupt):
    """SIGTERM: cleared up after as Ctrl-C is."""


def _terminated(_: int, __: FrameType | None) -> NoReturn:
    raise _TerminatedError


def main() -> None:
    """Run the command line."""
    if sys.argv[1:] == ["--version"]:
        _print_version()  # at once: reading options costs 0.1 s, most of it for typer's own imports
        return
    signal.signal(signal.SIGTERM, _terminated)
    app()
