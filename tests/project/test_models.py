"""Mapped classes: what the index reads is compared with what SQLAlchemy itself makes of the same text."""

from __future__ import annotations

import sys
import types
from textwrap import dedent

import pytest
import sqlalchemy
from ormlift.project.mapping import snake
from sqlalchemy import Table
from sqlalchemy.orm import Mapper, configure_mappers, registry

from tests.project.support import index_of

CLASSIC = """
import datetime as dt
import sqlalchemy as sa
from sqlalchemy import Boolean, Column as C, DateTime, Enum, ForeignKey, Integer, JSON, Numeric, String, Text, func
from sqlalchemy import Index, UniqueConstraint
from sqlalchemy.orm import declarative_base, declared_attr, relationship, deferred

Base = declarative_base()
STATE = Enum("open", "done", name="state")

class Stamped:
    created_at = C(DateTime, default=dt.datetime.now, nullable=False)
    updated_at = C(DateTime, server_default=func.now(), onupdate=func.now())

    @declared_attr
    def owner_id(cls):
        return C(Integer, ForeignKey("users.id"))

class Named:
    @declared_attr
    def __tablename__(cls):
        name = cls.__name__.lower() + "s"
        return name

class User(Base):
    __tablename__ = "users"
    id = C(Integer, primary_key=True)
    email = C("email_address", String(120), unique=True, nullable=False)
    bio = deferred(C(Text))
    jobs = relationship("Job", back_populates="user", foreign_keys="Job.user_id")

class Job(Stamped, Base):
    __tablename__ = "jobs"
    __table_args__ = (
        UniqueConstraint("user_id", "job_title"),
        Index("ix", "job_title", "price", unique=True),
        {"schema": None},
    )
    id = sa.Column(sa.Integer, primary_key=True, autoincrement=True)
    user_id = sa.Column(sa.ForeignKey(User.id), nullable=False)
    title = sa.Column(sa.String(50), name="job_title")
    price = sa.Column(Numeric(10, 2), default=0)
    data = sa.Column(JSON().with_variant(sa.Text(), "mysql"))
    state = sa.Column(STATE, server_default="open")
    active = sa.Column(Boolean, key="active", nullable=False)
    user = relationship(User, back_populates="jobs", foreign_keys=[user_id])

class Note(Named, Stamped, Base):
    id = C(Integer, primary_key=True)
"""

ANNOTATED = """
from __future__ import annotations
import datetime
import uuid
from decimal import Decimal
from typing import Optional
from sqlalchemy import BigInteger, ForeignKey, String, Column, Integer, LargeBinary
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, MappedAsDataclass

class Base(DeclarativeBase):
    type_annotation_map = {int: BigInteger}

class Keyed:
    id: Mapped[int] = mapped_column(primary_key=True)

class Author(Keyed, Base):
    __tablename__ = "authors"
    name: Mapped[str] = mapped_column(String(30))
    nick: Mapped[Optional[str]]
    born: Mapped[datetime.date | None]
    fee: Mapped["Decimal"] = mapped_column("fee_amount", default=Decimal(0))
    token: Mapped[uuid.UUID]
    rate: Mapped[bool] = mapped_column(nullable=True)
    old: Mapped[str] = Column(String)
    photo = Column(LargeBinary)
    books: Mapped[list["Book"]] = relationship(back_populates="author")

class Book(Keyed, Base):
    __tablename__ = "books"
    author_id: Mapped[int] = mapped_column(ForeignKey("authors.id"))
    author: Mapped["Author"] = relationship(back_populates="books")
"""

IMPERATIVE = """
from sqlalchemy import Column, ForeignKeyConstraint, Integer, MetaData, String, Table
from sqlalchemy.orm import registry, declarative_base

mapper_registry = registry()
things = Table(
    "things", mapper_registry.metadata, Column("id", Integer, primary_key=True), Column("n", String(5), key="name")
)
links = Table("links", mapper_registry.metadata, Column("a", Integer), Column("b", Integer))

class Thing:
    pass

mapper_registry.map_imperatively(Thing, things)

Base = declarative_base()

class Inner(Base):
    __table__ = Table("inner_t", Base.metadata, Column("k", Integer, primary_key=True), Column("v", String))
"""


