"""The evidence that the written statement does what the raw one did."""

from __future__ import annotations

import ast
import re
import textwrap
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ormlift.model import Certificate, Reason, Verdict
from ormlift.sql.arguments import completed, dumped
from ormlift.sql.canonical import Canonical
from ormlift.sql.differ import SURELY, surely_different
from ormlift.sql.placeholders import on_one_line
from ormlift.sql.statement import Argument, Fetch, Written

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ormlift.schema import MappedClass
    from ormlift.sql.canonical import Shape
    from ormlift.sql.compiled import Compiled
    from ormlift.sql.statement import Request, Statement
    from ormlift.sql.synthetic import Synthetic


def prove(statement: Statement, written: Written, request: Request) -> Certificate:
    """Compare what the written text compiles to with the raw SQL; where that does not settle it, run both.

    Only our own text is ever executed, on synthetic classes built from the request's models.
    """
    before = on_one_line(statement.normal, statement.dialect)
    stage = Stage.build(statement, request, written)
    if isinstance(stage, Reason) or not stage.stands_for(written):
        return Certificate(Verdict.UNKNOWN, before, "", ("the written text could not be rebuilt on synthetic classes",))
    steps: list[str] = ["compiled on synthetic classes, and parsed"]
    try:
        after = stage.compiled({})
    except Exception as error:
        return Certificate(Verdict.UNKNOWN, before, "", (_said(error),))
    compiled = on_one_line(after.sql, statement.dialect)
    problem = stage.difference({}, after, steps) or stage.none_difference(steps)
    verdict, notes = _tried(stage, proven=not problem)
    converted = stage.conversion()
    if converted and verdict is not Verdict.DIFFERENT:
        return Certificate(Verdict.UNKNOWN, before, compiled, (*dict.fromkeys(steps), converted))
    if not problem and verdict is not Verdict.DIFFERENT:
        on_server = notes if statement.dialect != "sqlite" else ()
        return Certificate(Verdict.PROVEN, before, compiled, (*dict.fromkeys(steps), *on_server))
    if verdict is Verdict.UNKNOWN and problem.startswith(SURELY):
        verdict = Verdict.DIFFERENT
    steps += [problem] if problem else []
    return Certificate(verdict, before, compiled, (*dict.fromkeys(steps), *notes))


def _tried(stage: Stage, *, proven: bool) -> tuple[Verdict, tuple[str, ...]]:
    """The trial, where the dialect can be run here; a short one where the trees are equal: rows must come out too."""
    if stage.statement.dialect != "sqlite":
        from ormlift.sql import server

        engine = server.engine_for(stage.statement.dialect)
        return server.trial(stage, engine) if engine is not None else (Verdict.UNKNOWN, ())
    from ormlift.sql.trial import trial

    return trial(stage, rounds=2) if proven else trial(stage)


