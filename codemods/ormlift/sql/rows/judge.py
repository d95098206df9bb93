"""Each use of a row judged: it stays, is written anew, changes in a way that is told, or stands in the way."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ormlift.model import Effect, Reason, ReplaceExpr
from ormlift.sql.life.text import edited_text
from ormlift.sql.rows.context import Stands, context, is_local
from ormlift.sql.rows.earlier import handler_left
from ormlift.sql.rows.follow import Follower, Is, Seen, column_index, label_index
from ormlift.sql.rows.handing import handed_on, may_be_none
from ormlift.sql.rows.keyed import Key, Keys
from ormlift.sql.statement import ResultColumn
from ormlift.syntax import FunctionNode, Module, dotted

_TAKEN = frozenset({"count", "index", "t", "tuple"})  # attributes of every Row
_NUMBERS = frozenset(["len", "bool", "any", "all", "min", "max", "sum", "next"])
_SAME_WHEN_TESTED = frozenset({"bool", "datetime", "date", "time", "Decimal", "UUID", "enum"})
_HARMLESS = (Stands.BOUND, Stands.TESTED, Stands.BARRED, Stands.PASSED, Stands.DISCARDED)
_TEXT_METHODS = frozenset(dir(str)) - frozenset(dir(object)) - {"encode", "__len__", "get", "isoformat"}
_TEXT_READERS = frozenset(["fromisoformat", "strptime", "loads"])
_PRIMARY = (ast.Name, ast.Call, ast.Attribute, ast.Subscript)


@dataclass(frozen=True)
class Obstacle:
    """A use that can't be written anew."""

    line: int
    reason: Reason


@dataclass(frozen=True)
class Keep:
    """A column whose value is used in a way that only what the driver gave allows."""

    columns: tuple[ResultColumn, ...]
    place: int


Judgement = ReplaceExpr | Effect | Obstacle | Keep


def judge(
    follower: Follower,
    texts: Mapping[ast.expr, str],
    *,
    fresh: bool = False,
    dicts: Mapping[ast.expr, ast.Call] | None = None,
    plain: Collection[ast.AST] = (),
    bound: Collection[ast.AST] = (),
    zipped: Collection[ast.AST] = (),
    driven: Collection[ast.AST] = (),
) -> Iterator[Judgement]:
    """Judge every use. `texts`: fetches that become another expression; `fresh`: there is no behaviour to keep.

    `dicts` are the rows of which `dict(zip(names, row))` is made, with that call; that of `zipped` ones stays. `plain`
    are the parameters of SQL that stays, `bound` those of other statements: what takes values, or JSON, as the driver
    gave them. `driven` goes to the driver itself, which takes no rows of SQLAlchemy's either.
    """
    judge_one = Judge(follower.module, Keys(follower), texts, fresh, dicts or {}, plain, bound, zipped, driven)
    judge_one.fetches = follower.roots
    for seen in follower.seen():
        yield from judge_one.use(seen)


def attribute(column: ResultColumn) -> str:
    """The attribute of a Row that reaches the column, or empty where only its index does."""
    usable = column.attr.isidentifier() and column.attr not in _TAKEN and not column.attr.startswith("_")
    return column.attr if usable else ""


def _adds_text(node: ast.expr, around: ast.AST) -> bool:
    if not isinstance(around, ast.BinOp) or not isinstance(around.op, ast.Add):
        return False
    other = around.right if around.left is node else around.left
    return isinstance(other, ast.JoinedStr) or (isinstance(other, ast.Constant) and isinstance(other.value, str))


def _holds(node: ast.expr, inner: ast.expr) -> bool:
    return any(n is inner for n in ast.walk(node))


