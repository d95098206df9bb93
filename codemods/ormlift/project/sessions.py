"""Reads, in one file, what may hand out a session or a connection: functions, properties, variables and attributes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from ormlift.project.bodies import flat, returned, yielded
from ormlift.project.columns import last
from ormlift.project.handles import (
    Handle,
    Locals,
    alternatives,
    annotation_name,
    bindings,
    read_handle,
    read_locals,
    without,
)
from ormlift.project.scopes import ExitFacts, entered_names, read_exit, read_exit_method
from ormlift.project.work import Work, only_closes, refusing_line, work_of
from ormlift.syntax import FunctionNode, dotted, import_targets

INTERESTING = re.compile(
    r"sess|conn|curs|db|database|engine|maker|factory|trans|scope|local|pool|unit|uow|declarative|_base|registry|SQLAlchemy",
    re.I,
)

_MANAGERS = re.compile(
    r"^[A-Z]\w*(?:Manager|Provider|Store|Service|Repository|Container)$|^(?:Manager|Provider|Store|Container)$"
)


_KEEPING = frozenset({"memoize", "memoized", "memo", "singleton", "once", "run_once"})


@dataclass(frozen=True, slots=True)
class FunctionFacts:
    """A function or method that returns or yields something, and what it does to a session that it is handed."""

    name: str
    line: int
    owner: str = ""
    is_async: bool = False
    decorators: tuple[str, ...] = ()  # bare names
    required: int = 0  # parameters without a default, self left out
    returns: Handle | None = None  # None: nothing, or something that cannot be read
    yields: Handle | None = None
    subject: str = ""  # the source text of what is yielded
    generator: bool = False
    exit: ExitFacts | None = None  # of a context manager
    returned_type: str = ""  # the return annotation's name
    imports: tuple[tuple[str, str], ...] = ()  # bound inside the function
    does: tuple[tuple[int, str], ...] = ()  # what it calls on a parameter: (its position, close | commit | rollback)
    only_closes: bool = False  # it closes the one session that it is handed, and does no more
    refuses: int = 0  # the line of a `raise` on the way to what it hands out
    work: Work = ()  # what it does besides making and handing out its result; of a generator, before that too

    @property
    def is_scope(self) -> bool:
        """Whether it is a context manager function."""
        return bool({"contextmanager", "asynccontextmanager"} & set(self.decorators))

    @property
    def is_kept(self) -> bool:
        """Whether what it returns is kept and handed out again: `@lru_cache`."""
        return any("cache" in d.lower() or d.lower() in _KEEPING for d in self.decorators)


@dataclass(frozen=True, slots=True)
class Binding:
    """A module variable, class attribute or attribute of self, and what it holds."""

    name: str
    owner: str  # class; empty at module level
    line: int
    value: Handle | None  # None: it is bound, but what to cannot be read
    late: bool = False  # bound by a function through `global`: imported by name, it is what it was before
    declared: bool = False  # `self.session: Session | None = None`: whoever sets it does so from outside


@dataclass
class _Definition:
    """A function or method, with what more than one reader asks of it, read once."""

    owner: str
    node: FunctionNode

    @cached_property
    def statements(self) -> list[ast.stmt]:
        return flat(self.node.body)

    @cached_property
    def known(self) -> Locals:
        return read_locals(self.node, self.statements)


class Definitions:
    """The definitions of one file, those nested in `if` and `try` too, not those in functions."""

    def __init__(self, tree: ast.Module) -> None:
        self.statements = flat(tree.body)
        self.functions: list[_Definition] = []
        self.classes: list[tuple[ast.ClassDef, list[ast.stmt]]] = []
        for statement in self.statements:
            if isinstance(statement, FunctionNode):
                self.functions.append(_Definition("", statement))
            elif isinstance(statement, ast.ClassDef):
                inner = flat(statement.body)
                self.classes.append((statement, inner))
                self.functions += [_Definition(statement.name, n) for n in inner if isinstance(n, FunctionNode)]


def read_functions(definitions: Definitions, bound: Iterable[Binding]) -> list[FunctionFacts]:
    """The functions and methods of a file that matter here."""
    managers = {d.owner for d in definitions.functions if d.node.name in ("__exit__", "__aexit__")}
    read = []
    for definition in definitions.functions:
        entering = definition.owner in managers and definition.node.name in ("__init__", "__enter__", "__aenter__")
        facts = _read_function(definition, always=entering)
        if facts is not None:
            read.append((facts, definition, entering or _matters(facts)))
    makers = {b.name for b in bound if not b.owner}
    makers |= {facts.name for facts, _, wanted in read if wanted and not facts.owner}
    return [
        replace(
            facts,
            work=work_of(definition.node, _handed_out(definition.statements)),
            refuses=refusing_line(definition.node),
        )
        for facts, definition, wanted in read
        if wanted or _rooted(facts, makers)
    ]


def _handed_out(statements: list[ast.stmt]) -> list[ast.expr]:
    """What a function yields, or else returns."""
    return [y.value for y in yielded(statements) if y.value is not None] or returned(statements)


def _rooted(facts: FunctionFacts, makers: set[str]) -> bool:
    """Whether what it hands out begins with a name that the file binds to something about sessions."""
    handles = [h for h in (facts.returns, facts.yields) if h is not None]
    return any(h.root.partition(".")[0] in makers for h in handles)


def _read_function(definition: _Definition, *, always: bool) -> FunctionFacts | None:
    node, owner, statements = definition.node, definition.owner, definition.statements
    decorators = tuple(last(dotted(d.func if isinstance(d, ast.Call) else d)) for d in node.decorator_list)
    manager = bool({"contextmanager", "asynccontextmanager"} & set(decorators))
    does = _actions_on_parameters(node, statements, owner, decorators)
    yields, results = yielded(statements), returned(statements)
    if not (always or manager or does or yields or results):
        return None
    known = definition.known
    given = [y.value for y in yields if y.value is not None]
    return FunctionFacts(
        node.name,
        node.lineno,
        owner,
        isinstance(node, ast.AsyncFunctionDef),
        decorators,
        _required(node, owner, decorators),
        returns=None if yields else _one(results, known),
        yields=_one(given, known) if len(given) == len(yields) else None,
        subject=ast.unparse(given[0]) if given else "",
        generator=bool(yields),
        exit=read_exit(node, yields) if manager and given else None,
        returned_type=annotation_name(node.returns),
        imports=tuple(pair for s in statements for pair in import_targets(s).items()),
        does=does,
        only_closes=only_closes(node, bound=bool(owner) and "staticmethod" not in decorators),
    )


def _one(values: list[ast.expr], known: Locals) -> Handle | None:
    values = [v for v in values if not _is_none(v)]
    return alternatives([read_handle(v, known) for v in values])


def _required(node: FunctionNode, owner: str, decorators: tuple[str, ...]) -> int:
    positional = len(node.args.posonlyargs) + len(node.args.args) - len(node.args.defaults)
    keyword = sum(1 for d in node.args.kw_defaults if d is None)
    bound = 1 if owner and "staticmethod" not in decorators else 0
    return max(0, positional - bound) + keyword


def _actions_on_parameters(
    node: FunctionNode, statements: list[ast.stmt], owner: str, decorators: tuple[str, ...]
) -> tuple[tuple[int, str], ...]:
    names = [a.arg for a in (*node.args.posonlyargs, *node.args.args)]
    names = names[1:] if owner and "staticmethod" not in decorators else names
    done = set()
    for statement in statements if names else ():
        call = statement.value if isinstance(statement, ast.Expr) else None
        call = call.value if isinstance(call, ast.Await) else call
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
            receiver = dotted(call.func.value)
            if call.func.attr in ("close", "commit", "rollback") and receiver in names:
                done.add((names.index(receiver), call.func.attr))
    return tuple(sorted(done))


def _matters(facts: FunctionFacts) -> bool:
    """Whether a function may be a source or a scope, or stands in the way of taking its name for one."""
    if facts.exit is not None or facts.does or INTERESTING.search(facts.name):
        return True
    handles = [h for h in (facts.returns, facts.yields) if h is not None]
    return any(_about_sessions(h) for h in handles)


def _about_sessions(handle: Handle) -> bool:
    inner = [handle.base] if handle.base is not None else list(handle.items)
    return bool(INTERESTING.search(handle.name)) or any(_about_sessions(h) for h in inner)


def _is_manager(handle: Handle) -> bool:
    """Whether it is an object of a class that is named as what manages or provides something."""
    made = handle.base if handle.op == "call" and handle.base is not None else handle
    return made.op in ("param", "name") and _MANAGERS.search(last(made.name)) is not None


def read_bindings(definitions: Definitions) -> list[Binding]:
    """Variables of the module, attributes of its classes, and what methods assign to self or to a class."""
    outside = Locals()
    found = []
    for statement in definitions.statements:
        if not isinstance(statement, FunctionNode | ast.ClassDef):
            found += _bound_by(statement, outside, "")
    for node, statements in definitions.classes:
        for statement in statements:
            if not isinstance(statement, FunctionNode):
                found += _bound_by(statement, outside, node.name)
    for definition in definitions.functions:
        found += _attributes_set(definition) if definition.owner else _globals_set(definition)
    return sorted(found, key=lambda binding: binding.line)


def _attributes_set(definition: _Definition) -> list[Binding]:
    found = []
    for statement in definition.statements:
        found += _bound_by(statement, definition, definition.owner, attributes=True)
    return found


def _globals_set(definition: _Definition) -> list[Binding]:
    names = {name for s in definition.statements if isinstance(s, ast.Global) for name in s.names}
    if not names:
        return []
    found = [b for s in definition.statements for b in _bound_by(s, definition, "")]
    return [replace(b, late=True) for b in found if b.name in names]


def _bound_by(
    statement: ast.stmt, around: Locals | _Definition, owner: str, *, attributes: bool = False
) -> list[Binding]:
    found = []
    if isinstance(statement, ast.AnnAssign) and (statement.value is None or _is_none(statement.value)):
        name, said = _bound_name(statement.target, owner, attributes=attributes), annotation_name(statement.annotation)
        if owner and name and said and INTERESTING.search(name):
            found.append(Binding(name, owner, statement.lineno, Handle("param", said), declared=True))
    for target, how, value in bindings(statement):
        name = _bound_name(target, owner, attributes=attributes)
        if not name or _is_none(value):
            continue
        known = around.known if isinstance(around, _Definition) else around
        handle = read_handle(value, without(known, dotted(target))) if how == "is" else None
        if INTERESTING.search(name) or (handle is not None and (_about_sessions(handle) or _is_manager(handle))):
            found.append(Binding(name, owner, target.lineno, handle))
    return found


def _is_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def _bound_name(target: ast.expr, owner: str, *, attributes: bool) -> str:
    if not attributes:
        return target.id if isinstance(target, ast.Name) else ""
    if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
        return target.attr if target.value.id in ("self", "cls", owner) else ""
    return ""


def read_class_exits(definitions: Definitions) -> list[tuple[str, ExitFacts]]:
    """What the `__exit__` of each class of the file does, by class name."""
    owned = [(d.owner, d.node) for d in definitions.functions]
    enters = {owner: node for owner, node in owned if node.name in ("__enter__", "__aenter__")}
    inits = {owner: node for owner, node in owned if node.name == "__init__"}
    found = []
    for owner, node in owned:
        if node.name in ("__exit__", "__aexit__"):
            subjects = entered_names(enters[owner], inits.get(owner)) if owner in enters else frozenset[str]()
            found.append((owner, read_exit_method(node, subjects)))
    return found
