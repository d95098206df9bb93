"""What of a life stands in the way before its statements are read, and between an execute and its fetch."""

from __future__ import annotations

import ast

from ormlift.sql.life.counted import commit_between
from ormlift.sql.life.executions import Form
from ormlift.sql.life.handing import check_closes
from ormlift.sql.life.model import Does, How, Life, Use
from ormlift.sql.life.refuse import Refused
from ormlift.sql.life.rowkind import is_named_tuple
from ormlift.sql.life.statements import Prepared


def check_uses(life: Life) -> None:
    """Refuse what can't be followed."""
    if isinstance(life.origin, ast.AsyncWith) and life.how is not How.KEPT and not life.is_async:
        raise Refused("asynchronous", f"the connection of line {life.line} is asynchronous; leave it raw for now")
    for use in life.uses:
        line = use.line
        check_closes(use, life)
        match use.does:
            case Does.CLOSE if life.how is How.KEPT and use.said in life.kept:
                message = f"line {line} closes {use.said}, which is kept outside of this function; close it elsewhere"
                raise Refused("connection-escapes", message)
            case Does.ESCAPES:
                what = f"{use.said or 'the cursor'} is handed on or used on line {line}"
                message = f"{what} in a way that a session cannot take over; keep it inside this function"
                raise Refused("connection-escapes", message)
            case Does.MANY:
                message = f"line {line} uses executescript, callproc or a batch of another form, which stay as they are"
                raise Refused("execute-many", f"{message}; execute one by one, or leave it raw")
            case Does.SETTING:
                _check_setting(use, life)
            case _:
                pass
    if is_named_tuple(life):
        message = f"the cursors of line {life.line} give named tuples; read the rows by index"
        raise Refused("row-use", message)


def _check_setting(use: Use, life: Life) -> None:
    statement = life.module.statement(use.node)
    text = life.module.text(statement)
    known = ("row_factory", "autocommit", "isolation_level = None", "set_session(autocommit=True)", "arraysize")
    if not any(k in text for k in known) or (".row_factory" in text and not text.endswith(".Row")):
        raise Refused(
            "connection-setting", f"line {use.line} sets `{text}` on the connection; say it on the engine instead"
        )


def check_between(prepared: Prepared, life: Life) -> None:
    """A commit between an execute and its fetch would close the result."""
    between = commit_between(prepared.execution, life) if prepared.execution.form is Form.RESULT else None
    if between is not None:
        message = f"line {between[0].line} commits before line {between[1].line} has fetched; fetch first"
        raise Refused("commit-before-fetch", message)
