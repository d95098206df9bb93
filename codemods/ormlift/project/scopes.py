"""Reads what a context manager does when its block ends: after the `yield`, or in `__exit__`.

Two ways lead out of the block. The way without an exception runs what follows the `yield`; the way with one runs the
handlers and the `finally` suites around it. What is done under a condition that is not about the session is `UNKNOWN`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from ormlift.project.bodies import flat
from ormlift.project.columns import last
from ormlift.project.handles import Handle, bindings, read_handle, read_locals
from ormlift.schema import Tri
from ormlift.syntax import FunctionNode, dotted, suites

ACTIONS = {"commit", "rollback", "close", "remove", "expire_all"}
EVERYTHING = {"Exception", "BaseException"}
DATABASE_ERRORS = {
    "SQLAlchemyError",
    "DBAPIError",
    "StatementError",
    "IntegrityError",
    "OperationalError",
    "ProgrammingError",
    "InterfaceError",
    "DatabaseError",
    "DataError",
    "InvalidRequestError",
    "DisconnectionError",
    "TimeoutError",
    "Error",
}
ORIGINS = (
    "cursor",
    "driver_connection",
    "dbapi_connection",
    "connection",
)  # what is had of a connection, and goes with it
RANK = {Tri.NO: 0, Tri.UNKNOWN: 1, Tri.YES: 2}


@dataclass(frozen=True, slots=True)
class ExitFacts:
    """What one context manager does at exit, as its own body tells it."""

    commits: Tri = Tri.NO
    commit_line: int = 0
    commits_on_failure: Tri = Tri.NO
    rolls_back: Tri = Tri.NO
    closes: Tri = Tri.NO
    wraps: str = ""
    wraps_line: int = 0
    wraps_all: bool = False
    swallows: Tri = Tri.NO
    helpers: tuple[tuple[str, str, int], ...] = ()  # handed the session: (success | failure | always, name, position)
    entered: tuple[Handle, ...] = ()  # what the `with` statements around the yield enter
    begins: bool = False  # the yield stands in `with session.begin():`
    entered_subject: bool = False  # the yield stands in `with session:`
    queries_at_entry: bool = False  # runs a statement on the session before it hands it out
    expires: Tri = Tri.NO  # rolls back or expires when the block ends without an exception
    unread: str = ""  # what is entered around the yield and can't be read
    yield_line: int = 0


def either(*values: Tri) -> Tri:
    """YES if one is, else UNKNOWN if one is: for things of which one is enough."""
    return max(values, key=RANK.__getitem__, default=Tri.NO)


def agreed(values: Iterable[Tri]) -> Tri:
    """The value that all share, else UNKNOWN; NO for none at all."""
    unique = set(values)
    return unique.pop() if len(unique) == 1 else Tri.UNKNOWN if unique else Tri.NO


@dataclass
class _Done:
    """What a suite does to the session."""

    actions: dict[str, Tri] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    helpers: list[tuple[str, int]] = field(default_factory=list)

    def of(self, action: str) -> Tri:
        return self.actions.get(action, Tri.NO)

    def add(self, action: str, value: Tri, line: int) -> None:
        self.actions[action] = either(self.of(action), value)
        self.lines.setdefault(action, line)

    def merge(self, other: _Done, *, sure: bool) -> None:
        for action, value in other.actions.items():
            self.add(action, value if sure else Tri.UNKNOWN, other.lines[action])
        if sure:
            self.helpers += other.helpers


def scan(statements: Iterable[ast.stmt], subjects: frozenset[str]) -> _Done:
    """What the statements do to the session named by one of the subjects; an empty set means any receiver."""
    done = _Done()
    for statement in statements:
        match statement:
            case ast.If(test=test, body=body, orelse=orelse):
                _scan_if(done, test, scan(body, subjects), scan(orelse, subjects), subjects)
            case ast.Try(body=body, orelse=orelse, finalbody=final):
                done.merge(scan([*body, *orelse, *final], subjects), sure=True)
            case ast.With(body=body) | ast.AsyncWith(body=body):
                done.merge(scan(body, subjects), sure=True)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                pass
            case _:
                nested = [s for suite in suites(statement) for s in suite]
                done.merge(scan(nested, subjects) if nested else _scan_simple(statement, subjects), sure=not nested)
    return done


def _scan_if(done: _Done, test: ast.expr, then: _Done, otherwise: _Done, subjects: frozenset[str]) -> None:
    guard = _is_guard(test, subjects)
    for action in then.actions.keys() | otherwise.actions.keys():
        both = then.of(action) is otherwise.of(action) is Tri.YES
        sure = both or (guard and then.of(action) is Tri.YES)
        line = then.lines.get(action) or otherwise.lines[action]
        done.add(action, Tri.YES if sure else Tri.UNKNOWN, line)
    if guard:
        done.helpers += then.helpers


def _is_guard(test: ast.expr, subjects: frozenset[str]) -> bool:
    """Whether a condition only asks if there is a session: `if session:`, `if session and session.is_active:`.

    `if session.dirty:` is none: what was flushed already is not dirty any more.
    """
    match test:
        case ast.BoolOp(op=ast.And(), values=values):
            return all(_is_guard(v, subjects) for v in values)
        case ast.Compare(left=left, ops=[ast.IsNot() | ast.NotEq()], comparators=[ast.Constant(value=None)]):
            return _is_guard(left, subjects)
        case ast.Compare(
            left=ast.Constant(value=str(name)), ops=[ast.In()], comparators=[ast.Call(func=ast.Name("locals"))]
        ):
            return name in subjects
        case ast.Call(func=ast.Name(id="hasattr")):
            return True
        case ast.Call(func=ast.Attribute(value=value, attr="in_transaction"), args=[]):
            return _names_subject(value, subjects)
        case ast.Attribute(value=value, attr="is_active"):
            return _names_subject(value, subjects)
        case ast.Name() | ast.Attribute():
            return _names_subject(test, subjects)
    return False


def _names_subject(node: ast.expr, subjects: frozenset[str]) -> bool:
    text = ast.unparse(node)
    return text in subjects if subjects else text.startswith("self.")


def _scan_simple(statement: ast.stmt, subjects: frozenset[str]) -> _Done:
    done = _Done()
    for node in ast.walk(statement):
        if not isinstance(node, ast.Call):
            continue
        receiver = node.func.value if isinstance(node.func, ast.Attribute) else None
        attr = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        if receiver is not None and attr in ACTIONS and _is_subject(receiver, attr, node, subjects):
            done.add("close" if attr == "remove" else attr, Tri.YES, node.lineno)
        elif name := dotted(node.func):
            done.helpers += [(name, n) for n, a in enumerate(node.args) if ast.unparse(a) in subjects]
    return done


def _is_subject(receiver: ast.expr, attr: str, call: ast.Call, subjects: frozenset[str]) -> bool:
    if call.args or call.keywords:
        return False
    return not subjects or attr == "remove" or ast.unparse(receiver) in subjects


def read_exit(node: FunctionNode, yields: list[ast.Yield]) -> ExitFacts:
    """What a `@contextmanager` function does at exit; where it yields in several places, what all agree on."""
    found = [_exit_of(node, y) for y in yields if y.value is not None]
    if len({replace(f, yield_line=0) for f in found}) <= 1:
        return found[-1]
    same = len({(f.entered, f.begins, f.entered_subject) for f in found}) == 1
    unsure = Tri.NO if same else Tri.UNKNOWN  # the places are entered by different ways, which may commit and close
    return ExitFacts(
        either(unsure, agreed(f.commits for f in found)),
        max(f.commit_line for f in found),
        agreed(f.commits_on_failure for f in found),
        either(unsure, agreed(f.rolls_back for f in found)),
        either(unsure, agreed(f.closes for f in found)),
        next((f.wraps for f in found if f.wraps), ""),
        next((f.wraps_line for f in found if f.wraps), 0),
        any(f.wraps_all for f in found),
        agreed(f.swallows for f in found),
        tuple(h for h in found[0].helpers if all(h in f.helpers for f in found)),
        found[0].entered if same else (),
        begins=same and found[0].begins,
        entered_subject=same and found[0].entered_subject,
        queries_at_entry=any(f.queries_at_entry for f in found),
        expires=agreed(f.expires for f in found),
        unread=next((f.unread for f in found if f.unread), ""),
        yield_line=max(f.yield_line for f in found),
    )


@dataclass
class _Ways:
    """The two ways out of the block, gathered from the inside out."""

    success: _Done = field(default_factory=_Done)
    failure: _Done = field(default_factory=_Done)
    always: _Done = field(default_factory=_Done)
    swallows: Tri = Tri.NO
    wraps: str = ""
    wraps_line: int = 0
    wraps_all: bool = False


def _exit_of(node: FunctionNode, target: ast.Yield) -> ExitFacts:
    assert target.value is not None
    subjects = _subjects(node, target.value)
    ways = _Ways()
    entered: list[ast.expr] = []
    for suite, index, inside in reversed(_trail(node, target)):
        statement = suite[index]
        if isinstance(statement, ast.Try | ast.TryStar):
            _leave_try(ways, statement, inside, subjects)
        elif isinstance(statement, ast.With | ast.AsyncWith) and inside:
            entered += [item.context_expr for item in statement.items]
        ways.success.merge(scan(suite[index + 1 :], subjects), sure=True)
    facts = _facts(ways, entered, subjects, node)
    return replace(
        facts,
        queries_at_entry=_queries_before(node, target, subjects),
        unread=next((t for t in map(ast.unparse, entered) if _unreadable(t)), ""),
        swallows=either(facts.swallows, _suppresses(entered)),
        yield_line=target.lineno,
    )


def _unreadable(entered: str) -> bool:
    """Whether a `with` around the yield does at its end what is not read here: callbacks, savepoints."""
    return entered.partition("(")[0].rpartition(".")[2] in ("ExitStack", "AsyncExitStack", "begin_nested")


def _suppresses(entered: list[ast.expr]) -> Tri:
    calls = [e for e in entered if isinstance(e, ast.Call)]
    return Tri.UNKNOWN if any(dotted(c.func).rpartition(".")[2] == "suppress" for c in calls) else Tri.NO


def _queries_before(node: FunctionNode, target: ast.Yield, subjects: frozenset[str]) -> bool:
    """Whether the function runs a statement on what it yields before it does so."""
    return any(
        isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in ("execute", "scalar", "scalars", "connection")
        and call.lineno < target.lineno
        and ast.unparse(call.func.value) in subjects
        for call in ast.walk(node)
    )


def _subjects(node: FunctionNode, value: ast.expr, before: Iterable[ast.stmt] = ()) -> frozenset[str]:
    """The texts by which the function names what it yields; with a cursor, also the connection it came from.

    `before` are statements that run earlier, as those of `__init__` before `__enter__`.
    """
    parts = value.elts if isinstance(value, ast.Tuple) else [value]
    names = {ast.unparse(p) for p in parts} | {text for p in parts for text in _cursor_of(p)}
    for statement in [*before, *flat(node.body)]:
        for target, _, value in bindings(statement):
            names |= _also_named(ast.unparse(target), value, names)
    return frozenset(names)


def _cursor_of(value: ast.expr) -> Iterator[str]:
    """The connection of a `conn.cursor(..)`."""
    match value.value if isinstance(value, ast.Await) else value:
        case ast.Call(func=ast.Attribute(value=connection, attr="cursor")):
            yield ast.unparse(connection)


def _also_named(target: str, value: ast.expr, names: set[str]) -> set[str]:
    """What an assignment adds to the names of the session."""
    source = value.value if isinstance(value, ast.Await) else value
    if target not in names:
        return {target} if ast.unparse(source) in names else set()
    origin = source.func if isinstance(source, ast.Call) else source
    if isinstance(origin, ast.Attribute) and origin.attr in ORIGINS:
        return {ast.unparse(origin.value)}
    return {ast.unparse(source)} if isinstance(source, ast.Name | ast.Attribute) else set()


def _trail(node: FunctionNode, target: ast.Yield) -> list[tuple[list[ast.stmt], int, str]]:
    """The suites from the function's body down to the yield: (suite, index in it, field that leads further in)."""
    trail: list[tuple[list[ast.stmt], int, str]] = []
    suite = node.body
    while True:
        index = next(i for i, s in enumerate(suite) if any(n is target for n in ast.walk(s)))
        for name in ("body", "orelse", "finalbody", "handlers"):
            inner = getattr(suite[index], name, None) or []
            inner = [s for h in inner for s in h.body] if name == "handlers" else inner
            if any(n is target for s in inner for n in ast.walk(s)):
                trail.append((suite, index, name))
                suite = inner
                break
        else:
            trail.append((suite, index, ""))
            return trail


