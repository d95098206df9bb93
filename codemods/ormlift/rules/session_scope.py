"""Hands sessions that are opened and closed by hand to a scope.

    s = get_session()
    try:
        ...                         ->          with session_scope() as s:
    finally:                                        ...
        s.close()

A site is a statement `name = <call>` whose call is known to hand out a session: a factory, a function or method that
returns one, `next()` of a generator dependency. Also sites, and always refused: a session that is stored on an object,
chosen (`s = given or get_session()`), or used without a name. No sites are `return get_session()` and `yield`, where
the caller's call is the site, and `with session_scope() as s`, which has its scope. `with SessionLocal() as s` is a
site where a scope is configured that can take it over.

Handlers, `else` and returns keep their order relative to rollback and close: the try goes inside the scope whole. Where
the assignment stands inside the try and its handlers don't know the session, the scope goes inside the try instead, so
that the handlers still catch what opening the session raises.

The close may stand in a finally, at the end, or on each way out: before a return, in a handler. A guard (`s = None`
before the try, `if s: s.close()`) goes with it; a cleanup in the same finally stays, in its order to the close.

A close that an error would have skipped (`s = get_session(); ...; s.close()` without a finally) is now always reached:
that is what the scope is for, and not told as an effect. A session that nothing closes at all is closed behind the last
use of it and its instances, which is told.

A `commit()` that ends the block goes where the scope commits at its exit. With `redundant-rollback = "drop"` so do
handlers that only roll back and raise again.

What a scope does at exit is read from its definition. If that changes what the block does, the effects say so, each
with the line that shows it. A scope that commits makes changes permanent that the block left uncommitted; it expires
instances that outlive the block; one that wraps errors hides their type from whoever catches them.

A function of the project that the session or an instance is passed to is looked into, three calls deep, also in another
file, where it is certain which function that is: each name on the way is bound once, and nothing in the project sets it
as an attribute. If it only reads, or commits or rolls back by itself on each way out, and keeps nothing of what it is
handed, it has no effect; else the effect names it.
So are the constructor and the methods of an object that keeps the session: `service = Service(s); service.count()`.

Where the session comes from is compared too: what the function that handed it out does besides (sets it up, adds rows,
listens, counts), and the options of the two factories, unless the scope calls that very function. An object that is
handed in without a type (`self.manager.get_session()`) may be another than the project's class that has such a method,
which is told.

A function that hands out a new session, or else one that an object keeps (`if self._session: return self._session`), is
a site too where its result is closed by hand. What it gives may be others': an error that left it open closes it now,
which is told, and a scope of its own does not see what is pending on the other.

A test may put another in the place of what hands out the session (`patch("app.jobs.SessionLocal")`). Where the block
no longer asks for it just so, that is told, with the line of the patch: patch what the scope asks. The import stays.
Where the call itself is entered (`with get_session() as s`), it is told of mocks alone, which give another at `with`.

With `scope-choice = "faithful"` a site whose behaviour the scope would change goes to one that does not: another of the
project, or the session itself, which is a context manager that only closes (`with SessionLocal() as s`, SQLAlchemy 1.4
or newer). Without it, that is offered.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ormlift.model import (
    DropFinally,
    DropHandlers,
    Effect,
    Op,
    Reason,
    Refusal,
    ReplaceExpr,
    ReplaceStatement,
    Rewrite,
    Site,
    Wrap,
)
from ormlift.project.choose import ChosenScope, choose_scope, surroundings
from ormlift.project.escape.choice import Named, name_scope, unfit
from ormlift.project.escape.closing import error_of_close
from ormlift.project.escape.local import LocalLook
from ormlift.project.escape.shapes import Matcher, Shape
from ormlift.project.escape.sites import SESSIONS, Form, Found, find_sessions, opened_sessions, owner
from ormlift.project.escape.uses import Uses
from ormlift.project.flow import Block, Chosen, Knowledge, block_effects
from ormlift.project.flow.knowledge import is_quiet
from ormlift.project.flow.values import Values
from ormlift.project.flow.walk import catches_lost
from ormlift.project.late import home_inside, is_bound, waiting
from ormlift.rules._session_scope.entry import at_entry
from ormlift.rules._session_scope.given import given_manager, other_source
from ormlift.rules._session_scope.patched import patched_names
from ormlift.rules._session_scope.shared import closed_by_errors
from ormlift.rules._session_scope.tidy import last_commit, redundant_handlers
from ormlift.rules._session_scope.ways import by_itself, other_scopes
from ormlift.rules._session_scope.words import EFFECTS, REASONS
from ormlift.rules.base import Codemod, Context
from ormlift.rules.examples.session_scope import EXAMPLES
from ormlift.schema import SourceKind, Tri
from ormlift.sql.versions import older
from ormlift.syntax import FunctionNode, Module, dotted, walk_scope

ID = "session-scope"
HANDED = SESSIONS | {SourceKind.GENERATOR}


def find(module: Module, context: Context) -> Iterator[Site]:
    """Every session of the file, as a rewrite or a refusal."""
    finder = _Finder(module, context, Knowledge.of(context.index, module))
    sites = [finder.site(found) for found in find_sessions(module, context.index)]
    if context.settings.scopes:
        moved = (finder.moved(*opened) for opened in opened_sessions(module, context.index))
        sites += [site for site in moved if site is not None]
    yield from sorted(sites, key=lambda site: (site.line, -site.end_line))


@dataclass(frozen=True)
class _Life:
    """One session's life in one function."""

    found: Found
    function: FunctionNode | ast.Module
    shape: Shape
    look: LocalLook

    @property
    def is_async(self) -> bool:
        """Whether it is an async session."""
        return self.found.kind is SourceKind.ASYNC_SESSION


