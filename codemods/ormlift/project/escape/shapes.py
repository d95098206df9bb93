"""The shapes that a session's life has in one function, from `name = <call>` to its close.

Six are known; each tells which statements stand inside the scope and which go:
- `after`: the assignment, perhaps statements, then a try whose finally closes;
- `inside`: the assignment stands in the try (perhaps `name = None` before it), whose handlers don't know the session;
- `around`: the same, but handlers use the session, so that the whole try goes inside the scope;
- `straight`: the assignment, statements, then a plain close;
- `paths`: the assignment, then statements that close on each way out: before a return, in a handler, at the end;
- `open`: the assignment, and nothing that closes: its life ends with the last statement that uses it or its instances.
A close right before a return or raise goes as well, whatever the shape.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ormlift.model import Reason
from ormlift.project.escape.closing import Closers, closing_calls, is_close, is_idle
from ormlift.project.flow.knowledge import Knowledge, leaves
from ormlift.project.flow.values import ENTITY, KEPT, Kind, Values
from ormlift.syntax import FunctionNode, Module, suites


@dataclass(frozen=True)
class Shape:
    """One session's life."""

    kind: str  # after | inside | around | straight | paths | open
    body: tuple[ast.stmt, ...]  # siblings that stand inside the scope
    removed: tuple[ast.stmt, ...]  # the assignment, its guard, and closes outside a finally that goes
    opened: ast.Try | None = None  # the try whose finally goes whole
    closes: tuple[ast.stmt, ...] = ()  # the closes, wherever they stand
    last: ast.stmt | None = None  # the last statement that belongs to the site
    around: ast.With | ast.AsyncWith | None = None  # the `with` that opens and closes it already

    @property
    def first(self) -> ast.stmt:
        """The statement that opens the site; a try that is opened into the scope is a part of it."""
        opened: list[ast.stmt] = [self.opened] if self.opened is not None and not self.opened.handlers else []
        opened += [self.around] if self.around is not None else []
        return min((*self.removed, *self.body, *opened), key=lambda s: s.lineno)

    @property
    def end_line(self) -> int:
        """The site's last line."""
        parts = [*self.removed, *self.body, *([self.last] if self.last else [])]
        return max(s.end_lineno or s.lineno for s in parts)