def _leave_try(ways: _Ways, statement: ast.Try | ast.TryStar, inside: str, subjects: frozenset[str]) -> None:
    ways.always.merge(scan(statement.finalbody, subjects), sure=True)
    if any(isinstance(s, ast.Return) for s in statement.finalbody):
        ways.swallows = Tri.YES
    if inside != "body":
        return
    ways.success.merge(scan(statement.orelse, subjects), sure=True)
    if not statement.handlers:
        return
    done = [scan(h.body, subjects) for h in statement.handlers]
    caught_all = any(handled(h) & EVERYTHING for h in statement.handlers)
    for action in ("commit", "rollback", "close"):
        value = agreed(d.of(action) for d in done)
        value = Tri.UNKNOWN if value is Tri.YES and not caught_all else value
        if value is not Tri.NO:
            ways.failure.add(action, value, 0)
    if caught_all:
        ways.failure.helpers += [h for h in done[-1].helpers if all(h in d.helpers for d in done)]
    for handler in statement.handlers:
        _leave_handler(ways, handler)


def handled(handler: ast.ExceptHandler) -> set[str]:
    """The bare names of the exceptions that a handler catches; a bare `except` catches BaseException."""
    if handler.type is None:
        return {"BaseException"}
    types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return {last(dotted(t)) or "?" for t in types}


