"""Hands sessions that are opened and closed by hand to a scope.

    s = get_session()
    try:
        ...                         ->          with session_scope() as s:
    finally:                                        ...
        s.close()

A site is a statement `name = <call>` whose call is known to hand out a session: a factory, a function or method that
returns one, `next()` of a generator dependency. Also sites, and always refused: a session that is stored on an object,
chosen (`s = given or get_session()`), or used without a name. No sites are `return get_session()` and `yield`, where
the caller's call is the site, and `with get_session() as s`, which has its scope.

Handlers, `else` and returns keep their order relative to rollback and close: the try goes inside the scope whole. Where
the assignment stands inside the try and its handlers don't know the session, the scope goes inside the try instead, so
that the handlers still catch what opening the session raises.

The close may stand in a finally, at the end, or on each way out: before a return, in a handler. A guard (`s = None`
before the try, `if s: s.close()`) goes with it; a cleanup in the same finally stays, in its order to the close.

A close that an error would have skipped (`s = get_session(); ...; s.close()` without a finally) is now always reached:
that is what the scope is for, and not told as an effect.

What a scope does at exit is read from its definition. If that changes what the block does, the effects say so, each
with the line that shows it. A scope that commits makes changes permanent that the block left uncommitted; it expires
instances that outlive the block; one that wraps errors hides their type from whoever catches them.

Where the session comes from is compared too: what the function that handed it out does besides (sets it up, adds rows,
listens, counts), and the options of the two factories, unless the scope calls that very function.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ormlift.model import (
    DropFinally,
    Effect,
    Op,
    Reason,
    Refusal,
    ReplaceStatement,
    Rewrite,
    Site,
    Wrap,
)
from ormlift.project.choose import choose_scope, surroundings
from ormlift.project.escape.choice import Named, name_scope
from ormlift.project.escape.local import LocalLook
from ormlift.project.escape.shapes import Matcher, Shape
from ormlift.project.escape.sites import SESSIONS, Form, Found, find_sessions, owner
from ormlift.project.escape.uses import Uses
from ormlift.project.flow import Block, Chosen, Knowledge, block_effects
from ormlift.project.flow.errors import catches_database
from ormlift.project.flow.knowledge import is_quiet
from ormlift.project.flow.values import Values
from ormlift.rules.base import Codemod, Context
from ormlift.rules.examples.session_scope import EXAMPLES
from ormlift.schema import SourceKind, Tri
from ormlift.syntax import FunctionNode, Module

ID = "session-scope"
HANDED = SESSIONS | {SourceKind.GENERATOR}


def find(module: Module, context: Context) -> Iterator[Site]:
    """Every session of the file, as a rewrite or a refusal."""
    finder = _Finder(module, context, Knowledge.of(context.index, module))
    for found in find_sessions(module, context.index):
        yield finder.site(found)


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
        function = owner(self.module, found.statement)
        assert not isinstance(function, ast.ClassDef)
        if isinstance(found.statement, ast.AnnAssign) and isinstance(function, ast.Module):
            text = f"{found.name} is an annotated variable of the module, whose annotation would be lost"
            return Reason("unusual-assignment", f"{text}; write a plain assignment"), 0
        look = LocalLook(self.module, self.knowledge, self.context.index)
        shape = Matcher(self.module, found.name, found.statement, look.is_closer, self.knowledge).match()
        if isinstance(shape, Reason):
            return shape, 0
        values = Values(shape.body, found.name, self.knowledge)
        uses = Uses(self.module, function, found.name, found.statement, look.is_closer)
        if problem := uses.problem(shape, values):
            return problem, shape.end_line
        is_async = found.kind is SourceKind.ASYNC_SESSION
        path = self.module.source.path
        at = surroundings(self.module, found.statement)
        choice = choose_scope(self.context.settings, self.context.index, path, is_async=is_async, at=at)
        if choice is None:
            return _no_scope(), shape.end_line
        named = name_scope(self.module, function, shape.first.lineno, choice)
        if isinstance(named, Reason):
            return named, shape.end_line
        problem = _unfit(found, named, function)
        if problem is not None:
            return problem, shape.end_line
        return self._rewrite(found, function, shape, named, look)

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

    def _rewrite(
        self, found: Found, function: FunctionNode | ast.Module, shape: Shape, named: Named, look: LocalLook
    ) -> Rewrite:
        expires = {Tri.YES: True, Tri.NO: False, Tri.UNKNOWN: None}[found.source.expire_on_commit]
        block = Block(
            self.module,
            function,
            found.name,
            shape.first.lineno,
            shape.end_line,
            shape.body,
            (*shape.removed, *shape.closes),
            expires,
        )
        chosen = Chosen(named.call, named.scope)
        effects = block_effects(
            block, chosen, replace(found.source, kind=found.kind), self.knowledge, look, _given(found)
        )
        effects += [*_at_entry(shape, named), *_arguments(found, named), *self._handlers_behind(shape, named)]
        return Rewrite(
            ID,
            shape.first.lineno,
            shape.end_line,
            self._ops(shape, found, named),
            named.imports,
            unused=tuple({found.root} - {"", "self", "cls"}),
            effects=tuple(sorted(effects, key=lambda e: (e.line, e.code))),
        )

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
        word = "async with" if named.scope is not None and named.scope.is_async else "with"
        ops: list[Op] = [ReplaceStatement(span(s)) for s in shape.removed]
        ops.append(Wrap(span(shape.body[0]), span(shape.body[-1]), f"{word} {named.call} as {found.name}"))
        if shape.opened is not None:
            ops.append(DropFinally(span(shape.opened)))
        return tuple(ops)


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


def _no_scope() -> Reason:
    text = "no scope is configured for this file, and none was found in the project"
    return Reason("no-scope", f'{text}; set `session-scope = "module:name"` in the configuration')


def _unfit(found: Found, named: Named, function: ast.AST) -> Reason | None:
    """Why this scope can't own this session, or None."""
    scope = named.scope
    is_async = found.kind is SourceKind.ASYNC_SESSION
    if scope is None:
        if is_async:
            text = f"the session is async, and whether {named.call} is could not be read"
            return Reason("async-mismatch", f"{text}; configure a scope that the project defines")
        return None
    if scope.is_async is not is_async:
        one, other = ("async", "not") if is_async else ("not async", "is")
        text = f"the session is {one}, and the scope {named.call} {other}"
        return Reason("async-mismatch", f"{text}; configure another scope for this file")
    if is_async and not isinstance(function, ast.AsyncFunctionDef):
        text = "the session is async, and the function around it is not"
        return Reason("async-mismatch", f"{text}; open the scope where it can be awaited")
    if scope.takes_arguments:
        text = f"{named.call} can't be called without arguments"
        return Reason("scope-takes-arguments", f"{text}; configure a scope that can")
    if scope.yields != "session":
        text = f"{named.call} hands out {scope.yields or 'nothing'}, no session"
        return Reason("scope-yields-other", f"{text}; configure another scope for this file")
    return None