@dataclass(frozen=True)
class _Finder:
    """Judges the sessions of one file."""

    module: Module
    context: Context
    knowledge: Knowledge

    def site(self, found: Found) -> Site:
        """What becomes of one session."""
        judged = self._judge(found)
        if isinstance(judged, Rewrite):
            return judged
        reason, end = judged
        return Refusal(ID, found.statement.lineno, end or _end(found), reason)

    def _judge(self, found: Found) -> Rewrite | tuple[Reason, int]:
        early = self._by_place(found) or _by_form(found)
        if early is not None:
            return early, 0
        if handed_on := self._handed_on(found):
            return handed_on, 0
        function = owner(self.module, found.statement)
        assert not isinstance(function, ast.ClassDef)
        if isinstance(found.statement, ast.AnnAssign) and isinstance(function, ast.Module):
            text = f"{found.name} is an annotated variable of the module, whose annotation would be lost"
            return Reason("unusual-assignment", f"{text}; write a plain assignment"), 0
        look = LocalLook(self.module, self.knowledge, self.context.index)
        shape = Matcher(self.module, found.name, found.statement, look.is_closer, self.knowledge).match()
        never = shape.code == "never-closed" if isinstance(shape, Reason) else shape.kind == "open"
        if never and found.kind is SourceKind.SHARED_SESSION:
            text = f"{found.name} is shared with others, or may be, and not closed here"
            return Reason("owned-elsewhere", f"{text}: whoever shares it closes it, and nothing needs to be done"), 0
        if isinstance(shape, Reason):
            return shape, 0
        life = _Life(found, function, shape, look)
        if shape.kind == "open" and (ending := self._ended_by(life)) is not None:
            text = f"line {ending.lineno} passes {found.name} to {dotted(ending.func)}(), which may close it"
            return Reason("closed-by-callee", f"{text}; close it here, in a finally"), shape.end_line
        choice = self._chosen(life)
        first = self._under(life, choice)
        if isinstance(first, Rewrite) and _keeps(first):
            return first
        other = self._faithful(life, choice)
        faithful = self.context.settings.scope_choice == "faithful"
        if (
            other is not None
            and faithful
            and (_keeps(other[0]) or isinstance(first, Reason) or _milder(other[0], first))
        ):
            return other[0]
        if other is not None and not _keeps(other[0]):
            other = None
        if isinstance(first, Rewrite):
            return first if other is None else _offering(first, other[1])
        if other is not None:
            first = replace(first, message=f'{first.message}, or scope-choice = "faithful" for `{other[1]}`')
        return first, shape.end_line

    def moved(self, found: Found, around: ast.With | ast.AsyncWith) -> Rewrite | None:
        """A session that has its own `with`, under the scope that is configured; None where it is to stay."""
        function = owner(self.module, around)
        if self._by_place(found) is not None or isinstance(function, ast.ClassDef):
            return None
        look = LocalLook(self.module, self.knowledge, self.context.index)
        life = _Life(found, function, Shape("with", tuple(around.body), (), around=around), look)
        choice, settings = self._chosen(life), self.context.settings
        if choice is None or choice.expression not in {c.expression for c in settings.scopes}:
            return None
        rewrite = self._under(life, choice)
        if not isinstance(rewrite, Rewrite) or (settings.scope_choice == "faithful" and rewrite.effects):
            return None
        return rewrite

    def _ended_by(self, life: _Life) -> ast.Call | None:
        """The call that a session is handed to, and that may close it."""
        nodes = [n for s in life.shape.body for n in ast.walk(s) if isinstance(n, ast.Call)]
        for call in nodes:
            given = [*call.args, *(k.value for k in call.keywords)]
            if any(isinstance(g, ast.Name) and g.id == life.found.name for g in given) and life.look.may_close(call):
                return call
        return None

    def _handed_on(self, found: Found) -> Reason | None:
        """A function that yields the session: a generator dependency, or a scope that could not be read."""
        function = owner(self.module, found.statement)
        nodes = [n for n in walk_scope(function) if isinstance(n, ast.Yield)]
        if any(isinstance(n.value, ast.Name) and n.value.id == found.name for n in nodes):
            text = "this function yields the session to its caller"
            return Reason("own-definition", f"{text}, whose block it is; nothing needs to be done")
        return None

    def _chosen(self, life: _Life) -> ChosenScope | None:
        """The scope for the place where a session is handed out."""
        at = surroundings(self.module, life.found.statement)
        settings, index, path = self.context.settings, self.context.index, self.module.source.path
        return choose_scope(settings, index, path, is_async=life.is_async, at=at)

    def _under(self, life: _Life, choice: ChosenScope | None) -> Rewrite | Reason:
        """The session's block under a scope, or why it can't be handed to it."""
        found, shape = life.found, life.shape
        uses = Uses(self.module, life.function, found.name, found.statement, life.look.is_closer)
        if problem := uses.problem(shape, Values(shape.body, found.name, self.knowledge)):
            return problem
        if choice is None:
            return _no_scope()
        named = name_scope(self.module, life.function, shape.first.lineno, choice)
        if isinstance(named, Reason):
            return named
        problem = (
            unfit(named, life.function, is_async=life.is_async) or _begun(life, named) or self._circle(life, named)
        )
        return problem or self._rewrite(life, named)

    def _circle(self, life: _Life, named: Named) -> Reason | None:
        """Why the scope can't be imported here, or None."""
        imports, path = self.context.index.imports, self.module.source.path
        line = life.shape.first.lineno
        for need in named.imports:
            placed = waiting(self.module, need, line, {life.found.root})
            if (placed is not None and placed.beside) or is_bound(self.module, need):
                continue
            if imports.closes_circle(path, need.module) and home_inside(self.module, need, line, line) is None:
                text = f"importing {need.module} here would close a circle of imports"
                return Reason("import-cycle", f"{text}; move it, or import it inside the function first")
        return None

    def _faithful(self, life: _Life, first: ChosenScope | None) -> tuple[Rewrite, str] | None:
        """The block under another scope of the project, or else under its own call; and its words."""
        settings, index, path = self.context.settings, self.context.index, self.module.source.path
        for choice in other_scopes(settings, index, path, first, life.found, life.shape):
            rewrite = self._under(life, choice)
            if isinstance(rewrite, Rewrite) and _keeps(rewrite):
                return rewrite, f"with {choice.expression}()"
        own = by_itself(self.module, life.found, life.shape)
        if own is None or older(settings.sqlalchemy, "1.4"):  # sessions are no context managers there
            return None
        if own.scope and own.scope.is_async and not isinstance(life.function, ast.AsyncFunctionDef):
            return None
        found, shape = life.found, life.shape
        uses = Uses(self.module, life.function, found.name, found.statement, life.look.is_closer)
        open_ended = shape.kind == "open"
        values = Values(shape.body, found.name, self.knowledge)
        if uses.problem(shape, values) if open_ended else uses.rebound(shape):
            return None
        return self._rewrite(life, own), own.opens

    def _by_place(self, found: Found) -> Reason | None:
        """Whether the site stands where no scope may be written."""
        function = owner(self.module, found.statement)
        if isinstance(function, ast.ClassDef):
            text = f"{found.name} is an attribute of a class, and lives as long as the program"
            return Reason("stored", f"{text}; open a scope where the session is used")
        path, index = self.module.source.path, self.context.index
        for around in (function, *self.module.ancestors(function)):
            if isinstance(around, FunctionNode):
                first = min([around.lineno, *(d.lineno for d in around.decorator_list)])
                known = [(s.path, s.line) for s in index.scopes]
                known += [(s.path, s.line) for s in index.sources if s.kind in HANDED]
                if any(where == path and first <= line <= around.lineno for where, line in known):
                    text = f"this is the definition of {around.name}(), which itself hands out the session"
                    return Reason("own-definition", f"{text}; nothing needs to be done")
        return None

    def _rewrite(self, life: _Life, named: Named) -> Rewrite:
        found, shape = life.found, life.shape
        effects = [*self._handlers_behind(shape, named), *_now_closed(found, shape), *_close_raises(self.module, shape)]
        effects += at_entry(shape, named)
        if named.own:
            effects += closed_by_errors(found, shape)
        else:
            effects += [*self._effects(life, named), *_arguments(found, named)]
            effects += given_manager(self.module, found, named)
            effects += other_source(self.module, found, named, self.context.index)
        effects += patched_names(self.module, found, named, self.context.index)
        return Rewrite(
            ID,
            shape.first.lineno,
            shape.end_line,
            self._ops(shape, found, named),
            named.imports,
            unused=() if named.own else tuple({found.root} - {"", "self", "cls"}),
            effects=tuple(sorted(effects, key=lambda e: (e.line, e.code, e.message))),
        )

    def _effects(self, life: _Life, named: Named) -> list[Effect]:
        """What the scope changes of the block."""
        found, shape = life.found, life.shape
        block = Block(
            self.module,
            life.function,
            found.name,
            shape.first.lineno,
            shape.end_line,
            shape.body,
            (*shape.removed, *shape.closes),
            {Tri.YES: True, Tri.NO: False, Tri.UNKNOWN: None}[found.source.expire_on_commit],
        )
        chosen, source = Chosen(named.call, named.scope), replace(found.source, kind=found.kind)
        return block_effects(block, chosen, source, self.knowledge, life.look, _given(found))

    def _handlers_behind(self, shape: Shape, named: Named) -> list[Effect]:
        """Where the scope stands inside the try, its handlers run behind rollback and close, no more before them."""
        around = self.module.parents.get(shape.body[0])
        if shape.kind != "inside" or not isinstance(around, ast.Try | ast.TryStar):
            return []
        for part in (*(handler.body for handler in around.handlers), around.orelse):
            calls = [node for statement in part for node in ast.walk(statement) if isinstance(node, ast.Call)]
            for call in calls:
                if not (self.knowledge.is_harmless(call.func) or is_quiet(call.func)):
                    text = f"line {call.lineno} calls {ast.unparse(call.func)}() before the session is closed, and will"
                    return [Effect("handler-after-close", call.lineno, f"{text} call it when {named.call} has ended")]
        return []

    def _ops(self, shape: Shape, found: Found, named: Named) -> tuple[Op, ...]:
        span = self.module.span
        ops: list[Op] = [ReplaceStatement(span(s)) for s in shape.removed]
        if shape.around is not None:
            ops.append(ReplaceExpr(span(shape.around.items[0].context_expr), named.call))
        else:
            ops.append(Wrap(span(shape.body[0]), span(shape.body[-1]), f"{named.opens} as {found.name}"))
        if shape.opened is not None:
            ops.append(DropFinally(span(shape.opened)))
        ops += self._tidied(shape.body, shape.opened, found.name, named, set(map(id, shape.removed)))
        return tuple(ops)

    def _tidied(
        self, body: Sequence[ast.stmt], opened: ast.Try | None, name: str, named: Named, gone: set[int]
    ) -> Iterator[Op]:
        """The edits that take out of a block what the scope does by itself."""
        left: dict[ast.stmt, int] = {}
        if self.context.settings.redundant_rollback == "drop":
            found = {s: redundant_handlers(s, opened, name, named) for s in body}
            left = {s: kept for s, kept in found.items() if kept is not None}
            yield from (DropHandlers(self.module.span(s), kept) for s, kept in left.items())
        bare = [opened] if opened is not None and not opened.handlers and not opened.orelse else []
        stay = [s for s in body if id(s) not in gone]
        flat = [*bare, *(s for s, kept in left.items() if not kept)]
        commit = last_commit(stay, flat, name, named, self.knowledge)
        if commit is not None:
            yield ReplaceStatement(self.module.span(commit))


