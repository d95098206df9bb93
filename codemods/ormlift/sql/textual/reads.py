"""Loops that write while they read: a session has all rows of a SELECT on models before the first is handed out."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ormlift.model import Effect
from ormlift.sql.life.reached import writing_calls
from ormlift.sql.life.statements import Prepared
from ormlift.sql.statement import Fetch, Kind
from ormlift.sql.textual.clause import clause_of
from ormlift.sql.textual.find import Textual
from ormlift.sql.textual.receiver import On

_WRITES = frozenset(["commit", "flush", "rollback", "add", "add_all", "merge", "delete"])


def ahead_effects(site: Textual, prepared: Prepared) -> Iterator[Effect]:
    """An effect for a loop that reads rows one after another and writes on the same session."""
    assert site.receiver is not None
    lazy = prepared.fetch is Fetch.ITERATE and prepared.statement.kind is Kind.SELECT
    if not lazy or site.receiver.on is not On.SESSION or site.receiver.asynchronous:
        return
    names = {t.id for t in _targets(site)}
    for loop in (n for n in ast.walk(site.life.host) if isinstance(n, ast.For | ast.While)):
        head = loop.iter if isinstance(loop, ast.For) else loop
        if not _reads(head, names, site):
            continue
        calls = (n for s in loop.body for n in ast.walk(s) if isinstance(n, ast.Call))
        write = next((n for n in calls if _writes(n, prepared, site)), None)
        if write is None and prepared.statement.dialect == "sqlite":  # the other drivers have all rows at once
            write = next(writing_calls(loop.body, site.module), None)
        if write is not None:
            yield _effect(write, site)
    if prepared.statement.dialect == "sqlite":
        yield from _between(site, prepared)


def _between(site: Textual, prepared: Prepared) -> Iterator[Effect]:
    """Writes that stand between the statement and what is fetched from it."""
    nodes = list(ast.walk(site.life.host))
    targets = _targets(site)
    names = [n for n in nodes if isinstance(n, ast.Name) and n.id in {t.id for t in targets}]
    loads = [n.lineno for n in names if site.life.flow.of(n) & set(targets)]
    for call in (n for n in nodes if isinstance(n, ast.Call)):
        behind = site.line < call.lineno < max(loads, default=0)
        if behind and _executes(call) and _writes(call, prepared, site):
            yield _effect(call, site)


def _executes(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr in ("execute", "flush")


def _effect(write: ast.Call, site: Textual) -> Effect:
    message = f"is run while rows of line {site.line} are still read: all of them are read before now"
    return Effect("reads-ahead", write.lineno, f"{site.module.text(write).splitlines()[0]} {message}")


def _targets(site: Textual) -> list[ast.Name]:
    parent = site.module.parents.get(site.value)
    return [t for t in parent.targets if isinstance(t, ast.Name)] if isinstance(parent, ast.Assign) else []


def _reads(head: ast.AST, names: set[str], site: Textual) -> bool:
    """Whether a loop takes its rows from the result, one by one."""
    calls = {n.func.attr for n in ast.walk(head) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)}
    if isinstance(head, ast.expr) and calls & {"fetchall", "all"}:
        return False
    return any(n is site.call or (isinstance(n, ast.Name) and n.id in names) for n in ast.walk(head))


def _writes(node: ast.Call, prepared: Prepared, site: Textual) -> bool:
    if not isinstance(node.func, ast.Attribute):
        return False
    if site.module.text(node.func.value) != site.module.text(site.node):
        return False
    if node.func.attr in _WRITES:
        return True
    clause = clause_of(node.args[0], site.life) if node.func.attr == "execute" and node.args else None
    if clause is None or clause.sql is None:
        return node.func.attr == "execute"
    text = clause.sql.value.lower()
    named = any(table.lower() in text for _, table in prepared.statement.tables)
    return named and not text.strip().startswith(("select", "with"))
