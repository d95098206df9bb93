"""A parsed file, and the questions every part asks of it: parents, enclosing function, spans, names.

Built on `ast`, which reads some ten times faster than libcst; libcst is used only where text really changes (`edit`).
"""

from __future__ import annotations

import ast
import warnings
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from io import StringIO
from tokenize import TokenError, generate_tokens
from typing import TypeVar, cast

from ormlift.model import Source, Span

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
N = TypeVar("N", bound=ast.AST)
Scopelike = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef | ast.Module


class _Children(dict[type[ast.AST], tuple[str, ...]]):
    """By a node's class, the fields that may hold nodes; operators and contexts left out."""

    def __missing__(self, kind: type[ast.AST]) -> tuple[str, ...]:
        plain = _PLAIN - {"name"} if kind.__name__ == "TypeAlias" else _PLAIN
        names = tuple(n for n in kind._fields if n not in plain and not (n == "value" and kind in _VALUED))
        return self.setdefault(kind, names)


_PLAIN = frozenset(
    {"ctx", "op", "ops", "id", "attr", "arg", "name", "rest", "module", "level", "kind", "simple", "is_async"}
    | {"conversion", "asname", "type_comment", "tag"}
)
_VALUED = (ast.Constant, ast.MatchSingleton)  # whose value is no node
CHILDREN = _Children()


