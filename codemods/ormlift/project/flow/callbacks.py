"""Functions that a builtin runs on what it is given: `map(show, jobs)`, `sorted(jobs, key=show)`."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ormlift.project.flow.knowledge import words
from ormlift.syntax import dotted

_FIRST = words("map filter reduce starmap takewhile dropwhile filterfalse")
_SECOND = words("accumulate groupby")
_BY_KEY = words("key func keyfunc function predicate")
_GETTERS = words("attrgetter itemgetter")


def callbacks(call: ast.Call) -> Iterator[tuple[ast.expr, list[ast.expr]]]:
    """Each function that a call of a builtin runs, and what it takes the elements of."""
    name = dotted(call.func).rpartition(".")[2] if dotted(call.func) else ""
    name = name or (call.func.attr if isinstance(call.func, ast.Attribute) else "")
    named = [k.value for k in call.keywords if k.arg in _BY_KEY]
    if name in _FIRST and call.args:
        yield call.args[0], call.args[1:]
    elif name in _SECOND and len(call.args) > 1:
        yield call.args[1], call.args[:1]
    elif name == "sort" and isinstance(call.func, ast.Attribute):
        yield from ((given, [call.func.value]) for given in named)
    else:
        yield from ((given, call.args) for given in named)


def called_method(callback: ast.expr) -> str:
    """The method that a callback calls of its argument: `methodcaller("finish")`; empty for another callback."""
    match callback:
        case ast.Call(func=func, args=[ast.Constant(value=str(name)), *_]) if dotted(func).endswith("methodcaller"):
            return name
        case _:
            return ""


def only_gets(callback: ast.expr) -> bool:
    """Whether a callback only reads attributes or items: `attrgetter("name")`; or is none."""
    if isinstance(callback, ast.Constant):
        return True
    return isinstance(callback, ast.Call) and dotted(callback.func).rpartition(".")[2] in _GETTERS