@dataclass(frozen=True)
class Matcher:
    """Finds the shape of one assignment."""

    module: Module
    name: str
    assign: ast.stmt
    closers: Closers
    knowledge: Knowledge

    def match(self) -> Shape | Reason:
        """The shape, or why there is none."""
        shape = self._match()
        return shape if isinstance(shape, Reason) else self._with_early(shape)

    def _match(self) -> Shape | Reason:
        suite = self.module.suite(self.assign)
        index = next(i for i, s in enumerate(suite) if s is self.assign)
        rest = suite[index + 1 :]
        for offset, statement in enumerate(rest):
            if isinstance(statement, ast.Try) and self._closes_in(statement.finalbody):
                return self._after(rest[: offset + 1], statement)
            if is_close(statement, self.name, self.closers):
                return self._paths_of_try(index) or self._straight(rest[:offset], statement)
            if self._rebinds(statement):
                break
        parent = self.module.parents[self.assign]
        if isinstance(parent, ast.Try) and suite is parent.body and self._closes_in(parent.finalbody):
            return self._within(parent, index)
        return self._paths_of_try(index) or self._paths(rest, (self.assign,)) or self._open(rest) or self._why_not()

    # Shapes

    def _after(self, body: Sequence[ast.stmt], closer: ast.Try) -> Shape | Reason:
        ending = self._ending(closer)
        if isinstance(ending, Reason):
            return self._inner(body, closer) or ending
        closes, whole = ending
        removed = (self.assign,) if whole else (self.assign, *closes)
        return Shape("after", tuple(body), removed, closer if whole else None, closes)

    def _inner(self, body: Sequence[ast.stmt], closer: ast.Try) -> Shape | None:
        """The scope inside a try that stands behind the assignment, so that its finally still runs after the close."""
        ending = self._ending(closer, inside=True)
        if isinstance(ending, Reason) or any(self._mentions(s) for s in body[:-1]):
            return None
        if closer.handlers or self._opens_by_await():
            return None  # what opening and closing raise would come to the handlers, or run the rest of the finally
        closes, _ = ending
        before = closer.finalbody[: closer.finalbody.index(closes[0])]
        later = [*closer.handlers, *closer.orelse, *(s for s in closer.finalbody if s not in closes)]
        if not all(is_idle(s) for s in before) or any(self._knows(node, closer.body) for node in later):
            return None
        return Shape("inside", tuple(closer.body), (self.assign, *closes), None, closes, closer)

    def _opens_by_await(self) -> bool:
        value = self.assign.value if isinstance(self.assign, ast.Assign | ast.AnnAssign) else None
        return isinstance(value, ast.Await)

    def _straight(self, body: Sequence[ast.stmt], close: ast.stmt) -> Shape | Reason:
        if not body:
            return Reason("empty-block", "nothing stands between the session and its close; remove both")
        return Shape("straight", tuple(body), (self.assign, close), None, (close,))

    def _within(self, closer: ast.Try, index: int) -> Shape | Reason:
        """The assignment stands in the body of the try that closes."""
        ending = self._ending(closer, inside=True)
        if isinstance(ending, Reason):
            return ending
        earlier = next((s for s in closer.body[:index] if self._mentions(s)), None)
        if earlier is not None:
            text = f"line {earlier.lineno} uses {self.name} before it is bound here"
            return Reason("reassigned", f"{text}; use another name")
        closes, whole = ending
        removed = [self.assign, *self._guard(closer)]
        if not whole:
            removed += closes
        opened = closer if whole else None
        rest = closer.body[index + 1 :]
        later = [*closer.handlers, *closer.orelse, *(s for s in closer.finalbody if s not in closes)]
        knows = any(self._knows(node, rest) for node in later)
        before = closer.finalbody[: closer.finalbody.index(closes[0])]
        if rest and not knows and all(is_idle(s) for s in before):
            return Shape("inside", tuple(rest), tuple(removed), opened, closes, closer)
        ending = self._ending(closer)
        if isinstance(ending, Reason):
            return ending
        if len(closer.body) == 1:
            return Reason("empty-block", "nothing is done with the session; remove it")
        return Shape("around", (closer,), tuple(removed), opened, closes)

    # A close on each way out

    def _with_early(self, shape: Shape) -> Shape:
        """The shape without the closes that stand right before a return or raise."""
        early = [s for s in self._closes_below(shape.body) if s not in shape.closes and self._leaves(s)]
        return replace(shape, removed=(*shape.removed, *early), closes=(*shape.closes, *early))

    def _paths(self, rest: Sequence[ast.stmt], removed: tuple[ast.stmt, ...]) -> Shape | None:
        """The statements up to the last that closes, if nothing but leaving is done behind each close."""
        ends = [i for i, s in enumerate(rest) if self._closes_in([s])]
        if not ends:
            return None
        body = rest[: ends[-1] + 1]
        closes = self._closes_below(body)
        counted = sum(1 for s in closes for _ in closing_calls(s, self.name, self.closers))
        if counted != sum(1 for s in body for _ in closing_calls(s, self.name, self.closers)):
            return None
        if not all(self._leaves(s, body[-1]) for s in closes):
            return None
        return Shape("paths", tuple(body), (*removed, *closes), None, tuple(closes))

    def _paths_of_try(self, index: int) -> Shape | None:
        """The same where the assignment stands in a try whose handlers close."""
        parent = self.module.parents[self.assign]
        if not (isinstance(parent, ast.Try) and any(s is self.assign for s in parent.body)):
            return None
        if any(self._mentions(s) for s in parent.body[:index]) or len(parent.body) == 1:
            return None
        if not any(self._mentions(s) for s in (*parent.handlers, *parent.orelse)):
            return None
        return self._paths([parent], (self.assign, *self._guard(parent)))

    def _open(self, rest: Sequence[ast.stmt]) -> Shape | None:
        """The statements to the last that uses a session that nothing closes, or what came from it."""
        function = self.module.enclosing_function(self.assign) or self.module.tree
        if any(True for _ in closing_calls(function, self.name, self.closers)):
            return None
        again = next((i for i, s in enumerate(rest) if self._rebinds(s)), len(rest))
        values = Values(rest[:again], self.name, self.knowledge)
        live = {name for name, kind in values.names.items() if kind & (KEPT | Kind.SESSION | Kind.HOLDER | Kind.QUERY)}
        uses = [i for i, s in enumerate(rest[:again]) if _loads(s, live)]
        if not uses or (isinstance(function, ast.Module) and self._seen_outside(function)):
            return None
        body = rest[: uses[-1] + 1]
        known = {id(n) for s in (self.assign, *body, *rest[again:]) for n in ast.walk(s)}
        others = [n for n in ast.walk(function) if isinstance(n, ast.Name) and n.id == self.name and id(n) not in known]
        if any(isinstance(n.ctx, ast.Load) for n in others):
            return None
        return Shape("open", tuple(body), (self.assign,))

    def _seen_outside(self, tree: ast.Module) -> bool:
        """Whether a variable of the module may be imported, or is used by one of its functions."""
        if self.knowledge.imports.may_be_read(self.module.source.path, self.name):
            return True
        return any(isinstance(n, FunctionNode | ast.ClassDef) and self._mentions(n) for n in ast.walk(tree))

    def _closes_below(self, body: Sequence[ast.stmt]) -> list[ast.stmt]:
        """The outermost statements in `body` that close and do nothing else."""
        found: list[ast.stmt] = []
        for statement in body:
            if is_close(statement, self.name, self.closers):
                found.append(statement)
            elif not isinstance(statement, FunctionNode | ast.ClassDef):
                for suite in suites(statement):
                    found += self._closes_below(suite)
        return found

    def _leaves(self, close: ast.stmt, last: ast.stmt | None = None) -> bool:
        """Whether behind a close nothing is done but to return, raise, or come to the end of `last`."""
        node = close
        while True:
            suite = self.module.suite(node)
            position = next(i for i, s in enumerate(suite) if s is node)
            for following in suite[position + 1 :]:
                if isinstance(following, ast.Return | ast.Raise) or leaves(following):
                    return not self._mentions(following)
                if not is_idle(following):
                    return False
            if node is last:
                return True
            parent = self.module.parents[node]
            holder = parent if isinstance(parent, ast.stmt) else self.module.parents[parent]
            if last is None or not isinstance(holder, ast.If | ast.With | ast.AsyncWith | ast.Try | ast.Match):
                return False
            if isinstance(holder, ast.Try) and (holder.finalbody or (holder.orelse and suite is holder.body)):
                return False
            if holder is last:
                return True
            node = holder

    def _ending(self, closer: ast.Try, *, inside: bool = False) -> tuple[tuple[ast.stmt, ...], bool] | Reason:
        """The statements of a finally that close, and whether nothing else is in it."""
        closes = tuple(s for s in closer.finalbody if is_close(s, self.name, self.closers))
        if not closes:
            text = f"the finally on line {closer.finalbody[0].lineno} closes {self.name} under a condition of its own"
            return Reason("finally-does-more", f"{text}; close it plainly there")
        if len(closes) > 1:
            return Reason("closed-in-several-places", f"{self.name} is closed twice in one finally; close it once")
        position = closer.finalbody.index(closes[0])
        behind = closer.finalbody[position + 1 :]
        if not inside and any(not _empties(s, self.name) and (not is_idle(s) or self._mentions(s)) for s in behind):
            text = f"line {behind[0].lineno} runs after the close, and inside a scope would run before it"
            return Reason("finally-does-more", f"{text}; move it behind the try, or before the close")
        gone = (*closes, *(s for s in behind if _empties(s, self.name)))
        others = [s for s in closer.finalbody if s not in gone and not isinstance(s, ast.Pass)]
        return gone, not others

    def _guard(self, closer: ast.Try) -> list[ast.stmt]:
        """`name = None` before the try, if nothing between uses the name."""
        suite = self.module.suite(closer)
        position = next(i for i, s in enumerate(suite) if s is closer)
        for statement in reversed(suite[:position]):
            if _empties(statement, self.name) and not isinstance(statement, ast.Delete):
                return [statement]
            if self._mentions(statement):
                break
        return []

    def _knows(self, node: ast.AST, body: Sequence[ast.stmt]) -> bool:
        """Whether a handler or the like uses the session, or an instance that came from it."""
        values = Values(body, self.name, self.knowledge)
        names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
        return self.name in names or any(values.names.get(n, Kind.PLAIN) & ENTITY for n in names)

    # Why there is none

    def _why_not(self) -> Reason:
        function = self.module.enclosing_function(self.assign) or self.module.tree
        closes = sorted({call.lineno for call in closing_calls(function, self.name, self.closers)})
        if not closes:
            text = f"{self.name} is never closed in this function; close it in a finally, or open a scope by hand"
            return Reason("never-closed", text)
        starred = [n for n in ast.walk(function) if isinstance(n, ast.TryStar) and self._closes_in(n.finalbody)]
        if starred:
            text = f"the try on line {starred[0].lineno}, which closes {self.name}, has except* handlers"
            return Reason("closed-elsewhere", f"{text}; put a try of its own with the finally around it")
        if len(closes) == 1:
            text = f"{self.name} is closed on line {closes[0]}, apart from the block that opens it"
            return Reason("closed-elsewhere", f"{text}; put a try with a finally right behind the assignment")
        lines = ", ".join(str(line) for line in closes)
        text = f"{self.name} is closed in several places (lines {lines}); close it once, in a finally"
        return Reason("closed-in-several-places", text)

    # Questions

    def _closes_in(self, statements: Sequence[ast.stmt]) -> bool:
        return any(True for s in statements for _ in closing_calls(s, self.name, self.closers))

    def _rebinds(self, statement: ast.stmt) -> bool:
        return isinstance(statement, ast.Assign) and any(
            isinstance(t, ast.Name) and t.id == self.name for t in statement.targets
        )

    def _mentions(self, node: ast.AST) -> bool:
        return any(isinstance(n, ast.Name) and n.id == self.name for n in ast.walk(node))


def _loads(node: ast.AST, names: set[str]) -> bool:
    return any(isinstance(n, ast.Name) and n.id in names for n in ast.walk(node))


def _empties(node: ast.stmt, name: str) -> bool:
    match node:
        case ast.Assign(targets=[ast.Name(id=bound)], value=ast.Constant(value=None)):
            return bound == name
        case ast.Delete(targets=[ast.Name(id=bound)]):
            return bound == name
        case _:
            return False
