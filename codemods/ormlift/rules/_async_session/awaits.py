"""Awaits that are missing on an AsyncSession's methods, and those that wait for what is not awaitable."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from ormlift.model import Fault, Reason, ReplaceExpr, Severity, Site
from ormlift.project.held import Held
from ormlift.rules._async_session.words import AT_ONCE, AWAITED, RESULTS, coroutine_around, refused, repaired
from ormlift.syntax import Module, dotted, walk_scope

_READERS = frozenset({"list", "len", "tuple", "set", "dict", "next", "sorted", "bool", "int", "str", "sum", "iter"})


@dataclass(frozen=True)
class Awaits:
    """Finds both kinds in one file."""

    module: Module
    held: Held

    def sites(self) -> Iterator[Site]:
        """All of them."""
        for call in self.module.calls:
            if isinstance(call.func, ast.Attribute) and self._concerned(call.func):
                site = self._of_session(call, call.func)
                if site is not None:
                    yield site
        for node in self.module.parents:
            if isinstance(node, ast.Await) and self._is_result(node.value):
                yield self._result_awaited(node)

    def _concerned(self, func: ast.Attribute) -> bool:
        return func.attr in AWAITED | AT_ONCE and self.held.is_async(func.value)

    # On the session

    def _of_session(self, call: ast.Call, func: ast.Attribute) -> Site | None:
        awaited = isinstance(self.module.parents[call], ast.Await)
        if func.attr in AT_ONCE:
            return self._awaited_in_vain(call, func) if awaited else None
        return None if awaited or not self._is_used_at_once(call) else self._missing(call, func)

    def _awaited_in_vain(self, call: ast.Call, func: ast.Attribute) -> Site:
        outer = self.module.parents[call]
        assert isinstance(outer, ast.Await)
        words = f"{dotted(func)}()"
        fails = "raises TypeError behind the call" if func.attr.startswith(("add", "exp")) else "raises TypeError"
        text = f"{words} is no coroutine: `await` {fails}, object can't be used in 'await' expression"
        fault = Fault("not-awaitable", Severity.CRITICAL, text)
        op = ReplaceExpr(self.module.span(outer), self.module.written(call))
        return repaired(outer.lineno, _end(outer), (op,), fault, "raised TypeError")

    def _is_used_at_once(self, call: ast.Call) -> bool:
        """Whether the call's coroutine is thrown away, or used as if it were what it gives."""
        parent = self.module.parents[call]
        match parent:
            case ast.Expr() | ast.Attribute() | ast.Compare() | ast.If() | ast.UnaryOp() | ast.BinOp():
                return True
            case ast.Subscript(value=value):
                return value is call
            case ast.For(iter=iterated) | ast.comprehension(iter=iterated):
                return iterated is call
            case ast.Call(func=ast.Name(id=name)):
                return name in _READERS
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                return self._is_read(call, name)
            case _:
                return False

    def _is_read(self, call: ast.Call, name: str) -> bool:
        """Whether the variable is only ever used as what the coroutine would give: never awaited or handed on."""
        function = self.module.enclosing_function(call)
        nodes = walk_scope(function) if function is not None else ()
        uses = [n for n in nodes if isinstance(n, ast.Name) and n.id == name]
        if sum(1 for n in uses if isinstance(n.ctx, ast.Store)) != 1:
            return False
        parents = [self.module.parents[n] for n in uses if isinstance(n.ctx, ast.Load)]
        read = [isinstance(p, ast.Attribute | ast.Subscript | ast.For | ast.comprehension) for p in parents]
        return bool(read) and all(read)

    def _missing(self, call: ast.Call, func: ast.Attribute) -> Site:
        words, method = f"{dotted(func)}()", func.attr
        if isinstance(self.module.parents[call], ast.Expr):
            text = f"{words} is a coroutine that nothing awaits: it never runs"
            lost = {"commit": ", and nothing is stored", "delete": ", and nothing is deleted"}
            text, raised = text + lost.get(method, ""), "did nothing"
        else:
            text = f"{words} is a coroutine and is used without `await` as if it were its result: AttributeError or "
            text, raised = f"{text}TypeError on a 'coroutine' object", "raised on a coroutine"
        fault = Fault("missing-await", Severity.CRITICAL, text)
        place = self._outermost(call)
        why = coroutine_around(self.module, call)
        if why:
            reason = Reason("not-in-coroutine", f"{why}; make it async, or use a Session that is not")
            return refused(place.lineno, _end(place), reason, fault)
        inner, whole = self.module.written(call), self.module.written(place)
        if isinstance(place, ast.Await):
            chain = self.module.written(place.value)
            op = ReplaceExpr(self.module.span(place), f"(await {inner}){chain[len(inner) :]}")
        else:
            bare = isinstance(self.module.parents[call], ast.Expr | ast.Assign | ast.AnnAssign | ast.Call)
            op = ReplaceExpr(self.module.span(call), f"await {whole}" if bare else f"(await {inner})")
        return repaired(place.lineno, _end(place), (op,), fault, raised)

    def _outermost(self, call: ast.Call) -> ast.expr:
        """The await around a chain that begins with the call, or else the call itself."""
        node: ast.AST = call
        while isinstance(parent := self.module.parents[node], ast.Attribute | ast.Call):
            if isinstance(parent, ast.Call) and parent.func is not node:
                return call
            node = parent
        return parent if isinstance(parent, ast.Await) and node is not call else call

    # On its results

    def _is_result(self, node: ast.expr) -> bool:
        """Whether an expression is a method's call on the result of an awaited statement: nothing to wait for."""
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in RESULTS):
            return False
        base = node.func.value
        while isinstance(base, ast.Call) and isinstance(base.func, ast.Attribute) and base.func.attr in RESULTS:
            if self._concerned(base.func):
                return False
            base = base.func.value
        if isinstance(base, ast.Await):
            return self._gives_result(base)
        return isinstance(base, ast.Name) and self._holds_result(base)

    def _holds_result(self, name: ast.Name) -> bool:
        function = self.module.enclosing_function(name)
        stores = [
            n
            for n in (walk_scope(function) if function is not None else ())
            if isinstance(n, ast.Name) and n.id == name.id and isinstance(n.ctx, ast.Store)
        ]
        values = [self._assigned(n) for n in stores]
        return bool(values) and all(v is not None and self._gives_result(v) for v in values)

    def _assigned(self, name: ast.Name) -> ast.expr | None:
        parent = self.module.parents[name]
        return parent.value if isinstance(parent, ast.Assign | ast.AnnAssign) else None

    def _gives_result(self, node: ast.expr) -> bool:
        """Whether an expression is `await session.execute(..)`, or a method's call on that."""
        match node:
            case ast.Await(value=ast.Call(func=ast.Attribute(value=base, attr="execute" | "scalars"))):
                return self.held.is_async(base)
            case ast.Call(func=ast.Attribute(value=base, attr="scalars" | "mappings" | "unique")):
                return self._gives_result(base)
            case _:
                return False

    def _result_awaited(self, node: ast.Await) -> Site:
        assert isinstance(node.value, ast.Call)
        words = f"{ast.unparse(node.value.func).rpartition('.')[2]}()"
        text = (
            f"{words} of a result gives it at once: `await` of it raises TypeError, can't be used in 'await' expression"
        )
        fault = Fault("not-awaitable", Severity.CRITICAL, text)
        op = ReplaceExpr(self.module.span(node), self.module.written(node.value))
        return repaired(node.lineno, _end(node), (op,), fault, "raised TypeError")


def _end(node: ast.expr) -> int:
    return node.end_lineno or node.lineno
