"""One life to one rewrite: its connection becomes a session, its statements the ORM's, its rows follow."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from ormlift.model import (
    DropFinally,
    DropWithItem,
    Effect,
    ImportNeed,
    Op,
    ReplaceExpr,
    ReplaceStatement,
    Rewrite,
    Settings,
    Span,
    Wrap,
)
from ormlift.project.index import ProjectIndex
from ormlift.schema import Tri
from ormlift.sql.life.awaits import unawaited
from ormlift.sql.life.bridge import bridge_ops, check_lent, check_whole
from ormlift.sql.life.checks import check_between, check_uses
from ormlift.sql.life.closed import check_closed
from ormlift.sql.life.commits import (
    autocommits,
    check_blocks,
    check_settled,
    check_switches,
    uncommitted,
)
from ormlift.sql.life.counted import (
    COUNTED_NAMES,
    FIRST_NAMES,
    check_apart,
    counted_lines,
    counted_texts,
    is_counted,
    is_over_commit,
    left_name,
    rows_key,
)
from ormlift.sql.life.described import Names, described
from ormlift.sql.life.driven import driven
from ormlift.sql.life.elsewhere import check_elsewhere
from ormlift.sql.life.executions import Execution, Form, check_nested, executions, marked_flow
from ormlift.sql.life.flow import Flow
from ormlift.sql.life.handing import check_family, check_given, check_kept, given, name_sessions, taken
from ormlift.sql.life.handlers import driver_handlers
from ormlift.sql.life.idle import idle_imports, idle_variables, unused_names
from ormlift.sql.life.lastid import last_ids
from ormlift.sql.life.lazy import check_lazy
from ormlift.sql.life.merged import merged
from ormlift.sql.life.model import Does, How, Life, Use
from ormlift.sql.life.names import (
    LASTROWID_NAMES,
    RESULT_NAMES,
    ROW_NAMES,
    ROWCOUNT_NAMES,
    SESSION_NAMES,
    check_hidden,
    check_imports,
    free_name,
    model_needs,
)
from ormlift.sql.life.opening import Opening, opening_of
from ormlift.sql.life.order import check_repeated
from ormlift.sql.life.plain import check_any, passed
from ormlift.sql.life.refuse import Refused
from ormlift.sql.life.region import Region, inside, region_of
from ormlift.sql.life.rowkind import row_kind
from ormlift.sql.life.shapes import check_lists
from ormlift.sql.life.statements import Manner, Prepared, certify, place
from ormlift.sql.life.stepped import Stepper
from ormlift.sql.life.style import check_mappings, style_of
from ormlift.sql.life.text import has_comment, outermost
from ormlift.sql.life.told import Telling, is_fresh
from ormlift.sql.life.uses import binds_by_with
from ormlift.sql.rows.follow import Fact, Follower, Is
from ormlift.sql.rows.handing import RETURNED
from ormlift.sql.rows.judge import Keep, Obstacle, judge
from ormlift.sql.statement import Kind, ResultColumn
from ormlift.syntax import Module

_KINDS = {Does.FETCHONE: Is.ROW, Does.FETCHALL: Is.ROWS, Does.FETCHMANY: Is.ROWS, Does.ITERATE: Is.ROWS}


def rewrite_life(life: Life, codemod: str, index: ProjectIndex, settings: Settings) -> Rewrite:
    """The rewrite of a whole life. Raises Refused."""
    return _Rewriter(life, codemod, index, settings).run()


@dataclass
class _Rewriter:
    life: Life
    codemod: str
    index: ProjectIndex
    settings: Settings
    module: Module = field(init=False)
    region: Region = field(init=False)
    reached: Flow = field(init=False)
    opening: Opening = field(init=False)
    manner: Manner = field(init=False)
    stepper: Stepper = field(init=False)
    prepared: list[Prepared] = field(default_factory=list)
    ops: list[Op] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    described: list[Names] = field(default_factory=list)
    settled: set[ast.expr] = field(default_factory=set)  # fetches of lists whose rows are handed on at once
    tupled: set[ast.expr] = field(default_factory=set)  # rows of a last id alone, which become tuples of it
    imports: set[ImportNeed] = field(default_factory=set)
    names: dict[str, str] = field(default_factory=dict)  # cursor variable -> what its results are called now
    shared: dict[ast.expr, Fact] = field(default_factory=dict)  # what each fetch gives, of one of its statements

    def __post_init__(self) -> None:
        self.module = self.life.module
        self.stepper = Stepper(self.life, self.index, self.settings)

    @property
    def is_fresh(self) -> bool:
        """Whether the code never ran: `.cursor()` of a Session raises."""
        return is_fresh(self.life)

    def run(self) -> Rewrite:
        """All of it, or Refused."""
        life = self.life
        check_family(life)
        check_uses(life)
        check_switches(life)
        self.region = region_of(life)
        self.reached = marked_flow(life, self.region.last, self.region.flattened)
        check_blocks(life, self.reached)
        found = executions(life, self.reached)
        check_nested(found, self.module)
        check_given(life, found)
        check_elsewhere(life, found)
        check_lent(life, found, self.index)
        self.opening = opening_of(life, self.index, self.settings, self.region.first.lineno)
        self.described = described(life, found)
        self._choose_names(found)
        self.prepared = self.stepper.prepare_all(found)
        self._settle_last_ids()
        self._name_counted()
        for prepared in self.prepared:
            check_lists(prepared, life)
            place(prepared, life, self.names)
            check_between(prepared, life)
        check_closed(life)
        check_lazy(life)
        self._settle()
        self._write_statements()
        self._session()
        self._tell()
        ways = [way for p in self.prepared for way in self.stepper.ways(p)]
        certificates = tuple(certify(way) for way in ways)
        check_imports(self.imports, life)
        written = [way.written for way in ways if way.written]
        check_hidden((text for w in written for text in (*w.above, w.text)), self._said(), life)
        check_whole(life, self.ops)
        ops = outermost(self.ops)
        check_kept(life, ops)
        check_mappings(ops, self.settings)
        lines = [line for op in ops for line in _lines(op)]
        return Rewrite(
            self.codemod,
            min([life.line, *lines]),
            max([self.region.lines[1], *lines]),
            ops,
            tuple(sorted(self.imports)),
            unused_names(life, self.stepper, self.ops),
            tuple(sorted(set(self.effects), key=lambda e: (e.line, e.code, e.message))),
            certificates,
        )

    # Names

    def _choose_names(self, found: list[Execution]) -> None:
        life, lines = self.life, self.region.lines
        name_sessions(life)
        if life.session:
            session = life.session
        elif self.is_fresh and life.name not in ("conn", "connection", "con", "db_conn"):
            session = life.name
        else:
            session = free_name(SESSION_NAMES, life, (), lines)
        life.session = session
        shift = 0 if binds_by_with(life) or life.how is How.HANDED else 4
        style = style_of(self.module, self.index, self.settings)
        self.manner = Manner(
            style,
            session,
            self.settings.timestamps,
            shift,
            life.is_async,
            variables=True,
            sqlalchemy=self.settings.sqlalchemy,
        )
        taken = {session}
        for execution in found:
            self._name_asked(execution, taken)
            cursor = execution.use.cursor
            if execution.form is Form.RESULT and cursor not in self.names:
                bound = isinstance(self.module.parents[execution.node], ast.Assign)
                self.names[cursor] = cursor if bound else free_name(RESULT_NAMES, life, taken)
                taken.add(self.names[cursor])

    def _name_asked(self, execution: Execution, taken: set[str]) -> None:
        """What the row count or the last id of an execution is called."""
        for does, names in ((Does.ROWCOUNT, ROWCOUNT_NAMES), (Does.LASTROWID, LASTROWID_NAMES)):
            key = f"{does.value}:{execution.use.cursor}"
            if key not in self.names and any(a.does is does for a in execution.asks):
                self.names[key] = free_name(names, self.life, taken)
                taken.add(self.names[key])

    def _settle_last_ids(self) -> None:
        """Questions for the last id go; the INSERT before tells it."""
        for last in last_ids(self.prepared, self.life):
            self.prepared.remove(last.asked)
            self.region.removed |= set(last.gone)
            insert = last.insert.execution
            for node in (*last.values, *([last.row] if last.row is not None else ())):
                insert.take(Use(Does.LASTROWID, node, insert.use.receiver, insert.use.cursor))
            self.tupled |= {last.row} if last.row is not None else set()
            self._name_asked(insert, {self.manner.session, *self.names.values()})

    def _name_counted(self) -> None:
        """Names of rows that are counted, or fetched behind a commit."""
        for prepared in self.prepared:
            execution, key = prepared.execution, rows_key(prepared.execution, self.module)
            if not is_counted(execution, prepared.statement) and not is_over_commit(execution, self.life):
                continue
            check_apart(execution, (p.execution for p in self.prepared))
            taken, names = set(self.names.values()), FIRST_NAMES if key.startswith("row:") else COUNTED_NAMES
            name = self.names.get(key) or free_name(names, self.life, taken)
            self.names[key] = name
            if left := left_name(execution, name, self.module):
                free_name([left], self.life, taken - {left})

    # Statements and rows

    def _write_statements(self) -> None:
        texts: dict[ast.expr, str] = {}
        asked = self._asked()
        edits = dict(asked)
        rounds = 2  # once to know the columns, once more with the rows in the parameters written anew
        while rounds:
            rounds -= 1
            for prepared in self.prepared:
                self.stepper.compose(prepared, self.manner, edits)
                if prepared.target is not None:
                    texts[prepared.target] = prepared.text
                    continue
                if prepared.counted:
                    texts |= counted_texts(prepared.execution, prepared.counted, self.module)
                    continue
                for use in prepared.execution.fetches:
                    name = self.names[prepared.execution.use.cursor]
                    if isinstance(use.node, ast.Await):
                        texts[use.node] = unawaited(use, name, self.module)
                    elif use.receiver is not None:
                        texts[use.receiver] = name
            self.life.prepared = self.prepared
            if self.life.family is None:
                check_any(self.prepared)
            row_edits, row_effects, keeps = self._rows(texts)
            if self._keep(keeps):
                rounds, edits = 2, dict(asked)
                continue
            edits = asked | {edit.span: edit.text for edit in row_edits}
        targets = {self.module.span(p.target): p for p in self.prepared if p.target is not None}
        for edit in [e for e in row_edits if e.span in targets]:  # a fetch that is handed on at once
            targets[edit.span].text = edit.text
            row_edits.remove(edit)
        self._hand_on_counted(row_edits)
        for prepared in self.prepared:
            self._put(prepared)
            for way in self.stepper.ways(prepared):
                self._settle_way(way)
        self.ops += self.stepper.ops()
        self.ops += row_edits
        self._names()
        self.effects += row_effects

    def _asked(self) -> dict[Span, str]:
        """What a later statement passes of an earlier one: its last id or row count, or what its result is called."""
        kept = [p for p in self.prepared if p.target is None and not p.counted]
        found = {self.module.span(use.node): self._answer(use, p) for p in kept for use in p.execution.asks}
        for prepared in kept:
            name = self.names.get(prepared.execution.use.cursor, "")
            receivers = [use.receiver for use in prepared.execution.fetches if use.receiver is not None and name]
            found |= {self.module.span(receiver): name for receiver in receivers}
        return found

    def _answer(self, use: Use, prepared: Prepared) -> str:
        name = self.names[f"{use.does.value}:{prepared.execution.use.cursor}"]
        return f"({name},)" if use.node in self.tupled else name

    def _hand_on_counted(self, row_edits: list[ReplaceExpr]) -> None:
        """Fetches of a list that are handed on at once: the edit of the row is that of the fetch."""
        spans = {
            self.module.span(use.node): use.node for p in self.prepared if p.counted for use in p.execution.fetches
        }
        for edit in [e for e in row_edits if e.span in spans]:
            node = spans[edit.span]
            self.settled.add(node)
            if not edit.text.startswith(RETURNED):
                continue
            row_edits.remove(edit)
            text = edit.text.removeprefix(RETURNED)
            name = free_name(ROW_NAMES, self.life, set(self.names.values()))
            new = f"{name} = {text}\nreturn dict({name}._mapping) if {name} else None"
            new = f"return dict({text}._mapping)" if text.endswith("[0]") else new
            self.ops.append(ReplaceStatement(self.module.span(self.module.statement(node)), new))

    def _settle_way(self, prepared: Prepared) -> None:
        """What one statement needs and changes."""
        check_repeated(prepared)
        assert prepared.written is not None
        self.imports |= set(prepared.written.imports)
        if prepared.request is not None:
            models = [m for m in prepared.models.values() if m.name in prepared.written.text]
            self.imports |= set(model_needs(self.life, models, prepared.request.names))
        self.effects += [Effect(f.code, prepared.execution.line, f.message) for f in prepared.written.effects]

    def _names(self) -> None:
        """The lists of names: they go where only dicts were made with them, else they are written out."""
        for names in self.described:
            columns = next(p.written.columns for p in self.prepared if p.execution is names.execution and p.written)
            if not names.others:
                self.ops += [ReplaceStatement(self.module.span(s)) for s in names.statements]
                continue
            if not all(column.label for column in columns):
                message = f"line {names.node.lineno} needs names of columns that only the driver knows"
                raise Refused("description", f"{message}; give each column a name in the SQL")
            listed = ", ".join(json.dumps(column.label, ensure_ascii=False) for column in columns)
            listed = f"({listed},)" if names.is_tuple else f"[{listed}]"
            keep = [s for s in names.statements if names.node in ast.walk(s)]
            self.ops += [ReplaceStatement(self.module.span(s)) for s in names.statements if s not in keep]
            self.ops.append(ReplaceExpr(self.module.span(names.node), listed))

    def _keep(self, keeps: list[Keep]) -> bool:
        """Note columns that must come as the driver gave them; whether there are any."""
        for keep in keeps:
            for prepared in self.prepared:
                if keep.columns in self._read_as(prepared):
                    prepared.kept |= {keep.place}
        return bool(keeps)

    def _rows(self, texts: dict[ast.expr, str]) -> tuple[list[ReplaceExpr], list[Effect], list[Keep]]:
        follower = Follower(self.module, self.life.flow)
        for node, fact in self._facts():
            follower.start(node, fact)
        edits: list[ReplaceExpr] = []
        effects: list[Effect] = []
        keeps: list[Keep] = []
        dicts = {row: whole for names in self.described for row, whole in names.dicts.items()}
        zipped = {row for names in self.described if names.changed for row in names.dicts}
        if any(row not in follower.visited for row in dicts):
            line = next(row.lineno for row in dicts if row not in follower.visited)
            raise Refused(
                "description", f"what line {line} makes a dict of can't be told to be a row; name the columns"
            )
        for judgement in judge(
            follower, texts, fresh=self.is_fresh, dicts=dicts, plain=passed(self.prepared, plainly=True),
            bound=passed(self.prepared, plainly=False), zipped=zipped, driven=driven(self.life),
        ):  # fmt: skip
            match judgement:
                case ReplaceExpr():
                    edits.append(judgement)
                case Effect():
                    effects.append(judgement)
                case Keep():
                    keeps.append(judgement)
                case Obstacle():
                    raise Refused(judgement.reason.code, judgement.reason.message)
        return edits, effects, keeps

    def _read_as(self, prepared: Prepared) -> list[tuple[ResultColumn, ...]]:
        """The columns of a statement, as those that read its rows know them."""
        assert prepared.written is not None
        reads = [self.shared[u.node].columns for u in prepared.execution.fetches if u.node in self.shared]
        return [prepared.written.columns, *reads]

    def _facts(self) -> Iterator[tuple[ast.expr, Fact]]:
        """What each fetch gives."""
        seen: dict[ast.expr, list[Fact]] = {}
        for prepared in self.prepared:
            assert prepared.written is not None
            kind = row_kind(self.life, prepared.execution)
            for use in prepared.execution.fetches:
                fact = Fact(_KINDS[use.does], prepared.written.columns, kind.by_name, kind.by_place)
                node = use.node
                if prepared.target is not None and prepared.target is not use.node:
                    node, fact = prepared.target, replace(fact, kind=Is.CELL)
                seen.setdefault(node, []).append(fact)
        for node, facts in seen.items():
            common = merged(facts)
            if common is None:
                message = f"line {node.lineno} may read the rows of different statements; fetch from each by itself"
                raise Refused("unclear-cursor", message)
            self.shared[node] = common
            yield node, common

    def _put(self, prepared: Prepared) -> None:
        """The ops for one written statement."""
        assert prepared.written is not None
        execution, text = prepared.execution, prepared.text
        statement = self.module.statement(execution.call)
        if prepared.target is None:
            below = counted_lines(execution, prepared.counted, self.module) if prepared.counted else []
            new = "\n".join([*prepared.written.above, f"{prepared.prefix}{text}", *below])
            auto = autocommits(self.life) is Tri.YES and prepared.statement.kind is not Kind.SELECT
            if prepared.head:
                new = "\n".join([prepared.head, *(f"    {line}" for line in new.split("\n"))])
            if (auto or prepared.settles) and not self._commits_next(statement):
                new += f"\n{self._call('commit')}"
            self.ops.append(ReplaceStatement(self.module.span(statement), new))
            self._put_uses(prepared)
            return
        if prepared.settles or (prepared.statement.kind is not Kind.SELECT and autocommits(self.life) is Tri.YES):
            message = f"line {execution.line} writes in autocommit mode inside an expression; give it its own statement"
            raise Refused("autocommit", message)
        if prepared.written.above:
            self._put_with_variables(prepared, statement)
            return
        if text.startswith(RETURNED):
            self._put_returned(prepared, text.removeprefix(RETURNED))
            return
        if isinstance(self.module.parents[execution.node], ast.withitem):
            self.ops.append(DropWithItem(self.module.span(execution.node)))
            self._put_expression(prepared.target, text)
        elif execution.form is Form.NEXT and not self._put_above(statement, prepared.target, text):
            self.ops.append(ReplaceStatement(self.module.span(statement)))
            self._put_expression(prepared.target, text)
        elif execution.form is not Form.NEXT:
            self._put_expression(prepared.target, text)

    def _put_with_variables(self, prepared: Prepared, statement: ast.stmt) -> None:
        """The statement with those that must stand above it, where one can."""
        assert prepared.written is not None
        assert prepared.target is not None
        above, text = "\n".join(prepared.written.above), prepared.text
        if prepared.execution.form is Form.NEXT and not text.startswith(RETURNED):
            self.ops.append(ReplaceStatement(self.module.span(statement), above))
            self._put_expression(prepared.target, text)
            return
        match self.module.statement(prepared.target):
            case ast.Assign(targets=targets, value=value) as fetch if value is prepared.target:
                head = "".join(f"{self.module.text(t)} = " for t in targets)
            case ast.Return(value=value) as fetch if value is prepared.target and not text.startswith(RETURNED):
                head = "return "
            case _:
                line = prepared.execution.line
                message = f"the statement on line {line} needs a variable above it; give it a statement of its own"
                raise Refused("sql-not-supported", message)
        self.ops.append(ReplaceStatement(self.module.span(fetch), f"{above}\n{head}{text}"))

    def _put_returned(self, prepared: Prepared, text: str) -> None:
        """A row that is returned as a dict, or None, at once: it is given a name first."""
        assert prepared.target is not None
        name = free_name(ROW_NAMES, self.life)
        new = f"{name} = {text}\nreturn dict({name}._mapping) if {name} else None"
        span, fetch = self.module.span, self.module.statement(prepared.target)
        execution = prepared.execution
        if isinstance(self.module.parents[execution.node], ast.withitem):
            self.ops.append(DropWithItem(span(execution.node)))
        elif execution.form is Form.NEXT:
            self.ops.append(ReplaceStatement(span(self.module.statement(execution.call))))
        self.ops.append(ReplaceStatement(span(fetch), new))

    def _commits_next(self, statement: ast.stmt) -> bool:
        """Whether the next statement commits, so that it need not be done twice."""
        suite = self.module.suite(statement)
        after = suite[suite.index(statement) + 1 :]
        return bool(after) and any(self.module.statement(u.node) is after[0] for u in self.life.where(Does.COMMIT))

    def _put_above(self, execute: ast.stmt, target: ast.expr, text: str) -> bool:
        """Write `row = ..` in the execute's place, whose comments tell of it, if the fetch is a whole statement."""
        fetch = self.module.statement(target)
        suite = self.module.suite(execute)
        if suite.index(fetch) != suite.index(execute) + 1 or has_comment(fetch, self.module):
            return False
        between = self.module.lines[execute.end_lineno or execute.lineno : fetch.lineno - 1]
        if any(line.lstrip().startswith("#") for line in between):  # of the fetch: it follows that of the execute
            return False
        match fetch:
            case ast.Assign(targets=targets, value=value) if value is target:
                head = "".join(f"{self.module.text(t)} = " for t in targets)
            case ast.Return(value=value) if value is target:
                head = "return "
            case _:
                return False
        self.ops.append(ReplaceStatement(self.module.span(execute), f"{head}{text}"))
        self.ops.append(ReplaceStatement(self.module.span(fetch)))
        return True

    def _put_expression(self, node: ast.expr, text: str) -> None:
        fetch = self.module.parents.get(node)
        if not has_comment(node, self.module):
            self.ops.append(ReplaceExpr(self.module.span(node), text))
        elif isinstance(fetch, ast.Assign) and fetch.value is node:
            targets = "".join(f"{self.module.text(t)} = " for t in fetch.targets)
            self.ops.append(ReplaceStatement(self.module.span(fetch), f"{targets}{text}"))
        elif isinstance(fetch, ast.Return):
            self.ops.append(ReplaceStatement(self.module.span(fetch), f"return {text}"))
        else:
            message = f"a comment stands inside the expression on line {node.lineno}; move it above"
            raise Refused("unusual-layout", message)

    def _put_uses(self, prepared: Prepared) -> None:
        """What reads the result later reads it under its new name."""
        execution, cursor = prepared.execution, prepared.execution.use.cursor
        if prepared.counted:
            texts = counted_texts(execution, prepared.counted, self.module)
            left = {node: text for node, text in texts.items() if node not in self.settled}
            self.ops += [ReplaceExpr(self.module.span(node), text) for node, text in left.items()]
            return
        for use in execution.fetches:
            name = self.names[cursor]
            if isinstance(use.node, ast.Await):
                self.ops.append(ReplaceExpr(self.module.span(use.node), unawaited(use, name, self.module)))
            elif use.receiver is not None and name != use.said:
                self.ops.append(ReplaceExpr(self.module.span(use.receiver), name))
        for use in execution.asks:
            self.ops.append(ReplaceExpr(self.module.span(use.node), self._answer(use, prepared)))

    def _said(self) -> Iterator[str]:
        """The names by which the new text may reach what is outside of the function."""
        yield from (need.name or need.module for need in self.imports)
        for prepared in self.prepared:
            yield from prepared.request.names.values() if prepared.request is not None else ()

    # The session

    def _call(self, name: str) -> str:
        return f"{'await ' if self.life.is_async else ''}{self.manner.session}.{name}()"

    def _session(self) -> None:
        life, region, span = self.life, self.region, self.module.span
        session = self.manner.session
        if binds_by_with(life):
            self._with_items()
        elif life.how is not How.HANDED:
            waits = "async " if life.is_async else ""
            header = f"{waits}with {self.opening.call} as {session}"
            self.ops.append(Wrap(span(region.first), span(region.last), header))
        self.ops += [ReplaceStatement(span(s)) for s in region.removed]
        for statement, uses in region.flattened.items():
            lines = [self._call(u.does.value) for u in uses]
            self.ops.append(ReplaceStatement(span(statement), "\n".join(lines)))
        self.ops += [DropFinally(span(t)) for t in region.finals]
        self.ops += [ReplaceStatement(span(s)) for s in (*idle_variables(life, self.prepared), *idle_imports(life))]
        for use in life.where(Does.COMMIT, Does.ROLLBACK, Does.TEST, Does.SESSION):
            if use.does is Does.TEST and isinstance(use.node, ast.Call):
                if not inside(use.node, region.removed | set(region.flattened), self.module):
                    self.ops.append(ReplaceExpr(span(use.node), f"{session}.is_active"))
            elif use.receiver is not None and not use.cursor and use.said != session:
                self.ops.append(ReplaceExpr(span(use.receiver), session))
        for use in life.where(Does.BLOCK):
            self.ops.append(ReplaceExpr(span(use.node), f"{session}.begin()"))
        for use in life.where(Does.CURSOR_BLOCK):
            self.ops.append(DropWithItem(span(use.node)))
        self.imports |= set(self.opening.imports)
        self.ops += bridge_ops(life, session, self.settings.sqlalchemy)
        self._hand_on()

    def _hand_on(self) -> None:
        """The session takes the place of parameters, and of what is handed to other functions."""
        handed = taken(self.life, self.manner.session)
        self.ops += [*handed.ops, *given(self.life, self.manner.session)]
        self.imports |= set(handed.imports)

    def _with_items(self) -> None:
        assert isinstance(self.life.origin, ast.With | ast.AsyncWith)
        for item in self.life.origin.items:
            if self.life.call in ast.walk(item.context_expr):
                assert item.optional_vars is not None
                self.ops.append(ReplaceExpr(self.module.span(item.context_expr), self.opening.call))
                if self.module.text(item.optional_vars) != self.manner.session:
                    self.ops.append(ReplaceExpr(self.module.span(item.optional_vars), self.manner.session))

    def _settle(self) -> None:
        """A write that is left for others to commit on a kept connection is committed by the scope, or at once."""
        shared = self.life.how is How.KEPT and not self.life.given
        if not shared or self.opening.commits is Tri.YES or autocommits(self.life) is Tri.YES:
            return
        writes = [p.execution for p in self.prepared if p.statement.kind is not Kind.SELECT]
        check_settled(self.life, self.region, self._transactions())
        lines = uncommitted(self.life, self.region, self._transactions(), writes)
        for prepared in self.prepared:
            prepared.settles = prepared.execution.line in lines

    def _transactions(self) -> Flow:
        """What is uncommitted where, now that the reads are known."""
        reads = {p.execution.node for p in self.prepared if p.statement.kind is Kind.SELECT}
        return marked_flow(self.life, self.region.last, self.region.flattened, reads)

    def _tell(self) -> None:
        """The effects, and the handlers that learn SQLAlchemy's errors."""
        life = self.life
        ways = [way for p in self.prepared for way in self.stepper.ways(p)]
        telling = Telling(life, self.prepared, ways, self.region, self.opening, self.index, self.settings)
        self.effects += telling.effects(self._transactions())
        if self.is_fresh:
            return
        calls: list[ast.expr] = [p.execution.call for p in self.prepared]
        calls += [use.node for use in life.where(Does.HANDS, Does.COMMIT)]
        handlers = driver_handlers(life, calls, self.index)
        self.ops += handlers.ops
        self.imports |= set(handlers.imports)
        self.effects += handlers.effects


def _lines(op: Op) -> tuple[int, int]:
    if isinstance(op, Wrap):
        return op.first.line, op.last.end_line
    return op.span.line, op.span.end_line
