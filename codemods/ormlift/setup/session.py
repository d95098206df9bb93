"""Writes what a session needs, beside what the project has of it.

Where there is a session factory, a scope is put under it. Where there is only a function that opens a connection, an
engine that opens its connections by that very function comes first, and a factory: so the database, and all that is set
on its connections, stay what they are.
"""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass, replace

from ormlift.edit.errors import LayoutError
from ormlift.edit.imports import edit_imports
from ormlift.model import ImportNeed, Source
from ormlift.schema import SessionFactory, SessionSource
from ormlift.setup.direct import Database
from ormlift.source import newline_of, split_lines
from ormlift.syntax import FunctionNode, Module, module_level

SCOPE_NAMES = ("session_scope", "orm_session_scope", "unit_of_work")
FACTORY_NAMES = ("SessionLocal", "OrmSession")
OPENER_NAMES = ("open_connection", "open_database")
ENGINE_NAMES = ("engine", "orm_engine")
URLS = {
    "sqlite3": "sqlite://",
    "psycopg2": "postgresql+psycopg2://",
    "psycopg": "postgresql+psycopg://",
    "pymysql": "mysql+pymysql://",
    "MySQLdb": "mysql+mysqldb://",
    "mysql.connector": "mysql+mysqlconnector://",
}

_NEEDS = [
    ImportNeed("contextlib", "contextmanager"),
    ImportNeed("sqlalchemy", "create_engine"),
    ImportNeed("sqlalchemy.orm", "sessionmaker"),
    ImportNeed("sqlalchemy.pool", "NullPool"),
]

_SCOPE = '''\
@contextmanager
def {name}():
    """One session: commits at the end, rolls back on an error, always closes."""
    session = {factory}()
    try:
        yield session
        session.commit()
    except Exception:
        session.rollback()
        raise
    finally:
        session.close()
'''
_ASYNC_SCOPE = '''\
@asynccontextmanager
async def {name}():
    """One session: commits at the end, rolls back on an error, always closes."""
    session = {factory}()
    try:
        yield session
        await session.commit()
    except Exception:
        await session.rollback()
        raise
    finally:
        await session.close()
'''


class SetupError(Exception):
    """Nothing can be written here. Its text is one line that says what to do."""


@dataclass(frozen=True)
class Written:
    """A file's new text, and the name of the scope in it."""

    source: Source
    scope: str


def write_scope(source: Source, factory: SessionFactory) -> Written:
    """The file with a scope under its session factory. Raises SetupError."""
    module = _parsed(source)
    if factory.owner:
        raise SetupError(f"{factory.owner}.{factory.name} is made in a class; write a scope by hand where it is used")
    name = _free(module, SCOPE_NAMES)
    call = f"{factory.name}.session_factory" if factory.scoped else factory.name  # a session of its own each time
    template, need = (_ASYNC_SCOPE, "asynccontextmanager") if factory.is_async else (_SCOPE, "contextmanager")
    text = template.format(name=name, factory=call)
    return Written(_with(module, factory.line, [text], [ImportNeed("contextlib", need)]), name)


def write_session(source: Source, opener: SessionSource) -> Written:
    """The file with an engine, a factory and a scope under what opens its connections. Raises SetupError."""
    module = _parsed(source)
    if problem := why_not(opener):
        raise SetupError(problem)
    name, maker, engine = (_free(module, names) for names in (SCOPE_NAMES, FACTORY_NAMES, ENGINE_NAMES))
    made = (
        f'{engine} = create_engine("{URLS[opener.driver]}", creator={opener.name}, poolclass=NullPool)\n'
        f"{maker} = sessionmaker(bind={engine})\n"
    )
    return Written(_with(module, opener.line, [made, _SCOPE.format(name=name, factory=maker)], _NEEDS), name)


