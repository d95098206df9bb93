"""What the file does to a kept connection for all of its users: a PRAGMA, an SQL function, a database attached."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator

from ormlift.project.escape.choice import bound_in
from ormlift.syntax import FunctionNode, Module, dotted, walk_scope

Work = tuple[str, int, str]
_METHODS = frozenset(
    [
        "create_function", "create_aggregate", "create_collation", "create_window_function", "set_authorizer",
        "set_trace_callback", "set_progress_handler", "enable_load_extension", "load_extension", "setconfig",
        "setlimit", "set_client_encoding", "set_charset", "set_character_set", "set_charset_collation", "select_db",
    ]
)  # fmt: skip
_RUNS = frozenset(["execute", "executescript"])
_SETS = re.compile(r"\s*(PRAGMA\s+[\w.]+\s*[=(]|SET\s|ATTACH\s|USE\s|CREATE\s+TEMP)", re.I)
_ASKS = re.compile(
    r"\s*PRAGMA\s+(\w+\.)?(\w+_(info|xinfo|list|check)|quick_check|wal_checkpoint|optimize|user_version)\b", re.I
)


def setups(call: ast.Call, owner: ast.ClassDef | None, names: Collection[str], module: Module) -> Iterator[Work]:
    """(path, line, text) of what is set on the connection that `call` opens; `names` keep it and its cursors."""
    for done in module.calls:
        func = done.func
        if not isinstance(func, ast.Attribute) or func.attr not in _METHODS | _RUNS:
            continue
        texts = list(_texts(done, func.attr))
        if texts and _is_kept(func.value, call, owner, names, module):
            yield from ((module.source.path, done.lineno, text) for text in texts)


def _texts(done: ast.Call, attr: str) -> Iterator[str]:
    """What a call sets, with the connection written `session`."""
    if attr in _METHODS:
        yield f"session.{attr}({', '.join(ast.unparse(a) for a in done.args[:1])})"
        return
    for part in _said(done).split(";"):
        if _SETS.match(part) and not _ASKS.match(part):
            yield f"session.execute({part.strip()!r})"


def _said(done: ast.Call) -> str:
    """The SQL text, as far as it begins with a literal."""
    match done.args[0] if done.args else None:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]):
            return text
        case _:
            return ""


def _is_kept(
    node: ast.expr, call: ast.Call, owner: ast.ClassDef | None, names: Collection[str], module: Module
) -> bool:
    """Whether a receiver is, or may be, the kept connection or a cursor of it."""
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "cursor":
        node = node.func.value
    function = module.enclosing_function(node)
    if not isinstance(node, ast.Name) or function is None or node.id not in bound_in(function):
        return dotted(node) in names and (owner is None or module.enclosing_class(node) is owner)
    if node.id in {a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg)}:
        return _is_handed(function, names, module)
    return any(call in ast.walk(v) or _mentions(v, names) for v in _values(node.id, function))


def _values(name: str, function: FunctionNode) -> Iterator[ast.expr]:
    """What a local name is bound to, and what that is made of in its turn."""
    for value in _bound(name, function):
        yield value
        for inner in (n.id for n in ast.walk(value) if isinstance(n, ast.Name)):
            yield from _bound(inner, function)


def _bound(name: str, function: FunctionNode) -> Iterator[ast.expr]:
    for node in walk_scope(function):
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
            yield node.value


def _is_handed(function: FunctionNode, names: Collection[str], module: Module) -> bool:
    """Whether the file calls a function with what is kept."""
    calls = (c for c in module.calls if dotted(c.func).rpartition(".")[2] == function.name)
    return any(_mentions(given, names) for c in calls for given in (*c.args, *(k.value for k in c.keywords)))


def _mentions(value: ast.expr, names: Collection[str]) -> bool:
    return any(isinstance(n, ast.Name | ast.Attribute) and dotted(n) in names for n in ast.walk(value))
