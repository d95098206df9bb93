"""Tests that are known to hold where the session is there: `if s:`, `if s is not None:`, `'s' in locals()`."""

from __future__ import annotations

import ast

from ormlift.syntax import dotted


def session_test(test: ast.expr, name: str) -> bool | None:
    """Whether a test is known to hold (or not to) because `name` is a session; None where it is another test."""
    match test:
        case ast.Name(id=tested):
            return True if tested == name else None
        case ast.Compare(left=ast.Name(id=tested), ops=[op], comparators=[ast.Constant(value=None)]):
            return isinstance(op, ast.IsNot | ast.NotEq) if tested == name else None
        case ast.Compare(left=ast.Constant(value=tested), ops=[ast.In()], comparators=[ast.Call(func=func)]):
            return True if dotted(func) in ("locals", "vars", "dir") and tested == name else None
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            known = session_test(operand, name)
            return None if known is None else not known
        case ast.BoolOp(op=ast.And(), values=values):
            return True if all(session_test(value, name) for value in values) else None
        case _:
            return None
