"""What is known of a project: its mapped classes, session factories, session sources and scopes.

The vocabulary of the model index: plain data, read statically by `ormlift.project`, used by `ormlift.sql` and the
rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class MappedColumn:
    """One column of a mapped class or table."""

    attr: str  # the attribute's name on the class
    name: str  # the column's name in the database
    type: str  # the SQLAlchemy type's bare name: `Integer`, `JSONB`; empty where it could not be read
    type_args: str = ""  # the type's arguments as written: `50`, `10, 2`; empty where there are none
    nullable: bool = True
    primary_key: bool = False
    unique: bool = False
    default: bool = False  # a Python-side `default=` (or `insert_default=`) is set
    server_default: bool = False
    onupdate: bool = False  # `onupdate=` is set
    foreign_key: str = ""  # `table.column`, or empty
    line: int = 0
    impl: str = ""  # where `type` is a class of the project (a TypeDecorator): the type it is stored as
    nullable_stated: bool = False  # whether it may be NULL is written: `nullable=`, `Mapped[Optional[..]]`
    mutable: bool = False  # changes inside of its value are tracked, or may be: `MutableDict.as_mutable(JSON)`
    deferred: bool = False  # it is loaded when it is read, not with the row


@dataclass(frozen=True, slots=True)
class Relationship:
    """One `relationship()` of a mapped class."""

    attr: str
    target: str  # class name as written; empty where it could not be read
    line: int = 0
    by_name: bool = False  # the target is text, looked up among the mapped classes when the mappers are configured
    back_populates: str = ""
    backref: str = ""
    secondary: str = ""  # the association table: a variable or class, or the table's name in quotes
    joined: bool = False  # `primaryjoin` or `secondaryjoin` is given, so that foreign keys need not lead the way
    foreign_keys: bool = False  # `foreign_keys` is given, so that several foreign keys are no matter
    remote_side: bool = False
    unread: bool = False  # some of it could not be read: `**options`, a call that makes it
    inherited: bool = False  # it is written in a mixin or base, not in the class itself
    lazy: str = ""  # how it is loaded where that is written: `joined`, `selectin`, `dynamic`, `False`
    backref_lazy: str = ""  # the same of its backref, as `backref("jobs", lazy="joined")` writes it


@dataclass(frozen=True, slots=True)
class MappedClass:
    """A declarative class, or a `Table(...)`, as far as it can be read without importing it."""

    name: str  # class name, or the variable that holds a Table
    module: str  # dotted module it is defined in, importable from the project's import root
    path: str
    line: int
    table: str  # table name in the database, without schema
    schema: str = ""  # the table's schema, where one is written
    columns: tuple[MappedColumn, ...] = ()
    relationships: tuple[Relationship, ...] = ()
    unique_keys: tuple[tuple[str, ...], ...] = ()  # column names of composite unique constraints and unique indexes
    complete: bool = True  # false: a base, mixin or column could not be read, so columns may be missing
    inherits_mapped: bool = False  # true: single- or joined-table inheritance; criteria are added by the ORM
    is_table: bool = False  # true: a Core `Table`, whose columns are `name.c.column`
    hooks: tuple[str, ...] = ()  # `@validates`, event listeners and the like that fire under the ORM only
    mutating_methods: tuple[str, ...] = ()  # methods, inherited ones too, that change the instance or may
    methods: tuple[str, ...] = ()  # all methods and properties, inherited ones too
    properties: tuple[str, ...] = ()  # those of them that are read without a call
    plain_properties: tuple[str, ...] = ()  # properties that read no more of the instance than its columns
    mutating_properties: tuple[str, ...] = ()  # properties whose getter changes the instance or may
    changed_on_load: bool = False  # a method that runs when an instance is loaded changes it, or may
    hybrids: tuple[str, ...] = ()  # hybrid properties and methods: attributes that are no columns
    registry: str = ""  # the declarative base, as `path:name` of its definition; empty where it was not found
    own_columns: tuple[str, ...] = ()  # attributes of the columns that the class itself writes, not a mixin or base
    composite_keys: bool = False  # a ForeignKeyConstraint is among its foreign keys

    def column(self, name: str) -> MappedColumn | None:
        """The column whose name in the database is `name`, compared as SQL does: without case."""
        lowered = name.lower()
        return next((c for c in self.columns if c.name.lower() == lowered), None)

    @property
    def primary_key(self) -> tuple[MappedColumn, ...]:
        """The primary key's columns."""
        return tuple(c for c in self.columns if c.primary_key)


