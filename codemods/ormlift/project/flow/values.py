"""What the names of a session block may hold: queries, instances of the session, containers of them.

Flow-insensitive on purpose: a name that anywhere in the block holds an instance is taken to hold one everywhere.
That is sound, and blocks are short.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from enum import Flag, auto
from typing import NamedTuple, Protocol

from ormlift.project.flow.callbacks import callbacks
from ormlift.project.flow.knowledge import (
    CONTAINER_READERS,
    CONTAINERS,
    ELEMENTS,
    PLAIN_METHODS,
    PLAIN_PREFIXES,
    PLAIN_SUFFIXES,
    RUN_METHODS,
    Knowledge,
    words,
)
from ormlift.project.flow.sqltext import literal_start, reads_only
from ormlift.syntax import FunctionNode, dotted, every_node, in_rows


class Kind(Flag):
    """What a value may be. No flag: a plain value that has nothing to do with the session."""

    PLAIN = 0
    SESSION = auto()
    QUERY = auto()  # a query or result of entities
    COLUMNS = auto()  # a query or result of plain columns
    DML = auto()  # a statement that writes, or that can't be read
    INSTANCE = auto()  # an instance of the session
    FULL = auto()  # a container of the block's own that may hold instances
    BOX = auto()  # a container of the block's own that holds none
    HOLDER = auto()  # an object that keeps the session
    CLOSURE = auto()  # a nested function that sees instances
    VARS = auto()  # the dict of an instance's attributes, which expiring empties; an object that an instance is set on
    RUNS = auto()  # a query of the session, or a method of one: it can update and delete by itself
    PART = auto()  # the value of a column that is tracked: what is changed inside of it is a change of the instance
    LAZY = auto()  # an iterator that has yet to read instances, though it gives none

    # What `Flag` does too, at five times the price; kinds are joined at every node of a block.

    def __or__(self, other: Kind) -> Kind:
        """What may be either."""
        value = self._value_ | other._value_
        return _KNOWN[value] if value in _KNOWN else _known(value)

    def __and__(self, other: Kind) -> Kind:
        """What both may be."""
        value = self._value_ & other._value_
        return _KNOWN[value] if value in _KNOWN else _known(value)


_KNOWN: dict[int, Kind] = {}


def _known(value: int) -> Kind:
    return _KNOWN.setdefault(value, Kind(value))


ENTITY = Kind.INSTANCE | Kind.FULL
LIVE = ENTITY | Kind.CLOSURE | Kind.VARS  # what is of no use any more once the instances are expired
KEPT = LIVE | Kind.LAZY
_LAZY = words("enumerate filter iter map zip reversed")
_MANY = words("all fetchall fetchmany partitions")
_ONE = words("first one one_or_none scalar scalar_one scalar_one_or_none get fetchone get_or_404 first_or_404")
_CARRYING_ROOTS = words("itertools functools copy operator collections random")
_NUMBERS = words("count rowcount update delete close keys")
_OF_CLASS = words(
    "__class__ __tablename__ __table__ __mapper__ __doc__ __module__ __name__ __table_args__ __mapper_args__"
)
_GIVES_PLAIN = words(
    "__str__ __repr__ __format__ __len__ __eq__ __ne__ __lt__ __le__ __gt__ __ge__ __hash__ __bool__ __contains__ "
    "__sizeof__ __dir__ __setitem__ __delitem__ __setattr__ __delattr__"
)
_NAMESPACES = words("locals vars globals")
_ADOPTS = words("add add_all delete merge refresh")


class Outcome(NamedTuple):
    """How a function leaves the session that writes and commits by itself, when it returns."""

    always: bool  # it commits, or rolls back, on every way
    fresh: bool  # instances may be loaded behind that


class Look(Protocol):
    """A look into the functions that a session or an instance is handed to."""

    def is_harmless(self, call: ast.Call, values: Values, at: ast.expr | None = None) -> bool:
        """Whether the called function is seen to change nothing of what it is handed, and to keep none of it.

        The call may be no part of the file, and then stands for one that is made at `at`.
        """

    def returned(self, call: ast.Call, values: Values) -> Kind | None:
        """What the called function gives back; None where it could not be read."""

    def outcome(self, call: ast.Call, values: Values) -> Outcome | None:
        """How the called function leaves the session; None where a change may stay uncommitted, or it can't be read."""

    def runs_when_read(self, node: ast.Attribute, values: Values) -> bool:
        """Whether an attribute of an object that keeps the session may be a property."""


