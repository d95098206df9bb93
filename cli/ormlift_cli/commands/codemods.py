"""`ormlift codemods`: what there is."""

from __future__ import annotations

from ormlift_cli.leaving import DONE, leave
from ormlift_cli.options import ColorWhen, PhaseName, output_of
from ormlift_cli.project import locate
from ormlift_cli.render.console import Color
from ormlift_cli.render.explain import list_codemods
from ormlift_cli.report import Output


def codemods(phase: PhaseName = "", color: ColorWhen = Color.AUTO) -> None:
    """List the codemods."""
    leave(lambda: run(phase, output_of(color=color)))


def run(phase: str, output: Output) -> int:
    """All codemods, or those of a phase, one line each."""
    from ormlift.rules import ALL

    wanted = locate([]).config.phase(phase).codemods if phase else ()
    for line in list_codemods([codemod for codemod in ALL if not wanted or codemod.id in wanted]):
        output.console.out(line)
    return DONE
