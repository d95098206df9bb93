"""A look, a few levels deep, into functions of the project that a session or an instance is handed to."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from ormlift.project.escape.choice import binds, bound_in
from ormlift.project.escape.closing import is_close
from ormlift.project.escape.elsewhere import Callee, Elsewhere
from ormlift.project.escape.harmless import leaves_alone, outcome
from ormlift.project.escape.objects import Made, lineage, maker_of, methods_of, runs_when_set, stored_on
from ormlift.project.flow.knowledge import Knowledge
from ormlift.project.flow.values import Kind, Outcome, Values, parameters
from ormlift.project.index import ProjectIndex
from ormlift.project.names import is_test_path
from ormlift.syntax import FunctionNode, Module, dotted, module_level, walk_scope

DEPTH = 3
_ENDING = frozenset({"close", "finish", "dispose", "release", "cleanup", "teardown", "shutdown", "end", "done"})


@dataclass(frozen=True)
class LocalLook:
    """Answers from what stands in the file, and in the files that it imports from."""

    module: Module
    knowledge: Knowledge
    index: ProjectIndex | None = None
    depth: int = DEPTH  # how many calls deep it looks
    me: Made | None = None  # the object whose method the code is

    def is_harmless(self, call: ast.Call, values: Values, at: ast.expr | None = None) -> bool:
        """Whether the called function is seen to change nothing of what it is handed, and to keep none of it."""
        if at is not None:
            self.module.parents[call] = self.module.parents[at]
        if self._is_made(call, values):
            return True
        inner = self._inner(call, values)
        return inner is not None and leaves_alone(*inner)

    def outcome(self, call: ast.Call, values: Values) -> Outcome | None:
        """How the called function leaves the session; None where a change may stay uncommitted, or it can't be read."""
        inner = self._inner(call, values)
        return outcome(*inner) if inner is not None else None

    def returned(self, call: ast.Call, values: Values) -> Kind | None:
        """What the called function gives back; None where it could not be read."""
        if self._is_made(call, values):
            return Kind.HOLDER
        inner = self._inner(call, values)
        if inner is None:
            return None
        function, seen = inner
        kind = Kind.PLAIN
        for node in walk_scope(function):
            if isinstance(node, ast.Yield | ast.YieldFrom):
                return None
            if isinstance(node, ast.Return) and node.value is not None:
                if _is_lazy(node.value):
                    return None
                kind |= seen.kind(node.value)
        return kind & ~Kind.SESSION | (Kind.HOLDER if kind & Kind.SESSION else Kind.PLAIN)

    def _inner(self, call: ast.Call, values: Values) -> tuple[FunctionNode, Values] | None:
        """The called function, and what its names hold; None where that can't be told."""
        if isinstance(call.func, ast.Attribute) and values.kind(call.func.value) & Kind.HOLDER:
            return self._method_of_holder(call, values) if self.depth > 0 else None
        callee = self._callee(call) if self.depth > 0 else None
        if callee is None:
            return None
        function = callee.function
        given = self._given(call, callee, values)
        if given is None:
            return None
        sessions = [name for name, kind in given.items() if kind & Kind.SESSION]
        if not given or len(sessions) > 1:
            return None
        look = self._look_from(callee, None)
        return function, Values(function.body, "".join(sessions), look.knowledge, look, given)

    def _given(self, call: ast.Call, callee: Callee, values: Values) -> dict[str, Kind] | None:
        """What a call hands to the parameters; None where one can't be told."""
        given: dict[str, Kind] = {}
        for name, kind in self._handed(call, callee, values):
            if name is None:
                return None
            given[name] = given.get(name, Kind.PLAIN) | kind
        return given

    def _look_from(self, callee: Callee, me: Made | None) -> LocalLook:
        """A look from where a called function stands."""
        return LocalLook(callee.module, self._known_to(callee), self.index, self.depth - 1, me)

    # Objects that keep the session

    def _is_made(self, call: ast.Call, values: Values) -> bool:
        """Whether a call makes an object of a class whose constructor only stores what it is handed."""
        handed = (values.kind(a) for a in (*call.args, *(k.value for k in call.keywords)))
        return any(kind & (Kind.SESSION | Kind.HOLDER) for kind in handed) and self.made_by(call, values) is not None

    def made_by(self, call: ast.Call, values: Values) -> Made | None:
        """The object that a call makes; None where its class or its constructor can't be told."""
        key = (call, *(values.kind(a) for a in (*call.args, *(k.value for k in call.keywords))))
        if key not in self._objects:
            self._objects[key] = self._make(call, values)
        return self._objects[key]

    @cached_property
    def _objects(self) -> dict[tuple[object, ...], Made | None]:
        return {}

    def _make(self, call: ast.Call, values: Values) -> Made | None:
        if self.index is None or self.depth <= 0 or is_test_path(self.module.source.path):
            return None
        elsewhere = Elsewhere(self.module, self.index)
        owner = elsewhere.class_of(call)
        classes = lineage(owner, elsewhere) if owner is not None else None
        init = elsewhere.method_of(*owner, "__init__") if owner is not None and classes is not None else None
        given = self._given(call, init, values) if init is not None else None
        if owner is None or classes is None or init is None or given is None:
            return None
        me = parameters(init.function)[0]
        look = self._look_from(init, None)
        seen = Values(init.function.body, "", look.knowledge, look, {**given, me: Kind.HOLDER}, me=me)
        stored = stored_on(me, init.function, seen)
        if stored is None or not leaves_alone(init.function, seen, frozenset({me})):
            return None
        setters = runs_when_set(classes)
        if setters & stored.keys():
            return None
        held = {name: kind for name, (kind, _) in stored.items() if kind}
        objects = {
            name: made
            for name, (kind, value) in stored.items()
            if kind & Kind.HOLDER and isinstance(value, ast.Call) and (made := look.made_by(value, seen)) is not None
        }
        made = Made(*owner, held, objects, *methods_of(classes))
        later = [self._stored_later(made, *one, init.function) for one in classes]
        if any(names is None or names & made.attributes.keys() for names in later):
            return None
        more = {name: Kind.HOLDER | Kind.INSTANCE for names in later for name in names or ()}
        return replace(made, attributes={**held, **more})

    def _stored_later(self, made: Made, owner: ast.ClassDef, module: Module, init: FunctionNode) -> set[str] | None:
        """The attributes in which other methods of a class store what comes from the session, or what held it.

        None where that can't be told.
        """
        names: set[str] = set()
        for method in owner.body:
            if not isinstance(method, FunctionNode) or method is init or not parameters(method):
                continue
            me = parameters(method)[0]
            look = LocalLook(module, self.knowledge, self.index, 0)
            stored = stored_on(me, method, Values(method.body, "", self.knowledge, look, made.given(me), me=me))
            if stored is None or runs_when_set([(owner, module)]) & stored.keys():
                return None
            names |= {name for name, (kind, _) in stored.items() if kind or name in made.attributes}
        return names

    def _object(self, node: ast.expr, at: ast.expr, values: Values) -> Made | None:
        """The object that an expression is; None where that is not certain."""
        match node:
            case ast.Call():
                return self.made_by(node, values)
            case ast.Name(id=name) if name == values.me:
                return self.me
            case ast.Attribute(value=ast.Name(id=name), attr=attr) if name == values.me and self.me is not None:
                return self.me.objects.get(attr)
            case ast.Name(id=name):
                made = maker_of(name, at, self.module)
                return self.made_by(made, values) if made is not None else None
            case _:
                return None

    def _method_of_holder(self, call: ast.Call, values: Values) -> tuple[FunctionNode, Values] | None:
        """A method of an object that keeps the session, and what its names hold."""
        assert isinstance(call.func, ast.Attribute)
        made = self._object(call.func.value, call, values)
        if made is None or self.index is None:
            return None
        callee = Elsewhere(self.module, self.index).method_of(made.owner, made.module, call.func.attr)
        if callee is None:
            return None
        if isinstance(callee.function, ast.AsyncFunctionDef) and not isinstance(
            self.module.parents.get(call), ast.Await
        ):
            return None
        given = self._given(call, callee, values)
        if given is None:
            return None
        look = self._look_from(callee, made if callee.bound else None)
        if not callee.bound:
            return callee.function, Values(callee.function.body, "", look.knowledge, look, given)
        me = "".join(parameters(callee.function)[:1])
        return callee.function, Values(
            callee.function.body, "", look.knowledge, look, {**given, **made.given(me)}, me=me
        )

    def runs_when_read(self, node: ast.Attribute, values: Values) -> bool:
        """Whether an attribute of an object that keeps the session may be a property."""
        parent = self.module.parents.get(node)
        if isinstance(parent, ast.Call) and parent.func is node:
            return False
        made = self._object(node.value, node, values)
        return made is not None and node.attr in made.decorated

    def _known_to(self, callee: Callee) -> Knowledge:
        """What is known where the called function stands: the names that are its file's, or its own."""
        own = self.knowledge.own
        if callee.module is not self.module:
            assert self.index is not None
            own = self.index.own_names(callee.module)
        return replace(self.knowledge, own=own | bound_in(callee.function))

    def _callee(self, call: ast.Call) -> Callee | None:
        """What a call runs at once; None where that can't be told, or where it runs when something awaits it."""
        if call not in self._callees:
            function = self._definition(call)
            callee = Elsewhere(self.module, self.index).callee(call) if self.index is not None else None
            if function is not None:
                bound = isinstance(call.func, ast.Attribute) and not _is_static(function)
                callee = Callee(function, self.module, bound)
            if callee is not None and isinstance(callee.function, ast.AsyncFunctionDef):
                callee = callee if isinstance(self.module.parents.get(call), ast.Await) else None
            self._callees[call] = callee
        return self._callees[call]

    @cached_property
    def _callees(self) -> dict[ast.Call, Callee | None]:
        return {}

    def is_closer(self, call: ast.Call) -> bool:
        """Whether the called function only closes the one session that it is handed."""
        function = self._definition(call)
        if function is None:
            return self.index is not None and self.index.is_closer(call, self.module)
        names = [n for n in parameters(function) if n not in ("self", "cls")]
        body = function.body[1:] if ast.get_docstring(function) is not None else function.body
        return len(names) == 1 and len(body) == 1 and is_close(body[0], names[0], lambda _: False)

    def may_close(self, call: ast.Call) -> bool:
        """Whether the called function may close what it is handed: it is seen to, or is called so."""
        function = self._definition(call)
        if function is not None:
            nodes = list(walk_scope(function))
            return any(isinstance(n, ast.Attribute) and n.attr in ("close", "aclose", "remove") for n in nodes)
        if self.index is not None and self.index.may_close(call, self.module):
            return True
        return bool(_ENDING & set(dotted(call.func).rpartition(".")[2].lower().split("_")))

    def _definition(self, call: ast.Call) -> FunctionNode | None:
        """The function that is called: one of the module, or a method of the class around the call by `self.`."""
        match call.func:
            case ast.Name(id=name):
                bound: list[ast.AST] = [s for s in module_level(self.module.tree) if name in binds(s)]
                bound += [n for n in self.module.nodes(ast.Global) if name in n.names]
                if bound and any(name in bound_in(f) for f in self._around(call)):
                    return None
            case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name):
                around = self.module.enclosing_class(call)
                bound = [s for s in (around.body if around is not None else []) if name in binds(s)]
                if around is None or self._overridden(around, name):
                    return None
                bound += [n for n in self.module.nodes(ast.Attribute) if _sets_attribute(n, name)]
            case _:
                return None
        found = bound[0] if len(bound) == 1 else None
        if not isinstance(found, FunctionNode):
            return None
        return found if all(dotted(d) in ("staticmethod", "classmethod") for d in found.decorator_list) else None

    def _around(self, call: ast.Call) -> Iterator[FunctionNode]:
        return (f for f in self.module.ancestors(call) if isinstance(f, FunctionNode))

    def _overridden(self, around: ast.ClassDef, name: str) -> bool:
        """Whether a class that may inherit from this one has a method of its own by that name."""
        if name in self.knowledge.overridden.get(around.name, ()):
            return True
        others = [n for n in self.module.nodes(ast.ClassDef) if n is not around and n.bases]
        return any(name in binds(statement) for other in others for statement in other.body)

    @staticmethod
    def _handed(call: ast.Call, callee: Callee, values: Values) -> Iterator[tuple[str | None, Kind]]:
        """Parameters that get the session or an instance; None for one that can't be told."""
        args = callee.function.args
        names = [a.arg for a in [*args.posonlyargs, *args.args]]
        named = {a.arg for a in [*args.args, *args.kwonlyargs]}
        if callee.bound:
            names = names[1:]
        starred = False
        for position, value in enumerate(call.args):
            starred = starred or isinstance(value, ast.Starred)
            if kind := values.kind(value):
                yield (names[position] if not starred and position < len(names) else None), kind
        for keyword in call.keywords:
            if kind := values.kind(keyword.value):
                yield (keyword.arg if keyword.arg in named else None), kind


def _is_static(function: FunctionNode) -> bool:
    return any(dotted(d) == "staticmethod" for d in function.decorator_list)


def _is_lazy(node: ast.expr) -> bool:
    """Whether a value is made only while it is iterated, maybe behind the block."""
    lazy = isinstance(node, ast.Call) and dotted(node.func) in ("map", "filter", "iter", "zip")
    return lazy or isinstance(node, ast.GeneratorExp)


def _sets_attribute(node: ast.Attribute, name: str) -> bool:
    """Whether the file sets an attribute of that name: a method may then be another."""
    return node.attr == name and isinstance(node.ctx, ast.Store)