def _end(found: Found) -> int:
    """The last line of a refused site: its statement's first line where it holds other statements."""
    simple = not any(isinstance(child, ast.stmt) for child in ast.iter_child_nodes(found.statement))
    return (found.statement.end_lineno or found.statement.lineno) if simple else found.statement.lineno


def _by_form(found: Found) -> Reason | None:
    words = f"{ast.unparse(found.call.func)}()"
    match found.form:
        case Form.NAMED:
            pass
        case Form.STORED:
            text = f"the session of {words} is stored on an object or in a container, which decides when it ends"
            return Reason("stored", f"{text}; give it a variable where it is used")
        case Form.CHOSEN:
            text = f"the session may be {words} or another's, which must not be closed here"
            return Reason("may-be-given", f"{text}; split the function, or open the scope by hand")
        case Form.UNUSUAL:
            text = f"the session of {words} is bound in an unusual way"
            return Reason("unusual-assignment", f"{text}; write `name = {words}` as a statement of its own")
        case Form.UNNAMED:
            text = f"the session of {words} is used without a name, so nothing here closes it"
            return Reason("never-named", f"{text}; give it a variable, and close it in a finally")
    if found.kind is SourceKind.ASYNC_SESSION and found.source.is_async and not found.awaited:
        text = f"{words} is a coroutine and is not awaited, so {found.name} is no session"
        return Reason("not-awaited", f"{text}; await it")
    return None


