"""Statements that stay SQL, in a `text()` on the session: beside others that become the ORM's, so that a life is whole.

A PRAGMA that asks, DDL of tables, a query of the catalog, a statement whose table or column is not mapped. The SQL is
the same, on the session's connection; its rows come as the driver gives them.
"""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Iterable, Mapping

from ormlift.model import Certificate, Effect, ImportNeed, Reason, Span, Verdict
from ormlift.schema import Tri
from ormlift.sql.layout import Atom, Items, Pair, call, lay_out
from ormlift.sql.life.awaits import awaited_text
from ormlift.sql.life.commits import autocommits
from ormlift.sql.life.drivers import paramstyle
from ormlift.sql.life.executions import Execution
from ormlift.sql.life.literals import Parameters, parameters, sql_text
from ormlift.sql.life.many import is_many
from ormlift.sql.life.model import Life
from ormlift.sql.life.names import said_names
from ormlift.sql.life.refuse import Refused
from ormlift.sql.life.statements import Manner, Prepared, check_parameters, reader_of
from ormlift.sql.life.text import edited_text, line_length, one_line
from ormlift.sql.operands import quoted
from ormlift.sql.placeholders import numbered, on_one_line
from ormlift.sql.statement import Fetch, Kind, ResultColumn, Slot, Statement, Written

STAYING = frozenset(["administrative", "table-not-mapped", "column-not-mapped", "sql-not-supported"])
_PRAGMAS: Mapping[str, str] = {
    "table_info": "cid name type notnull dflt_value pk",
    "table_xinfo": "cid name type notnull dflt_value pk hidden",
    "index_list": "seq name unique origin partial",
    "index_info": "seqno cid name",
    "foreign_key_list": "id seq table from to on_update on_delete match",
    "database_list": "seq name file",
    "foreign_key_check": "table rowid parent fkid",
    "integrity_check": "integrity_check",
    "quick_check": "quick_check",
}
_ASKS = re.compile(rf"PRAGMA\s+({'|'.join(_PRAGMAS)})\b(?!\s*=)", re.I)
_QUIET = re.compile(r"PRAGMA\s+(journal_mode|synchronous|cache_size|temp_store|mmap_size|busy_timeout)\b", re.I)
_DEFINES = re.compile(r"(CREATE\s+(UNIQUE\s+)?(TABLE|INDEX|VIEW)|ALTER\s+TABLE|DROP\s+(TABLE|INDEX|VIEW))\b", re.I)
_DEFINED = re.compile(r"\b(?:CREATE|ALTER|DROP)\s+TABLE\s+(?:IF\s+(?:NOT\s+)?EXISTS\s+)?(?:\w+\.)?[\"`\[]?(\w+)", re.I)
_HELD = re.compile(
    r"\b(CONCURRENTLY|TEMP|TEMPORARY|LAST_INSERT_\w+|CHANGES|FOUND_ROWS|ROW_COUNT|LASTVAL|CURRVAL|NEXTVAL|SETVAL|INTO\s+"
    r"OUTFILE|SET_CONFIG|\w+_LOCK|PG_\w+LOCK\w*)\b|^SELECT\b(?!.*\bFROM\b.*\bINTO\b).*\bINTO\b",
    re.I | re.S,
)
_COLON = re.compile(r"(?<![:\w\\]):(?!p\d+\b)\w+(?!:)")
_MANY = 99  # more columns than are read by index
_ENDS = {Fetch.FIRST: "first()", Fetch.ALL: "all()", Fetch.SCALAR: "scalar()", Fetch.ITERATE: "", Fetch.NONE: ""}


