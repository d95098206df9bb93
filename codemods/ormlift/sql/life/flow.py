"""Which definition reaches which use, inside one function: a forward walk over statements in the order they run.

Besides names it follows *marks*: made-up names that the caller defines and uses at chosen nodes, such as "what was last
executed on this cursor" or "what was written and not committed". Loops are walked until nothing changes, a handler may
be entered from anywhere in its try, nested functions count as uses at any time.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ormlift.syntax import FunctionNode

Definitions = frozenset[ast.AST]
State = dict[str, Definitions]


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happens to a made-up name when a node has been evaluated."""

    name: str
    defines: bool  # false: uses it


Marker = Callable[[ast.AST], Iterable[Mark]]


def no_marks(_: ast.AST) -> Iterable[Mark]:
    """Follow names only."""
    return ()


@dataclass
class Flow:
    """What was found. Definitions are the nodes that bind: the `Name` stored, the statement, or the marked node."""

    reaching: dict[tuple[ast.AST, str], Definitions] = field(default_factory=dict)
    captured: dict[str, list[ast.Name]] = field(default_factory=dict)  # uses inside nested functions and lambdas
    exits: list[tuple[ast.stmt | None, State]] = field(default_factory=list)  # return statements; None: the end
    definitions: dict[str, set[ast.AST]] = field(default_factory=dict)

    def of(self, node: ast.AST, name: str = "") -> Definitions:
        """The definitions of a name (or mark) that may reach this use of it."""
        if not name and isinstance(node, ast.Name):
            name = node.id
        return self.reaching.get((node, name), frozenset())


def flow(
    body: Sequence[ast.stmt],
    marker: Marker = no_marks,
    arguments: ast.arguments | None = None,
    swallows: Callable[[ast.With | ast.AsyncWith], bool] | None = None,
    held: Mapping[str, ast.AST] | None = None,
) -> Flow:
    """Walk the statements of a function's (or module's) body. Parameters count as defined by their `ast.arg`.

    `swallows`: whether a with may keep back what its block raises; by default where it says suppress.
    `held`: names and marks that are defined before the first statement, and by what.
    """
    walker = _Walker(marker, swallows or _suppresses)
    if arguments is not None:
        for arg in _arguments(arguments):
            walker.define(arg.arg, arg)
    for name, node in (held or {}).items():
        walker.define(name, node)
    walker.suite(body)
    if not walker.dead:
        walker.result.exits.append((None, dict(walker.state)))
    return walker.result


def _suppresses(node: ast.With | ast.AsyncWith) -> bool:
    return any("suppress" in ast.dump(item.context_expr) for item in node.items)


def _arguments(arguments: ast.arguments) -> list[ast.arg]:
    listed = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return [*listed, *(a for a in (arguments.vararg, arguments.kwarg) if a is not None)]


def join(*states: State | None) -> State:
    """What may hold where ways meet; None stands for a way that is never taken."""
    joined: State = {}
    for state in states:
        for name, nodes in (state or {}).items():
            joined[name] = joined.get(name, frozenset()) | nodes
    return joined


@dataclass
class _Loop:
    breaks: list[State] = field(default_factory=list)
    continues: list[State] = field(default_factory=list)


