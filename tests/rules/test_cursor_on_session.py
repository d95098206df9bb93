"""Every example of `cursor-on-session`; and that what is told really fails."""

import pytest
from ormlift.model import Planned, Settings, Source
from ormlift.plan import plan_file
from ormlift.project.facts import read_facts
from ormlift.project.index import link
from ormlift.rules.base import Example
from ormlift.rules.cursor_on_session import CODEMOD
from sqlalchemy import create_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from tests.rules.checks import PATH, check_example

MODELS = """\
from sqlalchemy import Column, Integer
from sqlalchemy.orm import declarative_base

Base = declarative_base()


class Job(Base):
    __tablename__ = "jobs"

    id = Column(Integer, primary_key=True)
    stage = Column(Integer)
"""


@pytest.mark.parametrize("example", CODEMOD.examples, ids=lambda e: e.title)
def test_example(example: Example) -> None:
    check_example(CODEMOD, example)


def test_none_of_them_has_a_cursor() -> None:
    engine = create_engine("sqlite://")
    factory = scoped_session(sessionmaker(engine))
    for held in (Session(engine), factory, factory(), engine.connect()):
        with pytest.raises(AttributeError, match="no attribute 'cursor'"):
            held.cursor()


def test_with_cursor_to_orm_each_site_is_told_once() -> None:
    """The rewrite of the one takes in the site of the other, whose fault stays told."""
    before = CODEMOD.examples[0].before
    project = {**CODEMOD.examples[0].project, "app/models.py": MODELS}
    index = link(read_facts(Source(path, text)) for path, text in {**project, PATH: before}.items())
    settings = Settings(codemods=("cursor-to-orm", CODEMOD.id), unsafe=True)
    outcome = plan_file(Source(PATH, before), index, settings)
    assert isinstance(outcome, Planned)
    assert [(s.codemod, s.status.value) for s in outcome.sites] == [
        ("cursor-to-orm", "rewritten"),
        (CODEMOD.id, "rewritten"),
    ]
    covered = outcome.sites[1]
    assert covered.reason is not None
    assert covered.reason.code == "covered"
    assert covered.fault is not None
    assert covered.fault.code == "cursor-on-session"
    assert ".cursor()" not in outcome.after.text
