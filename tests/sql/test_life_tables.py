"""Which of several classes that map one table a statement means."""

import pytest
from ormlift.model import Refusal, Rewrite, Settings, Source
from ormlift.project.facts import read_facts
from ormlift.project.index import link
from ormlift.rules.base import Context
from ormlift.rules.cursor_to_orm import find
from ormlift.rules.examples.cursor_to_orm import PROJECT
from ormlift.syntax import Module

_OTHER = """
from sqlalchemy import Integer, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Other(DeclarativeBase):
    pass


class OldJob(Other):
    __tablename__ = "jobs"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    ticket: Mapped[str] = mapped_column(String(20))
    owner: Mapped[str] = mapped_column(String(20))
"""


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("SELECT stage FROM jobs WHERE ticket = 'T'", "Job.stage"),
        ("SELECT owner FROM jobs", "OldJob.owner"),
        ("UPDATE jobs SET owner = 'x'", "update(OldJob)"),
        ("SELECT ticket FROM jobs", ""),
        ("SELECT * FROM jobs", ""),
        ("SELECT stage, owner FROM jobs", ""),
    ],
)
def test_the_columns_tell(sql: str, name: str) -> None:
    text = f'from app.db import open_db\n\n\ndef f():\n    conn = open_db()\n    conn.execute("{sql}")\n'
    files = {**PROJECT, "app/old/models.py": _OTHER, "app/jobs.py": text}
    index = link(read_facts(Source(path, held)) for path, held in files.items())
    (site,) = find(Module.parse(Source("app/jobs.py", text)), Context(index, Settings()))
    if not name:
        assert isinstance(site, Refusal)
        assert site.reason.code == "table-not-mapped"
        return
    assert isinstance(site, Rewrite)
    assert any(name in getattr(op, "text", "") for op in site.ops)
    assert "model-chosen" in {effect.code for effect in site.effects}
