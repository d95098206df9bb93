"""What an expression of the project is: a session factory, a session, a connection, an engine, or a function of them.

Evaluates handles across files. Every step needs evidence: a name that leads to SQLAlchemy, to a DB-API driver, or to a
definition of the project that does. Whatever cannot be followed is None.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import cached_property

from ormlift.project.columns import last
from ormlift.project.givers import KNOWN
from ormlift.project.handles import Handle
from ormlift.project.known import (
    CONNECTION_TYPES,
    DRIVERS,
    POOLS,
    SESSIONS,
    SETTINGS,
    is_session_class,
    make_connection,
    make_factory,
    session_of,
    with_settings,
)
from ormlift.project.models import ClassFacts
from ormlift.project.names import Names, is_test_path
from ormlift.project.sessions import Binding, FunctionFacts
from ormlift.schema import SessionFactory, SessionSource, SourceKind, Tri

CARRIERS = ("flask.current_app.", "flask.g.", "flask.request.")  # objects of frameworks that carry the project's own
MAX_DEPTH = 24


@dataclass(frozen=True, slots=True)
class Where:
    """Where a name stands: its file, the class around it, and the imports of its function."""

    path: str
    owner: str = ""
    imports: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Value:
    """What a handle turned out to be."""

    what: str  # factory | function | class | instance | external | handed | engine | flask | method | scope
    factory: SessionFactory | None = None
    handed: SessionSource | None = None
    path: str = ""  # function, class, instance: where it is defined
    function: FunctionFacts | None = None
    name: str = ""  # class, instance: the class; external: the dotted name; method: which
    stored: bool = False  # handed: it is kept where others find it too
    guessed: bool = False  # it is a member of an object whose class is not known, going by the member's name


@dataclass(frozen=True)
class Values:
    """The evaluator. It remembers what functions and bindings turned out to be."""

    names: Names
    _memo: dict[tuple[str, str, str, int], Value | None] = field(default_factory=dict)
    _busy: set[tuple[str, str, str, int]] = field(default_factory=set)

    def with_names(self, names: Names, *, keep: bool) -> Values:
        """An evaluator that sees one file changed; it keeps what is known if nothing known can hang on that file."""
        return Values(names, dict(self._memo) if keep else {})

    @cached_property
    def _functions(self) -> dict[tuple[str, str], dict[str, FunctionFacts]]:
        found: dict[tuple[str, str], dict[str, FunctionFacts]] = defaultdict(dict)
        for path, facts in self.names.files.items():
            for function in facts.functions:
                if not {"setter", "overload"} & set(function.decorators):
                    found[path, function.owner][function.name] = function
        return found

    @cached_property
    def _bindings(self) -> dict[tuple[str, str], dict[str, list[Binding]]]:
        found: dict[tuple[str, str], dict[str, list[Binding]]] = defaultdict(lambda: defaultdict(list))
        for path, facts in self.names.files.items():
            for binding in facts.bindings:
                found[path, binding.owner][binding.name].append(binding)
        return found

    @cached_property
    def _classes(self) -> dict[tuple[str, str], ClassFacts]:
        return {(path, c.name): c for path, facts in self.names.files.items() for c in facts.classes}

    @cached_property
    def givers(self) -> frozenset[str]:
        """The names whose call can hand out anything: what the project defines, and what is known from outside."""
        tables = (self._functions, self._bindings)
        members = {name for table in tables for members in table.values() for name in members}
        return frozenset(KNOWN | members | {name for _, name in self._classes})

    @cached_property
    def _members(self) -> dict[str, list[tuple[str, str]]]:
        """By name, the (path, class) of every method and attribute of the project."""
        found: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for table in (self._functions, self._bindings):
            for (path, owner), members in table.items():
                for name in members if owner else ():
                    found[name].append((path, owner))
        return {name: sorted(set(places)) for name, places in found.items()}

    def evaluate(self, handle: Handle | None, where: Where, depth: int = MAX_DEPTH) -> Value | None:
        """What a handle is, seen from somewhere."""
        if handle is None or depth == 0:
            return None
        base = self.evaluate(handle.base, where, depth - 1) if handle.base is not None else None
        match handle.op:
            case "name":
                return self._name(handle.name, where, depth)
            case "attr":
                return self._attribute(base, handle.name, depth) if base else self._by_name(handle.name, depth)
            case "call":
                return self._call(base, handle, where, depth)
            case "enter":
                return self._enter(base, depth)
            case "stored":
                return replace(base, stored=True) if base is not None and base.what == "handed" else base
            case "set":
                return _with_settings(base, handle.options)
            case "param":
                return self.annotated(handle.name, where)
            case "tuple":
                return self._tuple([self.evaluate(i, where, depth - 1) for i in handle.items])
            case "any":
                return _any([self.evaluate(i, where, depth - 1) for i in handle.items])
        return None

    def bound(self, path: str, owner: str, name: str) -> Value | None:
        """What a variable of a module or an attribute of a class holds."""
        return self._bound(path, owner, name, MAX_DEPTH)

    def returned(self, path: str, function: FunctionFacts) -> Value | None:
        """What calling a function hands out; a scope hands out itself."""
        return self._returned(Value("function", path=path, function=function), MAX_DEPTH)

    def _name(self, name: str, where: Where, depth: int) -> Value | None:
        head, _, rest = name.partition(".")
        if head in ("self", "cls") and where.owner:
            value: Value | None = Value("instance", path=where.path, name=where.owner)
            return self._follow(value, rest, depth) if rest else value
        place = self.names.place(where.path, name, dict(where.imports))
        if not place.path:
            carried = place.name.startswith(CARRIERS) and place.name.count(".") > 2
            return self._by_name(last(place.name), depth) if carried else Value("external", name=place.name)
        first, _, more = place.name.partition(".")
        value = self._defined(place.path, first, depth)
        if value is None:
            return self._by_name(last(more), depth) if more and not self._is_bound(place.path, first) else None
        return self._follow(value, more, depth) if more else value

    def _is_bound(self, path: str, name: str) -> bool:
        """Whether a module-level name is a class or function, of which nothing need be guessed."""
        return (path, name) in self._classes or name in self._functions.get((path, ""), {})

    def _follow(self, value: Value | None, rest: str, depth: int) -> Value | None:
        for attr in rest.split("."):
            value = self._attribute(value, attr, depth - 1) if value is not None else self._by_name(attr, depth - 1)
        return value

    def _defined(self, path: str, name: str, depth: int) -> Value | None:
        function = self._functions.get((path, ""), {}).get(name)
        if function is not None:
            return Value("function", path=path, function=function)
        if (path, name) in self._classes:
            return Value("class", path=path, name=name)
        return self._bound(path, "", name, depth)

    def _bound(self, path: str, owner: str, name: str, depth: int) -> Value | None:
        """What a variable or attribute holds; everything that is assigned to it must agree."""
        found = self._bindings.get((path, owner), {}).get(name, [])
        found = [b for b in found if not b.declared] or found
        key = (path, owner, name, 0)
        if not found or key in self._busy:
            return None
        if key not in self._memo:
            self._busy.add(key)
            values = [self._binding(path, b, depth) for b in found]
            self._busy.discard(key)
            self._memo[key] = _common([v for v in values if v is not None])
        return self._memo[key]

    def _binding(self, path: str, binding: Binding, depth: int) -> Value | None:
        value = self.evaluate(binding.value, Where(path, binding.owner), depth - 1)
        if value is None:
            return None
        if value.factory is not None and value.factory.name == "":
            made = replace(value.factory, name=binding.name, module=self.names.module(path), path=path)
            return replace(value, factory=replace(made, line=binding.line, owner=binding.owner))
        return replace(value, stored=True) if value.what == "handed" else value

    def _attribute(self, value: Value | None, attr: str, depth: int) -> Value | None:
        if value is None or depth <= 0:
            return None
        return _guessed(self._known_attribute(value, attr, depth), value)

    def _known_attribute(self, value: Value, attr: str, depth: int) -> Value | None:
        match value.what:
            case "external":
                name = f"{value.name}.{attr}"
                return self._by_name(attr, depth) if name.startswith(CARRIERS) else Value("external", name=name)
            case "class" | "instance":
                return self._member(value, attr, depth)
            case "flask" if attr == "session":
                return Value("factory", SessionFactory("db.session", "", "", 0, scoped=True))
            case "flask" if attr == "engine":
                return Value("engine")
            case "handed" if attr in ("driver_connection", "dbapi_connection"):
                return value
            case "factory" if attr == "session_factory" and value.factory is not None and value.factory.scoped:
                return replace(value, factory=replace(value.factory, scoped=False))  # what makes its sessions
            case "engine" | "handed" | "factory" | "pool":
                return Value("method", value.factory, value.handed, name=f"{value.what}.{attr}")
        return None

    def _member(self, value: Value, attr: str, depth: int) -> Value | None:
        """A method or attribute of a class, or of one that it inherits from."""
        seen: set[tuple[str, str]] = set()
        queue = [(value.path, value.name)]
        while queue:
            key = queue.pop(0)
            if key in seen:
                continue
            seen.add(key)
            if (function := self._functions.get(key, {}).get(attr)) is not None:
                found = Value("function", path=key[0], function=function)
                return self._result(found, depth) if _is_property(function) else found
            if attr in self._bindings.get(key, {}):
                return self._bound(*key, attr, depth)
            facts = self._classes.get(key)
            places = [self.names.place(key[0], b) for b in facts.bases] if facts else []
            queue += [(p.path, p.name) for p in places if p.path]
        return None

    def _by_name(self, attr: str, depth: int) -> Value | None:
        """A member of an object of unknown class: what every class of the project with such a member says it is."""
        found = self._named_so(attr, depth)
        return replace(found, guessed=True) if found is not None else None

    def _named_so(self, attr: str, depth: int) -> Value | None:
        places = self._members.get(attr, [])
        places = [p for p in places if not is_test_path(p[0])] or places
        if not places or depth <= 0:
            return None
        values = [self._member(Value("instance", path=path, name=owner), attr, depth - 1) for path, owner in places]
        if len(values) == 1:
            return values[0]
        return self._agreed(values, depth)

    def _agreed(self, values: list[Value | None], depth: int) -> Value | None:
        """One of the values, if calling any of them comes to the same."""
        results = []
        for value in values:
            called = self._result(value, depth - 1) if value is not None else None
            results.append((called.what, called.handed.kind if called.handed else None) if called else None)
        same = len(set(results)) == 1 and results[0] is not None
        asynchronous = {bool(v and v.function and v.function.is_async) for v in values}
        return values[0] if same and len(asynchronous) == 1 else None

    def _result(self, value: Value | None, depth: int) -> Value | None:
        return self._call(value, Handle("call"), Where(value.path), depth) if value is not None else None

    def _call(self, value: Value | None, call: Handle, where: Where, depth: int) -> Value | None:
        if value is None or depth <= 0:
            return None
        return _guessed(self._known_call(value, call, where, depth), value)

    def _known_call(self, value: Value, call: Handle, where: Where, depth: int) -> Value | None:
        match value.what:
            case "external":
                return self._external(value.name, call, where, depth)
            case "factory":
                assert value.factory is not None
                return Value("handed", handed=session_of(value.factory, dict(call.options)))
            case "class":
                return self._instance(value)
            case "function":
                return self._returned(value, depth)
            case "method":
                return _method(value, call)
        return None

    def _instance(self, value: Value) -> Value:
        facts = self._classes[value.path, value.name]
        bases = [self.names.place(value.path, b) for b in facts.bases]
        if any(not b.path and is_session_class(b.name) for b in bases):
            kind = SourceKind.ASYNC_SESSION if any("Async" in b.name for b in bases) else SourceKind.SESSION
            return Value(
                "handed",
                handed=SessionSource(
                    value.name,
                    "",
                    value.path,
                    facts.line,
                    kind,
                    expire_on_commit=Tri.YES,
                    factory=f"{value.path}:{value.name}",
                    options=(("class_", value.name),),
                ),
            )
        return replace(value, what="instance")

    def _returned(self, value: Value, depth: int) -> Value | None:
        """What calling a function of the project hands out."""
        function = value.function
        assert function is not None
        key = (value.path, function.owner, function.name, function.line)
        if key in self._busy:
            return None
        if key not in self._memo:
            self._busy.add(key)
            self._memo[key] = self._read_result(value, function, depth)
            self._busy.discard(key)
        return self._memo[key]

    def _read_result(self, value: Value, function: FunctionFacts, depth: int) -> Value | None:
        where = Where(value.path, function.owner, function.imports)
        if function.is_scope:
            return replace(value, what="scope")
        given = function.yields if function.generator else function.returns
        inner = self.evaluate(given, where, depth - 1)
        if inner is None and function.returned_type:
            inner = self.annotated(function.returned_type, where)
            inner = _unknown(inner) if inner is not None and inner.what == "handed" and given is not None else None
        if inner is None or inner.what != "handed" or inner.handed is None:
            return None if function.generator else inner
        return self._named(inner, value.path, function)

    def _named(self, inner: Value, path: str, function: FunctionFacts) -> Value | None:
        """The source that a function is, given what it returns or yields."""
        assert inner.handed is not None
        kind = inner.handed.kind
        if function.generator:
            if kind not in SESSIONS:
                return None
            kind = SourceKind.GENERATOR
        elif (inner.stored or function.is_kept) and kind is SourceKind.SESSION:
            kind = SourceKind.SHARED_SESSION
        handed = replace(
            inner.handed,
            name=function.name,
            module=self.names.module(path),
            path=path,
            line=function.line,
            kind=kind,
            owner=function.owner,
            is_async=function.is_async,
            shared=inner.handed.shared or inner.stored or function.is_kept,
            refuses=refusing(function, path) or inner.handed.refuses,
            work=(*inner.handed.work, *((path, line, text) for line, text in function.work)),
        )
        return Value("handed", handed=handed, guessed=inner.guessed)

    def _enter(self, value: Value | None, depth: int) -> Value | None:
        """What `with <value> as x` binds x to."""
        if value is None or value.what == "handed":
            return value
        if value.what == "scope" and value.function is not None:
            return self.yielded(value.path, value.function, depth - 1)
        return None

    def yielded(self, path: str, function: FunctionFacts, depth: int = MAX_DEPTH) -> Value | None:
        """What a context manager function yields: as its body says, or else its annotation."""
        where = Where(path, function.owner, function.imports)
        found = self.evaluate(function.yields, where, depth)
        return found if found is not None and found.what == "handed" else self.annotated(function.returned_type, where)

    def annotated(self, annotation: str, where: Where) -> Value | None:
        """A value of which only the annotation is known, such as a parameter."""
        if not annotation:
            return None
        place = self.names.place(where.path, annotation, dict(where.imports))
        if place.path:
            return (
                Value("instance", path=place.path, name=place.name)
                if (place.path, place.name) in self._classes
                else None
            )
        if is_session_class(place.name):
            kind = SourceKind.ASYNC_SESSION if "Async" in place.name else SourceKind.SHARED_SESSION
            return Value(
                "handed",
                handed=replace(
                    SessionSource(annotation, "", where.path, 0, kind, shared=True), options=_unseen(annotation, where)
                ),
            )
        if (driver := CONNECTION_TYPES.get(place.name)) is not None:
            kind = SourceKind.CONNECTION
            return Value(
                "handed", handed=SessionSource(annotation, "", where.path, 0, kind, driver=driver, shared=True)
            )
        if last(place.name) in ("Connection", "AsyncConnection") and place.name.startswith("sqlalchemy"):
            return Value(
                "handed", handed=SessionSource(annotation, "", where.path, 0, SourceKind.ENGINE_CONNECTION, shared=True)
            )
        if last(place.name) in ("Engine", "AsyncEngine") and place.name.startswith("sqlalchemy"):
            return Value("engine")
        if last(place.name) in ("sessionmaker", "async_sessionmaker") and place.name.startswith("sqlalchemy"):
            return Value(
                "factory",
                SessionFactory(
                    "",
                    "",
                    "",
                    0,
                    Tri.UNKNOWN,
                    is_async=last(place.name) != "sessionmaker",
                    options=_unseen(annotation, where),
                ),
            )
        known = "." in place.name and last(place.name) not in ("Any", "object", "Protocol")
        return Value("external", name=f"{place.name}()") if known else None

    def _external(self, name: str, call: Handle, where: Where, depth: int) -> Value | None:
        """What a call of something outside of the project makes."""
        options = dict(call.options)
        kind = last(name)
        if name in DRIVERS:
            return Value("handed", handed=make_connection(name, call, where.path))
        if name in POOLS:
            return Value("pool", handed=make_connection(POOLS[name], call, where.path))
        if name.startswith(("flask_sqlalchemy", "flask.ext.sqlalchemy")) and kind == "SQLAlchemy":
            return Value("flask")
        if not name.startswith(("sqlalchemy", "sqlmodel")):
            return None
        if kind in ("sessionmaker", "async_sessionmaker", "create_session"):
            return Value("factory", replace(make_factory(kind, options), bind=self._engine(call, where)))
        if kind in ("scoped_session", "async_scoped_session"):
            inner = self.evaluate(call.first, where, depth - 1)
            made = (
                inner.factory
                if inner is not None and inner.factory is not None
                else SessionFactory("", "", "", 0, Tri.UNKNOWN, options=_unseen(name, where))
            )
            return Value(
                "factory", replace(made, name="", scoped=True, is_async=made.is_async or kind.startswith("async"))
            )
        if is_session_class(name):
            made = make_factory("async_sessionmaker" if kind == "AsyncSession" else "sessionmaker", options)
            made = replace(made, name=kind, path=where.path, bind=self._engine(call, where))
            handed = session_of(made, {})
            return Value("handed", handed=handed)
        return Value("engine") if kind in ("create_engine", "create_async_engine") else None

    def _engine(self, call: Handle, where: Where) -> str:
        """The engine of a factory, as `path:name` of its definition; `?` and its text for one made on the spot."""
        if call.first is None:
            return ""
        name = call.first.name if call.first.op in ("name", "stored") else ""
        if not name:
            return f"?{where.path}:{call.first!r}"
        if name.startswith(("self.", "cls.")):
            return f"{where.path}:{where.owner}.{name.partition('.')[2]}"
        place = self.names.place(where.path, name, dict(where.imports))
        return f"{place.path or where.path}:{place.name}"

    def _tuple(self, items: list[Value | None]) -> Value | None:
        """A `(connection, cursor)` pair, or nothing that is known."""
        handed = [i.handed for i in items if i is not None and i.handed is not None]
        if (
            len(items) == len(handed) == 2
            and handed[0].kind is SourceKind.CONNECTION
            and handed[1].kind is SourceKind.CURSOR
        ):
            stored = any(i.stored for i in items if i is not None)
            rows, factory = handed[1].rows, handed[1].row_factory
            both = replace(handed[0], kind=SourceKind.CONNECTION_AND_CURSOR, rows=rows, row_factory=factory)
            return Value("handed", handed=both, stored=stored)
        return None


def refusing(function: FunctionFacts, path: str) -> str:
    """Where a function raises instead of handing something out, as `path:line`."""
    return f"{path}:{function.refuses}" if function.refuses else ""


def _unseen(name: str, where: Where) -> tuple[tuple[str, str], ...]:
    """Options that can't be read: equal only to those of the same name in the same file."""
    return (("?", f"{where.path}:{name}"),)


