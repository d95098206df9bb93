"""Sessions that must stay as they are, each with its reason; and code that holds no site at all."""

import textwrap

import pytest
from ormlift.model import Refusal, Rewrite, ScopeChoice, Settings, Site, Source
from ormlift.project.facts import read_facts
from ormlift.project.index import link
from ormlift.rules.base import Context
from ormlift.rules.session_scope import CODEMOD, find
from ormlift.syntax import Module

DB = """\
from contextlib import asynccontextmanager, contextmanager

from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import async_sessionmaker
from sqlalchemy.orm import sessionmaker

engine = create_engine("sqlite://")
SessionLocal = sessionmaker(bind=engine)
AsyncLocal = async_sessionmaker()


def get_session():
    return SessionLocal()


async def new_async():
    return AsyncLocal()


def get_db():
    db = SessionLocal()
    try:
        yield db
    finally:
        db.close()


@contextmanager
def scope():
    session = SessionLocal()
    try:
        yield session
        session.commit()
    except Exception:
        session.rollback()
        raise
    finally:
        session.close()


@asynccontextmanager
async def async_scope():
    session = AsyncLocal()
    try:
        yield session
        await session.commit()
    except Exception:
        await session.rollback()
        raise
    finally:
        await session.close()


@contextmanager
def tenant_scope(tenant):
    session = SessionLocal()
    try:
        yield session
        session.commit()
    finally:
        session.close()
"""
HEAD = "from app.db import AsyncLocal, SessionLocal, get_db, get_session, new_async\nfrom app.models import Job\n\n\n"
MODELS = """\
from sqlalchemy import Column, Integer
from sqlalchemy.orm import declarative_base

Base = declarative_base()


class Job(Base):
    __tablename__ = "jobs"

    id = Column(Integer, primary_key=True)
"""


def sites(
    code: str, *, scope: ScopeChoice | None = None, configured: bool = True, path: str = "app/jobs.py"
) -> list[Site]:
    text = HEAD + textwrap.dedent(code).lstrip("\n")
    files = {"app/db.py": DB, "app/models.py": MODELS, "app/__init__.py": "", path: text}
    index = link(read_facts(Source(p, t)) for p, t in files.items())
    settings = Settings(scopes=(scope or ScopeChoice("scope", "app.db"),) if configured else ())
    return list(find(Module.parse(Source(path, text)), Context(index, settings)))


def body(inner: str, head: str = "def work(self=None, items=()):", close: str = "s.close()") -> str:
    """A function whose session is closed in a finally, with `inner` in its try."""
    lines = [head, "    s = get_session()", "    try:"]
    lines += ["        " + line for line in textwrap.dedent(inner).strip().splitlines()]
    return "\n".join([*lines, "    finally:", f"        {close}", ""])


