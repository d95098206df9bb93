"""SQL trees in a canonical form: two statements of the same form give the same rows and make the same changes.

Every step is sound for the dialect at hand. What is dropped or turned round: aliases of tables and of the select list,
parentheses, the case and quotes of names, the order of a conjunction's nesting, the side on which a comparison's
operand stands, NOT before a comparison, `<>` for `!=`, ELSE NULL, the order in which columns are set.
sqlglot's own `simplify` and `optimize` are not used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ormlift.sql.columntypes import kind_of

if TYPE_CHECKING:
    from sqlglot import exp

    from ormlift.schema import MappedClass

Shape = Any  # nested tuples of strings; compared and printed, never taken apart
MIRRORED = {"GT": "LT", "GTE": "LTE"}
CONDITIONS = (
    "EQ", "NEQ", "LT", "LTE", "GT", "GTE", "And", "Or", "Not", "Is", "NullSafeEQ", "NullSafeNEQ", "Like", "ILike",
    "Escape", "In",
)  # fmt: skip
NEGATED = {"EQ": "NEQ", "NEQ": "EQ", "LT": "GTE", "GTE": "LT", "GT": "LTE", "LTE": "GT"}


class Canonical:
    """Brings one statement into canonical form."""

    def __init__(
        self, dialect: str, models: Mapping[str, MappedClass], binds: dict[str, Shape], *, one_row: bool, compiled: bool
    ) -> None:
        """`binds`: what each placeholder is; `one_row`: only the first row is read; `compiled`: by SQLAlchemy."""
        self.compiled = compiled
        self.dialect, self.models, self.binds, self.one_row = dialect, models, binds, one_row
        self.tables: dict[str, tuple[str, MappedClass, bool]] = {}  # alias -> name, model, outer side
        self.aliases: dict[str, exp.Expr] = {}
        self.steps: set[str] = set()

    def statement(self, tree: exp.Expr) -> Shape:
        """The form of a whole statement."""
        kind = type(tree).__name__
        if kind == "Select":
            return self._select(tree)
        if kind == "Insert":
            return self._insert(tree)
        self._table(tree.this, outer=False)
        where = self._where(tree)
        if kind == "Delete":
            return ("delete", self._name(tree.this), where)
        pairs = [(self.form(item.this), self.form(item.args["expression"])) for item in tree.expressions]
        return ("update", self._name(tree.this), tuple(sorted(pairs, key=repr)), where)

    def _insert(self, tree: exp.Expr) -> Shape:
        from sqlglot import exp

        self._table(tree.this.this, outer=False)
        names = [self.form(exp.column(name.name)) for name in tree.this.expressions]
        rows = [[self.form(item) for item in row.expressions] for row in tree.args["expression"].expressions]
        pairs = [tuple(sorted(zip(names, row, strict=True), key=repr)) for row in rows]
        if tree.args.get("returning"):  # never written; SQLAlchemy asks for the new key where the driver cannot tell it
            self.steps.add("RETURNING the new key changes nothing")
        rest = [name for name in ("alternative", "conflict") if tree.args.get(name)]
        return ("insert", self._name(tree.this.this), tuple(pairs), tuple(rest))

    def _select(self, tree: exp.Expr) -> Shape:
        source = tree.args["from_"].this
        self._table(source, outer=False)
        joins = tree.args.get("joins") or []
        for join in joins:
            self._table(join.this, outer=str(join.args.get("side") or "").upper() == "LEFT")
        items = tuple(self._items(tree))
        self.aliases = {item.alias.lower(): item.this for item in tree.expressions if type(item).__name__ == "Alias"}
        sources = [self._name(source)]
        if joins and not any(join.args.get(part) for join in joins for part in ("on", "using", "side")):
            sources, joins = sorted([*sources, *(self._name(join.this) for join in joins)]), []
            self.steps.add("the order of tables that are not joined by ON means nothing")
        return (
            "select",
            bool(tree.args.get("distinct")),
            items,
            tuple(sources),
            tuple(self._join(join) for join in joins),
            self._where(tree),
            self._listed(tree, "group"),
            self._condition_of(tree, "having"),
            self._listed(tree, "order"),
            self._limit(tree),
            self._offset(tree),
        )

    def _items(self, tree: exp.Expr) -> list[Shape]:
        found: list[Shape] = []
        for item in tree.expressions:
            bare = item.unalias()
            owner = bare.text("table").lower()
            if type(bare).__name__ == "Star" or type(bare.this).__name__ == "Star":
                self.steps.add("`*` is the mapped columns")
                for alias, (name, model, _) in self.tables.items():
                    if owner in ("", alias):
                        found += [("column", name, column.name.lower()) for column in model.columns]
            else:
                found.append(self.form(bare))
        return found

    def _join(self, join: exp.Expr) -> Shape:
        side = str(join.args.get("side") or "").upper()
        on = join.args.get("on")
        rest = tuple(str(join.args.get(name) or "").upper() for name in ("method",))
        using = tuple(str(item) for item in join.args.get("using") or [])
        return (side, rest, using, self._name(join.this), self.condition(on, positive=True) if on else None)

    def _table(self, table: exp.Expr, *, outer: bool) -> None:
        schema = table.args.get("db")
        name = f"{schema.name}.{table.name}".lower() if schema else table.name.lower()
        model = self.models.get(name) or self.models[table.name.lower()]
        self.tables[(table.alias or table.name).lower()] = (_key(model), model, outer)

    def _name(self, table: exp.Expr) -> str:
        return self.tables[(table.alias or table.name).lower()][0]

    def _where(self, tree: exp.Expr) -> Shape:
        return self._condition_of(tree, "where")

    def _condition_of(self, tree: exp.Expr, part: str) -> Shape:
        found = tree.args.get(part)
        return self.condition(found.this, positive=True) if found else None

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
            return self.aliases.get(expression.name.lower(), expression)
        return expression

    def _limit(self, tree: exp.Expr) -> Shape:
        limit = self._count(tree, "limit")
        if limit is not None and limit[0] == "number":
            value = int(limit[1])
            if self.one_row and value >= 1:
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

    # Conditions

    def condition(self, tree: exp.Expr, *, positive: bool) -> Shape:
        """The form of a condition; `positive`: unknown counts as false here, up to the top."""
        tree = tree.unnest()
        kind = type(tree).__name__
        if kind in ("And", "Or"):
            return (kind.lower(), *self._parts(tree, kind, positive))
        if kind == "Not":
            return self._not(tree.this.unnest())
        if kind in NEGATED:
            return self._comparison(kind, tree, positive)
        if kind in ("Is", "NullSafeEQ"):
            return self._is(tree, positive)
        if kind == "NullSafeNEQ":
            return ("not", self._is(tree, positive=False))
        if kind == "In" and not tree.args.get("query"):
            return ("in", self.form(tree.this), tuple(self.form(item) for item in tree.expressions))
        if kind in ("Like", "ILike", "Escape"):
            return self._like(tree)
        return self.form(tree)

    def _parts(self, tree: exp.Expr, kind: str, positive: bool) -> list[Shape]:
        tree = tree.unnest()
        if type(tree).__name__ != kind:
            return [self.condition(tree, positive=positive)]
        return [*self._parts(tree.this, kind, positive), *self._parts(tree.args["expression"], kind, positive)]

    def _not(self, tree: exp.Expr) -> Shape:
        kind = type(tree).__name__
        if kind in NEGATED:
            return self._comparison(NEGATED[kind], tree, positive=False)
        inner = self.condition(tree, positive=False)
        return inner[1] if inner[0] == "not" and kind in ("Like", "ILike", "Escape") else ("not", inner)

    def _comparison(self, kind: str, tree: exp.Expr, positive: bool) -> Shape:
        left, right = self.form(tree.this), self.form(tree.args["expression"])
        if kind in MIRRORED:
            kind, left, right = MIRRORED[kind], right, left
        if kind in ("EQ", "NEQ") and repr(left) > repr(right):
            left, right = right, left
        if kind == "EQ" and positive:
            for column, value in ((left, right), (right, left)):
                if value == ("null",) and self._never_null(column):
                    return self._never()
                if value in (("number", "1"), ("number", "0"), ("true",), ("false",)) and self._is_flag(column):
                    return self._flag(column, value)
        return (kind, left, right)

    def _is(self, tree: exp.Expr, positive: bool) -> Shape:
        left, right = self.form(tree.this), self.form(tree.args["expression"])
        if right == ("null",) and positive and self._never_null(left):
            return self._never()
        if positive and right[0] in ("number", "true", "false") and self._is_flag(left):
            return self._flag(left, right)
        return ("is", left, right)

    def _flag(self, column: Shape, value: Shape) -> Shape:
        self.steps.add("unknown counts as false in WHERE: `= TRUE` and `IS TRUE` are the same")
        return ("flag", column, value in (("number", "1"), ("true",)))

    def _never(self) -> Shape:
        self.steps.add("a column that is NOT NULL never is NULL, nor equal to it")
        return ("never",)

    def _is_flag(self, shape: Shape) -> bool:
        column = self._mapped(shape)
        return self.dialect != "mysql" and column is not None and kind_of(column[0], self.models) == "bool"

    def _never_null(self, shape: Shape) -> bool:
        column = self._mapped(shape)
        if column is None:
            return False
        return not column[1] and (not column[0].nullable or column[0].primary_key)

    def _mapped(self, shape: Shape) -> tuple[Any, bool] | None:
        if shape[0] != "column":
            return None
        for name, model, outer in self.tables.values():
            if name == shape[1]:
                return model.column(shape[2]), outer
        return None

    def _like(self, tree: exp.Expr) -> Shape:
        escape: Shape = None
        if type(tree).__name__ == "Escape":
            escape, tree = self.form(tree.args["expression"]), tree.this.unnest()
        negated = False
        while type(tree).__name__ == "Not":
            negated, tree = not negated, tree.this.unnest()
        negated ^= bool(tree.args.get("negate"))
        shape = (type(tree).__name__, self.form(tree.this), self.form(tree.args["expression"]), escape)
        return ("not", shape) if negated else shape

    # Values

    def form(self, tree: exp.Expr) -> Shape:
        """The form of any expression."""
        tree = tree.unnest()
        kind = type(tree).__name__
        if kind == "Column":
            return self._column(tree)
        if kind == "Placeholder":
            return self.binds[str(tree.this)]
        if kind == "Literal":
            return ("string", tree.name) if tree.is_string else number(tree.name)
        if kind == "Boolean":
            return self.constant(bool(tree.this))
        if kind == "Null":
            return ("null",)
        if kind == "Neg":
            inner = self.form(tree.this)
            return number(f"-{inner[1]}") if inner[0] == "number" and inner[1][0] != "-" else ("neg", inner)
        if kind == "Anonymous":
            return ("call", str(tree.this).upper(), tuple(self.form(item) for item in tree.expressions))
        if kind == "Case":
            return self._case(tree)
        if kind == "Cast" and self.compiled and type(tree.this).__name__ == "Placeholder":
            return self._cast_of_bind(tree)
        if kind in CONDITIONS and not tree.args.get("query"):
            return self.condition(tree, positive=False)
        return self._other(tree)

    def _cast_of_bind(self, tree: exp.Expr) -> Shape:
        inner = self.form(tree.this)
        if inner[0] not in ("slot", "null"):
            return self._other(tree)
        self.steps.add("the cast of a parameter to the type of the column it meets changes nothing")
        return inner

    def _case(self, tree: exp.Expr) -> Shape:
        subject = self.form(tree.this) if tree.this is not None else None
        whens = []
        for when in tree.args["ifs"]:
            test = self.form(when.this) if subject else self.condition(when.this, positive=True)
            if subject:
                pair = sorted((subject, test), key=repr)
                test = ("EQ", *pair)
            whens.append((test, self.form(when.args["true"])))
        default = self.form(tree.args["default"]) if tree.args.get("default") is not None else ("null",)
        return ("case", tuple(whens), default)

    def _column(self, tree: exp.Expr) -> Shape:
        owner, name = tree.text("table").lower(), tree.name.lower()
        for alias, (table, model, _) in self.tables.items():
            if owner in ("", alias) and model.column(name) is not None:
                return ("column", table, name)
        if not owner and name in self.aliases:
            return self.form(self.aliases[name])
        return ("column", owner, name)

    def constant(self, value: object) -> Shape:
        """The form of a Python value that is bound."""
        if value is None:
            return ("null",)
        if isinstance(value, bool):
            return ("true" if value else "false",) if self.dialect == "postgresql" else number(str(int(value)))
        if isinstance(value, int | float):
            return number(repr(value))
        return ("string", value) if isinstance(value, str) else ("value", repr(value))

    def _other(self, tree: exp.Expr) -> Shape:
        parts: list[Any] = []
        for key, value in sorted(tree.args.items()):
            if key in ("typed", "safe", "big_int", "only_json_types") or value in (None, False, []):
                continue
            parts.append((key, self._part(value)))
        return (type(tree).__name__, *parts)

    def _part(self, value: object) -> Shape:
        from sqlglot import exp

        if isinstance(value, list):
            return tuple(self._part(item) for item in value)
        if isinstance(value, exp.DataType):
            return ("type", value.sql())
        return self.form(value) if isinstance(value, exp.Expr) else str(value)


def number(text: str) -> Shape:
    """The form of a number: `1.0` is not `1`, `1.50` is `1.5`."""
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
    return ("number", sign + (str(int(digits)) if digits.isdigit() else repr(float(digits))))


def _key(model: MappedClass) -> str:
    return f"{model.schema}.{model.table}".lower().lstrip(".")
