"""What `init` found, shown in a few lines; and the scope that it may write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ormlift.model import Source
from ormlift.source import decode

from ormlift_cli.files import read
from ormlift_cli.names import unknown
from ormlift_cli.phases import TESTS, kind_of
from ormlift_cli.render.console import Console
from ormlift_cli.run import Survey

if TYPE_CHECKING:
    from ormlift.schema import SessionFactory
    from ormlift.setup.propose import Proposal, Step
    from ormlift.setup.session import Written

    from ormlift_cli.phases import ProposedPhase


_NEEDED = "SQLAlchemy is needed from now on: add it to the project's dependencies"


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


def plan_scope(proposal: Proposal, found: Survey, beside: str = "") -> tuple[ScopePlan | None, str]:
    """The scope that could be written, or why none can. `beside` is the factory that the user named.

    Raises UserError where there is no factory of that name.
    """
    if beside or proposal.factories:
        return _beside_factory(proposal, found, beside)
    return _beside_opener(proposal, found)


def _beside_factory(proposal: Proposal, found: Survey, beside: str) -> tuple[ScopePlan | None, str]:
    from ormlift.setup.propose import reference
    from ormlift.setup.session import SetupError, write_scope

    known = {reference(factory): factory for factory in proposal.factories}
    if beside and beside not in known:
        raise unknown("session factory", beside, list(known))
    fit = [known[beside]] if beside else _fittest(proposal.factories)
    if len({factory.bind or reference(factory) for factory in fit}) > 1:
        names = ", ".join(reference(factory) for factory in fit[:4])
        return None, f"the project has several session factories ({names}); say beside which with --beside NAME"
    try:
        before = read(found.project.root, fit[0].path)
        written = write_scope(decode(fit[0].path, before), fit[0])
    except (SetupError, OSError, SyntaxError, UnicodeDecodeError) as error:
        return None, str(error)
    return _plan(before, written, f"beside {fit[0].name}"), ""


def _fittest(factories: Sequence[SessionFactory]) -> list[SessionFactory]:
    """Those of the application, at module level, not async and not shared, as far as there are any."""
    fit = list(factories)
    for worse in (
        lambda f: kind_of(f.path)[0] in ("scripts", TESTS),
        lambda f: bool(f.owner),
        lambda f: f.is_async,
        lambda f: f.scoped,
    ):
        fit = [factory for factory in fit if not worse(factory)] or fit
    return fit


def _beside_opener(proposal: Proposal, found: Survey) -> tuple[ScopePlan | None, str]:
    from ormlift.setup.session import SetupError, needs_arguments, why_not, write_session

    problem = "the project has neither a session factory nor a function that opens a connection; write one by hand"
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
        return replace(_plan(before, written, f"whose engine opens its connections by {opener.name}"), note=_NEEDED), ""
    return _beside_constant(found, problem)


def _beside_constant(found: Survey, problem: str) -> tuple[ScopePlan | None, str]:
    """An engine for a database that each function opens by itself."""
    from ormlift.setup.direct import find_database
    from ormlift.setup.session import SetupError, write_engine

    from ormlift_cli.texts import sources

    database, texts = find_database(sources(found.project))
    if database is None:
        several = f"connections are opened to {', '.join(texts[:4])}; write an engine and a scope by hand"
        return None, several if texts else problem
    try:
        before = read(found.project.root, database.path)
        written = write_engine(decode(database.path, before), database)
    except (SetupError, OSError, SyntaxError, UnicodeDecodeError) as error:
        return None, str(error)
    others = f"; left aside: connections to {', '.join(texts[:4])}" if texts else ""
    plan = _plan(before, written, f"whose engine opens {database.text}, as {database.calls} calls do")
    return replace(plan, note=_NEEDED + others), ""


def _plan(before: bytes, written: Written, where: str) -> ScopePlan:
    body = f"A session that commits at the end, rolls back on an error and always closes, {where}."
    title = f"Add {written.scope} to {written.source.path}"
    return ScopePlan(written.scope, before, written.source, title, body)
