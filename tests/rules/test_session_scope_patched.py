"""Tests that patch what hands out a session, run before and after: those that no longer find it are told."""

from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest
from ormlift.model import Settings

from tests.rules.session_runs import Case, files_of, plan_of, run_of

COUNT = """
def count():
    s = {call}
    try:
        return s.query(Job).count()
    finally:
        s.close()


def work():
    from app import testing

    return testing.check()
"""
FAKE = """
from unittest import mock
from unittest.mock import MagicMock, patch

from app import db, jobs
from app.db import ArchiveLocal


class Empty:
    def query(self, *_):
        return self

    def count(self):
        return -1

    def commit(self):
        pass

    rollback = close = commit


"""
DB = """
class Manager:
    def get_session(self):
        return SessionLocal()

    @contextmanager
    def scope(self):
        session = self.get_session()
        try:
            yield session
            session.commit()
        except Exception:
            session.rollback()
            raise
        finally:
            session.close()


manager = Manager()


@contextmanager
def asking():
    session = get_session()
    try:
        yield session
        session.commit()
    except Exception:
        session.rollback()
        raise
    finally:
        session.close()
"""


def _case(title: str, test: str, call: str = "get_session()", scope: str = "commits", rest: str = "", **more) -> Case:
    told = () if title.startswith("safe: ") else ("patched-name",)
    return Case(
        title.removeprefix("safe: "),
        COUNT.format(call=call),
        scope,
        told,
        differs="work()",
        rest=rest,
        db=DB,
        tests=FAKE + dedent(test),
        **more,
    )


IN_PLACE = """
def check(monkeypatch=None):
    with {patch}:
        return jobs.count()
"""
BY_HAND = """
def check():
    held = {place}
    {place} = Empty
    try:
        return jobs.count()
    finally:
        {place} = held
"""
MANAGED = {"call": "manager.get_session()", "rest": "from app.db import manager\n"}
METHOD = "lambda *_: Empty()"
PATCHED = (
    _case("by a dotted name", IN_PLACE.format(patch='patch("app.jobs.get_session", Empty)')),
    _case("with a fake that is made", IN_PLACE.format(patch='patch("app.jobs.get_session") as fake')),
    _case(
        "by mock.patch", IN_PLACE.format(patch='mock.patch(\n        "app.jobs.get_session",\n        new=Empty\n    )')
    ),
    _case("as an attribute", IN_PLACE.format(patch='patch.object(jobs, "get_session", Empty)')),
    _case("several at once", IN_PLACE.format(patch='patch.multiple("app.jobs", log=None, get_session=Empty)')),
    _case("by a constant", 'TARGET = "app.jobs.get_session"\n' + IN_PLACE.format(patch="patch(TARGET, Empty)")),
    _case("by an f-string", 'AT = "app.jobs"\n' + IN_PLACE.format(patch='patch(f"{AT}.get_session", Empty)')),
    _case("by a sum", 'AT = "app.jobs"\n' + IN_PLACE.format(patch='patch(AT + ".get_session", Empty)')),
    _case("by hand", "import unittest\n" + BY_HAND.format(place="jobs.get_session")),
    _case("by another name of the module", "import pytest, app.jobs as j\n" + BY_HAND.format(place="j.get_session")),
    _case("through the table of modules", "import sys\n" + BY_HAND.format(place='sys.modules["app.jobs"].get_session')),
    _case(
        "by another name of patch",
        "from unittest.mock import patch as p\n" + IN_PLACE.format(patch='p("app.jobs.get_session", Empty)'),
    ),
    _case(
        "by pytest's own object",
        """
        import pytest

        def check():
            with pytest.MonkeyPatch.context() as mp:
                mp.setattr(jobs, "get_session", Empty)
                return jobs.count()
        """,
    ),
    _case(
        "by keywords",
        """
        import pytest

        def check():
            with pytest.MonkeyPatch.context() as mp:
                mp.setattr(target=jobs, name="get_session", value=Empty)
                return jobs.count()
        """,
    ),
    _case(
        "by setattr",
        """
        import unittest

        def check():
            held = jobs.get_session
            setattr(jobs, "get_session", Empty)
            try:
                return jobs.count()
            finally:
                setattr(jobs, "get_session", held)
        """,
    ),
    _case("in the dict of the module", IN_PLACE.format(patch="patch.dict(jobs.__dict__, get_session=Empty)")),
    _case(
        "in the dict of the module, by its name",
        IN_PLACE.format(patch='patch.dict("app.jobs.__dict__", {"get_session": Empty})'),
    ),
    _case(
        "in the globals of a function", IN_PLACE.format(patch="patch.dict(jobs.count.__globals__, get_session=Empty)")
    ),
    _case("in its variables", "import unittest\n" + BY_HAND.format(place='vars(jobs)["get_session"]')),
    _case("in its dict", "import unittest\n" + BY_HAND.format(place='jobs.__dict__["get_session"]')),
    _case(
        "by a helper that adds the name",
        """
        def patched(name):
            return patch("app.jobs." + name, Empty)

        def check():
            with patched("get_session"):
                return jobs.count()
        """,
    ),
    _case(
        "by a helper that is handed the module",
        """
        import contextlib, unittest

        @contextlib.contextmanager
        def swapped(holder, name, value):
            held = getattr(holder, name)
            setattr(holder, name, value)
            try:
                yield
            finally:
                setattr(holder, name, held)

        def check():
            with swapped(jobs, "get_session", Empty):
                return jobs.count()
        """,
    ),
    _case(
        "the function in its own file, which the scope does not ask",
        IN_PLACE.format(patch='patch("app.db.get_session", Empty)'),
        "db.get_session()",
        rest="from app import db\n",
    ),
    _case(
        "the function that an import inside asks for",
        IN_PLACE.format(patch='patch("app.db.get_session", Empty)'),
        "inner()",
        rest="def inner():\n    from app.db import get_session\n    return get_session()\n",
    ),
    _case("a method of an object", IN_PLACE.format(patch=f'patch("app.db.manager.get_session", {METHOD})'), **MANAGED),
    _case(
        "a method, seen from where it is used",
        IN_PLACE.format(patch=f'patch("app.jobs.manager.get_session", {METHOD})'),
        **MANAGED,
    ),
    _case("a method of a class", IN_PLACE.format(patch=f'patch("app.db.Manager.get_session", {METHOD})'), **MANAGED),
    _case(
        "a method of an imported object",
        IN_PLACE.format(patch=f'patch.object(db.manager, "get_session", {METHOD})'),
        **MANAGED,
    ),
    _case("an object", IN_PLACE.format(patch='patch("app.jobs.manager") as fake'), **MANAGED),
    _case(
        "an object whose scope is asked for",
        IN_PLACE.format(patch='patch("app.jobs.manager") as fake'),
        scope="manager.scope",
        **MANAGED,
    ),
    _case(
        "a scope in another file asks by its own name",
        IN_PLACE.format(patch='patch("app.jobs.get_session", Empty)'),
        scope="asking",
    ),
    _case("safe: another name", IN_PLACE.format(patch='patch("app.jobs.select", Empty)')),
    _case("safe: the name in another file", IN_PLACE.format(patch='patch("app.other.change", Empty)')),
    _case(
        "safe: the function in its own file, imported early",
        IN_PLACE.format(patch='patch("app.db.get_session", Empty)'),
    ),
    _case("safe: the factory that both ask for", IN_PLACE.format(patch='patch("app.db.SessionLocal", ArchiveLocal)')),
    _case(
        "safe: a method that the scope asks too",
        IN_PLACE.format(patch=f'patch("app.db.manager.get_session", {METHOD})'),
        scope="manager.scope",
        **MANAGED,
    ),
    _case(
        "safe: a method of a class that the scope asks too",
        IN_PLACE.format(patch=f'patch("app.db.Manager.get_session", {METHOD})'),
        scope="manager.scope",
        **MANAGED,
    ),
    _case(
        "safe: a function that the scope asks too",
        IN_PLACE.format(patch='patch("app.db.get_session", Empty)'),
        "db.get_session()",
        scope="asking",
        rest="from app import db\n",
    ),
    _case(
        "safe: the function, and the factory that both ask for",
        """
        def check():
            with patch("app.db.SessionLocal", ArchiveLocal):
                with patch("app.db.get_session", ArchiveLocal):
                    return jobs.count()
        """,
        "db.get_session()",
        rest="from app import db\n",
    ),
    _case(
        "safe: a fake of its own",
        "import unittest\n"
        + dedent("""
        def check():
            fake = MagicMock()
            fake.get_session = Empty
            return jobs.count()
        """),
    ),
)


