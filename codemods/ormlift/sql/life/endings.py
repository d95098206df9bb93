"""How functions that are handed a connection leave it: whether they commit, or leave something to be committed."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from ormlift.sql.life.executions import OPEN, TRANSACTION, marked_flow
from ormlift.sql.life.flow import Flow
from ormlift.sql.life.model import Does, Ends, Life
from ormlift.sql.life.reached import executes_write
from ormlift.syntax import FunctionNode

_ROUNDS = 60  # each round some function is found to do more, of which there are few kinds


def settle_ends(lives: Sequence[Life], handed: Mapping[FunctionNode, Life]) -> None:
    """Tell each handing over how what it calls leaves the connection, and each life how it finds it."""
    known: dict[FunctionNode, Ends] = {function: Ends() for function in handed}
    for _ in range(_ROUNDS):
        _tell(lives, known)
        new = {function: _ends(life, known[function]) for function, life in handed.items()}
        if not _enter(lives, handed) and new == known:
            return
        known = new


def _tell(lives: Sequence[Life], known: Mapping[FunctionNode, Ends]) -> None:
    for life in lives:
        for use in life.where(Does.HANDS):
            assert use.hands is not None
            use.hands.ends = known[use.hands.function]


def _ends(life: Life, before: Ends) -> Ends:
    """How one function leaves it, if those that it calls do as they are told to; never less than before."""
    state = flow_of(life)
    hands = {u.node: u.hands.ends for u in life.where(Does.HANDS) if u.hands is not None}
    runs = {u.node for u in life.where(Does.EXECUTE, Does.MANY)}
    writes = passes = opens = False
    for _, held in state.exits:
        pending, opened = (_outside(held.get(name, frozenset()), life) for name in (TRANSACTION, OPEN))
        writes |= any(n in runs or (n in hands and hands[n].writes) for n in pending)
        passes |= life.host in pending
        opens |= any(n in runs or n is life.host or (n in hands and hands[n].opens) for n in opened)
    commits = bool(life.where(Does.COMMIT, Does.ROLLBACK, Does.BLOCK)) or any(e.commits for e in hands.values())
    changes = any(executes_write(u.call, life.host) for u in life.where(Does.EXECUTE)) or bool(life.where(Does.MANY))
    changes |= any(e.changes for e in hands.values())
    now = (writes, passes, commits, opens, changes)
    old = (before.writes, before.passes, before.commits, before.opens, before.changes)
    return Ends(*(one or other for one, other in zip(now, old, strict=True)))


def _outside(nodes: frozenset[ast.AST], life: Life) -> set[ast.AST]:
    """Without what stands in a `with conn:`, which commits at its end."""
    blocks = {life.module.statement(use.node) for use in life.where(Does.BLOCK)}
    return {node for node in nodes if not blocks.intersection(life.module.ancestors(node))}


def flow_of(life: Life) -> Flow:
    """What is uncommitted where, as far as the texts of statements tell what reads."""
    reads = {u.node for u in life.where(Does.EXECUTE) if not executes_write(u.call, life.host)}
    assert life.host.body
    return marked_flow(life, life.host.body[-1], reads=reads)


def _enter(lives: Sequence[Life], handed: Mapping[FunctionNode, Life]) -> bool:
    """Tell functions that a transaction may be open when they begin; whether any did not know yet."""
    news = False
    for life in lives:
        uses = life.where(Does.HANDS)
        state = flow_of(life) if uses else None
        ended = {u.node for u in life.where(Does.COMMIT, Does.ROLLBACK)}
        ended |= {u.node for u in uses if u.hands is not None and not u.hands.ends.opens}
        for use in uses:
            assert state is not None
            assert use.hands is not None
            callee = handed[use.hands.function]
            open_ = state.of(use.node, OPEN) - ended
            if open_ and not callee.enters_open:
                callee.enters_open = news = True
    return news