@dataclass(frozen=True)
class Module:
    """One parsed file. Build it with `Module.parse`."""

    source: Source
    tree: ast.Module

    @classmethod
    def parse(cls, source: Source) -> Module:
        """Parse the text. Raises SyntaxError (also for null bytes and too deep nesting)."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # invalid escapes and the like are the file's own business
                return cls(source, ast.parse(source.text))
        except (ValueError, RecursionError, MemoryError) as error:
            raise SyntaxError(str(error) or "nested too deeply") from error

    @cached_property
    def lines(self) -> list[str]:
        """The physical lines, without their newlines; `lines[n - 1]` is line n as `ast` counts."""
        return self.source.text.replace("\r\n", "\n").replace("\r", "\n").split("\n")

    @property
    def parents(self) -> dict[ast.AST, ast.AST]:
        """Each node's parent. Contexts and operators are no nodes of their own here: they have no place."""
        return self._walked[0]

    @cached_property
    def _walked(self) -> tuple[dict[ast.AST, ast.AST], dict[type[ast.AST], list[ast.AST]]]:
        """Each node's parent, and the nodes of each class: one pass, since it meets every node of every file."""
        parents: dict[ast.AST, ast.AST] = {}
        kinds: dict[type[ast.AST], list[ast.AST]] = defaultdict(list)
        stack: list[ast.AST] = [self.tree]
        while stack:
            node = stack.pop()
            kind = node.__class__
            kinds[kind].append(node)
            for name in CHILDREN[kind]:
                value = getattr(node, name, None)
                if value.__class__ is list:
                    for child in value:
                        if isinstance(child, ast.AST):
                            parents[child] = node
                            stack.append(child)
                elif value is not None:
                    parents[value] = node
                    stack.append(value)
        return parents, kinds

    def nodes(self, *kinds: type[N]) -> Iterator[N]:
        """Every node of exactly these classes, in no order that may be relied on."""
        found = self._walked[1]
        for kind in kinds:
            yield from cast("list[N]", found.get(kind, []))

    @property
    def definitions(self) -> Iterator[FunctionNode | ast.ClassDef]:
        """Every function and class, nested ones too."""
        yield from self.nodes(ast.FunctionDef)
        yield from self.nodes(ast.AsyncFunctionDef)
        yield from self.nodes(ast.ClassDef)

    @cached_property
    def names(self) -> frozenset[str]:
        """Every name that the file binds or reads, in any of its scopes; attributes and keywords aside."""
        found = {node.id for node in self.nodes(ast.Name)} | {node.arg for node in self.nodes(ast.arg)}
        found |= {node.name for node in self.definitions}
        return frozenset(found | {a.asname or a.name.partition(".")[0] for a in self.nodes(ast.alias)})

    @cached_property
    def calls(self) -> list[ast.Call]:
        """Every call of the file, in source order."""
        return sorted(self.nodes(ast.Call), key=lambda call: (call.lineno, call.col_offset))

    def ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        """The nodes around `node`, innermost first."""
        parents = self.parents
        while (parent := parents.get(node)) is not None:
            yield parent
            node = parent

    def enclosing_function(self, node: ast.AST) -> FunctionNode | None:
        """The innermost def around `node`, or None at module or class level."""
        return next((a for a in self.ancestors(node) if isinstance(a, FunctionNode)), None)

    def enclosing_class(self, node: ast.AST) -> ast.ClassDef | None:
        """The innermost class around `node`."""
        return next((a for a in self.ancestors(node) if isinstance(a, ast.ClassDef)), None)

    def statement(self, node: ast.AST) -> ast.stmt:
        """The innermost statement that holds `node`, or `node` itself. Raises ValueError for a module."""
        while not isinstance(node, ast.stmt):
            parent = self.parents.get(node)
            if parent is None:
                msg = "node is in no statement"
                raise ValueError(msg)
            node = parent
        return node

    def suite(self, statement: ast.stmt) -> list[ast.stmt]:
        """The list of sibling statements that `statement` stands in."""
        parent = self.parents[statement]
        for _, value in ast.iter_fields(parent):
            if isinstance(value, list) and any(item is statement for item in value):
                return value
        msg = "statement is in no suite"
        raise ValueError(msg)

    def span(self, node: ast.expr | ast.stmt) -> Span:
        """Where `node` stands, with columns in code points."""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return Span(
            node.lineno,
            self._points(node.lineno, node.col_offset),
            node.end_lineno,
            self._points(node.end_lineno, node.end_col_offset),
        )

    def text(self, node: ast.expr | ast.stmt) -> str:
        """The source text of `node`, as written."""
        span = self.span(node)
        lines = self.lines[span.line - 1 : span.end_line]
        lines[-1] = lines[-1][: span.end_col]
        lines[0] = lines[0][span.col :]
        return "\n".join(lines)

    def written(self, node: ast.expr | ast.stmt) -> str:
        """The text of a node as it would stand in a statement at column 0, line by line, to be written anew.

        Of a statement that holds comments it is what Python prints of it: they stay in the file by themselves.
        """
        text = self.text(node)
        first, *rest = text.split("\n")
        if rest and "#" in text and isinstance(node, ast.stmt):
            return ast.unparse(node)
        fixed = _lines_in_tokens(text)
        column = self.span(self.statement(node)).col
        moved = [line if n in fixed else _outdented(line, column) for n, line in enumerate(rest, start=2)]
        return "\n".join((first, *moved))

    def _points(self, line: int, byte_col: int) -> int:
        text = self.lines[line - 1]
        return byte_col if text.isascii() else len(text.encode()[:byte_col].decode(errors="replace"))

    @cached_property
    def imports(self) -> dict[str, str]:
        """Module-level bound import names, as `alias -> dotted target` (`from a import b as c` gives `c -> a.b`).

        Relative imports keep their dots (`from .db import x` gives `x -> .db.x`). Imports inside `if`/`try` at module
        level count; those inside functions do not.
        """
        bound: dict[str, str] = {}
        for node in module_level(self.tree):
            bound.update(import_targets(node))
        return bound

    @cached_property
    def typing_imports(self) -> frozenset[str]:
        """The names that only an `if TYPE_CHECKING:` imports: when the program runs they are not bound."""
        guards = [i for i in self.nodes(ast.If) if dotted(i.test).rpartition(".")[2] == "TYPE_CHECKING"]
        guarded = {n for i in guards for s in i.body for n in ast.walk(s)}
        inside: set[str] = set()
        outside: set[str] = set()
        for node in self.nodes(ast.Import, ast.ImportFrom):
            (inside if node in guarded else outside).update(import_targets(node))
        return frozenset(inside - outside)

    def local_imports(self, function: ast.AST) -> dict[str, str]:
        """The same for imports inside `function`, nested blocks included."""
        return self._local_imports.get(function, {})

    @cached_property
    def _local_imports(self) -> dict[ast.AST, dict[str, str]]:
        found: dict[ast.AST, dict[str, str]] = {}
        nodes = list(self.nodes(ast.Import, ast.ImportFrom))
        for node in sorted(nodes, key=lambda n: (n.lineno, n.col_offset)):
            for around in self.ancestors(node):
                if isinstance(around, FunctionNode):
                    found.setdefault(around, {}).update(import_targets(node))
        return found


