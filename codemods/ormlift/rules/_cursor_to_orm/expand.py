"""The text of a call's statement with the helper's body in the call's place."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ormlift.project.escape.choice import binds
from ormlift.project.escape.choice import bound_in as bound_by
from ormlift.rules._cursor_to_orm.fold import Folder, Make, NotPlain, copied, named, settled
from ormlift.rules._cursor_to_orm.helpers import Helped, defaults, passed
from ormlift.rules._cursor_to_orm.plain import check_evaluation, check_place, is_seen_early
from ormlift.sql.life.pure import acts
from ormlift.syntax import FunctionNode, Module, dotted, walk_scope

_NOT_MOVED = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.Global, ast.Nonlocal, ast.Yield, ast.YieldFrom,
    ast.Await, ast.AsyncFor, ast.AsyncWith, ast.NamedExpr, ast.Import, ast.ImportFrom, ast.Delete, ast.Match,
)  # fmt: skip
_HELD = re.compile(r"__ormlift_(\w+)__")
_RESULTS = ("rows", "result", "found", "fetched")
_WRAPPERS = frozenset(
    ["dict", "list", "tuple", "set", "len", "bool", "sorted", "enumerate", "iter", "next", "str", "int"]
)


@dataclass
class Expander:
    """Expands one call."""

    helped: Helped
    module: Module  # of the call
    around: ast.AST = field(init=False)  # the function of the call, or the file
    names: set[str] = field(init=False)  # what is named around the call
    stored: set[str] = field(init=False)  # the body's own variables
    passed: dict[str, ast.expr] = field(init=False)  # by parameter what the call itself passes
    body: list[ast.stmt] = field(init=False)
    target: str = ""  # the text that the result is assigned to
    alias: str = ""  # the body's variable that becomes the target
    above: bool = False  # the body goes in front of the statement, which stays, with the target in the call's place

    def __post_init__(self) -> None:
        """Look around the call."""
        self.around = self.module.enclosing_function(self.helped.call) or self.module.tree
        self.names = {n.id for n in ast.walk(self.around) if isinstance(n, ast.Name)}
        self.names |= {n.arg for n in ast.walk(self.around) if isinstance(n, ast.arg)}

    def run(self, indent: str) -> tuple[list[str], list[str]]:
        """The lines of the body, behind `indent`, and of the statement itself, where it stays. Raises NotPlain."""
        statement = self.module.statement(self.helped.call)
        body = self._folded()
        self.stored = set(_stored(body))
        ending = self._ending(statement)
        self.body = body
        body = settled(body, self._make(statement))
        self._check(body)
        check_evaluation(body, self.passed)
        check_place(body, self.around)
        text = ast.unparse(ast.Module(body=self._renamed(body), type_ignores=[]))
        lines = [f"{indent}{line}" for line in text.split("\n")] if text else []
        return "\n".join(map(self._filled, lines)).split("\n") if lines else [], ending

    # The body

    def _folded(self) -> list[ast.stmt]:
        function, given = self.helped.function, passed(self.helped)
        decorated = [d for d in function.decorator_list if dotted(d) != "staticmethod"]
        if given is None or isinstance(function, ast.AsyncFunctionDef) or decorated:
            message = "how it is called can't be told"
            raise NotPlain(message)
        fixed = {name: node for name, node in defaults(function).items() if _is_constant(node)}
        self.given, self.passed = {**fixed, **given}, given
        said = function.args
        wanted = {a.arg for a in (*said.posonlyargs, *said.args, *said.kwonlyargs)}
        wanted -= {self._self()} if self.helped.receiver else set()
        if wanted - set(self.given) or any(acts(node) for node in given.values()):
            message = "what it is given can't be evaluated inside it"
            raise NotPlain(message)
        folder = Folder(self.given)
        body = named(folder.body(copied(function.body)))
        self.given = folder.known
        return body

    def _self(self) -> str:
        said = self.helped.function.args
        return next((a.arg for a in (*said.posonlyargs, *said.args)), "")

    def _check(self, body: list[ast.stmt]) -> None:
        nodes = [n for s in body for n in ast.walk(s)]
        if any(isinstance(n, _NOT_MOVED) for n in nodes):
            message = "it does more than to execute and fetch"
            raise NotPlain(message)
        loads = [n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)]
        for name, node in self.given.items():
            if (loads.count(name) > 1 and not isinstance(node, ast.Name | ast.Constant)) or (
                name == self.helped.sql and loads.count(name) != 1
            ):
                message = f"it uses {name} more than once"
                raise NotPlain(message)

    def _renamed(self, body: list[ast.stmt]) -> list[ast.stmt]:
        apart = {name: self._apart(name) for name in self.stored}
        for node in (n for s in body for n in ast.walk(s)):
            if isinstance(node, ast.Name):
                node.id = self._new(node.id, apart)
            elif isinstance(node, ast.ExceptHandler) and node.name:
                node.name = apart.get(node.name, node.name)
        return body

    def _new(self, name: str, apart: dict[str, str]) -> str:
        if name in self.given:
            return f"__ormlift_arg_{name}__"
        if self.helped.receiver and name == self._self():
            return "__ormlift_self__"
        return apart.get(name, name)

    def _apart(self, name: str) -> str:
        if name == self.alias:
            return "__ormlift_target__"
        number = 2
        new = name
        while new in self.names:
            new, number = f"{name}_{number}", number + 1
        return new

    def needs(self) -> set[str]:
        """The names of the helper's module that are used."""
        bound = {*self.helped.module.imports, *bound_in(self.helped.module)}
        return {name for name in self._loads() if name in bound or not hasattr(builtins, name)}

    def builtins(self) -> set[str]:
        """The names of Python's own that are used."""
        return self._loads() - self.needs()

    def _loads(self) -> set[str]:
        body = self._folded()
        loads = {n.id for s in body for n in ast.walk(s) if isinstance(n, ast.Name)}
        return loads - {*_stored(body), *self.given, self._self() if self.helped.receiver else ""}

    # The result

    def _make(self, statement: ast.stmt) -> Make:
        def make(value: ast.expr | None) -> list[ast.stmt]:
            value = value if value is not None else ast.Constant(None)
            if self.target:
                if isinstance(value, ast.Name) and self._may_be_target(value.id):
                    self.alias = value.id
                    return []
                return [ast.Assign([ast.Name("__ormlift_target__", ast.Store())], value, lineno=0)]
            if isinstance(statement, ast.Return):
                return [ast.Return(value)]
            return [] if isinstance(value, ast.Name | ast.Constant | ast.Attribute) else [ast.Expr(value)]

        return make

    def _may_be_target(self, name: str) -> bool:
        passed_names = {n.id for node in self.given.values() for n in ast.walk(node) if isinstance(n, ast.Name)}
        stores = [n for n in walk_scope(self.helped.function) if isinstance(n, ast.Name) and n.id == name]
        once = sum(not isinstance(n.ctx, ast.Load) for n in stores) == 1
        if is_seen_early(name, self.body, self.helped.call, self.module, self.target):
            return False
        return once and self.target.isidentifier() and self.target not in passed_names and name in self.stored

    def _ending(self, statement: ast.stmt) -> list[str]:
        """What follows the body: nothing, or the statement with the result's name in the call's place."""
        call = self.helped.call
        match statement:
            case ast.Return(value=value) | ast.Expr(value=value) if value is call:
                return []
            case ast.Assign(targets=[target], value=value) if value is call and _is_plain(target):
                self.target = self.module.text(target)
                return []
        if not _is_first(call, statement, self.module):
            message = "the call stands inside an expression; give it a statement of its own"
            raise NotPlain(message)
        self.target = next((n for n in _RESULTS if n not in self.names), "")
        if not self.target:
            message = "the names for its rows are taken"
            raise NotPlain(message)
        if isinstance(statement, ast.For | ast.If):
            self.above = True
            if call not in (getattr(statement, "iter", None), getattr(statement, "test", None)):
                message = "the call stands inside an expression; give it a statement of its own"
                raise NotPlain(message)
        return self._with_name(statement)

    def _with_name(self, statement: ast.stmt) -> list[str]:
        whole, inner = self.module.span(statement), self.module.span(self.helped.call)
        lines = self.module.lines[whole.line - 1 : whole.end_line]
        first, last = inner.line - whole.line, inner.end_line - whole.line
        new = f"{lines[first][: inner.col]}{self.target}{lines[last][inner.end_col :]}"
        return [*lines[:first], new, *lines[last + 1 :]]

    # Texts

    def _filled(self, line: str) -> str:
        return _HELD.sub(lambda found: self._text(found[1]), line)

    def _text(self, held: str) -> str:
        if held == "target":
            return self.target
        if held == "self":
            return self.helped.receiver
        node = self.given[held.removeprefix("arg_")]
        if isinstance(node, ast.Tuple) and not hasattr(node, "lineno"):
            return f"({''.join(f'{self.module.text(e)}, ' for e in node.elts).rstrip(' ')})" if node.elts else "()"
        own = next((n for n in self.module.ancestors(node) if n is self.helped.call), None) is not None
        text = self.module.text(node) if own else ast.unparse(node)
        simple = ast.Name | ast.Constant | ast.Attribute | ast.Call | ast.Subscript | ast.Tuple | ast.List | ast.Dict
        plain = isinstance(node, simple) and ("\n" not in text or not isinstance(node, ast.Constant))
        return text if plain else f"({text})"


