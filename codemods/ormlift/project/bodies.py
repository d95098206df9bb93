"""The statements of a function or class body, flat: one cheap pass instead of a walk through every expression."""

from __future__ import annotations

import ast

from ormlift.syntax import suites

_COMPOUND = frozenset(
    {ast.If, ast.Try, ast.TryStar, ast.With, ast.AsyncWith, ast.For, ast.AsyncFor, ast.While, ast.Match}
)


def flat(body: list[ast.stmt]) -> list[ast.stmt]:
    """The statements of a body in source order, those of nested suites too; defs and classes are not entered."""
    found: list[ast.stmt] = []
    _flatten(body, found)
    return found


def _flatten(body: list[ast.stmt], found: list[ast.stmt]) -> None:
    for statement in body:
        found.append(statement)
        if statement.__class__ in _COMPOUND:
            for suite in suites(statement):
                _flatten(suite, found)


def returned(statements: list[ast.stmt]) -> list[ast.expr]:
    """The values that return statements give back."""
    return [s.value for s in statements if isinstance(s, ast.Return) and s.value is not None]


def yielded(statements: list[ast.stmt]) -> list[ast.Yield]:
    """The yields that stand as a statement, on the right of an assignment, or in a return."""
    found = []
    for statement in statements:
        if isinstance(statement, ast.Expr | ast.Assign | ast.AnnAssign | ast.Return):
            value = statement.value
            if isinstance(value, ast.Yield):
                found.append(value)
    return found
