"""Connections that are used where they are opened, `get_db().execute(..)`: the copy gives them a name."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from ormlift.model import Op, ReplaceStatement, Settings, Site
from ormlift.project.index import ProjectIndex
from ormlift.rules._cursor_to_orm.copied import LayoutError, copied_life, rewritten
from ormlift.rules._cursor_to_orm.fold import NotPlain
from ormlift.schema import SessionSource, SourceKind
from ormlift.sql.life.drivers import direct_source
from ormlift.sql.life.model import Life
from ormlift.sql.life.refuse import Refused
from ormlift.syntax import FunctionNode, Module, walk_scope

_NAMES = ("conn", "connection", "db_conn", "raw_conn")
_USED = frozenset(["execute", "executemany", "cursor", "commit", "rollback"])


def unnamed_sites(
    module: Module, codemod: str, index: ProjectIndex, settings: Settings, amid: Collection[str] = ()
) -> Iterator[Site]:
    """What can be rewritten of connections without a name, unless run `amid` writes; the others are strays."""
    for piece in _pieces(module, index):
        if piece.host in amid:
            continue
        try:
            yield rewritten(piece, module, codemod, index, settings)
        except (NotPlain, Refused, LayoutError):
            continue  # it is a stray, and told as one


def unnamed_lives(module: Module, index: ProjectIndex) -> Iterator[Life]:
    """The lives of the file's connections that have no name."""
    for piece in _pieces(module, index):
        try:
            yield copied_life(piece, module, index)
        except (NotPlain, Refused, LayoutError):
            continue


@dataclass
class _Opened:
    """The statements of a suite from the first to the last that uses what a call opens."""

    module: Module
    statements: Sequence[ast.stmt]
    calls: Sequence[ast.Call]
    name: str
    host: str  # the function around
    header: int = 0
    added: dict[str, str] = field(default_factory=dict)

    @property
    def first(self) -> ast.stmt:
        return self.statements[0]

    @property
    def last(self) -> ast.stmt:
        return self.statements[-1]

    def lines(self, indent: str) -> tuple[list[str], list[str]]:
        first, last = self.first.lineno, self.module.span(self.last).end_line
        lines = self.module.lines[first - 1 : last]
        if any("#" in line for line in lines):
            message = "comments stand between"
            raise NotPlain(message)
        text = self.module.text(self.calls[0])
        for call in sorted(self.calls, key=lambda c: (c.lineno, c.col_offset), reverse=True):
            span = self.module.span(call)
            if span.line != span.end_line:
                message = "it is opened over several lines"
                raise NotPlain(message)
            line = lines[span.line - first]
            lines[span.line - first] = f"{line[: span.col]}{self.name}{line[span.end_col :]}"
        return [f"{indent}{self.name} = {text}", *lines], []

    def put(self, text: str) -> tuple[Op, ...]:
        first, *rest = self.statements
        spans = (self.module.span(s) for s in rest)
        return ReplaceStatement(self.module.span(first), text), *(ReplaceStatement(s) for s in spans)


def _pieces(module: Module, index: ProjectIndex) -> Iterator[_Opened]:
    by_host: dict[tuple[FunctionNode, str], list[ast.Call]] = {}
    for call in module.calls:
        match call.func:
            case ast.Attribute(value=ast.Call() as receiver, attr=attr) if attr in _USED:
                source = _source(receiver, module, index)
                host = module.enclosing_function(call)
                if source is not None and source.kind is SourceKind.CONNECTION and host is not None:
                    by_host.setdefault((host, module.text(receiver)), []).append(receiver)
    for (host, _), calls in by_host.items():
        yield from _piece(module, index, host, calls)


def _source(call: ast.Call, module: Module, index: ProjectIndex) -> SessionSource | None:
    return index.source_of(call, module) or direct_source(call, module)


def _piece(module: Module, index: ProjectIndex, host: FunctionNode, calls: list[ast.Call]) -> Iterator[_Opened]:
    """The piece of one text that opens, where a name may stand for each of its calls."""
    source = _source(calls[0], module, index)
    shared = source is not None and source.shared
    if len(calls) > 1 and not (shared and _is_same_each_time(calls[0])):
        return
    if not shared and _may_repeat(calls[0], module):
        return
    same = ast.dump(calls[0])
    if sum(isinstance(n, ast.Call) and ast.dump(n) == same for n in walk_scope(host)) != len(calls):
        return
    suite = module.suite(_statement_below(module, calls))
    numbers = [n for n, s in enumerate(suite) if any(inner in calls for inner in ast.walk(s))]
    taken = {n.id for n in ast.walk(host) if isinstance(n, ast.Name)}
    taken |= {a.arg for a in ast.walk(host.args) if isinstance(a, ast.arg)}
    name = next((n for n in _NAMES if n not in taken), "")
    if name:
        yield _Opened(module, suite[numbers[0] : numbers[-1] + 1], calls, name, host.name)


def _is_same_each_time(call: ast.Call) -> bool:
    """Whether what a call passes is written out, so that a call of the same text asks for the same."""
    return all(isinstance(a, ast.Constant) for a in (*call.args, *(k.value for k in call.keywords)))


def _may_repeat(call: ast.Call, module: Module) -> bool:
    """Whether a statement may evaluate a call more than once, or later: each time it would open another connection."""
    for around in module.ancestors(call):
        if isinstance(around, ast.stmt):
            return isinstance(around, ast.While)
        if isinstance(
            around, ast.Lambda | ast.comprehension | ast.GeneratorExp | ast.ListComp | ast.SetComp | ast.DictComp
        ):
            return not _is_first_source(call, around, module)
    return False


def _is_first_source(call: ast.Call, around: ast.AST, module: Module) -> bool:
    """Whether a call stands in what a comprehension goes through first, which is evaluated once, and at once."""
    made = module.parents[around] if isinstance(around, ast.comprehension) else around
    generators = getattr(made, "generators", [])
    return bool(generators) and any(node is call for node in ast.walk(generators[0].iter))


def _statement_below(module: Module, calls: Sequence[ast.Call]) -> ast.stmt:
    """The statement around the first call, in the innermost suite that holds all of them."""
    statement = module.statement(calls[0])
    while True:
        inside = {n for s in module.suite(statement) for n in ast.walk(s)}
        if all(c in inside for c in calls):
            return statement
        statement = module.statement(module.parents[statement])
