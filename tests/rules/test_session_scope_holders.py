"""Objects that keep the session and are asked in the block, run on a real database before and after."""

from dataclasses import replace
from pathlib import Path
from textwrap import indent

import pytest

from tests.rules.session_runs import Case, files_of, plan_of, run_of

SERVICE = """
from sqlalchemy.exc import SQLAlchemyError


class Names:
    def __init__(self, session):
        self._session = session

    def all(self):
        return [name for (name,) in self._session.query(Job.name).order_by(Job.id)]

    def rename(self, job_id):
        self._session.get(Job, job_id).name = "renamed"


class Service:
    shared = []

    def __init__(self, session, size=10, log=None):
        self.session = session
        self.size = size
        self.log = log or print
        self.names = Names(session)
        self.asked = 0

    def count(self, at_least=0):
        self.asked += 1
        return self.session.query(Job).filter(Job.id >= at_least).count()

    def first(self, job_id=1):
        job = self._get(job_id)
        return self._show(job) if job else None

    def _get(self, job_id):
        return self.session.get(Job, job_id)

    @staticmethod
    def _show(job):
        return job.name.upper()

    def all_names(self):
        return self.names.all()[: self.size]

    def add(self, name):
        self.session.add(Job(name=name))

    def save(self, name, twice=False):
        job = Job(name=name)
        self.session.add(job)
        self.session.commit()
        if twice:
            self.save_again(name)
        return job.id

    def save_again(self, name):
        try:
            self.session.add(Job(name=name + "!"))
            self.session.commit()
        except SQLAlchemyError:
            self.session.rollback()

    def save_if(self, name, really):
        if really:
            self.session.add(Job(name=name))
            self.session.commit()
        return self.count()

    def save_some(self, name, really):
        self.session.add(Job(name=name))
        if really:
            self.session.commit()

    def save_badly(self, name):
        try:
            self.session.add(Job(name=name))
            self.session.commit()
        except SQLAlchemyError:
            return None

    def save_and_give(self, name):
        job = Job(name=name)
        self.session.add(job)
        self.session.commit()
        self.session.refresh(job)
        return job

    def save_or_fail(self, name):
        self.session.add(Job(name=name))
        if name == "bad":
            raise ValueError(name)
        self.session.commit()

    def add_below(self, name):
        return self._add(name)

    def _add(self, name):
        self.session.add(Job(name=name))

    def rename(self, job_id):
        self.names.rename(job_id)

    def finish(self, job_id):
        self._get(job_id).finish()

    def keep(self, job_id):
        Service.shared.append(self._get(job_id))

    def keep_here(self, job_id):
        self.kept = self._get(job_id)
        return self.kept

    def later(self):
        return lambda: self.add("later")

    def run(self, function):
        return function(self.session)

    @property
    def added(self):
        self.session.add(Job(name="added"))
        return 1


class Below(Service):
    def longest(self):
        return max(self.all_names(), key=len)


class Registered:
    every = []

    def __init__(self, session):
        self.session = session
        Registered.every.append(self)

    def count(self):
        return self.session.query(Job).count()


class Writing:
    def __init__(self, session):
        self.session = session
        session.add(Job(name="at once"))

    def count(self):
        return 1


class Entered:
    def __init__(self, session):
        self.session = session

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.session.add(Job(name="at exit"))

    def count(self):
        return 1


class Swapped:
    def __init__(self, session):
        self.helper = Names(session)

    def swap(self, other):
        self.helper = other

    def all(self):
        return self.helper.all()


class Setting:
    def __init__(self, session):
        self.session = session
        self.name = "set"

    @property
    def name(self):
        return "x"

    @name.setter
    def name(self, value):
        self.session.add(Job(name=value))

    def count(self):
        return 1


class Overriding(Service):
    def _get(self, job_id):
        job = self.session.get(Job, job_id)
        job.done = True
        return job


class Twice(Names):
    def __init__(self, session):
        super().__init__(session)
        self.session = session

    def count(self):
        self.session.add(Job(name="twice"))
"""
WORK = """
def work():
    s = get_session()
    try:
{statement}
    finally:
        s.close()
"""
NAMES = "Below, Entered, Names, Overriding, Registered, Setting, Service, Swapped, Twice, Writing"


def _case(statement: str) -> Case:
    body = WORK.format(statement=indent(statement, " " * 8))
    return Case(statement, body, "commits", rest=f"from app.other import {NAMES}\n", other=SERVICE)


