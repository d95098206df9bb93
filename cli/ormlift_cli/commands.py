"""What each command does. The answer is the exit code; a mistake of the user is a UserError."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ormlift.model import Failed, Outcome, Planned, Source, UserError

from ormlift_cli.names import unknown
from ormlift_cli.project import Project, locate
from ormlift_cli.run import Request, Survey, survey

if TYPE_CHECKING:
    from ormlift_cli.apply import Applied, Landed
    from ormlift_cli.render.console import Console
    from ormlift_cli.rollback import Entry, RolledBack

DONE, PENDING, MISTAKE, FAILED = 0, 1, 2, 3


@dataclass(frozen=True)
class Output:
    """How to report."""

    console: Console
    json: bool = False
    check: bool = False


def diff(request: Request, output: Output) -> int:
    """Show what would change."""
    found = _survey(locate(request.paths), request, output)
    _report_diff(found, output)
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
    _report_applied(replace(found, outcomes=outcomes), applied, output)
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
    _report_rollback(result, console)
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


# Reports


def _report_diff(found: Survey, output: Output) -> None:
    from ormlift.diff import unified_bytes

    from ormlift_cli.render import text

    if output.json:
        _report_json(found, output)
        return
    for outcome in found.outcomes:
        if isinstance(outcome, Planned):
            output.console.diff(unified_bytes(*_from_top(outcome, found.project)))
    _tell(found, output.console)
    text.tell_next(found.outcomes, "diff", output.console)


def _from_top(plan: Planned, project: Project) -> tuple[Source, Source]:
    """Before and after with the path that `git apply` knows them by."""
    path = project.prefix + plan.path
    return replace(plan.before, path=path), replace(plan.after, path=path)


def _report_applied(found: Survey, applied: Applied, output: Output) -> None:
    from ormlift_cli.render import text

    if output.json:
        _report_json(found, output, applied)
        return
    console = output.console
    _tell(found, console)
    landed = sum(isinstance(outcome, Planned) for outcome in found.outcomes)
    if applied.run and landed:
        console.say(f"run {applied.run}: {landed} {'commit' if landed == 1 else 'commits'}, one for each file")
    text.tell_next(found.outcomes, "apply" if applied.run else "written", console)


def _tell(found: Survey, console: Console) -> None:
    from ormlift_cli.render import text

    for mistake in found.mistakes:
        console.warn(console.paint(mistake, "red"))
    for note in found.notes:
        console.say(note)
    text.tell_files(found.outcomes, console)
    text.tell_account(found.outcomes, found.read, console)


def _report_json(found: Survey, output: Output, applied: Applied | None = None) -> None:
    from ormlift.diff import unified

    from ormlift_cli.render.json import report

    plans = [outcome for outcome in found.outcomes if isinstance(outcome, Planned)]
    diffs = {plan.path: unified(*_from_top(plan, found.project)) for plan in plans}
    notes = [*found.mistakes, *found.notes]
    output.console.out(report(str(found.project.root), found.outcomes, found.read, notes, diffs, applied))


def _report_rollback(result: RolledBack, console: Console) -> None:
    for note in result.notes:
        console.say(note)
    for entry in result.reverted:
        if console.verbose:
            console.say(f"{entry.path}: took back {entry.commit[:12]}")
    for path, why in result.blocked.items():
        console.warn(console.paint(f"{path}: not taken back: {why}", "red"))
    if result.stopped:
        console.warn(console.paint(f"stopped at {result.stopped}", "red"))
    left = f", {len(result.left)} left: {_listed(result.left)}" if result.left else ""
    commits = f"{len(result.reverted)} commit{'' if len(result.reverted) == 1 else 's'}"
    console.say(f"{commits} of run {', '.join(result.runs)} taken back{left}")


def _listed(entries: list[Entry]) -> str:
    paths = list(dict.fromkeys(entry.path for entry in entries))
    return ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")


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
