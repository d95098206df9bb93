"""The types of CAST, as SQLAlchemy says them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ormlift.sql.scope import unsupported

if TYPE_CHECKING:
    from sqlglot import exp

# sqlglot's name of the type -> SQLAlchemy's name that compiles to the same word, and its kind
_TYPES = {
    "INT": ("Integer", "int"),
    "BIGINT": ("BigInteger", "int"),
    "SMALLINT": ("SmallInteger", "int"),
    "TEXT": ("Text", "str"),
    "VARCHAR": ("String", "str"),
    "CHAR": ("CHAR", "str"),
    "FLOAT": ("Float", "float"),
    "DECIMAL": ("Numeric", "numeric"),
    "DOUBLE": ("Double", "float"),
    "DATE": ("Date", "date"),
    "TIMESTAMP": ("DateTime", "datetime"),
    "BOOLEAN": ("Boolean", "bool"),
    "UUID": ("UUID", "uuid"),
    "INTERVAL": ("Interval", "interval"),
}
_ON_SQLITE = ("INT", "BIGINT", "SMALLINT", "TEXT", "VARCHAR", "FLOAT", "REAL")


def sqlalchemy_type(tree: exp.DataType, dialect: str) -> tuple[str, str, str]:
    """The type's SQLAlchemy name, its arguments as source text, and its kind. Raises Refused where there is none."""
    name = tree.this.name if hasattr(tree.this, "name") else str(tree.this)
    if dialect == "postgresql" and name == "FLOAT":  # its REAL, as sqlglot calls it
        return "REAL", "", "float"
    if name == "DOUBLE" and tree.expressions:
        raise unsupported("CAST to FLOAT of a precision")
    if dialect == "sqlite" and name in ("FLOAT", "REAL", "DOUBLE"):
        return "REAL", "", "float"
    if name not in _TYPES or (dialect == "sqlite" and name not in _ON_SQLITE):
        raise unsupported(f"CAST to {name}")
    if dialect == "mysql" and name not in ("CHAR", "DATE", "DECIMAL"):
        raise unsupported(f"CAST to {name}")
    said, kind = _TYPES[name]
    sizes = [size.name for size in tree.expressions]
    return said, f"({', '.join(sizes)})" if sizes else "", kind
