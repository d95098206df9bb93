"""The model index: what is known of the whole project, linked from the facts of its files."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

from ormlift.model import ScopeChoice
from ormlift.project.bodies import flat
from ormlift.project.dependents import Dependent
from ormlift.project.endings import Ending, Giver, ending_of_scope, ending_of_source, worst_way
from ormlift.project.exits import function_scope, scopes_of
from ormlift.project.facts import EngineFacts, FileFacts, giving_facts, giving_of, module_facts
from ormlift.project.givers import FACTORY_CLASSES, SESSION_CLASSES, Naming, may_give, names_to_ask
from ormlift.project.gives import Gives
from ormlift.project.graph import ImportGraph
from ormlift.project.handles import Locals, read_handle, read_locals
from ormlift.project.health import Health
from ormlift.project.known import SESSIONS, session_of
from ormlift.project.lineage import beside
from ormlift.project.mapping import ModelLinker, snake
from ormlift.project.mentions import Mentions
from ormlift.project.named import Named
from ormlift.project.names import Names, Place, is_test_path, module_parts
from ormlift.project.outside import Outside
from ormlift.project.patched import Patch
from ormlift.project.sessions import FunctionFacts
from ormlift.project.takers import ANY
from ormlift.project.texts import Texts
from ormlift.project.values import Value, Values, Where
from ormlift.schema import Engine, MappedClass, Scope, SessionFactory, SessionSource, SourceKind, Tri
from ormlift.syntax import FunctionNode, Module, dotted

_DEFINED = re.compile(r"\b(?:def|class)\s+(\w+)")
_GENERATIONS = 4  # how deep below a class its subclasses are looked at
DEFAULT_SCHEMAS = {"", "public", "main", "dbo"}
DIALECTS = {
    "sqlite": "sqlite",
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "mysql": "mysql",
    "mariadb": "mysql",
}


@dataclass(frozen=True)
class ProjectIndex:
    """What is known of the project. Plain data, so that worker processes can be handed it."""

    models: tuple[MappedClass, ...] = ()
    factories: tuple[SessionFactory, ...] = ()
    sources: tuple[SessionSource, ...] = ()
    scopes: tuple[Scope, ...] = ()
    engines: tuple[Engine, ...] = ()
    session_events: tuple[str, ...] = ()  # listeners on sessions and mappers in general, which fire for every model
    versions: Mapping[str, int] = field(default_factory=dict)  # major versions of libraries, as the requirements say
    style: str = ""  # `query` or `select`: how the project asks; empty where it does neither more
    imports: ImportGraph = field(default_factory=ImportGraph, repr=False)  # of all files, also those without facts
    facts: tuple[FileFacts, ...] = field(default=(), repr=False)  # what calls in other files are resolved against
    texts: Texts = field(default_factory=Texts, repr=False)  # of files that calls may lead into
    outside: Outside = field(default_factory=Outside, repr=False)  # what other files do to what a planned one keeps
    mentions: Mentions | None = field(default=None, repr=False)  # what all files say of the names in `health.asked()`
    named: Named = field(default_factory=Named, repr=False)  # who names the functions that may be handed connections

    def __getstate__(self) -> dict[str, object]:
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @cached_property
    def health(self) -> Health:
        """What keeps the mappers from being configured."""
        return Health(ModelLinker(self._names), self.models, self.imports, self.mentions)

    def health_with(self, module: Module) -> Health:
        """The same with a module as it stands now, which may differ from the file the index was built from."""
        facts = module_facts(module)
        if self._names.files.get(facts.path) == facts:
            return self.health
        linker = ModelLinker(self._names.with_file(facts))
        return Health(linker, linker.models(), self.imports, self.mentions)

    @cached_property
    def url_schemes(self) -> Mapping[str, frozenset[str]]:
        """The schemes of the database URLs that the application binds to a name: `DATABASE_URL`, `database_url()`."""
        found: dict[str, set[str]] = defaultdict(set)
        for facts in self.facts:
            for name, scheme in facts.urls if not is_test_path(facts.path) else ():
                found[name].add(scheme)
        return {name: frozenset(schemes) for name, schemes in found.items()}

    @cached_property
    def _names(self) -> Names:
        return Names({f.path: f for f in self.facts})

    @cached_property
    def _by_table(self) -> dict[str, list[MappedClass]]:
        found: dict[str, list[MappedClass]] = defaultdict(list)
        for model in self.models:
            found[model.table.lower()].append(model)
        return found

    def model_for_table(self, table: str, schema: str = "") -> MappedClass | None:
        """The one mapped class of a table, compared without case; None where there is none or more than one.

        Models of the application come before those of its tests, classes before the Core table beside them, and the
        base of a single-table hierarchy before its subclasses. A model whose schema is not the one asked for is none.
        """
        found = self._by_table.get(table.lower(), [])
        wanted = "" if schema.lower() in DEFAULT_SCHEMAS else schema.lower()
        found = [m for m in found if ("" if m.schema.lower() in DEFAULT_SCHEMAS else m.schema.lower()) == wanted]
        for preferred in (_in_application, _is_class, _is_base):
            found = [m for m in found if preferred(m)] or found
        return found[0] if len(found) == 1 else None

    def declarative_bases(self) -> tuple[tuple[str, str], ...]:
        """Module and name of each declarative base of the application."""
        return tuple((self._names.module(path), name) for path, name in ModelLinker(self._names).bases())

    def source_of(self, call: ast.Call, module: Module) -> SessionSource | None:
        """What session or connection a call hands out, or None where it is no such call or nothing is known of it."""
        value = self._value(call, module)
        if value is None or value.what != "handed" or value.handed is None:
            return None
        handed = replace(value.handed, guessed=True) if value.guessed else value.handed
        return handed if handed.line else replace(handed, path=module.source.path, line=call.lineno)

    def _value_at(self, node: ast.expr, module: Module) -> Value | None:
        root = dotted(node).partition(".")[0]
        values, function = self._values_for(module), module.enclosing_function(node)
        while function is not None and root and not self._surroundings_of(function, module)[0].binds(root):
            function = module.enclosing_function(function)
        owner = module.enclosing_class(node)
        known, imports = self._surroundings_of(function or module.enclosing_function(node), module)
        where = Where(module.source.path, owner.name if owner is not None else "", imports)
        return values.evaluate(read_handle(node, known), where)

    def dependents(self, path: str, name: str) -> list[tuple[str, Dependent]]:
        """Who is handed what the dependency of that name in the file at `path` yields, with their files."""
        return self._dependents.get((path, name), [])

    def taken(self, name: str) -> str:
        """Where a generator of that name, or one that may be it, is left before its end; empty where nowhere."""
        return self._taken.get(name) or self._taken.get(ANY, "")

    @cached_property
    def _taken(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for facts in self.facts:
            for name, line in facts.takes:
                found.setdefault(name, f"{facts.path}:{line}")
        return found

    @cached_property
    def _dependents(self) -> dict[tuple[str, str], list[tuple[str, Dependent]]]:
        found: dict[tuple[str, str], list[tuple[str, Dependent]]] = defaultdict(list)
        for facts in self.facts:
            for dependent in facts.dependents:
                head = dependent.dependency.partition(".")[0]
                imports = {head: dependent.target} if dependent.target else {}
                place = self._names.place(facts.path, dependent.dependency, imports)
                found[place.path or facts.path, place.name].append((facts.path, dependent))
        return found

    def giver(self, func: ast.expr, module: Module) -> Giver | None:
        """What a call of a function gives of a session of its own; None where it gives no instance."""
        name = dotted(func)
        path, (head, _, rest) = module.source.path, name.partition(".")
        if not name or name.rpartition(".")[2] not in self._giver_ends:
            return None
        if head in ("self", "cls") and "." not in rest:
            around = module.enclosing_class(func)
            return self._givers.get((path, around.name if around is not None else "", rest))
        value = self._value_at(func, module)
        if value is not None and value.what == "function" and value.function is not None:
            return self._givers.get((value.path, value.function.owner, value.function.name))
        function = module.enclosing_function(func)
        local = module.local_imports(function) if function is not None else {}
        bound = local.get(head) or module.imports.get(head)
        place = self._names.place(path, name, {head: bound} if bound else {})
        return self._givers.get((place.path or path, "", place.name)) or self._giver_of_object(func, module)

    def _giver_of_object(self, func: ast.expr, module: Module) -> Giver | None:
        """The method of an object: of the class that the function makes it of, or that it is named after."""
        receiver, _, method = dotted(func).rpartition(".")
        name = receiver.rpartition(".")[2].lstrip("_")
        owners = {(path, owner): g for (path, owner, known), g in self._givers.items() if known == method and owner}
        made = self._bound_to(receiver, module.enclosing_function(func))
        fits = [g for (_, owner), g in owners.items() if owner == made or (not made and snake(owner) == name)]
        return fits[0] if len(fits) == 1 else None

    @staticmethod
    def _bound_to(name: str, function: FunctionNode | None) -> str:
        """The class that a function's variable is an instance of, where each value of it is a call of one name."""
        values = read_locals(function).values.get(name, []) if name.isidentifier() else []
        made = {dotted(value.func).rpartition(".")[2] if isinstance(value, ast.Call) else "?" for _, value in values}
        return made.pop() if len(made) == 1 else "?" * bool(made)

    def names_giver(self, text: str) -> bool:
        """Whether a file's text names a function that gives an instance."""
        return self._giver_names is not None and self._giver_names.is_in(text)

    @cached_property
    def _giver_ends(self) -> frozenset[str]:
        return frozenset(name for _, _, name in self._givers)

    @cached_property
    def _giver_names(self) -> Naming | None:
        return Naming(name for _, _, name in self._givers) if self._givers else None

    @cached_property
    def user_loader(self) -> Giver | None:
        """What Flask-Login's `current_user` is, where the function that loads it gives an instance."""
        found = [giver for giver in self._givers.values() if giver.gives.is_loader]
        return found[0] if len(found) == 1 else None

    def expired_by(self, factory: str) -> list[Giver]:
        """The functions that return instances which the commit of a factory's session has expired."""
        return [g for g in self._givers.values() if g.expired and g.ending.factory == factory]

    @cached_property
    def _givers(self) -> dict[tuple[str, str, str], Giver]:
        found = [(f.path, g) for f in self.facts if not is_test_path(f.path) for g in f.gives]
        ways = ((p, g, [(w, self._ending(w, Where(p, w.owner, w.imports))) for w in (g, *g.others)]) for p, g in found)
        known = ((path, g, worst_way(w)) for path, g, w in ways)
        return {(path, g.owner, g.name): Giver(path, *way) for path, g, way in known if way is not None}

    def _ending(self, gives: Gives, where: Where) -> Ending | None:
        value = self._values.evaluate(gives.opener, where)
        if value is not None and value.what == "scope" and value.function is not None:
            scope = function_scope(value.path, value.function, self._values)
            return ending_of_scope(scope) if scope is not None and gives.entered else None
        if value is None and gives.entered and (named := self._scope_by_name(gives.called)) is not None:
            return ending_of_scope(named)
        return ending_of_source(value.handed if value is not None and value.what == "handed" else None)

    def ending(self, call: ast.Call, module: Module) -> Ending | None:
        """What becomes of instances when the session that a call opens ends; None where it may not end then."""
        scope = self.scope_of(call, module)
        if scope is None and (source := self.source_of(call, module)) is not None:
            return ending_of_source(source)
        scope = scope or self._scope_by_name(dotted(call.func))
        return ending_of_scope(scope) if scope is not None else None

    def _scope_by_name(self, called: str) -> Scope | None:
        """The scope of an object of which only the name tells: `session_manager.scope` of a SessionManager."""
        receiver, _, method = called.rpartition(".")
        fits = self._scopes_by_name.get((receiver.rpartition(".")[2].lstrip("_"), method), [])
        return function_scope(*fits[0], self._values) if len(fits) == 1 else None

    @cached_property
    def _scopes_by_name(self) -> dict[tuple[str, str], list[tuple[str, FunctionFacts]]]:
        """By its class in small letters and its own name, each method that is a scope, with its file."""
        found: dict[tuple[str, str], list[tuple[str, FunctionFacts]]] = defaultdict(list)
        for facts in self.facts:
            for function in facts.functions if not is_test_path(facts.path) else ():
                if function.owner and function.is_scope:
                    found[snake(function.owner), function.name].append((facts.path, function))
        return found

    def scope_at(self, node: ast.expr, module: Module) -> Scope | None:
        """The scope that a name or attribute names, without calling it; None for what is no context manager."""
        value = self._value_at(node, module)
        if value is None or value.what != "function" or value.function is None or not value.function.is_scope:
            return None
        known = self._scopes.get((value.path, value.function.owner, value.function.name))
        return known or function_scope(value.path, value.function, self._values_for(module))

    def yielded_by(self, node: ast.expr, module: Module) -> SessionSource | None:
        """The session that the generator named by an expression yields, as a dependency hands it in; None for none."""
        value = self._value_at(node, module)
        if value is None or value.function is None or not value.function.generator:
            return None
        given = self._values_for(module).yielded(value.path, value.function)
        return given.handed if given is not None and given.what == "handed" else None

    def receiver_of(self, node: ast.expr, module: Module) -> SessionSource | None:
        """What an expression is that statements are executed on: a session, a connection or an engine of SQLAlchemy.

        None where nothing is known of it; of kind UNKNOWN where it is an object of the project's own classes.
        """
        value = self._value_at(node, module)
        if value is None:
            return None
        if value.what == "handed" and value.handed is not None:
            return value.handed
        if value.what == "factory" and value.factory is not None and value.factory.scoped:
            return session_of(value.factory, {})
        if value.what not in ("engine", "instance", "class"):
            return None
        kind = SourceKind.ENGINE if value.what == "engine" else SourceKind.UNKNOWN
        return SessionSource(dotted(node), "", module.source.path, node.lineno, kind)

    def is_of_project(self, target: str, module: Module) -> bool:
        """Whether an import's dotted target leads into a file of the project."""
        holder = target.rpartition(".")[0]
        return target.startswith(".") or any(t and self._names.locate(t, module.source.path) for t in (target, holder))

    def place(self, path: str, name: str, imports: Mapping[str, str] | None = None) -> Place:
        """What a dotted name in a file means; `imports` are those of the function it stands in."""
        return self._names.place(path, name, imports)

    def own_names(self, module: Module) -> frozenset[str]:
        """The functions and classes that another file defines, and what it imports from the project; maybe more."""
        path, known = module.source.path, self.texts.own
        if path not in known:
            found = set(_DEFINED.findall(module.source.text))
            for name, target in module.imports.items():
                holder = target.rpartition(".")[0]
                if target.startswith(".") or any(t and self.imports.named(path, t) for t in (target, holder)):
                    found.add(name)
            known[path] = frozenset(found)
        return known[path]

    @property
    def watched_factories(self) -> frozenset[str]:
        """The session factories that listeners of the project are set on, as `SessionSource.factory` names them."""
        return frozenset(self.session_listeners) - {""}

    @cached_property
    def session_listeners(self) -> Mapping[str, frozenset[str]]:
        """By factory, as `SessionSource.factory` names it, the events that are listened for; by "" those of any."""
        found: dict[str, set[str]] = {"": set(self.session_events)}
        for facts in self.facts:
            for listener in facts.listeners:
                place = self._names.place(facts.path, listener.target)
                if place.path:
                    found.setdefault(f"{place.path}:.{place.name}", set()).add(listener.event)
        return {factory: frozenset(events) for factory, events in found.items()}

    @cached_property
    def overridden(self) -> Mapping[str, frozenset[str]]:
        """By a class's bare name, the methods that classes below it define, or such that are a base beside it."""
        classes = [c for facts in self.facts for c in facts.classes]
        found = beside(classes)
        for _ in range(_GENERATIONS):
            for facts in classes:
                own = {m.name for m in facts.methods} | found.get(facts.name, set())
                for base in facts.bases:
                    found.setdefault(base.rpartition(".")[2], set()).update(own)
        return {name: frozenset(methods) for name, methods in found.items()}

    def may_hand_out_sessions(self, text: str) -> bool:
        """Whether a file's text names anything that hands out a session: if not, it need not be parsed to look."""
        return self._session_names.is_in(text)

    def names_async_session(self, text: str) -> bool:
        """Whether a file's text names anything of the project that hands out an async session."""
        return self._async_names is not None and self._async_names.is_in(text)

    @cached_property
    def _async_names(self) -> Naming | None:
        names = {f.name for f in self.factories if f.is_async} | {s.name for s in self.scopes if s.is_async}
        names |= {s.name for s in self.sources if s.is_async or s.kind is SourceKind.ASYNC_SESSION}
        return Naming(name.rpartition(".")[2] for name in names) if names else None

    @cached_property
    def _session_names(self) -> Naming:
        kinds = (*SESSIONS, SourceKind.GENERATOR, SourceKind.UNKNOWN)
        names = {source.name for source in self.sources if source.kind in kinds}
        names |= {factory.name for factory in self.factories} | SESSION_CLASSES | FACTORY_CLASSES
        return Naming(name.rpartition(".")[2] for name in names)

    def held_by(self, node: ast.expr, module: Module) -> SessionSource | None:
        """What session or connection an expression holds; a scoped_session counts as the session it stands for."""
        value = self._value_at(node, module)
        if value is not None and value.factory is not None and value.factory.scoped and value.what == "factory":
            return session_of(value.factory, {})
        return value.handed if value is not None and value.what == "handed" else None

    def is_closer(self, call: ast.Call, module: Module) -> bool:
        """Whether a call runs a function of the project that only closes the one session that it is handed."""
        function = self._called(call, module)
        return function is not None and function.only_closes

    def may_close(self, call: ast.Call, module: Module) -> bool:
        """Whether a call runs a function of the project that closes what it is handed, among other things."""
        function = self._called(call, module)
        return function is not None and any(action == "close" for _, action in function.does)

    def _called(self, call: ast.Call, module: Module) -> FunctionFacts | None:
        """The function of the project that a call runs, as far as its file's facts hold it."""
        function = module.enclosing_function(call)
        owner = module.enclosing_class(call)
        imports = tuple(module.local_imports(function).items()) if function is not None else ()
        where = Where(module.source.path, owner.name if owner is not None else "", imports)
        value = self._values_for(module).evaluate(read_handle(call.func, read_locals(function)), where)
        return value.function if value is not None else None

    def scope_of(self, call: ast.Call, module: Module) -> Scope | None:
        """The scope that a call opens (`with <call> as s`), or None."""
        value = self._value(call, module)
        if value is None:
            return None
        if value.what == "scope" and value.function is not None:
            known = self._scopes.get((value.path, value.function.owner, value.function.name))
            return known or function_scope(value.path, value.function, self._values_for(module))
        return self._scopes.get((value.path, "", value.name)) if value.what == "instance" else None

    def scope_named(self, choice: ScopeChoice) -> Scope | None:
        """The definition behind a configured scope, or None where the project does not hold it."""
        head, _, rest = choice.expression.partition(".")
        path = self._names.locate(choice.module, "") if choice.module else None
        if path is not None:
            found = self._scope_at(path, choice.expression)
            if found is not None:
                return found
        name = rest.rpartition(".")[2] or head
        fits = [s for s in self.scopes if s.name == name and (bool(s.owner) or not rest)]
        fits = [s for s in fits if not is_test_path(s.path)] or fits
        if choice.module and not rest:
            fits = [s for s in fits if s.module == choice.module or s.module.startswith(f"{choice.module}.")]
        return fits[0] if len(fits) == 1 else None

    def factory_named(self, module: str, name: str) -> SessionFactory | None:
        """The session factory of a module, by the name of its variable; None where the project has none such."""
        path = self._names.locate(module, "")
        found = [f for f in self.factories if f.path == path and name in (f.name, f"{f.owner}.{f.name}")]
        return found[0] if len(found) == 1 else None

    def _scope_at(self, path: str, expression: str) -> Scope | None:
        handle = (
            read_handle(ast.parse(expression, mode="eval").body, read_locals(None)) if _is_dotted(expression) else None
        )
        value = self._values.evaluate(handle, Where(path))
        if value is None:
            return None
        if value.function is not None:
            return self._scopes.get((value.path, value.function.owner, value.function.name))
        return self._scopes.get((value.path, "", value.name)) if value.what == "class" else None

    def default_scopes(self) -> tuple[Scope, ...]:
        """The scopes fit to be used where none is configured, best first.

        They can be imported by name, called without arguments, hand out a session, and are read well enough to say that
        they close it, or commit it.
        """
        fits = [s for s in self.scopes if s.yields == "session" and not s.owner and not s.takes_arguments]
        fits = [s for s in fits if Tri.YES in (s.commits, s.closes) and not is_test_path(s.path)]
        return tuple(sorted(fits, key=_fitness))

    @cached_property
    def gathered(self) -> dict[str, object]:
        """What others gather from the whole index, once: filled by them."""
        return {}

    @cached_property
    def patch_places(self) -> dict[tuple[str, Patch], tuple[tuple[str, str], ...]]:
        """By file and patch, the files and names that it may replace: filled by `session-scope`."""
        return {}

    @cached_property
    def definition_hooks(self) -> dict[tuple[object, ...], frozenset[Any]]:
        """By definition, the names that it asks for: filled by `escape.hooks`."""
        return {}

    @cached_property
    def _values(self) -> Values:
        return Values(self._names)

    @cached_property
    def _scopes(self) -> dict[tuple[str, str, str], Scope]:
        return {(s.path, s.owner, s.name): s for s in self.scopes}

    @cached_property
    def _current(self) -> dict[int, tuple[Module, Values]]:
        return {}

    @cached_property
    def _asked(self) -> dict[int, tuple[Module, frozenset[str]]]:
        """The names that are worth asking for in the current module."""
        return {}

    @cached_property
    def _surroundings(self) -> dict[ast.AST | None, tuple[Locals, tuple[tuple[str, str], ...]]]:
        """What the functions of the current module bind by themselves: read once, asked for at each of their calls."""
        return {}

    def _values_for(self, module: Module) -> Values:
        """The evaluator with the module as it stands now, which may differ from the file the index was built from."""
        if id(module) not in self._current:
            self._current.clear()
            self._surroundings.clear()
            facts = giving_facts(module)
            self._current[id(module)] = (module, self._values_with(facts))
        return self._current[id(module)][1]

    def _values_with(self, facts: FileFacts) -> Values:
        before = self._names.files.get(facts.path)
        if before is not None and giving_of(before) == facts:
            return self._values
        nobody_else = before is None or not (before.functions or before.bindings or before.classes)
        return self._values.with_names(self._names.with_file(facts), keep=nobody_else)

    def _value(self, call: ast.Call, module: Module) -> Value | None:
        if id(module) not in self._asked:
            self._asked.clear()
            self._asked[id(module)] = (module, names_to_ask(module, self._values.givers))
        if not may_give(call, self._asked[id(module)][1]) or _is_nested_def(call, module):
            return None
        return self._evaluated(call, module)

    def _evaluated(self, node: ast.expr, module: Module) -> Value | None:
        function = module.enclosing_function(node)
        owner = module.enclosing_class(node)
        values = self._values_for(module)
        known, imports = self._surroundings_of(function, module)
        where = Where(module.source.path, owner.name if owner is not None else "", imports)
        return values.evaluate(read_handle(node, known), where)

    def _surroundings_of(
        self, function: FunctionNode | None, module: Module
    ) -> tuple[Locals, tuple[tuple[str, str], ...]]:
        self._values_for(module)
        if function not in self._surroundings:
            imports = tuple(module.local_imports(function).items()) if function is not None else ()
            self._surroundings[function] = (read_locals(function), imports)
        return self._surroundings[function]


