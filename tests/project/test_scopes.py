"""Scopes: what the index reads is compared with what the scope does when it is really run."""

from __future__ import annotations

from dataclasses import dataclass, field
from textwrap import dedent, indent

import pytest
from ormlift.model import ScopeChoice
from ormlift.schema import Tri
from sqlalchemy import create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from tests.project.support import call_of, index_of, module_of

HEAD = """
from contextlib import contextmanager
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, scoped_session, sessionmaker
from app.engine import engine

SessionLocal = sessionmaker(bind=engine)
Shared = scoped_session(SessionLocal)

class AppError(Exception):
    pass

def log_and_close(text, session):
    session.close()

def close_it(session):
    if session:
        session.close()

"""

BODIES = {
    "commit, roll back, close": """
        session = SessionLocal()
        try:
            yield session
            session.commit()
        except:
            session.rollback()
            raise
        finally:
            session.close()
        """,
    "commit in else": """
        session = SessionLocal()
        try:
            yield session
        except Exception as error:
            session.rollback()
            raise error
        else:
            session.commit()
        finally:
            session.close()
        """,
    "close only": """
        session = SessionLocal()
        try:
            yield session
        finally:
            session.close()
        """,
    "wraps everything, guarded close": """
        session = None
        try:
            session = SessionLocal()
            yield session
            session.commit()
        except SQLAlchemyError as error:
            if session:
                try:
                    session.rollback()
                except Exception:
                    print("rollback failed")
            raise AppError("database") from error
        except Exception as error:
            if session:
                session.rollback()
            raise AppError("other") from error
        finally:
            if session is not None:
                try:
                    session.close()
                except Exception:
                    pass
        """,
    "wraps database errors only": """
        session = SessionLocal()
        try:
            yield session
            session.commit()
        except SQLAlchemyError as error:
            session.rollback()
            raise AppError("database") from error
        finally:
            session.close()
        """,
    "swallows": """
        session = SessionLocal()
        try:
            yield session
            session.commit()
        except Exception:
            session.rollback()
            print("lost")
        finally:
            session.close()
        """,
    "with": """
        with SessionLocal() as session:
            yield session
        """,
    "with begin": """
        with SessionLocal.begin() as session:
            yield session
        """,
    "with session, begin": """
        with SessionLocal() as session, session.begin():
            yield session
        """,
    "with and commit": """
        with Session(engine) as session:
            yield session
            session.commit()
        """,
    "helper closes": """
        session = SessionLocal()
        try:
            yield session
        finally:
            close_it(session)
        """,
    "helper closes its second argument": """
        session = SessionLocal()
        try:
            yield session
        finally:
            log_and_close("x", session)
        """,
    "no try": """
        session = SessionLocal()
        yield session
        session.commit()
        session.close()
        """,
    "commits whatever happens": """
        session = SessionLocal()
        try:
            yield session
        finally:
            session.commit()
            session.close()
        """,
    "shared": """
        session = Shared()
        try:
            yield session
            session.commit()
        except Exception:
            session.rollback()
            raise
        """,
    "shared, removed": """
        session = Shared()
        try:
            yield session
        finally:
            Shared.remove()
        """,
    "built on another": """
        with inner_scope() as session:
            yield session
        """,
}

INNER = """
@contextmanager
def inner_scope():
    session = SessionLocal()
    try:
        yield session
        session.commit()
    except Exception:
        session.rollback()
        raise
    finally:
        session.close()

"""

CLASS = """
class scope:
    def __enter__(self):
        self.session = SessionLocal()
        return self.session

    def __exit__(self, kind, value, trace):
        try:
            if kind is None:
                self.session.commit()
            else:
                self.session.rollback()
        finally:
            self.session.close()
        return {swallow}
"""

PROGRAMS = {
    name: HEAD + INNER + "@contextmanager\ndef scope():\n" + indent(dedent(body), "    ")
    for name, body in BODIES.items()
}
PROGRAMS["class"] = HEAD + CLASS.format(swallow=False)
PROGRAMS["class that swallows"] = HEAD + CLASS.format(swallow=True)


