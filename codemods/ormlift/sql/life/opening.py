"""What opens the session in place of the connection, and what that changes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ormlift.model import Effect, ImportNeed, Reason, Settings
from ormlift.project.choose import ChosenScope, choose_scope, surroundings
from ormlift.project.escape.choice import name_scope
from ormlift.project.index import ProjectIndex
from ormlift.project.names import is_test_path
from ormlift.schema import Engine, Scope, SessionFactory, SourceKind, Tri
from ormlift.sql.life.drivers import DIALECTS, direct_source
from ormlift.sql.life.model import How, Life
from ormlift.sql.life.opener import chooses_database, listener_effects, opener_effects, opens_engine
from ormlift.sql.life.refuse import Refused
from ormlift.sql.versions import older, refusal
from ormlift.syntax import dotted


@dataclass(frozen=True)
class Opening:
    """The call that opens the session."""

    call: str  # `session_scope()`
    commits: Tri  # whether it commits at the end of its block
    imports: tuple[ImportNeed, ...] = ()
    effects: tuple[Effect, ...] = ()
    commits_on_failure: Tri = Tri.NO  # whether it commits where its block ends with an exception


def opening_of(life: Life, index: ProjectIndex, settings: Settings, line: int) -> Opening:
    """The scope to open; where the call hands out a Session already, that call. Raises Refused where there is none."""
    if life.source.kind in (SourceKind.SESSION, SourceKind.SHARED_SESSION):
        return _own_session(life)
    if life.how is How.HANDED:
        return Opening("", Tri.NO)
    path = life.module.source.path
    fitting = _of_kind(settings, index, is_async=life.is_async)
    place = surroundings(life.module, life.origin)
    chosen = choose_scope(fitting, index, path, is_async=life.is_async, at=place)
    chosen = chosen or _factory(index, path, is_async=life.is_async)
    if chosen is None:
        message = "no scope is configured for this file, and none was found"
        way = "add a `[[scopes]]` whose `where` fits it" if settings.scopes else 'set `session-scope = "module:name"`'
        raise Refused("no-scope", f"{message}; {way} in the configuration")
    named = name_scope(life.module, life.host, line, chosen)
    if isinstance(named, Reason):
        raise Refused(named.code, named.message)
    if isinstance(chosen, FactoryChoice):
        if older(settings.sqlalchemy, "1.4"):
            raise Refused(*refusal(settings.sqlalchemy, f"`with {named.call}`", "1.4"))
        return Opening(named.call, Tri.NO, named.imports, tuple(_factory_effects(chosen, life.line)))
    _check_scope(named.scope, named.call, is_async=life.is_async)
    commits = named.scope.commits if named.scope is not None else Tri.UNKNOWN
    effects = tuple(_scope_effects(named.scope, named.call, line))
    failed = named.scope.commits_on_failure if named.scope is not None else Tri.NO
    return Opening(named.call, commits, named.imports, effects, failed)


def _of_kind(settings: Settings, index: ProjectIndex, *, is_async: bool) -> Settings:
    """The settings with the scopes that are asynchronous, or not; with all of them where none is of that kind."""
    known = [(choice, index.scope_named(choice)) for choice in settings.scopes]
    kept = tuple(choice for choice, scope in known if scope is None or scope.is_async is is_async)
    return replace(settings, scopes=kept if kept or is_async else settings.scopes)


def _factory_effects(chosen: FactoryChoice, line: int) -> Iterator[Effect]:
    if chosen.others:
        home = chosen.need.module if chosen.need is not None else "this file"
        message = f"of {chosen.others + 1} session factories, {chosen.expression} of {home} was chosen"
        yield Effect("factory-chosen", line, f"{message}; configure a scope to say which")


def _own_session(life: Life) -> Opening:
    effects: tuple[Effect, ...] = ()
    call = life.module.text(life.call)
    if life.source.kind is SourceKind.SHARED_SESSION:
        message = f"{call} hands out a session that others use too; the with block closes it for all of them"
        effects = (Effect("shared-session", life.line, message),)
    return Opening(call, Tri.NO, effects=effects)


@dataclass(frozen=True)
class FactoryChoice(ChosenScope):
    """A session factory, whose sessions are context managers that only close."""

    others: int = 0  # how many more there are


_HOMES = frozenset({"db", "database", "databases", "session", "sessions", "models", "orm", "storage", "extensions"})


def _factory(index: ProjectIndex, path: str, *, is_async: bool) -> FactoryChoice | None:
    """A sessionmaker of the project: `with SessionLocal() as session` closes, and does no more.

    The file's own comes first, then one in a module whose name says that it is for this.
    """
    fits = [f for f in index.factories if not (f.scoped or f.owner or is_test_path(f.path))]
    fits = [f for f in fits if f.is_async is is_async]
    fits = [f for f in fits if not _is_rebound(f, index)]
    own = [f for f in fits if f.path == path]
    homely = [f for f in fits if _HOMES & set(f.module.split("."))]
    factory = min(own or homely or fits, key=lambda f: (len(f.name), f.module), default=None)
    if factory is None:
        return None
    need = ImportNeed(factory.module, factory.name) if factory.path != path else None
    return FactoryChoice(factory.name, need, others=len(fits) - 1)


def _is_rebound(factory: SessionFactory, index: ProjectIndex) -> bool:
    """Whether a function binds the name, so that importing it may give what it was before."""
    homes = [f for f in index.facts if f.path == factory.path]
    return any(b.late and b.name == factory.name for f in homes for b in f.bindings)


def _check_scope(scope: Scope | None, call: str, *, is_async: bool) -> None:
    if scope is None:
        return
    if scope.is_async and not is_async:
        raise Refused("no-scope", f"the scope {call} is async; configure another for this file")
    if scope.takes_arguments:
        raise Refused("no-scope", f"the scope {call} needs arguments; configure another for this file")
    if scope.yields != "session":
        raise Refused("no-scope", f"the scope {call} hands out {scope.yields or 'nothing'}; configure another")


def _scope_effects(scope: Scope | None, call: str, line: int) -> Iterator[Effect]:
    if scope is None:
        yield Effect(
            "scope-unknown", line, f"what {call} does at its end could not be read; check that it closes the session"
        )
        return
    if scope.wraps:
        yield Effect("scope-wraps-errors", line, f"{call} turns errors of the block into {scope.wraps}")
    if scope.swallows is Tri.YES:
        yield Effect("scope-swallows-errors", line, f"{call} keeps errors of the block to itself")
    if scope.shared is Tri.YES:
        yield Effect("shared-session", line, f"{call} hands out a session that others use too")


# The database


def database_effects(life: Life, index: ProjectIndex, settings: Settings) -> Iterator[Effect]:
    """An effect, unless the connection is known to reach the engine's own database."""
    source = life.source
    if source.shared or (life.manager is not None and life.manager.shared is Tri.YES):
        kept = life.how is How.KEPT
        whose = f"{life.name} is" if kept else f"{dotted(life.call.func)}() hands out"
        message = f"{whose} a connection that others use too: what they leave uncommitted"
        yield Effect("shared-connection", life.line, f"{message} is not seen here, and they do not commit this")
    if _varies(life):
        message = f"the loop around line {life.line} opens another database each time, and a session has one"
        raise Refused("several-databases", f"{message}; leave it raw, or give each its engine")
    if opens_engine(life, index):
        yield from listener_effects(life, index)
        return
    yield from opener_effects(life, index)
    known = _is_configured(life, settings) or any(_is_engine_of(engine, life) for engine in index.engines)
    if known and not chooses_database(life):
        return
    reached = f" to {source.database}" if source.database else ""
    message = f"{_written(life)} connects{reached}, which is taken to be the engine's own database"
    others = "; other calls of it in this file open another one" if _opens_others(life) else ""
    way = "name it under `connections` in the configuration if it is"
    yield Effect("other-database", life.line, f"{message}{others}; {way}")


