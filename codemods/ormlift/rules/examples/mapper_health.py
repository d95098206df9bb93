"""Examples of `mapper-health`: small models, and what is told of each."""

from __future__ import annotations

from collections.abc import Mapping

from ormlift.rules.base import Example

_BASE = """\
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    pass
"""
_USER = """\
from sqlalchemy import Column, ForeignKey, Integer, String
from sqlalchemy.orm import relationship

from app.base import Base


class User(Base):
    __tablename__ = "users"

    id = Column(Integer, primary_key=True)
    name = Column(String(50))
    jobs = relationship("Job", back_populates="user")
"""
_HEAD = """\
from sqlalchemy import Column, ForeignKey, Integer, String
from sqlalchemy.orm import relationship

from app.base import Base


class Job(Base):
    __tablename__ = "jobs"

    id = Column(Integer, primary_key=True)
"""
_BOTH: Mapping[str, str] = {"app/base.py": _BASE, "app/user.py": _USER}
_ONE_SIDED: Mapping[str, str] = {
    "app/base.py": _BASE,
    "app/user.py": _USER.replace('    jobs = relationship("Job", back_populates="user")\n', ""),
}
_ALONE: Mapping[str, str] = {"app/base.py": _BASE}
_KEY = '    user_id = Column(Integer, ForeignKey("users.id"))\n'
_BACK = '    user = relationship("User", back_populates="jobs")\n'
_KEYS = """\

OWNER = "users.id"
job_users = Table(
    "job_users",
    Base.metadata,
    Column("job_id", ForeignKey("jobs" + ".id")),
    Column("user_id", ForeignKey(OWNER)),
)
"""


def _broken(
    title: str,
    fault: str,
    body: str,
    after: str | None = None,
    *,
    effect: str = "",
    reason: str = "",
    project: Mapping[str, str] = _BOTH,
) -> Example:
    effects = (effect,) if effect else ()
    text = _HEAD + after if after is not None else None
    return Example(title, _HEAD + body, text, reason=reason, effects=effects, fault=fault, project=project)


def _sound(title: str, body: str, project: Mapping[str, str] = _BOTH) -> Example:
    return Example(title, _HEAD + body, project=project)


def _put_together(title: str, body: str) -> Example:
    head = _HEAD.replace("String\n", "String, Table\n", 1).replace(
        "Base\n", "Base\nfrom app.user import User\n" + _KEYS, 1
    )
    return Example(title, head + body, project=_ONE_SIDED)


