"""How a life is refused from deep inside: one reason stops it whole."""

from __future__ import annotations

from ormlift.model import Reason


class Refused(Exception):  # noqa: N818 - not an error: a decision
    """The life stays as it is."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.reason = Reason(code, message)


class RefusedForCallers(Refused):
    """The SQL can be read, and stays for what other files pass: that is told, not what stands in the way of less."""