READS = body("s.query(Job).all()")
STAYS = {
    "returned": ("returned", body("return s")),
    "returned in a tuple": ("stored", body("return s, 1")),
    "yielded": ("own-definition", body("yield s")),
    "a generator that yields rows": ("generator", body("for job in s.query(Job):\n    yield job")),
    "stored on self": ("stored", body("self.s = s")),
    "put into a list": ("stored", body("items.append([s])")),
    "a second name": ("aliased", body("t = s\nt.query(Job).all()")),
    "bound anew": ("reassigned", body("s.query(Job).all()\ns = get_session()")),
    "deleted": ("reassigned", body("s.query(Job).all()\ndel s")),
    "a lambda": ("captured", body("items.sort(key=lambda x: s.get(Job, x))")),
    "a nested function": ("captured", body("def later():\n    return s.query(Job).all()\nitems.append(later)")),
    "a generator expression that is kept": ("captured", body("return (s.get(Job, i) for i in items)")),
    "a method that is passed on": ("captured", body("return list(map(s.merge, items))")),
    "passed to what closes it": ("closed-by-callee", body("finish_and_close(s)")),
    "its own with": ("own-with", body("with s:\n    s.query(Job).all()")),
    "its own transaction": ("transaction-control", body("t = s.begin()\ns.add(Job())\nt.commit()")),
    "closed inside as well": ("closed-in-several-places", body("for i in items:\n    s.close()")),
    "an object that keeps it is returned": ("kept-by-object", body("repo = Jobs(s)\nreturn repo")),
    "an object that keeps it is stored": ("kept-by-object", body("self.repo = Jobs(s)")),
    "an object that keeps it is used later": (
        "kept-by-object",
        body("repo = Jobs(s)") + "    return repo.all()\n",
    ),
    "used after the close": ("used-after-close", body("s.query(Job).all()") + "    return s.query(Job).count()\n"),
    "used by the next turn of the loop": (
        "used-after-close",
        """
        def work():
            s = None
            for i in (1, 2):
                if s is not None:
                    s.query(Job).all()
                s = get_session()
                try:
                    s.query(Job).all()
                finally:
                    s.close()
        """,
    ),
    "global": ("global-name", READS.replace("    s = get", "    global s\n    s = get")),
    "a parameter": ("may-be-given", body("s.query(Job).all()", "def work(s=None):")),
    "the caller's or its own": ("may-be-given", READS.replace("= get", "= None or get")),
    "two targets": ("unusual-assignment", READS.replace("s = get", "s = t = get")),
    "unpacked": ("unusual-assignment", "def work():\n    if (s := get_session()):\n        s.close()\n"),
    "stored at once": ("stored", "class Jobs:\n    def __init__(self):\n        self.s = get_session()\n"),
    "a class attribute": ("stored", "class Jobs:\n    s = get_session()\n"),
    "never closed, never used": ("never-closed", "def work():\n    s = get_session()\n    return 1\n"),
    "never closed, and returned": ("stored", "def work():\n    s = get_session()\n    s.flush()\n    return s, 1\n"),
    "never named": ("never-named", "def work():\n    return get_session().query(Job).count()\n"),
    "passed on at once": ("never-named", "def work():\n    return Jobs(get_session()).all()\n"),
    "nothing between": ("empty-block", "def work():\n    s = get_session()\n    s.close()\n"),
    "closed under another condition": ("finally-does-more", body("s.query(Job).all()", close="if items: s.close()")),
    "a close in a branch of its own": (
        "closed-elsewhere",
        """
        def work(flag):
            if flag:
                s = get_session()
            try:
                s.query(Job).all()
            finally:
                s.close()
        """,
    ),
    "a close behind except*": (
        "closed-elsewhere",
        READS.replace("    finally", "    except* ValueError:\n        pass\n    finally"),
    ),
    "the scope's name is deleted": ("name-taken", "from app.db import scope\n\ndel scope\n\n\n" + READS),
    "an annotated variable of the module": (
        "unusual-assignment",
        "s: Session = get_session()\ntry:\n    n = s.query(Job).count()\nfinally:\n    s.close()\n",
    ),
    "read after it was emptied": (
        "used-after-close",
        READS.replace("        s.close()", "        s.close()\n        s = None") + "    return s\n",
    ),
    "a generator dependency": ("own-definition", body("yield s", "def get_other():")),
    "an async session under a scope that is not": (
        "async-mismatch",
        """
        async def work():
            s = AsyncLocal()
            try:
                return await s.get(Job, 1)
            finally:
                await s.close()
        """,
    ),
    "a coroutine that is not awaited": (
        "not-awaited",
        """
        async def work():
            s = new_async()
            try:
                return await s.get(Job, 1)
            finally:
                await s.close()
        """,
    ),
    "the scope's name is a parameter": ("name-taken", body("s.query(Job).all()", "def work(scope):")),
    "the scope's name is bound in the function": ("name-taken", body("scope = 1\nreturn s.query(Job).count() + scope")),
    "the scope's name is another function": ("name-taken", "def scope():\n    pass\n\n\n" + READS),
    "the scope's name is imported from elsewhere": ("name-taken", "from other import scope\n\n\n" + READS),
    "the scope's name is bound around the function": (
        "name-taken",
        "def outer(scope):\n" + textwrap.indent(READS, "    "),
    ),
}  # fmt: skip

