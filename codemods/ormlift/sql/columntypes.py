"""What a mapped column's type does to the values that go in and come out, by dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ormlift.schema import MappedClass, MappedColumn

# SQLAlchemy type name -> the kind of value it stands for. What is not listed is `unknown`: custom types, decorators.
KINDS: Mapping[str, str] = {
    name: kind
    for kind, names in {
        "int": "Integer INTEGER INT BigInteger BIGINT SmallInteger SMALLINT TINYINT MEDIUMINT Identity Serial",
        "float": "Float FLOAT REAL Double DOUBLE DOUBLE_PRECISION",
        "numeric": "Numeric NUMERIC DECIMAL",
        "str": "String Text Unicode UnicodeText VARCHAR CHAR NVARCHAR NCHAR TEXT CLOB LONGTEXT MEDIUMTEXT TINYTEXT"
        " AutoString CITEXT",
        "bool": "Boolean BOOLEAN",
        "datetime": "DateTime DATETIME TIMESTAMP",
        "date": "Date DATE",
        "time": "Time TIME",
        "interval": "Interval INTERVAL",
        "bytes": "LargeBinary BLOB BINARY VARBINARY BYTEA LONGBLOB",
        "json": "JSON JSONB",
        "uuid": "Uuid UUID",
        "enum": "Enum ENUM",
    }.items()
    for name in names.split()
}

# Kind -> Python types that the type takes as they are, on SQLite, where it converts; any other raises or is changed.
_TAKES: Mapping[str, tuple[str, ...]] = {
    "datetime": ("datetime",),
    "date": ("date",),
    "time": ("time",),
    "interval": ("timedelta",),
    "uuid": ("UUID",),
    "bytes": ("bytes",),
    "numeric": ("int", "float", "Decimal"),
    "float": ("int", "float"),
    "enum": ("str",),
    "json": ("dict", "list"),
    "bool": ("bool",),
    "unknown": (),
}


def kind_of(column: MappedColumn, models: Mapping[str, MappedClass]) -> str:
    """The kind of a column's type; one left to its foreign key is looked up there."""
    for _ in range(5):
        if column.type or not column.foreign_key:
            break
        table, _, name = column.foreign_key.rpartition(".")
        model = models.get(table.lower())
        target = model.column(name) if model else None
        if target is None:
            break
        column = target
    return KINDS.get(column.type, "unknown")


def takes(dialect: str, kind: str, python: str) -> bool:
    """Whether a value of Python type `python` (empty: not known) goes through the column's type unchanged."""
    if python == "None" or kind not in _TAKES:
        return True
    if dialect == "sqlite" or kind in ("json", "unknown", "enum", "bool"):
        return python in _TAKES[kind]
    return True  # the drivers of PostgreSQL and MySQL take what their server takes
