"""A session that comes from a manager which is handed in, run on a real database before and after."""

from pathlib import Path

import pytest
from ormlift.model import Settings

from tests.rules.session_runs import Case, files_of, plan_of, run_of

MANAGER = """
class Manager:
    def get_session(self):
        return SessionLocal()
"""
ARCHIVES = """
class Archives:
    def get_session(self):
        return ArchiveLocal()
"""
SERVICE = """
class Counter:
    def __init__(self, manager):
        self.manager = manager

    def count(self):
        s = self.manager.get_session()
        try:
            return s.query(Job).count()
        finally:
            s.close()


def work():
    return Counter(Archives()).count()
"""
GIVEN = (
    Case(
        "a manager that the constructor is given",
        SERVICE,
        "commits",
        ("given-manager",),
        differs="work()",
        rest=ARCHIVES,
        db=MANAGER,
    ),
    Case(
        "a manager that the function is given",
        """
        def count(manager):
            s = manager.get_session()
            try:
                return s.query(Job).count()
            finally:
                s.close()


        def work():
            return count(Archives())
        """,
        "commits",
        ("given-manager",),
        differs="work()",
        rest=ARCHIVES,
        db=MANAGER,
    ),
    Case(
        "a manager that the function is given, by another name",
        """
        def count(services):
            manager = services["manager"] or services["other"]
            s = manager.get_session()
            try:
                return s.query(Job).count()
            finally:
                s.close()


        def work():
            return count({"manager": Archives()})
        """,
        "commits",
        ("given-manager",),
        differs="work()",
        rest=ARCHIVES,
        db=MANAGER,
    ),
    Case(
        "a manager that the constructor may be given",
        SERVICE.replace("manager):", "manager=None):").replace("= manager", "= manager or Manager()"),
        "commits",
        ("given-manager",),
        differs="work()",
        rest="from app.db import Manager\n" + ARCHIVES,
        db=MANAGER,
    ),
)
KNOWN_MANAGERS = (
    Case(
        "a manager whose type is said",
        SERVICE.replace("manager):", "manager: Manager):").replace("Archives", "Manager"),
        "commits",
        rest="from app.db import Manager\n",
        db=MANAGER,
    ),
    Case(
        "a manager that the constructor makes",
        SERVICE.replace("manager):", "):").replace("= manager", "= Manager()").replace("Archives()", ""),
        "commits",
        rest="from app.db import Manager\n",
        db=MANAGER,
    ),
)


MAKER = """
seen = []


class Counter:
    def make(self):
        return SessionLocal()

    def count(self):
        s = self.make()
        try:
            return s.query(Job).count(), list(seen)
        finally:
            s.close()

OTHER
def work():
    return Counter().count(), LAST
"""
BELOW = """
class Below(Counter):
    def make(self):
        seen.append("below")
        return get_session()

"""
GLOBAL = """
make = get_session


def rebind():
    global make
    make = lambda: ArchiveLocal()


def work():
    rebind()
    s = make()
    try:
        return s.query(Job).count()
    finally:
        s.close()
"""
REBOUND = (
    Case(
        "a method that a subclass has too",
        MAKER.replace("OTHER", BELOW).replace("LAST", "Below().count()"),
        "commits",
        ("other-source",),
        differs="work()",
        rest="from app.db import SessionLocal\n",
    ),
    Case("a global that is bound anew", GLOBAL, "commits", ("other-source",), differs="work()"),
    Case(
        "a method that no other class has",
        MAKER.replace("OTHER", "").replace("LAST", "1"),
        "commits",
        rest="from app.db import SessionLocal\n",
    ),
    Case(
        "a method that a subclass has too, under its own call",
        MAKER.replace("OTHER", BELOW).replace("LAST", "Below().count()"),
        "wraps",
        rest="from app.db import SessionLocal\n",
        settings=Settings(scope_choice="faithful"),
    ),
)


@pytest.mark.parametrize("case", REBOUND, ids=lambda c: c.title)
def test_what_may_be_another_is_told(case: Case, tmp_path: Path) -> None:
    files, outcome = plan_of(case)
    assert [effect.code for site in outcome.sites for effect in site.effects] == list(case.effects)
    before = run_of(files_of(case), case.calls, tmp_path / "before.db")
    after = run_of(files, case.calls, tmp_path / "after.db")
    assert (before["work()"] != after["work()"]) is bool(case.effects)


@pytest.mark.parametrize("case", KNOWN_MANAGERS, ids=lambda c: c.title)
def test_a_manager_that_is_known_is_safe(case: Case, tmp_path: Path) -> None:
    files, outcome = plan_of(case)
    assert [(site.effects, site.reason) for site in outcome.sites] == [((), None)]
    before = run_of(files_of(case), case.calls, tmp_path / "before.db")
    assert before == run_of(files, case.calls, tmp_path / "after.db")


@pytest.mark.parametrize("case", GIVEN, ids=lambda c: c.title)
def test_a_manager_that_is_given_is_told(case: Case, tmp_path: Path) -> None:
    files, outcome = plan_of(case)
    assert [effect.code for site in outcome.sites for effect in site.effects] == list(case.effects)
    before = run_of(files_of(case), case.calls, tmp_path / "before.db")
    after = run_of(files, case.calls, tmp_path / "after.db")
    assert before[case.differs] != after[case.differs]
