"""What else a session's name is used for: whatever keeps it from being handed to a scope is told as a reason."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from ormlift.model import Reason
from ormlift.project.escape.closing import Closers, closing_calls
from ormlift.project.escape.shapes import Shape
from ormlift.project.flow.values import Kind, Values, parameters
from ormlift.syntax import FunctionNode, Module, dotted, every_node, in_rows, walk_scope

_CONTROLS = frozenset({"begin", "invalidate", "reset", "close_all", "remove", "__enter__", "__exit__"})
_STATES = frozenset(
    {"no_autoflush", "autoflush", "info", "bind", "dirty", "new", "deleted", "is_active", "identity_map"}
)
_EAGER = frozenset({"any", "all", "sum", "list", "tuple", "set", "sorted", "dict", "max", "min", "join", "next"})


@dataclass(frozen=True)
class Uses:
    """The uses of one session's name in one function."""

    module: Module
    function: FunctionNode | ast.Module
    name: str
    assign: ast.stmt
    closers: Closers

    def problem(self, shape: Shape, values: Values) -> Reason | None:
        """The first thing that stands in the way of the shape, or None."""
        found = [*self._binding(), *self._captured(shape), *self._inside(shape), *self._kept(shape, values)]
        found += [*self._after(shape)]
        return found[0] if found else None

    def rebound(self, shape: Shape) -> Reason | None:
        """The one thing that keeps `with <the call itself> as name` from closing what the close did."""
        found = [reason for reason in self._inside(shape) if reason.code == "reassigned"]
        return found[0] if found else None

    # How the name is bound

    def _binding(self) -> Iterator[Reason]:
        name = self.name
        for node in walk_scope(self.function):
            if isinstance(node, ast.Global | ast.Nonlocal) and name in node.names:
                word = "global" if isinstance(node, ast.Global) else "nonlocal"
                yield Reason("global-name", f"line {node.lineno} makes {name} {word}; use a variable of the function")
        if isinstance(self.function, FunctionNode) and name in parameters(self.function):
            text = f"{name} is also a parameter: the session may be the caller's, which must not be closed here"
            yield Reason("may-be-given", f"{text}; split the function, or open the scope by hand")

    def _captured(self, shape: Shape) -> Iterator[Reason]:
        for node in in_rows(self.function):
            nested = isinstance(node, (*FunctionNode.__args__, ast.Lambda, ast.ClassDef))
            if node is self.function or (isinstance(node, FunctionNode) and self._only_called(node, shape)):
                continue
            if nested and (line := _free_use(node, self.name)):
                text = f"line {line} uses {self.name} in a nested function, which may run after the block"
                yield Reason("captured", f"{text}; pass the session as an argument")
            if isinstance(node, ast.GeneratorExp) and self._names(node):
                call = self.module.parents[node]
                if not (isinstance(call, ast.Call) and dotted(call.func).rpartition(".")[2] in _EAGER):
                    text = f"line {node.lineno} uses {self.name} in a generator expression, which may run later"
                    yield Reason("captured", f"{text}; make it a list")

    def _only_called(self, inner: FunctionNode, shape: Shape) -> bool:
        """Whether a nested function is made in the block, and only called there, at once."""
        here = {id(n) for n in every_node(*shape.body)}
        named = [n for n in in_rows(self.function) if isinstance(n, ast.Name) and n.id == inner.name]
        calls = [self.module.parents[n] for n in named]
        if id(inner) not in here or inner.decorator_list or not named:
            return False
        if isinstance(inner, ast.AsyncFunctionDef):
            calls = [c for c in calls if isinstance(self.module.parents[c], ast.Await)]
        if any(isinstance(n, ast.Yield | ast.YieldFrom | ast.Nonlocal) for n in walk_scope(inner)) or len(calls) != len(
            named
        ):
            return False
        return all(isinstance(c, ast.Call) and c.func is n and id(c) in here for c, n in zip(calls, named, strict=True))

    def _names(self, node: ast.AST) -> bool:
        return any(isinstance(n, ast.Name) and n.id == self.name for n in ast.walk(node))

    # Uses in the block

    def _inside(self, shape: Shape) -> Iterator[Reason]:
        gone = {id(n) for s in (*shape.removed, *shape.closes) for n in ast.walk(s)}
        for statement in shape.body:
            for node in [statement, *walk_scope(statement)]:
                if id(node) in gone:
                    continue
                if isinstance(node, ast.Yield | ast.YieldFrom):
                    text = f"line {node.lineno} yields inside the block: its caller decides when it ends"
                    yield Reason("generator", f"{text}; open the scope where the generator is used")
                elif isinstance(node, ast.Name) and node.id == self.name:
                    yield from self._one(node)
                elif isinstance(node, ast.Call) and node in closing_calls(node, self.name, self.closers):
                    text = f"{self.name} is closed on line {node.lineno} as well; close it once, in a finally"
                    yield Reason("closed-in-several-places", text)

    def _one(self, node: ast.Name) -> Iterator[Reason]:
        """One mention of the name inside the block."""
        where = f"line {node.lineno}"
        if not isinstance(node.ctx, ast.Load):
            yield Reason("reassigned", f"{where} binds {self.name} anew inside the block; use another name there")
            return
        parent = self.module.parents[node]
        match parent:
            case ast.Attribute():
                yield from self._attribute(parent, where)
            case ast.Call(func=func) if func is node:
                yield Reason("unusual-use", f"{where} calls {self.name} itself; a scope hands out a session")
            case ast.Call() | ast.keyword():
                yield from self._passed(parent, where)
            case ast.Return() | ast.Await():
                text = f"{where} returns {self.name}: the session outlives the block"
                yield Reason("returned", f"{text}; open the scope in the caller")
            case ast.Assign() | ast.AnnAssign() | ast.NamedExpr() if _targets_object(parent):
                yield Reason("stored", f"{where} stores {self.name} on an object or in a container; pass it instead")
            case ast.Assign() | ast.AnnAssign() | ast.NamedExpr():
                yield Reason("aliased", f"{where} gives {self.name} a second name; use one name")
            case ast.Tuple() | ast.List() | ast.Set() | ast.Dict() | ast.Starred():
                yield Reason("stored", f"{where} puts {self.name} into a container or returns it; pass it instead")
            case ast.withitem():
                yield Reason("own-with", f"{where} opens `with {self.name}`, which closes it; merge the two by hand")
            case ast.If() | ast.While() | ast.BoolOp() | ast.UnaryOp() | ast.Compare() | ast.IfExp() | ast.Assert():
                pass
            case _:
                yield Reason("unusual-use", f"{where} uses {self.name} in a way that can't be followed")

    def _attribute(self, node: ast.Attribute, where: str) -> Iterator[Reason]:
        parent = self.module.parents[node]
        if node.attr == "begin" and _is_entered(self.module, parent):
            return  # commits or rolls back by itself; whether a scope allows it is asked of the scope
        if node.attr in _CONTROLS:
            text = f"{where} calls {self.name}.{node.attr}(), which takes the transaction into its own hands"
            yield Reason("transaction-control", f"{text}; open the scope by hand")
        elif isinstance(parent, ast.Call) and parent.func is node:
            return
        elif node.attr not in _STATES and isinstance(node.ctx, ast.Load) and not isinstance(parent, ast.Attribute):
            text = f"{where} passes the method {self.name}.{node.attr} on, which may run after the block"
            yield Reason("captured", f"{text}; call it here")

    def _passed(self, parent: ast.Call | ast.keyword, where: str) -> Iterator[Reason]:
        call = parent if isinstance(parent, ast.Call) else self.module.parents[parent]
        if isinstance(call, ast.Call) and self.closers(call):
            return
        if isinstance(call, ast.Call) and "close" in dotted(call.func).rpartition(".")[2].lower():
            text = f"{where} passes {self.name} to {dotted(call.func)}(), which may close it or do more"
            yield Reason("closed-by-callee", f"{text}; close it here, in a finally")

    def _kept(self, shape: Shape, values: Values) -> Iterator[Reason]:
        """Objects made with the session, which keep it and may outlive the block."""
        gone = {id(n) for s in shape.removed for n in ast.walk(s)}
        for statement in shape.body:
            for node in ast.walk(statement):
                if id(node) in gone:
                    continue
                if isinstance(node, ast.Return) and node.value is not None and values.kind(node.value) & Kind.HOLDER:
                    text = f"line {node.lineno} returns an object that keeps {self.name}"
                    yield Reason("kept-by-object", f"{text}; open the scope in the caller")
                if isinstance(node, ast.Assign) and values.kind(node.value) & Kind.HOLDER and _targets_object(node):
                    text = f"line {node.lineno} stores an object that keeps {self.name}"
                    yield Reason("kept-by-object", f"{text}; open the scope where it is used")
        holders = {n for n, kind in values.names.items() if kind & Kind.HOLDER}
        for node in walk_scope(self.function):
            if isinstance(node, ast.Name) and node.id in holders and node.lineno > shape.end_line:
                text = f"line {node.lineno} uses {node.id}, which keeps {self.name}, after the block"
                yield Reason("kept-by-object", f"{text}; move it into the block")
                break

    # Uses after the block

    def _after(self, shape: Shape) -> Iterator[Reason]:
        mentions = [n for n in walk_scope(self.function) if isinstance(n, ast.Name) and n.id == self.name]
        mentions.sort(key=lambda n: (n.lineno, not isinstance(n.ctx, ast.Load), n.col_offset))
        start, end = shape.first.lineno, shape.end_line
        loops = [
            parent
            for parent in self.module.ancestors(shape.body[0])
            if isinstance(parent, ast.For | ast.AsyncFor | ast.While) and _within(self.module, parent, self.function)
        ]
        for run in ([n for n in mentions if n.lineno > end], [n for n in mentions if _in_loop(n, loops, start)]):
            for node in run:
                if not isinstance(node.ctx, ast.Load):
                    break
                text = f"line {node.lineno} uses {self.name} after the close on line {_line(shape)}"
                yield Reason("used-after-close", f"{text}; move it into the block, or give it a session of its own")
                return