def _is_nested_def(call: ast.Call, module: Module) -> bool:
    """Whether the called name is that of a function or class that stands in a function around the call."""
    root = dotted(call.func).partition(".")[0]
    return any(
        isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and inner.name == root
        for around in module.ancestors(call)
        if isinstance(around, FunctionNode)
        for inner in flat(around.body)
    )


def link(facts: Iterable[FileFacts]) -> ProjectIndex:
    """Put the facts of all files together."""
    files = tuple(sorted((f for f in facts if f != FileFacts(f.path)), key=lambda f: f.path))
    names = Names({f.path: f for f in files})
    values = Values(names)
    factories = [f for f in _factories(values) if names.importable(f.path)]
    return ProjectIndex(
        tuple(m for m in ModelLinker(names).models() if names.importable(m.path)),
        tuple(factories),
        tuple(_sources(values)),
        tuple(s for f in files if names.importable(f.path) for s in scopes_of(f, values)),
        tuple(_engine(f.path, e, names) for f in files for e in f.engines),
        tuple(_session_events(files)),
        facts=files,
    )


def _factories(values: Values) -> list[SessionFactory]:
    found: dict[tuple[str, str, str], SessionFactory] = {}
    for path, facts in values.names.files.items():
        for binding in facts.bindings:
            value = values.bound(path, binding.owner, binding.name)
            if value is not None and value.factory is not None and value.factory.path == path:
                found[path, binding.owner, value.factory.name] = value.factory
    return list(found.values())