def _leave_handler(ways: _Ways, handler: ast.ExceptHandler) -> None:
    ends = endings(handler.body, handler.name or "")
    raised = sorted((line, name) for name, line in ends if name not in ("fall", "same"))
    if raised:
        beyond = bool(handled(handler) - DATABASE_ERRORS)
        if not ways.wraps or (beyond and not ways.wraps_all):
            ways.wraps_line, ways.wraps = raised[0]
        ways.wraps_all = ways.wraps_all or beyond
    falls = {name for name, _ in ends}
    here = Tri.YES if falls == {"fall"} else Tri.UNKNOWN if "fall" in falls else Tri.NO
    ways.swallows = either(ways.swallows, here)


def endings(suite: list[ast.stmt], caught: str) -> set[tuple[str, int]]:
    """How a handler's suite can end, with the line: `same` (re-raised), `fall` (goes on), or what it raises."""
    for index, statement in enumerate(suite):
        match statement:
            case ast.Raise(exc=None):
                return {("same", 0)}
            case ast.Raise(exc=exc) if exc is not None:
                name = dotted(exc.func) if isinstance(exc, ast.Call) else dotted(exc)
                return {("same", 0)} if name == caught else {(name or "?", statement.lineno)}
            case ast.Return() | ast.Break() | ast.Continue():
                return {("fall", 0)}
            case ast.If(body=body, orelse=orelse):
                ends = endings(body, caught) | endings(orelse, caught)
                return _go_on(ends, suite[index + 1 :], caught)
            case ast.Try() | ast.With():
                after = [*statement.orelse, *statement.finalbody] if isinstance(statement, ast.Try) else []
                ends = endings([*statement.body, *after], caught)
                if ends != {("fall", 0)}:
                    return _go_on(ends, suite[index + 1 :], caught)
    return {("fall", 0)}


