"""How a file names the scope that a session block is handed to."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from ormlift.model import ImportNeed, Reason
from ormlift.project.choose import ChosenScope
from ormlift.schema import Scope
from ormlift.syntax import FunctionNode, Module, dotted, every_node, module_level, suites, walk_scope


@dataclass(frozen=True)
class Named:
    """A scope, and what calls it in one file."""

    call: str  # `session_scope()`
    scope: Scope | None  # None: nothing is known of it
    imports: tuple[ImportNeed, ...] = ()  # names that the file must bind first
    own: bool = False  # the call that hands out the session, entered itself

    @property
    def opens(self) -> str:
        """What a `with` writes, its `as` left out."""
        return f"{'async with' if self.scope is not None and self.scope.is_async else 'with'} {self.call}"


def name_scope(module: Module, function: FunctionNode | ast.Module, line: int, chosen: ChosenScope) -> Named | Reason:
    """How the file calls the scope at `line` of `function`, or why it can't."""
    scope, call = chosen.scope, f"{chosen.expression}()"
    root = chosen.expression.partition(".")[0]
    if root == "self":
        return _of_class(module, function, chosen)
    home = chosen.need.module if chosen.need is not None else ""
    target = f"{home}.{root}" if home else ""
    if isinstance(function, FunctionNode) and root in bound_in(function):
        bound = module.local_imports(function).get(root)
        if not (bound and target and _same(bound, target)):
            text = f"{root}, which begins the scope's name, is bound to something else in this function"
            return Reason("name-taken", f"{text}; rename it there")
        return Named(call, scope, ())
    for outer in module.ancestors(function):
        if isinstance(outer, FunctionNode) and root in bound_in(outer):
            bound = module.local_imports(outer).get(root)
            if chosen.need is None or (bound and _same(bound, target)):
                return Named(call, scope, ())
            text = f"{root}, which begins the scope's name, is bound to something else in {outer.name}()"
            return Reason("name-taken", f"{text}; rename it there")
    bound_line = _bound_at(module, root) if root not in module.typing_imports else 0
    if gone := _deleted_at(module, root):
        return Reason("name-taken", f"line {gone} deletes {root}, which begins the scope's name; keep it")
    imported = module.imports.get(root)
    if imported is not None and target and not _same(imported, target):
        text = f"{root} is imported from {imported} in this file, and the scope from {home}"
        return Reason("name-taken", f"{text}; rename one of them")
    if bound_line:
        if imported is None and home and not _is_module(module.source.path, home):
            text = f"{root} is bound to something else on line {bound_line} of this file"
            return Reason("name-taken", f"{text}; rename it, or configure the scope without `import` for this file")
        if isinstance(function, ast.Module) and bound_line >= line:
            return Reason("name-taken", f"{root} is bound on line {bound_line}, after this block runs; move it up")
        return Named(call, scope, ())
    if not home:
        text = f"{root} is not bound in this file"
        return Reason("scope-not-bound", f'{text}; say where it is imported from: `import = "module:{root}"`')
    if _is_module(module.source.path, home):
        return Reason("scope-not-bound", f"this file is {home}, but does not bind {root} at module level")
    return Named(call, scope, (ImportNeed(home, root),))


def unfit(named: Named, function: ast.AST, *, is_async: bool) -> Reason | None:
    """Why this scope can't own a session of `function`, or None."""
    scope = named.scope
    if scope is None:
        if is_async:
            text = f"the session is async, and whether {named.call} is could not be read"
            return Reason("async-mismatch", f"{text}; configure a scope that the project defines")
        return None
    if scope.is_async is not is_async:
        one, other = ("async", "not") if is_async else ("not async", "is")
        text = f"the session is {one}, and the scope {named.call} {other}"
        return Reason("async-mismatch", f"{text}; configure another scope for this file")
    if is_async and not isinstance(function, ast.AsyncFunctionDef):
        text = "the session is async, and the function around it is not"
        return Reason("async-mismatch", f"{text}; open the scope where it can be awaited")
    if scope.takes_arguments:
        text = f"{named.call} can't be called without arguments"
        return Reason("scope-takes-arguments", f"{text}; configure a scope that can")
    if scope.yields != "session":
        text = f"{named.call} hands out {scope.yields or 'nothing'}, no session"
        return Reason("scope-yields-other", f"{text}; configure another scope for this file")
    return None


def _of_class(module: Module, function: FunctionNode | ast.Module, chosen: ChosenScope) -> Named | Reason:
    """How a method calls a scope of its own object."""
    owner = module.enclosing_class(function)
    name = chosen.expression.split(".")[1]
    methods = [f for f in (function, *module.ancestors(function)) if module.parents.get(f) is owner]
    method = next((f for f in methods if isinstance(f, FunctionNode)), None)
    first = [a.arg for a in (*method.args.posonlyargs, *method.args.args)][:1] if method is not None else []
    if (
        owner is None
        or method is None
        or first != ["self"]
        or (function is not method and "self" in _rebound(function))
    ):
        text = f"{chosen.expression} is a scope of an object, and there is no self here"
        return Reason("scope-not-bound", f"{text}; configure another scope for this place")
    own = next((s for s in owner.body if isinstance(s, FunctionNode) and s.name == name), None)
    if own is None:
        text = f"{owner.name} has no {name}() yet"
        return Reason("no-service-scope", f"{text}; service-scope writes it (--codemod service-scope --unsafe)")
    if not any(dotted(d).endswith("contextmanager") for d in own.decorator_list):
        text = f"{owner.name} has a {name}() of its own, which is no context manager (line {own.lineno})"
        return Reason("name-taken", f"{text}; give the scope another name")
    return Named(f"{chosen.expression}()", chosen.scope, ())


def _rebound(function: FunctionNode | ast.Module) -> frozenset[str]:
    return bound_in(function) if isinstance(function, FunctionNode) else frozenset()


def bound_in(function: FunctionNode) -> frozenset[str]:
    """All names that a function binds."""
    if function not in _BOUND:
        _BOUND[function] = frozenset(_read_bound(function))
    return _BOUND[function]


_BOUND: WeakKeyDictionary[FunctionNode, frozenset[str]] = WeakKeyDictionary()  # asked again and again of each function


def _read_bound(function: FunctionNode) -> set[str]:
    names = {n.arg for n in every_node(function.args) if isinstance(n, ast.arg)}
    outer: set[str] = set()
    for node in walk_scope(function):
        match node:
            case ast.Name(id=name):
                if node.ctx.__class__ is not ast.Load:
                    names.add(name)
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                names |= {(a.asname or a.name).partition(".")[0] for a in aliases}
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.ExceptHandler(name=str(name)):
                names.add(name)
            case ast.Global(names=declared):
                outer.update(declared)
            case _:
                pass
    return names - outer


def _bound_at(module: Module, name: str) -> int:
    """The first line that binds a name at module level; 0 where none does."""
    for statement in module_level(module.tree):
        if name in binds(statement):
            return statement.lineno
    return 0


def _deleted_at(module: Module, name: str) -> int:
    """The first line that deletes a name of the module; 0 where none does."""
    nodes = (n for s in module_level(module.tree) if isinstance(s, ast.Delete) for n in s.targets)
    return next((n.lineno for n in nodes if isinstance(n, ast.Name) and n.id == name), 0)


def binds(statement: ast.stmt) -> set[str]:
    """The names that a statement binds, those of its suites left out."""
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
