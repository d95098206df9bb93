"""Holes in SQL text: a list of placeholders as long as a Python list, or a value put into the text.

The text holds a mark for each hole until its placeholders are numbered. A list becomes one placeholder that stands for
many values (`.in_(ids)`), a value becomes a parameter like any other.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from ormlift.sql.life.escaped import unescaped
from ormlift.sql.life.pure import acts
from ormlift.sql.life.refuse import Refused
from ormlift.sql.life.spelled import Spelled, spelled
from ormlift.sql.placeholders import pieces, placeholders
from ormlift.syntax import Module, dotted

HELD = "held_"  # names of the parameters that values in a text with named parameters become, with a number
FIRST = 0xE000  # private use: no SQL holds such a character
_MARK = re.compile("[\ue000-\uefff]")
_VALUE_BEFORE = re.compile(
    r"(?:=|<|>|[-+*/]\s|\bLIKE|\bLIMIT|\bOFFSET|\bBETWEEN|\bAND|\bVALUES\s*\(|,|\()\s*$", re.IGNORECASE
)
_LOOSE_BEFORE = re.compile(
    r"(?:=|<|>|\bBETWEEN|\bBETWEEN\s+\S+\s+AND|\bVALUES\s*\((?:(?:[^()]|\([^()]*\))*,)?)\s*$", re.IGNORECASE
)
_IN_BEFORE = re.compile(r"\bIN\s*\(\s*$", re.IGNORECASE)
_SURE_BEFORE = re.compile(r"\b(?:LIMIT|OFFSET)\s*$", re.IGNORECASE)
_VALUE_AFTER = re.compile(r"\s*(?:$|[),;]|\b(?:AND|OR|ORDER|GROUP|LIMIT|OFFSET|WHERE|THEN|RETURNING)\b)", re.IGNORECASE)
_NUMBERS = frozenset({"int", "float", "bool", "Decimal", "number"})
_HOLDERS = frozenset({"?", "%s"})


@dataclass(frozen=True, eq=False)
class Hole:
    """Something that is put into the text."""

    node: ast.expr  # the value; of a list: what is as long as the list of placeholders
    many: bool  # a list of placeholders
    known: str  # the value's Python type, where it is known
    spelled: Spelled | None = None  # of a list: its values stood in the text themselves
    joined: ast.expr | None = None  # then: what gives the text of all of them
    quotes: bool = False  # the code of the value says quotes: it may end the literal that it stands in, or begin one
    cut: bool = False  # `%d` wrote it, and it may be a float, of which that wrote the whole number

    def said(self, module: Module) -> str:
        """The code of the value as it stood in the text."""
        text = module.text(self.node)
        return f"int({text})" if self.cut else text


@dataclass(frozen=True)
class Filled:
    """What a hole has become: the parameter at this place."""

    place: int  # among all placeholders
    text: str
    node: ast.expr | None
    many: bool
    bound: bool  # a value that was part of the text and is bound now
    values: tuple[ast.expr, ...] = ()  # what of the code is bound
    loose: bool = False  # nothing tells that it is a number, and it stood in no quotes: it may be SQL


def listed(node: ast.expr) -> ast.expr | None:
    """The list that `",".join("?" for _ in ids)` and the like makes a placeholder for each item of; else None."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(comma)), attr="join"), args=[made], keywords=[]):
            return _repeated(made) if comma.strip() == "," else None
        case _:
            return None


def joins(node: ast.expr) -> bool:
    """Whether an expression joins placeholders or the values of a list, and nothing is done in it."""
    values = spelled(node)
    return listed(node) is not None or (values is not None and not acts(values.source))


