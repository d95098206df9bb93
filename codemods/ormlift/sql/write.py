"""A parsed statement to readable SQLAlchemy source text."""

from __future__ import annotations

from ormlift.model import Reason
from ormlift.sql.statement import Request, Statement, Written


def write(statement: Statement, request: Request) -> Written | Reason:
    """Write the statement as an expression on the session, in the style and for the fetch that are asked for.

    SELECT in `select` style: `session.execute(select(Job.a).where(...)).first()`; in `query` style
    `session.query(Job.a).filter(...).first()`. Fetch.ITERATE gives what can be iterated over, `.all()` a list.
    DML: `session.execute(update(Job).where(...).values(...))`, with `.rowcount` for Fetch.ROWCOUNT.
    """
    raise NotImplementedError
