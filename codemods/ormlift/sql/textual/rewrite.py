"""One execution of text to one rewrite: the same receiver, the same result, a statement on the project's models."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from ormlift.model import Effect, ImportNeed, Op, Reason, ReplaceExpr, ReplaceStatement, Rewrite, Settings
from ormlift.project.index import ProjectIndex
from ormlift.sql.built.built import Built
from ormlift.sql.built.express import Expressed, Spreads, express, manner_of, spreads_of
from ormlift.sql.built.placed import check_placed
from ormlift.sql.layout import lay_out
from ormlift.sql.life.assumed import assumed_effects
from ormlift.sql.life.executions import Form
from ormlift.sql.life.literals import Parameters, Text
from ormlift.sql.life.loose import bound_effect
from ormlift.sql.life.names import check_hidden, check_imports, model_needs
from ormlift.sql.life.order import check_repeated, order_effects
from ormlift.sql.life.outside import constant_effects
from ormlift.sql.life.refuse import Refused
from ormlift.sql.life.shapes import check_lists, shape_effects
from ormlift.sql.life.statements import Manner, Prepared, certify, compose, taken_effects
from ormlift.sql.life.style import check_mappings, style_of
from ormlift.sql.life.text import has_comment, line_length, outermost
from ormlift.sql.rows.follow import Is
from ormlift.sql.statement import Fetch, Kind
from ormlift.sql.textual.above import can_stand_above, with_above
from ormlift.sql.textual.autocommit import autocommit_effects
from ormlift.sql.textual.bare import is_bare
from ormlift.sql.textual.clause import Clause, Way
from ormlift.sql.textual.find import Textual
from ormlift.sql.textual.grown import Grown, grow, step_ops
from ormlift.sql.textual.idle import check_once, idle_statements
from ormlift.sql.textual.many import many_effects
from ormlift.sql.textual.migration import check_altered
from ormlift.sql.textual.named import Named, named_of
from ormlift.sql.textual.outcome import Outcome, follow
from ormlift.sql.textual.pending import flush_effects, holds_nothing
from ormlift.sql.textual.prepare import dialects, prepare, tells_types
from ormlift.sql.textual.reads import ahead_effects
from ormlift.sql.textual.receiver import On
from ormlift.sql.textual.steps import Steps, steps_of
from ormlift.sql.textual.unified import unified
from ormlift.sql.textual.ways import check_ways
from ormlift.sql.versions import older
from ormlift.syntax import import_targets

_TAILS = {
    "fetchone": Fetch.FIRST, "first": Fetch.FIRST, "fetchall": Fetch.ALL, "all": Fetch.ALL, "scalar": Fetch.SCALAR,
}  # fmt: skip
_KINDS = {Fetch.FIRST: Is.ROW, Fetch.ALL: Is.ROWS, Fetch.SCALAR: Is.CELL}


def rewrite_textual(site: Textual, codemod: str, index: ProjectIndex, settings: Settings) -> Rewrite:
    """The rewrite of one execution. Raises Refused."""
    return Rewriter(site, codemod, index, settings).run()


@dataclass
class Part:
    """One statement that the site executes: the only one, unless the code before it chooses."""

    clause: Clause
    prepared: Prepared
    way: Way | None = None
    outcome: Outcome = field(default_factory=Outcome)


@dataclass
class Rewriter:
    """The rewrite of one execution."""

    site: Textual
    codemod: str
    index: ProjectIndex
    settings: Settings
    parts: list[Part] = field(default_factory=list)
    stepped: bool = False  # the text is put together step by step
    grown: Grown | None = None
    built: Built | None = None  # the text is built from lists
    own: Part | None = None  # then: the code's statement, of which those of `parts` are the ways
    expressed: Expressed | None = None
    named: Named | None = None  # words of the text are chosen from a few
    target: ast.expr = field(init=False)  # the expression that the written one takes the place of

    def run(self) -> Rewrite:
        """All of it, or Refused."""
        site = self.site
        if site.receiver is None:
            message = f"it cannot be told what {site.module.text(site.node)} on line {site.line} is"
            raise Refused("receiver-unknown", f"{message}; annotate it as a Session or a Connection")
        if any(isinstance(around, ast.JoinedStr) for around in site.module.ancestors(site.call)):
            raise Refused("unusual-layout", f"line {site.line} executes inside an f-string; give it a variable first")
        if self.built is not None:
            self._express(self.built)
        else:
            self._read_or_grow()
        imports = {need for p in self.parts for need in self._needs(p.prepared)}
        self._check_names(imports)
        edits = dict.fromkeys(edit for p in self.parts for edit in p.outcome.edits)
        ops = outermost([*self._ops(), *edits])
        check_mappings(ops, self.settings)
        return Rewrite(
            self.codemod,
            min([site.line, *(line for op in ops for line in lines_of(op))]),
            max(line for op in ops for line in lines_of(op)),
            ops,
            tuple(sorted(imports)),
            self._unused(imports),
            tuple(sorted(set(self._effects()), key=lambda e: (e.line, e.code, e.message))),
            tuple(certify(part.prepared) for part in self.parts),
        )

    def _read_or_grow(self) -> None:
        site, steps = self.site, None
        if site.clause.sql is None and not site.clause.problem:
            steps = steps_of(site, self.settings.sqlalchemy)
        if steps is not None:
            self._grow(steps)
        else:
            self._read()

    def _read(self) -> None:
        """The one statement, or each of those that the code before chooses from."""
        self.named = named_of(self.site)
        if self.named is not None:
            self._choose(self.named)
            return
        site, ways = self.site, self.site.clause.ways
        for way in ways or (None,):
            clause = site.clause if way is None else way.clause
            self.parts.append(self._part(clause, way))
        if ways:
            check_ways(site, ways, [p.prepared for p in self.parts])
        for part in self.parts:
            self._compose(part)
            if part.way is None:
                check_once(site, part.prepared)

    def _part(self, clause: Clause, way: Way | None = None) -> Part:
        prepared = prepare(self.site, clause, self.index, self.settings)
        check_altered(self.site, prepared.statement)
        check_lists(prepared, self.site.life)
        self._place(prepared)
        return Part(clause, prepared, way)

    def _choose(self, named: Named) -> None:
        """The statement of each choice of words."""
        for text in named.texts:
            part = self._part(replace(self.site.clause, sql=text))
            self._compose(part)
            self.parts.append(part)
        self.own = self.parts[0]
        check_hidden(["getattr"], ["getattr"], self.site.life)
        above = {part.prepared.written.above for part in self.parts if part.prepared.written is not None}
        if any(part.outcome.edits != self.own.outcome.edits for part in self.parts) or len(above) > 1:
            message = f"the statements of line {self.site.line} are not read alike, whatever word is put into them"
            raise Refused("row-use", f"{message}; execute each statement by itself")

    def _grow(self, steps: Steps) -> None:
        """The statement that is put together step by step: one for each way through the branches."""
        made: dict[Prepared, Part] = {}
        self.stepped = True
        self.site = replace(self.site, clause=replace(self.site.clause, ways=()))

        def make(sql: str, passed: Parameters) -> Prepared:
            clause = Clause(Text(sql), self.site.clause.node, passed=passed)
            part = self._part(clause)
            self._compose(part)
            made[part.prepared] = part
            return part.prepared

        self.grown = grow(steps, self.site.module, make)
        self.parts = [made[prepared] for prepared in self.grown.whole]
        if any(part.outcome.edits != self.parts[0].outcome.edits for part in self.parts):
            message = f"the rows of line {self.site.line} are read otherwise after some of the steps"
            raise Refused("row-use", f"{message}; execute each statement by itself")

    def _express(self, built: Built) -> None:
        """The statement that is built from lists: the code's, and one for each way through the branches."""
        made: dict[Prepared, Part] = {}

        def make(sql: str, passed: Parameters, spreads: Spreads) -> Prepared:
            part = self._part(Clause(Text(sql), self.site.clause.node, passed=passed, names=built.names))
            part.prepared.spreads = spreads
            self._compose(part)
            made[part.prepared] = part
            return part.prepared

        own = make(*built.own(), spreads_of(built))
        self.own, self.expressed = made[own], express(built, own, make)
        check_placed(self.expressed, self.site.life)
        if self.expressed.spreads != own.spreads:
            own.spreads = self.expressed.spreads
            self._compose(self.own)
        self.parts = [made[prepared] for prepared in self.expressed.whole]
        if any(part.outcome.edits != self.own.outcome.edits for part in self.parts):
            message = f"the rows of line {self.site.line} are read otherwise on some way"
            raise Refused("row-use", f"{message}; execute each statement by itself")

    # Where the new expression stands, and what it gives

    def _place(self, prepared: Prepared) -> None:
        site = self.site
        execution, parent = prepared.execution, site.module.parents[site.value]
        self.target = prepared.target = site.call
        execution.form, prepared.fetch = Form.RESULT, Fetch.ITERATE
        if not prepared.statement.gives_rows:
            execution.form, prepared.fetch = Form.ALONE, Fetch.NONE
            if prepared.head:
                prepared.target = None
            if site.method != "execute":
                raise Refused("sql-not-supported", f"line {site.line} asks for rows of what writes; execute it")
            return
        if (
            site.method == "scalars"
            or site.clause.ways
            or self.stepped
            or (self.built is not None and self.built.stated)
            or _options(site.clause.options, site)
            or _passed(site)
        ):
            return
        if site.method == "scalar":
            execution.form, prepared.fetch = Form.CHAIN, Fetch.SCALAR
        elif isinstance(parent, ast.For | ast.comprehension) and parent.iter is site.value:
            execution.form = Form.CHAIN
        elif isinstance(parent, ast.Attribute) and site.value is site.call:
            self._chained(prepared, parent)
        if execution.form is Form.CHAIN:
            execution.fetches = [replace(execution.use, node=self.target)]

    def _chained(self, prepared: Prepared, attribute: ast.Attribute) -> None:
        """`execute(..).fetchone()`: one expression."""
        outer = self.site.module.parents[attribute]
        plain = isinstance(outer, ast.Call) and outer.func is attribute and not (outer.args or outer.keywords)
        if plain and isinstance(outer, ast.Call) and attribute.attr in _TAILS:
            self.target = prepared.target = outer
            prepared.execution.form, prepared.fetch = Form.CHAIN, _TAILS[attribute.attr]

    # The statement and its rows

    def _compose(self, part: Part) -> None:
        prepared, site = part.prepared, self.site
        kind = Is.CELL if site.method == "scalar" else _KINDS.get(prepared.fetch, Is.ROWS)
        node = self.target if self.target is not site.call else site.value
        for _ in range(8):  # once more for each column that must be kept or named
            self._write(prepared)
            part.outcome = follow(site, prepared, node, kind, scalars=site.method == "scalars")
            if part.outcome.settled:
                break
        else:
            message = f"the rows of line {site.line} cannot be followed; read their columns one by one"
            raise Refused("row-use", message)
        check_repeated(prepared)
        if part.way is not None and part.outcome.edits:
            message = f"line {site.line} may execute one of several statements, and a value of theirs is read anew"
            raise Refused("row-use", f"{message}; execute each by itself")

    def _write(self, prepared: Prepared) -> None:
        """Write the statement; with others above it, for aliases and subqueries, where it cannot be without."""
        manner = self._manner(prepared)
        if self.built is not None:
            manner = manner_of(self.built, manner, prepared.statement.kind)
        try:
            compose(prepared, self.site.life, manner, {})
        except Refused as refused:
            free = not self.stepped and (self.built is None or self.built.only_named)
            above = free and can_stand_above(self.site, self.target)
            if refused.reason.code != "sql-not-supported" or not above:
                raise
            compose(prepared, self.site.life, replace(manner, variables=True), {})

    def _manner(self, prepared: Prepared) -> Manner:
        site = self.site
        assert site.receiver is not None
        session = site.receiver.on is On.SESSION
        sure = session and not site.receiver.asynchronous and site.receiver.source is not None
        style = "select"
        if prepared.statement.kind is Kind.SELECT and sure and not self.stepped:
            style = style_of(site.module, self.index, self.settings)
        synchronize = "core" if not session else "evaluable" if holds_nothing(site, self.index) else "never"
        return Manner(
            style,
            site.module.text(site.node),
            self.settings.timestamps,
            0,
            synchronize=synchronize,
            sqlalchemy=self.settings.sqlalchemy,
            also=dialects(self.index) - {prepared.statement.dialect},
            typed=site.receiver.asynchronous or tells_types(self.index),
        )

    def _needs(self, prepared: Prepared) -> Iterator[ImportNeed]:
        assert prepared.written is not None
        assert prepared.request is not None
        yield from prepared.written.imports
        texts = [*prepared.written.above, prepared.written.text.strip()]
        names = {n.id for text in texts for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Name)}
        for need in model_needs(self.site.life, prepared.models.values(), prepared.request.names):
            if (need.name or need.module) in names:
                yield need

    def _check_names(self, imports: set[ImportNeed]) -> None:
        check_imports(imports, self.site.life)
        for part in self.parts:
            assert part.prepared.written is not None
            assert part.prepared.request is not None
            said = [*(need.name or need.module for need in imports), *part.prepared.request.names.values()]
            values = [line.partition(" = ")[2] for line in part.prepared.written.above]
            check_hidden([*values, part.prepared.written.text], said, self.site.life)

    # The change

    def _ops(self) -> Iterator[Op]:
        module, site = self.site.module, self.site
        if self.grown is not None:
            if has_comment(site.call, module):
                message = f"a comment stands inside the expression on line {site.line}; move it above"
                raise Refused("unusual-layout", message)
            yield from step_ops(self.grown, module)
            yield self._executed(self.grown.steps.name)
            return
        if self.built is not None and self.built.stated:
            yield self._executed(self.built.stated)
            return
        if site.clause.ways:
            yield from self._way_ops()
            return
        (part,) = [self.own] if self.own is not None else self.parts
        text = self._named(self._text(part), part.prepared)
        if self.named is not None:
            text = self._unified(self.named)
        holder = module.parents.get(self.target)
        written = part.prepared.written
        if written is not None and part.prepared.head:
            yield ReplaceStatement(module.span(module.statement(self.target)), self._loop(part))
            yield from (ReplaceStatement(module.span(s)) for s in idle_statements(site, part.prepared))
            return
        if written is not None and written.above:
            yield ReplaceStatement(
                module.span(module.statement(self.target)), with_above(written.above, text, site, self.target)
            )
            yield from (ReplaceStatement(module.span(s)) for s in idle_statements(site, part.prepared))
            return
        if not has_comment(self.target, module):
            yield ReplaceExpr(module.span(self.target), text)
        elif isinstance(holder, ast.Assign) and holder.value is self.target:
            targets = "".join(f"{module.text(t)} = " for t in holder.targets)
            yield ReplaceStatement(module.span(holder), f"{targets}{text}")
        elif isinstance(holder, ast.Return | ast.Expr):
            head = "return " if isinstance(holder, ast.Return) else ""
            yield ReplaceStatement(module.span(holder), f"{head}{text}")
        else:
            message = f"a comment stands inside the expression on line {site.line}; move it above"
            raise Refused("unusual-layout", message)
        for statement in idle_statements(site, part.prepared):
            yield ReplaceStatement(module.span(statement))

    def _unified(self, named: Named) -> str:
        """The text of one statement for all choices of words."""
        texts = [self._named(self._text(part), part.prepared) for part in self.parts]
        node = unified(named.ways, texts, self.site.module.text(self.site.node), self.site.line)
        request = self.parts[0].prepared.request
        assert request is not None
        return lay_out(node, request.line_length, request.indent, request.base_indent)

    def _loop(self, part: Part) -> str:
        """The statement once for each row of parameters."""
        site, written = self.site, part.prepared.written
        assert written is not None
        if has_comment(site.module.statement(site.call), site.module):
            message = f"a comment stands inside the expression on line {site.line}; move it above"
            raise Refused("unusual-layout", message)
        waits = "await " if site.value is not site.call else ""
        lines = "\n".join([*written.above, f"{waits}{self._named(self._text(part), part.prepared)}"]).split("\n")
        return "\n".join([part.prepared.head, *(f"    {line}" if line else line for line in lines)])

    def _named(self, text: str, prepared: Prepared) -> str:
        """The text by the method that the code calls: `scalars(..)` gives no rows."""
        site = self.site
        said = f"{site.module.text(site.node)}."
        head = f"{said}execute("
        if site.method == "execute" or prepared.fetch is not Fetch.ITERATE or not text.startswith(head):
            return text
        return f"{said}{site.method}({text.removeprefix(head)}"

    def _way_ops(self) -> Iterator[Op]:
        """Each text() becomes a statement where it stands; what executes it loses the parameters."""
        module, site = self.site.module, self.site
        for part in self.parts:
            assert part.way is not None
            if has_comment(part.way.value, module) or has_comment(site.call, module):
                message = f"a comment stands inside the expression on line {part.way.value.lineno}; move it above"
                raise Refused("unusual-layout", message)
            yield ReplaceExpr(module.span(part.way.value), self._text(part))
        name = self.parts[0].way.definition.id if self.parts[0].way is not None else ""
        yield self._executed(name)

    def _executed(self, name: str) -> Op:
        """What executes it, without the parameters."""
        site = self.site
        passed = f", {_passed(site)}" if _passed(site) else ""
        text = f"{site.module.text(site.node)}.{site.method}({name}{passed})"
        return ReplaceExpr(site.module.span(site.call), text)

    def _text(self, part: Part) -> str:
        """The written text, with the options that it was executed with."""
        from ormlift.sql.write import write

        prepared, module = part.prepared, self.site.module
        assert prepared.written is not None
        assert prepared.request is not None
        options, passed = _options(part.clause.options, self.site), _passed(self.site)
        if not options and not passed and part.way is None:
            return prepared.written.text
        request = replace(prepared.request, options=options, passed=passed)
        if part.way is not None:
            base = module.span(module.statement(part.way.value)).col
            width, start = line_length(module) - base, module.span(part.way.value).col - base
            request = replace(request, fetch=Fetch.STATEMENT, style="select", line_length=width, indent=start)
        written = write(prepared.statement, request)
        if isinstance(written, Reason):
            raise Refused(written.code, f"line {self.site.line}: {written.message}")
        return written.text

    def _unused(self, imports: set[ImportNeed]) -> tuple[str, ...]:
        """Imported names that the old text used."""
        module = self.site.module
        replaced: list[ast.AST] = [self.target, *(p.way.value for p in self.parts if p.way is not None)]
        if self.grown is not None:
            replaced += [s for step in (self.grown.steps.base, *self.grown.steps.steps()) for s in step.statements]
        replaced += [s for p in self.parts if p.way is None for s in idle_statements(self.site, p.prepared)]
        names = {n.id for whole in replaced for n in ast.walk(whole) if isinstance(n, ast.Name)}
        names |= {"json"} if any(p.outcome.edits for p in self.parts) else set()
        own = set(self.site.life.flow.definitions) | {need.name for need in imports}
        return tuple(sorted((names - own) & set(module.imports)))

    # Effects

    def _effects(self) -> Iterator[Effect]:
        site = self.site
        for part in self.parts:
            prepared = part.prepared
            assert prepared.written is not None
            yield from (Effect(f.code, site.line, f.message) for f in prepared.written.effects)
            yield from (replace(effect, line=site.line) for effect in taken_effects(prepared))
            yield from part.outcome.effects
            yield from order_effects(prepared, site.module, self.index)
            yield from shape_effects(prepared, site.life)
            if prepared.bound:
                yield replace(bound_effect(prepared), line=site.line)
            yield from ahead_effects(site, prepared)
            yield from many_effects(prepared, site)
            yield from autocommit_effects(site, prepared, self.settings)
        yield from (replace(effect, line=site.line) for effect in constant_effects(site.life, self.index))
        yield from assumed_effects(site.life, site.line, self.index)
        yield from flush_effects(site, self.index)
        yield from _reach_effects(site, {need for p in self.parts for need in self._needs(p.prepared)})
        if site.clause.bare:
            yield from missing_text(site, self.settings)


