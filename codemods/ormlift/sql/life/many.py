"""`executemany`: a loop whose every round is one statement.

A session's own form for many rows takes none at all for an insert of defaults, and knows no update by other columns
than the key; a loop does what the driver did.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from ormlift.sql.life.literals import Parameters
from ormlift.sql.life.model import Life
from ormlift.sql.life.names import free_name
from ormlift.sql.life.pure import acts
from ormlift.syntax import walk_scope

_NAMES = ("row", "values", "entry", "row_")


def is_many(call: ast.Call) -> bool:
    """Whether a call executes once for each of its rows."""
    return isinstance(call.func, ast.Attribute) and call.func.attr == "executemany" and len(call.args) == 2


def many_parameters(call: ast.Call, keys: Sequence[int | str], life: Life) -> tuple[Parameters, str]:
    """The parameters of each round, and the head of the loop."""
    rows = call.args[1]
    unrolled = _comprehended(rows, life)
    if unrolled is not None:
        return unrolled
    name = free_name(_NAMES, life)
    texts = {key: f'{name}["{key}"]' if isinstance(key, str) else f"{name}[{key}]" for key in keys}
    return Parameters(texts), f"for {name} in {life.module.text(rows)}:"


def _comprehended(rows: ast.expr, life: Life) -> tuple[Parameters, str] | None:
    """`[(x.a, x.b) for x in items]` is the loop already, if its variable means nothing else in the function."""
    if not isinstance(rows, ast.ListComp | ast.GeneratorExp) or len(rows.generators) != 1:
        return None
    (generator,) = rows.generators
    names = {n.id for n in ast.walk(generator.target) if isinstance(n, ast.Name)}
    inside = set(ast.walk(rows))
    elsewhere = {n.id for n in walk_scope(life.host) if isinstance(n, ast.Name) and n not in inside}
    if generator.ifs or generator.is_async or names & elsewhere or acts(rows.elt):
        return None
    nodes: dict[int | str, ast.expr]
    match rows.elt:
        case ast.Tuple(elts=elts) | ast.List(elts=elts) if not any(isinstance(e, ast.Starred) for e in elts):
            nodes = dict(enumerate(elts))
        case ast.Dict(keys=keys, values=values):
            known = [k.value for k in keys if isinstance(k, ast.Constant) and isinstance(k.value, str)]
            if len(known) != len(keys):
                return None
            nodes = dict(zip(known, values, strict=True))
        case _:
            return None
    module = life.module
    head = f"for {module.text(generator.target)} in {module.text(generator.iter)}:"
    return Parameters({key: module.text(node) for key, node in nodes.items()}, nodes), head
