"""Calls of SQL helpers to sites: expanded in a copy of the file, rewritten there, and put back."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from ormlift.edit.apply import LayoutError, apply
from ormlift.model import (
    AddAbove,
    Op,
    Reason,
    Refusal,
    ReplaceExpr,
    ReplaceStatement,
    Rewrite,
    Settings,
    Site,
    Source,
    Span,
    Wrap,
)
from ormlift.project.index import ProjectIndex
from ormlift.project.names import module_parts
from ormlift.rules._cursor_to_orm.expand import Expander, is_called_by_name, names_of_host
from ormlift.rules._cursor_to_orm.fold import NotPlain
from ormlift.rules._cursor_to_orm.helpers import Helped, helped_calls
from ormlift.sql.life.find import find_lives
from ormlift.sql.life.model import Life
from ormlift.sql.life.refuse import Refused
from ormlift.sql.life.rewrite import rewrite_life
from ormlift.syntax import Module, dotted

REASON = "sql-helper"
_BEGIN, _END = "ormlift: a helper's body begins", "ormlift: a helper's body ends"
_ROOTS = ("src", "lib")  # folders that are no packages
_LINE = re.compile(r"\bline (\d+)\b")


def helped_sites(
    module: Module, codemod: str, index: ProjectIndex, settings: Settings
) -> Iterator[tuple[Helped, Site]]:
    """Every call of the file that hands SQL to a function of the project which executes it."""
    for helped in helped_calls(module, index):
        yield helped, _site(helped, module, codemod, index, settings)


def _site(helped: Helped, module: Module, codemod: str, index: ProjectIndex, settings: Settings) -> Site:
    first, last = helped.call.lineno, helped.call.end_lineno or helped.call.lineno
    named = f"{dotted(helped.call.func)}() runs the SQL that it is given ({helped.where})"
    try:
        return _Inlined(helped, module, codemod, index, settings).rewrite()
    except NotPlain as why:
        message = f"{named}, and {why}" if str(why) else named
        reason = Reason(REASON, f"{message}; execute it here, or hand a statement on")
    except Refused as refused:
        text = _LINE.sub(f"line {first}", refused.reason.message)
        reason = Reason(refused.reason.code, f"{named}: {text}")
    except LayoutError:
        reason = Reason(REASON, f"{named}, in a layout that can't be edited; give each statement a line of its own")
    return Refusal(codemod, first, last, reason)


@dataclass
class _Inlined:
    helped: Helped
    module: Module
    codemod: str
    index: ProjectIndex
    settings: Settings

    def rewrite(self) -> Rewrite:
        """Raises NotPlain, Refused or LayoutError."""
        if self.helped.function.name in self.index.imports.patches or "*" in self.index.imports.patches:
            message = "tests put another in its place"
            raise NotPlain(message)
        made = rewrite_life(self._life(), self.codemod, self.index, self.settings)
        text, names = self._region(made)
        if names & set(self._added):
            message = f"it needs {', '.join(sorted(names & set(self._added)))} of its own file"
            raise NotPlain(message)
        span = self.module.span(self._statement)
        own: tuple[Op, ...] = (ReplaceStatement(span, text),)
        if self._expander.above:
            own = (AddAbove(span, text), ReplaceExpr(self.module.span(self.helped.call), self._expander.target))
        ops = (*own, *(self._moved(op) for op in made.ops if not self._is_inside(op)))
        effects = {replace(e, line=self._was(e.line), message=self._told(e.message)) for e in made.effects}
        root = is_called_by_name(self.helped)
        lines = [line for op in ops for line in _lines(op)]
        return replace(
            made, ops=ops, line=min(lines), end_line=max(lines),
            effects=tuple(sorted(effects, key=lambda e: (e.line, e.code, e.message))),
            unused=tuple(sorted({*made.unused, *([root] if root else [])})),
        )  # fmt: skip

    @cached_property
    def _statement(self) -> ast.stmt:
        return self.module.statement(self.helped.call)

    @cached_property
    def _header(self) -> int:
        """How many lines behind the end mark are the head of a statement that stays."""
        last = self.helped.call.end_lineno or self.helped.call.lineno
        return last - self._statement.lineno + 1 if self._expander.above else 0

    @cached_property
    def _indent(self) -> str:
        statement = self._statement
        span = self.module.span(statement)
        before = self.module.lines[span.line - 1][: span.col]
        behind = self.module.lines[span.end_line - 1][span.end_col :].strip()
        if before.strip() or (behind and not behind.startswith("#")):
            message = "the statement shares its line"
            raise NotPlain(message)
        return before

    @cached_property
    def _expander(self) -> Expander:
        return Expander(self.helped, self.module)

    @cached_property
    def _added(self) -> dict[str, str]:
        """Names of the helper's file that the copy needs too, each with its import."""
        needs, own = self._expander.needs(), self.helped.module
        if needs & names_of_host(self.module, self.helped.call):
            message = "a name of its file means something else here"
            raise NotPlain(message)
        if own.source.path == self.module.source.path:
            return {}
        found = {}
        for name in sorted(needs):
            holder, _, last = self._home(name).rpartition(".")
            wanted = f"{holder}.{last}" if holder else last
            if self.module.imports.get(name) == wanted:
                continue
            if name in self.module.imports or any(name == n for n in _bound(self.module)):
                message = f"{name} means something else here"
                raise NotPlain(message)
            found[name] = f"from {holder} import {last} as {name}" if holder else f"import {last} as {name}"
        return found

    def _home(self, name: str) -> str:
        """The dotted name of what a name of the helper's file means."""
        own = self.helped.module
        target = own.imports.get(name, "")
        if target and not target.startswith("."):
            return target
        place = self.index.place(own.source.path, name)
        parts = module_parts(place.path or own.source.path)
        return ".".join([*(parts[1:] if parts[0] in _ROOTS else parts), place.name if place.path else name])

    @cached_property
    def _copy(self) -> Module:
        """The file with the helper's body between two marks, in the statement's place."""
        lines, span, indent = self.module.lines, self.module.span(self._statement), self._indent
        body, statement = self._expander.run(indent)
        inside, behind = (body, statement) if self._expander.above else ([*body, *statement], [])
        new = [f'{indent}"{_BEGIN}"', *inside, f'{indent}"{_END}"']
        self._lines = (span.line, span.line + len(new) - 1)
        new += behind
        self._shift = len(new) - (span.end_line - span.line + 1)
        whole = [*lines[: span.line - 1], *new, *lines[span.end_line :], *self._added.values(), ""]
        source = Source(self.module.source.path, "\n".join(whole))
        try:
            return Module.parse(source)
        except SyntaxError as error:
            message = "its body can't stand here"
            raise NotPlain(message) from error

    def _life(self) -> Life:
        lives, strays = find_lives(self._copy, self.index)
        found = [life for life in lives if any(self._is_between(use.line) for use in life.uses)]
        if len(found) != 1 or found[0].family is not None or any(self._is_between(stray.line) for stray in strays):
            message = "the connection that it uses is not opened there"
            raise NotPlain(message)
        return found[0]

    def _is_between(self, line: int) -> bool:
        return self._lines[0] < line < self._lines[1]

    def _is_inside(self, op: Op) -> bool:
        first, last = _lines(op)
        header = self._lines[1] < first <= self._lines[1] + self._header
        if header or self._is_between(first) != self._is_between(last):
            message = "its connection is used outside of it"
            raise NotPlain(message)
        return self._is_between(first)

    def _region(self, made: Rewrite) -> tuple[str, set[str]]:
        """What stands between the marks after the edit, written at column 0, and the names in it."""
        edited = Module.parse(Source(self._copy.source.path, apply(self._copy, [made]).text))
        marks = {n.value.value: n for n in edited.nodes(ast.Expr) if isinstance(n.value, ast.Constant)}
        begin, end = marks.get(_BEGIN), marks.get(_END)
        if begin is None or end is None or edited.suite(begin) is not edited.suite(end):
            message = "its connection is used outside of it"
            raise NotPlain(message)
        suite = edited.suite(begin)
        inside = suite[suite.index(begin) + 1 : suite.index(end)]
        if begin.col_offset != len(self._indent) or not inside:
            message = "its connection is used outside of it"
            raise NotPlain(message)
        names = {n.id for s in inside for n in ast.walk(s) if isinstance(n, ast.Name)}
        return "\n".join(edited.written(s) for s in inside), names

    # Back to the file's own lines

    def _was(self, line: int) -> int:
        if line <= self._lines[0]:
            return line
        return self.helped.call.lineno if line <= self._lines[1] else line - self._shift

    def _told(self, message: str) -> str:
        return _LINE.sub(lambda found: f"line {self._was(int(found[1]))}", message)

    def _at(self, span: Span) -> Span:
        moved = -self._shift if span.line > self._lines[1] else 0
        return replace(span, line=span.line + moved, end_line=span.end_line + moved)

    def _moved(self, op: Op) -> Op:
        if isinstance(op, Wrap):
            return replace(op, first=self._at(op.first), last=self._at(op.last))
        return replace(op, span=self._at(op.span))


def _bound(module: Module) -> Iterator[str]:
    """The names that a module binds at its top."""
    for statement in module.tree.body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                yield node.id
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield statement.name


def _lines(op: Op) -> tuple[int, int]:
    if isinstance(op, Wrap):
        return op.first.line, op.last.end_line
    return op.span.line, op.span.end_line
