"""What each command does. The answer is the exit code; a mistake of the user is a UserError."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ormlift.model import Failed, Outcome, Planned, UserError

from ormlift_cli.names import unknown
from ormlift_cli.project import Project, locate
from ormlift_cli.report import Output, report_applied, report_diff, report_rollback
from ormlift_cli.run import Request, Survey, survey

if TYPE_CHECKING:
    from ormlift_cli.apply import Applied, Landed
    from ormlift_cli.rollback import Entry

DONE, PENDING, MISTAKE, FAILED = 0, 1, 2, 3


def diff(request: Request, output: Output) -> int:
    """Show what would change."""
    found = _survey(locate(request.paths), request, output)
    report_diff(found, output)
    return _code(found.outcomes, found.mistakes, pending=output.check)


def apply(request: Request, output: Output, *, commit: bool) -> int:
    """Write what is planned, and commit it file by file."""
    from ormlift_cli.apply import commit_all, prepare, write_all
    from ormlift_cli.journal import Journal

    project = locate(request.paths)
    teller = _Teller(output)
    with ExitStack() as stack:
        if commit:
            repository = prepare(project)
            journal = Journal(repository)
            stack.enter_context(journal.held())
            for note in journal.recover():
                output.console.say(note)
        found = _survey(project, request, output)
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
    return _code(outcomes, [*found.mistakes, *_blocked(applied)])


def rollback(run: str, file: Path | None, output: Output) -> int:
    """Take back what runs committed."""
    from ormlift_cli.apply import prepare
    from ormlift_cli.journal import Journal
    from ormlift_cli.rollback import choose, read_history, roll_back

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


def list_codemods(output: Output) -> int:
    """All codemods, one line each."""
    from ormlift.rules import ALL

    from ormlift_cli.render import explain as words

    for line in words.list_codemods(ALL):
        output.console.out(line)
    return DONE


def explain(subject: str, output: Output) -> int:
    """A codemod, a reason, an effect, or what is said of a site."""
    from ormlift.rules import ALL

    from ormlift_cli.render import explain as words

    site = re.fullmatch(r"(.+):(\d+)", subject)
    if site:
        path, line = Path(site[1]), int(site[2])
        found = _survey(locate([path]), Request((path,)), output)
        lines = [text for outcome in found.outcomes for text in words.explain_site(outcome, line)]
        lines += [f"{o.path}: failed: {o.message}" for o in found.outcomes if isinstance(o, Failed)]
        lines = lines or [f"{subject}: no codemod speaks of this line"]
    else:
        lines = words.explain_name(subject, ALL)
        if not lines:
            raise unknown("codemod, reason or effect", subject, words.codes(ALL))
    for text in lines:
        output.console.out(text)
    return DONE


def _survey(project: Project, request: Request, output: Output) -> Survey:
    with output.console.progress() as progress:
        return survey(project, request, progress)


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
        from ormlift_cli.apply import End

        if landed.end in (End.COMMITTED, End.WRITTEN):
            self.done += 1
            if self.output.console.verbose and not self.output.json:
                self.output.console.say(f"{landed.path}: {landed.end} {landed.commit[:12]}".rstrip())


def _with_end(outcome: Outcome, applied: Applied) -> Outcome:
    """A planned file that did not land has failed."""
    from ormlift_cli.apply import End
    from ormlift_cli.tally import failed_with

    landed = applied.landed.get(outcome.path)
    if landed is None or not isinstance(outcome, Planned) or landed.end in (End.COMMITTED, End.WRITTEN):
        return outcome
    return failed_with(outcome, landed.message, "uncommitted" if landed.end is End.BLOCKED else "not-written")


def _blocked(applied: Applied) -> list[str]:
    from ormlift_cli.apply import End

    return [path for path, landed in applied.landed.items() if landed.end is End.BLOCKED]


def _code(outcomes: Iterable[Outcome], mistakes: list[str], *, pending: bool = False) -> int:
    outcomes = list(outcomes)
    blocked = set(mistakes)
    if any(isinstance(outcome, Failed) and outcome.path not in blocked for outcome in outcomes):
        return FAILED
    if mistakes:
        return MISTAKE
    return PENDING if pending and any(isinstance(outcome, Planned) for outcome in outcomes) else DONE


def _already(run: str, file: Path | None, runs: list[str]) -> str:
    if file is not None:
        return f"no commit of ormlift changes {file}, or all are taken back"
    named = run or runs[0]
    older = next((other for other in runs if other != named), "")
    return f"run {named} is taken back already" + (
        f" (an older one: `ormlift rollback --run {older}`)" if older else ""
    )


def _in_work_tree(file: Path, top: Path) -> str:
    import os

    real = Path(os.path.realpath(file))
    if not real.is_relative_to(top):
        raise UserError(f"{file}: lies outside of the repository {top}")
    return real.relative_to(top).as_posix()
