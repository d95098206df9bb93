"""Every example of `session-scope`: planned, compared, and planned again."""

from dataclasses import replace

import pytest
from ormlift.model import Planned, Rewrite, Settings, Source, Status, Unchanged
from ormlift.plan import plan_file
from ormlift.project.facts import read_facts
from ormlift.project.index import ProjectIndex, link
from ormlift.rules.base import Context, Example
from ormlift.rules.session_scope import CODEMOD, find
from ormlift.syntax import Module

PATH = "app/jobs.py"


def _index(example: Example, text: str) -> ProjectIndex:
    return link(read_facts(Source(path, held)) for path, held in {**example.project, PATH: text}.items())


def _settings(example: Example) -> Settings:
    return replace(example.settings, codemods=(CODEMOD.id,), unsafe=True)


@pytest.mark.parametrize("example", CODEMOD.examples, ids=lambda e: e.title)
def test_example(example: Example) -> None:
    outcome = plan_file(Source(PATH, example.before), _index(example, example.before), _settings(example))
    if example.after is None and not example.reason:
        assert outcome == Unchanged(PATH)
        return
    assert not isinstance(outcome, Unchanged)
    (site,) = outcome.sites
    if example.after is None:
        assert site.status is Status.REFUSED
        assert site.reason is not None
        assert site.reason.code == example.reason
        return
    assert isinstance(outcome, Planned)
    assert outcome.after.text == example.after
    assert tuple(sorted({effect.code for effect in site.effects})) == tuple(sorted(example.effects))
    again = plan_file(outcome.after, _index(example, example.after), _settings(example))
    assert isinstance(again, Unchanged)


@pytest.mark.parametrize("example", CODEMOD.examples, ids=lambda e: e.title)
def test_words_are_declared(example: Example) -> None:
    module = Module.parse(Source(PATH, example.before))
    for site in find(module, Context(_index(example, example.before), example.settings)):
        if isinstance(site, Rewrite):
            assert {effect.code for effect in site.effects} <= set(CODEMOD.effects)
        else:
            assert site.reason.code in CODEMOD.reasons


@pytest.mark.parametrize("example", CODEMOD.examples, ids=lambda e: e.title)
def test_prefilter_lets_sites_through(example: Example) -> None:
    data = example.before.encode()
    assert any(all(needle in data for needle in needles) for needles in CODEMOD.needles)


def test_unsafe_is_not_applied_unasked() -> None:
    for example in CODEMOD.examples:
        if example.effects:
            settings = replace(example.settings, codemods=(CODEMOD.id,))
            outcome = plan_file(Source(PATH, example.before), _index(example, example.before), settings)
            assert not isinstance(outcome, Planned)
