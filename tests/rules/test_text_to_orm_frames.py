"""SQL that pandas reads on an engine or connection of SQLAlchemy: the frames are the same before and after.

pandas is no dependency: where it is not installed, what becomes of the code is checked, and the frames are not.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from ormlift.model import Planned, Refused, Settings, Source
from ormlift.plan import plan_file
from ormlift.project.facts import read_facts
from ormlift.project.index import link
from sqlalchemy import create_engine

MODELS = """
from datetime import datetime
from decimal import Decimal

from sqlalchemy import JSON, Boolean, DateTime, Float, Integer, Numeric, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Crate(Base):
    __tablename__ = "ormlift_crates"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    code: Mapped[str | None] = mapped_column(String(20))
    kind: Mapped[str] = mapped_column("kind_name", String(20))
    weight: Mapped[float | None] = mapped_column(Float)
    many: Mapped[int | None] = mapped_column(Integer)
    price: Mapped[Decimal | None] = mapped_column(Numeric(8, 2))
    made: Mapped[datetime | None] = mapped_column(DateTime)
    open: Mapped[bool | None] = mapped_column(Boolean)
    notes: Mapped[dict | None] = mapped_column(JSON)
"""
ROWS = [
    {"id": 1, "code": "A", "kind_name": "x", "weight": 1.5, "many": 3, "price": "2.50", "made": "2024-05-01 10:00:00",
     "open": True, "notes": '{"a": [1]}'},
    {"id": 2, "code": None, "kind_name": "y", "weight": None, "many": None, "price": None, "made": None, "open": None,
     "notes": None},
    {"id": 3, "code": "Größe 100%", "kind_name": "x", "weight": 0.0, "many": 0, "price": "0.10",
     "made": "2024-02-29 23:59:59", "open": False, "notes": "{}"},
]  # fmt: skip
HEAD = """import pandas as pd
from sqlalchemy import text
from app.db import engine


def go(kind):
"""
PLAIN = {
    "a text with a parameter": """
    with engine.connect() as conn:
        return pd.read_sql(text("SELECT id, code FROM ormlift_crates WHERE kind_name = :kind"), con=conn,
                           params={"kind": kind})
""",
    "a string on an engine": """
    sql = "SELECT id, code, many, weight FROM ormlift_crates WHERE code >= 'A' OR id < 3 ORDER BY id"
    frame = pd.read_sql_query(sql, engine)
    return frame
""",
    "a column that the model calls otherwise": """
    return pd.read_sql(sql=text("SELECT kind_name, id FROM ormlift_crates WHERE kind_name = :k"),
                       params=dict(k=kind), con=engine)
""",
    "aliases and numbers": """
    return pd.read_sql(text("SELECT COUNT(*) AS n, kind_name AS name, SUM(many) AS total FROM ormlift_crates "
                            "GROUP BY kind_name ORDER BY name"), engine, "name")
""",
    "options by their places": """
    sql = text("SELECT id, code FROM ormlift_crates WHERE kind_name = :k")
    return pd.read_sql_query(sql, engine, None, True, {"k": kind}, None)
""",
    "rows by pieces": """
    parts = pd.read_sql(text("SELECT id, code FROM ormlift_crates ORDER BY id"), engine, chunksize=2)
    return pd.concat(list(parts))
""",
    "used at once": """
    return sorted(pd.read_sql(text("SELECT DISTINCT many FROM ormlift_crates WHERE many >= :n"), con=engine,
                              params={"n": len(kind) - 1})["many"])
""",
    "a value in the text": """
    return pd.read_sql(text(f"SELECT id, weight FROM ormlift_crates WHERE kind_name = '{kind}' ORDER BY id"), engine)
