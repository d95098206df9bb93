"""The effects of a rewrite: what is told of its statements, of what they leave uncommitted, and of the connection."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ormlift.model import Effect, Settings
from ormlift.project.index import ProjectIndex
from ormlift.schema import SourceKind, Tri
from ormlift.sql.life.asked import asked_effects
from ormlift.sql.life.assumed import assumed_effects
from ormlift.sql.life.batches import batch_effects
from ormlift.sql.life.bridge import bridge_effects
from ormlift.sql.life.commits import autocommits, commit_effects, handed_writes
from ormlift.sql.life.counted import counted_effects
from ormlift.sql.life.flow import Flow
from ormlift.sql.life.loose import bound_effect
from ormlift.sql.life.manager import failure_effects
from ormlift.sql.life.model import Does, How, Life
from ormlift.sql.life.nested import nested_effects
from ormlift.sql.life.opening import Opening, database_effects
from ormlift.sql.life.order import ahead_effects, caught_writes, order_effects
from ormlift.sql.life.outside import constant_effects, kept_effects, opener_patches
from ormlift.sql.life.plain import plain_effect
from ormlift.sql.life.region import Region
from ormlift.sql.life.shapes import shape_effects
from ormlift.sql.life.statements import Prepared, taken_effects
from ormlift.sql.life.unread import unread_effects
from ormlift.sql.statement import Kind
from ormlift.syntax import dotted


@dataclass(frozen=True)
class Telling:
    """What is known of a life when all of it is written."""

    life: Life
    prepared: Sequence[Prepared]
    ways: Sequence[Prepared]  # the statements that the executions may execute
    region: Region
    opening: Opening
    index: ProjectIndex
    settings: Settings

    def effects(self, reached: Flow) -> Iterator[Effect]:
        """All of them but those of handlers; `reached` says what is uncommitted where."""
        yield from self.opening.effects
        yield from bridge_effects(self.life)
        yield from batch_effects(self.life)
        yield from self._of_statements()
        yield from self._of_transactions(reached)
        yield from self._of_connection()
        yield from constant_effects(self.life, self.index)
        yield from kept_effects(self.life, self.index)
        yield from nested_effects(self.life, self.region)

    def _of_statements(self) -> Iterator[Effect]:
        life = self.life
        for prepared in self.prepared:
            yield from asked_effects(prepared)
            yield from [bound_effect(prepared)] if prepared.bound else []
            yield from [_counted_effect(prepared)] if prepared.parameters.counted else []
            yield from counted_effects(prepared.execution, life) if prepared.counted else ()
            yield from taken_effects(prepared)
            yield from unread_effects(prepared, life)
            yield from [plain_effect(prepared)] if prepared.stays is not None else []
        for way in self.ways:
            yield from order_effects(way, life.module, self.index)
            yield from shape_effects(way, life)
        yield from ahead_effects(self.prepared, life)
        yield from assumed_effects(life, life.line, self.index)

    def _of_transactions(self, reached: Flow) -> Iterator[Effect]:
        life, region = self.life, self.region
        writes = [p.execution for p in self.prepared if p.statement.kind is not Kind.SELECT]
        writes += handed_writes(life)
        yield from commit_effects(life, region, reached, writes, scope_commits=self.opening.commits)
        yield from failure_effects(life, region, writes, scope=self.opening.commits_on_failure)
        if autocommits(life) is Tri.YES:
            yield from caught_writes(life, writes)

    def _of_connection(self) -> Iterator[Effect]:
        life = self.life
        if is_fresh(life):
            first = life.where(Does.CURSOR, Does.CURSOR_BLOCK)[0].line
            message = f"{life.name} is a Session, whose .cursor() raises AttributeError here; from now on the code runs"
            yield Effect("cursor-on-session", first, message)
            return
        if life.given:
            yield _given_effect(life)
        if life.how is not How.HANDED:
            yield from database_effects(life, self.index, self.settings)
            yield from opener_patches(life, self.index)
        if life.how not in (How.WITH, How.WITH_PAIR, How.HANDED):
            yield from _closer_effects(life)


def is_fresh(life: Life) -> bool:
    """Whether the code never ran: `.cursor()` of a Session raises."""
    return life.source.kind in (SourceKind.SESSION, SourceKind.SHARED_SESSION)


def _given_effect(life: Life) -> Effect:
    names = " and ".join(sorted(life.kept))
    message = f"@{dotted(life.call.func)} hands in {names}, which nothing uses from here on; take them and it out"
    return Effect("connection-given", life.line, message)


def _counted_effect(prepared: Prepared) -> Effect:
    count, name = len(prepared.statement.slots), prepared.parameters.counted
    message = f"the driver raised where {name} held more or fewer than {count}; now more are passed over"
    return Effect("parameter-count", prepared.execution.line, message)


def _closer_effects(life: Life) -> Iterator[Effect]:
    for use in life.where(Does.CLOSE):
        if isinstance(use.call, ast.Call) and not (
            isinstance(use.call.func, ast.Attribute) and use.call.func.attr == "close"
        ):
            name = dotted(use.call.func)
            yield Effect("closer", use.line, f"{name}() is taken to close the connection and to do nothing else")