@pytest.mark.parametrize("case", PATCHED, ids=lambda c: c.title)
def test_what_a_test_patches_is_told(case: Case, tmp_path: Path) -> None:
    files, outcome = plan_of(case)
    assert [effect.code for site in outcome.sites for effect in site.effects] == list(case.effects)
    before = run_of(files_of(case), case.calls, tmp_path / "before.db")
    after = run_of(files, case.calls, tmp_path / "after.db")
    assert (before[case.differs] != after[case.differs]) is bool(case.effects)


FAITHFUL = Settings(scope_choice="faithful")
ITSELF = (
    _case(
        "safe: a real session, under its own call", IN_PLACE.format(patch='patch("app.jobs.get_session", ArchiveLocal)')
    ),
    _case("a mock, under its own call", IN_PLACE.format(patch='patch("app.jobs.get_session") as fake')),
    _case(
        "safe: a method of its class, under its own call",
        IN_PLACE.format(patch='patch.object(db.Manager, "get_session", lambda *_: ArchiveLocal())'),
        **MANAGED,
    ),
)


@pytest.mark.parametrize("case", ITSELF, ids=lambda c: c.title)
def test_the_call_itself_is_entered_where_it_changes_least(case: Case, tmp_path: Path) -> None:
    case = replace(case, settings=FAITHFUL, scope="wraps")
    files, outcome = plan_of(case)
    assert [effect.code for site in outcome.sites for effect in site.effects] == list(case.effects)
    assert f"with {'manager.' if 'manager' in case.rest else ''}get_session() as s" in files["app/jobs.py"]
    before = run_of(files_of(case), case.calls, tmp_path / "before.db")
    after = run_of(files, case.calls, tmp_path / "after.db")
    told = "fake" if case.effects else ""
    assert (str(before["work()"]) != str(after["work()"])) is bool(told)
