"""`ormlift models`: models for tables that have none, and columns that models lack."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from ormlift.model import UserError

from ormlift_cli.alone import Step, land_steps
from ormlift_cli.leaving import DONE, PENDING, leave
from ormlift_cli.options import ColorWhen, Quiet, Verbose, output_of
from ormlift_cli.project import Project, locate
from ormlift_cli.render.console import Color
from ormlift_cli.report import Output
from ormlift_cli.run import index_of, requirements
from ormlift_cli.texts import sources

if TYPE_CHECKING:
    from ormlift.ddl.tables import Tables
    from ormlift.ddl.write import Base
    from ormlift.project.index import ProjectIndex

_OUTPUT = "Write the models to this new file, in a commit of its own; default: print them."
_URL = "Read the tables of this database (an SQLAlchemy URL) instead of the DDL in the code."
_MISSING = "List the columns that SQL in the code names and models lack."
_ADD = "With --missing-columns: add them to the models, one commit a file."


def models(
    path: Annotated[Path | None, typer.Argument(help="The project; default: the one around this directory.")] = None,
    write_to: Annotated[Path | None, typer.Option("--output", metavar="FILE", help=_OUTPUT)] = None,
    database_url: Annotated[str, typer.Option(metavar="URL", help=_URL)] = "",
    missing_columns: Annotated[bool, typer.Option("--missing-columns", help=_MISSING)] = False,
    add: Annotated[bool, typer.Option("--add", help=_ADD)] = False,
    no_commit: Annotated[bool, typer.Option("--no-commit", help="Write, and make no commit.")] = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
    color: ColorWhen = Color.AUTO,
) -> None:
    """Write declarative models for tables that have none, from the DDL in the code or a database."""
    output = output_of(verbose, quiet, color)
    if missing_columns or add:
        from ormlift_cli.missing import run as run_missing

        leave(lambda: run_missing(path, output, add=add, commit=not no_commit))
    leave(lambda: run(path, write_to, database_url, output, commit=not no_commit))


def run(path: Path | None, target: Path | None, url: str, output: Output, *, commit: bool) -> int:
    """Find the tables without a model, and write their models."""
    from ormlift.ddl.write import write_models
    from ormlift.project.requirements import pinned
    from ormlift.setup.dialect import with_dialect

    project = locate([path] if path else [])
    index = index_of(project, output.console)
    home = _home(project, target) if target is not None else ""
    tables = _tables(project, index, url)
    for unread in tables.unread:
        where = f"{unread.path}:{unread.line}: " if unread.path else ""
        output.console.say(f"{where}{unread.why}")
    dialect = _dialect(url) if url else with_dialect(project.config.settings, index).dialect
    pin = project.config.settings.sqlalchemy or pinned(requirements(project), "sqlalchemy")
    text = write_models(tables, dialect, _base(index), _title(tables), pin)
    if not text:
        output.console.say("no table without a model was found")
        return PENDING if output.check else DONE
    if not home:
        output.console.out(text.rstrip("\n"))
        return DONE
    count = f"{len(tables.wanted)} table{'' if len(tables.wanted) == 1 else 's'}"
    body = "\n".join(f"- {name}: {tables.homes.get(name, 'read from the database')}" for name in sorted(tables.wanted))
    run_id = land_steps(
        [Step(home, None, text.encode(), f"Add models of {count} to {home}", body, "models")],
        project,
        output.console,
        commit=commit,
    )
    output.console.say(f"{home}: models of {count} written" + (f" and committed (run {run_id})" if run_id else ""))
    return DONE


def _home(project: Project, target: Path) -> str:
    """The file to write to, relative to the root."""
    real = Path(os.path.realpath(target))
    if not real.is_relative_to(project.root):
        raise UserError(f"{target}: lies outside of the root {project.root}; name a file in it")
    if os.path.lexists(target):
        raise UserError(f"{target}: is there already; name a new file, and move the models from there")
    if real.suffix != ".py":
        raise UserError(f"{target}: must be a Python file (.py)")
    return real.relative_to(project.root).as_posix()


def _tables(project: Project, index: ProjectIndex, url: str) -> Tables:
    from ormlift.ddl.find import find_ddl
    from ormlift.ddl.tables import reflected, tables_of
    from ormlift.project.names import is_test_path
    from ormlift.setup.dialect import with_dialect

    mapped = {model.table.lower() for model in index.models if not is_test_path(model.path)}
    if not url:
        from ormlift_cli.globs import matcher

        excluded = matcher(project.config.exclude)
        texts = [source for source in sources(project) if not excluded(source.path)]
        return tables_of(find_ddl(texts), with_dialect(project.config.settings, index).dialect, mapped)
    from sqlalchemy import create_engine
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError

    try:
        return reflected(create_engine(url), mapped)
    except ImportError as error:
        raise UserError(f"--database-url: the driver is not installed: {error}") from error
    except ArgumentError as error:
        raise UserError(f"--database-url: not an SQLAlchemy URL: {error}") from error
    except SQLAlchemyError as error:
        raise UserError(f"--database-url: {str(error).splitlines()[0]}") from error


def _dialect(url: str) -> str:
    from ormlift.project.index import DIALECTS

    return DIALECTS.get(url.partition(":")[0].partition("+")[0], "sqlite")


def _base(index: ProjectIndex) -> Base | None:
    """The project's own declarative base, where it has just one."""
    from ormlift.ddl.write import Base

    found = index.declarative_bases()
    return Base(*found[0]) if len(found) == 1 else None


def _title(tables: Tables) -> str:
    files = sorted({home.rpartition(":")[0] for home in tables.homes.values()})
    verb = "makes" if len(files) == 1 else "make" if len(files) <= 3 else "and others make"
    lines = [f"Models of the tables that {', '.join(files[:3])} {verb}." if files else "Models of a database's tables."]
    if any(chosen.remark for chosen in tables.remarks.values()):
        lines += ["", "A column's type is that of the values which come out of the database; a comment says where the"]
        lines += ["database calls it something else.", ""]
    return "\n".join(lines)