def write_engine(source: Source, database: Database) -> Written:
    """The file with an engine that opens the database as the code does, a factory and a scope. Raises SetupError."""
    module = _parsed(source)
    name, maker, engine = (_free(module, names) for names in (SCOPE_NAMES, FACTORY_NAMES, ENGINE_NAMES))
    creator, blocks = f"lambda: {database.opens}", []
    if database.setup:
        creator = _free(module, OPENER_NAMES)
        body = [f"conn = {database.opens}", *database.setup, "return conn"]
        words = f'"""A connection as {database.manager}() opens it."""'
        blocks.append(f"def {creator}():\n" + "".join(f"    {line}\n" for line in (words, *body)))
    blocks.append(
        f'{engine} = create_engine("sqlite://", creator={creator}, poolclass=NullPool)\n'
        f"{maker} = sessionmaker(bind={engine})\n"
    )
    return Written(_with(module, database.line, [*blocks, _SCOPE.format(name=name, factory=maker)], _NEEDS), name)


def why_not(opener: SessionSource) -> str:
    """Why an engine can't open its connections by this function; empty where it can."""
    where = f"{opener.name}() in {opener.path}"
    if opener.owner or opener.is_async or opener.driver not in URLS:
        return f"{where} is no plain function that opens a connection; write an engine and a scope by hand"
    if opener.shared:
        return f"{where} hands out one connection to all, which a session would close; write an engine by hand"
    rows = opener.row_factory in ("", "tuple") or (opener.row_factory == "sqlite3.Row" and opener.driver == "sqlite3")
    if not rows:
        return f"{where} makes rows by {opener.row_factory}, which SQLAlchemy can't read; write an engine by hand"
    return ""


def needs_arguments(source: Source, opener: SessionSource) -> bool:
    """Whether the function that opens the connection can't be called without arguments."""
    for node in ast.walk(_parsed(source).tree):
        if isinstance(node, FunctionNode) and node.name == opener.name and node.lineno == opener.line:
            arguments = node.args
            free = len(arguments.posonlyargs) + len(arguments.args) - len(arguments.defaults)
            return free > 0 or any(default is None for default in arguments.kw_defaults)
    return True


def _parsed(source: Source) -> Module:
    try:
        return Module.parse(source)
    except SyntaxError as error:
        raise SetupError(f"{source.path} cannot be parsed: {error.msg}") from error


def _free(module: Module, names: tuple[str, ...]) -> str:
    """The first of the names that the file does not bind at its top level."""
    bound = set(module.imports)
    for statement in module_level(module.tree):
        bound |= {getattr(statement, "name", "")}
        bound |= {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    free = next((name for name in names if name not in bound), "")
    if not free:
        raise SetupError(f"{module.source.path} binds {' and '.join(names)} to something else; write a scope by hand")
    return free


def _with(module: Module, line: int, blocks: list[str], needs: list[ImportNeed]) -> Source:
    """The file with blocks of code under the top-level statement that holds a line, and with the imports they need."""
    source = module.source
    newline = newline_of(source.text)
    lines = split_lines(source.text)
    holder = next(s for s in module.tree.body if _first(s) <= line <= (s.end_lineno or s.lineno))
    at = holder.end_lineno or holder.lineno
    following = lines[at:]
    while following and not following[0].strip():
        del following[0]
    head = lines[:at]
    head[-1] = head[-1].rstrip("\r\n") + newline
    simple = not isinstance(holder, FunctionNode | ast.ClassDef)
    text = ""
    for block in blocks:
        plain = not block.startswith(("@", "def ", "class "))
        text += (newline if simple and plain else newline * 2) + block.replace("\n", newline)
        simple = plain
    if following:
        text += newline * 2
    body = [*head, *split_lines(text), *following]
    try:
        new, _ = edit_imports(body, [None] * len(body), needs, [], newline, source.path)
    except LayoutError as error:
        raise SetupError(f"{source.path}: {error}; write a scope by hand") from error
    return replace(source, text=_parted(new, newline))


def _parted(text: str, newline: str) -> str:
    """A blank line between the standard library's imports and the first of SQLAlchemy."""
    lines = split_lines(text)
    for at in range(1, len(lines)):
        above = lines[at - 1].split()
        if lines[at].startswith("from sqlalchemy") and above[:1] in (["from"], ["import"]):
            if above[1].partition(".")[0] in sys.stdlib_module_names:
                lines.insert(at, newline)
            break
    return "".join(lines)


def _first(statement: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(d.lineno for d in decorators)])