def _reach_effects(site: Textual, needs: set[ImportNeed]) -> Iterator[Effect]:
    """An effect where nothing shows that the file can import the models: a script that stands by itself."""
    module = site.module
    own = [*module.source.path.split("/")[:-1], module.source.path.rpartition("/")[2].removesuffix(".py")]
    bound = [t for n in ast.walk(module.tree) if isinstance(n, ast.Import | ast.ImportFrom) for t in _targets(n)]
    for need in sorted(needs):
        root = need.module.partition(".")[0]
        reached = root in ("sqlalchemy", *own) or any(t.startswith(".") or t.partition(".")[0] == root for t in bound)
        if not reached and "." in need.module:
            message = f"nothing else in this file imports from {root}: see that {need.module} can be imported here"
            yield Effect("model-import", site.line, message)


def _targets(node: ast.Import | ast.ImportFrom) -> list[str]:
    return list(import_targets(node).values())


def _options(call: ast.Call | None, site: Textual) -> str:
    """The arguments of `.execution_options(..)` that the text had."""
    if call is None:
        return ""
    named = [f"{k.arg}={_shifted(k.value, site)}" if k.arg else f"**{_shifted(k.value, site)}" for k in call.keywords]
    return ", ".join([*(_shifted(a, site) for a in call.args), *named])


