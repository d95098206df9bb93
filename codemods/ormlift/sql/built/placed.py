"""Statements that stand where their texts stood: what they bind must be there already."""

from __future__ import annotations

from ormlift.sql.built.express import Expressed
from ormlift.sql.life.model import Life
from ormlift.sql.life.refuse import Refused
from ormlift.sql.textual.clause import Clause
from ormlift.sql.textual.find import Textual
from ormlift.sql.textual.ways import is_bound


def check_placed(found: Expressed, life: Life) -> None:
    """Refuse where a parameter gets its value only behind the text. Raises Refused."""
    call = found.built.call
    site = Textual(life, call, "execute", Clause(None, call), None)
    for node, whole in found.statements.items():
        if not all(is_bound(value, node, site) for value in whole.parameters.nodes.values()):
            message = f"the parameters of line {call.lineno} may not be known yet on line {node.lineno}"
            raise Refused("parameters-unknown", f"{message}; bind them before, or execute each text by itself")
