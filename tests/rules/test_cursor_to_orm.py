"""Every example of `cursor-to-orm`: planned, compared, and planned again."""

import pytest
from ormlift.model import Planned, Rewrite, Settings, Source, Status, Unchanged, Verdict
from ormlift.plan import plan_file
from ormlift.project.index import ProjectIndex
from ormlift.rules.base import Context, Example
from ormlift.rules.cursor_to_orm import CODEMOD, find
from ormlift.syntax import Module

from tests.rules.cursor_runs import whole_index

PATH = "app/jobs.py"
REFUSED = [e for e in CODEMOD.examples if e.reason]
SETTINGS = Settings(codemods=(CODEMOD.id,), unsafe=True)


def _index(example: Example, text: str) -> ProjectIndex:
    return whole_index({**example.project, PATH: text})


@pytest.mark.parametrize("example", CODEMOD.examples, ids=lambda e: e.title)
def test_example(example: Example) -> None:
    outcome = plan_file(Source(PATH, example.before), _index(example, example.before), SETTINGS)
    if example.after is None and not example.reason:
        assert outcome == Unchanged(PATH)
        return
    assert not isinstance(outcome, Unchanged)
    if example.after is None:
        assert {(s.status, s.reason.code if s.reason else "") for s in outcome.sites} == {
            (Status.REFUSED, example.reason)
        }
        return
    assert isinstance(outcome, Planned)
    assert outcome.after.text == example.after
    assert {site.status for site in outcome.sites} == {Status.REWRITTEN}
    assert {effect.code for site in outcome.sites for effect in site.effects} == set(example.effects)
    again = plan_file(outcome.after, _index(example, example.after), SETTINGS)
    assert isinstance(again, Unchanged)


@pytest.mark.parametrize("example", CODEMOD.examples, ids=lambda e: e.title)
def test_words_are_declared_and_statements_certified(example: Example) -> None:
    module = Module.parse(Source(PATH, example.before))
    for site in find(module, Context(_index(example, example.before), SETTINGS)):
        if isinstance(site, Rewrite):
            assert {effect.code for effect in site.effects} <= set(CODEMOD.effects)
            assert site.certificates or site.mates
            assert {c.verdict for c in site.certificates} <= {Verdict.PROVEN, Verdict.TESTED}
        else:
            assert site.reason.code in CODEMOD.reasons


@pytest.mark.parametrize("example", CODEMOD.examples, ids=lambda e: e.title)
def test_crlf_and_tabs_stay(example: Example) -> None:
    if example.after is None:
        return
    before = example.before.replace("    ", "\t").replace("\n", "\r\n")
    outcome = plan_file(Source(PATH, before), _index(example, before), SETTINGS)
    assert isinstance(outcome, Planned)
    text = outcome.after.text
    assert text.count("\n") == text.count("\r\n")
    assert Module.parse(outcome.after)


def test_unsafe_is_not_applied_unasked() -> None:
    for example in CODEMOD.examples:
        outcome = plan_file(
            Source(PATH, example.before), _index(example, example.before), Settings(codemods=(CODEMOD.id,))
        )
        assert isinstance(outcome, Planned) == (example.after is not None and not example.effects)


def test_as_much_stays_as_changes() -> None:
    assert len(REFUSED) >= sum(e.after is not None for e in CODEMOD.examples)
