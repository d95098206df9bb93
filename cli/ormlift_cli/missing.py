"""`ormlift models --missing-columns`: what SQL names and models lack, listed, and added where it is asked for."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from ormlift_cli.alone import Step, land_steps
from ormlift_cli.files import read
from ormlift_cli.leaving import DONE
from ormlift_cli.project import Project, locate
from ormlift_cli.report import Output
from ormlift_cli.run import index_of
from ormlift_cli.texts import sources

if TYPE_CHECKING:
    from ormlift.ddl.missing import Missing


def run(path: Path | None, output: Output, *, add: bool, commit: bool) -> int:
    """List the columns, and add them to the models."""
    from ormlift.ddl.missing import find_missing
    from ormlift.setup.dialect import with_dialect

    project = locate([path] if path else [])
    index = index_of(project, output.console)
    found = find_missing(sources(project), index, with_dialect(project.config.settings, index).dialect)
    for one in found:
        output.console.out(_line(one))
    if not found:
        output.console.say("no column is missing: every column that SQL names is mapped")
    elif not add:
        output.console.say("`ormlift models --missing-columns --add` adds them to the models")
    else:
        steps = [_step(project, path, list(group)) for path, group in groupby(found, lambda one: one.model.path)]
        run_id = land_steps(steps, project, output.console, commit=commit)
        for step in steps:
            output.console.say(f"{step.path}: written" + (f" and committed (run {run_id})" if run_id else ""))
        output.console.say(
            "from now on every query for these models names the new columns: make sure that the database has them"
        )
    return DONE


def _line(one: Missing) -> str:
    sites = ", ".join(f"{path}:{line}" for path, line in one.sites)
    why = "as the code declares it" if one.declared else "nothing in the code declares it"
    model = f"{one.model.name} of {one.model.path}:{one.model.line}"
    return f"{one.model.table}.{one.column}: missing in {model}; {one.type}, {why}; named in {sites}"


def _step(project: Project, path: str, missing: list[Missing]) -> Step:
    from ormlift.ddl.columns import add_columns
    from ormlift.source import decode, encode

    before = read(project.root, path)
    after = add_columns(decode(path, before), missing)
    names = ", ".join(one.column for one in missing)
    body = "\n".join(f"- {_line(one)}" for one in missing)
    return Step(path, before, encode(after), f"Add {names} to the models of {path}", body, "models")
