"""What the parts of `async-session` share: its id, the methods of an AsyncSession, and how a repair is told."""

from __future__ import annotations

import ast

from ormlift.model import Effect, Fault, ImportNeed, Op, Reason, Refusal, Rewrite
from ormlift.syntax import FunctionNode, Module


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


ID = "async-session"
AWAITED = _words(
    "execute scalar scalars commit rollback flush refresh get get_one close delete merge stream stream_scalars "
    "connection run_sync invalidate aclose reset"
)
AT_ONCE = _words("add add_all expunge expunge_all expire expire_all get_bind is_modified in_transaction")
USED = AWAITED | AT_ONCE | {"query", "begin", "begin_nested"}
RESULTS = _words(
    "scalar scalars scalar_one scalar_one_or_none first one one_or_none all fetchall fetchone fetchmany mappings "
    "unique partitions keys tuples columns"
)


def coroutine_around(module: Module, node: ast.AST) -> str:
    """Why nothing can be awaited where `node` stands; empty where it can."""
    for parent in module.ancestors(node):
        if isinstance(parent, ast.AsyncFunctionDef):
            return ""
        if isinstance(parent, ast.Lambda):
            return "a lambda can't await"
        if isinstance(parent, FunctionNode):
            return f"{parent.name}() is no coroutine, and can't await"
        if isinstance(parent, ast.ClassDef):
            break
    return "nothing can be awaited at the level of a module or class"


def repaired(
    line: int,
    end: int,
    ops: tuple[Op, ...],
    fault: Fault,
    raised: str,
    *,
    imports: tuple[ImportNeed, ...] = (),
    effects: tuple[Effect, ...] = (),
) -> Rewrite:
    """A rewrite of what failed each time that it ran."""
    now = Effect("now-runs", line, f"line {line} {raised}, and now runs with what follows it")
    return Rewrite(ID, line, end, ops, imports, effects=(now, *effects), fault=fault)


def refused(line: int, end: int, reason: Reason, fault: Fault) -> Refusal:
    """A fault that is told and stays."""
    return Refusal(ID, line, end, reason, fault)
