"""`ormlift codemods`: what there is."""

from __future__ import annotations

from ormlift_cli.leaving import DONE, leave
from ormlift_cli.options import ColorWhen, output_of
from ormlift_cli.render.console import Color
from ormlift_cli.render.explain import list_codemods
from ormlift_cli.report import Output


def codemods(color: ColorWhen = Color.AUTO) -> None:
    """List the codemods."""
    leave(lambda: run(output_of(color=color)))


def run(output: Output) -> int:
    """All codemods, one line each."""
    from ormlift.rules import ALL

    for line in list_codemods(ALL):
        output.console.out(line)
    return DONE
