"""What a handler makes of an error: tells it, or goes on with what a caller can't tell from success."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from ormlift.project.flow.knowledge import is_log
from ormlift.project.loaded import following
from ormlift.syntax import FunctionNode, Module, dotted, walk_scope

_ENDS = frozenset({"rollback", "close", "aclose", "remove", "expunge_all", "print_exc", "format_exc"})
_MAYBE_NONE = frozenset({"first", "get", "one_or_none", "scalar", "scalar_one_or_none", "fetchone", "fetchval"})
_LOUD = frozenset({"error", "exception", "critical"})
_ASKS = re.compile(r"^_*(is|has|can|should|may|verify|check|validate|authenticate|authorize|allow|exists|was)_?")
_JOBS = re.compile(
    r"(?:^|_)(?:add|register|schedule|every|setup|start)\w*_?job|schedule|thread|^submit$|run_in_executor|^add_task$",
    re.I,
)
_PLAIN = frozenset({"str", "repr", "type", "getattr", "len", "format", "isinstance", "hasattr"})


@dataclass(frozen=True)
class Outcome:
    """What comes of the error."""

    words: str  # what the caller sees, and why it looks like success
    silent: bool  # not even a log


def outcome_of(module: Module, function: FunctionNode, node: ast.Try, handler: ast.ExceptHandler) -> Outcome | None:
    """What becomes of an error that the handler takes; None where somebody is told, or it can't be read."""
    if not all(_is_idle(s) for s in handler.body) or _is_run_by_hand(module, function, handler):
        return None
    if any(isinstance(p, ast.ExceptHandler) for p in _up_to(module, node, function)):
        return None  # an error is being handled already
    if _keeps_it(function, handler):
        return None
    silent = not any(isinstance(n, ast.Call) and is_log(n.func) for s in handler.body for n in ast.walk(s))
    if not silent and _is_job(module, function):
        return None
    end = handler.body[-1]
    if isinstance(end, ast.Return):
        words = _looks_like_success(module, function, handler, end.value)
        return Outcome(words, silent) if words else None
    if isinstance(end, ast.Break | ast.Continue):
        return None
    return _gone_on(module, function, node, handler, silent=silent)


def _keeps_it(function: FunctionNode, handler: ast.ExceptHandler) -> bool:
    """Whether what the handler assigns is read outside of it: the error is stored there."""
    inside = {id(n) for n in ast.walk(handler)}
    bound = {n.id for n in ast.walk(handler) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    reads = (n for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load))
    return any(n.id in bound and id(n) not in inside for n in reads)


def _is_run_by_hand(module: Module, function: FunctionNode, handler: ast.ExceptHandler) -> bool:
    """Whether who runs the script reads what is printed, or the function is all that the script does."""
    script = [s for s in module.tree.body if isinstance(s, ast.If) and "__name__" in ast.unparse(s.test)]
    prints = any(isinstance(n, ast.Call) and dotted(n.func) == "print" for s in handler.body for n in ast.walk(s))
    loose = [s for s in module.tree.body if isinstance(s, ast.Expr)]
    called = {dotted(n.func) for s in (*script, *loose) for n in ast.walk(s) if isinstance(n, ast.Call)}
    return function.name in called or (prints and bool(script))


def _is_job(module: Module, function: FunctionNode) -> bool:
    """Whether a scheduler or thread runs the function, where nobody listens: `scheduler.add_job(tick, "cron")`."""
    for call in module.calls:
        if _JOBS.search(dotted(call.func).rpartition(".")[2]):
            given = (*call.args, *(k.value for k in call.keywords))
            if any(isinstance(a, ast.Name) and a.id == function.name for a in given):
                return True
    return False


def _is_idle(node: ast.stmt) -> bool:
    """Whether a statement only logs, cleans up or leaves: nobody is told."""
    match node:
        case ast.Pass() | ast.Import() | ast.ImportFrom() | ast.Continue() | ast.Break() | ast.Return():
            return True
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.Expr(value=ast.Await(value=ast.Call() as call)) | ast.Expr(value=ast.Call() as call):
            return is_log(call.func) or (isinstance(call.func, ast.Attribute) and call.func.attr in _ENDS)
        case ast.Assign(targets=[ast.Name()], value=value):
            calls = [n for n in ast.walk(value) if isinstance(n, ast.Call)]
            return all(dotted(c.func) in _PLAIN or "format_exc" in dotted(c.func) for c in calls) and bool(calls)
        case ast.If(body=body, orelse=orelse):
            return all(_is_idle(s) and not isinstance(s, ast.Return) for s in (*body, *orelse))
        case ast.Try(body=body, handlers=handlers, orelse=[], finalbody=[]):
            inner = [s for h in handlers for s in h.body]
            return all(_is_idle(s) and not isinstance(s, ast.Return) for s in (*body, *inner))
        case _:
            return False


