"""The functions of a file that a connection or cursor may be handed to.

Such a function can take a session instead only where each use of it is a call that is seen.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cached_property

from ormlift.project.escape.elsewhere import names_bound
from ormlift.project.index import ProjectIndex
from ormlift.project.names import is_test_path
from ormlift.sql.life.model import Handing
from ormlift.syntax import FunctionNode, Module, dotted, walk_scope

_DYNAMIC = frozenset(["globals", "eval", "exec"])
_NAMESPACES = frozenset(["locals", "vars"])
_BY_NAME = ("attr", "__all__", "patch", "methodcaller", "globals", "import_module")
_KNOWN_DECORATORS = frozenset(["staticmethod", "classmethod"])
_FRAMEWORK = ("test", "pytest_", "setUp", "tearDown", "setup", "teardown")
_LITERALS = (
    ast.List,
    ast.Dict,
    ast.Set,
    ast.Tuple,
    ast.Constant,
    ast.JoinedStr,
    ast.ListComp,
    ast.DictComp,
    ast.SetComp,
)
_MAKERS = frozenset(
    ["list", "dict", "set", "tuple", "str", "sorted", "defaultdict", "Counter", "deque", "open", "Path"]
)


class Callees:
    """Tells what calls run, and whether all that a function is used for is seen."""

    def __init__(self, module: Module, index: ProjectIndex) -> None:
        self.module = module
        self.index = index
        self._troubles: dict[FunctionNode, str] = {}
        self._scopes: dict[ast.AST, dict[str, list[ast.AST]]] = {}

    def handing(self, given: ast.expr, *, is_cursor: bool) -> Handing | None:
        """What an argument is handed to; None where it is none, or of a call that can't be followed."""
        holder = self.module.parents[given]
        call = self.module.parents.get(holder) if isinstance(holder, ast.keyword) else holder
        function = self.function(call) if isinstance(call, ast.Call) else None
        if function is None or not isinstance(call, ast.Call) or call.func is given:
            return None
        parameter = next((p for p, value in self.arguments(call, function) if value is given), None)
        return Handing(call, given, function, parameter, is_cursor) if parameter is not None else None

    def arguments(self, call: ast.Call, function: FunctionNode) -> Iterator[tuple[ast.arg, ast.expr]]:
        """The parameters that a call gives, with what it gives them, up to what is unpacked."""
        args = function.args
        positional = [*args.posonlyargs, *args.args]
        if self._is_bound(function):
            positional = positional[1:]
        for parameter, value in zip(positional, call.args, strict=False):
            if isinstance(value, ast.Starred):
                break
            yield parameter, value
        named = {a.arg: a for a in (*args.args, *args.kwonlyargs)}
        yield from ((named[k.arg], k.value) for k in call.keywords if k.arg in named)

    def function(self, call: ast.Call) -> FunctionNode | None:
        """The function of the file that a call surely runs."""
        return self._named.get(call)

    def calls(self, function: FunctionNode) -> list[ast.Call]:
        """The calls of a function in its file."""
        return [call for call, found in self._named.items() if found is function]

    def trouble(self, function: FunctionNode) -> str:
        """Why a function can't be handed a session instead, as the end of a sentence about it; empty where it can."""
        if function not in self._troubles:
            self._troubles[function] = self._trouble(function)
        return self._troubles[function]

    # What a call runs

    @cached_property
    def _named(self) -> dict[ast.Call, FunctionNode]:
        """By call the function that it runs."""
        names = {d.name for d in self.module.definitions if isinstance(d, FunctionNode)}
        found: dict[ast.Call, FunctionNode] = {}
        for call in self.module.calls:
            last = call.func.attr if isinstance(call.func, ast.Attribute) else dotted(call.func)
            function = self._function(call.func) if last in names else None
            if function is not None:
                found[call] = function
        return found

    def _function(self, func: ast.expr) -> FunctionNode | None:
        match func:
            case ast.Name():
                bound = self._bound(func.id, func)
                return bound if isinstance(bound, FunctionNode) else None
            case ast.Attribute(value=receiver, attr=name):
                owner = self._owner(receiver)
                return self._method(owner, name) if owner is not None else None
            case _:
                return None

    def _bound(self, name: str, at: ast.AST) -> ast.AST | None:
        """The one node that binds a name as it is seen at a node; None where several do, or none."""
        for around in self.module.ancestors(at):
            if isinstance(around, FunctionNode | ast.Lambda):
                binders = self._binders(around).get(name)
                if binders:
                    return binders[0] if len(binders) == 1 else None
        if name in self._shared:
            return None
        binders = self._binders(self.module.tree).get(name, [])
        return binders[0] if len(binders) == 1 else None

    @cached_property
    def _shared(self) -> set[str]:
        """Names that functions bind for others."""
        found = {name for node in self.module.nodes(ast.Global) for name in node.names}
        return found | {name for node in self.module.nodes(ast.Nonlocal) for name in node.names}

    def _binders(self, scope: ast.AST) -> dict[str, list[ast.AST]]:
        """By name, the nodes that bind it in a scope."""
        if scope not in self._scopes:
            found: dict[str, list[ast.AST]] = {}
            for node in walk_scope(scope):
                for name in filter(None, names_bound(node)):
                    found.setdefault(name, []).append(node)
            self._scopes[scope] = found
        return self._scopes[scope]

    def _owner(self, receiver: ast.expr) -> ast.ClassDef | None:
        """The class that a receiver is an object of, or is itself."""
        if isinstance(receiver, ast.Call) and isinstance(receiver.func, ast.Name):
            made = self._bound(receiver.func.id, receiver)
            return made if isinstance(made, ast.ClassDef) else None
        if not isinstance(receiver, ast.Name):
            return None
        bound = self._bound(receiver.id, receiver)
        match bound:
            case ast.ClassDef():
                return bound
            case ast.arg():
                return self._class_of_first(bound)
            case ast.Name():
                statement = self.module.parents[bound]
                made = statement.value if isinstance(statement, ast.Assign) and statement.targets == [bound] else None
                return self._owner(made) if isinstance(made, ast.Call) else None
            case _:
                return None

    def _class_of_first(self, parameter: ast.arg) -> ast.ClassDef | None:
        """The class of a method whose first parameter this is."""
        function = self.module.enclosing_function(parameter)
        owner = self.module.parents.get(function) if function is not None else None
        if function is None or not isinstance(owner, ast.ClassDef) or "staticmethod" in _decorators(function):
            return None
        listed = [*function.args.posonlyargs, *function.args.args]
        return owner if listed and listed[0] is parameter else None

    def _method(self, owner: ast.ClassDef, name: str, depth: int = 4) -> FunctionNode | None:
        binders = self._binders(owner).get(name, [])
        if binders:
            (first, *more) = binders
            return first if isinstance(first, FunctionNode) and not more and first in owner.body else None
        base = owner.bases[0] if len(owner.bases) == 1 else None
        above = self._bound(base.id, owner) if isinstance(base, ast.Name) else None
        return self._method(above, name, depth - 1) if isinstance(above, ast.ClassDef) and depth else None

    def _is_bound(self, function: FunctionNode) -> bool:
        """Whether the first parameter is not given by calls."""
        owner = self.module.parents.get(function)
        return isinstance(owner, ast.ClassDef) and "staticmethod" not in _decorators(function)

    # Who else uses a function

    def _trouble(self, function: FunctionNode) -> str:
        owner = self.module.parents.get(function)
        found = self._shape(function, owner) or self._calls_trouble(function, owner)
        found = found or self._text_trouble(function.name)
        if found:
            return found
        if isinstance(owner, ast.ClassDef):
            return self._class_trouble(function, owner) or self._elsewhere(function.name, is_method=True)
        if self.module.enclosing_function(function) is not None:
            return self._loose_names(function)
        return self._loose_names(function) or self._elsewhere(function.name, is_method=False)

    def _shape(self, function: FunctionNode, owner: ast.AST | None) -> str:
        foreign = sorted(_decorators(function) - (_KNOWN_DECORATORS if isinstance(owner, ast.ClassDef) else set()))
        if foreign:
            return f"is decorated with {foreign[0]}"
        if any(isinstance(n, ast.Yield | ast.YieldFrom) for n in walk_scope(function)):
            return "is a generator, which runs later"
        tests = is_test_path(self.module.source.path) and function.name.startswith(_FRAMEWORK)
        if tests or (function.name.startswith("__") and function.name.endswith("__")):
            return "may be called by a framework"
        return ""

    def _calls_trouble(self, function: FunctionNode, owner: ast.AST | None) -> str:
        for call in self.calls(function):
            if any(isinstance(a, ast.Starred) for a in call.args) or any(k.arg is None for k in call.keywords):
                return f"is called on line {call.lineno} with arguments that are unpacked"
            is_awaited = isinstance(self.module.parents[call], ast.Await)
            if is_awaited is not isinstance(function, ast.AsyncFunctionDef):
                return f"is called on line {call.lineno} otherwise than to run at once"
            by_class = isinstance(owner, ast.ClassDef) and self._is_by_class(call, function)
            if by_class:
                return f"is called on line {call.lineno} by its class"
        return ""

    def _is_by_class(self, call: ast.Call, function: FunctionNode) -> bool:
        """`Store.add(store, conn)`: of a method that is bound otherwise."""
        if _decorators(function) & _KNOWN_DECORATORS or not isinstance(call.func, ast.Attribute):
            return False
        receiver = call.func.value
        bound = self._bound(receiver.id, receiver) if isinstance(receiver, ast.Name) else None
        first = isinstance(bound, ast.arg) and "classmethod" in _decorators(self.module.enclosing_function(bound))
        return isinstance(bound, ast.ClassDef) or first

    def _text_trouble(self, name: str) -> str:
        """What may reach a function by its name."""
        if ">>>" in self.module.source.text:
            for node in self.module.nodes(ast.Constant):
                if isinstance(node.value, str) and ">>>" in node.value and f"{name}(" in node.value:
                    return f"may be called by the doctest on line {node.lineno}"
        if any(word in self.module.source.text for word in _BY_NAME):
            for node in self.module.nodes(ast.Constant):
                if isinstance(node.value, str) and node.value.replace(":", ".").rpartition(".")[2] == name:
                    return f"is named in a text on line {node.lineno}"
        for call in self.module.calls:
            called = dotted(call.func)
            if called in _DYNAMIC or (called in _NAMESPACES and not call.args):
                return f"may be found by what line {call.lineno} calls ({called})"
        return ""

    def _loose_names(self, function: FunctionNode) -> str:
        """Where a function is mentioned by its name, and not called."""
        seen = {call.func for call in self.calls(function)}
        for node in self.module.nodes(ast.Name):
            if node.id == function.name and node not in seen and self._bound(node.id, node) in (function, None):
                return f"is used on line {node.lineno} otherwise than by a call"
        return ""

    def _class_trouble(self, function: FunctionNode, owner: ast.ClassDef) -> str:
        """Where something else than its calls may mean a method."""
        seen = {call.func for call in self.calls(function)}
        for node in self.module.nodes(ast.Attribute):
            if node.attr == function.name and node not in seen and not self._is_of_another(node, owner):
                return f"is used on line {node.lineno} otherwise than by a call that is surely of it"
        for named in self.module.nodes(ast.Name):
            if named.id == function.name and self.module.parents.get(self.module.statement(named)) is owner:
                return f"is used on line {named.lineno} otherwise than by a call"
        for call in self.module.calls:
            if dotted(call.func) == "getattr" and len(call.args) > 1 and not isinstance(call.args[1], ast.Constant):
                return f"may be found by what line {call.lineno} calls (getattr)"
        return self._kin_trouble(function, owner)

    def _is_of_another(self, node: ast.Attribute, owner: ast.ClassDef) -> bool:
        """Whether an attribute is of a class that has nothing to do with this one, of a module, or of a plain value."""
        other = self._owner(node.value)
        if other is not None:
            return other is not owner and not self._related(other, owner)
        bound = self._bound(node.value.id, node) if isinstance(node.value, ast.Name) else None
        made = self.module.parents.get(bound) if isinstance(bound, ast.Name) else None
        value = made.value if isinstance(made, ast.Assign | ast.AnnAssign) else node.value
        plain = isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in _MAKERS
        return plain or isinstance(value, _LITERALS) or isinstance(bound, ast.Import)

    def _kin_trouble(self, function: FunctionNode, owner: ast.ClassDef) -> str:
        if not self._is_whole(owner):
            return "is a method of a class with bases that are not seen here"
        for other in self.module.nodes(ast.ClassDef):
            related = other is not owner and self._related(other, owner)
            if related and self._binders(other).get(function.name):
                return f"is defined again in the class {other.name}"
        return ""

    def _is_whole(self, owner: ast.ClassDef, depth: int = 4) -> bool:
        """Whether all that a class inherits from stands in the file."""
        for base in owner.bases:
            bound = self._bound(base.id, owner) if isinstance(base, ast.Name) else None
            plain = dotted(base) in ("object", "ABC", "abc.ABC")
            if not plain and not (isinstance(bound, ast.ClassDef) and depth and self._is_whole(bound, depth - 1)):
                return False
        return not owner.keywords or all(
            k.arg == "metaclass" and "ABCMeta" in ast.dump(k.value) for k in owner.keywords
        )

    def _related(self, one: ast.ClassDef, other: ast.ClassDef) -> bool:
        """Whether one of two classes inherits from the other, or both have a third above or below them."""
        if self._line(one) & self._line(other):
            return True
        return any({one.name, other.name} <= self._line(below) for below in self.module.nodes(ast.ClassDef))

    def _line(self, owner: ast.ClassDef) -> set[str]:
        """The names of a class, and of all that it inherits from."""
        found = {owner.name}
        work = [owner]
        while work:
            names = {dotted(b).rpartition(".")[2] for b in work.pop().bases} - found - {"object", "ABC", ""}
            found |= names
            work += [c for c in self.module.nodes(ast.ClassDef) if c.name in names]
        return found

    def _elsewhere(self, name: str, *, is_method: bool) -> str:
        """What other files do with a name."""
        path, imports = self.module.source.path, self.index.imports
        mentions = self.index.named.elsewhere(name, path)
        if mentions is None or not imports.files:
            return "may be used in other files, which were not looked at"
        for mention in mentions:
            reaches = imports.leads_to(mention.path, path)
            uses = mention.loose or reaches if is_method else mention.loose and reaches
            if uses or imports.takes_from(mention.path, path):
                return f"is used in {mention.path} too"
        return "may be used by a file that imports all of this one" if imports.takes_all(path) else ""


def _decorators(function: FunctionNode | None) -> set[str]:
    if function is None:
        return set()
    return {dotted(d.func if isinstance(d, ast.Call) else d) or "something" for d in function.decorator_list}