""",
}
TYPED = {
    "a date": "made", "a truth": "open", "a decimal": "price", "a document": "notes",
}  # fmt: skip
STAYS = {
    "a column without a name": 'pd.read_sql(text("SELECT MAX(many) FROM ormlift_crates"), engine)',
    "a name of two columns": (
        'pd.read_sql(text("SELECT a.id, b.id FROM ormlift_crates a JOIN ormlift_crates b ON a.id = b.many"), engine)'
    ),
    "a connection of a driver": 'pd.read_sql("SELECT id FROM ormlift_crates", conn)',
    "a session": 'pd.read_sql(text("SELECT id FROM ormlift_crates"), session)',
    "a string that is put together": 'pd.read_sql("SELECT id FROM ormlift_crates WHERE " + kind, engine)',
    "a list in quotes": (
        """pd.read_sql(text(f"SELECT id FROM ormlift_crates WHERE code IN ('{"', '".join(kind)}')"), engine)"""
        if sys.version_info >= (3, 12)
        else """pd.read_sql(text("SELECT id FROM ormlift_crates WHERE code IN ('%s')" % "', '".join(kind)), engine)"""
    ),
    "a list in quotes that may be one": (
        """pd.read_sql(text(f"SELECT id FROM ormlift_crates WHERE code IN ('{kind}')"), engine)"""
    ),
    "another table": 'pd.read_sql(text("SELECT id FROM others"), engine)',
    "arguments that are not seen": 'pd.read_sql(text("SELECT id FROM ormlift_crates"), *kind)',
    "parameters that are not seen": (
        'pd.read_sql(text("SELECT id FROM ormlift_crates WHERE id = :i AND many = :i"), engine, params=[kind])'
    ),
    "a write": 'pd.read_sql(text("DELETE FROM ormlift_crates"), engine)',
}


def plan(text: str, dialect: str = "sqlite") -> Planned | Refused:
    db = f"from sqlalchemy import create_engine\n\nengine = create_engine('{dialect}:///crates.db')\n"
    files = {"app/models.py": MODELS, "app/db.py": db, "app/work.py": text}
    index = link(read_facts(Source(path, held)) for path, held in files.items())
    settings = Settings(unsafe=True, codemods=("text-to-orm",), dialect=dialect)
    outcome = plan_file(Source("app/work.py", text), index, settings)
    assert isinstance(outcome, Planned | Refused), outcome
    return outcome


class Shelf:
    """A database with crates, and programs run on it."""

    def __init__(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        models, db = types.ModuleType("app.models"), types.ModuleType("app.db")
        for name, module in {"app": types.ModuleType("app"), "app.db": db, "app.models": models}.items():
            monkeypatch.setitem(sys.modules, name, module)
        exec(MODELS, models.__dict__)
        self.engine = db.engine = create_engine(url)  # type: ignore[attr-defined]
        self.base = models.Base
        self.base.metadata.drop_all(self.engine)
        self.base.metadata.create_all(self.engine)
        with self.engine.begin() as connection:
            for row in ROWS:
                names = ", ".join(row)
                values = ", ".join("NULL" if v is None else repr(v) for v in row.values())
                connection.exec_driver_sql(f"INSERT INTO ormlift_crates ({names}) VALUES ({values})".replace("%", "%%"))

    def run(self, program: str, kind: str) -> Any:
        space: dict[str, Any] = {"__name__": "app.work"}
        exec(compile(program, "app/work.py", "exec"), space)
        return space["go"](kind)


@pytest.fixture(params=["sqlite", "postgresql"])
def shelf(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    if importlib.util.find_spec("pandas") is None:
        pytest.skip("pandas is not installed")
    url = f"sqlite:///{tmp_path / 'crates.db'}"
    if request.param != "sqlite":
        url = os.environ.get("ORMLIFT_TEST_POSTGRESQL", "")
    if not url:
        pytest.skip("no server")
    made = Shelf(url, monkeypatch)
    yield made
    made.base.metadata.drop_all(made.engine)
    made.engine.dispose()


def same(one: Any, other: Any) -> None:
    if isinstance(one, list):
        assert repr(one) == repr(other)
        return
    from pandas.testing import assert_frame_equal

    assert_frame_equal(one, other)
    assert [type(name) for name in one.columns] == [type(name) for name in other.columns] or one.empty is not None
    assert [[type(v) for v in row] for row in one.values] == [[type(v) for v in row] for row in other.values]


@pytest.mark.parametrize("name", PLAIN)
def test_it_is_rewritten(name: str) -> None:
    outcome = plan(HEAD + PLAIN[name])
    assert isinstance(outcome, Planned), outcome.sites
    (site,) = outcome.sites
    assert {e.code for e in site.effects} <= {"interpolated"}
    assert "SELECT" not in outcome.after.text
    assert "params" not in outcome.after.text


@pytest.mark.parametrize("name", PLAIN)
def test_the_frames_are_the_same(name: str, shelf: Shelf) -> None:
    before = HEAD + PLAIN[name]
    outcome = plan(before, shelf.engine.dialect.name)
    assert isinstance(outcome, Planned), outcome.sites
    for kind in ("x", "y", "none", "it's"):
        if "'{kind}'" not in before or "'" not in kind:
            same(shelf.run(before, kind), shelf.run(outcome.after.text, kind))


@pytest.mark.parametrize("name", TYPED)
def test_a_type_that_changes_is_told_where_it_does(name: str, shelf: Shelf) -> None:
    before = f'{HEAD}    return pd.read_sql(text("SELECT id, {TYPED[name]} FROM ormlift_crates ORDER BY id"), engine)\n'
    outcome = plan(before, shelf.engine.dialect.name)
    assert isinstance(outcome, Planned), outcome.sites
    (site,) = outcome.sites
    old, new = shelf.run(before, "x"), shelf.run(outcome.after.text, "x")
    if shelf.engine.dialect.name == "sqlite":
        assert [e.code for e in site.effects] == ["result-type"]
        assert list(old.columns) == list(new.columns)
    else:
        assert not site.effects
        same(old, new)


@pytest.mark.parametrize("sql", ["code IN ('x', '{all}')", "code = '{all}'", "id IN ({all})", "code NOT IN ('{all}')"])
def test_a_value_whose_code_says_quotes_stays(sql: str) -> None:
    body = f"""    all = "', '".join(kind)
    with engine.connect() as conn:
        return conn.execute(text(f"SELECT id FROM ormlift_crates WHERE {sql}")).fetchall()
"""
    outcome = plan(HEAD + body)
    assert isinstance(outcome, Refused)
    assert [site.reason.code for site in outcome.sites if site.reason] == ["dynamic-sql"]


@pytest.mark.parametrize("name", STAYS)
def test_it_stays(name: str) -> None:
    outcome = plan(f"{HEAD}    return {STAYS[name]}\n")
    assert isinstance(outcome, Refused)
    (site,) = outcome.sites
    assert site.reason is not None
    assert ";" in site.reason.message
