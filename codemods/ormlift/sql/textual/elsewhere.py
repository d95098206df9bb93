"""SQL text that is handed to something else than `execute`: `from_statement`, pandas, a helper, a list."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ormlift.sql.spoken import speaks_sql
from ormlift.sql.textual.clause import is_text
from ormlift.sql.textual.find import Textual
from ormlift.syntax import Module, dotted

READS = frozenset(["read_sql", "read_sql_query"])
_REFINES = frozenset(["bindparams", "columns", "execution_options", "params", "subquery", "alias"])


@dataclass(frozen=True)
class Elsewhere:
    """One text of a statement that no execution was found of."""

    line: int
    end_line: int
    code: str  # text-elsewhere | read-by-pandas
    goes: str  # where it goes, in words


def find_elsewhere(module: Module, found: Iterable[Textual]) -> Iterator[Elsewhere]:
    """Every such text of the file, in source order; `found` are the executions, which are sites of their own."""
    used, names = _used(found)
    for call in module.calls:
        if call in used:
            continue
        if reads_frame(call, module) and call.args and _is_sql(call.args[0], module):
            used |= set(ast.walk(call))
            names |= {n.id for n in ast.walk(call.args[0]) if isinstance(n, ast.Name)}
            yield Elsewhere(call.lineno, call.end_lineno or call.lineno, "read-by-pandas", "")
    for call in module.calls:
        if call in used or not is_text(call, module) or not speaks_sql(call.args[0], module):
            continue
        goes = _goes(call, module, names)
        if goes:
            yield Elsewhere(call.lineno, call.end_lineno or call.lineno, "text-elsewhere", goes)


def reads_frame(call: ast.Call, module: Module) -> bool:
    """Whether a call is of pandas' functions that read SQL."""
    root, _, rest = dotted(call.func).partition(".")
    target = module.imports.get(root, "")
    return (f"{target}.{rest}" if rest else target) in {f"pandas.{name}" for name in READS}


def _is_sql(node: ast.expr, module: Module) -> bool:
    """Whether an expression is a statement's text, in a text() or not, or may be one that is put together."""
    if isinstance(node, ast.Call) and is_text(node, module):
        return True
    if isinstance(node, ast.Name):
        return speaks_sql(node, module) or "sql" in node.id.lower() or "query" in node.id.lower()
    return speaks_sql(node, module)


def _used(found: Iterable[Textual]) -> tuple[set[ast.AST], set[str]]:
    """What belongs to the executions, and the variables that they are handed."""
    used: set[ast.AST] = set()
    names: set[str] = set()
    for site in found:
        used |= set(ast.walk(site.call))
        used |= {n for value in (site.clause.node, *(w.value for w in site.clause.ways)) for n in ast.walk(value)}
        used |= {n for v in site.clause.variables for n in ast.walk(site.module.statement(v))}
        names |= {n.id for n in ast.walk(site.call) if isinstance(n, ast.Name)}
    return used, names


def _goes(call: ast.Call, module: Module, names: set[str]) -> str:
    """Where a text goes, in words; empty where a variable takes it to an execution that is a site."""
    inner: ast.AST = call
    for around in module.ancestors(call):
        match around:
            case ast.Attribute(attr=attr) if attr in _REFINES:
                pass
            case ast.Call(func=func) if func is inner:
                pass
            case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)):
                return f"is handed to {name}()"
            case ast.Assign(targets=[target, *_]) | ast.AnnAssign(target=target):
                bound = {n.id for n in ast.walk(target) if isinstance(n, ast.Name)}
                return "" if bound & names else f"is kept in {module.text(target)}, and what executes it is not seen"
            case ast.Return():
                return "is returned, and what executes it is not seen"
            case ast.stmt():
                return "goes where it cannot be followed"
            case _:
                pass
        inner = around
    return ""
