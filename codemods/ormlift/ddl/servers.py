"""DDL of PostgreSQL and MySQL as SQLAlchemy's tables, by sqlglot: there is no server to run it on."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from ormlift.ddl.find import Ddl, Statement, Unread
from ormlift.ddl.tables import Tables
from ormlift.ddl.types import server_type

if TYPE_CHECKING:
    from sqlalchemy import Column
    from sqlalchemy.types import TypeEngine
    from sqlglot import exp


def put_together(ddl: Ddl, dialect: str) -> Tables:
    """The tables that the statements make; one that is not understood in full is told and left out."""
    from sqlalchemy import MetaData
    from sqlglot.errors import SqlglotError

    tables = Tables(MetaData(), unread=list(ddl.unread))
    enums = {s.table.lower(): _labels(s.sql) for s in ddl.statements if s.kind == "type"}
    for statement in [s for s in ddl.statements if s.kind == "create"]:
        if statement.table in tables.homes:
            continue
        added = [s for s in ddl.statements if s.kind == "add" and s.table.lower() == statement.table.lower()]
        try:
            _Reader(statement, dialect, tables, enums).read(added)
        except (_UnreadError, SqlglotError) as error:
            what = str(error).splitlines()[0]
            why = f"the CREATE TABLE of {statement.table} is not read as {dialect}: {what}"
            tables.unread.append(Unread(statement.path, statement.line, why))
        else:
            tables.homes[statement.table] = f"{statement.path}:{statement.line}"
    return tables


class _UnreadError(Exception):
    """What is not understood."""


@dataclass
class _Reader:
    statement: Statement
    dialect: str
    tables: Tables
    enums: Mapping[str, list[str]]  # labels, by the name of the type
    items: list[Any] = field(default_factory=list)
    primary: list[str] = field(default_factory=list)

    def read(self, added: list[Statement]) -> None:
        from sqlalchemy import PrimaryKeyConstraint, Table
        from sqlglot import exp

        tree = _parsed(self.statement.sql, self.dialect)
        schema = tree.this
        if not isinstance(tree, exp.Create) or not isinstance(schema, exp.Schema):
            raise _UnreadError("it lists no columns")
        for node in schema.expressions:
            self._item(node)
        for statement in added:
            alter = _parsed(statement.sql, self.dialect)
            for node in alter.args.get("actions") or []:
                if isinstance(node, exp.ColumnDef) and node.name not in {getattr(i, "name", "") for i in self.items}:
                    self._item(node)
        if self.primary:
            self.items.append(PrimaryKeyConstraint(*self.primary))
        name = self._name(schema.this.this)
        table = Table(name, self.tables.metadata, *self.items, schema=self.statement.schema or None)
        for column in table.columns:
            chosen = server_type(column.type, self.dialect)
            column.type = chosen.type
            self.tables.remarks[table.name, column.name] = chosen

    def _name(self, node: exp.Expr) -> str:
        """A name as the server keeps it: PostgreSQL folds what is not quoted."""
        from sqlglot import exp

        inner = node if isinstance(node, exp.Identifier) else node.this
        quoted = isinstance(inner, exp.Identifier) and inner.args.get("quoted")
        return node.name if quoted or self.dialect != "postgresql" else node.name.lower()

    def _reference(self, node: exp.Expr) -> tuple[str, list[str], dict[str, Any]]:
        """The table that a REFERENCES names, its columns, and what it does on changes."""
        from sqlglot import exp

        schema, listed = node.this, isinstance(node.this, exp.Schema)
        table = schema.this if listed else schema
        target = self._name(table.this)
        rules: dict[str, Any] = {}
        for option in node.args.get("options") or []:
            on, _, action = str(option).upper().removeprefix("ON ").partition(" ")
            if on in ("DELETE", "UPDATE") and action != "NO ACTION":
                rules[f"on{on.lower()}"] = action
        columns = [self._name(column) for column in schema.expressions] if listed else []
        return (f"{table.text('db')}.{target}" if table.text("db") else target), columns, rules

    def _item(self, node: exp.Expr) -> None:
        from sqlalchemy import CheckConstraint, ForeignKeyConstraint, UniqueConstraint
        from sqlglot import exp

        name = None
        if isinstance(node, exp.Constraint):
            name, (node,) = node.name, node.expressions[:1]
        match node:
            case exp.ColumnDef():
                self.items.append(self._column(node))
            case exp.PrimaryKey():
                self.primary += [self._name(n) for n in node.expressions]
            case exp.UniqueColumnConstraint():
                inner = node.this
                names = [self._name(n) for n in inner.expressions] if isinstance(inner, exp.Schema) else []
                if not names:
                    raise _UnreadError("a UNIQUE without columns")
                self.items.append(UniqueConstraint(*names, name=name))
            case exp.ForeignKey():
                target, columns, rules = self._reference(node.args["reference"])
                own = [self._name(n) for n in node.expressions]
                there = [f"{target}.{c}" for c in columns or own]
                self.items.append(ForeignKeyConstraint(own, there, name=name, **rules))
            case exp.CheckColumnConstraint():
                self.items.append(CheckConstraint(node.this.sql(self._sqlglot), name=name))
            case exp.IndexColumnConstraint():
                pass  # KEY (..) of MySQL: only speed
            case _:
                raise _UnreadError(f"`{node.sql(self._sqlglot)[:60]}`")

    @property
    def _sqlglot(self) -> str:
        return {"postgresql": "postgres"}.get(self.dialect, self.dialect)

    def _column(self, node: exp.ColumnDef) -> Column[Any]:
        from sqlalchemy import CheckConstraint, Column, ForeignKey, text
        from sqlglot import exp

        kind = node.args.get("kind")
        if kind is None:
            raise _UnreadError(f"the column {node.name} has no type")
        options: dict[str, Any] = {}
        extra: list[Any] = []
        for constraint in node.args.get("constraints") or []:
            match constraint.kind:
                case exp.NotNullColumnConstraint() as rule:
                    options["nullable"] = bool(rule.args.get("allow_null"))
                case exp.PrimaryKeyColumnConstraint():
                    options["primary_key"] = True
                case exp.UniqueColumnConstraint():
                    options["unique"] = True
                case exp.DefaultColumnConstraint() as rule:
                    options["server_default"] = text(rule.this.sql(self._sqlglot))
                case exp.Reference() as rule:
                    target, columns, rules = self._reference(rule)
                    extra.append(ForeignKey(f"{target}.{columns[0] if columns else 'id'}", **rules))
                case exp.CommentColumnConstraint() as rule:
                    options["comment"] = rule.name
                case exp.GeneratedAsIdentityColumnConstraint():
                    from sqlalchemy import Identity

                    extra.append(Identity(always=bool(constraint.kind.this)))
                case exp.CheckColumnConstraint() as rule:
                    self.items.append(CheckConstraint(rule.this.sql(self._sqlglot)))
                case (
                    exp.AutoIncrementColumnConstraint()
                    | exp.OnUpdateColumnConstraint()
                    | exp.CollateColumnConstraint()
                    | exp.CharacterSetColumnConstraint()
                ):
                    pass  # the server does it by itself
                case other:
                    raise _UnreadError(f"`{other.sql(self._sqlglot)}` of the column {node.name}")
        return Column(self._name(node), _type(kind, self.dialect, self.enums), *extra, **options)


def _parsed(sql: str, dialect: str) -> exp.Expr:
    from sqlglot import exp, parse_one

    tree = parse_one(sql, dialect={"postgresql": "postgres"}.get(dialect, dialect))
    if isinstance(tree, exp.Command):
        raise _UnreadError("sqlglot does not read it")
    return tree


def _labels(sql: str) -> list[str]:
    """The labels of `CREATE TYPE .. AS ENUM ('a', 'b')`."""
    listed = sql[sql.index("(") :]
    return [label.replace("''", "'") for label in re.findall(r"'((?:[^']|'')*)'", listed)]


def _type(kind: exp.DataType, dialect: str, enums: Mapping[str, list[str]]) -> TypeEngine[Any]:
    """SQLAlchemy's type for a type as sqlglot read it."""
    from sqlglot import exp

    numbers = [int(p.name) for p in kind.expressions if isinstance(p, exp.DataTypeParam) and p.name.isdigit()]
    name = kind.this.name if isinstance(kind.this, exp.DataType.Type) else str(kind.this)
    if name == "ENUM":
        from sqlalchemy import Enum

        return Enum(*[label.name for label in kind.expressions], native_enum=False)
    if name == "USERDEFINED" and (called := str(kind.args["kind"].name).lower()) in enums:
        from sqlalchemy import Enum

        return Enum(*enums[called], name=called)
    if name == "ARRAY":
        from sqlalchemy import Enum
        from sqlalchemy.dialects.postgresql import ARRAY

        inner = _type(kind.expressions[0], dialect, enums)
        if isinstance(inner, Enum):  # psycopg2 hands out its text
            raise _UnreadError(f"the type {kind.sql()}")
        return ARRAY(inner)
    if dialect == "mysql" and name == "TIMESTAMPTZ":  # its TIMESTAMP, as sqlglot calls it
        name = "TIMESTAMP"
    make = _makers().get(name)
    if make is None:
        raise _UnreadError(f"the type {kind.sql()}")
    return make(numbers)