EXAMPLES = (
    _broken(
        "a relationship to a class that does not exist",
        "unknown-class",
        """\

    # Relationships
    schools = relationship(
        "School",  # to be written
        back_populates="job",
        cascade="all, delete-orphan",
    )

    name = Column(String(50))
""",
        """\

    # Relationships
    # TODO: no mapped class is named 'School', which kept all mappers from being configured.
    # Map it or name the right one, then restore:
    # schools = relationship(
    #     "School",  # to be written
    #     back_populates="job",
    #     cascade="all, delete-orphan",
    # )

    name = Column(String(50))
""",
        effect="relationship-gone",
        project=_ALONE,
    ),
    _broken(
        "a class whose name is nearly right",
        "unknown-class",
        _KEY + '    user = relationship("Users", back_populates="jobs")\n',
        _KEY + _BACK,
        effect="name-changed",
    ),
    _broken(
        "a class of another name, which leads back here",
        "unknown-class",
        _KEY + '    user = relationship("Account", back_populates="jobs")\n',
        _KEY + _BACK,
        effect="name-changed",
    ),
    _broken(
        "back_populates whose name is nearly right",
        "back-populates-missing",
        _KEY + '    user = relationship("User", back_populates="job")\n',
        _KEY + _BACK,
        effect="name-changed",
    ),
    _broken(
        "back_populates without its other side",
        "back-populates-missing",
        _KEY + '    user = relationship("User", back_populates="tasks")\n',
        reason="needs-decision",
        project=_ONE_SIDED,
    ),
    _broken(
        "back_populates that names a relationship to another class",
        "back-populates-mismatch",
        _KEY + '    user = relationship("User", back_populates="friends")\n',
        reason="needs-decision",
        project={
            **_ALONE,
            "app/user.py": _USER.replace(
                '    jobs = relationship("Job", back_populates="user")\n',
                '    friend_id = Column(Integer, ForeignKey("users.id"))\n    friends = relationship("User")\n',
            ),
        },
    ),
    _broken(
        "a backref that the other class writes itself",
        "backref-exists",
        _KEY + '    user = relationship("User", backref="jobs")\n',
        reason="needs-decision",
        project={**_ALONE, "app/user.py": _USER.replace(', back_populates="user"', "")},
    ),
    _broken(
        "no foreign key between the tables",
        "no-foreign-key",
        '    user_id = Column(Integer)\n    user = relationship("User")\n',
        """\
    user_id = Column(Integer)
    # TODO: no foreign key leads to the other table, which kept all mappers from being configured.
    # Add one, then restore:
    # user = relationship("User")
""",
        effect="relationship-gone",
        project=_ONE_SIDED,
    ),
    _broken(
        "two foreign keys, and none is named",
        "ambiguous-foreign-keys",
        _KEY
        + '    owner_id = Column(Integer, ForeignKey("users.id"))\n'
        + '    user = relationship("User", foreign_keys=[user_id])\n    owner = relationship("User")\n',
        reason="needs-decision",
        project=_ONE_SIDED,
    ),
    _broken(
        "parent and children in the same direction",
        "same-direction",
        """\
    parent_id = Column(Integer, ForeignKey("jobs.id"))
    parent = relationship("Job", back_populates="children")
    children = relationship("Job", back_populates="parent")
""",
        reason="needs-decision",
        project=_ALONE,
    ),
    _broken(
        "a foreign key to a table whose name is nearly right",
        "unknown-table",
        '    user_id = Column(Integer, ForeignKey("user.id"))\n',
        _KEY,
        effect="name-changed",
        project=_ONE_SIDED,
    ),
    _broken(
        "a foreign key to a table that nothing maps",
        "unknown-table",
        '    plan_id = Column(Integer, ForeignKey("plans.id"))\n',
        reason="needs-decision",
        project=_ALONE,
    ),
    _broken(
        "a foreign key to a column that is not there",
        "unknown-column",
        '    user_name = Column(String(50), ForeignKey("users.names"))\n',
        '    user_name = Column(String(50), ForeignKey("users.name"))\n',
        effect="name-changed",
        project=_ONE_SIDED,
    ),
    _broken(
        "two classes of one name",
        "two-classes",
        "",
        reason="needs-decision",
        project={**_ALONE, "app/a_jobs.py": _HEAD.replace('"jobs"', '"old_jobs"')},
    ),
    _broken(
        "a relationship that another one leans on",
        "unknown-class",
        """\
    parent_id = Column(Integer, ForeignKey("jobs.id"))
    parent = relationship("Ticket", back_populates="children", remote_side=[id])
    children = relationship("Job", back_populates="parent")
""",
        reason="depended-on",
        project=_ALONE,
    ),
    _sound("both sides name one another", _KEY + _BACK),
    _sound(
        "parent and children, the parent's key named",
        """\
    parent_id = Column(Integer, ForeignKey("jobs.id"))
    parent = relationship("Job", back_populates="children", remote_side=[id])
    children = relationship("Job", back_populates="parent")
""",
        _ALONE,
    ),
    _sound("the class by its module", _KEY + '    user = relationship("app.user.User", back_populates="jobs")\n'),
    Example(
        "the class in a lambda",
        "from app.user import User\n" + _HEAD + _KEY + '    user = relationship(lambda: User, back_populates="jobs")\n',
        project={**_BOTH, "app/__init__.py": "from app.jobs import Job\n"},
    ),
    _sound(
        "a class that a library maps",
        '    thing = relationship("Thing")\n',
        {**_ALONE, "app/things.py": "from things.models import Thing\n"},
    ),
    _sound(
        "a class that is made at run time",
        '    thing = relationship("Thing")\n',
        {**_ALONE, "app/things.py": 'from app.base import Base\n\nThing = type("Thing", (Base,), {})\n'},
    ),
    _sound(
        "a join that is written out",
        '    key = Column(Integer)\n    user = relationship("User", primaryjoin="foreign(Job.key) == User.id")\n',
        _ONE_SIDED,
    ),
    _sound(
        "a table that is reflected",
        '    plan_id = Column(Integer, ForeignKey("plans.id"))\n',
        {**_ALONE, "app/start.py": "from app.base import Base\n\nBase.metadata.reflect(bind=None, only=['plans'])\n"},
    ),
    _sound(
        "the other side is made by a backref",
        _KEY + '    user = relationship("User", backref="tasks")\n',
        _ONE_SIDED,
    ),
    _sound(
        "a base from a library, whose attributes are not known",
        _KEY + '    user = relationship("User", back_populates="tasks")\n',
        {
            **_ALONE,
            "app/user.py": "from accounts.models import Account\n"
            + _USER.replace("(Base)", "(Account, Base)").replace(
                '    jobs = relationship("Job", back_populates="user")\n', ""
            ),
        },
    ),
    _put_together(
        "a foreign key whose target is put together",
        '    user_id = Column(Integer, ForeignKey(f"{User.__tablename__}.id"))\n    user = relationship(User)\n',
    ),
    _put_together(
        "a foreign key whose target is a variable",
        "    user_id = Column(Integer, ForeignKey(OWNER))\n    user = relationship(User)\n",
    ),
    _put_together(
        "an association table whose keys are put together",
        '    users = relationship(User, secondary=job_users, backref="tasks")\n',
    ),
)
