"""`scope-choice`: where the chosen scope would change a site, one that does not is found; run before and after."""

from pathlib import Path

import pytest
from ormlift.model import ScopeChoice, Settings, Source, Status, Unchanged
from ormlift.plan import plan_file
from ormlift.project.facts import read_facts
from ormlift.project.index import link

from tests.rules.session_runs import DB, MODELS, Case, files_of, plan_of, run_of

FAITHFUL = Settings(scope_choice="faithful")


def _case(title: str, body: str, writes: str, scope: str = "commits", **more: object) -> tuple[Case, str]:
    return Case(title, body, scope, settings=FAITHFUL, **more), writes  # type: ignore[arg-type]


BOX = """
class Container:
    def __init__(self):
        self._session: Session | None = None

    def session(self) -> Session:
        if self._session is not None:
            return self._session
        return SessionLocal()


box = Container()


def fill(job):
    box._session = SessionLocal()
    box._session.add(job)


def kept():
    return len(box._session.new), len(box._session.identity_map), box._session.is_active
"""


KEPT = (
    _case(
        "a read keeps the scope that is configured",
        """
        def work():
            s = get_session()
            try:
                return s.query(Job).count()
            finally:
                s.close()
        """,
        "with commits() as s:",
    ),
    _case(
        "a change that was rolled back at close, under the project's own scope that only closes",
        """
        def work():
            s = get_session()
            try:
                s.get(Job, 1).name = "never"
                return s.query(Job).count()
            finally:
                s.close()
        """,
        "with reads() as s:",
    ),
    _case(
        "an instance that is read after the block",
        """
        def work():
            s = get_session()
            try:
                job = s.get(Job, 1)
            finally:
                s.close()
            return job.name, job.id
        """,
        "with reads() as s:",
    ),
    _case(
        "no scope configured: the project's own that commits",
        """
        def work():
            s = get_session()
            try:
                s.add(Job(name="more"))
                s.commit()
                return s.query(Job).count()
            finally:
                s.close()
        """,
        "with commits() as s:",
        scope="",
    ),
    _case(
        "one that may be kept by an object, and is closed here by a finally",
        """
        def work():
            s = box.session()
            try:
                s.add(Job(name="more"))
                s.commit()
                return s.query(Job).count()
            finally:
                s.close()
        """,
        "with box.session() as s:",
        calls=("work()", "fill(Job(name='kept'))", "work()", "kept()"),
        rest="from app.db import box, fill, kept\n",
        db=BOX,
    ),
    _case(
        "one that may be kept, opened among the handlers",
        """
        def work():
            s = None
            try:
                s = box.session()
                s.add(Job(name="first"))
                s.commit()
            except Exception:
                if s:
                    s.rollback()
                return s.query(Job).count()
            finally:
                if s:
                    s.close()
        """,
        "with box.session() as s:",
        rest="from app.db import box\n",
        db=BOX,
    ),
    _case(
        "options of its own",
        """
        def work():
            s = SessionLocal(expire_on_commit=False)
            try:
                job = Job(name="more")
                s.add(job)
                s.commit()
                return job
            finally:
                s.close()


        def name():
            return work().name
        """,
        "with SessionLocal(expire_on_commit=False) as s:",
        calls=("name()",),
        rest="from app.db import SessionLocal\n",
    ),
    _case(
        "another engine",
        """
        def work():
            s = ArchiveLocal()
            try:
                return s.execute(text("SELECT 1")).scalar()
            finally:
                s.close()
        """,
        "with ArchiveLocal() as s:",
    ),
    _case(
        "a factory made on the spot, with an engine at hand",
        """
        from sqlalchemy.orm import sessionmaker
        from app.db import engine


        def work():
            s = sessionmaker(bind=engine, autoflush=False, info={1: 2})()
            s.add(Job(name="more"))
            s.commit()
            s.close()
        """,
        "with sessionmaker(bind=engine, autoflush=False, info={1: 2})() as s:",
    ),
    _case(
        "Session(engine, ..)",
        """
        from sqlalchemy.orm import Session
        from app.db import engine


        def work():
            s = Session(engine, autoflush=False)
            try:
                s.add(Job(name="more"))
                return s.query(Job).count()
            finally:
                s.close()
        """,
        "with Session(engine, autoflush=False) as s:",
        scope="swallows",
    ),
    _case(
        "a generator",
        """
        def names():
            s = get_session()
            try:
                for job in s.query(Job).order_by(Job.id):
                    yield job.name
            finally:
                s.close()


        def work():
            found = names()
            first = next(found)
            found.close()
            return first, list(names())
        """,
        "with get_session() as s:",
    ),
    _case(
        "a second name, and a use after the close",
        """
        def work():
            s = get_session()
            try:
                again = s
                again.add(Job(name="more"))
            finally:
                s.close()
            return s.query(Job).count(), again.in_transaction(), s.close()
        """,
        "with get_session() as s:",
    ),
    _case(
        "a transaction of its own",
        """
        def work():
            s = get_session()
            try:
                with s.begin():
                    s.add(Job(name="more"))
                trouble = s.begin()
                s.add(Job(name="less"))
                trouble.rollback()
            finally:
                s.close()
        """,
        "with get_session() as s:",
    ),
    _case(
        "the thread's session",
        """
        def work():
            s = registry()
            try:
                s.add(Job(name="pending"))
                return s.query(Job).count()
            finally:
                s.close()


        def outer():
            pending()
            return work(), pending()
        """,
        "with registry() as s:",
        calls=("outer()",),
        rest="from app.db import pending, registry\n",
        db="""
        def pending():
            registry().add(__import__("app.models").models.Job(name="lost"))
            return registry().query(__import__("app.models").models.Job).count()
        """,
    ),
    _case(
        "an error that a caller catches by its type",
        """
        def work():
            s = get_session()
            try:
                s.add(Job(name="first"))
                s.commit()
            finally:
                s.close()


        def outer():
            try:
                work()
            except SQLAlchemyError as error:
                return type(error).__name__
        """,
        "with commits() as s:",
        scope="wraps",
        calls=("outer()", "work()"),
    ),
    _case(
        "an engine that is made in the function, in front of the session",
        """
        from sqlalchemy.orm import sessionmaker
        from app.db import engine as main


        def work():
            s = None
            try:
                engine = main
                s = sessionmaker(bind=engine, info={1: 2})()
                s.add(Job(name="more"))
                s.commit()
            except ValueError:
                log.error("no")
            finally:
                if s is not None:
                    s.close()
        """,
        "with sessionmaker(bind=engine, info={1: 2})() as s:",
    ),
)