def _keeps(rewrite: Rewrite) -> bool:
    """Whether a rewrite changes nothing but what no choice of scope avoids: how the session is closed."""
    return all(effect.code in ("now-closed", "close-may-raise") for effect in rewrite.effects)


def _milder(one: Rewrite, other: Rewrite) -> bool:
    """Whether a rewrite has some of another's effects and no others."""
    return {effect.code for effect in one.effects} < {effect.code for effect in other.effects}


def _offering(rewrite: Rewrite, words: str) -> Rewrite:
    """The rewrite, whose first effect also tells what would not have it."""
    first, *rest = rewrite.effects
    told = f'{first.message} (`{words}` changes nothing here: scope-choice = "faithful")'
    return replace(rewrite, effects=(replace(first, message=told), *rest))


def _now_closed(found: Found, shape: Shape) -> list[Effect]:
    if shape.kind != "open":
        return []
    text = f"{found.name} was never closed, and is now behind line {shape.end_line}: its instances load nothing there"
    return [Effect("now-closed", shape.first.lineno, text)]


def _close_raises(module: Module, shape: Shape) -> list[Effect]:
    line, text = error_of_close(shape.closes)
    if not line and shape.kind == "inside":
        around = module.parents.get(shape.body[0])
        handlers = around.handlers if isinstance(around, ast.Try | ast.TryStar) else []
        line = next((h.lineno for h in handlers if catches_lost(h.type)), 0)
        text = (
            f"the handler on line {line} did not see what closing raises, which passed it by in the finally, and will"
        )
    return [Effect("close-may-raise", line, text)] if line else []


