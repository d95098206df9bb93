"""Raw cursors become ORM code on a session.

    conn = get_connection()
    cursor = conn.cursor()
    cursor.execute("SELECT id, name FROM users WHERE id = ?", (user_id,))
    row = cursor.fetchone()             ->   with session_scope() as session:
    conn.close()                                 row = session.execute(
    return row[1]                                    select(User.id, User.name).where(User.id == user_id)
                                                 ).first()
                                             return row.name

A site is one connection's life: from the expression that gives it to its last use. It is rewritten whole or not at all:
if one of its statements is refused, all of it is, for that statement's reason. The session's block begins where the
connection was opened and ends behind its last use; rows are plain and stay readable after it.

Beside statements that become the ORM's, one that has no ORM form stays SQL, in a `text()` on the session (effect
`stays-sql`): a query of the catalog, a PRAGMA that asks, DDL of other tables, a table or column that is not mapped. A
life of nothing else stays raw.

Where a SELECT's row count is asked for, or rows are fetched behind a commit, and the driver has all rows at once
(psycopg2, psycopg, PyMySQL, mysqlclient), they become a list before. `SELECT LAST_INSERT_ID()` becomes the id of the
INSERT before it.

`executemany`, and psycopg2's `execute_values` of an INSERT and `execute_batch`, become a loop: a list that is executed
at once inserts a row of defaults where it is empty.

A fetch may read the rows of one of several statements, as branches have it, where all have as many columns: what is
called otherwise in one of them is read by its index.

Rows are followed to their uses inside the function: an index becomes an attribute, `row["name"]` of a row read by name
too, `json.loads` around a JSON column goes because the mapped value is decoded already. Where values change their type
(SQLite hands out text for dates, SQLAlchemy datetimes) and it matters, the effect names the line.

A connection or cursor that the file opens and keeps (`self.conn`, a global `db`) has a life in each function that uses
it: its reads and writes move to a session of their own, and the kept connection stays open beside it. A kept cursor
that one function executes on and another reads from stays; so do two functions of which one, before it commits what it
wrote, calls the other, which writes too: their sessions would wait for each other. Asynchronous
lives (aiosqlite) become `async with` an asynchronous session; there must be a factory or scope for one.

A connection or cursor that a life hands to a function of the file goes with it: the function takes the session as its
parameter (called so in calls by keyword and in the docstring too), and all lives that hand it theirs are rewritten
together, each function a site of its own, or none of them. For that each use of the function must be a call that is
seen and hands on what such a life holds: one that another file uses, or that is passed as a value, decorated,
overridden or reached by its name, stays. So does one that closes what it is handed or sets something on it, one whose
rows another function reads from the cursor, and a generator.

A function that stays, of this file or of another, may be lent the session's own connection, or a cursor of that
(`session.connection().connection.driver_connection`, asked for anew at each call; effect `raw-connection`), so that all
stays in one transaction: where it only executes, fetches, commits or rolls back on it until it returns. Where a result
is read from the cursor behind the call, or the function keeps or closes what it is handed, or reads rows that may come
otherwise from the engine's connection, the life stays.

SQL that is put together step by step becomes a statement that is: `sql += " AND x = ?"; params.append(x)`, under an
`if` or not, becomes `sql = sql.where(Model.x == x)` in the same place, ORDER BY and LIMIT likewise; the statement of
each way through the branches (up to 64) is proven by itself. What is appended must be a literal with its parameters
beside it; OR, loops, lists of columns, and a text or list used for more than logs are refused.

Lists that branches fill keep their place: conditions joined by AND into one text or several become a list of
expressions and `where(*conditions)`; assignments joined into SET become a dict and `values(**updates)`, and a dict
whose keys the function says is passed as it is. The text of each way must be a statement, also where nothing was
appended: leave the function first where there is nothing to change. A text of conditions that is put into others
becomes such a list too; an ORDER BY that branches choose becomes an expression, one of several texts a statement.

A function of the project that only fills lists, dicts and texts is evaluated where it is called; what it adds stands
in the statement, or where it was called if it adds on some ways only. Loops over a dict that fill lists of columns and
values pass the dict as it is; others stay loops and fill a dict: `sets[key] = value`, for keys that the code names.

A value that is put into the text becomes a parameter, as the effect `interpolated` says: in quotes, a number, or what
stands beside a column of numbers; the values of a list (`IN ({",".join(str(i) for i in ids)})`) become `in_(ids)`. A
column's name that the code chooses from a few, or a parameter whose default and calls in the file are names, becomes
`getattr(Model, name)`.

`dict(zip(names, row))` with names of `cursor.description` becomes `dict(row._mapping)`, unless the code may change the
names; then they are written out, and zipped as before. JSON stays text in such a dict.

A call that hands SQL to a function of the project which does nothing but open, execute, fetch, commit and close
(`rows = query("SELECT ..", (x,), one=True)`) is a site as well: the function's body takes the call's place, decided by
what the call passes, and becomes the ORM's there. The function stays for those who still call it. One that handles
errors, returns early or uses a connection of others is left, and so is a call of it (`sql-helper`). A connection that
is used where it is opened (`get_db().execute(..)`) is taken as if it had a name.

Taken for granted, and not named site by site: a parameter with an annotation is of that type (`x: int` is never None
unless it says so); errors that nobody catches by the driver's name come as SQLAlchemy's, and a column of a row that is
not there raises AttributeError where an index raised TypeError (where a handler near by names either, the index stays);
what placeholders are counted from is a list, no iterator that comes from another file;
a parameter that is missing, or of no use to the driver, may raise another error than the driver's where no handler of
the function names the driver's: KeyError for a key that a dict lacks, ValueError for a LIMIT of text that is no number,
ArgumentError for what is no list in an IN; and what the sqlite3 driver does not take (a Decimal in a variable without
annotation, a dict for a list) may be bound now; properties and `__getitem__` of classes of other files do nothing that
another parameter sees; of `SELECT *`, a key of the row's dict is
a str of SQLAlchemy's own (`quoted_name`) where the attribute is called otherwise than the column; what a function of
another file writes while a loop reads is not looked for;
`LIMIT ?` with None gives all rows on SQLite, which raised; PyMySQL's fetchall() gives a tuple, and an empty one for no
rows, where SQLAlchemy gives lists; what `%d` puts in passes through int(), which reads digits in a str too; comments
inside the SQL text go with it.

A Session taken for a connection (`conn = db_session(); conn.cursor()`) is a site too: that code raises AttributeError
today, and runs after the rewrite.
"""

