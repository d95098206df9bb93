"""What a scope changes of a block's behaviour: the effects of handing a session's life to it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ormlift.model import Effect
from ormlift.project.flow.block import Block
from ormlift.project.flow.errors import error_effects
from ormlift.project.flow.events import Act, Event, Reader
from ormlift.project.flow.heard import heard_effects
from ormlift.project.flow.keeps import commits_inside, kept_instances
from ormlift.project.flow.knowledge import Knowledge
from ormlift.project.flow.origin import origin_effects
from ormlift.project.flow.values import Look, Values
from ormlift.project.flow.walk import CLEAN, Exit, Mark, Outs, Walker
from ormlift.schema import Scope, SessionSource, SourceKind, Tri


@dataclass(frozen=True)
class Chosen:
    """The scope that a block is to be handed to."""

    words: str  # how messages name it: `session_scope()`
    scope: Scope | None  # what is known of it; None: nothing

    def tri(self, name: str) -> Tri:
        """One of its facts."""
        found = Tri.UNKNOWN if self.scope is None else getattr(self.scope, name)
        assert isinstance(found, Tri)
        return found


def block_effects(
    block: Block,
    chosen: Chosen,
    source: SessionSource,
    knowledge: Knowledge,
    look: Look,
    given: frozenset[str] = frozenset(),
) -> list[Effect]:
    """All effects of running `block` under the scope, in the order of their lines.

    `given` are the options that the session's call itself was given, which are judged by the caller.
    """
    values = Values(block.body, block.name, knowledge, look)
    reader = Reader(values, knowledge, _idle_calls(block, source))
    # A commit inside the block expires instances under both sessions, or only under the scope's.
    keeps_fresh = block.session_expires is not True or _sets_expiry(block)
    walker = Walker(reader, block.dropped, keeps_fresh=keeps_fresh)
    outs = walker.block(block.body, CLEAN)
    found = [
        *_scope_effects(block, chosen, source),
        *_origin(block, chosen, source, given, reader, walker),
        *_no_more_expired(block, chosen, source, reader),
        *_begun(chosen, walker),
        *_commit_effects(chosen, outs),
        *_heard(block, chosen, source, knowledge, outs),
        *kept_instances(block, chosen.scope, chosen.words, values, outs),
        *error_effects(block, chosen.scope, chosen.words, outs),
    ]
    return sorted(dict.fromkeys(found), key=lambda e: (e.line, e.code, e.message))


def _heard(block: Block, chosen: Chosen, source: SessionSource, knowledge: Knowledge, outs: Outs) -> Iterator[Effect]:
    if chosen.scope is not None:
        yield from heard_effects(block, chosen.scope, chosen.words, source, knowledge, outs, exits(outs))


def exits(outs: Outs) -> Iterator[Exit]:
    """Every way out that is no exception, the end of the block included."""
    if outs.normal:
        yield Exit(0, outs.normal)
    yield from outs.returns
    yield from outs.breaks
    yield from outs.continues


def _sets_expiry(block: Block) -> bool:
    """Whether the block sets the session's `expire_on_commit` by itself."""
    nodes = (node for statement in block.body for node in ast.walk(statement))
    return any(
        isinstance(n, ast.Attribute) and n.attr == "expire_on_commit" and isinstance(n.ctx, ast.Store) for n in nodes
    )


def _idle_calls(block: Block, source: SessionSource) -> frozenset[int]:
    """The calls of an async session that nothing awaits, and that therefore do nothing."""
    if source.kind is not SourceKind.ASYNC_SESSION:
        return frozenset()
    nodes = [node for statement in block.body for node in ast.walk(statement)]
    awaited = {id(inner) for node in nodes if isinstance(node, ast.Await) for inner in ast.walk(node.value)}
    return frozenset(id(node) for node in nodes if isinstance(node, ast.Call) and id(node) not in awaited)


def _origin(
    block: Block, chosen: Chosen, source: SessionSource, given: frozenset[str], reader: Reader, walker: Walker
) -> Iterator[Effect]:
    if chosen.scope is not None:
        gone = [range(s.lineno, (s.end_lineno or s.lineno) + 1) for s in block.dropped]
        events = [event for statement in block.body for event in reader.events(statement)]
        events = [event for event in events if not any(event.line in lines for lines in gone)]
        harmless = frozenset(name for name, felt in _FELT.items() if not felt(events, walker))
        yield from origin_effects(block, chosen.scope, chosen.words, source, given, harmless, reader.knowledge.watched)


def _no_more_expired(block: Block, chosen: Chosen, source: SessionSource, reader: Reader) -> Iterator[Effect]:
    """Instances that the block's own commit expired before they left it, and that the scope's session leaves readable.

    Reading them raised behind the close, and now gives what was loaded.
    """
    scope = chosen.scope
    if scope is None or source.expire_on_commit is not Tri.YES or scope.expire_on_commit is Tri.YES:
        return
    if not commits_inside(block, reader.values):
        return
    outs = Walker(reader, block.dropped, keeps_fresh=True).block(block.body, CLEAN)
    expiring = replace(scope, commits=Tri.YES, closes=Tri.YES, expire_on_commit=Tri.YES)
    for effect in kept_instances(block, expiring, chosen.words, reader.values, outs):
        text = (
            f"line {effect.line} uses what may be an instance behind the block, where reading it raised, since the "
            f"block's commit expired it; the session of {chosen.words} does not expire"
        )
        yield Effect("other-factory", effect.line, text)
        return


def _flushes(events: list[Event], _: Walker) -> bool:
    """Whether something may be pending when a query is sent."""
    return any(e.act in (Act.WRITE, Act.MAY_WRITE, Act.SETTLES) for e in events) and any(
        e.act is Act.LOAD for e in events
    )