def _passed(site: Textual) -> str:
    """The options that are passed beside the parameters."""
    found = [k for k in site.call.keywords if k.arg == "execution_options"]
    return f"execution_options={_shifted(found[0].value, site)}" if found else ""


def _shifted(node: ast.expr, site: Textual) -> str:
    """The source text, its later lines as if the statement began at column 0: the edit indents them again."""
    first, *rest = site.module.text(node).split("\n")
    margin = site.module.span(site.module.statement(node)).col
    return "\n".join([first, *(line[margin:] if not line[:margin].strip() else line.lstrip() for line in rest)])


def missing_text(site: Textual, settings: Settings) -> Iterator[Effect]:
    """SQLAlchemy 2 raises where a bare string is executed; what a project is known to be on before it does not."""
    if older(settings.sqlalchemy, "2.0"):
        return
    said = site.module.text(site.node)
    if site.receiver is not None and site.receiver.on is On.ENGINE:
        message = f"{said} executes a bare string, which SQLAlchemy 1.x alone does"
    else:
        raised = "ObjectNotExecutableError" if site.receiver is not None and is_bare(site) else "ArgumentError"
        message = f"{said} is handed a bare string: SQLAlchemy 2 raises {raised} here; from now on the code runs"
    yield Effect("text-missing", site.line, message)


def lines_of(op: Op) -> tuple[int, int]:
    """The first line and the last that an edit touches."""
    assert isinstance(op, ReplaceExpr | ReplaceStatement)
    return op.span.line, op.span.end_line
