"""The facts of one file: read alone, without the others, so that workers can read files side by side."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ormlift.model import Source
from ormlift.project.bodies import flat
from ormlift.project.caught import caught
from ormlift.project.columns import called, last, type_of
from ormlift.project.dependents import NEEDLE, Dependent, read_dependents
from ormlift.project.gives import Gives, read_gives
from ormlift.project.helpers import NEEDLE as HELPER_NEEDLE
from ormlift.project.helpers import Helper, may_help, read_helpers
from ormlift.project.injectors import Injector, read_injectors
from ormlift.project.models import RELATIONSHIP_CALLS, ClassFacts, TableFacts, head_of, read_class, read_table
from ormlift.project.relations import read_relationship
from ormlift.project.scopes import ExitFacts
from ormlift.project.sessions import (
    Binding,
    Definitions,
    FunctionFacts,
    read_bindings,
    read_class_exits,
    read_functions,
)
from ormlift.project.takers import NEEDLES as TAKER_NEEDLES
from ormlift.project.takers import may_take, read_takers
from ormlift.project.urls import urls
from ormlift.schema import Relationship
from ormlift.syntax import FunctionNode, Module, dotted

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
    b"ConnectionPool(",
    b"Session(",
    b"SessionLocal",
    b"_session(",
    b"_conn",
    b"_db(",
    b"listens_for",
    b"map_imperatively",
    b"except sqlite3.",
    b"except (sqlite3.",
    b"except psycopg2.",
    b"except pymysql.",
    b"(sqlite3.",
    b"(psycopg2.",
    b" sqlite3.",
    b"sqlite3 import",
    b"psycopg2 import",
    b"sqlite3 as",
    b"postgres",
    b"mysql",
    HELPER_NEEDLE,
    *TAKER_NEEDLES,
)

# The needles are for a quick look at bytes. These say whether a file is worth parsing: a word that is enough by itself,
# or a definition of the right shape. (Patterns that begin with a fixed word are searched ten times faster.)
WORDS = (
    "__tablename__",
    "Column(",
    "mapped_column",
    ".Model)",
    "SQLModel",
    "sessionmaker",
    "scoped_session(",
    "DeclarativeBase",
    "declarative_base",
    "as_declarative",
    "create_engine(",
    "create_async_engine(",
    "SQLAlchemy(",
    "map_imperatively",
    "listens_for(",
    "def __exit__",
    "def __aexit__",
    "ConnectionPool(",
    "sqlite3.connect(",
    "psycopg2.connect(",
    "psycopg.connect(",
    "asyncpg.connect(",
    "pymysql.connect(",
    "MySQLdb.connect(",
    "connector.connect(",
    "pyodbc.connect(",
    "duckdb.connect(",
    "except sqlite3.",
    "except (sqlite3.",
    "except psycopg2.",
    "except pymysql.",
)
SHAPES = (
    re.compile(r"contextmanager\s+(?:async )?def "),
    re.compile(r"return \w*Session\w*\(\)"),
    re.compile(r"Table\(\s*['\"]"),
    re.compile(r"(?:raises|assertRaises|assertRaisesRegex|suppress)\((?:sqlite3|psycopg2|psycopg|pymysql)\."),
    re.compile(r"isinstance\(\w+, \(?(?:sqlite3|psycopg2|psycopg|pymysql)\."),
    re.compile(r"except \([^)\n]*\b(?:sqlite3|psycopg2|psycopg|pymysql)\.\w"),
    re.compile(r"import (?:sqlite3|psycopg2|pymysql) as "),
    re.compile(r"from (?:sqlite3|psycopg2|psycopg|pymysql)(?:\.\w+)? import [^\n]*Error"),
)
GETTER = re.compile(
    r"def _*(?:get|create|make|new|open|acquire|obtain|provide|use|build|override|db|database|session|conn)\w*\("
)
GETTER_ENDS = ("session", "sessions", "db", "conn", "connection", "cursor", "database", "SessionLocal")
GIVES = re.compile(
    r"(?:return|yield)[ (]+(?:await )?[\w.]*"
    r"(?:(?:[sS]ession|conn|connect|connection|cursor|db|Local)\("
    r"|(?:session|conn|connection|cursor|db)\)?[ \t]*(?:[,#\n]|$))"
)
_OF_TESTS = re.compile(r"(?:^|/)(?:tests?/|test_[^/]*$|conftest\.py$)")
_ASKED = re.compile(
    r"^[ \t]+(?:return|(\w+) =)[ (]+(?:await )?\(?[\w.]*?\.?(\w+)\.(?:query|get|scalars?|execute)\(", re.M
)
_ASKS = (".query(", ".get(", ".scalar(", ".scalars(", ".execute(")
_STORED = re.compile(r"^[ \t]+[\w.]*?\.?(\w+)\.add\((\w+)\)", re.M)
_RETURNED = re.compile(r"^[ \t]+return (\w+)[ \t]*(?:#.*)?$", re.M)
IMPORTED = re.compile(r"\n(?:from|import) ([\w.]+)")
IMPORTED_ANYWHERE = re.compile(r"^[ \t]*(?:from|import)[ \t]+([\w.]+)", re.M)


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
    creator: str = ""  # `creator=`, dotted as written
    opens: str = ""  # what a `creator=lambda: sqlite3.connect(..)` opens, as written


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
    types: tuple[tuple[str, str, str], ...] = ()  # variables that hold a column type: name, the type, its arguments
    catches: tuple[str, ...] = ()  # bare names of what it calls where a handler catches a driver's own errors
    urls: tuple[tuple[str, str], ...] = ()  # names that a database's URL is bound to, and its scheme
    added: tuple[tuple[str, Relationship], ...] = ()  # `Class.attr = relationship(...)`, the class dotted, as written
    dependents: tuple[Dependent, ...] = ()  # functions that FastAPI hands something in
    injectors: tuple[Injector, ...] = ()  # decorators that hand connections in
    gives: tuple[Gives, ...] = ()  # functions that return an instance of a session of their own
    helpers: tuple[Helper, ...] = ()  # functions that are handed connections or cursors
    takes: tuple[tuple[str, int], ...] = ()  # generators that are left before their end: what is called, and the line


def worth_parsing(text: str) -> bool:
    """Whether a file may say anything about models, sessions or scopes."""
    if any(word in text for word in WORDS) or any(shape.search(text) for shape in SHAPES):
        return True
    getters = (m.group()[:-1] for m in GETTER.finditer(text))
    return any(name.endswith(GETTER_ENDS) for name in getters) and GIVES.search(text) is not None


def read_facts(source: Source) -> FileFacts:
    """Read one file. Of a file that does not parse, or is not worth it, only the imports are known."""
    if not worth_parsing(source.text):
        imported = _modules(IMPORTED.findall(f"\n{source.text}"))
        return replace(_loose(source), imported=imported, urls=urls(source.text))
    try:
        module = Module.parse(source)
    except SyntaxError:
        return FileFacts(source.path)
    return module_facts(module)


def gives_of(module: Module) -> tuple[Gives, ...]:
    """Its functions that give instances, where a session may be opened and asked at all."""
    return tuple(read_gives(module)) if _may_give(module.source) else ()


def _may_give(source: Source) -> bool:
    """Whether a function of the file may open a session, ask it for an instance, and return that."""
    text = source.text
    if not (".close()" in text or "with " in text) or _OF_TESTS.search(source.path):
        return False
    asked = [m[1] for m in _matches(_ASKED, text, _ASKS) if _is_sessions(m[2])]
    asked += [m[2] for m in _matches(_STORED, text, (".add(",)) if _is_sessions(m[1])]
    return None in asked or not set(asked).isdisjoint(_RETURNED.findall(text) if asked else ())


def _matches(pattern: re.Pattern[str], text: str, words: Sequence[str]) -> Iterator[re.Match[str]]:
    """The matches of a pattern that matches within a line from its start, in the lines that hold one of its words."""
    starts: set[int] = set()
    for word in words:
        at = text.find(word)
        while at >= 0:
            starts.add(text.rfind("\n", 0, at) + 1)
            at = text.find(word, at + 1)
    return (match for start in starts if (match := pattern.match(text, start)))


def _is_sessions(name: str) -> bool:
    """Whether a name may be that of a session."""
    return name == "s" or "sess" in name.lower() or "db" in name.lower()


def _loose(source: Source) -> FileFacts:
    """What a file says that says nothing of models and factories: one of routes or services."""
    text, nothing = source.text, FileFacts(source.path)
    if NEEDLE not in text and not _may_give(source) and not may_take(text) and not may_help(text):
        return nothing
    try:
        module = Module.parse(source)
    except SyntaxError:
        return nothing
    dependents = tuple(read_dependents(module)) if NEEDLE in text else ()
    helpers = _helpers(module, None)
    imports = tuple(module.imports.items()) if helpers else ()
    return replace(
        nothing,
        imports=imports,
        dependents=dependents,
        gives=gives_of(module),
        helpers=helpers,
        takes=_takes(module),
    )


def _helpers(module: Module, definitions: Definitions | None) -> tuple[Helper, ...]:
    if not may_help(module.source.text):
        return ()
    return tuple(read_helpers(definitions or Definitions(module.tree)))


def _takes(module: Module) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(set(read_takers(module)))) if may_take(module.source.text) else ()


def _modules(found: list[str]) -> tuple[str, ...]:
    """The imported modules that may be the project's own."""
    return tuple(sorted({m for m in found if m[:1] != "." and m.partition(".")[0] not in sys.stdlib_module_names}))


