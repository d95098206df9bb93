"""`ormlift apply`: what is planned is written, and committed file by file."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import astuple, dataclass, replace
from typing import Annotated

import typer
from ormlift.model import Outcome, Planned

from ormlift_cli.apply import Applied, End, Landed, commit_all, prepare, write_all
from ormlift_cli.commands import diff
from ormlift_cli.journal import Journal
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
from ormlift_cli.report import Output, report_applied
from ormlift_cli.run import Request, look
from ormlift_cli.tally import failed_with


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
    request = request_of(paths, codemod, phase, unsafe, exclude, jobs)
    output = output_of(verbose, quiet, color, output_format, check)
    if dry_run or check:
        leave(lambda: diff.run(request, output))
    leave(lambda: run(request, output, commit=not no_commit))


def run(request: Request, output: Output, *, commit: bool) -> int:
    """Write what is planned, and commit it file by file."""
    project = locate(request.paths)
    teller = _Teller(output)
    with ExitStack() as stack:
        if commit:
            repository = prepare(project)
            journal = Journal(repository)
            stack.enter_context(journal.held())
            for note in journal.recover():
                output.console.say(note)
        found = look(project, request, output.console)
        plans = [outcome for outcome in found.outcomes if isinstance(outcome, Planned)]
        try:
            if commit:
                applied = commit_all(plans, project, repository, journal, _described(request), teller)
            else:
                applied = write_all(plans, project, teller)
        except KeyboardInterrupt as interrupt:
            if commit:
                journal.recover()
            interrupt.args = (f"{teller.done} of {len(plans)} files are done; the next apply goes on",)
            raise
    outcomes = [_with_end(outcome, applied) for outcome in found.outcomes]
    report_applied(replace(found, outcomes=outcomes), applied, output)
    return code_of(outcomes, [*found.mistakes, *_blocked(applied)])


def _described(request: Request) -> str:
    """What was asked for, so that only the same request goes on with an interrupted run."""
    asked = replace(request, jobs=0, paths=tuple(sorted(path.resolve() for path in request.paths)))
    return repr(astuple(asked))


@dataclass
class _Teller:
    """Counts files as they land, and tells of them with -v."""

    output: Output
    done: int = 0

    def __call__(self, landed: Landed) -> None:
        if landed.end in (End.COMMITTED, End.WRITTEN):
            self.done += 1
            if self.output.console.verbose and not self.output.json:
                self.output.console.say(f"{landed.path}: {landed.end} {landed.commit[:12]}".rstrip())


def _with_end(outcome: Outcome, applied: Applied) -> Outcome:
    """A planned file that did not land has failed."""
    landed = applied.landed.get(outcome.path)
    if landed is None or not isinstance(outcome, Planned) or landed.end in (End.COMMITTED, End.WRITTEN):
        return outcome
    return failed_with(outcome, landed.message, "uncommitted" if landed.end is End.BLOCKED else "not-written")


def _blocked(applied: Applied) -> list[str]:
    return [path for path, landed in applied.landed.items() if landed.end is End.BLOCKED]
