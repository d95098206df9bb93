"""The SQL of one execution: read, and written anew for what is fetched from it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from ormlift.model import Certificate, Effect, ImportNeed, Reason, Settings, Span
from ormlift.project.index import ProjectIndex
from ormlift.schema import MappedClass, SourceKind, Tri
from ormlift.sql.inlists import DRIVERS, with_brackets
from ormlift.sql.life.awaits import awaited_text, is_async_loop
from ormlift.sql.life.commits import autocommits
from ormlift.sql.life.counted import check_counted, is_counted, is_first, is_over_commit, rows_key
from ormlift.sql.life.dquotes import loose_names, with_texts
from ormlift.sql.life.drivers import DIALECTS, paramstyle
from ormlift.sql.life.escaped import check_escaped
from ormlift.sql.life.executions import Execution, Form, is_alone, is_next
from ormlift.sql.life.holes import Filled, fill
from ormlift.sql.life.literals import (
    Parameters,
    is_stable,
    lone_value,
    opaque,
    parameters,
    sql_text,
    value_facts,
    whole_list,
)
from ormlift.sql.life.loose import check_loose
from ormlift.sql.life.many import is_many, many_parameters
from ormlift.sql.life.model import Does, Life
from ormlift.sql.life.names import said_names
from ormlift.sql.life.pure import acts, repeatable
from ormlift.sql.life.quiet import is_quiet
from ormlift.sql.life.refuse import Refused
from ormlift.sql.life.reserved import check_reserved
from ormlift.sql.life.steady import check_steady
from ormlift.sql.life.tables import Asked, is_catalog, mapped
from ormlift.sql.life.text import edited_text, line_length, one_line
from ormlift.sql.placeholders import placeholders
from ormlift.sql.statement import MARK, Argument, Fetch, Kind, Request, Statement, Written
from ormlift.syntax import Module


@dataclass(eq=False)
class Prepared:
    """One execution with its statement, ready to be written."""

    execution: Execution
    statement: Statement
    parameters: Parameters
    models: Mapping[str, MappedClass]
    variables: tuple[ast.Name, ...]  # local variables that hold nothing but its SQL or its parameters
    chosen: tuple[str, ...] = ()  # models that were taken among several of a table, in words
    head: str = ""  # the head of the loop that it stands in, where it executes once for each of many rows
    bound: tuple[str, ...] = ()  # values that were part of the SQL text
    fetch: Fetch = Fetch.NONE
    target: ast.expr | None = None  # the expression that becomes the written one; None: a statement is written
    prefix: str = ""  # `result = `
    written: Written | None = None
    text: str = ""  # the written statement as it is put into the code: awaited, where the session is asynchronous
    settles: bool = False  # a commit is written behind it
    texts: tuple[str, ...] = ()  # names in double quotes that are taken for text
    stays: Reason | None = None  # why it stays SQL, in a text()
    counted: str = ""  # the list of its rows, where a SELECT's are counted
    request: Request | None = None
    imports: set[ImportNeed] = field(default_factory=set)
    kept: frozenset[int] = frozenset()  # columns whose values must come as the driver gave them
    spreads: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # see `Request`


def prepare(execution: Execution, life: Life, index: ProjectIndex, settings: Settings) -> Prepared:
    """Read the SQL and the parameters of one execution. Raises Refused."""
    call = execution.call
    text = sql_text(call.args[0], life) if call.args else None
    if text is None:
        message = f"the SQL on line {execution.line} is put together at run time; write it as one literal"
        raise Refused("dynamic-sql", message)
    dialect = dialect_of(life, index, settings)
    style = paramstyle(life.source.driver, dialect)
    sql = text.value
    filled: list[Filled] = []
    if any(mark in sql for mark in life.holes):
        sql, filled = fill(sql, life.holes, style, dialect, execution.line, life.module)
    check_still(filled, call, life)
    head = ""
    passed: Parameters | None
    if is_many(call) and not filled:
        passed, head = many_parameters(call, keys_of(sql, style, dialect), life)
    else:
        passed = _passed(call, keys_of(sql, style, dialect), filled, dialect, life)
    if passed is not None and not passed.passed and style != "qmark" and not filled:
        style = ""
    tuples: frozenset[int | str] = frozenset()
    if life.source.driver in DRIVERS:
        sql, tuples = with_brackets(sql, style, dialect)
    statement = read_statement(sql, style, dialect, execution)
    if passed is None and dialect == "mysql" and not tuples and len(statement.slots) == 1 and not filled:
        passed = lone_value(call, life)
    if passed is None:
        message = f"the parameters on line {execution.line} are not written one by one; write them as a tuple"
        raise Refused("parameters-unknown", message)
    passed = replace(passed, many=passed.many | tuples)
    if passed.many:
        slots = tuple(replace(slot, many=slot.key in passed.many) for slot in statement.slots)
        statement = replace(statement, slots=slots)
    check_parameters(statement, passed, execution)
    variables = (*text.variables, *passed.variables)
    models, chosen = models_of(statement, index, settings, execution, life.module)
    statement, texts = with_texts(statement, models)
    return Prepared(execution, statement, passed, models, variables, chosen, head, passed.bound, texts=texts)


def check_still(filled: list[Filled], call: ast.Call, life: Life) -> None:
    """A value that was put into the text earlier must be the same at the call. Raises Refused."""
    check_escaped([n for hole in filled for n in hole.values], life.flow, life.module)
    doing = [n for hole in filled for n in hole.values if acts(n)]
    if doing and len(doing) + sum(acts(a) for a in call.args[1:]) > 1:
        message = f"several values of the SQL on line {call.lineno} are calls, which would run in another order"
        raise Refused("dynamic-sql", f"{message}; give them variables, and pass them as parameters")
    for hole in filled:
        if hole.many and hole.node is not None:
            check_steady(hole.node, call, life)
        for node in hole.values:
            if not is_quiet(node, call, life.module) and not is_stable(node, life, call):
                message = f"what is put into the SQL on line {node.lineno} may be another when line {call.lineno} runs"
                raise Refused("dynamic-sql", f"{message}; pass it as a parameter")


def keys_of(sql: str, style: str, dialect: str) -> list[int | str]:
    """What the placeholders are called; none where they cannot be told, which reading the text will say."""
    try:
        return list(dict.fromkeys(p.key for p in placeholders(sql, style, dialect)))
    except ValueError:
        return []


def _passed(call: ast.Call, keys: list[int | str], filled: list[Filled], dialect: str, life: Life) -> Parameters | None:
    """The parameters of all placeholders: those that are passed, and what was put into the text."""
    passed = parameters(call, life)
    if not filled:
        if passed is not None and passed.many:
            passed = None
        alone = len(keys) == 1 and dialect == "mysql"  # a driver that takes what is no tuple for the only parameter
        return passed if passed is not None or not keys or alone else opaque(call, keys, life)
    lists = [f for f in filled if f.many and not f.bound]
    if lists and (passed is None or not passed.many):
        passed = whole_list(call, life) if passed is None else passed
    if passed is None or any(isinstance(key, str) for key in passed.texts):
        return None
    return _merged(len(keys), filled, passed)


def _merged(count: int, filled: list[Filled], passed: Parameters) -> Parameters | None:
    """One parameter for each placeholder; None where lists do not meet the lists that they were counted by."""
    by_place = {f.place: f for f in filled}
    texts: dict[int | str, str] = {}
    nodes: dict[int | str, ast.expr] = {}
    given = iter(sorted(k for k in passed.texts if isinstance(k, int)))
    many: set[int | str] = set()
    for place in range(count):
        hole = by_place.get(place)
        if hole is not None and hole.bound:
            texts[place] = hole.text
            if hole.node is not None:
                nodes[place] = hole.node
            many |= {place} if hole.many else set()
            continue
        key = next(given, None)
        if key is None or (key in passed.many) is not (hole is not None):
            return None
        texts[place] = passed.texts[key]
        if key in passed.nodes:
            nodes[place] = passed.nodes[key]
        if hole is not None:
            if hole.text != passed.texts[key]:
                return None
            many.add(place)
    if next(given, None) is not None:
        return None
    bound = tuple(f.text for f in filled if f.bound)
    loose = frozenset(f.place for f in filled if f.loose)
    return Parameters(texts, nodes, variables=passed.variables, many=frozenset(many), bound=bound, loose=loose)


def dialect_of(life: Life, index: ProjectIndex, settings: Settings) -> str:
    """The dialect of a life's SQL: the driver's, else the engine's, else the configured one."""
    if life.source.driver in DIALECTS:
        return DIALECTS[life.source.driver]
    known = {engine.dialect for engine in index.engines if engine.dialect}
    if life.source.kind in (SourceKind.SESSION, SourceKind.SHARED_SESSION) and len(known) == 1:
        return known.pop()
    return settings.dialect


