"""Where the session's block begins and ends, and which statements of the connection go."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ormlift.sql.life.model import Does, How, Life, Use
from ormlift.sql.life.refuse import Refused
from ormlift.sql.life.uses import binds_by_with
from ormlift.syntax import Module, walk_scope

_GONE = (Does.CURSOR, Does.CLOSE, Does.SETTING)
_SIMPLE = (Does.CLOSE, Does.COMMIT, Does.ROLLBACK, Does.SETTING)


@dataclass
class Region:
    """The siblings that become the body of the session's `with`, and what leaves."""

    first: ast.stmt
    last: ast.stmt
    removed: set[ast.stmt] = field(default_factory=set)
    flattened: dict[ast.stmt, tuple[Use, ...]] = field(default_factory=dict)  # `if conn: conn.rollback()` -> its uses
    finals: set[ast.Try] = field(default_factory=set)  # their `finally` goes whole

    @property
    def lines(self) -> tuple[int, int]:
        """First and last line."""
        return self.first.lineno, self.last.end_lineno or self.last.lineno

    def holds(self, node: ast.AST) -> bool:
        """Whether a node stands inside, by its line."""
        first, last = self.lines
        return first <= getattr(node, "lineno", 0) <= last


def region_of(life: Life) -> Region:
    """The region of a life. Raises Refused where its uses can't be put in one block."""
    module = life.module
    if binds_by_with(life):
        region = Region(life.origin, life.origin)
        _check_inside(life, region)
    elif life.how is How.KEPT:
        region = _kept_region(life)
    elif life.how is How.HANDED:
        region = Region(life.host.body[0], life.host.body[-1])
    else:
        anchor, suite, last = _cover(life)
        region = Region(anchor, suite[last])
        region.removed.add(life.origin)
        region.removed |= set(life.inits)
    for use in life.uses:
        if use.does in _GONE and not _is_with_item(use, module) and not _is_chained(use, module):
            region.removed.add(_whole_statement(use, module))
    _check_deleted(life)
    _settle_tests(life, region)
    _settle_finals(life, region)
    return region


def _is_with_item(use: Use, module: Module) -> bool:
    return isinstance(module.parents[use.node], ast.withitem)


def _is_chained(use: Use, module: Module) -> bool:
    """`conn.cursor().execute(..)`: the cursor goes with the execute."""
    return use.does is Does.CURSOR and isinstance(module.parents[use.node], ast.Attribute)


def _whole_statement(use: Use, module: Module) -> ast.stmt:
    """The statement that does nothing but this use. Raises Refused where there is more to it."""
    statement = module.statement(use.node)
    match statement:
        case ast.Expr(value=ast.BoolOp(values=[*_, last])) if last is use.node:
            return statement
        case ast.Expr(value=value) | ast.Assign(value=value) | ast.AnnAssign(value=value) if value is use.node:
            return statement
        case ast.Assign(targets=[target]) if target is use.node:
            return statement
        case _:
            message = f"line {use.line} does more than to {use.does.value} it; give that a statement of its own"
            raise Refused("unclear-connection", message)


def _check_deleted(life: Life) -> None:
    if life.how is How.KEPT:
        return
    names = {life.name, *life.cursors, *(parameter.arg for parameter in life.parameters)}
    for node in walk_scope(life.host):
        if isinstance(node, ast.Global | ast.Nonlocal) and names & set(node.names):
            message = (
                f"{life.name} or a cursor of it is global here, and may be used elsewhere; keep it in the function"
            )
            raise Refused("connection-escapes", message)
        if isinstance(node, ast.Delete) and any(isinstance(t, ast.Name) and t.id in names for t in node.targets):
            message = f"line {node.lineno} deletes {life.name} or a cursor of it; close it instead"
            raise Refused("unclear-connection", message)


def _check_inside(life: Life, region: Region) -> None:
    assert isinstance(life.origin, ast.With | ast.AsyncWith)
    for use in life.uses:
        if life.origin not in life.module.ancestors(use.node):
            code = "used-after-block"
            message = f"{life.name} is used on line {use.line}, behind its with block; move the use into the block"
            raise Refused(code, message)
        if use.node in [item.context_expr for item in life.origin.items]:
            continue
    _ = region


def _cover(life: Life) -> tuple[ast.stmt, list[ast.stmt], int]:
    """The statement that the block begins with, its suite, and the index of the last one that uses the connection."""
    module = life.module
    anchor = life.origin
    while True:
        suite = module.suite(anchor)
        start = suite.index(anchor)
        places = [_place(use.node, suite, module) for use in life.uses]
        if all(place is not None and place >= start for place in places):
            last = max([start, *(p for p in places if p is not None)])
            if isinstance(anchor, ast.Try) and anchor is not life.origin and anchor.handlers and last > start:
                message = (
                    f"the connection is opened on line {life.line} in a try of its own, whose handlers a session that "
                    "connects later would pass by; open and use it in one try"
                )
                raise Refused("unclear-connection", message)
            return anchor, suite, last
        parent = module.parents[anchor]
        if not isinstance(parent, ast.Try | ast.With) or anchor not in parent.body:
            line = next(u.line for u, p in zip(life.uses, places, strict=True) if p is None or p < start)
            message = (
                f"{life.name} is bound on line {life.line}, and line {line} uses it where it may not have been "
                "bound; bind it before, in the same suite"
            )
            raise Refused("unclear-connection", message)
        anchor = parent


