"""The statement and the parameters of one execution of text."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, replace

from ormlift.model import Reason, Settings
from ormlift.project.index import ProjectIndex
from ormlift.project.names import is_test_path
from ormlift.sql.built.named import named_models
from ormlift.sql.inlists import with_brackets
from ormlift.sql.life.dquotes import with_texts
from ormlift.sql.life.executions import Execution
from ormlift.sql.life.holes import HELD, Filled, Hole, fill
from ormlift.sql.life.literals import Parameters
from ormlift.sql.life.model import Does, Use
from ormlift.sql.life.refuse import Refused
from ormlift.sql.life.statements import Prepared, check_parameters, check_still, models_of, read_statement
from ormlift.sql.life.tables import is_catalog
from ormlift.sql.placeholders import told_dialect
from ormlift.sql.statement import Statement
from ormlift.sql.textual.bare import bare_parameters, casts, is_bare, style_of_driver, undoubled
from ormlift.sql.textual.clause import Clause
from ormlift.sql.textual.colons import plain_sql
from ormlift.sql.textual.find import Textual
from ormlift.sql.textual.keys import lowered_aliases
from ormlift.sql.textual.passed import Passed, asked_of, check_extra, passed_to
from ormlift.sql.textual.told import told


@dataclass(frozen=True)
class _Read:
    """The statement, and what of the code had been put into its text."""

    statement: Statement
    filled: tuple[Filled, ...] = ()


def prepare(site: Textual, clause: Clause, index: ProjectIndex, settings: Settings) -> Prepared:
    """Read the SQL and the parameters of one clause that the site executes. Raises Refused."""
    if clause.problem:
        raise Refused("text-options", f"line {site.line} executes a text() and {clause.problem}; leave it raw")
    if clause.sql is None:
        message = f"the SQL on line {site.line} is put together at run time; write it as one literal with parameters"
        raise Refused("dynamic-sql", message)
    execution = Execution(Use(Does.EXECUTE, site.call, None), site.call)
    dialect = told_dialect(clause.sql.value) or _dialect(index, settings)
    expanding = clause.expanding | _tuples(clause.sql.value, dialect)
    text = _expanded(clause.sql.value, expanding)
    holes = {mark: told(hole, site.life, index) for mark, hole in [*site.life.holes.items()] if mark in text}
    read = _read(site, text, holes, dialect, execution)
    _check_catalog(read.statement, site)
    keys = [slot.key for slot in read.statement.slots if not _is_held(slot.key)]
    known = Passed(clause.passed) if clause.passed is not None else None
    given = known or (is_bare(site) and bare_parameters(site, keys, index)) or None
    given = given or passed_to(site, clause, keys, read.statement.kind)
    check_extra(given.parameters, keys, site)
    asked = _with_held(asked_of(given, keys), read.filled)
    lists = {f"{HELD}{n}" for n, hole in enumerate(read.filled) if hole.many}
    many = {slot.index for slot in read.statement.slots if slot.key in expanding | lists}
    statement = _with_lists(read.statement, many)
    check_parameters(statement, asked, execution)
    variables = (*clause.variables, *clause.sql.variables, *given.parameters.variables)
    models, chosen = models_of(statement, index, settings, execution, site.module)
    models = named_models(models, clause.names, clause.sql.value)
    statement, texts = with_texts(statement, models)
    bound = tuple(filled.text for filled in read.filled if filled.bound)
    loose = frozenset(f"{HELD}{n}" for n, hole in enumerate(read.filled) if hole.loose)
    asked = replace(asked, many=frozenset(expanding & {str(key) for key in keys}) | lists, loose=loose)
    plain = lowered_aliases(statement)
    return Prepared(execution, plain, asked, models, variables, chosen, given.head, bound, texts=texts)


def _dialect(index: ProjectIndex, settings: Settings) -> str:
    """The configured dialect; where it is left at the default, that of the project's engines, if they agree."""
    known = dialects(index)
    return next(iter(known)) if settings.dialect == "sqlite" and len(known) == 1 else settings.dialect


def dialects(index: ProjectIndex) -> frozenset[str]:
    """What the project's engines speak, tests aside."""
    return frozenset(e.dialect for e in index.engines if e.dialect and not is_test_path(e.path))


_TELLING = ("postgresql+psycopg:", "postgresql+psycopg_async:", "postgresql+asyncpg:", "postgresql+pg8000:")


def tells_types(index: ProjectIndex) -> bool:
    """Whether an engine of the project, tests aside, has a driver that names the types of what it binds."""
    return any(e.url.startswith(_TELLING) for e in index.engines if not is_test_path(e.path))


def _read(site: Textual, sql: str, holes: dict[str, Hole], dialect: str, execution: Execution) -> _Read:
    from ormlift.sql.read import ADMINISTRATIVE, first_word

    try:
        word = first_word(sql, dialect)
    except ValueError:
        word = ""
    if word in ADMINISTRATIVE:
        message = f"line {site.line}: {word.upper()} has no ORM form; leave it raw, in a text()"
        raise Refused("administrative", message)
    driver = is_bare(site)
    if driver and not holes:
        return _Read(read_statement(sql, style_of_driver(sql, site, dialect), dialect, execution))
    sql = casts(sql, holes)
    plain = undoubled(sql, site, dialect) if driver else plain_sql(sql, dialect)
    if isinstance(plain, Reason):
        raise Refused(plain.code, f"line {site.line}: {plain.message}")
    filled: list[Filled] = []
    if holes:
        plain, filled = fill(plain, holes, "named", dialect, site.line, site.module)
    if any(hole.many and not hole.bound for hole in filled):
        message = f"line {site.line} lists placeholders that text() does not know; expand one parameter instead"
        raise Refused("dynamic-sql", message)
    check_still(filled, site.call, site.life)
    return _Read(read_statement(plain, "named", dialect, execution), tuple(filled))


def _expanded(sql: str, names: frozenset[str]) -> str:
    """`IN :ids` of a parameter that expands, as the placeholder of a list."""
    for name in names:
        sql = re.sub(rf"(\bIN\s*):{re.escape(name)}\b", rf"\1(:{name})", sql, flags=re.IGNORECASE)
    return sql


def _tuples(sql: str, dialect: str) -> frozenset[str]:
    """The parameters that the driver writes out as tuples."""
    found = with_brackets(sql, "named", dialect)[1] if dialect != "sqlite" else frozenset[int | str]()
    return frozenset(key for key in found if isinstance(key, str))


def _with_lists(statement: Statement, many: set[int]) -> Statement:
    slots = tuple(replace(slot, many=slot.index in many) for slot in statement.slots)
    return replace(statement, slots=slots)


def _is_held(key: int | str) -> bool:
    return isinstance(key, str) and key.startswith(HELD)


def _with_held(asked: Parameters, filled: tuple[Filled, ...]) -> Parameters:
    """With what had been put into the text, as parameters of their own."""
    texts = dict(asked.texts)
    nodes: dict[int | str, ast.expr] = {}
    for number, hole in enumerate(filled):
        texts[f"{HELD}{number}"] = hole.text
        if hole.node is not None:
            nodes[f"{HELD}{number}"] = hole.node
    return replace(asked, texts=texts, nodes={**nodes, **asked.nodes})  # the text was evaluated first


def _check_catalog(statement: Statement, site: Textual) -> None:
    if not statement.tables or all(is_catalog(*table) for table in statement.tables):
        message = f"line {site.line} asks the database about itself, or names no table; leave it raw"
        raise Refused("administrative", message)
