"""The words for a connection's life. Plain data."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from ormlift.schema import Scope, SessionSource
from ormlift.sql.life.flow import Flow
from ormlift.sql.life.holes import Hole
from ormlift.syntax import FunctionNode, Module, dotted

if TYPE_CHECKING:
    from ormlift.sql.life.callees import Callees
    from ormlift.sql.life.families import Family
    from ormlift.sql.life.lent import Lent
    from ormlift.sql.life.literals import Text
    from ormlift.sql.life.nested import Nested
    from ormlift.sql.life.statements import Prepared

Host = FunctionNode | ast.Module
Receiver = ast.Name | ast.Attribute


class Does(StrEnum):
    """What one use of a connection or cursor does."""

    CURSOR = "cursor"  # conn.cursor()
    EXECUTE = "execute"
    MANY = "executemany"  # also executescript and callproc
    FETCHONE = "fetchone"
    FETCHALL = "fetchall"
    FETCHMANY = "fetchmany"
    ITERATE = "iterate"  # `for row in cursor`, a comprehension over it, list(cursor)
    COMMIT = "commit"
    ROLLBACK = "rollback"
    CLOSE = "close"
    ROWCOUNT = "rowcount"
    LASTROWID = "lastrowid"
    DESCRIPTION = "description"
    SETTING = "setting"  # conn.row_factory = ..., conn.autocommit = ...
    TEST = "test"  # `if conn:`, `conn is None`
    BLOCK = "block"  # `with conn:`
    CURSOR_BLOCK = "cursor-block"  # `with conn.cursor() as cur:`
    HANDS = "hands"  # a call of a function of the file that is handed it, and goes with it
    LENT = "lent"  # a call of a function that only uses it until it returns, and stays raw: see `lent`
    SESSION = "session"  # what a Session can do: `conn.query(..)`
    ESCAPES = "escapes"  # anything else: passed on, returned, stored


class How(StrEnum):
    """How the connection is bound."""

    ASSIGN = "assign"  # conn = get()
    PAIR = "pair"  # conn, cur = get()
    WITH = "with"  # with get() as conn:
    WITH_PAIR = "with-pair"  # with get() as (conn, cur):
    CLOSING = "closing"  # with closing(get()) as conn:
    KEPT = "kept"  # opened elsewhere, and kept in a global or on self
    HANDED = "handed"  # a parameter, which calls in the file hand in


@dataclass(frozen=True)
class Ends:
    """How a function that is handed a connection leaves it."""

    writes: bool = False  # it may leave something uncommitted
    passes: bool = False  # it may leave what was uncommitted before as it was
    commits: bool = False  # it may commit or roll back
    opens: bool = False  # it may leave a transaction open
    changes: bool = False  # it may write, whatever becomes of that


@dataclass(eq=False)
class Handing:
    """One argument of a call that hands a connection or a cursor to a function of the file."""

    call: ast.Call
    given: ast.expr  # a name or an attribute, or what makes a cursor there and then
    function: FunctionNode
    parameter: ast.arg
    is_cursor: bool = False
    ends: Ends = Ends()


@dataclass(frozen=True, eq=False)
class Use:
    """One use of the connection or of a cursor of it."""

    does: Does
    node: ast.expr  # the whole expression: the call (its await too), the attribute, or the name
    receiver: Receiver | None  # the name it is done to; None for `conn.cursor().execute(..)` and the like
    cursor: str = ""  # what the result hangs on: the cursor's variable, or empty for the connection itself
    hands: Handing | None = None
    many: ast.Call | None = None  # the executemany that the call does the same as

    @property
    def line(self) -> int:
        """The line it stands on."""
        return self.node.lineno

    @property
    def call(self) -> ast.expr:
        """The expression without an await around it."""
        if self.many is not None:
            return self.many
        return self.node.value if isinstance(self.node, ast.Await) else self.node

    @property
    def said(self) -> str:
        """The receiver as it is written; empty where there is none."""
        return dotted(self.receiver) if self.receiver is not None else ""


@dataclass(eq=False)
class Life:
    """A connection's life in one function, from the expression that gives it to its last use."""

    module: Module
    host: Host
    flow: Flow
    origin: ast.stmt  # the statement that binds the connection; of a kept one: the first that uses it
    call: ast.Call  # the expression that gives it; of a kept one: elsewhere in the file
    how: How
    source: SessionSource
    name: str  # the connection's variable
    manager: Scope | None = None  # the project's context manager that hands it out, where one does
    uses: list[Use] = field(default_factory=list)  # in source order
    cursors: set[str] = field(default_factory=set)  # variables that hold cursors
    inits: list[ast.stmt] = field(default_factory=list)  # `conn = None` before it
    is_async: bool = False  # its calls are awaited
    assumed: dict[str, tuple[str, ...]] = field(default_factory=dict)  # parameters that hold names, as the file shows
    holes: dict[str, Hole] = field(default_factory=dict)  # what is put into SQL text, by the mark that stands for it
    constants: dict[tuple[str, str], None] = field(default_factory=dict)  # whose text was taken: class or none, name
    texts: dict[ast.expr, Text] = field(default_factory=dict)  # SQL that is another than the expression's own text
    given: bool = False  # a kept one that a decorator hands in for this call alone
    kept: frozenset[str] = frozenset()  # of a kept one: how it and its cursors are written
    made: Mapping[str, list[ast.expr]] = field(default_factory=dict)  # of a kept one: what makes its kept cursors

    lent: dict[ast.Call, Lent] = field(default_factory=dict)  # calls of helpers that stay raw
    nested: list[Nested] = field(default_factory=list)  # calls out of it and of it, amid an uncommitted write
    callees: Callees | None = None  # the functions of the file that it may be handed to
    parameters: Mapping[ast.arg, bool] = field(default_factory=dict)  # of a handed one: whether each is a cursor
    prepared: Sequence[Prepared] = ()  # its statements, once they are written
    family: Family | None = None  # those that are of the same connections, and go together
    session: str = ""  # what the session is called, once that is chosen
    enters_open: bool = False  # of a handed one: whether a transaction may be open when it begins

    @property
    def line(self) -> int:
        """The site's first line."""
        return self.host.lineno if isinstance(self.host, FunctionNode) and self.parameters else self.origin.lineno

    def where(self, *kinds: Does) -> list[Use]:
        """The uses of some kinds."""
        return [use for use in self.uses if use.does in kinds]