def _written(life: Life) -> str:
    """The call that opens, with its arguments; a driver's without: a password may be among them."""
    if direct_source(life.call, life.module) is not None:
        return f"{dotted(life.call.func)}()"
    return " ".join(life.module.text(life.call).split())


def _opens_others(life: Life) -> bool:
    """Whether the file calls the same opener with other literals, or with none."""
    name, own = dotted(life.call.func), _given(life.call)
    calls = [call for call in life.module.calls if name and dotted(call.func) == name and call is not life.call]
    literal = (given for given in map(_given, calls) if all(isinstance(g, ast.Constant) for g in given))
    return any([ast.dump(g) for g in given] != [ast.dump(g) for g in own] for given in literal)


def _given(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(k.value for k in call.keywords)]


def _varies(life: Life) -> bool:
    """Whether what is opened depends on a loop around it."""
    if life.how is How.KEPT:
        return False
    loops = [a for a in life.module.ancestors(life.origin) if isinstance(a, ast.For)]
    bound = {n.id for loop in loops for n in ast.walk(loop) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    read = {n.id for a in life.call.args for n in ast.walk(a) if isinstance(n, ast.Name)}
    return bool(bound & read)


def _is_configured(life: Life, settings: Settings) -> bool:
    source = life.source
    names = {f"{source.module}:{source.name}", f"{source.module}:{source.owner}.{source.name}"}
    written = dotted(life.call.func)
    head, _, rest = written.partition(".")
    target = life.module.imports.get(head)
    if target and "." in target and not rest:
        module, _, name = target.rpartition(".")
        names.add(f"{module}:{name}")
    elif target:
        names.add(f"{target}:{rest}")
    return bool(names & set(settings.connections))


def _is_engine_of(engine: Engine, life: Life) -> bool:
    """Whether the engine's URL names what the connection was opened with: one literal path, or one variable."""
    database = life.source.database
    dialect = DIALECTS.get(life.source.driver, "")
    if not database or (engine.dialect and dialect and engine.dialect != dialect):
        return False
    try:
        node = ast.parse(database, mode="eval").body
    except SyntaxError:
        return False
    while isinstance(node, ast.Call) and dotted(node.func) in ("str", "os.fspath") and len(node.args) == 1:
        node = node.args[0]
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        if engine.opens:
            return engine.opens == ast.unparse(node)
        return engine.literal and engine.url.partition(":///")[2].removeprefix("./") == node.value.removeprefix("./")
    name = dotted(node)
    if not name or (engine.literal and not engine.opens) or not _is_same_place(engine, name, life):
        return False
    return name in (engine.url, engine.opens) or f"{{{name}}}" in engine.url


def _is_same_place(engine: Engine, name: str, life: Life) -> bool:
    """Whether a name means the same beside the engine and beside the connect."""
    if engine.path == life.source.path:
        return True
    head = name.partition(".")[0]
    if life.source.path != life.module.source.path:
        return False
    target = life.module.imports.get(head, "")
    home = engine.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return bool(target) and home.endswith(target.rpartition(".")[0].lstrip(".") or "\0")
