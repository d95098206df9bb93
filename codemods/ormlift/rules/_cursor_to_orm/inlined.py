"""Calls of SQL helpers to sites: the helper's body stands for the call in the copy."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from ormlift.model import AddAbove, Effect, Op, Reason, Refusal, ReplaceExpr, ReplaceStatement, Settings, Site
from ormlift.project.index import ProjectIndex
from ormlift.project.names import module_parts
from ormlift.rules._cursor_to_orm.copied import LINE, LayoutError, rewritten
from ormlift.rules._cursor_to_orm.expand import Expander, bound_in, is_called_by_name, names_of_host
from ormlift.rules._cursor_to_orm.fold import NotPlain
from ormlift.rules._cursor_to_orm.helpers import Helped
from ormlift.sql.life.outside import name_patches
from ormlift.sql.life.refuse import Refused
from ormlift.syntax import Module, dotted

REASON = "sql-helper"
_ROOTS = ("src", "lib")  # folders that are no packages


def helped_site(helped: Helped, module: Module, codemod: str, index: ProjectIndex, settings: Settings) -> Site:
    """What becomes of a call that hands SQL to a function of the project which executes it."""
    first, last = helped.call.lineno, helped.call.end_lineno or helped.call.lineno
    named = f"{dotted(helped.call.func)}() runs the SQL that it is given ({helped.where})"
    try:
        if helped.function.name in index.imports.patches or "*" in index.imports.patches:
            message = "tests put another in its place"
            raise NotPlain(message)
        call = _Call(helped, module, index)
        made = rewritten(call, module, codemod, index, settings)
        root = is_called_by_name(helped)
        effects = (*made.effects, *call.patched())
        return replace(made, unused=tuple(sorted({*made.unused, *([root] if root else [])})), effects=effects)
    except NotPlain as why:
        reason = Reason(REASON, f"{named}, and {why}; execute it here, or hand a statement on")
    except Refused as refused:
        text = LINE.sub(f"line {first}", refused.reason.message)
        reason = Reason(refused.reason.code, f"{named}: {text}")
    except LayoutError:
        reason = Reason(REASON, f"{named}, in a layout that can't be edited; give each statement a line of its own")
    return Refusal(codemod, first, last, reason)


@dataclass
class _Call:
    """The piece of one call: its statement."""

    helped: Helped
    module: Module
    index: ProjectIndex

    @cached_property
    def first(self) -> ast.stmt:
        return self.module.statement(self.helped.call)

    @property
    def last(self) -> ast.stmt:
        return self.first

    @cached_property
    def _expander(self) -> Expander:
        return Expander(self.helped, self.module)

    @property
    def header(self) -> int:
        last = self.helped.call.end_lineno or self.helped.call.lineno
        return last - self.first.lineno + 1 if self._expander.above else 0

    def lines(self, indent: str) -> tuple[list[str], list[str]]:
        body, statement = self._expander.run(indent)
        return (body, statement) if self._expander.above else ([*body, *statement], [])

    def put(self, text: str) -> tuple[Op, ...]:
        span = self.module.span(self.first)
        if not self._expander.above:
            return (ReplaceStatement(span, text),)
        return AddAbove(span, text), ReplaceExpr(self.module.span(self.helped.call), self._expander.target)

    @cached_property
    def added(self) -> dict[str, str]:
        needs, plain, own = self._expander.needs(), self._expander.builtins(), self.helped.module
        hidden = names_of_host(self.module, self.helped.call)
        if own.source.path != self.module.source.path and {*bound_in(self.module), *self.module.imports} & plain:
            message = "a name of Python's own means something else here"
            raise NotPlain(message)
        if (needs | plain) & hidden:
            message = "a name of its file means something else here"
            raise NotPlain(message)
        if own.source.path == self.module.source.path:
            return {}
        found = {}
        for name in sorted(needs):
            holder, _, last = self._home(name).rpartition(".")
            anew = any(name == n for n in bound_in(self.module))
            if self.module.imports.get(name) == (f"{holder}.{last}" if holder else last) and not anew:
                continue
            if name in self.module.imports or anew:
                message = f"{name} means something else here"
                raise NotPlain(message)
            found[name] = f"from {holder} import {last} as {name}" if holder else f"import {last} as {name}"
        return found

    def patched(self) -> Iterator[Effect]:
        """What others put in the place of names of the helper's file."""
        path = self.helped.module.source.path
        if path != self.module.source.path:
            yield from name_patches(path, sorted(self._expander.needs()), self.helped.call.lineno, self.index)

    def _home(self, name: str) -> str:
        """The dotted name of what a name of the helper's file means."""
        own = self.helped.module
        target = own.imports.get(name, "")
        if target and not target.startswith("."):
            return target
        place = self.index.place(own.source.path, name)
        parts = module_parts(place.path or own.source.path)
        return ".".join([*(parts[1:] if parts[0] in _ROOTS else parts), place.name if place.path else name])
