"""Where a project opens its database by the driver itself, in each function anew, and never twice in another way.

Then there is no function that an engine could open its connections by. But where all of them name the same constant of
a module, the engine can do as they do: `creator=lambda: sqlite3.connect(DB_PATH)`.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ormlift.model import Source
from ormlift.project.names import is_test_path
from ormlift.syntax import FunctionNode, Module, dotted, module_level

_HARMLESS = ("timeout", "check_same_thread")  # options of a connection that change no answer
_SPECIAL = (":memory:", "mode=", "file:")


@dataclass(frozen=True, slots=True)
class Database:
    """What connections are opened to: a name of a module, or a literal path."""

    path: str  # the file in which the engine can stand
    line: int  # the top-level statement behind which it can
    text: str  # `DB_PATH`, or `"app.db"`
    calls: int  # how many calls name it
    opens: str  # the call by which that file opens it
    setup: tuple[str, ...] = ()  # what a context manager of that file sets on its connection, which it calls `conn`
    manager: str = ""  # that context manager


def find_database(sources: Sequence[Source]) -> tuple[Database | None, list[str]]:
    """The one database that the application opens by `sqlite3.connect(..)`, and the texts of others."""
    modules = [m for m in map(_parsed, sources) if m is not None]
    found = [(module, call, _named(call, module)) for module in modules for call in _connects(module)]
    counts = Counter(text or module.text(call) for module, call, text in found)
    if not counts:
        return None, []
    text, calls = counts.most_common(1)[0]
    others = [other for other in counts if other != text]
    homes = [(module, call) for module, call, name in found if name == text]
    if not homes or calls < 2 * max((counts[other] for other in others), default=0):
        return None, list(counts)
    managers = [(module, call, function) for module, call in homes if (function := _manager(module, call)) is not None]
    if len(managers) == 1:
        module, call, function = managers[0]
        setup, name = _before_block(function, call, module), function.name
    else:
        module, call = min(homes, key=lambda home: (not _assigns(home[0], text), home[0].source.path))
        setup, name = (), ""
    opens = module.text(call).replace("\n", " ")
    return Database(module.source.path, _place(module, text), text, calls, opens, setup, name), others


def _manager(module: Module, call: ast.Call) -> FunctionNode | None:
    """The context manager that opens the database, where one does."""
    function = module.enclosing_function(call)
    decorators = [dotted(d) for d in function.decorator_list] if function is not None else []
    return function if any(d.rpartition(".")[2] == "contextmanager" for d in decorators) else None


def _before_block(function: FunctionNode, call: ast.Call, module: Module) -> tuple[str, ...]:
    """The statements between the opening and the yield; none where they are more than settings of the connection."""
    opening = module.parents.get(call)
    if not isinstance(opening, ast.Assign) or not isinstance(opening.targets[0], ast.Name):
        return ()
    name = opening.targets[0].id
    texts: list[str] = []
    flat = [inner for s in function.body for inner in (s.body if isinstance(s, ast.Try) else [s])]
    for statement in flat[flat.index(opening) + 1 :] if opening in flat else []:
        match statement:
            case ast.Expr(value=ast.Yield(value=ast.Name(id=given))) if given == name:
                return tuple(texts)
            case (
                ast.Assign(targets=[ast.Attribute(value=ast.Name(id=of))])
                | ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=of))))
            ) if of == name:
                texts.append(re.sub(rf"\b{re.escape(name)}\b", "conn", module.text(statement)))
            case _:
                return ()
    return ()


def _parsed(source: Source) -> Module | None:
    if not source.path.endswith(".py") or is_test_path(source.path) or ".connect(" not in source.text:
        return None
    try:
        return Module.parse(source)
    except SyntaxError:
        return None


def _connects(module: Module) -> Iterable[ast.Call]:
    """The calls of the driver's own connect."""
    for call in module.calls:
        match call.func:
            case ast.Attribute(value=ast.Name(id=name), attr="connect") if module.imports.get(name) == "sqlite3":
                yield call


def _named(call: ast.Call, module: Module) -> str:
    """What a call opens, as any module could say it: a name of the module, or a literal path; empty for all else."""
    if any(keyword.arg not in _HARMLESS for keyword in call.keywords):
        return ""
    match call.args:
        case [ast.Constant(value=str(value))] if value and not any(mark in value for mark in _SPECIAL):
            return f'"{value}"'
        case [ast.Name(id=name)] if name.isupper() and _place(module, name):
            function = module.enclosing_function(call)
            return name if function is None or name not in _arguments(function) else ""
    return ""


def _arguments(function: FunctionNode) -> set[str]:
    return {a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg)}


def _binds(statement: ast.stmt, name: str) -> bool:
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return any((a.asname or a.name) == name for a in statement.names)
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    return any(isinstance(target, ast.Name) and target.id == name for target in targets)


def _assigns(module: Module, name: str) -> bool:
    """Whether the file is where the name comes from."""
    return any(not isinstance(s, ast.Import | ast.ImportFrom) and _binds(s, name) for s in module.tree.body)


def _place(module: Module, text: str) -> int:
    """The line of the statement behind which the name has its value; 0 where it is bound otherwise, or twice."""
    if text.startswith('"'):
        imports = [s for s in module.tree.body if isinstance(s, ast.Import | ast.ImportFrom)]
        return imports[-1].lineno if imports else 0
    binding = [s for s in module_level(module.tree) if _binds(s, text)]
    return binding[0].lineno if len(binding) == 1 and binding[0] in module.tree.body else 0
