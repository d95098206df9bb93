"""SQL trees in a canonical form: two statements of the same form give the same rows and make the same changes.

Every step is sound for the dialect at hand. What is dropped or turned round: aliases of tables and of the select list,
parentheses, the case and quotes of names, the order of a conjunction's nesting, the side on which a comparison's
operand stands, NOT before a comparison, `<>` for `!=`, ELSE NULL, the order in which columns are set, what EXISTS
selects, a RIGHT JOIN of two tables for the LEFT JOIN of the other way round, the names of tables of WITH.
sqlglot's own `simplify` and `optimize` are not used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ormlift.sql.forms import Forms, Shape, number
from ormlift.sql.read import is_aggregate, output_column, own_nodes
from ormlift.sql.stars import star_columns
from ormlift.sql.tablefunctions import columns_of, is_function

if TYPE_CHECKING:
    from sqlglot import exp

    from ormlift.schema import MappedClass, MappedColumn

_TRUE = (("true",), ("number", "1"), ("EQ", ("number", "1"), ("number", "1")))


@dataclass(frozen=True)
class Table:
    """What an alias of FROM stands for."""

    key: Shape  # of a mapped table its name, how deep its query lies, and which of several of that name it is
    names: tuple[str, ...]  # its columns
    model: MappedClass | None = None
    outer: bool = False


@dataclass
class Frame:
    """The names of one query."""

    tables: dict[str, Table] = field(default_factory=dict)
    aliases: dict[str, exp.Expr] = field(default_factory=dict)
    common: dict[str, Table] = field(default_factory=dict)
    joined: dict[str, Shape] = field(default_factory=dict)  # columns of USING
    using: dict[str, list[str]] = field(default_factory=dict)  # those of each table, by its alias


class Canonical(Forms):
    """Brings one statement into canonical form."""

    def __init__(
        self, dialect: str, models: Mapping[str, MappedClass], binds: dict[str, Shape], *, one_row: bool, compiled: bool
    ) -> None:
        """See `Forms`."""
        super().__init__(dialect, models, binds, one_row=one_row, compiled=compiled)
        self.returns = True  # the rows of RETURNING are asked for
        self.frames: list[Frame] = []
        self.known: dict[Shape, Table] = {}

    def statement(self, tree: exp.Expr) -> Shape:
        """The form of a whole statement."""
        kind = type(tree).__name__
        if kind not in ("Insert", "Update", "Delete"):
            return self.query(tree)
        self.frames.append(Frame())
        self._common(tree)
        if kind == "Insert":
            return self._insert(tree)
        key = self._table(tree.this, outer=False)
        others = [*(tree.args.get("using") or [])]
        if tree.args.get("from_"):
            others.append(tree.args["from_"].this)
        keys = tuple(sorted((self._table(table, outer=False) for table in others), key=repr))
        where = self._condition_of(tree, "where")
        if kind == "Delete":
            return ("delete", key, keys, where, self._returning(tree))
        return ("update", key, keys, self._set(tree.expressions), where, self._returning(tree))

    def _set(self, items: list[exp.Expr]) -> Shape:
        pairs = [(self.form(item.this), self.form(item.args["expression"])) for item in items]
        return tuple(sorted(pairs, key=repr))

    def _insert(self, tree: exp.Expr) -> Shape:
        from sqlglot import exp

        schema = tree.this if isinstance(tree.this, exp.Schema) else None
        key = self._table(schema.this if schema is not None else tree.this, outer=False)
        names = [self.form(exp.column(name.name)) for name in (schema.expressions if schema is not None else [])]
        values = tree.args.get("expression")
        rows: Shape = ()
        if isinstance(values, exp.Values):
            written = [[self.form(item) for item in _row(row)] for row in values.expressions]
            rows = tuple(tuple(sorted(zip(names, row, strict=True), key=repr)) for row in written)
        elif values is not None:
            rows = (tuple(names), self.query(values))
        rest = tuple(str(tree.args.get(name) or "").lower() for name in ("alternative", "ignore", "default"))
        return ("insert", key, rows, rest, self._conflict(tree.args.get("conflict")), self._returning(tree))

    def _conflict(self, tree: exp.Expr | None) -> Shape:
        if tree is None:
            return None
        keys = sorted((self.form(item.this) for item in tree.args.get("conflict_keys") or []), key=repr)
        action = str(tree.args.get("action") or "")
        rest = tuple(str(tree.args.get(name) or "") for name in ("duplicate", "constraint", "index_where"))
        return (tuple(keys), action, self._set(tree.expressions), rest, self._condition_of(tree, "where"))

    def _returning(self, tree: exp.Expr) -> Shape:
        found = tree.args.get("returning")
        if found is None:
            return ()
        if self.compiled and not self.returns:
            self.steps.add("RETURNING the new key changes nothing")  # asked for where the driver cannot tell it
            return ()
        return tuple(self._items(found.expressions))

    # Queries

    def query(self, tree: exp.Expr) -> Shape:
        """The form of a query, at the top or inside another."""
        while type(tree).__name__ in ("Paren", "Subquery"):
            tree = tree.this
        self.frames.append(Frame())
        try:
            self._common(tree)
            return self._select(tree) if type(tree).__name__ == "Select" else self._combined(tree)
        finally:
            self.frames.pop()

    def existing(self, tree: exp.Expr) -> Shape:
        """EXISTS: what is selected means nothing, nor do DISTINCT, ORDER BY and a LIMIT of one or more."""
        from sqlglot import exp

        tree = tree.unnest()
        if not isinstance(tree, exp.Select) or tree.args.get("group") or tree.args.get("having"):
            return self.query(tree)
        if any(is_aggregate(node) for node in own_nodes(tree, exp.Anonymous, "expressions")) or tree.args.get("offset"):
            return self.query(tree)
        bare = tree.copy()
        limit = bare.args.get("limit")
        if limit is not None and not (limit.expression.name.isdigit() and int(limit.expression.name) > 0):
            return self.query(tree)
        bare.set("expressions", [exp.Literal.number(1)])
        for part in ("limit", "distinct", "order"):
            bare.set(part, None)
        self.steps.add("EXISTS asks only whether there is a row")
        return self.query(bare)

    def _common(self, tree: exp.Expr) -> None:
        with_ = tree.args.get("with_")
        if with_ is None:
            return
        for cte in with_.expressions:
            name, alias = cte.alias.lower(), cte.args["alias"]
            names = tuple(column.name.lower() for column in alias.args.get("columns") or [])
            self.frames[-1].common[name] = Table(("itself",), names or tuple(self.outputs(_first(cte.this))))
            shape = ("with", bool(with_.args.get("recursive")) and _names_itself(cte), self.query(cte.this))
            self.frames[-1].common[name] = Table(shape, self.frames[-1].common[name].names)
            self.steps.add("tables of WITH are compared by what they hold")

    def _combined(self, tree: exp.Expr) -> Shape:
        members = [self.query(member) for member in _flat(tree)]
        names = self.outputs(_first(tree))
        order = []
        for item in tree.args["order"].expressions if tree.args.get("order") else []:
            key = item.this.unnest()
            place: Shape = ("place", int(key.name)) if key.name.isdigit() else None
            if place is None and key.name.lower() in names:
                place = ("place", names.index(key.name.lower()) + 1)
            order.append((place or self.form(key), bool(item.args.get("desc")), bool(item.args.get("nulls_first"))))
        kind = (type(tree).__name__, bool(tree.args.get("distinct")))
        return (*kind, tuple(members), tuple(order), self._limit(tree), self._offset(tree))

    def _select(self, tree: exp.Expr) -> Shape:
        frame = self.frames[-1]
        sources = self._sources(tree)
        items = tuple(self._items(tree.expressions))
        frame.aliases = {item.alias.lower(): item.this for item in tree.expressions if type(item).__name__ == "Alias"}
        distinct = tree.args.get("distinct")
        on = distinct.args.get("on") if distinct else None
        return (
            "select",
            bool(distinct) if on is None else tuple(self.form(item) for item in on.expressions),
            items,
            *sources,
            self._condition_of(tree, "where"),
            self._listed(tree, "group"),
            self._condition_of(tree, "having"),
            self._listed(tree, "order"),
            self._limit(tree),
            self._offset(tree),
            tuple((str(lock.args.get("update")), str(lock.args.get("wait"))) for lock in tree.args.get("locks") or []),
        )

    def _sources(self, tree: exp.Expr) -> tuple[Shape, Shape]:
        """The tables that are joined by nothing, and the joins."""
        if tree.args.get("from_") is None:
            return (), ()
        source, joins = tree.args["from_"].this, tree.args.get("joins") or []
        sides = [str(join.args.get("side") or "").upper() for join in joins]
        key = self._table(source, outer=sides[:1] in (["RIGHT"], ["FULL"]))
        keys = [self._table(join.this, outer=side in ("LEFT", "FULL")) for join, side in zip(joins, sides, strict=True)]
        shapes = [self._join(join, side, k) for join, side, k in zip(joins, sides, keys, strict=True)]
        if joins and all(shape[:2] == ("", "") and shape[3] is None for shape in shapes):
            if len({repr(k[:-1]) for k in (key, *keys)}) == len(joins) + 1:
                self.steps.add("the order of tables that are not joined by ON means nothing")
                return tuple(sorted([key, *keys], key=repr)), ()
            return (key, *keys), ()
        if sides == ["RIGHT"]:
            self.steps.add("`a RIGHT JOIN b` is `b LEFT JOIN a`")
            return (keys[0],), (("LEFT", "", key, shapes[0][3]),)
        return (key,), tuple(shapes)

    def _join(self, join: exp.Expr, side: str, key: Shape) -> Shape:
        on = join.args.get("on")
        condition = self.condition(on, positive=True) if on is not None else None
        for name in join.args.get("using") or []:
            self.steps.add("USING is ON with both columns")
            left = next(t for t in self.frames[-1].tables.values() if name.name.lower() in t.names and t.key != key)
            right = next(t for t in self.frames[-1].tables.values() if t.key == key)
            sides = [("column", table.key, _place(table, name.name.lower())) for table in (left, right)]
            pair = sorted(sides, key=repr)
            self.frames[-1].joined[name.name.lower()] = ("column", left.key, _place(left, name.name.lower()))
            alias = next(a for a, t in self.frames[-1].tables.items() if t.key == key)
            self.frames[-1].using.setdefault(alias, []).append(name.name.lower())
            condition = ("EQ", *pair) if condition is None else ("and", condition, ("EQ", *pair))
        condition = None if condition in _TRUE else condition
        return (side, str(join.args.get("method") or "").upper(), key, condition)

    def _items(self, items: list[exp.Expr]) -> list[Shape]:
        found: list[Shape] = []
        for item in items:
            bare = item.unalias()
            owner = bare.text("table").lower()
            if type(bare).__name__ == "Star" or type(bare.this).__name__ == "Star":
                self.steps.add("`*` is the mapped columns")
                found += [("column", table.key, _place(table, name)) for table, name in self._starred(owner)]
            else:
                found.append(self.form(bare))
        return found

    def _starred(self, owner: str) -> list[tuple[Table, str]]:
        """The columns of `*`, or of all of one table."""
        frame = self.frames[-1]
        if owner:
            return [(table, name) for a, table in frame.tables.items() if a == owner for name in table.names]
        tables = [(alias, table.names) for alias, table in frame.tables.items()]
        return [(frame.tables[alias], name) for alias, name in star_columns(tables, frame.using, self.dialect)]

    def outputs(self, tree: exp.Expr) -> list[str]:
        """What the columns of a query are called from outside, empty where they have no name of their own."""
        from sqlglot import exp

        while type(tree).__name__ in ("Paren", "Subquery"):
            tree = tree.this
        found: list[str] = []
        for item in _first(tree).expressions:
            bare = item.unalias()
            if isinstance(bare, exp.Star) or isinstance(bare.this, exp.Star):
                self.frames.append(Frame())
                self._sources(_first(tree))
                found += [name for _, name in self._starred(bare.text("table").lower())]
                self.frames.pop()
            else:
                found.append((item.alias or (bare.name if isinstance(bare, exp.Column) else "")).lower())
        return found

    def _table(self, tree: exp.Expr, *, outer: bool) -> Shape:
        frame = self.frames[-1]
        alias = (tree.alias or tree.name).lower()
        table = self._derived(tree) or self._mapped_table(tree)
        base = (*table.key, len(self.frames)) if table.model else table.key
        key = (*base, sum(1 for other in frame.tables.values() if other.key[:-1] == base))
        frame.tables[alias or f"?{len(frame.tables)}"] = found = Table(key, table.names, table.model, outer)
        self.known[key] = found
        return key

    def _derived(self, tree: exp.Expr) -> Table | None:
        """A query for a table, a list of values for one, or one of WITH."""
        if type(tree).__name__ == "Unnest":
            columns = tree.args["alias"].args.get("columns") or [] if tree.args.get("alias") is not None else []
            held = tuple(self.form(item) for item in tree.expressions)
            numbered = tree.args.get("offset")
            columns = [*columns, *([numbered] if type(numbered).__name__ == "Identifier" else [])]
            return Table(("unnest", held, bool(numbered)), tuple(c.name.lower() for c in columns))
        if is_function(tree):
            given = tuple(self.form(item) for item in tree.this.expressions)
            return Table(("called", str(tree.this.this).lower(), given), columns_of(tree, self.dialect))
        if type(tree).__name__ == "Subquery":
            columns = tree.args["alias"].args.get("columns") or [] if tree.args.get("alias") is not None else []
            names = tuple(column.name.lower() for column in columns) or tuple(self.outputs(tree.this))
            return Table(("query", self.query(tree.this)), names)
        if not tree.args.get("db"):
            for frame in reversed(self.frames):
                if tree.name.lower() in frame.common:
                    return frame.common[tree.name.lower()]
        return None

    def _mapped_table(self, tree: exp.Expr) -> Table:
        schema = tree.args.get("db")
        name = f"{schema.name}.{tree.name}".lower() if schema else tree.name.lower()
        model = self.models.get(name) or self.models[tree.name.lower()]
        key = ("table", f"{model.schema}.{model.table}".lower().lstrip("."))
        return Table(key, tuple(column.name.lower() for column in model.columns), model)

    def column(self, tree: exp.Expr) -> Shape:
        """The form of a column: the table that it leads to, and its name there."""
        owner, name = tree.text("table").lower(), tree.name.lower()
        for depth, frame in enumerate(reversed(self.frames)):
            if not owner and name in frame.joined:
                return frame.joined[name]
            for alias, table in frame.tables.items():
                if owner in ("", alias) and name in table.names:
                    return ("column", table.key, _place(table, name))
            if not depth and not owner and name in frame.aliases:
                return self.form(frame.aliases[name])
        return ("column", owner, name)

    def mapped(self, shape: Shape) -> tuple[MappedColumn, bool] | None:
        """The mapped column behind a column's form, and whether an outer join may leave it NULL."""
        table = self.known.get(shape[1]) if shape[0] == "column" else None
        column = table.model.column(shape[2]) if table is not None and table.model is not None else None
        return (column, table.outer) if table is not None and column is not None else None

    def _condition_of(self, tree: exp.Expr, part: str) -> Shape:
        found = tree.args.get(part)
        shape = self.condition(found.this, positive=True) if found else None
        return self._without_true(shape) if part == "where" else shape

    def _without_true(self, shape: Shape) -> Shape:
        """A WHERE without what is always true."""
        parts = list(shape[1:]) if isinstance(shape, tuple) and shape[0] == "and" else [shape]
        rest = [part for part in parts if part not in _TRUE]
        if len(rest) == len(parts):
            return shape
        self.steps.add("`1 = 1` in WHERE is left out")
        return ("and", *rest) if len(rest) > 1 else rest[0] if rest else None

    def _listed(self, tree: exp.Expr, part: str) -> Shape:
        found = tree.args.get(part)
        if not found:
            return ()
        shapes = []
        for item in found.expressions:
            expression = item.this if part == "order" else item
            expression = self._output(expression, tree, aliases_first=part == "order")
            extra = (bool(item.args.get("desc")), bool(item.args.get("nulls_first"))) if part == "order" else ()
            shapes.append((self.form(expression), *extra))
        return tuple(shapes)

    def _output(self, expression: exp.Expr, tree: exp.Expr, *, aliases_first: bool) -> exp.Expr:
        expression = expression.unnest()
        if type(expression).__name__ == "Literal" and not expression.is_string:
            item: exp.Expr = tree.expressions[int(expression.name) - 1].unalias()
            return item
        if aliases_first and type(expression).__name__ == "Column" and not expression.text("table"):
            named = output_column(expression, tree.expressions) if self.dialect != "sqlite" else None
            return self.frames[-1].aliases.get(expression.name.lower(), named or expression)
        return expression

    def _limit(self, tree: exp.Expr) -> Shape:
        limit = self._count(tree, "limit")
        if limit is not None and limit[0] == "number":
            value = int(limit[1])
            if self.one_row and value >= 1 and len(self.frames) == 1:
                self.steps.add("only the first row is read: any LIMIT of one or more is the same")
                return None
            if value < 0 and self.dialect == "sqlite":
                return None
            if value == 18446744073709551615:
                return None
        return limit

    def _offset(self, tree: exp.Expr) -> Shape:
        offset = self._count(tree, "offset")
        return None if offset == ("number", "0") else offset

    def _count(self, tree: exp.Expr, part: str) -> Shape:
        found = tree.args.get(part)
        if found is None:
            return None
        expression = found.args["expression"]
        if type(expression).__name__ in ("All", "Var") or str(expression).upper() == "ALL":
            return None
        shape = self.form(expression)
        return None if shape == ("null",) else shape


def _place(table: Table, name: str) -> str | int:
    """A query's columns are told by their place: what they are called differs."""
    return name if table.model else table.names.index(name)


def _row(tree: exp.Expr) -> list[exp.Expr]:
    return list(tree.expressions) if type(tree).__name__ == "Tuple" else [tree.unnest()]


def _flat(tree: exp.Expr) -> list[exp.Expr]:
    """The queries of a set operation; of a chain of the same one, all."""
    left, right = tree.this, tree.args["expression"]
    chained = type(left) is type(tree) and type(tree).__name__ != "Except"
    chained = chained and bool(left.args.get("distinct")) == bool(tree.args.get("distinct"))
    if chained and not any(left.args.get(part) for part in ("order", "limit", "offset", "with_")):
        return [*_flat(left), right]
    return [left, right]


def _first(tree: exp.Expr) -> exp.Expr:
    """The SELECT whose names a query's columns have."""
    while type(tree).__name__ != "Select":
        tree = tree.this
    return tree


def _names_itself(cte: exp.Expr) -> bool:
    from sqlglot import exp

    return any(table.name.lower() == cte.alias.lower() for table in cte.this.find_all(exp.Table))


__all__ = ["Canonical", "Shape", "number"]
