"""What other files do to a life: they put another in the place of its SQL, its opener or its connection, or use it.

A patch by a test is told, since the program does not run it; what the program itself does is refused where the new code
would not heed it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ormlift.model import Effect
from ormlift.project.index import ProjectIndex
from ormlift.project.names import is_test_path
from ormlift.project.outside import Mention, Way
from ormlift.project.patched import ANY, UNKNOWN
from ormlift.sql.life.drivers import CONNECT
from ormlift.sql.life.model import How, Life
from ormlift.sql.life.opener import opens_engine
from ormlift.sql.life.refuse import Refused
from ormlift.syntax import dotted

_WORDS = re.compile(r"(?<![\w.\"'])[A-Za-z_]\w*(?:\.\w+)*")
_SETS = re.compile(r"[ \t]*(?:\.[ \t]*(?P<what>row_factory|text_factory|isolation_level|autocommit)[ \t]*)?=(?!=)")
_SETS_UP = re.compile(
    r"[ \t]*\.(?:create_\w+|set_\w+|enable_\w+|load_extension|execute\w*\([ \t]*[rf]?[\"']+\s*(?:PRAGMA|ATTACH|SET)\b)",
    re.IGNORECASE,
)
_NEAR = 8  # patches so many lines apart are of one test or fixture
_CLOSES = re.compile(r"[ \t]*\.close\b")


@dataclass(frozen=True)
class _Kept:
    """A name of the file, and how others reach it."""

    path: str
    owner: str  # the class that has it; empty: the module
    name: str

    def is_meant(self, mention: Mention, index: ProjectIndex) -> bool:
        """Whether a mention is one of this, as far as can be told; more, not fewer."""
        outside, imports = index.outside, index.imports
        leads = imports.may_run if is_test_path(mention.path) else imports.leads_to
        reaches = mention.path == self.path or leads(mention.path, self.path)
        if mention.bases:
            return bool(self.owner) and any(outside.descends(base, self.owner) for base in mention.bases)
        if mention.way is Way.BELOW:
            return False
        if mention.holder == "":
            return mention.path == self.path and not self.owner
        if mention.made:
            return bool(self.owner) and outside.descends(mention.made, self.owner)
        if mention.holder == UNKNOWN:
            return reaches and (bool(self.owner) or not self.name.islower())
        return self._is_held(mention, index) and (reaches or not self.owner)

    def _is_held(self, mention: Mention, index: ProjectIndex) -> bool:
        """Whether the dotted path before the name leads to the module, or to an object of the class."""
        said = mention.holder if mention.name == ANY else f"{mention.holder}.{mention.name}"
        places = index.imports.held_in(mention.path, said)
        if not self.owner:
            return any(file == self.path and rest in ("", self.name) for file, rest in places)
        *_, last = mention.holder.split(".")
        if last[:1].isupper():
            return index.outside.descends(last, self.owner)
        return any("." in rest for _, rest in places)


def constant_effects(life: Life, index: ProjectIndex) -> Iterator[Effect]:
    """The SQL of a constant that other files give another value: told of tests. Raises Refused elsewhere."""
    for owner, name in life.constants:
        kept = _Kept(life.module.source.path, owner, name)
        found = [m for m in index.outside.of(name) if m.way is not Way.USES and kept.is_meant(m, index)]
        for mention in sorted(found, key=_order)[:1]:
            what = f"line {mention.line} of {mention.path} gives {name} another value"
            if not is_test_path(mention.path):
                raise Refused("dynamic-sql", f"{what}, which the statement would not heed; pass what differs")
            yield Effect("patched-name", life.line, f"{what}, and the statement does not ask for it any more")


def _order(mention: Mention) -> tuple[bool, str, int]:
    return is_test_path(mention.path), mention.path, mention.line


def opener_patches(life: Life, index: ProjectIndex) -> Iterator[Effect]:
    """The effect of no more asking for what opens the connection, or for the path that it is opened with."""
    source, here = life.source, life.module.source.path
    call = dotted(life.call.func)
    asked = [_Kept(here, "", call), _Kept(here, "", call.partition(".")[0])]
    asked += [_Kept(source.path, source.owner, source.name)] if source.path and source.name not in CONNECT else []
    asked += [_Kept(life.manager.path, life.manager.owner, life.manager.name)] if life.manager is not None else []
    paths = [_Kept(source.path or here, "", word.rpartition(".")[2]) for word in _WORDS.findall(source.database)]
    patched = [m for kept in asked for m in _patches(kept.name.rpartition(".")[2], index) if kept.is_meant(m, index)]
    patched += [m for m in _patches("connect", index) if _is_driver(m, life, index)] if source.driver else []
    patched = [m for m in patched if not _is_prepared(m, index)]
    for mention in sorted(patched, key=_order)[:1]:
        what = f"line {mention.line} of {mention.path} puts another in the place of {mention.name}"
        yield Effect("patched-name", life.line, f"{what}, which opens the connection; the session does not ask for it")
    if opens_engine(life, index):
        return  # the engine asks for the path where the raw connection did
    moved = [m for kept in paths for m in index.outside.of(kept.name) if m.way is Way.SETS and kept.is_meant(m, index)]
    moved = [m for m in moved if not _is_prepared(m, index)]
    for mention in sorted(moved, key=_order)[:1]:
        what = f"line {mention.line} of {mention.path} gives {mention.name} another value"
        yield Effect(
            "patched-name", life.line, f"{what}, by which {call}() finds its database; an engine keeps its own"
        )


def name_patches(path: str, names: Iterable[str], line: int, index: ProjectIndex) -> Iterator[Effect]:
    """The effect of no more going by way of a file, where others put something else in the place of its names."""
    found = [m for name in names for m in _patches(name, index) if _Kept(path, "", name).is_meant(m, index)]
    for mention in sorted((m for m in found if not _is_prepared(m, index)), key=_order)[:1]:
        what = f"line {mention.line} of {mention.path} puts another in the place of {mention.name}"
        yield Effect("patched-name", line, f"{what}, which {path} asks for; what is executed here does not")


def _patches(name: str, index: ProjectIndex) -> Iterator[Mention]:
    for path, patch in index.imports.patches.get(name, ()):
        yield Mention(path, patch.line, patch.name, Way.SETS, patch.holder, made=patch.made)
    yield from (m for m in index.outside.of(name) if m.way is not Way.USES and m.name != ANY)


def _is_prepared(mention: Mention, index: ProjectIndex) -> bool:
    """Whether a test patches an engine, a factory or a scope of the project too, beside what it patches here."""
    made = [(e.path, e.name) for e in index.engines] + [(f.path, f.name) for f in index.factories]
    made += [(s.path, s.name) for s in index.scopes]
    kept = [_Kept(path, "", name) for path, name in made if not is_test_path(path)]
    return any(
        other.path == mention.path and abs(other.line - mention.line) <= _NEAR and one.is_meant(other, index)
        for one in kept
        for other in _patches(one.name, index)
    )


def _is_driver(mention: Mention, life: Life, index: ProjectIndex) -> bool:
    """Whether a test patches the driver's own connect."""
    home = life.source.path or life.module.source.path
    of_driver = mention.holder.rpartition(".")[2] == life.source.driver.rpartition(".")[2]
    return of_driver and any(index.imports.may_run(mention.path, path) for path in (home, life.module.source.path))