def _at_entry(shape: Shape, named: Named) -> list[Effect]:
    """Errors of a scope that queries before its block come from the `with` line, in front of the handlers."""
    if named.scope is None or not named.scope.queries_at_entry:
        return []
    handlers = [h for s in shape.body if isinstance(s, ast.Try) for h in s.handlers if catches_database(h)]
    if not handlers or shape.kind == "inside":
        return []
    line = handlers[0].lineno
    text = (
        f"{named.call} runs a statement before the block: where the database can't be reached, its error now comes in "
        f"front of the handler on line {line}, which caught it"
    )
    return [Effect("errors-at-entry", line, text)]


def _given(found: Found) -> frozenset[str]:
    """The options that the call itself is given."""
    return frozenset(k.arg for k in found.call.keywords if k.arg)


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


REASONS = {
    "no-scope": "No scope is configured for the file and none was found. Set `session-scope` in `[tool.ormlift]`.",
    "scope-not-bound": (
        "The scope's first name is bound nowhere in the file and the configuration does not say where it is imported "
        "from. Give the scope an `import`."
    ),
    "name-taken": "The scope's first name means something else in this file or function. Rename one of them.",
    "scope-takes-arguments": "The scope needs arguments, which the codemod can't make up. Configure another.",
    "scope-yields-other": "The scope hands out something else than a session. Configure another.",
    "async-mismatch": "An async session needs an async scope, and the other way round. Configure one with `where`.",
    "not-awaited": "The function is a coroutine and is not awaited: the variable holds no session. Await it.",
    "own-definition": "The block is the body of a scope or of a function that hands out sessions. It must stay.",
    "never-closed": "Nothing in the function closes the session. Say where its life ends: close it in a finally.",
    "never-named": "The session is used or passed on without a name, so its life can't be seen. Give it a variable.",
    "closed-elsewhere": "The close stands apart from the block that opens. Put it into a finally right behind.",
    "closed-in-several-places": "The session is closed before each return or handler. Close it once, in a finally.",
    "closed-by-callee": "A function is handed the session and may close it. Close it here, in a finally.",
    "finally-does-more": (
        "The finally closes under a condition of its own, or goes on after the close with what would run before it "
        "inside a scope. Move that behind the try, or before the close."
    ),
    "empty-block": "Nothing is done with the session. Remove it.",
    "reassigned": "The variable is bound again while the session is open. Use another name.",
    "aliased": "The session gets a second name, which may be used after the block. Use one name.",
    "captured": "A nested function, lambda or generator sees the session and may run later. Pass it as an argument.",
    "generator": "The block yields, so whoever iterates decides when it ends. Open the scope there.",
    "returned": "The session is returned and outlives the block. Open the scope in the caller.",
    "stored": "The session is kept on an object, a class or in a container. Open a scope where it is used.",
    "kept-by-object": "An object made with the session keeps it beyond the block. Move its uses into the block.",
    "may-be-given": "The session may be the caller's, which must not be closed here. Split the function.",
    "global-name": "The variable is global or nonlocal, so others see the session. Use a variable of the function.",
    "used-after-close": "The session is used again after its close. Move that into the block, or open a second one.",
    "transaction-control": "The block takes the transaction into its own hands. Open the scope by hand.",
    "own-with": "The block opens `with session`, which closes it. Merge the two by hand.",
    "unusual-assignment": "The session is bound by `:=` or to several targets. Write a plain assignment.",
    "unusual-use": "The session is used in a way that can't be followed. Write it more plainly.",
}

