"""Context managers that may keep an error to themselves: what stands in their block may have run in part."""

from __future__ import annotations

import ast

from ormlift.syntax import FunctionNode, Module, dotted

_NAMED = ("suppress", "raises", "exitstack", "ignore", "swallow", "quiet")


def may_swallow(statement: ast.With | ast.AsyncWith, module: Module) -> bool:
    """Whether one of a with's managers is known to keep errors back, or is one of the file that does."""
    return any(_swallows(item.context_expr, module) for item in statement.items)


def _swallows(manager: ast.expr, module: Module) -> bool:
    name = dotted(manager.func if isinstance(manager, ast.Call) else manager).rpartition(".")[2]
    if any(said in name.lower() for said in _NAMED):
        return True
    return any(_keeps_back(d) for d in module.definitions if d.name == name)


def _keeps_back(definition: FunctionNode | ast.ClassDef) -> bool:
    """A class whose `__exit__` may return True, a generator that catches what its yield raises."""
    if isinstance(definition, ast.ClassDef):
        exits = [m for m in definition.body if isinstance(m, FunctionNode) and m.name in ("__exit__", "__aexit__")]
        returned = [n.value for m in exits for n in ast.walk(m) if isinstance(n, ast.Return) and n.value is not None]
        return any(not isinstance(v, ast.Constant) or bool(v.value) for v in returned)
    tries = [n for n in ast.walk(definition) if isinstance(n, ast.Try) and n.handlers]
    around = [t for t in tries if any(isinstance(n, ast.Yield) for s in t.body for n in ast.walk(s))]
    return any(not _raises(handler) for one in around for handler in one.handlers)


def _raises(handler: ast.ExceptHandler) -> bool:
    return bool(handler.body) and isinstance(handler.body[-1], ast.Raise)
