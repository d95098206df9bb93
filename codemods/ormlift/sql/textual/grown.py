"""What each step adds to the statement: told apart by writing the statement before the step and after it.

The statement of each way through the branches is written whole and proven. Here its parts are laid to the steps: it
must be the base, with the conditions and clauses of the steps behind it in the same order; `.where(a, b)` is
`.where(a).where(b)`, wherever among the other clauses it stands.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from ormlift.model import Op, Reason, ReplaceStatement
from ormlift.sql.layout import Atom, Chain, Items, Node, call, lay_out
from ormlift.sql.life.literals import Parameters
from ormlift.sql.life.refuse import Refused
from ormlift.sql.life.statements import Prepared
from ormlift.sql.life.text import line_length
from ormlift.sql.statement import Fetch, Finding, Statement
from ormlift.sql.textual.steps import Step, Steps
from ormlift.syntax import Module

_FLAT = 1_000_000  # a line so long that nothing is wrapped


@dataclass(frozen=True)
class Form:
    """A written statement: `select(..)`, its conditions, and the other clauses."""

    head: str
    where: tuple[str, ...]
    clauses: tuple[tuple[str, tuple[str, ...]], ...]  # each with its arguments

    def less(self, other: Form) -> Form | None:
        """What this one has behind the other; None where it is not the other with more behind it."""
        conditions, clauses = len(other.where), len(other.clauses)
        same = self.head == other.head and self.where[:conditions] == other.where
        if not same or self.clauses[:clauses] != other.clauses:
            return None
        return Form("", self.where[conditions:], self.clauses[clauses:])


@dataclass
class Grown:
    """The statements of all ways, and what each step adds."""

    steps: Steps
    base: Prepared
    whole: list[Prepared] = field(default_factory=list)  # one for each way
    added: dict[Step, Form] = field(default_factory=dict)


Make = Callable[[str, Parameters], Prepared]


def grow(steps: Steps, module: Module, make: Make) -> Grown:
    """Write the statement of each way, step by step. Raises Refused."""
    made: dict[tuple[Step, ...], tuple[Prepared, Form]] = {}

    def known(done: tuple[Step, ...]) -> tuple[Prepared, Form]:
        if done not in made:
            prepared = _made(make, steps, done, module)
            made[done] = (prepared, form_of(prepared))
        return made[done]

    grown = Grown(steps, known(())[0])
    for path in steps.paths():
        for number, step in enumerate(path):
            before, after = known(path[:number])[1], known(path[: number + 1])[1]
            added = after.less(before)
            if added is None or not (added.where or added.clauses) or grown.added.setdefault(step, added) != added:
                message = f"what line {step.line} adds to the SQL is more than a condition behind AND, or a clause"
                raise Refused("dynamic-sql", f"{message} at the end; write each statement as one literal")
        grown.whole.append(known(path)[0])
    for whole in grown.whole:
        _tell(whole, steps)
    return grown


def _tell(whole: Prepared, steps: Steps) -> None:
    """What is logged of the text is said; its parameters are what they were."""
    lines = [s.lineno for s in steps.shown if any(isinstance(n, ast.Name) and n.id == steps.name for n in ast.walk(s))]
    found = [Finding("logged-sql", f"line {line} logs {steps.name}, as SQLAlchemy writes it now") for line in lines]
    if whole.written is not None and found:
        whole.written = replace(whole.written, effects=tuple(dict.fromkeys([*whole.written.effects, *found])))


def _made(make: Make, steps: Steps, done: Sequence[Step], module: Module) -> Prepared:
    try:
        return make(*put_together(steps, done, module))
    except Refused as refused:
        if refused.reason.code != "sql-not-parsed":
            raise
        line = steps.base.line
        message = f"the SQL that begins on line {line} is no whole statement before all is appended, or on some way"
        raise Refused("dynamic-sql", f"{message}; write each statement as one literal") from None


def put_together(steps: Steps, done: Sequence[Step], module: Module) -> tuple[str, Parameters]:
    """The text and its parameters after some steps. Raises Refused."""
    nodes: dict[int | str, ast.expr] = {}
    for step in (steps.base, *done):
        if any(isinstance(key, int) for key in step.given):
            nodes.update(enumerate(step.given.values(), len(nodes)))
            continue
        if set(step.given) & set(nodes):
            raise Refused("dynamic-sql", f"line {step.line} sets a parameter once more; give it another name")
        nodes.update(step.given)
    texts = {key: module.text(node) for key, node in nodes.items()}
    return "".join([steps.base.sql, *(step.sql for step in done)]), Parameters(texts, nodes)


def form_of(prepared: Prepared) -> Form:
    """The statement alone, taken apart."""
    text = statement_text(prepared, _FLAT, 0)
    node = ast.parse(text, mode="eval").body
    links: list[tuple[str, tuple[str, ...]]] = []
    while isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Call):
        arguments = (*node.args, *(k for k in node.keywords))
        links.append((node.func.attr, tuple(ast.get_source_segment(text, a) or "" for a in arguments)))
        node = node.func.value
    links.reverse()
    where = tuple(condition for name, conditions in links if name == "where" for condition in conditions)
    head = ast.get_source_segment(text, node) or ""
    return Form(head, where, tuple(link for link in links if link[0] != "where"))


def statement_text(prepared: Prepared, width: int, indent: int) -> str:
    """The statement that is executed, as text."""
    from ormlift.sql.write import write

    assert prepared.request is not None
    statement: Statement = prepared.statement
    request = replace(
        prepared.request, fetch=Fetch.STATEMENT, style="select", line_length=width, indent=indent, base_indent=0
    )
    written = write(statement, request)
    if isinstance(written, Reason):
        raise Refused(written.code, f"line {prepared.execution.line}: {written.message}")
    if written.above:
        message = f"the statement on line {prepared.execution.line} needs a variable above it"
        raise Refused("sql-not-supported", f"{message}; give it a statement of its own")
    return written.text


def step_ops(grown: Grown, module: Module) -> Iterator[Op]:
    """The base becomes a statement, and each step adds to it where it stands."""
    span, steps = module.span, grown.steps
    stays = f"{module.written(steps.place)}\n" if steps.place in steps.kept else ""
    yield ReplaceStatement(span(steps.place), stays + _base_text(grown, module))
    yield from (ReplaceStatement(span(statement)) for statement in steps.gone if statement not in steps.kept)
    for step in steps.steps():
        first, *rest = (statement for statement in step.statements if statement not in steps.kept)
        yield ReplaceStatement(span(first), _step_text(step, grown, module))
        yield from (ReplaceStatement(span(statement)) for statement in rest)


def _base_text(grown: Grown, module: Module) -> str:
    """`query = select(..)`."""
    head = f"{grown.steps.name} = "
    width = line_length(module) - module.span(grown.steps.place).col
    return head + statement_text(grown.base, width, len(head))


def _step_text(step: Step, grown: Grown, module: Module) -> str:
    """`query = query.where(..)`."""
    head, added = f"{grown.steps.name} = ", grown.added[step]
    links: list[Items | Atom] = [call("where", *_atoms(added.where))] if added.where else []
    links += [call(name, *_atoms(arguments)) for name, arguments in added.clauses]
    width = line_length(module) - module.span(step.statements[0]).col
    return head + lay_out(Chain(Atom(grown.steps.name), tuple(links)), width, len(head))


def _atoms(texts: Sequence[str]) -> list[Node]:
    return [Atom(text) for text in texts]
