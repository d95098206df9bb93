"""The command line: which commands there are. Each is a module in `commands/`, imported when it is asked for."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Annotated, Any

import typer
from ormlift import __version__
from typer.core import TyperGroup

from ormlift_cli.leaving import terminated

# In the order that --help shows; the module of each is its name, and its function too.
COMMANDS = ("init", "audit", "models", "diff", "apply", "review", "status", "verify", "rollback", "codemods", "explain")
_PLAIN: dict[str, Any] = {"add_completion": False, "rich_markup_mode": None, "pretty_exceptions_enable": False}


class _Commands(Mapping[str, Any]):
    """The commands by name; reading the options of all of them at each start would cost more than most need."""

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - typer's own command type is private
        if name not in COMMANDS:
            raise KeyError(name)
        word = name.replace("-", "_")
        single = typer.Typer(**_PLAIN)
        single.command(name)(getattr(import_module(f"ormlift_cli.commands.{word}"), word))
        return typer.main.get_command(single)

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class _Group(TyperGroup):
    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 - handed on to typer
        super().__init__(**attributes)
        self.commands = _Commands()  # type: ignore[assignment]  # only read from here on


app = typer.Typer(
    cls=_Group,
    name="ormlift",
    help="Moves a Python codebase from raw DB-API SQL and hand-managed sessions to the SQLAlchemy ORM.",
    no_args_is_help=True,
    **_PLAIN,
)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.", is_eager=True)] = False,
) -> None:
    if version:
        _print_version()
        raise typer.Exit
    if context.invoked_subcommand is None:
        raise typer.Exit(2)


def _print_version() -> None:
    print(f"ormlift {__version__}")  # noqa: T201


def main() -> None:
    """Run the command line."""
    if sys.argv[1:] == ["--version"]:
        _print_version()  # at once: reading options costs 0.1 s, most of it for typer's own imports
        return
    signal.signal(signal.SIGTERM, terminated)
    app()