def _loads_after_commit(events: list[Event], walker: Walker) -> bool:
    """Whether something is read behind a commit of the block: of the row as it is then, or as it was loaded."""
    loads = {e.line for e in events if e.act is Act.LOAD}
    commits = {e.line for e in events if e.act in (Act.COMMIT, Act.SETTLES)} | walker.begun
    return any(line in loads and end in commits for line, end in walker.used_after_end)


_FELT = {"autoflush": _flushes, "expire_on_commit": _loads_after_commit}  # options that not every block feels


def _begun(chosen: Chosen, walker: Walker) -> Iterator[Effect]:
    """Uses of the session behind a commit or rollback, which a scope of `session.begin()` does not allow."""
    if chosen.scope is None or not chosen.scope.begins or not walker.used_after_end:
        return
    line, end = min(walker.used_after_end)
    text = (
        f"{chosen.words} holds the transaction by begin(): behind the commit or rollback on line {end}, what line "
        f"{line} does with the session raises InvalidRequestError"
    )
    yield Effect("breaks-begun-transaction", line, text)


def _other_engine(block: Block, scope: Scope, words: str, source: SessionSource) -> Iterator[Effect]:
    """Two sessions are on one engine if both say so, or if one factory makes them; anything else may be another."""
    one, other = source.bind, scope.bind
    if one == other and one != "?" and (one or source.factory == scope.factory):
        return
    if not one and not other:
        text = f"the engines of the session here and of that of {words} could not be read, and their factories differ"
    elif not one and source.factory.rpartition(".")[2] in ("Session", "AsyncSession"):
        text = f"the session here is bound to no engine, and that of {words} to {_told(other)}"
    else:
        text = f"the session here is bound to {_told(one)}, and that of {words} to {_told(other)}"
    yield Effect("other-engine", block.line, f"{text}: it may be another database")


def _told(engine: str) -> str:
    """What a message calls an engine."""
    if not engine:
        return "one that could not be read"
    return "an engine of its own" if engine.startswith("?") else engine.rpartition(":")[2]


_STATE = (
    "state it in [[tool.ormlift.scopes]], by the keys commits, rolls-back, closes, swallows, shared, expires, wraps "
    "and factory"
)


def _scope_effects(block: Block, chosen: Chosen, source: SessionSource) -> Iterator[Effect]:
    scope, words = chosen.scope, chosen.words
    if scope is None:
        text = f"what {words} does at exit could not be read: it may commit, close, or wrap errors; {_STATE}"
        yield Effect("scope-unknown", block.line, text)
        return
    yield from _other_engine(block, scope, words, source)
    if scope.unread:
        text = f"what {words} does at exit could not be read: its block stands in `with {scope.unread}`; {_STATE}"
        yield Effect("scope-unknown", block.line, text)
    if chosen.tri("closes") is not Tri.YES and chosen.tri("shared") is not Tri.YES:
        not_read = "is not known to close" if chosen.tri("closes") is Tri.UNKNOWN else "does not close"
        yield Effect("not-closed", block.line, f"{words} {not_read} the session, which was closed here")
    if chosen.tri("shared") is Tri.YES:
        text = f"{words} hands out a session that others use too: what it does at exit reaches further than this block"
        yield Effect("shared-session", block.line, text)
    elif source.shared or source.kind is SourceKind.SHARED_SESSION:
        text = f"the session here was shared; {words} hands out its own, which does not see the other's pending changes"
        yield Effect("shared-session", block.line, text)


def _commit_effects(chosen: Chosen, outs: Outs) -> Iterator[Effect]:
    commits = chosen.tri("commits")
    if commits is Tri.NO:
        return
    seen: set[tuple[str, int]] = set()
    ways = [*exits(outs)]
    if chosen.tri("commits_on_failure") is not Tri.NO:
        ways.append(Exit(0, frozenset(replace(point, hurt=False) for point in outs.raising)))
    for way in ways:
        for point in sorted(way.state, key=lambda p: (p.mark.line if p.mark else 0, p.handler)):
            if point.mark is not None:
                effect = _commit_effect(chosen, way, point.mark, point.handler)
            elif line := point.broken or (way.line if point.hurt else 0):
                effect = _lost_effect(chosen, line)
            else:
                continue
            if (effect.code, effect.line) not in seen:
                seen.add((effect.code, effect.line))
                yield effect


def _lost_effect(chosen: Chosen, handler: int) -> Effect:
    does = "commits" if chosen.tri("commits") is Tri.YES else "may commit"
    text = (
        f"line {handler} takes what may be a lost connection, without rollback: the session was then closed, and now "
        f"{chosen.words} {does}, which raises PendingRollbackError"
    )
    return Effect("swallowed-error-then-commit", handler, text)


def _commit_effect(chosen: Chosen, way: Exit, mark: Mark, handler: int) -> Effect:
    where = f"leaves on line {way.line}" if way.line else "ends"
    would = "would" if chosen.tri("commits") is Tri.YES else "may"
    if handler and mark.sure:
        text = (
            f"line {handler} takes an error without rollback after line {mark.line} {mark.what}: the session was then "
            f"closed, and now {chosen.words} {would} commit, which raises or commits a half"
        )
        return Effect("swallowed-error-then-commit", handler, text)
    if mark.sure:
        text = (
            f"line {mark.line} {mark.what}, and the block {where} without commit(): the change was rolled back at "
            f"close and {would} now be committed"
        )
        return Effect("commits-uncommitted", mark.line, text)
    text = (
        f"line {mark.line} {mark.what}, which may leave a change uncommitted; the block {where} without commit(), and "
        f"the change {would} now be committed"
    )
    return Effect("may-commit-uncommitted", mark.line, text)
