"""The order of commit, flush and close, teardowns of Flask that commit, and scopes that FastAPI is told to call."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from ormlift.model import Effect, Fault, Reason, Refusal, ReplaceExpr, ReplaceStatement, Rewrite, Severity, Site
from ormlift.project.bodies import flat
from ormlift.project.columns import last
from ormlift.project.held import Held
from ormlift.project.index import ProjectIndex
from ormlift.project.injected import depends_on
from ormlift.rules._dependency_lifecycle.generators import ID, action_of
from ormlift.syntax import FunctionNode, Module, dotted, suites, walk_scope


@dataclass(frozen=True)
class Order:
    """Judges the statements of one file."""

    module: Module
    index: ProjectIndex
    held: Held

    def sites(self) -> Iterator[Site]:
        """All that stand in the wrong order."""
        for suite in self._suites():
            yield from self._commit_after_close(suite)
            yield from self._flush_after_commit(suite)
        for node in self.module.parents:
            if isinstance(node, FunctionNode):
                yield from self._teardown(node)
            elif isinstance(node, ast.Call) and (given := depends_on(node)) is not None:
                yield from self._injected(node, given)

    def _suites(self) -> Iterator[list[ast.stmt]]:
        yield self.module.tree.body
        for node in self.module.parents:
            if isinstance(node, FunctionNode):
                yield node.body
                for statement in flat(node.body):
                    if not isinstance(statement, (*FunctionNode.__args__, ast.ClassDef)):
                        yield from suites(statement)

    def _is_session(self, statement: ast.stmt) -> bool:
        value = statement.value if isinstance(statement, ast.Expr) else None
        call = value.value if isinstance(value, ast.Await) else value
        func = call.func if isinstance(call, ast.Call) else None
        return isinstance(func, ast.Attribute) and self.held.session(func.value) is not None

    # Commit after close

    def _commit_after_close(self, suite: list[ast.stmt]) -> Iterator[Site]:
        for position, statement in enumerate(suite):
            closer, name = self._closing(statement)
            if not name or (closer is statement and position and _ends(suite[position - 1], name)):
                continue  # what was pending has just been committed
            for later in suite[position + 1 :]:
                if action_of(later) == (name, "commit") and self._is_session(later):
                    yield self._closed_first(statement, closer, later, name)
                    break
                if _mentions(later, name):
                    break

    def _closing(self, statement: ast.stmt) -> tuple[ast.stmt, str]:
        """The statement that closes a session, by itself or in the finally of a try; and the session's name."""
        inner = statement.finalbody[-1] if isinstance(statement, ast.Try) and statement.finalbody else statement
        name, action = action_of(inner)
        return inner, name if action == "close" and self._is_session(inner) else ""

    def _closed_first(self, statement: ast.stmt, closer: ast.stmt, commit: ast.stmt, name: str) -> Site:
        text = (
            f"{name}.commit() comes after {name}.close() on line {closer.lineno}, which rolled back what was pending: "
            "it commits an empty transaction"
        )
        fault = Fault("commit-after-close", Severity.CRITICAL, text)
        end = commit.end_lineno or commit.lineno
        if closer is not statement:
            reason = Reason(
                "unusual-shape", "the close stands in a finally; put the commit at the end of the try's body"
            )
            return Refusal(ID, closer.lineno, end, reason, fault)
        span = self.module.span
        new = f"{self.module.written(commit)}\n{self.module.written(closer)}"
        ops = (ReplaceStatement(span(closer), new), ReplaceStatement(span(commit)))
        effects = (
            Effect("now-commits", closer.lineno, "what was rolled back by the close is committed in front of it"),
        )
        return Rewrite(ID, closer.lineno, end, ops, effects=effects, fault=fault)

    # Flush after commit

    def _flush_after_commit(self, suite: list[ast.stmt]) -> Iterator[Site]:
        for commit, flush in pairwise(suite):
            name, action = action_of(commit)
            if action == "commit" and action_of(flush) == (name, "flush") and self._is_session(flush):
                text = f"{name}.flush() right behind {name}.commit() has nothing to send: the commit has flushed"
                fault = Fault("flush-after-commit", Severity.LOW, text)
                op = ReplaceStatement(self.module.span(flush))
                yield Rewrite(ID, flush.lineno, flush.end_lineno or flush.lineno, (op,), fault=fault)

    # Flask's teardown

    def _teardown(self, function: FunctionNode) -> Iterator[Site]:
        names = [last(dotted(d.func if isinstance(d, ast.Call) else d)) for d in function.decorator_list]
        kind = next((n for n in names if n in ("teardown_appcontext", "teardown_request")), "")
        parameters = [*function.args.posonlyargs, *function.args.args]
        if not kind or not parameters:
            return
        error = parameters[0].arg
        if any(isinstance(n, ast.Name) and n.id == error for n in walk_scope(function)):
            return
        for statement in function.body:
            name, action = action_of(statement)
            if action in ("remove", "close", "rollback"):
                return  # a commit behind it has nothing to store
            if action == "commit" and self._is_session(statement):
                text = (
                    f"{function.name}() commits at the end of every request, of one that failed too: the half is stored"
                )
                fault = Fault("commit-on-error", Severity.HIGH, text)
                op = ReplaceStatement(self.module.span(statement), f"if {error} is None:\n    {name}.commit()")
                effects = (
                    Effect("no-commit-on-error", statement.lineno, "a request that failed commits nothing more"),
                )
                end = statement.end_lineno or statement.lineno
                yield Rewrite(ID, statement.lineno, end, (op,), effects=effects, fault=fault)

    # FastAPI

    def _injected(self, call: ast.Call, given: ast.expr) -> Iterator[Site]:
        scope = self.index.scope_at(given, self.module) if dotted(given) else None
        if scope is None or scope.is_async or scope.yields != "session":
            return
        text = (
            f"{dotted(given)} is a @contextmanager, which FastAPI does not enter: '_GeneratorContextManager' object "
            "has no attribute 'query' in the route, or is not an iterator in newer versions"
        )
        fault = Fault("scope-as-dependency", Severity.CRITICAL, text)
        op = ReplaceExpr(self.module.span(given), f"{self.module.text(given)}.__wrapped__")
        effects = (Effect("now-runs", call.lineno, f"line {call.lineno} failed in each request, and now works"),)
        yield Rewrite(ID, call.lineno, call.end_lineno or call.lineno, (op,), effects=effects, fault=fault)


def _ends(statement: ast.stmt, name: str) -> bool:
    """Whether a statement commits the session, or rolls it back."""
    return action_of(statement) in ((name, "commit"), (name, "rollback"))


def _mentions(node: ast.AST, name: str) -> bool:
    head = name.partition(".")[0]
    return any(isinstance(n, ast.Name) and n.id == head for n in ast.walk(node))
