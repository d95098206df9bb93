"""What a function that hands out a session does besides: whoever gets the session elsewhere loses that.

Plain are a docstring, an import, `return X()`, `x = X()` with `return x` or `yield x` behind it, and a try around them
that closes, or raises again. Everything else is work, and is told with its line.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ormlift.project.columns import last
from ormlift.syntax import FunctionNode, dotted, every_node, walk_scope

Work = tuple[tuple[int, str], ...]

_NO_WORK = frozenset({"staticmethod", "classmethod", "property", "contextmanager", "asynccontextmanager", "override"})
_TYPING = frozenset({"overload", "no_type_check", "final", "abstractmethod"})


def work_of(node: FunctionNode, results: list[ast.expr]) -> Work:
    """The (line, text) of each statement that does more than make and hand out `results`.

    The session's name is written `session` in the texts, so that two functions can be compared.
    """
    names = {r.id for r in results if isinstance(r, ast.Name)}
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    found = [(d.lineno, f"@{ast.unparse(d)}") for d in node.decorator_list if _does_more(d)]
    found += _work(body, names)
    behind = _never_resumed(node) if found else frozenset()
    found = [(line, text) for line, text in found if line not in behind]
    return tuple((line, _text(text, names)) for line, text in found)


def _never_resumed(node: FunctionNode) -> frozenset[int]:
    """The lines behind the yield of a generator of which only `next()` is taken, those of a finally aside."""
    nodes = every_node(node)
    yields = [n.lineno for n in nodes if isinstance(n, ast.Yield)]
    if not yields:
        return frozenset()
    final = [s for n in nodes if isinstance(n, ast.Try) for s in n.finalbody]
    run = {line for s in final for line in range(s.lineno, (s.end_lineno or s.lineno) + 1)}
    return frozenset(range(min(yields) + 1, (node.end_lineno or node.lineno) + 1)) - run


def refusing_line(node: FunctionNode) -> int:
    """The line of the first `raise` on the way to what it hands out, those in handlers aside; 0 where there is none."""
    inner = list(walk_scope(node))
    end = min((n.lineno for n in inner if isinstance(n, ast.Yield)), default=node.end_lineno or node.lineno)
    handled = {id(n) for n in inner if isinstance(n, ast.ExceptHandler) for n in every_node(n)}
    lines = (n.lineno for n in inner if isinstance(n, ast.Raise | ast.Assert) and id(n) not in handled)
    return min((line for line in lines if line <= end), default=0)


def _does_more(decorator: ast.expr) -> bool:
    name = last(dotted(decorator.func if isinstance(decorator, ast.Call) else decorator))
    return name not in _NO_WORK | _TYPING


def _text(text: str, names: set[str]) -> str:
    for name in names:
        text = re.sub(rf"\b{re.escape(name)}\b", "session", text)
    return text


def _work(statements: list[ast.stmt], names: set[str]) -> Iterator[tuple[int, str]]:
    for statement in statements:
        match statement:
            case ast.Pass() | ast.Import() | ast.ImportFrom() | ast.Global() | ast.Raise() | ast.Expr(ast.Constant()):
                pass
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)) if name in names:
                pass
            case ast.Return() | ast.Expr(value=ast.Yield()):
                pass
            case ast.With() | ast.AsyncWith() if all(_enters(item, names) for item in statement.items):
                yield from _work(statement.body, names)
            case ast.Try() | ast.TryStar():
                handlers = [s for h in statement.handlers if not _raises(h.body) for s in h.body]
                yield from _work([*statement.body, *statement.orelse, *handlers, *statement.finalbody], names)
            case ast.If(test=test, body=[ast.Raise()], orelse=[]) if _is_missing(test):
                pass
            case ast.If(test=test) if _about(test, names):
                yield from _work([*statement.body, *statement.orelse], names)
            case ast.Expr(value=value) if _closes(value, names):
                pass
            case _:
                yield statement.lineno, " ".join(ast.unparse(statement).split())


def _enters(item: ast.withitem, names: set[str]) -> bool:
    """`with X() as session:`."""
    return isinstance(item.optional_vars, ast.Name) and item.optional_vars.id in names


def _about(test: ast.expr, names: set[str]) -> bool:
    """Whether a test only asks for the session: `if session:`, `if session is not None:`."""
    inner = test.left if isinstance(test, ast.Compare) else test
    return isinstance(inner, ast.Name) and inner.id in names


def _is_missing(test: ast.expr) -> bool:
    """Whether a test asks for nothing but whether something is there: without it, no session could be made either."""
    match test:
        case ast.UnaryOp(op=ast.Not(), operand=held):
            return bool(dotted(held))
        case ast.Compare(left=held, ops=[ast.Is() | ast.Eq()], comparators=[ast.Constant(value=None)]):
            return bool(dotted(held))
        case ast.BoolOp(op=ast.Or(), values=values):
            return all(_is_missing(v) for v in values)
        case _:
            return False


def _raises(body: list[ast.stmt]) -> bool:
    return isinstance(body[-1], ast.Raise)


def _closes(value: ast.expr, names: set[str]) -> bool:
    call = value.value if isinstance(value, ast.Await) else value
    match call:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="close" | "aclose"), args=[]):
            return name in names
        case _:
            return False


def only_closes(node: FunctionNode, *, bound: bool) -> bool:
    """Whether a function closes its one parameter, perhaps under a guard, and does nothing else but log."""
    names = [a.arg for a in (*node.args.posonlyargs, *node.args.args)][1 if bound else 0 :]
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    others = node.args.vararg or node.args.kwarg or node.args.kwonlyargs or node.decorator_list
    return len(names) == 1 and not others and _is_closing(body, set(names))


def _is_closing(body: list[ast.stmt], names: set[str]) -> bool:
    done = [s for s in body if not _logs(s)]
    match done:
        case [ast.Expr(value=value)]:
            return _closes(value, names)
        case [ast.If(test=test, body=inner, orelse=[])]:
            return _is_there(test, names) and _is_closing(inner, names)
        case [ast.Try(body=inner, handlers=handlers, orelse=[], finalbody=[])]:
            return _is_closing(inner, names) and all(_logs(s) for h in handlers for s in h.body)
        case _:
            return False


def _is_there(test: ast.expr, names: set[str]) -> bool:
    """`if session:` or `if session is not None:`."""
    match test:
        case ast.Name(id=name):
            return name in names
        case ast.Compare(
            left=ast.Name(id=name), ops=[ast.IsNot() | ast.NotEq()], comparators=[ast.Constant(value=None)]
        ):
            return name in names
        case _:
            return False


def _logs(statement: ast.stmt) -> bool:
    match statement:
        case ast.Pass():
            return True
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr=attr))):
            return attr in ("debug", "info", "warning", "error", "exception")
        case _:
            return False