class NoLook:
    """Sees nothing."""

    def is_harmless(self, call: ast.Call, values: Values, at: ast.expr | None = None) -> bool:  # noqa: ARG002
        """Nothing is known to be harmless."""
        return False

    def returned(self, call: ast.Call, values: Values) -> Kind | None:  # noqa: ARG002 - the protocol's signature
        """Nothing is known."""
        return None

    def outcome(self, call: ast.Call, values: Values) -> Outcome | None:  # noqa: ARG002 - the protocol's signature
        """Nothing is known."""
        return None

    def runs_when_read(self, node: ast.Attribute, values: Values) -> bool:  # noqa: ARG002 - the protocol's signature
        """No class is known."""
        return False


_BINDING = frozenset(  # what `Values._bind_node` asks for
    {ast.Assign, ast.AnnAssign, ast.NamedExpr, ast.AugAssign, ast.For, ast.AsyncFor, ast.comprehension, ast.withitem}
    | {ast.Call, ast.Try, ast.TryStar, ast.Match, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef}
)


class Values:
    """The kinds of all names of a block. Ask with `kind`."""

    def __init__(
        self,
        body: Sequence[ast.stmt],
        session: str,
        knowledge: Knowledge,
        look: Look | None = None,
        given: Mapping[str, Kind] | None = None,
        *,
        me: str = "",
    ) -> None:
        """`session` is the session's variable, or empty; `given` are the kinds of other names at the start.

        `me` is an object of which all attributes are known: those that are not `given` are plain.
        """
        self.session = session
        self.me = me
        self.knowledge = knowledge
        self.look: Look = look or NoLook()
        self.names: dict[str, Kind] = {**(given or {}), **({session: Kind.SESSION} if session else {})}
        self._body = body
        nodes = [node for node in in_rows(*body) if node.__class__ in _BINDING]
        while True:
            before = dict(self.names)
            for node in nodes:
                self._bind_node(node)
            if self.names == before:
                break

    # Binding

    def _bind_node(self, node: ast.AST) -> None:
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self._bind(target, self.kind(value), value)
            case ast.AnnAssign(target=target, value=ast.expr() as value) | ast.NamedExpr(target=target, value=value):
                self._bind(target, self.kind(value), value)
            case ast.AugAssign(target=target, value=value):
                self._bind(target, self.kind(value), value)
            case ast.For(target=target, iter=source) | ast.AsyncFor(target=target, iter=source):
                self._bind(target, element(self.kind(source)), None)
            case ast.comprehension(target=target, iter=source):
                self._bind(target, element(self.kind(source)), None)
            case ast.withitem(context_expr=value, optional_vars=ast.expr() as target):
                self._bind(target, self.kind(value), None)
            case ast.Call():
                self._bind_call(node)
            case _:
                self._bind_compound(node)

    def _bind_compound(self, node: ast.AST) -> None:
        match node:
            case ast.Try() | ast.TryStar():
                self._bind_errors(node)
            case ast.Match():
                self._bind_captures(node)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name) if self.sees(
                node
            ):
                self._join(name, Kind.CLOSURE)
            case _:
                pass

    def _bind_captures(self, node: ast.Match) -> None:
        kind = self.kind(node.subject)
        for inner in (n for case in node.cases for n in ast.walk(case.pattern)):
            if isinstance(inner, ast.MatchAs | ast.MatchStar) and inner.name:
                self._join(inner.name, kind | element(kind))

    def _bind_errors(self, node: ast.Try | ast.TryStar) -> None:
        """`except X as e` binds what may carry an instance, where one is raised with it."""
        raised = [n.exc for n in every_node(*node.body) if isinstance(n, ast.Raise)]
        if any(self._union(exc.args) & ENTITY for exc in raised if isinstance(exc, ast.Call)):
            for handler in node.handlers:
                self._join(handler.name or "", Kind.INSTANCE)

    def _bind(self, target: ast.expr, kind: Kind, value: ast.expr | None) -> None:
        match target:
            case ast.Name(id=name):
                self._join(name, kind)
            case ast.Tuple(elts=elts) | ast.List(elts=elts):
                starred = any(isinstance(e, ast.Starred) for e in (*elts, *getattr(value, "elts", ())))
                if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(elts) and not starred:
                    for inner, part in zip(elts, value.elts, strict=True):
                        self._bind(inner, self.kind(part), part)
                else:
                    for inner in elts:
                        self._bind(inner, element(kind), None)
            case ast.Starred(value=inner):
                self._bind(inner, kind | (Kind.FULL if kind & ENTITY else Kind.BOX), None)
            case ast.Subscript(value=container) if kind & (ENTITY | Kind.HOLDER):
                self._fill(container)
            case ast.Attribute() if kind & (ENTITY | Kind.HOLDER) and dotted(target):
                self._join(dotted(target), kind)
                root = dotted(target).partition(".")[0]
                if root not in ("self", "cls") and not self.kind(target.value) & (ENTITY | Kind.HOLDER):
                    self._join(root, Kind.VARS)
            case _:
                pass

    def _bind_call(self, call: ast.Call) -> None:
        for callback, sources in callbacks(call):
            for parameter in callback.args.args if isinstance(callback, ast.Lambda) else ():
                self._join(parameter.arg, element(self._union(sources)))
        if not isinstance(call.func, ast.Attribute):
            return
        receiver, method = call.func.value, call.func.attr
        if self.kind(receiver) & Kind.SESSION:
            if method in _ADOPTS:
                for arg in call.args[:1]:
                    self._adopt(arg, Kind.FULL if method == "add_all" else Kind.INSTANCE)
        elif method in ("append", "add", "extend", "insert", "update", "setdefault", "appendleft"):
            values = [*call.args, *(k.value for k in call.keywords)]
            if any(self.kind(value) & ENTITY for value in values):
                self._fill(receiver)

    def _adopt(self, arg: ast.expr, kind: Kind) -> None:
        match arg:
            case ast.Name(id=name) if name != self.session:
                self._join(name, kind)
            case ast.List(elts=elts) | ast.Tuple(elts=elts):
                for inner in elts:
                    self._adopt(inner, Kind.INSTANCE)
            case _:
                pass

    def _fill(self, container: ast.expr) -> None:
        """Note that a container now holds an instance; it is the root name that is told later."""
        while isinstance(container, ast.Subscript | ast.Call):
            called = isinstance(container, ast.Call)
            container = container.func if isinstance(container, ast.Call) else container.value
            if called and isinstance(container, ast.Attribute):
                container = container.value
        name = dotted(container)
        if name and name.partition(".")[0] != self.session and not self.kind(container) & Kind.INSTANCE:
            self._join(name, Kind.FULL)

    def _join(self, name: str, kind: Kind) -> None:
        if name != self.session and kind:
            self.names[name] = self.names.get(name, Kind.PLAIN) | kind

    # Questions

    def sees(self, node: ast.AST) -> bool:
        """Whether any name in `node` may hold the session, an instance, or what keeps one."""
        wanted = ENTITY | Kind.HOLDER | Kind.SESSION | Kind.RUNS
        return any(isinstance(n, ast.Name) and self.names.get(n.id, Kind.PLAIN) & wanted for n in ast.walk(node))

    def kind(self, node: ast.expr) -> Kind:
        """What the value of `node` may be."""
        match node:
            case ast.Name(id=name):
                return self.names.get(name, Kind.PLAIN)
            case ast.Attribute(value=base, attr=attr):
                known = self.names.get(dotted(node), Kind.PLAIN)
                mine = isinstance(base, ast.Name) and base.id == self.me
                return known if mine else self._attribute(self.kind(base), attr) | known
            case ast.Call():
                return self._call(node)
            case ast.Subscript(value=base, slice=index):
                kind = self.kind(base)
                return kind if isinstance(index, ast.Slice) else element(kind) & ~Kind.CLOSURE
            case ast.List(elts=elts) | ast.Tuple(elts=elts) | ast.Set(elts=elts):
                return self._box(elts)
            case ast.Dict(values=values):
                return self._box(values)
            case ast.ListComp(elt=elt) | ast.SetComp(elt=elt) | ast.GeneratorExp(elt=elt):
                waits = [g.iter for g in node.generators] if isinstance(node, ast.GeneratorExp) else []
                return self._box([elt]) | self._lazily(waits)
            case ast.DictComp(key=key, value=value):
                return self._box([key, value])
            case ast.BoolOp(values=values):
                return self._union(values)
            case ast.IfExp(body=body, orelse=orelse):
                return self.kind(body) | self.kind(orelse)
            case ast.BinOp(left=left, right=right):
                return self._union([left, right]) & (ENTITY | Kind.BOX | Kind.QUERY | Kind.COLUMNS)
            case ast.NamedExpr(value=value) | ast.Await(value=value) | ast.Starred(value=value):
                return self.kind(value)
            case ast.Lambda():
                return Kind.CLOSURE if self.sees(node) else Kind.PLAIN
            case _:
                return Kind.PLAIN

    def _union(self, nodes: Iterable[ast.expr]) -> Kind:
        kind = Kind.PLAIN
        for node in nodes:
            kind |= self.kind(node)
        return kind

    def _box(self, elements: Iterable[ast.expr]) -> Kind:
        kind = Kind.PLAIN
        for node in elements:
            kind |= element(self.kind(node.value)) if isinstance(node, ast.Starred) else self.kind(node)
        keeps = Kind.HOLDER if kind & (Kind.HOLDER | Kind.SESSION) else Kind.PLAIN
        full = Kind.FULL if kind & (ENTITY | Kind.QUERY) else Kind.BOX
        return full | keeps | kind & (Kind.CLOSURE | Kind.LAZY | Kind.RUNS | Kind.PART)

    def _lazily(self, sources: Iterable[ast.expr]) -> Kind:
        """Of an iterator over sources that is not run yet."""
        return Kind.LAZY if self._union(sources) & (ENTITY | Kind.QUERY | Kind.LAZY) else Kind.PLAIN

    def _attribute(self, base: Kind, attr: str) -> Kind:
        if base & ENTITY:
            if attr == "__dict__":
                return Kind.VARS
            if attr in self.knowledge.parts:
                return Kind.PART
            if attr in self.knowledge.relationships or attr in self.knowledge.bound:
                return Kind.INSTANCE
            if attr.startswith("__"):  # a method, which holds what it is of
                return Kind.PLAIN if attr in _OF_CLASS else base & ENTITY
            return Kind.PLAIN if attr in self.knowledge.columns or sounds_plain(attr) else Kind.INSTANCE
        if base & Kind.SESSION and attr in ("identity_map", "new", "dirty", "deleted"):
            return Kind.FULL
        return base & (Kind.HOLDER | Kind.QUERY | Kind.COLUMNS | Kind.RUNS | Kind.PART)

    # Calls

    def _call(self, call: ast.Call) -> Kind:
        if isinstance(call.func, ast.Attribute):
            receiver = self.kind(call.func.value)
            if receiver & Kind.SESSION:
                return self._session_call(call, call.func.attr)
            if receiver & (Kind.QUERY | Kind.COLUMNS | Kind.DML):
                return self._query_call(call, receiver, call.func.attr)
            if receiver & (ENTITY | Kind.BOX):
                return self._value_call(receiver, call.func.attr)
            if receiver & Kind.HOLDER:
                seen = self.look.returned(call, self)
                return Kind.INSTANCE if seen is None else seen
        return self._function_call(call, dotted(call.func))

    def _session_call(self, call: ast.Call, method: str) -> Kind:
        if method == "query":
            return self._entities(call.args) | Kind.RUNS
        if method in ("get", "get_one", "merge"):
            return Kind.INSTANCE
        if method in RUN_METHODS and call.args:
            statement = self.kind(call.args[0])
            if method == "scalar":
                return Kind.INSTANCE if statement & Kind.QUERY or not statement else Kind.PLAIN
            return Kind.COLUMNS if statement and not statement & Kind.QUERY else Kind.QUERY
        return Kind.PLAIN

    def _query_call(self, call: ast.Call, receiver: Kind, method: str) -> Kind:
        entities = bool(receiver & Kind.QUERY)
        if method in _MANY:
            return Kind.FULL if entities else Kind.BOX
        if method in _ONE:
            return Kind.INSTANCE if entities else Kind.PLAIN
        if method == "with_entities":
            return self._entities(call.args) | receiver & Kind.RUNS
        if method in _NUMBERS:
            return Kind.PLAIN
        if method == "paginate":
            return Kind.INSTANCE
        return receiver & (Kind.QUERY | Kind.COLUMNS | Kind.DML | Kind.RUNS)

    def _value_call(self, receiver: Kind, method: str) -> Kind:
        if method.startswith("__") and method not in _GIVES_PLAIN:
            return receiver | element(receiver)
        if method in PLAIN_METHODS or sounds_plain(method):
            return Kind.PLAIN
        if method in ("pop", "get", "setdefault", "popitem"):
            return element(receiver)
        if method in CONTAINER_READERS:
            return receiver
        return receiver & Kind.INSTANCE

    def _function_call(self, call: ast.Call, name: str) -> Kind:
        last = "" if self.knowledge.is_own(name) else name.rpartition(".")[2]
        values = [*call.args, *(k.value for k in call.keywords)]
        if last in ("insert", "update", "delete") and name in (last, f"sa.{last}", f"sqlalchemy.{last}"):
            return Kind.DML
        if last == "select":
            return self._entities(call.args)
        if last == "text" and call.args:
            return Kind.COLUMNS if self._reads(call.args[0]) else Kind.DML
        kind = self._union(values)
        if (known := self._builtin(call, name, kind)) is not None:
            return known
        if kind & Kind.LAZY and last[:1].isupper():  # such as a response that is streamed
            return Kind.LAZY
        if last in self.knowledge.models or self.knowledge.is_harmless(call.func) or not kind:
            return Kind.PLAIN
        seen = self.look.returned(call, self)
        if seen is not None:
            return seen
        last = name.rpartition(".")[2]
        if sounds_plain(last):
            return Kind.PLAIN
        if kind & (Kind.SESSION | Kind.HOLDER):
            return Kind.HOLDER if last[:1].isupper() else Kind.INSTANCE
        if kind & (Kind.QUERY | Kind.COLUMNS):
            return kind & (Kind.QUERY | Kind.COLUMNS | Kind.INSTANCE | Kind.RUNS)
        return Kind.INSTANCE if kind & (ENTITY | Kind.CLOSURE) else Kind.PLAIN

    def _builtin(self, call: ast.Call, name: str, kind: Kind) -> Kind | None:
        """What a builtin or a function of a library that carries its arguments gives; None for any other."""
        last = "" if self.knowledge.is_own(name) else name.rpartition(".")[2]
        if not call.args and (name in _NAMESPACES or last in ("currentframe", "_getframe", "stack")):
            return self._everything()
        if name == "vars":
            return Kind.VARS if kind & ENTITY else Kind.PLAIN
        if (name == "type" and len(call.args) == 3) or (name == "sum" and len(call.args) + len(call.keywords) == 2):
            return (Kind.FULL | kind) if kind & ENTITY else Kind.PLAIN
        carries = name != last and name.partition(".")[0] in _CARRYING_ROOTS
        if name in CONTAINERS or carries or (name == "map" and call.args):
            return self._container_call(call, name, kind, carries=carries)
        if name == "getattr":
            return kind & (Kind.INSTANCE | Kind.RUNS) | (
                Kind.HOLDER if kind & (Kind.SESSION | Kind.HOLDER) else Kind.PLAIN
            )
        return element(kind) if name in ELEMENTS else None

    def _everything(self) -> Kind:
        """What `locals()` holds."""
        kind = Kind.PLAIN
        for held in self.names.values():
            kind |= held & (LIVE | Kind.LAZY)
        return (Kind.FULL | kind) if kind else Kind.PLAIN

    def _container_call(self, call: ast.Call, name: str, kind: Kind, *, carries: bool) -> Kind:
        if name == "map":
            full = self._maps_to_instances(call.args[0], call.args[1:])
            return (Kind.FULL if full else Kind.BOX) | self._lazily(call.args[1:])
        waits = kind & Kind.LAZY if carries or name in _LAZY else Kind.PLAIN
        if kind & Kind.CLOSURE:  # such as a defaultdict, whose function gives an instance, or a partial
            return kind & (ENTITY | Kind.CLOSURE) | waits | Kind.FULL
        return waits | (Kind.FULL if kind & (ENTITY | Kind.QUERY | Kind.SESSION) else Kind.BOX)

    def _maps_to_instances(self, function: ast.expr, sources: Sequence[ast.expr]) -> bool:
        """Whether `map(function, *sources)` may give instances."""
        kinds = [element(self.kind(source)) for source in sources]
        if not any(kind & ENTITY for kind in kinds):
            return False
        if isinstance(function, ast.Lambda):
            given = dict(zip((a.arg for a in function.args.args), kinds, strict=False))
            inner = Values([], self.session, self.knowledge, self.look, {**self.names, **given})
            return bool(inner.kind(function.body) & LIVE)
        name = dotted(function)
        return not (self.knowledge.is_harmless(function) or sounds_plain(name.rpartition(".")[2]))

    def _reads(self, sql: ast.expr) -> bool:
        """Whether SQL text only reads; a name stands for every literal that the block assigns to it."""
        if not isinstance(sql, ast.Name):
            return reads_only(literal_start(sql))
        texts = [
            literal_start(node.value)
            for statement in self._body
            for node in ast.walk(statement)
            if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == sql.id for t in node.targets)
        ]
        return bool(texts) and all(reads_only(text) for text in texts)

    def _entities(self, args: Sequence[ast.expr]) -> Kind:
        plain = bool(args) and all(self._is_column(arg) for arg in args)
        return Kind.COLUMNS if plain else Kind.QUERY

    def _is_column(self, node: ast.expr) -> bool:
        match node:
            case ast.Attribute(attr=attr):
                return not attr[:1].isupper() and attr not in self.knowledge.relationships
            case ast.Call(func=ast.Attribute(value=base, attr=attr)):
                return dotted(base).endswith("func") or attr in ("count", "literal") or self._is_column(base)
            case ast.Call(func=ast.Name(id=name)):
                return name in ("case", "cast", "distinct", "literal", "literal_column", "text", "extract", "exists")
            case ast.BinOp(left=left, right=right):
                return self._is_column(left) or self._is_column(right)
            case ast.Constant() | ast.Compare():
                return True
            case _:
                return False


def sounds_plain(name: str) -> bool:
    """Whether a method, property or function is taken to give back plain values, for what it is called."""
    return name.startswith(PLAIN_PREFIXES) or name.endswith(PLAIN_SUFFIXES)


def element(kind: Kind) -> Kind:
    """What an element of a value may be."""
    found = kind & (Kind.HOLDER | Kind.BOX | Kind.RUNS | Kind.PART)
    if kind & (Kind.INSTANCE | Kind.QUERY | Kind.SESSION):
        found |= Kind.INSTANCE
    if kind & Kind.FULL:
        found |= ENTITY
    return found


def parameters(function: FunctionNode) -> list[str]:
    """The names of a function's parameters, in order."""
    a = function.args
    named = [*a.posonlyargs, *a.args, *a.kwonlyargs, *(x for x in (a.vararg, a.kwarg) if x is not None)]
    return [p.arg for p in named]