@dataclass
class Seen:
    """What happened at the exit of one block."""

    done: list[str] = field(default_factory=list)
    error: BaseException | None = None


def leave(program: str, error: Exception | None) -> Seen:
    """Run the scope's block and end it with the error, or without; a commit must have something to commit."""
    engine = create_engine("sqlite://")
    space: dict[str, object] = {}
    lines = program.replace("from app.engine import engine", "")
    space["engine"] = engine
    exec(lines, space)
    seen = Seen()
    try:
        with space["scope"]() as session:  # type: ignore[operator]
            session.connection()
            event.listen(session, "after_commit", lambda _: seen.done.append("commit"))
            event.listen(session, "after_rollback", lambda _: seen.done.append("rollback"))
            close = session.close
            session.close = lambda: (seen.done.append("close"), close())
            if error is not None:
                raise error
    except Exception as caught:
        seen.error = caught
    return seen


def yes(condition: bool) -> Tri:
    return Tri.YES if condition else Tri.NO


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_index_says_what_the_scope_does(name):
    program = PROGRAMS[name]
    index = index_of({"app/db.py": program, "app/engine.py": ""})
    (scope,) = [s for s in index.scopes if s.name == "scope"]
    well, badly, database = (leave(program, e) for e in (None, ValueError("x"), SQLAlchemyError("x")))
    assert well.error is None
    assert scope.yields == "session"
    assert scope.commits is yes("commit" in well.done)
    assert scope.commits_on_failure is yes("commit" in badly.done)
    closed = ("close" in well.done, "close" in badly.done)
    assert scope.closes is (yes(closed[0]) if closed[0] == closed[1] else Tri.UNKNOWN)
    assert scope.swallows is yes(badly.error is None)
    assert bool(scope.wraps) is (type(database.error).__name__ == "AppError")
    assert scope.wraps_all is (type(badly.error).__name__ == "AppError")
    assert scope.shared is yes("shared" in name)
    first = badly.done[: badly.done.index("close")] if "close" in badly.done else badly.done
    explicit = "rollback" in first or "begin" in name
    assert scope.rolls_back in {yes(explicit), Tri.UNKNOWN if name == "wraps database errors only" else yes(explicit)}


@pytest.mark.parametrize(
    ("condition", "commits"),
    [
        ("session", Tri.YES),
        ("session is not None", Tri.YES),
        ("session.is_active", Tri.YES),
        ("session.dirty or session.new", Tri.UNKNOWN),
        ("session is None", Tri.UNKNOWN),
        ("not session", Tri.UNKNOWN),
        ("os.environ.get('COMMIT')", Tri.UNKNOWN),
    ],
)
def test_a_commit_under_a_condition(condition, commits):
    body = f"""
    session = SessionLocal()
    try:
        yield session
        if {condition}:
            session.commit()
    finally:
        session.close()
    """
    text = HEAD + "import os\n@contextmanager\ndef scope():\n" + dedent(body).replace("\n", "\n    ")
    (scope,) = index_of({"app/db.py": text}).scopes
    assert scope.commits is commits
    assert scope.closes is Tri.YES


def test_two_places_that_yield_must_agree():
    text = (
        HEAD
        + """
@contextmanager
def scope(quick=False):
    if quick:
        with SessionLocal() as session:
            yield session
    else:
        with SessionLocal.begin() as session:
            yield session

@contextmanager
def either(quick=False):
    session = SessionLocal()
    if quick:
        yield session
        session.close()
    else:
        yield session
        session.close()
        session.commit()
"""
    )
    found = {s.name: s for s in index_of({"app/db.py": text}).scopes}
    assert found["scope"].commits is Tri.UNKNOWN
    assert found["either"].commits is Tri.UNKNOWN


def test_where_the_reader_looks():
    program = PROGRAMS["wraps everything, guarded close"]
    (scope,) = [s for s in index_of({"app/db.py": program, "app/engine.py": ""}).scopes if s.name == "scope"]
    lines = program.split("\n")
    assert "session.commit()" in lines[scope.commit_line - 1]
    assert "raise AppError" in lines[scope.wraps_line - 1]


