"""A result of SQLAlchemy followed to its rows and their uses.

Rows are the same kind of Row before and after, so that they stay as they are read. What may differ is the Python type
of a value, and the names of columns: the one is told or kept out, the other is mended by a label.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from ormlift.model import ReplaceExpr
from ormlift.sql.rows.context import Context, Stands, context
from ormlift.sql.rows.follow import Fact, Follower, Is, Seen
from ormlift.sql.rows.judge import Judge, Judgement, Keep
from ormlift.sql.rows.keyed import Keys

ONE = frozenset(["fetchone", "first", "one", "one_or_none", "next"])
MANY = frozenset(["fetchall", "all", "fetchmany", "partitions", "unique", "yield_per", "tuples", "freeze"])
SCALAR = frozenset(["scalar", "scalar_one", "scalar_one_or_none"])
# What a session's result of a SELECT has no longer: it is no cursor's.
CURSOR = frozenset(["rowcount", "lastrowid", "returns_rows", "inserted_primary_key", "context", "cursor"])
_QUIET = frozenset(["close", "keys", "closed"])
_UNNAMED_CALLS = frozenset(["len", "bool", "tuple", "list", "any", "all", "min", "max", "sum", "next", "print", "str"])
_NUMBERS = frozenset(["len", "bool", "enumerate", "iter", "sorted", "reversed"])


class ResultFollower(Follower):
    """Spreads facts from results as well: through `.mappings()`, `.fetchall()`, and attributes of rows."""

    scalars: dict[ast.expr, Fact]

    def start(self, node: ast.expr, fact: Fact) -> None:
        """The value of `node` is what `fact` says."""
        self.scalars = getattr(self, "scalars", {})
        super().start(node, fact)

    def _is_sure(self, node: ast.expr, fact: Fact, depth: int = 12) -> bool:
        if isinstance(node, ast.Attribute | ast.Await) and node.value in self.visited and depth:
            return self._is_sure(node.value, self.visited[node.value], depth - 1)
        return super()._is_sure(node, fact, depth)

    def _visit(self, node: ast.expr, fact: Fact) -> Iterable[tuple[ast.expr, Fact]]:
        if node in self.visited:
            return
        around = context(node, self.module)
        reached = list(self._reached(around, fact))
        if reached:
            self.visited[node] = fact
            yield from reached
        else:
            yield from super()._visit(node, fact)

    def _reached(self, around: Context, fact: Fact) -> Iterator[tuple[ast.expr, Fact]]:
        node = around.around
        if isinstance(node, ast.Await):
            yield node, fact
        elif fact.kind is Is.ROWS and around.stands is Stands.METHOD and isinstance(node, ast.Call):
            yield from self._method(node, str(around.key), fact)
        elif fact.kind is Is.ROWS and around.stands is Stands.CALLED and around.key in ("next", "min", "max"):
            assert isinstance(node, ast.expr)
            yield node, replace(fact, kind=Is.ROW)
        elif fact.kind is Is.ROW and around.stands is Stands.ATTRIBUTE and isinstance(node, ast.Attribute):
            index = self._column(node.attr, fact)
            if node.attr == "_mapping":
                yield node, replace(fact, mapping=True, sequence=False)
            elif index is not None:
                yield node, replace(fact, kind=Is.CELL, cell=index)
        elif fact.kind is Is.ROW and around.stands is Stands.LABELLED and not fact.mapping:  # of SQLAlchemy 1.x
            index = self._column(str(around.key), fact)
            if index is not None and isinstance(node, ast.expr):
                yield node, replace(fact, kind=Is.CELL, cell=index)
        elif fact.kind is Is.ROW and around.stands is Stands.METHOD and around.key in ("_asdict", "_tuple", "tuple"):
            assert isinstance(node, ast.expr)
            named = around.key == "_asdict"
            yield node, replace(fact, mapping=named, sequence=not named)
        elif fact.kind is Is.ROW and around.stands is Stands.CALLED and around.key == "dict":
            assert isinstance(node, ast.expr)
            yield node, replace(fact, mapping=True, sequence=False)

    def _method(self, call: ast.Call, name: str, fact: Fact) -> Iterator[tuple[ast.expr, Fact]]:
        if name in ONE:
            yield call, replace(fact, kind=Is.ROW)
        elif name in MANY:
            yield call, fact
        elif name == "mappings":
            yield call, replace(fact, mapping=True, sequence=False)
        elif name in SCALAR:
            yield call, replace(fact, kind=Is.CELL, cell=0)
        elif name == "scalars":
            self.scalars[call] = fact

    @staticmethod
    def _column(name: str, fact: Fact) -> int | None:
        found = [i for i, c in enumerate(fact.columns) if name in (c.label, c.attr)]
        return found[0] if len(found) == 1 else None


@dataclass(frozen=True)
class Named:
    """A use that reads columns by their names; `key` is the name, or empty where all of them are seen."""

    line: int
    key: str
    leaves: bool = False  # the row goes where it cannot be followed


def names_read(follower: ResultFollower) -> Iterator[Named]:
    """Where rows are read by name."""
    for seen in follower.seen():
        stands, key, line = seen.context.stands, seen.context.key, seen.node.lineno
        if isinstance(seen.context.around, ast.Await) or seen.fact.kind in (Is.CELL, Is.PAIRS):
            continue
        if seen.fact.kind is Is.ROWS:
            yield from _rows_named(seen)
        elif (stands is Stands.ATTRIBUTE and key != "_mapping") or stands is Stands.LABELLED:
            yield Named(line, "" if str(key).startswith("_") else str(key))
        elif stands is Stands.METHOD and key == "get" and isinstance(seen.context.around, ast.Call):
            argument = seen.context.around.args[0] if seen.context.around.args else None
            constant = argument.value if isinstance(argument, ast.Constant) else ""
            yield Named(line, str(constant))
        elif _sees_names(seen):
            yield Named(line, "", leaves=stands is Stands.LEAVES)


def _rows_named(seen: Seen) -> Iterator[Named]:
    stands, key = seen.context.stands, seen.context.key
    if stands is Stands.LEAVES or (stands is Stands.METHOD and key == "keys"):
        yield Named(seen.node.lineno, "", leaves=stands is Stands.LEAVES)
    elif (stands is Stands.CALLED and (key not in _UNNAMED_CALLS | _NUMBERS or _has_options(seen))) or (
        stands is Stands.METHOD and key not in ONE | MANY | SCALAR | _QUIET | {"mappings", "scalars"}
    ):
        yield Named(seen.node.lineno, "", leaves=True)


def _has_options(seen: Seen) -> bool:
    """`max(rows, key=..)`: what is given beside may read the rows."""
    return isinstance(seen.context.around, ast.Call) and bool(seen.context.around.keywords)


def _sees_names(seen: Seen) -> bool:
    """Whether a use of a whole row depends on what its columns are called."""
    stands, key, mapping = seen.context.stands, seen.context.key, seen.fact.mapping
    if stands in (Stands.LEAVES, Stands.SPREAD, Stands.SUBSCRIPTED) or (stands is Stands.METHOD):
        return True
    if stands is Stands.CALLED:
        return mapping or key not in _UNNAMED_CALLS
    return mapping and stands in (Stands.LOOPED, Stands.CONTAINED, Stands.FORMATTED, Stands.STARRED, Stands.COMPARED)


class RowJudge(Judge):
    """Judges uses of rows that were SQLAlchemy's before: only the types of values can differ."""

    def _rows(self, seen: Seen) -> Iterator[Judgement]:
        around = seen.context
        follower_goes_on = isinstance(around.around, ast.Await) or around.stands in (
            Stands.BOUND, Stands.TESTED, Stands.BARRED, Stands.PASSED, Stands.DISCARDED, Stands.INDEXED, Stands.SLICED,
        )  # fmt: skip
        if follower_goes_on:
            return
        if around.stands is Stands.LOOPED:
            yield from self._looped(seen, around.targets[0])
        elif around.stands is Stands.METHOD:
            if around.key == "scalars":
                yield from self._scalars(seen)
            elif around.key not in ONE | MANY | SCALAR | _QUIET | {"mappings"}:
                yield from self._values(seen)
        elif not (around.stands is Stands.CALLED and around.key in _NUMBERS) or _has_options(seen):
            yield from self._values(seen)

    def _looped(self, seen: Seen, target: ast.expr) -> Iterator[Judgement]:
        if seen.fact.mapping and isinstance(target, ast.Tuple | ast.List):
            return
        yield from super()._looped(seen, target)

    def _scalars(self, seen: Seen) -> Iterator[Judgement]:
        column = seen.fact.columns[0] if seen.fact.columns else None
        if column is not None and column.changes_type:
            yield from self._type_effect(seen.node.lineno, column)

    def _leaves(self, seen: Seen) -> Iterator[Judgement]:
        yield from self._values(seen)

    def _row(self, seen: Seen) -> Iterator[Judgement]:
        stands, key = seen.context.stands, seen.context.key
        if stands in (Stands.BOUND, Stands.TESTED, Stands.BARRED, Stands.PASSED, Stands.DISCARDED):
            return
        if stands is Stands.UNPACKED:
            yield from self._unpacked(seen, seen.context.targets)
        elif (
            (stands is Stands.ATTRIBUTE and key == "_mapping")
            or (stands in (Stands.INDEXED, Stands.LABELLED, Stands.ATTRIBUTE) and self._is_one(seen))
            or (stands is Stands.METHOD and key in ("_asdict", "get", "keys", "_tuple"))
            or (stands is Stands.CALLED and key in ("dict", "len", "bool"))
        ):
            return
        else:
            yield from self._values(seen)

    def _is_one(self, seen: Seen) -> bool:
        """Whether the cell that is read is followed by itself."""
        key = seen.context.key
        if isinstance(key, int):
            return -len(seen.fact.columns) <= key < len(seen.fact.columns)
        return sum(key in (c.label, c.attr) for c in seen.fact.columns) == 1

    def _cell(self, seen: Seen) -> Iterator[Judgement]:
        column = seen.fact.column
        decoder = self._decoder(seen.node, column) if column.changes_type else None
        if decoder is None or isinstance(seen.node, ast.Name):
            yield from super()._cell(seen)
        elif not seen.sure or isinstance(seen.node, ast.BoolOp | ast.IfExp):
            yield Keep(seen.fact.columns, seen.fact.cell)
        else:
            yield ReplaceExpr(self.module.span(decoder), self._text(seen.node))
            yield from self._decoded(seen, column, decoder)


def judged(follower: ResultFollower, texts: dict[ast.expr, str]) -> Iterator[Judgement]:
    """Every use judged. `texts`: fetches that become another expression."""
    judge = RowJudge(follower.module, Keys(follower), texts, fresh=False, dicts={}, fetches=follower.roots)
    for seen in follower.seen():
        yield from judge.use(seen)