@pytest.mark.parametrize(("case", "writes"), KEPT, ids=lambda c: c.title if isinstance(c, Case) else "")
def test_faithful_changes_nothing(case: Case, writes: str, tmp_path: Path) -> None:
    files, outcome = plan_of(case)
    assert [(site.status, site.effects) for site in outcome.sites] == [(Status.REWRITTEN, ())]
    assert writes in files["app/jobs.py"]
    before = run_of(files_of(case), case.calls, tmp_path / "before.db")
    assert {**before, "open": []} == run_of(files, case.calls, tmp_path / "after.db")


def _told(body: str, **settings: object) -> str:
    code = f"from app.db import SessionLocal\nfrom app.models import Job\n\n\ndef work(items):\n{body}"
    files = {"app/db.py": DB, "app/models.py": MODELS, "app/jobs.py": code}
    index = link(read_facts(Source(path, text)) for path, text in files.items())
    outcome = plan_file(Source("app/jobs.py", code), index, Settings(codemods=("session-scope",), **settings))  # type: ignore[arg-type]
    assert not hasattr(outcome, "after")
    (site,) = outcome.sites  # type: ignore[union-attr]
    return "; ".join(effect.message for effect in site.effects) or site.reason.message


UNCOMMITTED = """
    s = SessionLocal()
    try:
        s.add(Job(name="more"))
    finally:
        s.close()
"""
COMMITS = (ScopeChoice("commits", "app.db"),)


def test_what_would_change_nothing_is_offered() -> None:
    assert '(`with reads()` changes nothing here: scope-choice = "faithful")' in _told(UNCOMMITTED, scopes=COMMITS)


def test_it_is_offered_where_the_site_is_refused() -> None:
    body = UNCOMMITTED.replace("s.add(Job", "items.append(s)\n        s.add(Job").replace("items.append(s)", "t = s")
    assert _told(body, scopes=COMMITS).endswith('use one name, or scope-choice = "faithful" for `with SessionLocal()`')


def _stated(scope: ScopeChoice, body: str = UNCOMMITTED) -> list[str]:
    code = f"from app.db import SessionLocal\nfrom app.models import Job\n\n\ndef work():\n{body}"
    files = {"app/db.py": DB, "app/models.py": MODELS, "app/jobs.py": code}
    index = link(read_facts(Source(path, text)) for path, text in files.items())
    settings = Settings(scopes=(scope,), codemods=("session-scope",), unsafe=True)
    outcome = plan_file(Source("app/jobs.py", code), index, settings)
    return sorted(effect.code for site in outcome.sites for effect in site.effects)  # type: ignore[union-attr]


OUTSIDE = ScopeChoice("unit", "company.database")
ONLY_CLOSES = (("commits", "no"), ("closes", "yes"), ("swallows", "no"), ("factory", "app.db:SessionLocal"))