def _repeated(node: ast.expr) -> ast.expr | None:
    match node:
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            length, item = (left, right) if _length(left) is not None else (right, left)
            return _length(length) if _is_holder(item) else None
        case (
            ast.GeneratorExp(elt=item, generators=[ast.comprehension(iter=source, ifs=[])])
            | ast.ListComp(elt=item, generators=[ast.comprehension(iter=source, ifs=[])])
        ):
            return _source(source) if _is_text(item) else None
        case ast.Call(func=ast.Name(id="map"), args=[ast.Lambda(body=item), source], keywords=[]):
            return source if _is_text(item) else None
        case ast.Call(func=ast.Name(id="list" | "tuple"), args=[inner], keywords=[]):
            return _repeated(inner)
        case _ if isinstance(node, ast.Call) and dotted(node.func) in ("itertools.repeat", "repeat"):
            return _length(node.args[1]) if len(node.args) == 2 and _is_text(node.args[0]) else None
        case _:
            return None


def _source(node: ast.expr) -> ast.expr | None:
    """`ids`, or `range(len(ids))`."""
    if isinstance(node, ast.Call) and dotted(node.func) == "range":
        return _length(node.args[0]) if len(node.args) == 1 else None
    return node


def _length(node: ast.expr) -> ast.expr | None:
    match node:
        case ast.Call(func=ast.Name(id="len"), args=[inner], keywords=[]):
            return inner
        case _:
            return None


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value in _HOLDERS


def _is_holder(node: ast.expr) -> bool:
    """`"?"` (which join takes apart by its characters), `["%s"]`."""
    if isinstance(node, ast.List | ast.Tuple):
        return len(node.elts) == 1 and _is_text(node.elts[0])
    return isinstance(node, ast.Constant) and node.value == "?"


def fill(
    sql: str, holes: dict[str, Hole], style: str, dialect: str, line: int, module: Module
) -> tuple[str, list[Filled]]:
    """The text with a placeholder in each hole, and what they stand for. Raises Refused where a hole is no value.

    With named parameters what a hole becomes has the name `HELD` and its number, in the order of those returned.
    """
    named = style == "named"
    holder = "%s" if style in ("format", "pyformat", "") else "?"
    try:
        parts = list(_parts(sql, holes, dialect, line))
    except ValueError as error:
        raise Refused("sql-not-parsed", f"line {line}: the text cannot be read: {error}") from None
    text, starts = "", dict[int, _Put]()
    for part in parts:
        if isinstance(part, _Put):
            starts[len(text)] = part
            text += f":{HELD}{len(starts) - 1}" if named else holder
        else:
            text += part
    try:
        found = placeholders(text, style or "format", dialect)
    except ValueError as error:
        raise Refused("sql-not-parsed", f"line {line}: the placeholders cannot be read: {error}") from None
    filled = [_filled(n, starts[p.start], module) for n, p in enumerate(found) if p.start in starts]
    if not named and any(isinstance(p.key, str) for p in found):
        raise Refused(
            "dynamic-sql", f"the SQL on line {line} has holes beside named parameters; write it as one literal"
        )
    return text, filled


@dataclass(frozen=True)
class _Put:
    """What is in a hole."""

    content: list[Hole | str]
    quoted: bool = False
    loose: bool = False


Part = str | _Put


def _parts(sql: str, holes: dict[str, Hole], dialect: str, line: int) -> Iterator[Part]:
    for piece in pieces(sql, dialect):
        text = sql[piece.start : piece.end]
        if not _MARK.search(text):
            yield text
        elif piece.quoted:
            if not text.startswith("'") or piece.comment:
                _refuse(line)
            content = [
                _in_quotes(holes[p]) if p in holes else p.replace("''", "'")
                for p in re.split(f"({_MARK.pattern})", text[1:-1])
            ]
            if any(isinstance(p, Hole) and p.many for p in content) or ("\\" in text and dialect == "mysql"):
                _refuse(line)
            if _is_list(content, sql[: piece.start], sql[piece.end :]) or any(map(_closes, content)):
                _refuse(line)
            yield _Put([p for p in content if p != ""], quoted=True)
        else:
            yield from _bare(text, holes, line, sql[: piece.start], sql[piece.end :])