def _sources(values: Values) -> list[SessionSource]:
    found = []
    for path, facts in values.names.files.items():
        for function in facts.functions:
            value = values.returned(path, function)
            if value is not None and value.what == "handed" and value.handed is not None:
                found.append(value.handed)
    return found


def _engine(path: str, facts: EngineFacts, names: Names) -> Engine:
    text = facts.url if facts.literal else facts.url.lstrip("rfb").lstrip("'\"")
    scheme = text.partition(":")[0].partition("+")[0].lower() if "://" in text else ""
    place = names.place(path, facts.creator) if facts.creator else None
    creator = f"{place.path}:{place.name}" if place is not None and place.path else ""
    return Engine(
        facts.name, path, facts.line, facts.url, DIALECTS.get(scheme, ""), facts.literal, creator, facts.opens
    )


def _session_events(files: Iterable[FileFacts]) -> list[str]:
    kinds = ("Session", "session", "sessionmaker", "SessionLocal", "Mapper", "mapper")
    events = [(x.target, x.event) for f in files if not is_test_path(f.path) for x in f.listeners]
    return sorted({event for target, event in events if target.rpartition(".")[2] in kinds})


def _in_application(model: MappedClass) -> bool:
    return not is_test_path(model.path)


def _is_class(model: MappedClass) -> bool:
    return not model.is_table


def _is_base(model: MappedClass) -> bool:
    return not model.inherits_mapped


def _is_dotted(expression: str) -> bool:
    return all(part.isidentifier() for part in expression.split("."))


def _fitness(scope: Scope) -> tuple[object, ...]:
    """Scopes that commit, roll back and close, let errors through, and own their session come first."""
    clean = not scope.wraps and scope.swallows is Tri.NO
    owned = scope.shared is Tri.NO
    does = [scope.commits is Tri.YES, scope.closes is Tri.YES, scope.rolls_back is Tri.YES]
    depth = len(module_parts(scope.path))
    return (not owned, not clean, -sum(does), scope.is_async, depth, str(PurePosixPath(scope.path)), scope.line)
