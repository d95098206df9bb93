"""A function that is handed a connection takes a session: its parameter, its calls, its annotation, its docstring."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ormlift.model import DropArgument, ImportNeed, Op, ReplaceExpr, Span
from ormlift.sql.life.executions import Execution
from ormlift.sql.life.model import Does, How, Life, Use
from ormlift.sql.life.names import SESSION_NAMES, free_name
from ormlift.sql.life.refuse import Refused
from ormlift.syntax import FunctionNode, Module, dotted

_FREE = frozenset(["Any", "object"])  # annotations that hold for a session too


@dataclass(frozen=True)
class Handed:
    """What becomes of a parameter, or of the arguments that stand for it."""

    ops: tuple[Op, ...] = ()
    imports: tuple[ImportNeed, ...] = ()
    unused: tuple[str, ...] = ()


def taken(life: Life, session: str) -> Handed:
    """The parameter of a function that is handed a session; a second one of the same goes."""
    if life.how is not How.HANDED:
        return Handed()
    assert isinstance(life.host, FunctionNode)
    first, *others = life.parameters
    ops: list[Op] = [DropArgument(_name_span(other, life.module)) for other in others]
    ops += _renamed(first, session, life.module)
    imports: tuple[ImportNeed, ...] = ()
    notes = [a.annotation for a in life.parameters if a.annotation is not None]
    names = {n.id for note in notes for n in ast.walk(note) if isinstance(n, ast.Name)}
    if first.annotation is not None and dotted(first.annotation).rpartition(".")[2] not in _FREE:
        kind, home = ("AsyncSession", "sqlalchemy.ext.asyncio") if life.is_async else ("Session", "sqlalchemy.orm")
        ops.append(ReplaceExpr(life.module.span(first.annotation), _annotation(first.annotation, kind, life.module)))
        imports = (ImportNeed(home, kind),)
    ops += _documented(life.host, first.arg, [o.arg for o in others], session, life.module)
    return Handed(tuple(ops), imports, tuple(sorted(names)))


def _annotation(node: ast.expr, kind: str, module: Module) -> str:
    """What an annotation becomes: `Session`, or that or None where it was so."""
    match node:
        case ast.Subscript(value=value) if dotted(value).rpartition(".")[2] == "Optional":
            return f"{module.text(value)}[{kind}]"
        case ast.BinOp(op=ast.BitOr(), right=ast.Constant(value=None)):
            return f"{kind} | None"
        case _:
            return kind


def _renamed(parameter: ast.arg, session: str, module: Module) -> Iterator[Op]:
    if parameter.arg != session:
        yield ReplaceExpr(_name_span(parameter, module), session)


def _name_span(parameter: ast.arg, module: Module) -> Span:
    """Where the name of a parameter stands, without its annotation."""
    column = len(module.lines[parameter.lineno - 1].encode()[: parameter.col_offset].decode())
    return Span(parameter.lineno, column, parameter.lineno, column + len(parameter.arg))


def given(life: Life, session: str) -> Iterator[Op]:
    """The arguments of the calls that hand the session on, each once; a keyword becomes the parameter's new name."""
    if life.family is None:
        return
    names = {other.host: other.session for other in life.family.lives}
    firsts = {other.host: next(iter(other.parameters), None) for other in life.family.lives}
    for use in life.where(Does.HANDS):
        hands = use.hands
        assert hands is not None
        if hands.parameter is not firsts[hands.function]:
            yield DropArgument(life.module.span(hands.given))
            continue
        if life.module.text(hands.given) != session:
            yield ReplaceExpr(life.module.span(hands.given), session)
        holder = life.module.parents[hands.given]
        if isinstance(holder, ast.keyword) and holder.arg != names[hands.function]:
            yield ReplaceExpr(_keyword_span(holder, life.module), names[hands.function])


def _keyword_span(keyword: ast.keyword, module: Module) -> Span:
    assert keyword.arg is not None
    column = len(module.lines[keyword.lineno - 1].encode()[: keyword.col_offset].decode())
    return Span(keyword.lineno, column, keyword.lineno, column + len(keyword.arg))


