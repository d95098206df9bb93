"""Puts a column into a mapped class, behind its last one and written as that one is."""

from __future__ import annotations

import ast
import keyword
from collections.abc import Sequence
from dataclasses import replace

from ormlift.ddl.missing import Missing
from ormlift.edit.errors import LayoutError
from ormlift.edit.imports import edit_imports
from ormlift.model import ImportNeed, Source, UserError
from ormlift.project.columns import COLUMN_CALLS, called
from ormlift.source import newline_of, split_lines
from ormlift.syntax import Module, dotted

_PYTHON = {"Integer": "int", "BigInteger": "int", "SmallInteger": "int", "Float": "float", "LargeBinary": "bytes"}


def add_columns(source: Source, missing: Sequence[Missing]) -> Source:
    """The file with the missing columns in its models, each nullable. Raises UserError."""
    for one in sorted(missing, key=lambda m: -m.model.line):
        source = _added(source, one)
    return source


def _added(source: Source, missing: Missing) -> Source:
    module = Module.parse(source)
    model = missing.model
    node = next((n for n in ast.walk(module.tree) if isinstance(n, ast.ClassDef) and n.name == model.name), None)
    columns = [s for s in node.body if called(_value(s), module.imports) in COLUMN_CALLS] if node is not None else []
    if node is None or not columns:
        where = f"{model.path}:{model.line}"
        raise UserError(f"{where}: {model.name} writes no column by itself; add {missing.column} by hand")
    last = columns[-1]
    call = _value(last)
    assert isinstance(call, ast.Call)
    text, needs = _line(missing, dotted(call.func), isinstance(last, ast.AnnAssign), _bound(node), source.text)
    newline = newline_of(source.text)
    lines = split_lines(source.text)
    end = last.end_lineno or last.lineno
    if not lines[end - 1].endswith(("\n", "\r")):
        lines[end - 1] += newline
    lines.insert(end, lines[last.lineno - 1][: last.col_offset] + text + newline)
    try:
        new, _ = edit_imports(lines, [None] * len(lines), needs, [], newline, source.path)
    except LayoutError as error:
        raise UserError(f"{source.path}: {error}; add {missing.column} to {model.name} by hand") from error
    return replace(source, text=new)


def _value(statement: ast.stmt) -> ast.expr | None:
    return statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None


def _bound(node: ast.ClassDef) -> set[str]:
    """The names that the class body gives a meaning."""
    names = {getattr(s, "name", "") for s in node.body}
    names |= {n.id for s in node.body for n in ast.walk(s) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return names | {"metadata", "registry"}


def _line(missing: Missing, maker: str, annotated: bool, bound: set[str], text: str) -> tuple[str, list[ImportNeed]]:
    """The column as a statement, made as its neighbour is, and the imports it needs."""
    prefix = maker.rpartition(".")[0]
    kind = f"{prefix}.{missing.type}" if prefix else missing.type
    bare = missing.type.partition("(")[0]
    needs = [] if prefix else [ImportNeed("sqlalchemy", bare)]
    attr = missing.column
    plain = attr.isidentifier() and not keyword.iskeyword(attr) and attr not in bound
    if not plain:
        attr = "".join(c if c.isalnum() or c == "_" else "_" for c in attr).rstrip("_") + "_"
        attr = f"_{attr}" if attr[0].isdigit() else attr
    arguments = kind if plain else f'"{missing.column}", {kind}'
    python = _PYTHON.get(bare, "str")
    optional = f"Optional[{python}]" if "Optional[" in text else f"{python} | None"
    annotation = f": Mapped[{optional}]" if annotated else ""
    return f"{attr}{annotation} = {maker}({arguments})", needs
