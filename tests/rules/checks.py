"""What every test of a check does with its examples: planned, compared, and planned again."""

from __future__ import annotations

from dataclasses import replace

from ormlift.model import Outcome, Planned, Settings, SiteReport, Source, Status, Unchanged
from ormlift.plan import plan_file
from ormlift.project.facts import read_facts
from ormlift.project.graph import ImportGraph, import_lines
from ormlift.project.index import ProjectIndex, link
from ormlift.project.mentions import Search
from ormlift.project.texts import Texts
from ormlift.rules.base import Codemod, Example

PATH = "app/jobs.py"


def index_with(example: Example, text: str) -> ProjectIndex:
    """The index of an example's project, with the file as it stands."""
    texts = {**example.project, PATH: text}
    known = link(read_facts(Source(path, held)) for path, held in texts.items())
    index = replace(known, imports=ImportGraph({path: import_lines(held) for path, held in texts.items()}))
    search = Search(index.health.asked(), index.imports)
    for path, held in texts.items():
        search.look(path, held)
    return replace(index, mentions=search.found(), texts=Texts.of(texts))


def plan(codemod: Codemod, example: Example, text: str, *, unsafe: bool = True) -> Outcome:
    """What becomes of the text under one codemod."""
    settings = Settings(dialect=example.settings.dialect, codemods=(codemod.id,), unsafe=unsafe)
    return plan_file(Source(PATH, text), index_with(example, text), settings)


def check_example(codemod: Codemod, example: Example) -> None:
    """The example is found, told and changed as it says; a second run finds no more."""
    outcome = plan(codemod, example, example.before)
    if example.after is None and not example.reason:
        assert outcome == Unchanged(PATH)
        return
    assert not isinstance(outcome, Unchanged)
    (site,) = outcome.sites
    _check_words(codemod, site)
    assert (site.fault.code if site.fault else "") == example.fault
    if example.after is None:
        assert site.status is Status.REFUSED
        assert site.reason is not None
        assert site.reason.code == example.reason
        return
    assert isinstance(outcome, Planned)
    assert outcome.after.text == example.after
    assert sorted({effect.code for effect in site.effects}) == sorted(example.effects)
    again = plan(codemod, example, example.after)
    assert not isinstance(again, Planned)
    if example.effects:
        assert not isinstance(plan(codemod, example, example.before, unsafe=False), Planned)


def _check_words(codemod: Codemod, site: SiteReport) -> None:
    if site.fault is not None:
        assert site.fault.code in codemod.faults
        assert "\n" not in site.fault.message
    if site.status is Status.REFUSED and site.reason is not None:
        assert site.reason.code in codemod.reasons
    assert {effect.code for effect in site.effects} <= set(codemod.effects)
