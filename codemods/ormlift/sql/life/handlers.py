"""Handlers that catch the driver's exceptions, which SQLAlchemy's take the place of."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ormlift.model import Effect, ImportNeed, ReplaceExpr
from ormlift.project.caught import caught, names_driver, reaching
from ormlift.project.facts import FileFacts
from ormlift.project.index import ProjectIndex
from ormlift.sql.life.drivers import DIALECTS
from ormlift.sql.life.model import How, Life
from ormlift.syntax import FunctionNode, Module, dotted

_SAME = frozenset(
    [
        "IntegrityError",
        "OperationalError",
        "ProgrammingError",
        "DataError",
        "InternalError",
        "NotSupportedError",
        "InterfaceError",
        "DatabaseError",
    ]
)
_LOGS = frozenset(
    ["debug", "info", "warning", "warn", "error", "critical", "exception", "log", "print", "echo", "print_exc"]
)
_ALL = frozenset({"Error"})


@dataclass(frozen=True)
class Handlers:
    """What becomes of the handlers around a life's statements."""

    ops: tuple[ReplaceExpr, ...] = ()
    imports: tuple[ImportNeed, ...] = ()
    effects: tuple[Effect, ...] = ()


def driver_handlers(life: Life, calls: Iterable[ast.expr], index: ProjectIndex) -> Handlers:
    """Handlers that name a driver's exception learn SQLAlchemy's beside it: the rest of their try may need both."""
    module = life.module
    calls = list(calls)
    tries = {a for call in calls for a in _tries(call, life)}
    ops: list[ReplaceExpr] = []
    imports: list[ImportNeed] = []
    effects: list[Effect] = []
    for handler in sorted((h for t in tries for h in t.handlers), key=lambda h: h.lineno):
        named = list(_driver_types(handler, life))
        if not named and (read := _reads_error(handler, module)):
            message = (
                f"what line {read} reads of the error is SQLAlchemy's text, which holds the SQL and the parameters"
            )
            effects.append(Effect("driver-exception", handler.lineno, message))
        if not named and handler.type is not None and names_driver(handler.type, module):
            message = f"catches {module.text(handler.type)}, which names the driver's errors; add SQLAlchemy's to them"
            effects.append(Effect("driver-exception", handler.lineno, message))
        if not named or handler.type is None:
            continue
        news = dict.fromkeys(_counterpart(name) for name in named)
        taken = [n for n in news if module.imports.get(n, f"sqlalchemy.exc.{n}") != f"sqlalchemy.exc.{n}"]
        message = (
            f"catches {module.text(handler.type)}; SQLAlchemy raises its own, with another text and other attributes"
        )
        if taken:
            message += f"; {taken[0]} means something else here, so that it no longer catches them"
        effects.append(Effect("driver-exception", handler.lineno, message))
        if taken:
            continue
        ops.append(_widened(handler.type, ", ".join(news), module))
        imports += [ImportNeed("sqlalchemy.exc", name) for name in news]
    for guard in {g for call in calls for g in _suppressed(call, life)}:
        news = dict.fromkeys(_counterpart(name) for a in guard.args for name in _types(a, life))
        ops.append(ReplaceExpr(module.span(guard.args[-1]), f"{module.text(guard.args[-1])}, {', '.join(news)}"))
        imports += [ImportNeed("sqlalchemy.exc", name) for name in news]
        message = f"suppresses {', '.join(module.text(a) for a in guard.args)}; SQLAlchemy raises its own"
        effects.append(Effect("driver-exception", guard.lineno, message))
    if life.how is not How.HANDED:  # whose callers are of its family
        effects += _caller_effects(life)
        effects += _far_caller_effects(life, index)
    return Handlers(tuple(ops), tuple(imports), tuple(effects))


def _reads_error(handler: ast.ExceptHandler, module: Module) -> int:
    """The line where a handler of all errors makes something of the error besides a log's line; 0 where none does."""
    caught = {n.id for n in ast.walk(handler.type) if isinstance(n, ast.Name)} if handler.type else set()
    if not handler.name or not caught & {"Exception", "BaseException"}:
        return 0
    for node in (n for s in handler.body for n in ast.walk(s)):
        if isinstance(node, ast.Name) and node.id == handler.name and not _is_logged(node, handler, module):
            return node.lineno
    return 0


def _is_logged(node: ast.Name, handler: ast.ExceptHandler, module: Module) -> bool:
    inner: ast.AST = node
    for around in module.ancestors(node):
        if around is handler:
            return False
        if isinstance(around, ast.Call) and dotted(around.func).rpartition(".")[2].lower() in _LOGS:
            return True
        if isinstance(around, ast.Raise) and (inner is around.cause or inner is around.exc is node):
            return True
        if isinstance(around, ast.Call) and dotted(around.func) == "isinstance":
            return True
        inner = around
    return False


