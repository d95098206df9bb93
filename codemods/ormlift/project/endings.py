"""What becomes of instances when their session ends: detached, and perhaps expired before."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ormlift.project.gives import Gives
from ormlift.schema import Scope, SessionSource, SourceKind, Tri


@dataclass(frozen=True, slots=True)
class Ending:
    """A session of its own that is closed at its end."""

    words: str  # the name of what opens it
    commits: bool  # and commits before, so that a session which expires has nothing loaded any more
    expires: bool  # a commit expires its instances
    factory: str = ""  # what made it, as `path:class.name`; empty: not known


@dataclass(frozen=True, slots=True)
class Giver:
    """A function that gives an instance, and how its session ended."""

    path: str
    gives: Gives
    ending: Ending

    @property
    def expired(self) -> bool:
        """Whether nothing of the instance can be read any more."""
        return self.ending.expires and not self.gives.expunged and (self.ending.commits or self.gives.committed)


def ending_of_scope(scope: Scope) -> Ending | None:
    """Of a scope that closes a session which nobody else has."""
    if scope.yields != "session" or scope.closes is not Tri.YES or scope.shared is not Tri.NO or scope.unread:
        return None
    return Ending(scope.name, scope.commits is Tri.YES, scope.expire_on_commit is Tri.YES, scope.factory)


def ending_of_source(source: SessionSource | None) -> Ending | None:
    """Of a session that a factory or function hands out."""
    kinds = (SourceKind.SESSION, SourceKind.ASYNC_SESSION)
    if source is None or source.kind not in kinds or source.shared:
        return None
    return Ending(source.name, False, source.expire_on_commit is Tri.YES, source.factory)


def worst_way(ways: list[tuple[Gives, Ending | None]]) -> tuple[Gives, Ending] | None:
    """Of the ways through a function that gives instances, the one behind which the least can be read."""
    known = [(gives, ending) for gives, ending in ways if ending is not None]
    if not known:
        return None
    expired = [(g, e) for g, e in known if e.expires and not g.expunged and (e.commits or g.committed)]
    gives, ending = (expired or known)[0]
    loaded = set.intersection(*(set(g.loaded) for g, _ in known))
    return replace(gives, loaded=tuple(sorted(loaded)), is_loader=ways[0][0].is_loader), ending