def module_facts(module: Module) -> FileFacts:
    """The facts of a file that is parsed already."""
    imports = module.imports
    calls = _registering_calls(module)
    definitions = Definitions(module.tree)
    statements = definitions.statements
    return replace(
        _givers(module, definitions),
        imported=_modules(IMPORTED_ANYWHERE.findall(module.source.text)),
        classes=tuple(read_class(node, imports) for node, _ in definitions.classes),
        tables=tuple(_tables(statements, imports)),
        engines=tuple(_engines(statements)),
        listeners=tuple(_listeners(calls)),
        imperative=tuple(_imperative(calls)),
        types=tuple(_types(statements)),
        catches=_catches(module),
        urls=urls(module.source.text),
        added=tuple(_added(statements, imports)),
        dependents=tuple(read_dependents(module)) if NEEDLE in module.source.text else (),
        injectors=tuple(read_injectors(definitions)),
        gives=gives_of(module),
        helpers=_helpers(module, definitions),
        takes=_takes(module),
    )


def giving_facts(module: Module) -> FileFacts:
    """Of the facts those that tell what a call hands out: all that is asked of the file that is being planned."""
    return _givers(module, Definitions(module.tree))


def giving_of(facts: FileFacts) -> FileFacts:
    """What `giving_facts` gives of the same file."""
    return FileFacts(
        facts.path,
        facts.imports,
        facts.stars,
        classes=tuple(ClassFacts(c.name, c.line, c.bases) for c in facts.classes),
        functions=facts.functions,
        bindings=facts.bindings,
        exits=facts.exits,
    )


