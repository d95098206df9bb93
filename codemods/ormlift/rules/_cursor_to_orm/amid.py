"""What runs on a shared connection between a write on it and its commit: a session there would wait for ever."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ormlift.model import Reason, Refusal, Site
from ormlift.project.index import ProjectIndex
from ormlift.rules._cursor_to_orm.helpers import Helped
from ormlift.rules._cursor_to_orm.unnamed import unnamed_lives
from ormlift.sql.life.model import Does, Life
from ormlift.sql.life.nested import is_of_shared
from ormlift.sql.life.reached import executes_write
from ormlift.syntax import FunctionNode, Module, dotted

_WRITES = re.compile(r"\b(?:insert|update|delete|replace)\b", re.IGNORECASE)
_MESSAGE = (
    "while what it wrote on the connection is not committed: two sessions would wait for each other; commit before"
)


@dataclass
class Amid:
    """By function that writes, the functions that write too and are run before it commits."""

    reached: dict[str, set[str]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, lives: Sequence[Life], calls: Sequence[Helped], module: Module, index: ProjectIndex, *, has_strays: bool
    ) -> Amid:
        """Those of a file: of its lives, its calls of SQL helpers, and of the connections without a name."""
        found = cls()
        others = {dotted(helped.call.func): helped.function for helped in calls if helped.module is not module}
        for life in (*lives, *(unnamed_lives(module, index) if has_strays else ())):
            for nested in life.nested:
                if nested.caller is life and nested.writes and isinstance(life.host, FunctionNode):
                    found.reached.setdefault(life.host.name, set()).update(f.name for f in nested.reached)
            if others and is_of_shared(life) and isinstance(life.host, FunctionNode):
                run = {f.name for f in _run_elsewhere(life, others)}
                found.reached.setdefault(life.host.name, set()).update(run and {*run, life.host.name})
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


def _run_elsewhere(life: Life, others: Mapping[str, FunctionNode]) -> Iterator[FunctionNode]:
    """The functions of other files that write on the connection behind a write of the life, as it stands there."""
    opener = dotted(life.call.func).rpartition(".")[2]
    runs = life.where(Does.EXECUTE)
    writes = [use.line for use in runs if executes_write(use.call, life.host)]
    ends = [use.line for use in (*life.where(Does.COMMIT), *life.where(Does.ROLLBACK))]
    for call in (n for n in ast.walk(life.host) if isinstance(n, ast.Call) and dotted(n.func) in others):
        function = others[dotted(call.func)]
        before = max((line for line in writes if line < call.lineno), default=0)
        pending = before and not any(before < line < call.lineno for line in ends)
        if pending and _WRITES.search(ast.unparse(call)) and opener in _called(function):
            yield function


def _called(function: FunctionNode) -> set[str]:
    calls = (n for n in ast.walk(function) if isinstance(n, ast.Call))
    return {dotted(call.func).rpartition(".")[2] for call in calls}
