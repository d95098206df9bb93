"""Calls of functions that add to the SQL on some ways only: what the function does, written where it is called."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ormlift.sql.built.built import Group
from ormlift.sql.built.helpers import Helper, suite_of
from ormlift.sql.built.regions import Region
from ormlift.sql.built.setting import call_of
from ormlift.sql.life.refuse import Refused

_TESTS = (
    ast.Name, ast.Constant, ast.expr_context, ast.BoolOp, ast.boolop, ast.UnaryOp, ast.Not, ast.Compare, ast.cmpop,
)  # fmt: skip


@dataclass
class Inliner:
    """Writes one call."""

    group: Group
    texts: Mapping[ast.expr, tuple[str, ...]]  # what each item becomes
    statement: ast.stmt
    put: Callable[[Region, str, ast.stmt], str]
    owners: dict[str, str] = field(default_factory=dict)  # by name in the function, the caller's variable

    def text(self) -> str:
        """What becomes of it. Raises Refused."""
        call = call_of(self.statement)
        helper = self.group.walk.helpers.of(call) if call is not None else None
        if call is None or helper is None:
            raise self._refused()
        self.owners = {name: node.id for name, node in helper.arguments.items() if isinstance(node, ast.Name)}
        body = suite_of(helper.function)
        last = body[-1]
        return "\n".join(self._suite(body[:-1] if isinstance(last, ast.Return) else body, helper, call))

    def _suite(self, statements: Sequence[ast.stmt], helper: Helper, call: ast.Call) -> list[str]:
        return [line for statement in statements for line in self._lines(statement, helper, call)]

    def _lines(self, statement: ast.stmt, helper: Helper, call: ast.Call) -> Iterator[str]:
        match statement:
            case ast.Pass():
                return
            case ast.If(test=test, body=body, orelse=orelse):
                inner, other = self._suite(body, helper, call), self._suite(orelse, helper, call)
                known = _settled(_Passed(helper.arguments).visit(copy.deepcopy(test)))
                if known is not None:
                    yield from inner if known else other
                    return
                if not inner and other:
                    raise self._refused()
                if inner:
                    yield f"if {self._test(test, helper)}:"
                    yield from (f"    {line}" for text in inner for line in text.split("\n"))
                if other:
                    yield "else:"
                    yield from (f"    {line}" for text in other for line in text.split("\n"))
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if owner := self._copied(value):
                self.owners[name] = owner
            case _:
                name, added = self._added(statement)
                region = self.group.regions.get(self.owners.get(name, ""))
                for node in added if region is not None else ():
                    assert region is not None
                    anchor = self.group.walk.helpers.anchors.get((call, node))
                    for text in self.texts.get(anchor, ()) if anchor is not None else ():
                        yield self.put(region, text, self.statement)

    def _copied(self, value: ast.expr) -> str:
        """The caller's variable whose list a copy is of."""
        match value:
            case (
                ast.Call(func=ast.Name(id="list"), args=[ast.Name(id=name)])
                | ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="copy"), args=[])
            ):
                return self.owners.get(name, "")
            case _:
                return ""

    def _added(self, statement: ast.stmt) -> tuple[str, list[ast.expr]]:
        match statement:
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="append"), args=[added])):
                return name, [added]
            case (
                ast.Expr(
                    value=ast.Call(
                        func=ast.Attribute(value=ast.Name(id=name), attr="extend"),
                        args=[ast.List() | ast.Tuple() as more],
                    )
                )
                | ast.AugAssign(target=ast.Name(id=name), value=ast.List() | ast.Tuple() as more)
            ):
                return name, more.elts
            case _:
                raise self._refused()

    def _test(self, test: ast.expr, helper: Helper) -> str:
        """A test of what is passed, which can be asked here as well."""
        if not all(isinstance(node, _TESTS) for node in ast.walk(test)):
            raise self._refused()
        for name in (node.id for node in ast.walk(test) if isinstance(node, ast.Name)):
            passed = helper.arguments.get(name)
            known = isinstance(passed, ast.Name) and passed.id in self.group.walk.builders
            if not isinstance(passed, ast.Name | ast.Constant) or known:
                raise self._refused()
        return ast.unparse(_Passed(helper.arguments).visit(copy.deepcopy(test)))

    def _refused(self) -> Refused:
        message = (
            f"line {self.statement.lineno} has a function add to the SQL on some ways, which cannot be written there"
        )
        return Refused("dynamic-sql", f"{message}; add to the lists where they are joined")


def _settled(test: ast.expr) -> bool | None:
    """How a test of constants comes out; None for others."""
    match test:
        case ast.Constant(value=value):
            return bool(value)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner = _settled(operand)
            return None if inner is None else not inner
        case ast.Compare(
            left=ast.Constant(value=value), ops=[ast.Is() | ast.IsNot() as op], comparators=[ast.Constant(value=None)]
        ):
            return (value is None) is isinstance(op, ast.Is)
        case _:
            return None


class _Passed(ast.NodeTransformer):
    """Puts what is passed in the place of parameters."""

    def __init__(self, arguments: Mapping[str, ast.expr]) -> None:
        self.arguments = arguments

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """One name."""
        return self.arguments.get(node.id, node)