NO_SITES = {
    "a function that hands it out": "def mine():\n    return SessionLocal()\n",
    "a with of its own that yields": "def work():\n    with SessionLocal() as s:\n        yield s.query(Job).count()\n",
    "a transaction of its own": "def work():\n    with SessionLocal.begin() as s:\n        s.query(Job).count()\n",
    "a with for two": "def work():\n    with SessionLocal() as s, s.begin():\n        s.query(Job).count()\n",
    "a dependency that is injected": "def work(db=Depends(get_db)):\n    return db.query(Job).count()\n",
    "another's session": READS.replace("get_session()", "None"),
    "a function of its own by the same name": READS.replace(
        "    s = get", "    def get_session():\n        return object()\n\n    s = get"
    ),
    "a file": READS.replace("get_session()", "open('x')"),
    "a factory": "def maker():\n    return lambda: SessionLocal()\n",
}


@pytest.mark.parametrize(("reason", "code"), STAYS.values(), ids=STAYS.keys())
def test_stays_with_its_reason(reason: str, code: str) -> None:
    site, *others = sites(code)
    assert not any(isinstance(other, Rewrite) for other in others)
    assert isinstance(site, Refusal), site
    assert site.reason.code == reason
    assert site.reason.code in CODEMOD.reasons
    assert ";" in site.reason.message or "nothing needs" in site.reason.message  # what stands in the way; the way out


@pytest.mark.parametrize("code", NO_SITES.values(), ids=NO_SITES.keys())
def test_no_site(code: str) -> None:
    assert sites(code) == []


def test_plain_body_is_a_rewrite() -> None:
    (site,) = sites(body("return s.query(Job).count()"))
    assert isinstance(site, Rewrite)
    assert site.effects == ()


def test_no_scope() -> None:
    code = "import sqlalchemy.orm\n\nMaker = sqlalchemy.orm.sessionmaker()\n\n\n" + READS.replace(
        "get_session", "Maker"
    )
    index = link([read_facts(Source("x.py", code))])
    (site,) = find(Module.parse(Source("x.py", code)), Context(index, Settings()))
    assert isinstance(site, Refusal)
    assert site.reason.code == "no-scope"


def test_a_scope_of_the_project_is_found_where_none_is_configured() -> None:
    (site,) = sites(body("return s.query(Job).count()"), configured=False)
    assert isinstance(site, Rewrite)
    assert [(need.module, need.name) for need in site.imports] == [("app.db", "scope")]


def test_globs_choose_the_file() -> None:
    code = body("return s.query(Job).count()")
    other = ScopeChoice("tenant_scope", "app.db", ("lib/**",))
    (site,) = sites(code, scope=other)
    assert isinstance(site, Rewrite)
    (site,) = sites(code, scope=other, path="lib/deep/jobs.py")
    assert isinstance(site, Refusal)
    assert site.reason.code == "scope-takes-arguments"


IN_A_CLASS = """
    class Reports:
        def __init__(self, maker):
            self.maker = maker

        def count(self):
            s = SessionLocal()
            try:
                return s.query(Job).count()
            finally:
                s.close()

        class Inner:
            def count(self):
                s = SessionLocal()
                try:
                    return s.query(Job).count()
                finally:
                    s.close()
"""


@pytest.mark.parametrize(
    ("choice", "first_is_tenants", "second_is_tenants"),
    [
        (ScopeChoice("tenant_scope", "app.db", in_class_with="maker"), True, False),
        (ScopeChoice("tenant_scope", "app.db", in_class_with="manager"), False, False),
        (ScopeChoice("tenant_scope", "app.db", ("lib/**",), in_class_with="maker"), False, False),
        (ScopeChoice("tenant_scope", "app.db", decorated_by=("*.route",)), False, False),
    ],
)
def test_attributes_of_the_class_choose(choice: ScopeChoice, first_is_tenants: bool, second_is_tenants: bool) -> None:
    found = [isinstance(site, Refusal) for site in sites(textwrap.dedent(IN_A_CLASS), scope=choice)]
    assert found == [first_is_tenants, second_is_tenants]


@pytest.mark.parametrize(
    ("decorator", "is_tenants"),
    [("@app.route('/')", True), ("@admin.route", True), ("@route", False), ("@app.route.twice", False), ("", False)],
)
def test_a_decorator_chooses(decorator: str, is_tenants: bool) -> None:
    code = f"{decorator}\ndef show():\n    s = SessionLocal()\n    s.query(Job).all()\n    s.close()\n"
    (site,) = sites(code, scope=ScopeChoice("tenant_scope", "app.db", decorated_by=("*.route",)))
    assert isinstance(site, Refusal) is is_tenants


