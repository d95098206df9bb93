"""SQL text that is executed on a session becomes a statement on the project's models.

    row = session.execute(                      row = session.execute(
        text("SELECT name FROM users      ->        select(User.name).where(User.id == user_id)
              WHERE id = :id"),                 ).first()
        {"id": user_id},
    ).fetchone()

A site is one `execute`, `scalar` or `scalars` of a `text(..)`, or of a bare string, on a Session, a Connection or an
Engine of SQLAlchemy, awaited or not. The receiver, its transaction and what is done with the result stay as they are:
both statements give the same kind of Row. Parameters are bound by name, those of `.bindparams()` too; a colon behind a
backslash and a cast by two colons are read as text() reads them.

A parameter is a Connection or a Session where SQLAlchemy's events hand it in (`@event.listens_for(User, ..)`,
`event.listen(..)`; those of pools and dialects hand in the driver's), or where all calls of its function pass one.
What listeners run on the Connection of a flush stays a statement on that Connection.

A bare string on a Connection or an Engine goes to the driver as it is, on SQLAlchemy 1.x: its placeholders are the
driver's, and `%%` is one `%` for PostgreSQL and MySQL. What 1.x commits by itself stays so.

Rows keep their names: a column that the model or SQLAlchemy would call otherwise gets a label where it is read by name.
Where values change their type (on SQLite a text() gives text for dates, 1 for True, JSON as text) and it matters, the
effect names the line; a `json.loads` around a decoded value goes; where the code needs the text, it stays text.

An UPDATE or DELETE on models brings the instances of the session up to date, which a text() left as they were: it is
told not to, with `synchronize_session=False`, wherever the session may hold any. A statement on models also flushes
what is pending on the session first; a text() did so from SQLAlchemy 2.1 on only. Where something may be pending, the
effect says so.

A value that is put into the text (an f-string, `%`, `.format`) becomes a parameter, which closes an injection; the
effect says so. Outside of quotes it must be known to be a number: by its type, as a column of the instance that an
event hands in (`target.user_id`) or of a row, or because all calls pass such a number; or it stands beside a column of
numbers, where a name or SQL would be bound too. The values of a list (`IN ({",".join(str(i) for i in ids)})`) become
`in_(ids)`. A piece of SQL that is put in is refused.

One of several texts, as branches chose it, becomes one of several statements, each where its text stood. Aliases,
subqueries and tables of WITH that need a name of their own are written above the execution.

A list of parameters, one dict for each row, becomes a loop: `for row in rows: session.execute(..)`.

A text that is put together step by step becomes a statement that is: `sql += " AND x = :x"; params["x"] = x`, under
an `if` or not, becomes `sql = sql.where(Model.x == x)` in the same place, ORDER BY and LIMIT likewise. The statement of
each way through the branches (up to 64) is proven by itself. `WHERE 1 = 1` goes. All that is appended must be a
literal, with its parameters set right beside it; OR, loops, lists of columns, and a text or dict that is used for more
than to be logged are refused. What is logged of the text is SQLAlchemy's then, as the effect says.

Lists that branches fill keep their place: conditions joined by AND into one text or several become a list of
expressions and `where(*conditions)`; assignments joined into SET become a dict and `values(**updates)`, and a dict
whose keys the function says is passed as it is. A text of conditions that is put into others becomes such a list too,
and an ORDER BY that branches choose an expression. The executions that share such variables are one site.

A word of the text that the code chooses from a few stays chosen: the columns that a loop goes through, what `if sort
not in (..)` lets pass, a dict's values, the default of a parameter where all calls in the file pass names, and no other
file may pass another text (effect `open-name`). `f"ORDER BY {sort}"` becomes `order_by(getattr(Model, sort))`, and a
word that is no column's name one conditional expression. The statement of each word (up to 64) is proven.

`pd.read_sql(text(..), con)` on an engine or a connection becomes `pd.read_sql(select(..), con)`: the frame's columns
keep their names, and where the model's values are of other types than the driver's, so are they (`result-type`).

A schema migration (Alembic, or a file that alters the very table) is refused: it must not depend on today's models.
Where another function alters the table, a SELECT or DELETE that names its columns is none, in what is no script.

A string without text() raises on SQLAlchemy 2. Where it cannot become a statement on models (DDL, PRAGMA, SELECT 1),
it is put in a text().

Taken for granted, and not named site by site: a parameter with an annotation is of that type (`x: int` is never None
unless it says so); what is handed a text() and is called session, db or conn is one; all keys that the SQL asks for are
passed, a LIMIT is a number and what expands is a list, where no handler of the function names SQLAlchemy's errors (a
KeyError, ValueError or ArgumentError would come for the StatementError); what sqlite3 does not take, a Decimal, may be
bound now; properties and `__getitem__` of classes of other files do nothing that another parameter sees; what a
function of another file writes while a loop reads is not looked for; of `SELECT *`, a key of the row's dict is a str of
SQLAlchemy's own (`quoted_name`) where the attribute is called otherwise than the column; `LIMIT` of None gives all rows
on SQLite, which raised; what `%d` puts in passes through int(), which reads digits in a str too; comments inside the
SQL text go with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ormlift.model import Reason, Refusal, Rewrite, Site
from ormlift.rules.base import Codemod, Context
from ormlift.rules.examples.text_to_orm import EXAMPLES
from ormlift.sql.built.built import BUILT
from ormlift.sql.life.refuse import Refused, RefusedForCallers
from ormlift.sql.statement import EFFECTS as SQL_EFFECTS
from ormlift.sql.statement import REASONS as SQL_REASONS
from ormlift.sql.textual.elsewhere import Elsewhere, find_elsewhere
from ormlift.sql.textual.find import Textual, find_textual
from ormlift.sql.textual.frames import rewrite_frame
from ormlift.sql.textual.migration import check_migration
from ormlift.sql.textual.rewrite import rewrite_textual
from ormlift.sql.textual.together import rewrite_together, sharing
from ormlift.sql.textual.wrap import wrap_in_text
from ormlift.syntax import Module

ID = "text-to-orm"


def find(module: Module, context: Context) -> Iterator[Site]:
    """Every execution of text in the file, as a rewrite or a refusal."""
    textual = list(find_textual(module, context.index))
    found = {site: _site(site, context) for site in textual}
    left = [s for s, made in found.items() if isinstance(made, Refusal) and made.reason.code in BUILT]
    for sites in sharing(list(found), left):
        made = _together(sites, context)
        if isinstance(made, Rewrite):
            for site in sites:
                del found[site]
            yield made
        elif made is not None:
            found |= {s: replace(old, reason=made) for s in sites if isinstance(old := found[s], Refusal)}
    yield from found.values()
    for text in find_elsewhere(module, context.index, textual):
        yield _elsewhere(text, module, context)


def _elsewhere(text: Elsewhere, module: Module, context: Context) -> Site:
    if text.code == "read-by-pandas":
        try:
            return rewrite_frame(text.call, module, ID, context.index, context.settings)
        except Refused as refused:
            return Refusal(ID, text.line, text.end_line, refused.reason)
    message = f"the text() on line {text.line} {text.goes}; write a statement on models there, or execute it"
    return Refusal(ID, text.line, text.end_line, Reason(text.code, message))


def _together(sites: list[Textual], context: Context) -> Rewrite | Reason | None:
    """Their rewrite, or a reason that tells more than those which each has by itself."""
    try:
        for site in sites:
            check_migration(site)
        return rewrite_together(sites, ID, context.index, context.settings)
    except RefusedForCallers as refused:
        return refused.reason
    except Refused:
        return None


def _site(site: Textual, context: Context) -> Site:
    try:
        check_migration(site)
        return rewrite_textual(site, ID, context.index, context.settings)
    except Refused as refused:
        wraps = site.clause.bare and refused.reason.code != "migration"
        wrapped = wrap_in_text(site, ID, context.settings) if wraps else None
        last = max(site.call.end_lineno or site.line, site.line)
        return wrapped or Refusal(ID, site.line, last, refused.reason)


REASONS = {
    **SQL_REASONS,
    "receiver-unknown": "It cannot be told what executes the text. Annotate it as a Session, a Connection or Engine.",
    "dynamic-sql": (
        "The SQL is put together at run time, and not by steps that add a condition or a clause each, from lists of "
        "conditions and assignments, or of a few words. Write each statement as one literal, or build a select()."
    ),
    "parameters-unknown": "The parameters are not written one by one. Pass a dict of them, or a variable of one.",
    "execute-many": (
        "A list of parameters is executed on an engine, or something is done with the result. Execute one by one."
    ),
    "execution-options": "Options are passed beside the parameters. Set them on the connection, or leave it raw.",
    "text-options": "The text() has options, types or columns of its own, or may be one of several. Leave it raw.",
    "row-count": "The row count of a SELECT is asked for, which a session's result does not tell. Count the rows.",
    "row-use": "A row is used in a way that the new row does not allow. Read its columns one by one.",
    "migration": (
        "The file is a schema migration, or alters the table itself: it must go on working when the models have "
        "changed. Leave it raw, or use tables that are written out in the migration itself."
    ),
    "text-elsewhere": (
        "A text() of a whole statement goes elsewhere than into an execute: from_statement(), a helper, a list, a "
        "return. Execute it where it is written, or write a statement on models in its place."
    ),
    "read-by-pandas": (
        "pandas reads SQL into a frame, whose columns have the names and types that the driver gives. Hand it a "
        "select() and an engine, and see that the frame's types are those that the code after it takes."
    ),
    "name-taken": "A name that the new text needs means something else here. Rename one of them.",
    "unusual-layout": "A comment or a shared line stands in the way of the edit. Give each statement its own line.",
}

EFFECTS = {
    **SQL_EFFECTS,
    "text-missing": "A bare string is executed, which raises on SQLAlchemy 2; from now on the code runs.",
    "interpolated": (
        "A value was part of the SQL text, and is bound as a parameter now: what closed the string or added SQL no "
        "longer does. That mends an injection; look where code relied on it. Drivers that tell the server the type "
        "of a parameter (psycopg, asyncpg) take no str for a column of numbers, dates or UUIDs, and no driver takes "
        "the numbers of numpy: pass a value of the column's type."
    ),
    "autoflush": (
        "Changes that are pending on the session are flushed before the statement from now on; up to SQLAlchemy 2.0 a "
        "text() did not do so, and did not see them. Flush where it matters, or set autoflush=False."
    ),
    "result-type": "A value of a row has another Python type than the driver gave, and is used where that may matter.",
    "autocommit": (
        "Where no transaction is open, SQLAlchemy 1.x commits a statement on models by itself, and a text only that "
        "begins with INSERT, UPDATE or DELETE. Begin a transaction where that matters."
    ),
    "column-name": "An expression without an alias is called otherwise now, where rows are read by name. Give it one.",
    "reads-ahead": "A write stands between fetches, or in a loop over rows: a session has all rows before it.",
    "model-import": (
        "The file imports nothing else from where the models are, as scripts that stand by themselves do. See that it "
        "finds them: set the path, or leave it raw."
    ),
    "evaluation-order": (
        "A parameter that calls something, or a property that does, is evaluated before or behind another one that may "
        "see what it did, and no longer where it was. Give them variables first."
    ),
    "parameter-count": (
        "Parameters in a variable are read one by one. Where one is missing or of another shape, text() raised an "
        "error of SQLAlchemy's when it was executed; a KeyError, TypeError or ValueError comes now."
    ),
    "model-chosen": "Several classes map the table, and the one among the models was taken. Say under `models` which.",
    "patched-name": (
        "A test gives a constant that holds the SQL another value. The new statement does not ask for it."
    ),
    "quoted-text": (
        "A word in double quotes names no mapped column, and is taken for text, as SQLite takes it where the table has "
        "no such column. Where it has one, map it."
    ),
}

CODEMOD = Codemod(
    id=ID,
    title="SQL text executed on a session or connection to statements on models",
    explanation=__doc__ or "",
    needles=(
        (b".execute(",),
        (b".scalar(", b"text("),
        (b".scalar(", b"listen"),
        (b".scalar(", b"SELECT"),
        (b".scalar(", b"select "),
        (b".scalars(", b"text("),
        (b"text(", b"sqlalchemy"),
        (b"read_sql", b"pandas"),
    ),
    reasons=REASONS,
    effects=EFFECTS,
    find=find,
    looks_elsewhere=True,
    looks_outside=True,
    examples=EXAMPLES,
)