def read_statement(sql: str, style: str, dialect: str, execution: Execution) -> Statement:
    """The statement that the SQL is. Raises Refused."""
    from ormlift.sql.read import read

    statement = read(sql, style, dialect)
    if isinstance(statement, Reason):
        raise Refused(statement.code, f"line {execution.line}: {statement.message}")
    return statement


def check_parameters(statement: Statement, passed: Parameters, execution: Execution) -> None:
    """Refuse where the parameters passed are not those that the statement asks for. Raises Refused."""
    keys = {slot.key for slot in statement.slots}
    positional = all(isinstance(key, int) for key in keys)
    missing = keys - set(passed.texts)
    if missing or (positional and len(passed.texts) != len(keys)):
        message = (
            f"line {execution.line} passes {len(passed.texts)} parameters for {len(keys)} placeholders; mend the call"
        )
        raise Refused("arguments-mismatch", message)
    for slot in statement.slots:
        node = passed.nodes.get(slot.key)
        if node is not None and any(isinstance(n, ast.NamedExpr | ast.Yield | ast.YieldFrom) for n in ast.walk(node)):
            message = f"a parameter on line {execution.line} binds a name or yields; give it a statement of its own"
            raise Refused("parameters-unknown", message)
        if slot.uses > 1 and node is not None and not repeatable(node):
            message = (
                f"a parameter on line {execution.line} is a call and is used {slot.uses} times; give it a variable"
            )
            raise Refused("parameters-unknown", message)


