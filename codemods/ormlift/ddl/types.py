"""Which type a mapped column gets, so that its values come and go as the driver alone hands them over.

SQLite's driver knows five kinds of values: what stands in a column of type DATE is text, in one of type BOOLEAN 0 or 1,
in one of type DECIMAL an int or a float. A model with `Date`, `Boolean` or `Numeric` would turn them into something
else, and code that compares or prints them would break. So the model says what really comes, and a remark says what the
database calls it. The servers' drivers hand out dates and decimals by themselves; there the types are kept, but for the
few that SQLAlchemy would turn into something else than the driver does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy.types import TypeEngine


@dataclass(frozen=True, slots=True)
class Chosen:
    """A column's type in the model."""

    type: TypeEngine[Any]
    remark: str = ""  # why it is not what the database calls it; empty: it is
    anything: bool = False  # its values are of no one Python type


def sqlite_type(declared: str) -> Chosen:
    """The type for a column that SQLite's DDL declares so; empty where it declares none."""
    from sqlalchemy import BigInteger, Float, Integer, LargeBinary, SmallInteger, String, Text

    name = re.sub(r"\s+", " ", declared.partition("(")[0]).strip().upper()
    if not name:
        return Chosen(Text(), "no type: as it was stored", anything=True)
    if "INT" in name:
        whole = {"BIGINT": BigInteger, "SMALLINT": SmallInteger}.get(name, Integer)
        return Chosen(whole())
    if "CHAR" in name or "CLOB" in name or "TEXT" in name:
        length = re.search(r"\(\s*(\d+)\s*\)", declared)
        return Chosen(String(int(length[1])) if length and "CHAR" in name else Text())
    if "BLOB" in name:
        return Chosen(LargeBinary())
    if "REAL" in name or "FLOA" in name or "DOUB" in name:
        return Chosen(Float())
    if name.startswith("BOOL"):
        return Chosen(Integer(), f"{name}: 0 or 1")
    if name.startswith(("DEC", "NUM", "MONEY")):
        return Chosen(Float(), f"{name}: int or float")
    return Chosen(Text(), f"{name}: text")


def server_type(given: TypeEngine[Any], dialect: str, driver: str = "") -> Chosen:
    """The type for a column of PostgreSQL or MySQL: as it is, unless the driver hands out something else."""
    from sqlalchemy import Uuid

    if dialect == "mysql":
        return _mysql_type(given)
    if isinstance(given, Uuid) and driver != "psycopg":
        return Chosen(Uuid(as_uuid=False), "UUID: text")
    return Chosen(given)


_MYSQL = {
    general: names.split()
    for general, names in {
        "Text": "TEXT TINYTEXT MEDIUMTEXT LONGTEXT SET JSON",
        "SmallInteger": "BOOLEAN TINYINT SMALLINT SMALLINTEGER",
        "Integer": "INTEGER INT MEDIUMINT YEAR",
        "BigInteger": "BIGINT BIGINTEGER",
        "Double": "DOUBLE",
        "Float": "FLOAT REAL",
        "DateTime": "DATETIME TIMESTAMP",
        "LargeBinary": "BLOB TINYBLOB MEDIUMBLOB LONGBLOB BINARY VARBINARY LARGEBINARY BIT",
    }.items()
}
_MYSQL_REMARKS = {"SET": "SET: text", "JSON": "JSON: text", "BOOLEAN": "BOOLEAN: 0 or 1", "YEAR": "YEAR: int"}


def _mysql_type(given: TypeEngine[Any]) -> Chosen:
    """MySQL's own types by their general names, since widths, signs and collations change no value.

    Its DOUBLE comes as a Decimal where reflection says so, its ENUM, SET and JSON as text.
    """
    import sqlalchemy as sa

    name = type(given).__name__.upper()
    if isinstance(given, sa.Enum):
        length = max((len(label) for label in given.enums), default=0)
        return Chosen(sa.String(length) if length else sa.String(), "ENUM: text")
    general = next((general for general, names in _MYSQL.items() if name in names), "")
    if general:
        return Chosen(getattr(sa, general)(), _MYSQL_REMARKS.get(name, ""))
    if isinstance(given, sa.Numeric):
        return Chosen(sa.Numeric(given.precision, given.scale))
    return Chosen(sa.String(given.length) if isinstance(given, sa.String) else given)
