"""Listeners that a scope's own commit or rollback sets off, where the block ended its session by closing it alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ormlift.model import Effect
from ormlift.project.flow.block import Block
from ormlift.project.flow.knowledge import Knowledge
from ormlift.project.flow.walk import Exit, Outs
from ormlift.schema import Scope, SessionSource, Tri

_COMMITS = frozenset({"before_commit", "after_commit"})
_ROLLBACKS = frozenset({"after_rollback", "after_soft_rollback"})


def heard_effects(
    block: Block,
    scope: Scope,
    words: str,
    source: SessionSource,
    knowledge: Knowledge,
    outs: Outs,
    ways: Iterable[Exit],
) -> Iterator[Effect]:
    """The effect of a commit or rollback more, which listeners hear, or a session class does more at."""
    factories = {scope.factory, source.factory, ""}
    events = frozenset(e for f in factories for e in knowledge.listeners.get(f, ()))
    custom = any(name == "class_" for name, _ in (*scope.options, *source.options))
    own = knowledge.overridden.get("Session", frozenset()) if custom else frozenset[str]()
    found = (
        (scope.commits, events & _COMMITS or own & {"commit"}, not _commits_last(block, ways), "commits"),
        (scope.rolls_back, events & _ROLLBACKS or own & {"rollback"}, bool(outs.raising), "rolls back after an error"),
    )
    for does, heard, more, how in found:
        if does is not Tri.NO and heard and more:
            text = (
                f"{words} {how} where the block did not by itself, and what the project has for {min(heard)} then runs"
            )
            yield Effect("runs-listeners", block.line, text)


def _commits_last(block: Block, ways: Iterable[Exit]) -> bool:
    """Whether every way out ends behind a commit of the block that the scope's stands in for."""
    if not block.body:
        return False
    last = block.body[-1]
    ends = range(last.lineno, (last.end_lineno or last.lineno) + 1)
    return all(not way.line and all(point.ended in ends for point in way.state) for way in ways)