def import_targets(node: ast.AST) -> dict[str, str]:
    """The names that an import statement binds, with their dotted targets; empty for any other node."""
    if isinstance(node, ast.Import):
        return {a.asname or a.name.split(".")[0]: a.name if a.asname else a.name.split(".")[0] for a in node.names}
    if isinstance(node, ast.ImportFrom):
        base = "." * node.level + (node.module or "")
        joint = "" if base.endswith(".") or not base else "."
        return {a.asname or a.name: f"{base}{joint}{a.name}" for a in node.names if a.name != "*"}
    return {}


def module_level(tree: ast.Module) -> Iterator[ast.stmt]:
    """The statements that run when the module is imported, with those inside if, try, with and loops, not defs."""
    stack: list[ast.stmt] = list(reversed(tree.body))
    while stack:
        statement = stack.pop()
        yield statement
        if statement.__class__ not in NESTED:
            stack.extend(reversed([s for suite in suites(statement) for s in suite]))


NESTED = frozenset({ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef})


def suites(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    """The suites that a compound statement holds, in source order; handlers and match cases included."""
    for name in ("body", "handlers", "cases", "orelse", "finalbody"):
        value = getattr(statement, name, None)
        if not isinstance(value, list):
            continue
        if name in ("handlers", "cases"):
            yield from (item.body for item in value)
        elif value:
            yield value


def every_node(*roots: ast.AST) -> list[ast.AST]:
    """What `ast.walk` yields, in no order that may be relied on, without its generators: some three times as fast."""
    found: list[ast.AST] = []
    stack: list[ast.AST] = list(roots)
    while stack:
        node = stack.pop()
        found.append(node)
        stack += child_nodes(node)
    return found


def in_rows(*roots: ast.AST) -> list[ast.AST]:
    """What `ast.walk` yields for one root after the other, in its order; operators and contexts left out."""
    found: list[ast.AST] = []
    for root in roots:
        row: list[ast.AST] = [root]
        for node in row:  # which grows meanwhile
            row += child_nodes(node)
        found += row
    return found


def child_nodes(node: ast.AST) -> list[ast.AST]:
    """The nodes below `node`, in the order of its fields; operators and contexts left out."""
    found: list[ast.AST] = []
    for name in CHILDREN[node.__class__]:
        value = getattr(node, name, None)
        if value.__class__ is list:
            found += [child for child in value if isinstance(child, ast.AST)]
        elif value is not None:
            found.append(value)
    return found


def walk_scope(node: ast.AST) -> Iterator[ast.AST]:
    """Like `ast.walk` in source order, but not into nested functions, lambdas and classes (which it yields)."""
    stack = child_nodes(node)[::-1]
    while stack:
        child = stack.pop()
        yield child
        if child.__class__ not in NESTED:
            stack += child_nodes(child)[::-1]


def dotted(node: ast.AST) -> str:
    """`a.b.c` for a chain of names and attributes, else the empty string."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return ""
    return ".".join([node.id, *reversed(parts)])


def indented(text: str) -> str:
    """A statement's text as it stands one block deeper; lines inside of a text in three quotes stay as they are."""
    fixed = _lines_in_tokens(text)
    return "\n".join(line if n in fixed or not line else f"    {line}" for n, line in enumerate(text.split("\n"), 1))


def _lines_in_tokens(text: str) -> set[int]:
    """The lines that begin inside of a token: those of a text in three quotes, behind its first."""
    try:
        tokens = [t for t in generate_tokens(StringIO(text).readline) if t.string.strip()]
    except (TokenError, SyntaxError):
        return set(range(2, text.count("\n") + 2))
    return {line for t in tokens for line in range(t.start[0] + 1, t.end[0] + 1)}


def _outdented(line: str, column: int) -> str:
    """The line without as much white space at its head."""
    return line[min(column, len(line) - len(line.lstrip())) :]