def _is_constant(node: ast.expr) -> bool:
    """Whether a default is the same at each call."""
    empty = isinstance(node, ast.Tuple | ast.List | ast.Dict) and not list(ast.iter_child_nodes(node))[:-1]
    return isinstance(node, ast.Constant) or (
        empty and not getattr(node, "elts", None) and not getattr(node, "keys", ())
    )


def _is_plain(target: ast.expr) -> bool:
    """Whether something may be assigned to a target by itself."""
    return isinstance(target, ast.Name | ast.Tuple) or bool(dotted(target))


def _stored(body: list[ast.stmt]) -> Iterator[str]:
    for node in (n for s in body for n in ast.walk(s)):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.ExceptHandler) and node.name:
            yield node.name


def _is_first(call: ast.Call, statement: ast.stmt, module: Module) -> bool:
    """Whether a call is what a statement evaluates first, and once."""
    node: ast.AST = call
    for parent in module.ancestors(call):
        if isinstance(parent, ast.stmt):
            return _begins(statement, node, module)
        if _leading(parent) is not node:
            return False
        node = parent
    return False


def _leading(node: ast.AST) -> ast.AST | None:
    """What an expression evaluates first; None where that is not looked for."""
    match node:
        case ast.Subscript(value=first) | ast.Attribute(value=first) | ast.Compare(left=first):
            return first
        case ast.Call(func=ast.Name(id=name), args=[first, *_]) if name in _WRAPPERS:
            return first
        case ast.Call(func=ast.Attribute() as first) | ast.UnaryOp(operand=first):
            return first
        case ast.comprehension(iter=first, is_async=0) | ast.IfExp(test=first):
            return first
        case ast.ListComp(generators=[first, *_]) | ast.SetComp(generators=[first, *_]):
            return first
        case ast.DictComp(generators=[first, *_]) | ast.GeneratorExp(generators=[first, *_]):
            return first
        case ast.BoolOp(values=[first, *_]):
            return first
    return None