def run(text: str, name: str) -> types.ModuleType:
    module = types.ModuleType(name)
    sys.modules[name] = module
    try:
        exec(dedent(text), module.__dict__)
        configure_mappers()
    finally:
        del sys.modules[name]
    RUN.append(module)
    return module


RUN: list[types.ModuleType] = []


@pytest.fixture(autouse=True)
def no_mappers_left():
    """Mapped classes of other tests stay mapped: only the registries of the modules run here are taken down."""
    yield
    for module in RUN:
        values = [getattr(value, "registry", value) for value in vars(module).values()]
        for made in {id(value): value for value in values if isinstance(value, registry)}.values():
            made.dispose()
    RUN.clear()


def mappers(module: types.ModuleType) -> dict[str, Mapper]:
    found = {}
    for name, value in vars(module).items():
        mapper = sqlalchemy.inspect(value, raiseerr=False) if isinstance(value, type) else None
        if isinstance(mapper, Mapper):
            found[name] = mapper
    return found


@pytest.mark.parametrize("text", [CLASSIC, ANNOTATED, IMPERATIVE], ids=["classic", "annotated", "imperative"])
def test_the_index_says_what_sqlalchemy_says(text):
    real = mappers(run(text, "shop"))
    index = index_of({"shop.py": text})
    assert real
    assert {m.name for m in index.models if not m.is_table} == set(real)
    for model in (m for m in index.models if not m.is_table):
        mapper = real[model.name]
        table = mapper.local_table
        assert isinstance(table, Table)
        assert (model.table, model.complete, model.module) == (table.name, True, "shop")
        assert {c.name: c.attr for c in model.columns} == {
            c.name: mapper.get_property_by_column(c).key for c in table.columns
        }
        for column in model.columns:
            same(column, next(c for c in table.columns if c.name == column.name))
        assert {r.attr for r in model.relationships} == set(mapper.relationships.keys())


def same(column, real):
    assert column.nullable == real.nullable, column
    assert column.primary_key == real.primary_key, column
    assert column.unique == bool(real.unique), column
    assert column.default == (real.default is not None), column
    assert column.server_default == (real.server_default is not None), column
    assert column.onupdate == (real.onupdate is not None), column
    assert [column.foreign_key] == ([f.target_fullname for f in real.foreign_keys] or [""]), column
    if not column.foreign_key:
        assert column.type == type(real.type).__name__, column


def test_unique_keys_are_columns_of_the_table():
    job = index_of({"shop.py": CLASSIC}).model_for_table("JOBS")
    assert job is not None
    assert set(job.unique_keys) == {("user_id", "job_title"), ("job_title", "price")}


def test_a_table_that_no_class_maps_is_a_table():
    tables = [m for m in index_of({"shop.py": IMPERATIVE}).models if m.is_table]
    assert [(t.name, t.table, [c.name for c in t.columns]) for t in tables] == [("links", "links", ["a", "b"])]


PROJECT = {
    "src/app/db/base.py": "from sqlalchemy.orm import declarative_base\nBase = declarative_base()\n",
    "src/app/db/__init__.py": "from .base import Base\n",
    "src/app/mixins.py": """
        from sqlalchemy import Column, Integer
        class Keyed:
            id = Column(Integer, primary_key=True)
        """,
    "src/app/models/user.py": """
        from app.db import Base
        from ..mixins import Keyed
        from sqlalchemy import Column, String
        class User(Keyed, Base):
            __tablename__ = "users"
            name = Column(String)
        """,
    "tests/test_x.py": """
        from sqlalchemy import Column, Integer
        from sqlalchemy.orm import declarative_base
        Base = declarative_base()
        class User(Base):
            __tablename__ = "users"
            id = Column(Integer, primary_key=True)
        """,
}