def _guessed(found: Value | None, base: Value) -> Value | None:
    """What comes of a guess is one."""
    return replace(found, guessed=True) if found is not None and base.guessed else found


def _is_property(function: FunctionFacts) -> bool:
    return bool({"property", "cached_property", "hybrid_property"} & set(function.decorators))


def _with_settings(value: Value | None, settings: tuple[tuple[str, str], ...]) -> Value | None:
    if value is None or value.handed is None or not value.handed.driver:
        return value
    return replace(value, handed=with_settings(value.handed, list(settings)))


def _method(value: Value, call: Handle) -> Value | None:
    """What a method of an engine, a factory, a session or a connection hands out."""
    match value.name:
        case "engine.connect" | "engine.begin":
            return Value("handed", handed=SessionSource(value.name, "", "", 0, SourceKind.ENGINE_CONNECTION))
        case "engine.execution_options":
            return Value("engine")
        case "handed.execution_options" if value.handed is not None:
            return Value("handed", handed=value.handed)
        case "pool.getconn" | "pool.get_connection":
            return Value("handed", handed=value.handed)
        case "engine.raw_connection":
            return Value("handed", handed=SessionSource(value.name, "", "", 0, SourceKind.CONNECTION))
        case "factory.begin" if value.factory is not None:
            return Value("handed", handed=session_of(value.factory, {}), name="begin")
        case "handed.cursor" if value.handed is not None and value.handed.kind is SourceKind.CONNECTION:
            cursor = replace(value.handed, kind=SourceKind.CURSOR)
            settings = [("cursorclass", call.database)] if call.database and value.handed.driver == "pymysql" else []
            settings += [(k, v) for k, v in call.options if k in SETTINGS]
            settings += [("cursorclass", "DictCursor") for k, v in call.options if k == "dictionary" and v == "True"]
            return Value("handed", handed=with_settings(cursor, settings))
        case "handed.connection" if value.handed is not None and value.handed.kind in SESSIONS:
            return Value("handed", handed=replace(value.handed, kind=SourceKind.ENGINE_CONNECTION))
    return None


