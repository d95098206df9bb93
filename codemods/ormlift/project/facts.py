"""The facts of one file: read alone, without the others, so that workers can read files side by side."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from ormlift.model import Source
from ormlift.project.columns import last
from ormlift.project.models import ClassFacts, TableFacts, read_class, read_table
from ormlift.project.scopes import ExitFacts
from ormlift.project.sessions import Binding, FunctionFacts, read_bindings, read_class_exits, read_functions
from ormlift.syntax import Module, dotted, module_level

NEEDLES: tuple[bytes, ...] = (
    b"__tablename__",
    b"Column(",
    b"mapped_column",
    b".Model)",
    b"SQLModel",
    b"Table(",
    b"sessionmaker",
    b"scoped_session",
    b"declarative",
    b"Declarative",
    b"create_engine",
    b"create_async_engine",
    b"contextmanager",
    b"__exit__",
    b"__aexit__",
    b".connect(",
    b"Session(",
    b"SessionLocal",
    b"_session(",
    b"_conn",
    b"_db(",
    b"listens_for",
    b"map_imperatively",
)

# The needles are for the quick look at bytes; this says whether a file is worth parsing.
WORTH = re.compile(
    r"""^[ \t]+__tablename__\b | \bColumn\( | \bmapped_column\b | \.Model\) | \bSQLModel\b | \bTable\(\s*['"]
      | \b(?:async_)?sessionmaker\b | \bscoped_session\b | \bDeclarativeBase | \bdeclarative_base\b | as_declarative
      | \bcreate_(?:async_)?engine\b | \bSQLAlchemy\( | \bmap_imperatively\b | \blistens_for\(
      | ^[ \t]*@(?:contextlib\.)?(?:async)?contextmanager\b | \bdef[ ]__a?exit__\b
      | \b(?:sqlite3|aiosqlite|apsw|psycopg2?|asyncpg|pymysql|MySQLdb|mysql\.connector|connector|cx_Oracle|pyodbc|duckdb)\.connect\(
      | \bdef[ ]\w*(?:_|\b)(?:session|sessions|db|conn|connection|cursor|database|SessionLocal)\( | ^[ ]+return[ ]\w*Session\w*\(\)
    """,
    re.X | re.M,
)


@dataclass(frozen=True, slots=True)
class Listener:
    """An event listener: `@event.listens_for(target, "event")` or `event.listen(target, "event", ...)`."""

    target: str  # dotted, as written
    event: str
    line: int
    propagate: bool = False


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """A `create_engine(...)` bound to a name."""

    name: str
    line: int
    url: str
    literal: bool


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What one file says about models, sessions and scopes, before the files are linked."""

    path: str
    imports: tuple[tuple[str, str], ...] = ()  # module-level names and their dotted targets
    stars: tuple[str, ...] = ()  # modules imported with `*`
    imported: tuple[str, ...] = ()  # absolute modules imported anywhere in the file
    classes: tuple[ClassFacts, ...] = ()
    tables: tuple[TableFacts, ...] = ()
    functions: tuple[FunctionFacts, ...] = ()
    bindings: tuple[Binding, ...] = ()
    exits: tuple[tuple[str, ExitFacts], ...] = ()  # class name and what its `__exit__` does
    engines: tuple[EngineFacts, ...] = ()
    listeners: tuple[Listener, ...] = ()
    imperative: tuple[tuple[str, str], ...] = ()  # `map_imperatively(class, table)`: both dotted, as written


def read_facts(source: Source) -> FileFacts:
    """Read one file. A file that does not parse has no facts."""
    if not WORTH.search(source.text):
        return FileFacts(source.path)
    try:
        module = Module.parse(source)
    except SyntaxError:
        return FileFacts(source.path)
    return module_facts(module)


def module_facts(module: Module) -> FileFacts:
    """The facts of a file that is parsed already."""
    tree = module.tree
    imports = module.imports
    statements = list(module_level(tree))
    return FileFacts(
        module.source.path,
        tuple(imports.items()),
        tuple(_stars(statements)),
        tuple(sorted(_imported(tree))),
        tuple(read_class(s, imports) for s in statements if isinstance(s, ast.ClassDef)),
        tuple(_tables(statements, imports)),
        tuple(read_functions(tree)),
        tuple(read_bindings(tree)),
        tuple(read_class_exits(tree)),
        tuple(_engines(tree, statements)),
        tuple(_listeners(tree)),
        tuple(_imperative(tree)),
    )


def _stars(statements: list[ast.stmt]) -> list[str]:
    nodes = [s for s in statements if isinstance(s, ast.ImportFrom)]
    return ["." * n.level + (n.module or "") for n in nodes if any(a.name == "*" for a in n.names)]


def _imported(tree: ast.Module) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module)
    return found


def _tables(statements: list[ast.stmt], imports: dict[str, str]) -> list[TableFacts]:
    found = []
    for statement in statements:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            table = read_table(statement.targets[0].id, statement.value, imports)
            found += [table] if table is not None else []
    return found


def _engines(tree: ast.Module, statements: list[ast.stmt]) -> list[EngineFacts]:
    constants: dict[str, ast.expr] = {}
    for statement in statements:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            constants[statement.targets[0].id] = statement.value
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and (name := dotted(node.targets[0])):
            called = last(dotted(node.value.func))
            if called in ("create_engine", "create_async_engine", "engine_from_config"):
                found.append(_engine(name, node.value, constants))
    return found


def _engine(name: str, call: ast.Call, constants: dict[str, ast.expr]) -> EngineFacts:
    node: ast.expr | None = (
        call.args[0] if call.args else next((k.value for k in call.keywords if k.arg == "url"), None)
    )
    for _ in range(3):
        if isinstance(node, ast.Name) and node.id in constants:
            node = constants[node.id]
    if node is None:
        return EngineFacts(name, call.lineno, "", literal=False)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return EngineFacts(name, call.lineno, node.value, literal=True)
    return EngineFacts(name, call.lineno, ast.unparse(node), literal=False)


def _listeners(tree: ast.Module) -> list[Listener]:
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or last(dotted(node.func)) not in ("listens_for", "listen"):
            continue
        if len(node.args) < 2 or not isinstance(node.args[1], ast.Constant):
            continue
        propagate = any(k.arg == "propagate" for k in node.keywords)
        found.append(Listener(dotted(node.args[0]), str(node.args[1].value), node.lineno, propagate))
    return found


def _imperative(tree: ast.Module) -> list[tuple[str, str]]:
    calls = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and len(n.args) >= 2]
    named = [c for c in calls if last(dotted(c.func)) in ("map_imperatively", "mapper")]
    return [(dotted(c.args[0]), dotted(c.args[1])) for c in named if dotted(c.args[0]) and dotted(c.args[1])]