def _gone_on(
    module: Module, function: FunctionNode, node: ast.Try, handler: ast.ExceptHandler, *, silent: bool
) -> Outcome | None:
    """The handler comes to its end: what follows the try runs."""
    loops = (ast.For, ast.AsyncFor, ast.While)
    for parent in module.ancestors(node):
        if parent is function:
            break
        if isinstance(parent, loops):
            return None  # one item of several fails by itself
    behind = following(module, function, node)
    if _always_leaves(node.body) or node.orelse:
        if len(behind) == 1 and isinstance(behind[0], ast.Return):
            words = _looks_like_success(module, function, handler, behind[0].value)
            return Outcome(words, silent) if words else None
        return None
    if not behind:
        returns = _other_returns(module, function, handler)
        if any(r.value is not None and not _is_none(r.value) for r in returns):
            return None
        return Outcome(f"{function.name}() ends as it does when the work is done", silent)
    if len(behind) == 1 and isinstance(behind[0], ast.Return):
        value = behind[0].value
        what = f"returns {_short(value)}" if value is not None else "returns"
        if isinstance(value, ast.Constant | ast.Name) or value is None:
            return Outcome(f"{function.name}() {what} on line {behind[0].lineno}, as it does on success", silent)
    return None


def _always_leaves(body: list[ast.stmt]) -> bool:
    match body[-1]:
        case ast.Return() | ast.Raise():
            return True
        case ast.If(body=then, orelse=orelse) if orelse:
            return _always_leaves(then) and _always_leaves(orelse)
        case ast.With(body=inner) | ast.AsyncWith(body=inner):
            return _always_leaves(inner)
        case ast.Try(body=inner, handlers=handlers):
            return _always_leaves(inner) and all(_always_leaves(h.body) for h in handlers)
        case _:
            return False


def _other_returns(module: Module, function: FunctionNode, handler: ast.ExceptHandler) -> list[ast.Return]:
    """The returns of the function that stand in no handler."""
    found = []
    for node in walk_scope(function):
        if isinstance(node, ast.Return) and node is not handler.body[-1]:
            inside = any(isinstance(p, ast.ExceptHandler) for p in _up_to(module, node, function))
            if not inside:
                found.append(node)
    return found


def _up_to(module: Module, node: ast.AST, function: FunctionNode) -> list[ast.AST]:
    found = []
    for parent in module.ancestors(node):
        if parent is function:
            break
        found.append(parent)
    return found


def _looks_like_success(
    module: Module, function: FunctionNode, handler: ast.ExceptHandler, value: ast.expr | None
) -> str:
    """How what the handler gives back can also come of success; empty where a caller can tell."""
    others = _other_returns(module, function, handler)
    others = [r for r in others if (r.value is not value or value is None) and not _is_told_failure(module, r)]
    kind = _kind(value)
    if not kind:
        return ""
    words = f"returns {_short(value)}"
    for other in others:
        if kind == "False" and _kind(other.value) == kind and not _ASKS.search(function.name):
            continue  # it was not done, for one reason or the other
        if _may_equal(module, function, kind, value, other.value):
            return f"{function.name}() {words}, as line {other.lineno} may without any error"
    values = [r.value for r in _other_returns(module, function, handler)]
    if kind == "None" and all(v is None or _is_none(v) for v in values) and not _has_yield(function):
        return f"{function.name}() ends as it does when the work is done"
    return ""


def _is_told_failure(module: Module, node: ast.Return) -> bool:
    """Whether a log of an error stands right in front of a return: it is no success either."""
    suite = module.suite(node)
    before = suite[: next(i for i, s in enumerate(suite) if s is node)]
    return bool(before) and any(
        isinstance(n, ast.Call)
        and (dotted(n.func) == "print" or (is_log(n.func) and dotted(n.func).rpartition(".")[2] in _LOUD))
        for n in ast.walk(before[-1])
    )


