"""What the other bases of a class put in the place of a base's methods."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ormlift.project.models import ClassFacts


def beside(classes: Iterable[ClassFacts]) -> dict[str, set[str]]:
    """By a class's bare name, the methods that may stand before its own where another class is a base beside it."""
    known: dict[str, list[ClassFacts]] = {}
    for facts in classes:
        known.setdefault(facts.name, []).append(facts)
    found: dict[str, set[str]] = {}
    for facts in (one for several in known.values() for one in several if len(one.bases) > 1):
        bases = [_bare(base) for base in facts.bases]
        for place, base in enumerate(bases):
            first, own = _methods(bases[:place], base, known), _methods([base], "", known)
            later = _methods(bases[place + 1 :], base, known) - own
            found.setdefault(base, set()).update(first | later)
    return found


def _methods(names: list[str], shared_with: str, known: Mapping[str, list[ClassFacts]]) -> set[str]:
    """The methods of classes and of those above them, but for those that another one has above it too."""
    shared = set(_line(shared_with, known)) if shared_with else set()
    lines = {above for name in names for above in _line(name, known)} - shared
    return {method.name for name in lines for facts in known.get(name, ()) for method in facts.methods}


def _line(name: str, known: Mapping[str, list[ClassFacts]]) -> Iterator[str]:
    """A class and all above it."""
    seen, stack = {name}, [name]
    while stack:
        current = stack.pop()
        yield current
        above = {_bare(base) for facts in known.get(current, ()) for base in facts.bases} - seen
        seen |= above
        stack += sorted(above)


def _bare(base: str) -> str:
    return base.rpartition(".")[2]
