"""What a command did, told as text or as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ormlift.model import Planned, Source

from ormlift_cli.project import Project
from ormlift_cli.run import Survey

if TYPE_CHECKING:
    from ormlift_cli.apply import Applied
    from ormlift_cli.history import Entry
    from ormlift_cli.render.console import Console
    from ormlift_cli.rollback import Plan, RolledBack


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
    for note in applied.notes:
        console.say(note)
    _tell_gate(applied, console)
    if applied.stopped:
        on = "`ormlift apply --resume` goes on" if applied.run else "run it again to go on"
        console.warn(console.paint(f"stopped: {applied.stopped}; {on}", "red"))
    landed = [one for one in applied.landed.values() if one.commit]
    if landed:
        files, commits = len(landed), len({one.commit for one in landed})
        made = f"{commits} {'commit' if commits == 1 else 'commits'}"
        console.say(f"run {applied.run}: {made}, " + ("one for each file" if files == commits else f"{files} files"))
    text.tell_next(found.outcomes, "apply" if applied.run else "written", console)


def _tell_gate(applied: Applied, console: Console) -> None:
    """What the gate said of the files that it took back."""
    for landed in applied.landed.values():
        if landed.step and landed.output:
            console.warn(f"{landed.path}: the end of what `{landed.step}` said:")
            for line in landed.output.rstrip().splitlines()[-8:]:
                console.warn(f"    {line}")
    if applied.tests:
        console.say(f"the tests were run {applied.tests} times")


def _tell(found: Survey, console: Console) -> None:
    from ormlift_cli.render import text

    for mistake in found.mistakes:
        console.warn(console.paint(mistake, "red"))
    for note in found.notes:
        console.say(note)
    text.tell_files(found.outcomes, console)
    text.tell_account(found.outcomes, found.read, console)


def exchanged(found: Survey, form: str) -> str:
    """The findings for other programs, `sarif` or `github`; paths count from the repository's top."""
    from ormlift_cli.render.exchange import github, sarif

    if form == "sarif":
        return sarif(found.outcomes, found.project.prefix)
    return "\n".join(github(found.outcomes, found.project.prefix))


def _report_json(found: Survey, output: Output, applied: Applied | None = None) -> None:
    output.console.out(report_of(found, applied))


def report_of(found: Survey, applied: Applied | None = None) -> str:
    """The survey as one JSON object."""
    from ormlift.diff import unified

    from ormlift_cli.render.json import report

    plans = [outcome for outcome in found.outcomes if isinstance(outcome, Planned)]
    diffs = {plan.path: unified(*_from_top(plan, found.project)) for plan in plans}
    notes = [*found.mistakes, *found.notes, *(applied.notes if applied else ())]
    return report(str(found.project.root), found.outcomes, found.read, notes, diffs, applied)


def report_rollback_plan(plan: Plan, console: Console) -> None:
    """What would be taken back: the diff on stdout, the rest on stderr."""
    from ormlift.diff import unified_bytes
    from ormlift.source import decode

    first: dict[str, bytes] = {}
    last: dict[str, bytes] = {}
    for unit in plan.units:
        for change in unit.changes:
            first.setdefault(change.path, change.before or b"")
            last[change.path] = change.after or b""
            console.say(f"{change.path}: would take back {unit.made.commit[:12]} {unit.made.title}")
    for path, before in first.items():
        console.diff(unified_bytes(decode(path, before), decode(path, last[path])))
    _tell_left(plan, console)
    console.say(f"{_commits(len(plan.units))} would be taken back{_left(plan.left)}")


def report_rollback(result: RolledBack, run: str, console: Console) -> None:
    """What was taken back, and what was not."""
    for unit in result.done:
        if console.verbose:
            for change in unit.changes:
                console.say(f"{change.path}: took back {unit.made.commit[:12]}")
    _tell_left(result.plan, console)
    if result.stopped:
        console.warn(console.paint(f"stopped at {result.stopped}", "red"))
    done = {unit.made.commit for unit in result.done}
    undone = [unit for unit in result.plan.units if unit.made.commit not in done]
    left = [*(c.path for unit in undone for c in unit.changes), *(entry.path for entry in result.plan.left)]
    runs = ", ".join(dict.fromkeys(unit.made.run for unit in result.plan.units))
    of = f" of run {runs}" if runs else ""
    console.say(f"{_commits(len(result.done))}{of} taken back{_left(left)}")
    if result.done:
        back = "`ormlift rollback --abort` undoes this" if left else f"`ormlift rollback --run {run}` undoes this"
        console.say(console.paint(f"Next: {back}", "dim"))


def _tell_left(plan: Plan, console: Console) -> None:
    for note in plan.notes:
        console.say(note)
    for path, why in plan.blocked.items():
        console.warn(console.paint(f"{path}: not taken back: {why}", "red"))
    for conflict in plan.conflicts:
        console.warn(console.paint(f"{conflict.entry.path}: not taken back: {conflict.why}", "red"))
        for line in (*conflict.later, *conflict.lines):
            console.warn(f"    {line}")


def _commits(count: int) -> str:
    return f"{count} commit{'' if count == 1 else 's'}"


def _left(paths: Sequence[str | Entry]) -> str:
    if not paths:
        return ""
    names = list(dict.fromkeys(path if isinstance(path, str) else path.path for path in paths))
    listed = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return f", {len(paths)} left: {listed}"
