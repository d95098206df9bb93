"""`ormlift init`: reads the project, and writes what it found as a configuration to start from."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from ormlift.model import Settings, UserError
from ormlift.source import encode

from ormlift_cli.alone import Step, land_steps
from ormlift_cli.files import create, read, write
from ormlift_cli.leaving import DONE, leave
from ormlift_cli.options import ColorWhen, Quiet, Verbose, output_of
from ormlift_cli.project import Project, locate
from ormlift_cli.render.console import Color, Console
from ormlift_cli.report import Output
from ormlift_cli.run import Request, Survey, look

if TYPE_CHECKING:
    from ormlift.setup.propose import Proposal
    from ormlift.setup.toml import Draft

_HELP = "Write a session_scope beside the session factory, in a commit of its own, where the project has no scope."


def init(
    path: Annotated[Path | None, typer.Argument(help="The project; default: the one around this directory.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Write the table anew where there is one.")] = False,
    write_scope: Annotated[bool, typer.Option("--write-scope", help=_HELP)] = False,
    beside: Annotated[str, typer.Option(metavar="MODULE:NAME", help="The session factory to write it beside.")] = "",
    no_commit: Annotated[bool, typer.Option("--no-commit", help="Write the scope, and make no commit.")] = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
    color: ColorWhen = Color.AUTO,
) -> None:
    """Read the project, and write a [tool.ormlift] table to start from: scopes, models, dialect, phases."""
    wish = Wish(force, write_scope or bool(beside), beside, not no_commit)
    leave(lambda: run(path, wish, output_of(verbose, quiet, color)))


@dataclass(frozen=True)
class Wish:
    """What the user asked for."""

    force: bool = False
    scope: bool = False
    beside: str = ""
    commit: bool = True


def run(path: Path | None, wish: Wish, output: Output) -> int:
    """Read, show, and write."""
    from ormlift.setup.propose import draft

    from ormlift_cli.setting import show

    project = _project(path)
    target, text = _target(project, wish)
    project = replace(project, config=replace(project.config, exclude=(), settings=Settings()))
    found, proposal = _read(project, output.console)
    show(proposal, output.console)
    _text(target, text, draft(proposal))  # raises now what would stand in the way, before anything is written
    if not proposal.scopes and _write_scope(proposal, found, wish, output.console):
        _, proposal = _read(project, output.console)
    if not _agreed(f"Write this to {target}?", output.console):
        return DONE
    _put(project, target, text is None, _text(target, text, draft(proposal)))
    output.console.say(f"{target}: written; read it, then `ormlift diff`")
    return DONE


def _read(project: Project, console: Console) -> tuple[Survey, Proposal]:
    from ormlift.setup.propose import propose

    from ormlift_cli.phases import propose as phases
    from ormlift_cli.project import select
    from ormlift_cli.setting import proposed_steps

    found = look(project, Request(), console)
    files = select(project, ()).found.files
    return found, propose(found.index, files, proposed_steps(phases(found.outcomes)))


def _project(path: Path | None) -> Project:
    """The project; a folder that is named is its root, whatever stands above it."""
    project = locate([path] if path else [])
    if path is None or project.config.path is not None:
        return project
    if not path.is_dir():
        raise UserError(f"{path}: no such directory" if not path.exists() else f"{path}: name the project's directory")
    return replace(project, root=path.resolve())


def _target(project: Project, wish: Wish) -> tuple[str, str | None]:
    """The name of the file to write to, and what stands in it."""
    if project.config.path is not None and not wish.force:
        name = project.config.path.name
        table = "[tool.ormlift] in it" if name == "pyproject.toml" else "configuration"
        raise UserError(f"{project.config.path}: there is a {table} already; edit it, or write it anew with --force")
    named = project.config.path.name if project.config.path is not None else "pyproject.toml"
    if not (project.root / named).exists():
        return "ormlift.toml", None
    try:
        return named, read(project.root, named).decode("utf-8")
    except OSError as error:
        raise UserError(f"{named}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{named}: is not UTF-8, as TOML must be") from error


def _text(target: str, text: str | None, wanted: Draft) -> str:
    from ormlift.setup.toml import TomlError, put, render

    if target == "ormlift.toml":
        return render(wanted, "")
    bom, body = ("\ufeff", text[1:]) if text and text.startswith("\ufeff") else ("", text or "")
    try:
        return bom + put(body, wanted)
    except TomlError as error:
        raise UserError(f"{target}: {error}") from error


def _put(project: Project, target: str, new: bool, text: str) -> None:
    try:
        (create if new else write)(project.root, target, text.encode())
    except OSError as error:
        raise UserError(f"{target}: could not be written: {error.strerror or error}") from error


def _write_scope(proposal: Proposal, found: Survey, wish: Wish, console: Console) -> bool:
    """Write a scope where it is wanted; whether it was."""
    from ormlift_cli.setting import plan_scope

    plan, problem = plan_scope(proposal, found, wish.beside)
    if plan is None:
        console.say(f"no scope: {problem}")
        return False
    if not (wish.scope or (_asks() and _agreed(f"Write a {plan.name} into {plan.after.path}?", console))):
        console.say(f"no scope: `ormlift init --write-scope` writes one into {plan.after.path}")
        return False
    step = Step(plan.after.path, plan.before, encode(plan.after), plan.title, plan.body, "init")
    run = land_steps([step], found.project, console, commit=wish.commit)
    console.say(f"{plan.after.path}: {plan.name}() written" + (f" and committed (run {run})" if run else ""))
    if plan.note:
        console.say(plan.note)
    return True


def _asks() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _agreed(question: str, console: Console) -> bool:
    """Ask on a terminal; elsewhere nobody is asked."""
    if not _asks() or console.quiet:
        return True
    return typer.confirm(question, default=True, err=True)
