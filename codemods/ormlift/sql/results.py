"""The columns of the rows that come back, and how their values differ from the raw driver's."""

from __future__ import annotations

import keyword
from typing import TYPE_CHECKING

from ormlift.sql.statement import ResultColumn

if TYPE_CHECKING:
    from ormlift.sql.selects import Selected, SelectParts

# Kind -> Python type of the raw driver and of the mapped column, by dialect, where they differ or are worth naming.
_SAME = {
    "int": "int", "float": "float", "str": "str", "bytes": "bytes", "numeric": "Decimal", "datetime": "datetime",
    "date": "date", "time": "time",
    "interval": "timedelta", "bool": "bool", "json": "dict", "uuid": "UUID", "enum": "Enum",
}  # fmt: skip
_RAW = {
    "sqlite": {
        "bool": "int", "datetime": "str", "date": "str", "time": "str", "interval": "str", "numeric": "float",
        "json": "str", "uuid": "str", "enum": "str",
    },
    "postgresql": {"uuid": "str", "bytes": "memoryview", "enum": "str"},
    "mysql": {"bool": "int", "json": "str", "uuid": "str", "time": "timedelta", "interval": "datetime", "enum": "str"},
}  # fmt: skip
# Names that a Row keeps for itself.
_OWN = ("t", "tuple")


def result_columns(parts: SelectParts, dialect: str) -> tuple[ResultColumn, ...]:
    """The columns in order."""
    return tuple(_column(item, attr, dialect) for item, attr in zip(parts.items, _attributes(parts), strict=True))


def _attributes(parts: SelectParts) -> list[str]:
    names = [_name(item, parts) for item in parts.items]
    return [name if names.count(name) == 1 and _reachable(name) else "" for name in names]


def _name(item: Selected, parts: SelectParts) -> str:
    if item.alias:
        return item.alias
    ref = item.value.ref
    if ref is None:
        return ""
    whole = not any(node is item.node or node == item.node for node in parts.columns)
    return ref.column.name if whole or ref.entity.model.is_table else ref.column.attr


def _reachable(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name) and not name.startswith("_") and name not in _OWN


def _column(item: Selected, attr: str, dialect: str) -> ResultColumn:
    value = item.value
    kind = value.kind
    raw, new = _RAW[dialect].get(kind, _SAME.get(kind, "")), _SAME.get(kind, "")
    arguments = value.ref.column.type_args if value.ref else ""
    if kind == "numeric" and "asdecimal=False" in arguments.replace(" ", ""):
        new = "float"
        raw = raw if dialect == "sqlite" else "Decimal"
    if kind == "enum" and arguments[:1] in ("'", '"') and arguments:
        new = "str"
    if kind == "uuid" and "as_uuid=False" in arguments.replace(" ", ""):
        new = "str"
    nullable = value.ref.nullable if value.ref else True
    return ResultColumn(
        label=item.label,
        attr=attr,
        column=value.ref.column if value.ref else None,
        table=value.ref.entity.model.name if value.ref else "",
        changes_type=kind == "unknown" or raw != new,
        raw_type=raw,
        new_type=new,
        nullable=nullable,
    )
