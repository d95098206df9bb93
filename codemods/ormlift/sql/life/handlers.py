"""Handlers that catch the driver's exceptions, which SQLAlchemy's take the place of."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ormlift.model import Effect, ImportNeed, ReplaceExpr
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


def _caller_effects(life: Life) -> Iterator[Effect]:
    """Handlers of the driver's errors around calls of this function in the same file."""
    if not isinstance(life.host, FunctionNode):
        return
    for node in life.module.parents:
        if not isinstance(node, ast.Try) or life.host in life.module.ancestors(node):
            continue
        named = [h for h in node.handlers if any(_driver_types(h, life))]
        calls = (n for s in node.body for n in ast.walk(s) if isinstance(n, ast.Call)) if named else iter(())
        if any(dotted(call.func).rpartition(".")[2] == life.host.name for call in calls):
            message = f"catches the driver's errors of {life.host.name}(), which raises SQLAlchemy's from now on"
            yield Effect("driver-exception", named[0].lineno, message)


def _far_caller_effects(life: Life, index: ProjectIndex) -> Iterator[Effect]:
    """The same in other files, as far as the function's name tells."""
    name = life.host.name if isinstance(life.host, FunctionNode) else ""
    for facts in index.facts if name else ():
        if facts.path != life.module.source.path and name in facts.catches:
            message = f"{facts.path} catches the driver's errors of {name}(), which raises SQLAlchemy's from now on"
            yield Effect("driver-exception", life.line, message)


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
    for node in handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]:
        name = dotted(node)
        head, _, rest = name.partition(".")
        target = life.module.local_imports(life.host).get(head) or life.module.imports.get(head, "")
        full = f"{target}.{rest}" if rest else target
        if any(full.startswith(f"{driver}.") for driver in DIALECTS):
            yield full.rpartition(".")[2]


def _counterpart(name: str) -> str:
    if name in _SAME:
        return name
    return "SQLAlchemyError" if name in _ALL else "DBAPIError"