def _kept_region(life: Life) -> Region:
    """The siblings of the deepest suite that holds all uses; what is only closed or asked does not count."""
    anchor = life.origin
    while True:
        suite = life.module.suite(anchor)
        places = [_place(use.node, suite, life.module) for use in life.uses]
        known = [place for place in places if place is not None]
        if len(known) == len(places):
            return Region(suite[min(known)], suite[max(known)])
        anchor = _around(anchor, life.module)


def _around(statement: ast.stmt, module: Module) -> ast.stmt:
    """The statement around one."""
    return next(a for a in module.ancestors(statement) if isinstance(a, ast.stmt))


def _place(node: ast.AST, suite: Sequence[ast.stmt], module: Module) -> int | None:
    """The index of the sibling that holds `node`."""
    around = [node, *module.ancestors(node)]
    return next((i for i, statement in enumerate(suite) if any(a is statement for a in around)), None)


def _settle_tests(life: Life, region: Region) -> None:
    """`if conn: conn.close()` goes, `if conn: conn.rollback()` loses its if; other tests stay, on the session."""
    for use in life.where(Does.TEST):
        statement = life.module.statement(use.node)
        if _stays_asked(statement, use, life):
            continue  # it becomes `session.is_active`
        if not isinstance(statement, ast.If) or statement.orelse or not _is_whole_test(statement.test, life):
            if isinstance(use.node, ast.Call):
                message = f"line {use.line} asks whether the connection is open; remove the question"
                raise Refused("unclear-connection", message)
            if use.cursor:
                message = f"line {use.line} asks whether there is a cursor; remove the question"
                raise Refused("unclear-connection", message)
            continue
        inner = list(_simple_uses(statement.body, life))
        if not all(_is_simple(s, life) for s in statement.body):
            if use.cursor or life.inits:
                message = f"line {use.line} asks whether there is a connection; remove the question"
                raise Refused("unclear-connection", message)
            continue
        kept = tuple(u for u in inner if u.does in (Does.COMMIT, Does.ROLLBACK))
        if kept:
            region.flattened[statement] = kept
        else:
            region.removed.add(statement)


def _stays_asked(statement: ast.stmt, use: Use, life: Life) -> bool:
    """Whether `if conn.is_connected():` stands before more than what closes."""
    if not isinstance(statement, ast.If) or statement.test is not use.node or not isinstance(use.node, ast.Call):
        return False
    return not life.inits and not all(_is_simple(s, life) for s in statement.body)


def _is_whole_test(test: ast.expr, life: Life) -> bool:
    """`if conn`, `if conn is not None`, `if conn.is_connected()`, `if conn and conn.is_connected()`."""
    match test:
        case ast.BoolOp(op=ast.And(), values=values):
            return all(_is_whole_test(value, life) for value in values)
        case ast.Compare(left=left, ops=[ast.IsNot() | ast.NotEq()]):
            return _is_whole_test(left, life)
        case _:
            return any(test is use.node for use in life.where(Does.TEST))


def _is_simple(statement: ast.stmt, life: Life) -> bool:
    """Whether a statement does no more than to close, commit, roll back or set something, also where that is asked."""
    if isinstance(statement, ast.If) and not statement.orelse and _is_whole_test(statement.test, life):
        ends = all(use.does is Does.CLOSE for use in _simple_uses(statement.body, life))
        return ends and all(_is_simple(s, life) for s in statement.body)
    return any(_is_of(statement, use) for use in life.where(*_SIMPLE))


def _simple_uses(body: Sequence[ast.stmt], life: Life) -> Iterator[Use]:
    """The uses that are statements of their own, also behind a question whether there is what they close."""
    for statement in body:
        if isinstance(statement, ast.If):
            yield from _simple_uses(statement.body, life)
        yield from (use for use in life.where(*_SIMPLE) if _is_of(statement, use))


def _is_of(statement: ast.stmt, use: Use) -> bool:
    called = isinstance(statement, ast.Expr) and statement.value is use.node
    return called or (isinstance(statement, ast.Assign) and statement.targets == [use.node])


def _settle_finals(life: Life, region: Region) -> None:
    """A `finally` of which nothing is left goes."""
    for node in {a for use in life.uses for a in life.module.ancestors(use.node)}:
        if isinstance(node, ast.Try) and node.finalbody and all(_goes(s, region) for s in node.finalbody):
            region.finals.add(node)
            for statement in node.finalbody:
                region.removed.discard(statement)


def _goes(statement: ast.stmt, region: Region) -> bool:
    return statement in region.removed


def inside(node: ast.AST, statements: set[ast.stmt], module: Module) -> bool:
    """Whether `node` stands in one of `statements`."""
    return any(around in statements for around in (node, *module.ancestors(node)))