SERVICE = """
from contextlib import contextmanager
from sqlalchemy.orm import sessionmaker
class Manager:
    def __init__(self, engine):
        self.Factory = sessionmaker(bind=engine, expire_on_commit=False)
    def get_session(self):
        return self.Factory()
class Service:
    def __init__(self, manager):
        self.manager = manager
    @contextmanager
    def session_scope(self, label=None):
        session = self.manager.get_session()
        try:
            yield session
            session.commit()
        finally:
            session.close()
    @contextmanager
    def timed(self, name):
        yield name
"""


def test_methods_and_what_is_no_session():
    index = index_of({"service.py": SERVICE})
    (scope,) = index.scopes
    assert (scope.owner, scope.name, scope.expire_on_commit) == ("Service", "session_scope", Tri.NO)
    assert index.default_scopes() == (), "a method cannot be imported by name"
    module = module_of(
        "def f(service):\n    with service.session_scope() as s:\n        pass\n    open('x')\n", "use.py"
    )
    assert index.scope_of(call_of(module, "service.session_scope()"), module) == scope
    assert index.scope_of(call_of(module, "open('x')"), module) is None


@pytest.mark.parametrize(
    ("choice", "found"),
    [
        (ScopeChoice("scope", "app.db"), "scope"),
        (ScopeChoice("inner_scope", "app.db"), "inner_scope"),
        (ScopeChoice("scope", "app.nowhere"), ""),
        (ScopeChoice("no_such", "app.db"), ""),
    ],
)
def test_a_scope_is_found_by_its_configured_name(choice, found):
    index = index_of({"app/db.py": PROGRAMS["built on another"], "app/engine.py": ""})
    scope = index.scope_named(choice)
    assert (scope.name if scope else "") == found


def test_a_method_is_found_through_the_object_it_belongs_to():
    index = index_of({"service.py": SERVICE, "app.py": "from service import Service\nservice = Service(None)\n"})
    scope = index.scope_named(ScopeChoice("service.session_scope", "app"))
    assert scope is not None
    assert scope.owner == "Service"


def test_the_default_is_the_one_that_does_most_and_hides_least():
    both = PROGRAMS["built on another"] + PROGRAMS["close only"].replace("def scope", "def closing").replace(
        HEAD + INNER, ""
    )
    names = [s.name for s in index_of({"app/db.py": both, "app/engine.py": ""}).default_scopes()]
    assert names == ["inner_scope", "scope", "closing"]


def test_no_default_from_tests_or_with_arguments():
    text = (
        PROGRAMS["close only"]
        .replace("def scope()", "def scope(user)")
        .replace("def inner_scope()", "def inner_scope(x)")
    )
    assert index_of({"app/db.py": text}).default_scopes() == ()
    assert index_of({"tests/conftest.py": PROGRAMS["close only"]}).default_scopes() == ()


def test_asynchronous_scopes():
    text = """
        from contextlib import asynccontextmanager
        from sqlalchemy.ext.asyncio import async_sessionmaker
        factory = async_sessionmaker(expire_on_commit=False)
        @asynccontextmanager
        async def scope():
            session = factory()
            try:
                yield session
                await session.commit()
            except Exception:
                await session.rollback()
                raise
            finally:
                await session.close()
        async def dependency():
            async with scope() as session:
                yield session
        """
    index = index_of({"app/db.py": text})
    (scope,) = index.scopes
    assert (scope.is_async, scope.commits, scope.rolls_back, scope.closes) == (True, Tri.YES, Tri.YES, Tri.YES)
    assert [s.kind for s in index.sources] == ["generator"]


def test_scopes_of_connections_are_kept_apart():
    text = """
        import sqlite3
        from contextlib import contextmanager
        @contextmanager
        def connection():
            conn = sqlite3.connect("x.db")
            try:
                yield conn
                conn.commit()
            finally:
                conn.close()
        """
    index = index_of({"app/db.py": text})
    assert [(s.yields, s.commits, s.closes) for s in index.scopes] == [("connection", Tri.YES, Tri.YES)]
    assert index.default_scopes() == ()