def _is_entered(module: Module, call: ast.AST) -> bool:
    return isinstance(call, ast.Call) and isinstance(module.parents[call], ast.withitem)


def _line(shape: Shape) -> int:
    return shape.closes[0].lineno if shape.closes else shape.end_line


def _in_loop(node: ast.Name, loops: list[ast.For | ast.AsyncFor | ast.While], start: int) -> bool:
    return any(loop.lineno <= node.lineno < start for loop in loops)


def _within(module: Module, node: ast.AST, function: ast.AST) -> bool:
    return any(parent is function for parent in module.ancestors(node)) and (
        isinstance(function, ast.Module) is (module.enclosing_function(node) is None)
        or module.enclosing_function(node) is function
    )


def _targets_object(node: ast.AST) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return any(isinstance(target, ast.Attribute | ast.Subscript) for target in targets)


def _free_use(node: ast.AST, name: str) -> int:
    """The line where a nested function or class uses `name` of the function around it; 0 where it does not."""
    inner = list(walk_scope(node))
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        arguments = node.args
        named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        named += [a for a in (arguments.vararg, arguments.kwarg) if a is not None]
        own = {a.arg for a in named}
        outer = {n for i in inner if isinstance(i, ast.Global | ast.Nonlocal) for n in i.names}
        own |= {i.id for i in inner if isinstance(i, ast.Name) and isinstance(i.ctx, ast.Store)} - outer
        if name in own:
            return 0
    return next((i.lineno for i in inner if isinstance(i, ast.Name) and i.id == name), 0)
