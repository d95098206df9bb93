"""Programs that a look at the block alone would take for safe, run on a real database before and after."""

from pathlib import Path

import pytest

from tests.rules.session_runs import Case, files_of, plan_of, run_of

COUNTS = """
def work():
    s = make()
    try:
        return s.query(Job).count()
    finally:
        s.close()
"""
MAKE = "from app.db import make\n"


def _made(title: str, db: str, effects: tuple[str, ...] = ("drops-factory-work",), **more: object) -> Case:
    return Case(title, COUNTS, "commits", effects, rest=MAKE, db=db, **more)  # type: ignore[arg-type]


FACTORIES = (
    _made(
        "a factory that adds a row",
        """
        def make():
            s = SessionLocal()
            s.add(__import__("app.models").models.Job(name="made"))
            return s
        """,
        differs="work()",
        effects=("drops-factory-work",),
        calls=("work()",),
    ),
    _made(
        "a factory that counts",
        """
        made = []
        def make():
            made.append(1)
            return SessionLocal()
        """,
        calls=("work()", "len(__import__('app.db').db.made)"),
        differs="len(__import__('app.db').db.made)",
    ),
    _made(
        "a factory that calls one that counts",
        """
        made = []
        def inner():
            made.append(1)
            return SessionLocal()
        def make():
            return inner()
        """,
        calls=("work()", "len(__import__('app.db').db.made)"),
        differs="len(__import__('app.db').db.made)",
    ),
    _made(
        "a decorated factory",
        """
        made = []
        def noted(function):
            def inner():
                made.append(1)
                return function()
            return inner
        @noted
        def make():
            return SessionLocal()
        """,
        calls=("work()", "len(__import__('app.db').db.made)"),
        differs="len(__import__('app.db').db.made)",
    ),
    _made(
        "a factory that listens",
        """
        made = []
        def make():
            s = SessionLocal()
            event.listen(s, "after_begin", lambda *_: made.append(1))
            return s
        """,
        calls=("work()", "len(__import__('app.db').db.made)"),
        differs="len(__import__('app.db').db.made)",
    ),
    Case(
        "a factory that turns autoflush off",
        """
        def work():
            s = make()
            try:
                s.add(Job(name="pending"))
                count = s.query(Job).count()
                s.rollback()
                return count
            finally:
                s.close()
        """,
        "commits",
        ("drops-factory-work",),
        differs="work()",
        rest=MAKE,
        db="""
        def make():
            s = SessionLocal()
            s.autoflush = False
            return s
        """,
    ),
    Case(
        "a factory with an option that the scope's has not",
        """
        def work():
            s = make()
            try:
                s.add(Job(name="pending"))
                count = s.query(Job).count()
                s.rollback()
                return count
            finally:
                s.close()
        """,
        "commits",
        ("other-factory",),
        differs="work()",
        rest=MAKE,
        db="""
        Lazy = sessionmaker(bind=engine, autoflush=False)
        def make():
            return Lazy()
        """,
    ),
    Case(
        "a scope whose sessions are of another class",
        """
        def work():
            s = get_session()
            try:
                s.add(Job(name="more"))
                s.commit()
                return "added"
            finally:
                s.close()
        """,
        "cautious",
        ("other-factory",),
        differs="rows",
        db="""
        class Cautious(Session):
            def flush(self, objects=None):
                if objects is None and self.new:
                    self.expunge_all()
        CautiousLocal = sessionmaker(bind=engine, class_=Cautious)
        @contextmanager
        def cautious():
            session = CautiousLocal()
            try:
                yield session
            finally:
                session.close()
        """,
    ),
    Case(
        "a scope whose sessions keep over a commit what those of the factory load again",
        """
        def work():
            s = get_session()
            try:
                job = s.get(Job, 1)
                job.name
                with engine.begin() as other:
                    s.commit()
                    other.exec_driver_sql("UPDATE jobs SET name = 'other' WHERE id = 1")
                return job.name
            finally:
                s.close()
        """,
        "keeps",
        ("other-factory",),
        differs="work()",
        rest="from app.db import engine\n",
    ),
)
PLAIN = (
    Case(
        "a factory that only makes, in several ways",
        """
        def work():
            s = make()
            try:
                return s.query(Job).count()
            finally:
                s.close()
        """,
        "commits",
        rest=MAKE,
        db="""
        def make():
            '''A session.'''
            from sqlalchemy import text
            try:
                s = SessionLocal()
            except Exception as error:
                raise Trouble("no session") from error
            return s
        """,
    ),
    Case(
        "a scope that calls the very factory, whatever that does",
        """
        def work():
            s = make()
            try:
                return s.query(Job).count()
            finally:
                s.close()
        """,
        "same",
        calls=("work()", "len(__import__('app.db').db.made)"),
        rest=MAKE,
        db="""
        made = []
        def make():
            made.append(1)
            return SessionLocal()
        @contextmanager
        def same():
            session = make()
            try:
                yield session
                session.commit()
            finally:
                session.close()
        """,
    ),
    Case(
        "a scope that does the same before its block",
        """
        def work():
            s = make()
            try:
                return s.query(Job).count()
            finally:
                s.close()
        """,
        "same",
        calls=("work()", "len(__import__('app.db').db.made)"),
        rest=MAKE,
        db="""
        made = []
        def make():
            s = SessionLocal()
            made.append(1)
            return s
        @contextmanager
        def same():
            session = SessionLocal()
            made.append(1)
            try:
                yield session
                session.commit()
            finally:
                session.close()
        """,
    ),
    Case(
        "another option that the block does not feel",
        """
        def work():
            s = make()
            try:
                return s.query(Job).count()
            finally:
                s.close()
        """,
        "commits",
        rest=MAKE,
        db="""
        Lazy = sessionmaker(bind=engine, autoflush=False)
        def make():
            return Lazy()
        """,
    ),
    Case(
        "a begun scope around a block that commits at its end",
        """
        def work():
            s = get_session()
            try:
                s.add(Job(name="more"))
                s.commit()
            except Exception:
                s.rollback()
                raise
            finally:
                s.close()
        """,
        "begun",
        db="""
        @contextmanager
        def begun():
            with SessionLocal.begin() as session:
                yield session
        """,
    ),
)
SCOPES = (
    Case(
        "a begun scope around a block that goes on behind its commit",
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
        "begun",
        ("breaks-begun-transaction",),
        differs="work()",
        db="""
        @contextmanager
        def begun():
            with SessionLocal.begin() as session:
                yield session
        """,
    ),
    Case(
        "a scope that always rolls back",
        """
        def work():
            s = get_session()
            try:
                return s.query(Job).first()
            finally:
                s.close()
        """,
        "discards",
        ("expires-instances",),
        calls=("work().name",),
        differs="work().name",
        db="""
        @contextmanager
        def discards():
            session = KeepingLocal()
            try:
                yield session
            finally:
                session.rollback()
                session.close()
        """,
    ),
    Case(
        "a scope that expires by itself",
        """
        def work():
            s = get_session()
            try:
                return s.query(Job).all()
            finally:
                s.close()
        """,
        "forgets",
        ("expires-instances",),
        calls=("work()[0].name",),
        differs="work()[0].name",
        db="""
        @contextmanager
        def forgets():
            session = SessionLocal()
            try:
                yield session
            finally:
                session.expire_all()
                session.close()
        """,
    ),
    Case(
        "a scope of a savepoint",
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
        "nested",
        ("scope-unknown",),
        differs="work()",
        db="""
        @contextmanager
        def nested():
            session = SessionLocal()
            try:
                with session.begin_nested():
                    yield session
                session.commit()
            finally:
                session.close()
        """,
    ),
    Case(
        "an instance that an outer handler reads",
        """
        def work():
            job = None
            try:
                s = get_session()
                try:
                    job = s.query(Job).first()
                    raise ValueError("no")
                finally:
                    s.close()
            except ValueError:
                return job.name
        """,
        "keeps",
        ("expires-instances",),
        differs="work()",
    ),
    Case(
        "an instance that is read behind an outer handler",
        """
        def work():
            job = None
            try:
                s = get_session()
                try:
                    job = s.query(Job).first()
                    raise ValueError("no")
                finally:
                    s.close()
            except ValueError:
                log.warning("no")
            return job.name
        """,
        "keeps",
        ("expires-instances",),
        differs="work()",
    ),
)
UNSAFE = (*FACTORIES, *SCOPES)


@pytest.mark.parametrize("case", PLAIN, ids=lambda c: c.title)
def test_safe_means_equal(case: Case, tmp_path: Path) -> None:
    files, outcome = plan_of(case)
    assert [effect for site in outcome.sites for effect in site.effects] == []
    before = run_of(files_of(case), case.calls, tmp_path / "before.db")
    assert before == run_of(files, case.calls, tmp_path / "after.db")


@pytest.mark.parametrize("case", UNSAFE, ids=lambda c: c.title)
def test_the_named_effect_is_seen(case: Case, tmp_path: Path) -> None:
    files, outcome = plan_of(case)
    assert {effect.code for site in outcome.sites for effect in site.effects} >= set(case.effects)
    before = run_of(files_of(case), case.calls, tmp_path / "before.db")
    after = run_of(files, case.calls, tmp_path / "after.db")
    assert before[case.differs] != after[case.differs]
