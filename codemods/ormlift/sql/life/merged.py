"""Rows that one fetch reads of one of several statements, as branches have it: what is true of the rows of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ormlift.sql.rows.follow import Fact
from ormlift.sql.statement import ResultColumn


def merged(facts: Sequence[Fact]) -> Fact | None:
    """One fact for all of `facts`; None where rows are read by names that differ, or are of other lengths.

    None too where a column that differs comes as another type than the driver gave: which one cannot be told.
    """
    first, *others = facts
    if all(other == first for other in others):
        return first
    alike = all(replace(other, columns=first.columns) == first for other in others)
    if not alike or {len(fact.columns) for fact in facts} != {len(first.columns)}:
        return None
    columns = [_column(same) for same in zip(*(fact.columns for fact in facts), strict=True)]
    known = [column for column in columns if column is not None]
    if len(known) != len(columns) or (first.mapping and not all(column.label for column in known)):
        return None
    return replace(first, columns=tuple(known))


def _column(same: Sequence[ResultColumn]) -> ResultColumn | None:
    """What the columns of one place have in common."""
    first = same[0]
    if all(column == first for column in same):
        return first
    if any(column.changes_type for column in same):
        return None
    return ResultColumn(
        label=first.label if len({column.label for column in same}) == 1 else "",
        attr=first.attr if len({column.attr for column in same}) == 1 else "",
        raw_type=first.raw_type if len({column.raw_type for column in same}) == 1 else "",
        new_type=first.new_type if len({column.new_type for column in same}) == 1 else "",
        nullable=any(column.nullable for column in same),
    )
