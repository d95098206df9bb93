"""How a row that was read by name is written where it leaves the function."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ormlift.sql.rows.follow import Is, Seen
from ormlift.syntax import FunctionNode, Module

RETURNED = "\0"  # before the text of a fetch whose row is returned as a dict, or None: two statements
_OPEN = (ast.Return, ast.Assign, ast.AnnAssign, ast.Expr, ast.keyword, ast.Call, ast.List, ast.Tuple, ast.Dict)


def handed_on(seen: Seen, text: str, module: Module, *, held: bool) -> str:
    """The new text of rows, or of a row or None, by name; empty where it can't be written."""
    as_dict = not seen.fact.sequence  # what was a dict stays one
    if isinstance(module.parents[seen.node], ast.Subscript):  # `row["a"] = ..` changes it
        return ""
    if seen.fact.kind is Is.ROWS:
        if held and not as_dict and text.endswith(").all()"):
            return f"{text.removesuffix('.all()')}.mappings().all()" if "execute(" in text else ""
        return f"[dict(row._mapping) for row in {text}]" if as_dict else f"[row._mapping for row in {text}]"
    if seen.fact.kind is not Is.ROW:
        return ""
    if held:
        if as_dict and isinstance(module.parents[seen.node], ast.Return):
            return f"{RETURNED}{text}"
        known = text.endswith(").first()") and "execute(" in text
        return f"{text.removesuffix('.first()')}.mappings().first()" if known else ""
    value = f"dict({text}._mapping)" if as_dict else f"{text}._mapping"
    if not may_be_none(seen.node, module):
        return value
    if not isinstance(seen.node, ast.Name):  # a fetch, which is not to be written twice
        return ""
    whole = f"{value} if {text} else None"
    return whole if isinstance(module.parents[seen.node], _OPEN) else f"({whole})"


def may_be_none(node: ast.expr, module: Module) -> bool:
    """Whether nothing around a use of a row, or above it, has asked whether there is one."""
    if not isinstance(node, ast.Name):
        return not isinstance(node, ast.Subscript)
    if _is_looped(node, module):
        return False
    inner: ast.AST = node
    for around in module.ancestors(node):
        if isinstance(around, ast.If | ast.IfExp) and _asks(around.test, node.id) and _is_in(inner, around.body):
            return False
        if isinstance(inner, ast.stmt) and any(_guards(s, node.id) for s in _before(inner, module)):
            return False
        if isinstance(around, FunctionNode):
            return True
        inner = around
    return True


def _is_looped(node: ast.Name, module: Module) -> bool:
    loops = (ast.For, ast.AsyncFor, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
    for around in module.ancestors(node):
        targets = [around.target] if isinstance(around, ast.For | ast.AsyncFor) else []
        targets += [g.target for g in getattr(around, "generators", ())] if isinstance(around, loops) else []
        if any(isinstance(t, ast.Name) and t.id == node.id for t in targets):
            return True
    return False


def _is_in(inner: ast.AST, body: list[ast.stmt] | ast.expr) -> bool:
    return inner in body if isinstance(body, list) else inner is body


def _before(statement: ast.stmt, module: Module) -> Iterator[ast.stmt]:
    suite = module.suite(statement)
    yield from suite[: suite.index(statement)]


def _asks(test: ast.expr, name: str) -> bool:
    """`if row`, `if row is not None`, `if row and ..`."""
    match test:
        case ast.Name(id=found):
            return found == name
        case ast.Compare(left=ast.Name(id=found), ops=[ast.IsNot()], comparators=[ast.Constant(value=None)]):
            return found == name
        case ast.BoolOp(op=ast.And(), values=values):
            return any(_asks(v, name) for v in values)
        case _:
            return False


def _guards(statement: ast.stmt, name: str) -> bool:
    """`if not row: return`, `if row is None: raise`."""
    if not isinstance(statement, ast.If) or statement.orelse:
        return False
    if not isinstance(statement.body[-1], ast.Return | ast.Raise | ast.Continue | ast.Break):
        return False
    match statement.test:
        case ast.UnaryOp(op=ast.Not(), operand=ast.Name(id=found)):
            return found == name
        case ast.Compare(left=ast.Name(id=found), ops=[ast.Is()], comparators=[ast.Constant(value=None)]):
            return found == name
        case _:
            return False
