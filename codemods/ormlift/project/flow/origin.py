"""What a session brings along from where it is made, and loses or changes where a scope makes it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ormlift.model import Effect
from ormlift.project.flow.block import Block
from ormlift.schema import Scope, SessionSource

_SETS = re.compile(r"session\.[\w.]+ [-+|&]?= ")


def origin_effects(
    block: Block,
    scope: Scope,
    words: str,
    source: SessionSource,
    given: frozenset[str],
    harmless: frozenset[str],
    watched: frozenset[str] = frozenset(),
) -> Iterator[Effect]:
    """The effects of getting the session from the scope instead of from `source`.

    `given` are options of the call itself, which are judged apart; `harmless` are those that this block does not feel;
    `watched` are factories with listeners of their own.
    """
    lost = _missing(source.work, scope.work)
    if lost:
        path, line, text = lost[0]
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        text = f"{source.name}() also does `{_short(text)}` (line {line} of {path}){more}; {words} does not"
        yield Effect("drops-factory-work", block.line, text)
    sets = [w for w in _missing(scope.work, source.work) if _SETS.match(w[2])]
    if sets:
        path, line, text = sets[0]
        text = f"{words} sets up its session by `{_short(text)}` (line {line} of {path}), which the one here is not"
        yield Effect("other-factory", block.line, text)
    if source.factory != scope.factory and (heard := {source.factory, scope.factory} & watched):
        name = min(heard).rpartition(".")[2]
        text = f"listeners are set on {name}, and the sessions here and of {words} are made by different factories"
        yield Effect("other-factory", block.line, text)
    yield from _options(block, scope, words, source, given | harmless)


def _options(block: Block, scope: Scope, words: str, source: SessionSource, judged: frozenset[str]) -> Iterator[Effect]:
    if source.factory and source.factory == scope.factory and source.options == scope.options:
        return
    ours, theirs = dict(source.options), dict(scope.options)
    for name in sorted((ours.keys() | theirs.keys()) - judged):
        if ours.get(name) == theirs.get(name):
            continue
        if name in ("?", "**"):
            text = f"the options of the session here and of that of {words} could not be read, and may differ"
        else:
            text = (
                f"the session here is made with {_option(name, ours.get(name))}, and that of {words} with "
                f"{_option(name, theirs.get(name))}"
            )
        yield Effect("other-factory", block.line, text)


def _option(name: str, value: str | None) -> str:
    return f"{name}={_short(value)}" if value is not None else f"the default of {name}"


def _missing(
    work: tuple[tuple[str, int, str], ...], there: tuple[tuple[str, int, str], ...]
) -> list[tuple[str, int, str]]:
    """What of `work` is not done there too, by the same statement or one that reads the same in the same file."""
    known = {(path, line) for path, line, _ in there} | {(path, text) for path, _, text in there}
    return [w for w in work if (w[0], w[1]) not in known and (w[0], w[2]) not in known]


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."
