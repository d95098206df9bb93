"""Executions whose SQL is put together step by step: `sql += " AND x = ?"; params.append(x)`, under `if`s or not."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ormlift.model import Op, Settings, Span
from ormlift.project.index import ProjectIndex
from ormlift.sql.built.built import BUILT, Built, Group, group_of, walked
from ormlift.sql.built.edits import Editor
from ormlift.sql.built.express import Expressed, Spreads, express, manner_of, spreads_of
from ormlift.sql.built.named import Names, named_models
from ormlift.sql.built.placed import check_placed
from ormlift.sql.built.walk import Walk
from ormlift.sql.life.dquotes import with_texts
from ormlift.sql.life.drivers import paramstyle
from ormlift.sql.life.executions import Execution
from ormlift.sql.life.literals import Parameters, sql_text
from ormlift.sql.life.many import is_many
from ormlift.sql.life.model import Life
from ormlift.sql.life.plain import STAYING, check_stays, compose_plain, plain_prepared
from ormlift.sql.life.refuse import Refused
from ormlift.sql.life.shapes import check_lists
from ormlift.sql.life.statements import (
    Manner,
    Prepared,
    check_parameters,
    compose,
    dialect_of,
    models_of,
    prepare,
    read_statement,
)
from ormlift.sql.textual.clause import Clause
from ormlift.sql.textual.find import Textual
from ormlift.sql.textual.grown import Grown, grow, put_together, step_ops
from ormlift.sql.textual.steps import Steps, steps_of

_STYLES = ("qmark", "format", "pyformat")


@dataclass
class Stepper:
    """Prepares and writes the executions of one life; those whose SQL has steps, way by way."""

    life: Life
    index: ProjectIndex
    settings: Settings
    steps: dict[Prepared, Steps] = field(default_factory=dict)
    grown: dict[Prepared, Grown] = field(default_factory=dict)
    group: Group | None = None  # those that are built from lists
    built: dict[Prepared, Built] = field(default_factory=dict)
    expressed: dict[Prepared, Expressed] = field(default_factory=dict)
    left: set[str] = field(default_factory=set)  # names in statements that have built, and are gone or changed

    def prepare_all(self, found: Sequence[Execution]) -> list[Prepared]:
        """Read all of them; those whose SQL is no literal, and grows by no steps, as built from lists."""
        prepared: dict[Execution, Prepared] = {}
        left: dict[Execution, Refused] = {}
        for execution in found:
            try:
                prepared[execution] = self.prepare(execution)
            except Refused as refused:
                if refused.reason.code not in BUILT or not execution.call.args or is_many(execution.call):
                    raise
                left[execution] = refused
        if left:
            prepared |= self._build(left)
        return [prepared[execution] for execution in found]

    def _build(self, left: Mapping[Execution, Refused]) -> dict[Execution, Prepared]:
        dialect = dialect_of(self.life, self.index, self.settings)
        style = paramstyle(self.life.source.driver, dialect)
        calls = {e.call: (e.call.args[0], e.call.args[1] if len(e.call.args) > 1 else None) for e in left}
        plain = style in _STYLES and all(len(call.args) < 3 and not call.keywords for call in calls)
        walk = walked(calls, self.life, self.index) if plain else None
        if walk is None or (style != "qmark" and _may_differ(walk)):
            raise next(iter(left.values()))
        try:
            self.group = group_of(walk, style, dialect)
        except Refused:
            if all(len(seen) == 1 for seen in walk.found.values()):  # nothing is built by branches
                raise next(iter(left.values())) from None
            raise
        found: dict[Execution, Prepared] = {}
        for execution, built in zip(left, self.group.built, strict=True):
            found[execution] = self._read(execution, *built.own(), built.names)
            found[execution].spreads = spreads_of(built)
            self.built[found[execution]] = built
        return found

    def ops(self) -> list[Op]:
        """What becomes of the statements that put texts together."""
        ops = [op for grown in self.grown.values() for op in step_ops(grown, self.life.module)]
        if self.group is None:
            return ops
        editor = Editor(self.group, list(self.expressed.values()))
        ops += editor.ops()
        self.left = {n.id for s in editor.statements() for n in ast.walk(s) if isinstance(n, ast.Name)}
        return ops

    def prepare(self, execution: Execution) -> Prepared:
        """Read one execution; one that has no ORM form stays SQL, if it can. Raises Refused."""
        try:
            return self._prepare(execution)
        except Refused as refused:
            if refused.reason.code not in STAYING:
                raise
            dialect = dialect_of(self.life, self.index, self.settings)
            return plain_prepared(execution, self.life, dialect, refused.reason)

    def _prepare(self, execution: Execution) -> Prepared:
        """Read one execution; of one with steps, the longest of its statements stands for all."""
        steps = self._steps(execution)
        if steps is None:
            return prepare(execution, self.life, self.index, self.settings)
        sql, passed = put_together(steps, max(steps.paths(), key=len), self.life.module)
        prepared = self._read(execution, sql, passed)
        self.steps[prepared] = steps
        return prepared

    def _steps(self, execution: Execution) -> Steps | None:
        call = execution.call
        if not call.args or is_many(call) or sql_text(call.args[0], self.life) is not None:
            return None
        dialect = dialect_of(self.life, self.index, self.settings)
        style = paramstyle(self.life.source.driver, dialect)
        if style not in _STYLES:
            return None
        site = Textual(self.life, call, "execute", Clause(None, call.args[0]), None)
        return steps_of(site, self.settings.sqlalchemy, style, dialect)

    def _read(self, execution: Execution, sql: str, passed: Parameters, names: Names | None = None) -> Prepared:
        dialect = dialect_of(self.life, self.index, self.settings)
        statement = read_statement(sql, paramstyle(self.life.source.driver, dialect), dialect, execution)
        check_parameters(statement, passed, execution)
        if passed.many:
            slots = tuple(replace(slot, many=slot.key in passed.many) for slot in statement.slots)
            statement = replace(statement, slots=slots)
        models, chosen = models_of(statement, self.index, self.settings, execution, self.life.module)
        models = named_models(models, names or {}, sql)
        statement, texts = with_texts(statement, models)
        return Prepared(execution, statement, passed, models, (), chosen, texts=texts)

    def _compose(self, prepared: Prepared, manner: Manner, edits: Mapping[Span, str]) -> None:
        """Write one execution without steps; one that has no ORM form stays SQL, if it can."""
        if prepared.stays is None:
            try:
                compose(prepared, self.life, manner, edits)
                return
            except Refused as refused:
                if refused.reason.code not in STAYING:
                    raise
                check_stays(prepared, self.life, refused.reason)
        compose_plain(prepared, self.life, manner, edits)

    def compose(self, prepared: Prepared, manner: Manner, edits: Mapping[Span, str]) -> None:
        """Write one execution; of one with steps, the statement of each way too. Raises Refused."""
        if prepared in self.built:
            self._express(prepared, manner, edits)
            return
        steps = self.steps.get(prepared)
        if steps is None:
            self._compose(prepared, manner, edits)
            return
        plain = replace(manner, style="select", variables=False)

        def make(sql: str, passed: Parameters) -> Prepared:
            made = self._read(prepared.execution, sql, passed)
            made.fetch, made.target, made.prefix, made.kept = (
                prepared.fetch, prepared.target, prepared.prefix, prepared.kept,
            )  # fmt: skip
            compose(made, self.life, plain, edits)
            return made

        grown = grow(steps, self.life.module, make)
        compose(prepared, self.life, plain, edits, stated=steps.name)
        self.grown[prepared] = grown
        for way in grown.whole:
            assert way.written is not None
            assert prepared.written is not None
            one_row = way.statement.gives_one_row == prepared.statement.gives_one_row
            if way.written.columns != prepared.written.columns or not one_row:
                message = f"the rows of line {prepared.execution.line} differ by the way the SQL is put together"
                raise Refused("dynamic-sql", f"{message}; execute each statement by itself")

    def _express(self, prepared: Prepared, manner: Manner, edits: Mapping[Span, str]) -> None:
        built = self.built[prepared]
        plain = manner_of(built, manner, prepared.statement.kind)

        def make(sql: str, passed: Parameters, spreads: Spreads) -> Prepared:
            made = self._read(prepared.execution, sql, passed, built.names)
            made.fetch, made.target, made.prefix, made.kept = (
                prepared.fetch, prepared.target, prepared.prefix, prepared.kept,
            )  # fmt: skip
            made.spreads = spreads
            check_lists(made, self.life)
            compose(made, self.life, plain, edits)
            return made

        prepared.spreads = spreads_of(built)
        compose(prepared, self.life, plain, edits, stated=built.stated)
        found = self.expressed[prepared] = express(built, prepared, make)
        check_placed(found, self.life)
        if found.spreads != prepared.spreads:
            prepared.spreads = found.spreads
            compose(prepared, self.life, plain, edits)

    def ways(self, prepared: Prepared) -> list[Prepared]:
        """The statements that an execution may execute."""
        if prepared in self.expressed:
            return self.expressed[prepared].whole
        return self.grown[prepared].whole if prepared in self.grown else [prepared]


def _may_differ(walk: Walk) -> bool:
    """Whether a percent sign stands in a text that is executed without parameters: the driver leaves it as it is."""
    bare = [call for call, (_, passed) in walk.calls.items() if passed is None]
    return any("%" in part.text for call in bare for seen in walk.found[call] for part in seen.text)
