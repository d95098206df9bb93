"""What stood in the text in no quotes, and of which nothing tells that it is a number: a value only beside numbers."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from ormlift.model import Effect
from ormlift.sql.columntypes import kind_of
from ormlift.sql.life.assumed import given_to
from ormlift.sql.life.literals import value_facts
from ormlift.sql.life.model import Life
from ormlift.sql.life.refuse import Refused

if TYPE_CHECKING:
    from ormlift.sql.life.statements import Prepared

_NUMBERS = ("int", "float", "numeric")
_TEXTS = ("str", "bytes", "list", "dict")


def check_loose(prepared: Prepared, life: Life) -> None:
    """Refuse what may be a piece of SQL: a value is compared with a column of numbers, or written to one.

    There a value is a number or its digits; what else it may be, the effect tells. Raises Refused.
    """
    assert prepared.written is not None
    for slot in prepared.statement.slots:
        if slot.key not in prepared.parameters.loose:
            continue
        columns = [bind.column for bind in prepared.written.binds if bind.slot == slot.index]
        numbers = columns and all(c is not None and kind_of(c, prepared.models) in _NUMBERS for c in columns)
        node = prepared.parameters.nodes.get(slot.key) if slot.key not in prepared.parameters.many else None
        if not numbers or (node is not None and _may_be_text(node, life)):
            message = f"what is put into the SQL on line {prepared.execution.line} may be more than a value"
            advice = "write each statement as one literal, with parameters"
            raise Refused("dynamic-sql", f"{message}: a name, or a piece of SQL; {advice}")


def bound_effect(prepared: Prepared) -> Effect:
    """What is bound now was part of the SQL text."""
    values, loose = ", ".join(prepared.bound), bool(prepared.parameters.loose)
    said = "no name or SQL in it is executed, None is NULL, and digits in a str are no number to some drivers"
    if not loose:
        said = "a quote in it no longer ends the string, and None in no quotes is NULL"
    message = f"{values} was put into the SQL text and is bound now: {said}"
    return Effect("interpolated", prepared.execution.line, message)


def _may_be_text(node: ast.expr, life: Life) -> bool:
    """Whether a text is known to come: from what binds the name, from its default, or from a caller in the file."""
    if value_facts(node, life).type in _TEXTS:
        return True
    if not isinstance(node, ast.Name):
        return False
    definitions = life.flow.of(node)
    if not all(isinstance(d, ast.arg) for d in definitions):
        stated = (life.module.parents.get(d) for d in definitions)
        values = [s.value for s in stated if isinstance(s, ast.Assign | ast.AnnAssign) and s.value is not None]
        return any(value_facts(value, life).type in _TEXTS for value in values)
    return any(value_facts(given, life).type in _TEXTS for given in given_to(node.id, life))
