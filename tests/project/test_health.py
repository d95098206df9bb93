"""Forms in which models are written: sound ones say nothing, and one wrong name in each is found."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from ormlift.model import Source
from ormlift.project.facts import read_facts
from ormlift.project.graph import ImportGraph, import_lines
from ormlift.project.index import link
from ormlift.project.mentions import Search

SQLMODEL = """\
from typing import List, Optional
from sqlmodel import Field, Relationship, SQLModel
class Link(SQLModel, table=True):
    team_id: Optional[int] = Field(default=None, foreign_key="team.id", primary_key=True)
    hero_id: Optional[int] = Field(default=None, foreign_key="hero.id", primary_key=True)
class Team(SQLModel, table=True):
    id: Optional[int] = Field(default=None, primary_key=True)
    heroes: List["Hero"] = Relationship(back_populates="team")
    many: List["Hero"] = Relationship(back_populates="teams", link_model=Link)
class Hero(SQLModel, table=True):
    id: Optional[int] = Field(default=None, primary_key=True)
    team_id: Optional[int] = Field(default=None, foreign_key="team.id")
    team: Optional[Team] = Relationship(back_populates="heroes")
    teams: List[Team] = Relationship(back_populates="many", link_model=Link)
"""
FLASK = """\
from flask_sqlalchemy import SQLAlchemy
db = SQLAlchemy()
tags = db.Table(
    "tags",
    db.Column("post_id", db.Integer, db.ForeignKey("post.id")),
    db.Column("tag_id", db.Integer, db.ForeignKey("tag.id")),
)
class Post(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    author_id = db.Column(db.Integer, db.ForeignKey("user_account.id"))
    tags = db.relationship("Tag", secondary=tags, backref=db.backref("posts", lazy="dynamic"))
    children = db.relationship("Comment", backref="post", lazy=True)
class Tag(db.Model):
    id = db.Column(db.Integer, primary_key=True)
class Comment(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    post_id = db.Column(db.Integer, db.ForeignKey("post.id"))
class UserAccount(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    posts = db.relationship("Post", backref="author")
"""
ANNOTATED = """\
from __future__ import annotations
from typing import TYPE_CHECKING, List, Optional
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, declared_attr
class Base(DeclarativeBase): pass
class Stamp:
    @declared_attr
    def owner_id(cls) -> Mapped[int]: return mapped_column(ForeignKey("users.id"))
    @declared_attr
    def owner(cls) -> Mapped["User"]: return relationship("User", foreign_keys=[cls.owner_id])
class User(Base):
    __tablename__="users"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "u"}
class Admin(User):
    __mapper_args__ = {"polymorphic_identity": "a"}
    docs: Mapped[List[Doc]] = relationship(back_populates="admin", foreign_keys="Doc.admin_id")
class Doc(Stamp, Base):
    __tablename__="docs"
    id: Mapped[int] = mapped_column(primary_key=True)
    admin_id: Mapped[Optional[int]] = mapped_column(ForeignKey("users.id"))
    parent_id: Mapped[Optional[int]] = mapped_column(ForeignKey("docs.id"))
    admin: Mapped[Optional[Admin]] = relationship(back_populates="docs", foreign_keys=[admin_id])
    parent: Mapped["Doc | None"] = relationship(back_populates="kids", remote_side=[id])
    kids: Mapped[List["Doc"]] = relationship(back_populates="parent")
"""
TWO_BASES = """\
from sqlalchemy import *
from sqlalchemy.orm import declarative_base, relationship
A = declarative_base(); B = declarative_base()
class X(A):
    __tablename__="x"
    id = Column(Integer, primary_key=True)
    y_id = Column(Integer, ForeignKey("y.id"))
    y = relationship("Y")
class Y(A):
    __tablename__="y"; id=Column(Integer, primary_key=True)
class Z(B):
    __tablename__="y"; id=Column(Integer, primary_key=True)
class Y2(B):
    __tablename__="y2"; id=Column(Integer, primary_key=True); z_id=Column(Integer, ForeignKey(Z.id)); z=relationship(Z)
"""


def findings(text: str) -> list[tuple[str, str, str]]:
    known = link([read_facts(Source("models.py", text))])
    index = replace(known, imports=ImportGraph({"models.py": import_lines(text)}))
    search = Search(index.health.asked(), index.imports)
    search.look("models.py", text)
    index = replace(index, mentions=search.found())
    return [(f.code, f.attr, f.near) for f in index.health.findings]


@pytest.mark.parametrize(
    "text", [SQLMODEL, FLASK, ANNOTATED, TWO_BASES], ids=["sqlmodel", "flask", "annotated", "bases"]
)
def test_sound_models_say_nothing(text: str) -> None:
    assert len(link([read_facts(Source("models.py", text))]).models) >= 3
    assert findings(text) == []


@pytest.mark.parametrize("text", [ANNOTATED, TWO_BASES], ids=["annotated", "bases"])
def test_sound_models_are_sound(text: str, tmp_path: Path) -> None:
    (tmp_path / "models.py").write_text(text, encoding="utf-8")
    program = "import models; from sqlalchemy.orm import configure_mappers; configure_mappers()"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("text", "right", "wrong", "expected"),
    [
        (SQLMODEL, 'heroes: List["Hero"]', 'heroes: List["Heroo"]', ("unknown-class", "heroes", "Hero")),
        (SQLMODEL, 'foreign_key="hero.id"', 'foreign_key="heros.id"', ("unknown-table", "hero_id", "hero.id")),
        (FLASK, '"Comment", backref', '"Comments", backref', ("unknown-class", "children", "Comment")),
        (FLASK, '"user_account.id"', '"accounts.id"', ("unknown-table", "author_id", "")),
        (ANNOTATED, '"Doc | None"', '"Docc | None"', ("unknown-class", "parent", "Doc")),
        (ANNOTATED, 'back_populates="kids"', 'back_populates="kid"', ("back-populates-missing", "parent", "kids")),
        (TWO_BASES, 'relationship("Y")', 'relationship("Why")', ("unknown-class", "y", "")),
        (TWO_BASES, 'ForeignKey("y.id")', 'ForeignKey("y.idd")', ("unknown-column", "y_id", "y.id")),
    ],
)
def test_one_wrong_name_is_found(text: str, right: str, wrong: str, expected: tuple[str, str, str]) -> None:
    assert right in text
    assert expected in findings(text.replace(right, wrong))