from __future__ import annotations

from collections.abc import Iterator

from ormlift.model import Reason, Refusal, Site
from ormlift.rules._cursor_to_orm.amid import Amid
from ormlift.rules._cursor_to_orm.helpers import helped_calls, holds_sql
from ormlift.rules._cursor_to_orm.inlined import helped_site
from ormlift.rules._cursor_to_orm.together import site_of, together
from ormlift.rules._cursor_to_orm.unnamed import unnamed_sites
from ormlift.rules.base import Codemod, Context
from ormlift.rules.examples import (
    cursor_beside,
    cursor_expanded,
    cursor_given,
    cursor_handed,
    cursor_holes,
    cursor_kept,
    cursor_lent,
    cursor_many,
    cursor_rows,
)
from ormlift.rules.examples.cursor_to_orm import EXAMPLES
from ormlift.sql.life.drivers import other_driver
from ormlift.sql.life.find import find_lives
from ormlift.sql.life.strays import NEEDLES, Stray
from ormlift.sql.statement import EFFECTS as SQL_EFFECTS
from ormlift.sql.statement import REASONS as SQL_REASONS
from ormlift.syntax import Module

ID = "cursor-to-orm"


def find(module: Module, context: Context) -> Iterator[Site]:
    """Every connection's life in the file, as a rewrite or a refusal."""
    lives, strays = find_lives(module, context.index)
    families = {life.family: life.family.lives for life in lives if life.family is not None}
    single = [life for life in lives if life.family is None]
    for family in families.values():
        yield from together(family, ID, context)
    helped = list(helped_calls(module, context.index))
    amid = Amid.of(lives, helped, module, context.index, has_strays=bool(strays))
    for life in single:
        yield amid.checked(life, site_of(life, ID, context))
    other = other_driver(module)
    made = [(call, helped_site(call, module, ID, context.index, context.settings)) for call in helped]
    found = [amid.checked_call(call, module, site) for call, site in made]
    run = set().union(*amid.reached.values())
    found += unnamed_sites(module, ID, context.index, context.settings, run) if strays else []
    for stray in strays:
        if not any(site.line <= stray.line and stray.end_line <= site.end_line for site in found):
            yield _outside(stray, other or stray.driver)
    yield from found


