"""Generators that own a session and hand it out: dependencies of FastAPI, context managers, plain ones."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from ormlift.model import Effect, Fault, Op, Reason, Refusal, ReplaceStatement, Rewrite, Severity, Site
from ormlift.project.bodies import flat, yielded
from ormlift.project.columns import last
from ormlift.project.dependents import Dependent
from ormlift.project.held import Held
from ormlift.project.index import ProjectIndex
from ormlift.project.scopes import EVERYTHING, ExitFacts, handled, read_exit
from ormlift.rules._dependency_lifecycle.handed import Handed
from ormlift.schema import SourceKind, Tri
from ormlift.syntax import FunctionNode, Module, dotted, indented

ID = "dependency-lifecycle"
_OWNED = frozenset({SourceKind.SESSION, SourceKind.ASYNC_SESSION})


@dataclass(frozen=True)
class Generator:
    """A function that yields a session of its own once."""

    function: FunctionNode
    statement: ast.stmt  # the yield
    target: ast.Yield
    name: str  # of the session
    exit: ExitFacts
    is_manager: bool  # a @contextmanager

    @property
    def wait(self) -> str:
        """What stands in front of the session's calls."""
        return "await " if isinstance(self.function, ast.AsyncFunctionDef) else ""


@dataclass(frozen=True)
class Generators:
    """Judges those of one file."""

    module: Module
    index: ProjectIndex
    held: Held

    def sites(self) -> Iterator[Site]:
        """What is wrong with them, one site for each; each later fault shows once the one before is mended."""
        for node in self.module.parents:
            if isinstance(node, FunctionNode) and (found := self._generator(node)) is not None:
                site = self._swallows(found) or self._commits_on_error(found) or self._open(found)
                site = site or self._never_commits(found)
                if site is not None:
                    yield site

    def _generator(self, function: FunctionNode) -> Generator | None:
        names = {last(dotted(d.func if isinstance(d, ast.Call) else d)) for d in function.decorator_list}
        if names & {"fixture", "property"}:
            return None
        statements = list(flat(function.body))
        yields = yielded(statements)
        if len(yields) != 1 or not isinstance(yields[0].value, ast.Name):
            return None
        target, name = yields[0], yields[0].value
        held = self.held.session(name)
        if held is None or held.kind not in _OWNED or held.shared or not self._made_here(statements, name.id):
            return None
        manager = bool(names & {"contextmanager", "asynccontextmanager"})
        statement = self.module.statement(target)
        return Generator(function, statement, target, name.id, read_exit(function, [target]), manager)

    @staticmethod
    def _made_here(statements: list[ast.stmt], name: str) -> bool:
        """Whether the function itself opens the session, by a call or a with."""
        for statement in statements:
            match statement:
                case (
                    ast.Assign(targets=[ast.Name(id=bound)], value=value)
                    | ast.AnnAssign(target=ast.Name(id=bound), value=ast.expr() as value)
                ):
                    value = value.value if isinstance(value, ast.Await) else value
                    if bound == name:
                        return isinstance(value, ast.Call)
                case ast.With(items=items) | ast.AsyncWith(items=items):
                    if any(isinstance(i.optional_vars, ast.Name) and i.optional_vars.id == name for i in items):
                        return True
                case _:
                    pass
        return False

    # An error that is kept from who waits for it

    def _swallows(self, found: Generator) -> Site | None:
        if found.exit.swallows is not Tri.YES:
            return None
        handler = next((h for h in self._handlers(found) if handled(h) & EVERYTHING and not _raises(h)), None)
        if handler is None:
            return None
        whom = "the block of its `with`" if found.is_manager else "a route"
        does = (
            "the code behind it runs as if nothing had happened" if found.is_manager else "the answer is lost with it"
        )
        text = (
            f"an error in {whom} ends in the handler of {found.function.name}(), which does not raise it again: {does}"
        )
        fault = Fault("swallows-error", Severity.HIGH, text)
        end = handler.body[-1]
        if isinstance(end, ast.Return) or not isinstance(end, ast.Expr | ast.Pass | ast.Assign):
            reason = Reason("unusual-shape", "the handler ends in a way that `raise` can't follow; raise there by hand")
            return Refusal(ID, handler.lineno, handler.end_lineno or end.lineno, reason, fault)
        text = f"errors now leave {found.function.name}() and reach who called"
        effects = (Effect("now-raises", handler.lineno, text),)
        ops = (self._after(end, "raise"),)
        return Rewrite(ID, handler.lineno, end.end_lineno or end.lineno, ops, effects=effects, fault=fault)

    def _handlers(self, found: Generator) -> Iterator[ast.ExceptHandler]:
        node: ast.AST = found.statement
        for parent in self.module.ancestors(node):
            if parent is found.function:
                return
            if isinstance(parent, ast.Try) and any(node is s for s in parent.body):
                yield from parent.handlers
            node = parent

    def _after(self, statement: ast.stmt, text: str) -> ReplaceStatement:
        """The statement, and another behind it."""
        if isinstance(statement, ast.Pass):
            return ReplaceStatement(self.module.span(statement), text)
        return ReplaceStatement(self.module.span(statement), f"{self.module.written(statement)}\n{text}")

    # A commit that is made in spite of an error

    def _commits_on_error(self, found: Generator) -> Site | None:
        commit = self._commit_in_finally(found)
        if commit is None or found.exit.commits_on_failure is not Tri.YES:
            return None
        text = (
            f"{found.name}.commit() stands in a finally: after an error in the middle of the work it stores the half "
            "that was done"
        )
        fault = Fault("commit-on-error", Severity.HIGH, text)
        if not isinstance(found.statement, ast.Expr):
            return self._unusual(found, commit, fault)
        effects = (
            Effect("no-commit-on-error", commit.lineno, "after an error nothing is committed any more"),
            *self._taken(found),
        )
        ops = (
            ReplaceStatement(self.module.span(commit)),
            self._after(found.statement, f"{found.wait}{found.name}.commit()"),
        )
        first, last = found.statement.lineno, commit.end_lineno or commit.lineno
        return Rewrite(ID, first, last, ops, effects=effects, fault=fault)

    def _commit_in_finally(self, found: Generator) -> ast.stmt | None:
        for parent in self.module.ancestors(found.statement):
            if isinstance(parent, ast.Try):
                for statement in parent.finalbody:
                    if action_of(statement) == (found.name, "commit"):
                        return statement
        return None

    # A session that stays open

    def _open(self, found: Generator) -> Site | None:
        if self._is_owned_by_with(found) or self._handed_on(found):
            return None
        suite = self.module.suite(found.statement)
        behind = suite[next(i for i, s in enumerate(suite) if s is found.statement) + 1 :]
        closing = [n for n in ast.walk(found.function) if isinstance(n, ast.expr) and _closes(n, found.name)]
        if closing and not self._closes_plainly(found, behind):
            return None
        line, end = found.statement.lineno, found.statement.end_lineno or found.statement.lineno
        close = f"{found.wait}{found.name}.close()"
        if not closing:
            text = f"nothing closes the session that {found.function.name}() hands out: its connection stays taken"
            fault = Fault("never-closed", Severity.HIGH, text)
            if not isinstance(found.statement, ast.Expr) or behind:
                return self._unusual(found, found.statement, fault)
            effects = (
                Effect("now-closed", line, "the session is closed when who uses it is done"),
                *self._taken(found),
            )
            ops: tuple[Op, ...] = (self._in_try(found, [], close),)
            return Rewrite(ID, line, end, ops, effects=effects, fault=fault)
        text = (
            f"`yield {found.name}` stands in no try: where the route or block fails, {found.function.name}() ends at "
            "the yield, and the session is never closed"
        )
        fault = Fault("yield-outside-try", Severity.HIGH, text)
        actions = [action_of(s) for s in behind]
        wanted = [(found.name, "close")] if len(behind) == 1 else [(found.name, "commit"), (found.name, "close")]
        if actions != wanted or not isinstance(found.statement, ast.Expr):
            return self._unusual(found, behind[-1], fault)
        ops = (self._in_try(found, behind[:-1], close), *(ReplaceStatement(self.module.span(s)) for s in behind))
        return Rewrite(ID, line, behind[-1].end_lineno or line, ops, effects=self._taken(found), fault=fault)

    def _taken(self, found: Generator) -> tuple[Effect, ...]:
        """What becomes of those who leave the generator before its end, so that only its `finally` is run."""
        place = self.index.taken(found.function.name)
        if not place:
            return ()
        text = (
            f"{place} takes the session without running {found.function.name}() to its end, or may: there the finally "
            "is run when the generator is let go, which may be at once, and nothing else behind the yield is"
        )
        return (Effect("taken-by-hand", found.statement.lineno, text),)

    def _in_try(self, found: Generator, inside: list[ast.stmt], close: str) -> ReplaceStatement:
        body = [found.statement, *inside]
        lines = ["try:", *(indented(self.module.written(s)) for s in body), "finally:", f"    {close}"]
        return ReplaceStatement(self.module.span(found.statement), "\n".join(lines))

    def _is_owned_by_with(self, found: Generator) -> bool:
        """Whether a with around the yield, or one that the session is entered into, ends it."""
        for parent in self.module.ancestors(found.statement):
            if parent is found.function:
                break
            if isinstance(parent, ast.With | ast.AsyncWith):
                return True
            if isinstance(parent, ast.Try) and any(
                isinstance(n, ast.expr) and _closes(n, found.name) for s in parent.finalbody for n in ast.walk(s)
            ):
                return True
        return False

    def _handed_on(self, found: Generator) -> bool:
        """Whether other code is handed the session, and may close it."""
        for node in ast.walk(found.function):
            if isinstance(node, ast.Call) and any(
                isinstance(a, ast.Name) and a.id == found.name for a in (*node.args, *(k.value for k in node.keywords))
            ):
                return True
        return False

    def _closes_plainly(self, found: Generator, behind: list[ast.stmt]) -> bool:
        """Whether the only close stands behind the yield, where an error does not come to."""
        nodes = [n for n in ast.walk(found.function) if isinstance(n, ast.expr) and _closes(n, found.name)]
        around = [self.module.statement(n) for n in nodes]
        return len(nodes) == 1 and any(s is around[0] for s in behind)

    def _unusual(self, found: Generator, end: ast.stmt, fault: Fault) -> Refusal:
        text = "more than commit and close stands behind the yield, or it is part of an expression"
        reason = Reason("unusual-shape", f"{text}; write try, yield, finally by hand")
        first = found.statement.lineno
        return Refusal(ID, first, max(first, end.end_lineno or first), reason, fault)

    # Changes that are never stored

    def _never_commits(self, found: Generator) -> Site | None:
        if found.is_manager or any(_is_commit(n) for n in ast.walk(found.function)):
            return None
        around = [p for p in self.module.ancestors(found.statement) if isinstance(p, ast.With | ast.AsyncWith)]
        if any(self._may_commit(item.context_expr) for with_ in around for item in with_.items):
            return None
        users = self.index.dependents(self.module.source.path, found.function.name)
        losing = [(p, d, f"{p}:{d.writes}") for p, d in users if d.writes and not d.commits and not d.hands_on]
        follow = Handed(self.index)
        handing = [(p, d) for p, d in users if d.hands_on and not d.commits]
        losing += [found for p, d in handing for found in follow.losing(p, d)]
        if not losing or any(d.commits and d.yields for _, d in users):
            return None  # a dependency beside the routes commits the session that they share
        fault = Fault("never-committed", Severity.CRITICAL, self._loses(found, users, losing))
        if not isinstance(found.statement, ast.Expr):
            return self._unusual(found, found.statement, fault)
        first, last, ops = self._form(found)
        effects = (
            Effect("now-commits", found.statement.lineno, "what a route leaves uncommitted is stored when it is done"),
            Effect(
                "after-response",
                found.statement.lineno,
                "FastAPI runs what follows the yield after the response: a commit that fails there was answered with "
                "success; commit in the route where that matters",
            ),
        )
        return Rewrite(ID, first, last, ops, effects=effects, fault=fault)

    def _may_commit(self, node: ast.expr) -> bool:
        """Whether what is entered around the yield commits by itself: `session.begin()`, a scope that does or may."""
        call = node.value if isinstance(node, ast.Await) else node
        if not isinstance(call, ast.Call) or (isinstance(call.func, ast.Attribute) and call.func.attr == "begin"):
            return True
        scope = self.index.scope_of(call, self.module)
        if scope is not None:
            return scope.commits is not Tri.NO
        return self.index.source_of(call, self.module) is None

    @staticmethod
    def _loses(found: Generator, users: list[tuple[str, Dependent]], losing: list[tuple[str, Dependent, str]]) -> str:
        path, first, place = losing[0]
        more = f" and {len(losing) - 1} more of {len(users)}" if len(losing) > 1 else ""
        if place == f"{path}:{first.writes}":
            what = f"{first.name}() ({place}){more} writes without one"
        else:
            what = f"{first.name}() ({path}:{first.line}){more} lets others write, at {place}, and none of them commits"
        return (
            f"{found.function.name}() closes the session without commit, and {what}: answered with success, and never "
            "stored"
        )

    def _form(self, found: Generator) -> tuple[int, int, tuple[Op, ...]]:
        """The commit/rollback/close form: the try around the yield anew, or a try of its own inside it."""
        around = self.module.parents[found.statement]
        commit, rollback = (f"{found.wait}{found.name}.{action}()" for action in ("commit", "rollback"))
        text = indented(self.module.written(found.statement))
        new = ["try:", text, f"    {commit}", "except Exception:", f"    {rollback}", "    raise"]
        if (
            isinstance(around, ast.Try)
            and around.body == [found.statement]
            and not around.handlers
            and not around.orelse
        ):
            lines = self.module.lines[around.lineno - 1 : around.end_lineno]
            if not any("#" in line for line in lines):
                final = ["finally:", *(indented(self.module.written(s)) for s in around.finalbody)]
                op = ReplaceStatement(self.module.span(around), "\n".join([*new, *final]))
                return around.lineno, around.end_lineno or around.lineno, (op,)
        first, last = found.statement.lineno, found.statement.end_lineno or found.statement.lineno
        return first, last, (ReplaceStatement(self.module.span(found.statement), "\n".join(new)),)


def action_of(statement: ast.stmt) -> tuple[str, str]:
    """The receiver and the method of a statement that is one call without arguments, such as `s.close()`."""
    match statement:
        case (
            ast.Expr(value=ast.Call(func=ast.Attribute(value=receiver, attr=attr), args=[], keywords=[]))
            | ast.Expr(
                value=ast.Await(value=ast.Call(func=ast.Attribute(value=receiver, attr=attr), args=[], keywords=[]))
            )
        ):
            return dotted(receiver), attr
        case _:
            return "", ""


def _closes(node: ast.expr, name: str) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=base), attr="close" | "aclose")):
            return base == name
        case ast.Call(func=ast.Attribute(attr="remove" | "close_all")):
            return True
        case _:
            return False


def _is_commit(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "commit"


def _raises(handler: ast.ExceptHandler) -> bool:
    return any(isinstance(n, ast.Raise) for n in ast.walk(handler))