def _is_list(content: list[Hole | str], before: str, after: str) -> bool:
    """`IN ('{names}')`: a text of several values, with quotes between them, is what this is written for."""
    alone = [p for p in content if p != ""]
    return len(alone) == 1 and bool(_IN_BEFORE.search(before)) and after.lstrip().startswith(")")


def _closes(part: Hole | str) -> bool:
    """Whether the code of a value says quotes itself: `"', '".join(names)` ends the literal that it stands in."""
    if not isinstance(part, Hole):
        return False
    return part.quotes or any(
        isinstance(n, ast.Constant) and isinstance(n.value, str) and "'" in n.value for n in ast.walk(part.node)
    )


def _bare(text: str, holes: dict[str, Hole], line: int, before: str, after: str) -> Iterator[Part]:
    split = re.split(f"({_MARK.pattern})", text)
    for number, part in enumerate(split):
        if part not in holes:
            yield part
            continue
        hole = holes[part]
        if hole.quotes:
            _refuse(line)
        left, right = before + "".join(split[:number]), "".join(split[number + 1 :]) + after
        loose = _is_loose(hole) and not _SURE_BEFORE.search(left)
        odd = loose and not hole.many and (hole.known or not _LOOSE_BEFORE.search(left))
        if odd or not _VALUE_BEFORE.search(left) or not _VALUE_AFTER.match(right):
            _refuse(line)
        if hole.many and not (_IN_BEFORE.search(left) and right.lstrip().startswith(")")):
            _refuse(line)
        yield _Put([hole], loose=loose)


def _is_loose(hole: Hole) -> bool:
    """Whether nothing tells that what stands in no quotes is one value."""
    if hole.many:
        return hole.spelled is not None and not hole.spelled.quoted
    return hole.known not in _NUMBERS


def _refuse(line: int) -> None:
    message = f"what is put into the SQL on line {line} may be more than a value: a name, or a piece of SQL"
    raise Refused("dynamic-sql", f"{message}; write each statement as one literal, with parameters")


def _filled(place: int, part: _Put, module: Module) -> Filled:
    content = part.content
    (first, *rest) = content
    if isinstance(first, Hole) and first.spelled is not None:
        whole = first.spelled.loop or first.node
        text = first.spelled.said(module)
        return Filled(place, text, first.node, many=True, bound=True, values=(whole,), loose=part.loose)
    if isinstance(first, Hole) and not rest:
        text = first.said(module)
        if first.cut or (part.quoted and first.known != "str"):
            held = f"str({text})" if part.quoted else text
            return Filled(place, held, None, many=False, bound=True, values=(first.node,))
        bound = (first.node,) if not first.many else ()
        return Filled(place, text, first.node, first.many, bound=not first.many, values=bound, loose=part.loose)
    texts = [p.said(module) for p in content if isinstance(p, Hole)]
    if any(c in text for text in texts for c in '"\\\n{}'):
        _refuse(next(p.node.lineno for p in content if isinstance(p, Hole)))
    text = "".join(f"{{{p.said(module)}}}" if isinstance(p, Hole) else _escaped(p) for p in content)
    values = tuple(p.node for p in content if isinstance(p, Hole))
    return Filled(place, f'f"{text}"', None, many=False, bound=True, values=values)


def _in_quotes(hole: Hole) -> Hole:
    """A value in a literal: a list's as one text, any without what doubles its quotes, as only a str has."""
    node = hole.joined if hole.joined is not None else unescaped(hole.node)
    return hole if node is hole.node else Hole(node, many=False, known="str", quotes=hole.quotes)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("{", "{{").replace("}", "}}")


def item_list(node: ast.expr, module: Module) -> str:
    """The list itself: without `tuple(..)` and `list(..)` around it."""
    match node:
        case ast.Call(func=ast.Name(id="tuple" | "list"), args=[inner], keywords=[]):
            return item_list(inner, module)
        case _:
            return module.text(node)
