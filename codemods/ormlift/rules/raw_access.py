"""Lists every place that looks like raw access to a database, and says what it really is.

    grep -r "cursor()" .    grep -r "fetchone()" .    grep -r 'execute("' .

A search for text finds DB-API cursors, statements on a Session, statements on SQLAlchemy's Connection, and things that
have nothing to do with a database, all in one list. Here each is told apart by what the receiver is: the function or
factory that made it, followed through the project; its annotation; or, where nothing else is known, its name.

This is an inventory and no check: it runs in `ormlift audit`, and elsewhere only where it is named (`--codemod
raw-access`), so that `diff` and `apply` speak of no place twice. What is to be migrated, `cursor-to-orm` tells.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ormlift.model import Reason, Refusal, Site
from ormlift.rules.base import Codemod, Context
from ormlift.rules.examples.raw_access import EXAMPLES
from ormlift.schema import SourceKind
from ormlift.sql.life.drivers import direct_source
from ormlift.syntax import Module, dotted, walk_scope

ID = "raw-access"
RUNS = frozenset({"cursor", "execute", "executemany", "executescript", "fetchone", "fetchall", "fetchmany"})
KINDS = {
    SourceKind.CONNECTION: "dbapi",
    SourceKind.CURSOR: "dbapi",
    SourceKind.CONNECTION_AND_CURSOR: "dbapi",
    SourceKind.SESSION: "session",
    SourceKind.SHARED_SESSION: "session",
    SourceKind.ASYNC_SESSION: "session",
    SourceKind.UNKNOWN: "session",
    SourceKind.GENERATOR: "session",
    SourceKind.ENGINE_CONNECTION: "connection",
}
NAMES = {
    "dbapi": re.compile(
        r"^_*(?:c|cur|curs|conn|cnx|\w*cursor|\w*_cur|con|connection|db_?conn(?:ection)?|\w*_conn)$", re.I
    ),
    "session": re.compile(r"^_*(?:\w*session|sess)$", re.I),
    "connection": re.compile(r"^_*(?:(?:db|sa|sql\w*|database|pg|async|read|write)_)?engine$", re.I),
}
POOL = re.compile(r"['\"](?:first_connect|connect|checkout|checkin|reset|close|invalidate|soft_invalidate|detach)['\"]")
DRIVERS = frozenset({"dbapi_connection", "dbapi_conn", "dbapi_con"})  # as SQLAlchemy's own documents call it
CLAUSES = frozenset({"text", "select", "insert", "update", "delete"})
CHAINED = frozenset({"mappings", "scalars", "execution_options", "unique", "all"})  # give what they are called on
SQL = re.compile(
    r"\s*(?:--[^\n]*\n\s*)*\(?\s*(?:SELECT|INSERT|UPDATE|DELETE|CREATE|DROP|ALTER|WITH|PRAGMA|REPLACE|BEGIN|COMMIT|"
    r"ROLLBACK|VACUUM|ANALYZE|TRUNCATE|SET|SHOW|EXPLAIN|GRANT|CALL|LOCK|USE|REINDEX|ATTACH|DETACH|SAVEPOINT|RELEASE|COPY|"
    r"LISTEN|NOTIFY|REFRESH|DO|VALUES|DESCRIBE|MERGE|REVOKE|COMMENT)\b",
    re.I,
)
IS = {
    "dbapi": "a cursor or connection of the driver",
    "session": "a SQLAlchemy Session",
    "connection": "a SQLAlchemy Connection",
    "no-database": "nothing of a database",
    "unknown-receiver": "not known: its receiver comes from where it cannot be followed",
}


def find(module: Module, context: Context) -> Iterator[Site]:
    """Every call by one of the names, as what it is."""
    for call in module.calls:
        func = call.func
        if not isinstance(func, ast.Attribute) or func.attr not in RUNS or not _looks_raw(call, func.attr):
            continue
        kind, by_name = _kind(func.value, module, context)
        if by_name and kind == "dbapi" and _is_clause(call, module):
            kind = "connection"
        unsure = kind == "unknown-receiver" or (by_name and kind == "connection")
        if unsure and func.attr.startswith("exec") and not _is_sql(call):
            kind, by_name = "no-database", False
        guess = ", going by its name" if by_name else ""
        receiver = module.text(func.value).split("\n")[0]
        message = f"{receiver}.{func.attr}: the receiver is {IS[kind]}{guess}"
        line = func.value.end_lineno or call.lineno
        yield Refusal(ID, line, line, Reason(kind, message))


def _looks_raw(call: ast.Call, name: str) -> bool:
    """What the searches for text find: `cursor()`, `fetchone()`, and execute with a text."""
    if not name.startswith("exec"):
        return True
    first = call.args[0] if call.args else None
    if isinstance(first, ast.Call) and dotted(first.func).rpartition(".")[2] == "text":
        return True
    return isinstance(first, ast.Constant | ast.JoinedStr | ast.BinOp | ast.Name) and _may_be_text(first)


def _may_be_text(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str)
    if isinstance(node, ast.BinOp):
        return _may_be_text(node.left)
    return not isinstance(node, ast.Name) or bool(re.search(r"sql|query", node.id, re.I))


def _is_sql(call: ast.Call) -> bool:
    """Whether the text of a statement begins as SQL does; what cannot be read may be."""
    first = call.args[0] if call.args else None
    if isinstance(first, ast.Call | ast.Name):
        return True
    while isinstance(first, ast.BinOp):
        first = first.left
    if isinstance(first, ast.JoinedStr) and first.values:
        first = first.values[0]
    return not isinstance(first, ast.Constant) or (isinstance(first.value, str) and bool(SQL.match(first.value)))


def _kind(node: ast.expr, module: Module, context: Context, depth: int = 5) -> tuple[str, bool]:
    """What a receiver is, and whether only its name says so."""
    node = node.value if isinstance(node, ast.Await) else node
    if isinstance(node, ast.Call):
        return _called(node, module, context, depth)
    held = context.index.held_by(node, module)
    if held is not None:
        return KINDS[held.kind], False
    for value in _bound(node, module) if depth else ():
        kind, by_name = _kind(value, module, context, depth - 1)
        if kind != "unknown-receiver":
            return kind, by_name
    head = module.imports.get(dotted(node).partition(".")[0], "")
    if head == "alembic.op":
        return "connection", False
    if heard := _heard(node, module):
        return heard, False
    last = dotted(node).rpartition(".")[2]
    kind = next((kind for kind, pattern in NAMES.items() if pattern.match(last)), "unknown-receiver")
    return kind, kind != "unknown-receiver"


def _called(node: ast.Call, module: Module, context: Context, depth: int) -> tuple[str, bool]:
    """What a call hands out."""
    held = context.index.source_of(node, module) or direct_source(node, module)
    if held is not None:
        return KINDS[held.kind], False
    if not isinstance(node.func, ast.Attribute) or not depth:
        return "unknown-receiver", False
    if node.func.attr in RUNS:
        kind, by_name = _kind(node.func.value, module, context, depth - 1)
        return ("connection" if by_name and kind == "dbapi" and _is_clause(node, module) else kind), by_name
    owner = dotted(node.func.value).rpartition(".")[2] or ast.unparse(node.func.value)
    if node.func.attr in ("connect", "begin") and "engine" in owner.lower():
        return "connection", True
    if node.func.attr in ("get_bind", "connection") and owner != "self":
        return "connection", True
    if node.func.attr in CHAINED:
        return _kind(node.func.value, module, context, depth - 1)
    return "unknown-receiver", False


def _is_clause(call: ast.Call, module: Module) -> bool:
    """Whether what is run is SQLAlchemy's own, which no driver takes."""
    first = call.args[0] if call.args else None
    if isinstance(first, ast.Name):
        first = next(iter(_bound(first, module)), None)
    return isinstance(first, ast.Call) and dotted(first.func).rpartition(".")[2] in CLAUSES


