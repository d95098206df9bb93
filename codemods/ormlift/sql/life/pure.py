"""Whether evaluating an expression does anything, and whether it may be evaluated twice."""

from __future__ import annotations

import ast
from collections.abc import Collection

from ormlift.syntax import FunctionNode, Module, dotted

_PURE = frozenset(
    [
        "str",
        "int",
        "float",
        "bool",
        "len",
        "round",
        "abs",
        "min",
        "max",
        "sum",
        "sorted",
        "list",
        "tuple",
        "dict",
        "set",
        "repr",
        "bytes",
        "json.dumps",
        "dumps",
        "datetime.now",
        "datetime.utcnow",
        "datetime.datetime.now",
        "datetime.datetime.utcnow",
        "date.today",
        "time.time",
        "Decimal",
        "hash",
        "uuid.uuid4",
        "uuid4",
        "timedelta",
        "datetime.timedelta",
        "getattr",
        "isinstance",
    ]
)
_PURE_METHODS = frozenset(
    [
        "get",
        "getboolean",
        "getint",
        "getfloat",
        "isoformat",
        "strftime",
        "strip",
        "lstrip",
        "rstrip",
        "lower",
        "upper",
        "title",
        "format",
        "join",
        "replace",
        "encode",
        "decode",
        "hexdigest",
        "total_seconds",
        "timestamp",
        "split",
        "startswith",
        "endswith",
        "items",
        "keys",
        "values",
        "copy",
        "date",
        "time",
    ]
)
_STDLIB = (
    "datetime.fromtimestamp", "datetime.datetime.fromtimestamp", "datetime.fromisoformat",
    "datetime.datetime.fromisoformat", "datetime.datetime.today", "datetime.today", "datetime.date.today",
    "date.fromisoformat", "datetime.strptime", "datetime.datetime.strptime", "datetime", "datetime.datetime", "date",
    "datetime.date", "uuid.UUID", "UUID", "uuid.uuid1", "uuid.uuid5", "secrets.token_hex", "secrets.token_urlsafe",
    "json.loads", "decimal.Decimal", "os.getenv", "os.environ.get", "os.path.join", "os.path.basename", "Path",
    "hasattr", "type", "id", "enumerate", "zip", "range", "reversed", "any", "all", "frozenset", "ord", "chr",
    "bytearray", "divmod", "time.monotonic", "timezone.utc", "pathlib.Path",
)  # fmt: skip
_VARIES = ("now", "utcnow", "today", "time", "uuid4", "next", "random", "randint", "urandom", "token_hex")


def repeatable(node: ast.expr) -> bool:
    """Whether an expression may be evaluated twice: it does nothing, and gives the same each time."""
    calls = [n for n in ast.walk(node) if isinstance(n, ast.Call)]
    return not acts(node) and not any(dotted(c.func).rpartition(".")[2] in _VARIES for c in calls)


def acts(node: ast.expr) -> bool:
    """Whether evaluating an expression may do something, as far as its text tells."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Await | ast.NamedExpr | ast.Yield | ast.YieldFrom):
            return True
        if isinstance(inner, ast.Call) and dotted(inner.func) not in _PURE and dotted(inner.func) not in _STDLIB:
            method = inner.func.attr if isinstance(inner.func, ast.Attribute) else ""
            if method not in _PURE_METHODS:
                return True
    return False


def looks(node: ast.expr) -> bool:
    """Whether an expression reads what something done before it may have changed: an attribute, an item, a call."""
    return any(isinstance(n, ast.Attribute | ast.Subscript | ast.Call | ast.Await) for n in ast.walk(node))


def does_more(node: ast.expr, module: Module, properties: Collection[str] = ()) -> bool:
    """Whether reading the attributes and items of an expression runs code that may do something.

    That is code of the file, and of the models' `properties` that change an instance.
    """
    doing = _doing(module)
    for inner in ast.walk(node):
        if isinstance(inner, ast.Attribute) and (inner.attr in doing or inner.attr in properties):
            return True
        if isinstance(inner, ast.Subscript) and "__getitem__" in doing:
            return True
    return False


def _doing(module: Module) -> set[str]:
    """The properties, and `__getitem__`, of the file's classes whose bodies change or call something."""
    methods = [n for c in module.definitions if isinstance(c, ast.ClassDef) for n in c.body]
    found = [m for m in methods if isinstance(m, FunctionNode) and (m.name == "__getitem__" or _is_property(m))]
    return {m.name for m in found if any(_does(s) for s in m.body)}


def _is_property(method: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(dotted(d).rpartition(".")[2] in ("property", "hybrid_property") for d in method.decorator_list)


def _does(statement: ast.stmt) -> bool:
    for node in ast.walk(statement):
        stores = isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load)
        if stores or isinstance(node, ast.Global | ast.Nonlocal) or (isinstance(node, ast.Call) and acts(node)):
            return True
    return False
