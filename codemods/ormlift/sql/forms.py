"""The canonical form of SQL conditions and values; see `canonical`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ormlift.sql.columntypes import kind_of

if TYPE_CHECKING:
    from sqlglot import exp

    from ormlift.schema import MappedClass, MappedColumn

Shape = Any  # nested tuples of strings; compared and printed, never taken apart
MIRRORED = {"GT": "LT", "GTE": "LTE"}
CONDITIONS = (
    "EQ", "NEQ", "LT", "LTE", "GT", "GTE", "And", "Or", "Not", "Is", "NullSafeEQ", "NullSafeNEQ", "Like", "ILike",
    "Escape", "In", "Exists",
)  # fmt: skip
PREDICATES = (*CONDITIONS, "Between")  # they give true, false or unknown; a column of MySQL may give any number
_PATHS = {"JSONExtract": "->", "JSONExtractScalar": "->>", "JSONBExtract": "#>", "JSONBExtractScalar": "#>>"}
_TEXTS = ("JSONExtractScalar", "JSONBExtractScalar")
NEGATED = {"EQ": "NEQ", "NEQ": "EQ", "LT": "GTE", "GTE": "LT", "GT": "LTE", "LTE": "GT"}


class Forms:
    """Brings the conditions and values of one statement into canonical form."""

    def __init__(
        self, dialect: str, models: Mapping[str, MappedClass], binds: dict[str, Shape], *, one_row: bool, compiled: bool
    ) -> None:
        """`binds`: what each placeholder is; `one_row`: only the first row is read; `compiled`: by SQLAlchemy."""
        self.compiled = compiled
        self.dialect, self.models, self.binds, self.one_row = dialect, models, binds, one_row
        self.steps: set[str] = set()
        self.keeps_casts = False  # casts of parameters are the statement's own, and stay

    def query(self, tree: exp.Expr) -> Shape:
        """The form of a query inside the statement."""
        raise NotImplementedError

    def column(self, tree: exp.Expr) -> Shape:
        """The form of a column: the table that it leads to, and its name there."""
        raise NotImplementedError

    def mapped(self, shape: Shape) -> tuple[MappedColumn, bool] | None:
        """The mapped column behind a column's form, and whether an outer join may leave it NULL."""
        raise NotImplementedError

    def existing(self, tree: exp.Expr) -> Shape:
        """The form of a query of which only is asked whether it gives a row."""
        raise NotImplementedError

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
        if kind == "In" and tree.args.get("query"):
            return ("in", self.form(tree.this), self.query(tree.args["query"]))
        if kind == "Exists":
            return ("exists", self.existing(tree.this))
        if kind == "In":
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
        if kind == "Not" and type(tree.this.unnest()).__name__ in PREDICATES:
            self.steps.add("NOT twice around a predicate is the predicate, unknown stays unknown")
            return self.condition(tree.this, positive=False)
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
        column = self.mapped(shape)
        return self.dialect != "mysql" and column is not None and kind_of(column[0], self.models) == "bool"

    def _never_null(self, shape: Shape) -> bool:
        column = self.mapped(shape)
        if column is None:
            return False
        return not column[1] and (not column[0].nullable or column[0].primary_key)

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
            return self.column(tree)
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
        if kind in _PATHS or (kind == "Bracket" and self.compiled):
            return self._path(tree)
        if kind == "Cast" and type(tree.this.unnest()).__name__ in _TEXTS and tree.args["to"].sql() == "VARCHAR":
            self.steps.add("what `->>` gives is text: its cast to VARCHAR changes nothing")
            return self.form(tree.this)
        if kind == "Cast" and self.compiled and not self.keeps_casts and type(tree.this).__name__ == "Placeholder":
            return self._cast_of_bind(tree)
        if kind in ("Subquery", "Select", "Union", "Intersect", "Except"):
            return self.query(tree)
        if kind in CONDITIONS:
            return self.condition(tree, positive=False)
        return self._other(tree)

    def _path(self, tree: exp.Expr) -> Shape:
        """A path into JSON; SQLAlchemy says `data['a']` for `data -> 'a'` of a JSONB column."""
        from ormlift.sql.documents import json_keys

        operator = _PATHS.get(type(tree).__name__, "->")
        keys = json_keys(tree) if type(tree).__name__ in _PATHS else ()
        if keys:
            key: Shape = self.constant(keys if operator[0] == "#" else keys[0])
        else:
            found = tree.args.get("expression") or tree.expressions[0]
            key = self.form(found)
        return ("path", operator, self.form(tree.this), key)

    def _cast_of_bind(self, tree: exp.Expr) -> Shape:
        inner = self.form(tree.this)
        document = inner[0] == "string" and tree.args["to"].sql().upper() in ("JSON", "JSONB")
        if inner[0] not in ("slot", "null") and not document:
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

    def constant(self, value: object) -> Shape:
        """The form of a Python value that is bound."""
        if value is None:
            return ("null",)
        if isinstance(value, bool):
            return ("true" if value else "false",) if self.dialect == "postgresql" else number(str(int(value)))
        if isinstance(value, int | float):
            return number(repr(value))
        if isinstance(value, dict | list):  # as a JSON column's type encodes it
            return ("string", json.dumps(value))
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
