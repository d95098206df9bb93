"""Rows followed to their uses: what must be written anew, what changes, and what cannot be followed.

A `Fact` says what a value is: rows, one row, or one cell of a row. It spreads from the fetch through names, loops and
unpacking until every use is seen. Then each use is judged by `judge`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from ormlift.sql.life.flow import Flow
from ormlift.sql.rows.context import Context, Stands, context
from ormlift.sql.statement import ResultColumn
from ormlift.syntax import Module


class Is(StrEnum):
    """What a value is."""

    ROWS = "rows"  # a list of rows, or something to iterate over
    ROW = "row"  # one row, or None
    CELL = "cell"  # one value of a row
    PAIRS = "pairs"  # enumerate(rows)


@dataclass(frozen=True)
class Fact:
    """What a value is, and of which columns."""

    kind: Is
    columns: tuple[ResultColumn, ...]
    mapping: bool = False  # the raw rows could be read by name
    sequence: bool = True  # the raw rows could be taken apart: a tuple or sqlite3.Row, no dict
    cell: int = 0  # for a cell: which column

    @property
    def column(self) -> ResultColumn:
        """The column of a cell."""
        return self.columns[self.cell]


@dataclass(frozen=True, eq=False)
class Seen:
    """One expression that holds rows, a row or a cell."""

    node: ast.expr
    fact: Fact
    context: Context
    sure: bool  # false: another value may stand here too


_GROWS = frozenset(["append", "insert", "extend"])
_SAME_ROWS = frozenset(["list", "tuple", "sorted", "reversed", "iter"])


class Follower:
    """Spreads facts over one function."""

    def __init__(self, module: Module, flow: Flow) -> None:
        self.module = module
        self.flow = flow
        self.bound: dict[ast.AST, Fact] = {}
        self.values: dict[ast.AST, ast.expr] = {}  # what is bound: the expression that it was taken from
        self.roots: set[ast.AST] = set()  # where rows are fetched
        self.clash: set[ast.AST] = set()
        self.mixed: set[ast.AST] = set()  # lists of rows that something else is put into
        self.visited: dict[ast.expr, Fact] = {}

    def seen(self) -> Iterator[Seen]:
        """Every expression that a fact reached, in source order. Call after all fetches have been started."""
        for node, fact in sorted(self.visited.items(), key=lambda item: (item[0].lineno, item[0].col_offset)):
            yield Seen(node, fact, context(node, self.module), self._is_sure(node, fact))

    def is_sure(self, node: ast.expr) -> bool:
        """Whether an expression that a fact reached can be nothing else, or None."""
        return node in self.visited and self._is_sure(node, self.visited[node])

    def start(self, node: ast.expr, fact: Fact) -> None:
        """The value of `node` is what `fact` says."""
        self.roots.add(node)
        work = [(node, fact)]
        while work:
            work += self._visit(*work.pop())

    def _is_sure(self, node: ast.expr, fact: Fact, depth: int = 12) -> bool:
        """Whether nothing else than what `fact` says, or None, can be the value of `node`."""
        if depth == 0 or node in self.roots:
            return depth > 0
        match node:
            case ast.Name():
                return self._is_sure_name(node, fact, depth - 1)
            case ast.BoolOp(values=values):
                return all(self._may_stand(value, fact, depth - 1) for value in values)
            case ast.IfExp(body=body, orelse=orelse):
                return self._may_stand(body, fact, depth - 1) and self._may_stand(orelse, fact, depth - 1)
            case ast.Subscript(value=inner) | ast.Call(func=ast.Attribute(value=inner)) if inner in self.visited:
                return self._is_sure(inner, self.visited[inner], depth - 1)
            case ast.Call(args=[inner]) if inner in self.visited:
                return self._is_sure(inner, self.visited[inner], depth - 1)
            case _:
                return True

    def _may_stand(self, value: ast.expr, fact: Fact, depth: int) -> bool:
        """Whether an operand is followed itself, or None, or no rows at all."""
        if isinstance(value, ast.Constant):
            return value.value is None
        if isinstance(value, ast.List | ast.Tuple) and not value.elts and fact.kind is Is.ROWS:
            return True
        return value in self.visited and self._is_sure(value, self.visited[value], depth)

    def _is_sure_name(self, node: ast.Name, fact: Fact, depth: int) -> bool:
        for definition in self.flow.of(node):
            if definition in self.clash | self.mixed:
                return False
            if self._is_none(definition):
                continue
            value = self.values.get(definition)
            known = value is None or value not in self.visited or self._is_sure(value, self.visited[value], depth)
            if self.bound.get(definition) != fact or not known:
                return False
        return node not in self.flow.captured.get(node.id, ()) or self._is_only(node.id, fact)

    def _is_only(self, name: str, fact: Fact) -> bool:
        definitions = self.flow.definitions.get(name, set())
        return all(self.bound.get(d) == fact or self._is_none(d) for d in definitions)

    def _is_none(self, definition: ast.AST) -> bool:
        parent = self.module.parents.get(definition)
        value = parent.value if isinstance(parent, ast.Assign | ast.AnnAssign) else None
        return isinstance(value, ast.Constant) and value.value is None

    def _visit(self, node: ast.expr, fact: Fact) -> Iterable[tuple[ast.expr, Fact]]:
        if node in self.visited:
            return
        self.visited[node] = fact
        around = context(node, self.module)
        match around.stands:
            case Stands.BOUND:
                for target in around.targets:
                    yield from self._bind(target, fact, node)
                if isinstance(around.around, ast.NamedExpr):
                    yield around.around, fact
            case Stands.UNPACKED:
                yield from self._unpack(around.targets, fact, node)
            case Stands.LOOPED:
                yield from self._loop(around.targets[0], fact, node)
            case Stands.INDEXED | Stands.LABELLED | Stands.SUBSCRIPTED | Stands.SLICED:
                yield from self._element(around, fact)
            case Stands.PASSED:
                assert isinstance(around.around, ast.expr)
                yield around.around, fact
            case Stands.CALLED:
                yield from self._called(around, fact)
            case Stands.METHOD if fact.kind is Is.ROWS and around.key in _GROWS and isinstance(node, ast.Name):
                self.mixed |= self.flow.of(node)
            case Stands.METHOD if around.key == "get" and fact.kind is Is.ROW and fact.mapping:
                yield from self._got(around, fact)
            case _:
                pass

    def _bind(self, target: ast.expr, fact: Fact, value: ast.expr) -> Iterator[tuple[ast.expr, Fact]]:
        if not isinstance(target, ast.Name):
            return
        self.values[target] = value
        if self.bound.get(target, fact) != fact:
            self.clash.add(target)
        self.bound[target] = fact
        for (node, name), definitions in self.flow.reaching.items():
            if name == target.id and target in definitions and isinstance(node, ast.Name):
                yield node, fact
        for node in self.flow.captured.get(target.id, ()):
            yield node, fact

    def _unpack(self, targets: Iterable[ast.expr], fact: Fact, value: ast.expr) -> Iterator[tuple[ast.expr, Fact]]:
        listed = list(targets)
        if fact.kind is Is.ROWS:
            for target in listed:
                yield from self._bind(target, replace(fact, kind=Is.ROW), value)
        elif fact.kind is Is.ROW and len(listed) == len(fact.columns):
            for index, target in enumerate(listed):
                yield from self._bind(target, replace(fact, kind=Is.CELL, cell=index), value)

    def _loop(self, target: ast.expr, fact: Fact, value: ast.expr) -> Iterator[tuple[ast.expr, Fact]]:
        if fact.kind is Is.PAIRS and isinstance(target, ast.Tuple) and len(target.elts) == 2:
            yield from self._target(target.elts[1], replace(fact, kind=Is.ROW), value)
        elif fact.kind is Is.ROWS:
            yield from self._target(target, replace(fact, kind=Is.ROW), value)

    def _target(self, target: ast.expr, fact: Fact, value: ast.expr) -> Iterator[tuple[ast.expr, Fact]]:
        if isinstance(target, ast.Tuple | ast.List):
            yield from self._unpack(target.elts, fact, value)
        else:
            yield from self._bind(target, fact, value)

    def _element(self, around: Context, fact: Fact) -> Iterator[tuple[ast.expr, Fact]]:
        assert isinstance(around.around, ast.Subscript)
        if fact.kind is Is.ROWS:
            kind = Is.ROWS if around.stands is Stands.SLICED else Is.ROW
            yield around.around, replace(fact, kind=kind)
        elif fact.kind is Is.ROW:
            index = column_index(around, fact)
            if index is not None:
                yield around.around, replace(fact, kind=Is.CELL, cell=index)

    def _got(self, around: Context, fact: Fact) -> Iterator[tuple[ast.expr, Fact]]:
        call = around.around
        assert isinstance(call, ast.Call)
        index = label_index(call.args[0], fact) if call.args else None
        if index is not None:
            yield call, replace(fact, kind=Is.CELL, cell=index)

    def _called(self, around: Context, fact: Fact) -> Iterator[tuple[ast.expr, Fact]]:
        call = around.around
        assert isinstance(call, ast.Call)
        plain = len(call.args) == 1 and not call.keywords
        if fact.kind is Is.ROWS and around.key in _SAME_ROWS and plain:
            yield call, fact
        elif fact.kind is Is.ROWS and around.key == "enumerate":
            yield call, replace(fact, kind=Is.PAIRS)


def column_index(around: Context, fact: Fact) -> int | None:
    """Which column a subscript of a row reads, counted from 0."""
    if isinstance(around.key, int):
        index = around.key + len(fact.columns) if around.key < 0 else around.key
        return index if 0 <= index < len(fact.columns) else None
    return _label(around.key, fact) if around.stands is Stands.LABELLED and fact.mapping else None


def label_index(node: ast.expr, fact: Fact) -> int | None:
    """Which column a constant names."""
    return _label(node.value, fact) if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _label(label: str, fact: Fact) -> int | None:
    found = [i for i, c in enumerate(fact.columns) if c.label and c.label.lower() == label.lower()]
    exact = [i for i in found if fact.columns[i].label == label]
    if len(exact) == 1:
        return exact[0]
    return found[0] if len(found) == 1 else None
