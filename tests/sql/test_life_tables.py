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


@pytest.mark.parametrize("copy", ["app.old/models.py", "app-old/models.py", ".old/models.py"])
def test_a_copy_that_cannot_be_imported_is_no_model(copy: str) -> None:
    text = (
        'from app.db import open_db\n\n\ndef f():\n    conn = open_db()\n    conn.execute("SELECT stage FROM jobs")\n'
    )
    files = {**PROJECT, copy: PROJECT["app/models.py"], "app/jobs.py": text}
    index = link(read_facts(Source(path, held)) for path, held in files.items())
    assert {m.path for m in index.models} == {"app/models.py"}
    (site,) = find(Module.parse(Source("app/jobs.py", text)), Context(index, Settings()))
    assert isinstance(site, Rewrite)
    assert "model-chosen" not in {effect.code for effect in site.effects}


def test_models_below_such_a_folder_count_where_files_there_import_them() -> None:
    files = {"my-app/models.py": PROJECT["app/models.py"], "my-app/run.py": "from models import Job\n"}
    index = link(read_facts(Source(path, held)) for path, held in files.items())
    assert {(m.path, m.module) for m in index.models} == {("my-app/models.py", "models")}


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


_TWIN = """
from sqlalchemy import Integer, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class {name}(Base):
    __tablename__ = "parts"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    label: Mapped[str] = mapped_column({type})
"""


def _twins(other: str, head: str) -> Refusal | Rewrite:
    text = f"{head}\nfrom app.db import open_db\n\n\ndef f():\n    conn = open_db()\n"
    text += "    conn.execute(\"UPDATE parts SET label = 'x'\")\n"
    files = {**PROJECT, "app/jobs.py": text}
    files |= {"app/a/models.py": _TWIN.format(name="Part", type="String(20)")}
    files |= {"app/b/models.py": _TWIN.format(name="OtherPart", type=other)}
    index = link(read_facts(Source(path, held)) for path, held in files.items())
    (site,) = find(Module.parse(Source("app/jobs.py", text)), Context(index, Settings()))
    return site


@pytest.mark.parametrize(
    ("head", "name"), [("from app.b.models import OtherPart", "OtherPart"), ("from app.a.models import Part", "(Part")]
)
def test_of_classes_that_map_alike_the_imported_one_is_taken(head: str, name: str) -> None:
    site = _twins("String(20)", head)
    assert isinstance(site, Rewrite)
    assert any(name in getattr(op, "text", "") for op in site.ops)
    assert "model-chosen" in {effect.code for effect in site.effects}


@pytest.mark.parametrize("other", ["String(30)", "String(20), default='y'", "String(20), onupdate='y'"])
def test_of_classes_that_map_otherwise_none_is_taken(other: str) -> None:
    site = _twins(other, "from app.a.models import Part")
    assert isinstance(site, Refusal)
    assert site.reason.code == "table-not-mapped"