def named_columns(statement: Statement) -> frozenset[str]:
    """The columns that a statement of one table names; none where there are several tables."""
    from sqlglot import exp

    if len(statement.tables) != 1:
        return frozenset()
    tree = statement.tree
    names = {c.name for c in tree.find_all(exp.Column) if c.name and not isinstance(c.this, exp.Star)}
    written = tree.this if isinstance(tree, exp.Insert) else None
    names |= {i.name for i in written.expressions} if isinstance(written, exp.Schema) else set()
    aliases = {a.alias for a in tree.find_all(exp.Alias)}
    return frozenset(name for name in names - aliases if not name.startswith(MARK))


def models_of(
    statement: Statement, index: ProjectIndex, settings: Settings, execution: Execution, module: Module
) -> tuple[dict[str, MappedClass], tuple[str, ...]]:
    """The mapped classes of the tables a statement names, and what was chosen. Raises Refused where there is none."""
    models: dict[str, MappedClass] = {}
    chosen: list[str] = []
    asked = Asked(named_columns(statement), loose_names(statement), frozenset(module.imports.values()))
    for schema, table in statement.tables:
        found = mapped(table, schema, index, settings, asked)
        if found.model is None and is_catalog(schema, table):
            message = f"line {execution.line} asks the database about itself ({table})"
            raise Refused("administrative", f"{message}; leave it raw, through a Connection")
        if found.model is None:
            raise Refused("table-not-mapped", f"line {execution.line} {found.problem}")
        chosen += [found.chosen] if found.chosen else []
        models[table.lower()] = found.model
        if schema:
            models[f"{schema}.{table}".lower()] = found.model
    check_reserved(statement, models.values(), execution.line)
    for column in [c for m in list(models.values()) for c in m.columns]:
        target = column.foreign_key.rpartition(".")[0]
        other = index.model_for_table(target.rpartition(".")[2]) if target else None
        if other is not None:
            models.setdefault(target.lower(), other)
    return models, tuple(chosen)


def taken_effects(prepared: Prepared) -> Iterator[Effect]:
    """What was taken among several: the model of a table, what a text in double quotes is."""
    line = prepared.execution.line
    yield from (Effect("model-chosen", line, words) for words in prepared.chosen)
    for text in prepared.texts:
        message = f'"{text}" names no mapped column, which SQLite takes for text, as it is written now'
        yield Effect("quoted-text", line, message)


