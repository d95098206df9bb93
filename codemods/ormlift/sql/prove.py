"""The evidence that the written statement does what the raw one did."""

from __future__ import annotations

from ormlift.model import Certificate
from ormlift.sql.statement import Request, Statement, Written


def prove(statement: Statement, written: Written, request: Request) -> Certificate:
    """Compare what the written text compiles to with the raw SQL; where that does not settle it, run both.

    Only our own text is ever executed, on synthetic classes built from the request's models.
    """
    raise NotImplementedError