@dataclass(frozen=True)
class Stage:
    """A statement and its written form, with stand-ins for parameters and classes."""

    statement: Statement
    request: Request
    arguments: tuple[Argument, ...]  # the real ones, completed
    synthetic: Synthetic
    written: Written  # on the stand-ins
    unwrapped: frozenset[int]  # slots of `json.dumps(x)` written as `x`: the JSON column's type does the same

    @classmethod
    def build(cls, statement: Statement, request: Request, real: Written) -> Stage | Reason:
        """Write the statement again on stand-ins."""
        from ormlift.sql.synthetic import Synthetic
        from ormlift.sql.write import write

        used = list(dict.fromkeys(_model(request.models, table) for table in statement.tables))
        synthetic = Synthetic(request.models, [model for model in used if model is not None])
        arguments = tuple(completed(argument) for argument in request.arguments)
        unwrapped = frozenset(n for n, a in enumerate(arguments) if _unwrapped(n, a, real))
        standing = tuple(_standing(n, argument, n in unwrapped) for n, argument in enumerate(arguments))
        words = {word for a in arguments for word in re.findall(r"\w+", a.text)}
        taken = request.taken | words | {name.partition(".")[0] for name in request.names.values()} | {request.session}
        twin = replace(
            request, arguments=standing, names=synthetic.names, session="session", line_length=10_000, taken=taken
        )
        written = write(statement, twin)
        return (
            written
            if isinstance(written, Reason)
            else cls(statement, request, arguments, synthetic, written, unwrapped)
        )

    def stands_for(self, written: Written) -> bool:
        """True where the text handed over is the one on stand-ins, but for the stand-ins."""
        real = {
            value: self.request.names.get(key) or key.rpartition(".")[2] for key, value in self.synthetic.names.items()
        }
        real |= {f"_p{n}": dumped(a.text) if n in self.unwrapped else a.text for n, a in enumerate(self.arguments)}
        real |= {
            need.name: self.request.names.get(f"{need.module}.{need.name}", need.name) for need in self.written.imports
        }
        real["session"] = self.request.session
        try:
            twin = _Put(real).visit(_module(self.written))
            return ast.dump(twin) == ast.dump(_module(written))
        except SyntaxError:
            return False

    def compiled(self, none: Mapping[int, None]) -> Compiled:
        """The SQL that comes out, with the slots of `none` as None."""
        from ormlift.sql.compiled import caught, compile_for

        values = self.values(none)
        return compile_for(caught(self.written, self.synthetic, values), self.statement.dialect)

    def values(self, none: Mapping[int, None]) -> dict[str, Any]:
        """What the names of the stand-ins are given."""
        values: dict[str, Any] = {
            **sentinels(self.arguments),
            **{f"_p{n}": [None] if self.arguments[n].many else None for n in none},
        }
        return values

    def difference(self, none: Mapping[int, None], after: Compiled, steps: list[str]) -> str:
        """In what the two forms differ; empty where they are equal."""
        from ormlift.sql.dialects import parse

        old_binds: dict[str, Shape] = {
            f"p{n}": ("null",) if n in none else ("slot", n) for n in range(len(self.arguments))
        }
        old = self._canonical(old_binds, compiled=False)
        new = self._canonical({}, compiled=True)
        slots = {repr(_sentinel(n, a)): n for n, a in enumerate(self.arguments) if n not in none}
        for name, value in after.binds.items():
            slot = slots.get(repr(value))
            new.binds[name] = ("slot", slot) if slot is not None else new.constant(value)
        before_shape = old.statement(self.statement.tree)
        tree = parse(after.sql, self.statement.dialect)[0]
        assert tree is not None
        new.keeps_casts = self.casts_binds
        after_shape = new.statement(tree.copy())
        if new.keeps_casts and before_shape != after_shape:
            new.keeps_casts = False
            after_shape = new.statement(tree)
        steps.extend(sorted(old.steps | new.steps))
        if before_shape == after_shape:
            return ""
        return surely_different(before_shape, after_shape) or _first_difference(before_shape, after_shape)

    @property
    def casts_binds(self) -> bool:
        """Whether the raw statement casts parameters itself."""
        from sqlglot import exp

        return any(isinstance(cast.this.unnest(), exp.Placeholder) for cast in self.statement.tree.find_all(exp.Cast))

    def conversion(self) -> str:
        """Which result SQLAlchemy would convert without the writer's saying so; empty where none."""
        from ormlift.sql.compiled import caught, converts, is_float, result_columns_of

        if not self.written.columns:
            return ""
        selected = result_columns_of(caught(self.written, self.synthetic, self.values({})))
        for number, (column, known) in enumerate(zip(selected, self.written.columns, strict=True), 1):
            told = known.column is not None or known.changes_type or is_float(column)
            if not told and converts(column.type, self.statement.dialect):
                return f"result {number} is converted by the type that its expression has: {column.type!r}"
        return ""

    def none_difference(self, steps: list[str]) -> str:
        """The same with each parameter None that may be."""
        for number, argument in enumerate(self.arguments):
            if argument.may_be_none:
                none = {number: None}
                try:
                    problem = self.difference(none, self.compiled(none), steps)
                except Exception as error:
                    problem = _said(error)
                if problem:
                    return f"with parameter {number + 1} None: {problem}"
                steps.append("equal with each parameter None as well")
        return ""

    def _canonical(self, binds: dict[str, Shape], *, compiled: bool) -> Canonical:
        one_row = self.request.fetch is Fetch.FIRST
        found = Canonical(self.statement.dialect, self.request.models, binds, one_row=one_row, compiled=compiled)
        found.returns = self.statement.gives_rows
        return found


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".split("\n", 1)[0]


def _module(written: Written) -> ast.Module:
    return ast.parse("\n".join([textwrap.dedent(part) for part in (*written.above, written.text.strip())]))


class _Put(ast.NodeTransformer):
    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = texts

    def visit_Name(self, node: ast.Name) -> ast.AST:
        text = self.texts.get(node.id)
        return ast.parse(text.strip(), mode="eval").body if text else node


def _model(models: Mapping[str, MappedClass], table: tuple[str, str]) -> MappedClass | None:
    schema, name = (part.lower() for part in table)
    return models.get(f"{schema}.{name}" if schema else name) or models.get(name)


def _standing(number: int, argument: Argument, unwrapped: bool) -> Argument:
    text = f"json.dumps(_p{number})" if unwrapped else f"_p{number}"
    return replace(argument, text=text, shown=argument.text)


def _unwrapped(number: int, argument: Argument, written: Written) -> bool:
    columns = [bind for bind in written.binds if bind.slot == number]
    writes = all(bind.writes and bind.column and bind.column.type in ("JSON", "JSONB") for bind in columns)
    return bool(dumped(argument.text)) and writes and bool(columns)


def _sentinel(number: int, argument: Argument) -> str | int:
    """A value that no literal of the SQL is."""
    if argument.type == "str":
        return f"\N{MIDDLE DOT}p{number}\N{MIDDLE DOT}"
    return 7_700_000_001 + number


def sentinels(arguments: tuple[Argument, ...]) -> dict[str, Any]:
    """A stand-in value for each slot, by the name that the text on stand-ins gives it."""
    values = {f"_p{number}": _sentinel(number, argument) for number, argument in enumerate(arguments)}
    return {key: [value] if a.many else value for (key, value), a in zip(values.items(), arguments, strict=True)}


def _first_difference(old: Shape, new: Shape) -> str:
    """The smallest parts in which two forms differ."""
    if isinstance(old, tuple) and isinstance(new, tuple) and len(old) == len(new):
        for left, right in zip(old, new, strict=True):
            if left != right:
                return _first_difference(left, right)
    return f"the trees differ: {old} and {new}"
