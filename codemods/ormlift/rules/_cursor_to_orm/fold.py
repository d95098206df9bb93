"""A helper's body for one call: branches on what the call passes are decided, parameters stand for what is passed."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Sequence

Make = Callable[[ast.expr | None], list[ast.stmt]]


class NotPlain(Exception):  # noqa: N818 - not an error: a decision
    """The helper does more than can stand where it is called; its text says what."""


class Folder(ast.NodeTransformer):
    """Decides what the arguments decide. The body is changed; give it a copy."""

    def __init__(self, known: dict[str, ast.expr]) -> None:
        """`known`: what each parameter is."""
        self.known = dict(known)

    def body(self, statements: Sequence[ast.stmt]) -> list[ast.stmt]:
        """The statements that are left; what a parameter is set to anew is noted."""
        left: list[ast.stmt] = []
        for statement in statements:
            left += [s for s in _listed(self.visit(statement)) if not self._is_set_anew(s)]
            if left and isinstance(left[-1], ast.Return | ast.Raise):
                break  # what follows is not reached
        if any(isinstance(n, ast.Name) and n.id in self.known and not _loads(n) for s in left for n in ast.walk(s)):
            message = "it changes its parameters"
            raise NotPlain(message)
        return left

    def _is_set_anew(self, statement: ast.stmt) -> bool:
        """Whether a statement only sets a parameter to a constant, or to itself."""
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in self.known:
                if isinstance(value, ast.Name) and value.id == name:
                    return True
                if _is_fixed(value):
                    self.known[name] = value
                    return True
        return False

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        """One of the branches, where that is decided."""
        truth = self.truth(node.test)
        if truth is None:
            return self.generic_visit(node)
        return self._reached(node.body if truth else node.orelse)

    def _reached(self, statements: Sequence[ast.stmt]) -> list[ast.stmt]:
        found: list[ast.stmt] = []
        for statement in statements:
            found += _listed(self.visit(statement))
            if found and isinstance(found[-1], ast.Return | ast.Raise):
                break
        return found

    def visit_Try(self, node: ast.Try) -> ast.AST | list[ast.stmt]:
        """Without handlers that roll back and raise again, as every end of a session does."""
        self._reach(node)
        if any(not all(map(_is_undone, h.body)) or not isinstance(h.body[-1], ast.Raise) for h in node.handlers):
            message = "it handles errors itself"
            raise NotPlain(message)
        node.handlers = []
        node.body, node.orelse = [*node.body, *node.orelse], []
        return node if node.finalbody else node.body

    def visit_With(self, node: ast.With) -> ast.AST:
        """Its body up to where it is left."""
        self._reach(node)
        return node

    def _reach(self, node: ast.Try | ast.With) -> None:
        self.generic_visit(node)
        for name in ("body", "orelse", "finalbody"):
            if hasattr(node, name):
                setattr(node, name, _cut(getattr(node, name)))

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        """One of the values, where that is decided."""
        truth = self.truth(node.test)
        if truth is None:
            return self.generic_visit(node)
        found: ast.AST = self.visit(node.body if truth else node.orelse)
        return found

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        """Without the operands that do not count."""
        ends = isinstance(node.op, ast.Or)
        while len(node.values) > 1:
            truth = self.truth(node.values[0])
            if truth is None:
                return self.generic_visit(node)
            if truth == ends:
                node.values = node.values[:1]
            else:
                del node.values[0]
        found: ast.AST = self.visit(node.values[0])
        return found

    def truth(self, node: ast.expr) -> bool | None:
        """Whether an expression is true here; None where that is open."""
        match node:
            case ast.Name(id=name) if name in self.known:
                return _truth(self.known[name])
            case ast.Constant():
                return bool(node.value)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                inner = self.truth(operand)
                return None if inner is None else not inner
            case ast.BoolOp(op=op, values=values):
                return _joined([self.truth(v) for v in values], ends=isinstance(op, ast.Or))
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return _compared(self._value(left), op, self._value(right))
        return None

    def _value(self, node: ast.expr) -> ast.expr:
        return self.known.get(node.id, node) if isinstance(node, ast.Name) else node


def _cut(statements: list[ast.stmt]) -> list[ast.stmt]:
    """The statements up to the first that leaves."""
    ends = (n for n, s in enumerate(statements) if isinstance(s, ast.Return | ast.Raise))
    return statements[: next(ends, len(statements)) + 1]


def _loads(name: ast.Name) -> bool:
    return isinstance(name.ctx, ast.Load)


def _listed(found: ast.AST | list[ast.stmt] | None) -> list[ast.stmt]:
    if isinstance(found, list):
        return found
    return [found] if isinstance(found, ast.stmt) else []


def _is_fixed(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) or (isinstance(node, ast.Tuple | ast.List) and not node.elts)


def _truth(node: ast.expr) -> bool | None:
    match node:
        case ast.Constant():
            return bool(node.value)
        case ast.Tuple(elts=elts) | ast.List(elts=elts):
            return False if not elts else True if not all(isinstance(e, ast.Starred) for e in elts) else None
        case ast.Dict(keys=keys):
            return False if not keys else True if any(keys) else None
    return None


def _joined(truths: list[bool | None], *, ends: bool) -> bool | None:
    if any(t is ends for t in truths):
        return ends if truths[0] is not None and None not in truths[: truths.index(ends)] else None
    return None if None in truths else not ends


def _compared(left: ast.expr, op: ast.cmpop, right: ast.expr) -> bool | None:
    if isinstance(op, ast.Is | ast.IsNot) and isinstance(right, ast.Constant) and right.value is None:
        if isinstance(left, ast.Constant):
            return (left.value is None) == isinstance(op, ast.Is)
        displayed = isinstance(left, ast.Tuple | ast.List | ast.Dict | ast.Set | ast.JoinedStr)
        return isinstance(op, ast.IsNot) if displayed else None
    if isinstance(op, ast.Eq | ast.NotEq) and isinstance(left, ast.Constant) and isinstance(right, ast.Constant):
        return (left.value == right.value) == isinstance(op, ast.Eq)
    return None


def settled(body: list[ast.stmt], make: Make) -> list[ast.stmt]:
    """The body as it gives its result: each `return` at its end becomes what `make` makes of the value."""
    if not body:
        return make(None)
    *rest, last = body
    if any(isinstance(n, ast.Return) for s in rest for n in ast.walk(s)):
        message = "it returns early"
        raise NotPlain(message)
    match last:
        case ast.Return(value=value):
            return [*rest, *make(value)]
        case ast.With():
            last.body = settled(last.body, make)
            return [*rest, last]
        case ast.Try():
            if any(isinstance(n, ast.Return) for s in last.finalbody for n in ast.walk(s)):
                message = "it returns early"
                raise NotPlain(message)
            last.body = settled(last.body, make)
            return [*rest, last]
        case ast.If() if last.orelse:
            last.body, last.orelse = settled(last.body, make), settled(last.orelse, make)
            return [*rest, last]
    if any(isinstance(n, ast.Return) for n in ast.walk(last)):
        message = "it returns early"
        raise NotPlain(message)
    return [*body, *make(None)]


def _is_undone(statement: ast.stmt) -> bool:
    """Whether a statement of a handler rolls back, closes or raises again."""
    match statement:
        case ast.Raise(exc=None):
            return True
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="rollback" | "close"), args=[], keywords=[])):
            return True
        case ast.If(orelse=[]):
            return all(map(_is_undone, statement.body))
    return False


def copied(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    """A copy that may be changed, without the docstring."""
    first = body[0]
    is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return [copy.deepcopy(s) for s in (body[1:] if is_text else body)]


_USED = frozenset(["execute", "executemany", "cursor", "commit", "rollback", "close"])


def named(body: list[ast.stmt]) -> list[ast.stmt]:
    """The body with a name for a connection that is used where it is opened, once."""
    inside = [n for s in body for n in ast.walk(s)]
    receivers = [n.func for n in inside if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)]
    found = [f for f in receivers if f.attr in _USED and isinstance(f.value, ast.Call) and not _is_used(f.value.func)]
    names = {n.id for n in inside if isinstance(n, ast.Name)}
    again = [n for s in body for n in ast.walk(s) if isinstance(n, ast.For | ast.While | ast.comprehension)]
    if len(found) != 1 or "conn" in names or again:
        return body
    opened, found[0].value = found[0].value, ast.Name("conn", ast.Load())
    return [ast.Assign([ast.Name("conn", ast.Store())], opened, lineno=0), *body]


def _is_used(func: ast.expr) -> bool:
    return isinstance(func, ast.Attribute) and func.attr in _USED
