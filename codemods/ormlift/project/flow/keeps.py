"""Instances that outlive a block: returned, stored, or read after it. A commit at exit expires them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ormlift.model import Effect
from ormlift.project.flow.block import Block
from ormlift.project.flow.values import ENTITY, KEPT, Kind, Values, element, parameters
from ormlift.project.flow.walk import Exit, Outs, State
from ormlift.schema import Scope, Tri
from ormlift.syntax import FunctionNode, walk_scope

_TAKES = frozenset({"append", "add", "extend", "insert", "update", "put", "setdefault", "set"})
_TAKES |= {"appendleft", "extendleft", "put_nowait", "push"}
_TAKES_ALL = frozenset({"extend", "extendleft", "update"})


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
    for line, what in _stored(block, values):
        text = f"line {line} stores what may be an instance in {what}: {expires} DetachedInstanceError"
        yield Effect("expires-instances", line, text)


def commits_inside(block: Block, values: Values) -> bool:
    """Whether the block commits by itself."""
    nodes = (n for statement in block.body for n in ast.walk(statement))
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
    rebound: set[str] = set()
    nodes = [n for n in walk_scope(block.function) if isinstance(n, ast.Name) and not block.covers(n)]
    again = [n for n in nodes if n.lineno < block.line and any(a <= n.lineno <= b for a, b in loops)]
    for run in ([n for n in nodes if n.lineno > block.end_line], again):
        rebound.clear()
        for node in sorted(run, key=lambda n: (n.lineno, not _is_load(n), n.col_offset)):
            if not _is_load(node):
                rebound.add(node.id)
            elif node.id in told or node.id in rebound or not values.names.get(node.id, 0):
                continue
            elif values.names[node.id] & KEPT and not _only_tested(block, node, values):
                told.add(node.id)
                yield node.id, node.lineno


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


def _stored(block: Block, values: Values) -> Iterator[tuple[int, str]]:
    """Assignments of instances to what lives on: attributes, and containers that are not the function's own."""
    nodes = list(walk_scope(block.function))
    grown = {id(n.target) for n in nodes if isinstance(n, ast.AugAssign)}
    names = [n for n in nodes if isinstance(n, ast.Name) and id(n) not in grown]
    local = {n.id for n in names if isinstance(n.ctx, ast.Store)}
    given = set(parameters(block.function)) if isinstance(block.function, FunctionNode) else set()
    for statement in block.body:
        for node in ast.walk(statement):
            for line, target, kind in _assigned(node, values):
                if kind & KEPT and _outlives(target, values, local):
                    yield line, ast.unparse(target)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _TAKES:
                taken = KEPT | Kind.QUERY if node.func.attr in _TAKES_ALL else KEPT
                full = any(values.kind(a) & taken for a in (*node.args, *(k.value for k in node.keywords)))
                if full and _outlives(node.func, values, local):
                    yield node.lineno, ast.unparse(node.func.value)
            elif isinstance(node, ast.Call) and (taker := _mapped(node, values, local)) is not None:
                yield node.lineno, ast.unparse(taker)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and _handed_over(node, values, given):
                yield node.lineno, f"what {node.func.id}() makes of it"


def _assigned(node: ast.AST, values: Values) -> Iterator[tuple[int, ast.expr, Kind]]:
    """The attributes, subscripts and grown names that a node assigns to, and what."""
    match node:
        case ast.Assign(targets=targets, value=value):
            pairs = [(t, values.kind(value)) for t in targets]
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            pairs = [(target, values.kind(value))]
        case ast.AugAssign(target=target, value=value):
            yield node.lineno, target, _filling(values.kind(value))
            return
        case (
            ast.For(target=target, iter=source)
            | ast.AsyncFor(target=target, iter=source)
            | ast.comprehension(target=target, iter=source)
        ):
            pairs = [(target, element(values.kind(source)))]
        case ast.withitem(context_expr=value, optional_vars=ast.expr() as target):
            pairs = [(target, values.kind(value))]
        case _:
            return
    for target, kind in pairs:
        yield from _places(target, kind)


def _places(target: ast.expr, kind: Kind) -> Iterator[tuple[int, ast.expr, Kind]]:
    match target:
        case ast.Attribute():
            yield target.lineno, target, kind
        case ast.Subscript(slice=index):
            yield target.lineno, target, _filling(kind) if isinstance(index, ast.Slice) else kind
        case ast.Tuple(elts=elts) | ast.List(elts=elts):
            for inner in elts:
                yield from _places(inner, element(kind))
        case ast.Starred(value=inner):
            yield from _places(inner, _filling(kind))
        case _:
            pass


def _filling(kind: Kind) -> Kind:
    """Of what a list takes the elements of: a query is run then."""
    return kind | (Kind.FULL if kind & Kind.QUERY else Kind.PLAIN)


def _mapped(call: ast.Call, values: Values, local: set[str]) -> ast.expr | None:
    """What takes instances in `map(out.append, jobs)`."""
    takes = [a for a in call.args if isinstance(a, ast.Attribute) and a.attr in _TAKES and _outlives(a, values, local)]
    return takes[0].value if takes and any(values.kind(a) & (KEPT | Kind.QUERY) for a in call.args) else None


def _handed_over(call: ast.Call, values: Values, given: set[str]) -> bool:
    """`setattr(x, "job", job)`, or a parameter that is called with an instance."""
    assert isinstance(call.func, ast.Name)
    if call.func.id == "setattr" and len(call.args) == 3:
        return bool(values.kind(call.args[2]) & KEPT) and not values.kind(call.args[0]) & ENTITY
    if call.func.id not in given:
        return False
    appends = (a for a in call.args if isinstance(a, ast.Attribute) and a.attr in _TAKES)
    return any(values.kind(a) & KEPT for a in call.args) or any(True for _ in appends)


def _outlives(target: ast.expr, values: Values, local: set[str]) -> bool:
    base = target
    while isinstance(base, ast.Attribute | ast.Subscript | ast.Call):
        base = base.func if isinstance(base, ast.Call) else base.value
    if not isinstance(base, ast.Name):
        return True
    return base.id not in local and base.id != values.session