class Tri(StrEnum):
    """A fact that may be unreadable."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class SessionFactory:
    """`sessionmaker(...)`, `scoped_session(...)`, `async_sessionmaker(...)` bound to a name or attribute."""

    name: str  # the variable or attribute it is bound to: `SessionLocal`, `SessionFactory`
    module: str
    path: str
    line: int
    expire_on_commit: Tri = Tri.YES
    autoflush: Tri = Tri.YES
    is_async: bool = False
    scoped: bool = False  # a scoped_session: calling it returns the thread's shared session
    owner: str = ""  # class whose attribute it is; empty at module level
    bind: str = (
        ""  # the engine it is bound to, as `path:name` of its definition; `?`: made on the spot; empty: not read
    )
    options: tuple[tuple[str, str], ...] = ()  # its other options, by name: `("autoflush", "False")`


class SourceKind(StrEnum):
    """What a call hands out."""

    SESSION = "session"  # a Session that the caller must close
    SHARED_SESSION = "shared-session"  # a Session that others use too: scoped_session, one kept on an object
    ASYNC_SESSION = "async-session"
    CONNECTION = "connection"  # a DB-API connection
    CONNECTION_AND_CURSOR = "connection-and-cursor"  # a tuple of both
    CURSOR = "cursor"
    ENGINE_CONNECTION = "engine-connection"  # SQLAlchemy's Connection
    ENGINE = "engine"  # SQLAlchemy's Engine, which executed by itself until 1.4
    GENERATOR = "generator"  # a generator dependency: yields a session, is no context manager
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class SessionSource:
    """A function or method whose call hands out a session or a connection."""

    name: str
    module: str
    path: str
    line: int
    kind: SourceKind
    owner: str = ""  # class, for a method
    is_async: bool = False  # `async def`: the call must be awaited
    expire_on_commit: Tri = Tri.UNKNOWN
    driver: str = ""  # sqlite3 | psycopg2 | ..., for connections
    database: str = ""  # the source text of what was passed to connect(), for connections
    shared: bool = False  # what is handed out is kept elsewhere too: on an object, in a global, by a scoped_session
    row_factory: str = ""  # what makes a connection's rows: tuple | sqlite3.Row | dict | the source text of another
    settings: tuple[tuple[str, str], ...] = ()  # other attributes set on the connection: (name, source text)
    autocommit: Tri = Tri.UNKNOWN  # each statement commits itself: `isolation_level=None`, `conn.autocommit = True`
    rows: str = ""  # how rows come: `tuple`, or `mapping` (sqlite3.Row, DictCursor: `row["a"]`); empty: not read
    bind: str = ""  # the engine of a session, as its factory says
    factory: str = ""  # the factory behind a session, as `path:name` of its definition; empty: not known
    options: tuple[tuple[str, str], ...] = ()  # the factory's options and those of its call, `bind` left out
    work: tuple[tuple[str, int, str], ...] = ()  # what it does besides: (path, line, text); empty: builds and returns
    refuses: str = ""  # where it raises instead of handing out a session, as `path:line`; empty: nowhere
    guessed: bool = False  # it is a method of an object of unknown class, taken to be the project's one of that name


@dataclass(frozen=True, slots=True)
class Scope:
    """A context manager that owns a session, and what it does at exit."""

    name: str
    module: str
    path: str
    line: int
    owner: str = ""  # class, for a method
    is_async: bool = False
    commits: Tri = Tri.UNKNOWN  # commits when the block ends without an exception
    commit_line: int = 0
    rolls_back: Tri = Tri.UNKNOWN  # rolls back when the block ends with an exception
    closes: Tri = Tri.UNKNOWN
    wraps: str = ""  # the exception type that errors are wrapped in; empty: they pass as they are
    wraps_line: int = 0
    wraps_all: bool = False  # true: also what is no database error
    swallows: Tri = Tri.UNKNOWN  # an exception of the block does not reach the caller
    shared: Tri = Tri.UNKNOWN  # hands out a session that others use too
    expire_on_commit: Tri = Tri.UNKNOWN
    takes_arguments: bool = False  # cannot be called without arguments
    yields: str = "session"  # `session`, `connection`, `cursor`, or what else was read
    queries_at_entry: bool = False  # runs a statement before the block: a lost connection then shows at `with`
    commits_on_failure: Tri = Tri.NO  # commits even though the block ended with an exception
    bind: str = ""  # the engine of its session, as its factory says
    factory: str = ""  # the factory behind its session, as `path:name`; empty: not known
    options: tuple[tuple[str, str], ...] = ()  # the factory's options and those of its call, `bind` left out
    work: tuple[tuple[str, int, str], ...] = ()  # what is done before the block: (path, line, text)
    refuses: str = ""  # where it raises before the block, as `path:line`; empty: nowhere
    expires: Tri = Tri.NO  # rolls back or expires at exit when the block ends without an exception
    begins: bool = False  # the block stands in `with session.begin():`, and must not commit by itself
    unread: str = ""  # what stands around the block and can't be read: `ExitStack()`; empty: nothing
    handed: SessionSource | None = None  # the connection that it hands out, as its function opens it


@dataclass(frozen=True, slots=True)
class Engine:
    """A `create_engine(...)` and the URL it was given."""

    name: str
    path: str
    line: int
    url: str  # the URL where it is a literal, else the source text of the argument
    dialect: str = ""  # sqlite | postgresql | mysql; empty where it could not be read
    literal: bool = False
    creator: str = ""  # the function of the project that opens its connections, as `path:name`; empty: the URL does
    opens: str = ""  # what its `creator=lambda: sqlite3.connect(..)` opens, as written
