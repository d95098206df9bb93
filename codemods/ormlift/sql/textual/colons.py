"""How text() reads its SQL: `:name` is a parameter wherever it stands, in literals too, and `\\:` is a colon."""

from __future__ import annotations

import re

from ormlift.model import Reason
from ormlift.sql.placeholders import placeholders

# The two patterns of SQLAlchemy's own compiler. `:x::int` is no parameter to it, nor is `a:b`.
_BIND = re.compile(r"(?<![:\w\\]):(\w+)(?![:\w])")
_ESCAPED = re.compile(r"\\(:\w*)(?![:\w])")


def plain_sql(sql: str, dialect: str) -> str | Reason:
    """The SQL with its escapes undone, fit to be read with `named` placeholders.

    A Reason where text() sees other parameters in it than SQL does: in a literal, a comment, in front of a cast.
    """
    taken = [match.group(1) for match in _BIND.finditer(sql)]
    plain = _ESCAPED.sub(r"\1", sql)
    try:
        meant = [str(found.key) for found in placeholders(plain, "named", dialect)]
    except ValueError as error:
        return Reason("sql-not-parsed", f"The parameters cannot be read: {error}. Write the statement by hand.")
    if taken == meant:
        return plain
    odd = next((name for name in (*taken, *meant) if taken.count(name) != meant.count(name)), "")
    return Reason(
        "sql-not-parsed",
        f"text() and SQL differ on whether `:{odd}` is a parameter (a literal, a comment, a cast); mend the text.",
    )


def has_colons(sql: str) -> bool:
    """Whether text() would see a parameter or an escape in the string."""
    return bool(_BIND.search(sql) or "\\:" in sql)