def _suppressed(call: ast.expr, life: Life) -> Iterator[ast.Call]:
    """Each `suppress(..)` around a statement that names a driver's error."""
    for around in life.module.ancestors(call):
        if around is life.host:
            return
        for item in around.items if isinstance(around, ast.With) else ():
            guard = item.context_expr
            if isinstance(guard, ast.Call) and dotted(guard.func).rpartition(".")[2] == "suppress":
                yield from [guard] if any(_types(a, life) for a in guard.args) else []


def _caller_effects(life: Life) -> Iterator[Effect]:
    """Places in the same file that catch the driver's errors of this function, or of what leads to it."""
    host, module = life.host, life.module
    if not isinstance(host, FunctionNode):
        return
    names = reaching(host, module)
    handing = {*_handed_to(host, module), *(_bare(d) for d in host.decorator_list)}
    for place in caught(module):
        around = list(module.ancestors(place.node))
        if host in around:
            continue
        if place.called & names or any(isinstance(a, FunctionNode) and a.name in handing for a in around):
            message = f"catches the driver's errors of {host.name}(), which raises SQLAlchemy's from now on"
            yield Effect("driver-exception", place.line, message)


def _bare(node: ast.expr) -> str:
    return dotted(node.func if isinstance(node, ast.Call) else node).rpartition(".")[2]


def _handed_to(host: FunctionNode, module: Module) -> Iterator[str]:
    """The functions that a function is handed to, to be called: `retry(add, 1)`."""
    for call in module.calls:
        if any(dotted(a).rpartition(".")[2] == host.name for a in (*call.args, *(k.value for k in call.keywords))):
            yield _bare(call)


def _far_caller_effects(life: Life, index: ProjectIndex) -> Iterator[Effect]:
    """The same in other files, as far as names tell."""
    host, module = life.host, life.module
    if not isinstance(host, FunctionNode):
        return
    path, names = module.source.path, reaching(host, module)
    handing = {*_handed_to(host, module), *(_bare(d) for d in host.decorator_list)}
    homes = _homes(path, module.imports, handing, index)
    for facts in index.facts:
        if facts.path == path or not facts.catches:
            continue
        called = host.name in facts.catches or (names & set(facts.catches) and index.imports.leads_to(facts.path, path))
        if called or facts.path in homes or _leads(facts, path, index):
            message = (
                f"{facts.path} catches the driver's errors of {host.name}(), which raises SQLAlchemy's from now on"
            )
            yield Effect("driver-exception", life.line, message)


def _leads(facts: FileFacts, path: str, index: ProjectIndex) -> bool:
    """Whether what a file guards is of a file that leads here."""
    homes = _homes(facts.path, dict(facts.imports), facts.catches, index)
    return any(home not in (path, facts.path) and index.imports.leads_to(home, path) for home in homes)


def _homes(path: str, imports: Mapping[str, str], names: Iterable[str], index: ProjectIndex) -> set[str]:
    """The files that names of a file are imported from."""
    targets = (imports[name] for name in names if name in imports)
    return {file for target in targets for file, _ in index.imports.held_in(path, target)}


def _widened(caught: ast.expr, news: str, module: Module) -> ReplaceExpr:
    """`except a` to `except (a, new)`; a tuple is widened at its last element, so that its parentheses stay."""
    if isinstance(caught, ast.Tuple):
        last = caught.elts[-1]
        return ReplaceExpr(module.span(last), f"{module.text(last)}, {news}")
    return ReplaceExpr(module.span(caught), f"({module.text(caught)}, {news})")


def _tries(node: ast.expr, life: Life) -> Iterator[ast.Try]:
    """The tries whose handlers see what `node` raises."""
    inner: ast.AST = node
    for around in life.module.ancestors(node):
        if isinstance(around, ast.Try) and inner in around.body:
            yield around
        if around is life.host:
            return
        inner = around


def _driver_types(handler: ast.ExceptHandler, life: Life) -> Iterator[str]:
    """The driver's exception names that a handler catches."""
    if handler.type is None:
        return
    yield from _types(handler.type, life)


def _types(caught_: ast.expr, life: Life) -> list[str]:
    """The driver's exceptions that an expression names."""
    found = []
    for node in caught_.elts if isinstance(caught_, ast.Tuple) else [caught_]:
        name = dotted(node)
        head, _, rest = name.partition(".")
        target = life.module.local_imports(life.host).get(head) or life.module.imports.get(head, "")
        full = f"{target}.{rest}" if rest else target
        if any(full.startswith(f"{driver}.") for driver in DIALECTS):
            found.append(full.rpartition(".")[2])
    return found


def _counterpart(name: str) -> str:
    if name in _SAME:
        return name
    return "SQLAlchemyError" if name in _ALL else "DBAPIError"
