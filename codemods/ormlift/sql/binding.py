"""How a Python value is written where it meets a column: plain, or as `literal(value)`.

`Model.col == value` changes meaning where the value is None (IS NULL; `<` raises) and where the column's type converts
what is bound (a `str` for a DateTime raises on SQLite). `literal(value)` is bound as the raw driver bound it.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from ormlift.sql.arguments import completed, dumped
from ormlift.sql.columntypes import takes
from ormlift.sql.decoded import decoded_text
from ormlift.sql.layout import Atom, Node, call
from ormlift.sql.operands import quoted
from ormlift.sql.statement import EFFECTS, Bind, Finding

if TYPE_CHECKING:
    from ormlift.sql.scope import ColumnRef, Names
    from ormlift.sql.statement import Argument, Statement


_TYPED = ("int", "float", "numeric", "bool", "datetime", "date", "time", "interval", "uuid")
OWN_NONE = ("json", "unknown")  # kinds whose type may bind None as something else than NULL


class Use(Enum):
    """What is done with a value."""

    EQUAL = "equal"  # `=` where unknown counts as false
    COMPARE = "compare"  # any other comparison
    MEMBER = "member"  # an item of an IN list
    AMONG = "among"  # the same, where items may differ in type: SQLAlchemy takes the first one's for all
    PLAIN = "plain"  # an argument of a function, LIKE, CASE: None stays NULL by itself
    WRITE = "write"  # written to a column


@dataclass(frozen=True)
class SlotAtom(Atom):
    """A parameter's text; knows its slot, so that the order of evaluation can be read off the tree."""

    slot: int = -1