def place(prepared: Prepared, life: Life, names: Mapping[str, str]) -> None:
    """Decide what of the code the written expression takes the place of, and what it gives."""
    execution = prepared.execution
    module = life.module
    if execution.fetches and not prepared.statement.gives_rows:
        message = f"line {execution.line} writes, and line {execution.fetches[0].line} fetches from it"
        raise Refused("unclear-cursor", f"{message}, which gives nothing; mend it")
    if prepared.head:
        _check_many(prepared, life)
    if execution.asks:
        _place_asked(prepared, life, names)
        return
    if is_over_commit(execution, life):
        _place_listed(prepared, life, names)
        return
    match execution.form:
        case Form.CHAIN | Form.NEXT:
            _place_fetch(prepared, life)
        case Form.RESULT:
            loops = [is_async_loop(use.node, module) for use in execution.fetches]
            if any(loops) and not all(loops):
                message = f"an `async for` reads what line {execution.line} executed, and is not alone in that"
                raise Refused("unclear-cursor", f"{message}; execute in the head of the loop")
            prepared.fetch = Fetch.ITERATE
            prepared.prefix = f"{names[execution.use.cursor]} = "
        case Form.ALONE:
            prepared.fetch = Fetch.NONE
            if not is_alone(execution, module):
                message = f"the execute on line {execution.line} is part of a larger expression"
                raise Refused("unclear-cursor", f"{message}; give it a statement of its own")


def _place_listed(prepared: Prepared, life: Life, names: Mapping[str, str]) -> None:
    """All rows are read where the execute stands, or the first."""
    execution = prepared.execution
    prepared.fetch = Fetch.FIRST if is_first(execution, life.module) else Fetch.ALL
    prepared.counted = names[rows_key(execution, life.module)]
    prepared.prefix, execution.form = f"{prepared.counted} = ", Form.ALONE


def _check_many(prepared: Prepared, life: Life) -> None:
    execution = prepared.execution
    if execution.asks or execution.fetches or prepared.statement.kind is Kind.SELECT:
        message = f"line {execution.line} executes many times, and something is asked of the cursor after it"
        raise Refused("execute-many", f"{message}; execute one by one")
    if autocommits(life) is Tri.YES:
        message = f"line {execution.line} executes many times, and each commits by itself"
        raise Refused("execute-many", f"{message}; execute one by one")


def _place_asked(prepared: Prepared, life: Life, names: Mapping[str, str]) -> None:
    execution = prepared.execution
    wanted = {use.does for use in execution.asks}
    if is_counted(execution, prepared.statement):
        check_counted(execution, life)
        _place_listed(prepared, life, names)
        return
    if len(wanted) > 1 or execution.fetches or prepared.statement.kind is Kind.SELECT:
        line = execution.asks[0].line
        message = f"line {line} asks for the last id of a SELECT, or for several things of one statement"
        raise Refused("row-count", f"{message}; count the rows, or split it")
    (does,) = wanted
    prepared.fetch = Fetch.ROWCOUNT if does is Does.ROWCOUNT else Fetch.LASTROWID
    only = execution.asks[0]
    if len(execution.asks) == 1 and only.receiver is None:
        prepared.target = only.node
        return
    if len(execution.asks) == 1 and autocommits(life) is not Tri.YES and is_next(execution, only, life):
        prepared.target, execution.form = only.node, Form.NEXT
        return
    prepared.prefix = f"{names[f'{does.value}:{execution.use.cursor}']} = "
    if not is_alone(execution, life.module):
        message = f"the execute on line {execution.line} is part of a larger expression"
        raise Refused("unclear-cursor", f"{message}; give it a statement of its own")


def _place_fetch(prepared: Prepared, life: Life) -> None:
    (fetch,) = prepared.execution.fetches
    prepared.target = fetch.node
    match fetch.does:
        case Does.FETCHONE:
            prepared.fetch = Fetch.FIRST
            outer = life.module.parents[fetch.node]
            if prepared.statement.gives_one_row and _is_first_item(outer, fetch.node):
                prepared.fetch = Fetch.SCALAR
                assert isinstance(outer, ast.expr)
                prepared.target = outer
        case Does.FETCHALL:
            prepared.fetch = Fetch.ALL
        case Does.ITERATE:
            prepared.fetch = Fetch.ALL if _commits_inside(fetch.node, life) else Fetch.ITERATE
            if prepared.fetch is Fetch.ALL and is_async_loop(fetch.node, life.module):
                message = f"the loop on line {fetch.line} commits while it still reads; fetch all rows before it"
                raise Refused("commit-before-fetch", message)
        case _:
            prepared.fetch = Fetch.ITERATE


