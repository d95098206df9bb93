"""Names that the parts of `dto-drift` share."""

from __future__ import annotations

from ormlift.project.dtos import Dto
from ormlift.schema import MappedColumn

ID = "dto-drift"
PYTHON = {
    "Integer": "int", "BigInteger": "int", "SmallInteger": "int", "String": "str", "Text": "str", "Unicode": "str",
    "UnicodeText": "str", "Boolean": "bool", "Float": "float", "Double": "float", "REAL": "float", "Numeric": "Decimal",
    "DECIMAL": "Decimal", "DateTime": "datetime", "TIMESTAMP": "datetime", "Date": "date", "Time": "time",
    "Uuid": "UUID", "JSON": "Any", "JSONB": "Any", "VARCHAR": "str", "INTEGER": "int", "TEXT": "str",
}  # fmt: skip
NEEDS = {
    "Decimal": "decimal",
    "datetime": "datetime",
    "date": "datetime",
    "time": "datetime",
    "UUID": "uuid",
    "Any": "typing",
}


def names(dto: Dto) -> set[str]:
    """What a model may read a column into: its fields, their aliases, its methods."""
    return set(dto.fields) | dto.computed | {alias for f in dto.fields.values() for alias in f.aliases}


def python_of(column: MappedColumn) -> str:
    """The Python type of a column's values."""
    return PYTHON.get(column.impl or column.type, "Any")
