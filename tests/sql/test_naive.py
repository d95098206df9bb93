"""What a naive rewrite does to the traps of raw SQL, seen on a real database, and what ours does there.

Each case holds the rewrite that a hurried hand, or a simpler tool, would write. It must be seen to differ from the raw
statement in values, types, errors or tables; ours must not, or must tell of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
import sqlalchemy as sa
from ormlift.model import ImportNeed
from ormlift.sql.statement import Argument, Fetch, Written
from ormlift.sql.write import write
from sqlalchemy.orm import DeclarativeBase, Session, mapped_column, relationship

from .test_statements import same
from .world import MODELS, connect, evaluate, mapped, parsed, raw, request


@dataclass(frozen=True)
class Trap:
    number: int
    sql: str
    naive: str  # an expression on `session`; p0, p1 … are the parameters
    params: tuple[Any, ...] = ()
    fetch: Fetch = Fetch.ALL
    told: str = ""  # the effect that ours has, where it cannot do the same
    known: bool = True  # the parameters are literals, whose types are known


T = Trap
TRAPS = (
    T(1, "SELECT id FROM jobs WHERE name = ?", "session.execute(select(Job.id).where(Job.name == p0)).all()", (None,)),
    T(
        1,
        "SELECT id FROM jobs WHERE name = ?",
        "session.execute(select(Job.id).where(Job.name == p0)).all()",
        (None,),
        known=False,
    ),
    T(2, "SELECT active FROM jobs WHERE id = 1", "session.execute(select(Job.active).where(Job.id == 1)).all()"),
    T(
        3,
        "UPDATE jobs SET created_at = ? WHERE id = 1",
        "session.execute(update(Job).where(Job.id == 1).values(created_at=p0)).rowcount",
        ("2025-01-01 00:00:00",),
        Fetch.ROWCOUNT,
    ),
    T(
        4,
        "SELECT id FROM jobs WHERE created_at = ?",
        "session.execute(select(Job.id).where(Job.created_at == datetime.fromisoformat(p0))).all()",
        ("2024-01-02 00:00:00",),
    ),
    T(
        4,
        "UPDATE jobs SET created_at = ? WHERE id = 1",
        "session.execute(update(Job).where(Job.id == 1).values(created_at=p0)).rowcount",
        ("2025-01-01 00:00:00",),
        Fetch.ROWCOUNT,
        told="timestamp-format",
        known=False,
    ),
    T(5, "SELECT n / 2 FROM jobs ORDER BY id", "session.execute(select(Job.n / 2).order_by(Job.id)).all()"),
    T(6, "SELECT id FROM jobs WHERE name <> NULL", "session.execute(select(Job.id).where(Job.name != None)).all()"),
    T(
        6,
        "SELECT id FROM jobs WHERE name NOT IN ('alpha', NULL)",
        'session.execute(select(Job.id).where(Job.name.not_in(["alpha"]))).all()',
    ),
    T(
        7,
        "SELECT id FROM jobs WHERE name LIKE 'alpha'",
        'session.execute(select(Job.id).where(Job.name == "alpha")).all()',
    ),
    T(
        8,
        "SELECT id FROM jobs WHERE name <> ' :a'",
        """session.execute(text("SELECT id FROM jobs WHERE name <> ' :a'")).all()""",
    ),
    T(
        9,
        "SELECT id FROM jobs ORDER BY id LIMIT ?",
        "session.execute(select(Job.id).order_by(Job.id)).all()[:p0]",
        (-1,),
    ),
    T(
        9,
        "SELECT id FROM jobs ORDER BY id LIMIT 0",
        "session.execute(select(Job.id).order_by(Job.id).limit(None)).all()",
    ),
    T(
        10,
        "SELECT name FROM jobs ORDER BY id",
        "session.execute(select(Job.name).order_by(Job.id)).one()",
        fetch=Fetch.FIRST,
    ),
    T(
        10,
        "SELECT name FROM jobs WHERE n = 10",
        "session.execute(select(Job.name).where(Job.n == 10)).scalar_one_or_none()",
        fetch=Fetch.FIRST,
    ),
    T(11, "SELECT * FROM users WHERE id = 1", "session.scalars(select(User).where(User.id == 1)).all()"),
    T(
        12,
        "SELECT u.*, j.* FROM users u JOIN jobs j ON j.owner_id = u.id",
        "[tuple({**u.__dict__, **j.__dict__}.values()) for u, j in"
        " session.execute(select(User, Job).join(Job, Job.owner_id == User.id))]",
    ),
    T(
        13,
        "INSERT INTO users (email) VALUES ('q')",
        'session.execute(insert(User).values(email="q")).inserted_primary_key',
        fetch=Fetch.LASTROWID,
    ),
    T(
        13,
        "UPDATE jobs SET n = 1 WHERE name = 'alpha'",
        'session.execute(update(Job).where(Job.name == "alpha").values(n=1))',
        fetch=Fetch.ROWCOUNT,
    ),
    T(
        14,
        "SELECT u.id FROM users u JOIN jobs j ON j.owner_id = u.id",
        "[(user.id,) for user in session.query(User).join(Job, Job.owner_id == User.id)]",
    ),
    T(
        15,
        "INSERT INTO jobs (name) VALUES ('q')",
        'session.execute(insert(Job).values(name="q", created_at=None, m=None)).rowcount',
        fetch=Fetch.ROWCOUNT,
    ),
    T(
        15,
        "INSERT INTO events (touched) VALUES (1)",
        "session.execute(insert(Event).values(touched=1)).rowcount",
        fetch=Fetch.ROWCOUNT,
        told="python-default",
    ),
    T(
        16,
        "UPDATE events SET kind = 'x' WHERE id = 1",
        'session.execute(update(Event).where(Event.id == 1).values(kind="x")).rowcount',
        fetch=Fetch.ROWCOUNT,
        told="onupdate",
    ),
    T(
        18,
        "UPDATE jobs SET n = 99 WHERE name = 'alpha'",
        'setattr(session.scalars(select(Job).where(Job.name == "alpha")).first(), "n", 99)',
        fetch=Fetch.NONE,
    ),
    T(
        21,
        "INSERT OR REPLACE INTO users (id, email) VALUES (1, 'new')",
        'session.merge(User(id=1, email="new"))',
        fetch=Fetch.NONE,
    ),
    T(
        21,
        "INSERT OR IGNORE INTO users (id, email) VALUES (1, 'new')",
        'session.execute(insert(User).values(id=1, email="new"))',
        fetch=Fetch.NONE,
    ),
)
NEEDS = tuple(
    ImportNeed(module, name)
    for module, names in {
        "app.models": "Job User Event",
        "sqlalchemy": "select insert update text",
        "datetime": "datetime",
    }.items()
    for name in names.split()
)


@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: f"{trap.number}: {trap.sql}")
def test_the_naive_rewrite_differs_and_ours_does_not(trap: Trap) -> None:
    statement = parsed(trap.sql)
    old = raw(trap.sql, trap.params, trap.fetch)
    names = {f"p{place}": value for place, value in enumerate(trap.params)}
    try:
        naive = evaluate(Written(trap.naive, NEEDS), names, trap.fetch)
    except sa.exc.SQLAlchemyError:
        naive = None
    assert naive is None or (repr(naive.result), naive.tables) != (repr(old.result), old.tables)

    arguments = tuple(Argument(repr(value) if trap.known else f"p{n}") for n, value in enumerate(trap.params))
    made = write(statement, request(statement, arguments=arguments, fetch=trap.fetch))
    assert isinstance(made, Written)
    assert [effect.code for effect in made.effects] == ([trap.told] if trap.told else [])
    if trap.told not in ("python-default", "onupdate"):
        same(old, evaluate(made, names, trap.fetch), made, statement, trap.fetch)


class Own(DeclarativeBase):
    pass


class Team(Own):
    __tablename__ = "teams"
    id = mapped_column(sa.Integer, primary_key=True)
    name = mapped_column(sa.String)
    members = relationship("Member", cascade="all, delete-orphan")


class Member(Own):
    __tablename__ = "members"
    id = mapped_column(sa.Integer, primary_key=True)
    team_id = mapped_column(sa.ForeignKey("teams.id"))
    kind = mapped_column(sa.String, nullable=False)
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "plain"}  # noqa: RUF012


class Chief(Member):
    __mapper_args__ = {"polymorphic_identity": "chief"}  # noqa: RUF012


@pytest.fixture
def session() -> Any:
    engine = sa.create_engine("sqlite://")
    Own.metadata.create_all(engine)
    with Session(engine) as session:
        session.execute(sa.text("INSERT INTO teams VALUES (1, 'a'), (2, 'b')"))
        session.execute(sa.text("INSERT INTO members VALUES (1, 1, 'plain'), (2, 1, 'chief'), (3, 2, 'plain')"))
        session.commit()
        yield session
    engine.dispose()


def _ours(sql: str, models: dict[str, Any], fetch: Fetch) -> Written:
    made = write(parsed(sql), replace(request(parsed(sql)), models=models, fetch=fetch))
    assert isinstance(made, Written)
    return made


def _count(session: Session) -> int:
    return int(session.connection().exec_driver_sql("SELECT COUNT(*) FROM members").scalar_one())


def test_17_a_raw_delete_cascades_nowhere(session: Session) -> None:
    made = _ours("DELETE FROM teams WHERE id = 1", {"teams": mapped(Team)}, Fetch.NONE)
    assert made.text == "session.execute(delete(Team).where(Team.id == 1))"
    eval(made.text, {"session": session, "delete": sa.delete, "Team": Team})
    assert _count(session) == 3  # as after the raw DELETE
    session.rollback()
    session.delete(session.get(Team, 1))  # the naive one
    session.flush()
    assert _count(session) == 1


def test_19_instances_of_the_session_see_the_change() -> None:
    sql, seen = "UPDATE jobs SET n = 77 WHERE id = 1", "session.get(Job, 1).n"
    made = write(parsed(sql), request(parsed(sql), fetch=Fetch.NONE))
    assert isinstance(made, Written)
    for statement, expected in ((f'session.execute(text("{sql}"))', 10), (made.text, 77)):
        steps = Written(f"[session.get(Job, 1), {statement}, {seen}][2]", NEEDS)
        kept = Written(f"(lambda job: [{statement}, job.n][1])(session.get(Job, 1))", NEEDS)
        assert evaluate(kept, {}, Fetch.SCALAR).result == expected
        assert evaluate(steps, {}, Fetch.SCALAR).result in (10, 77)
    connection = connect()
    connection.execute(sql)
    assert connection.execute("SELECT n FROM jobs WHERE id = 1").fetchone() == (77,)


def test_20_a_class_below_another_adds_criteria(session: Session) -> None:
    rows = session.connection().exec_driver_sql("SELECT id FROM members").all()
    assert len(session.execute(sa.select(Chief.id)).all()) == 1 != len(rows)  # the naive one
    below = replace(mapped(Chief), table="members", inherits_mapped=True)
    made = _ours("SELECT id FROM members", {"members": below}, Fetch.ALL)
    assert [effect.code for effect in made.effects] == ["inherits-mapped"]


def test_every_trap_of_a_statement_has_a_case() -> None:
    assert {trap.number for trap in TRAPS} | {17, 19, 20} == set(range(1, 22))  # 22 is of connections, not statements
    assert MODELS
