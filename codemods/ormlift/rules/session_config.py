"""Settings of engines and session factories that lose data or connections later on.

    engine = create_engine("postgresql://db/app")                   # no pool_pre_ping: stale connections
    engine = create_engine("sqlite:///app.db", poolclass=StaticPool)  # all threads share one connection
    SessionLocal = sessionmaker(bind=engine, autocommit=True)       # gone in SQLAlchemy 2.0
    AsyncSessionLocal = async_sessionmaker(engine)                  # instances cannot be read after a commit
    SessionLocal = sessionmaker(bind=engine)                        # and functions return what they have committed

Such a setting works on the developer's machine and fails under load, behind a firewall, or after an upgrade. Nothing is
rewritten here: which setting is right depends on how the program runs, so each is shown with its reason. Tests,
migrations and scripts are left out, and so is what cannot be read: an engine whose URL is not known to be a server's,
or options that come from a dictionary.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ormlift.model import Fault, Reason, Refusal, Severity, Site
from ormlift.project.columns import called, last
from ormlift.project.names import is_test_path
from ormlift.project.urls import SERVERS, scheme_of
from ormlift.rules.base import Codemod, Context
from ormlift.rules.examples.session_config import EXAMPLES
from ormlift.syntax import FunctionNode, Module, dotted, module_level

ID = "session-config"
ENGINES = frozenset({"create_engine", "create_async_engine"})
FACTORIES = frozenset({"sessionmaker", "async_sessionmaker", "create_session", "scoped_session"})
MADE = ENGINES | FACTORIES | {"Session", "AsyncSession", "SQLAlchemy"}
PASSING = frozenset(
    {
        "scripts",
        "script",
        "migrations",
        "alembic",
        "versions",
        "tools",
        "bin",
        "examples",
        "example",
        "docs",
        "notebooks",
    }
)  # folders of what runs once and ends


def find(module: Module, context: Context) -> Iterator[Site]:
    """Every setting of the file that is worth a look."""
    path = module.source.path
    if is_test_path(path) or PASSING & set(path.split("/")[:-1]) or path.endswith("env.py") or _is_script(module):
        return
    for call in module.calls:
        kind = called(call, module.imports | module.local_imports(module.enclosing_function(call) or call))
        if kind not in MADE or not _is_alchemy(call, module):
            continue
        for node, fault in _faults(call, kind, module, context):
            yield Refusal(ID, node.lineno, node.end_lineno or node.lineno, _reason(fault), fault)


def _is_script(module: Module) -> bool:
    """A file that defines no function and uses its engine at once: it runs from top to bottom and ends."""
    if any(isinstance(s, FunctionNode) for s in module_level(module.tree)):
        return False
    runs = ("connect", "begin", "execute", "query", "commit")
    top = (c for c in module.calls if module.enclosing_function(c) is None)
    return any(isinstance(c.func, ast.Attribute) and c.func.attr in runs for c in top)


def _is_alchemy(call: ast.Call, module: Module) -> bool:
    head = dotted(call.func).partition(".")[0]
    bound = module.local_imports(module.enclosing_function(call) or call).get(head) or module.imports.get(head, "")
    return bound.partition(".")[0] in ("sqlalchemy", "sqlmodel", "flask_sqlalchemy")


def _faults(call: ast.Call, kind: str, module: Module, context: Context) -> Iterator[tuple[ast.expr, Fault]]:
    options = {k.arg: k.value for k in call.keywords if k.arg}
    if kind in ENGINES:
        yield from _engine_faults(call, options, module, context)
        return
    if _is(options.get("autocommit"), value=True):
        message = "autocommit=True commits each statement by itself, and SQLAlchemy 2.0 raises ArgumentError for it"
        yield options["autocommit"], Fault("autocommit-mode", Severity.HIGH, message)
    asynchronous = kind == "async_sessionmaker" or last(dotted(options.get("class_", ast.Pass()))) == "AsyncSession"
    known = all(k.arg for k in call.keywords)
    if asynchronous and known and not _is(options.get("expire_on_commit"), value=False):
        message = "expire_on_commit is on: an attribute that is read after a commit loads, which raises MissingGreenlet"
        yield call, Fault("async-expires", Severity.MEDIUM, f"{message} under asyncio")
    elif (
        kind == "sessionmaker" and not asynchronous and (fault := _returned_expired(call, module, context)) is not None
    ):
        yield call, fault


def _returned_expired(call: ast.Call, module: Module, context: Context) -> Fault | None:
    """Functions of the project that return what a session of this factory has committed and expired."""
    lines = (call.lineno, module.statement(call).lineno)
    made = [f for f in context.index.factories if f.path == module.source.path and f.line in lines]
    found = context.index.expired_by(f"{made[0].path}:{made[0].owner}.{made[0].name}") if len(made) == 1 else []
    if not found:
        return None
    first = found[0]
    more = f" and {len(found) - 1} more return instances" if len(found) > 1 else " returns an instance"
    text = (
        f"expire_on_commit is on, and {first.gives.name}() ({first.path}:{first.gives.line}){more} that the commit has "
        "expired when the session is closed: reading it raises DetachedInstanceError"
    )
    return Fault("returned-expired", Severity.MEDIUM, text)


def _engine_faults(
    call: ast.Call, options: dict[str, ast.expr], module: Module, context: Context
) -> Iterator[tuple[ast.expr, Fault]]:
    schemes = _schemes(call, options, module, context)
    pool = last(dotted(options.get("poolclass", ast.Pass())))
    if pool == "StaticPool" and not _in_memory(call, module):
        message = "StaticPool hands one connection to all threads: what one commits or rolls back is the others' too"
        yield options["poolclass"], Fault("static-pool", Severity.HIGH, message)
    if (check := _same_thread(options.get("connect_args"))) is not None and pool not in ("StaticPool", "NullPool"):
        message = "check_same_thread=False lets threads use one connection at once; give each request its own session"
        yield check, Fault("check-same-thread", Severity.LOW, message)
    known = all(k.arg for k in call.keywords) and not {"creator", "pool", "strategy"} & options.keys()
    known = known and "check_same_thread" not in ast.unparse(call) and not _asks_for_sqlite(call, module)
    if not known or pool in ("NullPool", "StaticPool", "AssertionPool") or not schemes or not schemes <= SERVERS:
        return
    if ("pool_pre_ping" not in options or _is(options["pool_pre_ping"], value=False)) and _lives_long(call, module):
        message = f"no pool_pre_ping on a {min(schemes)} engine: a connection that the server or a firewall has closed"
        recycled = "pool_recycle" in options
        message += " is handed out, and its first statement fails" + (" until pool_recycle's time is up" * recycled)
        yield call, Fault("no-pre-ping", Severity.LOW if recycled else Severity.MEDIUM, message)


def _schemes(call: ast.Call, options: dict[str, ast.expr], module: Module, context: Context) -> frozenset[str]:
    """What databases the engine may be of; empty where that is not known."""
    node = call.args[0] if call.args else options.get("url")
    constants = _constants(call, module)
    for _ in range(3):
        if isinstance(node, ast.Name) and node.id in constants:
            node = constants[node.id]
    text = _head(node)
    if text:
        return frozenset({scheme_of(text)})
    while isinstance(node, ast.Call) and node.args and not dotted(node.func).endswith(("getenv", "environ.get")):
        node = node.args[0]
    if isinstance(node, ast.Call) and len(node.args) == 2 and (text := _head(node.args[1])):
        return frozenset({scheme_of(text)})
    name = last(dotted(node.func if isinstance(node, ast.Call) else node)) if node is not None else ""
    return context.index.url_schemes.get(name, frozenset())


def _constants(call: ast.Call, module: Module) -> dict[str, ast.expr]:
    found: dict[str, ast.expr] = {}
    around = module.enclosing_function(call)
    for suite in (module.tree.body, around.body if around is not None else []):
        for statement in suite:
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                found[statement.targets[0].id] = statement.value
    return found


def _head(node: ast.expr | None) -> str:
    """The text at the head of a literal or an f-string."""
    if isinstance(node, ast.JoinedStr) and node.values:
        node = node.values[0] if isinstance(node.values[0], ast.Constant) else None
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _in_memory(call: ast.Call, module: Module) -> bool:
    """Whether the engine may be of a database in memory, for which one connection is right."""
    text = " ".join(ast.unparse(a) for a in (*call.args, *(k.value for k in call.keywords)))
    named = [n.id for n in ast.walk(call) if isinstance(n, ast.Name)]
    constants = _constants(call, module)
    text += " ".join(ast.unparse(constants[n]) for n in named if n in constants)
    literal = any(word in text for word in ("sqlite:///", "sqlite+", "postgres", "mysql"))
    return ":memory:" in text or "mode=memory" in text or not literal


def _same_thread(node: ast.expr | None) -> ast.expr | None:
    """The False of `{"check_same_thread": False}`, unless it hangs on which database it is."""
    if not isinstance(node, ast.Dict):
        return None
    pairs = zip(node.keys, node.values, strict=True)
    return next(
        (v for k, v in pairs if isinstance(k, ast.Constant) and k.value == "check_same_thread" and _is(v, value=False)),
        None,
    )


def _asks_for_sqlite(call: ast.Call, module: Module) -> bool:
    """Whether the engine is made on one path only, which a test of the URL chooses."""
    tests = (a.test for a in module.ancestors(call) if isinstance(a, ast.If | ast.IfExp))
    return any("sqlite" in ast.unparse(test) and not _in_else(call, test, module) for test in tests)


def _in_else(call: ast.Call, test: ast.expr, module: Module) -> bool:
    around = module.parents[test]
    assert isinstance(around, ast.If | ast.IfExp)
    other = around.orelse if isinstance(around.orelse, list) else [around.orelse]
    return any(call in ast.walk(node) for node in other)


def _lives_long(call: ast.Call, module: Module) -> bool:
    """Whether the engine outlives the function that makes it: kept at module level, on an object, or returned."""
    statement = module.statement(call)
    around = module.enclosing_function(call)
    if around is None:
        return not any(isinstance(a, ast.If) and "__name__" in ast.unparse(a.test) for a in module.ancestors(call))
    if isinstance(statement, ast.Return):
        return True
    target = statement.targets[0] if isinstance(statement, ast.Assign) else None
    if isinstance(target, ast.Attribute):
        return True
    name = target.id if isinstance(target, ast.Name) else ""
    return bool(name) and _outlives(name, around)


def _outlives(name: str, around: FunctionNode) -> bool:
    nodes = list(ast.walk(around))
    returned = (n.value for n in nodes if isinstance(n, ast.Return))
    return any(isinstance(v, ast.Name) and v.id == name for v in returned) or any(
        isinstance(n, ast.Global) and name in n.names for n in nodes
    )


def _is(node: ast.expr | None, *, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def _reason(fault: Fault) -> Reason:
    ways = {
        "autocommit-mode": "leave it out, and commit by name",
        "async-expires": "pass expire_on_commit=False",
        "returned-expired": "pass expire_on_commit=False, or return values",
        "static-pool": "leave poolclass out; SQLAlchemy chooses the pool by the URL",
        "check-same-thread": "keep it only if each thread has a session of its own",
        "no-pre-ping": "pass pool_pre_ping=True",
    }
    return Reason("shown-only", f"a setting is the team's decision: {ways[fault.code]}")


CODEMOD = Codemod(
    id=ID,
    title="Finds settings of engines and session factories that fail later on",
    explanation=__doc__ or "",
    needles=((b"create_engine",), (b"create_async_engine",), (b"sessionmaker",), (b"autocommit",)),
    reasons={
        "shown-only": (
            "Settings are shown and never rewritten, since the right one depends on how the program runs. Change it "
            "as the message says, or leave it with `# ormlift: ignore[session-config] why`."
        )
    },
    effects={},
    faults={
        "autocommit-mode": (
            "Each statement commits itself, so that a rollback takes nothing back; SQLAlchemy 2.0 no longer has this "
            "mode and raises ArgumentError when the session is made."
        ),
        "async-expires": (
            "A commit expires instances; reading one then loads it, which an AsyncSession can't do outside of await; "
            "MissingGreenlet is raised far from the commit."
        ),
        "returned-expired": (
            "The project returns instances from sessions that have committed and closed: every attribute is expired by "
            "then, and reading one raises DetachedInstanceError in whoever called."
        ),
        "static-pool": (
            "One connection is shared by all threads, with one transaction: a commit in one request stores the "
            "half-done work of another. It is meant for databases in memory."
        ),
        "check-same-thread": (
            "SQLite's guard against the use of one connection by two threads is off. It is right only where every "
            "thread or request has a session of its own."
        ),
        "no-pre-ping": (
            "The pool hands out connections that the server has closed meanwhile (restart, idle timeout, failover); "
            "the first statement of a request fails with OperationalError."
        ),
    },
    find=find,
    examples=EXAMPLES,
    rewrites=False,
)
