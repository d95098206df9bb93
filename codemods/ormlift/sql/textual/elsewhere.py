"""SQL text that is handed to something else than `execute`: `from_statement`, pandas, a helper, a list."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ormlift.project.escape.choice import bound_in
from ormlift.project.index import ProjectIndex
from ormlift.sql.spoken import speaks_sql
from ormlift.sql.textual.clause import is_text
from ormlift.sql.textual.find import Textual
from ormlift.syntax import FunctionNode, Module, dotted

READS = frozenset(["read_sql", "read_sql_query"])
_PANDAS = frozenset(f"pandas.{name}" for name in READS)
_REFINES = frozenset(["bindparams", "columns", "execution_options", "params", "subquery", "alias"])


@dataclass(frozen=True)
class Elsewhere:
    """One text of a statement that no execution was found of."""

    line: int
    end_line: int
    code: str  # text-elsewhere | read-by-pandas
    goes: str  # where it goes, in words
    call: ast.Call  # what is handed the text, or makes it


def find_elsewhere(module: Module, index: ProjectIndex, found: Iterable[Textual]) -> Iterator[Elsewhere]:
    """Every such text of the file, in source order; `found` are the executions, which are sites of their own."""
    used, names = _used(found)
    for call in module.calls:
        if call in used:
            continue
        given = [*call.args[:1], *(k.value for k in call.keywords if k.arg == "sql")]
        if reads_frame(call, module) and given and _is_sql(given[0], module):
            used |= set(ast.walk(call))
            names |= {n.id for n in ast.walk(given[0]) if isinstance(n, ast.Name)}
            yield Elsewhere(call.lineno, call.end_lineno or call.lineno, "read-by-pandas", "", call)
    for call in module.calls:
        if call in used or not is_text(call, module) or not speaks_sql(call.args[0], module):
            continue
        goes = _goes(call, module, names, index)
        if goes:
            yield Elsewhere(call.lineno, call.end_lineno or call.lineno, "text-elsewhere", goes, call)


def reads_frame(call: ast.Call, module: Module) -> bool:
    """Whether a call is of pandas' functions that read SQL."""
    root, _, rest = dotted(call.func).partition(".")
    target = module.imports.get(root, "")
    if (f"{target}.{rest}" if rest else target) not in _PANDAS:
        return False
    return not any(
        isinstance(a, FunctionNode) and root in bound_in(a) - set(module.local_imports(a))
        for a in module.ancestors(call)
    )


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
        names |= {dotted(n).rpartition(".")[2] for n in ast.walk(site.call) if isinstance(n, ast.Name | ast.Attribute)}
    return used, names


def _is_read(name: str, module: Module, index: ProjectIndex) -> bool:
    """Whether the file reads a name or an attribute, or another file takes it from here."""
    read = any(n.id == name and isinstance(n.ctx, ast.Load) for n in module.nodes(ast.Name))
    read = read or any(n.attr == name and isinstance(n.ctx, ast.Load) for n in module.nodes(ast.Attribute))
    return read or index.imports.imported_from(module.source.path, name)


def _goes(call: ast.Call, module: Module, names: set[str], index: ProjectIndex) -> str:
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
                bound = {dotted(n).rpartition(".")[2] for n in ast.walk(target)} - {""}
                if bound & names or not any(_is_read(name, module, index) for name in bound):
                    return ""  # a variable that takes it to an execution, or that nothing reads any more
                return f"is kept in {module.text(target)}, and what executes it is not seen"
            case ast.Return():
                return "is returned, and what executes it is not seen"
            case ast.stmt():
                return "goes where it cannot be followed"
            case _:
                pass
        inner = around
    return ""
