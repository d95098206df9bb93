"""`executemany`: a loop whose every round is one statement.

A session's own form for many rows takes none at all for an insert of defaults, and knows no update by other columns
than the key; a loop does what the driver did.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence

from ormlift.sql.life.literals import Parameters, only_value
from ormlift.sql.life.model import Does, Life
from ormlift.sql.life.names import free_name
from ormlift.sql.life.pure import acts
from ormlift.syntax import walk_scope

_WHOLE = frozenset(["fetchall", "fetchmany", "all"])  # what gives a list of rows
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
    said = life.module.text(rows)
    named = any(isinstance(key, str) for key in keys)
    counted = "" if named or _lengths(rows, life) == {len(keys)} else f"a row of {said.splitlines()[0]}"
    return Parameters(texts, counted=counted, unseen=counted), f"for {name} in {said}:"


def _lengths(rows: ast.expr, life: Life, depth: int = 2) -> set[int | None]:
    """How long the rows are, as far as the function shows; None among them: it does not."""
    match rows:
        case ast.ListComp(elt=row) | ast.GeneratorExp(elt=row):
            return {_length(row)}
        case ast.List(elts=elts) | ast.Tuple(elts=elts):
            return {_length(row) for row in elts}
        case ast.Name() if depth and not life.flow.captured.get(rows.id):
            values = [only_value(frozenset({d}), life.module) for d in life.flow.of(rows)]
            lengths = {n for v in values for n in ({None} if v is None else _lengths(v, life, depth - 1))}
            return lengths.union(*(_grown(load, life) for load in _loads(rows.id, life)))
        case _:
            return {None}


def _length(row: ast.expr) -> int | None:
    whole = isinstance(row, ast.Tuple | ast.List) and not any(isinstance(e, ast.Starred) for e in row.elts)
    return len(row.elts) if whole and isinstance(row, ast.Tuple | ast.List) else None


def _loads(name: str, life: Life) -> list[ast.Name]:
    names = (n for n in walk_scope(life.host) if isinstance(n, ast.Name))
    return [n for n in names if n.id == name and isinstance(n.ctx, ast.Load)]


def _grown(load: ast.Name, life: Life) -> set[int | None]:
    """The lengths of what a use of the list may put into it."""
    parent = life.module.parents[load]
    match parent:
        case ast.Attribute(attr="append"):
            call = life.module.parents[parent]
            return {_length(call.args[0])} if isinstance(call, ast.Call) and len(call.args) == 1 else {None}
        case ast.If() | ast.UnaryOp(op=ast.Not()) | ast.Call(func=ast.Name(id="len")):
            return set()
        case ast.Call(func=ast.Attribute(attr="executemany" | "execute_values" | "execute_batch")):
            return set()
        case ast.Call(func=ast.Name(id="execute_values" | "execute_batch")):
            return set()
        case _:
            return {None}


def _comprehended(rows: ast.expr, life: Life) -> tuple[Parameters, str] | None:
    """`[(x.a, x.b) for x in items]` is the loop already, if its variable means nothing else in the function.

    A list is made before its first row is executed: where an error midway may be followed by a commit, it stays one.
    """
    if not isinstance(rows, ast.ListComp | ast.GeneratorExp) or len(rows.generators) != 1:
        return None
    if isinstance(rows, ast.ListComp) and _is_caught(rows, life):
        return None
    (generator,) = rows.generators
    if isinstance(rows, ast.ListComp) and _is_read_on(generator.iter, life):
        return None
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


def _is_read_on(node: ast.expr, life: Life) -> bool:
    """Whether rows may still be read from a database while a loop over them writes; a list has them all before."""
    value = only_value(life.flow.of(node), life.module) if isinstance(node, ast.Name) else node
    call = value.value if isinstance(value, ast.Await) else value
    if not isinstance(call, ast.Call) or not acts(call):
        return False
    return not (isinstance(call.func, ast.Attribute) and call.func.attr in _WHOLE)


def _is_caught(node: ast.expr, life: Life) -> bool:
    """Whether the session may go on after an error in `node`."""
    own = {use.node for use in life.where(Does.BLOCK, Does.CURSOR_BLOCK)}
    inner: ast.AST = node
    for around in life.module.ancestors(node):
        if around is life.host or around is life.origin:
            return False
        match around:
            case ast.Try() if inner in around.body:
                after = [*around.handlers, *around.finalbody]
                commits = any(s in life.module.ancestors(u.node) for u in life.where(Does.COMMIT) for s in after)
                ends = all(h.body and isinstance(h.body[-1], ast.Raise) for h in around.handlers)
                if commits or not ends:
                    return True
            case ast.With() | ast.AsyncWith() if any(i.context_expr not in own for i in around.items):
                return True
            case _:
                pass
        inner = around
    return False