def _plain(make: Callable[[], TypeEngine[Any]], _: list[int]) -> TypeEngine[Any]:
    return make()


def _makers() -> Mapping[str, Callable[[list[int]], TypeEngine[Any]]]:
    import sqlalchemy as sa
    from sqlalchemy.dialects import mysql, postgresql

    plain: dict[str, Any] = {
        "BIGINT": sa.BigInteger, "BIGSERIAL": sa.BigInteger, "UBIGINT": sa.BigInteger,
        "INT": sa.Integer, "SERIAL": sa.Integer, "MEDIUMINT": sa.Integer, "UINT": sa.Integer, "UMEDIUMINT": sa.Integer,
        "SMALLINT": sa.SmallInteger, "SMALLSERIAL": sa.SmallInteger, "USMALLINT": sa.SmallInteger,
        "TINYINT": mysql.TINYINT, "UTINYINT": mysql.TINYINT, "BOOLEAN": sa.Boolean, "YEAR": mysql.YEAR,
        "TEXT": sa.Text, "MEDIUMTEXT": sa.Text, "LONGTEXT": sa.Text, "TINYTEXT": sa.Text,
        "FLOAT": sa.Float, "DOUBLE": sa.Double, "DATE": sa.Date, "TIME": sa.Time, "INTERVAL": sa.Interval,
        "JSON": sa.JSON, "JSONB": postgresql.JSONB, "UUID": sa.Uuid, "INET": postgresql.INET, "CIDR": postgresql.CIDR,
        "BLOB": sa.LargeBinary, "MEDIUMBLOB": sa.LargeBinary, "LONGBLOB": sa.LargeBinary, "TINYBLOB": sa.LargeBinary,
        "VARBINARY": sa.LargeBinary, "BINARY": sa.LargeBinary, "BIT": mysql.BIT,
    }  # fmt: skip
    made: dict[str, Callable[[list[int]], TypeEngine[Any]]] = {k: partial(_plain, t) for k, t in plain.items()}
    for name in ("VARCHAR", "NVARCHAR"):
        made[name] = lambda n: sa.String(n[0] if n else None)
    for name in ("CHAR", "NCHAR"):
        made[name] = lambda n: sa.CHAR(n[0] if n else None)
    made["DECIMAL"] = lambda n: sa.Numeric(n[0] if n else None, n[1] if len(n) > 1 else None)
    for name in ("DATETIME", "TIMESTAMP", "TIMESTAMPNTZ"):
        made[name] = lambda _: sa.DateTime()
    for name in ("TIMESTAMPTZ", "TIMESTAMPLTZ"):
        made[name] = lambda _: sa.DateTime(timezone=True)
    made["TIMETZ"] = lambda _: sa.Time(timezone=True)
    return made