def _outside(stray: Stray, other: str) -> Refusal:
    if other:
        message = f"{stray.receiver} may be of {other}, which is no DB-API driver; leave it raw, or open it otherwise"
        return Refusal(ID, stray.line, stray.end_line, Reason("driver-unknown", message))
    if stray.asynchronous:
        message = f"{stray.receiver} is used asynchronously, and not surely of aiosqlite; leave it raw for now"
        return Refusal(ID, stray.line, stray.end_line, Reason("asynchronous", message))
    if stray.kept:
        message = f"{stray.receiver} is kept, and no more is done here than to make its cursor"
        message += "; take it out once nothing uses it"
        return Refusal(ID, stray.line, stray.end_line, Reason("connection-from-outside", message))
    if stray.either:
        message = (
            f"{stray.receiver} is a parameter, and opened here where none is given; make two functions of it, one "
        )
        message += "that opens it and hands it to the other"
        return Refusal(ID, stray.line, stray.end_line, Reason("connection-from-outside", message))
    message = f"{stray.receiver} is not opened in this function; open it where it is used, or hand on a session"
    return Refusal(ID, stray.line, stray.end_line, Reason("connection-from-outside", message))


_RUNS = (".cursor(", ".execute(", *(name.decode() for name in NEEDLES))
REASONS = {
    **SQL_REASONS,
    "driver-unknown": (
        "The file uses a driver that ormlift does not know (apsw, asyncpg, aiomysql, aiopg, databases), whose "
        "connections and cursors keep rules of their own. Leave it raw, or open the connection with another driver."
    ),
    "connection-from-outside": (
        "The connection or cursor is an attribute or global that the file does not open, or a parameter that nothing "
        "in the file is seen to hand in. Open it in the function that uses it, or hand on a session."
    ),
    "sql-helper": (
        "The SQL is handed to a function of the project that executes it, and that function does more than can stand "
        "in the call's place: it handles errors, returns early, or uses a connection that is not opened there. Execute "
        "the SQL where it stands, or let the function take a statement."
    ),
    "asynchronous": "The driver is asynchronous, and not surely aiosqlite (psycopg's async): not rewritten yet.",
    "connection-escapes": (
        "The connection or a cursor is returned, stored, caught by a nested function, or handed to one that can't take "
        "a session instead. Keep it inside one function, or see that the other is only called, and in this file, or "
        "that it does no more than to execute, fetch and commit on it until it returns."
    ),
    "unclear-connection": (
        "A use of the connection may be reached without it, with another one, or when it is closed. Bind it once, "
        "before its first use, and close it behind its last."
    ),
    "unclear-cursor": (
        "It cannot be told which statement a fetch reads from. Execute and fetch on the same path, each execute as a "
        "statement of its own."
    ),
    "used-after-block": "The connection is used behind the with block that binds it. Move the use into the block.",
    "with-connection": (
        "`with conn:` commits or rolls back, and a session can only begin where no transaction is open. Commit by name."
    ),
    "commit-at-exit": "`with connect() as conn` commits at its end, or may, and the scope does not. Configure one.",
    "commit-before-fetch": "Rows are fetched after a commit, which closes a session's results. Fetch first.",
    "shared-transaction": (
        "Between a write on a connection that functions share and its commit, another one is called that writes on it "
        "too. Sessions of their own would wait for each other: commit before the call, or hand on the session."
    ),
    "autocommit": (
        "A write in autocommit mode stands inside an expression: give it a statement of its own. Or the connection "
        "changes its mode between statements: use two connections."
    ),
    "dynamic-sql": (
        "The SQL is put together at run time, of more than literals, values and lists of placeholders, or by more than "
        "steps that add a condition or a clause each, or lists of conditions and assignments. Write each statement as "
        "one literal, with parameters, or build a select() step by step."
    ),
    "parameters-unknown": "The parameters are not written one by one. Pass a tuple, list or dict of them.",
    "execute-many": (
        "executescript and callproc are not rewritten, nor executemany where the cursor is asked something after it, "
        "nor psycopg2's execute_values where it fetches or does no INSERT of columns that it names. "
        "Execute one by one."
    ),
    "description": "More than the columns' names is read of cursor.description. Name the columns in the code.",
    "row-count": (
        "The row count of a SELECT is asked for, of a cursor that may not know it before all rows are read, or of rows "
        "that are read piece by piece. Count the rows."
    ),
    "connection-state": (
        "A statement asks for what its connection remembers of those before (the last id, the rows found, a lock). A "
        "session that commits gives its connection back, and may go on with another. Take the id of the INSERT."
    ),
    "row-use": "A row is used in a way that the new row does not allow. Read its columns one by one.",
    "row-leaves": "Rows that are read by name leave the function, and are read elsewhere. Make dicts of them here.",
    "connection-setting": "A setting is made on the connection. Say it where the engine is created.",
    "several-databases": "A loop opens a database for each of its rounds. Leave it raw, or give each its engine.",
    "no-scope": "No scope is configured for the file and none was found. Set `session-scope` in `[tool.ormlift]`.",
    "scope-not-bound": "The scope's first name is bound nowhere in the file. Give the scope an `import`.",
    "name-taken": "A name that the new text needs means something else here. Rename one of them.",
    "unusual-layout": "A comment or a shared line stands in the way of the edit. Give each statement its own line.",
}

