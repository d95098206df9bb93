"""`ormlift apply`: what is planned is written, tried, and committed file by file."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from ormlift.model import Outcome, Planned, UserError

from ormlift_cli.apply import (
    Applied,
    End,
    Job,
    Landed,
    branch_name,
    commit_all,
    committer_of,
    open_run,
    prepare,
    switch_branch,
    write_all,
)
from ormlift_cli.commands import diff
from ormlift_cli.compose import Composer
from ormlift_cli.gate import Gatekeeper
from ormlift_cli.git import Repository
from ormlift_cli.journal import Journal
from ormlift_cli.landing import Lander
from ormlift_cli.leaving import code_of, leave
from ormlift_cli.options import (
    Check,
    Codemods,
    ColorWhen,
    DatabaseUrl,
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
from ormlift_cli.phasing import Phasing
from ormlift_cli.project import Project, locate
from ormlift_cli.render.console import Color
from ormlift_cli.report import Output, report_applied
from ormlift_cli.rollout import COMMIT_BY
from ormlift_cli.run import Request, Survey, look
from ormlift_cli.tally import failed_with, postponed_with


@dataclass(frozen=True)
class How:
    """What the command line says beside the request; what it leaves open the configuration says."""

    commit: bool = True
    resume: bool = False
    limit: int | None = None
    commits: dict[str, Any] = field(default_factory=dict)  # fields of Commits
    gate: dict[str, Any] = field(default_factory=dict)  # fields of Gate


def apply(
    paths: Paths = None,
    codemod: Codemods = None,
    phase: PhaseName = "",
    unsafe: Unsafe = False,
    exclude: Exclude = None,
    test: Annotated[str | None, typer.Option(metavar="CMD", help="Take back what these tests fail with.")] = None,
    test_every: Annotated[int | None, typer.Option(min=1, metavar="N", help="Run them once for N files.")] = None,
    import_check: Annotated[bool, typer.Option("--import-check", help="Import each changed module.")] = False,
    limit: Annotated[int | None, typer.Option(min=0, metavar="N", help="Files to change at the most.")] = None,
    commit_by: Annotated[
        str | None, typer.Option(metavar="file|directory|owner", help="What makes one commit.")
    ] = None,
    branch: Annotated[str | None, typer.Option(metavar="NAME", help="Commit on this branch.")] = None,
    sign_off: Annotated[bool, typer.Option("--sign-off", help="Add Signed-off-by to each commit.")] = False,
    sign: Annotated[bool, typer.Option("--sign", help="Sign each commit.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run that was interrupted.")] = False,
    no_commit: Annotated[bool, typer.Option("--no-commit", help="Write the files, and make no commits.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="The same as `ormlift diff`.")] = False,
    output_format: OutputFormat = Format.TEXT,
    check: Check = False,
    jobs: Jobs = 0,
    database_url: DatabaseUrl = "",
    verbose: Verbose = 0,
    quiet: Quiet = False,
    color: ColorWhen = Color.AUTO,
) -> None:
    """Write the changes, one commit for each file."""
    request = replace(request_of(paths, codemod, phase, unsafe, exclude, jobs), database_url=database_url)
    output = output_of(verbose, quiet, color, output_format, check)
    if dry_run or check:
        leave(lambda: diff.run(request, output))
    if commit_by is not None and commit_by not in COMMIT_BY:
        raise typer.BadParameter(f"'{commit_by}' is none of {', '.join(COMMIT_BY)}", param_hint="--commit-by")
    commits = {"by": commit_by, "branch": branch, "sign_off": sign_off or None, "sign": "yes" if sign else None}
    gate = {"test": test, "test_every": test_every, "import_check": import_check or None}
    how = How(not no_commit, resume, limit, _given(commits), _given(gate))
    leave(lambda: run(request, output, how))


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def run(request: Request, output: Output, how: How) -> int:
    """Write what is planned, and commit it file by file."""
    project = locate(request.paths)
    teller = _Teller(output)
    with ExitStack() as stack:
        if how.commit:
            repository = prepare(project)
            journal = Journal(repository)
            stack.enter_context(journal.held())
            for note in journal.recover():
                output.console.say(note)
            if how.resume:
                request, how = _resumed(journal, repository, request.jobs)
                project = locate(request.paths)
            _go_to_branch(project, request, how, repository)
        elif how.resume:
            raise UserError("--resume goes on with a run that makes commits; leave out --no-commit")
        found = look(project, request, output.console)
        plans = [outcome for outcome in found.outcomes if isinstance(outcome, Planned)]
        job = _job(project, request, how, teller)
        if plans:
            job.gate.baseline()
        try:
            applied = _commit(plans, job, request, how, repository, journal) if how.commit else write_all(plans, job)
        except KeyboardInterrupt as interrupt:
            if how.commit:
                journal.recover()
            goes_on = "`ormlift apply --resume` goes on" if how.commit else "run it again to go on"
            interrupt.args = (f"{teller.done} of {len(plans)} files are done; {goes_on}",)
            raise
    return _tell(found, applied, output)


def _tell(found: Survey, applied: Applied, output: Output) -> int:
    outcomes = [_with_end(outcome, applied) for outcome in found.outcomes]
    report_applied(replace(found, outcomes=outcomes), applied, output)
    return code_of(outcomes, [*found.mistakes, *_blocked(applied)])


def _job(project: Project, request: Request, how: How, teller: _Teller) -> Job:
    limit = project.config.phase(request.phase).limit if request.phase and how.limit is None else how.limit or 0
    base = project.top or project.root if how.commit else project.root
    gate = Gatekeeper(project.root, base, replace(project.config.gate, **how.gate))
    return Job(project, gate, teller, limit)


def _commit(
    plans: Sequence[Planned], job: Job, request: Request, how: How, repository: Repository, journal: Journal
) -> Applied:
    choice = replace(job.project.config.commits, **how.commits)
    run = open_run(journal, _described(request, how), repository)
    composer = Composer(choice, Phasing(job.project), job.project.prefix, run, request.phase, request.unsafe)
    lander = Lander(repository, journal, committer_of(repository, journal, composer))
    applied = commit_all(plans, job, composer, lander, repository)
    if not applied.stopped:
        journal.close_run()
    return applied


def _go_to_branch(project: Project, request: Request, how: How, repository: Repository) -> None:
    """The branch that the command line or, for a phase, the configuration names."""
    template = str(how.commits.get("branch", ""))
    if "{phase}" in template and not request.phase:
        raise UserError("--branch: {phase} stands for the phase; name it with --phase")
    if not template and request.phase:
        template = project.config.commits.branch
    if template:
        switch_branch(repository, branch_name(template, request.phase))


def _described(request: Request, how: How) -> dict[str, object]:
    """What was asked for, so that the same request, or --resume, goes on with an interrupted run."""
    paths = sorted(str(path.resolve()) for path in request.paths)
    return {
        "paths": paths,
        "codemods": list(request.codemods),
        "phase": request.phase,
        "unsafe": request.unsafe,
        "exclude": list(request.exclude),
        "skip": [list(site) for site in request.skip],
        "limit": how.limit,
        "commits": how.commits,
        "gate": how.gate,
    }


def _resumed(journal: Journal, repository: Repository, jobs: int) -> tuple[Request, How]:
    """The request of the run that was interrupted. Raises UserError where there is none."""
    note = journal.left()
    if note is None:
        raise UserError("nothing to resume: no run was interrupted here")
    if note.branch != repository.branch():
        branch = note.branch.removeprefix("refs/heads/") or "a detached HEAD"
        raise UserError(f"the run was interrupted on {branch}; check that out first")
    asked: dict[str, Any] = dict(note.request)
    paths, codemods, exclude = tuple(map(Path, asked["paths"])), tuple(asked["codemods"]), tuple(asked["exclude"])
    how = How(limit=asked["limit"], commits=asked["commits"], gate=asked["gate"])
    again = Request(paths, codemods, asked["phase"], asked["unsafe"], exclude, jobs)
    return replace(again, skip=tuple((path, codemod, line) for path, codemod, line in asked["skip"])), how


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
    """A planned file that did not land has failed, or waits for the next run."""
    landed = applied.landed.get(outcome.path)
    if landed is None or not isinstance(outcome, Planned) or landed.end in (End.COMMITTED, End.WRITTEN):
        return outcome
    if landed.end is End.POSTPONED:
        return postponed_with(outcome, landed.message)
    code = "uncommitted" if landed.end is End.BLOCKED else "taken-back" if landed.step else "not-written"
    return failed_with(outcome, landed.message, code)


def _blocked(applied: Applied) -> list[str]:
    return [path for path, landed in applied.landed.items() if landed.end is End.BLOCKED]
