"""`ormlift rollback`: what runs committed is taken back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from ormlift.model import UserError

from ormlift_cli.apply import prepare
from ormlift_cli.journal import Journal
from ormlift_cli.leaving import DONE, FAILED, MISTAKE, leave
from ormlift_cli.options import ColorWhen, Quiet, Verbose, output_of
from ormlift_cli.project import locate
from ormlift_cli.render.console import Color
from ormlift_cli.report import Output, report_rollback
from ormlift_cli.rollback import Entry, choose, read_history, roll_back


def rollback(
    run: Annotated[str, typer.Option("--run", metavar="ID", help="The run to take back; default: the newest.")] = "",
    file: Annotated[Path | None, typer.Option("--file", metavar="PATH", help="Only the commits of this file.")] = None,
    verbose: Verbose = 0,
    quiet: Quiet = False,
    color: ColorWhen = Color.AUTO,
) -> None:
    """Take back a run or a file, by one revert commit for each of its commits."""
    leave(lambda: take_back(run, file, output_of(verbose, quiet, color)))


def take_back(run: str, file: Path | None, output: Output) -> int:
    """Take back what runs committed."""
    project = locate([file] if file else [])
    repository = prepare(project)
    journal = Journal(repository)
    console = output.console
    with journal.held():
        for note in journal.recover():
            console.say(note)
        history = read_history(repository)
        entries = choose(history, run, _in_work_tree(file, repository.top) if file else None)
        if not entries:
            console.say(f"nothing to take back: {_already(run, file, history.runs)}")
            return DONE
        done: list[Entry] = []
        try:
            result = roll_back(entries, repository, journal, done.append)
        except KeyboardInterrupt as interrupt:
            journal.recover()
            interrupt.args = (f"{len(done)} of {len(entries)} commits are taken back; the same command goes on",)
            raise
    report_rollback(result, console)
    return FAILED if result.stopped else MISTAKE if result.blocked else DONE


def _already(run: str, file: Path | None, runs: list[str]) -> str:
    if file is not None:
        return f"no commit of ormlift changes {file}, or all are taken back"
    named = run or runs[0]
    older = next((other for other in runs if other != named), "")
    return f"run {named} is taken back already" + (
        f" (an older one: `ormlift rollback --run {older}`)" if older else ""
    )


def _in_work_tree(file: Path, top: Path) -> str:
    real = Path(os.path.realpath(file))
    if not real.is_relative_to(top):
        raise UserError(f"{file}: lies outside of the repository {top}")
    return real.relative_to(top).as_posix()
