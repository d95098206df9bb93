"""What `init` found, shown in a few lines; and the scope that it may write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ormlift.model import Source

from ormlift_cli.files import read
from ormlift_cli.render.console import Console
from ormlift_cli.run import Survey

if TYPE_CHECKING:
    from ormlift.setup.propose import Proposal, Step
    from ormlift.setup.session import Written

    from ormlift_cli.phases import ProposedPhase


@dataclass(frozen=True)
class ScopePlan:
    """A scope that can be written."""

    name: str
    before: bytes
    after: Source
    title: str
    body: str
    note: str = ""  # what the project needs from now on


def proposed_steps(phases: Sequence[ProposedPhase]) -> list[Step]:
    """The phases, as the configuration is told them."""
    from ormlift.setup.propose import Step

    return [Step(p.phase.name, p.phase.paths, p.phase.codemods, f"{p.priority}: {p.why}") for p in phases]


def show(proposal: Proposal, console: Console) -> None:
    """What was found, one line each."""
    from ormlift.setup.propose import does, reference

    def tell(name: str, text: str) -> None:
        console.say(f"{console.paint(name.ljust(12), 'bold')} {text}")

    tell("dialect", f"{proposal.dialect} ({proposal.dialect_why})")
    for scope in (*proposal.scopes, *proposal.other_scopes)[:8]:
        tell("scope", f"{reference(scope)}: {does(scope)} ({scope.path}:{scope.line})")
    for factory in proposal.factories[:8]:
        tell("factory", f"{reference(factory)} ({factory.path}:{factory.line})")
    tell("models", f"{proposal.mapped} in {', '.join(proposal.models)}" if proposal.mapped else "none")
    for name, why in proposal.connections:
        tell("connection", f"{name}: to the engine's own database ({why})")
    for opener in proposal.openers[:8]:
        to = f" to {opener.database}" if opener.database else ""
        tell("connection", f"{reference(opener)}:{to} ({opener.path}:{opener.line})")
    for step in proposal.steps:
        tell("phase", f"{step.name}: {step.why}")
    if not proposal.steps:
        tell("phase", "none: no site was found")


def plan_scope(proposal: Proposal, found: Survey) -> tuple[ScopePlan | None, str]:
    """The scope that could be written, or why none can."""
    from ormlift.setup.session import SetupError, needs_arguments, why_not, write_scope, write_session
    from ormlift.source import decode

    problem = "the project has neither a session factory nor a function that opens a connection; write one by hand"
    for factory in sorted(proposal.factories, key=lambda f: (bool(f.owner), f.is_async, f.scoped)):
        try:
            before = read(found.project.root, factory.path)
            written = write_scope(decode(factory.path, before), factory)
        except (SetupError, OSError, SyntaxError, UnicodeDecodeError) as error:
            problem = str(error)
            continue
        return _plan(before, written, f"beside {factory.name}"), ""
    if proposal.factories:
        return None, problem
    for opener in proposal.openers:
        try:
            before = read(found.project.root, opener.path)
            source = decode(opener.path, before)
            if reason := why_not(opener):
                raise SetupError(reason)
            if needs_arguments(source, opener):
                raise SetupError(f"{opener.name}() of {opener.path} needs arguments; write an engine by hand")
            written = write_session(source, opener)
        except (SetupError, OSError, SyntaxError, UnicodeDecodeError) as error:
            problem = str(error)
            continue
        plan = _plan(before, written, f"whose engine opens its connections by {opener.name}")
        return replace(plan, note="SQLAlchemy is needed from now on: add it to the project's dependencies"), ""
    return None, problem


def _plan(before: bytes, written: Written, where: str) -> ScopePlan:
    body = f"A session that commits at the end, rolls back on an error and always closes, {where}."
    title = f"Add {written.scope} to {written.source.path}"
    return ScopePlan(written.scope, before, written.source, title, body)