def _givers(module: Module, definitions: Definitions) -> FileFacts:
    bound = read_bindings(definitions)
    return FileFacts(
        module.source.path,
        imports=tuple(module.imports.items()),
        stars=tuple(_stars(definitions.statements)),
        classes=tuple(head_of(node) for node, _ in definitions.classes),
        functions=tuple(read_functions(definitions, bound)),
        bindings=tuple(bound),
        exits=tuple(read_class_exits(definitions)),
    )


def _catches(module: Module) -> tuple[str, ...]:
    return tuple(sorted({name for place in caught(module) for name in place.called}))


def _stars(statements: list[ast.stmt]) -> list[str]:
    nodes = [s for s in statements if isinstance(s, ast.ImportFrom)]
    return ["." * n.level + (n.module or "") for n in nodes if any(a.name == "*" for a in n.names)]


def _tables(statements: list[ast.stmt], imports: dict[str, str]) -> list[TableFacts]:
    found = []
    for statement in statements:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            table = read_table(statement.targets[0].id, statement.value, imports)
            found += [table] if table is not None else []
    return found


def _added(statements: list[ast.stmt], imports: dict[str, str]) -> Iterator[tuple[str, Relationship]]:
    """Attributes that are set on a class from outside; of one that is no relationship only the name counts."""
    for statement in statements:
        target = statement.targets[0] if isinstance(statement, ast.Assign) else None
        owner = dotted(target.value) if isinstance(target, ast.Attribute) else ""
        if not isinstance(statement, ast.Assign) or not isinstance(target, ast.Attribute) or not owner:
            continue
        value = statement.value
        if isinstance(value, ast.Call) and last(owner)[:1].isupper():
            if called(value, imports) in RELATIONSHIP_CALLS:
                yield owner, read_relationship(target.attr, value, None, imports)
            else:
                yield owner, Relationship(target.attr, "", statement.lineno, unread=True)