def check_given(life: Life, found: Iterable[Execution]) -> None:
    """Refuse a call that hands the session on among the parameters of a statement. Raises Refused."""
    calls = {execution.call for execution in found}
    for use in life.where(Does.HANDS):
        if any(around in calls for around in life.module.ancestors(use.node)):
            message = f"line {use.line} hands {use.said} on among the parameters of a statement"
            raise Refused("unclear-cursor", f"{message}; give it a statement of its own")


def check_kept(life: Life, ops: Iterable[Op]) -> None:
    """Refuse where the text around a call that hands the session on is written anew. Raises Refused."""
    kept = set(ops)
    if any(op not in kept for op in given(life, life.session)):
        message = f"{life.name} is handed on in an expression that is written anew"
        raise Refused("unusual-layout", f"{message}; give the call a statement of its own")


def check_family(life: Life) -> None:
    """Refuse a life whose connection is handed to what stays raw. Raises Refused."""
    trouble = life.family.trouble if life.family is not None else None
    if trouble is not None:
        raise Refused(trouble.code, trouble.message)


def name_sessions(life: Life) -> None:
    """Choose what the parameters of a life's family are called. Raises Refused where all names are taken."""
    for other in life.family.lives if life.family is not None else ():
        if other.how is How.HANDED and not other.session:
            first = next(iter(other.parameters)).arg
            own = first in SESSION_NAMES
            other.session = first if own else free_name(SESSION_NAMES, other, _keywords(other))


def check_closes(use: Use, life: Life) -> None:
    """Refuse a function that closes what it is handed, or sets something on it. Raises Refused."""
    said = {parameter.arg for parameter in life.parameters}
    if use.said in said and use.does is Does.CLOSE:
        message = f"line {use.line} closes {use.said}, which is a parameter; close it where it is opened"
        raise Refused("connection-escapes", message)
    if use.said in said and use.does is Does.SETTING:
        message = f"line {use.line} sets something on {use.said}, which is a parameter; say it where it is opened"
        raise Refused("connection-setting", message)


def _keywords(life: Life) -> set[str]:
    """The names that calls of its function give arguments by, beside the connection's."""
    assert life.callees is not None
    assert isinstance(life.host, FunctionNode)
    return {k.arg for call in life.callees.calls(life.host) for k in call.keywords if k.arg}


# The docstring


def _documented(
    function: FunctionNode, old: str, gone: Iterable[str], session: str, module: Module
) -> Iterator[ReplaceExpr]:
    """The docstring, where it has lines of the parameters."""
    match function.body[0]:
        case ast.Expr(value=ast.Constant(value=str()) as node):
            text = module.text(node)
            new = _without(text, gone)
            new = re.sub(_line_of(old), rf"\g<head>{session}\g<tail>", new, flags=re.M) if old != session else new
            if new != text:
                yield ReplaceExpr(module.span(node), new)
        case _:
            pass


def _line_of(name: str) -> str:
    """The start of a line that tells of a parameter: `name: ..`, `name (type): ..`, `:param type name: ..`."""
    field = r"[:@](?:param|type|arg)[ \t]+(?:[\w.]+[ \t]+)?"
    return rf"^(?P<head>[ \t]*(?:{field}|[-*][ \t]+)?`{{0,2}}){name}(?P<tail>`{{0,2}}[ \t]*[:(])"


def _without(text: str, names: Iterable[str]) -> str:
    for name in names:
        lines = text.split("\n")
        found = [n for n, line in enumerate(lines) if n and re.match(_line_of(name), line) and '"""' not in line]
        for n in reversed(found):
            deeper = n + 1 < len(lines) and _depth(lines[n + 1]) > _depth(lines[n])
            lines[n : n + 1] = [lines[n]] if deeper else []
        text = "\n".join(lines)
    return text


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip()) if line.strip() else 0
