"""`ormlift rollback`: what runs committed is taken back."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from ormlift.model import UserError

from ormlift_cli.abort import Begun, abort, begin, forget
from ormlift_cli.apply import new_run, prepare
from ormlift_cli.committing import Committer
from ormlift_cli.git import Repository
from ormlift_cli.history import History, read_history
from ormlift_cli.journal import Journal
from ormlift_cli.landing import Lander
from ormlift_cli.leaving import DONE, FAILED, MISTAKE, leave
from ormlift_cli.options import Codemods, ColorWhen, Quiet, Verbose, output_of
from ormlift_cli.project import Project, locate
from ormlift_cli.render.console import Color
from ormlift_cli.report import Output, report_rollback, report_rollback_plan
from ormlift_cli.rollback import Choice, Plan, Unit, choose, plan_rollback, roll_back


def rollback(
    run: Annotated[str, typer.Option("--run", metavar="ID", help="The run to take back; default: the newest.")] = "",
    phase: Annotated[str, typer.Option("--phase", metavar="NAME", help="What runs did in this phase.")] = "",
    codemod: Codemods = None,
    file: Annotated[Path | None, typer.Option("--file", metavar="PATH", help="What runs did to this file.")] = None,
    since: Annotated[str, typer.Option(metavar="DATE", help="What runs did since: 2026-03-14, or with a time.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be taken back, and its diff.")] = False,
    stop: Annotated[bool, typer.Option("--abort", help="Undo a rollback that could not end.")] = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
    color: ColorWhen = Color.AUTO,
) -> None:
    """Take back runs, by one revert commit for each of their commits; the options narrow what is taken back."""
    output = output_of(verbose, quiet, color)
    if stop:
        leave(lambda: undo(output))
    leave(lambda: take_back(Wanted(run, phase, tuple(codemod or ()), file, since), output, dry_run=dry_run))


class Wanted:
    """What was asked for on the command line."""

    def __init__(
        self, run: str = "", phase: str = "", codemods: tuple[str, ...] = (), file: Path | None = None, since: str = ""
    ) -> None:
        self.run, self.phase, self.codemods, self.file, self.since = run, phase, codemods, file, since

    def choice(self, project: Project, top: Path) -> Choice:
        """The same, checked. Raises UserError."""
        if self.phase and project.config.phases:
            project.config.phase(self.phase)
        path = _in_work_tree(self.file, top) if self.file else ""
        return Choice(self.run, self.phase, self.codemods, path, _seconds(self.since) if self.since else 0)


def take_back(wanted: Wanted, output: Output, *, dry_run: bool = False) -> int:
    """Take back what runs committed."""
    project = locate([wanted.file] if wanted.file else [])
    repository = prepare(project)
    journal = Journal(repository)
    with journal.held():
        for note in journal.recover():
            output.console.say(note)
        history = read_history(repository)
        choice = wanted.choice(project, repository.top)
        entries = choose(history, choice)
        if not entries:
            output.console.say(f"nothing to take back: {_already(choice, wanted.file, history)}")
            return DONE
        plan = plan_rollback(entries, repository)
        if dry_run:
            report_rollback_plan(plan, output.console)
            return _code(plan)
        return _do(plan, project, repository, journal, output)


def _do(plan: Plan, project: Project, repository: Repository, journal: Journal, output: Output) -> int:
    done: list[Unit] = []
    run = new_run()
    lander = Lander(repository, journal, Committer(repository, project.config.commits, journal.committing))
    journal.close_run()  # an apply that was interrupted is not to be gone on with
    begin(journal, Begun(run, repository.head()))
    try:
        result = roll_back(plan, run, lander, done.append)
    except KeyboardInterrupt as interrupt:
        journal.recover()
        count = f"{len(done)} of {len(plan.units)} commits are taken back"
        interrupt.args = (f"{count}; the same command goes on, `ormlift rollback --abort` undoes them",)
        raise
    if not (result.stopped or plan.left) or not result.done:
        forget(journal)
    report_rollback(result, run, output.console)
    return FAILED if result.stopped else _code(plan)


def _code(plan: Plan) -> int:
    return FAILED if plan.conflicts else MISTAKE if plan.blocked else DONE


def undo(output: Output) -> int:
    """Undo a rollback that could not end."""
    project = locate([])
    repository = prepare(project)
    journal = Journal(repository)
    with journal.held():
        for note in journal.recover():
            output.console.say(note)
        committer = Committer(repository, project.config.commits, journal.committing)
        try:
            count = abort(repository, journal, committer)
        except KeyboardInterrupt as interrupt:
            journal.recover()
            interrupt.args = ("the same command goes on",)
            raise
    gone = f"{count} revert commit{' is' if count == 1 else 's are'} gone from the branch"
    output.console.say(f"the rollback is undone: {gone}")
    return DONE


def _already(choice: Choice, file: Path | None, history: History) -> str:
    if file is not None and choice == Choice(path=choice.path):
        return f"no commit of ormlift changes {file}, or all are taken back"
    if choice not in (Choice(), Choice(run=choice.run)):
        return "no commit of ormlift fits, or all that do are taken back"
    applied = [run for run in history.runs if not history.is_rollback(run)]
    named = choice.run or (applied or history.runs)[0]
    older = next((other for other in applied if other != named), "")
    return f"run {named} is taken back already" + (
        f" (an older one: `ormlift rollback --run {older}`)" if older else ""
    )


def _seconds(date: str) -> int:
    try:
        return int(datetime.fromisoformat(date).timestamp())
    except ValueError:
        raise UserError(f"--since: '{date}' is no date; write it as 2026-03-14 or 2026-03-14T09:30") from None


def _in_work_tree(file: Path, top: Path) -> str:
    real = Path(os.path.realpath(file))
    if not real.is_relative_to(top):
        raise UserError(f"{file}: lies outside of the repository {top}")
    return real.relative_to(top).as_posix()