def _go_on(ends: set[tuple[str, int]], rest: list[ast.stmt], caught: str) -> set[tuple[str, int]]:
    return (ends - {("fall", 0)}) | endings(rest, caught) if ("fall", 0) in ends else ends


def _facts(ways: _Ways, entered: list[ast.expr], subjects: frozenset[str], node: FunctionNode) -> ExitFacts:
    texts = [ast.unparse(e) for e in entered]
    known = read_locals(node)
    handles = [read_handle(e, known) for e in entered]
    always, success, failure = ways.always, ways.success, ways.failure
    lines = success.lines.get("commit") or always.lines.get("commit") or 0
    helpers = [("always", *h) for h in always.helpers]
    helpers += [("success", *h) for h in success.helpers] + [("failure", *h) for h in failure.helpers]
    return ExitFacts(
        either(success.of("commit"), always.of("commit")),
        lines,
        either(failure.of("commit"), always.of("commit")),
        either(failure.of("rollback"), always.of("rollback")),
        either(always.of("close"), agreed([success.of("close"), failure.of("close")])),
        ways.wraps,
        ways.wraps_line,
        ways.wraps_all,
        ways.swallows,
        tuple(dict.fromkeys(helpers)),
        tuple(h for h in handles if h is not None),
        begins=any(t == f"{s}.begin()" for t in texts for s in subjects),
        entered_subject=any(t in subjects for t in texts),
        expires=either(*(d.of(action) for d in (success, always) for action in ("rollback", "expire_all"))),
    )


