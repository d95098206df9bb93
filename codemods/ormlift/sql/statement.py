"""What flows between reading, writing and proving one SQL statement. Plain data.

    statement = read(sql, "qmark", "sqlite")            # Statement | Reason
    written = write(statement, Request(models=..., arguments=..., fetch=Fetch.FIRST))   # Written | Reason
    certificate = prove(statement, written, request)    # Certificate

A *slot* is one parameter of the statement: a positional one per placeholder, a named or numbered one per name, however
often it occurs. Slots are numbered from 0 in order of first appearance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from ormlift.schema import MappedClass, MappedColumn

if TYPE_CHECKING:
    from sqlglot import exp

    from ormlift.model import ImportNeed

PARAMSTYLES = ("qmark", "numeric", "named", "format", "pyformat")
DIALECTS = ("sqlite", "postgresql", "mysql")
MARK = "ormlift_part_"  # begins a name in SQL that stands for a list of the code: see `Request.spreads`
NAMED = "_ormlift_named"  # ends one that stands for (a part of) a column's name, which a variable of the code holds


class Kind(StrEnum):
    """The kind of a statement."""

    SELECT = "select"
    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"


class Fetch(StrEnum):
    """What the code wants of the statement; decides the end of the written expression."""

    FIRST = "first"  # fetchone(): a Row or None
    ALL = "all"  # fetchall(): a list of Rows
    ITERATE = "iterate"  # `for row in ...`: something to iterate over
    SCALAR = "scalar"  # fetchone()[0] of a statement that always gives a row, or `row[0] if row else None`
    SCALARS = "scalars"  # `[row[0] for row in ...]`: a list of the first column's values
    ROWCOUNT = "rowcount"  # the number of rows a DML statement touched
    LASTROWID = "lastrowid"  # the id of the row an INSERT made
    NONE = "none"  # the result is not used
    STATEMENT = "statement"  # the statement alone, executed elsewhere; in `select` style only


@dataclass(frozen=True, slots=True)
class Slot:
    """One parameter of a statement."""

    index: int  # number in order of first appearance
    key: int | str  # where its value stands in the parameters: position, or the name of a named one
    uses: int = 1  # how often it occurs; the argument's text is written that often
    many: bool = False  # it stands for a whole list of values: `IN (<built from a list's length>)`


@dataclass(frozen=True)
class Statement:
    """One parsed statement. Made by `read`."""

    sql: str  # as written in the code
    normal: str  # with every placeholder as `:p<slot index>`, for certificates
    kind: Kind
    dialect: str
    slots: tuple[Slot, ...]
    tables: tuple[tuple[str, str], ...]  # (schema or empty, table) of each table named, in order, each once
    tree: exp.Expr = field(compare=False, repr=False)  # sqlglot's tree; slots are Placeholder(this="p<index>")

    @property
    def gives_rows(self) -> bool:
        """True for a query, and for a change with RETURNING."""
        return self.kind is Kind.SELECT or bool(self.tree.args.get("returning"))

    @property
    def gives_one_row(self) -> bool:
        """True where exactly one row comes back whatever the data: an aggregate without GROUP BY, HAVING, LIMIT."""
        from ormlift.sql.read import gives_one_row

        return gives_one_row(self.tree)


@dataclass(frozen=True, slots=True)
class Argument:
    """What the code passes for one slot."""

    text: str  # Python source of the value, as it is to be written; an expression that may stand as a call's argument
    may_be_none: bool = True  # false: known never to be None
    type: str = ""  # `str`, `int`, `float`, `bool`, `bytes`, `datetime`, `date`, `time`, `Decimal`, `UUID`, `None`,
    # `dict`, `list`; empty: unknown. A literal's type and None-ness are read from `text` where it is one.
    shown: str = ""  # the text to judge by, where `text` is a stand-in for it
    many: bool = False  # a list of values, of `IN (..)`


@dataclass(frozen=True)
class Request:
    """How a statement is to be written."""

    models: Mapping[str, MappedClass]  # by table name, or `schema.table`, lower-case: the project's mapped classes
    arguments: tuple[Argument, ...] = ()  # one for each slot, in the slots' order
    style: str = "select"  # select | query
    fetch: Fetch = Fetch.ALL
    session: str = "session"  # Python source of the session
    timestamps: str = "func"  # func | utcnow | now-utc: what CURRENT_TIMESTAMP becomes
    sqlalchemy: str = ""  # the version that the text must run on, as `2.0`; empty: not known, so the newest
    line_length: int = 100
    indent: int = 0  # column at which the expression's first line starts, e.g. behind `row = `; wraps accordingly
    base_indent: int = 0  # what later lines of the text hang from, and include; 0 where the applier indents them itself
    # How the file says a dotted target, where it is bound already or must not be imported by its own name: the key is
    # `app.models.Job` or `sqlalchemy.select`, the value `models.Job` or `sa.select`.
    names: Mapping[str, str] = field(default_factory=dict)
    # How an UPDATE or DELETE treats the session's instances: `evaluable` leaves it to SQLAlchemy where the criteria can
    # be evaluated in Python; `never` leaves them as raw SQL did; `core` says nothing, for a connection.
    synchronize: str = "evaluable"
    options: str = (
        ""  # arguments of the statement's own `.execution_options(..)`, as source text; in `select` style only
    )
    passed: str = ""  # further arguments of `execute(..)`, as source text; in `select` style only
    stated: str = ""  # the variable that holds the statement, where it is made elsewhere; in `select` style only
    also: frozenset[str] = frozenset()  # other dialects that the project's engines speak
    typed: bool = False  # the driver tells the server the types of what it binds: text is no date by itself
    kept: frozenset[int] = frozenset()  # columns of the result that must come as the driver gives them
    variables: bool = False  # statements may be written above, for aliases, subqueries and tables of WITH
    taken: frozenset[str] = frozenset()  # names that mean something where the statement stands
    # Names in the SQL that stand for conditions or assignments of the code, each with what is written: `*conditions`.
    spreads: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    """An effect of the written statement, without the line that shows it."""

    code: str  # key of `EFFECTS`
    message: str


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """One column of the rows that come back, in order."""

    label: str  # the name raw rows knew it by (cursor.description, `row["label"]`); empty where the driver decides
    attr: str  # the attribute of the new Row; empty where it has none, then only its index reaches it
    column: MappedColumn | None = None  # the mapped column it is, None for an expression
    table: str = ""  # the mapped class's name
    changes_type: bool = False  # the values are of another Python type than the raw driver's
    raw_type: str = ""  # Python type the driver gives: `int`, `str`; empty: not known
    new_type: str = ""  # Python type the new Row gives: `bool`, `datetime`
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class Bind:
    """Where a slot meets a column."""

    slot: int
    column: MappedColumn | None  # None: compared with or written to no plain column
    writes: bool = False  # true: written to the column; false: compared with it


@dataclass(frozen=True)
class Written:
    """A statement as SQLAlchemy source text."""

    text: str  # the expression, up to what hands out rows; later lines include `base_indent`
    imports: tuple[ImportNeed, ...]  # names the text uses that `Request.names` does not give
    columns: tuple[ResultColumn, ...] = ()  # of a SELECT (or RETURNING)
    effects: tuple[Finding, ...] = ()
    slot_order: tuple[int, ...] = ()  # the slots as they appear in the text, for the order of evaluation
    binds: tuple[Bind, ...] = ()
    occurrences: tuple[int, ...] = ()  # the slots as the text names them, each as often as it does
    above: tuple[str, ...] = ()  # statements that must stand above: `manager = aliased(Employee)`; as `text`, laid out


# Reason code -> what it means and the way out. `read` and `write` return `Reason`s with these codes.
REASONS: Mapping[str, str] = {
    "administrative": "DDL, PRAGMA, SET, SHOW, VACUUM, transactions and the like have no ORM form: leave them raw.",
    "several-statements": "The string holds more than one statement: execute them one by one.",
    "sql-not-parsed": "The SQL could not be parsed, or its placeholders do not fit the driver's style.",
    "sql-not-supported": "The statement uses a construct that is not written yet; the message names it.",
    "table-not-mapped": "A table of the statement has no mapped class. `ormlift models` writes one, from the DDL in "
    "the code or from a database.",
    "column-not-mapped": "The mapped class lacks a column of the statement. `ormlift models --missing-columns` lists "
    "all such columns, and adds them with --add; or mend the statement.",
    "sqlalchemy-version": "The SQLAlchemy that the project pins has no form for the statement: upgrade it first, or "
    "tell the version with `sqlalchemy` in the configuration where the pin says otherwise.",
    "arguments-mismatch": "The number of parameters passed is not the number of placeholders.",
}

# Effect code -> what changes and how to judge it.
EFFECTS: Mapping[str, str] = {
    "bind-type": "The column's type converts what is bound; a value of another Python type raises or is stored anew.",
    "python-default": "A column left out of the INSERT has a Python-side default, which fires now.",
    "onupdate": "A column left out of the UPDATE has `onupdate=`, which fires now.",
    "star-columns": "`*` meant the table's columns in the database; it is written as the mapped ones.",
    "inherits-mapped": "The class inherits from a mapped one: the ORM adds criteria or joins.",
    "orm-hooks": "The class has hooks that run under the ORM only.",
    "timestamp-format": "A timestamp from Python is stored in another format than CURRENT_TIMESTAMP's.",
    "empty-list": "An empty list made `IN ()`, which the server does not parse; now it matches nothing.",
    "row-order": "Without ORDER BY, rows may come in another order: the tables are joined the other way round.",
    "logged-sql": "The SQL is logged or printed, and is what SQLAlchemy makes of the statement now.",
    "open-keys": "A dict of unknown keys is set or inserted: a key that is no attribute of the model, one that the "
    "statement names too, or no key at all raise other errors now, and no SQL in a key is executed any more.",
    "open-name": "A parameter is put into the SQL as a column's name, as its default and the calls in the file show. "
    "What is no attribute of the model raises AttributeError now, and no SQL in it is executed any more.",
    "decoded-earlier": "JSON was decoded in a `try` whose handler caught a broken text. The fetch decodes it now, and "
    "not in that `try`: one broken text raises for all rows. Look whether the table may hold any.",
    "json-null": "None written to a JSON column is stored as JSON null, no longer as SQL NULL.",
}