def kept_effects(life: Life, index: ProjectIndex) -> Iterator[Effect]:
    """What other files do with a connection that this one keeps. Raises Refused where they set it up anew."""
    if life.how is not How.KEPT or life.given:
        return
    owner = life.module.enclosing_class(life.host)
    told: set[str] = set()
    for said in sorted(life.kept):
        of_class = owner.name if "." in said and owner is not None else ""
        kept = _Kept(life.module.source.path, of_class, said.rpartition(".")[2])
        for mention in _of_others(kept, index):
            for effect in _told(mention, said, life):
                yield from [effect] if effect.code not in told else []
                told.add(effect.code)


def _of_others(kept: _Kept, index: ProjectIndex) -> Iterable[Mention]:
    mentions = (m for m in index.outside.of(kept.name) if m.path != kept.path or m.way is Way.BELOW)
    return sorted((m for m in mentions if m.name != ANY and kept.is_meant(m, index)), key=_order)


def _told(mention: Mention, said: str, life: Life) -> Iterator[Effect]:
    place = f"line {mention.line} of {mention.path}"
    anew = _SETS.match(mention.tail) if mention.way is Way.USES else None
    if mention.way is not Way.USES or anew is not None:
        what = f"sets {anew['what']} on {said}" if anew is not None and anew["what"] else f"binds {said} anew"
        if not is_test_path(mention.path):
            message = f"{place} {what}, which is kept here, and a session would not heed it"
            raise Refused("connection-escapes", f"{message}; do it where the connection is opened")
        yield Effect("patched-name", life.line, f"{place} {what}, which a session does not heed")
    elif _SETS_UP.match(mention.tail):
        yield Effect("connection-setup", life.line, f"{place} sets {said} up, and a session's connection is not")
    elif not _CLOSES.match(mention.tail):
        yield Effect("shared-connection", life.line, f"{place} uses {said} as well, in a transaction of its own")