def _types(statements: list[ast.stmt]) -> list[tuple[str, str, str]]:
    """Variables such as `Status = Enum("a", "b", name="status")`: calls of a name with a capital, at module level."""
    found = []
    for statement in statements:
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call):
            name, arguments = type_of(statement.value)
            if last(name)[:1].isupper() and isinstance(statement.targets[0], ast.Name) and len(arguments) < 200:
                found.append((statement.targets[0].id, name, arguments))
    return found


def _engines(statements: list[ast.stmt]) -> list[EngineFacts]:
    constants: dict[str, ast.expr] = {}
    found: list[EngineFacts] = []
    for statement in statements:
        if isinstance(statement, FunctionNode | ast.ClassDef):
            found += _inner_engines(statement, constants)
        elif isinstance(statement, ast.Assign):
            constants.update({t.id: statement.value for t in statement.targets if isinstance(t, ast.Name)})
            found += _engine_bound(statement, constants)
    return found


def _inner_engines(node: FunctionNode | ast.ClassDef, constants: dict[str, ast.expr]) -> list[EngineFacts]:
    known = dict(constants)
    found: list[EngineFacts] = []
    for statement in flat(node.body):
        if isinstance(statement, FunctionNode):
            found += _inner_engines(statement, known)
        elif isinstance(statement, ast.Assign):
            known.update({t.id: statement.value for t in statement.targets if isinstance(t, ast.Name)})
            found += _engine_bound(statement, known)
    return found


def _engine_bound(statement: ast.Assign, constants: dict[str, ast.expr]) -> list[EngineFacts]:
    name, call = dotted(statement.targets[0]), statement.value
    if not name or not isinstance(call, ast.Call):
        return []
    made = last(dotted(call.func)) in ("create_engine", "create_async_engine", "engine_from_config")
    return [_engine(name, call, constants)] if made else []


def _engine(name: str, call: ast.Call, constants: dict[str, ast.expr]) -> EngineFacts:
    node: ast.expr | None = (
        call.args[0] if call.args else next((k.value for k in call.keywords if k.arg == "url"), None)
    )
    for _ in range(3):
        if isinstance(node, ast.Name) and node.id in constants:
            node = constants[node.id]
    creator = next((k.value for k in call.keywords if k.arg == "creator"), None)
    made = EngineFacts(name, call.lineno, "", literal=False, creator=dotted(creator) if creator is not None else "")
    match creator:
        case ast.Lambda(body=ast.Call(func=ast.Attribute(attr="connect"), args=[database])):
            made = replace(made, opens=ast.unparse(database))
        case _:
            pass
    if node is None:
        return made
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return replace(made, url=node.value, literal=True)
    return replace(made, url=ast.unparse(node))


def _registering_calls(module: Module) -> list[ast.Call]:
    """The calls that register listeners or mappings, wherever they stand; too rare to look for in every file."""
    text = module.source.text
    if not any(word in text for word in ("listen", "map_imperatively", "mapper(")):
        return []
    calls = (n for n in ast.walk(module.tree) if isinstance(n, ast.Call) and len(n.args) >= 2)
    return [c for c in calls if last(dotted(c.func)) in ("listens_for", "listen", "map_imperatively", "mapper")]


def _listeners(calls: list[ast.Call]) -> list[Listener]:
    found = []
    for call in calls:
        event = call.args[1]
        if last(dotted(call.func)) in ("listens_for", "listen") and isinstance(event, ast.Constant):
            propagate = any(k.arg == "propagate" for k in call.keywords)
            found.append(Listener(dotted(call.args[0]), str(event.value), call.lineno, propagate))
    return found


def _imperative(calls: list[ast.Call]) -> list[tuple[str, str]]:
    named = [c for c in calls if last(dotted(c.func)) in ("map_imperatively", "mapper")]
    return [(dotted(c.args[0]), dotted(c.args[1])) for c in named if dotted(c.args[0]) and dotted(c.args[1])]
