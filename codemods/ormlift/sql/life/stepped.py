"""Executions whose SQL is put together step by step: `sql += " AND x = ?"; params.append(x)`, under `if`s or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ormlift.model import Settings, Span
from ormlift.project.index import ProjectIndex
from ormlift.sql.life.dquotes import with_texts
from ormlift.sql.life.drivers import paramstyle
from ormlift.sql.life.executions import Execution
from ormlift.sql.life.literals import Parameters, sql_text
from ormlift.sql.life.many import is_many
from ormlift.sql.life.model import Life
from ormlift.sql.life.refuse import Refused
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
from ormlift.sql.textual.grown import Grown, grow, put_together
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

    def prepare(self, execution: Execution) -> Prepared:
        """Read one execution; of one with steps, the longest of its statements stands for all. Raises Refused."""
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

    def _read(self, execution: Execution, sql: str, passed: Parameters) -> Prepared:
        dialect = dialect_of(self.life, self.index, self.settings)
        statement = read_statement(sql, paramstyle(self.life.source.driver, dialect), dialect, execution)
        check_parameters(statement, passed, execution)
        models, chosen = models_of(statement, self.index, self.settings, execution, self.life.module)
        statement, texts = with_texts(statement, models)
        return Prepared(execution, statement, passed, models, (), chosen, texts=texts)

    def compose(self, prepared: Prepared, manner: Manner, edits: Mapping[Span, str]) -> None:
        """Write one execution; of one with steps, the statement of each way too. Raises Refused."""
        steps = self.steps.get(prepared)
        if steps is None:
            compose(prepared, self.life, manner, edits)
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

    def ways(self, prepared: Prepared) -> list[Prepared]:
        """The statements that an execution may execute."""
        return self.grown[prepared].whole if prepared in self.grown else [prepared]