def test_bases_and_mixins_come_from_other_files_and_tests_do_not_shadow():
    user = index_of(PROJECT).model_for_table("users")
    assert user is not None
    assert (user.module, user.complete) == ("app.models.user", True)
    assert {c.name for c in user.columns} == {"id", "name"}


def test_a_base_that_cannot_be_read_leaves_the_class_incomplete():
    text = PROJECT["src/app/models/user.py"].replace("from ..mixins import Keyed", "from somewhere import Keyed")
    user = index_of({**PROJECT, "src/app/models/user.py": text}).model_for_table("users")
    assert user is not None
    assert not user.complete


@pytest.mark.parametrize(
    "line",
    ["score = make_column(Integer)", "score = Column(**options)", "score = Column(NAME, Integer, name=NAME)"],
)
def test_a_column_that_cannot_be_read_leaves_the_class_incomplete(line):
    body = "from sqlalchemy import Column, Integer\nfrom sqlalchemy.orm import declarative_base\n"
    body += "Base = declarative_base()\n"
    body += f"class T(Base):\n    __tablename__ = 't'\n    id = Column(Integer, primary_key=True)\n    {line}\n"
    model = index_of({"m.py": body}).model_for_table("t")
    assert model is not None
    assert not model.complete


def test_a_class_written_twice_is_incomplete():
    text = PROJECT["src/app/models/user.py"]
    twice = text + text.partition("Column, String")[2].replace("name =", "other =")
    assert "class User" in twice.partition("class User")[2]
    models = [m for m in index_of({**PROJECT, "src/app/models/user.py": twice}).models if m.module == "app.models.user"]
    assert [m.complete for m in models] == [False]


def test_two_models_of_one_table_are_no_answer():
    twice = {**PROJECT, "src/app/models/other.py": PROJECT["src/app/models/user.py"].replace("User", "Person")}
    assert index_of(twice).model_for_table("users") is None


@pytest.mark.parametrize(("asked", "found"), [("", False), ("sales", True), ("SALES", True), ("other", False)])
def test_a_model_of_another_schema_is_no_answer(asked, found):
    text = """
        from sqlalchemy import Column, Integer
        from sqlalchemy.orm import declarative_base
        Base = declarative_base()
        class T(Base):
            __tablename__ = "t"
            __table_args__ = {"schema": "sales"}
            id = Column(Integer, primary_key=True)
        """
    assert (index_of({"m.py": text}).model_for_table("t", asked) is not None) is found


@pytest.mark.parametrize(
    ("name", "table"),
    [("User", "user"), ("CamelCase", "camel_case"), ("HTTPLog", "http_log"), ("V2Item", "v2_item"), ("_Job", "job")],
)
def test_table_names_of_flask_sqlalchemy(name, table):
    text = f"""
        from flask_sqlalchemy import SQLAlchemy
        db = SQLAlchemy()
        class {name}(db.Model):
            id = db.Column(db.Integer, primary_key=True)
        """
    assert snake(name) == table
    assert [(m.name, m.table) for m in index_of({"m.py": text}).models] == [(name, table)]


def test_sqlmodel_fields_are_columns():
    text = """
        from typing import ClassVar, Optional
        from sqlmodel import Field, Relationship, SQLModel
        class HeroBase(SQLModel):
            name: str = Field(index=True)
            age: Optional[int] = None
        class Hero(HeroBase, table=True):
            kind: ClassVar[str] = "x"
            id: Optional[int] = Field(default=None, primary_key=True)
            team_id: int | None = Field(default=None, foreign_key="team.id")
            team: "Team" = Relationship()
        class HeroOut(HeroBase):
            id: int
        """
    (hero,) = index_of({"m.py": text}).models
    assert (hero.name, hero.table) == ("Hero", "hero")
    columns = {c.name: (c.type, c.nullable, c.primary_key, c.foreign_key) for c in hero.columns}
    assert columns == {
        "name": ("String", False, False, ""),
        "age": ("Integer", True, False, ""),
        "id": ("Integer", False, True, ""),
        "team_id": ("Integer", True, False, "team.id"),
    }


