"""Whether two canonical forms surely mean something else: of one shape, and with other values in the same places.

Where nothing can be run (no server of the dialect is at hand), forms that are not equal may still mean the same: a
function that is written otherwise, a condition that is turned round. That is not so where all that differs is which
parameter, column, number or text stands in a place, or which comparison is made of the same two.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ormlift.sql.forms import Shape

SURELY = "the forms are of one shape, with other values:"
_COMPARISONS = frozenset({"EQ", "NEQ", "LT", "LTE", "GT", "GTE"})
_Pair = tuple["Shape", "Shape"]


def surely_different(old: Shape, new: Shape) -> str:
    """In what two forms surely differ, in words; empty where that cannot be told."""
    pairs = _pairs(old, new)
    if not pairs or not all(_is_other(*pair) for pair in pairs):
        return ""
    if sorted(repr(left) for left, _ in pairs) == sorted(repr(right) for _, right in pairs):
        return ""  # the same ones, in another order
    left, right = pairs[0]
    return f"{SURELY} {left} and {right}"


def _pairs(old: Shape, new: Shape) -> list[_Pair] | None:
    """The smallest parts that differ, each with its counterpart; None where the shapes differ."""
    if old == new:
        return []
    if not isinstance(old, tuple) or not isinstance(new, tuple) or len(old) != len(new) or not old:
        return None
    if _is_leaf(old, new):
        return [(old, new)]
    found: list[_Pair] = []
    for left, right in zip(old, new, strict=True):
        pairs = _pairs(left, right)
        if pairs is None:
            return None
        found += pairs
    return found


def _is_leaf(old: Shape, new: Shape) -> bool:
    if old[0] in _COMPARISONS and new[0] in _COMPARISONS:
        return sorted(map(repr, old[1:])) == sorted(map(repr, new[1:]))
    return old[0] == new[0] and old[0] in ("slot", "column", "number", "string")


def _is_other(old: Shape, new: Shape) -> bool:
    """Whether two parts of one kind surely mean something else."""
    match old[0]:
        case "number":
            return float(old[1]) != float(new[1])
        case "string":  # a date, a path into JSON and the like may be written in two ways
            return re.sub(r"\W", "", old[1]).casefold() != re.sub(r"\W", "", new[1]).casefold()
        case "column":
            return bool(old[2] != new[2] or old[1][:2] != new[1][:2])
        case "slot":
            return True
        case _:
            return _oriented(old) != _oriented(new)


def _oriented(comparison: Shape) -> tuple[str, str]:
    """A comparison with its operands in one order."""
    kind, left, right = comparison
    turned = {"LT": "GT", "LTE": "GTE", "GT": "LT", "GTE": "LTE"}
    return (kind, repr(left)) if repr(left) <= repr(right) else (turned.get(kind, kind), repr(right))