def _is_first_item(outer: ast.AST, node: ast.expr) -> bool:
    return (
        isinstance(outer, ast.Subscript)
        and outer.value is node
        and isinstance(outer.slice, ast.Constant)
        and outer.slice.value == 0
        and outer.slice.value is not False
    )


def _commits_inside(node: ast.expr, life: Life) -> bool:
    loop = life.module.parents[node]
    inside = (u for u in life.where(Does.COMMIT, Does.ROLLBACK) if loop in life.module.ancestors(u.node))
    return next(inside, None) is not None


@dataclass(frozen=True)
class Manner:
    """How all statements of a life are written."""

    style: str
    session: str
    timestamps: str
    shift: int  # how much further to the right than now the statements will stand
    is_async: bool = False
    synchronize: str = "evaluable"  # see `Request`
    variables: bool = False  # statements may be written above
    sqlalchemy: str = ""  # see `Request`
    also: frozenset[str] = frozenset()  # see `Request`
    typed: bool = False  # see `Request`


def compose(prepared: Prepared, life: Life, manner: Manner, edits: Mapping[Span, str], stated: str = "") -> Written:
    """Write the statement; `edits` are what becomes of the rows read inside its parameters. Raises Refused.

    `stated` is the variable that holds the statement, where the code makes it elsewhere.
    """
    from ormlift.sql.write import write

    module, execution = life.module, prepared.execution
    arguments = tuple(_argument(prepared, slot.key, life, edits) for slot in prepared.statement.slots)
    statement = module.statement(prepared.target or execution.call)
    base = module.span(statement).col + manner.shift + (4 if prepared.head else 0)
    start = (
        module.span(prepared.target).col + manner.shift if prepared.target is not None else base + len(prepared.prefix)
    )
    select_only = execution.form is Form.RESULT or (
        execution.form is Form.CHAIN and execution.fetches[0].does is Does.FETCHMANY
    )
    prepared.request = Request(
        models=prepared.models,
        arguments=arguments,
        style="select" if select_only or manner.is_async else manner.style,
        fetch=prepared.fetch,
        session=manner.session,
        timestamps=manner.timestamps,
        sqlalchemy=manner.sqlalchemy,
        also=manner.also,
        typed=manner.typed,
        line_length=line_length(module) - base,  # written at column 0: the edit indents it
        indent=start - base + (len("(await ") if manner.is_async else 0),
        names=said_names(life, prepared.models.values()),
        synchronize=manner.synchronize,
        variables=manner.variables,
        taken=module.names if manner.variables else frozenset(),
        kept=prepared.kept,
        spreads=prepared.spreads,
    )
    written = write(prepared.statement, prepared.request)
    if isinstance(written, Reason) and MARK in written.message:
        message = f"what branches put into the SQL of line {execution.line} stands where it is no list of expressions"
        raise Refused("dynamic-sql", f"{message}; write each statement as one literal")
    if isinstance(written, Reason):
        raise Refused(written.code, f"line {execution.line}: {written.message}")
    prepared.written = written
    check_loose(prepared, life)
    short = write(prepared.statement, replace(prepared.request, stated=stated)) if stated else written
    assert isinstance(short, Written)
    prepared.text = (
        awaited_text(short.text, manner.session, reader_of(prepared), life) if manner.is_async else short.text
    )
    return written


def reader_of(prepared: Prepared) -> ast.expr | None:
    """What reads the rows as they come: the expression that becomes the written one, or what a loop reads."""
    fetches = prepared.execution.fetches
    return prepared.target or (fetches[0].node if prepared.execution.form is Form.RESULT and fetches else None)


def _argument(prepared: Prepared, key: int | str, life: Life, edits: Mapping[Span, str]) -> Argument:
    node = prepared.parameters.nodes.get(key)
    text = prepared.parameters.texts[key]
    if key in prepared.parameters.many:
        return Argument(text, many=True)
    if node is None:
        return Argument(text)
    facts = value_facts(node, life)
    if text == life.module.text(node):
        text = edited_text(node, edits, life.module)
    return Argument(one_line(text), facts.may_be_none, facts.type)


def certify(prepared: Prepared) -> Certificate:
    """The evidence for one statement."""
    from ormlift.sql.life.plain import plain_certificate
    from ormlift.sql.prove import prove

    if prepared.stays is not None:
        return plain_certificate(prepared)
    assert prepared.written is not None
    assert prepared.request is not None
    return prove(prepared.statement, prepared.written, prepared.request)
