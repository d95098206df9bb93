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
    _made(
        "a factory with listeners of its own",
        """
        made = []
        Heard = sessionmaker(bind=engine)
        @event.listens_for(Heard, "after_begin")
        def note(*_):
            made.append(1)
        def make():
            return Heard()
        """,
        effects=("other-factory",),
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
        "a handler that works before the close",
        """
        def work():
            s = None
            try:
                s = get_session()
                s.query(Job).all()
                raise ValueError("no")
            except ValueError:
                return taken()
            finally:
                if s:
                    s.close()
        """,
        "commits",
        ("handler-after-close",),
        differs="work()",
        rest='def taken():\n    return __import__("app.db").db.engine.pool.checkedout()\n',
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
        "a name that is emptied, or deleted, behind the close",
        """
        def work():
            s = get_session()
            try:
                return s.query(Job).count()
            finally:
                s.close()
                s = None

        def more():
            s = get_session()
            try:
                return s.query(Job).count()
            finally:
                s.close()
                del s
        """,
        "commits",
        calls=("work()", "more()"),
    ),
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
        "what is read of instances while the block runs",
        """
        def work():
            s = get_session()
            try:
                jobs = s.query(Job).order_by(Job.id).all()
                names = list(map(lambda job: job.name, jobs))
                return [names, ",".join(job.name for job in jobs), sum(job.id for job in jobs), dict(zip("ab", names))]
            finally:
                s.close()
        """,
        "commits",
    ),
    Case(
        "a factory that asks whether it was set up",
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
            if SessionLocal is None:
                raise Trouble("not set up")
            return SessionLocal()
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
OUTLIVING = (
    Case(
        "an object that an instance is set on",
        """
        class Result:
            pass

        def work():
            s = get_session()
            try:
                r = Result()
                r.job = s.query(Job).first()
                return r
            finally:
                s.close()
        """,
        "commits",
        ("expires-instances",),
        calls=("work().job.name",),
        differs="work().job.name",
    ),
    Case(
        "an error, made before, that carries an instance",
        """
        def work():
            s = get_session()
            try:
                error = KeyError(s.query(Job).first())
                raise error
            finally:
                s.close()

        def outer():
            try:
                work()
            except KeyError as error:
                return error.args[0].name
        """,
        "commits",
        ("expires-instances",),
        calls=("outer()",),
        differs="outer()",
    ),
    Case(
        "an instance that a match captures",
        """
        def work():
            s = get_session()
            try:
                match s.query(Job).first():
                    case Job() as found:
                        return found
            finally:
                s.close()
        """,
        "commits",
        ("expires-instances",),
        calls=("work().name",),
        differs="work().name",
    ),
    Case(
        "an instance that a lambda holds by default",
        """
        def work():
            s = get_session()
            try:
                j = s.query(Job).first()
                return lambda found=j: found.name
            finally:
                s.close()
        """,
        "commits",
        ("expires-instances",),
        calls=("work()()",),
        differs="work()()",
    ),
    Case(
        "an instance that a handler of the block finds in the error",
        """
        def work():
            s = get_session()
            try:
                raise ValueError(s.query(Job).first())
            except ValueError as error:
                return error.args[0]
            finally:
                s.close()
        """,
        "commits",
        ("expires-instances",),
        calls=("work().name",),
        differs="work().name",
    ),
    Case(
        "an instance of a session that the block keeps from expiring",
        """
        def work():
            s = get_session()
            try:
                s.expire_on_commit = False
                j = s.query(Job).first()
                s.commit()
                return j
            finally:
                s.close()
        """,
        "forgets",
        ("expires-instances",),
        calls=("work().name",),
        differs="work().name",
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
        "a session of no engine",
        """
        from sqlalchemy.orm import Session

        def work():
            s = Session()
            try:
                return s.query(Job).count()
            finally:
                s.close()
        """,
        "commits",
        ("other-engine",),
        differs="work()",
    ),
    Case(
        "instances that map passes on",
        """
        def work():
            s = get_session()
            try:
                return tuple(map(lambda j: j, s.query(Job).all()))
            finally:
                s.close()
        """,
        "commits",
        ("expires-instances",),
        calls=("work()[0].name",),
        differs="work()[0].name",
    ),
    Case(
        "the dict of an instance",
        """
        def work():
            s = get_session()
            try:
                j = s.query(Job).first()
                return vars(j)
            finally:
                s.close()
        """,
        "commits",
        ("expires-instances",),
        calls=("sorted(work())",),
        differs="sorted(work())",
    ),
    Case(
        "an instance that a helper finds",
        """
        def find(s):
            return s.query(Job).first()

        def work():
            s = get_session()
            try:
                return find(s)
            finally:
                s.close()
        """,
        "commits",
        ("expires-instances",),
        calls=("work().name",),
        differs="work().name",
    ),
    Case(
        "rows of the module",
        """
        s = get_session()
        rows = s.query(Job).all()
        s.close()

        def work():
            return rows[0].name
        """,
        "commits",
        ("expires-instances",),
    ),
    Case(
        "an instance that an inner function reads later",
        """
        def work():
            s = get_session()
            try:
                j = s.query(Job).first()
            finally:
                s.close()
            def read():
                return j.name
            return read
        """,
        "commits",
        ("expires-instances",),
        calls=("work()()",),
        differs="work()()",
    ),
    Case(
        "an instance that an inner function of the block reads later",
        """
        def work():
            s = get_session()
            try:
                j = s.query(Job).first()
                return lambda: j.name
            finally:
                s.close()
        """,
        "commits",
        ("expires-instances",),
        calls=("work()()",),
        differs="work()()",
    ),
    Case(
        "an instance of the function around",
        """
        def work():
            j = None
            def load():
                nonlocal j
                s = get_session()
                try:
                    j = s.query(Job).first()
                finally:
                    s.close()
            load()
            return j.name
        """,
        "commits",
        ("expires-instances",),
        differs="work()",
    ),
    Case(
        "an instance in an error",
        """
        def work():
            s = get_session()
            try:
                raise ValueError(s.query(Job).first())
            finally:
                s.close()

        def outer():
            try:
                work()
            except ValueError as error:
                return error.args[0].name
        """,
        "keeps",
        ("expires-instances",),
        calls=("outer()",),
        differs="outer()",
    ),
    Case(
        "instances copied in a list",
        """
        def work():
            s = get_session()
            try:
                return copy.copy([s.query(Job).first()])
            finally:
                s.close()
        """,
        "commits",
        ("expires-instances",),
        calls=("work()[0].name",),
        differs="work()[0].name",
        rest="import copy\n",
    ),
    Case(
        "instances unpacked",
        """
        def work():
            s = get_session()
            try:
                a, *b = [None, *s.query(Job)]
                return b
            finally:
                s.close()
        """,
        "commits",
        ("expires-instances",),
        calls=("work()[0].name",),
        differs="work()[0].name",
    ),
    Case(
        "the instances that the session holds",
        """
        def work():
            s = get_session()
            try:
                jobs = s.query(Job).all()
                return list(s)
            finally:
                s.close()
        """,
        "commits",
        ("expires-instances",),
        calls=("work()[0].name",),
        differs="work()[0].name",
    ),
    Case(
        "instances given to a parameter",
        """
        def work(take):
            s = get_session()
            try:
                for j in s.query(Job):
                    take(j)
            finally:
                s.close()

        def outer():
            found = []
            work(found.append)
            return found[0].name
        """,
        "commits",
        ("expires-instances",),
        calls=("outer()",),
        differs="outer()",
    ),
)


def _writes(title: str, line: str, effect: str = "commits-uncommitted", **more: str) -> Case:
    body = f"""
def work():
    s = get_session()
    try:
        j = s.query(Job).first()
        {line}
        return 1
    finally:
        s.close()
"""
    return Case(title, body, "commits", (effect,), differs="rows", **more)


MORE_MODELS = """

class Note(Base):
    __tablename__ = "notes"
    id = Column(Integer, primary_key=True)


def touched(self):
    self.done = True
    return self.name


class Writing:
    @property
    def touched(self):
        self.done = True
        return self.id

    def through(self):
        return self.end()

    def end(self):
        self.done = True

    def hand(self):
        return change(self)

    def deep(self):
        self.tasks[0].title = "deep"


def change(job):
    job.done = True


class Job2(Writing, Base):
    __tablename__ = "jobs2"
    id = Column(Integer, primary_key=True)


Job.touched, Job.through, Job.end, Job.hand = Writing.touched, Writing.through, Writing.end, Writing.hand
Job.deep = Writing.deep
"""
RENAMES = """
def rename(self):
    self.name = "renamed"


Job.rename = rename
"""
WRITES = (
    _writes("the target of a loop", "for j.name in ('x', 'y'): pass"),
    _writes(
        "the target of a with", "with nullcontext('x') as j.name: pass", rest="from contextlib import nullcontext\n"
    ),
    _writes("an unknown method of an element", "[j.rename() for j in [j]]", "may-commit-uncommitted", rest=RENAMES),
    _writes("a setter called by its name", "j.__setattr__('name', 'x')"),
    _writes("executed text", "exec('s.add(Job(name=1))')", "may-commit-uncommitted"),
    _writes("a method by its name", "getattr(s, 'add')(Job(name='x'))", "may-commit-uncommitted"),
    _writes("a property that writes", "j.touched", models=MORE_MODELS),
    _writes("a method that calls one that writes", "j.through()", models=MORE_MODELS),
    _writes("a method that hands itself on", "j.hand()", models=MORE_MODELS),
    _writes("a method that sets deeper", "j.deep()", models=MORE_MODELS),
    Case(
        "a function of the file that is named like one of a library",
        """
        def copy(s):
            s.add(Job(name="copied"))


        def update(job):
            job.done = True


        def work():
            s = get_session()
            try:
                update(s.query(Job).first())
                return copy(s)
            finally:
                s.close()
        """,
        "commits",
        ("may-commit-uncommitted",),
        differs="rows",
    ),
    Case(
        "a log that writes rows",
        """
        class Audit:
            def info(self, s, text):
                s.add(Job(name=text))


        audit_log = Audit()


        def work():
            s = get_session()
            try:
                audit_log.info(s, "seen")
                return s.query(Job.name).count()
            finally:
                s.close()
        """,
        "commits",
        ("may-commit-uncommitted",),
        differs="rows",
    ),
    Case(
        "a method that a subclass overrides",
        """
        class Base:
            def look(self, s):
                return s.query(Job).count()

            def work(self):
                s = get_session()
                try:
                    return self.look(s)
                finally:
                    s.close()


        class Other(Base):
            def look(self, s):
                s.add(Job(name="other"))
                s.flush()
        """,
        "commits",
        ("may-commit-uncommitted",),
        calls=("Other().work()",),
        differs="rows",
    ),
    Case(
        "a decorated helper",
        """
        def deco(function):
            def inner(s):
                s.add(Job(name="deco"))
            return inner


        @deco
        def helper(s):
            return 1


        def work():
            s = get_session()
            try:
                helper(s)
            finally:
                s.close()
        """,
        "commits",
        ("may-commit-uncommitted",),
        differs="rows",
    ),
    Case(
        "a helper bound anew",
        """
        def helper(s):
            return 1


        def other(s):
            s.add(Job(name="deco"))


        if True:
            helper = other


        def work():
            s = get_session()
            try:
                helper(s)
            finally:
                s.close()
        """,
        "commits",
        ("may-commit-uncommitted",),
        differs="rows",
    ),
)
LATE = """
        LateLocal = sessionmaker()
        LateLocal.configure(bind=create_engine("sqlite:///DATABASE.late"))


        @contextmanager
        def late():
            session = LateLocal()
            try:
                yield session
                session.commit()
            except Exception:
                session.rollback()
                raise
            finally:
                session.close()


        OtherLocal = sessionmaker()
        OtherLocal.configure(bind=engine)


        def get_other():
            return OtherLocal()
        """
ENGINES = (
    Case(
        "a scope on an engine that can't be read",
        COUNTS.replace("make", "get_session"),
        "late",
        ("other-engine",),
        db=LATE,
        differs="work()",
    ),
    Case(
        "two factories on engines that can't be read",
        COUNTS.replace("make", "get_other"),
        "late",
        ("other-engine",),
        db=LATE,
        rest="from app.db import get_other\n",
        differs="work()",
    ),
)
EXPIRED = (
    Case(
        "the block's own commit expires under the scope's session only",
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
        "reads",
        ("expires-instances",),
        rest="from app.db import SessionLocal\n",
        calls=("name()",),
        differs="name()",
    ),
)
SHOWN = (
    Case(
        "an instance that the block's commit expired, and the scope's session does not",
        """
        def work():
            s = get_session()
            try:
                job = s.get(Job, 1)
                s.commit()
                return job
            finally:
                s.close()


        def name():
            return work().name
        """,
        "keeps",
        ("other-factory",),
        calls=("name()",),
        differs="name()",
    ),
    Case(
        "an attribute that is refreshed behind the block's commit, which flushes what is pending",
        """
        def work():
            s = SessionLocal(expire_on_commit=False)
            try:
                job = s.get(Job, 1)
                s.commit()
                s.add(Job(name="first"))
                return job.id
            finally:
                s.close()
        """,
        "reads",
        ("other-factory",),
        rest="from app.db import SessionLocal\n",
        differs="work()",
    ),
)
LATER = (
    *(
        Case(
            f"instances that are read when the block is over: {title}",
            f"""
            def work():
                s = get_session()
                try:
                    jobs = s.query(Job).order_by(Job.id).all()
                    return {value}
                finally:
                    s.close()
            """,
            "commits",
            ("expires-instances",),
            calls=("list(work())",),
            differs="list(work())",
        )
        for title, value in {
            "map": "map(lambda job: job.name, jobs)",
            "a generator expression": "(job.name for job in jobs)",
            "one in another": "zip(range(9), map(show, jobs))",
        }.items()
    ),
    *(
        Case(
            f"instances that leave by {title}",
            f"""
            kept = []
            class Box: pass
            box = Box()
            def store(out):
                s = get_session()
                try:
                    {statement}
                finally:
                    s.close()
            def work():
                store({given})
                return [job.name for job in (kept or [box.last])]
            """,
            "commits",
            ("expires-instances",),
            differs="work()",
        )
        for title, given, statement in (
            ("extend", "kept", "out.extend(s.query(Job))"),
            ("a slice", "kept", "out[:] = s.query(Job)"),
            ("growing", "kept", "out += s.query(Job).all()"),
            ("a loop's target", "box", "for out.last in s.query(Job): pass"),
            ("a tuple's target", "box", "out.last, other = s.query(Job).limit(2).all()"),
            ("a keyword", "box.__dict__", "out.update(last=s.query(Job).first())"),
        )
    ),
)
CLOSING = (
    Case(
        "an error of the close that a handler took",
        """
        def work():
            s = Picky()
            try:
                return s.query(Job).count()
            finally:
                try:
                    s.close()
                except OSError:
                    log.warning("close failed")
        """,
        "picky",
        ("close-may-raise",),
        rest="from app.db import Picky\n",
        differs="work()",
        db="""
        class Failing(Session):
            def close(self):
                super().close()
                raise OSError("lost")
        Picky = sessionmaker(bind=engine, class_=Failing)
        @contextmanager
        def picky():
            session = Picky()
            try:
                yield session
            finally:
                session.close()
        """,
    ),
    Case(
        "a factory whose guard asks for more than whether it is there",
        COUNTS,
        "commits",
        ("drops-factory-work",),
        rest=MAKE,
        differs="work()",
        db="""
        state = ["bad"]
        def make():
            if state == ["bad"]:
                raise Trouble("not ready")
            return SessionLocal()
        """,
    ),
)
UNSAFE = (*LATER, *CLOSING, *FACTORIES, *SCOPES, *OUTLIVING, *WRITES, *ENGINES, *EXPIRED, *SHOWN)


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
    if not case.differs:  # it happens when the module is imported, where no rows are yet
        return
    before = run_of(files_of(case), case.calls, tmp_path / "before.db")
    after = run_of(files, case.calls, tmp_path / "after.db")
    assert before[case.differs] != after[case.differs]
