"""Finds the statements by which a project makes its tables: in its Python texts and in its .sql files.

A text is one statement or a script. What is kept is `CREATE TABLE`, `CREATE TYPE .. AS ENUM`, `CREATE UNIQUE INDEX` and
`ALTER TABLE .. ADD`, each with the line it stands on; what cannot be read as a whole (a name put in at run time) is
told, not guessed.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ormlift.model import Source
from ormlift.project.names import is_test_path
from ormlift.syntax import Module, dotted, module_level

HOLE = "\0"  # stands in a text for what is put in at run time
_NAME = r"(?:\"[^\"]+\"|`[^`]+`|\[[^\]]+\]|[\w$\0]+)"
_CREATE = re.compile(
    rf"\s*CREATE\s+(?P<temp>(?:GLOBAL\s+|LOCAL\s+)?TEMP(?:ORARY)?\s+)?(?:UNLOGGED\s+)?TABLE\s+"
    rf"(?:IF\s+NOT\s+EXISTS\s+)?(?P<name>{_NAME}(?:\s*\.\s*{_NAME})?)\s*(?P<rest>\(|AS\b|USING\b)?",
    re.I,
)
_INDEX = re.compile(rf"\s*CREATE\s+UNIQUE\s+INDEX\b.*?\bON\s+(?P<name>{_NAME}(?:\s*\.\s*{_NAME})?)", re.I | re.S)
_ADD = re.compile(
    rf"\s*ALTER\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?(?P<name>{_NAME}(?:\s*\.\s*{_NAME})?)\s+ADD\b", re.I
)
_RENAME = re.compile(rf"\s*ALTER\s+TABLE\s+(?P<name>{_NAME}(?:\s*\.\s*{_NAME})?)\s+RENAME\s+TO\s+(?P<to>{_NAME})", re.I)
_ENUM = re.compile(rf"\s*CREATE\s+TYPE\s+(?P<name>{_NAME}(?:\s*\.\s*{_NAME})?)\s+AS\s+ENUM\s*\(", re.I)
_HINT = re.compile(r"\b(?:CREATE|ALTER)\b", re.I)
_LEAD = re.compile(r"(?:\s+|--[^\n]*\n|/\*.*?\*/)*", re.S)


@dataclass(frozen=True, slots=True, order=True)
class Statement:
    """One statement that makes or changes a table."""

    path: str
    line: int
    kind: str  # type | create | index | add
    table: str  # its name, or that of the type, quotes taken off, without schema
    sql: str
    schema: str = ""


@dataclass(frozen=True, slots=True)
class Unread:
    """A statement that makes a table and cannot be read."""

    path: str
    line: int
    why: str


@dataclass(frozen=True, slots=True)
class Ddl:
    """All that one file, or all files, say of tables."""

    statements: tuple[Statement, ...] = ()
    unread: tuple[Unread, ...] = ()


def find_ddl(sources: Iterable[Source]) -> Ddl:
    """What the files say, those of the application before those of its tests; tables that pass away left out."""
    statements: list[Statement] = []
    unread: list[Unread] = []
    renamed: set[str] = set()
    for source in sorted(sources, key=lambda s: (is_test_path(s.path), s.path)):
        if not _HINT.search(source.text):
            continue
        texts = _in_sql(source) if source.path.lower().endswith(".sql") else _in_python(source)
        for line, text in texts:
            for offset, sql in split(text):
                at = line + text.count("\n", 0, offset)
                if renaming := _RENAME.match(sql):
                    renamed.add(bare(renaming["name"])[1].lower())
                found = _read(source.path, at, sql)
                if isinstance(found, Unread):
                    unread.append(found)
                elif found is not None:
                    statements.append(found)
    kept = [s for s in statements if s.table.lower() not in renamed]
    return Ddl(tuple(kept), tuple(unread))


def _read(path: str, line: int, sql: str) -> Statement | Unread | None:
    create = _CREATE.match(sql)
    if create and not create["temp"]:
        schema, name = bare(create["name"])
        if HOLE in sql:
            return Unread(path, line, f"the table {name.replace(HOLE, '?')} is made of text that is put in at run time")
        if create["rest"] != "(":
            made = "from a query" if (create["rest"] or "").upper() == "AS" else "in a form that is not read"
            return Unread(path, line, f"the table {name} is made {made}") if create["rest"] else None
        return Statement(path, line, "create", name, sql, schema)
    for kind, pattern in (("type", _ENUM), ("index", _INDEX), ("add", _ADD)):
        match = pattern.match(sql)
        if match and HOLE not in sql:
            schema, name = bare(match["name"])
            return Statement(path, line, kind, name, sql, schema)
    return None


def bare(name: str) -> tuple[str, str]:
    """Schema and name of a table as SQL writes it, without their quotes."""
    parts = [part.strip().strip('"`[]') for part in re.split(r"\.(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)", name)]
    return (parts[-2] if len(parts) > 1 else "", parts[-1])


def split(script: str) -> Iterator[tuple[int, str]]:
    """The statements of a script, each with its offset; comments in front are cut off."""
    start = position = 0
    end = len(script)
    while position < end:
        position = _next(script, position)
        if position >= end or script[position - 1] == ";":
            body = script[start : position - 1 if script[position - 1 : position] == ";" else position]
            lead = _LEAD.match(body)
            skipped = lead.end() if lead else 0
            if body[skipped:].strip():
                yield start + skipped, body[skipped:].rstrip()
            start = position


_SKIP = {"'": "'", '"': '"', "`": "`", "--": "\n", "/*": "*/", "$$": "$$"}
_TOKEN = re.compile(r"'|\"|`|--|/\*|\$\$|;")


def _next(script: str, position: int) -> int:
    """Just behind the next semicolon that ends a statement, or the script's end."""
    while token := _TOKEN.search(script, position):
        if token.group() == ";":
            return token.end()
        closing = script.find(_SKIP[token.group()], token.end())
        if closing < 0:
            break
        position = closing + len(_SKIP[token.group()])
    return len(script)