@dataclass
class Binder:
    """Writes the values of one statement and keeps what was found on the way."""

    statement: Statement
    arguments: tuple[Argument, ...]
    names: Names
    findings: dict[tuple[str, str], Finding] = field(default_factory=dict)
    binds: list[Bind] = field(default_factory=list)

    def found(self, code: str, message: str = "") -> None:
        """Note an effect."""
        assert code in EFFECTS
        self.findings.setdefault((code, message), Finding(code, message or EFFECTS[code]))

    def slot(self, index: int, ref: ColumnRef | None, kind: str, use: Use) -> Node:
        """The parameter of a slot, meeting a column or an expression of a kind."""
        argument = completed(self.arguments[index])
        if argument.type == "Decimal" and self.statement.dialect == "sqlite":
            self.found("bind-type", f"sqlite3 raises on the Decimal `{argument.text}`; it is bound as a number now.")
        self.binds.append(Bind(index, ref.column if ref else None, use is Use.WRITE))
        text = dumped(argument.text)
        if text and kind == "json" and use is Use.WRITE:
            return SlotAtom(text, slot=index)
        atom = SlotAtom(argument.text, _level(argument.text), slot=index)
        return self._bound(atom, argument, ref, kind, use)

    def type_of(self, index: int) -> str:
        """The Python type of a slot's parameter, empty where it is not known."""
        return completed(self.arguments[index]).type

    def constant(self, text: str, python: str, ref: ColumnRef | None, kind: str, use: Use) -> Node:
        """A literal of the SQL, meeting a column or an expression of a kind."""
        from ormlift.sql.statement import Argument

        if python == "str" and kind in _TYPED and self.names.request.typed and self.statement.dialect == "postgresql":
            return self.inline(str(ast.literal_eval(text)))
        argument = Argument(text, may_be_none=False, type=python)
        return self._bound(Atom(text, _level(text)), argument, ref, kind, use, constant=True)

    def inline(self, text: str) -> Node:
        """Text that stands in the SQL as it did: `literal_column("'2024-01-01'")`."""
        said = text.replace("'", "''")
        return call(self.names.sa("literal_column"), Atom(quoted(f"'{said}'")))

    def literal(self, node: Node, ref: ColumnRef | None = None, kind: str = "") -> Node:
        """`literal(value)`; on PostgreSQL with the column's type, for drivers that name the type of what they bind.

        A value without a type of its own, such as None, would take the column's: a JSON column makes it `null`.
        """
        items = [node]
        if self.statement.dialect == "postgresql":
            items += [Atom(f"{ref.text}.type")] if ref is not None else []
        elif kind in OWN_NONE:
            items.append(Atom(self.names.sa("String")))
        return call(self.names.sa("literal"), *items)

    def document(self, text: Node, said: str) -> Node:
        """Text that is a JSON document already, so that the column's type must not encode it again."""
        bound = call(self.names.sa("literal"), text, Atom(self.names.sa("String")))
        if self.statement.dialect != "postgresql":
            return bound
        return call(self.names.sa("cast"), bound, Atom(self.document_type(said)))

    def _array(self, text: Node, ref: ColumnRef) -> Node:
        """Text that is an array as the server writes it, `{1, 2}`, which the column's type would take for a list."""
        bound = call(self.names.sa("literal"), text, Atom(self.names.sa("String")))
        return call(self.names.sa("cast"), bound, Atom(f"{ref.text}.type"))

    def document_type(self, said: str) -> str:
        """How the file says JSON or JSONB."""
        return (
            f"{self.names.say('sqlalchemy.dialects', 'postgresql')}.JSONB" if said == "JSONB" else self.names.sa(said)
        )

    def _bound(
        self, atom: Atom, argument: Argument, ref: ColumnRef | None, kind: str, use: Use, *, constant: bool = False
    ) -> Node:
        dialect = self.statement.dialect
        flag = kind == "bool" and (argument.shown or argument.text) in ("0", "1")
        fits = flag or takes(dialect, kind, argument.type)
        if kind in ("datetime", "date", "unknown", "") and not constant:
            self._stored_otherwise(argument, ref, kind, fits)
        if ref is not None and ref.column.type == "ARRAY" and argument.type == "str" and use is not Use.MEMBER:
            return self._array(atom, ref)
        if kind == "json" and use is Use.WRITE and argument.may_be_none and argument.type != "str":
            if dialect != "postgresql":  # with a type of its own, None stays SQL NULL
                return call(self.names.sa("literal"), atom, Atom(self.names.sa("String")))
            self.found("json-null", f"`{argument.text}` may be None, which a JSON column stores as JSON null.")
        if kind == "json" and use is Use.WRITE and argument.type == "str" and dialect != "sqlite":
            decoded = decoded_text(argument.text) if constant else None
            return decoded or self.document(atom, ref.column.type if ref is not None else "JSON")
        if kind in OWN_NONE and argument.type == "None" and use is not Use.WRITE:
            fits = False
        if use is Use.COMPARE and argument.type == "bool" and kind != "bool":
            fits = False  # `<` takes no True
        if use is Use.WRITE and kind in ("float", "numeric") and not _exact(argument, kind):
            fits = False
        if use is Use.AMONG and dialect == "sqlite" and argument.type not in ("int", "str"):
            fits = False
        if dialect == "sqlite" or (dialect == "mysql" and kind == "bool"):
            known = argument.type not in ("", "None")
            plain = fits and not self._none_matters(argument, ref, use)
            return atom if plain else self.literal(atom, kind="" if known and not argument.may_be_none else kind)
        self._elsewhere(argument, kind, use)
        if not fits and use is not Use.PLAIN:
            self.found(
                "bind-type", f"The column's type converts `{argument.text}`; check that it is given what it takes."
            )
        if self._none_matters(argument, ref, use):
            return self.literal(atom, ref, kind)
        return atom

    def _elsewhere(self, argument: Argument, kind: str, use: Use) -> None:
        """Tell where another database of the project would not take the value by the column's type."""
        known = argument.type not in ("", "None") and use is not Use.PLAIN
        if known and "sqlite" in self.names.request.also and not takes("sqlite", kind, argument.type):
            message = f"On SQLite, which the project uses as well, the column's type does not take `{argument.text}`"
            self.found("bind-type", f"{message}, a {argument.type}.")

    def _stored_otherwise(self, argument: Argument, ref: ColumnRef | None, kind: str, fits: bool) -> None:
        if self.statement.dialect != "sqlite" or argument.type not in ("", "datetime"):
            return
        if kind == "" and argument.type == "":
            return
        if kind == "unknown" and argument.type == "":
            return
        where = f"`{ref.column.name}`" if ref else "a timestamp"
        known = "is" if argument.type else "may be"
        if kind == "date" and not fits and not argument.type:
            known = "may be"
        self.found(
            "timestamp-format",
            f"`{argument.text}` {known} a datetime: SQLAlchemy binds it for {where} with microseconds"
            " (`… 00:00:00.000000`), the driver without where they are zero.",
        )

    def _none_matters(self, argument: Argument, ref: ColumnRef | None, use: Use) -> bool:
        if not argument.may_be_none or use in (Use.PLAIN, Use.WRITE, Use.MEMBER, Use.AMONG):
            return False
        return use is Use.COMPARE or ref is None or ref.nullable


def _exact(argument: Argument, kind: str) -> bool:
    """Whether a number is still the same as a float, which the type makes of it."""
    if argument.type != "int":
        return True
    digits = (argument.shown or argument.text).strip().lstrip("-")
    return int(digits) < 2**53 if digits.isdigit() else kind == "float"


def _level(text: str) -> int:
    """How tightly an argument's own text binds; what is no plain operand gets parentheses."""
    from ormlift.sql.layout import ATOM, COMPARE, UNARY

    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return ATOM
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return UNARY
    loose = (ast.BinOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Lambda, ast.UnaryOp, ast.Await, ast.NamedExpr)
    return COMPARE - 1 if isinstance(node, loose) else ATOM