def _begins(statement: ast.stmt, node: ast.AST, module: Module) -> bool:
    """Whether a statement evaluates an expression of it before all else."""
    match statement:
        case ast.Assign(value=first, targets=[_]) | ast.Return(value=first) | ast.Expr(value=first):
            return first is node
        case ast.AnnAssign(value=first, target=ast.Name()):
            return first is node
        case ast.For(iter=first):
            return first is node
        case ast.If(test=first):
            return first is node and not _is_elif(statement, module)
    return False


def _is_elif(statement: ast.stmt, module: Module) -> bool:
    return module.lines[statement.lineno - 1][statement.col_offset :].startswith("elif")


def names_of_host(module: Module, call: ast.Call) -> set[str]:
    """The names that the functions and the class around a call bind."""
    bound: set[str] = set()
    for around in module.ancestors(call):
        if isinstance(around, FunctionNode):
            bound |= bound_by(around)
        elif isinstance(around, ast.Lambda):
            bound |= {a.arg for a in ast.walk(around.args) if isinstance(a, ast.arg)}
        elif isinstance(around, ast.ClassDef):
            for statement in around.body:
                bound |= binds(statement)
    return bound


def bound_in(module: Module) -> Iterator[str]:
    """The names that a module may bind at its top."""
    for statement in module.tree.body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                yield node.id
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield statement.name


def is_called_by_name(helped: Helped) -> str:
    """The name that the call's function is imported by, if the call names it so."""
    return dotted(helped.call.func).partition(".")[0] if not helped.receiver else ""