def plain_prepared(execution: Execution, life: Life, dialect: str, reason: Reason) -> Prepared:
    """An execution whose SQL stays, as `reason` says. Raises Refused with that where it can't stay in a text()."""
    from sqlglot import exp

    call_ = execution.call
    text = sql_text(call_.args[0], life) if call_.args else None
    passed = parameters(call_, life)
    if text is None or passed is None or passed.many or is_many(call_) or any(m in text.value for m in life.holes):
        raise Refused(reason.code, reason.message)
    style = paramstyle(life.source.driver, dialect) if passed.passed or dialect == "sqlite" else ""
    try:
        normal, keys = numbered(text.value, style, dialect)
    except ValueError:
        raise Refused(reason.code, reason.message) from None
    kind = Kind.SELECT if re.match(r"\s*(SELECT|WITH|PRAGMA)\b", text.value, re.I) else Kind.UPDATE
    slots = tuple(Slot(n, key) for n, key in enumerate(keys))
    statement = Statement(text.value, normal, kind, dialect, slots, (), exp.Null())
    check_parameters(statement, passed, execution)
    prepared = Prepared(execution, statement, passed, {}, (*text.variables, *passed.variables))
    check_stays(prepared, life, reason)
    return prepared


def check_stays(prepared: Prepared, life: Life, reason: Reason) -> None:
    """Note that a statement stays SQL. Raises Refused where it can't."""
    statement = prepared.statement
    sql, whole = statement.sql.strip(), statement.normal
    known = bool(re.match(r"(SELECT|INSERT|UPDATE|DELETE)\b", sql, re.I))
    if reason.code == "administrative":
        alone = autocommits(life) is Tri.YES and statement.dialect == "postgresql"
        words = [re.compile("SELECT", re.I), _ASKS, _QUIET, *([] if alone else [_DEFINES])]
        known = any(word.match(sql) for word in words)
    plain = not (_HELD.search(sql) or _COLON.search(whole) or "\\" in whole or ";" in sql.rstrip("; \n"))
    plain = plain and not re.search(r":p\d", sql)  # which the placeholders are called while they are read
    plain = plain and not ("%%" in sql and life.source.driver == "mysql.connector")  # which leaves it as it is
    if not known or not plain or prepared.head or prepared.bound or prepared.parameters.many:
        raise Refused(reason.code, reason.message)
    prepared.stays = reason


def check_any(prepared: Iterable[Prepared]) -> None:
    """Refuse where no statement of a life becomes the ORM's, or one that does is of a table that is defined here.

    The models may be ahead of what the code makes of the table, or behind it. Raises Refused.
    """
    listed = list(prepared)
    used = {table.lower() for p in listed if p.stays is None for _, table in p.statement.tables}
    for one in listed:
        found = _DEFINED.search(one.statement.sql)
        if one.stays is not None and found is not None and found[1].lower() in used:
            raise Refused(one.stays.code, one.stays.message)
    stays = [p.stays for p in listed if p.stays is not None]
    if stays and not any(p.stays is None and p.statement.tables for p in listed):
        raise Refused(stays[0].code, stays[0].message)


def passed(prepared: Iterable[Prepared], *, plainly: bool) -> frozenset[ast.AST]:
    """What is passed to statements that stay SQL, which no column's type converts; or to the others."""
    chosen = [p for p in prepared if (p.stays is not None) is plainly]
    nodes = [node for p in chosen for node in p.parameters.nodes.values()]
    return frozenset(inner for node in nodes for inner in ast.walk(node))


def compose_plain(prepared: Prepared, life: Life, manner: Manner, edits: Mapping[Span, str]) -> None:
    """Write a statement that stays SQL. Raises Refused."""
    module, execution, statement = life.module, prepared.execution, prepared.statement
    said = said_names(life, ()).get("sqlalchemy.text", "")
    names = _names(prepared.parameters, statement)
    sql = on_one_line(statement.normal, statement.dialect).rstrip("; ")
    for number, name in sorted(names.items(), reverse=True):
        sql = re.sub(rf":p{number}\b", f":{name}", sql)
    pairs = [Pair(quoted(names[s.index]), ": ", Atom(_passed(prepared, s.key, life, edits))) for s in statement.slots]
    end = _ENDS.get(prepared.fetch, prepared.fetch.value)
    base = module.span(module.statement(prepared.target or execution.call)).col + manner.shift
    target = module.span(prepared.target).col + manner.shift if prepared.target is not None else None
    width = line_length(module) - base
    start = (target - base if target is not None else len(prepared.prefix)) + (len("(await ") if life.is_async else 0)
    given = Items("", "{", tuple(pairs), "}") if pairs else None
    text = _written(f"{manner.session}.execute", said or "text", sql, given, width, start) + (f".{end}" if end else "")
    needs = () if said else (ImportNeed("sqlalchemy", "text"),)
    columns = columns_of(statement) if statement.gives_rows else ()
    prepared.written = Written(text, needs, columns, occurrences=tuple(range(len(statement.slots))))
    prepared.request = None
    prepared.text = awaited_text(text, manner.session, reader_of(prepared), life) if manner.is_async else text