def test_a_scope_that_wants_arguments() -> None:
    (site,) = sites(body("s.query(Job).all()"), scope=ScopeChoice("tenant_scope", "app.db"))
    assert isinstance(site, Refusal)
    assert site.reason.code == "scope-takes-arguments"


def test_a_scope_that_is_bound_nowhere() -> None:
    (site,) = sites(body("s.query(Job).all()"), scope=ScopeChoice("manager.scope"))
    assert isinstance(site, Refusal)
    assert site.reason.code == "scope-not-bound"


def test_a_scope_that_is_not_in_the_project_is_unsafe() -> None:
    (site,) = sites(body("s.query(Job).all()"), scope=ScopeChoice("far_scope", "elsewhere"))
    assert isinstance(site, Rewrite)
    assert [effect.code for effect in site.effects] == ["scope-unknown"]


def test_an_async_session_under_an_async_scope() -> None:
    code = """
        async def work():
            s = await new_async()
            try:
                return await s.scalar(text("SELECT 1"))
            finally:
                await s.close()
    """
    (site,) = sites(code, scope=ScopeChoice("async_scope", "app.db"))
    assert isinstance(site, Rewrite)
    assert any(getattr(op, "header", "") == "async with async_scope() as s" for op in site.ops)


def test_the_body_of_the_scope_itself_stays() -> None:
    index = link([read_facts(Source("app/db.py", DB))])
    found = list(find(Module.parse(Source("app/db.py", DB)), Context(index, Settings())))
    assert found
    assert {site.reason.code for site in found if isinstance(site, Refusal)} == {"own-definition"}
    assert not any(isinstance(site, Rewrite) for site in found)


def test_arguments_of_the_old_call_are_told() -> None:
    (site,) = sites(body("s.query(Job).all()").replace("get_session()", "SessionLocal(autoflush=False)"))
    assert isinstance(site, Rewrite)
    assert [effect.code for effect in site.effects] == ["drops-arguments"]


def test_a_coroutine_of_any_name_is_a_site_and_a_commit_that_is_not_awaited_is_none() -> None:
    code = """
        async def work():
            s = await asession()
            try:
                s.add(Job())
                s.commit()
            finally:
                await s.close()


        async def asession():
            return AsyncLocal()


        async def other():
            s = await asession()
            try:
                s.add(Job())
                await s.commit()
            finally:
                await s.close()
    """
    first, second = [s for s in sites(code, scope=ScopeChoice("async_scope", "app.db")) if isinstance(s, Rewrite)]
    assert [effect.code for effect in second.effects] == []
    assert [effect.code for effect in first.effects] == ["commits-uncommitted"]


def test_a_close_by_a_function_of_another_file() -> None:
    manager = """
        import logging

        from app.db import SessionLocal

        logger = logging.getLogger(__name__)


        class Manager:
            def get_session(self):
                return SessionLocal()

            def close_session(self, session):
                \"\"\"Close it.\"\"\"
                if session:
                    try:
                        session.close()
                    except Exception as error:
                        logger.error("closing: %s", error)

            def finish_session(self, session):
                session.commit()
                session.close()


        manager = Manager()
    """
    code = """
        from app.manager import manager


        def work():
            s = manager.get_session()
            try:
                return s.query(Job).count()
            finally:
                manager.close_session(s)


        def other():
            s = manager.get_session()
            try:
                return s.query(Job).count()
            finally:
                manager.finish_session(s)
    """
    text = HEAD + textwrap.dedent(code)
    files = {
        "app/db.py": DB,
        "app/models.py": MODELS,
        "app/__init__.py": "",
        "app/manager.py": textwrap.dedent(manager),
    }
    index = link(read_facts(Source(p, t)) for p, t in {**files, "app/jobs.py": text}.items())
    settings = Settings(scopes=(ScopeChoice("scope", "app.db"),))
    closed, finished = find(Module.parse(Source("app/jobs.py", text)), Context(index, settings))
    assert isinstance(closed, Rewrite)
    assert closed.effects == ()
    assert isinstance(finished, Refusal)
