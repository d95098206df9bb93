"""Which scope a session block is handed to, and how its file names it."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import lru_cache

from ormlift.model import ImportNeed, Reason, ScopeChoice, Settings
from ormlift.project.index import ProjectIndex
from ormlift.schema import Scope
from ormlift.syntax import FunctionNode, Module, module_level, suites, walk_scope


@dataclass(frozen=True)
class Named:
    """A scope, and what calls it in one file."""

    call: str  # `session_scope()`
    scope: Scope | None  # None: nothing is known of it
    imports: tuple[ImportNeed, ...] = ()


@dataclass(frozen=True)
class Choice:
    """A scope to use, and what is known of it."""

    wanted: ScopeChoice
    scope: Scope | None


def choose(module: Module, settings: Settings, index: ProjectIndex, *, is_async: bool) -> Choice | None:
    """The scope for a file: the first configured one whose globs fit, else the best one found in the project."""
    if settings.scopes:
        configured = next((c for c in settings.scopes if fits(module.source.path, c.where)), None)
        return None if configured is None else Choice(configured, index.scope_named(configured))
    for scope in index.default_scopes():
        home = index.import_path(scope.path, module.source.path)
        if scope.is_async is is_async and home is not None:
            return Choice(ScopeChoice(scope.name, home), scope)
    return None


def fits(path: str, globs: tuple[str, ...]) -> bool:
    """Whether a path fits any of the globs; no globs fit every path."""
    return not globs or any(_pattern(glob).match(path) for glob in globs)


@lru_cache(maxsize=256)
def _pattern(glob: str) -> re.Pattern[str]:
    """A glob as in .gitignore: without an inner slash it fits at any depth, and a folder fits all that is in it."""
    anchored = "/" in glob.rstrip("/")
    text = re.escape(glob.strip("/"))
    text = text.replace(r"\*\*/", "(?:.*/)?").replace(r"/\*\*", "/.*").replace(r"\*\*", ".*")
    text = text.replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
    return re.compile(("" if anchored else "(?:.*/)?") + text + "(?:/.*)?$")


def name_scope(module: Module, function: FunctionNode | ast.Module, line: int, chosen: Choice) -> Named | Reason:
    """How the file calls the scope at `line` of `function`, or why it can't."""
    choice, scope = chosen.wanted, chosen.scope
    root = choice.expression.partition(".")[0]
    target = f"{choice.module}.{root}" if choice.module else ""
    call = f"{choice.expression}()"
    if isinstance(function, FunctionNode) and root in bound_in(function):
        bound = module.local_imports(function).get(root)
        if not (bound and target and _same(bound, target)):
            text = f"{root}, which begins the scope's name, is bound to something else in this function"
            return Reason("name-taken", f"{text}; rename it there")
        return Named(call, scope, ())
    bound_line = _bound_at(module, root)
    imported = module.imports.get(root)
    if imported is not None and target and not _same(imported, target):
        text = f"{root} is imported from {imported} in this file, and the scope from {choice.module}"
        return Reason("name-taken", f"{text}; rename one of them")
    if bound_line:
        if imported is None and choice.module and not _is_module(module.source.path, choice.module):
            text = f"{root} is bound to something else on line {bound_line} of this file"
            return Reason("name-taken", f"{text}; rename it, or configure the scope without `import` for this file")
        if isinstance(function, ast.Module) and bound_line >= line:
            return Reason("name-taken", f"{root} is bound on line {bound_line}, after this block runs; move it up")
        return Named(call, scope, ())
    if not choice.module:
        text = f"{root} is not bound in this file"
        return Reason("scope-not-bound", f'{text}; say where it is imported from: `import = "module:{root}"`')
    if _is_module(module.source.path, choice.module):
        return Reason("scope-not-bound", f"this file is {choice.module}, but does not bind {root} at module level")
    return Named(call, scope, (ImportNeed(choice.module, root),))


def bound_in(function: FunctionNode) -> set[str]:
    """All names that a function binds."""
    names = {n.id for n in walk_scope(function) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
    names |= {n.arg for n in ast.walk(function.args) if isinstance(n, ast.arg)}
    for node in walk_scope(function):
        match node:
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                names |= {(a.asname or a.name).partition(".")[0] for a in aliases}
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.ExceptHandler(name=str(name)):
                names.add(name)
            case _:
                pass
    return names - {n for g in walk_scope(function) if isinstance(g, ast.Global) for n in g.names}


def _bound_at(module: Module, name: str) -> int:
    """The first line that binds a name at module level; 0 where none does."""
    for statement in module_level(module.tree):
        if name in _binds(statement):
            return statement.lineno
    return 0


def _binds(statement: ast.stmt) -> set[str]:
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
            return {a.asname or a.name.partition(".")[0] for a in aliases}
        case _:
            inner = {id(s) for suite in suites(statement) for s in suite}
            found: set[str] = set()
            stack: list[ast.AST] = [statement]
            while stack:
                node = stack.pop()
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                    found.add(node.id)
                stack += [c for c in ast.iter_child_nodes(node) if id(c) not in inner]
            return found


def _same(bound: str, target: str) -> bool:
    """Whether two dotted names may be one: relative imports and source roots leave off the front."""
    one, other = bound.lstrip("."), target.lstrip(".")
    return one == other or one.endswith("." + other) or other.endswith("." + one)


def _is_module(path: str, module: str) -> bool:
    """Whether the file at `path` is the module of that dotted name."""
    name = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return _same(name, module)