def _in_sql(source: Source) -> Iterator[tuple[int, str]]:
    yield 1, source.text


def _in_python(source: Source) -> Iterator[tuple[int, str]]:
    """The texts of a Python file that hold DDL."""
    yield from ((line, text) for line, text in texts_of(source) if _HINT.search(text))


def texts_of(source: Source) -> Iterator[tuple[int, str]]:
    """The texts of a Python file with their lines, put together where they are parts; what is not known is `HOLE`."""
    try:
        module = Module.parse(source)
    except SyntaxError:
        return
    constants = _constants(module.tree)
    texts = [n for n in module.parents if isinstance(n, ast.Constant | ast.JoinedStr | ast.BinOp)]
    for node in sorted((n for n in texts if _outermost(n, module)), key=lambda n: (n.lineno, n.col_offset)):
        text = _text(node, constants)
        if getattr(module.parents.get(node), "attr", "") == "format":
            text = re.sub(r"\{\w*\}", HOLE, text)
        if text and text.count(HOLE) < len(text):
            yield node.lineno, text


def _outermost(node: ast.AST, module: Module) -> bool:
    """Whether a text is no part of a longer one, and no docstring."""
    parent = module.parents.get(node)
    return not isinstance(parent, ast.JoinedStr | ast.FormattedValue | ast.BinOp | ast.Expr)


def _constants(tree: ast.Module) -> dict[str, str]:
    """Names of the module that are bound once, to a text."""
    found: dict[str, list[str]] = {}
    for statement in module_level(tree):
        if isinstance(statement, ast.Assign):
            for target in statement.targets:
                value = statement.value
                plain = value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else HOLE
                found.setdefault(dotted(target), []).append(plain)
    return {name: values[0] for name, values in found.items() if len(values) == 1 and HOLE not in values}


def _text(node: ast.expr, constants: Mapping[str, str]) -> str:
    match node:
        case ast.Constant(value=str(value)):
            return value
        case ast.JoinedStr(values=values):
            return "".join(_text(v, constants) for v in values)
        case ast.FormattedValue(value=value, conversion=-1, format_spec=None):
            return _text(value, constants)
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            return _text(left, constants) + _text(right, constants)
        case ast.BinOp(op=ast.Mod(), left=left):
            return re.sub(r"%\(\w+\)s|%s", HOLE, _text(left, constants))
        case ast.Name(id=name) if name in constants:
            return constants[name]
        case ast.Call(args=[inner], keywords=[]) if dotted(node.func).rpartition(".")[2] in ("dedent", "cleandoc"):
            return inspect.cleandoc(_text(inner, constants))
    return HOLE
