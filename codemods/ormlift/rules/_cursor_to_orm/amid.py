"""What runs on a shared connection between a write on it and its commit: a session there would wait for ever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ormlift.model import Reason, Refusal, Site
from ormlift.project.index import ProjectIndex
from ormlift.rules._cursor_to_orm.helpers import Helped
from ormlift.rules._cursor_to_orm.unnamed import unnamed_lives
from ormlift.sql.life.model import Life
from ormlift.sql.life.nested import is_of_shared
from ormlift.syntax import FunctionNode, Module

_MESSAGE = (
    "while what it wrote on the connection is not committed: two sessions would wait for each other; commit before"
)


@dataclass
class Amid:
    """By function that writes, the functions that write too and are run before it commits."""

    reached: dict[str, set[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, lives: Sequence[Life], module: Module, index: ProjectIndex, *, has_strays: bool) -> Amid:
        """Those of a file: of its lives, and of the connections without a name."""
        found = cls()
        for life in (*lives, *(unnamed_lives(module, index) if has_strays else ())):
            for nested in life.nested:
                if nested.caller is life and nested.writes and isinstance(life.host, FunctionNode):
                    found.reached.setdefault(life.host.name, set()).update(f.name for f in nested.reached)
        return found

    def caller_of(self, name: str) -> str:
        """A function that runs another one amid its own writes; empty where there is none."""
        return next((caller for caller, reached in sorted(self.reached.items()) if name in reached), "")

    def checked(self, life: Life, site: Site) -> Site:
        """A life's site, refused where its function is run amid another's writes on the same connection."""
        name = life.host.name if isinstance(life.host, FunctionNode) and is_of_shared(life) else ""
        return self._refused(site, self.caller_of(name)) if name else site

    def checked_call(self, helped: Helped, module: Module, site: Site) -> Site:
        """A call's site, refused where it is run amid the writes of its function, or of one that calls this."""
        host = module.enclosing_function(helped.call)
        if host is None:
            return site
        inside = host.name if helped.function.name in self.reached.get(host.name, ()) else ""
        return self._refused(site, inside or self.caller_of(host.name))

    def _refused(self, site: Site, caller: str) -> Site:
        if not caller or isinstance(site, Refusal):
            return site
        reason = Reason("shared-transaction", f"{caller}() runs it {_MESSAGE}")
        return Refusal(site.codemod, site.line, site.end_line, reason)