@dataclass
class Judge:
    """Judges one use after another."""

    module: Module
    keys: Keys
    texts: Mapping[ast.expr, str]
    fresh: bool
    dicts: Mapping[ast.expr, ast.Call]
    plain: Collection[ast.AST] = ()
    bound: Collection[ast.AST] = ()
    zipped: Collection[ast.AST] = ()
    driven: Collection[ast.AST] = ()
    fetches: Collection[ast.AST] = ()  # where the rows come from

    def _text(self, node: ast.expr) -> str:
        """The new text of an expression, which something is to be asked of."""
        edits = {self.module.span(old): text for old, text in self.texts.items() if old is node or _holds(node, old)}
        text = edited_text(node, edits, self.module)
        return text if isinstance(node, _PRIMARY) else f"({text})"

    def use(self, seen: Seen) -> Iterator[Judgement]:
        """What is to be said of one use."""
        if seen.node in self.dicts:
            yield from self._zipped(seen, self.dicts[seen.node])
            return
        match seen.fact.kind:
            case Is.CELL:
                yield from self._cell(seen)
            case Is.ROW:
                yield from self._row(seen)
            case Is.ROWS:
                yield from self._rows(seen)
            case Is.PAIRS:
                if seen.context.stands is Stands.LOOPED:
                    yield from self._looped(seen, seen.context.targets[0])
                else:
                    yield from self._leaves(seen)

    # Rows

    def _rows(self, seen: Seen) -> Iterator[Judgement]:
        around = seen.context
        match around.stands:
            case Stands.LEAVES | Stands.STARRED | Stands.COMPARED | Stands.OPERATED:
                yield from self._leaves(seen)
            case Stands.LOOPED:
                yield from self._looped(seen, around.targets[0])
            case Stands.UNPACKED if not all(is_local(t, self.module) for t in around.targets):
                yield from self._leaves(seen)
            case Stands.CALLED if around.key not in _NUMBERS and not self._is_followed(seen):
                yield from self._leaves(seen)
            case Stands.METHOD if seen.fact.mapping and around.key not in ("append", "reverse", "clear"):
                yield from self._leaves(seen)
            case Stands.METHOD if around.key in ("append", "extend", "insert", "pop", "sort"):
                yield from self._leaves(seen)
            case Stands.FORMATTED if seen.fact.mapping:
                yield self._effect(seen, "row-leaves", "prints the rows, which look different now")
            case Stands.FORMATTED:
                yield from self._values(seen)
            case _:
                return

    def _looped(self, seen: Seen, target: ast.expr) -> Iterator[Judgement]:
        """`for row in rows`, `for a, b in rows`: what the loop binds must stay in the function to be followed."""
        if seen.fact.kind is Is.PAIRS:
            taken = isinstance(target, ast.Tuple | ast.List) and len(target.elts) == 2
            target = target.elts[1] if taken and isinstance(target, ast.Tuple | ast.List) else target
        if isinstance(target, ast.Tuple | ast.List):
            yield from self._unpacked(seen, target.elts)
        elif not is_local(target, self.module):
            yield from self._leaves(seen)

    def _unpacked(self, seen: Seen, targets: Sequence[ast.expr]) -> Iterator[Judgement]:
        """`a, b = row`: values that no local name is bound to are not followed."""
        columns = seen.fact.columns
        if len(targets) != len(columns) or any(isinstance(t, ast.Starred) for t in targets):
            yield from self._values(seen)
            return
        for target, column in zip(targets, columns, strict=True):
            if column.changes_type and not is_local(target, self.module):
                yield from self._type_effect(seen.node.lineno, column)

    def _is_followed(self, seen: Seen) -> bool:
        call = seen.context.around
        if not isinstance(call, ast.Call):
            return False
        if seen.context.key == "enumerate":
            return True
        return (
            len(call.args) == 1
            and not call.keywords
            and seen.context.key in ("list", "tuple", "sorted", "reversed", "iter")
        )

    # One row

    def _row(self, seen: Seen) -> Iterator[Judgement]:
        stands = seen.context.stands
        if stands in (Stands.INDEXED, Stands.LABELLED):
            yield from self._cell_of(seen)
        elif stands is Stands.OPERATED:
            yield self._obstacle(seen, "row-use", "computes with the row as a tuple")
        elif stands is Stands.CALLED and seen.context.key in _NUMBERS:
            yield from self._values(seen)
        elif stands is Stands.FORMATTED and seen.fact.mapping:
            yield self._effect(seen, "row-leaves", "prints the row, which looks different now")
        elif stands in (Stands.FORMATTED, Stands.UNPACKED) and seen.fact.sequence:
            yield from self._unpacked(seen, seen.context.targets)
        elif stands not in _HARMLESS:
            yield from self._by_name(seen) if seen.fact.mapping else self._by_place(seen)

    def _by_name(self, seen: Seen) -> Iterator[Judgement]:
        """A row of a dict cursor, sqlite3.Row or the like, used as a whole."""
        match seen.context.stands, seen.context.key:
            case Stands.CALLED, "tuple" | "list" if seen.fact.sequence:
                yield from self._values(seen)
            case Stands.CALLED, "dict":
                yield from self._as_dict(seen)
            case Stands.METHOD, "keys" if seen.fact.sequence and not self._is_looped(seen.context.around):
                yield from self._listed_keys(seen)
            case Stands.METHOD, "keys" | "items" | "values":
                yield from self._mapped(seen)
            case Stands.METHOD, "get":
                yield from self._got(seen)
            case Stands.CONTAINED, _ if seen.fact.sequence:
                yield self._obstacle(seen, "row-use", "asks what is in the row, which rows by name answer differently")
            case Stands.SUBSCRIPTED, _ if seen.fact.sequence:
                yield from self._keyed(seen)
            case ((Stands.SPREAD | Stands.CONTAINED | Stands.SUBSCRIPTED), _):
                yield from self._mapped(seen)
            case ((Stands.UNPACKED | Stands.LOOPED | Stands.STARRED | Stands.SLICED), _):
                if seen.fact.sequence:
                    yield from self._values(seen)
                else:
                    yield self._obstacle(seen, "row-use", "takes the row apart")
            case _:
                yield from self._leaves(seen)

    def _by_place(self, seen: Seen) -> Iterator[Judgement]:
        """A row that was a tuple, used as a whole."""
        match seen.context.stands, seen.context.key:
            case Stands.CALLED, "tuple" | "list":
                yield from self._values(seen)
            case ((Stands.LOOPED | Stands.STARRED | Stands.SLICED | Stands.SUBSCRIPTED), _):
                yield from self._values(seen)
            case Stands.SPREAD, _:
                yield self._obstacle(seen, "row-use", "spreads the row as a mapping")
            case _:
                yield from self._leaves(seen)

    def _keyed(self, seen: Seen) -> Iterator[Judgement]:
        """`row[key]` of a row that is read by name and by place."""
        read = seen.context.around
        assert isinstance(read, ast.Subscript)
        key = self.keys.of(read, seen.fact)
        if key is Key.PLACES:
            yield from self._values(seen)
        elif key is Key.OTHERS:
            yield self._obstacle(seen, "row-use", "reads by a key that the statement may not give as a column's name")
        else:
            yield from self._mapped(seen)
        if key is Key.UNKNOWN and not self.fresh:
            what = "reads the row by a key that may be a place, a name in another case, or no column's name"
            yield self._effect(seen, "row-key", what)

    def _cell_of(self, seen: Seen) -> Iterator[Judgement]:
        """`row[3]` and `row["name"]`."""
        node = seen.context.around
        assert isinstance(node, ast.Subscript)
        index = column_index(seen.context, seen.fact)
        if index is None:
            what = f"reads {seen.context.key!r}, which the statement does not give by one column"
            yield self._obstacle(seen, "row-use", what)
            return
        if not seen.sure:
            if seen.context.stands is Stands.LABELLED:
                yield self._obstacle(seen, "row-use", "reads a value that may or may not be this row")
            return
        column = seen.fact.columns[index]
        row = self._text(seen.node)
        held = any(seen.node is old or _holds(seen.node, old) for old in self.texts)
        if held and seen.context.stands is Stands.INDEXED:
            if self._decoder(node, column) is not None:
                yield from self._written(node, f"{row}[{index}]", column)
            return
        name = "" if self._catches_none(node) else attribute(column)
        place = seen.context.key if seen.context.stands is Stands.INDEXED else index
        yield from self._written(node, f"{row}.{name}" if name else f"{row}[{place}]", column)

    def _catches_none(self, node: ast.expr) -> bool:
        """Whether a handler may catch what `None[0]` raises: an attribute of None would raise something else."""
        function = self.module.enclosing_function(node)
        name = function.name if isinstance(function, FunctionNode) else ""
        for handled in (n for n in self.module.parents if isinstance(n, ast.Try)):
            caught = {n.id for h in handled.handlers if h.type for n in ast.walk(h.type) if isinstance(n, ast.Name)}
            if caught & {"TypeError", "AttributeError"}:
                inside = [n for s in handled.body for n in ast.walk(s)]
                calls = (dotted(n.func).rpartition(".")[2] for n in inside if isinstance(n, ast.Call))
                if any(n is node for n in inside) or (name and name in calls):
                    return True
        return False

    def _got(self, seen: Seen) -> Iterator[Judgement]:
        """`row.get("name")`: the column is always there."""
        call = seen.context.around
        assert isinstance(call, ast.Call)
        index = label_index(call.args[0], seen.fact) if call.args else None
        if index is None or not seen.sure:
            yield self._obstacle(seen, "row-use", "asks the row for what the statement may not give")
            return
        name = attribute(seen.fact.columns[index])
        row = self._text(seen.node)
        yield from self._written(call, f"{row}.{name}" if name else f"{row}[{index}]", seen.fact.columns[index])

    def _written(self, node: ast.expr, text: str, column: ResultColumn) -> Iterator[Judgement]:
        """A cell read anew; `json.loads(..)` around it goes where the mapped value is decoded already."""
        decoder = self._decoder(node, column)
        if isinstance(decoder, ast.Call):
            yield ReplaceExpr(self.module.span(decoder), text)
        elif self.module.text(node) != text:
            yield ReplaceExpr(self.module.span(node), text)

    def _zipped(self, seen: Seen, whole: ast.Call) -> Iterator[Judgement]:
        """`dict(zip(names, row))`: the row's own mapping has the names, unless they are changed."""
        columns = seen.fact.columns
        named = all(column.label and column.label == column.attr for column in columns)
        if seen.fact.kind is not Is.ROW or not seen.sure or not named:
            yield self._obstacle(seen, "description", "makes a dict of what the statement's columns do not tell")
            return
        yield from self._kept_json(seen)
        if seen.node not in self.zipped:
            yield ReplaceExpr(self.module.span(whole), f"dict({self._text(seen.node)}._mapping)")
        yield from self._values(seen)

    def _kept_json(self, seen: Seen) -> Iterator[Judgement]:
        """What is decoded by name later is out of sight: JSON stays the text that it was."""
        for place, column in enumerate(seen.fact.columns):
            if self._is_json(column) and not self.fresh:
                yield Keep(seen.fact.columns, place)

    def _as_dict(self, seen: Seen) -> Iterator[Judgement]:
        if any(column.label != column.attr for column in seen.fact.columns):
            yield self._obstacle(seen, "row-use", "makes a dict whose keys would differ from the raw columns' names")
            return
        yield from self._kept_json(seen)
        yield from self._mapped(seen)

    def _is_looped(self, node: ast.AST) -> bool:
        """Whether a list and a view are the same to what is around: `for k in row.keys()`, `"a" in row.keys()`."""
        parent = self.module.parents[node]
        return isinstance(parent, ast.For | ast.comprehension | ast.Compare)

    def _listed_keys(self, seen: Seen) -> Iterator[Judgement]:
        """`row.keys()` of a row that gives a list."""
        plain = all(column.label == column.attr for column in seen.fact.columns)
        if not seen.sure or not plain or not isinstance(seen.context.around, ast.Call):
            yield self._obstacle(seen, "row-use", "reads the row by names that the new row does not have")
            return
        yield ReplaceExpr(self.module.span(seen.context.around), f"list({self._text(seen.node)}._mapping)")

    def _mapped(self, seen: Seen) -> Iterator[Judgement]:
        """Where the row is read as a mapping, its `_mapping` is one."""
        if not seen.sure:
            yield self._obstacle(seen, "row-use", "reads a value that may or may not be this row")
            return
        if any(column.label != column.attr for column in seen.fact.columns):
            yield self._obstacle(seen, "row-use", "reads the row by names that the new row does not have")
            return
        lacks = seen.context.stands is not Stands.METHOD and may_be_none(seen.node, self.module)
        if lacks and self._catches_none(seen.node) and not self.fresh:
            yield self._obstacle(seen, "row-use", "may read None, near a handler that catches the TypeError of that")
            return
        yield ReplaceExpr(self.module.span(seen.node), f"{self._text(seen.node)}._mapping")
        yield from self._values(seen)

    # Cells

    def _decoder(self, node: ast.expr, column: ResultColumn) -> ast.expr | None:
        """The `json.loads(node)` around a cell of a JSON column."""
        if not self._is_json(column):
            return None
        around = context(node, self.module)
        call = around.around
        decodes = around.stands is Stands.CALLED and str(around.key).rpartition(".")[2] == "loads"
        return call if decodes and isinstance(call, ast.Call) and len(call.args) == 1 and not call.keywords else None

    def _is_json(self, column: ResultColumn) -> bool:
        kind = column.column.type.upper() if column.column is not None else ""
        return column.changes_type and kind.startswith("JSON")

    def _cell(self, seen: Seen) -> Iterator[Judgement]:
        column = seen.fact.column
        if not column.changes_type:
            return
        if (seen.node in self.plain or seen.node in self.driven) and not self.fresh:
            yield Keep(seen.fact.columns, seen.fact.cell)
            return
        if (decoder := self._decoder(seen.node, column)) is not None:
            if isinstance(seen.node, ast.BoolOp | ast.IfExp) or not seen.sure:
                yield Keep(seen.fact.columns, seen.fact.cell)
                return
            if isinstance(seen.node, ast.Name):
                yield ReplaceExpr(self.module.span(decoder), seen.node.id)
            yield from self._decoded(seen, column, decoder)
            return
        written = seen.node in self.bound and self._is_json(column)
        if (written or self._is_text(seen, column)) and not self.fresh:
            yield Keep(seen.fact.columns, seen.fact.cell)
        elif not self._keeps(seen, column):
            yield from self._type_effect(seen.node.lineno, column)

    def _decoded(self, seen: Seen, column: ResultColumn, decoder: ast.expr) -> Iterator[Judgement]:
        """What a `json.loads(..)` that goes did at texts that are none, or broken."""
        if self.fresh:
            return
        guarded = any(isinstance(a, ast.IfExp | ast.If) for a in self.module.ancestors(seen.node))
        if column.nullable and not guarded:
            yield self._effect(seen, "result-type", "decoded NULL, which raised, and gives None now")
        if handler := handler_left(decoder, self.fetches, self.module):
            message = f"decoded JSON, and line {handler} caught what a broken text raised: the fetch decodes it now,"
            yield self._effect(seen, "decoded-earlier", f"{message} outside that handler, and raises for all rows")

    def _is_text(self, seen: Seen, column: ResultColumn) -> bool:
        """Whether this use needs the text that the driver gave, and fails with the value that it becomes."""
        if column.raw_type != "str" or column.new_type in ("", "str", "Enum"):
            return False
        around = seen.context
        match around.stands:
            case Stands.SLICED | Stands.INDEXED:
                return True
            case Stands.METHOD:
                return around.key in _TEXT_METHODS
            case Stands.CALLED:
                last = str(around.key).rpartition(".")[2]
                return last in _TEXT_READERS or around.key in ("len", "parse", "dateutil.parser.parse", "parser.parse")
            case Stands.OPERATED:
                return _adds_text(seen.node, around.around)
            case _:
                return False

    def _keeps(self, seen: Seen, column: ResultColumn) -> bool:
        """Whether this use of a cell is the same for the new type."""
        around = seen.context
        match around.stands:
            case Stands.DISCARDED | Stands.BOUND | Stands.PASSED:
                return True
            case Stands.TESTED | Stands.BARRED:
                null = isinstance(around.around, ast.Compare) and column.new_type != "dict"  # JSON's null is None too
                return column.new_type in _SAME_WHEN_TESTED or null
            case Stands.COMPARED | Stands.CALLED if column.new_type == "bool":
                return self._is_number_use(seen)
            case _:
                return False

    def _is_number_use(self, seen: Seen) -> bool:
        around = seen.context.around
        if isinstance(around, ast.Call):
            return seen.context.key in ("bool", "int")
        if isinstance(around, ast.Compare):
            others = [e for e in (around.left, *around.comparators) if e is not seen.node]
            plain = isinstance(around.ops[0], ast.Eq | ast.NotEq)
            return plain and all(isinstance(o, ast.Constant) and o.value in (0, 1) for o in others)
        return False

    # What is told

    def _values(self, seen: Seen) -> Iterator[Judgement]:
        """All values of the row are used in a way that cannot be followed."""
        for column in seen.fact.columns:
            if column.changes_type:
                yield from self._type_effect(seen.node.lineno, column)

    def _type_effect(self, line: int, column: ResultColumn) -> Iterator[Judgement]:
        if self.fresh:
            return
        name = column.attr or column.label or "a value"
        was = column.raw_type or "what the driver gave"
        now = column.new_type or (column.column.type if column.column is not None else "another type")
        what = f"was {was} and is {now} now"
        if not now:
            what = "may be of another type now: its column's type could not be read"
        yield Effect("result-type", line, f"{name}, used here, {what}")

    def _leaves(self, seen: Seen) -> Iterator[Judgement]:
        if seen.node in self.driven:
            yield self._obstacle(
                seen, "row-leaves", "hands a row as a whole to what stays raw, whose driver takes tuples"
            )
            return
        if seen.fact.mapping:
            yield from self._handed_on(seen)
            return
        yield from self._values(seen)
        if self.fresh:
            return
        what = "the rows" if seen.fact.kind is not Is.ROW else "the row"
        message = (
            f"{what} used here as a whole: a SQLAlchemy Row equals a tuple, but is none for json.dumps or isinstance"
        )
        yield Effect("row-leaves", seen.node.lineno, message)

    def _handed_on(self, seen: Seen) -> Iterator[Judgement]:
        """Rows by name that are read elsewhere: dicts stay dicts, other rows become mappings."""
        plain = all(column.label and column.label == column.attr for column in seen.fact.columns)
        stands = seen.context.stands in (Stands.LEAVES, Stands.CALLED) and not isinstance(seen.node, ast.Starred)
        new = handed_on(seen, self._text(seen.node), self.module, held=seen.node in self.texts)
        if not (plain and stands and seen.sure and new):
            yield self._obstacle(seen, "row-leaves", "hands on rows that are read by name where they arrive")
            return
        yield from self._kept_json(seen)
        yield ReplaceExpr(self.module.span(seen.node), new)
        yield from self._values(seen)
        if "mapping" in new and "dict(" not in new and not self.fresh:
            message = "is handed on as a mapping, which is read by name alone: not by index, and it is no dict"
            yield Effect("row-leaves", seen.node.lineno, f"what line {seen.node.lineno} reads {message}")

    def _effect(self, seen: Seen, code: str, what: str) -> Effect:
        return Effect(code, seen.node.lineno, f"line {seen.node.lineno} {what}")

    def _obstacle(self, seen: Seen, code: str, what: str) -> Obstacle:
        message = f"line {seen.node.lineno} {what}; read its columns one by one, or leave it raw"
        return Obstacle(seen.node.lineno, Reason(code, message))
