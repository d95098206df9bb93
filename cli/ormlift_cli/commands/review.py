"""`ormlift review`: each site is shown, and accepted or skipped, as in `git add -p`; or all of them on one page."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from ormlift.diff import unified
from ormlift.model import Planned, SiteReport, Status, UserError

from ormlift_cli.commands.apply import How
from ormlift_cli.commands.apply import run as apply_what_is_left
from ormlift_cli.leaving import DONE, leave
from ormlift_cli.options import (
    Codemods,
    ColorWhen,
    Exclude,
    Jobs,
    Paths,
    PhaseName,
    Quiet,
    Unsafe,
    output_of,
    request_of,
)
from ormlift_cli.project import locate
from ormlift_cli.render.console import Color, Console
from ormlift_cli.render.text import site_line
from ormlift_cli.report import Output
from ormlift_cli.run import Request, look

Skip = tuple[str, str, int]
_HELP = "y: rewrite it; n: skip it; a: rewrite this and the rest of the file; d: skip them; q: skip all that is left"


def review(
    paths: Paths = None,
    codemod: Codemods = None,
    phase: PhaseName = "",
    unsafe: Unsafe = False,
    exclude: Exclude = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page to read instead, and stop.")] = None,
    no_commit: Annotated[bool, typer.Option("--no-commit", help="Write the files, and make no commits.")] = False,
    jobs: Jobs = 0,
    quiet: Quiet = False,
    color: ColorWhen = Color.AUTO,
) -> None:
    """Step through the sites, accept or skip each, and apply what was accepted."""
    request = request_of(paths, codemod, phase, unsafe, exclude, jobs)
    output = output_of(0, quiet, color)
    if html is not None:
        leave(lambda: write_page(request, html, output))
    leave(lambda: run(request, output, How(commit=not no_commit)))


def write_page(request: Request, file: Path, output: Output) -> int:
    """Write the review page."""
    from ormlift_cli.render.page import page

    found = look(locate(request.paths), request, output.console)
    try:
        file.write_text(page(found), encoding="utf-8")
    except OSError as error:
        raise UserError(f"{file}: could not be written: {error.strerror or error}") from None
    output.console.say(f"{file}: {sum(len(getattr(o, 'sites', ())) for o in found.outcomes)} sites")
    return DONE


def run(request: Request, output: Output, how: How) -> int:
    """Step through the sites, and apply what was accepted."""
    found = look(locate(request.paths), request, output.console)
    plans = [outcome for outcome in found.outcomes if isinstance(outcome, Planned)]
    if not plans:
        output.console.say("nothing to review: no site can be rewritten")
        return DONE
    skip = tuple(_asked(plans, output.console))
    if len(skip) == sum(1 for plan in plans for _ in _rewritten(plan)):
        output.console.say("all were skipped; nothing was written")
        return DONE
    return apply_what_is_left(replace(request, skip=skip), output, how)


def _rewritten(plan: Planned) -> Iterator[SiteReport]:
    return (site for site in plan.sites if site.status is Status.REWRITTEN)


def _asked(plans: list[Planned], console: Console) -> Iterator[Skip]:
    """The sites that are skipped."""
    answer = ""
    for plan in plans:
        answer = "" if answer in ("a", "d") else answer
        for site in _rewritten(plan):
            if answer not in ("a", "d", "q"):
                _show(plan, site, console)
                answer = _answer(console)
            if answer in ("n", "d", "q"):
                yield plan.path, site.codemod, site.line


def _show(plan: Planned, site: SiteReport, console: Console) -> None:
    console.warn("")
    console.warn(console.paint(site_line(plan.path, site), "bold"))
    console.diff("".join(f"{line}\n" for line in hunks_of(plan, site)).encode("utf-8", "surrogateescape"))


def _answer(console: Console) -> str:
    while True:
        sys.stderr.write("Rewrite this site [y,n,a,d,q,?]? ")
        sys.stderr.flush()
        line = sys.stdin.readline()
        answer = line.strip().lower()[:1] if line else "q"  # nobody is there any more
        if answer and answer in "ynadq":
            return answer
        console.warn(_HELP)


def hunks_of(plan: Planned, site: SiteReport) -> list[str]:
    """The hunks of the file's diff that touch a site."""
    lines: list[str] = []
    wanted = False
    for line in unified(plan.before, plan.after).splitlines():
        if line.startswith("@@ "):
            first, _, count = line.split()[1].removeprefix("-").partition(",")
            start, length = int(first), int(count or 1)
            wanted = start <= site.end_line and site.line < start + length
        if wanted:
            lines.append(line)
    return lines
