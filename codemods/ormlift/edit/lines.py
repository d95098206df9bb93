"""The line of one import: how it is written, and with one name more."""

from __future__ import annotations

import ast
from collections.abc import Sequence

WIDTH = 120  # a from-import is extended up to this many columns, as long as most projects allow


def import_line(node: ast.Import | ast.ImportFrom, names: Sequence[ast.alias]) -> str:
    """The import as one line, of the names that are given."""
    listed = ", ".join(f"{a.name} as {a.asname}" if a.asname else a.name for a in names)
    if isinstance(node, ast.Import):
        return f"import {listed}"
    return f"from {'.' * node.level}{node.module or ''} import {listed}"


def is_plain(node: ast.ImportFrom, line: str) -> bool:
    """Whether an import is all of its line, without a comment, brackets or a star."""
    return node.lineno == node.end_lineno and not set("#;\\(*") & set(line) and not line[: node.col_offset].strip()


def with_name(names: Sequence[ast.alias], name: str) -> list[ast.alias]:
    """The names of an import and one more."""
    for order in (str, str.lower):
        if len(names) > 1 and [order(a.name) for a in names] == sorted(order(a.name) for a in names):
            return sorted([*names, ast.alias(name)], key=lambda a: order(a.name))
    return [*names, ast.alias(name)]