EFFECTS = {
    **SQL_EFFECTS,
    "cursor-on-session": "The line raised AttributeError, because a Session has no cursor(); now the code runs.",
    "other-database": (
        "The raw connection is taken to reach the engine's own database, which the code does not show. If it does, "
        "name what opens it under `connections`."
    ),
    "interpolated": (
        "A value was part of the SQL text, and is bound as a parameter now: what closed the string or added SQL no "
        "longer does. That mends an injection; look where code relied on it. Drivers that tell the server the type "
        "of a parameter (psycopg, asyncpg) take no str for a column of numbers, dates or UUIDs, and no driver takes "
        "the numbers of numpy: pass a value of the column's type."
    ),
    "connection-given": (
        "A decorator hands the connection in. Nothing uses it any more: take it and the decorator out. What "
        "it does at the driver's errors it does not do at SQLAlchemy's."
    ),
    "raw-connection": (
        "A helper that is handed the connection stays raw, on the session's own: with the settings of the engine, "
        "whose driver is taken to be the same. Its errors stay the driver's, and a commit or rollback in it ends the "
        "session's transaction unknown to the session."
    ),
    "parameter-count": (
        "Parameters in a variable, or the rows of an executemany, are read one by one. The driver raised where there "
        "were more than the SQL has placeholders for, and its own error where there were fewer or others."
    ),
    "driver-exception": (
        "A handler catches the driver's exceptions. SQLAlchemy's is caught beside it from now on; its text and "
        "attributes differ, and callers that catch the driver's own see SQLAlchemy's."
    ),
    "result-type": "A value of a row has another Python type than the driver gave, and is used where that may matter.",
    "row-leaves": "A row is used as a whole. A SQLAlchemy Row equals a tuple, but is none for json.dumps, isinstance.",
    "row-key": (
        "A row is read by a key that is not seen. sqlite3.Row takes an index, takes names in any case, and raises "
        "IndexError for others; the new row's mapping takes the names as they are written, and raises KeyError."
    ),
    "rows-one-by-one": (
        "psycopg2's execute_values and execute_batch sent pages of rows, which now are a statement each. For many "
        "rows make it one `session.execute(insert(Model), rows)` of dicts, and never of none: that inserts defaults."
    ),
    "commit-at-exit": (
        "The raw code could leave without a commit, which took the write back, or on a kept connection left it for "
        "others to commit; it is committed now."
    ),
    "commit-on-error": (
        "The context manager that hands out the raw connection commits also where its block ends with an error, and "
        "the scope takes back what was written, or the other way round."
    ),
    "manager-swallows-errors": (
        "The context manager that hands out the raw connection keeps errors of its block to itself; now they reach "
        "the callers."
    ),
    "stays-sql": (
        "A statement that has no ORM form, or whose table or column is not mapped, stays SQL in a text(), on the "
        "session of the others, so that all of a connection's life is rewritten. On PostgreSQL a UUID comes as one."
    ),
    "row-count": (
        "A SELECT's row count is taken to be known at once, where the cursor's class is not seen. A cursor that reads "
        "rows as they come says -1, or how many it has read."
    ),
    "autocommit": "It cannot be told whether the connection commits each statement by itself; nothing here commits.",
    "returning-unread": (
        "Rows of a RETURNING are left in a cursor. SQLite raises OperationalError where something is committed then "
        "(`SQL statements in progress`), and a session reads or drops them. Fetch all of them, or ask for none."
    ),
    "rows-matched": "MySQL's drivers count rows that an UPDATE changed; SQLAlchemy counts rows that matched.",
    "last-id": "The INSERT may add no row. lastrowid is then that of another insert, on the connection that runs it.",
    "closer": "A function that is handed the connection is taken to close it, and goes.",
    "shared-session": "The session is one that others use too; closing or committing reaches beyond the block.",
    "connection-setup": (
        "What sets up raw connections and the engine's differs: a PRAGMA, an SQL function, a listener. The rows "
        "may come otherwise, or constraints hold that did not. Make the engine do what the opener does."
    ),
    "evaluation-order": (
        "A parameter that calls something, or a property that does, is evaluated before or behind another one that may "
        "see what it did, and no longer where it was. Give them variables first."
    ),
    "reads-ahead": (
        "A table is written while its rows are read, by the code, a function that a loop calls, or who reads from "
        "a generator: a raw cursor may meet what was written, or find the database locked; a session has all rows "
        "before."
    ),
    "shared-connection": (
        "The raw connection is kept where others find it. A session has a transaction of its own: it does not see what "
        "they have not committed, and their commit or rollback does not reach it. Migrate all of its users together."
    ),
    "shared-transaction": (
        "Between a write on a connection that functions share and its commit, another one is called that uses it too. "
        "A session of its own does not see what is not committed, and waits for it where it writes."
    ),
    "model-chosen": "Several classes map the table, and the one among the models was taken. Say under `models` which.",
    "patched-name": (
        "Another file, most often a test, puts another in the place of what opens the connection, of the path it is "
        "opened with, or of a constant that holds the SQL. The new code does not ask for it: patch what it asks for."
    ),
    "quoted-text": (
        "A word in double quotes names no mapped column, and is taken for text, as SQLite takes it where the table has "
        "no such column. Where it has one, map it."
    ),
    "factory-chosen": "The project has several session factories, and one was chosen by its place. Configure a scope.",
    "scope-unknown": "What the scope does at its end could not be read.",
    "scope-wraps-errors": "The scope turns errors of the block into its own type, which callers may not catch.",
    "scope-swallows-errors": "The scope does not let errors of the block through.",
}

CODEMOD = Codemod(
    id=ID,
    title="Raw DB-API cursors to ORM queries on a session",
    explanation=__doc__ or "",
    needles=(
        *((needle.encode(),) for needle in _RUNS),
        *((verb,) for verb in (b"SELECT ", b"INSERT INTO ", b"DELETE FROM ", b"UPDATE ")),
        *((verb,) for verb in (b"select ", b"insert into ", b"delete from ", b"update ")),
    ),
    relevant=lambda text, _: any(needle in text for needle in _RUNS) or holds_sql(text),
    reasons=REASONS,
    effects=EFFECTS,
    find=find,
    looks_elsewhere=True,
    looks_outside=True,
    examples=(
        *EXAMPLES,
        *cursor_kept.EXAMPLES,
        *cursor_holes.EXAMPLES,
        *cursor_rows.EXAMPLES,
        *cursor_many.EXAMPLES,
        *cursor_given.EXAMPLES,
        *cursor_handed.EXAMPLES,
        *cursor_lent.EXAMPLES,
        *cursor_beside.EXAMPLES,
        *cursor_expanded.EXAMPLES,
    ),
)