class _Walker:
    """The walk itself; `state` is what holds now, `dead` is true behind a return."""

    def __init__(self, marker: Marker, swallows: Callable[[ast.With | ast.AsyncWith], bool]) -> None:
        self.marker, self.swallows = marker, swallows
        self.result = Flow()
        self.state: State = {}
        self.dead = False
        self.tries: list[State] = []
        self.shared: State = {}  # what nested functions may bind at any time from their definition on
        self.loops: list[_Loop] = []

    # What happens to names

    def define(self, name: str, node: ast.AST) -> None:
        self.result.definitions.setdefault(name, set()).add(node)
        self.state[name] = frozenset({node})
        for seen in self.tries:
            seen[name] = seen.get(name, frozenset()) | {node}

    def use(self, name: str, node: ast.AST) -> None:
        key = (node, name)
        known = self.state.get(name, frozenset()) | self.shared.get(name, frozenset())
        self.result.reaching[key] = self.result.reaching.get(key, frozenset()) | known

    # Expressions, in the order of evaluation

    def visit(self, node: ast.AST | None) -> None:
        if node is None:
            return
        match node:
            case ast.Name():
                (self.use if isinstance(node.ctx, ast.Load) else self.define)(node.id, node)
            case ast.NamedExpr():
                self.visit(node.value)
                self.visit(node.target)
            case ast.BoolOp():
                self._either(node.values)
            case ast.IfExp():
                self.visit(node.test)
                self._branches([node.body], [node.orelse])
            case ast.Lambda():
                self._capture(node)
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp():
                self._comprehension(node.generators, [node.elt])
            case ast.DictComp():
                self._comprehension(node.generators, [node.key, node.value])
            case _:
                for child in ast.iter_child_nodes(node):
                    self.visit(child)
        self._mark(node)

    def _mark(self, node: ast.AST) -> None:
        for mark in self.marker(node):
            (self.define if mark.defines else self.use)(mark.name, node)

    def _either(self, values: Sequence[ast.expr]) -> None:
        self.visit(values[0])
        ends = [dict(self.state)]
        for value in values[1:]:
            self.visit(value)
            ends.append(dict(self.state))
        self.state = join(*ends)

    def _branches(self, first: Sequence[ast.AST], second: Sequence[ast.AST]) -> None:
        before = dict(self.state)
        for node in first:
            self.visit(node)
        after = self.state
        self.state = before
        for node in second:
            self.visit(node)
        self.state = join(after, self.state)

    def _comprehension(self, generators: Sequence[ast.comprehension], results: Sequence[ast.expr]) -> None:
        bound = {n.id for g in generators for n in ast.walk(g.target) if isinstance(n, ast.Name)}
        hidden = {name: self.state.get(name) for name in bound}
        for generator in generators:
            self.visit(generator.iter)
            self.visit(generator.target)
            for condition in generator.ifs:
                self.visit(condition)
        for result in results:
            self.visit(result)
        for name, definitions in hidden.items():
            if definitions is None:
                self.state.pop(name, None)
            else:
                self.state[name] = definitions

    def _capture(self, node: ast.AST) -> None:
        """A nested function: its defaults run now, its body at any time."""
        bound: set[str] = set()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            for default in [*node.args.defaults, *node.args.kw_defaults]:
                self.visit(default)
            bound = {a.arg for a in _arguments(node.args)}
        if isinstance(node, FunctionNode | ast.ClassDef):
            for decorator in node.decorator_list:
                self.visit(decorator)
        body = [node.body] if isinstance(node, ast.Lambda) else getattr(node, "body", [])
        for inner in (n for part in body for n in ast.walk(part)):
            if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Load) and inner.id not in bound:
                self.result.captured.setdefault(inner.id, []).append(inner)
        if isinstance(node, FunctionNode):
            self._share(node)

    def _share(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        names = {name for n in ast.walk(function) if isinstance(n, ast.Nonlocal) for name in n.names}
        for inner in ast.walk(function):
            if isinstance(inner, ast.Name) and inner.id in names and not isinstance(inner.ctx, ast.Load):
                self.shared[inner.id] = self.shared.get(inner.id, frozenset()) | {inner}
                self.result.definitions.setdefault(inner.id, set()).add(inner)

    # Statements

    def suite(self, statements: Sequence[ast.stmt]) -> None:
        for statement in statements:
            self._statement(statement)

    def _statement(self, node: ast.stmt) -> None:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                self._capture(node)
                self.define(node.name, node)
            case ast.If():
                self.visit(node.test)
                self._ways([lambda: self.suite(node.body), lambda: self.suite(node.orelse)])
            case ast.For() | ast.AsyncFor():
                self.visit(node.iter)
                self._loop(node, endless=False)
            case ast.While():
                self._loop(node, endless=isinstance(node.test, ast.Constant) and bool(node.test.value))
            case ast.Try() | ast.TryStar():
                self._try(node)
            case ast.With() | ast.AsyncWith():
                self._with(node)
            case ast.Match():
                self.visit(node.subject)
                self._ways([*(lambda c=c: self._case(c) for c in node.cases), lambda: None])
            case _:
                self._simple(node)
        self._mark(node)

    def _simple(self, node: ast.stmt) -> None:
        match node:
            case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
                self._assign(node)
            case ast.Return():
                self.visit(node.value)
                self._mark(node)
                if not self.dead:
                    self.result.exits.append((node, dict(self.state)))
                self._stop()
            case ast.Raise():
                self.visit(node.exc)
                self.visit(node.cause)
                self._stop()
            case ast.Break() | ast.Continue():
                self._mark(node)
                if self.loops and not self.dead:
                    loop = self.loops[-1]
                    (loop.breaks if isinstance(node, ast.Break) else loop.continues).append(dict(self.state))
                self._stop()
            case ast.Import() | ast.ImportFrom():
                for alias in node.names:
                    self.define(alias.asname or alias.name.split(".")[0], node)
            case _:
                for child in ast.iter_child_nodes(node):
                    self.visit(child)

    def _assign(self, node: ast.Assign | ast.AnnAssign | ast.AugAssign) -> None:
        if node.value is None:
            return
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            self.use(node.target.id, node.target)
        self.visit(node.value)
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            self.visit(target)

    def _stop(self) -> None:
        self.dead, self.state = True, {}

    def _ways(self, ways: Iterable[Callable[[], None]]) -> None:
        """Several ways from here, of which one is taken."""
        before, dead = dict(self.state), self.dead
        ends: list[State | None] = []
        for way in ways:
            self.state, self.dead = dict(before), dead
            way()
            ends.append(None if self.dead else self.state)
        self.state, self.dead = join(*ends), all(end is None for end in ends)

    def _case(self, case: ast.match_case) -> None:
        for pattern in ast.walk(case.pattern):
            if isinstance(pattern, ast.MatchAs | ast.MatchStar) and pattern.name:
                self.define(pattern.name, pattern)
            elif isinstance(pattern, ast.MatchMapping) and pattern.rest:
                self.define(pattern.rest, pattern)
        self.visit(case.guard)
        self.suite(case.body)

    def _loop(self, node: ast.For | ast.AsyncFor | ast.While, *, endless: bool) -> None:
        dead = self.dead
        entry = dict(self.state)
        loop = _Loop()
        while True:
            self.state, self.dead = dict(entry), dead
            self.loops.append(loop)
            self.visit(node.test if isinstance(node, ast.While) else node.target)
            header = dict(self.state) if isinstance(node, ast.While) else entry
            self.suite(node.body)
            self.loops.pop()
            again = join(entry, *loop.continues, None if self.dead else self.state)
            if again == entry:
                break
            entry = again
        self.state, self.dead = dict(header), dead or endless
        if self.dead:
            self.state = {}
        self.suite(node.orelse)
        self.state = join(None if self.dead else self.state, *loop.breaks)
        self.dead = dead or (self.dead and not loop.breaks)

    def _try(self, node: ast.Try | ast.TryStar) -> None:
        if not node.finalbody:
            self._handled(node)
            return
        dead = self.dead
        self.tries.append(dict(self.state))
        self._handled(node)
        anywhere = self.tries.pop()
        end, ended = dict(self.state), self.dead
        self.state, self.dead = anywhere, dead
        self.suite(node.finalbody)
        self.state, self.dead = end, ended
        if not ended:
            self.suite(node.finalbody)

    def _handled(self, node: ast.Try | ast.TryStar) -> None:
        dead = self.dead
        self.tries.append(dict(self.state))
        self.suite(node.body)
        anywhere = self.tries.pop()
        end: State | None = None if self.dead else self.state
        if end is not None and node.orelse:
            self.suite(node.orelse)
            end = None if self.dead else self.state
        ends = [end]
        for handler in node.handlers:
            self.state, self.dead = dict(anywhere), dead
            self.visit(handler.type)
            if handler.name:
                self.define(handler.name, handler)
            self.suite(handler.body)
            ends.append(None if self.dead else self.state)
        self.state, self.dead = join(*ends), all(e is None for e in ends)

    def _with(self, node: ast.With | ast.AsyncWith) -> None:
        swallows = self.swallows(node)
        for item in node.items:
            self.visit(item.context_expr)
            self._mark(item)
            self.visit(item.optional_vars)
        dead = self.dead
        self.tries.append(dict(self.state))
        self.suite(node.body)
        anywhere = self.tries.pop()
        if swallows:
            self.state, self.dead = join(None if self.dead else self.state, anywhere), dead