SAFE = (
    "service = Service(s)\nreturn service.save('x')",
    "service = Service(s)\nservice.save('x', twice=True)\nreturn service.count()",
    "service = Service(s)\nservice.save_again('firs')\nservice.save_again('first')\nreturn service.count()",
    "service = Service(s)\nreturn service.save_if('x', False), service.save_if('y', True)",
    "service = Service(s)\nfor name in ('a', 'b'):\n    service.save(name)",
    "service = Service(s)\ns.add(Job(name='mine'))\nservice.save('x')",
    "return Service(s).save_or_fail('good')",
    "Service(s).save_or_fail('bad')",
    "service = Service(s)\nreturn service.count()",
    "service = Service(s, size=2)\nreturn service.count(at_least=2), service.all_names()",
    "return Service(s).first()",
    "return Service(session=s).first(job_id=2)",
    "service = Service(s)\nname = service.first()\nreturn name.lower()",
    "return Names(s).all()",
    "below = Below(s)\nreturn below.longest(), below.count()",
    "service = Service(s)\nfor one in (1, 2):\n    if not service.first(one):\n        break\nreturn service.count()",
    "service = Service(s)\ns.add(Job(name='new'))\ns.commit()\nreturn service.count()",
)
TOLD = (
    "Service(s).save_some('x', False)",
    "service = Service(s)\nservice.save('x')\nservice.add('y')",
    "service = Service(s)\ns.add(Job(name='mine'))\nservice.save_if('x', False)",
    "try:\n    Service(s).save_or_fail('bad')\nexcept ValueError:\n    return 1",
    "service = Service(s)\n0 and service.save('x')\ns.add(Job(name='mine'))",
    "service = Service(s)\nservice.add('x')",
    "Service(s).add('x')",
    "Service(s).add_below('x')",
    "Service(s).rename(1)",
    "Service(s).finish(1)",
    "service = Service(s)\nservice.later()()",
    "Service(s).run(lambda session: session.add(Job(name='x')))",
    "service = Service(s)\nadd = service.add\nadd('x')",
    "service = Service(s)\nlist(map(service.add, ['x']))",
    "getattr(Service(s), 'add')('x')",
    "added = Service(s).added",
    "Writing(s).count()",
    "Setting(s).count()",
    "Overriding(s).first()",
    "with Entered(s) as entered:\n    return entered.count()",
    "service = Service(s)\nservice = Below(s)\nservice.add('x')",
    "Below(s).add('x')",
    "Twice(s).count()",
    "Service(s).names.rename(1)",
    "service = Service(s)\nservice.names.rename(1)",
)
GIVEN = (
    "return Service(s).save_and_give('x')",
    "job = s.get(Job, 1)\nService(s).save_if('x', False)\nreturn job",
)
UNSEEN = (  # told, though these make no difference to the rows here
    "return Service(s).save_badly('x')",
    "return Service(s).keep(1)",
    "return len(Registered(s).every)",
    "return Service(s).keep_here(1).id",
    "return Swapped(s).all()",
)


@pytest.mark.parametrize("statement", SAFE)
def test_methods_that_only_read_are_safe(statement: str, tmp_path: Path) -> None:
    case = _case(statement)
    files, outcome = plan_of(case)
    assert [effect for site in outcome.sites for effect in site.effects] == []
    before = run_of(files_of(case), case.calls, tmp_path / "before.db")
    assert before == run_of(files, case.calls, tmp_path / "after.db")
    assert "Error" not in str(before["work()"]) or "bad" in statement


@pytest.mark.parametrize("statement", TOLD)
def test_methods_that_may_write_are_told(statement: str, tmp_path: Path) -> None:
    case = _case(statement)
    files, outcome = plan_of(case)
    assert any(site.effects for site in outcome.sites)
    before = run_of(files_of(case), case.calls, tmp_path / "before.db")
    after = run_of(files, case.calls, tmp_path / "after.db")
    assert before["rows"] != after["rows"]


@pytest.mark.parametrize("statement", GIVEN)
def test_what_they_give_is_told(statement: str, tmp_path: Path) -> None:
    case = replace(_case(statement), calls=("work().name",))
    files, outcome = plan_of(case)
    assert {effect.code for site in outcome.sites for effect in site.effects} == {"expires-instances"}
    before = run_of(files_of(case), case.calls, tmp_path / "before.db")
    after = run_of(files, case.calls, tmp_path / "after.db")
    assert before["work().name"] != after["work().name"]


@pytest.mark.parametrize("statement", UNSEEN)
def test_what_is_not_certain_is_told(statement: str) -> None:
    _, outcome = plan_of(_case(statement))
    assert all(site.effects or site.reason for site in outcome.sites)
