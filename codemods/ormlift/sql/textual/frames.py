"""`pd.read_sql(text, con)` on an engine or a connection of SQLAlchemy: pandas is handed a statement on models.

The frame's columns keep their names, by labels where the model calls them otherwise. Where values come as other types
than the driver gave, so do the columns, and the effect says so.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, replace

from ormlift.model import Effect, Op, ReplaceExpr, ReplaceStatement, Rewrite, Settings
from ormlift.project.index import ProjectIndex
from ormlift.sql.life.executions import Form
from ormlift.sql.life.refuse import Refused
from ormlift.sql.life.statements import Prepared
from ormlift.sql.life.text import has_comment, line_length
from ormlift.sql.rows.follow import Fact, Is
from ormlift.sql.statement import Fetch, ResultColumn, Written
from ormlift.sql.textual.clause import clause_of
from ormlift.sql.textual.drivers import alchemy_columns
from ormlift.sql.textual.find import Textual, life_of
from ormlift.sql.textual.idle import idle_statements
from ormlift.sql.textual.keys import labelled, unnamed, with_keys
from ormlift.sql.textual.migration import check_migration
from ormlift.sql.textual.outcome import Outcome
from ormlift.sql.textual.receiver import On, receiver_of
from ormlift.sql.textual.rewrite import Part, Rewriter
from ormlift.sql.textual.rows import Named
from ormlift.syntax import Module

_BEHIND = ("index_col", "coerce_float", "params")  # what both functions take behind the SQL and the connection


@dataclass(frozen=True)
class Frame:
    """One call of pandas, and the execution that it comes to."""

    call: ast.Call
    site: Textual
    params: ast.expr | None


def rewrite_frame(call: ast.Call, module: Module, codemod: str, index: ProjectIndex, settings: Settings) -> Rewrite:
    """The rewrite of one call of pandas. Raises Refused."""
    frame = _frame(call, module, index)
    site = frame.site
    check_migration(site)
    if site.receiver is None or site.receiver.on is On.SESSION or site.receiver.asynchronous:
        message = f"pandas reads the SQL on line {call.lineno} on what is not surely an engine of SQLAlchemy"
        raise Refused("read-by-pandas", f"{message}; hand it a select(), and an engine or a connection of it")
    if site.clause.sql is None or site.clause.ways or site.clause.problem or site.clause.options is not None:
        message = f"the SQL on line {call.lineno} is put together at run time, or has options"
        raise Refused("read-by-pandas", f"{message}; write it as one literal, with parameters")
    return _Rewriter(site, codemod, index, settings, frame=frame).run()


def _frame(call: ast.Call, module: Module, index: ProjectIndex) -> Frame:
    """The execution that a call of pandas comes to: of the SQL, with its parameters, on the connection."""
    given = dict(zip(("sql", "con", *_BEHIND), call.args, strict=False)) | {k.arg: k.value for k in call.keywords}
    starred = any(isinstance(a, ast.Starred) for a in call.args) or None in given
    if starred or not {"sql", "con"} <= set(given):
        message = f"the arguments of line {call.lineno} are not written one by one"
        raise Refused("read-by-pandas", f"{message}; name the SQL and the connection")
    params = given.get("params")
    params = None if isinstance(params, ast.Constant) and params.value is None else params
    func = ast.copy_location(ast.Attribute(given["con"], "execute", ast.Load()), call)
    made = ast.copy_location(ast.Call(func, [given["sql"], *([params] if params is not None else [])], []), call)
    module.parents[made] = module.parents[call]
    life = life_of(made, module)
    clause = clause_of(given["sql"], life)
    if clause is None:
        message = f"it cannot be told what pandas reads on line {call.lineno}"
        raise Refused("read-by-pandas", f"{message}; write the SQL as one literal, with parameters")
    receiver = receiver_of(made, module, index, takes_text=not clause.bare)
    return Frame(call, Textual(life, made, "execute", clause, receiver), params)


@dataclass
class _Rewriter(Rewriter):
    """The rewrite of an execution whose rows a frame takes."""

    frame: Frame | None = None

    def _read_or_grow(self) -> None:
        part = self._part(self.site.clause)
        self.parts.append(part)
        self._compose(part)

    def _place(self, prepared: Prepared) -> None:
        line = self.site.line
        if not prepared.statement.gives_rows or prepared.head:
            raise Refused("read-by-pandas", f"line {line} reads a frame of what gives no rows; execute it on a session")
        self.target = prepared.target = self.site.call
        prepared.execution.form, prepared.fetch = Form.RESULT, Fetch.ITERATE

    def _compose(self, part: Part) -> None:
        prepared, line = part.prepared, self.site.line
        for _ in range(3):
            self._write(prepared)
            assert prepared.written is not None
            columns = alchemy_columns(prepared.written.columns, prepared.statement.dialect, asynchronous=False)
            fact = Fact(Is.ROWS, with_keys(prepared.statement, columns))
            odd = next((place for place, column in enumerate(fact.columns, 1) if not column.label), 0)
            if odd or not fact.columns:
                message = f"column {odd or 1} of the frame on line {line} has no name in the SQL"
                raise Refused("read-by-pandas", f"{message}; give it an alias")
            if not unnamed(fact, [Named(line, "", leaves=True)]):
                part.outcome = Outcome(effects=[e for c in fact.columns if c.changes_type for e in _typed(c, line)])
                return
            prepared.statement = labelled(prepared.statement, fact.columns)
        message = f"the columns of the frame on line {line} cannot be called as they were"
        raise Refused("read-by-pandas", f"{message}; give each an alias")

    def _ops(self) -> Iterator[Op]:
        frame, module = self.frame, self.site.module
        assert frame is not None
        (part,) = self.parts
        written = part.prepared.written
        assert written is not None
        if has_comment(frame.call, module) or written.above:
            message = (
                f"a comment, or a statement that needs a variable above, stands in the call on line {self.site.line}"
            )
            raise Refused("unusual-layout", f"{message}; give the statement a variable first")
        yield ReplaceExpr(module.span(frame.call), self._call(part, frame))
        yield from (ReplaceStatement(module.span(s)) for s in idle_statements(self.site, part.prepared))

    def _call(self, part: Part, frame: Frame) -> str:
        """The call without the parameters, which the statement has taken in."""
        module, call, sql = self.site.module, frame.call, self.site.call.args[0]
        rest = [self._shifted(a) for a in call.args if a is not sql and a is not frame.params]
        if frame.params in call.args and frame.params is not call.args[-1]:
            rest.insert(call.args.index(frame.params) - (sql in call.args), "None")
        named = [k for k in call.keywords if k.value is not sql and k.value is not frame.params]
        rest += [f"{k.arg}={self._shifted(k.value)}" for k in named]
        name, func = "" if sql in call.args else "sql=", module.text(call.func)
        column = module.span(call).col
        text = self._statement(part, column + len(f"{func}({name}"))
        whole = f"{func}({', '.join([name + text, *rest])})"
        if "\n" not in text and column + len(whole) <= line_length(module):
            return whole
        lines = _bare(self._statement(part, module.span(module.statement(call)).col + 4 + len(name)))
        return f"{func}(\n" + ",\n".join(f"    {given}" for given in [name + "\n    ".join(lines), *rest]) + ",\n)"

    def _shifted(self, node: ast.expr) -> str:
        text = self.site.module.text(node)
        if "\n" in text:
            message = f"an argument of the call on line {self.site.line} takes several lines"
            raise Refused("unusual-layout", f"{message}; give it a variable first")
        return text

    def _statement(self, part: Part, column: int) -> str:
        """The statement alone, as it stands at a column."""
        from ormlift.sql.write import write

        prepared, module = part.prepared, self.site.module
        assert prepared.request is not None
        base = module.span(module.statement(self.site.call)).col
        request = replace(
            prepared.request,
            fetch=Fetch.STATEMENT,
            style="select",
            line_length=line_length(module) - base,
            indent=column - base,
        )
        written = write(prepared.statement, request)
        assert isinstance(written, Written)
        return written.text

    def _effects(self) -> Iterator[Effect]:
        yield from (effect for effect in super()._effects() if effect.code != "text-missing")


def _bare(text: str) -> list[str]:
    """The lines of a statement without the brackets that hold them together: as an argument it needs none."""
    lines = text.split("\n")
    if lines[0] == "(" and lines[-1] == ")":
        return [line[4:] for line in lines[1:-1]]
    return lines


def _typed(column: ResultColumn, line: int) -> Iterator[Effect]:
    """What a column of the frame holds from now on."""
    now = column.new_type or (column.column.type if column.column is not None else "") or "perhaps another type"
    raw = column.raw_type or "what the driver gave"
    yield Effect("result-type", line, f"the column {column.label} of the frame held {raw}, and holds {now} now")