def _no_scope() -> Reason:
    text = "no scope is configured for this file, and none was found in the project"
    return Reason("no-scope", f'{text}; set `session-scope = "module:name"` in the configuration')


def _begun(life: _Life, named: Named) -> Reason | None:
    """`with s.begin():` in the block, which raises where the scope has begun the transaction already."""
    if named.scope is None or not (named.scope.queries_at_entry or named.scope.begins):
        return None
    for node in (n for s in life.shape.body for n in ast.walk(s)):
        match node:
            case ast.withitem(context_expr=ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="begin")) as call):
                if name == life.found.name:
                    text = f"line {call.lineno} begins a transaction, which {named.call} has begun already"
                    return Reason("transaction-control", f"{text}; configure another scope for this file")
    return None


def _given(found: Found) -> frozenset[str]:
    """The options that the call itself is given; `expire_on_commit` is compared as if the factory had it."""
    return frozenset(k.arg for k in found.call.keywords if k.arg and k.arg != "expire_on_commit")


def _arguments(found: Found, named: Named) -> list[Effect]:
    """Arguments of the old call, which the scope does not get; those that are judged by themselves aside."""
    call = found.call
    judged = {"expire_on_commit", "bind"}
    given = [f"{k.arg or '**'}" for k in call.keywords if k.arg not in judged]
    if not found.dependency and found.source.name not in ("Session", "AsyncSession"):
        given += [ast.unparse(arg) for arg in call.args]
    if not given:
        return []
    text = f"{ast.unparse(call.func)}() is called with {', '.join(given)} here; {named.call} does not get that"
    return [Effect("drops-arguments", call.lineno, text)]


EXPLANATION = (__doc__ or "").strip()

CODEMOD = Codemod(
    id=ID,
    title="a session opened and closed by hand -> a scope",
    explanation=EXPLANATION,
    needles=((b"ession",), (b".close(",), (b"get_db",)),
    reasons=REASONS,
    effects=EFFECTS,
    find=find,
    examples=EXAMPLES,
    relevant=lambda text, index: index.may_hand_out_sessions(text),
    looks_elsewhere=True,
)
