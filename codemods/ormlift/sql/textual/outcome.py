"""What becomes of the rows of one execution: edits of what reads them, effects, and what must be written otherwise."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from ormlift.model import Effect, ReplaceExpr
from ormlift.sql.life.refuse import Refused
from ormlift.sql.life.statements import Prepared
from ormlift.sql.rows.context import Stands
from ormlift.sql.rows.follow import Fact, Is
from ormlift.sql.rows.judge import Keep, Obstacle
from ormlift.sql.textual.drivers import alchemy_columns
from ormlift.sql.textual.find import Textual
from ormlift.sql.textual.keys import key_effects, labelled, unnamed, with_keys
from ormlift.sql.textual.receiver import On
from ormlift.sql.textual.rows import CURSOR, ResultFollower, judged, names_read


@dataclass
class Outcome:
    """What was found; where it is not settled, the statement has changed and is to be written again."""

    settled: bool = True
    edits: list[ReplaceExpr] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)


def follow(site: Textual, prepared: Prepared, node: ast.expr, kind: Is, *, scalars: bool) -> Outcome:
    """Follow the result, which `node` gives, to its uses. Raises Refused."""
    written = prepared.written
    assert written is not None
    if not written.columns:
        return Outcome()
    waits = site.receiver is not None and site.receiver.asynchronous
    columns = alchemy_columns(written.columns, prepared.statement.dialect, asynchronous=waits)
    fact = Fact(kind, with_keys(prepared.statement, columns))
    if scalars and fact.columns[0].changes_type:
        message = f"line {site.line} reads scalars whose type changes; select rows instead"
        raise Refused("row-use", message)
    follower = ResultFollower(site.module, site.life.flow)
    follower.start(node, fact)
    _check_cursor(site, follower)
    named = list(names_read(follower)) if kind is not Is.CELL and not scalars else []
    if unnamed(fact, named):
        prepared.statement = labelled(prepared.statement, fact.columns)
        return Outcome(settled=False)
    outcome = Outcome(effects=key_effects(fact, named))
    for judgement in judged(follower, {prepared.target or node: written.text}):
        match judgement:
            case ReplaceExpr():
                outcome.edits.append(judgement)
            case Effect():
                outcome.effects.append(judgement)
            case Keep():
                prepared.kept |= {judgement.place}
                return Outcome(settled=False)
            case Obstacle():
                raise Refused(judgement.reason.code, judgement.reason.message)
    return outcome


def _check_cursor(site: Textual, follower: ResultFollower) -> None:
    """A session's result of a SELECT on models is no cursor's. Raises Refused."""
    if site.receiver is None or site.receiver.on is not On.SESSION:
        return
    for seen in follower.seen():
        if seen.fact.kind is Is.ROWS and seen.context.stands is Stands.ATTRIBUTE and seen.context.key in CURSOR:
            message = f"line {seen.node.lineno} reads {seen.context.key} of a SELECT, which a session does not tell"
            raise Refused("row-count", f"{message}; count the rows")
