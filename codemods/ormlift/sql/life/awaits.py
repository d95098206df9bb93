"""Statements of an asynchronous session: awaited, or streamed where an `async for` reads them."""

from __future__ import annotations

import ast

from ormlift.sql.life.model import Life, Use
from ormlift.syntax import Module


def awaited_text(text: str, session: str, target: ast.expr | None, life: Life) -> str:
    """`session.execute(..).first()` becomes `(await session.execute(..)).first()`."""
    call = _session_call(text, session)
    if call is None or call.end_lineno is None or call.end_col_offset is None:
        return text
    lines = text.split("\n")
    last = lines[call.end_lineno - 1]
    end = len(last.encode()[: call.end_col_offset].decode())
    head = "\n".join([*lines[: call.end_lineno - 1], last[:end]])
    rest = "\n".join([last[end:], *lines[call.end_lineno :]])
    if target is not None and is_async_loop(target, life.module):
        head = head.replace(f"{session}.execute(", f"{session}.stream(", 1)
    if rest or (target is not None and not isinstance(target, ast.Name) and _is_asked(target, life)):
        return f"(await {head}){rest}"
    return f"await {head}"


def unawaited(use: Use, name: str, module: Module) -> str:
    """`await cursor.fetchmany(2)` of a result that is there already: `result.fetchmany(2)`."""
    text = module.text(use.call)
    return f"{name}{text.removeprefix(module.text(use.receiver))}" if use.receiver is not None else text


def is_async_loop(node: ast.expr, module: Module) -> bool:
    """Whether `async for` reads what `node` gives."""
    match module.parents.get(node):
        case ast.AsyncFor(iter=source) | ast.comprehension(iter=source, is_async=1):
            return source is node
        case _:
            return False


def _session_call(text: str, session: str) -> ast.Call | None:
    """The call that goes to the database, innermost in the chain."""
    node: ast.expr = ast.parse(text, mode="eval").body
    while True:
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name))) if name == session:
                return node
            case ast.Call(func=ast.Attribute(value=inner)) | ast.Attribute(value=inner):
                node = inner
            case _:
                return None


def _is_asked(target: ast.expr, life: Life) -> bool:
    """Whether something is asked of the value at once: `await x.y` would await the attribute."""
    match life.module.parents.get(target):
        case ast.Attribute() | ast.Subscript() | ast.Call():
            return True
        case _:
            return False
