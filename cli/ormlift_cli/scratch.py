"""A scratch schema on the user's own server, for the trials of `--database-url`: made here, and dropped here."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ormlift.model import UserError

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine

PREFIX = "ormlift_scratch_"


@contextlib.contextmanager
def trials(url: str) -> Iterator[None]:
    """In this block statements are tried on the server of a URL, where there is one. Raises UserError."""
    if not url:
        yield
        return
    from ormlift.sql.server import serving
    from sqlalchemy.exc import SQLAlchemyError

    dialect = _url(url).get_backend_name().replace("mariadb", "mysql")
    if dialect not in ("postgresql", "mysql"):
        raise UserError(f"--database-url: {dialect} is not tried on a server; name a PostgreSQL or MySQL database")
    with contextlib.ExitStack() as stack:
        try:
            engine = stack.enter_context(scratch(url, f"{PREFIX}{os.getpid()}_{uuid.uuid4().hex[:8]}"))
        except ImportError as error:
            raise UserError(f"--database-url: the driver is not installed: {error}") from error
        except SQLAlchemyError as error:
            raise UserError(f"--database-url: {str(error).splitlines()[0]}") from error
        with serving(dialect, engine):
            yield


@contextlib.contextmanager
def scratch(url: str, name: str) -> Iterator[Engine]:
    """An engine bound to a new schema, which is dropped at the end."""
    from sqlalchemy import create_engine

    found = _url(url)
    server = found.get_backend_name() == "postgresql"
    admin = create_engine(found, isolation_level="AUTOCOMMIT")
    kind = "SCHEMA" if server else "DATABASE"
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE {kind} {name}")
    own = (
        create_engine(found, connect_args={"options": f"-csearch_path={name}"})
        if server
        else create_engine(found.set(database=name))
    )
    try:
        yield own
    finally:
        own.dispose()
        with admin.connect() as connection:
            connection.exec_driver_sql(f"DROP {kind} {name}{' CASCADE' if server else ''}")
        admin.dispose()


def _url(url: str) -> URL:
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url)
    except ArgumentError as error:
        raise UserError(f"--database-url: not an SQLAlchemy URL: {error}") from error