def entered_names(enter: FunctionNode, init: FunctionNode | None = None) -> frozenset[str]:
    """The texts by which an `__enter__` names what it hands out, also of what `__init__` made."""
    before = flat(init.body) if init is not None else []
    values = [s.value for s in flat(enter.body) if isinstance(s, ast.Return) and s.value is not None]
    return frozenset(n for v in values for n in _subjects(enter, v, before))


def read_exit_method(node: FunctionNode, subjects: frozenset[str]) -> ExitFacts:
    """What an `__exit__` does to the session that its `__enter__` hands out by these names; none means by any name."""
    errors = {a.arg for a in (*node.args.posonlyargs, *node.args.args)[1:]}
    success, failure = (
        scan(_taken(node.body, errors, failed=False), subjects),
        _taken(node.body, errors, failed=True),
    )
    failed = scan(failure, subjects)
    ends = {(n, line) for n, line in endings(failure, "") if n not in ("fall", "same")}
    wraps_line, wraps = min(((line, n) for n, line in ends), default=(0, ""))
    return ExitFacts(
        success.of("commit"),
        success.lines.get("commit", 0),
        failed.of("commit"),
        failed.of("rollback"),
        agreed([success.of("close"), failed.of("close")]),
        wraps,
        wraps_line,
        bool(wraps),
        _returned(failure),
        tuple(("always", *h) for h in success.helpers if h in failed.helpers),
        expires=either(success.of("rollback"), success.of("expire_all")),
    )


def _taken(suite: list[ast.stmt], errors: set[str], *, failed: bool) -> list[ast.stmt]:
    """The statements that run on one of the two ways, with the conditions on the exception decided."""
    taken: list[ast.stmt] = []
    for statement in suite:
        if isinstance(statement, ast.If) and (sense := _sense(statement.test, errors)) is not None:
            taken += _taken(statement.body if sense is failed else statement.orelse, errors, failed=failed)
        elif isinstance(statement, ast.Try):
            inner = [*statement.body, *statement.orelse, *statement.finalbody]
            taken += _taken(inner, errors, failed=failed)
        else:
            taken.append(statement)
        if taken and isinstance(taken[-1], ast.Return | ast.Raise) and not isinstance(statement, ast.Try):
            break
    return taken


def _sense(test: ast.expr, errors: set[str]) -> bool | None:
    """True for a condition that holds where there is an exception, False for its opposite, None for any other."""
    match test:
        case ast.Name(id=name) if name in errors:
            return True
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner = _sense(operand, errors)
            return None if inner is None else not inner
        case ast.Compare(left=ast.Name(id=name), ops=[op], comparators=[ast.Constant(value=None)]) if name in errors:
            return isinstance(op, ast.IsNot | ast.NotEq)
    return None


def _returned(suite: list[ast.stmt]) -> Tri:
    returns = [n for s in suite for n in ast.walk(s) if isinstance(n, ast.Return) and n.value is not None]
    values = [r.value.value if isinstance(r.value, ast.Constant) else "?" for r in returns]
    if all(v in (False, None) for v in values):
        return Tri.NO
    return Tri.YES if len(values) == 1 and values[0] is True else Tri.UNKNOWN
