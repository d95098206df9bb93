"""Instances that outlive a block: returned, stored, or read after it. A commit at exit expires them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ormlift.model import Effect
from ormlift.project.flow.block import Block
from ormlift.project.flow.stored import stored
from ormlift.project.flow.values import KEPT, Kind, Values
from ormlift.project.flow.walk import Exit, Outs, State
from ormlift.schema import Scope, Tri
from ormlift.syntax import FunctionNode, walk_scope

_CONDITIONAL = (ast.For, ast.AsyncFor, ast.While, ast.If)  # what these bind themselves is bound inside them alone
_EXPRESSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.IfExp, ast.BoolOp)


def kept_instances(block: Block, scope: Scope | None, words: str, values: Values, outs: Outs) -> Iterator[Effect]:
    """The effects of expiring what outlives the block."""
    if scope is None:
        return
    yield from _behind_errors(block, scope, words, values, outs)
    by_commit = Tri.NO not in (scope.commits, scope.closes, scope.expire_on_commit)
    if block.session_expires is not True and scope.expire_on_commit is not Tri.NO and commits_inside(block, values):
        by_commit = True  # the block's own commit, which left them as they were, now expires them
    if not by_commit and (scope.expires is Tri.NO or scope.closes is Tri.NO):
        return
    sure = (scope.commits is Tri.YES and scope.expire_on_commit is Tri.YES) or scope.expires is Tri.YES
    how = "commit" if by_commit else "rollback"
    expires = f"{words} {'expires' if sure else 'may expire'} it by its {how}, and reading an attribute then raises"
    for way in outs.returns:
        value = way.node.value if isinstance(way.node, ast.Return) else None
        if _is_fresh(way.state) and value is not None and values.kind(value) & KEPT:
            text = f"line {way.line} returns what may be an instance: {expires} DetachedInstanceError"
            yield Effect("expires-instances", way.line, text)
    staying = [Exit(0, outs.normal), *outs.breaks, *outs.continues]
    if any(_is_fresh(way.state) for way in staying):
        for name, line in _read_after(block, values):
            text = (
                f"line {line} uses {name}, which may hold an instance, after the block: {expires} DetachedInstanceError"
            )
            yield Effect("expires-instances", line, text)
    if any(_is_fresh(way.state) for way in (*staying, *outs.returns)):
        for name, line in _seen_elsewhere(block, values):
            text = f"line {line} lets others see {name}, which may hold an instance, after the block: {expires}"
            yield Effect("expires-instances", line, f"{text} DetachedInstanceError")
    for line, what in stored(block, values):
        text = f"line {line} stores what may be an instance in {what}: {expires} DetachedInstanceError"
        yield Effect("expires-instances", line, text)


def commits_inside(block: Block, values: Values) -> bool:
    """Whether the block commits by itself."""
    nodes = [n for statement in block.body for n in ast.walk(statement)]
    if any(isinstance(n, ast.Call) and values.look.outcome(n, values) is not None for n in nodes):
        return True
    return any(
        isinstance(n, ast.Attribute) and n.attr in ("commit", "begin") and bool(values.kind(n.value) & Kind.SESSION)
        for n in nodes
    )


def _seen_elsewhere(block: Block, values: Values) -> Iterator[tuple[str, int]]:
    """Names that other functions see: read by a nested one, nonlocal, or of the module."""
    live = {name for name, kind in values.names.items() if kind & KEPT and name != values.session}
    for node in ast.walk(block.function):
        nested = isinstance(node, (*FunctionNode.__args__, ast.Lambda)) and node is not block.function
        if nested and not block.covers(node) and (found := _free(node, live)) is not None:
            yield found.id, found.lineno
        elif isinstance(node, ast.Nonlocal | ast.Global) and not nested:
            yield from ((name, node.lineno) for name in node.names if name in live)
    if isinstance(block.function, ast.Module) and not _is_main(block):
        path, imports = block.module.source.path, values.knowledge.imports
        for statement in block.body:
            for node in [statement, *walk_scope(statement)]:
                if isinstance(node, ast.Assign | ast.AnnAssign):
                    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                    names = {t.id for t in targets if isinstance(t, ast.Name)} & live
                    yield from ((name, node.lineno) for name in sorted(names) if imports.may_be_read(path, name))


def _free(node: ast.AST, live: set[str]) -> ast.Name | None:
    """The first of the names that a nested function reads and does not bind."""
    names = [n for n in ast.walk(node) if isinstance(n, ast.Name)]
    bound = {n.id for n in names if not _is_load(n)} | {a.arg for a in ast.walk(node) if isinstance(a, ast.arg)}
    return next((n for n in names if _is_load(n) and n.id in live - bound), None)


def _is_main(block: Block) -> bool:
    """Whether the block stands under `if __name__ == "__main__":`, so that nobody imports its names."""
    return any(
        isinstance(around, ast.If) and "__name__" in ast.unparse(around.test)
        for around in block.module.ancestors(block.body[0])
    )


def _behind_errors(block: Block, scope: Scope, words: str, values: Values, outs: Outs) -> Iterator[Effect]:
    """Instances that are read where an error of the block is caught: the scope's rollback has expired them.

    It does so whatever the session's `expire_on_commit` is.
    """
    does = (scope.rolls_back, scope.commits_on_failure, scope.expires)
    if all(fact is Tri.NO for fact in does) or scope.closes is Tri.NO or not _is_fresh(outs.raising):
        return
    leaving = {raised.line for raised in outs.raised}
    for statement in block.body:
        for node in [statement, *walk_scope(statement)]:
            if isinstance(node, ast.Raise) and node.lineno in leaving and node.exc is not None:
                carried: list[ast.expr] = [node.exc]
                if isinstance(node.exc, ast.Call):
                    carried = [*node.exc.args, *(k.value for k in node.exc.keywords)]
                if any(values.kind(value) & KEPT for value in carried):
                    text = f"line {node.lineno} raises an error that may carry an instance: {words} rolls back, which "
                    text += "expires it, and reading an attribute then raises DetachedInstanceError"
                    yield Effect("expires-instances", node.lineno, text)
    for outer in block.enclosing_tries():
        places: list[ast.stmt] = [*outer.finalbody]
        going_on = False
        for handler in outer.handlers:
            places += handler.body
            going_on = going_on or not isinstance(handler.body[-1], ast.Return | ast.Raise)
        for name, line in _names_read(block, places, outer.end_lineno or 0 if going_on else 0, values):
            if values.names.get(name, 0) and values.names[name] & KEPT:
                text = (
                    f"line {line} uses {name}, which may hold an instance, after an error of the block: {words} rolls "
                    "back, which expires it, and reading an attribute then raises DetachedInstanceError"
                )
                yield Effect("expires-instances", line, text)


def _names_read(block: Block, places: list[ast.stmt], behind: int, values: Values) -> Iterator[tuple[str, int]]:
    """The names read in some statements, and after a line of the function; each once."""
    nodes = [n for place in places for n in [place, *walk_scope(place)]]
    if behind:
        nodes += [n for n in walk_scope(block.function) if getattr(n, "lineno", 0) > behind]
    told: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Name) and node.id not in told and not block.covers(node):
            told.add(node.id)
            if _is_load(node) and not _only_tested(block, node, values):
                yield node.id, node.lineno
            elif _is_load(node):
                told.discard(node.id)


def _is_fresh(state: State) -> bool:
    return any(point.fresh for point in state)


def _read_after(block: Block, values: Values) -> Iterator[tuple[str, int]]:
    """The first use after the block of each name that may hold an instance."""
    told: set[str] = set()
    loops = [(loop.lineno, loop.end_lineno or loop.lineno) for loop in block.enclosing_loops()]
    nodes = [n for n in walk_scope(block.function) if isinstance(n, ast.Name) and not block.covers(n)]
    again = [n for n in nodes if n.lineno < block.line and any(a <= n.lineno <= b for a, b in loops)]
    for run in ([n for n in nodes if n.lineno > block.end_line], again):
        stores = [n for n in run if not _is_load(n)]
        for node in sorted(filter(_is_load, run), key=lambda n: (n.lineno, n.col_offset)):
            if node.id in told or _rebound(block, node, stores) or not values.names.get(node.id, 0):
                continue
            if values.names[node.id] & KEPT and not _only_tested(block, node, values):
                told.add(node.id)
                yield node.id, node.lineno


def _rebound(block: Block, load: ast.Name, stores: list[ast.Name]) -> bool:
    """Whether a name is surely bound anew before it is read: by a statement that stands before in the same suite."""
    around = [load, *block.module.ancestors(load)]
    for store in stores:
        if store.id != load.id:
            continue
        statement = block.module.statement(store)
        own = next((n for n in block.module.ancestors(store) if isinstance(n, _EXPRESSIONS)), None)
        within = own or (statement if isinstance(statement, _CONDITIONAL) else None)
        suite = [within] if within is not None else block.module.suite(statement)
        if within is None and store.lineno >= load.lineno:
            continue
        if any(n is s for n in around for s in suite):
            return True
    return False


def _is_load(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Load)


def _only_tested(block: Block, node: ast.Name, values: Values) -> bool:
    """Whether only the truth, identity or length of a name is asked for, which reads no attribute."""
    parent = block.module.parents[node]
    if values.knowledge.tested and not isinstance(parent, ast.Compare):
        return False  # a class answers by itself, and may read its attributes
    match parent:
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
            return test is node
        case ast.UnaryOp(op=ast.Not()):
            return True
        case ast.Compare(ops=[ast.Is() | ast.IsNot()]):
            return True
        case ast.Call(func=ast.Name(id="len" | "bool")):
            return True
        case _:
            return False
