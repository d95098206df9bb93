"""psycopg2's `execute_values` and `execute_batch`: read as the `executemany` that does the same.

Both send rows by pages, and nothing where there are none; `execute_values` writes a page of them into one INSERT.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ormlift.model import Effect
from ormlift.sql.life.literals import Text, sql_text
from ormlift.sql.life.model import Does, Life, Receiver
from ormlift.syntax import dotted

NAMES = ("execute_values", "execute_batch")
_INSERT = re.compile(
    r"(?P<head>\s*INSERT\s+INTO\s+[\w.\"]+(?:\s+AS\s+\w+)?\s*\((?P<columns>[^()]*)\)\s*VALUES\s*)%s(?P<tail>(?:[^%]|%%)*)$",
    re.IGNORECASE,
)
_TEMPLATE = re.compile(r"\s*\(.*\)\s*$", re.DOTALL)


def batch_of(cursor: Receiver, life: Life) -> str:
    """Which of the two a cursor is handed to as the first argument; empty where it is neither."""
    call = life.module.parents[cursor]
    if not isinstance(call, ast.Call) or call.args[:1] != [cursor]:
        return ""
    root, _, rest = dotted(call.func).partition(".")
    function = life.module.enclosing_function(call)
    local = life.module.local_imports(function).get(root) if function is not None else None
    target = local or life.module.imports.get(root, "")
    full = f"{target}.{rest}" if rest else target
    return next((name for name in NAMES if full == f"psycopg2.extras.{name}"), "")


def as_many(cursor: Receiver, name: str, life: Life) -> ast.Call | None:
    """The `executemany` that does the same as the call that `cursor` is handed to; None where none is known to."""
    call = life.module.parents[cursor]
    assert isinstance(call, ast.Call)
    given = _arguments(call, name)
    if given is None or not isinstance(life.module.parents[call], ast.Expr):
        return None
    sql, rows, template = given
    if name == "execute_values":
        text = _of_values(sql, template, life)
        if text is None:
            return None
        life.texts[sql] = text
    func = ast.copy_location(ast.Attribute(cursor, "executemany", ast.Load()), call)
    many = ast.copy_location(ast.Call(func, [sql, rows], []), call)
    life.module.parents[many] = life.module.parents[call]
    return many


def _arguments(call: ast.Call, name: str) -> tuple[ast.expr, ast.expr, ast.expr | None] | None:
    """The SQL, the rows and the template; None where more is asked for."""
    order = ["cur", "sql", "argslist", *(["template"] if name == "execute_values" else []), "page_size", "fetch"]
    given = dict(zip(order, call.args, strict=False)) | {k.arg: k.value for k in call.keywords if k.arg}
    size, fetch = given.get("page_size"), given.get("fetch")
    plain = size is None or isinstance(size, ast.Constant | ast.Name | ast.Attribute)
    fetches = fetch is not None and not (isinstance(fetch, ast.Constant) and fetch.value is False)
    starred = any(isinstance(a, ast.Starred) for a in call.args) or any(k.arg is None for k in call.keywords)
    if starred or fetches or not plain or not {"sql", "argslist"} <= set(given) or len(call.args) > len(order):
        return None
    template = given.get("template")
    none = isinstance(template, ast.Constant) and template.value is None
    return given["sql"], given["argslist"], None if none else template


def _of_values(sql: ast.expr, template: ast.expr | None, life: Life) -> Text | None:
    """The INSERT of one row; None where it is none of which the columns are known."""
    text = sql_text(sql, life)
    found = _INSERT.match(text.value) if text is not None else None
    if text is None or found is None or any(mark in text.value for mark in life.holes):
        return None
    row = "(" + ", ".join(["%s"] * len(found["columns"].split(","))) + ")"
    if template is not None:
        told = sql_text(template, life)
        if told is None or not _TEMPLATE.match(told.value) or any(mark in told.value for mark in life.holes):
            return None
        row = told.value.strip()
    return Text(f"{found['head']}{row}{found['tail']}", text.variables)


def batch_effects(life: Life) -> Iterator[Effect]:
    """What pages of rows did otherwise than one statement for each."""
    for use in life.where(Does.EXECUTE):
        if use.many is None:
            continue
        message = "a page of rows was sent at once, and each row is a statement of its own now: slower for many rows"
        if use.many.args[0] in life.texts:
            message += "; two rows of one key, which ON CONFLICT DO UPDATE refused together, are written in turn"
        yield Effect("rows-one-by-one", use.line, message)
