"""Loops over a dict that fill lists with its keys and values, and do nothing else: the dict stands for the lists."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ormlift.sql.built.evaluate import Evaluator
from ormlift.sql.built.values import KEY, Item, Items, Keyed, Part, Words
from ormlift.sql.life.model import Life


@dataclass(frozen=True)
class _Round:
    """What one round of a loop has in its variables."""

    of: str  # the dict
    key: str  # the variable of the key
    value: str  # and that of the value; empty where there is none
    item: Item


def gathered(loop: ast.stmt, evaluate: Evaluator) -> dict[str, Items] | None:
    """What a loop over a dict leaves in the lists that it fills; None where it is another one."""
    match loop:
        case ast.For(target=target, iter=source, body=body, orelse=[]):
            over = _over(target, source)
        case _:
            return None
    rounds = list(_rounds(*over, evaluate)) if over is not None else []
    fills = [_filled(s) for s in body]
    if not rounds or over is None or _is_read_behind(loop, over, evaluate.life):
        return None
    lists = {name: held.items for name, held in evaluate.state.items() if isinstance(held, Items)}
    for one in rounds:
        for fill in fills:
            item = _made(fill[1], one, loop, evaluate) if fill is not None and fill[0] in lists else None
            if fill is None or item is None:
                return None
            lists[fill[0]] += (item,)
    made = {fill[0]: Items(lists[fill[0]]) for fill in fills if fill is not None}
    return made if not any(_is_tested(name, evaluate.life) for name in made) else None


def _is_tested(name: str, life: Life) -> bool:
    """Whether a list is asked whether it is empty: then it is needed."""
    for node in ast.walk(life.host):
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load):
            parent = life.module.parents[node]
            if isinstance(parent, ast.Call) and node in parent.args and isinstance(parent.func, ast.Name):
                parent = life.module.parents[parent] if parent.func.id == "len" else parent
            if isinstance(parent, ast.If | ast.IfExp | ast.UnaryOp | ast.BoolOp | ast.Compare):
                return True
    return False


def _over(target: ast.expr, source: ast.expr) -> tuple[str, str, str] | None:
    """The dict, and the variables of its key and value."""
    match target, source:
        case (
            ast.Tuple(elts=[ast.Name(id=key), ast.Name(id=value)]),
            ast.Call(func=ast.Attribute(value=ast.Name(id=of), attr="items"), args=[], keywords=[]),
        ):
            return of, key, value
        case ast.Name(id=key), ast.Call(func=ast.Attribute(value=ast.Name(id=of), attr="keys"), args=[], keywords=[]):
            return of, key, ""
        case ast.Name(id=key), ast.Name(id=of):
            return of, key, ""
        case _:
            return None


def _rounds(of: str, key: str, value: str, evaluate: Evaluator) -> Iterator[_Round]:
    held = evaluate.state.get(of)
    if isinstance(held, Keyed) and not any(item.open for item in held.items.values()):
        yield from (_Round(of, key, value, item) for item in held.items.values())
    elif held is None and of in evaluate.opens:
        evaluate.used.add(of)
        yield _Round(of, key, value, evaluate.opens[of])


def _is_read_behind(loop: ast.stmt, over: tuple[str, str, str], life: Life) -> bool:
    """Whether a variable of the loop is read outside of it."""
    inside = set(ast.walk(loop))
    bound = {n for n in inside if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    names = (n for n in ast.walk(life.host) if isinstance(n, ast.Name) and n.id in over[1:] and n not in inside)
    return any(isinstance(n.ctx, ast.Load) and life.flow.of(n) & bound for n in names) or any(
        name in life.flow.captured for name in over[1:]
    )


def _filled(statement: ast.stmt) -> tuple[str, ast.expr] | None:
    """The list that a statement appends to, and what."""
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="append"), args=[added])):
            return name, added
        case ast.AugAssign(target=ast.Name(id=name), op=ast.Add(), value=ast.List(elts=[added])):
            return name, added
        case _:
            return None


def _made(node: ast.expr, one: _Round, loop: ast.stmt, evaluate: Evaluator) -> Item | None:
    """What a round adds: the value of its key, or a text that is made of the key."""
    item = one.item
    match node:
        case ast.Name(id=name) if name == one.value:
            is_value = True
        case ast.Subscript(value=ast.Name(id=of), slice=ast.Name(id=key)):
            is_value = (of, key) == (one.of, one.key)
        case _:
            is_value = False
    if is_value:
        plain = Item(node, loop, many=True, open=item.open, home=one.of)
        return plain if item.open else replace(item, home=one.of)
    state = {**evaluate.state, one.key: Words((Part(item.key or KEY),)), one.value: None}
    inner = Evaluator(
        evaluate.life, state, evaluate.decide, evaluate.opens, evaluate.used, evaluate.helpers, evaluate.ask
    )
    text = inner.text(node)
    return replace(item, text=text, home=one.of) if text is not None else None