def _heard(node: ast.expr, module: Module) -> str:
    """What SQLAlchemy hands to a listener as a receiver: the driver's connection by events of the pool, or its own."""
    function = module.enclosing_function(node)
    if function is None or not isinstance(node, ast.Name):
        return ""
    names = [a.arg for a in (*function.args.posonlyargs, *function.args.args)]
    if node.id not in names:
        return ""
    texts = [ast.unparse(d) for d in function.decorator_list if "listens_for" in ast.unparse(d)]
    if any(POOL.search(text) for text in texts) or (node.id == names[0] and names[0] in DRIVERS):
        return "dbapi" if node.id == names[0] else ""
    of_mapper = len(names) == 3 and names[0] in ("mapper", "_mapper", "_") and names[2] in ("target", "instance", "obj")
    return "connection" if texts or (of_mapper and node.id == names[1]) else ""


def _bound(node: ast.expr, module: Module) -> list[ast.expr]:
    """What a variable of the function or an attribute of the class is bound to; nothing if that differs."""
    name = dotted(node)
    host: ast.AST = module.enclosing_function(node) or module.tree
    if name.startswith(("self.", "cls.")):
        host = module.enclosing_class(node) or module.tree
    elif not isinstance(node, ast.Name):
        return []
    found: list[ast.expr] = []
    for inner in ast.walk(host) if "." in name else walk_scope(host):
        match inner:
            case ast.Assign(targets=[target], value=value) if dotted(target) == name:
                found.append(value)
            case ast.withitem(context_expr=value, optional_vars=ast.expr() as target) if dotted(target) == name:
                found.append(value)
            case _:
                pass
    found = [value for value in found if not isinstance(value, ast.Constant)]
    texts = {ast.dump(value) for value in found}
    return found[:1] if len(texts) == 1 or _all_run(found) else []


def _all_run(values: list[ast.expr]) -> bool:
    """Whether each is what execute or cursor of one receiver returns."""
    calls = [v.value if isinstance(v, ast.Await) else v for v in values]
    receivers = {
        ast.dump(c.func.value)
        for c in calls
        if isinstance(c, ast.Call) and isinstance(c.func, ast.Attribute) and c.func.attr in RUNS
    }
    return len(receivers) == 1 and all(isinstance(c, ast.Call) for c in calls)


CODEMOD = Codemod(
    id=ID,
    title="Lists what looks like raw database access, and tells what each place really is",
    explanation=__doc__ or "",
    needles=((b".cursor(",), (b".execute",), (b".fetch",)),
    reasons={
        "dbapi": "A cursor or connection of a DB-API driver: what `cursor-to-orm` migrates.",
        "session": "SQL text, or a fetch from its result, on a SQLAlchemy Session: it already runs on the session.",
        "connection": "SQL text on SQLAlchemy's Connection, beside the session and in a transaction of its own.",
        "no-database": "The name is the same, and the object has nothing to do with a database. Leave it.",
        "unknown-receiver": (
            "What the receiver is cannot be told from the project: it is handed in without an annotation, or made by "
            "code that is not read. Annotate the parameter to make it known."
        ),
    },
    effects={},
    find=find,
    examples=EXAMPLES,
    rewrites=False,
    inventory=True,
)