def test_a_scope_outside_of_the_project_is_asked_for() -> None:
    assert _stated(OUTSIDE) == ["commits-uncommitted", "scope-unknown"]
    assert "state it in [[tool.ormlift.scopes]]" in _told(UNCOMMITTED, scopes=(OUTSIDE,))


@pytest.mark.parametrize(
    ("stated", "effects"),
    [
        (ONLY_CLOSES, []),
        ((*ONLY_CLOSES[1:], ("commits", "yes")), ["commits-uncommitted"]),
        ((*ONLY_CLOSES, ("swallows", "yes")), ["swallows-errors"]),
        ((*ONLY_CLOSES, ("shared", "yes")), ["shared-session"]),
        ((*ONLY_CLOSES, ("closes", "no")), ["not-closed"]),
        ((*ONLY_CLOSES, ("wraps", "DatabaseTrouble")), ["wraps-errors"]),
        (ONLY_CLOSES[:-1], ["other-engine"]),
    ],
    ids=lambda v: "" if isinstance(v, list) else " ".join(f"{k}={x}" for k, x in v),
)
def test_what_is_stated_of_a_scope_counts(stated: tuple[tuple[str, str], ...], effects: list[str]) -> None:
    assert _stated(ScopeChoice("unit", "company.database", stated=stated)) == effects


def test_what_is_stated_counts_over_what_is_read() -> None:
    assert _stated(ScopeChoice("commits", "app.db")) == ["commits-uncommitted"]
    assert _stated(ScopeChoice("commits", "app.db", stated=(("commits", "no"),))) == []


MOVED = (
    Case(
        "a read",
        """
        def work():
            with SessionLocal() as s:
                return s.query(Job).count()
        """,
        "commits",
        rest="from app.db import SessionLocal\n",
    ),
    Case(
        "a change that is committed last",
        """
        def work(name="more"):
            with closing(SessionLocal()) as s:
                s.add(Job(name=name))
                s.commit()
            return name


        def twice():
            try:
                work("first")
            except SQLAlchemyError as error:
                return type(error).__name__
        """,
        "commits",
        calls=("work()", "twice()"),
        rest="from contextlib import closing\nfrom app.db import SessionLocal\n",
    ),
    Case(
        "an instance of a session that does not expire",
        """
        def work():
            with get_keeping() as s:
                job = Job(name="more")
                s.add(job)
                s.commit()
                return job


        def name():
            return work().name
        """,
        "keeps",
        calls=("name()",),
    ),
)


@pytest.mark.parametrize("case", MOVED, ids=lambda c: c.title)
def test_a_with_of_its_own_is_moved_to_the_scope(case: Case, tmp_path: Path) -> None:
    files, outcome = plan_of(case)
    assert [(site.status, site.effects) for site in outcome.sites] == [(Status.REWRITTEN, ())]
    assert f"with {case.scope}() as s:" in files["app/jobs.py"]
    assert ".commit()" not in files["app/jobs.py"] or case.scope == "keeps"
    assert run_of(files_of(case), case.calls, tmp_path / "before.db") == run_of(
        files, case.calls, tmp_path / "after.db"
    )


def test_a_with_of_its_own_is_told_what_would_change_and_stays_where_the_choice_is_faithful(tmp_path: Path) -> None:
    body = """
        def work():
            with SessionLocal() as s:
                s.add(Job(name="more"))
                s.flush()
        """
    case = Case("moved", body, "commits", rest="from app.db import SessionLocal\n")
    files, outcome = plan_of(case)
    assert [effect.code for site in outcome.sites for effect in site.effects] == ["commits-uncommitted"]
    before = run_of(files_of(case), case.calls, tmp_path / "before.db")
    assert before["rows"] != run_of(files, case.calls, tmp_path / "after.db")["rows"]
    text = files_of(case)["app/jobs.py"]
    index = link(read_facts(Source(path, held)) for path, held in files_of(case).items())
    for settings in (Settings(scopes=COMMITS, scope_choice="faithful", unsafe=True), Settings(unsafe=True)):
        assert isinstance(plan_file(Source("app/jobs.py", text), index, settings), Unchanged)


def test_an_error_that_left_a_shared_session_open_now_closes_it(tmp_path: Path) -> None:
    body = """
    def work():
        s = box.session()
        s.add(Job(name="more"))
        s.flush()
        s.add(Job(name="first"))
        s.commit()
        s.close()
    """
    rest, calls = "from app.db import box, fill, kept\n", ("fill(Job(name='kept'))", "work()", "kept()")
    case = Case("shared", body, "", calls=calls, settings=FAITHFUL, rest=rest, db=BOX)
    files, outcome = plan_of(case)
    assert "shared-session" in {e.code for site in outcome.sites for e in site.effects}
    before = run_of(files_of(case), case.calls, tmp_path / "before.db")
    assert before != run_of(files, case.calls, tmp_path / "after.db")
