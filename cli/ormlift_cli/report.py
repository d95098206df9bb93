"""What a command did, told as text or as JSON."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ormlift.model import Planned, Source

from ormlift_cli.project import Project
from ormlift_cli.run import Survey

if TYPE_CHECKING:
    from ormlift_cli.apply import Applied
    from ormlift_cli.render.console import Console
    from ormlift_cli.rollback import Entry, RolledBack


@dataclass(frozen=True)
class Output:
    """How to report."""

    console: Console
    json: bool = False
    check: bool = False


def report_diff(found: Survey, output: Output) -> None:
    """The diff on stdout, and the account on stderr."""
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


def report_applied(found: Survey, applied: Applied, output: Output) -> None:
    """The account, the run and its commits."""
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


def report_rollback(result: RolledBack, console: Console) -> None:
    """What was taken back, and what was not."""
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
