"""executemany: one statement and a list of parameters, one dict for each row."""

from __future__ import annotations

import ast
import keyword
from dataclasses import replace
from typing import TYPE_CHECKING

from ormlift.sql.layout import Atom, Chain, Items, Node, Pair, call, flat
from ormlift.sql.operands import CONVERTING, quoted
from ormlift.sql.scope import unsupported

if TYPE_CHECKING:
    from sqlglot import exp

    from ormlift.sql.changes import Changes
    from ormlift.sql.inserts import InsertWriter
    from ormlift.sql.scope import ColumnRef
    from ormlift.sql.statement import Request, Statement


class Many:
    """Writes executemany of one statement."""

    def __init__(self, writer: Changes) -> None:
        self.writer = writer
        self.request: Request = writer.request
        self.statement: Statement = writer.binder.statement
        self.guard = ""

    def insert(self, writer: InsertWriter) -> Node:
        """`session.execute(insert(Model), [{"a": a, "b": b} for a, b in rows])`."""
        from sqlglot import exp

        entity, row = writer.lone_row()
        pairs: list[tuple[str, exp.Expr]] = []
        for ref, item in row:
            _check_type(ref, self.request, self.statement, item)
            if not isinstance(item, exp.Placeholder | exp.Literal | exp.Null | exp.Boolean):
                raise unsupported("executemany with an expression among its values")
            pairs.append((ref.column.attr, item))
        targets = self._targets({_slot(item): attr for attr, item in pairs if isinstance(item, exp.Placeholder)})
        shown = [Pair(quoted(attr), ": ", self._value(item, targets)) for attr, item in pairs]
        return self._executed(writer.ended(entity), Items("", "{", tuple(shown), "}"), targets, core=False)

    def change(self, node: Node, slots: dict[int, str]) -> Node:
        """UPDATE or DELETE: on the session's connection, since an ORM one takes many only by primary key."""
        targets = self._targets(slots)
        shown = [Pair(quoted(slots[index]), ": ", Atom(name)) for index, name in targets.items()]
        return self._executed(node, Items("", "{", tuple(shown), "}"), targets, core=True)

    def _executed(self, node: Node, row: Node, targets: dict[int, str], *, core: bool) -> Node:
        rows = Items("", "[", (Atom(f"{flat(row)} for {self._over(targets)}"),), "]")
        literal = _is_nonempty(self.request.many)
        passed: Node = rows
        if not literal:
            name = self.writer.names.let("parameters", rows, "executemany")
            self.guard, passed = name, Atom(name)
        session: Node = Atom(self.request.session)
        links = (call("connection"), call("execute", node, passed)) if core else (call("execute", node, passed),)
        return Chain(session, links, split=False)

    def _targets(self, wishes: dict[int, str]) -> dict[int, str]:
        """The loop's variables: by slot, as the source reads them."""
        taken: set[str] = set()
        found: dict[int, str] = {}
        for slot in self.statement.slots:
            if isinstance(slot.key, str):
                found[slot.index] = f"row[{quoted(slot.key)}]"
                continue
            name = wishes[slot.index]
            name = name if name.isidentifier() and not keyword.iskeyword(name) else f"{name}_"
            while name in taken or not name.isidentifier():
                name = f"value_{slot.index}" if not name.isidentifier() else f"{name}_"
            taken.add(name)
            found[slot.index] = name
        return found

    def _over(self, targets: dict[int, str]) -> str:
        if any(isinstance(slot.key, str) for slot in self.statement.slots):
            return f"row in {self.request.many}"
        by_place = [targets[slot.index] for slot in sorted(self.statement.slots, key=lambda slot: int(slot.key))]
        listed = by_place[0] + "," if len(by_place) == 1 else ", ".join(by_place)
        return f"{'(' + listed + ')' if len(by_place) == 1 else listed} in {self.request.many}"

    def _value(self, item: exp.Expr, targets: dict[int, str]) -> Node:
        from sqlglot import exp

        from ormlift.sql.operands import literal_value

        if isinstance(item, exp.Placeholder):
            return Atom(targets[_slot(item)])
        if isinstance(item, exp.Boolean):
            return Atom(str(bool(item.this)))
        return Atom("None") if isinstance(item, exp.Null) else literal_value(item).node  # type: ignore[arg-type]


def bound_by_name(request: Request, statement: Statement) -> tuple[Request, dict[int, str]]:
    """The request with `bindparam("name")` for each argument, and the names by slot."""
    names = {s.index: f"p_{s.key}" if isinstance(s.key, str) else f"p{int(s.key) + 1}" for s in statement.slots}
    arguments = tuple(
        replace(argument, text=f'bindparam("{names[number]}")', may_be_none=False, type="", shown="")
        for number, argument in enumerate(request.arguments)
    )
    return replace(request, arguments=arguments), names


def _check_type(ref: ColumnRef, request: Request, statement: Statement, item: exp.Expr) -> None:
    from ormlift.sql.columntypes import takes

    if type(item).__name__ in ("Null", "Boolean") and ref.kind in ("bool", "datetime", "date", "time"):
        return
    known = request.arguments[_slot(item)].type if type(item).__name__ == "Placeholder" else ""
    if ref.kind in CONVERTING and not takes(statement.dialect, ref.kind, known):
        raise unsupported(f"executemany into `{ref.column.name}`, whose type converts what is bound,")


def _slot(item: exp.Expr) -> int:
    return int(str(item.this)[1:])


def _is_nonempty(source: str) -> bool:
    try:
        node = ast.parse(source.strip(), mode="eval").body
    except SyntaxError:
        return False
    elements = node.elts if isinstance(node, ast.List | ast.Tuple) else []
    return any(not isinstance(element, ast.Starred) for element in elements)