EFFECTS = {
    "commits-uncommitted": (
        "A path leaves with changes that were rolled back at close and are now committed. If the commit was forgotten, "
        "this is what you want; if leaving without it was meant to discard, call rollback() there first."
    ),
    "may-commit-uncommitted": (
        "The session or an instance goes to code that could not be read and may leave changes uncommitted; they would "
        "now be committed. Read that code, or commit in the block."
    ),
    "swallowed-error-then-commit": (
        "A handler goes on after an error without rollback: the scope's commit then raises, or commits a half. Call "
        "rollback() in the handler."
    ),
    "expires-instances": (
        "An instance outlives the block; the scope's commit expires it, so that reading an attribute raises "
        "DetachedInstanceError. Read what is needed inside the block, or use a scope that only closes."
    ),
    "wraps-errors": "Errors that leave the block come as the scope's type, which who catches the old one must learn.",
    "swallows-errors": "The scope keeps errors from the caller: code behind the block runs as if nothing had happened.",
    "errors-at-entry": "The scope queries before the block, in front of the handlers that caught a lost connection.",
    "handler-after-close": "A handler did its work before rollback and close, and does it behind them: locks are gone.",
    "shared-session": "The session is shared with others on one side: commit, rollback and close reach further.",
    "other-engine": "The scope's session is bound to another engine: it may be another database, or a replica.",
    "drops-factory-work": (
        "The function that handed out the session does more than make it: sets it up, adds rows, registers listeners, "
        "logs. The scope gets its session elsewhere. Let the scope call that function, or move the work into it."
    ),
    "other-factory": (
        "The sessions are made with other options, such as autoflush or another class. Build the scope on the same "
        "factory, or read what the option changes here."
    ),
    "breaks-begun-transaction": (
        "The scope's transaction is that of `with session.begin()`, which ends with the block's first commit or "
        "rollback; any use behind it raises. Remove the block's commit, or use a scope that commits by itself."
    ),
    "drops-arguments": "The session was made with arguments that the scope does not get.",
    "not-closed": "The scope does not close the session, or is not known to. Close it in the scope.",
    "scope-unknown": "What the scope does at exit could not be read. Read it, and judge.",
}

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
)
