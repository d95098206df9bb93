"""JSON that stands in the SQL as text, as the Python value that SQLAlchemy's type encodes to the same text."""

from __future__ import annotations

import ast
import json

from ormlift.sql.layout import Atom, Items, Node, Pair
from ormlift.sql.operands import quoted


def decoded_text(source: str) -> Node | None:
    """The value of a literal's source text; None where encoding it would not give the very text back."""
    text = ast.literal_eval(source)
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return _node(value) if value is not None and json.dumps(value) == text else None


def _node(value: object) -> Node:
    match value:
        case dict():
            return Items("", "{", tuple(Pair(quoted(key), ": ", _node(item)) for key, item in value.items()), "}")
        case list():
            return Items("", "[", tuple(_node(item) for item in value), "]")
        case str():
            return Atom(quoted(value))
        case _:
            return Atom(repr(value))