def _passed(prepared: Prepared, key: int | str, life: Life, edits: Mapping[Span, str]) -> str:
    text, node = prepared.parameters.texts[key], prepared.parameters.nodes.get(key)
    if node is not None and text == life.module.text(node):
        text = edited_text(node, edits, life.module)
    return one_line(text)


def _written(execute: str, said: str, sql: str, given: Items | None, width: int, start: int) -> str:
    """`session.execute(text(..), {..})`; long SQL as a literal on several lines."""
    if len(sql) <= width - 20:
        text = call(said, Atom(quoted(sql)))
        return lay_out(call(execute, text, *([given] if given else [])), width, start)
    lines = [f"        {quoted(part)}" for part in _parts(sql, width - 12)]
    end = f"    ),\n    {lay_out(given, width, 4, 4)},\n)" if given else "    )\n)"
    return "\n".join([f"{execute}(", f"    {said}(", *lines, end])


def _parts(sql: str, width: int) -> list[str]:
    """Pieces of the SQL that give it again when put together."""
    parts = [""]
    for word in re.split(r"(?= )", sql):
        clause = re.match(r" (FROM|WHERE|ORDER BY|GROUP BY|VALUES|SET|(LEFT |INNER )?JOIN|LIMIT)\b", f"{word} ", re.I)
        if parts[-1] and (clause or len(parts[-1]) + len(word) > width):
            parts.append("")
        parts[-1] += word
    return parts


def _names(passed: Parameters, statement: Statement) -> dict[int, str]:
    """What the parameters are called in the text."""
    found: dict[int, str] = {}
    for slot in statement.slots:
        node = passed.nodes.get(slot.key)
        match node:
            case _ if isinstance(slot.key, str):
                name = slot.key
            case ast.Name(id=name) | ast.Attribute(attr=name):
                pass
            case ast.Subscript(slice=ast.Constant(value=str(name))):
                pass
            case _:
                name = ""
        free = re.fullmatch(r"(?!p\d+$)[A-Za-z]\w*", name, re.ASCII) and name not in found.values()
        found[slot.index] = name if free else f"value_{slot.index + 1}"
    return found


def columns_of(statement: Statement) -> tuple[ResultColumn, ...]:
    """The columns of the rows, by name as far as the SQL tells."""
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    pragma = _ASKS.match(statement.sql.strip())
    if pragma is not None:
        return tuple(_column(name) for name in _PRAGMAS[pragma[1].lower()].split())
    try:
        import sqlglot

        tree = sqlglot.parse_one(statement.normal, read=statement.dialect.replace("postgresql", "postgres"))
    except SqlglotError:
        tree = exp.Null()
    items = tree.selects if isinstance(tree, exp.Query) else []
    if not items or any(item.is_star for item in items):
        return (_column(""),) * _MANY
    return tuple(_column(item.alias if isinstance(item, exp.Alias) else _name(item)) for item in items)


def _name(item: object) -> str:
    from sqlglot import exp

    return item.name if isinstance(item, exp.Column) else ""


def _column(name: str) -> ResultColumn:
    reached = name.isidentifier() and not keyword.iskeyword(name) and not name.startswith("_")
    return ResultColumn(label=name, attr=name if reached and name not in ("t", "tuple", "count", "index") else "")


def plain_effect(prepared: Prepared) -> Effect:
    """That a statement stays, and why."""
    assert prepared.stays is not None
    message = re.sub(r"^line \d+:? |; leave it raw, through a Connection\.?$", "", prepared.stays.message)
    return Effect("stays-sql", prepared.execution.line, f"stays SQL, in a text() on the session: {message}")


def plain_certificate(prepared: Prepared) -> Certificate:
    """The evidence: it is the same."""
    same = on_one_line(prepared.statement.normal, prepared.statement.dialect)
    return Certificate(Verdict.PROVEN, same, same, ("the same SQL, in a text()",))