def _unknown(value: Value) -> Value:
    """A session that only an annotation speaks of: whether the caller must close it is not known."""
    assert value.handed is not None
    kind = SourceKind.ASYNC_SESSION if value.handed.kind is SourceKind.ASYNC_SESSION else SourceKind.UNKNOWN
    kind = SourceKind.CONNECTION if value.handed.driver else kind
    return replace(value, handed=replace(value.handed, kind=kind))


def _any(values: list[Value | None]) -> Value | None:
    """What an expression with several possible values is. Of a connection it is enough to know one of them.

    A session must be known on every path, for it depends on the path whether it must be closed.
    """
    known = _common([v for v in values if v is not None]) or _new_or_kept(values)
    if None not in values or known is None or known.handed is None or known.handed.kind in SESSIONS:
        return known if None not in values else None
    return replace(known, handed=replace(known.handed, driver="", database=""), stored=True)


def _new_or_kept(values: list[Value | None]) -> Value | None:
    """One of several sessions, some of which others use too: so may be this one."""
    handed = [v.handed for v in values if v is not None and v.handed is not None]
    kinds = {h.kind for h in handed}
    if not values or len(handed) < len(values) or not kinds <= {SourceKind.SESSION, SourceKind.SHARED_SESSION}:
        return None
    kept = replace(
        next((h for h in handed if h.kind is SourceKind.SHARED_SESSION), handed[0]),
        shared=True,
        expire_on_commit=Tri.UNKNOWN,
        options=(("**", "of one that may be kept elsewhere"),),
    )
    return Value("handed", handed=kept, stored=True, guessed=any(v.guessed for v in values if v is not None))


def _common(values: list[Value | None]) -> Value | None:
    """The one value that several are, where they differ only in what a reader may not rely on."""
    if not values or any(v is None for v in values):
        return None
    first = values[0]
    assert first is not None
    shapes = {(v.what, v.handed.kind if v.what == "handed" and v.handed else v.name) for v in values if v is not None}
    if len(shapes) > 1:
        return None
    expires = {v.handed.expire_on_commit for v in values if v is not None and v.handed is not None}
    stored = any(v.stored for v in values if v is not None)
    guessed = any(v.guessed for v in values if v is not None)
    if first.handed is not None and len(expires) > 1:
        first = replace(first, handed=replace(first.handed, expire_on_commit=Tri.UNKNOWN))
    return replace(first, stored=stored, guessed=guessed)
