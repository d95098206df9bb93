"""`ormlift explain`: what a codemod, a code or a site means."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer
from ormlift.model import Failed

from ormlift_cli.leaving import DONE, leave
from ormlift_cli.names import unknown
from ormlift_cli.options import ColorWhen, PhaseName, output_of
from ormlift_cli.project import locate
from ormlift_cli.render import explain as words
from ormlift_cli.render.console import Color
from ormlift_cli.report import Output
from ormlift_cli.run import Request, look


def explain(
    subject: Annotated[str, typer.Argument(metavar="ID|REASON|FILE:LINE", help="What to explain.")],
    phase: PhaseName = "",
    color: ColorWhen = Color.AUTO,
) -> None:
    """Tell what a codemod, a reason, an effect or a site means."""
    leave(lambda: run(subject, phase, output_of(color=color)))


def run(subject: str, phase: str, output: Output) -> int:
    """A codemod, a reason, an effect, or what is said of a site."""
    from ormlift.rules import ALL

    site = re.fullmatch(r"(.+):(\d+)", subject)
    if site:
        path, line = Path(site[1]), int(site[2])
        found = look(locate([path]), Request((path,), phase=phase), output.console)
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
