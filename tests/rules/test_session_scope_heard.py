"""Listeners that hear the commit or rollback of a scope, run on a real database before and after."""

from pathlib import Path

import pytest

from tests.rules.session_runs import Case, files_of, plan_of, run_of

READS = """
def work():
    s = get_session()
    try:
        return s.query(Job).count()
    finally:
        s.close()
"""
FAILS = """
def work():
    s = get_session()
    try:
        return s.query(Job).first().name["x"]
    finally:
        s.close()
"""
COMMITS = """
def work():
    s = get_session()
    try:
        s.add(Job(name="new"))
        s.commit()
    finally:
        s.close()
"""
NOTES = "from app.db import heard\n"
LISTENS = """
heard = []


@event.listens_for({target}, "{event}")
def note(session, *more):
    heard.append("{event}")
"""
AUDITED = """
heard = []


class Audited(Session):
    def commit(self):
        heard.append("commit")
        super().commit()


AuditedLocal = sessionmaker(bind=engine, class_=Audited)


@contextmanager
def audits():
    session = AuditedLocal()
    try:
        yield session
        session.commit()
    finally:
        session.close()
"""


def _case(title: str, body: str, event: str, effects: tuple[str, ...], target: str = "SessionLocal") -> Case:
    db = LISTENS.format(target=target, event=event)
    calls = ("work()", "list(heard)")
    return Case(title, body, "commits", effects, calls, differs="list(heard)" if effects else "", rest=NOTES, db=db)


TOLD = (
    _case("before the commit", READS, "before_commit", ("runs-listeners",)),
    _case("after the commit", READS, "after_commit", ("runs-listeners",)),
    _case("after the rollback", FAILS, "after_rollback", ("runs-listeners",)),
    Case(
        "a session class with a commit of its own",
        READS.replace("get_session", "AuditedLocal"),
        "audits",
        ("runs-listeners",),
        ("work()", "list(heard)"),
        differs="list(heard)",
        rest="from app.db import AuditedLocal, heard\n",
        db=AUDITED,
    ),
)
SAFE = (
    _case("a commit that was there before", COMMITS, "after_commit", ()),
    _case("another event", READS, "after_begin", ()),
    _case("a listener of another factory", READS, "after_commit", (), "ArchiveLocal"),
)


@pytest.mark.parametrize("case", TOLD, ids=lambda c: c.title)
def test_what_listeners_hear_more_is_told(case: Case, tmp_path: Path) -> None:
    files, outcome = plan_of(case)
    assert {effect.code for site in outcome.sites for effect in site.effects} == set(case.effects)
    before = run_of(files_of(case), case.calls, tmp_path / "before.db")
    after = run_of(files, case.calls, tmp_path / "after.db")
    assert before[case.differs] != after[case.differs]


@pytest.mark.parametrize("case", SAFE, ids=lambda c: c.title)
def test_what_listeners_heard_before_is_safe(case: Case, tmp_path: Path) -> None:
    files, outcome = plan_of(case)
    assert [(site.effects, site.reason) for site in outcome.sites] == [((), None)]
    before = run_of(files_of(case), case.calls, tmp_path / "before.db")
    assert before == run_of(files, case.calls, tmp_path / "after.db")
