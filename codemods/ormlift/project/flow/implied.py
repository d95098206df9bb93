"""Methods of an instance that run without being named: `str(job)` runs `__str__`, `job == other` runs `__eq__`.

Where a class has such a method that changes the instance, code that looks as if it only read may leave a change.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ormlift.project.flow.knowledge import words
from ormlift.project.flow.values import ENTITY, Values
from ormlift.syntax import dotted

_TEXT = words("__str__ __repr__ __format__")
_TRUTH = words("__bool__ __len__")
_EQUAL = words("__eq__ __ne__ __hash__")
_ORDER = words("__lt__ __gt__ __le__ __ge__")
_PARTS = words("__iter__ __next__ __getitem__ __len__ __contains__")
_NOT_RUN = words("isinstance type id issubclass callable append add_all refresh expunge")


def implied(node: ast.AST, values: Values) -> tuple[frozenset[str], ast.expr] | None:
    """The special methods that a node runs of an instance, and the instance; None where it runs none of its own."""
    special = values.knowledge.special
    for methods, of in _runs(node):
        if special & methods and values.kind(of) & ENTITY:
            return special & methods, of
    if special and isinstance(node, ast.Call) and dotted(node.func).rpartition(".")[2] not in _NOT_RUN:
        given = [*node.args, *(k.value for k in node.keywords)]
        holder = [node.func.value] if isinstance(node.func, ast.Attribute) else []
        for of in [*given, *holder]:
            of = of.value if isinstance(of, ast.Starred) else of
            if values.kind(of) & ENTITY:
                return special, of
    return None


def reads_by_name(call: ast.Call, values: Values) -> ast.expr | None:
    """The instance that a call is given, and may read any property of: `getattr(job, name)`, a template."""
    name = dotted(call.func).rpartition(".")[2]
    getters = [n for n in ast.walk(call) if isinstance(n, ast.Call) and dotted(n.func).endswith("attrgetter")]
    if name in _PLAIN_TAKERS and not getters:
        return None
    given = [*call.args, *(k.value for k in call.keywords)]
    return next((value for value in given if values.kind(value) & ENTITY), None)


_PLAIN_TAKERS = words(
    "isinstance type id issubclass len bool str repr print list tuple set dict sorted reversed enumerate zip iter next "
    "append extend insert any all hash info debug warning error exception critical log"
)


def _runs(node: ast.AST) -> Iterator[tuple[frozenset[str], ast.expr]]:
    """What a node runs of its parts, were they instances."""
    match node:
        case ast.FormattedValue(value=value):
            yield _TEXT, value
        case ast.Compare(left=left, ops=ops, comparators=others):
            if not all(isinstance(op, ast.Is | ast.IsNot) for op in ops):
                yield from ((_EQUAL | _ORDER | _PARTS, part) for part in (left, *others))
        case ast.BinOp(left=left, right=right):
            methods = words("__add__ __radd__ __sub__ __or__ __and__ __mul__ __truediv__ __mod__") | _TEXT
            yield from ((methods, part) for part in (left, right))
        case ast.UnaryOp(operand=part):
            yield _TRUTH | words("__neg__ __invert__ __pos__"), part
        case ast.BoolOp(values=parts):
            yield from ((_TRUTH, part) for part in parts)
        case ast.If(test=part) | ast.While(test=part) | ast.IfExp(test=part) | ast.Assert(test=part):
            yield _TRUTH, part
        case _:
            yield from _taken_apart(node)


def _taken_apart(node: ast.AST) -> Iterator[tuple[frozenset[str], ast.expr]]:
    match node:
        case ast.For(iter=part) | ast.AsyncFor(iter=part) | ast.Starred(value=part):
            yield _PARTS, part
        case ast.comprehension(iter=part, ifs=tests):
            yield _PARTS, part
            yield from ((_TRUTH, test) for test in tests)
        case ast.Subscript(value=part, slice=index):
            yield words("__index__"), index
            yield _PARTS | words("__setitem__ __delitem__"), part
        case ast.Attribute(value=part):
            yield words("__getattr__ __getattribute__"), part
        case ast.withitem(context_expr=part):
            yield words("__enter__ __exit__"), part
        case ast.Slice(lower=lower, upper=upper, step=step):
            yield from ((words("__index__"), bound) for bound in (lower, upper, step) if bound is not None)
        case ast.Set(elts=parts):
            yield from ((_EQUAL, part) for part in parts)
        case ast.Dict(keys=keys):
            yield from ((_EQUAL, key) for key in keys if key is not None)
        case ast.Match(subject=part):
            yield _EQUAL | _PARTS, part
        case _:
            pass
