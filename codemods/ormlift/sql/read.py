"""SQL text to a parsed statement with numbered slots, or the reason why not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ormlift.model import Reason
from ormlift.sql.statement import Statement

if TYPE_CHECKING:
    from sqlglot import exp


def read(sql: str, paramstyle: str = "qmark", dialect: str = "sqlite") -> Statement | Reason:
    """Parse one statement. `paramstyle` is the driver's (`?` and `:name` are both understood for sqlite3's `qmark`).

    `format` and `pyformat` both understand `%s`, `%(name)s` and `%%`; pass `paramstyle=""` where the driver gets no
    parameters at all, so that `%` stands for itself. Returns a Reason with a code of `statement.REASONS` otherwise.
    """
    raise NotImplementedError


def gives_one_row(tree: exp.Expr) -> bool:
    """True where exactly one row comes back whatever the data."""
    raise NotImplementedError