def _kind(value: ast.expr | None) -> str:
    match value:
        case None | ast.Constant(value=None):
            return "None"
        case ast.Constant(value=False):
            return "False"
        case ast.Constant(value=int() | float() as number) if number == 0:
            return "0"
        case ast.Constant(value=""):
            return "''"
        case ast.List(elts=[]):
            return "[]"
        case ast.Dict(keys=[]):
            return "{}"
        case ast.Call(func=ast.Name(id=name), args=[], keywords=[]) if name in ("list", "dict", "set"):
            return "[]" if name == "list" else "{}" if name == "dict" else "set()"
        case ast.Name(id=name):
            return f"name {name}"
        case _:
            return ""


def _may_equal(
    module: Module, function: FunctionNode, kind: str, value: ast.expr | None, other: ast.expr | None
) -> bool:
    """Whether a return on success may give what the handler gives."""
    if kind.startswith("name "):
        return isinstance(other, ast.Name) and isinstance(value, ast.Name) and other.id == value.id
    if _kind(other) == kind:
        return True
    if other is None:
        return kind == "None"
    values = _values_of(function, other)
    found = [v for given in values for v in _given_by(module, given)]
    if kind == "None":
        of_helper = any(_is_none(v) and not any(v is given for given in values) for v in found)
        return of_helper or any(_called(v) in _MAYBE_NONE and _is_query(v) for v in found)
    if kind == "False":
        return any(isinstance(v, ast.Compare) or (isinstance(v, ast.UnaryOp) and isinstance(v.op, ast.Not))
                   or _called(v) == "bool" for v in found)  # fmt: skip
    if kind == "[]":
        return any(isinstance(v, ast.ListComp) or _called(v) in ("all", "fetchall", "list") or _kind(v) == "[]"
                   for v in found)  # fmt: skip
    if kind == "{}" and not _has_keys(function, other):
        return any(isinstance(v, ast.DictComp) or _kind(v) == "{}" for v in found)
    if kind == "0":
        return any(_called(v) in ("count", "scalar", "len", "sum") or _is_zero_or(v) for v in found)
    return False


def _has_keys(function: FunctionNode, node: ast.expr) -> bool:
    """Whether a dictionary gets keys by name, so that on success it is never empty."""
    stores = [n for n in walk_scope(function) if isinstance(n, ast.Subscript) and isinstance(n.ctx, ast.Store)]
    return isinstance(node, ast.Name) and any(
        dotted(n.value) == node.id and isinstance(n.slice, ast.Constant) for n in stores
    )


def _values_of(function: FunctionNode, node: ast.expr) -> list[ast.expr]:
    """The expression, or what the variable that it names is assigned."""
    if not isinstance(node, ast.Name):
        return [node.body, node.orelse] if isinstance(node, ast.IfExp) else [node]
    found: list[ast.expr] = []
    for inner in walk_scope(function):
        match inner:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name == node.id:
                found.append(value)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value) if name == node.id:
                found.append(value)
            case _:
                pass
    return found


def _given_by(module: Module, node: ast.expr) -> list[ast.expr]:
    """The expression; of a call of a function of the file, what that returns."""
    name = dotted(node.func) if isinstance(node, ast.Call) else ""
    found = [d for d in module.definitions if isinstance(d, FunctionNode) and d.name == name] if name else []
    if len(found) != 1:
        return [node]
    returns = [n for n in walk_scope(found[0]) if isinstance(n, ast.Return) and n.value is not None]
    return [v for r in returns if r.value is not None for v in _values_of(found[0], r.value)] or [node]


def _called(node: ast.expr) -> str:
    node = node.value if isinstance(node, ast.Await) else node
    if not isinstance(node, ast.Call):
        return ""
    return node.func.attr if isinstance(node.func, ast.Attribute) else dotted(node.func)


def _is_query(node: ast.expr) -> bool:
    """Whether a call stands at the end of a query or of an executed statement; `dict.get` does not."""
    node = node.value if isinstance(node, ast.Await) else node
    text = ast.unparse(node)
    return any(mark in text for mark in (".query", ".execute(", ".scalars(", ".get(")) and ".get('" not in text


def _is_zero_or(node: ast.expr) -> bool:
    return isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or) and _kind(node.values[-1]) == "0"


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _has_yield(function: FunctionNode) -> bool:
    return any(isinstance(n, ast.Yield | ast.YieldFrom) for n in walk_scope(function))


def _short(value: ast.expr | None) -> str:
    return "None" if value is None else ast.unparse(value)