INHERITED = """
from sqlalchemy import Column, ForeignKey, Integer, String, event
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import declarative_base, validates
Base = declarative_base()
class Staff(Base):
    __tablename__ = "staff"
    id = Column(Integer, primary_key=True)
    kind = Column(String)
    __mapper_args__ = {"polymorphic_on": kind}
    @validates("kind")
    def check_kind(self, key, value):
        return value
    @hybrid_property
    def label(self):
        return self.kind
    def promote(self):
        self.kind = "manager"
    def shown(self):
        return self.kind
class Manager(Staff):
    level = Column(Integer)
    __mapper_args__ = {"polymorphic_identity": "manager"}
class Engineer(Staff):
    __tablename__ = "engineers"
    id = Column(ForeignKey("staff.id"), primary_key=True)
    __mapper_args__ = {"polymorphic_identity": "engineer"}
@event.listens_for(Staff, "before_insert")
def stamp(mapper, connection, target):
    pass
"""


def test_inheritance_hooks_and_methods():
    index = index_of({"m.py": INHERITED})
    models = {m.name: m for m in index.models}
    assert {n: (m.table, m.inherits_mapped) for n, m in models.items()} == {
        "Staff": ("staff", False),
        "Manager": ("staff", True),
        "Engineer": ("engineers", True),
    }
    assert index.model_for_table("staff") == models["Staff"]
    assert {"polymorphic_on", "validates:check_kind", "before_insert"} <= set(models["Staff"].hooks)
    assert models["Staff"].mutating_methods == ("promote",)
    assert models["Staff"].hybrids == ("label",)
    assert {c.name for c in models["Engineer"].columns} == {"id"}
    assert not models["Staff"].complete, "a subclass adds columns to the table"


def test_a_type_of_the_project_keeps_its_name():
    text = """
        from sqlalchemy import Column, Integer, Text, TypeDecorator
        from sqlalchemy.orm import declarative_base
        Base = declarative_base()
        class Packed(TypeDecorator):
            impl = Text
        class T(Base):
            __tablename__ = "t"
            id = Column(Integer, primary_key=True)
            data = Column(Packed(5))
        """
    model = index_of({"m.py": text}).model_for_table("t")
    assert model is not None
    assert [(c.type, c.impl, c.type_args) for c in model.columns] == [("Integer", "", ""), ("Packed", "Text", "5")]


def test_methods_that_change_and_properties_of_columns_alone() -> None:
    text = """
        from sqlalchemy import Column, Integer
        from sqlalchemy.orm import declarative_base, relationship

        Base = declarative_base()

        class Mixin:
            def reset(self):
                self.state = 0

        class Job(Mixin, Base):
            __tablename__ = "jobs"
            id = Column(Integer, primary_key=True)
            state = Column(Integer)
            tasks = relationship("Task")

            def again(self):
                return self.reset()

            def take(self, task):
                self.tasks.append(task)

            def hand(self):
                return register(self)

            def deep(self):
                self.tasks[0].title = "x"

            def label(self):
                return f"{self.id}: {len(self.tasks)}"

            @property
            def words(self):
                return str(self.state)

            @property
            def first(self):
                return self.tasks[0]

            @property
            def itself(self):
                return self

            @property
            def counted(self):
                self.state += 1
                return self.state
    """
    (job,) = index_of({"app/models.py": text}).models
    assert job.mutating_methods == ("again", "counted", "deep", "hand", "reset", "take")
    assert job.mutating_properties == ("counted",)
    assert job.plain_properties == ("words",)
    assert "label" in job.methods
